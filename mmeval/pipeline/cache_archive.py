"""Carrying answers from one cache to another: archives of JSON lines with checksums, and other caches' files."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from mmeval.core.errors import DataError, StorageError
from mmeval.core.files import create
from mmeval.core.types import Response
from mmeval.pipeline.cache import KEPT_STATUS, ResponseCache
from mmeval.pipeline.cache_rows import StoredAnswer

FORMAT = "mmeval answers"
VERSION = 1
LONGEST_LINE = 256 * 1024 * 1024
"""Bytes of one line; a longer one is no answer."""
BATCH = 512
_KEY = re.compile(r"[0-9a-f]{64}")
_RESPONSE = TypeAdapter(Response)


@dataclass(slots=True)
class Taken:
    """What became of answers that came from elsewhere."""

    added: int = 0
    known: int = 0
    """The cache had the same answer."""
    different: int = 0
    """The cache had another answer under the key, and keeps it."""
    damaged: int = 0
    """Left out: their checksum does not fit."""


def write_archive(path: Path, answers: Iterable[StoredAnswer], about: dict[str, Any]) -> int:
    """Write an archive: a header, one answer per line, and a last line with count and hash of all lines before it.

    Args:
        path: the file; it appears when it is complete.
        answers: what goes in.
        about: further keys of the header.

    Returns:
        How many answers it holds.

    Raises:
        StorageError: when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    hashed = hashlib.sha256()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # No name and no time in the header, so that the same answers give the same bytes.
        with (
            create(temporary) as raw,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file,
        ):

            def write(record: dict[str, Any]) -> None:
                line = orjson.dumps(record) + b"\n"
                hashed.update(line)
                file.write(line)

            write({"format": FORMAT, "version": VERSION, **about})
            for answer in answers:
                write(
                    {
                        "key": answer.key,
                        "created": answer.created,
                        "engine": answer.engine,
                        "model": answer.model,
                        "checksum": answer.checksum.hex(),
                        "response": answer.data.decode(),
                    }
                )
                count += 1
            file.write(orjson.dumps({"answers": count, "sha256": hashed.hexdigest()}) + b"\n")
            file.flush()
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}", remedy="free some space or name another file"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_archive(path: Path) -> Iterator[StoredAnswer]:
    """Yield the answers of an archive; whoever reads to the end knows that it is complete and unharmed.

    Raises:
        DataError: no archive, cut off, changed, or with something in it that is no answer.
    """
    hashed = hashlib.sha256()
    count = -1  # the header
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(LONGEST_LINE):
                record = _record(path, count + 2, line)
                if count < 0:
                    if record.get("format") != FORMAT or record.get("version") != VERSION:
                        raise DataError(
                            f"{path} is no archive of answers of version {VERSION}",
                            remedy="write it with `mmeval cache export`",
                        )
                elif "sha256" in record:
                    if (record["sha256"], record.get("answers")) != (hashed.hexdigest(), count) or file.read(1):
                        raise _harmed(path, "its hash does not fit")
                    return
                else:
                    yield _answer(path, count + 2, record)
                hashed.update(line)
                count += 1
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise DataError(f"there is no file {path}", remedy="check the path") from error
        raise _harmed(path, str(error)) from error
    raise _harmed(path, "it ends too early")


def _harmed(path: Path, why: str) -> DataError:
    return DataError(f"archive {path} is damaged or cut off: {why}", remedy="copy or export it again")


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _harmed(path, f"line {number} is not JSON") from error
    if not isinstance(record, dict):
        raise _harmed(path, f"line {number} is no object")
    return record


def _answer(path: Path, number: int, record: dict[str, Any]) -> StoredAnswer:
    try:
        key, created, data = record["key"], record["created"], record["response"]
        texts = [record["engine"], record["model"], key, data]
        if not all(isinstance(text, str) for text in texts) or not _KEY.fullmatch(key):
            raise ValueError("a text is expected")
        answer = StoredAnswer(
            key, float(created), record["engine"], record["model"], data.encode(), bytes.fromhex(record["checksum"])
        )
        response = _RESPONSE.validate_json(answer.data, strict=True)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise _harmed(path, f"line {number} is no answer") from error
    if not answer.sound or response.status not in KEPT_STATUS:
        raise _harmed(path, f"the answer in line {number} does not fit its checksum, or is none that is kept")
    return answer


def import_archive(cache: ResponseCache, path: Path) -> Taken:
    """Take the answers of an archive into a cache: all of them or, when the archive is harmed, none.

    Raises:
        DataError: see `read_archive`.
        StorageError: when the cache cannot be written.
    """
    for _ in read_archive(path):  # a first pass, so that nothing of a harmed archive comes in
        pass
    return take(cache, read_archive(path))


def merge_cache(cache: ResponseCache, path: Path) -> Taken:
    """Take the answers of another cache; its damaged ones are left out and counted.

    Raises:
        DataError: no such file, or the cache itself.
        StorageError: one of the two cannot be read or written.
    """
    if not path.is_file():
        raise DataError(f"there is no cache at {path}", remedy="name the file of a response cache")
    if path.resolve() == cache.path.resolve():
        raise DataError(f"{path} is the cache itself", remedy="name another file, or another --cache")
    with ResponseCache(path) as other:
        return take(cache, other.answers())


def take(cache: ResponseCache, answers: Iterable[StoredAnswer]) -> Taken:
    """Add answers to a cache. What it holds already stays as it is, unless it is damaged."""
    taken = Taken()
    batch: list[StoredAnswer] = []
    for answer in answers:
        if not answer.sound:
            taken.damaged += 1
            continue
        batch.append(answer)
        if len(batch) >= BATCH:
            _put(cache, batch, taken)
            batch = []
    _put(cache, batch, taken)
    return taken


def _put(cache: ResponseCache, batch: list[StoredAnswer], taken: Taken) -> None:
    with cache.changing() as connection:
        for answer in batch:
            own = cache.find(answer.key)
            if own is None or not own.sound:
                connection.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)", answer.row)
                taken.added += 1
            elif _said(own) == _said(answer):
                taken.known += 1
            else:
                taken.different += 1


def _said(answer: StoredAnswer) -> dict[str, Any]:
    """The answer without what was measured on the way."""
    fields: dict[str, Any] = orjson.loads(answer.data)
    return {name: value for name, value in fields.items() if name != "latency_s"}
