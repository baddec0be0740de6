"""The queue before several replicas: shares, losses, restarts, suspects, and who is told what. No Ray here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import EngineError
from mmeval.engines import replicas
from mmeval.engines.replicas import MAX_CRASHES, ReplicaPool
from mmeval.engines.seats import MismatchError, ReplicaLost

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(limited())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "POLL_S", 0.01)
    monkeypatch.setattr(replicas, "RETRY_S", 0.02)


class World:
    """A cluster of fakes: how many have room, which are up, and what they were asked."""

    def __init__(self, room: int = 2, seconds: float = 0.001) -> None:
        self.room = room
        self.seconds = seconds
        self.up: list[Fake] = []
        self.launched = 0
        self.asked: Counter[str] = Counter()
        self.most: Counter[int] = Counter()
        self.start_errors: list[Exception] = []
        """What the next replicas fail with when they load."""
        self.deadly: Callable[[str], bool] = lambda text: False
        self.alone: list[bool] = []
        """For every deadly request, whether its replica did nothing else."""
        self.placing = asyncio.Event()
        self.placing.set()

    def launch(self) -> Fake:
        self.launched += 1
        return Fake(self, self.launched)

    def pool(self, slots: int = 4, patience_s: float = 5.0) -> ReplicaPool:
        return ReplicaPool("fake", self.launch, lambda: self.room, slots, patience_s)


class Fake:
    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.running: set[str] = set()
        self.pictures: list[bytes] = []
        self.gone: asyncio.Future[None] | None = None
        self.node_died = False
        self.closed = 0

    async def place(self) -> None:
        await self.world.placing.wait()

    async def load(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.world.start_errors:
            raise self.world.start_errors.pop(0)
        self.gone = asyncio.get_running_loop().create_future()
        self.world.up.append(self)
        return {"number": self.number}

    async def ask(self, header: dict[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
        text = header["text"]
        world = self.world
        assert self.gone is not None
        if self.gone.done():
            raise ReplicaLost("killed before", node_died=self.node_died)
        world.asked[text] += 1
        self.pictures += blobs[:1]
        self.running.add(text)
        world.most[self.number] = max(world.most[self.number], len(self.running))
        try:
            if world.deadly(text):
                world.alone.append(len(self.running) == 1)
                self.die()
            await asyncio.wait(
                {asyncio.ensure_future(asyncio.sleep(world.seconds)), self.gone}, return_when="FIRST_COMPLETED"
            )
            if self.gone.done():
                raise ReplicaLost("killed", node_died=self.node_died)
        finally:
            self.running.discard(text)
        return {"status": "ok", "text": text, "by": self.number}

    def die(self, node: bool = False) -> None:
        assert self.gone is not None
        self.node_died = node
        if not self.gone.done():
            self.gone.set_result(None)
            self.world.up.remove(self)

    async def close(self) -> None:
        self.closed += 1
        if self in self.world.up:
            self.world.up.remove(self)


async def ask(pool: ReplicaPool, text: str, *blobs: bytes, timeout_s: float = 30.0) -> dict[str, Any]:
    return await pool.ask({"text": text}, blobs, timeout_s)


def test_replicas_share_the_requests_within_their_slots() -> None:
    async def go() -> None:
        world = World(room=3)
        pool = world.pool(slots=4)
        assert (await pool.start())["number"] in (1, 2, 3)
        answers = await asyncio.gather(*(ask(pool, str(n)) for n in range(120)))
        assert [answer["text"] for answer in answers] == [str(n) for n in range(120)]
        shares = Counter(answer["by"] for answer in answers)
        assert set(shares) == {1, 2, 3}
        assert min(shares.values()) >= 25
        assert max(world.most.values()) == 4
        assert set(world.asked.values()) == {1}
        await pool.close()
        await pool.close()
        assert world.up == []
        assert (await ask(pool, "late"))["status"] == "error"

    run(go())


def test_requests_of_one_picture_stay_together_while_nobody_idles() -> None:
    async def go() -> None:
        world = World(room=2)
        pool = world.pool(slots=8)
        await pool.start()
        pictures = [bytes([n]) * 50 for n in range(10)]
        for _ in range(4):
            await asyncio.gather(*(ask(pool, f"about {n}", picture) for n, picture in enumerate(pictures)))
        seen = [set(fake.pictures) for fake in world.up]
        assert len(seen[0] & seen[1]) <= 2
        # One picture alone still uses all replicas.
        answers = await asyncio.gather(*(ask(pool, f"again {n}", pictures[0]) for n in range(16)))
        assert Counter(answer["by"] for answer in answers).most_common()[1][1] >= 6
        await pool.close()

    run(go())


def test_a_lost_node_loses_no_request_and_repeats_only_what_was_in_flight() -> None:
    async def go() -> None:
        world = World(room=2, seconds=0.01)
        pool = world.pool(slots=4)
        told: list[str] = []
        sizes: list[int] = []
        pool.tell, pool.changed = told.append, sizes.append
        await pool.start()
        calls = [asyncio.create_task(ask(pool, str(n))) for n in range(60)]
        await asyncio.sleep(0.03)
        lost = world.up[0]
        running = set(lost.running)
        lost.die(node=True)
        answers = await asyncio.gather(*calls)
        assert [answer["text"] for answer in answers] == [str(n) for n in range(60)]
        assert {text for text, times in world.asked.items() if times > 1} <= running
        assert max(world.asked.values()) <= 2
        assert "a replica is gone" in told[0]
        assert sizes[:3] == [4, 8, 4]
        assert sizes[-1] == 8, "it is replaced"
        assert lost.closed == 1
        await pool.close()

    run(go())


def test_new_room_is_used_and_fewer_replicas_go_on() -> None:
    async def go() -> None:
        world = World(room=1, seconds=0.01)
        pool = world.pool(slots=2)
        await pool.start()
        assert pool.size == 1
        world.room = 4
        calls = [asyncio.create_task(ask(pool, str(n))) for n in range(100)]
        answers = await asyncio.gather(*calls)
        assert pool.size == 4
        assert len({answer["by"] for answer in answers}) == 4
        world.room = 1
        for fake in world.up[:3]:
            fake.die(node=True)
        more = await asyncio.gather(*(ask(pool, f"more {n}") for n in range(20)))
        assert all(answer["status"] == "ok" for answer in more)
        await pool.close()

    run(go())


def test_the_request_that_kills_replicas_is_found_and_the_others_are_answered() -> None:
    async def go() -> None:
        world = World(room=2, seconds=0.002)
        world.deadly = lambda text: text == "7"
        pool = world.pool(slots=8)
        await pool.start()
        answers = await asyncio.gather(*(ask(pool, str(n)) for n in range(40)))
        assert [n for n, answer in enumerate(answers) if answer["status"] != "ok"] == [7]
        assert "lost 3 times" in answers[7]["error"]
        assert world.asked["7"] == MAX_CRASHES
        assert world.alone[-1], "the last try harms nobody else"
        assert max(times for text, times in world.asked.items() if text != "7") <= MAX_CRASHES
        await pool.close()

    run(go())


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=8), st.integers(1, 4), st.integers(1, 5))
def test_whatever_dies_whenever_everything_is_answered_once(
    deaths: list[tuple[int, bool]], room: int, slots: int
) -> None:
    async def go() -> None:
        world = World(room=room, seconds=0.0005)
        pool = world.pool(slots=slots)
        await pool.start()
        calls = [asyncio.create_task(ask(pool, str(n))) for n in range(60)]
        in_flight: Counter[str] = Counter()
        for wait, node in deaths:
            await asyncio.sleep(wait / 10_000)
            if world.up:
                fake = world.up[0]
                in_flight.update(fake.running)
                fake.die(node=node)
        answers = await asyncio.gather(*calls)
        for n, answer in enumerate(answers):
            assert answer["status"] == "ok" or sum(not node for _, node in deaths) >= MAX_CRASHES
            assert answer.get("text", str(n)) == str(n)
        assert all(times <= 1 + in_flight[text] for text, times in world.asked.items())
        await pool.close()
        assert world.up == []

    run(go())


def test_a_model_that_cannot_start_ends_the_run_with_the_workers_reason() -> None:
    async def go() -> None:
        world = World(room=1)
        world.start_errors = [EngineError("node a: no weights", remedy="copy them")]
        with pytest.raises(EngineError, match="no weights"):
            await world.pool().start()
        world = World(room=8)
        world.start_errors = [EngineError(f"node {n}: out of memory") for n in range(8)]
        with pytest.raises(EngineError, match="out of memory"):
            await world.pool().start()
        assert world.up == []

    run(go())


def test_one_bad_node_does_not_stop_the_others() -> None:
    async def go() -> None:
        world = World(room=3)
        world.start_errors = [EngineError("node a: the card is broken")]
        pool = world.pool()
        await pool.start()
        answers = await asyncio.gather(*(ask(pool, str(n)) for n in range(20)))
        assert all(answer["status"] == "ok" for answer in answers)
        await pool.close()

    run(go())


def test_another_version_on_a_node_is_refused_at_once() -> None:
    async def go() -> None:
        world = World(room=4)
        world.start_errors = [MismatchError("node a has mmeval 0.0.9", remedy="install the same")]
        with pytest.raises(EngineError, match=r"0\.0\.9"):
            await world.pool().start()

    run(go())


def test_without_room_the_start_gives_up() -> None:
    async def go() -> None:
        world = World(room=1)
        world.placing.clear()
        with pytest.raises(EngineError, match="no node had room") as found:
            await world.pool(patience_s=0.05).start()
        assert "--outage" in found.value.remedy
        # A cluster without any node that could hold one is the same.
        with pytest.raises(EngineError, match="no node had room"):
            await World(room=0).pool(patience_s=0.05).start()

    run(go())


def test_when_all_are_gone_requests_fail_for_good_until_a_node_comes_back() -> None:
    async def go() -> None:
        world = World(room=1, seconds=0.01)
        pool = world.pool(patience_s=0.05)
        await pool.start()
        calls = [asyncio.create_task(ask(pool, str(n))) for n in range(10)]
        await asyncio.sleep(0.005)
        world.placing.clear()
        world.up[0].die(node=True)
        answers = await asyncio.gather(*calls)
        assert all(answer["status"] == "error" and answer["fatal"] for answer in answers)
        assert "no node had room" in answers[0]["error"]
        assert (await ask(pool, "while there is none"))["fatal"]
        world.placing.set()
        await asyncio.sleep(0.05)
        assert (await ask(pool, "back"))["status"] == "ok"
        await pool.close()

    run(go())


def test_a_cancelled_or_late_request_frees_its_slot() -> None:
    async def go() -> None:
        world = World(room=1, seconds=30.0)
        pool = world.pool(slots=1)
        await pool.start()
        late = await ask(pool, "slow", timeout_s=0.02)
        assert late["status"] == "timeout"
        cancelled = asyncio.create_task(ask(pool, "cancelled"))
        waiting = asyncio.create_task(ask(pool, "behind"))
        await asyncio.sleep(0.02)
        cancelled.cancel()
        world.seconds = 0.001
        await asyncio.gather(cancelled, return_exceptions=True)
        assert (await waiting)["text"] == "behind"
        assert world.up[0].running == set()
        await pool.close()

    run(go())


def test_closing_while_replicas_start_releases_them() -> None:
    async def go() -> None:
        world = World(room=3)
        world.placing.clear()
        pool = world.pool()
        starting = asyncio.create_task(pool.start())
        await asyncio.sleep(0.02)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        assert world.launched == 3
        assert world.up == []

    run(go())
