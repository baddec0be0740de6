"""mmeval's own exchange format: one prediction per line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.runs.importers.predictions import (
    Prediction,
    Reading,
    as_boolean,
    as_number,
    as_text,
    files_of,
    label,
)
from mmeval.tasks.data import read_rows

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


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read one JSON object per line: `id` and `response` or `score` (and `correct`), and the optional keys of docs/import.md.

    Files may also be JSON, CSV, TSV or parquet. Of a folder, all `.jsonl` files are read.

    Raises:
        DataError: naming file, row and key; also for a key that looks like one that the row lacks.
    """
    for path in files_of(paths, ("*.jsonl",), "JSON lines"):
        ignored: set[str] = set()
        for number, values in enumerate(json_rows(path), 1):
            reading.found += 1
            yield _prediction(_renamed(values, reading.columns), f"{path}, row {number}", reading, ignored)


def _renamed(values: dict[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    if not columns:
        return values
    kept = {key: value for key, value in values.items() if key not in columns.values()}
    return kept | {role: values[column] for role, column in columns.items() if column in values}


def _prediction(values: Mapping[str, Any], place: str, reading: Reading, ignored: set[str]) -> Prediction:
    for key in sorted(values.keys() - KEYS - ignored):
        _check_key(key, values, place, reading.warn)
        ignored.add(key)
    if values.get("id") in (None, ""):
        raise DataError(f"{place}: key 'id' is missing", remedy="give every prediction the id of its sample")
    score, correct = as_number(values, "score", place), as_boolean(values, "correct", place)
    if values.get("response") is None and score is None and correct is None:
        raise DataError(f"{place}: neither 'response' nor 'score'", remedy="give the model's text, or a ready score")
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
            f"{place}: key 'subsets': an object of column -> label is expected", remedy='e.g. {"subject": "algebra"}'
        )
    return Prediction(
        id=str(values["id"]),
        place=place,
        response=as_text(values, "response", place),
        extraction=as_text(values, "extraction", place),
        score=score,
        correct=correct,
        repeat=repeat,
        condition=as_text(values, "condition", place) or "standard",
        target=values.get("target"),
        extracted=values.get("extracted"),
        cluster=None if values.get("cluster") is None else str(values["cluster"]),
        subsets={str(key): label(value) for key, value in subsets.items()},
        finish_reason=as_text(values, "finish_reason", place),
        judge_verdict=None if values.get("judge_verdict") is None else str(values["judge_verdict"]),
    )


def json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; of one that is no JSON only because of its numbers, say so."""
    try:
        yield from read_rows(path, strict=True)
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
