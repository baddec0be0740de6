"""One suite over every backend: what the pipeline may rely on whatever stands behind `Engine`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import Response, Sampling
from mmeval.engines.base import Engine, EngineInfo
from mmeval.engines.registry import create_engine, parse_model
from tests.engines.conftest import clip, make_request, picture, still
from tests.engines.endpoint import Endpoint
from tests.engines.serving import engine_python, free_port, serving, vllm_command

RED, GREEN = picture("red"), picture("green")


@dataclass
class Bench:
    """A started engine with what its tests need."""

    engine: Engine
    runner: asyncio.Runner
    info: EngineInfo
    described: EngineInfo
    is_model: bool
    endpoint: Endpoint | None = None
    answers: list[Response] = field(default_factory=list)

    def ask(self, *requests: Any) -> list[Response]:
        """Ask all requests at once; answers in order."""

        async def together() -> list[Response]:
            return list(await asyncio.gather(*(self.engine.generate(request) for request in requests)))

        return self.runner.run(together())


ENGINES = ("vllm", "vllm-twin", "vllm-served", "lmdeploy")
BACKENDS = [
    pytest.param("hf", marks=pytest.mark.model),
    "openai",
    "replay",
    "chance",
    "fake",
    *(pytest.param(name, marks=pytest.mark.engine) for name in ENGINES),
]


@pytest.fixture(scope="module", params=BACKENDS)
def bench(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    backend = request.param
    endpoint = None
    resources = ExitStack()
    options: dict[str, Any] = {}
    word = backend
    if backend == "hf":
        word = f"hf:{request.getfixturevalue('checkpoint')}"
        options["engine_args"] = {"max_model_len": 400, "batch_size": 4}
    elif backend == "openai":
        endpoint = runner.run(Endpoint().open())
        word, options["base_urls"] = "openai:echo", (endpoint.url,)
    elif backend == "replay":
        path = tmp_path_factory.mktemp("replay") / "answers.jsonl"
        rows = [{"id": f"sample-{number}", "response": f"answer {number}"} for number in range(40)]
        path.write_text("\n".join(json.dumps(row) for row in rows))
        word = f"replay:{path}"
    elif backend in ("vllm", "vllm-twin"):
        folder = request.getfixturevalue("checkpoint")
        word = f"vllm:{folder if backend == 'vllm' else folder.parent / 'tiny-qwen2'}"
        options["engine_python"] = engine_python("vllm")
        options["engine_args"] = {"max_model_len": 400, "dtype": "float32"}
    elif backend == "lmdeploy":
        word = f"lmdeploy:{request.getfixturevalue('checkpoint')}"
        options["engine_python"] = engine_python("lmdeploy")
        options["engine_args"] = {"session_len": 400}
        # Its kernels need a GPU: the double puts transformers in their place.
        patch = resources.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("MMEVAL_WORKER_PRELOAD", str(Path(__file__).with_name("lmdeploy_double.py")))
    elif backend == "vllm-served":
        port = free_port()
        folder = request.getfixturevalue("checkpoint")
        command = vllm_command(engine_python("vllm"), folder, port, "--max-model-len", "400")
        log = tmp_path_factory.mktemp("served") / "log.txt"
        word, options["base_urls"] = "vllm:tiny", (resources.enter_context(serving(command, port, log)),)
    engine = create_engine(parse_model(word, **options))
    described = runner.run(engine.describe())
    info = runner.run(engine.start())
    yield Bench(engine, runner, info, described, backend in ("hf", "openai", *ENGINES), endpoint)
    runner.run(engine.close())
    runner.run(engine.close())
    if endpoint is not None:
        runner.run(endpoint.close())
    resources.close()


@pytest.fixture
def model(bench: Bench) -> Bench:
    if not bench.is_model:
        pytest.skip("this backend reads no prompt")
    return bench


def test_start_confirms_what_describe_said(bench: Bench) -> None:
    for name in ("engine", "version", "identity", "profile", "shared_identity"):
        assert getattr(bench.info, name) == getattr(bench.described, name)
    # The loaded vLLM and LMDeploy say how many they take; before that there is a guess.
    assert bench.info.slots >= 1
    assert bench.described.slots >= 1
    assert bench.info.slots == bench.described.slots or bench.info.engine in ENGINES
    assert {"coordinates", "coordinate_order"} <= set(bench.info.profile)
    json.dumps([bench.info.identity, bench.info.details, bench.info.profile])


def test_declares_what_it_can_do(bench: Bench) -> None:
    assert {"temperature", "max_tokens", "stop", "seed"} <= bench.engine.supported_sampling
    assert {"text", "image", "images", "video"} == bench.engine.modalities
    assert isinstance(bench.engine.exclusive, bool)


def test_answers_with_text_and_says_why_it_stopped(bench: Bench) -> None:
    (answer,) = bench.ask(make_request(media=(still(RED),)))
    assert answer.status == "ok"
    assert answer.text
    assert answer.error is None
    assert bench.is_model is False or (answer.finish_reason == "stop" and (answer.latency_s or 0) > 0)


def test_equal_requests_get_equal_answers_alone_and_among_others(bench: Bench) -> None:
    request = make_request(media=(still(RED),))
    (alone,) = bench.ask(request)
    others = [make_request(f"How many objects are there? {n}", (still(GREEN),)) for n in range(5)]
    assert bench.ask(request, *others)[0].text == alone.text


def test_system_turn_and_order_reach_the_model(model: Bench) -> None:
    plain, guided = model.ask(make_request(media=(still(RED),)), make_request(media=(still(RED),), system="Be brief."))
    assert (guided.prompt_tokens or 0) > (plain.prompt_tokens or 0)


def test_the_image_decides_the_answer(model: Bench) -> None:
    red, green = model.ask(make_request(media=(still(RED),)), make_request(media=(still(GREEN),)))
    assert red.text != green.text


def test_several_images_and_videos_are_shown_in_order(model: Bench) -> None:
    one, two, swapped, video = model.ask(
        make_request(media=(still(RED),)),
        make_request(media=(still(RED), still(GREEN))),
        make_request(media=(still(GREEN), still(RED))),
        make_request(media=(clip(RED, GREEN),)),
    )
    assert (two.prompt_tokens or 0) > (one.prompt_tokens or 0)
    assert two.prompt_tokens == swapped.prompt_tokens == video.prompt_tokens
    assert two.text == video.text


def test_stop_string_ends_the_answer_before_it(model: Bench) -> None:
    sampling = Sampling(max_tokens=60)
    request = make_request("Describe the image.", (still(RED),), sampling)
    (full,) = model.ask(request)
    assert full.text is not None
    assert len(full.text) > 3
    stop = full.text[2:4]
    (cut,) = model.ask(make_request("Describe the image.", (still(RED),), Sampling(max_tokens=60, stop=(stop,))))
    assert (cut.text, cut.finish_reason) == (full.text[: full.text.index(stop)], "stop")


def test_truncation_is_reported(model: Bench) -> None:
    (answer,) = model.ask(make_request("Describe the image.", (still(RED),), Sampling(max_tokens=1)))
    assert (answer.status, answer.finish_reason, answer.completion_tokens) == ("ok", "length", 1)


def test_seeds_decide_sampled_answers(model: Bench) -> None:
    def sampled(seed: int) -> Any:
        return make_request("Describe the image.", (still(RED),), Sampling(temperature=2.0, seed=seed, max_tokens=12))

    first = model.ask(*(sampled(seed) for seed in range(6)))
    again = model.ask(*(sampled(seed) for seed in reversed(range(6))))
    assert [answer.text for answer in first] == [answer.text for answer in reversed(again)]
    assert len({answer.text for answer in first}) > 1


def test_a_prompt_beyond_the_context_is_too_long(model: Bench) -> None:
    (answer,) = model.ask(make_request("word " * 500, (still(RED),)))
    assert answer.status == "too_long"
    assert answer.text is None
    assert not answer.retryable


def test_a_corrupted_image_fails_alone(model: Bench) -> None:
    broken, fine = model.ask(make_request(media=(still(RED[:200]),)), make_request(media=(still(RED),)))
    assert (broken.status, broken.retryable) == ("error", False)
    assert "image" in (broken.error or "")
    assert fine.status == "ok"


def test_a_cancelled_call_leaves_the_others_alone(bench: Bench) -> None:
    async def cancel_one() -> list[Response]:
        doomed = asyncio.create_task(bench.engine.generate(make_request("Describe the image.", (still(RED),))))
        kept = [
            asyncio.create_task(bench.engine.generate(make_request(f"How many objects? {n}", (still(RED),))))
            for n in range(4)
        ]
        await asyncio.sleep(0)
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        return list(await asyncio.gather(*kept))

    if bench.info.engine in ("replay", "chance", "fake"):
        pytest.skip("answers at once: nothing to cancel")
    assert [answer.status for answer in bench.runner.run(cancel_one())] == ["ok"] * 4
    assert bench.ask(make_request(media=(still(RED),)))[0].status == "ok"


def test_images_travel_as_the_bytes_that_were_prepared(bench: Bench) -> None:
    if bench.endpoint is None:
        pytest.skip("only an endpoint shows what travels")
    (answer,) = bench.ask(make_request(media=(still(RED), still(GREEN)), sampling=Sampling(max_tokens=50)))
    digests = [hashlib.sha256(data).hexdigest()[:12] for data in (RED, GREEN)]
    assert answer.text is not None
    assert answer.text.index(digests[0]) < answer.text.index(digests[1]) < answer.text.index("What colour")


@pytest.mark.parametrize("word", ["chance", "fake", "openai:echo", "replay:x.jsonl", "hf:missing"])
def test_closing_twice_is_harmless_even_before_start(word: str, runner: asyncio.Runner, tmp_path: Path) -> None:
    engine = create_engine(parse_model(word))
    runner.run(engine.close())
    runner.run(engine.close())
