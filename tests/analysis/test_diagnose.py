"""Diagnosis: planted rates are recovered, terms add up, and what the data cannot show is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmeval.analysis.diagnose import diagnose
from mmeval.analysis.diagnose_change import diagnose_against
from mmeval.analysis.diagnose_data import TaskItems
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Finding
from mmeval.analysis.perception_labels import read_labels
from mmeval.core.errors import ComparisonError, DataError
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.resampling import BootstrapPlan

FAST = DiagnoseOptions(plan=BootstrapPlan(resamples=200))
RECORD = TaskRecord(
    name="t", protocol="default", family="f", title="T", items_digest=None, ask_digest="a", score_digest="s", metrics=["accuracy"],
    chance=0.25, samples=0, available=None,
)  # fmt: skip


def planted(n: int, seed: int, *, sees: float, reasons: float, luck: float) -> TaskItems:
    """Items of a model that perceives, answers what it perceives, and guesses the rest with known rates."""
    draw = np.random.default_rng(seed)
    seen = draw.random(n) < sees
    right = np.where(seen, draw.random(n) < reasons, draw.random(n) < luck)
    conditions = {
        "standard": right.astype(float),
        "checklist": seen.astype(float),
        "blind": (draw.random(n) < luck).astype(float),
    }
    names = tuple(str(number) for number in range(n))
    return TaskItems(RECORD, names, names, names, conditions, tuple("" for _ in names), 1)


def of(found: tuple[Finding, ...], analysis: str) -> Finding:
    (one,) = [finding for finding in found if finding.analysis == analysis]
    return one


def test_planted_rates_are_recovered() -> None:
    task = planted(8000, 0, sees=0.6, reasons=0.8, luck=0.2)
    found = diagnose({("t", "default"): task}, "m", FAST).findings
    numbers = of(found, "perception").numbers
    for name, expected in (("p", 0.6), ("r", 0.8), ("l", 0.2)):
        assert numbers[name]["estimate"] == pytest.approx(expected, abs=0.02)
        assert numbers[name]["ci"][0] < expected < numbers[name]["ci"][1]
    failures = 0.6 * 0.2 + 0.4 * 0.8
    assert numbers["failures_without_perception"]["estimate"] == pytest.approx(0.4 * 0.8 / failures, abs=0.02)
    gain = of(found, "ablation").numbers
    assert gain["delta"] == pytest.approx(0.6 * 0.8 + 0.4 * 0.2 - 0.2, abs=0.03)


@pytest.mark.parametrize(
    ("change", "term"),
    [
        ({"sees": 0.8, "reasons": 0.9, "luck": 0.2}, "perception"),
        ({"sees": 0.5, "reasons": 0.6, "luck": 0.2}, "reasoning"),
        ({"sees": 0.5, "reasons": 0.9, "luck": 0.5}, "luck"),
    ],
)
def test_a_change_is_laid_to_what_changed_and_terms_add_up(change: dict[str, float], term: str) -> None:
    base = planted(6000, 1, sees=0.5, reasons=0.9, luck=0.2)
    other = planted(6000, 2, **change)
    found = diagnose_against({("t", "default"): base}, {("t", "default"): other}, ("a", "b"), FAST).findings
    terms = of(found, "split").numbers["terms"]
    total = sum(terms[name]["estimate"] for name in ("perception", "reasoning", "luck"))
    assert total == pytest.approx(terms["delta"]["estimate"], abs=1e-9)
    biggest = max(("perception", "reasoning", "luck"), key=lambda name: abs(terms[name]["estimate"]))
    assert biggest == term
    for name in {"perception", "reasoning", "luck"} - {term}:
        assert abs(terms[name]["estimate"]) < 0.03
    changed = of(found, "perception-change").numbers
    assert (changed["p"] < 0.001) == (term == "perception")


@pytest.mark.parametrize(("blind", "equivalent"), [(0.25, True), (0.4, False)])
def test_blind_answers_are_held_against_the_best_guess(blind: float, equivalent: bool) -> None:
    names = tuple(map(str, range(2000)))
    values = (np.random.default_rng(0).random(2000) < blind).astype(float)
    task = TaskItems(RECORD, names, names, names, {"standard": np.ones(2000), "blind": values}, ("",) * 2000, 1)
    floor = of(diagnose({("t", "default"): task}, "m", FAST).findings, "ablation").numbers["floor"]
    assert (floor["chance"], floor["margin"]) == (0.25, 0.05)
    assert (floor["p"] < 0.05) == equivalent


def test_published_counts_of_papo_come_out() -> None:
    """134/49/10/7 errors of which 61/31/8/7 are mended: 30.5 points of the sampled errors, 45.5 % of the perception errors."""
    seen = np.array([0.0] * 134 + [1.0] * 66)
    base = TaskItems(
        RECORD, *([tuple(map(str, range(200)))] * 3), {"standard": np.zeros(200), "checklist": seen}, ("",) * 200, 1
    )
    mended = np.zeros(200)
    mended[:61] = 1
    other = TaskItems(
        RECORD,
        *([tuple(map(str, range(200)))] * 3),
        {"standard": mended, "checklist": np.where(mended == 1, 1.0, seen)},
        ("",) * 200,
        1,
    )
    found = diagnose_against({("t", "default"): base}, {("t", "default"): other}, ("a", "b"), FAST).findings
    numbers = of(found, "transitions").numbers
    assert (numbers["perception_failures"], numbers["perception_failures_mended"]) == (134, 61)
    assert numbers["perception_failures_mended"] / 200 == pytest.approx(0.305)
    assert numbers["perception_failures_mended"] / numbers["perception_failures"] == pytest.approx(0.455, abs=5e-4)


def test_the_language_shortcut_rate_of_a_worked_table() -> None:
    right = np.array([1.0] * 50 + [0.0] * 50)
    contained = np.array([1.0] * 40 + [0.0] * 10 + [1.0] * 5 + [0.0] * 45)
    task = TaskItems(
        RECORD, *([tuple(map(str, range(100)))] * 3), {"standard": right, "two-hop": contained}, ("",) * 100, 1
    )
    numbers = of(diagnose({("t", "default"): task}, "m", FAST).findings, "shortcut").numbers
    assert numbers["lsr"]["estimate"] == pytest.approx(0.1)
    assert numbers["of_right"]["estimate"] == pytest.approx(0.2)


def test_masking_gives_a_trend_and_flat_ladders_none() -> None:
    draw = np.random.default_rng(5)
    base = draw.random(500)
    falling = {"standard": (base < 0.9).astype(float)} | {
        f"mask:{p}": (base < 0.9 - 0.6 * p).astype(float) for p in (0.2, 0.5, 1.0)
    }
    names = tuple(map(str, range(500)))
    task = TaskItems(RECORD, names, names, names, falling, ("",) * 500, 1)
    numbers = of(diagnose({("t", "default"): task}, "m", FAST).findings, "masking").numbers
    assert numbers["slope"] == pytest.approx(-0.6, abs=0.08)
    assert numbers["p_value"] < 1e-6
    flat = dict.fromkeys(falling, falling["standard"])
    numbers = of(
        diagnose({("t", "default"): TaskItems(RECORD, names, names, names, flat, ("",) * 500, 1)}, "m", FAST).findings,
        "masking",
    ).numbers
    assert (numbers["slope"], numbers["p_value"]) == (0.0, 1.0)


def test_what_is_missing_is_listed_with_the_command() -> None:
    names = ("1", "2")
    bare = TaskItems(RECORD, names, names, names, {"standard": np.array([1.0, 0.0])}, ("", "refusal"), 1)
    found = diagnose({("t", "default"): bare}, "m", FAST)
    assert [one.analysis for one in found.findings] == ["no-answer"]
    assert any("--condition checklist" in text for text in found.missing)
    assert any("--condition blind" in text for text in found.missing)
    assert any("mask:0.2" in text for text in found.missing)


def test_other_items_or_another_way_of_asking_are_refused() -> None:
    task = planted(20, 0, sees=0.5, reasons=0.9, luck=0.2)
    fewer = task.take(range(10))
    with pytest.raises(ComparisonError, match="in one run only"):
        diagnose_against({("t", "default"): task}, {("t", "default"): fewer}, ("a", "b"), FAST)
    asked = TaskItems(
        RECORD.model_copy(update={"ask_digest": "b"}), task.ids, task.hashes, task.clusters, task.right, task.reasons, 1
    )
    with pytest.raises(ComparisonError, match="different ways"):
        diagnose_against({("t", "default"): task}, {("t", "default"): asked}, ("a", "b"), FAST)
    with pytest.raises(ComparisonError, match="in common"):
        diagnose_against({("t", "default"): task}, {("u", "default"): task}, ("a", "b"), FAST)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,perceived\n1,1\n", "column 'task'"),
        ("task,id,perceived\nt,1,maybe\n", "line 2: key perceived"),
        ("task,id,perceived\nt,1,1\nt,1,0\n", "labelled twice"),
        ("task,id,perceived\nt,1,\n", "no label"),
    ],
)
def test_labels_of_people_are_checked(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_labels(path)


def test_labels_are_a_source_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("task,id,perceived\nt,1,1\nt,2,0\nt,3,\n")
    assert read_labels(path) == {("t", "1"): 1.0, ("t", "2"): 0.0}
