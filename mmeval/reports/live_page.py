"""The live part of the page of `mmeval view`: how far each run is, what it gives so far, what failed last."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from mmeval.core.errors import MmevalError
from mmeval.reports.format import count, interval_text, is_share, percent, plural, value_text
from mmeval.reports.names import task_label
from mmeval.reports.page import Face, render, render_page
from mmeval.reports.templates import Templates
from mmeval.runs.live import FAILED
from mmeval.runs.manifest import Manifest
from mmeval.runs.watch import LiveCell, LiveModel, Sight

MARKER = "<!--live-->"
"""Stands in a built page where the live part goes. Values are escaped, so that nothing else can hold it."""
VIEW = Face("view.html.j2", "view.js", ("report.css", "view.css"), "'self'")
WAITING = Face("view_waiting.html.j2", "view_waiting.js", ("report.css", "view.css"), "'self'")
CELLS_SHOWN = 60
"""In one table."""
TOGETHER = 12
"""Cells up to which finished ones stay among those that move."""
FAILURES_SHOWN = 8
LIVE = frozenset({"starting", "running", "writing"})


@dataclass(frozen=True, slots=True)
class Bar:
    """A count on its way to a total."""

    done: int
    total: int | None
    text: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model, or the judge."""

    name: str
    bar: Bar
    facts: list[str]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class CellRow:
    """One model on one task under one condition."""

    model: str
    task: str
    condition: str
    bar: Bar
    failed: int
    metric: str
    unit: str
    value: str
    interval: str
    basis: str
    """What the value stands on: `so far, n of N`."""


@dataclass(frozen=True, slots=True)
class RunBlock:
    """One run."""

    label: str
    address: str
    state: str
    sign: str
    """Says the state without colour."""
    attention: bool
    """Whether somebody should do something."""
    text: str
    problem: str
    command: str
    """That resumes the run; empty where there is nothing to resume."""
    models: list[ModelRow]
    cells: list[CellRow]
    finished: list[CellRow]
    """Apart from the others, where there are many."""
    more: int
    """Cells that are not shown."""
    to_come: int
    """Cells without a row yet."""
    conditions: bool
    several: bool
    """Whether there is more than one model."""
    failures: list[dict[str, str]]
    failed: int
    has_report: bool


SIGNS = {
    "waiting": "…", "unreadable": "⚠", "starting": "▶", "running": "▶", "writing": "▶", "silent": "⚠", "stopped": "■", "ended": "✓",
}  # fmt: skip


def live_values(sights: Sequence[Sight], report: str, building: bool, problem: str, stale: bool) -> dict[str, Any]:
    """What the template of the live part needs.

    Args:
        sights: of each run, in the order of the command line.
        report: name of the report that the page holds; empty for none.
        building: whether another one is being built.
        problem: why the last one could not be built.
        stale: whether the report is of files that are not there any more.
    """
    blocks = [_block(sight) for sight in sights]
    return {
        "blocks": blocks,
        "report": report,
        "building": building,
        "problem": problem,
        "stale": stale,
        "running_values": any(cell.value != "–" for block in blocks for cell in (*block.cells, *block.finished)),
        "going_on": any(sight.state not in ("ended", "unreadable") for sight in sights),
        "summary": _summary(sights),
    }


def live_part(values: dict[str, Any]) -> str:
    """Render the live part, as in the page."""
    return render(Templates(), "live.html.j2", values)


def waiting_page(sights: Sequence[Sight], version: str) -> str:
    """The page while there is no report."""
    title = ", ".join(_label(sight) for sight in sights)
    return render_page(Templates(), {"title": title, "version": version}, WAITING)


def _label(sight: Sight) -> str:
    name = sight.manifest.name if sight.manifest is not None else sight.folder.name or str(sight.folder)
    return f"{name}#{sight.model}" if sight.model else name


