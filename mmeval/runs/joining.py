"""Joining the tables of several runs into one, in the order of a single run, streamed in bounded memory."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmeval.core.errors import ComparisonError, DataError
from mmeval.core.hashing import digest
from mmeval.runs.folder import stream_batches
from mmeval.runs.reasons import Reasons
from mmeval.runs.schema import POSITION, calls_schema, results_schema, samples_schema, with_position
from mmeval.runs.tables import ROW_GROUP, TableWriter

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

TableName = Literal["results", "samples", "calls"]
FAN_IN = 32
"""Tables that are open at once; more are joined in rounds."""
BUFFERED_ROWS = 8192
"""Rows in memory over all open tables."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where names stand in the joined run."""

    models: Sequence[str]
    tasks: Sequence[tuple[str, str]]
    """(name, protocol)."""
    conditions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Part:
    """The folder of one run, and what it holds."""

    folder: Path
    models: Sequence[str]
    sharded: bool

    def table(self, name: TableName) -> Path:
        """Path of one table."""
        return self.folder / f"{name}.parquet"


@dataclass(frozen=True, slots=True)
class _Kind:
    schema: pa.Schema
    keys: tuple[str, ...]
    """Columns behind model, task and condition by which rows are ordered."""
    by_model: bool
    whole: int
    """How many leading keys belong together and are never parted between two blocks."""


@dataclass(slots=True)
class Block:
    """Some rows in order, with their keys: int64 of shape (rows, keys)."""

    table: pa.Table
    keys: NDArray[np.int64]


