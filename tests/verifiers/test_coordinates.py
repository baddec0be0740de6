"""Box, boxes and point."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.box import BoxVerifier
from mmeval.verifiers.boxes import BoxesVerifier, count_matches
from mmeval.verifiers.coordinates import iou
from mmeval.verifiers.point import PointVerifier

PLAIN = AnswerContext()
FOUR = [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    "text",
    [
        "[1,2,3,4]",
        "(1, 2, 3, 4)",
        "[1 2 3 4]",
        "[3, 4, 1, 2]",
        "[1.0, 2., 3e0, 4]",
        "[[1,2,3,4]]",
        "[[1,2],[3,4]]",
        "(1,2),(3,4)",
        "(1,2) to (3,4)",
        "The top-left corner is at (1, 2) and the bottom-right corner is at (3, 4).",
        '{"ymin": 2, "xmin": 1, "ymax": 4, "xmax": 3}',
        '{"x1": 1, "x2": 3, "y1": 2, "y2": 4}',
        "- **x1**: 1\n- **y1**: 2\n- **x2**: 3\n- **y2**: 4",
        "<box>(1,2),(3,4)</box>",
        "<box>1 2 3 4</box>",
        "<|box_start|>(1,2),(3,4)<|box_end|>",
        '```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "person 7"}]\n```',
        "{'box': [1,2,3,4]}",
        '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}',
        '{"xmin": "1", "ymin": "2", "xmax": "3", "ymax": "4"}',
        "x1=1, y1=2, x2=3, y2=4",
        "1, 2, 3, 4",
        "Sure. The box is 1, 2, 3, 4.",
        r"\boxed{[1,2,3,4]}",
        "[1,2,3,4] or rather [1, 2, 3, 4]",
        "It is approximately at the coordinates (x1, y1) = (1, 2) and (x2, y2) = (3, 4).",
        "The box is approximately from (x1, y1) = (1, 2) to (x2, y2) = (3, 4).",
        "It is located at the coordinates (x1: 1, y1: 2) to (x2: 3, y2: 4).",
        "by the following coordinates:\n\n- Top-left corner: (x=1, y=2)\n- Bottom-right corner: (x=3, y=4)\n\nThis area includes the 2 women.",
        "- Top-left corner: (x1, y1) = (1, 2)\n- Bottom-right corner: (x2, y2) = (3, 4)",
        "- Top-left corner: (1, 2), (x1, y1)\n- Bottom-right corner: (3, 4), (x2, y2)",
        "- **Top-left corner (x, y)**: Approximately `(1, 2)` \n- **Bottom-right corner (x, y)**: Approximately `(3, 4)`",
        "- **Top-left corner**: (x1=1, y1=2)\n- **Bottom-right corner**: (x2=3, y2=4)",
        "- **Top-left corner**: Approximately at `(1, 2)` (this is an estimate based on the image).\n- **Bottom-right corner**: Approximately at `(3, 4)`.",
        "<box><1><2><3><4></box>",
        "{<1><2><3><4>}",
        "[1px, 2px, 3px, 4px]",
        r"\([1, 2, 3, 4]\)",
        r"\left[1, 2, 3, 4\right]",
        '{"bbox_2d": "1, 2, 3, 4"}',
        '{"bbox": "[1, 2, 3, 4]"}',
        '{"top_left": [1, 2], "bottom_right": [3, 4]}',
        '{"top_left": {"x": 1, "y": 2}, "bottom_right": {"x": 3, "y": 4}}',
        '{\n  "top_left_corner": [\n    1,\n    2\n  ],\n  "bottom_right_corner": [\n    3,\n    4\n  ]\n}',
        "I first saw [9,9,10,10]. The answer is [1,2,3,4].",
        "<think>[5,6,7,8]</think>[1,2,3,4]",
        '[{"bbox_2d": [1,2,3,4]}, {"bbox_2d": [5, 6',
    ],
)
def test_box(text: str) -> None:
    found = BoxVerifier().parse(text, PLAIN)
    assert found.value == FOUR
    assert found.span is not None
    assert all(digit in text[slice(*found.span)] for digit in "1234")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("nothing", "not found"),
        ("[NaN,1,2,3]", "not found"),
        ("[inf,1,2,3]", "not found"),
        ("[1e999,1,2,3]", "not found"),
        ("[1,2,3]", "not found"),
        ("[1,2,3,4,5]", "not found"),
        ('{"x1": 1, "y1": 2, "x1": 3, "y2": 4}', "not found"),
        ('{"x": 1, "y": 2, "width": 2, "height": 2', "not found"),
        ('[{"bbox_2d": [1, 2, 3, 4', "not found"),
        ("[1, 2, 3, 4", "not found"),
        ('{"x1": 1, "y1": 2, "x2": 3, "y2": ', "not found"),
        ('{"x1": 1, "y1": 2, "x2": 3, "y2": 4', "not found"),
        ("<box>1 2 3 4", "not found"),
        ("[1,2,3,4] and [5,6,7,8]", "ambiguous"),
        ("<think>[1,2,3,4]", "unfinished reasoning"),
    ],
)
def test_no_box(text: str, reason: str) -> None:
    found = BoxVerifier().parse(text, PLAIN)
    assert (found.value, found.reason) == (None, reason)


def space(coordinates: str, order: str = "xy", sent: tuple[int, int] | None = (320, 240)) -> AnswerContext:
    return AnswerContext(
        image_size=(640, 480),
        sent_size=sent,
        coordinates=coordinates,
        coordinate_order=order,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("context", "text", "pixels"),
    [
        (space("pixels"), "[10, 20, 30, 40]", [20.0, 40.0, 60.0, 80.0]),
        (space("pixels", sent=(640, 480)), "[10, 20, 30, 40]", [10.0, 20.0, 30.0, 40.0]),
        (space("pixels", sent=None), "[10, 20, 30, 40]", [10.0, 20.0, 30.0, 40.0]),
        (space("unit"), "[0.25, 0.5, 0.75, 1]", [160.0, 240.0, 480.0, 480.0]),
        (space("thousand"), "[100, 200, 300, 400]", [64.0, 96.0, 192.0, 192.0]),
        (space("percent"), "[10, 20.5, 30, 40]", [64.0, 98.4, 192.0, 192.0]),
        (
            space("thousand", "yx"),
            '{"top_left": {"x": 100, "y": 200}, "bottom_right": {"x": 300, "y": 400}}',
            [64.0, 96.0, 192.0, 192.0],
        ),
        (space("thousand", "yx"), "[200, 100, 400, 300]", [64.0, 96.0, 192.0, 192.0]),
        (space("thousand"), "[0.1, 0.2, 0.3, 0.4]", [0.064, 0.096, 0.192, 0.192]),  # declared, never guessed
        (space("unit"), "[100, 200, 300, 400]", [64000.0, 96000.0, 192000.0, 192000.0]),
        (space("unit"), "[-0.1, 0, 1.5, 1]", [-64.0, 0.0, 960.0, 480.0]),
        (space("thousand", "yx"), '{"x1": 100, "y1": 200, "x2": 300, "y2": 400}', [64.0, 96.0, 192.0, 192.0]),
    ],
)
def test_declared_space(context: AnswerContext, text: str, pixels: list[float]) -> None:
    assert BoxVerifier().parse(text, context).value == pytest.approx(pixels, rel=1e-15)
    corners = PointVerifier().parse(text, context)
    assert corners.reason == "a box, not a point"


@pytest.mark.parametrize("verifier", [BoxVerifier(), BoxesVerifier(), PointVerifier()])
def test_unknown_space_is_an_error_and_no_wrong_answer(verifier: BoxVerifier) -> None:
    text = "[1, 2]" if isinstance(verifier, PointVerifier) else "[1,2,3,4]"
    with pytest.raises(DataError, match="image size"):
        verifier.parse(text, AnswerContext(coordinates="thousand"))
    with pytest.raises(DataError, match="unknown coordinate space"):
        verifier.parse(text, AnswerContext(coordinates="furlong", image_size=(1, 1)))


def test_a_corner_with_width_and_height() -> None:
    for text in (
        '{"x": 1, "y": 2, "width": 2, "height": 2}',
        "left: 1, top: 2, height: 2, width: 2",
        "x=1 y=2 w=2 h=2",
    ):
        assert BoxVerifier().parse(text, PLAIN).value == FOUR


def test_box_match() -> None:
    half = BoxVerifier().match([0, 0, 10, 10], [0, 0, 10, 20], PLAIN)
    assert (half.score, half.correct) == (0.5, None)
    assert half.scores == {"iou": 0.5, "iou@0.5": 1.0, "iou@0.75": 0.0}
    counted = BoxVerifier({"threshold": 0.5}).match([0, 0, 10, 10], [0, 0, 10, 20], PLAIN)
    assert (counted.score, counted.correct) == (1.0, True)
    strict = BoxVerifier({"threshold": 0.6}).match([0, 0, 10, 10], [0, 0, 10, 20], PLAIN)
    assert (strict.score, strict.correct, strict.scores["iou"]) == (0.0, False, 0.5)
    with pytest.raises(DataError, match="threshold"):
        BoxVerifier({"threshold": 2}).match([0, 0, 1, 1], [0, 0, 1, 1], PLAIN)


@pytest.mark.parametrize(
    "target", [None, [1, 2, 3], [3, 0, 1, 4], [0, 0, math.nan, 1], ["1", 2, 3, 4], [True, 0, 1, 1]]
)
def test_bad_box_target(target: object) -> None:
    with pytest.raises(DataError, match="not a box"):
        BoxVerifier().match(FOUR, target, PLAIN)
    with pytest.raises(DataError):
        PointVerifier().match([1, 2], {"box": target}, PLAIN)
    with pytest.raises(DataError):
        BoxesVerifier().match([FOUR], [target], PLAIN)


COORDINATE = st.floats(-1e6, 1e6)
BOXES = st.tuples(COORDINATE, COORDINATE, st.floats(0.5, 1e5), st.floats(0.5, 1e5)).map(
    lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
)


@given(BOXES, BOXES, st.floats(-100, 100))
def test_iou_properties(first: list[float], second: list[float], shift: float) -> None:
    value = iou(first, second)
    assert 0 <= value <= 1
    assert iou(second, first) == pytest.approx(value, abs=1e-12)
    assert iou(first, first) == pytest.approx(1)
    moved = [[number + shift for number in box] for box in (first, second)]
    assert iou(*moved) == pytest.approx(value, abs=1e-6)


def test_iou_extremes() -> None:
    assert iou([0, 0, 0, 0], [0, 0, 0, 0]) == 0.0
    assert iou([0, 0, 1, 1], [1, 0, 2, 1]) == 0.0
    assert iou([0, 0, 1e300, 1e300], [0, 0, 1e300, 1e300]) == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[]", []),
        ("```json\n[]\n```", []),
        ("[ ]", []),
        ("None", []),
        ("no objects", []),
        ("There are no visible objects.", []),
        ("[1,2,3,4]", [FOUR]),
        ("[[1,2,3,4],[5,6,7,8]]", [FOUR, [5.0, 6.0, 7.0, 8.0]]),
        ('[{"bbox_2d": [1,2,3,4], "label": "a"}, {"bbox_2d": [5,6,7,8], "label": "b"}]', [FOUR, [5.0, 6.0, 7.0, 8.0]]),
        ('```json\n[{"bbox": [1,2,3,4]}, {"bbox": [5,6,7,8]}, {"bbox": [9, 1', [FOUR, [5.0, 6.0, 7.0, 8.0]]),
        ("[1,2,3,4]\n[5,6,7,8]", [FOUR, [5.0, 6.0, 7.0, 8.0]]),
        ("<box>(1,2),(3,4)</box><box>(5,6),(7,8)</box>", [FOUR, [5.0, 6.0, 7.0, 8.0]]),
        ("[[1,2,3,4],[1e999,6,7,8]]", [FOUR]),
        ("[[7,8,5,6]]", [[5.0, 6.0, 7.0, 8.0]]),
        ('[{"x1":1,"y1":2,"x2":3,"y2":4},{"x1":5,"y1":6,"x2":7,"y2":8}]', [FOUR, [5.0, 6.0, 7.0, 8.0]]),
        ("<think>[9,9,9,9]</think>[]", []),
        ("I see a cat", None),
        ("", None),
        ("[1,2,3", None),
        ("<think>[1,2,3,4]", None),
    ],
)
def test_boxes(text: str, value: list[list[float]] | None) -> None:
    found = BoxesVerifier().parse(text, PLAIN)
    assert found.value == value
    assert found.found is (value is not None)


def test_boxes_match() -> None:
    verifier = BoxesVerifier()
    far = [100.0, 100.0, 110.0, 110.0]
    found = verifier.match([FOUR, far], [FOUR], PLAIN)
    assert found.scores == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert (found.score, found.correct) == (pytest.approx(2 / 3), None)
    assert verifier.match([FOUR, FOUR], [FOUR], PLAIN).scores["precision"] == 0.5  # one gold is found once
    assert verifier.match([], [], PLAIN).score == 1.0
    assert verifier.match([], [FOUR], PLAIN).score == 0.0
    assert verifier.match([FOUR], [], PLAIN).score == 0.0
    with pytest.raises(DataError, match="list of boxes"):
        verifier.match([FOUR], None, PLAIN)


def test_matching_takes_the_best_pair_first() -> None:
    golds = [[0.0, 0.0, 10.0, 10.0], [0.0, 4.0, 10.0, 14.0]]
    assert count_matches([[0.0, 1.0, 10.0, 11.0], [0.0, 4.0, 10.0, 14.0]], golds) == 2
    # The exact hit on the second gold leaves the first one to the other box, whatever the order.
    assert count_matches([[0.0, 4.0, 10.0, 14.0], [0.0, 1.0, 10.0, 11.0]], golds) == 2


def test_ten_thousand_boxes() -> None:
    boxes = [[float(20 * i), 2.0, float(20 * i + 10), 4.0] for i in range(10_000)]
    text = json.dumps([{"bbox_2d": box} for box in boxes])
    found = BoxesVerifier().parse(text, PLAIN)
    assert found.value == boxes
    assert BoxesVerifier().match(found.value, boxes[:5000], PLAIN).scores["precision"] == 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,2]", [1.0, 2.0]),
        ("(1, 2)", [1.0, 2.0]),
        ("[[1,2]]", [1.0, 2.0]),
        ("1, 2", [1.0, 2.0]),
        ("1 2", [1.0, 2.0]),
        ("The point is (3, 4).", [3.0, 4.0]),
        ('{"point_2d": [5,6], "label": "a"}', [5.0, 6.0]),
        ('{"x": 1, "y": 2}', [1.0, 2.0]),
        ('<point x="10.5" y="20.5" alt="a">a</point>', [10.5, 20.5]),
        ('<points x1="10.5" y1="20.5" alt="a">a</points>', [10.5, 20.5]),
        ("<point x='10.5' y='20.5'/>", [10.5, 20.5]),
        ('<points x1="1" y1="2" x2="3" y2="4" alt="a">a</points>', None),
        ('<points x1="1" y1="2" x2="1" y2="2" alt="a">a</points>', [1.0, 2.0]),
        ('<point x="10.5" y="20.5" alt="at (3, 4)">a</point>', [10.5, 20.5]),
        ('<point x="10.5" y="20', None),
        (r"\(1, 2\)", [1.0, 2.0]),
        (r"\boxed{\left(1, 2\right)}", [1.0, 2.0]),
        ("(1px, 2px)", [1.0, 2.0]),
        ("<point>1 2</point>", [1.0, 2.0]),
        ("<point>(1,2)</point>", [1.0, 2.0]),
        ("x=0.5,y=0.3", [0.5, 0.3]),
        ("pyautogui.click(x=0.5, y=0.3)", [0.5, 0.3]),
        ("click(500, 300)", [500.0, 300.0]),
        ("x: 1\ny: 2", [1.0, 2.0]),
        ("(-1, 2)", [-1.0, 2.0]),
        ("[1,2] that is [1, 2]", [1.0, 2.0]),
        ("maybe (9,9); the answer is (1,2)", [1.0, 2.0]),
        ("<think>(9,9)</think>(1,2)", [1.0, 2.0]),
        ('```json\n{"point": [1, 2]}\n```', [1.0, 2.0]),
        ("[1,2] or [3,4]", None),
        ("[1,2,3,4]", None),
        ("(1,2),(3,4)", None),
        ("[1]", None),
        ("nothing", None),
        ("[NaN, 2]", None),
        ("[1, 2", None),
        ("", None),
        ("坐标为（12，34）", [12.0, 34.0]),
        ("点击位置：［１２，３４］", [12.0, 34.0]),
        ("x = 12 and y = 34", [12.0, 34.0]),
        ("[1, 2] and [3, 4]", None),
        ("[1, 2] and [3, 4]. The answer is [3, 4]", [3.0, 4.0]),
    ],
)
def test_point(text: str, value: list[float] | None) -> None:
    assert PointVerifier().parse(text, PLAIN).value == value


def test_point_spaces() -> None:
    assert PointVerifier().parse("[500, 250]", space("thousand")).value == [320.0, 120.0]
    assert PointVerifier().parse("[250, 500]", space("thousand", "yx")).value == [320.0, 120.0]
    assert PointVerifier().parse("x=500, y=250", space("thousand", "yx")).value == [320.0, 120.0]
    assert PointVerifier().parse("[10, 20]", space("pixels")).value == [20.0, 40.0]
    assert PointVerifier().parse('<point x="50.0" y="25.0" alt="a">a</point>', space("percent")).value == [320.0, 120.0]
    centre = PointVerifier({"accept_box": True}).parse("[10, 20, 30, 40]", space("pixels"))
    assert centre.value == [40.0, 60.0]


@pytest.mark.parametrize(
    "text",
    [
        "[54, 60], [10, 20]",
        "[10, 20] and [54, 60]",
        "(10, 60), (54, 20)",
        '<points x1="10" y1="20" x2="54" y2="60">a</points>',
    ],
)
def test_two_points_are_no_box_to_click_in_the_middle_of(text: str) -> None:
    verifier = PointVerifier({"accept_box": True})
    assert verifier.parse(text, PLAIN).reason == "ambiguous"
    assert verifier.parse("(10,20),(54,60)", PLAIN).value == [32.0, 40.0]


def test_point_match() -> None:
    verifier = PointVerifier()
    target = {"box": [10, 20, 30, 40]}
    assert verifier.match([10, 40], target, PLAIN).correct is True  # edges count
    assert verifier.match([9.99, 30], target, PLAIN).score == 0.0
    for bad in (None, [10, 20, 30, 40], {"polygon": []}, {"box": [1, 2]}):
        with pytest.raises(DataError):
            verifier.match([10, 40], bad, PLAIN)


JSONISH = st.text(alphabet='[](){}<>0123456789.,-+e:"xy12 box_dpoint|/\n', max_size=100)


@given(st.text(max_size=100) | JSONISH)
def test_never_raise_and_are_idempotent(text: str) -> None:
    for verifier in (BoxVerifier(), BoxesVerifier(), PointVerifier()):
        found = verifier.parse(text, PLAIN)
        json.dumps(found.value, allow_nan=False)
        if found.found:
            assert found.span is not None
            assert 0 <= found.span[0] <= found.span[1] <= len(text)
            assert verifier.parse(str(found.value), PLAIN).value == found.value
        scaled = verifier.parse(text, AnswerContext(coordinates="thousand", image_size=(7, 11)))
        assert scaled.found is found.found or not found.found


@given(BOXES)
def test_python_boxes_read_back(box: list[float]) -> None:
    assert BoxVerifier().parse(str(box), PLAIN).value == box
    assert BoxesVerifier().parse(str([box, box]), PLAIN).value == [box, box]
    assert PointVerifier().parse(str(box[:2]), PLAIN).value == box[:2]
