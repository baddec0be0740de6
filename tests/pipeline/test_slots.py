"""Slots that grow and shrink while they are held."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.pipeline.slots import Slots


def test_no_more_than_the_limit_are_inside() -> None:
    async def go() -> None:
        slots = Slots(3)
        inside: set[int] = set()
        most = 0

        async def one(number: int) -> None:
            nonlocal most
            async with slots:
                inside.add(number)
                most = max(most, len(inside))
                await asyncio.sleep(0)
                inside.discard(number)

        await asyncio.gather(*(one(n) for n in range(50)))
        assert most == 3

    asyncio.run(go())


@settings(max_examples=60)
@given(st.lists(st.one_of(st.integers(0, 6), st.just("enter"), st.just("leave"), st.just("cancel")), max_size=60))
def test_everyone_is_admitted_in_the_end_whatever_happens(steps: list[int | str]) -> None:
    async def go() -> None:
        slots = Slots(2)
        release: list[asyncio.Event] = []
        tasks: list[asyncio.Task[None]] = []
        inside = 0

        async def one(leave: asyncio.Event) -> None:
            nonlocal inside
            async with slots:
                inside += 1
                try:
                    await leave.wait()
                finally:
                    inside -= 1

        for step in steps:
            if isinstance(step, int):
                before = inside
                slots.resize(step)
                await asyncio.sleep(0)
                assert inside <= max(before, slots.limit)
            elif step == "enter":
                release.append(asyncio.Event())
                tasks.append(asyncio.create_task(one(release[-1])))
            elif step == "leave" and release:
                release.pop(0).set()
            elif tasks:
                tasks[-1].cancel()
            await asyncio.sleep(0)
        slots.resize(1)
        for event in release:
            event.set()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert inside == 0
        async with asyncio.timeout(1):
            async with slots:
                pass

    asyncio.run(go())
