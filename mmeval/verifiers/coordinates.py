"""Reading boxes and points from answers, and converting them to pixels of the original image.

The space of the numbers is declared (`AnswerContext.coordinates`, `coordinate_order`), never guessed from them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mmeval.core.errors import DataError
from mmeval.core.geometry import DIVISORS
from mmeval.core.types import AnswerContext

Box: TypeAlias = list[float]
"""[x1, y1, x2, y2] with x1 <= x2 and y1 <= y2."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Numbers of one box or point as written, brought to x before y."""

    numbers: tuple[float, ...]
    """(x1, y1, x2, y2) or (x, y), in the declared space."""
    start: int
    end: int
    whole: float | None = None
    """What a whole side counts, where the notation itself says it; None: the numbers are in the declared space."""


_WIDE = str.maketrans("（）［］【】，；：＝－．０１２３４５６７８９", "()[][],;:=-.0123456789")
"""Signs as Chinese text has them, each of the same length."""
_NUMBER = r"[+\-−]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+\-]?[0-9]{1,3})?"
_COMMA = r"(?:\s*+[,;]\s*+|\s++)"
_UNIT = r"(?:\s?px)?"
_CLOSING = r"\s*\\?(?:right)?[\])]"
"""With what LaTeX puts before it."""
_PAIR = rf"[\[(]\s*({_NUMBER}){_UNIT}{_COMMA}({_NUMBER}){_UNIT}{_CLOSING}"
_FOUR = rf"({_NUMBER}){_UNIT}{_COMMA}({_NUMBER}){_UNIT}{_COMMA}({_NUMBER}){_UNIT}{_COMMA}({_NUMBER}){_UNIT}"
_LETTERS = r"\(\s*x_?[0-9]?\s*,\s*y_?[0-9]?\s*\)"
_AXES = rf"\(?\s*\bx_?[0-9]?[\"']?\s*[:=]\s*({_NUMBER})[\s,;]+[\"']?y_?[0-9]?[\"']?\s*[:=]\s*({_NUMBER})"
_FIRST = rf"\b(?:top|upper)[\s_-]*left(?![a-z])(?:[^0-9\n(\[]|{_LETTERS}){{0,40}}"
_SECOND = rf"(?:[^0-9(\[]|{_LETTERS}|\([^0-9()\[\]]{{0,80}}\)){{0,60}}?(?<![a-z])(?:bottom|lower)[\s_-]*right(?![a-z])(?:[^0-9\n(\[]|{_LETTERS}){{0,40}}"
_KEY = r"[\"'*]{0,3}\s*+[:=]\s*+(?:[\"'*]{1,2}\s*+)?"
_BETWEEN = r"[\"'*]{0,3}\)?[\s,;]*(?:[-•*]\s+|\b(?:and|to)\s+)?\(?[\"'*]{0,3}"


def _keyed(*names: str) -> str:
    """Return a pattern of "name: number" pairs in the given order, with little between them."""
    return _BETWEEN.join(rf"(?<![A-Za-z0-9_]){name}{_KEY}({_NUMBER})" for name in names)


def _any_order(*names: str) -> str:
    """Return a pattern of four "name: number" pairs in any order, a group for each name and number."""
    return _BETWEEN.join([rf"(?<![A-Za-z0-9_])({'|'.join(names)}){_KEY}({_NUMBER})"] * 4)


