"""Antialiased drawing in integer arithmetic: the same pixels on every platform."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmeval.tasks.synthetic.model import Box, Pixels

Color = tuple[int, int, int]
Mask = NDArray[np.uint8]

# Polygons on a square from -1000 to 1000, y down.
_POLYGONS: dict[str, tuple[tuple[int, int], ...]] = {
    "square": ((-880, -880), (880, -880), (880, 880), (-880, 880)),
    "triangle": ((0, -920), (1000, 860), (-1000, 860)),
    "diamond": ((0, -1000), (820, 0), (0, 1000), (-820, 0)),
    "hexagon": ((-500, -866), (500, -866), (1000, 0), (500, 866), (-500, 866), (-1000, 0)),
    "star": (
        (0, -1000), (235, -324), (951, -309), (380, 124), (588, 809),
        (0, 400), (-588, 809), (-380, 124), (-951, -309), (-235, -324),
    ),
    "cross": (
        (-330, -950), (330, -950), (330, -330), (950, -330), (950, 330), (330, 330),
        (330, 950), (-330, 950), (-330, 330), (-950, 330), (-950, -330), (-330, -330),
    ),
}  # fmt: skip


@lru_cache(maxsize=1024)
def shape_mask(shape: str, size: int) -> Mask:
    """(size, size) coverage 0–255 of a shape, from 4 × 4 samples per pixel."""
    half = 4 * size
    axis = 2 * np.arange(4 * size, dtype=np.int64) + 1 - half  # sample centres in 1/8 pixel
    x, y = axis[None, :], axis[:, None]
    if shape == "circle":
        inside = x * x + y * y <= half * half
    elif shape == "heart":
        inside = _heart(x, y, half)
    elif shape in _POLYGONS:
        inside = _polygon(x * 1000, y * 1000, tuple((px * half, py * half) for px, py in _POLYGONS[shape]))
    else:
        raise ValueError(f"unknown shape {shape!r}")
    mask = _coverage(np.broadcast_to(inside, (4 * size, 4 * size)))
    mask.flags.writeable = False
    return mask


def _coverage(inside: NDArray[np.bool_]) -> Mask:
    height, width = inside.shape[0] // 4, inside.shape[1] // 4
    hits = inside.reshape(height, 4, width, 4).sum(axis=(1, 3), dtype=np.int64)
    return np.asarray(hits * 255 // 16, np.uint8)


def _polygon(x: NDArray[np.int64], y: NDArray[np.int64], corners: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    """Even–odd rule; a sample's parity flips at every edge to its right."""
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y1 == y2:
            continue
        if y1 > y2:
            x1, y1, x2, y2 = x2, y2, x1, y1
        spans = (y1 <= y) & (y < y2)
        inside ^= spans & ((x - x1) * (y2 - y1) < (y - y1) * (x2 - x1))
    return inside


