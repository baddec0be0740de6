"""Reading a run folder."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmeval.core.arrow import text_scalar
from mmeval.core.errors import DataError, UsageError, nearest
from mmeval.core.files import read_regular, write
from mmeval.core.hashing import sha256_bytes
from mmeval.runs.manifest import Manifest, read_manifest
from mmeval.runs.schema import as_written, table_problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

BATCH = 512
"""Rows that are in memory at once while a table is streamed."""
READ_ROWS = 8192
"""Rows that are turned into cells at once while a table is read."""
_HASH = re.compile(r"[0-9a-f]{64}")
_MEDIA = re.compile(r"[0-9a-f]{64}\.(?:png|jpeg|webp)")
_NEEDED = {
    "results.parquet": ("model", "task", "protocol", "condition", "sample_id", "repeat", "outcome"),
    "samples.parquet": ("task", "protocol", "condition", "sample_id", "models", "context"),
}
"""Columns that every table of that name has; another file in its place is a damaged one."""
SHORT_TEXT = 128
"""Characters up to which equal texts (ids, hashes, labels) of all tables are one object in memory."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder on disk, optionally narrowed to one of its models."""

    path: Path
    manifest: Manifest
    model: str | None = None
    """Set when the run was addressed as `RUN#MODEL`."""

    @property
    def models(self) -> list[str]:
        """Names of the models in view, in the order of the manifest."""
        return [self.model] if self.model else [record.name for record in self.manifest.models]

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return `results.parquet` (map columns as dictionaries), narrowed to the model in view.

        Args:
            columns: names of the columns; all when None. `scores.KEY` and `subsets.KEY` are single entries of the maps
                as columns of their own, null where a row has none.

        Raises:
            DataError: when the file is missing or damaged.
        """
        wanted = columns if columns is None or "model" in columns else [*columns, "model"]
        return _read_parquet(self.path / "results.parquet", wanted, self.model)

    def samples(self) -> pd.DataFrame:
        """Return `samples.parquet`: question, choices, target, prompt messages and media of each (task, sample, condition).

        Models that were asked in different ways (a profile changes the prompt) have rows of their own, named in `models`.
        """
        return _read_parquet(self.path / "samples.parquet", None)

    def rows(
        self,
        table: Literal["results", "samples"],
        columns: Sequence[str] | None = None,
        keep: Callable[[pa.RecordBatch], Sequence[bool] | None] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Stream the rows of `results.parquet` or `samples.parquet` that concern the models in view.

        Args:
            table: which of the two.
            columns: names of the columns to read; all when None.
            keep: which rows of a batch to yield (all where it returns None); the others are never put together.

        Raises:
            DataError: when the file is missing or damaged.
        """
        own = "model" if table == "results" else "models"
        for row in _stream_parquet(self.path / f"{table}.parquet", columns and [*columns, own], keep):
            asked = row.get(own)
            if self.model is None or asked is None or self.model == asked or (own == "models" and self.model in asked):
                yield row

    def media(self, sha256: str) -> tuple[bytes, str] | None:
        """Return the bytes of one media as sent and the suffix of its file.

        None when the run was made with `--no-media`, and for a file that does not hold those bytes: whatever a folder from
        elsewhere says of its media, nothing else on this machine comes out.
        """
        if not _HASH.fullmatch(sha256):
            return None
        for suffix in ("png", "jpeg", "webp"):
            data = _as_named(self.path / "media" / f"{sha256}.{suffix}")
            if data is not None:
                return data, suffix
        return None


def open_run(address: str | Path) -> Run:
    """Open `FOLDER` or `FOLDER#MODEL`.

    Raises:
        DataError: when there is no run folder at that place.
        UsageError: when the named model is not in the run.
    """
    text = str(address)
    folder, model = split_address(text)
    manifest = read_manifest(Path(folder))
    names = [record.name for record in manifest.models]
    if model and model not in names:
        close = nearest(model, names)
        meant = f"did you mean {' or '.join(f'{folder}#{name}' for name in close)}?" if close else ""
        raise UsageError(
            f"run {folder} has no model {model!r}", remedy=meant or f"its models: {', '.join(names[:12]) or 'none'}"
        )
    return Run(Path(folder), manifest, model or None)


def split_address(text: str) -> tuple[str, str]:
    """Part folder and model at the '#' that leaves a folder that is there; both may hold one themselves."""
    if Path(text).is_dir():
        return text, ""
    places = [place for place, character in enumerate(text) if character == "#"]
    place = next((place for place in places if Path(text[:place]).is_dir()), places[0] if places else len(text))
    return text[:place], text[place + 1 :]


def link_media(source: Path, folder: Path) -> None:
    """Link (or copy, on another file system) the stored media of a run into another run folder."""
    target = folder / "media"
    target.mkdir(exist_ok=True)
    if not (source / "media").is_dir():
        return
    with os.scandir(source / "media") as entries:
        for entry in entries:
            place = target / entry.name
            if not _MEDIA.fullmatch(entry.name) or place.exists():
                continue
            if entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # another file system
                    os.link(entry.path, place)
                    continue
            # A symbolic link may name anything: only a picture whose hash is its name is copied.
            data = _as_named(Path(entry.path))
            if data is not None:
                temporary = place.with_name(f".{place.name}.{os.getpid()}")
                write(temporary, data)
                temporary.replace(place)


def _as_named(path: Path) -> bytes | None:
    """Return the content of a file that is named by its hash; None where it has another, or there is no such file."""
    try:
        data = read_regular(path)
    except OSError:
        return None
    return data if sha256_bytes(data) == path.stem else None


