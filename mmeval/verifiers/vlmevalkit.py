"""VLMEvalKit's rules for options and for yes or no (open-compass/VLMEvalKit at e8e78f05), for the protocols `vlmevalkit`.

Where its rules find nothing, VLMEvalKit asks a language model and, when that fails three times, draws an option
at random. Nothing is drawn here: such a row has no answer and says so in its scores, until a judge decides it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.base import GUESS_SHARE, GUESSED, UNDECIDED
from mmeval.verifiers.choice import LETTERS
from mmeval.verifiers.gold_letter import gold_letter
from mmeval.verifiers.wemath import WeMathVerifier
from mmeval.verifiers.yes_no import YesNoVerifier

REFUSED = "Z"
"""The letter that VLMEvalKit gives to a refusal; it is no option, and so no answer."""
FALLBACKS = ("guess", "wrong")
API_FAILURE = "Failed to obtain answer via API"
"""What VLMEvalKit stores instead of an answer when an endpoint failed."""

_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_SPACED = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_TOKEN = re.compile(r"\S+")
_PHRASE = re.compile(r"(?i)answer\s+is\s+\**([ABCD])")
_LAST_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Rules:
    """Which of VLMEvalKit's switches are on."""

    verbose_guard: bool = False
    """What its environment variable VERBOSE does beside logging: an "A" among more than three words names nothing."""
    answer_phrase: bool = True
    """The rule "answer is X", which it has since May 2026 (#1552)."""
    length_guards: bool = True
    """That a letter stands among the last four tokens, and that a text is not long: asked since August 2025 (#1175)."""
    fallback: str = "guess"
    """How a row ends that no rule decides: `guess` (its judge failed) or `wrong` (it runs without a judge)."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rules:
        """Read the switches from a card's options.

        Raises:
            DataError: for a fallback that does not exist.
        """
        fallback = str(options.get("fallback", "guess"))
        if fallback not in FALLBACKS:
            raise DataError(
                f"answer option fallback: {fallback!r} is unknown", remedy=f"use one of {', '.join(FALLBACKS)}"
            )
        return cls(
            verbose_guard=bool(options.get("verbose_guard", False)),
            answer_phrase=bool(options.get("answer_phrase", True)),
            length_guards=bool(options.get("length_guards", True)),
            fallback=fallback,
        )

    def open(self, choices: int, reason: str = "not found") -> Extraction:
        """Return the reading that no rule decides among this many options."""
        return Extraction(reason=reason, scores=self.guess(choices))

    def guess(self, choices: int) -> dict[str, float]:
        """Return the scores that say how VLMEvalKit would guess: among the letters and Z alike."""
        return {GUESSED: 1.0, GUESS_SHARE: 1.0 / (choices + 1)} if self.fallback == "guess" else {}


@dataclass(frozen=True, slots=True)
class Inferred:
    """An option that a rule found, or Z."""

    letter: str
    span: tuple[int, int] | None = None
    """Where the letter or the option's text stands in the answer."""


def infer_letter(text: str, count: int, rules: Rules) -> Inferred | None:
    """Apply step 1: one option letter alone near the end, else "answer is X".

    Args:
        text: the answer.
        count: how many options there are, lettered from A.
        rules: VLMEvalKit's switches.
    """
    if API_FAILURE in text:
        return None
    if any(refusal in text for refusal in _REFUSALS):
        return Inferred(REFUSED)
    tokens = list(_TOKEN.finditer(text.translate(_SPACED)))
    first: dict[str, int] = {}
    for position, token in enumerate(tokens):
        first.setdefault(token.group(), position)
    named = [letter for letter in LETTERS[:count] if letter in first]
    if len(named) == 1:
        if rules.verbose_guard and "A" in first and len(tokens) > 3:
            return None
        if not rules.length_guards or first[named[0]] >= len(tokens) - _LAST_TOKENS:
            return Inferred(named[0], tokens[first[named[0]]].span())
    elif not named and REFUSED in first:
        return Inferred(REFUSED)
    if rules.answer_phrase:
        phrase = _PHRASE.search(text)
        if phrase and phrase.group(1).upper() in LETTERS[:count]:
            return Inferred(phrase.group(1).upper(), phrase.span(1))
    return None


