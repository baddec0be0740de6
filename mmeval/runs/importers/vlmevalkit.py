"""Prediction and result files of VLMEvalKit, and what its spreadsheets have done to answers."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, nearest
from mmeval.core.literals import read_literal
from mmeval.runs.importers.predictions import OwnItem, Prediction, Reading, files_of, listed, verdict_of
from mmeval.runs.importers.tables import CELL_LIMIT, SUFFIXES, Cell, as_written, is_json_table, read_table
from mmeval.verifiers.vlmevalkit import API_FAILURE

VERDICTS = ("hit", "score", "verifier_match", "verifier_score")
EXTRACTIONS = ("res", "extract", "extracted")
LOGS = ("log", "log_score", "log_extract")
_EMPTY = (
    "the answer's cell is empty: the model said nothing, or the writer dropped what it said (None, NA, N/A, null, a text that"
    " begins with a very long URL)"
)
_LOST = {
    "cut": f"the answer is cut off at {CELL_LIMIT} characters, the most that a cell holds",
    "date": "the spreadsheet turned the answer into a date",
    "error": "the spreadsheet turned the answer into an error value",
}
"""Fates of a cell after which it is not the model's answer."""
_ALTERED = {
    "number": "a number where the model wrote text, so its spelling is lost (0012 is 12, 12.0 is 12)",
    "boolean": "true or false where the model wrote text, so its spelling is lost",
    "formula": "a formula; the answer is what stands in it",
}
"""Fates after which the answer can be read but is not letter by letter what the model wrote."""
_FLOAT = re.compile(r"-?\d{1,15}\.0")
_SPELLING_COUNTS = frozenset({"text"})
"""Kinds of answer that compare spelling."""
_ACCEPTS_SEVERAL = frozenset({None, "text"})
"""Kinds of answer whose gold may be several accepted texts; without a card it is what a list of texts means."""


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read tables with `index` and `prediction`. Of a folder, the one table of predictions, scored if there is one.

    Raises:
        DataError: naming file and row; also for a folder with predictions of several data sets or models.
    """
    for path in _tables(paths, reading):
        state = _File(path, reading, _rewritten(path, reading.column("response", "prediction")))
        # Lines of a table are counted with its header.
        for number, cells in enumerate(read_table(path), 1 if path.suffix.startswith(".json") else 2):
            reading.found += 1
            yield state.prediction(cells, number)
        state.report()


def _rewritten(path: Path, column: str) -> bool:
    """Whether all answers of a text table look like 12.0: a reader took the column for numbers, and wrote it anew."""
    if path.suffix.lower() not in {".tsv", ".csv"}:
        return False
    answers = (row[column].value for row in read_table(path) if column in row)
    seen = False
    for answer in answers:
        if answer is not None and not _FLOAT.fullmatch(str(answer)):
            return False
        seen = seen or answer is not None
    return seen


def _tables(paths: Sequence[Path], reading: Reading) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += _of_folder(path, reading) if path.is_dir() else files_of([path], (), "")
    return found


def _of_folder(folder: Path, reading: Reading) -> list[Path]:
    response = reading.column("response", "prediction")
    tables: dict[Path, set[str]] = {}
    for path in files_of([folder], [f"*{suffix}" for suffix in SUFFIXES], "table"):
        if path.suffix.lower() == ".json" and not is_json_table(path):
            continue  # status.json, scores
        header = set(next(read_table(path), {}))
        if response in header:
            tables[path] = header
    # NAME_DATASET_judge.xlsx repeats NAME_DATASET.xlsx with verdicts.
    best = [
        path
        for path in tables
        if not any(
            other.stem.startswith(f"{path.stem}_") and tables[other] >= tables[path]
            for other in tables
            if other != path
        )
    ]
    if len(best) != 1:
        names = listed([str(path.relative_to(folder)) for path in sorted(best)])
        raise DataError(
            f"{folder}: {f'several tables of predictions: {names}' if best else f'no table with a column {response!r}'}",
            remedy="name the file",
        )
    return best


@dataclass(slots=True)
class _File:
    """One file while it is read, and what must be said of it."""

    path: Path
    reading: Reading
    rewritten: bool = False
    """Whether the answers were turned into numbers before the file was written."""
    columns: frozenset[str] = frozenset()
    altered: dict[str, list[str]] = field(default_factory=dict)
    """Fate -> ids of rows that are scored all the same."""
    logs: Counter[str] = field(default_factory=Counter)

    def prediction(self, cells: Mapping[str, Cell], number: int) -> Prediction:
        """Return one row's prediction.

        Raises:
            DataError: when the file has no column of answers or ids.
        """
        place = f"{self.path}, row {number}"
        if not self.columns:
            self.columns = frozenset(cells)
            self._check(cells)
        values = {name: cell.value for name, cell in cells.items()}
        identifier = as_written(values[self._id(cells)])
        if identifier is None or not identifier.strip():
            raise DataError(f"{place}: the id is empty", remedy="give every row its index")
        answer = cells[self.reading.column("response", "prediction")]
        if self.rewritten and answer.value is not None:
            answer = Cell(float(answer.value), "number")
        correct, score = verdict_of(self._first("verdict", VERDICTS, values))
        log = self._first("log", LOGS, values)
        if log is not None:
            self.logs["prefetch" if str(log).startswith("Prefetch succeed") else "judge"] += 1
        entry = Prediction(
            id=identifier,
            place=place,
            response=as_written(answer.value),
            reasoning=as_written(values.get("thinking")),
            extraction=as_written(self._first("extraction", EXTRACTIONS, values)),
            own=self._item(values),
            official=correct,
            stored_score=score,
            judge_verdict=None if log is None else str(log),
            problem=self._problem(answer, identifier),
        )
        if entry.response is not None and API_FAILURE in entry.response:
            return _failed(entry)
        return entry

    def _check(self, cells: Mapping[str, Cell]) -> None:
        for role, default in (("response", "prediction"), ("id", "")):
            column = self.reading.column(role, default)
            if column and column not in cells:
                close = nearest(column, cells)
                raise DataError(
                    f"{self.path}: no column {column!r}",
                    remedy=f"name it with --column {role}={close[0] if close else 'COLUMN'}; the file has {', '.join(cells)}",
                )
        self._id(cells)

    def _id(self, cells: Mapping[str, Cell]) -> str:
        """The column of ids: the user's choice, the card's own, or VLMEvalKit's index."""
        named = self.reading.columns.get("id")
        for column in (named, self.reading.id_column, "index", "id"):
            if column and column in cells:
                return column
        raise DataError(
            f"{self.path}: no column of ids", remedy=f"name it with --column id=COLUMN; the file has {', '.join(cells)}"
        )

    def _first(self, role: str, defaults: Sequence[str], values: Mapping[str, Any]) -> Any:
        """The value of the user's column for a role, or of the first of VLMEvalKit's names that has one."""
        named = self.reading.columns.get(role)
        for column in (named,) if named else defaults:
            if values.get(column) is not None:
                return values[column]
        return None

    def _problem(self, answer: Cell, identifier: str) -> str:
        """Why the answer cannot be scored, if so; rows that can be scored are noted."""
        if answer.fate == "empty":
            return _EMPTY
        if answer.fate in _LOST:
            return _LOST[answer.fate]
        if answer.fate in _ALTERED:
            if answer.fate != "formula" and self.reading.kind in _SPELLING_COUNTS:
                return f"the spreadsheet turned the answer into a {answer.fate}, and this task compares spelling"
            self.altered.setdefault(answer.fate, []).append(identifier)
        return ""

    def _item(self, values: Mapping[str, Any]) -> OwnItem | None:
        """The question as the file holds it, where it does."""
        question = as_written(values.get(self.reading.column("question", "question")))
        if question is None:
            return None
        choices, problem = self._choices(values)
        answer = values.get(self.reading.column("answer", "answer"))
        if choices and values.get("answer_option") is not None and "answer" not in self.reading.columns:
            answer = values["answer_option"]
        gold = as_written(answer)
        if choices and gold is not None:
            gold = _lettered(gold, choices)
        accepted = _accepted(gold) if not choices and self.reading.kind in _ACCEPTS_SEVERAL else None
        if accepted is None:
            return OwnItem(question, gold, choices, values, problem)
        column = self.reading.column("answer", "answer")
        return OwnItem(question, accepted, choices, {**values, column: accepted}, problem)

    def _choices(self, values: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
        letters = [letter for letter in string.ascii_uppercase if values.get(letter) is not None]
        if letters:
            gap = next((letter for letter in string.ascii_uppercase[: len(letters)] if letter not in letters), None)
            if gap is not None:
                return (), (
                    f"option {gap} is empty although {letters[-1]} is not: the writer dropped a text such as None or NA, so the"
                    " options are not known"
                )
            return tuple(str(as_written(values[letter])) for letter in letters), ""
        stored = values.get(self.reading.column("choices", "choices"))
        if not isinstance(stored, str) or not stored.strip():
            return (), ""
        try:
            found = read_literal(stored)
        except DataError as error:
            return (), f"the options cannot be read: {error.message}"
        texts = list(found.values()) if isinstance(found, dict) else found
        return tuple(str(text) for text in texts), ""

    def report(self) -> None:
        """Say what was found in the file."""
        for fate, ids in self.altered.items():
            self.reading.notes.append(f"{self.path.name}: the answer is {_ALTERED[fate]}, {len(ids)}× ({listed(ids)})")
        if self.logs["prefetch"]:
            self.reading.notes.append(
                f"{self.path.name}: VLMEvalKit's rules decided {self.logs['prefetch']} rows, its judge the other {self.logs['judge']}"
            )


def _accepted(gold: str | None) -> list[str] | None:
    """Return the accepted texts of a gold that is a list of them, written as text; None where it is none."""
    if gold is None or not gold.strip().startswith("["):
        return None
    try:
        found = read_literal(gold)
    except DataError:
        return None
    return found if isinstance(found, list) and found and all(isinstance(text, str) for text in found) else None


def _lettered(gold: str, choices: Sequence[str]) -> str:
    """Return the letter of a gold answer that is given as an option's text."""
    if len(gold) == 1 and gold in string.ascii_uppercase[: len(choices)]:
        return gold
    return string.ascii_uppercase[choices.index(gold)] if list(choices).count(gold) == 1 else gold


def _failed(entry: Prediction) -> Prediction:
    return replace(
        entry,
        response=None,
        status="error",
        problem="",
        error=f"VLMEvalKit stored {API_FAILURE!r} instead of an answer",
    )
