"""A semaphore whose size may change while it is used."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Slots:
    """Admits as many holders at once as there are slots, first come first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def resize(self, limit: int) -> None:
        """Admit more, or no one until enough have gone; at least one slot stays."""
        self.limit = max(1, limit)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._used < self.limit:
            waiting = self._waiting.popleft()
            if not waiting.done():
                self._used += 1
                waiting.set_result(None)

    async def acquire(self) -> None:
        """Wait for a slot and take it."""
        if self._used < self.limit and not self._waiting:
            self._used += 1
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.release()  # admitted and cancelled at once
            raise

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give a slot back."""
        self._used -= 1
        self._admit()
