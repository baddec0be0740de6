"""`mmeval judge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmeval.cli.judge_label import label
from mmeval.cli.parameter_types import FiniteRange
from mmeval.cli.terminal import echo, echo_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.table import Table

    from mmeval.analysis.judge_record import CorrectionMethod
    from mmeval.stats.resampling import BootstrapPlan

PIPE_WIDTH = 160


@click.group()
def judge() -> None:
    """Judges: which there are, how far two agree, and how often one errs.

    \b
    Examples:
      mmeval judge list
      mmeval judge agree runs/judge-a runs/judge-b
      mmeval judge calibrate my-judge --labels labels.csv --run runs/judged
      mmeval judge label runs/mine error-type --judge openai:NAME
    """


judge.add_command(label)


@judge.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def list_(as_json: bool) -> int:
    """List the judge cards: what each is asked, what it sees, and whether it was calibrated.

    \b
    Examples:
      mmeval judge list
      mmeval judge list --json
    """
    from mmeval.verifiers.judge_files import list_judges

    cards = list_judges()
    if as_json:
        from mmeval.reports.gate_files import json_bytes

        rows = [
            {
                "name": card.name,
                "title": card.title,
                "version": card.version,
                "kind": card.kind,
                "sees": sorted(card.reads),
                "shows_image": card.shows_image,
                "calibration": card.calibration,
                "digest": card.digest,
                "notes": card.notes,
            }
            for card in cards
        ]
        echo_json(json_bytes({"schema": 1, "judges": rows}), nl=False)
    else:
        from rich.table import Table

        table = Table("judge", "kind", "image", "calibrated", "title", box=None, pad_edge=False)
        for card in cards:
            table.add_row(
                card.name, card.kind, "yes" if card.shows_image else "", "yes" if card.calibration else "no", card.title
            )
        _print([table], [])
    echo(f"{len(cards)} judge cards", err=True)
    return 0


def _shared(command: Callable[..., int]) -> Callable[..., int]:
    options = [
        click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this task (repeatable)."),
        click.option("--by", multiple=True, metavar="COLUMN", help="Also by this subset column or by model, or `all`."),
        click.option("--allow-missing", is_flag=True, help="Leave out what does not match, and say how much it is."),
        click.option("--level", type=FiniteRange(0.5, 0.9999), default=0.95, show_default=True),
        click.option("--resamples", type=click.IntRange(100, 100_000), default=2000, show_default=True),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the bootstrap."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@judge.command()
@click.argument("first", metavar="RUN_A")
@click.argument("second", metavar="RUN_B")
@click.option(
    "--column",
    type=click.Choice(["correct", "score", "judge_verdict"]),
    help="Where the verdicts stand.  [default: correct; score for grades]",
)
@_shared
def agree(first: str, second: str, level: float, resamples: int, seed: int, as_json: bool, **chosen: Any) -> int:
    """Say how far two judges agree about the same answers.

    Both runs hold verdicts on the same responses: one model's answers, scored in two ways. Exit code 5 means that they do not.

    \b
    Examples:
      mmeval judge agree runs/judge-a runs/judge-b --by all
      mmeval judge agree runs/rules 'runs/judged#my-model' --json
    """
    from mmeval.analysis.judge_agreement import AgreementOptions, agreement_json, judge_agreement
    from mmeval.reports.gate_files import json_bytes
    from mmeval.reports.judge_tables import agreement_notes, agreement_tables
    from mmeval.runs.folder import open_run

    options = AgreementOptions(plan=_plan(level, resamples, seed), **chosen)
    found = judge_agreement((open_run(first), open_run(second)), (first, second), options)
    if as_json:
        echo_json(json_bytes(agreement_json(found)), nl=False)
    else:
        _print(agreement_tables(found), agreement_notes(found))
    echo(f"judge agree: {found.groups[0].n} answers with two verdicts", err=True)
    return 0


@judge.command()
@click.argument("name", metavar="JUDGE")
@click.option(
    "--labels",
    "labels_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Human labels: CSV, TSV, JSON, JSON lines or parquet.",
)
@click.option(
    "--run",
    "address",
    metavar="RUN",
    help="The run with the judge's verdicts, FOLDER or FOLDER#MODEL; without it the label file needs a column `judge`.",
)
@click.option(
    "--column",
    type=click.Choice(["correct", "score"]),
    help="Where the run's verdicts stand.  [default: correct; score for grades]",
)
@click.option(
    "--judge-correction", "correction", type=click.Choice(["ppi", "rogan-gladen"]), help="Also correct the scores."
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the calibration as JSON.")
@_shared
def calibrate(
    name: str,
    labels_file: Path,
    address: str | None,
    correction: CorrectionMethod | None,
    out: Path | None,
    level: float,
    resamples: int,
    seed: int,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Say how often the judge JUDGE errs, measured on human labels.

    The label file has the columns `id` and `human` (0, 1, true, false, or a grade in [0, 1]), and `task`, `model`,
    `condition` and `repeat` where an id alone does not name an answer; see docs/judge.md.

    \b
    Examples:
      mmeval judge calibrate my-judge --labels labels.csv --run runs/judged --out my-judge.json
      mmeval judge calibrate my-judge --labels labels.csv --run runs/judged --judge-correction ppi
      mmeval judge calibrate my-judge --labels both.jsonl
    """
    from mmeval.analysis.judge_calibration import CalibrationOptions, calibrate_judge
    from mmeval.reports.gate_files import json_bytes, write_file
    from mmeval.reports.judge_tables import calibration_notes, calibration_tables
    from mmeval.runs.folder import open_run

    options = CalibrationOptions(correction=correction, plan=_plan(level, resamples, seed), **chosen)
    found = calibrate_judge(name, labels_file, None if address is None else open_run(address), options)
    content = json_bytes(found.model_dump(mode="json"))
    if out is not None:
        write_file(out, content)
    if as_json:
        echo_json(content, nl=False)
    else:
        _print(calibration_tables(found), calibration_notes(found))
    echo(f"judge calibrate: {found.overall.n} labelled answers{f' -> {out}' if out else ''}", err=True)
    return 0


def _plan(level: float, resamples: int, seed: int) -> BootstrapPlan:
    from mmeval.stats.resampling import BootstrapPlan

    return BootstrapPlan(resamples=resamples, seed=seed, level=level)


def _print(tables: Iterable[Table], notes: Iterable[str]) -> None:
    from mmeval.reports.narrow import print_tables

    print_tables(tables, PIPE_WIDTH)
    for note in notes:
        echo(note)
