"""Verdicts of a gate on run folders: every kind, every verdict, every exit code."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.analysis.gate import Finding, GateReport, run_gate
from mmeval.analysis.gate_policy import Policy
from mmeval.analysis.pairing import open_sides
from mmeval.core.errors import DataError, UsageError
from mmeval.runs.manifest import read_manifest, write_manifest
from tests.analysis.conftest import pair_of, quiz, write_run

TODAY = datetime.date(2026, 6, 1)


def policy_of(*rules: dict[str, Any], waivers: list[dict[str, Any]] | None = None, **defaults: Any) -> Policy:
    return Policy.model_validate({"version": 1, "defaults": defaults, "rules": list(rules), "waivers": waivers or []})


def gate(runs: tuple[str, str], *rules: dict[str, Any], **more: Any) -> GateReport:
    base, candidate = open_sides(runs)
    return run_gate(base, candidate, policy_of(*rules, **more), TODAY)


def only(report: GateReport) -> Finding:
    (found,) = report.findings
    return found


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Two runs with a given 2x2 table, or with given rows."""

    def make(*table: int, rows: tuple[Any, Any] | None = None, **record: Any) -> tuple[str, str]:
        pair = rows or pair_of(*table)
        names = (f"base{len(list(tmp_path.iterdir()))}", f"cand{len(list(tmp_path.iterdir()))}")
        written = [write_run(tmp_path / n, r, models=(n,), **record) for n, r in zip(names, pair, strict=True)]
        return written[0], written[1]

    return make


NI = {"id": "ni", "kind": "non_inferiority", "margin": 0.05}
NR = {"id": "nr", "kind": "no_regression", "min_effect": 0.01}
EQ = {"id": "eq", "kind": "equivalence", "margin": 0.05}


@pytest.mark.parametrize(
    ("rule", "table", "verdict"),
    [
        (NI, (300, 10, 12, 78), "PASS"),
        (NI, (200, 90, 10, 100), "FAIL"),
        (NI, (20, 6, 5, 9), "INCONCLUSIVE"),
        (NI, (200, 30, 18, 152), "INCONCLUSIVE"),
        (NI, (400, 0, 0, 0), "PASS"),  # no discordant pair, all right
        (NI, (30, 0, 0, 0), "INCONCLUSIVE"),  # ... but too few items to rule out 5 points
        (NI, (0, 0, 400, 0), "PASS"),
        (NI, (0, 400, 0, 0), "FAIL"),
        (NR, (1000, 0, 0, 1000), "PASS"),
        (NR, (1000, 60, 20, 920), "FAIL"),
        (NR, (1000, 40, 30, 930), "INCONCLUSIVE"),
        (NR, (1000, 12, 2, 986), "PASS"),  # a significant drop that is smaller than min_effect
        (EQ, (300, 10, 12, 78), "PASS"),
        (EQ, (200, 10, 90, 100), "FAIL"),
        (EQ, (200, 90, 10, 100), "FAIL"),
        (EQ, (20, 6, 5, 9), "INCONCLUSIVE"),
        ({"id": "f", "kind": "floor", "value": 0.6}, (300, 10, 12, 78), "PASS"),
        ({"id": "f", "kind": "floor", "value": 0.9}, (300, 10, 12, 78), "FAIL"),
        ({"id": "f", "kind": "floor", "value": 0.78}, (300, 10, 12, 78), "INCONCLUSIVE"),
        ({"id": "f", "kind": "floor", "value": 1.0}, (400, 0, 0, 0), "INCONCLUSIVE"),
        ({"id": "f", "kind": "floor", "value": 0.0}, (0, 0, 0, 400), "PASS"),
        ({"id": "c", "kind": "ceiling", "value": 0.9}, (300, 10, 12, 78), "PASS"),
        ({"id": "c", "kind": "ceiling", "value": 0.6}, (300, 10, 12, 78), "FAIL"),
        ({"id": "c", "kind": "ceiling", "value": 0.0}, (0, 0, 0, 400), "INCONCLUSIVE"),
        ({"id": "c", "kind": "ceiling", "value": 0.0}, (0, 0, 1, 400), "FAIL"),
        ({"id": "c", "kind": "ceiling", "metric": "flip_rate", "value": 0.1}, (300, 10, 12, 78), "PASS"),
        ({"id": "c", "kind": "ceiling", "metric": "flip_rate", "value": 0.03}, (300, 10, 12, 78), "FAIL"),
    ],
)  # fmt: skip
def test_every_kind_has_three_verdicts(
    runs: Callable[..., tuple[str, str]], rule: dict[str, Any], table: tuple[int, ...], verdict: str
) -> None:
    found = only(gate(runs(*table), rule))
    assert found.verdict == verdict, found.message
    assert found.message


