"""Masks: run-length codes against pycocotools, painted polygons, and what is read from answers."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Response, Verdict
from mmeval.verifiers.base import verify
from mmeval.verifiers.mask import MaskVerifier
from mmeval.verifiers.mask_answers import tagged
from mmeval.verifiers.masks import (
    THRESHOLDS,
    Mask,
    MaskError,
    bounding_box,
    decode_runs,
    encode_runs,
    from_boxes,
    from_polygons,
    from_shapes,
)
from mmeval.verifiers.raster import paint

SIZE = (12, 8)


def square(x1: int, y1: int, x2: int, y2: int) -> Mask:
    return from_boxes([[x1, y1, x2, y2]], SIZE)


def judged(text: str, target: Any = None, context: AnswerContext | None = None, **options: Any) -> Verdict:
    gold = target if target is not None else encode_runs(square(2, 2, 6, 6))
    return verify(MaskVerifier(options), Response("ok", text), gold, context or AnswerContext(image_size=SIZE))


masks = st.integers(1, 40).flatmap(
    lambda height: st.integers(1, 40).flatmap(
        lambda width: st.lists(st.booleans(), min_size=height * width, max_size=height * width).map(
            lambda bits: np.array(bits, dtype=bool).reshape(height, width)
        )
    )
)


@given(masks)
def test_codes_are_those_of_coco(mask: Mask) -> None:
    from pycocotools import mask as coco

    code = encode_runs(mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert code == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert np.array_equal(decode_runs(code), mask)
    runs = coco.decode(coco.frPyObjects({"size": list(mask.shape), "counts": _plain(mask)}, *mask.shape))
    assert np.array_equal(decode_runs({"size": list(mask.shape), "counts": _plain(mask)}), runs.astype(bool))


def _plain(mask: Mask) -> list[int]:
    runs, last = [0], False
    for value in mask.T.reshape(-1).tolist():
        if value != last:
            runs.append(0)
            last = value
        runs[-1] += 1
    return runs


def test_long_runs_and_large_masks() -> None:
    mask = np.zeros((700, 900), dtype=bool)
    mask[100:650, 3:890] = True
    mask[200:210] = False
    assert np.array_equal(decode_runs(encode_runs(mask)), mask)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ({"size": [8, 12], "counts": encode_runs(square(2, 2, 6, 6))["counts"][:-1]}, "cut off"),
        ({"size": [8, 12], "counts": "o"}, "cut off"),
        ({"size": [8, 12], "counts": "é"}, "belong"),
        ({"size": [8, 12], "counts": [10, 200, -114]}, "negative"),
        ({"size": [8, 12], "counts": [10, 80]}, "cover 90 pixels of 96"),
        ({"size": [8, 12], "counts": [10.5, 85.5]}, "neither"),
        ({"size": [8, 12], "counts": None}, "neither"),
        ({"size": [8], "counts": [96]}, "size"),
        ({"size": [0, 12], "counts": [0]}, "size"),
        ({"size": [1 << 20, 1 << 20], "counts": [1 << 40]}, "beyond"),
    ],
)
def test_damaged_codes(code: dict[str, Any], says: str) -> None:
    with pytest.raises(MaskError, match=says):
        decode_runs(code)
    verdict = judged(json.dumps(code))
    assert (verdict.outcome, verdict.score) == ("no_answer", 0.0)
    assert (verdict.scores["intersection"], verdict.scores["union"]) == (0.0, 16.0)
    wrong = judged("[1, 1, 2, 2]", code)
    assert wrong.outcome == "unscored"
    assert wrong.reason.startswith("gold mask")


@given(st.text("0123456789:;<=>?@ABCLMNOPQRSTUV`abcdefgo\\", max_size=30), st.integers(1, 9), st.integers(1, 9))
def test_any_text_is_a_mask_or_none(text: str, height: int, width: int) -> None:
    with suppress(MaskError):
        assert decode_runs({"size": [height, width], "counts": text}).shape == (height, width)


def test_polygons_are_filled_as_coco_fills_them() -> None:
    from pycocotools import mask as coco

    polygons = [[1.5, 1.2, 9.7, 2.4, 6.1, 6.9], [8, 5, 11, 5, 11, 7.5, 8, 7.5]]
    theirs = coco.decode(coco.merge(coco.frPyObjects(polygons, SIZE[1], SIZE[0])))
    assert np.array_equal(from_polygons(polygons, SIZE), theirs.astype(bool))
    for bad in (
        [[1, 1, 5, 5]],
        [[1, 1, 5, 5, 6]],
        [[1, 1, 5, float("nan"), 6, 6]],
        [["a"] * 6],
        [[0, 0, 1e9, 0, 1, 1]],
        [],
        [True],
    ):
        with pytest.raises(MaskError):
            from_polygons(bad, SIZE)


@pytest.mark.parametrize(
    ("points", "rows"),
    [
        # As cv2.fillPoly and cv2.polylines of opencv-python 5.0.0 paint them.
        ([[1, 1], [5, 1], [5, 3], [1, 3]], ["........", ".#####..", ".#####..", ".#####..", "........", "........"]),
        ([[0, 0], [6, 3], [1, 5]], ["##......", "####....", "######..", ".######.", ".####...", ".##....."]),
        ([[1.9, 0.9], [7, 0], [1, 5.7], [7, 5]], [".#######", "..#####.", "...###..", "...###..", "..#####.", ".#######"]),
    ],
)  # fmt: skip
def test_painted_polygons(points: list[list[float]], rows: list[str]) -> None:
    found = ["".join("#" if pixel else "." for pixel in row) for row in paint(points, 8, 6).tolist()]
    assert found == rows
    with pytest.raises(ValueError, match="3 points"):
        paint(points[:2], 8, 6)


def test_shapes_are_painted_from_large_to_small() -> None:
    shapes = [
        {"label": "target", "points": [[4, 3], [6, 3], [6, 5], [4, 5]]},
        {"label": "Ignore", "points": [[2, 2], [8, 2], [8, 6], [2, 6]]},
        {"label": "target", "points": [[0, 0], [11, 0], [11, 7], [0, 7]]},
        {"label": "FLAG", "points": [[0, 0]]},
    ]
    gold = from_shapes(shapes, SIZE)
    assert gold.ignored is not None
    assert int(gold.ignored.sum()) == 7 * 5 - 9
    assert gold.area == 96 - 26
    assert gold.shared(np.ones((8, 12), dtype=bool)) == (70, 70)
    assert gold.shared(gold.ignored) == (0, 70)
    for bad in (
        [{"points": []}],
        [{"label": "target", "points": [[0, 0], [1, 1]]}],
        "x",
        [{"label": "target", "points": [[0, 0], [1, 1], [2]]}],
    ):
        with pytest.raises(MaskError):
            from_shapes(bad, SIZE)


CODE = json.dumps(encode_runs(square(2, 2, 6, 6)))


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"<think>a [1, 2] first</think><answer>{CODE}</answer>",
        f"```json\n{CODE}\n```",
        f'{{"mask": {CODE}, "answer": "the cup"}}',
        f"The mask is {CODE}.",
        f"[{CODE}, {json.dumps(encode_runs(square(3, 3, 4, 4)))}]",
        '{"segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]}',
        '{"polygon": [[2, 2], [6, 2], [6, 6], [2, 6]]}',
        '{"polygon": [2, 2, 6, 2, 6, 6, 2, 6]}',
        tagged('<answer>[{"bbox_2d": [0, 0, 1, 1]}]</answer>', json.loads(CODE)),
    ],
)
def test_masks_in_answers(text: str) -> None:
    verdict = judged(text)
    assert (verdict.outcome, verdict.score, verdict.correct) == ("scored", 1.0, None)
    assert verdict.scores == {"iou": 1.0, "p@50-95": 1.0, "intersection": 16.0, "union": 16.0}
    assert verdict.extracted == json.loads(CODE)
    assert judged(json.dumps(verdict.extracted)).extracted == verdict.extracted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CODE[:-4], "not found"),
        (json.dumps(encode_runs(np.ones((4, 4), dtype=bool))), "the mask is of another size than the image"),
        ('{"polygon": [[2, 2], [6, 2]]}', "a polygon has at least 3 points, this one 2"),
        ('{"polygons": [[2, 2, 6, NaN, 3, 3]]}', "a polygon's coordinates are finite and at most 100000"),
        ("[2, 2, 6, 6]", "boxes, no mask"),
        ("<think>no end", "unfinished reasoning"),
        ("", "empty"),
        ("I am sorry, I cannot see it.", "refusal"),
    ],
)
def test_what_is_no_mask(text: str, reason: str) -> None:
    verdict = judged(text)
    assert (verdict.outcome, verdict.reason) == ("no_answer", reason)
    assert verdict.scores == {"intersection": 0.0, "union": 16.0}


@pytest.mark.parametrize(
    ("text", "overlap", "pixels"),
    [
        ("[2, 2, 6, 6]", 1.0, (16, 16)),
        ("[6, 6, 2, 2]", 1.0, (16, 16)),
        (
            '[{"bbox_2d": [2, 2, 4, 6], "point_2d": [3, 3]}, {"bbox_2d": [4, 2, 6, 6], "point_2d": [5, 3]}]',
            1.0,
            (16, 16),
        ),
        ("[2, 2, 4, 6]", 0.5, (8, 16)),
        ("[-50, -50, 1e9, 1e9]", 16 / 96, (16, 96)),
        ("[20, 20, 30, 30]", 0.0, (0, 16)),
    ],
)
def test_boxes_as_masks(text: str, overlap: float, pixels: tuple[int, int]) -> None:
    verdict = judged(text, prediction="box-as-mask", threshold=0.5)
    assert verdict.score == verdict.scores["iou"] == overlap
    assert (verdict.scores["intersection"], verdict.scores["union"]) == pixels
    assert verdict.correct is (overlap > 0.5)
    assert verdict.scores["p@50-95"] == (1.0 if overlap == 1 else 0.0)


def test_one_box_against_the_box_around_the_mask() -> None:
    mask = square(2, 2, 6, 3) | square(2, 2, 3, 6)
    assert bounding_box(mask) == [2.0, 2.0, 6.0, 6.0]
    verdict = judged("[2, 2, 6, 6]", encode_runs(mask), prediction="box", threshold=0.5)
    assert (verdict.score, verdict.correct, verdict.scores) == (1.0, True, {"iou": 1.0, "p@50-95": 1.0})
    assert judged("[0, 0, 1, 1] or [2, 2, 6, 6]", prediction="box").outcome == "no_answer"
    assert judged("nothing", prediction="box", threshold=0.5).scores == {}


def test_the_frame_is_declared() -> None:
    answer = '<think>a</think><rethink>b</rethink><answer>[{"bbox_2d": [140, 210, 420, 630], "point_2d": [200, 400], "affordance": "hold"}]</answer>'
    framed = judged(answer, prediction="box-as-mask", frame=[840, 840], reasoning_tags=["think", "rethink"])
    assert framed.extracted == [[2.0, 2.0, 6.0, 6.0]]
    assert framed.score == 1.0
    thousand = AnswerContext(image_size=(100, 50), coordinates="thousand")
    code = encode_runs(from_boxes([[10, 10, 20, 20]], (100, 50)))
    assert judged("[100, 200, 200, 400]", code, thousand, prediction="box-as-mask").score == 1.0


def test_nothing_on_both_sides() -> None:
    nothing = encode_runs(np.zeros((8, 12), dtype=bool))
    text = json.dumps(nothing)
    assert judged(text, nothing).score == 1.0
    assert judged(text, nothing, empty=0).score == 0.0
    assert judged("[2, 2, 6, 6]", nothing, prediction="box").score == 0.0
    assert judged("?", nothing).score == 0.0


def test_pixels_that_do_not_count() -> None:
    gold = {**encode_runs(square(2, 2, 6, 6)), "ignore": encode_runs(square(6, 2, 8, 6))}
    assert judged(json.dumps(encode_runs(square(2, 2, 8, 6))), gold).score == 1.0
    other = {**gold, "ignore": encode_runs(np.ones((3, 3), dtype=bool))}
    assert judged(CODE, other).outcome == "unscored"


def test_thresholds_of_the_script() -> None:
    assert list(THRESHOLDS) == np.arange(0.5, 0.96, 0.05).tolist()
    assert all(abs(value - (50 + 5 * index) / 100) < 1e-12 <= 1 for index, value in enumerate(THRESHOLDS))


@given(st.text(max_size=80))
def test_never_raises(text: str) -> None:
    for reading in ("mask", "box-as-mask", "box"):
        assert judged(text, prediction=reading).outcome in ("scored", "no_answer")
