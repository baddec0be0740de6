"""`mmeval score`: the stored responses of a run, scored again into a new run folder. Streamed, in constant memory."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mmeval.conditions.base import verifier_of
from mmeval.core.errors import DataError, StorageError, UsageError
from mmeval.core.types import Verdict
from mmeval.pipeline.chain import Chain
from mmeval.pipeline.judging import JudgeDesk
from mmeval.pipeline.runner import Finished
from mmeval.pipeline.work import Order, Unit
from mmeval.runs.cells import BrokenCellError, in_folder
from mmeval.runs.file_tasks import recorded_cards
from mmeval.runs.folder import Run, link_media, row_count, stream_batches
from mmeval.runs.manifest import TaskRecord
from mmeval.runs.reasons import Reasons
from mmeval.runs.rows import call_rows
from mmeval.runs.schema import POSITION, calls_schema, results_schema, samples_schema, with_position
from mmeval.runs.score_worker import ScorePool, task_spec, verdict_of
from mmeval.runs.stored import (
    SAMPLE_COLUMNS,
    Conversations,
    same_gold,
    stored_media,
    stored_response,
    stored_sample,
    with_way,
)
from mmeval.runs.tables import ROW_GROUP, TableWriter
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

READ = ("task", "protocol", "condition", "sample_id", "model", "repeat", "outcome", "correct", "score", "status", "response",
        "finish_reason", "error", "verifier", "request_hash", "item_hash", "media", "scores", POSITION)  # fmt: skip
IMPORTED = "imported/"
"""Verifier of rows whose ready scores came with an import; they have nothing to score again."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """One task of the run, as it was and as it is scored now."""

    record: TaskRecord
    task: Task
    raw: dict[str, Any]
    path: Path
    chain: Chain


@dataclass(slots=True)
class ScoreTally:
    """What scoring again came to."""

    rows: int = 0
    kept: int = 0
    """Rows that stay as they are: other tasks, and imported scores without a response."""
    changed: int = 0
    """Rows whose outcome or score is another one now."""
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Reasons = field(default_factory=Reasons)


def tasks_to_score(run: Run, names: Sequence[str], protocol: str | None, task_paths: Sequence[str]) -> list[Rescored]:
    """The tasks of a run with the cards of today, under a protocol.

    Args:
        run: the run.
        names: tasks to score again; all when empty.
        protocol: the protocol to score under; None keeps each task's own.
        task_paths: folders with further cards.

    Raises:
        UsageError: an unknown task or protocol, or stored targets that the protocol cannot use.
    """
    registry = Registry([Path(path) for path in task_paths], recorded_cards(run.manifest.tasks))
    records = [record for record in run.manifest.tasks if not names or record.name in names]
    unknown = set(names) - {record.name for record in records}
    if unknown:
        listed = ", ".join(record.name for record in run.manifest.tasks)
        raise UsageError(f"task {sorted(unknown)[0]!r} is not in {run.path}", remedy=f"it holds {listed}")
    found = []
    for record in records:
        card = registry.cards.get(record.name)
        if card is None:
            if names:
                raise UsageError(
                    f"there is no card for task {record.name!r}", remedy="add --task-path DIR with its card"
                )
            continue  # an import without a card has nothing but its scores
        task = Task.load(card, protocol or record.protocol)
        if task.protocol != record.protocol:
            before = Task.load(card, record.protocol)
            reason = "takes other items" if before.card.dataset != task.card.dataset else ""
            reason = reason or ("" if same_gold(before, task) else "has another form of gold answers")
            if reason:
                raise UsageError(
                    f"task {record.name}: protocol {task.protocol} {reason} than {record.protocol}",
                    remedy=f"run it with -t {record.name}@{task.protocol}: answers to the same questions come from the cache",
                )
        found.append(Rescored(record, task, card.raw, card.path, Chain.of(task, False)))
    if not found:
        raise UsageError(f"{run.path} holds no task that has a card", remedy="add --task-path DIR with its cards")
    return found


class SampleCursor:
    """Looks up rows of `samples.parquet` that are asked for in the order of the table, holding one batch in memory.

    A lookup that goes backwards starts a new pass, once; results and samples of one run have the same order.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows: Iterator[dict[str, Any]] = iter(())
        self._current: dict[str, Any] | None = None

    def find(self, key: tuple[str, str, str, str], model: str) -> dict[str, Any]:
        """Return the sample of (task, protocol, condition, id) as it was put to a model.

        Raises:
            DataError: when there is none.
        """
        for _ in range(2):
            while self._current is not None:
                row = self._current
                names = (row["task"], row["protocol"], row["condition"], row["sample_id"])
                if names == key and (row["models"] is None or model in row["models"]):
                    return row
                self._current = next(self._rows, None)
            self._rows = self._run.rows("samples", SAMPLE_COLUMNS)
            self._current = next(self._rows, None)
        raise DataError(
            f"{self._run.path / 'samples.parquet'} lacks sample {key[3]!r} of task {key[0]}",
            remedy="run the same command again",
        )


