"""Power before spending GPU time, and the noise of a model against itself."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from scipy.stats import binom, norm

from mmeval.analysis.gate import run_gate
from mmeval.analysis.gate_calibrate import Calibration, calibrate, load_calibration
from mmeval.analysis.gate_data import Source
from mmeval.analysis.gate_plan import Plan, plan_gate
from mmeval.analysis.gate_policy import Policy
from mmeval.analysis.gate_verdicts import Demand, level_evidence
from mmeval.analysis.pairing import open_sides
from mmeval.core.errors import DataError, IncompleteError, UsageError
from mmeval.runs.manifest import read_manifest, write_manifest
from mmeval.stats.power import non_inferiority_power
from tests.analysis.conftest import pair_of, quiz, write_run


def policy_of(*rules: dict[str, Any], **defaults: Any) -> Policy:
    return Policy.model_validate({"version": 1, "defaults": defaults, "rules": list(rules)})


def planned(run: str, *rules: dict[str, Any], calibration: Calibration | None = None, **defaults: Any) -> Plan:
    (side,) = open_sides([run])
    return plan_gate(side, policy_of(*rules, **defaults), calibration)


def flipping(items: int, repeats: int, share: float, seed: int = 0) -> list[dict[str, Any]]:
    """Half of the items right; an answer is the other one with the given chance."""
    generator = np.random.default_rng(seed)
    return [
        {"id": f"q{item}", "right": bool(item % 2) != bool(generator.random() < share), "repeat": repeat}
        for item in range(items)
        for repeat in range(repeats)
    ]


def calibrated(*runs: str) -> Calibration:
    return calibrate([Source(side) for side in open_sides(runs)])


def edit(run: str, **change: Any) -> str:
    write_manifest(Path(run), read_manifest(Path(run)).model_copy(update=change))
    return run


def test_the_published_example_is_refused(tmp_path: Path) -> None:
    """GATES: non-inferiority of 2 points on 200 items at 10 % discordance passes an identical model 21 % of the time."""
    run = write_run(tmp_path / "b", quiz(*[1, 0] * 100))
    plan = planned(run, {"id": "ni", "kind": "non_inferiority", "margin": 0.02})
    (one,) = plan.refused
    assert one.scenarios[0].passes == pytest.approx(non_inferiority_power(200, 0.1, 0.02), abs=1e-9)
    # The normal approximation gives 0.227; the exact enumeration behind the example, 0.21.
    assert one.scenarios[0].passes == pytest.approx(0.21, abs=0.03)
    assert "cannot pass" in one.problem
    assert planned(run, {"id": "ni", "kind": "non_inferiority", "margin": 0.1}).refused == ()
    watched = planned(run, {"id": "ni", "kind": "non_inferiority", "margin": 0.02, "informational": True})
    assert watched.refused == ()
    assert watched.rules[0].problem


def test_a_rule_that_cannot_detect_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "b", quiz(*[1, 0] * 100))
    many = [{"id": f"r{n}", "kind": "no_regression", "margin": 0.053, "min_effect": 0.01} for n in range(200)]
    plan = planned(run, *many, discordance=[0.2])
    assert "cannot detect" in plan.rules[0].problem
    assert plan.alpha_adjusted == pytest.approx(0.05 / 200)
    assert len(plan.refused) == 200
    assert planned(run, *many[:1], discordance=[0.2]).refused == ()


def test_floors_and_ceilings_are_planned_from_the_baseline(tmp_path: Path) -> None:
    run = write_run(tmp_path / "b", quiz(*[1] * 150, *[0] * 50))
    plan = planned(
        run,
        {"id": "fair", "kind": "floor", "value": 0.65},
        {"id": "high", "kind": "floor", "value": 0.75},
        {"id": "tight", "kind": "ceiling", "metric": "error_rate", "value": 0.01},
        {"id": "loose", "kind": "ceiling", "metric": "error_rate", "value": 0.02},
        {"id": "flips", "kind": "ceiling", "metric": "flip_rate", "value": 0.3},
    )
    assert {one.check.id for one in plan.refused} == {"high", "tight"}  # Wilson's limit of 0/200 is 0.0133
    assert plan.rules[3].scenarios[0].passes == 1.0


def test_clusters_cost_power(tmp_path: Path) -> None:
    rows = quiz(*[number // 10 % 2 for number in range(1000)])
    alone = write_run(tmp_path / "a", rows)
    for number, row in enumerate(rows):
        row["cluster"] = f"image{number // 10}"
    clustered = write_run(tmp_path / "c", rows)
    rule = {"id": "ni", "kind": "non_inferiority", "margin": 0.03}
    first, second = planned(alone, rule).rules[0], planned(clustered, rule).rules[0]
    assert (second.clusters, round(second.design_effect)) == (100, 10)
    assert second.scenarios[0].passes < first.scenarios[0].passes / 2


def test_the_plan_agrees_with_simulated_gates(tmp_path: Path) -> None:
    """The planned chances of PASS and FAIL are those of the verdict function on drawn tables."""
    from mmeval.analysis.gate_verdicts import Demand, paired_evidence, verdict
    from mmeval.stats.pairs import pair_of

    run = write_run(tmp_path / "b", quiz(*[1, 0] * 500))
    rule = {"id": "nr", "kind": "no_regression", "margin": 0.03, "min_effect": 0.02}
    scenario = planned(run, rule, discordance=[0.1]).rules[0]
    assert scenario.drop == 0.06
    demand = Demand("no_regression", 0.03, 0.02)
    generator = np.random.default_rng(5)
    for drop, wanted, chance in (
        (0.0, "PASS", scenario.scenarios[0].passes),
        (0.06, "FAIL", scenario.scenarios[0].detects),
    ):
        cells = [0.45, (0.1 + drop) / 2, (0.1 - drop) / 2, 0.45]
        hits = 0
        for _ in range(300):
            outcome = generator.choice(4, size=1000, p=cells)
            found = paired_evidence(demand, pair_of((outcome < 2) * 1.0, (outcome % 2 == 0) * 1.0), True)
            hits += verdict(found, found.p, 0.05) == wanted
        assert chance is not None
        assert hits / 300 == pytest.approx(chance, abs=3 * (chance * (1 - chance) / 300) ** 0.5 + 0.02)


def test_repeats_give_the_noise_floor(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", flipping(600, 4, 0.05))
    found = calibrated(run)
    (entry,) = [one for one in found.entries if one.metric == "accuracy"]
    assert (entry.items, entry.answers) == (600, 4)
    assert entry.flip_rate == pytest.approx(2 * 0.05 * 0.95, abs=0.02)
    assert entry.flip_rate < entry.flip_rate_high
    assert entry.within == pytest.approx(0.05 * 0.95, abs=0.01)
    assert entry.floor == pytest.approx(1.645 * (2 * entry.within / 600) ** 0.5, rel=1e-3)
    assert entry.at(600, (4, 4)) == pytest.approx(entry.floor / 2)
    assert {one.metric for one in found.entries} == {
        "accuracy", "coverage", "truncation_rate", "extraction_failure_rate", "error_rate",
    }  # fmt: skip


def test_two_independent_runs_give_it_too(tmp_path: Path) -> None:
    first = edit(write_run(tmp_path / "a", flipping(600, 1, 0.05, 1)), run_id="a")
    second = edit(write_run(tmp_path / "b", flipping(600, 1, 0.05, 2)), run_id="b")
    (entry,) = [one for one in calibrated(first, second).entries if one.metric == "accuracy"]
    assert entry.answers == 2
    assert entry.flip_rate == pytest.approx(0.095, abs=0.04)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counts": {"asked": 5, "cached": 7}}, "7 answers"),
        ({"run_id": "0"}, "copy"),
    ],
)
def test_what_says_nothing_about_noise_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    first = write_run(tmp_path / "a", flipping(50, 1, 0.1, 1))
    second = edit(write_run(tmp_path / "b", flipping(50, 1, 0.1, 2)), **{"run_id": "b", **change})
    with pytest.raises(UsageError, match=said) as caught:
        calibrated(first, second)
    assert caught.value.exit_code == 2


def test_other_models_and_questions_are_refused(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", flipping(50, 1, 0.1, 1))
    asked = edit(write_run(tmp_path / "b", flipping(50, 1, 0.1, 2), ask_digest="8" * 64), run_id="b")
    with pytest.raises(UsageError, match="different questions"):
        calibrated(first, asked)
    other = write_run(tmp_path / "c", flipping(50, 1, 0.1, 2), models=("other",))
    models = [one.model_copy(update={"identity_digest": "x"}) for one in read_manifest(Path(other)).models]
    with pytest.raises(UsageError, match="not the same model"):
        calibrated(first, edit(other, run_id="c", models=models))
    with pytest.raises(UsageError, match="one answer per item"):
        calibrated(first)
    with pytest.raises(IncompleteError):
        calibrated(edit(first, status="interrupted"))


def test_margins_below_the_noise_are_refused(tmp_path: Path) -> None:
    noise = calibrated(write_run(tmp_path / "r", flipping(400, 4, 0.2)))
    base, candidate = pair_of(300, 10, 12, 78)
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    sides = open_sides(pair)
    floor = noise.entries[0].at(400, (1, 1))
    today = datetime.date(2026, 6, 1)
    low = policy_of({"id": "ni", "kind": "non_inferiority", "margin": floor * 0.9})
    with pytest.raises(UsageError, match="below the noise"):
        run_gate(sides[0], sides[1], low, today, noise)
    with pytest.raises(UsageError, match="below the noise"):
        plan_gate(sides[0], low, noise)
    high = policy_of({"id": "ni", "kind": "non_inferiority", "margin": floor * 1.1})
    assert run_gate(sides[0], sides[1], high, today, noise).exit_code == 0
    empty = noise.model_copy(update={"entries": []})
    (found,) = run_gate(sides[0], sides[1], low, today, empty).findings
    assert "not calibrated" in found.notes[-1]


def test_the_noise_is_that_of_the_tasks_own_answers(tmp_path: Path) -> None:
    """A run may ask one task sixteen times and another once: run.json has the larger number."""
    noise = calibrated(write_run(tmp_path / "r", flipping(400, 4, 0.2)))
    base, candidate = pair_of(300, 10, 12, 78)
    pair = [edit(write_run(tmp_path / n, rows, models=(n,)), repeats=16) for n, rows in (("b", base), ("c", candidate))]
    sides = open_sides(pair)
    low = policy_of({"id": "ni", "kind": "non_inferiority", "margin": noise.entries[0].at(400, (1, 1)) * 0.9})
    with pytest.raises(UsageError, match="below the noise"):
        run_gate(sides[0], sides[1], low, datetime.date(2026, 6, 1), noise)
    with pytest.raises(UsageError, match="below the noise"):
        plan_gate(sides[0], low, noise)
    # Sixteen answers of an import, whose run.json knows of one only.
    rows = [[{**row, "repeat": k} for row in side for k in range(16)] for side in (base, candidate)]
    more = open_sides([write_run(tmp_path / f"m{n}", side, models=(f"m{n}",)) for n, side in enumerate(rows)])
    fine = policy_of({"id": "ni", "kind": "non_inferiority", "margin": noise.entries[0].at(400, (16, 16)) * 1.01})
    assert run_gate(more[0], more[1], fine, datetime.date(2026, 6, 1), noise).findings[0].verdict != "INVALID"
    plan_gate(more[0], fine, noise)


def test_a_calibration_gives_the_plan_its_discordance(tmp_path: Path) -> None:
    noise = calibrated(write_run(tmp_path / "r", flipping(2000, 2, 0.01)))
    run = write_run(tmp_path / "b", quiz(*[1, 0] * 500))
    rule = {"id": "ni", "kind": "non_inferiority", "margin": 0.02, "max_flip_rate": 0.1}
    plan = planned(run, rule, calibration=noise)
    for one in plan.rules:
        (scenario,) = one.scenarios
        assert scenario.discordance == noise.entries[0].flip_rate_high
    assert plan.refused == ()
    assert [s.discordance for s in planned(run, rule).rules[0].scenarios] == [0.1, 0.2]


def test_a_damaged_calibration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    with pytest.raises(DataError, match="cannot read"):
        load_calibration(path)
    path.write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        load_calibration(path)
    path.write_text('{"model": "m"}')
    with pytest.raises(DataError, match="identity_digest"):
        load_calibration(path)


def test_what_is_not_calibrated_is_said(tmp_path: Path) -> None:
    rows = [{**row, "subsets": {"question": "a"}} for row in flipping(60, 2, 0.1)]
    run = write_run(tmp_path / "r", rows, metrics=["accuracy", "pass@2"])
    found = calibrated(run)
    assert found.notes[0].startswith("not calibrated: quiz, pass@2: one number from many answers")
    more = edit(run, conditions=["standard", "blind"])
    assert "not calibrated: quiz, blind: one answer per item" in calibrated(more).notes


def passing(kind: Literal["floor", "ceiling"], value: float, n: int, rate: float) -> float:
    """Chance of PASS by going through every number of right answers and judging it."""
    shown = [
        level_evidence(Demand(kind, value=value), np.repeat([1.0, 0.0], [k, n - k]), None).shown for k in range(n + 1)
    ]
    return float(np.dot(binom.pmf(np.arange(n + 1), n, rate), shown))


def test_chances_of_shares_are_those_of_the_judge(tmp_path: Path) -> None:
    run = write_run(tmp_path / "b", quiz(*[1] * 48, *[0] * 12))
    rows = quiz(*[k // 4 % 5 > 0 for k in range(60)])
    for number, row in enumerate(rows):
        row["cluster"] = f"image{number // 4}"
    clustered = write_run(tmp_path / "c", rows)
    for kind, value in (("floor", 0.7), ("floor", 0.8), ("ceiling", 0.88), ("ceiling", 0.8), ("ceiling", 1.0)):
        rule = {"id": "r", "kind": kind, "value": value}
        (scenario,) = planned(run, rule).rules[0].scenarios
        assert (scenario.discordance, scenario.detects) == (None, None)
        assert scenario.passes == pytest.approx(passing(kind, value, 60, 0.8), abs=1e-9)  # type: ignore[arg-type]
        (one,) = planned(clustered, rule).rules
        trials = round(60 / one.design_effect)
        assert (one.n, one.clusters, 12 <= trials <= 16) == (60, 15, True)
        assert one.scenarios[0].passes == pytest.approx(passing(kind, value, trials, 0.8), abs=1e-9)  # type: ignore[arg-type]
        assert planned(clustered, rule, cluster="none").rules[0].scenarios == (scenario,)
    limit = {"id": "f", "kind": "ceiling", "metric": "flip_rate", "value": 0.3}
    chances = [one.passes for one in planned(run, limit).rules[0].scenarios]
    assert chances == pytest.approx([passing("ceiling", 0.3, 60, share) for share in (0.1, 0.2)], abs=1e-9)


def test_chances_of_other_means_are_normal(tmp_path: Path) -> None:
    values = np.linspace(0.0, 6.0, 50)
    run = write_run(
        tmp_path / "b", [{"id": f"q{k}", "score": float(v)} for k, v in enumerate(values)], metrics=["mean"]
    )
    error = float(values.std(ddof=1)) / 50**0.5
    plan = planned(
        run, {"id": "f", "kind": "floor", "value": 2.5}, {"id": "c", "kind": "ceiling", "value": 3.5},
        {"id": "p", "kind": "non_inferiority", "margin": 0.5}, discordance=[0.1],
    )  # fmt: skip
    for one in plan.rules[:2]:
        assert one.scenarios[0].passes == pytest.approx(norm.cdf(0.5 / error - norm.ppf(0.95)))
    # Scores that differ in a tenth of the items: a tenth of the largest variance that their spread allows, 4 var.
    noise = (0.1 * 4 * float(values.var()) / 50) ** 0.5
    (scenario,) = plan.rules[2].scenarios
    assert scenario.passes == pytest.approx(norm.cdf(0.5 / noise - norm.ppf(0.95)))
    assert scenario.detects == pytest.approx(norm.cdf((1.0 - max(0.5, norm.ppf(1 - 0.05 / 3) * noise)) / noise))
    flat = write_run(tmp_path / "c", [{"id": f"q{k}", "score": 2.5} for k in range(50)], metrics=["mean"])
    same = planned(flat, {"id": "f", "kind": "floor", "value": 2.0}, {"id": "p", "kind": "equivalence", "margin": 0.5})
    assert [one.scenarios[0].passes for one in same.rules] == [0.0, 1.0]  # no spread, no limit; no difference


@pytest.mark.parametrize(
    ("rule", "harm", "drop"),
    [
        ({"kind": "non_inferiority", "margin": 0.05}, 0.05, 0.1),
        ({"kind": "non_inferiority", "margin": 0.05, "min_effect": 0.07}, 0.07, 0.14),
        ({"kind": "no_regression", "margin": 0.05, "min_effect": 0.02}, 0.02, 0.1),
        ({"kind": "no_regression", "min_effect": 0.05}, 0.05, 0.1),
        ({"kind": "no_regression", "margin": 0.05}, 0.0, 0.1),
        ({"kind": "equivalence", "margin": 0.05}, 0.05, 0.1),
    ],
)
def test_chances_of_pairs_are_normal(tmp_path: Path, rule: dict[str, Any], harm: float, drop: float) -> None:
    run = write_run(tmp_path / "b", quiz(*[1, 0] * 200))
    plan = planned(run, {"id": "a", **rule}, {"id": "b", **rule}, {"id": "i", **rule, "informational": True})
    assert plan.alpha_adjusted == 0.025
    assert planned(run, {"id": "a", **rule}, {"id": "b", **rule}, correction="none").alpha_adjusted == 0.05
    assert plan.rules[0].drop == pytest.approx(drop)
    two = rule["kind"] == "equivalence"
    for one, share in zip(plan.rules[0].scenarios, (0.1, 0.2), strict=True):
        error = (share / 400) ** 0.5
        within = norm.cdf(0.05 / error - norm.ppf(0.95))
        assert one.passes == pytest.approx(max(0.0, 2 * within - 1) if two else within)
        least = norm.ppf(1 - 0.025 / (2 if two else 1)) * error
        assert one.detects == pytest.approx(norm.cdf((drop - max(harm, least)) / error))


def test_the_better_scenario_decides(tmp_path: Path) -> None:
    run = write_run(tmp_path / "b", quiz(*[1, 0] * 100))
    rule = {"id": "n", "kind": "non_inferiority", "margin": 0.05}
    first, second = planned(run, rule).rules[0].scenarios
    assert first.passes > second.passes
    middle = (first.passes + second.passes) / 2
    assert planned(run, rule, min_power=middle).refused == ()
    (refused,) = planned(run, rule, min_power=first.passes + 0.01).refused
    assert refused.problem == f"cannot pass: a candidate as good as the baseline passes in {first.passes:.0%} of cases"
    assert planned(run, rule, min_n=200).refused == ()
    assert planned(run, rule, min_n=201).refused[0].problem == "200 items are fewer than min_n 201"


def test_a_macro_mean_is_planned_by_its_own_error(tmp_path: Path) -> None:
    """Ten items of one label weigh as much as ninety of the other, so that the number is noisier than a mean."""
    rows = quiz(*[k % 2 for k in range(100)])
    for number, row in enumerate(rows):
        row["subsets"] = {"part": "few" if number < 10 else "many"}
    run = write_run(tmp_path / "b", rows, metrics=["macro:part", "accuracy"])
    rule = {"id": "n", "kind": "non_inferiority", "margin": 0.1}
    macro, plain = (planned(run, {**rule, "metric": metric}).rules[0] for metric in ("macro:part", "accuracy"))
    assert plain.design_effect == 1.0
    assert macro.design_effect == pytest.approx((0.25 / 10 + 0.25 / 90) / 4 / (0.25 / 100), rel=0.25)
    assert macro.scenarios[0].passes < plain.scenarios[0].passes
    (floor,) = planned(run, {"id": "f", "kind": "floor", "value": 0.3, "metric": "macro:part"}).rules
    assert 0.5 < floor.scenarios[0].passes < 0.95
