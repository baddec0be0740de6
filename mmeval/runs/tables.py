"""Writing one parquet table: from rows as mappings, from rows of JSON, or from tables of the same columns."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from mmeval.core.files import create
from mmeval.core.memory import release_memory

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 2048
JSON_BLOCK = 64 << 20
"""Bytes of JSON that are parsed at once."""
RELEASE_AFTER = 16
"""Tables of up to that many rows after which freed memory is given back."""


def json_row(row: Mapping[str, Any], maps: Collection[str]) -> bytes:
    """A row for `TableWriter.add_json`; Arrow's reader knows columns of maps as lists of their entries only."""
    entries = {
        name: None if row.get(name) is None else [{"key": key, "value": value} for key, value in row[name].items()]
        for name in maps
    }
    return orjson.dumps({**row, **entries})


class TableWriter:
    """Writes one parquet table beside its place, and puts it there when everything is written and synced.

    Args:
        path: where the table belongs; an older one stays until the new one is complete.
        schema: its columns.
        optional: leave no table, and remove an older one, when there are no rows.
    """

    def __init__(self, path: Path, schema: pa.Schema, optional: bool = False) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._schema = schema
        self._optional = optional
        self._maps = [field.name for field in schema if pa.types.is_map(field.type)]
        self._temporary = path.with_name(path.name + ".new")
        self._handle = create(self._temporary)
        self._writer = pq.ParquetWriter(self._handle, schema, compression="zstd", write_page_checksum=True)
        self._batch: list[dict[str, Any]] = []
        self._written = self._tables = 0

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows as mappings; map columns as dictionaries."""
        for row in rows:
            for name in self._maps:
                row[name] = list(row[name].items()) if row.get(name) is not None else None
            self._batch.append(row)
            if len(self._batch) >= ROW_GROUP:
                self._flush()

    def add_json(self, rows: Iterable[bytes]) -> None:
        """Add rows as `json_row` gives them: Arrow parses them without a Python object for each cell."""
        lines: list[bytes] = []
        for row in rows:
            lines.append(row)
            if len(lines) >= ROW_GROUP:
                self.write(_parsed(lines, self._schema))
                lines = []
        if lines:
            self.write(_parsed(lines, self._schema))

    def write(self, table: pa.Table) -> None:
        """Add a table of the same schema."""
        self._flush()
        self._written += table.num_rows
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._tables += 1
        if self._tables % RELEASE_AFTER == 0:
            release_memory()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._batch:
            rows, self._batch = self._batch, []
            self._written += len(rows)
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema), row_group_size=ROW_GROUP)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._writer.is_open = False  # it would complain of the closed file when it is collected
            with suppress(OSError):  # a full disk does not take what Python still holds of it
                self._handle.close()
            self._temporary.unlink(missing_ok=True)
            return
        self._flush()
        self._writer.close()
        release_memory()
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()
        if self._optional and not self._written:
            self._temporary.unlink()
            self._path.unlink(missing_ok=True)
        else:
            self._temporary.replace(self._path)


def _parsed(lines: Sequence[bytes], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    pieces, block, size = [], [], 0
    for line in lines:
        block.append(line)
        size += len(line) + 1
        if size >= JSON_BLOCK:
            pieces.append(_parsed_block(b"\n".join(block), schema))
            block, size = [], 0
    if block:
        pieces.append(_parsed_block(b"\n".join(block), schema))
    return pa.concat_tables(pieces)


def _parsed_block(data: bytes, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa
    import pyarrow.json as reader

    listed = pa.schema([_entries(field) if pa.types.is_map(field.type) else field for field in schema])
    table = reader.read_json(
        pa.BufferReader(data),
        read_options=reader.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=reader.ParseOptions(explicit_schema=listed, unexpected_field_behavior="ignore"),
    )
    columns = [
        _as_map(table.column(field.name), field.type) if pa.types.is_map(field.type) else table.column(field.name)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _entries(field: pa.Field) -> pa.Field:
    """The field of a map as the list of its entries, which Arrow lays out alike in memory."""
    import pyarrow as pa

    entry = pa.struct([pa.field("key", field.type.key_type, False), pa.field("value", field.type.item_type)])
    return pa.field(field.name, pa.list_(entry))


def _as_map(column: pa.ChunkedArray, kind: pa.MapType) -> pa.ChunkedArray:
    import pyarrow as pa

    chunks = []
    for chunk in column.chunks:
        keys, values = chunk.values.flatten()
        nulls = chunk.is_null() if chunk.null_count else None
        chunks.append(pa.MapArray.from_arrays(chunk.offsets, keys, values, kind, mask=nulls))
    return pa.chunked_array(chunks, kind)
