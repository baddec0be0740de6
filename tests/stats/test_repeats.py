from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.stats.repeats import majority_at_k, pass_hat_k, share, stability, variance_components
from mmeval.stats.sampling import pass_at_k

BINARY_ITEMS = st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=0, max_size=6), max_size=12)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40))
def test_pass_hat_k_is_the_binomial_formula(n: int, c: int, k: int) -> None:
    c, k = min(c, n), min(k, n)
    assert pass_hat_k(n, c, k) == pytest.approx(math.comb(c, k) / math.comb(n, k), abs=1e-12)
    assert pass_hat_k(n, c, k) <= pass_at_k(n, c, k) + 1e-12


@pytest.mark.parametrize("arguments", [(3, 1, 4), (3, 4, 2), (3, -1, 2), (3, 1, 0)])
def test_pass_hat_k_refuses(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"pass\^"):
        pass_hat_k(*arguments)


def _by_enumeration(answers: list[str | None], right: set[str], k: int) -> float:
    won = []
    for subset in combinations(answers, k):
        votes = {answer: subset.count(answer) for answer in subset if answer is not None}
        leading = [answer for answer, count in votes.items() if count == max(votes.values())]
        won.append(sum(answer in right for answer in leading) / len(leading) if leading else 0.0)
    return sum(won) / len(won)


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=8),
    st.sets(st.sampled_from(["a", "b"])),
    st.integers(1, 8),
)
def test_majority_is_the_mean_over_all_subsets(answers: list[str | None], right: set[str], k: int) -> None:
    k = min(k, len(answers))
    correct = [answer in right for answer in answers]
    assert majority_at_k(answers, correct, k) == pytest.approx(_by_enumeration(answers, right, k), abs=1e-12)


def test_majority_of_many_answers_is_fast_and_exact() -> None:
    answers = ["right"] * 40 + [f"wrong {i}" for i in range(24)]
    correct = [answer == "right" for answer in answers]
    assert majority_at_k(answers, correct, 64) == 1.0
    assert majority_at_k(answers, correct, 1) == pytest.approx(40 / 64)
    assert 40 / 64 < majority_at_k(answers, correct, 8) < 1.0
    assert majority_at_k(["a"] * 60 + ["b"] * 60, [True] * 60 + [False] * 60, 61) == pytest.approx(0.5)


def test_majority_refuses() -> None:
    with pytest.raises(ValueError, match="both right and wrong"):
        majority_at_k(["a", "a"], [True, False], 1)
    with pytest.raises(ValueError, match="maj@3"):
        majority_at_k(["a"], [True], 3)
    with pytest.raises(ValueError, match="verdicts"):
        majority_at_k(["a"], [], 1)


def test_variance_components_recover_planted_variances() -> None:
    generator = np.random.default_rng(5)
    sizes = generator.integers(2, 7, size=4_000)
    scores = [float(generator.normal(0, 2)) + generator.normal(0, 1, size=size) for size in sizes]
    found = variance_components([item.tolist() for item in scores])
    assert found.between == pytest.approx(4.0, rel=0.1)
    assert found.within == pytest.approx(1.0, rel=0.1)
    assert found.icc1 == pytest.approx(0.8, abs=0.02)
    assert found.sampling_share == pytest.approx(float(np.mean(1 / sizes)) / (4 + float(np.mean(1 / sizes))), rel=0.1)


def test_identical_repeats_do_not_shrink_the_standard_error() -> None:
    once = variance_components([[1.0], [0.0], [1.0], [1.0]])
    thrice = variance_components([[1.0] * 3, [0.0] * 3, [1.0] * 3, [1.0] * 3])
    assert thrice.standard_error == once.standard_error == pytest.approx(0.25)
    assert thrice.sampling_share == 0.0
    assert thrice.icc1 == 1.0
    assert once.sampling_share is None
    assert "noise unknown" in once.note


def test_required_repeats_is_the_smallest_that_suffices() -> None:
    found = variance_components([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 1]])
    assert found.sampling_share == pytest.approx(0.15 / 0.675)
    assert found.standard_error is not None
    repeats = found.required_repeats(found.standard_error)
    assert repeats == 4
    target = 0.17
    needed = found.required_repeats(target)
    assert needed is not None
    assert needed > 1
    at, before = found.standard_error_at(needed), found.standard_error_at(needed - 1)
    assert at is not None
    assert before is not None
    assert at <= target < before
    assert found.required_repeats(found.standard_error / 2) is None
    with pytest.raises(ValueError, match="positive"):
        found.required_repeats(0.0)


def test_rerun_standard_deviation_is_the_spread_of_two_runs_of_one_model() -> None:
    generator = np.random.default_rng(3)
    ability = generator.random(500)
    runs = (generator.random((400, 500)) < ability).astype(float)
    found = variance_components(runs[:30].T.tolist())
    differences = runs[:200].mean(axis=1) - runs[200:].mean(axis=1)
    assert found.rerun_standard_deviation() == pytest.approx(float(differences.std()), rel=0.15)


@given(BINARY_ITEMS)
def test_variance_components_of_any_table_are_finite(scores: list[list[float]]) -> None:
    found = variance_components(scores)
    for value in (found.between, found.within, found.icc1, found.standard_error, found.sampling_share, found.mean):
        assert value is None or math.isfinite(value)
    assert found.sampling_share is None or 0 <= found.sampling_share <= 1


def test_variance_components_refuse_nan() -> None:
    with pytest.raises(ValueError, match="finite"):
        variance_components([[math.nan]])


def test_stability_counts_flips_between_repeats() -> None:
    found = stability([["a", "a"], ["a", "b"], ["b", "b"], ["c"]])
    assert found.items == 3
    assert found.flip_rate.estimate == pytest.approx(1 / 3)
    assert found.consistency.estimate == pytest.approx(2 / 3)
    assert "1 items" in found.note
    assert stability([[True, True, False]]).flip_rate.estimate == pytest.approx(2 / 3)


def test_stability_without_repeats_says_nothing() -> None:
    found = stability([["a"], []])
    assert found.flip_rate.estimate is None
    assert found.flip_rate.interval is None
    assert found.repeats is None


def test_share_never_collapses() -> None:
    perfect = share([1.0] * 30).interval
    assert perfect is not None
    assert perfect.low == pytest.approx(30 / (30 + 1.959964**2), abs=1e-6)
    by_cluster = share([0.5, 0.5, 0.5, 0.5], ["x", "x", "y", "y"])
    assert by_cluster.clusters == 2
    assert by_cluster.interval is not None
    assert by_cluster.interval.high - by_cluster.interval.low > 0.5
    one = share([0.0, 1.0], ["x", "x"]).interval
    assert one is not None
    assert (one.low, one.high) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        share([1.5])


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), max_size=12), st.booleans())
def test_share_is_always_inside_the_range(rows: list[tuple[float, int]], clustered: bool) -> None:
    found = share([value for value, _ in rows], [label for _, label in rows] if clustered else None)
    assert (found.estimate is None) == (not rows)
    if found.interval is not None and found.estimate is not None:
        assert 0 <= found.interval.low <= found.estimate + 1e-12
        assert found.estimate - 1e-12 <= found.interval.high <= 1
