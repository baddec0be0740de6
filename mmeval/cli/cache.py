"""`mmeval cache`: stats, verify, prune, export, import, merge, salvage."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mmeval.cli.place_options import cache_option
from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import DataError, StorageError, UsageError
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_rows import StoredAnswer

if TYPE_CHECKING:
    from mmeval.pipeline.cache_archive import Taken
    from mmeval.runs.folder import Run

_file = cache_option()


_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def _place(cache_file: Path | None, new: bool = False) -> Path:
    path = cache_file or Path(os.environ.get("MMEVAL_CACHE") or "cache/responses.sqlite")
    if not new and not path.exists():
        raise StorageError(f"there is no cache at {path}", remedy="give its file with --cache")
    return path


def _open(cache_file: Path | None, new: bool = False) -> ResponseCache:
    return ResponseCache(_place(cache_file, new))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cache() -> None:
    """Inspect the response cache, prune it, and carry answers to other machines.

    \b
    Example:
      mmeval cache stats
      mmeval cache export answers.gz runs/mine
    """


@cache.command()
@_file
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def stats(cache_file: Path | None, as_json: bool) -> None:
    """Count answers by model.

    \b
    Example:
      mmeval cache stats
    """
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
        echo_json(orjson.dumps(record))
    else:
        for model, count in found.by_model.items():
            echo(f"{count:>9}  {model}")
    echo(
        f"{found.responses} answers, {found.images} validated images, {found.bytes / 1e6:.1f} MB in {opened.path}",
        err=True,
    )


@cache.command()
@_file
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def verify(cache_file: Path | None, as_json: bool) -> int:
    """Check the database and the checksum of every answer; exit code 2 when something is damaged.

    \b
    Example:
      mmeval cache verify
    """
    with _open(cache_file) as opened:
        count = opened.stats().responses
        damaged = list(opened.damaged())
    if as_json:
        echo_json(orjson.dumps({"schema": 1, "responses": count, "damaged": damaged}))
    else:
        for key in damaged:
            echo(f"damaged: {key}")
    echo(
        f"{count} answers, {len(damaged)} damaged" + ("; they count as absent and are asked again" if damaged else ""),
        err=True,
    )
    return 2 if damaged else 0


@cache.command()
@_file
@click.option("--older-than", metavar="AGE", help="Answers that are older: 12h, 30d, 8w.")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Answers of this model, as `stats` names it (repeatable)."
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs: models that an unfinished run there asks keep all their answers.",
)
@click.option("--force", is_flag=True, help="Do not look at runs.")
@click.option("--dry-run", is_flag=True, help="Count, and delete nothing.")
@_json
def prune(
    cache_file: Path | None,
    older_than: str | None,
    models: tuple[str, ...],
    runs: Path,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete answers by age, by model, or by both; unfinished runs keep theirs.

    \b
    Examples:
      mmeval cache prune --older-than 30d --dry-run
      mmeval cache prune --model step-100 --model step-200
    """
    from mmeval.core.errors import nearest
    from mmeval.runs.cache_keys import unfinished_models

    if older_than is None and not models:
        raise UsageError("nothing is chosen", remedy="add --older-than AGE, --model NAME, or both")
    before = time.time() - (_age(older_than) if older_than is not None else 0)
    with _open(cache_file) as opened:
        there = opened.stats().by_model
        for name in models:
            if name not in there:
                close = ", ".join(nearest(name, there)) or "none"
                raise UsageError(f"the cache has no answers of {name!r}", remedy=f"it has: {close}; see `stats`")
        chosen = [name for name in there if not models or name in models]
        kept = {} if force else unfinished_models(runs)
        spared = {name: kept[name] for name in chosen if name in kept}
        gone: dict[str, int] = {}
        with opened.changing() as connection:
            for name in chosen:
                if name in spared:
                    continue
                where = "FROM responses WHERE model = ? AND created < ?"
                count = connection.execute(f"SELECT COUNT(*) {where}", (name, before)).fetchone()[0]
                if count:
                    gone[name] = count
                if not dry_run:
                    connection.execute(f"DELETE {where}", (name, before))
        shrunk = dry_run or not gone or opened.shrink()
        left = sum(there.values()) - (0 if dry_run else sum(gone.values()))
    for name, run in spared.items():
        echo(f"kept: {there[name]} answers of {name}, because {run} is not finished", err=True)
    if not shrunk:
        echo("another process uses the cache: the space is reused, and not given back now", err=True)
    if as_json:
        record = {
            "schema": 1,
            "deleted": gone,
            "kept": {name: str(run) for name, run in spared.items()},
            "dry_run": dry_run,
        }
        echo_json(orjson.dumps(record))
    else:
        for name, count in gone.items():
            echo(f"{count:>9}  {name}")
    done = "would be deleted" if dry_run else "deleted"
    echo(f"{sum(gone.values())} answers {done}, {left} are in {opened.path}", err=True)


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw])", text.strip())
    if found is None:
        raise UsageError(f"--older-than {text!r} is no age", remedy="e.g. 12h, 30d, 8w")
    return float(found[1]) * _SECONDS[found[2]]


