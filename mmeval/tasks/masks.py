"""Gold masks in cells of rows: pictures, arrays, run-length codes and shapes brought to what the mask verifier reads."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from mmeval.core.errors import DataError, MediaError
from mmeval.core.pictures import load_picture, open_picture
from mmeval.tasks.data import Row
from mmeval.tasks.images import media_from_cell
from mmeval.verifiers.heatmaps import from_picture
from mmeval.verifiers.masks import Mask, MaskError, encode_runs

_LOSSY = frozenset({"JPEG", "WEBP"})


def mask_target(cell: Any, row: Row, column: str, above: int | None = None) -> Any:
    """Return the gold mask of a cell.

    A run-length code, {"shapes": …} and {"polygons": …} stay as they are, also where they are JSON text; a list of polygons
    becomes {"polygons": …}. A picture (path, bytes, {bytes, path}, base64) and a table of rows of 0 and 1 become a run-length
    code: what is not 0 belongs to the mask.

    Args:
        cell: of the row.
        row: it stands in.
        column: its name, for messages.
        above: the grey value (0 to 254) that pixels of a picture's mask are above, instead of 0; with one, formats that change
            pixels (JPEG) are read as well.

    Raises:
        DataError: for a cell that is none of these, or a picture that cannot be read or whose format changes pixels.
    """
    name = f"{row.place}, column {column}"
    if above is not None and (isinstance(above, bool) or not isinstance(above, int) or not 0 <= above < 255):
        raise DataError(f"{name}: above {above!r} is no grey value", remedy="give a whole number from 0 to 254")
    if isinstance(cell, str) and cell.lstrip()[:1] in ("{", "["):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{name}: not JSON: {error}", remedy="correct the cell") from error
    if isinstance(cell, Mapping) and cell.keys() & {"counts", "shapes", "polygons"}:
        return dict(cell)
    if isinstance(cell, (list, tuple)):
        table = _table(cell)
        if table is not None:
            return encode_runs(table)
        return {"polygons": [list(polygon) if isinstance(polygon, tuple) else polygon for polygon in cell]}
    pictures = media_from_cell(cell, row, column)
    if len(pictures) != 1:
        raise DataError(f"{name}: {len(pictures)} pictures are no mask", remedy="give one picture per mask")
    try:
        return encode_runs(read_picture(pictures[0].read(), name, above))
    except MediaError as error:
        raise DataError(str(error), remedy="check the file of the mask") from error


def heatmap_target(cell: Any, row: Row, column: str) -> Any:
    """Return the gold heat map of a cell: rows of numbers, points, boxes and run-length codes as they are, a picture as base64.

    Raises:
        DataError: for a cell that is none of these, or a picture that cannot be read.
    """
    name = f"{row.place}, column {column}"
    if isinstance(cell, str) and cell.lstrip()[:1] in ("{", "["):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{name}: not JSON: {error}", remedy="correct the cell") from error
    if isinstance(cell, (list, tuple)):
        return list(cell)
    if isinstance(cell, Mapping) and cell.keys() & {"points", "boxes", "counts", "png"}:
        return dict(cell)
    pictures = media_from_cell(cell, row, column)
    if len(pictures) != 1:
        raise DataError(f"{name}: {len(pictures)} pictures are no heat map", remedy="give one picture per heat map")
    try:
        data = pictures[0].read()
        from_picture(data)
    except (MediaError, MaskError) as error:
        raise DataError(f"{name}: {error}", remedy="check the file of the heat map") from error
    return {"png": binascii.b2a_base64(data, newline=False).decode()}


def read_picture(data: bytes, name: str, above: int | None = None) -> Mask:
    """Return the pixels of a picture of a mask that are not 0, or whose grey is above a value; transparency does not count.

    Raises:
        DataError: for bytes that are no picture, or, where no value is given, a lossy format.
    """
    import numpy as np

    try:
        image = open_picture(data, name)
        if image.format in _LOSSY and above is None:
            raise DataError(
                f"{name}: a mask as {image.format}, which does not keep pixels as they are", remedy="use PNG"
            )
        load_picture(image, name)
        if above is not None:
            return np.asarray(np.asarray(image.convert("L")) > above, dtype=bool)
        plain = image if image.mode in ("1", "L", "P", "I", "I;16") else image.convert("L")
        return np.asarray(np.asarray(plain) != 0, dtype=bool)
    except (MediaError, ValueError) as error:
        text = error.message if isinstance(error, MediaError) else str(error)
        raise DataError(f"no picture of a mask: {text}", remedy="use PNG") from error


def _table(cell: Any) -> Mask | None:
    """Return rows of 0 and 1 (or true and false) as a mask; None where the cell is no such table."""
    import numpy as np

    rows = list(cell)
    if not rows or not all(isinstance(row, (list, tuple)) and row for row in rows):
        return None
    if len({len(row) for row in rows}) != 1 or any(value not in (0, 1) for row in rows for value in row):
        return None
    return np.asarray(rows, dtype=bool)
