"""Agreement coefficients as functions of item weights, so that one bootstrap serves them all.

A weight says how often an item was drawn (1 on the data). Each function returns the coefficient, the observed and the
expected agreement, NaN where undefined; `mmeval.stats.agreement` turns NaN into None with a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray

Ratings: TypeAlias = Sequence[Sequence[Hashable | None]]
Weighting: TypeAlias = Literal["identity", "linear", "quadratic"]
Scale: TypeAlias = Literal["nominal", "ordinal", "interval"]
Values: TypeAlias = tuple[float, float, float]

WEIGHTINGS = ("identity", "linear", "quadratic")
SCALES = ("nominal", "ordinal", "interval")
UNDEFINED: Values = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Coded:
    """Ratings as numbers."""

    codes: npt.NDArray[np.int64]
    """Index of the category, shape (items, raters); -1 where missing."""
    categories: tuple[Hashable, ...]
    counts: FloatArray
    """Ratings by item and category, shape (items, categories)."""

    @property
    def sizes(self) -> FloatArray:
        """Ratings of each item."""
        return np.asarray(self.counts.sum(axis=1))

    def positions(self) -> FloatArray:
        """Return where the categories lie: their values if all are numbers, else 0, 1, 2 …"""
        if all(_is_number(category) for category in self.categories):
            return np.array([float(category) for category in self.categories])  # type: ignore[arg-type]
        return np.arange(len(self.categories), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Measure:
    """One coefficient of one set of ratings."""

    name: str
    evaluate: Callable[[FloatArray], Values]
    counted: npt.NDArray[np.bool_]
    """Which items count."""
    note: str = ""


def code(ratings: Ratings, categories: Sequence[Hashable] | None) -> Coded:
    """Number the categories in the order given, or sorted.

    Raises:
        ValueError: when rows differ in length, a rating is NaN or not among the categories, or categories repeat.
    """
    rows = [list(row) for row in ratings]
    raters = len(rows[0]) if rows else 0
    for position, row in enumerate(rows):
        if len(row) != raters:
            raise ValueError(f"item {position} has {len(row)} columns, the first has {raters}: one column per rater")
        if any(isinstance(value, float) and not math.isfinite(value) for value in row):
            raise ValueError(f"item {position} has a rating that is not finite; write None for a missing one")
    found = {value for row in rows for value in row if value is not None}
    known = sorted(found, key=_order) if categories is None else list(categories)
    number = {category: index for index, category in enumerate(known)}
    if len(number) < len(known):
        raise ValueError("categories must differ")
    unknown = sorted(found - set(number), key=_order)
    if unknown:
        raise ValueError(f"rating {unknown[0]!r} is not among the categories {known}")
    codes = np.array([[-1 if value is None else number[value] for value in row] for row in rows], dtype=np.int64)
    codes = codes.reshape(len(rows), raters)
    counts = np.zeros((len(rows), len(known)))
    for column in codes.T:
        rated = np.flatnonzero(column >= 0)
        counts[rated, column[rated]] += 1
    return Coded(codes, tuple(known), counts)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating)


def _order(value: Any) -> tuple[str, float, str]:
    return ("", float(value), "") if _is_number(value) else (type(value).__name__, 0.0, str(value))


def agreement_weights(coded: Coded, weighting: Weighting) -> FloatArray:
    """Return how much two categories agree, shape (categories, categories): 1 on the diagonal, 0 farthest apart.

    Raises:
        ValueError: when the weighting is unknown.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"unknown weights {weighting!r}; one of {', '.join(WEIGHTINGS)}")
    size = len(coded.categories)
    if weighting == "identity" or size < 2:
        return np.eye(size)
    positions = coded.positions()
    apart = np.abs(positions[:, None] - positions[None, :]) / float(np.ptp(positions))
    return np.asarray(1 - (apart if weighting == "linear" else apart**2))


def raw(coded: Coded) -> Measure:
    """Share of agreeing pairs of ratings, mean over items."""
    pairs, counted = _pair_agreement(coded, np.eye(len(coded.categories)))

    def evaluate(weights: FloatArray) -> Values:
        found = _mean(pairs, weights * counted)
        return found, found, 0.0

    return Measure("raw", evaluate, counted)


def gwet(coded: Coded, weighting: Weighting) -> Measure:
    """AC1, or AC2 with weights (Gwet 2008, 2014)."""
    table = agreement_weights(coded, weighting)
    pairs, counted = _pair_agreement(coded, table)
    rated = coded.sizes > 0
    shares = coded.counts / np.maximum(coded.sizes, 1)[:, None]
    size = len(coded.categories)
    # A single category in use was chosen among at least two.
    scale = float(table.sum()) / (size * (size - 1)) if size > 1 else 0.0

    def evaluate(weights: FloatArray) -> Values:
        observed = _mean(pairs, weights * counted)
        total = float(np.dot(weights, rated))
        if not total:
            return UNDEFINED
        share = (weights * rated) @ shares / total
        return _corrected(observed, scale * float(np.sum(share * (1 - share))))

    name = "gwet-ac1" if weighting == "identity" else f"gwet-ac2-{weighting}"
    return Measure(name, evaluate, counted, "one category only" if size == 1 else "")


