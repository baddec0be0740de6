"""Running the real command line in a child process, in a fresh directory.

A child is forked from a process that has the modules of every command imported: importing them anew takes longer than most commands.
That a command imports what it needs is shown by `test_startup.py`, `test_every_card.py` and the other tests that start Python themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mmeval.cli.main import COMMANDS
from tests.faults.zygote import Zygote

MODULES = (
    *(place.partition(":")[0] for place, _ in COMMANDS.values()),
    "mmeval.analysis.comparison", "mmeval.analysis.diagnose", "mmeval.analysis.gate", "mmeval.cli.judge_label",
    "mmeval.conditions.looking", "mmeval.reports.build", "mmeval.reports.charts", "mmeval.reports.published", "mmeval.reports.terminal",
    "mmeval.runs.merge", "mmeval.runs.score_worker", "mmeval.runs.scoring", "mmeval.stats.functionals",
    "altair", "jsonschema", "rich.console", "rich.progress", "rich.table", "scipy.special", "scipy.stats", "tests.cli.compiled",
)  # fmt: skip
"""What the zygote has imported beside the modules of a run."""


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


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """The process that children are forked from."""
    with Zygote(tmp_path_factory.mktemp("zygote"), MODULES) as running:
        yield running


@pytest.fixture
def mmeval(tmp_path: Path, zygote: Zygote) -> Callable[..., Result]:
    """Run `mmeval ARGUMENTS…` in the test's directory."""

    def run(*arguments: str, timeout: float = 120) -> Result:
        child = zygote.start(tmp_path, *arguments, variables=environment(tmp_path), only=True)
        ended = child.wait(timeout)
        assert "Traceback" not in ended.err, ended.err
        return Result(ended.code, ended.out, ended.err)

    return run
