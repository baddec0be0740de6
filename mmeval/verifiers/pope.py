"""POPE: the official rule, which takes everything but a "no" for a yes, and the exact comparison of lmms-eval.

Sources: AoiDragon/POPE, evaluate.py; EvolvingLMMs-Lab/lmms-eval @75571cf, tasks/pope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.yes_no import YesNoVerifier

RULES = ("official", "lmms-eval")
_NO = frozenset({"No", "no", "not"})
"""The words of the official rule; "NO" is none of them, and so is a yes."""


class PopeVerifier:
    """Yes or no by one of two published rules; value is "yes" or "no".

    Option `rule`: `official` (default) looks for a "no" in the first sentence and takes all else, silence included, for a yes;
    `lmms-eval` wants the whole answer to be one of the two words.
    """

    name = "pope"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._compare = YesNoVerifier()

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return "yes" or "no".

        Raises:
            DataError: for a rule that does not exist.
        """
        rule = str(merged_options(self._options, context.options).get("rule", "official"))
        if rule not in RULES:
            raise DataError(f"answer option rule: {rule!r} is unknown", remedy=f"use one of {', '.join(RULES)}")
        if rule == "lmms-eval":
            said = text.lower().strip()
            if said in ("yes", "no"):
                return Extraction(said)
            return Extraction(reason="not found" if said else "empty")
        words = text.partition(".")[0].replace(",", "").split(" ")
        return Extraction("yes" if _NO.isdisjoint(words) else "no")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare two answers.

        Raises:
            DataError: when the target is neither yes nor no.
        """
        return self._compare.match(value, target, context)
