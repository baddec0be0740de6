"""One point: whether it lies in the target region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options
from mmeval.verifiers.box import one_shape, read_box
from mmeval.verifiers.coordinates import Shape, find_boxes, find_points, shape_in_pixels

_BETWEEN = re.compile(r"[\])）］】][^\[(（［【]*[\[(（［【]")


class PointVerifier:
    """The answer is one point, value [x, y]; the target is {"box": [x1, y1, x2, y2]}, in original pixels.

    A hit is a point inside the box, edges included. Option `accept_box: true` takes a box as its centre; two pairs that
    are no upper left and lower right corner are two points, and ambiguous.
    """

    name = "point"
    version = "5"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the point; several different points without an answer phrase are ambiguous.

        Raises:
            DataError: when the coordinate space needs an image size that the sample lacks.
        """
        options = merged_options(self._options, context.options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        boxes = [
            box
            for box in find_boxes(section.text, context.coordinate_order)
            if not _two_points(section.text[box.start : box.end], box.numbers)
        ]
        found: list[Shape] = []
        if boxes and options.get("accept_box"):
            found = [replace(box, numbers=_centre(box.numbers)) for box in boxes]
        elif not boxes:
            found = find_points(section.text, context.coordinate_order)
        stated = one_shape(section.text, found)
        if isinstance(stated, str):
            return Extraction(reason="a box, not a point" if boxes and not found else stated)
        pixels = shape_in_pixels(stated, context)
        if pixels is None:
            return Extraction(reason="not finite")
        return Extraction(pixels, section.span(stated.start, stated.end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Test whether the point lies in the box.

        Raises:
            DataError: when the target is not {"box": [x1, y1, x2, y2]}.
        """
        if not isinstance(target, Mapping) or set(target) != {"box"}:
            raise DataError(f"target {target!r} is not a region", remedy='give {"box": [x1, y1, x2, y2]}')
        left, top, right, bottom = read_box(target["box"])
        hit = left <= value[0] <= right and top <= value[1] <= bottom
        return Match(float(hit), hit)


def _two_points(text: str, numbers: tuple[float, ...]) -> bool:
    """Whether two pairs are points rather than a box's corners: joined by "and", the same, or the second left of or above the first."""
    between = _BETWEEN.search(text)
    if between is None:
        return False
    apart = "and" in between.group().lower() or numbers[2] < numbers[0] or numbers[3] < numbers[1]
    return apart or numbers[:2] == numbers[2:]


def _centre(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return numbers[0] / 2 + numbers[2] / 2, numbers[1] / 2 + numbers[3] / 2
