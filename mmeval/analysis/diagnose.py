"""Perception or reasoning: what changes when the picture does, and what a model sees when it is right or wrong.

Definitions: `docs/diagnose.md`. Every number is descriptive unless the picture itself was changed (blind, masked, …).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmeval.analysis.diagnose_data import TaskItems, binary, both, joined, plain
from mmeval.core.errors import ComparisonError
from mmeval.stats.categorical import bowker, stuart_maxwell
from mmeval.stats.clustered import cluster_difference
from mmeval.stats.comparison import PairedComparison, compare_paired
from mmeval.stats.decomposition import PerceptionRates, perception_rates, perception_split
from mmeval.stats.intervals import FloatArray, Interval
from mmeval.stats.paired import mcnemar_exact
from mmeval.stats.power import minimum_detectable_effect
from mmeval.stats.repeats import Share, share
from mmeval.stats.resampling import BootstrapPlan

ABLATED = ("blind", "blind-told", "blank", "black", "mean", "noise", "blur", "jpeg", "downscale")
"""Families of conditions that take the picture away, or something from it."""
CELLS = ("perceived, right", "perceived, wrong", "not perceived, right", "not perceived, wrong")


@dataclass(frozen=True, slots=True)
class Finding:
    """One analysis of one task."""

    analysis: str
    task: str
    numbers: Mapping[str, Any]
    """JSON; shares in [0, 1], intervals as [low, high]."""
    says: str
    """What it shows, in one sentence."""
    limits: str
    """What it does not show."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, and what could not be computed."""

    model: str
    base: str | None
    findings: tuple[Finding, ...]
    missing: tuple[str, ...] = ()
    """What is lacking, with the remedy."""


@dataclass(frozen=True, slots=True)
class DiagnoseOptions:
    """How to diagnose."""

    only: tuple[str, ...] = ()
    """Names of analyses; all when empty."""
    plan: BootstrapPlan = field(default_factory=lambda: BootstrapPlan(resamples=2000))


def diagnose(items: Mapping[tuple[str, str], TaskItems], model: str, options: DiagnoseOptions) -> Diagnosis:
    """Everything that one model's conditions say about each of its tasks."""
    single: dict[str, Callable[[TaskItems], Iterator[Finding]]] = {
        "no-answer": _no_answer,
        "perception": _perception,
        "ablation": _ablation,
        "masking": _masking,
        "shortcut": _shortcut,
        "text-solvable": _text_solvable,
    }
    findings = [
        found
        for task in items.values()
        for name, run in single.items()
        if _wanted(name, options)
        for found in run(task)
    ]
    return Diagnosis(model, None, tuple(findings), tuple(_missing(items)))


def diagnose_against(
    base: Mapping[tuple[str, str], TaskItems],
    candidate: Mapping[tuple[str, str], TaskItems],
    names: tuple[str, str],
    options: DiagnoseOptions,
) -> Diagnosis:
    """What changed from a baseline to a candidate on the same items.

    Raises:
        ComparisonError: no task in common, other items, or another way of asking.
    """
    shared = [key for key in base if key in candidate]
    if not shared:
        raise ComparisonError(
            "the two runs have no task with right and wrong answers in common", remedy="run both on the same tasks"
        )
    findings: list[Finding] = []
    for key in shared:
        first, second = base[key], candidate[key]
        if first.record.ask_digest != second.record.ask_digest:
            raise ComparisonError(
                f"task {key[0]}: the two runs were asked in different ways (prompt, media, decoding or conditions)",
                remedy="run both with one command",
            )
        first, second, alone = joined(first, second)
        if alone or not first.ids:
            raise ComparisonError(
                f"task {key[0]}: {alone} items are in one run only",
                remedy="run both with the same --limit, --seed and data",
            )
        paired: dict[str, Callable[[TaskItems, TaskItems, DiagnoseOptions], Iterator[Finding]]] = {
            "answers": _answers,
            "perception-change": _perception_change,
            "split": _split,
            "transitions": _transitions,
        }
        for name, run in paired.items():
            if _wanted(name, options):
                findings += run(first, second, options)
    return Diagnosis(names[1], names[0], tuple(findings), tuple(_missing({key: candidate[key] for key in shared})))


ANALYSES = (
    "no-answer", "perception", "ablation", "masking", "shortcut", "text-solvable", "answers", "perception-change", "split", "transitions",
)  # fmt: skip


def _wanted(name: str, options: DiagnoseOptions) -> bool:
    return not options.only or name in options.only


