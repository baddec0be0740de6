"""Reading a judge's reply: one JSON object of the card's schema that carries the request's own id, or no verdict.

What is decided here, and tested in tests/verifiers/test_judge_reply.py:

- Reasoning tags and what they enclose are cut off; reasoning that never ends is no verdict.
- Prose and code fences around the object are tolerated. A second object that carries the id, or that has the key of a
  finding, makes two verdicts, which is none; so does text that begins like an object and cannot be read (cut off, a key
  twice, NaN). Other objects, quoted from the data, are prose.
- An object inside a list, another object or a string is no verdict, and neither is one with another id.
- The schema is kept to the letter: no further keys, no numbers or truth values as text, no grade off the scale.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mmeval.core.types import Status
from mmeval.verifiers.answer import REASONING_TAGS
from mmeval.verifiers.judge_card import VALUE_KEYS, JudgeCard, JudgeKind, StepScore
from mmeval.verifiers.judge_prompt import JudgeInput, request_id
from mmeval.verifiers.judge_schema import first_violation

_TAG = re.compile(rf"[<◁]\s*+(/?)\s*+(?:{'|'.join(REASONING_TAGS)})\s*+[>▷]", re.IGNORECASE)
_OBJECT_START = re.compile(r'\{(?=\s*["}])')
_DRAFTS = 64
"""Unreadable objects that are passed over in search of the judge's own inside reasoning; it bounds the work."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPELLED_NULL = frozenset({"", "null", "no answer"})
_FLIPPED = {"A": "B", "B": "A", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class JudgeFinding:
    """What a judge found."""

    kind: JudgeKind
    value: Any
    """extraction: str, or None for "no answer"; equivalence: bool; grade: float in [0, 1]; steps: list of objects;
    label: str; preference: "A", "B" or "tie" (A is `JudgeInput.response`, whatever order the judge saw)."""
    reason: str = ""
    raw: str = ""
    """The reply."""
    repaired: bool = False
    """Whether it took the repair request."""
    swapped: bool = False
    """Whether the judge saw the pair in the other order."""
    score: float | None = None
    """The finding as a number in [0, 1]: equivalence, grade, and steps by the card's rule; None for the other kinds."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the reply that the card's schema declares."""


@dataclass(frozen=True, slots=True)
class JudgeFault:
    """No verdict: the row is `unscored`, and asked again on the next run."""

    reason: str
    """In our own words; never text of the reply, which may be the candidate's."""
    raw: str | None = None
    status: Literal["invalid"] | Status = "invalid"
    """`invalid`: a reply without a verdict; else the status of the failed request."""


class _Unreadable(Exception):
    """The reply holds no verdict; the message says why."""


def parse_reply(card: JudgeCard, text: str, given: JudgeInput, *, swapped: bool = False) -> JudgeFinding | JudgeFault:
    """Read a reply; never raises for what it says.

    Raises:
        DataError: when the row lacks what the card needs, so that nothing can have been asked.
    """
    expected = request_id(card, given)
    try:
        reply = _own_object(card, text, expected)
        violation = first_violation(card.schema_, reply)
        if violation is not None:
            raise _Unreadable(violation)
        value, score = _finding(card, reply, given)
    except _Unreadable as problem:
        return JudgeFault(str(problem), text)
    key = VALUE_KEYS[card.kind]
    if card.kind == "preference" and swapped:
        value = _FLIPPED[value]
    details = {name: entry for name, entry in reply.items() if name not in {"id", "reason", key}}
    reason = " ".join(_CONTROL.sub(" ", reply.get("reason", "")).split())
    return JudgeFinding(card.kind, value, reason, text, swapped=swapped, score=score, details=details)


@dataclass(frozen=True, slots=True)
class _Found:
    """A JSON object at the top level of a reply; `value` is None where it cannot be read."""

    start: int
    end: int
    value: dict[str, Any] | None
    problem: str = ""


def _own_object(card: JudgeCard, text: str, expected: str) -> dict[str, Any]:
    """Return the one object that is the judge's verdict.

    Raises:
        _Unreadable: when there is none, or more than one thing could be it.
    """
    begin = _after_reasoning(text, expected)
    objects = list(_objects(text, begin))
    for found in objects:
        if found.value is None:
            raise _Unreadable(found.problem)
    key = VALUE_KEYS[card.kind]
    readable = [(found, found.value) for found in objects if found.value is not None]
    verdicts = [(found, value) for found, value in readable if "id" in value or key in value]
    own = [entry for entry in verdicts if entry[1].get("id") == expected]
    if not own:
        raise _Unreadable("the id is not that of the request" if verdicts else "it holds no JSON object of the form")
    if len(own) > 1:
        raise _Unreadable("it holds two JSON objects with the id of the request")
    if any(key in value for found, value in verdicts if found is not own[0][0]):
        raise _Unreadable("it holds a second JSON object with a verdict")
    found, value = own[0]
    if _inside_another_value(text, found):
        raise _Unreadable("its JSON object stands inside a list or another value")
    return value


def _after_reasoning(text: str, expected: str) -> int:
    """Return where the reply proper begins: after the last reasoning tag that is not inside the judge's own object.

    Raises:
        _Unreadable: when reasoning never ends.
    """
    tags = list(_TAG.finditer(text))
    if not tags:
        return 0
    candidates = _objects(text, 0, unreadable=_DRAFTS) if expected in text else ()
    own = [found for found in candidates if found.value is not None and found.value.get("id") == expected]
    starts = [found.start for found in own]
    outside = [tag for tag in tags if not _covered(own, bisect_left(starts, tag.start()) - 1, tag.start())]
    if not outside:
        return 0
    if outside[-1].group(1) == "":
        raise _Unreadable("its reasoning never ends")
    return outside[-1].end()


def _covered(own: Sequence[_Found], index: int, place: int) -> bool:
    """Whether the object at an index, the last that starts before a place, reaches beyond it."""
    return index >= 0 and place < own[index].end


def _objects(text: str, begin: int, *, unreadable: int = 1) -> Iterator[_Found]:
    """Yield the objects of a text that are not inside one another, until so many could not be read."""
    position = begin
    while start := _OBJECT_START.search(text, position):
        try:
            value, position = _DECODER.raw_decode(text, start.start())
        except _Unreadable as problem:
            yield _Found(start.start(), start.end(), None, str(problem))
        except (ValueError, RecursionError):
            yield _Found(start.start(), start.end(), None, "it holds a JSON object that is cut off or not valid")
        else:
            yield _Found(start.start(), position, value)
            continue
        unreadable -= 1
        if unreadable == 0:
            return
        position = start.end()


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unreadable("it holds a JSON object with a key twice")
    return found


def _no_constant(name: str) -> Any:
    raise _Unreadable(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Unreadable("it holds a number beyond all bounds")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_each_key_once, parse_constant=_no_constant, parse_float=_finite)


def _inside_another_value(text: str, found: _Found) -> bool:
    before, after = text[: found.start].rstrip(), text[found.end :].lstrip()
    return before.endswith(("[", ",", '":', '" :')) or after.startswith(("]", ",", "}"))


def _finding(card: JudgeCard, reply: Mapping[str, Any], given: JudgeInput) -> tuple[Any, float | None]:
    """Return the value and the score of a reply that keeps the schema.

    Raises:
        _Unreadable: for what a schema cannot say.
    """
    if not _storable(reply):
        raise _Unreadable("it holds half of a surrogate pair")
    value = reply[VALUE_KEYS[card.kind]]
    match card.kind:
        case "extraction":
            return _extraction(value), None
        case "equivalence":
            return value, float(value)
        case "grade":
            grade = _grade(card, value)
            return grade, grade
        case "steps":
            return _steps(card, value, given)
        case _:
            return value, None


def _storable(value: Any) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in json.dumps(value, ensure_ascii=False))


