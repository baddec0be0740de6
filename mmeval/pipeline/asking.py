"""Asking one engine through its slots: bounded retries, waits that servers ask for, and outages that are waited out."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mmeval.core.types import Request, Response
from mmeval.engines.base import NO_SCORES, CachesPrefixes, Elastic, Engine, EngineInfo, Remote, ScoresAnswers
from mmeval.pipeline.adapting import MOST_PER_SERVER, TOKENS_AHEAD, Adaptation
from mmeval.pipeline.admission import Admission
from mmeval.pipeline.plan import Effort
from mmeval.pipeline.trace import NO_TRACE, Tracer
from mmeval.pipeline.weights import Weigher

DENIALS = 16
"""Requests in a row that an endpoint turns away (a key that is no longer valid, no quota left) before it is no longer asked."""
LONGEST_RECONNECT_S = 8.0
"""Longest wait between two tries to connect."""
PROBE_WAIT_S = 1.0
"""First wait before an endpoint that failed many times in a row is tried again; doubled each time."""
TOLD_WAIT_S = 5.0
"""From how many seconds on a wait that a server asks for is told; waits at the same time are told once."""
TOLD_AGAIN_S = 30.0
"""A wait that ends so much later than the one that was told is told too."""
LOAD_EVERY_S = 2.0
"""How often a server is asked for its load."""
SILENCES = 5
"""Times in a row that a server which has told its load may give none before it is no longer asked."""


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
    limit: int = 0
    """Requests in flight at most, where that adapts to the server."""
    admission: Callable[[], dict[str, Any]] = dict
    """What the manifest says of how many requests were in flight at most, and why."""


class Asker:
    """The slots of one engine, and how hard it is asked.

    Args:
        engine: started on the first request.
        slots: requests in flight at most, unless `effort` says otherwise.
        effort: how hard.
        progress: counts to keep.
        start: starts the engine; called at most once, before the first request.
        trace: is told of every request, and of the wait for a slot.
    """

    def __init__(
        self,
        engine: Engine,
        slots: int,
        effort: Effort,
        progress: Progress,
        start: Callable[[], object] | None = None,
        trace: Tracer = NO_TRACE,
    ) -> None:
        self.engine = engine
        self.trace = trace
        self.effort = effort
        self.progress = progress
        self._described = slots
        self.slots = max(1, effort.concurrency or slots)
        self._admission = Admission(self.slots)
        self._line = self._admission.join()
        self._line.resized = self._resized
        self._weigher = Weigher()
        self._adaptation: Adaptation | None = None
        if isinstance(engine, Remote):
            servers = len(engine.servers)
            most = effort.concurrency or max(self.slots, MOST_PER_SERVER * servers)
            self._adaptation = Adaptation(self._admission, most, servers, fixed=effort.concurrency is not None)
            progress.limit = self.slots
        self._silences = 0
        self._watching: asyncio.Task[None] | None = None
        trace.slots(progress.model, self.slots)
        self.grown: Callable[[int], None] | None = None
        """Told how many slots have come in addition to the most that there were."""
        self._most = self.slots
        if isinstance(engine, Elastic):
            engine.watch(self._resize, self._tell)
        self._start = start
        self._start_lock = asyncio.Lock()
        self._recovery = asyncio.Lock()
        self._down_since: float | None = None
        self._probe_wait = PROBE_WAIT_S
        self._failures_in_row = 0
        self._denials_in_row = 0
        self._trouble = ""
        """The latest failure of a request that was sent; `progress.trouble` tells those of rows too."""
        self._unreached_since: float | None = None
        self._told_unreached = False
        self._told: dict[bool, float] = {}
        self._jitter = random.Random(0)
        self.broken = False
        """The engine could not start."""

    async def ask(self, request: Request) -> Response:
        """Ask until an answer, a permanent failure, or the bounded number of tries; a wait holds no slot."""
        tries = unsent = 0
        while True:
            if not await self._endpoint_up():
                return Response("error", error=f"not asked: {self._why_not()}")
            response = await self._once(request)
            if not response.unreachable:
                self._unreached_since = None
            if not response.retryable:
                break
            self._trouble = self.progress.trouble = response.error or response.status
            # What was never sent has not been tried: it waits for the endpoint, as long as an outage may last.
            wait = self._reconnecting(unsent) if response.unreachable else None
            if wait is not None:
                unsent += 1
            elif response.unreachable and self.effort.outage_s > 0:
                break
            else:
                tries += 1
                if tries >= self.effort.attempts:
                    break
                asked_for = response.retry_after_s or 0.0
                beyond = asked_for > self._longest_wait
                self._tell_wait(asked_for, beyond)
                if beyond:
                    why = f"the server asks to wait longer than --outage {self.effort.outage_s:g} s"
                    response = replace(response, error=f"{self._trouble} ({why})")
                    break
                wait = max(asked_for, self._wait(tries - 1))
            self.progress.retries += 1
            await asyncio.sleep(wait)
        self._count(response)
        return response

    async def _once(self, request: Request) -> Response:
        weight = self._weigher.weigh(request) if self._admission.weighs else 1
        with self.trace.span("queue", self.progress.model, id=request.id):
            await self._line.enter(weight)
        try:
            await self._ensure_started()
            self._sending()
            began = time.monotonic()
            try:
                with self.trace.span("request", self.progress.model, id=request.id):
                    response = await self._call(request)
            finally:
                self.progress.in_flight -= 1
            self._learn(request, response, began)
        finally:
            self._line.leave(weight)
        if response.status == "ok" and response.latency_s is None:
            response = replace(response, latency_s=time.monotonic() - began)
        return response

    def _count(self, response: Response) -> None:
        """Take in how asking a request ended. Only failures that a working endpoint would not give count against it."""
        self._failures_in_row = self._failures_in_row + 1 if response.retryable or response.fatal else 0
        if self._failures_in_row == 0:
            self._down_since = None
        self._denials_in_row = self._denials_in_row + 1 if response.denied else 0
        if response.denied or response.fatal:
            self._trouble = self.progress.trouble = response.error or response.status
        if self._denials_in_row == DENIALS:
            self._tell(f"{DENIALS} requests in a row were turned away ({self._trouble}); the rest is not asked")

    def share(self, other: Asker) -> bool:
        """Ask the same server through the other's places, if it is the same; before this one's first request.

        The larger bound holds for the server, and each keeps its own.
        """
        mine, theirs = self._adaptation, other._adaptation
        if (
            mine is None
            or theirs is None
            or not isinstance(self.engine, Remote)
            or not isinstance(other.engine, Remote)
            or self.engine.servers != other.engine.servers
        ):
            return False
        theirs.join(mine)
        self._admission, self._adaptation = other._admission, theirs
        other._line.most = other._line.most or other.effort.concurrency
        self._line = self._admission.join(self.effort.concurrency)
        self._line.resized = self._resized
        self._resized(self._admission.slots)
        return True

    def summary(self) -> dict[str, Any]:
        """How many requests were in flight at most."""
        found: dict[str, Any] = {"slots": self.slots, "tokens": self._admission.tokens}
        if self._adaptation is not None:
            found |= self._adaptation.summary()
        if isinstance(self.engine, CachesPrefixes) and (hits := self.engine.prefix_hits) is not None:
            found["prefix_hits"] = round(hits, 4)
        if len(self._admission.lines) > 1:
            found["shared_by"] = len(self._admission.lines)
        return found

    def _sending(self) -> None:
        if self.progress.asked == 0:
            self.progress.admission = self.summary
        self.progress.in_flight += 1
        self.progress.asked += 1
        adaptation = self._adaptation
        if adaptation is not None and not adaptation.watched and self._silences < SILENCES:
            adaptation.watched = True
            self._watching = asyncio.create_task(self._watch(adaptation), name=f"load of {self.progress.model}")

    def _learn(self, request: Request, response: Response, began: float) -> None:
        """Take in what came back: how many tokens it took, and how the server does."""
        if self._admission.weighs:
            self._weigher.learn(request, response)
        if self._adaptation is not None:
            if response.status == "ok" and response.latency_s is None:
                response = replace(response, latency_s=time.monotonic() - began)
            self._adaptation.answered(response, began)

    async def _watch(self, adaptation: Adaptation) -> None:
        """Ask the server for its load now and then, while requests are in flight and as long as it tells."""
        assert isinstance(self.engine, Remote)
        try:
            while self.progress.in_flight and self._silences < SILENCES:
                load = await self.engine.load()
                if load is not None:
                    self._silences = 0
                    adaptation.measured(load)
                else:
                    self._silences += 1 if adaptation.metered else SILENCES
                await asyncio.sleep(LOAD_EVERY_S)
        finally:
            adaptation.watched = False

    def _resize(self, slots: int) -> None:
        self._admission.resize(self.effort.concurrency or slots)

    def _resized(self, slots: int) -> None:
        """The server's places have become more or fewer."""
        self.slots = max(1, min(slots, self.effort.concurrency or slots))
        if isinstance(self.engine, Remote):
            self.engine.resize(self.slots)
            self.progress.limit = self.slots
        if self.slots > self._most:
            more, self._most = self.slots - self._most, self.slots
            self.trace.slots(self.progress.model, self.slots)
            if self.grown is not None:
                self.grown(more)

    def _tell(self, text: str) -> None:
        self.progress.notices.append(f"{self.progress.model}: {text}")

    async def _call(self, request: Request) -> Response:
        if not request.scored:
            return await self.engine.generate(request)
        if not isinstance(self.engine, ScoresAnswers):
            return Response("unsupported", error=NO_SCORES)
        return await self.engine.score(request)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Engine]:
        """Hold a slot of the started engine, for work that is not an answer (scoring tokens)."""
        async with self._line.place():
            await self._ensure_started()
            self._sending()
            try:
                with self.trace.span("request", self.progress.model):
                    yield self.engine
            finally:
                self.progress.in_flight -= 1

    async def _endpoint_up(self) -> bool:
        """Whether to ask: yes, while answers come; after many failures in a row one request at a time tries again.

        The waits between those tries grow; after `outage_s` without an answer the rest is not asked.
        """
        if self._denials_in_row >= DENIALS:
            return False  # and no wait would help
        if self._failures_in_row < self._patience:
            return True
        async with self._recovery:
            if self._failures_in_row < self._patience:
                return True
            if self._down_since is None:
                self._down_since, self._probe_wait = self._unreached_since or time.monotonic(), PROBE_WAIT_S
                self.progress.notices.append(
                    f"{self.progress.model}: {self._failures_in_row} failures in a row ({self._trouble}); "
                    f"trying again for up to {self.effort.outage_s:g} s"
                )
            remaining = self._down_since + self.effort.outage_s - time.monotonic()
            if remaining <= 0:
                return False
            await asyncio.sleep(min(self._probe_wait, remaining))
            self._probe_wait = min(2 * self._probe_wait, self.effort.backoff_limit_s)
            return True

    def _why_not(self) -> str:
        if self._denials_in_row >= DENIALS:
            return f"{self.progress.model} turned {DENIALS} requests in a row away; last: {self._trouble}"
        return f"{self.progress.model} failed {self._patience} times in a row; last: {self._trouble}"

    def _reconnecting(self, unsent: int) -> float | None:
        """Seconds to the next try to connect; None when the endpoint has been away for longer than an outage may last.

        Args:
            unsent: how often this request could not be sent before.
        """
        now = time.monotonic()
        if self._unreached_since is None:
            self._unreached_since, self._told_unreached = now, False
        left = self._unreached_since + self.effort.outage_s - now
        if left <= 0:
            return None
        if unsent > 0 and not self._told_unreached:
            self._told_unreached = True
            self._tell(f"{self._trouble}; trying again for up to {self.effort.outage_s:g} s")
        return min(self._wait(unsent), LONGEST_RECONNECT_S, left)

    @property
    def _patience(self) -> int:
        return max(32, 2 * self.slots)

    def _wait(self, attempt: int) -> float:
        return min(self.effort.backoff_limit_s, self.effort.backoff_s * 2.0 ** min(attempt, 30)) * (
            0.5 + self._jitter.random()
        )

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
            f"{self.progress.model}: the server asks to wait {asked_for:.0f} s ({why or self._trouble})"
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
                try:
                    if asyncio.iscoroutine(starting):
                        self._fit(await starting)
                except BaseException:
                    self.broken = True
                    raise
                self.progress.state = "running"
                self._start = None

    def _fit(self, info: object) -> None:
        """Ask as much at once as the engine takes, now that it is loaded."""
        if not isinstance(info, EngineInfo):
            return
        self._weigher = Weigher(info.profile.get("grid"))
        tokens = None if info.cache_tokens is None else round(info.cache_tokens * TOKENS_AHEAD)
        if tokens is not None or info.slots != self._described:
            self._admission.resize(self.effort.concurrency or info.slots, tokens)
