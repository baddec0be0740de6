"""The rule of PuzzleVQA and AlgoPuzzleVQA: the last letter in brackets, else the last capital letter from A to D.

Source: declare-lab/LLM-PuzzleTest @9b3a074, prompting.py and main.py of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match

_LETTERS = "ABCD"


class PuzzleVQAVerifier:
    """The official rule; value and target are the text of an option.

    The letter may stand inside a word ("NASA" names A). A letter that no option has (D of three options) officially means the first
    option: the score `fallback` says so.
    """

    name = "puzzlevqa"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the text of the option that the last letter names.

        Raises:
            DataError: when the row has no choices.
        """
        if not context.choices:
            raise DataError("a row without choices", remedy="give the row its options column")
        position = max(text.rfind(f"({letter})") for letter in _LETTERS) + 1
        if position == 0:
            position = max(text.rfind(letter) for letter in _LETTERS)
            if position < 0:
                return Extraction(reason="not found" if text.strip() else "empty")
        span = (position, position + 1)
        index = _LETTERS.index(text[position])
        if index < len(context.choices):
            return Extraction(context.choices[index], span)
        return Extraction(context.choices[0], span, scores={"fallback": 1.0})

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare texts.

        Raises:
            DataError: when the target is neither text nor a number.
        """
        if isinstance(target, bool) or not isinstance(target, (str, int, float)):
            raise DataError(f"target {target!r} is no text", remedy="give the text of the right option")
        return Match(float(value == str(target)), value == str(target))