_BOX = re.compile(
    "|".join(
        [
            rf"[\[(<]\s*{_FOUR}(?:{_CLOSING}|\s*>)",
            rf"{_PAIR}(?:\s*+(?:,|;|-|to|and))?\s*+{_PAIR}",
            rf"<\|?(?:box|bbox|box_start)\|?>\s*{_FOUR}",
            rf"{_FIRST}{_PAIR}{_SECOND}{_PAIR}",
            rf"<({_NUMBER})>\s*<({_NUMBER})>\s*<({_NUMBER})>\s*<({_NUMBER})>",
            rf"box[a-z0-9_]{{0,12}}[\"']\s*:\s*[\"']\s*{_FOUR}\s*[\"']",
            rf"\(x_?1,\s*y_?1\)\s*[=:]?\s*{_PAIR}[^0-9(\[]{{0,40}}\(x_?2,\s*y_?2\)\s*[=:]?\s*{_PAIR}",
            rf"{_FIRST}{_AXES}{_SECOND}{_AXES}",
            _any_order("x_?1", "y_?1", "x_?2", "y_?2"),
            _any_order("x_?min", "y_?min", "x_?max", "y_?max"),
            _any_order("left", "top", "right", "bottom"),
            _any_order("x", "y", "width", "height"),
            _any_order("x", "y", "w", "h"),
            _any_order("left", "top", "width", "height"),
        ]
    ),
    re.IGNORECASE,
)
_AXES_FROM, _NAMED_FROM = 28, 32
"""Groups up to the first are numbers in the declared order; behind it x stands before y; behind the second are names and numbers."""
_NAMES = {
    name: place
    for place, names in enumerate(
        (("x1", "xmin", "left", "x"), ("y1", "ymin", "top", "y"), ("x2", "xmax", "right"), ("y2", "ymax", "bottom"))
    )
    for name in names
}
_SIDES = {"width": 2, "w": 2, "height": 3, "h": 3}
# An opening bracket without its end is an answer that was cut off, perhaps inside a number.
_BARE_BOX = re.compile(rf"[^0-9\[(<{{]*?{_FOUR}[^0-9]*", re.IGNORECASE)
_BARE_LINE = re.compile(rf"[ \t]*{_FOUR.replace(chr(92) + 's', '[ ]')}[ \t]*[.,]?(?:[;\n]|\Z)", re.IGNORECASE)
_POINTS = re.compile(r"<points?\s[^<>]{0,100000}>", re.IGNORECASE)
"""Molmo's tags: `<point x="1" y="2" alt="…">`, `<points x1="1" y1="2" x2="3" y2="4" …>`."""
_PAIRED = re.compile(
    rf"(?<=\s)x([0-9]{{0,4}})\s*=\s*[\"']?({_NUMBER})[\"']?\s+y\1\s*=\s*[\"']?({_NUMBER})(?=[\"'\s/>])", re.IGNORECASE
)
_COORDS = re.compile(r"\bcoords\s*=\s*[\"']([0-9.:;,\s]{1,100000})[\"']", re.IGNORECASE)
"""Molmo 2's attribute: per picture (apart by tabs, commas, colons, semicolons) its number or time, then number, x and y of each point."""
_WRITTEN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_STEPS = re.compile(r"\s*".join([r"<loc([0-9]{4})>"] * 4))
_STEPS_WHOLE = 1024.0
"""PaliGemma's tokens count 1024 steps per side, and name y before x."""
_BINS = re.compile(r"\s*".join([r"<loc_([0-9]{1,3})>"] * 4))
_BINS_WHOLE = 1000.0
"""Florence-2's tokens are bins, a thousand per side, x before y; a coordinate is the middle of its bin."""
_CELLS = re.compile(r"<patch_index_([0-9]{4})>\s*<patch_index_([0-9]{4})>")
_CELLS_WHOLE = 32
"""Kosmos-2's tokens are the cells of two corners, 32 per side; in a box of more than one row and column a corner is the middle of its cell."""
_OPEN_TAG = re.compile(r"<[|A-Za-z][^<>]*\Z")
_ALONE = r"(?<![0-9)\]]\s)(?<![0-9)\],])"
"""Not right behind a number or another pair, which would make it a corner of a box."""
_POINT, _LISTED = (
    re.compile(
        "|".join(
            [
                rf"{before}{_PAIR}",
                rf"<\|?(?:point|point_start|click|coordinates?|position|location)\|?>\s*\(?\s*({_NUMBER}){_COMMA}({_NUMBER})",
                _keyed(*(rf"(?:cent(?:er|re)_?)?{axis}(?:_?coord(?:inate)?|_?cent(?:er|re))?" for axis in "xy")),
            ]
        ),
        re.IGNORECASE,
    )
    for before in (_ALONE, "")
)
_IN_BRACKETS = re.compile(rf"[\[(]\s*{_FOUR}{_CLOSING}")
_BARE_POINT = re.compile(rf"[^0-9\[(<{{]*?({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})[^0-9]*", re.IGNORECASE)


def find_boxes(text: str, order: Literal["xy", "yx"]) -> list[Shape]:
    """Return every complete box: `[x1, y1, x2, y2]`, two corner pairs, box tags, or named corners.

    Location tokens (`<loc0123>`, `<loc_123>`, `<patch_index_0123>`) are boxes in their own steps, whatever space is declared, and then
    the only form that is read. JSON that is cut off gives the boxes before the cut. Four bare numbers count only when they are all
    the numbers of the text, or of every line. A box with a number that is not finite is left out.
    """
    text = without_points(text.translate(_WIDE))
    found = list(_of_tokens(text))
    for match in () if found else _BOX.finditer(text):
        groups = [(group, index) for index, group in enumerate(match.groups(), 1) if group is not None]
        parts = [group for group, _ in groups]
        if groups[0][1] > _NAMED_FROM:
            shape = _named(dict(zip(parts[::2], parts[1::2], strict=True)), match)
        else:
            shape = _shape(parts, "xy" if groups[0][1] > _AXES_FROM else order, match)
        if shape is not None:
            found.append(shape)
    if not found:
        bare = _BARE_BOX.fullmatch(text)
        shape = _shape(list(bare.groups()), order, bare) if bare else None
        return [shape] if shape else _bare_lines(text, order)
    return found


