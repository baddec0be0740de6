"""We-Math's own rule: the letter behind the last "Answer".

Source: We-Math/We-Math @a57a0e8, evaluation/four_dimensional_metrics.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match

_DROPPED = re.compile(r"[><:.]")
_MARK = "Answer"


class WeMathVerifier:
    """The official rule; value and target are a letter from A to H.

    Behind the last "Answer" (of a response without one, from its start), spaces and the characters > < : . do not count; the
    first other character must be a letter from A to H. Whether an option has that letter is not asked.
    """

    name = "wemath"
    version = "1"
    letters = "ABCDEFGH"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter."""
        start = text.rfind(_MARK)
        for position in range(start + len(_MARK) if start >= 0 else 0, len(text)):
            character = text[position]
            if character.isspace() or _DROPPED.match(character):
                continue
            if character in self.letters:
                return Extraction(character, (position, position + 1))
            return Extraction(reason="not found")
        return Extraction(reason="not found" if text.strip() else "empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter from A to H.
        """
        if not isinstance(target, str) or len(target) != 1 or target not in self.letters:
            raise DataError(f"target {target!r} is no letter from A to H", remedy="We-Math's answers are letters")
        return Match(float(value == target), value == target)
