"""The openai backend against a server that fails in every way that endpoints fail."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from mmeval.core.errors import EngineError
from mmeval.core.types import MediaPart, Message, PreparedMedia, Request, Response, Sampling, TextPart
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.openai_body import BodyStyle, chat_body
from mmeval.engines.openai_reply import failure, reply, retry_after
from mmeval.engines.registry import parse_model
from tests.engines.conftest import clip, make_request, picture, prepared, still
from tests.engines.endpoint import Endpoint, completion

KEY = "sk-secret-4711"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MMEVAL_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def endpoint(runner: asyncio.Runner) -> Iterator[Endpoint]:
    server = runner.run(Endpoint().open())
    yield server
    runner.run(server.close())


@pytest.fixture
def engine(endpoint: Endpoint, runner: asyncio.Runner) -> Iterator[OpenAIEngine]:
    made = OpenAIEngine(parse_model("openai:echo", base_urls=(endpoint.url,), timeout_s=5.0))
    yield made
    runner.run(made.close())


def body_of(request: Request, **style: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(chat_body(request, BodyStyle("echo", **style)))
    return found


class TestBody:
    def test_messages_keep_roles_and_the_order_of_text_and_images(self) -> None:
        messages = (
            Message("system", (TextPart('Say "hi"\n'),)),
            Message("user", (TextPart("Left:"), MediaPart(1), TextPart("Right:"), MediaPart(0))),
            Message("assistant", (TextPart("é\u2028"),)),
        )
        first, second = prepared(b"one"), replace(prepared(b"two"), format="webp")
        media = (PreparedMedia("image", (first,)), PreparedMedia("image", (second,)))
        body = body_of(Request("r", messages, media, Sampling()))
        system, user, assistant = body["messages"]
        assert system == {"role": "system", "content": 'Say "hi"\n'}
        assert assistant == {"role": "assistant", "content": "é\u2028"}
        assert [part["type"] for part in user["content"]] == ["text", "image_url", "text", "image_url"]
        urls = [part["image_url"]["url"] for part in user["content"] if part["type"] == "image_url"]
        assert urls == [f"data:image/webp;base64,{_b64(b'two')}", f"data:image/png;base64,{_b64(b'one')}"]

    def test_a_video_is_its_frames_or_one_video_url(self) -> None:
        request = make_request("?", (clip(b"a", b"b"),))
        frames = body_of(request)["messages"][0]["content"]
        assert [part["type"] for part in frames] == ["image_url", "image_url", "text"]
        (video, _text) = body_of(request, video_as_frames=False)["messages"][0]["content"]
        assert video == {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{_b64(b'a')},{_b64(b'b')}"}}

    def test_every_sampling_field_is_sent_when_set_and_left_out_when_none(self) -> None:
        full = Sampling(0.5, 0.9, 40, 0.05, 1.1, 77, ("\n", "END"), 123)
        body = body_of(make_request(sampling=full))
        assert {
            name: body[name] for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed")
        } == {
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "seed": 123,
        }
        assert (body["max_tokens"], body["stop"], body["model"]) == (77, ["\n", "END"], "echo")
        bare = body_of(make_request(sampling=Sampling()))
        assert bare["temperature"] == 0.0
        assert not {"top_p", "top_k", "min_p", "repetition_penalty", "seed", "stop"} & set(bare)
        assert "temperature" not in body_of(make_request(sampling=Sampling(temperature=None)))

    def test_a_schema_becomes_a_response_format(self) -> None:
        schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
        body = body_of(replace(make_request(), schema=schema))
        assert body["response_format"]["json_schema"]["schema"] == schema


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class TestStart:
    def test_unknown_model_lists_the_served_names(self, endpoint: Endpoint, runner: asyncio.Runner) -> None:
        with pytest.raises(EngineError, match="does not serve a model 'ecco'") as caught:
            _describe(runner, "openai:ecco", endpoint.url)
        assert "echo" in caught.value.remedy

    def test_nobody_there(self, runner: asyncio.Runner) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
            with pytest.raises(EngineError, match="cannot be reached"):
                _describe(runner, "openai:echo", url)

    @pytest.mark.parametrize("key", [None, KEY])
    def test_a_refused_key_names_the_variables_and_never_the_key(self, key: str | None, runner: asyncio.Runner) -> None:
        server = runner.run(Endpoint(key="sk-right").open())
        with pytest.raises(EngineError, match="HTTP 401") as caught:
            _describe(runner, "openai:echo", server.url, api_key=key)
        runner.run(server.close())
        assert "MMEVAL_API_KEY or OPENAI_API_KEY" in caught.value.remedy
        assert KEY not in str(caught.value)
        assert ("was refused" if key else "none is set") in str(caught.value)

    def test_the_key_comes_from_the_environment(self, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
        monkeypatch.setenv("MMEVAL_API_KEY", "sk-right")
        server = runner.run(Endpoint(key="sk-right").open())
        info = _describe(runner, "openai:echo", server.url)
        runner.run(server.close())
        assert "sk-right" not in repr(info)

    @pytest.mark.parametrize(
        "answer",
        [
            web.Response(text="<html>welcome</html>", content_type="text/html"),
            web.Response(text='{"hello": 1}', content_type="application/json"),
            web.Response(text="<html>nothing</html>", content_type="text/html", status=404),
        ],
    )
    def test_a_web_page_is_no_endpoint(self, answer: web.Response, runner: asyncio.Runner) -> None:
        server = runner.run(Endpoint(models=answer).open())
        with pytest.raises(EngineError, match="/v1/models answers"):
            _describe(runner, "openai:echo", server.url)
        runner.run(server.close())

    def test_identity_without_and_with_a_model_id(self, endpoint: Endpoint, runner: asyncio.Runner) -> None:
        plain = _describe(runner, "openai:echo", endpoint.url)
        assert not plain.shared_identity
        assert plain.identity["served"] == "echo"
        assert "created" not in plain.identity["models"][0]
        named = _describe(runner, "openai:echo", endpoint.url, model_id="step-400", timeout_s=9.0, api_key="k")
        other = runner.run(Endpoint().open())
        moved = _describe(runner, "openai:echo", other.url, model_id="step-400")
        runner.run(other.close())
        assert named.shared_identity
        assert named.identity == moved.identity == {"model_id": "step-400"}

    def test_a_server_that_names_its_checkpoint_gives_its_profile(self, runner: asyncio.Runner, tmp_path: Any) -> None:
        (tmp_path / "config.json").write_text('{"model_type": "qwen3_vl"}')
        entry = {"id": "step-1", "owned_by": "test", "root": str(tmp_path)}
        server = runner.run(Endpoint(models={"data": [entry]}).open())
        info = _describe(runner, "openai:step-1", server.url)
        runner.run(server.close())
        assert info.profile["name"] == "qwen3-vl"

    @pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://user:pw@host/v1"])
    def test_addresses_that_are_none(self, url: str) -> None:
        with pytest.raises(EngineError, match="--base-url"):
            OpenAIEngine(parse_model("openai:echo", base_urls=(url,)))

    def test_the_openai_api_does_not_get_foreign_fields(self, runner: asyncio.Runner) -> None:
        strict = OpenAIEngine(parse_model("openai:gpt-4o"))
        assert not {"top_k", "min_p", "repetition_penalty"} & strict.supported_sampling
        answer = runner.run(strict.generate(make_request(sampling=Sampling(top_k=5))))
        assert (answer.status, answer.retryable) == ("error", False)

    def test_arguments_go_into_the_body_unless_mmeval_sets_them(
        self, endpoint: Endpoint, runner: asyncio.Runner
    ) -> None:
        spec = parse_model(
            "openai:echo", base_urls=(endpoint.url,), engine_args={"chat_template_kwargs": {"thinking": True}}
        )
        engine = OpenAIEngine(spec)
        runner.run(engine.generate(make_request()))
        runner.run(engine.close())
        assert endpoint.bodies[-1]["chat_template_kwargs"] == {"thinking": True}
        for name in ("n", "temperature", "stream"):
            with pytest.raises(EngineError, match=name):
                OpenAIEngine(replace(spec, engine_args={name: 1}))


def _describe(runner: asyncio.Runner, word: str, url: str, **options: Any) -> Any:
    engine = OpenAIEngine(parse_model(word, base_urls=(url,), **options))

    async def go() -> Any:
        try:
            return await engine.describe()
        finally:
            await engine.close()

    return runner.run(go())


def _json(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Callable[[web.Request], Awaitable[Any]]:
    async def fault(_: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    return fault


def _text(
    text: str, content_type: str = "application/json", status: int = 200
) -> Callable[[web.Request], Awaitable[Any]]:
    async def fault(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, status=status)

    return fault


async def _reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _cut_off(request: web.Request) -> web.StreamResponse:
    body = json.dumps(completion("a whole answer")).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


NULL = completion(None)
FLAT = {
    "message": "context length exceeded",
    "type": "invalid_request_error",
    "code": "context_length_exceeded",
    "object": "error",
}
VLLM_LONG = "This model's maximum context length is 1024 tokens. However, your request has at least 1025 input tokens."
OPENAI_LONG = {"message": "Too many tokens.", "type": "invalid_request_error", "code": "context_length_exceeded"}
REFUSAL = {"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": "I won't."}}]}


def parts(*content: dict[str, Any]) -> dict[str, Any]:
    body = completion("")
    body["choices"][0]["message"]["content"] = list(content)
    return body


LLAMA_LONG = {
    "code": 400,
    "message": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "type": "exceed_context_size_error",
}
LLAMA_OLD = {"code": 500, "message": "the request exceeds the available context size. try increasing it", "type": "x"}
TGI_LONG = {
    "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 and 20",
    "error_type": "validation",
}
LMDEPLOY_LONG = {"message": "INPUT_LENGTH_ERROR", "type": "invalid_request_error", "code": "INPUT_LENGTH_ERROR"}
SGLANG_LONG = {
    "object": "error",
    "message": "The input (12345 tokens) is longer than the model's context length (8192 tokens).",
    "type": "BadRequestError",
    "code": 400,
}
DASHSCOPE = {"message": "Input data may contain inappropriate content.", "type": "data_inspection_failed"}
VLLM_FILE = {"message": "Cannot load local files without `--allowed-local-media-path`.", "code": 500}
FINISH_LONG = {
    "choices": [{"finish_reason": "error", "message": {"content": ""}, "error_code": "context_length_exceeded"}]
}


def _bytes(
    body: bytes, content_type: str = "application/json", status: int = 200
) -> Callable[[web.Request], Awaitable[Any]]:
    async def fault(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": content_type}, status=status)

    return fault


def choice(**fields: Any) -> dict[str, Any]:
    body = completion("half")
    body["choices"][0] |= fields
    return body


TWICE = json.dumps(completion("A")).replace('"content"', '"content": "B", "content"')
DEEP = b'{"choices":[{"finish_reason":"abort","more":' + b"[" * 900 + b"]" * 900 + b',"message":{"content":"half"}}]}'
TOOL = {"choices": [{"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [{"function": {}}]}}]}

FAULTS: list[Any] = [
    # name, fault, status, retryable, part of the message
    ("rate limit", _json({"error": {"message": "slow down"}}, 429, {"Retry-After": "7"}), "error", True, "slow down"),
    ("no quota", _json({"error": {"message": "pay", "code": "insufficient_quota"}}, 429), "error", False, "quota"),
    ("overloaded", _json({"error": {"message": "overloaded"}}, 503), "error", True, "overloaded"),
    ("server error", _text("<html>Internal</html>", "text/html", 500), "error", True, "HTTP 500"),
    ("gateway timeout", _text("", "text/html", 504), "timeout", True, "504"),
    ("bad request", _json({"error": {"message": "temperature must be positive"}}, 400), "error", False, "temperature"),
    ("bad request, flat", _json({"message": "bad field", "object": "error"}, 400), "error", False, "bad field"),
    ("not found", _json({"error": {"message": "no such model"}}, 404), "error", False, "no such model"),
    ("wrong key", _json({"error": {"message": f"bad key {KEY}"}}, 401), "error", False, "MMEVAL_API_KEY"),
    ("redirect", _text("", "text/html", 302), "error", False, "redirects"),
    (
        "too long, vLLM",
        _json({"error": {"message": VLLM_LONG, "param": "input_tokens"}}, 400),
        "too_long",
        False,
        "1024",
    ),
    ("too long, LMDeploy", _json(FLAT, 400), "too_long", False, "context length"),
    ("too long, OpenAI", _json({"error": OPENAI_LONG}, 400), "too_long", False, "Too many"),
    ("too long, llama.cpp", _json({"error": LLAMA_LONG}, 400), "too_long", False, "4390 tokens"),
    ("too long, llama.cpp 500", _json({"error": LLAMA_LONG}, 500), "too_long", False, "4390 tokens"),
    ("too long, llama.cpp wording", _json({"error": LLAMA_OLD}, 500), "too_long", False, "available context"),
    ("too long under 200", _json({"error": LLAMA_LONG}), "too_long", False, "4390 tokens"),
    ("too long, TGI", _json(TGI_LONG, 422), "too_long", False, "max_new_tokens"),
    ("too long, LMDeploy enum", _json(LMDEPLOY_LONG | {"object": "error"}, 400), "too_long", False, "INPUT_LENGTH"),
    ("too long, LMDeploy finish", _json(FINISH_LONG), "too_long", False, "finish_reason error"),
    ("too long, SGLang", _json(SGLANG_LONG, 400), "too_long", False, "12345"),
    (
        "full while generating",
        _json({"error": {"message": "Context size has been exceeded."}}, 500),
        "error",
        True,
        "size",
    ),
    ("filter, DashScope", _json({"error": DASHSCOPE}, 400), "refused", False, "inappropriate"),
    ("filter, DashScope's own", _json({"code": "DataInspectionFailed", "message": "no"}, 400), "refused", False, "no"),
    ("filter under 200", _json({"error": DASHSCOPE}), "refused", False, "inappropriate"),
    ("refusal part", _json(parts({"type": "refusal", "refusal": "I won't."})), "refused", False, "I won't."),
    ("conflict", _json({"error": {"message": "busy"}}, 409), "error", True, "busy"),
    ("too early", _json({"error": {"message": "early"}}, 425), "error", True, "early"),
    ("file of the server, vLLM", _json({"error": VLLM_FILE}, 500), "error", False, "asking again does not help"),
    ("NaN", _text('{"choices": [], "usage": {"x": NaN}}'), "error", True, "NaN or Infinity"),
    ("unknown part", _json(parts({"type": "audio", "text": "x"})), "error", True, "list"),
    (
        "max_tokens too large",
        _json({"error": {"message": "max_tokens=9999 cannot be greater than 1024", "param": "max_tokens"}}, 400),
        "error",
        False,
        "--sampling max_tokens",
    ),
    (
        "filter, Azure",
        _json({"error": {"message": "filtered", "code": "content_filter"}}, 400),
        "refused",
        False,
        "filtered",
    ),
    ("filter, finish", _json(completion("half an ans", "content_filter")), "refused", False, "content filter"),
    ("refusal", _json(REFUSAL), "refused", False, "I won't."),
    ("null content", _json(NULL), "error", True, "null"),
    ("no choices", _json({"choices": []}), "error", True, "no choices"),
    ("no message", _json({"choices": [{"finish_reason": "stop"}]}), "error", True, "message"),
    ("finish error", _json(completion("half", "error")), "error", True, "finish_reason error"),
    ("finish abort", _json(completion("half", "abort")), "error", True, "finish_reason abort"),
    ("error under 200", _json({"error": {"message": "engine dead"}}), "error", True, "engine dead"),
    ("html under 200", _text("<html>login</html>", "text/html"), "error", True, "text/html"),
    ("wrong content type", _text(json.dumps(completion("A")), "text/plain"), "error", True, "text/plain"),
    ("half JSON", _text(json.dumps(completion("A"))[:40]), "error", True, "broken JSON"),
    ("a JSON list", _text("[]"), "error", True, "list"),
    ("empty body", _text(""), "error", True, "broken JSON"),
    ("a key twice", _text(TWICE), "error", True, "content stands twice"),
    ("several choices", _json({"choices": completion("A")["choices"] * 2}), "error", True, "several choices"),
    ("deep nesting in a failure", _bytes(DEEP), "error", True, "finish_reason abort"),
    ("deep nesting", _bytes(b"[" * 100_000), "error", True, "broken JSON"),
    (
        "deep message",
        _bytes(b'{"error":{"message":' + b"[" * 990 + b"]" * 990 + b"}}", status=500),
        "error",
        True,
        "500",
    ),
    ("an error beside a text", _json(choice(error={"message": "upstream died"})), "error", True, "upstream died"),
    ("a tool call", _json(TOOL), "error", True, "called a tool"),
    ("no content", _bytes(b"", status=204), "error", True, "HTTP 204"),
    ("a part", _json(completion("A"), 206), "error", True, "HTTP 206"),
    ("a job", _json({"id": "job-1", "status": "queued"}, 202), "error", True, "no choices"),
    ("a gateway's page", _text("404 page not found", "text/plain", 404), "error", True, "404"),
    ("failed dependency, TGI", _json({"error": "Request failed during generation"}, 424), "error", True, "424"),
    ("connection reset", _reset, "error", True, "connection broke"),
    ("truncated body", _cut_off, "error", True, "connection broke"),
]


@pytest.mark.parametrize(
    ("name", "fault", "status", "retryable", "message"), FAULTS, ids=[fault[0] for fault in FAULTS]
)
def test_faults_never_become_answers(
    name: str,
    fault: Any,
    status: str,
    retryable: bool,
    message: str,
    endpoint: Endpoint,
    engine: OpenAIEngine,
    runner: asyncio.Runner,
) -> None:
    endpoint.fault = fault
    answer = runner.run(engine.generate(make_request(media=(still(picture()),))))
    assert (answer.status, answer.retryable, answer.text) == (status, retryable, None)
    assert message in (answer.error or "")
    assert answer.retry_after_s == (7.0 if name == "rate limit" else None)
    endpoint.fault = None
    assert runner.run(engine.generate(make_request())).status == "ok"


def test_the_key_is_kept_out_of_errors(endpoint: Endpoint, runner: asyncio.Runner) -> None:
    engine = OpenAIEngine(parse_model("openai:echo", base_urls=(endpoint.url,), api_key=KEY))
    endpoint.fault = _json({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 400)
    answer = runner.run(engine.generate(make_request()))
    runner.run(engine.close())
    assert endpoint.headers[-1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(answer)
    assert KEY not in repr(engine._spec)


def test_a_slow_answer_is_a_timeout_and_frees_the_server(endpoint: Endpoint, runner: asyncio.Runner) -> None:
    engine = OpenAIEngine(parse_model("openai:echo", base_urls=(endpoint.url,), timeout_s=0.2))
    endpoint.fault = _hang

    async def go() -> Response:
        answer = await engine.generate(make_request())
        for _ in range(100):
            if endpoint.cancelled:
                break
            await asyncio.sleep(0.02)
        await engine.close()
        return answer

    answer = runner.run(go())
    assert (answer.status, answer.retryable, answer.text) == ("timeout", True, None)
    assert endpoint.cancelled == 1


def test_cancelling_a_call_ends_the_request(endpoint: Endpoint, engine: OpenAIEngine, runner: asyncio.Runner) -> None:
    endpoint.fault = _hang

    async def go() -> None:
        task = asyncio.create_task(engine.generate(make_request()))
        while not endpoint.running:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if not endpoint.running:
                return
            await asyncio.sleep(0.02)

    runner.run(go())
    assert endpoint.running == 0


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 302])
def test_what_is_turned_away_for_all_is_told_apart(
    status: int, endpoint: Endpoint, engine: OpenAIEngine, runner: asyncio.Runner
) -> None:
    endpoint.fault = _json({"error": {"message": "no"}}, status)
    answer = runner.run(engine.generate(make_request()))
    assert (answer.denied, answer.retryable) == (True, False)


class TestReply:
    @pytest.mark.parametrize("status", [200, 201, 203])
    def test_a_whole_answer_counts_under_every_status_that_has_one(
        self, status: int, endpoint: Endpoint, engine: OpenAIEngine, runner: asyncio.Runner
    ) -> None:
        endpoint.fault = _json(completion("A"), status)
        assert runner.run(engine.generate(make_request())).text == "A"

    def test_a_byte_order_mark_is_no_part_of_the_answer(self) -> None:
        body = b"\xef\xbb\xbf" + json.dumps(completion("A")).encode()
        assert reply("application/json", body).text == "A"

    def test_half_of_a_surrogate_pair_is_a_broken_character_like_any_other(self) -> None:
        assert _reply(completion("a \ud83d b \udc00 \U0001f600")).text == "a \ufffd b \ufffd \U0001f600"
        assert _reply(completion("the text \\ud83d")).text == "the text \\ud83d"

    def test_of_several_choices_the_first_by_number_counts(self) -> None:
        body = completion("A")
        body["choices"] = [{**completion("B")["choices"][0], "index": 1}, *body["choices"]]
        assert _reply(body).text == "A"

    def test_thinking_in_secret_until_the_tokens_are_used_up_is_an_empty_answer(self) -> None:
        answer = _reply(completion(None, "length"))
        assert (answer.status, answer.text, answer.finish_reason) == ("ok", "", "length")

    def test_an_answer_that_quotes_the_keys_of_an_answer_is_one(self) -> None:
        text = json.dumps({"content": "A", "message": 1}) + '{"content": 1, "content": 2}'
        assert _reply(completion(text)).text == text

    def test_reasoning_is_kept_apart(self) -> None:
        for name in ("reasoning_content", "reasoning"):
            body = completion("B")
            body["choices"][0]["message"][name] = "hm"
            body["usage"]["completion_tokens_details"] = {"reasoning_tokens": 9}
            answer = _reply(body)
            assert (answer.text, answer.reasoning, answer.reasoning_tokens) == ("B", "hm", 9)

    def test_reasoning_that_never_ends_is_an_empty_answer_not_an_error(self) -> None:
        body = completion(None, "length")
        body["choices"][0]["message"]["reasoning_content"] = "hm, hm"
        assert (_reply(body).status, _reply(body).text, _reply(body).finish_reason) == ("ok", "", "length")

    def test_an_empty_answer_is_an_answer(self) -> None:
        assert (_reply(completion("")).status, _reply(completion("")).text) == ("ok", "")

    def test_text_parts_are_joined(self) -> None:
        body = completion("")
        body["choices"][0]["message"]["content"] = [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
        assert _reply(body).text == "AB"

    @pytest.mark.parametrize(
        "thought",
        [
            {"type": "thinking", "thinking": "Hmm. Well."},
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}, {"type": "text", "text": " Well."}]},
            {"type": "reasoning", "text": "Hmm. Well."},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hmm. Well."}]},
        ],
    )
    def test_reasoning_parts_are_no_part_of_the_answer(self, thought: dict[str, Any]) -> None:
        found = _reply(parts(thought, {"type": "text", "text": "A"}))
        assert (found.text, found.reasoning) == ("A", "Hmm. Well.")
        cut_off = _reply(parts(thought))
        assert (cut_off.text, cut_off.reasoning) == ("", "Hmm. Well.")

    def test_retry_after_as_seconds_and_as_date(self) -> None:
        assert retry_after({"Retry-After": "1.5"}) == 1.5
        assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=20.0) == 40.0
        assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=90.0) == 0.0
        clock = {"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT", "Date": "Thu, 01 Jan 1970 00:00:50 GMT"}
        assert retry_after(clock, now=1e9) == 10.0, "the server's own clock counts"
        assert retry_after({**clock, "Date": "yesterday"}, now=20.0) == 40.0
        assert retry_after({"Retry-After": "inf"}) is None
        assert retry_after({"Retry-After": "nan"}) is None
        assert retry_after({"Retry-After": "soon"}) is None
        assert retry_after({"Retry-After": "1_0"}) is None
        assert retry_after({"Retry-After": "\xb2"}) is None
        assert retry_after({"Retry-After": "-5"}) == 0.0
        assert retry_after({"Retry-After": "9" * 400}) == float("inf")
        assert retry_after({}) is None

    @pytest.mark.parametrize(
        "message",
        [
            "The decoder prompt (length 2000) is longer than the maximum model length of 1024.",
            "Input length (5000) exceeds the maximum session length 4096",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "Requested token count exceeds the model's maximum context length of 8192 tokens.",
            "the request exceeds the available context size, try increasing it",
            "input is larger than the max context size. skipped",
            "`inputs` must have less than 1024 tokens. Given: 2000",
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
            "input length and `max_tokens` exceed context limit: 174167 + 64000 > 200000",
        ],
    )
    def test_ways_to_say_too_long(self, message: str) -> None:
        assert failure(400, {}, json.dumps({"error": {"message": message}}).encode()).status == "too_long"

    def test_an_image_that_is_too_large_is_not_a_long_prompt(self) -> None:
        body = json.dumps({"error": {"message": "Failed to load image: broken data stream"}}).encode()
        assert failure(400, {}, body).status == "error"


def _reply(body: dict[str, Any]) -> Response:
    return reply("application/json; charset=utf-8", json.dumps(body).encode())


def test_replicas_share_the_load_and_a_dead_one_is_left_out(endpoint: Endpoint, runner: asyncio.Runner) -> None:
    second = runner.run(Endpoint().open())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        engine = OpenAIEngine(parse_model("openai:echo", base_urls=(endpoint.url, second.url, dead)))
        endpoint.delay_s = second.delay_s = 0.05

        async def go() -> list[Response]:
            first = await asyncio.gather(*(engine.generate(make_request(str(n))) for n in range(9)))
            rest = await asyncio.gather(*(engine.generate(make_request(str(n))) for n in range(10)))
            await engine.close()
            return [*first, *rest]

        answers = runner.run(go())
    runner.run(second.close())
    lost = [answer for answer in answers if answer.status != "ok"]
    assert len(lost) == 3
    assert all(answer.retryable and "cannot reach" in (answer.error or "") for answer in lost)
    assert (len(endpoint.bodies), len(second.bodies)) == (8, 8)
