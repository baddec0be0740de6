"""One box: intersection over union with the target box."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_phrases, answer_section, merged_options, negated
from mmeval.verifiers.coordinates import Box, Shape, find_boxes, iou, shape_in_pixels, sorted_corners
from mmeval.verifiers.thresholds import overlap_threshold

_NOT_AT = re.compile(
    r"(?:\bnot|n['’]t)\s+(?:(?:be|located|situated)\s+)?(?:at|in|on|near|around)\s+(?:the\s+)?(?:[a-z]+\s+)?[(\"'`*]*\Z",
    re.IGNORECASE,
)


class BoxVerifier:
    """The answer is one box; value and target are [x1, y1, x2, y2] in pixels of the original image.

    Score: IoU, also as `scores["iou"]`, with `iou@0.5` and `iou@0.75` as 0 or 1. Option `threshold` makes
    IoU >= threshold the primary score and `correct`; without it `correct` is None.
    """

    name = "box"
    version = "4"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the box; several different boxes without an answer phrase are ambiguous.

        Raises:
            DataError: when the coordinate space needs an image size that the sample lacks.
        """
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found = one_shape(section.text, find_boxes(section.text, context.coordinate_order))
        if isinstance(found, str):
            return Extraction(reason=found)
        pixels = shape_in_pixels(found, context)
        if pixels is None:
            return Extraction(reason="not finite")
        return Extraction(sorted_corners(pixels), section.span(found.start, found.end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compute the IoU.

        Raises:
            DataError: when the target is no box, or `threshold` is not in (0, 1].
        """
        overlap = iou(value, read_box(target))
        scores = {"iou": overlap, "iou@0.5": float(overlap >= 0.5), "iou@0.75": float(overlap >= 0.75)}
        threshold = overlap_threshold(merged_options(self._options, context.options))
        if threshold is None:
            return Match(overlap, None, scores)
        return Match(float(overlap >= threshold), overlap >= threshold, scores)


def one_shape(text: str, found: list[Shape]) -> Shape | str:
    """Return the one shape that a text states, or why there is none; an answer phrase decides between several."""
    found = [shape for shape in found if not _is_negated(text, shape.start)]
    if not found:
        return "not found"
    phrases = [end for _, end in answer_phrases(text)]
    if len({shape.numbers for shape in found}) > 1 and phrases:
        found = [shape for shape in found if shape.start >= phrases[-1] - 1] or found
    return found[0] if len({shape.numbers for shape in found}) == 1 else "ambiguous"


def _is_negated(text: str, place: int) -> bool:
    """Whether a shape is one that the text says it is not: "not at (1, 2)", "not [1, 2, 3, 4]"."""
    return negated(text, place) or _NOT_AT.search(text, max(0, place - 48), place) is not None


def read_box(target: Any) -> Box:
    """Return a gold box.

    Raises:
        DataError: when it is not [x1, y1, x2, y2] with finite numbers, x1 <= x2 and y1 <= y2.
    """
    numbers = list(target) if isinstance(target, (list, tuple)) else []
    valid = len(numbers) == 4 and all(
        isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
        for number in numbers
    )
    if not valid or numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        raise DataError(
            f"target {target!r} is not a box",
            remedy="give [x1, y1, x2, y2] in pixels of the original image, corners in order",
        )
    return [float(number) for number in numbers]
