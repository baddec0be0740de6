"""Rows of parquet files, streamed; pictures only of the rows whose pictures are wanted."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError

if TYPE_CHECKING:
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
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:
            light = _light(file, columns)
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                if wanted is None or light is None:
                    for batch in _batches(file, group):
                        yield from batch.to_pylist()
                else:
                    chosen = [number for number in range(count) if first + number in wanted]
                    yield from _glanced(file, group, light, chosen)
                first += count
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error


def _light(file: pq.ParquetFile, columns: Collection[str] | None) -> list[str] | None:
    """Paths of the leaves that hold no bytes, of some columns; None where they are all there are."""
    leaves = [file.schema.column(number) for number in range(len(file.schema.names))]
    light = [leaf.path for leaf in leaves if leaf.physical_type != "BYTE_ARRAY" or leaf.logical_type.type != "NONE"]
    if columns is not None:
        tops = tuple({*columns, *(name.partition(".")[0] for name in columns)})
        light = [path for path in light if path in tops or path.startswith(tuple(f"{name}." for name in tops))]
    return light if len(light) < len(leaves) else None


def _batches(file: pq.ParquetFile, group: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
    size = file.metadata.row_group(group)
    fitting = ROWS_BYTES * size.num_rows // max(1, size.total_byte_size)
    count = LIGHT_ROWS if columns is not None else max(1, min(ROWS, fitting))
    yield from file.iter_batches(batch_size=count, row_groups=[group], columns=columns)


def _glanced(file: pq.ParquetFile, group: int, light: Sequence[str], chosen: Sequence[int]) -> Iterator[dict[str, Any]]:
    whole = _picked(file, group, chosen)
    coming = next(whole, None)
    number = 0
    for batch in _batches(file, group, light):
        for row in batch.to_pylist():
            if coming is not None and coming[0] == number:
                yield coming[1]
                coming = next(whole, None)
            else:
                yield row
            number += 1


def _picked(file: pq.ParquetFile, group: int, chosen: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The chosen rows of a row group in full; `chosen` ascends."""
    remaining = iter(chosen)
    number = next(remaining, None)
    if number is None:
        return
    start = 0
    for batch in _batches(file, group):
        while number is not None and number < start + batch.num_rows:
            yield number, batch.slice(number - start, 1).to_pylist()[0]
            number = next(remaining, None)
        if number is None:
            return
        start += batch.num_rows
