"""Admission: never more than there is room for, never stuck, large requests are not starved, lines share fairly."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.pipeline.admission import Admission, Line

_STEPS = st.one_of(
    st.tuples(st.just("enter"), st.integers(0, 1), st.integers(1, 12)),
    st.tuples(st.just("leave"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("resize"), st.integers(0, 5), st.integers(1, 15)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_STEPS, max_size=60), st.none() | st.integers(1, 3))
def test_no_more_than_there_is_room_for_and_everyone_in_the_end(
    steps: list[tuple[str, int, int]], most: int | None
) -> None:
    async def go() -> None:
        admission = Admission(3, 10)
        lines = [admission.join(), admission.join(most)]
        inside: list[tuple[Line, int, asyncio.Event]] = []
        tasks: list[asyncio.Task[None]] = []
        releases: list[asyncio.Event] = []

        async def one(line: Line, weight: int, leave: asyncio.Event) -> None:
            async with line.place(weight):
                entry = (line, weight, leave)
                inside.append(entry)
                try:
                    await leave.wait()
                finally:
                    inside.remove(entry)

        for kind, which, number in steps:
            before = len(inside), sum(weight for _, weight, _ in inside)
            if kind == "enter":
                releases.append(asyncio.Event())
                tasks.append(asyncio.create_task(one(lines[which], number, releases[-1])))
            elif kind == "leave" and releases:
                releases[which % len(releases)].set()
            elif kind == "cancel" and tasks:
                tasks[which % len(tasks)].cancel()
            elif kind == "resize":
                admission.resize(which, number)
            for _ in range(4):
                await asyncio.sleep(0)
            weight = sum(weight for _, weight, _ in inside)
            assert len(inside) <= max(admission.slots, before[0])
            assert len(inside) <= 1 or weight <= max(admission.tokens or 0, before[1])
            assert most is None or sum(line is lines[1] for line, _, _ in inside) <= most
            assert (admission.held, admission.weight) == (len(inside), weight)
            assert [line.held for line in lines] == [sum(one is line for one, _, _ in inside) for line in lines]
        for event in releases:
            event.set()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert (admission.held, admission.weight, inside) == (0, 0, [])
        async with asyncio.timeout(1), lines[0].place(1000):
            pass

    asyncio.run(go())


def test_a_large_request_is_not_passed_by_small_ones_that_come_later() -> None:
    async def go() -> list[str]:
        admission = Admission(8, 100)
        line = admission.join()
        order: list[str] = []

        async def one(name: str, weight: int) -> None:
            async with line.place(weight):
                order.append(name)
                await asyncio.sleep(0.001)

        small = [asyncio.create_task(one("small", 20)) for _ in range(5)]
        await asyncio.sleep(0)
        large = asyncio.create_task(one("large", 90))
        await asyncio.sleep(0)
        later = [asyncio.create_task(one("later", 5)) for _ in range(20)]
        await asyncio.gather(*small, large, *later)
        return order

    order = asyncio.run(go())
    assert order.index("large") == 5


def test_a_request_that_is_larger_than_everything_goes_alone() -> None:
    async def go() -> int:
        admission = Admission(8, 100)
        line = admission.join()
        async with line.place(5000):
            waiting = asyncio.create_task(line.enter(1))
            await asyncio.sleep(0.001)
            assert not waiting.done()
        await waiting
        return admission.weight

    assert asyncio.run(go()) == 1


def test_nobody_passes_who_waits_in_another_line() -> None:
    async def go() -> list[bool]:
        admission = Admission(8, 100)
        first, second = admission.join(), admission.join()
        await first.enter(60)
        waiting = asyncio.create_task(first.enter(50))
        await asyncio.sleep(0)
        seen = [admission.admits_at_once(second, 10)]
        first.leave(60)
        await waiting
        return [*seen, admission.admits_at_once(second, 10)]

    assert asyncio.run(go()) == [False, True]


def test_a_line_that_may_take_no_more_holds_up_no_other() -> None:
    async def go() -> bool:
        admission = Admission(8)
        narrow, wide = admission.join(most=1), admission.join()
        await narrow.enter()
        waiting = asyncio.create_task(narrow.enter())
        await asyncio.sleep(0)
        admitted = admission.admits_at_once(wide, 1)
        narrow.leave()
        await waiting
        return admitted

    assert asyncio.run(go())


def test_two_lines_share_evenly_though_one_has_far_more_to_ask() -> None:
    async def go() -> tuple[Counter[str], Counter[str]]:
        admission = Admission(10)
        served: Counter[str] = Counter()
        early: Counter[str] = Counter()

        async def one(name: str, line: Line) -> None:
            async with line.place():
                served[name] += 1
                if served.total() <= 200:
                    early[name] += 1
                await asyncio.sleep(0.001)

        many, few = admission.join(), admission.join()
        tasks = [asyncio.create_task(one("many", many)) for _ in range(400)]
        tasks += [asyncio.create_task(one("few", few)) for _ in range(90)]
        await asyncio.gather(*tasks)
        return served, early

    served, early = asyncio.run(go())
    assert served == {"many": 400, "few": 90}
    assert early["few"] >= 85  # nearly half of what was served while both waited


def test_tokens_are_shared_not_requests_where_they_differ() -> None:
    async def go() -> tuple[int, int]:
        admission = Admission(1000, 1000)
        long, short = admission.join(), admission.join()
        tasks = [asyncio.create_task(long.enter(100)) for _ in range(20)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(short.enter(10)) for _ in range(200)]
        await asyncio.sleep(0)
        for _ in range(5):
            long.leave(100)
        await asyncio.sleep(0.001)
        held = long.weight, short.weight
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return held

    assert asyncio.run(go()) == (500, 500)


def test_a_full_engine_stays_full_with_mixed_requests() -> None:
    """Service time by tokens: what is admitted keeps three quarters of the cache in use until little is left to ask."""

    async def go() -> float:
        admission = Admission(64, 1000)
        line = admission.join()
        draw = random.Random(0)
        weights = [draw.choice((5, 10, 20, 400)) for _ in range(400)]
        used: list[int] = []

        async def one(weight: int) -> None:
            async with line.place(weight):
                assert admission.weight <= 1000
                if line.waiting:
                    used.append(admission.weight)
                await asyncio.sleep(0.0002 + weight * 1e-6)

        await asyncio.gather(*(one(weight) for weight in weights))
        return sum(used) / len(used)

    assert asyncio.run(go()) > 500
