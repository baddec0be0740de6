"""Heat maps: how they are read and drawn, and the three measures of AGD20K.

A map is an array of numbers of at least 0, shape (height, width). Functions raise `MaskError` for what is no map.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mmeval.core.errors import MediaError
from mmeval.core.pictures import load_picture, open_picture
from mmeval.verifiers.masks import MOST_PIXELS, MaskError, decode_runs, from_boxes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HeatMap: TypeAlias = "npt.NDArray[np.float64]"
EPSILON = 1e-12
"""Added where AGD20K's scripts add it."""
FIXATION = 0.1
"""Above this share of its range a gold map counts as looked at."""


def divergence(map_: HeatMap, gold: HeatMap) -> float:
    """Return the Kullback-Leibler divergence of the gold map from the map, both brought to a sum of 1 (KLD, lower is better)."""
    import numpy as np

    first, second = map_ / (map_.sum() + EPSILON), gold / (gold.sum() + EPSILON)
    return float(np.sum(second * np.log(second / (first + EPSILON) + EPSILON)))


def similarity(map_: HeatMap, gold: HeatMap) -> float:
    """Return the sum of the smaller of both maps, both brought to a sum of 1 (SIM, in [0, 1])."""
    import numpy as np

    first, second = map_ / (map_.sum() + EPSILON), gold / (gold.sum() + EPSILON)
    return float(np.minimum(first, second).sum())


def scanpath_saliency(map_: HeatMap, gold: HeatMap) -> float:
    """Return the mean of the standardised map where the gold map, brought to [0, 1], is above `FIXATION` (NSS).

    A flat map has no spread, and 0.
    """
    import numpy as np

    spread = float(map_.std())
    if spread <= EPSILON * float(np.abs(map_).max()):
        return 0.0
    low, high = float(gold.min()), float(gold.max())
    looked_at = (gold - low) / (high - low + EPSILON) > FIXATION
    standard = (map_ - map_.mean()) / spread
    return float((standard * looked_at).sum() / (looked_at.sum() + EPSILON * gold.size))


def read_map(value: Any, size: tuple[int, int] | None, sigma: float | None) -> HeatMap:
    """Return a heat map.

    Args:
        value: rows of numbers; {"png": base64}; a run-length code; or {"points": [[x, y], …], "boxes": [[x1, y1, x2, y2], …]} in
            pixels, drawn with `sigma`.
        size: (width, height) of the image, where it is known; only points and boxes need it.
        sigma: of the Gaussian, as a share of the longer side.

    Raises:
        MaskError: when it is none of these, has a number that is negative or not finite, or nothing but zeros.
    """
    import numpy as np

    if isinstance(value, Mapping) and "png" in value:
        found = from_picture(_decoded(value["png"]))
    elif isinstance(value, Mapping) and "counts" in value:
        found = decode_runs(value).astype(np.float64)
    elif isinstance(value, Mapping) and value.keys() & {"points", "boxes"}:
        if size is None or sigma is None:
            raise MaskError("points and boxes need the size of the image, and the option sigma")
        found = drawn(value.get("points") or [], value.get("boxes") or [], size, sigma)
    else:
        found = _table(value)
    if not bool(np.isfinite(found).all()) or float(found.min()) < 0:
        raise MaskError("a heat map has only finite numbers of at least 0")
    if not float(found.sum()) > 0:
        raise MaskError("the heat map is 0 everywhere")
    return found


def drawn(
    points: Sequence[Sequence[float]], boxes: Sequence[Sequence[float]], size: tuple[int, int], sigma: float
) -> HeatMap:
    """Return points and filled boxes under a Gaussian; what lies outside the image is left out.

    Args:
        points: [x, y] in pixels.
        boxes: corners in order, in pixels.
        size: (width, height).
        sigma: as a share of the longer side.
    """
    import numpy as np
    from scipy.ndimage import gaussian_filter

    width, height = size
    canvas = from_boxes(boxes, size).astype(np.float64)
    for x, y in points:
        if 0 <= x < width and 0 <= y < height:
            canvas[int(y), int(x)] += 1.0
    return np.asarray(gaussian_filter(canvas, sigma * max(size), mode="constant"), dtype=np.float64)


def from_picture(data: bytes) -> HeatMap:
    """Return the grey values of a picture, 8 or 16 bits.

    Raises:
        MaskError: for bytes that are no picture.
    """
    import numpy as np

    try:
        image = open_picture(data, "heat map")
        load_picture(image, "heat map")
        if image.width * image.height > MOST_PIXELS:
            raise MaskError(f"no picture of a heat map: {image.width}×{image.height} pixels are too many")
        plain = image if image.mode in ("1", "L", "I", "I;16", "F") else image.convert("L")
        return np.asarray(plain, dtype=np.float64)
    except (MediaError, ValueError) as error:
        text = error.message if isinstance(error, MediaError) else str(error)
        raise MaskError(f"no picture of a heat map: {text}") from error


def resized(map_: HeatMap, size: tuple[int, int]) -> HeatMap:
    """Return a map brought to (width, height), bilinear."""
    import numpy as np
    from PIL import Image

    if map_.shape == (size[1], size[0]):
        return map_
    found = Image.fromarray(map_.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.clip(np.asarray(found, dtype=np.float64), 0, None)


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise MaskError("a picture in JSON is base64 text")
    try:
        return binascii.a2b_base64(text.rpartition(",")[2].encode("ascii", errors="replace"), strict_mode=True)
    except binascii.Error as error:
        raise MaskError(f"not base64: {error}") from error


def _table(value: Any) -> HeatMap:
    import numpy as np

    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MaskError("a heat map is rows of numbers of one length") from error
    if found.ndim != 2 or not found.size or found.size > MOST_PIXELS:
        raise MaskError("a heat map is rows of numbers of one length")
    return found
