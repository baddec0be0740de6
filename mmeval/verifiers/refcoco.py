"""The published rules that read a box from an answer, for RefCOCO, RefCOCO+ and RefCOCOg.

`vlm-r1` and `vlm-r1-plain` (om-ai-lab/VLM-R1, history at 6fd7e5e: answers with and without tags), `internvl` (InternVL's
evaluate_grounding.py), `vlmevalkit` (VLMEvalKit @e8e78f05). The last two tell fractions from thousandths by the numbers;
that is their rule, and only theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from mmeval.core.errors import DataError, UsageError, unknown
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.box import read_box
from mmeval.verifiers.coordinates import iou, scales, sorted_corners, to_pixels
from mmeval.verifiers.enclosed import enclosed

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_WHOLE = re.compile(r"\[([0-9]+),\s*([0-9]+),\s*([0-9]+),\s*([0-9]+)\]")
_NUMBER = r"\s*+(-?(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++))\s*+"
_FOUR = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_FIELDS = re.compile(r"\[([^\[\],]*),([^\[\],]*),([^\[\],]*),([^\[\],]*)\]")
_ANY = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|-?\.[0-9]+")

Read = tuple[list[float], tuple[int, int]]
"""Four numbers as written, and where."""


class RefCOCOVerifier:
    """One box by a published rule; value and target are [x1, y1, x2, y2] in pixels of the original image.

    Right at an IoU of at least 0.5, under `vlm-r1` and `vlm-r1-plain` above 0.5; `scores["iou"]` beside it. Option `rule`.
    """

    name = "refcoco"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        rule = self._options.get("rule")
        if rule is not None and rule not in RULES:
            raise unknown("rule of RefCOCO", str(rule), list(RULES))

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the box by the rule.

        Raises:
            DataError: when the rule needs an image size that the sample lacks.
            UsageError: when no rule is given.
        """
        rule = self._rule(context)
        read, scaled = RULES[rule]
        found = read(text)
        if found is None:
            return Extraction(reason="not found" if text.strip() else "empty")
        numbers, span = found
        if not all(map(math.isfinite, numbers)):
            return Extraction(reason="not finite")
        pixels = scaled(numbers, context)
        return Extraction(reason="not finite") if pixels is None else Extraction(pixels, span)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compute the IoU.

        Raises:
            DataError: when the target is no box.
        """
        overlap = iou(value, read_box(target))
        right = overlap > 0.5 if self._rule(context).startswith("vlm-r1") else overlap >= 0.5
        return Match(float(right), right, {"iou": overlap})

    def _rule(self, context: AnswerContext) -> str:
        rule = str(merged_options(self._options, context.options).get("rule"))
        if rule not in RULES:
            raise UsageError("verifier 'refcoco' needs the option rule", remedy=f"use one of {', '.join(RULES)}")
        return rule


def _tagged(text: str) -> Read | None:
    """The last box of whole numbers inside braces of the first answer tag."""
    answer = next(enclosed(_ANSWER, text, "</answer>"), None)
    if answer is None:
        return None
    first, last = text.find("{", *answer.span(1)), text.rfind("}", *answer.span(1))
    if first < 0 or last < first:
        return None
    found = max(_WHOLE.finditer(text, first, last), key=lambda match: match.start(), default=None)
    return _read(found)


def _plain(text: str) -> Read | None:
    """The first box of four numbers in brackets."""
    return _read(_FOUR.search(text))


def _fields(text: str) -> Read | None:
    """The first brackets with four fields; one that is no number makes the answer unreadable."""
    found = _FIELDS.search(text)
    try:
        return _read(found)
    except ValueError:
        return None


def _first_four(text: str) -> Read | None:
    """The first box of four numbers in brackets, else the first four numbers."""
    found = _plain(text)
    if found is not None:
        return found
    matches = []
    for match in _ANY.finditer(text):
        matches.append(match)
        if len(matches) == 4:
            return [float(one.group()) for one in matches], (matches[0].start(), match.end())
    return None


def _read(found: re.Match[str] | None) -> Read | None:
    return None if found is None else ([float(one) for one in found.groups()], found.span())


def _declared(numbers: list[float], context: AnswerContext) -> list[float] | None:
    return to_pixels(tuple(numbers), scales(context))


def _internvl(numbers: list[float], context: AnswerContext) -> list[float] | None:
    width, height = _size(context)
    divisor = 1000 if sum(numbers) >= 4 else 1
    return [value / divisor * side for value, side in zip(numbers, (width, height) * 2, strict=True)]


def _vlmevalkit(numbers: list[float], context: AnswerContext) -> list[float] | None:
    width, height = _size(context)
    largest = max(map(abs, numbers))
    if largest <= 1000:
        divisor = 1 if largest <= 1.5 else 1000
        numbers = [value / divisor * side for value, side in zip(numbers, (width, height) * 2, strict=True)]
    clipped = [min(max(value, 0.0), float(side)) for value, side in zip(numbers, (width, height) * 2, strict=True)]
    return sorted_corners(clipped)


def _size(context: AnswerContext) -> tuple[int, int]:
    if context.image_size is None:
        raise DataError("the rule needs the image size, and the sample has none", remedy="give the sample its image")
    return context.image_size


RULES: Mapping[str, tuple[Callable[[str], Read | None], Callable[[list[float], AnswerContext], list[float] | None]]] = {
    "vlm-r1": (_tagged, _declared),
    "vlm-r1-plain": (_plain, _declared),
    "internvl": (_fields, _internvl),
    "vlmevalkit": (_first_four, _vlmevalkit),
}
