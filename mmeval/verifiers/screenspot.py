"""The published rules that read a click from an answer, for ScreenSpot, ScreenSpot-v2 and ScreenSpot-Pro.

Each form belongs to a script: `seeclick` (njucckevin/SeeClick @661ff1b, pretrain/screenspot_test.py), `qwen2-vl` and
`tool-call` (model wrappers of ScreenSpot-Pro-GUI-Grounding), `pyautogui` (Aguvis), `vlmevalkit` (VLMEvalKit @e8e78f05).
The form says in which space its numbers are; only `tool-call` answers in pixels of the image as sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mmeval.core.errors import UsageError, unknown
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.coordinates import scales, to_pixels
from mmeval.verifiers.point import PointVerifier

FALLBACK = "fallback"
"""Score of a row without a readable point, which the rule takes for the point (0, 0)."""
_NUMBERS = re.compile(r"-?[0-9]+\.?[0-9]*")
_CORNERS = re.compile(r"\(([0-9]+),([0-9]+)\),\(([0-9]+),([0-9]+)\)")
_BOX_TOKENS = re.compile(r"<\|box_start\|>\(([0-9]+),([0-9]+)\),\(([0-9]+),([0-9]+)\)<\|box_end\|>")
_CLICK = re.compile(r"x=([0-9.]+), y=([0-9.]+)")
_OPENING, _CLOSING = "<tool_call>\n", "\n</tool_call>"


@dataclass(frozen=True, slots=True)
class _Click:
    """A point as written."""

    x: float
    y: float
    space: str
    """`unit`, `thousand`, `sent` (pixels of the image as sent) or `source` (pixels of the original)."""
    span: tuple[int, int] | None = None
    fallback: bool = False


class ScreenSpotVerifier:
    """A click by a published rule, value [x, y]; the target is {"box": [x1, y1, x2, y2]}, in original pixels.

    A hit is a point inside the box, edges included. Option `form` names the rule. Under `vlmevalkit` an answer without
    "x=…, y=…" is the point (0, 0), and the row has the score `fallback`. A row's option `wrapper`, {"point": [x, y] or null},
    is what the benchmark's own wrapper of the model had read, in original pixels: it is taken instead of reading anew.
    """

    name = "screenspot"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._region = PointVerifier()
        form = self._options.get("form")
        if form is not None and form not in FORMS:
            raise unknown("form of ScreenSpot answers", str(form), list(FORMS))

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the point by the rule.

        Raises:
            DataError: when the form's space needs an image size that the sample lacks.
            UsageError: when no form is given.
        """
        options = merged_options(self._options, context.options)
        wrapper = options.get("wrapper")
        if isinstance(wrapper, Mapping):
            return _wrapped(wrapper.get("point"), text)
        read = FORMS.get(str(options.get("form")))
        if read is None:
            raise UsageError("verifier 'screenspot' needs the option form", remedy=f"use one of {', '.join(FORMS)}")
        click = read(text)
        if click is None:
            return Extraction(reason="not found" if text.strip() else "empty")
        pixels = _in_pixels(click, context)
        if pixels is None:
            return Extraction(reason="not finite")
        return Extraction(pixels, click.span, scores={FALLBACK: 1.0} if click.fallback else {})

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Test whether the point lies in the box.

        Raises:
            DataError: when the target is not {"box": [x1, y1, x2, y2]}.
        """
        return self._region.match(value, target, context)


def _wrapped(point: Any, text: str) -> Extraction:
    if not isinstance(point, (list, tuple)) or len(point) < 2 or not all(_is_number(one) for one in point[:2]):
        return Extraction(reason="not found" if text.strip() else "empty")
    x, y = float(point[0]), float(point[1])
    return Extraction([x, y]) if math.isfinite(x) and math.isfinite(y) else Extraction(reason="not finite")


def _in_pixels(click: _Click, context: AnswerContext) -> list[float] | None:
    numbers = (click.x, click.y)
    if not all(map(math.isfinite, numbers)):
        return None
    if click.space == "source":
        return list(numbers)
    space = "pixels" if click.space == "sent" else click.space
    return to_pixels(numbers, scales(replace(context, coordinates=space)))


def _seeclick(text: str) -> _Click | None:
    """An answer that says "box": the centre of the first two corners, 0–1000; else its only 2 or 4 numbers, 0–1."""
    if "box" in text:
        corners = _CORNERS.search(text)
        return _centre([float(one) for one in corners.groups()], "thousand", corners.span()) if corners else None
    return _two_or_four(text, "unit")


def _qwen2_vl(text: str) -> _Click | None:
    """The last box between box tokens, else the only 2 or 4 numbers of the answer; all 0–1000."""
    if "<|box_start|>" in text and "<|box_end|>" in text:
        found = max(_BOX_TOKENS.finditer(text), key=lambda match: match.start(), default=None)
        return _centre([float(one) for one in found.groups()], "thousand", found.span()) if found else None
    return _two_or_four(text, "thousand")


def _two_or_four(text: str, space: str) -> _Click | None:
    matches = []
    for match in _NUMBERS.finditer(text):
        matches.append(match)
        if len(matches) > 4:
            return None
    numbers = [float(match.group()) for match in matches]
    if len(numbers) == 2:
        return _Click(numbers[0], numbers[1], space, (matches[0].start(), matches[1].end()))
    return _centre(numbers, space, (matches[0].start(), matches[3].end())) if len(numbers) == 4 else None


def _centre(box: list[float], space: str, span: tuple[int, int]) -> _Click:
    return _Click((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, space, span)


def _tool_call(text: str) -> _Click | None:
    """The `coordinate` of the first tool call, whatever its action is, in pixels of the image as sent."""
    start = text.find(_OPENING)
    if start < 0 or "</tool_call>" not in text:
        return None
    begin = start + len(_OPENING)
    ends = [place for mark in (_OPENING, _CLOSING) if (place := text.find(mark, begin)) >= 0]
    end = min(ends, default=len(text))
    try:
        call = orjson.loads(text[begin:end])
    except orjson.JSONDecodeError:
        return None
    arguments = call.get("arguments") if isinstance(call, dict) else None
    point = arguments.get("coordinate") if isinstance(arguments, dict) else None
    if not isinstance(point, list) or len(point) < 2 or not all(_is_number(one) for one in point[:2]):
        return None
    return _Click(float(point[0]), float(point[1]), "sent", (begin, end))


def _is_number(value: Any) -> bool:
    # Whole numbers beyond the range of floats are no coordinates.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _pyautogui(text: str) -> _Click | None:
    """The first "x=…, y=…", 0–1."""
    return _clicked(text)


def _vlmevalkit(text: str) -> _Click | None:
    """The first "x=…, y=…": 0–1 where both are at most 1, else pixels of the original; without one, the corner (0, 0)."""
    click = _clicked(text)
    if click is None:
        return _Click(0.0, 0.0, "source", fallback=True)
    return replace(click, space="source") if click.x > 1 or click.y > 1 else click


def _clicked(text: str) -> _Click | None:
    found = _CLICK.search(text)
    if found is None:
        return None
    try:
        return _Click(float(found.group(1)), float(found.group(2)), "unit", found.span())
    except ValueError:
        return None


FORMS: Mapping[str, Callable[[str], _Click | None]] = {
    "seeclick": _seeclick,
    "qwen2-vl": _qwen2_vl,
    "tool-call": _tool_call,
    "pyautogui": _pyautogui,
    "vlmevalkit": _vlmevalkit,
}
