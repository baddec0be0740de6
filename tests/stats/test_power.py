from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmeval.stats.paired import PairedTable, mcnemar_exact, mcnemar_mid_p
from mmeval.stats.power import (
    Aim,
    Noise,
    cluster_design_effect,
    mcnemar_power,
    mcnemar_sample_size,
    mean_difference_sample_size,
    mean_minimum_detectable_effect,
    minimum_detectable_effect,
    non_inferiority_margin,
    non_inferiority_power,
    non_inferiority_sample_size,
)

# Items for 80 % power, two-sided 0.05, by discordance and difference (Connor's formula).
CONNOR = {
    0.05: {0.01: 3923, 0.02: 979, 0.03: 434},
    0.10: {0.01: 7847, 0.02: 1960, 0.03: 870, 0.05: 312},
    0.20: {0.01: 15696, 0.02: 3923, 0.03: 1742, 0.05: 626},
    0.30: {0.01: 23545, 0.02: 5885, 0.03: 2614, 0.05: 940},
}
# Smallest difference in points, at discordance 10 % and 20 %, to the precision published.
DETECTABLE = {
    198: (6.3, 8.9),
    500: (4.0, 5.6),
    1000: (2.8, 4.0),
    1500: (2.3, 3.2),
    3000: (1.6, 2.3),
    5000: (1.25, 1.8),
}


def test_mcnemar_sizes() -> None:
    for discordance, row in CONNOR.items():
        for difference, n in row.items():
            assert mcnemar_sample_size(discordance, difference) == n
            assert mcnemar_sample_size(discordance, -difference) == n


def test_detectable_effects() -> None:
    for n, expected in DETECTABLE.items():
        computed = [100 * (minimum_detectable_effect(n, discordance) or 0) for discordance in (0.1, 0.2)]
        assert computed == pytest.approx(expected, abs=0.051)


@settings(deadline=None)
@given(st.floats(0.01, 1), st.integers(1, 100_000), st.floats(1, 10))
def test_detectable_effect_inverts_the_sample_size(discordance: float, n: int, effect: float) -> None:
    difference = minimum_detectable_effect(n, discordance, design_effect=effect)
    if difference is None:
        assert mcnemar_sample_size(discordance, discordance, design_effect=effect) > n
        return
    assert 0 < difference <= discordance
    assert mcnemar_sample_size(discordance, difference * (1 - 1e-9), design_effect=effect) in (n, n + 1)
    more = minimum_detectable_effect(2 * n, discordance, design_effect=effect)
    assert more is not None
    assert more < difference


def test_nothing_is_detectable_where_models_agree() -> None:
    assert minimum_detectable_effect(1000, 0.0) is None
    assert minimum_detectable_effect(5, 0.1) is None


def test_power_by_enumeration() -> None:
    assert mcnemar_power(23, 0.05, 0.45, method="exact") == pytest.approx(0.777, abs=6e-4)
    assert mcnemar_power(23, 0.05, 0.45) == pytest.approx(0.848, abs=6e-4)
    assert mcnemar_power(100, 0.1, 0.1, method="exact") == pytest.approx(0.029, abs=6e-4)
    assert mcnemar_power(100, 0.1, 0.1) == pytest.approx(0.046, abs=6e-4)


@pytest.mark.parametrize(("losses", "gains", "alpha"), [(0.1, 0.25, 0.05), (0.3, 0.3, 0.01), (0.0, 0.4, 0.2)])
def test_power_is_the_sum_over_all_tables(losses: float, gains: float, alpha: float) -> None:
    n = 14
    rest = 1 - losses - gains
    for method, test in (("mid-p", mcnemar_mid_p), ("exact", mcnemar_exact)):
        total = 0.0
        for b in range(n + 1):
            for c in range(n + 1 - b):
                if test(PairedTable(n - b - c, b, c, 0)).p_value <= alpha:
                    ways = math.comb(n, b) * math.comb(n - b, c)
                    total += ways * losses**b * gains**c * rest ** (n - b - c)
        computed = mcnemar_power(n, losses, gains, alpha, method)  # type: ignore[arg-type]
        assert computed == pytest.approx(total, abs=1e-9)


def test_power_limits() -> None:
    assert mcnemar_power(0, 0.1, 0.2) == 0
    assert mcnemar_power(100, 0, 0) == 0
    assert mcnemar_power(3, 0.5, 0.5) == 0  # three discordant pairs never reject
    assert mcnemar_power(20_000, 0.1, 0.2) == pytest.approx(1)
    sized = mcnemar_sample_size(0.2, 0.02)
    assert mcnemar_power(sized, 0.09, 0.11) == pytest.approx(0.8, abs=0.01)


