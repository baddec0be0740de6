"""What of an answer or a gold can be drawn over its picture: boxes, points, clicks and outlines of masks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.gui.gold import read_gold as read_action
from mmeval.verifiers.gui.place import read_polygon
from mmeval.verifiers.gui.web import rect_boxes
from mmeval.verifiers.masks import MaskError
from mmeval.verifiers.masks import read_gold as read_mask

if TYPE_CHECKING:
    from mmeval.verifiers.masks import Mask

SHAPE_LIMIT = 300
"""Boxes, points or outlines drawn per answer."""
OUTLINE_GRID = 96
"""Cells on the longer side of a mask whose outline is drawn; a finer mask is brought to it."""
OUTLINE_CORNERS = 600
"""Corners of one outline; the browser draws nothing finer."""
COORDINATES = frozenset(
    {
        "box",
        "boxes",
        "point",
        "points",
        "mask",
        "heatmap",
        "detections",
        "v-triune",
        "screenspot",
        "gui-step",
        "web-step",
    }
)
"""Verifiers whose values are pixels of the original image; a list of numbers of any other one is not drawn."""
_KEYS = ("box", "boxes", "point", "points", "end", "objects")


def shapes(verifier: str | None, value: Any, size: tuple[int, int] | None = None) -> list[list[float]]:
    """Return points [x, y], boxes [x1, y1, x2, y2] and outlines [x1, y1, x2, y2, x3, y3, …] of a typed value.

    All are in pixels of the original image. A value that is damaged is not drawn: its row says what is wrong with it.

    Args:
        verifier: its name, perhaps with a version behind a slash.
        value: the extracted value or the target.
        size: (width, height) of the original image, where it is known.
    """
    name = (verifier or "").partition("/")[0]
    if name not in COORDINATES:
        return []
    if name == "points" and isinstance(value, Mapping) and "mask" in value:
        value, name = value["mask"], "mask"
    if isinstance(value, Mapping) and ("polygon" in value or "rects" in value):
        try:
            if "polygon" in value:
                return [[number for corner in read_polygon(value["polygon"]) for number in corner]]
            return [list(box) for box in rect_boxes(value["rects"] or [])][:SHAPE_LIMIT]
        except (DataError, TypeError):
            return []
    if name == "mask" and isinstance(value, Mapping):
        try:
            return outlines(read_mask(value, size).mask)
        except MaskError:
            return []
    if name == "gui-step" and isinstance(value, Mapping) and "schema" in value:
        try:
            value = read_action(value, AnswerContext(image_size=size)).as_json()
        except DataError:
            return []
    return list(_shapes(value))[:SHAPE_LIMIT]


def regions(step: Any) -> list[list[float]]:
    """Return the region of a strategy's step, [x1, y1, x2, y2] in pixels of the original, where it looked at one."""
    if not isinstance(step, Mapping):
        return []
    found = step.get("region") or step.get("box")
    return [shape for shape in _shapes(found) if len(shape) == 4][:1]


def outlines(mask: Mask) -> list[list[float]]:
    """Return the borders of a mask as closed outlines [x1, y1, x2, y2, …] in its pixels; holes have one of their own."""
    import numpy as np

    height, width = mask.shape
    step = max(1, math.ceil(max(height, width) / OUTLINE_GRID))
    if step > 1:
        rows, columns = np.arange(0, height, step), np.arange(0, width, step)
        filled = np.add.reduceat(np.add.reduceat(mask.astype(np.int32), rows, axis=0), columns, axis=1)
        coarse = 2 * filled >= step * step
        mask = coarse if coarse.any() else filled > 0
    found = sorted(_loops(mask), key=len, reverse=True)
    ends = (float(width), float(height))
    return [
        [min(float(value * step), ends[place % 2]) for place, value in enumerate(loop)]
        for loop in found
        if len(loop) <= 2 * OUTLINE_CORNERS
    ][:SHAPE_LIMIT]


def _loops(mask: Mask) -> Iterator[list[int]]:
    """The closed borders between filled and empty cells, corner by corner, the filled side on the right."""
    import numpy as np

    padded = np.pad(mask, 1)
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(cells: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
        for row, column in zip(*(axis.tolist() for axis in np.nonzero(cells)), strict=True):
            ways.setdefault((column + start[0], row + start[1]), []).append((column + end[0], row + end[1]))

    inner = padded[1:-1, 1:-1]
    add(inner & ~padded[:-2, 1:-1], (0, 0), (1, 0))
    add(inner & ~padded[1:-1, 2:], (1, 0), (1, 1))
    add(inner & ~padded[2:, 1:-1], (1, 1), (0, 1))
    add(inner & ~padded[1:-1, :-2], (0, 1), (0, 0))
    while ways:
        first = place = next(iter(ways))
        path = [first]
        while True:
            onward = ways[place]
            following = onward.pop()
            if not onward:
                del ways[place]
            if following == first:
                break
            path.append(following)
            place = following
        yield [value for point in _corners(path) for value in point]


def _corners(path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points of a closed path at which it turns."""
    turning = []
    for place, (x, y) in enumerate(path):
        before, after = path[place - 1], path[(place + 1) % len(path)]
        if (x - before[0], y - before[1]) != (after[0] - x, after[1] - y):
            turning.append((x, y))
    return turning


def _shapes(value: Any) -> Iterator[list[float]]:
    if isinstance(value, Mapping):
        for key in _KEYS:
            if key in value:
                yield from _shapes(value[key])
    elif isinstance(value, (list, tuple)):
        if len(value) in (2, 4) and all(_is_number(number) for number in value):
            yield [round(float(number), 2) for number in value]
        else:
            for entry in value:
                yield from _shapes(entry)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
