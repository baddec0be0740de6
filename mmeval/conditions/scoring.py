"""Strategies of scalar reward models: the engine scores given answers instead of writing one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from mmeval.conditions.declared import DeclaredStrategy
from mmeval.conditions.strategy import SCORE, Answered, Session, Trail
from mmeval.core.types import Message, PreparedMedia, Response, Sample, TextPart

ANSWERS = "answers"
"""Option of the row that holds the answers to be scored, in the order in which the target counts them."""


STEPS = "steps"
"""Option of the row that holds the steps of a given solution."""


@dataclass(frozen=True, slots=True)
class ScalarSteps(DeclaredStrategy):
    """Score every step of a given solution, as the last of the assistant's turn; the response is the JSON list of scores."""

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`."""
        steps = sample.context.options.get(STEPS)
        if not isinstance(steps, (list, tuple)) or not steps or not all(isinstance(step, str) for step in steps):
            return Answered(Response("error", error=f"the row has no steps to score (row_options: {STEPS})"), Trail())
        return await _scored(sample, media, ask, ["\n\n".join(steps[: number + 1]) for number in range(len(steps))])


async def _scored(sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, answers: Sequence[str]) -> Answered:
    turns = [(*sample.messages, Message("assistant", (TextPart(answer),))) for answer in answers]
    found = await asyncio.gather(*(ask(messages, media, SCORE) for messages in turns))
    answered = Trail(turns=sum(response.status == "ok" for response in found))
    failed = next((response for response in found if response.status != "ok"), None)
    if failed is not None:
        return Answered(failed, answered)
    scores = [float(response.text or "nan") for response in found]
    return Answered(Response("ok", text=orjson.dumps(scores).decode(), finish_reason="stop"), answered)


@dataclass(frozen=True, slots=True)
class ScalarPair(DeclaredStrategy):
    """Score every answer of the row by itself, as the assistant's turn after the question; the response is the JSON list of scores.

    A score that fails is the row's failure: nothing is ever ranked by a score that is not there.
    """

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`."""
        answers = sample.context.options.get(ANSWERS)
        if not isinstance(answers, (list, tuple)) or len(answers) < 2 or not all(isinstance(a, str) for a in answers):
            return Answered(
                Response("error", error=f"the row has no answers to score (row_options: {ANSWERS})"), Trail()
            )
        return await _scored(sample, media, ask, answers)
