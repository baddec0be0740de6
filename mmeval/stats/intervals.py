"""Confidence intervals for one proportion and one mean, plain and cluster-robust.

Nothing here returns NaN. Where the data cannot give an interval (no observation, or a mean from a single
observation or cluster) the result is None, and the caller says what it shows instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.numbering import by_appearance

FloatArray: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = Sequence[Any] | npt.NDArray[Any]
_BLOCK = 8192
"""Numbers that are Python objects at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval, in the unit of the estimate."""

    low: float
    high: float
    level: float
    """Confidence level in (0, 1)."""
    method: str
    """How it was computed: `wilson`, `clopper-pearson`, `t`, `cr1-t` …"""

    def clip(self, low: float, high: float) -> Interval:
        """Return the interval cut to the range that the quantity can take."""
        return Interval(min(max(self.low, low), high), min(max(self.high, low), high), self.level, self.method)


def no_spread(interval: Interval) -> bool:
    """Whether an interval has no width but for rounding: all observations were equal, which is no certainty."""
    return interval.high - interval.low <= 1e-12 * max(abs(interval.low), abs(interval.high))


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with its standard error and t interval."""

    mean: float | None
    """None when there is no observation."""
    standard_error: float | None
    """None with fewer than two clusters (or observations)."""
    interval: Interval | None
    """None where the standard error is None."""
    n: int
    """Observations."""
    clusters: int
    """Independent clusters; equals `n` where observations are independent."""


def wilson(successes: float, n: int, level: float = 0.95) -> Interval | None:
    """Return the Wilson score interval of a proportion (Wilson 1927), or None when n is 0.

    Args:
        successes: number of successes in [0, n]; a fraction is allowed (an effective count).
        n: number of independent trials.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when the counts or the level are out of range.
    """
    _check(successes, n, level)
    if n == 0:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The formula gives exactly 0 and 1 at the extremes; rounding must not say otherwise.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return Interval(low, high, level, "wilson")


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval | None:
    """Return the exact (Clopper and Pearson 1934) interval of a proportion, or None when n is 0.

    Raises:
        ValueError: when the counts or the level are out of range.
    """
    from scipy.special import betaincinv

    _check(successes, n, level)
    if n == 0:
        return None
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low, high, level, "clopper-pearson")


def beta_interval(successes: float, n: int, level: float = 0.95, prior: float = 1.0) -> Interval:
    """Return the central credible interval of a proportion under a Beta(prior, prior) prior.

    The posterior is Beta(prior + successes, prior + n - successes): prior 1 is uniform, 0.5 Jeffreys's. Without a success
    the lower limit is 0 and with nothing else the upper one is 1 (Brown, Cai and DasGupta 2001). Unlike the other
    intervals it exists without data, where it says what the prior does.

    Args:
        successes: in [0, n]; a fraction is allowed (an effective count).
        n: number of independent trials.
        level: probability of the interval in (0, 1).
        prior: weight of the prior on either side, positive and finite.

    Raises:
        ValueError: when a number is out of range.
    """
    from scipy.special import betaincinv

    _check(successes, n, level)
    if not 0 < prior < math.inf:
        raise ValueError(f"the prior must be positive and finite, got {prior}")
    tail = (1 - level) / 2
    shape = prior + successes, prior + n - successes
    low = 0.0 if successes == 0 < n else float(betaincinv(*shape, tail))
    high = 1.0 if successes == n > 0 else float(betaincinv(*shape, 1 - tail))
    name = {1.0: "beta-uniform", 0.5: "beta-jeffreys"}.get(prior, f"beta-{prior:g}")
    return Interval(low, high, level, name)


def cluster_mean(values: npt.ArrayLike, clusters: Labels, level: float = 0.95) -> MeanEstimate:
    """Return a mean whose standard error allows for dependence inside clusters.

    Standard error: CR1, sqrt(C/(C-1) * sum_c (sum_{i in c} (x_i - mean))^2) / n (Liang and Zeger 1986,
    with the C/(C-1) factor). Interval: Student's t with C-1 degrees of freedom.

    Args:
        values: observations, shape (n,).
        clusters: cluster label of each observation, length n.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when lengths differ, a value is not finite, or the level is out of range.
    """
    data = _finite(values)
    if len(clusters) != data.size:
        raise ValueError(f"{data.size} values but {len(clusters)} cluster labels")
    _check(0, data.size, level)
    if data.size == 0:
        return MeanEstimate(None, None, None, 0, 0)
    index = _cluster_index(clusters)
    count = int(index.max()) + 1
    mean = _mean(data)
    if count < 2:
        return MeanEstimate(mean, None, None, data.size, count)
    sums = np.bincount(index, weights=data - mean, minlength=count)
    error = math.sqrt(count / (count - 1) * float(np.dot(sums, sums))) / data.size
    return MeanEstimate(mean, error, t_interval(mean, error, count - 1, level, "cr1-t"), data.size, count)


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> MeanEstimate:
    """Return the mean of independent observations with its t interval (n-1 degrees of freedom).

    Raises:
        ValueError: when a value is not finite or the level is out of range.
    """
    data = _finite(values)
    _check(0, data.size, level)
    if data.size == 0:
        return MeanEstimate(None, None, None, 0, 0)
    mean = _mean(data)
    if data.size < 2:
        return MeanEstimate(mean, None, None, 1, 1)
    deviations = data - mean
    error = math.sqrt(float(np.dot(deviations, deviations)) / (data.size - 1) / data.size)
    return MeanEstimate(mean, error, t_interval(mean, error, data.size - 1, level, "t"), data.size, data.size)


def _mean(data: FloatArray) -> float:
    # fsum keeps the mean of equal values equal to them, so that their variance is exactly 0.
    first = float(data[0])
    return first if bool(np.all(data == first)) else math.fsum(chain.from_iterable(_blocks(data))) / data.size


def _blocks(data: FloatArray) -> Iterator[list[float]]:
    for start in range(0, data.size, _BLOCK):
        yield data[start : start + _BLOCK].tolist()


def t_interval(mean: float, error: float, freedom: int, level: float, method: str) -> Interval:
    """Student's t interval of a mean with its standard error and degrees of freedom."""
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, 0.5 + level / 2)) * error
    return Interval(mean - half, mean + half, level, method)


def _cluster_index(clusters: Labels) -> npt.NDArray[np.int64]:
    if isinstance(clusters, np.ndarray) and np.issubdtype(clusters.dtype, np.integer):
        return by_appearance(clusters)[0]
    known: dict[Any, int] = {}
    labels = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    return np.fromiter((known.setdefault(label, len(known)) for label in labels), dtype=np.int64, count=len(labels))


def _finite(values: npt.ArrayLike) -> FloatArray:
    data = np.asarray(values, dtype=np.float64).ravel()
    if not bool(np.all(np.isfinite(data))):
        raise ValueError("values must be finite")
    return data


def _check(successes: float, n: int, level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
