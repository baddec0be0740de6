"""Numbers that are functions of all units and no mean of their values (macro means, F1, ratios), and their bootstrap.

Whole clusters are drawn, within strata that the number itself gives: clusters of different labels of a macro mean are
drawn apart, so that no resample lacks a label. Nothing returns NaN: an undefined number (0/0) is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mmeval.stats.corrections import Limits, Stretch
from mmeval.stats.intervals import FloatArray, Interval, wilson
from mmeval.stats.resampling import Bootstrap, BootstrapPlan, Design, Replicates, bootstrap_clusters
from mmeval.stats.scores import IntArray

FUNCTIONAL_PLAN = BootstrapPlan(method="bca-t")
POOLED_CLUSTERS = 1000
"""More clusters than this are drawn in so many random groups: the limits need no more, and time does not grow."""

ByCluster = Callable[[Replicates], Replicates]
"""Weights of the clusters, shape (draws, clusters), to values, shape (draws,); NaN where undefined."""


class Functional(Protocol):
    """A number that weighted units have. Other corpus metrics (correlations, average precision) join here."""

    @property
    def units(self) -> int:
        """Units that it is a function of."""
        ...

    def value(self) -> float | None:
        """Return the number on the data, None where it is undefined."""
        ...

    def over(self, index: IntArray, clusters: int) -> ByCluster:
        """Return the number as a function of cluster weights; `index` is the cluster of each unit, 0..clusters-1."""
        ...

    def strata(self, index: IntArray, clusters: int) -> IntArray:
        """Return the stratum of each cluster, numbered from 0, shape (clusters,)."""
        ...

    def effective_clusters(self, index: IntArray, clusters: int) -> float:
        """Return as how many equally important clusters the clusters count (Kish)."""
        ...

    def select(self, units: IntArray) -> Functional:
        """Return the number over some of the units, in that order."""
        ...

    def joined(self, other: Any) -> Functional:
        """Return the number over the units of both, those of `other` behind, for another functional of the same kind."""
        ...


def sums_by(index: IntArray, values: npt.ArrayLike, size: int) -> FloatArray:
    """Return the sums of values by index 0..size-1."""
    return np.bincount(index, weights=np.asarray(values, dtype=np.float64), minlength=size).astype(np.float64)


def components(cluster: IntArray, term: IntArray, clusters: int, terms: int) -> IntArray:
    """Return by cluster which set of linked clusters it is in: those that share a term, shape (clusters,), numbered from 0.

    Args:
        cluster, term: the links, of equal shape.
        clusters, terms: how many there are.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = clusters + terms
    links = coo_array((np.ones(term.size), (cluster, clusters + term)), shape=(size, size))
    found = connected_components(links, directed=False)[1][:clusters]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class RatioMean:
    """A weighted mean of ratios of sums: sum_t w_t (sum_i N_it / sum_i D_it) over terms t and units i.

    One term makes a ratio (F1, a weighted mean), one term per label a macro mean. Only entries that count are held: a
    unit has an entry for each term that it belongs to.
    """

    units: int
    unit: IntArray
    """Unit of each entry, shape (entries,)."""
    term: IntArray
    """Term of each entry."""
    numerators: FloatArray
    """Contribution of the entry to its term's numerator."""
    denominators: FloatArray
    """The same to the denominator."""
    paths: tuple[tuple[str, ...], ...] = ((),)
    """Labels of each term, outermost first: terms under one parent weigh equally in a mean of means."""

    @classmethod
    def of(cls, numerators: FloatArray, denominators: FloatArray) -> RatioMean:
        """Return one ratio of sums over units, from arrays of shape (units,)."""
        size = numerators.size
        return cls(size, np.arange(size), np.zeros(size, dtype=np.int64), numerators, denominators)

    @property
    def weights(self) -> FloatArray:
        """Weight of each term, shape (terms,); they sum to 1."""
        children: dict[tuple[str, ...], set[str]] = {}
        for path in self.paths:
            for depth, label in enumerate(path):
                children.setdefault(path[:depth], set()).add(label)
        shares = [math.prod(1 / len(children[path[:depth]]) for depth in range(len(path))) for path in self.paths]
        return np.array(shares, dtype=np.float64)

    def select(self, units: IntArray) -> RatioMean:
        """Return the number over some of the units, in that order; terms without a unit are gone."""
        place = np.full(self.units, -1, dtype=np.int64)
        place[units] = np.arange(units.size)
        kept = np.flatnonzero(place[self.unit] >= 0)
        kept = kept[np.argsort(place[self.unit[kept]], kind="stable")]
        terms, term = np.unique(self.term[kept], return_inverse=True)
        return RatioMean(
            units.size,
            place[self.unit[kept]],
            term.astype(np.int64),
            self.numerators[kept],
            self.denominators[kept],
            tuple(self.paths[number] for number in terms.tolist()),
        )

    def value(self) -> float | None:
        """Return the number on the data, None where a ratio is 0/0."""
        sums = [self._sum(entries) for entries in (self.numerators, self.denominators)]
        if not self.paths or not self.units or bool(np.any(sums[1] == 0)):
            return None
        return math.fsum((self.weights * sums[0] / sums[1]).tolist())

    def linear_values(self) -> FloatArray:
        """Return a value per unit whose mean is the number, with the denominators taken as known; shape (units,)."""
        denominators = self._sum(self.denominators)
        parts = self.weights[self.term] * self.numerators / denominators[self.term]
        return self.units * sums_by(self.unit, parts, self.units)

    def same_denominators(self, other: RatioMean) -> bool:
        """Whether the other differs in numerators alone, so that the difference is linear in them."""
        pairs = ((self.unit, other.unit), (self.term, other.term), (self.denominators, other.denominators))
        return all(np.array_equal(first, second) for first, second in pairs)

    def over(self, index: IntArray, clusters: int) -> ByCluster:
        """Return the number as a function of cluster weights."""
        weights_of_terms = self.weights
        numerators, denominators = (
            self._by_cluster(entries, index, clusters) for entries in (self.numerators, self.denominators)
        )

        def at(weights: Replicates) -> Replicates:
            tops, bottoms = (weights @ sums.astype(weights.dtype) for sums in (numerators, denominators))
            with np.errstate(divide="ignore", invalid="ignore"):  # NaN, set aside later
                return np.asarray((tops / bottoms) @ weights_of_terms.astype(weights.dtype))

        return at

    def strata(self, index: IntArray, clusters: int) -> IntArray:
        """Return the stratum of each cluster: terms that share no cluster are drawn apart."""
        if len(self.paths) == 1:
            return np.zeros(clusters, dtype=np.int64)
        return components(index[self.unit], self.term, clusters, len(self.paths))

    def effective_clusters(self, index: IntArray, clusters: int) -> float:
        """Return 1 / sum of the squared shares that clusters have in the denominators."""
        shares = self.weights[self.term] * self.denominators / self._sum(self.denominators)[self.term]
        by_cluster = sums_by(index[self.unit], shares, clusters)
        return float(by_cluster.sum() ** 2 / np.dot(by_cluster, by_cluster))

    def joined(self, other: Any) -> RatioMean:
        """Return the number over the units of both; terms must be the same."""
        return RatioMean(
            self.units + other.units,
            np.concatenate([self.unit, other.unit + self.units]),
            np.concatenate([self.term, other.term]),
            np.concatenate([self.numerators, other.numerators]),
            np.concatenate([self.denominators, other.denominators]),
            self.paths,
        )

    def _sum(self, entries: FloatArray) -> FloatArray:
        return sums_by(self.term, entries, len(self.paths))

    def _by_cluster(self, entries: FloatArray, index: IntArray, clusters: int) -> Any:
        """Return sums by cluster and term: an array where most are not 0, else sparse."""
        from scipy.sparse import coo_array

        terms = len(self.paths)
        sums = coo_array((entries, (index[self.unit], self.term)), shape=(clusters, terms)).tocsr()
        return sums.toarray() if terms == 1 or sums.nnz > 0.2 * clusters * terms else sums


