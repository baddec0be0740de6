"""VLMEvalKit's rules for spatial benchmarks (VSI-Bench, SPBench, SPAR-Bench …): letters and numbers near the end of a response.

Source: open-compass/VLMEvalKit @160057c, dataset/utils/spatial_bench/matching_func.py. With a judge it asks a language model instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.choice import LETTERS
from mmeval.verifiers.vsibench import match_spatial

TAIL_LINES = 6
TAIL = 800
"""Characters at the end in which a closing tag counts."""

_INVISIBLE = re.compile(r"[\u200b-\u200d\ufeff]")
_NUMBER = r"[-+]?(?:[0-9]*\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NUMBERS = re.compile(_NUMBER)
_TAG_OPENS = re.compile(r"<\s*answer\b[^>]{0,200}>\s*", re.IGNORECASE)
_TAG_CLOSES = re.compile(r"<\s*/\s*answer\s*>", re.IGNORECASE)
_TAGGED_LETTER = re.compile(r"[A-J]", re.IGNORECASE)
_THINK_CLOSES = re.compile(r"<\s*/\s*think\s*>", re.IGNORECASE)
_THINK_OPENS = re.compile(r"<\s*think\s*>", re.IGNORECASE)
_OPTION_LINE = re.compile(r"[*_>\-\s]*(?:option|选项)\s+[A-J]\s*[:：]", re.IGNORECASE)
_LETTER_LINE = re.compile(r"[*_`>（）\[\]【】()\s]*([A-Fa-f])[*_`（）\[\]【】()\s]*")
_LABELLED = re.compile(r"([A-F])\s*[.．:：)\]】、-]\s+", re.IGNORECASE)
_IN_LINE = re.compile(r"(?<![A-Za-z])([A-F])\s*[*_`）\])}]*(?=$|[\s.,:;!?)\]】》」』，。；、：）])")
_LEADS = (
    r"(?:final\s*answer|the\s*answer\s*is|answer(?:\s*is)?|correct\s*answer|答案|结论|所以|因此|我选(?:择)?|选择|选)"
)
_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


class VLMEvalKitSpatialVerifier:
    """A row with choices is multiple choice, value and target a letter; the others want a number (Mean Relative Accuracy).

    Row option `answer_type` (choice or number) decides where the choices stand in the question only. A letter found inside answer tags may be that of no option (A to J); what the rules leave open has no answer.
    """

    name = "vlmevalkit-spatial"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter or number that the rules find."""
        found: str | float | None = (
            option_letter(text, len(context.choices)) if self._is_choice(context) else number(text)
        )
        if found is None:
            return Extraction(reason="not found" if text.strip() else "empty")
        return Extraction(found)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters or numbers.

        Raises:
            DataError: when the target is neither.
        """
        return match_spatial(value, target, self._is_choice(context))

    def _is_choice(self, context: AnswerContext) -> bool:
        kind = merged_options(self._options, context.options).get("answer_type")
        return kind == "choice" if kind in ("choice", "number") else bool(context.choices)


def option_letter(response: str, count: int) -> str | None:
    """Return the letter of a response: in tags, before a closing tag, on one of the last lines, after a phrase, or the only one."""
    text = _INVISIBLE.sub("", response.strip())
    letters = LETTERS[: min(count, 10)] or "ABCDEF"
    opening = _TAG_OPENS.search(text)
    if opening is not None and _TAG_CLOSES.search(text, opening.end()):
        tagged = _TAGGED_LETTER.match(text, opening.end())
        if tagged is not None:
            return tagged.group().upper()
    tail = text[-TAIL:]
    before_tag, after_phrase, anywhere = _patterns(letters)
    for name in ("answer", "think"):
        found = before_tag[name].search(tail)
        if found is not None:
            return found.group(1).upper()
    for part in (_behind_thoughts(text), tail):
        named = _from_lines(part.splitlines()[-TAIL_LINES:])
        if named is not None:
            return named
    found = after_phrase.search(text)
    if found is not None:
        return found.group(1).upper()
    rest = "\n".join(line for line in text.splitlines() if _OPTION_LINE.match(line) is None)
    left: set[str] = set(anywhere.findall(rest))
    return left.pop() if len(left) == 1 else None


def number(response: str) -> float | None:
    """Return the number of a response: first in answer tags, else the last behind the thoughts, else the last of all."""
    text = _first_of_list(response)
    text = _WORD.sub(lambda found: str(_WORDS.index(found.group().lower())), _INVISIBLE.sub("", text.strip()))
    opening = _TAG_OPENS.search(text)
    closing = _TAG_CLOSES.search(text, opening.end()) if opening is not None else None
    if opening is not None and closing is not None:
        tagged = _NUMBERS.match(text, opening.end(), closing.start())
        if tagged is not None and "<" not in text[tagged.end() : closing.start()]:
            return _finite(tagged.group())
    for part in (_behind_thoughts(text), text):
        found = _NUMBERS.findall(part)
        if found:
            return _finite(found[-1])
    return None


@lru_cache(maxsize=32)
def _patterns(letters: str) -> tuple[Mapping[str, re.Pattern[str]], re.Pattern[str], re.Pattern[str]]:
    opens, closes = r"[(\[{（【]?\s*", r"\s*[)\]}）】]?"
    before = {
        name: re.compile(rf"(?<![A-Za-z]){opens}([{letters}]){closes}\s*</\s*{name}\s*>", re.IGNORECASE)
        for name in ("answer", "think")
    }
    phrase = re.compile(rf"{_LEADS}\s*[:：>＝=]?\s*{opens}([{letters}]){closes}(?:\b|[.)、。])", re.IGNORECASE)
    return before, phrase, re.compile(rf"(?<![A-Za-z])([{letters}])(?![A-Za-z])")


def _from_lines(lines: Iterable[str]) -> str | None:
    for line in reversed([line.strip() for line in lines if line.strip()]):
        if _OPTION_LINE.match(line):
            continue
        found = _LETTER_LINE.fullmatch(line) or _LABELLED.match(line)
        if found is not None:
            return found.group(1).upper()
        inside: set[str] = set(_IN_LINE.findall(line))
        if len(inside) == 1:
            return inside.pop()
    return None


def _behind_thoughts(text: str) -> str:
    for tag in (_THINK_CLOSES, _THINK_OPENS):
        found = list(tag.finditer(text))
        if found:
            return text[found[-1].end() :].strip()
    return text


def _first_of_list(response: str) -> str:
    """Return the first entry of an answer that is a list ("[3.5, 4]")."""
    text = response.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return response
    try:
        found = read_literal(text)
    except DataError:
        return response
    return str(found[0]) if isinstance(found, list) and found else response


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None