def _missing(items: Mapping[tuple[str, str], TaskItems]) -> Iterator[str]:
    present = {name for task in items.values() for name in task.right}
    if not any(task.sources for task in items.values()):
        yield "no perception labels: add --condition checklist (tasks with visual facts) or two-hop, or --labels FILE.csv of people"
    wanted = {"blind": "what is answered without the picture", "two-hop": "whether the own description suffices"}
    for name, why in wanted.items():
        if name not in present:
            yield f"condition {name} was not run ({why}): add --condition {name} to the same command"
    if sum(name.startswith("mask:") for name in present) < 2:
        yield "fewer than two strengths of masking were run: add --condition mask:0.2 --condition mask:0.5 --condition mask:0.8"


def _no_answer(task: TaskItems) -> Iterator[Finding]:
    counts = Counter(reason for reason in task.reasons if reason)
    total = sum(counts.values())
    numbers = {"n": len(task.ids), "no_answer": total, "reasons": dict(counts.most_common())}
    listed = ", ".join(f"{reason} {count}" for reason, count in counts.most_common(4))
    says = f"{total} of {len(task.ids)} answers could not be read" + (f" ({listed})" if listed else "")
    yield Finding(
        "no-answer", task.record.name, numbers, says, "such answers are wrong answers, but say nothing about perception"
    )


def _perception(task: TaskItems) -> Iterator[Finding]:
    right = task.right["standard"]
    for source, seen in task.sources.items():
        rows = both(right, seen)
        if not rows.size or not binary(right[rows], seen[rows]):
            continue
        labels = [task.clusters[row] for row in rows]
        rates = perception_rates(seen[rows], right[rows], labels)
        wrong = rows[right[rows] == 0]
        blamed = share(1 - seen[wrong], [task.clusters[row] for row in wrong])
        numbers = {
            "source": source,
            **_rates(rates),
            "failures_without_perception": _share(blamed),
            "unknown": len(task.ids) - int(rows.size),
        }
        cells = rates.counts
        says = (
            f"by {source}: {_percent(rates.perceived)} perceived; right {_percent(rates.right_if_perceived)} where perceived, "
            f"{_percent(rates.right_if_not)} where not; {_percent(blamed)} of {len(wrong)} failures lack perception ({'/'.join(map(str, cells))})"
        )
        yield Finding("perception", task.record.name, numbers, says, _source_limits(source))


def _source_limits(source: str) -> str:
    if source == "two-hop":
        return "a description can lack what was seen, and can be used badly: a failure here is not proof that the picture was not perceived"
    if source == "checklist":
        return "perceived means that every listed fact was answered rightly; what is not listed is not tested, and items that are perceived are easier ones"
    return "labels of people; how they were drawn and how far two people agree decides what they are worth"


def _ablation(task: TaskItems) -> Iterator[Finding]:
    right = task.right["standard"]
    for name, values in task.right.items():
        if name.partition(":")[0] not in ABLATED:
            continue
        rows = both(right, values)
        if not rows.size:
            continue
        pair = compare_paired(values[rows], right[rows], [task.clusters[row] for row in rows])
        kept = None
        if binary(right[rows], values[rows]):
            good = rows[right[rows] == 1]
            kept = share(values[good], [task.clusters[row] for row in good])
        numbers = {
            "condition": name, "standard": float(right[rows].mean()), "ablated": float(values[rows].mean()), "chance": task.record.chance,
            "prior_share": None if kept is None else _share(kept), **_difference(pair),
        }  # fmt: skip
        says = (
            f"{name}: {100 * float(values[rows].mean()):.1f} % against {100 * float(right[rows].mean()):.1f} % with the picture, gain "
            f"{_points(pair.difference.estimate, pair.difference.interval)}"
        )
        if kept is not None and kept.estimate is not None:
            says += f"; {_percent(kept)} of what is right with the picture is right without it"
        yield Finding(
            "ablation",
            task.record.name,
            numbers,
            says,
            "chance and prior knowledge are in both numbers; a changed picture may also confuse",
        )


