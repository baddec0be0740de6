"""Where a point of a picture lies after the picture was turned, cropped, resized and padded, and the way back.

Coordinates are continuous: (0, 0) is the upper left corner of the picture, (width, height) its lower right corner, and
pixel (column, row) covers the square from (column, row) to (column + 1, row + 1). So 0–1 and 0–1000 are shares of the
sides, a resize is a factor and nothing else, and what is 0.5 off is half a pixel off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mmeval.core.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels, both at least 1."""
Point: TypeAlias = tuple[float, float]
"""(x, y)."""
Region: TypeAlias = tuple[float, float, float, float]
"""(x1, y1, x2, y2) with x1 <= x2 and y1 <= y2."""

DIVISORS: Mapping[str, float] = {"unit": 1.0, "percent": 100.0, "thousand": 1000.0}
"""Space of coordinates that are shares of the sides → what a whole side counts."""
_BICUBIC = 3
"""Pillow's number of the filter, which is named without importing Pillow."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An EXIF orientation applied, so that the picture stands upright."""

    orientation: int
    """1 to 8, as EXIF numbers them; 1 changes nothing."""

    def size(self, before: Size) -> Size:
        """Return the size after the step."""
        return (before[1], before[0]) if self.orientation >= 5 else before

    def forward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture before the step lies after it."""
        (x, y), (width, height) = point, before
        if self.orientation in (2, 3, 7, 8):
            x = width - x
        if self.orientation in (3, 4, 6, 7):
            y = height - y
        return (y, x) if self.orientation >= 5 else (x, y)

    def backward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture after the step lay before it."""
        (x, y), (width, height) = (point[1], point[0]) if self.orientation >= 5 else point, before
        if self.orientation in (2, 3, 7, 8):
            x = width - x
        if self.orientation in (3, 4, 6, 7):
            y = height - y
        return x, y

    def draw(self, picture: Image) -> Image:
        """Return the picture after the step."""
        from PIL.Image import Transpose

        turns = {
            2: Transpose.FLIP_LEFT_RIGHT,
            3: Transpose.ROTATE_180,
            4: Transpose.FLIP_TOP_BOTTOM,
            5: Transpose.TRANSPOSE,
            6: Transpose.ROTATE_270,
            7: Transpose.TRANSVERSE,
            8: Transpose.ROTATE_90,
        }
        turn = turns.get(self.orientation)
        return picture if turn is None else picture.transpose(turn)


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the picture, in whole pixels."""

    left: int
    top: int
    right: int
    """First column that is no longer part of it."""
    bottom: int
    """First row that is no longer part of it."""

    def size(self, before: Size) -> Size:
        """Return the size after the step."""
        return self.right - self.left, self.bottom - self.top

    def forward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture before the step lies after it; beyond the part it is outside."""
        return point[0] - self.left, point[1] - self.top

    def backward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture after the step lay before it."""
        return point[0] + self.left, point[1] + self.top

    def draw(self, picture: Image) -> Image:
        """Return the picture after the step."""
        return picture.crop((self.left, self.top, self.right, self.bottom))


@dataclass(frozen=True, slots=True)
class Resize:
    """The whole picture at another size, each side by its own factor."""

    width: int
    height: int

    def size(self, before: Size) -> Size:
        """Return the size after the step."""
        return self.width, self.height

    def forward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture before the step lies after it."""
        # Multiplying before dividing keeps whole results exact.
        return point[0] * self.width / before[0], point[1] * self.height / before[1]

    def backward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture after the step lay before it."""
        return point[0] * before[0] / self.width, point[1] * before[1] / self.height

    def draw(self, picture: Image) -> Image:
        """Return the picture after the step (bicubic)."""
        return picture if picture.size == (self.width, self.height) else picture.resize(self.size((0, 0)), _BICUBIC)


@dataclass(frozen=True, slots=True)
class Pad:
    """A border around the picture."""

    left: int
    top: int
    width: int
    """Of the picture with its border."""
    height: int
    """Of the picture with its border."""
    colour: tuple[int, int, int] = (0, 0, 0)

    def size(self, before: Size) -> Size:
        """Return the size after the step."""
        return self.width, self.height

    def forward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture before the step lies after it."""
        return point[0] + self.left, point[1] + self.top

    def backward(self, point: Point, before: Size) -> Point:
        """Return where a point of the picture after the step lay before it; from the border it is outside."""
        return point[0] - self.left, point[1] - self.top

    def draw(self, picture: Image) -> Image:
        """Return the picture after the step."""
        from PIL import Image as images

        plain = picture.convert("RGB")
        canvas = images.new("RGB", (self.width, self.height), self.colour)
        canvas.paste(plain, (self.left, self.top))
        return canvas


