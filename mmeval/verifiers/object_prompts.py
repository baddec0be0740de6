"""What an answer gives a segmenter to go by: boxes and points, object by object."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmeval.core.types import AnswerContext, Extraction
from mmeval.verifiers.answer import answer_section
from mmeval.verifiers.coordinates import find_boxes, find_points, scales, shape_in_pixels, sorted_corners, to_pixels
from mmeval.verifiers.mask import framed
from mmeval.verifiers.mask_answers import json_values

_BOXES = frozenset({"bbox_2d", "bbox", "box_2d", "box", "position"})
_POINTS = frozenset({"point_2d", "point", "points_2d", "points"})
MOST_OBJECTS = 200
"""Objects of one answer that are segmented; more are a model that repeats itself."""


@dataclass(frozen=True, slots=True)
class ObjectPrompt:
    """One object, in pixels of the original image."""

    box: tuple[float, float, float, float] | None
    """x1, y1, x2, y2 with corners in order."""
    points: tuple[tuple[float, float], ...] = ()
    """Points on the object."""


def object_prompts(text: str, context: AnswerContext) -> list[ObjectPrompt]:
    """Return the objects of an answer: those of its JSON objects with a box or points, else its boxes, else its points as one.

    Equal ones count once. Numbers are read in the space that the context declares (or its option `frame`).

    Raises:
        DataError: when the space needs an image size that the sample lacks.
    """
    placed = framed(context, context.options)
    section = answer_section(text, context.options)
    if isinstance(section, Extraction):
        return []
    start, stop = section.whole
    content = text[start:stop]
    factors = scales(placed)
    swapped = placed.coordinate_order == "yx"

    def pixels(numbers: tuple[float, ...]) -> list[float] | None:
        if swapped:
            numbers = tuple(numbers[index ^ 1] for index in range(len(numbers)))
        return to_pixels(numbers, factors)

    found = [prompt for value, _, _ in json_values(content) for prompt in _objects(value, pixels)]
    if not found:
        boxes = [shape_in_pixels(shape, placed) for shape in find_boxes(content, placed.coordinate_order)]
        found = [_prompt(box, []) for box in boxes if box is not None]
    if not found:
        points = [shape_in_pixels(shape, placed) for shape in find_points(content, placed.coordinate_order)]
        known = [point for point in points if point is not None]
        found = [_prompt(None, known)] if known else []
    return list(dict.fromkeys(found))[:MOST_OBJECTS]


def _prompt(box: list[float] | None, points: list[list[float]]) -> ObjectPrompt:
    corners = None
    if box is not None:
        x1, y1, x2, y2 = sorted_corners(box)
        corners = (x1, y1, x2, y2)
    return ObjectPrompt(corners, tuple((point[0], point[1]) for point in points))


def _objects(value: Any, pixels: Any) -> Iterator[ObjectPrompt]:
    if isinstance(value, list):
        for entry in value:
            yield from _objects(entry, pixels)
        return
    if not isinstance(value, Mapping):
        return
    fields = {str(key).strip().lower(): entry for key, entry in value.items()}
    boxes = [_numbers(entry, 4) for key, entry in fields.items() if key in _BOXES]
    points = [point for key, entry in fields.items() if key in _POINTS for point in _points(entry)]
    box = next((pixels(numbers) for numbers in boxes if numbers is not None), None)
    known = [point for point in map(pixels, points) if point is not None]
    if box is not None or known:
        yield _prompt(box, known)
        return
    for entry in value.values():
        yield from _objects(entry, pixels)


def _points(entry: Any) -> list[tuple[float, ...]]:
    alone = _numbers(entry, 2)
    if alone is not None:
        return [alone]
    found = [_numbers(point, 2) for point in entry] if isinstance(entry, list) else []
    return [point for point in found if point is not None]


def _numbers(entry: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(entry, list) or len(entry) != count:
        return None
    if not all(
        isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number) for number in entry
    ):
        return None
    return tuple(float(number) for number in entry)
