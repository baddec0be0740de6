"""Metrics that are no mean over samples: macro means, groups that must be right as a whole, weighted means, F1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mmeval.core.errors import DataError
from mmeval.metrics.collect import row_numbers
from mmeval.metrics.definition import BUILT_IN_COLUMNS, OUTSIDE, Detail, Metric, Scores, Units
from mmeval.metrics.units import column_labels, exploded, groups, outside, sample_units
from mmeval.stats.functionals import RatioMean, sums_by
from mmeval.stats.scores import IntArray

Measure = Literal["f1", "precision", "recall", "yes_rate"]
_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"no", "false", "0"})


@dataclass(frozen=True, slots=True)
class PlainForm:
    """A form that reads labels and the row's value alone."""

    @property
    def columns(self) -> tuple[str, ...]:
        """No column to group by."""
        return ()

    @property
    def reads(self) -> tuple[str, ...]:
        """No further column."""
        return ()

    @property
    def monotone(self) -> bool:
        """A row that turns right never lowers the number."""
        return True

    @property
    def linear(self) -> bool:
        """Products and ratios are not."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """No further number."""
        return {}


@dataclass(frozen=True, slots=True)
class AnswerForm(PlainForm):
    """A form that reads the answer and the truth of every row, and is no function of right and wrong."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The answers and the truth."""
        return "extracted", "target"

    @property
    def monotone(self) -> bool:
        """It is not a function of right and wrong."""
        return False


@dataclass(frozen=True, slots=True)
class GroupForm(PlainForm):
    """A form over the groups that a column names."""

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The group."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Macro:
    """The unweighted mean over the labels of a column, or of means of means over the labels of several.

    A row with several labels counts in each; one with an empty label in none. A label whose own number is undefined
    (an F1 without a yes) leaves the whole undefined.
    """

    levels: tuple[str, ...]
    """Columns, outermost first: the mean over the labels of the first of the means over those of the second …"""
    base: Metric
    """The metric within a label: a mean over samples or a ratio of sums."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The levels, and what the base groups by."""
        return (*self.levels, *self.base.columns)

    @property
    def reads(self) -> tuple[str, ...]:
        """What the base reads."""
        return self.base.reads

    @property
    def monotone(self) -> bool:
        """As the base."""
        return self.base.form is None or self.base.form.monotone

    @property
    def linear(self) -> bool:
        """As the base."""
        return self.base.form is None or self.base.form.linear

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return what the base needs."""
        return {} if self.base.form is None else self.base.form.details(self.base, columns, rows)

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the mean of the ratios by label."""
        labels = [column_labels(scores, name) for name in self.levels]
        out = np.zeros(scores.values.size, dtype=bool)
        for column in labels:
            out |= outside(scores, column)
        taken = np.flatnonzero(~out)
        part = scores.take(taken)
        found = self.base.form.units(self.base, part) if self.base.form else sample_units(self.base, part)
        unit_of_row = np.full(scores.values.size, OUTSIDE, dtype=np.int64)
        unit_of_row[taken] = found.unit_of_row
        size = found.values.size
        whole = (
            found.functional if isinstance(found.functional, RatioMean) else RatioMean.of(found.values, np.ones(size))
        )
        unit, paths, codes = self._paths(labels, unit_of_row, size)
        functional = None
        if found.functional is not None or len(paths) > 1:
            numerators, denominators = (
                sums_by(whole.unit, entries, size)[unit] for entries in (whole.numerators, whole.denominators)
            )
            functional = RatioMean(size, unit, codes, numerators, denominators, tuple(paths))
        binary = found.binary and functional is None
        return Units(found.ids, found.values, found.clusters, unit_of_row, binary, functional, found.kind)

    def _paths(
        self, labels: Sequence[Any], unit_of_row: IntArray, size: int
    ) -> tuple[IntArray, list[tuple[str, ...]], IntArray]:
        """Return unit and leaf of every entry, and the leaves in sorted order; the labels are those of a unit's first row."""
        import pandas as pd

        rows = np.flatnonzero(unit_of_row >= 0)
        _, first = np.unique(unit_of_row[rows], return_index=True)
        rows = rows[first]
        units = np.arange(size)
        frame = pd.DataFrame({"unit": units})
        for level, column in enumerate(labels):
            at, label = exploded(column[rows])
            frame = frame.merge(pd.DataFrame({"unit": units[at], f"level{level}": label}), on="unit", how="inner")
        grouped = frame.groupby([f"level{level}" for level in range(len(labels))], sort=True)
        paths = [key if isinstance(key, tuple) else (key,) for key, _ in grouped]
        unit, code = (np.asarray(column, dtype=np.int64) for column in (frame["unit"], grouped.ngroup()))
        return unit, [tuple(str(part) for part in path) for path in paths], code


