"""Scoring stored responses again with the cards of today, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mmeval.conditions.base import verifier_of
from mmeval.core.errors import ComparisonError, MmevalError
from mmeval.core.types import AnswerContext, Verdict
from mmeval.runs.cells import in_folder, json_cell
from mmeval.runs.file_tasks import recorded_cards
from mmeval.runs.folder import Run
from mmeval.runs.manifest import TaskRecord
from mmeval.runs.stored import stored_context, stored_response, stored_target, with_way
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

if TYPE_CHECKING:
    import pandas as pd


def todays_task(record: TaskRecord, task_paths: Sequence[str] = ()) -> Task:
    """The task of a run's record as its card stands today.

    Raises:
        ComparisonError: when there is no such card, or it needs a judge.
    """
    try:
        ((card, protocol),) = Registry([Path(path) for path in task_paths], recorded_cards([record])).resolve(
            [f"{record.name}@{record.protocol}" if record.protocol else record.name]
        )
        task = Task.load(card, protocol, None)
    except (MmevalError, ValueError) as error:
        reason = error.message if isinstance(error, MmevalError) else str(error)
        raise ComparisonError(
            f"task {record.name}@{record.protocol} cannot be scored again: {reason}",
            remedy="score both runs with the same card and mmeval version",
        ) from error
    if record.judge is not None:
        raise ComparisonError(
            f"task {record.name}@{record.protocol} was scored with a judge, which is not asked again here",
            remedy="score both runs alike first: `mmeval score RUN --judge MODEL`, or `mmeval score RUN` for rules alone",
        )
    if task.card.answer.reads == "extraction":
        raise ComparisonError(
            f"task {record.name}@{record.protocol} scores what a judge has extracted, which is not scored again here",
            remedy="import or run both sides with the same mmeval version",
        )
    return task


def rescored(run: Run, record: TaskRecord, frame: pd.DataFrame, task_paths: Sequence[str] = ()) -> pd.DataFrame:
    """Return rows of one task with their scores computed anew from the stored responses.

    Args:
        run: where the samples' targets and contexts are stored.
        record: the task.
        frame: its rows of the results table, with `response`, `finish_reason`, `status`, `error` and the score columns.
        task_paths: folders with further cards.

    Raises:
        ComparisonError: see `todays_task`.
        DataError: a cell of its tables holds no JSON.
    """
    with in_folder(run.path):
        return _rescored(run, record, frame, todays_task(record, task_paths))


def _rescored(run: Run, record: TaskRecord, frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    import pandas as pd

    verifier = task.verifier
    stored: dict[tuple[str, str], tuple[Any, AnswerContext]] = {}
    columns = ["task", "protocol", "condition", "sample_id", "target", "choices", "context"]
    for row in run.rows("samples", columns):
        if (row["task"], row["protocol"]) == (record.name, record.protocol):
            stored[row["condition"], row["sample_id"]] = (stored_target(row), stored_context(row, task))
    verdicts = []
    records = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    for row in records:
        known = stored.get((row["condition"], row["sample_id"]))
        if known is None or row["outcome"] == "error":
            extracted = json_cell("results.parquet", {"task": record.name, "extracted": None, **row}, "extracted")
            verdicts.append(
                Verdict(row["outcome"], row["score"], row["correct"], row["scores"] or {}, extracted=extracted)
            )
            continue
        verdict = verify(verifier_of(row["condition"]) or verifier, stored_response(row), *known)
        verdicts.append(with_way(verdict, row["scores"], task))
    found = frame.copy()
    found["outcome"] = [verdict.outcome for verdict in verdicts]
    found["score"] = [verdict.score for verdict in verdicts]
    found["correct"] = [verdict.correct for verdict in verdicts]
    found["extracted"] = [
        None if verdict.extracted is None else orjson.dumps(verdict.extracted, option=orjson.OPT_SORT_KEYS).decode()
        for verdict in verdicts
    ]
    found["scores"] = pd.Series([dict(verdict.scores) for verdict in verdicts], index=found.index, dtype=object)
    return found
