"""`mmeval run --trace`: the file, the summary in the manifest, and a run that was there before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from tests.cli.conftest import Result


def test_a_run_writes_its_trace_and_says_so_in_the_manifest(tmp_path: Path, mmeval: Callable[..., Result]) -> None:
    command = (
        "run", "-m", "fake:x", "-t", "demo", "--limit", "6", "--no-report", "-o", "r", "--cache", "c.sqlite", "--trace", "traces/t.json",
    )  # fmt: skip
    assert mmeval(*command).code == 0
    events = orjson.loads((tmp_path / "traces/t.json").read_bytes())
    kinds = {event["name"] for event in events if event["ph"] == "X"}
    assert {"read", "prepare", "queue", "request", "verify", "commit", "write"} <= kinds
    manifest = orjson.loads((tmp_path / "r" / "run.json").read_bytes())
    assert manifest["trace"]["file"] == "t.json"
    assert manifest["trace"]["spans"]["request"]["count"] == manifest["counts"]["asked"]
    assert manifest["trace"]["models"]["x"]["slots"] == 32
    assert mmeval(*command).code == 0, "a run that is there already has nothing to trace"
    assert orjson.loads((tmp_path / "traces/t.json").read_bytes()) == events
    assert orjson.loads((tmp_path / "r" / "run.json").read_bytes()) == manifest
