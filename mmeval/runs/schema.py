"""Column types of the parquet files in a run folder (docs/files.md describes them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


POSITION = "position"
"""Last column of the tables of a shard: the place of the row's sample in its data set."""


def with_position(schema: pa.Schema) -> pa.Schema:
    """The columns of the same table in the folder of a shard."""
    import pyarrow as pa

    return schema.append(pa.field(POSITION, pa.int64()))


def results_schema() -> pa.Schema:
    """`results.parquet`: one row per (model, task, sample, condition, repeat)."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("model", text),
            ("task", text),
            ("protocol", text),
            ("family", text),
            ("condition", text),
            ("sample_id", text),
            ("repeat", pa.int32()),
            ("cluster", text),
            ("item_hash", text),
            ("request_hash", text),
            ("outcome", text),
            ("score", pa.float64()),
            ("correct", pa.bool_()),
            ("scores", pa.map_(text, pa.float64())),
            ("extracted", text),
            ("extracted_span", pa.list_(pa.int32())),
            ("target", text),
            ("response", text),
            ("reasoning", text),
            ("status", text),
            ("finish_reason", text),
            ("error", text),
            ("reason", text),
            ("verifier", text),
            ("judge_model", text),
            ("judge_verdict", text),
            ("judge_reason", text),
            ("prompt_tokens", pa.int64()),
            ("completion_tokens", pa.int64()),
            ("reasoning_tokens", pa.int64()),
            ("latency_s", pa.float64()),
            ("subsets", pa.map_(text, text)),
            ("media", pa.list_(media_type())),
        ]
    )


def media_type() -> pa.StructType:
    """One media as sent: hash of the encoded bytes, size in pixels, kind (`image` or `frame`), format, index of a frame in its video."""
    import pyarrow as pa

    return pa.struct(
        [
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("kind", pa.string()),
            ("format", pa.string()),
            ("frame", pa.int32()),
        ]
    )


def samples_schema() -> pa.Schema:
    """`samples.parquet`: one row per (task, sample, condition) and way of asking; JSON columns are marked in docs/files.md."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("task", text),
            ("protocol", text),
            ("condition", text),
            ("sample_id", text),
            ("item_hash", text),
            ("cluster", text),
            ("question", text),
            ("choices", pa.list_(text)),
            ("target", text),
            ("messages", text),
            ("context", text),
            ("extras", text),
            ("subsets", pa.map_(text, text)),
            ("media", pa.list_(media_type())),
            ("source_media", pa.list_(pa.string())),
            ("models", pa.list_(text)),
        ]
    )


def calls_schema() -> pa.Schema:
    """`calls.parquet`: every model call behind a row that made more than one; messages and steps are JSON."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("model", text),
            ("task", text),
            ("protocol", text),
            ("condition", text),
            ("sample_id", text),
            ("repeat", pa.int32()),
            ("turn", pa.int32()),
            ("role", text),
            ("card", text),
            ("caller", text),
            ("request_hash", text),
            ("messages", text),
            ("media", pa.list_(media_type())),
            ("step", text),
            ("status", text),
            ("response", text),
            ("reasoning", text),
            ("finish_reason", text),
            ("error", text),
            ("prompt_tokens", pa.int64()),
            ("completion_tokens", pa.int64()),
            ("latency_s", pa.float64()),
        ]
    )


def table_problem(name: str, found: pa.Schema) -> str:
    """Return which column of a table is none that mmeval wrote, or nothing.

    Args:
        name: `results`, `samples` or `calls`; any other table is left to whoever reads it.
        found: its columns.
    """
    schemas = {"results": results_schema, "samples": samples_schema, "calls": calls_schema}
    if name not in schemas:
        return ""
    for field in schemas[name]():
        if found.names.count(field.name) > 1:
            return f"column {field.name} is there twice"
        if field.name in found.names and not _alike(field.type, found.field(field.name).type):
            return f"column {field.name} is of type {found.field(field.name).type}, and {field.type} is expected"
    return ""


def _alike(expected: pa.DataType, found: pa.DataType) -> bool:
    """Whether a column can be read as the expected one; widths of numbers, and a column of nulls alone, make no difference."""
    import pyarrow as pa

    if pa.types.is_integer(expected):
        return bool(pa.types.is_integer(found) or pa.types.is_null(found))
    if pa.types.is_floating(expected):
        return bool(pa.types.is_floating(found) or pa.types.is_integer(found) or pa.types.is_null(found))
    if pa.types.is_list(expected) and pa.types.is_list(found):
        return _alike(expected.value_type, found.value_type)
    if pa.types.is_map(expected) and pa.types.is_map(found):
        return _alike(expected.key_type, found.key_type) and _alike(expected.item_type, found.item_type)
    if pa.types.is_struct(expected) and pa.types.is_struct(found):
        names = {field.name for field in found}
        return all(field.name not in names or _alike(field.type, found.field(field.name).type) for field in expected)
    if pa.types.is_string(expected) and pa.types.is_large_string(found):
        return True
    return bool(expected == found or pa.types.is_null(found))


def as_written(found: pa.Schema) -> pa.Schema | None:
    """Return the schema to which rows of a table are cast whose texts another program wrote as large ones; None where there are none."""
    import pyarrow as pa

    if not any(pa.types.is_large_string(field.type) for field in found):
        return None
    return pa.schema(
        [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in found]
    )
