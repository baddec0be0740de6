"""`mmeval compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from mmeval.cli.parameter_types import FiniteRange
from mmeval.cli.terminal import echo, echo_json, one_form
from mmeval.core.errors import UsageError

if TYPE_CHECKING:
    from mmeval.analysis.comparison import ComparisonReport

PIPE_WIDTH = 160


@click.command(context_settings={"show_default": True})
@click.argument("base", metavar="BASE")
@click.argument("candidates", metavar="CANDIDATE...", nargs=-1, required=True)
@click.option("--independent", is_flag=True, help="Take items as independent even where clusters repeat.")
@click.option("--allow-missing", is_flag=True, help="Compare the items that both have, and say how many are left out.")
@click.option("--allow-protocol", is_flag=True, help="Compare although the questions were asked in different ways.")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Compare only this task (repeatable).")
@click.option("--metric", metavar="METRIC", help="Metric instead of each card's primary one.")
@click.option("--by", multiple=True, metavar="SUBSET", help="Also by this subset column (repeatable), or `all`.")
@click.option("--level", type=FiniteRange(0.5, 0.9999), default=0.95, help="Confidence level of the intervals.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of permutation tests.")
@click.option("--task-path", "task_paths", multiple=True, type=click.Path(), help="Folder with further task cards.")
@click.option("--flips", is_flag=True, help="Also list the items that were lost and gained (--json always does).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with full precision.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@click.option("--latex", "as_latex", is_flag=True, help="Print a booktabs table.")
def compare(
    base: str,
    candidates: tuple[str, ...],
    independent: bool,
    allow_missing: bool,
    allow_protocol: bool,
    tasks: tuple[str, ...],
    metric: str | None,
    by: tuple[str, ...],
    level: float,
    seed: int,
    task_paths: tuple[str, ...],
    flips: bool,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    as_latex: bool,
) -> int:
    """Say whether a candidate is better than the baseline, or whether the difference is noise.

    Runs join on their items. Exit code 5 means that they must not be compared as they are.

    \b
    Examples:
      mmeval compare runs/base runs/candidate
      mmeval compare 'runs/r#tiny-early' 'runs/r#tiny' --by all
      mmeval compare runs/a runs/b runs/c --latex > table.tex
    """
    from mmeval.analysis.comparison import ComparisonOptions, compare_runs, report_json
    from mmeval.analysis.pairing import PairingOptions, open_sides

    form = one_form(json=as_json, csv=as_csv, markdown=as_markdown, latex=as_latex)
    if flips and form in ("csv", "latex"):
        raise UsageError(
            f"--flips: --{form} has no place for lists of items",
            remedy="take --markdown or the plain output; --json always holds all of them",
        )
    pairing = PairingOptions(allow_missing, allow_protocol, tasks, metric, task_paths)
    options = ComparisonOptions(pairing, independent, by, level, seed=seed)
    report = compare_runs(open_sides([base, *candidates]), options)
    if form == "json":
        echo_json(orjson.dumps(report_json(report), option=orjson.OPT_INDENT_2))
    elif form is not None:
        from mmeval.reports import comparison_tables as tables

        writers = {"csv": tables.csv_text, "markdown": tables.markdown, "latex": tables.latex}
        echo(tables.markdown(report, flips=True) if flips else writers[form](report), nl=False)
    else:
        _print(report, flips)
    wholes = [one for one in report.comparisons if one.subset is None]
    shown = sum(one.significant for one in wholes)
    echo(f"compare: {len(wholes)} comparison{'s' if len(wholes) != 1 else ''}, {shown} significant", err=True)
    return 0


def _print(report: ComparisonReport, flips: bool) -> None:
    from mmeval.reports.comparison_tables import flip_lines, footnotes, ranking_lines, terminal_tables
    from mmeval.reports.narrow import print_tables

    print_tables(terminal_tables(report), PIPE_WIDTH)
    for ranking in report.rankings:
        echo("\n".join(ranking_lines(ranking)) + "\n")
    for note in footnotes(report):
        echo(note)
    for line in flip_lines(report) if flips else ():
        echo(line)
