"""The result tables that DynaMath publishes: a line per question, a verdict per variant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.runs.importers.predictions import Prediction, Reading, files_of
from mmeval.tasks.data import Row, read_rows

_QUESTION = re.compile(r"Q(\d+)")
_VERDICTS = {"correct": True, "fail": False}
_VARIANTS = range(1, 11)
_REMEDY = "give *-result.csv of DynaMath: Question ID, Variant 1 … Variant 10, Topic, Difficulty Level"


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read lines of `Question ID` and `Variant 1` to `Variant 10` (correct or fail); lines of sums below them are left out.

    Raises:
        DataError: when a file is of another form, or a verdict is neither correct nor fail.
    """
    for path in files_of(paths, ("*-result.csv",), "DynaMath result"):
        for number, line in enumerate(read_rows(path), 2):
            place = f"{path}, line {number}"
            if "Question ID" not in line or "Variant 1" not in line:
                raise DataError(f"{place}: no DynaMath result", remedy=_REMEDY)
            named = _QUESTION.fullmatch(str(line["Question ID"] or "").strip())
            if named is not None:
                yield from _variants(line, named.group(1), place, reading)


def _variants(line: Mapping[str, Any], question: str, place: str, reading: Reading) -> Iterator[Prediction]:
    for variant in _VARIANTS:
        cell = str(line.get(f"Variant {variant}") or "").strip().lower()
        if cell not in _VERDICTS:
            raise DataError(f"{place}: variant {variant} is {cell!r}, neither correct nor fail", remedy=_REMEDY)
        right = _VERDICTS[cell]
        values = {
            "_key": question, "_file": "dataset.json", "_folder": f"trial{variant}", "question": "", "answer": "", "image": "",
            "answer_type": "", "subject": str(line.get("Topic") or ""), "level": str(line.get("Difficulty Level") or "").strip(),
        }  # fmt: skip
        reading.found += 1
        row = Row(reading.found - 1, values, place)
        yield Prediction(id=f"Q{question}_v{variant}", place=place, score=float(right), correct=right, row=row)
