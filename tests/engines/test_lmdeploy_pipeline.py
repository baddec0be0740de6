"""The lmdeploy backend on the real LMDeploy of another environment; only its engine object is replaced, see the double."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from mmeval.core.errors import EngineError
from mmeval.core.types import Request, Response, Sampling
from mmeval.engines.base import ScoresTokens
from mmeval.engines.checkpoint_engine import WORKER, CheckpointEngine
from mmeval.engines.lmdeploy import LmdeployEngine
from mmeval.engines.registry import create_engine, parse_model
from mmeval.engines.worker_main import PRELOAD_VARIABLE
from tests.engines.conftest import clip, make_request, picture, still
from tests.engines.questions import synthetic_requests
from tests.engines.serving import engine_python, free_port, serving
from tests.engines.test_lmdeploy import SAMPLINGS

pytestmark = pytest.mark.engine

DOUBLE = Path(__file__).with_name("lmdeploy_double.py")
DEADLY = "take the engine down"
"""See the double."""
CONTEXT = 400
RED, GREEN, BLUE = (picture(color, (288, 288)) for color in ("red", "green", "blue"))
CHECK = """
import importlib.util, json, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("worker_main", sys.argv[1])
entry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(entry)
entry.load_package(Path(sys.argv[1]).parent / "worker")
serve = importlib.import_module(entry.PACKAGE + ".lmdeploy_serve")
decoding = importlib.import_module(entry.PACKAGE + ".decoding")
configs = [serve.generation_config(decoding.resolve(fields, {})) for fields in json.load(sys.stdin)]
print(json.dumps([vars(config) for config in configs]))
"""


@pytest.fixture(scope="module")
def python() -> str:
    return engine_python("lmdeploy")


@pytest.fixture(scope="module", autouse=True)
def _double() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PRELOAD_VARIABLE, str(DOUBLE))
        yield


def lmdeploy(python: str, folder: Path, **arguments: Any) -> LmdeployEngine:
    made = create_engine(parse_model(f"lmdeploy:{folder}", engine_python=python, engine_args=arguments))
    assert isinstance(made, LmdeployEngine)
    return made


@pytest.fixture(scope="module")
def engine(python: str, checkpoint: Path, runner: asyncio.Runner) -> Iterator[LmdeployEngine]:
    made = lmdeploy(python, checkpoint, session_len=CONTEXT)
    runner.run(made.start())
    yield made
    runner.run(made.close())


@pytest.fixture(scope="module")
def reference(checkpoint: Path, runner: asyncio.Runner) -> Iterator[CheckpointEngine]:
    """The same checkpoint on hf."""
    arguments = {"dtype": "float32", "device": "cpu", "max_model_len": CONTEXT}
    made = create_engine(parse_model(f"hf:{checkpoint}", engine_args=arguments))
    assert isinstance(made, CheckpointEngine)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(PRELOAD_VARIABLE)
        runner.run(made.start())
    yield made
    runner.run(made.close())


async def ask(engine: CheckpointEngine, *requests: Request) -> list[Response]:
    return list(await asyncio.gather(*(engine.generate(request) for request in requests)))


def pid_of(engine: CheckpointEngine) -> int:
    assert engine.worker is not None
    assert engine.worker.pid is not None
    return engine.worker.pid


class TestLikeHf:
    def test_greedy_answers(self, engine: LmdeployEngine, reference: CheckpointEngine, runner: asyncio.Runner) -> None:
        asked = synthetic_requests(100)
        found, wanted = runner.run(ask(engine, *asked)), runner.run(ask(reference, *asked))
        assert {answer.status for answer in found} == {"ok"}
        same = sum(one.text == other.text for one, other in zip(found, wanted, strict=True))
        assert same >= 98
        assert [a.prompt_tokens for a in found] == [a.prompt_tokens for a in wanted]

    def test_prompts_of_every_form(
        self, engine: LmdeployEngine, reference: CheckpointEngine, runner: asyncio.Runner
    ) -> None:
        describe, greedy = "Describe the image.", Sampling(max_tokens=20)
        asked = [
            make_request(describe, (still(RED), still(GREEN)), greedy),
            make_request(describe, (still(GREEN), still(RED)), greedy),
            make_request(describe, (clip(RED, GREEN, BLUE),), greedy),
            make_request(describe, (still(RED),), greedy, system="Be brief."),
            make_request("How many objects are there?", (), greedy),
            make_request(describe, (still(BLUE),), Sampling(max_tokens=20, repetition_penalty=50.0)),
            make_request(describe, (still(BLUE),), Sampling(max_tokens=3)),
        ]
        found, wanted = runner.run(ask(engine, *asked)), runner.run(ask(reference, *asked))
        assert [(a.text, a.finish_reason, a.prompt_tokens) for a in found] == [
            (a.text, a.finish_reason, a.prompt_tokens) for a in wanted
        ]
        assert found[0].text != found[1].text
        assert found[-1].finish_reason == "length"

    def test_stop_strings(self, engine: LmdeployEngine, reference: CheckpointEngine, runner: asyncio.Runner) -> None:
        # A string inside a token, one over several tokens, one that never comes.
        for stop in ("qua", "red squ", "elephant"):
            request = make_request("Describe the image.", (still(RED),), Sampling(max_tokens=20, stop=(stop,)))
            (found,), (wanted,) = runner.run(ask(engine, request)), runner.run(ask(reference, request))
            assert (found.text, found.finish_reason) == (wanted.text, wanted.finish_reason)
            assert stop not in (found.text or "")

    def test_scores(self, engine: LmdeployEngine, reference: CheckpointEngine, runner: asyncio.Runner) -> None:
        assert isinstance(engine, ScoresTokens)
        for request in (make_request(media=(still(RED),)), make_request(media=(still(BLUE), still(RED)))):
            found = runner.run(engine.logprobs(request, " red square"))
            wanted = runner.run(reference.logprobs(request, " red square"))
            assert found.tokens == wanted.tokens
            # LMDeploy hands the pixels over in bfloat16.
            assert found.logprobs == pytest.approx(wanted.logprobs, abs=0.1)


class TestSampling:
    def test_every_field_reaches_lmdeploys_own_class(self, python: str) -> None:
        drawn = _examples(40)
        asked = [{name: getattr(sampling, name) for name in sampling.__dataclass_fields__} for sampling in drawn]
        output = subprocess.run(
            [python, "-c", CHECK, str(WORKER)], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
        configs = json.loads(output.stdout.splitlines()[-1])
        for sampling, config in zip(drawn, configs, strict=True):
            for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty"):
                assert config[name] == getattr(sampling, name)
            assert (config["max_new_tokens"], config["random_seed"]) == (sampling.max_tokens, sampling.seed)
            assert config["do_sample"] is True

    def test_seeds(self, engine: LmdeployEngine, runner: asyncio.Runner) -> None:
        def draw(seed: int) -> Request:
            return make_request("Describe the image.", (still(RED),), Sampling(temperature=2.0, seed=seed))

        first, again, *others = runner.run(ask(engine, *(draw(seed) for seed in (1, 1, 2, 3, 4))))
        assert first.text == again.text
        assert len({first.text, *(answer.text for answer in others)}) > 2


def _examples(number: int) -> list[Sampling]:
    found: list[Sampling] = []

    @settings(max_examples=number, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(SAMPLINGS)
    def collect(sampling: Sampling) -> None:
        found.append(sampling)

    collect()
    return found


class TestFailures:
    def test_of_requests(self, engine: LmdeployEngine, runner: asyncio.Runner) -> None:
        jpeg = picture(size=(400, 400), form="JPEG")
        answers = runner.run(
            ask(
                engine,
                make_request("word " * 500, (still(RED),)),
                make_request(media=(still(jpeg[: len(jpeg) // 2]),)),
                make_request(media=(still(b"no picture at all"),)),
                make_request("What is <|image_pad|>?", (still(RED),)),
                make_request(media=(still(RED),)),
            )
        )
        assert [answer.status for answer in answers] == ["too_long", "error", "error", "error", "ok"]
        assert f"({CONTEXT})" in (answers[0].error or "")
        assert all("image 1 of 1 cannot be decoded" in (answer.error or "") for answer in answers[1:3])

    def test_max_tokens_beyond_the_context(self, engine: LmdeployEngine, runner: asyncio.Runner) -> None:
        request = make_request("word " * 330, (still(RED),), Sampling(max_tokens=5000, temperature=2.0, seed=1))
        (answer,) = runner.run(ask(engine, request))
        assert answer.status == "ok"
        assert (answer.prompt_tokens or 0) + (answer.completion_tokens or 0) <= CONTEXT

    def test_a_cancelled_request_frees_its_place(self, engine: LmdeployEngine, runner: asyncio.Runner) -> None:
        async def go() -> Response:
            long = Sampling(max_tokens=300, temperature=2.0, seed=5)
            tasks = [
                asyncio.create_task(engine.generate(make_request("Describe the image.", (still(RED),), long)))
                for _ in range(24)
            ]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return await engine.generate(make_request(media=(still(RED),)))

        before = pid_of(engine)
        assert runner.run(go()).status == "ok"
        assert pid_of(engine) == before

    def test_a_killed_worker_loses_nothing(self, engine: LmdeployEngine, runner: asyncio.Runner) -> None:
        asked = synthetic_requests(40)

        async def go() -> list[Response]:
            tasks = [asyncio.create_task(engine.generate(request)) for request in asked]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) < len(asked)
            os.kill(pid_of(engine), signal.SIGKILL)
            return list(await asyncio.gather(*tasks))

        expected = runner.run(ask(engine, *asked))
        before = pid_of(engine)
        answers = runner.run(go())
        assert [answer.text for answer in answers] == [answer.text for answer in expected]
        assert pid_of(engine) != before

    def test_a_request_that_kills_the_engine_is_isolated(self, engine: LmdeployEngine, runner: asyncio.Runner) -> None:
        asked = synthetic_requests(10)
        answers = runner.run(ask(engine, *asked[:5], make_request(DEADLY), *asked[5:]))
        assert [answer.status for answer in answers] == ["ok"] * 5 + ["error"] + ["ok"] * 5
        assert "crashed" in (answers[5].error or "")

    @pytest.mark.parametrize(
        ("arguments", "message", "remedy"),
        [
            ({"sesion_len": 9}, "no argument 'sesion_len'", "session_len"),
            ({"dtype": "float32"}, "no dtype 'float32'", "bfloat16"),
            ({"block_size": 7}, "refuses the engine arguments", "description"),
        ],
    )
    def test_of_the_start(
        self,
        python: str,
        checkpoint: Path,
        runner: asyncio.Runner,
        arguments: dict[str, Any],
        message: str,
        remedy: str,
    ) -> None:
        with pytest.raises(EngineError, match=message) as caught:
            runner.run(lmdeploy(python, checkpoint, **arguments).start())
        assert remedy in caught.value.remedy

    def test_a_machine_without_a_gpu(
        self, python: str, checkpoint: Path, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(PRELOAD_VARIABLE)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        with pytest.raises(EngineError, match="LMDeploy does not start") as caught:
            runner.run(lmdeploy(python, checkpoint).start())
        assert "-m hf:" in caught.value.remedy


@pytest.mark.parametrize("name", ["tiny", "tiny-qwen2"])
def test_pixel_limits_have_an_effect_in_both_of_lmdeploys_ways_to_process_images(
    name: str, python: str, checkpoint: Path, runner: asyncio.Runner
) -> None:
    folder = checkpoint.with_name(name)
    if not folder.is_dir():
        pytest.skip(f"no checkpoint {folder}")
    made = lmdeploy(python, folder, max_pixels=2500)
    info = runner.run(made.start())
    answer, bare = runner.run(ask(made, make_request(media=(still(RED),)), make_request()))
    runner.run(made.close())
    assert info.details["image_limits"]["max_pixels"] == 2500
    assert info.details["backend"] == "pytorch"
    # 9 places instead of 36, between two marks.
    assert (answer.prompt_tokens or 0) - (bare.prompt_tokens or 0) == 9 + 2


def test_joining_a_server(
    python: str, checkpoint: Path, reference: CheckpointEngine, runner: asyncio.Runner, tmp_path: Path
) -> None:
    port = free_port()
    command = [python, str(DOUBLE), "serve", "api_server", str(checkpoint), "--backend", "pytorch"]
    command += [
        "--server-name",
        "127.0.0.1",
        "--server-port",
        str(port),
        "--model-name",
        "tiny",
        "--max-batch-size",
        "16",
    ]
    stopping = make_request("Describe the image.", (still(RED),), Sampling(max_tokens=20, stop=("red squ",)))
    asked = [*synthetic_requests(10), stopping, make_request("word " * 9000, (still(RED),))]

    async def go(url: str) -> list[Response]:
        joined = create_engine(parse_model("lmdeploy:tiny", base_urls=(url,)))
        await joined.start()
        answers = list(await asyncio.gather(*(joined.generate(request) for request in asked)))
        await joined.close()
        return answers

    with serving([*command, "--session-len", str(CONTEXT)], port, tmp_path / "log.txt") as url:
        *answers, long = runner.run(go(url))
    wanted = runner.run(ask(reference, *asked[:-1]))
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    assert long.status == "too_long"
