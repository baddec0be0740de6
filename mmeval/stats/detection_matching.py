"""Matching predicted boxes with gold boxes: COCO's rule for average precision, and one-to-one by falling overlap.

Pure functions on boxes [x1, y1, x2, y2]; labels are the callers' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray

BoolTable = npt.NDArray[np.bool_]
COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""0.50, 0.55 … 0.95, as cocoapi computes them."""
AREA_RANGES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Square pixels, both ends included, as in cocoapi."""
_CHUNK = 512
_SIDE_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Golds:
    """Gold boxes of one image and class."""

    boxes: FloatArray
    """Shape (G, 4), corners in pixels."""
    areas: FloatArray
    """Shape (G,), square pixels of the object (its mask's area in COCO), by which sizes are told."""
    crowd: BoolTable
    """Shape (G,): regions that may hold several objects, or are to be ignored: never missed, and never a false alarm."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of the predictions of one image and class, in the order of falling scores."""

    scores: FloatArray
    """Shape (D,)."""
    hits: BoolTable
    """Shape (T, D): matched with a gold box that counts."""
    ignored: BoolTable
    """Shape (T, D): neither right nor wrong."""
    positives: int
    """Gold boxes that count."""


def overlaps(boxes: FloatArray, golds: FloatArray, crowd: BoolTable | None = None) -> FloatArray:
    """Return the intersection over union of every pair, shape (D, G); over the prediction's own area where gold is a crowd."""
    if not boxes.size or not golds.size:
        return np.zeros((len(boxes), len(golds)))
    with np.errstate(over="ignore", invalid="ignore"):
        width = np.minimum(boxes[:, None, 2], golds[None, :, 2]) - np.maximum(boxes[:, None, 0], golds[None, :, 0])
        height = np.minimum(boxes[:, None, 3], golds[None, :, 3]) - np.maximum(boxes[:, None, 1], golds[None, :, 1])
        shared = np.clip(width, 0, None) * np.clip(height, 0, None)
        own, other = box_areas(boxes), box_areas(golds)
        union = own[:, None] + other[None, :] - shared
        if crowd is not None:
            union = np.where(crowd[None, :], np.broadcast_to(own[:, None], union.shape), union)
        defined = (union > 0) & np.isfinite(union)
        return np.asarray(np.where(defined, shared / np.where(defined, union, 1.0), 0.0), dtype=np.float64)


def box_areas(boxes: FloatArray) -> FloatArray:
    """Return areas of boxes of shape (N, 4)."""
    with np.errstate(over="ignore", invalid="ignore"):
        # cocoapi multiplies width and height as the files have them; the difference of two corners has lost its last bits.
        sides = np.round(boxes[:, 2:] - boxes[:, :2], _SIDE_DECIMALS)
        return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)