def _masking(task: TaskItems) -> Iterator[Finding]:
    doses = sorted((float(name.partition(":")[2]), name) for name in task.right if name.startswith("mask:"))
    ladder = [(0.0, "standard"), *doses]
    rows = both(*(task.right[name] for _, name in ladder))
    if len(doses) < 2 or not rows.size:
        return
    strengths = np.array([dose for dose, _ in ladder])
    values = np.stack([task.right[name][rows] for _, name in ladder], axis=1)
    weights = (strengths - strengths.mean()) / float(((strengths - strengths.mean()) ** 2).sum())
    slopes: FloatArray = values @ weights
    labels = [task.clusters[row] for row in rows]
    trend = cluster_difference(np.zeros_like(slopes), slopes, labels)
    steps = [{"p": dose, "accuracy": float(column.mean())} for (dose, _), column in zip(ladder, values.T, strict=True)]
    numbers = {
        "steps": steps,
        "slope": trend.estimate,
        "ci": _limits(trend.interval),
        "p_value": plain(trend.p_value),
        "n": int(rows.size),
        "chance": task.record.chance,
    }
    listed = ", ".join(f"{step['p']:g}: {100 * step['accuracy']:.0f} %" for step in steps)
    says = f"accuracy by share of masked patches {listed}; slope {_points(trend.estimate, trend.interval)} per whole picture (p = {trend.p_value:.2g})"
    yield Finding(
        "masking",
        task.record.name,
        numbers,
        says,
        "a straight line through the strengths; masks are visible objects too",
    )


def _shortcut(task: TaskItems) -> Iterator[Finding]:
    if "two-hop" not in task.right:
        return
    right, contained = task.right["standard"], task.right["two-hop"]
    rows = both(right, contained)
    if not rows.size or not binary(right[rows], contained[rows]):
        return
    labels = [task.clusters[row] for row in rows]
    shortcut = ((right[rows] == 1) & (contained[rows] == 0)).astype(float)
    rate = share(shortcut, labels)
    good = rows[right[rows] == 1]
    among = share(1 - contained[good], [task.clusters[row] for row in good])
    numbers = {
        "lsr": _share(rate),
        "of_right": _share(among),
        "n": int(rows.size),
        "not_applicable": len(task.ids) - int(rows.size),
    }
    says = f"right although the own description does not suffice: {_percent(rate)} of all items, {_percent(among)} of the right ones"
    yield Finding(
        "shortcut",
        task.record.name,
        numbers,
        says,
        "the reader of the description is the same model; a weak reader raises the rate",
    )


def _text_solvable(task: TaskItems) -> Iterator[Finding]:
    blind = task.right.get("blind")
    if blind is None:
        return
    right = task.right["standard"]
    rows = both(right, blind)
    rest = rows[blind[rows] < 0.5]
    if not rows.size or not rest.size:
        return
    value = share(right[rest], [task.clusters[row] for row in rest])
    numbers = {
        "n": int(rows.size),
        "right_blind": int(rows.size - rest.size),
        "accuracy_of_the_rest": _share(value),
        "chance": task.record.chance,
    }
    says = f"{rows.size - rest.size} of {rows.size} items are answered rightly without the picture; accuracy on the others {_percent(value)}"
    yield Finding(
        "text-solvable",
        task.record.name,
        numbers,
        says,
        "chosen by this very model's answers, lucky guesses among them: not an unbiased score",
    )


