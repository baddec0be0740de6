"""What a machine runs out of: memory, open files, processes. Neither a bug nor the fault of the data that met it."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from mmeval.core.errors import StorageError

_MEMORY = ("cannot allocate memory", "failed to map segment")
_THREAD = "can't start new thread"


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
