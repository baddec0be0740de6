"""Every official protocol runs on its fixture from end to end, with answers from no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("selector", "rows"),
    [
        ("mmmu@official", 6),
        ("mmmu-pro@official", 4),
        ("mmmu-pro-4@official", 2),
        ("mmmu-pro-vision@official", 4),
        ("mathvision@official", 4),
        ("logicvista", 3),
        ("dynamath", 6),
        ("dynamath@official", 6),
        ("we-math@official", 7),
        ("puzzlevqa@official", 2),
        ("mmstar@official", 3),
        ("ai2d", 2),
        ("scienceqa@official", 3),
        ("algopuzzlevqa@official", 2),
    ],
)
def test_chance_on_the_fixture(selector: str, rows: int, command: Callable[..., Any]) -> None:
    found = command("run", "-m", "chance", "-t", selector, "--data-dir", str(DATA), "-o", "run", "--no-report")
    assert found["returned"] == 0, found["stderr"]
    cell = found["leaderboard"][0]
    assert (cell["n"], cell["coverage"]) == (rows, 1.0)
