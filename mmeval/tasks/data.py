"""Rows of a data set: local files in the benchmark's own layout, or the Hugging Face hub. Streamed wherever the format allows."""

from __future__ import annotations

import base64
import binascii
import csv
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError, MediaError, MmevalError
from mmeval.core.types import Media
from mmeval.tasks.card import Dataset, HubSource, LocalSource

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD")
"""How a PNG, JPEG, WebP or GIF begins in base64, so that a very small picture is not taken for a path."""
PARQUET_BUFFER = 1 << 20
"""Bytes read from a parquet file at once."""
FORMATS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


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


def open_dataset(dataset: Dataset, task: str, data_dir: Path | None) -> Source:
    """Open the rows of a card.

    Local files below `data_dir` win over the hub; without `data_dir` the hub (or its local cache) is asked.

    Raises:
        DataError: when neither has the data, saying what was looked for and what to do.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise DataError(f"--data-dir {data_dir}: no such folder", remedy="give the folder that holds the data set")
    if data_dir is not None:
        if dataset.local is not None:
            found = find_local_files(dataset.local, task, data_dir)
            if found:
                return _filtered(_local_source(found, dataset.local), dataset)
        if dataset.hub is not None:
            folder = _hub_copy(dataset.hub, task, data_dir)
            if folder is not None:
                return _filtered(_hub_source(dataset.hub, str(folder), revision=None), dataset)
        if dataset.hub is None or dataset.local is not None:
            patterns = ", ".join(dataset.local.files) if dataset.local else ""
            raise DataError(
                f"task {task}: no file that matches {patterns} in {data_dir / task} or {data_dir}",
                remedy="put the benchmark's files there in their own layout (mmeval tasks show names it)",
            )
    if dataset.hub is None:
        patterns = ", ".join(dataset.local.files) if dataset.local else ""
        raise DataError(
            f"task {task} reads local files ({patterns})", remedy="add --data-dir DIR with the benchmark's files"
        )
    return _filtered(_hub_source(dataset.hub, dataset.hub.id, dataset.hub.revision), dataset)


def find_local_files(local: LocalSource, task: str, data_dir: Path) -> list[Path]:
    """Return the files of the first pattern that matches below DIR/<task> or DIR, sorted by path."""
    folders = [data_dir / task, data_dir / task.rsplit("/", 1)[-1], data_dir]
    for folder in dict.fromkeys(folders):
        for pattern in local.files:
            matches = sorted(path for path in folder.glob(pattern) if path.is_file())
            if matches:
                return matches
    return []


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Stream the rows of one file as dictionaries; a JSON object of objects gives its key as column `_key`.

    Raises:
        DataError: naming the file and the line that cannot be read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet_rows(path)
        elif suffix in {".jsonl", ".ndjson"}:
            yield from _json_lines(path)
        elif suffix == ".json":
            yield from _json_rows(path)
        elif suffix in {".csv", ".tsv"}:
            yield from _delimited_rows(path, "\t" if suffix == ".tsv" else ",")
        else:
            raise DataError(f"{path}: unknown data format {suffix!r}", remedy=f"mmeval reads {', '.join(FORMATS)}")
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}", remedy="check the file and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}", remedy="save the file as UTF-8") from error


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Buffering ahead would keep the whole file in memory, images and all.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=PARQUET_BUFFER) as file:
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_size=64, row_groups=[group]):
                    yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: not JSON: {error}", remedy="correct or remove the line"
                ) from error
            if not isinstance(value, dict):
                raise DataError(
                    f"{path}, line {number}: one JSON object per line is expected", remedy="correct the line"
                )
            yield value


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        # Several benchmarks ship JSON lines under the suffix .json.
        if data.lstrip().startswith(b"{") and b"\n" in data.strip():
            yield from _json_lines(path)
            return
        raise DataError(f"{path}: not JSON: {error}", remedy="download the file again") from error
    if isinstance(value, dict) and value and all(isinstance(entry, dict) for entry in value.values()):
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


def _delimited_rows(path: Path, delimiter: str) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, delimiter=delimiter)
        try:
            for row in reader:
                if None in row:
                    raise DataError(
                        f"{path}, line {reader.line_num}: more cells than the {len(reader.fieldnames or ())} columns",
                        remedy="quote cells that hold the delimiter",
                    )
                yield dict(row)
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}", remedy="correct the line") from error


def _local_source(files: Sequence[Path], local: LocalSource) -> Source:
    def rows() -> Iterator[Row]:
        position = 0
        for path in files:
            root = (path.parent / local.image_root).resolve()
            for number, values in enumerate(read_rows(path), 1):
                yield Row(position, values, f"{path}, row {number}", root)
                position += 1

    total = None
    if all(path.suffix.lower() == ".parquet" for path in files):
        total = sum(_parquet_length(path) for path in files)
    described = [{"file": path.name, "bytes": path.stat().st_size} for path in files]
    return Source({"kind": "local", "files": described[:50], "file_count": len(files)}, rows, total)


def _parquet_length(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error


def _hub_copy(hub: HubSource, task: str, data_dir: Path) -> Path | None:
    for folder in (data_dir / hub.id, data_dir / hub.id.rsplit("/", 1)[-1], data_dir / task):
        if folder.is_dir() and any(folder.rglob("*.parquet")):
            return folder
    # Not any depth: the folder may hold other data sets in folders of their own.
    here = any(data_dir.glob("*.parquet")) or any(data_dir.glob("data/*.parquet"))
    return data_dir if here else None


def _hub_source(hub: HubSource, path: str, revision: str | None) -> Source:
    """Open through `datasets`, with images left as encoded bytes and no remote code."""
    import datasets

    try:
        loaded = datasets.load_dataset(path, hub.config, split=hub.split, revision=revision, streaming=True)
    except Exception as error:  # `datasets` raises many kinds for a hub that cannot be reached
        raise DataError(
            f"data set {hub.id} ({hub.split}) cannot be loaded: {type(error).__name__}: {error}".splitlines()[0],
            remedy="connect to the hub once (it is cached), or add --data-dir DIR with a copy of the data set",
        ) from error
    loaded = _undecoded(loaded, datasets)

    def rows() -> Iterator[Row]:
        position = -1
        try:
            for position, values in enumerate(loaded):
                yield Row(position, values, f"{hub.id}[{hub.split}], row {position}", None)
        except (GeneratorExit, MmevalError):
            raise
        except Exception as error:  # as above: a connection that breaks off, a damaged file
            raise DataError(
                f"data set {hub.id} ({hub.split}) cannot be read after row {position}: {type(error).__name__}: {error}",
                remedy="run the same command again, or add --data-dir DIR with a copy of the data set",
            ) from error

    total = None
    if loaded.info.splits and hub.split in loaded.info.splits:
        total = loaded.info.splits[hub.split].num_examples or None
    return Source(
        {"kind": "hub", "id": hub.id, "config": hub.config, "split": hub.split, "revision": revision}, rows, total
    )


def _undecoded(loaded: Any, datasets: Any) -> Any:
    """Leave images encoded: the original bytes go to the engine, and decoding is the harness's own, validated step."""
    plain = datasets.Image(decode=False)
    for name, feature in (loaded.features or {}).items():
        inner = getattr(feature, "feature", None)  # of Sequence, and of List since datasets 4
        if isinstance(feature, datasets.Image):
            loaded = loaded.cast_column(name, plain)
        elif isinstance(inner, datasets.Image):
            loaded = loaded.cast_column(name, type(feature)(plain))
        elif isinstance(feature, list) and isinstance(feature[0], datasets.Image):
            loaded = loaded.cast_column(name, [plain])
    return loaded


