from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmeval.stats.clustered import cluster_difference
from mmeval.stats.comparison import MINIMUM_CLUSTERS
from mmeval.stats.equivalence import equivalence_test, non_inferiority_test, one_sided_test, score_test
from mmeval.stats.paired import PairedTable, tango_interval
from mmeval.stats.permutation import sign_flip

counts = st.integers(0, 300)
tables = st.builds(PairedTable, counts, counts, counts, counts)


def outcomes(table: PairedTable) -> tuple[list[int], list[int]]:
    pairs = [(1, 1)] * table.both_right + [(1, 0)] * table.losses + [(0, 1)] * table.gains + [(0, 0)] * table.both_wrong
    return [first for first, _ in pairs], [second for _, second in pairs]


@settings(deadline=None)
@given(tables, st.floats(0.001, 0.5), st.sampled_from([0.01, 0.05, 0.1]))
def test_rejects_where_the_score_limit_clears_the_margin(table: PairedTable, margin: float, alpha: float) -> None:
    assume(table.n > 0)
    interval = tango_interval(table, 1 - 2 * alpha)
    assert interval is not None
    p_value = score_test(table, -margin).p_value
    assert 0 <= p_value <= 1
    if abs(p_value - alpha) > 1e-6:
        assert (interval.low > -margin) == (p_value < alpha)


@settings(deadline=None)
@given(tables, st.floats(0, 0.5), st.floats(0.001, 0.4))
def test_wider_margins_are_easier(table: PairedTable, margin: float, step: float) -> None:
    assume(table.n > 0)
    assert score_test(table, -margin - step).p_value <= score_test(table, -margin).p_value + 1e-12


@settings(deadline=None)
@given(tables, st.floats(-0.5, 0.5))
def test_the_arms_and_directions_can_be_exchanged(table: PairedTable, bound: float) -> None:
    assume(table.n > 0)
    greater = score_test(table, bound, "greater").p_value
    assert greater == pytest.approx(score_test(table.swapped(), -bound, "less").p_value, abs=1e-9)
    assert greater + score_test(table, bound, "less").p_value == pytest.approx(1, abs=1e-9)


def test_independent_binary_scores_take_the_score_test() -> None:
    table = PairedTable(60, 5, 7, 28)
    assert non_inferiority_test(*outcomes(table), 0.05) == score_test(table, -0.05)
    assert one_sided_test(*outcomes(table), 0.0, "less") == score_test(table, 0.0, "less")


def test_equivalence_is_the_weaker_of_two_one_sided_tests() -> None:
    table = PairedTable(400, 12, 20, 68)
    above, below = score_test(table, -0.04, "greater"), score_test(table, 0.04, "less")
    result = equivalence_test(*outcomes(table), 0.04)
    assert result.p_value == max(above.p_value, below.p_value) == below.p_value
    assert result.method == "tost-tango-less"


def test_tost_of_means_is_statsmodels() -> None:
    from statsmodels.stats.weightstats import ttost_paired

    generator = np.random.default_rng(1)
    baseline = generator.normal(size=50)
    candidate = baseline + generator.normal(0.02, 0.2, size=50)
    expected, (_, above, _), (_, below, _) = ttost_paired(candidate, baseline, -0.1, 0.1)
    assert equivalence_test(baseline, candidate, 0.1).p_value == pytest.approx(expected, rel=1e-9)
    assert one_sided_test(baseline, candidate, -0.1, "greater").p_value == pytest.approx(above, rel=1e-9)
    assert one_sided_test(baseline, candidate, 0.1, "less").p_value == pytest.approx(below, rel=1e-9)


def test_clusters_take_t_or_sign_flips() -> None:
    generator = np.random.default_rng(2)
    labels = np.repeat(np.arange(40), 5)
    shared = generator.normal(size=40)[labels]
    baseline, candidate = ((shared + generator.normal(size=200) > 0).astype(int) for _ in range(2))
    result = non_inferiority_test(baseline, candidate, 0.08, labels)
    by_t = cluster_difference(baseline, candidate, labels, level=0.9)
    assert result.method == "cr1-t-greater"
    assert result.clusters == 40
    assert by_t.standard_error
    assert by_t.interval
    assert result.statistic == pytest.approx((by_t.estimate + 0.08) / by_t.standard_error)
    assert (result.p_value < 0.05) == (by_t.interval.low > -0.08)
    few = labels < MINIMUM_CLUSTERS - 15
    flipped = non_inferiority_test(baseline[few], candidate[few], 0.08, labels[few])
    assert flipped.method == "sign-flip-exact-greater"
    shifted = candidate[few] - baseline[few] + 0.08
    two_sided = sign_flip(shifted, labels[few]).p_value
    assert flipped.p_value == pytest.approx(two_sided / 2 if shifted.sum() > 0 else 1 - two_sided / 2, abs=0.01)


def test_identical_runs_are_as_certain_as_they_are_many() -> None:
    right = [1, 0] * 200
    assert non_inferiority_test(right, right, 0.02).p_value < 0.01
    repeated = non_inferiority_test(right, right, 0.02, [i // 40 for i in range(400)])
    assert repeated.method == "tango-greater-clusters"
    assert repeated.p_value > 0.2  # ten clusters, not four hundred items
    assert (repeated.n, repeated.clusters) == (400, 10)
    continuous = non_inferiority_test([0.3] * 8, [0.3] * 8, 0.1)
    assert continuous.p_value == 2**-8
    assert continuous.method == "sign-flip-exact-greater"
    assert equivalence_test([0.3], [0.3], 0.1).p_value == 0.5


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=30),
    st.sampled_from([1, 2]),
    st.floats(0, 0.5),
)
def test_every_pair_of_runs_has_a_p_value(rows: list[tuple[int, int, int]], scale: int, margin: float) -> None:
    baseline, candidate = ([min(row[side], scale) / scale for row in rows] for side in (0, 1))
    for labels in (None, [row[2] for row in rows]):
        for test in (non_inferiority_test, equivalence_test):
            result = test(baseline, candidate, margin, labels, resamples=99)
            assert 0 <= result.p_value <= 1
            assert result.statistic is None or math.isfinite(result.statistic)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="margin must be"):
        non_inferiority_test([1], [1], -0.1)
    with pytest.raises(ValueError, match="margin must be"):
        equivalence_test([1], [1], math.nan)
    with pytest.raises(ValueError, match="no items"):
        score_test(PairedTable(0, 0, 0, 0), -0.1)
    with pytest.raises(ValueError, match="greater or less"):
        one_sided_test([1], [1], 0.0, "two-sided")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bound must be finite"):
        one_sided_test([1], [1], math.inf)
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        non_inferiority_test([1, 0], [1, 1], 1.5)
