"""Running the real command line in a child process, in a fresh directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Result:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def environment(home: Path) -> dict[str, str]:
    """The environment of a child: no settings of the developer's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MMEVAL_", "OPENAI_"))}
    return {
        **kept,
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache-home"),
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture
def mmeval(tmp_path: Path) -> Callable[..., Result]:
    """Run `mmeval ARGUMENTS…` in the test's directory."""

    def run(*arguments: str, timeout: float = 120) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "mmeval", *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return run
