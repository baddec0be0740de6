"""The asynchronous run of one model over a whole plan: one queue, no barrier between tasks, bounded memory, durable answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from mmeval.core.errors import StorageError
from mmeval.core.types import Request, Response, Verdict
from mmeval.engines.base import Engine
from mmeval.pipeline.cache import KEPT_STATUS
from mmeval.pipeline.plan import Effort
from mmeval.pipeline.work import Stage, Ticket, Unit, prepare_units, tickets
from mmeval.verifiers.base import Verifier, verify

PROBE_WAIT_S = 1.0
"""First wait before an endpoint that failed many times in a row is tried again; doubled each time."""
TOLD_WAIT_S = 5.0
"""From how many seconds on a wait that a server asks for is told; waits at the same time are told once."""
TOLD_AGAIN_S = 30.0
"""A wait that ends so much later than the one that was told is told too."""
READ_AHEAD = 32
"""Rows that the reading thread takes from the data set at once."""


@dataclass(slots=True)
class Progress:
    """Live counts of one model's pass; read by the progress bar."""

    model: str
    total: int | None
    done: int = 0
    in_flight: int = 0
    failed: int = 0
    """Rows that ended in `error` or `unscored`."""
    answered: int = 0
    """Rows with outcome scored or no_answer."""
    cached: int = 0
    asked: int = 0
    """Model calls made, retries included."""
    retries: int = 0
    completion_tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    state: str = ""
    """What the model is doing now: `loading`, `running`, `done`."""
    trouble: str = ""
    """The latest failure."""
    notices: list[str] = field(default_factory=list)
    """What the user must be told while the run goes on; whoever shows one takes it out."""
    waiting_until: float = 0.0
    """Monotonic time to which a server has asked to wait."""


@dataclass(frozen=True, slots=True)
class Finished:
    """One row's result."""

    unit: Unit
    response: Response
    verdict: Verdict


