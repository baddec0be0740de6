"""The slots of an engine: what a loaded engine says of itself, remote ones that refuse or tell their load, several models of one server."""

from __future__ import annotations

import asyncio
from collections import Counter

from mmeval.core.types import Request, Response
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, Load
from mmeval.pipeline import asking
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.plan import Effort
from tests.engines.conftest import make_request


class Server:
    """Takes so many requests at once, refuses further ones, and counts."""

    def __init__(self, capacity: int, tells: bool = False, seconds: float = 0.002) -> None:
        self.capacity = capacity
        self.tells = tells
        self.seconds = seconds
        self.running = 0
        self.most = 0
        self.refused = 0
        self.served: Counter[str] = Counter()

    async def answer(self, name: str) -> Response:
        if self.running >= self.capacity:
            self.refused += 1
            return Response("error", error="HTTP 429: busy", retryable=True, busy=True)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        self.served[name] += 1
        return Response("ok", text="x", prompt_tokens=10, completion_tokens=1)


class Joined:
    """An engine at a server, as `base.Remote`."""

    supported_sampling = SAMPLING_FIELDS
    modalities = frozenset({"text"})
    exclusive = False

    def __init__(self, server: Server, name: str = "m", address: str = "http://a/v1") -> None:
        self.server = server
        self.name = name
        self.servers = frozenset({address})
        self.sizes: list[int] = []
        self.loads = 0

    async def describe(self) -> EngineInfo:
        return EngineInfo("fake", "1", {}, slots=64)

    start = describe

    async def generate(self, request: Request) -> Response:
        return await self.server.answer(self.name)

    async def load(self) -> Load | None:
        self.loads += 1
        return Load(self.server.running, 0, 0.1, 5000) if self.server.tells else None

    def resize(self, slots: int) -> None:
        self.sizes.append(slots)

    async def close(self) -> None:
        pass


class Loaded(Joined):
    """An engine that says what it takes once it is loaded; not remote."""

    load = None  # type: ignore[assignment]
    info = EngineInfo("fake", "1", {}, slots=20, cache_tokens=1000)

    async def start(self) -> EngineInfo:
        return self.info


def _requests(count: int) -> list[Request]:
    return [make_request(identifier=f"s-{number}") for number in range(count)]


async def _all(asker: Asker, count: int) -> list[Response]:
    return list(await asyncio.gather(*(asker.ask(request) for request in _requests(count))))


QUICK = Effort(attempts=200, backoff_s=0.001, backoff_limit_s=0.002)


def test_a_server_that_refuses_gets_fewer_and_everything_is_answered() -> None:
    async def go() -> tuple[Server, Asker, list[Response]]:
        server = Server(8)
        asker = Asker(Joined(server), 64, QUICK, Progress("m", None))
        return server, asker, await _all(asker, 600)

    server, asker, responses = asyncio.run(go())
    assert {response.status for response in responses} == {"ok"}
    found = asker.progress.admission()
    assert found["lowest"] < 16
    assert found["reasons"]["busy"] >= 3
    assert server.refused < 600  # 64 at once would be refused seven times in eight
    assert asker.progress.limit == asker.slots == found["last"]


def test_a_named_number_is_kept_and_adapts_below() -> None:
    async def go() -> tuple[Server, Asker]:
        server = Server(1000)
        asker = Asker(Joined(server), 64, Effort(concurrency=5), Progress("m", None))
        await _all(asker, 200)
        return server, asker

    server, asker = asyncio.run(go())
    assert server.most == 5
    assert asker.progress.admission()["highest"] == 5


def test_a_server_that_tells_its_load_is_given_more() -> None:
    async def go() -> tuple[Server, Asker]:
        server = Server(1000, tells=True, seconds=0.02)
        asker = Asker(Joined(server), 64, Effort(), Progress("m", None))
        saved, asking.LOAD_EVERY_S = asking.LOAD_EVERY_S, 0.01
        try:
            await _all(asker, 1500)
        finally:
            asking.LOAD_EVERY_S = saved
        return server, asker

    server, asker = asyncio.run(go())
    found = asker.progress.admission()
    assert found["server_tells_load"]
    assert found["reasons"]["room"] >= 2
    assert found["tokens"] == 5500
    assert server.most > 64


def test_a_server_that_tells_nothing_is_asked_once_for_its_load() -> None:
    async def go() -> Joined:
        engine = Joined(Server(1000))
        asker = Asker(engine, 8, Effort(), Progress("m", None))
        for _ in range(3):
            await _all(asker, 20)
        return engine

    assert asyncio.run(go()).loads == 1


