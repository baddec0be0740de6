"""Several questions in one row, and options that a rule needs of each row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError, UsageError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

CARD: dict[str, Any] = {
    "name": "t", "family": "f", "title": "T",
    "dataset": {"local": {"files": ["*.jsonl"]}, "each": {"number": [1, 2]}},
    "fields": {"id": "= id ~ '.' ~ number", "question": "= row['q' ~ number]", "answer": "= row['a' ~ number]", "cluster": "id"},
    "answer": {"kind": "text", "row_options": {"match": "= 'contains' if number == 2 else 'exact'"}},
    "subsets": {"number": "number"},
}  # fmt: skip
ROWS = [{"id": n, "q1": f"first of {n}", "a1": "x", "q2": f"second of {n}", "a2": "y"} for n in ("r", "s")]


def opened(folder: Path, **dataset: Any) -> Any:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    raw = {**CARD, "dataset": {**CARD["dataset"], **dataset}}
    return Task.load(CardFile("t", folder / "t.yaml", raw)).open(DataOptions(folder))


def test_a_row_becomes_a_sample_per_value(tmp_path: Path) -> None:
    samples = [build() for _, build in opened(tmp_path).samples(AskStyle())]
    assert [sample.id for sample in samples] == ["r.1", "r.2", "s.1", "s.2"]
    assert [sample.target for sample in samples] == ["x", "y", "x", "y"]
    assert [sample.item["question"] for sample in samples][:2] == ["first of r", "second of r"]
    assert [sample.cluster for sample in samples] == ["r", "r", "s", "s"]
    assert [sample.context.options["match"] for sample in samples] == ["exact", "contains"] * 2
    assert [sample.subsets["number"] for sample in samples] == ["1", "2", "1", "2"]


def test_it_comes_before_where_and_multiplies_the_rows(tmp_path: Path) -> None:
    found = opened(tmp_path, where={"number": [2]})
    assert [build().id for _, build in found.samples(AskStyle())] == ["r.2", "s.2"]


def test_a_limit_takes_whole_rows_as_clusters(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    drawn = Task.load(CardFile("t", tmp_path / "t.yaml", CARD)).open(DataOptions(tmp_path, limit=2))
    assert len({build().cluster for _, build in drawn.samples(AskStyle())}) == 1


def test_a_column_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 1.*column 'q1', which dataset\.each would replace"):
        opened(tmp_path, each={"q1": [1]})


def test_one_column_only_and_expressions_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"dataset\.each"):
        opened(tmp_path, each={"a": [1], "b": [2]})
    raw = {**CARD, "answer": {"kind": "text", "row_options": {"match": "= number +"}}}
    with pytest.raises(UsageError, match=r"answer\.row_options\.match"):
        Task.load(CardFile("t", tmp_path / "t.yaml", raw))
