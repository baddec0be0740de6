"""Models × tasks with value, interval and coverage: the first thing that every report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmeval.conditions.base import metrics_of
from mmeval.pipeline.chain import JUDGED, RULE_CORRECT
from mmeval.runs.folder import Run
from mmeval.runs.guesses import FALLBACK, GUESS_COLUMNS, Guesses, guesses

JUDGED_COLUMN, RULES_COLUMN = f"scores.{JUDGED}", f"scores.{RULE_CORRECT}"
UNREAD = ("truncated", "refused", "empty", "unreadable")
"""Why a row has no answer: cut off by the token limit, declined, without text, or with text in which no answer can be read."""

if TYPE_CHECKING:
    import pandas as pd

    from mmeval.metrics import Estimate, Metric, Scores
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
    from mmeval.metrics import get_metric

    tasks = run.manifest.tasks
    lists = [task.metrics for task in tasks] + [metrics_of(name) or [] for name in run.manifest.conditions]
    chosen = {name for names in lists for name in (names if all_metrics else names[:1])}
    subsets = {name for task in tasks for name in task.subset_columns} if by_subset else set()
    frame = run.results(results_columns([get_metric(name) for name in sorted(chosen)], sorted(subsets)))
    found: list[LeaderboardRow] = []
    for task in tasks:
        in_task = _where(frame, (frame["task"] == task.name) & (frame["protocol"] == task.protocol))
        for condition in run.manifest.conditions:
            for model in run.models:
                rows = _where(in_task, (in_task["model"] == model) & (in_task["condition"] == condition))
                if rows.empty:
                    continue
                metrics = metrics_of(condition) or task.metrics
                for name in metrics if all_metrics else metrics[:1]:
                    cells = _Cells.of(rows, get_metric(name), task, model, condition, level)
                    found.append(
                        cells.whole(task.chance if name == task.metrics[0] and metrics is task.metrics else None)
                    )
                    if by_subset:
                        found.extend(cells.subsets())
    return found


def _where(frame: pd.DataFrame, chosen: pd.Series[bool]) -> pd.DataFrame:
    """The chosen rows; all of them are no copy."""
    return frame if chosen.all() else frame[chosen]


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

    rows: pd.DataFrame
    """Index 0, 1, 2 …"""
    metric: Metric
    task: TaskRecord
    model: str
    condition: str
    level: float
    scores: Scores

    @classmethod
    def of(
        cls, rows: pd.DataFrame, metric: Metric, task: TaskRecord, model: str, condition: str, level: float
    ) -> _Cells:
        """Read the rows as the metric sees them."""
        from mmeval.metrics.collect import collect

        numbered = rows.reset_index(drop=True)
        scores = collect(metric, {str(name): numbered[name].to_numpy() for name in numbered})
        return cls(numbered, metric, task, model, condition, level, scores)

    def whole(self, chance: float | None) -> LeaderboardRow:
        """The cell of the whole task."""
        return self._cell(self.rows, self.scores, None, chance)

    def subsets(self) -> Iterator[LeaderboardRow]:
        """A cell per label of each subset column."""
        from mmeval.metrics.subsets import label_rows

        for column in self.task.subset_columns:
            labels = (
                self.rows[f"subsets.{column}"].map(lambda cell: cell if isinstance(cell, str) else "").to_numpy(object)
            )
            for label, rows in label_rows(labels):
                yield self._cell(self.rows.iloc[rows], self.scores.take(rows), (column, label), None)

    def _cell(
        self, rows: pd.DataFrame, scores: Scores, subset: tuple[str, str] | None, chance: float | None
    ) -> LeaderboardRow:
        from mmeval.metrics import summarise

        estimate = summarise(self.metric, scores, self.level)
        answered = rows[rows["outcome"].isin(("scored", "no_answer"))]
        answers = len(answered)
        tokens, latency = answered["completion_tokens"].dropna(), answered["latency_s"].dropna()
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
            truncated=float((answered["finish_reason"] == "length").mean()) if answers else None,
            no_answer=float((answered["outcome"] == "no_answer").mean()) if answers else None,
            completion_tokens=float(tokens.mean()) if len(tokens) else None,
            latency_s=float(latency.mean()) if len(latency) else None,
            guesses=guesses(self.metric, scores, rows, estimate.value),
            fallbacks=int((rows[FALLBACK] == 1).sum()),
            judged=_judged(answered[JUDGED_COLUMN]),
            rules=_mean(answered[RULES_COLUMN]),
            unread=_unread(answered),
        )


def _mean(column: pd.Series[Any]) -> float | None:
    known = column.dropna()
    return float(known.mean()) if len(known) else None


def _judged(column: pd.Series[Any]) -> float | None:
    """Rows that no judge took part in count as decided without one."""
    return float((column == 1).mean()) if column.notna().any() else None


def _unread(answered: pd.DataFrame) -> dict[str, int]:
    rows = answered[answered["outcome"] == "no_answer"]
    cut = rows["finish_reason"] == "length"
    refused = ~cut & (rows["reason"] == "refusal")
    empty = ~cut & (rows["reason"] == "empty")
    counts = (cut.sum(), refused.sum(), empty.sum(), (~(cut | refused | empty)).sum())
    return dict(zip(UNREAD, map(int, counts), strict=True))
