"""The grades that MM-Vet's own evaluator stores: one list of grades per question, a grade per run of the grading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.core.json_keys import repeated_key
from mmeval.runs.importers.predictions import Prediction, Reading, as_number, files_of

_REMEDY = "give *_gpt-4-grade-*runs.json of MM-Vet's evaluator, and the file of answers (id -> text) if it is at hand"


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read id -> {"score": [grade, …]}; with id -> text as another path, the answers that were graded.

    Raises:
        DataError: when a file is of another form, or grades of a question are missing.
    """
    grades: dict[str, tuple[Path, Any]] = {}
    answers: dict[str, str] = {}
    for path in files_of(paths, ("*-grade-*.json",), "file of grades"):
        for name, entry in _json(path).items():
            if isinstance(entry, str):
                answers[name] = entry
            elif name in grades:
                raise DataError(f"{path}: grades of {name!r} stand in {grades[name][0]} too", remedy="give one file")
            else:
                grades[name] = (path, entry)
    if not grades:
        raise DataError(f"{', '.join(map(str, paths))}: no grades", remedy=_REMEDY)
    for name, (path, entry) in grades.items():
        place = f"{path}, question {name}"
        scores = entry.get("score") if isinstance(entry, Mapping) else None
        if not isinstance(scores, list) or not scores:
            raise DataError(f"{place}: a list of grades is expected under 'score'", remedy=_REMEDY)
        for repeat, _ in enumerate(scores):
            grade = as_number({"score": scores[repeat]}, "score", place)
            if grade is None or not 0 <= grade <= 1:
                raise DataError(f"{place}: grade {scores[repeat]!r} is not from 0 to 1", remedy="correct the file")
            reading.found += 1
            yield Prediction(id=name, place=place, response=answers.get(name), score=grade, repeat=repeat)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        found = orjson.loads(data)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy=_REMEDY) from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: an object of question -> grades is expected", remedy=_REMEDY)
    twice = repeated_key(data)
    if twice is not None:
        raise DataError(f"{path}: the key {twice!r} is there twice", remedy="keep one entry of each question")
    return found
