"""Overlaps over a whole data set, and scores that count only where an object was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmeval.core.errors import DataError
from mmeval.metrics.captions import CaptionScore
from mmeval.metrics.collect import row_numbers
from mmeval.metrics.definition import Detail, Metric, Scores, Units
from mmeval.metrics.forms import PlainForm
from mmeval.metrics.units import means, sample_units
from mmeval.stats.functionals import RatioMean
from mmeval.stats.scores import IntArray


@dataclass(frozen=True, slots=True)
class CumulativeOverlap(PlainForm):
    """The sum of intersections over the sum of unions (cIoU); a row without an answer adds its gold mask to the unions."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Both, in pixels."""
        return "scores.intersection", "scores.union"

    @property
    def monotone(self) -> bool:
        """A larger mask may cover more and raise the union too."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return both."""
        remedy = "use it for masks (verifier mask)"
        return {
            name: row_numbers(metric, columns[f"scores.{name}"], columns["sample_id"], rows, f"score {name!r}", remedy)
            for name in ("intersection", "union")
        }

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples (pixels of repeats averaged) and the ratio of sums."""
        found = sample_units(metric, scores)
        rows = np.flatnonzero(found.unit_of_row >= 0)
        unit, size = found.unit_of_row[rows], found.ids.size
        shared, union = (means(unit, scores.details[name][rows], size) for name in ("intersection", "union"))
        return Units(found.ids, found.values, found.clusters, found.unit_of_row, False, RatioMean.of(shared, union))


@dataclass(frozen=True, slots=True)
class WhereFound(PlainForm):
    """The mean of a score that counts 0 where the IoU is below a threshold: m@kIoU of dense captioning.

    Every gold object is a row, so the sum is divided by all of them.
    """

    threshold: float

    @property
    def reads(self) -> tuple[str, ...]:
        """The overlap."""
        return ("scores.iou",)

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return 1 where the IoU reaches the threshold."""
        outcomes = columns["outcome"]
        scored = np.array([row for row in rows.tolist() if outcomes[row] == "scored"], dtype=np.int64)
        remedy = "use it for answers that hold a box"
        overlap = row_numbers(metric, columns["scores.iou"], columns["sample_id"], scored, "score 'iou'", remedy)
        return {"found": (overlap >= self.threshold).astype(np.float64)}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples with the score where the object was found, 0 elsewhere."""
        return sample_units(metric, scores.with_values(scores.values * scores.details["found"]))


@dataclass(frozen=True, slots=True)
class ScoreOfAll(PlainForm):
    """The mean of a named score, in which rows without an answer count with the score that the verifier gives them."""

    key: str

    @property
    def reads(self) -> tuple[str, ...]:
        """The score."""
        return (f"scores.{self.key}",)

    @property
    def monotone(self) -> bool:
        """It is not a function of right and wrong."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the score of every row that counts."""
        cells, samples = columns[f"scores.{self.key}"], columns["sample_id"]
        remedy = "use it for heat maps (verifier heatmap)"
        return {"score": row_numbers(metric, cells, samples, rows, f"score {self.key!r}", remedy)}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples with the mean of their repeats."""
        return sample_units(metric, scores.with_values(scores.details["score"]))


@dataclass(frozen=True, slots=True)
class CaptionWhereFound(CaptionScore):
    """A caption metric in which the caption of an object that was not found is empty: CIDEr, BLEU, METEOR, ROUGE-L at an IoU.

    Rows are gold objects; `extracted` holds box and caption, `target` box and references (verifier caption3d).
    """

    threshold: float = 0.5

    @property
    def reads(self) -> tuple[str, ...]:
        """Captions with their boxes, and the overlap."""
        return "extracted", "target", "scores.iou"

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the words of captions, none where the object was not found, and of references."""
        remedy = "use it for boxes with a caption (verifier caption3d)"
        outcomes, samples = columns["outcome"], columns["sample_id"]
        scored = np.array([row for row in rows.tolist() if outcomes[row] == "scored"], dtype=np.int64)
        overlap = row_numbers(metric, columns["scores.iou"], samples, scored, "score 'iou'", remedy)
        said, gold = list(columns["extracted"]), list(columns["target"])
        for row in rows.tolist():
            gold[row] = _part(gold[row], "references", samples[row], metric)
        for row in scored.tolist():
            caption = _part(said[row], "caption", samples[row], metric)
            said[row] = caption if overlap[row] >= self.threshold else ""
        # By its name: a dataclass with slots is another class than the one that `super()` would look for.
        return CaptionScore.details(self, metric, {**columns, "extracted": said, "target": gold}, rows)


def _part(cell: Any, key: str, sample: Any, metric: Metric) -> Any:
    value = cell
    if isinstance(cell, str):
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping) or key not in value:
        raise DataError(
            f"sample {sample!r} has no {key}, which metric {metric.name!r} needs",
            remedy="use it for boxes with a caption (verifier caption3d)",
        )
    return value[key]