def _answers(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for name in base.right:
        if name in candidate.right:
            found = _change(base, candidate, base.right[name], candidate.right[name])
            if found is not None:
                numbers, says = found
                yield Finding("answers", base.record.name, {"condition": name, **numbers}, f"{name}: {says}", "")


def _perception_change(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for source, seen in base.sources.items():
        other = candidate.sources.get(source)
        found = None if other is None else _change(base, candidate, seen, other)
        if found is not None:
            numbers, says = found
            yield Finding(
                "perception-change",
                base.record.name,
                {"source": source, **numbers},
                f"perceived by {source}: {says}",
                _source_limits(source),
            )


def _change(
    base: TaskItems, candidate: TaskItems, first: FloatArray, second: FloatArray
) -> tuple[dict[str, Any], str] | None:
    rows = both(first, second)
    if not rows.size:
        return None
    pair = compare_paired(first[rows], second[rows], [base.clusters[row] for row in rows])
    numbers = {"base": float(first[rows].mean()), "candidate": float(second[rows].mean()), **_difference(pair)}
    says = f"{100 * numbers['base']:.1f} % to {100 * numbers['candidate']:.1f} %, {_points(pair.difference.estimate, pair.difference.interval)}, p = {pair.difference.p_value:.2g}"
    if pair.table is not None:
        says += f" ({pair.table.losses} lost, {pair.table.gains} gained)"
    if pair.difference.p_value is not None and pair.difference.p_value >= 0.05 and numbers["mde"] is not None:
        says += f"; nothing below {100 * numbers['mde']:.1f} points could have been found"
    return numbers, says


def _split(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for source, seen in base.sources.items():
        other = candidate.sources.get(source)
        if other is None:
            continue
        first, second = base.right["standard"], candidate.right["standard"]
        rows = both(seen, other, first, second)
        if not rows.size or not binary(seen[rows], other[rows], first[rows], second[rows]):
            continue
        found = perception_split(
            (seen[rows], first[rows]),
            (other[rows], second[rows]),
            clusters=[base.clusters[row] for row in rows],
            plan=options.plan,
        )
        terms = {
            term.name: {"estimate": term.estimate, "ci": _limits(term.interval)} for term in (found.delta, *found.terms)
        }
        numbers = {"source": source, "n": int(rows.size), "terms": terms, "method": found.method, "note": found.note}
        listed = ", ".join(f"{term.name} {_points(term.estimate, term.interval)}" for term in found.terms)
        says = f"by {source}: {_points(found.delta.estimate, found.delta.interval)} = {listed}"
        yield Finding(
            "split",
            base.record.name,
            numbers,
            says,
            "an exact sum, not a cause: the items that each model perceives differ in difficulty",
        )


def _transitions(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for source, seen in base.sources.items():
        other = candidate.sources.get(source)
        if other is None:
            continue
        first, second = base.right["standard"], candidate.right["standard"]
        rows = both(seen, other, first, second)
        if not rows.size or not binary(seen[rows], other[rows], first[rows], second[rows]):
            continue
        before, after = (2 * (1 - p[rows]) + (1 - c[rows]) for p, c in ((seen, first), (other, second)))
        table = np.zeros((4, 4), dtype=np.int64)
        np.add.at(table, (before.astype(int), after.astype(int)), 1)
        tests = [bowker(table), stuart_maxwell(table)]
        failures = [int(table[row].sum()) for row in (1, 3)]
        numbers = {
            "source": source, "cells": list(CELLS), "table": table.tolist(),
            "tests": [{"test": test.method, "p": plain(test.p_value)} for test in tests],
            "perception_failures_mended": int(table[3, 0] + table[3, 2]), "perception_failures": failures[1],
            "reasoning_failures_mended": int(table[1, 0] + table[1, 2]), "reasoning_failures": failures[0],
        }  # fmt: skip
        says = (
            f"by {source}: of {failures[1]} failures without perception {numbers['perception_failures_mended']} are right now, of {failures[0]} with perception "
            f"{numbers['reasoning_failures_mended']}; new failures {int(table[[0, 2]][:, [1, 3]].sum())}"
        )
        limits = "conditioning on the baseline's failures alone would hide new ones; items are taken as independent in these two tests"
        yield Finding("transitions", base.record.name, numbers, says, limits)


def _difference(pair: PairedComparison) -> dict[str, Any]:
    difference, table = pair.difference, pair.table
    mde = None
    if table is not None and table.n:
        mde = minimum_detectable_effect(table.n, (table.losses + table.gains) / table.n)
    return {
        "delta": difference.estimate, "ci": _limits(difference.interval), "test": difference.method, "p": plain(difference.p_value),
        "p_exact": None if table is None else mcnemar_exact(table).p_value, "n": difference.n, "clusters": difference.clusters,
        "table": None if table is None else [table.both_right, table.losses, table.gains, table.both_wrong], "mde": mde,
    }  # fmt: skip


def _rates(rates: PerceptionRates) -> dict[str, Any]:
    return {
        "p": _share(rates.perceived), "r": _share(rates.right_if_perceived), "l": _share(rates.right_if_not),
        "lucky": _share(rates.lucky), "counts": dict(zip(CELLS, rates.counts, strict=True)),
    }  # fmt: skip


def _share(value: Share) -> dict[str, Any]:
    return {"estimate": value.estimate, "ci": _limits(value.interval), "n": value.n}


def _limits(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _percent(value: Share) -> str:
    if value.estimate is None or value.interval is None:
        return "no item"
    return f"{100 * value.estimate:.1f} % [{100 * value.interval.low:.1f}, {100 * value.interval.high:.1f}]"


def _points(estimate: float, interval: Interval | None) -> str:
    limits = "" if interval is None else f" [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
    return f"{100 * estimate:+.1f}{limits}"


def to_json(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON."""
    return [
        {"analysis": one.analysis, "task": one.task, **one.numbers, "says": one.says, "limits": one.limits}
        for one in found
    ]