def test_miller() -> None:
    assert mean_difference_sample_size(0.03, Noise(1 / 9)) == 969
    assert mean_difference_sample_size(0.03, Noise(1 / 9, 1 / 6, 1 / 6)) == 3876
    assert mean_difference_sample_size(0.03, Noise(1 / 9, 1 / 6, 1 / 6, 10, 10)) == 1260
    assert mean_minimum_detectable_effect(198, Noise(1 / 9, 1 / 6, 1 / 6)) == pytest.approx(0.133, abs=6e-4)
    assert mean_minimum_detectable_effect(198, Noise(1 / 9, 1 / 6, 1 / 6, 10, 10)) == pytest.approx(0.076, abs=6e-4)
    assert mean_difference_sample_size(0.03, Noise(1 / 9), design_effect=4) == 3876


def test_non_inferiority_sizes() -> None:
    assert [non_inferiority_sample_size(d, 0.01) for d in (0.05, 0.1, 0.2)] == [3092, 6183, 12366]
    assert [non_inferiority_sample_size(d, 0.02) for d in (0.05, 0.1, 0.2)] == [773, 1546, 3092]
    assert [non_inferiority_sample_size(d, 0.03) for d in (0.05, 0.1, 0.2, 0.3)] == [344, 687, 1374, 2061]


@settings(deadline=None)
@given(st.floats(0.02, 0.6), st.floats(0.005, 0.2), st.floats(-0.004, 0.01), st.floats(1, 8))
def test_non_inferiority_power_meets_its_sample_size(
    discordance: float, margin: float, difference: float, effect: float
) -> None:
    n = non_inferiority_sample_size(discordance, margin, difference, design_effect=effect)
    assume(n > 1)
    assert non_inferiority_power(n, discordance, margin, difference, design_effect=effect) >= 0.8 - 1e-9
    assert non_inferiority_power(n - 1, discordance, margin, difference, design_effect=effect) < 0.8 + 1e-6


def test_smallest_margin_inverts_the_sample_size() -> None:
    margin = non_inferiority_margin(1546, 0.1)
    assert margin == pytest.approx(0.02, abs=1e-5)
    assert non_inferiority_margin(1000, 0.2) == pytest.approx(2.4865 * math.sqrt(0.2 / 1000), rel=1e-4)
    assert non_inferiority_power(50, 0.0, 0.01) == 1
    assert non_inferiority_power(50, 0.0, 0.0) == 0


def test_design_effect_of_equal_clusters_is_kish() -> None:
    assert cluster_design_effect(np.repeat([1.0, 0.0, 1.0, 0.0, 1.0], 4), np.repeat(range(5), 4)) == pytest.approx(
        5 / 4 * 19 / 5, rel=1e-9
    )  # clusters of four equal items: variance over 5 units instead of 20
    generator = np.random.default_rng(2)
    values, labels = generator.normal(size=4000), np.repeat(range(1000), 4)
    assert cluster_design_effect(values, labels) == pytest.approx(1, abs=0.2)
    assert cluster_design_effect(values, np.arange(4000)) == pytest.approx(1, rel=1e-9)
    assert cluster_design_effect([0.0, 0.0], [1, 2]) is None
    assert cluster_design_effect([0.0, 1.0], [1, 1]) is None


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="difference of 0"):
        mcnemar_sample_size(0.1, 0.0)
    with pytest.raises(ValueError, match="not exceed"):
        mcnemar_sample_size(0.1, 0.2)
    with pytest.raises(ValueError, match="n must be"):
        minimum_detectable_effect(0, 0.1)
    with pytest.raises(ValueError, match="disjoint"):
        mcnemar_power(10, 0.6, 0.6)
    with pytest.raises(ValueError, match="alpha"):
        Aim(alpha=0)
    with pytest.raises(ValueError, match="sides"):
        Aim(sides=3)
    with pytest.raises(ValueError, match="exceed the level"):
        Aim(power=0.01)
    with pytest.raises(ValueError, match="variances"):
        Noise(-1)
    with pytest.raises(ValueError, match="answer per item"):
        Noise(1, baseline_samples=0)
    with pytest.raises(ValueError, match="cannot be shown"):
        non_inferiority_sample_size(0.1, 0.01, -0.02)
    with pytest.raises(ValueError, match="design effect"):
        mean_difference_sample_size(0.03, Noise(1), design_effect=0)
