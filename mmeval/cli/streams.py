"""Standard output and error that a command can lose without losing anything else: no reader, no room, not even open."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

from mmeval.core.errors import StorageError

_GONE = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO, errno.ECONNRESET})
"""What a write to a pipe without a reader, or to a terminal that was closed, ends with."""


class _Outlet(io.FileIO):
    """The bytes of one standard stream. A write never fails: after the first failure everything is dropped."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.fault: OSError | None = None
        self._interactive = self.isatty()

    def write(self, data: Any, /) -> int:
        """Write, or drop."""
        while self.fault is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.fault = error
            else:
                if written is not None:
                    return written
                # Somebody has made the open file that we share with others a non-blocking one.
                select.select([], [self], [])
        return len(memoryview(data).cast("B"))

    @property
    def lost(self) -> OSError | None:
        """The failure that cost the user something: not that of a reader who has gone (`| head`, a closed terminal)."""
        gone = self.fault is not None and (self._interactive or self.fault.errno == errno.EPIPE)
        return None if gone else self.fault


class Streams:
    """The standard streams of this process, made safe; leaves streams alone that something else has put in their place."""

    def __init__(self) -> None:
        _open_all()
        self._out = _guarded("stdout", 1)
        _guarded("stderr", 2)

    def lost(self) -> StorageError | None:
        """What became of standard output, when what a command printed did not arrive.

        A reader who went away has what it wanted, and nobody could read an error about standard error.
        """
        if self._out is None:
            return None
        sys.stdout.flush()
        fault = self._out.lost
        if fault is None:
            return None
        return StorageError(
            f"standard output cannot be written: {fault.strerror or fault}",
            remedy="free some space or send it elsewhere, then run the same command again",
        )


def _open_all() -> None:
    """Open the null device in the place of standard streams that are closed.

    Otherwise the next file that is opened takes the number, and what a library prints goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)


def _guarded(name: str, number: int) -> _Outlet | None:
    """Put a stream of ours into `sys`, with the encoding of the one that is there."""
    present: TextIO | None = getattr(sys, name)
    if present is not getattr(sys, f"__{name}__"):
        return None
    try:
        if present is not None and present.fileno() != number:
            return None
    except (OSError, ValueError):
        return None
    outlet = _Outlet(number)
    encoding = None if present is None else present.encoding
    # A character that the encoding lacks is shown by its code, as standard error does it.
    errors = "surrogateescape" if present is not None and present.errors == "surrogateescape" else "backslashreplace"
    buffer = io.BufferedWriter(outlet, 1 << 13)
    stream = io.TextIOWrapper(buffer, encoding, errors, line_buffering=number == 2 or outlet.isatty())
    if present is not None:
        present.flush()
    setattr(sys, name, stream)
    return outlet
