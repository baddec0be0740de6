"""What a judge is asked: the card's prompt, with everything that comes from outside as marked data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmeval.core.types import Message
from mmeval.verifiers.judge_card import JudgeCard


@dataclass(frozen=True, slots=True)
class JudgeInput:
    """What a judge may see of one row; a card of kind `extraction` never sees the target."""

    question: str
    choices: tuple[str, ...]
    response: str
    """The candidate's answer; for `preference` the first of the two."""
    target: Any = None
    extraction: str | None = None
    """The short answer that a rule or another judge extracted."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the row, under the names that the card declares (`facts`; `other`: the second answer of a pair)."""
    images: int = 0
    """Number of media of the sample; a card that shows images puts them all before its text."""


def render(card: JudgeCard, given: JudgeInput, *, swapped: bool = False) -> tuple[Message, ...]:
    """Return the conversation that asks the judge.

    Raises:
        DataError: when the row lacks what the card needs.
    """
    raise NotImplementedError
