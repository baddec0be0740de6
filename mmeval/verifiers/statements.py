"""The one number that the sentences of an answer state.

All functions work on masked text (`mask` of `mmeval.verifiers.answer`) and return offsets in it.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Sequence

from mmeval.verifiers.answer import negated
from mmeval.verifiers.numerals import Numeral, find_numerals, find_word_numbers
from mmeval.verifiers.sentences import CONCLUSION, main_clause, sentences

_ASIDE = re.compile(
    r"[,;]\s*(?:with|which|where|including|because|since|as|meaning|indicating|representing|so\s+that|due)\b"
    r"|\s(?:because|since)\b",
    re.IGNORECASE,
)
"""What follows a main clause and only adds to it."""
_AFTERWARDS = re.compile(rf"{_ASIDE.pattern}|[:;]\s", re.IGNORECASE)
_GIVEN = re.compile(r"\s(?:when|if|where|for|at)\s[^=,.\n]{0,24}=", re.IGNORECASE)
_REASON = re.compile(r"[\s,;(](?:because|since)\b", re.IGNORECASE)
"""What follows only gives the reason: "The side is 5, because 3² + 4² = 25"."""
_COMPARES = re.compile(r"\bthan\b|\bexception\b", re.IGNORECASE)
_ROUNDING = re.compile(r"\bround(?:s|ed|ing)?\b|\b(?:nearest|decimals?|significant)\b", re.IGNORECASE)
_BARE = re.compile(r"[\s%°$€£]*(?:(?!pi\b|π)[^\W0-9]+[\s²³]*){1,2}")
"""Behind the number of a sentence that says nothing else: its unit, or what is counted."""
_OWN_CONCLUSION = re.compile(
    r"[,;:—–]\s*(?:and\s+)?(?:(?:so|thus|hence|therefore|that\s+is(?=,)|making|giving|totall?ing|for\s+a\s+total\s+of|which\s+(?:makes|gives))\b|i\.e\.),?\s*",
    re.IGNORECASE,
)
"""Inside a sentence: what follows is drawn from what stands before ("6 rows of 7, i.e. 42 in total")."""
_EXISTS = re.compile(r"\bthere\s+(?:is|are|was|were)\b", re.IGNORECASE)
_BE = (
    r"(?:is|are|was|were|be|been|equals?|becomes?|totals?|remains?|(?:for|making|giving)\s+a\s+total\s+of|simplifies\s+to|(?:is|be)\s+rounded(?:\s+(?:up|down))?\s+to"
    r"|(?:it|that)['’]s|(?:you|we|i)\s+(?:get|have|obtain|find)|(?:ha[sd]|have|having|with)\s+an?\s+(?:[a-z]+\s+)?"
    r"(?:value|total|count|length|height|width|size|average|sum|score|rating)\s+of)"
)
_ADVERB = (
    r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|exactly|precisely|only|just|also|now|then|thus"
    r"|therefore|typically|actually|likely|probably|still|always|equal\s+to|at|a\s+total\s+of"
    r"|(?:estimated|found|calculated|given|known)\s+(?:to\s+be|at|as))"
)
_STATES = re.compile(rf"\b{_BE}\b\s*(?:{_ADVERB}\s+)*[\s*\"'(]*$", re.IGNORECASE)
"""Before a number: the sentence says that something is that number."""
_STATES_BOUND = re.compile(rf"\b{_BE}\s+(?:[a-z]+\s+){{1,3}}$", re.IGNORECASE)
_RELATIVE = re.compile(r"\b(?:which|that|who)\s+(?:is|are|was|were|equals|simplifies)\b[^,]*$", re.IGNORECASE)
_CALCULATES = re.compile(
    r"[0-9)][^=≈\n]{0,80}(?:[=≈]|\\approx)\s*[$€£\\]?[^\n]{0,20}[0-9]|(?:^|[.\n])[^\S\n]*+(?:of\s+(?:those|these|them)|among|out\s+of)\b",
    re.IGNORECASE,
)
_EACH_AFTER = re.compile(
    r"\s+[A-Za-z-]+\s+(?:[A-Za-z-]+\s+)?(?:(?:in|for|on|to)\s+)?(?:each|every)\b(?!\s+(?:[0-9]|two|three|four|five|ten)\b)",
    re.IGNORECASE,
)
_EACH_BEFORE = re.compile(
    r"\b(?:each|every)\s+(?:[A-Za-z-]+\s+){0,2}(?:contain(?:s|ing)|ha(?:s|ving)|with|get(?:s|ting)|hold(?:s|ing)"
    r"|receiv(?:es|ing)|cost(?:s|ing))\s+$",
    re.IGNORECASE,
)
_ROWS = re.compile(
    r"\s+(?:rows?|columns?|groups?|stacks?|piles?|layers?|shel(?:f|ves)|box(?:es)?|bags?)\b", re.IGNORECASE
)
"""Behind a number: with so many in each, the whole is the product, and both numbers are given."""
_RATIO = re.compile(r"\s*:\s*[0-9]|[\s%°A-Za-z/]{0,12}[+*×÷]\s*[\w(\\]")
_LISTED = re.compile(
    r"[\s%°A-Za-z]{0,14}(?:,|\band\b|\bor\b|\bto\b|[-–—:+*/×÷])\s*+(?:and\s++|or\s++)?[$€£(]?\s*", re.IGNORECASE
)
_AND = re.compile(r"\b(?:and|or|plus|times)\b", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:than|above|below|over|under|least|most|exceed(?:s|ing)?|within|(?<!add )(?<!adds )(?<!rounded )up\s+to|until|since|out\s+of)"
    r"\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\b(?:question|figure|fig\.|table|step|part|problem|example|image|picture|option|chapter|section|page|message"
    r"|equation|method|stage|phase|round)\s+(?:no\.?\s*|number\s+)?$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\b(?:the|these|those|both|all|its|their|between|other)\s+$", re.IGNORECASE)
"""Before a number word: it refers to known things ("these two people") and counts nothing."""
_AFTER_NUMERAL = re.compile(r"(?:[0-9]|\b(?:one|two|three|only|no))\s+$", re.IGNORECASE)
_LONGEST = 1500
"""Characters beyond which text without a full stop is no sentence; it bounds the work on degenerate text."""
ITEM = re.compile(r"^[ \t]*[0-9]{1,2}[.)](?=[ \t]+\S)", re.MULTILINE)
"""The marker of an item in a numbered list."""


def all_values(text: str) -> list[Numeral]:
    """Return all numbers of a text, digits and words, in order; markers of a numbered list are none.

    Left out where another number remains: labels ("Question 10") and number words that refer to known things
    ("these two people"). Bounds ("less than 5", "out of 10") count only where the text says nothing else and states
    them ("there are more than 50"). A negated number ("not 5") is no value.
    """
    items = {item.end() for item in ITEM.finditer(text)}
    numerals = [item for item in find_numerals(text) if not negated(text, item.start)]
    if len(items) > 1:
        numerals = [item for item in numerals if not {item.end, item.end + 1} & items]
    # "3 and a half" ends where "a half" does.
    ends = {item.end for item in numerals}
    words = [
        item
        for item in find_word_numbers(text)
        if item.end not in ends
        and not negated(text, item.start)
        and (item.value or not _AFTER_NUMERAL.search(text, max(0, item.start - 8), item.start))
    ]
    free = [
        item
        for item in numerals
        if text[item.start - 1 : item.start] in ",;:)]"
        or (
            not _BOUND.search(text, max(0, item.start - 24), item.start)
            and not _LABEL.search(text, max(0, item.start - 20), item.start)
        )
    ] + [
        item
        for item in words
        if not _BOUND.search(text, max(0, item.start - 24), item.start)
        and not _REFERENCE.search(text, max(0, item.start - 12), item.start)
    ]
    if not free:
        free = [item for item in numerals + words if not _BOUND.search(text, max(0, item.start - 24), item.start)]
    if not free:
        free = [item for item in numerals + words if _STATES_BOUND.search(text, max(0, item.start - 48), item.start)]
    return sorted(free, key=lambda item: item.start)


def one_value(found: Sequence[Numeral]) -> bool:
    """Whether all of at least one number have the same value."""
    return len({item.value for item in found}) == 1


def stated_number(text: str) -> Numeral | None:
    """Return the number that the sentences of a text state as its result, or None when they state none or several.

    In this order: the last sentence that opens with a conclusion ("So, there are 5 left."); the last sentence, when
    it says that something is the number, or repeats the result of the last equation; the first sentence with a
    number, unless calculations or parts follow it. A last sentence that states another number leaves none.
    """
    values = all_values(text)
    if not values:
        return None
    found = sentences(text)
    marked = next((sentence for sentence in reversed(found) if CONCLUSION.match(text, sentence[0])), None)
    first = None
    if marked is not None:
        first = _of_sentence(text, marked, values, sole=True) or _result_repeated(text, marked, values)
    if marked == found[-1]:
        return first
    last = _of_sentence(text, found[-1], values, sole=len(found) == 1)
    if last is None:
        last = _result_repeated(text, found[-1], values)
        if last is not None:
            return last
    if first is None:
        first = _of_first(text, found, values)
    if last is None or first is None:
        return last or first
    return last if _rounds(text, last, first) or _EXISTS.search(text, max(0, first.start - 60), first.start) else None


def _rounds(text: str, rounded: Numeral, value: Numeral) -> bool:
    """Whether a number is another one, or what it becomes when rounded, as is said, to as many decimals as are written."""
    if rounded.value == value.value:
        return True
    if _ROUNDING.search(text, value.end) is None:
        return False
    written = text[rounded.start : rounded.end]
    decimals = len(written.rpartition(".")[2].rstrip("%")) if "." in written else 0
    return math.isclose(round(value.value, decimals), rounded.value, rel_tol=1e-9, abs_tol=1e-12)


def _of_first(text: str, found: Sequence[tuple[int, int]], values: Sequence[Numeral]) -> Numeral | None:
    """Return the number that the first sentence with a number states."""
    opening = next((sentence for sentence in found if sentence[1] > values[0].start), found[0])
    rest = text[opening[1] :]
    if _CALCULATES.search(rest) or last_equals(text, *opening) >= 0:
        return None
    alone = len(_within(values, *opening)) == 1 and values[0].start == opening[0]
    bare = alone and _BARE.fullmatch(text, values[0].end, opening[1]) is not None
    return values[0] if bare else _of_sentence(text, opening, values, drawn=False)


def _within(values: Sequence[Numeral], start: int, end: int) -> list[Numeral]:
    return [item for item in values if start <= item.start and item.end <= end]


def _of_sentence(
    text: str, sentence: tuple[int, int], values: Sequence[Numeral], *, sole: bool = False, drawn: bool = True
) -> Numeral | None:
    """Return the one number that a sentence states.

    With `sole`, the only one of its main clause will do; with `drawn`, what the sentence itself concludes comes first.
    """
    start, end = sentence
    if end - start > _LONGEST:
        return None
    for inner in deque(_OWN_CONCLUSION.finditer(text, start, end) if drawn else (), maxlen=1):
        behind = _within(values, inner.end(), end)
        if (
            behind
            and one_value(behind)
            and (behind[0].start == inner.end() or _STATES.search(text, inner.end(), behind[0].start))
        ):
            return behind[0]
    each = [
        item
        for item in _within(values, start, end)
        if _EACH_AFTER.match(text, item.end, end) or _EACH_BEFORE.search(text, max(start, item.start - 48), item.start)
    ]
    if each:
        rows = _EACH_AFTER.match(text, each[0].end, end) is not None and any(
            _ROWS.match(text, item.end, end) for item in _within(values, start, each[0].start)
        )
        return each[0] if one_value(each) and not rows else None
    head = main_clause(text, start, end)
    concluding = CONCLUSION.match(text, start) is not None
    inside = [item for item in _within(values, head, end) if not _bracketed(text, item)]
    given = _GIVEN.search(text, head, end)
    if given and _within(inside, head, given.start()):
        end = given.start()
        inside = _within(inside, head, end)
    reason = _REASON.search(text, head, end)
    if reason and any(
        _STATES.search(text, max(start, item.start - 60), item.start) for item in _within(inside, head, reason.start())
    ):
        end = reason.start()
        inside = _within(inside, head, end)
    equals = last_equals(text, head, end)
    stated = [
        item
        for item in inside
        if item.start >= equals and _STATES.search(text, max(start, item.start - 60), item.start) is not None
    ]
    if equals >= 0 and not stated:
        right = _within(values, equals, end)
        return right[0] if len(right) == 1 or (right and _directly_behind(text, equals, right[0])) else None
    if stated:
        return _of_statements(text, (start, end), stated, inside, concluding=concluding)
    inside = _within(values, head, end) or _within(values, start, end)
    if not sole or not inside:
        return None
    tail = _ASIDE.search(text, inside[0].end, end)
    inside = _within(inside, start, tail.start() if tail else end)
    return inside[0] if one_value(inside) else None


def _of_statements(
    text: str,
    sentence: tuple[int, int],
    stated: Sequence[Numeral],
    inside: Sequence[Numeral],
    *,
    concluding: bool,
) -> Numeral | None:
    """Return the number that a sentence with "is 5", "which is 5" and the like states, when it is one."""
    start, end = sentence
    relative = [_RELATIVE.search(text, max(start, item.start - 60), item.start) is not None for item in stated]
    if relative[-1] and len(stated) > 1 and concluding:
        return stated[-1]  # "must be 4 less than 23, which is 19"
    if relative[0] and not concluding and (_COMPARES.search(text, start, stated[0].start) or stated[0] != inside[0]):
        return None
    aside = _AFTERWARDS.search(text, stated[0].end, end)
    stop = aside.start() if aside else end
    parallel = _within(stated, start, stop)
    if not one_value(parallel) or any(_goes_on(text, item, inside, stop) for item in parallel):
        return None
    return parallel[0]


def last_equals(text: str, start: int, end: int) -> int:
    """Return where the last equals or approximates sign in [start, end) ends, -1 without one."""
    position = -1
    for sign in ("=", "≈", "\\approx", "\\simeq", "\\doteq"):
        found = text.rfind(sign, start, end)
        position = max(position, found + len(sign) if found >= 0 else -1)
    return position


def _directly_behind(text: str, position: int, item: Numeral) -> bool:
    return not text[position : item.start].strip(" \t$€£(\\")


def _bracketed(text: str, item: Numeral) -> bool:
    """Whether a number stands in parentheses, as an aside."""
    opened = text.rfind("(", max(0, item.start - 40), item.start)
    if opened < 0 or ")" in text[opened : item.start]:
        return False
    return not text[max(0, opened - 4) : opened].rstrip().endswith(("=", "is"))


def _goes_on(text: str, item: Numeral, values: Sequence[Numeral], end: int) -> bool:
    """Whether a list, a range, a ratio, an operation or a second count follows a number."""
    if _RATIO.match(text, item.end):
        return True
    following = [other for other in values if item.end <= other.start < end]
    if not following:
        return False
    if _AND.search(text, item.end, following[-1].start):
        return True
    return _LISTED.fullmatch(text, item.end, following[0].start) is not None


def _result_repeated(text: str, sentence: tuple[int, int], values: Sequence[Numeral]) -> Numeral | None:
    """Return the number of a sentence that is the result of the last equation before it."""
    equals = last_equals(text, 0, sentence[0])
    if equals < 0:
        return None
    line_end = text.find("\n", equals, sentence[0])
    result = _within(values, equals, line_end if line_end >= 0 else sentence[0])
    if not result:
        return None
    inside = _within(values, *sentence)
    for item in inside:
        if math.isclose(item.value, result[0].value, rel_tol=1e-9) and not _goes_on(text, item, inside, sentence[1]):
            return item
    return None
