"""What a diagnosis reads: for each task, the verdicts of every condition on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmeval.analysis.perception_labels import AlignedLabels, current_labels, labels_of_itself
from mmeval.runs.folder import Run
from mmeval.runs.labels import HUMAN, Label, read_labels_table
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

PERCEPTION_SOURCES = ("checklist", "two-hop")
"""Conditions whose verdict says whether the picture was perceived: all facts right; the own description suffices."""
_COLUMNS = ["task", "protocol", "condition", "sample_id", "repeat", "cluster", "item_hash", "outcome", "correct", "score", "reason", "finish_reason", "error", "subsets.version"]  # fmt: skip


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
    judged: Mapping[str, FloatArray] = field(default_factory=dict)
    """Perception as judges labelled it, by judge card: 1, 0, NaN unknown. Shape (n,) each."""
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Kind of error by source (a judge card, `human`): a label, empty where there is none."""
    judges: Mapping[str, str] = field(default_factory=dict)
    """Judge card -> which model judged with which version of it."""
    versions: tuple[str, ...] = ()
    """Label of each item in the subset column `version` (one problem told in several ways); empty where the task has none."""
    raters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where several people labelled: their labels by person (the kind of error, or perceived as 0 or 1); empty where there is none."""
    notes: tuple[str, ...] = ()
    """What was left out on the way here, and why."""
    each: TaskItems | None = None
    """Where items have several answers: the same with every answer by itself, in the cluster of its item."""

    @property
    def answers(self) -> TaskItems:
        """Every answer by itself: what a label says of one answer holds for that one alone."""
        return self if self.each is None else self.each

    @property
    def sources(self) -> dict[str, FloatArray]:
        """Perception labels by source: 1 perceived, 0 not, NaN unknown. Shape (n,) each."""
        found = {name: self.right[name] for name in PERCEPTION_SOURCES if name in self.right} | dict(self.judged)
        people = {} if self.labels is None else {HUMAN: self.labels}
        return {name: values for name, values in (found | people).items() if not np.isnan(values).all()}

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
            {name: values[index] for name, values in self.judged.items()},
            {name: tuple(labels[i] for i in index) for name, labels in self.errors.items()},
            self.judges,
            tuple(self.versions[i] for i in index) if self.versions else (),
            {name: tuple(labels[i] for i in index) for name, labels in self.raters.items()},
        )


def load_items(
    run: Run, labels: Mapping[tuple[str, str], float] | None = None, threshold: float = 1.0
) -> dict[tuple[str, str], TaskItems]:
    """Read the tasks of one model of a run that have right and wrong answers under the standard condition.

    Args:
        run: a run narrowed to one model (or with one).
        labels: (task, sample id) -> perceived (1 or 0), from people; they go before those in the run's `labels.parquet`.
        threshold: share of the visual facts that must be right (checklist) or stated (annotation recall) for perceived.

    Raises:
        DataError: a damaged run folder.
    """
    stored = read_labels_table(run)
    frame = run.results([*_COLUMNS, "response"] if stored else _COLUMNS)
    found = {}
    for record in run.manifest.tasks:
        rows = frame[(frame["task"] == record.name) & (frame["protocol"] == record.protocol)]
        standard = rows[rows["condition"] == "standard"]
        if standard.empty or not standard["correct"].notna().any():
            continue
        own = [one for one in stored if (one.task, one.protocol) == (record.name, record.protocol)]
        read = _Reading(record, own, dict(labels or {}), threshold, tuple(run.manifest.conditions))
        items = read.items(rows.assign(key=rows["sample_id"]))
        if items.repeats > 1:
            items = replace(
                items, each=read.items(rows.assign(key=rows["sample_id"] + "#" + rows["repeat"].astype(str)))
            )
        found[record.name, record.protocol] = items
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one task's rows are read."""

    record: TaskRecord
    stored: Sequence[Label]
    people: Mapping[tuple[str, str], float]
    threshold: float
    conditions: tuple[str, ...]

    def items(self, rows: pd.DataFrame) -> TaskItems:
        """Items, or answers, as the column `key` tells them apart."""
        standard = rows[rows["condition"] == "standard"]
        first = standard.drop_duplicates("key")
        ids = tuple(first["key"])
        present = [name for name in self.conditions if (rows["condition"] == name).any()]
        right = {name: _aligned(rows[rows["condition"] == name], ids) for name in present}
        if self.threshold < 1 and "checklist" in right:
            right["checklist"] = _passed(rows[rows["condition"] == "checklist"], ids, self.threshold)
        names, repeats = first["sample_id"].tolist(), first["repeat"].tolist()
        alone = [key == name for key, name in zip(ids, names, strict=True)]
        ends = [f"#{repeat}" if repeat and not one else "" for repeat, one in zip(repeats, alone, strict=True)]
        labels, stale = current_labels(self.stored, standard)
        told = AlignedLabels.of(labels, list(zip(names, repeats, alone, strict=True)), self.threshold)
        named = told.people
        if self.people:
            # A person labelled one answer: the first.
            given = np.array(
                [
                    np.nan if repeat else self.people.get((self.record.name, name), np.nan)
                    for name, repeat in zip(names, repeats, strict=True)
                ]
            )
            named = given if named is None else np.where(np.isnan(given), named, given)
            named = None if bool(np.isnan(named).all()) else named
        return TaskItems(
            self.record,
            ids,
            tuple(
                (item or f"sample:{name}") + end for item, name, end in zip(first["item_hash"], names, ends, strict=True)
            ),
            tuple(str(cluster or name) for cluster, name in zip(first["cluster"], names, strict=True)),
            right,
            tuple(map(_unread, first["outcome"], first["finish_reason"], first["reason"])),
            int(standard["repeat"].nunique()),
            named,
            told.judged,
            told.errors,
            told.judges,
            tuple(str(version or "") for version in first["subsets.version"]) if "version" in self.record.subset_columns else (),
            told.raters,
            (*_left_out(self.record.name, rows, self.conditions), *(f"{self.record.name}: {text}" for text in (*stale, *labels_of_itself(labels)))),
        )  # fmt: skip