def test_models_of_one_server_share_its_places_and_others_do_not() -> None:
    async def go() -> tuple[Server, Server, list[Asker]]:
        shared, own = Server(1000), Server(1000)
        first = Asker(Joined(shared, "first"), 64, Effort(concurrency=10), Progress("first", None))
        judge = Asker(Joined(shared, "judge"), 64, Effort(concurrency=4), Progress("judge", None))
        other = Asker(Joined(own, "other", "http://b/v1"), 64, Effort(concurrency=10), Progress("other", None))
        assert judge.share(first)
        assert not other.share(first)
        await asyncio.gather(_all(first, 300), _all(judge, 100), _all(other, 50))
        return shared, own, [first, judge, other]

    shared, own, askers = asyncio.run(go())
    assert shared.most == 10
    assert own.most == 10
    assert shared.served == {"first": 300, "judge": 100}
    assert [asker.progress.admission().get("shared_by") for asker in askers] == [2, 2, None]
    assert askers[1].slots == 4


def test_the_short_queue_of_a_shared_server_does_not_wait_for_the_long_one() -> None:
    async def go() -> int:
        server = Server(1000)
        long = Asker(Joined(server, "long"), 8, Effort(concurrency=8), Progress("long", None))
        short = Asker(Joined(server, "short"), 8, Effort(concurrency=8), Progress("short", None))
        short.share(long)
        many = asyncio.create_task(_all(long, 1000))
        await asyncio.sleep(0.005)
        await _all(short, 40)
        served = server.served["long"]
        await many
        return served

    assert asyncio.run(go()) < 300


def test_a_loaded_engine_says_how_much_it_takes() -> None:
    async def go() -> tuple[Server, Asker]:
        server = Server(1000)
        engine = Loaded(server)
        asker = Asker(engine, 4, Effort(), Progress("m", None), engine.start)
        grown: list[int] = []
        asker.grown = grown.append
        await _all(asker, 100)
        assert grown == [16]
        return server, asker

    server, asker = asyncio.run(go())
    # 1,100 tokens; a guess of some 270 each until answers show that they take 11
    assert 4 <= server.most <= 20
    assert asker.slots == 20
    assert asker.progress.admission() == {"slots": 20, "tokens": 1100}


class Away(Joined):
    """An engine whose endpoint cannot be reached for the first so many requests, or turns all of them away."""

    def __init__(self, unreachable: int = 0, denies: bool = False) -> None:
        super().__init__(Server(1000))
        self.unreachable, self.denies = unreachable, denies
        self.asked = 0

    async def generate(self, request: Request) -> Response:
        self.asked += 1
        if self.denies:
            return Response("error", error="HTTP 401: the key was refused", denied=True)
        if self.asked <= self.unreachable:
            return Response("error", error="cannot reach it", retryable=True, unreachable=True)
        return await self.server.answer("m")


def test_what_could_not_be_sent_is_no_try_while_an_outage_may_last() -> None:
    async def go() -> tuple[Asker, list[Response]]:
        effort = Effort(attempts=2, backoff_s=0.0001, backoff_limit_s=0.001, outage_s=60.0)
        asker = Asker(Away(unreachable=500), 8, effort, Progress("m", None))
        return asker, await _all(asker, 20)

    asker, responses = asyncio.run(go())
    assert {response.status for response in responses} == {"ok"}
    assert [notice for notice in asker.progress.notices if "cannot reach it; trying again" in notice]


def test_an_outage_without_end_ends_within_its_time() -> None:
    async def go() -> list[Response]:
        effort = Effort(attempts=2, backoff_s=0.01, backoff_limit_s=0.01, outage_s=0.2)
        return await _all(Asker(Away(unreachable=10**9), 8, effort, Progress("m", None)), 100)

    responses = asyncio.run(go())
    assert {response.status for response in responses} == {"error"}
    assert all("cannot reach it" in (response.error or "") for response in responses)


def test_tries_are_counted_where_no_outage_is_waited_for() -> None:
    async def go() -> tuple[Away, list[Response]]:
        away = Away(unreachable=10**9)
        effort = Effort(attempts=3, backoff_s=0.0001, outage_s=0.0)
        return away, await _all(Asker(away, 8, effort, Progress("m", None)), 4)

    away, responses = asyncio.run(go())
    assert {response.status for response in responses} == {"error"}
    assert away.asked == 12


def test_who_turns_all_away_is_soon_no_longer_asked() -> None:
    async def go() -> tuple[Away, Asker, list[Response]]:
        away = Away(denies=True)
        asker = Asker(away, 4, Effort(), Progress("m", None))
        responses = [await asker.ask(request) for request in _requests(200)]
        return away, asker, responses

    away, asker, responses = asyncio.run(go())
    assert away.asked == asking.DENIALS
    assert {response.status for response in responses} == {"error"}
    assert (responses[-1].error or "").startswith("not asked: m turned 16 requests in a row away; last: HTTP 401")
    assert "the key was refused" in (responses[-1].error or "")
    assert sum("the rest is not asked" in notice for notice in asker.progress.notices) == 1
