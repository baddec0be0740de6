"""What a diagnosis reads: for each task, the verdicts of every condition on the same items."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmeval.core.errors import DataError
from mmeval.core.hashing import digest
from mmeval.runs.folder import Run
from mmeval.runs.labels import ANNOTATIONS, ERROR_KINDS, HUMAN, Label, kind_of, read_labels_table
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

RECALL = "perception-consistency"
"""Judge card whose value is the share of known visual facts that a response states (Perception-R1's annotation recall)."""
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
        labels, stale = fresh(self.stored, standard)
        told = _Told.of(labels, list(zip(names, repeats, alone, strict=True)), self.threshold)
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
            (*_left_out(self.record.name, rows, self.conditions), *(f"{self.record.name}: {text}" for text in (*stale, *_own(labels)))),
        )  # fmt: skip


def _own(labels: Sequence[Label]) -> list[str]:
    """Sources in which a model judges itself."""
    names = dict.fromkeys(one.source for one in labels if one.source != HUMAN and one.judge_model == one.model)
    return [f"labels of {name} are of the model itself, which is no independent judge" for name in names]


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


def fresh(labels: Sequence[Label], standard: pd.DataFrame) -> tuple[list[Label], list[str]]:
    """Labels of the answers that the run holds now; and how many of each source are of other texts (answers asked again, solutions)."""
    if not labels:
        return [], []
    texts = {
        (row["sample_id"], row["repeat"]): digest(row["response"] or "")
        for row in standard[["sample_id", "repeat", "response"]].to_dict("records")
    }
    kept, other = [], Counter[str]()
    for one in labels:
        if one.status != "ok" or one.condition != "standard":
            continue
        if one.response_hash is None or texts.get((one.sample_id, one.repeat)) == one.response_hash:
            kept.append(one)
        elif one.source != ANNOTATIONS:
            other[one.source] += 1
    return kept, [
        f"{count} labels of {source} are of other texts than the answers in this run and were left out; label it again"
        for source, count in other.items()
    ]


@dataclass(frozen=True, slots=True)
class _Told:
    """Labels of one task, aligned to its items (those of the first labelled repeat count), or to its answers."""

    people: FloatArray | None
    judged: dict[str, FloatArray]
    errors: dict[str, tuple[str, ...]]
    judges: dict[str, str]
    raters: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, labels: Sequence[Label], places: Sequence[tuple[str, int, bool]], threshold: float) -> _Told:
        """Align labels; `places` are sample id, repeat, and whether any repeat of the sample will do."""
        by_source: dict[str, dict[tuple[str, int | None], Label]] = {}
        identities: dict[str, set[str]] = {}
        for one in labels:
            if one.source != HUMAN:
                identities.setdefault(one.source, set()).add(_judge(one))
        judged, errors, judges = {}, {}, {}
        people = None
        for one in sorted(labels, key=lambda label: label.repeat):
            # Two judges, or two versions of a card, are two sources.
            name = f"{one.source} by {_judge(one)}" if len(identities.get(one.source, ())) > 1 else one.source
            given = by_source.setdefault(name, {})
            given.setdefault((one.sample_id, one.repeat), one)
            given.setdefault((one.sample_id, None), one)
        for source, given in by_source.items():
            rows = [given.get((name, None if any_will_do else repeat)) for name, repeat, any_will_do in places]
            first = next(iter(given.values()))
            if source == HUMAN:
                seen = np.array([np.nan if row is None else _perceived(row) for row in rows])
                people = None if bool(np.isnan(seen).all()) else seen
            elif first.source == RECALL:
                judged[source] = np.array(
                    [
                        np.nan if row is None or row.value is None else float(row.value >= threshold - 1e-9)
                        for row in rows
                    ]
                )
            kinds = {(row.label or "").partition("/")[0] for row in given.values()} - {""}
            if kinds and kinds <= set(ERROR_KINDS):
                errors[source] = tuple("" if row is None else row.label or "" for row in rows)
                if source != HUMAN:
                    judged[source] = np.array([np.nan if row is None else _perceived(row) for row in rows])
            if source != HUMAN:
                judges[source] = _judge(first)
        return cls(people, judged, errors, judges, _raters(labels, places))


def _raters(labels: Sequence[Label], places: Sequence[tuple[str, int, bool]]) -> dict[str, tuple[str, ...]]:
    """What each of several people said: the kind of error, or else whether the picture was perceived."""
    given: dict[str, dict[tuple[str, int | None], str]] = {}
    for one in sorted(labels, key=lambda label: label.repeat):
        if one.source == HUMAN:
            said = kind_of(one.label) if one.label else f"{one.perceived:g}"
            own = given.setdefault(one.judge_model or "unnamed", {})
            own.setdefault((one.sample_id, one.repeat), said)
            own.setdefault((one.sample_id, None), said)
    if len(given) < 2:
        return {}
    return {
        rater: tuple(own.get((name, None if any_will_do else repeat), "") for name, repeat, any_will_do in places)
        for rater, own in given.items()
    }


def _judge(label: Label) -> str:
    return f"{label.judge_model} with {(label.card_digest or '')[:12]}"


def _perceived(label: Label) -> float:
    """Whether the picture was perceived, by a label: as people say it, or no error of perception; NaN where nobody can know."""
    if label.perceived is not None:
        return label.perceived
    kind = (label.label or "").partition("/")[0]
    if kind in ("", "no_answer", "label_suspect") or kind not in ERROR_KINDS:
        return float("nan")
    return 0.0 if kind == "perception" else 1.0


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


def read_labels(path: Path, model: str | None = None, named_only: bool = False) -> dict[tuple[str, str], float]:
    """Read perception labels of people: a CSV with `task`, `id` and `perceived` (0 or 1, true or false), perhaps `model`.

    Args:
        path: the file.
        model: whose answers are diagnosed; rows of another model are left out.
        named_only: whether rows that name no model are left out too.

    Raises:
        DataError: naming file, line and key.
    """
    words = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
    found: dict[tuple[str, str, str], float] = {}
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
                key = (str(row["task"]), str(row["id"]), str(row.get("model") or ""))
                if key in found:
                    raise DataError(
                        f"{place}: task {key[0]!r}, id {key[1]!r} is labelled twice", remedy="keep one of the two"
                    )
                found[key] = words[text]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}", remedy="give a UTF-8 CSV with task, id, perceived") from error
    if not found:
        raise DataError(f"{path}: no label", remedy="fill the column perceived")
    known = {model or "", *(() if named_only else ("",))}
    return {(task, name): value for (task, name, whose), value in found.items() if model is None or whose in known}


def check_labels(
    labels: Mapping[tuple[str, str], float], items: Mapping[tuple[str, str], TaskItems], place: str
) -> None:
    """Refuse labels that name nothing of the run.

    Raises:
        DataError: naming the first of them.
    """
    known = {(task.record.name, name) for task in items.values() for name in task.ids}
    lost = [key for key in labels if key not in known]
    if lost:
        raise DataError(
            f"{place}: {len(lost)} of {len(labels)} labels name no item of the run, e.g. task {lost[0][0]!r}, id {lost[0][1]!r}",
            remedy="label this run's items, or take those lines out",
        )


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