def infer_text(text: str, choices: Sequence[str], rules: Rules) -> Inferred | None:
    """Apply step 2: the one option whose text stands in an answer that is not much longer than all options together."""
    lowered = text.lower()
    if rules.length_guards and len(lowered) > 2 * sum(len(choice) for choice in choices):
        return None
    named = [index for index, choice in enumerate(choices) if choice.lower() in lowered]
    if len(named) != 1:
        return None
    wanted = choices[named[0]].lower()
    start = lowered.index(wanted)
    span = (start, start + len(wanted)) if len(lowered) == len(text) else None
    return Inferred(LETTERS[named[0]], span)


def infer(text: str, choices: Sequence[str], rules: Rules) -> Inferred | None:
    """Apply steps 1 and 2; None is what VLMEvalKit hands to its judge."""
    return infer_letter(text, len(choices), rules) or infer_text(text, choices, rules)


def read_choice(text: str, context: AnswerContext, rules: Rules) -> Extraction:
    """Return the option that steps 1 and 2 find.

    Raises:
        DataError: when the row has no options.
    """
    if not context.choices:
        raise DataError("a multiple-choice row without choices", remedy="name the choices column in fields.choices")
    found = infer(text, context.choices, rules)
    if found is None:
        return rules.open(len(context.choices))
    if found.letter == REFUSED:
        return Extraction(reason="refusal")
    return Extraction(found.letter, found.span)


def match_letter(value: Any, target: Any, count: int) -> Match:
    """Compare letters; options with identical texts stay different, as in VLMEvalKit.

    Raises:
        DataError: when the target is not the letter of an option.
    """
    letter = gold_letter(target.strip().upper() if isinstance(target, str) else "", target, count)
    return Match(float(value == letter), value == letter)


class VLMEvalKitChoiceVerifier:
    """Multiple choice by steps 1 and 2; value and target are a letter, "A" for the first option.

    Reasoning is no different from the answer: letters inside it count, unless the engine has separated it.
    """

    name = "vlmevalkit-choice"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._rules = Rules.of(dict(options or {}))

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter that the rules find.

        Raises:
            DataError: when the row has no options.
        """
        return read_choice(text, context, self._rules)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is not the letter of an option.
        """
        return match_letter(value, target, len(context.choices))


class VLMEvalKitMMMUVerifier(VLMEvalKitChoiceVerifier):
    """MMMU: choices as above, open questions as the choice "A: the gold answer, B: Other Answers".

    The options of an open question are made of the gold, so only `match` can apply the rules to it: `parse` returns
    the answer as it is, and a row that the rules leave open is scored wrong with the scores of a guess beside it.
    """

    name = "vlmevalkit-mmmu"
    version = "1"
    _OTHER = "Other Answers"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter, or for an open question the text; a refusal and silence are no answer."""
        if context.choices:
            return read_choice(text, context, self._rules)
        if not text.strip():
            return Extraction(reason="empty")
        found = infer_letter(text, 2, self._rules)
        if found is not None and found.letter == REFUSED:
            return Extraction(reason="refusal")
        return Extraction(text, (0, len(text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters; for an open question whether the rules find option A.

        Raises:
            DataError: when the target is not the letter of an option, or of an open question no text.
        """
        if context.choices:
            return match_letter(value, target, len(context.choices))
        if isinstance(target, bool) or not isinstance(target, (str, int, float, list)):
            raise DataError(
                f"target {target!r} of an open question is no text",
                remedy="VLMEvalKit compares with the answer column as it is written: give it as a string",
            )
        answer = str(target)
        # A gold answer that is itself a capital letter is taken for the letter of the right option.
        gold = answer if len(answer) == 1 and answer in LETTERS else "A"
        found = infer(str(value), (answer, self._OTHER), self._rules)
        if found is None:
            return Match(0.0, False, {UNDECIDED: 1.0, **self._rules.guess(2)})
        return Match(float(found.letter == gold), found.letter == gold)


