"""The durable store of answers: SQLite, group commits, one row per request hash. A committed answer is a hit for ever after.

Several processes may write one cache: the answer that was committed first stands, and whoever comes later is handed that one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import StorageError
from mmeval.core.types import Response
from mmeval.pipeline.cache_errors import LOCK_TIMEOUT_S, salvage_remedy, storage_error
from mmeval.pipeline.cache_rescue import identity, rescue
from mmeval.pipeline.cache_rows import (
    COLUMNS,
    StoredAnswer,
    checksum_of,
    decode_response,
    encode_response,
    stored_answer,
)
from mmeval.pipeline.commit_queue import CommitQueue, Entry, Told, settle, tell
from mmeval.pipeline.media import FACTS_VERSION, ImageFacts
from mmeval.pipeline.trace import NO_TRACE, Tracer

KEPT_STATUS = frozenset({"ok", "refused", "too_long"})
"""What is permanent. A timeout or an error is asked again by the next run."""

_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""The message about a damaged database may quote its bytes, which Python's module then cannot decode."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY, created REAL NOT NULL, engine TEXT NOT NULL, model TEXT NOT NULL,
  response BLOB NOT NULL, checksum BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (sha256 TEXT PRIMARY KEY, facts BLOB NOT NULL, checksum BLOB NOT NULL) WITHOUT ROWID;
"""
_VERSION = 1
_ANSWER = "INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?)"
_REPLACED = "INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the cache holds."""

    responses: int
    images: int
    bytes: int
    by_model: Mapping[str, int]


