"""Permuted gold answers change scores and nothing that was read: in a run, and in scoring a run again."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Result

KINDS: dict[str, tuple[list[str], list[str]]] = {
    "choice": (["A", "B", "C", "B"], ["The answer is (B).", "<think>A?</think><answer>A</answer>", "either A or B", "C, as I said"]),
    "number": (["3", "4.5", "10", "7"], ["There are 3.", "\\boxed{7}", "4 or 5", "I cannot see it."]),
    "text": (["red", "a cat", "Rome", "blue"], ["The answer is red.", "The answer is Rome.", "", "a cat"]),
}  # fmt: skip
"""Kind of answer -> gold answers, and what a model says."""


def rows_of(run: Path) -> dict[str, tuple[Any, ...]]:
    found = pq.read_table(run / "results.parquet").to_pylist()
    return {row["sample_id"]: (row["extracted"], row["extracted_span"], row["outcome"] == "no_answer") for row in found}


def scores_of(run: Path) -> list[float]:
    return [row["score"] for row in pq.read_table(run / "results.parquet").to_pylist()]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_stays(kind: str, mmeval: Callable[..., Result], tmp_path: Path) -> None:
    golds, answers = KINDS[kind]
    for name, order in (("true", golds), ("permuted", [golds[-1], *golds[:-1]])):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "data.csv").open("w", encoding="utf-8", newline="") as handle:
            columns = ["id", "question", "answer", *("ABC" if kind == "choice" else "")]
            writer = csv.DictWriter(handle, columns)
            writer.writeheader()
            for number, gold in enumerate(order):
                row = {"id": f"q{number}", "question": f"Which, {number}?", "answer": gold}
                writer.writerow(row | ({"A": "one", "B": "two", "C": "three"} if kind == "choice" else {}))
    said = [{"id": f"q{number}", "response": answer} for number, answer in enumerate(answers)]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said), encoding="utf-8")
    for name in ("true", "permuted"):
        done = mmeval(
            "run", "-m", "replay:said.jsonl", "-t", f"file:{name}/data.csv", "--answer-kind", kind, "-o", f"runs/{name}", "--no-report",
        )  # fmt: skip
        assert done.code == 0, done.err
    runs = tmp_path / "runs"
    assert rows_of(runs / "true") == rows_of(runs / "permuted")
    assert any(value is not None for value, _, _ in rows_of(runs / "true").values())
    assert scores_of(runs / "true") != scores_of(runs / "permuted")

    changed = runs / "changed"
    shutil.copytree(runs / "true", changed)
    table = pq.read_table(changed / "samples.parquet")
    targets = [orjson.dumps(gold).decode() for gold in (golds[-1], *golds[:-1])]
    place = table.schema.get_field_index("target")
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array(targets)), changed / "samples.parquet")
    done = mmeval("score", "runs/changed", "-o", "runs/again", "--no-report")
    assert done.code == 0, done.err
    assert rows_of(runs / "again") == rows_of(runs / "true")
    assert scores_of(runs / "again") == scores_of(runs / "permuted")
