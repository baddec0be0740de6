"""Samples and groups of rows, from which the forms build their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmeval.metrics.definition import OUTSIDE, BoolArray, Metric, Names, Scores, TextArray, Units
from mmeval.stats.functionals import RatioMean, sums_by
from mmeval.stats.intervals import FloatArray
from mmeval.stats.numbering import by_appearance, by_size, repeated
from mmeval.stats.scores import IntArray

SEPARATOR = " | "


def whole_samples(scores: Scores) -> BoolArray:
    """Return which rows belong to samples all of whose rows count: of a vote, a repeat that failed is not known."""
    broken = set(scores.samples[~scores.counted])
    return np.fromiter((sample not in broken for sample in scores.samples), dtype=bool, count=scores.samples.size)


def sample_units(metric: Metric, scores: Scores, rows: BoolArray | None = None) -> Units:
    """Return the samples with the mean of their repeats; pass@k is estimated from them.

    Args:
        metric: gives k.
        scores: the rows.
        rows: which may be in it, beside counting; all by default.
    """
    counted = scores.counted if rows is None else scores.counted & rows
    if metric.k is None and np.issubdtype(scores.samples.dtype, np.integer):
        among = scores.samples if bool(counted.all()) else scores.samples[counted]
        if repeated(among) is None:  # one answer each: the usual case, in which nothing is summed
            return _alone(metric, scores, among, counted)
    where = np.flatnonzero(counted)
    sample, ids = _factorize(scores.samples[where])
    answers = np.bincount(sample, minlength=ids.size)
    values = means(sample, scores.values[where], ids.size)
    if metric.k is not None:
        from mmeval.stats.sampling import pass_at_k

        right = np.rint(values * answers).astype(np.int64)
        enough = answers >= metric.k
        kept = np.flatnonzero(enough)
        values = np.array([pass_at_k(int(answers[i]), int(right[i]), metric.k) for i in kept.tolist()])
        place = np.where(enough, np.cumsum(enough) - 1, -1)
        sample, ids = place[sample], ids[kept]
        where, sample = where[sample >= 0], sample[sample >= 0]
    unit_of_row = np.full(scores.values.size, -1, dtype=np.int64)
    unit_of_row[where] = sample
    first = first_rows(sample, ids.size)
    binary = metric.binary and metric.k is None and bool(np.all(answers == 1))
    return Units(ids, values.astype(np.float64), scores.clusters[where][first], unit_of_row, binary)


def _alone(metric: Metric, scores: Scores, ids: Names, counted: BoolArray) -> Units:
    """Every counted row, of which these are the samples, as one of its own; arrays of all rows are no copies."""
    size = scores.values.size
    if ids.size == size:
        clusters, unit_of_row = scores.clusters, np.arange(size)
        values = scores.values + 0.0  # as a sum from 0 on: no -0
    else:
        clusters, unit_of_row = scores.clusters[counted], np.full(size, -1, dtype=np.int64)
        unit_of_row[counted] = np.arange(ids.size)
        values = scores.values[counted] + 0.0
    return Units(ids, values, clusters, unit_of_row, metric.binary)


@dataclass(frozen=True, slots=True)
class Groups:
    """Complete groups of rows: every row of theirs counts, in each repeat that is used."""

    ids: Names
    """Group labels."""
    clusters: Names
    """Cluster of each group; groups whose rows share clusters are in one."""
    row: IntArray
    """Row of each entry; a row that belongs to several groups has several."""
    group: IntArray
    """Group of each entry."""
    turn: IntArray
    """(Group, repeat) of each entry, numbered from 0."""
    group_of_turn: IntArray
    unit_of_row: IntArray

    @property
    def single(self) -> bool:
        """Whether every group has one repeat."""
        return self.group_of_turn.size == self.ids.size

    def over_turns(self, values: FloatArray) -> FloatArray:
        """Return values of (group, repeat) as means by group."""
        return means(self.group_of_turn, values, self.ids.size)

    def all_right(self, scores: Scores) -> FloatArray:
        """Return by (group, repeat) whether every row is 1."""
        wrong = sums_by(self.turn, scores.values[self.row] != 1.0, self.group_of_turn.size)
        return np.asarray(wrong == 0, dtype=np.float64)

    def units(self, values: FloatArray, binary: bool, kind: str, functional: RatioMean | None = None) -> Units:
        """Return the groups as units with values of (group, repeat) averaged."""
        return Units(
            self.ids, self.over_turns(values), self.clusters, self.unit_of_row, binary and self.single, functional, kind
        )


def groups(scores: Scores, column: str, complete: Sequence[BoolArray] = ()) -> Groups:
    """Group the rows by a column.

    A group with a row that does not count (an error, a failed judge, unsupported) is left out in that repeat, because
    nobody knows whether the row would be right.

    Args:
        scores: the rows.
        column: a label column, `cluster` or `sample`.
        complete: further conditions by row; a group in which one does not hold is left out.
    """
    labels = column_labels(scores, column)
    row, label = exploded(labels)
    group, ids = _factorize(label)
    turn, _ = _number_pairs(group, scores.repeats[row])
    turns = int(turn.max(initial=-1)) + 1
    usable = scores.counted.copy()
    for condition in complete:
        usable &= condition
    broken = sums_by(turn, ~usable[row], turns) > 0
    kept = ~broken[turn]
    row, group, turn = row[kept], group[kept], turn[kept]
    # Number what is left anew, in the order of the rows.
    group, used = _factorize(group)
    turn, _ = _factorize(turn)
    group_of_turn = group[first_rows(turn, int(turn.max(initial=-1)) + 1)]
    unit_of_row = np.where(outside(scores, labels), OUTSIDE, -1).astype(np.int64)
    unit_of_row[row[::-1]] = group[::-1]
    clusters = _group_clusters(scores.clusters[row], group, used.size)
    return Groups(ids[used.astype(np.int64)], clusters, row, group, turn, group_of_turn, unit_of_row)


def outside(scores: Scores, labels: TextArray) -> BoolArray:
    """Return which rows belong to no group; a row that failed before its label was known is not among them."""
    unlabelled = np.fromiter((not label for label in labels), dtype=bool, count=labels.size)
    return np.asarray(unlabelled & scores.counted, dtype=bool)


def column_labels(scores: Scores, column: str) -> TextArray:
    """Return the labels of a column, `cluster` or `sample`."""
    if column == "sample":
        return scores.samples
    return scores.clusters if column == "cluster" else scores.labels[column]


def exploded(labels: TextArray) -> tuple[IntArray, TextArray]:
    """Return row and label of every (row, label) pair; a row without a label has none."""
    if not any(SEPARATOR in label for label in labels):
        where = np.flatnonzero([bool(label) for label in labels])
        return where, labels[where]
    pairs = [(row, one) for row, label in enumerate(labels) for one in split_labels(label)]
    found = np.empty(len(pairs), dtype=object)
    found[:] = [label for _, label in pairs]
    return np.array([row for row, _ in pairs], dtype=np.int64), found


def split_labels(value: str) -> list[str]:
    """Return the labels of one subset cell, each once."""
    return list(dict.fromkeys(label for label in value.split(SEPARATOR) if label))


def means(index: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Return means by index; equal values have exactly their value as mean."""
    counts = np.bincount(index, minlength=size)
    sums = sums_by(index, values, size)
    found = sums / np.maximum(counts, 1)
    if values.size and bool(np.any(counts > 1)):
        first = values[first_rows(index, size)]
        differing = sums_by(index, values != first[index], size)
        found = np.where(differing == 0, first, found)
    return found


