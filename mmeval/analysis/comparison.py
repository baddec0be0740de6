"""Is the candidate better than the baseline, or is it noise: the comparisons behind `mmeval compare`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from mmeval.analysis.pairing import PairedScores, PairingOptions, Side, pair_runs
from mmeval.core.errors import unknown
from mmeval.stats.comparison import compare_paired
from mmeval.stats.intervals import Interval
from mmeval.stats.multiplicity import adjust, ranking_groups
from mmeval.stats.paired import PairedTable, mcnemar_asymptotic, mcnemar_exact, mcnemar_mid_p
from mmeval.stats.power import Noise, cluster_design_effect, mean_minimum_detectable_effect, minimum_detectable_effect
from mmeval.stats.results import TestResult

SCHEMA = 1
CONTRACT_NAMES = {"mcnemar-mid-p": "mcnemar-midp"}
"""Names of tests in `compare --json` where they differ from those of `mmeval.stats`."""
MINIMUM_SUBSET = 5
"""Items below which a subset is not compared."""


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How to compare."""

    pairing: PairingOptions = field(default_factory=PairingOptions)
    independent: bool = False
    """Take items as independent even where clusters repeat."""
    by: tuple[str, ...] = ()
    """Subset columns to break down by."""
    level: float = 0.95
    resamples: int = 9999
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One task (or subset of it) under one condition."""

    base_name: str
    candidate_name: str
    task: str
    protocol: str
    metric: str
    condition: str
    subset: tuple[str, str] | None
    n: int
    clusters: int
    coverage: float
    table: PairedTable | None
    """The 2x2 table of a yes-or-no metric with one answer per item."""
    base: float
    candidate: float
    delta: float
    """Candidate minus baseline, in the metric's unit."""
    interval: Interval | None
    test: str
    p: float
    """Two-sided p-value of the default test; 1 where the data say nothing."""
    others: tuple[TestResult, ...]
    """Further tests of the same hypothesis."""
    mde: float | None
    """Smallest difference that data like these detect with a chance of 80 % at two-sided 0.05."""
    lost: tuple[str, ...]
    """Items right in the baseline and wrong in the candidate (lower scores, for other metrics)."""
    gained: tuple[str, ...]
    """The reverse."""
    rescored: int
    notes: tuple[str, ...]
    p_adjusted: float = 1.0
    adjust: Literal["holm", "benjamini-hochberg"] = "holm"

    @property
    def significant(self) -> bool:
        """Whether the adjusted p-value is below 0.05."""
        return self.p_adjusted < 0.05


