"""Verdicts of a judge on two answers, where the model under test is the judge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, after_reasoning, answer_section, merged_options

STYLES = ("overall-judgment", "bracket", "bracket-official")
_BETTER = re.compile(
    r"\b(?:answer|response|assistant|output|model)\s*[\(\[]?\s*([12AB])\s*[\)\]]?(?:'s\s+(?:answer|response))?"
    r"\s+is\s+(?:the\s+)?(?:(?:much|slightly|clearly|significantly|marginally|overall)\s+)?better\b",
    re.IGNORECASE,
)
_JUDGMENT = re.compile(r"\boverall\s+judge?ment\b|\btherefore\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:neither|not|if|whether|which)\b[^.\n]{0,40}$", re.IGNORECASE)
_BRACKET = re.compile(r"\[\[\s*([ABC])\s*\]\]")
_LETTER: Mapping[str, str] = {"1": "A", "2": "B", "A": "A", "B": "B"}
_SHORT = re.compile(r"\W*(?:answer|response|assistant)?\s*([12AB])\W*", re.IGNORECASE)


class PairVerdictVerifier:
    """The answer says which of two answers is better; the target is A (the one shown first) or B.

    Option `style`:

    - `overall-judgment` (default): "Answer 1 is better" or "slightly better", behind the last "Overall Judgment" or
      "Therefore", else anywhere; statements that name both answers are no verdict;
    - `bracket`: [[A]] or [[B]]; both, or [[C]] (a tie), are no verdict;
    - `bracket-official`: [[A]] anywhere is A, else [[B]] anywhere is B, as Multimodal RewardBench's script reads it.
    """

    name = "pair-verdict"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return A or B.

        Raises:
            DataError: when the option `style` is unknown.
        """
        options = merged_options(self._options, context.options)
        style = str(options.get("style", STYLES[0]))
        if style not in STYLES:
            raise DataError(f"answer option style: {style!r} is unknown", remedy=f"use one of {', '.join(STYLES)}")
        if style == "bracket-official":
            return _first_bracket(text)
        if style == "bracket":
            answer = after_reasoning(text, options)
            if answer is None:
                return Extraction(reason="unfinished reasoning")
            return _only(_BRACKET, Section(answer, len(text) - len(answer), False))
        section = answer_section(text, options)
        return section if isinstance(section, Extraction) else _judgment(section)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the letters.

        Raises:
            DataError: when the target is neither A nor B.
        """
        gold = str(target).strip().upper()
        if gold not in ("A", "B"):
            raise DataError(f"target {target!r} is neither A nor B", remedy="correct the card's fields.answer")
        return Match(float(value == gold), value == gold)


def _first_bracket(text: str) -> Extraction:
    for letter in "AB":
        place = text.find(f"[[{letter}]]")
        if place >= 0:
            return Extraction(letter, (place + 2, place + 3))
    return Extraction(reason="no verdict")


def _only(pattern: re.Pattern[str], section: Section, start: int = 0) -> Extraction:
    """Return the one verdict that a text states, however often."""
    found = [one for one in pattern.finditer(section.text, start) if not _is_negated(section.text, one.start())]
    letters = {one.group(1).upper() for one in found}
    said = {_LETTER.get(letter, letter) for letter in letters}
    if not found:
        return Extraction(reason="no verdict")
    if len(said) > 1:
        return Extraction(reason="several verdicts")
    value = said.pop()
    if value not in ("A", "B"):
        return Extraction(reason="tie")
    return Extraction(value, section.span(*found[-1].span(1)))


def _is_negated(text: str, place: int) -> bool:
    return _NEGATED.search(text, max(0, place - 60), place) is not None


def _judgment(section: Section) -> Extraction:
    # Stars of Markdown stand between the words; a space each keeps the offsets.
    plain = Section(section.text.replace("*", " ").replace("#", " "), section.start, section.marked)
    marks = [found.end() for found in _JUDGMENT.finditer(plain.text)]
    for start in reversed(marks):
        found = _only(_BETTER, plain, start)
        if found.found or found.reason != "no verdict":
            return found
    short = _SHORT.fullmatch(plain.text)
    if short:
        return Extraction(_LETTER[short.group(1).upper()], section.span(*short.span(1)))
    return _only(_BETTER, plain)
