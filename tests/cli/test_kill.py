"""Runs that are killed, interrupted or run twice at once. The child processes are real and really killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import environment

SAMPLES = 300
COMMAND = [
    sys.executable, "-m", "mmeval", "run", "-m", "fake:fixed", "-t", "synthetic/existence,synthetic/attribute", "--limit", str(SAMPLES),
    "--engine-arg", "latency_s=0.05", "--concurrency", "8", "--no-report", "--json",
]  # fmt: skip


def start(folder: Path, run: str, cache: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "-o", run, "--cache", cache],
        cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def committed(cache: Path) -> set[str]:
    if not cache.exists():
        return set()
    with sqlite3.connect(cache) as database:
        try:
            return {key for (key,) in database.execute("SELECT key FROM responses")}
        except sqlite3.OperationalError:
            return set()  # killed before the tables were made


def table(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path / "results.parquet").drop(columns="latency_s")


@pytest.mark.slow
def test_twenty_kills_lose_nothing_committed(tmp_path: Path) -> None:
    chooser = random.Random(20)
    known: set[str] = set()
    for _ in range(20):
        process = start(tmp_path, "runs/killed", "killed.sqlite")
        time.sleep(chooser.uniform(0.4, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = committed(tmp_path / "killed.sqlite")
        assert known <= now, "a committed answer disappeared"
        known = now
    final = start(tmp_path, "runs/killed", "killed.sqlite")
    out, err = final.communicate(timeout=120)
    assert final.returncode == 0, err
    counts = json.loads(out)["counts"]
    assert counts["cached"] == len(known), "a committed answer was asked again"
    assert counts["asked"] == 2 * SAMPLES - len(known)
    undisturbed = start(tmp_path, "runs/whole", "whole.sqlite")
    assert undisturbed.wait(timeout=120) == 0
    pd.testing.assert_frame_equal(table(tmp_path / "runs/killed"), table(tmp_path / "runs/whole"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "runs/r", "c.sqlite")
    cache = tmp_path / "c.sqlite"
    deadline = time.monotonic() + 60
    while len(committed(cache)) < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    manifest = json.loads((tmp_path / "runs/r/run.json").read_text())
    assert manifest["status"] == "interrupted"
    # An answer that was committed but not yet scored (at most one a slot) is a row of the next run.
    assert len(table(tmp_path / "runs/r")) >= 20 - 8
    known = committed(cache)
    again = start(tmp_path, "runs/r", "c.sqlite")
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert json.loads(out)["counts"]["cached"] == len(known)


def test_two_runs_share_one_cache(tmp_path: Path) -> None:
    first, second = start(tmp_path, "runs/a", "c.sqlite"), start(tmp_path, "runs/b", "c.sqlite")
    for process in (first, second):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    pd.testing.assert_frame_equal(table(tmp_path / "runs/a"), table(tmp_path / "runs/b"))
    assert len(committed(tmp_path / "c.sqlite")) == 2 * SAMPLES


def test_two_processes_never_write_one_run(tmp_path: Path) -> None:
    first = start(tmp_path, "runs/a", "c.sqlite")
    deadline = time.monotonic() + 60
    while not (tmp_path / "runs/a/rows.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    second = start(tmp_path, "runs/a", "c.sqlite")
    _, err = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another mmeval process" in err
    assert first.wait(timeout=120) == 0


def test_a_full_disk_keeps_what_is_committed(tmp_path: Path, mmeval: Callable) -> None:
    """A limit on the size of files stands in for the full disk: SQLite gets the same kind of error."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, 180_000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from mmeval.cli.main import main; main()"
    )
    command = [sys.executable, "-c", script, *COMMAND[3:], "-o", "runs/r", "--cache", "c.sqlite", "--no-media"]
    command = [argument.replace("latency_s=0.05", "latency_s=0.002") for argument in command]
    full = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert full.returncode in (2, 6), full.stderr
    assert "Traceback" not in full.stderr
    assert "run the same command again" in full.stderr
    known = committed(tmp_path / "c.sqlite")
    assert known
    process = start(tmp_path, "runs/r", "c.sqlite")
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 2), err
    if process.returncode == 0:
        assert json.loads(out)["counts"]["cached"] == len(known)
    assert os.path.getsize(tmp_path / "c.sqlite") > 0


def test_tables_that_cannot_be_written_leave_an_honest_manifest_and_every_answer(tmp_path: Path) -> None:
    script = (
        "from mmeval.core.errors import StorageError; from mmeval.runs.writer import RunWriter\n"
        "def full(self): raise StorageError('run folder is full', remedy='run the same command again')\n"
        "RunWriter.finish = full\n"
        "from mmeval.cli.main import main; main()"
    )
    command = [sys.executable, "-c", script, *COMMAND[3:], "-o", "runs/r", "--cache", "c.sqlite"]
    command = [argument.replace("latency_s=0.05", "latency_s=0") for argument in command]
    full = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert full.returncode == 6, full.stderr
    assert "run folder is full" in full.stderr
    assert json.loads((tmp_path / "runs/r/run.json").read_text())["status"] == "incomplete"
    assert len(committed(tmp_path / "c.sqlite")) == 2 * SAMPLES
