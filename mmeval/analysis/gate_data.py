"""From two runs to the scores that one rule of a gate judges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmeval.analysis.gate_policy import OPERATIONAL, Defaults
from mmeval.analysis.paired_scores import PairedScores
from mmeval.analysis.pairing import PairingOptions, Side, pair_runs
from mmeval.core.errors import ComparisonError, IncompleteError
from mmeval.metrics import get_metric, units_of
from mmeval.metrics.collect import collect
from mmeval.metrics.registry import row_metric
from mmeval.runs.folder import Run, subset_pairs
from mmeval.runs.manifest import TaskRecord
from mmeval.runs.rescore import rescored
from mmeval.stats.functionals import Functional
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = [
    "model", "task", "protocol", "condition", "sample_id", "repeat", "cluster", "item_hash", "outcome", "score",
    "correct", "scores", "extracted", "target", "finish_reason", "subsets", "response", "status", "error",
]  # fmt: skip
_INDICATOR = "mean"
_UNAFFECTED = ("coverage", "error_rate")
"""Metrics that measure failed rows, for which these are no obstacle."""


@dataclass(frozen=True, slots=True)
class _Excerpt(Run):
    """A run that shows some rows only."""

    frame: Any = field(default=None, compare=False)

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the rows of the excerpt."""
        excerpt: pd.DataFrame = self.frame
        return excerpt


@dataclass(frozen=True, slots=True)
class Target:
    """What a rule is applied to."""

    task: str
    protocol: str
    condition: str
    metric: str
    subset: tuple[str, str] | None

    @property
    def place(self) -> str:
        """For messages."""
        protocol = f"@{self.protocol}" if self.protocol not in ("", "default") else ""
        return f"task {self.task}{protocol}" + (f", {'='.join(self.subset)}" if self.subset else "")


@dataclass(frozen=True, slots=True)
class Values:
    """One value per item."""

    values: FloatArray
    """Shape (n,)."""
    clusters: tuple[str, ...]
    items: tuple[str, ...]
    notes: tuple[str, ...] = ()
    functional: Functional | None = None
    """The metric, where it is no mean of the values."""


