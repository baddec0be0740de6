"""`mmeval cache`: stats and verify."""

from __future__ import annotations

import os
from pathlib import Path

import click
import orjson

from mmeval.core.errors import StorageError
from mmeval.pipeline.cache import ResponseCache

_file = click.option(
    "--cache",
    "cache_file",
    type=click.Path(path_type=Path),
    help="Response cache.  [default: cache/responses.sqlite, or $MMEVAL_CACHE]",
)


def _open(cache_file: Path | None) -> ResponseCache:
    path = cache_file or Path(os.environ.get("MMEVAL_CACHE") or "cache/responses.sqlite")
    if not path.exists():
        raise StorageError(f"there is no cache at {path}", remedy="give its file with --cache")
    return ResponseCache(path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cache() -> None:
    """Inspect the response cache.

    \b
    Example:
      mmeval cache stats
    """


@cache.command()
@_file
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def stats(cache_file: Path | None, as_json: bool) -> None:
    """Count answers by model."""
    with _open(cache_file) as opened:
        found = opened.stats()
    if as_json:
        record = {
            "schema": 1,
            "responses": found.responses,
            "images": found.images,
            "bytes": found.bytes,
            "by_model": dict(found.by_model),
        }
        click.echo(orjson.dumps(record).decode())
    else:
        for model, count in found.by_model.items():
            click.echo(f"{count:>9}  {model}")
    click.echo(
        f"{found.responses} answers, {found.images} validated images, {found.bytes / 1e6:.1f} MB in {opened.path}",
        err=True,
    )


@cache.command()
@_file
def verify(cache_file: Path | None) -> int:
    """Check the database and the checksum of every answer; exit code 2 when something is damaged."""
    with _open(cache_file) as opened:
        count = opened.stats().responses
        damaged = list(opened.damaged())
    for key in damaged:
        click.echo(f"damaged: {key}")
    click.echo(
        f"{count} answers, {len(damaged)} damaged" + ("; they count as absent and are asked again" if damaged else ""),
        err=True,
    )
    return 2 if damaged else 0
