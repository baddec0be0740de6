"""What the machine runs out of is told from bugs and from damaged data."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mmeval.core.errors import MediaError, StorageError
from mmeval.core.shortage import ShortageError, refused_error, shortage, shortage_error


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


def test_a_name_that_is_too_long_for_a_file_is_no_bug(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        (tmp_path / ("n" * 300)).exists()
    found = refused_error(ExceptionGroup("tasks", [ValueError("x"), caught.value]))
    assert isinstance(found, StorageError)
    assert (found.exit_code, found.remedy) == (2, "give a shorter name, or another one")
    assert "File name too long" in found.message
    assert len(found.message) < 220


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ELOOP, errno.EIO])
def test_a_file_that_the_system_refuses_is_named(number: int) -> None:
    found = refused_error(OSError(number, os.strerror(number), b"runs/r"))
    assert found is not None
    assert found.message == f"cannot use runs/r: {os.strerror(number)}"
    assert found.remedy


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), OSError("x"), OSError(errno.EACCES, "x"), FileNotFoundError(errno.ENOENT, "x", "card.yaml")],
)
def test_other_errors_stay_bugs(error: Exception) -> None:
    assert refused_error(error) is None
