"""MMLU-Pro's own rule, without its draw by lot.

Source: TIGER-AI-Lab/MMLU-Pro @f418b11, evaluate_from_local.py and compute_accuracy.py (level 2).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.base import GUESS_SHARE, GUESSED

_SENTENCE = re.compile(r"answer is \(?([A-J])\)?")
_LABEL = re.compile(r"^.*[aA]nswer:\s*([A-J])", re.MULTILINE)
_ALONE = re.compile(r"\b[A-J]\b")


class MMLUProVerifier:
    """The letter behind the first "answer is", else behind "Answer:", else the last capital letter A to J alone.

    Value and target are letters. The letter needs no end ("answer is Because" is B), and whatever the response reasons
    before its answer counts. Where the official script draws an option by lot there is no answer here: the verdict's
    scores say `guessed` and how often the draw would be right (`guess_share`).
    """

    name = "mmlu-pro"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read a letter.

        Raises:
            DataError: when the row has no choices.
        """
        if not context.choices:
            raise DataError("a multiple-choice row without choices", remedy="give the row its options column")
        found = _SENTENCE.search(text) or _LABEL.search(text)
        if found is not None:
            return Extraction(found.group(1), found.span(1))
        alone = deque(_ALONE.finditer(text), maxlen=1)
        if alone:
            return Extraction(alone[0].group(), alone[0].span())
        return Extraction(reason="not found", scores={GUESSED: 1.0, GUESS_SHARE: 1 / len(context.choices)})

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter.
        """
        if not isinstance(target, str) or len(target) != 1:
            raise DataError(f"target {target!r} is no letter", remedy="MMLU-Pro's answers are letters")
        return Match(float(value == target), value == target)
