"""Opening files in folders that may have come from somebody else, where a name can be a link, a pipe or a device."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import TextIO

MAX_BYTES = 256 * 1024 * 1024
"""Larger pictures, and records of runs, are refused before they are read."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def create(path: str | Path) -> BufferedWriter:
    """Open a new file for writing. Whatever has its name is removed first: a link there would lead the bytes elsewhere.

    Raises:
        OSError: when it cannot be made.
    """
    try:
        descriptor = os.open(path, _NEW, 0o666)
    except FileExistsError:
        os.unlink(path)
        descriptor = os.open(path, _NEW, 0o666)
    return os.fdopen(descriptor, "wb")


def write(path: str | Path, data: bytes) -> None:
    """Write a new file, see `create`.

    Raises:
        OSError: when it cannot be written.
    """
    with create(path) as handle:
        handle.write(data)


def open_lock(path: Path) -> TextIO:
    """Open a file that is only there to be locked; its content, if it has any, stays.

    Raises:
        OSError: when it cannot be opened, or is a link (ELOOP).
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o666), "r+", encoding="utf-8")


def open_regular(path: Path) -> BufferedReader:
    """Open a file, or the file that a link names, for reading; pipes and devices, which may have no end, are refused.

    Raises:
        OSError: when it cannot be read, or is no regular file.
    """
    # Without blocking: nobody may ever write into a pipe.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a zero byte, or half a surrogate pair, as a row of a data set may hold them
        raise OSError(errno.EINVAL, f"no file has such a name ({error})", ascii(str(path))) from error
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, no regular file", str(path))


def read_regular(path: Path, most_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a file, see `open_regular`.

    Raises:
        OSError: as there, and when it is larger than allowed.
    """
    with open_regular(path) as handle:
        size = os.fstat(handle.fileno()).st_size
        if size > most_bytes:
            reason = f"{size / 2**20:.0f} MiB, more than {most_bytes / 2**20:.0f} MiB are refused"
            raise OSError(errno.EFBIG, reason, str(path))
        return handle.read()
