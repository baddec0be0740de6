"""What goes wrong with the cache's file, in words for the user."""

from __future__ import annotations

import os
from pathlib import Path

from mmeval.core.errors import StorageError
from mmeval.core.shortage import shortage_error
from mmeval.pipeline.places import obstacle

LOCK_TIMEOUT_S = 60.0
"""How long a write waits while another process holds the cache."""
_HANDLES = 4
"""Files that one connection opens: the database, its log, its shared memory, and the folder."""


def storage_error(path: Path, error: Exception) -> StorageError:
    """The error for the user: what SQLite or the system said of the cache at `path`, and what to do about it."""
    text = str(error)
    if path.is_dir():
        return StorageError(
            f"--cache {path} is a folder, and the cache is one file", remedy=f"use --cache {path / 'responses.sqlite'}"
        )
    if path.exists() and not path.is_file():
        return StorageError(
            f"cache {path} is no ordinary file", remedy="give another file with --cache, or move this one away"
        )
    if short := shortage_error(error) or _no_handles():
        return short
    if reason := obstacle(path.parent):
        return StorageError(f"cache {path} cannot be written: {reason}", remedy=_writable_remedy(path))
    if "disk is full" in text or "No space left" in text:
        return StorageError(
            f"cache {path}: the disk is full",
            remedy="free some space and run the same command again; every committed answer is kept",
        )
    if "readonly" in text or "read-only" in text or "unable to open" in text or isinstance(error, PermissionError):
        return StorageError(f"cache {path} cannot be written: {text}", remedy=_writable_remedy(path))
    if "locked" in text:
        return StorageError(
            f"cache {path} was locked by another process for {LOCK_TIMEOUT_S:.0f} s",
            remedy="wait for that process, or give another file with --cache",
        )
    if "not a database" in text or "malformed" in text or isinstance(error, UnicodeDecodeError):
        return StorageError(f"cache {path} is corrupt or no cache: {text}", remedy=salvage_remedy(path))
    if "I/O error" in text:
        # The disk itself, or files of the database that somebody took away or cut short while a process has them open.
        return StorageError(
            f"cache {path}: {text}",
            remedy=f"end other processes that use it and run the same command again; if that does not help, {salvage_remedy(path)}",
        )
    return StorageError(f"cache {path}: {text}", remedy="give another file with --cache")


def _writable_remedy(path: Path) -> str:
    remedy = "make it writable or give another file with --cache"
    return f"{remedy}; {salvage_remedy(path)}" if path.is_file() else remedy


def _no_handles() -> StorageError | None:
    """Whether files can be opened at all: SQLite does not say why it could not."""
    handles: list[int] = []
    try:
        for _ in range(_HANDLES):
            handles.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return shortage_error(error)
    finally:
        for handle in handles:
            os.close(handle)
    return None


def salvage_remedy(path: Path) -> str:
    """What to do about a corrupt cache."""
    return f"`mmeval cache salvage --cache {path} -o NEW.sqlite` keeps what can be read; go on with --cache NEW.sqlite"
