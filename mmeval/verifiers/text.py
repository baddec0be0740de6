"""Short text: compared after normalising case, articles, punctuation, Unicode form and white space."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import (
    after_reasoning,
    answer_phrases,
    answer_section,
    mask,
    merged_options,
    stripped,
)
from mmeval.verifiers.numerals import read_number
from mmeval.verifiers.text_scores import RELAXED_TOLERANCE, anls, includes, relaxed, vqa_accuracy

_SURROUNDING = '"“”*`'
_PAIRS = {"'": "'", "‘": "’", "$": "$"}
"""Signs that surround an answer only where they stand at both ends: "$5.00" and "'tis" keep theirs."""
_ABBREVIATION = re.compile(r"(?<![\w.])(?:[^\W\d_]\.){2,}")
_SIGN = re.compile(r"[^\w\s]|_")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


SCORES: Mapping[str, tuple[str, ...]] = {
    "exact": (),
    "contains": (),
    "anls": ("anls",),
    "vqa": ("vqa",),
    "relaxed": ("relaxed", "relaxed_lenient"),
    "includes-any": ("includes_any",),
}
"""Value of the option `match` -> the scores that it adds to `exact` and `contains`."""


class TextVerifier:
    """The answer is a word or phrase; the target is a string or a list of accepted strings.

    Scores: `exact` (equal after `normalise`) and `contains` (the target's words stand together in the answer). Option
    `match` names the primary score, and adds it:

    - `exact` (default), `contains`;
    - `anls`: edit similarity from 0.5 on, the best of the accepted strings (DocVQA, InfographicVQA); neither right nor
      wrong;
    - `vqa`: VQA accuracy, the target holds one string per annotator (TextVQA); neither right nor wrong;
    - `relaxed`: ChartQA's relaxed accuracy as its scripts compute it; `relaxed_lenient` beside it takes numbers with
      units, thousands separators and a percent sign on one side, and texts equal after `normalise`;
    - `includes-any`: an accepted string stands in the answer (OCRBench v1); with `spaces: false` white space does not
      count, and case does.

    Option `whole: true`: the answer is all that follows the reasoning, as official scripts take it; no phrase, tag or box
    is looked for.
    """

    name = "text"
    version = "4"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return what stands behind the last "the answer is", else the whole answer."""
        options = merged_options(self._options, context.options)
        if options.get("whole"):
            return _whole(text, options)
        start, end = 0, len(text)
        # Again and again, so that reading a value anew gives that value.
        while True:
            section = answer_section(text[start:end], options)
            if isinstance(section, Extraction):
                return section
            inner = section.span(*_narrow(mask(section.text)))
            inner = (inner[0] + start, inner[1] + start)
            if inner[0] == inner[1]:
                return Extraction(reason="empty")
            if inner == (start, end):
                return Extraction(text[start:end], (start, end))
            start, end = inner

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the accepted strings.

        Raises:
            DataError: when the target is neither a string, a number, nor a non-empty list of these; for `vqa`, when it
                is no list of at least two; when the option `match` is unknown.
        """
        options = merged_options(self._options, context.options)
        how = str(options.get("match", "exact"))
        if how not in SCORES:
            raise DataError(f"answer option match: {how!r} is unknown", remedy=f"use one of {', '.join(SCORES)}")
        accepted = _accepted(target, annotators=how == "vqa")
        answer = normalise(str(value))
        golds = [normalise(item) for item in accepted]
        exact = answer in golds
        scores = {"exact": float(exact), "contains": float(exact or any(_contains(answer, gold) for gold in golds))}
        scores |= _scores(how, str(value), accepted, exact, options)
        score = scores[how.replace("-", "_")]
        return Match(score, None if how in ("anls", "vqa") else score == 1, scores)


def _whole(text: str, options: Mapping[str, Any]) -> Extraction:
    answer = after_reasoning(text, options)
    if answer is None:
        return Extraction(reason="unfinished reasoning")
    start = len(text) - len(answer)
    start, end = start + len(answer) - len(answer.lstrip()), start + len(answer.rstrip())
    return Extraction(text[start:end], (start, end)) if start < end else Extraction(reason="empty")


def _accepted(target: Any, *, annotators: bool) -> list[str]:
    accepted = target if isinstance(target, (list, tuple)) else [target]
    if not accepted or any(isinstance(item, bool) or not isinstance(item, (str, int, float)) for item in accepted):
        raise DataError(f"target {target!r} is not text", remedy="give a string or a list of accepted strings")
    if annotators and len(accepted) < 2:
        raise DataError(
            f"target {target!r} is no list of annotators' answers", remedy="give match: vqa one per annotator"
        )
    return [str(item) for item in accepted]


def _scores(how: str, value: str, accepted: Sequence[str], exact: bool, options: Mapping[str, Any]) -> dict[str, float]:
    if how == "anls":
        return {"anls": anls(value, accepted)}
    if how == "vqa":
        return {"vqa": vqa_accuracy(value, accepted)}
    if how == "relaxed":
        strict = any(relaxed(value, gold) for gold in accepted)
        lenient = strict or exact or any(_close(value, gold) for gold in accepted)
        return {"relaxed": float(strict), "relaxed_lenient": float(lenient)}
    if how == "includes-any":
        spaces = options.get("spaces", True) is not False
        return {"includes_any": float(any(includes(value, gold, spaces=spaces) for gold in accepted if gold.strip()))}
    return {}


def _close(answer: str, gold: str) -> bool:
    """Whether two texts that hold one number each agree within ChartQA's 5 %; a percent sign changes no value."""
    given, wanted = read_number(mask(answer)), read_number(mask(gold))
    if given is None or wanted is None:
        return False
    return abs(given - wanted) <= RELAXED_TOLERANCE * abs(wanted)


def _narrow(masked: str) -> tuple[int, int]:
    start, end = _trim(masked, 0, len(masked))
    return _last_phrase(masked, start, end) or (start, end)


@lru_cache(maxsize=8192)
def normalise(text: str) -> str:
    """Return text for comparison: NFKC, case folded, without articles and punctuation, single spaces.

    Decimal points and minus signs of numbers stay. A text of nothing else keeps its punctuation or article.
    """
    plain = " ".join(unicodedata.normalize("NFKC", mask(text)).replace("−", "-").casefold().split())
    reduced = re.sub(r"(?<=[0-9]),(?=[0-9]{3})", "", plain)
    reduced = _ABBREVIATION.sub(lambda found: found.group().replace(".", ""), reduced)
    kept = _SIGN.sub(lambda found: _keep(reduced, found.start()), reduced)
    bare = " ".join(_ARTICLES.sub(" ", kept).split())
    return bare or " ".join(kept.split()) or plain


def _keep(text: str, index: int) -> str:
    character = text[index]
    if not unicodedata.category(character).startswith("P") and character != "`":
        return character
    digit_next = text[index + 1 : index + 2].isdigit()
    if character == "." and digit_next:
        return character
    if character == "-" and digit_next and not text[max(0, index - 1) : index].isalnum():
        return character
    if character in "'’":
        return ""
    return character if character in "%#&@" else " "


def _contains(answer: str, gold: str) -> bool:
    if not gold:
        return False
    # "5" stands neither in "-5" nor in "5.2", "c" not in "c++"; scripts without spaces have no word bounds.
    before = r"(?<![\w.\-])" if gold[0].isascii() else ""
    after = r"(?![\w+#]|\.[0-9])" if gold[-1].isascii() else ""
    return re.search(before + re.escape(gold) + after, answer) is not None


def _last_phrase(masked: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the line behind the last answer phrase in [start, end), or None when there is no (non-empty) one."""
    best: tuple[int, int] | None = None
    for _, position in answer_phrases(masked[start:end]):
        begin = start + position
        while begin < end and masked[begin].isspace():
            begin += 1
        line_end = masked.find("\n", begin, end)
        trimmed = _trim(masked, begin, line_end if line_end >= 0 else end)
        if trimmed[0] < trimmed[1]:
            best = trimmed
    return best


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out white space and quotes around, and one final full stop."""
    previous = (-1, -1)
    while (start, end) != previous:
        previous = (start, end)
        start, end = stripped(text, start, end, _SURROUNDING)
        if end - start > 1 and _PAIRS.get(text[start]) == text[end - 1]:
            start, end = start + 1, end - 1
        if end - start > 1 and text[end - 1] in ".。" and text[end - 2] != ".":
            end -= 1
    return start, end
