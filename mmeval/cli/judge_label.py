"""`mmeval judge label`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmeval.cli.judge_options import judge_options, judge_values
from mmeval.cli.keys import judge_key
from mmeval.cli.place_options import cache_option, task_path_option
from mmeval.cli.ray_options import beside_ray, ray_options, ray_values
from mmeval.cli.signals import run_loop
from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import UsageError

if TYPE_CHECKING:
    from mmeval.runs.folder import Run
    from mmeval.runs.labelling import LabelOptions, LabelTally


@click.command("label")
@click.argument("run", metavar="RUN[#MODEL]")
@click.argument("card", metavar="[CARD]", required=False)
@click.option(
    "--human", type=click.Path(path_type=Path), help="Labels of people instead: CSV with task, id, label, perceived."
)
@click.option("--rater", metavar="NAME", help="Who labelled, with --human; two people or more are told apart.")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this task (repeatable).")
@click.option("--condition", default="standard", show_default=True, help="Label the answers under this condition.")
@click.option(
    "--of", metavar="FIELD", help="Show the judge this field of the row (e.g. solution) instead of the response."
)
@judge_options
@ray_options
@task_path_option
@cache_option("Response cache, for verdicts")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def label(
    run: str,
    card: str | None,
    human: Path | None,
    rater: str | None,
    tasks: tuple[str, ...],
    condition: str,
    of: str | None,
    task_paths: tuple[Path, ...],
    cache_file: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Let a judge card say more of every answer than right and wrong: kinds of error, which facts it states.

    Labels go to labels.parquet in the run folder; `mmeval diagnose` reads them. Cards: error-type, perception-consistency,
    perception-annotations (with --of solution). Labels of people (--human) correct those of a judge.

    \b
    Examples:
      mmeval judge label runs/mine error-type --judge openai:NAME --judge-base-url http://127.0.0.1:8000/v1
      mmeval judge label runs/mine perception-consistency --judge tiny
      mmeval judge label runs/mine --human people.csv
    """
    from mmeval.runs.folder import open_run
    from mmeval.runs.labelling import LabelOptions
    from mmeval.runs.labels import human_labels, write_labels_table

    opened = open_run(run)
    judge = judge_values(options) | ray_values(options)
    if (card is None) == (human is None):
        raise UsageError(
            "give a judge card, or labels of people with --human",
            remedy="e.g. mmeval judge label RUN error-type --judge MODEL",
        )
    if rater is not None and human is None:
        raise UsageError("--rater names a person", remedy="add --human FILE")
    if human is not None:
        found = human_labels(human, opened, rater)
        write_labels_table(opened, found)
        echo(f"judge label: {len(found)} labels of people -> {opened.path / 'labels.parquet'}", err=True)
        return 0
    settings = LabelOptions(
        card or "", judge, cache_file or Path(os.environ.get("MMEVAL_CACHE") or "cache/responses.sqlite"), tasks, condition, of,
        tuple(str(path) for path in task_paths),
    )  # fmt: skip
    with beside_ray(judge.get("workers")):
        tally = run_loop(lambda: _label(opened, settings))
    _report(opened, tally, as_json)
    return 6 if tally.faults else 0


async def _label(run: Run, settings: LabelOptions) -> LabelTally:
    from mmeval.cli.progress import progress_display
    from mmeval.runs.labelling import label_run

    async with progress_display() as observe:
        return await label_run(run, settings, judge_key(), observe)


def _report(run: Run, tally: LabelTally, as_json: bool) -> None:
    if as_json:
        from mmeval.reports.gate_files import json_bytes

        record = {
            "schema": 1, "rows": tally.rows, "labelled": tally.labelled, "labels": dict(tally.labels.most_common()),
            "faults": dict(tally.faults.most_common()), "calls": tally.calls, "cached": tally.cached,
        }  # fmt: skip
        echo_json(json_bytes(record), nl=False)
    else:
        for name, count in tally.labels.most_common():
            echo(f"{count:8} {name}")
        for reason, count in tally.faults.most_common(5):
            echo(f"{count:8} no verdict: {reason}")
    echo(
        f"judge label: {tally.labelled} of {tally.rows} answers labelled, {tally.calls} calls made, {tally.cached} taken from the cache -> {run.path / 'labels.parquet'}",
        err=True,
    )