def _of_tokens(text: str) -> Iterator[Shape]:
    """Yield the boxes of location tokens."""
    for match in _STEPS.finditer(text):
        top, left, bottom, right = map(float, match.groups())
        yield Shape((left, top, right, bottom), *match.span(), _STEPS_WHOLE)
    for match in _BINS.finditer(text):
        x1, y1, x2, y2 = (float(number) + 0.5 for number in match.groups())
        yield Shape((x1, y1, x2, y2), *match.span(), _BINS_WHOLE)
    for match in _CELLS.finditer(text):
        (top, left), (bottom, right) = (divmod(int(number), _CELLS_WHOLE) for number in match.groups())
        if max(top, bottom) < _CELLS_WHOLE:
            inner = 0.0 if top == bottom or left == right else 0.5
            numbers = (left + inner, top + inner, right + 1 - inner, bottom + 1 - inner)
            yield Shape(numbers, *match.span(), float(_CELLS_WHOLE))


def _bare_lines(text: str, order: Literal["xy", "yx"]) -> list[Shape]:
    """Return the boxes of a text whose every line is four numbers and nothing else."""
    found: list[Shape] = []
    position, last = 0, len(text.rstrip())
    while position < last:
        match = _BARE_LINE.match(text, position)
        shape = _shape(list(match.groups()), order, match) if match else None
        if match is None or shape is None:
            return []
        found.append(shape)
        position = match.end()
    return found


def find_points(text: str, order: Literal["xy", "yx"], listed: bool = False) -> list[Shape]:
    """Return every point: `[x, y]`, `(x, y)`, point tags (Molmo's too), or named axes ("x=1, y=2").

    With `listed` also a pair right behind another one, as in `[(1,2),(3,4)]`: two points, where `find_boxes` sees corners.
    """
    text = text.translate(_WIDE)
    found = [
        shape
        for tag in _POINTS.finditer(text)
        for pair in _PAIRED.finditer(text, *tag.span())
        if (shape := _shape([pair[2], pair[3]], "xy", pair)) is not None
    ]
    for tag in _POINTS.finditer(text):
        for coords in _COORDS.finditer(text, *tag.span()):
            found += _listed(text, *coords.span(1))
    text = without_points(text)
    for match in (_LISTED if listed else _POINT).finditer(text):
        groups = [(number, index) for index, number in enumerate(match.groups(), 1) if number is not None]
        shape = _shape([number for number, _ in groups], "xy" if groups[0][1] > 4 else order, match)
        if shape is not None:
            found.append(shape)
    if not found:
        bare = _BARE_POINT.fullmatch(text)
        shape = _shape(list(bare.groups()), order, bare) if bare else None
        return [shape] if shape else []
    return found


def find_four(text: str, order: Literal["xy", "yx"]) -> list[Shape]:
    """Return every box whose four numbers stand in one pair of brackets."""
    found = (_shape(list(match.groups()), order, match) for match in _IN_BRACKETS.finditer(text.translate(_WIDE)))
    return [shape for shape in found if shape is not None]


def without_points(text: str) -> str:
    """Return the text, equally long, without Molmo's tags, whose numbers are coordinates."""
    return _POINTS.sub(lambda tag: " " * len(tag.group()), text)


def _listed(text: str, start: int, end: int) -> Iterator[Shape]:
    """Yield the points of Molmo 2's attribute that stands in [start, end)."""
    for part in re.compile(r"[^\t\n:,;]+").finditer(text, start, end):
        written = list(_WRITTEN.finditer(text, *part.span()))
        first = len(written) % 3  # 1: the picture's number stands before the points
        for place in range(first, len(written), 3) if first < 2 else ():
            x, y = written[place + 1], written[place + 2]
            yield Shape((float(x.group()), float(y.group())), written[place].start(), y.end())


def _shape(numbers: list[str], order: str, match: re.Match[str]) -> Shape | None:
    values = [float(number.replace("−", "-")) for number in numbers]
    if not all(math.isfinite(value) for value in values) or _cut_off(match):
        return None
    if order == "yx":
        values = [value for index in range(0, len(values), 2) for value in (values[index + 1], values[index])]
    return Shape(tuple(values), *match.span())


