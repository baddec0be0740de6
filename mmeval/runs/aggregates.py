"""Numbers over several tasks of a run: the unweighted means that suites declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mmeval.conditions.base import metrics_of
from mmeval.core.errors import DataError
from mmeval.metrics import Metric, Scores, Units, get_metric, summarise, units_of
from mmeval.metrics.collect import collect
from mmeval.metrics.columns import Columns
from mmeval.runs.columns import read_columns
from mmeval.runs.folder import Run
from mmeval.runs.leaderboard import results_columns
from mmeval.runs.manifest import AggregateRecord, MemberRecord
from mmeval.stats.functionals import FUNCTIONAL_PLAN, RatioMean, estimate_functional
from mmeval.stats.intervals import Interval
from mmeval.stats.mover import mover_mean
from mmeval.stats.scores import IntArray
from mmeval.tasks.aggregates import PlannedAggregate, TaskKey

IMAGE_CLUSTER = "c:image-"
"""Clusters that are an image's content are the same in every task."""


@dataclass(frozen=True, slots=True)
class SuiteMean:
    """One mean over tasks for one model under one condition."""

    suite: str
    name: str
    model: str
    condition: str
    tasks: tuple[str, ...]
    """`TASK` or `TASK@PROTOCOL` of each member, with `:METRIC` where it is not the task's primary one."""
    metrics: tuple[str, ...]
    values: tuple[float | None, ...]
    """The value of each member."""
    value: float | None
    """None where a member has no value; the note says which."""
    interval: Interval | None
    n: int
    """Samples (or groups) of all members together."""
    clusters: int
    share: bool
    """Whether every member is a share of 1."""
    coverage: float
    """The lowest coverage of the members, in [0, 1]."""
    note: str = ""


def aggregate_records(planned: Sequence[PlannedAggregate], primary: Mapping[TaskKey, str]) -> list[AggregateRecord]:
    """Return the manifest's entries of aggregates.

    Args:
        planned: aggregates whose members are all in the run.
        primary: the primary metric of each task of the run.
    """
    return [
        AggregateRecord(
            name=one.name,
            suite=one.suite,
            members=[
                MemberRecord(task=m.task, protocol=m.protocol, metric=m.metric or primary[m.task, m.protocol])
                for m in one.members
            ],
            shared=one.shared,
        )
        for one in planned
    ]


def suite_means(run: Run, level: float = 0.95) -> list[SuiteMean]:
    """Compute the aggregates of a run's manifest for every model and condition that has rows.

    Independent members: the interval is made of their own (MOVER). Where members share clusters (the same images, several
    metrics of one task, or the same questions where the suite says so): the cluster bootstrap of the mean.

    Args:
        run: the run to read.
        level: confidence level of the intervals.
    """
    records = run.manifest.aggregates
    if not records:
        return []
    metrics = {member.metric for record in records for member in record.members}
    table = read_columns(run, results_columns([get_metric(name) for name in sorted(metrics)]))
    found = []
    for record in records:
        for condition in run.manifest.conditions:
            if metrics_of(condition):
                continue  # it measures something else than the tasks' metrics
            for model in run.models:
                rows = table.where(table.equal("model", model) & table.equal("condition", condition))
                if rows.size:
                    empty = _empty(record, run, model, condition)
                    found.append(_filled(empty, record, rows, level))
    return found


def _empty(record: AggregateRecord, run: Run, model: str, condition: str) -> SuiteMean:
    primary = {(task.name, task.protocol): task.metrics[0] for task in run.manifest.tasks}
    labels = []
    for member in record.members:
        label = member.task if member.protocol == "default" else f"{member.task}@{member.protocol}"
        own = primary.get((member.task, member.protocol), member.metric) == member.metric
        labels.append(label if own else f"{label}:{member.metric}")
    share = {get_metric(member.metric).bounds for member in record.members} == {(0.0, 1.0)}
    return SuiteMean(
        suite=record.suite,
        name=record.name,
        model=model,
        condition=condition,
        tasks=tuple(labels),
        metrics=tuple(member.metric for member in record.members),
        values=(None,) * len(labels),
        value=None,
        interval=None,
        n=0,
        clusters=0,
        share=share,
        coverage=0.0,
    )


