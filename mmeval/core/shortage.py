"""What a machine runs out of (memory, open files, processes) or refuses (a name, a file). Neither a bug nor the fault of the data that met it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from mmeval.core.errors import StorageError

_MEMORY = ("cannot allocate memory", "failed to map segment")
_THREAD = "can't start new thread"
_SHOWN = 120
"""Characters of a path in a message."""


_NAME = "give a shorter name, or another one"
_PERMISSION = "check the permissions of the file and of every folder above it"
_ROOM = "free some room there, or name a place with room"
_REFUSALS = {
    errno.ENAMETOOLONG: _NAME,
    errno.ELOOP: "look for links that point to each other",
    errno.ENOTDIR: "one of the folders of this path is a file; name another path",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "name a place on a file system that can be written",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EIO: "check the disk or the network file system, then run the same command again",
    errno.ESTALE: "mount the network file system again, then run the same command again",
}
"""What no file, or no user, gets from the operating system, and what to do about it."""


class ShortageError(StorageError):
    """The machine has run out of something (exit code 2; 6 when a run had begun). Running again may complete it."""


def shortage(error: BaseException | None) -> str:
    """Say what the machine ran out of, when an error or what caused it means that; empty when it means something else."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if told := _told(error):
            return told
        seen.append(error)
        error = error.__cause__
    return ""


def shortage_error(error: BaseException) -> ShortageError | None:
    """The error for the user, when one inside `error` (which may be a group) is a shortage."""
    for leaf in leaves(error):
        if told := shortage(leaf):
            return ShortageError(
                f"the machine ran out: {told}",
                remedy="raise that limit or lower --concurrency, then run the same command again; every committed answer is kept",
            )
    return None


def refused_error(error: BaseException) -> StorageError | None:
    """The error for the user, when one inside `error` (which may be a group) is the system's refusal of a file that it names."""
    for leaf in leaves(error):
        if isinstance(leaf, OSError) and leaf.filename is not None and leaf.errno in _REFUSALS:
            place = os.fsdecode(leaf.filename) if isinstance(leaf.filename, (str, bytes)) else str(leaf.filename)
            shown = place if len(place) <= _SHOWN else f"{place[:_SHOWN]}… ({len(place)} characters)"
            return StorageError(f"cannot use {shown}: {leaf.strerror}", remedy=_REFUSALS[leaf.errno])
    return None


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The single errors in a group; an error that is none stands for itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def _told(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if (
        isinstance(error, MemoryError)
        or number == errno.ENOMEM
        or any(words in text.lower() for words in _memory(error))
    ):
        return "memory (`ulimit -v`, or the limit of the container)"
    if number == errno.EMFILE:
        return "too many open files (`ulimit -n`)"
    if number == errno.ENFILE:
        return "too many open files on the whole machine"
    if number == errno.EAGAIN or (isinstance(error, RuntimeError) and text.startswith(_THREAD)):
        return "too many processes or threads (`ulimit -u`, or the limit of the container)"
    return ""


def _memory(error: BaseException) -> tuple[str, ...]:
    return _MEMORY if isinstance(error, (ImportError, OSError, RuntimeError)) else ()
