"""Memory and places of samples that are prepared, asked or waiting for a verdict."""

from __future__ import annotations

import asyncio
import os

SLOTS_OF_BUDGET = 1024
"""Slots that `Effort.media_budget_bytes` is made for; with more, the budget grows alike."""


def budget_for(least: int, slots: int) -> int:
    """Bytes of prepared media that many slots need so as never to wait, within a quarter of the machine's memory."""
    wanted = least * slots // SLOTS_OF_BUDGET
    if wanted <= least or not hasattr(os, "sysconf"):
        return least
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(least, min(wanted, memory // 4))


class ByteBudget:
    """Holds the feeder back while prepared media fill their share of memory."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._free = asyncio.Event()
        self._free.set()

    def widen(self, limit: int) -> None:
        """Let more wait, never fewer."""
        self.limit = max(self.limit, limit)
        self.give(0)

    async def room(self) -> None:
        """Wait until some of the budget is free. Sizes are known only after reading, so the last ones may overshoot."""
        while self._used >= self.limit:
            self._free.clear()
            await self._free.wait()

    def take(self, size: int) -> None:
        """Book bytes."""
        self._used += size

    def give(self, size: int) -> None:
        """Return bytes."""
        self._used -= size
        if self._used < self.limit:
            self._free.set()


class Hold:
    """What one sample keeps from those behind it: its booked bytes, and its place among the samples that are being asked.

    Both are given back once: when all its repeats are answered, or at the latest at the end.
    """

    def __init__(self, budget: ByteBudget, size: int, window: asyncio.Semaphore, waiting: int) -> None:
        self._budget = budget
        self._size = size
        self._window: asyncio.Semaphore | None = window
        self._waiting = waiting
        self._shown = False

    def answered(self, shown: bool) -> None:
        """One more repeat is answered; `shown` says that its media will be shown once more, to a judge."""
        self._shown = self._shown or shown
        self._waiting -= 1
        if self._waiting == 0:
            self._leave()
            if not self._shown:
                self._return()

    def give(self) -> None:
        """Return what is still held."""
        self._leave()
        self._return()

    def _leave(self) -> None:
        if self._window is not None:
            self._window.release()
            self._window = None

    def _return(self) -> None:
        self._budget.give(self._size)
        self._size = 0
