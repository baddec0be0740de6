"""`mmeval score`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmeval.cli.judge_options import judge_options, judge_values
from mmeval.cli.keys import judge_key
from mmeval.cli.place_options import cache_option, task_path_option
from mmeval.cli.ray_options import beside_ray, ray_options, ray_values
from mmeval.cli.signals import run_loop
from mmeval.core.errors import UsageError

if TYPE_CHECKING:
    from mmeval.runs.folder import Run
    from mmeval.runs.outcome import Outcome
    from mmeval.runs.score import ScoreOptions


@click.command()
@click.argument("run", metavar="RUN[#MODEL]")
@click.option("--protocol", metavar="P", help="Score under this protocol of each task.  [default: the run's own]")
@click.option(
    "--task", "tasks", multiple=True, metavar="TASK", help="Only this task (repeatable); others stay as they are."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="New run folder.  [default: RUN_scored or RUN_PROTOCOL]"
)
@click.option("--rules-only", is_flag=True, help="Leave the judge out that the run was scored with.")
@judge_options
@ray_options
@task_path_option
@cache_option("Response cache, for verdicts of judges")
@click.option("--report/--no-report", default=True, help="Write report.html into the new folder.")
@click.option("--overwrite", is_flag=True, help="Replace a run in the new folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def score(
    run: str,
    protocol: str | None,
    tasks: tuple[str, ...],
    output: Path | None,
    rules_only: bool,
    task_paths: tuple[Path, ...],
    cache_file: Path | None,
    report: bool,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Score the stored responses of a run again, without its model, into a new run folder.

    With today's cards, under another protocol, or with a judge. The run itself stays as it is.

    \b
    Examples:
      mmeval score runs/mine
      mmeval score runs/mine --protocol vlmevalkit -o runs/mine-vlmevalkit
      mmeval score runs/mine --judge openai:NAME --judge-base-url http://127.0.0.1:8000/v1
    """
    from mmeval.cli.summary import print_outcome
    from mmeval.runs.folder import open_run
    from mmeval.runs.score import ScoreOptions

    judge = judge_values(options) | ray_values(options)
    if rules_only and judge:
        raise UsageError("--rules-only and --judge exclude each other", remedy="give one of the two")
    opened = open_run(run)
    folder = output or opened.path.with_name(
        f"{opened.path.resolve().name}_{protocol or ('rules' if rules_only else 'scored')}"
    )
    settings = ScoreOptions(
        folder=folder,
        tasks=tasks,
        protocol=protocol,
        task_paths=[str(path) for path in task_paths],
        judge=judge,
        rules_only=rules_only,
        cache=cache_file or Path(os.environ.get("MMEVAL_CACHE") or "cache/responses.sqlite"),
        overwrite=overwrite,
    )
    with beside_ray(judge.get("workers")):
        outcome = run_loop(lambda: _score(opened, settings))
    return print_outcome(outcome, report=report, as_json=as_json)


async def _score(run: Run, settings: ScoreOptions) -> Outcome:
    from mmeval.cli.progress import progress_display
    from mmeval.core.secrets import command_line
    from mmeval.runs.score import score_run

    async with progress_display() as observe:
        return await score_run(run, settings, command_line(sys.argv), judge_key(), observe)
