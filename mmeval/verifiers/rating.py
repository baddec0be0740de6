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
_LAST_NUMBER = re.compile(r"(?<![0-9.,])([0-9]+(?:\.[0-9]+)?)\s*$")
_LABEL = re.compile(
    r"\b(?:rating|score|quality|grade)\b\s*(?:is|of|:|=)+\s*"
    r"|\brate\s+(?:it|(?:this|the)(?:\s+(?:(?:image|picture|photo|video|overall|visual)(?:['’]s)?\s+){0,2}(?:image|picture|photo|video|quality)(?:\s+of\s+(?:this|the)\s+\w+)?)?)\s+(?:(?:as|at|with|an?)\s+){0,2}(?=[\"'(]?[0-9])",
    re.IGNORECASE,
)

_JSON_RATING = re.compile(
    r"""["'](?:rating|score)["']\s*:\s*("[^"\n]{0,80}"|'[^'\n]{0,80}'|[^,}\n]{1,80})""", re.IGNORECASE
)
_PLAIN_NUMBER = re.compile(
    r"([+-]?(?:[0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9])?)(?:\s*(?:/|out\s+of)\s*([0-9.]{1,6}))?"
)
_REMARK = re.compile(r"\s+(?:\([A-Za-z ]{1,40}\)|//[^\n]*)\Z")
"""Words behind the number ("4.0 (good)")."""
_DECIMAL_COMMA = re.compile(r",[0-9]")


class RatingVerifier:
    """The answer is a number within [low, high] (options, by default 1 to 5); "4/5" and "4 out of 5" are 4.

    The answer may be a JSON object with the key `rating` ({"rating": 3.42}). Option `target_range: [lowest, highest]` says
    on which scale the subjective scores are, where it is another one; `target_better: lower` that they fall as quality rises
    (DMOS). Both are facts of the data set, not of the rows: scores are brought to the scale of the ratings by them.

    Primary score: 1 - |rating - opinion| / (high - low). `correct` and `scores["exact"]`: equality. `scores["rating"]`
    and `scores["opinion"]`: the rating, and the subjective score on its scale.
    """

    name = "rating"
    version = "7"

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
        named = _named_ratings(section.text)
        if named:
            return _of_json(section, named, scale)
        plain, other, stated = _without_high(_without_scale(mask(section.text), scale), scale[1])
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
        options = merged_options(self._options, context.options)
        scale = _scale(options)
        opinion = _opinion(target, options, scale)
        exact = math.isclose(float(value), opinion, rel_tol=1e-9, abs_tol=1e-12)
        score = min(1.0, max(0.0, 1 - abs(float(value) - opinion) / (scale[1] - scale[0])))
        return Match(score, exact, {"exact": float(exact), "rating": float(value), "opinion": opinion})

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """Return the subjective score alone.

        Raises:
            DataError: as `match`.
        """
        options = merged_options(self._options, context.options)
        return {"opinion": _opinion(target, options, _scale(options))}


def _opinion(target: Any, options: Mapping[str, Any], scale: tuple[float, float]) -> float:
    """Return the subjective score on the scale of the ratings, larger for better; one beyond its range is not cut."""
    score = read_target(target)
    given = options.get("target_range")
    if given is None:
        first, last = scale
    else:
        first, last = float(given[0]), float(given[1])
    if options.get("target_better", "higher") == "lower":
        first, last = last, first
    if (first, last) == scale:
        return score
    return scale[0] + (score - first) / (last - first) * (scale[1] - scale[0])


def _named_ratings(text: str) -> list[tuple[str, int, int]]:
    """Return the values of the key `rating` in a text that looks like JSON, with their places."""
    named = []
    for found in _JSON_RATING.finditer(text):
        # "3,42" is no JSON, and may mean 3.42 or 3: it is kept whole, and is no number.
        whole = found.end() + 2 if _DECIMAL_COMMA.match(text, found.end()) else found.end()
        named.append((text[found.start(1) : whole], found.start(1), whole))
    return named


def _of_json(section: Section, named: list[tuple[str, int, int]], scale: tuple[float, float]) -> Extraction:
    if named[-1][0].endswith(".") and not section.text[named[-1][2] :].strip():
        return Extraction(reason="truncated")
    numbers = [_plain_number(value, scale[1]) for value, _, _ in named]
    if any(number is None for number in numbers):
        return Extraction(reason="the rating is no number")
    if len(set(numbers)) > 1:
        return Extraction(reason="several ratings")
    number = numbers[-1]
    assert number is not None
    if not scale[0] <= number <= scale[1]:
        return Extraction(reason="out of range")
    return Extraction(number, section.span(*named[-1][1:]))


def _plain_number(text: str, high: float) -> float | None:
    """Return the value of a JSON field: a number, also in quotes, in a list of one, or with the end of the scale ("4/5")."""
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    inner = _REMARK.sub("", inner.strip().strip("\"'").strip())
    found = _PLAIN_NUMBER.fullmatch(inner.strip())
    if found is None or (found.group(2) is not None and found.group(2).rstrip(".") not in (f"{high:g}", f"{high:.1f}")):
        return None
    return float(found.group(1))


def _scale(options: Mapping[str, Any]) -> tuple[float, float]:
    bounds = [options.get("low", 1), options.get("high", 5)]
    valid = all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in bounds)
    if not valid or not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1]:
        raise DataError(
            f"answer options low: {bounds[0]!r} and high: {bounds[1]!r} make no scale",
            remedy="give two numbers with low < high",
        )
    return float(bounds[0]), float(bounds[1])


def _without_scale(text: str, scale: tuple[float, float]) -> str:
    """Return the text, equally long, without the scale in brackets: "Rating (1-5): 3.5"."""
    low, high = (rf"{re.escape(f'{bound:g}')}(?:\.0)?" for bound in scale)
    named = rf"\(\s*(?:(?:on\s+)?(?:a\s+)?scale\s*:?\s*(?:of|from)?\s*)?{low}\s*(?:-|–|—|to)\s*{high}\s*\)"
    named += rf"|\b(?:on\s+)?a\s+scale\s+(?:of|from)\s+{low}\s*(?:-|–|—|to)\s*{high}(?![0-9.])"
    return re.sub(named, lambda found: " " * len(found.group()), text, flags=re.IGNORECASE)


def _without_high(text: str, high: float) -> tuple[str, bool, list[Numeral]]:
    """Return the text without "/5" behind its numbers, whether it uses another scale, and the numbers with "/5".

    A number on another scale ("8/10") is blanked whole.
    """
    other = False
    stated: list[Numeral] = []
    for found in reversed(list(_OF_HIGH.finditer(text))):
        number = _LAST_NUMBER.search(text, max(0, found.start() - 20), found.start())
        start = found.start()
        if number is None:
            if found.group(1) != "满分":
                continue
        elif float(found.group(2)) != high:
            start = number.start(1)
            other = True
        else:
            value = find_numerals(number.group(1))[0].value
            stated.append(Numeral(value, *number.span(1)))
        text = text[:start] + " " * (found.end() - start) + text[found.end() :]
    return text, other, stated
