"""`mmeval run --workers ray` on a cluster of several nodes: the same answers, nodes that die and join, kills of the driver."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import environment
from tests.on_ray.cluster import TestCluster

ROOT = Path(__file__).resolve().parents[2]
DOUBLE = Path(__file__).with_name("service_time.py")
SAMPLES = 120
pytestmark = [pytest.mark.ray, pytest.mark.slow]
long = pytest.mark.skipif(not os.environ.get("MMEVAL_LONG_TESTS"), reason="long: make test-long")


class Desk:
    """A working directory, the cluster, and runs over questions whose answers take a fixed time."""

    def __init__(self, folder: Path, cluster: TestCluster, seconds: float = 0.3) -> None:
        self.folder = folder
        self.cluster = cluster
        self.log = folder / "asked.log"
        self.service = {
            "MMEVAL_WORKER_PRELOAD": str(DOUBLE), "SERVICE_S": str(seconds), "SERVICE_PLACES": "4", "SERVICE_LOG": str(self.log),
        }  # fmt: skip

    def add(self) -> int:
        return self.cluster.add(env=self.service)

    def command(self, *more: str, workers: bool = True, cache: str = "cache.sqlite") -> list[str]:
        ray = ["--workers", "ray", "--ray-address", self.cluster.address] if workers else []
        return [
            sys.executable, "-m", "mmeval", "run", "-m", "tiny", "-t", "synthetic/existence", "--limit", str(SAMPLES),
            "--engine-arg", "batch_size=2", "--no-report", "--json", "-o", "run", "--cache", cache, *ray, *more,
        ]  # fmt: skip

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*more), cwd=self.folder, env=environment(self.folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip

    def asked(self) -> Counter[str]:
        """Finished answers by request."""
        return Counter(line.split()[0] for line in self.lines())

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def replicas(self) -> Counter[str]:
        """Finished answers by actor."""
        return Counter(line.split()[1] for line in self.lines())

    def wait_for(self, answers: int) -> None:
        self.wait_until(lambda: len(self.lines()) >= answers)

    def wait_until(self, met: Callable[[], bool]) -> None:
        limit = time.monotonic() + 90
        while not met():
            assert time.monotonic() < limit, f"{len(self.lines())} answers"
            time.sleep(0.05)

    def rows(self, folder: str = "run") -> pd.DataFrame:
        return pd.read_parquet(self.folder / folder / "results.parquet")


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[dict[str, Any], str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return json.loads(out), err


def run(
    folder: Path, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "mmeval", *arguments], cwd=folder, env={**environment(folder), **(env or {})}, capture_output=True,
        text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_two_nodes_give_the_rows_of_a_local_run(tmp_path: Path, cluster: TestCluster) -> None:
    for _ in range(2):
        cluster.add()
    what = ["run", "-m", "tiny", "-t", "synthetic/count", "--limit", "12", "--no-report", "--json"]
    here, _ = run(tmp_path, *what, "-o", "here", "--cache", "here.sqlite")
    there, _ = run(
        tmp_path, *what, "-o", "there", "--cache", "there.sqlite", "--workers", "ray", "--ray-address", cluster.address
    )
    assert here["counts"] == there["counts"]
    assert there["counts"]["asked"] == 12
    tables = [
        pd.read_parquet(tmp_path / name / "results.parquet").drop(columns="latency_s") for name in ("here", "there")
    ]
    pd.testing.assert_frame_equal(*tables)
    assert cluster.idle_within(20)
    # Where the workers were is no part of a request: without Ray everything is found.
    again, _ = run(tmp_path, *what, "-o", "again", "--cache", "there.sqlite")
    assert (again["counts"]["asked"], again["counts"]["cached"]) == (0, 12)


def test_a_node_that_joins_is_used_and_one_that_dies_takes_no_answer_with_it(
    tmp_path: Path, cluster: TestCluster
) -> None:
    desk = Desk(tmp_path, cluster)
    first = desk.add()
    process = desk.start()
    desk.wait_for(8)
    desk.add()
    desk.wait_until(lambda: len(desk.replicas()) == 2)
    before = desk.asked()
    cluster.kill(first)
    summary, err = ended(process)
    assert summary["counts"]["missing"] == summary["counts"]["error"] == 0
    assert summary["counts"]["asked"] == SAMPLES
    assert "a replica is gone" in err
    asked = desk.asked()
    assert len(asked) == SAMPLES
    # Only what was in flight there (at most 4 slots) can have been answered twice.
    assert sum(times - 1 for times in asked.values()) <= 4
    assert sum(asked[key] - 1 for key in before) <= 4
    assert min(desk.replicas().values()) >= 8
    assert cluster.idle_within(20)


@long
def test_a_killed_driver_leaves_nothing_running_and_the_next_one_resumes(tmp_path: Path, cluster: TestCluster) -> None:
    desk = Desk(tmp_path, cluster)
    desk.add()
    process = desk.start()
    desk.wait_for(30)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert cluster.idle_within(30)
    with sqlite3.connect(tmp_path / "cache.sqlite") as database:
        (committed,) = database.execute("SELECT count(*) FROM responses").fetchone()
    assert committed >= 8
    summary, _ = ended(desk.start())
    assert summary["counts"]["cached"] == committed
    assert summary["counts"]["asked"] == SAMPLES - committed
    assert len(desk.rows()) == SAMPLES


@long
def test_a_judge_has_replicas_of_its_own_after_those_of_the_model(tmp_path: Path, cluster: TestCluster) -> None:
    desk = Desk(tmp_path, cluster, seconds=0.01)
    desk.service["SERVICE_LOG"] = ""
    desk.add()
    desk.add()
    data = str(ROOT / "tests" / "data" / "mathvista")
    what = [
        "run",
        "-m",
        "tiny",
        "-t",
        "mathvista",
        "--data-dir",
        data,
        "--judge",
        "tiny-early",
        "--no-report",
        "--json",
    ]
    there, _ = run(
        tmp_path, *what, "-o", "there", "--cache", "there.sqlite", "--workers", "ray", "--ray-address", cluster.address,
        code=6,  # what this judge says is no verdict
    )  # fmt: skip
    here, _ = run(tmp_path, *what, "-o", "here", "--cache", "here.sqlite", code=6, env=desk.service)
    assert there["counts"] == here["counts"]
    tables = [pd.read_parquet(tmp_path / name / "calls.parquet") for name in ("here", "there")]
    assert "tiny-early" in set(tables[1].caller)
    gone = ["latency_s"]
    pd.testing.assert_frame_equal(*(table.drop(columns=gone, errors="ignore") for table in tables))
    again, _ = run(
        tmp_path, "score", "here", "--judge", "tiny-early", "--workers", "ray", "--ray-address", cluster.address, "-o", "scored",
        "--cache", "scored.sqlite", "--no-report", "--json", code=6,
    )  # fmt: skip
    assert again["counts"]["unscored"] == here["counts"]["unscored"]
    assert cluster.idle_within(20)


@long
def test_an_interrupt_releases_the_cluster(tmp_path: Path, cluster: TestCluster) -> None:
    desk = Desk(tmp_path, cluster)
    desk.add()
    for name in (signal.SIGINT, signal.SIGTERM):
        process = desk.start("-o", name.name, "--seed", str(int(name)))
        before = len(desk.lines())
        desk.wait_for(before + 12)
        process.send_signal(name)
        _, err = ended(process, code=130)
        assert "finished answers are kept" in err
        assert cluster.idle_within(20)


@long
def test_a_request_that_kills_its_replica_is_one_error_row(tmp_path: Path, cluster: TestCluster) -> None:
    desk = Desk(tmp_path, cluster, seconds=0.1)
    rows = [{"id": str(n), "question": f"question number {n}?", "answer": "x"} for n in range(40)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    desk.service["SERVICE_POISON"] = "question number 7?"
    desk.add()
    desk.add()
    run(
        tmp_path, "run", "-m", "tiny", "-t", "file:data.jsonl", "--workers", "ray", "--ray-address", cluster.address, "--no-report",
        "-o", "run", "--cache", "c.sqlite", "--json", code=6,
    )  # fmt: skip
    table = desk.rows()
    assert list(table[table.outcome == "error"].sample_id) == ["7"]
    assert "lost 3 times" in table[table.sample_id == "7"].error.iloc[0]


@long
def test_when_the_last_node_is_gone_the_run_ends_and_resumes_later(tmp_path: Path, cluster: TestCluster) -> None:
    desk = Desk(tmp_path, cluster)
    only = desk.add()
    process = desk.start("--outage", "4")
    desk.wait_for(20)
    cluster.kill(only)
    summary, err = ended(process, code=6)
    assert "no node had room" in err
    assert 0 < summary["counts"]["error"] + summary["counts"]["missing"] < SAMPLES
    desk.add()
    summary, _ = ended(desk.start())
    assert summary["counts"]["error"] == summary["counts"]["missing"] == 0
    assert sum(times - 1 for times in desk.asked().values()) <= 4


@long
def test_a_node_with_another_mmeval_is_refused(tmp_path: Path, cluster: TestCluster) -> None:
    other = tmp_path / "other" / "mmeval"
    other.mkdir(parents=True)
    for entry in (ROOT / "mmeval").iterdir():
        if entry.name != "__init__.py":
            (other / entry.name).symlink_to(entry)
    text = (ROOT / "mmeval" / "__init__.py").read_text()
    (other / "__init__.py").write_text(text.replace('"0.1.0"', '"0.0.9"'))
    cluster.add(env={"PYTHONPATH": f"{other.parent}{os.pathsep}{os.pathsep.join(sys.path)}"})
    _, err = run(
        tmp_path, "run", "-m", "tiny", "-t", "synthetic/count", "--limit", "2", "--workers", "ray", "--ray-address", cluster.address, code=2
    )  # fmt: skip
    assert "has mmeval 0.0.9" in err
    assert "on every node" in err


@long
def test_a_node_whose_checkpoint_differs_is_refused_and_the_workers_own_words_are_shown(
    tmp_path: Path, cluster: TestCluster
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(ROOT / "mmeval" / "checkpoints" / "tiny", checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "model_type": "no_such_model"}))
    cluster.add()
    _, err = run(
        tmp_path, "run", "-m", "hf:checkpoint", "-t", "synthetic/count", "--limit", "2", "--workers", "ray", "--ray-address",
        cluster.address, code=2,
    )  # fmt: skip
    assert "no_such_model" in err


@long
def test_without_an_address_the_cluster_is_our_own_and_on_loopback(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    script = (
        "import sys; from mmeval.engines.ray_cluster import RayCluster; c = RayCluster.connect(None);"
        "print([n['NodeManagerAddress'] for n in c.ray.nodes()]); RayCluster.leave()"
    )
    env = {key: value for key, value in environment(tmp_path).items() if key != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "['127.0.0.1']", done.stderr
