"""What is done to the places of a picture that an answer depends on: hide them, hide as much elsewhere, or show them alone.

The places are known, not found: gold boxes of the item (`extras["regions"]`, docs/cards.md, section `visual`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mmeval.core.errors import NotApplicableError
from mmeval.core.geometry import DIVISORS

if TYPE_CHECKING:
    from PIL.Image import Image

Rectangle: TypeAlias = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels of the picture, right and bottom exclusive."""
ByRegion: TypeAlias = "Callable[[Image, int, Sequence[Rectangle]], Image]"

_TRIES = 400
"""Places tried for a control before it is given up."""
_MARGIN = 0.1
"""Of the crop's own sides, added on every side."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Gold boxes of an item, and the space that their numbers are in."""

    boxes: tuple[tuple[float, float, float, float], ...]
    space: str
    """`pixels` of the original picture, `unit` (0-1) or `thousand` (0-1000)."""

    @classmethod
    def of(cls, extras: Mapping[str, Any]) -> Regions:
        """Read the regions of a sample's extras.

        Raises:
            NotApplicableError: when the item has none.
        """
        stored = extras.get("regions") or {}
        boxes = [tuple(float(number) for number in box) for box in stored.get("boxes") or () if len(box) == 4]
        if not boxes:
            raise NotApplicableError("the item has no gold box (visual.regions of its card)")
        return cls(tuple((a, b, c, d) for a, b, c, d in boxes), str(stored.get("space") or "pixels"))

    def pixels(self, width: int, height: int) -> list[Rectangle]:
        """Return the boxes in whole pixels of a picture, rounded outwards and cut at its edges.

        Raises:
            NotApplicableError: when a box is empty, outside or not finite.
        """
        found = []
        for box in self.boxes:
            if not all(math.isfinite(number) for number in box):
                raise NotApplicableError(f"the gold box {list(box)} is not finite")
            scale = DIVISORS.get(self.space)
            x1, y1, x2, y2 = box if scale is None else (
                box[0] * width / scale, box[1] * height / scale, box[2] * width / scale, box[3] * height / scale,
            )  # fmt: skip
            left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
            right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
            if left >= right or top >= bottom:
                raise NotApplicableError(f"the gold box {list(box)} covers nothing of the {width}x{height} picture")
            found.append((left, top, right, bottom))
        return found


def hide(image: Image, seed: int, regions: Sequence[Rectangle]) -> Image:
    """Blacken the regions."""
    changed = image.convert("RGB").copy()
    for region in regions:
        changed.paste((0, 0, 0), region)
    return changed


def hide_elsewhere(image: Image, seed: int, regions: Sequence[Rectangle]) -> Image:
    """Blacken rectangles of the same sizes at seeded places that touch no region and not each other.

    Raises:
        NotApplicableError: when there is no room for them.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    taken: list[Rectangle] = list(regions)
    placed: list[Rectangle] = []
    for x1, y1, x2, y2 in sorted(regions, key=lambda one: (one[1] - one[3]) * (one[2] - one[0])):
        width, height = x2 - x1, y2 - y1
        for _ in range(_TRIES):
            left = int(generator.integers(0, image.width - width + 1))
            top = int(generator.integers(0, image.height - height + 1))
            candidate = (left, top, left + width, top + height)
            if not any(_touch(candidate, other) for other in taken):
                taken.append(candidate)
                placed.append(candidate)
                break
        else:
            raise NotApplicableError("there is no room for a control of equal area beside the gold box")
    return hide(image, seed, placed)


def crop_to(image: Image, seed: int, regions: Sequence[Rectangle]) -> Image:
    """Show the smallest window of the picture's own aspect that holds all regions with a margin, at the picture's size."""
    return _zoom(image, _window(image, regions))


def crop_elsewhere(image: Image, seed: int, regions: Sequence[Rectangle]) -> Image:
    """Show a window as large as that of `crop_to` at a seeded place.

    Raises:
        NotApplicableError: when that window is the whole picture.
    """
    import numpy as np

    x1, y1, x2, y2 = _window(image, regions)
    width, height = x2 - x1, y2 - y1
    if width >= image.width and height >= image.height:
        raise NotApplicableError("the gold box needs the whole picture, so no other window is as large")
    generator = np.random.default_rng(seed)
    left = float(generator.uniform(0, image.width - width))
    top = float(generator.uniform(0, image.height - height))
    return _zoom(image, (left, top, left + width, top + height))


def _touch(first: Rectangle, second: Rectangle) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _window(image: Image, regions: Sequence[Rectangle]) -> tuple[float, float, float, float]:
    left, top = min(one[0] for one in regions), min(one[1] for one in regions)
    right, bottom = max(one[2] for one in regions), max(one[3] for one in regions)
    share = max((right - left) / image.width, (bottom - top) / image.height) * (1 + 2 * _MARGIN)
    share = min(share, 1.0)
    width, height = image.width * share, image.height * share
    x1 = min(max((left + right - width) / 2, 0.0), image.width - width)
    y1 = min(max((top + bottom - height) / 2, 0.0), image.height - height)
    return x1, y1, x1 + width, y1 + height


def _zoom(image: Image, window: tuple[float, float, float, float]) -> Image:
    from PIL.Image import Resampling

    return image.convert("RGB").resize(image.size, Resampling.BICUBIC, box=window)
