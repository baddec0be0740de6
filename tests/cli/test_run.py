"""`mmeval run` as a user sees it, with an engine of fixed answers."""

from __future__ import annotations

import json
import os
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

RUN = (
    "run",
    "-m",
    "fake",
    "-t",
    "synthetic/existence,synthetic/count",
    "--limit",
    "40",
    "-o",
    "runs/r",
    "--no-report",
    "--json",
)


def table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "results.parquet").drop(columns="latency_s")


def test_same_command_again_asks_nothing(mmeval: Callable, tmp_path: Path) -> None:
    first = mmeval(*RUN)
    assert first.code == 0, first.err
    before = table(tmp_path / "runs/r")
    second = mmeval(*RUN)
    assert second.code == 0
    assert first.json["counts"]["asked"] == 80
    assert second.json["counts"] == {**first.json["counts"], "asked": 0, "cached": 80}
    pd.testing.assert_frame_equal(before, table(tmp_path / "runs/r"))
    assert second.json["leaderboard"] == first.json["leaderboard"]
    for row in second.json["leaderboard"]:
        assert row["n"] == 40
        assert row["coverage"] == 1.0
        assert row["ci"][0] <= row["value"] <= row["ci"][1]


def test_failures_leave_the_mean_and_only_the_missing_are_asked_again(mmeval: Callable, tmp_path: Path) -> None:
    command = (*RUN[:6], "200", *RUN[7:], "--attempts", "2")
    failing = mmeval(*command, "--engine-arg", "failure_share=0.05")
    assert failing.code == 6, failing.err
    rows = table(tmp_path / "runs/r")
    errors = rows[rows["outcome"] == "error"]
    assert 5 <= len(errors) <= 40
    assert errors["response"].isna().all()
    assert errors["score"].isna().all()
    for cell in failing.json["leaderboard"]:
        mine = rows[(rows["task"] == cell["task"]) & (rows["outcome"] != "error")]
        assert cell["value"] == pytest.approx(mine["correct"].astype(float).mean())
        assert cell["coverage"] == pytest.approx(len(mine) / 200)
    assert "run the same command again" in failing.err
    healed = mmeval(*command, "--overwrite")
    assert healed.code == 0, healed.err
    assert healed.json["counts"]["asked"] == len(errors)
    assert healed.json["counts"]["cached"] == 400 - len(errors)
    after = table(tmp_path / "runs/r")
    answered = rows[rows["outcome"] != "error"].drop(columns="request_hash")
    pd.testing.assert_frame_equal(after.drop(columns="request_hash").loc[answered.index], answered, check_dtype=False)


def test_a_passing_fault_is_retried(mmeval: Callable) -> None:
    found = mmeval(*RUN, "--engine-arg", "failure_share=0.2", "--engine-arg", "failure_times=1")
    assert found.code == 0, found.err
    assert found.json["counts"]["asked"] > 80


def test_a_dead_endpoint_ends_quickly_and_keeps_what_is_finished(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "fake", "-t", "synthetic/existence", "--limit", "400", "-o", "runs/r", "--json", "--no-report",
                   "--engine-arg", "failure_share=1.0", "--outage", "0", "--attempts", "1", "--concurrency", "4")  # fmt: skip
    assert found.code == 6
    assert found.json["counts"]["asked"] < 100
    assert found.json["counts"]["error"] == 400
    assert found.json["leaderboard"][0]["value"] is None
    assert "injected error" in found.err


def test_repeats_get_their_own_seeds(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval(*RUN, "--repeats", "3")
    assert found.code == 0, found.err
    rows = table(tmp_path / "runs/r")
    assert len(rows) == 240
    assert rows["request_hash"].nunique() == 240
    assert rows.groupby(["task", "sample_id"]).size().eq(3).all()
    assert found.json["leaderboard"][0]["n"] == 40


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (("--seed", "1"), 80),
        (("--sampling", "temperature=0.5"), 80),
        (("--sampling", "max_tokens=77"), 80),
        (("--engine-arg", "answer=yes"), 80),
        (("--concurrency", "3"), 0),
        (("--timeout", "5"), 0),
        (("--attempts", "3"), 0),
        (("--condition", "blind"), 80),
    ],
)
def test_what_misses_the_cache(mmeval: Callable, change: tuple[str, ...], asked: int) -> None:
    assert mmeval(*RUN).code == 0
    found = mmeval(*RUN, *change, "--overwrite")
    assert found.code == 0, found.err
    assert found.json["counts"]["asked"] == asked