class VLMEvalKitMMMUProVerifier(VLMEvalKitChoiceVerifier):
    """MMMU-Pro with reasoning: what follows the last line that starts with "Answer:", then steps 1 and 2."""

    name = "vlmevalkit-mmmu-pro"
    version = "1"
    _MARKER = "Answer:"
    _LETTER = re.compile(r"[A-Z]")

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter that the rules find; without such a line in the whole answer.

        Raises:
            DataError: when the row has no options.
        """
        behind = self._behind(text)
        if behind is None:
            return read_choice(text, context, self._rules)
        start, end = behind
        tail = text[start:end]
        capitals = set(self._LETTER.findall(tail))
        found = read_choice(capitals.pop() if len(capitals) == 1 else tail, context, self._rules)
        return Extraction(found.value, (start, end)) if found.found else found

    def _behind(self, text: str) -> tuple[int, int] | None:
        """Return where the text behind the last marker stands in its line."""
        found: tuple[int, int] | None = None
        position = 0
        for line in text.split("\n"):
            begin = position + len(line) - len(line.lstrip())
            if line.lstrip().startswith(self._MARKER):
                found = (begin + len(self._MARKER), position + len(line.rstrip()))
            position += len(line) + 1
        return found


class VLMEvalKitWeMathVerifier(WeMathVerifier):
    """We-Math without a judge: the official rule; value and target are a letter."""

    name = "vlmevalkit-wemath"
    version = "1"

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter from A to H.
        """
        return match_letter(value, target, len(self.letters))


class VLMEvalKitLogicVistaVerifier:
    """LogicVista: the letters that a judge extracted, compared as a collection; the text is the extraction.

    The value is the letters in order ("ABC"), the target the benchmark's string ("A, C").
    """

    name = "vlmevalkit-logicvista"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letters; a text that is not capital letters alone is none, and so is Z, which says "no option"."""
        if not text.isupper() or not text.isalpha():
            return Extraction(reason="not found" if text.strip() else "empty")
        if set(text) == {REFUSED}:
            return Extraction(reason="refusal")
        return Extraction("".join(sorted(text)), (0, len(text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the letters, however often each occurs, in any order and case.

        Raises:
            DataError: when the target is no list of letters.
        """
        if not isinstance(target, str) or not target.strip():
            raise DataError(f"target {target!r} is no list of letters", remedy='give it as in the benchmark: "A, C"')
        gold = "".join(sorted("".join(target.lower().split(", "))))
        right = "".join(sorted(str(value).lower())) == gold
        return Match(float(right), right)


class VLMEvalKitYesNoVerifier:
    """Yes or no (HallusionBench, POPE, MME …): whether the answer has one of the two as a word, and not the other."""

    name = "vlmevalkit-yes-no"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._compare = YesNoVerifier(options)

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return "yes" or "no"; neither is not found, both are ambiguous."""
        words = Counter(words_of(text))
        if words["yes"] and words["no"]:
            return Extraction(reason="ambiguous")
        for value in ("yes", "no"):
            if words[value]:
                return Extraction(value)
        return Extraction(reason="not found" if text.strip() else "empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare two answers.

        Raises:
            DataError: when the target is neither yes nor no.
        """
        return self._compare.match(value, target, context)


_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_NUMBER = re.compile(r"\d,\d")
_LONE_PERIOD = re.compile(r"(?<!\d)\.(?!\d)")
_PERIODS = 32
"""VLMEvalKit hands a flag (re.UNICODE, 32) to `sub` where a count is expected: later full stops stay in their words."""


def words_of(text: str) -> list[str]:
    """Split text into lower-case words as VLMEvalKit does (the punctuation rule of VQA).

    A mark that stands beside a space anywhere, and every mark in a text with a number like 1,000, is dropped; any
    other mark becomes a space.
    """
    lowered = text.lower()
    joined = _COMMA_NUMBER.search(lowered) is not None
    plain = lowered
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in lowered or f" {mark}" in lowered
        plain = plain.replace(mark, "" if joined or beside_space else " ")
    return _LONE_PERIOD.sub("", plain, count=_PERIODS).split()
