"""What a diagnosis reads: for each task, the verdicts of every condition on the same items."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmeval.core.errors import DataError
from mmeval.runs.folder import Run
from mmeval.runs.labels import HUMAN, Label, read_labels_table
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

RECALL = "perception-consistency"
"""Judge card whose value is the share of known visual facts that a response states (Perception-R1's annotation recall)."""
PERCEPTION_SOURCES = ("checklist", "two-hop")
"""Conditions whose verdict says whether the picture was perceived: all facts right; the own description suffices."""
_COLUMNS = ["task", "protocol", "condition", "sample_id", "repeat", "cluster", "item_hash", "outcome", "correct", "score", "reason", "finish_reason", "subsets.version"]  # fmt: skip


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

    @property
    def sources(self) -> dict[str, FloatArray]:
        """Perception labels by source: 1 perceived, 0 not, NaN unknown. Shape (n,) each."""
        found = {name: self.right[name] for name in PERCEPTION_SOURCES if name in self.right} | dict(self.judged)
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
            {name: values[index] for name, values in self.judged.items()},
            {name: tuple(labels[i] for i in index) for name, labels in self.errors.items()},
            self.judges,
            tuple(self.versions[i] for i in index) if self.versions else (),
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
    frame = run.results(_COLUMNS)
    stored = read_labels_table(run)
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
        if threshold < 1 and "checklist" in right:
            right["checklist"] = _passed(rows[rows["condition"] == "checklist"], ids, threshold)
        answered = [
            ""
            if row["outcome"] != "no_answer"
            else ("truncated" if row["finish_reason"] == "length" else row["reason"] or "not found")
            for row in first.to_dict("records")
        ]
        told = _Told.of(
            [one for one in stored if (one.task, one.protocol) == (record.name, record.protocol)], ids, threshold
        )
        named = told.people
        if labels is not None:
            given = np.array([labels.get((record.name, name), np.nan) for name in ids])
            named = given if named is None else np.where(np.isnan(given), named, given)
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
            told.judged,
            told.errors,
            told.judges,
            tuple(str(value or "") for value in first["subsets.version"]) if "version" in record.subset_columns else (),
        )
    return found


@dataclass(frozen=True, slots=True)
class _Told:
    """Labels of one task, aligned to its items; those of the first labelled repeat count."""

    people: FloatArray | None
    judged: dict[str, FloatArray]
    errors: dict[str, tuple[str, ...]]
    judges: dict[str, str]

    @classmethod
    def of(cls, labels: Sequence[Label], ids: Sequence[str], threshold: float) -> _Told:
        by_source: dict[str, dict[str, Label]] = {}
        for one in sorted(labels, key=lambda label: label.repeat):
            if one.status == "ok" and one.condition == "standard":
                by_source.setdefault(one.source, {}).setdefault(one.sample_id, one)
        judged, errors, judges = {}, {}, {}
        people = None
        for source, given in by_source.items():
            rows = [given.get(name) for name in ids]
            if source == HUMAN:
                seen = np.array([np.nan if row is None else _perceived(row) for row in rows])
                people = None if bool(np.isnan(seen).all()) else seen
            elif source == RECALL:
                judged[source] = np.array(
                    [
                        np.nan if row is None or row.value is None else float(row.value >= threshold - 1e-9)
                        for row in rows
                    ]
                )
            if any(row is not None and row.label for row in rows):
                errors[source] = tuple("" if row is None else row.label or "" for row in rows)
                if source != HUMAN:
                    judged[source] = np.array([np.nan if row is None else _perceived(row) for row in rows])
            if source != HUMAN:
                first = next((row for row in rows if row is not None), None)
                judges[source] = "" if first is None else f"{first.judge_model} with {(first.card_digest or '')[:12]}"
        return cls(people, judged, errors, judges)


def _perceived(label: Label) -> float:
    """Whether the picture was perceived, by a label: as people say it, or no error of perception; NaN where nobody can know."""
    if label.perceived is not None:
        return label.perceived
    kind = (label.label or "").partition("/")[0]
    if kind in ("", "no_answer", "label_suspect"):
        return float("nan")
    return 0.0 if kind == "perception" else 1.0


def _passed(rows: pd.DataFrame, ids: Sequence[str], threshold: float) -> FloatArray:
    counted = rows[rows["outcome"].isin(("scored", "no_answer"))]
    means = counted.assign(value=counted["score"].astype(float)).groupby("sample_id")["value"].mean()
    shares: npt.NDArray[np.float64] = means.reindex(list(ids)).to_numpy(dtype=np.float64)
    return np.where(np.isnan(shares), np.nan, (shares >= threshold - 1e-9).astype(np.float64))


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