def _filtered(source: Source, dataset: Dataset) -> Source:
    if not dataset.where:
        return source

    def rows() -> Iterator[Row]:
        for row in source.rows():
            for column, values in dataset.where.items():
                if column not in row.values:
                    raise missing_column(column, row)
                if row.values[column] not in values:
                    break
            else:
                yield row

    return Source(source.describe, rows, None)


def missing_column(column: str, row: Row) -> DataError:
    """The error for a column that the card names and the row lacks."""
    return DataError(
        f"{row.place}: column {column!r} is missing",
        remedy=f"the row has {', '.join(sorted(row.values))}; the data set's revision may differ from the card's",
    )


def lookup(column: str, row: Row) -> Any:
    """Return the value at a column name or dotted path.

    Raises:
        DataError: when it is not there.
    """
    if column in row.values:
        return row.values[column]
    value: Any = row.values
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise missing_column(column, row)
        value = value[part]
    return value


def media_from_cell(cell: Any, row: Row, column: str) -> list[Media]:
    """Turn an image cell (encoded bytes, {bytes, path}, path, base64, or a list of these) into media; empty cells give none.

    Raises:
        DataError: for a cell of another form, or a relative path that leaves the data folder.
    """
    name = f"{row.place}, column {column}"
    if cell is None or cell == "":
        return []
    if isinstance(cell, (list, tuple)):
        return [media for entry in cell for media in media_from_cell(entry, row, column)]
    if isinstance(cell, (bytes, bytearray)):
        return [Media("image", data=bytes(cell), name=name)]
    if isinstance(cell, Mapping):
        if cell.get("bytes"):
            return [Media("image", data=bytes(cell["bytes"]), name=name)]
        if cell.get("path"):
            return media_from_cell(str(cell["path"]), row, column)
        return []
    if isinstance(cell, str):
        if len(cell) > 1024 or cell.startswith("data:image") or (len(cell) > 40 and cell.startswith(_BASE64_STARTS)):
            return [Media("image", loader=partial(_decode_base64, cell, name), name=name)]
        path = _inside(cell, row)
        return [Media("image", path=path, name=str(path))]
    raise DataError(
        f"{name}: a cell of type {type(cell).__name__} is no image",
        remedy="name the right column in the card's fields.images",
    )


def _decode_base64(cell: str, name: str) -> bytes:
    payload = cell.partition(",")[2] if cell.startswith("data:") else cell
    try:
        return base64.b64decode(payload, validate=False)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"{name}: not base64: {error}") from error


def _inside(cell: str, row: Row) -> Path:
    root = row.image_root
    if root is None:
        return Path(cell)
    # By name only: a folder of links to files elsewhere (the hub's own cache is one) is inside.
    path = Path(os.path.normpath(root / cell))
    if not path.is_relative_to(root) and not Path(cell).is_absolute():
        raise DataError(f"{row.place}: image path {cell!r} leaves the data folder", remedy="correct the path")
    return path
