"""Image cells of rows: bytes, paths, base64, data URLs."""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from mmeval.core.errors import DataError, MediaError
from mmeval.core.literals import read_literal
from mmeval.core.types import Media
from mmeval.tasks.data import Row, unreadable
from mmeval.tasks.stored import StoredText

_BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD")
"""How a PNG, JPEG, WebP or GIF begins in base64, so that a very small picture is not taken for a path."""
FILE_NAME = re.compile(r"\.(?:png|jpe?g|webp|gif|bmp|tiff?|ppm)\s*$", re.IGNORECASE)
"""How the name of an image file ends."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
LONGEST_REFERENCE = 64
"""Characters of a cell of an LMUData file up to which it names the row that owns the image; no image is so small."""
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def media_from_cell(cell: Any, row: Row, column: str) -> list[Media]:
    """Turn an image cell into media: encoded bytes, {bytes, path}, {url}, a path, base64, a data URL, or a list of these.

    Text in brackets is such a list. In a file whose rows may name another row's image, a short text that is no file
    name is the index of that row. Empty cells give none. Nothing is fetched from the network.

    Raises:
        DataError: for a cell of another form, a web address, a relative path that leaves the data folder, or an index
            that no row has.
    """
    name = f"{row.place}, column {column}"
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return []
    if isinstance(cell, StoredText):
        return _from_stored(cell, row, column, name)
    if isinstance(cell, (list, tuple)):
        return [media for entry in cell for media in media_from_cell(entry, row, column)]
    if isinstance(cell, (bytes, bytearray)):
        return [Media("image", data=bytes(cell), name=name)]
    if isinstance(cell, Mapping):
        if cell.get("bytes"):
            return [_from_bytes(cell["bytes"], name)]
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
        text = cell.strip()
        if text.startswith("[") and text.endswith("]"):
            return media_from_cell(_parsed(text, name), row, column)
        if row.owner is not None and len(text) <= LONGEST_REFERENCE and _refers(text):
            owned = _owned(text, row, row.owner, name)
            if owned is not None:
                return media_from_cell(owned, row, column)
        return [_from_text(cell, row, name)]
    raise DataError(
        f"{name}: a cell of type {type(cell).__name__} is no image",
        remedy="name the right column in the card's fields.images",
    )


def _from_bytes(held: Any, name: str) -> Media:
    """The image in `bytes`: as JSON has none, these may be base64, or a list of numbers."""
    if isinstance(held, str):
        return Media("image", loader=partial(_decode_base64, held, name), name=name)
    if isinstance(held, list) and all(type(number) is int and 0 <= number <= 255 for number in held):
        held = bytes(held)
    if not isinstance(held, (bytes, bytearray)):
        raise DataError(
            f"{name}: bytes of an image are of type {type(held).__name__}",
            remedy="put the encoded image (PNG, JPEG …) there: bytes, base64, or a list of numbers from 0 to 255",
        )
    return Media("image", data=bytes(held), name=name)


def _from_stored(cell: StoredText, row: Row, column: str, name: str) -> list[Media]:
    if not cell.opening.lstrip().startswith(b"["):
        return [Media("image", loader=partial(_decode_stored, cell, name), name=name)]
    with unreadable(cell.file.path):
        try:
            entries = cell.entries()
            return media_from_cell(_parsed(str(cell), name) if entries is None else entries, row, column)
        except MediaError as error:
            raise DataError(f"{name}: {error.message}", remedy=error.remedy) from error


def _decode_stored(cell: StoredText, name: str) -> bytes:
    data = cell.read()
    if cell.opening[:5].lower() == b"data:":
        return _decode_data_url(data.decode("ascii", errors="replace"), name)
    return _decode_base64(data, name)


def _parsed(text: str, name: str) -> list[Any]:
    try:
        found = read_literal(text)
    except DataError as error:
        raise DataError(
            f"{name}: {error.message}",
            remedy='several images are a list: ["a.png", "b.png"]; a path that begins with [ is written in such a list',
        ) from error
    return found if isinstance(found, list) else [found]


def _refers(text: str) -> bool:
    return not (FILE_NAME.search(text) or text.startswith(_BASE64_STARTS) or text[:5].lower() == "data:")


def _owned(index: str, row: Row, owner: Callable[[str], Any], name: str) -> Any:
    """Return the image cell of the row that a cell names; None where it names no row but may be a path."""
    with unreadable(Path(row.place.rsplit(", row ", 1)[0])):
        found = owner(index)
    if found is None and "/" in index:
        return None
    if found is None:
        raise DataError(
            f"{name}: {index!r} names no image: no row has that index and an image of its own",
            remedy="put the index of the row that owns the image, base64, or the path of an image file into the cell",
        )
    if isinstance(found, str) and len(found.strip()) <= LONGEST_REFERENCE and _refers(found.strip()):
        raise DataError(
            f"{name}: row {index!r}, whose image this row names, has no image either ({found.strip()!r})",
            remedy="name the row that owns the image",
        )
    return found


def _from_text(cell: str, row: Row, name: str) -> Media:
    text = cell.lstrip()
    if text[:5].lower() == "data:":
        return Media("image", loader=partial(_decode_data_url, text, name), name=name)
    scheme = _URL.match(cell)
    if scheme is not None:
        raise DataError(
            f"{name}: {cell[:80]!r} is a web address, and mmeval fetches no images",
            remedy="download the images first, below --data-dir DIR, and put their paths (or their bytes) into the column",
        )
    encoded = row.owner is not None and len(cell) > LONGEST_REFERENCE and _BASE64.fullmatch(cell)
    if len(cell) > 1024 or (len(cell) > 40 and text.startswith(_BASE64_STARTS)) or encoded:
        return Media("image", loader=partial(_decode_base64, cell, name), name=name)
    if row.image_root is None and not Path(cell).is_absolute():
        return Media("image", loader=partial(_no_folder, cell, name), name=cell)
    path = inside(cell, row)
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


def _decode_base64(payload: str | bytes, name: str) -> bytes:
    """Decode base64, in the plain or the URL-safe alphabet, with or without line breaks; any other character is an error."""
    try:
        data = payload.encode("ascii") if isinstance(payload, str) else payload
        if b"\n" in data or b" " in data or b"\r" in data:
            data = data.translate(None, b" \t\r\n")
        if b"-" in data or b"_" in data:
            data = data.translate(_URL_SAFE)
        return binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"{name}: not base64: {error}") from error


def inside(cell: str, row: Row) -> Path:
    """Return the path that a cell names, below the folder of its row.

    Raises:
        DataError: for a relative path that leaves the folder.
    """
    root = row.image_root
    if root is None:
        return Path(cell)
    # By name only: a folder of links to files elsewhere (the hub's own cache is one) is inside.
    path = Path(os.path.normpath(root / cell))
    if Path(cell).is_absolute():
        return path
    inner = path.is_relative_to(root)
    if row.other_roots and not (inner and os.path.exists(path)):
        for other in row.other_roots:
            second = Path(os.path.normpath(other / cell))
            if second.is_relative_to(other) and os.path.exists(second):
                return second
    if not inner:
        raise DataError(f"{row.place}: image path {cell!r} leaves the data folder", remedy="correct the path")
    return path
