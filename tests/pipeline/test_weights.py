"""Tokens of a request, guessed and corrected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmeval.core.types import Message, PreparedImage, PreparedMedia, Request, Response, Sampling
from mmeval.pipeline.weights import FIRST_ANSWER, OF_MESSAGE, SPREAD, Weigher
from tests.engines.conftest import make_request


def _shown(width: int, height: int, count: int = 1) -> tuple[PreparedMedia, ...]:
    image = PreparedImage(b"", "png", width, height, "x", "x", width, height)
    return tuple(PreparedMedia("image", (image,)) for _ in range(count))


def _request(text: str = "What is it?", media: tuple[PreparedMedia, ...] = (), most: int = 1024) -> Request:
    return make_request(text, media, Sampling(max_tokens=most))


def test_long_texts_and_many_pictures_weigh_more() -> None:
    weigher = Weigher()
    short = weigher.weigh(_request())
    assert short == pytest.approx(FIRST_ANSWER, abs=40)
    assert weigher.weigh(_request("word " * 4000)) - short == pytest.approx(5000, abs=10)
    one, many = (weigher.weigh(_request(media=_shown(448, 448, count))) for count in (1, 10))
    assert one - short == pytest.approx(256, abs=2)
    assert many - short == pytest.approx(2560, abs=12)
    assert Weigher(32).weigh(_request(media=_shown(448, 448))) - short == pytest.approx(196, abs=2)
    assert weigher.weigh(_request(most=1)) < 40
    assert weigher.weigh(_request("图" * 400)) - short == pytest.approx(300, abs=10)


def test_what_came_back_corrects_the_guess() -> None:
    weigher = Weigher()
    asked = _request(media=_shown(2800, 2800))
    assert weigher.weigh(asked) > 10_000
    for _ in range(40):  # the processor shrinks large pictures, and answers are short
        weigher.learn(asked, Response("ok", text="red", prompt_tokens=1000, completion_tokens=2))
    assert weigher.weigh(asked) == pytest.approx(1002, abs=10)
    other = replace(asked, sample=None, id="judge/1")
    assert weigher.weigh(other) > 10_000  # another kind of request


def test_answers_of_uneven_length_leave_room() -> None:
    weigher = Weigher()
    asked = _request(most=10_000)
    for length in (100, 900) * 40:
        weigher.learn(asked, Response("ok", text="x", prompt_tokens=20, completion_tokens=length))
    assert 900 < weigher.weigh(asked) < 1600
    weigher.learn(asked, Response("error", error="broken"))
    weigher.learn(asked, Response("ok", text="x"))
    assert 900 < weigher.weigh(asked) < 1600


def test_the_first_answers_count_alike() -> None:
    weigher = Weigher()
    asked = _request(most=10_000)
    prompt = weigher.weigh(asked) - FIRST_ANSWER
    for length in (100, 200):
        weigher.learn(asked, Response("ok", text="x", prompt_tokens=prompt, completion_tokens=length))
    assert weigher.weigh(asked) == round(prompt + 150 + SPREAD * 50)


def test_every_message_costs_its_frame() -> None:
    weigher = Weigher()
    one = _request()
    more = replace(one, messages=(*one.messages, Message("user", ()), Message("user", ())))
    assert weigher.weigh(more) - weigher.weigh(one) == 2 * OF_MESSAGE
