"""`mmeval view`."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmeval.cli.parameter_types import FiniteRange
from mmeval.cli.signals import ending, run_loop
from mmeval.cli.terminal import echo, echo_json

if TYPE_CHECKING:
    from mmeval.reports.live_build import Builder


@click.command(context_settings={"show_default": True})
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option("--baseline", metavar="MODEL", help="Model that the others are set against.  [default: the first one]")
@click.option("--max-mb", type=FiniteRange(min=0.5), default=20.0, help="Size limit of the report in the page.")
@click.option(
    "--template-dir",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    metavar="DIR",
    help="Folder with templates and styles of your own for the report in the page (docs/report.md).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON on stdout.")
def view(
    runs: tuple[str, ...],
    port: int,
    open_page: bool,
    baseline: str | None,
    max_mb: float,
    template_dir: Path | None,
    as_json: bool,
) -> int:
    """Show the report of runs in the browser while they go on: progress, running values, latest failures.

    The page is served on 127.0.0.1 alone, under an address that holds a secret. It refreshes itself. Runs may have
    ended, be going on, or start later. Ctrl-C ends the viewer, never a run.

    \b
    Examples:
      mmeval view runs/mine --open
      mmeval view runs/base runs/candidate --baseline base
    """
    import orjson

    from mmeval.reports.live_build import Builder, BuildOptions
    from mmeval.reports.live_server import bind, new_token

    listening = bind(port)
    token = new_token()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/"
    with tempfile.TemporaryDirectory(prefix="mmeval-view-", ignore_cleanup_errors=True) as folder:
        echo(f"view: {url} (Ctrl-C ends it)", err=True)
        if as_json:
            echo_json(orjson.dumps({"schema": 1, "url": url}))
            sys.stdout.flush()
        if open_page:
            _open(url, Path(folder))
        options = BuildOptions(max_mb, baseline, template_dir)
        run_loop(lambda: _serve(runs, listening, token, Builder(Path(folder), options)))
    echo("view: ended; runs go on by themselves", err=True)
    return 0


async def _serve(runs: Sequence[str], listening: socket.socket, token: str, builder: Builder) -> None:
    from mmeval.reports.live_server import Viewer, serve
    from mmeval.runs.watch import Watches

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ending():
        loop.add_signal_handler(name, stop.set)
    await serve(Viewer(Watches(runs), builder), token, listening, stop)


def _open(url: str, folder: Path) -> None:
    """Open the page by way of a private file: the command line of a browser can be read by everybody on the machine."""
    from mmeval.cli.browser import open_in_browser

    page = folder / "open.html"
    page.touch(mode=0o600)
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}"><title>mmeval view</title>\n',
        encoding="utf-8",
    )
    open_in_browser(page.as_uri())
