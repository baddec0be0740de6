"""MMLongBench-Doc's rules for short answers, by the form of the gold answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import mask, merged_options
from mmeval.verifiers.numerals import read_number
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.text_scores import ANLS_THRESHOLD

FORMS = ("Int", "Float", "Str", "List", "None")
RULES = ("mmeval", "official")
NOT_ANSWERABLE = "not answerable"
TOLERANCE = 0.01
_PARENTHESES = re.compile(r"(?:(?<!\s)\s+)?\([^)]*\)")
_OUTER_QUOTES = re.compile(r"^['\"]|['\"]$")
_EXACT = re.compile(
    r"\d+(?:[-\s]\d+)?|\d{4}[-\s]\d{2}[-\s]\d{2}|[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}",
)
"""Whole numbers (of telephones, too), dates, addresses of electronic mail."""


class MMLongBenchVerifier:
    """The answer is a short text; the row's `answer_format` says what the gold is: Int, Float, Str, List or None.

    - Int: the integer part of the number equals the gold.
    - Float: within 1 % of the gold, of a hundredth or a hundred times of it, or equal when rounded to as many decimals as the
      coarser one has (at least two).
    - Str: ANLS above 0.5 (a half itself is 0 here); addresses, files of code, pages, times and whole numbers must be equal.
    - List: as many elements; sorted, equal where the first is a number or such an exact text, else the least of the ANLS.
    - None: as a text, "Not answerable".

    Option `rule`: `official` compares as published (the whole of what was extracted, numbers bare, texts with their full stops
    and their white space); `mmeval`, the default, reads responses. Golds of the form Int that are no integer ("yes", "21%")
    are compared as numbers or texts by the default, and are never right officially.

    Scores: `f1_matched` and `f1_total`, whose sums over rows give the F1 over answered questions (metric `answered-f1`): twice
    the score where the gold is an answer; 1 for such a gold and 1 for a prediction other than "Not answerable", which a row
    without an answer is, as in the published script.
    """

    name = "mmlongbench"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._official = self._options.get("rule") == "official"
        self._text = TextVerifier({**self._options, "whole": True} if self._official else options)
        self.version = f"2+{self._text.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """See `TextVerifier.parse`."""
        return self._text.parse(text, context)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the form of the gold.

        Raises:
            DataError: when the form is unknown, or a gold of the form Float is no number.
        """
        form = str(merged_options(self._options, context.options).get("answer_format"))
        answer = str(value)
        score = _score(answer, target, form, official=self._official)
        answerable = cleaned(str(target)) != NOT_ANSWERABLE
        answered = cleaned(answer) != NOT_ANSWERABLE
        scores = {"f1_matched": 2 * score * answerable, "f1_total": float(answerable) + float(answered)}
        return Match(score, None, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """A row without an answer counts among the questions and, officially "Fail to answer", among the predictions."""
        return {"f1_matched": 0.0, "f1_total": 1.0 + float(cleaned(str(target)) != NOT_ANSWERABLE)}


def cleaned(text: str, *, official: bool = False) -> str:
    """Return text for comparison: lower case, without parentheses, outer quotes, and signs of dollars and per cent.

    Unless `official`, all kinds of quotes go, and a final full stop.
    """
    # An opening bracket behind the last closing one has no partner, and need not be looked for.
    head, last, rest = text.lower().strip().rpartition(")")
    plain = (_PARENTHESES.sub("", head + last) + rest).strip()
    if official:
        return _OUTER_QUOTES.sub("", plain).strip().lstrip("$").strip().rstrip("%").strip()
    plain = plain.strip("'\"“”‘’").strip()
    if plain.endswith(".") and not plain.endswith(".m."):
        plain = plain[:-1].rstrip()
    return plain.lstrip("$").strip().rstrip("%").strip()


def _score(answer: str, target: Any, form: str, *, official: bool) -> float:
    clean = partial(cleaned, official=official)
    if form == "Int":
        gold, given = (_integer if official else _number)(str(target)), (_float if official else _number)(answer)
        if gold is not None or official:
            return float(given is not None and gold is not None and int(given) == int(gold))
        form = "Str"
    if form == "Float":
        gold, given = (
            (_float(clean(str(target))), _float(clean(answer))) if official else map(_number, (str(target), answer))
        )
        if gold is None:
            raise DataError(f"target {target!r} is no number", remedy="correct the row's answer or answer_format")
        return float(given is not None and _close(given, gold))
    if form in ("Str", "None"):
        return _text_score(clean(answer), clean(str(target)))
    if form == "List":
        answers, golds = (sorted(clean(str(one)) for one in _elements(side)) for side in (answer, target))
        return _list_score(answers, golds)
    raise DataError(f"answer_format {form!r} is unknown", remedy=f"it is one of {', '.join(FORMS)}")


def _number(text: str) -> float | None:
    found = _float(cleaned(text).replace(",", ""))
    if found is None:
        read = read_number(mask(text))
        found = None if read is None else float(read)
    return found if found is None or math.isfinite(found) else None


def _float(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _close(given: float, gold: float) -> bool:
    for wanted in (gold / 100, gold, gold * 100):
        if math.isclose(wanted, given, rel_tol=TOLERANCE):
            return True
        digits = max(min(_decimals(given), _decimals(wanted)), 2)
        if round(given, digits) == round(wanted, digits):
            return True
    return False


def _decimals(number: float) -> int:
    return len(str(number).partition(".")[2]) or 3


def _is_exact(gold: str) -> bool:
    """Whether near is not right: the published list of links, files of code, pages, numbers, times, dates and addresses."""
    return (
        "https://" in gold
        or gold.endswith((".py", "ipynb"))
        or gold.startswith("page")
        or "a.m." in gold
        or "p.m." in gold
        or _EXACT.fullmatch(gold) is not None
    )


def _text_score(answer: str, gold: str) -> float:
    return float(answer == gold) if _is_exact(gold) else _similarity(answer, gold)


def _similarity(answer: str, gold: str) -> float:
    """ANLS of two cleaned texts, 0 up to and with a half, as the published script has it; white space counts."""
    from rapidfuzz.distance import Levenshtein

    longest = max(len(answer), len(gold))
    found = 1 - Levenshtein.distance(answer, gold) / longest if longest else 1.0
    return found if found > ANLS_THRESHOLD else 0.0


def _elements(value: Any) -> list[Any]:
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = read_literal(value.strip())
        except DataError:
            value = value.strip().strip("[]").split(",")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _list_score(answers: list[str], golds: list[str]) -> float:
    if len(answers) != len(golds) or not golds:
        return 0.0
    if _is_float(golds[0]) or _is_exact(golds[0]):
        return float(answers == golds)
    return min(_similarity(answer, gold) for answer, gold in zip(answers, golds, strict=True))


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
