"""Telling, without reading a picture, whether two rows show the same one: a hint for the order of requests, never an identity."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError, MediaError
from mmeval.tasks.data import Row
from mmeval.tasks.gold import field_value
from mmeval.tasks.stored import StoredText

if TYPE_CHECKING:
    from mmeval.tasks.card import Card

TAIL = 64
"""Last bytes of an encoded picture by which it is told from others of the same length."""
OVERHEAD = 512
"""Bytes that a row costs beside its pictures, about."""
_DEEPEST = 4
"""Lists in lists that are looked into."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A row's first picture."""

    key: Hashable
    """Equal for rows that show the same picture, as far as that can be told cheaply."""
    size: int
    """Bytes of memory that the row holds, about."""


def picture_of(card: Card, row: Row) -> Picture | None:
    """Return what the first picture of a row is told by, or None where there is none, or the row is at fault."""
    item = row.values.get("item") if card.dataset.synthetic is not None else None
    if item is not None:
        return Picture(("cluster", item.cluster), OVERHEAD + sum(pixels.nbytes for pixels in item.images))
    size, key = OVERHEAD, None
    try:
        for column in (*card.fields.images, *card.fields.videos):
            found, held = _told_by(field_value(column, row, "fields.images"), row)
            size += held
            key = key if key is not None else found
    except (DataError, MediaError, OSError):
        return None  # reported where the row is built
    return None if key is None else Picture(key, size)


def _told_by(cell: Any, row: Row, depth: int = 0) -> tuple[Hashable, int]:
    """Return the first picture's key (None without one) and the bytes that the cell holds."""
    if cell is None or depth > _DEEPEST:
        return None, 0
    if isinstance(cell, StoredText):
        end = cell.file.read(max(cell.start, cell.end - TAIL), cell.end)
        return ("stored", len(cell), end), 0
    if isinstance(cell, (bytes, bytearray)):
        return ("bytes", len(cell), bytes(cell[-TAIL:])), len(cell)
    if isinstance(cell, str):
        text = cell.strip()
        return (("text", str(row.image_root or Path()), len(text), text[-4 * TAIL :]) if text else None), len(cell)
    if isinstance(cell, Mapping):
        for name in ("bytes", "path", "url"):
            if cell.get(name):
                return _told_by(cell[name], row, depth + 1)
        return None, 0
    if isinstance(cell, (list, tuple)):
        told = [_told_by(entry, row, depth + 1) for entry in cell]
        return next((key for key, _ in told if key is not None), None), sum(held for _, held in told)
    return None, 0
