"""Scores of a scalar reward model for the answers of a row: is the best one scored highest?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.letters import LETTERS

SCORES = frozenset({"margin", "tie"})


class ScalarPairVerifier:
    """The response is a JSON list of scores, one per answer; the target is the letter of the best answer (A the first).

    Right only if its score is strictly higher than every other: equal scores are wrong. Scores: `margin`, by how much (negative
    where another one is higher), and `tie`.
    """

    name = "scalar-pair"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the scores."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return Extraction(reason="no list of scores")
        numbers = isinstance(found, list) and all(
            isinstance(score, (int, float)) and not isinstance(score, bool) and math.isfinite(score) for score in found
        )
        if not numbers or len(found) < 2:
            return Extraction(reason="no list of scores")
        return Extraction([float(score) for score in found])

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the best answer's score with the others.

        Raises:
            DataError: when the target names none of the answers.
        """
        letter = str(target).strip().upper()
        place = LETTERS.find(letter) if len(letter) == 1 else -1
        if not 0 <= place < len(value):
            raise DataError(f"target {target!r} names none of {len(value)} answers", remedy="correct fields.answer")
        margin = value[place] - max(score for other, score in enumerate(value) if other != place)
        return Match(float(margin > 0), margin > 0, {"margin": margin, "tie": float(margin == 0)})
