"""Shards of a run, and their merging, in real child processes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmeval.cli.run import _execute
from mmeval.runs import joining, tables
from mmeval.runs.config import RunConfig, config_digest, default_output
from mmeval.runs.folder import open_run
from mmeval.runs.labels import KEY, Label, read_labels_table, write_labels_table
from mmeval.runs.manifest import read_manifest
from mmeval.runs.merge import merge_runs
from mmeval.runs.score import ScoreOptions, score_run
from tests.cli.conftest import environment
from tests.cli.test_judge_run import DATA, extracted, judging

TABLES = ("results.parquet", "samples.parquet")
COMMAND = (
    "run",
    "-m",
    "fake",
    "-t",
    "synthetic/count,synthetic/spatial",
    "--limit",
    "14",
    "--cache",
    "c.sqlite",
    "--no-report",
)


def local(folder: Path, config: RunConfig, name: str) -> Path:
    """Run inside of this process, which takes a tenth of the time."""
    made = config.model_copy(update={"output": str(folder / name)})
    outcome = asyncio.run(_execute(made, folder / name, folder / "c.sqlite", False, None))
    assert outcome.exit_code == 0, outcome
    return folder / name


def shards(folder: Path, config: RunConfig, count: int) -> list[Path]:
    return [
        local(folder, config.model_copy(update={"shard": f"{index}/{count}"}), f"s{index}")
        for index in range(1, count + 1)
    ]


def merged(folder: Path, runs: list[Path], name: str = "merged") -> Path:
    merge_runs([open_run(run) for run in runs], folder / name, ["mmeval", "merge"])
    return folder / name


def same(first: Path, second: Path, tables: tuple[str, ...] = TABLES) -> None:
    for name in tables:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    one, two = read_manifest(first), read_manifest(second)
    # How many were in flight is a fact of each run's time, like its seconds.
    one, two = (
        made.model_copy(update={"models": [model.model_copy(update={"admission": {}}) for model in made.models]})
        for made in (one, two)
    )
    for name in ("config_digest", "tasks", "models", "conditions", "repeats", "seeds", "versions", "status"):
        assert getattr(one, name) == getattr(two, name), name
    outcomes = ("scored", "no_answer", "unsupported", "unscored", "error", "missing")
    assert {name: one.counts[name] for name in outcomes} == {name: two.counts[name] for name in outcomes}
    assert {path.name for path in (first / "media").iterdir()} == {path.name for path in (second / "media").iterdir()}


def test_shards_come_together_as_the_run_that_was_never_cut(mmeval: Callable, tmp_path: Path) -> None:
    for index in (1, 2, 3):
        made = mmeval(*COMMAND, "--shard", f"{index}/3", "-o", f"s{index}", "--json")
        assert made.code == 0, made.err
        assert made.json["status"] == "incomplete"
        assert made.json["shard"] == {"index": index, "count": 3}
        assert made.json["leaderboard"] == []
        assert "`mmeval merge` joins the shards" in made.err
        assert not (tmp_path / f"s{index}" / "report.html").exists()
    done = mmeval("merge", "s3", "s1", "s2", "-o", "merged", "--json")
    assert done.code == 0, done.err
    whole = mmeval(*COMMAND, "-o", "whole", "--json")
    assert whole.json["counts"]["asked"] == 0, "a shard asks what the whole asks"
    assert done.json["leaderboard"] == whole.json["leaderboard"]
    assert (tmp_path / "merged" / "report.html").is_file()
    same(tmp_path / "merged", tmp_path / "whole")
    rows = [pd.read_parquet(tmp_path / f"s{index}" / "results.parquet") for index in (1, 2, 3)]
    homes: dict[Any, set[int]] = {}
    for index, frame in enumerate(rows):
        for key in zip(frame["task"], frame["cluster"], strict=True):
            homes.setdefault(key, set()).add(index)
    assert all(len(found) == 1 for found in homes.values())
    assert [entry.shard for entry in read_manifest(tmp_path / "merged").merged] == ["1/3", "2/3", "3/3"]
    again = mmeval(*COMMAND, "-o", "merged", "--json")
    assert again.code == 0, again.err
    assert again.json["counts"]["asked"] == 0, "the merged run resumes like any other"


def test_shards_of_the_same_command_have_folders_beside_the_run(tmp_path: Path) -> None:
    config = RunConfig(models=["fake"], tasks=["synthetic/count"])
    first, second = (config.model_copy(update={"shard": text}) for text in ("1/2", "2/2"))
    assert default_output(first).name == f"{default_output(config).name}-shard-1-of-2"
    assert len({config_digest(one) for one in (config, first, second)}) == 3
    assert RunConfig(shard=" 01/2").shard == "1/2"


def test_conditions_that_look_at_other_items_and_repeats_are_as_in_the_whole(tmp_path: Path) -> None:
    config = RunConfig(
        models=["fake", "chance"],
        tasks=["synthetic/count", "synthetic/point"],
        limit=20,
        repeats=2,
        conditions=["standard", "shuffled:1", "two-hop"],
    )
    parts = shards(tmp_path, config, 3)
    whole = local(tmp_path, config, "whole")
    same(merged(tmp_path, parts), whole, (*TABLES, "calls.parquet"))


def test_many_shards_are_joined_in_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig(
        models=["fake", "chance"], tasks=["synthetic/existence"], limit=30, conditions=["standard", "blind"]
    )
    monkeypatch.setattr(joining, "FAN_IN", 2)
    monkeypatch.setattr(joining, "BUFFERED_ROWS", 6)
    for module in (joining, tables):
        monkeypatch.setattr(module, "ROW_GROUP", 7)
    parts = shards(tmp_path, config, 7)
    whole = local(tmp_path, config, "whole")
    found = merged(tmp_path, parts)
    same(found, whole)
    assert pq.read_metadata(found / "results.parquet").num_row_groups > 10
    assert not list(found.glob(".*parquet"))


def test_runs_cut_by_models_and_tasks(tmp_path: Path) -> None:
    tasks = ["synthetic/count", "synthetic/spatial"]
    config = RunConfig(models=["fake", "chance"], tasks=tasks, limit=10)
    cells = [
        local(tmp_path, RunConfig(models=[model], tasks=[task], limit=10), f"{model}-{task[10:]}")
        for model in config.models
        for task in tasks
    ]
    same(merged(tmp_path, cells), local(tmp_path, config, "whole"))
    both = [
        local(tmp_path, RunConfig(models=[model], tasks=tasks, limit=10, shard=f"{index}/2"), f"{model}-{index}")
        for model in config.models
        for index in (1, 2)
    ]
    same(merged(tmp_path, both, "crossed"), tmp_path / "whole")


def test_labels_and_judges_calls_are_joined(tmp_path: Path) -> None:
    config = RunConfig(models=["fake"], tasks=["synthetic/count"], limit=12, conditions=["standard", "two-hop"])
    parts = shards(tmp_path, config, 2)
    labelled = []
    for part in parts:
        run = open_run(part)
        first = next(iter(run.rows("results")))
        key = {name: first[name] for name in KEY}
        write_labels_table(run, [Label(**key, source="human", label="counting", perceived=1.0)])
        labelled.append(first["sample_id"])
    joined = open_run(merged(tmp_path, parts))
    assert [label.sample_id for label in read_labels_table(joined)] == labelled
    assert not (local(tmp_path, config, "whole") / "labels.parquet").exists()
    same(joined.path, tmp_path / "whole", ("calls.parquet",))


def test_shards_that_a_judge_scored_come_together_as_the_whole_scored_by_it(tmp_path: Path) -> None:
    config = RunConfig(
        models=["fake"], tasks=["mathvista"], data_dir=DATA, conditions=["standard", "two-hop"], concurrency=4
    )
    parts = [*shards(tmp_path, config, 2), local(tmp_path, config, "whole")]
    scored = []
    with judging(extracted("7")) as endpoint:
        judge = {"judge": "openai:echo", "judge_base_urls": [endpoint.url]}
        for part in parts:
            options = ScoreOptions(part.with_name(f"{part.name}-judged"), judge=judge, cache=tmp_path / "c.sqlite")
            assert asyncio.run(score_run(open_run(part), options, ["mmeval", "score"])).exit_code == 0
            scored.append(options.folder)
    made = pd.read_parquet(merged(tmp_path, scored[:2]) / "calls.parquet")
    whole = pd.read_parquet(scored[2] / "calls.parquet")
    order = ["model", "task", "condition", "sample_id", "repeat", "turn"]
    roles = {key: list(rows["role"]) for key, rows in whole.groupby(["condition", "sample_id"])}
    assert set(map(tuple, roles.values())) >= {("model", "judge"), ("describe", "answer", "judge")}
    assert not whole.duplicated(order).any()
    pd.testing.assert_frame_equal(made.drop(columns="latency_s"), whole.drop(columns="latency_s"))
    same(tmp_path / "merged", scored[2], ("samples.parquet",))


def picture(path: Path, shade: int) -> None:
    from PIL import Image

    Image.new("RGB", (16, 16), (shade, 40, 40)).save(path)


def test_a_local_file_is_cut_by_its_pictures(mmeval: Callable, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(6):
        picture(tmp_path / "data" / f"{number}.png", 20 * (number % 5))  # 0 and 5 are the same picture
    lines = [
        {"id": f"q{n}", "question": f"Question {n}?", "answer": str(n), "image": f"{n % 6}.png"} for n in range(23)
    ]
    lines.append({"id": "q1", "question": "again", "answer": "1", "image": "1.png"})  # at fault, in whole and shard
    (tmp_path / "data" / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = (
        "run",
        "-m",
        "fake",
        "-t",
        "file:data/q.jsonl",
        "--limit",
        "20",
        "--cache",
        "c.sqlite",
        "--allow-errors",
        "1",
    )
    for index in (1, 2):
        made = mmeval(*command, "--shard", f"{index}/2", "-o", f"s{index}")
        assert made.code == 0, made.err
    done = mmeval("merge", "s1", "s2", "-o", "merged")
    assert done.code == 0, done.err
    assert mmeval(*command, "-o", "whole").code == 0
    same(tmp_path / "merged", tmp_path / "whole")
    homes = [set(pd.read_parquet(tmp_path / name / "results.parquet")["cluster"]) for name in ("s1", "s2")]
    assert homes[0]
    assert homes[1]
    assert not homes[0] & homes[1]


def test_a_killed_shard_resumes_and_the_merge_waits_for_it(mmeval: Callable, tmp_path: Path) -> None:
    command = ("run", "-m", "fake:fixed", "-t", "synthetic/existence", "--limit", "200", "--engine-arg", "latency_s=0.05",
               "--concurrency", "4", "--no-report")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "mmeval", *command, "--shard", "1/2", "-o", "s1", "--cache", "one.sqlite"],
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "s1" / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    second = mmeval(*command, "--shard", "2/2", "-o", "s2", "--cache", "two.sqlite")
    assert second.code == 0, second.err
    early = mmeval("merge", "s1", "s2", "-o", "merged")
    assert early.code == 6
    assert "s1 (running)" in early.err
    assert not (tmp_path / "merged" / "run.json").exists()
    resumed = mmeval(*command, "--shard", "1/2", "-o", "s1", "--cache", "one.sqlite", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["counts"]["cached"] > 0
    assert mmeval("merge", "s1", "s2", "-o", "merged").code == 0
    assert mmeval(*command, "-o", "whole", "--cache", "three.sqlite").code == 0
    tables = [pd.read_parquet(tmp_path / name / "results.parquet") for name in ("merged", "whole")]
    pd.testing.assert_frame_equal(*(table.drop(columns="latency_s") for table in tables))


class TestRefusals:
    def test_what_is_missing_is_named(self, mmeval: Callable, tmp_path: Path) -> None:
        config = RunConfig(models=["fake"], tasks=["synthetic/count"], limit=12)
        shards(tmp_path, config, 5)
        result = mmeval("merge", "s1", "s4", "-o", "merged")
        assert result.code == 6
        assert "shard 2-3, 5 of 5" in result.err
        twice = mmeval("merge", "s1", "s1", "s2", "s3", "s4", "s5", "-o", "merged")
        assert twice.code == 5
        assert "both hold shard 1/5" in twice.err
        assert not (tmp_path / "merged").exists()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"shard": "2/3"}, "shards of other cuts"),
            ({"seed": 1}, "seed: 0 and 1"),
            ({"prompt": "{{ question }} Please."}, "prompt"),
            ({"sampling": {"temperature": 0.5}}, "sampling"),
            ({"limit": 13}, "limit: 12 and 13"),
            ({"models": ["fake:other"]}, "missing: "),
            ({"shard": None}, "is a whole run"),
        ],
    )
    def test_runs_of_other_configurations(
        self, mmeval: Callable, tmp_path: Path, change: dict[str, Any], said: str
    ) -> None:
        config = RunConfig(models=["fake"], tasks=["synthetic/count"], limit=12, shard="1/2")
        local(tmp_path, config, "a")
        local(tmp_path, config.model_copy(update={"shard": "2/2", **change}), "b")
        result = mmeval("merge", "a", "b", "-o", "merged")
        assert result.code in (5, 6)
        assert said in result.err
        assert not (tmp_path / "merged").exists()

    def edited(self, folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
        path = folder / "run.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda m: m["models"][0].update(identity_digest="0" * 64), "other weights"),
            (lambda m: m["models"][0].update(engine_version="9"), "asked fake with"),
            (lambda m: m["tasks"][0].update(ask_digest="0" * 64), "ask synthetic/count@default differently"),
            (lambda m: m["tasks"][0].update(score_digest="0" * 64), "score synthetic/count@default differently"),
            (lambda m: m["tasks"][0].update(protocol="official"), "under other protocols"),
            (lambda m: m["versions"].update(mmeval="9.9"), "mmeval"),
            (lambda m: m["shard"]["parts"][0].update(digest="0" * 64), "shards of other data"),
            (lambda m: m["counts"].update(missing=3), "3 rows were not asked"),
        ],
    )
    def test_manifests_that_do_not_fit(self, tmp_path: Path, mmeval: Callable, change: Any, said: str) -> None:
        shards(tmp_path, RunConfig(models=["fake"], tasks=["synthetic/count"], limit=8), 2)
        self.edited(tmp_path / "s2", change)
        result = mmeval("merge", "s1", "s2", "-o", "merged")
        assert result.code in (5, 6)
        assert said in result.err

    def test_overlapping_runs_say_whether_their_answers_differ(self, mmeval: Callable, tmp_path: Path) -> None:
        config = RunConfig(models=["fake"], tasks=["synthetic/count"], limit=8)
        for name in ("a", "b"):
            local(tmp_path, config, name)
        equal = mmeval("merge", "a", "b", "-o", "merged")
        assert equal.code == 5
        assert "8 rows with the same answers" in equal.err
        table = pq.read_table(tmp_path / "b" / "results.parquet")
        responses = table["response"].to_pylist()
        responses[2] = "another"
        # As other programs write texts.
        changed = pa.array(responses, pa.large_string())
        table = table.set_column(table.schema.get_field_index("response"), "response", changed)
        pq.write_table(table, tmp_path / "b" / "results.parquet")
        other = mmeval("merge", "a", "b", "-o", "merged")
        assert "1 of 8 rows with different answers" in other.err

    def test_a_table_that_lost_rows(self, mmeval: Callable, tmp_path: Path) -> None:
        first, _ = shards(tmp_path, RunConfig(models=["fake"], tasks=["synthetic/count"], limit=8), 2)
        table = pq.read_table(first / "results.parquet")
        pq.write_table(table.slice(1), first / "results.parquet")
        result = mmeval("merge", "s1", "s2", "-o", "merged")
        assert result.code == 2
        assert "the manifests say 8" in result.err
        assert not (tmp_path / "merged" / "run.json").exists()

    @pytest.mark.parametrize("text", ["0/2", "3/2", "x", "1"])
    def test_shards_that_are_none(self, mmeval: Callable, text: str) -> None:
        result = mmeval("run", "-m", "fake", "-t", "synthetic/count", "--shard", text)
        assert result.code == 2
        assert "--shard" in result.err

    def test_two_shards_never_share_a_folder(self, mmeval: Callable) -> None:
        assert mmeval(*COMMAND, "--shard", "1/2", "-o", "r").code == 0
        second = mmeval(*COMMAND, "--shard", "2/2", "-o", "r")
        assert second.code == 2
        assert "differs in shard" in second.err

    def test_a_gate_takes_no_shard(self, mmeval: Callable, tmp_path: Path) -> None:
        for model in ("fake", "chance"):
            local(tmp_path, RunConfig(models=[model], tasks=["synthetic/count"], limit=8, shard="1/1"), model)
        (tmp_path / "gate.yaml").write_text(
            "version: 1\nrules:\n  - {id: same, task: synthetic/count, kind: no_regression, margin: 0.1, min_effect: 0.01}\n"
        )
        result = mmeval("gate", "--baseline", "fake", "--candidate", "chance", "--policy", "gate.yaml")
        assert result.code == 6
        assert "larger run" in " ".join(result.out.split())
        compared = mmeval("compare", "fake", "chance", "--json")
        assert "chance is shard 1/1 of a larger run" in " ".join(compared.json["comparisons"][0]["notes"])
