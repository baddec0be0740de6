"""`mmeval import`."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmeval.cli.file_options import file_options
from mmeval.cli.place_options import task_path_option
from mmeval.cli.terminal import echo
from mmeval.core.errors import UsageError

if TYPE_CHECKING:
    from mmeval.tasks.registry import CardFile, Registry

FORMATS = (
    "jsonl",
    "mathvista",
    "mathvision",
    "mmmu",
    "megabench",
    "mmvet",
    "screenspot-pro",
    "dynamath",
    "vlmevalkit",
    "lmms-eval",
    "inspect",
    "masks",
    "coco",
)
_MARK = "predictions."
"""Before a role of `--column`: the file of predictions is meant, where -t names a data file with columns of its own."""


@click.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-t",
    "--task",
    required=True,
    metavar="TASK[@PROTOCOL]",
    help="The card that verifies, file:PATH for a data file, or a new name where the files hold scores or gold answers.",
)
@file_options(
    "What an odd file of predictions calls something, e.g. response=output (docs/import.md lists the roles); "
)
@click.option("--model", required=True, metavar="NAME", help="What the tables call the model.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME_TASK]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with data sets in their own layout; ids are looked up there.",
)
@task_path_option
@click.option(
    "--coordinates",
    type=click.Choice(["pixels", "unit", "percent", "thousand"]),
    default="pixels",
    show_default=True,
    help="Space of the boxes and points in the answers: pixels of the original image, 0-1, percent, or 0-1000.",
)
@click.option("--stored-scores", is_flag=True, help="Take the files' own scores instead of verifying the answers.")
@click.option("--allow-unknown", is_flag=True, help="Leave out rows whose id the data set does not have.")
@click.option("--report/--no-report", default=True, help="Write report.html into the run folder.")
@click.option("--overwrite", is_flag=True, help="Replace another run in the same folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def import_(
    format_: str,
    paths: tuple[Path, ...],
    task: str,
    model: str,
    output: Path | None,
    report: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Turn predictions from elsewhere into a run folder that every command reads.

    PATHs are files or folders. FORMAT is one of

    \b
      jsonl       one object per line: id and response, or a ready score
      mathvista   output_*.json of MathVista's scripts
      mathvision  outputs/*.jsonl of MATH-Vision's scripts
      mmmu        MMMU's <Subject>/output.json or total_val_output.json, MMMU-Pro's *.jsonl
      megabench   task_results.json of MEGA-Bench's scripts, with all_task_meta.json
      mmvet       *-grade-*runs.json of MM-Vet's evaluator, with the graded answers
      dynamath    *-result.csv of DynaMath
      screenspot-pro  results of ScreenSpot-Pro's script
      vlmevalkit  prediction and result files of VLMEvalKit: xlsx, tsv, csv, json
      lmms-eval   *_samples_*.jsonl of lmms-eval
      inspect     .eval or .json logs of Inspect
      masks       rows of id and run-length code or polygons, or pictures of masks
      coco        COCO results, with the file of annotations as another path

    \b
    Examples:
      mmeval import jsonl answers.jsonl -t my-benchmark --model mine
      mmeval import mathvista output_bard.json -t mathvista@official --model bard
      mmeval import vlmevalkit outputs/M/T20260101/M_MathVista_MINI.xlsx -t mathvista@vlmevalkit --model M
      mmeval import lmms-eval logs/M/20260101_samples_mmmu_val.jsonl -t mmmu --model M --data-dir data
    """
    from mmeval.cli.summary import print_outcome
    from mmeval.core.secrets import command_line
    from mmeval.runs.file_tasks import read_options
    from mmeval.runs.importers.build import Import, import_predictions
    from mmeval.runs.importers.formats import get_format
    from mmeval.runs.importers.predictions import Reading, check_columns
    from mmeval.runs.importers.samples import Wanted
    from mmeval.runs.outcome import Outcome
    from mmeval.tasks.file_selector import is_file_selector
    from mmeval.tasks.options import AskStyle
    from mmeval.tasks.registry import Registry
    from mmeval.tasks.task import Task

    format_found = get_format(format_)
    of_data, of_predictions = _split_columns(options["columns"], is_file_selector(task))
    columns = check_columns(format_found, of_predictions)
    registry = Registry(
        options["task_paths"], files=read_options(of_data, options["answer_kind"], options["answer_form"])
    )
    card, name, protocol = _one_task(registry, task, format_found.ad_hoc)
    close = get_close_matches(name, registry.cards, 1, 0.8) if card is None else []
    if close:
        echo(
            f"note: there is no card {name!r} (did you mean {close[0]}?): a task of its own, whose metric is the mean of the ready scores",
            err=True,
        )
    loaded = Task.load(card, protocol or "default") if card is not None else None
    if not name.strip() or not model.strip():
        raise UsageError("-t and --model need a name", remedy="e.g. -t my-benchmark --model mine")
    label = name if is_file_selector(task) else task
    folder = output or Path("runs") / f"{model}_{label}".replace("/", "-")
    if not options["overwrite"]:
        _refuse_another_run(folder, model)
    reading = Reading(
        columns=columns,
        id_column=_id_column(loaded),
        kind=loaded.card.answer.kind if loaded is not None else None,
        warn=partial(echo, err=True),
    )
    style = AskStyle(coordinates=options["coordinates"])
    wanted = Wanted(loaded, name, options["data_dir"], options["allow_unknown"], style)
    what = Import(wanted, model, folder, paths, command_line(sys.argv), format_, options["stored_scores"])
    imported = import_predictions(format_found.load()(paths, reading), reading, what)
    for note in imported.manifest.notes:
        echo(note, err=True)
    code = 0 if imported.manifest.status == "complete" else 6
    outcome = Outcome(folder, imported.manifest, code, dict(imported.failures))
    more = {
        "agreement": _agreement(imported.agreement),
        "fallbacks": imported.fallbacks,
        "read": imported.read,
        "lost": dict(imported.lost),
    }
    return print_outcome(outcome, report=report, as_json=as_json, more=more)


