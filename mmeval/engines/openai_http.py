"""HTTP as the `openai` backend speaks it: one session, the key and where it comes from, and no message that shows it."""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from mmeval.core.addresses import checked_host
from mmeval.core.errors import EngineError
from mmeval.core.secrets import without_key
from mmeval.core.types import Response
from mmeval.engines.connections import Connections
from mmeval.engines.openai_reply import WHOLE, AnswerIds, error_fields, failure, storable

KEY_VARIABLES = ("MMEVAL_API_KEY", "OPENAI_API_KEY")
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; more is no answer."""
START_TIMEOUT_S = 30.0


class UnreachableError(EngineError):
    """No connection, or no answer in time: the endpoint may be there later."""


class HttpClient:
    """The connections to the endpoints of one model.

    Args:
        key: sent as bearer token to each of them; None for none. It is struck out of whatever they send back.
        timeout_s: of one answer.
    """

    def __init__(self, key: str | None, timeout_s: float) -> None:
        self._key = key
        self._timeout_s = timeout_s
        self._ids = AnswerIds()
        self._connections = Connections(timeout_s, {"Authorization": f"Bearer {key}"} if key else {})

    @property
    def is_open(self) -> bool:
        """Whether something has been asked, and the connections not been closed since."""
        return self._connections.is_open

    async def get(self, url: str) -> tuple[int, bytes]:
        """Return status and body of what is asked at the start; the body is empty beyond `ANSWER_LIMIT`.

        Raises:
            UnreachableError: there is no connection, or no answer in time.
        """
        try:
            async with await self._connections.get(url, min(START_TIMEOUT_S, self._timeout_s)) as answer:
                body = await self._connections.read(answer, ANSWER_LIMIT)
                return answer.status, without_key(body or b"", self._key)
        except TimeoutError as error:
            raise UnreachableError(
                f"{url} does not answer", remedy="is the server up, and --base-url right?"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            reason, _, remedy = self._connections.failure(url, error).partition(" -> ")
            remedy = remedy or "is the server up, and --base-url right (it usually ends in /v1)?"
            raise UnreachableError(self.redact(f"{url} cannot be reached: {reason}"), remedy=remedy) from error

    async def page(self, url: str, *, timeout_s: float, most: int) -> bytes | None:
        """Return a page of at most so many bytes, or None: there is no such page, or none in time."""
        try:
            async with await self._connections.get(url, timeout_s) as answer:
                return await self._connections.read(answer, most) if answer.status == 200 else None
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
            read: turns content type and body of a whole answer into a response.
        """
        answered = await self._posted(base, address, body, read, fresh=False)
        # A stray answer of another question: whatever else comes over that connection belongs to others too.
        return answered if answered is not None else await self._again(base, address, body, read)

    async def _again(
        self, base: str, address: str, body: bytes, read: Callable[[str, bytes], Response]
    ) -> tuple[Response, bool]:
        answered = await self._posted(base, address, body, read, fresh=True)
        assert answered is not None
        return answered

    async def _posted(
        self, base: str, address: str, body: bytes, read: Callable[[str, bytes], Response], *, fresh: bool
    ) -> tuple[Response, bool] | None:
        """See `post`; None for the answer to another question, which a new connection does not give."""
        try:
            async with await self._connections.post(address, body, fresh=fresh) as answer:
                content = await self._connections.read(answer, ANSWER_LIMIT)
                if content is None:
                    return Response("error", error=f"the answer is larger than {ANSWER_LIMIT >> 20} MiB"), False
                content = without_key(content, self._key)
                if answer.status in WHOLE:
                    if not fresh and self._ids.stray(content):
                        answer.close()
                        return None
                    response = read(answer.headers.get("Content-Type", ""), content)
                    if response.status == "ok":
                        self._ids.add(content)
                    return response, False
                if answer.status in (401, 403):
                    message = self.key_message(base, answer.status, content)
                    return Response("error", error=f"{message.message} -> {message.remedy}", denied=True), False
                return failure(answer.status, answer.headers, content), False
        except aiohttp.ConnectionTimeoutError:
            reason = f"cannot reach {base}: no connection within {self._connections.connect_s:g} s"
            return Response("timeout", error=reason, retryable=True, unreachable=True), True
        except TimeoutError:
            return Response("timeout", error=f"no answer within {self._timeout_s:g} s", retryable=True), True
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            reason = f"cannot reach {base}: {self._connections.failure(address, error)}"
            return Response("error", error=reason, retryable=True, unreachable=True), True
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
        """Return the text with the key struck out, and without bytes that no table takes."""
        return storable(text.replace(self._key, "***") if self._key else text)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._connections.close()


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
        checked_host(url)
    except ValueError as error:
        raise EngineError(
            f"--base-url {url!r} is no address: {error}", remedy="e.g. http://127.0.0.1:8000/v1"
        ) from error
    if urlsplit(url).scheme not in ("http", "https"):
        raise EngineError(f"--base-url {url!r} is no address", remedy="e.g. http://127.0.0.1:8000/v1")
    return url.rstrip("/").removesuffix("/chat/completions")