@dataclass(slots=True)
class JoinTally:
    """Counts over the joined results."""

    models: int
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Reasons = field(default_factory=Reasons)
    at_fault: int = 0
    samples: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(model, task) -> samples under the first condition."""
    _items: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        """Count the rows of a block of `results.parquet`."""
        columns = ("outcome", "error", "reason", "item_hash", "request_hash", "judge_model")
        rows = block.table.select(columns).to_pylist()
        for (model, task, condition, _, repeat), row in zip(block.keys.tolist(), rows, strict=True):
            outcome = row["outcome"]
            self.outcomes[outcome] += 1
            if outcome in ("error", "unscored", "unsupported"):
                hopeless = outcome == "unscored" and row["judge_model"] is None
                self.at_fault += hopeless or (outcome == "error" and not row["request_hash"])
                self.reasons.add(str(row["error"] or row["reason"] or outcome))
            if condition == 0 and repeat == 0:
                self.samples[model, task] += 1
                if model == 0 and row["item_hash"]:
                    count, total = self._items.get(task, (0, 0))
                    self._items[task] = (count + 1, (total + int(row["item_hash"], 16)) % 2**256)

    def items_digest(self, task: int) -> str | None:
        """As `Tally.items_digest`."""
        count, total = self._items.get(task, (0, 0))
        return digest([count, f"{total:064x}"]) if count and count == self.samples[0, task] else None


def _kind(name: TableName) -> _Kind:
    if name == "results":
        return _Kind(results_schema(), ("repeat",), True, 5)
    if name == "calls":
        return _Kind(calls_schema(), ("repeat", "turn"), True, 6)
    return _Kind(samples_schema(), (), False, 3)


def join_table(
    name: TableName, parts: Sequence[Part], places: Places, folder: Path, tally: JoinTally | None = None
) -> None:
    """Write one table of the joined run.

    Args:
        name: which table.
        parts: the runs; those without such a table have no rows of it.
        places: the order of the joined run.
        folder: where it is written.
        tally: counts the rows of `results`.

    Raises:
        DataError: a table is damaged, not in order, or names what its manifest does not.
        ComparisonError: two runs hold the same row, or other samples of one task.
    """
    kind = _kind(name)
    streams: list[Stream] = [
        _Source(name, kind, part, places).blocks
        for part in parts
        if name != "calls" or part.table(name).exists()
    ]  # fmt: skip
    rounds = 0
    while len(streams) > FAN_IN:
        rounds += 1
        streams = [
            _stored(streams[start : start + FAN_IN], name, kind, folder / f".{name}-{rounds}-{start}.parquet")
            for start in range(0, len(streams), FAN_IN)
        ]
    with TableWriter(folder / f"{name}.parquet", kind.schema, optional=name == "calls") as writer:
        regrouped = _Regrouped(writer)
        for block in _merged([make(BUFFERED_ROWS // max(1, len(streams))) for make in streams], kind.whole):
            if name == "samples":
                regrouped.add(_joined_samples(block, places).drop_columns([POSITION]))
                continue
            _refuse_twice(block, name)
            if tally is not None:
                tally.add(block)
            regrouped.add(block.table.drop_columns([POSITION]))
        regrouped.close()
    for leftover in folder.glob(f".{name}-*.parquet"):
        leftover.unlink()


Stream = Callable[[int], Iterator[Block]]
"""Starts a pass over a table in blocks of so many rows."""


def _stored(streams: Sequence[Stream], name: TableName, kind: _Kind, path: Path) -> Stream:
    """Join some streams into a file beside the joined table, and return a stream over it."""
    import pyarrow as pa

    keys = [pa.field(f"key{number}", pa.int64()) for number in range(_width(kind))]
    schema = pa.schema([*with_position(kind.schema), *keys])
    with TableWriter(path, schema) as writer:
        for block in _merged([make(BUFFERED_ROWS // len(streams)) for make in streams], kind.whole):
            columns = [*block.table.columns, *(pa.array(column) for column in block.keys.T)]
            writer.write(pa.Table.from_arrays(columns, schema=schema))

    def blocks(size: int) -> Iterator[Block]:
        for batch in stream_batches(path, size=max(1, size)):
            table = pa.Table.from_batches([batch])
            found = np.stack([table[key.name].to_numpy() for key in keys], axis=1)
            yield Block(table.drop_columns([key.name for key in keys]), found)

    return blocks


def _width(kind: _Kind) -> int:
    return 4 + len(kind.keys)


class _Source:
    """One table of one run as blocks with keys."""

    def __init__(self, name: TableName, kind: _Kind, part: Part, places: Places) -> None:
        self._path = part.table(name)
        self._kind = kind
        self._part = part
        self._places = places
        self._last: tuple[Any, ...] | None = None
        self._ordinal = -1

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield the table in blocks; the keys are (model, task, condition, position, …), of samples (task, condition, position, model)."""
        import pyarrow as pa

        schema = with_position(self._kind.schema)
        last: tuple[int, ...] | None = None
        for batch in stream_batches(self._path, size=max(1, size)):
            columns = [
                batch.column(entry.name).cast(entry.type)
                if entry.name in batch.schema.names
                else pa.nulls(batch.num_rows, entry.type)
                for entry in schema
            ]
            keys = self._keys(batch)
            columns[-1] = pa.array(keys[:, 3 if self._kind.by_model else 2], pa.int64())
            tuples = [tuple(row) for row in keys.tolist()]
            for before, row in zip([last, *tuples], tuples, strict=False):
                if before is not None and row < before:
                    raise DataError(
                        f"{self._path}: the rows are not in the order of a run",
                        remedy="run the same `mmeval run` command again to rebuild the table",
                    )
            last = tuples[-1] if tuples else last
            yield Block(pa.Table.from_arrays(columns, schema=schema), keys)

    def _keys(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        places = self._places
        tasks = self._found(
            [*zip(batch.column("task").to_pylist(), batch.column("protocol").to_pylist(), strict=True)], places.tasks
        )
        conditions = self._found(batch.column("condition").to_pylist(), places.conditions)
        if self._kind.by_model:
            models = self._found(batch.column("model").to_pylist(), places.models)
            positions = self._positions(batch, list(zip(models, tasks, conditions, strict=True)))
            more = [batch.column(name).to_pylist() for name in self._kind.keys]
            columns = [models, tasks, conditions, positions, *more]
        else:
            asked = [names or self._part.models for names in batch.column("models").to_pylist()]
            first = [min(self._found(list(names), places.models)) for names in asked]
            positions = self._positions(batch, list(zip(tasks, conditions, strict=True)))
            columns = [tasks, conditions, positions, first]
        return np.array(columns, dtype=np.int64).T.reshape(batch.num_rows, len(columns))

    def _found(self, names: Sequence[Any], known: Sequence[Any]) -> list[int]:
        index = {name: place for place, name in enumerate(known)}
        try:
            return [index[name] for name in names]
        except KeyError as error:
            raise DataError(
                f"{self._path} holds rows of {error.args[0]!r}, which is not in its manifest",
                remedy="run the same `mmeval run` command again to rebuild the table",
            ) from error

    def _positions(self, batch: pa.RecordBatch, cells: Sequence[tuple[int, ...]]) -> list[int]:
        """The column of a shard; in a whole run the samples of a cell stand in order, and are counted."""
        if self._part.sharded:
            if POSITION not in batch.schema.names:
                raise DataError(
                    f"{self._path} has no column {POSITION!r}: it is not as `mmeval run --shard` wrote it",
                    remedy="merge the shards first, and score the merged run",
                )
            found: list[int] = batch.column(POSITION).to_pylist()
            return found
        positions = []
        for cell, sample in zip(cells, batch.column("sample_id").to_pylist(), strict=True):
            if self._last is None or self._last[0] != cell:
                self._ordinal = 0
            elif self._last[1] != sample:
                self._ordinal += 1
            self._last = (cell, sample)
            positions.append(self._ordinal)
        return positions


def _merged(streams: Sequence[Iterator[Block]], whole: int) -> Iterator[Block]:
    """Yield the rows of all streams in the order of their keys; rows alike in the first `whole` keys come in one block."""
    buffers: list[Block | None] = [next(stream, None) for stream in streams]
    open_ = [buffer is not None for buffer in buffers]
    while any(buffer is not None for buffer in buffers):
        ends = [
            tuple(buffer.keys[-1, :whole].tolist())
            for buffer, more in zip(buffers, open_, strict=True)
            if more and buffer is not None
        ]
        bound = min(ends) if ends else None
        taken = [_split_off(buffers, place, bound, whole) for place in range(len(buffers))]
        blocks = [block for block in taken if block is not None]
        if blocks:
            yield _sorted(blocks)
        if bound is None:
            continue
        for place, buffer in enumerate(buffers):
            if open_[place] and (buffer is None or tuple(buffer.keys[-1, :whole].tolist()) == bound):
                following = next(streams[place], None)
                open_[place] = following is not None
                if following is not None:
                    buffers[place] = following if buffer is None else _concatenated([buffer, following])


def _split_off(buffers: list[Block | None], place: int, bound: tuple[int, ...] | None, whole: int) -> Block | None:
    """Take the rows before `bound` out of a buffer."""
    buffer = buffers[place]
    if buffer is None or bound is None:
        buffers[place] = None
        return buffer
    rows = len(buffer.keys)
    count = bisect.bisect_left(range(rows), bound, key=lambda row: tuple(buffer.keys[row, :whole].tolist()))
    if count == 0:
        return None
    buffers[place] = Block(buffer.table.slice(count), buffer.keys[count:]) if count < rows else None
    return Block(buffer.table.slice(0, count), buffer.keys[:count])


def _concatenated(blocks: Sequence[Block]) -> Block:
    import pyarrow as pa

    return Block(pa.concat_tables([block.table for block in blocks]), np.concatenate([block.keys for block in blocks]))


def _sorted(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    found = _concatenated(blocks)
    order = np.lexsort(found.keys.T[::-1])
    return Block(found.table.take(order), found.keys[order])


def _refuse_twice(block: Block, name: str) -> None:
    same = np.flatnonzero((block.keys[1:] == block.keys[:-1]).all(axis=1))
    if same.size:
        at = int(same[0])
        row = block.table.slice(at, 1).select(["model", "task", "condition", "sample_id", "repeat"]).to_pylist()[0]
        raise ComparisonError(
            f"two runs hold the same row of {name}: model {row['model']}, task {row['task']}, sample {row['sample_id']}, "
            f"condition {row['condition']}, repeat {row['repeat']}",
            remedy="leave one of the two out",
        )


def _joined_samples(block: Block, places: Places) -> pa.Table:
    """Samples that several runs put to their models in the same way share a row, as in a single run."""
    import pyarrow as pa

    if len(block.keys) < 2 or not (block.keys[1:, :3] == block.keys[:-1, :3]).all(axis=1).any():
        return block.table
    order = {name: place for place, name in enumerate(places.models)}
    found: list[dict[str, Any]] = []
    place: list[int] = []
    start = 0
    for key, row in zip(block.keys[:, :3].tolist(), block.table.to_pylist(), strict=True):
        if key != place:
            place, start = key, len(found)
        if found[start:] and found[start]["sample_id"] != row["sample_id"]:
            raise ComparisonError(
                f"the runs hold other samples of task {row['task']}: {found[start]['sample_id']!r} and {row['sample_id']!r} at one place",
                remedy="merge runs of the same data and the same --limit",
            )
        same = next((other for other in found[start:] if _asked(other) == _asked(row)), None)
        if same is None:
            found.append(row)
        else:
            same["models"] = sorted({*(same["models"] or ()), *(row["models"] or ())}, key=order.__getitem__)
    return pa.Table.from_pylist(found, schema=block.table.schema)


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "models"}


class _Regrouped:
    """Writes row groups of the size in which a single run writes them, however the blocks come."""

    def __init__(self, writer: TableWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        import pyarrow as pa

        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= ROW_GROUP:
            everything = pa.concat_tables(self._waiting)
            full = self._rows - self._rows % ROW_GROUP
            for start in range(0, full, ROW_GROUP):
                self._writer.write(everything.slice(start, ROW_GROUP).combine_chunks())
            self._waiting = [everything.slice(full)]
            self._rows -= full

    def close(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write(pa.concat_tables(self._waiting).combine_chunks())
