"""Reading the options of a question in the forms in which data sets keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.tasks.data import Row
from mmeval.tasks.prompts import LETTERS

_FORMS = 'choices are a list, {"A": …, "B": …}, {"text": […], "label": […]}, or one of these written as JSON'


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of one question, in the order in which they are lettered."""

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """What the data set itself calls them, where it says so: A, B, C … or 1, 2, 3 …"""


def read_choices(cell: Any, row: Row) -> Choices:
    """Read a cell that holds options; an empty cell has none.

    Read are lists, mappings by letter or number, ARC's `{"text": [...], "label": [...]}`, and these written as JSON, as a
    Python literal, or as numpy prints an array.

    Raises:
        DataError: naming file and row, for any other form, a null among the options, or more than can be lettered.
    """
    if isinstance(cell, str):
        cell = parse_literal(cell, row.place) if cell.strip() else None
    if cell is None or (isinstance(cell, float) and cell != cell):
        return Choices()
    labels: tuple[str, ...] = ()
    if isinstance(cell, Mapping):
        cell, labels = _labelled(cell, row.place)
    if not isinstance(cell, (list, tuple)):
        raise DataError(
            f"{row.place}: choices are {type(cell).__name__}, a list is expected",
            remedy=f"name the right column in fields.choices; {_FORMS}",
        )
    if len(cell) > len(LETTERS):
        raise DataError(
            f"{row.place}: {len(cell)} choices, at most {len(LETTERS)} can be lettered",
            remedy="leave the row out with dataset.where, or ask it as an open question",
        )
    for number, value in enumerate(cell, 1):
        if value is None:
            raise DataError(f"{row.place}: choice {number} of {len(cell)} is null", remedy="correct the row")
        if not isinstance(value, (str, int, float)):
            raise DataError(
                f"{row.place}: choice {number} of {len(cell)} is {type(value).__name__}, no text", remedy=_FORMS
            )
    return Choices(tuple(str(value) for value in cell), labels)


def parse_literal(text: str, place: str) -> list[Any] | dict[Any, Any]:
    """Read options written as JSON, as a Python literal, or as numpy prints an array, without running them.

    Raises:
        DataError: when it is none of these, or can be read in two ways.
    """
    try:
        return read_literal(text)
    except DataError as error:
        raise DataError(f"{place}: {error.message}", remedy=f"{error.remedy}; {_FORMS}".removeprefix("; ")) from error


def _labelled(cell: Mapping[Any, Any], place: str) -> tuple[list[Any], tuple[str, ...]]:
    table = set(cell) in ({"text", "label"}, {"text", "labels"})
    if table:
        texts, names = cell["text"], cell.get("label", cell.get("labels"))
        if not isinstance(texts, (list, tuple)) or not isinstance(names, (list, tuple)) or len(texts) != len(names):
            raise DataError(
                f"{place}: choices with text and label need two lists of one length", remedy="correct the row"
            )
        pairs = [(str(name), text) for name, text in zip(names, texts, strict=True)]
    else:
        pairs = [(str(name), text) for name, text in cell.items()]
    order = _order([name for name, _ in pairs])
    if order is None:
        raise DataError(
            f"{place}: the choices are called {', '.join(name for name, _ in pairs)[:80]}, which has no order",
            remedy=f'give fields.choices an expression that lists them, e.g. "= [first, second]"; {_FORMS}',
        )
    ordered = [pairs[index] for index in order]
    # Options in columns: there is one for each letter, with empty cells behind the last one in use.
    while ordered and not table and (ordered[-1][1] in (None, "") or ordered[-1][1] != ordered[-1][1]):
        ordered.pop()
    return [text for _, text in ordered], tuple(name.strip(" ().") for name, _ in ordered)


def _order(names: Sequence[str]) -> list[int] | None:
    """Return the indices of labels in their own order: A, B, C … or 0, 1, 2 … or 1, 2, 3 …, without gaps; else None."""
    plain = [name.strip(" ().").upper() for name in names]
    count = len(plain)
    if count > len(LETTERS):
        return None
    for known in (list(LETTERS[:count]), list(map(str, range(count))), list(map(str, range(1, count + 1)))):
        if sorted(plain) == sorted(known):
            return [plain.index(name) for name in known]
    return None
