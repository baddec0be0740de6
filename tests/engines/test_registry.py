"""From the user's word to a specification and an engine."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import EngineError, UsageError
from mmeval.core.types import Sampling
from mmeval.engines import registry
from mmeval.engines.base import IDENTITY_FIELDS, SAMPLING_FIELDS, TRANSPORT_FIELDS, ModelSpec
from mmeval.engines.registry import CHECKPOINT_DIR, choice_note, create_engine, label, parse_model


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "has_gpu", lambda: False)


@pytest.mark.parametrize(
    ("word", "backend", "target", "revision"),
    [
        ("hf:./ckpt/step-400", "hf", "./ckpt/step-400", None),
        ("hf:Qwen/Qwen2.5-VL-7B-Instruct", "hf", "Qwen/Qwen2.5-VL-7B-Instruct", None),
        ("hf:org/name@v1.2", "hf", "org/name", "v1.2"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "hf", "Qwen/Qwen2.5-VL-7B-Instruct", None),
        ("org/name@main", "hf", "org/name", "main"),
        ("./ckpt", "hf", "./ckpt", None),
        ("/data/my model", "hf", "/data/my model", None),
        (r"C:\models\ckpt", "hf", r"C:\models\ckpt", None),
        ("C:/models/ckpt", "hf", "C:/models/ckpt", None),
        (r"hf:C:\models\ckpt", "hf", r"C:\models\ckpt", None),
        ("openai:gpt-4o", "openai", "gpt-4o", None),
        ("openai:ft:gpt-4o:me@work", "openai", "ft:gpt-4o:me@work", None),
        ("replay:out/pred.jsonl", "replay", "out/pred.jsonl", None),
        ("chance", "chance", "uniform", None),
        ("chance:most-frequent", "chance", "most-frequent", None),
        ("fake", "fake", "", None),
        ("vllm:org/name@x", "vllm", "org/name", "x"),
    ],
)
def test_words_for_models(word: str, backend: str, target: str, revision: str | None) -> None:
    spec = parse_model(word)
    assert (spec.backend, spec.target, spec.revision) == (backend, target, revision)


@pytest.mark.parametrize("name", ["tiny", "tiny-early", "tiny-qwen2"])
def test_shipped_checkpoints(name: str) -> None:
    spec = parse_model(name)
    assert (spec.backend, Path(spec.target)) == ("hf", CHECKPOINT_DIR / name)
    assert label(spec) == name
    assert choice_note(name, spec) is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "empty"),
        ("opnai:gpt-4o", "did you mean openai"),
        ("vlm:org/name", "did you mean vllm"),
        ("openai:", "names no target"),
        ("replay:", "names no target"),
        ("chance:sometimes", "chance strategy"),
        ("http://127.0.0.1:8000/v1", "--base-url"),
        ("hf:org/name@", "NAME@REVISION"),
    ],
)
def test_words_that_mean_nothing(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_model(word)


def test_the_fake_backend_is_not_advertised() -> None:
    assert "fake" not in registry.advertised()
    with pytest.raises(UsageError) as caught:
        parse_model("fak:x")
    assert "did you mean fake" not in str(caught.value)


def test_two_revisions_contradict() -> None:
    with pytest.raises(UsageError, match="two revisions"):
        parse_model("hf:org/name@a", revision="b")
    assert parse_model("hf:org/name", revision="b").revision == "b"


def test_a_path_may_hold_a_colon_or_an_at_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("step:400", "run@4"):
        (tmp_path / name).mkdir()
        spec = parse_model(name)
        assert (spec.backend, spec.target, spec.revision) == ("hf", name, None)


@given(st.text(max_size=40))
def test_any_text_gives_a_specification_or_a_clear_error(word: str) -> None:
    # Any other exception would fail the test.
    with contextlib.suppress(UsageError):
        assert parse_model(word).backend


class TestDefaultBackend:
    def test_without_a_gpu(self) -> None:
        spec = parse_model("org/name")
        note = choice_note("org/name", spec)
        assert note is not None
        assert "using hf (no GPU here)" in note
        assert choice_note("hf:org/name", parse_model("hf:org/name")) is None

    def test_with_a_gpu_and_without_vllm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "has_gpu", lambda: True)
        monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
        assert registry.default_backend() == ("hf", "vLLM is not installed")

    def test_with_a_gpu_and_vllm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "has_gpu", lambda: True)
        monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: object())
        assert registry.default_backend()[0] == "vllm"
        assert parse_model("org/name").backend == "vllm"


class TestCreate:
    def test_unknown_backend(self) -> None:
        with pytest.raises(EngineError, match="did you mean openai"):
            create_engine(ModelSpec("opnai", "x"))

    def test_engines_of_other_packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        points = [
            EntryPoint("mine", "tests.engines.test_registry:ForeignEngine", registry.ENTRY_POINT_GROUP),
            EntryPoint("broken", "tests.engines.nowhere:Engine", registry.ENTRY_POINT_GROUP),
            EntryPoint("hf", "tests.engines.test_registry:ForeignEngine", registry.ENTRY_POINT_GROUP),
        ]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        engine: Any = create_engine(parse_model("mine:thing"))
        assert isinstance(engine, ForeignEngine)
        assert engine.spec.target == "thing"
        assert not isinstance(create_engine(parse_model("hf:x")), ForeignEngine)
        with pytest.raises(EngineError, match="cannot be loaded"):
            create_engine(parse_model("broken:x"))


class ForeignEngine:
    """Stands for an engine of another package."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec


def test_every_field_of_a_specification_is_identity_or_transport() -> None:
    names = {field.name for field in dataclasses.fields(ModelSpec)}
    assert names == IDENTITY_FIELDS | TRANSPORT_FIELDS
    assert not IDENTITY_FIELDS & TRANSPORT_FIELDS


def test_every_field_of_sampling_is_identity() -> None:
    assert {field.name for field in dataclasses.fields(Sampling)} == SAMPLING_FIELDS


def test_parsing_and_creating_import_nothing_heavy() -> None:
    code = (
        "import sys; from mmeval.engines.registry import *; parse_model('tiny'); create_engine(parse_model('chance'));"
        "print([m for m in ('torch', 'transformers', 'pandas', 'scipy', 'datasets', 'aiohttp') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert output.stdout.strip() == "[]"
