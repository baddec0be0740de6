from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from mmeval.stats.intervals import Interval, beta_interval, clopper_pearson, cluster_mean, mean_interval, wilson

TOY = [1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
TOY_CLUSTERS = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3]


def bounds(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_published(successes: int, n: int, expected: tuple[float, float]) -> None:
    assert bounds(wilson(successes, n)) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [(13, 16, (0.5435, 0.9595)), (0, 10, (0.0, 0.3085)), (10, 10, (0.6915, 1.0))],  # FLL 2017, chapter 2
)
def test_clopper_pearson_published(successes: int, n: int, expected: tuple[float, float]) -> None:
    assert bounds(clopper_pearson(successes, n)) == pytest.approx(expected, abs=6e-5)


def test_beta_intervals() -> None:
    # Closed forms of Beta(1, n + 1) and of the uniform prior itself.
    assert bounds(beta_interval(0, 10)) == pytest.approx((0.0, 1 - 0.025 ** (1 / 11)))
    assert bounds(beta_interval(10, 10)) == pytest.approx((0.025 ** (1 / 11), 1.0))
    assert bounds(beta_interval(0, 0)) == pytest.approx((0.025, 0.975))
    assert (beta_interval(3, 7).method, beta_interval(3, 7, prior=0.5).method) == ("beta-uniform", "beta-jeffreys")
    for prior in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="prior"):
            beta_interval(1, 2, prior=prior)


@given(n=st.integers(1, 300), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_jeffreys_interval_is_that_of_statsmodels_and_mirrors(n: int, share: float, level: float) -> None:
    successes = round(share * n)
    low, high = bounds(beta_interval(successes, n, level, prior=0.5))
    assert 0 <= low <= successes / n <= high <= 1
    if 0 < successes < n:
        assert (low, high) == pytest.approx(proportion_confint(successes, n, 1 - level, "jeffreys"), abs=1e-9)
    assert bounds(beta_interval(n - successes, n, level, prior=0.5)) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_cluster_mean_matches_statsmodels_cr1() -> None:
    found = cluster_mean(TOY, TOY_CLUSTERS)
    assert found.standard_error == pytest.approx(0.2343342728674771, abs=1e-12)
    assert (found.n, found.clusters) == (12, 4)
    half = 3.182446305284263 * 0.2343342728674771  # t quantile 0.975, 3 degrees of freedom
    assert bounds(found.interval) == pytest.approx((7 / 12 - half, 7 / 12 + half), abs=1e-9)


def test_clusters_of_one_are_the_ordinary_interval() -> None:
    values = [0.1, 0.4, 0.35, 0.9]
    plain, clustered = mean_interval(values), cluster_mean(values, ["a", "b", "c", "d"])
    assert clustered.standard_error == pytest.approx(plain.standard_error)
    assert plain.standard_error == pytest.approx(np.std(values, ddof=1) / 2)
    assert bounds(clustered.interval) == pytest.approx(bounds(plain.interval))


def test_copies_of_one_answer_do_not_shrink_the_error() -> None:
    single = cluster_mean([1, 0, 1, 1], [0, 1, 2, 3])
    copied = cluster_mean([1, 0, 1, 1] * 3, [0, 1, 2, 3] * 3)
    assert copied.standard_error == pytest.approx(single.standard_error)


def test_extremes_are_defined() -> None:
    assert wilson(0, 0) is None
    assert clopper_pearson(0, 0) is None
    assert bounds(wilson(0, 1))[0] == 0.0
    assert bounds(wilson(1, 1))[1] == 1.0
    assert bounds(clopper_pearson(1, 1)) == pytest.approx((0.025, 1.0))
    empty = mean_interval([])
    assert (empty.mean, empty.interval, empty.n) == (None, None, 0)
    assert cluster_mean([], []).mean is None
    one = mean_interval([0.3])
    assert (one.mean, one.standard_error, one.interval) == (0.3, None, None)
    same_cluster = cluster_mean([0.2, 0.4], ["x", "x"])
    assert same_cluster.mean == pytest.approx(0.3)
    assert same_cluster.interval is None
    assert bounds(mean_interval([0.1] * 7).interval) == (0.1, 0.1)
    assert bounds(cluster_mean([1.0] * 6, [0, 0, 1, 1, 2, 2]).interval) == (1.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: wilson(1, 2, level=1.0),
        lambda: clopper_pearson(1, -1),
        lambda: mean_interval([math.nan]),
        lambda: cluster_mean([1, 2], ["a"]),
        lambda: mean_interval([1, 2], level=0),
    ],
)
def test_bad_input_is_refused(call: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- every case has a message of its own
        call()  # type: ignore[operator]


@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_hold_the_estimate(successes: int, n: int, level: float) -> None:
    successes = min(successes, n)
    for method in (wilson, clopper_pearson):
        low, high = bounds(method(successes, n, level))
        assert 0 <= low <= successes / n <= high <= 1
        mirrored = bounds(method(n - successes, n, level))
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 5)), min_size=1, max_size=40), st.randoms())
def test_order_does_not_matter(rows: list[tuple[float, int]], shuffle: object) -> None:
    def run(data: list[tuple[float, int]]) -> tuple[float | None, float | None]:
        found = cluster_mean([value for value, _ in data], [label for _, label in data])
        return found.mean, found.standard_error

    mixed = list(rows)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    (mean, error), (mixed_mean, mixed_error) = run(rows), run(mixed)
    assert mixed_mean == pytest.approx(mean)
    assert (error is None) == (mixed_error is None)
    if error is not None:
        assert mixed_error == pytest.approx(error, rel=1e-6, abs=1e-6)


def test_clip() -> None:
    assert Interval(-0.2, 1.4, 0.95, "t").clip(0, 1) == Interval(0, 1, 0.95, "t")
