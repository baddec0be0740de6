"""Memory that goes back to the system."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path

import pytest

from mmeval.core import memory
from mmeval.core.memory import little_memory, steady_memory

HELD = 20_000
"""Blocks of a kilobyte in each of four threads: 80 MB together."""


def resident_mb() -> float:
    """Resident memory of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def use_memory_in_threads() -> None:
    """Allocate and free in threads that end."""
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        blocks = [bytearray(1024) for _ in range(HELD)]
        together.wait()
        del blocks

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_memory_of_threads_that_have_ended_goes_back() -> None:
    with little_memory():
        pass  # those of asking from here on
    use_memory_in_threads()
    before = resident_mb()
    with little_memory():
        assert before - resident_mb() > 40


def test_without_further_threads_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []

    class Thread(threading.Thread):
        def start(self) -> None:
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    monkeypatch.setattr(threading, "Thread", Thread)
    with little_memory():
        assert len(started) == 2
    assert not any(thread.is_alive() for thread in started)


def test_a_c_library_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_library", lambda: object())
    with little_memory():
        memory.release_memory()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_large_blocks_are_not_kept() -> None:
    """glibc by itself would keep blocks like those that were freed before, here with one in use behind each of them."""
    steady_memory()
    del [bytearray(8 << 20)][0]
    before = resident_mb()
    blocks: list[bytearray | None] = [bytearray(b"x") * (2 << 20) for _ in range(40)]
    assert resident_mb() - before > 70
    blocks[::2] = [None] * 20
    assert resident_mb() - before < 50
