"""MMLongBench-Doc's rules for short answers, by the form of the gold answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import mask, merged_options
from mmeval.verifiers.numerals import read_number
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.text_scores import anls

FORMS = ("Int", "Float", "Str", "List", "None")
NOT_ANSWERABLE = "not answerable"
TOLERANCE = 0.01
_PARENTHESES = re.compile(r"\s*\([^)]*\)")
_EXACT = re.compile(
    r"https?://\S+|www\.\S+|\S+@\S+\.\w+|[\w./-]+\.(?:py|ipynb|json|csv|txt|pdf|xlsx?|docx?|pptx?)|page\s*\d+"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]\.?m\.?)?|\d{1,2}\s*[ap]\.?m\.?|\+?\d[\d ()-]*\d|\d{4}-\d{2}(?:-\d{2})?"
)
"""Addresses, files, pages, times, dates, numbers of telephones: near is not right."""


class MMLongBenchVerifier:
    """The answer is a short text; the row's `answer_format` says what the gold is: Int, Float, Str, List or None.

    - Int: the integer part of the number equals the gold.
    - Float: within 1 % of the gold, of a hundredth or a hundred times of it, or equal when rounded to as many decimals as the
      coarser one has (at least two).
    - Str: ANLS from 0.5 on; addresses, files, times and telephone numbers must be equal.
    - List: as many elements; sorted, equal where the first is a number or such an exact text, else the least of the ANLS.
    - None: as a list of one, mostly "Not answerable".

    Scores: `f1_matched` and `f1_total`, whose sums over rows give the F1 over answered questions (metric `answered-f1`): twice
    the score where the gold is an answer; 1 for such a gold and 1 for a prediction other than "Not answerable".
    """

    name = "mmlongbench"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._text = TextVerifier(options)
        self.version = f"1+{self._text.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """See `TextVerifier.parse`."""
        return self._text.parse(text, context)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the form of the gold.

        Raises:
            DataError: when the form is unknown, or the gold is not of it.
        """
        form = str(merged_options(self._options, context.options).get("answer_format"))
        answer = str(value)
        score = _score(answer, target, form)
        answerable = cleaned(str(target)) != NOT_ANSWERABLE
        answered = cleaned(answer) != NOT_ANSWERABLE
        scores = {"f1_matched": 2 * score * answerable, "f1_total": float(answerable) + float(answered)}
        return Match(score, None, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """A row without an answer counts among the questions, not among the predictions."""
        return {"f1_matched": 0.0, "f1_total": float(cleaned(str(target)) != NOT_ANSWERABLE)}


def cleaned(text: str) -> str:
    """Return text for comparison: lower case, without parentheses, outer quotes, a final full stop, and signs of dollars and per cent."""
    plain = _PARENTHESES.sub("", text.lower().strip()).strip()
    plain = plain.strip("'\"“”‘’").strip()
    if plain.endswith(".") and not plain.endswith(".m."):
        plain = plain[:-1].rstrip()
    return plain.removeprefix("$").removesuffix("%").strip()


def _score(answer: str, target: Any, form: str) -> float:
    if form == "Int":
        gold, given = _number(str(target)), _number(answer)
        if gold is None:
            raise DataError(f"target {target!r} is no integer", remedy="correct the row's answer or answer_format")
        return float(given is not None and int(given) == int(gold))
    if form == "Float":
        gold, given = _number(str(target)), _number(answer)
        if gold is None:
            raise DataError(f"target {target!r} is no number", remedy="correct the row's answer or answer_format")
        return float(given is not None and _close(given, gold))
    if form == "Str":
        return _text_score(cleaned(answer), cleaned(str(target)))
    if form in ("List", "None"):
        return _list_score(_elements(answer), _elements(target))
    raise DataError(f"answer_format {form!r} is unknown", remedy=f"it is one of {', '.join(FORMS)}")


def _number(text: str) -> float | None:
    plain = cleaned(text).replace(",", "")
    try:
        found = float(plain)
    except ValueError:
        read = read_number(mask(text))
        if read is None:
            return None
        found = float(read)
    return found if math.isfinite(found) else None


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


def _text_score(answer: str, gold: str) -> float:
    if _EXACT.fullmatch(gold):
        return float(answer == gold)
    return anls(answer, [gold])


def _elements(value: Any) -> list[str]:
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = read_literal(value.strip())
        except DataError:
            value = value.strip().strip("[]").split(",")
    listed = value if isinstance(value, (list, tuple)) else [value]
    return sorted(cleaned(str(one)) for one in listed)


def _list_score(answers: list[str], golds: list[str]) -> float:
    if len(answers) != len(golds) or not golds:
        return 0.0
    if _is_float(golds[0]) or _EXACT.fullmatch(golds[0]):
        return float(answers == golds)
    return min(anls(answer, [gold]) for answer, gold in zip(answers, golds, strict=True))


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
