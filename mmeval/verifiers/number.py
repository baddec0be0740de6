"""Numbers: the one value that an answer states, compared exactly, with a tolerance, or by relative accuracy."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import (
    Section,
    answer_phrases,
    answer_section,
    body_end,
    declines,
    lines,
    mask,
    merged_options,
    negated,
    own_turn,
    sentence_end,
)
from mmeval.verifiers.chinese_numerals import find_chinese_number
from mmeval.verifiers.choice_patterns import RECONSIDERS
from mmeval.verifiers.numerals import (
    Number,
    Numeral,
    find_numerals,
    find_word_numbers,
    read_number,
)
from mmeval.verifiers.sentences import prose
from mmeval.verifiers.statements import ITEM, all_values, last_equals, one_value, stated_number

# linspace(0.5, 0.95, 10) in floating point: the published code's thresholds to the last bit.
MRA_THRESHOLDS = (*(0.5 + index * ((0.95 - 0.5) / 9) for index in range(9)), 0.95)

_LISTING = re.compile(r"\b(?:or|and|to)\b\W*$|^[^\w(]*$", re.IGNORECASE)
_ALONE_BEFORE = re.compile(r"[^0-9]{0,60}[:=≈]\s*|\W*")
_ALONE_AFTER = re.compile(r"\W*(?:[^\W0-9]+\W+){0,2}(?:[^\W0-9]+\W*)?")
_REACH = 400
"""Characters behind an answer phrase in which its number must stand."""
_CALCULATION = re.compile(r"[0-9][^\n=≈]{0,80}[=≈]")
_BULLET = re.compile(r"^[ \t]*[-*•+][ \t]+\S", re.MULTILINE)
_BOLD = re.compile(r"\*\*([^*\n]{1,60})\*\*")
_SEVERAL_NAMES = re.compile(
    r"\W*([A-Za-z])\s*=\s*+(?:(?<=\s)|[^=A-Za-z\n])[^=A-Za-z\n]{0,19}?\s*+"
    r"(?:(?:(?:[,;]|\band\b)\s*+(?:and\s++)?(?!\1\b)[A-Za-z]|[,;]?\s*+\bor\s++[A-Za-z])\s*=[^=A-Za-z\n]{1,20}?){1,6}"
)
"""Values of several variables, or alternatives of one, and nothing else ("x = 5, y = 6")."""
_WAITING = re.compile(r"\s+(?:for|until|till|at|in|times?)\b", re.IGNORECASE)
"""Behind "wait" where somebody or something does wait."""
_CLOSES = re.compile(r"\s{0,2}(?:[^\s.,;!]{1,14})?\s{0,2}(?:[.,;!)\n]|$)")
"""Behind a number that ends what is said, but for a unit."""
_REMARK = re.compile(
    r"\s\((?!\W*(?:or|and|to|but|not|if|maybe|perhaps|possibly|could|might|probably|actually)\b)[^()\n]+\)\W*\Z",
    re.IGNORECASE,
)
_FACTORIAL = re.compile(r"[0-9)]!\s*$")
_LENGTH = r"(?:(?:square|sq\.?|cubic)\s+)?(?:mm|cm|km|m|in|ft|yd|(?:milli|centi|kilo)?met(?:er|re)s?|inch(?:es)?|feet|foot|yards?)(?:[²³]|\^[23])?"
_CONVERTED = re.compile(
    rf"(?<=[0-9])(\s?{_LENGTH}\s*)(\(\s*(?:(?:or|about|approximately|approx\.?|roughly|around|[~≈=])\s*){{0,2}}[0-9][0-9.,]{{0,12}}\s?{_LENGTH}"
    rf"(?:,?\s?(?:and\s)?[0-9]{{1,2}}\s?(?:in|inch(?:es)?))?\s*\))",
    re.IGNORECASE,
)
"""A length said again in another unit: "3.5 meters (about 11.5 feet)"."""
_MORE = re.compile(
    rf"\s?:\s?[0-9]|[ \t]?(?:[+÷*·]|\\(?:cdot|times|div)\b)[ \t]{{0,2}}\\?\$?[0-9]|\s?(?:{_LENGTH})?\s*(?:\bby\b|[x×])\s*[0-9]"
    r"|\s?(?:feet|foot|ft\.?|met(?:er|re)s?|m|yards?|hours?|hrs?|h|minutes?|mins?|pounds?|lbs?)\s*+,?\s*+(?:and\s++)?[0-9]+(?:\.[0-9]+)?\s?"
    r"(?:inch(?:es)?|in|cm|centimet(?:er|re)s?|minutes?|mins?|seconds?|secs?|s|ounces?|oz)\b",
    re.IGNORECASE,
)
"""Behind a number that is only a part of what is said: "2 feet 6 inches", "3 m by 4 m", "10:10"."""


class NumberVerifier:
    """The answer is one number; the target is a number or a numeric string.

    Read are digits with thousands separators (1,000; 1 000; 1.000,5), fractions and mixed numbers, powers of ten, roots, π,
    and English and simple Chinese numerals. Percent, degree, currency and unit signs do not change a value. Two numbers
    (ranges, "12 or 13", ±) are ambiguous, and so is what can be read in two ways ("1,23").

    Options: `tolerance_abs` and `tolerance_rel` (either suffices), `precision` (both sides are rounded to so
    many decimals first), `mra: true` (Mean Relative Accuracy becomes the primary score and `scores["mra"]`).
    """

    name = "number"
    version = "9"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the number that the answer states; several candidates without an answer phrase are ambiguous."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found = find_number(section)
        if isinstance(found, str):
            return Extraction(reason=found)
        return Extraction(found.value, section.span(found.start, found.end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare two numbers.

        Raises:
            DataError: when the target is no number, or an option is not of its kind.
        """
        options = merged_options(self._options, context.options)
        gold = read_target(target)
        correct = numbers_equal(float(value), gold, options)
        if options.get("mra"):
            accuracy = mean_relative_accuracy(float(value), gold)
            return Match(accuracy, correct, {"mra": accuracy})
        return Match(float(correct), correct)


