"""Paired comparisons of items that are not independent: several questions on one image, crops of one page.

Differences are candidate minus baseline throughout. Nothing returns NaN: where the data leave a standard
error or an interval undefined it is None, and the note says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Interval, Labels, MeanEstimate, cluster_mean
from mmeval.stats.results import Difference, TestResult
from mmeval.stats.scores import IntArray, cluster_index, is_binary, paired_scores, score_differences


@dataclass(frozen=True, slots=True)
class ClusteredPairs:
    """Losses, gains and sizes by cluster, each of shape (clusters,)."""

    losses: IntArray
    gains: IntArray
    sizes: IntArray

    @classmethod
    def from_counts(cls, losses: npt.ArrayLike, gains: npt.ArrayLike, sizes: npt.ArrayLike) -> ClusteredPairs:
        """Check and keep counts by cluster.

        Raises:
            ValueError: when lengths differ, a count is negative or a cluster has more discordant pairs than items.
        """
        b, c, n = (np.asarray(counts).ravel() for counts in (losses, gains, sizes))
        if not b.size == c.size == n.size:
            raise ValueError(f"{b.size} losses, {c.size} gains and {n.size} sizes: one of each per cluster")
        if b.size and not all(np.issubdtype(counts.dtype, np.integer) for counts in (b, c, n)):
            raise ValueError("losses, gains and sizes must be integers")
        if bool(np.any((b < 0) | (c < 0) | (n < 1) | (b + c > n))):
            raise ValueError("a cluster needs at least one item and no more discordant pairs than items")
        return cls(b.astype(np.int64), c.astype(np.int64), n.astype(np.int64))

    @classmethod
    def from_outcomes(cls, baseline: npt.ArrayLike, candidate: npt.ArrayLike, clusters: Labels) -> ClusteredPairs:
        """Count aligned outcomes (1 right, 0 wrong) by cluster label.

        Raises:
            ValueError: when lengths differ or an outcome is neither 0 nor 1.
        """
        first, second = paired_scores(baseline, candidate)
        if not (is_binary(first) and is_binary(second)):
            raise ValueError("outcomes must be 0 or 1")
        index = cluster_index(clusters, first.size)
        count = int(index.max()) + 1 if index.size else 0
        losses = np.bincount(index, weights=first > second, minlength=count).astype(np.int64)
        gains = np.bincount(index, weights=first < second, minlength=count).astype(np.int64)
        return cls(losses, gains, np.bincount(index, minlength=count).astype(np.int64))


def obuchowski(pairs: ClusteredPairs) -> TestResult:
    """Obuchowski's (1998) test: (K-1)/K (sum_k d_k)^2 / sum_k d_k^2 with d_k = gains - losses, chi-square(1)."""
    net = (pairs.gains - pairs.losses).astype(np.float64)
    return _ratio_test(net, float(np.dot(net, net)), _small_sample(net.size), "obuchowski", pairs)


def durkalski(pairs: ClusteredPairs) -> TestResult:
    """Durkalski's (2003) test, which weights clusters equally: (sum_k d_k/n_k)^2 / sum_k (d_k/n_k)^2, chi-square(1)."""
    net = (pairs.gains - pairs.losses) / pairs.sizes
    return _ratio_test(net, float(np.dot(net, net)), 1.0, "durkalski", pairs)


def yang(pairs: ClusteredPairs) -> TestResult:
    """Yang, Sun and Hardin's (2010) test: Obuchowski's with the mean of the variances under H0 and at the estimate."""
    net = (pairs.gains - pairs.losses).astype(np.float64)
    total = int(pairs.sizes.sum())
    residual = net - pairs.sizes * (float(net.sum()) / total if total else 0.0)
    spread = 0.5 * float(np.dot(residual, residual) + np.dot(net, net))
    return _ratio_test(net, spread, _small_sample(net.size), "yang", pairs)


