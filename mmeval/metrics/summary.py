"""From rows of the results table to one number with its interval, n, clusters and coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.core.errors import DataError
from mmeval.core.types import OUTCOMES, Outcome
from mmeval.stats.intervals import FloatArray, Interval, cluster_mean, mean_interval, wilson

Rows: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""Rows of results.parquet, or its columns: outcome, score, correct, scores, cluster, sample_id, repeat."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The rows that count for one metric, free of NaN."""

    values: FloatArray
    """Value of each counted row, shape (rows,); a row without an answer has the metric's value for that."""
    clusters: npt.NDArray[np.str_]
    """Cluster label of each row, shape (rows,); a row without one is a cluster by its sample."""
    samples: npt.NDArray[np.str_]
    """Sample id of each row, shape (rows,)."""
    repeats: npt.NDArray[np.int64]
    """Repeat of each row, shape (rows,)."""
    counts: Mapping[Outcome, int]
    """Rows by outcome, counted or not."""

    @property
    def coverage(self) -> float:
        """Share of all rows that count, in [0, 1]; 0 when there is no row."""
        total = sum(self.counts.values())
        return (self.counts["scored"] + self.counts["no_answer"]) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value and how sure it is."""

    metric: str
    value: float | None
    """None when no row counts."""
    interval: Interval | None
    """None when the rows cannot give one (no row; one cluster of an unbounded score)."""
    n: int
    """Samples in the value; repeats of a sample are one."""
    clusters: int
    """Independent groups of samples."""
    coverage: float
    """Share of rows that count (scored or without an answer), in [0, 1]."""
    counts: Mapping[Outcome, int]
    """Rows by outcome."""


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
    version: str = "1"
    """Raised whenever a result can change; part of the score digest."""

    @property
    def binary(self) -> bool:
        """Whether a single row's value is 0 or 1."""
        return self.source == "correct" or self.threshold is not None


def collect(metric: Metric, rows: Rows) -> Scores:
    """Pick the rows that count and their values.

    Raises:
        DataError: when a column is missing, a counted row lacks the metric's value, a value is not finite, or one
            (sample, repeat) occurs twice.
    """
    columns = _columns(rows, metric)
    counts: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
    values: list[float] = []
    kept: list[int] = []
    seen: set[tuple[str, int]] = set()
    repeats = columns["repeat"]
    for index, outcome in enumerate(columns["outcome"]):
        if outcome not in counts:
            raise DataError(f"row {index}: outcome {outcome!r} is none of {', '.join(OUTCOMES)}")
        counts[outcome] += 1
        identity = (str(columns["sample_id"][index]), int(repeats[index] or 0))
        if identity in seen:
            raise DataError(
                f"sample {identity[0]!r}, repeat {identity[1]}, occurs twice",
                remedy="give the rows of one model, task and condition",
            )
        seen.add(identity)
        if outcome == "scored":
            values.append(_value(metric, columns, index))
            kept.append(index)
        elif outcome == "no_answer":
            values.append(metric.no_answer)
            kept.append(index)
    samples = [str(columns["sample_id"][index]) for index in kept]
    clusters = [_cluster(columns["cluster"][index], columns["sample_id"][index]) for index in kept]
    return Scores(
        np.asarray(values, dtype=np.float64),
        np.asarray(clusters, dtype=np.str_),
        np.asarray(samples, dtype=np.str_),
        np.asarray([int(repeats[index] or 0) for index in kept], dtype=np.int64),
        counts,
    )


def _cluster(label: Any, sample: Any) -> str:
    # A prefix keeps a sample's own cluster apart from a declared one of the same name; null may come as NaN.
    return f"c:{label}" if isinstance(label, str) and label else f"s:{sample}"


