"""Protocol `scalar` on the command line: scores instead of answers, resumed from the cache, failures as failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

DATA = str(Path(__file__).parents[1] / "data")
COMMON = ("-t", "videorewardbench@scalar", "--data-dir", DATA, "--no-report", "--json")


def test_scores_decide_and_are_kept(mmeval: Callable) -> None:
    """By length, the first chosen answer loses and the second wins."""
    command = ("run", "-m", "fake", "--engine-arg", "score=length", *COMMON, "-o", "runs/r")
    first = mmeval(*command)
    assert (first.code, first.json["leaderboard"][0]["value"]) == (0, 0.5)
    again = mmeval("run", "-m", "fake", "--engine-arg", "score=length", *COMMON, "-o", "runs/again")
    assert (again.json["counts"]["asked"], again.json["leaderboard"][0]["value"]) == (0, 0.5)


def test_a_failed_score_is_an_error_row(mmeval: Callable) -> None:
    found = mmeval("run", "-m", "fake", "--engine-arg", "failure_share=1", "--attempts", "1", *COMMON, "-o", "runs/r")
    assert (found.code, found.json["leaderboard"][0]["value"]) == (6, None)


def test_a_baseline_without_scores_is_unsupported(mmeval: Callable) -> None:
    found = mmeval("run", "-m", "chance", *COMMON, "-o", "runs/r")
    assert found.json["leaderboard"][0]["outcomes"]["unsupported"] == 2
