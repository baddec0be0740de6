"""What a diagnosis reads: for each task, the verdicts of every condition on the same items."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmeval.core.errors import DataError
from mmeval.runs.folder import Run
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

HUMAN = "human"
"""Name of the perception labels that people gave."""
PERCEPTION_SOURCES = ("checklist", "two-hop")
"""Conditions whose verdict says whether the picture was perceived: all facts right; the own description suffices."""
_COLUMNS = ["task", "protocol", "condition", "sample_id", "repeat", "cluster", "item_hash", "outcome", "correct", "reason", "finish_reason", "subsets.version"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskItems:
    """One task of one model: the items of the standard condition, and every other condition aligned to them."""

    record: TaskRecord
    ids: tuple[str, ...]
    hashes: tuple[str, ...]
    """Item hash of each item; runs join on it."""
    clusters: tuple[str, ...]
    right: Mapping[str, FloatArray]
    """Condition -> 1 right, 0 wrong, NaN where the row is missing, failed or does not apply; mean over repeats. Shape (n,)."""
    reasons: tuple[str, ...]
    """Why there is no answer under the standard condition; empty where there is one."""
    repeats: int
    labels: FloatArray | None = None
    """Perception as people labelled it: 1, 0, NaN where nobody did."""
    versions: tuple[str, ...] = ()
    """Label of each item in the subset column `version` (one problem told in several ways); empty where the task has none."""

    @property
    def sources(self) -> dict[str, FloatArray]:
        """Perception labels by source: 1 perceived, 0 not, NaN unknown. Shape (n,) each."""
        found = {name: self.right[name] for name in PERCEPTION_SOURCES if name in self.right}
        return found if self.labels is None else {**found, HUMAN: self.labels}

    def take(self, rows: Sequence[int]) -> TaskItems:
        """Some of the items, in the given order."""
        index = list(rows)
        return TaskItems(
            self.record,
            tuple(self.ids[i] for i in index),
            tuple(self.hashes[i] for i in index),
            tuple(self.clusters[i] for i in index),
            {name: values[index] for name, values in self.right.items()},
            tuple(self.reasons[i] for i in index),
            self.repeats,
            None if self.labels is None else self.labels[index],
            tuple(self.versions[i] for i in index) if self.versions else (),
        )


def load_items(run: Run, labels: Mapping[tuple[str, str], float] | None = None) -> dict[tuple[str, str], TaskItems]:
    """Read the tasks of one model of a run that have right and wrong answers under the standard condition.

    Args:
        run: a run narrowed to one model (or with one).
        labels: (task, sample id) -> perceived (1 or 0), from people.

    Raises:
        DataError: a damaged run folder.
    """
    frame = run.results(_COLUMNS)
    found = {}
    for record in run.manifest.tasks:
        rows = frame[(frame["task"] == record.name) & (frame["protocol"] == record.protocol)]
        standard = rows[rows["condition"] == "standard"]
        if standard.empty or not standard["correct"].notna().any():
            continue
        first = standard.drop_duplicates("sample_id")
        ids = tuple(first["sample_id"])
        conditions = [name for name in run.manifest.conditions if (rows["condition"] == name).any()]
        right = {name: _aligned(rows[rows["condition"] == name], ids) for name in conditions}
        answered = [
            ""
            if row["outcome"] != "no_answer"
            else ("truncated" if row["finish_reason"] == "length" else row["reason"] or "not found")
            for row in first.to_dict("records")
        ]
        named = None
        if labels is not None:
            named = np.array([labels.get((record.name, name), np.nan) for name in ids])
            named = None if bool(np.isnan(named).all()) else named
        found[record.name, record.protocol] = TaskItems(
            record,
            ids,
            tuple(str(value or f"sample:{name}") for value, name in zip(first["item_hash"], ids, strict=True)),
            tuple(str(value or name) for value, name in zip(first["cluster"], ids, strict=True)),
            right,
            tuple(answered),
            int(standard["repeat"].nunique()),
            named,
            tuple(str(value or "") for value in first["subsets.version"]) if "version" in record.subset_columns else (),
        )
    return found


def _aligned(rows: pd.DataFrame, ids: Sequence[str]) -> FloatArray:
    counted = rows[rows["outcome"].isin(("scored", "no_answer")) & rows["correct"].notna()]
    means = counted.assign(value=counted["correct"].astype(float)).groupby("sample_id")["value"].mean()
    values: npt.NDArray[np.float64] = means.reindex(list(ids)).to_numpy(dtype=np.float64)
    return values


def read_labels(path: Path) -> dict[tuple[str, str], float]:
    """Read perception labels of people: a CSV with `task`, `id` and `perceived` (0 or 1, true or false).

    Raises:
        DataError: naming file, line and key.
    """
    words = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
    found: dict[tuple[str, str], float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"task", "id", "perceived"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: column {sorted(missing)[0]!r} is missing", remedy="the columns are task, id, perceived"
                )
            for number, row in enumerate(reader, 2):
                place = f"{path}, line {number}"
                text = str(row["perceived"] or "").strip().lower()
                if not text:
                    continue
                if text not in words:
                    raise DataError(
                        f"{place}: key perceived: {text!r} is neither 0 nor 1", remedy="write 0 or 1, or leave it empty"
                    )
                key = (str(row["task"]), str(row["id"]))
                if key in found:
                    raise DataError(
                        f"{place}: task {key[0]!r}, id {key[1]!r} is labelled twice", remedy="keep one of the two"
                    )
                found[key] = words[text]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}", remedy="give a UTF-8 CSV with task, id, perceived") from error
    if not found:
        raise DataError(f"{path}: no label", remedy="fill the column perceived")
    return found


def joined(base: TaskItems, candidate: TaskItems) -> tuple[TaskItems, TaskItems, int]:
    """Two models' items in one order, joined on the item; also how many items are on one side only."""
    place = {name: index for index, name in enumerate(candidate.hashes)}
    pairs = [(index, place[name]) for index, name in enumerate(base.hashes) if name in place]
    alone = len(base.hashes) + len(candidate.hashes) - 2 * len(pairs)
    return base.take([a for a, _ in pairs]), candidate.take([b for _, b in pairs]), alone


def both(*columns: FloatArray) -> npt.NDArray[np.int64]:
    """Rows that every column knows."""
    known = ~np.isnan(np.stack(columns)).any(axis=0)
    return np.flatnonzero(known)


def binary(*columns: FloatArray) -> bool:
    """Whether all known values are 0 or 1 (several answers per item give shares)."""
    return all(bool(np.isin(values[~np.isnan(values)], (0.0, 1.0)).all()) for values in columns)


def plain(value: Any) -> Any:
    """A number as JSON: no NaN."""
    return None if value is None or (isinstance(value, float) and not np.isfinite(value)) else value