def first_rows(index: IntArray, size: int) -> IntArray:
    """Return the first position of each number 0..size-1, all of which occur."""
    first = np.empty(size, dtype=np.int64)
    first[index[::-1]] = np.arange(index.size - 1, -1, -1)
    return first


def cluster_numbers(clusters: Names) -> IntArray:
    """Number clusters in the order of their labels, so that results do not depend on the order of rows."""
    if np.issubdtype(clusters.dtype, np.integer):
        return by_size(clusters)
    import pandas as pd

    return pd.factorize(clusters, sort=True)[0].astype(np.int64)


def _factorize(values: Names) -> tuple[IntArray, Names]:
    if np.issubdtype(values.dtype, np.integer):
        numbers, first = by_appearance(values)
        return numbers, values[first]
    import pandas as pd

    codes, found = pd.factorize(values)
    return codes.astype(np.int64), np.asarray(found, dtype=object)


def _number_pairs(first: IntArray, second: IntArray) -> tuple[IntArray, Names]:
    return _factorize(first * (int(second.max(initial=0)) + 1) + second)


def _group_clusters(clusters: Names, group: IntArray, size: int) -> Names:
    """Return the cluster of each group; clusters that one group joins become one, under their smallest label."""
    if size == 0:
        return clusters[:0]
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = cluster_numbers(clusters)
    first = clusters[first_rows(number, int(number.max()) + 1)]
    nodes = first.size + size
    links = coo_array((np.ones(group.size), (number, first.size + group)), shape=(nodes, nodes))
    part = connected_components(links, directed=False)[1]
    # Cluster numbers follow the order of labels: the first of a part has the smallest label.
    smallest = first_rows(part[: first.size].astype(np.int64), int(part.max()) + 1)
    found: Names = first[smallest[part[first.size :]]]
    return found
