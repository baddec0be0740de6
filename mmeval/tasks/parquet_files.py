"""Rows of parquet files, streamed; pictures only of the rows whose pictures are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError
from mmeval.tasks.plain_cells import plain_rows

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BUFFER = 1 << 20
"""Bytes read from a file at once."""
ROWS = 64
"""Rows that are turned into Python objects at once, or fewer when they are large."""
ROWS_BYTES = 8 << 20
LIGHT_ROWS = 1024
"""The same of rows without their pictures."""


def parquet_rows(
    path: Path, wanted: Container[int] | None = None, first: int = 0, columns: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Stream the rows of a file as dictionaries.

    Args:
        path: the file.
        wanted: positions of the rows that are needed in full; of the others everything is read but columns (and parts of columns) of
            bytes, which hold pictures as a rule. None means all.
        first: position of the file's first row.
        columns: names, or paths into nested columns, that the other rows need; they may lack the rest. None means all.

    Raises:
        DataError: for a file that is no parquet file, or a damaged one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Buffering ahead would keep the whole file in memory, images and all.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True) as file:
            _check_names(file.schema_arrow.names, path)
            reader = _Reader(file, path, plain_rows(file.schema_arrow))
            light = _light(file, columns)
            before = 0
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                if wanted is None or light is None:
                    yield from reader.all(group, before)
                else:
                    chosen = [number for number in range(count) if first + before + number in wanted]
                    yield from reader.glanced(group, before, light, chosen)
                before += count
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error


def _check_names(names: Sequence[str], path: Path) -> None:
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise DataError(f"{path}: column {twice!r} is there twice", remedy="give every column a name of its own")


def _light(file: pq.ParquetFile, columns: Collection[str] | None) -> list[str] | None:
    """Paths of the leaves that hold no bytes, of some columns; None where they are all there are."""
    leaves = [file.schema.column(number) for number in range(len(file.schema.names))]
    named = columns or ()  # bytes of that name are text of a writer that has no type for it
    light = [
        leaf.path
        for leaf in leaves
        if leaf.physical_type != "BYTE_ARRAY" or leaf.logical_type.type != "NONE" or leaf.path in named
    ]
    if columns is not None:
        tops = tuple({*columns, *(name.partition(".")[0] for name in columns)})
        light = [path for path in light if path in tops or path.startswith(tuple(f"{name}." for name in tops))]
    return light if len(light) < len(leaves) else None


class _Reader:
    """Reads row groups of an open file."""

    def __init__(
        self, file: pq.ParquetFile, path: Path, plain: Callable[[dict[str, Any]], dict[str, Any]] | None
    ) -> None:
        self._file = file
        self._path = path
        self._plain = plain

    def all(self, group: int, before: int) -> Iterator[dict[str, Any]]:
        """The rows of a row group in full; `before` are the rows of the file before it."""
        for batch in self._batches(group):
            yield from self._rows(batch, before)
            before += batch.num_rows

    def glanced(self, group: int, before: int, light: Sequence[str], chosen: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The rows of a row group, those that are chosen (ascending numbers within it) in full."""
        whole = self._picked(group, before, chosen)
        coming = next(whole, None)
        number = 0
        for batch in self._batches(group, light):
            for row in self._rows(batch, before + number):
                if coming is not None and coming[0] == number:
                    yield coming[1]
                    coming = next(whole, None)
                else:
                    yield row
                number += 1

    def _picked(self, group: int, before: int, chosen: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """The chosen rows of a row group in full; `chosen` ascends."""
        remaining = iter(chosen)
        number = next(remaining, None)
        if number is None:
            return
        start = 0
        for batch in self._batches(group):
            while number is not None and number < start + batch.num_rows:
                yield number, self._rows(batch.slice(number - start, 1), before + number)[0]
                number = next(remaining, None)
            if number is None:
                return
            start += batch.num_rows

    def _batches(self, group: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        size = self._file.metadata.row_group(group)
        fitting = ROWS_BYTES * size.num_rows // max(1, size.total_byte_size)
        count = LIGHT_ROWS if columns is not None else max(1, min(ROWS, fitting))
        yield from self._file.iter_batches(batch_size=count, row_groups=[group], columns=columns)

    def _rows(self, batch: pa.RecordBatch, before: int) -> list[dict[str, Any]]:
        """The rows of a batch.

        Args:
            batch: as the file holds it.
            before: rows of the file before it.

        Raises:
            DataError: for a cell that Python cannot hold: text that is no UTF-8, a date beyond the year 9999, a time zone that does not exist.
        """
        try:
            found = batch.to_pylist()
        except (ValueError, ArithmeticError) as error:  # also Arrow's own and UnicodeDecodeError
            raise self._unreadable(batch, before, error) from error
        return found if self._plain is None else [self._plain(row) for row in found]

    def _unreadable(self, batch: pa.RecordBatch, before: int, error: Exception) -> DataError:
        """The error that names the first cell at fault."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for number, cell in enumerate(column, before + 1):
                try:
                    cell.as_py()
                except (ValueError, ArithmeticError) as cause:
                    return DataError(
                        f"{self._path}, row {number}: column {name!r} ({column.type}) cannot be read: {cause}",
                        remedy="download the file again, or write the column as text",
                    )
        return DataError(f"{self._path}: not a readable parquet file: {error}", remedy="download the file again")
