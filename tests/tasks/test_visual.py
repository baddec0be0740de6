"""Section `visual` of a card: facts, caption, regions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError, UsageError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task


def extras(
    folder: Path, row: dict[str, Any], kind: str = "text", metric: str = "accuracy", **visual: str
) -> dict[str, Any]:
    (folder / "rows.jsonl").write_text(json.dumps({"question": "?", "answer": "x", **row}))
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "answer": {"kind": kind}, "visual": visual, "metrics": [metric],
    }  # fmt: skip
    task = Task.load(CardFile("t", Path("t.yaml"), raw)).open(DataOptions(folder))
    ((_, build),) = task.samples(AskStyle())
    return dict(build().extras)


def test_facts_captions_and_regions_are_read(tmp_path: Path) -> None:
    row = {
        "c": "A ball.",
        "f": [{"question": "Red?", "answer": "no"}, {"question": "Ball?", "answer": True}],
        "r": [[1, 2, 3, 4]],
    }
    assert extras(tmp_path, row, facts="f", caption="c", regions="r", coordinates="thousand") == {
        "facts": [{"question": "Red?", "answer": False}, {"question": "Ball?", "answer": True}],
        "caption": "A ball.",
        "regions": {"boxes": [[1.0, 2.0, 3.0, 4.0]], "space": "thousand"},
    }


def test_a_row_may_know_nothing(tmp_path: Path) -> None:
    row = {"c": None, "f": None, "r": None}
    assert extras(tmp_path, row, facts="f", caption="c", regions="r") == {}


@pytest.mark.parametrize(
    ("kind", "answer"), [("box", [1, 2, 30, 40]), ("point", {"box": [1, 2, 30, 40]}), ("boxes", [[1, 2, 30, 40]])]
)
def test_a_gold_box_is_the_region_of_a_grounding_item(tmp_path: Path, kind: str, answer: Any) -> None:
    assert extras(tmp_path, {"answer": answer}, kind, "accuracy" if kind == "point" else "mean")["regions"] == {
        "boxes": [[1.0, 2.0, 30.0, 40.0]],
        "space": "pixels",
    }


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"f": "no facts"}, "facts"),
        ({"f": [{"question": "Red?", "answer": "maybe"}]}, "facts"),
        ({"f": [1, 2]}, "regions"),
    ],
)
def test_cells_of_another_form_are_refused(tmp_path: Path, row: dict[str, Any], key: str) -> None:
    with pytest.raises(DataError, match=rf"rows.jsonl, row 1: visual.{key}"):
        extras(tmp_path, row, **{key: "f"})


def test_unknown_keys_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"visual.fact: unknown key \(did you mean facts"):
        extras(tmp_path, {}, fact="f")
    with pytest.raises(DataError, match=r"visual\.caption"):
        extras(tmp_path, {}, caption="nothere")
