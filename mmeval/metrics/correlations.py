"""Correlations of ratings with subjective scores, and error rates of transcripts: metrics of the whole corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmeval.metrics.collect import row_numbers
from mmeval.metrics.definition import Detail, Metric, Scores, Units
from mmeval.metrics.forms import PlainForm
from mmeval.metrics.units import means, sample_units, whole_samples
from mmeval.stats.correlation_functionals import Association, Measure
from mmeval.stats.functionals import RatioMean
from mmeval.stats.logistic_mapping import Parameters
from mmeval.stats.scores import IntArray


@dataclass(frozen=True, slots=True)
class RatingAssociation(PlainForm):
    """A correlation, or the root mean square error, of the ratings that a model gave and subjective scores.

    Rows are read through two scores of the verifier: `rating`, what the model said, and `opinion`, the subjective score
    brought to the scale and direction of the ratings. A row without an answer takes the mean of all ratings that could be
    read (mean imputation), so that saying nothing costs correlation and no row is lost; with `answered` such rows are left
    out, and lower the coverage.
    """

    measure: Measure
    mapping: Parameters | None = None
    answered: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """Rating and subjective score."""
        return "scores.rating", "scores.opinion"

    @property
    def monotone(self) -> bool:
        """It is not a function of right and wrong."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return both; the rating of rows without an answer is 0 here, and filled or left out later."""
        samples = columns["sample_id"]
        outcomes = columns["outcome"]
        scored = np.array([row for row in rows.tolist() if outcomes[row] == "scored"], dtype=np.int64)
        remedy = "use it for answers of kind rating"
        ratings, opinions = (columns[name] for name in self.reads)
        return {
            "rating": row_numbers(metric, ratings, samples, scored, "score 'rating'", remedy),
            "opinion": row_numbers(metric, opinions, samples, rows, "score 'opinion'", remedy),
        }

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples (ratings of repeats averaged) and the association over them."""
        answered = scores.outcome == 0
        found = sample_units(metric, scores, answered if self.answered else None)
        rating, opinion = scores.details["rating"], scores.details["opinion"]
        filled = rating.copy()
        filled[~answered] = float(rating[answered].mean()) if bool(answered.any()) else 0.0
        rows = np.flatnonzero(found.unit_of_row >= 0)
        unit, size = found.unit_of_row[rows], found.ids.size
        first, second = (means(unit, numbers[rows], size) for numbers in (filled, opinion))
        functional = Association(self.measure, first, second, self.mapping)
        return Units(found.ids, found.values, found.clusters, found.unit_of_row, False, functional)


@dataclass(frozen=True, slots=True)
class ErrorRate(PlainForm):
    """Edits over reference units of the whole corpus: sum(errors) / sum(units), or 1 minus that.

    A row without an answer is an empty hypothesis: every reference unit is deleted.
    """

    errors: str
    """Score that holds substitutions, deletions and insertions of a row."""
    total: str
    """Score that holds the reference units of a row."""
    complement: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """Errors and reference units."""
        return f"scores.{self.errors}", f"scores.{self.total}"

    @property
    def monotone(self) -> bool:
        """Fewer errors lower a rate."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return both."""
        remedy = f"use it with a verifier that gives the score {self.errors!r} (transcript)"
        return {
            key: row_numbers(metric, columns[f"scores.{name}"], columns["sample_id"], rows, f"score {name!r}", remedy)
            for key, name in (("errors", self.errors), ("total", self.total))
        }

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples (edits of repeats averaged) and the ratio of sums."""
        found = sample_units(metric, scores)
        rows = np.flatnonzero(found.unit_of_row >= 0)
        unit, size = found.unit_of_row[rows], found.ids.size
        errors, total = (means(unit, scores.details[name][rows], size) for name in ("errors", "total"))
        ratio = RatioMean.of(total - errors if self.complement else errors, total)
        return Units(found.ids, found.values, found.clusters, found.unit_of_row, False, ratio)


@dataclass(frozen=True, slots=True)
class Vote(PlainForm):
    """The share of samples of which more than half of the repeats are right: a majority vote over K answers.

    Repeats without an answer are votes for nobody and count among the K; a sample of which a repeat failed is left out,
    since that vote is not known. With `answered` neither is a vote at all, and a sample without any vote, or with as
    many for as against, is left out (the exclusion of official scripts).
    """

    answered: bool = False

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples, 1 where the vote is right."""
        found = sample_units(metric, scores, scores.outcome == 0 if self.answered else whole_samples(scores))
        if self.answered and bool(np.any(found.values == 0.5)):
            tied = found.values == 0.5
            at = found.unit_of_row
            kept = (at >= 0) & ~tied[np.maximum(at, 0)]
            found = sample_units(metric, scores, kept)
        values = np.asarray(found.values > 0.5, dtype=np.float64)
        return Units(found.ids, values, found.clusters, found.unit_of_row, True)
