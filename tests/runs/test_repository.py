"""What is said of the user's repository, and that none of the programs runs that a strange one names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mmeval.runs.repository import git_state

WHO = ("-c", "user.email=a@example.org", "-c", "user.name=a")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *WHO, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.py").write_text("1\n")
    git(folder, "add", "a.py")
    git(folder, "commit", "-q", "-m", "first")
    monkeypatch.chdir(folder)
    return folder


def test_commit_and_changes(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD").strip()
    assert git_state() == {"commit": commit, "dirty": False}
    (repository / "b.py").write_text("untracked\n")
    assert git_state() == {"commit": commit, "dirty": False}
    (repository / "a.py").write_text("2\n")
    assert git_state() == {"commit": commit, "dirty": True}


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state() is None


def test_a_repository_of_somebody_else_runs_nothing(repository: Path, tmp_path: Path) -> None:
    """`git status` itself would run each of these."""
    ran = tmp_path / "ran"
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", f"touch {ran}; false")
    (repository / "a.py").write_text("2\n")
    state = git_state()
    assert state is not None
    assert state["dirty"] is True
    assert not ran.exists()
    git(repository, "config", "--unset", "core.fsmonitor")
    git(repository, "config", "filter.x.clean", f"touch {ran}; cat")
    (repository / ".gitattributes").write_text("* filter=x\n")
    state = git_state()
    assert state is not None
    assert state["dirty"] is None, "it cannot be told without running the filter"
    assert not ran.exists()


def test_a_repository_within_it_runs_nothing_either(repository: Path, tmp_path: Path) -> None:
    ran, inner = tmp_path / "ran", tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "c").write_text("1")
    git(inner, "add", "c")
    git(inner, "commit", "-q", "-m", "first")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "inner")
    git(repository, "commit", "-q", "-m", "second")
    git(repository / "inner", "config", "core.fsmonitor", f"touch {ran}; false")
    state = git_state()
    assert state is not None
    assert state["dirty"] is False
    assert not ran.exists()
