"""Symbolic comparison in processes of its own, with hard limits of time and memory.

A comparison that outruns its limit is ended with its process; the next one gets a new process. Trees travel as JSON text
over pipes. Works from any thread, inside an event loop (it blocks the caller), and after a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from mmeval.core.errors import UndecidedError, UsageError
from mmeval.core.secrets import childs_environment
from mmeval.verifiers.formula_tree import Tree

TIME_LIMIT_S = 3.0
"""CPU time of one comparison. Elapsed time does not decide, so that a busy machine gives the same scores."""
WALL_LIMIT_S = 30.0
"""Elapsed time of one comparison, after which its process is killed whatever it did."""
MEMORY_LIMIT_MIB = 1536
START_LIMIT_S = 120.0
WORKERS = 2
REMEMBERED = 4096
"""Pairs whose result is kept, so that equal answers to one question are compared once."""
TIMED_OUT = "symbolic comparison timed out"
LOST = "symbolic comparison lost its process"
_KILLED = f"symbolic comparison ended by signal {signal.SIGKILL.value}"

_WORKER = Path(__file__).with_name("symbolic_worker.py")


class SymbolicPool:
    """A few processes that are started when they are needed and replaced when they end."""

    def __init__(
        self,
        workers: int = WORKERS,
        time_limit_s: float = TIME_LIMIT_S,
        memory_limit_mib: int = MEMORY_LIMIT_MIB,
        wall_limit_s: float = WALL_LIMIT_S,
    ) -> None:
        self._time_limit_s = time_limit_s
        self._memory_limit_mib = memory_limit_mib
        self._wall_limit_s = wall_limit_s
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._results: OrderedDict[str, bool | str] = OrderedDict()
        self._pid = os.getpid()
        self.started = 0
        """Processes started so far."""

    def equal(self, gold: Tree, answer: Tree) -> bool:
        """Whether math-verify finds two expressions or relations equal.

        Raises:
            UndecidedError: when the comparison ran out of time or memory, or failed.
            UsageError: when no process can be started.
        """
        if os.getpid() != self._pid:
            self.forget()
        request = json.dumps({"gold": gold, "answer": answer})
        with self._lock:
            known = self._results.get(request)
        result = self._ask(request) if known is None else known
        if isinstance(result, str):
            # A comparison that failed once is asked again by the next run, not by the next row.
            self._remember(request, result)
            raise UndecidedError(result)
        self._remember(request, result)
        return result

    def close(self) -> None:
        """End all processes. The pool can be used again."""
        if os.getpid() != self._pid:
            self.forget()
        with self._lock:
            workers, self._all, self._idle = list(self._all), set(), []
        for worker in workers:
            worker.kill()

    def _remember(self, request: str, result: bool | str) -> None:
        with self._lock:
            self._results[request] = result
            self._results.move_to_end(request)
            while len(self._results) > REMEMBERED:
                self._results.popitem(last=False)

    def _ask(self, request: str) -> bool | str:
        found = self._ask_once(request)
        # A process that was killed (memory ran out, of whomever) says nothing of the comparison; killed again, it may be the cause.
        return self._ask_once(request) if found in (LOST, _KILLED) else found

    def _ask_once(self, request: str) -> bool | str:
        with self._free:
            try:
                worker = self._worker()
            except UndecidedError as error:
                return error.message
            reply: dict[str, Any] | str = "symbolic comparison was interrupted"
            try:
                reply = worker.ask(request, self._wall_limit_s)
            finally:
                with self._lock:
                    if isinstance(reply, dict):
                        self._idle.append(worker)
                    else:
                        self._all.discard(worker)
                if not isinstance(reply, dict):
                    worker.kill()
        if isinstance(reply, str):
            return reply
        return f"symbolic comparison {reply['error']}" if "error" in reply else bool(reply["equal"])

    def _worker(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive():
                    return worker
                self._all.discard(worker)
            worker = _Worker(self._time_limit_s, self._memory_limit_mib)
            self._all.add(worker)
            self.started += 1
        try:
            worker.greet()
        except BaseException:
            with self._lock:
                self._all.discard(worker)
            worker.kill()
            raise
        return worker

    def forget(self) -> None:
        """Leave the processes to the parent process, after a fork."""
        for worker in self._all:
            worker.let_go()
        self._idle, self._all = [], set()
        self._lock, self._free = threading.Lock(), threading.Semaphore(WORKERS)
        self._pid = os.getpid()


class _Worker:
    """One process and its pipes."""

    def __init__(self, time_limit_s: float, memory_limit_mib: int) -> None:
        # -P: neither the folder of the file nor the current one is searched for modules.
        command = [sys.executable, "-P", str(_WORKER), str(time_limit_s), str(memory_limit_mib)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=childs_environment(),
            start_new_session=True,
        )
        self._pending = b""

    def greet(self) -> None:
        """Wait until the process can compare.

        Raises:
            UsageError: with the process's own explanation, when it cannot.
            UndecidedError: it was killed.
        """
        reply = self._line(START_LIMIT_S)
        if reply is None or not reply.get("ready"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
            if self._process.returncode == -signal.SIGKILL:
                raise UndecidedError(_KILLED)
            self._process.kill()
            told = (self._process.stderr.read() if self._process.stderr else b"").decode(errors="replace").strip()
            raise UsageError(
                f"symbolic comparison cannot start: {told.splitlines()[-1] if told else 'its process said nothing'}",
                remedy="install math-verify (pip install math-verify)",
            )

    def ask(self, request: str, wall_limit_s: float) -> dict[str, Any] | str:
        """Return the reply, or the reason why there is none."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request.encode() + b"\n")
        except OSError:
            return LOST
        reply = self._line(wall_limit_s)
        if reply is not None:
            return reply
        if self._process.poll() is None:
            # Out of elapsed time, or its output ended and it is about to be gone.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        code = self._process.returncode
        if code is None or code == -signal.SIGPROF:
            return TIMED_OUT
        return f"symbolic comparison ended by {'signal ' + str(-code) if code < 0 else 'exit code ' + str(code)}"

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def let_go(self) -> None:
        """Close this process's ends of the pipes of a worker that belongs to the parent process."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        # Popen would wait for a child that is none of ours.
        self._process.returncode = 0

    def _line(self, limit_s: float) -> dict[str, Any] | None:
        """Return the next line that the process writes; None when it ends, or the time is up."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + limit_s
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return None
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


_POOL = SymbolicPool()
atexit.register(_POOL.close)
os.register_at_fork(after_in_child=_POOL.forget)


def symbolically_equal(gold: Tree, answer: Tree) -> bool:
    """Whether math-verify finds two expressions or relations equal, within the limits of this module.

    Raises:
        UndecidedError: when the comparison ran out of time or memory, or failed.
        UsageError: when no process can be started.
    """
    return _POOL.equal(gold, answer)
