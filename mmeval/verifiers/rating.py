"""Ratings: a number on a declared scale, scored by its distance from the target."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, answer_section, mask, merged_options
from mmeval.verifiers.number import find_number, read_target
from mmeval.verifiers.numerals import Numeral, find_numerals

_OF_HIGH = re.compile(r"(/|\b(?:out\s+)?of\b|满分)[ \t]*([0-9]+(?:\.[0-9]+)?)(?![0-9])", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?)\s*$")
_LABEL = re.compile(r"\b(?:rating|score|quality|grade)\b\s*(?:is|of|:|=)+\s*", re.IGNORECASE)


class RatingVerifier:
    """The answer is a number within [low, high] (options, by default 1 to 5); "4/5" and "4 out of 5" are 4.

    Primary score: 1 - |value - target| / (high - low). `correct` and `scores["exact"]`: equality.
    """

    name = "rating"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the rating; one beyond the scale, or given on another scale, is no answer.

        Raises:
            DataError: when the declared bounds are no scale.
        """
        options = merged_options(self._options, context.options)
        scale = _scale(options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        plain, other, stated = _without_high(mask(section.text), scale[1])
        if len({item.value for item in stated}) == 1:
            found: Numeral | str = stated[0]
        else:
            found = find_number(Section(plain, section.start, section.marked), _LABEL)
        if isinstance(found, str):
            return Extraction(reason="another scale" if other else found)
        if not scale[0] <= found.value <= scale[1]:
            return Extraction(reason="out of range")
        return Extraction(found.value, section.span(found.start, found.end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Score the distance.

        Raises:
            DataError: when the target is no number, or the declared scale is none.
        """
        scale = _scale(merged_options(self._options, context.options))
        gold = read_target(target)
        exact = math.isclose(float(value), gold, rel_tol=1e-9, abs_tol=1e-12)
        score = max(0.0, 1 - abs(float(value) - gold) / (scale[1] - scale[0]))
        return Match(score, exact, {"exact": float(exact)})


def _scale(options: Mapping[str, Any]) -> tuple[float, float]:
    bounds = [options.get("low", 1), options.get("high", 5)]
    valid = all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in bounds)
    if not valid or not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1]:
        raise DataError(
            f"answer options low: {bounds[0]!r} and high: {bounds[1]!r} make no scale",
            remedy="give two numbers with low < high",
        )
    return float(bounds[0]), float(bounds[1])


def _without_high(text: str, high: float) -> tuple[str, bool, list[Numeral]]:
    """Return the text without "/5" behind its numbers, whether it uses another scale, and the numbers with "/5".

    A number on another scale ("8/10") is blanked whole.
    """
    other = False
    stated: list[Numeral] = []
    for found in reversed(list(_OF_HIGH.finditer(text))):
        number = _LAST_NUMBER.search(text, max(0, found.start() - 20), found.start())
        if number is None:
            continue
        start = found.start()
        if float(found.group(2)) != high:
            start = number.start(1)
            other = True
        else:
            value = find_numerals(number.group(1))[0].value
            stated.append(Numeral(value, *number.span(1)))
        text = text[:start] + " " * (found.end() - start) + text[found.end() :]
    return text, other, stated