def test_the_verdict_follows_the_shown_limits(runs: Callable[..., tuple[str, str]]) -> None:
    for losses in range(0, 60, 3):
        found = only(gate(runs(300, losses, 20, 100), NI))
        evidence = found.evidence
        assert evidence is not None
        assert evidence.interval is not None
        assert evidence.interval.method == "tango"
        assert evidence.interval.level == pytest.approx(0.9)
        assert (found.verdict == "PASS") == (evidence.interval.low > -0.05)
        if evidence.interval.high < -0.05:
            assert found.verdict == "FAIL"


def test_lower_is_better_turns_everything_round(runs: Callable[..., tuple[str, str]]) -> None:
    higher = only(gate(runs(200, 90, 10, 100), NI)).evidence
    lower = only(gate(runs(200, 10, 90, 100), {**NI, "direction": "lower"}))
    evidence = lower.evidence
    assert higher is not None
    assert evidence is not None
    assert lower.verdict == "FAIL"
    assert evidence.delta == pytest.approx(0.2)
    assert evidence.p == higher.p
    assert evidence.interval is not None
    assert higher.interval is not None
    assert (evidence.interval.low, evidence.interval.high) == (-higher.interval.high, -higher.interval.low)
    assert evidence.table is not None
    assert (evidence.table.losses, evidence.table.gains) == (10, 90)
    assert only(gate(runs(200, 90, 10, 100), {**NI, "direction": "lower"})).verdict == "PASS"


def test_holm_corrects_fails_and_leaves_passes_alone(runs: Callable[..., tuple[str, str]]) -> None:
    pair = runs(1000, 50, 30, 920)  # one-sided p about 0.013
    assert only(gate(pair, {"id": "a", "kind": "no_regression", "min_effect": 0.005})).verdict == "FAIL"
    many = [{"id": f"r{n}", "kind": "no_regression", "min_effect": 0.005} for n in range(10)]
    corrected = gate(pair, *many)
    assert {one.verdict for one in corrected.findings} == {"INCONCLUSIVE"}
    assert "significant on its own" in corrected.findings[0].message
    assert {one.verdict for one in gate(pair, *many, correction="none").findings} == {"FAIL"}
    beside = [{**rule, "informational": True} for rule in many[1:]]
    report = gate(pair, many[0], *beside)
    assert [one.verdict for one in report.findings] == ["FAIL"] * 10
    assert report.findings[0].p_adjusted == report.findings[0].evidence.p  # type: ignore[union-attr]
    passing = gate(runs(300, 10, 12, 78), *[{**NI, "id": f"n{n}"} for n in range(50)])
    assert {one.verdict for one in passing.findings} == {"PASS"}


def test_exit_codes_and_what_hides_what(runs: Callable[..., tuple[str, str]]) -> None:
    good, bad = runs(300, 10, 12, 78), runs(200, 90, 10, 100)
    assert gate(good, NI).exit_code == 0
    assert gate(bad, NI).exit_code == 3
    assert gate(bad, {**NI, "informational": True}).exit_code == 0
    few = runs(20, 6, 5, 9)
    assert gate(few, NI).exit_code == 0
    assert gate(few, NI, on_inconclusive="fail").exit_code == 4
    assert gate(few, NI, on_inconclusive="pass").exit_code == 0
    assert gate(few, NI, min_n=50).exit_code == 5


