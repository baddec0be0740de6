"""From rows of the results table to checked arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mmeval.core.errors import DataError
from mmeval.core.types import OUTCOMES
from mmeval.metrics.columns import Columns, Texts, wide
from mmeval.metrics.definition import BoolArray, Detail, Metric, Names, Rows, Scores, TextArray
from mmeval.stats.intervals import FloatArray
from mmeval.stats.numbering import repeated
from mmeval.stats.scores import IntArray

_OPTIONAL = ("cluster", "repeat")
_MAPS = ("scores", "subsets")

LARGEST = 1e100
"""Scores beyond this are mistakes, and their squares would overflow."""


def collect(metric: Metric, rows: Rows) -> Scores:
    """Read the rows as one metric sees them.

    Raises:
        DataError: when a column is missing, a counted row lacks the metric's value or a label that it groups by, a value is
            not finite or out of the metric's range, or one (sample, repeat) occurs twice.
    """
    wanted = ["outcome", "sample_id", *_OPTIONAL, _value_column(metric)]
    wanted += [f"subsets.{name}" for name in metric.columns] + list(metric.reads)
    columns = _columns(rows, wanted)
    outcome = _outcomes(columns["outcome"])
    samples, clusters, named = _names(metric, columns)
    repeats = _repeats(columns["repeat"], samples.size)
    _check_once(samples, repeats, named)
    scored = outcome == 0
    counted = outcome <= 1
    values = _values(metric, columns, scored)
    if values.size < outcome.size:
        everywhere = np.where(outcome == 1, metric.no_answer, 0.0)
        everywhere[scored] = values
        values = everywhere
    details: Mapping[str, Detail] = {}
    if metric.form is not None:
        details = metric.form.details(metric, _spelled(columns), np.flatnonzero(counted))
    labels = {name: _labels(metric, name, columns, counted) for name in metric.columns}
    return Scores(outcome, values, samples, clusters, repeats, labels, details, named)


def row_numbers(
    metric: Metric, cells: Sequence[Any], samples: Sequence[Any], rows: IntArray, what: str, remedy: str
) -> FloatArray:
    """Return a column as floats, NaN nowhere in `rows`.

    Args:
        metric: for messages.
        cells: the column, shape (rows of the table,).
        samples: sample ids.
        rows: positions that need a number.
        what: the number, for messages.
        remedy: what the user can do.

    Raises:
        DataError: when one of `rows` has no finite number.
    """
    found = np.zeros(len(samples))
    found[rows] = [_number(cells[row], samples[row], what) for row in rows.tolist()]
    bad = rows[~np.isfinite(found[rows])]
    if bad.size:
        raise DataError(f"sample {samples[bad[0]]!r} has no {what}, which metric {metric.name!r} needs", remedy=remedy)
    return found


def _value_column(metric: Metric) -> str:
    return f"scores.{metric.key}" if metric.source == "scores" else metric.source


def _columns(rows: Rows, wanted: Sequence[str]) -> dict[str, Any]:
    if isinstance(rows, Mapping):
        size = len(rows["outcome"]) if "outcome" in rows else 0
        return {name: _from_columns(rows, name, size) for name in wanted}
    for position, row in enumerate(rows):
        for name in ("outcome", "sample_id"):
            if name not in row:
                raise DataError(f"row {position} has no {name!r}", remedy="give rows of results.parquet")
    return {name: _from_rows(rows, name) for name in wanted}


def _from_columns(rows: Mapping[str, Any], name: str, size: int) -> Any:
    if name in rows:
        return rows.held[name] if isinstance(rows, Columns) else rows[name]
    column, _, key = name.partition(".")
    if key and column in rows:
        return [_entry(cell, key) for cell in rows[column]]
    if name in _OPTIONAL or column == "subsets":
        return np.full(size, None, dtype=object)
    raise DataError(f"column {column!r} is missing", remedy="give the columns of results.parquet")


def _from_rows(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    column, _, key = name.partition(".")
    if column in _MAPS:
        return [_entry(row.get(column), key) for row in rows]
    return [row.get(name) for row in rows]


def _entry(cell: Any, key: str) -> Any:
    # A Parquet map comes back as pairs.
    return None if cell is None else dict(cell).get(key)


def _spelled(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns as forms index them; ids stay as they are, because most rows never show theirs."""
    found: dict[str, Any] = {}
    for name, cells in columns.items():
        if isinstance(cells, Texts):
            found[name] = cells if name == "sample_id" else cells.objects()
        else:
            found[name] = wide(cells) if isinstance(cells, np.ndarray) else cells
    return found


def _outcomes(column: Any) -> npt.NDArray[np.int8]:
    if isinstance(column, Texts):
        codes, found = column.codes, column.words.to_pylist()
    else:
        import pandas as pd

        codes, found = pd.factorize(np.asarray(column, dtype=object))
    places = np.full(len(found) + 1, -1, dtype=np.int8)
    for number, name in enumerate(found):
        places[number] = OUTCOMES.index(name) if name in OUTCOMES else -1
    outcome: npt.NDArray[np.int8] = places[codes]
    if bool(np.any(outcome < 0)):
        row = int(np.argmax(outcome < 0))
        raise DataError(f"row {row}: outcome {column[row]!r} is none of {', '.join(OUTCOMES)}")
    return outcome


