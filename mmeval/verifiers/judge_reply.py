"""Reading a judge's reply: one JSON object of the card's schema that carries the request's own id, or no verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmeval.core.types import Status
from mmeval.verifiers.judge_card import JudgeCard, JudgeKind
from mmeval.verifiers.judge_prompt import JudgeInput


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
    raw: str | None = None
    status: Literal["invalid"] | Status = "invalid"
    """`invalid`: a reply without a verdict; else the status of the failed request."""


def parse_reply(card: JudgeCard, text: str, given: JudgeInput, *, swapped: bool = False) -> JudgeFinding | JudgeFault:
    """Read a reply; never raises for what it says."""
    raise NotImplementedError
