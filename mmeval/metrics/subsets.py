"""A metric per subset: every label of every column, a row of several labels in each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmeval.metrics.registry import estimate
from mmeval.metrics.summary import Estimate

SEPARATOR = " | "


def labels(value: str) -> list[str]:
    """Return the labels of one subset cell, each once."""
    return list(dict.fromkeys(label for label in value.split(SEPARATOR) if label))


def estimate_subsets(
    metric: str, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None, level: float = 0.95
) -> dict[str, dict[str, Estimate]]:
    """Return column -> label -> estimate over the rows that carry the label in `subsets`.

    Args:
        metric: its name.
        rows: rows of results.parquet with `subsets`.
        columns: which subset columns; all by default.
        level: confidence level of the intervals.

    Raises:
        UsageError: for an unknown metric.
        DataError: when the rows lack what the metric needs.
    """
    wanted = None if columns is None else set(columns)
    members: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        # A Parquet map comes back as pairs.
        for column, value in dict(row.get("subsets") or {}).items():
            if wanted is None or column in wanted:
                for label in labels(str(value)):
                    members.setdefault(column, {}).setdefault(label, []).append(row)
    return {
        column: {label: estimate(metric, found, level) for label, found in by_label.items()}
        for column, by_label in members.items()
    }
