"""Standard streams: whatever becomes of them, a write does not fail, and what was lost is known."""

from __future__ import annotations

import fcntl
import io
import os
import threading

import pytest

from mmeval.cli import streams
from mmeval.cli.streams import Streams, _Outlet


def outlet_of(handle: int) -> tuple[_Outlet, io.TextIOWrapper]:
    outlet = _Outlet(handle)
    return outlet, io.TextIOWrapper(io.BufferedWriter(outlet), "utf-8")


def test_a_reader_who_has_gone_loses_nothing() -> None:
    reader, writer = os.pipe()
    outlet, stream = outlet_of(writer)
    stream.write("first\n")
    stream.flush()
    assert os.read(reader, 100) == b"first\n"
    os.close(reader)
    for _ in range(3):
        stream.write("nobody reads this\n" * 5000)
        stream.flush()
    assert outlet.fault is not None
    assert outlet.lost is None
    os.close(writer)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_remembered() -> None:
    handle = os.open("/dev/full", os.O_WRONLY)
    outlet, stream = outlet_of(handle)
    stream.write("text")
    stream.flush()
    stream.close()
    assert outlet.lost is not None
    assert "space" in str(outlet.lost)
    os.close(handle)


def test_a_pipe_that_does_not_block_takes_everything() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    outlet, stream = outlet_of(writer)
    data = "x" * 300_000  # more than a pipe holds
    read: list[bytes] = []

    def drain() -> None:
        while piece := os.read(reader, 65536):
            read.append(piece)

    thread = threading.Thread(target=drain)
    thread.start()
    stream.write(data)
    stream.flush()
    os.close(writer)
    thread.join()
    os.close(reader)
    assert outlet.fault is None
    assert len(b"".join(read)) == len(data)


def test_streams_that_something_else_has_replaced_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = io.StringIO()
    monkeypatch.setattr(streams.sys, "stdout", other)
    guarded = Streams()
    assert streams.sys.stdout is other
    assert guarded.lost() is None