def _named(numbers: dict[str, str], match: re.Match[str]) -> Shape | None:
    """Return the box of four named numbers, in any order; None where a name stands twice or one is missing."""
    found: dict[int, float] = {}
    for name, number in numbers.items():
        plain = name.lower().replace("_", "")
        value = float(number.replace("−", "-"))
        if plain in _SIDES:
            side = _SIDES[plain]
            corner = next(
                (one for key, one in numbers.items() if _NAMES.get(key.lower().replace("_", "")) == side - 2), None
            )
            if corner is None:
                return None
            found[side] = float(corner.replace("−", "-")) + value
        else:
            found[_NAMES[plain]] = value
    if len(found) != 4 or not all(math.isfinite(value) for value in found.values()) or _cut_off(match):
        return None
    return Shape((found[0], found[1], found[2], found[3]), *match.span())


def _cut_off(match: re.Match[str]) -> bool:
    """Whether the text ends inside the match, so that its last number may lack digits."""
    text, read = match.string, match.group()
    if match.end() < len(text) or not read[-1].isdigit():
        return False
    in_tag = read.startswith("<") or _OPEN_TAG.search(text, 0, match.start()) is not None
    return in_tag or text.count("{") > text.count("}")


def scales(context: AnswerContext) -> tuple[float, float, float, float]:
    """Return (multiply x, divide x, multiply y, divide y) from the declared space to original pixels.

    Multiplying before dividing keeps whole results exact. `pixels` without sizes are original pixels: nothing
    was resized as far as anybody knows.

    Raises:
        DataError: when the space is unknown, or the image size that it needs is missing.
    """
    if context.coordinates == "pixels":
        if context.sent_size is None or context.image_size is None or context.sent_size == context.image_size:
            return 1, 1, 1, 1
        return context.image_size[0], context.sent_size[0], context.image_size[1], context.sent_size[1]
    divisor = DIVISORS.get(context.coordinates)
    if divisor is None:
        raise DataError(
            f"unknown coordinate space {context.coordinates!r}", remedy="use pixels, unit, percent or thousand"
        )
    if context.image_size is None:
        raise DataError(
            f"coordinates in {context.coordinates!r} need the image size, and the sample has none",
            remedy="give the sample its image, or declare pixels",
        )
    return context.image_size[0], divisor, context.image_size[1], divisor


def shape_in_pixels(shape: Shape, context: AnswerContext) -> list[float] | None:
    """Return the numbers of a shape in pixels of the original image; None when one is not finite.

    Raises:
        DataError: as `scales`, also where the shape's notation has a space of its own.
    """
    if shape.whole is None:
        return to_pixels(shape.numbers, scales(context))
    return to_pixels(shape.numbers, whole_scales(shape.whole, context))


def whole_scales(whole: float, context: AnswerContext) -> tuple[float, float, float, float]:
    """Return the factors of numbers that count `whole` per side, as `scales` does.

    Raises:
        DataError: when the sample has no image size.
    """
    if context.image_size is None:
        raise DataError(
            "coordinates that are shares of the sides need the image size, and the sample has none",
            remedy="give the sample its image",
        )
    return context.image_size[0], whole, context.image_size[1], whole


def to_pixels(numbers: tuple[float, ...], factors: tuple[float, float, float, float]) -> list[float] | None:
    """Return x, y, x, y … in pixels of the original image; None when a result is not finite."""
    if factors == (1, 1, 1, 1):
        return list(numbers)
    converted = [
        value * factors[0] / factors[1] if index % 2 == 0 else value * factors[2] / factors[3]
        for index, value in enumerate(numbers)
    ]
    return converted if all(math.isfinite(value) for value in converted) else None


def sorted_corners(box: list[float]) -> Box:
    """Return the box with its corners in order."""
    return [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]


def iou(first: Box, second: Box) -> float:
    """Return the intersection over union of two xyxy boxes, 0 for two boxes without area.

    Boxes are not clipped to the image: what reaches beyond it counts against the answer.
    """
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    # Relative to the larger box, so that products of huge numbers stay finite.
    scale = max(first[2] - first[0], first[3] - first[1], second[2] - second[0], second[3] - second[1])
    if not math.isfinite(scale):
        return 0.0
    shared = (width / scale) * (height / scale)
    union = _area(first, scale) + _area(second, scale) - shared
    return min(1.0, shared / union) if union > 0 else 0.0


def _area(box: Box, scale: float) -> float:
    return ((box[2] - box[0]) / scale) * ((box[3] - box[1]) / scale)
