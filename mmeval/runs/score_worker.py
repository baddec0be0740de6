"""Scoring stored responses by rules in worker processes. Rows and verdicts cross as JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson

from mmeval.conditions.base import verifier_of
from mmeval.core.errors import DataError
from mmeval.core.types import Verdict
from mmeval.pipeline.chain import Chain, rule_verdict
from mmeval.runs.cells import BrokenCellError
from mmeval.runs.stored import stored_response, stored_sample
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

SMALL = 4096
"""Rows for which no process is worth its start."""

_tasks: list[tuple[Task, Chain]] = []


def task_spec(task: Task, raw: dict[str, Any], path: Path) -> list[Any]:
    """What a worker needs to load the task."""
    return [task.name, str(path), raw, task.protocol]


def load(specs: bytes) -> None:
    """Load the tasks of a worker; given the JSON list of `task_spec`."""
    _tasks.clear()
    for name, path, raw, protocol in orjson.loads(specs):
        task = Task.load(CardFile(name, Path(path), raw), protocol)
        _tasks.append((task, Chain.of(task, False)))


def score(chunk: bytes) -> bytes:
    """Score a JSON list of (task index, results row, samples row); returns the JSON list of verdicts."""
    return orjson.dumps([verdict_json(score_row(*entry)) for entry in orjson.loads(chunk)])


def score_row(task: int, row: dict[str, Any], sample: dict[str, Any]) -> Verdict:
    """The verdict of the rules on one stored row."""
    loaded, chain = _tasks[task]
    own = verifier_of(sample["condition"])
    chain = chain if own is None else Chain(own)
    try:
        return rule_verdict(chain, stored_response(row), stored_sample(sample, loaded))
    except BrokenCellError:
        raise
    except DataError as error:
        return Verdict("unscored", reason=error.message)


def verdict_json(verdict: Verdict) -> list[Any]:
    """A verdict as a JSON list, in the order of `verdict_of`."""
    return [
        verdict.outcome,
        verdict.score,
        verdict.correct,
        dict(verdict.scores),
        verdict.extracted,
        verdict.span,
        verdict.reason,
        verdict.verifier,
    ]


def verdict_of(record: Sequence[Any]) -> Verdict:
    """The verdict of a list that `verdict_json` made."""
    outcome, score_, correct, scores, extracted, span, reason, verifier = record
    return Verdict(outcome, score_, correct, scores, extracted, tuple(span) if span else None, reason, verifier)


class ScorePool:
    """Worker processes for large tables; for small ones the work is done here, at once.

    Args:
        specs: `task_spec` of every task.
        rows: how many rows are to be scored.
        processes: at most so many; the machine's cores by default.
    """

    def __init__(self, specs: list[list[Any]], rows: int, processes: int | None = None) -> None:
        count = max(1, processes or os.cpu_count() or 1)
        data = orjson.dumps(specs)
        self.width = count + 2
        """Chunks that should be under way at once."""
        self._pool: ProcessPoolExecutor | None = None
        if rows > SMALL and count > 1:
            self._pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=load, initargs=(data,))
        else:
            load(data)

    def submit(self, chunk: bytes) -> Future[bytes]:
        """Score one chunk, see `score`."""
        if self._pool is not None:
            return self._pool.submit(score, chunk)
        done: Future[bytes] = Future()
        done.set_result(score(chunk))
        return done

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
