"""cocoapi's rule of matching, on boxes of which one gold box decides."""

from __future__ import annotations

import numpy as np
import pytest

from mmeval.stats.detection_matching import Cell, Golds, coco_cell, falling_pairs, overlaps

BOX = [0.0, 0.0, 10.0, 10.0]
CLOSE = [0.0, 0.0, 10.0, 9.0]
"""Overlaps BOX by 0.9."""


def cell(predictions: list[list[float]], golds: list[list[float]], crowd: list[bool], threshold: float = 0.5) -> Cell:
    boxes = np.array(golds)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    scores = np.linspace(1.0, 0.5, len(predictions))
    return coco_cell(np.array(predictions), scores, Golds(boxes, areas, np.array(crowd)), [threshold])


def test_overlap_is_the_share_of_the_union_and_of_the_prediction_where_gold_is_a_crowd() -> None:
    lower_right = [5.0, 4.0, 15.0, 14.0]
    boxes, golds = np.array([BOX, lower_right]), np.array([BOX, [0.0, 20.0, 10.0, 30.0]])
    assert overlaps(boxes, golds).tolist() == [[1.0, 0.0], [pytest.approx(30 / 170), 0.0]]
    assert overlaps(boxes, golds, np.array([True, True])).tolist() == [[1.0, 0.0], [pytest.approx(0.3), 0.0]]


@pytest.mark.parametrize("golds", [[CLOSE, BOX], [BOX, CLOSE]])
def test_a_box_that_counts_goes_before_a_region_to_ignore_that_overlaps_more(golds: list[list[float]]) -> None:
    found = cell([BOX], golds, [gold == BOX for gold in golds])
    assert found.hits.tolist() == [[True]]
    assert found.ignored.tolist() == [[False]]
    assert found.positives == 1


def test_a_second_prediction_falls_to_the_region() -> None:
    found = cell([BOX, BOX], [CLOSE, BOX], [False, True])
    assert found.hits.tolist() == [[True, False]]
    assert found.ignored.tolist() == [[False, True]]


def test_the_largest_overlap_wins_and_the_last_of_equal_ones() -> None:
    assert cell([BOX, CLOSE], [CLOSE, BOX], [False, False]).hits.tolist() == [[True, True]]
    # The first prediction takes the exact box, so that the second has none that reaches the threshold.
    assert cell([BOX, BOX], [CLOSE, BOX], [False, False], 0.95).hits.tolist() == [[True, False]]


def test_many_predictions_keep_their_own_labels() -> None:
    """The table of pairs is made in pieces; each piece has the labels of its own predictions."""
    far = [[20.0 * i, 0.0, 20.0 * i + 10.0, 10.0] for i in range(1200)]
    boxes = np.array(far)
    labels = np.zeros((1200, 1200), dtype=bool)
    labels[700, 700] = labels[1199, 1199] = True
    assert falling_pairs(boxes, boxes, 0.5, labels) == [(700, 700, 1.0), (1199, 1199, 1.0)]
