"""MEGA-Bench's official scores, from the task results of its own scorer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.support import expectations


@pytest.mark.realdata
def test_core_open_and_overall(published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path) -> None:
    folder = published("megabench")
    for model, entry in expectations(folder).items():
        found = command(
            "import", "megabench", str(folder / model / "analysis" / "task_results.json"), "-t", "megabench@official",
            "--model", model, "-o", str(tmp_path / "run"), "--no-report",
        )  # fmt: skip
        assert found["returned"] == 0, found["stderr"]
        cell = found["leaderboard"][0]
        sets = {row["subset"][1]: row for row in found["subsets"] if row["subset"][0] == "set"}
        core, open_set, overall = entry["official"]
        assert cell["value"] == pytest.approx(overall, abs=1e-12)
        assert sets["core"]["value"] == pytest.approx(core, abs=1e-12)
        assert sets["open"]["value"] == pytest.approx(open_set, abs=1e-12)
        assert (cell["n"], sets["core"]["n"], sets["open"]["n"]) == (entry["tasks"], 440, 65)
        summary = json.loads((folder / model / "analysis/summary_and_keyword_stats.json").read_text(encoding="utf-8"))
        assert summary["model_summary"]["model_summary"]["core"]["num_eval_tasks"] == sets["core"]["n"]
