"""Copying the sound answers out of a damaged cache. The damaged file stays as it is.

What SQLite can still read comes first. Then every page of the file and of its log is looked at by itself, without the tree that
should lead to it (format: https://www.sqlite.org/fileformat2.html, "B-tree Pages", "Record Format" and "The Write-Ahead Log").
An entry counts when its checksum fits, so nothing is made up from garbage.
"""

from __future__ import annotations

import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from mmeval.core.errors import StorageError, UsageError
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_rows import StoredAnswer

PAGE_SIZE = 4096
"""SQLite's default, which every cache has."""
LARGEST_ENTRY = 1 << 30
_LEAF, _INTERIOR = 10, 2
"""Kinds of pages that hold the entries of a table without row ids."""
_COLUMNS = 6
_FRAME_HEADER, _LOG_HEADER = 24, 32


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came out of a damaged cache."""

    kept: int
    """Answers whose checksum fits; they are in the new cache."""
    damaged: int
    """Entries that were read and whose checksum does not fit."""
    complete: bool
    """Whether SQLite could read the whole table."""


def salvage(source: Path, target: Path) -> Salvaged:
    """Copy every answer whose checksum fits into a new cache.

    A copy is read, so that SQLite's own repairs of the log do not touch the original. Verdicts on images are left behind:
    they are found again.

    Raises:
        UsageError: when the target is there already.
        StorageError: when nothing can be read, or the target cannot be written.
    """
    if source.exists() and not source.is_file():
        raise StorageError(f"cache {source} is no ordinary file", remedy="move it away; answers are asked again")
    if target.exists():
        raise UsageError(f"{target} is there already", remedy="name a file that does not exist with -o")
    with ResponseCache(target):
        pass  # makes the tables, or says why it cannot
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".salvage-") as folder:
            copy = Path(folder) / "cache.sqlite"
            for suffix in ("", "-wal", "-journal"):
                part = source.with_name(source.name + suffix)
                if part.is_file():
                    shutil.copyfile(part, copy.with_name(copy.name + suffix))
            found = _copy_rows(copy, source, target)
    except (sqlite3.Error, OSError) as error:
        _remove(target)
        raise StorageError(
            f"nothing can be read from cache {source}: {error}", remedy="move it away; answers are asked again"
        ) from error
    if not found.kept:
        _remove(target)
        raise StorageError(
            f"cache {source} holds no sound answer any more", remedy="move it away; answers are asked again"
        )
    return found


def _remove(target: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


def _copy_rows(copy: Path, source: Path, target: Path) -> Salvaged:
    """Write the sound rows; SQLite reads the copy (and may repair its log), single pages are taken from the original."""
    writer = sqlite3.connect(target, isolation_level=None)
    kept = damaged = 0
    complete = True
    try:
        writer.execute("PRAGMA synchronous = FULL")
        writer.execute("BEGIN IMMEDIATE")
        for row in _readable(copy):
            sound = None if row is None else _sound(row)
            complete &= row is not None
            damaged += row is not None and sound is None
            if sound is not None:
                kept += _insert(writer, sound)
        with _Pages(source) as pages:
            for row in pages.rows():
                sound = _sound(row)
                if sound is not None:
                    kept += _insert(writer, sound)
        writer.execute("COMMIT")
    finally:
        writer.close()
    return Salvaged(kept, damaged, complete)


def _insert(writer: sqlite3.Connection, answer: StoredAnswer) -> int:
    return writer.execute("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?)", answer.row).rowcount


def _readable(path: Path) -> Iterator[tuple[Any, ...] | None]:
    """Yield the rows that SQLite reads, and None where it cannot go on."""
    reader = sqlite3.connect(path, isolation_level=None)
    reader.text_factory = bytes  # damaged text is no reason to stop
    try:
        yield from reader.execute("SELECT key, created, engine, model, response, checksum FROM responses")
    except (sqlite3.Error, UnicodeDecodeError, OverflowError):
        yield None
    finally:
        reader.close()


class _Pages:
    """The pages of a database file and of its log, one by one; use as a context."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        log = path.with_name(path.name + "-wal")
        self._log: BinaryIO | None = log.open("rb") if log.is_file() else None
        self._frames = self._read_frames()
        self._count = path.stat().st_size // PAGE_SIZE

    def __enter__(self) -> _Pages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._log is not None:
            self._log.close()

    def _read_frames(self) -> list[tuple[int, int]]:
        """(page number, offset) of every frame of the log, the latest first."""
        frames: list[tuple[int, int]] = []
        if self._log is None:
            return frames
        offset = _LOG_HEADER
        while True:
            self._log.seek(offset)
            head = self._log.read(_FRAME_HEADER)
            if len(head) < _FRAME_HEADER:
                return frames[::-1]
            frames.append((int.from_bytes(head[:4], "big"), offset + _FRAME_HEADER))
            offset += _FRAME_HEADER + PAGE_SIZE

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield every record that has the shape of an entry, sound or not."""
        for _, offset in self._frames:
            assert self._log is not None
            yield from self._entries(_at(self._log, offset))
        for number in range(1, self._count + 1):
            yield from self._entries(_at(self._file, (number - 1) * PAGE_SIZE))

    def _entries(self, page: bytes) -> Iterator[tuple[Any, ...]]:
        if len(page) < PAGE_SIZE or page[0] not in (_LEAF, _INTERIOR):
            return
        first = 8 if page[0] == _LEAF else 12
        count = min(int.from_bytes(page[3:5], "big"), (PAGE_SIZE - first) // 2)
        for place in range(count):
            start = int.from_bytes(page[first + 2 * place : first + 2 * place + 2], "big")
            try:
                record = self._payload(page, start if page[0] == _LEAF else start + 4)
                row = _fields(record)
            except (IndexError, ValueError, struct.error):
                continue  # this cell is damaged; its neighbours need not be
            if row is not None:
                yield row

    def _payload(self, page: bytes, start: int) -> bytes:
        """The record of a cell, with what lies on overflow pages."""
        size, start = _varint(page, start)
        if size > LARGEST_ENTRY:
            raise ValueError("no entry is so large")
        most, least = (PAGE_SIZE - 12) * 64 // 255 - 23, (PAGE_SIZE - 12) * 32 // 255 - 23
        if size <= most:
            return page[start : start + size]
        local = least + (size - least) % (PAGE_SIZE - 4)
        local = local if local <= most else least
        parts, following = [page[start : start + local]], int.from_bytes(page[start + local : start + local + 4], "big")
        missing = size - local
        while missing > 0:
            overflow = self._page(following)
            if len(overflow) < PAGE_SIZE:
                raise ValueError("an overflow page is missing")
            parts.append(overflow[4 : 4 + missing])
            missing -= len(parts[-1])
            following = int.from_bytes(overflow[:4], "big")
        return b"".join(parts)

    def _page(self, number: int) -> bytes:
        for known, offset in self._frames:
            if known == number:
                assert self._log is not None
                return _at(self._log, offset)
        return _at(self._file, (number - 1) * PAGE_SIZE) if 1 <= number <= self._count else b""


def _at(handle: BinaryIO, offset: int) -> bytes:
    handle.seek(offset)
    return handle.read(PAGE_SIZE)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of SQLite's variable length, and the place behind it."""
    value = 0
    for count in range(9):
        byte = data[place + count]
        if count == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("unreachable")


def _fields(record: bytes) -> tuple[Any, ...] | None:
    """The six columns of an entry (texts as bytes), or None for another kind of record."""
    end, place = _varint(record, 0)
    kinds = []
    while place < end:
        kind, place = _varint(record, place)
        kinds.append(kind)
    if (
        len(kinds) != _COLUMNS
        or place != end
        or kinds[1] != 7
        or any(kind < 12 for n, kind in enumerate(kinds) if n != 1)
    ):
        return None
    fields: list[Any] = []
    for number, kind in enumerate(kinds):
        size = 8 if number == 1 else (kind - 12) // 2
        cell = record[place : place + size]
        fields.append(struct.unpack(">d", cell)[0] if number == 1 else cell)
        place += size
    return tuple(fields)


def _sound(row: tuple[Any, ...]) -> StoredAnswer | None:
    """The answer in a row, or None when it is not what was written."""
    key, created, engine, model, response, expected = row
    texts = [key, engine, model]
    if not all(isinstance(text, bytes) for text in [*texts, response]) or not isinstance(created, float):
        return None
    try:
        answer = StoredAnswer(key.decode(), created, engine.decode(), model.decode(), response, expected)
    except UnicodeDecodeError:
        return None
    return answer if answer.sound else None
