"""HTTP as the `openai` backend speaks it: one session, the key and where it comes from, and no message that shows it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import aiohttp

from mmeval.core.addresses import is_loopback
from mmeval.core.errors import EngineError
from mmeval.core.secrets import without_key
from mmeval.core.types import Response
from mmeval.engines.openai_reply import error_fields, failure

KEY_VARIABLES = ("MMEVAL_API_KEY", "OPENAI_API_KEY")
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; more is no answer."""
START_TIMEOUT_S = 30.0


class UnreachableError(EngineError):
    """No connection, or no answer in time: the endpoint may be there later."""


class HttpClient:
    """The connections to the endpoints of one model.

    Args:
        bases: addresses of the endpoints.
        key: sent as bearer token to each of them; None for none. It is struck out of whatever they send back.
        timeout_s: of one answer.
    """

    def __init__(self, bases: Sequence[str], key: str | None, timeout_s: float) -> None:
        self._bases = tuple(bases)
        self._key = key
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def is_open(self) -> bool:
        """Whether something has been asked, and the session not been closed since."""
        return self._session is not None and not self._session.closed

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._session = aiohttp.ClientSession(
                # Whoever asks bounds the requests; that bound may grow.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=min(30.0, self._timeout_s)),
                headers=headers,
                # A proxy of the environment is for the internet, not for an endpoint on this machine.
                trust_env=not any(map(is_loopback, self._bases)),
                auto_decompress=True,
            )
        return self._session

    async def get(self, url: str) -> tuple[int, bytes]:
        """Return status and body of what is asked at the start; the body is empty beyond `ANSWER_LIMIT`.

        Raises:
            UnreachableError: there is no connection, or no answer in time.
        """
        timeout = aiohttp.ClientTimeout(total=min(START_TIMEOUT_S, self._timeout_s))
        try:
            async with self._open().get(url, timeout=timeout, allow_redirects=False) as answer:
                return answer.status, without_key(await _read(answer) or b"", self._key)
        except TimeoutError as error:
            raise UnreachableError(
                f"{url} does not answer", remedy="is the server up, and --base-url right?"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            reason = getattr(error, "os_error", None) or error
            message = self.redact(f"{url} cannot be reached: {reason}")
            raise UnreachableError(
                message, remedy="is the server up, and --base-url right (it usually ends in /v1)?"
            ) from error

    async def page(self, url: str, *, timeout_s: float, most: int) -> bytes | None:
        """Return a page of at most so many bytes, or None: there is no such page, or none in time."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._open().get(url, timeout=timeout, allow_redirects=False) as answer:
                return await _read(answer, most) if answer.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            return None

    async def post(
        self, base: str, address: str, body: bytes, read: Callable[[str, bytes], Response]
    ) -> tuple[Response, bool]:
        """Ask the endpoint at `base`; return the answer, and whether it could not be reached or did not answer in time.

        Args:
            base: the endpoint.
            address: of its route.
            body: the request, JSON.
            read: turns content type and body of an answer with status 200 into a response.
        """
        # A BytesIO is sent in chunks; plain bytes beyond 1 MB would block the event loop.
        data = body if len(body) < 1 << 20 else io.BytesIO(body)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._open().post(address, data=data, headers=headers, allow_redirects=False) as answer:
                content = await _read(answer)
                if content is None:
                    return Response("error", error=f"the answer is larger than {ANSWER_LIMIT >> 20} MiB"), False
                content = without_key(content, self._key)
                if answer.status == 200:
                    return read(answer.headers.get("Content-Type", ""), content), False
                if answer.status in (401, 403):
                    message = self.key_message(base, answer.status, content)
                    return Response("error", error=f"{message.message} -> {message.remedy}", fatal=True), False
                return failure(answer.status, answer.headers, content), False
        except TimeoutError:
            return Response("timeout", error=f"no answer within {self._timeout_s:g} s", retryable=True), True
        except aiohttp.ClientConnectorError as error:
            return Response("error", error=f"cannot reach {base}: {error.os_error}", retryable=True), True
        except (aiohttp.ClientError, ConnectionError) as error:
            reason = f"the connection broke: {type(error).__name__}: {error}"
            return Response("error", error=reason, retryable=True), False

    def key_message(self, base: str, status: int, body: bytes) -> EngineError:
        """Return the error that an endpoint refused the key, or wants one."""
        state = "the key was refused" if self._key else "it wants a key, and none is set"
        said = error_fields(body)["message"]
        message = self.redact(f"{base} answers HTTP {status}: {state}" + (f" ({said})" if said else ""))
        return EngineError(message, remedy=f"set the environment variable {' or '.join(KEY_VARIABLES)}")

    def redact(self, text: str) -> str:
        """Return the text with the key struck out."""
        return text.replace(self._key, "***") if self._key else text

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def found_key(given: str | None) -> str | None:
    """Return the key that was given, else that of the environment; None where there is none.

    Raises:
        EngineError: it could not stand in a header.
    """
    key = given or next((value for name in KEY_VARIABLES if (value := os.environ.get(name))), None)
    key = key.strip() if key and key.strip() else None
    if key is not None and not key.isprintable():
        raise EngineError("the key has control characters", remedy=f"set {' or '.join(KEY_VARIABLES)} again")
    return key


def checked_url(url: str) -> str:
    """Return the address of an endpoint as the folder above /chat/completions.

    Raises:
        EngineError: it is no address, or holds a password or a query.
    """
    if "@" in url:  # before anything else, so that no message quotes it
        raise EngineError("--base-url holds a user name or password", remedy=f"set {KEY_VARIABLES[0]} instead")
    if "?" in url or "#" in url:
        raise EngineError(
            "--base-url has a query, and paths are added at its end",
            remedy=f"leave out what follows the '?'; a key goes into {KEY_VARIABLES[0]}",
        )
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises beyond 65535
    except ValueError as error:
        raise EngineError(f"--base-url {url!r}: {error}", remedy="e.g. http://127.0.0.1:8000/v1") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(f"--base-url {url!r} is no address", remedy="e.g. http://127.0.0.1:8000/v1")
    return url.rstrip("/").removesuffix("/chat/completions")


async def _read(answer: aiohttp.ClientResponse, most: int = ANSWER_LIMIT) -> bytes | None:
    """The whole body, or None beyond the limit."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > most:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
