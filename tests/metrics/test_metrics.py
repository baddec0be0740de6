from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.metrics import Metric, estimate, estimate_subsets, get_metric, list_metrics, summarise
from mmeval.metrics.collect import collect
from mmeval.metrics.definition import Units
from mmeval.stats.functionals import RatioMean
from mmeval.stats.intervals import cluster_mean, mean_interval, wilson


def row(
    sample: int, correct: bool | None, *, repeat: int = 0, cluster: str = "", outcome: str = "scored", **more: Any
) -> dict[str, Any]:
    score = None if correct is None else float(correct)
    return {
        "sample_id": str(sample), "repeat": repeat, "cluster": cluster, "outcome": outcome, "correct": correct,
        "score": score, "scores": {}, **more,
    }  # fmt: skip


def binary(pattern: str) -> list[dict[str, Any]]:
    return [row(index, mark == "1") for index, mark in enumerate(pattern)]


def test_accuracy_is_wilson_on_independent_rows() -> None:
    found = estimate("accuracy", binary("1110100"))
    assert found.value == 4 / 7
    assert found.interval == wilson(4, 7)
    assert (found.n, found.clusters, found.coverage) == (7, 7, 1.0)
    assert found.counts == {"scored": 7, "no_answer": 0, "unsupported": 0, "unscored": 0, "error": 0}


def test_outcomes() -> None:
    rows = [
        row(0, True),
        row(1, False, outcome="no_answer"),
        row(2, None, outcome="error"),
        row(3, None, outcome="unscored"),
        row(4, None, outcome="unsupported"),
    ]
    found = estimate("accuracy", rows)
    assert (found.value, found.n, found.coverage) == (0.5, 2, 0.4)
    assert set(found.counts.values()) == {1}
    # A row that failed leaves the mean: the same value as over the answered rows alone.
    assert estimate("accuracy", rows[:2]).value == found.value


def test_repeated_clusters_widen_the_interval() -> None:
    values = [1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    clusters = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    rows = [row(i, bool(v), cluster=f"image{c}") for i, (v, c) in enumerate(zip(values, clusters, strict=True))]
    found = estimate("accuracy", rows)
    expected = cluster_mean(values, clusters).interval
    assert expected is not None
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (max(0.0, expected.low), min(1.0, expected.high))
    assert found.interval.method == "cr1-t"
    assert (found.n, found.clusters) == (12, 4)


def test_repeats_are_averaged_per_sample_first() -> None:
    rows = [row(0, True, repeat=r) for r in range(4)] + [row(1, r == 0, repeat=r) for r in range(2)]
    found = estimate("accuracy", rows)
    assert (found.value, found.n) == (0.75, 2)
    copies = [row(i, i % 3 == 0, repeat=r) for i in range(12) for r in range(5)]
    # Copies of an answer are no new information: the interval is the one of twelve samples.
    many = estimate("accuracy", copies)
    expected = mean_interval([1.0, 0.0, 0.0] * 4)
    assert expected.interval is not None
    assert many.interval is not None
    assert (many.value, many.interval.low) == pytest.approx((1 / 3, expected.interval.low))


def test_degenerate_data_never_give_a_width_of_zero() -> None:
    all_right = estimate("accuracy", [row(i, True, cluster=f"c{i // 2}") for i in range(20)])
    assert all_right.value == 1.0
    assert all_right.interval is not None
    assert (all_right.interval.low, all_right.interval.high) == pytest.approx((wilson(10, 10).low, 1.0))  # type: ignore[union-attr]
    halves = estimate("accuracy", [row(i, i % 2 == 0, cluster=f"c{i // 2}") for i in range(8)])
    assert halves.interval is not None
    assert (halves.interval.low, halves.interval.high) == pytest.approx((wilson(2, 4).low, wilson(2, 4).high))  # type: ignore[union-attr]
    one = estimate("accuracy", [row(i, i == 0, cluster="same") for i in range(5)])
    assert one.interval is not None
    assert (one.interval.low, one.interval.high, one.clusters) == (0.0, 1.0, 1)
    assert "one cluster" in one.interval.method
    single = estimate("accuracy", [row(0, True)])
    assert single.interval == wilson(1, 1)


@pytest.mark.parametrize("rows", [[], [row(0, None, outcome="error")]])
def test_nothing_counts(rows: list[dict[str, Any]]) -> None:
    for metric in ("accuracy", "mean", "iou", "pass@2"):
        found = estimate(metric, rows)
        assert (found.value, found.interval, found.n, found.coverage) == (None, None, 0, 0.0)


def test_iou_metrics() -> None:
    rows = [row(i, None, score=v, scores={"iou": v}) for i, v in enumerate([0.2, 0.5, 0.9, 1.0])]
    rows.append(row(4, False, outcome="no_answer", score=0.0))
    assert estimate("iou", rows).value == pytest.approx(2.6 / 5)
    at = estimate("iou@0.5", rows)
    assert (at.value, at.interval) == (0.6, wilson(3, 5))
    assert estimate("iou@0.95", rows).value == 0.2
    with pytest.raises(DataError, match="accuracy"):
        estimate("accuracy", rows)


def test_named_scores_and_parquet_maps() -> None:
    rows = [row(i, True, scores=[("mra", v), ("f1", 1 - v)]) for i, v in enumerate([0.1, 0.6])]
    assert estimate("mra", rows).value == pytest.approx(0.35)
    assert estimate("mean:f1", rows).value == pytest.approx(0.65)
    assert estimate("mean", rows).value == 1.0
    with pytest.raises(DataError, match="wer"):
        estimate("mean:wer", rows)


def test_mean_is_not_cut() -> None:
    found = estimate("mean", [row(i, True, score=v) for i, v in enumerate([1.0, 9.0, 10.0])])
    assert found.interval is not None
    assert found.interval.high > 10
    assert estimate("mean", [row(0, True, score=3.0)]).interval is None


def test_pass_at_k() -> None:
    rows = [row(0, r < 3, repeat=r) for r in range(10)] + [row(1, False, repeat=r) for r in range(10)]
    assert estimate("pass@5", rows).value == pytest.approx(0.9166667 / 2, abs=1e-6)
    assert estimate("pass@1", rows).value == pytest.approx(0.15)
    short = [*rows, row(2, True)]
    found = estimate("pass@5", short)
    assert (found.n, found.value) == (2, pytest.approx(0.9166667 / 2, abs=1e-6))
    assert found.coverage == pytest.approx(20 / 21)


def test_columns_and_rows_agree() -> None:
    rows = [row(i, i % 2 == 0, cluster=f"c{i // 3}") for i in range(9)]
    columns = {name: [r[name] for r in rows] for name in rows[0]}
    assert estimate("accuracy", columns) == estimate("accuracy", rows)
    arrays = {**columns, "correct": np.asarray(columns["correct"]), "cluster": np.asarray(columns["cluster"])}
    assert estimate("accuracy", arrays).value == estimate("accuracy", rows).value
    missing = {**columns, "cluster": [float("nan")] * 9}
    assert estimate("accuracy", missing).clusters == 9


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(0, True), row(0, False)], "occurs twice"),
        ([row(0, True, outcome="fine")], "outcome"),
        ([row(0, None)], "has no correct"),
        ([{**row(0, True), "correct": float("nan")}], "has no correct"),
        ([{"outcome": "scored"}], "sample_id"),
        ({"outcome": ["scored"], "sample_id": ["a"]}, "column 'correct'"),
    ],
)
def test_bad_rows(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        estimate("accuracy", rows)


def test_names() -> None:
    assert get_metric("iou@.5").threshold == 0.5
    assert get_metric("pass@8").k == 8
    assert {"accuracy", "mean", "mra", "iou"} <= set(list_metrics())
    for name in ("acuracy", "iou@2", "iou@0", "pass@0", "mean:", ""):
        with pytest.raises(UsageError, match="unknown metric"):
            get_metric(name)
    with pytest.raises(UsageError, match="accuracy"):
        get_metric("acuracy")


def test_subsets_count_a_row_in_each_of_its_labels() -> None:
    rows = [
        row(0, True, subsets={"skill": "algebra | logic", "source": "x"}),
        row(1, False, subsets={"skill": "algebra", "source": "x"}),
        row(2, True, subsets=[("skill", "logic | logic"), ("source", "y")]),
        row(3, True, subsets=None),
    ]
    found = estimate_subsets("accuracy", rows)
    assert {label: (e.value, e.n) for label, e in found["skill"].items()} == {"algebra": (0.5, 2), "logic": (1.0, 2)}
    assert found["source"]["x"].value == 0.5
    assert list(estimate_subsets("accuracy", rows, ["source"])) == ["source"]


ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from(["scored", "no_answer", "error", "unscored"])),
    max_size=30,
)