def test_invalid_and_fail_are_both_shown(tmp_path: Path) -> None:
    base, candidate = pair_of(200, 90, 10, 100)
    for rows in (base, candidate):
        for row in rows[:5]:
            row["subsets"] = {"part": "few"}
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    report = gate(pair, {**NI, "id": "few", "subset": "part=few"}, NI)
    assert [one.verdict for one in report.findings] == ["INVALID", "FAIL"]
    assert "5 items are fewer than min_n 30" in report.findings[0].message
    assert report.exit_code == 5
    assert "1 FAIL" in report.reason


def test_waivers(runs: Callable[..., tuple[str, str]]) -> None:
    bad = runs(200, 90, 10, 100)
    waiver = {"rule": "ni", "until": "2026-06-01", "reason": "known label bug", "by": "alice"}
    report = gate(bad, NI, waivers=[waiver])
    assert only(report).verdict == "WAIVED"
    assert report.exit_code == 0
    assert "alice" in only(report).notes[-1]
    expired = gate(bad, NI, waivers=[{**waiver, "until": "2026-05-31"}])
    assert only(expired).verdict == "FAIL"
    assert expired.exit_code == 3
    assert "expired on 2026-05-31" in only(expired).notes[-1]
    few = runs(20, 6, 5, 9)
    assert gate(few, NI, waivers=[waiver], on_inconclusive="fail").exit_code == 0
    assert gate(few, NI, waivers=[waiver], min_n=50).exit_code == 5  # an invalid comparison cannot be waived


def test_a_waiver_keeps_its_rule_in_the_family(runs: Callable[..., tuple[str, str]]) -> None:
    pair = runs(1000, 50, 30, 920)
    two = [{"id": name, "kind": "no_regression", "min_effect": 0.005} for name in ("a", "b")]
    waiver = {"rule": "a", "until": "2027-01-01", "reason": "x", "by": "y"}
    plain, waived = gate(pair, *two), gate(pair, *two, waivers=[waiver])
    assert plain.findings[1].p_adjusted == waived.findings[1].p_adjusted


def test_a_limit_on_flips_is_a_rule_of_its_own(runs: Callable[..., tuple[str, str]]) -> None:
    pair = runs(600, 150, 150, 100)  # no net change, but 30 % of the items flip
    report = gate(pair, {**EQ, "max_flip_rate": 0.2})
    assert [(one.check.id, one.verdict) for one in report.findings] == [("eq", "PASS"), ("eq/flips", "FAIL")]
    assert report.exit_code == 3


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"task": "quizz"}, "did you mean quiz"),
        ({"condition": "blind"}, "no condition 'blind'"),
        ({"subset": "part=hard"}, "did you mean part=few"),
        ({"subset": "prat=few"}, "did you mean part=few"),
        ({"metric": "iou"}, "which metric 'iou' needs"),
        ({"margin": 2}, "give a fraction"),
    ],
)
def test_a_rule_that_cannot_be_meant_ends_with_code_2(tmp_path: Path, rule: dict[str, Any], said: str) -> None:
    rows = quiz(*[1, 0] * 40, subsets={"part": "few"})
    pair = (write_run(tmp_path / "b", rows, models=("b",)), write_run(tmp_path / "c", rows, models=("c",)))
    with pytest.raises(UsageError, match="ni") as caught:
        gate(pair, {**NI, **rule}, {"id": "ok", "kind": "floor", "value": 0.1})
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_pattern_applies_to_every_task_that_matches(runs: Callable[..., tuple[str, str]]) -> None:
    pair = runs(300, 10, 12, 78, name="spatial/left")
    for pattern in ("*", "spatial/*", "spatial/left", "spatial/left@default"):
        assert only(gate(pair, {**NI, "task": pattern})).check.target.task == "spatial/left"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ask_digest": "9" * 64}, "asked in different ways"),
        ({"protocol": "other"}, "protocol"),
        ({"name": "other"}, "only"),
    ],
)
def test_another_protocol_is_invalid(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    pair = (
        write_run(tmp_path / "b", base, models=("b",)),
        write_run(tmp_path / "c", candidate, models=("c",), **change),
    )
    report = gate(pair, {**NI, "task": "quiz"})
    assert (only(report).verdict, report.exit_code) == ("INVALID", 5)
    assert said in only(report).message


def test_missing_items_are_invalid_unless_intersected(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate[:390], models=("c",)))
    report = gate(pair, NI)
    assert (only(report).verdict, report.exit_code) == ("INVALID", 5)
    assert "items differ" in only(report).message
    assert only(report).message.endswith("or set missing_items: intersect in the policy")
    shared = only(gate(pair, NI, missing_items="intersect"))
    assert shared.verdict == "PASS"
    assert shared.evidence is not None
    assert shared.evidence.n == 390
    assert "10 of 400" in shared.notes[0]