def _unread(outcome: str, finish_reason: str | None, reason: str | None) -> str:
    """Why an answer could not be read; empty for one that was."""
    if outcome != "no_answer":
        return ""
    return "truncated" if finish_reason == "length" else reason or "not found"


def _left_out(task: str, rows: pd.DataFrame, conditions: Sequence[str]) -> list[str]:
    """Rows that no analysis counts, with the reason, conditions of one fate together."""
    fates: dict[tuple[str, int, int], list[str]] = {}
    for name in conditions:
        own = rows[rows["condition"] == name]
        lost = own[~own["outcome"].isin(("scored", "no_answer"))]
        for outcome, group in lost.groupby("outcome", sort=True):
            first = str(group["error"].iloc[0] or group["reason"].iloc[0] or outcome)
            why = first if outcome == "unsupported" else f"{outcome} ({first}); run the same command again"
            fates.setdefault((why, len(group), len(own)), []).append(name)
    return [
        f"{task}: {', '.join(names)}: {count} of {total} answers left out: {why}"
        for (why, count, total), names in fates.items()
    ]


def _passed(rows: pd.DataFrame, ids: Sequence[str], threshold: float) -> FloatArray:
    counted = rows[rows["outcome"].isin(("scored", "no_answer"))]
    means = counted.assign(value=counted["score"].astype(float)).groupby("key")["value"].mean()
    shares: npt.NDArray[np.float64] = means.reindex(list(ids)).to_numpy(dtype=np.float64)
    return np.where(np.isnan(shares), np.nan, (shares >= threshold - 1e-9).astype(np.float64))


def _aligned(rows: pd.DataFrame, ids: Sequence[str]) -> FloatArray:
    counted = rows[rows["outcome"].isin(("scored", "no_answer")) & rows["correct"].notna()]
    means = counted.assign(value=counted["correct"].astype(float)).groupby("key")["value"].mean()
    values: npt.NDArray[np.float64] = means.reindex(list(ids)).to_numpy(dtype=np.float64)
    return values


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
