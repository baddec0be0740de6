from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from mmeval.stats.intervals import cluster_mean
from mmeval.stats.resampled_means import bootstrap_means
from mmeval.stats.resampling import (
    Bootstrap,
    BootstrapPlan,
    Design,
    bootstrap_indices,
    bootstrap_weights,
)

PERCENTILE = BootstrapPlan(resamples=1999, seed=5)
BCA = BootstrapPlan(resamples=1999, seed=5, method="bca")
Floats = npt.NDArray[np.float64]


def models(n: int = 60, seed: int = 0) -> Floats:
    generator = np.random.default_rng(seed)
    baseline = generator.exponential(size=n)
    return np.stack([baseline, baseline + generator.normal(0.05, 0.3, size=n)])


def limits(bootstrap: Bootstrap, *cell: int) -> list[float]:
    interval = bootstrap.interval(cell)
    assert interval is not None
    return [interval.low, interval.high]


@pytest.mark.parametrize(("method", "name"), [("percentile", "percentile"), ("bca", "BCa")])
def test_limits_are_scipys(method: str, name: str) -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    values = models(40)[0]
    ours = bootstrap_means(values, Design.of(40), BootstrapPlan(40_000, seed=1, method=method))  # type: ignore[arg-type]
    expected = scipy_bootstrap(
        (values,), np.mean, method=name, n_resamples=40_000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert limits(ours) == pytest.approx([expected.low, expected.high], abs=0.02)
    assert ours.standard_error() == pytest.approx(values.std() / math.sqrt(40), rel=0.03)


def test_bca_moves_the_limits_of_a_skewed_mean_to_the_right() -> None:
    values = models(40)[0]
    plain, corrected = (bootstrap_means(values, Design.of(40), plan) for plan in (PERCENTILE, BCA))
    assert limits(corrected)[0] > limits(plain)[0]
    assert limits(corrected)[1] > limits(plain)[1]


@pytest.mark.parametrize("plan", [PERCENTILE, BCA])
def test_the_three_ways_agree_on_a_mean(plan: BootstrapPlan) -> None:
    scores = models(60)
    labels = [f"image-{i // 4}" for i in range(60)]
    design = Design.of(60, labels)
    by_means = bootstrap_means(scores, design, plan)
    by_weights = bootstrap_weights(lambda weights: scores @ weights / weights.sum(), design, plan)
    by_indices = bootstrap_indices(lambda items: scores[:, items].mean(axis=1), design, plan)
    for other in (by_weights, by_indices):
        assert limits(other, 1) == pytest.approx(limits(by_means, 1), abs=1e-5)
        one, two = other.difference(1, 0), by_means.difference(1, 0)
        assert one.p_value == pytest.approx(two.p_value, abs=1e-3)
        assert one.standard_error == pytest.approx(two.standard_error, rel=1e-4)
        assert one.clusters == 15
    assert by_means.method == f"cluster-bootstrap-{plan.method}"


@pytest.mark.parametrize("cells", [1, 1000, 8_000_000])
def test_narrow_and_wide_subsets_get_the_same_means(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some subsets share a matrix product, in one block or several; narrow ones have their own."""
    monkeypatch.setattr("mmeval.stats.resampled_means._TABLE_CELLS", cells)
    scores, generator = models(200), np.random.default_rng(4)
    labels = np.arange(200) // 4
    subsets = [generator.random(200) < share for share in (0.9, 0.5, 0.2)]
    subsets[1:1] = [labels == 7, labels < 3]
    found = bootstrap_means(scores, Design.of(200, labels), BCA, subsets)
    for place, member in enumerate(subsets):
        alone = bootstrap_weights(
            lambda weights, member=member: (  # type: ignore[misc]
                scores @ (weights * member) / np.dot(weights, member) if np.dot(weights, member) else [math.nan] * 2
            ),
            Design.of(200, labels),
            BCA,
        )
        assert found.point[:, place] == pytest.approx(alone.point)
        assert found.replicates[:, place] == pytest.approx(alone.replicates, abs=1e-6, nan_ok=True)
        assert found.jackknife is not None
        assert found.jackknife[:, place] == pytest.approx(alone.jackknife, abs=1e-12, nan_ok=True)


def test_clusters_are_drawn_whole() -> None:
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(50), 6)
    values = generator.normal(size=50)[labels] + generator.normal(0, 0.3, size=300)
    by_cluster = bootstrap_means(values, Design.of(300, labels), PERCENTILE).standard_error()
    by_item = bootstrap_means(values, Design.of(300), PERCENTILE).standard_error()
    assert by_cluster == pytest.approx(cluster_mean(values, labels).standard_error, rel=0.08)
    assert by_item is not None
    assert by_cluster is not None
    assert by_cluster > 2 * by_item


def test_strata_keep_their_sizes() -> None:
    strata = ["easy"] * 30 + ["hard"] * 10
    scores = np.array([1.0] * 30 + [0.0] * 10)
    assert bootstrap_means(scores, Design.of(40, strata=strata), PERCENTILE).interval() is None
    assert bootstrap_means(scores, Design.of(40), PERCENTILE).interval() is not None
    generator = np.random.default_rng(4)
    noisy = scores + generator.normal(0, 0.1, size=40)
    macro = bootstrap_weights(
        lambda w: (noisy[:30] @ w[:30] / w[:30].sum() + noisy[30:] @ w[30:] / w[30:].sum()) / 2,
        Design.of(40, strata=strata),
        BCA,
    )
    expected = math.sqrt(noisy[:30].var() / 30 + noisy[30:].var() / 10) / 2
    assert macro.standard_error() == pytest.approx(expected, rel=0.08)
    assert macro.method == "stratified-bootstrap-bca"
    low, high = limits(macro)
    assert low < macro.point < high


def test_pairing_makes_differences_sharper_than_single_scores() -> None:
    bootstrap = bootstrap_means(models(200), Design.of(200), PERCENTILE)
    difference = bootstrap.difference(1, 0)
    assert difference.standard_error is not None
    assert difference.standard_error < (bootstrap.standard_error(0) or 0) / 2
    reverse = bootstrap.difference(0, 1)
    assert reverse.p_value == pytest.approx(difference.p_value, abs=1e-12)
    assert reverse.interval is not None
    assert difference.interval is not None
    assert (reverse.interval.low, reverse.interval.high) == pytest.approx(
        (-difference.interval.high, -difference.interval.low), abs=1e-6
    )


@pytest.mark.parametrize("plan", [PERCENTILE, BCA])
@pytest.mark.parametrize("shift", [-0.4, -0.1, 0.0, 0.1, 0.4])
def test_p_value_is_where_the_interval_touches_zero(plan: BootstrapPlan, shift: float) -> None:
    scores = models(50, seed=6)
    scores[1] += shift * 0.3 - (scores[1] - scores[0]).mean()
    scores[1] += np.random.default_rng(9).exponential(0.2, size=50) - 0.2
    difference = bootstrap_means(scores, Design.of(50), plan).difference(1, 0)
    assert (difference.n, difference.clusters) == (50, None)
    p_value = difference.p_value
    assert p_value is not None
    assert 1 / plan.resamples / 2 < p_value <= 1
    for factor, excludes in ((1.1, True), (0.9, False)):
        if not 0.02 < p_value * factor < 0.99:
            continue
        level = 1 - p_value * factor
        again = BootstrapPlan(plan.resamples, plan.seed, level, plan.method)
        interval = bootstrap_means(scores, Design.of(50), again).difference(1, 0).interval
        assert interval is not None
        assert (not interval.low <= 0 <= interval.high) == excludes


def test_subsets_share_the_draws() -> None:
    scores = models(90, seed=7)
    members = np.stack([np.arange(90) % 3 == 0, np.arange(90) < 30, np.ones(90, dtype=bool)])
    labels = np.arange(90) // 2
    together = bootstrap_means(scores, Design.of(90, labels), BCA, members)
    assert together.point == pytest.approx(np.stack([scores[:, chosen].mean(axis=1) for chosen in members], axis=1))
    alone = bootstrap_means(scores, Design.of(90, labels), BCA)
    assert limits(together, 1, 2) == pytest.approx(limits(alone, 1), abs=1e-6)
    weights = bootstrap_weights(lambda w: (scores[0] * members[0]) @ w / (members[0] @ w), Design.of(90, labels), BCA)
    assert limits(together, 0, 0) == pytest.approx(limits(weights), abs=1e-4)


def test_a_subset_that_resamples_miss() -> None:
    scores = models(40)
    members = np.stack([np.arange(40) < 1, np.arange(40) < 20])
    bootstrap = bootstrap_means(scores, Design.of(40), PERCENTILE, members)
    assert bootstrap.interval((0, 0)) is None
    assert bootstrap.standard_error((0, 0)) is None
    missed = bootstrap.difference((1, 0), (0, 0))
    assert (missed.interval, missed.p_value) == (None, None)
    assert "undefined in resamples" in missed.note
    assert bootstrap.interval((0, 1)) is not None


@pytest.mark.parametrize("plan", [PERCENTILE, BCA])
def test_without_variation_there_is_no_interval(plan: BootstrapPlan) -> None:
    full = bootstrap_means(np.array([[1.0] * 20, [1.0] * 20, [0.25] * 20]), Design.of(20), plan)
    assert full.interval(0) is None
    same = full.difference(1, 0)
    assert (same.p_value, same.interval, same.standard_error) == (1, None, None)
    apart = full.difference(2, 0)
    assert (apart.estimate, apart.p_value, apart.interval) == (-0.75, None, None)
    assert "does not vary" in apart.note
    one = bootstrap_means([0.5], Design.of(1), plan)
    assert one.interval() is None


def test_equal_models_do_not_differ_by_rounding() -> None:
    values = np.random.default_rng(8).random(5000)
    bootstrap = bootstrap_means(np.stack([values] * 5), Design.of(5000), BootstrapPlan(200))
    assert [bootstrap.difference(i, 0).p_value for i in range(1, 5)] == [1, 1, 1, 1]


def test_nearly_perfect_scores_keep_bca_finite() -> None:
    scores = np.ones(50)
    scores[7] = 0
    low, high = limits(bootstrap_means(scores, Design.of(50), BCA))
    assert 0.7 < low < 0.98 < high <= 1


def test_a_ratio_of_sums() -> None:
    generator = np.random.default_rng(9)
    words = generator.integers(3, 30, size=80).astype(float)
    errors = np.floor(words * generator.random(80) * 0.3)
    rate = bootstrap_weights(lambda w: w @ errors / (w @ words), Design.of(80), PERCENTILE)
    assert float(rate.point) == pytest.approx(errors.sum() / words.sum())
    residual = errors - float(rate.point) * words
    linearised = math.sqrt(residual.var() / 80) / words.mean()
    assert rate.standard_error() == pytest.approx(linearised, rel=0.06)


def test_seeds_decide_and_the_order_of_items_does_not() -> None:
    scores = models(60)
    labels = np.array([f"image-{i // 3}" for i in range(60)])
    first = bootstrap_means(scores, Design.of(60, labels), PERCENTILE)
    again = bootstrap_means(scores, Design.of(60, labels), PERCENTILE)
    assert first.replicates.tobytes() == again.replicates.tobytes()
    other = bootstrap_means(scores, Design.of(60, labels), BootstrapPlan(1999, seed=6))
    assert limits(other, 0) != limits(first, 0)
    order = np.random.default_rng(1).permutation(60)
    shuffled = bootstrap_means(scores[:, order], Design.of(60, labels[order]), PERCENTILE)
    assert limits(shuffled, 0) == pytest.approx(limits(first, 0), abs=1e-5)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = models(60)
    whole = bootstrap_means(scores, Design.of(60), PERCENTILE)
    monkeypatch.setattr("mmeval.stats.resampling._CHUNK_CELLS", 60 * 7)
    assert limits(bootstrap_means(scores, Design.of(60), PERCENTILE), 0) == pytest.approx(limits(whole, 0), abs=1e-5)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="at least 100 resamples"):
        BootstrapPlan(10)
    with pytest.raises(ValueError, match="unknown bootstrap method"):
        BootstrapPlan(method="basic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="level"):
        BootstrapPlan(level=95)
    with pytest.raises(ValueError, match="seed"):
        BootstrapPlan(seed=-1)
    with pytest.raises(ValueError, match="no items"):
        Design.of(0)
    with pytest.raises(ValueError, match="two strata"):
        Design.of(2, ["a", "a"], ["x", "y"])
    with pytest.raises(ValueError, match=r"shape \(models, 3\)"):
        bootstrap_means([[1.0, 2.0]], Design.of(3))
    with pytest.raises(ValueError, match="finite"):
        bootstrap_means([1.0, math.nan], Design.of(2))
    with pytest.raises(ValueError, match="subset 1 has no item"):
        bootstrap_means([1.0, 0.0], Design.of(2), subsets=[[True, True], [False, False]])
    with pytest.raises(ValueError, match=r"\(subsets, 2\)"):
        bootstrap_means([1.0, 0.0], Design.of(2), subsets=[True, True])
    with pytest.raises(ValueError, match="undefined on the data"):
        bootstrap_weights(lambda w: [math.nan, 1.0], Design.of(3), BootstrapPlan(100)).difference(1, 0)
    sizes = iter([1, 1, *[2] * 200])
    with pytest.raises(ValueError, match="the metric returned shape"):
        bootstrap_weights(lambda w: np.ones(next(sizes)), Design.of(3), BootstrapPlan(100))
