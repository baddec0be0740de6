"""An OpenAI-compatible chat server without a model: SLOTS requests at a time, SERVICE seconds each, first come first served.

N requests can take no less than ceil(N / SLOTS) * SERVICE seconds; what a harness takes beyond that is its own cost.
`GET /stats` gives what it saw. Needs aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_ID = re.compile(rb'id\\?": ?\\?"([^"\\]+)\\?"')


@dataclass
class Server:
    """State of the simulated engine."""

    slots: int
    service_s: float
    fail_share: float
    answer: str
    dies_after: int | None = None
    verdict: str = ""
    """What a judge answers; `@ID@` stands for the id of the request."""
    gate: asyncio.Semaphore = field(init=False)
    random: random.Random = field(default_factory=lambda: random.Random(0))
    done: int = 0
    failed: int = 0
    first: float | None = None
    last: float | None = None

    def __post_init__(self) -> None:
        self.gate = asyncio.Semaphore(self.slots)

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.first = self.first if self.first is not None else time.monotonic()
        if self.random.random() < self.fail_share:
            self.failed += 1
            return web.json_response({"error": {"message": "overloaded"}}, status=503)
        if self.dies_after is not None and self.done >= self.dies_after:
            return web.Response(text="<html>502 Bad Gateway</html>", status=502, content_type="text/html")
        async with self.gate:
            await asyncio.sleep(self.service_s)
        if self.dies_after is not None and self.done >= self.dies_after:
            return web.Response(text="<html>502 Bad Gateway</html>", status=502, content_type="text/html")
        self.done += 1
        self.last = time.monotonic()
        # A judge must repeat the id of the request, which stands at the end of its last message.
        found = _ID.findall(body) if self.verdict else []
        text = self.verdict.replace("@ID@", found[-1].decode()) if found else self.answer
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 300, "completion_tokens": 1, "total_tokens": 301}
        return web.json_response(
            {
                "object": "chat.completion",
                "model": "sim",
                "usage": usage,
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }
        )

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "sim", "object": "model", "max_model_len": 32768}]})

    async def stats(self, request: web.Request) -> web.Response:
        found: dict[str, Any] = {"done": self.done, "failed": self.failed, "first": self.first, "last": self.last}
        if self.first is not None and self.last is not None and self.last > self.first:
            found["ideal_s"] = math.ceil(self.done / self.slots) * self.service_s
            found["makespan_s"] = self.last - self.first
            found["efficiency"] = found["ideal_s"] / found["makespan_s"]
        return web.json_response(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--service", type=float, default=0.5)
    parser.add_argument("--fail", type=float, default=0.0)
    parser.add_argument("--answer", default="A")
    parser.add_argument("--dies-after", type=int, help="answer 502 after this many answers")
    parser.add_argument("--verdict", default="", help="answer of a judge; @ID@ stands for the id of the request")
    options = parser.parse_args()
    server = Server(options.slots, options.service, options.fail, options.answer, options.dies_after, options.verdict)
    app = web.Application(client_max_size=1 << 28)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/v1/models", server.models)
    app.router.add_get("/stats", server.stats)
    web.run_app(app, host="127.0.0.1", port=options.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
