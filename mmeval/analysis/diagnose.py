"""Perception or reasoning: what changes when the picture does, and what a model sees when it is right or wrong.

Definitions: `docs/diagnose.md`. Every number is descriptive unless the picture itself was changed (blind, masked, …).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mmeval.analysis.diagnose_arms import arms
from mmeval.analysis.diagnose_data import TaskItems, binary, both, plain
from mmeval.analysis.diagnose_findings import (
    CELLS,
    DiagnoseOptions,
    Diagnosis,
    Finding,
    detectable,
    limits_json,
    measure,
    missing,
    percent,
    points,
    power_text,
    rates_json,
    share_json,
    source_limits,
    wanted,
)
from mmeval.analysis.diagnose_labels import agreement_text, corrected_rates, described, error_types, raters_agree
from mmeval.runs.labels import HUMAN
from mmeval.stats.clustered import cluster_difference
from mmeval.stats.decomposition import perception_rates
from mmeval.stats.equivalence import equivalence_test
from mmeval.stats.intervals import FloatArray
from mmeval.stats.repeats import share

ABLATED = ("blind", "blind-told", "blank", "black", "mean", "noise", "blur", "jpeg", "downscale")
"""Families of conditions that take the picture away, or something from it."""
BLIND = ("blind", "blind-told", "blank", "black")
"""Conditions that leave nothing of it."""
MARGIN = 0.05
"""Accuracies that differ by less are called equivalent."""


def diagnose(items: Mapping[tuple[str, str], TaskItems], model: str, options: DiagnoseOptions) -> Diagnosis:
    """Everything that one model's conditions say about each of its tasks."""
    single: dict[str, Callable[[TaskItems], Iterator[Finding]]] = {
        "no-answer": _no_answer,
        "perception": _perception,
        "error-types": error_types,
        "ablation": _ablation,
        "masking": _masking,
        "shortcut": _shortcut,
        "text-solvable": _text_solvable,
        **arms(),
    }
    findings = [
        found for task in items.values() for name, run in single.items() if wanted(name, options) for found in run(task)
    ]
    return Diagnosis(model, None, tuple(findings), tuple(missing(items)))


def _no_answer(task: TaskItems) -> Iterator[Finding]:
    task = task.answers
    counts = Counter(reason for reason in task.reasons if reason)
    total = sum(counts.values())
    numbers: dict[str, Any] = {"n": len(task.ids), "no_answer": total, "reasons": dict(counts.most_common())}
    listed = ", ".join(f"{reason} {count}" for reason, count in counts.most_common(4))
    says = f"{total} of {len(task.ids)} answers could not be read" + (f" ({listed})" if listed else "")
    failed = int(np.isnan(task.right["standard"]).sum())
    numbers["not_counted"] = failed
    if failed:
        says += f"; {failed} failed or unscored ones count nowhere"
    yield Finding(
        "no-answer", task.record.name, numbers, says, "such answers are wrong answers, but say nothing about perception"
    )


def _perception(task: TaskItems) -> Iterator[Finding]:
    task = task.answers
    right = task.right["standard"]
    for source, seen in task.sources.items():
        rows = both(right, seen)
        if not rows.size or not binary(right[rows], seen[rows]):
            continue
        labels = [task.clusters[row] for row in rows]
        rates = perception_rates(seen[rows], right[rows], labels)
        wrong = rows[right[rows] == 0]
        blamed = share(1 - seen[wrong], [task.clusters[row] for row in wrong])
        numbers: dict[str, Any] = {
            "source": source,
            **rates_json(rates),
            "failures_without_perception": share_json(blamed),
            "unknown": len(task.ids) - int(rows.size),
        }
        if source in task.judged:
            numbers["corrected"] = corrected_rates(task, seen)
        if source == HUMAN:
            numbers["agreement"] = raters_agree(task)
        if source == "two-hop":
            numbers["for_the_reader"] = described(task)
        cells = "; ".join(f"{kind} {count}" for kind, count in zip(CELLS, rates.counts, strict=True))
        says = (
            f"by {source}: {percent(rates.perceived)} perceived; right: {percent(rates.right_if_perceived)} where perceived, "
            f"{percent(rates.right_if_not)} where not; {percent(blamed)} of {len(wrong)} failures lack perception ({cells})"
        )
        if numbers.get("for_the_reader"):
            says += f"; {100 * numbers['for_the_reader']['estimate']:.1f} % described well enough, between the floor (blind) and the ceiling (exact caption) of this reader"
        missed = rates.right_if_not.interval
        if task.record.chance is not None and missed is not None and missed.low > task.record.chance:
            says += f"; more than a guess gives ({100 * task.record.chance:.0f} %) is right where not perceived: this source misses what was seen, or answers need no perception"
        if numbers.get("agreement"):
            says += agreement_text(numbers["agreement"])
        if numbers.get("corrected"):
            fixed = numbers["corrected"]
            listed = ", ".join(f"{name} {100 * fixed[name]['estimate']:.1f} %" for name in ("p", "r", "l"))
            says += f"; corrected by {fixed['labels']} labels of people: {listed}"
        elif source in task.judged:
            says += " (uncalibrated)"
        yield Finding("perception", task.record.name, numbers, says, source_limits(source))


