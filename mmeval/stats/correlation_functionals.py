"""Correlations and root mean square errors of predictions and subjective scores as functions of cluster weights.

These are the functionals that the cluster bootstrap and the comparison of two models work on; the coefficients themselves
are those of `mmeval.stats.correlation` and scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from mmeval.stats.correlation import correlation
from mmeval.stats.functionals import ByCluster, sums_by
from mmeval.stats.intervals import FloatArray
from mmeval.stats.logistic_mapping import Parameters, logistic_curve, mapped_plcc
from mmeval.stats.resampling import Replicates
from mmeval.stats.scores import IntArray

Measure: TypeAlias = Literal["plcc", "srcc", "krcc", "rmse"]
_CELLS = 2_000_000
"""Weights of items that are held at a time."""
_ROWS = 256
"""Items whose pairs are compared at a time."""


@dataclass(frozen=True)
class Association:
    """How predictions go with scores: Pearson, Spearman (mid-ranks), Kendall's tau-b, or the root mean square error.

    With `mapping`, Pearson after the fit of a logistic curve to the data at hand; resamples take the curve as given (ITU-T
    P.1401).
    """

    measure: Measure
    predicted: FloatArray
    """Shape (units,), finite."""
    scores: FloatArray
    """The same shape."""
    mapping: Parameters | None = None

    @property
    def units(self) -> int:
        """Pairs."""
        return int(self.predicted.size)

    @cached_property
    def mapped(self) -> FloatArray:
        """Predictions behind the logistic curve; as they are where there is none, or none fits."""
        if self.mapping is None:
            return self.predicted
        found = mapped_plcc(self.predicted, self.scores, self.mapping)
        return self.predicted if found.coefficients is None else logistic_curve(found.coefficients, self.predicted)

    def value(self) -> float | None:
        """Return the number on the data, None where it is undefined: fewer than two pairs, or a constant side."""
        if self.measure == "rmse":
            return math.sqrt(float(np.mean((self.predicted - self.scores) ** 2))) if self.units else None
        if self.measure == "krcc":
            return _kendall(self.predicted, self.scores)
        return correlation(self.mapped, self.scores, "spearman" if self.measure == "srcc" else "pearson").estimate

    def over(self, index: IntArray, clusters: int) -> ByCluster:
        """Return the number as a function of cluster weights; NaN where a resample leaves it undefined."""
        if self.measure == "rmse":
            return _root(index, clusters, (self.predicted - self.scores) ** 2)
        if self.measure == "krcc":
            return _kendall_over(index, clusters, self.predicted, self.scores)
        if self.measure == "srcc":
            return _spearman_over(index, self.predicted, self.scores)
        return _pearson_over(index, clusters, self.mapped, self.scores)

    def strata(self, index: IntArray, clusters: int) -> IntArray:
        """Return one stratum: all clusters are drawn alike."""
        return np.zeros(clusters, dtype=np.int64)

    def effective_clusters(self, index: IntArray, clusters: int) -> float:
        """Return 1 / sum of the squared shares of pairs that clusters hold."""
        held = np.bincount(index, minlength=clusters).astype(np.float64)
        return float(held.sum() ** 2 / np.dot(held, held))

    def select(self, units: IntArray) -> Association:
        """Return the number over some of the pairs, in that order."""
        return replace(self, predicted=self.predicted[units], scores=self.scores[units])

    def joined(self, other: Any) -> Association:
        """Return the number over the pairs of both, behind the curve of each; the curves are not fitted anew."""
        return Association(
            self.measure,
            np.concatenate([self.mapped, other.mapped]),
            np.concatenate([self.scores, other.scores]),
        )


def _kendall(x: FloatArray, y: FloatArray) -> float | None:
    from scipy.stats import kendalltau

    if x.size < 2 or bool(np.all(x == x[0])) or bool(np.all(y == y[0])):
        return None
    return float(kendalltau(x, y).statistic)


def _root(index: IntArray, clusters: int, squares: FloatArray) -> ByCluster:
    sums = np.stack([sums_by(index, squares, clusters), sums_by(index, np.ones(index.size), clusters)], axis=1)

    def at(weights: Replicates) -> Replicates:
        totals = weights.astype(np.float64) @ sums
        with np.errstate(divide="ignore", invalid="ignore"):  # NaN, set aside later
            return np.asarray(np.sqrt(totals[:, 0] / totals[:, 1]), dtype=np.float64)

    return at


def _ratio(covariance: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return correlations, NaN where a side is constant (rounding is all that is left of its variance)."""
    defined = np.minimum(first, second) > 1e-12
    found = np.full(covariance.shape, np.nan)
    found[defined] = covariance[defined] / np.sqrt(first[defined] * second[defined])
    return np.asarray(np.clip(found, -1.0, 1.0), dtype=np.float64)


