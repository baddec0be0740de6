"""Points in a region: which share of the points that an answer names lies inside."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, answer_phrases, answer_section, merged_options
from mmeval.verifiers.box import read_box
from mmeval.verifiers.coordinates import Shape, find_four, find_points, sorted_corners
from mmeval.verifiers.detections import FRAMES, is_frame, pixels_of
from mmeval.verifiers.gui.place import in_polygon, read_polygon
from mmeval.verifiers.masks import MaskError, read_gold, size_of

if TYPE_CHECKING:
    from mmeval.verifiers.masks import Mask

TAKEN = ("all", "first")
"""Which points count: all of them, each as much as another, or the first."""
RULES = ("mmeval", "robopoint")
"""How points are read: in every notation, in the declared frame, or as the script of RoboPoint reads them."""
BOXES = ("none", "pixels")
"""What four numbers in one pair of brackets are: nothing, or all pixels of the box."""
_LIST = re.compile(r"[\[(]\s*+[\[({]")
"""How a list of points or of objects begins."""
_WORD = re.compile(r"[^\W\d_]+")
_BRACKET = re.compile(r"[\[({\])}]")
_FENCE = re.compile(r"```[A-Za-z0-9]{0,12}\s*?\n(.*?)(?:```|\Z)", re.DOTALL)
_TUPLE = re.compile(r"\(([^()]{1,400})\)")
_PLAIN = re.compile(r"\s*[+\-]?[0-9]{1,300}(\.[0-9]{0,300})?")


class PointsVerifier:
    """Several points, value a list of [x, y] in pixels of the original image; the score is the share of them in the region.

    The target is {"mask": a run-length code or polygons}, {"box": [x1, y1, x2, y2]} or {"polygon": [x1, y1, x2, y2, …]}, edges of
    the latter two inside; a mask may be of another size than the image, if of the same shape. A point of fractions lies in the pixel that it falls into; one outside the image is outside the region.
    `correct`: all points are inside. Scores: `points`, their number, and `any`, whether one is inside.

    Points are read behind the last answer phrase, of fenced text the last fence; where lists of points stand, pairs outside them do
    not count. Option `take: first` scores the first point alone. Option `frame` is the space of the numbers (`detections.FRAMES`).
    Option `boxes: pixels` takes a box for all its pixels, each a point. Option `rule: robopoint` reads as its script does: pairs
    (and with `boxes: pixels` fours) in round brackets anywhere in the answer; with a decimal point they are shares of the sides, whole ones are pixels of the
    original image; parts of pixels are cut off.
    """

    name = "points"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the points, and boxes where they count, in the order of the answer.

        Raises:
            DataError: when the frame needs an image size that the sample lacks.
            UsageError: for an unknown frame.
        """
        options = merged_options(self._options, context.options)
        if options.get("rule", RULES[0]) == "robopoint":
            found = _tuples(text, context, options.get("boxes", BOXES[0]) == "pixels")
            return _taken(found, options) if found else Extraction(reason="no pair of numbers in round brackets")
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        return _taken(_read(section, context, options), options)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Count what of the points lies in the region.

        Raises:
            DataError: when the target is no region.
        """
        inside, total = _counted(value, target, context)
        share = inside / total if total else 0.0
        return Match(share, share == 1.0, {"points": float(total), "any": float(inside > 0)})


def _taken(found: Sequence[tuple[list[float], int, int]] | str, options: Mapping[str, Any]) -> Extraction:
    if isinstance(found, str):
        return Extraction(reason=found)
    if options.get("take", TAKEN[0]) == "first":
        found = found[:1]
    return Extraction([place for place, _, _ in found], (found[0][1], found[-1][2]))


def _read(
    section: Section, context: AnswerContext, options: Mapping[str, Any]
) -> list[tuple[list[float], int, int]] | str:
    """Return what the section states, in pixels, with start and end in the response; why not where it states nothing."""
    frame = options.get("frame", FRAMES[0])
    if not is_frame(frame):
        raise UsageError(
            f"answer option frame: {frame!r} is no frame", remedy=f"use one of {', '.join(FRAMES)}, or [width, height]"
        )
    order = context.coordinate_order if frame == FRAMES[0] else "xy"
    points = find_points(section.text, order, listed=True)
    boxes = find_four(section.text, order)
    counted = options.get("boxes", BOXES[0]) == "pixels"
    shapes = sorted([*points, *boxes] if counted else points, key=lambda shape: shape.start)
    if not shapes:
        return "boxes, no points" if boxes else "not found"
    convert = pixels_of(frame, context)
    placed = []
    for shape in _stated(section.text, shapes):
        pixels = convert(shape.numbers)
        if pixels is not None:
            whole = pixels if len(pixels) == 2 else [float(max(0, int(one))) for one in sorted_corners(pixels)]
            placed.append((whole, *section.span(shape.start, shape.end)))
    return placed or "not finite"


def _stated(text: str, shapes: list[Shape]) -> list[Shape]:
    """Return the shapes that are the answer: behind the last answer phrase, in the last fence, inside lists of points."""
    phrases = [end for _, end in answer_phrases(text)]
    behind = [shape for shape in shapes if phrases and shape.start >= phrases[-1] - 1]
    shapes = behind or shapes
    for fence in reversed(list(_FENCE.finditer(text))):
        within = [shape for shape in shapes if fence.start(1) <= shape.start < fence.end(1)]
        if within:
            shapes = within
            break
    spans = _lists(text)
    listed = [shape for shape in shapes if any(start < shape.start < end for start, end in spans)]
    return listed or (_together(text, shapes) if behind else shapes)


def _together(text: str, shapes: list[Shape]) -> list[Shape]:
    """Return the first shapes between which there are no words: what follows them explains the answer."""
    count = 1
    for before, after in pairwise(shapes):
        words = _WORD.findall(text, before.end, after.start)
        if any(word.lower() not in ("and", "or") for word in words):
            break
        count += 1
    return shapes[:count]


def _lists(text: str) -> list[tuple[int, int]]:
    """Return start and end of the outermost lists whose first element is a bracket itself; one that is cut off ends with the text."""
    spans: list[tuple[int, int]] = []
    position = 0
    while (begun := _LIST.search(text, position)) is not None:
        depth, position = 0, len(text)
        for bracket in _BRACKET.finditer(text, begun.start()):
            depth += 1 if bracket.group() in "[({" else -1
            if depth == 0:
                position = bracket.end()
                break
        spans.append((begun.start(), position))
    return spans


def _tuples(text: str, context: AnswerContext, boxes: bool) -> list[tuple[list[float], int, int]]:
    """Return what RoboPoint's script reads: (x, y) and, with `boxes`, (x1, y1, x2, y2); with a decimal point they are shares."""
    if context.image_size is None:
        raise DataError(
            "shares of the sides need the image size, and the sample has none", remedy="give the sample its image"
        )
    found = []
    for match in _TUPLE.finditer(text):
        written = [_PLAIN.fullmatch(part) for part in match.group(1).split(",")]
        if len(written) not in ((2, 4) if boxes else (2,)) or None in written or match.group(1)[0].isspace():
            continue
        parts = [one for one in written if one is not None]
        # Of a box only the first number decides.
        shares = any(one.group(1) is not None for one in (parts if len(parts) == 2 else parts[:1]))
        sides = context.image_size * 2 if shares else (1, 1, 1, 1)
        numbers = [float(one.group()) * side for one, side in zip(parts, sides, strict=False)]
        if all(math.isfinite(number) for number in numbers):
            found.append(([float(math.trunc(number)) for number in numbers], *match.span()))
    return found


