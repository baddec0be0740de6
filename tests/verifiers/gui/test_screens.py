"""Places on screens (box, polygon, no such element) and short answers about screens."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.gui.place import ScreenPlaceVerifier, in_polygon, read_polygon
from mmeval.verifiers.gui.screen_qa import ScreenQAVerifier

SCREEN = AnswerContext(image_size=(1920, 1080), sent_size=(960, 540))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[100, 50]", [200.0, 100.0]),
        ("[-1, -1]", [-1.0, -1.0]),
        ("(-5, -3)", [-1.0, -1.0]),
        ("none<|im_end|>", [-1.0, -1.0]),
        ("[-1, 50]", [-2.0, 100.0]),  # beside the screen, and no refusal
        ("none", [-1.0, -1.0]),
        (" There are none.", [-1.0, -1.0]),
        ("Not found.", [-1.0, -1.0]),
        ("[10, 20, 30, 40]", [40.0, 60.0]),
        ("I see none of them at the top", None),
        ("[1, 2] or [3, 4]", None),
        ("", None),
    ],
)
def test_place(text: str, value: list[float] | None) -> None:
    assert ScreenPlaceVerifier({"accept_box": True}).parse(text, SCREEN).value == value


@pytest.mark.parametrize(
    ("value", "target", "hit"),
    [
        ([4, 8], {"box": [4, 8, 24, 18]}, True),
        ([3.9, 8], {"box": [4, 8, 24, 18]}, False),
        ([-1, -1], {"box": [4, 8, 24, 18]}, False),
        ([20, 20], {"polygon": [10, 10, 40, 10, 10, 40]}, True),
        ([30, 30], {"polygon": [10, 10, 40, 10, 10, 40]}, False),
        ([25, 25], {"polygon": [10, 10, 40, 10, 10, 40]}, True),  # on its edge
        ([10, 10], {"polygon": [10, 10, 40, 10, 10, 40]}, True),
        ([20, 5], {"polygon": [0, 0, 40, 0, 40, 40, 30, 40, 30, 10, 10, 10, 10, 40, 0, 40]}, True),
        (
            [20, 20],
            {"polygon": [0, 0, 40, 0, 40, 40, 30, 40, 30, 10, 10, 10, 10, 40, 0, 40]},
            False,
        ),  # between its legs
        ([-1, -1], {"refusal": True}, True),
        ([20, 20], {"refusal": True}, False),
    ],
)
def test_hits(value: list[float], target: dict[str, Any], hit: bool) -> None:
    found = ScreenPlaceVerifier().match(value, target, SCREEN)
    assert (found.correct, found.scores["refused"]) == (hit, float(value == [-1, -1]))


@pytest.mark.parametrize(
    "target",
    [
        None, {}, [1, 2, 3, 4], {"box": [9, 9, 1, 1]}, {"box": [math.nan, 1, 2, 3]}, {"polygon": [1, 2, 3, 4]},
        {"polygon": [1, 2, 3, 4, 5]}, {"polygon": [1, 2, 3, 4, 5, math.inf]}, {"polygon": "abc"},
    ],
)  # fmt: skip
def test_no_place(target: Any) -> None:
    with pytest.raises(DataError):
        ScreenPlaceVerifier().match([1, 1], target, SCREEN)


@given(
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(-5, 45),
    st.integers(-5, 45),
)
def test_a_box_as_a_polygon(left: int, top: int, width: int, height: int, x: int, y: int) -> None:
    corners = [left, top, left + width, top, left + width, top + height, left, top + height]
    inside = left <= x <= left + width and top <= y <= top + height
    for turned in (corners, corners[2:] + corners[:2], [n for at in (6, 4, 2, 0) for n in corners[at : at + 2]]):
        assert in_polygon((x, y), read_polygon(turned)) is inside


@pytest.mark.parametrize(
    ("said", "golds", "em", "f1"),
    [
        ("12:45", ["12:45"], 1, 1),
        ("1245!", ["12:45"], 1, 1),
        ("The  Rome", ["rome"], 1, 1),
        ("Rome city", ["the city of Rome", "Paris"], 0, 0.8),
        ("<no answer>", ["<no answer>"], 1, 1),
        ("<no answer>", ["Rome", "<no answer>"], 1, 1),
        ("<no answer>", ["Rome"], 0, 0),
        ("no answer", ["<no answer>"], 0, 0),
        ("Rome", ["<no answer>"], 0, 0),
        ("a b b", ["b b"], 0, 1.0),
        ("x", ["y"], 0, 0),
        ("...", ["!"], 1, 1),
    ],
)
def test_screen_qa(said: str, golds: list[str], em: float, f1: float) -> None:
    verifier = ScreenQAVerifier()
    found = verifier.match(said, golds, SCREEN)
    if said == "a b b":
        em = 1  # the article goes
    assert (found.score, found.scores["em"]) == (em, em)
    assert found.scores["f1"] == pytest.approx(f1)


def test_screen_qa_reads() -> None:
    verifier = ScreenQAVerifier()
    assert verifier.parse("<no answer>", SCREEN).value == "<no answer>"
    assert verifier.parse("<think>hm</think>The answer is Rome.", SCREEN).value == "Rome"
    assert ScreenQAVerifier({"whole": True}).parse("The answer is Rome.", SCREEN).value == "The answer is Rome."
    for target in (None, [], [1], {"a": 1}):
        with pytest.raises(DataError):
            verifier.match("a", target, SCREEN)


@given(st.text(max_size=40), st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_screen_qa_properties(said: str, golds: list[str]) -> None:
    found = ScreenQAVerifier().match(said, golds, SCREEN)
    assert 0 <= found.scores["em"] <= found.scores["f1"] <= 1
    json.dumps(ScreenPlaceVerifier().parse(said, SCREEN).value, allow_nan=False)
