"""Exact match and token F1 of short answers, as the evaluation of SQuAD defines them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.text import TextVerifier

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Return lower-case text without ASCII punctuation and articles, white space squeezed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def token_f1(answer: str, gold: str) -> float:
    """Return the harmonic mean of precision and recall over the tokens of two normalised texts; 1 where both are empty."""
    given, wanted = normalised(answer).split(), normalised(gold).split()
    if not given or not wanted:
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


class SquadVerifier:
    """The answer is a short text; the target is a string, a number, or a list of these, of which the best counts.

    Scores: `em` (equal after `normalised`; it decides right and wrong) and `f1` (tokens). The answer is read as by `text`.
    """

    name = "squad"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._text = TextVerifier(options)

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """See `TextVerifier.parse`."""
        return self._text.parse(text, context)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the accepted answers.

        Raises:
            DataError: when the target holds no text.
        """
        accepted = target if isinstance(target, (list, tuple)) else [target]
        if not accepted or any(isinstance(one, bool) or not isinstance(one, (str, int, float)) for one in accepted):
            raise DataError(f"target {target!r} is not text", remedy="give a string or a list of accepted strings")
        exact = any(normalised(str(value)) == normalised(str(one)) for one in accepted)
        scores = {"em": float(exact), "f1": max(token_f1(str(value), str(one)) for one in accepted)}
        return Match(scores["em"], exact, scores)
