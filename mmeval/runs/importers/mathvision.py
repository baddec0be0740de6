"""The output files of MATH-Vision's own scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmeval.core.errors import DataError
from mmeval.runs.importers.jsonl import json_rows
from mmeval.runs.importers.predictions import Prediction, Reading, as_text, files_of


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read JSON lines of `id`, `response`, `model_answer` (extracted by the script) and `correct`.

    They hold no questions: the card's data set is needed (data/test.jsonl of the benchmark below --data-dir).

    Raises:
        DataError: when a file is of another form.
    """
    for path in files_of(paths, ("*.jsonl",), "MATH-Vision output"):
        for number, values in enumerate(json_rows(path), 1):
            place = f"{path}, row {number}"
            if values.get("id") is None or "response" not in values:
                raise DataError(
                    f"{place}: no MATH-Vision output (id, response and model_answer are expected)",
                    remedy="give a file of its outputs/ folder; `mmeval import jsonl` reads other files",
                )
            reading.found += 1
            verdict = values.get("correct")
            known = verdict if isinstance(verdict, bool) else None
            yield Prediction(
                id=str(values["id"]),
                place=place,
                response=as_text(values, "response", place),
                extraction=as_text(values, "model_answer", place),
                official=known,
                stored_score=None if known is None else float(known),
            )
