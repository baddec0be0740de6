"""What an importer reads: one prediction per (sample, condition, repeat), from JSON lines or MathVista's own output files."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.data import Row, read_rows

MOST_REPEATS = 10_000
KEYS = frozenset(
    {
        "id", "response", "score", "correct", "repeat", "condition", "target", "extracted", "extraction", "cluster",
        "subsets", "finish_reason", "judge_verdict",
    }
)  # fmt: skip
_BROKEN_NUMBER = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity)\b")
LIKENESS = 0.82
"""Share of equal characters from which a key is taken for a misspelt one: `respnse`, `subset`, `finishReason`."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One stored answer, or a ready score."""

    id: str
    place: str
    """File and row for messages."""
    response: str | None = None
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
    judge_verdict: str | None = None
    row: Row | None = None
    """The data set's own row, where the predictions file repeats it."""
    official: bool | None = None
    """The file's own verdict."""


def read_jsonl(path: Path, warn: Callable[[str], None] = lambda message: None) -> Iterator[Prediction]:
    """Read one JSON object per line: `id` and `response` or `score` (and `correct`), and the optional keys of docs/import.md.

    Args:
        path: JSON lines, JSON, CSV, TSV or parquet.
        warn: receives, once per key, that a key is ignored which looks like one that the row has too.

    Raises:
        DataError: naming file, row and key; also for a key that looks like one that the row lacks.
    """
    ignored: set[str] = set()
    for number, values in enumerate(_rows(path), 1):
        place = f"{path}, row {number}"
        for key in sorted(values.keys() - KEYS - ignored):
            _check_key(key, values, place, warn)
            ignored.add(key)
        if values.get("id") in (None, ""):
            raise DataError(f"{place}: key 'id' is missing", remedy="give every prediction the id of its sample")
        score, correct = _number(values, "score", place), _boolean(values, "correct", place)
        if values.get("response") is None and score is None and correct is None:
            raise DataError(
                f"{place}: neither 'response' nor 'score'", remedy="give the model's text, or a ready score"
            )
        if score is None and correct is not None:
            score = float(correct)
        repeat = values.get("repeat", 0)
        if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 0:
            raise DataError(f"{place}: key 'repeat': {repeat!r} is no count", remedy="number repeats from 0")
        if repeat >= MOST_REPEATS:
            raise DataError(f"{place}: key 'repeat': {repeat} is beyond {MOST_REPEATS}", remedy="number repeats from 0")
        subsets = values.get("subsets") or {}
        if not isinstance(subsets, Mapping):
            raise DataError(
                f"{place}: key 'subsets': an object of column -> label is expected",
                remedy='e.g. {"subject": "algebra"}',
            )
        yield Prediction(
            id=str(values["id"]),
            place=place,
            response=_text(values, "response", place),
            extraction=_text(values, "extraction", place),
            score=score,
            correct=correct,
            repeat=repeat,
            condition=str(values.get("condition") or "standard"),
            target=values.get("target"),
            extracted=values.get("extracted"),
            cluster=None if values.get("cluster") is None else str(values["cluster"]),
            subsets={str(key): _label(value) for key, value in subsets.items()},
            finish_reason=_text(values, "finish_reason", place),
            judge_verdict=None if values.get("judge_verdict") is None else str(values["judge_verdict"]),
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; of one that is no JSON only because of its numbers, say so."""
    try:
        yield from read_rows(path)
    except DataError as error:
        if path.is_file() and path.suffix.startswith(".json") and _BROKEN_NUMBER.search(path.read_bytes()):
            raise DataError(
                f"{error.message} (the file holds NaN or Infinity, which JSON does not have)",
                remedy="write null, or leave the key out where there is no number",
            ) from error
        raise


def _check_key(key: str, values: Mapping[str, Any], place: str, warn: Callable[[str], None]) -> None:
    """Refuse a misspelt key; every other key that this format does not know may stand in a row, and is not read."""
    near = _meant(key)
    if near is None:
        return
    if values.get(near) is not None:
        warn(f"{place}: key {key!r} is ignored ({near!r} is read)")
        return
    raise DataError(
        f"{place}: key {key!r} is unknown; is {near!r} meant?",
        remedy=f"name it {near!r}, or give a key of your own a name that looks like none of {', '.join(sorted(KEYS))}",
    )


def _meant(key: str) -> str | None:
    """The known key that this one looks like: the same letters, or a slip of one or two in a longer word."""
    plain = {name.replace("_", ""): name for name in KEYS}
    letters = "".join(character for character in key.lower() if character.isalnum())
    if letters in plain:
        return plain[letters]
    close = difflib.get_close_matches(letters, [name for name in plain if len(name) > 2], n=1, cutoff=LIKENESS)
    return plain[close[0]] if close else None


def read_mathvista(path: Path) -> Iterator[Prediction]:
    """Read an output file of MathVista's own scripts: an object of pid -> row with `response`, `extraction`, `true_false`.

    Raises:
        DataError: when the file is of another form.
    """
    for number, values in enumerate(_rows(path)):
        place = f"{path}, row {number + 1}"
        pid = values.get("pid", values.get("_key"))
        if pid is None or "question_type" not in values or "answer" not in values:
            raise DataError(
                f"{place}: no MathVista output (pid, question_type and answer are expected)",
                remedy="give the output_*.json that MathVista's scripts write; `mmeval import jsonl` reads other files",
            )
        verdict = values.get("true_false")
        if isinstance(values["answer"], (int, float)):
            values["answer"] = str(values["answer"])
        yield Prediction(
            id=str(pid),
            place=place,
            response=_text(values, "response", place),
            extraction=_mathvista_extraction(values),
            row=Row(
                number, {"query": values.get("question"), "image": None, **values, "pid": str(pid)}, place, path.parent
            ),
            official=verdict if isinstance(verdict, bool) else None,
        )


def _mathvista_extraction(values: Mapping[str, Any]) -> str | None:
    """The extraction as the official script sees it: whatever is no text is written out, null as `None`."""
    if "extraction" not in values:
        return None
    value = values["extraction"]
    if isinstance(value, float) and values.get("answer_type") == "integer":
        return str(int(value))  # int(5.0) is 5 under both casts
    return value if isinstance(value, str) else str(value)


def _text(values: Mapping[str, Any], key: str, place: str) -> str | None:
    value = values.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{place}: key {key!r}: text is expected, this is {type(value).__name__}", remedy="correct the row")


def _number(values: Mapping[str, Any], key: str, place: str) -> float | None:
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


def _boolean(values: Mapping[str, Any], key: str, place: str) -> bool | None:
    value = values.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise DataError(f"{place}: key {key!r}: {value!r} is neither true nor false", remedy="correct the row")


def _label(value: Any) -> str:
    return " | ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)
