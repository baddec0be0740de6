"""Scalar reward models: served behind /pooling, /classify and /score, and as a transformers checkpoint."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mmeval.core.errors import EngineError
from mmeval.core.types import Message, Request, Response, TextPart
from mmeval.engines.base import ScoresAnswers, score_text
from mmeval.engines.hf import HfEngine
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.registry import create_engine, parse_model
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.identity import request_hash
from mmeval.pipeline.plan import Effort
from tests.engines.conftest import make_request, picture, still


def scored(answer: str, **more: Any) -> Request:
    """A request whose last turn is an answer to be scored."""
    asked = make_request(**more)
    return replace(asked, messages=(*asked.messages, Message("assistant", (TextPart(answer),))), scored=True)


class Server:
    """Serves a reward model whose score is the number of letters of the answer."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, Any]] = {}
        self.reply: Any = None
        self.status = 200
        self.url = ""

    async def open(self) -> Server:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_get("/v1/models", self._list)
        for route in ("pooling", "classify", "score", "v1/chat/completions"):
            app.router.add_post(f"/{route}", self._score)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "rm", "object": "model"}]})

    async def _score(self, request: web.Request) -> web.Response:
        route = request.path.strip("/")
        body = self.bodies[route] = json.loads(await request.read())
        if self.reply is not None:
            return web.json_response(self.reply, status=self.status)
        said = body["text_2"] if route == "score" else body["messages"][-1]["content"]
        value = len(said) / 10
        entry = {"pooling": {"data": [[0.0], [value]]}, "classify": {"probs": [value]}, "score": {"score": value}}[
            route
        ]
        return web.json_response({"model": "rm", "data": [{"index": 0, **entry}], "usage": {"prompt_tokens": 7}})

    async def close(self) -> None:
        await self._runner.cleanup()


@pytest.fixture
def server(runner: asyncio.Runner) -> Iterator[Server]:
    made = runner.run(Server().open())
    yield made
    runner.run(made.close())


def ask(runner: asyncio.Runner, server: Server, request: Request, **arguments: Any) -> Response:
    engine = OpenAIEngine(parse_model("openai:rm", base_urls=(server.url,), timeout_s=5.0, engine_args=arguments))
    assert isinstance(engine, ScoresAnswers)

    async def once() -> Response:
        try:
            await engine.describe()
            return await engine.score(request)
        finally:
            await engine.close()

    return runner.run(once())


@pytest.mark.parametrize("route", ["pooling", "classify", "score"])
def test_every_route_scores_the_answer(route: str, server: Server, runner: asyncio.Runner) -> None:
    found = [ask(runner, server, scored(said), score_route=route) for said in ("good", "better")]
    assert [response.text for response in found] == ["0.4", "0.6"]
    assert (found[0].status, found[0].model) == ("ok", "rm")
    body = server.bodies[route]
    assert not {"max_tokens", "temperature", "seed"} & set(body)
    if route == "score":
        assert body["text_1"] == "What colour is the square?"
    else:
        assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
        assert body["add_generation_prompt"] is False


@pytest.mark.parametrize("route", ["pooling", "score"])
def test_pictures_are_sent(route: str, server: Server, runner: asyncio.Runner) -> None:
    ask(runner, server, scored("good", media=(still(picture()),)), score_route=route)
    body = server.bodies[route]
    parts = body["text_1"]["content"] if route == "score" else body["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["image_url", "text"]


def tokens(*entries: tuple[str, float]) -> dict[str, Any]:
    listed = [{"token": token, "logprob": math.log(share)} for token, share in entries]
    return {"choices": [{"logprobs": {"content": [{**listed[0], "top_logprobs": listed}]}}]}


@pytest.mark.parametrize(
    ("reply", "share"),
    [
        (tokens(("+", 0.6), ("-", 0.2)), 0.75),
        (tokens(("-", 0.5), (" +", 0.25), ("+", 0.25)), 0.5),
        (tokens(("+", 0.9), ("yes", 0.1)), 1.0),
        (tokens(("yes", 0.9), ("no", 0.1)), None),
        ({"choices": [{"message": {"content": "+"}}]}, None),
        ({"choices": []}, None),
    ],
)
def test_the_probability_of_plus(reply: Any, share: float | None, server: Server, runner: asyncio.Runner) -> None:
    server.reply = reply
    found = ask(runner, server, scored("2 + 3 = 5."), score_route="sign")
    if share is None:
        assert found.status == "error"
        return
    assert float(str(found.text)) == pytest.approx(share)
    body = server.bodies["v1/chat/completions"]
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 10)
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert "2 + 3 = 5." in json.dumps(body["messages"])


