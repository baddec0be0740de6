from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.clustered import (
    ClusteredPairs,
    cluster_difference,
    durkalski,
    obuchowski,
    two_way_difference,
    yang,
)
from mmeval.stats.comparison import MINIMUM_CLUSTERS, PairedComparison, compare_paired
from mmeval.stats.paired import PairedTable, mcnemar_asymptotic, mcnemar_mid_p, tango_interval
from mmeval.stats.permutation import SignFlips, even_sign_flip, sign_flip, sign_flip_interval

Bits = npt.NDArray[np.int64]
TESTS = (obuchowski, durkalski, yang)


@st.composite
def clustered_outcomes(draw: st.DrawFn, most: int = 60) -> tuple[Bits, Bits, Bits]:
    n = draw(st.integers(1, most))
    bits = st.lists(st.integers(0, 1), min_size=n, max_size=n)
    labels = st.lists(st.integers(0, draw(st.integers(0, n))), min_size=n, max_size=n)
    return np.array(draw(bits)), np.array(draw(bits)), np.array(draw(labels))


def correlated(clusters: int, size: int, seed: int, gain: float = 0.0) -> tuple[Bits, Bits, Bits]:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(clusters), size)
    shared = generator.normal(size=clusters)[labels]
    baseline = (shared + generator.normal(size=labels.size) > 0).astype(np.int64)
    candidate = (shared + generator.normal(size=labels.size) + gain > 0).astype(np.int64)
    return baseline, candidate, labels


def check_legal(comparison: PairedComparison) -> None:
    difference = comparison.difference
    assert math.isfinite(difference.estimate)
    assert difference.p_value is not None
    assert 0 <= difference.p_value <= 1
    assert difference.method
    if difference.interval is None:
        assert difference.note
    else:
        assert difference.interval.low < difference.interval.high
        assert difference.interval.low <= difference.estimate <= difference.interval.high
    for other in comparison.others:
        assert 0 <= other.p_value <= 1


@settings(deadline=None, max_examples=60)
@given(clustered_outcomes())
def test_every_pair_of_runs_has_a_comparison(data: tuple[Bits, Bits, Bits]) -> None:
    baseline, candidate, labels = data
    for clusters in (labels, None):
        check_legal(compare_paired(baseline, candidate, clusters, resamples=199))
        check_legal(compare_paired(baseline / 3 + labels / 9, candidate / 3, clusters, resamples=199))


@settings(deadline=None, max_examples=60)
@given(clustered_outcomes())
def test_the_arms_can_be_exchanged(data: tuple[Bits, Bits, Bits]) -> None:
    baseline, candidate, labels = data
    one = compare_paired(baseline, candidate, labels, resamples=199).difference
    other = compare_paired(candidate, baseline, labels, resamples=199).difference
    assert one.estimate == pytest.approx(-other.estimate, abs=1e-12)
    assert one.p_value == pytest.approx(other.p_value, abs=1e-12)
    if one.interval is not None and other.interval is not None:
        assert (one.interval.low, one.interval.high) == pytest.approx(
            (-other.interval.high, -other.interval.low), abs=1e-7
        )
    forth, back = (
        ClusteredPairs.from_outcomes(*sides, labels) for sides in ((baseline, candidate), (candidate, baseline))
    )
    for test in TESTS:
        assert test(forth).p_value == pytest.approx(test(back).p_value, abs=1e-12)
        assert 0 <= test(forth).p_value <= 1


@settings(deadline=None, max_examples=40)
@given(clustered_outcomes(), st.randoms(use_true_random=False))
def test_the_order_of_items_changes_nothing(data: tuple[Bits, Bits, Bits], random: object) -> None:
    baseline, candidate, labels = data
    order = np.random.default_rng(getattr(random, "randint")(0, 2**31)).permutation(baseline.size)  # noqa: B009
    names = np.array([f"image-{label}" for label in labels])
    one = compare_paired(baseline, candidate, names, resamples=199).difference
    other = compare_paired(baseline[order], candidate[order], names[order], resamples=199).difference
    assert one.method == other.method
    assert one.p_value == pytest.approx(other.p_value, abs=1e-9)
    assert one.standard_error == pytest.approx(other.standard_error, abs=1e-12)


