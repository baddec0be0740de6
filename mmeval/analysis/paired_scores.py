"""Scores of two sides on one task, aligned item by item: what a comparison computes with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mmeval.metrics import Metric, Scores, Units, units_of
from mmeval.metrics.collect import collect
from mmeval.metrics.definition import OUTSIDE, TextArray
from mmeval.metrics.subsets import label_rows
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.intervals import FloatArray
from mmeval.stats.pairs import Pair, pair_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PairedScores:
    """Aligned units of two sides on one task under one condition, free of NaN.

    Units are samples, or groups of them for metrics of groups (`all:COLUMN`).
    """

    task: str
    protocol: str
    condition: str
    metric: str
    rows: AlignedRows
    units: tuple[Units, Units]
    """Of baseline and candidate: the same ids in the same order."""
    covered: int
    """Items in the comparison."""
    union: int
    """Items on either side."""
    rescored: int
    """Rows that were scored again because the two runs were scored in different ways."""
    notes: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Every value is 0 or 1: a yes-or-no metric with one answer per unit."""
        return self.units[0].binary and self.units[1].binary

    @property
    def items(self) -> tuple[str, ...]:
        """Sample ids of the baseline, or group labels, shape (n,)."""
        return tuple(str(one) for one in self.units[0].ids)

    @property
    def base(self) -> FloatArray:
        """Value of each unit, the mean over its repeats, shape (n,)."""
        return self.units[0].values

    @property
    def candidate(self) -> FloatArray:
        """The same for the candidate."""
        return self.units[1].values

    @property
    def clusters(self) -> tuple[str, ...]:
        """Cluster label of each unit."""
        return tuple(str(one) for one in self.units[0].clusters)

    @property
    def coverage(self) -> float:
        """Share of all items that are in the comparison."""
        return self.covered / self.union if self.union else 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Subset columns that can be broken down by."""
        return tuple(self.rows.labels)

    def values(self) -> tuple[float, float] | None:
        """The metric of baseline and candidate; None where it is undefined (0/0)."""
        first, second = (side.value for side in self.units)
        return None if first is None or second is None else (first, second)

    def pair(self, independent: bool = False) -> Pair:
        """What the statistics compare; `independent` ignores clusters."""
        first, second = (side.functional for side in self.units)
        functionals = None if first is None or second is None else (first, second)
        return pair_of(self.base, self.candidate, None if independent else self.clusters, functionals)

    def moved(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Items whose value fell, and items whose value rose; means of equal answers differ by rounding at most."""
        rise = self.candidate - self.base
        least = 1e-12 * np.maximum(1.0, np.maximum(np.abs(self.base), np.abs(self.candidate)))
        items = self.items
        lost, gained = (np.flatnonzero(mask).tolist() for mask in (rise < -least, rise > least))
        return tuple(items[i] for i in lost), tuple(items[i] for i in gained)

    def take(self, units: Sequence[int]) -> PairedScores:
        """The same for some of the units; coverage is then of those alone."""
        index = np.asarray(units, dtype=np.int64)
        first, second = self.units
        return replace(self, units=(first.select(index), second.select(index)), covered=index.size, union=index.size)

    def parts(self, columns: Sequence[str]) -> Iterator[tuple[tuple[str, str], PairedScores]]:
        """Yield the labels of columns in sorted order with the comparison on the rows that carry each."""
        for column in sorted(columns):
            for label, rows in self.rows.by_label(column):
                units = rows.units()
                size = units[0].ids.size
                yield (column, label), replace(self, rows=rows, units=units, covered=size, union=size)


@dataclass(frozen=True, slots=True)
class AlignedRows:
    """Rows of both sides for the items that both have: the candidate's under the baseline's ids, clusters and labels."""

    metric: Metric
    base: Scores
    candidate: Scores
    labels: Mapping[str, tuple[TextArray, TextArray]]
    """Subset column -> label of each row of both sides; empty where a row has none."""

    def units(self) -> tuple[Units, Units]:
        """Return the units that both sides have, in the order of the baseline."""
        first, second = units_of(self.metric, self.base), units_of(self.metric, self.candidate)
        place = {one: number for number, one in enumerate(second.ids)}
        common = np.array([number for number, one in enumerate(first.ids) if one in place], dtype=np.int64)
        order = np.array([place[one] for one in first.ids[common]], dtype=np.int64)
        return first.select(common), second.select(order)

    def covered(self, units: tuple[Units, Units]) -> int:
        """Return how many samples are in the units of both sides, or are no part of the metric."""
        found = [
            set(scores.samples[(side.unit_of_row >= 0) | (side.unit_of_row == OUTSIDE)])
            for scores, side in zip((self.base, self.candidate), units, strict=True)
        ]
        return len(found[0] & found[1])

    def lacking(self, units: tuple[Units, Units]) -> tuple[int, int]:
        """Return how many answers to samples in the units do not count, and how many samples lack some, on either side."""
        answers, samples = 0, set[object]()
        for scores, side in zip((self.base, self.candidate), units, strict=True):
            if bool(scores.counted.all()):
                continue
            kept = set(scores.samples[side.unit_of_row >= 0])
            found = [sample for sample in scores.samples[~scores.counted] if sample in kept]
            answers += len(found)
            samples.update(found)
        return answers, len(samples)

    def by_label(self, column: str) -> Iterator[tuple[str, AlignedRows]]:
        """Yield each label of a column with its rows."""
        parts = [dict(label_rows(labels)) for labels in self.labels[column]]
        for label in sorted(parts[0].keys() & parts[1].keys()):
            kept = (parts[0][label], parts[1][label])
            labels = {name: (first[kept[0]], second[kept[1]]) for name, (first, second) in self.labels.items()}
            yield label, AlignedRows(self.metric, self.base.take(kept[0]), self.candidate.take(kept[1]), labels)


def aligned_rows(
    metric: Metric, record: TaskRecord, frames: Sequence[pd.DataFrame], ids: Sequence[Sequence[str]]
) -> AlignedRows:
    """Give both sides the ids, clusters and labels of the baseline, for the items in `ids` and in their order."""
    position = [{sample: number for number, sample in enumerate(side)} for side in ids]
    parts = []
    for frame, known in zip(frames, position, strict=True):
        place = frame["sample_id"].map(lambda sample, known=known: known.get(str(sample), -1)).to_numpy(np.int64)
        order = np.lexsort((frame["repeat"].to_numpy(), place))
        order = order[place[order] >= 0]
        parts.append((frame.iloc[order], place[order]))
    first = parts[0][0].iloc[np.unique(parts[0][1], return_index=True)[1]]
    facts = {name: first[name].to_numpy(object) for name in ("sample_id", "cluster", "subsets")}
    scores = [
        collect(
            metric,
            {str(name): frame[name].to_numpy() for name in frame if name not in facts}
            | {name: column[place] for name, column in facts.items()},
        )
        for frame, place in parts
    ]
    pairs = [dict(cell or {}) for cell in facts["subsets"]]
    columns = [name for name in dict.fromkeys(name for cell in pairs for name in cell) if _is_subset(record, name)]
    labels = {}
    for column in columns:
        cells = np.empty(len(pairs), dtype=object)
        cells[:] = [str(cell.get(column) or "") for cell in pairs]
        labels[column] = (cells[parts[0][1]], cells[parts[1][1]])
    return AlignedRows(metric, scores[0], scores[1], labels)


def _is_subset(record: TaskRecord, column: str) -> bool:
    return column not in record.group_columns
