"""MathVista's scoring (Lu et al. 2024): the official rules on an extracted answer, and rules on the raw response."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import mask, merged_options, section_of
from mmeval.verifiers.choice import LETTERS, ChoiceVerifier
from mmeval.verifiers.number import NumberVerifier

ANSWER_TYPES = ("text", "integer", "float", "list")
_LETTER = re.compile(r"\(([a-zA-Z])\)")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_ITEM = re.compile(r"[+\-]?[0-9]+(?:\.[0-9]+)?")
_SUBSET_FIELDS = ("language", "source", "category", "task", "context", "grade", "skills")


class MathVistaOfficialVerifier:
    """The official normalisation of an answer that was extracted before; the target is the benchmark's string.

    The text is the extraction, no free response. Row options: `answer_type`, `question_type`, `precision`; the
    choices come as such. Option `cast` says how an integer is read: `current` (`int(float(x))`, the script of
    today) or `2023` (`int(x)`, the published runs). A choice that matches no option becomes the option with the
    smallest edit distance, so even an empty extraction names the shortest one: `is_forced_choice` tells.
    """

    name = "mathvista"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        cast = str(self._options.get("cast", "current"))
        casts: dict[str, Callable[[str], int]] = {"current": lambda text: int(float(text)), "2023": int}
        if cast not in casts:
            raise DataError(f"answer option cast: {cast!r} is unknown", remedy="use current or 2023")
        self._integer = casts[cast]
        self.version = f"1-{cast}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the normalised answer as the string that is compared with the gold string.

        Raises:
            DataError: when the row's fields do not say how to read an answer.
        """
        options = merged_options(self._options, context.options)
        kind = answer_type(options)
        if is_choice(options, kind):
            if not context.choices:
                raise DataError("a multiple-choice row without choices", remedy="give the row its choices column")
            return Extraction(_official_choice(text, context.choices), (0, len(text)))
        value = _official_value(text, kind, options, self._integer)
        return Extraction(reason="not found") if value is None else Extraction(value, (0, len(text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare strings; a choice's gold is the text of an option, or its letter.

        Raises:
            DataError: when the target is no string.
        """
        return _equal(value, target, context)


class MathVistaRulesVerifier:
    """Rules only, from the raw response: the choice, number and list parsers, no language model, no edit distance.

    Value and target are strings in the benchmark's form: the option's text, the integer, the float rounded to
    `precision`, the Python list.
    """

    name = "mathvista-rules"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._choice = ChoiceVerifier(self._options)
        self._number = NumberVerifier(self._options)
        self.version = f"1+choice{self._choice.version}.number{self._number.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read the answer by the row's type.

        Raises:
            DataError: when the row's fields do not say how to read an answer.
        """
        options = merged_options(self._options, context.options)
        kind = answer_type(options)
        if is_choice(options, kind):
            found = self._choice.parse(text, context)
            if not found.found or not context.choices:
                return found
            return Extraction(context.choices[LETTERS.index(found.value)], found.span)
        if kind == "list":
            return _find_list(text, options)
        if kind == "text":
            raise DataError(
                "a free-form row with answer_type 'text'", remedy="rules need integer, float, list or choices"
            )
        found = self._number.parse(text, context)
        if not found.found:
            return found
        if kind == "integer":
            # A number that is no integer is an answer, and a wrong one; truncating it would guess.
            whole = float(found.value).is_integer()
            return Extraction(str(int(found.value)) if whole else str(found.value), found.span)
        return Extraction(str(round(float(found.value), _precision(options))), found.span)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare strings; white space inside lists does not count.

        Raises:
            DataError: when the target is no string.
        """
        options = merged_options(self._options, context.options)
        if isinstance(target, str) and options.get("answer_type") == "list":
            target = _canonical_list(target) or target
        return _equal(value, target, context)


def is_forced_choice(text: str, context: AnswerContext) -> bool:
    """Whether the official rule names an option although the extraction names none (edit distance decides)."""
    options = context.options
    if not context.choices or not is_choice(options, str(options.get("answer_type", ""))):
        return False
    letter = _official_letter(text)
    return letter not in LETTERS[: len(context.choices)] and letter not in context.choices if letter else True


def subsets(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of the official sub-scores of one row of the benchmark; skills are joined by " | ".

    Raises:
        DataError: when the row lacks `metadata`.
    """
    metadata = row.get("metadata")
    if not isinstance(metadata, Mapping):
        raise DataError(f"MathVista row {row.get('pid')!r} has no metadata", remedy="use the benchmark's own JSON")
    found = {field: str(row[field]) for field in ("question_type", "answer_type") if field in row}
    for field in _SUBSET_FIELDS:
        value = metadata.get(field)
        if isinstance(value, str):
            found[field] = value
        elif isinstance(value, Sequence):
            found[field] = " | ".join(str(item) for item in value)
    return found


def row_context(row: Mapping[str, Any]) -> AnswerContext:
    """Return the answer context of one row of the benchmark."""
    fields = {field: row.get(field) for field in ("answer_type", "question_type", "precision")}
    return AnswerContext(choices=tuple(row.get("choices") or ()), options=fields)


def answer_type(options: Mapping[str, Any]) -> str:
    """Return the row's `answer_type`.

    Raises:
        DataError: when it is none that MathVista has.
    """
    kind = options.get("answer_type")
    if kind not in ANSWER_TYPES:
        raise DataError(
            f"answer_type {kind!r} of the row is unknown", remedy=f"MathVista has {', '.join(ANSWER_TYPES)}"
        )
    return str(kind)


def is_choice(options: Mapping[str, Any], kind: str) -> bool:
    """Whether a row of this answer type is multiple choice."""
    return options.get("question_type") == "multi_choice" if options.get("question_type") else kind == "text"


def _precision(options: Mapping[str, Any]) -> int:
    value = options.get("precision")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(f"precision {value!r} of a float row is no number", remedy="give the row its precision column")
    return int(value)


def _official_letter(text: str) -> str:
    stripped = text.strip()
    found = _LETTER.search(stripped)
    return found.group(1).upper() if found else stripped


def _official_choice(text: str, choices: Sequence[str]) -> str:
    from rapidfuzz.distance import Levenshtein

    letter = _official_letter(text)
    if len(letter) == 1 and letter in LETTERS[: len(choices)]:
        return choices[LETTERS.index(letter)]
    distances = [Levenshtein.distance(letter, choice) for choice in choices]
    return choices[distances.index(min(distances))]


def _official_value(text: str, kind: str, options: Mapping[str, Any], integer: Callable[[str], int]) -> str | None:
    try:
        if kind == "integer":
            return str(integer(text))
        if kind == "float":
            return str(round(float(text), _precision(options)))
    except (ValueError, OverflowError):
        return None
    return text


def _find_list(text: str, options: Mapping[str, Any]) -> Extraction:
    section = section_of(text, options)
    if section is None:
        return Extraction(reason="unfinished reasoning")
    found = [
        (match, canonical)
        for match in _LIST.finditer(mask(section.text))
        if (canonical := _canonical_list(match.group()))
    ]
    if not found:
        return Extraction(reason="not found")
    match, canonical = found[-1]
    return Extraction(canonical, section.span(*match.span()))


def _canonical_list(text: str) -> str | None:
    """Return a list of numbers as Python prints it, or None when `text` is none."""
    inner = text.strip().removeprefix("[").removesuffix("]")
    items = [item.strip() for item in inner.split(",")]
    if not all(_ITEM.fullmatch(item) for item in items):
        return None
    return "[" + ", ".join(items) + "]"


def _equal(value: Any, target: Any, context: AnswerContext) -> Match:
    if not isinstance(target, str):
        raise DataError(
            f"target {target!r} is no string", remedy="MathVista's answers are strings; import them as such"
        )
    if target not in context.choices and len(target) == 1 and target in LETTERS[: len(context.choices)]:
        target = context.choices[LETTERS.index(target)]
    return Match(float(value == target), value == target)
