"""What is shown while a run goes on."""

from __future__ import annotations

import asyncio
import time

import pytest

from mmeval.cli.progress import describe, show_progress
from mmeval.pipeline.asking import Progress


def test_notices_come_out_at_once_and_none_is_lost_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    entry = Progress("m", 10)
    entry.notices.append("m: the server asks to wait 30 s")

    async def go() -> str:
        display = asyncio.create_task(show_progress([entry], time.monotonic()))
        for _ in range(200):
            await asyncio.sleep(0.02)
            if not entry.notices:
                break
        first = capsys.readouterr().err
        entry.notices.append("m: the last word")
        display.cancel()
        await asyncio.gather(display, return_exceptions=True)
        return first

    assert asyncio.run(go()) == "m: the server asks to wait 30 s\n"
    assert capsys.readouterr().err == "m: the last word\n"


def test_a_wait_stands_in_the_line() -> None:
    entry = Progress("m", 10, waiting_until=time.monotonic() + 100)
    assert "more, as the server asks" in describe(entry, 1.0)
    entry.waiting_until = 0.0
    assert "server asks" not in describe(entry, 1.0)
