"""Parts of an image that are shown: which whole pixels, and in what coordinates a model speaks of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from mmeval.core.geometry import Point, Resize, Size, View, part

Frame: TypeAlias = Literal["pixels", "unit", "percent", "thousand", "unit-square"]
"""In what coordinates are given: pixels of the picture as shown; 0–1, 0–100 or 0–1000 of its width and height; 0–1 of the picture
padded to a square of its longer side, the picture in its middle."""
FRAMES: tuple[Frame, ...] = ("pixels", "unit", "percent", "thousand", "unit-square")
Corners: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2."""
Region: TypeAlias = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels of the original; x2 and y2 are outside."""


LONGEST_RATIO = 100
"""Longer side over shorter side of a part; processors refuse pictures that are much thinner (Qwen-VL's: 200)."""


def to_original(view: View, point: Sequence[float], frame: Frame) -> Point:
    """Return where a point of the picture as shown lies in the original, in pixels; nothing is clipped."""
    if frame != "unit-square":
        return view.to_original(point, frame)
    # The part itself is padded, at its own size: a resize afterwards scales both sides alike.
    steps = tuple(step for step in view.steps if not isinstance(step, Resize))
    return replace(view, steps=steps).squared().to_original(point, "unit")


def box_to_original(view: View, box: Sequence[float], frame: Frame) -> Corners:
    """Return the corners of a box of the picture as shown in pixels of the original, in the order of the box."""
    return (*to_original(view, box[:2], frame), *to_original(view, box[2:4], frame))


def region_of(box: Sequence[float], size: Size, padding: int, least: int, *, square: bool = False) -> Region | None:
    """Return the whole pixels that are shown for a box; None where it has no area in the picture.

    Args:
        box: corners in order, in pixels of the picture.
        size: of the picture.
        padding: pixels more on each side.
        least: pixels that each side has at least.
        square: whether both sides get the longer one's length.

    The part stays in the picture: it grows around its middle, is moved where it would leave the picture, and is cut only
    where the picture is smaller.
    """
    region = part(box, size)
    if region is None or box[0] >= box[2] or box[1] >= box[3]:
        return None
    left, right = max(0, region[0] - padding), min(size[0], region[2] + padding)
    top, bottom = max(0, region[1] - padding), min(size[1], region[3] + padding)
    longer = max(right - left, bottom - top)
    wanted = max(least, longer if square else math.ceil(longer / LONGEST_RATIO))
    left, right = _grown(left, right, wanted, size[0])
    top, bottom = _grown(top, bottom, wanted, size[1])
    return left, top, right, bottom


def _grown(low: int, high: int, wanted: int, limit: int) -> tuple[int, int]:
    size = min(max(high - low, wanted), limit)
    start = max(0, min(low - (size - (high - low)) // 2, limit - size))
    return start, start + size
