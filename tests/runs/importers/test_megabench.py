"""MEGA-Bench's own task results: a row per task, core and open apart, keywords where their file is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.runs.importers.formats import get_format
from mmeval.runs.importers.predictions import Prediction, Reading

RESULTS = [
    {"name": "clock", "score": 0.5, "eval_type": "rule", "num_demo": 1, "num_query": 4},
    {"name": "poem", "score": 0.25, "eval_type": "llm", "num_demo": 1, "num_query": 8},
]
KEYWORDS = {
    "clock": {"app": "Perception", "skills": ["OCR", "Maths"], "input_format": "Photographs", "output_format": "exact_text", "num_input": "1-image"},
    "poem": {"app": "Coding", "skills": ["Language"], "input_format": "Videos", "output_format": "open_ended_output", "num_input": "video"},
}  # fmt: skip


def read(*files: Path) -> tuple[list[Prediction], Reading]:
    reading = Reading()
    return list(get_format("megabench").load()(files, reading)), reading


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_results_and_keywords(tmp_path: Path) -> None:
    results = write(tmp_path / "task_results.json", RESULTS)
    found, reading = read(results)
    assert [(entry.id, entry.score) for entry in found] == [("clock", 0.5), ("poem", 0.25)]
    assert [entry.row.values["set"] for entry in found if entry.row] == ["core", "open"]
    assert "all_task_meta.json is not among the files" in reading.notes[0]
    found, reading = read(results, write(tmp_path / "any-name.json", KEYWORDS))
    assert found[0].row is not None
    assert found[0].row.values["skills"] == ["OCR", "Maths"]
    assert not reading.notes
    assert reading.found == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "no MEGA-Bench result"),
        ("5", "no MEGA-Bench result"),
        ([{"name": "x", "score": 1.0}], "eval_type"),
        ([{"name": "x", "eval_type": "rule"}], "score are expected"),
        ([{"name": "x", "eval_type": "rule", "score": None}], "has no score"),
        ([{"name": "x", "eval_type": "rule", "score": "much"}], "no number"),
    ],
)
def test_other_files(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "task_results.json", content))


def test_a_task_without_keywords(tmp_path: Path) -> None:
    results = write(tmp_path / "task_results.json", [*RESULTS, {"name": "new", "score": 1, "eval_type": "rule"}])
    with pytest.raises(DataError, match="'new' is not in"):
        read(results, write(tmp_path / "all_task_meta.json", KEYWORDS))
    with pytest.raises(DataError, match="cannot read"):
        read(tmp_path / "missing.json")
