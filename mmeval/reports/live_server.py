"""The server of `mmeval view`: one page and its state, on this machine's loopback alone."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from mmeval import __version__
from mmeval.core.errors import UsageError
from mmeval.reports.live_build import Builder
from mmeval.reports.live_page import MARKER, live_part, live_values, waiting_page
from mmeval.runs.watch import Sight, Watches

ADDRESS = "127.0.0.1"
LOOK_EVERY_S = 0.5
WAIT_S, WAIT_ENDED_S = 1.0, 5.0
"""Seconds between a page's questions, while something goes on and when everything has ended."""
CONNECTIONS = 32
"""Open at the same time; a browser takes six."""
HEADERS = {
    "Server": "mmeval",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content policy of everything but the page, whose own policy (with the hashes of its script and style) stands in it."""


@dataclass(slots=True)
class Viewer:
    """What is shown of some runs.

    Args:
        watches: the runs.
        builder: their report.
    """

    watches: Watches
    builder: Builder
    _sights: list[Sight] = field(default_factory=list)
    _looked: float = float("-inf")
    _guard: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self) -> list[Sight]:
        """Look at the runs, at most every half second for all who ask, and see to the report."""
        async with self._guard:
            if time.monotonic() - self._looked >= LOOK_EVERY_S:
                self._sights = await asyncio.to_thread(self.watches.look)
                self._looked = time.monotonic()
                self.builder.offer(self._sights)
        return self._sights

    async def page(self) -> bytes:
        """The whole page."""
        sights = await self.look()
        part = live_part(self._values(sights)).encode()
        if self.builder.parts is None:
            head, _, tail = waiting_page(sights, __version__).encode().partition(MARKER.encode())
        else:
            head, tail = self.builder.parts
        return head + part + tail

    async def state(self) -> dict[str, Any]:
        """What the page asks for again and again."""
        sights = await self.look()
        values = self._values(sights)
        wait = WAIT_S if values["going_on"] or self.builder.building else WAIT_ENDED_S
        return {"report": self.builder.name, "wait_s": wait, "html": live_part(values)}

    def _values(self, sights: Sequence[Sight]) -> dict[str, Any]:
        builder = self.builder
        stale = builder.parts is not None and not any(sight.tables is not None for sight in sights)
        return live_values(sights, builder.name, builder.building, builder.problem, stale)


def bind(port: int) -> socket.socket:
    """A socket on the loopback of this machine.

    Args:
        port: 0 takes a free one.

    Raises:
        UsageError: when the port is taken or may not be used.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((ADDRESS, port))
        found.listen()  # from now on nobody is turned away, though answers come a moment later
    except OSError as error:
        found.close()
        raise UsageError(
            f"--port {port}: {error.strerror or error}", remedy="leave it out for a free one, or give another"
        ) from error
    return found


def new_token() -> str:
    """What only who was told the address knows."""
    return secrets.token_urlsafe(24)


def application(viewer: Viewer, token: str, port: int) -> web.Application:
    """The two things that are served, `/TOKEN/` and `/TOKEN/state`, to who names this machine and the token.

    The header `Host` must name the loopback, so that no page elsewhere reaches this one under a name of its own that
    it has pointed here. Nothing of a request is ever a path of the file system.
    """
    names = (ADDRESS, "localhost")
    hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())  # where browsers leave it out

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("Host", "").lower() not in hosts:
            return _refusal(403, "this page is served to this machine alone")
        if request.method != "GET":
            refusal = _refusal(405, "only GET")
            refusal.headers["Allow"] = "GET"
            return refusal
        given, _, rest = request.rel_url.raw_path.removeprefix("/").partition("/")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode()) or rest not in (
            "",
            "state",
        ):
            return _refusal(404, "nothing here: open the whole address that `mmeval view` has printed")
        if not rest and not request.rel_url.raw_path.endswith("/"):
            return _refusal(404, "nothing here: the address ends with /")
        if rest == "state":
            return web.json_response(await viewer.state(), headers={"Content-Security-Policy": CLOSED})
        return web.Response(
            body=await viewer.page(),
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": "frame-ancestors 'none'"},
        )

    async def harden(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        if "Content-Security-Policy" not in response.headers:
            response.headers["Content-Security-Policy"] = CLOSED

    app = web.Application()
    app.on_response_prepare.append(harden)
    app.router.add_route("*", "/{anything:.*}", answer)
    return app


def _refusal(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")


def _limited(server: web.Server) -> Callable[[], asyncio.Protocol]:
    """What answers a new connection. Where there are too many, the oldest are cut off, since everybody on a machine can open some.

    Browsers connect again, and need a connection for moments only.
    """

    def answering() -> asyncio.Protocol:
        kept = server.connections
        for handler in kept[: max(0, len(kept) + 1 - CONNECTIONS)]:
            if isinstance(handler.transport, asyncio.WriteTransport):
                handler.transport.abort()  # what a slow reader has not taken must not keep it open
        return server()

    return answering


async def serve(viewer: Viewer, token: str, listening: socket.socket, stop: asyncio.Event) -> None:
    """Serve until told to stop.

    Args:
        viewer: what.
        token: part of the address.
        listening: from `bind`.
        stop: set it to end.
    """
    port = listening.getsockname()[1]
    runner = web.AppRunner(
        application(viewer, token, port), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    assert runner.server is not None
    listener = await asyncio.get_running_loop().create_server(_limited(runner.server), sock=listening)
    try:
        await viewer.look()  # the report begins before anybody asks
        await stop.wait()
    finally:
        listener.close()
        await runner.cleanup()
        await viewer.builder.close()
