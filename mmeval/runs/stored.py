"""From the tables of a run folder back to what a verifier and a judge need, read with the cards of today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from mmeval.conditions.strategy import FACTS
from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, PreparedImage, PreparedMedia, Response, Sample, Status, Verdict
from mmeval.runs.cells import broken_cell, json_cell, size_in
from mmeval.runs.folder import Run, stream_batches
from mmeval.runs.tables import ROW_GROUP
from mmeval.tasks.samples import SENT
from mmeval.tasks.task import Task
from mmeval.verifiers.base import NO_TARGET

SAMPLE_COLUMNS = (
    "task", "protocol", "condition", "sample_id", "item_hash", "cluster", "question", "choices", "target", "context", "extras",
    "subsets", "models",
)  # fmt: skip
"""Columns of `samples.parquet` that scoring reads."""
SAMPLES = "samples.parquet"
_OF_THE_ROW = frozenset({"answer_kind", "answer_type", "reasoning_tags", NO_TARGET, FACTS, SENT})
"""Options of a stored context that belong to the row or the model, whatever the card says."""


def stored_context(row: Mapping[str, Any], task: Task) -> AnswerContext:
    """The answer context of a stored sample under a card: the row's own options are kept, the card's are today's.

    Raises:
        BrokenCellError: the stored context is none.
        DataError: when the card needs a column of the row that was not stored.
    """
    stored = json_cell(SAMPLES, row, "context", dict) or {}
    answer = task.card.answer
    known: Mapping[str, Any] = stored.get("options") or {}
    if not isinstance(known, dict):
        raise broken_cell(SAMPLES, row, "context", "options is not an object")
    names = set(answer.of_row())
    missing = sorted(names - known.keys())
    if missing:
        raise DataError(
            f"task {task.name}@{task.protocol} needs {missing[0]!r} of every row, which this run did not store",
            remedy="run it under that protocol (answers come from the cache where the question is the same)",
        )
    options = {name: value for name, value in known.items() if name in names or name in _OF_THE_ROW}
    pairs = {name: size for name in ("image_size", "sent_size") if (size := size_in(SAMPLES, row, stored, name))}
    return AnswerContext(
        choices=tuple(row["choices"] or ()),
        options={**answer.options, **options},
        coordinates=stored.get("coordinates", "pixels"),
        coordinate_order=stored.get("coordinate_order", "xy"),
        **pairs,
    )


def stored_target(row: Mapping[str, Any]) -> Any:
    """The target of a stored sample, None where it has none.

    Raises:
        BrokenCellError: the cell holds no JSON.
    """
    return json_cell(SAMPLES, row, "target")


def stored_sample(row: Mapping[str, Any], task: Task) -> Sample:
    """The sample of a stored row, without messages and media.

    Raises:
        DataError: see `stored_context`; a `BrokenCellError` for target and extras too.
    """
    return Sample(
        id=row["sample_id"],
        task=task.name,
        messages=(),
        target=stored_target(row),
        context=stored_context(row, task),
        subsets=dict(row["subsets"] or {}),
        cluster=row["cluster"] or "",
        item={"question": row["question"] or ""},
        extras=_extras(row),
    )


def _extras(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json_cell(SAMPLES, row, "extras", dict) or {}
    for name, kind in (("judge", dict), ("facts", list), ("annotations", list)):
        if found.get(name) and not isinstance(found[name], kind):
            raise broken_cell(SAMPLES, row, "extras", f"{name} is not {'an object' if kind is dict else 'a list'}")
    return found


def stored_response(row: Mapping[str, Any]) -> Response:
    """The response of a row of the results table."""
    status: Status = row["status"] or "ok"
    if status != "ok" or row["response"] is None:
        return Response(status if status != "ok" else "error", error=row["error"])
    return Response("ok", text=row["response"], finish_reason=row["finish_reason"])


def stored_media(run: Run, row: Mapping[str, Any]) -> tuple[PreparedMedia, ...]:
    """The images of a row as they were sent, from the run's `media/`.

    Raises:
        DataError: when one is not there.
    """
    images = []
    for entry in row.get("media") or ():
        found = run.media(entry["sha256"])
        if found is None:
            raise DataError(
                f"{run.path}: image {entry['sha256'][:12]} of sample {row['sample_id']} is not in media/ as it was sent, and the judge needs it",
                remedy="run without --no-media",
            )
        form: Literal["jpeg", "png", "webp"] = entry["format"] or "png"
        images.append(
            PreparedImage(
                found[0],
                form,
                entry["width"],
                entry["height"],
                entry["sha256"],
                entry["sha256"],
                entry["width"],
                entry["height"],
            )
        )
    return tuple(PreparedMedia("image", (image,)) for image in images)


def with_way(verdict: Verdict, stored: Any, task: Task) -> Verdict:
    """The verdict with the stored scores of the way to the answer (turns, box, pages), which scoring again cannot change.

    Args:
        verdict: of today's rules.
        stored: the `scores` of the stored row, a mapping or pairs.
        task: the task as it is scored now.
    """
    section = task.card.strategy
    if section is None or not stored or verdict.outcome in ("error", "unsupported"):
        return verdict
    kept = {name: value for name, value in dict(stored).items() if name in section.scores and value is not None}
    return replace(verdict, scores={**verdict.scores, **kept})


class Conversations:
    """The calls of strategies behind the rows of a run, taken in the order of its results table.

    Args:
        run: the run.
        protocols: (task, protocol) -> the protocol that the task is scored by now.
    """

    def __init__(self, run: Run, protocols: Mapping[tuple[str, str], str]) -> None:
        self._protocols = protocols
        self._calls = _strategy_calls(run)
        self._next = next(self._calls, None)

    def of(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the calls behind a row as rows of `calls.parquet`."""
        found = []
        while self._next is not None and all(self._next[name] == row[name] for name in _ROW_KEY):
            pair = (self._next["task"], self._next["protocol"])
            found.append({**self._next, "protocol": self._protocols.get(pair, pair[1])})
            self._next = next(self._calls, None)
        return found


_ROW_KEY = ("sample_id", "repeat", "model", "condition", "task", "protocol")


def _strategy_calls(run: Run) -> Iterator[dict[str, Any]]:
    path = run.path / "calls.parquet"
    if not path.is_file():
        return
    for batch in stream_batches(path, size=ROW_GROUP):
        yield from (row for row in batch.to_pylist() if row["role"] not in ("judge", "model"))


def same_gold(before: Task, after: Task) -> bool:
    """Whether targets that were stored under one protocol of a card have the form that another expects."""
    forms: Sequence[tuple[Any, ...]] = [
        (card.answer.kind, card.answer.target, card.answer.coordinates, card.fields.answer, card.fields.answer_type)
        for card in (before.card, after.card)
    ]
    return forms[0] == forms[1]
