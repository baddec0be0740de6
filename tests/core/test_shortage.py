"""What the machine runs out of is told from bugs and from damaged data."""

from __future__ import annotations

import errno
import os

import pytest

from mmeval.core.errors import MediaError
from mmeval.core.shortage import ShortageError, shortage, shortage_error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "memory"),
        (ImportError("lib.so: failed to map segment from shared object"), "memory"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "ulimit -n"),
        (OSError(errno.ENFILE, os.strerror(errno.ENFILE)), "whole machine"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "ulimit -u"),
    ],
)
def test_a_shortage_is_named_wherever_it_is_found(error: Exception, word: str) -> None:
    assert word in shortage(error)
    caused = MediaError("cannot read a.png")
    caused.__cause__ = error
    assert word in shortage(caused)
    found = shortage_error(ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("more", [caused])]))
    assert isinstance(found, ShortageError)
    assert word in found.message
    assert "same command again" in found.remedy


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        ValueError("cannot allocate memory"),
        RuntimeError("a bug"),
        ImportError("no module named x"),
        OSError("truncated"),
    ],
)
def test_everything_else_is_none(error: Exception) -> None:
    assert shortage(error) == ""
    assert shortage_error(ExceptionGroup("tasks", [error])) is None


def test_errors_that_cause_each_other_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert shortage(one) == ""