def _standardised(data: FloatArray) -> FloatArray:
    largest = float(np.max(np.abs(data), initial=0.0))
    scaled = data / largest if largest > 0 else data
    deviation = float(scaled.std()) if scaled.size else 0.0
    centred = scaled - scaled.mean() if scaled.size else scaled
    return np.asarray(centred / deviation if deviation > 0 else centred)


def _pearson_over(index: IntArray, clusters: int, x: FloatArray, y: FloatArray) -> ByCluster:
    a, b = _standardised(x), _standardised(y)
    sums = np.stack([sums_by(index, part, clusters) for part in (np.ones(a.size), a, b, a * a, b * b, a * b)], axis=1)

    def at(weights: Replicates) -> Replicates:
        n, sa, sb, saa, sbb, sab = (weights.astype(np.float64) @ sums).T
        with np.errstate(divide="ignore", invalid="ignore"):
            found = _ratio(sab / n - sa * sb / n**2, saa / n - (sa / n) ** 2, sbb / n - (sb / n) ** 2)
        return found

    return at


def _spearman_over(index: IntArray, x: FloatArray, y: FloatArray) -> ByCluster:
    ranks = [_mid_ranks(side) for side in (x, y)]

    def chunk(weights: Replicates) -> FloatArray:
        of_items = weights[:, index].astype(np.float64)
        total = of_items.sum(axis=1)
        # Mid-ranks of the resample, scaled to [0, 1] and centred: their weighted mean is 1/2.
        left, right = (rank(of_items) / total[:, None] - 0.5 for rank in ranks)
        weighted = of_items * left
        covariance = np.einsum("ij,ij->i", weighted, right) / total
        first = np.einsum("ij,ij->i", weighted, left) / total
        second = np.einsum("ij,ij,ij->i", of_items, right, right) / total
        return _ratio(covariance, first, second)

    def at(weights: Replicates) -> Replicates:
        step = max(1, _CELLS // max(1, index.size))
        parts = [chunk(weights[start : start + step]) for start in range(0, weights.shape[0], step)]
        return np.concatenate(parts)

    return at


def _mid_ranks(data: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return a function of item weights, shape (draws, n): the mid-rank of each item among the drawn ones."""
    group = np.unique(data, return_inverse=True)[1].ravel()
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))

    def ranks(weights: FloatArray) -> FloatArray:
        held = np.add.reduceat(weights[:, order], starts, axis=1)
        middle: FloatArray = np.cumsum(held, axis=1) - held / 2
        return middle[:, group]

    return ranks


def _kendall_over(index: IntArray, clusters: int, x: FloatArray, y: FloatArray) -> ByCluster:
    """Sum over pairs of clusters, once: concordant minus discordant pairs, and pairs without a tie on either side."""
    order = np.argsort(index, kind="stable")
    index, x, y = index[order], x[order], y[order]
    present, starts = np.unique(index, return_index=True)
    agreement, untied_x, untied_y = (np.zeros((clusters, present.size)) for _ in range(3))
    for start in range(0, index.size, _ROWS):
        rows = slice(start, start + _ROWS)
        first = np.sign(x[rows, None] - x[None, :])
        second = np.sign(y[rows, None] - y[None, :])
        for sums, part in ((agreement, first * second), (untied_x, first * first), (untied_y, second * second)):
            np.add.at(sums, index[rows], np.add.reduceat(part, starts, axis=1))

    def at(weights: Replicates) -> Replicates:
        wide = weights.astype(np.float64)
        totals = [np.einsum("dc,dc->d", wide @ sums, wide[:, present]) for sums in (agreement, untied_x, untied_y)]
        return _ratio(totals[0], totals[1], totals[2])

    return at
