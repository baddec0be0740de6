"""The statistics of one gate rule, against the tests that they are made of and values worked out by hand."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

from mmeval.analysis.gate_policy import Kind
from mmeval.analysis.gate_verdicts import Demand, adjusted, level_evidence, paired_evidence, verdict
from mmeval.stats.functionals import RatioMean
from mmeval.stats.intervals import wilson
from mmeval.stats.paired import PairedTable, mcnemar_mid_p
from mmeval.stats.pairs import Pair, pair_of
from mmeval.stats.power import Aim

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
