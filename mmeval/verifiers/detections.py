"""A list of boxes with classes: matched one to one within each class; what average precision needs is kept in the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmeval.core.errors import DataError, UsageError, unknown
from mmeval.core.geometry import DIVISORS
from mmeval.core.labelled_boxes import GoldObject, PredictedObject, read_gold_objects, read_predicted_objects
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options
from mmeval.verifiers.coordinates import scales, sorted_corners, to_pixels, whole_scales
from mmeval.verifiers.detection_answer import Stated, distinct, read_statement

POLICIES = ("confidence", "area", "constant", "rank")
"""How boxes are ranked: by what the model states (0 where it states nothing), by box area / image area (V-Triune), not at all
(1 each, in the order of the list), or by 1 / place in the list."""
FRAMES = ("profile", "original", "pixels", "unit", "percent", "thousand", "padded-unit", "padded-thousand")
"""Space of the numbers: as the model's profile says, pixels of the original image, pixels of the image as sent, 0–1, 0–100, 0–1000,
or 0–1 and 0–1000 of the image padded evenly to a square. A list [width, height] is a grid of that size, [840, 840]."""
CURVE = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
"""IoU thresholds of V-Triune's reward."""
MATCHINGS = ("label-first", "iou-first")
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
MATCH_IOU = 0.5
IGNORED_SHARE = 0.5

Pixels = Callable[[tuple[float, ...]], list[float] | None]


class DetectionsVerifier:
    """The answer is a list of boxes with classes; the value is a list of {box, label, score}, boxes in original pixels.

    The target is a list of {box, label, crowd, area}, or another form of `read_gold_objects`. Scores: `f1` (primary),
    `precision`, `recall` of boxes matched within their class by falling IoU of at least `match_iou` (0.5), `mean_iou` (over the
    gold boxes, 0 for a miss), `completeness` (1 − (miss rate + false alarm rate) / 2), `weighted_pr` (w · precision +
    (1 − w) · recall, option `precision_weight`, 0.5), and the numbers `boxes` and `golds`. `correct` is None.
    """

    name = "detections"
    version = "4"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        check_options(self._options)

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the boxes; an empty list or "no objects" is no boxes.

        Raises:
            DataError: when the frame or the score policy needs an image size that the sample lacks.
            UsageError: for an unknown option value.
        """
        options = merged_options(self._options, context.options)
        check_options(options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        start, end = (section.start, section.start + len(section.text))
        if section.around is not None and not section.boxed:
            start, end = section.around
        frame = options.get("frame", "profile")
        order = context.coordinate_order if frame == "profile" else "xy"
        read = read_statement(text[start:end], order)
        stated = read.boxes
        if options.get("reversed") == "drop":
            stated = [one for one in stated if one.numbers[0] <= one.numbers[2] and one.numbers[1] <= one.numbers[3]]
        repeated = options.get("duplicates", "keep")
        if repeated != "keep":
            stated = list(distinct(stated, labels=repeated == "drop"))
        convert = pixels_of(frame, context)
        placed = [(one, found) for one in stated if (found := _placed(one, convert, context)) is not None]
        dropped = read.dropped + len(read.boxes) - len(placed)
        scores = {"dropped": float(dropped)} if dropped else {}
        if not placed:
            if read.empty and not read.boxes and not read.dropped:
                return Extraction([], (start, end), scores=scores)
            return Extraction(reason="malformed boxes" if read.boxes or read.dropped else "not found", scores=scores)
        value = self._entries(placed, options, context)
        unranked = sum(one.confidence is None for one, _ in placed)
        if options.get("score_policy", "confidence") == "confidence" and 0 < unranked < len(placed):
            scores["without_confidence"] = float(unranked)
        return Extraction(value, (start, end), scores=scores)

    def _entries(
        self, placed: Sequence[tuple[Stated, list[float]]], options: Mapping[str, Any], context: AnswerContext
    ) -> list[dict[str, Any]]:
        category = options.get("category")
        alike = options.get("labels", "match") == "ignore"
        found = []
        for place, (one, pixels) in enumerate(placed):
            box = sorted_corners(pixels)
            label = one.label
            if category is not None and (alike or label is None):
                label = str(category)
            entry: dict[str, Any] = {"box": box, "label": label}
            if one.confidence is not None:
                entry["confidence"] = one.confidence
            entry["score"] = _score(str(options.get("score_policy", "confidence")), one, box, place, context)
            found.append(entry)
        return found

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Match the boxes.

        Raises:
            DataError: when the target is not a list of boxes.
        """
        from mmeval.stats.detection_matching import falling_pairs

        options = merged_options(self._options, context.options)
        golds = read_gold_objects(target)
        found = read_predicted_objects(value)
        real = [one for one in golds.objects if not one.crowd]
        pairs = falling_pairs(
            _boxes(found), _boxes(real), float(options.get("match_iou", MATCH_IOU)), _alike(found, real, golds.labelled)
        )
        used = {row for row, _, _ in pairs}
        crowds = [one for one in golds.objects if one.crowd]
        ignored = _in_crowds([one for row, one in enumerate(found) if row not in used], crowds, golds.labelled)
        said, hits = len(found) - ignored, len(pairs)
        if not said and not real:
            return Match(1.0, None, _rates(1.0, 1.0, 1.0, 1.0, options) | {"boxes": 0.0, "golds": 0.0})
        precision = hits / said if said else 0.0
        recall = hits / len(real) if real else 0.0
        f1 = 2 * hits / (said + len(real))
        mean = sum(overlap for _, _, overlap in pairs) / len(real) if real else 0.0
        rates = _rates(precision, recall, f1, mean, options) | {"boxes": float(said), "golds": float(len(real))}
        # Nothing predicted is no false alarm; nothing to find is no miss.
        rates["completeness"] = ((recall if real else 1.0) + (precision if said else 1.0)) / 2
        return Match(f1, None, rates)


