"""Asking a judge through a callable: one request, at most one repair request, then a finding or a fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from mmeval.core.types import Message, Response
from mmeval.verifiers.judge_card import JudgeCard
from mmeval.verifiers.judge_prompt import JudgeInput, render
from mmeval.verifiers.judge_reply import JudgeFault, JudgeFinding, parse_reply

__all__ = ["Ask", "JudgeFault", "JudgeFinding", "JudgeInput", "combine", "decide", "parse_reply", "render"]

Ask: TypeAlias = Callable[[tuple[Message, ...], Mapping[str, Any]], Awaitable[Response]]
"""Takes the conversation and the JSON schema of the reply; media and sampling are the caller's."""


async def decide(
    card: JudgeCard, given: JudgeInput, ask: Ask, *, swapped: bool = False
) -> tuple[JudgeFinding | JudgeFault, list[Response]]:
    """Return the finding or the fault, and every response that it took."""
    raise NotImplementedError


def combine(findings: Sequence[JudgeFinding | JudgeFault]) -> tuple[JudgeFinding | JudgeFault, float]:
    """Return what repeated or swapped judgements say together, and the share of them that agree with it."""
    raise NotImplementedError
