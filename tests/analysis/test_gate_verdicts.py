"""The statistics of one gate rule, against the tests that they are made of and values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from mmeval.analysis.gate_policy import Kind
from mmeval.analysis.gate_verdicts import Demand, adjusted, level_evidence, paired_evidence, verdict
from mmeval.stats.functionals import FUNCTIONAL_PLAN, RatioMean, estimate_functional
from mmeval.stats.intervals import wilson
from mmeval.stats.paired import PairedTable, mcnemar_mid_p
from mmeval.stats.pairs import Pair, pair_of
from mmeval.stats.power import Aim, cluster_design_effect

Floats = npt.NDArray[np.float64]


def pair(gains: int = 5, losses: int = 20, both: int = 150, neither: int = 25) -> Pair:
    """Right answers of two models, by table."""
    base = np.repeat([1.0, 0.0, 1.0, 0.0], [both, gains, losses, neither])
    candidate = np.repeat([1.0, 1.0, 0.0, 0.0], [both, gains, losses, neither])
    return pair_of(base, candidate)


def shares(right: int, n: int) -> Floats:
    return np.repeat([1.0, 0.0], [right, n - right])


class TestPairs:
    def test_a_drop_is_judged_by_half_the_two_sided_p_value(self) -> None:
        found = paired_evidence(Demand("no_regression", 0.03, 0.075), pair(), True)
        two_sided = mcnemar_mid_p(PairedTable(150, 20, 5, 25)).p_value
        assert (found.n, found.base, found.candidate) == (200, 0.85, 0.775)
        assert found.delta == pytest.approx(-0.075)
        assert found.p == pytest.approx(two_sided / 2)
        assert found.table == PairedTable(150, 20, 5, 25)
        assert (found.harmful, found.shown) == (True, False)
        assert verdict(found, found.p, 0.05) == "FAIL"

    def test_a_gain_is_no_reason_to_fail(self) -> None:
        found = paired_evidence(Demand("no_regression", 0.03), pair(gains=20, losses=5), True)
        assert found.p == pytest.approx(1 - mcnemar_mid_p(PairedTable(150, 5, 20, 25)).p_value / 2)
        assert (found.harmful, found.shown) == (False, True)
        assert verdict(found, found.p, 0.05) == "PASS"

    def test_a_drop_below_the_least_effect_is_not_harmful(self) -> None:
        found = paired_evidence(Demand("no_regression", 0.03, 0.08), pair(), True)
        assert not found.harmful
        assert verdict(found, found.p, 0.05) == "INCONCLUSIVE"

    def test_where_less_is_better_a_rise_is_the_drop(self) -> None:
        plain = paired_evidence(Demand("no_regression", 0.03, 0.02), pair(), True)
        turned = paired_evidence(Demand("no_regression", 0.03, 0.02, higher_is_better=False), pair(20, 5), True)
        assert turned.p == pytest.approx(plain.p)
        assert turned.harmful
        assert turned.delta == pytest.approx(0.075)
        assert turned.table == PairedTable(150, 5, 20, 25)
        assert plain.interval is not None
        assert turned.interval is not None
        assert (turned.interval.low, turned.interval.high) == pytest.approx((-plain.interval.high, -plain.interval.low))

    def test_equivalence_looks_both_ways(self) -> None:
        for gains, losses in ((5, 20), (20, 5)):
            found = paired_evidence(Demand("equivalence", 0.03, 0.05), pair(gains, losses), True)
            assert found.p == pytest.approx(mcnemar_mid_p(PairedTable(150, losses, gains, 25)).p_value)
            assert found.harmful
            assert not paired_evidence(Demand("equivalence", 0.03, 0.08), pair(gains, losses), True).harmful

    def test_equal_models_need_what_a_score_limit_needs(self) -> None:
        found = paired_evidence(Demand("no_regression", 0.03), pair(0, 0), True)
        assert (found.delta, found.p, found.harmful) == (0.0, 0.5, False)
        z = NormalDist().inv_cdf(0.95)
        assert found.needed == math.ceil(z * z * 0.97 / 0.03)

    def test_several_answers_of_an_item_make_no_table(self) -> None:
        assert paired_evidence(Demand("no_regression", 0.03), pair(), False).table is None


class TestLevels:
    @pytest.mark.parametrize(("right", "shown", "harmful"), [(88, True, False), (82, False, False), (70, False, True)])
    def test_a_floor_of_independent_answers_is_wilsons(self, right: int, shown: bool, harmful: bool) -> None:
        found = level_evidence(Demand("floor", value=0.8), shares(right, 100), None)
        assert found.interval == wilson(right, 100, 0.9)
        assert found.p == pytest.approx(NormalDist().cdf((right / 100 - 0.8) / 0.04))
        assert (found.shown, found.harmful, found.test, found.n) == (shown, harmful, "wilson", 100)
        ceiling = level_evidence(Demand("ceiling", value=0.2), 1 - shares(right, 100), None)
        assert ceiling.p == pytest.approx(found.p)
        assert (ceiling.shown, ceiling.harmful) == (shown, harmful)

    def test_a_floor_that_no_share_can_miss_or_reach(self) -> None:
        assert level_evidence(Demand("floor", value=1.0), shares(99, 100), None).p == 0.0
        assert level_evidence(Demand("floor", value=1.0), shares(100, 100), None).p == 1.0
        assert level_evidence(Demand("floor", value=0.0), shares(0, 100), None).p == 1.0

    def test_other_means_take_t(self) -> None:
        values = np.random.default_rng(1).normal(5.0, 1.0, 40)
        found = level_evidence(Demand("floor", value=4.8), values, None)
        assert found.test == "t"
        assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(40))
        assert found.interval is not None
        assert found.interval.low < found.candidate < found.interval.high
        assert found.p > 0.5
        assert level_evidence(Demand("ceiling", value=4.8), values, None).p == pytest.approx(1 - found.p)

    def test_items_of_one_cluster_count_once(self) -> None:
        labels = [str(i // 4) for i in range(40)]
        found = level_evidence(Demand("floor", value=0.5), np.ones(40), labels)
        assert (found.test, found.clusters, found.interval) == ("wilson-clusters", 10, wilson(10, 10, 0.9))


class TestRepairs:
    def test_a_ceiling_that_is_met_exactly_is_no_rejected_hypothesis(self) -> None:
        """A p-value of 0 there would relax Holm's correction of the rules beside it."""
        assert level_evidence(Demand("ceiling", value=0.0), np.zeros(100), None).p == 1.0
        assert level_evidence(Demand("ceiling", value=1.0), np.ones(100), None).p == 1.0
        assert level_evidence(Demand("ceiling", value=0.0), shares(1, 100), None).p == 0.0
        assert level_evidence(Demand("floor", value=1.0), shares(99, 100), None).p == 0.0

    @pytest.mark.parametrize("value", [0.3, 2.9])
    def test_a_few_clusters_never_show_a_ratio_beyond_its_bound_for_certain(self, value: float) -> None:
        """All resamples lie beyond the bound, and four clusters are four clusters."""
        errors, words = np.array([30.0, 31.0, 29.0, 33.0]), np.array([20.0, 20.0, 20.0, 20.0])
        ratio = RatioMean.of(errors, words)
        kind: Kind = "ceiling" if value < 1 else "floor"
        found = level_evidence(Demand(kind, value=value), errors / words, None, ratio)
        assert found.harmful
        assert not found.shown
        assert 1e-5 < found.p < 0.05
        back = level_evidence(Demand("floor" if value < 1 else "ceiling", value=value), errors / words, None, ratio)
        assert (back.shown, back.harmful, back.p) == (True, False, 1.0)

    def test_equivalence_needs_both_limits(self) -> None:
        """GATES: n = discordance ((z_alpha + z_power) / m)^2 for one limit; both hold in 80 % when each holds in 90 %."""
        one = paired_evidence(Demand("non_inferiority", 0.03, 0.03), pair(), True)
        both = paired_evidence(Demand("equivalence", 0.03, 0.03), pair(), True)
        quantile = NormalDist().inv_cdf
        for found, power in ((one, 0.8), (both, 0.9)):
            size = 25 / 200 * ((quantile(0.95) + quantile(power)) / 0.03) ** 2
            assert found.needed == math.ceil(size)
        assert both.mde == pair().detectable(Aim(alpha=0.05, power=0.8, sides=2))
        assert one.mde == pair().detectable(Aim(alpha=0.05, power=0.8, sides=1))

    def test_only_a_score_limit_has_a_least_number_of_items(self) -> None:
        generator = np.random.default_rng(2)
        base = generator.normal(0.5, 0.1, 100)
        found = paired_evidence(Demand("non_inferiority", 0.01, 0.01), pair_of(base, base + 1e-4 * base), True)
        assert found.needed == 1
        # Eight items of a cluster that never differ are one unit.
        labels = [str(number // 8) for number in range(200)]
        same = shares(150, 200)
        z = NormalDist().inv_cdf(0.95)
        clustered = paired_evidence(Demand("non_inferiority", 0.03), pair_of(same, same, labels), True)
        assert clustered.needed == math.ceil(8 * z * z * 0.97 / 0.03)

    def test_random_sign_flips_agree_with_the_limits_that_are_shown(self) -> None:
        """21 to 29 clusters are drawn at random; PASS and the lower limit rest on the same draws."""
        generator = np.random.default_rng(0)
        for _ in range(8):
            base = generator.integers(0, 2, 100).astype(float)
            candidate = np.where(generator.random(100) < 0.3, 1 - base, base)
            given = pair_of(base, candidate, [str(number % 25) for number in range(100)])
            interval = paired_evidence(Demand("non_inferiority", 0.05, 0.05), given, True).interval
            assert interval is not None
            for factor in (0.998, 0.9995, 1.0005, 1.002):
                if (margin := -factor * interval.low) > 0:
                    found = paired_evidence(Demand("non_inferiority", margin, margin), given, True)
                    assert found.shown == (interval.low > -margin)


def test_holm_corrects_the_family_and_none_leaves_it() -> None:
    assert adjusted([0.01, 0.04, 0.03], "holm") == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([0.01, 0.04, 0.03], "none") == [0.01, 0.04, 0.03]
    assert adjusted([], "holm") == []


def expected_size(distance: float, variance: float) -> int:
    """Items with which a value that far from its bound is shown at one-sided 0.05 with 80 % power."""
    quantile = NormalDist().inv_cdf
    return math.ceil(variance * ((quantile(0.95) + quantile(0.8)) / distance) ** 2)


class TestLevelsRecomputed:
    @pytest.mark.parametrize("kind", ["floor", "ceiling"])
    def test_t_is_scipys(self, kind: Kind) -> None:
        values = np.random.default_rng(4).normal(5.0, 1.0, 25)
        found = level_evidence(Demand(kind, value=4.9), values, None)
        side = "less" if kind == "floor" else "greater"
        assert found.p == pytest.approx(stats.ttest_1samp(values, 4.9, alternative=side).pvalue)
        assert found.note == ""
        interval = found.interval
        assert interval is not None
        limits = stats.t.interval(0.9, 24, values.mean(), stats.sem(values))
        assert (interval.low, interval.high) == pytest.approx(limits)

    def test_clusters_take_cr1_of_statsmodels(self) -> None:
        generator = np.random.default_rng(5)
        groups = np.repeat(np.arange(12), 5)
        values = (generator.random(60) < 0.3 + 0.4 * (groups % 2)).astype(float)
        fit = OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": groups})
        found = level_evidence(Demand("floor", value=0.6, share=True), values, [str(one) for one in groups])
        assert (found.test, found.clusters) == ("cr1-t", 12)
        # statsmodels also multiplies by (n - 1) / (n - k), which is 1 here.
        assert found.standard_error == pytest.approx(float(fit.bse[0]))
        assert found.p == pytest.approx(float(stats.t.cdf((values.mean() - 0.6) / fit.bse[0], 11)))

    def test_equal_shares_are_wilsons_and_other_equal_values_say_nothing(self) -> None:
        flat = np.full(40, 0.75)
        share = level_evidence(Demand("floor", value=0.6, share=True), flat, None)
        assert (share.test, share.interval) == ("wilson-clusters", wilson(30, 40, 0.9))
        assert share.p == pytest.approx(NormalDist().cdf(0.15 / math.sqrt(0.6 * 0.4 / 40)))
        for other, told in ((flat, False), (np.full(40, 1.5), True)):
            unknown = level_evidence(Demand("floor", value=0.8, share=told), other, None)
            assert (unknown.interval, unknown.shown, unknown.p) == (None, False, 0.5)
            assert unknown.note == "the spread is unknown: no limit"
            assert verdict(unknown, unknown.p, 0.05) == "INCONCLUSIVE"

    def test_limits_of_shares_stay_in_their_range(self) -> None:
        values = np.array([1.0] * 39 + [0.4])
        for share, beyond in ((True, False), (False, True)):
            found = level_evidence(Demand("floor", value=0.9, share=share), values, None)
            assert found.test == "t"
            assert found.interval is not None
            assert (found.interval.high > 1) == beyond

    def test_a_limit_that_touches_the_bound_reaches_it(self) -> None:
        found = wilson(88, 100, 0.9)
        assert found is not None
        assert level_evidence(Demand("floor", value=found.low), shares(88, 100), None).shown
        assert level_evidence(Demand("ceiling", value=found.high), shares(88, 100), None).shown
        for kind in ("floor", "ceiling"):
            assert not level_evidence(Demand(kind, value=0.88), shares(88, 100), None).harmful  # type: ignore[arg-type]

    def test_the_items_that_a_value_needs(self) -> None:
        values = shares(88, 100)
        assert level_evidence(Demand("floor", value=0.8), values, None).needed == expected_size(0.08, 0.8 * 0.2)
        assert level_evidence(Demand("ceiling", value=0.95), values, None).needed == expected_size(
            0.07, float(values.var(ddof=1))
        )
        spread = np.linspace(0.0, 10.0, 50)
        assert level_evidence(Demand("floor", value=4.5), spread, None).needed == expected_size(0.5, spread.var(ddof=1))
        labels = [str(number // 4) for number in range(100)]
        effect = cluster_design_effect(values, labels)
        assert effect is not None
        assert effect > 2
        clustered = level_evidence(Demand("floor", value=0.8), values, labels).needed
        assert clustered == expected_size(0.08, 0.8 * 0.2 * effect)
        mixed = np.tile([1.0, 0.0, 1.0, 1.0], 25)  # every cluster has the same share
        assert level_evidence(Demand("floor", value=0.6), mixed, labels).needed == expected_size(0.15, 0.24)
        for unreachable in (
            level_evidence(Demand("floor", value=0.88), values, None),
            level_evidence(Demand("ceiling", value=0.8), values, None),
            level_evidence(Demand("floor", value=0.5), np.ones(1), None),
            level_evidence(Demand("floor", value=0.5), values, ["one"] * 100),
            level_evidence(Demand("floor", value=0.88 - 1e-6), values, None),  # more than 10^9 items
        ):
            assert unreachable.needed is None

    @pytest.mark.parametrize("kind", ["floor", "ceiling"])
    def test_a_ratio_takes_its_bootstrap(self, kind: Kind) -> None:
        generator = np.random.default_rng(6)
        words = generator.integers(3, 30, 60).astype(float)
        errors = np.round(words * generator.uniform(0, 0.4, 60))
        ratio, value = RatioMean.of(errors, words), float(errors.sum() / words.sum())
        bound = value - 0.01 if kind == "floor" else value + 0.01
        plan = replace(FUNCTIONAL_PLAN, level=0.9, seed=3)
        plain = estimate_functional(ratio, np.arange(60), None, plan)
        assert plain.limits is not None
        assert plain.standard_error is not None
        found = level_evidence(Demand(kind, value=bound, seed=3), errors / words, None, ratio)
        assert (found.interval, found.n, found.clusters) == (plain.interval, 60, 60)
        assert found.candidate == pytest.approx(value)
        assert found.p == plain.limits.one_sided(bound, "less" if kind == "floor" else "greater") > 0.5
        assert found.needed == expected_size(0.01, 60 * plain.standard_error**2)
        beyond = level_evidence(Demand(kind, value=2 * value - bound, seed=3), errors / words, None, ratio)
        assert (beyond.harmful, beyond.needed) == (True, None)
        assert beyond.p < 0.5
        capped = level_evidence(Demand(kind, value=bound, seed=3, share=True), errors / words, None, ratio)
        assert capped.interval == found.interval  # within [0, 1] anyhow

    def test_a_ratio_without_spread_counts_its_clusters(self) -> None:
        ones = np.ones(20)
        labels = [str(number // 2) for number in range(20)]
        same = RatioMean.of(ones, ones)
        found = level_evidence(Demand("ceiling", value=0.8, share=True), ones, labels, same)
        assert found.p == pytest.approx(NormalDist().cdf(-0.2 / math.sqrt(0.8 * 0.2 / 10)))
        assert found.interval is not None
        assert not found.shown
        alone = level_evidence(Demand("ceiling", value=0.8, share=True), ones, ["one"] * 20, same)
        assert (alone.p, alone.shown, verdict(alone, alone.p, 0.05)) == (0.5, False, "INCONCLUSIVE")
        assert level_evidence(Demand("floor", value=0.5), ones, labels, same).p == 0.5  # no range, no limit
        with pytest.raises(ValueError, match="undefined"):
            level_evidence(Demand("floor", value=0.5), ones, None, RatioMean.of(ones, 0 * ones))
        with pytest.raises(ValueError, match="no items"):
            level_evidence(Demand("floor", value=0.5), np.empty(0), None)


def test_bounds_of_a_verdict_belong_to_it() -> None:
    """A corrected p-value of alpha fails, and so does a drop of exactly the least effect, whatever rounding makes of it."""
    drop = paired_evidence(
        Demand("no_regression", 0.03, 0.3 - 0.2), pair(10, 30, 150, 10), True
    )  # 0.1 and 0.09999999999999998
    assert drop.harmful
    assert paired_evidence(Demand("no_regression", 0.03, 0.1 + 1e-13), pair(10, 30, 150, 10), True).harmful
    assert paired_evidence(Demand("equivalence", 0.03, 0.1 + 1e-13), pair(10, 30, 150, 10), True).harmful
    assert not paired_evidence(Demand("equivalence", 0.03, 0.1 + 1e-9), pair(10, 30, 150, 10), True).harmful
    assert not paired_evidence(Demand("no_regression", 0.03, 0.1 + 1e-9), pair(10, 30, 150, 10), True).harmful
    assert verdict(drop, 0.05, 0.05) == "FAIL"
    assert verdict(drop, 0.0501, 0.05) == "INCONCLUSIVE"


def test_no_change_is_no_harm_even_without_a_least_effect() -> None:
    found = paired_evidence(Demand("no_regression", 0.03, 0.0), pair(20, 20), True)
    assert (found.delta, found.harmful) == (0.0, False)
