"""Signals that end a command: each of them as Ctrl-C does, so that files are cleaned up and the exit code is 130."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")

OTHERS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGXCPU") if hasattr(signal, name)
)  # fmt: skip
"""Besides Ctrl-C: `kill` and schedulers, a terminal that was closed, a limit of CPU time."""


def end_as_by_ctrl_c() -> None:
    """Let the signals of `OTHERS` raise KeyboardInterrupt, except those that are ignored (`nohup`) or handled already."""
    for number in OTHERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def end_at_once() -> None:
    """Let these signals end the process as they end any other: the command is over, and nothing would catch KeyboardInterrupt."""
    for number in (signal.SIGINT, *OTHERS):
        if signal.getsignal(number) in (_interrupt, signal.default_int_handler):
            signal.signal(number, signal.SIG_DFL)


def run_loop(make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine in an event loop of its own and return its result, as `asyncio.run` does.

    An interrupt waits until the loop is made: one that is thrown away half made says so with a traceback.
    """
    import asyncio

    runner = asyncio.Runner()
    with _held_back():
        runner.get_loop()
    work = make()
    try:
        with runner:
            return runner.run(work)
    finally:
        work.close()  # where an interrupt came before its first step


@contextmanager
def _held_back() -> Iterator[None]:
    """Let an interrupt that comes inside be raised at the end."""
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *OTHERS)}
    held = {number: one for number, one in handlers.items() if one in (_interrupt, signal.default_int_handler)}
    for number in held:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, one in held.items():
            signal.signal(number, one)
    if came:
        raise KeyboardInterrupt


def was_interrupt(error: BaseException) -> bool:
    """Whether an error is an interrupt in disguise: it came while other code ran, which raised an error of its own instead.

    pydantic, for one, builds its models when modules are imported, and says KeyboardInterrupt only in the text of its error.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if isinstance(one, KeyboardInterrupt) or str(one).rstrip().endswith("KeyboardInterrupt:"):
            return True
        one = one.__cause__ or one.__context__
    return False


def ending() -> list[signal.Signals]:
    """The signals that end a command: Ctrl-C, and those of `OTHERS` that are not ignored."""
    return [signal.SIGINT, *(number for number in OTHERS if signal.getsignal(number) is not signal.SIG_IGN)]


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
