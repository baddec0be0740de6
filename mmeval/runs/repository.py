"""The state of the user's own repository, asked of git in such a way that no program named in it runs."""

from __future__ import annotations

import os
import subprocess
from typing import Any

_HARMLESS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
"""A folder that somebody else packed may bring a repository whose settings name programs."""
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
"""The index is not written, and nothing is fetched."""
_OWN = ("local", "worktree")


def git_state() -> dict[str, Any] | None:
    """Commit of the working directory, which usually holds the user's training code.

    `dirty` says whether tracked files were changed. It is None where that cannot be told without running a program that the
    repository itself names (a filter). Files within submodules are not looked at, only which commit is checked out there.
    """
    try:
        commit = _git("rev-parse", "HEAD").strip()
        filters = _git("config", "--show-scope", "--name-only", "--get-regexp", r"^filter\.", codes=(0, 1))
        if any(line.split("\t", 1)[0] in _OWN for line in filters.splitlines()):
            return {"commit": commit, "dirty": None}
        status = _git("status", "--porcelain", "-uno", "--ignore-submodules=dirty")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(status.strip())}


def _git(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        ["git", *_HARMLESS, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=10,
        env={**os.environ, **_ENVIRONMENT},
    )
    if done.returncode not in codes:
        raise subprocess.CalledProcessError(done.returncode, done.args)
    return done.stdout
