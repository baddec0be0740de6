"""An engine in a child process: its calls, and what becomes of them when it crashes and is restarted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.worker.wire import WireError, pack
from mmeval.engines.worker_process import WorkerLog, WorkerProcess, receive

_LOG = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
"""How long a worker may take to end when it is closed, before it is killed."""
MAX_RESTARTS = 3
"""Restarts in a row without one answer in between."""


@dataclass(eq=False, slots=True)
class _Call:
    key: int
    frame: bytes
    answer: asyncio.Future[dict[str, Any]]
    sent: bool = False
    crashes: int = 0


class ManagedWorker:
    """Keeps a worker process alive and answers calls through it.

    A crash restarts it. Calls that were in flight are asked again one at a time, so that the one that kills the worker
    is found: in flight at two crashes, it is answered with an error, and the rest goes on.
    """

    def __init__(self, name: str, command: Callable[[str], Sequence[str]], settings: dict[str, Any]) -> None:
        """Prepare, without starting anything.

        Args:
            name: what messages call the engine.
            command: address of the socket -> the worker's argument list.
            settings: the content of its `load` message.
        """
        self._name = name
        self._command = command
        self._settings = settings
        self._log = WorkerLog(name)
        self._calls: dict[int, _Call] = {}
        self._next_key = 0
        self._process: WorkerProcess | None = None
        self._open = asyncio.Event()
        self._dead: str | None = None
        self._closing = False
        self._restarts = 0
        self.total_restarts = 0
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running worker."""
        return self._process.child.pid if self._process else None

    @property
    def dead(self) -> str | None:
        """Why every further call ends in an error; None while the worker is there or restarts."""
        return self._dead

    @property
    def log(self) -> list[str]:
        """The last lines that the worker printed."""
        return list(self._log.lines)

    async def start(self) -> dict[str, Any]:
        """Start the worker and wait until its model is loaded; returns the facts that it reports.

        Raises:
            EngineError: with the worker's own explanation and remedy, or its last lines.
        """
        facts = await self._launch()
        self._open.set()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"{self._name} supervisor")
        return facts

    async def ask(self, header: dict[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
        """Send one request and wait for its answer message; a failure comes back as `{"status": "error", …}`."""
        self._next_key += 1
        key = self._next_key
        frame = pack({**header, "type": "ask", "key": key}, blobs)
        call = _Call(key, frame, asyncio.get_running_loop().create_future())
        self._calls[key] = call
        try:
            while not self._open.is_set() and not call.answer.done():
                await self._open.wait()
            if not call.answer.done():
                await self._send(call)
            return await call.answer
        except asyncio.CancelledError:
            if call.sent:
                self._cancel(key)
            raise
        finally:
            self._calls.pop(key, None)

    async def _send(self, call: _Call) -> None:
        if self._dead is not None or self._process is None:
            _settle(call, self._dead or f"{self._name} is closed")
            return
        call.sent = True
        try:
            self._process.writer.write(call.frame)
            await self._process.writer.drain()
        except (ConnectionError, RuntimeError):
            # The reader sees the end of the connection too, and the supervisor asks this call again.
            _LOG.debug("%s: the connection broke while a request was sent", self._name)

    def _cancel(self, key: int) -> None:
        if self._process is not None and not self._process.writer.is_closing():
            self._process.writer.write(pack({"type": "cancel", "key": key}))

    async def _launch(self) -> dict[str, Any]:
        process = self._process = await WorkerProcess.launch(self._command, self._log)
        try:
            facts = await process.load(self._settings)
        except BaseException:
            await process.kill()
            self._process = None
            raise
        process.tasks.append(asyncio.create_task(self._dispatch(process)))
        return facts

    async def _dispatch(self, process: WorkerProcess) -> None:
        try:
            while True:
                header, _ = await receive(process.reader)
                call = self._calls.get(int(header.get("key", -1)))
                if call is not None and not call.answer.done():
                    call.answer.set_result(header)
                self._restarts = 0
        except (EOFError, ConnectionError, WireError) as error:
            _LOG.debug("%s: connection ended: %r", self._name, error)
        finally:
            process.gone.set()

    async def _supervise(self) -> None:
        while self._process is not None and not self._closing:
            await self._process.gone.wait()
            if self._closing:
                return
            try:
                await self._recover()
            except Exception as error:  # without a supervisor every later call would wait for ever
                self._give_up(f"{self._name} cannot be restarted: {type(error).__name__}: {error}")
                raise

    async def _recover(self) -> None:
        """Restart after a crash and settle the calls that were in flight."""
        self._open.clear()
        suspects = self._blame()
        try:
            while True:
                if not await self._restart():
                    return
                if await self._ask_again(suspects):
                    return
                # The one that was in flight alone is blamed a second time.
                self._blame()
        finally:
            self._open.set()

    def _blame(self) -> list[_Call]:
        suspects = [call for call in self._calls.values() if call.sent and not call.answer.done()]
        for call in suspects:
            call.sent = False
            call.crashes += 1
            if call.crashes >= 2:
                _settle(call, f"the {self._name} worker crashed twice on this request{self._log.quote()}")
        return suspects

    async def _restart(self) -> bool:
        process, self._process = self._process, None
        cause = await process.bury() if process else "the worker is gone"
        self._restarts += 1
        self.total_restarts += 1
        if self._restarts > MAX_RESTARTS:
            self._give_up(f"{cause}; given up after {MAX_RESTARTS} restarts in a row")
            return False
        _LOG.warning("%s; restarting (%d of %d)", cause, self._restarts, MAX_RESTARTS)
        try:
            await self._launch()
        except EngineError as error:
            self._give_up(f"{cause}, and cannot be started again: {error.message}")
            return False
        return True

    def _give_up(self, why: str) -> None:
        self._dead = why
        for call in self._calls.values():
            _settle(call, why)

    async def _ask_again(self, suspects: list[_Call]) -> bool:
        """Ask the suspects one at a time; False when the worker crashed again."""
        process = self._process
        assert process is not None
        for call in suspects:
            if call.answer.done() or call.key not in self._calls:
                continue
            await self._send(call)
            crashed = asyncio.create_task(process.gone.wait())
            try:
                first: set[asyncio.Future[Any]] = {call.answer, crashed}
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            finally:
                crashed.cancel()
            if process.gone.is_set():
                return False
        return True

    async def close(self) -> None:
        """End the worker; safe to call twice."""
        self._closing = True
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        process, self._process = self._process, None
        if process is not None:
            await process.close(CLOSE_TIMEOUT_S)
        self._give_up(f"{self._name} is closed")
        self._open.set()


def _settle(call: _Call, error: str) -> None:
    if not call.answer.done():
        call.answer.set_result({"status": "error", "error": error})
