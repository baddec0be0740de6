"""VLMEvalKit's rules for MathVista, MathVerse and MATH-Vision (open-compass/VLMEvalKit at e8e78f05).

It applies the same rule twice: to the raw answer ("prefetch"), and, where that finds nothing, to what its judge
extracted. Cards read the first with `reads: response`, the second with `reads: extraction`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.arithmetic import Value, evaluate
from mmeval.verifiers.base import UNDECIDED
from mmeval.verifiers.latex_value import latex_value
from mmeval.verifiers.mathvista import answer_type, is_choice
from mmeval.verifiers.vlmevalkit import Rules, match_letter, read_choice

TOLERANCE = 1e-6
"""Largest difference of two equal numbers in MATH-Vision."""
_COMMAND = re.compile(r"\\[a-z]+")
_NUMERIC = re.compile(r"[0-9\s.+\-*/^(){}\[\]!:_|]*")
_NO_GUESS = {"fallback": "wrong"}
"""These benchmarks' judge extracts; when it fails, the row is wrong and nothing is drawn."""


class VLMEvalKitMathVistaVerifier:
    """MathVista: choices by letter and text, `int(…)`, `float(…)` without rounding; a list is always wrong.

    Values are strings: a letter, a whole number, a number, or the text of a list row. Targets are the benchmark's
    strings and, for choices, a letter. Row options: `answer_type`, `question_type`.
    """

    name = "vlmevalkit-mathvista"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._rules = Rules.of({**self._options, **_NO_GUESS})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read the answer by the row's type.

        Raises:
            DataError: when the row's fields do not say how to read an answer.
        """
        kind = self._kind(context)
        if kind == "choice":
            return read_choice(text, context, self._rules)
        if not text.strip():
            return Extraction(reason="empty")
        try:
            if kind == "integer":
                return Extraction(str(int(text)), (0, len(text)))
            if kind == "float":
                # Not a number and infinity equal no gold answer.
                number = float(text)
                return (
                    Extraction(repr(number), (0, len(text)))
                    if math.isfinite(number)
                    else Extraction(reason="not found")
                )
        except ValueError:
            return Extraction(reason="not found")
        return Extraction(text, (0, len(text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters or numbers; a list row compares with the word None, and is never right.

        Raises:
            DataError: when the target is not of the row's type.
        """
        kind = self._kind(context)
        if kind == "choice":
            return match_letter(value, target, len(context.choices))
        if kind not in ("integer", "float"):
            return Match(0.0, False)
        read = int if kind == "integer" else float
        try:
            right = read(value) == read(target)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"target {target!r} is no {kind}", remedy="MathVista's answers are strings; import them as such"
            ) from error
        return Match(float(right), right)

    def _kind(self, context: AnswerContext) -> str:
        options = merged_options(self._options, context.options)
        kind = answer_type(options)
        return "choice" if is_choice(options, kind) else kind


class VLMEvalKitMathVerseVerifier:
    """MathVerse, exact stage: the extraction equals the answer, white space around aside.

    Value and target are strings. A row that differs is what VLMEvalKit hands to its judge; by rules alone it is wrong
    and has the score `undecided`.
    """

    name = "vlmevalkit-mathverse"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the text without white space around it."""
        stripped = text.strip()
        if not stripped:
            return Extraction(reason="empty")
        start = len(text) - len(text.lstrip())
        return Extraction(stripped, (start, start + len(stripped)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare strings.

        Raises:
            DataError: when the target is neither text nor a number.
        """
        right = str(value).strip() == _text(target).strip()
        return Match(float(right), right, {} if right else {UNDECIDED: 1.0})


class VLMEvalKitMathVisionVerifier:
    """MATH-Vision: choices by letter and text; other answers equal as text, as numbers of arithmetic, or as LaTeX.

    The value of an open question is its text, for only the comparison reads it. One that differs is what VLMEvalKit's
    prefetch hands to its judge: wrong by rules alone, with the score `undecided`.
    """

    name = "vlmevalkit-mathvision"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._rules = Rules.of({**dict(options or {}), **_NO_GUESS})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter, or for an open question the text without white space around it."""
        if context.choices:
            return read_choice(text, context, self._rules)
        stripped = text.strip()
        if not stripped:
            return Extraction(reason="empty")
        start = len(text) - len(text.lstrip())
        return Extraction(stripped, (start, start + len(stripped)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters, or two answers by the chain of `equal`.

        Raises:
            DataError: when the target is not the letter of an option, or of an open question neither text nor a number.
        """
        if context.choices:
            return match_letter(value, target, len(context.choices))
        right = equal(str(value), _text(target))
        return Match(float(right), right, {} if right else {UNDECIDED: 1.0})


def equal(answer: str, gold: str) -> bool:
    """Whether two answers are the same text, case and white space around aside, or numbers closer than 1e-6.

    Numbers are read as arithmetic in Python's notation, and else as LaTeX. What LaTeX means depends on which version of a
    library VLMEvalKit finds; here a text with letters beside commands, a comma, a percent or an equals sign means no number.
    """
    answer, gold = answer.lower().strip(), gold.lower().strip()
    if answer == gold:
        return True
    return any(_close(read(answer), read(gold)) for read in (evaluate, _of_latex))


def _close(first: Value | None, second: Value | None) -> bool:
    return first is not None and second is not None and abs(first - second) < TOLERANCE


def _of_latex(text: str) -> Value | None:
    plain = _COMMAND.sub("", text)
    return latex_value(text) if _NUMERIC.fullmatch(plain) and plain.count("(") == plain.count(")") else None


def _text(target: Any) -> str:
    if isinstance(target, bool) or not isinstance(target, (str, int, float)):
        raise DataError(f"target {target!r} is neither text nor a number", remedy="give the gold answer as a string")
    return str(target)
