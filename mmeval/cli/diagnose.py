"""`mmeval diagnose`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from mmeval.cli.parameter_types import FiniteRange
from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import UsageError, unknown

if TYPE_CHECKING:
    from mmeval.analysis.diagnose_findings import Diagnosis
    from mmeval.runs.folder import Run


@click.command(context_settings={"show_default": True})
@click.argument("run", metavar="RUN[#MODEL]")
@click.option("--against", metavar="BASE[#MODEL]", help="Baseline on the same items: what changed from it to RUN?")
@click.option("--only", multiple=True, metavar="ANALYSIS", help="Only this analysis (repeatable).")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Perception labels of people: CSV with task, id, perceived, and model where both runs are labelled.",
)
@click.option(
    "--threshold",
    type=FiniteRange(0, 1, min_open=True),
    default=1.0,
    help="Share of an item's visual facts that must be right (checklist) or stated (annotation recall) for perceived.",
)
@click.option("--resamples", type=click.IntRange(100, 100_000), default=2000, help="Of the bootstrap.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diagnose(
    run: str,
    against: str | None,
    only: tuple[str, ...],
    labels: Path | None,
    threshold: float,
    resamples: int,
    seed: int,
    as_json: bool,
) -> int:
    """Say whether failures are failures to see or to reason, and which of the two changed.

    The conditions come from `mmeval run … --condition diagnose`; what is missing is listed with what would produce it.

    \b
    Examples:
      mmeval diagnose runs/mine
      mmeval diagnose 'runs/r#tiny' --against 'runs/r#tiny-early' --json
    """
    from mmeval.analysis.diagnose_data import load_items
    from mmeval.analysis.diagnose_findings import ANALYSES, DiagnoseOptions, to_json
    from mmeval.analysis.diagnose_run import diagnose_run, diagnose_runs
    from mmeval.analysis.perception_labels import check_labels, read_labels
    from mmeval.stats.resampling import BootstrapPlan

    for name in only:
        if name not in ANALYSES:
            raise unknown("analysis", name, ANALYSES)
    options = DiagnoseOptions(only, threshold, BootstrapPlan(resamples, seed))
    chosen = _one(run)
    people = read_labels(labels, chosen.models[0]) if labels is not None else None
    items = load_items(chosen, people, threshold)
    if not items:
        raise UsageError(
            f"{run}: no task has right and wrong answers under the standard condition",
            remedy="run a task whose metric is an accuracy"
            if "standard" in chosen.manifest.conditions
            else "add --condition standard to the command of the run",
        )
    if people:
        check_labels(people, items, str(labels))
    found = diagnose_run(chosen, items, options)
    if against is not None:
        base = _one(against)
        # What people say of one model's answers says nothing of another's.
        theirs = read_labels(labels, base.models[0], named_only=True) if labels is not None else None
        found = diagnose_runs(load_items(base, theirs, threshold), items, found, base.models[0], options)
    if as_json:
        record = {
            "schema": 1,
            "model": found.model,
            "base": found.base,
            "findings": to_json(found.findings),
            "missing": list(found.missing),
        }
        echo_json(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    else:
        _print(found)
    echo(f"diagnose: {len(found.findings)} findings, {len(found.missing)} things missing", err=True)
    return 0


def _one(address: str) -> Run:
    from mmeval.runs.folder import open_run

    opened = open_run(address)
    if len(opened.models) != 1:
        listed = ", ".join(f"{address}#{name}" for name in opened.models)
        raise UsageError(f"{address} holds {len(opened.models)} models", remedy=f"name one: {listed}")
    return opened


def _print(found: Diagnosis) -> None:
    title = found.model if found.base is None else f"{found.model} against {found.base}"
    echo(title)
    for task, group in itertools.groupby(sorted(found.findings, key=lambda one: one.task), key=lambda one: one.task):
        echo(f"\n{task}")
        limits: dict[str, None] = {}
        for one in group:
            echo(f"  {one.analysis:18} {one.says}")
            if one.limits:
                limits[f"{one.analysis}: {one.limits}"] = None
        for text in limits:
            echo(f"    not shown · {text}")
    for text in found.missing:
        echo(f"\nmissing · {text}")
