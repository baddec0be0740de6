"""What the random draws of an official rule could add to a deterministic score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmeval.verifiers.base import GUESS_SHARE, GUESSED

if TYPE_CHECKING:
    from mmeval.metrics import Metric, Scores
    from mmeval.metrics.columns import Columns

FALLBACK = "scores.fallback"
GUESS_COLUMNS = (f"scores.{GUESSED}", f"scores.{GUESS_SHARE}", FALLBACK)
"""Entries of the results table that say what an official rule does with rows without an answer."""


@dataclass(frozen=True, slots=True)
class Guesses:
    """Rows that the official rule decides by a random draw; here they have no answer."""

    rows: int
    low: float | None
    """The value with every draw wrong, which is the value shown; None where draws do not move the metric one way."""
    high: float | None
    """The value with every draw right."""
    expected: float | None
    """The mean over draws; None where the metric is not linear in its rows or a row does not say its chance."""


def guesses(metric: Metric, scores: Scores, rows: Columns, value: float | None) -> Guesses | None:
    """Return the range that guessing allows, or None when no row would be guessed.

    Args:
        metric: the metric.
        scores: its rows.
        rows: the same rows of the results table with `GUESS_COLUMNS`.
        value: the metric without guesses.
    """
    from mmeval.metrics import units_of

    drawn = (rows.numbers(f"scores.{GUESSED}") == 1) & scores.counted
    count = int(np.count_nonzero(drawn))
    if not count:
        return None
    right_or_wrong = metric.binary or metric.source == "score"
    one_way = right_or_wrong and metric.bounds == (0.0, 1.0) and (metric.form is None or metric.form.monotone)
    if not one_way or value is None:
        return Guesses(count, None, None, None)
    high = units_of(metric, scores.with_values(np.where(drawn, 1.0, scores.values))).value
    share = rows[f"scores.{GUESS_SHARE}"]
    linear = metric.k is None and (metric.form is None or metric.form.linear)
    expected = None
    if linear and bool(np.all(np.isfinite(share[drawn]))):
        expected = units_of(metric, scores.with_values(np.where(drawn, share, scores.values))).value
    return Guesses(count, value, high, expected)
