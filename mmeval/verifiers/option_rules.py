"""What a verifier can do, and what values the options of the built-in ones may have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OptionRule:
    """What values an answer option may have."""

    wants: str
    """In words, for messages."""
    accepts: Callable[[Any], bool]
    """Whether it may have a value."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a verifier takes and gives under some options."""

    options: Mapping[str, OptionRule]
    """The options that it, or the engine that guesses, reads."""
    scores: frozenset[str] = frozenset()
    """Names that the `scores` of every scored verdict have."""
    correct: bool = True
    """Whether its verdicts are right or wrong, beside the score."""
    more: str = ""
    """Which option would make it give more, in words."""
    needs: frozenset[str] = frozenset()
    """Options that every row must bring where the card does not set them."""


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def one_of(*values: str) -> OptionRule:
    """Return the rule of an option that has one of some words."""
    return OptionRule(f"one of {', '.join(values)}", lambda value: str(value) in values)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) in (2, 3)
        and all(map(is_number, value))
        and value[0] <= value[1]
        and (len(value) == 2 or value[2] > 0)
    )


def _is_names(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, (list, tuple)) and bool(names) and all(isinstance(name, str) and name for name in names)


def _is_frame(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple)) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)
    )


FLAG = OptionRule("true or false", lambda value: isinstance(value, bool))
TOLERANCE = OptionRule("a number of at least 0", lambda value: is_number(value) and value >= 0)
BOUND = OptionRule("a number", is_number)
SHARE = OptionRule("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
PART = OptionRule("a number above 0 and at most 1", lambda value: is_number(value) and 0 < value <= 1)
NAME = OptionRule("a name", lambda value: isinstance(value, str))
NAMES = OptionRule("a name or a list of names", _is_names)
FRAME = OptionRule("[width, height] in pixels", _is_frame)
STEP_LIST = OptionRule("a number of steps, or the list of them", lambda value: isinstance(value, (int, list)))
TAG_OPTIONS = {"reasoning_tags": NAMES, "answer_tags": NAMES}
NUMBER_OPTIONS = {
    "tolerance_abs": TOLERANCE,
    "tolerance_rel": TOLERANCE,
    "precision": TOLERANCE,
    "mra": FLAG,
    "range": OptionRule("[lowest, highest] or [lowest, highest, step]", _is_range),
}
YES_NO_OPTIONS = {"words": one_of("any", "yes-no", "true-false")}
EXPRESSION_OPTIONS = dict.fromkeys(("tolerance_abs", "tolerance_rel", "precision"), TOLERANCE)
RATING_OPTIONS = {
    "low": BOUND,
    "high": BOUND,
    "target_range": OptionRule(
        "[lowest, highest], two different numbers",
        lambda value: _is_range(value) and len(value) == 2 and value[0] < value[1],
    ),
    "target_better": one_of("higher", "lower"),
}
MATHVISTA_OPTIONS = {
    "answer_type": one_of("text", "integer", "float", "list"),
    "question_type": one_of("multi_choice", "free_form"),
    "precision": TOLERANCE,
}
MATCHING_OPTIONS = {"verbose_guard": FLAG, "answer_phrase": FLAG, "length_guards": FLAG}
REASONMAP_OPTIONS = {"question_type": one_of("Counting1", "Counting2", "Counting3", "TorF1", "TorF2")}
VLMEVALKIT_OPTIONS = {**MATCHING_OPTIONS, "fallback": one_of("guess", "wrong")}


def text_options() -> dict[str, OptionRule]:
    """Return the options of texts."""
    from mmeval.verifiers.text import SCORES

    return {"match": one_of(*SCORES), "whole": FLAG, "spaces": FLAG}


def list_options() -> dict[str, OptionRule]:
    """Return the options of lists."""
    from mmeval.verifiers.lists import ELEMENTS, FORMS

    return {**EXPRESSION_OPTIONS, "form": one_of(*FORMS), "element": one_of(*ELEMENTS), "order": FLAG}


def transit_options() -> dict[str, OptionRule]:
    """Return the options of routes on a transit map."""
    from mmeval.verifiers.reasonmap import FORMS, RULES

    return {
        "form": one_of(*FORMS),
        "rule": one_of(*RULES),
        "stations": OptionRule("an object of lists of stations by line", lambda value: isinstance(value, Mapping)),
        "country": NAME,
        "city": NAME,
    }