def find_number(section: Section, label: re.Pattern[str] | None = None) -> Numeral | str:
    """Return the number that a section states, or the reason why there is none.

    In this order: behind the last "the answer is …"; alone on the first or last line; in bold type; what its
    sentences state; the only value in the whole section. `label` matches further phrases ("rating:").
    """
    text = _CONVERTED.sub(lambda found: found[1] + " " * len(found[2]), mask(section.text))
    found = _found(section, text, label)
    if isinstance(found, Numeral):
        found = _reconsidered(text, found)
    return "ambiguous" if isinstance(found, Numeral) and _MORE.match(text, found.end) else found


def _reconsidered(text: str, found: Numeral) -> Numeral | str:
    """Return what a number becomes by the words that take it back ("12. Wait, it is 13"): what is said last, or ambiguous."""
    mark = RECONSIDERS.search(text, found.end)
    if mark is None or _WAITING.match(text, mark.end()):
        return found
    values = [
        Numeral(item.value, item.start + mark.start(), item.end + mark.start())
        for item in all_values(text[mark.start() :])
    ]
    if not values or any(item.value == found.value for item in values):
        return found
    return values[0] if one_value(values) and _CLOSES.match(text, values[0].end) else "ambiguous"


def _found(section: Section, text: str, label: re.Pattern[str] | None) -> Numeral | str:
    text = text[: body_end(text[: own_turn(text)])]
    positions = {end for _, end in answer_phrases(text)}
    if label is not None:
        # Only the last ones can decide; the limit bounds the work on text that repeats the label for ever.
        positions |= {found.end() for found in deque(label.finditer(text), maxlen=32)}
    behind = _behind_phrases(text, sorted(positions))
    if behind is not None:
        return behind
    if section.marked:
        # In a box "5!" is a factorial, in a sentence an exclamation.
        return "ambiguous" if _FACTORIAL.search(text) else _stated(text, 0, len(text)) or "not found"
    running = prose(section.text, text)
    if _SEVERAL_NAMES.fullmatch(running) is not None:
        return "ambiguous"
    alone = _alone_on_line(running)
    if alone is not None:
        return alone
    if declines(section.text):
        return "refusal"
    concluded = _emphasised(section.text, text) or stated_number(running)
    if concluded is not None:
        return concluded
    values = all_values(running) or find_chinese_number(text)
    if not values:
        return "not found"
    return values[0] if one_value(values) else _before_remark(running) or "ambiguous"


def _before_remark(text: str) -> Numeral | None:
    """Return the number of a short answer that a remark in parentheses explains as a sum or a product ("42 (6 rows × 7 columns)")."""
    remark = _REMARK.search(text) if len(text) <= _REACH else None
    if remark is None:
        return None
    stated, parts = all_values(text[: remark.start()]), [item.value for item in all_values(remark.group())]
    if not one_value(stated) or len(parts) < 2 or len(text[: stated[0].start].split()) > 4:
        return None
    explained = any(math.isclose(stated[0].value, whole) for whole in (math.fsum(parts), math.prod(parts)))
    return stated[0] if explained else None


def _numerals(text: str, start: int, end: int) -> list[Numeral]:
    part = text[start:end]
    found = find_numerals(part) or find_word_numbers(part) or find_chinese_number(part)
    stated = [Numeral(item.value, item.start + start, item.end + start) for item in found]
    return [item for item in stated if not negated(text, item.start)]


def _stated(text: str, start: int, end: int) -> Numeral | str | None:
    """Return the number of a segment that must hold the answer: the right-hand side, the only one, the first."""
    if _SEVERAL_NAMES.fullmatch(text, start, end) is not None:
        return "ambiguous"
    equals = last_equals(text, start, end)
    if equals >= 0 and _numerals(text, equals, end):
        start = equals
    found = _numerals(text, start, end)
    if not found:
        return None
    if one_value(found):
        return found[0]
    between = text[found[0].end : found[1].start]
    return "ambiguous" if _LISTING.search(between) else _first(text, start, found)


