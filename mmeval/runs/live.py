"""What a run in progress says of itself: counts while rows are delivered, and `progress.json`, from which `mmeval view` reads.

The file is derived and of no use to the run: it is written beside the work at most once a second, never synced, and
removed at the end. Where it cannot be written, the run says so once and goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mmeval.conditions.base import metrics_of
from mmeval.core.files import write
from mmeval.core.secrets import VARIABLES, without_key
from mmeval.metrics import get_metric
from mmeval.metrics.definition import Metric
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.plan import RunPlan
from mmeval.pipeline.runner import Finished
from mmeval.stats.running import RunningMean

FILE = "progress.json"
SCHEMA_VERSION = 1
EVERY_S = 1.0
SHARE = 0.01
"""Of the time at most goes into the file: with thousands of cells it is written less often."""
LATEST = 20
"""Failures that are shown."""
REASON_LIMIT = 300
RATE_WINDOW_S = 60.0
FOLLOWED_LIMIT = 100_000
"""Clusters that are followed in all cells together; beyond that there is no running interval."""
FAILED = frozenset({"error", "unscored"})


@dataclass(slots=True)
class Cell:
    """One model on one task under one condition."""

    model: str
    task: str
    protocol: str
    condition: str
    total: int | None
    """Rows to come to; None where the data set does not say its size."""
    metric: Metric
    mean: RunningMean | None
    repeated: bool
    """Whether samples have several answers, which are dependent."""
    no_value: str = ""
    """Why there is no running value."""
    done: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def add(self, finished: Finished) -> None:
        """Count one row. Nothing in it may stop the run: what has no value has none in the table either, and says so there."""
        verdict, unit = finished.verdict, finished.unit
        outcome = verdict.outcome
        self.done += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if self.mean is None or outcome not in ("scored", "no_answer"):
            return
        metric = self.metric
        value: float | None
        if outcome == "no_answer":
            value = metric.no_answer
        elif metric.source == "correct":
            value = None if verdict.correct is None else float(verdict.correct)
        else:
            value = verdict.score if metric.source == "score" else verdict.scores.get(metric.key)
            if value is not None and metric.threshold is not None:
                value = float(value >= metric.threshold)
        if value is None or not math.isfinite(value):
            self.mean, self.no_value = None, f"a row has no {metric.key or metric.source}"
            return
        cluster = unit.sample.cluster
        self.mean.add(value, f"s:{unit.sample.id}" if cluster is None and self.repeated else cluster)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "model": self.model,
            "task": self.task,
            "protocol": self.protocol,
            "condition": self.condition,
            "total": self.total,
            "done": self.done,
            "outcomes": self.outcomes,
            "metric": self.metric.name,
            "sums": None if self.mean is None else asdict(self.mean.sums),
            "no_value": self.no_value,
        }


class LiveCounts:
    """Counts of all rows of a run, by model, task and condition, and the latest failures.

    Args:
        models: names in the results table.
        plan: what they are asked.
    """

    def __init__(self, models: Sequence[str], plan: RunPlan) -> None:
        self.cells: dict[tuple[int, int, int], Cell] = {}
        self.failures: deque[dict[str, Any]] = deque(maxlen=LATEST)
        self.failed = 0
        for place, model in enumerate(models):
            for task, opened in enumerate(plan.tasks):
                card, repeats = opened.task.card, plan.repeats_for(opened.task)
                total = None if opened.size is None else opened.size * repeats
                for number, condition in enumerate(plan.conditions):
                    metric = get_metric((metrics_of(condition.name) or card.metrics)[0])
                    why = _no_mean(metric)
                    mean = None if why else RunningMean()
                    self.cells[place, task, number] = Cell(
                        model,
                        opened.task.name,
                        opened.task.protocol,
                        condition.name,
                        total,
                        metric,
                        mean,
                        repeats > 1,
                        why,
                    )

    def add(self, finished: Finished) -> None:
        """Count one row."""
        unit, verdict = finished.unit, finished.verdict
        order = unit.order
        cell = self.cells[order.model, order.task, order.condition]
        cell.add(finished)
        if verdict.outcome in FAILED:
            self.failed += 1
            reason = finished.response.error or verdict.reason or verdict.outcome
            self.failures.append(
                {
                    "model": cell.model,
                    "task": cell.task,
                    "condition": cell.condition,
                    "sample_id": unit.sample.id[:REASON_LIMIT],
                    "repeat": order.repeat,
                    "outcome": verdict.outcome,
                    "reason": (reason.strip().splitlines() or [verdict.outcome])[0][:REASON_LIMIT],
                    "seconds": time.monotonic(),
                }
            )

    def bound(self) -> None:
        """Stop following clusters where they have become too many."""
        means = sorted(
            (cell.mean for cell in self.cells.values() if cell.mean is not None), key=lambda mean: -mean.followed
        )
        count = sum(mean.followed for mean in means)
        for mean in means:
            if count <= FOLLOWED_LIMIT:
                return
            count -= mean.followed
            mean.forget()


def _no_mean(metric: Metric) -> str:
    if metric.k is not None:
        return "needs all answers to a sample"
    return "" if metric.form is None else "no mean over rows; the value comes with the tables"


class ProgressFile:
    """Writes `progress.json` until it is closed.

    Args:
        folder: the run folder, locked by this process.
        run_id: of the manifest.
        progress: of each model, and the judge's last.
        counts: of the rows.
        judged: whether the last of `progress` is a judge.
    """

    def __init__(
        self, folder: Path, run_id: str, progress: Sequence[Progress], counts: LiveCounts, judged: bool = False
    ) -> None:
        self.phase = "asking"
        self._path = folder / FILE
        self._progress = progress
        self._counts = counts
        self._judged = judged
        self._started = time.monotonic()
        self._beat = 0
        self._rates: list[deque[tuple[float, int]]] = [deque() for _ in progress]
        self._own = {"run_id": run_id, "pid": os.getpid(), "born": born(os.getpid()), "machine": machine()}
        # Taken out once more; engines have done so with their own.
        self._keys = [value for name in VARIABLES if (value := os.environ.get(name))]
        self._guard = threading.Lock()
        self._closed = False
        self._told = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write from now on, in the running event loop."""
        self._task = asyncio.create_task(self._keep())

    async def announce(self, phase: str) -> None:
        """Write at once that the run is at another point: `writing` its tables, when the event loop will stand still."""
        self.phase = phase
        await self._put()

    async def close(self) -> None:
        """Write no more, and leave nothing behind."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with self._guard:  # a write may be under way in a thread
            self._closed = True
            for path in (self._path, self._path.with_name(FILE + ".new")):  # the second may be of a run that was killed
                with suppress(OSError):  # the next run of the folder replaces or removes it
                    path.unlink(missing_ok=True)

    async def _keep(self) -> None:
        while True:
            spent = await self._put()
            await asyncio.sleep(max(EVERY_S, spent / SHARE))

    async def _put(self) -> float:
        """Write the file, and give the seconds of the event loop that this took. Whatever goes wrong, the run goes on."""
        began = time.thread_time()
        try:
            data = self._snapshot()
        except (TypeError, ValueError, ArithmeticError) as error:  # such as a name that is no Unicode
            self._tell(f"{type(error).__name__}: {error}")
            return 0.0
        spent = time.thread_time() - began
        await asyncio.to_thread(self._write, data)
        return spent

    def _tell(self, why: str) -> None:
        """Say once that there is no file."""
        if not self._told:
            self._told = True
            self._progress[0].notices.append(
                f"{self._path} cannot be written ({why}): `mmeval view` shows no progress; the run goes on"
            )

    def _snapshot(self) -> bytes:
        """The file's content, without the keys of this process."""
        now = time.monotonic()
        self._beat += 1
        self._counts.bound()
        models = [self._model(place, entry, now) for place, entry in enumerate(self._progress)]
        if self._judged:
            models[-1]["judge"] = True
        record = {
            "schema": SCHEMA_VERSION,
            **self._own,
            "beat": self._beat,
            "phase": self.phase,
            "elapsed_s": round(now - self._started, 1),
            "models": models,
            "cells": [cell.record() for cell in self._counts.cells.values()],
            "failed": self._counts.failed,
            "failures": [
                {key: value for key, value in entry.items() if key != "seconds"}
                | {"ago_s": round(now - entry["seconds"])}
                for entry in reversed(self._counts.failures)
            ],
        }
        data = orjson.dumps(record)
        for key in self._keys:
            data = without_key(data, key)
        return data

    def _model(self, place: int, entry: Progress, now: float) -> dict[str, Any]:
        points = self._rates[place]
        points.append((now, entry.done))
        while len(points) > 2 and points[1][0] < now - RATE_WINDOW_S:
            points.popleft()
        seconds, rows = now - points[0][0], entry.done - points[0][1]
        rate = rows / seconds if seconds > 0 else None
        left = None
        if rate and entry.total is not None and entry.state == "running":
            left = max(0, entry.total - entry.done) / rate
        elapsed = max(now - entry.started, 1e-3)
        return {
            "model": entry.model,
            "judge": False,
            "state": entry.state,
            "total": entry.total,
            "done": entry.done,
            "in_flight": entry.in_flight,
            "failed": entry.failed,
            "answered": entry.answered,
            "cached": entry.cached,
            "asked": entry.asked,
            "retries": entry.retries,
            "tokens_per_s": round(entry.completion_tokens / elapsed, 1) if entry.asked else None,
            "rows_per_s": None if rate is None else round(rate, 3),
            "left_s": None if left is None else round(left, 1),
            "waiting_s": max(0, round(entry.waiting_until - now)),
        }

    def _write(self, data: bytes) -> None:
        temporary = self._path.with_name(FILE + ".new")
        with self._guard:
            if self._closed:
                return
            try:
                write(temporary, data)
                temporary.replace(self._path)
            except OSError as error:
                with suppress(OSError):  # the same trouble
                    temporary.unlink(missing_ok=True)
                self._tell(error.strerror or str(error))


def machine() -> str | None:
    """A name for the process table that this process is in, which says nothing of the machine; None where there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:16]


def born(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None where that is not known, or the process is not there."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None