def _extraction(value: str | None) -> str | None:
    if value is None:
        return None
    if _CONTROL.search(value.strip()):
        # `"\frac"` and `"\theta"` are valid JSON for a form feed and a tab: the answer would be another one.
        raise _Unreadable("its answer holds a control character: write a backslash as two, and the answer on one line")
    answer = value.strip()
    return None if answer.lower() in _SPELLED_NULL else answer


def _grade(card: JudgeCard, value: float) -> float:
    low, high = card.scale or (0.0, 1.0)
    if not low <= value <= high:
        raise _Unreadable(f"grade must be a number from {low:g} to {high:g}")
    if card.step is not None and abs(value - low - round((value - low) / card.step) * card.step) > 1e-9:
        raise _Unreadable(f"grade must go in steps of {card.step:g}")
    return (value - low) / (high - low) + 0.0  # no negative zero


def _steps(
    card: JudgeCard, steps: list[dict[str, Any]], given: JudgeInput
) -> tuple[list[dict[str, Any]], float | None]:
    if card.numbered_by is not None:
        count = len(given.fields[card.numbered_by])
        steps = sorted(
            ({**step, "number": int(step["number"])} for step in steps), key=lambda step: int(step["number"])
        )
        if [step["number"] for step in steps] != list(range(1, count + 1)):
            raise _Unreadable(f"steps must answer each number from 1 to {count} once")
    return steps, None if card.score is None else _step_score(card.score, steps)


def _step_score(rule: StepScore, steps: list[dict[str, Any]]) -> float:
    if rule.final_key is None:
        if not steps:
            raise _Unreadable("steps must not be empty")
        return sum(float(step[rule.key]) for step in steps) / len(steps)
    marked = [step[rule.final_key] for step in steps]
    if not steps or marked != [False] * (len(steps) - 1) + [True]:
        raise _Unreadable(f"the last of steps, and no other, must have {rule.final_key} true")
    *others, final = (float(step[rule.key]) for step in steps)
    if not others:
        return final
    return (1 - rule.final_weight) * sum(others) / len(others) + rule.final_weight * final