def _summary(sights: Sequence[Sight]) -> str:
    """What a listener is told: other words only when a state changes."""
    if len(sights) == 1:
        return "The run is going on." if sights[0].state == "running" else _text(sights[0])
    states: dict[str, int] = {}
    for sight in sights:
        ended = sight.state == "ended" and sight.manifest is not None
        state = f"ended ({sight.manifest.status})" if ended and sight.manifest is not None else sight.state
        states[state] = states.get(state, 0) + 1
    return f"{len(sights)} runs: " + ", ".join(f"{number} {state}" for state, number in states.items())


def _text(sight: Sight) -> str:
    manifest, live = sight.manifest, sight.live
    if sight.state == "ended" and manifest is not None:
        return f"The run has ended with status {manifest.status}{_counts(manifest)}."
    beside = ""
    if live is not None and sight.state == "running":
        failed = f", {count(live.failed)} failed" if live.failed else ""
        beside = f" for {duration(live.elapsed_s)}{failed}"
    return {
        "waiting": "Waiting: there is no run folder yet. This page shows the run as soon as it has started.",
        "unreadable": "The run folder cannot be read at the moment.",
        "starting": "The run has started; there are no counts yet.",
        "running": f"Running{beside}.",
        "writing": "All answers are there; the run is writing its tables.",
        "silent": "The run says that it is going on, but nothing was heard of it lately. It may run on another machine, or have stopped.",
        "stopped": "The run has stopped without an end: its process is gone. Every committed answer is kept; the same command resumes it.",
        "ended": "The run has ended.",
    }[sight.state]


def _counts(manifest: Manifest) -> str:
    rows = sum(manifest.counts.get(name, 0) for name in ("scored", "no_answer", "unsupported", "unscored", "error"))
    missing = manifest.counts.get("missing", 0)
    failed = manifest.counts.get("error", 0) + manifest.counts.get("unscored", 0)
    parts = [plural(rows, "row")] if rows else []
    parts += [f"{count(failed)} failed"] if failed else []
    parts += [f"{count(missing)} not asked"] if missing else []
    shard = manifest.shard
    parts += [f"shard {shard.index}/{shard.count}"] if shard is not None else []
    return f": {', '.join(parts)}" if parts else ""


def _block(sight: Sight) -> RunBlock:
    manifest, live = sight.manifest, sight.live
    resumes = sight.state in ("stopped", "silent") or (
        sight.state == "ended" and manifest is not None and manifest.status != "complete" and manifest.shard is None
    )
    cells = [] if live is None else [cell for cell in live.cells if sight.model in ("", cell.model)]
    started = [cell for cell in cells if cell.done]
    over = [cell for cell in started if cell.done == cell.total] if len(started) > TOGETHER else []
    moving = [cell for cell in started if cell not in over]
    models = [] if live is None else [model for model in live.models if sight.model in ("", model.model) or model.judge]
    failures = [] if live is None else [entry for entry in live.failures if sight.model in ("", entry.model)]
    unfinished = resumes and sight.state == "ended"
    return RunBlock(
        label=_label(sight),
        address=sight.address,
        state=sight.state,
        sign="■" if unfinished else SIGNS[sight.state],
        attention=resumes or sight.state == "unreadable",
        text=_text(sight),
        problem=sight.problem,
        command=_command(manifest) if resumes and manifest is not None else "",
        models=[_model(model, sight.state in LIVE) for model in models],
        cells=[_cell(cell) for cell in moving[:CELLS_SHOWN]],
        finished=[_cell(cell) for cell in over[:CELLS_SHOWN]],
        more=max(0, len(moving) - CELLS_SHOWN) + max(0, len(over) - CELLS_SHOWN),
        to_come=len(cells) - len(started),
        conditions=len({cell.condition for cell in cells}) > 1,
        several=len({cell.model for cell in cells}) > 1,
        failures=[
            {
                # Of a run that has stopped, the file does not say when: its clock stood still then.
                "ago": f"{duration(entry.ago_s)} {'ago' if sight.state in LIVE else 'before its last sign'}",
                "model": entry.model,
                "task": entry.task if entry.condition == "standard" else f"{entry.task}, {entry.condition}",
                "sample": entry.sample_id if entry.repeat == 0 else f"{entry.sample_id} (repeat {entry.repeat})",
                "reason": f"{entry.outcome}: {entry.reason}",
            }
            for entry in failures[:FAILURES_SHOWN]
        ],
        failed=sum(cell.outcomes.get(name, 0) for cell in cells for name in FAILED),
        has_report=sight.tables is not None,
    )


