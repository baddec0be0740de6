"""Points in a region: what is read, in which frame, and what share of it lies inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.masks import encode_runs
from mmeval.verifiers.points import PointsVerifier

MASK = np.zeros((80, 100), dtype=bool)
MASK[20:40, 10:30] = True
TARGET = {"mask": encode_runs(MASK)}
SIZE = (100, 80)


def context(space: str = "pixels", **options: Any) -> AnswerContext:
    return AnswerContext((), options, SIZE, SIZE, coordinates=space)


def read(text: str, space: str = "pixels", **options: Any) -> Any:
    found = PointsVerifier().parse(text, context(space, **options))
    return found.reason if found.value is None else found.value


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("[[12, 22], [40, 50]]", [[12, 22], [40, 50]]),
        ("[(12, 22), (40, 50)]", [[12, 22], [40, 50]]),
        ("[(12,22),(40,50),(1,2)]", [[12, 22], [40, 50], [1, 2]]),
        ("(12, 22)", [[12, 22]]),
        ("12, 22", [[12, 22]]),
        ('```json\n[{"point_2d": [12, 22], "label": "a"}, {"point_2d": [40, 50], "label": "b"}]\n```', [[12, 22], [40, 50]]),
        ('[{"point_2d": [12, 22], "label": "a"}, {"point_2d": [40, 5', [[12, 22]]),
        ('{"points": [[12, 22], [40, 50]]}', [[12, 22], [40, 50]]),
        ('[{"x": 12, "y": 22}, {"x": 40, "y": 50}]', [[12, 22], [40, 50]]),
        ('<points x1="12" y1="22" x2="40" y2="50" alt="free">free</points>', [[12, 22], [40, 50]]),
        ('<point x="12" y="22" alt="free">free</point>', [[12, 22]]),
        ("<think>maybe (1, 2)</think><answer>[(12, 22)]</answer>", [[12, 22]]),
        ("The cup is at (40, 50). The answer is [(12, 22), (13, 23)].", [[12, 22], [13, 23]]),
        ("Answer: (12, 22) and (13, 23)\nExplanation: right of (70, 70)", [[12, 22], [13, 23]]),
        ("Answer:\n- x=12, y=22\n- x=13, y=23", [[12, 22], [13, 23]]),
        ("Coordinates in [0, 1] or (0, 100). Points: [(12, 22), (13, 23)]", [[12, 22], [13, 23]]),
        ("The cup stands at (40, 50).\n```json\n[[12, 22]]\n```", [[12, 22]]),
        ("1. (12, 22)\n2. (40, 50)", [[12, 22], [40, 50]]),
        ("Left: [(12, 22)], right: [(40, 50)]", [[12, 22], [40, 50]]),
        ('{"bbox_2d": [1, 2, 3, 4], "point_2d": [12, 22]}', [[12, 22]]),
        ("[1, 2, 3, 4]", "boxes, no points"),
        ("I see no free space.", "not found"),
        ("<think>(1, 2)", "unfinished reasoning"),
        ("", "empty"),
        ("(1e999, 2)", "not found"),
    ],
)  # fmt: skip
def test_what_is_read(text: str, points: Any) -> None:
    assert read(text) == points


def test_frames_are_declared() -> None:
    assert read("[(0.5, 0.25)]", "unit") == [[50, 20]]
    assert read("[(500, 250)]", "thousand") == [[50, 20]]
    assert read("[(500, 250)]", "unit", frame="thousand") == [[50, 20]]
    assert read("[(0.5, 0.25)]", "thousand") == [[0.05, 0.02]]
    assert read("[(50, 20)]", "thousand", frame="original") == [[50, 20]]
    assert read("[(420, 420)]", frame=[840, 840]) == [[50, 40]]
    with pytest.raises(UsageError, match="frame"):
        read("(1, 2)", frame="fitted")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[(0.125, 0.255)]", [[12, 20]]),
        ("[(12, 22), (0.5, 0)]", [[12, 22], [50, 0]]),
        ("(-0.5, 0.5)", [[-50, 40]]),
        ("(0.1, 0.25, 0.3, 0.5)", [[10, 20, 30, 40]]),
        ("(10, 0.25, 0.3, 0.5)", [[10, 0, 0, 0]]),
        ("[0.5, 0.5]", "no pair of numbers in round brackets"),
        ("( 0.5, 0.5)", "no pair of numbers in round brackets"),
        ("(a, 0.5) (1, 2, 3)", "no pair of numbers in round brackets"),
        ("<think>(0.5, 0.5)", [[50, 40]]),
    ],
)
def test_the_script_of_robopoint(text: str, value: Any) -> None:
    assert read(text, "thousand", rule="robopoint", boxes="pixels") == value
    if len(value[0]) == 4:
        assert read(text, "thousand", rule="robopoint") == "no pair of numbers in round brackets"


@pytest.mark.parametrize(
    ("value", "score", "count"),
    [
        ([[10, 20]], 1.0, 1),
        ([[29.99, 39.99]], 1.0, 1),
        ([[30, 39]], 0.0, 1),
        ([[9.99, 20]], 0.0, 1),
        ([[-0.1, 20]], 0.0, 1),
        ([[100, 80]], 0.0, 1),
        ([[1e300, 2], [11, 21]], 0.5, 2),
        ([[10, 20, 30, 40]], 1.0, 400),
        ([[10, 20, 50, 40]], 0.5, 800),
        ([[10, 20, 10, 20]], 0.0, 0),
        ([[11, 21], [90, 70, 92, 71]], 1 / 3, 3),
    ],
)
def test_the_share_inside_a_mask(value: Any, score: float, count: int) -> None:
    found = PointsVerifier().match(value, TARGET, context())
    assert (found.score, found.scores["points"], found.correct) == (pytest.approx(score), count, score == 1.0)
    assert found.scores["any"] == float(score > 0)


def test_boxes_count_where_the_card_says_so() -> None:
    assert read("[10, 20, 30, 40]", boxes="pixels") == [[10, 20, 30, 40]]
    assert read("[30, 40, -5, 20]", boxes="pixels") == [[0, 20, 30, 40]]
    with pytest.raises(DataError, match="boxes count by their pixels"):
        PointsVerifier().match([[1, 2, 3, 4]], {"box": [0, 0, 9, 9]}, context())


def test_the_first_point() -> None:
    assert read("[(12, 22), (90, 70)]", take="first") == [[12, 22]]


@pytest.mark.parametrize("target", [{"box": [10, 20, 30, 40]}, {"polygon": [10, 20, 30, 20, 30, 40, 10, 40]}, TARGET])
def test_regions(target: Any) -> None:
    verdict = verify(PointsVerifier(), Response("ok", "[(12, 22), (90, 70)]"), target, context())
    assert (verdict.outcome, verdict.score, verdict.correct) == ("scored", 0.5, False)


@pytest.mark.parametrize(
    "target", [[1, 2], {"mask": {"size": [5, 5], "counts": [25]}}, {"mask": {}}, {"box": [0, 0, 1, 1], "more": 1}]
)
def test_no_region(target: Any) -> None:
    assert verify(PointsVerifier(), Response("ok", "(1, 2)"), target, context()).outcome == "unscored"


@given(st.text(alphabet="([{<)]}>-., 0123456789exypointhk\n\"'`:/=", max_size=80))
def test_any_text_has_points_inside_its_span_or_a_reason(text: str) -> None:
    for options in ({}, {"rule": "robopoint"}, {"boxes": "pixels"}):
        found = PointsVerifier().parse(text, context(**options))
        assert (found.value is None) is bool(found.reason)
        if found.span is not None:
            assert 0 <= found.span[0] < found.span[1] <= len(text)
            verdict = verify(PointsVerifier(), Response("ok", text), TARGET, context(**options))
            assert verdict.outcome == "scored"
            assert 0 <= (verdict.score or 0) <= 1


def test_its_own_answers_are_read_back() -> None:
    points = [[float(x), float(y)] for x, y in ((12, 22), (0, 0), (99, 79))]
    assert read(str(points)) == points


def test_endless_brackets_are_read_in_linear_time() -> None:
    for text in ("[[" * 50_000, "[(" * 30_000 + ")]" * 30_000, "(1,2)," * 20_000, "```\n" * 20_000):
        PointsVerifier().parse(text, context())


def test_a_mask_of_the_shape_of_the_image() -> None:
    half = {"mask": encode_runs(MASK[::2, ::2])}
    for value, score in (([[11, 21]], 1.0), ([[31, 21]], 0.0), ([[10, 20, 50, 40]], 0.5)):
        assert PointsVerifier().match(value, half, context()).score == score
    with pytest.raises(DataError, match="40 × 80 pixels, the image 100 × 80"):
        PointsVerifier().match([[1, 1]], {"mask": encode_runs(MASK[:, :40])}, context())
