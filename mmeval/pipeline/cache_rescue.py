"""A cache whose file somebody deletes, moves or replaces while it is in use: this process still holds all of it open."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from mmeval.core.errors import StorageError

Identity = tuple[int, int]


def identity(path: Path) -> Identity | None:
    """Device and number of the file that a path names; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def rescue(connection: sqlite3.Connection, path: Path) -> StorageError:
    """Write all that an open cache holds to the disk again, in its old place if that is free; returns what to tell the user.

    What lies in the old place is left alone: it may be in use by another process.

    Raises:
        sqlite3.Error, OSError: when it cannot be written.
    """
    copy = path.with_name(f"{path.name}.rescued-{os.getpid()}")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(copy),))
    with copy.open("rb") as handle:
        os.fsync(handle.fileno())
    if identity(path) is None:
        # A log that is left there belongs to the file that is gone, and would be read into the new one.
        for suffix in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        try:
            os.link(copy, path)  # never over a file that has come meanwhile
        except FileExistsError:
            pass
        else:
            copy.unlink()
            return StorageError(
                f"cache {path} was deleted or moved while it was in use; all of its answers have been written there anew",
                remedy="run the same command again",
            )
    return StorageError(
        f"another file has been put in the place of cache {path} while it was in use; the answers are in {copy}",
        remedy=f"`mmeval cache merge {copy} --cache {path}`, then run the same command again",
    )