class ResponseCache:
    """Answers by request hash. Reads come from any thread, writes go through one writer thread.

    Raises (from the constructor):
        StorageError: when the file cannot be opened, is no cache, or cannot be written.
    """

    def __init__(self, path: Path, trace: Tracer = NO_TRACE) -> None:
        self.path = path
        self._trace = trace
        self._local = threading.local()
        self._queue = CommitQueue()
        self._broken: StorageError | None = None
        self._closed = False
        self._wrote = False
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _refuse_foreign(path)
            connection = self._connect()
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("BEGIN IMMEDIATE")  # fails at once when the file cannot be written
            connection.execute("ROLLBACK")
            self._identity = identity(path)
            self._writer_connection = self._connect()  # here, because a thread could tell nobody that it failed
        except (*_FAILURES, OSError) as error:
            self._close_connections()
            raise storage_error(path, error) from error
        self._writer = threading.Thread(target=self._write_loop, name="mmeval-cache-writer", daemon=True)
        self._writer.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        if _journal_mode(connection) != "wal":
            # WAL needs shared memory, which network file systems lack.
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")
        with self._guard:
            self._connections.append(connection)
        return connection

    def _reader(self) -> sqlite3.Connection:
        if self._closed:
            raise StorageError(f"cache {self.path} is closed")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def get(self, key: str) -> Response | None:
        """Return the answer stored under a request hash; a damaged entry counts as absent and is overwritten later.

        Raises:
            StorageError: when the database itself cannot be read.
        """
        try:
            row = self._reader().execute("SELECT response, checksum FROM responses WHERE key = ?", (key,)).fetchone()
        except _FAILURES as error:
            raise storage_error(self.path, error) from error
        if row is None or checksum_of(key, row[0]) != row[1]:
            return None
        return decode_response(row[0])

    def put(self, key: str, response: Response, *, engine: str, model: str, replace: bool = False) -> Future[Response]:
        """Queue an answer. The future is done when it is committed to disk, and holds the answer that stands from then on:
        the given one, or another that was committed first (by another process that asked the same meanwhile), unless the
        caller found that one unusable and wants it to be replaced.

        Raises (through the future):
            StorageError: when it cannot be written (disk full, read-only).
        """
        future: Future[Response] = Future()
        future.set_running_or_notify_cancel()  # a commit under way cannot be called back
        refusal = self._add(key, response, engine, model, replace, future=future)
        if refusal is not None:
            settle(future, refusal)
        return future

    async def commit(self, key: str, response: Response, *, engine: str, model: str, replace: bool = False) -> Response:
        """As `put`, and wait for the commit in the event loop; all who wait for one commit are woken together.

        Raises:
            StorageError: when it cannot be written (disk full, read-only).
        """
        waiter: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        refusal = self._add(key, response, engine, model, replace, waiter=waiter)
        if refusal is not None:
            raise refusal
        return await waiter

    def _add(
        self, key: str, response: Response, engine: str, model: str, replace: bool, **waiting: Any
    ) -> StorageError | None:
        """Queue an answer for whoever is `waiting`, or say why it cannot be stored."""
        if response.status not in KEPT_STATUS:
            raise ValueError(f"a response with status {response.status!r} is not permanent and is never cached")
        if self._broken is not None:
            return self._broken
        data = encode_response(response)
        values = (key, time.time(), engine, model, data, checksum_of(key, data))
        if not self._queue.add(Entry(_REPLACED if replace else _ANSWER, values, response, **waiting)):
            return StorageError(f"cache {self.path} is closed, the answer was not stored")
        return None

    def image_facts(self, sha256: str) -> ImageFacts | None:
        """Return the verdict of an earlier validation of the same bytes."""
        try:
            key = _facts_key(sha256)
            row = self._reader().execute("SELECT facts, checksum FROM facts WHERE sha256 = ?", (key,)).fetchone()
        except _FAILURES as error:
            raise storage_error(self.path, error) from error
        # A damaged verdict would send coordinates into another frame; without one the image is looked at again.
        return ImageFacts(*orjson.loads(row[0])) if row and checksum_of(key, row[0]) == row[1] else None

    def remember_image(self, sha256: str, facts: ImageFacts) -> None:
        """Queue the verdict on an image; losing it costs one validation, so nobody waits for the commit."""
        if self._broken is None:
            key, data = _facts_key(sha256), orjson.dumps([facts.format, facts.width, facts.height, facts.plain])
            self._queue.add(Entry("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (key, data, checksum_of(key, data))))

    def stats(self) -> CacheStats:
        """Count what the cache holds.

        Raises:
            StorageError: when the database itself cannot be read.
        """
        try:
            reader = self._reader()
            by_model = dict(reader.execute("SELECT model, COUNT(*) FROM responses GROUP BY model ORDER BY model"))
            images = reader.execute("SELECT COUNT(*) FROM facts").fetchone()[0]
            size = self.path.stat().st_size
        except (*_FAILURES, OSError) as error:
            raise storage_error(self.path, error) from error
        return CacheStats(sum(by_model.values()), images, size, by_model)

    def damaged(self) -> Iterator[str]:
        """Yield the keys whose checksum does not fit, after SQLite's own integrity check.

        Raises:
            StorageError: when the database file itself is corrupt.
        """
        try:
            reader = self._reader()
            verdict = reader.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                raise StorageError(
                    f"cache {self.path} is corrupt: {' '.join(str(verdict).split())}", remedy=salvage_remedy(self.path)
                )
            for table in ("SELECT key, response, checksum FROM responses", "SELECT sha256, facts, checksum FROM facts"):
                for key, data, expected in reader.execute(table):
                    if checksum_of(key, data) != expected:
                        yield key
        except _FAILURES as error:
            raise storage_error(self.path, error) from error

    def find(self, key: str) -> StoredAnswer | None:
        """Return the row of one key as it is stored, damaged or not.

        Raises:
            StorageError: when the database itself cannot be read.
        """
        try:
            row = self._reader().execute(f"SELECT {COLUMNS} FROM responses WHERE key = ?", (key,)).fetchone()
        except _FAILURES as error:
            raise storage_error(self.path, error) from error
        return None if row is None else stored_answer(row)

    def answers(self) -> Iterator[StoredAnswer]:
        """Yield every row as it is stored, in the order of the keys.

        Raises:
            StorageError: when the database itself cannot be read.
        """
        try:
            for row in self._reader().execute(f"SELECT {COLUMNS} FROM responses ORDER BY key"):
                yield stored_answer(row)
        except _FAILURES as error:
            raise storage_error(self.path, error) from error

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the caller's own: all of it is committed, or nothing.

        Raises:
            StorageError: when it cannot be written.
        """
        try:
            connection = self._reader()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except _FAILURES as error:
            raise storage_error(self.path, error) from error

    def shrink(self) -> bool:
        """Give the space of deleted rows back to the disk; False while another process uses the cache, which reuses it."""
        try:
            connection = self._reader()
            connection.execute("PRAGMA busy_timeout = 1000")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                return False
            raise storage_error(self.path, error) from error
        return True

    def close(self) -> None:
        """Commit what is queued and close; safe to call twice."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
        self._queue.close()
        self._writer.join()
        if self._wrote and self._broken is None and identity(self.path) != self._identity:
            with suppress(*_FAILURES, OSError):  # whoever deleted it after the last commit has left nobody to be told
                rescue(self._writer_connection, self.path)
        self._close_connections()

    def _close_connections(self) -> None:
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write_loop(self) -> None:
        while batch := self._queue.batch():
            with self._trace.span("commit", entries=len(batch)):
                self._commit(self._writer_connection, batch)

    def _commit(self, connection: sqlite3.Connection, batch: list[Entry]) -> None:
        standing: list[Told | None]
        try:
            if self._broken is not None:
                raise self._broken
            connection.execute("BEGIN IMMEDIATE")
            standing = [_insert(connection, entry) for entry in batch]
            connection.execute("COMMIT")
            self._wrote = True
            if identity(self.path) != self._identity:
                self._broken = rescue(connection, self.path)
        except (*_FAILURES, OSError, StorageError) as error:
            failure = error if isinstance(error, StorageError) else storage_error(self.path, error)
            self._broken = failure
            if connection.in_transaction:
                try:
                    connection.execute("ROLLBACK")
                except sqlite3.Error:
                    failure.add_note("the transaction could not be rolled back either")
            standing = [failure] * len(batch)
        tell(batch, standing)


def _insert(connection: sqlite3.Connection, entry: Entry) -> Response | None:
    """Write an entry and return the answer that stands; a damaged one stands for nothing."""
    if connection.execute(entry.sql, entry.values).rowcount == 0:
        key, *_ = entry.values
        data, expected = connection.execute("SELECT response, checksum FROM responses WHERE key = ?", (key,)).fetchone()
        if checksum_of(key, data) == expected:
            return decode_response(data)
        connection.execute(_REPLACED, entry.values)
    return entry.response


def _facts_key(sha256: str) -> str:
    return f"{sha256}.{FACTS_VERSION}"


def _refuse_foreign(path: Path) -> None:
    """Leave somebody else's database alone: not even its journal mode is touched."""
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)
    try:
        there = list(connection.execute("SELECT type, name FROM sqlite_master"))
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(responses)")]
    finally:
        connection.close()
    tables = {name for kind, name in there if kind == "table"}
    acting = [f"{kind} {name}" for kind, name in there if kind in ("trigger", "view")]
    if acting:
        raise StorageError(
            f"{path} is no cache as mmeval makes them: it holds {', '.join(acting[:3])}, which runs when it is used",
            remedy="give another file with --cache; answers of other people are carried by `mmeval cache export` and `import`",
        )
    if "responses" in tables and version not in (0, _VERSION):
        raise StorageError(
            f"cache {path} has format {version}, this mmeval uses {_VERSION}", remedy="give another file with --cache"
        )
    if tables and columns != COLUMNS.split(", "):
        raise StorageError(
            f"{path} is a database but no response cache (it holds {', '.join(sorted(tables)[:5])})",
            remedy="give another file with --cache",
        )


def _journal_mode(connection: sqlite3.Connection) -> str:
    """Ask for WAL and return the mode in force. Two processes that open a new file at once: SQLite does not wait here by itself."""
    give_up = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
