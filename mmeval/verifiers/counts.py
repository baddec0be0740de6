"""How many things there are: a number, a total of parts, nothing at all, or the things pointed at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.types import AnswerContext, Extraction
from mmeval.verifiers.answer import answer_section, merged_options
from mmeval.verifiers.coordinates import find_points, without_points
from mmeval.verifiers.detection_lines import says_nothing
from mmeval.verifiers.mask_answers import json_values
from mmeval.verifiers.number import NumberVerifier
from mmeval.verifiers.numerals import find_numerals, find_word_numbers

_NUMBER = r"\*{0,2}((?<![0-9])[0-9]{1,6}(?![.,]*[0-9])|[a-z]{3,9}(?:-[a-z]{3,5})?)\b"
_TOTAL = re.compile(
    rf"\ba\s+(?:grand\s+)?total\s+of\s+{_NUMBER}"
    rf"|\btotal(?:\s+(?:count|number)(?:\s+of\s+[\w ]{{1,40}}?)?)?\s*+\*{{0,2}}\s*+(?:is|:|=)\s*{_NUMBER}"
    rf"|\b(?:in\s+total|altogether),?\s+(?:there\s+(?:are|is)|i\s+(?:can\s+)?(?:see|count))\s+{_NUMBER}"
    rf"|{_NUMBER}\s+(?:[\w-]+\s+){{0,4}}?(?:in\s+total|altogether)\b",
    re.IGNORECASE,
)
_COLLECTIVE = re.compile(
    r"(?:\b(?:is|are|see|shows?|contains?)\s+|\A\W*)(?:only\s+|just\s+)?a\s+(single|pair|couple)\b", re.IGNORECASE
)
_COLLECTIVES = {"single": 1, "pair": 2, "couple": 2}
_LOOKED = re.compile(r"\W*(?:i|we|the\s+(?:image|picture|photo|scene|video))\s", re.IGNORECASE)
_UNSEEN = re.compile(
    r"\bany\s+(?:(?!(?:in|on|of|from)\b)\w+\s+){0,3}?"
    r"(?:images?|pictures?|photos?|videos?|attachments?|files?|things?|contents?|inputs?|visuals?|media|uploads?|data|information)\b",
    re.IGNORECASE,
)
"""Of a picture that did not arrive ("I can't see any image")."""
_UNNAMED = re.compile(
    r"(?:\bnot|n['’]t)\s+identify\s+any\s+(?:(?!in\b)\w+\s+){0,3}?(?:people|persons?|individuals?|faces?|humans?)\b",
    re.IGNORECASE,
)
"""Of people, whom a model may see and refuse to name ("I can't identify any people in this image")."""
_POINTS = re.compile(r"<points?\b[^<>]{0,100000}>", re.IGNORECASE)
_X = re.compile(r"\bx[0-9]*\s*=\s*[\"'][0-9.]+[\"']", re.IGNORECASE)
_PLACES = frozenset({"point_2d", "point", "bbox_2d", "bbox", "box_2d", "box"})
_MOST = 40
"""Numbers of an answer that are added up."""


class CountVerifier(NumberVerifier):
    """The answer is a whole number of things; value, target and options as of `NumberVerifier`.

    Where that reads no number: a total that is named ("a total of 7"), the number that is the sum of all the others ("4 planes, 2
    on the left and 2 on the right"), 0 where the answer says that nothing is there, 1 of "a single", 2 of "a pair", or the number
    of points or boxes where the answer is a list of them. Two totals are ambiguous.
    """

    name = "count"
    version = f"5+{NumberVerifier.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the number."""
        found = super().parse(without_points(text), context)
        if found.found or found.reason in ("empty", "unfinished reasoning"):
            return found
        if _UNNAMED.search(text) and says_nothing(text):
            return found
        looked = _LOOKED.match(text) is not None and _UNSEEN.search(text) is None
        if found.reason == "refusal" and not (looked and says_nothing(text)):
            return found
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        start, stop = section.whole
        count = _count(text[start:stop])
        return found if count is None else Extraction(count, (start, stop))


def _count(text: str) -> int | None:
    places = _places(text)
    if places is not None:
        return places
    totals = {_value(group) for match in _TOTAL.finditer(text) for group in match.groups() if group is not None}
    totals.discard(None)
    if totals:
        return totals.pop() if len(totals) == 1 else None
    if says_nothing(text):
        return 0
    numbers = _numbers(text)
    collective = _COLLECTIVE.findall(text)
    if not numbers and len(collective) == 1:
        return _COLLECTIVES[collective[0].lower()]
    if 3 <= len(numbers) <= _MOST:
        ends = [end for end in (numbers[0], numbers[-1]) if 2 * end == sum(numbers)]
        return ends[0] if ends else None
    return None


def _value(word: str) -> int | None:
    if word.isdigit():
        return int(word)
    found = find_word_numbers(word)
    return _whole(found[0].value) if len(found) == 1 else None


def _numbers(text: str) -> list[int]:
    """Return the whole numbers of a text in their order; none where a number is no count."""
    found = sorted((*find_numerals(text), *find_word_numbers(text)), key=lambda numeral: numeral.start)
    values = [_whole(numeral.value) for numeral in found]
    return [value for value in values if value is not None] if None not in values else []


def _whole(value: Any) -> int | None:
    return int(value) if value is not None and value == value // 1 and 0 <= value < 10**6 else None


def _places(text: str) -> int | None:
    """Return how many points or boxes an answer lists, where it is a list of them."""
    tags = _POINTS.findall(text)
    if tags:
        return sum(max(1, len(_X.findall(tag)) or len(find_points(tag, "xy"))) for tag in tags)
    count = 0
    for value, _, _ in json_values(text):
        entries = value if isinstance(value, list) else [value]
        placed = [isinstance(one, Mapping) and bool(_PLACES & {str(key).lower() for key in one}) for one in entries]
        if not all(placed):
            return None
        count += len(entries)
    return count or None