@dataclass(frozen=True, slots=True)
class Drawn:
    """Units numbered by cluster, and clusters by stratum."""

    design: Design
    """As drawn: random groups of clusters where there are many."""
    index: IntArray
    """Cluster of each unit, before grouping."""
    clusters: int
    alone: bool
    """Whether some stratum has one cluster only (and not the only one): its spread is unknown."""

    @classmethod
    def of(cls, functional: Functional, index: IntArray, seed: int) -> Drawn:
        """Find the strata of a functional, and group its clusters where there are many.

        Args:
            functional: gives the strata.
            index: cluster of each unit, 0..C-1.
            seed: of the groups.
        """
        clusters = int(index.max()) + 1
        stratum = functional.strata(index, clusters)
        order = np.argsort(stratum, kind="stable")
        strata = tuple(np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1))
        alone = clusters > 1 and any(members.size == 1 for members in strata)
        if clusters <= POOLED_CLUSTERS:
            return cls(Design(index, strata), index, clusters, alone)
        generator = np.random.default_rng(seed)
        group = np.empty(clusters, dtype=np.int64)
        grouped = []
        first = 0
        for members in strata:
            size = min(members.size, max(2, POOLED_CLUSTERS * members.size // clusters))
            group[generator.permutation(members)] = first + np.arange(members.size) % size
            grouped.append(np.arange(first, first + size))
            first += size
        return cls(Design(group[index], tuple(grouped)), index, clusters, alone)

    def bootstrap(self, functionals: Sequence[Functional], plan: BootstrapPlan) -> Bootstrap:
        """Evaluate functionals of the same units on the same resamples; the first axis is the functional.

        A functional that is slow may say how many resamples are enough (`most_resamples`), and one that is larger on resamples
        than on the data that its resamples are to be centred on the data's value (`centred`).
        """
        most = min(int(getattr(one, "most_resamples", plan.resamples)) for one in functionals)
        plan = replace(plan, resamples=min(plan.resamples, most))
        parts = [one.over(self.design.index, self.design.clusters) for one in functionals]
        found = bootstrap_clusters(lambda weights: np.array([part(weights) for part in parts]), self.design, plan)
        replicates = found.replicates
        for place, one in enumerate(functionals):
            draws = replicates[place]
            if getattr(one, "centred", False) and not np.isnan(draws).all():
                replicates[place] = draws + (found.point[place] - np.nanmean(draws, dtype=np.float64))
        return found


@dataclass(frozen=True, slots=True)
class FunctionalEstimate:
    """A functional with its interval."""

    value: float | None
    """None where it is undefined."""
    interval: Interval | None
    """None where the data cannot give one."""
    standard_error: float | None
    """Of the resamples, widened for few clusters; None where they do not vary."""
    limits: Limits | None
    """For one-sided tests of the value."""


def estimate_functional(
    functional: Functional,
    index: IntArray,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    plan: BootstrapPlan = FUNCTIONAL_PLAN,
) -> FunctionalEstimate:
    """Return a functional with its cluster-bootstrap interval.

    Where the resamples do not vary, or a stratum has a single cluster, an interval of a bounded number is Wilson's on as
    many trials as the clusters count for; a single cluster gives the whole range.

    Args:
        functional: the number.
        index: cluster of each unit, 0..C-1, shape (units,).
        bounds: range of the number, None where unknown.
        plan: resamples, seed, level and method.
    """
    value = functional.value()
    if value is None:
        return FunctionalEstimate(None, None, None, None)
    drawn = Drawn.of(functional, index, plan.seed)
    if drawn.clusters == 1:
        interval = None if bounds is None else Interval(*bounds, plan.level, "range (one cluster)")
        return FunctionalEstimate(value, interval, None, None)
    bootstrap = drawn.bootstrap([functional], plan)
    found = bootstrap.interval((0,))
    if found is None or drawn.alone:
        return FunctionalEstimate(value, _fallback(functional, value, drawn, bounds, plan), None, None)
    if bounds is not None:
        found = found.clip(*bounds)
    # A correction for bias can pass the number itself.
    found = replace(found, low=min(found.low, value), high=max(found.high, value))
    stretch = Stretch.of(np.array([stratum.size for stratum in drawn.design.strata]))
    jackknife = None if bootstrap.jackknife is None else bootstrap.jackknife[0]
    limits = Limits.of(bootstrap.replicates[0], value, jackknife, stretch if plan.method == "bca-t" else None)
    error = bootstrap.standard_error((0,))
    widened = None if error is None or stretch is None else error * stretch.factor
    return FunctionalEstimate(value, found, widened, limits)


def _fallback(
    functional: Functional, value: float, drawn: Drawn, bounds: tuple[float, float] | None, plan: BootstrapPlan
) -> Interval | None:
    if bounds is None:
        return None
    low, high = bounds
    count = max(1, math.floor(functional.effective_clusters(drawn.index, drawn.clusters) + 1e-9))
    wide = wilson(min(max((value - low) / (high - low), 0.0), 1.0) * count, count, plan.level)
    assert wide is not None
    width = high - low
    return Interval(low + wide.low * width, low + wide.high * width, plan.level, "wilson on clusters")
