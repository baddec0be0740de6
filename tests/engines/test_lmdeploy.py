"""The lmdeploy backend without LMDeploy: arguments, messages, decoding, failures; on a stand-in of the package."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFile

from mmeval.core.errors import EngineError
from mmeval.core.types import Request, Response, Sampling
from mmeval.engines import worker_main
from mmeval.engines.base import SAMPLING_FIELDS
from mmeval.engines.batching_engine import SLOTS_CPU
from mmeval.engines.lmdeploy import LmdeployEngine, ServedLmdeploy
from mmeval.engines.registry import advertised, create_engine, parse_model
from mmeval.engines.worker import lmdeploy_serve
from mmeval.engines.worker.failures import LoadError, RequestError
from mmeval.engines.worker.lmdeploy_serve import LmdeployWorker, build, conversation, failure, stop_place
from tests.engines.conftest import clip, make_request, picture, still
from tests.engines.endpoint import Endpoint
from tests.engines.lmdeploy_fake import Behaviour, Code, Failed, FakeLmdeploy, OtherModel, _Engine

LIMIT_S = 20.0


class Parent:
    """The parent's end of a worker in this process: asks as `LmdeployEngine` does, one answer at a time."""

    def __init__(self, folder: Path, arguments: dict[str, Any]) -> None:
        engine = create_engine(parse_model(f"lmdeploy:{folder}", engine_args=arguments))
        assert isinstance(engine, LmdeployEngine)
        self._engine = engine
        self._heard: dict[int, dict[str, Any]] = {}
        self._news = threading.Condition()
        self._key = 0
        made = build(self, {"folder": str(folder), **engine._worker_settings()})  # type: ignore[arg-type]
        assert isinstance(made, LmdeployWorker)
        self.worker = made

    def send(self, header: dict[str, Any]) -> None:
        """See `wire.Channel.send`."""
        with self._news:
            self._heard[header["key"]] = header
            self._news.notify_all()

    def ask(self, request: Request, **further: Any) -> dict[str, Any]:
        self._key += 1
        key = self._key
        header, blobs = self._engine._message(request)
        self.worker.accept({"type": "ask", "key": key, **header, **further}, blobs)
        with self._news:
            assert self._news.wait_for(lambda: key in self._heard, LIMIT_S), "no answer"
            return self._heard.pop(key)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def package(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> FakeLmdeploy:
    made = FakeLmdeploy(behaviour)
    monkeypatch.setitem(sys.modules, "lmdeploy", made)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "lmdeploy.archs", made.archs)  # type: ignore[arg-type]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    return made


@pytest.fixture
def start(package: FakeLmdeploy, tmp_path: Path) -> Iterator[Callable[..., Parent]]:
    """Start a worker with engine arguments."""
    started: list[Parent] = []

    def make(**arguments: Any) -> Parent:
        started.append(Parent(tmp_path, arguments))
        return started[-1]

    yield make
    for parent in started:
        parent.worker.close()


