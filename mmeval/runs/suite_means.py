"""The numbers that suites define over their tasks: unweighted means of primary metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmeval.runs.folder import Run
from mmeval.runs.leaderboard import LeaderboardRow
from mmeval.stats.intervals import Interval
from mmeval.tasks.registry import Registry
from mmeval.tasks.suites import Suite


@dataclass(frozen=True, slots=True)
class SuiteMean:
    """One mean of a suite for one model under one condition."""

    suite: str
    name: str
    model: str
    condition: str
    tasks: tuple[str, ...]
    """`TASK` or `TASK@PROTOCOL`."""
    value: float
    interval: Interval | None
    """Of independent tasks; None where one of them has none."""
    share: bool
    """Whether every task's metric is a share of 1."""
    coverage: float
    """The lowest coverage of its tasks, in [0, 1]."""


def suite_means(run: Run, rows: Sequence[LeaderboardRow]) -> list[SuiteMean]:
    """Return every mean of a suite whose tasks are all in the run and have a value, suites in alphabetical order.

    Suites are those that ship and those of the run's own `--task-path` folders, as far as they are still there. Of suites
    that take the same mean under the same name the first stands.

    Args:
        run: the run.
        rows: its leaderboard; rows of subsets and of further metrics are left out.
    """
    primary = {(task.name, task.protocol): task.metrics[0] for task in run.manifest.tasks}
    cells: dict[tuple[str, str], dict[str, LeaderboardRow]] = {}
    for row in rows:
        if row.subset is None and row.estimate.metric == primary.get((row.task, row.protocol)):
            label = row.task if row.protocol == "default" else f"{row.task}@{row.protocol}"
            cells.setdefault((row.model, row.condition), {})[label] = row
    folders = [Path(path) for path in run.manifest.config.get("task_paths") or ()]
    suites = Registry([folder for folder in folders if folder.is_dir()]).suites
    return [mean for suite in suites.values() for mean in _of_suite(suite, cells)] if cells else []


def _of_suite(suite: Suite, cells: Mapping[tuple[str, str], Mapping[str, LeaderboardRow]]) -> Iterable[SuiteMean]:
    for aggregate in suite.file.aggregates:
        for (model, condition), by_task in cells.items():
            members = [by_task[label] for label in aggregate.mean if label in by_task]
            if len(members) == len(aggregate.mean):
                mean = _mean(suite.name, aggregate.name, model, condition, tuple(aggregate.mean), members)
                if mean is not None:
                    yield mean


def _mean(
    suite: str, name: str, model: str, condition: str, tasks: tuple[str, ...], members: Sequence[LeaderboardRow]
) -> SuiteMean | None:
    from mmeval.metrics import get_metric

    estimates = [member.estimate for member in members]
    values = [estimate.value for estimate in estimates if estimate.value is not None]
    if len(values) < len(estimates):
        return None
    intervals = [estimate.interval for estimate in estimates if estimate.interval is not None]
    share = all(get_metric(estimate.metric).bounds == (0.0, 1.0) for estimate in estimates)
    return SuiteMean(
        suite=suite,
        name=name,
        model=model,
        condition=condition,
        tasks=tasks,
        value=sum(values) / len(values),
        interval=mean_interval(values, intervals) if len(intervals) == len(values) else None,
        share=share,
        coverage=min(estimate.coverage for estimate in estimates),
    )


def mean_interval(values: Sequence[float], intervals: Sequence[Interval]) -> Interval | None:
    """Return the interval of the mean of independent estimates from their own intervals, by MOVER.

    The distances from each value to its limits stand for its variance there, and add as variances do (Zou & Donner 2008),
    so that intervals that are not symmetric, as Wilson's, stay so. None where their levels differ.

    Args:
        values: the estimates.
        intervals: the interval of each, all of one level.
    """
    if len({interval.level for interval in intervals}) != 1:
        return None
    count = len(values)
    below = math.sqrt(sum((value - interval.low) ** 2 for value, interval in zip(values, intervals, strict=True)))
    above = math.sqrt(sum((interval.high - value) ** 2 for value, interval in zip(values, intervals, strict=True)))
    mean = sum(values) / count
    return Interval(mean - below / count, mean + above / count, intervals[0].level, "mover")
