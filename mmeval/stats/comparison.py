"""The default comparison of two models on the same items: picks the test that the data call for and names it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmeval.stats.clustered import (
    ClusteredPairs,
    cluster_difference,
    durkalski,
    obuchowski,
)
from mmeval.stats.intervals import FloatArray, Interval, Labels
from mmeval.stats.paired import PairedTable, mcnemar_asymptotic, mcnemar_exact, mcnemar_mid_p, tango_interval
from mmeval.stats.permutation import SignFlips, even_sign_flip, sign_flip
from mmeval.stats.results import Difference, TestResult
from mmeval.stats.scores import IntArray, cluster_index, is_binary, paired_scores

MINIMUM_CLUSTERS = 30
"""Below this many clusters the t approximation gives way to sign flips."""


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The default difference and test, with what stands beside it."""

    difference: Difference
    table: PairedTable | None
    """The 2x2 table where every score is 0 or 1."""
    others: tuple[TestResult, ...]
    """Further tests of the same hypothesis, to be shown beside the default and never instead of it."""


@dataclass(frozen=True, slots=True)
class PairedData:
    """Two aligned vectors of scores and the cluster of each item, checked and numbered."""

    baseline: FloatArray
    candidate: FloatArray
    index: IntArray
    """Cluster number of each item, 0..clusters-1."""
    clusters: int

    @classmethod
    def of(cls, baseline: npt.ArrayLike, candidate: npt.ArrayLike, clusters: Labels | None) -> PairedData:
        """Check and number; raises ValueError as `compare_paired`."""
        first, second = paired_scores(baseline, candidate)
        index = cluster_index(clusters, first.size)
        return cls(first, second, index, int(index.max()) + 1)

    @property
    def differences(self) -> FloatArray:
        """Candidate - baseline by item."""
        return self.candidate - self.baseline

    @property
    def independent(self) -> bool:
        """Whether no cluster repeats."""
        return self.clusters == self.baseline.size

    @property
    def binary(self) -> bool:
        """Whether every score is 0 or 1."""
        return is_binary(self.baseline) and is_binary(self.candidate)

    @property
    def table(self) -> PairedTable | None:
        """The 2x2 table of binary scores."""
        return PairedTable.from_outcomes(self.baseline, self.candidate) if self.binary else None

    @property
    def degenerate(self) -> bool:
        """Whether the mean difference is the same in every cluster, so that its spread cannot be estimated."""
        differences = self.differences
        residuals = np.bincount(self.index, weights=differences - differences.mean())
        return bool(np.all(np.abs(residuals) <= 1e-12 * (1.0 + float(np.abs(differences).sum()))))

    def cluster_table(self) -> PairedTable | None:
        """Return a 2x2 table with one unit per cluster, for binary scores whose differences are all equal.

        Items of a cluster may repeat each other, so that a cluster counts once.
        """
        differences = self.differences
        if not self.binary or bool(np.any(differences != differences[0])):
            return None
        gains, losses = (self.clusters if differences[0] == side else 0 for side in (1, -1))
        return PairedTable(self.clusters - gains - losses, losses, gains, 0)


def compare_paired(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> PairedComparison:
    """Compare two models on the same items, two-sided, by the test that the data call for.

    Scores of 0 and 1 without repeated clusters: McNemar mid-p with Tango's interval. Other scores without
    repeated clusters: paired t. Repeated clusters: the mean difference with CR1 standard error and t from
    `MINIMUM_CLUSTERS` clusters on, which keeps its level where McNemar's test does not; below that, sign flips
    of whole clusters with the interval that they imply. Where no spread can be estimated, sign flips give the
    p-value and, for binary scores that all differ alike, Tango's interval on clusters stands in.

    Args:
        baseline: scores, shape (n,); for several answers per item, the mean of the item.
        candidate: scores of the same items in the same order.
        clusters: cluster label of each item (its image, its page); None for independent items.
        level: confidence level in (0, 1).
        resamples: random sign assignments where there are too many to enumerate.
        seed: of those assignments.

    Raises:
        ValueError: without items, when lengths differ, or for a value that is not finite or out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    data = PairedData.of(baseline, candidate, clusters)
    table = data.table
    if table is not None and data.independent:
        exact, asymptotic = mcnemar_exact(table), mcnemar_asymptotic(table)
        return PairedComparison(_binary_independent(data, table, level), table, (exact, asymptotic))
    if data.degenerate:
        return PairedComparison(_degenerate(data, level), table, ())
    labels = None if data.independent else data.index
    by_t = cluster_difference(data.baseline, data.candidate, labels, level)
    others: tuple[TestResult, ...] = ()
    if table is not None:
        pairs = ClusteredPairs.from_outcomes(data.baseline, data.candidate, data.index)
        others = (obuchowski(pairs), durkalski(pairs))
    if data.clusters >= MINIMUM_CLUSTERS:
        return PairedComparison(by_t, table, others)
    if data.independent:
        flips = sign_flip(data.differences, None, resamples=resamples, seed=seed)
        return PairedComparison(by_t, table, (*others, flips))
    return PairedComparison(_by_sign_flips(data, by_t, level, resamples, seed), table, others)


def _binary_independent(data: PairedData, table: PairedTable, level: float) -> Difference:
    test = mcnemar_mid_p(table)
    error = cluster_difference(data.baseline, data.candidate).standard_error
    interval = tango_interval(table, level)
    return Difference(
        float(table.difference or 0.0), error, interval, table.n, None, test.method, test.p_value, test.note
    )


def _degenerate(data: PairedData, level: float) -> Difference:
    """Return the honest limit where every cluster has the same mean difference, or there is only one."""
    units = data.cluster_table()
    interval = tango_interval(units, level) if units is not None else None
    one, many = ("item", "items") if data.independent else ("cluster", "clusters")
    note = f"one {one}" if data.clusters == 1 else f"all {many} differ by the same amount"
    note += ": the spread is unknown"
    if interval is not None:
        interval = Interval(interval.low, interval.high, level, "tango-clusters")
        note += "; interval with one unit per cluster"
    clusters = None if data.independent else data.clusters
    estimate = float(data.differences.mean())
    p_value = even_sign_flip(estimate, data.clusters)
    return Difference(estimate, None, interval, data.baseline.size, clusters, "sign-flip-exact", p_value, note)


def _by_sign_flips(data: PairedData, by_t: Difference, level: float, resamples: int, seed: int) -> Difference:
    flips = SignFlips.of(data.differences, data.index, resamples, seed)
    interval = flips.interval(level)
    parts = [f"sign flips: fewer than {MINIMUM_CLUSTERS} clusters", flips.note]
    if interval is None:
        parts.append(f"too few clusters ({data.clusters}) for a {level:.0%} interval")
    return Difference(
        by_t.estimate,
        by_t.standard_error,
        interval,
        by_t.n,
        data.clusters,
        flips.method,
        flips.two_sided(0.0),
        "; ".join(part for part in parts if part),
    )
