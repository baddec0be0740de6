"""A retriever that goes away for a while is waited for as a model's endpoint is; one that stays away or turns all away is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mmeval.core.types import Response
from mmeval.pipeline import retriever as module
from mmeval.pipeline.retriever import RawPage, Retriever, RetrieverSettings

AWAY = Response("error", error="connection refused", retryable=True, unreachable=True)
BUSY = Response("error", error="HTTP 503", retryable=True)
DENIED = Response("error", error="HTTP 401", denied=True)
WRONG = Response("error", error="page 3 has no id")
PAGES = [RawPage("a", None, b"picture")]


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(module.asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def scripted(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[int, float], Any], work: Callable[[Retriever], Coroutine[Any, Any, Any]], **settings: Any
) -> tuple[Any, int, list[str], Clock]:  # fmt: skip
    """What `work` finds with a retriever that answers the n-th try at a time so; the tries; what was told."""
    clock, told, tries = Clock(monkeypatch), list[str](), [0]

    async def once(self: Retriever, body: bytes) -> Any:
        tries[0] += 1
        return answer(tries[0], clock.now - 1000.0)

    monkeypatch.setattr(Retriever, "_once", once)

    async def run() -> Any:
        return await work(Retriever(RetrieverSettings("http://127.0.0.1:9/s", **settings), told.append))

    return asyncio.run(run()), tries[0], told, clock


async def one(retriever: Retriever) -> Any:
    return await retriever.search({"query": "x"})


async def many(retriever: Retriever) -> Any:
    return [await retriever.search({"query": "x"}) for _ in range(100)]


def test_an_outage_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found, tries, told, _ = scripted(monkeypatch, lambda _, t: PAGES if t > 50 else AWAY, one)
    assert found == PAGES
    assert tries > 5, "what was never sent is no try"
    assert told == ["connection refused; trying again for up to 60 s"]


def test_one_that_stays_away_is_given_up_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found, tries, told, clock = scripted(monkeypatch, lambda *_: AWAY, many)
    assert found[0] == AWAY
    assert all("not asked: the retriever was away for 60 s" in one.error for one in found[1:])
    assert tries < 30
    assert len(told) == 1
    assert 60 <= clock.now - 1000 < 70


def test_single_failures_take_the_attempts_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found, tries, told, _ = scripted(monkeypatch, lambda n, _: PAGES if n % 7 == 0 else BUSY, many, attempts=3)
    assert tries <= 3 * len(found)
    assert PAGES in found
    assert BUSY in found
    assert told == []


def test_failures_in_a_row_are_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _, told, _ = scripted(monkeypatch, lambda n, _: PAGES if n > 35 else BUSY, many, attempts=5)
    assert found.count(BUSY) == 6  # 31 tries; the 32nd begins the wait
    assert found.count(PAGES) == 94
    assert told == ["HTTP 503; trying again for up to 60 s"]


@pytest.mark.parametrize(("failure", "tries"), [(AWAY, 5), (BUSY, 5), (WRONG, 1), (DENIED, 1)])
def test_without_an_outage_to_wait_for_there_are_the_attempts(
    failure: Response, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, made, _, _ = scripted(monkeypatch, lambda *_: failure, one, outage_s=0.0)
    assert (found, made) == (failure, tries)


def test_one_that_turns_all_away_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    found, tries, told, _ = scripted(monkeypatch, lambda *_: DENIED, many)
    assert tries == module.PATIENCE
    assert "turned away; last: HTTP 401" in found[-1].error
    assert len(told) == 1


def test_wrong_answers_of_single_searches_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found, tries, told, _ = scripted(monkeypatch, lambda *_: WRONG, many)
    assert (found, tries, told) == ([WRONG] * 100, 100, [])


def test_a_wait_that_is_asked_for_beyond_the_outage_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Response("error", error="HTTP 429", retryable=True, retry_after_s=3600.0)
    found, tries, _, clock = scripted(monkeypatch, lambda *_: busy, one)
    assert (found, tries, clock.now) == (busy, 1, 1000.0)
