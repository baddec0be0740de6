"""What kind of answers a data file holds, and in which form it names options: decided on its first rows, or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mmeval.core.errors import DataError, UsageError, unknown
from mmeval.core.literals import read_literal
from mmeval.tasks.card import AnswerKind
from mmeval.tasks.choices import Choices
from mmeval.tasks.columns import plain
from mmeval.tasks.data import Row
from mmeval.tasks.gold import gold_answer
from mmeval.tasks.prompts import LETTERS, filled

FORMS = ("letter", "text", "index", "position")
"""How a gold answer may name an option; of forms that never disagree the first is taken."""
KINDS = tuple(kind for kind in get_args(AnswerKind) if kind not in ("mixed", "heatmap"))
"""What `--answer-kind` takes; heat maps need an option that only a card gives."""
OPEN_KINDS = ("number", "text", "yes-no")
"""What the rows without options may be where others have some."""
MOST = 0.9
"""Share of the first rows that a form must fit to be considered at all."""
_NUMBER = re.compile(r"[-+−]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*%?")
_YES_NO = frozenset({"yes", "no", "true", "false"})
_ZERO_ONE: dict[str, str] = {"1": "yes", "1.0": "yes", "True": "yes", "0": "no", "0.0": "no", "False": "no"}
_LISTS = frozenset({"text", "box", "boxes", "point"})
"""Kinds whose golds may be lists, which a table holds as text."""
_LAST_LETTER = "H"
"""Letters up to here may stand for options that the row does not have."""


@dataclass(frozen=True, slots=True)
class Item:
    """What one of the first rows asks."""

    place: str
    question: str
    choices: Choices
    gold: Any
    """The cell; None when it is empty."""

    def index(self, form: str) -> int | None:
        """Return the option that the gold names in a form, or None."""
        try:
            letter = gold_answer(self.gold, "choice", form, self.choices, Row(0, {}, self.place))
        except DataError:
            return None
        return LETTERS.index(letter) if isinstance(letter, str) else None


@dataclass(frozen=True, slots=True)
class AnswerReading:
    """How the golds of a file are read."""

    kind: str
    target: str = "value"
    open_kind: str | None = None
    """Kind of the rows without options, where others have some; `kind` is then mixed."""
    reader: Literal["zero-one", "list"] | None = None
    """How the cell of a gold is read, where the column alone does not do (see `gold_expression`)."""
    withheld: bool = False
    """There are no golds; rows are asked for export."""

    @property
    def shows_choices(self) -> bool:
        """Whether options are shown."""
        return self.kind in ("choice", "mixed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says of the answers."""

    kind: str | None = None
    form: str | None = None
    open_kind: str | None = None
    """Kind of the rows without options, where `kind` is choice."""

    @classmethod
    def read(cls, kind: str | None, form: str | None) -> Wanted:
        """Read `--answer-kind KIND`, or `choice,KIND` for files in which only some rows have options.

        Raises:
            UsageError: for an unknown kind or form.
        """
        first, comma, rest = (kind or "").partition(",")
        if comma and (first.strip() != "choice" or rest.strip() not in OPEN_KINDS):
            raise UsageError(
                f"--answer-kind {kind}: of two kinds the first is choice and the second one of {', '.join(OPEN_KINDS)}",
                remedy="e.g. --answer-kind choice,number: rows without options are asked for a number",
            )
        return cls(first.strip() or None, form, rest.strip() or None)

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise unknown("--answer-kind", self.kind, KINDS)
        if self.form is not None and self.form not in FORMS:
            raise unknown("--answer-form", self.form, FORMS)


def without_answers(items: Sequence[Item], wanted: Wanted) -> AnswerReading:
    """Decide how a file without gold answers is asked: by what its rows show, or as the user says; nothing is scored."""
    closed = [bool(item.choices.texts) for item in items]
    if wanted.kind not in (None, "choice") or not any(closed):
        return AnswerReading(wanted.kind or "text", withheld=True)
    if all(closed) or (wanted.kind == "choice" and wanted.open_kind is None):
        return AnswerReading("choice", "letter", withheld=True)
    return AnswerReading("mixed", "letter", wanted.open_kind or "text", withheld=True)