class Source:
    """One side of a gate; its table is read once."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._frame: pd.DataFrame | None = None
        self.pairs: dict[Target, PairedScores] = {}
        """Pairs with the candidate that were aligned already, as the baseline."""

    @property
    def records(self) -> list[TaskRecord]:
        """Tasks of the run."""
        return self.side.run.manifest.tasks

    @property
    def frame(self) -> pd.DataFrame:
        """Rows of the model."""
        if self._frame is None:
            table = self.side.run.results(list(_COLUMNS))
            self._frame = table[table["model"] == self.side.model]
        return self._frame

    def record(self, target: Target) -> TaskRecord | None:
        """The task of a target: under its protocol, else under another one (which pairing then refuses)."""
        named = [record for record in self.records if record.name == target.task]
        exact = [record for record in named if record.protocol == target.protocol]
        return next(iter(exact or named), None)

    def rows(self, target: Target) -> pd.DataFrame:
        """Rows of a target; empty when there is none."""
        record = self.record(target)
        frame = self.frame
        if record is None:
            return frame.iloc[:0]
        chosen = (frame["task"] == record.name) & (frame["protocol"] == record.protocol)
        found = frame[chosen & (frame["condition"] == target.condition)]
        if target.subset is None:
            return found
        return found[[target.subset in subset_pairs(subsets) for subsets in found["subsets"]]]

    def answers(self, target: Target) -> int:
        """Answers per item of a target; the tasks of one run may differ in that."""
        return max(1, int(self.rows(target)["repeat"].nunique()))

    @property
    def unfinished(self) -> str:
        """What is missing from the run, or nothing."""
        manifest = self.side.run.manifest
        if manifest.status in ("running", "interrupted"):
            return f"run {self.side.label} is {manifest.status}"
        if manifest.shard is not None:
            part = f"shard {manifest.shard.index}/{manifest.shard.count}"
            return f"run {self.side.label} is {part} of a larger run"
        missing = manifest.counts.get("missing", 0)
        return f"run {self.side.label} lacks {missing} answers that were never asked for" if missing else ""

    def check_finished(self) -> None:
        """Raise IncompleteError when the run has not come to its end."""
        if self.unfinished:
            shard = self.side.run.manifest.shard
            remedy = "run the same command again to complete it" if shard is None else "merge all shards first"
            raise IncompleteError(self.unfinished, remedy=remedy)

    def excerpt(self, record: TaskRecord | None, condition: str, frame: pd.DataFrame) -> Side:
        """The side with one task, one condition and given rows."""
        run = self.side.run
        tasks = [] if record is None else [record]
        manifest = run.manifest.model_copy(update={"tasks": tasks, "conditions": [condition]})
        return Side(_Excerpt(run.path, manifest, run.model, frame), self.side.model, self.side.label)


def candidate_values(source: Source, target: Target, defaults: Defaults) -> Values:
    """Values of one run alone, for floors, ceilings and plans.

    Raises:
        IncompleteError: an unfinished run, or too many failed rows.
        ComparisonError: no usable row, or a sample twice.
        DataError: the rows lack the metric.
    """
    source.check_finished()
    frame = source.rows(target)
    if frame.empty:
        raise ComparisonError(
            f"{target.place}: {source.side.label} has no rows under condition {target.condition}",
            remedy="run what the baseline ran, or name in the rule the tasks that are meant",
        )
    _check_failed(source, target, frame, defaults)
    _check_repeats(source, target, frame)
    name = target.metric
    if name in OPERATIONAL:
        frame, name = _indicator(frame, name), _INDICATOR
    metric = get_metric(name)
    scores = collect(metric, _arrays(frame))
    units = units_of(metric, scores)
    if not units.ids.size:
        raise ComparisonError(f"{target.place}: no row of {source.side.label} counts for {target.metric}")
    if units.value is None:
        raise ComparisonError(f"{target.place}: {target.metric} of {source.side.label} is undefined (0/0)")
    dropped = frame["sample_id"].nunique() - len(set(scores.samples[units.unit_of_row != -1]))
    notes = (f"{dropped} items without a value left out",) if dropped else ()
    clusters, items = (tuple(str(one) for one in column) for column in (units.clusters, units.ids))
    return Values(units.values, clusters, items, notes, units.functional)


def _arrays(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name].to_numpy() for name in frame}


def paired_values(base: Source, candidate: Source, target: Target, defaults: Defaults) -> PairedScores:
    """Aligned values of both runs.

    Raises:
        IncompleteError: an unfinished run, or too many failed rows.
        ComparisonError: other items, another way of asking, nothing in common.
        DataError: the rows lack the metric.
    """
    if target not in base.pairs:
        base.pairs[target] = _paired((base, candidate), target, defaults)
    return base.pairs[target]


def _paired(sources: tuple[Source, Source], target: Target, defaults: Defaults) -> PairedScores:
    for source in sources:
        source.check_finished()
    records = [source.record(target) for source in sources]
    frames = [source.rows(target) for source in sources]
    if target.metric not in _UNAFFECTED:
        for source, frame in zip(sources, frames, strict=True):
            _check_failed(source, target, frame, defaults)
    for source, frame in zip(sources, frames, strict=True):
        _check_repeats(source, target, frame)
    allowed = defaults.missing_items == "intersect" or _same_items(sources, target, frames)
    metric = target.metric
    again = 0
    if metric in OPERATIONAL and metric != "flip_rate":
        frames, again = _scored_alike(sources, records, frames)
        frames = [_indicator(frame, metric) for frame in frames]
        metric = _INDICATOR
        records = [None if one is None else one.model_copy(update={"score_digest": ""}) for one in records]
    elif metric == "flip_rate":
        metric = row_metric(next(record.metrics[0] for record in records if record is not None))
    sides = [
        source.excerpt(record, target.condition, frame)
        for source, record, frame in zip(sources, records, frames, strict=True)
    ]
    try:
        (found,) = pair_runs(sides[0], sides[1], PairingOptions(allow_missing=allowed, metric=metric))
    except ComparisonError as error:
        raise ComparisonError(error.message, remedy=_remedy(error)) from error
    if not again:
        return found
    note = f"{again} rows of both sides were scored again: the runs had been scored in different ways"
    return replace(found, rescored=again, notes=(note, *found.notes))


def _remedy(error: ComparisonError) -> str:
    """What to do about it in terms of a policy; `compare` names its own options."""
    if "--allow-missing" in error.remedy:
        return "run both with the same --limit, --seed and data, or set missing_items: intersect in the policy"
    if "--allow-protocol" in error.remedy:
        return "run both with the same protocol, prompt, media settings and decoding"
    return error.remedy


def flips(data: PairedScores) -> Values:
    """By item, the chance that an answer of the candidate and one of the baseline are scored differently."""
    rows = [
        (side.unit_of_row, scores)
        for side, scores in zip(data.units, (data.rows.base, data.rows.candidate), strict=True)
    ]
    kept = [(units[units >= 0], scores.values[units >= 0]) for units, scores in rows]
    levels = np.unique(np.concatenate([values for _, values in kept]))
    places, shares = [], []
    for units, values in kept:
        place, count = np.unique(units * levels.size + np.searchsorted(levels, values), return_counts=True)
        places.append(place)
        shares.append(count / np.bincount(units)[place // levels.size])
    both, first, second = np.intersect1d(places[0], places[1], assume_unique=True, return_indices=True)
    agree = np.bincount(both // levels.size, weights=shares[0][first] * shares[1][second], minlength=len(data.items))
    return Values(np.maximum(0.0, 1 - agree), data.clusters, data.items, data.notes)


def raw_values(frame: pd.DataFrame, metric: str) -> list[tuple[str, str, float]]:
    """(item, cluster, value) of every row that counts for a metric; the item is its hash.

    Raises:
        DataError: the rows lack the metric.
    """
    if metric in OPERATIONAL:
        frame, metric = _indicator(frame, metric), _INDICATOR
    counted = frame[frame["outcome"].isin(["scored", "no_answer"])]
    scores = collect(get_metric(metric), _arrays(counted))
    items = [
        item if isinstance(item, str) and item else f"sample:{sample}"
        for item, sample in zip(counted["item_hash"], counted["sample_id"], strict=True)
    ]
    return list(zip(items, (str(label) for label in scores.clusters), scores.values.tolist(), strict=True))


def labels(sources: tuple[Source, ...], target: Target) -> set[tuple[str, str]]:
    """All (column, label) pairs that rows of the target's task have, whatever its subset."""
    whole = Target(target.task, target.protocol, target.condition, target.metric, None)
    return {pair for source in sources for subsets in source.rows(whole)["subsets"] for pair in subset_pairs(subsets)}


