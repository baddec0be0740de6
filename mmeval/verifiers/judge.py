"""Asking a judge through a callable: one request, at most one repair request, then a finding or a fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from mmeval.core.errors import DataError
from mmeval.core.hashing import digest
from mmeval.core.types import Message, Response
from mmeval.verifiers.judge_card import JudgeCard
from mmeval.verifiers.judge_prompt import JudgeInput, render, render_repair
from mmeval.verifiers.judge_reply import JudgeFault, JudgeFinding, parse_reply

__all__ = ["Ask", "JudgeFault", "JudgeFinding", "JudgeInput", "combine", "decide", "parse_reply", "render"]

Ask: TypeAlias = Callable[[tuple[Message, ...], Mapping[str, Any]], Awaitable[Response]]
"""Takes the conversation and the JSON schema of the reply; media and sampling are the caller's."""


async def decide(
    card: JudgeCard, given: JudgeInput, ask: Ask, *, swapped: bool = False
) -> tuple[JudgeFinding | JudgeFault, list[Response]]:
    """Ask, and ask once more where the reply holds no verdict.

    The schema that `ask` gets is the card's own, the same for all rows, so that an engine compiles it once; the request's
    id is asked for in the text.

    Returns:
        The finding or the fault, and every response that it took (none where the row lacks what the card needs).
    """
    responses: list[Response] = []
    try:
        asked = render(card, given, swapped=swapped)
    except DataError as error:
        return JudgeFault(error.message), responses
    responses.append(await ask(asked, card.schema_))
    outcome = _read(card, responses[-1], given, swapped)
    if isinstance(outcome, JudgeFinding) or outcome.status != "invalid":
        return outcome, responses
    repair = render_repair(card, given, asked, responses[-1].text or "", outcome.reason)
    responses.append(await ask(repair, card.schema_))
    again = _read(card, responses[-1], given, swapped)
    return (replace(again, repaired=True) if isinstance(again, JudgeFinding) else again), responses


def _read(card: JudgeCard, response: Response, given: JudgeInput, swapped: bool) -> JudgeFinding | JudgeFault:
    if response.status != "ok" or response.text is None:
        return JudgeFault(response.error or response.status, None, response.status)
    outcome = parse_reply(card, response.text, given, swapped=swapped)
    if isinstance(outcome, JudgeFault) and response.finish_reason == "length":
        return replace(outcome, reason=f"it was cut off at the token limit, and {outcome.reason}")
    return outcome


def combine(findings: Sequence[JudgeFinding | JudgeFault]) -> tuple[JudgeFinding | JudgeFault, float]:
    """Return what repeated or swapped judgements of one row say together, and how far they agree.

    More than half of all judgements, faults included, must say the same: a value of extraction, equivalence, label and
    preference, or the value of each step. Of grades, and of steps with a score that differ, it is the mean, where more
    than half of the judgements are findings. Otherwise it is a fault.

    Returns:
        The finding (of the steps and reasons that stand nearest to it, the first), and the share of all judgements that
        give the most frequent value; a fault agrees with nothing.

    Raises:
        ValueError: for no judgements, or for judgements of several kinds.
    """
    found = [finding for finding in findings if isinstance(finding, JudgeFinding)]
    if not findings or len({finding.kind for finding in found}) > 1:
        raise ValueError("judgements of one row by one card are combined")
    if len(findings) == 1:
        return findings[0], 1.0 if found else 0.0
    faults = [finding for finding in findings if isinstance(finding, JudgeFault)]
    counts = Counter(_key(finding) for finding in found)
    most, count = counts.most_common(1)[0] if counts else ("", 0)
    agreement = count / len(findings)
    if 2 * len(found) <= len(findings):
        failed = next((fault for fault in faults if fault.status != "invalid"), faults[0])
        return replace(failed, reason=f"{len(faults)} of {len(findings)} judgements failed: {failed.reason}"), agreement
    if found[0].score is not None and found[0].kind in ("grade", "steps"):
        return _mean(found), agreement
    if 2 * count <= len(findings):
        return JudgeFault(f"no majority of {len(findings)} judgements"), agreement
    return next(finding for finding in found if _key(finding) == most), agreement


def _key(finding: JudgeFinding) -> str:
    if finding.kind == "steps" and finding.score is not None:
        return digest(
            [{key: value for key, value in step.items() if not isinstance(value, str)} for step in finding.value]
        )
    return digest(finding.value)


def _mean(found: Sequence[JudgeFinding]) -> JudgeFinding:
    mean = sum(finding.score or 0.0 for finding in found) / len(found)
    nearest = min(found, key=lambda finding: abs((finding.score or 0.0) - mean))
    value = mean if nearest.kind == "grade" else nearest.value
    return replace(nearest, value=value, score=mean)
