"""The asynchronous run of one model: it stops when told, keeps memory bounded, and waits out an outage."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmeval.conditions.base import get_condition
from mmeval.core.types import Request, Response, Sample, Verdict
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo
from mmeval.pipeline import asking, budget, runner
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.chain import Chain
from mmeval.pipeline.plan import Effort, RunPlan
from mmeval.pipeline.runner import Finished, ModelRun
from mmeval.pipeline.trace import NO_TRACE
from mmeval.pipeline.work import Stage, style_of
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

ALL = frozenset({"text", "image", "images", "video"})
INFO = EngineInfo("scripted", "1", {"weights": "w"}, slots=4)


class Scripted:
    """An engine whose answers a function gives."""

    supported_sampling = SAMPLING_FIELDS
    modalities = ALL
    exclusive = False

    def __init__(self, answer: Callable[[int], Response], latency_s: float = 0.0) -> None:
        self.answer, self.latency_s = answer, latency_s
        self.asked = self.running = self.most = 0

    async def describe(self) -> EngineInfo:
        return INFO

    async def start(self) -> EngineInfo:
        return INFO

    async def generate(self, request: Request) -> Response:
        number = self.asked
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.running -= 1
        return self.answer(number)

    async def close(self) -> None:
        return None


def run(
    tmp_path: Path, engine: Scripted, count: int, effort: Effort, *, side: int = 0, stop_after: float | None = None
) -> tuple[list[Finished], Progress]:
    rows = []
    for number in range(count):
        row = {"id": str(number), "question": f"Which {number}?", "answer": "red"}
        if side:
            buffer = io.BytesIO()
            noise = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
            (tmp_path / f"{number}.png").write_bytes(buffer.getvalue())
            row["image"] = f"{number}.png"
        rows.append(row)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "fields": {"id": "id", "images": ["image"] if side else []}, "answer": {"kind": "text"},
    }  # fmt: skip
    task = Task.load(CardFile("t", tmp_path / "t.yaml", raw)).open(DataOptions(tmp_path))
    plan = RunPlan([task], [get_condition("standard")])
    finished: list[Finished] = []
    with ResponseCache(tmp_path / "cache.sqlite") as cache:
        stage = Stage(plan, 0, INFO, ALL, SAMPLING_FIELDS, style_of(INFO), cache, None, None)
        progress = Progress("scripted", count)

        async def go() -> None:
            stop = asyncio.Event()
            if stop_after is not None:
                asyncio.get_running_loop().call_later(stop_after, stop.set)
            await ModelRun(engine, stage, effort, progress, finished.append).run(stop)

        asyncio.run(go())
    return finished, progress


def red(_: int) -> Response:
    return Response("ok", text="red", finish_reason="stop")


def test_every_sample_is_finished_once_and_slots_are_the_limit(tmp_path: Path) -> None:
    engine = Scripted(red, latency_s=0.002)
    finished, progress = run(tmp_path, engine, 100, Effort(concurrency=5))
    assert sorted(int(entry.unit.sample.id) for entry in finished) == list(range(100))
    assert all(entry.verdict.correct for entry in finished)
    assert engine.most == 5
    assert (progress.done, progress.asked, progress.failed) == (100, 100, 0)


@pytest.mark.parametrize("count", [8, 2000])
def test_stop_ends_at_once_whether_or_not_all_samples_were_fed(tmp_path: Path, count: int) -> None:
    began = time.monotonic()
    finished, _ = run(tmp_path, Scripted(red, latency_s=30), count, Effort(concurrency=8), stop_after=0.3)
    assert finished == []
    assert time.monotonic() - began < 20


def test_prepared_media_stay_within_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    take = budget.ByteBudget.take

    def watched(self: budget.ByteBudget, size: int) -> None:
        nonlocal most
        take(self, size)
        most = max(most, self._used)

    monkeypatch.setattr(budget.ByteBudget, "take", watched)
    one = 100 * 100 * 3
    finished, _ = run(
        tmp_path, Scripted(red, latency_s=0.001), 60, Effort(media_budget_bytes=4 * one, workers=2), side=100
    )
    assert len(finished) == 60
    assert most <= 8 * one


def test_an_outage_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PROBE_WAIT_S", 0.01)

    def answer(number: int) -> Response:
        down = 50 <= number < 140
        return Response("error", error="connection refused", retryable=True) if down else red(number)

    effort = Effort(concurrency=4, attempts=2, backoff_s=0.001, backoff_limit_s=0.02)
    finished, progress = run(tmp_path, Scripted(answer), 400, effort)
    assert len(finished) == 400
    assert 0 < progress.failed < 60, "only those asked while it was down may fail"


def test_a_dead_endpoint_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PROBE_WAIT_S", 0.01)
    engine = Scripted(lambda _: Response("error", error="connection refused", retryable=True))
    effort = Effort(concurrency=4, attempts=2, backoff_s=0.001, outage_s=0.2)
    finished, progress = run(tmp_path, engine, 500, effort)
    assert len(finished) == progress.failed == 500
    assert engine.asked < 200
    assert any("not asked" in (entry.response.error or "") for entry in finished)


def test_a_wait_that_the_server_asks_for_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TOLD_WAIT_S", 0.01)
    busy = Response("error", error="HTTP 429: slow down", retryable=True, retry_after_s=0.2)
    began = time.monotonic()
    finished, progress = run(
        tmp_path, Scripted(lambda number: busy if number < 4 else red(number)), 20, Effort(concurrency=4)
    )
    assert all(entry.verdict.correct for entry in finished)
    assert time.monotonic() - began >= 0.2
    assert progress.notices == ["scripted: the server asks to wait 0 s (HTTP 429: slow down)"]
    assert progress.waiting_until > began


def test_a_wait_beyond_the_outage_limit_is_not_waited_for(tmp_path: Path) -> None:
    busy = Response("error", error="HTTP 429: slow down", retryable=True, retry_after_s=3600.0)
    engine = Scripted(lambda _: busy)
    finished, progress = run(tmp_path, engine, 20, Effort(concurrency=4, outage_s=60.0))
    assert engine.asked == 20, "each once"
    assert {entry.response.error for entry in finished} == {
        "HTTP 429: slow down (the server asks to wait longer than --outage 60 s)"
    }
    told = "scripted: the server asks to wait 3600 s (longer than --outage 60 s, so it is not waited for)"
    assert progress.notices == [told]


def test_an_outage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PROBE_WAIT_S", 0.01)
    engine = Scripted(lambda _: Response("error", error="connection refused", retryable=True))
    effort = Effort(concurrency=4, attempts=2, backoff_s=0.001, outage_s=0.1)
    _, progress = run(tmp_path, engine, 100, effort)
    assert len(progress.notices) == 1
    assert "failures in a row (connection refused); trying again for up to 0.1 s" in progress.notices[0]


def test_a_very_long_answer_is_verified_beside_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LONG_ANSWER", 10)
    beside: dict[str, bool] = {}
    verdict = runner.rule_verdict

    def watched(chain: Chain, response: Response, sample: Sample) -> Verdict:
        beside[response.text or ""] = threading.current_thread() is not threading.main_thread()
        return verdict(chain, response, sample)

    monkeypatch.setattr(runner, "rule_verdict", watched)
    long = "red" + " " * 20
    finished, _ = run(
        tmp_path, Scripted(lambda number: Response("ok", text=("red", long)[number % 2])), 4, Effort(concurrency=1)
    )
    assert beside == {"red": False, long: True}
    assert all(entry.verdict.correct for entry in finished)


def test_rows_that_come_slowly_are_handed_over_before_there_are_many() -> None:
    class Reading:
        stage = SimpleNamespace(trace=NO_TRACE)

    def slowly() -> Iterator[int]:
        for number in range(3):
            time.sleep(1.5 * runner.TAKING_S)
            yield number

    source = slowly()
    taken = [ModelRun._take(Reading(), source) for _ in range(4)]  # type: ignore[arg-type]
    assert taken == [[0], [1], [2], []]
    quick = iter(range(runner.READ_AHEAD + 1))
    assert sum(len(ModelRun._take(Reading(), quick)) for _ in range(20)) == runner.READ_AHEAD + 1  # type: ignore[arg-type]
