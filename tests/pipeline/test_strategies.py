"""Answers that take several calls: each is durable, the gold is out of reach, and a missing first half is no leak."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mmeval.conditions.base import Condition, get_condition
from mmeval.conditions.strategy import NO_DESCRIPTION, Ask, description_of
from mmeval.core.types import Message, PreparedMedia, Request, Response, Sample, TextPart
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.plan import Effort, RunPlan
from mmeval.pipeline.runner import Finished, ModelRun
from mmeval.pipeline.work import Stage, style_of
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile, Registry
from mmeval.tasks.task import Task

INFO = EngineInfo("spoken", "1", {"weights": "w"}, slots=2)
ALL = frozenset({"text", "image", "images"})


class Spoken:
    """An engine whose answer a function makes of the request."""

    supported_sampling = SAMPLING_FIELDS
    modalities = ALL
    exclusive = False

    def __init__(self, say: Callable[[Request], Response]) -> None:
        self.say = say
        self.requests: list[Request] = []

    async def describe(self) -> EngineInfo:
        return INFO

    async def start(self) -> EngineInfo:
        return INFO

    async def generate(self, request: Request) -> Response:
        self.requests.append(request)
        return self.say(request)

    async def close(self) -> None:
        return None


def text_of(request: Request) -> str:
    return text_of_messages(request.messages)


def text_of_messages(messages: tuple[Message, ...]) -> str:
    return "".join(part.text for message in messages for part in message.parts if isinstance(part, TextPart))


def run(folder: Path, engine: Spoken, condition: Condition, task: Task | None = None) -> list[Finished]:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(buffer, "PNG")
    (folder / "1.png").write_bytes(buffer.getvalue())
    row = {"id": "1", "question": "Which colour?", "image": "1.png", "answer": "red"}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "fields": {"id": "id", "images": ["image"]}, "answer": {"kind": "text"},
    }  # fmt: skip
    loaded = (task or Task.load(CardFile("t", folder / "t.yaml", raw))).open(DataOptions(folder, 1))
    finished: list[Finished] = []
    with ResponseCache(folder / "cache.sqlite") as cache:
        stage = Stage(RunPlan([loaded], [condition]), 0, INFO, ALL, SAMPLING_FIELDS, style_of(INFO), cache, None, None)
        running = ModelRun(engine, stage, Effort(attempts=1), Progress("m", 1), finished.append)
        asyncio.run(running.run(asyncio.Event()))
    return finished


def seeing(request: Request) -> Response:
    if request.media:
        return Response("ok", text="<think>red?</think>A red square.", finish_reason="stop")
    return Response("ok", text="red" if "A red square." in text_of(request) else "no idea", finish_reason="stop")


def test_two_hop_answers_from_the_description_alone(tmp_path: Path) -> None:
    engine = Spoken(seeing)
    (row,) = run(tmp_path, engine, get_condition("two-hop"))
    assert row.verdict.correct is True
    describe, answer = engine.requests
    assert (len(describe.media), len(answer.media)) == (1, 0)
    assert "red?" not in text_of(answer)
    assert "Which colour?" in text_of(answer)
    assert [call.role for call in row.calls] == ["describe", "answer"]


def test_every_call_is_kept(tmp_path: Path) -> None:
    def fails(request: Request) -> Response:
        return seeing(request) if request.media else Response("error", error="500")

    (first,) = run(tmp_path, Spoken(fails), get_condition("two-hop"))
    assert first.verdict.outcome == "error"
    again = Spoken(seeing)
    (second,) = run(tmp_path, again, get_condition("two-hop"))
    assert second.verdict.correct is True
    assert [bool(request.media) for request in again.requests] == [False]
    third = Spoken(seeing)
    (last,) = run(tmp_path, third, get_condition("two-hop"))
    assert (third.requests, last.verdict.correct) == ([], True)


def test_a_missing_description_is_not_applicable(tmp_path: Path) -> None:
    engine = Spoken(lambda request: Response("ok", text="<description> </description> It is red", finish_reason="stop"))
    (row,) = run(tmp_path, engine, get_condition("two-hop"))
    assert (row.verdict.outcome, row.verdict.reason) == ("unsupported", NO_DESCRIPTION)
    assert len(engine.requests) == 1


def test_a_strategy_never_sees_the_gold(tmp_path: Path) -> None:
    seen: list[Sample] = []

    @dataclass(frozen=True)
    class Looks:
        name: str = "looks"
        version: str = "1"

        async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Ask) -> Response:
            seen.append(sample)
            return await ask(sample.messages, media, "answer")

    run(tmp_path, Spoken(seeing), Condition("looks", strategy=Looks()))
    assert seen[0].target is None
    assert "target" not in seen[0].item


def test_descriptions_are_what_tags_hold_and_never_reasoning() -> None:
    assert description_of("<think>x</think> a cat") == "a cat"
    assert description_of("<description>a cat</description><think>so</think>\\boxed{cat}") == "a cat"
    assert description_of("<think>a cat that never ends") == ""
    assert description_of("a cat") == "a cat"


def test_a_checklist_asks_every_fact_and_scores_by_its_own_rules(tmp_path: Path) -> None:
    registry = Registry()
    task = Task.load(registry.cards["synthetic/box"])
    (row,) = run(tmp_path, Spoken(lambda request: Response("ok", text="yes")), get_condition("checklist"), task)[:1]
    facts = row.unit.sample.target
    assert set(facts) == {True, False}
    assert len(row.calls) == len(facts)
    assert row.verdict.score == sum(facts) / len(facts)
    assert row.verdict.correct is False
    assert row.verdict.verifier.startswith("checklist/")
    assert all("yes or no" in text_of_messages(call.messages) for call in row.calls)


def test_a_sample_without_facts_has_no_checklist(tmp_path: Path) -> None:
    (row,) = run(tmp_path, Spoken(seeing), get_condition("checklist"))
    assert (row.verdict.outcome, row.verdict.reason) == ("unsupported", "the sample has no visual facts")