def cohen(coded: Coded, weighting: Weighting) -> Measure:
    """Cohen's kappa of two raters, weighted or not.

    Raises:
        ValueError: when there are not two raters.
    """
    if coded.codes.shape[1] != 2 and coded.codes.shape[0]:
        raise ValueError(
            f"Cohen's kappa needs two raters, got {coded.codes.shape[1]}; use alpha, AC1 or Fleiss's kappa"
        )
    table = agreement_weights(coded, weighting)
    size = len(coded.categories)
    left, right = coded.codes.reshape(-1, 2).T
    counted = (left >= 0) & (right >= 0)
    agree = np.where(counted, table[left, right], 0.0) if size else np.zeros(left.size)

    def evaluate(weights: FloatArray) -> Values:
        kept = weights * counted
        total = float(kept.sum())
        if not total:
            return UNDEFINED
        first = np.bincount(left[counted], weights=kept[counted], minlength=size) / total
        second = np.bincount(right[counted], weights=kept[counted], minlength=size) / total
        return _corrected(_mean(agree, kept), float(first @ table @ second))

    dropped = int(np.sum(~counted))
    name = "cohen-kappa" if weighting == "identity" else f"cohen-kappa-{weighting}"
    return Measure(name, evaluate, counted, f"{dropped} items without both ratings left out" if dropped else "")


def fleiss(coded: Coded) -> Measure:
    """Fleiss's kappa.

    Raises:
        ValueError: when items have differently many ratings, or fewer than two.
    """
    sizes = coded.sizes
    if sizes.size and (float(np.ptp(sizes)) > 0 or sizes[0] < 2):
        raise ValueError("Fleiss's kappa needs equally many ratings (at least two) of every item; use alpha or AC1")
    pairs, counted = _pair_agreement(coded, np.eye(len(coded.categories)))

    def evaluate(weights: FloatArray) -> Values:
        used = weights @ coded.counts
        share = used / used.sum()
        return _corrected(_mean(pairs, weights), float(np.dot(share, share)))

    return Measure("fleiss-kappa", evaluate, counted)


def alpha(coded: Coded, scale: Scale) -> Measure:
    """Krippendorff's alpha.

    Raises:
        ValueError: when the scale is unknown, or on an interval scale a category is no number.
    """
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}; one of {', '.join(SCALES)}")
    if scale == "interval" and not all(_is_number(category) for category in coded.categories):
        raise ValueError("an interval scale needs numbers as ratings")
    counted = coded.sizes > 1
    counts = coded.counts * counted[:, None]
    inverse = np.where(counted, 1 / np.maximum(coded.sizes - 1, 1), 0.0)
    positions = coded.positions()
    if scale == "interval" and positions.size:
        positions = positions / max(float(np.max(np.abs(positions))), 1e-300)
    apart = (positions[:, None] - positions[None, :]) ** 2 if scale == "interval" else 1 - np.eye(positions.size)
    by_item = np.sum((counts @ apart) * counts, axis=1) * inverse

    def evaluate(weights: FloatArray) -> Values:
        used = weights @ counts
        total = float(used.sum())
        if total < 2:
            return UNDEFINED
        distance, observed = apart, float(np.dot(weights, by_item))
        if scale == "ordinal":
            middle = np.cumsum(used) - used / 2
            distance = ((middle[:, None] - middle[None, :]) / total) ** 2
            observed = float(np.sum((counts * (weights * inverse)[:, None]).T @ counts * distance))
        expected = float(used @ distance @ used) / (total - 1)
        # Beside the mean square of the positions, what remains of a single category is rounding.
        if expected <= 1e-14 * total:
            return UNDEFINED
        estimate = 1 - observed / expected
        if scale != "nominal":
            return estimate, math.nan, math.nan
        return estimate, 1 - observed / total, 1 - expected / total

    return Measure(f"krippendorff-alpha-{scale}", evaluate, counted)


def _pair_agreement(coded: Coded, table: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the weighted share of agreeing pairs by item, and which items have at least two ratings."""
    counts, sizes = coded.counts, coded.sizes
    pairs = np.sum(counts * (counts @ table - 1), axis=1)
    return pairs / np.maximum(sizes * (sizes - 1), 1), sizes > 1


def _mean(values: FloatArray, weights: FloatArray) -> float:
    total = float(weights.sum())
    return float(np.dot(weights, values)) / total if total else math.nan


def _corrected(observed: float, expected: float) -> Values:
    if not 1 - expected > 1e-12:
        return UNDEFINED
    return (observed - expected) / (1 - expected), observed, expected
