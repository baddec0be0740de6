"""A verifier that chooses, on the command line: best-of-N beside the oracle, the majority and a single answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.engines.test_scores import reward_checkpoint

CARD = """\
name: sums
family: custom
title: Sums
dataset: {local: {files: [sums.jsonl]}}
fields: {id: id, question: question, answer: answer}
answer: {kind: number}
decoding: {temperature: 1.0, repeats: 3}
metrics: [accuracy, "pass@3", majority, "best:reward", "best@2:reward", "best:reward_mean"]
strategy: {name: rated, reward: {steps: true}}
protocols:
  guided: {strategy: {name: guided-greedy, turns: 2, candidates: 2, reward: {}}, metrics: [accuracy], decoding: {repeats: 1}}
"""


def prepared(folder: Path) -> tuple[str, ...]:
    (folder / "cards").mkdir()
    (folder / "cards/sums.yaml").write_text(CARD.replace("reward: {}", "reward: {steps: false}"), encoding="utf-8")
    rows = [{"id": str(n), "question": f"What is {n} + 1?", "answer": n + 1} for n in range(3)]
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return ("--task-path", "cards", "--data-dir", ".", "--no-report", "--json")


def values(found: Any) -> dict[str, Any]:
    return {cell["metric"]: cell["value"] for cell in found.json["leaderboard"]}


def test_best_of_n_stands_beside_the_oracle(mmeval: Callable, tmp_path: Path) -> None:
    command = ("run", "-m", "fake", "-t", "sums", *prepared(tmp_path), "--judge", "fake", "-o", "runs/r")
    found = mmeval(*command)
    assert found.code == 0, found.err
    table = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    assert len(table) == 9
    assert all("reward" in dict(cell) for cell in table["scores"])
    shown = values(found)
    assert shown["accuracy"] <= shown["pass@3"]
    assert shown["best:reward"] is not None
    calls = pd.read_parquet(tmp_path / "runs/r/calls.parquet")
    assert set(calls["role"]) == {"answer", "reward"}


def test_stored_ratings_are_scored_again_without_the_verifier(mmeval: Callable, tmp_path: Path) -> None:
    common = prepared(tmp_path)
    assert mmeval("run", "-m", "fake", "-t", "sums", *common, "--judge", "fake", "-o", "runs/r").code == 0
    place = tmp_path / "runs/r/run.json"
    manifest = json.loads(place.read_text(encoding="utf-8"))
    manifest["config"] |= {"judge": "openai:gone", "judge_base_urls": ["http://127.0.0.1:9/v1"]}
    place.write_text(json.dumps(manifest), encoding="utf-8")
    found = mmeval("score", "runs/r", "-o", "runs/s", "--task-path", "cards", "--json")
    assert found.code == 0, found.err
    assert "rules alone" not in found.err
    before, after = (pd.read_parquet(tmp_path / f"runs/{name}/results.parquet")["scores"] for name in "rs")
    assert list(map(dict, before)) == list(map(dict, after))
    scored = json.loads((tmp_path / "runs/s/run.json").read_text(encoding="utf-8"))
    assert scored["tasks"][0]["judge"] == manifest["tasks"][0]["judge"] is not None
    assert scored["tasks"][0]["score_digest"] == manifest["tasks"][0]["score_digest"]


def test_without_a_verifier_the_run_is_refused(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "fake", "-t", "sums", *prepared(tmp_path), "-o", "runs/r")
    assert (found.code, "--judge" in found.err) == (2, True)


def test_a_verifier_that_fails_leaves_error_rows_and_no_choice(mmeval: Callable, tmp_path: Path) -> None:
    command = (
        "run",
        "-m",
        "fake",
        "-t",
        "sums",
        *prepared(tmp_path),
        "--judge",
        "fake",
        "--attempts",
        "1",
        "-o",
        "runs/r",
    )
    found = mmeval(*command, "--judge-engine-arg", "failure_share=1")
    assert found.code == 6
    assert values(found)["best:reward"] is None
    again = mmeval(*command[:-1], "runs/again")
    assert again.code == 0
    assert values(again)["best:reward"] is not None


def test_guided_search_asks_by_turns(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "fake", "-t", "sums@guided", *prepared(tmp_path), "--judge", "fake", "-o", "runs/r")
    assert found.code == 0, found.err
    calls = pd.read_parquet(tmp_path / "runs/r/calls.parquet")
    assert {"step", "reward"} == set(calls["role"])


@pytest.mark.model
def test_model_and_verifier_on_one_card_take_turns(mmeval: Callable, tmp_path: Path) -> None:
    """Both would fill the card: all answers first, then all ratings; a search that needs both is refused."""
    reward_checkpoint(tmp_path / "rm", 1)
    common = ("--judge", "hf:rm", *prepared(tmp_path))
    found = mmeval("run", "-m", "tiny", "-t", "sums", *common, "-o", "runs/r")
    assert found.code == 0, found.err
    table = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    rated = [dict(cell).get("reward") for cell, text in zip(table["scores"], table["response"], strict=True) if text]
    assert len(table) == 9
    assert rated
    assert None not in rated
    refused = mmeval("run", "-m", "tiny", "-t", "sums@guided", *common, "-o", "runs/g")
    assert (refused.code, "by turns" in refused.err) == (2, True)
