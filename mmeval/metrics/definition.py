"""What a metric is: which value a row has, and how values become one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.core.types import OUTCOMES, Outcome
from mmeval.metrics.columns import Texts
from mmeval.stats.functionals import Functional
from mmeval.stats.intervals import FloatArray, Interval
from mmeval.stats.scores import IntArray

Rows: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Any]
"""Rows of results.parquet, or its columns: outcome, score, correct, scores, cluster, sample_id, repeat, and what a form
reads. A column of maps may be given key by key: `scores.mra`, `subsets.subject`."""

BoolArray: TypeAlias = npt.NDArray[np.bool_]
TextArray: TypeAlias = npt.NDArray[np.object_]
Names: TypeAlias = npt.NDArray[Any]
"""Texts, or whole numbers in their place: equal for equal texts, and in their order."""
Detail: TypeAlias = npt.NDArray[Any]
"""What a form needs of each row besides its value, shape (rows,): numbers, or objects (boxes, texts) in an array of objects."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How rows become one number."""

    name: str
    source: Literal["correct", "score", "scores"]
    """The column that holds a row's value."""
    key: str = ""
    """Which of the named `scores`."""
    threshold: float | None = None
    """Turns a value into 1 when it is at least this, else 0."""
    k: int | None = None
    """pass@k: answers that the metric allows per sample."""
    bounds: tuple[float, float] | None = (0.0, 1.0)
    """Range of the value; None where it is unknown."""
    no_answer: float = 0.0
    """What a row without an answer counts for."""
    form: Form | None = None
    """How the rows' values become a number; None: the mean over samples."""
    better: Literal["higher", "lower"] = "higher"
    version: str = "1"
    """Raised whenever a result can change; part of the score digest."""

    @property
    def binary(self) -> bool:
        """Whether a single row's value is 0 or 1."""
        return self.source == "correct" or self.threshold is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """Subset or group columns that rows must have."""
        return () if self.form is None else tuple(name for name in self.form.columns if name not in BUILT_IN_COLUMNS)

    @property
    def names_clusters(self) -> bool:
        """Whether it groups by cluster or sample, whose names are labels then."""
        return self.form is not None and any(name in BUILT_IN_COLUMNS for name in self.form.columns)

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the results table, beside those that every metric reads."""
        return () if self.form is None else self.form.reads

    @property
    def rows(self) -> Metric:
        """The same without its form: a value per row and their mean."""
        return replace(self, form=None)


OUTSIDE = -2
"""Unit number of a row that is no part of a metric."""
BUILT_IN_COLUMNS = ("cluster", "sample")
"""Names that group rows without being declared by a card."""


class Form(Protocol):
    """How the values of rows become one number, where that is not their mean over samples."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of labels: subsets or groups of the card, `cluster`, `sample`."""
        ...

    @property
    def reads(self) -> tuple[str, ...]:
        """Further columns of the results table."""
        ...

    @property
    def monotone(self) -> bool:
        """Whether a row that turns right never lowers the number."""
        ...

    @property
    def linear(self) -> bool:
        """Whether the number is linear in the rows' values."""
        ...

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return what else is needed of the rows that count, by name, each of shape (rows,).

        Raises:
            DataError: when a row lacks one.
        """
        ...

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return what the number is made of.

        Raises:
            DataError: when the rows do not have what the form needs.
        """
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """The rows of one model, task and condition as one metric reads them; free of NaN. Every array has shape (rows,)."""

    outcome: npt.NDArray[np.int8]
    """Place in OUTCOMES."""
    values: FloatArray
    """A row without an answer has the metric's value for that, a row that does not count 0."""
    samples: Names
    clusters: Names
    """`c:LABEL`, or `s:SAMPLE` for a row without one, which is a cluster by its sample."""
    repeats: IntArray
    labels: Mapping[str, TextArray]
    """Group column -> label as stored (several joined by ' | '); empty where the row belongs to no group."""
    details: Mapping[str, Detail]
    """What else the metric's form needs of each row."""
    spelled: Texts | None = None
    """The samples' ids where `samples` are numbers."""

    def name(self, row: int) -> str:
        """Return the id of a row's sample."""
        return str(self.samples[row] if self.spelled is None else self.spelled.word(int(self.samples[row])))

    @property
    def counted(self) -> BoolArray:
        """Which rows have a value: scored, or without an answer."""
        return np.asarray(self.outcome <= 1)

    @property
    def counts(self) -> dict[Outcome, int]:
        """Rows by outcome."""
        found = np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist()
        return dict(zip(OUTCOMES, found, strict=True))

    def take(self, rows: npt.NDArray[Any]) -> Scores:
        """Return some of the rows, by position or mask."""
        return Scores(
            self.outcome[rows],
            self.values[rows],
            self.samples[rows],
            self.clusters[rows],
            self.repeats[rows],
            {name: labels[rows] for name, labels in self.labels.items()},
            {name: cells[rows] for name, cells in self.details.items()},
            self.spelled,
        )

    def with_values(self, values: FloatArray) -> Scores:
        """Return the same rows with other values."""
        return replace(self, values=values)