def test_another_configuration_does_not_replace_a_run(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval(*RUN).code == 0
    before = (tmp_path / "runs/r/results.parquet").read_bytes()
    refused = mmeval(*RUN, "--seed", "9")
    assert refused.code == 2
    assert "seed" in refused.err
    assert "--overwrite" in refused.err
    assert (tmp_path / "runs/r/results.parquet").read_bytes() == before


def test_config_of_a_run_repeats_it(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval(*RUN).code == 0
    again = mmeval("run", "--config", "runs/r/run.json", "-o", "runs/copy", "--no-report", "--json")
    assert again.code == 0, again.err
    assert again.json["counts"]["asked"] == 0
    pd.testing.assert_frame_equal(table(tmp_path / "runs/r"), table(tmp_path / "runs/copy"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-m", "fake", "-t", "synthetic/cont"), "synthetic/count"),
        (("-m", "fake", "-t", "synthetic/count@eesy"), "easy"),
        (("-m", "fake", "-t", "nothing/*"), "mmeval tasks list"),
        (("-m", "opnai:x", "-t", "demo"), "openai"),
        (("-m", "fake", "-t", "demo", "--sampling", "temprature=1"), "temperature"),
        (("-m", "fake", "-t", "demo", "--sampling", "temperature=hot"), "number"),
        (("-m", "fake", "-t", "demo", "--limit", "-3"), "200"),
        (("-m", "fake", "-t", "demo", "--condition", "blnd"), "blind"),
        (("-m", "fake", "-t", "puzzlevqa"), "--data-dir"),
        (("-m", "fake", "-t", "puzzlevqa", "--data-dir", "nowhere"), "no such folder"),
        (("-m", "fake", "-t", "demo", "--config", "missing.yaml"), "missing.yaml"),
        (("-m", "fake", "-t", "demo", "--prompt-file", "missing.txt"), "missing.txt"),
        (("-m", "fake", "-t", "mathvista@official"), "judge"),
        (("-m", "fake"), "-t"),
        (("-t", "demo"), "-m"),
        (("-m", "fake,fake", "-t", "demo"), "twice"),
        (("-m", "hf:./no-such-checkpoint", "-t", "demo"), "no-such-checkpoint"),
        (("-m", "openai:x", "-t", "demo", "--base-url", "http://127.0.0.1:9/v1"), "127.0.0.1:9"),
        (("--modl", "fake"), "--model"),
    ],
)
def test_wrong_input_says_what_to_do(mmeval: Callable, arguments: tuple[str, ...], says: str) -> None:
    found = mmeval("run", *arguments)
    assert found.code == 2, (found.code, found.err)
    assert says in found.err
    assert found.out == ""


def test_unknown_command_names_the_nearest(mmeval: Callable) -> None:
    found = mmeval("rnu")
    assert found.code == 2
    assert "run" in found.err


def test_a_run_in_which_everything_failed_has_a_report(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "fake", "-t", "synthetic/attribute", "--limit", "4", "--attempts", "1", "-o", "r",
                   "--engine-arg", "failure_share=1")  # fmt: skip
    assert found.code == 6, found.err
    page = (tmp_path / "r/report.html").read_text()
    assert "fake: none of 4 rows could be scored (4 error). Why: injected error (4×)" in page


def test_each_model_keeps_its_own_prompt(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "chance,fake,fake:b", "-t", "synthetic/point", "--limit", "3", "-o", "r",
                   "--profile", "qwen3-vl", "--no-report")  # fmt: skip
    assert found.code == 0, found.err
    samples = pd.read_parquet(tmp_path / "r/samples.parquet")
    told = {tuple(row.models): "from 0 to 1000" in row.messages for row in samples.itertuples()}
    assert told == {("chance",): True, ("fake", "b"): False}
    assert len(samples) == 6


def test_dry_run_shows_the_request_and_asks_nothing(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "fake", "-t", "synthetic/attribute", "--limit", "10", "--dry-run")
    assert found.code == 0, found.err
    assert "(A)" in found.out
    assert "10 samples, 10 images" in found.out
    assert not (tmp_path / "cache").exists()


def test_read_only_cache_is_refused_before_anything_is_asked(mmeval: Callable, tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite").write_bytes(b"this is no database, only a file of text " * 40)
    found = mmeval(*RUN, "--cache", "cache.sqlite")
    assert found.code == 2
    assert "cache.sqlite" in found.err
    assert "--cache" in found.err


def test_a_wrong_place_costs_nothing(mmeval: Callable, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for arguments, says in (
        (("-o", "a-file"), "run folder a-file cannot be written: a-file is a file"),
        (("-o", "new", "--cache", "folder"), "use --cache folder/responses.sqlite"),
        (("-o", "new", "--cache", "a-file/cache.sqlite"), "a-file is a file, not a folder"),
    ):
        found = mmeval("run", "-m", "fake", "-t", "synthetic/attribute", "--limit", "2", *arguments)
        assert found.code == 2, found.err
        assert says in found.err
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "a-file").read_text() == "mine"


def test_manifest_holds_what_was_asked(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval(*RUN).code == 0
    manifest = json.loads((tmp_path / "runs/r/run.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["command"][1:3] == ["run", "-m"]
    assert [task["samples"] for task in manifest["tasks"]] == [40, 40]
    assert all(task["items_digest"] for task in manifest["tasks"])
    assert any("40 of 500" in note for note in manifest["notes"])
    assert not list((tmp_path / "runs/r").glob("rows.sqlite*"))


def test_cache_commands(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval(*RUN).code == 0
    assert mmeval("cache", "stats", "--json").json["responses"] == 80
    assert mmeval("cache", "verify").code == 0
    with sqlite3.connect(tmp_path / "cache/responses.sqlite") as database:
        database.execute("UPDATE responses SET response = response || ' ' WHERE key = (SELECT MIN(key) FROM responses)")
    damaged = mmeval("cache", "verify")
    assert damaged.code == 2
    assert "1 damaged" in damaged.err
    healed = mmeval(*RUN)
    assert healed.json["counts"]["asked"] == 1
    assert mmeval("cache", "verify").code == 0


def test_an_engine_that_cannot_start_leaves_the_other_models_alone(mmeval: Callable, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    config = {
        "model_type": "qwen3_vl",
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "vision_config": {"depth": 1},
    }
    (broken / "config.json").write_text(json.dumps(config))
    (broken / "preprocessor_config.json").write_text("{}")
    (broken / "model.safetensors").write_bytes(b"\x00" * 64)
    (broken / "tokenizer.json").write_text("{}")
    found = mmeval(
        "run", "-m", "fake,hf:./broken", "-t", "synthetic/existence", "--limit", "20", "-o", "runs/r", "--no-report"
    )
    assert found.code == 2, found.err
    assert "broken" in found.err
    if (tmp_path / "runs/r/results.parquet").exists():  # found out only when the weights were loaded
        rows = table(tmp_path / "runs/r")
        assert (rows["model"] == "fake").sum() == 20


def test_one_broken_row_is_an_error_and_the_rest_is_scored(mmeval: Callable, tmp_path: Path) -> None:
    rows = [{"id": str(i), "question": "Which?", "options": ["red", "blue"], "answer": "A"} for i in range(5)]
    rows[3]["answer"] = "Z"
    (tmp_path / "data").mkdir()
    (tmp_path / "data/own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert mmeval("tasks", "new", "own").code == 0
    card = (tmp_path / "own.yaml").read_text().replace("  images: [image]", "  images: []")
    (tmp_path / "own.yaml").write_text(card)
    arguments = (
        "run",
        "-m",
        "fake",
        "-t",
        "own",
        "--task-path",
        ".",
        "--data-dir",
        "data",
        "-o",
        "r",
        "--no-report",
        "--json",
    )
    found = mmeval(*arguments)
    assert found.code == 6, found.err
    assert "'Z' is no letter" in found.err
    assert found.json["leaderboard"][0]["n"] == 4
    del rows[0]["answer"]
    (tmp_path / "data/own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused = mmeval(*arguments)
    assert refused.code == 2, "the first row shows that the card does not fit"
    assert "answer" in refused.err


def test_an_interrupted_rerun_keeps_a_more_complete_table(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval(*RUN).code == 0
    before = (tmp_path / "runs/r/results.parquet").read_bytes()
    slow = [
        sys.executable,
        "-m",
        "mmeval",
        *RUN,
        "--cache",
        "slow.sqlite",
        "--engine-arg",
        "latency_s=0.5",
        "--overwrite",
    ]
    process = subprocess.Popen(
        slow, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "runs/r/rows.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (tmp_path / "runs/r/results.parquet").read_bytes() == before


def test_a_finished_run_is_not_read_again_until_something_changes(mmeval: Callable, tmp_path: Path) -> None:
    command = ("run", "-m", "fake", "-t", "synthetic/count", "--limit", "10", "-o", "r", "--json")
    assert mmeval(*command).code == 0
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "r").rglob("*") if path.is_file()}
    again = mmeval(*command)
    assert again.json["counts"]["cached"] == 10
    assert {path: path.stat().st_mtime_ns for path in files} == files
    (tmp_path / "r" / "results.parquet").unlink()
    assert mmeval(*command).code == 0
    assert len(table(tmp_path / "r")) == 10
    manifest = json.loads((tmp_path / "r" / "run.json").read_text())
    manifest["tasks"][0]["score_digest"] = "0" * 64
    (tmp_path / "r" / "run.json").write_text(json.dumps(manifest))
    assert mmeval(*command).code == 0
    assert json.loads((tmp_path / "r" / "run.json").read_text())["tasks"][0]["score_digest"] != "0" * 64