def _ablation(task: TaskItems) -> Iterator[Finding]:
    right = task.right["standard"]
    for name, values in task.right.items():
        if name.partition(":")[0] not in ABLATED:
            continue
        rows = both(right, values)
        if not rows.size:
            continue
        pair = measure(values[rows], right[rows], [task.clusters[row] for row in rows])
        kept = None
        if binary(right[rows], values[rows]):
            good = rows[right[rows] == 1]
            kept = share(values[good], [task.clusters[row] for row in good])
        numbers = {
            "condition": name, "standard": float(right[rows].mean()), "ablated": float(values[rows].mean()), "chance": task.record.chance,
            "prior_share": None if kept is None else share_json(kept), **pair.json(),
        }  # fmt: skip
        floor = _against_chance(task, values, rows) if name in BLIND else None
        numbers["floor"] = floor
        says = (
            f"{name}: {100 * float(values[rows].mean()):.1f} % against {100 * float(right[rows].mean()):.1f} % with the picture, gain "
            f"{pair.change}"
        )
        if pair.power:
            says += f" ({pair.power})"
        if kept is not None and kept.estimate is not None:
            says += f"; {percent(kept)} of what is right with the picture is right without it"
        if floor is not None:
            verb = "equivalent to" if floor["p"] < 0.05 else "not shown to be within 5 points of"
            says += f"; {verb} the best blind guess of {100 * floor['chance']:.1f} % (TOST p = {floor['p']:.2g})"
        yield Finding(
            "ablation",
            task.record.name,
            numbers,
            says,
            "chance and prior knowledge are in both numbers; a changed picture may also confuse",
        )


def _against_chance(task: TaskItems, values: FloatArray, rows: Any) -> dict[str, Any] | None:
    """Whether accuracy without the picture is that of the best guess from the question alone, within `MARGIN` (Schuirmann's two tests)."""
    chance = task.record.chance
    if chance is None or len({task.clusters[row] for row in rows}) < 3:
        return None
    labels = [task.clusters[row] for row in rows]
    found = equivalence_test(np.full(rows.size, chance), values[rows], MARGIN, labels)
    return {"chance": chance, "margin": MARGIN, "test": found.method, "p": plain(found.p_value)}


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
    mde = detectable(trend.standard_error)
    steps = [
        {"p": dose, "accuracy": float(column.mean()), "ci": share_json(share(column, labels))["ci"]}
        for (dose, _), column in zip(ladder, values.T, strict=True)
    ]
    numbers = {
        "steps": steps,
        "slope": trend.estimate,
        "ci": limits_json(trend.interval),
        "p_value": plain(trend.p_value),
        "mde": mde,
        "n": int(rows.size),
        "chance": task.record.chance,
    }
    listed = ", ".join(f"{step['p']:g}: {100 * step['accuracy']:.1f} %" for step in steps)
    says = f"accuracy by share of masked patches {listed}; slope {points(trend.estimate, trend.interval)} per whole picture"
    says += (
        ", the same for every item"
        if trend.p_value is None or not trend.standard_error
        else f", p = {trend.p_value:.2g}"
    )
    power = power_text(trend.p_value, mde) if trend.standard_error else ""
    if power:
        says += f" ({power})"
    yield Finding(
        "masking",
        task.record.name,
        numbers,
        says,
        "a straight line through the strengths; masks are visible objects too",
    )


def _shortcut(task: TaskItems) -> Iterator[Finding]:
    task = task.answers
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
        "lsr": share_json(rate),
        "of_right": share_json(among),
        "n": int(rows.size),
        "not_applicable": len(task.ids) - int(rows.size),
    }
    says = f"right although the own description does not suffice: {percent(rate)} of all items, {percent(among)} of the right ones"
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
        "accuracy_of_the_rest": share_json(value),
        "chance": task.record.chance,
    }
    says = f"{rows.size - rest.size} of {rows.size} items are answered rightly without the picture; accuracy on the others {percent(value)}"
    yield Finding(
        "text-solvable",
        task.record.name,
        numbers,
        says,
        "chosen by this very model's answers, lucky guesses among them: not an unbiased score",
    )
