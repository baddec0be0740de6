"""Do two judges say the same about the same answers: the numbers behind `mmeval judge agree`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mmeval.analysis.judge_rows import Column, JudgedRow, check_grades, common_column, judged_rows, members
from mmeval.core.errors import ComparisonError, UsageError
from mmeval.runs.folder import Run
from mmeval.stats.agreement import DEFAULT_PLAN, Agreement, AgreementReport, agreement_report
from mmeval.stats.comparison import compare_paired
from mmeval.stats.resampling import BootstrapPlan
from mmeval.stats.results import Difference

SCHEMA = 1
Verdict: TypeAlias = float | str
Key: TypeAlias = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class AgreementOptions:
    """How to compare two judges."""

    allow_missing: bool = False
    """Leave out answers that one side alone has, whose texts differ or that one side has no verdict on."""
    tasks: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    column: Column | None = None
    """Where the verdicts stand; None takes `correct`, or `score` where some row has grades alone."""
    plan: BootstrapPlan = DEFAULT_PLAN


@dataclass(frozen=True, slots=True)
class GroupAgreement:
    """The verdicts on one task under one condition, on a subset of it, or on everything."""

    task: str | None
    """None for all tasks together."""
    condition: str | None
    subset: tuple[str, str] | None
    n: int
    """Answers with two verdicts."""
    clusters: int
    confusion: tuple[tuple[Verdict, Verdict, int], ...]
    """Verdict of the first judge, of the second, and how often."""
    report: AgreementReport
    bias: Difference | None
    """Mean verdict of the second judge minus that of the first; None for verdicts that are no numbers."""


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """Everything that `mmeval judge agree` says."""

    first: str
    second: str
    column: Column
    scale: Literal["nominal", "interval"]
    level: float
    groups: tuple[GroupAgreement, ...]
    left_out: dict[str, int]
    """Answers that are not in the comparison, by reason."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    first: JudgedRow
    second: JudgedRow


def judge_agreement(runs: tuple[Run, Run], labels: tuple[str, str], options: AgreementOptions) -> JudgeAgreement:
    """Compare the verdicts of two runs that score the same answers.

    Args:
        runs: the two sides; rows join on item, condition and repeat, and on the model where a side holds several.
        labels: what to call them.
        options: how.

    Raises:
        ComparisonError: other answers or missing verdicts, unless allowed; nothing in common.
        UsageError: unknown task or subset column, one task under two protocols, too many different grades.
    """
    sides = [judged_rows(run, options.tasks) for run in runs]
    named = any(len({row.model for row in rows}) > 1 for rows in sides)
    indexed = [_index(rows, named, label) for rows, label in zip(sides, labels, strict=True)]
    joined = {key: _Pair(row, indexed[1][key]) for key, row in indexed[0].items() if key in indexed[1]}
    column = options.column or common_column(row for rows in sides for row in rows)
    kept, left_out = _kept(joined, column)
    left_out = {
        f"in {labels[0]} only": len(indexed[0]) - len(joined),
        f"in {labels[1]} only": len(indexed[1]) - len(joined),
        **left_out,
    }
    left_out = {reason: count for reason, count in left_out.items() if count}
    _check(left_out, kept, joined, options)
    values = [value for pair in kept for value in _verdicts(pair, column)]
    check_grades(values)
    numbers = [value for value in values if isinstance(value, float)]
    nominal = len(numbers) < len(values) or set(numbers) <= {0.0, 1.0}
    scale: Literal["nominal", "interval"] = "nominal" if nominal else "interval"
    groups = _groups(kept, column, scale, options)
    notes = [f"{count} answers left out: {reason}" for reason, count in left_out.items()]
    if not any(pair.first.response or pair.second.response for pair in kept):
        notes.append(
            "no run holds the answers' texts, so nobody can check that the verdicts are about the same answers"
        )
    protocols = sorted({(pair.first.protocol, pair.second.protocol) for pair in kept})
    notes += [f"protocol {a} against {b}" for a, b in protocols if a != b]
    return JudgeAgreement(*labels, column, scale, options.plan.level, tuple(groups), left_out, tuple(notes))


def _index(rows: Sequence[JudgedRow], named: bool, label: str) -> dict[Key, JudgedRow]:
    found: dict[Key, JudgedRow] = {}
    for row in rows:
        key = (row.model if named else "", row.task, row.condition, row.item, row.repeat)
        other = found.setdefault(key, row)
        if other is not row:
            reason = (
                f"under the protocols {other.protocol} and {row.protocol}"
                if other.protocol != row.protocol
                else f"as samples {other.sample!r} and {row.sample!r}"
            )
            raise UsageError(
                f"{label} holds one answer to {row.task} twice, {reason}",
                remedy="give runs that hold every answer once",
            )
    return found


def _verdicts(pair: _Pair, column: Column) -> list[Verdict]:
    found = (pair.first.value(column), pair.second.value(column))
    return [value for value in found if value is not None]


def _kept(joined: dict[Key, _Pair], column: Column) -> tuple[list[_Pair], dict[str, int]]:
    kept: list[_Pair] = []
    counts: Counter[str] = Counter()
    for key in sorted(joined):
        pair = joined[key]
        texts = (pair.first.response, pair.second.response)
        if len(_verdicts(pair, column)) < 2:
            counts[f"no verdict ({column}) on one side or both"] += 1
        elif texts[0] != texts[1]:
            counts["the texts of the answers differ" if all(texts) else "one side has no text of the answer"] += 1
        else:
            kept.append(pair)
    return kept, dict(sorted(counts.items()))