def test_changed_items_are_invalid(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    candidate[0]["item_hash"] = "f" * 64
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    assert gate(pair, NI).exit_code == 5


def test_the_same_item_twice_is_invalid(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    candidate[1]["item_hash"] = base[1]["item_hash"] = "f" * 64
    candidate[0]["item_hash"] = base[0]["item_hash"] = "f" * 64
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    report = gate(pair, NI)
    assert report.exit_code == 5
    assert "same item" in only(report).message


def broken(rows: list[dict[str, Any]], number: int, outcome: str = "error") -> list[dict[str, Any]]:
    for row in rows[:number]:
        row.update(right=None, outcome=outcome)
    return rows


def test_a_few_failed_rows_are_left_out_and_many_are_infrastructure(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    stored = write_run(tmp_path / "b", base, models=("b",))
    few = (stored, write_run(tmp_path / "c", broken(candidate, 4), models=("c",)))
    found = only(gate(few, NI))
    assert found.verdict == "PASS"
    assert found.evidence is not None
    assert found.evidence.n == 396
    many = (stored, write_run(tmp_path / "d", broken(candidate, 5, "unscored"), models=("d",)))
    report = gate(many, NI, {"id": "errors", "kind": "ceiling", "metric": "error_rate", "value": 0.05})
    assert [one.verdict for one in report.findings] == ["ERROR", "PASS"]
    assert report.exit_code == 6
    assert "5 of 400 rows" in report.findings[0].message
    everything = (stored, write_run(tmp_path / "e", broken(candidate, 400), models=("e",)))
    assert gate(everything, NI).exit_code == 6


def test_unsupported_on_one_side_is_invalid(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    stored = write_run(tmp_path / "b", base, models=("b",))
    other = write_run(tmp_path / "c", broken(candidate, 50, "unsupported"), models=("c",))
    report = gate((stored, other), NI, {"id": "cov", "kind": "no_regression", "metric": "coverage", "min_effect": 0.01})
    assert [one.verdict for one in report.findings] == ["INVALID", "FAIL"]
    alike = write_run(tmp_path / "d", broken(base, 50, "unsupported"), models=("d",))
    assert only(gate((alike, other), NI)).verdict == "PASS"


@pytest.mark.parametrize("change", [{"status": "interrupted"}, {"status": "incomplete", "counts": {"missing": 3}}])
def test_an_unfinished_run_is_infrastructure(runs: Callable[..., tuple[str, str]], change: dict[str, Any]) -> None:
    pair = runs(300, 10, 12, 78)
    write_manifest(Path(pair[1]), read_manifest(Path(pair[1])).model_copy(update=change))
    report = gate(pair, NI, {"id": "f", "kind": "floor", "value": 0.1})
    assert {one.verdict for one in report.findings} == {"ERROR"}
    assert report.exit_code == 6


def test_a_fail_beside_missing_rows_survives_the_retry(tmp_path: Path) -> None:
    base, candidate = pair_of(200, 90, 10, 100)
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    for number, row in enumerate(candidate):
        row["subsets"] = {"part": "x" if number % 2 else "y"}
        base[number]["subsets"] = row["subsets"]
    for row in candidate[1:40:2]:
        row.update(right=None, outcome="error")
    pair = (write_run(tmp_path / "b2", base, models=("b",)), write_run(tmp_path / "c2", candidate, models=("c",)))
    report = gate(pair, {**NI, "id": "x", "subset": "part=x"}, {**NI, "id": "y", "subset": "part=y"})
    assert [one.verdict for one in report.findings] == ["ERROR", "FAIL"]
    assert report.exit_code == 3
    assert report.findings[1].p_adjusted == pytest.approx(2 * report.findings[1].evidence.p)  # type: ignore[union-attr]


def test_operational_rates(tmp_path: Path) -> None:
    base, candidate = quiz(*[1] * 400), quiz(*[1] * 400)
    for row in candidate[:60]:
        row.update(finish_reason="length", outcome="no_answer", score=0.0, right=None)
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    for metric in ("truncation_rate", "extraction_failure_rate"):
        report = gate(
            pair, {"id": "limit", "kind": "ceiling", "metric": metric, "value": 0.02},
            {"id": "rise", "kind": "no_regression", "metric": metric, "min_effect": 0.01},
            {"id": "base", "kind": "ceiling", "metric": "error_rate", "value": 0.02},
        )  # fmt: skip
        assert [one.verdict for one in report.findings] == ["FAIL", "FAIL", "PASS"]
        assert report.findings[0].evidence.candidate == pytest.approx(0.15)  # type: ignore[union-attr]
        assert report.findings[1].evidence.delta == pytest.approx(0.15)  # type: ignore[union-attr]


def test_clusters_widen_the_interval_unless_switched_off(tmp_path: Path) -> None:
    base, candidate = quiz(*[1] * 400), quiz(*([0] * 10 + [1] * 390))
    for rows in (base, candidate):
        for number, row in enumerate(rows):
            row["cluster"] = f"image{number // 10}"
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    clustered, independent = only(gate(pair, NI)), only(gate(pair, NI, cluster="none"))
    assert (clustered.verdict, independent.verdict) == ("INCONCLUSIVE", "PASS")
    assert clustered.evidence is not None
    assert (clustered.evidence.clusters, clustered.evidence.test) == (40, "cr1-t")


def test_one_cluster_and_one_item_are_inconclusive(tmp_path: Path) -> None:
    base, candidate = quiz(*[1] * 60, cluster="one"), quiz(*[1] * 40, *[0] * 20, cluster="one")
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    assert only(gate(pair, NI)).verdict == "INCONCLUSIVE"
    single = (write_run(tmp_path / "d", base[:1], models=("d",)), write_run(tmp_path / "e", base[:1], models=("e",)))
    assert only(gate(single, NI)).verdict == "INVALID"
    assert only(gate(single, NI, min_n=1)).verdict == "INCONCLUSIVE"
    assert only(gate(single, {"id": "f", "kind": "floor", "value": 0.5}, min_n=1)).verdict == "INCONCLUSIVE"


def test_repeats_are_averaged_and_have_no_table(tmp_path: Path) -> None:
    def rows(shift: int) -> list[dict[str, Any]]:
        return [
            {"id": f"q{item}", "right": (item * 7 + repeat * 3 + shift) % 10 < 6, "repeat": repeat}
            for item in range(400)
            for repeat in range(3)
        ]

    pair = (write_run(tmp_path / "b", rows(0), models=("b",)), write_run(tmp_path / "c", rows(1), models=("c",)))
    found = only(gate(pair, NI))
    assert found.evidence is not None
    assert (found.evidence.n, found.evidence.table) == (400, None)
    assert found.evidence.test == "paired-t"


def test_scores_without_bounds_and_constant_scores(tmp_path: Path) -> None:
    spread = [float(number % 7) for number in range(200)]
    base = [{"id": f"q{n}", "score": value, "correct": None} for n, value in enumerate(spread)]
    candidate = [{**row, "score": row["score"] - 1.5} for row in base]
    pair = (
        write_run(tmp_path / "b", base, models=("b",), metrics=["mean"]),
        write_run(tmp_path / "c", candidate, models=("c",), metrics=["mean"]),
    )
    assert only(gate(pair, {**NI, "margin": 1.0})).verdict == "FAIL"
    assert only(gate(pair, {**NI, "margin": 2.0})).verdict == "PASS"
    assert only(gate(pair, {"id": "f", "kind": "floor", "value": 0.5})).verdict == "PASS"
    flat = [{**row, "score": 3.5} for row in base]
    equal = (
        write_run(tmp_path / "d", flat, models=("d",), metrics=["mean"]),
        write_run(tmp_path / "e", flat, models=("e",), metrics=["mean"]),
    )
    assert only(gate(equal, NI)).verdict == "PASS"
    assert only(gate(equal, {"id": "f", "kind": "floor", "value": 3.0})).verdict == "INCONCLUSIVE"


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    base, candidate = pair_of(200, 40, 30, 100)
    first = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", candidate, models=("c",)))
    second = (first[0], write_run(tmp_path / "d", candidate[::-1], models=("c",)))
    assert only(gate(first, NI)).evidence == only(gate(second, NI)).evidence


def test_another_way_of_scoring_scores_both_sides_again(tmp_path: Path) -> None:
    """The stored verdicts are wrong on purpose; the responses decide, for rates of the extraction as well."""
    pair = []
    for name, text in (("a", "5"), ("b", "no idea")):
        rows = [{"id": f"q{n}", "right": False, "response": text, "target": "5"} for n in range(40)]
        digests = {"name": "synthetic/count", "score_digest": name * 64}
        pair.append(write_run(tmp_path / name, rows, models=(name,), **digests))
    rate = {"id": "x", "kind": "no_regression", "metric": "extraction_failure_rate", "min_effect": 0.1}
    report = gate((pair[0], pair[1]), {**NI, "margin": 0.2}, rate)
    for one, base, candidate in zip(report.findings, (1.0, 0.0), (0.0, 1.0), strict=True):
        assert one.evidence is not None
        assert (one.evidence.base, one.evidence.candidate, one.verdict) == (base, candidate, "FAIL")
        assert "80 rows of both sides were scored again" in one.notes[0]


@pytest.mark.parametrize("content", [None, b"no parquet"])
def test_a_floor_does_not_pass_beside_a_broken_baseline(
    runs: Callable[..., tuple[str, str]], content: bytes | None
) -> None:
    """Its rows decide nothing here, and a CI job still must hear that its baseline is gone."""
    base, candidate = runs(300, 10, 12, 78)
    floor = {"id": "f", "kind": "floor", "value": 0.6}
    assert only(gate((base, candidate), floor)).verdict == "PASS"
    table = Path(base) / "results.parquet"
    table.unlink()
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(DataError, match=r"results\.parquet"):
        gate((base, candidate), floor)


def test_percent_is_answered_with_the_fraction(runs: Callable[..., tuple[str, str]]) -> None:
    with pytest.raises(UsageError, match=r"give a fraction: 0\.65"):
        gate(runs(300, 10, 12, 78), {"id": "f", "kind": "floor", "value": 65})


def scored(*answers: float, items: int = 40) -> list[dict[str, Any]]:
    """Every item with the same answers, which differ."""
    return [
        {"id": f"q{item}", "score": value, "repeat": repeat}
        for item in range(items)
        for repeat, value in enumerate(answers)
    ]


def test_the_order_of_equal_answers_moves_no_item(tmp_path: Path) -> None:
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 to a computer, and nothing changed."""
    pair = (
        write_run(tmp_path / "b", scored(0.1, 0.2, 0.3), models=("b",), metrics=["mean"]),
        write_run(tmp_path / "c", scored(0.3, 0.2, 0.1), models=("c",), metrics=["mean"]),
    )
    found = only(gate(pair, NI))
    assert (found.lost, found.gained) == ((), ())


def test_flips_are_of_single_answers_whatever_their_scores(tmp_path: Path) -> None:
    pair = (
        write_run(tmp_path / "b", scored(0.1, 0.2, 0.3), models=("b",), metrics=["mean"]),
        write_run(tmp_path / "c", scored(0.3, 0.3, 0.1, 0.7), models=("c",), metrics=["mean"]),
    )
    limit = {"id": "c", "kind": "ceiling", "metric": "flip_rate", "value": 0.5}
    evidence = only(gate(pair, limit)).evidence
    assert evidence is not None
    # 0.3 meets 0.3 in 1/3 * 2/4 of the pairs of answers, 0.1 meets 0.1 in 1/3 * 1/4.
    assert evidence.candidate == pytest.approx(1 - (2 + 1) / 12)
    with pytest.raises(UsageError, match=r"give a fraction: 0\.05"):
        gate(pair, {**limit, "value": 5})


def test_a_collapse_to_zero_is_no_mistake_in_the_policy(tmp_path: Path) -> None:
    """Scores of the candidate alone lie in [0, 1]; the baseline says that the scale is another one."""
    rows = [{"id": f"q{n}", "score": float(50 + n % 40)} for n in range(60)]
    base = write_run(tmp_path / "b", rows, models=("b",), metrics=["mean"])
    zeros = [{**row, "score": float(n == 0)} for n, row in enumerate(rows)]
    candidate = write_run(tmp_path / "c", zeros, models=("c",), metrics=["mean"])
    floor = {"id": "f", "kind": "floor", "value": 60}
    assert only(gate((base, candidate), floor)).verdict == "FAIL"
    other = write_run(tmp_path / "d", zeros, models=("d",), metrics=["mean"])
    with pytest.raises(UsageError, match="give a fraction"):
        gate((candidate, other), floor)


def test_a_pattern_of_floors_judges_what_the_candidate_lacks(tmp_path: Path) -> None:
    """A candidate that was not asked a task of the baseline must not pass a floor on every task."""
    base, candidate = pair_of(300, 10, 12, 78)
    for row in [*base[200:], *candidate[200:]]:
        row["task"] = "hard"
    runs = [write_run(tmp_path / name, base[:200], models=(name,)) for name in ("b", "c")]
    second = write_run(tmp_path / "h", base[200:], models=("h",), name="hard")
    manifest = read_manifest(Path(runs[0]))
    hard = read_manifest(Path(second)).tasks[0]
    write_manifest(Path(runs[0]), manifest.model_copy(update={"tasks": [*manifest.tasks, hard]}))
    floor = {"id": "f", "kind": "floor", "value": 0.1}
    report = gate((runs[0], runs[1]), floor)
    assert [one.verdict for one in report.findings] == ["PASS"]  # the baseline has no row of it either
    whole = write_run(tmp_path / "w", [{**row, "model": "w"} for row in base], models=("w",))
    write_manifest(Path(whole), read_manifest(Path(whole)).model_copy(update={"tasks": [*manifest.tasks, hard]}))
    report = gate((whole, runs[1]), floor)
    assert [(one.check.target.task, one.verdict) for one in report.findings] == [("quiz", "PASS"), ("hard", "INVALID")]
    assert "task hard: c has no rows under condition standard; run what the baseline ran" in report.findings[1].message
    assert report.exit_code == 5
    assert gate((whole, runs[1]), {**floor, "task": "quiz"}).exit_code == 0
