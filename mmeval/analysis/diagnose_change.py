"""What changed from a baseline to a candidate: answers, perception, and the split of the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmeval.analysis.diagnose_data import TaskItems, binary, both, joined
from mmeval.analysis.diagnose_findings import (
    CELLS,
    DiagnoseOptions,
    Diagnosis,
    Finding,
    limits_json,
    measure,
    missing,
    points,
    source_limits,
    wanted,
)
from mmeval.analysis.diagnose_labels import error_changes, same_cards, symmetry
from mmeval.core.errors import ComparisonError
from mmeval.stats.decomposition import perception_split
from mmeval.stats.intervals import FloatArray
from mmeval.stats.multiplicity import holm

CHANGE_LIMITS = "whether seeing or reasoning changed: the split says that"


FEW = 10
"""Items below which a rate inside a split is called too few."""


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
        other = next(((name, one, two) for name, one in base for also, two in candidate if name == also), None)
        if other is not None:
            raise ComparisonError(
                f"task {other[0]}: protocol {other[1]} on one side, {other[2]} on the other",
                remedy="run both with the same protocol",
            )
        raise ComparisonError(
            "the two runs have no task with right and wrong answers in common", remedy="run both on the same tasks"
        )
    findings: list[Finding] = []
    lacking = [
        f"task {name} ({protocol}) is in one run only and was left out"
        for name, protocol in (*base, *candidate)
        if (name, protocol) not in shared
    ]
    for key in shared:
        first, second = base[key], candidate[key]
        if not first.record.asked_alike(second.record):
            raise ComparisonError(
                f"task {key[0]}: the two runs were asked in different ways (prompt, media, decoding or what a condition does)",
                remedy="run both with one command",
            )
        same_cards(first.answers, second.answers)
        lacking += [f"{names[0]}: {note}" for note in first.answers.notes]
        by_answer = joined(first.answers, second.answers)[:2]
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
            "error-changes": error_changes,
        }
        for name, run in paired.items():
            if wanted(name, options):
                # A label is of one answer; right and wrong of an item is the mean of its answers.
                findings += run(*((first, second) if name == "answers" else by_answer), options)
        lacking += _one_sided(first, second, names)
    lacking += missing({key: candidate[key] for key in shared})
    return Diagnosis(names[1], names[0], tuple(_adjusted(findings)), tuple(lacking))


def _adjusted(findings: Sequence[Finding]) -> list[Finding]:
    """Holm's p-values over all answers, and over all perception, that were compared: tasks, conditions, sources."""
    found = list(findings)
    for analysis in ("answers", "perception-change"):
        places = [place for place, one in enumerate(found) if one.analysis == analysis and one.numbers["p"] is not None]
        adjusted = holm([found[place].numbers["p"] for place in places]).tolist() if places else []
        for place, value in zip(places, adjusted, strict=True):
            one = found[place]
            told = (
                f"; adjusted (Holm, {len(places)} tests) {value:.2g}"
                if len(places) > 1 and one.numbers["p"] < 0.05
                else ""
            )
            found[place] = replace(
                one, numbers={**one.numbers, "p_holm": float(value), "family": len(places)}, says=one.says + told
            )
    return found


def _one_sided(base: TaskItems, candidate: TaskItems, names: tuple[str, str]) -> Iterator[str]:
    """Conditions and perception sources that only one of two models has: nothing is said of their change."""
    for what, first, second in (
        ("condition", base.right, candidate.right), ("perception by", base.sources, candidate.sources),
    ):  # fmt: skip
        for known, other, model in ((first, second, names[1]), (second, first, names[0])):
            lost = [name for name in known if name not in other]
            if lost and not (what == "perception by" and set(lost) <= {*base.right, *candidate.right}):
                yield f"{base.record.name}: {model} lacks {what} {', '.join(lost)}: its change is not shown"


