"""Writing a run folder: rows as they finish into a working file, tables in a fixed order at the end."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from mmeval.core.errors import StorageError, UsageError
from mmeval.core.files import open_lock
from mmeval.core.memory import little_memory
from mmeval.core.shortage import shortage_error
from mmeval.pipeline.places import obstacle
from mmeval.pipeline.trace import NO_TRACE, Tracer
from mmeval.runs.schema import POSITION, calls_schema, results_schema, samples_schema, with_position
from mmeval.runs.tables import TableWriter, json_row

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 256
_SCHEMA = """
CREATE TABLE results (model INT, task INT, condition INT, position INT, repeat INT, row BLOB,
  PRIMARY KEY (model, task, condition, position, repeat)) WITHOUT ROWID;
CREATE TABLE samples (task INT, condition INT, position INT, digest BLOB, row BLOB,
  PRIMARY KEY (task, condition, position, digest)) WITHOUT ROWID;
CREATE TABLE asked (task INT, condition INT, position INT, model INT, name TEXT, digest BLOB,
  PRIMARY KEY (task, condition, position, model)) WITHOUT ROWID;
CREATE TABLE calls (model INT, task INT, condition INT, position INT, repeat INT, turn INT, row BLOB,
  PRIMARY KEY (model, task, condition, position, repeat, turn)) WITHOUT ROWID;
