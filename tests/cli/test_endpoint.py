"""Endpoints: whose answers may be shared, failing ones, and what never reaches a file."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

SERVER = Path(__file__).parents[2] / "benchmarks" / "simulated_server.py"


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--port", str(port), "--service", "0.01", "--answer", "yes", *arguments]
    )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/models", timeout=1).read()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def run(mmeval: Callable, url: str, folder: str, *more: str) -> dict:
    found = mmeval("run", "-m", "openai:sim", "--base-url", url, "-t", "synthetic/existence", "--limit", "20", "-o", folder,
                   "--no-report", "--json", *more)  # fmt: skip
    assert found.code == 0, found.err
    return found.json["counts"]


def test_two_endpoints_never_share_answers_without_a_model_id(mmeval: Callable) -> None:
    with serving() as first, serving() as second:
        assert run(mmeval, first, "runs/a")["asked"] == 20
        assert run(mmeval, second, "runs/b")["asked"] == 20
        assert run(mmeval, first, "runs/a")["asked"] == 0, "the same run folder resumes"


def test_a_model_id_shares_answers_over_ports_keys_and_timeouts(mmeval: Callable) -> None:
    with serving() as first, serving() as second:
        assert run(mmeval, first, "runs/a", "--model-id", "weights-1")["asked"] == 20
        assert run(mmeval, second, "runs/b", "--model-id", "weights-1", "--timeout", "7")["asked"] == 0
        assert run(mmeval, second, "runs/c", "--model-id", "weights-2")["asked"] == 20


def test_passing_overload_costs_nothing(mmeval: Callable) -> None:
    with serving("--fail", "0.4") as url:
        counts = run(mmeval, url, "runs/a")
    assert counts["error"] == 0
    assert counts["asked"] > 20


def test_an_endpoint_that_dies_keeps_its_answers(mmeval: Callable, tmp_path: Path) -> None:
    arguments = ("run", "-m", "openai:sim", "-t", "synthetic/existence", "--limit", "400", "-o", "runs/r", "--no-report", "--json",
                 "--model-id", "w", "--attempts", "1", "--concurrency", "4", "--outage", "0")  # fmt: skip
    with serving("--dies-after", "100") as url:
        broken = mmeval(*arguments, "--base-url", url)
    assert broken.code == 6, broken.err
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    assert set(rows["outcome"]) == {"scored", "error"}
    answered = int((rows["outcome"] == "scored").sum())
    assert answered == 100
    with serving() as url:
        healed = mmeval(*arguments, "--base-url", url)
    assert healed.code == 0, healed.err
    assert healed.json["counts"]["asked"] == 400 - answered


def test_the_key_is_in_no_file(mmeval: Callable, tmp_path: Path, monkeypatch) -> None:
    secret = "sk-very-secret-0123456789"
    with serving() as url:
        monkeypatch.setenv("MMEVAL_API_KEY", secret)
        import tests.cli.conftest as shared

        kept = shared.environment(tmp_path)
        monkeypatch.setattr(shared, "environment", lambda home: {**kept, "MMEVAL_API_KEY": secret})
        found = mmeval(
            "run", "-m", "openai:sim", "--base-url", url, "-t", "synthetic/existence", "--limit", "10", "-o", "runs/r"
        )
        assert found.code == 0, found.err
        assert secret not in found.out + found.err
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_one_of_two_endpoints_dies_and_no_row_is_lost(mmeval: Callable, tmp_path: Path) -> None:
    with serving("--dies-after", "40") as short, serving() as healthy:
        found = mmeval("run", "-m", "openai:sim", "-t", "synthetic/existence", "--limit", "300", "-o", "runs/r", "--no-report",
                       "--json", "--base-url", short, "--base-url", healthy, "--concurrency", "8")  # fmt: skip
    assert found.code == 0, found.err
    assert found.json["counts"]["error"] == 0
    assert len(pd.read_parquet(tmp_path / "runs/r/results.parquet")) == 300