@dataclass(frozen=True, slots=True)
class Ranking:
    """More than two models on one task: one overall test, then groups that pairwise tests can tell apart."""

    task: str
    protocol: str
    condition: str
    metric: str
    n: int
    models: tuple[str, ...]
    """Best first."""
    values: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    """Best first; members are not told apart from their group's leader by Holm-adjusted tests at 0.05."""
    overall: TestResult | None
    """Cochran's Q for a yes-or-no metric on independent items."""
    pairs: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Everything that `mmeval compare` says."""

    base: str
    candidates: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    rankings: tuple[Ranking, ...]


def compare_runs(sides: Sequence[Side], options: ComparisonOptions) -> ComparisonReport:
    """Compare the first side with each other one, and rank them where there are more than two.

    Args:
        sides: baseline first, at least one candidate.
        options: how.

    Raises:
        ComparisonError: see `pair_runs`.
        UsageError: an unknown subset column.
    """
    base, *candidates = sides
    paired = {other.label: pair_runs(base, other, options.pairing) for other in candidates}
    _check_columns(options.by, [data for found in paired.values() for data in found])
    whole = [_compare(base.label, label, data, None, options) for label, found in paired.items() for data in found]
    parts = [
        _compare(base.label, label, data.take(rows), subset, options)
        for label, found in paired.items()
        for data in found
        for subset, rows in _subsets(data, options.by)
    ]
    comparisons = [*_adjusted(whole, "holm"), *_adjusted(parts, "benjamini-hochberg")]
    rankings = _rankings(sides, options) if len(sides) > 2 else ()
    return ComparisonReport(base.label, tuple(other.label for other in candidates), tuple(comparisons), tuple(rankings))


def _compare(
    base: str, candidate: str, data: PairedScores, subset: tuple[str, str] | None, options: ComparisonOptions
) -> Comparison:
    labels = None if options.independent else data.clusters
    found = compare_paired(
        data.base, data.candidate, labels, level=options.level, resamples=options.resamples, seed=options.seed
    )
    difference = found.difference
    table = found.table if data.binary else None
    others = found.others
    if table is not None:
        mcnemar = (mcnemar_mid_p(table), mcnemar_exact(table), mcnemar_asymptotic(table))
        others = (*mcnemar, *(test for test in others if not test.method.startswith("mcnemar")))
    lost = np.flatnonzero(data.candidate < data.base)
    gained = np.flatnonzero(data.candidate > data.base)
    return Comparison(
        base_name=base,
        candidate_name=candidate,
        task=data.task,
        protocol=data.protocol,
        metric=data.metric,
        condition=data.condition,
        subset=subset,
        n=len(data.items),
        clusters=len(data.items) if options.independent else len(set(data.clusters)),
        coverage=data.coverage,
        table=table,
        base=float(data.base.mean()),
        candidate=float(data.candidate.mean()),
        delta=difference.estimate,
        interval=difference.interval,
        test=difference.method,
        p=1.0 if difference.p_value is None else difference.p_value,
        others=others,
        mde=_detectable(data, table, options),
        lost=tuple(data.items[i] for i in lost),
        gained=tuple(data.items[i] for i in gained),
        rescored=data.rescored,
        notes=tuple(note for note in (*data.notes, difference.note) if note),
    )


def _detectable(data: PairedScores, table: PairedTable | None, options: ComparisonOptions) -> float | None:
    differences = data.candidate - data.base
    if not options.independent and len(set(data.clusters)) == 1 < len(data.items):
        return None  # how alike the items of a cluster are is unknown
    effect = None if options.independent else cluster_design_effect(differences, data.clusters)
    # Clusters that happen to cancel out promise no more power than independent items.
    inflation = max(1.0, effect or 1.0)
    if table is not None:
        return minimum_detectable_effect(len(data.items), table.discordant / table.n, design_effect=inflation)
    if len(data.items) < 2 or not float(differences.var()):
        return None
    noise = Noise(between=float(differences.var(ddof=1)))
    return mean_minimum_detectable_effect(len(data.items), noise, design_effect=inflation)


def _subsets(data: PairedScores, columns: Sequence[str]) -> Iterator[tuple[tuple[str, str], list[int]]]:
    members: dict[tuple[str, str], list[int]] = {}
    for position, pairs in enumerate(data.subsets):
        for column, label in pairs:
            if column in columns or "all" in columns:
                members.setdefault((column, label), []).append(position)
    for subset in sorted(members):
        if len(members[subset]) >= MINIMUM_SUBSET:
            yield subset, members[subset]


def _check_columns(columns: Sequence[str], paired: Sequence[PairedScores]) -> None:
    known = {column for data in paired for pairs in data.subsets for column, _ in pairs}
    for column in columns:
        if column != "all" and column not in known:
            raise unknown("subset column", column, sorted(known))


def _adjusted(found: Sequence[Comparison], method: Literal["holm", "benjamini-hochberg"]) -> list[Comparison]:
    if not found:
        return []
    values = adjust([one.p for one in found], method)
    return [replace(one, p_adjusted=float(p), adjust=method) for one, p in zip(found, values, strict=True)]


def _rankings(sides: Sequence[Side], options: ComparisonOptions) -> Iterator[Ranking]:
    from mmeval.stats.categorical import cochran_q

    pairs: dict[tuple[str, str], dict[tuple[str, str], PairedScores]] = {}
    for first, second in combinations(sides, 2):
        for data in pair_runs(first, second, options.pairing):
            pairs.setdefault((data.task, data.condition), {})[first.label, second.label] = data
    for members in pairs.values():
        if len(members) < len(sides) * (len(sides) - 1) // 2:
            continue  # not every model was asked this
        found = _adjusted([_compare(*key, data, None, options) for key, data in members.items()], "holm")
        names = [side.label for side in sides]
        lead = names[0]
        common = set.intersection(*(set(data.items) for (base, _), data in members.items() if base == lead))
        scores = _common_scores(members, names, common)
        matrix = np.ones((len(names), len(names)))
        for one in found:
            i, j = names.index(one.base_name), names.index(one.candidate_name)
            matrix[i, j] = matrix[j, i] = one.p_adjusted
        means = scores.mean(axis=1)
        groups = ranking_groups(means, matrix)
        order = [model for group in groups for model in group]
        binary = all(data.binary for data in members.values())
        clustered = not options.independent and any(one.clusters < one.n for one in found)
        yield Ranking(
            task=found[0].task,
            protocol=found[0].protocol,
            condition=found[0].condition,
            metric=found[0].metric,
            n=scores.shape[1],
            models=tuple(names[model] for model in order),
            values=tuple(float(means[model]) for model in order),
            groups=tuple(tuple(names[model] for model in group) for group in groups),
            overall=cochran_q(scores.T.astype(int)) if binary and not clustered and scores.shape[1] else None,
            pairs=tuple(found),
        )


def _common_scores(
    members: dict[tuple[str, str], PairedScores], names: Sequence[str], common: set[str]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Scores of all models on the items that all of them have, shape (models, items)."""
    rows = []
    first = names[0]
    anchor = members[first, names[1]]
    order = [item for item in anchor.items if item in common]
    rows.append(_in_order(anchor.items, anchor.base, order))
    for name in names[1:]:
        data = members[first, name]
        rows.append(_in_order(data.items, data.candidate, order))
    return np.array(rows)


