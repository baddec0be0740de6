"""Two judges on the same answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.analysis.judge_agreement import AgreementOptions, JudgeAgreement, agreement_json, judge_agreement
from mmeval.core.errors import ComparisonError, UsageError
from mmeval.runs.folder import open_run
from mmeval.stats.resampling import BootstrapPlan

QUICK = BootstrapPlan(resamples=200)
PARADOX = [(1, 1)] * 118 + [(1, 0)] * 5 + [(0, 1)] * 2


def agreement(first: str, second: str, **options: Any) -> JudgeAgreement:
    return judge_agreement((open_run(first), open_run(second)), ("one", "two"), AgreementOptions(plan=QUICK, **options))


def answers(verdicts: list[Any], **columns: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"q{number}", "right": right, "response": f"text {number}", **columns}
        for number, right in enumerate(verdicts)
    ]


def sides(make_run: Callable[..., str], pairs: list[tuple[Any, Any]], **columns: Any) -> tuple[str, str]:
    return (
        make_run("a", answers([pair[0] for pair in pairs], **columns)),
        make_run("b", answers([pair[1] for pair in pairs], **columns)),
    )


def test_published_paradox(make_run: Callable[..., str]) -> None:
    found = agreement(*sides(make_run, PARADOX))
    (group,) = found.groups
    values = {one.name: one.estimate for one in group.report.coefficients}
    assert values["raw"] == pytest.approx(0.944)
    assert values["cohen-kappa"] == pytest.approx(-0.023, abs=0.001)
    assert values["gwet-ac1"] == pytest.approx(0.941, abs=0.001)
    assert all(one.interval is not None for one in group.report.coefficients)
    assert "prevalence paradox" in group.report.note
    assert group.confusion == ((0.0, 1.0, 2), (1.0, 0.0, 5), (1.0, 1.0, 118))
    assert group.bias is not None
    assert group.bias.estimate == pytest.approx(-3 / 125)
    assert (group.n, group.clusters, found.left_out, found.notes) == (125, 125, {}, ())


def test_clusters_widen_the_intervals(make_run: Callable[..., str]) -> None:
    pairs = [(number // 40 % 2, 0 if number // 20 % 4 == 0 else number // 40 % 2) for number in range(400)]
    first = answers([a for a, _ in pairs])
    second = answers([b for _, b in pairs])
    widths = []
    for name, size in (("plain", 1), ("images", 20)):
        for row in (*first, *second):
            row["cluster"] = f"image {int(row['id'][1:]) // size}"
        found = agreement(make_run(f"{name}-a", first), make_run(f"{name}-b", second)).groups[0]
        interval = found.report.coefficients[1].interval
        assert interval is not None
        widths.append(interval.high - interval.low)
        assert found.clusters == 400 // size
    assert widths[1] > 1.5 * widths[0]


def test_other_answers_are_refused(make_run: Callable[..., str]) -> None:
    base = answers([1, 0, 1, 1, 0, 1])
    changed = [dict(row) for row in base]
    changed[2]["response"] = "another text"
    changed[3] |= {"outcome": "unscored", "right": None}
    changed[4]["response"] = None
    a, b = make_run("a", base), make_run("b", changed[:-1])
    with pytest.raises(ComparisonError, match="the texts of the answers differ: 1") as caught:
        agreement(a, b)
    for part in ("in one only: 1", r"no verdict (correct) on one side or both: 1", "one side has no text", "'q2'"):
        assert part in str(caught.value)
    found = agreement(a, b, allow_missing=True)
    assert found.groups[0].n == 2
    assert sum(found.left_out.values()) == 4
    assert len(found.notes) == 4
    with pytest.raises(ComparisonError, match="no verdicts on the same answers"):
        agreement(a, make_run("c", [{"id": "other", "right": 1}]), allow_missing=True)


def test_answers_without_text_are_compared_and_said_to_be(make_run: Callable[..., str]) -> None:
    found = agreement(*sides(make_run, [(1, 1), (0, 1)], response=""))
    assert "nobody can check" in found.notes[0]


def test_models_join_by_name_where_there_are_several(make_run: Callable[..., str]) -> None:
    rows = [row | {"model": model} for model in ("x", "y") for row in answers([1, 0, 1, 0, 1, 1])]
    flipped = [row | {"right": 1 - row["right"]} if row["model"] == "y" else row for row in rows]
    a, b = make_run("a", rows, models=("x", "y")), make_run("b", flipped, models=("x", "y"))
    found = agreement(a, b, by=("model",))
    assert [group.subset for group in found.groups] == [None, ("model", "x"), ("model", "y")]
    assert [group.report.coefficients[0].estimate for group in found.groups] == [0.5, 1.0, 0.0]
    # Two models answered each question: twelve answers are six independent questions.
    assert (found.groups[0].n, found.groups[0].clusters) == (12, 6)
    assert agreement(f"{a}#x", f"{b}#y").groups[0].report.coefficients[0].estimate == 0.0


def test_tasks_subsets_and_everything_together(make_run: Callable[..., str]) -> None:
    pairs = [(1, 1), (0, 0), (1, 0), (1, 1), (0, 0), (0, 1)] * 2
    a, b = sides(make_run, pairs, subsets={"kind": "letters"})
    found = agreement(a, b, by=("kind",))
    assert [group.subset for group in found.groups] == [None, ("kind", "letters")]
    assert [group.subset for group in agreement(a, b, by=("all",)).groups][1:] == [("kind", "letters"), ("model", "a")]
    with pytest.raises(UsageError, match=r"unknown subset column 'knid'\n.*kind"):
        agreement(a, b, by=("knid",))
    with pytest.raises(UsageError, match="unknown task"):
        agreement(a, b, tasks=("quizz",))


def test_grades_get_weighted_coefficients(make_run: Callable[..., str]) -> None:
    grades = [(0.0, 0.2), (0.4, 0.4), (1.0, 0.8), (0.6, 0.6), (0.2, 0.2), (0.8, 1.0)]
    rows = [[{"id": f"q{n}", "score": pair[side]} for n, pair in enumerate(grades)] for side in (0, 1)]
    found = agreement(make_run("a", rows[0]), make_run("b", rows[1]))
    assert (found.column, found.scale) == ("score", "interval")
    names = [one.name for one in found.groups[0].report.coefficients]
    assert names == ["raw", "gwet-ac2-quadratic", "krippendorff-alpha-interval", "cohen-kappa-quadratic"]
    assert found.groups[0].bias is not None
    assert found.groups[0].bias.estimate == pytest.approx(0.2 / 6)
    many = [[{"id": f"q{n}", "score": (n + side / 2) / 700} for n in range(700)] for side in (0, 1)]
    with pytest.raises(UsageError, match="1400 different scores"):
        agreement(make_run("c", many[0]), make_run("d", many[1]))


def test_verdicts_in_words(make_run: Callable[..., str]) -> None:
    words = [("logic", "logic"), ("perception", "logic"), ("perception", "perception")] * 4
    rows = [
        [{"id": f"q{n}", "right": 0, "judge_verdict": pair[side]} for n, pair in enumerate(words)] for side in (0, 1)
    ]
    found = agreement(make_run("a", rows[0]), make_run("b", rows[1]), column="judge_verdict")
    assert found.groups[0].bias is None
    assert found.groups[0].confusion[1] == ("perception", "logic", 4)
    assert agreement_json(found)["groups"][0]["confusion"][0] == {"first": "logic", "second": "logic", "count": 4}


def test_verdicts_that_are_all_alike(make_run: Callable[..., str]) -> None:
    found = agreement(*sides(make_run, [(1, 1)] * 6)).groups[0]
    values = {one.name: one for one in found.report.coefficients}
    assert values["raw"].estimate == values["gwet-ac1"].estimate == 1.0
    assert values["raw"].interval is not None
    assert 0.5 < values["raw"].interval.low < 0.7
    assert values["cohen-kappa"].estimate is None
    assert "undefined" in values["cohen-kappa"].note
    single = agreement(*(make_run(name, answers([1])) for name in ("c", "d"))).groups[0]
    assert single.report.coefficients[0].estimate == 1.0


def test_one_answer_twice_is_refused(make_run: Callable[..., str]) -> None:
    rows = answers([1, 0])
    rows[1]["item_hash"] = rows[0]["item_hash"] = "f" * 64
    a = make_run("a", rows)
    with pytest.raises(UsageError, match="as samples 'q0' and 'q1'"):
        agreement(a, a)


def test_same_inputs_same_numbers(make_run: Callable[..., str], tmp_path: Path) -> None:
    a, b = sides(make_run, PARADOX)
    assert agreement_json(agreement(a, b)) == agreement_json(agreement(a, b))
