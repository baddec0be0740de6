"""Correlations of two variables, and the difference of two that share a reference, from data.

Tests of correlation coefficients themselves are in `mmeval.stats.dependent_correlations`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.dependent_correlations import ROUNDING, DependentCorrelations, fisher_bounds, meng_z, zou_interval
from mmeval.stats.intervals import FloatArray, Interval, Labels
from mmeval.stats.resampling import BootstrapPlan, Design, bootstrap_weights
from mmeval.stats.results import Difference
from mmeval.stats.scores import cluster_index

Kind: TypeAlias = Literal["pearson", "spearman"]

BCA_PLAN = BootstrapPlan(method="bca")


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation coefficient with its interval."""

    kind: Kind
    estimate: float | None
    """None where it is undefined: fewer than two pairs, or one side constant."""
    interval: Interval | None
    """None where the data cannot give one; the note says why."""
    n: int
    clusters: int | None
    """Independent clusters; None where pairs are taken as independent."""
    note: str = ""


def correlation(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    kind: Kind = "pearson",
    *,
    interval: Literal["fisher", "bootstrap"] = "fisher",
    clusters: Labels | None = None,
    plan: BootstrapPlan = BCA_PLAN,
) -> Correlation:
    """Return Pearson's or Spearman's correlation of two variables.

    Fisher's interval: tanh(atanh r -+ z s) with s^2 = 1/(n-3) for Pearson, (1 + r^2/2)/(n-3) for Spearman (Bonett and
    Wright 2000). Bootstrap: over pairs, ranks taken anew in each resample. Where clusters repeat, whole clusters are
    resampled, whatever interval was asked for.

    Args:
        x, y: finite values, shape (n,).
        clusters: cluster label of each pair; None takes pairs as independent.
        plan: confidence level of either interval; resamples, seed and method of the bootstrap.

    Raises:
        ValueError: when lengths differ or a value is not finite.
    """
    left, right = _columns(x, y)
    count = _repeated(clusters, left.size)
    estimate = _coefficient(kind, left, right)
    if estimate is None:
        reason = "fewer than two pairs" if left.size < 2 else "one side is constant"
        return Correlation(kind, None, None, left.size, count, f"{reason}: no correlation")
    if interval == "fisher" and count is None:
        found, note = _fisher(kind, estimate, left.size, plan.level)
        return Correlation(kind, estimate, found, left.size, None, note)
    measure = _weighted_correlation(kind, left, right)
    bootstrap = bootstrap_weights(measure, Design.of(left.size, clusters), plan)
    found, note = bootstrap.interval(), f"{plan.resamples} resamples, seed {plan.seed}"
    if found is None:
        note += "; no interval: resamples do not differ or are too often undefined"
    return Correlation(kind, estimate, None if found is None else found.clip(-1.0, 1.0), left.size, count, note)


def compare_correlations(
    candidate: npt.ArrayLike,
    baseline: npt.ArrayLike,
    reference: npt.ArrayLike,
    kind: Kind = "pearson",
    *,
    clusters: Labels | None = None,
    plan: BootstrapPlan = BCA_PLAN,
) -> Difference | None:
    """Return how much better the candidate correlates with the reference than the baseline does, on the same items.

    Pearson on independent items: Zou's interval and the z test of Meng, Rosenthal and Rubin (1992). Spearman, and every
    case where clusters repeat: paired bootstrap of the difference; Meng's p is then in the note as a cross-check of
    independent items. None where a side has no correlation with the reference (a constant, or fewer than two items).

    Args:
        candidate, baseline, reference: finite values, shape (n,).
        clusters, plan: see `correlation`.

    Raises:
        ValueError: when lengths differ or a value is not finite.
    """
    new, old, target = _columns(candidate, baseline, reference)
    count = _repeated(clusters, new.size)
    first, second = _coefficient(kind, new, target), _coefficient(kind, old, target)
    if first is None or second is None:
        return None
    between = _coefficient(kind, new, old)
    assert between is not None
    dependent = DependentCorrelations(first, second, between, new.size)
    meng = meng_z(dependent)
    if kind == "pearson" and count is None:
        zou = zou_interval(dependent, plan.level)
        note = meng.note or ("" if zou is not None else "no Zou interval: too few items or a correlation of 1 or -1")
        return Difference(first - second, None, zou, new.size, None, meng.method, meng.p_value, note)
    measures = [_weighted_correlation(kind, side, target) for side in (new, old)]
    design = Design.of(new.size, clusters)
    bootstrap = bootstrap_weights(lambda weights: [measure(weights) for measure in measures], design, plan)
    found = bootstrap.difference(0, 1)
    check = f"; {meng.method} on {kind}: p = {meng.p_value:.4g}" if count is None else ""
    interval = None if found.interval is None else found.interval.clip(-2.0, 2.0)
    return replace(found, estimate=first - second, interval=interval, note=found.note + check)