def _command(manifest: Manifest) -> str:
    """The command of a run as a user types it, however it was started."""
    program, *arguments = manifest.command or ["mmeval"]
    name = PurePath(program).name
    return shlex.join(["mmeval" if name in ("__main__.py", "mmeval") else program, *arguments])


def _model(model: LiveModel, live: bool) -> ModelRow:
    facts, warnings = [], []
    if live and model.state == "loading":
        facts.append("loading the model")
    if live and model.in_flight:
        facts.append(f"{count(model.in_flight)} in flight")
    if model.cached:
        facts.append(f"{count(model.cached)} from cache")
    if model.done:
        facts.append(f"coverage {percent(model.answered / model.done)}")
    if live and model.tokens_per_s is not None:
        facts.append(f"{model.tokens_per_s:,.0f} tokens/s")
    if live and model.rows_per_s is not None and model.state == "running":
        facts.append(f"{model.rows_per_s:,.1f} rows/s")
    if live and model.left_s is not None:
        facts.append(f"about {duration(model.left_s)} left")
    if model.state in ("done", "failed"):
        facts.append({"done": "done", "failed": "cannot run"}[model.state])
    if model.failed:
        warnings.append(f"{count(model.failed)} failed")
    if model.retries:
        warnings.append(f"{count(model.retries)} tried again")
    if live and model.waiting_s:
        warnings.append(f"the server asks to wait {duration(model.waiting_s)} more")
    name = f"{model.model} (judge)" if model.judge else model.model
    return ModelRow(name, _bar(model.done, model.total), facts, warnings)


def _bar(done: int, total: int | None) -> Bar:
    if total is None:
        return Bar(done, None, f"{count(done)} done")
    share = f" ({percent(done / total)})" if total else ""
    return Bar(done, total, f"{count(done)} of {count(total)}{share}")


def _cell(cell: LiveCell) -> CellRow:
    value, interval, basis, unit = _running(cell)
    failed = sum(cell.outcomes.get(name, 0) for name in FAILED)
    return CellRow(
        model=cell.model,
        task=task_label(cell.task, cell.protocol),
        condition=cell.condition,
        bar=_bar(cell.done, cell.total),
        failed=failed,
        metric=cell.metric,
        unit=unit,
        value=value,
        interval=interval,
        basis=basis,
    )


def _running(cell: LiveCell) -> tuple[str, str, str, str]:
    """Value, interval, what they stand on, and their unit."""
    from mmeval.metrics import get_metric
    from mmeval.stats.running import running_estimate

    try:
        metric = get_metric(cell.metric)
    except MmevalError:
        return "–", "", f"metric {cell.metric} is not known here", ""
    unit = "%" if is_share(cell.metric) else ""
    if cell.sums is None:
        return "–", "", cell.no_value, unit
    try:
        found = running_estimate(cell.sums, metric.binary, metric.bounds)
    except (ArithmeticError, ValueError):
        return "–", "", "sums that no rows can have", unit
    if found is None:
        return "–", "", "", unit
    interval = ""
    if found.interval is not None:
        interval = interval_text(found.interval.low, found.interval.high, cell.metric)
    elif cell.sums.clusters is None:
        interval = "no interval: too many clusters to follow"
    n = cell.sums.n
    if cell.done == cell.total:
        basis = f"all {count(n)}" if n == cell.total else f"{count(n)} of {count(cell.total or 0)}"
    else:
        basis = f"so far, {count(n)} of {count(cell.total)}" if cell.total is not None else f"so far, {count(n)}"
    return value_text(found.value, cell.metric), interval, basis, unit


def duration(seconds: float) -> str:
    """As people say it: `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
