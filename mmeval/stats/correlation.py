"""Correlations of two variables, and the difference of two that share a reference, from data.

Tests of correlation coefficients themselves are in `mmeval.stats.dependent_correlations`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.dependent_correlations import ROUNDING, DependentCorrelations, fisher_bounds, meng_z, zou_interval
from mmeval.stats.intervals import FloatArray, Interval, Labels
from mmeval.stats.results import Difference

Kind: TypeAlias = Literal["pearson", "spearman"]
Index: TypeAlias = npt.NDArray[np.int64]

# Doubles held at once by a block of resamples (about 16 MB).
_BLOCK = 2_000_000


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
    interval: Literal["fisher", "bca"] = "fisher",
    clusters: Labels | None = None,
    level: float = 0.95,
    resamples: int = 9_999,
    seed: int = 0,
) -> Correlation:
    """Return Pearson's or Spearman's correlation of two variables.

    Fisher's interval: tanh(atanh r -+ z s) with s^2 = 1/(n-3) for Pearson, (1 + r^2/2)/(n-3) for Spearman (Bonett and
    Wright 2000). BCa: bootstrap over pairs (Efron 1987), ranks taken anew in each resample. Where clusters repeat, whole
    clusters are resampled and the interval is BCa whatever was asked for.

    Args:
        x, y: finite values, shape (n,).
        clusters: cluster label of each pair; None takes pairs as independent.
        resamples, seed: of the bootstrap.

    Raises:
        ValueError: when shapes differ, a value is not finite, or an argument is out of range.
    """
    left, right = _columns(level, resamples, x, y)
    index = _clusters(clusters, left.size)
    repeated = index is not None and int(index.max(initial=-1)) + 1 < left.size
    count = int(index.max(initial=-1)) + 1 if index is not None and repeated else None
    estimate = _coefficient(kind, left, right)
    if estimate is None:
        reason = "fewer than two pairs" if left.size < 2 else "one side is constant"
        return Correlation(kind, None, None, left.size, count, f"{reason}: no correlation")
    if interval == "fisher" and not repeated:
        found, note = _fisher(kind, estimate, left.size, level)
        return Correlation(kind, estimate, found, left.size, count, note)
    units = index if index is not None else np.arange(left.size)
    replicates = _Replicates.draw(kind, [(left, right)], units, resamples, seed)
    found, note = replicates.bca(estimate, level, 1.0)
    return Correlation(kind, estimate, found, left.size, count, note)


def compare_correlations(
    candidate: npt.ArrayLike,
    baseline: npt.ArrayLike,
    reference: npt.ArrayLike,
    kind: Kind = "pearson",
    *,
    clusters: Labels | None = None,
    level: float = 0.95,
    resamples: int = 9_999,
    seed: int = 0,
) -> Difference | None:
    """Return how much better the candidate correlates with the reference than the baseline does, on the same items.

    Pearson on independent items: Zou's interval and the z test of Meng, Rosenthal and Rubin (1992). Spearman, and every
    case where clusters repeat: paired BCa bootstrap, p by counting resamples on either side of 0; Meng's p is then in
    the note as a cross-check of independent items. None where a side has no correlation with the reference (a constant,
    or fewer than two items).

    Raises:
        ValueError: when shapes differ, a value is not finite, or an argument is out of range.
    """
    new, old, target = _columns(level, resamples, candidate, baseline, reference)
    index = _clusters(clusters, new.size)
    repeated = index is not None and int(index.max(initial=-1)) + 1 < new.size
    count = int(index.max(initial=-1)) + 1 if index is not None and repeated else None
    first, second = _coefficient(kind, new, target), _coefficient(kind, old, target)
    if first is None or second is None:
        return None
    between = _coefficient(kind, new, old)
    assert between is not None
    estimate = first - second
    meng = meng_z(DependentCorrelations(first, second, between, new.size))
    if kind == "pearson" and not repeated:
        zou = zou_interval(DependentCorrelations(first, second, between, new.size), level)
        note = meng.note or ("" if zou is not None else "no Zou interval: too few items or a correlation of 1 or -1")
        return Difference(estimate, None, zou, new.size, None, meng.method, meng.p_value, note)
    units = index if index is not None else np.arange(new.size)
    replicates = _Replicates.draw(kind, [(new, target), (old, target)], units, resamples, seed)
    found, note = replicates.bca(estimate, level, 2.0)
    if not repeated:
        note = "; ".join(filter(None, [note, f"Meng z on {kind}: p = {meng.p_value:.4g}"]))
    return Difference(estimate, None, found, new.size, count, f"bootstrap-{kind}", replicates.p_value(), note)


def _fisher(kind: Kind, r: float, n: int, level: float) -> tuple[Interval | None, str]:
    if n <= 3:
        return None, "fewer than four pairs: no interval"
    if abs(r) >= 1 - ROUNDING:
        return None, "a correlation of 1 or -1: Fisher's interval would have no width"
    variance = 1 / (n - 3) if kind == "pearson" else (1 + r * r / 2) / (n - 3)
    low, high = fisher_bounds(r, variance, level)
    return Interval(low, high, level, "fisher" if kind == "pearson" else "fisher-bonett-wright"), ""


def _check(level: float, resamples: int) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")


def _columns(level: float, resamples: int, *columns: npt.ArrayLike) -> list[FloatArray]:
    _check(level, resamples)
    arrays = [np.asarray(column, dtype=np.float64).ravel() for column in columns]
    if len({array.size for array in arrays}) > 1:
        raise ValueError(f"columns of different length: {[array.size for array in arrays]}")
    if not all(bool(np.all(np.isfinite(array))) for array in arrays):
        raise ValueError("values must be finite")
    return arrays


def _clusters(clusters: Labels | None, n: int) -> Index | None:
    if clusters is None:
        return None
    if len(clusters) != n:
        raise ValueError(f"{n} items but {len(clusters)} cluster labels")
    known: dict[object, int] = {}
    labels = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    return np.fromiter((known.setdefault(label, len(known)) for label in labels), dtype=np.int64, count=n)


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


@dataclass(frozen=True, slots=True)
class _Replicates:
    """A correlation (or the difference of two) in each bootstrap resample and with each unit left out."""

    values: FloatArray
    jackknife: FloatArray
    drawn: int
    units: int
    seed: int

    @classmethod
    def draw(
        cls, kind: Kind, pairs: list[tuple[FloatArray, FloatArray]], units: Index, resamples: int, seed: int
    ) -> _Replicates:
        measures = [(_Weighted(kind, x), _Weighted(kind, y)) for x, y in pairs]
        count = int(units.max()) + 1
        generator = np.random.default_rng(seed)
        chance = np.full(count, 1 / count)

        def evaluate(weights: FloatArray) -> FloatArray:
            found = [_weighted_pearson(x.values(weights), y.values(weights), weights) for x, y in measures]
            return found[0] if len(found) == 1 else found[0] - found[1]

        rows = max(1, _BLOCK // units.size)
        drawn = [
            evaluate(generator.multinomial(count, chance, size=size).astype(np.float64)[:, units])
            for size in _blocks(resamples, rows)
        ]
        left_out = []
        start = 0
        for size in _blocks(count, rows):
            weights = (np.arange(start, start + size)[:, None] != units[None, :]).astype(np.float64)
            left_out.append(evaluate(weights))
            start += size
        values, jackknife = np.concatenate(drawn), np.concatenate(left_out)
        return cls(values[np.isfinite(values)], jackknife[np.isfinite(jackknife)], resamples, count, seed)

    def bca(self, estimate: float, level: float, bound: float) -> tuple[Interval | None, str]:
        """Return the bias-corrected and accelerated interval, cut to [-bound, bound], and what to know about it."""
        note = f"{self.drawn} resamples of {self.units} units, seed {self.seed}"
        lost = self.drawn - self.values.size
        if lost:
            note += f"; undefined in {lost} resamples, left out"
        if self.values.size < max(2, self.drawn / 2) or float(np.ptp(self.values)) <= ROUNDING:
            return None, f"{note}; no interval: resamples do not differ or are mostly undefined"
        normal = NormalDist()
        below = float(np.mean(self.values < estimate - ROUNDING))
        share = below + float(np.mean(np.abs(self.values - estimate) <= ROUNDING)) / 2
        edge = 0.5 / self.values.size
        bias = normal.inv_cdf(min(1 - edge, max(edge, share)))
        pull = self.jackknife.mean() - self.jackknife if self.jackknife.size else np.zeros(1)
        spread = float(np.sum(pull**2))
        acceleration = float(np.sum(pull**3)) / (6 * spread**1.5) if spread > 0 else 0.0
        ends = []
        for tail in ((1 - level) / 2, (1 + level) / 2):
            shifted = bias + normal.inv_cdf(tail)
            room = 1 - acceleration * shifted
            ends.append(normal.cdf(bias + shifted / room) if room > 0 else float(shifted > 0))
        low, high = np.quantile(self.values, sorted(ends))
        method = "bca" if self.jackknife.size == self.units else "bca (jackknife in part undefined)"
        return Interval(float(low), float(high), level, method).clip(-bound, bound), note

    def p_value(self) -> float:
        """Return the two-sided bootstrap p of a zero difference: twice the smaller side, both counting one extra."""
        low = int(np.sum(self.values <= ROUNDING)) + 1
        high = int(np.sum(self.values >= -ROUNDING)) + 1
        return min(1.0, 2 * min(low, high) / (self.values.size + 1))


class _Weighted:
    """A variable in resamples given as weights (how often each item was drawn): its values, or its ranks there."""

    def __init__(self, kind: Kind, data: FloatArray) -> None:
        self._data = data
        self._ranked = kind == "spearman"
        self._order = np.argsort(data, kind="stable")
        inverse = np.unique(data, return_inverse=True)[1]
        self._group = inverse.ravel()
        ordered = self._group[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def values(self, weights: FloatArray) -> FloatArray:
        if not self._ranked:
            standard = _standardised(self._data)
            assert standard is not None
            spread: FloatArray = np.broadcast_to(standard, weights.shape)
            return spread
        held = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        # Mid-ranks of the resample up to a constant, scaled to [0, 1].
        ranks = (np.cumsum(held, axis=1) - held / 2) / weights.sum(axis=1, keepdims=True)
        return np.asarray(ranks[:, self._group], dtype=np.float64)


def _weighted_pearson(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = x - (weights * x).sum(axis=1, keepdims=True) / total
        right = y - (weights * y).sum(axis=1, keepdims=True) / total
        squares = (weights * left * left).sum(axis=1), (weights * right * right).sum(axis=1)
        found = (weights * left * right).sum(axis=1) / np.sqrt(squares[0] * squares[1])
    # A side that is constant in the resample leaves only rounding.
    found[(squares[0] <= 1e-20 * total[:, 0]) | (squares[1] <= 1e-20 * total[:, 0])] = np.nan
    clipped: FloatArray = np.clip(found, -1.0, 1.0)
    return clipped


def _blocks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)
