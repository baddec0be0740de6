"""Where a run spends its time: spans streamed to a file in Chrome's trace format, and a summary of them.

The file opens in Perfetto (ui.perfetto.dev) or chrome://tracing. Spans of one kind that overlap lie in lanes: the lanes of
`request` are the slots of a model. Memory holds one buffer of events, whatever the length of the run.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias

import orjson

from mmeval.core.errors import UsageError

Kind: TypeAlias = Literal["read", "prepare", "queue", "request", "verify", "judge", "commit", "write", "blocked"]
KINDS: tuple[Kind, ...] = ("read", "prepare", "queue", "request", "verify", "judge", "commit", "write", "blocked")
_LANES = 100_000
"""Numbers of threads in the file that each kind has for its lanes."""
BUFFER = 512
"""Events that are written at once."""
TICK_S = 0.01
BLOCKED_S = 0.05
"""From so late a tick of the event loop on, the loop counts as blocked."""
GAP_S = 0.01
"""Shorter times without a request in flight are no gap."""
LATE_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Upper ends of the histogram of late ticks."""


class Tracer(Protocol):
    """What the pipeline tells of its work."""

    def span(self, kind: Kind, owner: str = "", **about: Any) -> AbstractContextManager[object]:
        """Whatever happens inside belongs to one span; from any thread.

        Args:
            kind: what is done.
            owner: the model for which it is done; nothing for what belongs to the run.
            about: shown beside the span.
        """

    def slots(self, owner: str, count: int) -> None:
        """Say how many requests of a model may be in flight."""


class NoTrace:
    """Remembers nothing, at the cost of an empty call."""

    _nothing: AbstractContextManager[object] = nullcontext()

    def span(self, kind: Kind, owner: str = "", **about: Any) -> AbstractContextManager[object]:
        """See `Tracer.span`."""
        return self._nothing

    def slots(self, owner: str, count: int) -> None:
        """See `Tracer.slots`."""


NO_TRACE = NoTrace()


@dataclass(slots=True)
class _Track:
    """The spans of one kind of one owner."""

    process: int
    thread: int
    """Number of the first lane in the file."""
    free: list[int] = field(default_factory=list)
    lanes: int = 0
    running: int = 0
    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    first: float = 0.0
    last: float = 0.0
    """When the latest span began or ended."""
    gaps: int = 0
    idle: float = 0.0
    longest_idle: float = 0.0

    def enter(self, now: float) -> int:
        if self.count == 0 and self.running == 0:
            self.first = self.last = now
        elif self.running == 0 and now - self.last >= GAP_S:
            self.gaps += 1
            self.idle += now - self.last
            self.longest_idle = max(self.longest_idle, now - self.last)
        self.running += 1
        if self.free:
            return heapq.heappop(self.free)
        self.lanes += 1
        return self.lanes - 1

    def leave(self, lane: int, began: float, now: float) -> None:
        heapq.heappush(self.free, lane)
        self.running -= 1
        self.count += 1
        self.last = now
        self.seconds += now - began
        self.longest = max(self.longest, now - began)


