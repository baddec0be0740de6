"""The user's own retriever over HTTP: a query in, pages with their pictures out (docs/looking.md is its contract)."""

from __future__ import annotations

import asyncio
import binascii
import random
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from mmeval.core.addresses import checked_host
from mmeval.core.errors import UsageError
from mmeval.core.secrets import secret_in_query, without_key
from mmeval.core.types import Response
from mmeval.engines.connections import Connections, Proxy
from mmeval.engines.openai_reply import retry_after, storable

ANSWER_LIMIT = 256 << 20
"""Largest answer of a retriever, in bytes."""
KEY_VARIABLE = "MMEVAL_RETRIEVER_API_KEY"
PATIENCE = 32
"""Tries in a row that fail, or searches that are turned away, after which it is taken to be away for all."""
DENIALS = frozenset({401, 402, 403, 404, 405, 407, 410})
"""Statuses that say nothing of one search: a wrong key, no money, no such route."""
LONGEST_RECONNECT_S = 8.0
"""Longest wait between two tries to connect."""


class BrokenAnswerError(ValueError):
    """An answer that is no JSON."""


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the retriever gave it."""

    id: str
    score: float | None
    data: bytes
    """Encoded picture."""


@dataclass(frozen=True, slots=True)
class RetrieverSettings:
    """Where the retriever is, and how hard it is asked."""

    url: str
    key: str | None = None
    data_dir: Path | None = None
    """Folder below which the paths of its pages lie."""
    attempts: int = 5
    timeout_s: float = 600.0
    backoff_s: float = 0.5
    backoff_limit_s: float = 30.0
    outage_s: float = 60.0
    """How long it is waited for while it cannot be reached or fails again and again; and the longest wait that it may ask for."""


def checked_url(url: str) -> str:
    """Return the address as it is.

    Raises:
        UsageError: when it is no http(s) address, or holds a password.
        EngineError: when the environment names a proxy for it that is none.
    """
    if "@" in url.partition("?")[0]:  # before anything else, so that no message quotes it
        raise UsageError("--retriever holds a user name or password", remedy=f"set {KEY_VARIABLE} instead")
    try:
        checked_host(url)
        secret = secret_in_query(url)
    except ValueError as error:
        raise UsageError(f"--retriever is no address: {error}", remedy="e.g. http://127.0.0.1:8002/search") from error
    if secret is not None:
        raise UsageError(
            f"--retriever holds a secret ({secret}=…), and the address is kept in the run",
            remedy=f"set {KEY_VARIABLE} instead",
        )
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--retriever {url!r} is no address", remedy="e.g. http://127.0.0.1:8002/search")
    Proxy.of(url)
    return url


class Retriever:
    """Asks one retriever; failures are responses with status `error` or `timeout`, never an exception."""

    def __init__(self, settings: RetrieverSettings, tell: Callable[[str], None] | None = None, slots: int = 16) -> None:
        self.settings = settings
        self._tell = tell or (lambda text: None)
        self._slots = asyncio.Semaphore(slots)
        headers = {"Accept": "application/json"}
        if settings.key:
            headers["Authorization"] = f"Bearer {settings.key}"
        self._connections = Connections(settings.timeout_s, headers)
        self._jitter = random.Random(0)
        self._down_since: float | None = None
        """Monotonic time since which it is taken to be away."""
        self._failures = 0
        self._denials = 0
        self._gone = ""
        """Why it is not asked any more."""

    async def search(self, body: Mapping[str, Any]) -> list[RawPage] | Response:
        """Return the pages, best first, or the failure after the last try.

        As for a model's endpoint: what was never sent is no try, and an outage is waited out.
        """
        sent = orjson.dumps(body)
        tries = unsent = 0
        while not self._gone:
            async with self._slots:
                found = await self._once(sent)
            if not isinstance(found, Response):
                self._down_since, self._failures, self._denials = None, 0, 0
                return found
            if not found.retryable:
                self._denied(found)
                return found
            left = self._outage_left(found)
            unreachable = found.unreachable and left is not None
            tries, unsent = (tries, unsent + 1) if unreachable else (tries + 1, unsent)
            asked_for = found.retry_after_s or 0.0
            over = tries >= self.settings.attempts if left is None else left <= 0
            if over or asked_for > self._longest:
                return found
            waited = self._wait(max(tries, unsent) - 1)
            if left is not None and unreachable:
                waited = min(waited, LONGEST_RECONNECT_S, left)
            await asyncio.sleep(max(asked_for, waited))
        return Response("error", error=f"not asked: {self._gone}")

    def _outage_left(self, failed: Response) -> float | None:
        """Take in a failure that may pass.

        Returns:
            for how many seconds more the retriever is waited for; None when it is not taken to be away.
        """
        now = time.monotonic()
        self._denials = 0
        self._failures += 1
        if self.settings.outage_s <= 0 or not (failed.unreachable or self._failures >= PATIENCE):
            self._down_since = None
            return None
        if self._down_since is None:
            self._down_since = now
            self._tell(f"{failed.error}; trying again for up to {self.settings.outage_s:g} s")
        left = self._down_since + self.settings.outage_s - now
        if left <= 0 and not self._gone:
            self._gone = f"the retriever was away for {self.settings.outage_s:g} s; last: {failed.error}"
        return left

    def _denied(self, failed: Response) -> None:
        """Take in a failure that would come again: where it concerns all searches, the rest is not asked."""
        self._denials = self._denials + 1 if failed.denied else 0
        if self._denials == PATIENCE:
            self._gone = f"{PATIENCE} searches in a row were turned away; last: {failed.error}"
            self._tell(f"{self._gone}; it is not asked any more")

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    @property
    def _longest(self) -> float:
        return max(self.settings.outage_s, 1.5 * self.settings.backoff_limit_s)

    def _wait(self, attempt: int) -> float:
        settings = self.settings
        return min(settings.backoff_limit_s, settings.backoff_s * 2.0 ** min(attempt, 30)) * (
            0.5 + self._jitter.random()
        )

    async def _once(self, body: bytes) -> list[RawPage] | Response:
        try:
            async with await self._connections.post(self.settings.url, body) as answer:
                content = await self._connections.read(answer, ANSWER_LIMIT)
                if answer.status != 200:
                    return self._refused(answer.status, answer.headers, content or b"")
        except aiohttp.ConnectionTimeoutError:
            reason = f"no connection to the retriever within {self._connections.connect_s:g} s"
            return Response("timeout", error=reason, retryable=True, unreachable=True)
        except TimeoutError:
            return Response(
                "timeout", error=f"the retriever did not answer within {self.settings.timeout_s:g} s", retryable=True
            )
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            reason = self._connections.failure(self.settings.url, error)
            return Response(
                "error", error=self._redact(f"cannot reach the retriever: {reason}"), retryable=True, unreachable=True
            )
        except (aiohttp.ClientError, ConnectionError) as error:
            reason = f"{type(error).__name__}: {error}"
            return Response(
                "error", error=self._redact(f"the connection to the retriever broke: {reason}"), retryable=True
            )
        if content is None:
            return Response("error", error=f"the retriever's answer is larger than {ANSWER_LIMIT >> 20} MiB")
        content = without_key(content, self.settings.key)
        try:
            pages = await asyncio.to_thread(read_pages, content, self.settings.data_dir)
        except ValueError as error:
            # Half an answer, or the page of a proxy, may be whole the next time; a whole one that is wrong stays so.
            broken = isinstance(error, BrokenAnswerError)
            return Response(
                "error", error=self._redact(f"the retriever's answer cannot be used: {error}"), retryable=broken
            )
        return pages

    def _refused(self, status: int, headers: Mapping[str, str], content: bytes) -> Response:
        said = content[:300].decode("utf-8", "replace").strip()
        message = self._redact(f"the retriever answers HTTP {status}: {said}")
        retryable = status in (408, 425, 429) or status >= 500
        denied = status in DENIALS or 300 <= status < 400
        return Response("error", error=message, retryable=retryable, retry_after_s=retry_after(headers), denied=denied)

    def _redact(self, text: str) -> str:
        return storable(text.replace(self.settings.key, "***") if self.settings.key else text)


def read_pages(content: bytes, data_dir: Path | None) -> list[RawPage]:
    """Read a retriever's answer: `{"results": [{"id", "score", "image" or "path"}]}`, or that list itself.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BrokenAnswerError(f"it is not JSON ({error})") from error
    listed = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(listed, list):
        raise ValueError("it has no list of results")
    pages = [_page(entry, number, data_dir) for number, entry in enumerate(listed, 1)]
    if len({page.id for page in pages}) != len(pages):
        raise ValueError("a page is listed twice")
    return pages


