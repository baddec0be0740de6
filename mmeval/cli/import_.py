"""`mmeval import`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmeval.cli.file_options import file_options
from mmeval.core.errors import UsageError

if TYPE_CHECKING:
    from mmeval.tasks.registry import CardFile, Registry

FORMATS = ("jsonl", "mathvista")


@click.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-t",
    "--task",
    required=True,
    metavar="TASK[@PROTOCOL]",
    help="The card that verifies, file:PATH for a data file, or a new name for files with ready scores.",
)
@file_options
@click.option("--model", required=True, metavar="NAME", help="What the tables call the model.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME_TASK]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with data sets in their own layout.")
@click.option(
    "--task-path", "task_paths", multiple=True, type=click.Path(path_type=Path), help="Folder with further task cards."
)
@click.option("--report/--no-report", default=True, help="Write report.html into the run folder.")
@click.option("--overwrite", is_flag=True, help="Replace another run in the same folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def import_(
    format_: str,
    paths: tuple[Path, ...],
    task: str,
    columns: tuple[str, ...],
    answer_kind: str | None,
    answer_form: str | None,
    model: str,
    output: Path | None,
    data_dir: Path | None,
    task_paths: tuple[Path, ...],
    report: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Turn predictions from elsewhere into a run folder that every command reads.

    FORMAT is jsonl (one object per line: id and response or score) or mathvista (output_*.json of MathVista's scripts).

    \b
    Examples:
      mmeval import jsonl answers.jsonl -t my-benchmark --model mine
      mmeval import mathvista output_bard.json -t mathvista@official --model bard
    """
    from mmeval.cli.summary import print_outcome
    from mmeval.runs.execute import Outcome, command_line
    from mmeval.runs.file_tasks import read_options
    from mmeval.runs.importers.build import import_predictions
    from mmeval.runs.importers.predictions import read_jsonl, read_mathvista
    from mmeval.runs.manifest import read_manifest
    from mmeval.tasks.file_task import is_file_selector
    from mmeval.tasks.registry import Registry
    from mmeval.tasks.task import Task

    registry = Registry(task_paths, files=read_options(columns, answer_kind, answer_form))
    card: CardFile | None
    if is_file_selector(task):
        card, protocol = _file_card(registry, task)
        name = task = card.name
    elif "," in task or "*" in task:
        raise UsageError(f"-t {task}: one task is expected", remedy="import one task at a time")
    else:
        name, _, protocol = task.partition("@")
        card = registry.cards.get(name)
    if card is None and (format_ != "jsonl" or protocol):
        registry.resolve([task])  # raises with the nearest names
    loaded = Task.load(card, protocol or "default") if card is not None else None
    warn = partial(click.echo, err=True)
    reader = read_mathvista if format_ == "mathvista" else partial(read_jsonl, warn=warn)
    if not name.strip() or not model.strip():
        raise UsageError("-t and --model need a name", remedy="e.g. -t my-benchmark --model mine")
    folder = output or Path("runs") / f"{model}_{task}".replace("/", "-")
    if (folder / "run.json").exists() and not overwrite:
        earlier = read_manifest(folder)
        if [(record.name, record.engine) for record in earlier.models] != [(model, "imported")]:
            raise UsageError(f"{folder} holds another run", remedy="give another folder with -o, or add --overwrite")
    imported = import_predictions(
        (prediction for path in paths for prediction in reader(path)),
        loaded,
        name,
        model,
        folder,
        source=paths,
        data_dir=data_dir,
        command=command_line(sys.argv),
    )
    for note in imported.manifest.notes:
        click.echo(note, err=True)
    code = 0 if imported.manifest.status == "complete" else 6
    failures = {"no prediction for this sample": imported.missing} if imported.missing else {}
    outcome = Outcome(folder, imported.manifest, code, failures)
    more = {"agreement": _agreement(imported.agreement), "fallbacks": imported.fallbacks}
    return print_outcome(outcome, report=report, as_json=as_json, more=more)


def _file_card(registry: Registry, selector: str) -> tuple[CardFile, str]:
    found = registry.resolve([selector])
    if len(found) > 1:
        raise UsageError(f"-t {selector}: one file is expected", remedy="import one task at a time")
    return found[0]


def _agreement(counts: tuple[int, int] | None) -> dict[str, int] | None:
    """How many of the file's own verdicts ours equal; None where the file holds none."""
    return None if counts is None else {"equal": counts[0], "verdicts": counts[1]}