@dataclass(frozen=True, slots=True)
class Units:
    """What a number is made of: samples with the mean of their repeats, or groups of rows."""

    ids: Names
    """Sample id or group label, in the order of the rows."""
    values: FloatArray
    """The unit's own value, shape (units,)."""
    clusters: Names
    """Cluster of each unit; groups that share clusters are in one."""
    unit_of_row: IntArray
    """Unit of each row of the scores, -1 for rows that are missing from the number, OUTSIDE for those that are no part of
    it because they belong to no group."""
    binary: bool
    """Whether every unit has one answer and a value of 0 or 1 by definition."""
    functional: Functional | None = None
    """The number as a function of all units; None: the mean of the values."""
    kind: str = "sample"
    """What a unit is."""

    @property
    def value(self) -> float | None:
        """The metric's value; None without units or where it is undefined."""
        if self.functional is not None:
            return self.functional.value()
        return float(np.mean(self.values)) if self.values.size else None

    def select(self, units: IntArray) -> Units:
        """Return some of the units, in that order."""
        place = np.full(self.ids.size, -1, dtype=np.int64)
        place[units] = np.arange(units.size)
        rows = self.unit_of_row.copy()
        rows[rows >= 0] = place[rows[rows >= 0]]
        functional = None if self.functional is None else self.functional.select(units)
        return replace(
            self, ids=self.ids[units], values=self.values[units], clusters=self.clusters[units], unit_of_row=rows,
            functional=functional,
        )  # fmt: skip

    @property
    def coverage(self) -> float:
        """Share of rows in the value; 0 when there is no row."""
        total = int(np.count_nonzero(self.unit_of_row != OUTSIDE))
        return float(np.count_nonzero(self.unit_of_row >= 0)) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value and how sure it is."""

    metric: str
    value: float | None
    """None when no row counts, or where the metric is undefined (0/0)."""
    interval: Interval | None
    """None when the rows cannot give one (no row; one cluster of an unbounded score)."""
    n: int
    """Samples in the value (repeats of a sample are one), or groups for metrics of groups."""
    clusters: int
    """Independent groups of samples."""
    coverage: float
    """Share of rows that count (scored or without an answer, in complete groups), in [0, 1]."""
    counts: Mapping[Outcome, int]
    """Rows by outcome."""
    unit: str = "sample"
    """What `n` counts."""

    @property
    def no_interval(self) -> str | None:
        """Why there is no interval; None where there is one."""
        if self.interval is not None:
            return None
        if self.n == 0:
            return "no row counts"
        if self.value is None:
            return "undefined for these rows (0/0)"
        if self.clusters == 1:
            return "one cluster"
        return "no spread between clusters, and no bounds"
