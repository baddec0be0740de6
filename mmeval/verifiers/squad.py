"""Exact match and token F1 of short answers, as the evaluation of SQuAD defines them."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.gui.screen_qa import bag_f1, squad_normalised
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.vocabulary import words

RULES = ("squad", "slidevqa")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        words(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
            " eighteen nineteen"
        )
    )
}
_REPLACED = (
    ("this is ", ""), ("it is ", ""), ("&", ","), ("and", ","), ("percent", ""), ("organisation", "organization"),
    ("because of", ""), ("because", ""), ("due to", ""), ("hours", "hrs"), ("minites", "min"),
)  # fmt: skip
_UNIT_MARKS = ("how many", "which")


def token_f1(answer: str, gold: str) -> float:
    """Return the harmonic mean of precision and recall over the tokens of two normalised texts; 1 where both are empty."""
    given, wanted = squad_normalised(answer).split(), squad_normalised(gold).split()
    return bag_f1(given, wanted) if given and wanted else float(given == wanted)


def slidevqa_normalised(text: str, question: str) -> str:
    """Return a text as SlideVQA's script compares it (nttmdlab-nlp/SlideVQA @e1f0bd9).

    Beyond SQuAD's normalisation: the word behind "how many" or "which" in the question goes wherever it stands, and so does
    "percent"; of a text that starts with "yes" or "no" (or "northern") the first word stays; number words become digits.
    """
    text = text.lower()
    for before, after in _REPLACED:
        text = text.replace(before, after)
    for mark in _UNIT_MARKS:
        unit = question.partition(mark)[2].split()
        if unit:
            text = text.replace(unit[0], "")
    text = _ARTICLES.sub(" ", text.translate(_NO_PUNCTUATION))
    if text.startswith(("yes", "no")):
        text = text.split()[0]
    return " ".join(_NUMBERS.get(word, word) for word in text.split())


class SquadVerifier:
    """The answer is a short text; the target is a string, a number, or a list of these, of which the best counts.

    Scores: `em` (equal after SQuAD's normalisation; it decides right and wrong) and `f1` (tokens). The answer is read as by `text`.
    Option `rule: slidevqa` normalises as SlideVQA's own script does, which looks at the row's option `question`; texts of which
    nothing is left are never right there.
    """

    name = "squad"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._text = TextVerifier(options)
        self.version = f"2+{self._text.version}"

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
        options = merged_options(self._options, context.options)
        if options.get("rule") == "slidevqa":
            return _slidevqa(str(value), [str(one) for one in accepted], str(options.get("question") or ""))
        exact = squad_normalised(str(value)) in [squad_normalised(str(one)) for one in accepted]
        scores = {"em": float(exact), "f1": max(token_f1(str(value), str(one)) for one in accepted)}
        return Match(scores["em"], exact, scores)


def _slidevqa(answer: str, accepted: list[str], question: str) -> Match:
    given = slidevqa_normalised(answer, question).split()
    golds = [slidevqa_normalised(gold, question).split() for gold in accepted]
    exact = bool(given) and given in golds
    return Match(float(exact), exact, {"em": float(exact), "f1": max(bag_f1(given, gold) for gold in golds)})
