"""A mean with its interval from sums that grow row by row, for runs that are not over."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

from mmeval.core.numbered import NumberedTexts
from mmeval.stats.intervals import Interval, no_spread, t_interval, wilson


@dataclass(frozen=True, slots=True)
class MeanSums:
    """What the mean of rows in clusters and its CR1 standard error are made of.

    Values are kept less `shift` (the first one), so that squares do not swallow the spread of large values.
    """

    n: int
    """Rows."""
    shift: float
    total: float
    """Sum of the shifted values."""
    clusters: int | None
    """Clusters with a row; None where they are followed no longer."""
    squares: float
    """Sum over clusters of S², S the cluster's sum of shifted values."""
    cross: float
    """Sum over clusters of S·m, m the cluster's rows."""
    sizes: float
    """Sum over clusters of m²."""


@dataclass(frozen=True, slots=True)
class RunningEstimate:
    """A value over the rows so far."""

    value: float
    interval: Interval | None
    """None for one cluster of an unbounded metric, and where clusters are not followed."""


class RunningMean:
    """Adds up rows in constant time, and in memory that grows with the named clusters (about 40 bytes each)."""

    def __init__(self) -> None:
        self._followed: NumberedTexts | None = NumberedTexts()
        """Names of clusters; None when they are followed no longer."""
        self._rows, self._sums = array("I"), array("d")
        """Rows and sum of shifted values of each cluster."""
        self._n = self._alone = 0
        self._shift = 0.0
        self._total = self._squares = self._cross = self._sizes = 0.0

    def add(self, value: float, cluster: str | None = None) -> None:
        """Add one row, in its cluster; without one it is a cluster by itself, of which nothing needs to be kept."""
        if self._n == 0:
            self._shift = value
        value -= self._shift
        self._n += 1
        self._total += value
        if self._followed is None:
            return
        rows, summed = 0, 0.0
        if cluster is None:
            self._alone += 1
        else:
            place = self._followed.number(cluster)
            if place == len(self._rows):
                self._rows.append(0)
                self._sums.append(0.0)
            rows, summed = self._rows[place], self._sums[place]
            self._rows[place], self._sums[place] = rows + 1, summed + value
        # (S + v)² - S², (S + v)(m + 1) - S·m, (m + 1)² - m²
        self._squares += value * (2.0 * summed + value)
        self._cross += summed + value * (rows + 1)
        self._sizes += 2.0 * rows + 1.0

    @property
    def followed(self) -> int:
        """Clusters that take memory."""
        return len(self._rows)

    def forget(self) -> None:
        """Follow no cluster any more: the value goes on, and has no interval."""
        self._followed = None
        self._rows, self._sums = array("I"), array("d")

    @property
    def sums(self) -> MeanSums:
        """The sums so far."""
        clusters = None if self._followed is None else self._alone + len(self._followed)
        return MeanSums(self._n, self._shift, self._total, clusters, self._squares, self._cross, self._sizes)


def running_estimate(
    sums: MeanSums, binary: bool, bounds: tuple[float, float] | None, level: float = 0.95
) -> RunningEstimate | None:
    """The mean over rows and its interval, by the rules of `mmeval.metrics.summary` for means; None without a row.

    The same as the metric's own number once all rows are there, where every sample has equally many answers that count:
    here rows count alike, there the answers of a sample are averaged first.

    Args:
        sums: of all rows so far.
        binary: whether every value is 0 or 1 by definition.
        bounds: range of a value; None where it is unknown.
        level: confidence level in (0, 1).
    """
    n, clusters = sums.n, sums.clusters
    if n == 0:
        return None
    centre = sums.total / n
    mean = sums.shift + centre
    if clusters is None:
        return RunningEstimate(mean, None)
    if binary and clusters == n:
        right = min(max(round(mean * n), 0), n)
        return RunningEstimate(right / n, wilson(right, n, level))
    interval = None
    if clusters > 1:
        spread = max(0.0, sums.squares - 2.0 * centre * sums.cross + centre * centre * sums.sizes)
        if spread <= 1e-12 * max(sums.squares, 1e-300):  # nothing but rounding
            spread = 0.0
        error = math.sqrt(clusters / (clusters - 1) * spread) / n
        interval = t_interval(mean, error, clusters - 1, level, "t" if clusters == n else "cr1-t")
    if bounds is None:
        return RunningEstimate(mean, None if interval is None or no_spread(interval) else interval)
    low, high = bounds
    width = high - low
    if interval is None:
        return RunningEstimate(mean, Interval(low, high, level, "range (one cluster)"))
    if interval.high - interval.low <= 1e-9 * width:
        wide = wilson(min(max((mean - low) / width, 0.0), 1.0) * clusters, clusters, level)
        assert wide is not None
        return RunningEstimate(
            mean, Interval(low + wide.low * width, low + wide.high * width, level, "wilson on clusters")
        )
    return RunningEstimate(mean, interval.clip(low, high))
