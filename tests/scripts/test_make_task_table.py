"""docs/tasks.md says what the cards say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_overview_of_benchmarks_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/make_task_table.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stderr}: run python scripts/make_task_table.py"


def test_every_card_and_suite_stands_in_it() -> None:
    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    for path in (ROOT / "tasks").rglob("*.yaml"):
        assert f"`{path.stem}`" in text or f"/{path.stem}`" in text, path
