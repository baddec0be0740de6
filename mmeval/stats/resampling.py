"""Paired bootstrap of any corpus metric over items, clusters and strata, with percentile, BCa and BCa-t limits.

All models, subsets and metrics of one call see the same resamples, so that their differences are paired.
Whole clusters are drawn with replacement, inside their stratum. Nothing returns NaN: a quantity that some
resamples leave undefined (a subset that they miss) is judged on the others, and one that does not vary has
no interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.corrections import Alternative, Draws, Limits, Stretch, defined_draws
from mmeval.stats.intervals import FloatArray, Interval, Labels
from mmeval.stats.results import Difference, TestResult
from mmeval.stats.scores import IntArray, cluster_index

Replicates: TypeAlias = Draws
Cell: TypeAlias = int | tuple[int, ...]

_CHUNK_CELLS = 8_000_000
"""Weights held at once: 32 MB in float32."""
_KEPT_CELLS = 10_000_000
"""Weights that are kept for the next metric: 40 MB."""
_JACKKNIFE_GROUPS = 200
"""More clusters than this are left out in groups: the acceleration needs no more, and a metric may be slow."""


@dataclass(frozen=True, slots=True)
class BootstrapPlan:
    """How to resample and how to turn resamples into limits."""

    resamples: int = 9999
    seed: int = 0
    level: float = 0.95
    method: Literal["percentile", "bca", "bca-t"] = "percentile"
    """`bca-t` takes t quantiles and undoes the shrinkage of few clusters, see `Stretch`."""

    def __post_init__(self) -> None:
        if self.resamples < 100:
            raise ValueError(f"a bootstrap needs at least 100 resamples, got {self.resamples}")
        if self.seed < 0:
            raise ValueError(f"the seed must be at least 0, got {self.seed}")
        if not 0 < self.level < 1:
            raise ValueError(f"level {self.level} is not in (0, 1)")
        if self.method not in ("percentile", "bca", "bca-t"):
            raise ValueError(f"unknown bootstrap method {self.method!r}; one of percentile, bca, bca-t")


DEFAULT_PLAN = BootstrapPlan()


@dataclass(frozen=True, slots=True)
class Design:
    """Which items are drawn together, and within which strata."""

    index: IntArray
    """Cluster number of each item, shape (n,)."""
    strata: tuple[IntArray, ...]
    """Cluster numbers by stratum; they partition the clusters."""

    @classmethod
    def of(cls, n: int, clusters: Labels | None = None, strata: Labels | None = None) -> Design:
        """Number clusters and strata in the order of their labels.

        Args:
            n: items.
            clusters: cluster label of each item; None draws single items.
            strata: stratum label of each item (its task, its subset); None draws from all clusters alike.

        Raises:
            ValueError: without items, when lengths differ or a cluster lies in two strata.
        """
        if n < 1:
            raise ValueError("no items to resample")
        index = cluster_index(clusters, n)
        count = int(index.max()) + 1
        if strata is None:
            return cls(index, (np.arange(count),))
        stratum = cluster_index(strata, n)
        of_cluster = np.zeros(count, dtype=np.int64)
        of_cluster[index] = stratum
        if bool(np.any(of_cluster[index] != stratum)):
            raise ValueError("a cluster lies in two strata: resample by one of them")
        return cls(index, tuple(np.flatnonzero(of_cluster == s) for s in range(int(stratum.max()) + 1)))

    @property
    def n(self) -> int:
        """Items."""
        return int(self.index.size)

    @property
    def clusters(self) -> int:
        """Clusters."""
        return int(self.index.max()) + 1


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A metric on the data and on every resample; the last axis of `replicates` and `jackknife` is the draw."""

    point: FloatArray
    """On the data, any shape: one value, one per model, models x subsets …"""
    replicates: Replicates
    """Shape (*point.shape, resamples); NaN where a resample leaves the metric undefined."""
    jackknife: Replicates | None
    """With one group of clusters left out, shape (*point.shape, groups); None for percentile limits."""
    design: Design
    plan: BootstrapPlan

    @property
    def method(self) -> str:
        """The interval by name."""
        kind = "cluster-bootstrap" if self.design.clusters < self.design.n else "bootstrap"
        return f"{'stratified-' if len(self.design.strata) > 1 else ''}{kind}-{self.plan.method}"

    def interval(self, cell: Cell = ()) -> Interval | None:
        """Return the interval of one value; None where it is undefined or does not vary."""
        jackknife = None if self.jackknife is None else self.jackknife[cell]
        limits = self._limits(self.replicates[cell], float(self.point[cell]), jackknife)
        return None if limits is None else Interval(*limits.at(self.plan.level), self.plan.level, self.method)

    def standard_error(self, cell: Cell = ()) -> float | None:
        """Return the standard deviation over resamples, or None where the interval is None."""
        draws = defined_draws(self.replicates[cell])
        return None if draws is None else float(np.std(draws, ddof=1, dtype=np.float64))

    def difference(self, candidate: Cell, baseline: Cell) -> Difference:
        """Return candidate - baseline, paired resample by resample, with its two-sided p-value.

        The p-value is the level at which the interval of the same method just touches zero, with one added to
        both counts so that it is never 0. Where the difference does not vary it is 1 for a difference of zero
        and otherwise None, and there is no interval.

        Raises:
            ValueError: when either value is undefined on the data itself.
        """
        estimate, draws, limits = self._paired(candidate, baseline)
        note = f"{self.plan.resamples} resamples, seed {self.plan.seed}"
        if limits is None:
            error = interval = None
            constant = estimate == 0 and bool(np.all(draws == 0))
            p_value = 1.0 if constant else None
            note += "; the difference does not vary" if not np.any(np.isnan(draws)) else "; undefined in resamples"
        else:
            error = float(np.std(limits.draws, ddof=1, dtype=np.float64))
            interval = Interval(*limits.at(self.plan.level), self.plan.level, self.method)
            p_value = limits.two_sided()
        return Difference(
            estimate, error, interval, self.design.n, self._clusters, f"paired-{self.method}", p_value, note
        )

    def one_sided(self, candidate: Cell, baseline: Cell, bound: float, alternative: Alternative) -> TestResult | None:
        """Test whether candidate - baseline lies above ("greater") or below ("less") a bound.

        The p-value is the level at which the one-sided limit just touches the bound; None where the difference does
        not vary.

        Raises:
            ValueError: when either value is undefined on the data itself.
        """
        limits = self._paired(candidate, baseline)[2]
        if limits is None:
            return None
        note = f"{self.plan.resamples} resamples, seed {self.plan.seed}"
        p_value = limits.one_sided(bound, alternative)
        name = f"paired-{self.method}-{alternative}"
        return TestResult(name, p_value, None, None, self.design.n, self._clusters, note)

    @property
    def _clusters(self) -> int | None:
        return self.design.clusters if self.design.clusters < self.design.n else None

    def _paired(self, candidate: Cell, baseline: Cell) -> tuple[float, Replicates, Limits | None]:
        """Return the difference on the data and on the resamples, and its limits."""
        estimate = float(self.point[candidate]) - float(self.point[baseline])
        if not math.isfinite(estimate):
            raise ValueError("the metric is undefined on the data: a subset without items, say")
        first, second = self.replicates[candidate], self.replicates[baseline]
        draws = first - second
        # Equal models summed in another order differ by rounding; that is no difference.
        draws = np.where(np.abs(draws) <= 1e-6 * np.abs(first), 0.0, draws).astype(draws.dtype)
        if abs(estimate) <= 1e-12 * abs(float(self.point[candidate])):
            estimate = 0.0
        jackknife = None if self.jackknife is None else self.jackknife[candidate] - self.jackknife[baseline]
        return estimate, draws, self._limits(draws, estimate, jackknife)

    def _limits(self, draws: Replicates, estimate: float, jackknife: Replicates | None) -> Limits | None:
        stretch = None
        if self.plan.method == "bca-t":
            stretch = Stretch.of(np.array([stratum.size for stratum in self.design.strata]))
        return Limits.of(draws, estimate, jackknife, stretch)


