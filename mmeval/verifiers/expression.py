r"""Expressions: one free-form mathematical answer, compared by its mathematical meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmeval.core.errors import DataError, UndecidedError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import (
    answer_section,
    merged_options,
)
from mmeval.verifiers.formula import parse_formula
from mmeval.verifiers.formula_finder import find_formula, tidy
from mmeval.verifiers.formula_match import formulas_equal
from mmeval.verifiers.formula_tokens import NotAFormula, is_beyond
from mmeval.verifiers.formula_tree import Tree
from mmeval.verifiers.numerals import find_word_numbers

BEYOND = "mathematics that the rules do not read"
_CIRCLE = re.compile(r"\s*\^\s*+\{?\s*+(?:\\circ|∘)\s*\}?|\\degree(?![A-Za-z])")
_TEXT_COMMAND = re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf)\s*\{([^{}]*)\}")
_DENIES = re.compile(
    r"\W*(?:(?:so|therefore|thus|hence)\W+)?(?:(?:the\s+)?(?:(?:final|correct|right)\s+)?(?:answer|value|result|solution)|it|this|that)?"
    r"[\s:]*(?:\b(?:is|are|was|be|does|do|could|can|should|must|would)\b\s*not\b|(?:is|are|was|does|do|could|ca|wo|would)n[’']t\b|cannot\b|not\b)"
    r"(?!\s+(?:only|just|exist)).{0,80}",
    re.IGNORECASE | re.DOTALL,
)
"""The whole answer says what it is not."""
_IS_DENIED = re.compile(
    r"[\s$)]*(?:(?:is|are|was)(?:\s+not|n[’']t)|cannot\s+be|can[’']t\s+be)\s+(?:the\s+)?(?:(?:right|correct|final)\s+)?(?:answer|solution|correct|right)\b",
    re.IGNORECASE,
)
_NOT_BOXED = re.compile(r"(?:\bnot|n[’']t)\s*\$*\\boxed\{\s*$", re.IGNORECASE)


class ExpressionVerifier:
    r"""The answer is mathematics in LaTeX or plain text; value is the formula as written, the target a string.

    Read are numbers, fractions, roots, powers, π, functions, units, degree, percent and currency signs, tuples, sets,
    intervals, unions, matrices, ratios, equations (`x = 3`), inequalities, ±, and several answers ("2 or -3"). Options:
    `tolerance_abs`, `tolerance_rel`, `precision`, as for numbers. A target may also be a number, or a list of accepted
    answers. Scores: `exact` (equal as text after normalisation).

    How formulas are read, and that nothing is evaluated as code: `formula`. How they are compared: `formula_match`.
    """

    name = "expression"
    version = "5"
    blocking = True
    """Matching may wait for another process."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the formula that the answer states; a formula that can be read in two ways is ambiguous."""
        options = merged_options(self._options, context.options)
        start, end = 0, len(text)
        # Again and again, so that reading a value anew gives that value.
        while True:
            section = answer_section(text[start:end], options)
            if isinstance(section, Extraction):
                return section
            first = start + section.start
            if section.text != text[first : first + len(section.text)]:
                # The text of a JSON field without its escapes, each of the same length.
                read = self.parse(section.text, context)
                return read if read.span is None else replace(read, span=(read.span[0] + first, read.span[1] + first))
            found = find_formula(section)
            if isinstance(found, str):
                return Extraction(reason=found)
            inner = section.span(*found)
            inner = (inner[0] + start, inner[1] + start)
            if inner == (start, end):
                if (
                    _DENIES.fullmatch(text, start, end)
                    or _IS_DENIED.match(text, end)
                    or _NOT_BOXED.search(text, 0, start)
                ):
                    return Extraction(reason="denied")
                return Extraction(text[start:end], (start, end))
            start, end = inner

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the target, or with each of a list of accepted answers.

        Raises:
            DataError: when the target is neither a string, a number, nor a non-empty list of these.
            UndecidedError: when no accepted answer is equal and the comparison with one does not come to an end.
        """
        accepted = target if isinstance(target, (list, tuple)) else [target]
        if not accepted or any(isinstance(item, bool) or not isinstance(item, (str, int, float)) for item in accepted):
            raise DataError(
                f"target {target!r} is no formula", remedy="give the gold answer as a string, LaTeX or plain"
            )
        options = merged_options(self._options, context.options)
        golds = [tidy(str(item)) for item in accepted]
        if not all(golds):
            raise DataError(f"target {target!r} is empty", remedy="give every row a gold answer")
        answer = tidy(str(value))
        if any(_plain(gold) == _plain(answer) for gold in golds):
            return Match(1.0, True, {"exact": 1.0})
        undecided: UndecidedError | None = None
        for gold in golds:
            try:
                if _equal(gold, answer, options):
                    return Match(1.0, True, {"exact": 0.0})
            except UndecidedError as error:
                undecided = error
        if undecided is not None:
            raise undecided
        return Match(0.0, False, {"exact": 0.0})


def _equal(gold: str, answer: str, options: Mapping[str, Any]) -> bool:
    trees = [_tree(gold), _tree(answer)]
    if trees[0] is not None and trees[1] is not None:
        return formulas_equal(trees[0], trees[1], options)
    if is_beyond(gold) or is_beyond(answer):
        raise UndecidedError(BEYOND)
    return False


def _tree(text: str) -> Tree | None:
    try:
        # Answers were read without labels, and that reading is remembered.
        return parse_formula(text, labels=False)
    except NotAFormula:
        return _named(text)


def _named(text: str) -> Tree | None:
    """Return the tree of a formula with a name in words, or of a number in words."""
    try:
        return parse_formula(text)
    except NotAFormula:
        numbers = find_word_numbers(text)
        if len(numbers) == 1 and numbers[0].end - numbers[0].start > len(text) / 2:
            return parse_formula(repr(numbers[0].value))
        return None


def _plain(text: str) -> str:
    """Return a text for comparison character by character: no case, white space or mere layout."""
    if text.isalnum():
        return text.casefold()
    text = _TEXT_COMMAND.sub(r"\1", _CIRCLE.sub("°", text))
    text = re.sub(r"\\(?:left|right|displaystyle|[,;:! ])|[$~\s]", "", text)
    return re.sub(r"\\[dtc]frac", r"\\frac", text).casefold()
