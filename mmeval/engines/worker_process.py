"""One life of a worker process: started, connected over a local socket, loaded, ended; and in which words its end is told."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
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
from mmeval.core.secrets import childs_environment
from mmeval.engines.worker.failures import MEMORY_REMEDY, remedy_for
from mmeval.engines.worker.wire import FOLDER_VARIABLE, PREFIX, TOKEN_VARIABLE, WireError, lengths, pack, unpack

CONNECT_TIMEOUT_S = 120.0
"""How long a Python process may take to say hello, before it imports anything heavy."""
BURIAL_TIMEOUT_S = 2.0
"""How long the process of a lost connection may take to be gone, before it is killed."""
LOG_LINES = 500
"""Last lines of the worker's output that are kept."""
QUOTED_LINES = 8
SOCKET = "worker.sock"
SHORT_FOLDER = "/tmp"
"""Where an engine's sockets go when TMPDIR is too long for them."""
_FOLDER_LIMIT = 60
"""Bytes of a folder in which sockets named by a UUID, some with a few letters more, stay within the 107 that Linux allows (macOS: 103)."""
_POLL_S = 0.01
_UNIX_PATH_LIMIT = 100
"""Bytes that a Unix socket's path may have on every platform."""
_EXCEPTION_LINE = re.compile(r"(?<![\w.])(?:[a-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Interrupt)): (.+)")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class WorkerLog:
    """The last lines that a worker printed, through all its lives."""

    name: str
    """What messages call the engine."""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))

    async def collect(self, child: asyncio.subprocess.Process) -> None:
        """Keep what a child prints, to its end."""
        assert child.stdout is not None
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:
                self.lines.append("(a line longer than 1 MiB)")
                continue
            if not line:
                return
            self.lines.append(line.decode("utf-8", "replace").rstrip())

    def quote(self) -> str:
        """Return the last few lines, to be put behind a message."""
        lines = list(self.lines)[-QUOTED_LINES:]
        return "; its last lines:\n    " + "\n    ".join(lines) if lines else ""

    def obituary(self, code: int | None) -> str:
        """Return how the worker ended, from its exit code, with its last lines."""
        if code is not None and code < 0:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
            if -code == signal.SIGKILL:
                how += " (perhaps the machine ran out of memory)"
        else:
            how = f"ended with exit code {code}"
        return f"the {self.name} worker {how}{self.quote()}"

    def failed(self, header: dict[str, Any]) -> EngineError:
        """Return the worker's own explanation; where that points to its log, the cause found there."""
        message, remedy = str(header.get("message", "the worker failed")), str(header.get("remedy", ""))
        cause = _root_cause(self.lines) if "root cause" in message else None
        if cause is not None:
            message = f"{message.partition(': ')[0]}: {cause}"
            remedy = remedy_for(cause) or remedy
        return EngineError(message, remedy=remedy)


