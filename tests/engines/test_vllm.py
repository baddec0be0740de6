"""The vllm engine: what needs no vLLM first, then the real one (CPU build) with the embedded checkpoints."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import EngineError
from mmeval.core.types import MediaPart, Message, Request, Response, Sampling, TextPart, TokenLogprobs
from mmeval.engines.base import SAMPLING_FIELDS, ModelSpec, slots_for
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.registry import create_engine, parse_model
from mmeval.engines.vllm import ServedVllm, VllmEngine
from mmeval.engines.worker import vllm_serve
from mmeval.engines.worker.decoding import resolve
from mmeval.engines.worker.failures import LoadError, remedy_for
from mmeval.pipeline.tokens import token_scores
from mmeval.verifiers.dependency import k3
from tests.engines.conftest import clip, make_request, picture, still
from tests.engines.endpoint import Endpoint
from tests.engines.questions import synthetic_requests
from tests.engines.serving import engine_python, free_port, serving, vllm_command

RED, GREEN = picture("red"), picture("green")

NON_DEFAULT = st.fixed_dictionaries(
    {
        "temperature": st.floats(0.1, 2.0),
        "top_p": st.floats(0.05, 0.99),
        "top_k": st.integers(1, 200),
        "min_p": st.floats(0.01, 0.9),
        "repetition_penalty": st.floats(1.01, 2.0),
        "max_tokens": st.integers(1, 4000),
        "stop": st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4).map(tuple),
        "seed": st.integers(1, 2**31 - 1),
    }
)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for vLLM's parameter classes that keeps what it is given."""
    package, module = types.ModuleType("vllm"), types.ModuleType("vllm.sampling_params")
    package.SamplingParams = lambda **given: given  # type: ignore[attr-defined]
    module.RequestOutputKind = types.SimpleNamespace(FINAL_ONLY="final only")  # type: ignore[attr-defined]
    module.StructuredOutputsParams = lambda **given: given  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", module)


class TestSampling:
    @pytest.mark.usefixtures("recorded")
    def test_every_field_reaches_the_call(self) -> None:
        @given(NON_DEFAULT)
        def check(fields: dict[str, Any]) -> None:
            assert fields.keys() == SAMPLING_FIELDS
            call = vllm_serve.sampling_params(resolve(fields, {}))
            assert {name: call[name] for name in fields} == {**fields, "stop": list(fields["stop"])}
            assert call["n"] == 1

        check()

    @pytest.mark.usefixtures("recorded")
    def test_what_a_request_leaves_open_comes_from_the_checkpoint(self) -> None:
        left = dict.fromkeys(SAMPLING_FIELDS) | {"max_tokens": 5}
        call = vllm_serve.sampling_params(resolve(left, {"temperature": 0.7, "top_p": 0.8, "top_k": 20}))
        assert (call["temperature"], call["top_p"], call["top_k"], call["min_p"]) == (0.7, 0.8, 20, 0.0)

    @pytest.mark.usefixtures("recorded")
    def test_a_schema_becomes_structured_output(self) -> None:
        schema = {"type": "object"}
        call = vllm_serve.sampling_params(resolve({"max_tokens": 5}, {}), schema)
        assert call["structured_outputs"] == {"json": schema}


