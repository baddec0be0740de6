"""Counts and ReasonMap-Plus: rules that take the first whole number, letter or yes and no.

Sources: EvolvingLMMs-Lab/lmms-eval @75571cf (tasks of counting); open-compass/VLMEvalKit @160057c, dataset/reasonmap_plus.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, answer_section, merged_options
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.choice import ChoiceVerifier
from mmeval.verifiers.enclosed import enclosed
from mmeval.verifiers.letters import LETTERS
from mmeval.verifiers.number import NumberVerifier
from mmeval.verifiers.yes_no import YesNoVerifier

_DIGITS = re.compile(r"[0-9]+")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_BOXED = re.compile(r"boxed\{([^}]*)\}", re.IGNORECASE)
_TEXT = re.compile(r"\\text\{([^}]*)\}", re.IGNORECASE)
_LETTER = re.compile(r"\b([ABCD])\b", re.IGNORECASE)
_STOP = re.compile(r"\n|\. |\.$")
_LINE_NAME = re.compile(
    r"\b(line\s+(?:no\.?\s*)?)[0-9]{1,3}\b(?!\s*(?:stop|station))|[0-9]{1,3}(?=\s*号线)", re.IGNORECASE
)
"""A number that is the name of a line: "Line 2 has 7 stops"."""
_PHRASES = (
    "the final answer is", "final answer is", "the answer is", "answer is", "the correct answer is", "correct answer is",
    "final answer:", "final:", "answer:", "ans:",
)  # fmt: skip
_YES = frozenset({"yes", "y", "true", "t", "1"})
_NO = frozenset({"no", "n", "false", "f", "0"})


class FirstIntegerVerifier:
    """The first run of digits in an answer, of a signed or broken number as of any other; the target is a whole number."""

    name = "first-integer"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the digits as a string without leading zeros: a count may be longer than any integer type."""
        found = _DIGITS.search(text)
        if found is None:
            return Extraction(reason="not found" if text.strip() else "empty")
        return Extraction(_plain(found.group()), found.span())

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare whole numbers.

        Raises:
            DataError: when the target is none.
        """
        right = value == str(_whole(target))
        return Match(float(right), right)


class ReasonMapPlusVerifier:
    """ReasonMap-Plus by its published rule; row option `question_type` is Counting1, Counting2, Counting3, TorF1 or TorF2.

    The candidate is what is boxed, else what follows an answer phrase; where nothing is read there, the whole answer is
    tried. Value: "yes" or "no" (TorF), a letter from A to D (Counting1), a whole number. The target is the benchmark's number: 1 for
    yes, the place of the letter from 0, the count.
    """

    name = "reasonmap-plus"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer by the row's type.

        Raises:
            DataError: when the row's type is unknown.
        """
        kind = self.kind(context)
        answer = text.strip()
        if not answer:
            return Extraction(reason="empty")
        for candidate in (_candidate(answer), answer):
            value = _read(candidate, kind)
            if value is not None:
                return Extraction(value)
        return Extraction(reason="not found")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the row's type.

        Raises:
            DataError: when the target is no whole number.
        """
        gold, kind = _whole(target), self.kind(context)
        if kind == "torf":
            right = value == ("yes" if gold == 1 else "no")
        elif kind == "counting1":
            right = 0 <= gold < len(LETTERS) and value == LETTERS[gold]
        else:
            right = value == gold
        return Match(float(right), right)

    def kind(self, context: AnswerContext) -> str:
        """Return torf, counting1, counting2 or counting3, as the row says.

        Raises:
            DataError: when it says something else.
        """
        kind = str(merged_options(self._options, context.options).get("question_type")).lower()
        if "torf" in kind:
            return "torf"
        if kind not in ("counting1", "counting2", "counting3"):
            raise DataError(
                f"question_type {kind!r} of the row is unknown",
                remedy="ReasonMap-Plus has Counting1, Counting2, Counting3, TorF1 and TorF2",
            )
        return kind


class ReasonMapPlusRulesVerifier:
    """ReasonMap-Plus by the project's own rules of choices, numbers and yes and no; two answers are none.

    Value, target and row option as of ReasonMapPlusVerifier. A lone "1", "0", "t" or "f" is yes or no, as published; a number with a
    fraction is no count, and never right; that of a line ("Line 2 has 7 stops") is its name.
    """

    name = "reasonmap-plus-rules"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        own = {key: value for key, value in (options or {}).items() if key != "question_type"}
        self._published = ReasonMapPlusVerifier(options)
        self._readers: Mapping[str, Verifier] = {
            "torf": YesNoVerifier(own), "counting1": ChoiceVerifier(own), "counting2": NumberVerifier(own), "counting3": NumberVerifier(own),
        }  # fmt: skip
        self.version = f"3+{self._published.version}+{'+'.join(reader.version for reader in self._readers.values())}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer by the row's type.

        Raises:
            DataError: when the row's type is unknown.
        """
        kind = self._published.kind(context)
        # The options stand in the question; what matters is that there are four.
        choices = (context.choices or ("",) * 4) if kind == "counting1" else ()
        inner = AnswerContext(choices, {key: value for key, value in context.options.items() if key != "question_type"})
        if kind in ("counting2", "counting3"):
            text = _LINE_NAME.sub(_unnumbered, text)
        found = self._readers[kind].parse(text, inner)
        if found.found or kind != "torf" or found.reason == "ambiguous":
            return found
        section = answer_section(text, inner.options)
        word = _read(section.text.strip(" \t\n.*"), kind) if isinstance(section, Section) else None
        return found if word is None else Extraction(word)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the row's type.

        Raises:
            DataError: when the target is no whole number.
        """
        return self._published.match(value, target, context)


def _unnumbered(name: re.Match[str]) -> str:
    """The name with letters for its number, so that places stay."""
    word = name.group(1) or ""
    return word + "x" * (len(name.group()) - len(word))


def _candidate(answer: str) -> str:
    boxed = [found[1] for found in enclosed(_BOXED, answer, "}")]
    if boxed and boxed[-1].strip():
        texts = [found[1] for found in enclosed(_TEXT, boxed[-1], "}")]
        return " ".join(text.strip() for text in texts) if texts else boxed[-1].strip()
    lowered = answer.lower()
    for phrase in _PHRASES:
        if len(lowered) == len(answer) and phrase in lowered:
            behind = answer[lowered.rfind(phrase) + len(phrase) :].strip()
            return _STOP.split(behind, maxsplit=1)[0].strip()
    return answer


def _read(candidate: str, kind: str) -> str | int | None:
    if kind == "torf":
        word = candidate.strip().lower()
        return "yes" if word in _YES else "no" if word in _NO else None
    if kind == "counting1":
        letter = _LETTER.search(candidate)
        return letter.group(1).upper() if letter else None
    number = _INTEGER.search(candidate)
    return int(number.group()) if number else None


def _plain(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _whole(target: Any) -> int:
    if isinstance(target, bool) or not isinstance(target, (int, float, str)):
        raise DataError(f"target {target!r} is no whole number", remedy="give the gold answer as a whole number")
    text = str(target).strip().removesuffix(".0")
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        raise DataError(f"target {target!r} is no whole number", remedy="give the gold answer as a whole number")
    return int(text)
