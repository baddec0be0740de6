"""Options that say where things lie, shared by several commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

task_path_option = click.option(
    "--task-path", "task_paths", multiple=True, type=click.Path(path_type=Path), help="Folder with further task cards."
)


def cache_option(what: str = "Response cache") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option `--cache`; `what` says which answers the command looks up there."""
    return click.option(
        "--cache",
        "cache_file",
        type=click.Path(path_type=Path),
        help=f"{what}.  [default: cache/responses.sqlite, or $MMEVAL_CACHE]",
    )
