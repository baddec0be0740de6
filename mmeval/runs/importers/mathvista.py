"""The output files of MathVista's own scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.runs.importers.jsonl import json_rows
from mmeval.runs.importers.predictions import Prediction, Reading, as_text, files_of
from mmeval.tasks.data import Row


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read an object of pid -> row with `response`, `extraction`, `true_false`. Of a folder, all `output_*.json`.

    Raises:
        DataError: when a file is of another form.
    """
    for path in files_of(paths, ("output_*.json",), "MathVista output"):
        for number, values in enumerate(json_rows(path)):
            reading.found += 1
            yield _prediction(values, number, path)


def _prediction(values: dict[str, Any], number: int, path: Path) -> Prediction:
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
    return Prediction(
        id=str(pid),
        place=place,
        response=as_text(values, "response", place),
        extraction=_extraction(values),
        row=Row(
            number, {"query": values.get("question"), "image": None, **values, "pid": str(pid)}, place, path.parent
        ),
        official=verdict if isinstance(verdict, bool) else None,
        stored_score=float(verdict) if isinstance(verdict, bool) else None,
    )


def _extraction(values: Mapping[str, Any]) -> str | None:
    """The extraction as the official script sees it: whatever is no text is written out, null as `None`."""
    if "extraction" not in values:
        return None
    value = values["extraction"]
    if isinstance(value, float) and values.get("answer_type") == "integer":
        return str(int(value))  # int(5.0) is 5 under both casts
    return value if isinstance(value, str) else str(value)
