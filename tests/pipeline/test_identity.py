"""What makes two requests the same: everything that can change an answer, and nothing else."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from mmeval.conditions.base import Condition
from mmeval.core.types import MediaPart, Message, PreparedMedia, Request, Response, Sample, Sampling, TextPart
from mmeval.engines.base import IDENTITY_FIELDS, TRANSPORT_FIELDS, EngineInfo, ModelSpec
from mmeval.pipeline.identity import cache_key, request_hash
from mmeval.pipeline.media import prepare_image
from mmeval.pipeline.plan import Effort, RunPlan
from mmeval.runs.config import IDENTITY_KEYS, TRANSPORT_KEYS, RunConfig, config_digest

INFO = EngineInfo("hf", "5.0", {"weights": "w", "config": "c"})


def media(red: int = 5, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> PreparedMedia:
    image = Image.new(mode, size, (1, 2, 3))
    image.putpixel((3, 4), (red, 0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return PreparedMedia("image", (prepare_image(buffer.getvalue(), "x")[0],))


def message(*parts: str | int, role: Any = "user") -> Message:
    return Message(role, tuple(MediaPart(part) if isinstance(part, int) else TextPart(part) for part in parts))


BASE = Request(
    id="task/1/standard/0",
    messages=(message("be brief", role="system"), message(0, "and", 1, "what?")),
    media=(media(5), media(6)),
    sampling=Sampling(temperature=0.5, seed=3),
)
SAMPLING_CHANGES: dict[str, Any] = {
    "temperature": 0.25, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "max_tokens": 1025,
    "stop": ("x",), "seed": 4,
}  # fmt: skip


def test_every_sampling_field_is_in_the_request_hash() -> None:
    assert set(SAMPLING_CHANGES) == {field.name for field in dataclasses.fields(Sampling)}
    hashes = {request_hash(BASE, INFO)}
    for name, value in SAMPLING_CHANGES.items():
        hashes.add(request_hash(replace(BASE, sampling=replace(BASE.sampling, **{name: value})), INFO))
        if value is not None and name not in {"max_tokens", "stop"}:
            hashes.add(request_hash(replace(BASE, sampling=replace(BASE.sampling, **{name: None})), INFO))
    assert len(hashes) == 1 + len(SAMPLING_CHANGES) + 2  # None is the base's own value in all but temperature and seed


REQUEST_CHANGES: dict[str, Request] = {
    "one pixel": replace(BASE, media=(media(7), media(6))),
    "media order": replace(BASE, media=(media(6), media(5))),
    "media size": replace(BASE, media=(media(5, (9, 8)), media(6))),
    "a frame instead of an image": replace(BASE, media=(PreparedMedia("video", media(5).images), media(6))),
    "one video instead of two images": replace(
        BASE, media=(PreparedMedia("video", (*media(5).images, *media(6).images)),)
    ),
    "no media": replace(BASE, media=()),
    "repeat": replace(BASE, repeat=1),
    "schema": replace(BASE, schema={"type": "object"}),
    "scored": replace(BASE, scored=True),
    "message order": replace(BASE, messages=tuple(reversed(BASE.messages))),
    "role": replace(BASE, messages=(message("be brief", role="user"), BASE.messages[1])),
    "text": replace(BASE, messages=(BASE.messages[0], message(0, "and", 1, "what ?"))),
    "part order": replace(BASE, messages=(BASE.messages[0], message(1, "and", 0, "what?"))),
    "text before the image": replace(BASE, messages=(BASE.messages[0], message("and", 0, 1, "what?"))),
    "parts joined": replace(BASE, messages=(BASE.messages[0], message(0, "and", 1, "wh", "at?"))),
    "no system": replace(BASE, messages=BASE.messages[1:]),
    "a media part written as text": replace(
        BASE, messages=(BASE.messages[0], message('{"media":0}', "and", 1, "what?"))
    ),
}
NO_IDENTITY = {"id", "sample"}


def test_every_field_of_a_request_is_classed() -> None:
    tested = {"messages", "media", "sampling", "repeat", "schema", "scored"}
    assert {field.name for field in dataclasses.fields(Request)} == tested | NO_IDENTITY


@pytest.mark.parametrize("change", sorted(REQUEST_CHANGES))
def test_a_changed_request_is_another_request(change: str) -> None:
    assert request_hash(REQUEST_CHANGES[change], INFO) != request_hash(BASE, INFO)


def test_all_changes_differ_from_each_other() -> None:
    assert len({request_hash(request, INFO) for request in REQUEST_CHANGES.values()}) == len(REQUEST_CHANGES)


def test_names_and_the_sample_behind_it_are_no_part_of_a_request() -> None:
    sample = Sample("1", "task", BASE.messages, "A")
    assert request_hash(replace(BASE, id="other/9"), INFO) == request_hash(BASE, INFO)
    assert request_hash(replace(BASE, sample=sample), INFO) == request_hash(BASE, INFO)


@pytest.mark.parametrize(
    "info",
    [
        replace(INFO, engine="vllm"),
        replace(INFO, version="5.1"),
        replace(INFO, identity={"weights": "v", "config": "c"}),
        replace(INFO, identity={"weights": "w", "config": "c", "adapter": "a"}),
    ],
)
def test_another_engine_version_or_model_is_another_request(info: EngineInfo) -> None:
    assert request_hash(BASE, info) != request_hash(BASE, INFO)


def test_speed_and_details_of_the_engine_change_nothing() -> None:
    for other in (
        replace(INFO, slots=99),
        replace(INFO, details={"device": "cuda"}),
        replace(INFO, shared_identity=False),
    ):
        assert request_hash(BASE, other) == request_hash(BASE, INFO)
    assert request_hash(BASE, replace(INFO, identity={"config": "c", "weights": "w"})) == request_hash(BASE, INFO)


def test_the_same_request_made_again_has_the_same_hash() -> None:
    again = replace(BASE, media=(media(5), media(6)), sampling=Sampling(temperature=0.5, seed=3))
    assert request_hash(again, INFO) == request_hash(BASE, INFO)


def test_a_scope_keeps_answers_inside_one_run() -> None:
    assert cache_key("a", None) == "a"
    assert len({cache_key("a", None), cache_key("a", "run1"), cache_key("a", "run2"), cache_key("b", "run1")}) == 4


def test_what_an_engine_measured_is_no_part_of_the_key() -> None:
    assert "latency_s" not in {field.name for field in dataclasses.fields(Request)}
    assert "latency_s" in {field.name for field in dataclasses.fields(Response)}


def names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_every_config_field_is_identity_or_transport_and_never_both() -> None:
    assert set(RunConfig.model_fields) == IDENTITY_KEYS | TRANSPORT_KEYS, "class the new key in mmeval/runs/config.py"
    assert not IDENTITY_KEYS & TRANSPORT_KEYS
    assert names(ModelSpec) == IDENTITY_FIELDS | TRANSPORT_FIELDS, "class the new field in mmeval/engines/base.py"
    assert not IDENTITY_FIELDS & TRANSPORT_FIELDS
    # These two are classed as a whole: a plan is what is asked, an effort how.
    assert names(RunPlan) == {"tasks", "conditions", "repeats", "seed", "sampling"}
    assert names(Effort) == {
        "concurrency",
        "attempts",
        "backoff_s",
        "backoff_limit_s",
        "outage_s",
        "media_budget_bytes",
        "workers",
    }
    assert names(Condition) == {
        "name",
        "contrast",
        "version",
        "sample",
        "image",
        "strategy",
        "verifier",
        "metrics",
        "region",
        "moves",
        "donor",
        "pictured",
    }


CONFIG_CHANGES: dict[str, Any] = {
    "models": ["other"], "tasks": ["t2"], "conditions": ["blind"], "repeats": 2, "limit": 3, "shard": "1/2", "seed": 1,
    "sampling": {"top_p": 0.5}, "engine_args": {"dtype": "float32"}, "model_id": "m", "revision": "r", "profile": "p",
    "prompt": "{{ question }}", "trust_remote_code": True,
    "file_tasks": {"file:x.tsv": {}}, "columns": ["question=q"], "answer_kind": "text", "answer_form": "letter",
    "output": "o", "base_urls": ["http://127.0.0.1:1/v1"], "concurrency": 3, "data_dir": "d", "task_paths": ["p"],
    "cache": "c", "engine_python": "py", "workers": "ray", "ray_address": "auto", "replicas": 2, "replica_cpus": 2, "tensor_parallel": 2, "data_parallel": 2, "prompt_file": "f", "media": False, "timeout_s": 5.0, "attempts": 2, "outage_s": 7.0,
    "allow_errors": 0.5, "retriever": "http://127.0.0.1:3/search", "judge": "tiny", "judge_model_id": "j", "judge_engine_args": {"a": 1}, "judge_repeats": 3, "judge_swap": True,
    "judge_base_urls": ["http://127.0.0.1:2/v1"], "judge_engine_python": "p", "judge_concurrency": 2,
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(RunConfig.model_fields))
def test_identity_keys_and_no_others_change_the_config_digest(key: str) -> None:
    base = RunConfig(models=["m"], tasks=["t"])
    changed = RunConfig.model_validate({**base.model_dump(), key: CONFIG_CHANGES[key]})
    assert getattr(changed, key) != getattr(base, key)
    assert (config_digest(changed) != config_digest(base)) == (key in IDENTITY_KEYS)


def test_equal_settings_written_differently_have_one_digest() -> None:
    one = RunConfig(models=["m"], tasks=["t"], sampling={"temperature": 0, "top_k": 5, "stop": ["x"]})
    other = RunConfig(models=["m"], tasks=["t"], sampling={"stop": ("x",), "top_k": 5.0, "temperature": 0.0})
    assert config_digest(one) == config_digest(other)


def test_an_engine_that_answers_from_the_sample_has_it_in_the_hash() -> None:
    reader = replace(INFO, reads_sample=True)
    one = replace(BASE, sample=Sample("1", "task", BASE.messages, "A"))
    other = replace(BASE, sample=Sample("2", "task", BASE.messages, "A"))
    relabelled = replace(BASE, sample=Sample("1", "task", BASE.messages, "B"))
    assert request_hash(one, reader) != request_hash(other, reader)
    assert request_hash(one, reader) == request_hash(relabelled, reader)
