"""Multiple choice: which option an answer names, or that it names none or several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, answer_section, merged_options
from mmeval.verifiers.choice_patterns import AMBIGUOUS, RECONSIDERS
from mmeval.verifiers.choice_reader import ChoiceReader
from mmeval.verifiers.gold_letter import gold_letter
from mmeval.verifiers.letters import LETTERS, letters_in
from mmeval.verifiers.options import Found

_REFUTED = re.compile(
    r"\W{0,3}\s*(?:(?:is|seems|looks|would\s+be)\s+(?:\w+\s+)?(?:wrong|incorrect|not|false)\b|isn[’']t\b|can(?:not|[’']t)\b)",
    re.IGNORECASE,
)

__all__ = ["LETTERS", "ChoiceVerifier"]


class ChoiceVerifier:
    """The answer is one option; value and target are its letter, "A" for the first.

    An answer is read, in this order, from: the whole answer; "the answer is …" and its like (the last sentence
    that says so); a line of its own; "I choose …"; the concluding sentence; the option's text, or the amount that the
    sentences state; a single letter. Two different readings of the same rank are ambiguous, and ambiguous is no
    answer. Letters beyond the options name nothing. Where a box names no option, an answer that the text around it
    states counts. Behind an answer that is taken back ("Answer: B. Wait, actually …"), another option that is stated is the
    answer; one that is only mentioned makes it ambiguous.
    """

    name = "choice"
    version = "8"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter of the option that the answer names."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found, start = _read(text, section, context)
        if found is None:
            return Extraction(reason="not found")
        if found.index is None:
            return Extraction(reason=found.reason)
        return Extraction(LETTERS[found.index], (start + found.start, start + found.end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters; options with identical texts are the same answer.

        Raises:
            DataError: when the target is not the letter of an option.
        """
        texts = context.choices
        gold = gold_letter(target.strip().upper() if isinstance(target, str) else "", target, len(texts))
        right = value == gold
        if not right and texts and isinstance(value, str) and value in LETTERS[: len(texts)]:
            right = texts[LETTERS.index(value)].strip() == texts[LETTERS.index(gold)].strip()
        return Match(float(right), right)


def _read(text: str, section: Section, context: AnswerContext) -> tuple[Found | None, int]:
    """Return the reading and the offset in the response that its places count from."""
    found = _reconsidered(section.text, ChoiceReader(section.text, context.choices).read(), context.choices)
    if section.around is None or not section.boxed:
        return found, section.start
    start, end = section.around
    if found is None:
        return ChoiceReader(text[start:end], context.choices).stated(), start
    # "\boxed{…}" and then "Answer: B": what is said last counts.
    begin = section.start + len(section.text)
    later = ChoiceReader(text[begin:end], context.choices).phrases()
    return (later, begin) if later is not None and later.index is not None else (found, section.start)


def _reconsidered(text: str, found: Found | None, choices: Sequence[str]) -> Found | None:
    """Return what an answer becomes by the words that take it back: the last clear commitment, or none that is clear."""
    if found is None or found.index is None:
        return found
    mark = RECONSIDERS.search(text, found.end - text.endswith(".", found.start, found.end))
    if mark is None:
        return found
    reader = ChoiceReader(text[mark.start() :], choices)
    stated = reader.committed()
    if stated is None or stated.index is None:
        tail = text[mark.start() :]
        named = [
            letter.index
            for letter in letters_in(tail, 0, len(tail))
            if letter.index < reader.count and _REFUTED.match(tail, letter.end) is None
        ]
        if not named or reader.options.same(named[-1], found.index):
            return found
        return Found.none(AMBIGUOUS, found.start)
    if reader.options.same(stated.index, found.index):
        return found
    return Found(stated.index, mark.start() + stated.start, mark.start() + stated.end)
