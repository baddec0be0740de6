"""VSI-Bench's own rule: the first word of a response is the answer, a letter or a number.

Source: vision-x-nyu/thinking-in-space @51e089c (evaluation of lmms-eval's task vsibench).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.number import mean_relative_accuracy, read_target


class VSIBenchVerifier:
    """The official rule. A row with choices is multiple choice, value and target a letter; the others want a number.

    The answer is what stands before the first space, without full stops at its end; a letter is compared whatever its case,
    and "(B)" is none. A number is scored by Mean Relative Accuracy, which is the score and `scores["mra"]`.
    """

    name = "vsi-bench"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the first word, as a number where one is asked for."""
        word = text.split(" ")[0].rstrip(".").strip()
        if not word:
            return Extraction(reason="not found" if text.strip() else "empty")
        start = text.find(word)
        if context.choices:
            return Extraction(word.upper(), (start, start + len(word)))
        value = _number(word)
        return Extraction(reason="not found") if value is None else Extraction(value, (start, start + len(word)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters or numbers.

        Raises:
            DataError: when the target is neither.
        """
        return match_spatial(value, target, choice=bool(context.choices))


def match_spatial(value: Any, target: Any, choice: bool) -> Match:
    """Compare letters where the row is a choice; else score a number by Mean Relative Accuracy.

    Raises:
        DataError: when the target is no letter, or no number.
    """
    if choice:
        if not isinstance(target, str) or len(target.strip()) != 1:
            raise DataError(f"target {target!r} is no letter", remedy="give the gold answer as a letter")
        right = value == target.strip().upper()
        return Match(float(right), right)
    gold = read_target(target)
    accuracy = mean_relative_accuracy(float(value), gold)
    return Match(accuracy, float(value) == gold, {"mra": accuracy})


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
