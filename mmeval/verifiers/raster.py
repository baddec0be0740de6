"""Polygons painted with whole-pixel vertices, edges included, as the tools that drew ReasonSeg's masks paint them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


FAR = 100_000
"""Coordinates beyond this are mistakes; painting their edges would take for ever."""
_SHIFT = 16
"""Bits behind the point of the crossings of edges and rows."""


def paint(points: Sequence[Sequence[float]], width: int, height: int) -> npt.NDArray[np.bool_]:
    """Return the pixels of a polygon, shape (height, width).

    Vertices lose their fractions. A pixel belongs to it when it lies between an odd and the following even crossing of its
    row (even-odd rule, crossings rounded to the nearest column), or on an edge (8-connected lines).

    Raises:
        ValueError: for fewer than three points, a point that is no pair of finite numbers, or one beyond `FAR`.
    """
    import numpy as np

    corners = _corners(points)
    mask = np.zeros((height, width), dtype=bool)
    ends = np.roll(corners, -1, axis=0)
    crossings: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for (x0, y0), (x1, y1) in zip(corners.tolist(), ends.tolist(), strict=True):
        columns, rows = _line(x0, y0, x1, y1)
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        mask[rows[inside], columns[inside]] = True
        if y0 == y1:
            continue
        (top_x, top), (bottom_x, bottom) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
        run = (bottom_x - top_x) << _SHIFT
        slope = run // (bottom - top)  # columns per row, rounded down
        rows = np.arange(max(top, 0), min(bottom, height), dtype=np.int64)
        crossings.append((rows, (top_x << _SHIFT) + slope * (rows - top)))
    if crossings:
        _fill(mask, np.concatenate([rows for rows, _ in crossings]), np.concatenate([at for _, at in crossings]))
    return mask


def _corners(points: Sequence[Sequence[float]]) -> npt.NDArray[np.int64]:
    import numpy as np

    try:
        found = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("a polygon is a list of [x, y]") from error
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError("a polygon is a list of [x, y]")
    if len(found) < 3:
        raise ValueError(f"a polygon has at least 3 points, this one {len(found)}")
    if not np.isfinite(found).all() or np.abs(found).max() > FAR:
        raise ValueError(f"a polygon's coordinates are finite and at most {FAR}")
    return np.trunc(found).astype(np.int64)


def _line(x0: int, y0: int, x1: int, y1: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return columns and rows of a line of one pixel's width, walked from left to right."""
    import numpy as np

    if x1 < x0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    across, down = x1 - x0, abs(y1 - y0)
    direction = 1 if y1 >= y0 else -1
    longer, shorter = max(across, down), min(across, down)
    steps = np.arange(longer + 1, dtype=np.int64)
    aside = -((longer - 2 * shorter * steps) // (2 * longer)) if longer else steps  # halves stay behind
    if across >= down:
        return x0 + steps, y0 + direction * aside
    return x0 + aside, y0 + direction * steps


def _fill(mask: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64], at: npt.NDArray[np.int64]) -> None:
    """Fill between the first and second, third and fourth … crossing of every row."""
    import numpy as np

    width = mask.shape[1]
    order = np.lexsort((at, rows))
    rows, at = rows[order], at[order]
    half = 1 << (_SHIFT - 1)
    first, last = (at[0::2] + half) >> _SHIFT, (at[1::2] + half - 1) >> _SHIFT  # halves go inward
    first, last, row = np.clip(first, 0, width), np.clip(last + 1, 0, width), rows[0::2]
    kept = last > first
    edges = np.zeros((mask.shape[0], width + 1), dtype=np.int32)
    np.add.at(edges, (row[kept], first[kept]), 1)
    np.add.at(edges, (row[kept], last[kept]), -1)
    mask |= np.cumsum(edges, axis=1)[:, :width] > 0
