"""How many requests a remote server is given at once: fewer when it refuses, slows down or queues, more while it takes them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mmeval.core.types import Response
from mmeval.engines.base import Load
from mmeval.pipeline.admission import Admission

MOST_PER_SERVER = 1024
GROWTH = 8
"""A round of answers lets the limit grow by one part in so many."""
HOLD = 4
"""Rounds without growth after one that brought nothing."""
GAIN = 1.03
"""From what ratio of answers per second on a larger limit was worth it."""
SLOWER = 2.0
"""From what ratio of mean latencies on a server counts as slower, where it also answers less."""
SHORTEST_ROUND = 16
"""Answers from which speed is judged; fewer are chance."""
AHEAD = 4
"""A server that tells is kept with one request waiting for so many running ones, so that it never idles."""
LEAST_AHEAD = 4
CACHE_FULL = 0.95
TOKENS_AHEAD = 1.1
"""Tokens in flight for each that the server's cache holds: the answers are not there all at once."""


@dataclass(slots=True)
class _Round:
    """As many answers as there are places, and how fast they came."""

    limit: int
    began: float
    answers: int = 0
    latency: float = 0.0
    full: bool = True


@dataclass(frozen=True, slots=True)
class _Pace:
    limit: int
    rate: float
    latency: float


@dataclass(slots=True)
class Adaptation:
    """Adapts the places of a server to what it says and does; never below 1.

    Args:
        admission: the places.
        most: never more than these; what the user named, where the user did.
        servers: how many share the requests; one that refuses takes its part away, not all.
        fixed: the user named the number: only a server's own refusal lowers it, and it comes back.
    """

    admission: Admission
    most: int
    servers: int = 1
    fixed: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    """Why the limit changed: `busy`, `slower`, `queue`, `preempted` (fewer), `room`, `answers` (more), `no faster` (back)."""
    lowest: int = 0
    highest: int = 0
    first: int = 0
    metered: bool = False
    """The server tells its load, which says more than latency does."""
    watched: bool = False
    """Somebody asks the server for its load now and then."""
    _limit: float = 0.0
    _cut: float = float("-inf")
    """When it was last lowered: refusals of requests that were sent before say nothing new."""
    _round: _Round | None = None
    _before: _Pace | None = None
    _hold: int = 0
    _preemptions: int | None = None
    _begun: bool = False

    def __post_init__(self) -> None:
        self.most = max(1, self.most)
        self._limit = float(min(self.admission.slots, self.most))
        self.lowest = self.highest = self.first = self.limit

    @property
    def limit(self) -> int:
        """Requests in flight at most, now."""
        return max(1, int(self._limit))

    def join(self, other: Adaptation) -> None:
        """Take over for another one, whose requests go to the same servers."""
        self.most = max(self.most, other.most)
        self.fixed = self.fixed and other.fixed
        if self._begun:
            return
        self.first = max(self.first, other.first)
        self._limit = float(min(self.most, self.first))
        self.lowest = self.highest = self.first
        self.admission.resize(self.first)

    def answered(self, response: Response, began: float) -> None:
        """Learn from an answer or a failure to a request that was sent at `began` (monotonic seconds)."""
        self._begun = True
        now = time.monotonic()
        if response.busy or response.status == "timeout":
            if began > self._cut:
                self._cut = now
                self._round, self._before, self._hold = None, None, 0
                self._set(self._limit * (1.0 - 0.5 / self.servers), "busy")
            return
        if response.status != "ok":
            return
        if self._round is None:
            self._round = _Round(self.limit, now)
            return
        current = self._round
        current.answers += 1
        current.latency += response.latency_s or 0.0
        current.full = current.full and self.admission.full
        if current.answers >= current.limit:
            self._round = None
            self._judge(current, now)

    def _judge(self, ended: _Round, now: float) -> None:
        if self.metered and not self._below_first:
            return
        seconds = max(now - ended.began, 1e-9)
        pace = _Pace(ended.limit, ended.answers / seconds, ended.latency / ended.answers)
        before = self._before
        telling = ended.answers >= SHORTEST_ROUND and before is not None and not self.fixed
        self._before = pace
        self._hold = max(0, self._hold - 1)
        if telling and before is not None:
            if pace.latency > SLOWER * before.latency and pace.rate < before.rate:
                self._hold = HOLD
                self._set(self._limit * 0.8, "slower")
                return
            if before.limit < pace.limit and pace.rate < GAIN * before.rate and not self._below_first:
                self._hold = HOLD
                self._set(before.limit, "no faster")
                return
        if ended.full and self._hold == 0:
            self._set(self._limit + max(1.0, self._limit / GROWTH), "answers")

    @property
    def _below_first(self) -> bool:
        return self.limit < self.first

    def measured(self, load: Load) -> None:
        """Learn from what the server says of itself, over all of its users."""
        self.metered = not self.fixed
        if load.cache_tokens:
            self.admission.resize(self.admission.slots, round(load.cache_tokens * TOKENS_AHEAD))
        more = load.preemptions - self._preemptions if self._preemptions is not None else 0
        self._preemptions = load.preemptions
        if self.fixed:
            return
        ahead = max(LEAST_AHEAD * self.servers, load.running // AHEAD)
        if more > 0:
            self._set(self._limit * 0.9, "preempted")
        elif load.waiting > 2 * ahead:
            # Half of what is too much, since requests of others may be among those that wait.
            self._set(max(self._limit * 0.5, self._limit - (load.waiting - ahead) / 2), "queue")
        elif load.waiting < ahead and self.admission.full and (load.cache_usage or 0.0) < CACHE_FULL:
            self._set(self._limit + max(4.0, self._limit / 4), "room")

    def _set(self, limit: float, reason: str) -> None:
        before = self.limit
        self._limit = min(float(self.most), max(1.0, limit))
        if self.limit == before:
            return
        self.reasons[reason] += 1
        self.lowest, self.highest = min(self.lowest, self.limit), max(self.highest, self.limit)
        self.admission.resize(self.limit)

    def summary(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "first": self.first,
            "last": self.limit,
            "lowest": self.lowest,
            "highest": self.highest,
            "reasons": dict(self.reasons),
            "server_tells_load": self.metered or self._preemptions is not None,
        }
