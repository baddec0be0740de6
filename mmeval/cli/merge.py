"""`mmeval merge`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="New run folder.")
@click.option("--report/--no-report", default=True, help="Write report.html into the new folder.")
@click.option("--overwrite", is_flag=True, help="Replace a run in the new folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def merge(runs: tuple[str, ...], output: Path, report: bool, overwrite: bool, as_json: bool) -> int:
    """Join runs of one configuration into one run folder, as a single run would have written it.

    The runs are shards (`mmeval run --shard I/N`), or were cut by models or by tasks. Exit code 5 when they do not belong
    together, 6 when one is missing or not finished.

    \b
    Examples:
      mmeval merge runs/mine-shard-* -o runs/mine
      mmeval merge runs/model-a runs/model-b -o runs/both
    """
    from mmeval.cli.summary import print_outcome
    from mmeval.core.secrets import command_line
    from mmeval.runs.folder import open_run
    from mmeval.runs.merge import merge_runs

    outcome = merge_runs([open_run(run) for run in runs], output, command_line(sys.argv), overwrite)
    return print_outcome(outcome, report=report, as_json=as_json)