def _names(metric: Metric, columns: Mapping[str, Any]) -> tuple[Names, Names, Texts | None]:
    """Return samples and clusters, and what spells the samples where both are numbers."""
    cells, labels = columns["sample_id"], columns["cluster"]
    coded = isinstance(cells, Texts) and isinstance(labels, Texts) and cells.ordered and labels.ordered
    if coded and not metric.names_clusters:
        # Numbers in the order of the names below: labels before samples.
        own = labels.codes < (1 if len(labels.words) and labels.words[0].as_py() == "" else 0)
        clusters = cells.codes + np.int32(len(labels.words))
        np.copyto(clusters, labels.codes, where=~own)
        return cells.codes, clusters, cells
    samples = _texts(cells)
    return samples, _clusters(labels, samples), None


def _texts(column: Any) -> TextArray:
    found = np.empty(len(column), dtype=object)
    found[:] = [cell if isinstance(cell, str) else str(cell) for cell in column]
    return found


def _repeats(column: Any, size: int) -> IntArray:
    if isinstance(column, np.ndarray) and np.issubdtype(column.dtype, np.integer):
        if size and bool(np.all(column == column[0])):
            return np.broadcast_to(np.int64(column[0]), (size,))
        return column.astype(np.int64)
    return np.fromiter((int(cell or 0) for cell in column), dtype=np.int64, count=size)


def _check_once(samples: Names, repeats: IntArray, named: Texts | None) -> None:
    codes: IntArray = samples
    if named is None:
        import pandas as pd

        codes = pd.factorize(samples)[0].astype(np.int64)
    turns = int(repeats.max(initial=0)) + 1
    row = repeated(codes if turns == 1 else codes * np.int64(turns) + repeats)
    if row is not None:
        sample = samples[row] if named is None else named.word(int(codes[row]))
        raise DataError(
            f"sample {sample!r}, repeat {repeats[row]}, occurs twice",
            remedy="give the rows of one model, task and condition",
        )


def _clusters(column: Any, samples: TextArray) -> TextArray:
    # A prefix keeps a sample's own cluster apart from a declared one of the same name; null may come as NaN.
    found = np.empty(samples.size, dtype=object)
    found[:] = [
        f"c:{label}" if isinstance(label, str) and label else f"s:{sample}"
        for label, sample in zip(column, samples, strict=True)
    ]
    return found


def _labels(metric: Metric, name: str, columns: Mapping[str, Any], counted: BoolArray) -> TextArray:
    cells = columns[f"subsets.{name}"]
    if isinstance(cells, Texts):
        found, lacking = cells.objects(""), cells.codes < 0
    else:
        found = np.empty(len(cells), dtype=object)
        found[:] = [cell if isinstance(cell, str) else "" for cell in cells]
        lacking = np.fromiter((not isinstance(cell, str) for cell in cells), dtype=bool, count=found.size)
    # A label of "" says that the row belongs to no group; a missing one is a mistake.
    missing = counted & lacking
    if bool(missing.any()):
        raise DataError(
            f"sample {_sample(columns, int(np.argmax(missing)))!r} has no {name!r} in its subsets, by which metric {metric.name!r} groups",
            remedy=f"declare {name!r} under subsets or groups of the card, or give it in the rows' subsets",
        )
    return found


def _sample(columns: Mapping[str, Any], row: int) -> str:
    """The id of a row, for messages."""
    return str(columns["sample_id"][row])


def _values(metric: Metric, columns: Mapping[str, Any], scored: BoolArray) -> FloatArray:
    name = _value_column(metric)
    cells = columns[name]
    what = f"scores[{metric.key!r}]" if metric.source == "scores" else metric.source
    try:
        given = cells if isinstance(cells, np.ndarray) else np.asarray(cells, dtype=object)
        found = (given if bool(scored.all()) else given[scored]).astype(np.float64)
    except (TypeError, ValueError):
        found = np.array([_number(cells[row], _sample(columns, row), what) for row in np.flatnonzero(scored).tolist()])

    def first(chosen: BoolArray) -> tuple[str, float]:
        """The sample and value of the first of the chosen values."""
        place = int(np.argmax(chosen))
        return _sample(columns, int(np.flatnonzero(scored)[place])), float(found[place])

    bad = ~np.isfinite(found)
    if bool(bad.any()):
        raise DataError(
            f"sample {first(bad)[0]!r} is scored but has no {what}, which metric {metric.name!r} needs",
            remedy="choose a metric that the card's verifier gives values for",
        )
    far = (found > LARGEST) | (found < -LARGEST)
    if bool(far.any()):
        sample, value = first(far)
        raise DataError(f"sample {sample!r}: {what} is {value:g}, beyond {LARGEST:g}", remedy="correct the score")
    if metric.threshold is not None:
        return (found >= metric.threshold).astype(np.float64)
    if metric.form is not None and metric.bounds is not None and found.size:
        low, high = metric.bounds
        outside = (found < low) | (found > high)
        if metric.source == "score" and bool(outside.any()):
            sample, value = first(outside)
            raise DataError(
                f"sample {sample!r}: score {value:g} is no share of 1, as which {metric.name!r} takes it",
                remedy=f"write {metric.name}:mean for scores of another range",
            )
    return found


def _number(cell: Any, sample: Any, what: str) -> float:
    try:
        return math.nan if cell is None else float(cell)
    except (TypeError, ValueError) as error:
        raise DataError(f"sample {sample!r}: {what} {cell!r} is no number") from error
