"""Which runs a pattern of checkpoints names, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import UsageError
from mmeval.runs.series import expand_series, step_key


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)


def test_steps_come_in_numeric_order(tmp_path: Path) -> None:
    make(tmp_path, "step-10", "step-2", "step-100")
    (tmp_path / "step-3.log").touch()
    members = expand_series([f"vllm:{tmp_path}/step-*"])
    assert members is not None
    assert [m.model for m in members] == [f"vllm:{tmp_path}/step-{n}" for n in (2, 10, 100)]
    assert [m.folder for m in members] == ["step-2", "step-10", "step-100"]


def test_further_models_keep_their_place(tmp_path: Path) -> None:
    make(tmp_path, "a-1")
    members = expand_series(["tiny", f"{tmp_path}/a-[0-9]", "chance"])
    assert members is not None
    assert [m.folder for m in members] == ["tiny", "a-1", "chance"]


def test_equal_folder_names_are_told_apart(tmp_path: Path) -> None:
    make(tmp_path, "x/step-1", "y/step-1")
    members = expand_series([f"hf:{tmp_path}/*/step-1"])
    assert members is not None
    assert len({m.folder for m in members}) == 2


@pytest.mark.parametrize("words", [["tiny"], ["hf:./ckpt", "chance"], ["openai:model*"], ["replay:a*.jsonl"]])
def test_no_series(words: list[str]) -> None:
    assert expand_series(words) is None


def test_a_folder_with_a_star_in_its_name_is_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "odd*name")
    assert expand_series([f"hf:{tmp_path}/odd*name"]) is None


def test_nothing_matches(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint folder matches"):
        expand_series([f"vllm:{tmp_path}/step-*"])


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_the_last_number_decides(steps: list[int]) -> None:
    paths = [f"run-7/step-{step}" for step in steps]
    assert [int(path.rpartition("-")[2]) for path in sorted(paths, key=step_key)] == sorted(steps)
