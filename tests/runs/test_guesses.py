"""Rows that an official rule would decide by chance: counted, bounded, never drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmeval.cli.summary import row_json
from mmeval.reports.terminal import decision_lines
from mmeval.runs.folder import open_run
from mmeval.runs.leaderboard import LeaderboardRow, leaderboard
from tests.analysis.conftest import make_run

__all__ = ["make_run"]


def rows(**more: Any) -> list[dict[str, Any]]:
    """Ten rows: six right, two wrong, two left to chance with four and two options."""
    made = [{"id": f"q{i}", "right": i < 6, **more} for i in range(8)]
    for i, share in ((8, 0.25), (9, 0.5)):
        scores = {"guessed": 1.0, "guess_share": share}
        made.append({"id": f"q{i}", "right": False, "outcome": "no_answer", "scores": scores, **more})
    return [{**row, "subsets": {"half": str(i % 2), "pair": f"p{i // 2}"}} for i, row in enumerate(made)]


def cells(run: str) -> dict[str, LeaderboardRow]:
    return {row.estimate.metric: row for row in leaderboard(open_run(run), all_metrics=True)}


def test_range_and_expectation(make_run: Callable[..., str]) -> None:
    metrics = ["accuracy", "macro:half", "all:pair", "robustness:pair", "mean"]
    found = cells(make_run("m", rows(), metrics=metrics))
    guessed = {name: row_json(row)["guessed"] for name, row in found.items()}
    assert guessed["accuracy"] == {"rows": 2, "low": 0.6, "high": 0.8, "expected": pytest.approx(0.675)}
    assert guessed["macro:half"] == {
        "rows": 2,
        "low": pytest.approx(0.6),
        "high": pytest.approx(0.8),
        "expected": pytest.approx(0.675),
    }
    # Pairs: three right, one wrong, one that both draws could win; a product has no simple mean.
    assert guessed["all:pair"] == {"rows": 2, "low": 0.6, "high": 0.8, "expected": None}
    for name in ("robustness:pair", "mean"):
        assert guessed[name] == {"rows": 2, "low": None, "high": None, "expected": None}


def test_what_people_read(make_run: Callable[..., str]) -> None:
    run = make_run("m", rows(), protocol="official")
    assert decision_lines(leaderboard(open_run(run))) == [
        "quiz@official, m: 2 rows left to chance by the official rule: 60.0 – 80.0, 67.5 expected"
    ]


def test_subsets_count_their_own(make_run: Callable[..., str]) -> None:
    run = make_run("m", rows(), subset_columns=["half"])
    parts = {row.subset: row.guesses for row in leaderboard(open_run(run), by_subset=True) if row.subset}
    assert parts["half", "0"] is not None
    assert (parts["half", "0"].rows, parts["half", "0"].high) == (1, 0.8)


def test_unknown_chances_have_no_expectation(make_run: Callable[..., str]) -> None:
    made = rows()
    made[-1]["scores"] = {"guessed": 1.0}
    row = cells(make_run("m", made))["accuracy"]
    assert row.guesses is not None
    assert (row.guesses.high, row.guesses.expected) == (0.8, None)


def test_forced_choices_are_counted(make_run: Callable[..., str]) -> None:
    made = [{"id": f"q{i}", "right": i < 3, "scores": {"fallback": float(i == 0)}} for i in range(4)]
    row = cells(make_run("m", made))["accuracy"]
    assert (row.guesses, row.fallbacks) == (None, 1)
    assert decision_lines([row]) == ["quiz, m: 1 row decided by the official rule without an answer"]


def test_nothing_to_tell(make_run: Callable[..., str]) -> None:
    row = cells(make_run("m", [{"id": "q", "right": True}]))["accuracy"]
    assert (row.guesses, row.fallbacks, decision_lines([row])) == (None, 0, [])
    assert row_json(row)["guessed"] is None
