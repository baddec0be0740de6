"""SPAR-Bench: choices, numbers, and the change of view as a list of movements.

Source of the metric: open-compass/VLMEvalKit @34aca82, dataset/sparbench.py; of the rule `official`: fudan-zvg/spar @1679885,
lmms-eval/lmms_eval/tasks/sparbench.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, mask, merged_options
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.mixed import MixedVerifier
from mmeval.verifiers.number import mean_relative_accuracy, read_target
from mmeval.verifiers.vlmevalkit_spatial import VLMEvalKitSpatialVerifier

RULES = ("mmeval", "vlmevalkit", "official")
VIEW_CHANGE = "view-change"
AXES = (
    ("move_right", "move_left"), ("move_up", "move_down"), ("move_forward", "move_backward"),
    ("rotate_right", "rotate_left"), ("rotate_up", "rotate_down"),
)  # fmt: skip
_MOVE = re.compile(
    r"(?<![A-Za-z])(move|rotate)[ _\\-]+(right|left|up|down|forward|backward)s?[\"']?\s*+(?:[:=]|by\b)?\s*+"
    r"(?:approximately|about|around|roughly|~|≈)?\s*+([-+]?(?:[0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}))",
    re.IGNORECASE,
)
_OFFICIAL_NUMBER = re.compile(r"(?<!\^)\d+\.\d+|(?<!\^)\d+")
_MORE = re.compile(r"\s*(?:-|–|—|to\b|or\b|/)\s*[0-9.]|,[0-9]{3}(?![0-9])")
"""Behind an amount: it is a range, one of several, or goes on behind a comma."""


class SPARBenchVerifier:
    """Reads a row by its option `answer_type`: choice, number (Mean Relative Accuracy) or view-change.

    The value of a change of view is the five signed movements (right, up, forward; turned right, turned up), its target the
    benchmark's "move_right:0.3,rotate_left:15"; the score is the mean of their relative accuracies, where a movement that is
    not named is 0. Option `rule`: `mmeval` (default); `vlmevalkit`, whose answer without any movement counts as five zeros; or
    `official`, the authors' script: a choice by the first character, or a response that stands in the gold letter (an empty one,
    which has the score `fallback`); the first number, of several views (option `several_views`) the last; movements in the very
    form of the gold, and divided by what the answer says instead of the gold.
    """

    name = "spar-bench"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        own = {**self._options, "mra": True}
        self._official = SPARBenchOfficial()
        self._others: dict[str, Verifier] = {"mmeval": MixedVerifier(own), "vlmevalkit": VLMEvalKitSpatialVerifier(own)}
        self.version = "4+" + "+".join(verifier.version for verifier in self._others.values())

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter, the number or the movements.

        Raises:
            DataError: when the row names no known kind, or the rule does not exist.
        """
        rule = self._rule()
        if rule == "official":
            several = bool(merged_options(self._options, context.options).get("several_views"))
            return self._official.parse(text, self._kind(context), several)
        if self._kind(context) != VIEW_CHANGE:
            return self._others[rule].parse(text, context)
        if rule == "vlmevalkit":
            return Extraction(_signed(_listed(text)))
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        shown = mask(section.text)
        found = list(_MOVE.finditer(shown))
        if not found:
            return Extraction(reason="not found")
        if any(_MORE.match(shown, one.end()) for one in found):
            return Extraction(reason="ambiguous")
        named = {f"{one.group(1)}_{one.group(2)}".lower(): float(one.group(3)) for one in found}
        return Extraction(_signed(named), section.span(found[0].start(), found[-1].end()))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the row's kind.

        Raises:
            DataError: when the target is not of that kind.
        """
        official = self._rule() == "official"
        if official and self._kind(context) == "choice":
            return _first_character(str(value), target)
        if official and self._kind(context) == "number":
            accuracy = mean_relative_accuracy(float(value), read_target(target))
            return Match(accuracy, float(value) == read_target(target), {"mra": accuracy})
        if self._kind(context) != VIEW_CHANGE:
            return self._others[self._rule()].match(value, target, context)
        movements = _listed(target) if isinstance(target, str) else {}
        if not movements:
            raise DataError(f"target {target!r} names no movement", remedy='give it as "move_right:0.3,rotate_left:15"')
        gold = _signed(movements)
        # The authors' script has the two sides exchanged.
        pairs = zip(gold, value, strict=True) if official else zip(value, gold, strict=True)
        scores = [mean_relative_accuracy(said, true) for said, true in pairs]
        score = sum(scores) / len(scores)
        return Match(score, list(value) == gold, {"mra": score})

    def _rule(self) -> str:
        rule = str(self._options.get("rule", "mmeval"))
        if rule not in RULES:
            raise DataError(f"answer option rule: {rule!r} is unknown", remedy=f"use one of {', '.join(RULES)}")
        return rule

    def _kind(self, context: AnswerContext) -> str:
        kind = merged_options(self._options, context.options).get("answer_type")
        if kind not in ("choice", "number", VIEW_CHANGE):
            raise DataError(f"answer_type {kind!r} of the row is unknown", remedy="use choice, number or view-change")
        return str(kind)


class SPARBenchOfficial:
    """How the authors' script reads a response."""

    def parse(self, text: str, kind: str, several_views: bool) -> Extraction:
        """Return the text itself, the number, or the movements."""
        if kind == "choice":
            return Extraction(text, (0, len(text)), scores={} if text else {"fallback": 1.0})
        if kind == VIEW_CHANGE:
            named = _strictly_listed(text)
            return Extraction(reason="not found") if named is None else Extraction(_signed(named), (0, len(text)))
        found = list(_OFFICIAL_NUMBER.finditer(text))
        if not found:
            return Extraction(reason="not found")
        number = found[-1 if several_views else 0]
        try:
            value = float(number.group())
        except ValueError:
            return Extraction(reason="not found")
        return Extraction(value, number.span()) if math.isfinite(value) else Extraction(reason="not found")


def _first_character(answer: str, target: Any) -> Match:
    if not isinstance(target, str) or not target:
        raise DataError(f"target {target!r} is no letter", remedy="give the gold answer as a letter")
    said, gold = answer.lower(), target.lower()
    right = said in gold or said[0] == gold
    return Match(float(right), right)


def _strictly_listed(text: str) -> dict[str, float] | None:
    """Read movements of which every one has a name, one colon and a number; names keep their spaces."""
    found = {}
    for item in text.split(","):
        name, colon, amount = item.partition(":")
        try:
            value = float(amount)
        except ValueError:
            return None
        if not colon or not math.isfinite(value):
            return None
        found[name] = value
    return found


def _listed(text: str) -> dict[str, float]:
    """Read "move_right:0.3,rotate_left:15"; what is not of this form is left out."""
    found = {}
    for item in text.split(","):
        name, colon, amount = item.strip().partition(":")
        try:
            value = float(amount.strip())
        except ValueError:
            continue
        if colon and math.isfinite(value):
            found[name.strip()] = value
    return found


def _signed(movements: Mapping[str, float]) -> list[float]:
    return [movements.get(plus, 0.0) - movements.get(minus, 0.0) for plus, minus in AXES]
