"""Planted truth comes out: rates, intervals that cover, negative controls, terms that add up."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmeval.analysis.diagnose import diagnose
from mmeval.analysis.diagnose_change import diagnose_against
from mmeval.analysis.diagnose_data import TaskItems
from mmeval.analysis.diagnose_findings import DiagnoseOptions
from mmeval.analysis.diagnose_labels import corrected_rates
from mmeval.stats.decomposition import perception_rates, perception_split
from mmeval.stats.resampling import BootstrapPlan
from tests.analysis.simulated import JUDGE, Simulated, simulate

FAST = DiagnoseOptions(plan=BootstrapPlan(resamples=400))
LONG = "MMEVAL_LONG_TESTS" in os.environ
"""Whether as many replications are drawn as `make test-long` asks for."""
PLANTED = [(0.5, 0.9), (0.7, 0.6), (0.9, 0.8), (0.3, 0.95)]


def numbers(task: TaskItems, analysis: str, source: str) -> Any:
    found = diagnose({("t", "default"): task}, "m", FAST).findings
    (one,) = [finding for finding in found if finding.analysis == analysis and finding.numbers.get("source") == source]
    return one.numbers


@pytest.mark.parametrize(("sees", "reasons"), PLANTED)
@pytest.mark.parametrize("source", ["checklist", "two-hop", JUDGE])
def test_planted_rates_come_out_within_five_points(source: str, sees: float, reasons: float) -> None:
    task = simulate(Simulated(sees, reasons, lucky=0.02), 4000, np.random.default_rng(7))
    found = numbers(task, "perception", source)
    if source == JUDGE:
        found = found["corrected"]
    failures = (1 - sees) * 0.98 / ((1 - sees) * 0.98 + sees * (1 - reasons))
    assert found["p"]["estimate"] == pytest.approx(sees, abs=0.05)
    assert found["r"]["estimate"] == pytest.approx(reasons, abs=0.05)
    assert found["failures_without_perception"]["estimate"] == pytest.approx(failures, abs=0.05)


def test_a_judge_alone_is_wrong_and_says_that_it_is_uncalibrated() -> None:
    task = simulate(Simulated(0.7, 0.7, labelled=0.0), 4000, np.random.default_rng(1))
    found = diagnose({("t", "default"): task}, "m", FAST).findings
    (one,) = [finding for finding in found if finding.analysis == "perception" and finding.numbers["source"] == JUDGE]
    assert one.numbers["corrected"] is None
    assert abs(one.numbers["p"]["estimate"] - 0.7) > 0.03
    assert "(uncalibrated)" in one.says
    (types,) = [
        finding for finding in found if finding.analysis == "error-types" and finding.numbers["source"] == JUDGE
    ]
    assert not types.numbers["calibrated"]
    assert "uncalibrated" in types.limits


def test_corrected_shares_of_errors_are_nearer_to_the_truth() -> None:
    model = Simulated(0.6, 0.7, lucky=0.02, judge_hits=0.75, judge_false=0.2)
    task = simulate(model, 6000, np.random.default_rng(2))
    found = numbers(task, "error-types", JUDGE)
    truth = 0.4 * 0.98 / (0.4 * 0.98 + 0.6 * 0.3)
    raw = found["shares"]["perception"]["estimate"]
    fixed = found["corrected"]["shares"]["perception"]
    assert abs(fixed["estimate"] - truth) < 0.03 < abs(raw - truth)
    assert fixed["ci"][0] < truth < fixed["ci"][1]
    assert sum(entry["n"] for entry in found["corrected"]["confusion"]) == found["corrected"]["labels"]


@pytest.mark.parametrize(
    ("change", "says"),
    [({"unreadable": 0.35}, "a broken answer format"), ({"reasons": 0.6}, "worse arithmetic")],
)
def test_negative_controls_are_not_called_perception(change: dict[str, float], says: str) -> None:
    """The same eyes: what is lost must not be laid to perception."""
    items = np.random.default_rng(3).random(3000)
    base = simulate(Simulated(0.7, 0.9), 3000, np.random.default_rng(4), items)
    other = simulate(Simulated(0.7, **{"reasons": 0.9, **change}), 3000, np.random.default_rng(5), items)
    found = diagnose_against({("t", "default"): base}, {("t", "default"): other}, ("a", "b"), FAST).findings
    for finding in found:
        source = finding.numbers.get("source")
        if finding.analysis == "perception-change" and source == "checklist":
            assert finding.numbers["p"] == 1.0, says
        if finding.analysis == "split" and source in ("checklist", "two-hop"):
            terms = finding.numbers["terms"]
            assert abs(terms["perception"]["estimate"]) < 0.02, says
            assert terms["reasoning"]["estimate"] < -0.1, says
            total = math.fsum(terms[name]["estimate"] for name in ("perception", "reasoning", "luck"))
            assert abs(total - terms["delta"]["estimate"]) < 1e-9
    if "unreadable" in change:
        (silent,) = [
            one for one in diagnose({("t", "default"): other}, "m", FAST).findings if one.analysis == "no-answer"
        ]
        assert silent.numbers["no_answer"] == pytest.approx(0.35 * 3000, abs=150)


def covered(replications: int, once: Callable[[np.random.Generator], dict[str, bool]]) -> dict[str, float]:
    """Share of the replications in which each interval holds the truth."""
    hits: dict[str, list[bool]] = {}
    for seed in range(replications):
        for name, hit in once(np.random.default_rng(seed)).items():
            hits.setdefault(name, []).append(hit)
    return {name: float(np.mean(values)) for name, values in hits.items()}


def within(interval: Any, truth: float) -> bool:
    low, high = (interval.low, interval.high) if hasattr(interval, "low") else interval
    return bool(low <= truth <= high)


@pytest.mark.slow
def test_intervals_of_rates_cover() -> None:
    """95 % within three Monte Carlo standard errors (0.0169 of 1,500 replications)."""
    model = Simulated(0.6, 0.8, lucky=0.1, labelled=0.4)

    def once(draw: np.random.Generator) -> dict[str, bool]:
        task = simulate(model, 500, draw)
        right, seen = task.right["standard"], task.right["checklist"]
        rates = perception_rates(seen, right, task.clusters)
        corrected = corrected_rates(task, task.judged[JUDGE])
        assert corrected is not None
        return {
            "p": within(rates.perceived.interval, 0.6), "r": within(rates.right_if_perceived.interval, 0.8),
            "l": within(rates.right_if_not.interval, 0.1), "corrected p": within(corrected["p"]["ci"], 0.6),
            "corrected r": within(corrected["r"]["ci"], 0.8),
        }  # fmt: skip

    times = 1500 if LONG else 500
    found = covered(times, once)
    assert all(abs(share - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / times) for share in found.values()), found


@pytest.mark.slow
def test_intervals_of_the_split_cover() -> None:
    first, second = Simulated(0.5, 0.8, lucky=0.2), Simulated(0.65, 0.85, lucky=0.2)
    p, r, low = (0.5, 0.65), (0.8, 0.85), 0.2
    truth = {
        "perception": (p[1] - p[0]) * ((r[0] + r[1]) / 2 - low), "reasoning": (r[1] - r[0]) * (p[0] + p[1]) / 2, "luck": 0.0,
        "delta": p[1] * r[1] + (1 - p[1]) * low - p[0] * r[0] - (1 - p[0]) * low,
    }  # fmt: skip

    def once(draw: np.random.Generator) -> dict[str, bool]:
        items = draw.random(400)
        sides = [simulate(model, 400, draw, items) for model in (first, second)]
        split = perception_split(
            *((side.right["checklist"], side.right["standard"]) for side in sides),
            plan=BootstrapPlan(resamples=400, seed=0),
        )
        assert abs(math.fsum(term.estimate for term in split.terms) - split.delta.estimate) < 1e-9
        return {term.name: within(term.interval, truth[term.name]) for term in (split.delta, *split.terms)}

    times = 1000 if LONG else 250
    found = covered(times, once)
    assert all(abs(share - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / times) for share in found.values()), found
