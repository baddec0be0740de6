"""The hf backend: real worker killed, start-up failures explained, batching that changes no answer."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import EngineError
from mmeval.core.types import Response, Sampling
from mmeval.engines.checkpoint_engine import WORKER
from mmeval.engines.hf import HfEngine
from mmeval.engines.registry import parse_model
from tests.engines.conftest import make_request, picture, still
from tests.engines.questions import synthetic_requests

COLORS = ("red", "green", "blue", "yellow", "purple", "orange")
QUESTIONS = (
    "What colour is the square?",
    "What shape is the red object?",
    "How many objects are there?",
    "Describe the image.",
)


def requests(count: int, **sampling: Any) -> list[Any]:
    """Different pictures, sizes, questions and lengths."""
    return [
        make_request(
            QUESTIONS[number % len(QUESTIONS)] + (" Look closely." if number % 3 == 0 else ""),
            (still(picture(COLORS[number % 6], (60 + 7 * number, 90), "circle" if number % 2 else "square")),),
            Sampling(max_tokens=24, **sampling),
            identifier=f"sample-{number}",
        )
        for number in range(count)
    ]


async def ask_all(engine: HfEngine, asked: list[Any], at_once: int) -> list[Response]:
    gate = asyncio.Semaphore(at_once)

    async def one(request: Any) -> Response:
        async with gate:
            return await engine.generate(request)

    return list(await asyncio.gather(*(one(request) for request in asked)))


@pytest.fixture(scope="module")
def engine(checkpoint: Path, runner: asyncio.Runner) -> Iterator[HfEngine]:
    made = HfEngine(parse_model(f"hf:{checkpoint}", engine_args={"dtype": "float32", "device": "cpu"}))
    runner.run(made.start())
    yield made
    runner.run(made.close())


@pytest.mark.model
class TestAnswers:
    def test_batching_changes_no_greedy_answer(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        asked = requests(32)
        together = runner.run(ask_all(engine, asked, 32))
        alone = runner.run(ask_all(engine, asked, 1))
        assert [a.status for a in together] == ["ok"] * 32
        assert [a.text for a in together] == [a.text for a in alone]
        assert [a.completion_tokens for a in together] == [a.completion_tokens for a in alone]

    def test_batching_changes_no_seeded_answer(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        asked = [
            make_request(
                "Describe the image.",
                (still(picture(COLORS[seed % 6])),),
                Sampling(2.0, 0.95, 40, 0.02, 1.2 if seed % 2 else None, 20, (), seed),
            )
            for seed in range(16)
        ]
        together = runner.run(ask_all(engine, asked, 16))
        alone = runner.run(ask_all(engine, asked, 1))
        assert [a.text for a in together] == [a.text for a in alone]

    def test_greedy_and_sampled_rows_share_a_batch(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        greedy = make_request("Describe the image.", (still(picture()),), Sampling(max_tokens=20))
        sampled = make_request(
            "Describe the image.", (still(picture()),), Sampling(temperature=3.0, seed=1, max_tokens=20)
        )
        narrow = make_request(
            "Describe the image.", (still(picture()),), Sampling(temperature=3.0, top_k=1, seed=2, max_tokens=20)
        )
        first, second, third = runner.run(ask_all(engine, [greedy, sampled, narrow], 3))
        assert first.text == third.text != second.text

    def test_repetition_penalty_is_honoured(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        plain, penalised = runner.run(
            ask_all(
                engine,
                [
                    make_request("Describe the image.", (still(picture()),), Sampling(max_tokens=24)),
                    make_request(
                        "Describe the image.", (still(picture()),), Sampling(max_tokens=24, repetition_penalty=50.0)
                    ),
                ],
                2,
            )
        )
        assert plain.text != penalised.text

    def test_contrasts_are_two_scores_and_an_exact_divergence(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        shown, masked, none = (
            synthetic_requests(6, kind) for kind in ("the picture", "a masked picture", "no picture")
        )
        for own, changed, without in zip(shown, masked, none, strict=True):
            for other in (own, changed, without):
                found = runner.run(engine.contrast(own, other, "red square"))
                assert found.status == "ok", found.error
                assert found.first is not None
                assert found.second is not None
                for scored, request in ((found.first, own), (found.second, other)):
                    alone = runner.run(engine.logprobs(request, "red square"))
                    assert scored.tokens == alone.tokens
                    assert scored.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
                assert "".join(found.first.texts) == "red square"
                assert all(value >= 0 for value in found.divergence)
                assert (max(found.divergence) < 1e-5) == (other is own)
        empty = runner.run(engine.contrast(shown[0], none[0], ""))
        assert (empty.status, empty.first) == ("error", None)

    def test_image_markers_in_the_users_text_are_text(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        hostile = "What is <|image_pad|> and <|vision_start|>?"
        blind, seeing = runner.run(
            ask_all(engine, [make_request(hostile), make_request(hostile, (still(picture()),))], 2)
        )
        assert (blind.status, seeing.status) == ("ok", "ok")

    def test_a_schema_is_refused(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        answer = runner.run(engine.generate(replace(make_request(), schema={"type": "object"})))
        assert answer.status == "error"

    def test_a_killed_worker_loses_nothing(self, engine: HfEngine, runner: asyncio.Runner) -> None:
        async def go() -> tuple[list[Response], int | None]:
            assert engine.worker is not None
            before = engine.worker.pid
            assert before is not None
            tasks = [asyncio.create_task(engine.generate(request)) for request in requests(48)]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) < 48
            os.kill(before, signal.SIGKILL)
            answers = list(await asyncio.gather(*tasks))
            return answers, before

        expected = runner.run(ask_all(engine, requests(48), 48))
        answers, before = runner.run(go())
        assert [a.text for a in answers] == [a.text for a in expected]
        assert engine.worker is not None
        assert engine.worker.pid != before
        assert engine.worker.total_restarts == 1


def start(word: str, **options: Any) -> None:
    """Start and close an engine."""

    async def go() -> None:
        made = HfEngine(parse_model(word, **options))
        try:
            await made.start()
        finally:
            await made.close()

    asyncio.run(go())


def copy_of(checkpoint: Path, target: Path) -> Path:
    shutil.copytree(checkpoint, target, copy_function=shutil.copyfile)
    for path in (target, *target.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


class TestStartFailures:
    def test_no_such_folder(self) -> None:
        with pytest.raises(EngineError, match="there is no folder"):
            start("hf:./nowhere/at/all")

    @pytest.mark.parametrize(("missing", "message"), [("config.json", "config.json"), ("model.safetensors", "weights")])
    def test_an_incomplete_folder_names_the_file(
        self, missing: str, message: str, checkpoint: Path, tmp_path: Path
    ) -> None:
        folder = copy_of(checkpoint, tmp_path / "copy")
        (folder / missing).unlink()
        with pytest.raises(EngineError, match=message):
            start(f"hf:{folder}")

    def test_no_tokenizer(self, checkpoint: Path, tmp_path: Path) -> None:
        folder = copy_of(checkpoint, tmp_path / "copy")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
        with pytest.raises(EngineError, match="no tokenizer"):
            start(f"hf:{folder}")

    def test_a_missing_shard_is_named(self, checkpoint: Path, tmp_path: Path) -> None:
        folder = copy_of(checkpoint, tmp_path / "copy")
        index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(EngineError, match=r"model-2\.safetensors"):
            start(f"hf:{folder}")

    def test_an_adapter_is_no_checkpoint(self, tmp_path: Path) -> None:
        (tmp_path / "adapter_config.json").write_text("{}")
        with pytest.raises(EngineError, match="adapter"):
            start(f"hf:{tmp_path}")

    @pytest.mark.parametrize(
        "arguments", [{"batchsize": 4}, {"dtype": "float8"}, {"batch_size": 0}, {"max_pixels": "many"}]
    )
    def test_wrong_engine_arguments(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(EngineError, match=next(iter(arguments))):
            HfEngine(parse_model("tiny", engine_args=arguments))

    def test_an_unknown_argument_gets_the_nearest_names(self) -> None:
        with pytest.raises(EngineError, match="batch_size"):
            HfEngine(parse_model("tiny", engine_args={"batchsize": 4}))

    def test_an_interpreter_without_transformers(self, checkpoint: Path, tmp_path: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
        with pytest.raises(EngineError, match="has no transformers"):
            start(f"hf:{checkpoint}", engine_python=str(tmp_path / "bare" / "bin" / "python"))

    def test_an_interpreter_that_is_none(self, checkpoint: Path) -> None:
        with pytest.raises(EngineError, match="cannot be run"):
            start(f"hf:{checkpoint}", engine_python="/nowhere/python")

    @pytest.mark.model
    def test_remote_code_needs_permission(self, checkpoint: Path, tmp_path: Path) -> None:
        folder = copy_of(checkpoint, tmp_path / "copy")
        config = json.loads((folder / "config.json").read_text())
        config |= {"model_type": "own_vl", "auto_map": {"AutoConfig": "own.Config"}}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "own.py").write_text("raise SystemExit('must not run')")
        with pytest.raises(EngineError, match="own Python code") as caught:
            start(f"hf:{folder}")
        assert "--trust-remote-code" in caught.value.remedy


def test_the_worker_imports_nothing_of_mmeval(tmp_path: Path) -> None:
    """It runs in another environment, where mmeval is not installed."""
    code = f"""
import contextlib, runpy, sys
sys.argv = ["worker_main.py", "hf", "unix:/nowhere"]
with contextlib.suppress(FileNotFoundError, ConnectionError):
    runpy.run_path({str(WORKER)!r}, run_name="__main__")
print([name for name in sys.modules if name.partition(".")[0] == "mmeval"])
print("mmeval_worker.hf_serve" in sys.modules, "torch" in sys.modules)
"""
    output = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert output.stdout.splitlines() == ["[]", "True False"]
