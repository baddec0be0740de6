"""Boxes by the published rules of RefCOCO."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.refcoco import RULES, RefCOCOVerifier

PICTURE = AnswerContext(image_size=(500, 400), sent_size=(250, 200))
SCALED = [20.0, 40.0, 60.0, 80.0]
SHARED = [100.0, 40.0, 250.0, 120.0]


@pytest.mark.parametrize(
    ("rule", "text", "box"),
    [
        ("vlm-r1", '<answer>{"bbox_2d": [10, 20, 30, 40]}</answer>', SCALED),
        ("vlm-r1", '<think>[1, 2, 3, 4]</think><answer>{"bbox_2d": [10,20,30,40], "label": "x"}</answer>', SCALED),
        ("vlm-r1", '<answer> [ {"b": [1, 2, 3, 4]}, {"b": [10, 20, 30, 40]} ] </answer>', SCALED),
        ("vlm-r1", '<answer>["{"bbox_2d": [10, 20, 30, 40]}]</answer>', SCALED),
        ("vlm-r1", '<answer>{"b": [10, 20, 30, 40]}</answer><answer>{"b": [1, 2, 3, 4]}</answer>', SCALED),
        ("vlm-r1", "<answer>[10, 20, 30, 40]</answer>", None),
        ("vlm-r1", '{"bbox_2d": [10, 20, 30, 40]}', None),
        ("vlm-r1", '<answer>{"bbox_2d": [10, 20, 30, 40]}', None),
        ("vlm-r1", '<answer>{"bbox_2d": [10.0, 20, 30, 40]}</answer>', None),
        ("vlm-r1", '<answer>{"bbox_2d": [10, 20, 30, 40]</answer>', None),
        ("vlm-r1", '<answer>}{</answer>', None),
        ("vlm-r1", "", None),
        ("vlm-r1-plain", "[10, 20, 30, 40]", SCALED),
        ("vlm-r1-plain", "[ 10.0 , 20, 30.0,40 ]", SCALED),
        ("vlm-r1-plain", "[10, 20, 30, 40] and [1, 2, 3, 4]", SCALED),
        ("vlm-r1-plain", "[1, 2] [10, 20, 30, 40]", SCALED),
        ("vlm-r1-plain", "(10, 20, 30, 40)", None),
        ("vlm-r1-plain", "[10, 20, 30", None),
        ("vlm-r1-plain", "[10, 20, 30, 40, 50]", None),
        ("internvl", "[[200, 100, 500, 300]]", SHARED),
        ("internvl", "<box>[[200, 100, 500, 300]]</box> [[1, 2, 3, 4]]", SHARED),
        ("internvl", "[0.2, 0.1, 0.5, 0.3]", SHARED),
        ("internvl", "[1, 1, 1, 1]", [0.5, 0.4, 0.5, 0.4]),
        ("internvl", "[0.9, 0.9, 1, 1]", [450.0, 360.0, 500.0, 400.0]),
        ("internvl", "[a, b, c, d] [200, 100, 500, 300]", None),
        ("internvl", "200, 100, 500, 300", None),
        ("internvl", "[nan, 1, 2, 3]", None),
        ("internvl", "[inf, 1, 2, 3]", None),
        ("internvl", "[1e400, 1, 2, 3]", None),
        ("vlmevalkit", "[200, 100, 500, 300]", SHARED),
        ("vlmevalkit", "200 100 500 300", SHARED),
        ("vlmevalkit", "0.2, 0.1, 0.5, 0.3", SHARED),
        ("vlmevalkit", "[500, 300, 200, 100]", SHARED),
        ("vlmevalkit", "[100, 40, 1250, 120]", [100.0, 40.0, 500.0, 120.0]),
        ("vlmevalkit", "[-100, 0, 500, 300]", [0.0, 0.0, 250.0, 120.0]),
        ("vlmevalkit", "1 2 3", None),
        ("vlmevalkit", "[1.5, 0, 0, 0]", [0.0, 0.0, 500.0, 0.0]),
        ("vlmevalkit", "object 2: [200, 100, 500, 300]", SHARED),
        ("vlmevalkit", "none", None),
    ],
)  # fmt: skip
def test_rules(rule: str, text: str, box: list[float] | None) -> None:
    found = RefCOCOVerifier({"rule": rule}).parse(text, PICTURE).value
    assert found == (None if box is None else pytest.approx(box))


def test_half_is_right_where_the_rule_says_so() -> None:
    for rule, right in (("internvl", True), ("vlmevalkit", True), ("vlm-r1", False), ("vlm-r1-plain", False)):
        found = RefCOCOVerifier({"rule": rule}).match([0.0, 0.0, 10.0, 10.0], [0, 0, 20, 10], PICTURE)
        assert (found.correct, found.scores["iou"]) == (right, 0.5)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="internvll"):
        RefCOCOVerifier({"rule": "internvll"})
    with pytest.raises(UsageError, match="needs the option rule"):
        RefCOCOVerifier().parse("[1, 2, 3, 4]", PICTURE)
    with pytest.raises(DataError, match="image size"):
        RefCOCOVerifier({"rule": "internvl"}).parse("[1, 2, 3, 4]", AnswerContext())


@given(rule=st.sampled_from(list(RULES)), text=st.text(alphabet="0123456789.,-+einfa[]{}<>/ \nswr", max_size=60))
def test_never_raises(rule: str, text: str) -> None:
    for answer in (text, f"<answer>{{{text}}}</answer>", f"[{text},{text},1,2]"):
        found = RefCOCOVerifier({"rule": rule}).parse(answer, PICTURE)
        assert found.value is None or len(found.value) == 4
