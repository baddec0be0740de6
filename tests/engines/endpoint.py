"""A small OpenAI-compatible server for tests: it answers from what it is asked, or with a fault that a test sets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from PIL import Image

CONTEXT_WORDS = 200
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """Serves one model called `echo`, which repeats the texts and describes the images that it was sent."""

    def __init__(self, *, key: str | None = None, models: Any = None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.fault: Fault | None = None
        self.delay_s = 0.0
        self.running = 0
        self.cancelled = 0
        self._key = key
        self._models = models or {"data": [{"id": "echo", "object": "model", "owned_by": "test", "created": 1}]}
        self._site: web.AppRunner | None = None
        self.url = ""

    async def open(self) -> Endpoint:
        """Start on a free port of the loopback interface."""
        app = web.Application(client_max_size=1 << 28)
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._site = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._site.setup()
        site = web.TCPSite(self._site, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._site.addresses[0][1]}/v1"
        return self

    async def close(self) -> None:
        """Stop."""
        if self._site is not None:
            await self._site.cleanup()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if self._key is not None and request.headers.get("Authorization") != f"Bearer {self._key}":
            shown = request.headers.get("Authorization", "")
            return web.json_response({"error": {"message": f"Incorrect API key provided: {shown}"}}, status=401)
        if isinstance(self._models, web.Response):
            return self._models
        return web.json_response(self._models)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.running += 1
        try:
            await asyncio.sleep(self.delay_s)
            if self.fault is not None:
                return await self.fault(request)
            return self._answer(body)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    def _answer(self, body: dict[str, Any]) -> web.Response:
        seen: list[str] = []
        for message in body["messages"]:
            content = message["content"]
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if part["type"] == "text":
                    seen.append(f"{message['role']}: {part['text']}")
                else:
                    seen.extend(_describe(part))
                    if seen[-1] == "broken":
                        return web.json_response({"error": {"message": "Failed to load image: broken"}}, status=400)
        words = " ".join(seen).split()
        if len(words) > CONTEXT_WORDS:
            error = {
                "message": f"This model's maximum context length is {CONTEXT_WORDS} tokens. However, you requested "
                f"{body['max_tokens']} output tokens and your prompt contains at least {len(words)} input tokens.",
                "type": "BadRequestError",
                "param": "input_tokens",
                "code": 400,
            }
            return web.json_response({"error": error}, status=400)
        if body.get("temperature"):
            words = [hashlib.sha256(f"{body.get('seed')}".encode()).hexdigest()[:8], *words]
        kept = words[: body["max_tokens"]]
        text, finish = " ".join(kept), "stop" if len(kept) == len(words) else "length"
        for stop in body.get("stop", ()):
            if stop in text:
                text, finish = text[: text.index(stop)], "stop"
        return web.json_response(completion(text, finish, len(words), len(kept)))


def completion(text: str | None, finish: str = "stop", prompt: int = 3, used: int = 1) -> dict[str, Any]:
    """The body of a chat completion."""
    return {
        "id": "x",
        "object": "chat.completion",
        "model": "echo",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": used},
    }


def _describe(part: dict[str, Any]) -> list[str]:
    """Words for an image part: what its bytes hold, frame by frame."""
    url = part[part["type"]]["url"]
    head, _, payload = url.partition(",")
    assert head.startswith("data:")
    assert head.endswith(";base64")
    words = []
    for chunk in payload.split(","):
        data = base64.b64decode(chunk, validate=True)
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        except (OSError, SyntaxError):
            return ["broken"]
        words.append(f"<{head[5:-7]} {hashlib.sha256(data).hexdigest()[:12]} {middle}>")
    return words
