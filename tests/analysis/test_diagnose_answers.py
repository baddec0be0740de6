"""What a diagnosis reads of a run folder: several answers per item, labels of other texts, judges, rows that do not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmeval.analysis.diagnose import diagnose
from mmeval.analysis.diagnose_change import diagnose_against
from mmeval.analysis.diagnose_data import TaskItems, load_items
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Finding, measure, points
from mmeval.analysis.diagnose_labels import corrected_rates
from mmeval.analysis.perception_labels import check_labels, read_labels
from mmeval.core.errors import ComparisonError, DataError
from mmeval.core.hashing import digest
from mmeval.runs.folder import Run, open_run
from mmeval.runs.labels import HUMAN, Label, human_labels, write_labels_table
from mmeval.runs.manifest import read_manifest, write_manifest
from mmeval.stats.intervals import Interval
from mmeval.stats.resampling import BootstrapPlan
from tests.analysis.conftest import write_run
from tests.analysis.simulated import RECORD

FAST = DiagnoseOptions(plan=BootstrapPlan(resamples=200))


def folder(path: Path, rows: list[dict[str, Any]], *conditions: str) -> Run:
    made = Path(write_run(path, rows))
    manifest = read_manifest(made)
    write_manifest(made, manifest.model_copy(update={"conditions": ["standard", *conditions]}))
    return open_run(made)


def answers(number: int = 20, **also: Any) -> list[dict[str, Any]]:
    return [{"id": str(one), "right": one % 2 == 0, "response": f"answer {one}", **also} for one in range(number)]


def label(run: Run, name: str, text: str | None, **fields: Any) -> Label:
    record = run.manifest.tasks[0]
    made: dict[str, Any] = {
        "model": run.models[0], "task": record.name, "protocol": record.protocol, "condition": "standard", "sample_id": name,
        "repeat": 0, "source": "error-type", "label": "reasoning", "judge_model": "j", "card_digest": "1" * 16,
        "response_hash": None if text is None else digest(text),
    }  # fmt: skip
    return Label(**(made | fields))


def only(run: Run, **options: Any) -> TaskItems:
    (items,) = load_items(run, **options).values()
    return items


def of(found: tuple[Finding, ...], analysis: str) -> Finding:
    (one,) = [finding for finding in found if finding.analysis == analysis]
    return one


def test_labels_of_other_texts_are_left_out_and_said(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers())
    write_labels_table(
        run, [label(run, str(one), f"answer {one}" if one < 15 else "older answer") for one in range(20)]
    )
    items = only(run)
    assert sum(bool(text) for text in items.errors["error-type"]) == 15
    assert any(
        "5 labels of error-type are of other texts" in text for text in diagnose({("t", "d"): items}, "m", FAST).missing
    )


def test_labels_of_people_follow_the_answer_that_they_saw(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers())
    people = tmp_path / "people.csv"
    people.write_text(f"task,id,label\n{run.manifest.tasks[0].name},1,perception/count\n")
    (made,) = human_labels(people, run)
    assert made.response_hash == digest("answer 1")


def test_kinds_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers())
    people = tmp_path / "people.csv"
    people.write_text(f"task,id,label\n{run.manifest.tasks[0].name},1,perceptoin/count\n")
    with pytest.raises(DataError, match="line 2: column label: 'perceptoin/count' is no kind of error"):
        human_labels(people, run)


def test_two_judges_under_one_card_are_two_sources(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers())
    write_labels_table(run, [label(run, str(one), f"answer {one}", judge_model=f"j{one % 2}") for one in range(20)])
    items = only(run)
    assert {name.partition(" with ")[0] for name in items.errors} == {"error-type by j0", "error-type by j1"}
    assert all(sum(map(bool, labels)) == 10 for labels in items.errors.values())


def test_labels_that_are_no_kinds_of_error_say_nothing_about_perception(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers())
    write_labels_table(run, [label(run, str(one), f"answer {one}", source="tone", label="formal") for one in range(20)])
    assert not only(run).sources
    assert not only(run).errors


def test_several_answers_are_read_one_by_one(tmp_path: Path) -> None:
    rows = []
    for number in range(60):
        for repeat in range(2):
            seen = number % 3 != 0
            rows.append(
                {"id": str(number), "repeat": repeat, "right": seen and repeat == 0, "response": f"{number} {repeat}"}
            )
            rows.append({"id": str(number), "repeat": repeat, "condition": "checklist", "right": seen})
    run = folder(tmp_path / "r", rows, "checklist")
    write_labels_table(run, [label(run, str(one), f"{one} 1", repeat=1) for one in range(60)])
    items = only(run)
    found = diagnose({("t", "d"): items}, "m", FAST).findings
    numbers = next(
        one.numbers for one in found if one.analysis == "perception" and one.numbers["source"] == "checklist"
    )
    assert list(numbers["counts"].values()) == [40, 40, 0, 40]
    assert numbers["r"]["estimate"] == pytest.approx(0.5)
    assert "of 120 answers" in of(found, "no-answer").says
    # The labels are of second answers, all of which are wrong.
    assert of(found, "error-types").numbers["failures"] == 60
    changed = diagnose_against({("t", "d"): items}, {("t", "d"): items}, ("a", "b"), FAST).findings
    assert {one.numbers["n"] for one in changed if one.analysis == "answers"} == {60}
    assert next(one.numbers["n"] for one in changed if one.analysis == "split") == 120


def test_answers_of_unlike_repeats_meet_on_the_first(tmp_path: Path) -> None:
    rows = [{"id": str(one), "repeat": repeat, "right": one % 2 == repeat, "condition": condition} for one in range(40)
            for repeat in range(2) for condition in ("standard", "checklist")]  # fmt: skip
    two = only(folder(tmp_path / "two", rows, "checklist"))
    single = only(folder(tmp_path / "one", [row for row in rows if row["repeat"] == 0], "checklist"))
    found = diagnose_against({("t", "d"): single}, {("t", "d"): two}, ("a", "b"), FAST).findings
    assert of(found, "transitions").numbers["table"][0][0] == 20


def test_rows_that_do_not_count_are_said_with_the_reason(tmp_path: Path) -> None:
    rows = [
        *answers(),
        {"id": "20", "outcome": "error", "error": "HTTP 500", "right": None},
        *({"id": str(one), "condition": "crop", "outcome": "unsupported", "error": "no gold box", "right": None} for one in range(21)),
    ]  # fmt: skip
    found = diagnose({("t", "d"): only(folder(tmp_path / "r", rows, "crop"))}, "m", FAST)
    assert any("crop: 21 of 21 answers left out: no gold box" in text for text in found.missing)
    assert any("standard: 1 of 21 answers left out: error (HTTP 500)" in text for text in found.missing)
    assert "1 failed or unscored ones count nowhere" in of(found.findings, "no-answer").says


def test_nothing_found_is_said_with_what_could_have_been_found() -> None:
    draw = np.random.default_rng(0)
    names = tuple(map(str, range(200)))
    clusters = tuple(str(number // 4) for number in range(200))
    right, blind = ((draw.random(200) < 0.5).astype(float) for _ in range(2))
    alone = TaskItems(RECORD, names, names, names, {"standard": right, "blind": blind}, ("",) * 200, 1)
    says = of(diagnose({("t", "d"): alone}, "m", FAST).findings, "ablation")
    assert says.numbers["p"] > 0.05
    assert f"80 % power only from {100 * says.numbers['mde']:.1f} points on" in says.says
    together = np.repeat(right[:50], 4), np.repeat(blind[:50], 4)
    assert (measure(*together, clusters).mde or 0) > 1.5 * (measure(*together).mde or 0)
    shares = measure(right / 2, blind / 3)
    assert shares.pair.table is None
    assert shares.mde is not None
    few = measure(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    assert few.mde is None
    assert "too few data" in few.power


def test_no_minus_stands_before_nothing() -> None:
    assert points(-1e-9, Interval(-2e-9, 0.5, 0.95, "x")) == "+0.0 [+0.0, +50.0]"


def test_clusters_count_once_in_the_tables_of_moves() -> None:
    draw = np.random.default_rng(1)
    seen = np.repeat((draw.random((2, 60)) < 0.5).astype(float), 5, axis=1)
    names = tuple(map(str, range(300)))
    clusters = tuple(str(number // 5) for number in range(300))
    first, second = (
        TaskItems(RECORD, names, names, clusters, {"standard": side, "checklist": side}, ("",) * 300, 1)
        for side in seen
    )
    found = diagnose_against({("t", "d"): first}, {("t", "d"): second}, ("a", "b"), FAST).findings
    (test,) = of(found, "transitions").numbers["tests"]
    assert test["test"] == "bowker-swaps"
    (gains, losses) = (int(((seen[1] - seen[0])[::5] == sign).sum()) for sign in (1, -1))
    assert (test["p"] < 0.05) == (abs(gains - losses) > 1.96 * np.sqrt(gains + losses))


def test_corrected_rates_know_that_items_of_a_cluster_are_alike() -> None:
    draw = np.random.default_rng(3)
    right = np.repeat((draw.random(80) < 0.5).astype(float), 5)
    judge = (draw.random(400) < 0.7).astype(float)
    people = np.where(draw.random(400) < 0.3, judge, np.nan)
    names = tuple(map(str, range(400)))
    widths = []
    for clusters in (names, tuple(str(number // 5) for number in range(400))):
        task = TaskItems(RECORD, names, names, clusters, {"standard": right}, ("",) * 400, 1, people)
        found = corrected_rates(task, judge)
        assert found is not None
        widths.append(found["r"]["ci"][1] - found["r"]["ci"][0])
    assert widths[1] > 1.5 * widths[0]


def test_labels_belong_to_one_model_and_to_items_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("task,id,perceived,model\nt,1,1,a\nt,1,0,b\nt,2,1,\n")
    assert read_labels(path, "a") == {("t", "1"): 1.0, ("t", "2"): 1.0}
    assert read_labels(path, "b", named_only=True) == {("t", "1"): 0.0}
    task = TaskItems(RECORD, ("1",), ("1",), ("1",), {"standard": np.ones(1)}, ("",), 1)
    check_labels({("t", "1"): 1.0}, {("t", "d"): task}, "people.csv")
    with pytest.raises(DataError, match=r"1 of 2 labels name no item of the run, e\.g\. task 't', id '9'"):
        check_labels({("t", "1"): 1.0, ("t", "9"): 1.0}, {("t", "d"): task}, "people.csv")


def test_common_conditions_compare_whatever_else_was_run() -> None:
    names = tuple(map(str, range(40)))
    draw = np.random.default_rng(0)

    def items(asked: dict[str, str], protocol: str = "default") -> TaskItems:
        record = RECORD.model_copy(
            update={"ask_digest": "-".join(asked.values()), "asked": asked, "protocol": protocol}
        )
        right = {name: (draw.random(40) < 0.5).astype(float) for name in asked}
        return TaskItems(record, names, names, names, right, ("",) * 40, 1)

    more, less = items({"standard": "1", "blind": "2"}), items({"standard": "1"})
    found = diagnose_against({("t", "d"): less}, {("t", "d"): more}, ("a", "b"), FAST)
    assert of(found.findings, "answers").numbers["condition"] == "standard"
    assert any("a lacks condition blind: its change is not shown" in text for text in found.missing)
    with pytest.raises(ComparisonError, match="different ways"):
        diagnose_against({("t", "d"): items({"standard": "3"})}, {("t", "d"): more}, ("a", "b"), FAST)
    with pytest.raises(ComparisonError, match="protocol d on one side, other on the other"):
        diagnose_against({("t", "d"): less}, {("t", "other"): less}, ("a", "b"), FAST)


def test_unscored_answers_are_neither_right_nor_wrong_to_their_tokens(tmp_path: Path) -> None:
    from mmeval.analysis.diagnose_tokens import dependency
    from tests.analysis.test_diagnose_tokens import scores

    rows: list[dict[str, Any]] = []
    for number in range(12):
        known = {"right": number % 2 == 0} if number < 10 else {"outcome": "unscored", "right": None}
        rows += [{"id": str(number), **known}, {"id": str(number), **scores(2.0 - number % 2, 0.0)}]
    (one,) = dependency(folder(tmp_path / "r", rows, "dependency:mask:0.5"))
    assert one.numbers["right_minus_wrong"]["estimate"] > 0
    assert one.numbers["n"] == 12
    assert "right less wrong" in one.says


def test_a_source_of_labels_that_knows_nothing_is_none() -> None:
    names = ("1", "2")
    nothing = np.full(2, np.nan)
    task = TaskItems(
        RECORD,
        names,
        names,
        names,
        {"standard": np.ones(2), "checklist": nothing},
        ("", ""),
        1,
        judged={HUMAN: nothing},
    )
    assert not task.sources
    assert any("no perception labels" in text for text in diagnose({("t", "d"): task}, "m", FAST).missing)


def test_differences_of_one_kind_are_adjusted_together() -> None:
    names = tuple(map(str, range(100)))
    low, high = np.zeros(100), np.zeros(100)
    high[:6] = 1.0
    conditions = ("standard", "blind", "blank")
    base, other = (
        TaskItems(RECORD, names, names, names, dict.fromkeys(conditions, side), ("",) * 100, 1) for side in (low, high)
    )
    found = diagnose_against({("t", "d"): base}, {("t", "d"): other}, ("a", "b"), FAST).findings
    answers = [one for one in found if one.analysis == "answers"]
    assert [one.numbers["family"] for one in answers] == [3, 3, 3]
    assert answers[0].numbers["p"] == pytest.approx(2 * 0.5**6 - 0.5**6)
    assert answers[0].numbers["p_holm"] == pytest.approx(3 * answers[0].numbers["p"])
    assert "adjusted (Holm, 3 tests) 0.047" in answers[0].says


def test_a_foreign_table_of_labels_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = folder(tmp_path / "r", answers())
    pq.write_table(pa.table({"model": ["m"], "other": [1]}), run.path / "labels.parquet")
    with pytest.raises(DataError, match="not the columns of a table of labels"):
        load_items(run)


def test_a_model_that_judges_itself_is_named(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers())
    write_labels_table(run, [label(run, str(one), f"answer {one}", judge_model=run.models[0]) for one in range(20)])
    assert any("of the model itself" in note for note in only(run).notes)


def test_tasks_without_right_and_wrong_are_named(tmp_path: Path) -> None:
    from mmeval.analysis.diagnose_run import diagnose_run

    run = folder(tmp_path / "r", [{"id": "1", "score": 0.5}])
    assert load_items(run) == {}
    assert any("quiz (default) has no right and wrong answers" in text for text in diagnose_run(run, {}, FAST).missing)


def test_two_people_are_told_apart_and_their_agreement_is_said(tmp_path: Path) -> None:
    run = folder(tmp_path / "r", answers(40))
    task = run.manifest.tasks[0].name
    for rater, other in (("ann", -1), ("ben", 7)):
        people = tmp_path / f"{rater}.csv"
        kinds = {
            one: "knowledge" if one == other else ("none" if one % 2 == 0 else "perception/count") for one in range(40)
        }
        people.write_text("task,id,label\n" + "".join(f"{task},{one},{kind}\n" for one, kind in kinds.items()))
        write_labels_table(run, human_labels(people, run, rater))
    items = only(run)
    assert list(items.raters) == ["ann", "ben"]
    found = diagnose({("t", "d"): items}, "m", FAST).findings
    types, perception = of(found, "error-types"), of(found, "perception")
    agreement = types.numbers["agreement"]
    assert (agreement["n"], agreement["raw"]) == (40, pytest.approx(39 / 40))
    assert 0.9 < agreement["ac1"] < 1
    assert "2 people agree on 97.5 % of 40 answers, AC1 0.9" in types.says
    assert perception.numbers["agreement"] == agreement
    # The first person's labels are the ones that count.
    assert types.numbers["shares"]["perception"]["estimate"] == 1.0


def test_accuracies_over_other_items_say_so(tmp_path: Path) -> None:
    rows = answers(40)
    for number in range(40):
        known = (
            {"right": False} if number % 2 == 0 else {"outcome": "unsupported", "right": None, "error": "no gold box"}
        )
        rows.append({"id": str(number), "condition": "hide-region", **known})
    found = diagnose({("t", "d"): only(folder(tmp_path / "r", rows, "hide-region"))}, "m", FAST).findings
    says = of(found, "regions").says
    assert "hide-region 0.0 % (of 20), standard 50.0 %" in says
    assert "standard over hide-region +100.0" in says
    assert "on 20 items" in says


def test_no_difference_at_all_is_no_lack_of_data() -> None:
    values = np.array([1.0, 0.0] * 50)
    assert measure(values, values).power == "no item differs"


def test_a_source_that_misses_what_was_seen_and_splits_on_few_items_say_so() -> None:
    names = tuple(map(str, range(100)))
    record = RECORD.model_copy(update={"chance": 0.25})
    seen, nothing = np.zeros(100), np.zeros(100)
    seen[:30] = 1.0
    nothing[0] = 1.0
    right = np.array([1.0, 1.0, 0.0, 1.0] * 25)
    better = TaskItems(record, names, names, names, {"standard": right, "checklist": seen}, ("",) * 100, 1)
    base = TaskItems(record, names, names, names, {"standard": 1 - right, "checklist": nothing}, ("",) * 100, 1)
    assert (
        "this source misses what was seen" in of(diagnose({("t", "d"): better}, "m", FAST).findings, "perception").says
    )
    assert "misses" not in of(diagnose({("t", "d"): base}, "m", FAST).findings, "perception").says
    split = of(diagnose_against({("t", "d"): base}, {("t", "d"): better}, ("a", "b"), FAST).findings, "split")
    assert split.numbers["least"] == 1
    assert "rests on 1 item" in split.limits