class TestEngine:
    def test_registry(self) -> None:
        assert "lmdeploy" in advertised()
        assert isinstance(create_engine(parse_model("lmdeploy:org/name")), LmdeployEngine)
        joined = create_engine(parse_model("lmdeploy:name", base_urls=("http://127.0.0.1:1/v1",)))
        assert isinstance(joined, ServedLmdeploy)

    @pytest.mark.parametrize("backend", ["lmdeploy", "openai"])
    def test_stop_strings_of_a_server_are_cut_off_here(self, backend: str) -> None:
        """LMDeploy's server ignores a stop string of several tokens, and drops whole tokens for shorter ones."""

        async def go() -> None:
            endpoint = await Endpoint(models={"data": [{"id": "echo", "owned_by": "lmdeploy"}]}).open()
            joined = create_engine(parse_model(f"{backend}:echo", base_urls=(endpoint.url,)))
            await joined.start()

            async def ask(*stop: str) -> Response:
                return await joined.generate(make_request("a red square", sampling=Sampling(max_tokens=40, stop=stop)))

            whole = (await ask()).text or ""
            assert "a red square" in whole
            for stops in (("are", "d squ"), ("d squ",)):
                cut = await ask(*stops)
                assert (cut.text, cut.finish_reason) == (whole[: whole.index("d squ")], "stop")
            assert (await ask("no such text")).text == whole
            assert not any("stop" in body for body in endpoint.bodies)
            await joined.close()
            await endpoint.close()

        asyncio.run(go())

    def test_parallelism_under_its_own_names(self) -> None:
        engine = create_engine(parse_model("lmdeploy:org/name", tensor_parallel=2, data_parallel=4))
        assert isinstance(engine, LmdeployEngine)
        assert engine._worker_settings()["arguments"] == {"tp": 2, "dp": 4}
        assert not {"tp", "dp"} & engine._identity_arguments().keys()

    def test_every_field_of_sampling_is_honoured(self) -> None:
        assert LmdeployEngine.supported_sampling == SAMPLING_FIELDS

    def test_arguments_that_change_answers_are_identity(self) -> None:
        def identity(**args: Any) -> dict[str, Any]:
            return LmdeployEngine(parse_model("lmdeploy:x", engine_args=args))._identity_arguments()

        plain = identity()
        assert identity(cache_max_entry_count=0.4, num_gpu_blocks=9) == plain
        assert identity(backend="auto") == plain
        for change in ({"dtype": "float16"}, {"backend": "pytorch"}, {"max_pixels": 900}, {"session_len": 64}):
            assert identity(**change) != plain

    def test_slots(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mmeval.engines.lmdeploy.sees_gpu", lambda spec: False)
        assert LmdeployEngine(parse_model("lmdeploy:x"))._slots() == SLOTS_CPU
        assert LmdeployEngine(parse_model("lmdeploy:x", engine_args={"max_batch_size": 7}))._slots() == 7 + 8

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"backend": "tensorrt"}, "backend"),
            ({"min_pixels": 9, "max_pixels": 4}, "min_pixels=9 is above max_pixels=4"),
            ({"max_pixels": "many"}, "max_pixels"),
            ({"adapter": "/nowhere"}, "adapter_config.json"),
        ],
    )
    def test_arguments_that_cannot_be(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(EngineError, match=message):
            create_engine(parse_model("lmdeploy:x", engine_args=arguments))


class TestSetup:
    def test_arguments_reach_the_engine_under_its_names(
        self, start: Callable[..., Parent], package: FakeLmdeploy
    ) -> None:
        start(session_len=77, tp=2, eager_mode=True)
        config = package.started_with["backend_config"]
        assert (config.session_len, config.tp, config.eager_mode) == (77, 2, True)
        assert config.logprobs_mode == "raw_logprobs"
        assert package.started_with["trust_remote_code"] is False

    def test_the_choice_of_the_engine_is_lmdeploys(
        self, start: Callable[..., Parent], behaviour: Behaviour, package: FakeLmdeploy
    ) -> None:
        behaviour.own_backend = "turbomind"
        facts = start().worker.facts()
        assert facts["backend"] == "turbomind"
        assert facts["reads_images"] is True
        assert facts["lmdeploy"] == "0.18.0"
        json.dumps(facts)
        assert start(backend="pytorch").worker.facts()["backend"] == "pytorch"

    def test_an_adapter_asks_for_the_pytorch_engine(
        self, start: Callable[..., Parent], behaviour: Behaviour, package: FakeLmdeploy, tmp_path: Path
    ) -> None:
        (tmp_path / "adapter_config.json").write_text("{}")
        behaviour.own_backend = "turbomind"
        parent = start(adapter=str(tmp_path))
        assert package.started_with["backend_config"].adapters == {"adapter": str(tmp_path.resolve())}
        parent.ask(make_request("Hello"))
        assert behaviour.calls[-1].adapter == "adapter"
        with pytest.raises(LoadError, match="LoRA") as caught:
            start(adapter=str(tmp_path), backend="turbomind")
        assert "backend=pytorch" in caught.value.remedy

    @pytest.mark.parametrize(
        ("arguments", "message", "remedy"),
        [
            ({"sesion_len": 9}, "no argument 'sesion_len'", "did you mean session_len"),
            ({"max_model_len": 9}, "no argument 'max_model_len'", "in LMDeploy is session_len"),
            ({"communicator": "nccl"}, "no argument 'communicator'", "backend=turbomind"),
            ({"adapters": {}}, "set by mmeval itself", "adapter=FOLDER"),
            ({"revision": "main"}, "set by mmeval itself", "--revision"),
            ({"dtype": "float32"}, "no dtype 'float32'", "bfloat16"),
            ({"tp": 0}, "refuses the engine arguments: .*tp >= 1", "LMDeploy's description"),
            ({"backend": "turbomind"}, "TurboMind is not available", "backend=pytorch"),
        ],
    )
    def test_refused(self, start: Callable[..., Parent], arguments: dict[str, Any], message: str, remedy: str) -> None:
        with pytest.raises(LoadError, match=message) as caught:
            start(**arguments)
        assert remedy in caught.value.remedy

    @pytest.mark.parametrize(
        ("problem", "message", "remedy"),
        [
            (SystemExit(1), "ended with status 1", "nvidia-smi"),
            (RuntimeError("No enough gpu memory for runtime."), "No enough gpu memory", "session_len"),
            (AssertionError("Torch not compiled with CUDA enabled"), "not compiled with CUDA", "nvidia-smi"),
            (ValueError("needs trust_remote_code=True"), "trust_remote_code", "--trust-remote-code"),
            (RuntimeError(""), "RuntimeError", "LMDeploy's own"),
        ],
    )
    def test_a_start_that_fails(
        self, start: Callable[..., Parent], behaviour: Behaviour, problem: BaseException, message: str, remedy: str
    ) -> None:
        behaviour.start_failure = problem
        with pytest.raises(LoadError, match=message) as caught:
            start()
        assert remedy in caught.value.remedy

    def test_versions(self, start: Callable[..., Parent], package: FakeLmdeploy) -> None:
        package.__version__ = "0.15.3"
        with pytest.raises(LoadError, match=r"0\.15\.3 is too old"):
            start()

    def test_missing(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(sys.modules, "lmdeploy", None)
        with pytest.raises(LoadError, match="cannot be imported") as caught:
            Parent(tmp_path, {})
        assert "--engine-python" in caught.value.remedy

    def test_pixel_limits_are_given_in_both_of_lmdeploys_forms(
        self, start: Callable[..., Parent], behaviour: Behaviour
    ) -> None:
        start(max_pixels=5000).ask(make_request(media=(still(picture()),)))
        call = behaviour.calls[-1]
        limits = {"min_pixels": 3136, "max_pixels": 5000}
        assert call.processor == {"image": limits}
        image = call.messages[0]["content"][0]["image_data"]
        assert {name: image[name] for name in limits} == limits

    def test_a_limit_below_the_checkpoints_own_is_not_dropped(
        self, start: Callable[..., Parent], behaviour: Behaviour
    ) -> None:
        start(max_pixels=1000).ask(make_request(media=(still(picture()),)))
        assert behaviour.calls[-1].processor == {"image": {"min_pixels": 1000, "max_pixels": 1000}}
        with pytest.raises(LoadError, match="above the checkpoint's max_pixels=9216"):
            start(min_pixels=10000)

    def test_limits_that_would_mean_nothing_are_refused(
        self, start: Callable[..., Parent], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for vision, name in ((OtherModel(), "OtherModel"), (None, "text-only")):
            monkeypatch.setattr(_Engine, "vision", vision)
            with pytest.raises(LoadError, match=name):
                start(max_pixels=1000)
        assert start().worker.facts()["reads_images"] is False


class TestMessages:
    def test_order_roles_and_images(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        red, blue = picture("red", (40, 30)), picture("blue", (20, 50))
        answer = start().ask(make_request("Which?", (still(red), clip(blue, red)), system="Be brief."))
        assert (answer["status"], answer["finish_reason"]) == ("ok", "stop")
        system, user = behaviour.calls[-1].messages
        assert system == {"role": "system", "content": "Be brief."}
        assert [part["type"] for part in user["content"]] == ["image_data"] * 3 + ["text"]
        sizes = [part["image_data"]["data"].size for part in user["content"][:3]]
        assert sizes == [(40, 30), (20, 50), (40, 30)]
        assert behaviour.calls[-1].processor is None

    def test_texts_without_images_are_joined_as_the_other_engines_do(self) -> None:
        parts = [{"text": "One"}, {"text": "two"}]
        joined = conversation([{"role": "user", "content": parts}], [], {}, [], "")
        assert joined == [{"role": "user", "content": "Onetwo"}]
        assert conversation([{"role": "user", "content": parts}], [], {}, [], "\n")[0]["content"] == "One\ntwo"

    def test_images_outside_a_users_message_are_refused(self) -> None:
        with pytest.raises(RequestError, match="system"):
            conversation([{"role": "system", "content": [{"image": 0}]}], [object()], {}, [], "")

    @pytest.mark.parametrize("text", ["What is <|image_pad|>?", "What is <IMAGE_TOKEN>?"])
    def test_markers_in_a_text_are_refused(self, start: Callable[..., Parent], text: str) -> None:
        answer = start().ask(make_request(text, (still(picture()),)))
        assert answer["status"] == "error"
        assert "place of an image" in answer["error"]

    def test_an_image_that_the_template_drops(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        behaviour.shown = 1
        answer = start().ask(make_request(media=(still(picture()), still(picture("blue")))))
        assert (answer["status"], answer["error"]) == ("error", "the chat template shows 1 of 2 images")

    def test_truncated_images_are_found_although_lmdeploy_hides_them(self, start: Callable[..., Parent]) -> None:
        whole = picture(size=(300, 300), form="JPEG")
        answer = start().ask(make_request(media=(still(picture()), still(whole[: len(whole) // 2]))))
        assert answer["status"] == "error"
        assert "image 2 of 2 cannot be decoded" in answer["error"]

    def test_images_for_a_model_of_text(self, start: Callable[..., Parent], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_Engine, "vision", None)
        answer = start().ask(make_request(media=(still(picture()),)))
        assert (answer["status"], answer["error"]) == ("error", "this model reads text only")


SAMPLINGS = st.builds(
    Sampling,
    temperature=st.floats(0.01, 2.0),
    top_p=st.floats(0.01, 0.99),
    top_k=st.integers(1, 200),
    min_p=st.floats(0.01, 0.9),
    repetition_penalty=st.floats(1.01, 3.0),
    max_tokens=st.integers(1, 900),
    stop=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3).map(tuple),
    seed=st.integers(1, 2**31 - 1),
)


class TestDecoding:
    def test_every_field_of_sampling_reaches_the_call(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        parent = start()
        neutral = Sampling()

        @settings(max_examples=60, deadline=None)
        @given(SAMPLINGS)
        def check(sampling: Sampling) -> None:
            changed = {
                f.name for f in dataclasses.fields(Sampling) if getattr(sampling, f.name) != getattr(neutral, f.name)
            }
            assert changed | {"max_tokens"} == SAMPLING_FIELDS
            behaviour.pieces = ("<b>", *sampling.stop[:1], "<e>")
            answer = parent.ask(make_request("Hello", sampling=sampling))
            call = behaviour.calls[-1]
            config = call.gen_config
            assert config.do_sample is True
            assert config.temperature == sampling.temperature
            assert config.top_p == sampling.top_p
            assert config.top_k == sampling.top_k
            assert config.min_p == sampling.min_p
            assert config.repetition_penalty == sampling.repetition_penalty
            assert config.max_new_tokens == sampling.max_tokens
            assert config.random_seed == sampling.seed
            assert call.streamed is True
            assert not any(stop in answer["text"] for stop in sampling.stop)
            assert answer["finish_reason"] == "stop"

        check()

    def test_greedy_leaves_nothing_to_lmdeploys_defaults(
        self, start: Callable[..., Parent], behaviour: Behaviour
    ) -> None:
        parent = start()
        parent.ask(make_request("Hello", sampling=Sampling(temperature=0.0, top_p=0.5, top_k=9)))
        config = behaviour.calls[-1].gen_config
        assert (config.do_sample, config.top_k, config.top_p, config.temperature) == (False, 1, 1.0, 1.0)
        assert behaviour.calls[-1].streamed is False
        parent.ask(make_request("Hello", sampling=Sampling(temperature=1.0)))
        assert behaviour.calls[-1].gen_config.top_k == 0
        assert behaviour.calls[-1].gen_config.random_seed is not None

    def test_a_penalty_without_sampling_still_holds(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        start().ask(make_request("Hello", sampling=Sampling(temperature=0.0, repetition_penalty=1.3)))
        config = behaviour.calls[-1].gen_config
        assert (config.do_sample, config.top_k, config.repetition_penalty) == (True, 1, 1.3)

    def test_a_temperature_that_lmdeploy_refuses(self, start: Callable[..., Parent]) -> None:
        answer = start().ask(make_request("Hello", sampling=Sampling(temperature=2.5)))
        assert (answer["status"], answer["error"]) == ("error", "temperature 2.5: LMDeploy takes 0 to 2")

    def test_a_schema(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
        start().ask(make_request("Hello"), schema=schema)
        assert behaviour.calls[-1].gen_config.response_format == {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": schema},
        }

    def test_max_tokens_are_limited_to_the_room(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        start(session_len=12).ask(make_request("Hello", sampling=Sampling(max_tokens=500)))
        assert behaviour.calls[-1].gen_config.max_new_tokens == 12 - len("Hello")

    def test_a_stop_string_over_two_pieces_ends_the_request(
        self, start: Callable[..., Parent], behaviour: Behaviour
    ) -> None:
        answer = start().ask(make_request("Hello", sampling=Sampling(max_tokens=9, stop=("d squ", "zz"))))
        assert (answer["text"], answer["finish_reason"], answer["completion_tokens"]) == ("a re", "stop", 2)
        assert behaviour.aborted == 1

    @given(st.text("ab,", max_size=30), st.lists(st.text("ab,", max_size=4), max_size=3), st.data())
    def test_the_earliest_stop_string_is_found_however_the_text_arrives(
        self, text: str, stops: list[str], data: st.DataObject
    ) -> None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
        wanted = min((text.find(stop) for stop in stops if stop and stop in text), default=None)
        seen, found = 0, None
        for cut in [*cuts, len(text)]:
            found = stop_place(text[:cut], tuple(stops), seen)
            seen = cut
            if found is not None:
                break
        if wanted is None:
            assert found is None
        else:
            # Whatever has arrived is cut before the first stop string that was complete by then.
            assert found is not None
            assert found >= wanted
            assert not any(stop and stop in text[:found] for stop in stops)


class TestFailures:
    def test_too_long(self, start: Callable[..., Parent]) -> None:
        answer = start(session_len=20).ask(make_request("word " * 20))
        assert answer["status"] == "too_long"
        assert "Input length" in answer["error"]

    @pytest.mark.parametrize("finish", ["error", "abort", None])
    def test_an_ending_without_an_answer_is_no_text(
        self, start: Callable[..., Parent], behaviour: Behaviour, finish: str | None
    ) -> None:
        behaviour.finish = finish
        answer = start().ask(make_request("Hello"))
        assert answer["status"] == "error"
        assert "text" not in answer

    def test_a_truncated_answer_says_so(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        behaviour.finish = "length"
        answer = start().ask(make_request("Hello"))
        assert (answer["text"], answer["finish_reason"]) == ("a red square, a blue circle", "length")

    def test_a_failed_request_of_a_living_engine(
        self, start: Callable[..., Parent], behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lmdeploy_serve, "end", lambda: pytest.fail("the engine lives"))
        behaviour.failure = Failed(Code.INTERNAL, "An internal server error occurred.")
        answer = start().ask(make_request("Hello"))
        assert (answer["status"], answer["error"]) == ("error", "An internal server error occurred.")

    def test_a_dead_engine_ends_the_process(
        self, start: Callable[..., Parent], behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended = threading.Event()
        monkeypatch.setattr(lmdeploy_serve, "end", ended.set)
        behaviour.failure, behaviour.alive = Failed(Code.INTERNAL, "gone"), False
        start().ask(make_request("Hello"))
        assert ended.is_set()

    def test_an_engine_that_dies_silently_is_noticed(
        self, start: Callable[..., Parent], behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended = threading.Event()
        monkeypatch.setattr(lmdeploy_serve, "end", ended.set)
        monkeypatch.setattr(lmdeploy_serve, "WATCH_S", 0.01)
        parent = start()

        async def never(*_: Any, **__: Any) -> Any:
            behaviour.alive = False
            await asyncio.sleep(LIMIT_S)

        monkeypatch.setattr(_Engine, "preprocess", never)
        threading.Thread(target=lambda: parent.ask(make_request("Hello")), daemon=True).start()
        assert ended.wait(LIMIT_S)

    def test_the_cause_that_lmdeploy_hides_is_told(self) -> None:
        try:
            try:
                raise ModuleNotFoundError("No module named 'xgrammar'")
            except ModuleNotFoundError as error:
                raise Failed(Code.PREPROCESS, "Request preprocessing failed.") from error
        except Failed as error:
            reply = failure(error)
        assert reply["status"] == "error"
        assert "xgrammar" in reply["error"]


class TestScores:
    def test_tokens_follow_the_prompt(self, start: Callable[..., Parent], behaviour: Behaviour) -> None:
        answer = start().ask(make_request("Hello"), want="logprobs", continuation="red")
        assert (answer["tokens"], answer["logprobs"]) == ([7, 7, 7], [-0.5, -1.5, -2.5])
        config = behaviour.calls[-1].gen_config
        assert (config.max_new_tokens, config.logprob_start_len) == (0, len("Hello") - 1)

    @pytest.mark.parametrize(
        ("arguments", "continuation", "status", "message"),
        [
            ({}, "", "error", "empty"),
            ({"session_len": 8}, "red", "too_long", "8 tokens"),
            ({"logprobs_mode": "raw_logits"}, "red", "error", "logprobs_mode=raw_logits"),
            ({"backend": "turbomind"}, "red", "error", "backend=pytorch"),
        ],
    )
    def test_refused(
        self,
        start: Callable[..., Parent],
        behaviour: Behaviour,
        arguments: dict[str, Any],
        continuation: str,
        status: str,
        message: str,
    ) -> None:
        behaviour.own_backend = arguments.get("backend", "pytorch")
        answer = start(**arguments).ask(make_request("Hello"), want="logprobs", continuation=continuation)
        assert answer["status"] == status
        assert message in answer["error"]

    def test_an_older_version(
        self, start: Callable[..., Parent], package: FakeLmdeploy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(package, "GenerationConfig", object)
        answer = start().ask(make_request("Hello"), want="logprobs", continuation="red")
        assert answer["status"] == "error"
        assert "0.18 can" in answer["error"]


class TestPreload:
    def test_a_file_is_imported_before_the_engine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "mmeval_worker_preload", raising=False)
        path = tmp_path / "double.py"
        path.write_text("PLACE = __name__\n")
        worker_main.preload(path)
        assert sys.modules["mmeval_worker_preload"].PLACE == "mmeval_worker_preload"
        sys.modules.pop("mmeval_worker_preload")

    def test_something_else_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImportError, match="not a Python file"):
            worker_main.preload(tmp_path / "notes.txt")


def test_a_schema_is_part_of_the_question(tmp_path: Path) -> None:
    engine = LmdeployEngine(parse_model(f"lmdeploy:{tmp_path}"))
    answer = asyncio.run(engine.generate(replace(make_request(), schema={"type": "object"})))
    assert answer.error == "the lmdeploy engine is not started"
