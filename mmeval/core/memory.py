"""Memory that was freed, given back to the system: what comes next would stand on top of what the C library keeps.

glibc keeps freed blocks in arenas, one for each few threads (mallopt(3), malloc_trim(3)), and comes to keep ever larger ones. Kept
screenshots of several threads take up to twice the memory of those in use, and more the longer a run goes on.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt."""
_STEADY, _LITTLE = (64 << 20, 1 << 20), (64 << 10, 128 << 10)
"""Both thresholds in bytes: while models are asked, where blocks of usual pictures are best kept for the next ones, and afterwards."""
_ARENAS = 8
"""Arenas that are looked after: those of the last threads to end."""
_TOUCH = 100_000
"""Bytes: below both thresholds, and enough for glibc to look at the end of an arena when they are freed (64 KiB)."""


def release_memory() -> None:
    """Give freed memory back to the system, that of Arrow (of the calling thread) and that of the C library.

    Both keep what was freed, a few dozen MB after a run; what comes next would stand on top of it.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    trim = getattr(_library(), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


def steady_memory() -> None:
    """From now on, blocks of a megabyte and more go back to the system as soon as they are freed; smaller ones may be kept."""
    _set(_STEADY)


@contextmanager
def little_memory() -> Iterator[None]:
    """Within, large blocks go back to the system as soon as they are freed, and so do those of threads that have ended.

    It costs a little time for each block, and concerns all threads of the process.
    """
    if _set(_LITTLE):
        _trim_idle_arenas()
        release_memory()
    try:
        yield
    finally:
        _set(_STEADY)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _set(thresholds: tuple[int, int]) -> bool:
    """Set both thresholds, and return whether the C library has them."""
    change = getattr(_library(), "mallopt", None)
    if change is not None:
        for parameter, value in zip((_TRIM_THRESHOLD, _MMAP_THRESHOLD), thresholds, strict=True):
            change(parameter, value)
    return change is not None


def _trim_idle_arenas() -> None:
    """Give back the ends of arenas that no thread has: malloc_trim leaves them, freeing a block in a thread of each does not."""
    together = threading.Barrier(_ARENAS)

    def touch() -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait()  # as many arenas as threads, for none has ended
            block = bytearray(_TOUCH)
            together.wait()
            del block

    threads = [threading.Thread(target=touch, name="mmeval-trim", daemon=True) for _ in range(_ARENAS)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError:  # no more threads: the memory stays where it is
        together.abort()
    for thread in threads:
        if thread.ident is not None:
            thread.join()
