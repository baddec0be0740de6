"""Lists, sets and intervals."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, answer_section, declines, merged_options
from mmeval.verifiers.expression import ExpressionVerifier
from mmeval.verifiers.formula import parse_formula
from mmeval.verifiers.formula_finder import find_formula, tidy
from mmeval.verifiers.formula_match import ranges_equal, ranges_of
from mmeval.verifiers.formula_tokens import NotAFormula
from mmeval.verifiers.formula_tree import Tree
from mmeval.verifiers.list_reading import find_list, list_elements
from mmeval.verifiers.number import numbers_equal, read_target
from mmeval.verifiers.text import normalise

FORMS = ("list", "set", "interval")
ELEMENTS = ("number", "text", "expression")
_ROUNDS = 8
_PLUS_MINUS = re.compile(r"±|\\pm(?![A-Za-z])|\+/-")


class ListVerifier:
    """The answer is a list, a set, or an interval; value and target are JSON lists, or an interval as a string.

    Options: `form`: `list` (default), `set` (no order, repetitions count once) or `interval` (or a union of intervals;
    open and closed ends count, `1 < x <= 2` is `(1, 2]`); `order: false` for a list without order; `element`: `text`
    (default), `number` or `expression`; `tolerance_abs`, `tolerance_rel`, `precision` for numbers. A target may be a string
    of the list, and a list of lists holds several accepted answers.

    Scores of lists and sets: `exact`, and `f1` (elements that match, in their places where order counts, twice over the
    elements of both).
    """

    name = "list"
    version = "3"
    blocking = True
    """Matching may wait for another process."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the list that the answer states.

        Raises:
            DataError: when an option is unknown.
        """
        options = merged_options(self._options, context.options)
        form, element = _form(options), _element(options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        if form == "interval":
            return _read_interval(section)
        found = find_list(section, element)
        if isinstance(found, str):
            return Extraction(reason="refusal" if found == "not found" and declines(section.text) else found)
        start, end, value = found
        # Until reading the value anew gives the value: an element may look like a list of its own.
        for _ in range(_ROUNDS):
            again = answer_section(json.dumps(value, ensure_ascii=False), options)
            second = find_list(again, element) if isinstance(again, Section) else "not found"
            if isinstance(second, str):
                return Extraction(reason="ambiguous")
            if second[2] == value:
                return Extraction(value, section.span(start, end))
            value = second[2]
        return Extraction(reason="ambiguous")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the target.

        Raises:
            DataError: when the target is no list of the declared form, or an option is unknown.
            UndecidedError: when a symbolic comparison does not come to an end.
        """
        options = merged_options(self._options, context.options)
        if _form(options) == "interval":
            return _match_interval(str(value), target, options)
        nested = (
            isinstance(target, (list, tuple))
            and bool(target)
            and all(isinstance(item, (list, tuple)) for item in target)
        )
        compared = [_compare(value, wanted, options, context) for wanted in (target if nested else [target])]
        return max(compared, key=lambda found: (found.score, found.scores["f1"]))


def _form(options: Mapping[str, Any]) -> str:
    return _one_of(options, "form", FORMS, "list")


def _element(options: Mapping[str, Any]) -> str:
    return _one_of(options, "element", ELEMENTS, "text")


def _one_of(options: Mapping[str, Any], key: str, known: Sequence[str], default: str) -> str:
    value = str(options.get(key, default))
    if value not in known:
        raise DataError(f"answer option {key}: {value!r} is unknown", remedy=f"use one of {', '.join(known)}")
    return value


def _read_interval(section: Section) -> Extraction:
    found = find_formula(section)
    if isinstance(found, str):
        return Extraction(reason=found)
    text = section.text[slice(*found)]
    if _ranges(text) is None:
        return Extraction(reason="not found")
    return Extraction(text, section.span(*found))


def _ranges(text: str) -> list[Tree] | None:
    try:
        tree = parse_formula(tidy(text))
    except NotAFormula:
        return None
    if tree[0] == "rel" and tree[2] == "in" and len(tree) == 4:
        tree = tree[3]
    return ranges_of(tree)


def _match_interval(value: str, target: Any, options: Mapping[str, Any]) -> Match:
    accepted = target if isinstance(target, (list, tuple)) else [target]
    golds = [_ranges(item) if isinstance(item, str) else None for item in accepted]
    if not golds or any(gold is None for gold in golds):
        raise DataError(
            f"target {target!r} is no interval", remedy='give it as a string such as "[1, 2)" or "1 <= x < 2"'
        )
    answer = _ranges(value)
    right = answer is not None and any(ranges_equal(gold, answer, options) for gold in golds if gold is not None)
    return Match(float(right), right)


def _compare(value: Any, target: Any, options: Mapping[str, Any], context: AnswerContext) -> Match:
    element = _element(options)
    wanted, given = _wanted(target, element), list(value)
    form = _form(options)
    ordered = form == "list" and options.get("order", True) is not False
    if element == "expression" and not ordered and len(wanted) != len(given):
        wanted, given = (_both_signs(items) for items in (wanted, given))
    if form == "set":
        wanted, given = (_once(items, element, options, context) for items in (wanted, given))
    table = [[_same(first, second, element, options, context) for second in given] for first in wanted]
    rows, columns = len(table), len(table[0]) if table else 0
    in_place = sum(table[index][index] for index in range(min(rows, columns)))
    matched = in_place if ordered else _matching(table, columns)
    exact = matched == rows == columns
    return Match(float(exact), exact, {"exact": float(exact), "f1": 2 * matched / (rows + columns)})


def _both_signs(items: Sequence[Any]) -> list[Any]:
    """Return the elements with two in place of each that holds one plus-minus sign."""
    split: list[Any] = []
    for item in items:
        signs = list(_PLUS_MINUS.finditer(str(item)))
        split += [item] if len(signs) != 1 else [_PLUS_MINUS.sub(sign, str(item)) for sign in (" + ", " - ")]
    return split


def _once(items: Sequence[Any], element: str, options: Mapping[str, Any], context: AnswerContext) -> list[Any]:
    """Return the elements without repetitions."""
    kept: list[Any] = []
    for item in items:
        if not any(_same(other, item, element, options, context) for other in kept):
            kept.append(item)
    return kept


def _matching(table: Sequence[Sequence[bool]], columns: int) -> int:
    """Return how many rows can be matched with different columns (augmenting paths)."""
    owner: list[int | None] = [None] * columns

    def place(row: int, tried: set[int]) -> bool:
        for column in range(columns):
            if table[row][column] and column not in tried:
                tried.add(column)
                before = owner[column]
                if before is None or place(before, tried):
                    owner[column] = row
                    return True
        return False

    return sum(place(row, set()) for row in range(len(table)))


def _same(wanted: Any, given: Any, element: str, options: Mapping[str, Any], context: AnswerContext) -> bool:
    if element == "number":
        return numbers_equal(float(given), wanted, options)
    if element == "text":
        return normalise(str(given)) == normalise(wanted)
    return ExpressionVerifier(options).match(str(given), wanted, context).correct is True


def _wanted(target: Any, element: str) -> list[Any]:
    items = list_elements(target.strip(), "text") if isinstance(target, str) else target
    if (
        not isinstance(items, (list, tuple))
        or not items
        or any(isinstance(item, bool) or not isinstance(item, (str, int, float)) for item in items)
    ):
        raise DataError(f"target {target!r} is no list", remedy="give a JSON list of strings or numbers")
    return [read_target(item) if element == "number" else str(item) for item in items]
