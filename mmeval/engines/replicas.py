"""Several replicas of one model behind a single queue: how many there are, and what becomes of requests when one is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.seats import Call, MismatchError, Replica, ReplicaLost, Seat, Seats

_LOG = logging.getLogger(__name__)

POLL_S = 2.0
"""How often the cluster is asked whether it has room for more replicas."""
MAX_LOSSES = 10
"""Losses of a replica during which one request may have been in flight, whatever took the replica away."""
MAX_CRASHES = 3
"""The same, counting only those whose node stayed: the request itself may be the cause."""
ALONE_FROM = 2
"""From so many such losses on, a request is sent to a replica that does nothing else."""
MAX_FAILED_STARTS = 3
"""Replicas that fail to start one after another before that is taken for an answer."""
RETRY_S = 30.0
"""How long no replica is started after so many failures, while others answer."""
_TAIL = 4096
"""Bytes of a picture by which it is told from others: enough for a preference, and cheap."""


class ReplicaPool:
    """Stands where one `ManagedWorker` stands, over replicas that come and go.

    Args:
        name: what messages call the engine.
        launch: makes a replica that is not placed yet.
        wanted: how many replicas there should be now; asked every few seconds, in a thread.
        slots: requests that one replica works on at once.
        patience_s: how long to wait while there is no replica and no room for one.
    """

    def __init__(
        self, name: str, launch: Callable[[], Replica], wanted: Callable[[], int], slots: int, patience_s: float
    ) -> None:
        self._name = name
        self._launch = launch
        self._wanted = wanted
        self._target = 0
        self._patience_s = patience_s
        self._seats = Seats(slots)
        self._waiting: deque[Call] = deque()
        self._suspects: deque[Call] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._loading = 0
        self._ending: set[asyncio.Task[None]] = set()
        self._first: asyncio.Future[dict[str, Any]] | None = None
        self._tending: asyncio.Task[None] | None = None
        self._without_since = time.monotonic()
        self._failed_starts = 0
        self._not_before = 0.0
        self._failure: EngineError | None = None
        """Why the last replica did not start."""
        self._stranded: EngineError | None = None
        """Why nobody can answer; None while somebody can, or may soon."""
        self._closed = False
        self.changed: Callable[[int], None] | None = None
        """Told the number of slots whenever it changes."""
        self.tell: Callable[[str], None] | None = None
        """Told in words what happens to replicas."""
        self.lost = 0
        """Replicas that were lost so far."""

    @property
    def size(self) -> int:
        """Replicas that answer."""
        return len(self._seats)

    async def start(self) -> dict[str, Any]:
        """Start replicas and wait for the first of them; returns its facts. The others join while it answers.

        Raises:
            EngineError: none can be placed or started.
        """
        self._first = asyncio.get_running_loop().create_future()
        self._without_since = time.monotonic()
        self._target = await asyncio.to_thread(self._wanted)
        self._fill()
        self._tending = asyncio.create_task(self._tend(), name=f"{self._name} replicas")
        try:
            return await self._first
        except BaseException:
            await self.close()
            raise

    async def ask(self, header: dict[str, Any], blobs: Sequence[bytes], timeout_s: float) -> dict[str, Any]:
        """Have one request answered; a failure comes back as `{"status": "error", …}`.

        The time limit counts from when a replica gets the request, as `took_s` of the answer does. `fatal` in an answer says that
        every other request would fail alike.
        """
        if self._closed or self._stranded is not None:
            return _fatal(self._stranded.message if self._stranded is not None else f"{self._name} is closed")
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        picture = hash((len(blobs[0]), blobs[0][-_TAIL:])) if blobs else None
        call = Call(header, blobs, timeout_s, picture, future)
        self._waiting.append(call)
        self._pump()
        try:
            return await future
        finally:
            if call.serving is not None:
                call.serving.cancel()  # of no effect unless this call was cancelled: an answer ends its task

    def _pump(self) -> None:
        """Hand waiting requests to replicas with a free slot."""
        self._isolate()
        while self._waiting:
            call = self._waiting[0]
            if not call.answer.done():
                seat = self._seats.choose(call.picture)
                if seat is None:
                    return
                self._hand(seat, call)
            self._waiting.popleft()

    def _isolate(self) -> None:
        """Give suspects a replica of their own, one after another."""
        while self._suspects and self._suspects[0].answer.done():
            self._suspects.popleft()
        kept = next((seat for seat in self._seats if seat.alone), None) if self.lost else None
        if self._suspects and kept is None and self._seats:
            kept = min(self._seats, key=lambda seat: len(seat.calls))
            kept.alone = True
        if kept is None or kept.calls:
            return
        if self._suspects:
            self._hand(kept, self._suspects.popleft())
        else:
            kept.alone = False
            self._seats.weigh(kept)

    def _hand(self, seat: Seat, call: Call) -> None:
        seat.calls.add(call)
        self._seats.weigh(seat)
        call.serving = asyncio.create_task(self._serve(seat, call))

    async def _serve(self, seat: Seat, call: Call) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(call.timeout_s):
                answer = await seat.replica.ask(call.header, call.blobs)
        except TimeoutError:
            answer = {"status": "timeout", "error": f"no answer within {call.timeout_s:g} s"}
        except ReplicaLost as lost:
            self._lose(seat, lost)
            return
        except asyncio.CancelledError:
            self._free(seat, call)
            raise
        except Exception as error:  # a call whose task died would wait for ever
            _LOG.exception("%s: a request could not be handed over", self._name)
            answer = _error(f"{self._name}: {type(error).__name__}: {error}")
        else:
            self._failed_starts = 0
        self._free(seat, call)
        call.settle({**answer, "took_s": time.perf_counter() - began})

    def _free(self, seat: Seat, call: Call) -> None:
        seat.calls.discard(call)
        if seat in self._seats:
            self._seats.weigh(seat)
            self._pump()

    def _lose(self, seat: Seat, lost: ReplicaLost) -> None:
        """Take a replica out, and put what it was working on back to the head of the queue."""
        if not self._seats.remove(seat):
            return
        self.lost += 1
        if not self._seats:
            self._without_since = time.monotonic()
        calls = [call for call in seat.calls if not call.answer.done()]
        seat.calls.clear()
        self._say(f"a replica is gone ({lost}); {len(calls)} requests go back to the queue")
        for call in calls:
            task, call.serving = call.serving, None
            if task is not None and task is not asyncio.current_task():
                task.cancel()
            call.losses += 1
            call.crashes += not lost.node_died
            if call.crashes >= MAX_CRASHES or call.losses >= MAX_LOSSES:
                call.settle(_error(f"a replica was lost {call.losses} times while this was in flight: {lost}"))
            elif call.crashes >= ALONE_FROM:
                self._suspects.append(call)
            else:
                self._waiting.appendleft(call)
        self._end(seat.replica)
        self._resized()
        self._fill()
        self._pump()

    def _fill(self) -> None:
        """Start as many replicas as are missing."""
        if self._closed or time.monotonic() < self._not_before:
            return
        for _ in range(self._target - len(self._seats) - len(self._starting)):
            task = asyncio.create_task(self._raise_one())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _raise_one(self) -> None:
        replica = self._launch()
        try:
            await replica.place()
            self._loading += 1
            try:
                facts = await replica.load()
            finally:
                self._loading -= 1
        except (ReplicaLost, EngineError) as error:
            self._end(replica)
            self._failed(error if isinstance(error, EngineError) else EngineError(str(error)))
            return
        except BaseException:
            self._end(replica)
            raise
        self._seats.add(replica)
        self._stranded = None
        self._resized()
        if self._first is not None and not self._first.done():
            self._first.set_result(facts)
        self._pump()

    def _failed(self, error: EngineError) -> None:
        """Note that a replica did not start; several times in a row, or where a node does not fit, that is the answer."""
        self._failure = error
        self._failed_starts += 1
        first = self._first is not None and not self._first.done()
        enough = min(MAX_FAILED_STARTS, max(1, self._target)) if first else MAX_FAILED_STARTS
        if self._failed_starts < enough and not isinstance(error, MismatchError):
            return
        count, self._failed_starts = self._failed_starts, 0
        self._not_before = time.monotonic() + RETRY_S
        if not self._seats:
            self._strand(error)
        else:
            self._say(f"{count} replicas did not start ({error.message}); next try in {RETRY_S:g} s")

    async def _tend(self) -> None:
        """Follow the cluster: fill it, and answer with errors what nobody can answer for too long."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                self._target = await asyncio.to_thread(self._wanted)
            except EngineError as error:
                self._failure = error  # the cluster cannot be asked; perhaps it comes back
            self._fill()
            now = time.monotonic()
            if self._seats or self._loading:
                self._without_since = now
            elif now - self._without_since >= self._patience_s and self._stranded is None:
                why = f" (the last one: {self._failure.message})" if self._failure is not None else ""
                self._strand(
                    EngineError(
                        f"for {self._patience_s:g} s there was no {self._name} replica, and no node had room for one{why}",
                        remedy="`ray status` shows what is taken; --outage SECONDS waits longer",
                    )
                )

    def _strand(self, error: EngineError) -> None:
        """Say that nobody can answer: to who waits for the start, and to every request."""
        self._stranded = error
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)
            return
        self._say(error.message)
        for call in (*self._suspects, *self._waiting):
            call.settle(_fatal(error.message))
        self._suspects.clear()
        self._waiting.clear()

    def _say(self, text: str) -> None:
        if self.tell is not None:
            self.tell(text)
        else:
            _LOG.warning("%s: %s", self._name, text)

    def _resized(self) -> None:
        if self.changed is not None:
            self.changed(len(self._seats) * self._seats.slots)

    def _end(self, replica: Replica) -> None:
        task = asyncio.ensure_future(replica.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all replicas; safe to call twice."""
        self._closed = True
        calls = [*self._suspects, *self._waiting, *(call for seat in self._seats for call in seat.calls)]
        seats = self._seats.clear()
        tasks = [*self._starting, *(call.serving for call in calls if call.serving is not None)]
        if self._tending is not None:
            tasks.append(self._tending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for call in calls:
            call.settle(_error(f"{self._name} is closed"))
        self._suspects.clear()
        self._waiting.clear()
        for seat in seats:
            self._end(seat.replica)
        await asyncio.gather(*self._ending, return_exceptions=True)


def _error(text: str) -> dict[str, Any]:
    return {"status": "error", "error": text}


def _fatal(text: str) -> dict[str, Any]:
    return {**_error(text), "fatal": True}
