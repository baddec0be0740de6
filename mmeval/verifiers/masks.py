"""Masks of images: run-length codes of COCO, polygons, labelled shapes; and how much two masks share.

A mask is an array of booleans of shape (height, width). Functions here raise `MaskError` for what is no mask; whoever calls
says whether that is the gold's fault or the model's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mmeval.verifiers.raster import FAR, paint

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Mask: TypeAlias = "npt.NDArray[np.bool_]"
MOST_PIXELS = 1 << 28
"""Larger masks are mistakes, and would not fit into memory."""
THRESHOLDS = tuple(0.5 + index * ((0.5 + 0.05) - 0.5) for index in range(10))
"""0.50, 0.55 … 0.95 as the arange of Affordance-R1's script makes them."""
_FIRST, _BITS = 48, 6
"""Characters of a compressed code stand for 0 … 63, from this one on."""


class MaskError(ValueError):
    """What should be a mask is none."""


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold mask, and the pixels that do not count."""

    mask: Mask
    ignored: Mask | None = None

    @property
    def area(self) -> int:
        """Pixels of the mask that count."""
        import numpy as np

        counted = self.mask if self.ignored is None else self.mask & ~self.ignored
        return int(np.count_nonzero(counted))

    def shared(self, other: Mask) -> tuple[int, int]:
        """Return intersection and union with another mask of the same size, in pixels that count."""
        import numpy as np

        both, either = self.mask & other, self.mask | other
        if self.ignored is not None:
            both, either = both & ~self.ignored, either & ~self.ignored
        return int(np.count_nonzero(both)), int(np.count_nonzero(either))


def share(intersection: int, union: int, empty: float) -> float:
    """Return the IoU; `empty` where there is nothing on either side."""
    return intersection / union if union else empty


def share_above(iou: float) -> float:
    """Return the share of `THRESHOLDS` that an IoU is above."""
    return sum(iou > threshold for threshold in THRESHOLDS) / len(THRESHOLDS)


def size_of(value: Mapping[str, Any]) -> tuple[int, int]:
    """Return (width, height) of a run-length code, whose own `size` is [height, width].

    Raises:
        MaskError: when it has no such size.
    """
    size = value.get("size")
    whole = isinstance(size, (list, tuple)) and len(size) == 2
    if not whole or not all(_is_whole(side) and side >= 1 for side in size or ()):
        raise MaskError(f"size {size!r} of a run-length code is not [height, width]")
    height, width = (int(side) for side in size or ())
    if height * width > MOST_PIXELS:
        raise MaskError(f"size {size!r} is beyond {MOST_PIXELS} pixels")
    return width, height


def decode_runs(value: Mapping[str, Any]) -> Mask:
    """Return the mask of {"size": [height, width], "counts": …}: compressed text, or lengths of runs down the columns.

    Raises:
        MaskError: for a code that is cut off, has a negative run, or does not cover the image.
    """
    import numpy as np

    width, height = size_of(value)
    counts = value.get("counts")
    if isinstance(counts, (bytes, bytearray)):
        counts = counts.decode("ascii", errors="replace")
    runs = _runs_of_text(counts) if isinstance(counts, str) else _runs_of_list(counts)
    total = sum(runs)
    if total != width * height or any(run < 0 for run in runs):
        raise MaskError(
            f"the runs cover {total} pixels of {width * height}"
            if total != width * height
            else "a run is negative: the code is damaged"
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def encode_runs(mask: Mask) -> dict[str, Any]:
    """Return the compressed run-length code of a mask, as COCO writes it."""
    import numpy as np

    height, width = mask.shape
    flat = np.asarray(mask, dtype=bool).T.reshape(-1)
    changes = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(bounds).tolist()
    if flat.size and flat[0]:
        runs = [0, *runs]
    return {"size": [height, width], "counts": _text_of_runs(runs)}


def _is_whole(value: Any) -> bool:
    return (
        not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value) and value == int(value)
    )


def _runs_of_list(counts: Any) -> list[int]:
    if not isinstance(counts, (list, tuple)) or not all(_is_whole(run) for run in counts):
        raise MaskError("counts of a run-length code are neither text nor a list of lengths")
    return [int(run) for run in counts]


def _runs_of_text(text: str) -> list[int]:
    runs: list[int] = []
    value = place = 0
    for character in text:
        digit = ord(character) - _FIRST
        if not 0 <= digit < 1 << _BITS or place > 12:
            raise MaskError(f"{character!r} does not belong into a run-length code")
        value |= (digit & 0x1F) << (5 * place)
        place += 1
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << (5 * place)
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = place = 0
    if place:
        raise MaskError("the run-length code is cut off")
    return runs


def _text_of_runs(runs: Sequence[int]) -> str:
    characters: list[str] = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            digit = value & 0x1F
            value >>= 5
            more = value != (-1 if digit & 0x10 else 0)
            characters.append(chr(_FIRST + (digit | 0x20 if more else digit)))
    return "".join(characters)


def from_polygons(polygons: Any, size: tuple[int, int]) -> Mask:
    """Return the union of polygons, each [x1, y1, x2, y2 …] in pixels, filled as COCO fills them.

    Args:
        polygons: a list of them.
        size: (width, height).

    Raises:
        MaskError: for a polygon of fewer than three points, or with a coordinate that is not finite or far outside.
    """
    import numpy as np

    if not isinstance(polygons, (list, tuple)) or not polygons:
        raise MaskError("polygons are a list of [x1, y1, x2, y2, …]")
    checked = [flat_polygon(polygon) for polygon in polygons]
    from faster_coco_eval.core import mask as coco

    width, height = size
    runs = coco.merge(coco.frPyObjects(checked, height, width))
    return np.asarray(coco.decode(runs), dtype=bool)


def flat_polygon(polygon: Any) -> list[float]:
    """Return a polygon as [x1, y1, x2, y2 …].

    Raises:
        MaskError: as `from_polygons`.
    """
    flat = polygon
    if isinstance(polygon, (list, tuple)) and polygon and isinstance(polygon[0], (list, tuple)):
        if not all(isinstance(point, (list, tuple)) and len(point) == 2 for point in polygon):
            raise MaskError("a polygon is a list of [x, y], or [x1, y1, x2, y2, …]")
        flat = [value for point in polygon for value in point]
    numbers = isinstance(flat, (list, tuple)) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in flat
    )
    if not numbers:
        raise MaskError("a polygon is a list of [x, y], or [x1, y1, x2, y2, …]")
    if len(flat) % 2 or len(flat) < 6:
        raise MaskError(f"a polygon has at least 3 points, this one {len(flat) // 2}{' and a half' * (len(flat) % 2)}")
    if not all(math.isfinite(value) and abs(value) <= FAR for value in flat):
        raise MaskError(f"a polygon's coordinates are finite and at most {FAR}")
    return [float(value) for value in flat]


def from_shapes(shapes: Any, size: tuple[int, int]) -> Gold:
    """Return the mask of labelled polygons in pixels: target where the label does not say ignore.

    Shapes labelled `flag` are left out. They are painted from the largest to the smallest, so that a small one on top of a
    larger one shows; those whose label contains `ignore` are pixels that do not count.

    Args:
        shapes: {"label": …, "points": [[x, y], …]} each.
        size: (width, height).

    Raises:
        MaskError: for a shape without label or points, or one that is no polygon.
    """
    import numpy as np

    if not isinstance(shapes, (list, tuple)):
        raise MaskError("shapes are a list of {label, points}")
    width, height = size
    painted: list[tuple[str, Mask]] = []
    for number, shape in enumerate(shapes, 1):
        if not isinstance(shape, Mapping) or not isinstance(shape.get("label"), str) or "points" not in shape:
            raise MaskError(f"shape {number} has no label and points")
        label = shape["label"].lower()
        if label == "flag":
            continue
        try:
            painted.append((label, paint(shape["points"], width, height)))
        except ValueError as error:
            raise MaskError(f"shape {number} ({shape['label']}): {error}") from error
    canvas = np.zeros((height, width), dtype=np.uint8)
    for label, mask in sorted(painted, key=lambda entry: -int(np.count_nonzero(entry[1]))):
        canvas[mask] = 2 if "ignore" in label else 1
    ignored = canvas == 2
    return Gold(canvas == 1, ignored if bool(ignored.any()) else None)


def from_boxes(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> Mask:
    """Return the union of boxes [x1, y1, x2, y2] as a mask, edges at the nearest border between pixels.

    Args:
        boxes: corners in order, in pixels.
        size: (width, height).
    """
    import numpy as np

    width, height = size
    mask = np.zeros((height, width), dtype=bool)
    for box in boxes:
        x1, y1, x2, y2 = (
            math.floor(min(max(value, 0), side) + 0.5)
            for value, side in zip(box, (width, height, width, height), strict=True)
        )
        mask[y1:y2, x1:x2] = True
    return mask


def bounding_box(mask: Mask) -> list[float] | None:
    """Return [x1, y1, x2, y2] around a mask in pixels (the last row and column are inside), None for an empty one."""
    import numpy as np

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def read_gold(target: Any, size: tuple[int, int] | None) -> Gold:
    """Return a gold mask.

    Args:
        target: a run-length code (with a further one as `ignore`), {"shapes": …}, or {"polygons": …}.
        size: (width, height) of the image, where it is known.

    Raises:
        MaskError: when it is none of these, or of another size than the image.
    """
    if not isinstance(target, Mapping):
        raise MaskError(f"{str(target)[:60]!r} is no mask")
    if "counts" in target:
        _same_size(size_of(target), size)
        ignored = target.get("ignore")
        if ignored is None:
            return Gold(decode_runs(target))
        if not isinstance(ignored, Mapping):
            raise MaskError("ignore is no run-length code")
        _same_size(size_of(ignored), size_of(target))
        return Gold(decode_runs(target), decode_runs(ignored))
    if size is None:
        raise MaskError("shapes and polygons need the size of the image, which the sample lacks")
    if "shapes" in target:
        return from_shapes(target["shapes"], size)
    if "polygons" in target:
        return Gold(from_polygons(target["polygons"], size))
    raise MaskError(f"a mapping with {', '.join(sorted(map(str, target))[:6]) or 'no keys'} is no mask")


def _same_size(found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    if wanted is not None and found != wanted:
        raise MaskError(f"the mask is {found[0]} × {found[1]} pixels, the image {wanted[0]} × {wanted[1]}")
