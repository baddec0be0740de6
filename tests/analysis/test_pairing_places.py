"""Runs of several tasks, protocols, conditions and models: every pair takes its own rows and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmeval.analysis.comparison import ComparisonOptions, compare_runs, report_json
from mmeval.analysis.pairing import PairingOptions, open_sides, pair_runs
from mmeval.core.errors import ComparisonError, UsageError
from mmeval.runs.manifest import TaskRecord, read_manifest, write_manifest
from tests.analysis.conftest import RECORD, quiz, write_run
from tests.analysis.test_gate import gate

ITEMS = 40
PLACES = [(task, condition) for task in ("one", "two") for condition in ("standard", "other")]


def whole(
    folder: Path, right: dict[tuple[str, str, str], int], conditions: tuple[str, ...] = ("standard", "other")
) -> str:
    """A run of given numbers of right answers by (model, task, condition); the tasks are those named, protocol `plain`."""
    rows = []
    for (model, task, condition), number in right.items():
        for row in quiz(*[k < number for k in range(ITEMS)]):
            rows.append({**row, "model": model, "task": task, "protocol": "plain", "condition": condition})
    models = tuple(dict.fromkeys(model for model, _, _ in right))
    run = write_run(folder, rows, models=models)
    records = [
        TaskRecord(**{**RECORD, "name": task, "protocol": "plain", "samples": ITEMS})
        for task in dict.fromkeys(task for _, task, _ in right)
    ]
    write_manifest(folder, read_manifest(folder).model_copy(update={"tasks": records, "conditions": list(conditions)}))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    """Two runs of two models each; every place has a number of its own."""
    sides = []
    for side, shift in (("b", 0), ("c", 8)):
        right = {
            (model, task, condition): 1 + shift + 4 * second + place
            for second, model in enumerate(("m", "n"))
            for place, (task, condition) in enumerate(PLACES)
        }
        sides.append(whole(tmp_path / side, right))
    return sides[0], sides[1]


def test_every_place_has_its_own_rows(runs: tuple[str, str]) -> None:
    report = compare_runs(open_sides([f"{runs[0]}#m", f"{runs[1]}#n"]), ComparisonOptions())
    found = {(one.task, one.condition): (one.n, one.base, one.candidate) for one in report.comparisons}
    assert found == {place: (ITEMS, (1 + number) / ITEMS, (13 + number) / ITEMS) for number, place in enumerate(PLACES)}
    judged = gate(
        (f"{runs[0]}#m", f"{runs[1]}#n"),
        {"id": "r", "kind": "no_regression", "min_effect": 0.3},
        {"id": "o", "kind": "floor", "value": 0.1, "condition": "other", "task": "two@plain"},
    )
    shown = [
        (one.check.target.task, one.evidence.base, one.evidence.candidate) for one in judged.findings if one.evidence
    ]
    assert shown == [("one", 1 / ITEMS, 13 / ITEMS), ("two", 3 / ITEMS, 15 / ITEMS), ("two", None, 16 / ITEMS)]


def test_tasks_and_candidates_are_named_in_json(runs: tuple[str, str]) -> None:
    sides = open_sides([f"{runs[0]}#m", f"{runs[0]}#n", f"{runs[1]}#m"])
    assert [side.label for side in sides] == [f"{runs[0]}#m", "n", f"{runs[1]}#m"]
    report = compare_runs(sides, ComparisonOptions(PairingOptions(tasks=("two",))))
    data = report_json(report)
    assert {one["task"] for one in data["comparisons"]} == {"two"}
    assert data["candidate"] == ["n", f"{runs[1]}#m"]
    # Two candidates and two conditions are one family.
    assert len(data["comparisons"]) == 4
    assert [(one["task"], one["condition"], len(one["pairs"])) for one in data["rankings"]] == [
        ("two", "standard", 3), ("two", "other", 3),
    ]  # fmt: skip
    single = report_json(compare_runs(sides[:2], ComparisonOptions()))
    assert (single["candidate"], single["rankings"]) == ("n", [])


def test_what_one_side_lacks_is_refused_or_left_out(tmp_path: Path) -> None:
    full = whole(tmp_path / "b", {("b", task, condition): 9 for task, condition in PLACES})
    tasks = whole(tmp_path / "t", {("t", "one", condition): 9 for condition in ("standard", "other")})
    conditions = whole(tmp_path / "c", {("c", task, "standard"): 9 for task in ("one", "two")}, ("standard",))
    lenient = PairingOptions(allow_missing=True)

    def places(*pair: str, options: PairingOptions = lenient) -> list[tuple[str, str]]:
        first, second = open_sides(pair)
        return [(one.task, one.condition) for one in pair_runs(first, second, options)]

    for pair, where in (((full, tasks), "b"), ((tasks, full), "b")):
        with pytest.raises(ComparisonError, match=f"task two is in {where} only"):
            places(*pair, options=PairingOptions())
        assert places(*pair) == [("one", "standard"), ("one", "other")]
        assert len(places(*pair, options=PairingOptions(tasks=("one",)))) == 2
        with pytest.raises(ComparisonError, match=f"task two is in {where} only"):
            places(*pair, options=PairingOptions(tasks=("two",)))
        with pytest.raises(ComparisonError, match="no task and condition in common"):
            places(*pair, options=PairingOptions(allow_missing=True, tasks=("two",)))
    for pair in ((full, conditions), (conditions, full)):
        with pytest.raises(ComparisonError, match="task one: c has no rows under condition other"):
            places(*pair, options=PairingOptions())
        assert places(*pair) == [("one", "standard"), ("two", "standard")]
    with pytest.raises(UsageError, match="tow"):
        places(full, tasks, options=PairingOptions(tasks=("tow",)))


def test_a_protocol_on_both_sides_is_taken_before_another(tmp_path: Path) -> None:
    rows = [
        {**row, "protocol": protocol}
        for protocol, number in (("short", 10), ("long", 30))
        for row in quiz(*[k < number for k in range(ITEMS)])
    ]
    sides = []
    for name, order in (("b", ("short", "long")), ("c", ("long", "short"))):
        run = write_run(tmp_path / name, rows, models=(name,))
        records = [TaskRecord(**{**RECORD, "protocol": protocol}) for protocol in order]
        write_manifest(Path(run), read_manifest(Path(run)).model_copy(update={"tasks": records}))
        sides.append(run)
    report = compare_runs(open_sides(sides), ComparisonOptions())
    assert [(one.protocol, one.base, one.delta) for one in report.comparisons] == [
        ("short", 0.25, 0.0),
        ("long", 0.75, 0.0),
    ]
    rule = {"id": "f", "kind": "no_regression", "margin": 0.2, "task": "quiz@long"}
    (found,) = gate((sides[0], sides[1]), rule).findings
    assert found.evidence is not None
    assert (found.check.target.protocol, found.evidence.base) == ("long", 0.75)
    assert len(gate((sides[0], sides[1]), {**rule, "task": "*"}).findings) == 2


def test_items_without_a_hash_join_by_their_ids(tmp_path: Path) -> None:
    def rows(*names: str) -> list[dict[str, Any]]:
        return [{"id": name, "right": True, "item_hash": None} for name in names]

    first, second = open_sides(
        [write_run(tmp_path / "b", rows("x", "y", "z"), models=("b",)), write_run(tmp_path / "c", rows("z", "x", "y"), models=("c",))]
    )  # fmt: skip
    (found,) = pair_runs(first, second, PairingOptions())
    assert found.items == ("x", "y", "z")
    (third,) = open_sides([write_run(tmp_path / "d", rows("x", "y", "w"), models=("d",))])
    with pytest.raises(ComparisonError) as caught:
        pair_runs(first, third, PairingOptions())
    # Without a hash another id is another item, and nothing is known about its content.
    assert caught.value.message == "task quiz: the items differ: 1 in b only, 1 in d only, 2 in both"
    assert caught.value.remedy.endswith("or add --allow-missing to compare what both have")
    (other,) = open_sides([write_run(tmp_path / "e", rows("k"), models=("e",))])
    with pytest.raises(ComparisonError) as caught:
        pair_runs(first, other, PairingOptions())
    assert "--allow-missing" not in caught.value.remedy


def test_small_subsets_are_left_out_and_the_rest_is_one_family(tmp_path: Path) -> None:
    sides = []
    for name, right in (("b", 40), ("c", 20)):
        rows = quiz(*[k % 8 != 7 and k < right for k in range(60)])
        for number, row in enumerate(rows):
            row["subsets"] = {
                "size": "four" if number < 4 else "five" if number < 9 else "many",
                "side": str(number % 2),
            }
        sides.append(write_run(tmp_path / name, rows, models=(name,)))
    found = compare_runs(open_sides(sides), ComparisonOptions(by=("all",))).comparisons
    parts = [one for one in found if one.subset is not None]
    assert [one.subset for one in parts] == [("side", "0"), ("side", "1"), ("size", "five"), ("size", "many")]
    from statsmodels.stats.multitest import multipletests

    assert [one.p_adjusted for one in parts] == pytest.approx(
        multipletests([one.p for one in parts], method="fdr_bh")[1]
    )
    only = compare_runs(open_sides(sides), ComparisonOptions(by=("size",))).comparisons
    assert [one.subset for one in only] == [None, ("size", "five"), ("size", "many")]


def test_a_condition_that_neither_side_has_for_a_task_is_no_difference(tmp_path: Path) -> None:
    """Some conditions suit some tasks alone; run.json lists them for all."""
    places = (("one", "standard"), ("one", "other"), ("two", "standard"))
    sides = [whole(tmp_path / name, {(name, task, condition): 9 for task, condition in places}) for name in ("b", "c")]
    first, second = open_sides(sides)
    found = pair_runs(first, second, PairingOptions())
    assert [(one.task, one.condition) for one in found] == list(places)


def test_one_task_of_two_is_scored_again(tmp_path: Path) -> None:
    """The answers are read for both tasks, and the task that was scored alike keeps its scores."""
    sides = []
    for name, text in (("b", "5"), ("c", "no idea")):
        counted = [
            {"id": f"k{n}", "right": False, "response": text, "target": "5", "task": "synthetic/count"}
            for n in range(10)
        ]
        run = write_run(tmp_path / name, [*quiz(*[1, 0] * 5), *counted], models=(name,))
        again = TaskRecord(**{**RECORD, "name": "synthetic/count", "score_digest": name * 64})
        manifest = read_manifest(Path(run))
        write_manifest(Path(run), manifest.model_copy(update={"tasks": [*manifest.tasks, again]}))
        sides.append(run)
    found = compare_runs(open_sides(sides), ComparisonOptions()).comparisons
    assert [(one.task, one.rescored, one.base, one.candidate) for one in found] == [
        ("quiz", 0, 0.5, 0.5), ("synthetic/count", 20, 1.0, 0.0),
    ]  # fmt: skip
