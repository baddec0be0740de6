"""Designed contrasts between conditions on the same items: other pictures, hidden places, crops, captions, hints, forms, versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mmeval.analysis.diagnose_data import TaskItems, both
from mmeval.analysis.diagnose_findings import Finding, measure
from mmeval.stats.intervals import FloatArray

SHUFFLED = "shuffled:"
DESCRIBERS = ("described-by:", "captioned-by:")


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two conditions, and what their difference is called."""

    name: str
    first: str
    second: str
    says: str
    """What the difference, second minus first, is about."""


REGION = (
    Contrast("drop_region", "hide-region", "standard", "what the gold boxes carry"),
    Contrast("drop_elsewhere", "hide-elsewhere", "standard", "what as much elsewhere carries"),
    Contrast("localised", "hide-region", "hide-elsewhere", "what is due to the place"),
)
CROP = (
    Contrast("gain_crop", "standard", "crop", "what showing the gold boxes alone, larger, gives"),
    Contrast("gain_elsewhere", "standard", "crop-elsewhere", "what another window as large gives"),
    Contrast("place", "crop-elsewhere", "crop", "what is due to the place"),
    Contrast("gain_own", "standard", "crop-own", "what looking again at a place of its own choice gives the model"),
)
CAPTIONS = (
    Contrast(
        "oracle_gain",
        "standard",
        "caption-exact",
        "headroom of perception, as far as captions tell",
    ),
    Contrast("description_gap", "two-hop", "caption-exact", "what the own description lacks"),
    Contrast("question_gain", "caption", "two-hop", "what knowing the question gives the describer"),
    Contrast(
        "integration_gap",
        "two-hop",
        "standard",
        "what seeing the picture while answering gives over the own description",
    ),
    Contrast("floor", "blind", "caption-exact", "what the exact caption gives over the question alone"),
)
HINTS = (
    Contrast("where", "standard", "hint-boxes", "what being told where to look gives"),
    Contrast("what", "standard", "hint-facts", "what being told the facts gives"),
    Contrast("facts_over_boxes", "hint-boxes", "hint-facts", "what the facts give beyond the places"),
)
FORMATS = (
    Contrast("judge", "standard", "as-judge", "judging a proposal against choosing"),
    Contrast("open", "as-open", "standard", "choosing against answering freely"),
)


def arms() -> Mapping[str, Callable[[TaskItems], Iterator[Finding]]]:
    """The analyses of this module by name."""
    return {
        "shuffled": _shuffled,
        "regions": lambda task: _contrasts(task, "regions", REGION, "a black rectangle is a visible object, and gold boxes may lack what the answer needs"),
        "crops": lambda task: _contrasts(task, "crops", CROP, "a zoom also raises the resolution of what is shown; it is no cure for items whose context matters"),
        "captions": lambda task: _contrasts(
            task, "captions", CAPTIONS, "a caption may hold the answer itself, or lack what the question needs; another prompt is another task"
        ),
        "describers": _describers,
        "hints": lambda task: _contrasts(task, "hints", HINTS, "a hint changes the prompt: what it gives is the most that better perception could give, not what it would"),
        "formats": lambda task: _contrasts(task, "formats", FORMATS, "the forms have other chances of a right guess (a half for judging)"),
        "versions": _versions,
    }  # fmt: skip


def _contrast(
    task: TaskItems, contrast: Contrast, values: Mapping[str, FloatArray]
) -> tuple[dict[str, Any], str] | None:
    if contrast.first not in values or contrast.second not in values:
        return None
    first, second = values[contrast.first], values[contrast.second]
    rows = both(first, second)
    if not rows.size:
        return None
    pair = measure(first[rows], second[rows], [task.clusters[row] for row in rows])
    means = {contrast.first: float(first[rows].mean()), contrast.second: float(second[rows].mean())}
    numbers = {
        "contrast": contrast.name,
        "first": contrast.first,
        "second": contrast.second,
        "means": means,
        **pair.json(),
    }
    power = f"; {pair.power}" if pair.power else ""
    # Conditions need not apply to the same items: the difference is that of the common ones, not of the two accuracies.
    where = f" on {rows.size} items" if rows.size < len(task.ids) else ""
    return numbers, f"{contrast.second} over {contrast.first} {pair.change}{where} ({contrast.says}{power})"


def _contrasts(task: TaskItems, analysis: str, contrasts: tuple[Contrast, ...], limits: str) -> Iterator[Finding]:
    found = [one for contrast in contrasts if (one := _contrast(task, contrast, task.right)) is not None]
    named = {name for contrast in contrasts for name in (contrast.first, contrast.second)} - {
        "standard",
        "blind",
        "two-hop",
    }
    if not found or not named & set(task.right):
        return
    asked = dict.fromkeys(
        name for contrast in contrasts for name in (contrast.first, contrast.second) if name in task.right
    )
    accuracies = {name: _mean(task.right[name]) for name in asked}
    listed = ", ".join(f"{name} {_percent(value)}{_of(task, name)}" for name, value in accuracies.items())
    yield Finding(
        analysis,
        task.record.name,
        {"accuracy": accuracies, "contrasts": [numbers for numbers, _ in found], "chance": task.record.chance},
        f"{listed}; " + "; ".join(says for _, says in found),
        limits,
    )


