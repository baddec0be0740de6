"""`mmeval report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmeval.cli.parameter_types import FiniteRange
from mmeval.cli.terminal import echo, echo_json, one_form

if TYPE_CHECKING:
    from mmeval.reports.gate_record import ShownGate
    from mmeval.runs.folder import Run


@click.command(context_settings={"show_default": True})
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="HTML file.  [default: report.html in the first run]"
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a folder with all samples, and pictures as they were sent, instead of one file; open its index.html.",
)
@click.option(
    "--max-mb", type=FiniteRange(min=0.5), default=20.0, help="Size limit; what is left out is said in the report."
)
@click.option("--baseline", metavar="MODEL", help="Model that the others are set against.  [default: the first one]")
@click.option(
    "--margin",
    type=FiniteRange(min=0),
    default=2.0,
    help="Points: smaller differences are drawn inside a grey band.",
)
@click.option(
    "--template-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with files that replace those of the same name in mmeval's reports/ (docs/report.md).",
)
@click.option("--open", "opened_after", is_flag=True, help="Open the result in the browser.")
@click.option(
    "--gate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Verdicts to show: gate.json of `mmeval gate --out`, or a policy to judge by.",
)
@click.option(
    "--latex", type=click.Path(path_type=Path), metavar="DIR", help="Tables as booktabs, charts as PDF and SVG."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print all tables as Markdown.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all tables as CSV, one line per cell, with full precision.")
@click.option("--json", "as_json", is_flag=True, help="Print all tables as JSON.")
def report(
    runs: tuple[str, ...],
    output: Path | None,
    bundle: Path | None,
    max_mb: float,
    baseline: str | None,
    margin: float,
    template_dir: Path | None,
    opened_after: bool,
    gate: Path | None,
    latex: Path | None,
    as_markdown: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Write one HTML file that opens without a network, or (with -o: also) its tables and charts in another form.

    \b
    Examples:
      mmeval report runs/mine -o mine.html
      mmeval report runs/base runs/candidate --baseline base
      mmeval report runs/large --bundle large-report --open
      mmeval report runs/base runs/candidate --gate gate/gate.json
      mmeval report runs/mine --latex paper/
      mmeval report runs/mine --json > tables.json
    """
    from click.core import ParameterSource

    from mmeval.cli.browser import open_in_browser
    from mmeval.cli.summary import note_undrawn
    from mmeval.core.errors import UsageError
    from mmeval.reports.build import build_report
    from mmeval.reports.bundle_folder import build_bundle
    from mmeval.runs.folder import open_run

    given = click.get_current_context().get_parameter_source("max_mb")
    if bundle is not None and given is not ParameterSource.DEFAULT:
        raise UsageError("--max-mb: a bundle leaves nothing out", remedy="leave --max-mb or --bundle out")
    if bundle is not None and output is not None:
        raise UsageError("-o and --bundle: one page at a time", remedy="run the command once for each")
    form = one_form(markdown=as_markdown, csv=as_csv, json=as_json)
    exported = latex is not None or form is not None
    if opened_after and exported and output is None and bundle is None:
        raise UsageError("--open: no page is written", remedy="give -o FILE too")
    opened = [open_run(run) for run in runs]
    record = None if gate is None else _gate_record(opened, gate, baseline)
    if exported:
        _export(opened, (baseline, margin / 100, record), latex, form)
    if bundle is not None:
        made = build_bundle(
            opened, bundle, template_dir=template_dir, baseline=baseline, margin=margin / 100, gate=record
        )
        page = made.path
        note_undrawn()
        lost = f", {made.missing} not kept by the run" if made.missing else ""
        echo(
            f"wrote {bundle} ({made.bytes / 1e6:.1f} MB, all {made.samples} samples, {made.pictures} pictures{lost}): open {page}",
            err=True,
        )
    elif output is not None or not exported:
        target = output or opened[0].path / "report.html"
        summary = build_report(
            opened,
            target,
            max_mb=max_mb,
            template_dir=template_dir,
            baseline=baseline,
            margin=margin / 100,
            gate=record,
        )
        page = summary.path
        echo(
            f"wrote {page} ({summary.bytes / 1e6:.1f} MB, {summary.samples_shown} of {summary.samples_total} samples shown)",
            err=True,
        )
        note_undrawn()
        if summary.oversize:
            echo(
                f"note: larger than --max-mb {max_mb:g}: tables and charts are never cut, and take that much by themselves",
                err=True,
            )
    else:
        return
    if opened_after:
        open_in_browser(page.resolve().as_uri())


def _gate_record(runs: list[Run], gate: Path, baseline: str | None) -> ShownGate:
    import datetime

    from mmeval.reports.build import check_baseline
    from mmeval.reports.gate_record import ShownGate
    from mmeval.reports.gate_section import read_gate
    from mmeval.reports.names import name_runs

    names = name_runs(runs)
    check_baseline(names, baseline)
    return ShownGate(read_gate(gate, names, baseline, datetime.datetime.now(datetime.UTC).date()))


def _export(
    runs: list[Run], how: tuple[str | None, float, ShownGate | None], latex: Path | None, form: str | None
) -> None:
    import orjson

    from mmeval.reports import exports
    from mmeval.reports.build import check_baseline
    from mmeval.reports.contents import read_contents
    from mmeval.reports.names import name_runs

    names = name_runs(runs)
    check_baseline(names, how[0])
    contents = read_contents(names, *how)
    if latex is not None:
        written = exports.write_latex(contents, latex)
        echo(f"wrote {len(written)} files into {latex}", err=True)
    if form == "json":
        echo_json(orjson.dumps(exports.json_record(contents), option=orjson.OPT_INDENT_2))
    elif form is not None:
        echo({"csv": exports.csv_text, "markdown": exports.markdown}[form](contents), nl=False)
    echo(f"report: {len(contents.sheets)} tables, {len(contents.figures)} charts", err=True)
