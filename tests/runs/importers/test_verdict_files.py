"""Grades of MM-Vet's evaluator and result tables of DynaMath: ready verdicts, and what is wrong with other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.runs.importers.formats import get_format
from mmeval.runs.importers.predictions import Prediction, Reading

HEAD = (
    "Question ID,"
    + ",".join(f"Variant {number}" for number in range(1, 11))
    + ",# of correct per question,Topic,Difficulty Level"
)


def read(format_: str, *files: Path) -> list[Prediction]:
    return list(get_format(format_).load()(files, Reading()))


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_grades_of_several_runs_and_their_answers(tmp_path: Path) -> None:
    grades = write(
        tmp_path / "m_gpt-4-grade-2runs.json",
        {"v1_0": {"model": ["g", "g"], "score": [0.0, 0.5]}, "v1_1": {"score": [1, 1.0]}},
    )
    answers = write(tmp_path / "m.json", {"v1_0": "x = 3", "v1_1": "a cat"})
    found = read("mmvet", grades, answers)
    assert [(entry.id, entry.repeat, entry.score, entry.response) for entry in found] == [
        ("v1_0", 0, 0.0, "x = 3"), ("v1_0", 1, 0.5, "x = 3"), ("v1_1", 0, 1.0, "a cat"), ("v1_1", 1, 1.0, "a cat"),
    ]  # fmt: skip
    assert [entry.response for entry in read("mmvet", grades)] == [None] * 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ([], "question -> grades"),
        ({}, "no grades"),
        ({"v1_0": "text"}, "no grades"),
        ({"v1_0": {"score": 0.5}}, "list of grades"),
        ({"v1_0": {"score": []}}, "list of grades"),
        ({"v1_0": 5}, "list of grades"),
        ({"v1_0": {"score": [1.5]}}, "not from 0 to 1"),
        ({"v1_0": {"score": [None]}}, "not from 0 to 1"),
        ({"v1_0": {"score": ["good"]}}, "no number"),
    ],
)
def test_files_without_grades(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read("mmvet", write(tmp_path / "grades.json", content))


def test_grades_twice(tmp_path: Path) -> None:
    content = {"v1_0": {"score": [0.5]}}
    with pytest.raises(DataError, match="too"):
        read("mmvet", write(tmp_path / "a.json", content), write(tmp_path / "b.json", content))


def test_a_result_table(tmp_path: Path) -> None:
    verdicts = ",".join(["correct", " fail "] * 5)
    sums = "# of correct per question," + "," * 12
    found = read(
        "dynamath",
        write(tmp_path / "m-result.csv", f"{HEAD}\nQ7,{verdicts},5,algebra,high school\n{sums}\n{',' * 13}\n"),
    )
    assert [entry.id for entry in found][:2] == ["Q7_v1", "Q7_v2"]
    assert [entry.correct for entry in found] == [True, False] * 5
    assert found[0].row is not None
    assert (found[0].row.values["subject"], found[0].row.values["level"]) == ("algebra", "high school")


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n", "no DynaMath result"), (f"{HEAD}\nQ1{',correct' * 9},maybe,9,x,y\n", "variant 10 is 'maybe'")],
)
def test_other_tables(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read("dynamath", write(tmp_path / "m-result.csv", content))
