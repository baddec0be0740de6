"""Pairs drawn from a list of pictures with subjective scores, and what becomes of rows without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from mmeval.core.errors import DataError
from mmeval.core.types import Response, Sample
from mmeval.tasks.card import Pairs
from mmeval.tasks.data import Row, Source
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.pairs import in_pairs
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

REGISTRY = Registry([])


def source(values: list[dict[str, object]]) -> Source:
    return Source({}, lambda: iter([Row(n, one, f"list, row {n + 1}") for n, one in enumerate(values)]), len(values))


@pytest.mark.parametrize("count", [2, 3, 8, 9])
def test_every_row_is_in_a_pair(count: int) -> None:
    pairs = in_pairs(source([{"id": n} for n in range(count)]), Pairs(seed=3))
    rows = list(pairs.rows())
    assert pairs.total == len(rows) == (count + 1) // 2
    assert [row.position for row in rows] == list(range(len(rows)))
    used = [row.values[side]["id"] for row in rows for side in ("first", "second")]
    assert set(used) == set(range(count))
    assert len(used) - count == count % 2
    assert all(row.values["first"] != row.values["second"] for row in rows)
    # A row that stands in two pairs joins them to one cluster.
    clusters = {row.values["pair"] for row in rows}
    assert len(clusters) == len(rows) - count % 2
    again = [row.values for row in in_pairs(source([{"id": n} for n in range(count)]), Pairs(seed=3)).rows()]
    assert again == [row.values for row in rows]


def test_pairs_within_a_reference_and_rows_that_stand_alone() -> None:
    values: list[dict[str, object]] = [{"id": n, "ref": ref} for n, ref in enumerate(["x", "y", "x", "z", None, "y"])]
    rows = list(in_pairs(source(values), Pairs(within="ref")).rows())
    good = [row for row in rows if row.problem is None]
    assert {row.values["pair"] for row in good} == {"x", "y"}
    assert all(row.values["first"]["ref"] == row.values["second"]["ref"] for row in good)
    assert sorted(row.problem.message for row in rows if row.problem) == [
        "list, row 4: no other row to compare with has ref = 'z'",
        "list, row 5: 'ref' (dataset.pairs.within) is null",
    ]
    with pytest.raises(DataError, match=r"dataset\.pairs\.within"):
        list(in_pairs(source(values), Pairs(within="reference")).rows())


def written(folder: Path, name: str, scores: dict[str, float | str | None]) -> None:
    rows = [{"id": key, "image": f"{key}.png", "gt_score": score} for key, score in scores.items() if score != "absent"]
    rows += [{"id": key, "image": f"{key}.png"} for key, score in scores.items() if score == "absent"]
    (folder / f"{name}.json").write_text(json.dumps(rows))
    for key in scores:
        Image.new("RGB", (8, 8), "grey").save(folder / f"{key}.png")


def opened(task: str, protocol: str, folder: Path) -> tuple[Task, list[Sample | DataError]]:
    loaded = Task.load(REGISTRY.cards[task], protocol)
    found: list[Sample | DataError] = []
    for _, build in loaded.open(DataOptions(data_dir=folder)).samples(AskStyle()):
        try:
            found.append(build())
        except DataError as error:
            found.append(error)
    return loaded, found


def test_the_gold_of_a_pair_follows_from_the_scores(tmp_path: Path) -> None:
    scores = {"a": 80.0, "b": 20.0, "c": 50.0, "d": 55.0, "e": 10.0, "f": 60.0, "g": 33.0, "h": 70.0}
    written(tmp_path, "test_koniq_2k", dict(scores))
    for protocol, threshold in (("default", 12.375), ("threshold-0.25", 6.1875)):
        task, samples = opened("quality-pairs", protocol, tmp_path)
        assert len(samples) == 4
        for sample in samples:
            assert isinstance(sample, Sample)
            first, second = (scores[name] for name in sample.id.split(" and "))
            gold = "similar" if abs(first - second) < threshold else "A" if first > second else "B"
            assert sample.target == gold
            assert len(sample.media) == 2
            said = {
                "A": "Image A",
                "B": "<think>Image A is dark.</think><answer>Image B</answer>",
                "similar": "Similar",
            }[gold]
            assert verify(task.verifier, Response("ok", said), sample.target, sample.context).correct
    written(
        tmp_path,
        "test_kadid_2k",
        {"I01_01_01": 4.0, "I01_01_02": 2.0, "I02_01_01": 3.0, "I02_02_02": 3.2, "I03_01_01": 1.0},
    )
    _, samples = opened("quality-pairs", "kadid-10k", tmp_path)
    golds = {sample.cluster: sample.target for sample in samples if isinstance(sample, Sample)}
    assert golds["I02"] == "similar"
    assert golds["I01"] in "AB"
    (alone,) = (one for one in samples if isinstance(one, DataError))
    assert "I03" in alone.message


@pytest.mark.parametrize(
    ("score", "outcome"), [(None, "unscored"), ("", "unscored"), ("n/a", "unscored"), ("absent", "row")]
)
def test_a_picture_without_a_score_is_named_and_counted(score: str | None, outcome: str, tmp_path: Path) -> None:
    """No row is left out in silence: it stays in the table, without a score, and lowers coverage."""
    written(tmp_path, "test_koniq_2k", {"a": 80.0, "b": 20.0, "c": score})
    task, samples = opened("koniq-10k", "default", tmp_path)
    assert len(samples) == 3
    last = samples[2]
    if outcome == "row":
        assert isinstance(last, DataError)
        assert "test_koniq_2k.json, row 3: column 'gt_score' is missing" in last.message
        return
    assert isinstance(last, Sample)
    found = verify(task.verifier, Response("ok", '{"rating": 3}'), last.target, last.context)
    assert found.outcome == "unscored"
    assert "gt_score" in found.reason or "n/a" in found.reason