class VTriuneVerifier(DetectionsVerifier):
    """V-Triune's reward for detection (MiniMax-AI/One-RL-to-See-Them-All @39bcf0d) as scores, at every threshold of `CURVE`.

    `iou_sum@T`: mean IoU over the gold boxes of pairs with IoU ≥ T; `completeness@T` = 1 − (miss rate + false alarm rate) / 2;
    `reward@T` = (1 − w) · iou_sum + w · completeness, option `completeness_weight` (0); `format`: a quarter for each of the
    four tags that stands exactly once. Score: `reward@0.5`. Option `matching`: `label-first`, each gold box in turn takes the
    best free box of its class, or `iou-first`, pairs by falling IoU whatever their classes, where a pair of two classes counts
    as found with an IoU of 0.
    """

    name = "v-triune"
    version = "3"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the boxes, and how much of the format is kept; reasoning that the engine split off has no tags any more."""
        found = super().parse(text, context)
        format_score = sum(0.25 for tag in _TAGS if text.count(tag) == 1)
        return replace(found, scores={**found.scores, "format": format_score})

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compute the rewards.

        Raises:
            DataError: when the target is not a list of boxes.
        """
        from mmeval.stats.detection_matching import falling_pairs, gold_order_pairs

        options = merged_options(self._options, context.options)
        plain = super().match(value, target, context)
        golds = read_gold_objects(target)
        found = read_predicted_objects(value)
        real = [one for one in golds.objects if not one.crowd]
        weight = float(options.get("completeness_weight", 0.0))
        same = _alike(found, real, golds.labelled)
        scores = dict(plain.scores)
        for threshold in CURVE:
            if options.get("matching", "label-first") == "label-first":
                pairs = gold_order_pairs(_boxes(found), _boxes(real), threshold, same)
            else:
                taken = falling_pairs(_boxes(found), _boxes(real), threshold)
                pairs = [(i, j, overlap if same is None or same[i, j] else 0.0) for i, j, overlap in taken]
            mean = sum(overlap for _, _, overlap in pairs) / len(real) if real else float(not found)
            miss = 1 - len(pairs) / len(real) if real else 0.0
            alarm = 1 - len(pairs) / len(found) if found else 0.0
            complete = 1 - (miss + alarm) / 2
            scores[f"iou_sum@{threshold:g}"] = mean
            scores[f"completeness@{threshold:g}"] = complete
            scores[f"reward@{threshold:g}"] = (1 - weight) * mean + weight * complete
        return Match(scores["reward@0.5"], None, scores)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse values of options that no rule knows.

    Raises:
        UsageError: naming option and values.
    """
    known = {
        "score_policy": POLICIES,
        "matching": MATCHINGS,
        "duplicates": ("keep", "drop", "drop-places"),
        "reversed": ("sort", "drop"),
        "labels": ("match", "ignore"),
    }
    for name, values in known.items():
        value = options.get(name)
        if value is not None and value not in values:
            raise unknown(f"answer option {name}", str(value), values)
    if not is_frame(options.get("frame", "profile")):
        raise UsageError(
            f"answer option frame: {options.get('frame')!r} is no frame",
            remedy=f"use one of {', '.join(FRAMES)}, or [width, height]",
        )


def is_frame(value: Any) -> bool:
    """Whether a value names a space of coordinates."""
    if isinstance(value, (list, tuple)):
        return len(value) == 2 and all(
            isinstance(side, (int, float)) and not isinstance(side, bool) and math.isfinite(side) and side > 0
            for side in value
        )
    return value in FRAMES


def pixels_of(frame: Any, context: AnswerContext) -> Pixels:
    """Return what converts x, y, x, y … of a frame into pixels of the original image; None where a result is not finite.

    Raises:
        DataError: when the frame needs the image size, and the sample has none.
    """
    if frame == "profile":
        factors = scales(context)
    elif frame == "original":
        factors = (1.0, 1.0, 1.0, 1.0)
    elif isinstance(frame, str) and (frame == "pixels" or frame in DIVISORS):
        factors = scales(replace(context, coordinates=frame))
    else:
        if context.image_size is None:
            raise DataError(
                f"the frame {frame!r} needs the image size, and the sample has none",
                remedy="give the sample its image",
            )
        width, height = context.image_size
        if isinstance(frame, (list, tuple)):
            factors = (float(width), float(frame[0]), float(height), float(frame[1]))
        else:
            side = max(width, height)
            divisor = 1.0 if frame == "padded-unit" else 1000.0
            left, top = (side - width) / 2, (side - height) / 2

            def unpadded(numbers: tuple[float, ...]) -> list[float] | None:
                found = to_pixels(numbers, (side, divisor, side, divisor))
                if found is None:
                    return None
                return [value - (left if place % 2 == 0 else top) for place, value in enumerate(found)]

            return unpadded
    return lambda numbers: to_pixels(numbers, factors)


def _placed(
    one: Stated, convert: Callable[[tuple[float, ...]], list[float] | None], context: AnswerContext
) -> list[float] | None:
    if one.whole is None:
        return convert(one.numbers)
    return to_pixels(one.numbers, whole_scales(one.whole, context))


def _score(policy: str, one: Stated, box: Sequence[float], place: int, context: AnswerContext) -> float:
    if policy == "constant":
        return 1.0
    if policy == "rank":
        return 1.0 / (place + 1)
    if policy == "area":
        if context.image_size is None:
            raise DataError(
                "score_policy: area needs the image size, and the sample has none", remedy="give the sample its image"
            )
        share = (box[2] - box[0]) * (box[3] - box[1]) / (context.image_size[0] * context.image_size[1])
        return share if math.isfinite(share) else 0.0
    return 0.0 if one.confidence is None else one.confidence


def _rates(precision: float, recall: float, f1: float, mean: float, options: Mapping[str, Any]) -> dict[str, float]:
    weight = float(options.get("precision_weight", 0.5))
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "mean_iou": mean,
        "completeness": (precision + recall) / 2,
        "weighted_pr": weight * precision + (1 - weight) * recall,
    }


def _boxes(objects: Sequence[GoldObject] | Sequence[PredictedObject]) -> Any:
    import numpy as np

    return np.array([one.box for one in objects], dtype=np.float64).reshape(-1, 4)


def _alike(found: Sequence[PredictedObject], golds: Sequence[GoldObject], labelled: bool) -> Any:
    """Return which pairs are of one class, shape (D, G); None where classes do not matter."""
    import numpy as np

    if not labelled:
        return None
    table = [[mine.label == one.label for one in golds] for mine in found]
    return np.array(table, dtype=bool).reshape(len(found), len(golds))


def _in_crowds(free: Sequence[PredictedObject], crowds: Sequence[GoldObject], labelled: bool) -> int:
    """Return how many unmatched boxes lie for half of their area or more in a region to ignore of their class."""
    import numpy as np

    from mmeval.stats.detection_matching import overlaps

    if not free or not crowds:
        return 0
    shares = overlaps(_boxes(free), _boxes(crowds), np.ones(len(crowds), dtype=bool)) >= IGNORED_SHARE
    if labelled:
        shares &= _alike(free, crowds, labelled)
    return int(np.count_nonzero(shares.any(axis=1)))
