"""The task results of MEGA-Bench's own scorer: a row per task, whose score is the mean over the task's samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.runs.importers.predictions import Prediction, Reading, as_number, files_of
from mmeval.tasks.data import Row

_SETS = {"rule": "core", "llm": "open"}
"""How a task is scored says which set it is in."""
_KEYWORDS = ("app", "skills", "input_format", "output_format", "num_input")
_REMEDY = "give analysis/task_results.json of MEGA-Bench's scripts, and all_task_meta.json for the breakdown by keyword"


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read `task_results.json`; with `all_task_meta.json` as another path, tasks are broken down by its keywords.

    Raises:
        DataError: when a file is of another form, or a task is not among the keywords.
    """
    files = files_of(paths, ("task_results.json", "all_task_meta.json"), "MEGA-Bench result")
    contents = {path: _json(path) for path in files}
    keywords: dict[str, Any] = {}
    for content in contents.values():
        if isinstance(content, dict):
            keywords |= content
    for path, content in contents.items():
        for number, row in enumerate(content if isinstance(content, list) else (), 1):
            reading.found += 1
            yield _prediction(row, number, path, keywords)
    if not keywords:
        reading.notes.append("tasks are not broken down by keyword: all_task_meta.json is not among the files")


def _json(path: Path) -> list[dict[str, Any]] | dict[str, dict[str, Any]]:
    """Return results as a list, keywords as a mapping."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy=_REMEDY) from error
    entries = found.values() if isinstance(found, dict) else found
    if not isinstance(found, (dict, list)) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path}: no MEGA-Bench result", remedy=_REMEDY)
    return found


def _prediction(
    row: Mapping[str, Any], number: int, path: Path, keywords: Mapping[str, Mapping[str, Any]]
) -> Prediction:
    place = f"{path}, row {number}"
    name = row.get("name")
    if not isinstance(name, str) or row.get("eval_type") not in _SETS or "score" not in row:
        raise DataError(
            f"{place}: no MEGA-Bench result (name, eval_type rule or llm, and score are expected)", remedy=_REMEDY
        )
    if keywords and name not in keywords:
        raise DataError(f"{place}: task {name!r} is not in all_task_meta.json", remedy="take the file of one release")
    score = as_number(row, "score", place)
    if score is None:
        raise DataError(f"{place}: task {name!r} has no score", remedy="run MEGA-Bench's scorer to its end")
    described = keywords.get(name, {})
    values = {"name": name, "set": _SETS[row["eval_type"]]} | {key: described.get(key, "") for key in _KEYWORDS}
    return Prediction(id=name, place=place, score=score, row=Row(number - 1, values, place, path.parent))
