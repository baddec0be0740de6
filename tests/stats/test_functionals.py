"""Functionals of units, their cluster bootstrap, and pairs of models under them."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.comparison import compare_paired
from mmeval.stats.corrections import Limits, Stretch
from mmeval.stats.equivalence import non_inferiority_test
from mmeval.stats.functionals import POOLED_CLUSTERS, Drawn, RatioMean, estimate_functional
from mmeval.stats.intervals import cluster_mean, wilson
from mmeval.stats.pairs import FunctionalPair, Resampling, equivalence, non_inferiority, pair_of
from mmeval.stats.power import Aim, Noise, mean_difference_sample_size
from mmeval.stats.resampling import BootstrapPlan, Design, bootstrap_clusters, bootstrap_weights

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PLAN = BootstrapPlan(resamples=1999, seed=3, method="bca-t")


def macro(values: Floats, labels: Ints) -> RatioMean:
    size = values.size
    return RatioMean(
        size, np.arange(size), labels, values, np.ones(size), tuple((str(i),) for i in range(labels.max() + 1))
    )


def data(n: int = 60, labels: int = 3, seed: int = 0) -> tuple[Floats, Floats, Ints, Ints]:
    """Base and candidate values, label and cluster of each unit; clusters of four units within a label."""
    generator = np.random.default_rng(seed)
    cluster = np.arange(n) // 4
    label = cluster % labels
    base = (generator.random(n) < 0.5).astype(np.float64)
    candidate = np.where(generator.random(n) < 0.2, 1 - base, base)
    return base, candidate, label.astype(np.int64), cluster.astype(np.int64)


class TestRatioMean:
    def test_value_of_nested_means(self) -> None:
        paths = (("a", "x"), ("a", "y"), ("b", "x"))
        found = RatioMean(3, np.arange(3), np.arange(3), np.array([1.0, 0.0, 0.25]), np.ones(3), paths)
        assert found.weights.tolist() == [0.25, 0.25, 0.5]
        assert found.value() == pytest.approx((0.5 + 0.25) / 2)

    def test_zero_over_zero_is_none(self) -> None:
        assert RatioMean.of(np.zeros(3), np.zeros(3)).value() is None
        assert RatioMean.of(np.zeros(0), np.zeros(0)).value() is None
        found = estimate_functional(RatioMean.of(np.zeros(3), np.zeros(3)), np.arange(3))
        assert (found.value, found.interval, found.standard_error) == (None, None, None)

    def test_selection_forgets_terms_without_units_and_weighs_anew(self) -> None:
        values, _, label, _ = data()
        whole = macro(values, label)
        kept = np.flatnonzero(label != 1)
        part = whole.select(kept)
        assert part.paths == (("0",), ("2",))
        assert part.value() == pytest.approx((values[label == 0].mean() + values[label == 2].mean()) / 2)
        turned = whole.select(np.arange(values.size)[::-1])
        assert turned.value() == pytest.approx(whole.value())

    @given(st.integers(0, 10_000), st.integers(1, 5))
    @settings(max_examples=25, deadline=None)
    def test_cluster_weights_repeat_the_units(self, seed: int, labels: int) -> None:
        values, _, label, cluster = data(40, labels, seed)
        functional = macro(values, label)
        count = int(cluster.max()) + 1
        weights = np.random.default_rng(seed).integers(1, 4, size=(1, count)).astype(np.float64)
        repeated = np.repeat(np.arange(40), weights[0][cluster].astype(int))
        expected = np.mean([values[repeated][label[repeated] == one].mean() for one in range(label.max() + 1)])
        assert functional.over(cluster, count)(weights)[0] == pytest.approx(expected)
        assert functional.over(cluster, count)(np.ones((1, count)))[0] == pytest.approx(functional.value())
        assert functional.linear_values().mean() == pytest.approx(functional.value())

    def test_strata_are_labels_unless_clusters_join_them(self) -> None:
        values, _, label, cluster = data()
        assert len(set(macro(values, label).strata(cluster, 15).tolist())) == 3
        shared = label.copy()
        shared[0] = 1  # one cluster in labels 0 and 1
        assert len(set(macro(values, shared).strata(cluster, 15).tolist())) == 2

    def test_equal_clusters_count_as_many(self) -> None:
        values, _, label, cluster = data()
        assert macro(values, label).effective_clusters(cluster, 15) == pytest.approx(15)


class TestBootstrap:
    def test_the_vectorised_bootstrap_is_the_plain_one(self) -> None:
        values, _, label, cluster = data()
        functional = macro(values, label)
        drawn = Drawn.of(functional, cluster, 0)
        ours = drawn.bootstrap([functional], PLAN)

        def one(weights: Floats) -> float:
            sums = [np.dot(weights[label == k], values[label == k]) / weights[label == k].sum() for k in range(3)]
            return float(np.mean(sums))

        plain = bootstrap_weights(one, drawn.design, PLAN)
        assert ours.point[0] == pytest.approx(plain.point)
        np.testing.assert_allclose(ours.replicates[0], plain.replicates, rtol=1e-5)
        first, second = ours.interval((0,)), plain.interval()
        assert first is not None
        assert second is not None
        assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-5)
        assert first.method == "stratified-cluster-bootstrap-bca-t"

    def test_bca_t_is_wider_than_bca_by_students_factor(self) -> None:
        values = np.random.default_rng(1).random(8)
        design = Design.of(8)

        def mean(weights: Floats) -> Floats:
            return np.asarray(weights @ values / weights.sum(axis=-1))

        widths = {}
        for method in ("bca", "bca-t"):
            interval = bootstrap_clusters(mean, design, BootstrapPlan(19_999, 0, 0.95, method)).interval()  # type: ignore[arg-type]
            assert interval is not None
            widths[method] = interval.high - interval.low
        assert 1.2 < widths["bca-t"] / widths["bca"] < math.sqrt(8 / 7) * 2.365 / 1.96 * 1.1

    def test_stretch(self) -> None:
        assert Stretch.of(np.array([1, 1])) is None
        found = Stretch.of(np.array([5, 5, 1]))
        assert found is not None
        assert (found.freedom, found.factor) == (8, pytest.approx(math.sqrt(10 / 8)))
        assert found.tail(found.deviate(0.3)) == pytest.approx(0.3)

    def test_p_values_and_limits_agree(self) -> None:
        draws = np.random.default_rng(2).gamma(3.0, size=20_000)
        limits = Limits.of(draws, 3.0, np.array([2.9, 3.0, 3.4]), Stretch.of(np.array([12])))
        assert limits is not None
        low, high = limits.at(0.9)
        assert limits.one_sided(low, "greater") == pytest.approx(0.05, abs=2e-3)
        assert limits.one_sided(high, "less") == pytest.approx(0.05, abs=2e-3)
        assert limits.two_sided(low) == pytest.approx(0.1, abs=4e-3)

    def test_many_clusters_are_drawn_in_groups(self) -> None:
        generator = np.random.default_rng(4)
        size = 5 * POOLED_CLUSTERS
        values, label = (generator.random(size) < 0.3).astype(np.float64), generator.integers(0, 3, size)
        functional = macro(values, label)
        drawn = Drawn.of(functional, np.arange(size), 0)
        assert drawn.clusters == size
        assert drawn.design.clusters <= POOLED_CLUSTERS
        found = estimate_functional(functional, np.arange(size), plan=PLAN)
        exact = math.sqrt(sum(values[label == k].var(ddof=1) / np.sum(label == k) for k in range(3))) / 3
        assert found.standard_error == pytest.approx(exact, rel=0.06)

    def test_one_cluster_says_nothing_and_lone_labels_little(self) -> None:
        values, _, label, _ = data()
        alone = estimate_functional(macro(values, label), np.zeros(60, dtype=np.int64))
        assert alone.interval is not None
        assert (alone.interval.low, alone.interval.high, alone.interval.method) == (0.0, 1.0, "range (one cluster)")
        one_each = estimate_functional(macro(values, label), label)
        assert one_each.interval is not None
        assert one_each.interval.method == "wilson on clusters"
        assert estimate_functional(macro(values * 5, label), label, None).interval is None

    def test_one_lone_label_among_others_is_enough_for_wilsons_interval(self) -> None:
        found = estimate_functional(
            macro(np.array([1, 0, 1, 1, 0.5]), np.array([0, 0, 0, 0, 1])), np.arange(5), plan=PLAN
        )
        assert found.interval is not None
        assert (found.interval.method, found.standard_error) == ("wilson on clusters", None)

    def test_wilsons_interval_is_stretched_over_the_range_of_the_number(self) -> None:
        constant = RatioMean.of(np.full(3, 0.5), np.ones(3))
        found = estimate_functional(constant, np.arange(3), (-1.0, 1.0), PLAN).interval
        share = wilson(0.75 * 3, 3, 0.95)
        assert found is not None
        assert share is not None
        assert (found.low, found.high) == pytest.approx((2 * share.low - 1, 2 * share.high - 1))


class TestPairs:
    def test_means_go_to_the_tests_of_means(self) -> None:
        base, candidate, _, cluster = data()
        pair = pair_of(base, candidate, cluster)
        assert pair.compare() == compare_paired(base, candidate, cluster)
        assert non_inferiority(pair, 0.1) == non_inferiority_test(base, candidate, 0.1, cluster)

    def test_both_kinds_count_units_and_clusters(self) -> None:
        base, candidate, label, cluster = data()
        for functionals in (None, (macro(base, label), macro(candidate, label))):
            pair = pair_of(base, candidate, cluster, functionals)
            assert (pair.n, pair.cluster_count) == (60, 15)

    def test_graded_scores_need_as_many_items_as_their_spread_says(self) -> None:
        generator = np.random.default_rng(5)
        base, candidate = generator.random(50), generator.random(50)
        noise = Noise(between=float((candidate - base).var(ddof=1)))
        assert pair_of(base, candidate).needed(0.1, Aim()) == mean_difference_sample_size(0.1, noise, Aim(), 1.0)

    def test_a_functional_that_is_a_mean_agrees_with_the_mean(self) -> None:
        base, candidate, _, cluster = data(400)
        functionals = (RatioMean.of(base, np.ones(400)), RatioMean.of(candidate, np.ones(400)))
        found = pair_of(base, candidate, cluster, functionals).compare().difference
        expected = compare_paired(base, candidate, cluster).difference
        assert found.estimate == pytest.approx(expected.estimate)
        assert found.interval is not None
        assert expected.interval is not None
        assert found.method == "paired-cluster-bootstrap-bca-t"
        width = expected.interval.high - expected.interval.low
        assert (found.interval.low, found.interval.high) == pytest.approx(
            (expected.interval.low, expected.interval.high), abs=0.1 * width
        )
        assert found.p_value == pytest.approx(expected.p_value, abs=0.03)

    def test_swapping_the_models_negates(self) -> None:
        base, candidate, label, cluster = data(240)
        pair = pair_of(base, candidate, cluster, (macro(base, label), macro(candidate, label)))
        first, second = pair.compare().difference, pair.swapped().compare().difference
        assert first.estimate == pytest.approx(-second.estimate)
        assert first.interval is not None
        assert second.interval is not None
        assert (first.interval.low, first.interval.high) == pytest.approx(
            (-second.interval.high, -second.interval.low), abs=2e-3
        )
        assert first.p_value == pytest.approx(second.p_value, abs=5e-3)
        assert pair.detectable(Aim()) == pytest.approx(pair.swapped().detectable(Aim()))

    def test_one_sided_tests_follow_the_limits(self) -> None:
        base, candidate, label, cluster = data(240, seed=5)
        pair = pair_of(base, candidate, cluster, (macro(base, label), macro(candidate, label)))
        interval = pair.compare(0.9).difference.interval
        assert interval is not None
        assert pair.one_sided(interval.low - 1e-3, "greater").p_value < 0.055
        assert pair.one_sided(interval.high + 1e-3, "less").p_value < 0.055
        assert pair.one_sided(interval.low + 0.02, "greater").p_value > 0.05
        assert equivalence(pair, 0.5).p_value < 0.01

    def test_equal_models(self) -> None:
        base, _, label, cluster = data(160)
        pair = pair_of(base, base, cluster, (macro(base, label), macro(base, label)))
        found = pair.compare().difference
        assert (found.estimate, found.p_value, found.interval) == (0.0, 1.0, None)
        assert pair.detectable(Aim()) is None
        assert non_inferiority(pair, 0.02).p_value < 1e-6

    def test_few_clusters_are_swapped(self) -> None:
        base, candidate, label, cluster = data(40)
        base[:] = 0.0
        candidate[:] = 1.0
        pair = pair_of(base, candidate, cluster, (macro(base, label), macro(candidate, label)))
        found = pair.compare().difference
        # All ten clusters agree: two of 2^10 assignments are as extreme.
        assert (found.method, found.p_value) == ("cluster-swap-exact", pytest.approx(2 / 2**10))
        assert "fewer than 30 clusters" in found.note

    def test_random_swaps_are_seeded(self) -> None:
        base, candidate, label, cluster = data(100)
        functionals = (macro(base, label), macro(candidate, label))
        how = Resampling(seed=7)
        first, second = (pair_of(base, candidate, cluster, functionals).compare(how=how).difference for _ in range(2))
        assert first == second
        assert first.method == "cluster-swap"

    def test_lone_labels_are_compared_as_contributions(self) -> None:
        """With one row per label nothing varies within labels; the difference must not look certain."""
        generator = np.random.default_rng(0)
        base, candidate = (generator.random((2, 40)) < 0.5).astype(np.float64)
        labels = np.arange(40)
        pair = pair_of(base, candidate, None, (macro(base, labels), macro(candidate, labels)))
        assert pair.compare().difference.p_value == compare_paired(base, candidate).difference.p_value
        assert pair.detectable(Aim()) is not None

    def test_other_functionals_with_lone_labels_have_no_interval(self) -> None:
        tops, bottoms = np.ones((2, 12)), np.arange(1.0, 13.0)
        labels = np.arange(12)
        functionals = tuple(
            RatioMean(12, labels, labels, tops[i], bottoms + i, tuple((str(k),) for k in labels)) for i in range(2)
        )
        found = FunctionalPair(functionals[0], functionals[1], labels).compare().difference
        assert found.interval is None
        assert found.method == "cluster-swap-exact"
        assert found.p_value is not None

    def test_undefined_values_are_an_error(self) -> None:
        nothing = RatioMean.of(np.zeros(4), np.zeros(4))
        with pytest.raises(ValueError, match="0/0"):
            _ = pair_of(np.zeros(4), np.zeros(4), None, (nothing, nothing)).values


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [12, 60])
def test_size_of_the_paired_tests(clusters: int) -> None:
    """Two models of equal skill: the two-sided test of a macro mean and of F1 rejects in about 5 % of cases."""
    generator = np.random.default_rng(clusters)
    rejected = {"macro": 0, "f1": 0}
    runs = 400
    for _ in range(runs):
        ease = generator.normal(0, 1, size=(clusters, 1))
        truth = generator.random((clusters, 5)) < 0.5
        said = [truth ^ (generator.normal(ease, 1) < -0.7) for _ in range(2)]
        cluster = np.repeat(np.arange(clusters), 5)
        label = (cluster % 3).astype(np.int64)
        right = [(one == truth).ravel().astype(np.float64) for one in said]
        f1 = [RatioMean.of(2.0 * (one & truth).ravel(), one.ravel().astype(np.float64) + truth.ravel()) for one in said]
        for name, pair in (
            ("macro", (macro(right[0], label), macro(right[1], label))),
            ("f1", (f1[0], f1[1])),
        ):
            found = FunctionalPair(*pair, cluster).compare(how=Resampling(999, 0)).difference
            rejected[name] += found.p_value is not None and found.p_value < 0.05
    for name, count in rejected.items():
        assert count / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs), name


def test_standard_error_of_a_mean_is_the_cluster_robust_one() -> None:
    values, _, _, cluster = data(200)
    found = estimate_functional(RatioMean.of(values, np.ones(200)), cluster)
    assert found.standard_error == pytest.approx(cluster_mean(values, cluster).standard_error, rel=0.03)


def test_the_interval_holds_the_value_that_resamples_overestimate() -> None:
    class Overestimated:
        units = 40

        def value(self) -> float:
            return 0.5

        def over(self, index: np.ndarray, clusters: int) -> Any:
            def at(weights: np.ndarray) -> np.ndarray:
                # More the more clusters are drawn twice, and never as low as on the data.
                return 0.5 + 0.05 * np.square(weights - 1).mean(axis=1) + 1e-3 * (weights[:, 0] - 1)

            return at

        def strata(self, index: np.ndarray, clusters: int) -> np.ndarray:
            return np.zeros(clusters, dtype=np.int64)

        def effective_clusters(self, index: np.ndarray, clusters: int) -> float:
            return float(clusters)

    found = estimate_functional(cast(Any, Overestimated()), np.arange(40))
    assert found.interval is not None
    assert found.interval.low <= 0.5 <= found.interval.high