Step: TypeAlias = Turn | Crop | Resize | Pad


@dataclass(frozen=True, slots=True)
class View:
    """A picture as it is shown, and how it came from the original: steps in the order in which they were taken.

    `View((1920, 1080)).cropped((100, 50, 500, 450)).resized(840, 840)` is a part of a picture, enlarged; its
    `to_original((420, 420))` is (300.0, 250.0). Start from the size of the picture in whose pixels gold answers are
    given: the upright one (`AnswerContext.image_size`), or the stored one with `turned` as the first step.
    """

    original: Size
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if min(self.original) < 1:
            raise DataError(f"a picture of {self.original[0]}×{self.original[1]} pixels has no coordinates")

    @property
    def size(self) -> Size:
        """(width, height) of the picture as shown."""
        size = self.original
        for step in self.steps:
            size = step.size(size)
        return size

    def turned(self, orientation: int) -> View:
        """Apply an EXIF orientation.

        Raises:
            DataError: when it is not one of 1 to 8.
        """
        if orientation not in range(1, 9):
            raise DataError(f"EXIF orientation {orientation!r} is not one of 1 to 8")
        return self if orientation == 1 else View(self.original, (*self.steps, Turn(orientation)))

    def cropped(self, box: Sequence[float]) -> View:
        """Keep the part [x1, y1, x2, y2], in whole pixels of the picture as shown; `part` makes one of any box.

        Raises:
            DataError: when the box has other than whole numbers, no area, or reaches beyond the picture.
        """
        width, height = self.size
        numbers = [float(number) for number in box]
        if len(numbers) != 4 or not all(number.is_integer() for number in numbers):
            raise DataError(f"crop {list(box)} is not four whole numbers", remedy="round the box with `part`")
        left, top, right, bottom = (int(number) for number in numbers)
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise DataError(
                f"crop {list(box)} is no part of a picture of {width}×{height} pixels",
                remedy="clip the box with `part`",
            )
        return View(self.original, (*self.steps, Crop(left, top, right, bottom)))

    def resized(self, width: int, height: int) -> View:
        """Bring the picture to another size.

        Raises:
            DataError: when a side is below 1.
        """
        if width < 1 or height < 1:
            raise DataError(f"a picture cannot be resized to {width}×{height} pixels")
        return self if self.size == (width, height) else View(self.original, (*self.steps, Resize(width, height)))

    def squared(self, at: Literal["centre", "start"] = "centre", colour: tuple[int, int, int] = (0, 0, 0)) -> View:
        """Pad the shorter side to a square, with the picture in the middle or at the upper left.

        Where the border is odd, the half at the left or top is the smaller one.
        """
        width, height = self.size
        side = max(width, height)
        left, top = ((side - width) // 2, (side - height) // 2) if at == "centre" else (0, 0)
        if width == height:
            return self
        return View(self.original, (*self.steps, Pad(left, top, side, side, colour)))

    def to_original(self, point: Sequence[float], space: str = "pixels") -> Point:
        """Return where a point of the picture as shown lies in the original, in pixels.

        Points beyond the picture stay beyond it: nothing is clipped.

        Args:
            point: x and y.
            space: of the numbers: `pixels` of the picture as shown, or shares of its sides, `unit` (0–1) or `thousand`.

        Raises:
            DataError: when the space is unknown.
        """
        sizes = self._sizes()
        x, y = float(point[0]), float(point[1])
        if space != "pixels":
            divisor = _divisor(space)
            x, y = x * sizes[-1][0] / divisor, y * sizes[-1][1] / divisor
        for step, before in zip(reversed(self.steps), reversed(sizes[:-1]), strict=True):
            x, y = step.backward((x, y), before)
        return x, y

    def from_original(self, point: Sequence[float], space: str = "pixels") -> Point:
        """Return where a point of the original, in pixels, lies in the picture as shown; the inverse of `to_original`.

        Raises:
            DataError: when the space is unknown.
        """
        sizes = self._sizes()
        x, y = float(point[0]), float(point[1])
        for step, before in zip(self.steps, sizes[:-1], strict=True):
            x, y = step.forward((x, y), before)
        if space != "pixels":
            divisor = _divisor(space)
            x, y = x * divisor / sizes[-1][0], y * divisor / sizes[-1][1]
        return x, y

    def box_to_original(self, box: Sequence[float], space: str = "pixels") -> Region:
        """Return a box [x1, y1, x2, y2] of the picture as shown in pixels of the original, corners in order.

        Raises:
            DataError: when the space is unknown.
        """
        return _ordered(self.to_original(box[:2], space), self.to_original(box[2:4], space))

    def box_from_original(self, box: Sequence[float], space: str = "pixels") -> Region:
        """Return a box of the original, in pixels, in the picture as shown, corners in order.

        Raises:
            DataError: when the space is unknown.
        """
        return _ordered(self.from_original(box[:2], space), self.from_original(box[2:4], space))

    def draw(self, picture: Image) -> Image:
        """Return the picture as shown, made from the decoded original.

        Raises:
            DataError: when the picture is not of the original's size.
        """
        if picture.size != self.original:
            raise DataError(
                f"the picture has {picture.width}×{picture.height} pixels, its view {self.original[0]}×{self.original[1]}"
            )
        for step in self.steps:
            picture = step.draw(picture)
        return picture

    @property
    def key(self) -> list[Any]:
        """As JSON, for records and hashes."""
        return [
            list(self.original),
            *([type(step).__name__.lower(), *(getattr(step, name) for name in step.__slots__)] for step in self.steps),
        ]

    def _sizes(self) -> list[Size]:
        """Sizes before each step, and after the last."""
        sizes = [self.original]
        for step in self.steps:
            sizes.append(step.size(sizes[-1]))
        return sizes


def part(box: Sequence[float], size: Size, least: int = 1) -> tuple[int, int, int, int] | None:
    """Return the smallest part of a picture in whole pixels that holds what of a box lies in the picture.

    Args:
        box: [x1, y1, x2, y2] in pixels of the picture, corners in any order.
        size: of the picture.
        least: pixels that each side has at least, as far as the picture goes; the part grows around its middle.

    Returns:
        [left, top, right, bottom], right and bottom exclusive; None when a number is not finite, or nothing of the box lies
        in the picture.
    """
    if len(box) != 4 or not all(math.isfinite(number) for number in box):
        return None
    sides = []
    for low, high, side in zip(box[:2], box[2:], size, strict=True):
        low, high = max(0.0, min(low, high)), min(float(side), max(low, high))
        if low > high or low >= side or high <= 0:
            return None
        start, end = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
        missing = min(least, side) - (end - start)
        if missing > 0:
            start = min(max(0, start - missing // 2), side - (end - start) - missing)
            end = start + min(least, side)
        sides.append((start, end))
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


def _divisor(space: str) -> float:
    if space not in DIVISORS:
        raise DataError(f"unknown coordinate space {space!r}", remedy="use pixels, unit, percent or thousand")
    return DIVISORS[space]


def _ordered(first: Point, second: Point) -> Region:
    return min(first[0], second[0]), min(first[1], second[1]), max(first[0], second[0]), max(first[1], second[1])
