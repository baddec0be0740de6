"""Pieces of the report's records on disk while they are put together, so that memory does not grow with the answers."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

from mmeval.core.errors import StorageError

_SCHEMA = """
CREATE TABLE pieces (record INT, number INT, data BLOB, PRIMARY KEY (record, number)) WITHOUT ROWID;
CREATE TABLE texts (record INTEGER PRIMARY KEY, data BLOB, brief BLOB);
"""
BATCH = 512
_CACHE_KIB = 16 * 1024
"""Pages that SQLite keeps in memory; what is beyond goes into a temporary file that it deletes by itself."""


class Spool:
    """A temporary store of JSON pieces by record, and of the finished texts.

    Raises (from every method):
        StorageError: when the disk of temporary files is full.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, bytes]] = []
        self._number = 0
        self._database = sqlite3.connect("", isolation_level=None)  # SQLite's own temporary file
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.executescript(_SCHEMA)

    def add(self, record: int, piece: dict[str, Any]) -> None:
        """Keep one piece; pieces of a record come back in the order in which they came."""
        self._number += 1
        self._waiting.append((record, self._number, orjson.dumps(piece)))
        if len(self._waiting) >= BATCH:
            self._flush()

    def pieces(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield every record with its pieces, in the order of the records."""
        self._flush()
        rows = self._database.execute("SELECT record, data FROM pieces ORDER BY record, number")
        for record, group in itertools.groupby(rows, key=lambda row: row[0]):
            yield record, [orjson.loads(data) for _, data in group]

    def put_text(self, record: int, data: dict[str, Any], brief: list[Any]) -> int:
        """Keep a finished record as JSON text beside what is needed to find it, and return the text's length in bytes."""
        text = orjson.dumps(data)
        self._execute("INSERT INTO texts VALUES (?, ?, ?)", [(record, text, orjson.dumps(brief))])
        return len(text)

    def drop_pieces(self) -> None:
        """Make room: the texts are all that is needed from here on."""
        self._database.execute("DROP TABLE pieces")

    def text(self, record: int) -> bytes:
        """Return a finished record."""
        return self._one("data", record)

    def brief(self, record: int) -> list[Any]:
        """Return what is needed to find a finished record."""
        found: list[Any] = orjson.loads(self._one("brief", record))
        return found

    def _one(self, column: str, record: int) -> bytes:
        found: bytes = self._database.execute(f"SELECT {column} FROM texts WHERE record = ?", (record,)).fetchone()[0]
        return found

    def _flush(self) -> None:
        self._execute("INSERT INTO pieces VALUES (?, ?, ?)", self._waiting)
        self._waiting.clear()

    def _execute(self, statement: str, rows: list[Any]) -> None:
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise StorageError(
                f"the report needs a temporary file, which cannot be written: {error}",
                remedy="free some space where temporary files go, or name another folder in TMPDIR",
            ) from error