def test_the_default_follows_the_data() -> None:
    baseline, candidate, labels = correlated(40, 3, seed=1)
    clustered = compare_paired(baseline, candidate, labels)
    assert clustered.difference.method == "cr1-t"
    assert clustered.difference.clusters == 40
    assert {other.method for other in clustered.others} == {"obuchowski", "durkalski"}
    assert clustered.table == PairedTable.from_outcomes(baseline, candidate)
    few = labels < MINIMUM_CLUSTERS - 1
    assert compare_paired(baseline[few], candidate[few], labels[few]).difference.method == "sign-flip"
    handful = labels < 8
    assert compare_paired(baseline[handful], candidate[handful], labels[handful]).difference.method == "sign-flip-exact"
    independent = compare_paired(baseline, candidate)
    assert independent.difference.method == "mcnemar-mid-p"
    assert independent.difference.clusters is None
    assert independent.difference.interval == tango_interval(PairedTable.from_outcomes(baseline, candidate))
    assert {other.method for other in independent.others} == {"mcnemar-exact", "mcnemar-asymptotic"}
    assert compare_paired(baseline / 2, candidate).difference.method == "paired-t"


def test_clusters_that_never_repeat_are_independent_items() -> None:
    baseline, candidate, _ = correlated(50, 1, seed=2)
    names = [f"image-{i}" for i in range(50)]
    assert compare_paired(baseline, candidate, names) == compare_paired(baseline, candidate)


def test_clusters_of_one_item_give_the_ordinary_standard_error() -> None:
    baseline, candidate, _ = correlated(80, 1, seed=3)
    differences = candidate - baseline
    ordinary = float(differences.std(ddof=1)) / math.sqrt(80)
    assert cluster_difference(baseline, candidate, np.arange(80)).standard_error == pytest.approx(ordinary, rel=1e-12)
    pairs = ClusteredPairs.from_outcomes(baseline, candidate, np.arange(80))
    plain = mcnemar_asymptotic(PairedTable.from_outcomes(baseline, candidate)).statistic
    assert plain is not None
    assert obuchowski(pairs).statistic == pytest.approx(plain * 79 / 80, rel=1e-12)


def test_repeating_an_item_inside_its_cluster_does_not_sharpen_anything() -> None:
    baseline, candidate, labels = correlated(40, 1, seed=4)
    once = cluster_difference(baseline, candidate, labels)
    often = cluster_difference(*(np.repeat(side, 5) for side in (baseline, candidate, labels)))
    assert often.standard_error == pytest.approx(once.standard_error, rel=1e-12)
    assert often.p_value == pytest.approx(once.p_value, rel=1e-9)
    naive = mcnemar_mid_p(PairedTable.from_outcomes(np.repeat(baseline, 5), np.repeat(candidate, 5))).p_value
    assert often.p_value is not None
    assert naive < often.p_value


def test_cr1_is_statsmodels_cluster_robust_error() -> None:
    from statsmodels.api import OLS

    baseline, candidate, labels = correlated(35, 4, seed=5, gain=0.4)
    differences = (candidate - baseline).astype(float)
    fit = OLS(differences, np.ones(differences.size)).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    result = cluster_difference(baseline, candidate, labels)
    assert result.standard_error == pytest.approx(float(fit.bse[0]), rel=1e-9)
    assert result.p_value == pytest.approx(float(fit.pvalues[0]), rel=1e-6)
    assert result.interval is not None
    assert [result.interval.low, result.interval.high] == pytest.approx(fit.conf_int()[0].tolist(), rel=1e-6)