def _one_task(registry: Registry, task: str, ad_hoc: bool) -> tuple[CardFile | None, str, str]:
    """Return card, name and protocol of the one task that `-t` names; without a card where the format needs none (`ad_hoc`).

    Raises:
        UsageError: when it names several tasks, or none that is known though the format needs one.
    """
    from mmeval.tasks.file_selector import is_file_selector

    if is_file_selector(task):
        made, protocol = _file_card(registry, task)
        return made, made.name, protocol
    if "," in task or "*" in task:
        raise UsageError(f"-t {task}: one task is expected", remedy="import one task at a time")
    name, _, protocol = task.partition("@")
    card = registry.cards.get(name)
    if card is None and name in registry.suites:
        raise UsageError(f"-t {task}: {name} is a suite, and one task is expected", remedy="import one task at a time")
    if card is None and (not ad_hoc or protocol):
        registry.resolve([task])  # raises with the nearest names
    return card, name, protocol


def _refuse_another_run(folder: Path, model: str) -> None:
    """Refuse a folder with anything but an earlier import of the same model."""
    from mmeval.runs.manifest import read_manifest

    if not (folder / "run.json").exists():
        return
    earlier = read_manifest(folder)
    if [(record.name, record.engine) for record in earlier.models] != [(model, "imported")]:
        raise UsageError(f"{folder} holds another run", remedy="give another folder with -o, or add --overwrite")


def _split_columns(columns: tuple[str, ...], data_file: bool) -> tuple[list[str], list[str]]:
    """Return the columns of the data file (-t file:PATH) and those of the predictions, which `predictions.` marks beside it."""
    of_predictions = [pair.removeprefix(_MARK) for pair in columns if pair.startswith(_MARK)]
    others = [pair for pair in columns if not pair.startswith(_MARK)]
    return (others, of_predictions) if data_file else ([], [*others, *of_predictions])


def _file_card(registry: Registry, selector: str) -> tuple[CardFile, str]:
    found = registry.resolve([selector])
    if len(found) > 1:
        raise UsageError(f"-t {selector}: one file is expected", remedy="import one task at a time")
    return found[0]


def _id_column(task: Any) -> str | None:
    """The column that a card takes ids from, when it is a plain one."""
    column = task.card.fields.id if task is not None else None
    return column if column and not column.startswith("=") else None


def _agreement(counts: tuple[int, int] | None) -> dict[str, int] | None:
    """How many of the file's own verdicts ours equal; None where the file holds none."""
    return None if counts is None else {"equal": counts[0], "verdicts": counts[1]}
