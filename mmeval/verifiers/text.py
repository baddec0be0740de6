"""Short text: compared after normalising case, articles, punctuation, Unicode form and white space."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_phrases, answer_section, mask, merged_options, stripped

_SURROUNDING = "\"'“”‘’*`$"
_ABBREVIATION = re.compile(r"(?<![\w.])(?:[^\W\d_]\.){2,}")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


class TextVerifier:
    """The answer is a word or phrase; the target is a string or a list of accepted strings.

    Scores: `exact` (equal after normalisation) and `contains` (the target's words stand together in the answer).
    Option `match: contains` makes the latter the primary score.
    """

    name = "text"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return what stands behind the last "the answer is", else the whole answer."""
        options = merged_options(self._options, context.options)
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
            DataError: when the target is neither a string, a number, nor a non-empty list of these.
        """
        accepted = target if isinstance(target, (list, tuple)) else [target]
        if not accepted or any(isinstance(item, bool) or not isinstance(item, (str, int, float)) for item in accepted):
            raise DataError(f"target {target!r} is not text", remedy="give a string or a list of accepted strings")
        answer = normalise(str(value))
        golds = [normalise(str(item)) for item in accepted]
        exact = any(answer == gold for gold in golds)
        contains = any(_contains(answer, gold) for gold in golds)
        options = merged_options(self._options, context.options)
        chosen = contains if options.get("match") == "contains" else exact
        return Match(float(chosen), chosen, {"exact": float(exact), "contains": float(contains)})


def _narrow(masked: str) -> tuple[int, int]:
    start, end = _trim(masked, 0, len(masked))
    return _last_phrase(masked, start, end) or (start, end)


def normalise(text: str) -> str:
    """Return text for comparison: NFKC, case folded, without articles and punctuation, single spaces.

    Decimal points and minus signs of numbers stay. A text of nothing else keeps its punctuation or article.
    """
    plain = " ".join(unicodedata.normalize("NFKC", mask(text)).replace("−", "-").casefold().split())
    reduced = re.sub(r"(?<=[0-9]),(?=[0-9]{3})", "", plain)
    reduced = _ABBREVIATION.sub(lambda found: found.group().replace(".", ""), reduced)
    kept = "".join(_keep(reduced, index) for index in range(len(reduced)))
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
        if end - start > 1 and text[end - 1] in ".。" and text[end - 2] != ".":
            end -= 1
    return start, end
