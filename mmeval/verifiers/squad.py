"""Exact match and token F1 of short answers, as the evaluation of SQuAD defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.gui.screen_qa import bag_f1, squad_normalised
from mmeval.verifiers.text import TextVerifier


def token_f1(answer: str, gold: str) -> float:
    """Return the harmonic mean of precision and recall over the tokens of two normalised texts; 1 where both are empty."""
    given, wanted = squad_normalised(answer).split(), squad_normalised(gold).split()
    return bag_f1(given, wanted) if given and wanted else float(given == wanted)


class SquadVerifier:
    """The answer is a short text; the target is a string, a number, or a list of these, of which the best counts.

    Scores: `em` (equal after SQuAD's normalisation; it decides right and wrong) and `f1` (tokens). The answer is read as by `text`.
    """

    name = "squad"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._text = TextVerifier(options)
        self.version = f"1+{self._text.version}"

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
        exact = squad_normalised(str(value)) in [squad_normalised(str(one)) for one in accepted]
        scores = {"em": float(exact), "f1": max(token_f1(str(value), str(one)) for one in accepted)}
        return Match(scores["em"], exact, scores)
