from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mmeval.stats.correlation import Kind, compare_correlations, correlation
from mmeval.stats.dependent_correlations import DependentCorrelations, meng_z, steiger_z, williams_t, zou_interval
from mmeval.stats.logistic_mapping import mapped_plcc
from mmeval.stats.resampling import BootstrapPlan

KINDS: tuple[Kind, ...] = ("pearson", "spearman")
PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=12)


def _sample(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    reference = generator.normal(size=n)
    return reference + generator.normal(0, 0.5, n), reference + generator.normal(0, 1.0, n), reference


def test_fisher_interval_is_scipys() -> None:
    x, _, y = _sample(60)
    found = correlation(x, y)
    expected = stats.pearsonr(x, y).confidence_interval(0.95)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert found.estimate == pytest.approx(stats.pearsonr(x, y).statistic)


@settings(deadline=None)
@given(PAIRS)
def test_spearman_is_scipys_with_ties(rows: list[tuple[int, int]]) -> None:
    x, y = [row[0] for row in rows], [row[1] for row in rows]
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    assert correlation(x, y, "spearman").estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_spearman_interval_is_wider_than_pearsons() -> None:
    x, _, y = _sample(60)
    found = correlation(x, y, "spearman")
    assert found.estimate is not None
    assert found.interval is not None
    half = 1.959964 * math.sqrt((1 + found.estimate**2 / 2) / 57)
    assert math.atanh(found.interval.high) - math.atanh(found.estimate) == pytest.approx(half, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_bca_agrees_with_scipy(kind: Kind) -> None:
    x, _, y = _sample(40)
    x = np.round(x, 1)  # ties
    statistic = (
        (lambda a, b: stats.pearsonr(a, b).statistic) if kind == "pearson" else (lambda a, b: stats.spearmanr(a, b)[0])
    )
    expected = stats.bootstrap(
        (x, y), statistic, paired=True, vectorized=False, n_resamples=1000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    found = correlation(x, y, kind, interval="bootstrap", plan=BootstrapPlan(8000, 3, method="bca")).interval
    assert found is not None
    assert found.method == "bootstrap-bca"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_bca_is_reproducible_and_ignores_item_order(kind: Kind) -> None:
    x, _, y = _sample(30)
    first = correlation(x, y, kind, interval="bootstrap", plan=BootstrapPlan(500, 4, method="bca"))
    assert first == correlation(x, y, kind, interval="bootstrap", plan=BootstrapPlan(500, 4, method="bca"))
    assert (
        first.interval
        != correlation(x, y, kind, interval="bootstrap", plan=BootstrapPlan(500, 5, method="bca")).interval
    )
    assert "seed 4" in first.note


def test_repeated_clusters_choose_the_cluster_bootstrap() -> None:
    x, _, y = _sample(40)
    twice = correlation(
        np.repeat(x, 5), np.repeat(y, 5), clusters=np.repeat(np.arange(40), 5), plan=BootstrapPlan(4000, method="bca")
    )
    naive = correlation(np.repeat(x, 5), np.repeat(y, 5))
    once = correlation(x, y, interval="bootstrap", plan=BootstrapPlan(4000, method="bca"))
    assert twice.clusters == 40
    assert once.interval is not None
    assert twice.interval is not None
    assert naive.interval is not None
    assert (twice.interval.low, twice.interval.high) == pytest.approx((once.interval.low, once.interval.high), abs=1e-9)
    assert twice.interval.high - twice.interval.low > 1.5 * (naive.interval.high - naive.interval.low)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.sampled_from(KINDS), st.booleans())
def test_no_table_gives_nan(rows: list[tuple[int, int]], kind: Kind, clustered: bool) -> None:
    x, y = [row[0] for row in rows], [row[1] for row in rows]
    labels = [value % 2 for value in range(len(rows))] if clustered else None
    found = correlation(x, y, kind, interval="bootstrap", clusters=labels, plan=BootstrapPlan(100, method="bca"))
    assert (found.estimate is None) == (len(set(x)) < 2 or len(set(y)) < 2)
    assert found.estimate is None or -1 <= found.estimate <= 1
    if found.interval is not None:
        assert -1 <= found.interval.low <= found.interval.high <= 1
    else:
        assert found.note


def test_extreme_values_do_not_overflow() -> None:
    assert correlation([1e308, -1e308, 0.0], [1.0, 0.0, 0.5]).estimate == pytest.approx(1.0)
    assert correlation([1e-320, 0.0, 2e-320], [1.0, 0.0, 2.0]).estimate == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_swapping_the_models_negates_the_difference(kind: Kind) -> None:
    a, b, reference = _sample(80)
    forth = compare_correlations(a, b, reference, kind, plan=BootstrapPlan(2000, method="bca"))
    back = compare_correlations(b, a, reference, kind, plan=BootstrapPlan(2000, method="bca"))
    assert forth is not None
    assert back is not None
    assert forth.estimate == -back.estimate
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.p_value is not None
    assert forth.p_value < 0.05
    assert forth.interval is not None
    assert back.interval is not None
    assert forth.interval.low > 0
    assert (forth.interval.low, forth.interval.high) == pytest.approx(
        (-back.interval.high, -back.interval.low), abs=1e-3
    )


def test_perfectly_correlated_models_do_not_differ() -> None:
    a, _, reference = _sample(50)
    for kind in KINDS:
        found = compare_correlations(3 * a + 0.1, a, reference, kind, plan=BootstrapPlan(200, method="bca"))
        assert found is not None
        assert found.p_value == 1.0
        assert found.estimate == pytest.approx(0.0, abs=1e-12)


def test_a_constant_model_has_no_difference() -> None:
    assert compare_correlations([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) is None


@pytest.mark.slow
def test_meng_keeps_its_size_and_zou_covers() -> None:
    generator = np.random.default_rng(11)
    replications = 2000
    rejected = covered = 0
    for _ in range(replications):
        reference = generator.normal(size=60)
        shared = generator.normal(size=60)
        a = reference + shared + generator.normal(size=60)
        b = reference + shared + generator.normal(size=60)
        found = compare_correlations(a, b, reference)
        assert found is not None
        assert found.p_value is not None
        assert found.interval is not None
        rejected += found.p_value < 0.05
        covered += found.interval.low <= 0 <= found.interval.high
    assert rejected / replications == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / replications) + 0.005)
    assert covered / replications == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / replications) + 0.005)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, math.pi), st.integers(2, 50))