@dataclass(eq=False, slots=True)
class WorkerProcess:
    """A worker that has said hello."""

    child: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    log: WorkerLog
    tasks: list[asyncio.Task[None]]
    """What follows its output, and later its messages; they end with it."""
    folder: Path
    """Of its own, for the sockets that it and its engine make; removed with it."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever reads its messages, when the connection ends."""

    @classmethod
    async def launch(cls, command: Callable[[str], Sequence[str]], log: WorkerLog) -> WorkerProcess:
        """Start a worker and wait until it is connected.

        Args:
            command: address of the socket -> argument list.
            log: gets what it prints.

        Raises:
            EngineError: it cannot be started, or says nothing, with its last lines.
        """
        token = secrets.token_hex(32)
        folder = _private_folder()
        hello: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                header, _ = await asyncio.wait_for(receive(reader), CONNECT_TIMEOUT_S)
            except (TimeoutError, EOFError, WireError, ConnectionError):
                writer.close()
                return
            genuine = hmac.compare_digest(str(header.get("token", "")).encode(), token.encode())
            if genuine and not hello.done():
                hello.set_result((reader, writer))
            else:
                writer.close()

        try:
            server, address = await _listen(connected, folder)
            try:
                child = await _spawn(list(command(address)), token, folder)
                output = asyncio.create_task(log.collect(child))
                try:
                    reader, writer = await _first_word(child, hello, output, log)
                except BaseException:
                    await _end(child)
                    raise
                return cls(child, reader, writer, log, [output], folder)
            finally:
                server.close()
                (folder / SOCKET).unlink(missing_ok=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def load(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Have the model loaded and return the facts that the worker reports.

        Raises:
            EngineError: with the worker's own explanation and remedy, or its last lines.
        """
        self.writer.write(pack({"type": "load", "settings": settings}))
        try:
            header, _ = await receive(self.reader)
        except (EOFError, ConnectionError, WireError) as error:
            await self._ended(BURIAL_TIMEOUT_S)
            await self.tasks[0]
            code = self.child.returncode
            remedy = MEMORY_REMEDY if code == -signal.SIGKILL else "the lines above are the worker's own"
            raise EngineError(f"while loading the model, {self.log.obituary(code)}", remedy=remedy) from error
        if header.get("type") != "ready":
            await self._ended(BURIAL_TIMEOUT_S)
            await self.tasks[0]  # the log is complete
            raise self.log.failed(header)
        facts: dict[str, Any] = header["facts"]
        return facts

    async def bury(self) -> str:
        """End what is left after a crash, and return what became of it."""
        self.writer.close()
        await self._ended(BURIAL_TIMEOUT_S)
        for task in self.tasks:
            await task
        return self.log.obituary(self.child.returncode)

    async def kill(self) -> None:
        """End the worker at once, with all that it started."""
        await self._ended()

    async def close(self, grace_s: float) -> None:
        """Ask the worker to end, which it may take `grace_s` seconds for."""
        if not self.writer.is_closing():
            self.writer.write(pack({"type": "close"}))
            self.writer.close()
        await self._ended(grace_s)
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _ended(self, grace_s: float = 0.05) -> None:
        try:
            await _end(self.child, grace_s)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


async def receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], list[bytes]]:
    """Return the next message.

    Raises:
        EOFError, ConnectionError, WireError: there is none, or it is broken.
    """
    head_size, payload_size = lengths(await reader.readexactly(PREFIX.size))
    head = await reader.readexactly(head_size)
    payload = await reader.readexactly(payload_size)
    return unpack(head, payload)


def _private_folder() -> Path:
    """A new folder that only this user can reach, with a short name: an engine's sockets have their paths in it."""
    folder = tempfile.mkdtemp(prefix="mmeval-")
    if len(os.fsencode(folder)) > _FOLDER_LIMIT and os.path.isdir(SHORT_FOLDER):
        with contextlib.suppress(OSError):
            short = tempfile.mkdtemp(prefix="mmeval-", dir=SHORT_FOLDER)
            os.rmdir(folder)
            return Path(short)
    return Path(folder)


async def _spawn(arguments: list[str], token: str, folder: Path) -> asyncio.subprocess.Process:
    environment = {
        # vLLM leaves the sockets between its processes behind, one or more for every engine.
        **({"VLLM_RPC_BASE_PATH": str(folder)} if len(os.fsencode(folder)) <= _FOLDER_LIMIT else {}),
        # Threads that spin while they wait are ten times slower as soon as another process wants a core.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        **childs_environment(),
        "PYTHONUNBUFFERED": "1",
        TOKEN_VARIABLE: token,
        FOLDER_VARIABLE: str(folder),
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
    child: asyncio.subprocess.Process, hello: asyncio.Future[Streams], output: asyncio.Task[None], log: WorkerLog
) -> Streams:
    exited = asyncio.create_task(child.wait())
    try:
        first: set[asyncio.Future[Any]] = {hello, exited}
        await asyncio.wait(first, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if hello.done():
            return hello.result()
        if exited.done():
            await _end(child)
            await output
            raise EngineError(log.obituary(child.returncode), remedy="is this the right --engine-python?")
        raise EngineError(f"the {log.name} worker did not connect within {CONNECT_TIMEOUT_S:g} s" + log.quote())
    finally:
        exited.cancel()


def _root_cause(log: Iterable[str]) -> str | None:
    """The first exception that a log names, which is the innermost one of the process that failed first."""
    for line in log:
        found = _EXCEPTION_LINE.search(line)
        if found and "root cause" not in line:
            return f"{found[1]}: {found[2].strip()}"
    return None


async def _listen(
    connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], folder: Path
) -> tuple[asyncio.Server, str]:
    """Listen on a socket that only this user can reach; loopback TCP where there are no Unix sockets."""
    path = folder / SOCKET
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
