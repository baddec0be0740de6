"""COCO's average precision and recall as functions of cluster weights: matched once, accumulated anew for every resample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mmeval.stats.functionals import ByCluster, components, sums_by
from mmeval.stats.intervals import FloatArray
from mmeval.stats.resampling import Replicates
from mmeval.stats.scores import IntArray

BoolTable = npt.NDArray[np.bool_]
RECALL_STEPS = 100
GRID = np.linspace(0.0, 1.0, RECALL_STEPS + 1)
"""Recalls at which precision is read."""
_CELLS = 1_000_000
"""Weights of predictions that are held at a time."""
_WORK = 50_000_000
"""Predictions times thresholds times resamples that one interval may cost."""
_FEWEST_RESAMPLES = 999


@dataclass(frozen=True)
class Detections:
    """Predictions that were matched, one entry each; shapes (D,) and (T, D)."""

    unit: IntArray
    term: IntArray
    """Class, numbered from 0."""
    score: FloatArray
    rank: IntArray
    """Order of the units, which decides between equal scores: that of the images in cocoapi."""
    place: IntArray
    """Order within unit and class."""
    weight: FloatArray
    """1, or a share where a unit has several repeats."""
    hits: BoolTable
    ignored: BoolTable

    def take(self, kept: IntArray, unit: IntArray) -> Detections:
        """Return some of them, with new unit numbers."""
        return Detections(
            unit, self.term[kept], self.score[kept], self.rank[kept], self.place[kept], self.weight[kept],
            self.hits[:, kept], self.ignored[:, kept],
        )  # fmt: skip

    def sorted(self) -> Detections:
        """Return them by class and falling score."""
        order = np.lexsort((self.place, self.rank, -self.score, self.term))
        return self.take(order, self.unit[order])


@dataclass(frozen=True)
class AveragePrecision:
    """The mean over classes, and over groups of classes where there are several, of average precision or recall.

    A class without a gold box, on the data or in a resample, is no part of the mean; a group without one leaves it undefined.
    """

    measure: Literal["precision", "recall"]
    units: int
    detections: Detections
    gold_unit: IntArray
    """Unit of each entry of gold boxes of one class, shape (E,)."""
    gold_term: IntArray
    gold_count: FloatArray
    """Gold boxes that count, times the unit's weight."""
    terms: tuple[tuple[str, str], ...]
    """Group and class of each term."""
    unit_group: tuple[str, ...]
    """Group of each unit."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of each term."""
        return tuple(group for group, _ in self.terms)

    @property
    def centred(self) -> bool:
        """Images that are drawn twice raise the envelope of precision: resamples spread as new data would, but around too high a number.

        A correction for bias would take that for a bias of the number itself, and put the interval below it.
        """
        return True

    @property
    def most_resamples(self) -> int:
        """Resamples that bound the time of an interval on large data."""
        cells = max(1, self.detections.hits.size)
        return max(_FEWEST_RESAMPLES, _WORK // cells)

    def value(self) -> float | None:
        """Return the number on the data; None where no gold box counts."""
        found = self._by_term()
        if not found.size or not self.units:
            return None
        means = []
        for members in self._members:
            defined = found[members][~np.isnan(found[members])]
            if not defined.size:
                return None
            means.append(float(np.mean(defined)))
        return float(np.mean(means))

    def by_class(self) -> FloatArray:
        """Return the number of each class, shape (terms,); NaN without a gold box."""
        return self._by_term()

    def over(self, index: IntArray, clusters: int) -> ByCluster:
        """Return the number as a function of cluster weights; NaN where a resample has no gold box of a group."""
        golds = np.zeros((clusters, len(self.terms)))
        np.add.at(golds, (index[self.gold_unit], self.gold_term), self.gold_count)
        terms = self._recalls(index, clusters) if self.measure == "recall" else self._precisions(index)

        def at(weights: Replicates) -> Replicates:
            step = max(1, _CELLS // max(1, self.detections.unit.size))
            parts = []
            for start in range(0, weights.shape[0], step):
                some = weights[start : start + step].astype(np.float64)
                parts.append(self._mean(terms(some, some @ golds), some @ golds))
            return np.concatenate(parts)

        return at

    def strata(self, index: IntArray, clusters: int) -> IntArray:
        """Return one stratum, or one for each set of groups that share no cluster."""
        number = {label: place for place, label in enumerate(sorted(set(self.unit_group)))}
        group = np.array([number[label] for label in self.unit_group], dtype=np.int64)
        return components(index, group, clusters, len(number))

    def effective_clusters(self, index: IntArray, clusters: int) -> float:
        """Return 1 / sum of the squared shares of gold boxes that clusters hold."""
        held = sums_by(index[self.gold_unit], self.gold_count, clusters)
        return float(held.sum() ** 2 / np.dot(held, held)) if held.any() else float(clusters)

    def select(self, units: IntArray) -> AveragePrecision:
        """Return the number over some of the units, in that order; the order of equal scores stays."""
        place = np.full(self.units, -1, dtype=np.int64)
        place[units] = np.arange(units.size)
        kept = np.flatnonzero(place[self.detections.unit] >= 0)
        entries = np.flatnonzero(place[self.gold_unit] >= 0)
        used = {self.groups[term] for term in self.gold_term[entries].tolist()}
        part = replace(
            self,
            units=units.size,
            detections=self.detections.take(kept, place[self.detections.unit[kept]]),
            gold_unit=place[self.gold_unit[entries]],
            gold_term=self.gold_term[entries],
            gold_count=self.gold_count[entries],
            unit_group=tuple(self.unit_group[unit] for unit in units.tolist()),
        )
        return part._without([term for term, group in enumerate(self.groups) if group not in used])

    def joined(self, other: Any) -> AveragePrecision:
        """Return the number over the units of both; predictions of equal score alternate by unit."""
        terms = tuple(sorted({*self.terms, *other.terms}))
        if self.terms != terms or other.terms != terms:
            return self._numbered(terms).joined(other._numbered(terms))
        mine, theirs = self.detections, other.detections
        term, score, rank, place, weight = (
            np.concatenate([getattr(mine, name), getattr(theirs, name)])
            for name in ("term", "score", "rank", "place", "weight")
        )
        hits, ignored = (
            np.concatenate([getattr(mine, name), getattr(theirs, name)], axis=1) for name in ("hits", "ignored")
        )
        unit = np.concatenate([mine.unit, theirs.unit + self.units])
        both = Detections(unit, term, score, rank, place, weight, hits, ignored)
        return replace(
            self,
            units=self.units + other.units,
            detections=both,
            gold_unit=np.concatenate([self.gold_unit, other.gold_unit + self.units]),
            gold_term=np.concatenate([self.gold_term, other.gold_term]),
            gold_count=np.concatenate([self.gold_count, other.gold_count]),
            unit_group=(*self.unit_group, *other.unit_group),
        )

    def _without(self, terms: Sequence[int]) -> AveragePrecision:
        """Return the number without some classes, which have no gold box."""
        return self._numbered(tuple(one for term, one in enumerate(self.terms) if term not in set(terms)))

    def _numbered(self, terms: tuple[tuple[str, str], ...]) -> AveragePrecision:
        """Return the same with the classes in another order; predictions of a class that is left out are gone."""
        if terms == self.terms:
            return self
        place = {one: number for number, one in enumerate(terms)}
        number = np.array([place.get(one, -1) for one in self.terms], dtype=np.int64)
        kept = np.flatnonzero(number[self.detections.term] >= 0)
        detections = self.detections.take(kept, self.detections.unit[kept])
        detections = replace(detections, term=number[detections.term])
        return replace(self, detections=detections, gold_term=number[self.gold_term], terms=terms)

    @cached_property
    def _members(self) -> list[IntArray]:
        labels = np.array(self.groups, dtype=object)
        return [np.flatnonzero(labels == label) for label in sorted(set(self.groups))]

    def _mean(self, terms: FloatArray, golds: FloatArray) -> FloatArray:
        """Return the mean over groups of the means over classes with gold boxes; shape (draws,)."""
        means = []
        for members in self._members:
            defined = golds[:, members] > 0
            count = defined.sum(axis=1)
            total = np.where(defined, terms[:, members], 0.0).sum(axis=1)
            means.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
        return np.mean(means, axis=0) if means else np.full(terms.shape[0], np.nan)

    def _by_term(self) -> FloatArray:
        """Return the number of each class on the data as cocoapi computes it."""
        golds = sums_by(self.gold_term, self.gold_count, len(self.terms))
        data = self.detections.sorted()
        starts = np.searchsorted(data.term, np.arange(len(self.terms) + 1))
        found = np.full(len(self.terms), np.nan)
        for term in np.flatnonzero(golds > 0).tolist():
            part = slice(starts[term], starts[term + 1])
            weight = data.weight[part]
            right = np.cumsum(data.hits[:, part] * weight, axis=1)
            wrong = np.cumsum((~data.hits[:, part] & ~data.ignored[:, part]) * weight, axis=1)
            recall = right / golds[term]
            if self.measure == "recall":
                found[term] = float(np.mean(recall[:, -1])) if recall.shape[1] else 0.0
                continue
            total = right + wrong
            precision = np.divide(right, total, out=np.zeros_like(right), where=total > 0)
            envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            values = []
            for reached, highest in zip(recall, envelope, strict=True):
                at = np.searchsorted(reached, GRID, side="left")
                values.append(float(highest[at[at < highest.size]].sum()) / GRID.size)
            found[term] = float(np.mean(values))
        return found

    def _recalls(self, index: IntArray, clusters: int) -> Any:
        data = self.detections
        right = np.zeros((clusters, len(self.terms)))
        np.add.at(right, (index[data.unit], data.term), data.hits.mean(axis=0) * data.weight)

        def at(weights: FloatArray, golds: FloatArray) -> FloatArray:
            return np.divide(weights @ right, golds, out=np.zeros_like(golds), where=golds > 0)

        return at

    def _precisions(self, index: IntArray) -> Any:
        data = self.detections.sorted()
        of_cluster = index[data.unit]
        curves = list(_curves(data, len(self.terms)))

        def at(weights: FloatArray, golds: FloatArray) -> FloatArray:
            held = weights[:, of_cluster] * data.weight
            found = np.zeros_like(golds)
            counted: FloatArray | None = None
            for number, curve in enumerate(curves):
                if not curve.hit.size:
                    continue
                if counted is None or not curve.same:
                    counted = np.cumsum(held * ~data.ignored[number], axis=1)
                curve.add(held, counted, golds, found)
            return found / (len(curves) * (RECALL_STEPS + 1))

        return at


@dataclass(frozen=True)
class _Curve:
    """The right predictions at one threshold: between them, precision can only fall."""

    hit: IntArray
    """Places among the sorted predictions."""
    term: IntArray
    """Class of each."""
    first: IntArray
    """Places in `hit` at which a class begins."""
    segment: IntArray
    """Place in `first` of each."""
    before: IntArray
    """Last sorted prediction of the classes before, for each of `first`; -1 without one."""
    same: bool
    """Whether as many predictions are ignored as at the threshold before."""

    def add(self, held: FloatArray, counted: FloatArray, golds: FloatArray, found: FloatArray) -> None:
        """Add to `found`, shape (draws, terms), the sums of precision over the recall grid."""
        segment = self.segment
        right = np.cumsum(held[:, self.hit], axis=1)
        right -= np.where(self.first > 0, right[:, self.first - 1], 0.0)[:, segment]
        total = counted[:, self.hit] - np.where(self.before >= 0, counted[:, self.before], 0.0)[:, segment]
        precision = np.divide(right, total, out=np.zeros_like(right), where=total > 1e-9)
        # Classes further ahead get a lower offset, so that the running maximum from behind starts anew in each.
        offset = 2.0 * (segment.max() - segment)
        highest = np.maximum.accumulate((precision + offset)[:, ::-1], axis=1)[:, ::-1] - offset
        size = golds[:, self.term]
        recall = np.divide(right, size, out=np.zeros_like(right), where=size > 0)
        # How many points of the grid are reached, to the last bit as a search in the grid has it.
        nearest = np.rint(np.minimum(recall, 1.0) * RECALL_STEPS).astype(np.int64)
        reached = nearest + (GRID[nearest] <= recall)
        steps = np.diff(reached, axis=1, prepend=0)
        steps[:, self.first] = reached[:, self.first]
        found[:, self.term[self.first]] += np.add.reduceat(highest * steps, self.first, axis=1)


def _curves(data: Detections, terms: int) -> Iterator[_Curve]:
    starts = np.searchsorted(data.term, np.arange(terms))
    for number, hits in enumerate(data.hits):
        hit = np.flatnonzero(hits)
        term = data.term[hit]
        first = np.flatnonzero(np.diff(term, prepend=-1))
        same = number > 0 and bool(np.array_equal(data.ignored[number], data.ignored[number - 1]))
        segment = np.repeat(np.arange(first.size), np.diff(first, append=hit.size))
        yield _Curve(hit, term, first, segment, starts[term[first]] - 1, same)
