"""Rows at fault, from the data file to the results table, through the real command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

CARD = """\
name: own
family: custom
title: Own
dataset: {local: {files: ["own.jsonl"]}}
fields: {id: id, images: [image], choices: options, answer: answer}
answer: {kind: choice, target: letter}
subsets: {kind: kind}
"""


def good(name: str, **columns: Any) -> dict[str, Any]:
    return {
        "id": name, "question": f"Which, {name}?", "options": ["red", "blue"], "answer": "A", "image": None, "kind": "k",
        **columns,
    }  # fmt: skip


@pytest.fixture
def run(mmeval: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Write the rows and run the fake engine over them."""
    (tmp_path / "own.yaml").write_text(CARD)
    (tmp_path / "data").mkdir()

    def start(rows: list[dict[str, Any]], *arguments: str, name: str = "r") -> Any:
        (tmp_path / "data/own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        common = ("--task-path", ".", "--data-dir", "data", "-o", name, "--no-report", "--json")
        return mmeval("run", "-m", "fake", "-t", "own", *common, *arguments)

    return start


def table(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["sample_id"]: row for row in pq.read_table(folder / "results.parquet").to_pylist()}


def test_rows_at_fault_become_error_rows_and_the_rest_is_scored(run: Callable[..., Any], tmp_path: Path) -> None:
    rows = [
        good("a", image=5), good("b"), good("b", question="Another?"), good("c", answer="Z"), good("d", id=None),
        *(good(f"x{number}") for number in range(5)),
    ]  # fmt: skip
    found = run(rows)
    assert found.code == 6, found.err
    written = table(tmp_path / "r")
    failed = {name: row["error"] for name, row in written.items() if row["outcome"] == "error"}
    assert sorted(failed) == ["a", "b (again, row 3)", "c", "row 5 (no id)"]
    assert all(row["status"] == "error" and row["response"] is None for row in written.values() if row["error"])
    for name, (row, said) in {
        "a": (1, "column image: a cell of type int is no image -> name the right column"),
        "b (again, row 3)": (3, "id 'b' is there twice, row 2 has it already -> correct the data set"),
        "c": (4, "answer 'Z' is no letter of the 2 choices -> check the card's answer.target"),
        "row 5 (no id)": (5, "column 'id' is null (the card names it in fields.id) -> correct the row"),
    }.items():
        assert f"own.jsonl, row {row}" in failed[name]
        assert said in failed[name]
    assert found.json["leaderboard"][0]["n"] == 6
    limited = run(rows, "--limit", "6", name="limited")
    assert limited.code in (0, 6), limited.err
    some = table(tmp_path / "limited")
    assert len(some) == 6
    assert {name: row["item_hash"] for name, row in some.items()} == {name: written[name]["item_hash"] for name in some}


def test_rows_without_gold_are_said_to_be_beyond_scoring(run: Callable[..., Any], tmp_path: Path) -> None:
    found = run([good("a"), good("b", answer=None), good("c", answer="")])
    assert found.code == 6
    assert "2×: no gold answer in 'answer' (fields.answer) of own.jsonl" in found.err
    assert {name: row["outcome"] for name, row in table(tmp_path / "r").items()} == {
        "a": "scored",
        "b": "unscored",
        "c": "unscored",
    }


@pytest.mark.parametrize("limit", [(), ("--limit", "2")])
def test_a_subset_column_that_is_not_there_is_refused_up_front(
    run: Callable[..., Any], tmp_path: Path, limit: tuple[str, ...]
) -> None:
    (tmp_path / "own.yaml").write_text(CARD.replace("kind: kind}", "kind: knid}"))
    found = run([good(name) for name in "abcd"], *limit)
    assert found.code == 2
    assert "own.jsonl, row 1: column 'knid' is missing (the card names it in subsets.kind)" in found.err
    assert "did you mean kind" in found.err
    assert "answer, id, image, kind, options, question" in found.err


ROWS = [good("a"), good("b", options="what?"), good("c")]


def test_a_bad_row_stops_neither_the_blind_baseline_nor_a_dry_run(
    run: Callable[..., Any], mmeval: Callable[..., Any]
) -> None:
    asked = run(ROWS)
    assert asked.code == 6
    assert "1 row cannot be scored as it stands; asking again does not help" in asked.err
    common = ("-t", "own", "--task-path", ".", "--data-dir", "data")
    blind = mmeval("run", "-m", "chance:most-frequent", *common, "-o", "blind", "--no-report", "--json")
    assert blind.code == 6
    assert blind.json["counts"]["scored"] == 2
    shown = mmeval("run", "-m", "fake", *common, "--dry-run")
    assert shown.code == 0
    assert "2 samples" in shown.out or "3 samples" in shown.out


def test_a_bad_row_is_left_out_of_an_import_and_named(
    run: Callable[..., Any], mmeval: Callable[..., Any], tmp_path: Path
) -> None:
    run(ROWS)
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"id": name, "response": "A"}) + "\n" for name in "ac"))
    done = mmeval(
        "import", "jsonl", "p.jsonl", "-t", "own", "--task-path", ".", "--data-dir", "data", "--model", "m", "-o", "i",
        "--no-report",
    )  # fmt: skip
    assert done.code in (0, 6), done.err
    notes = json.loads((tmp_path / "i" / "run.json").read_text())["notes"]
    assert any("1 rows of the data set are left out: b" in note for note in notes)
