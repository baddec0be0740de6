"""Who may ask a server next: bounded in requests and in tokens, shared fairly by all who ask it, and never stuck."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class _Waiting:
    admitted: asyncio.Future[None]
    weight: int


class Line:
    """Those who wait for one server on behalf of one model or judge, first come first served.

    Attributes:
        most: requests that it may have in flight at once.
        held: requests in flight.
        weight: tokens of them.
        resized: told the server's number of slots when that changes.
    """

    def __init__(self, admission: Admission, most: int | None) -> None:
        self._admission = admission
        self.most = most
        self.held = 0
        self.weight = 0
        self.served = 0
        """Turn in which it was last admitted."""
        self.waiting: deque[_Waiting] = deque()
        self.resized: Callable[[int], None] | None = None

    @asynccontextmanager
    async def place(self, weight: int = 1) -> AsyncIterator[None]:
        """Hold a place for one request of so many tokens."""
        await self.enter(weight)
        try:
            yield
        finally:
            self.leave(weight)

    async def enter(self, weight: int = 1) -> None:
        """Wait for a place; whoever gets one must `leave` with the same weight."""
        if self._admission.admits_at_once(self, weight):
            return
        waiting = _Waiting(asyncio.get_running_loop().create_future(), weight)
        self.waiting.append(waiting)
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            if waiting.admitted.done() and not waiting.admitted.cancelled():
                self.leave(weight)  # admitted and cancelled at once
            else:
                self._admission.admit()  # it may have been what those behind it waited for
            raise

    def leave(self, weight: int = 1) -> None:
        """Give the place back."""
        self._admission.release(self, weight)


class Admission:
    """The places of one server.

    A request waits until there is a place and its tokens fit; one that is larger than everything goes alone. Of several lines the one
    with the fewest tokens in flight is next (requests, where tokens are not counted), and no later request passes the one whose
    turn it is, so that large ones are not starved by small ones.

    Args:
        slots: requests in flight at most.
        tokens: tokens in flight at most; None does not count them.
    """

    def __init__(self, slots: int, tokens: int | None = None) -> None:
        self.slots = max(1, slots)
        self.tokens = tokens
        self.held = 0
        self.weight = 0
        self.lines: list[Line] = []
        self._turn = 0

    def join(self, most: int | None = None) -> Line:
        """Open a line, with its own bound on requests in flight."""
        line = Line(self, most)
        self.lines.append(line)
        return line

    @property
    def full(self) -> bool:
        """Whether somebody waits, or whoever comes next would."""
        return self.held >= self.slots or any(line.waiting for line in self.lines)

    @property
    def weighs(self) -> bool:
        """Whether tokens matter here."""
        return self.tokens is not None or len(self.lines) > 1

    def resize(self, slots: int, tokens: int | None = None) -> None:
        """Admit more, or no one until enough have gone; at least one slot stays. Tokens change only where they are given."""
        slots, before = max(1, slots), self.slots
        self.slots = slots
        if tokens is not None:
            self.tokens = max(1, tokens)
        if slots != before:
            for line in self.lines:
                if line.resized is not None:
                    line.resized(slots)
        self.admit()

    def admits_at_once(self, line: Line, weight: int) -> bool:
        """Take a place if there is one and nobody who waits could take it."""
        if not self._open(line) or not self._fits(weight) or any(one.waiting for one in self.lines if self._open(one)):
            return False
        self._take(line, weight)
        return True

    def release(self, line: Line, weight: int) -> None:
        """Give a place back, and let the next one in."""
        self.held -= 1
        self.weight -= weight
        line.held -= 1
        line.weight -= weight
        self.admit()

    def admit(self) -> None:
        """Let in whoever's turn it is, as long as they fit."""
        while self.held < self.slots and (line := self._next()) is not None:
            waiting = line.waiting[0]
            if not self._fits(waiting.weight):
                return
            line.waiting.popleft()
            self._take(line, waiting.weight)
            waiting.admitted.set_result(None)

    def _next(self) -> Line | None:
        """The line whose turn it is."""
        best: Line | None = None
        for line in self.lines:
            while line.waiting and line.waiting[0].admitted.done():
                line.waiting.popleft()  # cancelled
            if line.waiting and self._open(line) and (best is None or _share(line) < _share(best)):
                best = line
        return best

    @staticmethod
    def _open(line: Line) -> bool:
        return line.most is None or line.held < line.most

    def _fits(self, weight: int) -> bool:
        if self.held >= self.slots:
            return False
        return self.tokens is None or self.held == 0 or self.weight + weight <= self.tokens

    def _take(self, line: Line, weight: int) -> None:
        self._turn += 1
        self.held += 1
        self.weight += weight
        line.held += 1
        line.weight += weight
        line.served = self._turn


def _share(line: Line) -> tuple[int, int, int]:
    return line.weight, line.held, line.served
