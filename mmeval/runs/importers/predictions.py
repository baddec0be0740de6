"""What a reader of other tools' files yields: one prediction per (sample, condition, repeat), and what it could not take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mmeval.core.errors import DataError, UsageError, unknown
from mmeval.core.types import Status
from mmeval.tasks.data import Row


@dataclass(frozen=True, slots=True)
class OwnItem:
    """The question as a predictions file itself holds it, for imports without the card's data set."""

    question: str
    answer: Any = None
    """The gold answer: a letter where there are choices, else as the file has it; None where it has none."""
    choices: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """All columns of the row, for subsets and for what the card's rule needs beside the choices."""
    problem: str = ""
    """Why the item cannot be scored from this file alone."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One stored answer, or a ready score."""

    id: str
    place: str
    """File and row for messages."""
    response: str | None = None
    reasoning: str | None = None
    status: Status = "ok"
    """`ok`, or why the other tool got no answer; such a row has no response."""
    error: str | None = None
    """What the other tool says about a status that is not `ok`."""
    extraction: str | None = None
    """The short answer that a judge extracted, for protocols that score it."""
    score: float | None = None
    correct: bool | None = None
    repeat: int = 0
    condition: str = "standard"
    target: Any = None
    extracted: Any = None
    cluster: str | None = None
    subsets: Mapping[str, str] = field(default_factory=dict)
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    judge_verdict: str | None = None
    row: Row | None = None
    """The data set's own row, where the predictions file repeats it in the data set's own form."""
    own: OwnItem | None = None
    """The item in the file's own form."""
    position: int | None = None
    """0-based position of the sample in the data set, where the file knows it by that alone."""
    official: bool | None = None
    """The file's own verdict."""
    stored_score: float | None = None
    """The file's own score, where it has one."""
    problem: str = ""
    """Why the stored answer is not the model's any more; the row is `unscored`."""


@dataclass(slots=True)
class Reading:
    """What a reader is told, and what it reports beside the predictions."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role -> the file's own name for it, as the user gave it."""
    id_column: str | None = None
    """The column that the card takes ids from, when it is a plain one."""
    kind: str | None = None
    """The card's kind of answer, where there is a card."""
    warn: Callable[[str], None] = lambda message: None
    notes: list[str] = field(default_factory=list)
    """What the reader of the run must know; goes into the manifest."""
    found: int = 0
    """Answers that stand in the files."""
    lost: Counter[str] = field(default_factory=Counter)
    """Answers that could not be taken, by reason. `found` is predictions and lost ones together."""
    expected: int | None = None
    """Answers that there should be, as the files themselves say."""

    def lose(self, reason: str) -> None:
        """Count an answer that is not taken."""
        self.lost[reason] += 1

    def column(self, role: str, default: str) -> str:
        """Return the file's name for a role."""
        return self.columns.get(role, default)


class Reader(Protocol):
    """Reads the files of one format."""

    def __call__(self, paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
        """Yield the predictions of files and folders.

        Raises:
            DataError: naming file, row and key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format that `mmeval import` reads."""

    name: str
    summary: str
    """What it reads, in one line of the help."""
    load: Callable[[], Reader]
    """Imports the reader, which may be heavy."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Roles of columns that `--column` may rename -> what they hold."""
    ad_hoc: bool = False
    """Whether files of it can be read under a name that is no card."""


def check_columns(format_: Format, pairs: Sequence[str]) -> dict[str, str]:
    """Return `--column ROLE=COLUMN` as a mapping.

    Raises:
        UsageError: for another form, or a role that the format does not have.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        role, separator, column = pair.partition("=")
        if not separator or not role or not column:
            raise UsageError(f"--column {pair}: ROLE=COLUMN is expected", remedy="e.g. --column response=output")
        if role not in format_.roles:
            if not format_.roles:
                raise UsageError(
                    f"--column {pair}: format {format_.name} has no columns to rename", remedy="leave it out"
                )
            raise unknown(f"role of --column for format {format_.name}", role, format_.roles)
        found[role] = column
    return found


def as_text(values: Mapping[str, Any], key: str, place: str) -> str | None:
    """Return text; numbers are written out.

    Raises:
        DataError: for anything else.
    """
    value = values.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{place}: key {key!r}: text is expected, this is {type(value).__name__}", remedy="correct the row")


def as_number(values: Mapping[str, Any], key: str, place: str) -> float | None:
    """Return a number, or None for an empty cell.

    Raises:
        DataError: for anything that is no finite number.
    """
    value = values.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise DataError(f"{place}: key {key!r}: {value!r} is no number", remedy="correct the row") from error
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(
            f"{place}: key {key!r}: {value!r} is no finite number", remedy="leave the key out where there is no score"
        )
    return float(value)


def as_boolean(values: Mapping[str, Any], key: str, place: str) -> bool | None:
    """Return true or false, or None for an empty cell.

    Raises:
        DataError: for anything else.
    """
    value = values.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise DataError(f"{place}: key {key!r}: {value!r} is neither true nor false", remedy="correct the row")


def verdict_of(value: Any) -> tuple[bool | None, float | None]:
    """Return (right or wrong, score) of a verdict as other tools store it; (None, None) where it is none.

    True, 1, "1.0" and "Correct" are right; a number between is a score without a verdict.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        named = {"true": 1.0, "false": 0.0, "correct": 1.0, "incorrect": 0.0, "wrong": 0.0}
        try:
            value = named[word] if word in named else float(word)
        except ValueError:
            return None, None
    if isinstance(value, bool):
        return value, float(value)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None, None
    return (bool(value) if value in (0, 1) else None), float(value)


def label(value: Any) -> str:
    """Return a subset's label; several are joined."""
    return " | ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)


def listed(places: Sequence[str], most: int = 8) -> str:
    """Return the first places, and how many more there are."""
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(places[:most]) + more


def files_of(paths: Sequence[Path], patterns: Sequence[str], what: str) -> list[Path]:
    """Return the files behind paths: a file is itself, a folder all that match anywhere below it, each file once.

    Raises:
        DataError: for a path that does not exist, or a folder without such files.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            below = sorted({file for pattern in patterns for file in path.rglob(pattern) if file.is_file()})
            if not below:
                raise DataError(f"{path}: no {what} in this folder", remedy=f"looked for {', '.join(patterns)}")
            for file in below:
                found.setdefault(file.resolve(), file)
        elif path.is_file():
            found.setdefault(path.resolve(), path)
        else:
            raise DataError(f"cannot read {path}: no such file or folder", remedy="check the path")
    return list(found.values())
