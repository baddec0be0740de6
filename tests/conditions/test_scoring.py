"""A reward model asked for scores: which conversations it is shown, and that a failure is never a low score."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mmeval.conditions.scoring import ScalarPair, ScalarSteps
from mmeval.conditions.strategy import SCORE, Answered
from mmeval.core.types import AnswerContext, Message, PreparedMedia, Response, Sample, TextPart
from mmeval.tasks.looking import StrategySection


class Scripted:
    """A session whose scores are looked up by the answer."""

    def __init__(self, scores: dict[str, Response]) -> None:
        self.scores = scores
        self.asked: list[tuple[str, ...]] = []

    async def __call__(self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, /) -> Response:
        assert role == SCORE
        texts = tuple(f"{m.role}: {part.text}" for m in messages for part in m.parts if isinstance(part, TextPart))
        self.asked.append(texts)
        return self.scores[texts[-1].removeprefix("assistant: ")]

    async def view(self, *_: Any) -> Any:
        raise AssertionError

    async def search(self, *_: Any) -> Any:
        raise AssertionError

    def note(self, *_: Any) -> None:
        raise AssertionError


def answered(scores: dict[str, Response], answers: Any) -> tuple[Answered, Scripted]:
    sample = Sample(
        "s", "t", (Message("user", (TextPart("Q?"),)),), None, context=AnswerContext(options={"answers": answers})
    )
    session = Scripted(scores)
    found = asyncio.run(ScalarPair(StrategySection(name="scalar-pair")).answer(sample, (), session))
    return found, session


def test_every_answer_is_scored_by_itself() -> None:
    found, session = answered({"good": Response("ok", "0.5"), "bad": Response("ok", "-1.5")}, ["good", "bad"])
    assert (found.response.text, found.trail.turns) == ("[0.5,-1.5]", 2)
    assert session.asked == [("user: Q?", "assistant: good"), ("user: Q?", "assistant: bad")]


@pytest.mark.parametrize("status", ["error", "timeout", "unsupported", "too_long"])
def test_a_failed_score_fails_the_row(status: Any) -> None:
    found, _ = answered({"good": Response(status, error="down"), "bad": Response("ok", "1.0")}, ["good", "bad"])
    assert (found.response.status, found.response.text) == (status, None)


def test_steps_are_scored_with_those_before_them() -> None:
    options = {"steps": ["read", "add"]}
    sample = Sample("s", "t", (Message("user", (TextPart("Q?"),)),), None, context=AnswerContext(options=options))
    session = Scripted({"read": Response("ok", "0.9"), "read\n\nadd": Response("ok", "0.1")})
    found = asyncio.run(ScalarSteps(StrategySection(name="scalar-steps")).answer(sample, (), session))
    assert found.response.text == "[0.9,0.1]"
    assert [texts[-1] for texts in session.asked] == ["assistant: read", "assistant: read\n\nadd"]


@pytest.mark.parametrize("answers", [None, ["one"], "ab", ["a", 3]])
def test_rows_without_answers_are_errors(answers: Any) -> None:
    found, session = answered({}, answers)
    assert (found.response.status, session.asked) == ("error", [])