def _shuffled(task: TaskItems) -> Iterator[Finding]:
    draws = [name for name in task.right if name.startswith(SHUFFLED)]
    if not draws:
        return
    stacked = np.stack([task.right[name] for name in draws])
    known = ~np.isnan(stacked).all(axis=0)
    mean = np.full(stacked.shape[1], np.nan)
    mean[known] = np.nanmean(stacked[:, known], axis=0)
    values = {**task.right, "shuffled": mean}
    own = _contrast(
        task,
        Contrast("content", "shuffled", "standard", "what depends on this very picture"),
        values,
    )
    if own is None:
        return
    against_blind = _contrast(
        task,
        Contrast("conflict", "shuffled", "blind", "what a picture that does not belong costs against none"),
        values,
    )
    contrasts = [own, *([against_blind] if against_blind else [])]
    yield Finding(
        "shuffled",
        task.record.name,
        {
            "draws": draws,
            "accuracy": _mean(mean),
            "contrasts": [numbers for numbers, _ in contrasts],
            "chance": task.record.chance,
        },
        f"with another item's picture {_percent(_mean(mean))} (mean of {len(draws)}); "
        + "; ".join(says for _, says in contrasts),
        "another picture may show the same answer by accident, more often where there are few answers"
        + ("" if len(draws) >= 3 else "; fewer than 3 partners were drawn"),
    )


def _describers(task: TaskItems) -> Iterator[Finding]:
    others = [name for name in task.right if name.startswith(DESCRIBERS)]
    if not others:
        return
    listed = [name for name in ("blind", "two-hop", "caption", *others, "caption-exact") if name in task.right]
    accuracies = {name: _mean(task.right[name]) for name in listed}
    contrasts = [
        found
        for name in others
        for contrast in (
            Contrast("over_floor", "blind", name, f"what {name} gives over the question alone"),
            Contrast("below_ceiling", name, "caption-exact", f"what {name} lacks against the exact caption"),
            Contrast("over_own", "two-hop", name, f"{name} against the own description"),
        )
        if (found := _contrast(task, contrast, task.right)) is not None
    ]
    yield Finding(
        "describers",
        task.record.name,
        {"accuracy": accuracies, "contrasts": [numbers for numbers, _ in contrasts]},
        "this model answers from descriptions: " + ", ".join(f"{name} {_percent(value)}" for name, value in accuracies.items()) + "; "
        + "; ".join(says for _, says in contrasts),
        "one row of a grid of describers and readers: a describer is judged through this reader alone",
    )  # fmt: skip


def _versions(task: TaskItems) -> Iterator[Finding]:
    """Accuracy by version of the same problems (MathVerse), and steps between neighbouring versions within problems."""
    if not task.versions:
        return
    right = task.right["standard"]
    order = list(dict.fromkeys(version for version in task.versions if version))
    table = {version: _by_cluster(task, right, version) for version in order}
    if len(order) < 2:
        return
    steps = []
    for before, after in pairwise(order):
        shared = sorted(set(table[before]) & set(table[after]))
        if shared:
            pair = measure(
                np.array([table[before][one] for one in shared]), np.array([table[after][one] for one in shared])
            )
            numbers = {"first": before, "second": after, **pair.json()}
            steps.append((numbers, f"{before} to {after} {pair.change}" + (f" ({pair.power})" if pair.power else "")))
    if not steps:
        return
    accuracies = {version: _mean(np.array(list(values.values()))) for version, values in table.items()}
    yield Finding(
        "versions",
        task.record.name,
        {"accuracy": accuracies, "steps": [numbers for numbers, _ in steps]},
        ", ".join(f"{version} {_percent(value)}" for version, value in accuracies.items())
        + "; "
        + "; ".join(says for _, says in steps),
        "versions differ in wording too: what moves from the text into the picture is not all that changes",
    )


def _by_cluster(task: TaskItems, right: FloatArray, version: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for cluster, own, value in zip(task.clusters, task.versions, right, strict=True):
        if own == version and not np.isnan(value):
            found.setdefault(cluster, []).append(float(value))
    return {cluster: float(np.mean(values)) for cluster, values in found.items()}


def _of(task: TaskItems, condition: str) -> str:
    """How many items a condition's accuracy is over, where those are not all."""
    known = int((~np.isnan(task.right[condition])).sum())
    return f" (of {known})" if known < len(task.ids) else ""


def _mean(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _percent(value: float | None) -> str:
    return "no item" if value is None else f"{100 * value:.1f} %"
