"""Short answers about screens by ScreenQA's metrics (SQA-S): exact match and F1 of words, and questions without an answer."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.text import TextVerifier

NO_ANSWER = "<no answer>"
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ScreenQAVerifier:
    """The answer is a short text; the target is a list of accepted ones, "<no answer>" where the screen has none.

    "<no answer>" is right where it is among the accepted answers; any other answer is compared with the others alone. Scores
    `em` (equal after SQuAD's normalisation; the primary score, `correct`) and `f1` (of the words, the best of the accepted
    answers). Option `whole: true`: the answer is all that follows the reasoning.
    """

    name = "screen-qa"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._text = TextVerifier({key: self._options[key] for key in ("whole",) if key in self._options})
        self.version = f"1+{self._text.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer as a text verifier reads it."""
        return self._text.parse(text, AnswerContext(options=merged_options(self._options, context.options)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the accepted answers.

        Raises:
            DataError: when the target is no text and no non-empty list of texts.
        """
        golds = [target] if isinstance(target, str) else target
        if not isinstance(golds, (list, tuple)) or not golds or not all(isinstance(gold, str) for gold in golds):
            raise DataError(f"target {target!r} is no list of answers", remedy="give the accepted answers as texts")
        answer = str(value).strip()
        if answer.lower().rstrip(".") == NO_ANSWER:
            right = float(NO_ANSWER in golds)
            return Match(right, right == 1, {"em": right, "f1": right})
        known = [squad_normalised(gold) for gold in golds if gold != NO_ANSWER]
        said = squad_normalised(answer)
        exact = said in known
        f1 = max((bag_f1(said.split(), gold.split()) for gold in known), default=0.0)
        return Match(float(exact), exact, {"em": float(exact), "f1": max(f1, float(exact))})


def squad_normalised(text: str) -> str:
    """Return a text as SQuAD's script compares it: lower case, no punctuation, no articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def bag_f1(words: Sequence[str], others: Sequence[str]) -> float:
    """Return the F1 of two bags of words."""
    shared = (Counter(words) & Counter(others)).total()
    return 2 * shared / (len(words) + len(others)) if shared else 0.0
