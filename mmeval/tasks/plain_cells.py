"""Cells of typed tables whose types JSON does not have: decimals, dates and times, and bytes that stand for text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mmeval.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST = 2**63 - 1
"""What JSON writers can hold of whole numbers."""


def plain_cell(value: Any) -> Any:
    """Return a cell, or what is nested in it, in the types of JSON; bytes stay, for they are pictures as a rule.

    A decimal is the number that it is written as, or text where no number of JSON is it; dates and times are ISO 8601, durations seconds.
    """
    if isinstance(value, Mapping):
        return {key: plain_cell(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_cell(entry) for entry in value]
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, UUID) else value


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return int(value) if abs(value) <= _LARGEST else str(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else str(value)


def odd_columns(schema: pa.Schema) -> tuple[str, ...]:
    """Names of the columns that hold anything for `plain_cell`."""
    return tuple(field.name for field in schema if _odd(field.type))


def _odd(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _odd(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return kind.extension_name == "arrow.uuid" or _odd(kind.storage_type)
    nested = [kind.field(number).type for number in range(kind.num_fields)]
    return any(map(_odd, nested)) or pa.types.is_temporal(kind) or pa.types.is_decimal(kind)


def plain_rows(schema: pa.Schema) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """Return what makes the rows of a table plain; None where they are."""
    odd = odd_columns(schema)
    if not odd:
        return None
    return lambda row: {name: plain_cell(cell) if name in odd else cell for name, cell in row.items()}


def plain_text(value: Any, place: str, column: str) -> str:
    """Return a cell as text; bytes, as writers without a type for text leave it, are UTF-8.

    Args:
        value: the cell.
        place: file and row, for the message.
        column: its name, for the message.

    Raises:
        DataError: for bytes that are none.
    """
    if not isinstance(value, (bytes, bytearray)):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: column {column!r} holds {len(value)} bytes that are no UTF-8 text",
            remedy="name a column of text, or write this one as text",
        ) from error
