"""Traces: lanes for what overlaps, gaps without a request, a file that is JSON whenever it is closed, and bounded memory."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from mmeval.core.errors import UsageError
from mmeval.pipeline import trace as tracing
from mmeval.pipeline.trace import NO_TRACE, Trace


def closed(trace: Trace) -> dict[str, Any]:
    return asyncio.run(trace.close())


def events(path: Path) -> list[dict[str, Any]]:
    return list(orjson.loads(path.read_bytes()))


def test_spans_that_overlap_lie_in_lanes_of_their_own(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.json")
    trace.slots("m", 2)
    with trace.span("request", "m", id="a"), trace.span("request", "m", id="b"):
        time.sleep(0.02)
    with trace.span("request", "m", id="c"):
        pass
    summary = closed(trace)
    spans = [event for event in events(tmp_path / "t.json") if event["ph"] == "X"]
    lanes = {event["args"]["id"]: event["tid"] for event in spans}
    assert lanes["a"] != lanes["b"]
    assert lanes["c"] == min(lanes["a"], lanes["b"])
    assert all(event["dur"] >= 20_000 for event in spans if event["args"]["id"] != "c")
    named = [event["args"]["name"] for event in events(tmp_path / "t.json") if event["ph"] == "M"]
    assert named == ["m", "request", "request 2"]
    assert summary["spans"]["request"]["count"] == 3
    assert summary["models"]["m"]["most_in_flight"] == 2
    assert 0.9 < summary["models"]["m"]["utilisation"] <= 1.0


def test_times_without_a_request_are_gaps(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.json")
    for _ in range(3):
        with trace.span("request", "m"):
            pass
        time.sleep(0.03)
    busy = closed(trace)["models"]["m"]
    assert busy["idle_gaps"] == 2, "what comes after the last request is no gap"
    assert busy["idle_s"] >= 0.06
    assert busy["slots"] is None
    assert busy["utilisation"] is None


def test_many_threads_write_one_file_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "BUFFER", 16)
    trace = Trace(tmp_path / "t.json")

    def work() -> None:
        for number in range(200):
            with trace.span("prepare", number=number):
                assert len(trace._events) <= 16

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert closed(trace)["spans"]["prepare"]["count"] == 800
    assert sum(event["ph"] == "X" for event in events(tmp_path / "t.json")) == 800


def test_a_span_ends_with_its_error(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.json")
    with pytest.raises(ValueError), trace.span("verify"):  # noqa: PT011
        raise ValueError
    assert closed(trace)["spans"]["verify"]["count"] == 1


def test_a_blocked_loop_is_seen(tmp_path: Path) -> None:
    async def go() -> dict[str, Any]:
        trace = Trace(tmp_path / "t.json")
        trace.watch_loop()
        await asyncio.sleep(0.05)
        time.sleep(0.2)
        await asyncio.sleep(0.05)
        await trace.close()
        return await trace.close()

    loop = asyncio.run(go())["loop"]
    assert loop["blocked"] >= 1
    assert loop["latest_s"] >= 0.15
    assert any(event["name"] == "blocked" for event in events(tmp_path / "t.json"))


def test_a_full_disk_ends_the_trace_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "BUFFER", 2)
    trace = Trace(tmp_path / "t.json")

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            return None

    monkeypatch.setattr(trace, "_file", Full())
    for _ in range(5):
        with trace.span("read"):
            pass
    summary = closed(trace)
    assert summary["broken"] == "No space left on device"
    assert summary["spans"]["read"]["count"] == 5


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--trace"):
        Trace(tmp_path / "file" / "t.json")


def test_without_a_trace_nothing_is_kept() -> None:
    with NO_TRACE.span("request", "m", id="a"), NO_TRACE.span("request", "m"):
        NO_TRACE.slots("m", 3)
