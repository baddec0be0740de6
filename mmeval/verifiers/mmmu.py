"""MMMU's and MMMU-Pro's own rules: the parser of options and of open answers, without its draw by lot.

Source: MMMU-Benchmark/MMMU @bb0b95a, mmmu/utils/eval_utils.py and mmmu-pro/evaluate.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.base import GUESS_SHARE, GUESSED
from mmeval.verifiers.choice import LETTERS

MULTIPLE_CHOICE = "multiple-choice"

_ENDS = (",", ".", "!", "?", ";", ":", "'")
"""Taken off both ends of a response, one after the other, each once."""
_FEWEST_WORDS = 5
"""An option's text is looked for only in responses of more words than this."""
_ANSWER = "Answer:"
_INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_TRIVIAL = frozenset(":,.!?;'")
_DECIMALS = 2

# The look-behinds change no match; they keep a long run of digits from being tried from each of its digits.
_WITH_COMMAS = re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b")
_SCIENTIFIC = re.compile(r"(?:-|(?<!\d))\d+(?:\.\d+)?[eE][+-]?\d+")
_SIMPLE = re.compile(r"(?:(?:-|(?<!\d))(?:\d+\.\d+|\d+\b)|-?\.\d+)(?![eE][+-]?\d+)(?![,\d])")


class MMMUVerifier:
    """The official rule of MMMU. A row with choices is multiple choice, value and target a letter; others are open.

    A choice is the last letter in brackets, else the last letter between spaces, else the last option text in a
    response of more than five words. Where the official script draws an option by lot there is no answer here: the
    verdict's scores say `guessed` and how often the draw would be right (`guess_share`).

    An open answer's value is the list of the strings and rounded numbers that count as the answer; the target is a
    string or a list of accepted strings (or that list as text). It is right when a number equals, or when an accepted
    string stands inside one of them.
    """

    name = "mmmu"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read a letter or the candidates of an open answer.

        Raises:
            DataError: when a row that calls itself multiple choice has no choices, or too many to be lettered.
        """
        if _is_choice(self._options, context):
            return _choice(text, context.choices, bare=(" {} ",))
        candidates = open_candidates(text)
        return Extraction(candidates) if any(item != "" for item in candidates) else Extraction(reason="empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters; or the candidates with the accepted answers.

        Raises:
            DataError: when the target is neither a string nor a list of strings.
        """
        golds = _golds(target)
        right = value in golds if _is_choice(self._options, context) else _open_is_right(value, golds)
        return Match(float(right), right)


class MMMUProVerifier:
    """The official rule of MMMU-Pro: one letter behind the last "Answer:", else MMMU's rule with looser bare letters.

    Every row is multiple choice; value and target are letters. A letter also counts where a space or, failing that, a
    full stop follows it, whatever stands before it ("NASA " names A). No answer where the official script draws.
    """

    name = "mmmu-pro"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read a letter.

        Raises:
            DataError: when the row has no choices, or too many to be lettered.
        """
        letters = _letters(context.choices)
        start = text.rfind(_ANSWER)
        if start >= 0:
            behind = text[start + len(_ANSWER) :]
            named = [letter for letter in letters if letter in behind]
            if len(named) == 1:
                place = start + len(_ANSWER) + behind.index(named[0])
                return Extraction(named[0], (place, place + 1))
        return _choice(text, context.choices, bare=("{} ", "{}."))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no string.
        """
        if not isinstance(target, str):
            raise DataError(f"target {target!r} is no letter", remedy="MMMU-Pro's answers are letters")
        return Match(float(value == target), value == target)


def _is_choice(options: Mapping[str, Any], context: AnswerContext) -> bool:
    kind = merged_options(options, context.options).get("question_type")
    if kind == MULTIPLE_CHOICE and not context.choices:
        raise DataError("a multiple-choice row without choices", remedy="give the row its options column")
    return bool(context.choices) if kind is None else kind == MULTIPLE_CHOICE


def _letters(choices: Sequence[str]) -> str:
    if not choices:
        raise DataError("a multiple-choice row without choices", remedy="give the row its options column")
    if len(choices) > len(LETTERS):
        raise DataError(f"{len(choices)} choices, at most {len(LETTERS)} can be lettered", remedy="correct the row")
    return LETTERS[: len(choices)]


