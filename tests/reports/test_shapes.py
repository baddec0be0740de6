"""What is drawn over pictures: outlines of masks, clicks and gold of screens, regions that a strategy looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mmeval.reports.shapes import OUTLINE_GRID, outlines, regions, shapes
from mmeval.verifiers.masks import encode_runs


def area(loop: list[float]) -> float:
    """Signed area within a closed outline."""
    points = list(zip(loop[::2], loop[1::2], strict=True))
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True)) / 2


def test_a_rectangle_is_outlined_by_its_corners_and_a_hole_by_its_own() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[5:15, 10:25] = True
    (loop,) = outlines(mask)
    assert sorted(zip(loop[::2], loop[1::2], strict=True)) == [(10, 5), (10, 15), (25, 5), (25, 15)]
    mask[8:10, 12:14] = False
    assert sorted(map(area, outlines(mask))) == [-4.0, 150.0]


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))))
def test_outlines_enclose_exactly_the_filled_cells(mask: Any) -> None:
    found = outlines(mask)
    assert sum(map(area, found)) == mask.sum()
    assert all(len(loop) >= 8 and len(loop) % 2 == 0 for loop in found)


def test_a_fine_mask_is_brought_to_a_grid_and_never_vanishes() -> None:
    mask = np.zeros((900, 1500), dtype=bool)
    mask[300:600, 500:1000] = True
    (loop,) = outlines(mask)
    assert abs(area(loop) - 150_000) < 2 * (1500 / OUTLINE_GRID) * 1600
    speck = np.zeros((900, 1500), dtype=bool)
    speck[899, 1499] = True
    (loop,) = outlines(speck)
    assert max(loop[::2]) == 1500
    assert max(loop[1::2]) == 900


def test_masks_are_drawn_as_outlines_and_damaged_ones_not_at_all() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:4, 2:6] = True
    code = encode_runs(mask)
    assert [sorted(loop) for loop in shapes("mask/1", code)] == [sorted([2.0, 2.0, 6.0, 2.0, 6.0, 4.0, 2.0, 4.0])]
    assert shapes("mask/1", {"size": [8, 8], "counts": [3]}) == []
    assert shapes("mask/1", [[1, 2, 3, 4]]) == [[1.0, 2.0, 3.0, 4.0]]
    assert len(shapes("mask/1", {"polygons": [[1, 1, 6, 1, 6, 6]]}, (8, 8))) == 1
    assert shapes("mask/1", {"polygons": [[1, 1, 6, 1, 6, 6]]}) == [], "polygons need the size of the picture"


@pytest.mark.parametrize(
    ("value", "drawn"),
    [
        ({"kind": "click", "point": [30, 40]}, [[30.0, 40.0]]),
        ({"kind": "drag", "point": [1, 2], "end": [3, 4]}, [[1.0, 2.0], [3.0, 4.0]]),
        ({"kind": "click", "point": [30, 40], "box": [20, 30, 50, 60]}, [[20.0, 30.0, 50.0, 60.0], [30.0, 40.0]]),
        ({"schema": "android-control", "action": {"action_type": "click", "x": 9, "y": 7}}, [[9.0, 7.0]]),
        ({"schema": "no such"}, []),
        ({"kind": "type", "text": "[1, 2]"}, []),
    ],
)
def test_clicks_and_their_targets_are_drawn(value: dict[str, Any], drawn: list[list[float]]) -> None:
    assert shapes("gui-step/2", value, (100, 100)) == drawn


def test_regions_of_steps() -> None:
    assert regions({"action": "crop", "box": [1, 2, 3, 4], "region": [0, 0, 10, 10]}) == [[0.0, 0.0, 10.0, 10.0]]
    assert regions({"action": "search", "query": "x"}) == []
    assert regions(None) == []


def test_regions_of_points_and_elements_of_pages_are_drawn() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:4, 2:6] = True
    code = encode_runs(mask)
    assert shapes("points/1", {"mask": code}) == shapes("mask/1", code)
    assert shapes("points/1", {"polygon": [1, 1, 6, 1, 6, 6]}) == [[1.0, 1.0, 6.0, 1.0, 6.0, 6.0]]
    assert shapes("points/1", [[1.0, 2.0], [3.0, 4.0]]) == [[1.0, 2.0], [3.0, 4.0]]
    target = {"operation": "CLICK", "value": "", "rects": ["1,2,3,4", "-1,-1,-1,-1"]}
    assert shapes("web-step/1", target) == [[1.0, 2.0, 4.0, 6.0]]
    assert shapes("web-step/1", {"operation": "CLICK", "point": [3.0, 4.0]}) == [[3.0, 4.0]]
    for damaged in ({"polygon": [1, 2]}, {"polygon": None}, {"mask": {"counts": 3}}):
        assert shapes("points/1", damaged) == []
    assert shapes("web-step/1", {"rects": ["x"]}) == []
    assert shapes("web-step/1", {"rects": 3}) == []