@cache.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("runs", nargs=-1, metavar="[RUN…]")
@_file
@click.option("--model", "models", multiple=True, metavar="NAME", help="All answers of this model (repeatable).")
@click.option("--all", "everything", is_flag=True, help="All answers of the cache.")
@_json
def export(
    file: Path,
    runs: tuple[str, ...],
    cache_file: Path | None,
    models: tuple[str, ...],
    everything: bool,
    as_json: bool,
) -> int:
    """Write the answers of runs into one portable FILE (compressed JSON lines with checksums).

    Exit code 6 when the cache lacks answers that the runs hold, or has them damaged; the others are written.

    \b
    Examples:
      mmeval cache export answers.gz runs/a runs/b
      mmeval cache export everything.gz --all
    """
    from mmeval.pipeline.cache_archive import write_archive
    from mmeval.runs.folder import open_run

    if bool(runs) + bool(models) + everything != 1:
        raise UsageError("say which answers: RUN…, --model or --all", remedy="e.g. mmeval cache export FILE runs/mine")
    opened_runs = [open_run(run) for run in runs]
    missing = [0]
    with _open(cache_file) as opened:
        answers = _of_runs(opened, opened_runs, missing) if runs else _sound(opened, set(models), missing)
        about = {"runs": [{"name": run.manifest.name, "run_id": run.manifest.run_id} for run in opened_runs]}
        count = write_archive(file, answers, about)
    if as_json:
        echo_json(orjson.dumps({"schema": 1, "file": str(file), "answers": count, "missing": missing[0]}))
    lacks = f"; {missing[0]} are not in the cache, or damaged" if missing[0] else ""
    echo(f"wrote {count} answers, {file.stat().st_size / 1e6:.1f} MB -> {file}{lacks}", err=True)
    return 6 if missing[0] else 0


def _of_runs(opened: ResponseCache, runs: list[Run], missing: list[int]) -> Iterator[StoredAnswer]:
    from mmeval.runs.cache_keys import keys_of

    written: set[bytes] = set()
    for run in runs:
        for keys in keys_of(run):
            found = next((answer for key in keys if (answer := opened.find(key)) is not None and answer.sound), None)
            if found is None:
                missing[0] += 1
            elif bytes.fromhex(found.key) not in written:
                written.add(bytes.fromhex(found.key))
                yield found


def _sound(opened: ResponseCache, models: set[str], missing: list[int]) -> Iterator[StoredAnswer]:
    for answer in opened.answers():
        if models and answer.model not in models:
            continue
        if answer.sound:
            yield answer
        else:
            missing[0] += 1


@cache.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@_file
@_json
def import_(files: tuple[Path, ...], cache_file: Path | None, as_json: bool) -> int:
    """Take the answers of archives into the cache. A damaged archive is refused whole.

    What the cache holds already stays; exit code 5 when an archive has another answer to the same request.

    \b
    Example:
      mmeval cache import answers.gz
    """
    from mmeval.pipeline.cache_archive import import_archive, read_archive

    for file in files:
        if next(read_archive(file), None) is None:
            echo(f"{file} holds no answers", err=True)
    with _open(cache_file, new=True) as opened:
        return _told(opened.path, {file: import_archive(opened, file) for file in files}, as_json)


@cache.command("merge")
@click.argument("files", nargs=-1, required=True, metavar="CACHE…", type=click.Path(path_type=Path))
@_file
@_json
def merge(files: tuple[Path, ...], cache_file: Path | None, as_json: bool) -> int:
    """Take the answers of other caches (of shards, of other machines) into the cache; they stay as they are.

    What the cache holds already stays; exit code 5 when another cache has another answer to the same request.

    \b
    Example:
      mmeval cache merge runs/mine/cache-*.sqlite
    """
    from mmeval.pipeline.cache_archive import merge_cache

    for file in files:
        if not file.is_file():
            raise DataError(f"there is no cache at {file}", remedy="name the file of a response cache")
    with _open(cache_file, new=True) as opened:
        return _told(opened.path, {file: merge_cache(opened, file) for file in files}, as_json)


def _told(path: Path, taken: dict[Path, Taken], as_json: bool) -> int:
    names = ("added", "known", "different", "damaged")
    total: dict[str, Any] = {name: sum(getattr(one, name) for one in taken.values()) for name in names}
    for file, one in taken.items():
        if one.different or one.damaged:
            echo(
                f"{file}: {one.different} answers differ from those that the cache keeps, {one.damaged} damaged ones are left out",
                err=True,
            )
    if as_json:
        echo_json(orjson.dumps({"schema": 1, "cache": str(path), **total}))
    echo(f"{total['added']} answers added, {total['known']} were there -> {path}", err=True)
    return 5 if total["different"] else 0


@cache.command()
@_file
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The new cache; it must not exist."
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def salvage(cache_file: Path | None, output: Path, as_json: bool) -> None:
    """Copy the sound answers of a damaged cache into a new one; the old file stays as it is.

    \b
    Example:
      mmeval cache salvage --cache cache/responses.sqlite -o cache/salvaged.sqlite
    """
    from mmeval.pipeline.salvage import salvage as copy_sound_answers

    path = _place(cache_file)
    found = copy_sound_answers(path, output)
    if as_json:
        record = {"schema": 1, "cache": str(output), "kept": found.kept, "damaged": found.damaged}
        echo_json(orjson.dumps({**record, "complete": found.complete}))
    rest = "" if found.complete else "; where the database cannot be read, its pages were searched one by one"
    echo(f"{found.kept} answers kept, {found.damaged} entries damaged{rest}; go on with --cache {output}", err=True)