def test_two_way_error_is_statsmodels() -> None:
    from statsmodels.api import OLS

    generator = np.random.default_rng(6)
    images, templates = np.repeat(np.arange(30), 12), np.tile(np.arange(12), 30)
    effects = generator.normal(size=30)[images] + generator.normal(size=12)[templates]
    scores = effects + generator.normal(size=360)
    fit = OLS(scores, np.ones(360)).fit(cov_type="cluster", cov_kwds={"groups": np.stack([images, templates], axis=1)})
    result = two_way_difference(np.zeros(360), scores, images, templates)
    assert result.standard_error == pytest.approx(float(fit.bse[0]), rel=1e-9)
    assert result.clusters == 12
    assert not result.note
    nested = two_way_difference(np.zeros(360), scores, images, images)
    assert nested.standard_error == pytest.approx(cluster_difference(np.zeros(360), scores, images).standard_error)
    flat = two_way_difference(np.ones(4), np.ones(4), [0, 0, 1, 1], [0, 1, 0, 1])
    assert (flat.p_value, flat.interval) == (1, None)
    assert flat.note


def test_a_two_way_variance_below_a_one_way_one_is_replaced() -> None:
    scores = np.array([1.0, -1.0, -1.0, 1.0, 2.0, -2.0])
    first, second = [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 1, 0]
    result = two_way_difference(np.zeros(6), scores, first, second)
    larger = max(cluster_difference(np.zeros(6), scores, labels).standard_error or 0 for labels in (first, second))
    assert result.standard_error == pytest.approx(larger)
    assert "larger one-way" in result.note


def test_identical_runs_leave_doubt_by_cluster() -> None:
    right = np.ones(100)
    result = compare_paired(right, right, np.repeat(np.arange(10), 10)).difference
    assert result.p_value == 1
    assert result.interval is not None
    half = 1.959964**2 / (10 + 1.959964**2)  # ten clusters, not a hundred items
    assert result.interval.high == pytest.approx(half, abs=1e-6)
    sweep = compare_paired(np.zeros(100), right, np.repeat(np.arange(10), 10)).difference
    assert sweep.p_value == pytest.approx(2**-9)
    assert sweep.interval is not None
    assert 0 < sweep.interval.low < sweep.interval.high == 1


@pytest.mark.parametrize(
    ("baseline", "candidate", "labels", "p_value"),
    [
        ([0.5], [0.2], None, 1.0),
        ([0.5, 0.2], [0.2, 0.1], ["a", "a"], 1.0),
        ([0.5] * 4, [0.7] * 4, None, 1 / 8),
        ([1, 0] * 4, [1, 1] * 4, [0, 0, 1, 1, 2, 2, 3, 3], 1 / 8),
        ([1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1], 1.0),
    ],
)
def test_without_spread_there_is_no_interval_but_an_honest_p_value(
    baseline: list[float], candidate: list[float], labels: list[str] | None, p_value: float
) -> None:
    result = compare_paired(baseline, candidate, labels).difference
    assert result.interval is None
    assert "spread is unknown" in result.note
    assert result.p_value == pytest.approx(p_value)


def test_sign_flips_enumerate_small_designs() -> None:
    differences, labels = np.array([1.0, 2.0, 3.0, -1.0]), None
    # Of the 16 sums of +-1 +-2 +-3 +-1, those of absolute value 5 or more: 7, 5, 5 and their negatives.
    result = sign_flip(differences, labels)
    assert (result.method, result.p_value) == ("sign-flip-exact", 6 / 16)
    scipy_stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(7).normal(0.4, 1, size=12)
    expected = scipy_stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=2**12, alternative="two-sided"
    ).pvalue
    assert sign_flip(values).p_value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("difference", [0.0, 0.3, -0.3])
def test_even_clusters_need_no_enumeration(difference: float) -> None:
    labels = [0, 1, 1, 2, 2, 2, 3, 4]
    expected = sign_flip(np.full(8, difference), labels).p_value
    assert even_sign_flip(difference, 5) == expected
    flips = SignFlips.of(np.full(8, difference), np.array(labels), 99, 0)
    assert even_sign_flip(difference, 5, sides=1) == flips.greater(0.0)


