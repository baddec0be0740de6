"""A set of boxes: matched one to one with the target boxes at IoU 0.5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options
from mmeval.verifiers.box import read_box
from mmeval.verifiers.coordinates import Box, find_boxes, shape_in_pixels, sorted_corners
from mmeval.verifiers.detection_lines import says_nothing

MATCH_IOU = 0.5
_EMPTY = re.compile(r"[\s`]*(?:json[\s`]*)?\[\s*\][\s`.]*", re.IGNORECASE)
_CHUNK = 512


class BoxesVerifier:
    """The answer is a list of boxes, the target too: each [x1, y1, x2, y2] in pixels of the original image.

    Scores: `precision`, `recall` and `f1` (primary) of a one-to-one matching that takes pairs by falling IoU, at
    least 0.5. No boxes on both sides is a perfect answer; on one side only, 0. `correct` is None.
    """

    name = "boxes"
    version = "4"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return all complete boxes; `[]` or "no objects" is the empty list.

        Raises:
            DataError: when the coordinate space needs an image size that the sample lacks.
        """
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found = find_boxes(section.text, context.coordinate_order)
        if not found:
            if _EMPTY.fullmatch(section.text) or says_nothing(section.text):
                return Extraction([], section.span(0, len(section.text)))
            return Extraction(reason="not found")
        converted = [shape_in_pixels(shape, context) for shape in found]
        boxes = [sorted_corners(pixels) for pixels in converted if pixels is not None]
        if not boxes:
            return Extraction(reason="not finite")
        return Extraction(boxes, section.span(found[0].start, found[-1].end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Match the boxes.

        Raises:
            DataError: when the target is not a list of boxes.
        """
        if not isinstance(target, (list, tuple)):
            raise DataError(
                f"target {target!r} is not a list of boxes", remedy="give [[x1, y1, x2, y2], …], possibly empty"
            )
        golds = [read_box(box) for box in target]
        if not value and not golds:
            return Match(1.0, None, {"precision": 1.0, "recall": 1.0, "f1": 1.0})
        hits = count_matches(value, golds)
        precision = hits / len(value) if value else 0.0
        recall = hits / len(golds) if golds else 0.0
        f1 = 2 * hits / (len(value) + len(golds))
        return Match(f1, None, {"precision": precision, "recall": recall, "f1": f1})


def count_matches(boxes: list[Box], golds: list[Box], threshold: float = MATCH_IOU) -> int:
    """Return how many boxes find a gold box of their own, pairs taken by falling IoU (ties: lower indices)."""
    import numpy as np

    if not boxes or not golds:
        return 0
    gold = np.asarray(golds, dtype=np.float64)
    gold_area = (gold[:, 2] - gold[:, 0]) * (gold[:, 3] - gold[:, 1])
    pairs: list[tuple[float, int, int]] = []
    for offset in range(0, len(boxes), _CHUNK):  # bounds the memory of the pairwise table
        part = np.asarray(boxes[offset : offset + _CHUNK], dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            width = np.minimum(part[:, None, 2], gold[None, :, 2]) - np.maximum(part[:, None, 0], gold[None, :, 0])
            height = np.minimum(part[:, None, 3], gold[None, :, 3]) - np.maximum(part[:, None, 1], gold[None, :, 1])
            shared = np.clip(width, 0, None) * np.clip(height, 0, None)
            area = (part[:, 2] - part[:, 0]) * (part[:, 3] - part[:, 1])
            union = area[:, None] + gold_area[None, :] - shared
            table = np.where((union > 0) & np.isfinite(union), shared / np.where(union > 0, union, 1), 0.0)
        rows, columns = np.nonzero(table >= threshold)
        pairs += [(-float(table[i, j]), offset + int(i), int(j)) for i, j in zip(rows, columns, strict=True)]
    pairs.sort()
    used_boxes: set[int] = set()
    used_golds: set[int] = set()
    for _, box, other in pairs:
        if box not in used_boxes and other not in used_golds:
            used_boxes.add(box)
            used_golds.add(other)
    return len(used_boxes)