def _choice(text: str, choices: Sequence[str], bare: Iterable[str]) -> Extraction:
    """Read the letter by the rule that both scripts share; `bare` are the forms of a letter without brackets."""
    letters = _letters(choices)
    stripped, offset = text, 0
    for character in _ENDS:
        offset += len(stripped) - len(stripped.lstrip(character))
        stripped = stripped.strip(character)
    padded = f" {stripped} "

    def extraction(letter: str, place: int, length: int) -> Extraction:
        start = min(max(0, place + offset - 1), len(text))
        return Extraction(letter, (start, min(len(text), start + length)))

    bracketed = [letter for letter in letters if f"({letter})" in padded]
    if bracketed:
        letter, place = _last(bracketed, lambda letter: padded.rfind(f"({letter})"))
        return extraction(letter, place + 1, 1)
    for form in bare:
        found = [letter for letter in letters if form.format(letter) in padded]
        if found:
            # Several are told apart by " X " whatever the form; where none stands so, the first option wins.
            letter, place = _last(found, lambda letter: padded.rfind(f" {letter} "))
            if place < 0:
                place = padded.rfind(form.format(letter)) - 1
            return extraction(letter, place + 1, 1)
    if len(padded.split()) > _FEWEST_WORDS:
        lowered = padded.lower()
        texts = dict(zip(letters, (choice.lower() for choice in choices), strict=True))
        named = [letter for letter in letters if texts[letter] in lowered]
        if named:
            letter, place = _last(named, lambda letter: lowered.rfind(texts[letter]))
            return extraction(letter, place, len(texts[letter]))
    return Extraction(reason="not found", scores={GUESSED: 1.0, GUESS_SHARE: 1 / len(letters)})


def _last(letters: Sequence[str], place_of: Callable[[str], int]) -> tuple[str, int]:
    """Return the letter that stands last and its place; of several at one place the first."""
    places = [place_of(letter) for letter in letters]
    return letters[places.index(max(places))], max(places)


def open_candidates(text: str) -> list[str | float]:
    """Return the strings and rounded numbers of an open response that count as its answer, each once, in order.

    Of every line the shortest tail behind a word such as "is"; of none, the whole response; and all numbers in these.
    """
    tails = _key_tails(text)
    numbers = [number for tail in tails for number in _numbers(tail)]
    return list(dict.fromkeys(item for part in [*tails, *numbers] for item in _normalised(part)))


def _key_tails(text: str) -> list[str]:
    plain = text.strip().strip(".").lower()
    all_lines = plain.split("\n")
    found = []
    for number, line in enumerate(all_lines, 1):
        indicators = [*_INDICATORS, "="] if number == len(all_lines) else _INDICATORS
        shortest = ""
        for indicator in indicators:
            if indicator in line:
                tail = line.rpartition(indicator)[2].strip()
                # An empty tail is no tail: the next one replaces it, however long.
                if not shortest or len(tail) < len(shortest):
                    shortest = tail
        if shortest and shortest not in _TRIVIAL:
            found.append(shortest)
    return found or [plain]


def _numbers(text: str) -> list[str]:
    return [found for pattern in (_WITH_COMMAS, _SCIENTIFIC, _SIMPLE) for found in pattern.findall(text)]


def _normalised(text: str) -> list[str | float]:
    stripped = text.strip()
    try:
        number = round(float(stripped.replace(",", "")), _DECIMALS)
    except ValueError:
        lowered = stripped.lower()
        # So that a single letter is not found inside any word.
        return [f" {lowered}", f"{lowered} "] if len(lowered) == 1 else [lowered]
    # What is not finite equals no gold answer, and no table keeps it.
    return [number] if math.isfinite(number) else []


def _golds(target: Any) -> list[str]:
    if isinstance(target, str):
        return _listed(target) or [target]
    if isinstance(target, (list, tuple)) and target and all(isinstance(entry, str) for entry in target):
        return list(target)
    raise DataError(f"target {target!r} is no text", remedy="MMMU's answers are strings, or lists of accepted strings")


def _listed(target: str) -> list[str] | None:
    """Read a list of accepted answers that the data set holds as text: "['Tampa', 'Florida']"."""
    if not (target.startswith("[") and target.endswith("]")):
        return None
    try:
        found = read_literal(target)
    except DataError:
        return None  # an answer in square brackets, e.g. an interval in words
    strings = isinstance(found, list) and bool(found) and all(isinstance(entry, str) for entry in found)
    return list(found) if strings else None


def _open_is_right(candidates: Sequence[str | float], golds: Sequence[str]) -> bool:
    accepted = [item for gold in golds for item in _normalised(gold)]
    strings = [item for item in accepted if isinstance(item, str)]
    return any(
        any(gold in item for gold in strings) if isinstance(item, str) else item in accepted for item in candidates
    )