def read_answers(items: Sequence[Item], column: str, wanted: Wanted, file: str) -> AnswerReading:
    """Decide the kind of the answers.

    Args:
        items: the first rows.
        column: the column of the golds.
        wanted: what the user says.
        file: for messages.

    Raises:
        DataError: when nothing fits, or more than one reading does, saying how to choose.
    """
    known = [item for item in items if item.gold is not None]
    if not known:
        raise DataError(
            f"{file}: column {column!r} (answer) is empty in the first {len(items)} rows",
            remedy="name the column of the gold answers with --column answer=NAME",
        )
    closed = [item for item in known if item.choices.texts]
    rest = [item for item in known if not item.choices.texts]
    if wanted.kind not in (None, "choice"):
        return _open(known, column, str(wanted.kind), file)
    if not closed:
        if wanted.form is not None and wanted.form != "letter":
            raise UsageError(
                f"--answer-form {wanted.form}: {file} has no options", remedy="name them with --column choices=NAME"
            )
        return _letters_alone(known, column, file) if wanted.kind == "choice" else _without_options(known, column, file)
    target = _form(closed, column, wanted.form, file)
    if not rest or (wanted.kind == "choice" and wanted.open_kind is None):
        return AnswerReading("choice", target)
    if wanted.open_kind is None and all(_is_letter(item.gold) for item in rest):
        return AnswerReading("choice", target)  # options are missing there, which is those rows' fault
    if wanted.open_kind is not None:
        other = _open(rest, column, wanted.open_kind, file)
    else:
        other = _without_options(rest, column, file, "choice,")
    if other.reader is not None:
        raise DataError(
            f"{rest[0].place}: the row has no options and an answer of another form than the rows that have some",
            remedy="put rows of the two kinds into files of their own",
        )
    return AnswerReading("mixed", target, other.kind)


def in_question(items: Iterable[Item]) -> bool:
    """Whether the questions themselves list their options, lettered, in nearly all rows that have options."""
    closed = [item for item in items if item.choices.texts]
    return bool(closed) and sum(map(_lists_options, closed)) >= MOST * len(closed)


def _lists_options(item: Item) -> bool:
    text = " ".join(item.question.split())
    return all(
        any(
            f"{shown} {' '.join(choice.split())}" in text
            for shown in (f"({letter})", f"{letter}.", f"{letter})", f"{letter}:")
        )
        for letter, choice in zip(LETTERS, item.choices.texts, strict=False)
    )


def _form(items: Sequence[Item], column: str, wanted: str | None, file: str) -> str:
    """Return the form in which the golds name options.

    A form is considered when it names an option in nine of ten rows. Two such forms that name different options in a row
    are ambiguous, except for index and position where a 0 or the number of options settles it.
    """
    read = {form: [item.index(form) for item in items] for form in FORMS}
    counts = {form: sum(index is not None for index in found) for form, found in read.items()}
    if wanted is not None:
        if not counts[wanted]:
            raise DataError(
                f"{items[0].place}: answer {_shown(items[0].gold)} is no {wanted} of an option, nor is any other of the first rows",
                remedy="check --answer-form and --column choices",
            )
        return wanted
    fitting = [form for form in FORMS if counts[form] >= MOST * len(items)]
    counted = [form for form in ("index", "position") if form in fitting]
    if len(counted) == 2 and sum(counts[form] == len(items) for form in counted) == 1:
        fitting.remove(next(form for form in counted if counts[form] < len(items)))
    if not fitting:
        best = max(FORMS, key=lambda form: counts[form])
        bad = items[read[best].index(None)]
        tried = ", ".join(f"{form} in {counts[form]}" for form in FORMS)
        raise DataError(
            f"{file}: the answers in {column!r} do not name the options: of {len(items)} rows, {tried};"
            f" {bad.place.rsplit(', ', 1)[-1]} has {_shown(bad.gold)} and the options {_shown(list(bad.choices.texts))}",
            remedy="correct the column, say --answer-form letter, text, index or position,"
            " or ask without options: --answer-kind text (number, yes-no …)",
        )
    for other in fitting[1:]:
        for item, first, second in zip(items, read[fitting[0]], read[other], strict=True):
            if None not in (first, second) and first != second:
                raise DataError(
                    f"{item.place}: answer {_shown(item.gold)} may be the {_NAMES[fitting[0]]} or the {_NAMES[other]}"
                    f" of one of the options {_shown(list(item.choices.texts))}, and the first {len(items)} rows do not tell",
                    remedy=f"say --answer-form {fitting[0]} or --answer-form {other}",
                )
    return fitting[0]


_NAMES: Mapping[str, str] = {
    "letter": "letter",
    "text": "text",
    "index": "index (from 0)",
    "position": "position (from 1)",
}


def _letters_alone(items: Sequence[Item], column: str, file: str) -> AnswerReading:
    bad = next((item for item in items if not _is_letter(item.gold)), None)
    if bad is not None:
        raise DataError(
            f"{bad.place}: {file} has no options, and the answer {_shown(bad.gold)} is no letter of one",
            remedy="name the options with --column choices=NAME, or leave --answer-kind choice out",
        )
    return AnswerReading("choice")


def _is_letter(gold: Any) -> bool:
    return isinstance(gold, str) and len(gold.strip(" ().")) == 1 and "A" <= gold.strip(" ().") <= _LAST_LETTER


