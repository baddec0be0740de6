"""Contrasts between conditions: the effect that was planted comes out, and what was not run is not there."""

from __future__ import annotations

import numpy as np
import pytest

from mmeval.analysis.diagnose import diagnose
from mmeval.analysis.diagnose_data import TaskItems
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Finding, missing
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.resampling import BootstrapPlan

FAST = DiagnoseOptions(plan=BootstrapPlan(resamples=200))
RECORD = TaskRecord(
    name="t", protocol="default", family="f", title="T", items_digest=None, ask_digest="a", score_digest="s", metrics=["accuracy"],
    chance=0.25, samples=0, available=None, subset_columns=["version"],
)  # fmt: skip
N = 3000


def task(rates: dict[str, float], versions: tuple[str, ...] = (), clusters: tuple[str, ...] = ()) -> TaskItems:
    draw = np.random.default_rng(0)
    names = tuple(str(number) for number in range(N))
    right = {name: (draw.random(N) < rate).astype(float) for name, rate in rates.items()}
    return TaskItems(RECORD, names, names, clusters or names, right, tuple("" for _ in names), 1, versions=versions)


def found(task: TaskItems, analysis: str) -> list[Finding]:
    return [one for one in diagnose({("t", "default"): task}, "m", FAST).findings if one.analysis == analysis]


def contrast(finding: Finding, name: str) -> float:
    (one,) = [entry for entry in finding.numbers["contrasts"] if entry["contrast"] == name]
    assert one["ci"][0] < one["delta"] < one["ci"][1]
    return float(one["delta"])


def test_other_pictures_are_averaged_over_their_draws() -> None:
    (one,) = found(
        task({"standard": 0.8, "blind": 0.4, "shuffled:1": 0.2, "shuffled:2": 0.3, "shuffled:3": 0.4}), "shuffled"
    )
    assert one.numbers["accuracy"] == pytest.approx(0.3, abs=0.03)
    assert contrast(one, "content") == pytest.approx(0.5, abs=0.03)
    assert contrast(one, "conflict") == pytest.approx(0.1, abs=0.03)
    assert "fewer than 3" not in one.limits
    (two,) = found(task({"standard": 0.8, "shuffled:1": 0.2}), "shuffled")
    assert "fewer than 3" in two.limits


def test_the_reliance_on_a_place_is_that_on_the_region_less_the_control() -> None:
    (one,) = found(task({"standard": 0.8, "hide-region": 0.3, "hide-elsewhere": 0.7}), "regions")
    assert contrast(one, "drop_region") == pytest.approx(0.5, abs=0.03)
    assert contrast(one, "localised") == pytest.approx(
        contrast(one, "drop_region") - contrast(one, "drop_elsewhere"), abs=1e-9
    )


def test_captions_hints_and_forms() -> None:
    rates = {
        "standard": 0.6, "blind": 0.3, "two-hop": 0.5, "caption": 0.4, "caption-exact": 0.9, "hint-facts": 0.85, "hint-boxes": 0.65,
        "as-judge": 0.7, "as-open": 0.4,
    }  # fmt: skip
    items = task(rates)
    (captions,) = found(items, "captions")
    assert contrast(captions, "oracle_gain") == pytest.approx(0.3, abs=0.04)
    assert contrast(captions, "description_gap") == pytest.approx(0.4, abs=0.04)
    (hints,) = found(items, "hints")
    assert contrast(hints, "what") == pytest.approx(0.25, abs=0.04)
    (formats,) = found(items, "formats")
    assert contrast(formats, "open") == pytest.approx(0.2, abs=0.04)


def test_a_row_of_the_grid_has_floor_and_ceiling() -> None:
    (one,) = found(
        task({"standard": 0.6, "blind": 0.3, "two-hop": 0.5, "described-by:big": 0.7, "caption-exact": 0.9}),
        "describers",
    )
    assert list(one.numbers["accuracy"]) == ["blind", "two-hop", "described-by:big", "caption-exact"]
    assert contrast(one, "over_floor") == pytest.approx(0.4, abs=0.04)
    assert contrast(one, "below_ceiling") == pytest.approx(0.2, abs=0.04)


def test_versions_are_compared_within_problems() -> None:
    labels = tuple(("text", "vision")[number % 2] for number in range(N))
    clusters = tuple(str(number // 2) for number in range(N))
    items = task({"standard": 0.5}, labels, clusters)
    right = np.array([1.0 if label == "text" else float(number % 4 == 1) for number, label in enumerate(labels)])
    (one,) = found(
        TaskItems(RECORD, items.ids, items.hashes, clusters, {"standard": right}, items.reasons, 1, versions=labels),
        "versions",
    )
    assert one.numbers["accuracy"] == {"text": 1.0, "vision": 0.5}
    (step,) = one.numbers["steps"]
    assert step["delta"] == pytest.approx(-0.5)
    assert step["n"] == N // 2


def test_what_was_not_run_is_missing_and_not_filled_in() -> None:
    items = task({"standard": 0.6, "blind": 0.3, "two-hop": 0.5})
    analyses = {one.analysis for one in diagnose({("t", "default"): items}, "m", FAST).findings}
    assert not analyses & {"shuffled", "regions", "crops", "captions", "describers", "hints", "formats", "versions"}
    text = "\n".join(missing({("t", "default"): items}))
    for name in ("shuffles", "regions", "captions", "hints", "formats"):
        assert f"--condition {name}" in text
    assert "--repeats" in text