def _counted(value: Any, target: Any, context: AnswerContext) -> tuple[int, int]:
    """Return how many of the points lie in the region, and how many there are."""
    import numpy as np

    kind = next(iter(target)) if isinstance(target, Mapping) and len(target) == 1 else None
    if kind == "mask":
        mask = _mask(target["mask"], context)
        width, height = context.image_size or mask.shape[::-1]
        scale = (mask.shape[1] / width, mask.shape[0] / height) * 2
        inside = total = 0
        for place in ([one * factor for one, factor in zip(place, scale, strict=False)] for place in value):
            if len(place) == 2:
                inside += _in_mask(place, mask)
                total += 1
            else:
                x1, y1, x2, y2 = (int(max(-1e9, min(1e9, number))) for number in place)
                box = mask[y1:y2, x1:x2]
                inside += int(np.count_nonzero(box))
                total += int(box.size)
        return inside, total
    if kind == "box":
        left, top, right, bottom = read_box(target["box"])
        hits = [left <= x <= right and top <= y <= bottom for x, y in _points_alone(value)]
    elif kind == "polygon":
        corners = read_polygon(target["polygon"])
        hits = [in_polygon(place, corners) for place in _points_alone(value)]
    else:
        raise DataError(f"target {str(target)[:80]!r} is not a region", remedy="give a mask, a box or a polygon")
    return sum(hits), len(hits)


def _points_alone(value: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    if any(len(place) != 2 for place in value):
        raise DataError("boxes count by their pixels, which the target does not have", remedy="give a mask as the gold")
    return [(float(place[0]), float(place[1])) for place in value]


def _mask(target: Any, context: AnswerContext) -> Mask:
    """Return the pixels of the region; a run-length code may be of a picture that is larger or smaller, but of the image's shape."""
    size = context.image_size
    try:
        if size is not None and isinstance(target, Mapping) and "counts" in target:
            width, height = size_of(target)
            # Less than a pixel off, as sides are whole numbers.
            if abs(width * size[1] - height * size[0]) < max(width, size[0]):
                size = (width, height)
        gold = read_gold(target, size)
    except MaskError as error:
        raise DataError(f"gold mask: {error}", remedy="correct the row's mask") from error
    return gold.mask if gold.ignored is None else gold.mask & ~gold.ignored


def _in_mask(point: Sequence[float], mask: Mask) -> bool:
    height, width = mask.shape
    x, y = math.floor(point[0]), math.floor(point[1])
    return 0 <= x < width and 0 <= y < height and bool(mask[y, x])
