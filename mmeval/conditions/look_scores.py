"""Scores of the way to an answer: turns and tool errors, the box against the gold box, the pages against the gold pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from mmeval.conditions.strategy import Trail
from mmeval.core.errors import DataError
from mmeval.core.geometry import View
from mmeval.core.views import Region, box_to_original
from mmeval.metrics.retrieval import ndcg, recall, reciprocal_rank
from mmeval.tasks.looking import StrategySection
from mmeval.verifiers.box import read_box
from mmeval.verifiers.coordinates import Box, iou, sorted_corners

HALF = 0.5


def trail_scores(
    section: StrategySection, trail: Trail, sought: Mapping[str, Any], size: tuple[int, int] | None
) -> dict[str, float]:
    """Return the named scores of one conversation; the names are `section.scores`, whatever happened in it.

    A row without a gold box (`with_box` 0) or gold pages (`with_pages` 0) has zeros for them, which weighted metrics leave out.

    Args:
        section: the card's strategy.
        trail: what was done.
        sought: the row's gold `box` (in the card's space) and `pages`, each may be None.
        size: (width, height) of the original image.

    Raises:
        DataError: when the gold box is no box.
    """
    found = {
        "conversation": 1.0,
        "turns": float(trail.turns), "tool_errors": float(trail.tool_errors), "crops": float(trail.crops),
        "searches": float(trail.searches),
    }  # fmt: skip
    found |= {name: value for name, value in trail.rewards.items() if name in section.scores}
    found["view_shift"] = _shift(trail.regions, size)
    if section.gold_box is not None:
        found |= _of_box(trail, _gold_box(section, sought.get("box"), size))
    if section.gold_pages is not None and section.retrieval is not None:
        pages = sought.get("pages")
        listed = [pages] if isinstance(pages, (str, int)) else pages or ()
        found |= _of_pages(trail, frozenset(str(page) for page in listed), section.retrieval.at)
    return found


def _gold_box(section: StrategySection, box: Any, size: tuple[int, int] | None) -> Box | None:
    if box is None:
        return None
    numbers = read_box(box)
    if section.gold_coordinates == "pixels":
        return numbers
    if size is None:
        raise DataError("the gold box is relative to an image, and the sample has none", remedy="correct the card")
    return list(box_to_original(View(size), numbers, section.gold_coordinates))


def _of_box(trail: Trail, gold: Box | None) -> dict[str, float]:
    overlap, first = 0.0, 0
    if gold is not None:
        if trail.box is not None:
            overlap = iou(sorted_corners(list(trail.box)), gold)
        shares = [_share(gold, region) >= HALF for region in trail.regions]
        first = shares.index(True) + 1 if True in shares else 0
    return {
        "with_box": float(gold is not None),
        "box_given": float(trail.box is not None),
        "box_iou": overlap,
        "box_iou@0.5": float(overlap >= HALF),
        "box_seen": float(first > 0),
        "box_found_at": float(first),
    }


def _shift(regions: Sequence[Region], size: tuple[int, int] | None) -> float:
    """The mean way between the middles of parts shown one after the other, in diagonals of the picture; 0 for fewer than two."""
    if len(regions) < 2 or size is None:
        return 0.0
    middles = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in regions]
    return sum(math.dist(*pair) for pair in pairwise(middles)) / (len(middles) - 1) / math.hypot(*size)


def _share(gold: Box, region: Sequence[int]) -> float:
    """How much of the gold box lies in a region, in [0, 1]."""
    area = (gold[2] - gold[0]) * (gold[3] - gold[1])
    width = min(gold[2], region[2]) - max(gold[0], region[0])
    height = min(gold[3], region[3]) - max(gold[1], region[1])
    if width < 0 or height < 0:
        return 0.0
    return width * height / area if area > 0 else 1.0


def _of_pages(trail: Trail, gold: frozenset[str], ranks: Sequence[int]) -> dict[str, float]:
    names = [f"{measure}@{k}" for measure in ("recall", "ndcg") for k in ranks]
    if not gold:
        return {**dict.fromkeys(("with_pages", "pages_seen", "ndcg", "mrr", *names), 0.0)}
    found = {
        "with_pages": 1.0,
        "pages_seen": recall(trail.shown, gold),
        "ndcg": ndcg(trail.shown, gold),
        "mrr": reciprocal_rank(trail.ranked, gold),
    }
    for k in ranks:
        found |= {f"recall@{k}": recall(trail.ranked, gold, k), f"ndcg@{k}": ndcg(trail.ranked, gold, k)}
    return found