class TestSpecification:
    def test_a_base_url_joins_a_server(self) -> None:
        engine = create_engine(parse_model("vllm:name", base_urls=("http://127.0.0.1:1/v1",)))
        assert isinstance(engine, OpenAIEngine)

    def test_another_engine_behind_the_address_is_named(self, runner: asyncio.Runner) -> None:
        entry = {"id": "name", "object": "model", "owned_by": "lmdeploy", "created": 1}
        endpoint = runner.run(Endpoint(models={"data": [entry]}).open())
        engine = create_engine(parse_model("vllm:name", base_urls=(endpoint.url,)))
        with pytest.raises(EngineError, match="served by lmdeploy") as caught:
            runner.run(engine.describe())
        assert "-m lmdeploy:name" in caught.value.remedy
        runner.run(engine.close())
        runner.run(endpoint.close())

    def test_without_vllm_the_remedy_names_both_ways(self, checkpoint: Path, runner: asyncio.Runner) -> None:
        with pytest.raises(EngineError, match="vllm") as caught:
            runner.run(create_engine(parse_model(f"vllm:{checkpoint}")).start())
        assert "--engine-python" in caught.value.remedy
        assert "mmeval-harness[vllm]" in caught.value.remedy

    def test_an_interpreter_without_vllm(self, checkpoint: Path, runner: asyncio.Runner) -> None:
        with pytest.raises(EngineError, match="has no vllm"):
            runner.run(create_engine(parse_model(f"vllm:{checkpoint}", engine_python=sys.executable)).start())

    def test_an_adapter_must_be_one(self, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match=r"adapter_config\.json"):
            create_engine(parse_model("vllm:org/name", engine_args={"adapter": str(tmp_path)}))

    def test_memory_settings_do_not_change_the_identity(self) -> None:
        def arguments(**given: Any) -> dict[str, Any]:
            return VllmEngine(ModelSpec("vllm", "org/name", engine_args=given))._identity_arguments()

        assert arguments(gpu_memory_utilization=0.5) == arguments()
        assert arguments(dtype="float16") != arguments()
        assert arguments(max_pixels=1000) != arguments()

    def test_parallelism_under_its_own_names(self) -> None:
        engine = VllmEngine(ModelSpec("vllm", "org/name", tensor_parallel=2, data_parallel=4))
        assert engine._arguments == {"tensor_parallel_size": 2, "data_parallel_size": 4}
        assert not engine._arguments.keys() & engine._identity_arguments().keys()

    def test_slots_keep_some_sequences_waiting(self) -> None:
        assert VllmEngine(ModelSpec("vllm", "org/name", engine_args={"max_num_seqs": 7}))._slots() == 7 + 8


@pytest.mark.parametrize(
    ("wording", "hint"),
    [
        ("Free memory on device (3.1/79.1 GiB) on startup is less than desired GPU memory utilization", "max_num_seqs"),
        ("No available memory for the cache blocks. Try increasing `gpu_memory_utilization`", "max_model_len"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "max_num_seqs"),
        ("World size (2) is larger than the number of available GPUs (1)", "--tensor-parallel"),
        ("Total number of attention heads (6) must be divisible by tensor parallel size (4)", "--tensor-parallel"),
        ("Failed to infer device type, please set the environment variable", "nvidia-smi"),
        ("Please pass the argument `trust_remote_code=True` to allow custom code", "--trust-remote-code"),
        ("Can't load image processor for 'x'", "preprocessor_config.json"),
        ("Model architectures ['XForCausalLM'] are not supported for now", "update"),
    ],
)
def test_failures_to_start_get_a_remedy(wording: str, hint: str) -> None:
    assert hint in remedy_for(wording)


class FakeCore:
    """An AsyncLLM that ends every request for a given reason."""

    errored = False

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def generate(self, *arguments: Any, **named: Any) -> Any:
        outputs = [types.SimpleNamespace(text="half an ans", token_ids=[1], finish_reason=self._reason)]
        yield types.SimpleNamespace(outputs=outputs, prompt_token_ids=[1, 2])


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("reason", ["error", "abort", None])
def test_a_request_that_the_engine_gave_up_is_no_answer(reason: str) -> None:
    worker = object.__new__(vllm_serve.VllmWorker)
    worker._engine, worker._defaults, worker._adapter = FakeCore(reason), {}, None

    async def prompt(*arguments: Any) -> dict[str, Any]:
        return {}

    worker._prompt = prompt  # type: ignore[method-assign]
    reply = asyncio.run(worker._generate({"key": 1, "messages": [], "sampling": {"max_tokens": 5}}, []))
    assert reply["status"] == "error"
    assert "text" not in reply


@pytest.mark.usefixtures("recorded")
def test_an_old_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["vllm"], "__version__", "0.11.2", raising=False)
    with pytest.raises(LoadError, match="too old"):
        vllm_serve._package()


