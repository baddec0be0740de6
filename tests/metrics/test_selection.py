"""Votes, best-of-k and consistency against enumeration of all subsets."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import UsageError
from mmeval.metrics import estimate, get_metric
from mmeval.metrics.selection import best_of


def row(sample: str, repeat: int, right: bool | None, **more: Any) -> dict[str, Any]:
    scores = more.pop("scores", {})
    return {
        "sample_id": sample, "repeat": repeat, "cluster": sample, "outcome": "no_answer" if right is None else "scored",
        "score": float(right or 0), "correct": bool(right), "scores": scores, "extracted": None, "subsets": {}, **more,
    }  # fmt: skip


@given(answers=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6), data=st.data())
@settings(max_examples=100, deadline=None)
def test_best_of_k_is_the_mean_over_all_subsets(answers: list[tuple[int, bool]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(answers)))
    expected = []
    for subset in combinations(answers, k):
        top = max(score for score, _ in subset)
        expected.append(fmean(float(right) for score, right in subset if score == top))
    found = best_of([score for score, _ in answers], [float(right) for _, right in answers], k)
    assert found == pytest.approx(fmean(expected))
    rows = [row("a", i, right, scores={"reward": score}) for i, (score, right) in enumerate(answers)]
    assert estimate(f"best@{k}:reward", rows).value == pytest.approx(fmean(expected))


@given(answers=st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=7), data=st.data())
@settings(max_examples=60, deadline=None)
def test_votes_at_k_are_the_mean_over_all_subsets(answers: list[bool | None], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(answers)))
    expected = fmean(float(sum(bool(a) for a in subset) > k / 2) for subset in combinations(answers, k))
    rows = [row("a", i, right) for i, right in enumerate(answers)]
    assert estimate(f"vote@{k}", rows).value == pytest.approx(expected)
    assert estimate(f"vote@{len(answers)}", rows).value == estimate("vote", rows).value


@pytest.mark.parametrize("name", ["vote", "majority"])
def test_a_repeat_that_failed_is_no_vote_against(name: str) -> None:
    whole = [
        row("a", 0, True, extracted='"5"'),
        row("a", 1, True, extracted='"5"'),
        row("a", 2, False, extracted='"3"'),
    ]
    failed = [row("b", i, i == 0, extracted=f'"{i}"', outcome="error" if i == 2 else "scored") for i in range(3)]
    found = estimate(name, [*whole, *failed])
    assert (found.value, found.n, found.coverage) == (1.0, 1, 0.5)


def test_the_oracle_the_best_the_majority_and_a_single_answer_stand_side_by_side() -> None:
    rows = [
        row("a", 0, False, extracted='"3"', scores={"reward": 0.9}),
        row("a", 1, True, extracted='"5"', scores={"reward": 0.2}),
        row("a", 2, True, extracted='"5"', scores={"reward": 0.3}),
        row("b", 0, True, extracted='"1"', scores={"reward": 0.9}),
        row("b", 1, False, extracted='"2"', scores={"reward": -4.0}),
        row("b", 2, None, scores={"reward": -9.0}),
    ]
    values = {
        name: estimate(name, rows).value for name in ("accuracy", "pass@3", "best:reward", "majority", "majority@1")
    }
    assert values == {
        "accuracy": 0.5, "pass@3": 1.0, "best:reward": 0.5, "majority": pytest.approx(0.75), "majority@1": pytest.approx(0.5),
    }  # fmt: skip


def test_an_answer_without_a_score_is_never_the_worst() -> None:
    rows = [row("a", 0, True), row("a", 1, False, scores={"reward": 1.0}), row("b", 0, True, scores={"reward": 0.0})]
    found = estimate("best:reward", rows)
    assert (found.value, found.n, found.coverage) == (1.0, 1, pytest.approx(1 / 3))


def test_consistency_needs_an_answer_in_both_orders() -> None:
    pairs = {"p": (True, True), "q": (False, False), "r": (True, False), "s": (True, None)}
    rows = [
        row(f"{name}{i}", 0, right, subsets={"pair": name})
        for name, pair in pairs.items()
        for i, right in enumerate(pair)
    ]
    assert estimate("consistent:pair", rows).value == 0.5
    assert estimate("accuracy:answered", rows).value == pytest.approx(4 / 7)
    assert estimate("accuracy:answered", rows).coverage == pytest.approx(7 / 8)


def test_named_scores_of_answered_rows_alone() -> None:
    rows = [row("a", 0, True, scores={"first": 1.0}), row("b", 0, None)]
    assert estimate("mean:first", rows).value == 0.5
    assert estimate("mean:first:answered", rows).value == 1.0


@pytest.mark.parametrize("name", ["vote@0", "best@0:x", "best:", "consistent:", "majority@"])
def test_names_that_are_no_metric(name: str) -> None:
    with pytest.raises(UsageError):
        get_metric(name)


@pytest.mark.parametrize("nothing", [{}, {"scores": {"reward": math.nan}}, {"scores": {"reward": None}}])
def test_a_refusal_without_a_score_is_no_candidate(nothing: dict[str, Any]) -> None:
    rows = [
        row("a", 0, None, **nothing),
        row("a", 1, True, scores={"reward": -3.0}),
        row("a", 2, False, scores={"reward": -4.0}),
    ]
    found = estimate("best:reward", rows)
    assert (found.value, found.n) == (1.0, 1)
    unknown = [row("a", 0, True, **nothing), *rows[1:]]
    assert estimate("best:reward", unknown).n == 0