def test_tests_of_coefficients_are_never_nan(first: float, second: float, angle: float, n: int) -> None:
    between = first * second + math.cos(angle) * math.sqrt((1 - first**2) * (1 - second**2))
    found = DependentCorrelations(first, second, min(1.0, max(-1.0, between)), n)
    for test in (meng_z, steiger_z, williams_t):
        result = test(found)
        assert 0 <= result.p_value <= 1
        assert result.statistic is None or not math.isnan(result.statistic)
    interval = zou_interval(found)
    if interval is not None:
        assert interval.low <= first - second + 1e-9
        assert interval.high >= first - second - 1e-9


def test_impossible_correlations_are_refused() -> None:
    with pytest.raises(ValueError, match="no data"):
        DependentCorrelations(0.9, -0.9, 0.9, 30)
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        DependentCorrelations(1.1, 0.0, 0.0, 30)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="length"):
        correlation([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        correlation([1.0, math.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="labels"):
        correlation([1.0, 2.0], [1.0, 2.0], clusters=["x"])


def test_mapping_recovers_a_planted_logistic() -> None:
    generator = np.random.default_rng(9)
    x = generator.uniform(10, 50, 300)
    y = 80 / (1 + np.exp(-(x - 30) / 3)) + 15
    exact = mapped_plcc(x, y, 4)
    assert exact.converged
    assert exact.plcc == pytest.approx(1.0, abs=1e-9)
    assert exact.coefficients == pytest.approx((95, 15, 30, 3), rel=1e-4)
    assert exact.rmse == pytest.approx(0.0, abs=1e-3)
    noisy = mapped_plcc(x, y + generator.normal(0, 5, 300), 4)
    plain = correlation(x, y).estimate
    assert noisy.plcc is not None
    assert plain is not None
    assert noisy.plcc > plain
    assert noisy.rmse == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("parameters", [4, 5])
def test_mapping_is_at_least_the_line_and_turns_falling_predictions(parameters: int) -> None:
    x, _, y = _sample(200, 6)
    rising = mapped_plcc(x, y, parameters)  # type: ignore[arg-type]
    falling = mapped_plcc(-1000 * x, y, parameters)  # type: ignore[arg-type]
    plain = correlation(x, y).estimate
    assert rising.plcc is not None
    assert plain is not None
    assert rising.plcc >= plain - 1e-6
    assert falling.plcc == pytest.approx(rising.plcc, abs=1e-5)
    assert "turns them round" in falling.note


def test_five_coefficients_describe_the_mapped_curve() -> None:
    x, _, y = _sample(200, 6)
    found = mapped_plcc(x, 100 * y + 7, 5)
    assert found.coefficients is not None
    b1, b2, b3, b4, b5 = found.coefficients
    mapped = b1 * (0.5 - 1 / (1 + np.exp(b2 * (x - b3)))) + b4 * x + b5
    assert found.rmse == pytest.approx(float(np.sqrt(np.mean((mapped - 100 * y - 7) ** 2))), rel=1e-6)
    assert found.plcc == pytest.approx(np.corrcoef(mapped, y)[0, 1], abs=1e-9)


def test_mapping_stands_back_where_it_cannot_be_fitted() -> None:
    few = mapped_plcc([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0], 5)
    assert not few.converged
    assert few.plcc == correlation([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]).estimate
    assert "no mapping" in few.note
    constant = mapped_plcc([1.0] * 9, list(range(9)))
    assert constant.plcc is None
    assert "constant" in constant.note
    with pytest.raises(ValueError, match="4 or 5"):
        mapped_plcc([1.0], [1.0], 3)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 4)), min_size=2, max_size=15), st.sampled_from([4, 5]))
def test_mapping_is_never_nan(rows: list[tuple[int, int]], parameters: int) -> None:
    found = mapped_plcc([row[0] for row in rows], [row[1] for row in rows], parameters)  # type: ignore[arg-type]
    assert found.plcc is None or -1 <= found.plcc <= 1
    assert found.rmse is None or math.isfinite(found.rmse)
