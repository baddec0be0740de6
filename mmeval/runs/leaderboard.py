"""Models × tasks with value, interval and coverage: the first thing that every report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmeval.core.types import OUTCOMES
from mmeval.runs.folder import Run, subset_pairs

if TYPE_CHECKING:
    import pandas as pd

    from mmeval.metrics import Estimate


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
    columns = [
        "model", "task", "protocol", "family", "condition", "sample_id", "repeat", "cluster", "outcome", "score", "correct",
        "scores", "finish_reason", "completion_tokens", "latency_s", "subsets",
    ]  # fmt: skip
    frame = run.results(columns)
    found: list[LeaderboardRow] = []
    for task in run.manifest.tasks:
        in_task = frame[(frame["task"] == task.name) & (frame["protocol"] == task.protocol)]
        metrics = task.metrics if all_metrics else task.metrics[:1]
        for condition in run.manifest.conditions:
            for model in run.models:
                rows = in_task[(in_task["model"] == model) & (in_task["condition"] == condition)]
                if rows.empty:
                    continue
                for metric in metrics:
                    chance = task.chance if metric == task.metrics[0] else None
                    common = {"model": model, "task": task.name, "protocol": task.protocol, "family": task.family}
                    found.append(_cell(rows, metric, None, chance, condition, common, level))
                    if by_subset:
                        for column, label, index in _groups(rows, task.subset_columns):
                            found.append(
                                _cell(rows.loc[index], metric, (column, label), None, condition, common, level)
                            )
    return found


def _groups(rows: pd.DataFrame, columns: list[str]) -> list[tuple[str, str, list[Any]]]:
    members: dict[tuple[str, str], list[Any]] = {}
    for index, subsets in zip(rows.index, rows["subsets"], strict=True):
        for column, label in subset_pairs(subsets):
            if column in columns:
                members.setdefault((column, label), []).append(index)
    order = {column: position for position, column in enumerate(columns)}
    return [(c, label, members[c, label]) for c, label in sorted(members, key=lambda key: (order[key[0]], key[1]))]


def _cell(
    rows: pd.DataFrame,
    metric: str,
    subset: tuple[str, str] | None,
    chance: float | None,
    condition: str,
    common: Mapping[str, str],
    level: float,
) -> LeaderboardRow:
    from mmeval.metrics import estimate

    names = ("score", "correct", "scores", "outcome", "cluster", "sample_id", "repeat")
    outcomes = rows["outcome"].value_counts()
    answered = rows[rows["outcome"].isin(("scored", "no_answer"))]
    answers = len(answered)
    tokens, latency = answered["completion_tokens"].dropna(), answered["latency_s"].dropna()
    return LeaderboardRow(
        **common,
        condition=condition,
        subset=subset,
        estimate=estimate(metric, {name: rows[name].tolist() for name in names}, level=level),
        outcomes={name: int(outcomes.get(name, 0)) for name in OUTCOMES},
        chance=chance,
        truncated=float((answered["finish_reason"] == "length").mean()) if answers else None,
        no_answer=float((answered["outcome"] == "no_answer").mean()) if answers else None,
        completion_tokens=float(tokens.mean()) if len(tokens) else None,
        latency_s=float(latency.mean()) if len(latency) else None,
    )
