"""Signals that end a command: each of them as Ctrl-C does, so that files are cleaned up and the exit code is 130."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

OTHERS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGXCPU") if hasattr(signal, name)
)  # fmt: skip
"""Besides Ctrl-C: `kill` and schedulers, a terminal that was closed, a limit of CPU time."""


def end_as_by_ctrl_c() -> None:
    """Let the signals of `OTHERS` raise KeyboardInterrupt, except those that are ignored (`nohup`) or handled already."""
    for number in OTHERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def ending() -> list[signal.Signals]:
    """The signals that end a command: Ctrl-C, and those of `OTHERS` that are not ignored."""
    return [signal.SIGINT, *(number for number in OTHERS if signal.getsignal(number) is not signal.SIG_IGN)]


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
