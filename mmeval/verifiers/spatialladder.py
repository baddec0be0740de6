"""The rules of SpatialLadder's evaluation (VSI-Bench, SPBench, ViewSpatial, CV-Bench) and of OmniSpatial's.

Sources: ZJU-REAL/SpatialLadder @87320be, eval_spld/data_utils; qizekun/OmniSpatial @208bac2, api_eval.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.enclosed import enclosed
from mmeval.verifiers.vocabulary import words
from mmeval.verifiers.vsibench import match_spatial

FORMATS = ("re", "json", "direct")
_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_LETTER = re.compile(r"([A-D])\.?")
_BRACKETED = re.compile(r"[(\[{]?([A-D])[)\]}]?\.?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NUMBER_WORDS = {
    word: float(value)
    for value, word in enumerate(
        words(
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
            " nineteen twenty"
        ),
        start=1,
    )
}
_NUMBER_WORDS |= {
    word: 10.0 * tens for tens, word in enumerate(words("thirty forty fifty sixty seventy eighty ninety"), start=3)
}
_NUMBER_WORDS |= {"zero": 0.0, "a": 1.0, "an": 1.0}
_LABELLED = re.compile(r"Answer\s*:\s*([A-D])\b", re.IGNORECASE)


class SpatialLadderVerifier:
    """What the first answer tags hold, else the whole response; tags that are not closed hold nothing.

    A row with choices is multiple choice: its first word is the answer where that is a capital from A to D (with a full stop),
    else the whole text, compared whatever its case. Option `brackets: true` (CV-Bench) takes "(a)" too. Other rows want a number, scored by Mean
    Relative Accuracy: a number word anywhere goes before any digits, the smaller before the larger, and "a" is 1; digits have no sign.
    """

    name = "spatialladder"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return a letter (or the text that is none), or a number."""
        answer = text
        if "<answer>" in text:
            tagged = next(enclosed(_TAGGED, text, "</answer>"), None)
            answer = tagged.group(1).strip() if tagged else ""
        if not answer.strip():
            return Extraction(reason="empty")
        if not context.choices:
            number = _first_number(answer)
            return Extraction(reason="not found") if number is None else Extraction(number)
        brackets = merged_options(self._options, context.options).get("brackets")
        answer = answer if brackets else answer.replace("Answer:", "")
        found = (_BRACKETED if brackets else _LETTER).fullmatch(answer.split(" ")[0].strip())
        value = found.group(1) if found else answer.strip()
        return Extraction(value.upper()) if value else Extraction(reason="empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters or numbers.

        Raises:
            DataError: when the target is neither.
        """
        return match_spatial(value, target, choice=bool(context.choices))


class OmniSpatialVerifier:
    """OmniSpatial's rules: `form` re (the last "Answer: X"), json ({"answer": "X"}) or direct (the first character).

    Where re and json find nothing the script takes A; the score `fallback` says so. The target is a letter.
    """

    name = "omnispatial"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return a letter, or what stands for one.

        Raises:
            DataError: when `form` is unknown.
        """
        form = str(merged_options(self._options, context.options).get("form", FORMATS[0]))
        if form not in FORMATS:
            raise DataError(f"answer option form: {form!r} is unknown", remedy=f"use one of {', '.join(FORMATS)}")
        if not text.strip():
            return Extraction(reason="empty")
        if form == "direct":
            return Extraction(text.strip().upper()[:1])
        if form == "re":
            found = _LABELLED.findall(text)
            letter = found[-1].upper() if found else None
        else:
            letter = _json_letter(text)
        return Extraction("A", scores={"fallback": 1.0}) if letter is None else Extraction(letter)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is none.
        """
        if not isinstance(target, str) or len(target.strip()) != 1:
            raise DataError(f"target {target!r} is no letter", remedy="give the gold answer as a letter")
        right = value == target.strip().upper()
        return Match(float(right), right)


def _first_number(answer: str) -> float | None:
    lowered = answer.strip().lower()
    for word, value in _NUMBER_WORDS.items():
        if re.search(rf"\b{word}\b", lowered):
            return value
    found = _NUMBER.search(lowered)
    number = float(found.group()) if found else None
    return None if number is None or number == float("inf") else number


def _json_letter(text: str) -> str | None:
    try:
        value = json.loads(text.strip().removeprefix("```json").removesuffix("```").strip())
    except (ValueError, RecursionError):
        return None
    answer = value.get("answer") if isinstance(value, dict) else None
    return answer.strip().upper()[:1] if isinstance(answer, str) else None