def _check(
    left_out: dict[str, int], kept: Sequence[_Pair], joined: dict[Key, _Pair], options: AgreementOptions
) -> None:
    if kept and (options.allow_missing or not left_out):
        return
    told = "; ".join(f"{reason}: {count}" for reason, count in left_out.items())
    different = next((pair.first for pair in joined.values() if pair.first.response != pair.second.response), None)
    example = f" (e.g. {different.task}, sample {different.sample!r})" if different is not None else ""
    if not kept:
        raise ComparisonError(
            f"the two runs have no verdicts on the same answers: {told or 'no rows'}{example}",
            remedy="give two runs that score the same responses (`mmeval import` or a run of the same model scored twice)",
        )
    raise ComparisonError(
        f"the two runs do not hold verdicts on the same answers: {told}{example}",
        remedy="score the same responses on both sides, or add --allow-missing to use what both have",
    )


def _groups(
    pairs: Sequence[_Pair], column: Column, scale: Literal["nominal", "interval"], options: AgreementOptions
) -> list[GroupAgreement]:
    parts: dict[tuple[str, str], list[_Pair]] = {}
    for pair in pairs:
        parts.setdefault((pair.first.task, pair.first.condition), []).append(pair)
    found = []
    if len(parts) > 1:
        found.append(_group((None, None, None), pairs, column, scale, options.plan))
    # Checked on everything, so that a column of one task is no error on the others.
    members([pair.first.subsets for pair in pairs], options.by)
    for (task, condition), part in sorted(parts.items(), key=lambda entry: (entry[0][0], entry[0][1] != "standard")):
        found.append(_group((task, condition, None), part, column, scale, options.plan))
        subsets = [pair.first.subsets for pair in part]
        known = {name for one in subsets for name, _ in one}
        for subset, rows in members(subsets, [name for name in options.by if name in known or name == "all"]).items():
            chosen = [part[row] for row in rows]
            found.append(_group((task, condition, subset), chosen, column, scale, options.plan))
    return found


def _group(
    place: tuple[str | None, str | None, tuple[str, str] | None],
    pairs: Sequence[_Pair],
    column: Column,
    scale: Literal["nominal", "interval"],
    plan: BootstrapPlan,
) -> GroupAgreement:
    ratings = [tuple(_verdicts(pair, column)) for pair in pairs]
    clusters = [pair.first.cluster for pair in pairs]
    report = agreement_report(ratings, scale, categories=_categories(ratings), clusters=clusters, plan=plan)
    counts = Counter(ratings)
    numbers = [[float(value) for value in rating if not isinstance(value, str)] for rating in ratings]
    bias = None
    if all(len(rating) == 2 for rating in numbers):
        bias = compare_paired(
            [rating[0] for rating in numbers],
            [rating[1] for rating in numbers],
            clusters,
            level=plan.level,
            seed=plan.seed,
        ).difference
    confusion = tuple((a, b, counts[a, b]) for a, b in sorted(counts, key=lambda cell: tuple(map(_order, cell))))
    return GroupAgreement(*place, len(pairs), len(set(clusters)), confusion, report, bias)


def _categories(ratings: Sequence[tuple[Verdict, ...]]) -> list[Verdict]:
    used = {value for rating in ratings for value in rating}
    # Right and wrong are the two possible verdicts even where one of them never came.
    return sorted(used | ({0.0, 1.0} if used <= {0.0, 1.0} else set()), key=_order)


def _order(value: Verdict) -> tuple[str, float, str]:
    return ("text", 0.0, value) if isinstance(value, str) else ("", value, "")


def agreement_json(found: JudgeAgreement) -> dict[str, Any]:
    """Everything as `judge agree --json` prints it."""
    return {
        "schema": SCHEMA,
        "kind": "judge-agreement",
        "first": found.first,
        "second": found.second,
        "column": found.column,
        "scale": found.scale,
        "level": found.level,
        "left_out": found.left_out,
        "notes": list(found.notes),
        "groups": [_group_json(group) for group in found.groups],
    }


def _group_json(group: GroupAgreement) -> dict[str, Any]:
    bias = group.bias
    return {
        "task": group.task,
        "condition": group.condition,
        "subset": list(group.subset) if group.subset else None,
        "n": group.n,
        "clusters": group.clusters,
        "confusion": [{"first": a, "second": b, "count": count} for a, b, count in group.confusion],
        "coefficients": {one.name: coefficient_json(one) for one in group.report.coefficients},
        "bias": None
        if bias is None
        else {
            "estimate": bias.estimate,
            "ci": None if bias.interval is None else [bias.interval.low, bias.interval.high],
            "test": bias.method,
            "p": bias.p_value,
        },
        "note": group.report.note,
    }


def coefficient_json(one: Agreement) -> dict[str, Any]:
    """One agreement coefficient."""
    return {
        "estimate": one.estimate,
        "ci": None if one.interval is None else [one.interval.low, one.interval.high],
        "ci_method": None if one.interval is None else one.interval.method,
        "observed": one.observed,
        "expected": one.expected,
        "note": one.note,
    }
