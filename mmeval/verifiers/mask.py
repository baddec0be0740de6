"""A mask: how much of it the answer covers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options
from mmeval.verifiers.box import one_shape
from mmeval.verifiers.broken_json import parsed
from mmeval.verifiers.coordinates import find_boxes, iou, scales, shape_in_pixels, sorted_corners, to_pixels
from mmeval.verifiers.mask_answers import find_codes, find_polygons, json_values, stated_part, written_polygon
from mmeval.verifiers.masks import (
    Gold,
    MaskError,
    bounding_box,
    decode_runs,
    encode_runs,
    flat_polygon,
    from_boxes,
    from_polygons,
    read_gold,
    share,
    share_above,
    size_of,
)

READINGS = ("mask", "box-as-mask", "box")
"""What is taken for the answer: masks; boxes, filled; or one box, compared with the box around the gold mask."""


_FENCES = re.compile(r"\A\s*```[a-z]{0,10}|```\s*\Z", re.IGNORECASE)


class MaskVerifier:
    """The target is a mask: a run-length code, {"shapes": …} or {"polygons": …} (`masks.read_gold`).

    Option `prediction` says what is read. `mask` (the default): run-length codes and polygons, several are one mask together;
    the value is a run-length code. `box-as-mask`: all boxes, filled. `box`: one box, compared with the box around the gold mask.

    Scores: `iou` (primary), `p@50-95` (share of the thresholds 0.50 … 0.95 that it is above) and, but for `box`,
    `intersection` and `union` in pixels. Option `empty` is the IoU where neither side has a pixel (1 for ReasonSeg, 0 for
    Affordance-R1). Option `threshold` makes IoU > threshold `correct`. Option `frame: [width, height]` says that the model
    answers in pixels of the image brought to that size. A row without an answer is an empty mask that is never right.
    """

    name = "mask"
    version = "3"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the mask or the boxes that the answer states.

        Raises:
            DataError: when the coordinate space needs an image size that the sample lacks.
        """
        options = merged_options(self._options, context.options)
        placed = framed(context, options)
        reading = options.get("prediction", READINGS[0])
        if reading == "mask":
            return self._mask(text, placed, options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        found = find_boxes(section.text, placed.coordinate_order)
        if reading == "box":
            stated = one_shape(section.text, found)
            if isinstance(stated, str):
                return Extraction(reason=stated)
            found = [stated]
        if not found:
            return Extraction(reason="not found")
        pixels = [shape_in_pixels(shape, placed) for shape in found]
        boxes = [sorted_corners(box) for box in pixels if box is not None]
        if not boxes:
            return Extraction(reason="not finite")
        return Extraction(boxes, section.span(found[0].start, found[-1].end))

    def _mask(self, text: str, context: AnswerContext, options: Mapping[str, Any]) -> Extraction:
        made = stated_part(text, options)
        if isinstance(made, Extraction):
            return made
        content, start = made
        reason = "not found"
        literal = parsed(_FENCES.sub("", content).strip())
        values = list(json_values(content))
        if literal is not None and not any(isinstance(value, Mapping) for value, _, _ in values):
            values.append((literal, 0, len(content)))  # a Python literal
        for value, begin, end in reversed(values):
            try:
                mask = _stated(value, context)
            except MaskError as error:
                reason = str(error)
                continue
            if mask is not None:
                return Extraction(mask, (start + begin, start + end))
        polygon = written_polygon(content) if reason == "not found" else None
        if polygon is not None and (found := _stated({"polygon": polygon[0]}, context)) is not None:
            return Extraction(found, (start + polygon[1], start + polygon[2]))
        if reason == "not found" and find_boxes(content, context.coordinate_order):
            reason = "boxes, no mask"
        return Extraction(reason=reason)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare mask with mask, or box with box.

        Raises:
            DataError: when the target is no mask, or an option is not of its form.
        """
        options = merged_options(self._options, context.options)
        gold = _gold(target, context)
        if options.get("prediction", READINGS[0]) == "box":
            around = bounding_box(gold.mask)
            overlap = 0.0 if around is None else iou(value[0], around)
            return self._match(overlap, {}, options)
        size = (gold.mask.shape[1], gold.mask.shape[0])
        if isinstance(value, Mapping):
            # Of another size than the image: nothing of it can be placed.
            fits = size_of(value) == size
            mask = decode_runs(value) if fits else from_boxes([], size)
        else:
            mask = from_boxes(value, size)
        shared, union = gold.shared(mask)
        found = share(shared, union, _empty(options))
        return self._match(found, {"intersection": float(shared), "union": float(union)}, options)

    def _match(self, overlap: float, more: Mapping[str, float], options: Mapping[str, Any]) -> Match:
        scores = {"iou": overlap, "p@50-95": share_above(overlap), **more}
        threshold = options.get("threshold")
        if threshold is None:
            return Match(overlap, None, scores)
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold < 1:
            raise DataError(f"answer option threshold: {threshold!r} is not in [0, 1)", remedy="correct the card")
        return Match(overlap, overlap > threshold, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """An empty mask: nothing shared, and all of the gold missed."""
        options = merged_options(self._options, context.options)
        if options.get("prediction", READINGS[0]) == "box":
            return {}
        return {"intersection": 0.0, "union": float(_gold(target, context).area)}


def _gold(target: Any, context: AnswerContext) -> Gold:
    try:
        return read_gold(target, context.image_size)
    except MaskError as error:
        raise DataError(f"gold mask: {error}", remedy="correct the row's mask") from error


def _empty(options: Mapping[str, Any]) -> float:
    value = options.get("empty", 1)
    if isinstance(value, bool) or value not in (0, 1):
        raise DataError(f"answer option empty: {value!r} is neither 0 nor 1", remedy="correct the card")
    return float(value)


def framed(context: AnswerContext, options: Mapping[str, Any]) -> AnswerContext:
    """Return the context in which the model's pixels are those of the image brought to the size that option `frame` declares.

    Raises:
        DataError: when it is not [width, height].
    """
    frame = options.get("frame")
    if frame is None:
        return context
    if not (
        isinstance(frame, (list, tuple))
        and len(frame) == 2
        and all(isinstance(side, int) and side > 0 for side in frame)
    ):
        raise DataError(f"answer option frame: {frame!r} is not [width, height]", remedy="correct the card")
    return replace(context, coordinates="pixels", sent_size=(frame[0], frame[1]))


def _stated(value: Any, context: AnswerContext) -> dict[str, Any] | None:
    """Return the mask that a JSON value states, as a run-length code; None where it states none.

    Raises:
        MaskError: when one of its masks is damaged, or of another size than the image.
    """
    codes = list(find_codes(value))
    polygons = [polygon for group in find_polygons(value) for polygon in group]
    if not codes and not polygons:
        return None
    sizes = {size_of(code) for code in codes} | ({context.image_size} if context.image_size else set())
    if len(sizes) > 1:
        raise MaskError("the mask is of another size than the image")
    if not sizes:
        raise MaskError("polygons need the size of the image")
    size = sizes.pop()
    union = from_boxes([], size)
    for code in codes:
        union |= decode_runs(code)
    if polygons:
        factors = scales(context)
        scaled = [to_pixels(tuple(flat_polygon(polygon)), factors) for polygon in polygons]
        if any(polygon is None for polygon in scaled):
            raise MaskError("a polygon's coordinates are not finite")
        union |= from_polygons(scaled, size)
    return encode_runs(union)
