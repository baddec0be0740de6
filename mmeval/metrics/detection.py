"""Average precision, recall and F1 of boxes with classes: metrics of the whole corpus, read from targets and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import orjson

from mmeval.core.errors import DataError
from mmeval.core.labelled_boxes import GoldObjects, PredictedObject, read_gold_objects, read_predicted_objects
from mmeval.metrics.definition import OUTSIDE, Detail, Metric, Scores, Units
from mmeval.metrics.forms import AnswerForm
from mmeval.metrics.units import column_labels, outside, sample_units
from mmeval.stats.detection_functionals import AveragePrecision, Detections
from mmeval.stats.detection_matching import (
    AREA_RANGES,
    COCO_THRESHOLDS,
    Cell,
    Golds,
    coco_cell,
    falling_pairs,
    nms_kept,
    overlaps,
)
from mmeval.stats.functionals import RatioMean, sums_by
from mmeval.stats.intervals import FloatArray
from mmeval.stats.scores import IntArray

IGNORED_SHARE = 0.5
"""Of a prediction that lies in a region to ignore, from which on it is no false alarm of `precision@T` and `f1@T`."""
_PRECISION = re.compile(r"(nms-)?ap(50|75)?(?:_(small|medium|large))?(?:@([1-9][0-9]{0,5}))?")
_RECALL = re.compile(r"ar(?:_(small|medium|large))?(?:@([1-9][0-9]{0,5}))?")
_COUNTED = re.compile(r"(precision|recall|f1)@(0?\.[0-9]+|1(?:\.0)?)")
_DEFAULT_MOST = 100


@dataclass(frozen=True, slots=True)
class BoxPrecision(AnswerForm):
    """COCO's average precision or recall: the mean over classes, and over labels of a column where `by` names one.

    A row without an answer has no boxes. Predictions of a class that has no gold box in the data, and those without a class,
    are left out, as cocoapi does; the form `f1@T` counts them as false alarms.
    """

    measure: Literal["precision", "recall"]
    thresholds: tuple[float, ...] = field(default=COCO_THRESHOLDS)
    size: str = "all"
    most: int = _DEFAULT_MOST
    """Predictions per image and class that count, the best ones."""
    suppressed: bool = False
    """OVDEval's NMS-AP: of predictions on one gold box only the best stays."""
    by: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column whose labels are averaged over."""
        return () if self.by is None else (self.by,)

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return by row the matched cells: class -> `Cell`."""
        cells = np.empty(len(columns["sample_id"]), dtype=object)
        for row, golds, found in _read(metric, columns, rows):
            cells[row] = self._cells(golds, found)
        return {"cells": cells}

    def _cells(self, golds: GoldObjects, found: Sequence[PredictedObject]) -> dict[str, Cell]:
        boxes, scores = _arrays(found)
        labels = [one.label if golds.labelled or not golds.objects else "" for one in found]
        if self.suppressed:
            kept = nms_kept(boxes, scores, np.array([one.box for one in golds.objects]).reshape(-1, 4))
            boxes, scores = boxes[kept], scores[kept]
            labels = [label for label, keep in zip(labels, kept.tolist(), strict=True) if keep]
        own = {one.label for one in golds.objects}
        named = own if golds.verified is None else own | golds.verified
        cells = {}
        for label in sorted({*own, *(label for label in labels if label is not None)}):
            if golds.verified is not None and label not in named:
                continue  # nobody looked for this class on this image
            rows = np.array([place for place, one in enumerate(labels) if one == label], dtype=np.int64)
            cell = coco_cell(
                boxes[rows],
                scores[rows],
                gold_arrays([one for one in golds.objects if one.label == label]),
                self.thresholds,
                AREA_RANGES[self.size],
                self.most,
            )
            if label in golds.partial:
                cell = Cell(cell.scores, cell.hits, cell.ignored | ~cell.hits, cell.positives)
            cells[label] = cell
        return cells

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the number over them; repeats of a sample are pooled with equal shares."""
        size = scores.values.size
        group = np.full(size, "", dtype=object)
        taken = np.arange(size)
        if self.by is not None:
            group = column_labels(scores, self.by)
            taken = np.flatnonzero(~outside(scores, group))
        found = sample_units(metric, scores.take(taken))
        unit_of_row = np.full(size, OUTSIDE, dtype=np.int64)
        unit_of_row[taken] = found.unit_of_row
        rows = np.flatnonzero(unit_of_row >= 0)
        functional = self._functional(
            unit_of_row[rows], [scores.details["cells"][row] for row in rows], group[rows].tolist(), found.ids.size
        )
        return Units(found.ids, found.values, found.clusters, unit_of_row, False, functional)

    def _functional(
        self, unit: IntArray, cells: Sequence[Mapping[str, Cell]], groups: Sequence[str], units: int
    ) -> AveragePrecision:
        share = 1.0 / np.maximum(np.bincount(unit, minlength=units), 1)
        terms = tuple(
            sorted(
                {
                    (group, label)
                    for group, row in zip(groups, cells, strict=True)
                    for label, cell in row.items()
                    if cell.positives
                }
            )
        )
        number = {term: place for place, term in enumerate(terms)}
        entries = [
            (int(unit[place]), number[groups[place], label], cell)
            for place, row in enumerate(cells)
            for label, cell in row.items()
            if (groups[place], label) in number
        ]
        seen: dict[tuple[int, int], int] = {}
        starts = []
        for one, term, cell in entries:
            starts.append(seen.get((one, term), 0))
            seen[one, term] = starts[-1] + cell.scores.size
        sizes = [cell.scores.size for _, _, cell in entries]
        units_of, terms_of = (np.array([entry[part] for entry in entries], dtype=np.int64) for part in (0, 1))
        predicted = np.repeat(units_of, sizes)
        places = [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
        empty = np.zeros((len(self.thresholds), 0), dtype=bool)
        detections = Detections(
            predicted,
            np.repeat(terms_of, sizes),
            np.concatenate([np.zeros(0), *(cell.scores for _, _, cell in entries)]),
            predicted,
            np.concatenate([np.zeros(0, dtype=np.int64), *places]),
            share[predicted],
            np.concatenate([empty, *(cell.hits for _, _, cell in entries)], axis=1),
            np.concatenate([empty, *(cell.ignored for _, _, cell in entries)], axis=1),
        )
        positives = np.array([cell.positives for _, _, cell in entries], dtype=np.float64)
        golden = np.flatnonzero(positives)
        held = positives[golden] * share[units_of[golden]]
        group_of_unit = dict(zip(unit.tolist(), groups, strict=True))
        return AveragePrecision(
            self.measure, units, detections, units_of[golden], terms_of[golden], held, terms,
            tuple(group_of_unit[number] for number in range(units)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoxCounts(AnswerForm):
    """Precision, recall or F1 of the corpus: boxes matched one to one within their class, pairs taken by falling IoU.

    A prediction that is not matched and lies for half of its area or more in a region to ignore is left out.
    """

    measure: Literal["precision", "recall", "f1"]
    threshold: float

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return by row the matched boxes, the predictions and the gold boxes that count."""
        size = len(columns["sample_id"])
        hits, said, true = np.zeros(size), np.zeros(size), np.zeros(size)
        for row, golds, found in _read(metric, columns, rows):
            hits[row], said[row], true[row] = counted_boxes(golds, found, self.threshold)
        return {"hits": hits, "said": said, "gold": true}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the ratio of their sums."""
        found = sample_units(metric, scores)
        rows = np.flatnonzero(found.unit_of_row >= 0)
        unit = found.unit_of_row[rows]
        answers = np.maximum(np.bincount(unit, minlength=found.ids.size), 1)
        hits, said, gold = (
            sums_by(unit, scores.details[name][rows], found.ids.size) / answers for name in ("hits", "said", "gold")
        )
        if self.measure == "f1":
            ratio = RatioMean.of(2 * hits, said + gold)
        else:
            ratio = RatioMean.of(hits, said if self.measure == "precision" else gold)
        return Units(found.ids, found.values, found.clusters, found.unit_of_row, False, ratio)


def counted_boxes(golds: GoldObjects, found: Sequence[PredictedObject], threshold: float) -> tuple[int, int, int]:
    """Return matched boxes, predictions that count, and gold boxes that count."""
    real = [one for one in golds.objects if not one.crowd]
    boxes, _ = _arrays(found)
    gold = np.array([one.box for one in real], dtype=np.float64).reshape(-1, 4)
    same = None
    if golds.labelled:
        same = np.array([[mine.label == one.label for one in real] for mine in found], dtype=bool)
        same = same.reshape(len(found), len(real))
    pairs = falling_pairs(boxes, gold, threshold, same)
    free = sorted({*range(len(found))} - {row for row, _, _ in pairs})
    crowds = [one for one in golds.objects if one.crowd]
    left_out = 0
    if free and crowds:
        regions = gold_arrays(crowds)
        shares = overlaps(boxes[free], regions.boxes, regions.crowd) >= IGNORED_SHARE
        if golds.labelled:
            shares &= np.array([[found[row].label == one.label for one in crowds] for row in free], dtype=bool)
        left_out = int(np.count_nonzero(shares.any(axis=1)))
    return len(pairs), len(found) - left_out, len(real)


def gold_arrays(objects: Sequence[Any]) -> Golds:
    """Return gold objects as arrays."""
    return Golds(
        np.array([one.box for one in objects], dtype=np.float64).reshape(-1, 4),
        np.array([one.area for one in objects], dtype=np.float64),
        np.array([one.crowd for one in objects], dtype=bool),
    )


def detection_metric(name: str) -> Metric | None:
    """Return the metric of boxes with that name, None where it is none."""
    if found := _COUNTED.fullmatch(name):
        measure: Any = found.group(1)
        threshold = float(found.group(2))
        return Metric(name, "score", form=BoxCounts(measure, threshold)) if threshold > 0 else None
    if found := _PRECISION.fullmatch(name):
        nms, level, size, most = found.groups()
        thresholds = COCO_THRESHOLDS if level is None else (int(level) / 100,)
        form = BoxPrecision("precision", thresholds, size or "all", int(most or _DEFAULT_MOST), nms is not None)
        return Metric(name, "score", form=form)
    if found := _RECALL.fullmatch(name):
        size, most = found.groups()
        return Metric(
            name, "score", form=BoxPrecision("recall", COCO_THRESHOLDS, size or "all", int(most or _DEFAULT_MOST))
        )
    return None


def reads_boxes(metric: Metric) -> bool:
    """Whether a metric is about lists of boxes."""
    return isinstance(metric.form, (BoxPrecision, BoxCounts))


def _arrays(found: Sequence[PredictedObject]) -> tuple[FloatArray, FloatArray]:
    boxes = np.array([one.box for one in found], dtype=np.float64).reshape(-1, 4)
    return boxes, np.array([one.score for one in found], dtype=np.float64)


def _read(metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Any:
    """Yield row, gold boxes and predictions; a row without an answer has none."""
    samples, outcomes = columns["sample_id"], columns["outcome"]
    for row in rows.tolist():
        try:
            golds = read_gold_objects(_json(columns["target"][row]))
            scored = outcomes[row] == "scored"
            found = read_predicted_objects(_json(columns["extracted"][row])) if scored else ()
        except DataError as error:
            raise DataError(
                f"sample {samples[row]!r}: {error.message}, and metric {metric.name!r} is about boxes",
                remedy=error.remedy,
            ) from error
        yield row, golds, found


def _json(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
