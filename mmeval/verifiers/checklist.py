"""Checklists of visual facts: yes or no to each, asked in calls of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.yes_no import YesNoVerifier


class ChecklistVerifier:
    """The response is a JSON list of the answers to every fact, in order; the target is the list of right answers (true, false).

    The value is a list of "yes", "no" and null (no answer could be read). Score is the share of facts that are right,
    `correct` whether all are (PEARL's gate with threshold 1, arXiv:2511.18437); `yes` and `no` are the shares among the facts
    of each polarity, so that a model that always says yes is seen.
    """

    name = "checklist"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._single = YesNoVerifier(options)
        self.version = f"1+yes-no{self._single.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read every answer by the yes-or-no rules."""
        try:
            answers = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Extraction(reason="not found")
        if not isinstance(answers, list) or not answers:
            return Extraction(reason="not found")
        found = [self._single.parse(answer, context).value if isinstance(answer, str) else None for answer in answers]
        return Extraction(found) if any(value is not None for value in found) else Extraction(reason="not found")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare fact by fact.

        Raises:
            DataError: when the target is no list of true and false, or of another length.
        """
        if (
            not isinstance(target, list)
            or len(target) != len(value)
            or not all(isinstance(fact, bool) for fact in target)
        ):
            raise DataError(
                f"target {target!r} is not the list of right answers",
                remedy="give facts as {question, answer: true or false}",
            )
        right = [answer == ("yes" if fact else "no") for answer, fact in zip(value, target, strict=True)]
        scores = {"facts": float(len(right))}
        for name, polarity in (("yes", True), ("no", False)):
            chosen = [hit for hit, fact in zip(right, target, strict=True) if fact is polarity]
            if chosen:
                scores[name] = sum(chosen) / len(chosen)
        return Match(sum(right) / len(right), all(right), scores)
