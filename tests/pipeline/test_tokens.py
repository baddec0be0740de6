"""Scoring the tokens of an answer with the picture and with another one."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest

from mmeval.conditions.base import get_condition
from mmeval.core.types import Request, Response, Sampling, TokenContrast, TokenLogprobs
from mmeval.pipeline.tokens import CANNOT, token_scores
from tests.pipeline.test_strategies import Spoken, run


def say(request: Request) -> Response:
    return Response("ok", text="a red </think> thing", finish_reason="stop")


class Scoring(Spoken):
    """Scores each word by how much of the picture it is shown."""

    def __init__(self) -> None:
        super().__init__(say)
        self.scored: list[Request] = []

    async def logprobs(self, request: Request, continuation: str) -> TokenLogprobs:
        self.scored.append(request)
        words = tuple(continuation.split())
        own = request.media and request.media[0].images[0].sha256 == request.media[0].images[0].source_sha256
        value = -0.5 if own else -2.5
        return TokenLogprobs("ok", tuple(range(len(words))), tuple(value for _ in words), texts=words)


def test_the_plain_answer_is_scored_after_both_prompts(tmp_path: Path) -> None:
    engine = Scoring()
    (row,) = run(tmp_path, engine, get_condition("dependency:blank"))
    assert len(engine.requests) == 1
    first, second = engine.scored
    assert first.messages == second.messages == engine.requests[0].messages
    assert first.media[0].images[0].sha256 != second.media[0].images[0].sha256
    assert row.unit.sample.extras["other_media"] == [second.media[0].sha256]
    assert row.verdict.scores["k3"] == pytest.approx(math.exp(-2) + 2 - 1, abs=1e-4)
    assert row.verdict.scores["log_ratio"] == pytest.approx(2.0)
    assert row.verdict.scores["tokens"] == 4
    assert json.loads(row.response.text or "")["tokens"] == ["a", "red", "</think>", "thing"]
    assert "</think>" not in (row.response.text or "")
    assert [call.role for call in row.calls] == ["answer", "scores"]


def test_the_same_picture_gives_zero_and_answers_are_kept(tmp_path: Path) -> None:
    (row,) = run(tmp_path, Scoring(), get_condition("dependency:standard"))
    assert row.verdict.scores["k3"] == 0.0
    again = Scoring()
    (same,) = run(tmp_path, again, get_condition("dependency:standard"))
    assert (again.requests, again.scored) == ([], [])
    assert same.verdict == row.verdict


def test_the_answer_is_the_standard_one(tmp_path: Path) -> None:
    (plain,) = run(tmp_path, Scoring(), get_condition("standard"))
    engine = Scoring()
    (row,) = run(tmp_path, engine, get_condition("dependency:blind"))
    assert row.unit.request_hash == plain.unit.request_hash
    assert engine.requests == []
    assert engine.scored[1].media == ()


def test_an_engine_that_cannot_score_says_so(tmp_path: Path) -> None:
    (row,) = run(tmp_path, Spoken(say), get_condition("dependency"))
    assert (row.verdict.outcome, row.verdict.reason, row.verdict.score) == ("unsupported", CANNOT, None)


@pytest.mark.parametrize(
    ("engine", "text", "status", "says"),
    [
        (Scoring(), "  ", "unsupported", "no text"),
        (Spoken(say), "x", "unsupported", "cannot score"),
    ],
)
def test_what_cannot_be_scored(engine: Spoken, text: str, status: str, says: str) -> None:
    request = Request("1", (), (), Sampling())
    found = asyncio.run(token_scores(engine, request, request, text))
    assert (found.status, found.text) == (status, None)
    assert says in (found.error or "")


class Failing(Scoring):
    """Fails after the second prompt, or cuts the answer into other tokens."""

    def __init__(self, found: list[TokenLogprobs]) -> None:
        super().__init__()
        self.found = found

    async def logprobs(self, request: Request, continuation: str) -> TokenLogprobs:
        return self.found.pop(0)


@pytest.mark.parametrize(
    ("second", "status"),
    [(TokenLogprobs("too_long", error="512 tokens"), "too_long"), (TokenLogprobs("ok", (9,), (-1.0,)), "error")],
)
def test_a_failure_is_no_value(second: TokenLogprobs, status: str) -> None:
    request = Request("1", (), (), Sampling())
    engine = Failing([TokenLogprobs("ok", (1,), (-1.0,)), second])
    found = asyncio.run(token_scores(engine, request, request, "x"))
    assert (found.status, found.text) == (status, None)


def test_the_exact_divergence_is_taken_where_there_is_one() -> None:
    class Exact(Scoring):
        async def contrast(self, request: Request, other: Request, continuation: str) -> TokenContrast:
            scores = TokenLogprobs("ok", (1,), (-1.0,), texts=("x",))
            return TokenContrast("ok", scores, scores, (0.25,))

    request = Request("1", (), (), Sampling())
    found = asyncio.run(token_scores(Exact(), request, request, "x"))
    assert json.loads(found.text or "")["kl"] == [0.25]