def bootstrap_clusters(
    metric: Callable[[Replicates], Replicates], design: Design, plan: BootstrapPlan = DEFAULT_PLAN
) -> Bootstrap:
    """Bootstrap metrics that can be computed for many resamples at once, from sums by cluster, say.

    Args:
        metric: takes weights of the clusters, shape (draws, clusters), in float32 for resamples, and returns values of
            shape (…, draws); NaN where the weights leave it undefined.
        design: clusters and strata.
        plan: resamples, seed, level and method.
    """
    point = metric(np.ones((1, design.clusters)))[..., 0].astype(np.float64)
    drawn = _draws(design, plan)
    if len(design.strata) == 1 and design.clusters * plan.resamples <= _KEPT_CELLS:
        drawn = iter([_kept_draws(design.clusters, plan.resamples, plan.seed)])
    replicates = np.concatenate([metric(chunk) for chunk in drawn], axis=-1)
    jackknife = None if plan.method == "percentile" else metric(np.stack(list(_left_out(design))))
    return Bootstrap(point, replicates, jackknife, design, plan)


def bootstrap_weights(
    metric: Callable[[FloatArray], npt.ArrayLike], design: Design, plan: BootstrapPlan = DEFAULT_PLAN
) -> Bootstrap:
    """Bootstrap a metric that can be computed from item weights.

    Args:
        metric: takes the weights of the items, shape (n,) (how often each was drawn; all 1 on the data), and
            returns a value or an array of values of the same shape each time: one per model, say. NaN where
            the weights leave it undefined.
        design: clusters and strata.
        plan: resamples, seed, level and method.

    Raises:
        ValueError: when the metric's shape changes between resamples.
    """
    one = _calls(lambda weights: metric(weights[design.index]), np.ones(design.clusters))
    rows = (row.astype(np.float64) for chunk in _draws(design, plan) for row in chunk)
    return _collect(one, rows, design, plan)


