"""Conditions through the command line, on the embedded model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmeval.conditions.base import SETS
from mmeval.runs.folder import open_run

pytestmark = pytest.mark.model


def test_a_run_answers_from_what_another_run_described(mmeval: Callable, tmp_path: object) -> None:
    common = ("-m", "tiny", "-t", "synthetic/attribute", "--limit", "4", "--no-report")
    first = mmeval("run", *common, "--condition", "two-hop", "-o", "runs/a")
    assert first.code == 0, first.err
    second = mmeval("run", *common, "--condition", "described-by:runs/a", "-o", "runs/b")
    assert second.code == 0, second.err
    own, other = (open_run(f"{tmp_path}/runs/{name}").results(["condition", "sample_id", "response"]) for name in "ab")
    assert set(other["condition"]) == {"described-by:tiny"}
    # The same model reads its own descriptions, so that both ways give the same answers.
    assert dict(zip(own["sample_id"], own["response"], strict=True)) == dict(
        zip(other["sample_id"], other["response"], strict=True)
    )
    missing = mmeval("run", *common, "--condition", "captioned-by:runs/a", "-o", "runs/c")
    assert missing.code == 2
    assert "no descriptions under condition caption" in missing.err
    assert mmeval("run", *common, "--condition", "described-by:runs/none", "-o", "runs/c").code == 2


def test_all_sets_run_and_what_does_not_apply_says_so(mmeval: Callable, tmp_path: object) -> None:
    chosen = [
        argument
        for name in ("shuffles", "regions", "captions", "hints", "formats")
        for argument in ("--condition", name)
    ]
    done = mmeval(
        "run",
        "-m",
        "tiny",
        "-t",
        "synthetic/attribute,synthetic/box",
        "--limit",
        "4",
        "--no-report",
        "-o",
        "runs/a",
        *chosen,
    )
    assert done.code == 0, done.err
    frame = open_run(f"{tmp_path}/runs/a").results(["task", "condition", "outcome", "error"])
    assert set(frame["condition"]) == {
        one for name in ("shuffles", "regions", "captions", "hints", "formats") for one in SETS[name]
    }
    assert set(frame["outcome"]) == {"scored", "no_answer", "unsupported"} & set(frame["outcome"])
    boxes = frame[frame["task"] == "synthetic/box"].groupby("condition")["error"].first()
    assert "would move" in boxes["crop"]
    assert "is the answer" in boxes["hint-boxes"]
    assert "no options" in boxes["as-open"]
