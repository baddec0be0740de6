"""Faults that are put into a child process before its command starts. Only tests import this."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import random
import resource
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COUNT_FILE = "writes.count"
"""Where a child that counts its writes leaves their number, in its working directory."""


def install(text: str) -> None:
    """Install a fault: its name and its arguments, parted by blanks; nothing for an empty text."""
    name, *arguments = text.split() or [""]
    if name:
        _HOOKS[name](*arguments)


def _full_at(first: str, number: str = str(errno.ENOSPC)) -> None:
    """The disk is full from the write with this number on: files of Python and SQLite's alike. `0` only counts."""
    limit = int(first)
    counted = 0

    def count() -> bool:
        nonlocal counted
        counted += 1
        if limit == 0:
            with real_open(COUNT_FILE, "w") as handle:
                handle.write(str(counted))
        return limit > 0 and counted >= limit

    def fail() -> None:
        raise OSError(int(number), os.strerror(int(number)))

    class Full(io.FileIO):
        def write(self, data: Any, /) -> int:
            if count():
                fail()
            return super().write(data)

    real_open = io.open
    own = Path.cwd()

    def opened(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        inside = isinstance(file, (str, os.PathLike)) and (own / os.fspath(file)).is_relative_to(own)  # type: ignore[type-var]
        if inside and any(letter in mode for letter in "wax+"):
            if count():
                fail()
            raw = io.BufferedWriter(Full(file, mode.replace("b", "").replace("t", "")))
            return raw if "b" in mode else io.TextIOWrapper(raw, encoding=named.get("encoding") or "utf-8")
        return real_open(file, mode, *rest, **named)

    builtins.open = opened
    io.open = opened  # pathlib uses this one

    real_write, real_mkdir, real_fsync = os.write, os.mkdir, os.fsync
    real_replace = os.replace

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if count():
                fail()
            return real(*arguments, **named)

        return call

    os.mkdir, os.fsync, os.replace = guarded(real_mkdir), guarded(real_fsync), guarded(real_replace)
    os.write = lambda handle, data: real_write(handle, data) if handle <= 2 else guarded(real_write)(handle, data)  # type: ignore[assignment]

    class Statements(sqlite3.Connection):
        """A database whose changing statements fail as SQLite fails on a full disk."""

        def execute(self, sql: str, *rest: Any, **named: Any) -> Any:
            self._look(sql)
            return super().execute(sql, *rest, **named)

        def executemany(self, sql: str, *rest: Any, **named: Any) -> Any:
            self._look(sql)
            return super().executemany(sql, *rest, **named)

        def executescript(self, sql: str, *rest: Any, **named: Any) -> Any:
            self._look(sql)
            return super().executescript(sql, *rest, **named)

        def _look(self, sql: str) -> None:
            if sql.lstrip().upper().startswith(("INSERT", "COMMIT", "CREATE", "DELETE")) and count():
                raise sqlite3.OperationalError("database or disk is full")

    real_connect = sqlite3.connect
    sqlite3.connect = lambda *a, **n: real_connect(*a, **{"factory": Statements, **n})  # type: ignore[assignment]


def _largest_file(size: str) -> None:
    """No file may grow beyond so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))


def _clock(seed: str) -> None:
    """The wall clock jumps by up to ten years, back and forth, at every look; the monotonic clock does not."""
    chooser, real = random.Random(int(seed)), time.time
    time.time = lambda: real() + chooser.uniform(-3.2e8, 3.2e8)


def _no_shared_memory() -> None:
    """A file system as over a network: locks by files beside the database, no shared memory and so no WAL."""
    real = sqlite3.connect

    def connect(database: Any, *rest: Any, **named: Any) -> sqlite3.Connection:
        return real(f"file:{os.fspath(database)}?vfs=unix-dotfile", *rest, **{**named, "uri": True})

    sqlite3.connect = connect  # type: ignore[assignment]


def _no_flock(number: str = str(errno.ENOLCK)) -> None:
    """`flock` fails as on a network file system without a lock daemon."""

    def flock(handle: Any, operation: int) -> None:
        raise OSError(int(number), os.strerror(int(number)))

    fcntl.flock = flock


def _no_privileges() -> None:
    """The permissions of files count, for root too (in a container tests often run as root)."""
    import ctypes

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    none = (ctypes.c_uint32 * 6)()
    header = Header(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), none):
        raise OSError(ctypes.get_errno(), "capset")


def _kill_at_commit(which: str) -> None:
    """The process kills itself just before, or just after, its commit with this number (negative: after)."""
    target, seen = int(which), 0

    class Deadly(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any, **named: Any) -> Any:
            nonlocal seen
            if sql != "COMMIT":
                return super().execute(sql, *rest, **named)
            seen += 1
            if seen == target:
                os.kill(os.getpid(), signal.SIGKILL)
            done = super().execute(sql, *rest, **named)
            if seen == -target:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

    real = sqlite3.connect
    sqlite3.connect = lambda *a, **n: real(*a, **{"factory": Deadly, **n})  # type: ignore[assignment]


def _puppet_engine() -> None:
    """Adds the engine `puppet`, whose worker process may be killed."""
    from mmeval.engines import registry

    registry.BUILT_IN = {**registry.BUILT_IN, "puppet": "tests.faults.puppet:PuppetEngine"}


def _stream(which: str, what: str) -> None:
    """What is wrong with standard output or error (1, 2 or 12): `closed`, `full` (its disk), or `broken` (its reader is gone)."""
    for number in map(int, which):
        if what == "closed":
            # As Python finds it at its start.
            os.close(number)
            for name in ("stdout", "__stdout__") if number == 1 else ("stderr", "__stderr__"):
                setattr(sys, name, None)
            continue
        if what == "full":
            place = os.open("/dev/full", os.O_WRONLY)
        else:
            reader, place = os.pipe()
            os.close(reader)
        os.dup2(place, number)
        os.close(place)


def _limit(name: str, value: str, hard: str = "") -> None:
    """A limit of the process, by its name in `resource` without RLIMIT_."""
    resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (int(value), int(hard or value)))


def _no_threads(after: str) -> None:
    """No thread can be started after so many."""
    left, real = int(after), threading.Thread.start

    def start(thread: threading.Thread) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("can't start new thread")
        real(thread)

    threading.Thread.start = start  # type: ignore[method-assign]


def _no_memory(which: str) -> None:
    """There is no memory for the pixels of every picture from so many on."""
    from PIL import ImageFile

    left, real = int(which), ImageFile.ImageFile.load

    def load(image: ImageFile.ImageFile) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise MemoryError
        return real(image)

    ImageFile.ImageFile.load = load  # type: ignore[method-assign]


_HOOKS: dict[str, Callable[..., None]] = {
    "full-at": _full_at,
    "largest-file": _largest_file,
    "clock": _clock,
    "no-shared-memory": _no_shared_memory,
    "no-flock": _no_flock,
    "no-privileges": _no_privileges,
    "kill-at-commit": _kill_at_commit,
    "puppet": _puppet_engine,
    "stream": _stream,
    "limit": _limit,
    "no-threads": _no_threads,
    "no-memory": _no_memory,
}