def bootstrap_indices(
    metric: Callable[[IntArray], npt.ArrayLike], design: Design, plan: BootstrapPlan = DEFAULT_PLAN
) -> Bootstrap:
    """Bootstrap a metric that needs the resampled items themselves (corpus BLEU, average precision).

    Args:
        metric: takes the indices of the drawn items, an item as often as it was drawn, and returns a value
            or an array of values of the same shape each time. NaN where the items leave it undefined.
        design: clusters and strata.
        plan: resamples, seed, level and method.

    Raises:
        ValueError: when the metric's shape changes between resamples.
    """
    items = np.arange(design.n)

    def by_weights(weights: FloatArray) -> npt.ArrayLike:
        return metric(np.repeat(items, weights[design.index].astype(np.int64)))

    one = _calls(by_weights, np.ones(design.clusters))
    rows = (row.astype(np.float64) for chunk in _draws(design, plan) for row in chunk)
    return _collect(one, rows, design, plan)


def _draws(design: Design, plan: BootstrapPlan) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the weights of the clusters in chunks of resamples, shape (chunk, clusters)."""
    generator = np.random.default_rng(plan.seed)
    clusters = design.clusters
    chunk = max(1, min(plan.resamples, _CHUNK_CELLS // clusters))
    for start in range(0, plan.resamples, chunk):
        rows = min(chunk, plan.resamples - start)
        drawn = [
            stratum[generator.integers(0, stratum.size, size=(rows, stratum.size), dtype=np.int32)]
            for stratum in design.strata
        ]
        flat = np.concatenate(drawn, axis=1) + np.arange(rows)[:, None] * clusters
        weights = np.bincount(flat.ravel(), minlength=rows * clusters).astype(np.float32)
        yield weights.reshape(rows, clusters)


@lru_cache(maxsize=2)
def _kept_draws(clusters: int, resamples: int, seed: int) -> npt.NDArray[np.float32]:
    """Return the weights of an unstratified design; many metrics and subsets in a row have the same."""
    design = Design(np.arange(clusters), (np.arange(clusters),))
    return np.concatenate(list(_draws(design, BootstrapPlan(resamples, seed))))


def _left_out(design: Design) -> Iterator[FloatArray]:
    """Yield weights of the clusters, 0 for one group of clusters and 1 for the others."""
    for stratum in design.strata:
        groups = min(stratum.size, max(2, _JACKKNIFE_GROUPS * stratum.size // design.clusters))
        for group in range(groups):
            weights = np.ones(design.clusters)
            if groups > 1:  # the only cluster of a stratum is in every resample and moves nothing
                weights[stratum[group::groups]] = 0.0
            yield weights


def _calls(metric: Callable[[FloatArray], npt.ArrayLike], weights: FloatArray) -> Callable[[FloatArray], FloatArray]:
    shape = np.shape(metric(weights))

    def checked(row: FloatArray) -> FloatArray:
        value = np.asarray(metric(row), dtype=np.float64)
        if value.shape != shape:
            raise ValueError(f"the metric returned shape {shape} on the data and {value.shape} on a resample")
        return value

    return checked


def _collect(
    metric: Callable[[FloatArray], FloatArray], rows: Iterator[FloatArray], design: Design, plan: BootstrapPlan
) -> Bootstrap:
    point = metric(np.ones(design.clusters))
    replicates = np.stack([metric(row) for row in rows], axis=-1)
    jackknife = None
    if plan.method != "percentile":
        jackknife = np.stack([metric(row) for row in _left_out(design)], axis=-1)
    return Bootstrap(point, replicates, jackknife, design, plan)