def _heart(x: NDArray[np.int64], y: NDArray[np.int64], half: int) -> NDArray[np.bool_]:
    """The sextic (u² + v² − 1)³ ≤ u² v³, scaled to nearly fill the square; all terms stay below 2**63."""
    unit = 800
    u = x * 930 // half
    v = -(y * 900 // half) + 90
    ring = u * u + v * v - unit * unit
    return np.asarray(ring * ring * ring <= u * u * v * v * v * unit)


def _over_255(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """values / 255, rounded to nearest; exact up to 255², without leaving 16 bits."""
    shifted = values + np.uint16(128)
    return np.asarray((shifted + (shifted >> np.uint16(8))) >> np.uint16(8))


@lru_cache(maxsize=1024)
def _bounds(shape: str, size: int) -> tuple[int, int, int, int]:
    mask = shape_mask(shape, size)
    rows = np.flatnonzero((mask >= 128).any(axis=1))
    columns = np.flatnonzero((mask >= 128).any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def shape_box(shape: str, x: int, y: int, size: int) -> Box:
    """The tight box of the half-covered pixels of a shape whose square starts at (x, y)."""
    left, top, right, bottom = _bounds(shape, size)
    return float(x + left), float(y + top), float(x + right), float(y + bottom)


def mix(first: Color, second: Color, percent: int) -> Color:
    """``percent`` of ``second`` in ``first``."""
    red, green, blue = ((a * (100 - percent) + b * percent + 50) // 100 for a, b in zip(first, second, strict=True))
    return red, green, blue


class Canvas:
    """An RGB picture under construction."""

    __slots__ = ("pixels",)

    def __init__(self, width: int, height: int, top: Color, bottom: Color | None = None) -> None:
        """Filled with ``top``, or with a vertical gradient from ``top`` to ``bottom``."""
        first = np.array(top, np.int64)
        last = np.array(top if bottom is None else bottom, np.int64)
        steps = np.arange(height, dtype=np.int64)[:, None]
        column = (first * (height - 1 - steps) + last * steps + (height - 1) // 2) // max(height - 1, 1)
        self.pixels: Pixels = np.tile(column.astype(np.uint8), (1, width)).reshape(height, width, 3)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def paste(self, mask: Mask, x: int, y: int, color: Color, opacity: int = 255) -> None:
        """Blend ``color`` in where the mask covers; parts outside the picture are cut off."""
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + mask.shape[1], self.width), min(y + mask.shape[0], self.height)
        if x0 >= x1 or y0 >= y1:
            return
        # Rows as flat runs of bytes: NumPy is several times faster than with an inner axis of three.
        weight = np.repeat(mask[y0 - y : y1 - y, x0 - x : x1 - x], 3, axis=1).astype(np.uint16)
        if opacity != 255:
            weight = _over_255(weight * np.uint16(opacity))
        area = self.pixels.reshape(self.height, -1)[y0:y1, 3 * x0 : 3 * x1]
        ink = np.array(color * (x1 - x0), np.uint16)
        area[:] = _over_255(area * (np.uint16(255) - weight) + ink * weight)

    def rect(self, x0: int, y0: int, x1: int, y1: int, color: Color) -> None:
        """A filled rectangle without antialiasing; parts outside the picture are cut off."""
        area = self.pixels[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        if area.size:
            area[0] = color
            area[1:] = area[0]

    def rounded(self, x0: int, y0: int, x1: int, y1: int, color: Color, radius: int = 8) -> None:
        """A rectangle whose corners are quarter circles."""
        radius = min(radius, (x1 - x0) // 2, (y1 - y0) // 2)
        self.rect(x0 + radius, y0, x1 - radius, y1, color)
        self.rect(x0, y0 + radius, x1, y1 - radius, color)
        if radius > 0:
            disc = shape_mask("circle", 2 * radius)
            self.paste(disc[:radius, :radius], x0, y0, color)
            self.paste(disc[:radius, radius:], x1 - radius, y0, color)
            self.paste(disc[radius:, :radius], x0, y1 - radius, color)
            self.paste(disc[radius:, radius:], x1 - radius, y1 - radius, color)

    def framed(
        self, box: tuple[int, int, int, int], color: Color, border: Color, radius: int = 8, line: int = 2
    ) -> None:
        """A filled rounded rectangle with a border of ``line`` pixels inside its box."""
        x0, y0, x1, y1 = box
        self.rounded(x0, y0, x1, y1, border, radius)
        self.rounded(x0 + line, y0 + line, x1 - line, y1 - line, color, max(radius - line, 0))

    def shape(self, shape: str, x: int, y: int, size: int, color: Color, shadow: bool = True) -> Box:
        """A shape with a darker rim in the square of side ``size`` at (x, y); returns its tight box."""
        mask = shape_mask(shape, size)
        if shadow:
            offset = max(1, size // 24)
            self.paste(mask, x + offset, y + offset + 1, (40, 45, 60), 70)
        self.paste(mask, x, y, mix(color, (0, 0, 0), 35))
        rim = max(1, size // 20)
        self.paste(shape_mask(shape, size - 2 * rim), x + rim, y + rim, color)
        return shape_box(shape, x, y, size)
