"""Models × tasks with value, interval and coverage: the first thing that every report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mmeval.conditions.base import metrics_of
from mmeval.core.errors import DataError
from mmeval.metrics.columns import wide
from mmeval.pipeline.chain import JUDGED, RULE_CORRECT
from mmeval.runs.columns import RANKED, read_columns
from mmeval.runs.folder import Run
from mmeval.runs.guesses import FALLBACK, GUESS_COLUMNS, Guesses, guesses

JUDGED_COLUMN, RULES_COLUMN = f"scores.{JUDGED}", f"scores.{RULE_CORRECT}"
UNREAD = ("truncated", "refused", "empty", "unreadable")
"""Why a row has no answer: cut off by the token limit, declined, without text, or with text in which no answer can be read."""

if TYPE_CHECKING:
    from mmeval.metrics import Estimate, Metric, Scores
    from mmeval.metrics.columns import Columns
    from mmeval.metrics.definition import BoolArray
    from mmeval.runs.manifest import TaskRecord


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One model on one task (or one subset of it) under one condition."""

    model: str
    task: str
    protocol: str
    family: str
    condition: str
    subset: tuple[str, str] | None
    """(column, label), or None for the whole task."""
    estimate: Estimate
    """The metric's value, interval, n, clusters and coverage."""
    outcomes: Mapping[str, int]
    """Rows by outcome."""
    chance: float | None
    """Value of the best blind guess, None where unknown or for a subset."""
    truncated: float | None
    """Share of answers cut off by the token limit."""
    no_answer: float | None
    """Share of rows from which no answer could be read."""
    completion_tokens: float | None
    """Mean per answer."""
    latency_s: float | None
    """Mean seconds per answer."""
    guesses: Guesses | None = None
    """What random draws of the official rule could add; None where it would draw for no row."""
    fallbacks: int = 0
    """Rows that the official rule decided without an answer (its nearest option)."""
    judged: float | None = None
    """Share of rows with a verdict that a judge was asked about; None where no judge takes part."""
    rules: float | None = None
    """Share of those rows that the rules alone take as right."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """Rows without an answer by the names of `UNREAD`, all of them; they add up to the outcome `no_answer`."""


def leaderboard(
    run: Run, *, by_subset: bool = False, all_metrics: bool = False, level: float = 0.95
) -> list[LeaderboardRow]:
    """Compute every cell of the leaderboard from the results table, in the order of the manifest.

    Args:
        run: the run to read.
        by_subset: also one row per label of each subset column of the card.
        all_metrics: every metric of the card instead of the primary one.
        level: confidence level of the intervals.
    """
    try:
        return _leaderboard(run, by_subset, all_metrics, level, RANKED)
    except DataError:  # the message names a sample, if it is no other error
        return _leaderboard(run, by_subset, all_metrics, level, frozenset())


def _leaderboard(
    run: Run, by_subset: bool, all_metrics: bool, level: float, unspelled: frozenset[str]
) -> list[LeaderboardRow]:
    """The cells; without the ids of samples, which take more memory than all that is computed from, where they are unspelled."""
    from mmeval.metrics import get_metric

    tasks = run.manifest.tasks
    lists = [task.metrics for task in tasks] + [metrics_of(name) or [] for name in run.manifest.conditions]
    chosen = {name for names in lists for name in (names if all_metrics else names[:1])}
    subsets = {name for task in tasks for name in task.subset_columns} if by_subset else set()
    metrics = [get_metric(name) for name in sorted(chosen)]
    if any(metric.names_clusters for metric in metrics):
        unspelled = frozenset()
    table = read_columns(run, results_columns(metrics, sorted(subsets)), unspelled)
    found: list[LeaderboardRow] = []
    for task in tasks:
        in_task = table.where(table.equal("task", task.name) & table.equal("protocol", task.protocol))
        for condition in run.manifest.conditions:
            for model in run.models:
                rows = in_task.where(in_task.equal("model", model) & in_task.equal("condition", condition))
                if not rows.size:
                    continue
                own = metrics_of(condition) or task.metrics
                for name in own if all_metrics else own[:1]:
                    cells = _Cells.of(rows, get_metric(name), task, model, condition, level)
                    found.append(cells.whole(task.chance if name == task.metrics[0] and own is task.metrics else None))
                    if by_subset:
                        found.extend(cells.subsets())
    return found


def results_columns(metrics: Sequence[Metric], subsets: Sequence[str] = ()) -> list[str]:
    """Return the columns of the results table from which metrics and leaderboard cells are computed.

    Args:
        metrics: what is computed.
        subsets: subset columns to break down by.
    """
    columns = [
        "model", "task", "protocol", "family", "condition", "sample_id", "repeat", "cluster", "outcome", "finish_reason", "reason",
        "completion_tokens", "latency_s", *GUESS_COLUMNS, JUDGED_COLUMN, RULES_COLUMN,
    ]  # fmt: skip
    for metric in metrics:
        columns.append(f"scores.{metric.key}" if metric.source == "scores" else metric.source)
        columns += [*(f"subsets.{name}" for name in metric.columns), *metric.reads]
    return list(dict.fromkeys([*columns, *(f"subsets.{name}" for name in subsets)]))


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one model, task, condition and metric."""

    rows: Columns
    metric: Metric
    task: TaskRecord
    model: str
    condition: str
    level: float
    scores: Scores

    @classmethod
    def of(cls, rows: Columns, metric: Metric, task: TaskRecord, model: str, condition: str, level: float) -> _Cells:
        """Read the rows as the metric sees them."""
        from mmeval.metrics.collect import collect

        return cls(rows, metric, task, model, condition, level, collect(metric, rows))

    def whole(self, chance: float | None) -> LeaderboardRow:
        """The cell of the whole task."""
        return self._cell(self.rows, self.scores, None, chance)

    def subsets(self) -> Iterator[LeaderboardRow]:
        """A cell per label of each subset column."""
        from mmeval.metrics.subsets import label_rows

        for column in self.task.subset_columns:
            labels = self.rows.texts(f"subsets.{column}").objects("")
            for label, rows in label_rows(labels):
                yield self._cell(self.rows.take(rows), self.scores.take(rows), (column, label), None)

    def _cell(
        self, rows: Columns, scores: Scores, subset: tuple[str, str] | None, chance: float | None
    ) -> LeaderboardRow:
        from mmeval.metrics import summarise

        estimate = summarise(self.metric, scores, self.level)
        answered = scores.counted
        silent = scores.outcome == 1
        return LeaderboardRow(
            model=self.model,
            task=self.task.name,
            protocol=self.task.protocol,
            family=self.task.family,
            condition=self.condition,
            subset=subset,
            estimate=estimate,
            outcomes={str(name): count for name, count in estimate.counts.items()},
            chance=chance,
            truncated=_share(rows.equal("finish_reason", "length"), answered),
            no_answer=_share(silent, answered),
            completion_tokens=_mean(rows, "completion_tokens", answered),
            latency_s=_mean(rows, "latency_s", answered),
            guesses=guesses(self.metric, scores, rows, estimate.value),
            fallbacks=int(np.count_nonzero(rows.numbers(FALLBACK) == 1)),
            judged=_judged(rows, answered),
            rules=_mean(rows, RULES_COLUMN, answered),
            unread=_unread(rows, silent),
        )


def _share(chosen: BoolArray, among: BoolArray) -> float | None:
    rows = int(np.count_nonzero(among))
    return int(np.count_nonzero(chosen & among)) / rows if rows else None


def _mean(rows: Columns, column: str, among: BoolArray) -> float | None:
    """The mean of the numbers that are there."""
    cells = rows.numbers(column)
    known = wide(cells[among & ~np.isnan(cells)])
    return float(np.mean(known)) if known.size else None


def _judged(rows: Columns, answered: BoolArray) -> float | None:
    """Rows that no judge took part in count as decided without one."""
    cells = rows.numbers(JUDGED_COLUMN)
    return _share(np.asarray(cells == 1), answered) if bool(np.any(answered & ~np.isnan(cells))) else None


def _unread(rows: Columns, silent: BoolArray) -> dict[str, int]:
    cut = silent & rows.equal("finish_reason", "length")
    refused = silent & ~cut & rows.equal("reason", "refusal")
    empty = silent & ~cut & rows.equal("reason", "empty")
    counts = (cut, refused, empty, silent & ~(cut | refused | empty))
    return dict(zip(UNREAD, (int(np.count_nonzero(one)) for one in counts), strict=True))
