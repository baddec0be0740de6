"""DynaMath's official scores, from the published verdicts on ten variants of every question."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mmeval.metrics import estimate
from tests.conformance.support import expectations

VARIANTS = range(1, 11)


def verdicts(path: Path) -> list[dict[str, str]]:
    """Return the lines of the questions; lines of sums follow them."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [row for row in rows if row["Question ID"].startswith("Q") and row["Question ID"][1:].isdigit()]


def predictions(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return a ready verdict for every variant of every question."""
    return [
        {"id": f"{row['Question ID']}_v{number}", "correct": row[f"Variant {number}"].strip() == "correct"}
        for row in rows
        for number in VARIANTS
    ]


def shares(rows: list[dict[str, str]]) -> Mapping[str, float]:
    """Return average, worst and best case in percent."""
    counts = [sum(row[f"Variant {number}"].strip() == "correct" for number in VARIANTS) for row in rows]
    return {
        "average_case": round(10 * sum(counts) / len(counts), 2),
        "worst_case": round(100 * sum(count == 10 for count in counts) / len(counts), 2),
        "best_case": round(100 * sum(count > 0 for count in counts) / len(counts), 2),
    }


@pytest.mark.realdata
def test_every_file_gets_its_average_and_worst_case(published: Callable[[str], Path]) -> None:
    folder = published("dynamath")
    expected = expectations(folder)
    assert len(expected) == 7
    for name, entry in expected.items():
        rows = verdicts(folder / "results" / name)
        assert len(rows) == entry["recomputed"].pop("seeds")
        for row in rows:
            assert int(row["# of correct per question"]) == sum(
                row[f"Variant {number}"].strip() == "correct" for number in VARIANTS
            )
        assert sum(int(row["# of correct per question"]) for row in rows) == entry["official"]["sum"]
        assert shares(rows) == entry["recomputed"], name
        table = [
            {
                "sample_id": prediction["id"], "repeat": 0, "cluster": prediction["id"].split("_")[0], "outcome": "scored",
                "score": float(prediction["correct"]), "correct": prediction["correct"], "scores": {},
                "subsets": {"question": prediction["id"].split("_")[0]},
            }
            for prediction in predictions(rows)
        ]  # fmt: skip
        for metric, case in (("accuracy", "average_case"), ("all:question", "worst_case")):
            value = estimate(metric, table).value
            assert value is not None
            assert round(100 * value, 2) == entry["recomputed"][case], (name, metric)


@pytest.mark.realdata
@pytest.mark.parametrize("more", [lambda folder: (), lambda folder: ("--data-dir", str(folder))], ids=["alone", "data"])
def test_through_the_command_line(
    more: Callable[[Path], tuple[str, ...]],
    published: Callable[[str], Path],
    command: Callable[..., Any],
    tmp_path: Path,
) -> None:
    folder = published("dynamath")
    rows = verdicts(folder / "results" / "GPT4o-result.csv")
    found = command(
        "import", "dynamath", str(folder / "results" / "GPT4o-result.csv"), "-t", "dynamath@official", "--model", "gpt-4o",
        "-o", str(tmp_path / "run"), "--no-report", *more(folder),
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cells = {cell["metric"]: cell for cell in found["leaderboard"]}
    expected = expectations(folder)["GPT4o-result.csv"]["recomputed"]
    assert (cells["accuracy"]["n"], cells["accuracy"]["clusters"]) == (5010, 501)
    assert round(100 * cells["accuracy"]["value"], 2) == expected["average_case"]
    worst, ratio = cells["all:question"], cells["robustness:question"]
    assert (worst["n"], round(100 * worst["value"], 2)) == (501, expected["worst_case"])
    assert ratio["value"] == pytest.approx(worst["value"] / cells["accuracy"]["value"])
    levels = {
        row["subset"][1]: round(row["value"] * row["n"])
        for row in found["subsets"]
        if row["subset"][0] == "level" and row["metric"] == "accuracy"
    }
    official: dict[str, int] = {}
    for row in rows:
        level = row["Difficulty Level"].strip()
        official[level] = official.get(level, 0) + int(row["# of correct per question"])
    assert levels == official