class TestJoinedServerScores:
    """Log-probabilities from a server's prompt log-probabilities; a double says what it does."""

    def scores(self, runner: asyncio.Runner, tokens: web.Response, chat: web.Response) -> TokenLogprobs:
        async def ask() -> TokenLogprobs:
            app = web.Application()

            async def answer(request: web.Request) -> web.Response:
                assert request.headers["Authorization"] == "Bearer sk-1234567890"
                return tokens if request.path == "/tokenize" else chat

            app.router.add_post("/{path:.*}", answer)
            site = web.AppRunner(app, access_log=None)
            await site.setup()
            await web.TCPSite(site, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{site.addresses[0][1]}/v1"
            engine = create_engine(parse_model("vllm:m", base_urls=(url,), api_key="sk-1234567890", timeout_s=5.0))
            assert isinstance(engine, ServedVllm)
            try:
                return await engine.logprobs(make_request("Which colour?"), "red")
            finally:
                await engine.close()
                await site.cleanup()

        return runner.run(ask())

    def test_the_last_tokens_are_the_continuation(self, runner: asyncio.Runner) -> None:
        rows = [None, {"9": {"logprob": -9}}, {"4": {"logprob": -0.5, "decoded_token": "re"}}, {"7": {"logprob": -1.5}}]
        found = self.scores(runner, web.json_response({"tokens": [4, 7]}), web.json_response({"prompt_logprobs": rows}))
        assert found == TokenLogprobs("ok", (4, 7), (-0.5, -1.5), texts=("re", ""))

    @pytest.mark.parametrize(
        ("chat", "status", "message"),
        [
            ((b"{", 200), "error", "JSONDecodeError"),
            ((b"[]", 200), "error", "no JSON object"),
            ((b'{"error": {"message": "maximum context length is 9 tokens"}}', 400), "too_long", "maximum context"),
            ((b'{"error": {"message": "not with sk-1234567890"}}', 400), "error", "not with \\*\\*\\*"),
            ((b"{}", 401), "error", "the key was refused"),
        ],
    )
    def test_failures_have_their_reason(
        self, chat: tuple[bytes, int], status: str, message: str, runner: asyncio.Runner
    ) -> None:
        answer = web.Response(body=chat[0], status=chat[1], content_type="application/json")
        found = self.scores(runner, web.json_response({"tokens": [4]}), answer)
        assert found.status == status
        assert re.search(message, found.error or "")


class Managed:
    """A started engine and a loop to ask it in."""

    def __init__(self, runner: asyncio.Runner, word: str, **options: Any) -> None:
        self.runner = runner
        self.engine: Any = create_engine(parse_model(word, **options))
        self.info = runner.run(self.engine.start())

    def ask(self, *requests: Request) -> list[Response]:
        async def together() -> list[Response]:
            return list(await asyncio.gather(*(self.engine.generate(request) for request in requests)))

        return self.runner.run(together())

    def close(self) -> None:
        self.runner.run(self.engine.close())


@pytest.fixture(scope="module")
def vllm(runner: asyncio.Runner, checkpoint: Path) -> Iterator[Managed]:
    options = {"engine_python": engine_python("vllm"), "engine_args": {"max_model_len": 512, "dtype": "float32"}}
    managed = Managed(runner, f"vllm:{checkpoint}", **options)
    yield managed
    managed.close()


@pytest.fixture(scope="module")
def hf(runner: asyncio.Runner, checkpoint: Path) -> Iterator[Managed]:
    managed = Managed(runner, f"hf:{checkpoint}")
    yield managed
    managed.close()


@pytest.fixture(scope="module")
def served(runner: asyncio.Runner, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    port = free_port()
    command = vllm_command(engine_python("vllm"), checkpoint, port, "--max-model-len", "512")
    with serving(command, port, tmp_path_factory.mktemp("served") / "log.txt") as url:
        managed = Managed(runner, "vllm:tiny", base_urls=(url,))
        yield managed
        managed.close()


@pytest.mark.engine
class TestRealEngine:
    def test_facts_name_engine_version_and_arguments(self, vllm: Managed) -> None:
        details = vllm.info.details
        assert vllm.info.engine == "vllm"
        assert vllm.info.version.startswith(str(details["vllm"]).split("+")[0])
        assert details["architecture"] == "Qwen3VLForConditionalGeneration"
        assert details["engine_arguments"]["max_model_len"] == 512
        assert vllm.info.cache_tokens == details["cache_tokens"] > 512
        assert vllm.info.slots == slots_for(details["max_num_seqs"])
        json.dumps(details)

    def test_greedy_answers_equal_those_of_hf(self, vllm: Managed, hf: Managed) -> None:
        requests = synthetic_requests(500)
        here, there = hf.ask(*requests), vllm.ask(*requests)
        assert {answer.status for answer in (*here, *there)} == {"ok"}
        assert [a.prompt_tokens for a in here] == [a.prompt_tokens for a in there]
        assert [a.completion_tokens for a in here] == [a.completion_tokens for a in there]
        same = sum(a.text == b.text for a, b in zip(here, there, strict=True))
        assert same >= 0.99 * len(requests)

    @pytest.mark.parametrize("shown", ["the picture", "a masked picture", "no picture"])
    def test_teacher_forced_scores_agree_with_hf(self, vllm: Managed, hf: Managed, shown: str) -> None:
        requests = synthetic_requests(12, shown)
        for request in requests:
            for continuation in ("red square", "Yes, 12.", "[120, 40, 300, 500]"):
                a = hf.runner.run(hf.engine.logprobs(request, continuation))
                b = vllm.runner.run(vllm.engine.logprobs(request, continuation))
                assert (a.status, b.status) == ("ok", "ok"), (a.error, b.error)
                assert a.tokens == b.tokens
                assert len(a.tokens) == len(a.logprobs)
                assert b.logprobs == pytest.approx(a.logprobs, abs=5e-3)

    def test_token_dependency_agrees_with_hf_and_is_the_pictures(self, vllm: Managed, hf: Managed) -> None:
        shown, masked, none = (
            synthetic_requests(12, kind) for kind in ("the picture", "a masked picture", "no picture")
        )
        for own, changed, without in zip(shown, masked, none, strict=True):
            for other in (own, changed, without):
                here, there = (
                    orjson.loads(side.runner.run(token_scores(side.engine, own, other, "red square")).text)
                    for side in (hf, vllm)
                )
                assert here["tokens"] == there["tokens"]
                for first, second in zip(_each(here), _each(there), strict=True):
                    assert second == pytest.approx(first, abs=0.02 + 0.02 * first)
                assert (max(_each(there)) < 1e-4) if other is own else True

    def test_scores_depend_on_the_picture(self, vllm: Managed) -> None:
        red, green = (
            vllm.runner.run(vllm.engine.logprobs(make_request(media=(still(data),)), "red")).logprobs[0]
            for data in (RED, GREEN)
        )
        assert red > green

    def test_a_continuation_that_cannot_be_scored(self, vllm: Managed) -> None:
        request = make_request(media=(still(RED),))
        empty = vllm.runner.run(vllm.engine.logprobs(request, ""))
        long = vllm.runner.run(vllm.engine.logprobs(request, "word " * 700))
        assert (empty.status, long.status) == ("error", "too_long")

    def test_a_schema_is_followed(self, vllm: Managed) -> None:
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        parts = (MediaPart(0), TextPart("What colour is the square?"))
        messages = (Message("user", parts),)
        request = Request("s", messages, (still(RED),), Sampling(max_tokens=40), schema=schema)
        (answer,) = vllm.ask(request)
        assert answer.text is not None
        assert json.loads(answer.text)["answer"] in ("red", "blue")

    def test_markers_in_the_users_text_are_no_images(self, vllm: Managed) -> None:
        typed, plain = vllm.ask(
            make_request("Which <|image_pad|> colour?", (still(RED),)), make_request("Which colour?", (still(RED),))
        )
        assert (typed.status, plain.status) == ("ok", "ok")
        assert (typed.prompt_tokens or 0) - (plain.prompt_tokens or 0) < 20

    def test_impossible_sampling_fails_that_request_only(self, vllm: Managed) -> None:
        bad, good = vllm.ask(
            make_request(media=(still(RED),), sampling=Sampling(temperature=-1.0)), make_request(media=(still(RED),))
        )
        assert (bad.status, good.status) == ("error", "ok")
        assert "temperature" in (bad.error or "")

    @pytest.mark.parametrize("victim", ["engine core", "worker"])
    def test_a_killed_process_costs_no_answer(self, vllm: Managed, victim: str) -> None:
        sampling = Sampling(temperature=2.0, seed=7, max_tokens=60)
        requests = [make_request(f"Describe the image. {n}", (still(RED),), sampling) for n in range(16)]
        before = vllm.engine.worker.total_restarts
        expected = [answer.text for answer in vllm.ask(*requests)]

        async def kill_in_the_middle() -> list[Response]:
            leader = vllm.engine.worker.pid
            core = engine_core_of(leader)
            os.kill(core, signal.SIGSTOP)  # so that all requests are in flight when the process dies
            tasks = [asyncio.create_task(vllm.engine.generate(request)) for request in requests]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in tasks)
            os.kill(leader if victim == "worker" else core, signal.SIGKILL)
            return list(await asyncio.gather(*tasks))

        answers = vllm.runner.run(kill_in_the_middle())
        assert [answer.status for answer in answers] == ["ok"] * len(requests)
        assert [answer.text for answer in answers] == expected
        assert vllm.engine.worker.total_restarts == before + 1

    def test_closing_leaves_no_process(self, runner: asyncio.Runner, checkpoint: Path) -> None:
        managed = Managed(
            runner,
            f"vllm:{checkpoint.parent / 'tiny-qwen2'}",
            engine_python=engine_python("vllm"),
            engine_args={"dtype": "float32", "max_model_len": 300, "max_pixels": 2500},
        )
        leader = managed.engine.worker.pid
        (small,) = managed.ask(make_request(media=(still(picture("red", (288, 288))), clip(RED, GREEN))))
        assert small.status == "ok"
        # 2,500 pixels are at most 9 visual tokens an image; the checkpoint's own limit gives 36.
        assert (small.prompt_tokens or 0) < 60
        managed.close()
        assert group_of(leader) == []


@pytest.mark.engine
class TestServed:
    def test_names_the_server(self, served: Managed) -> None:
        assert served.info.version.startswith("vllm 0.")
        assert served.info.profile["name"] == "tiny"

    def test_greedy_answers_equal_those_of_hf(self, served: Managed, hf: Managed) -> None:
        requests = synthetic_requests(100)
        here, there = hf.ask(*requests), served.ask(*requests)
        assert sum(a.text == b.text for a, b in zip(here, there, strict=True)) >= 99

    def test_teacher_forced_scores_agree_with_hf(self, served: Managed, hf: Managed) -> None:
        for request in synthetic_requests(4):
            a = hf.runner.run(hf.engine.logprobs(request, "red square"))
            b = served.runner.run(served.engine.logprobs(request, "red square"))
            assert (b.status, b.tokens) == ("ok", a.tokens), b.error
            assert b.logprobs == pytest.approx(a.logprobs, abs=5e-3)

    def test_tells_its_load(self, served: Managed) -> None:
        assert served.ask(make_request(media=(still(RED),)))[0].status == "ok"
        load = served.runner.run(served.engine.load())
        assert load is not None
        assert (load.running, load.waiting, load.preemptions) == (0, 0, 0)
        assert load.cache_usage == pytest.approx(0.0, abs=0.1)
        assert load.cache_tokens is not None
        assert load.cache_tokens > 512

    def test_scores_that_cannot_be_had(self, served: Managed) -> None:
        request = make_request(media=(still(RED),))
        assert served.runner.run(served.engine.logprobs(request, "word " * 700)).status == "too_long"


@pytest.mark.engine
@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"max_modle_len": 300}, "no engine argument 'max_modle_len'", "max_model_len"),
        ({"model": "x"}, "set by mmeval itself", "-m vllm:"),
        ({"max_model_len": 10**7}, "does not start", ""),
        ({"tensor_parallel_size": 4}, "does not start", "--tensor-parallel"),
    ],
)
def test_wrong_engine_arguments(
    arguments: dict[str, Any], message: str, hint: str, checkpoint: Path, runner: asyncio.Runner
) -> None:
    word = f"vllm:{checkpoint}"
    engine = create_engine(parse_model(word, engine_python=engine_python("vllm"), engine_args=arguments))
    with pytest.raises(EngineError) as caught:
        runner.run(engine.start())
    assert message in caught.value.message
    assert hint in caught.value.remedy
    runner.run(engine.close())


