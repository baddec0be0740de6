"""Tool loops through the command line: a scripted endpoint, a retriever, a run that is killed inside its conversations."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tests.cli.conftest as shared
from tests.cli.conftest import environment
from tests.cli.test_judge_run import judging

DATA = Path(__file__).parents[1] / "data"
SERVER = Path(__file__).with_name("looking_server.py")


@contextmanager
def serving(folder: Path, *more: str, key: str | None = None) -> Iterator[str]:
    port, log = folder / "port", folder / "log.jsonl"
    port.unlink(missing_ok=True)
    extra = {} if key is None else {"EXPECTED_KEY": key}
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(port), str(DATA / "slidevqa" / "deck-a"), str(log), *more],
        env={**environment(folder), **extra},
    )
    try:
        deadline = time.monotonic() + 60
        while not port.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port.read_text()}"
    finally:
        process.terminate()
        process.wait()


def logged(folder: Path, kind: str) -> list[dict[str, Any]]:
    path = folder / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def arguments(url: str, *more: str) -> list[str]:
    return ["run", "-m", "openai:m", "--base-url", f"{url}/v1", "-t", "slidevqa@search", "--data-dir", str(DATA),
            "--retriever", f"{url}/search", "-o", "runs/r", "--no-report", "--json", *more]  # fmt: skip


def rows(folder: Path) -> pd.DataFrame:
    frame = pd.read_parquet(folder / "runs/r/results.parquet").set_index("sample_id")
    frame["scores"] = [dict(scores) for scores in frame["scores"]]
    return frame


def test_a_loop_of_searches_and_crops(mmeval: Callable, tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        found = mmeval(*arguments(url))
        assert found.code == 0, found.err
        again = mmeval(*arguments(url))
        assert again.json["counts"]["asked"] == 0
    table = rows(tmp_path)
    scores = table.loc["11", "scores"]
    assert (table.loc["11", "correct"], table.loc["12", "correct"]) == (True, False)
    expected = {
        "turns": 4,
        "tool_errors": 1,
        "searches": 1,
        "crops": 1,
        "em": 1,
        "f1": 1,
        "ndcg": 1,
        "mrr": 1,
        "recall@1": 1,
    }
    assert {name: scores[name] for name in expected} == expected
    other = table.loc["12", "scores"]
    assert (other["recall@1"], other["recall@5"], other["mrr"], other["pages_seen"]) == (0, 1, 0.5, 0)
    calls = pd.read_parquet(tmp_path / "runs/r/calls.parquet")
    steps = [json.loads(step) for step in calls[calls["sample_id"] == "11"]["step"]]
    assert [step["action"] for step in steps] == ["search", "none", "crop", "answer"]
    assert steps[0]["pages"] == ["deck-a/2", "deck-a/1", "deck-a/3"]
    # The page of 120×80 is shown at least as large as the protocol says; its crop has 56 pixels more on each side.
    assert steps[2]["region"][:2] == [0, 0]
    assert (tmp_path / "runs/r/media" / f"{steps[2]['sha256']}.png").is_file()
    body = logged(tmp_path, "search")[0]["body"]
    assert body == {"query": "second slide", "top": 10, "task": "slidevqa", "filter": {}}
    scored = mmeval("score", "runs/r", "-o", "runs/s")
    assert scored.code == 0, scored.err
    kept = pd.read_parquet(tmp_path / "runs/s/results.parquet").set_index("sample_id")
    assert dict(kept.loc["11", "scores"]) == scores
    assert pd.read_parquet(tmp_path / "runs/s/calls.parquet")["step"].tolist() == calls["step"].tolist()


def test_a_run_that_is_killed_inside_a_conversation_goes_on(mmeval: Callable, tmp_path: Path) -> None:
    with serving(tmp_path, "--delay", "0.6") as url:
        command = [sys.executable, "-m", "mmeval", *arguments(url, "--concurrency", "1")]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        deadline = time.monotonic() + 90
        while len(logged(tmp_path, "chat")) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.4)  # the commit of the answer, not yet the next one
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(logged(tmp_path, "chat"))
        assert 4 <= before < 8
        found = mmeval(*arguments(url))
    assert found.code == 0, found.err
    assert found.json["counts"]["asked"] < 8 - before + 3, "committed turns are not asked again"
    assert len(logged(tmp_path, "search")) <= 3
    assert list(rows(tmp_path)["correct"]) == [True, False]


def test_a_failed_search_is_an_error_and_never_a_wrong_answer(mmeval: Callable, tmp_path: Path) -> None:
    with serving(tmp_path, "--fail-search") as url:
        found = mmeval(*arguments(url, "--attempts", "2"))
        assert found.code == 6
    assert set(rows(tmp_path)["outcome"]) == {"error"}
    assert "503" in rows(tmp_path)["error"].iloc[0]
    assert len(logged(tmp_path, "search")) == 4, "two tries of each"


def test_the_key_of_the_retriever_is_in_no_file(
    mmeval: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "very-secret-0123456789"
    kept = environment(tmp_path)
    for right in (True, False):
        own = secret if right else secret[::-1]
        monkeypatch.setattr(shared, "environment", lambda home, own=own: {**kept, "MMEVAL_RETRIEVER_API_KEY": own})
        with serving(tmp_path, key=secret) as url:
            found = mmeval(*arguments(url, "--overwrite"))
        assert found.code == (0 if right else 6), found.err
        assert own not in found.out + found.err
        for path in (tmp_path / "runs").rglob("*"):
            assert not path.is_file() or own.encode() not in path.read_bytes(), path


def test_a_task_that_searches_needs_a_retriever(mmeval: Callable) -> None:
    found = mmeval("run", "-m", "tiny", "-t", "slidevqa@search", "--data-dir", str(DATA))
    assert found.code == 2
    assert "--retriever" in found.err
    refused = mmeval(
        "run", "-m", "tiny", "-t", "slidevqa@search", "--data-dir", str(DATA), "--retriever", "http://me:pw@h/s"
    )
    assert refused.code == 2
    assert "pw" not in refused.err


def test_a_judge_reads_the_final_answer_and_the_way_keeps_its_scores(mmeval: Callable, tmp_path: Path) -> None:
    def verdict(text: str) -> str:
        number = re.findall(r'"id": "(r[0-9a-f]+)"', text)[-1]
        return json.dumps({"id": number, "reason": "same", "equivalent": "<search>" not in text})

    with serving(tmp_path) as url, judging(verdict) as judge:
        given = [part.replace("@search", "@search-judged") for part in arguments(url)]
        found = mmeval(*given, "--judge", "openai:echo", "--judge-base-url", judge.url)
        assert found.code == 0, found.err
    table = rows(tmp_path)
    assert list(table["correct"]) == [True, True]
    assert table.loc["12", "scores"]["judged"] == 1
    assert table.loc["12", "scores"]["recall@5"] == 1
    roles = pd.read_parquet(tmp_path / "runs/r/calls.parquet").groupby("sample_id")["role"].agg(list)
    assert roles["11"] == ["turn", "turn", "turn", "turn", "judge"]