"""


class RunWriter:
    """Collects rows in any order in bounded memory and writes the tables in one order.

    The working file holds nothing that cannot be rebuilt from the response cache, so it is not synced and is deleted at the end.

    Args:
        folder: the run folder.
        positions: give the tables of a shard a last column `position` (of the sample in its data set), by which
            `mmeval merge` restores the order of the whole.
        trace: is told when rows and tables are written.

    Raises:
        UsageError: when another process writes the same run.
        StorageError: when the folder cannot be written.
    """

    def __init__(self, folder: Path, positions: bool = False, trace: Tracer = NO_TRACE) -> None:
        self.folder = folder
        self._trace = trace
        self._positions = positions
        self._lock = lock_folder(folder)
        self._path = folder / "rows.sqlite"
        self._results: list[tuple[Any, ...]] = []
        self._samples: list[tuple[Any, ...]] = []
        self._asked: list[tuple[Any, ...]] = []
        self._calls: list[tuple[Any, ...]] = []
        try:
            for leftover in folder.glob("rows.sqlite*"):
                # On file systems without locks, SQLite's lock is an empty folder; one of a killed process stays.
                leftover.rmdir() if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
            self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise _storage(folder, error) from error

    def add(self, order: tuple[int, int, int, int, int], row: Mapping[str, Any]) -> None:
        """Add one results row; `order` is (model, task, condition, position, repeat)."""
        self._results.append((*order, json_row(row, ("scores", "subsets"))))
        if len(self._results) >= BATCH:
            with self._trace.span("write", rows=BATCH):
                self.flush()

    def add_call(self, order: tuple[int, int, int, int, int, int], row: Mapping[str, Any]) -> None:
        """Add one row of `calls.parquet`; `order` is that of the results row and the turn."""
        self._calls.append((*order, orjson.dumps(row)))

    def add_sample(
        self, order: tuple[int, int, int], row: Mapping[str, Any], model: tuple[int, str | None] = (0, None)
    ) -> None:
        """Add one samples row unless this model has one there; models that were asked alike share a row.

        Args:
            order: (task, condition, position).
            row: columns of `samples_schema` without `models`.
            model: place and name of the model that was asked so; without a name the row holds for all models.
        """
        data = json_row(row, ("subsets",))
        digest = hashlib.blake2b(data, digest_size=16).digest()
        self._samples.append((*order, digest, data))
        self._asked.append((*order, *model, digest))

    def flush(self) -> None:
        """Move collected rows to the working file.

        Raises:
            StorageError: when the disk is full.
        """
        try:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", self._results)
            self._database.executemany("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, ?)", self._samples)
            self._database.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?, ?, ?, ?, ?)", self._asked)
            self._database.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)", self._calls)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise _storage(self.folder, error) from error
        self._results.clear()
        self._samples.clear()
        self._asked.clear()
        self._calls.clear()

    def more_than_before(self) -> bool:
        """Whether at least as many rows are here as in the results table that lies in the folder."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / "results.parquet"
        try:
            before = pq.read_metadata(path).num_rows if path.exists() else 0
        except (OSError, pa.ArrowInvalid):
            return True  # a damaged table is no loss
        self.flush()
        rows: int = self._database.execute("SELECT COUNT(*) FROM results").fetchone()[0]
        return rows >= before

    def finish(self) -> None:
        """Write `results.parquet`, `samples.parquet` and `calls.parquet` in the order of model, task, condition, position, repeat.

        There is no `calls.parquet` where no row made more than one call.

        Raises:
            StorageError: when they cannot be written; an older table stays as it was.
        """
        with self._trace.span("write", tables=True):
            self.flush()
            with little_memory():
                self._write_tables()

    def _write_tables(self) -> None:
        try:
            query = "SELECT row, position FROM results ORDER BY model, task, condition, position, repeat"
            rows = (self._placed(data, position) for data, position in self._database.execute(query))
            _write_table(self.folder / "results.parquet", self._schema(results_schema()), rows)
            _write_table(self.folder / "samples.parquet", self._schema(samples_schema()), self._sample_rows())
            query = "SELECT row, position FROM calls ORDER BY model, task, condition, position, repeat, turn"
            calls = (self._placed(data, position) for data, position in self._database.execute(query))
            _write_table(self.folder / "calls.parquet", self._schema(calls_schema()), calls, optional=True)
        except (OSError, sqlite3.Error) as error:
            raise _storage(self.folder, error) from error

    def _schema(self, schema: pa.Schema) -> pa.Schema:
        return with_position(schema) if self._positions else schema

    def _placed(self, data: bytes, position: int) -> bytes:
        return _with_field(data, POSITION, position) if self._positions else data

    def _sample_rows(self) -> Iterator[bytes]:
        """Rows in the order of task, condition, position, and then of the first model that was asked so."""
        query = (
            "SELECT task, condition, position, name, digest, row FROM asked JOIN samples USING (task, condition, position, digest) "
            "ORDER BY task, condition, position, model"
        )
        for place, group in itertools.groupby(self._database.execute(query), key=lambda row: row[:3]):
            names: dict[bytes, list[str | None]] = {}
            rows: dict[bytes, bytes] = {}
            for *_, name, digest, data in group:
                names.setdefault(digest, []).append(name)
                rows[digest] = data
            for digest, models in names.items():
                yield _with_field(self._placed(rows[digest], place[2]), "models", None if None in models else models)

    def close(self) -> None:
        """Delete the working file and release the run."""
        self._database.close()
        self._path.unlink(missing_ok=True)
        self._lock.close()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def lock_folder(folder: Path) -> TextIO:
    """Make the folder, with one for media, and keep every other process out until the file is closed.

    Raises:
        UsageError: when another process writes there.
        StorageError: when it cannot be written.
    """
    try:
        (folder / "media").mkdir(parents=True, exist_ok=True)
        lock = open_lock(folder / ".lock")
    except OSError as error:
        raise _storage(folder, error) from error
    try:
        _lock_alone(lock)
    except OSError as error:
        lock.close()
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise StorageError(
                f"run folder {folder} cannot be locked: {error.strerror or error} (its file system has no locks)",
                remedy="give a folder on a local disk with -o, and copy it afterwards",
            ) from error
        raise UsageError(
            f"another mmeval process is writing {folder}", remedy="wait for it, or give another folder with -o"
        ) from error
    return lock


def _lock_alone(handle: TextIO) -> None:
    """Lock a file against every other process, without waiting. POSIX locks where the file system knows no `flock`.

    Raises:
        OSError: EAGAIN or EACCES when another process holds it; something else when the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _with_field(row: bytes, name: str, value: Any) -> bytes:
    """A row of JSON with one field more."""
    return row[:-1] + b"," + orjson.dumps({name: value})[1:]


def _write_table(path: Path, schema: pa.Schema, rows: Iterable[bytes], optional: bool = False) -> None:
    with TableWriter(path, schema, optional) as table:
        table.add_json(rows)


def _storage(folder: Path, error: Exception) -> StorageError:
    if short := shortage_error(error):
        return short
    if reason := obstacle(folder):
        return StorageError(f"run folder {folder} cannot be written: {reason}", remedy="give another folder with -o")
    text = getattr(error, "strerror", None) or str(error)
    if name := getattr(error, "filename", None):
        text = f"{text}: {name}"
    return StorageError(
        f"run folder {folder} cannot be written: {text}",
        remedy="free some space or give another folder with -o, then run the same command again; every committed answer is kept",
    )
