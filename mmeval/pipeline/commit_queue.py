"""What waits for the next commit of the response cache, and who is told when it is on disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

from mmeval.core.errors import StorageError
from mmeval.core.types import Response

COMMIT_INTERVAL_S = 0.05
"""Longest time that an answer waits for its commit to begin. A commit costs one write to the disk, whatever it holds."""
BATCH = 512
"""Entries that are committed without waiting for more."""

Told: TypeAlias = Response | StorageError


@dataclass(frozen=True, slots=True)
class Entry:
    """One row for the writer."""

    sql: str
    values: tuple[Any, ...]
    response: Response | None = None
    future: Future[Response] | None = None
    """Who waits for it in a thread."""
    waiter: asyncio.Future[Response] | None = None
    """Who waits for it in an event loop."""


class CommitQueue:
    """Entries of all threads, handed to the one thread that writes them a batch at a time."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._guard = threading.Lock()
        self._closed = False
        self._some = threading.Event()
        self._enough = threading.Event()

    def add(self, entry: Entry) -> bool:
        """Queue an entry; False when the queue is closed already."""
        with self._guard:
            if self._closed:
                return False
            self._entries.append(entry)
            # The writer sleeps through the entries between the first one and a full batch.
            if len(self._entries) == 1:
                self._some.set()
            elif len(self._entries) == BATCH:
                self._enough.set()
        return True

    def batch(self) -> list[Entry]:
        """Wait for entries and return them, in the order in which they came; empty when the queue is closed and done with."""
        self._some.wait()
        self._enough.wait(COMMIT_INTERVAL_S)
        with self._guard:
            entries, self._entries = self._entries, []
            if not self._closed:
                self._some.clear()
                self._enough.clear()
        return entries

    def close(self) -> None:
        """Take no more entries, and let those that are queued be committed now."""
        with self._guard:
            self._closed = True
            self._some.set()
            self._enough.set()


def tell(entries: Sequence[Entry], outcomes: Iterable[Told | None]) -> None:
    """Give everybody who waits for an entry its outcome; each event loop is woken once, however many wait in it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Response], Told]]] = {}
    for entry, outcome in zip(entries, outcomes, strict=True):
        if outcome is None:
            continue
        if entry.waiter is not None:
            by_loop.setdefault(entry.waiter.get_loop(), []).append((entry.waiter, outcome))
        elif entry.future is not None:
            settle(entry.future, outcome)
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_all, told)
        except RuntimeError:
            continue  # the loop is closed: nobody waits there any more


def settle(future: Future[Response] | asyncio.Future[Response], outcome: Told) -> None:
    """Make a future done."""
    if isinstance(outcome, StorageError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _settle_all(told: Sequence[tuple[asyncio.Future[Response], Told]]) -> None:
    for waiter, outcome in told:
        if not waiter.done():  # whoever was cancelled waits no more
            settle(waiter, outcome)
