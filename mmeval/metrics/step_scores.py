"""F1 of step verdicts: the mean of the F1 on right and on wrong steps of solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmeval.metrics.collect import row_numbers
from mmeval.metrics.definition import OUTSIDE, Detail, Metric, Scores, Units
from mmeval.metrics.forms import PlainForm
from mmeval.metrics.units import column_labels, exploded, means, outside, sample_units
from mmeval.stats.functionals import RatioMean
from mmeval.stats.scores import IntArray

CLASSES = ("correct", "incorrect")
COUNTS = tuple(f"{kind}_{name}" for name in CLASSES for kind in ("hit", "said", "are"))
"""Scores of verifier step-verdicts: steps of a class found, said, and there."""


@dataclass(frozen=True, slots=True)
class StepF1(PlainForm):
    """The unweighted mean of the F1 of each class of steps over all steps; by label of a column, the mean of those means.

    F1 of a class is 2 · found / (said + there) over the steps of all rows. A row without an answer misses all its steps.
    """

    classes: tuple[str, ...] = CLASSES
    column: str | None = None
    """Mean over the labels of this column of the numbers within them; None pools all steps."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The column to average over."""
        return () if self.column is None else (self.column,)

    @property
    def reads(self) -> tuple[str, ...]:
        """The counts of each row."""
        return tuple(f"scores.{name}" for name in COUNTS)

    @property
    def monotone(self) -> bool:
        """It is not a function of right and wrong rows."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the counts."""
        remedy = "use it with verifier step-verdicts"
        return {
            name: row_numbers(metric, columns[f"scores.{name}"], columns["sample_id"], rows, f"score {name!r}", remedy)
            for name in COUNTS
        }

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples (counts of repeats averaged) and the mean of the ratios."""
        found = sample_units(metric, scores)
        unit_of_row = found.unit_of_row.copy()
        labels = None if self.column is None else column_labels(scores, self.column)
        if labels is not None:
            out = outside(scores, labels)
            found = sample_units(metric, scores, ~out)
            unit_of_row = np.where(out, OUTSIDE, found.unit_of_row).astype(np.int64)
        rows = np.flatnonzero(unit_of_row >= 0)
        unit, size = unit_of_row[rows], found.ids.size
        counts = {name: means(unit, scores.details[name][rows], size) for name in COUNTS}
        if labels is None:
            at, label = np.arange(size), np.full(size, "", dtype=object)
        else:
            first = np.full(size, len(rows), dtype=np.int64)
            np.minimum.at(first, unit, np.arange(len(rows)))
            at, label = exploded(labels[rows[first]])
        names = sorted(set(label.tolist()))
        code = np.array([names.index(name) for name in label], dtype=np.int64)
        parts = len(self.classes)
        functional = RatioMean(
            size,
            np.concatenate([at] * parts).astype(np.int64),
            np.concatenate([code * parts + place for place in range(parts)]).astype(np.int64),
            np.concatenate([2 * counts[f"hit_{name}"][at] for name in self.classes]),
            np.concatenate([(counts[f"said_{name}"] + counts[f"are_{name}"])[at] for name in self.classes]),
            tuple((name, kind) for name in names for kind in self.classes),
        )
        return Units(found.ids, found.values, found.clusters, unit_of_row, False, functional)
