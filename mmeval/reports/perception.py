"""The report's section on perception: what `mmeval diagnose` finds, with all models of a task side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmeval.analysis.diagnose_data import load_items
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Diagnosis
from mmeval.analysis.diagnose_run import Items, diagnose_run, diagnose_runs, holds_diagnosis
from mmeval.core.errors import ComparisonError
from mmeval.reports.curves import Axes, Bar, Point, Series, forest_chart, series_chart
from mmeval.reports.figures import Figure
from mmeval.reports.names import RunNames
from mmeval.reports.perception_sheets import TITLES, Told, sheets_of
from mmeval.reports.sheets import Sheet, change
from mmeval.runs.folder import Run

PAIRS = 6
"""Candidates whose change from the baseline is diagnosed; each costs a bootstrap per task and source."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One model's diagnosis under its label in the report."""

    label: str
    items: Items
    found: Diagnosis


@dataclass(slots=True)
class Block:
    """One analysis of one task, all models side by side."""

    analysis: str
    title: str
    says: list[tuple[str, str]] = field(default_factory=list)
    """Who, and one sentence."""
    limits: list[str] = field(default_factory=list)
    """What it does not show."""
    sheets: list[Sheet] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaskBlocks:
    """All analyses of one task."""

    task: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Perception:
    """The section; without tasks there is none."""

    baseline: str = ""
    """Label of the model that others are set against; empty where there is only one."""
    tasks: tuple[TaskBlocks, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    """What is lacking with the option that would produce it, and of which models."""
    notices: tuple[str, ...] = ()

    @property
    def sheets(self) -> list[Sheet]:
        """All tables."""
        return [sheet for task in self.tasks for block in task.blocks for sheet in block.sheets]

    @property
    def figures(self) -> list[Figure]:
        """All charts."""
        return [figure for task in self.tasks for block in task.blocks for figure in block.figures]


def build_perception(
    names: Sequence[RunNames], baseline: str | None = None, options: DiagnoseOptions | None = None
) -> Perception:
    """Diagnose every model whose run holds more than one answer per item, and what changed from the baseline.

    Args:
        names: the runs of the report.
        baseline: label of the model that others are set against; the first one when None.
        options: of the diagnosis; those of `mmeval diagnose` when None.

    Raises:
        DataError: when a run folder is damaged.
    """
    chosen = options or DiagnoseOptions()
    examined = _examined(names, chosen)
    if not examined:
        return Perception()
    base = next((one for one in examined if one.label == baseline), examined[0])
    changes, notices = _changes(base, [one for one in examined if one is not base], chosen)
    colors = {one.label: place for place, one in enumerate(examined)}
    told: dict[str, dict[str, list[tuple[str, Any]]]] = {}
    for who, found in [*((one.label, one.found) for one in examined), *changes]:
        for finding in found.findings:
            told.setdefault(finding.task, {}).setdefault(finding.analysis, []).append((who, finding))
    order = list(TITLES)
    tasks = tuple(
        TaskBlocks(task, [_block(task, name, analyses[name], colors) for name in order if name in analyses])
        for task, analyses in told.items()
    )
    missing: dict[str, list[str]] = {}
    for who, found in [*((one.label, one.found) for one in examined), *changes]:
        for text in found.missing:
            missing.setdefault(text, []).append(who)
    everybody = {one.label for one in examined}
    lacking = tuple((text, "" if everybody <= set(who) else ", ".join(who)) for text, who in missing.items())
    return Perception(base.label if len(examined) > 1 else "", tasks, lacking, tuple(notices))


def _examined(names: Sequence[RunNames], options: DiagnoseOptions) -> list[Examined]:
    found = []
    for entry in names:
        if not holds_diagnosis(entry.run):
            continue
        engines = {model.name: model.engine for model in entry.run.manifest.models}
        for model, label in entry.models.items():
            if engines[model] == "chance":
                continue  # it looks at nothing
            run = Run(entry.run.path, entry.run.manifest, model)
            items = load_items(run)
            if items:
                found.append(Examined(label, items, diagnose_run(run, items, options)))
    return found


def _changes(
    base: Examined, others: Sequence[Examined], options: DiagnoseOptions
) -> tuple[list[tuple[str, Diagnosis]], list[str]]:
    """What changed from the baseline to each other model, and why some changes are not told."""
    found: list[tuple[str, Diagnosis]] = []
    notices = []
    for one in others[:PAIRS]:
        try:
            bare = Diagnosis(one.label, None, ())
            found.append(
                (f"{base.label} → {one.label}", diagnose_runs(base.items, one.items, bare, base.label, options))
            )
        except ComparisonError as error:
            notices.append(f"{one.label} is not set against {base.label}: {error}")
    if len(others) > PAIRS:
        left = ", ".join(one.label for one in others[PAIRS:])
        notices.append(f"Not set against {base.label} here: {left}; `mmeval diagnose RUN --against BASE` does it.")
    return found, notices


def _block(task: str, analysis: str, found: Sequence[tuple[str, Any]], colors: Mapping[str, int]) -> Block:
    told = [(who, one.numbers) for who, one in found]
    prefix = f"{analysis}-{task}"
    sheets = [
        Sheet(f"{prefix}-{sheet.name}", sheet.caption, sheet.head, sheet.rows, sheet.labels)
        for sheet in sheets_of(analysis, told)
    ]
    limits = list(dict.fromkeys(one.limits for _, one in found if one.limits))
    says = [(who, one.says) for who, one in found]
    return Block(analysis, TITLES[analysis], says, limits, sheets, list(_figures(prefix, task, analysis, told, colors)))


def _figures(prefix: str, task: str, analysis: str, told: Told, colors: Mapping[str, int]) -> Iterator[Figure]:
    if analysis == "masking":
        yield _masking(prefix, task, told, colors)
    elif analysis == "repeats":
        yield _repeats(prefix, task, told, colors)
    elif analysis == "ablation":
        bars = [_bar(who, one["condition"], one, colors) for who, one in told]
        what = f"{task}: gain of the picture over each condition without it, with its interval"
        yield forest_chart(prefix, bars, "gain of the picture, points", f"{what}; the table has the numbers")
    elif analysis == "split":
        yield _split(prefix, task, told)
    elif told[0][1].get("contrasts"):
        bars = [
            _bar(who, f"{each['second']} over {each['first']}", each, colors)
            for who, one in told
            for each in one["contrasts"]
        ]
        what = f"{task}, {TITLES[analysis].lower()}: differences with their intervals; the table has the numbers"
        yield forest_chart(prefix, bars, "difference in accuracy, points", what)


def _masking(prefix: str, task: str, told: Told, colors: Mapping[str, int]) -> Figure:
    series = [
        Series(who, colors[who], tuple(_point(100 * step["p"], step["accuracy"], step["ci"]) for step in one["steps"]))
        for who, one in told
    ]
    level = told[0][1]["chance"]
    axes = Axes("masked share of the picture, %", "accuracy, %", level=None if level is None else 100 * level)
    return series_chart(prefix, series, axes, f"{task}: accuracy by masked share of the picture, with intervals; the table has the numbers")  # fmt: skip


def _repeats(prefix: str, task: str, told: Told, colors: Mapping[str, int]) -> Figure:
    series = [
        Series(
            f"{who}, {name}@k{' (dashed)' if name == 'maj' else ''}",
            colors[who],
            tuple(_point(point["k"], point["estimate"], point["ci"]) for point in curve),
            dashed=name == "maj",
        )
        for who, one in told
        for name, curve in one["curves"].items()
    ]
    axes = Axes("answers k", "share of items, %", log=True)
    return series_chart(prefix, series, axes, f"{task}: pass@k and maj@k by number of answers, with intervals; the table has the numbers")  # fmt: skip


def _split(prefix: str, task: str, told: Told) -> Figure:
    bars = [
        Bar(
            {"delta": "difference in accuracy"}.get(name, name),
            *_scaled(term["estimate"], term["ci"]),
            change(term["estimate"]).text,
            color=6 if name == "delta" else place,
            firm=term["ci"] is not None and (term["ci"][0] > 0 or term["ci"][1] < 0),
            heading=f"{who}, by {one['source']}",
        )
        for who, one in told
        for place, (name, term) in enumerate((name, one["terms"][name]) for name in ("perception", "reasoning", "luck", "delta"))
    ]  # fmt: skip
    what = f"{task}: difference in accuracy split into perception, reasoning and luck, with intervals; the table has the numbers"
    return forest_chart(prefix, bars, "points", what)


def _bar(who: str, label: str, one: Mapping[str, Any], colors: Mapping[str, int]) -> Bar:
    ends = _scaled(one["delta"], one["ci"])
    return Bar(label, *ends, change(one["delta"]).text, colors[who], one["p"] is not None and one["p"] < 0.05, who)


def _point(x: float, value: float, limits: Sequence[float] | None) -> Point:
    return Point(x, *_scaled(value, limits))


def _scaled(value: float, limits: Sequence[float] | None) -> tuple[float, float | None, float | None]:
    if limits is None:
        return round(100 * value, 6), None, None
    return round(100 * value, 6), round(100 * limits[0], 6), round(100 * limits[1], 6)
