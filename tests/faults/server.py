"""A faulty OpenAI-compatible server that keeps a ledger of what it delivered.

Question `n` has the answer `word-n`; its `reasoning_content` numbers the delivery, so that a row tells which delivery it came from.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any

from aiohttp import web

NUMBER = re.compile(r"question number (\d+)")
Fault = Callable[["FaultyServer", web.Request, int], Awaitable[web.StreamResponse]]


class FaultyServer:
    """Serves `sim` on a thread of its own; use as a context.

    Args:
        fault: what befalls a request that was chosen.
        share: of the questions, chosen by `seed`, that it befalls.
        times: how often it befalls a chosen question before that is answered.
        seed: of the choice.
        delay_s: how long an answer takes.
    """

    def __init__(
        self, fault: Fault | None = None, share: float = 0.5, times: int = 2, seed: int = 0, delay_s: float = 0.0
    ) -> None:
        self.fault = fault
        self.share, self.times, self.seed, self.delay_s = share, times, seed, delay_s
        self.delivered: Counter[int] = Counter()
        """Question -> answers that were handed over whole, with status 200."""
        self.injected = 0
        self.asked: Counter[int] = Counter()
        self.headers: list[dict[str, str]] = []
        self._failed: Counter[int] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._port = 0
        self.url = ""

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _open(self) -> None:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    def restart(self, seconds: float) -> None:
        """End what is in flight, be away for some time, and come back at the same address."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        time.sleep(seconds)
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)

    async def _close(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        return web.json_response({"data": [{"id": "sim", "object": "model", "owned_by": "test"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        text = json.dumps(json.loads(await request.read())["messages"])
        self.headers.append(dict(request.headers))
        found = NUMBER.search(text)
        assert found is not None
        question = int(found.group(1))
        self.asked[question] += 1
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        chosen = random.Random(f"{self.seed}/{question}").random() < self.share
        if self.fault is not None and chosen and self._failed[question] < self.times:
            self._failed[question] += 1
            self.injected += 1
            return await self.fault(self, request, question)
        return await self.deliver(request, question)

    async def deliver(self, request: web.Request, question: int) -> web.StreamResponse:
        """Hand a whole answer over, and note it."""
        self.delivered[question] += 1
        return web.json_response(self.answer(question))

    def answer(self, question: int) -> dict[str, Any]:
        """The body of the right answer."""
        message = {
            "role": "assistant",
            "content": f"word-{question}",
            "reasoning_content": f"delivery {self.delivered[question]}",
        }
        return {
            "id": "same-id", "object": "chat.completion", "model": "sim",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2},
        }  # fmt: skip


def status(code: int, headers: dict[str, str] | None = None) -> Fault:
    """Answers with an HTTP status and an error body."""

    async def fault(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
        return web.json_response({"error": {"message": f"injected {code}"}}, status=code, headers=headers)

    return fault


async def dated_wait(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """429 with `Retry-After` as a date, by a clock that is a day wrong in either direction."""
    clock = datetime.now(UTC) + timedelta(days=1 if question % 2 else -1)
    headers = {
        "Retry-After": format_datetime(clock + timedelta(seconds=1), usegmt=True),
        "Date": format_datetime(clock, usegmt=True),
    }
    return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)


async def reset(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Cuts the connection off without an answer."""
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError


async def reset_inside(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Cuts the connection off in the middle of the body."""
    return await _part(server, request, question, promised=True)


async def half_json(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Ends the body properly in the middle of the JSON text."""
    return await _part(server, request, question, promised=False)


async def _part(server: FaultyServer, request: web.Request, question: int, promised: bool) -> web.StreamResponse:
    body = json.dumps(server.answer(question)).encode()
    half = body[: len(body) // 2]
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    answer.content_length = len(body) if promised else len(half)
    await answer.prepare(request)
    await answer.write(half)
    if promised:
        assert request.transport is not None
        request.transport.close()
        raise asyncio.CancelledError
    return answer


async def hang(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Never answers."""
    await asyncio.sleep(3600)
    raise AssertionError("the client waited an hour")


async def slow_loris(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Sends one byte after another, and would take minutes."""
    body = json.dumps(server.answer(question)).encode()
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    answer.content_length = len(body)
    await answer.prepare(request)
    for byte in body:
        await answer.write(bytes([byte]))
        await asyncio.sleep(0.2)
    return answer


async def html(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """A proxy's page with status 200."""
    return web.Response(text=f"<html>word-{question}</html>", content_type="text/html")


async def wrong_type(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """The JSON of an answer that says it is something else."""
    return web.Response(body=json.dumps(server.answer(question)).encode(), content_type="application/octet-stream")


async def doubled(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Two JSON objects in one body: which is the answer?"""
    other = json.dumps(server.answer(question + 1))
    return web.Response(text=other + json.dumps(server.answer(question)), content_type="application/json")


async def null_content(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """An answer without text."""
    body = server.answer(question)
    body["choices"][0]["message"] = {"role": "assistant", "content": None}
    return web.json_response(body)


async def no_choices(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """A body in which nothing answers."""
    return web.json_response({"id": "same-id", "choices": []})


async def error_inside(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """An error under status 200, beside a text that looks like an answer."""
    return web.json_response({**server.answer(question + 1), "error": {"message": "the engine died"}})


async def aborted(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """A choice that the engine has given up: its text is no answer."""
    body = server.answer(question + 1)
    body["choices"][0]["finish_reason"] = "abort"
    return web.json_response(body)


async def bodiless(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """A success that has no body."""
    return web.Response(status=204)


async def part_of_it(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """An answer under a status that says that it is a part of one."""
    return web.json_response(server.answer(question + 1), status=206)


async def key_twice(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Two texts under one key: which is the answer?"""
    body = json.dumps(server.answer(question)).replace('"content"', f'"content": "word-{question + 1}", "content"')
    return web.Response(text=body, content_type="application/json")


async def error_beside(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """A choice with a text and the error that ended it."""
    body = server.answer(question + 1)
    body["choices"][0]["error"] = {"message": "upstream died", "code": 502}
    return web.json_response(body)


async def several_choices(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Two choices of the same number."""
    body = server.answer(question)
    body["choices"] += server.answer(question + 1)["choices"]
    return web.json_response(body)


async def gateway_page(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """The 404 of a gateway whose server is not there."""
    return web.Response(text="404 page not found", status=404)


async def broken_gzip(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """A body that says it is packed, and is not."""
    body = json.dumps(server.answer(question)).encode()
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


async def not_http(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """Bytes that are no HTTP."""
    assert request.transport is not None
    request.transport.write(b"\x00\xffSSH-2.0-garbage\r\n\r\n")  # type: ignore[attr-defined]
    request.transport.close()
    raise asyncio.CancelledError


async def bad_utf8(server: FaultyServer, request: web.Request, question: int) -> web.StreamResponse:
    """JSON with bytes that are no UTF-8."""
    body = json.dumps(server.answer(question)).encode().replace(b"word-", b"w\xff\xferd-")
    return web.Response(body=body, content_type="application/json")