def _answers(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for name in base.right:
        if name in candidate.right:
            found = _change(base, candidate, base.right[name], candidate.right[name])
            if found is not None:
                numbers, says = found
                yield Finding(
                    "answers", base.record.name, {"condition": name, **numbers}, f"{name}: {says}", CHANGE_LIMITS
                )


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
                source_limits(source),
            )


def _change(
    base: TaskItems, candidate: TaskItems, first: FloatArray, second: FloatArray
) -> tuple[dict[str, Any], str] | None:
    rows = both(first, second)
    if not rows.size:
        return None
    measured = measure(first[rows], second[rows], [base.clusters[row] for row in rows])
    pair = measured.pair
    numbers = {"base": float(first[rows].mean()), "candidate": float(second[rows].mean()), **measured.json()}
    says = f"{100 * numbers['base']:.1f} % to {100 * numbers['candidate']:.1f} %, {measured.change}"
    if pair.table is not None:
        says += f" ({pair.table.losses} lost, {pair.table.gains} gained)"
    if measured.power:
        says += f"; {measured.power}"
    return numbers, says


def _labelled(
    base: TaskItems, candidate: TaskItems
) -> Iterator[tuple[str, NDArray[np.int64], tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]]:
    """Each perception source that both sides have: its name, the rows that both know, perception and answers of both."""
    right = base.right["standard"], candidate.right["standard"]
    for source, seen in base.sources.items():
        other = candidate.sources.get(source)
        if other is None:
            continue
        rows = both(seen, other, *right)
        if rows.size and binary(seen[rows], other[rows], *(values[rows] for values in right)):
            yield source, rows, (seen, other), right


def _split(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for source, rows, (seen, other), (first, second) in _labelled(base, candidate):
        found = perception_split(
            (seen[rows], first[rows]),
            (other[rows], second[rows]),
            clusters=[base.clusters[row] for row in rows],
            plan=options.plan,
        )
        terms = {
            term.name: {"estimate": term.estimate, "ci": limits_json(term.interval)}
            for term in (found.delta, *found.terms)
        }
        least = min(int((side[rows] == value).sum()) for side in (seen, other) for value in (0.0, 1.0))
        numbers = {
            "source": source, "n": int(rows.size), "terms": terms, "method": found.method, "note": found.note, "least": least,
        }  # fmt: skip
        listed = ", ".join(f"{term.name} {points(term.estimate, term.interval)}" for term in found.terms)
        says = f"by {source}: {points(found.delta.estimate, found.delta.interval)} = {listed}"
        yield Finding(
            "split",
            base.record.name,
            numbers,
            says,
            "an exact sum, not a cause: the items that each model perceives differ in difficulty"
            + (
                f"; a rate in it rests on {least} item{'' if least == 1 else 's'}, so its terms say little"
                if least < FEW
                else ""
            ),
        )


def _transitions(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    for source, rows, (seen, other), (first, second) in _labelled(base, candidate):
        before, after = (2 * (1 - p[rows]) + (1 - c[rows]) for p, c in ((seen, first), (other, second)))
        table = np.zeros((4, 4), dtype=np.int64)
        np.add.at(table, (before.astype(int), after.astype(int)), 1)
        tests = symmetry(table, before.astype(int), after.astype(int), [base.clusters[row] for row in rows])
        failures = [int(table[row].sum()) for row in (1, 3)]
        numbers = {
            "source": source, "cells": list(CELLS), "table": table.tolist(),
            "tests": tests,
            "perception_failures_mended": int(table[3, 0] + table[3, 2]), "perception_failures": failures[1],
            "reasoning_failures_mended": int(table[1, 0] + table[1, 2]), "reasoning_failures": failures[0],
        }  # fmt: skip
        says = (
            f"by {source}: of {failures[1]} failures without perception {numbers['perception_failures_mended']} are right now, of {failures[0]} with perception "
            f"{numbers['reasoning_failures_mended']}; new failures {int(table[[0, 2]][:, [1, 3]].sum())}"
        )
        limits = "conditioning on the baseline's failures alone would hide new ones, so look at both"
        yield Finding("transitions", base.record.name, numbers, says, limits)
