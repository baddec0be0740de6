"""Metrics of captions: CIDEr, BLEU, ROUGE-L and METEOR with stems, from what was extracted and the references."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmeval.core.errors import DataError
from mmeval.metrics.caption_scores import (
    ORDERS,
    DocumentFrequencies,
    References,
    Words,
    bleu_counts,
    cider,
    meteor_stem,
    rouge_l,
)
from mmeval.metrics.caption_tokens import caption_words
from mmeval.metrics.definition import Detail, Metric, Scores, Units
from mmeval.metrics.forms import AnswerForm
from mmeval.metrics.units import first_rows, means, sample_units
from mmeval.stats.bleu import Bleu
from mmeval.stats.functionals import RatioMean, sums_by
from mmeval.stats.intervals import FloatArray
from mmeval.stats.scores import IntArray

_MEANS: Mapping[str, Callable[[Words, References], float]] = {"rouge-l": rouge_l, "meteor-stem": meteor_stem}
BLEU = {f"bleu-{order}": order for order in range(1, ORDERS + 1)}
CAPTION_METRICS = ("cider", *BLEU, *_MEANS)


@dataclass(frozen=True, slots=True)
class CaptionScore(AnswerForm):
    """One of the caption metrics over samples.

    The target is a reference or a list of them. A row without an answer is an empty caption. CIDEr weighs n-grams by their
    document frequencies in the references of the rows at hand, as pycocoevalcap does; resamples and comparisons hold these
    frequencies fixed, so that CIDEr is a mean over samples there. BLEU is a function of sums over the corpus.
    """

    measure: str

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the words of captions and of references."""
        samples, outcome = columns["sample_id"], columns["outcome"]
        said, gold = (np.empty(len(samples), dtype=object) for _ in range(2))
        for row in rows.tolist():
            answered = outcome[row] == "scored"
            said[row] = _caption(columns["extracted"][row], samples[row], metric) if answered else ()
            gold[row] = _references(columns["target"][row], samples[row], metric)
        return {"said": said, "gold": gold}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples with their own values (repeats averaged), and for BLEU the function of the corpus."""
        found = sample_units(metric, scores)
        rows = np.flatnonzero(found.unit_of_row >= 0)
        unit, size = found.unit_of_row[rows], found.ids.size
        said, gold = (scores.details[name][rows].tolist() for name in ("said", "gold"))
        if self.measure in BLEU:
            return self._bleu(found, unit, said, gold)
        score = self._score([gold[row] for row in first_rows(unit, size).tolist()])
        values = means(unit, np.array([score(*pair) for pair in zip(said, gold, strict=True)], dtype=np.float64), size)
        # With one document every n-gram has weight 0, and CIDEr is 0/0.
        undefined = self.measure == "cider" and size == 1
        functional = RatioMean.of(values, np.zeros(size)) if undefined else None
        return Units(found.ids, values, found.clusters, found.unit_of_row, False, functional)

    def _score(self, corpus: Sequence[References]) -> Callable[[Words, References], float]:
        if self.measure in _MEANS:
            return _MEANS[self.measure]
        frequencies = DocumentFrequencies.of(corpus)
        return lambda words, references: cider(words, references, frequencies)

    def _bleu(self, found: Units, unit: IntArray, said: Sequence[Words], gold: Sequence[References]) -> Units:
        counts = np.array([bleu_counts(*pair) for pair in zip(said, gold, strict=True)]).reshape(-1, 2 * ORDERS + 2)
        size = found.ids.size
        answers = np.bincount(unit, minlength=size)[:, None]
        by_unit: FloatArray = np.stack([sums_by(unit, column, size) for column in counts.T], axis=1) / answers
        functional = Bleu(BLEU[self.measure], by_unit)
        values = functional.each()
        return Units(found.ids, values, found.clusters, found.unit_of_row, False, functional)


def _caption(cell: Any, sample: Any, metric: Metric) -> Words:
    value = _decoded(cell)
    if not _is_text(value):
        raise DataError(
            f"sample {sample!r}: extracted {cell!r} is no text, which metric {metric.name!r} needs",
            remedy="use it for answers of kind text",
        )
    return caption_words(str(value))


def _references(cell: Any, sample: Any, metric: Metric) -> References:
    value = _decoded(cell)
    texts = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    if not texts or not all(_is_text(text) for text in texts):
        raise DataError(
            f"sample {sample!r}: target {cell!r} is no reference text and no list of them, which metric {metric.name!r} needs",
            remedy="give a text or a list of texts as fields.answer",
        )
    return tuple(caption_words(str(text)) for text in texts)


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _decoded(cell: Any) -> Any:
    """Return what a cell of the results table holds: JSON, or the value itself where rows come from elsewhere."""
    if not isinstance(cell, str):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return cell if isinstance(value, (int, float)) else value