@given(ROWS, st.randoms())
def test_properties(data: list[tuple[bool, int, str]], shuffle: Any) -> None:
    rows = [
        row(i, c if o == "scored" else (False if o == "no_answer" else None), cluster=str(k), outcome=o)
        for i, (c, k, o) in enumerate(data)
    ]
    found = estimate("accuracy", rows)
    json.dumps([found.value, found.coverage], allow_nan=False)
    mixed = list(rows)
    shuffle.shuffle(mixed)
    again = estimate("accuracy", mixed)
    assert again.value == pytest.approx(found.value)
    if found.value is None:
        assert found.interval is None
        return
    assert found.interval is not None
    assert again.interval is not None
    assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1
    assert found.interval.high > found.interval.low
    assert again.interval.low == pytest.approx(found.interval.low, abs=1e-9)


def test_why_there_is_no_interval_is_told() -> None:
    assert estimate("accuracy", binary("110")).no_interval is None
    assert estimate("accuracy", [row(0, None, outcome="error")]).no_interval == "no row counts"
    assert estimate("mean", [row(0, True)]).no_interval == "one cluster"


@pytest.mark.parametrize("functional", [False, True])
def test_selected_units_keep_their_rows(functional: bool) -> None:
    values = np.array([1.0, 0.0, 0.5])
    number = RatioMean.of(values, np.ones(3)) if functional else None
    names = np.array(["a", "b", "c"], dtype=object)
    units = Units(names, values, names, np.array([0, 1, 1, 2, -1]), False, number)
    part = units.select(np.array([2, 0]))
    assert (part.ids.tolist(), part.unit_of_row.tolist()) == (["c", "a"], [1, -1, -1, 0, -1])
    assert part.value == pytest.approx(0.75)
    assert (part.functional is None) == (not functional)
    assert (units.coverage, part.coverage) == (0.8, 0.4)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@pytest.mark.parametrize("clusters", [("", "", "", ""), ("a", "a", "b", "b")])
def test_equal_values_without_a_range_have_no_interval(value: float, clusters: tuple[str, ...]) -> None:
    table = [row(number, True, cluster=cluster) | {"score": value} for number, cluster in enumerate(clusters)]
    found = summarise(Metric("m", "score", bounds=None), collect(Metric("m", "score", bounds=None), table))
    assert found.value == pytest.approx(value)
    assert found.interval is None
    assert found.no_interval == "no spread between clusters, and no bounds"
    table[0]["score"] = value + 1.0
    assert summarise(Metric("m", "score", bounds=None), collect(Metric("m", "score", bounds=None), table)).interval
