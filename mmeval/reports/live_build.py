"""Building the report of runs that change, in a process of its own, so that whoever asks for the page never waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeAlias

import orjson

from mmeval.core.errors import MmevalError
from mmeval.reports.live_page import MARKER, VIEW
from mmeval.runs.watch import Sight, Stamp

REST = 4.0
"""Times its own duration that a build is not followed by another."""
GRACE_S = 3.0
Key: TypeAlias = tuple[tuple[str, Stamp], ...]
"""What a report is made of: addresses, and stamps of their files."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How the report is built."""

    max_mb: float = 20.0
    baseline: str | None = None
    template_dir: Path | None = None
    """As of `mmeval report`; for the report alone, not for the live part on top of it."""


@dataclass(slots=True)
class Builder:
    """Keeps the report of some runs up to date.

    Args:
        folder: a private folder for what the process writes.
        options: how it is built.
    """

    folder: Path
    options: BuildOptions
    parts: tuple[bytes, bytes] | None = None
    """The page before and behind the live part; None while there is no report."""
    name: str = ""
    """Another one for every report; empty without one."""
    problem: str = ""
    """Why the last build failed."""
    _key: Key = ()
    _count: int = 0
    _rest_until: float = 0.0
    _task: asyncio.Task[None] | None = None
    _process: BaseProcess | None = field(default=None)

    @property
    def building(self) -> bool:
        """Whether a build is under way."""
        return self._task is not None and not self._task.done()

    def offer(self, sights: Sequence[Sight]) -> None:
        """Start a build if the tables are others than those of the last one, and it is time."""
        key = key_of(sights)
        if not key or key == self._key or self.building or time.monotonic() < self._rest_until:
            return
        self._task = asyncio.create_task(self._build(key))

    async def _build(self, key: Key) -> None:
        began = time.monotonic()
        page, answer = self.folder / "report.html", self.folder / "answer.json"
        for path in (page, answer):
            path.unlink(missing_ok=True)
        spec = {
            "runs": [address for address, _ in key],
            "page": str(page),
            "answer": str(answer),
            "max_mb": self.options.max_mb,
            "baseline": self.options.baseline,
            "templates": None if self.options.template_dir is None else str(self.options.template_dir),
        }
        try:
            self._process = _started(orjson.dumps(spec))
            await _ended(self._process)
            problem = str(orjson.loads(answer.read_bytes())["problem"])
            if not problem:
                head, _, tail = page.read_bytes().partition(MARKER.encode())
                self._count += 1
                self.parts, self.name = (head, tail), str(self._count)
        except FileNotFoundError:
            problem = f"the process that builds it ended with code {self._process.exitcode if self._process else None}"
        except (ValueError, TypeError, KeyError):  # half an answer: no space was left for it
            problem = f"{answer} cannot be read: is there space left for temporary files?"
        except OSError as error:
            problem = f"no process can be started for it: {error.strerror or error}"
        # What was built from files that changed meanwhile has another stamp, and is built again.
        self.problem, self._key = problem, key
        self._rest_until = time.monotonic() + REST * (time.monotonic() - began)

    async def close(self) -> None:
        """End a build that is under way."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_ended(self._process), GRACE_S)
            self._process.kill()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def key_of(sights: Sequence[Sight]) -> Key:
    """What a report of the runs that have tables would be made of. A run that is writing them has none for now."""
    return tuple(
        (sight.address, sight.tables) for sight in sights if sight.tables is not None and sight.state != "writing"
    )


def work(spec: bytes) -> None:
    """Build one report: the whole life of the process."""
    from mmeval.reports.build import build_report
    from mmeval.runs.folder import open_run

    with contextlib.suppress(OSError):
        os.nice(10)  # a run beside it goes first
    given = orjson.loads(spec)
    problem = ""
    try:
        runs = [open_run(address) for address in given["runs"]]
        build_report(
            runs,
            Path(given["page"]),
            max_mb=given["max_mb"],
            baseline=given["baseline"],
            template_dir=Path(given["templates"]) if given["templates"] else None,
            face=VIEW,
        )
    except MmevalError as error:
        problem = str(error)
    except Exception as error:  # a bug: shown on the page, and the viewer goes on
        problem = f"internal error: {type(error).__name__}: {error}"
    Path(given["answer"]).write_bytes(orjson.dumps({"problem": problem}))


def _started(spec: bytes) -> BaseProcess:
    """Start the process, deaf to a Ctrl-C, which is the parent's to deal with."""
    process = get_context("spawn").Process(target=work, args=(spec,))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


async def _ended(process: BaseProcess) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
