"""Content hashes of files, memoised by device, inode, size, mtime and ctime, so that an unchanged file is read once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from mmeval.core.files import open_regular

_LOG = logging.getLogger(__name__)

MEMO_LIMIT = 20_000
"""Entries kept in the memo of hashes."""
BLOCKS, BLOCK = 64, 256 << 10
"""Blocks, and bytes of each, that stand for a large file."""
SETTLED_S = 2.0
"""A file changed less than this ago is hashed but not memoised: a second change could carry the same time stamp."""


def memo_path() -> Path:
    """The file of memoised hashes in the user's cache folder."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "mmeval" / "hashes.json"


def hash_files(files: Mapping[str, Path], memo: Path | None = None) -> dict[str, str]:
    """Return the SHA-256 of each file under the name that `files` gives it.

    Args:
        files: name -> path.
        memo: the memo file; the user's own when None.

    Raises:
        OSError: with `filename` set, for a file that cannot be read.
    """
    place = memo or memo_path()
    known = _load_memo(place)
    fresh: dict[str, str] = {}
    found = {name: _hash_file(path, known, fresh) for name, path in files.items()}
    if fresh:
        _store_memo(place, {**known, **fresh})
    return found


def sample_hash(path: Path) -> str:
    """Return the SHA-256 of a file's size and of blocks of it: its first, its last, and others evenly between.

    It takes the same short time for a file of any size. An edit that leaves the size and these blocks as they are is not seen;
    in a parquet file, whose last block says where each column chunk lies, that is one within a chunk that keeps its length.

    Raises:
        OSError: with `filename` set, for a file that cannot be read.
    """
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            found = hashlib.sha256(str(size).encode())
            last = max(size - BLOCK, 0)
            for number in range(BLOCKS):
                stream.seek(last * number // (BLOCKS - 1))
                found.update(stream.read(BLOCK))
    except OSError as error:
        error.filename = str(path)
        raise
    return found.hexdigest()


def _hash_file(path: Path, known: Mapping[str, str], fresh: dict[str, str]) -> str:
    try:
        with open_regular(path) as stream:
            before = _stamp(os.fstat(stream.fileno()))
            if before in known:
                return known[before]
            found = hashlib.file_digest(stream, "sha256").hexdigest()
            state = os.fstat(stream.fileno())
    except OSError as error:
        error.filename = str(path)  # a failed read says nothing of its file
        raise
    settled = time.time() - max(state.st_mtime, state.st_ctime) > SETTLED_S
    if settled and _stamp(state) == before:
        fresh[before] = found
    return found


def _stamp(state: os.stat_result) -> str:
    return f"{state.st_dev}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"


def _load_memo(place: Path) -> dict[str, str]:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _LOG.warning("the memo of hashes %s is not usable and is made anew: %s", place, error)
        return {}
    return found if isinstance(found, dict) else {}


def _store_memo(place: Path, entries: Mapping[str, str]) -> None:
    kept = dict(list(entries.items())[-MEMO_LIMIT:])
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".hashes-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(kept, stream)
            os.replace(name, place)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        # Only speed is lost: the next run hashes the files again.
        _LOG.warning("the memo of hashes %s cannot be written: %s", place, error)
