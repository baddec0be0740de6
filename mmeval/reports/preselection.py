"""Which items of very large runs are worth reading in full: those that can be shown at all, by their scores alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmeval.reports.names import RunNames, record_key, task_label
from mmeval.runs.folder import row_count, stream_batches

if TYPE_CHECKING:
    import pyarrow as pa

GRADED_GAP = 0.25
"""Models disagree on a graded score when their means differ by at least this much."""
SEED = 0
"""Of the samples that stay when not everything fits."""
RANKS = 3
"""Models disagree, an answer has no score, all others: in this order samples are kept."""
_BATCH = 8192
_ITEM = ("task", "protocol", "sample_id", "item_hash")
_SCORES = ("model", *_ITEM, "condition", "outcome", "score", "correct")


@dataclass(frozen=True, slots=True)
class Preselection:
    """What is read in full, and how many items of each rank are not."""

    kept: frozenset[tuple[str, str]] | None = None
    """(task label, sample id); everything when None."""
    left: tuple[int, ...] = (0,) * RANKS

    def mask(self, batch: pa.RecordBatch) -> Sequence[bool] | None:
        """Which rows of a batch belong to items that are read; None for all."""
        if self.kept is None:
            return None
        rows = zip(*(batch[name].to_pylist() for name in ("task", "protocol", "sample_id")), strict=True)
        return [(task_label(task, protocol), sample) in self.kept for task, protocol, sample in rows]

    def keeps(self, row: Mapping[str, Any]) -> bool:
        """Whether a row belongs to an item that is read."""
        return self.kept is None or (task_label(row["task"], row["protocol"]), row["sample_id"]) in self.kept


def priority(rank: int, key: str) -> tuple[int, str]:
    """Return by what samples are ordered: the first ones stay when not everything fits."""
    return rank, hashlib.sha256(f"{SEED}:{key}".encode()).hexdigest()


@dataclass(slots=True)
class _Items:
    """Items by id, numbered as they come."""

    places: dict[tuple[str, str], int] = field(default_factory=dict)
    keys: list[tuple[str, str]] = field(default_factory=list)
    """Task and protocol of each item."""
    hashes: list[str] = field(default_factory=list)
    several: set[int] = field(default_factory=set)
    """Ids that stand for more than one item, which are always read."""

    def place(self, task: str, protocol: str, sample: str, item_hash: str | None) -> int:
        """Return the number of an item."""
        found = self.places.setdefault((task_label(task, protocol), sample), len(self.keys))
        if found == len(self.keys):
            self.keys.append((task, protocol))
            self.hashes.append(item_hash or "")
        elif item_hash and self.hashes[found] != item_hash:
            if self.hashes[found]:
                self.several.add(found)
            else:
                self.hashes[found] = item_hash
        return found


def preselect(names: Sequence[RunNames], guessers: set[str], most: int | None) -> Preselection:
    """Choose the `most` items that come first by `priority`; all where there are no more than that.

    Args:
        names: the runs.
        guessers: labels of models without an opinion.
        most: items that could be shown; None keeps all.

    Raises:
        DataError: when a table is damaged.
    """
    if most is None or sum(_rows(entry) for entry in names) <= most:
        return Preselection()
    items = _Items()
    columns: tuple[list[np.ndarray], ...] = ([], [], [], [], [])
    failed: list[np.ndarray] = []
    conditions: dict[str, int] = {}
    models: dict[str, int] = {}
    for entry in names:
        for batch in stream_batches(entry.run.path / "samples.parquet", _ITEM, _BATCH):
            for row in zip(*(batch[name].to_pylist() for name in _ITEM), strict=True):
                items.place(*row)
        for batch in stream_batches(entry.run.path / "results.parquet", _SCORES, _BATCH):
            cells = {name: batch[name].to_pylist() for name in _SCORES}
            shown = [name in entry.models for name in cells["model"]]
            place = np.array(
                [items.place(*row) if own else -1 for own, row in zip(shown, zip(*(cells[name] for name in _ITEM), strict=True), strict=True)],
                dtype=np.int32,
            )  # fmt: skip
            labels = [entry.models.get(name, "") for name in cells["model"]]
            score = np.array([np.nan if one is None else round(one, 4) for one in cells["score"]])
            right = np.array([np.nan if one is None else float(one) for one in cells["correct"]])
            lost = np.array([one != "scored" for one in cells["outcome"]])
            failed.append(np.unique(place[lost & (place >= 0)]))
            counted = np.isfinite(score) & (place >= 0) & ~np.isin(labels, list(guessers))
            made = (
                place,
                np.array([conditions.setdefault(one, len(conditions)) for one in cells["condition"]], dtype=np.int16),
                np.array([models.setdefault(one, len(models)) for one in labels], dtype=np.int16),
                np.where(np.isnan(right), score, right),
                np.isnan(right),
            )
            for column, values in zip(columns, made, strict=True):
                column.append(values[counted])
    rank = np.full(len(items.keys), 2, dtype=np.int8)
    rank[np.concatenate([*failed, np.zeros(0, np.int32)])] = 1
    rank[_disagreeing(*(np.concatenate(column) if column else np.zeros(0) for column in columns))] = 0
    order = sorted(
        (one for one in range(len(items.keys)) if one not in items.several),
        key=lambda one: priority(int(rank[one]), _key(items, samples, one)),
    ) if (samples := [sample for _, sample in items.places]) else []  # fmt: skip
    read = {*order[:most], *items.several}
    left = Counter(int(rank[one]) for one in order[most:])
    kept = frozenset(key for key, one in items.places.items() if one in read)
    return Preselection(kept, tuple(left[one] for one in range(RANKS)))


def _key(items: _Items, samples: Sequence[str], one: int) -> str:
    return record_key(*items.keys[one], samples[one], None)


def _rows(entry: RunNames) -> int:
    """Rows of the samples' table: there are at most so many items."""
    path = entry.run.path / "samples.parquet"
    return row_count(path) if path.exists() else 0


def _disagreeing(
    item: np.ndarray, condition: np.ndarray, model: np.ndarray, value: np.ndarray, graded: np.ndarray
) -> np.ndarray:
    """Return the items on which the mean answers of models differ under one condition, as `mmeval.reports.corpus` has it."""
    if not len(item):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((model, condition, item))
    item, condition, model, value, graded = (column[order] for column in (item, condition, model, value, graded))
    starts = _starts(item, condition, model)
    means = np.add.reduceat(value, starts) / np.diff([*starts, len(value)])
    graded = np.logical_or.reduceat(graded, starts)
    item, condition = item[starts], condition[starts]
    starts = _starts(item, condition)
    high, low = np.maximum.reduceat(means, starts), np.minimum.reduceat(means, starts)
    apart = np.where(np.logical_or.reduceat(graded, starts), high - low >= GRADED_GAP, (high >= 0.5) & (low < 0.5))
    return np.unique(item[starts][apart & (np.diff([*starts, len(means)]) > 1)])


def _starts(*columns: np.ndarray) -> np.ndarray:
    """Return where sorted rows change in any column."""
    changed = np.zeros(len(columns[0]), dtype=bool)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)
