"""A metric per subset: every label of every column, a row of several labels in each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmeval.metrics.collect import collect
from mmeval.metrics.definition import Estimate, TextArray
from mmeval.metrics.registry import get_metric
from mmeval.metrics.summary import summarise
from mmeval.metrics.units import exploded
from mmeval.stats.scores import IntArray


def label_rows(labels: TextArray) -> Iterator[tuple[str, IntArray]]:
    """Yield each label of a column in sorted order, with the rows that carry it.

    Args:
        labels: a cell per row, several labels joined by ' | '; an empty cell carries none.
    """
    import pandas as pd

    row, label = exploded(labels)
    codes, found = pd.factorize(label, sort=True)
    order = np.argsort(codes, kind="stable")
    parts = np.split(row[order], np.flatnonzero(np.diff(codes[order])) + 1) if row.size else []
    yield from zip((str(name) for name in found), parts, strict=True)


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
    chosen = get_metric(metric)
    scores = collect(chosen, rows)
    # A Parquet map comes back as pairs.
    cells = [dict(row.get("subsets") or {}) for row in rows]
    known = list(dict.fromkeys(column for cell in cells for column in cell))
    found: dict[str, dict[str, Estimate]] = {}
    for column in known if columns is None else [name for name in dict.fromkeys(columns) if name in known]:
        labels = np.empty(len(cells), dtype=object)
        labels[:] = [str(cell.get(column, "")) for cell in cells]
        found[column] = {label: summarise(chosen, scores.take(part), level) for label, part in label_rows(labels)}
    return found
