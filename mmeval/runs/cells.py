"""Cells of a run's tables that hold JSON. A folder from elsewhere may hold anything in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError

_REMEDY = "delete the run's tables and run the same command again to rebuild them"
_KINDS: dict[type[Any], str] = {dict: "an object", list: "a list"}


class BrokenCellError(DataError):
    """A cell that holds no JSON, or JSON of another form. Its message begins with the table; `in_folder` puts the run before it."""


@contextmanager
def in_folder(run: Path) -> Iterator[None]:
    """Let errors about cells name the run folder.

    Raises:
        DataError: in place of a `BrokenCellError`.
    """
    try:
        yield
    except BrokenCellError as error:
        raise DataError(f"{run}/{error.message}", remedy=error.remedy) from error


def broken_cell(table: str, row: Mapping[str, Any], column: str, problem: str) -> BrokenCellError:
    """Build the error for a cell; `row` holds at least `task` and `sample_id`."""
    under = f", condition {row['condition']}" if row.get("condition") not in (None, "standard") else ""
    place = f"{table}: sample {row['sample_id']!r} of {row['task']}{under}, column {column}"
    return BrokenCellError(f"{place}: {problem}", remedy=_REMEDY)


def json_cell(table: str, row: Mapping[str, Any], column: str, kind: type[Any] | None = None) -> Any:
    """Return what a cell holds, None where it is empty (null).

    Args:
        table: file name, for messages.
        row: one of its rows.
        column: of the cell.
        kind: `dict` or `list` where nothing else may stand there.

    Raises:
        BrokenCellError: no JSON, or another kind of value.
    """
    text = row[column]
    if not isinstance(text, str):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise broken_cell(table, row, column, f"no JSON ({error})") from error
    if kind is not None and not isinstance(value, kind):
        raise broken_cell(table, row, column, f"{text[:40]!r} is not {_KINDS[kind]}")
    return value


def size_in(table: str, row: Mapping[str, Any], context: Mapping[str, Any], name: str) -> tuple[int, int] | None:
    """Return a (width, height) of a row's context, None where there is none.

    Raises:
        BrokenCellError: something else stands there.
    """
    value = context.get(name)
    if not value:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(side, (int, float)) for side in value):
        raise broken_cell(table, row, "context", f"{name} is not a width and a height")
    return int(value[0]), int(value[1])


def messages_cell(table: str, row: Mapping[str, Any], column: str = "messages") -> list[dict[str, Any]]:
    """Return the messages of a cell: `role`, and `parts` that are texts or `{"media": index}`; none where it is empty.

    Raises:
        BrokenCellError: something else stands there.
    """
    messages: list[dict[str, Any]] = json_cell(table, row, column, list) or []
    for number, message in enumerate(messages, 1):
        known = isinstance(message, dict) and isinstance(message.get("role"), str)
        if not known or not isinstance(message.get("parts"), list) or not all(map(_is_part, message["parts"])):
            raise broken_cell(table, row, column, f"entry {number} is no message with role and parts")
    return messages


def _is_part(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and type(part.get("media")) is int)
