"""An engine in a child process: start, messages over a local socket, crashes, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.worker.failures import MEMORY_REMEDY, remedy_for
from mmeval.engines.worker.wire import PREFIX, TOKEN_VARIABLE, WireError, lengths, pack, unpack

_LOG = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 120.0
"""How long a Python process may take to say hello, before it imports anything heavy."""
CLOSE_TIMEOUT_S = 5.0
"""How long a worker may take to end when it is closed, before it is killed."""
BURIAL_TIMEOUT_S = 2.0
"""How long the process of a lost connection may take to be gone, before it is killed."""
MAX_RESTARTS = 3
"""Restarts in a row without one answer in between."""
LOG_LINES = 500
"""Last lines of the worker's output that are kept."""
QUOTED_LINES = 8
_POLL_S = 0.01
_UNIX_PATH_LIMIT = 100
"""Bytes that a Unix socket's path may have on every platform."""


@dataclass(eq=False, slots=True)
class _Call:
    key: int
    frame: bytes
    answer: asyncio.Future[dict[str, Any]]
    sent: bool = False
    crashes: int = 0


@dataclass(slots=True)
class _Process:
    """One life of the worker."""

    child: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


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
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._calls: dict[int, _Call] = {}
        self._next_key = 0
        self._process: _Process | None = None
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
        return list(self._log)

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
        token = secrets.token_hex(32)
        folder = Path(tempfile.mkdtemp(prefix="mmeval-"))
        hello: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        hello = asyncio.get_running_loop().create_future()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                header, _ = await asyncio.wait_for(_receive(reader), CONNECT_TIMEOUT_S)
            except (TimeoutError, EOFError, WireError, ConnectionError):
                writer.close()
                return
            genuine = hmac.compare_digest(str(header.get("token", "")).encode(), token.encode())
            if genuine and not hello.done():
                hello.set_result((reader, writer))
            else:
                writer.close()

        server, address = await _listen(connected, folder)
        try:
            child = await self._spawn(address, token)
            output = asyncio.create_task(self._collect(child))
            try:
                reader, writer = await self._first_word(child, hello, output)
                process = _Process(child, reader, writer, [output])
                self._process = process
                return await self._load(process)
            except BaseException:
                await _end(child)
                self._process = None
                raise
        finally:
            server.close()
            shutil.rmtree(folder, ignore_errors=True)

    async def _spawn(self, address: str, token: str) -> asyncio.subprocess.Process:
        arguments = list(self._command(address))
        environment = {
            # Threads that spin while they wait are ten times slower as soon as another process wants a core.
            "OMP_WAIT_POLICY": "PASSIVE",
            "TOKENIZERS_PARALLELISM": "false",
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            TOKEN_VARIABLE: token,
        }
        try:
            return await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                limit=1 << 20,
                # A group of its own, so that the processes which an engine starts can be ended with it.
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(
                f"{arguments[0]} cannot be run: {error.strerror or error}", remedy="check --engine-python"
            ) from error

    async def _first_word(
        self,
        child: asyncio.subprocess.Process,
        hello: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        output: asyncio.Task[None],
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        exited = asyncio.create_task(child.wait())
        try:
            first: set[asyncio.Future[Any]] = {hello, exited}
            await asyncio.wait(first, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if hello.done():
                return hello.result()
            if exited.done():
                await _end(child)
                await output
                raise EngineError(self._obituary(child.returncode), remedy="is this the right --engine-python?")
            raise EngineError(f"the {self._name} worker did not connect within {CONNECT_TIMEOUT_S:g} s" + self._quote())
        finally:
            exited.cancel()

    async def _load(self, process: _Process) -> dict[str, Any]:
        process.writer.write(pack({"type": "load", "settings": self._settings}))
        try:
            header, _ = await _receive(process.reader)
        except (EOFError, ConnectionError, WireError) as error:
            await _end(process.child, BURIAL_TIMEOUT_S)
            await process.tasks[0]
            code = process.child.returncode
            remedy = MEMORY_REMEDY if code == -signal.SIGKILL else "the lines above are the worker's own"
            raise EngineError(f"while loading the model, {self._obituary(code)}", remedy=remedy) from error
        if header.get("type") != "ready":
            await _end(process.child, BURIAL_TIMEOUT_S)
            await process.tasks[0]  # the log is complete
            raise self._failed(header)
        process.tasks.append(asyncio.create_task(self._dispatch(process)))
        facts: dict[str, Any] = header["facts"]
        return facts

    def _failed(self, header: dict[str, Any]) -> EngineError:
        """The worker's own explanation; where that points to its log, the cause found there."""
        message, remedy = str(header.get("message", "the worker failed")), str(header.get("remedy", ""))
        cause = _root_cause(self._log) if "root cause" in message else None
        if cause is not None:
            message = f"{message.partition(': ')[0]}: {cause}"
            remedy = remedy_for(cause) or remedy
        return EngineError(message, remedy=remedy)

    async def _collect(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:
                self._log.append("(a line longer than 1 MiB)")
                continue
            if not line:
                return
            self._log.append(line.decode("utf-8", "replace").rstrip())

    async def _dispatch(self, process: _Process) -> None:
        try:
            while True:
                header, _ = await _receive(process.reader)
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
                _settle(call, f"the {self._name} worker crashed twice on this request{self._quote()}")
        return suspects

    async def _restart(self) -> bool:
        process, self._process = self._process, None
        cause = await self._bury(process) if process else "the worker is gone"
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

    async def _bury(self, process: _Process) -> str:
        process.writer.close()
        await _end(process.child, BURIAL_TIMEOUT_S)
        for task in process.tasks:
            await task
        return self._obituary(process.child.returncode)

    def _obituary(self, code: int | None) -> str:
        if code is not None and code < 0:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
            if -code == signal.SIGKILL:
                how += " (perhaps the machine ran out of memory)"
        else:
            how = f"ended with exit code {code}"
        return f"the {self._name} worker {how}{self._quote()}"

    def _quote(self) -> str:
        lines = list(self._log)[-QUOTED_LINES:]
        return "; its last lines:\n    " + "\n    ".join(lines) if lines else ""

    async def close(self) -> None:
        """End the worker; safe to call twice."""
        self._closing = True
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        process, self._process = self._process, None
        if process is not None:
            if not process.writer.is_closing():
                process.writer.write(pack({"type": "close"}))
                process.writer.close()
            await _end(process.child, CLOSE_TIMEOUT_S)
            await asyncio.gather(*process.tasks, return_exceptions=True)
        self._give_up(f"{self._name} is closed")
        self._open.set()


_EXCEPTION_LINE = re.compile(r"\b(?:[a-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Interrupt)): (.+)")


def _root_cause(log: Iterable[str]) -> str | None:
    """The first exception that a log names, which is the innermost one of the process that failed first."""
    for line in log:
        found = _EXCEPTION_LINE.search(line)
        if found and "root cause" not in line:
            return f"{found[1]}: {found[2].strip()}"
    return None


def _settle(call: _Call, error: str) -> None:
    if not call.answer.done():
        call.answer.set_result({"status": "error", "error": error})


async def _receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], list[bytes]]:
    head_size, payload_size = lengths(await reader.readexactly(PREFIX.size))
    head = await reader.readexactly(head_size)
    payload = await reader.readexactly(payload_size)
    return unpack(head, payload)


async def _listen(
    connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], folder: Path
) -> tuple[asyncio.Server, str]:
    """Listen on a socket that only this user can reach; loopback TCP where there are no Unix sockets."""
    path = folder / "worker.sock"
    if sys.platform != "win32" and len(os.fsencode(path)) <= _UNIX_PATH_LIMIT:
        return await asyncio.start_unix_server(connected, path=path), f"unix:{path}"
    server = await asyncio.start_server(connected, host="127.0.0.1", port=0)
    return server, f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _end(child: asyncio.subprocess.Process, grace_s: float = 0.05) -> None:
    """Make sure that a child and all that it started have ended; it gets `grace_s` seconds to do so by itself."""
    # Not child.wait(): where a process of the engine still holds the output pipe, it does not return (Python < 3.12.4).
    limit = time.monotonic() + grace_s
    while child.returncode is None and time.monotonic() < limit:
        await asyncio.sleep(_POLL_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            # What the engine started may outlive the worker, and hold the card's memory.
            os.killpg(child.pid, signal.SIGKILL)
        elif child.returncode is None:
            os.kill(child.pid, signal.SIGKILL)
    await child.wait()
