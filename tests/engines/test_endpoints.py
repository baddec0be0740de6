"""Several endpoints of one model: equal shares, no endpoint that swallows everything, one that is down or comes later."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from mmeval.core.errors import EngineError
from mmeval.core.types import Response
from mmeval.engines import endpoints
from mmeval.engines.endpoints import Endpoints
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.registry import parse_model
from tests.engines.conftest import make_request
from tests.engines.endpoint import Endpoint


@pytest.fixture
def pair(runner: asyncio.Runner) -> Iterator[tuple[Endpoint, Endpoint]]:
    servers = (runner.run(Endpoint().open()), runner.run(Endpoint().open()))
    yield servers
    for server in servers:
        runner.run(server.close())


def failing(status: int, headers: dict[str, str] | None = None) -> Callable[[web.Request], Awaitable[Any]]:
    async def fault(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=status, headers=headers)

    return fault


def asked(runner: asyncio.Runner, urls: tuple[str, ...], count: int, width: int, **options: Any) -> list[Response]:
    """Ask so many times, `width` at once."""
    engine = OpenAIEngine(parse_model("openai:echo", base_urls=urls, concurrency=width, **options))
    gate = asyncio.Semaphore(width)

    async def one(number: int) -> Response:
        async with gate:
            return await engine.generate(make_request(str(number)))

    async def everything() -> list[Response]:
        try:
            return await asyncio.gather(*(one(number) for number in range(count)))
        finally:
            await engine.close()

    return runner.run(everything())


def test_who_fails_fast_does_not_get_everything(runner: asyncio.Runner, pair: tuple[Endpoint, Endpoint]) -> None:
    bad, good = pair
    bad.fault = failing(500)
    good.delay_s = 0.02
    answers = asked(runner, (bad.url, good.url), 100, 8)
    assert len(bad.bodies) <= 4 + 2, "after three failures it rests, and then a single request tries it"
    assert sum(answer.status == "ok" for answer in answers) == len(good.bodies) == 100 - len(bad.bodies)


def test_a_wait_that_one_asks_for_is_not_waited_where_another_is_well(
    runner: asyncio.Runner, pair: tuple[Endpoint, Endpoint]
) -> None:
    busy, good = pair
    busy.fault = failing(429, {"Retry-After": "30"})
    answers = asked(runner, (busy.url, good.url), 20, 2)
    refused = [answer for answer in answers if answer.status != "ok"]
    assert len(refused) == len(busy.bodies) == 1
    assert (refused[0].retryable, refused[0].retry_after_s) == (True, None)
    busy.bodies.clear()
    (alone,) = asked(runner, (busy.url,), 1, 1)
    assert alone.retry_after_s == 30.0


def test_nobody_gets_more_than_its_share(runner: asyncio.Runner, pair: tuple[Endpoint, Endpoint]) -> None:
    stuck, good = pair
    stuck.delay_s, good.delay_s = 1.0, 0.005
    most = 0
    answer = good._answer

    def counted(body: dict[str, Any]) -> web.Response:
        nonlocal most
        most = max(most, good.running)
        return answer(body)

    good._answer = counted  # type: ignore[method-assign]
    answers = asked(runner, (stuck.url, good.url), 40, 8)
    assert all(one.status == "ok" for one in answers)
    assert most == 4
    assert len(stuck.bodies) <= 8


def test_one_that_is_down_at_the_start_is_admitted_later(
    runner: asyncio.Runner, pair: tuple[Endpoint, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "COOL_DOWN_S", 0.05)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    engine = OpenAIEngine(parse_model("openai:echo", base_urls=(pair[0].url, f"http://127.0.0.1:{port}/v1")))

    async def go() -> int:
        info = await engine.describe()
        assert info.details["unreachable"] == [f"http://127.0.0.1:{port}/v1"]
        assert (await engine.generate(make_request("a"))).status == "ok"
        late = Endpoint()
        app = web.Application()
        app.router.add_get("/v1/models", late._list)
        app.router.add_post("/v1/chat/completions", late._chat)
        site = web.AppRunner(app)
        await site.setup()
        await web.TCPSite(site, "127.0.0.1", port).start()
        for number in range(200):
            assert (await engine.generate(make_request(str(number)))).status == "ok"
            await asyncio.sleep(0.01)
            if late.bodies:
                break
        await engine.close()
        await site.cleanup()
        return len(late.bodies)

    assert runner.run(go()) > 0


def test_all_down_is_an_error(runner: asyncio.Runner) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    engine = OpenAIEngine(
        parse_model("openai:echo", base_urls=(f"http://127.0.0.1:{port}/v1", f"http://127.0.0.1:{port}/v2"))
    )
    with pytest.raises(EngineError, match="cannot be reached"):
        runner.run(engine.describe())
    runner.run(engine.close())


def served(runner: asyncio.Runner, *entries: dict[str, Any], **options: Any) -> Any:
    servers = [runner.run(Endpoint(models={"data": [{"id": "echo", **entry}]}).open()) for entry in entries]
    engine = OpenAIEngine(parse_model("openai:echo", base_urls=tuple(one.url for one in servers), **options))

    async def go() -> Any:
        try:
            return await engine.describe()
        finally:
            await engine.close()
            for one in servers:
                await one.close()

    return runner.run(go())


def test_two_checkpoints_under_one_name_are_refused(runner: asyncio.Runner) -> None:
    other = ({"root": "/ckpt/step-100"}, {"root": "/ckpt/step-200"})
    with pytest.raises(EngineError, match=r"root '/ckpt/step-100' and '/ckpt/step-200'"):
        served(runner, *other)
    assert served(runner, *other, model_id="w").identity == {"model_id": "w"}
    with pytest.raises(EngineError, match="sglang"):
        served(runner, {"owned_by": "lmdeploy"}, {"owned_by": "sglang"}, model_id="w")


def test_the_number_of_endpoints_is_no_identity(runner: asyncio.Runner) -> None:
    entries = [{"root": "/ckpt", "created": number} for number in range(3)]
    assert served(runner, entries[0]).identity == served(runner, *entries).identity


def test_the_same_address_twice_is_one_endpoint() -> None:
    assert [one.base for one in Endpoints(["a", "b", "a"], 7).all] == ["a", "b"]
    assert Endpoints(["a", "b"], 7).share == 4


def test_a_rest_counts_once_and_ends_with_an_answer() -> None:
    two = Endpoints(["a", "b"], 4)
    first = two.all[0]
    lost = Response("error", error="x", retryable=True)
    for _ in range(50):
        two.noted(first, lost)
    assert first.failures == endpoints.PATIENCE
    assert first.limit(4) == 1
    two.noted(first, Response("ok", text=""))
    assert (first.failures, first.limit(4)) == (0, 4)


def test_a_picture_goes_where_it_was_before_while_that_has_hardly_more_to_do() -> None:
    async def go() -> None:
        three = Endpoints(["http://a/v1", "http://b/v1", "http://c/v1"], 24)
        async with three.one("p") as first:
            pass
        for _ in range(3):
            async with three.one("p") as again, three.one("q") as other:
                assert again is first
                assert other is not first
        async with AsyncExitStack() as stack:
            held = [await stack.enter_async_context(three.one("p")) for _ in range(24)]
            assert [held.count(endpoint) for endpoint in three.all] == [8, 8, 8]  # all shares are used none the less
            assert held[:3].count(first) == 3

    asyncio.run(go())


def test_a_picture_goes_elsewhere_when_its_endpoint_rests() -> None:
    async def go() -> None:
        two = Endpoints(["http://a/v1", "http://b/v1"], 8)
        async with two.one("p") as first:
            pass
        two.noted(first, Response("error", error="busy", retryable=True, retry_after_s=60.0))
        for _ in range(2):
            async with two.one("p") as other:
                assert other is not first

    asyncio.run(go())


def test_one_that_has_lost_its_model_or_key_is_left_for_another() -> None:
    both = Endpoints(["http://a/v1", "http://b/v1"], 8)
    first, second = both.all
    denial = Response("error", error="HTTP 404: no such model", denied=True)
    for _ in range(3):
        assert both.noted(first, denial).retryable
    assert first.rest_until > 0
    second.known = False
    assert not both.noted(first, denial).retryable, "there is nobody else to ask"