class Trace:
    """Writes a trace until it is closed.

    Args:
        path: the file; an older one is replaced by the first spans.

    Raises:
        UsageError: when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._began = time.perf_counter()
        self._tracks: dict[tuple[str, Kind], _Track] = {}
        self._processes: dict[str, int] = {}
        self._slots: dict[str, int] = {}
        self._events: list[bytes] = []
        self._broken = ""
        self._late = [0] * (len(LATE_MS) + 1)
        self._ticks = 0
        self._latest = 0.0
        self._own = 0
        """Ticks so late that the process itself used the time."""
        self._watch: asyncio.Task[None] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()
        except OSError as error:
            raise UsageError(
                f"--trace {path} cannot be written: {error.strerror or error}", remedy="give another file"
            ) from error
        self._file: BinaryIO | None = None
        self._closed = False

    def slots(self, owner: str, count: int) -> None:
        """See `Tracer.slots`."""
        self._slots[owner] = count

    @contextmanager
    def span(self, kind: Kind, owner: str = "", **about: Any) -> Iterator[None]:
        """See `Tracer.span`."""
        began = time.perf_counter()
        with self._guard:
            track = self._tracks.get((owner, kind)) or self._track(owner, kind)
            lane = self._enter(track, kind, began)
        try:
            yield
        finally:
            ended = time.perf_counter()
            with self._guard:
                track.leave(lane, began, ended)
                self._add(kind, track, lane, began, ended, about)

    def watch_loop(self) -> None:
        """From now on measure how late the running event loop is."""
        self._watch = asyncio.create_task(self._watching())

    async def _watching(self) -> None:
        while True:
            due, spent = time.perf_counter() + TICK_S, time.process_time()
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            late = max(0.0, now - due)
            self._ticks += 1
            self._latest = max(self._latest, late)
            place = next((at for at, end in enumerate(LATE_MS) if late * 1000 <= end), len(LATE_MS))
            self._late[place] += 1
            if late >= BLOCKED_S:
                # Where the process has used less than that, others had the processor.
                self._own += time.process_time() - spent >= BLOCKED_S
                with self._guard:
                    track = self._tracks.get(("", "blocked")) or self._track("", "blocked")
                    lane = self._enter(track, "blocked", due)
                    track.leave(lane, due, now)
                    self._add("blocked", track, lane, due, now, {})

    def _track(self, owner: str, kind: Kind) -> _Track:
        process = self._processes.get(owner)
        if process is None:
            process = self._processes[owner] = len(self._processes) + 1
            self._put({"ph": "M", "name": "process_name", "pid": process, "args": {"name": owner or "mmeval"}})
        track = self._tracks[owner, kind] = _Track(process, _LANES * KINDS.index(kind))
        return track

    def _enter(self, track: _Track, kind: Kind, now: float) -> int:
        """Begin a span, and name its lane when it is the first one in it."""
        known = track.lanes
        lane = track.enter(now)
        if track.lanes == known:
            return lane
        about = {"name": kind if lane == 0 else f"{kind} {lane + 1}"}
        place = {"pid": track.process, "tid": track.thread + lane}
        self._put({"ph": "M", "name": "thread_name", **place, "args": about})
        return lane

    def _add(self, kind: Kind, track: _Track, lane: int, began: float, ended: float, about: dict[str, Any]) -> None:
        self._put(
            {
                "ph": "X",
                "name": kind,
                "pid": track.process,
                "tid": track.thread + lane,
                "ts": round((began - self._began) * 1e6, 1),
                "dur": round((ended - began) * 1e6, 1),
                "args": about,
            }
        )

    def _put(self, event: dict[str, Any]) -> None:
        self._events.append(orjson.dumps(event))
        if len(self._events) >= BUFFER:
            self._flush()

    def _flush(self) -> None:
        events, self._events = self._events, []
        if not events or self._broken or self._closed:
            return
        try:
            if self._file is None:
                self._file = self._path.open("wb")
                self._file.write(b"[\n")  # the format lets the end of the list be missing, as after a kill
            else:
                self._file.write(b",\n")
            self._file.write(b",\n".join(events))
        except OSError as error:  # the run is worth more than its trace
            self._broken = error.strerror or str(error)

    async def close(self) -> dict[str, Any]:
        """End the file, and return the summary for the manifest; safe to call twice."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        with self._guard:
            self._flush()
            if self._file is not None and not self._closed:
                try:
                    if not self._broken:
                        self._file.write(b"\n]\n")
                    self._file.close()
                except OSError as error:
                    self._broken = error.strerror or str(error)
            self._closed = True
            return self._summary()

    def _summary(self) -> dict[str, Any]:
        spans: dict[str, dict[str, float]] = {}
        for kind in KINDS:
            tracks = [track for (_, named), track in self._tracks.items() if named == kind]
            if tracks:
                spans[kind] = {
                    "count": sum(track.count for track in tracks),
                    "seconds": round(sum(track.seconds for track in tracks), 3),
                    "longest_s": round(max(track.longest for track in tracks), 3),
                }
        models = {
            owner: self._busy(track, self._slots.get(owner))
            for (owner, kind), track in self._tracks.items()
            if kind == "request"
        }
        names = [*(f"<= {end}" for end in LATE_MS), f"> {LATE_MS[-1]}"]
        share = self._own / self._ticks if self._ticks else 0.0
        blocked = sum(
            count
            for end, count in zip((*LATE_MS, None), self._late, strict=True)
            if end is None or end > BLOCKED_S * 1000
        )
        loop = {
            "ticks": self._ticks,
            "blocked": blocked,
            "blocked_by_itself": self._own,
            "blocked_by_itself_share": round(share, 6),
            "latest_s": round(self._latest, 3),
            "late_ms": {name: count for name, count in zip(names, self._late, strict=True) if count},
        }
        found = {"file": self._path.name, "spans": spans, "models": models, "loop": loop}
        return {**found, "broken": self._broken} if self._broken else found

    def _busy(self, track: _Track, slots: int | None) -> dict[str, Any]:
        seconds = track.last - track.first
        return {
            "slots": slots,
            "most_in_flight": track.lanes,
            "first_request_s": round(track.first - self._began, 3),
            "seconds": round(seconds, 3),
            "utilisation": round(track.seconds / (seconds * slots), 4) if slots and seconds > 0 else None,
            "idle_gaps": track.gaps,
            "idle_s": round(track.idle, 3),
            "longest_idle_s": round(track.longest_idle, 3),
        }
