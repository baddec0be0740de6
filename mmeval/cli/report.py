"""`mmeval report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"show_default": True})
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="HTML file.  [default: report.html in the first run]"
)
@click.option(
    "--max-mb", type=click.FloatRange(min=0.5), default=20.0, help="Size limit; what is left out is said in the report."
)
@click.option("--baseline", metavar="MODEL", help="Model that the others are set against.  [default: the first one]")
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=2.0,
    help="Points: smaller differences are drawn inside a grey band.",
)
def report(runs: tuple[str, ...], output: Path | None, max_mb: float, baseline: str | None, margin: float) -> None:
    """Write one HTML file that opens without a network.

    \b
    Examples:
      mmeval report runs/mine -o mine.html
      mmeval report runs/base runs/candidate --baseline base
    """
    from mmeval.reports.build import build_report
    from mmeval.runs.folder import open_run

    opened = [open_run(run) for run in runs]
    target = output or opened[0].path / "report.html"
    summary = build_report(opened, target, max_mb=max_mb, baseline=baseline, margin=margin / 100)
    click.echo(
        f"wrote {summary.path} ({summary.bytes / 1e6:.1f} MB, {summary.samples_shown} of {summary.samples_total} samples shown)",
        err=True,
    )
