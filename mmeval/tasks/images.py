"""Image cells of rows: bytes, paths, base64, data URLs."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from mmeval.core.errors import DataError, MediaError
from mmeval.core.types import Media
from mmeval.tasks.data import Row

_BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD")
"""How a PNG, JPEG, WebP or GIF begins in base64, so that a very small picture is not taken for a path."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def media_from_cell(cell: Any, row: Row, column: str) -> list[Media]:
    """Turn an image cell into media: encoded bytes, {bytes, path}, {url}, a path, base64, a data URL, or a list of these.

    Empty cells give none. Nothing is fetched from the network.

    Raises:
        DataError: for a cell of another form, a web address, or a relative path that leaves the data folder.
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
        for key in ("path", "url"):
            if cell.get(key):
                return media_from_cell(str(cell[key]), row, column)
        if not cell.keys() & {"bytes", "path", "url"}:
            raise DataError(
                f"{name}: a mapping with {', '.join(sorted(map(str, cell))[:8]) or 'no keys'} is no image",
                remedy="an image is {bytes, path} or {url}; name the right column in the card's fields.images",
            )
        return []
    if isinstance(cell, str):
        return [_from_text(cell, row, name)]
    raise DataError(
        f"{name}: a cell of type {type(cell).__name__} is no image",
        remedy="name the right column in the card's fields.images",
    )


def _from_text(cell: str, row: Row, name: str) -> Media:
    if cell[:5].lower() == "data:":
        return Media("image", loader=partial(_decode_data_url, cell, name), name=name)
    scheme = _URL.match(cell)
    if scheme is not None:
        raise DataError(
            f"{name}: {cell[:80]!r} is a web address, and mmeval fetches no images",
            remedy="download the images first, below --data-dir DIR, and put their paths (or their bytes) into the column",
        )
    if len(cell) > 1024 or (len(cell) > 40 and cell.startswith(_BASE64_STARTS)):
        return Media("image", loader=partial(_decode_base64, cell, name), name=name)
    if row.image_root is None and not Path(cell).is_absolute():
        return Media("image", loader=partial(_no_folder, cell, name), name=cell)
    path = _inside(cell, row)
    return Media("image", path=path, name=str(path))


def _no_folder(cell: str, name: str) -> bytes:
    raise MediaError(
        f"{name}: the path {cell!r} is relative, and this data set has no folder of images",
        remedy="add --data-dir DIR with a copy of the data set and its images",
    )


def _decode_data_url(cell: str, name: str) -> bytes:
    header, comma, payload = cell.partition(",")
    if not comma:
        raise MediaError(f"{name}: a data URL without data", remedy="write data:image/png;base64,…")
    if header.lower().endswith(";base64"):
        # Some writers escape the characters + / = as in a query.
        return _decode_base64(unquote(payload), name)
    return unquote_to_bytes(payload)


def _decode_base64(payload: str, name: str) -> bytes:
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