def subset_pairs(subsets: dict[str, str]) -> list[tuple[str, str]]:
    """Return every (column, label) of a row; several labels of one column are stored joined by ' | '."""
    return [(column, label) for column, value in subsets.items() for label in value.split(" | ")]


def stream_batches(path: Path, columns: Sequence[str] | None = None, size: int = BATCH) -> Iterator[pa.RecordBatch]:
    """Stream a parquet file in batches of rows, with those of the columns that it has.

    Raises:
        DataError: when the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            present = file.schema_arrow.names
            if lacking := set(_NEEDED.get(path.name, ())).difference(present):
                raise _damaged(path, ValueError(f"there is no column {min(lacking)}"))
            if problem := table_problem(path.stem, file.schema_arrow):
                raise _damaged(path, ValueError(problem))
            wanted = None if columns is None else [name for name in dict.fromkeys(columns) if name in present]
            for batch in file.iter_batches(batch_size=size, columns=wanted, use_threads=False):
                batch.validate(full=True)  # text that is no UTF-8 would fail wherever it is used
                schema = as_written(batch.schema)
                yield batch if schema is None else batch.cast(schema)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def row_count(path: Path) -> int:
    """Rows of a parquet file.

    Raises:
        DataError: when it is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from error


def _stream_parquet(
    path: Path,
    columns: Sequence[str] | None,
    keep: Callable[[pa.RecordBatch], Sequence[bool] | None] | None = None,
) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    for batch in stream_batches(path, columns):
        if keep is not None and (mask := keep(batch)) is not None:
            batch = batch.filter(pa.array(mask, pa.bool_()))
        maps = [field.name for field in batch.schema if pa.types.is_map(field.type)]
        for row in batch.to_pylist():
            for name in maps:
                row[name] = dict(row[name] or ())
            yield row


def _missing(path: Path) -> DataError:
    return DataError(f"{path} is missing", remedy="run the same `mmeval run` command again to rebuild it")


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"cannot read {path}: {error}", remedy="delete it and run the same `mmeval run` command again")


def _read_parquet(path: Path, columns: list[str] | None, model: str | None = None) -> pd.DataFrame:
    """Read a table in batches, so that only the frame itself grows with it; equal short texts and equal maps are one object each."""
    import numpy as np
    import pandas as pd

    parts: dict[str, list[np.ndarray]] = {}
    maps: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}
    for batch in column_batches(path, columns, model):
        for name, column in batch.items():
            parts.setdefault(name, []).append(_cells(column, maps))
    # Said explicitly: pandas 3 would make texts a type in which null is NaN, which is no None and counts as true.
    # Column by column, so that no moment holds the table twice.
    joined = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
    return pd.DataFrame({name: pd.Series(cells, dtype=cells.dtype) for name, cells in joined.items()}, copy=False)


def column_batches(
    path: Path, columns: Sequence[str] | None, model: str | None = None
) -> Iterator[dict[str, pa.Array]]:
    """Stream a table in batches of columns by name; of a table without rows one empty batch.

    Args:
        path: the parquet file.
        columns: names; all when None. `MAP.KEY` is a single entry of a column of maps, null where a row has none.
        model: rows of another model are left out.

    Raises:
        DataError: when the file is missing or damaged.
    """
    import pyarrow.compute as pc

    wanted = columns if columns is None or model is None or "model" in columns else [*columns, "model"]
    read = None if wanted is None else list(dict.fromkeys(name.partition(".")[0] for name in wanted))
    for batch in _with_none_empty(path, read):
        if model is not None:
            batch = batch.filter(pc.equal(batch["model"], text_scalar(model)))
        missing = [name for name in read or () if name not in batch.schema.names]
        if missing:
            raise _damaged(path, ValueError(f"there is no column {missing[0]}"))
        found = {}
        for name in batch.schema.names if columns is None else columns:
            column, _, key = name.partition(".")
            cells = batch[column]
            if key:
                cells = pc.map_lookup(cells, query_key=text_scalar(key), occurrence="first")
            found[name] = cells
        yield found


def _with_none_empty(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """The batches of a table; of one without rows an empty batch, which has the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    batch = None
    for batch in stream_batches(path, columns, READ_ROWS):
        yield batch
    if batch is None:
        schema = pq.read_schema(path)
        names = [name for name in schema.names if columns is None or name in columns]
        yield pa.RecordBatch.from_pylist([], schema=pa.schema([schema.field(name) for name in names]))


def _cells(column: pa.Array, maps: dict[tuple[tuple[str, Any], ...], dict[str, Any]]) -> np.ndarray:
    """A batch of one column: numbers as numpy has them, null as NaN; everything else as objects."""
    import numpy as np
    import pyarrow as pa

    kind = column.type
    cells: np.ndarray
    whole = pa.types.is_boolean(kind) and not column.null_count
    if whole or pa.types.is_floating(kind) or pa.types.is_integer(kind):
        cells = column.to_numpy(zero_copy_only=False)
        return cells
    cells = np.empty(len(column), dtype=object)
    if pa.types.is_string(kind):
        encoded = column.dictionary_encode()
        texts = [sys.intern(text) if len(text) <= SHORT_TEXT else text for text in encoded.dictionary.to_pylist()]
        cells[:] = [None if place is None else texts[place] for place in encoded.indices.to_pylist()]
    elif pa.types.is_map(kind):
        cells[:] = [maps.setdefault(key := tuple(pairs or ()), dict(key)) for pairs in column.to_pylist()]
    else:
        cells[:] = column.to_pylist()
    return cells
