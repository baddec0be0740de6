"""Published outputs, unpacked once per archive, and the real command line to read them with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REALDATA = ROOT.parent / "shared" / "realdata"


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of an archive that holds its `expected.json`, where it has one; skip the test where the archive is not here."""
    unpacked: dict[str, Path] = {}

    def folder(name: str) -> Path:
        archive = REALDATA / f"{name}.tar.xz"
        if not archive.exists():
            pytest.skip(f"the published outputs are not here ({archive.name} in ../shared/realdata)")
        if name not in unpacked:
            target = tmp_path_factory.mktemp(name)
            with tarfile.open(archive) as opened:
                opened.extractall(target, filter="data")
            # An archive of gold alone has no scores.
            unpacked[name] = next((path.parent for path in target.glob("**/expected.json")), target)
        return unpacked[name]

    return folder


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Any]:
    """Run `mmeval ARGUMENTS… --json` in the test's own directory; return what it printed, whatever the exit code."""

    def run(*arguments: str) -> Any:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MMEVAL_", "OPENAI_"))}
        environment = {**kept, "XDG_STATE_HOME": str(tmp_path / "state"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "mmeval", *arguments, "--json"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout) | {"stderr": done.stderr, "returned": done.returncode}

    return run