def _columns(*columns: npt.ArrayLike) -> list[FloatArray]:
    arrays = [np.asarray(column, dtype=np.float64).ravel() for column in columns]
    if len({array.size for array in arrays}) > 1:
        raise ValueError(f"columns of different length: {[array.size for array in arrays]}")
    if not all(bool(np.all(np.isfinite(array))) for array in arrays):
        raise ValueError("values must be finite")
    return arrays


def _repeated(clusters: Labels | None, n: int) -> int | None:
    """Return the number of clusters where some repeat, else None."""
    count = int(cluster_index(clusters, n).max(initial=-1)) + 1
    return count if count < n else None


def _fisher(kind: Kind, r: float, n: int, level: float) -> tuple[Interval | None, str]:
    if n <= 3:
        return None, "fewer than four pairs: no interval"
    if abs(r) >= 1 - ROUNDING:
        return None, "a correlation of 1 or -1: Fisher's interval would have no width"
    variance = 1 / (n - 3) if kind == "pearson" else (1 + r * r / 2) / (n - 3)
    low, high = fisher_bounds(r, variance, level)
    return Interval(low, high, level, "fisher" if kind == "pearson" else "fisher-bonett-wright"), ""


def _standardised(data: FloatArray) -> FloatArray | None:
    """Return the data with mean 0 and largest deviation 1; None for a constant."""
    if data.size < 2 or bool(np.all(data == data[0])):
        return None
    # Scaling first keeps the largest doubles from overflowing.
    scaled = data / np.max(np.abs(data))
    centered = scaled - scaled.mean()
    largest = float(np.max(np.abs(centered)))
    return centered / largest if largest > 0 else None


def _coefficient(kind: Kind, x: FloatArray, y: FloatArray) -> float | None:
    if kind == "spearman":
        from scipy.stats import rankdata

        x, y = rankdata(x), rankdata(y)
    left, right = _standardised(x), _standardised(y)
    if left is None or right is None:
        return None
    value = float(np.dot(left, right) / math.sqrt(float(np.dot(left, left)) * float(np.dot(right, right))))
    return min(1.0, max(-1.0, value))


def _weighted_correlation(kind: Kind, x: FloatArray, y: FloatArray) -> Callable[[FloatArray], float]:
    """Return a function of item weights (how often each was drawn): the correlation there, NaN where undefined."""
    if kind == "spearman":
        left, right = _weighted_ranks(x), _weighted_ranks(y)
        return lambda weights: _weighted_pearson(left(weights), right(weights), weights)
    first, second = _standardised(x), _standardised(y)
    if first is None or second is None:
        return lambda weights: math.nan
    return lambda weights: _weighted_pearson(first, second, weights)


def _weighted_ranks(data: FloatArray) -> Callable[[FloatArray], FloatArray]:
    group = np.unique(data, return_inverse=True)[1].ravel()
    groups = int(group.max()) + 1

    def ranks(weights: FloatArray) -> FloatArray:
        held = np.bincount(group, weights=weights, minlength=groups)
        # Mid-ranks of the resample up to a constant, scaled to [0, 1].
        middle: FloatArray = (np.cumsum(held) - held / 2) / weights.sum()
        return middle[group]

    return ranks


def _weighted_pearson(x: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    total = float(weights.sum())
    left = x - float(np.dot(weights, x)) / total
    right = y - float(np.dot(weights, y)) / total
    weighted = weights * left
    squares = float(np.dot(weighted, left)), float(np.dot(weights * right, right))
    # A side that is constant in the resample leaves only rounding.
    if min(squares) <= 1e-20 * total:
        return math.nan
    return min(1.0, max(-1.0, float(np.dot(weighted, right)) / math.sqrt(squares[0] * squares[1])))