def summarise(metric: Metric, scores: Scores, level: float = 0.95) -> Estimate:
    """Return the metric's value and interval.

    Repeats are averaged per sample first (pass@k: estimated per sample). Binary values of one repeat whose clusters
    do not repeat get the Wilson interval; everything else Student's t on the CR1 standard error (over clusters, or
    samples where each is its own), cut to the metric's range. Where the clusters of a bounded metric do not differ, that
    interval has no width and says too much: a Wilson interval on as many trials as clusters replaces it. A single
    cluster says nothing about others: the interval is the whole range.
    """
    grouped: dict[str, list[float]] = {}
    cluster_of: dict[str, str] = {}
    for value, sample, cluster in zip(scores.values.tolist(), scores.samples, scores.clusters, strict=True):
        grouped.setdefault(str(sample), []).append(value)
        cluster_of.setdefault(str(sample), str(cluster))
    per_sample = metric_per_sample(metric, grouped)
    values = list(per_sample.values())
    labels = [cluster_of[sample] for sample in per_sample]
    count = len(set(labels))
    coverage = scores.coverage
    if metric.k is not None and grouped:
        used = sum(len(grouped[sample]) for sample in per_sample)
        coverage *= used / scores.values.size
    if not values:
        return Estimate(metric.name, None, None, 0, 0, coverage, scores.counts)
    single = all(len(found) == 1 for found in grouped.values())
    mean, interval = _interval(metric, values, labels, single, level)
    return Estimate(metric.name, mean, interval, len(values), count, coverage, scores.counts)


def metric_per_sample(metric: Metric, grouped: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return one value per sample: the mean over its repeats, or pass@k for samples with at least k answers."""
    if metric.k is None:
        return {sample: math.fsum(values) / len(values) for sample, values in grouped.items()}
    from mmeval.stats.sampling import pass_at_k

    return {
        sample: pass_at_k(len(values), round(sum(values)), metric.k)
        for sample, values in grouped.items()
        if len(values) >= metric.k
    }


def _interval(
    metric: Metric, values: list[float], labels: list[str], single: bool, level: float
) -> tuple[float, Interval | None]:
    count = len(set(labels))
    if metric.binary and single and count == len(values):
        right = sum(value == 1.0 for value in values)
        return right / len(values), wilson(right, len(values), level)
    found = mean_interval(values, level) if count == len(values) else cluster_mean(values, labels, level)
    assert found.mean is not None
    if metric.bounds is None:
        return found.mean, found.interval
    low, high = metric.bounds
    if found.interval is None or found.interval.high - found.interval.low <= 1e-9 * (high - low):
        if count == 1:
            return found.mean, Interval(low, high, level, "range (one cluster)")
        share = min(max((found.mean - low) / (high - low), 0.0), 1.0)
        wide = wilson(share * count, count, level)
        assert wide is not None
        width = high - low
        return found.mean, Interval(low + wide.low * width, low + wide.high * width, level, "wilson on clusters")
    return found.mean, found.interval.clip(low, high)


def _columns(rows: Rows, metric: Metric) -> dict[str, Sequence[Any]]:
    names = ["outcome", "sample_id", "cluster", "repeat", metric.source]
    if not isinstance(rows, Mapping):
        return {name: [_cell(row, name, position) for position, row in enumerate(rows)] for name in names}
    missing = [name for name in names if name not in rows and name not in ("cluster", "repeat")]
    if missing:
        raise DataError(f"column {missing[0]!r} is missing", remedy="give the columns of results.parquet")
    size = len(rows["outcome"])
    return {name: rows[name] if name in rows else [None] * size for name in names}


def _cell(row: Mapping[str, Any], name: str, position: int) -> Any:
    if name not in row and name in ("outcome", "sample_id"):
        raise DataError(f"row {position} has no {name!r}", remedy="give rows of results.parquet")
    return row.get(name)


def _value(metric: Metric, columns: Mapping[str, Sequence[Any]], index: int) -> float:
    cell = columns[metric.source][index]
    if metric.source == "scores":
        # A Parquet map comes back as pairs.
        cell = dict(cell).get(metric.key) if cell is not None else None
    try:
        value = math.nan if cell is None else float(cell)
    except (TypeError, ValueError) as error:
        raise DataError(f"sample {columns['sample_id'][index]!r}: {metric.source} {cell!r} is no number") from error
    if not math.isfinite(value):
        wanted = f"scores[{metric.key!r}]" if metric.source == "scores" else metric.source
        raise DataError(
            f"sample {columns['sample_id'][index]!r} is scored but has no {wanted}, which metric {metric.name!r} needs",
            remedy="choose a metric that the card's verifier gives values for",
        )
    return value if metric.threshold is None else float(value >= metric.threshold)
