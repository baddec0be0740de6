"""The twelve standard numbers of COCO detection, by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError

NAMES = (
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar@1",
    "ar@10",
    "ar",
    "ar_small",
    "ar_medium",
    "ar_large",
)
"""In the order of cocoapi: precision over IoU 0.50:0.95, at 0.5, at 0.75, by size; recall with 1, 10, 100 boxes, by size."""


def average_precision(truth: Mapping[str, Any], boxes: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the twelve numbers, each in [0, 1], None where no gold box is of that size.

    Boxes of equal score keep their order in an image. Images of the truth without a box count as misses.

    Args:
        truth: `images`, `annotations` (with `bbox` as x, y, width, height in pixels, `area`, `iscrowd`) and `categories`.
        boxes: `image_id`, `category_id`, `bbox` and `score` each.

    Raises:
        DataError: when a box is on an image that the truth does not have, or the truth has no gold box.
    """
    images = {image["id"] for image in truth["images"]}
    stranger = next((box["image_id"] for box in boxes if box["image_id"] not in images), None)
    if stranger is not None:
        raise DataError(
            f"image {stranger!r} is not in the annotations", remedy="give the annotations of the same images"
        )
    if not truth["annotations"]:
        raise DataError("the annotations have no gold box", remedy="give the complete file of annotations")
    if not boxes:
        areas = [entry["area"] for entry in truth["annotations"] if not entry.get("iscrowd")]
        return {name: 0.0 if _has_size(name, areas) else None for name in NAMES}
    from faster_coco_eval import COCO, COCOeval_faster

    gold = COCO(dict(truth), print_function=_silent)
    evaluation = COCOeval_faster(gold, gold.loadRes([dict(box) for box in boxes]), "bbox", print_function=_silent)
    evaluation.run()
    found = [float(value) for value in evaluation.stats[: len(NAMES)]]
    return {name: value if value >= 0 else None for name, value in zip(NAMES, found, strict=True)}


def _has_size(name: str, areas: Sequence[float]) -> bool:
    """Whether a gold box is of the size that a number is about; areas in square pixels."""
    size = name.partition("_")[2]
    low, high = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}.get(size, (0, 1e10))
    return any(low <= area <= high for area in areas)


def _silent(*_: object) -> None:
    """Print nothing."""
