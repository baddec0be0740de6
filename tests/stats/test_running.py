"""The running mean against the metric's own number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.metrics.collect import collect
from mmeval.metrics.definition import Metric
from mmeval.metrics.summary import summarise
from mmeval.stats.running import RunningMean, running_estimate

VALUES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.integers(0, 6)), min_size=1, max_size=40)


def rows(values: list[tuple[float, int]], clustered: bool) -> list[dict[str, object]]:
    return [
        {
            "outcome": "scored", "sample_id": str(place), "repeat": 0, "score": value, "correct": value == 1.0,
            "cluster": str(cluster) if clustered else None,
        }
        for place, (value, cluster) in enumerate(values)
    ]  # fmt: skip


@given(VALUES, st.booleans(), st.sampled_from(["correct", "score", "unbounded"]), st.booleans())
def test_all_rows_give_the_metrics_own_value_and_interval(
    values: list[tuple[float, int]], clustered: bool, kind: str, remembered: bool
) -> None:
    source = "correct" if kind == "correct" else "score"
    metric = Metric("m", source, bounds=None if kind == "unbounded" else (0.0, 1.0))
    shift = 1e6 if kind == "unbounded" else 0.0
    table = rows(values, clustered)
    for row in table:
        row["score"] = float(row["score"]) + shift  # type: ignore[arg-type]
    expected = summarise(metric, collect(metric, table))
    mean = RunningMean()
    for place, (value, cluster) in enumerate(values):
        given_value = float(value == 1.0) if source == "correct" else value + shift
        mean.add(given_value, str(cluster) if clustered else f"s{place}" if remembered else None)
    found = running_estimate(mean.sums, metric.binary, metric.bounds)
    assert found is not None
    assert found.value == pytest.approx(expected.value, abs=1e-9)
    if expected.interval is None:
        assert found.interval is None
    else:
        assert found.interval is not None
        assert found.interval.method == expected.interval.method
        assert found.interval.low == pytest.approx(expected.interval.low, abs=1e-6)
        assert found.interval.high == pytest.approx(expected.interval.high, abs=1e-6)


def test_repeats_of_equally_many_answers_are_one_cluster_each() -> None:
    answers = {"a": [1, 0], "b": [1, 1], "c": [0, 0], "d": [0, 1]}
    table = [
        {"outcome": "scored", "sample_id": name, "repeat": repeat, "correct": bool(value), "cluster": None}
        for name, found in answers.items()
        for repeat, value in enumerate(found)
    ]
    metric = Metric("m", "correct")
    expected = summarise(metric, collect(metric, table))
    mean = RunningMean()
    for row in table:
        mean.add(float(bool(row["correct"])), str(row["sample_id"]))
    found = running_estimate(mean.sums, True, (0.0, 1.0))
    assert found is not None
    assert found.interval is not None
    assert expected.interval is not None
    assert found.value == expected.value
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.interval.low, expected.interval.high))


def test_no_row_has_no_value() -> None:
    assert running_estimate(RunningMean().sums, True, (0.0, 1.0)) is None


def test_a_mean_that_follows_no_clusters_keeps_its_value() -> None:
    mean = RunningMean()
    for value in (0.0, 1.0, 1.0):
        mean.add(value, "one")
    assert mean.followed == 1
    mean.forget()
    mean.add(1.0, "other")
    found = running_estimate(mean.sums, True, (0.0, 1.0))
    assert found is not None
    assert (found.value, found.interval, mean.followed) == (0.75, None, 0)
