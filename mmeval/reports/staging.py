"""Folders that appear as a whole: written beside their place, then moved there, and never over what is somebody else's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson

from mmeval.core.errors import StorageError, UsageError

MARKER = "mmeval-bundle.json"
"""Says that a folder is a bundle of ours, which may be replaced."""
_OWN = re.compile(
    rf"index\.html|{re.escape(MARKER)}|data|img|data/(?:index|chunk-\d+)\.js|img/[0-9a-f]{{64}}\.(?:png|jpeg|webp)"
)
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What desktops leave in folders that somebody looked at."""


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the target's place at the end; after a failure the target is as it was.

    Raises:
        UsageError: when the target is no folder, or holds anything that is no part of a bundle, or another process writes it.
        StorageError: when something cannot be written.
    """
    target = target.resolve()
    _check(target)
    new, old = (target.with_name(f".{target.name}.{state}") for state in ("new", "old"))
    for leftover in (new, old):  # of a process that was killed
        _refuse_strangers(leftover)
    try:
        with _alone(new, target):
            try:
                _empty(new)
                yield new
                _move(new, target, old)
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)
                raise
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.filename or ''}: {error.strerror or error}",
            remedy="free some space, or give another folder",
        ) from error


@contextlib.contextmanager
def _alone(folder: Path, target: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another mmeval process is writing {target}", remedy="wait for it") from error
        yield
    finally:
        os.close(handle)


def _check(target: Path) -> None:
    """Refuse a target that is neither new, nor empty, nor a bundle."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"{target} is a file, and a bundle is a folder", remedy="name another folder")
    if all(entry.name in _LITTER for entry in target.iterdir()):
        return
    try:
        marker = orjson.loads((target / MARKER).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        marker = None
    if not isinstance(marker, dict) or "mmeval_bundle" not in marker:
        raise UsageError(
            f"{target} holds files and is no bundle of mmeval (no {MARKER}); it is left as it is",
            remedy="name another folder, or remove this one yourself",
        )
    _refuse_strangers(target)


def _refuse_strangers(folder: Path) -> None:
    """Refuse to remove a folder in which somebody has put files of their own."""
    if not folder.is_dir():
        return
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.name not in _LITTER and (path.is_symlink() or not _OWN.fullmatch(name)):
            raise UsageError(
                f"{path} is no file of a bundle, and would be lost when {folder} is replaced",
                remedy="move it elsewhere, or name another folder",
            )


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _move(new: Path, target: Path, old: Path) -> None:
    if not target.exists():
        new.rename(target)
    else:
        if old.exists():
            shutil.rmtree(old)
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
    if old.exists():
        shutil.rmtree(old)
