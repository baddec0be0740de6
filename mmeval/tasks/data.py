"""Rows and the file formats they are read from, streamed wherever the format allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError, nearest
from mmeval.core.json_keys import repeated_key
from mmeval.tasks.delimited import DelimitedFile
from mmeval.tasks.parquet_files import parquet_rows

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DELIMITED = (".csv", ".tsv")
FORMATS = (".json", ".jsonl", ".ndjson", *DELIMITED, ".parquet")


@dataclass(frozen=True, slots=True)
class Row:
    """One raw row and where it came from."""

    position: int
    """0-based position in the data set."""
    values: Mapping[str, Any]
    place: str
    """File and row for messages."""
    image_root: Path | None = None
    """Folder of relative image paths."""
    other_roots: tuple[Path, ...] = ()
    """Where relative image paths are looked for that `image_root` does not have."""
    owner: Callable[[str], Any] | None = None
    """Returns the image cell of the row with an index, in files whose rows may name another row's image; None: no such row."""
    problem: DataError | None = None
    """Why this row cannot be read; the others can. `values` then holds its id alone."""


@dataclass(frozen=True, slots=True)
class Source:
    """An opened data set."""

    describe: Mapping[str, Any]
    """For the manifest: kind, files with sizes or hub id and revision."""
    rows: Callable[[], Iterator[Row]]
    """Starts a fresh pass over the rows."""
    total: int | None
    """Number of rows where it is known without reading them."""
    fetch: Callable[[int], Row] | None = None
    """Reads one row by position, where the source can; a source with it may have no end."""
    glance: Callable[[Container[int], Collection[str] | None], Iterator[Row]] | None = None
    """A fresh pass in which only the rows at these positions need all columns; others may lack those of bytes and, where columns are named, all but these."""

    def passing(self, wanted: Container[int], columns: Collection[str] | None = None) -> Iterator[Row]:
        """Start a fresh pass over all rows, of which only the wanted ones need to be complete; the others need these columns."""
        return self.rows() if self.glance is None else self.glance(wanted, columns)


