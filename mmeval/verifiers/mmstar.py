"""MMStar's own rule: a response is its first letter, or the one behind a bracket, "option" or "the answer is".

Source: MMStar-Benchmark/MMStar @88f243a, eval/vlmeval/evaluate/mmstar.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.choice import LETTERS

_OPENINGS = ("(", "option ", "the answer is ")
_OPTIONS = 4
"""Options of every question, where the row does not list them."""


class MMStarVerifier:
    """The official rule; value and target are a letter.

    The first character counts even as part of a word ("Both" is B, "a cat" is A), and so does the character behind "(",
    "option " or "the answer is " at the very beginning, in upper or lower case.
    """

    name = "mmstar"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter of an option; another character is no answer."""
        start = len(text) - len(text.lstrip())
        lowered = text.strip().lower().replace("\n", " ")
        position = next((len(opening) for opening in _OPENINGS if lowered.startswith(opening)), 0)
        letter = lowered[position : position + 1].upper()
        if letter and letter in LETTERS[: len(context.choices) or _OPTIONS]:
            return Extraction(letter, (start + position, start + position + 1))
        return Extraction(reason="not found" if lowered else "empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter.
        """
        if not isinstance(target, str) or len(target.strip()) != 1 or target.strip().upper() not in LETTERS:
            raise DataError(f"target {target!r} is no letter", remedy="MMStar's answers are letters")
        right = value == target.strip().upper()
        return Match(float(right), right)