def coco_cell(
    boxes: FloatArray,
    scores: FloatArray,
    golds: Golds,
    thresholds: Sequence[float] = COCO_THRESHOLDS,
    size: tuple[float, float] = AREA_RANGES["all"],
    most: int = 100,
) -> Cell:
    """Match by cocoapi's rule: predictions by falling score, each takes the free gold box of largest overlap.

    A gold box outside the range of sizes is ignored like a crowd; an unmatched prediction outside it is neither right nor
    wrong. Predictions of equal score keep their order; of gold boxes with equal overlap the last one is taken.

    Args:
        boxes: shape (D, 4).
        scores: shape (D,).
        golds: of the same image and class.
        thresholds: IoU from which a pair may match.
        size: areas that count, both ends included.
        most: predictions beyond the so many best are left out.
    """
    order = np.argsort(-scores, kind="stable")[:most]
    boxes, scores = boxes[order], scores[order]
    low, high = size
    areas = box_areas(boxes)
    far = (areas < low) | (areas > high)
    hits = np.zeros((len(thresholds), len(boxes)), dtype=bool)
    if not len(golds.boxes):
        return Cell(scores, hits, np.repeat(far[None, :], len(thresholds), axis=0), 0)
    outside = golds.crowd | (golds.areas < low) | (golds.areas > high)
    # Gold boxes that count come first, so that a prediction falls to an ignored one only without another.
    turn = np.argsort(outside, kind="stable")
    crowd, left_out = golds.crowd[turn].tolist(), outside[turn].tolist()
    table = overlaps(boxes, golds.boxes[turn], golds.crowd[turn])
    ignored = np.zeros_like(hits)
    near = [
        [(place, table[row, place]) for place in np.flatnonzero(table[row] >= min(thresholds) - 1e-9).tolist()]
        for row in range(len(boxes))
    ]
    for number, threshold in enumerate(thresholds):
        floor = min(threshold, 1 - 1e-10)
        taken: set[int] = set()
        for row, candidates in enumerate(near):
            found, best = -1, floor
            for place, overlap in candidates:
                if place in taken and not crowd[place]:
                    continue
                if found >= 0 and not left_out[found] and left_out[place]:
                    break
                if overlap < best:
                    continue
                found, best = place, overlap
            if found < 0:
                ignored[number, row] = far[row]
            else:
                taken.add(found)
                ignored[number, row] = left_out[found]
                hits[number, row] = not left_out[found]
    return Cell(scores, hits, ignored, int(np.count_nonzero(~outside)))


def nms_kept(boxes: FloatArray, scores: FloatArray, golds: FloatArray) -> BoolTable:
    """Return which predictions OVDEval's NMS-AP keeps, shape (D,).

    Of the predictions that overlap one gold box by more than 0.5, whatever their classes, only the best stays (of equal
    scores the last); one that is the best for another gold box stays too.
    """
    near = overlaps(boxes, golds) > 0.5
    dropped: BoolTable = np.asarray(near.any(axis=1), dtype=bool)
    for place in range(near.shape[1]):
        rows = np.flatnonzero(near[:, place])
        if rows.size:
            best = rows[np.flatnonzero(scores[rows] == scores[rows].max())[-1]]
            dropped[best] = False
    return np.asarray(~dropped, dtype=bool)


def falling_pairs(
    boxes: FloatArray, golds: FloatArray, threshold: float, labels: BoolTable | None = None
) -> list[tuple[int, int, float]]:
    """Return (prediction, gold, IoU) of a one-to-one matching that takes pairs by falling IoU; ties: lower places.

    Args:
        boxes: shape (D, 4).
        golds: shape (G, 4).
        threshold: smallest IoU of a pair.
        labels: which pairs may match, shape (D, G); all by default.
    """
    pairs: list[tuple[float, int, int]] = []
    for start in range(0, len(boxes), _CHUNK):  # bounds the memory of the pairwise table
        table = overlaps(boxes[start : start + _CHUNK], golds)
        may = (table >= threshold) & (table > 0)
        if labels is not None:
            may &= labels[start : start + _CHUNK]
        rows, columns = np.nonzero(may)
        pairs += [(-float(table[i, j]), start + int(i), int(j)) for i, j in zip(rows, columns, strict=True)]
    used: set[int] = set()
    met: set[int] = set()
    found = []
    for overlap, row, place in sorted(pairs):
        if row not in used and place not in met:
            used.add(row)
            met.add(place)
            found.append((row, place, -overlap))
    return found


def gold_order_pairs(
    boxes: FloatArray, golds: FloatArray, threshold: float, labels: BoolTable | None = None
) -> list[tuple[int, int, float]]:
    """Return the pairs of a matching in which each gold box in turn takes the free prediction of largest IoU."""
    table = overlaps(boxes, golds)
    if labels is not None:
        table = np.where(labels, table, -1.0)
    free = np.ones(len(boxes), dtype=bool)
    found = []
    for place in range(len(golds)):
        column = np.where(free, table[:, place], -1.0)
        row = int(np.argmax(column)) if column.size else -1
        if row >= 0 and column[row] >= threshold and column[row] > 0:
            free[row] = False
            found.append((row, place, float(column[row])))
    return found
