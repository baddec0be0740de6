"""Comparing and gating under metrics that are no mean over samples."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from mmeval.analysis.comparison import ComparisonOptions, compare_runs, report_json
from mmeval.analysis.gate import GateReport, run_gate
from mmeval.analysis.gate_json import gate_json
from mmeval.analysis.gate_plan import plan_gate
from mmeval.analysis.gate_policy import Policy
from mmeval.analysis.pairing import PairingOptions, open_sides
from mmeval.core.errors import ComparisonError, UsageError
from mmeval.runs.folder import open_run
from mmeval.runs.leaderboard import leaderboard

VERSIONS = 4
Make = Callable[..., str]


def versions(right: Sequence[Sequence[bool]], **more: Any) -> list[dict[str, Any]]:
    """Rows of problems in several versions, clustered by problem; problem k is of subject k mod 3."""
    return [
        {
            "id": f"p{problem}-{version}", "right": value, "cluster": f"p{problem}", **more,
            "subsets": {"problem": f"p{problem}", "version": str(version), "subject": f"s{problem % 3}"},
        }
        for problem, values in enumerate(right)
        for version, value in enumerate(values)
    ]  # fmt: skip


def skill(share: float, seed: int, problems: int = 90) -> list[list[bool]]:
    """The same problems at any share: a better model is right wherever a worse one is."""
    generator = np.random.default_rng(seed)
    ease = generator.random((problems, 1)) * 0.5 + generator.random((problems, VERSIONS)) * 0.5
    return (ease < share).tolist()


@pytest.fixture
def runs(make_run: Make) -> tuple[str, str]:
    more = {"group_columns": ["problem"], "subset_columns": ["version", "subject"]}
    return tuple(
        make_run(
            name, versions(skill(share, 1)), metrics=["macro:subject", "all:problem", "robustness:problem"], **more
        )
        for name, share in (("base", 0.5), ("candidate", 0.65))
    )  # type: ignore[return-value]


def compared(*runs: str, metric: str | None = None, **options: Any) -> dict[str, Any]:
    pairing = PairingOptions(metric=metric, allow_missing=options.pop("allow_missing", False))
    return orjson.loads(
        orjson.dumps(report_json(compare_runs(open_sides(runs), ComparisonOptions(pairing, **options))))
    )


def gate(runs: tuple[str, str], *rules: dict[str, Any], **defaults: Any) -> GateReport:
    base, candidate = open_sides(runs)
    policy = Policy.model_validate({"version": 1, "defaults": defaults, "rules": list(rules)})
    return run_gate(base, candidate, policy, datetime.date(2026, 1, 1))


class TestCompare:
    def test_values_are_those_of_the_leaderboard(self, runs: tuple[str, str]) -> None:
        for metric in ("macro:subject", "all:problem", "robustness:problem"):
            (found,) = compared(*runs, metric=metric)["comparisons"]
            values = [
                next(
                    row.estimate.value
                    for row in leaderboard(open_run(run), all_metrics=True)
                    if row.estimate.metric == metric
                )
                for run in runs
            ]
            assert [found["base"], found["candidate"]] == pytest.approx(values)
            assert found["delta"] == pytest.approx(values[1] - values[0])
            assert found["ci"][0] <= found["delta"] <= found["ci"][1]
            assert found["coverage"] == 1.0
            assert found["mde"] > 0

    def test_a_macro_mean_by_the_paired_bootstrap(self, runs: tuple[str, str]) -> None:
        (found,) = compared(*runs)["comparisons"]
        assert found["metric"] == "macro:subject"
        assert found["test"] == "paired-stratified-cluster-bootstrap-bca-t"
        assert found["ci_method"] == "stratified-cluster-bootstrap-bca-t"
        assert (found["n"], found["clusters"], found["unit"], found["table"]) == (360, 90, "sample", None)
        assert found["p"] < 0.001
        assert "9999 resamples, seed 0" in found["notes"][-1]
        assert compared(*runs) == compared(*runs)
        assert compared(*runs, seed=3)["comparisons"][0]["ci"] != found["ci"]

    def test_worst_cases_are_a_yes_or_no_of_problems(self, runs: tuple[str, str]) -> None:
        (found,) = compared(*runs, metric="all:problem")["comparisons"]
        assert (found["n"], found["unit"], found["test"]) == (90, "group of problem", "mcnemar-midp")
        assert sum(found["table"].values()) == 90
        assert found["lost"] == []
        assert len(found["gained"]) == found["table"]["candidate_only"]
        assert set(found["gained"]) <= {f"p{k}" for k in range(90)}

    def test_subsets_group_anew_and_groups_are_no_subsets(self, runs: tuple[str, str]) -> None:
        found = compared(*runs, metric="all:problem", by=("all",))["comparisons"]
        parts = {tuple(one["subset"]): one for one in found if one["subset"]}
        assert {column for column, _ in parts} == {"version", "subject"}
        assert parts["subject", "s0"]["n"] == 30
        # Within one version a problem is one row.
        assert parts["version", "2"]["n"] == 90
        with pytest.raises(UsageError, match="unknown subset column"):
            compared(*runs, by=("problem",))

    def test_a_problem_with_a_failed_row_leaves(self, make_run: Make) -> None:
        rows = versions(skill(0.5, 1))
        broken = versions(skill(0.6, 1))
        broken[0] |= {"outcome": "error", "right": None}
        pair = make_run("a", rows), make_run("b", broken)
        with pytest.raises(ComparisonError, match="no score"):
            compared(*pair, metric="all:problem")
        (found,) = compared(*pair, metric="all:problem", allow_missing=True)["comparisons"]
        assert found["n"] == 89
        assert found["coverage"] == pytest.approx(356 / 360)
        assert "4 of 360 items" in found["notes"][0]

    def test_undefined_metrics_are_refused(self, make_run: Make) -> None:
        rows = versions([[False] * VERSIONS] * 40)
        with pytest.raises(ComparisonError, match=r"undefined \(0/0\)"):
            compared(make_run("a", rows), make_run("b", rows), metric="robustness:problem")

    def test_yes_and_no(self, make_run: Make) -> None:
        generator = np.random.default_rng(0)
        truth = generator.random(200) < 0.5

        def rows(noise: float) -> list[dict[str, Any]]:
            said = np.where(np.random.default_rng(1).random(200) < noise, ~truth, truth)
            return [
                {
                    "id": f"q{i}", "right": bool(said[i] == truth[i]), "extracted": json.dumps("yes" if said[i] else "no"),
                    "target": json.dumps("Yes" if truth[i] else "No"), "subsets": {"half": str(int(truth[i]))},
                }
                for i in range(200)
            ]  # fmt: skip

        pair = make_run("a", rows(0.3)), make_run("b", rows(0.1))
        found = compared(*pair, metric="f1", by=("half",))["comparisons"]
        assert found[0]["test"] == "paired-bootstrap-bca-t"
        assert 0 < found[0]["ci"][0] < found[0]["delta"] < found[0]["ci"][1]
        # Without a yes in truth there still is one in the answers; F1 is 0 there, not undefined.
        assert {tuple(one["subset"]) for one in found[1:]} == {("half", "0"), ("half", "1")}

    def test_rankings(self, make_run: Make) -> None:
        names = [make_run(f"m{share}", versions(skill(share / 100, 1))) for share in (40, 60, 61)]
        (ranking,) = compared(*names, metric="macro:subject")["rankings"]
        assert [one["model"] for one in ranking["models"]] == ["m61", "m60", "m40"]
        assert ranking["models"][0]["value"] > ranking["models"][2]["value"]
        assert len(ranking["groups"]) >= 2
        assert ranking["overall"] is None
        (worst,) = compared(*names, metric="all:problem")["rankings"]
        assert worst["n"] == 90
        assert worst["overall"]["test"] == "cochran-q"


class TestGate:
    def test_every_kind_of_rule(self, runs: tuple[str, str]) -> None:
        rules = [
            {"id": "ni", "metric": "macro:subject", "kind": "non_inferiority", "margin": 0.05},
            {"id": "nr", "metric": "robustness:problem", "kind": "no_regression", "min_effect": 0.02},
            {"id": "eq", "metric": "macro:subject", "kind": "equivalence", "margin": 0.02},
            {"id": "floor", "metric": "macro:subject", "kind": "floor", "value": 0.3},
            {"id": "high", "metric": "robustness:problem", "kind": "floor", "value": 0.95},
            {"id": "ceiling", "metric": "all:problem", "kind": "ceiling", "value": 0.9},
        ]
        report = gate(runs, *rules)
        verdicts = {one.check.id: one.verdict for one in report.findings}
        assert verdicts == {
            "ni": "PASS",
            "nr": "PASS",
            "eq": "FAIL",
            "floor": "PASS",
            "high": "FAIL",
            "ceiling": "PASS",
        }
        tests = {one.check.id: one.evidence.test for one in report.findings if one.evidence is not None}
        assert tests["ni"] == "paired-stratified-cluster-bootstrap-bca-t"
        assert tests["floor"] == "stratified-cluster-bootstrap-bca-t"
        assert tests["ceiling"] == "wilson"
        evidence = report.findings[0].evidence
        assert evidence is not None
        assert evidence.mde is not None
        assert evidence.needed is not None
        assert orjson.loads(orjson.dumps(gate_json(report))) == orjson.loads(
            orjson.dumps(gate_json(gate(runs, *rules)))
        )

    def test_a_worse_candidate_fails(self, runs: tuple[str, str]) -> None:
        report = gate(runs[::-1], {"id": "nr", "metric": "macro:subject", "kind": "no_regression", "min_effect": 0.02})
        assert report.findings[0].verdict == "FAIL"
        assert report.exit_code == 3

    def test_flips_are_about_rows(self, runs: tuple[str, str]) -> None:
        report = gate(runs, {"id": "flips", "metric": "flip_rate", "kind": "ceiling", "value": 0.5})
        evidence = report.findings[0].evidence
        assert evidence is not None
        assert (evidence.n, report.findings[0].verdict) == (360, "PASS")

    def test_shares_of_memorised_problems_are_better_when_low(self, make_run: Make) -> None:
        def rows(recalled: int) -> list[dict[str, Any]]:
            return [
                {
                    "id": f"p{p}-{step}", "cluster": f"p{p}", "right": step == "multi" or p >= recalled,
                    "subsets": {"problem": f"p{p}", "step": f"2steps_{step}"},
                }
                for p in range(60)
                for step in ("1", "2", "multi")
            ]  # fmt: skip

        worse = gate(
            (make_run("a", rows(5)), make_run("b", rows(30))),
            {"id": "rm", "metric": "wemath:RM:strict", "kind": "no_regression", "min_effect": 0.05},
        )
        assert worse.findings[0].verdict == "FAIL"

    def test_plan(self, runs: tuple[str, str]) -> None:
        (side,) = open_sides([runs[0]])
        rules = [
            {"id": "ni", "metric": "macro:subject", "kind": "non_inferiority", "margin": 0.15},
            {"id": "tiny", "metric": "macro:subject", "kind": "non_inferiority", "margin": 0.001},
            {"id": "floor", "metric": "macro:subject", "kind": "floor", "value": 0.2},
        ]
        plan = plan_gate(side, Policy.model_validate({"version": 1, "rules": rules}))
        assert [one.check.id for one in plan.refused] == ["tiny"]
        assert plan.rules[0].design_effect > 1
        assert plan.rules[2].scenarios[0].passes > 0.9

    def test_undefined_is_invalid(self, make_run: Make) -> None:
        rows = versions([[False] * VERSIONS] * 40)
        report = gate(
            (make_run("a", rows), make_run("b", rows)),
            {"id": "r", "metric": "robustness:problem", "kind": "non_inferiority", "margin": 0.1},
            {"id": "f", "metric": "robustness:problem", "kind": "floor", "value": 0.1},
        )
        assert [one.verdict for one in report.findings] == ["INVALID", "INVALID"]
        assert "undefined" in report.findings[0].message


def test_the_card_is_scored_again_with_its_answers(tmp_path: Path, make_run: Make) -> None:
    """`extracted` follows when responses are scored again, because F1 reads it."""
    card = tmp_path / "cards" / "quiz.yaml"
    card.parent.mkdir()
    card.write_text(
        "name: quiz\nfamily: custom\ntitle: Quiz\ndataset: {local: {files: ['*.jsonl']}}\nfields: {id: id}\n"
        "answer: {kind: yes-no}\nmetrics: [f1]\n"
    )
    rows = [
        {"id": f"q{i}", "right": False, "response": "Yes." if i % 2 else "No.", "target": '"yes"', "extracted": '"no"'}
        for i in range(40)
    ]
    pair = make_run("a", rows, metrics=["f1"]), make_run("b", rows, metrics=["f1"], score_digest="9" * 64)
    pairing = PairingOptions(task_paths=(str(card.parent),))
    (found,) = compare_runs(open_sides(pair), ComparisonOptions(pairing)).comparisons
    assert found.base == found.candidate == pytest.approx(2 * 20 / (20 + 40))
