"""What a run in progress says of itself, and what is seen of it from outside."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from mmeval.pipeline.asking import Progress
from mmeval.runs import live, watch
from mmeval.runs.config import build_config
from mmeval.runs.execute import execute
from mmeval.runs.folder import open_run
from mmeval.runs.leaderboard import leaderboard
from mmeval.runs.live import ProgressFile
from mmeval.runs.manifest import read_manifest, write_manifest
from mmeval.runs.outcome import Outcome
from mmeval.runs.preparing import prepare_run
from mmeval.runs.watch import Live, Watch, Watches
from mmeval.stats.running import running_estimate

KEY = "key-of-sixteen-and-more-characters"


def carry_out(folder: Path, **settings: Any) -> Outcome:
    async def run() -> Outcome:
        values = {"models": ["fake:fixed"], "tasks": ["synthetic/existence", "synthetic/attribute"], "limit": 24}
        prepared = await prepare_run(build_config({**values, **settings}))
        return await execute(prepared, folder, folder.parent / "c.sqlite", ["mmeval", "run"], asyncio.Event())

    return asyncio.run(run())


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Live]:
    """All that runs write into their progress files."""
    found: list[Live] = []
    real = ProgressFile._write

    def write(self: ProgressFile, data: bytes) -> None:
        found.append(Live.model_validate(orjson.loads(data)))
        real(self, data)

    monkeypatch.setattr(ProgressFile, "_write", write)
    return found


@pytest.mark.parametrize("settings", [{}, {"repeats": 2, "conditions": ["standard", "blind"]}])
def test_the_last_counts_are_those_of_the_tables(tmp_path: Path, written: list[Live], settings: dict[str, Any]) -> None:
    outcome = carry_out(tmp_path / "r", **settings)
    assert outcome.exit_code == 0
    last = written[-1]
    assert last.phase == "writing"
    rows = leaderboard(open_run(tmp_path / "r"))
    assert len(rows) == len(last.cells)
    for row, cell in zip(rows, last.cells, strict=True):
        assert (row.task, row.condition, row.estimate.metric) == (cell.task, cell.condition, cell.metric)
        assert {name: number for name, number in row.outcomes.items() if number} == cell.outcomes
        assert cell.done == cell.total
        if row.estimate.value is None:
            continue
        assert cell.sums is not None
        found = running_estimate(cell.sums, binary=True, bounds=(0.0, 1.0))
        assert found is not None
        assert found.interval is not None
        assert row.estimate.interval is not None
        assert found.value == pytest.approx(row.estimate.value)
        assert found.interval.low == pytest.approx(row.estimate.interval.low, abs=1e-9)
        assert found.interval.method == row.estimate.interval.method
    assert sum(cell.done for cell in last.cells) == last.models[0].done == last.models[0].total
    assert not list((tmp_path / "r").glob("progress*"))


def test_failures_are_named_without_keys(tmp_path: Path, written: list[Live], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    real = live.LiveCounts.add

    def add(self: live.LiveCounts, finished: Any) -> None:
        before = self.failed
        real(self, finished)
        if self.failed > before:
            self.failures[-1]["reason"] += f" {KEY}"

    monkeypatch.setattr(live.LiveCounts, "add", add)
    carry_out(tmp_path / "r", engine_args={"failure_share": 0.3}, attempts=1)
    last = written[-1]
    assert last.failed == sum(cell.outcomes.get("error", 0) for cell in last.cells) > 0
    assert len(last.failures) == min(last.failed, live.LATEST)
    assert all(failure.reason == "injected error ***" for failure in last.failures)


def test_a_run_goes_on_where_the_file_cannot_be_written(tmp_path: Path, capsys: Any) -> None:
    told: list[str] = []

    async def check() -> None:
        folder = tmp_path / "r"
        (folder / "progress.json").mkdir(parents=True)  # nothing can be put in its place
        progress = [Progress("m", 3)]
        config = build_config({"models": ["fake:fixed"], "tasks": ["synthetic/existence"], "limit": 3})
        prepared = await prepare_run(config)
        file = ProgressFile(folder, "1", progress, live.LiveCounts(["m"], prepared.plan))
        file.start()
        await file.announce("writing")
        await file.announce("writing")
        await file.close()
        await file.announce("writing")  # nothing after the end
        told.extend(progress[0].notices)
        assert [path.name for path in folder.iterdir()] == ["progress.json"]

    asyncio.run(check())
    assert len(told) == 1
    assert "the run goes on" in told[0]


def test_a_run_goes_on_where_a_name_is_no_unicode(tmp_path: Path) -> None:
    async def check() -> list[str]:
        progress = [Progress("m", 3)]
        prepared = await prepare_run(
            build_config({"models": ["fake:fixed"], "tasks": ["synthetic/existence"], "limit": 3})
        )
        file = ProgressFile(tmp_path, "1", progress, live.LiveCounts(["\udcff"], prepared.plan))
        file.start()
        await file.announce("writing")
        await file.close()
        return progress[0].notices

    (told,) = asyncio.run(check())
    assert "the run goes on" in told
    assert not list(tmp_path.iterdir())


def test_too_many_clusters_are_followed_no_longer(tmp_path: Path, written: list[Live], monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "FOLLOWED_LIMIT", 1)
    carry_out(tmp_path / "r")
    sums = [cell.sums for cell in written[-1].cells]
    assert all(one is not None and one.n == 24 for one in sums)
    assert any(one is not None and one.clusters is None for one in sums)


@pytest.fixture
def running(tmp_path: Path) -> Callable[..., Path]:
    """A folder whose run says that it is going on, and its progress file with other fields."""
    carry_out(tmp_path / "r")

    def make(**fields: Any) -> Path:
        folder = tmp_path / "r"
        manifest = read_manifest(folder)
        write_manifest(folder, manifest.model_copy(update={"status": "running"}))
        record = {
            "schema": 1, "run_id": manifest.run_id, "pid": os.getpid(), "born": live.born(os.getpid()), "machine": live.machine(),
            "beat": 1, "phase": "asking", "elapsed_s": 1.0, "models": [], "cells": [], "failed": 0, "failures": [],
        }  # fmt: skip
        (folder / "progress.json").write_bytes(orjson.dumps({**record, **fields}))
        return folder

    return make


def gone() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_states_of_a_run(tmp_path: Path, running: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def state(**fields: Any) -> str:
        return Watch(str(running(**fields))).look().state

    assert Watch(str(tmp_path / "none")).look().state == "waiting"
    assert Watch(str(tmp_path / "r")).look().state == "ended"
    assert state() == "running"
    assert state(phase="writing") == "writing"
    assert state(pid=gone(), born=None) == "stopped"
    assert state(born=1) == "stopped"  # the number was given to another process
    assert state(machine="another", pid=gone()) == "running"
    assert state(run_id="another") == "starting"
    assert state(schema=2) == "unreadable"
    assert state(cells="none") == "unreadable"
    folder = running(machine="another")
    eyes = Watch(str(folder))
    assert eyes.look().state == "running"
    monkeypatch.setattr(watch, "SILENT_S", 0.0)
    assert eyes.look().state == "silent"
    (folder / "progress.json").write_text("{")
    assert "cannot read" in eyes.look().problem
    (folder / "run.json").write_text("{}")
    assert eyes.look().state == "unreadable"


def test_odd_files_are_said_to_be_unreadable(running: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = running()
    monkeypatch.setattr(watch, "LIMIT_BYTES", 10)
    assert "at most" in Watch(str(folder)).look().problem
    (folder / "progress.json").unlink()
    os.mkfifo(folder / "progress.json")  # nobody ever writes into it
    assert Watch(str(folder)).look().state == "unreadable"

    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    monkeypatch.setattr(Path, "exists", closed)
    (sight,) = Watches([str(folder)]).look()
    assert (sight.state, "Permission denied" in sight.problem) == ("unreadable", True)


def test_looking_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    carry_out(tmp_path / "r")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "r").rglob("*")}
    sight = Watch(f"{tmp_path / 'r'}#fixed").look()
    assert (sight.model, sight.state) == ("fixed", "ended")
    assert sight.tables is not None
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "r").rglob("*")} == before


def test_a_folder_of_several_runs_is_all_of_them(tmp_path: Path) -> None:
    eyes = Watches([str(tmp_path / "series"), str(tmp_path / "other")])
    assert [sight.state for sight in eyes.look()] == ["waiting", "waiting"]
    carry_out(tmp_path / "series" / "step-10")
    shutil.copytree(tmp_path / "series" / "step-10", tmp_path / "series" / "step-2")
    (tmp_path / "series" / "notes").mkdir()
    sights = eyes.look()
    assert [sight.folder.name for sight in sights] == ["step-2", "step-10", "other"]
    assert [sight.state for sight in sights] == ["ended", "ended", "waiting"]