def _check_failed(source: Source, target: Target, frame: pd.DataFrame, defaults: Defaults) -> None:
    if target.metric in _UNAFFECTED or frame.empty:
        return
    failed = int(frame["outcome"].isin(["error", "unscored"]).sum())
    if failed / len(frame) > defaults.max_infra_error_rate:
        raise IncompleteError(
            f"{target.place}: {failed} of {len(frame)} rows of {source.side.label} ended in error or unscored,"
            f" more than {defaults.max_infra_error_rate:.2%}",
            remedy="run the same command again to complete them",
        )


def _check_repeats(source: Source, target: Target, frame: pd.DataFrame) -> None:
    twice = frame.duplicated(["sample_id", "repeat"])
    if bool(twice.any()):
        sample = frame.loc[twice, "sample_id"].iloc[0]
        raise ComparisonError(
            f"{target.place}: sample {sample!r} occurs twice in {source.side.label}", remedy="repeat the run or import"
        )


def _same_items(sources: tuple[Source, ...], target: Target, frames: list[pd.DataFrame]) -> bool:
    """Whether both sides have the same items, so that only items whose rows failed can be left out.

    Raises:
        ComparisonError: an item that one side alone does not support.
    """
    outcomes: list[dict[str, bool]] = []
    for frame in frames:
        found: dict[str, bool] = {}
        for item, sample, outcome in zip(frame["item_hash"], frame["sample_id"], frame["outcome"], strict=True):
            key = item if isinstance(item, str) and item else f"sample:{sample}"
            found[key] = found.get(key, True) and outcome == "unsupported"
        outcomes.append(found)
    if outcomes[0].keys() != outcomes[1].keys():
        return False
    if target.metric in ("coverage", "error_rate"):
        return True
    alone = sum(outcomes[0][key] != outcomes[1][key] for key in outcomes[0])
    if alone:
        labels = " or ".join(source.side.label for source in sources)
        raise ComparisonError(
            f"{target.place}: {alone} items are unsupported in {labels} only",
            remedy="set missing_items: intersect to compare the others, or gate on coverage",
        )
    return True


def _scored_alike(
    sources: tuple[Source, ...], records: list[TaskRecord | None], frames: list[pd.DataFrame]
) -> tuple[list[pd.DataFrame], int]:
    first, second = records
    if first is None or second is None or first.score_digest == second.score_digest:
        return frames, 0
    again = [
        rescored(source.side.run, record, frame)
        for source, record, frame in zip(sources, (first, second), frames, strict=True)
    ]
    return again, sum(len(frame) for frame in again)


def _indicator(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows whose score is 1 where the event of an operational metric happened; rows that do not count are unsupported."""
    outcome = frame["outcome"]
    answered = outcome.isin(["scored", "no_answer"])
    events = {
        "coverage": answered,
        "error_rate": outcome.isin(["error", "unscored"]),
        "extraction_failure_rate": outcome == "no_answer",
        "truncation_rate": frame["finish_reason"] == "length",
    }
    counted = answered if metric in ("extraction_failure_rate", "truncation_rate") else answered | True
    return frame.assign(
        outcome=["scored" if yes else "unsupported" for yes in counted],
        score=events[metric].astype(float),
        correct=events[metric].astype(bool),
    )
