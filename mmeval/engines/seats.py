"""The replicas of one model that answer, what each is doing, and which of them gets the next request.

Nothing here knows of Ray: a replica is whatever answers requests and may vanish.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmeval.core.errors import EngineError
from mmeval.engines.picture_homes import PictureHomes


class ReplicaLost(Exception):
    """A replica is gone.

    Attributes:
        node_died: the whole node went, so that no request can be blamed.
    """

    def __init__(self, reason: str, *, node_died: bool = False) -> None:
        super().__init__(reason)
        self.node_died = node_died


class MismatchError(EngineError):
    """A node would give other answers than the run says: another version, checkpoint or engine."""


class Replica(Protocol):
    """One copy of the model, somewhere."""

    async def place(self) -> None:
        """Wait until a node has room and the replica is there; raises `ReplicaLost` or `EngineError`."""
        ...

    async def load(self) -> dict[str, Any]:
        """Load the model and return its facts; raises `ReplicaLost` or `EngineError`."""
        ...

    async def ask(self, header: dict[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
        """Answer one request; raises `ReplicaLost`. Cancelling stops the work."""
        ...

    async def close(self) -> None:
        """Release the node; never raises, safe to call twice."""
        ...


@dataclass(eq=False, slots=True)
class Call:
    """One request, from when it is asked until it is answered."""

    header: dict[str, Any]
    blobs: Sequence[bytes]
    timeout_s: float
    """From when a replica gets it."""
    picture: int | None
    """Tells its first picture from others; None without one."""
    answer: asyncio.Future[dict[str, Any]]
    losses: int = 0
    """Replicas that were lost while they worked on it."""
    crashes: int = 0
    """Those of them whose node stayed."""
    serving: asyncio.Task[None] | None = None

    def settle(self, answer: dict[str, Any]) -> None:
        """Answer it, unless it is answered."""
        if not self.answer.done():
            self.answer.set_result(answer)


@dataclass(eq=False, slots=True)
class Seat:
    """A replica that answers, and what it is doing."""

    replica: Replica
    number: int
    calls: set[Call] = field(default_factory=set)
    alone: bool = False
    """It is kept for a request that may have taken replicas down."""


class Seats:
    """All replicas that answer.

    Args:
        slots: requests that one replica works on at once.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._seats: dict[int, Seat] = {}
        self._by_load: list[tuple[int, int]] = []
        """Heap of (requests in flight, number of the seat); entries that no longer hold are passed over."""
        self._next_number = 0
        self._homes: PictureHomes[Seat] = PictureHomes()

    def __len__(self) -> int:
        return len(self._seats)

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats.values())

    def __contains__(self, seat: Seat) -> bool:
        return seat.number in self._seats

    def add(self, replica: Replica) -> None:
        """Seat a replica that can answer from now on."""
        seat = Seat(replica, self._next_number)
        self._next_number += 1
        self._seats[seat.number] = seat
        self.weigh(seat)

    def remove(self, seat: Seat) -> bool:
        """Take a replica out; False where it is out already."""
        return self._seats.pop(seat.number, None) is not None

    def clear(self) -> list[Seat]:
        """Take all replicas out, and return them."""
        seats = list(self)
        self._seats.clear()
        return seats

    def weigh(self, seat: Seat) -> None:
        """Enter a seat's load anew; needed after each change of it."""
        heapq.heappush(self._by_load, (len(seat.calls), seat.number))
        if len(self._by_load) > 8 * len(self._seats) + 64:
            self._by_load = [(len(one.calls), number) for number, one in self._seats.items()]
            heapq.heapify(self._by_load)

    def choose(self, picture: int | None) -> Seat | None:
        """The replica with the fewest requests, or the one that has the picture already where that has hardly more.

        None where no replica has a free slot.
        """
        while self._by_load:
            load, number = self._by_load[0]
            seat = self._seats.get(number)
            if seat is not None and not seat.alone and load == len(seat.calls):
                break
            heapq.heappop(self._by_load)
        else:
            return None
        if load >= self.slots:
            return None
        if picture is None:
            return seat
        home = self._homes.get(picture)
        room = min(self.slots, load + max(1, self.slots // 4))
        if home is not None and home in self and not home.alone and len(home.calls) < room:
            seat = home
        self._homes.put(picture, seat)
        return seat
