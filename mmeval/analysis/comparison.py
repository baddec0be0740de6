"""Is the candidate better than the baseline, or is it noise: the comparisons behind `mmeval compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from mmeval.analysis.paired_scores import PairedScores
from mmeval.analysis.pairing import PairingOptions, RowTables, Side, pair_runs
from mmeval.core.errors import ComparisonError, unknown
from mmeval.metrics import Units, get_metric
from mmeval.stats.intervals import Interval
from mmeval.stats.multiplicity import adjust, ranking_groups
from mmeval.stats.paired import PairedTable, mcnemar_asymptotic, mcnemar_exact, mcnemar_mid_p
from mmeval.stats.pairs import Resampling
from mmeval.stats.power import DEFAULT_AIM
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
    """Items, or groups of them for metrics of groups."""
    unit: str
    """What `n`, lost and gained count."""
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
    tables = RowTables()
    paired = {other.label: pair_runs(base, other, options.pairing, tables) for other in candidates}
    _check_columns(options.by, [data for found in paired.values() for data in found])
    whole = [_compare(base.label, label, data, None, options) for label, found in paired.items() for data in found]
    parts = [
        _compare(base.label, label, part, subset, options)
        for label, found in paired.items()
        for data in found
        for subset, part in _subsets(data, options.by)
    ]
    comparisons = [*_adjusted(whole, "holm"), *_adjusted(parts, "benjamini-hochberg")]
    rankings = _rankings(sides, options, paired, tables) if len(sides) > 2 else ()
    return ComparisonReport(base.label, tuple(other.label for other in candidates), tuple(comparisons), tuple(rankings))


def _compare(
    base: str, candidate: str, data: PairedScores, subset: tuple[str, str] | None, options: ComparisonOptions
) -> Comparison:
    values = data.values()
    if values is None:
        raise ComparisonError(
            f"task {data.task}: metric {data.metric} is undefined (0/0) on these items",
            remedy="compare by another --metric",
        )
    pair = data.pair(options.independent)
    found = pair.compare(options.level, Resampling(options.resamples, options.seed))
    difference = found.difference
    table = found.table if data.binary else None
    others = found.others
    if table is not None:
        mcnemar = (mcnemar_mid_p(table), mcnemar_exact(table), mcnemar_asymptotic(table))
        others = (*mcnemar, *(test for test in others if not test.method.startswith("mcnemar")))
    lost, gained = data.moved()
    return Comparison(
        base_name=base,
        candidate_name=candidate,
        task=data.task,
        protocol=data.protocol,
        metric=data.metric,
        condition=data.condition,
        subset=subset,
        n=pair.n,
        unit=data.units[0].kind,
        clusters=pair.n if options.independent else len(set(data.clusters)),
        coverage=data.coverage,
        table=table,
        base=values[0],
        candidate=values[1],
        delta=difference.estimate,
        interval=difference.interval,
        test=difference.method,
        p=1.0 if difference.p_value is None else difference.p_value,
        others=others,
        mde=pair.detectable(DEFAULT_AIM),
        lost=lost,
        gained=gained,
        rescored=data.rescored,
        notes=tuple(note for note in (*data.notes, difference.note) if note),
    )


def _subsets(data: PairedScores, columns: Sequence[str]) -> Iterator[tuple[tuple[str, str], PairedScores]]:
    chosen = data.columns if "all" in columns else [name for name in data.columns if name in columns]
    for subset, part in data.parts(chosen):
        # A metric may be undefined in a subset (an F1 without a yes): nothing to compare there.
        if len(part.items) >= MINIMUM_SUBSET and part.values() is not None:
            yield subset, part


def _check_columns(columns: Sequence[str], paired: Sequence[PairedScores]) -> None:
    known = {column for data in paired for column in data.columns}
    for column in columns:
        if column != "all" and column not in known:
            raise unknown("subset column", column, sorted(known))


def _adjusted(found: Sequence[Comparison], method: Literal["holm", "benjamini-hochberg"]) -> list[Comparison]:
    if not found:
        return []
    values = adjust([one.p for one in found], method)
    return [replace(one, p_adjusted=float(p), adjust=method) for one, p in zip(found, values, strict=True)]


def _rankings(
    models: Sequence[Side], options: ComparisonOptions, leading: Mapping[str, list[PairedScores]], tables: RowTables
) -> Iterator[Ranking]:
    """Rank all models on each task and condition; `leading` are the pairs of the first model with each other one."""
    from mmeval.stats.categorical import cochran_q

    # Only the pairs with the first model are needed as data; of the others the comparison is kept.
    leads: dict[tuple[str, str], dict[str, PairedScores]] = {}
    pairs: dict[tuple[str, str], list[Comparison]] = {}
    for first, second in combinations(models, 2):
        lead = first is models[0]
        for data in leading[second.label] if lead else pair_runs(first, second, options.pairing, tables):
            place = (data.task, data.condition)
            if lead:
                leads.setdefault(place, {})[second.label] = data
            pairs.setdefault(place, []).append(_compare(first.label, second.label, data, None, options))
    for place, members in leads.items():
        if len(pairs[place]) < len(models) * (len(models) - 1) // 2:
            continue  # not every model was asked this
        found = _adjusted(pairs[place], "holm")
        names = [side.label for side in models]
        common = set.intersection(*(set(data.items) for data in members.values()))
        sides = _common_units(members, names, common)
        values = [side.value for side in sides]
        if any(value is None for value in values):
            continue  # undefined on the items that all have
        matrix = np.ones((len(names), len(names)))
        for one in found:
            i, j = names.index(one.base_name), names.index(one.candidate_name)
            matrix[i, j] = matrix[j, i] = one.p_adjusted
        means = np.array(values, dtype=np.float64)
        groups = ranking_groups(means if get_metric(found[0].metric).better == "higher" else -means, matrix)
        order = [model for group in groups for model in group]
        binary = all(one.table is not None for one in found)
        scores = np.array([side.values for side in sides])
        clustered = not options.independent and any(one.clusters < one.n for one in found)
        yield Ranking(
            task=found[0].task,
            protocol=found[0].protocol,
            condition=found[0].condition,
            metric=found[0].metric,
            n=int(sides[0].ids.size),
            models=tuple(names[model] for model in order),
            values=tuple(float(means[model]) for model in order),
            groups=tuple(tuple(names[model] for model in group) for group in groups),
            overall=cochran_q(scores.T.astype(int)) if binary and not clustered and scores.size else None,
            pairs=tuple(found),
        )


def _common_units(members: Mapping[str, PairedScores], names: Sequence[str], common: set[str]) -> list[Units]:
    """The units that all models have, of each model, in one order; `members` are the pairs with the first model."""
    anchor = members[names[1]]
    order = [item for item in anchor.items if item in common]
    return [_in_order(anchor, 0, order), *(_in_order(members[name], 1, order) for name in names[1:])]


def _in_order(data: PairedScores, side: int, order: Sequence[str]) -> Units:
    known = {item: place for place, item in enumerate(data.items)}
    return data.units[side].select(np.array([known[item] for item in order], dtype=np.int64))


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
        "unit": one.unit,
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