def _first(text: str, start: int, found: list[Numeral]) -> Numeral | str:
    """Accept the first of several numbers where only a few words lead to it ("5 apples out of 7")."""
    lead = text[start : found[0].start].split()
    return found[0] if len(lead) <= 4 else "ambiguous"


def _behind_phrases(text: str, positions: list[int]) -> Numeral | str | None:
    result: Numeral | str | None = None
    sentence = -1
    markers = [item.end() for item in ITEM.finditer(text)]
    for position in positions:
        end = sentence_end(text, position)
        stated = _stated(text, position, min(end, position + _REACH))
        if stated is None or (isinstance(stated, Numeral) and stated.value == 1 and stated.end + 1 in markers):
            continue  # "Here is the answer:", and a list opens
        if (
            end == sentence
            and isinstance(result, Numeral)
            and isinstance(stated, Numeral)
            and stated.value != result.value
        ):
            result = "ambiguous"
        else:
            result = stated
        sentence = end
    return result


def _alone_on_line(text: str) -> Numeral | str | None:
    found = lines(text)
    if len(found) < 2:
        return None
    first, last = _alone(text, *found[0]), _alone(text, *found[-1])
    if first is not None and _CALCULATION.search(text, *found[0]):
        first = None  # a first step, not the answer
    if last is not None and _BULLET.match(text, found[-1][0]) and len(_BULLET.findall(text)) > 1:
        last = None
    alone = [item for item in (first, last) if item is not None]
    if len(alone) == 2 and alone[0].value != alone[1].value:
        return "ambiguous" if len(find_numerals(text)) == 2 else alone[1]
    return alone[0] if alone else None


def _alone(text: str, start: int, end: int) -> Numeral | None:
    """Return the number of a line that holds, apart from a label and a unit, nothing else."""
    if ITEM.match(text, start) and len(ITEM.findall(text)) > 1:
        return None
    behind = max(start, last_equals(text, start, end))
    found = _numerals(text, behind, end)
    if len(found) != 1:
        return None
    item = found[0]
    if _ALONE_BEFORE.fullmatch(text, behind, item.start) is None or _ALONE_AFTER.fullmatch(text, item.end, end) is None:
        return None
    return item


def _emphasised(raw: str, text: str) -> Numeral | None:
    """Return the number that alone is printed bold, where bold type names one value."""
    found: list[Numeral] = []
    for bold in _BOLD.finditer(raw, 0, len(text)):
        inside = _numerals(text, *bold.span(1))
        if len(inside) == 1:
            found += inside
    return found[0] if found and one_value(found) else None


def read_target(target: Any) -> float:
    """Return a gold number.

    Raises:
        DataError: when it is neither a finite number nor a string that holds exactly one.
    """
    value: Number | None = None
    if isinstance(target, (int, float)) and not isinstance(target, bool):
        value = target
    elif isinstance(target, str):
        value = read_number(mask(target))
    if value is None or not math.isfinite(value):
        raise DataError(
            f"target {target!r} is not a number", remedy="give the gold answer as a number or a numeric string"
        )
    return float(value)


def numbers_equal(value: float, gold: float, options: Mapping[str, Any]) -> bool:
    """Whether two numbers agree under `precision`, `tolerance_abs` and `tolerance_rel`.

    Without any of them, floating-point noise (one part in 10^9) is all that is forgiven.

    Raises:
        DataError: when an option is not a number.
    """
    precision = _option(options, "precision")
    absolute, relative = _option(options, "tolerance_abs"), _option(options, "tolerance_rel")
    if precision is not None and round(value, int(precision)) == round(gold, int(precision)):
        return True
    if absolute is not None and abs(value - gold) <= absolute * (1 + 1e-12):
        return True
    if relative is not None and abs(value - gold) <= relative * abs(gold) * (1 + 1e-12):
        return True
    return math.isclose(value, gold, rel_tol=1e-9, abs_tol=1e-12)


def _option(options: Mapping[str, Any], key: str) -> float | None:
    value = options.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise DataError(f"answer option {key}: {value!r} is not a number of at least 0", remedy="correct the card")
    return float(value)


def mean_relative_accuracy(value: float, gold: float) -> float:
    """Return the Mean Relative Accuracy of VSI-Bench (Yang et al. 2024), in [0, 1].

    The share of the thresholds t = 0.50, 0.55 … 0.95 with |value - gold| / |gold| <= 1 - t, in the floating-point
    order of the published code. Where gold is 0, which that code does not define, the error is |value|.
    """
    error = abs(value - gold) / abs(gold) if gold else abs(value)
    return sum(error <= 1 - threshold for threshold in MRA_THRESHOLDS) / len(MRA_THRESHOLDS)