def _filled(empty: SuiteMean, record: AggregateRecord, rows: Columns, level: float) -> SuiteMean:
    try:
        parts = [_part(member, rows) for member in record.members]
    except DataError as error:
        return replace(empty, note=f"not shown: {error.message}")
    values = [part.units.value for part in parts]
    found = replace(
        empty,
        n=sum(int(part.units.ids.size) for part in parts),
        values=tuple(values),
        coverage=min(part.units.coverage for part in parts),
    )
    lacking = [label for label, value in zip(empty.tasks, values, strict=True) if value is None]
    if lacking:
        return replace(found, note=f"not shown: {', '.join(lacking)} has no value")
    index = _clusters(parts, record.shared)
    count = int(index.max()) + 1
    known = [value for value in values if value is not None]
    mean = sum(known) / len(known)
    if _independent(parts, index):
        intervals = [summarise(part.metric, part.scores, level).interval for part in parts]
        own = [interval for interval in intervals if interval is not None]
        interval = mover_mean(known, own) if len(own) == len(known) else None
        return replace(found, value=mean, interval=interval, clusters=count)
    joint = _mean([part.units for part in parts])
    if joint is None:
        note = "no interval: members share clusters, and a correlation among them cannot be drawn jointly"
        return replace(found, value=mean, clusters=count, note=note)
    plan = replace(FUNCTIONAL_PLAN, level=level)
    whole = estimate_functional(joint, index, (0.0, 1.0) if found.share else None, plan)
    return replace(found, value=mean, interval=whole.interval, clusters=count)


@dataclass(frozen=True, slots=True)
class _Part:
    """One member's rows."""

    member: MemberRecord
    metric: Metric
    scores: Scores
    units: Units


def _part(member: MemberRecord, rows: Columns) -> _Part:
    own = rows.where(rows.equal("task", member.task) & rows.equal("protocol", member.protocol))
    metric = get_metric(member.metric)
    scores = collect(metric, own.plain())
    return _Part(member, metric, scores, units_of(metric, scores))


def _independent(parts: Sequence[_Part], index: IntArray) -> bool:
    """Whether no two members have a cluster in common."""
    ends = np.cumsum([0, *(part.units.ids.size for part in parts)])
    counts = [len(set(index[start:end].tolist())) for start, end in pairwise(ends.tolist())]
    return sum(counts) == len(set(index.tolist()))


def _mean(parts: Sequence[Units]) -> RatioMean | None:
    """Return the unweighted mean of several numbers as a functional of all their units; None where one is no mean of ratios."""
    functionals: list[RatioMean] = []
    for units in parts:
        one = units.functional or RatioMean.of(units.values, np.ones(units.values.size))
        if not isinstance(one, RatioMean):
            return None
        functionals.append(one)
    sizes = [one.units for one in functionals]
    terms = [len(one.paths) for one in functionals]
    first_unit, first_term = np.cumsum([0, *sizes]), np.cumsum([0, *terms])
    return RatioMean(
        sum(sizes),
        np.concatenate([one.unit + start for one, start in zip(functionals, first_unit, strict=False)]),
        np.concatenate([one.term + start for one, start in zip(functionals, first_term, strict=False)]),
        np.concatenate([one.numerators for one in functionals]),
        np.concatenate([one.denominators for one in functionals]),
        tuple((f"member {number}", *path) for number, one in enumerate(functionals) for path in one.paths),
    )


def _clusters(parts: Sequence[_Part], shared: bool) -> IntArray:
    """Return the cluster of each unit, numbered over all members.

    Units of one task under two metrics (rows, and groups of rows) share its clusters; groups join the clusters of their rows.
    """
    import pandas as pd
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def named(member: MemberRecord, labels: np.ndarray[tuple[int, ...], np.dtype[np.object_]]) -> list[str]:
        prefix = "" if shared else f"{member.task}@{member.protocol}/"
        return [label if str(label).startswith(IMAGE_CLUSTER) else f"{prefix}{label}" for label in labels]

    ends: list[str] = []
    starts: list[str] = []
    own: list[str] = []
    for part in parts:
        member, scores, units = part.member, part.scores, part.units
        rows = np.flatnonzero(units.unit_of_row >= 0)
        starts += named(member, scores.clusters[rows])
        ends += named(member, units.clusters[units.unit_of_row[rows]])
        own += named(member, units.clusters)
    codes = pd.factorize(np.array([*starts, *ends, *own], dtype=object), sort=True)[0]
    size = int(codes.max()) + 1
    links = coo_array(
        (np.ones(len(starts)), (codes[: len(starts)], codes[len(starts) : 2 * len(starts)])), shape=(size, size)
    )
    component = connected_components(links, directed=False)[1]
    # Numbered by their smallest label, so that the order of rows changes nothing.
    return np.unique(component[codes[2 * len(starts) :]], return_inverse=True)[1].astype(np.int64)
