"""A worker around an asynchronous engine, which batches by itself: every request is a task of the engine's event loop."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .failures import RequestError
from .wire import Channel


class AsyncWorker:
    """Answers requests side by side; subclasses say how, and are a `link.Server` with `facts`, `run` and `close`."""

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        """Answer over `channel`, in tasks of `loop`, which another thread or `run` drives."""
        self._channel = channel
        self._loop = loop
        self._calls: dict[int, asyncio.Task[None]] = {}
        # The socket may be full: the loop does not wait for it.
        self._sender = ThreadPoolExecutor(1)

    def accept(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        """See `link.Server.accept`."""
        self._loop.call_soon_threadsafe(self._accept, header, blobs)

    async def _generate(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        """Return the reply to a request for text; `blobs` are its images, `header["key"]` is the request's own."""
        raise NotImplementedError

    async def _logprobs(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        """Return the reply to a request for log-probabilities."""
        raise NotImplementedError

    async def _failed(self, error: Exception) -> dict[str, Any]:
        """Return the reply for what the engine raised; end the process where the engine is dead."""
        raise NotImplementedError

    def _accept(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        key = int(header["key"])
        if header["type"] == "cancel":
            if key in self._calls:
                self._calls[key].cancel()
        elif header["type"] == "ask":
            task = self._loop.create_task(self._answer(key, header, blobs))
            self._calls[key] = task
            task.add_done_callback(lambda _: self._calls.pop(key, None))

    async def _answer(self, key: int, header: dict[str, Any], blobs: list[bytes]) -> None:
        started = time.perf_counter()
        work = self._logprobs if header.get("want") == "logprobs" else self._generate
        try:
            reply = await work(header, blobs)
        except asyncio.CancelledError:
            reply = {"status": "error", "error": "cancelled"}
        except RequestError as error:
            reply = {"status": error.status, "error": error.message}
        except Exception as error:  # an engine raises anything on input that it does not like
            reply = await self._failed(error)
        answer = {"type": "answer", "key": key, "latency_s": time.perf_counter() - started, **reply}
        await self._loop.run_in_executor(self._sender, self._channel.send, answer)
