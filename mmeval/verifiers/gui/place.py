"""One point on a screen for OSWorld-G: in a box or a polygon, or the statement that there is no such element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, mask, merged_options
from mmeval.verifiers.box import read_box
from mmeval.verifiers.gui.action import gold_point
from mmeval.verifiers.point import PointVerifier

REFUSED = [-1.0, -1.0]
"""Value of an answer that says that the element is not there."""
_WORDS = frozenset(
    {
        "refusal",
        "none",
        "null",
        "not found",
        "no such element",
        "there are none",
        "there is none",
        "n/a",
        "infeasible",
        "不存在",
    }
)


class ScreenPlaceVerifier:
    """A point, value [x, y]; both below 0, or "none" alone, say that there is no such element.

    The target, in original pixels, is {"box": [x1, y1, x2, y2]}, {"polygon": [x1, y1, x2, y2, …]} (a point on its edge is
    inside), or {"refusal": true}: then the right answer is that there is none. Option `accept_box` takes a box as its centre.
    Score `refused`: whether the answer says that there is none.
    """

    name = "screen-place"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._point = PointVerifier(self._options)
        self.version = f"2+{self._point.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the point, or `REFUSED`.

        Raises:
            DataError: when the coordinate space needs an image size that the sample lacks.
        """
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        if mask(section.text).strip(" \t\r\n.`'\"[]()").lower() in _WORDS:
            return Extraction(list(REFUSED), section.span(0, len(section.text)))
        found = self._point.parse(text, context)
        if found.value is not None and max(found.value) < 0:
            return Extraction(list(REFUSED), found.span)
        return found

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Test whether the point lies in the region, or whether there is rightly none.

        Raises:
            DataError: when the target is none of the three.
        """
        refused = list(value) == REFUSED
        hit = _hit(value, target, refused)
        return Match(float(hit), hit, {"refused": float(refused)})


def _hit(value: Sequence[float], target: Any, refused: bool) -> bool:
    if isinstance(target, Mapping) and target.get("refusal"):
        return refused
    if isinstance(target, Mapping) and set(target) == {"polygon"}:
        return in_polygon((float(value[0]), float(value[1])), read_polygon(target["polygon"]))
    if not isinstance(target, Mapping) or set(target) != {"box"}:
        raise DataError(f"target {target!r} is no place on a screen", remedy="give a box, a polygon, or refusal: true")
    left, top, right, bottom = read_box(target["box"])
    return left <= value[0] <= right and top <= value[1] <= bottom


def read_polygon(value: Any) -> list[tuple[float, float]]:
    """Return the corners of a polygon that is given as [x1, y1, x2, y2, …].

    Raises:
        DataError: when it has fewer than three corners, or a coordinate that is no finite number.
    """
    numbers = list(value) if isinstance(value, (list, tuple)) else []
    if len(numbers) < 6 or len(numbers) % 2:
        raise DataError(f"target: polygon {value!r} has no three corners", remedy="give [x1, y1, x2, y2, x3, y3, …]")
    return [gold_point(numbers[place : place + 2], "polygon") for place in range(0, len(numbers), 2)]


def in_polygon(point: tuple[float, float], corners: Sequence[tuple[float, float]]) -> bool:
    """Whether a point lies in a polygon by the even-odd rule, or on its edge."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if cross == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return True
        if (y1 > y) != (y2 > y) and (cross > 0) == (y2 > y1):
            inside = not inside
    return inside
