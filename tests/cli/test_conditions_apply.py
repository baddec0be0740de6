"""Which items a condition applies to, and which runs compare when their sets of conditions differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mmeval.runs.folder import open_run


def test_items_without_a_picture_are_not_asked_without_it(mmeval: Callable, tmp_path: Path) -> None:
    (tmp_path / "text.jsonl").write_text(
        "".join(
            json.dumps({"id": str(one), "question": f"{one}+1?", "answer": str(one + 1)}) + "\n" for one in range(4)
        )
    )
    done = mmeval(
        "run", "-m", "fake", "--engine-arg", "answer=2", "-t", "file:text.jsonl", "--condition", "diagnose",
        "--condition", "dependency", "--condition", "caption", "-o", "runs/r", "--no-report",
    )  # fmt: skip
    assert done.code == 0, done.err
    frame = open_run(str(tmp_path / "runs/r")).results(["condition", "outcome", "error"])
    fates = {name: set(group["outcome"]) for name, group in frame.groupby("condition")}
    assert fates.pop("standard") <= {"scored", "no_answer"}
    assert all(outcomes == {"unsupported"} for outcomes in fates.values()), fates
    assert "no picture" in set(frame[frame["condition"] == "blind"]["error"]).pop()
    told = mmeval("diagnose", "runs/r", "--json")
    assert told.code == 0, told.err
    assert {one["analysis"] for one in told.json["findings"]} == {"no-answer", "texts"}
    missing = "\n".join(told.json["missing"])
    assert "4 of 4 answers left out: the item has no picture" in missing
    assert "no perception labels" in missing


def test_runs_with_other_sets_of_conditions_compare_on_the_common_ones(mmeval: Callable) -> None:
    common = ("run", "-m", "fake", "-t", "synthetic/count", "--limit", "12", "--no-report")
    for name, answer, more in (
        ("plain", "2", ()),
        ("more", "3", ("--condition", "standard", "--condition", "blind")),
        ("warm", "3", ("--condition", "standard", "--condition", "blind", "--sampling", "temperature=0.5")),
    ):
        done = mmeval(*common, "--engine-arg", f"answer={answer}", *more, "-o", f"runs/{name}")
        assert done.code == 0, done.err
    refused = mmeval("compare", "runs/plain", "runs/more")
    assert refused.code == 5
    assert "has no rows under condition blind" in refused.err
    found = mmeval("compare", "runs/plain", "runs/more", "--allow-missing", "--json")
    assert found.code == 0, found.err
    assert "blind" not in found.out
    assert mmeval("compare", "runs/plain", "runs/warm", "--allow-missing").code == 5
    told = mmeval("diagnose", "runs/more", "--against", "runs/plain", "--json")
    assert told.code == 0, told.err
    assert [one["condition"] for one in told.json["findings"] if one["analysis"] == "answers"] == ["standard"]
    assert any("lacks condition blind" in text for text in told.json["missing"])
    assert mmeval("diagnose", "runs/warm", "--against", "runs/plain").code == 5


def test_a_model_looks_again_at_the_region_that_it_names(mmeval: Callable, tmp_path: Path) -> None:
    done = mmeval(
        "run", "-m", "fake", "--engine-arg", "answer=[5, 5, 60, 60]", "-t", "synthetic/count,synthetic/box", "--limit", "3",
        "--condition", "standard", "--condition", "crop-own", "-o", "runs/r", "--no-report",
    )  # fmt: skip
    assert done.code == 0, done.err
    frame = open_run(str(tmp_path / "runs/r")).results(["task", "condition", "outcome", "error"])
    boxes = frame[(frame["task"] == "synthetic/box") & (frame["condition"] == "crop-own")]
    assert set(boxes["outcome"]) == {"unsupported"}
    assert "would move" in boxes["error"].iloc[0]
    calls = pd.read_parquet(tmp_path / "runs/r/calls.parquet")
    assert len(calls) >= 4
    assert list(calls["role"]) == ["box", "answer"] * (len(calls) // 2)
    steps = [json.loads(step) for step in calls[calls["role"] == "box"]["step"]]
    assert all(step["region"][:2] == [5.0, 5.0] for step in steps)


def test_a_run_without_the_standard_condition_says_what_it_lacks(mmeval: Callable) -> None:
    common = ("run", "-m", "fake", "-t", "synthetic/count", "--limit", "4", "--condition", "blind")
    assert mmeval(*common, "-o", "runs/r", "--no-report").code == 0
    told = mmeval("diagnose", "runs/r")
    assert told.code == 2
    assert "add --condition standard" in told.err