class Rescoring:
    """One pass over the results table of a run.

    Args:
        run: the run.
        tasks: what is scored again.
        folder: the new run folder.
        desk: where judges are asked, or None.
    """

    def __init__(self, run: Run, tasks: Sequence[Rescored], folder: Path, desk: JudgeDesk | None) -> None:
        self._run = run
        self._tasks = {(entry.record.name, entry.record.protocol): index for index, entry in enumerate(tasks)}
        self._entries = tasks
        self._chains = [Chain.of(entry.task, desk is not None) for entry in tasks]
        self._folder = folder
        self._desk = desk
        self._sharded = run.manifest.shard is not None
        self._talks = Conversations(
            run, {name: self._entries[index].task.protocol for name, index in self._tasks.items()}
        )
        self.tally = ScoreTally()

    async def write(self) -> ScoreTally:
        """Score every row and write `results.parquet` (and `calls.parquet` where judges were asked, or strategies had made calls).

        Raises:
            DataError: a table of the run is missing or damaged, or one of its cells.
            StorageError: the new folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (
                TableWriter(self._folder / "results.parquet", _placed(results_schema(), self._sharded)) as results,
                TableWriter(
                    self._folder / "calls.parquet", _placed(calls_schema(), self._sharded), optional=True
                ) as calls,
                in_folder(self._run.path),
            ):
                await self._all(results, calls)
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be written: {error.strerror or error}",
                remedy="free some space or give another folder with -o, then run the same command again",
            ) from error
        return self.tally

    async def _all(self, results: TableWriter, calls: TableWriter) -> None:
        path = self._run.path / "results.parquet"
        specs = [task_spec(entry.task, entry.raw, entry.path) for entry in self._entries]
        pool = ScorePool(specs, row_count(path))
        under_way: deque[asyncio.Task[_Scored]] = deque()

        async def finish_one() -> None:
            done = await under_way.popleft()
            results.write(done.table)
            for position, row in enumerate(done.rows):
                calls.add(_calls_of(row, self._talks.of(row), done.made.get(position, [])))

        try:
            samples = SampleCursor(self._run)
            for batch in stream_batches(path, size=ROW_GROUP):
                rows, work = await asyncio.to_thread(self._read, batch, samples)
                under_way.append(asyncio.create_task(self._batch(batch, rows, work, pool)))
                if len(under_way) >= pool.width:
                    await finish_one()
            while under_way:
                await finish_one()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            pool.close()

    def _read(self, batch: pa.RecordBatch, samples: SampleCursor) -> tuple[list[dict[str, Any]], list[list[Any]]]:
        """Rows of a batch, and what is to be scored of them: (position, task index, samples row)."""
        names = [name for name in READ if name in batch.schema.names]
        rows = batch.select(names).to_pylist()
        work = []
        for position, row in enumerate(rows):
            index = self._tasks.get((row["task"], row["protocol"]))
            ready = str(row["verifier"] or "").startswith(IMPORTED) and not row["response"]
            if index is None or ready or (self._run.model is not None and row["model"] != self._run.model):
                continue
            key = (row["task"], row["protocol"], row["condition"], row["sample_id"])
            if row["outcome"] == "error" and not row["request_hash"]:
                continue  # it could not be read, so there is no sample to score against
            work.append([position, index, samples.find(key, row["model"])])
        return rows, work

    async def _batch(
        self, batch: pa.RecordBatch, rows: list[dict[str, Any]], work: list[list[Any]], pool: ScorePool
    ) -> _Scored:
        chunk = orjson.dumps([[index, _of_response(rows[position]), sample] for position, index, sample in work])
        scored = await asyncio.wrap_future(pool.submit(chunk))
        verdicts = {
            position: verdict_of(record) for (position, _, _), record in zip(work, orjson.loads(scored), strict=True)
        }
        made: dict[int, list[dict[str, Any]]] = {}
        if self._desk is not None:
            judged = await asyncio.gather(
                *(self._judge(rows[p], index, sample, verdicts[p]) for p, index, sample in work)
            )
            for (position, _, _), (verdict, calls) in zip(work, judged, strict=True):
                verdicts[position] = verdict
                made[position] = calls
        for position, index, _ in work:
            verdicts[position] = with_way(verdicts[position], rows[position].get("scores"), self._entries[index].task)
        protocols = {position: self._entries[index].task.protocol for position, index, _ in work}
        for position, row in enumerate(rows):
            self._count(row, verdicts.get(position))
        return _Scored(replaced(batch, verdicts, protocols), rows, made)

    async def _judge(
        self, row: dict[str, Any], index: int, stored: dict[str, Any], verdict: Verdict
    ) -> tuple[Verdict, list[dict[str, Any]]]:
        chain, entry = self._chains[index], self._entries[index]
        if not chain.steps or verifier_of(row["condition"]) is not None:
            return verdict, []
        assert self._desk is not None
        try:
            sample = stored_sample(stored, entry.task)
        except BrokenCellError:
            raise
        except DataError:
            return verdict, []  # the rules have said so already
        response = stored_response(row)
        media = stored_media(self._run, row) if any(step.card.shows_image for step in chain.steps) else ()
        order = Order(0, index, 0, 0, row["repeat"] or 0)
        unit = Unit(
            order,
            entry.task,
            row["condition"],
            sample,
            row["item_hash"] or "",
            None,
            row["request_hash"] or "",
            "",
            None,
            None,
            media,
        )
        verdict, calls = await self._desk.judge(chain, unit, response, verdict)
        return verdict, call_rows(Finished(unit, response, verdict, calls), row["model"])

    def _count(self, row: Mapping[str, Any], verdict: Verdict | None) -> None:
        tally = self.tally
        tally.rows += 1
        if verdict is None:
            tally.kept += 1
            tally.outcomes[row["outcome"]] += 1
            return
        tally.changed += (verdict.outcome, verdict.score) != (row["outcome"], row["score"])
        tally.outcomes[verdict.outcome] += 1
        if verdict.outcome in ("error", "unscored", "unsupported"):
            tally.reasons.add(str(row["error"] or verdict.reason or verdict.outcome))


@dataclass(frozen=True, slots=True)
class _Scored:
    """A batch of the results table that has been scored again."""

    table: pa.Table
    rows: list[dict[str, Any]]
    """As they were."""
    made: dict[int, list[dict[str, Any]]]
    """Position in the batch -> calls of judges, as `call_rows` gives them."""


def _calls_of(
    row: Mapping[str, Any], talk: Sequence[dict[str, Any]], judged: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of `calls.parquet` of a row: a strategy's calls stand for the plain answer, and judges follow."""
    if talk:
        judged = [call for call in judged if call["role"] == "judge"]
    place = {POSITION: row[POSITION]} if POSITION in row else {}
    return [
        *({**call, **place} for call in talk),
        *({**call, "turn": turn, **place} for turn, call in enumerate(judged, len(talk))),
    ]