def _without_options(items: Sequence[Item], column: str, file: str, mixed: str = "") -> AnswerReading:
    """The kind of golds that name no options; `mixed` is what `--answer-kind` would begin with in a file that has some."""
    golds = [item.gold for item in items]
    lists = [_as_list(gold) for gold in golds]
    if any(isinstance(gold, Mapping) for gold in golds):
        bad = next(item for item in items if isinstance(item.gold, Mapping))
        raise DataError(
            f"{bad.place}: answer {_shown(bad.gold)} is a mapping",
            remedy="name another column with --column answer=NAME",
        )
    if all(map(_is_letter, golds)):
        if sum(_marks_options(item.question) for item in items) >= MOST * len(items):
            return AnswerReading("choice")
        raise DataError(
            f"{items[0].place}: the answers are single letters ({_shown(golds[0])}) and there are no options:"
            " they may stand in the picture, or the letter may be what is asked for",
            remedy=f"say --answer-kind choice or --answer-kind {mixed}text",
        )
    others = [item for item in items if not _is_letter(item.gold)]
    if len(others) <= (1 - MOST) * len(items):
        raise DataError(
            f"{others[0].place}: nearly all answers are single letters, there are no options, and {_shown(others[0].gold)} is none",
            remedy=f"say --answer-kind choice (such rows then stay unscored) or --answer-kind {mixed}text",
        )
    yes_no = [_is_yes_no(gold) for gold in golds]
    numbers = [_is_number(gold) for gold in golds]
    if all(numbers) and all(str(gold).strip() in _ZERO_ONE for gold in golds):
        raise DataError(
            f"{items[0].place}: all answers are 0 or 1, which may be numbers, or no and yes",
            remedy=f"say --answer-kind {mixed}number or --answer-kind {mixed}yes-no",
        )
    for kind, fits in (("yes-no", yes_no), ("number", numbers)):
        if all(fits):
            return AnswerReading(kind)
        if sum(fits) >= MOST * len(items):
            bad = items[fits.index(False)]
            raise DataError(
                f"{bad.place}: {sum(fits)} of {len(items)} answers are of kind {kind}, and {_shown(bad.gold)} is not",
                remedy=f"say --answer-kind {mixed}{kind} (such rows then stay unscored) or --answer-kind {mixed}text",
            )
    if any(found is not None for found in lists):
        return _accepted(items, lists, column, mixed)
    return AnswerReading("text")


def _open(items: Sequence[Item], column: str, kind: str, file: str) -> AnswerReading:
    """The kind that the user wants; golds in another form that it can be read from are."""
    golds = [item.gold for item in items]
    if kind == "yes-no" and all(str(gold).strip() in _ZERO_ONE for gold in golds):
        return AnswerReading(kind, reader="zero-one")
    fits = {"yes-no": _is_yes_no, "number": _is_number}.get(kind)
    if fits is not None and not any(map(fits, golds)):
        raise DataError(
            f"{items[0].place}: answer {_shown(golds[0])} is not of kind {kind}, nor is any other of the first rows",
            remedy="check --answer-kind and --column answer",
        )
    if kind in _LISTS and any(isinstance(gold, str) and _as_list(gold) is not None for gold in golds):
        return AnswerReading(kind, reader="list")
    return AnswerReading(kind)


def _accepted(items: Sequence[Item], lists: Sequence[list[Any] | None], column: str, mixed: str) -> AnswerReading:
    """Golds that are lists: accepted variants, where the column's name says so."""
    first = next(index for index, found in enumerate(lists) if found is not None)
    if plain(column) != "answers":
        raise DataError(
            f"{items[first].place}: answer {_shown(items[first].gold)} is a list: several accepted answers, or one answer of"
            " several parts",
            remedy=f"say --answer-kind {mixed}text where any of them is right; else give the gold in another form",
        )
    if any(isinstance(item.gold, str) for item in items):
        return AnswerReading("text", reader="list")
    return AnswerReading("text")


def gold_expression(reader: str, cell: str) -> str:
    """Return a card's expression that reads the gold of a cell.

    Args:
        reader: `zero-one` for 1 and 0 that stand for yes and no, `list` for lists that may be text.
        cell: the Jinja expression of the cell.
    """
    if reader == "zero-one":
        # A gold that is none of these has no value, which is its row's fault.
        return f"= {json.dumps(_ZERO_ONE)}[{cell} | string | trim] if {cell} is filled else none"
    return f"= ({cell} | literal if {cell} is string and ({cell} | trim).startswith('[') else {cell}) if {cell} is filled else none"


def _as_list(gold: Any) -> list[Any] | None:
    if isinstance(gold, (list, tuple)):
        return list(gold)
    if isinstance(gold, str) and gold.strip().startswith("[") and gold.strip().endswith("]"):
        try:
            found = read_literal(gold)
        except DataError:
            return None
        return found if isinstance(found, list) else None
    return None


def _is_yes_no(gold: Any) -> bool:
    return isinstance(gold, bool) or (isinstance(gold, str) and gold.strip().strip(".").casefold() in _YES_NO)


def _is_number(gold: Any) -> bool:
    if isinstance(gold, bool):
        return False
    if isinstance(gold, (int, float)):
        return gold - gold == 0
    return isinstance(gold, str) and _NUMBER.fullmatch(gold.strip()) is not None


def _marks_options(question: str) -> bool:
    """Whether a question lists lettered options itself."""
    return all(re.search(rf"(?:^|[\s(]){letter}[).:]", question) for letter in "AB")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def gold_cell(value: Any) -> Any:
    """Return a gold cell, None where it holds nothing."""
    return value if filled(value) else None
