"""ScienceQA's own rule: "The answer is X.", once.

Source: lupantech/ScienceQA @2cbf831, models/run_gpt3.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.base import GUESS_SHARE, GUESSED
from mmeval.verifiers.gold_letter import gold_letter

_ANSWER = re.compile(r"The answer is ([A-Z]).")
_LETTERS = "ABCDE"


class ScienceQAVerifier:
    """The official rule; value and target are a letter.

    "The answer is X" must stand in the response once, with a further character behind the letter. Where it does not, or no option has
    the letter, the official script draws an option by lot: no answer here, with the scores `guessed` and `guess_share`.
    """

    name = "scienceqa"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter.

        Raises:
            DataError: when the row has no choices, or more than five.
        """
        if not 0 < len(context.choices) <= len(_LETTERS):
            raise DataError(
                f"{len(context.choices)} choices, ScienceQA has one to five", remedy="give the row its choices column"
            )
        found = list(_ANSWER.finditer(text.strip()))
        if len(found) == 1 and found[0].group(1) in _LETTERS[: len(context.choices)]:
            offset = len(text) - len(text.lstrip())
            return Extraction(found[0].group(1), (found[0].start(1) + offset, found[0].end(1) + offset))
        reason = "ambiguous" if len(found) > 1 else "not found"
        return Extraction(reason=reason, scores={GUESSED: 1.0, GUESS_SHARE: 1 / len(context.choices)})

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter of an option.
        """
        right = value == gold_letter(target if isinstance(target, str) else "", target, len(context.choices))
        return Match(float(right), right)
