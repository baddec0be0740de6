"""Which tokens of an answer depend on the picture, and whether right answers depend on it more (PAPO, VPPO)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mmeval.analysis.diagnose_findings import Finding, detectable, limits_json, power_text
from mmeval.runs.cells import broken_cell, in_folder
from mmeval.runs.folder import Run
from mmeval.stats.clustered import cluster_difference
from mmeval.stats.intervals import cluster_mean
from mmeval.verifiers.dependency import k3

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "dependency:"
LEAST = 3
"""Occurrences from which on a token is listed."""
_COLUMNS = [
    "task", "protocol", "condition", "sample_id", "repeat", "cluster", "outcome", "correct", "response",
    "scores.k3", "scores.log_ratio", "scores.kl", "scores.top_share", "scores.gini",
]  # fmt: skip


def dependency(run: Run) -> Iterator[Finding]:
    """Token visual dependency of every task and every other way of showing the picture."""
    names = [name for name in run.manifest.conditions if name.startswith(PREFIX)]
    if not names:
        return
    frame = run.results(_COLUMNS)
    for record in run.manifest.tasks:
        own = frame[(frame["task"] == record.name) & (frame["protocol"] == record.protocol)]
        plain = own[
            (own["condition"] == "standard") & own["outcome"].isin(("scored", "no_answer")) & own["correct"].notna()
        ]
        verdicts = {
            (name, repeat): float(value)
            for name, repeat, value in zip(plain["sample_id"], plain["repeat"], plain["correct"], strict=True)
        }
        for name in names:
            rows = own[(own["condition"] == name) & (own["outcome"] == "scored")]
            if rows.empty:
                continue
            keys = zip(rows["sample_id"], rows["repeat"], strict=True)
            right = np.array([verdicts.get(key, np.nan) for key in keys])
            with in_folder(run.path):
                finding = _finding(record.name, name, rows, right)
            yield finding


def _finding(task: str, condition: str, rows: pd.DataFrame, right: Any) -> Finding:
    clusters = [str(value or name) for value, name in zip(rows["cluster"], rows["sample_id"], strict=True)]
    values = rows["scores.k3"].to_numpy(dtype=np.float64)
    mean = cluster_mean(values, clusters)
    groups = {"right": _mean(values[right == 1]), "wrong": _mean(values[right == 0])}
    difference = _difference(values, right, clusters)
    numbers: dict[str, Any] = {
        "condition": condition, "n": len(rows), "k3": {"mean": mean.mean, "ci": limits_json(mean.interval)},
        "quantiles": dict(zip(("q10", "q50", "q90"), np.quantile(values, (0.1, 0.5, 0.9)).tolist(), strict=True)),
        "log_ratio": _mean(rows["scores.log_ratio"].to_numpy(dtype=np.float64)), "kl": _known(rows["scores.kl"]),
        "top_share": _mean(rows["scores.top_share"].to_numpy(dtype=np.float64)), "gini": _mean(rows["scores.gini"].to_numpy(dtype=np.float64)),
        **groups, "right_minus_wrong": difference, "tokens": _tokens(rows),
    }  # fmt: skip
    limits = "" if mean.interval is None else f" [{mean.interval.low:.3f}, {mean.interval.high:.3f}]"
    listed = ", ".join(f"{entry['token']!r} {entry['k3']:.2f}" for entry in numbers["tokens"][:5])
    says = f"{condition}: k3 per token {mean.mean:.3f}{limits}"
    if groups["right"] is not None and groups["wrong"] is not None:
        says += f"; right answers {groups['right']:.3f}, wrong {groups['wrong']:.3f}"
    if difference is not None:
        ci = difference["ci"]
        says += f", right less wrong {difference['estimate']:+.3f}" + (
            "" if ci is None else f" [{ci[0]:+.3f}, {ci[1]:+.3f}]"
        )
        says += "" if difference["p"] is None else f", p = {difference['p']:.2g}"
        power = power_text(difference["p"], difference["mde"], "per token") if values.any() else "no token depends"
        says += f" ({power})" if power else ""
    if listed:
        says += f"; most dependent tokens {listed}"
    return Finding(
        "dependency", task, numbers, says,
        "influence of the picture on the model's own words, not whether they are true; a changed picture is out of distribution too",
    )  # fmt: skip


def _difference(values: Any, right: Any, clusters: list[str]) -> dict[str, Any] | None:
    """Mean of right less mean of wrong answers, by clusters (as weighted values whose mean is the difference)."""
    known = np.flatnonzero(~np.isnan(right))
    good, bad = int((right == 1).sum()), int((right == 0).sum())
    if good < 2 or bad < 2:
        return None
    size = known.size
    # Each value's influence on the difference of the two means; their mean is the difference.
    centred = np.where(
        right[known] == 1, values[known] - values[right == 1].mean(), values[known] - values[right == 0].mean()
    )
    weights = np.where(right[known] == 1, size / good, -size / bad)
    estimate = float(values[right == 1].mean() - values[right == 0].mean())
    found = cluster_difference(np.zeros(size), centred * weights + estimate, [clusters[row] for row in known.tolist()])
    return {
        "estimate": estimate,
        "ci": limits_json(found.interval),
        "p": found.p_value,
        "mde": detectable(found.standard_error),
    }


def _tokens(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Tokens that occur often enough, by mean k3, the most dependent first."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows[["task", "condition", "sample_id", "response"]].to_dict("records"):
        try:
            record = json.loads(row["response"])
            for token, first, second in zip(record["tokens"], record["with"], record["without"], strict=True):
                found[str(token)].append(k3(first, second))
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            problem = "no record of tokens with their scores"
            raise broken_cell("results.parquet", {str(name): row[name] for name in row}, "response", problem) from error
    listed = [(token, float(np.mean(each)), len(each)) for token, each in found.items() if len(each) >= LEAST]
    listed.sort(key=lambda entry: (-entry[1], entry[0]))
    return [{"token": token, "k3": mean, "n": count} for token, mean, count in listed[:20]]


def _mean(values: Any) -> float | None:
    return float(values.mean()) if values.size else None


def _known(column: Any) -> float | None:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else None