class ModelRun:
    """Runs one engine over a plan.

    Args:
        engine: started on the first request that the cache cannot answer.
        stage: what to ask.
        effort: how hard.
        progress: counts to keep.
        deliver: receives each finished row, in the event loop.
        start: starts the engine; called at most once, before the first model call.
    """

    def __init__(
        self,
        engine: Engine,
        stage: Stage,
        effort: Effort,
        progress: Progress,
        deliver: Callable[[Finished], None],
        start: Callable[[], object] | None = None,
    ) -> None:
        self.engine = engine
        self.stage = stage
        self.effort = effort
        self.progress = progress
        self.deliver = deliver
        self._slots_count = max(1, effort.concurrency or stage.info.slots)
        self._slots = asyncio.Semaphore(self._slots_count)
        self._window = asyncio.Semaphore(4 * self._slots_count + 64)
        self._budget = ByteBudget(effort.media_budget_bytes)
        self._start = start
        self._start_lock = asyncio.Lock()
        self._preparing = asyncio.Semaphore(effort.workers)
        self._recovery = asyncio.Lock()
        self._down_since: float | None = None
        self._probe_wait = PROBE_WAIT_S
        self._failures_in_row = 0
        self._told: dict[bool, float] = {}
        self._jitter = random.Random(0)
        self._verifiers: dict[int, Verifier] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Ask everything, until done or `stop` is set.

        Raises:
            StorageError: when the cache or the run folder cannot be written any more.
            DataError: when the data set turns out to be broken.
            EngineError: when the engine cannot start.
        """
        self.progress.state = "running"
        with (
            ThreadPoolExecutor(1, "mmeval-read") as reading,
            ThreadPoolExecutor(self.effort.workers, "mmeval-prepare") as preparing,
        ):
            try:
                async with asyncio.TaskGroup() as group:
                    watcher = group.create_task(_raise_when(stop))
                    await self._feed(reading, preparing)
                    watcher.cancel()
            except* _Stopped:
                pass  # the user asked to stop; what is committed stays
            finally:
                preparing.shutdown(wait=False, cancel_futures=True)
                reading.shutdown(wait=False, cancel_futures=True)
        self.progress.state = "done"

    async def _feed(self, reading: ThreadPoolExecutor, preparing: ThreadPoolExecutor) -> None:
        """Start every sample as the window allows, and return when all are finished."""
        loop = asyncio.get_running_loop()
        source = tickets(self.stage)
        async with asyncio.TaskGroup() as group:
            while True:
                batch = await loop.run_in_executor(reading, _take, source, READ_AHEAD)
                for ticket in batch:
                    await self._window.acquire()
                    group.create_task(self._sample(ticket, preparing))
                if len(batch) < READ_AHEAD:
                    return

    async def _prepare(self, ticket: Ticket, preparing: ThreadPoolExecutor) -> list[Unit]:
        # Sizes are known only after reading, so no more may read at once than the budget can overshoot by.
        async with self._preparing:
            await self._budget.room()
            units = await asyncio.get_running_loop().run_in_executor(preparing, prepare_units, self.stage, ticket)
            self._budget.take(units[0].bytes if units else 0)
            return units

    async def _sample(self, ticket: Ticket, preparing: ThreadPoolExecutor) -> None:
        size = 0
        try:
            units = await self._prepare(ticket, preparing)
            size = units[0].bytes if units else 0
            pending = []
            for unit in units:
                if unit.failure is not None or unit.stored is not None:
                    self._finish(unit, unit.failure or unit.stored or _never(), cached=unit.stored is not None)
                else:
                    pending.append(unit)
            if len(pending) == 1:
                await self._unit(pending[0])
            elif pending:
                async with asyncio.TaskGroup() as group:
                    for unit in pending:
                        group.create_task(self._unit(unit))
        finally:
            self._budget.give(size)
            self._window.release()

    async def _unit(self, unit: Unit) -> None:
        assert unit.request is not None
        response = await self._ask(unit.request)
        if response.status in KEPT_STATUS:
            info = self.stage.info
            committed = self.stage.cache.put(unit.key, response, engine=info.engine, model=self.progress.model)
            await asyncio.wrap_future(committed)
        self._finish(unit, response, cached=False)

    async def _ask(self, request: Request) -> Response:
        """Ask until an answer, a permanent failure, or the bounded number of tries; a wait holds no slot."""
        response = Response("error", error="not asked")
        for attempt in range(self.effort.attempts):
            if not await self._endpoint_up():
                reason = f"{self.progress.model} failed {self._failures_in_row} times in a row"
                return Response("error", error=f"not asked: {reason}; last: {self.progress.trouble}")
            async with self._slots:
                await self._ensure_started()
                self.progress.in_flight += 1
                self.progress.asked += 1
                began = time.perf_counter()
                try:
                    response = await self.engine.generate(request)
                finally:
                    self.progress.in_flight -= 1
            if response.status == "ok" and response.latency_s is None:
                response = replace(response, latency_s=time.perf_counter() - began)
            if not response.retryable:
                break
            self.progress.trouble = response.error or response.status
            if attempt + 1 < self.effort.attempts:
                asked_for = response.retry_after_s or 0.0
                beyond = asked_for > self._longest_wait
                self._tell_wait(asked_for, beyond)
                if beyond:
                    why = f"the server asks to wait longer than --outage {self.effort.outage_s:g} s"
                    response = replace(response, error=f"{self.progress.trouble} ({why})")
                    break
                self.progress.retries += 1
                await asyncio.sleep(max(asked_for, self._wait(attempt)))
        # Only failures that a working endpoint would not give count against it.
        self._failures_in_row = self._failures_in_row + 1 if response.retryable or response.fatal else 0
        if self._failures_in_row == 0:
            self._down_since = None
        return response

    async def _endpoint_up(self) -> bool:
        """Whether to ask: yes, while answers come; after many failures in a row one request at a time tries again.

        The waits between those tries grow; after `outage_s` without an answer the rest is not asked.
        """
        if self._failures_in_row < self._patience:
            return True
        async with self._recovery:
            if self._failures_in_row < self._patience:
                return True
            if self._down_since is None:
                self._down_since, self._probe_wait = time.monotonic(), PROBE_WAIT_S
                self.progress.notices.append(
                    f"{self.progress.model}: {self._failures_in_row} failures in a row ({self.progress.trouble}); "
                    f"trying again for up to {self.effort.outage_s:g} s"
                )
            remaining = self._down_since + self.effort.outage_s - time.monotonic()
            if remaining <= 0:
                return False
            await asyncio.sleep(min(self._probe_wait, remaining))
            self._probe_wait = min(2 * self._probe_wait, self.effort.backoff_limit_s)
            return True

    @property
    def _patience(self) -> int:
        return max(32, 2 * self._slots_count)

    def _wait(self, attempt: int) -> float:
        return min(self.effort.backoff_limit_s, self.effort.backoff_s * 2.0**attempt) * (0.5 + self._jitter.random())

    @property
    def _longest_wait(self) -> float:
        """Seconds that a server may ask for: as long as an outage may last, and never less than an ordinary wait."""
        return max(self.effort.outage_s, 1.5 * self.effort.backoff_limit_s)

    def _tell_wait(self, asked_for: float, beyond: bool) -> None:
        """Say that the server asks to wait, once for all requests that it tells so at the same time."""
        now = time.monotonic()
        told_until = self._told.get(beyond, 0.0)
        if asked_for < TOLD_WAIT_S or (now < told_until and (beyond or now + asked_for < told_until + TOLD_AGAIN_S)):
            return
        self._told[beyond] = now + min(asked_for, self._longest_wait)
        why = f"longer than --outage {self.effort.outage_s:g} s, so it is not waited for" if beyond else ""
        self.progress.notices.append(
            f"{self.progress.model}: the server asks to wait {asked_for:.0f} s ({why or self.progress.trouble})"
        )
        if not beyond:
            self.progress.waiting_until = self._told[beyond]

    async def _ensure_started(self) -> None:
        if self._start is None:
            return
        async with self._start_lock:
            if self._start is not None:
                self.progress.state = "loading"
                starting = self._start()
                if asyncio.iscoroutine(starting):
                    await starting
                self.progress.state = "running"
                self._start = None

    def _finish(self, unit: Unit, response: Response, *, cached: bool) -> None:
        verifier = self._verifiers.get(unit.order.task)
        if verifier is None:
            verifier = self._verifiers[unit.order.task] = unit.task.verifier
        verdict = verify(verifier, response, unit.sample.target, unit.sample.context)
        progress = self.progress
        progress.done += 1
        progress.cached += cached
        progress.completion_tokens += response.completion_tokens or 0
        if verdict.outcome in {"scored", "no_answer"}:
            progress.answered += 1
        elif verdict.outcome in {"error", "unscored"}:
            progress.failed += 1
            progress.trouble = response.error or verdict.reason
        self.deliver(Finished(unit, response, verdict))


class _Stopped(Exception):
    """Raised inside the task group when the user interrupts."""


async def _raise_when(stop: asyncio.Event) -> None:
    await stop.wait()
    raise _Stopped


class ByteBudget:
    """Holds the feeder back while prepared media fill their share of memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._free = asyncio.Event()
        self._free.set()

    async def room(self) -> None:
        """Wait until some of the budget is free. Sizes are known only after reading, so the last ones may overshoot."""
        while self._used >= self._limit:
            self._free.clear()
            await self._free.wait()

    def take(self, size: int) -> None:
        """Book bytes."""
        self._used += size

    def give(self, size: int) -> None:
        """Return bytes."""
        self._used -= size
        if self._used < self._limit:
            self._free.set()


def _take(source: Iterator[Ticket], count: int) -> list[Ticket]:
    taken = []
    for ticket in source:
        taken.append(ticket)
        if len(taken) == count:
            break
    return taken


def _never() -> Response:
    raise StorageError("a unit has neither an answer nor a failure")