@pytest.mark.engine
@pytest.mark.parametrize(
    ("missing", "hint"),
    [("preprocessor_config.json", "preprocessor_config.json"), ("chat_template.jinja", "chat_template")],
)
def test_an_incomplete_checkpoint(
    missing: str, hint: str, checkpoint: Path, runner: asyncio.Runner, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    for name in (missing, "processor_config.json"):
        (folder / name).unlink(missing_ok=True)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    if missing == "chat_template.jinja":
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    engine = create_engine(parse_model(f"vllm:{folder}", engine_python=engine_python("vllm")))
    with pytest.raises(EngineError) as caught:
        runner.run(engine.start())
    assert hint in caught.value.remedy
    runner.run(engine.close())


@pytest.mark.engine
def test_a_lora_adapter_changes_answers_and_identity(
    vllm: Managed, checkpoint: Path, runner: asyncio.Runner, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter", checkpoint)
    options = {"engine_python": engine_python("vllm"), "engine_args": {"dtype": "float32", "max_model_len": 512}}
    options["engine_args"]["adapter"] = str(adapter)
    managed = Managed(runner, f"vllm:{checkpoint}", **options)
    request = make_request(media=(still(RED),))
    with_adapter = managed.runner.run(managed.engine.logprobs(request, "red square"))
    without = vllm.runner.run(vllm.engine.logprobs(request, "red square"))
    managed.close()
    assert (with_adapter.status, without.status) == ("ok", "ok"), with_adapter.error
    assert max(abs(a - b) for a, b in zip(with_adapter.logprobs, without.logprobs, strict=True)) > 0.01
    assert managed.info.identity["adapter"] != {}
    assert managed.info.identity["checkpoint"] == vllm.info.identity["checkpoint"]


def write_adapter(folder: Path, checkpoint: Path) -> Path:
    """A PEFT LoRA adapter with random weights for the language model's query projections."""
    import torch
    from safetensors.torch import save_file

    config = json.loads((checkpoint / "config.json").read_text())
    text = config["text_config"]
    width, heads, size = text["hidden_size"], text["num_attention_heads"], text["head_dim"]
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for layer in range(text["num_hidden_layers"]):
        name = f"base_model.model.model.language_model.layers.{layer}.self_attn.q_proj"
        weights[f"{name}.lora_A.weight"] = torch.randn(8, width, generator=generator) * 0.3
        weights[f"{name}.lora_B.weight"] = torch.randn(heads * size, 8, generator=generator) * 0.3
    folder.mkdir()
    save_file(weights, folder / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none", "task_type": "CAUSAL_LM",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def group_of(leader: int) -> list[int]:
    """Living processes of a process group."""
    listed = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return [int(pid) for pid, group, state in rows if int(group) == leader and not state.startswith("Z")]


def engine_core_of(leader: int) -> int:
    """The process in which vLLM's scheduler and model run."""
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in group_of(leader)}
    return next(pid for pid, name in names.items() if name.startswith("VLLM::Engine"))


def _each(scores: dict[str, Any]) -> list[float]:
    return [k3(first, second) for first, second in zip(scores["with"], scores["without"], strict=True)]