def cluster_difference(
    baseline: npt.ArrayLike, candidate: npt.ArrayLike, clusters: Labels | None = None, level: float = 0.95
) -> Difference:
    """Return the mean difference with a CR1 standard error, t interval and t test on C-1 degrees of freedom.

    Args:
        baseline: scores, shape (n,).
        candidate: scores of the same items in the same order.
        clusters: cluster label of each item; None for independent items.
        level: confidence level in (0, 1).

    Raises:
        ValueError: without items, when lengths differ or a score is not finite.
    """
    differences = score_differences(baseline, candidate)
    method = "paired-t" if clusters is None else "cr1-t"
    index = cluster_index(clusters, differences.size)
    estimate = cluster_mean(differences, index, level)
    return _t_difference(estimate, method)


def two_way_difference(
    baseline: npt.ArrayLike, candidate: npt.ArrayLike, first: Labels, second: Labels, level: float = 0.95
) -> Difference:
    """Return the mean difference when items are clustered in two ways at once (image and template, say).

    Variance V1 + V2 - V12 (Cameron, Gelbach and Miller 2011), each part CR1, and t on the smaller number
    of clusters less one. In small samples that sum can fall below V1 or V2, even below zero; the larger of
    the two then takes its place.

    Raises:
        ValueError: without items, when lengths differ or a score is not finite.
    """
    differences = score_differences(baseline, candidate)
    indices = (cluster_index(first, differences.size), cluster_index(second, differences.size))
    crossed = [*zip(indices[0].tolist(), indices[1].tolist(), strict=True)]
    parts = [cluster_mean(differences, labels, level) for labels in (*indices, crossed)]
    smaller = min(parts[:2], key=lambda part: part.clusters)
    variances = [part.standard_error**2 for part in parts if part.standard_error is not None]
    if len(variances) < 3 or not any(variances):
        return _t_difference(smaller, "two-way-cr1-t")
    larger = max(variances[:2])
    variance = variances[0] + variances[1] - variances[2]
    note = ""
    if variance < larger * (1 - 1e-9):
        variance, note = larger, "the larger one-way variance: the two-way one came out below it"
    return t_difference(float(smaller.mean or 0.0), math.sqrt(variance), smaller, "two-way-cr1-t", note)


def t_difference(
    estimate: float, standard_error: float, source: MeanEstimate, method: str, note: str = ""
) -> Difference:
    """Return a difference with t interval and test on the clusters of `source` less one, at its interval's level."""
    from scipy.special import stdtr, stdtrit

    freedom = source.clusters - 1
    level = source.interval.level if source.interval else 0.95
    half = float(stdtrit(freedom, 0.5 + level / 2)) * standard_error
    p_value = 2 * float(stdtr(freedom, -abs(estimate) / standard_error)) if standard_error else 1.0
    interval = Interval(estimate - half, estimate + half, level, method)
    return Difference(estimate, standard_error, interval, source.n, source.clusters, method, p_value, note)


def _t_difference(estimate: MeanEstimate, method: str) -> Difference:
    mean = float(estimate.mean or 0.0)
    if estimate.standard_error is None:
        note = "one cluster: its spread is unknown" if estimate.n > 1 else "one item: its spread is unknown"
        return Difference(mean, None, None, estimate.n, estimate.clusters, method, None, note)
    if estimate.standard_error == 0:
        note = "every difference is equal: their spread is unknown"
        p_value = 1.0 if mean == 0 else None
        return Difference(mean, 0.0, None, estimate.n, estimate.clusters, method, p_value, note)
    return t_difference(mean, estimate.standard_error, estimate, method)


def _small_sample(clusters: int) -> float:
    return (clusters - 1) / clusters if clusters else 0.0


def _ratio_test(net: FloatArray, spread: float, factor: float, method: str, pairs: ClusteredPairs) -> TestResult:
    from scipy.special import chdtrc

    total = float(net.sum())
    note = "" if spread else "no cluster with more gains than losses or the reverse"
    statistic = factor * total * total / spread if spread else 0.0
    return TestResult(
        method, float(chdtrc(1, statistic)), statistic, 1, int(pairs.sizes.sum()), int(pairs.sizes.size), note
    )