@dataclass(frozen=True, slots=True)
class AllRight(GroupForm):
    """The share of groups all of whose rows are right: worst case over variants, accuracy per figure, per pair."""

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return groups, 1 where every row is right; several repeats of a group are averaged."""
        found = groups(scores, self.column)
        return found.units(found.all_right(scores), True, _kind(self.column))


@dataclass(frozen=True, slots=True)
class Robustness(GroupForm):
    """Worst case over average case: the share of groups that are all right, over the mean accuracy of the same groups."""

    @property
    def monotone(self) -> bool:
        """A row that turns right in a group that stays wrong lowers it."""
        return False

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return groups and the ratio of their sums."""
        found = groups(scores, self.column)
        turns = found.group_of_turn.size
        right = sums_by(found.turn, scores.values[found.row], turns)
        share = found.over_turns(right / np.bincount(found.turn, minlength=turns))
        worst = found.all_right(scores)
        functional = RatioMean.of(found.over_turns(worst), share)
        return found.units(worst, True, _kind(self.column), functional)


@dataclass(frozen=True, slots=True)
class Weighted:
    """sum(weight * score) / sum(weight) over samples."""

    weight: str
    """A named score of the rows, or a column of numbers among their subsets and groups."""

    @property
    def columns(self) -> tuple[str, ...]:
        """None that must be there: the weight may be a score."""
        return ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Where the weight may stand."""
        return f"scores.{self.weight}", f"subsets.{self.weight}"

    @property
    def monotone(self) -> bool:
        """Weights are not negative."""
        return True

    @property
    def linear(self) -> bool:
        """Linear in the scores."""
        return True

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the weight of each row."""
        first, second = (columns[name] for name in self.reads)
        cells = [label if _lacking(score) else score for score, label in zip(first, second, strict=True)]
        samples = columns["sample_id"]
        remedy = f"give every row a number as score {self.weight!r}, or declare it under groups of the card"
        found = row_numbers(metric, cells, samples, rows, f"weight {self.weight!r}", remedy)
        negative = rows[found[rows] < 0]
        if negative.size:
            raise DataError(
                f"sample {samples[negative[0]]!r}: weight {self.weight!r} is {found[negative[0]]:g}",
                remedy="give weights of at least 0",
            )
        return {"weight": found}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the weighted mean; the weight of a sample is that of its first row."""
        found = sample_units(metric, scores)
        weight = np.zeros(found.values.size)
        rows = np.flatnonzero(found.unit_of_row >= 0)[::-1]
        weight[found.unit_of_row[rows]] = scores.details["weight"][rows]
        return _with(found, RatioMean.of(weight * found.values, weight))


@dataclass(frozen=True, slots=True)
class YesNo(AnswerForm):
    """Precision, recall, F1 of the answer yes, and how often it is given.

    A row without an answer is no yes: it costs recall where yes is right and nothing where no is right.
    """

    measure: Measure

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return 1 for an answer of yes, and for a truth of yes."""
        samples, outcome = columns["sample_id"], columns["outcome"]
        said, gold = np.zeros(len(samples)), np.zeros(len(samples))
        known: dict[tuple[str, Any], bool] = {}
        for row in rows.tolist():
            if outcome[row] == "scored":
                said[row] = _is_yes("extracted", columns["extracted"][row], samples[row], metric, known)
            gold[row] = _is_yes("target", columns["target"][row], samples[row], metric, known)
        return {"said": said, "gold": gold}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the ratio."""
        found = sample_units(metric, scores)
        rows = np.flatnonzero(found.unit_of_row >= 0)
        unit = found.unit_of_row[rows]
        answers = np.bincount(unit, minlength=found.values.size)
        said, gold = scores.details["said"][rows], scores.details["gold"][rows]
        yes, truth, hits = (sums_by(unit, column, answers.size) / answers for column in (said, gold, said * gold))
        if self.measure == "yes_rate":
            return Units(found.ids, yes, found.clusters, found.unit_of_row, found.binary)
        if self.measure == "f1":
            return _with(found, RatioMean.of(2 * hits, yes + truth))
        return _with(found, RatioMean.of(hits, yes if self.measure == "precision" else truth))


def _is_yes(column: str, cell: Any, sample: Any, metric: Metric, known: dict[tuple[str, Any], bool]) -> bool:
    if (column, cell) not in known:
        try:
            value = json.loads(cell) if isinstance(cell, str) else cell
        except (ValueError, RecursionError):
            value = cell
        word = str(value).strip().strip(".").lower()
        if word not in _YES | _NO:
            raise DataError(
                f"sample {sample!r}: {column} {cell!r} is neither yes nor no, which metric {metric.name!r} needs",
                remedy="use it for tasks whose answers are yes or no",
            )
        known[column, cell] = word in _YES
    return known[column, cell]


def _kind(column: str) -> str:
    return column if column in BUILT_IN_COLUMNS else f"group of {column}"


def _lacking(score: Any) -> bool:
    return score is None or score != score


def _with(found: Units, functional: RatioMean) -> Units:
    return Units(found.ids, found.values, found.clusters, found.unit_of_row, False, functional)