def _in_order(items: Sequence[str], values: Any, order: Sequence[str]) -> list[float]:
    known = dict(zip(items, values.tolist(), strict=True))
    return [known[item] for item in order]


def table_json(table: PairedTable | None) -> dict[str, int] | None:
    """A 2x2 table under the names of the command line's contract."""
    if table is None:
        return None
    return {
        "both_right": table.both_right,
        "base_only": table.losses,
        "candidate_only": table.gains,
        "both_wrong": table.both_wrong,
    }


def comparison_json(one: Comparison) -> dict[str, Any]:
    """One comparison as `compare --json` prints it."""
    named = {test.method: test.p_value for test in one.others}
    table = one.table
    return {
        "base_model": one.base_name,
        "candidate_model": one.candidate_name,
        "task": one.task,
        "protocol": one.protocol,
        "metric": one.metric,
        "condition": one.condition,
        "subset": list(one.subset) if one.subset else None,
        "n": one.n,
        "clusters": one.clusters,
        "coverage": one.coverage,
        "table": table_json(table),
        "base": one.base,
        "candidate": one.candidate,
        "delta": one.delta,
        "ci": None if one.interval is None else [one.interval.low, one.interval.high],
        "ci_method": None if one.interval is None else one.interval.method,
        "test": CONTRACT_NAMES.get(one.test, one.test),
        "p": one.p,
        "p_midp": named.get("mcnemar-mid-p"),
        "p_exact": named.get("mcnemar-exact"),
        "p_asymptotic": named.get("mcnemar-asymptotic"),
        "p_adjusted": one.p_adjusted,
        "adjust": one.adjust,
        "mde": one.mde,
        "other_tests": {test.method: test.p_value for test in one.others if not test.method.startswith("mcnemar")},
        "lost": list(one.lost),
        "gained": list(one.gained),
        "rescored": one.rescored,
        "notes": list(one.notes),
    }


def report_json(report: ComparisonReport) -> dict[str, Any]:
    """Everything as `compare --json` prints it."""
    candidates = list(report.candidates)
    return {
        "schema": SCHEMA,
        "base": report.base,
        "candidate": candidates[0] if len(candidates) == 1 else candidates,
        "comparisons": [comparison_json(one) for one in report.comparisons],
        "rankings": [
            {
                "task": ranking.task,
                "protocol": ranking.protocol,
                "condition": ranking.condition,
                "metric": ranking.metric,
                "n": ranking.n,
                "models": [
                    {"model": name, "value": value} for name, value in zip(ranking.models, ranking.values, strict=True)
                ],
                "groups": [list(group) for group in ranking.groups],
                "overall": None
                if ranking.overall is None
                else {
                    "test": ranking.overall.method,
                    "statistic": ranking.overall.statistic,
                    "df": ranking.overall.degrees_of_freedom,
                    "p": ranking.overall.p_value,
                },
                "pairs": [comparison_json(one) for one in ranking.pairs],
            }
            for ranking in report.rankings
        ],
    }
