"""Several endpoints that serve one model: who gets the next request, and who rests."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from mmeval.core.errors import EngineError
from mmeval.core.types import Response
from mmeval.engines.picture_homes import PictureHomes

COOL_DOWN_S = 5.0
"""How long an endpoint that could not be reached, or did not answer in time, gets no request while another one is there."""
LONGEST_REST_S = 30.0
PATIENCE = 3
"""Failures in a row after which an endpoint rests; whoever fails fast has the fewest requests in flight, and would get them all."""


@dataclass(slots=True)
class Endpoint:
    """One server."""

    base: str
    in_flight: int = 0
    rest_until: float = 0.0
    """Monotonic time before which it is used only when no other endpoint is there."""
    failures: int = 0
    """In a row; those of requests that ended while it rested do not count."""
    known: bool = True
    """Whether it has said that it serves the model; one that could not be asked at the start gets no request before."""

    def limit(self, slots: int) -> int:
        """Requests that it may have at once: after failures a single one tries whether it is well again."""
        return 1 if self.failures >= PATIENCE else slots


class Endpoints:
    """The endpoints of one model.

    Args:
        bases: their addresses.
        slots: requests in flight at most, over all of them; each gets an equal share and no more, whatever happens to others.
    """

    def __init__(self, bases: Sequence[str], slots: int) -> None:
        self.all = [Endpoint(base) for base in dict.fromkeys(bases)]
        self.share = -(-slots // len(self.all))
        self._turn = 0
        self._homes: PictureHomes[Endpoint] = PictureHomes()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._admissions: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def one(self, picture: str | None = None) -> AsyncIterator[Endpoint]:
        """Hold a slot of the endpoint with the fewest requests in flight; equal ones by turns, resting ones last.

        Args:
            picture: hash of the first picture; whoever has had it before is preferred where it has hardly more to do.
        """
        while (endpoint := self._choose(picture)) is None:
            freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(freed)
            try:
                await asyncio.wait_for(freed, COOL_DOWN_S)
            except TimeoutError:
                continue  # one that rested may be back
            except asyncio.CancelledError:
                if freed.done() and not freed.cancelled():
                    self._wake()  # the slot that was meant for this request
                raise
        endpoint.in_flight += 1
        try:
            yield endpoint
        finally:
            endpoint.in_flight -= 1
            self._wake()

    def resize(self, slots: int) -> None:
        """Share another number of requests in flight."""
        self.share = max(1, -(-slots // len(self.all)))
        for _ in range(len(self._waiting)):
            self._wake()

    def _choose(self, picture: str | None = None) -> Endpoint | None:
        """None while every endpoint that is well has its share."""
        now = time.monotonic()
        self._turn += 1
        known = [endpoint for endpoint in self.all if endpoint.known]
        count = len(known)
        order = [known[(self._turn + offset) % count] for offset in range(count)]
        well = [endpoint for endpoint in order if endpoint.rest_until <= now]
        free = [endpoint for endpoint in well if endpoint.in_flight < endpoint.limit(self.share)]
        if free:
            return self._home(picture, free, min(free, key=lambda endpoint: endpoint.in_flight))
        if any(endpoint.failures < PATIENCE for endpoint in well):
            return None
        return min(order, key=lambda endpoint: (endpoint.rest_until > now, endpoint.in_flight))

    def _home(self, picture: str | None, free: Sequence[Endpoint], idlest: Endpoint) -> Endpoint:
        """The endpoint that had the picture before, if it is free and has at most a quarter of its share more to do."""
        if picture is None or len(self.all) == 1:
            return idlest
        home = self._homes.get(picture)
        if home is None or home not in free or home.in_flight > idlest.in_flight + max(1, self.share // 4):
            home = idlest
        self._homes.put(picture, home)
        return home

    def _wake(self) -> None:
        while self._waiting:
            freed = self._waiting.popleft()
            if not freed.done():
                freed.set_result(None)
                return

    def noted(self, endpoint: Endpoint, response: Response, unreachable: bool = False) -> Response:
        """Learn from an answer how its endpoint does; return the answer, to be asked again soon where another one is well.

        Args:
            endpoint: who gave it.
            response: the answer.
            unreachable: there was no connection, or no answer in time.
        """
        now = time.monotonic()
        if response.denied and any(other is not endpoint and other.known for other in self.all):
            # Its own trouble (a key of another server, a model that it has lost): another one may well answer.
            response = replace(response, retryable=True)
        if not response.retryable:
            if not response.denied:
                endpoint.failures = 0
            return response
        if unreachable:
            endpoint.failures = max(endpoint.failures, PATIENCE)
            endpoint.rest_until = max(endpoint.rest_until, now + COOL_DOWN_S)
        elif response.retry_after_s is not None:
            endpoint.rest_until = max(endpoint.rest_until, now + response.retry_after_s)
        elif endpoint.rest_until <= now:
            endpoint.failures += 1
            if endpoint.failures >= PATIENCE:
                rest = min(LONGEST_REST_S, 2.0 ** min(endpoint.failures - PATIENCE, 10))
                endpoint.rest_until = now + rest
        others = (other for other in self.all if other is not endpoint and other.known and other.rest_until <= now)
        return replace(response, retry_after_s=None) if any(others) else response

    def admit(self, check: Callable[[Endpoint], Awaitable[bool]]) -> None:
        """Ask the endpoints that were not there at the start, at most one at a time and now and then, whether they are now."""
        now = time.monotonic()
        due = next((one for one in self.all if not one.known and one.rest_until <= now), None)
        if due is None or self._admissions:
            return
        due.rest_until = now + COOL_DOWN_S
        task = asyncio.create_task(self._admitted(due, check))
        self._admissions.add(task)
        task.add_done_callback(self._admissions.discard)

    async def _admitted(self, endpoint: Endpoint, check: Callable[[Endpoint], Awaitable[bool]]) -> None:
        try:
            endpoint.known = await check(endpoint)
        except EngineError:
            endpoint.known = False  # still not there; asked again after its rest
        if endpoint.known:
            endpoint.rest_until = 0.0
            self._wake()

    async def close(self) -> None:
        """End what asks in the background."""
        for task in self._admissions:
            task.cancel()
        await asyncio.gather(*self._admissions, return_exceptions=True)
