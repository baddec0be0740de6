"""`mmeval cache prune|export|import|merge` on real runs in child processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

RUN = ("run", "-t", "synthetic/count", "--limit", "10", "--no-report", "--json")


def run(mmeval: Callable, model: str, folder: str, cache: str, *more: str) -> dict:
    done = mmeval(*RUN, "-m", model, "-o", folder, "--cache", cache, *more)
    assert done.code == 0, done.err
    return done.json["counts"]


def test_an_archive_carries_a_run_to_another_machine(mmeval: Callable, tmp_path: Path) -> None:
    two_hop = ("--condition", "standard,two-hop")
    assert run(mmeval, "fake", "runs/a", "a.sqlite", *two_hop)["asked"] == 30
    run(mmeval, "chance", "runs/other", "a.sqlite")
    done = mmeval("cache", "export", "x.gz", "runs/a", "--cache", "a.sqlite", "--json")
    assert done.code == 0, done.err
    assert done.json["missing"] == 0
    taken = mmeval("cache", "import", "x.gz", "--cache", "b.sqlite", "--json")
    assert (taken.code, taken.json["added"]) == (0, done.json["answers"])
    assert run(mmeval, "fake", "runs/b", "b.sqlite", *two_hop)["asked"] == 0
    sound = mmeval("cache", "verify", "--cache", "b.sqlite", "--json")
    assert (sound.code, sound.json["damaged"]) == (0, [])
    everything = mmeval("cache", "export", "all.gz", "--all", "--cache", "a.sqlite", "--json")
    assert everything.json["answers"] > done.json["answers"]
    with sqlite3.connect(tmp_path / "a.sqlite") as database:
        database.execute("DELETE FROM responses WHERE key IN (SELECT key FROM responses WHERE model = 'fake' LIMIT 2)")
    short = mmeval("cache", "export", "x.gz", "runs/a", "--cache", "a.sqlite")
    assert short.code == 6
    assert "2 are not in the cache" in short.err
    assert mmeval("cache", "export", "x.gz", "--cache", "a.sqlite").code == 2


def test_caches_of_shards_come_together(mmeval: Callable, tmp_path: Path) -> None:
    for index in ("1", "2"):
        run(mmeval, "fake", f"runs/s{index}", f"{index}.sqlite", "--shard", f"{index}/2")
    done = mmeval("cache", "merge", "1.sqlite", "2.sqlite", "--cache", "all.sqlite", "--json")
    assert (done.code, done.json["added"]) == (0, 10)
    assert run(mmeval, "fake", "runs/whole", "all.sqlite")["asked"] == 0
    with sqlite3.connect(tmp_path / "2.sqlite") as database:
        database.execute("CREATE TABLE t (x)")
    assert mmeval("cache", "merge", "nowhere.sqlite", "--cache", "all.sqlite").code == 2
    (tmp_path / "text").write_text("no database")
    assert mmeval("cache", "merge", "text", "--cache", "all.sqlite").code == 2


def test_pruning_keeps_what_unfinished_runs_need(mmeval: Callable, tmp_path: Path) -> None:
    for model in ("fake", "chance"):
        run(mmeval, model, f"runs/{model}", "c.sqlite")
    manifest = json.loads((tmp_path / "runs/fake/run.json").read_text())
    manifest["status"] = "running"
    (tmp_path / "runs/fake/run.json").write_text(json.dumps(manifest))
    before = mmeval("cache", "stats", "--cache", "c.sqlite", "--json").json["by_model"]
    young = mmeval("cache", "prune", "--older-than", "1d", "--cache", "c.sqlite", "--json")
    assert (young.code, young.json["deleted"]) == (0, {})
    with sqlite3.connect(tmp_path / "c.sqlite") as database:
        database.execute("UPDATE responses SET created = created - 200000")
    tried = mmeval("cache", "prune", "--older-than", "2d", "--cache", "c.sqlite", "--json", "--dry-run")
    assert list(tried.json["deleted"]) == [name for name in before if name != "fake"]
    assert mmeval("cache", "stats", "--cache", "c.sqlite", "--json").json["by_model"] == before
    done = mmeval("cache", "prune", "--older-than", "2d", "--cache", "c.sqlite", "--json")
    assert "runs/fake is not finished" in done.err
    assert mmeval("cache", "stats", "--cache", "c.sqlite", "--json").json["by_model"] == {"fake": before["fake"]}
    manifest["status"] = "complete"
    (tmp_path / "runs/fake/run.json").write_text(json.dumps(manifest))
    assert mmeval("cache", "prune", "--model", "fake", "--cache", "c.sqlite").code == 0
    assert mmeval("cache", "stats", "--cache", "c.sqlite", "--json").json["responses"] == 0


@pytest.mark.parametrize("arguments", [(), ("--older-than", "soon"), ("--model", "nobody")])
def test_pruning_says_what_it_lacks(mmeval: Callable, arguments: tuple[str, ...]) -> None:
    run(mmeval, "fake", "runs/a", "c.sqlite")
    result = mmeval("cache", "prune", "--cache", "c.sqlite", *arguments)
    assert result.code == 2
    assert "->" in result.err