@pytest.mark.parametrize(
    ("reply", "arguments", "text"),
    [
        ({"data": [{"data": [1.5]}]}, {}, "1.5"),
        ({"data": [{"data": [[0.0], [-2.0]]}]}, {}, "-2.0"),
        ({"data": [{"data": [0.1, 0.9]}]}, {"score_index": 1}, "0.9"),
        ({"data": [{"data": [0.1, 0.9]}]}, {}, None),
        ({"data": [{"data": [0.1]}]}, {"score_index": 3}, None),
        ({"data": [{"data": []}]}, {}, None),
        ({"data": [{"data": ["x"]}]}, {}, None),
        ({"data": []}, {}, None),
        ({"nothing": 1}, {}, None),
        ([], {}, None),
    ],
)
def test_what_is_no_single_number_is_an_error(
    reply: Any, arguments: dict[str, Any], text: str | None, server: Server, runner: asyncio.Runner
) -> None:
    server.reply = reply
    found = ask(runner, server, scored("good"), **arguments)
    assert (found.status, found.text) == (("error", None) if text is None else ("ok", text))


def test_a_server_without_scores_is_unsupported(server: Server, runner: asyncio.Runner) -> None:
    server.reply, server.status = {"error": {"message": "The model does not support Pooling API"}}, 400
    found = ask(runner, server, scored("good"))
    assert found.status == "unsupported"
    assert "--runner pooling" in str(found.error)
    server.status = 404
    assert ask(runner, server, scored("good")).status == "unsupported"
    server.reply, server.status = {"error": {"message": "overloaded"}}, 503
    assert ask(runner, server, scored("good")).retryable


def test_unknown_routes_are_refused() -> None:
    with pytest.raises(EngineError, match="score_route"):
        OpenAIEngine(parse_model("openai:rm", engine_args={"score_route": "rank"}))


@pytest.mark.parametrize(("values", "index"), [([], None), ([1.0, 2.0], None), ([1.0], 1), ([float("nan")], None)])
def test_scores_that_are_none(values: list[float], index: int | None) -> None:
    with pytest.raises(ValueError, match=r".+"):
        score_text(values, index)


def test_a_backend_that_cannot_score_says_so(runner: asyncio.Runner) -> None:
    engine = create_engine(parse_model("chance"))
    asker = Asker(engine, 1, Effort(), Progress("chance", None))
    found = runner.run(asker.ask(scored("good")))
    assert (found.status, found.retryable) == ("unsupported", False)
    assert "ForSequenceClassification" in str(found.error)


def test_a_score_is_another_request_than_an_answer(runner: asyncio.Runner) -> None:
    info = runner.run(create_engine(parse_model("fake")).describe())
    request = scored("good")
    assert request_hash(request, info) != request_hash(replace(request, scored=False), info)


def reward_checkpoint(folder: Path, labels: int) -> Path:
    """A tiny random model with a score head, and a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

    words = ["[pad]", "[unk]", "user", "assistant", "What", "colour", "is", "the", "square", "?", "red", "blue", "very"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[unk]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[pad]", unk_token="[unk]")
    fast.chat_template = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}{% if add_generation_prompt %}assistant{% endif %}"
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, num_labels=labels, pad_token_id=0,
    )  # fmt: skip
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.model
def test_a_checkpoint_with_a_score_head(tmp_path: Path, runner: asyncio.Runner) -> None:
    """Scores are the head's own logits, whatever the batch, and the conversation ends with the answer."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = reward_checkpoint(tmp_path / "rm", 1)
    answers = ["red", "blue", "very very red", "the square is blue"]
    engine = HfEngine(parse_model(f"hf:{folder}", engine_args={"dtype": "float32", "device": "cpu"}))

    async def together() -> tuple[list[Response], Response]:
        try:
            await engine.start()
            found = await asyncio.gather(*(engine.score(scored(answer)) for answer in answers))
            return list(found), await engine.generate(make_request())
        finally:
            await engine.close()

    found, written = runner.run(together())
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for answer, response in zip(answers, found, strict=True):
        ids = tokenizer(
            f"user What colour is the square? assistant {answer} ", add_special_tokens=False, return_tensors="pt"
        )
        with torch.inference_mode():
            expected = model(ids["input_ids"]).logits[0, 0].item()
        assert float(str(response.text)) == pytest.approx(expected, abs=1e-5)
    assert (written.status, "scalar" in str(written.error)) == ("unsupported", True)


@pytest.mark.model
def test_a_checkpoint_that_writes_has_no_scores(checkpoint: Path, runner: asyncio.Runner) -> None:
    engine = HfEngine(parse_model(f"hf:{checkpoint}"))
    assert runner.run(engine.score(scored("red"))).status == "unsupported"
