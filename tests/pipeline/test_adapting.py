"""How many requests a server gets: fewer when it refuses, slows down or queues; back when it takes them; never below one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.types import Response
from mmeval.engines.base import Load
from mmeval.pipeline import adapting
from mmeval.pipeline.adapting import Adaptation
from mmeval.pipeline.admission import Admission

BUSY = Response("error", error="HTTP 429", retryable=True, busy=True)
REFUSED = Response("refused", error="no")


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    monkeypatch.setattr(adapting, "time", made)
    return made


def _answer(seconds: float = 1.0) -> Response:
    return Response("ok", text="x", latency_s=seconds)


def _adaptation(slots: int, most: int = 1024, fixed: bool = False, servers: int = 1) -> Adaptation:
    admission = Admission(slots)
    return Adaptation(admission, most, servers, fixed)


def _rounds(one: Adaptation, clock: _Clock, count: int, rate: float | None = None, latency: float = 1.0) -> None:
    """Rounds in which all places are in use; the server answers `rate` a second, or in proportion to the places."""
    for _ in range(count):
        one.admission.held = one.admission.slots
        limit = one.limit
        for _ in range(limit + 1):
            clock.now += latency / limit if rate is None else 1.0 / rate
            one.answered(_answer(latency if rate is None else limit / rate), clock.now - latency)


def test_it_is_halved_once_per_round_trip_and_comes_back(clock: _Clock) -> None:
    one = _adaptation(64)
    for _ in range(30):
        one.answered(BUSY, clock.now - 1.0 if one.limit < 64 else clock.now)
    assert one.limit == 32
    assert one.admission.slots == 32
    clock.now += 1.0
    one.answered(BUSY, clock.now)
    assert one.limit == 16
    clock.now += 1.0
    _rounds(one, clock, 40)
    assert one.limit >= 64
    summary = one.summary()
    assert (summary["first"], summary["lowest"]) == (64, 16)
    assert summary["reasons"]["busy"] == 2
    assert summary["reasons"]["answers"] > 1


def test_a_named_number_is_never_exceeded_and_comes_back(clock: _Clock) -> None:
    one = _adaptation(8, most=8, fixed=True)
    _rounds(one, clock, 20)
    assert one.limit == 8
    one.answered(BUSY, clock.now + 1)
    assert one.limit == 4
    clock.now += 2
    one.measured(Load(running=100, waiting=500))
    assert one.limit == 4  # only refusals count against what the user named
    _rounds(one, clock, 30)
    assert one.limit == 8


def test_one_of_four_servers_that_refuses_takes_an_eighth(clock: _Clock) -> None:
    one = _adaptation(64, servers=4)
    one.answered(BUSY, clock.now)
    assert one.limit == 56


def test_it_grows_while_that_brings_more_and_not_beyond(clock: _Clock) -> None:
    one = _adaptation(64)
    _rounds(one, clock, 12)
    grown = one.limit
    assert grown > 128
    _rounds(one, clock, 40, rate=grown / 1.0)  # from here on the server answers no more per second
    assert one.limit <= 1.3 * grown
    assert one.reasons["no faster"] >= 1


def test_it_shrinks_when_the_server_slows_down(clock: _Clock) -> None:
    one = _adaptation(64)
    _rounds(one, clock, 2)
    before = one.limit
    _rounds(one, clock, 1, latency=10.0)
    assert one.limit < before
    assert one.reasons["slower"] == 1


def test_failures_that_say_nothing_of_load_change_nothing(clock: _Clock) -> None:
    one = _adaptation(64)
    for response in (REFUSED, Response("error", error="HTTP 500", retryable=True), Response("too_long", error="long")):
        one.answered(response, clock.now + 1)
    assert one.limit == 64


def test_a_server_that_tells_gets_what_it_runs_and_a_little_ahead(clock: _Clock) -> None:
    one = _adaptation(64)
    one.admission.held = 64
    for _ in range(4):
        one.measured(Load(running=one.limit, waiting=0, cache_usage=0.3))
        one.admission.held = one.limit
    grown = one.limit
    assert grown > 120
    for _ in range(40):
        one.measured(Load(running=100, waiting=max(0, one.limit - 100), cache_usage=0.9))
        one.admission.held = one.limit
    assert 100 <= one.limit <= 160
    one.measured(Load(running=100, waiting=10, preemptions=3))
    assert one.reasons["preempted"] == 1
    full = _adaptation(64)
    full.admission.held = 64
    full.measured(Load(running=64, waiting=0, cache_usage=0.99))
    assert full.limit == 64


def test_the_cache_bounds_tokens(clock: _Clock) -> None:
    one = _adaptation(64)
    one.measured(Load(running=1, waiting=0, cache_tokens=10_000))
    assert one.admission.tokens == 11_000


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("answer"), st.floats(0, 100)),
            st.tuples(st.just("busy"), st.floats(0, 5)),
            st.tuples(st.just("load"), st.integers(0, 10**6)),
        ),
        max_size=200,
    ),
    st.integers(1, 64),
    st.booleans(),
)
def test_it_stays_between_one_and_the_most_whatever_comes(
    events: list[tuple[str, float]], slots: int, fixed: bool
) -> None:
    one = _adaptation(slots, most=100, fixed=fixed)
    for kind, number in events:
        one.admission.held = one.admission.slots
        if kind == "answer":
            one.answered(_answer(number), time.monotonic())
        elif kind == "busy":
            one.answered(BUSY, time.monotonic() + number)
        else:
            one.measured(Load(int(number), int(number) // 3, number % 1, None, int(number)))
        assert 1 <= one.limit <= 100
        assert one.admission.slots == one.limit
        assert one.lowest <= one.limit <= one.highest