def read_rows(
    path: Path,
    strict: bool = False,
    wanted: Container[int] | None = None,
    first: int = 0,
    columns: Collection[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Stream the rows of one file as dictionaries; a JSON object of objects gives its key as column `_key`.

    Args:
        path: the file.
        strict: whether NaN and Infinity in JSON are errors; else they are null.
        wanted: positions of the rows that are needed in full (see `parquet_rows`); None means all.
        first: position of the file's first row.
        columns: what the other rows need (see `parquet_rows`); None means all.

    Raises:
        DataError: naming the file and the line that cannot be read.
    """
    suffix = path.suffix.lower()
    with unreadable(path):
        if suffix == ".parquet":
            yield from parquet_rows(path, wanted, first, columns)
        elif suffix in {".jsonl", ".ndjson"}:
            yield from _json_lines(path, strict)
        elif suffix == ".json":
            yield from _json_rows(path, strict)
        elif suffix in DELIMITED:
            yield from DelimitedFile(path).rows()
        else:
            path.stat()  # a name that is mistyped is no matter of formats
            raise DataError(f"{path}: unknown data format {suffix!r}", remedy=f"mmeval reads {', '.join(FORMATS)}")


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to read a file into an error that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}", remedy="check the file and its permissions"
        ) from error


def _loads(data: bytes, strict: bool) -> Any:
    """Read JSON in which, unless it is strict, NaN and Infinity may stand, as Python's own writer leaves them for missing scores; they are null.

    Raises:
        ValueError: for anything else that is no JSON.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        if strict or (b"NaN" not in data and b"Infinity" not in data):
            raise
        with suppress(ValueError):
            return _exact(data)
        raise
    return _exact(data) if _lost_digits(value) else value


def _lost_digits(value: Any) -> bool:
    """Whether a number may be a whole one beyond 64 bits, of which orjson makes the nearest float."""
    waiting = [value]
    while waiting:  # no recursion: a parser of C goes deeper than Python's stack
        entry = waiting.pop()
        if isinstance(entry, float):
            if not -(2.0**63) < entry < 2.0**63:
                return True
        elif isinstance(entry, (dict, list)):
            waiting.extend(entry.values() if isinstance(entry, dict) else entry)
    return False


def _exact(data: bytes) -> Any:
    """Read JSON with NaN and Infinity as null, and whole numbers beyond 64 bits as text: two ids are never one, and no gold answer loses digits."""

    def whole(digits: str) -> int | str:
        return int(digits) if len(digits) < 19 or -(2**63) <= int(digits[:40]) < 2**64 else digits

    try:
        return json.loads(data.decode("utf-8"), parse_constant=lambda _: None, parse_int=whole)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_repeated(line: bytes, value: dict[str, Any], path: Path, number: int) -> None:
    """Refuse a row with a key that stands twice; the few that seem to are looked at closely."""
    if all(line.count(orjson.dumps(key)) == 1 for key in value):
        return
    try:
        twice = repeated_key(line)
    except DataError as error:
        raise DataError(f"{path}, line {number}: {error.message}", remedy=error.remedy) from error
    if twice is not None:
        raise DataError(f"{path}, line {number}: the key {twice!r} is there twice", remedy="keep one of the two")


def _json_lines(path: Path, strict: bool) -> Iterator[dict[str, Any]]:
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.strip():
                continue
            try:
                value = _loads(line, strict)
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}: not JSON: {error}", remedy="correct or remove the line"
                ) from error
            if not isinstance(value, dict):
                raise DataError(
                    f"{path}, line {number}: one JSON object per line is expected", remedy="correct the line"
                )
            _refuse_repeated(line, value, path, number)
            yield value


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        DataError: when it cannot be read, or is no JSON.
    """
    with unreadable(path):
        data = path.read_bytes()
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy="download the file again") from error


def _json_rows(path: Path, strict: bool) -> Iterator[dict[str, Any]]:
    data = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    try:
        value = _loads(data, strict)
    except ValueError as error:
        # Several benchmarks ship JSON lines under the suffix .json.
        if data.lstrip().startswith(b"{") and b"\n" in data.strip():
            yield from _json_lines(path, strict)
            return
        raise DataError(f"{path}: not JSON: {error}", remedy="download the file again") from error
    if isinstance(value, dict) and value and all(isinstance(entry, dict) for entry in value.values()):
        twice = repeated_key(data)
        if twice is not None:
            raise DataError(f"{path}: the key {twice!r} is there twice", remedy="keep one row of each key")
        for key, entry in value.items():
            yield {"_key": key, **entry}
    elif isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        yield from value
    elif isinstance(value, dict):
        yield value
    else:
        raise DataError(
            f"{path}: a list of objects, or an object of objects, is expected",
            remedy="see `mmeval tasks show` for the layout",
        )


class MissingColumn(DataError):
    """A column that the card names and a row lacks."""


def missing_column(column: str, row: Row, key: str = "") -> MissingColumn:
    """The error for a column that the card names (under `key`) and the row lacks."""
    close = nearest(column, map(str, row.values))
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return MissingColumn(
        f"{row.place}: column {column!r} is missing{f' (the card names it in {key})' if key else ''}",
        remedy=f"{hint}the row has {', '.join(sorted(map(str, row.values)))}; the data set's revision may differ from the card's",
    )


def lookup(column: str, row: Row, key: str = "") -> Any:
    """Return the value at a column name or dotted path.

    Args:
        column: the name, or a path into nested values.
        row: the row.
        key: the card's key that names the column, for the message.

    Raises:
        MissingColumn: when it is not there.
    """
    if column in row.values:
        return row.values[column]
    value: Any = row.values
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise missing_column(column, row, key)
        value = value[part]
    return value