def _placed(schema: pa.Schema, sharded: bool) -> pa.Schema:
    return with_position(schema) if sharded else schema


def _of_response(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("status", "response", "finish_reason", "error")}


def replaced(batch: pa.RecordBatch, verdicts: Mapping[int, Verdict], protocols: Mapping[int, str]) -> pa.Table:
    """The batch with the scoring columns of some rows replaced; everything else is passed on as it is.

    Args:
        batch: rows of the results table.
        verdicts: position in the batch -> new verdict.
        protocols: position in the batch -> protocol that it was scored under.
    """
    import pyarrow as pa

    schema = _placed(results_schema(), POSITION in batch.schema.names)
    columns = {name: batch.column(name) for name in schema.names if name in batch.schema.names}
    new: dict[str, Any] = {
        "protocol": lambda position, verdict: protocols[position],
        "outcome": lambda position, verdict: verdict.outcome,
        "score": lambda position, verdict: verdict.score,
        "correct": lambda position, verdict: verdict.correct,
        "scores": lambda position, verdict: list(verdict.scores.items()),
        "extracted": lambda position, verdict: _json(verdict.extracted),
        "extracted_span": lambda position, verdict: list(verdict.span) if verdict.span else None,
        "reason": lambda position, verdict: verdict.reason or None,
        "verifier": lambda position, verdict: verdict.verifier,
        "judge_model": lambda position, verdict: verdict.judge_model,
        "judge_verdict": lambda position, verdict: verdict.judge_verdict,
        "judge_reason": lambda position, verdict: verdict.judge_reason,
    }
    arrays = []
    for field_ in schema:
        old = columns.get(field_.name)
        if field_.name not in new:
            arrays.append(old.cast(field_.type) if old is not None else pa.nulls(batch.num_rows, field_.type))
            continue
        make = new[field_.name]
        kept = old.to_pylist() if old is not None else [None] * batch.num_rows
        values = [make(p, verdicts[p]) if p in verdicts else kept[p] for p in range(batch.num_rows)]
        arrays.append(pa.array(values, type=field_.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def copy_rest(run: Run, folder: Path, protocols: Mapping[tuple[str, str], str]) -> None:
    """Write `samples.parquet` under the new protocols, and link (or copy) the stored media into the new folder."""
    import pyarrow as pa

    schema = _placed(samples_schema(), run.manifest.shard is not None)
    with TableWriter(folder / "samples.parquet", schema) as table:
        for batch in stream_batches(run.path / "samples.parquet", size=ROW_GROUP):
            pairs = zip(batch.column("task").to_pylist(), batch.column("protocol").to_pylist(), strict=True)
            named = pa.array([protocols.get(pair, pair[1]) for pair in pairs], type=pa.string())
            columns = [named if field.name == "protocol" else batch.column(field.name) for field in schema]
            table.write(
                pa.Table.from_arrays([c.cast(f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
            )
    link_media(run.path, folder)