def _page(entry: Any, number: int, data_dir: Path | None) -> RawPage:
    if not isinstance(entry, dict):
        raise ValueError(f"result {number} is no object")
    name = entry.get("id")
    if isinstance(name, bool) or not isinstance(name, (str, int)) or name == "":
        raise ValueError(f"result {number} has no id")
    score = entry.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float))):
        raise ValueError(f"result {number}: score {score!r} is no number")
    return RawPage(str(name), None if score is None else float(score), _picture(entry, number, data_dir))


def _picture(entry: Mapping[str, Any], number: int, data_dir: Path | None) -> bytes:
    image, path = entry.get("image"), entry.get("path")
    if isinstance(image, str) and image:
        payload = image.partition(",")[2] if image.startswith("data:") else image
        try:
            return b64decode(payload, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"result {number}: image is no base64") from error
    if not isinstance(path, str) or not path:
        raise ValueError(f"result {number} has neither image (base64) nor path")
    if data_dir is None:
        raise ValueError(f"result {number} has a path, which needs --data-dir")
    root = data_dir.resolve()
    place = (root / path).resolve()
    if not place.is_relative_to(root):
        raise ValueError(f"result {number}: path {path!r} leaves --data-dir")
    try:
        return place.read_bytes()
    except OSError as error:
        raise ValueError(f"result {number}: {path!r} cannot be read: {error.strerror or error}") from error
