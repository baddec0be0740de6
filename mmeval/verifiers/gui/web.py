"""One step on a web page, as Mind2Web compares it: the element, the operation, and both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import after_reasoning, merged_options
from mmeval.verifiers.coordinates import Box
from mmeval.verifiers.detections import FRAMES, pixels_of
from mmeval.verifiers.gui.action import ParseError
from mmeval.verifiers.gui.tool_call import json_objects, named_calls, point_of

OPERATIONS: Mapping[str, str] = {
    "click": "CLICK", "left_click": "CLICK", "tap": "CLICK", "hover": "CLICK", "mouse_move": "CLICK", "enter": "CLICK", "press_enter": "CLICK",
    "type": "TYPE", "input": "TYPE", "input_text": "TYPE", "type_text": "TYPE", "fill": "TYPE", "write": "TYPE",
    "select": "SELECT", "select_option": "SELECT", "choose": "SELECT", "select_dropdown": "SELECT",
}  # fmt: skip
"""Names of an operation -> the data set's three; hovering and pressing Enter are clicks there."""
_VALUES = ("value", "text", "content", "option", "input_text")
_MISSING = "-1,-1,-1,-1"
"""The rectangle of an element that is not shown."""


class WebStepVerifier:
    """The answer is one operation on one element, value {operation, point, value}, the point in pixels of the original image.

    Read are JSON objects (or Python's literals) with `action` (click, type, select and other names of `OPERATIONS`), a point, and for
    text and options a value; several different ones are no answer, and neither is one without a point. Option `frame` is the space of
    the points (`detections.FRAMES`).

    The target is {"operation": "CLICK", "TYPE" or "SELECT", "value": text, "rects": …}: boxes of the right elements, each
    [x, y, width, height] in pixels, or a text of these; a point on the edge is inside. Scores: `element` (0 or 1), `operation_f1` (F1 of
    the sets of words of operation and value, in lower case; a click has no value), `type` (0 or 1). The primary score is 1 where the
    element is right and `operation_f1` is 1. A row without an answer has 0 in all.
    """

    name = "web-step"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the one operation that the text states.

        Raises:
            DataError: when the space of the points needs an image size that the sample lacks.
        """
        options = merged_options(self._options, context.options)
        answer = after_reasoning(text, options)
        if answer is None:
            return Extraction(reason="unfinished reasoning")
        frame = options.get("frame", FRAMES[0])
        swapped = frame == FRAMES[0] and context.coordinate_order == "yx"
        convert = pixels_of(frame, context)
        found: list[tuple[dict[str, Any], int, int]] = []
        try:
            for value, (start, end) in json_objects(answer, in_tags=False):
                for call in named_calls(value):
                    found.append((_operation(call), start, end))
        except ParseError as error:
            return Extraction(reason=str(error))
        if not found:
            return Extraction(reason="no action")
        if any(entry != found[0][0] for entry, _, _ in found):
            return Extraction(reason="several actions")
        stated, start, end = found[0]
        x, y = stated["point"]
        pixels = convert((y, x) if swapped else (x, y))
        if pixels is None:
            return Extraction(reason="not finite")
        offset = len(text) - len(answer)
        return Extraction({**stated, "point": pixels}, (offset + start, offset + end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare element and operation.

        Raises:
            DataError: when the target is none of the form above.
        """
        operation, text, boxes = _gold(target)
        x, y = value["point"]
        element = any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in boxes)
        overlap = _word_f1(_words(value["operation"], value.get("value")), _words(operation, text))
        right = element and overlap == 1
        scores = {
            "element": float(element),
            "operation_f1": overlap,
            "type": float(value["operation"] == operation),
        }
        return Match(float(right), right, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """Nothing of it is right."""
        return {"element": 0.0, "operation_f1": 0.0, "type": 0.0}


def _operation(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return operation, point and value of a call, the point as written.

    Raises:
        ParseError: for another operation, or a call without a point or without the text that it needs.
    """
    named = str(call["action"]).strip().lower().replace(" ", "_").replace("-", "_")
    operation = OPERATIONS.get(named)
    if operation is None:
        raise ParseError(f"operation {named[:40]!r}")
    point = point_of(call)
    if point is None:
        raise ParseError("no point")
    if operation == "CLICK":
        return {"operation": operation, "point": [float(one) for one in point]}
    value = next((call[key] for key in _VALUES if call.get(key) is not None), None)
    if not isinstance(value, (str, int, float)):
        raise ParseError("no value")
    return {"operation": operation, "point": [float(one) for one in point], "value": str(value)}


def _words(operation: str, value: str | None) -> set[str]:
    return {operation.lower(), *(value or "").lower().split()} if operation != "CLICK" else {operation.lower()}


def _word_f1(first: set[str], second: set[str]) -> float:
    return 2 * len(first & second) / (len(first) + len(second))


def _gold(target: Any) -> tuple[str, str, list[Box]]:
    operation = str(target.get("operation")).upper() if isinstance(target, Mapping) else None
    rects = target.get("rects") if isinstance(target, Mapping) else None
    if operation not in ("CLICK", "TYPE", "SELECT") or not isinstance(rects, (list, tuple)):
        raise DataError(
            f"target {str(target)[:80]!r} is no step on a page",
            remedy="give operation (CLICK, TYPE or SELECT), value, and rects",
        )
    return operation, str(target.get("value") or ""), rect_boxes(rects)


def rect_boxes(rects: Sequence[Any]) -> list[Box]:
    """Return rectangles, [x, y, width, height] or a text of these, as boxes [x1, y1, x2, y2]; those that are not shown are left out.

    Raises:
        DataError: for one that is no rectangle.
    """
    return [_box(rect) for rect in rects if rect != _MISSING]


def _box(rect: Any) -> Box:
    parts: Sequence[Any] = rect.split(",") if isinstance(rect, str) else rect if isinstance(rect, (list, tuple)) else ()
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise DataError(f"target: {rect!r} is no rectangle", remedy="give [x, y, width, height] in pixels")
    x, y, width, height = numbers
    return [x, y, x + width, y + height]
