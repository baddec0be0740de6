"""HTTP connections of those who ask servers: kept alive where that is safe, past proxies of the environment, read within bounds."""

from __future__ import annotations

import asyncio
import io
import re
import select
import ssl
import time
from base64 import b64encode
from contextvars import ContextVar
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp

from mmeval.core.addresses import is_loopback
from mmeval.core.errors import EngineError

RACE_S = 5.0
"""A kept connection that breaks so soon after a request was sent had been closed before the server saw the request."""
PLAIN_BYTES = 1 << 20
"""Bodies up to here are sent as they are; larger ones in chunks, because they would block the event loop."""
LARGE_ANSWER = 4 << 20
"""From here on an answer is large, and is read beside `LARGE_AT_ONCE - 1` others at most; the rest wait in their servers."""
LARGE_AT_ONCE = 4


_REUSED: ContextVar[bool] = ContextVar("reused", default=False)
"""Whether the latest request of this task went over a kept connection."""


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A kept connection is closed, or holds what nobody has asked for; nothing was sent over it."""


class _Request(aiohttp.ClientRequest):
    """Sends nothing over a kept connection on which something waits to be read: it would be taken for the answer."""

    _used: ClassVar[WeakSet[Any]] = WeakSet()

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        """See `aiohttp.ClientRequest.send`."""
        protocol = conn.protocol
        reused = protocol in self._used
        _REUSED.set(reused)
        if not reused:
            self._used.add(protocol)
        elif protocol.should_close or _readable(protocol.transport):
            raise StaleConnectionError
        return await super().send(conn)


def _readable(transport: asyncio.Transport | None) -> bool:
    """Whether bytes or the end of a connection have come that the event loop has not seen yet."""
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return True
    if not hasattr(select, "poll"):
        return False
    waiting = select.poll()
    waiting.register(socket.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


class Connections:
    """Connections to servers, with no cookies and no credentials but those in `headers`.

    Args:
        timeout_s: for a whole answer; no more than 30 s of it for a connection.
        headers: of every request.
    """

    def __init__(self, timeout_s: float, headers: dict[str, str]) -> None:
        self.connect_s = min(30.0, timeout_s)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=self.connect_s)
        self._headers = headers
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._proxies: dict[str, Proxy] = {}

    @property
    def is_open(self) -> bool:
        """Whether something was asked since the last `close`."""
        return self._kept is not None

    async def get(self, url: str, timeout_s: float) -> aiohttp.ClientResponse:
        """Ask with GET. Use what comes as a context; raises what aiohttp raises."""
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(self.connect_s, timeout_s))
        return await self._session(False).get(url, timeout=timeout, allow_redirects=False, **self._by(url))

    async def post(self, url: str, body: bytes, *, fresh: bool = False) -> aiohttp.ClientResponse:
        """Send JSON with POST. Use what comes as a context; raises what aiohttp raises.

        Args:
            url: where to.
            body: JSON.
            fresh: over a new connection in any case.

        A kept connection that turns out to have been closed is no failure: the request is sent again at once over a new one.
        """
        sent = time.monotonic()
        _REUSED.set(False)
        try:
            return await self._sent(url, body, fresh=fresh)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            begun = not isinstance(getattr(error, "message", ""), str)  # a part of an answer had come
            if not _REUSED.get() or begun or time.monotonic() - sent > RACE_S:
                raise
        return await self._sent(url, body, fresh=True)

    async def _sent(self, url: str, body: bytes, *, fresh: bool) -> aiohttp.ClientResponse:
        data = body if len(body) < PLAIN_BYTES else io.BytesIO(body)
        headers = {"Content-Type": "application/json"}
        return await self._session(fresh).post(url, data=data, headers=headers, allow_redirects=False, **self._by(url))

    async def read(self, answer: aiohttp.ClientResponse, most: int) -> bytes | None:
        """The whole body, or None beyond the limit; what is large waits until few others are."""
        chunks: list[bytes] = []
        size = 0
        held = False
        try:
            async for chunk in answer.content.iter_any():
                size += len(chunk)
                if size > most:
                    return None
                chunks.append(chunk)
                if size > LARGE_ANSWER and not held:
                    await self._large.acquire()
                    held = True
            return b"".join(chunks)
        finally:
            if held:
                self._large.release()

    def _session(self, fresh: bool) -> aiohttp.ClientSession:
        session = self._fresh if fresh else self._kept
        if session is None:
            # Whoever asks bounds the requests; that bound may grow.
            connector = (
                aiohttp.TCPConnector(limit=0, force_close=True)
                if fresh
                else aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0)
            )
            session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                # The environment may hold other credentials than the user's key (.netrc); proxies are looked up here.
                trust_env=False,
                request_class=_Request,
            )
            if fresh:
                self._fresh = session
            else:
                self._kept = session
        return session

    def _by(self, url: str) -> dict[str, Any]:
        proxy = self._proxies.get(url)
        if proxy is None:
            proxy = self._proxies[url] = Proxy.of(url)
        return proxy.options

    def failure(self, url: str, error: Exception) -> str:
        """Say in words why there is no connection to a server."""
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return f"{_certificate(error.certificate_error)} -> {TRUST}"
        reason = getattr(error, "os_error", None) or error
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return f"no TLS there: {_reason(reason)} -> does it speak plain http:// instead?"
        if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
            proxy = self._proxies[url].name
            said = f"HTTP {error.status}" if isinstance(error, aiohttp.ClientHttpProxyError) else _reason(reason)
            return f"the environment's proxy {proxy} gives no way ({said}) -> correct HTTP_PROXY or HTTPS_PROXY, or name the host in NO_PROXY"
        if url.startswith("http://") and isinstance(
            error, (aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError)
        ):
            return f"{_reason(reason)} -> {NO_HTTP}"
        return _reason(reason)

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        for session in (self._kept, self._fresh):
            if session is not None:
                await session.close()
        self._kept = self._fresh = None


NO_HTTP = "is a server of HTTP there? If it speaks TLS, the address begins with https://"
TRUST = "correct the server's certificate or the address; SSL_CERT_FILE names the certificates to trust instead of the system's"


def _certificate(error: Exception) -> str:
    said = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    return f"its certificate is not to be trusted: {said}"


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, ssl.SSLError):
        return re.sub(r"\s*\(_ssl\.c:\d+\)", "", text)
    return text or type(error).__name__


class Proxy:
    """The way to a server."""

    def __init__(self, name: str = "", options: dict[str, Any] | None = None) -> None:
        self.name = name
        self.options = options or {}

    @classmethod
    def of(cls, url: str) -> Proxy:
        """The proxy that the environment names for an address; none for a server on this machine.

        Raises:
            EngineError: for a proxy that is no HTTP proxy.
        """
        parts = urlsplit(url)
        found = getproxies().get(parts.scheme)
        if not found or is_loopback(url) or proxy_bypass(parts.hostname or ""):
            return cls()
        proxy = urlsplit(found if "://" in found else f"http://{found}")
        try:
            port = proxy.port
        except ValueError:
            port = None
        host = f"[{proxy.hostname}]" if ":" in (proxy.hostname or "") else proxy.hostname
        name = f"{proxy.scheme}://{host}" + (f":{port}" if port else "")
        if proxy.scheme not in ("http", "https") or not proxy.hostname:
            variable = f"{parts.scheme.upper()}_PROXY"
            raise EngineError(
                f"{variable} names {name}, which is no HTTP proxy",
                remedy=f"give an address like http://proxy:3128, or name {parts.hostname} in NO_PROXY",
            )
        options: dict[str, Any] = {"proxy": name}
        if proxy.username is not None:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            # aiohttp sends the proxy's Authorization on as Proxy-Authorization.
            options["proxy_headers"] = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
        return cls(name, options)
