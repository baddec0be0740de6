"""A scripted endpoint and retriever for tests, in a process of its own: `python looking_server.py PORT_FILE PAGES LOG [--die-after N] [--fail-search]`.

The model looks by a script: without a picture it searches, with one it crops, with two it answers; its replies depend on the conversation alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

from aiohttp import web

arguments = argparse.ArgumentParser()
arguments.add_argument("port_file", type=Path)
arguments.add_argument("pages", type=Path)
arguments.add_argument("log", type=Path)
arguments.add_argument("--fail-search", action="store_true")
arguments.add_argument("--delay", type=float, default=0.0)
given = arguments.parse_args()
SECRET = os.environ.get("EXPECTED_KEY")


def log(kind: str, **facts: Any) -> None:
    with given.log.open("a") as file:
        file.write(json.dumps({"kind": kind, **facts}) + "\n")


def reply(messages: list[dict[str, Any]]) -> str:
    parts = [part for m in messages for part in (m["content"] if isinstance(m["content"], list) else [])]
    pictures = sum(part["type"] == "image_url" for part in parts)
    turns = sum(m["role"] == "assistant" for m in messages)
    if pictures == 0:
        return "<think>where?</think><search>second slide</search>"
    if pictures == 1 and turns == 1:
        return "<think>closer</think><bbox>[700, 20, 10, 30]</bbox>"  # reversed: answered with an error
    if pictures == 1:
        return "<think>closer</think><bbox>[60, 20, 300, 300]</bbox>"
    return "<think>seen</think><answer>green</answer>"


async def chat(request: web.Request) -> web.Response:
    body = await request.json()
    await asyncio.sleep(given.delay)
    text = reply(body["messages"])
    log("chat", turn=sum(m["role"] == "assistant" for m in body["messages"]), reply=text)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return web.json_response({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})  # fmt: skip


async def search(request: web.Request) -> web.Response:
    body = await request.json()
    log("search", body=body)
    if SECRET is not None and request.headers.get("Authorization") != f"Bearer {SECRET}":
        return web.json_response({"error": f"wrong key {request.headers.get('Authorization')}"}, status=401)
    if given.fail_search:
        return web.json_response({"error": "index is gone"}, status=503)
    results = [
        {"id": f"deck-a/{number}", "score": 1 / rank, "image": base64.b64encode((given.pages / f"{number}.png").read_bytes()).decode()}
        for rank, number in enumerate((2, 1, 3), 1)
    ]  # fmt: skip
    return web.json_response({"results": results})


async def models(request: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "m", "object": "model", "owned_by": "test"}]})


async def main() -> None:
    app = web.Application(client_max_size=1 << 28)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/search", search)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    given.port_file.with_suffix(".new").write_text(str(runner.addresses[0][1]))
    given.port_file.with_suffix(".new").replace(given.port_file)
    await asyncio.Event().wait()


asyncio.run(main())
