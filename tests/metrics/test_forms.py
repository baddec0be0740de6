"""Metrics that are no mean over samples, against plain definitions."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.metrics import estimate, estimate_subsets, get_metric
from mmeval.metrics.registry import row_metric

FORMS = (
    "macro:kind", "macro:kind:mean", "macro:kind/group", "all:group", "robustness:group", "weighted:score:weight",
    "f1", "precision", "recall", "yes_rate", "macro:kind:f1",
)  # fmt: skip
SHARES = [name for name in FORMS if name not in ("macro:kind:mean", "weighted:score:weight")]

Answer = tuple[bool, bool, str, str, int, str]
"""Truth is yes, said yes, kind, group, cluster, outcome."""
ANSWERS = st.lists(
    st.tuples(
        st.booleans(),
        st.booleans(),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["g", "h", "i"]),
        st.integers(0, 5),
        st.sampled_from(["scored", "scored", "scored", "no_answer", "error"]),
    ),
    min_size=1,
    max_size=25,
)


def table(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    rows = []
    for number, (gold, said, kind, group, cluster, outcome) in enumerate(answers):
        right = gold == said if outcome == "scored" else (None if outcome == "error" else False)
        rows.append(
            {
                "sample_id": str(number), "repeat": 0, "cluster": f"c{cluster}", "outcome": outcome, "correct": right,
                "score": None if right is None else float(right), "scores": {},
                "extracted": json.dumps("yes" if said else "no") if outcome == "scored" else None,
                "target": json.dumps("Yes" if gold else "no"),
                "subsets": {"kind": kind, "group": group, "weight": str(1 + cluster)},
            }
        )  # fmt: skip
    return rows


def ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def mean(values: Sequence[float | None]) -> float | None:
    return None if not values or None in values else sum(v for v in values if v is not None) / len(values)


def plain(metric: str, rows: Sequence[dict[str, Any]]) -> float | None:
    """The metric by its definition, row by row."""
    counted = [row for row in rows if row["outcome"] in ("scored", "no_answer")]
    by: dict[str, dict[str, list[dict[str, Any]]]] = {name: defaultdict(list) for name in ("kind", "group")}
    for row in rows:
        for name, members in by.items():
            members[row["subsets"][name]].append(row)
    if metric.startswith("macro:kind:f1"):
        return mean([plain("f1", part) for part in by["kind"].values() if any(row in counted for row in part)])
    if metric.startswith("macro:kind/group"):
        outer = [plain("macro:group", part) for part in by["kind"].values() if any(row in counted for row in part)]
        return mean(outer)
    if metric.startswith("macro"):
        name = metric.split(":")[1]
        parts = [[row for row in part if row in counted] for part in by[name].values()]
        return mean([sum(row["score"] for row in part) / len(part) for part in parts if part])
    if metric.startswith(("all", "robustness")):
        whole = [part for part in by["group"].values() if all(row in counted for row in part)]
        right = mean([float(all(row["correct"] for row in part)) for part in whole])
        if metric.startswith("all"):
            return right
        average = mean([sum(row["correct"] for row in part) / len(part) for part in whole])
        return None if right is None or average is None else ratio(right, average)
    if metric.startswith("weighted"):
        weights = [float(row["subsets"]["weight"]) for row in counted]
        return ratio(sum(w * row["score"] for w, row in zip(weights, counted, strict=True)), sum(weights))
    said = [row["outcome"] == "scored" and json.loads(row["extracted"]) == "yes" for row in counted]
    gold = [json.loads(row["target"]) == "Yes" for row in counted]
    hits = sum(s and g for s, g in zip(said, gold, strict=True))
    if metric == "yes_rate":
        return ratio(sum(said), len(said))
    if metric == "f1":
        return ratio(2 * hits, sum(said) + sum(gold))
    return ratio(hits, sum(said) if metric == "precision" else sum(gold))


@pytest.mark.parametrize("metric", FORMS)
@given(answers=ANSWERS)
@settings(max_examples=40, deadline=None)
def test_value_is_the_definition(metric: str, answers: list[Answer]) -> None:
    rows = table(answers)
    found = estimate(metric, rows)
    expected = plain(metric, rows)
    json.dumps([found.value, found.coverage], allow_nan=False)
    if expected is None:
        assert (found.value, found.interval) == (None, None)
        return
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert 0 <= found.coverage <= 1
    if metric in SHARES:
        assert found.interval is not None
        assert 0 <= found.interval.low <= found.interval.high <= 1
        assert found.interval.low < found.interval.high
        # A bootstrap interval need not hold the estimate of a lumpy number, but not by much.
        assert found.interval.low <= found.value + 0.35
        assert found.value - 0.35 <= found.interval.high


@pytest.mark.parametrize("metric", FORMS)
@given(answers=ANSWERS, shuffle=st.randoms())
@settings(max_examples=15, deadline=None)
def test_order_of_rows_changes_nothing(metric: str, answers: list[Answer], shuffle: Any) -> None:
    rows = table(answers)
    mixed = list(rows)
    shuffle.shuffle(mixed)
    first, second = estimate(metric, rows), estimate(metric, mixed)
    assert (first.n, first.clusters, first.coverage) == (second.n, second.clusters, second.coverage)
    if first.value is None:
        assert second.value is None
        return
    assert second.value == pytest.approx(first.value)
    if first.interval is not None and second.interval is not None:
        assert (second.interval.low, second.interval.high) == pytest.approx(
            (first.interval.low, first.interval.high), abs=1e-4
        )


@given(answers=ANSWERS)
@settings(max_examples=30, deadline=None)
def test_one_label_and_single_rows_are_the_accuracy(answers: list[Answer]) -> None:
    rows = table([(gold, said, "a", group, cluster, outcome) for gold, said, _, group, cluster, outcome in answers])
    plain_accuracy = estimate("accuracy", rows)
    for metric in ("macro:kind", "all:sample"):
        found = estimate(metric, rows)
        assert (found.value, found.n, found.coverage) == pytest.approx(
            (plain_accuracy.value, plain_accuracy.n, plain_accuracy.coverage)
        )
        if plain_accuracy.interval is not None and metric == "all:sample":
            assert found.interval == plain_accuracy.interval


def test_same_rows_give_the_same_bytes() -> None:
    rows = table([(i % 2 == 0, i % 3 == 0, "abc"[i % 3], "ghi"[i % 2], i % 5, "scored") for i in range(40)])
    for metric in FORMS:
        assert estimate(metric, rows) == estimate(metric, rows)


class TestMacro:
    def test_vsi_directions_first_then_tasks(self) -> None:
        """Three levels of direction make one task, whatever their sizes."""
        scores = {"count": [1.0, 0.5], "easy": [1.0] * 4, "medium": [0.0], "hard": [0.5, 0.5]}
        rows = [
            row_of(f"{name}{i}", value, task="direction" if name != "count" else "count", level=name)
            for name, values in scores.items()
            for i, value in enumerate(values)
        ]
        assert estimate("macro:task/level", rows).value == pytest.approx((0.75 + (1 + 0 + 0.5) / 3) / 2)
        assert estimate("macro:level", rows).value == pytest.approx((0.75 + 1 + 0 + 0.5) / 4)

    def test_cv_bench_sources_within_2d_then_dimensions(self) -> None:
        parts = {("2D", "ADE20K"): 0.6, ("2D", "COCO"): 0.8, ("3D", "Omni3D"): 0.5}
        rows = [
            row_of(f"{dimension}{source}{i}", float(i < 10 * share), dimension=dimension, source=source)
            for (dimension, source), share in parts.items()
            for i in range(10)
        ]
        assert estimate("macro:dimension/source", rows).value == pytest.approx((0.7 + 0.5) / 2)

    def test_a_row_of_several_labels_counts_in_each(self) -> None:
        rows = [row_of("0", 1.0, skill="a | b"), row_of("1", 0.0, skill="a"), row_of("2", 1.0, skill="")]
        found = estimate("macro:skill", rows)
        # The row without a label is no part of the metric and lowers no coverage.
        assert (found.value, found.n, found.coverage) == (0.75, 2, 1.0)

    def test_repeats_are_averaged(self) -> None:
        rows = [row_of("0", float(r < 3), repeat=r, kind="a") for r in range(4)] + [row_of("1", 0.0, kind="b")]
        assert estimate("macro:kind", rows).value == 0.375

    def test_labels_do_not_vary_in_the_bootstrap(self) -> None:
        """Clusters are drawn within labels: a macro mean of constant labels is known for certain, so Wilson stands in."""
        rows = [row_of(f"{kind}{i}", float(kind == "a"), kind=kind) for kind in "ab" for i in range(20)]
        found = estimate("macro:kind", rows)
        assert found.value == 0.5
        assert found.interval is not None
        assert found.interval.method == "wilson on clusters"
        varied = [
            row_of(f"{kind}{i}", float(i % 2 if kind == "a" else i % 5 == 0), kind=kind)
            for kind in "ab"
            for i in range(40)
        ]
        interval = estimate("macro:kind", varied).interval
        assert interval is not None
        assert interval.method == "stratified-bootstrap-bca-t"

    def test_scores_of_another_range_need_mean(self) -> None:
        rows = [row_of("0", 3.0, kind="a"), row_of("1", 4.0, kind="b")]
        with pytest.raises(DataError, match="macro:kind:mean"):
            estimate("macro:kind", rows)
        assert estimate("macro:kind:mean", rows).value == 3.5

    def test_an_undefined_label_leaves_the_whole_undefined(self) -> None:
        rows = table([(True, True, "a", "g", 0, "scored"), (False, False, "b", "g", 1, "scored")])
        assert estimate("f1", rows).value == 1.0
        assert estimate("macro:kind:f1", rows).value is None


class TestGroups:
    def test_a_group_with_a_failed_row_leaves_the_metric(self) -> None:
        rows = [
            row_of("0", 1.0, group="g"), row_of("1", 1.0, group="g"),
            row_of("2", 1.0, group="h"), row_of("3", None, outcome="error", group="h"),
            row_of("4", 0.0, outcome="no_answer", group="i"), row_of("5", 1.0, group="i"),
        ]  # fmt: skip
        found = estimate("all:group", rows)
        assert (found.value, found.n, found.unit) == (0.5, 2, "group of group")
        assert found.coverage == pytest.approx(4 / 6)

    def test_repeats_are_judged_one_by_one(self) -> None:
        """Right in the first repeat as a whole; in the second one row fails, in the third one is missing."""
        right = [(1.0, 1.0), (1.0, 0.0)]
        rows = [row_of(str(i), v, repeat=r, group="g") for r, values in enumerate(right) for i, v in enumerate(values)]
        rows += [row_of("0", 1.0, repeat=2, group="g"), row_of("1", None, repeat=2, outcome="unscored", group="g")]
        found = estimate("all:group", rows)
        assert (found.value, found.n) == (0.5, 1)
        assert found.coverage == pytest.approx(4 / 6)

    def test_groups_across_clusters_join_them(self) -> None:
        """HallusionBench: a question is asked of several figures, so figures that share a question depend on each other."""
        rows = [
            row_of(f"{f}{q}", 1.0, cluster=f"figure{f}", question=f"set{f // 2}-{q}")
            for f in range(4)
            for q in range(3)
        ]
        found = estimate("all:question", rows)
        assert (found.n, found.clusters) == (6, 2)
        assert estimate("all:cluster", rows).clusters == 4

    def test_worst_case_is_a_share_of_independent_questions(self) -> None:
        rows = [
            row_of(f"{q}-{v}", float(v > 0 or q % 3 == 0), cluster=str(q), question=str(q))
            for q in range(30)
            for v in range(4)
        ]
        worst, average = estimate("all:question", rows), estimate("accuracy", rows)
        assert worst.value == pytest.approx(1 / 3)
        assert average.value == pytest.approx(1 / 3 + 2 / 3 * 0.75)
        assert worst.interval is not None
        assert worst.interval.method == "wilson"
        assert estimate("robustness:question", rows).value == pytest.approx((1 / 3) / (1 / 3 + 0.5))

    def test_nothing_right_has_no_robustness(self) -> None:
        rows = [row_of(str(i), 0.0, group=str(i // 2)) for i in range(4)]
        assert estimate("robustness:group", rows).value is None
        assert estimate("robustness:group", rows).interval is None

    def test_a_row_may_be_in_several_groups(self) -> None:
        rows = [row_of("0", 1.0, group="g | h"), row_of("1", 1.0, group="g"), row_of("2", 0.0, group="h")]
        assert estimate("all:group", rows).value == 0.5

    def test_subsets_group_the_rows_that_carry_the_label(self) -> None:
        rows = [row_of(f"{g}{i}", float(i != 1), group=g, version=str(i)) for g in "gh" for i in range(2)]
        found = estimate_subsets("all:group", rows, ["version"])["version"]
        assert {label: one.value for label, one in found.items()} == {"0": 1.0, "1": 0.0}


class TestWeighted:
    def test_a_score_is_the_weight(self) -> None:
        rows = [
            row_of(str(i), v, scores={"map": v * 10, "weight": w}) for i, (v, w) in enumerate([(1.0, 2.0), (0.5, 1.0)])
        ]
        assert estimate("weighted:map:weight", rows).value == pytest.approx((2 * 10 + 5) / 3)

    def test_no_answer_takes_its_weight_from_the_column(self) -> None:
        rows = [
            row_of("0", 1.0, difficulty="1.5"),
            row_of("1", 0.0, outcome="no_answer", difficulty="0.5"),
        ]
        assert estimate("weighted:accuracy:difficulty", rows).value == 0.75

    @pytest.mark.parametrize(("weight", "said"), [("", "weight"), ("heavy", "is no number"), ("-1", "at least 0")])
    def test_bad_weights(self, weight: str, said: str) -> None:
        with pytest.raises(DataError, match=said):
            estimate("weighted:accuracy:w", [row_of("0", 1.0, w=weight)] if weight else [row_of("0", 1.0)])

    def test_no_weight_at_all_is_undefined(self) -> None:
        assert estimate("weighted:accuracy:w", [row_of("0", 1.0, w="0")]).value is None


class TestYesNo:
    def test_pope(self) -> None:
        """1025 hits, 28 false alarms, 475 misses of 2,910 (counts of a published run)."""
        counts = {(True, True): 1025, (False, True): 28, (True, False): 475, (False, False): 1382}
        rows = table([(g, s, "a", "g", i, "scored") for (g, s), n in counts.items() for i in range(n)])
        for row in rows:
            row["cluster"] = ""
        expected = {
            "f1": 0.8029768899334117,
            "precision": 0.97340930674264,
            "recall": 0.6833333333333333,
            "yes_rate": 0.3618556701030928,
        }
        for metric, value in expected.items():
            assert estimate(metric, rows).value == pytest.approx(value, abs=1e-12)

    def test_other_answers_are_refused(self) -> None:
        rows = table([(True, True, "a", "g", 0, "scored")])
        rows[0]["extracted"] = '"B"'
        with pytest.raises(DataError, match="neither yes nor no"):
            estimate("f1", rows)

    def test_booleans_and_full_stops(self) -> None:
        rows = table([(True, True, "a", "g", 0, "scored")])
        rows[0] |= {"extracted": "true", "target": '"Yes."'}
        assert estimate("f1", rows).value == 1.0


def row_of(
    name: str, score: float | None, *, repeat: int = 0, outcome: str = "scored", cluster: str = "", **labels: Any
) -> dict[str, Any]:
    scores = labels.pop("scores", {})
    return {
        "sample_id": name, "repeat": repeat, "cluster": cluster, "outcome": outcome, "score": score,
        "correct": None if score is None else score == 1.0, "scores": scores, "subsets": labels,
    }  # fmt: skip


def test_missing_labels_are_told_with_the_remedy() -> None:
    for metric in ("macro:kind", "all:kind", "wemath:strict"):
        with pytest.raises(DataError, match="groups of the card"):
            estimate(metric, [row_of("0", 1.0)])
    # A row that failed before it could be read needs no label.
    assert estimate("all:kind", [row_of("0", None, outcome="error"), row_of("1", 1.0, kind="a")]).coverage == 0.5


def test_names() -> None:
    assert get_metric("macro:a/b:iou@0.5").form is not None
    assert get_metric("all:group").bounds == (0.0, 1.0)
    assert get_metric("wemath:RM:strict").better == "lower"
    assert get_metric("wemath:CM:loose").better == "higher"
    for name in (
        "macro:",
        "macro:/a",
        "all:",
        "weighted:a",
        "weighted::w",
        "wemath:both",
        "wemath:XX:strict",
        "f2",
        "robustness",
    ):
        with pytest.raises(UsageError, match="unknown metric"):
            get_metric(name)
    for name in ("macro:a:all:b", "macro:a:wemath:strict", "macro:a:macro:b"):
        with pytest.raises(UsageError, match="made of groups"):
            get_metric(name)
    for name in ("all:a:mean", "all:a:mra", "robustness:a:pass@2"):
        with pytest.raises(UsageError, match="right or wrong"):
            get_metric(name)


def test_the_metric_of_single_rows() -> None:
    expected = {
        "accuracy": "accuracy", "all:g": "accuracy", "macro:k": "mean", "macro:k:mra": "mra", "macro:k:iou@0.5": "iou@0.5",
        "weighted:map:w": "mean:map", "f1": "accuracy", "wemath:loose": "accuracy", "pass@4": "pass@4",
    }  # fmt: skip
    assert {name: row_metric(name) for name in expected} == expected


class TestWeMath:
    @staticmethod
    def problem(name: str, steps: Sequence[bool], multi: bool, **more: Any) -> list[dict[str, Any]]:
        count = len(steps)
        rows = [(f"{count}steps_{i}", right) for i, right in enumerate(steps, 1)] + [(f"{count}steps_multi", multi)]
        return [
            row_of(f"{name}-{step}", float(right), cluster=name, problem=name, step=step, **more)
            for step, right in rows
        ]

    def test_the_four_ways(self) -> None:
        rows = [
            *self.problem("ik", [True, False], False),
            *self.problem("ig", [True, True], False),
            *self.problem("cm", [True, True, True], True),
            *self.problem("part", [True, False, True], True),  # memorised (strict), mastered (loose)
            *self.problem("none", [False, False], True),
        ]
        shares = {
            "wemath:strict": (1 + 0.5) / 5, "wemath:loose": (2 + 0.5) / 5, "wemath:IK:strict": 1 / 5, "wemath:IG:loose": 1 / 5,
            "wemath:CM:strict": 1 / 5, "wemath:CM:loose": 2 / 5, "wemath:RM:strict": 2 / 3, "wemath:RM:loose": 1 / 3,
        }  # fmt: skip
        for metric, value in shares.items():
            found = estimate(metric, rows)
            assert (found.value, found.n, found.unit, found.coverage) == (pytest.approx(value), 5, "problem", 1.0), (
                metric
            )

    def test_every_table_by_enumeration(self) -> None:
        """The score is (problems - IG/2 - RM - IK) / problems, the official formula, on every problem of two steps."""
        for strict in ("strict", "loose"):
            for answers in itertools.product([False, True], repeat=3):
                rows = [*self.problem("x", answers[:2], answers[2]), *self.problem("y", [True, False], True)]
                score, ik, ig, cm = (
                    estimate(f"wemath:{part}{strict}", rows).value for part in ("", "IK:", "IG:", "CM:")
                )
                assert None not in (score, ik, ig, cm)
                rm = 1 - ik - ig - cm  # type: ignore[operator]
                assert score == pytest.approx(1 - 0.5 * ig - rm - ik)  # type: ignore[operator]

    def test_no_composite_question_right_leaves_memorisation_undefined(self) -> None:
        rows = self.problem("x", [True, True], False)
        assert estimate("wemath:RM:strict", rows).value is None
        assert estimate("wemath:strict", rows).value == 0.5

    def test_incomplete_problems_leave_and_lower_the_coverage(self) -> None:
        whole = self.problem("x", [True, True], True)
        part = self.problem("y", [True, True], True)[:-1]
        failed = self.problem("z", [True, True], True)
        failed[0] |= {"outcome": "error", "score": None, "correct": None}
        found = estimate("wemath:strict", [*whole, *part, *failed])
        assert (found.value, found.n) == (1.0, 1)
        assert found.coverage == pytest.approx(3 / 8)

    def test_steps_are_named_as_in_the_data_set(self) -> None:
        with pytest.raises(DataError, match="none of We-Math's"):
            estimate("wemath:strict", [row_of("0", 1.0, problem="p", step="first")])


@pytest.mark.parametrize(
    ("name", "monotone", "linear"),
    [
        ("all:pair", True, False),
        ("macro:topic", True, True),
        ("mean:x:answered", True, True),
        ("weighted:accuracy:w", True, True),
        ("best@3:r", True, True),
        ("vote@3", True, False),
        ("found@0.5:quality", True, False),
        ("majority@3", False, False),
        ("robustness:pair", False, False),
        ("consistent:pair", False, False),
        ("f1", False, False),
        ("macro:topic:f1", False, False),
        ("ciou", False, False),
        ("cider", False, False),
        ("srcc", False, False),
        ("ap", False, False),
        ("f1@0.5", False, False),
        ("step-f1", False, False),
    ],
)
def test_which_numbers_a_right_answer_can_lower(name: str, monotone: bool, linear: bool) -> None:
    """The range that guesses allow is taken from all guesses right and all wrong, for monotone numbers alone."""
    form = get_metric(name).form
    assert form is not None
    assert (form.monotone, form.linear) == (monotone, linear)


def test_one_label_is_no_macro_mean() -> None:
    rows = [row_of(str(i), float(i % 3 > 0), topic="a") for i in range(12)]
    plain, macro = estimate("accuracy", rows), estimate("macro:topic:accuracy", rows)
    assert macro.value == plain.value == pytest.approx(8 / 12)
    assert macro.interval is not None
    assert (macro.interval, macro.interval.method) == (plain.interval, "wilson")
