"""gIoU, cIoU, P@50–95 and scores that count where an object was found, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmeval.core.errors import DataError
from mmeval.metrics import estimate, get_metric
from mmeval.verifiers.masks import share_above


def row(
    name: int, shared: float, union: float, answered: bool = True, cluster: str = "", **scores: float
) -> dict[str, Any]:
    overlap = shared / union
    found = {"iou": overlap, "p@50-95": share_above(overlap)} if answered else {}
    return {
        "sample_id": str(name), "repeat": 0, "cluster": cluster, "outcome": "scored" if answered else "no_answer", "correct": None,
        "score": overlap if answered else 0.0, "scores": {"intersection": shared, "union": union, **found, **scores},
    }  # fmt: skip


def drawn(size: int = 60) -> list[dict[str, Any]]:
    generator = np.random.default_rng(3)
    unions = generator.integers(10, 4000, size)
    shared = (unions * generator.random(size)).astype(int)
    rows = [row(i, int(a), int(b), cluster=f"c{i % 20}") for i, (a, b) in enumerate(zip(shared, unions, strict=True))]
    rows[0] = row(0, 0, 500, answered=False, cluster="c0")
    return rows


def test_all_four_against_numpy() -> None:
    rows = drawn()
    shared = np.array([entry["scores"]["intersection"] for entry in rows])
    union = np.array([entry["scores"]["union"] for entry in rows])
    overlaps = shared / union
    assert estimate("giou", rows).value == pytest.approx(overlaps.mean())
    ciou = estimate("ciou", rows)
    assert ciou.value == pytest.approx(shared.sum() / union.sum())
    assert ciou.interval is not None
    assert ciou.interval.method == "cluster-bootstrap-bca-t"
    assert ciou.interval.low < ciou.value < ciou.interval.high
    assert estimate("p@50", rows).value == pytest.approx((overlaps > 0.5).mean())
    expected = np.mean([(overlaps > threshold).mean() for threshold in np.arange(0.5, 0.96, 0.05)])
    assert estimate("p@50-95", rows).value == pytest.approx(expected)


def test_the_threshold_itself_does_not_count() -> None:
    rows = [row(0, 1, 2), row(1, 51, 100), row(2, 3, 4)]
    assert estimate("p@50", rows).value == pytest.approx(2 / 3)
    assert estimate("iou@0.5", rows).value == 1.0
    assert estimate("p@75", rows).value == 0.0
    assert get_metric("p@50").binary


def test_nothing_at_all_is_undefined() -> None:
    rows = [{**row(0, 1, 2), "scores": {"intersection": 0.0, "union": 0.0, "iou": 1.0, "p@50-95": 1.0}}]
    assert estimate("ciou", rows).value is None
    assert estimate("giou", rows).value == 1.0


def test_by_subset() -> None:
    rows = [{**entry, "subsets": {"query": "long" if i % 2 else "short"}} for i, entry in enumerate(drawn())]
    parts = [
        estimate("ciou", [entry for entry in rows if entry["subsets"]["query"] == name]).value
        for name in ("long", "short")
    ]
    assert estimate("macro:query:ciou", rows).value == pytest.approx(np.mean([part or 0 for part in parts]))


def test_a_score_counts_where_the_object_is_found() -> None:
    rows = [
        row(0, 3, 4, quality=1.5),
        row(1, 1, 4, quality=2.0),
        row(2, 1, 2, quality=0.5),
        row(3, 0, 5, answered=False),
    ]
    assert estimate("found@0.5:quality", rows).value == pytest.approx((1.5 + 0.5) / 4)
    assert estimate("found@0.25:quality", rows).value == pytest.approx((1.5 + 2 + 0.5) / 4)


def test_a_caption_counts_where_its_box_is_found() -> None:
    def caption(name: int, overlap: float, said: str) -> dict[str, Any]:
        cells = {"extracted": {"box": None, "caption": said}, "target": {"references": ["a red chair"]}}
        return {**row(name, overlap, 1.0), **cells}

    rows = [caption(0, 0.6, "a red chair"), caption(1, 0.4, "a red chair"), caption(2, 0.9, "the door")]
    assert estimate("found@0.5:rouge-l", rows).value == pytest.approx(1 / 3)
    assert estimate("found@0.25:rouge-l", rows).value == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="has no references"):
        estimate("found@0.5:rouge-l", [{**rows[0], "target": "a red chair"}])
