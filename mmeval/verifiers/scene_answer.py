"""Short answers about scenes (ScanQA, SQA3D): exact match and refined exact match.

Sources: ScanQA (EM@1: any of the answers); embodied-generalist/embodied-generalist @5e9a876 (LEO: the cleaning of answers, EM-R).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.vocabulary import words

CLEANINGS = ("plain", "leo")
_DROPPED = re.compile(r"[^a-zA-Z0-9,'\s\-:]+")
_SLIPS = {
    "letf": "left", "let": "left", "tehre": "there", "rigth": "right", "rght": "right", "behine": "behind", "tv": "TV",
    "chai": "chair", "wasing": "washing", "waslked": "walked", "oclock": "o'clock", "none": "zero",
}  # fmt: skip
_COUNTS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
    " nineteen twenty"
)
_WORDS = {**_SLIPS, **{str(number): word for number, word in enumerate(_COUNTS)}, "23": "twenty-three"}
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b")
_SPLIT_CLOCK = re.compile(r"\bo' +clock\b")
_NUMBERED = re.compile(r"\b([a-zA-Z]+)[0-9]\b")
_ARTICLES = tuple(re.compile(rf"\b{article}\b ([a-zA-Z]+)") for article in ("a", "an", "the"))


class SceneAnswerVerifier:
    """The answer is a word or phrase; the target is an answer or a list of accepted ones.

    Option `clean`, applied to both sides: `plain` (default: case, and white space around and between words) or `leo`, the
    cleaning of LEO's evaluation (numbers up to 20 as words, articles, punctuation and known slips). Scores: `em`, equal to one
    of the accepted answers, which is the primary score and `correct`; `em_refined` (EM-R), one holds the other when white
    space is left out, within words too ("no" in "not sure"), as it is published. Option `first_match: true` stops at the first
    accepted answer that decides either, so that their order counts (LEO). Option `whole: true`: nothing is looked for in the
    response; the answer is all that follows the reasoning.
    """

    name = "scene-answer"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._text = TextVerifier({key: self._options[key] for key in ("whole",) if key in self._options})
        self.version = f"1+{self._text.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer as a text verifier reads it; one that the cleaning leaves nothing of is none."""
        options = merged_options(self._options, context.options)
        found = self._text.parse(text, AnswerContext(options=options))
        if found.found and not _cleaned(str(found.value), options).strip():
            return Extraction(reason="empty")
        return found

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the accepted answers.

        Raises:
            DataError: when the target is no text and no non-empty list of texts, or `clean` is unknown.
        """
        options = merged_options(self._options, context.options)
        answer = _cleaned(str(value), options)
        golds = [_cleaned(gold, options) for gold in _accepted(target)]
        if options.get("first_match"):
            golds = next(([gold] for gold in golds if answer == gold or _contained(answer, gold)), golds)
        exact = answer in golds
        refined = exact or any(_contained(answer, gold) for gold in golds)
        return Match(float(exact), exact, {"em": float(exact), "em_refined": float(refined)})


def _accepted(target: Any) -> Sequence[str]:
    accepted = target if isinstance(target, (list, tuple)) else [target]
    valid = all(isinstance(one, (str, int, float)) and not isinstance(one, bool) for one in accepted)
    if not accepted or not valid or not all(str(one).strip() for one in accepted):
        raise DataError(f"target {target!r} is no answer", remedy="give a text or a list of accepted texts")
    return [str(one) for one in accepted]


def _contained(answer: str, gold: str) -> bool:
    first, second = ("".join(text.split()) for text in (answer, gold))
    return bool(first) and bool(second) and (first in second or second in first)


def _cleaned(text: str, options: Mapping[str, Any]) -> str:
    cleaning = str(options.get("clean", CLEANINGS[0]))
    if cleaning not in CLEANINGS:
        raise DataError(f"answer option clean: {cleaning!r} is unknown", remedy=f"use one of {', '.join(CLEANINGS)}")
    return leo_cleaned(text) if cleaning == "leo" else " ".join(text.lower().split())


@lru_cache(maxsize=16384)
def leo_cleaned(text: str) -> str:
    """Return an answer as LEO's evaluation compares it."""
    plain = re.sub(r" {2,}", " ", text.lower().strip(" "))
    plain = _DROPPED.sub("", plain)
    plain = _WORD.sub(lambda found: _WORDS[found.group()], _SPLIT_CLOCK.sub("o'clock", plain))
    plain = _NUMBERED.sub(r"\1", plain)
    for article in _ARTICLES:
        plain = article.sub(r"\1", plain)
    return re.sub(r"\bbackwards\b", "backward", plain)
