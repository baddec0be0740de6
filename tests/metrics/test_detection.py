"""Average precision of rows: equal to cocoapi's own code on made-up data, on resamples too; crowds, federated classes, F1."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mmeval.core.errors import DataError
from mmeval.metrics import estimate, get_metric
from mmeval.metrics.collect import collect
from mmeval.metrics.summary import units_of
from mmeval.stats.detection_functionals import AveragePrecision
from mmeval.stats.detection_matching import nms_kept

COCO_NAMES = [
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar@1",
    "ar@10",
    "ar",
    "ar_small",
    "ar_medium",
    "ar_large",
]
CLASSES = ("cat", "dog", "tree", "never")
Rows = list[dict[str, Any]]


def made_up(images: int, seed: int, *, ties: bool = False) -> Rows:
    """Rows with gold boxes of all sizes, crowds, and predictions near them or not."""
    generator = np.random.default_rng(seed)

    def box(side: float) -> list[float]:
        x, y = (float(value) for value in generator.integers(0, 300, 2))
        width, height = (float(value) for value in generator.integers(1, side, 2))
        return [x, y, x + width, y + height]

    rows = []
    for number in range(images):
        gold, found = [], []
        for _ in range(int(generator.integers(0, 6))):
            corners = box(float(generator.choice([20, 80, 250])))
            label = CLASSES[int(generator.integers(0, 3))]
            area = (corners[2] - corners[0]) * (corners[3] - corners[1]) * float(generator.uniform(0.5, 1))
            gold.append({"box": corners, "label": label, "area": area, "crowd": bool(generator.random() < 0.15)})
            for _ in range(int(generator.integers(0, 3))):
                moved = [
                    value + float(shift) for value, shift in zip(corners, generator.integers(-6, 7, 4), strict=True)
                ]
                moved = [moved[0], moved[1], max(moved[2], moved[0] + 1), max(moved[3], moved[1] + 1)]
                found.append({"box": moved, "label": label})
        for _ in range(int(generator.integers(0, 3))):
            found.append({"box": box(90), "label": CLASSES[int(generator.integers(0, 4))]})
        for one in found:
            one["score"] = float(generator.integers(0, 3)) / 2 if ties else float(generator.random())
        rows.append(row(f"{number:03d}", gold, found))
    return rows


def row(name: str, gold: Any, found: Any, outcome: str = "scored", repeat: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "sample_id": name, "cluster": name, "repeat": repeat, "outcome": outcome, "score": 1.0,
        "target": json.dumps(gold), "extracted": json.dumps(found), **more,
    }  # fmt: skip


def by_pycocotools(rows: Sequence[dict[str, Any]]) -> list[float]:
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    number = {label: place for place, label in enumerate(CLASSES, 1)}
    annotations, results = [], []
    for image, one in enumerate(rows, 1):
        for gold in json.loads(one["target"]):
            x, y, right, bottom = gold["box"]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": number[gold["label"]],
                    "bbox": [x, y, round(right - x, 9), round(bottom - y, 9)], "area": gold["area"], "iscrowd": int(gold["crowd"]),
                }
            )  # fmt: skip
        for box in json.loads(one["extracted"]) if one["outcome"] == "scored" else []:
            x, y, right, bottom = box["box"]
            results.append(
                {
                    "image_id": image, "category_id": number[box["label"]],
                    "bbox": [x, y, round(right - x, 9), round(bottom - y, 9)], "score": box["score"],
                }
            )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        gold_boxes = coco.COCO()
        gold_boxes.dataset = {
            "images": [{"id": image} for image in range(1, len(rows) + 1)],
            "annotations": annotations,
            "categories": [{"id": place, "name": label} for label, place in number.items()],
        }
        gold_boxes.createIndex()
        run = evaluation.COCOeval(gold_boxes, gold_boxes.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(value) for value in run.stats]


def functional(name: str, rows: Rows) -> AveragePrecision:
    metric = get_metric(name)
    found = units_of(metric, collect(metric, rows)).functional
    assert isinstance(found, AveragePrecision)
    return found


@pytest.mark.parametrize(("seed", "ties"), [(0, False), (1, True), (2, True), (3, False)])
def test_the_twelve_numbers_are_cocoapis(seed: int, ties: bool) -> None:
    rows = made_up(40, seed, ties=ties)
    rows[3]["outcome"] = "no_answer"
    expected = by_pycocotools(rows)
    for name, value in zip(COCO_NAMES, expected, strict=True):
        assert functional(name, rows).value() == pytest.approx(value, abs=1e-9), name


def test_sides_between_pixels_are_those_of_the_file() -> None:
    # 32 x 32 lies in the range of small and of medium boxes; as a difference of corners its side would be 32.00000000000001.
    rows = []
    for number, (x, y, side) in enumerate([(10.3, 7.7, 32.0), (21.9, 3.1, 96.0), (0.1, 0.7, 32.0), (5.3, 9.9, 96.0)]):
        corners = [x, y, x + side, y + side]
        gold = {"box": [300, 300, 340, 350], "label": "cat", "area": 900.0 if number % 2 else 9000.0, "crowd": False}
        found = [
            {"box": corners, "label": "cat", "score": 0.9},
            {"box": [300, 300, 340, 350], "label": "cat", "score": 0.5},
        ]
        rows.append(row(str(number), [gold], found))
    found_numbers = [functional(name, rows).value() for name in ("ap_small", "ap_medium")]
    # Boxes of 32 and of 96 are of medium size, and false alarms there; those of 32 are small ones as well.
    assert found_numbers == pytest.approx(by_pycocotools(rows)[3:5], abs=1e-9)


@pytest.mark.parametrize("name", ["ap", "ap50", "ap_small", "ap_large", "ar@1", "ar"])
def test_resamples_are_accumulated_exactly(name: str) -> None:
    rows = made_up(25, 7)
    found = functional(name, rows)
    evaluate = found.over(np.arange(25), 25)
    weights = np.random.default_rng(1).multinomial(25, np.full(25, 1 / 25), size=4).astype(np.float64)
    assert evaluate(np.ones((1, 25)))[0] == pytest.approx(found.value(), abs=1e-12)
    for drawn, value in zip(weights, evaluate(weights), strict=True):
        again = [rows[place] for place, count in enumerate(drawn) for _ in range(int(count))]
        assert value == pytest.approx(by_pycocotools(again)[COCO_NAMES.index(name)], abs=1e-9)
    chosen = np.array([4, 2, 9, 11, 20])
    assert found.select(chosen).value() == pytest.approx(
        by_pycocotools([rows[place] for place in sorted(chosen)])[COCO_NAMES.index(name)], abs=1e-9
    )


def test_the_interval_covers_the_value_and_has_its_method() -> None:
    found = estimate("ap50", made_up(40, 0))
    assert found.value is not None
    assert found.interval is not None
    assert found.interval.low < found.value < found.interval.high
    assert (found.interval.method, found.n, found.unit) == ("bootstrap-bca-t", 40, "sample")
    again = estimate("ap50", made_up(40, 0)).interval
    assert again == found.interval


def test_the_interval_lies_around_the_value() -> None:
    # Resamples overestimate the number by much of their own spread here; new data would spread around the value.
    found = estimate("ap", made_up(250, 5))
    assert found.value is not None
    assert found.interval is not None
    below, above = found.value - found.interval.low, found.interval.high - found.value
    assert 0.75 < below / above < 1.35


def test_images_of_one_cluster_are_drawn_together() -> None:
    rows = made_up(30, 5)
    for place, one in enumerate(rows):
        one["cluster"] = f"scene {place // 2}"
    found = estimate("ap", rows)
    assert (found.clusters, found.interval and found.interval.method) == (15, "cluster-bootstrap-bca-t")


CAT = {"box": [0, 0, 100, 100], "label": "cat"}
WRONG = {"box": [300, 300, 400, 400], "label": "cat"}


def test_the_order_of_equal_scores_matters_and_is_the_list() -> None:
    first = [row("a", [CAT], [CAT | {"score": 1.0}, WRONG | {"score": 1.0}])]
    later = [row("a", [CAT], [WRONG | {"score": 1.0}, CAT | {"score": 1.0}])]
    assert estimate("ap50", first).value == pytest.approx(1.0)
    assert estimate("ap50", later).value == pytest.approx(0.5)


def test_boxes_without_a_class_never_match_and_names_are_compared_without_case() -> None:
    assert estimate("ap50", [row("a", [CAT], [CAT | {"label": None}])]).value == 0.0
    assert (
        estimate("ap50", [row("a", [CAT | {"label": "fire_hydrant"}], [CAT | {"label": " Fire Hydrant"}])]).value == 1.0
    )
    # Gold without classes: one kind of thing, and plain lists of boxes will do.
    assert estimate("ap50", [row("a", [[0, 0, 10, 10]], [[0, 0, 10, 10]])]).value == 1.0
    assert estimate("ap50", [row("a", [[0, 0, 10, 10]], [{"box": [0, 0, 10, 10], "label": "person"}])]).value == 1.0


def test_crowds_are_neither_missed_nor_false_alarms() -> None:
    crowd = {"box": [200, 200, 400, 400], "label": "cat", "crowd": True}
    inside = [
        {"box": [210, 210, 250, 250], "label": "cat", "score": 0.9},
        {"box": [300, 300, 350, 350], "label": "cat"},
    ]
    rows = [row("a", [CAT, crowd], [*inside, CAT | {"score": 0.1}])]
    assert estimate("ap", rows).value == pytest.approx(1.0)
    assert (estimate("precision@0.5", rows).value, estimate("recall@0.5", rows).value) == (1.0, 1.0)
    other = [row("a", [CAT, crowd], [{**one, "label": "dog"} for one in inside] + [CAT])]
    assert estimate("precision@0.5", other).value == pytest.approx(1 / 3)


def test_federated_classes_of_lvis() -> None:
    # Nobody looked for dogs here; that there is no tree is known; of cats not every one has a box.
    gold = {"objects": [CAT], "verified": ["tree"], "partial": ["cat"]}
    stray = [WRONG | {"score": 0.9}, {"box": [5, 5, 9, 9], "label": "dog", "score": 0.8}]
    dogs = row("b", {"objects": [CAT | {"label": "dog"}], "verified": []}, [CAT | {"label": "dog", "score": 0.5}])
    rows = [row("a", gold, [*stray, CAT | {"score": 0.2}]), dogs]
    assert estimate("ap", rows).value == pytest.approx(1.0)
    exhaustive = [row("a", gold | {"partial": []}, [*stray, CAT | {"score": 0.2}]), dogs]
    assert estimate("ap50", exhaustive).value == pytest.approx(0.75)
    trees = row("c", {"objects": [CAT | {"label": "tree"}], "verified": []}, [CAT | {"label": "tree", "score": 0.5}])
    wrong = row("a", gold, [{"box": [1, 1, 5, 5], "label": "tree", "score": 0.9}])
    assert estimate("ap50", [wrong, trees]).value == pytest.approx((0 + 0.5) / 2)


def test_nms_ap_keeps_the_best_box_of_each_gold_box() -> None:
    golds = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], dtype=float)
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [50, 50, 60, 60], [0, 0, 10, 8]], dtype=float)
    scores = np.array([0.5, 0.9, 0.3, 0.1, 0.9])
    assert nms_kept(boxes, scores, golds).tolist() == [False, False, True, True, True]
    twice = [CAT | {"label": "dog", "score": 0.9}, CAT | {"score": 0.8}]
    gold = [CAT, WRONG | {"label": "dog"}]
    found = [row("a", gold, [*twice, WRONG | {"label": "dog", "score": 0.7}])]
    assert estimate("ap50", found).value == pytest.approx((1 + 0.5) / 2)
    assert estimate("nms-ap50", found).value == pytest.approx((0 + 0.5) / 2)


def test_the_mean_over_data_sets_is_of_their_own_numbers() -> None:
    rows = made_up(24, 3)
    for place, one in enumerate(rows):
        one["subsets"] = {"dataset": "big" if place < 18 else "small"}
    found = estimate("macro:dataset:ap50", rows)
    parts = [estimate("ap50", rows[:18]).value, estimate("ap50", rows[18:]).value]
    assert found.value == pytest.approx(np.mean([value for value in parts if value is not None]))
    assert found.interval is not None
    assert found.interval.method == "stratified-bootstrap-bca-t"
    rows[0]["subsets"] = {"dataset": ""}
    assert estimate("macro:dataset:ap50", rows).n == 23


def test_repeats_share_the_weight_of_their_sample() -> None:
    once = [row("a", [CAT], [CAT]), row("b", [CAT], [])]
    twice = [
        row("a", [CAT], [CAT]),
        row("a", [CAT], [], repeat=1),
        row("b", [CAT], []),
        row("b", [CAT], [CAT], repeat=1),
    ]
    assert estimate("ar", once).value == pytest.approx(0.5)
    assert estimate("ar", twice).value == pytest.approx(0.5)
    assert estimate("ar", twice).n == 2


def test_nothing_predicted_nothing_to_find_and_rows_that_do_not_count() -> None:
    assert estimate("ap", [row("a", [CAT], [])]).value == 0.0
    assert estimate("ap", [row("a", [CAT], None, "no_answer")]).value == 0.0
    assert estimate("ap", [row("a", [], [WRONG])]).value is None
    assert estimate("ap_small", [row("a", [CAT], [CAT])]).value is None
    failed = estimate("ap", [row("a", [CAT], [CAT]), row("b", [CAT], None, "error")])
    assert (failed.value, failed.coverage) == (pytest.approx(1.0), 0.5)


def test_f1_of_the_corpus() -> None:
    rows = [row("a", [CAT, CAT], [CAT, CAT, WRONG]), row("b", [CAT], [{"box": [0, 0, 100, 60], "label": "cat"}])]
    found = {name: estimate(name, rows).value for name in ("precision@0.5", "recall@0.5", "f1@0.5", "f1@0.75")}
    assert found == {
        "precision@0.5": pytest.approx(3 / 4), "recall@0.5": 1.0, "f1@0.5": pytest.approx(6 / 7), "f1@0.75": pytest.approx(4 / 7),
    }  # fmt: skip


@pytest.mark.parametrize("cell", ['"cat"', "7", '[{"label": "cat"}]', "[[1, 2, 3]]"])
def test_rows_that_are_not_about_boxes_are_refused(cell: str) -> None:
    with pytest.raises(DataError, match=r"'a'.*is about boxes"):
        estimate("ap", [row("a", [CAT], [CAT]) | {"target": cell}])


@pytest.mark.parametrize("name", ["ap60", "ap@0", "ar@0", "f1@0", "f1@1.5", "nms-ar", "ap_tiny", "macro:a/b:ap"])
def test_unknown_names(name: str) -> None:
    from mmeval.core.errors import UsageError

    with pytest.raises(UsageError):
        get_metric(name)


def test_swapping_two_models_joins_their_classes() -> None:
    first = functional("ap50", [row("a", [CAT], [CAT]), row("b", [CAT | {"label": "dog"}], [])])
    second = functional("ap50", [row("a", [CAT], []), row("b", [CAT | {"label": "dog"}], [CAT | {"label": "dog"}])])
    both = first.joined(second)
    assert both.units == 4
    mixed = both.over(np.arange(4), 4)(np.array([[1.0, 0, 0, 1], [0, 1, 1, 0]]))
    assert mixed.tolist() == [1.0, 0.0]


def test_two_models_are_compared_on_the_same_resamples() -> None:
    from mmeval.stats.pairs import pair_of

    rows = made_up(40, 0)
    worse = [dict(one, extracted="[]") if number % 3 else one for number, one in enumerate(rows)]
    sides = [functional("ap50", side) for side in (rows, worse)]
    values = np.ones(40)
    found = pair_of(values, values, None, (sides[0], sides[1])).compare().difference
    low, high = sides[1].value(), sides[0].value()
    assert low is not None
    assert high is not None
    assert found.estimate == pytest.approx(low - high)
    assert found.interval is not None
    assert found.interval.low <= found.estimate <= found.interval.high < 0
    assert found.p_value is not None
    assert found.p_value < 0.05
    same = pair_of(values, values, None, (sides[0], sides[0])).compare().difference
    assert (same.estimate, same.p_value) == (0.0, 1.0)
