"""MM-Vet's official scores, from stored grades: total, six capabilities, their integrations, and the spread over runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.support import expectations

CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")


def grades(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Return a row per question and run of the grading."""
    path = folder / "llava-v1.5" / f"llava-v1.5-7b_gpt-4-grade-{runs}runs.json"
    answers = json.loads((folder / "llava-v1.5" / "llava-v1.5-7b.json").read_text(encoding="utf-8"))
    found = json.loads(path.read_text(encoding="utf-8"))
    return [
        {"id": name, "response": answers[name], "repeat": repeat, "score": score}
        for name, entry in found.items()
        for repeat, score in enumerate(entry["score"])
    ]


def spread(rows: list[dict[str, Any]]) -> float:
    """Return the standard deviation of the totals of the runs, in percent."""
    runs = sorted({row["repeat"] for row in rows})
    return float(np.std([100 * np.mean([row["score"] for row in rows if row["repeat"] == run]) for run in runs]))


def table(path: Path) -> Mapping[str, str]:
    with path.open(encoding="utf-8", newline="") as handle:
        (row,) = csv.DictReader(handle)
    return row


@pytest.mark.realdata
@pytest.mark.parametrize("runs", [1, 3])
def test_grades_give_the_official_scores(
    runs: int, published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    folder = published("mmvet")
    rows = grades(folder, runs)
    official = expectations(folder)[f"llava-v1.5-7b_{runs}runs"]["official"]
    files = [str(folder / "llava-v1.5" / f"llava-v1.5-7b{part}.json") for part in (f"_gpt-4-grade-{runs}runs", "")]
    found = command(
        "import", "mmvet", *files, "-t", "mmvet@official", "--model", "llava", "--data-dir", str(folder),
        "-o", str(tmp_path / "run"), "--no-report",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cell = found["leaderboard"][0]
    assert (cell["metric"], cell["n"]) == ("mean", 218)
    assert round(100 * cell["value"], 1) == official["total"]
    values = {tuple(row["subset"]): round(100 * row["value"], 1) for row in found["subsets"]}
    assert {name: values["capability", name] for name in CAPABILITIES} == {
        name: official[name] for name in CAPABILITIES
    }
    assert round(spread(rows), 1) == official["std"]
    if runs == 3:
        printed = table(folder / "llava-v1.5" / "llava-v1.5-7b_gpt-4-cap-int-score-3runs.csv")
        wanted = {
            frozenset(name.split("_")): float(text)
            for name, text in printed.items()
            if set(name.split("_")) <= set(CAPABILITIES)
        }
        ours = {
            frozenset(name.split("+")): value for (column, name), value in values.items() if column == "integration"
        }
        assert ours == wanted
        assert len(ours) == 16
        totals = [
            round(100 * float(np.mean([row["score"] for row in rows if row["repeat"] == run])), 1)
            for run in range(runs)
        ]
        assert str(totals) == printed["runs"]