def test_sign_flips_are_seeded_and_near_the_exact_value() -> None:
    values = np.random.default_rng(8).normal(0.35, 1, size=25)
    drawn = sign_flip(values, seed=3)
    assert drawn.method == "sign-flip"
    assert drawn == sign_flip(values, seed=3)
    assert (drawn.n, drawn.clusters) == (values.size, values.size)
    assert drawn.p_value != sign_flip(values, seed=4).p_value
    by_t = cluster_difference(np.zeros(25), values).p_value
    assert by_t is not None
    assert drawn.p_value == pytest.approx(by_t, abs=0.02)
    # Signs of many clusters are drawn in pieces; together they are as many as asked for.
    share = sign_flip(np.random.default_rng(3).normal(0.02, 1, size=2000), resamples=3000).p_value * 3001
    assert share == pytest.approx(round(share), abs=1e-9)
    # p = (1 + k) / (1 + resamples): never zero, however extreme the data
    assert sign_flip(np.full(40, 2.0), resamples=99).p_value == pytest.approx(1 / 100)


@pytest.mark.parametrize("clusters", [8, 24])
def test_sign_flip_interval_inverts_the_test(clusters: int) -> None:
    generator = np.random.default_rng(clusters)
    labels = generator.integers(0, clusters, size=200)
    values = generator.normal(0.2, 1, size=200) + generator.normal(0, 0.3, size=clusters)[labels]
    interval = sign_flip_interval(values, labels, resamples=999)
    assert interval is not None
    for limit, outward in ((interval.low, -1), (interval.high, 1)):
        assert sign_flip(values - limit - outward * 1e-6, labels, resamples=999).p_value <= 0.05
        assert sign_flip(values - limit + outward * 1e-6, labels, resamples=999).p_value > 0.05
    wider = sign_flip_interval(values, labels, level=0.99, resamples=999)
    assert wider is not None
    assert wider.low < interval.low < interval.high < wider.high


def test_five_clusters_give_no_interval() -> None:
    values = np.array([1.0, 2.0, 1.5, 1.2, 0.8])
    assert sign_flip(values).p_value == 2 / 32
    assert sign_flip_interval(values) is None
    assert sign_flip_interval(values, level=0.9) is not None


def test_constant_clusters_and_no_net_difference() -> None:
    nothing = ClusteredPairs.from_counts([1, 0], [1, 0], [2, 3])
    for test in TESTS:
        result = test(nothing)
        assert (result.p_value, result.statistic, result.n, result.clusters) == (1, 0, 5, 2)
        assert result.note
        assert test(ClusteredPairs.from_counts([], [], [])).p_value == 1


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="no items"):
        compare_paired([], [])
    with pytest.raises(ValueError, match="finite"):
        compare_paired([0.0, math.nan], [1, 1])
    with pytest.raises(ValueError, match="2 baseline scores but 1"):
        compare_paired([0, 1], [1])
    with pytest.raises(ValueError, match="3 items but 2 cluster labels"):
        compare_paired([0, 1, 1], [1, 1, 0], ["a", "b"])
    with pytest.raises(ValueError, match="more discordant pairs than items"):
        ClusteredPairs.from_counts([1], [1], [1])
    with pytest.raises(ValueError, match="integers"):
        ClusteredPairs.from_counts([0.5], [1], [3])
    with pytest.raises(ValueError, match="resamples"):
        sign_flip([1.0], resamples=0)
    with pytest.raises(ValueError, match="level"):
        compare_paired([0.5], [0.5], level=1.5)
    with pytest.raises(ValueError, match="level"):
        sign_flip_interval([1.0], level=1.0)


def test_one_item_is_no_proof() -> None:
    found = compare_paired([1], [0])
    assert (found.difference.estimate, found.difference.p_value) == (-1.0, 0.5)
    assert compare_paired([1], [1]).difference.p_value == 1.0
