"""`mmeval run` over a series of checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKPOINTS = Path(__file__).resolve().parents[2] / "mmeval" / "checkpoints"


@pytest.mark.model
def test_every_step_gets_its_run_and_all_share_one_table(mmeval: Callable, tmp_path: Path) -> None:
    for step, name in ((2, "tiny-early"), (10, "tiny")):
        shutil.copytree(CHECKPOINTS / name, tmp_path / "ckpt" / f"step-{step}")
    (tmp_path / "ckpt" / "step-30").mkdir()
    command = ("run", "-m", "hf:ckpt/step-*", "-t", "synthetic/count", "--limit", "20", "-o", "runs/s")
    first = mmeval(*command, "--json")
    assert first.code == 2
    assert "step-30" in first.err
    assert "config.json" in first.err
    members = first.json["series"]
    assert [Path(member["run"]).name for member in members] == ["step-2", "step-10", "step-30"]
    assert [member["exit_code"] for member in members] == [0, 0, 2]
    assert all((tmp_path / "runs" / "s" / f"step-{step}" / "report.html").is_file() for step in (2, 10))
    assert (tmp_path / "runs" / "s" / "report.html").is_file()

    shutil.rmtree(tmp_path / "ckpt" / "step-30")
    again = mmeval(*command)
    assert again.code == 0, again.err
    assert again.err.count("0 model calls") == 2
    assert again.out.index("step-2") < again.out.index("step-10")


def test_a_pattern_without_folders(mmeval: Callable) -> None:
    result = mmeval("run", "-m", "hf:nowhere/step-*", "-t", "synthetic/count")
    assert result.code == 2
    assert "no checkpoint folder matches" in result.err


def test_a_single_run_is_not_overwritten_by_a_series(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval("run", "-m", "fake", "-t", "synthetic/count", "--limit", "4", "-o", "runs/r", "--no-report").code == 0
    (tmp_path / "ckpt" / "step-1").mkdir(parents=True)
    result = mmeval("run", "-m", "hf:ckpt/step-*", "-t", "synthetic/count", "-o", "runs/r")
    assert result.code == 2
    assert json.loads((tmp_path / "runs" / "r" / "run.json").read_text())["models"]
