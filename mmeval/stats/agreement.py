"""Agreement of raters, human or model, beyond chance: kappa, alpha, AC1 and their intervals.

Ratings come as one row per item and one column per rater, None where a rater did not rate an item. Chance-corrected
coefficients fall when one category is rare although raters hardly ever differ (the prevalence paradox), so
`agreement_report` gives raw agreement and AC1 beside them. No coefficient is NaN: where one is undefined (every rating
is the same) it is None with a note.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from mmeval.stats.agreement_measures import (
    Coded,
    Measure,
    Ratings,
    Scale,
    Weighting,
    agreement_weights,
    alpha,
    code,
    cohen,
    fleiss,
    gwet,
    raw,
)
from mmeval.stats.intervals import Interval, Labels, wilson
from mmeval.stats.resampling import BootstrapPlan, Design, bootstrap_weights

DEFAULT_PLAN = BootstrapPlan(resamples=2000)

_WEIGHTING: dict[Scale, Weighting] = {"nominal": "identity", "ordinal": "linear", "interval": "quadratic"}


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement coefficient."""

    name: str
    """`raw`, `cohen-kappa`, `fleiss-kappa`, `krippendorff-alpha-nominal`, `gwet-ac1` …, with the weights if any."""
    estimate: float | None
    """None where it is undefined; the note says why."""
    interval: Interval | None
    """None where there is none; the note says why."""
    observed: float | None
    """Observed (weighted) agreement in [0, 1]; None for alpha on an ordinal or interval scale."""
    expected: float | None
    """Agreement that chance would give under the coefficient's model; None where `observed` is."""
    items: int
    """Items that count: with at least two ratings."""
    clusters: int | None = None
    """Independent clusters; None where items are taken as independent."""
    standard_error: float | None = None
    """Asymptotic; only Cohen's kappa has one."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Every coefficient on the same ratings, with how often each category was used."""

    coefficients: tuple[Agreement, ...]
    """Raw agreement, AC1, alpha, and Cohen's (two raters) or Fleiss's kappa (equally many ratings)."""
    categories: tuple[Hashable, ...]
    marginals: tuple[tuple[int, ...], ...]
    """Ratings by rater (outer) and category (inner)."""
    note: str = ""


def raw_agreement(ratings: Ratings, *, clusters: Labels | None = None, plan: BootstrapPlan = DEFAULT_PLAN) -> Agreement:
    """Return the chance that two raters of an item agree, mean over items with at least two ratings.

    Args:
        ratings: shape (items, raters), None where missing.
        clusters: cluster label of each item; None takes items as independent.
        plan: resamples, seed, level and method of the bootstrap.

    Raises:
        ValueError: when rows differ in length or there are not as many labels as items.
    """
    return _estimates([raw(code(ratings, None))], len(ratings), clusters, plan)[0]


def cohen_kappa(
    ratings: Ratings,
    weights: Weighting = "identity",
    *,
    categories: Sequence[Hashable] | None = None,
    clusters: Labels | None = None,
    plan: BootstrapPlan | None = None,
    level: float = 0.95,
) -> Agreement:
    """Return Cohen's (1960) kappa of two raters, or weighted kappa (1968).

    The interval is asymptotic (Fleiss, Cohen and Everitt 1969), or the bootstrap's where a plan is given or clusters
    repeat. Items that one of the two did not rate are left out and noted.

    Args:
        ratings: shape (items, 2), None where missing.
        weights: agreement of two different categories: none, or falling with their distance (of their values if all
            categories are numbers, else of their places in `categories`) or its square.
        categories: all categories in the order of the scale; None takes those that occur, sorted. With weights, name
            them all: the largest distance sets the scale.
        plan, level: of the bootstrap (which has its own level), and of the asymptotic interval.

    Raises:
        ValueError: when there are not two raters, or a rating is not among the categories.
    """
    coded = code(ratings, categories)
    measure = cohen(coded, weights)
    if plan is not None or (clusters is not None and len(set(clusters)) < len(clusters)):
        return _estimates([measure], len(ratings), clusters, plan or replace(DEFAULT_PLAN, level=level))[0]
    found = _point(measure, len(ratings))
    if found.estimate is None:
        return found
    error = _cohen_error(coded, measure, weights)
    if not error > 1e-9:
        return _without_width(replace(found, standard_error=0.0), level)
    half = NormalDist().inv_cdf(0.5 + level / 2) * error
    interval = Interval(max(-1.0, found.estimate - half), min(1.0, found.estimate + half), level, "asymptotic")
    return replace(found, standard_error=error, interval=interval)


def _cohen_error(coded: Coded, measure: Measure, weights: Weighting) -> float:
    from statsmodels.stats.inter_rater import cohens_kappa

    size = len(coded.categories)
    table = np.zeros((size, size))
    kept = coded.codes[measure.counted]
    np.add.at(table, (kept[:, 0], kept[:, 1]), 1.0)
    if weights == "identity":
        return float(cohens_kappa(table).std_kappa)
    # The whole matrix: from a vector statsmodels would take the range of an unsorted scale wrongly.
    return float(cohens_kappa(table, weights=1 - agreement_weights(coded, weights)).std_kappa)


def fleiss_kappa(ratings: Ratings, *, clusters: Labels | None = None, plan: BootstrapPlan = DEFAULT_PLAN) -> Agreement:
    """Return Fleiss's (1971) kappa, for items that all have equally many ratings; arguments as in `raw_agreement`.

    Raises:
        ValueError: when items have differently many ratings (use alpha or AC1), or fewer than two.
    """
    return _estimates([fleiss(code(ratings, None))], len(ratings), clusters, plan)[0]


def krippendorff_alpha(
    ratings: Ratings,
    scale: Scale = "nominal",
    *,
    categories: Sequence[Hashable] | None = None,
    clusters: Labels | None = None,
    plan: BootstrapPlan = DEFAULT_PLAN,
) -> Agreement:
    """Return Krippendorff's alpha = 1 - observed / expected disagreement (Krippendorff 2011); ratings may be missing.

    Args:
        scale: nominal (differ or not), ordinal (distance in ranks), interval (squared difference of numbers).
        categories: the order of an ordinal scale; None sorts the categories that occur.
        ratings, clusters, plan: as in `raw_agreement`.

    Raises:
        ValueError: on an interval scale when a rating is no number, or a rating is not among the categories.
    """
    return _estimates([alpha(code(ratings, categories), scale)], len(ratings), clusters, plan)[0]


def gwet_ac(
    ratings: Ratings,
    weights: Weighting = "identity",
    *,
    categories: Sequence[Hashable] | None = None,
    clusters: Labels | None = None,
    plan: BootstrapPlan = DEFAULT_PLAN,
) -> Agreement:
    """Return Gwet's (2008) AC1, or AC2 with linear or quadratic weights; ratings may be missing.

    Args:
        weights: as in `cohen_kappa`.
        categories: all categories in the order of the scale, also those that nobody used: chance agreement depends on
            their number. None takes those that occur, sorted.
        ratings, clusters, plan: as in `raw_agreement`.

    Raises:
        ValueError: when a rating is not among the categories.
    """
    return _estimates([gwet(code(ratings, categories), weights)], len(ratings), clusters, plan)[0]


def agreement_report(
    ratings: Ratings,
    scale: Scale = "nominal",
    *,
    categories: Sequence[Hashable] | None = None,
    clusters: Labels | None = None,
    plan: BootstrapPlan = DEFAULT_PLAN,
) -> AgreementReport:
    """Return raw agreement, AC1 (AC2 on other scales), alpha and kappa on the same resamples, with the marginals.

    Cohen's kappa comes with two raters, else Fleiss's where every item of a nominal scale has equally many ratings.
    Ordinal scales take linear weights, interval scales quadratic ones. Arguments as in `gwet_ac`.

    Raises:
        ValueError: as the single coefficients.
    """
    coded = code(ratings, categories)
    measures = [raw(coded), alpha(coded, scale)]
    measures.insert(1, gwet(coded, _WEIGHTING[scale]))
    sizes = coded.sizes
    if coded.codes.shape[1] == 2:
        measures.append(cohen(coded, _WEIGHTING[scale]))
    elif scale == "nominal" and sizes.size and sizes[0] > 1 and bool(np.all(sizes == sizes[0])):
        measures.append(fleiss(coded))
    found = _estimates(measures, len(ratings), clusters, plan)
    marginals = tuple(
        tuple(int(np.sum(column == number)) for number in range(len(coded.categories))) for column in coded.codes.T
    )
    observed, corrected = found[0].estimate, found[2].estimate
    paradox = scale == "nominal" and observed is not None and observed >= 0.8
    paradox = paradox and corrected is not None and corrected < 0.4
    note = "prevalence paradox: the raters seldom differ but one category is rare, which pulls kappa and alpha down; "
    return AgreementReport(
        tuple(found), coded.categories, marginals, note + "see AC1 and the marginals" if paradox else ""
    )


def _estimates(
    measures: Sequence[Measure], items: int, clusters: Labels | None, plan: BootstrapPlan
) -> list[Agreement]:
    """Return the coefficients with bootstrap intervals on the same resamples."""
    if items == 0:
        return [_point(measure, 0) for measure in measures]
    design = Design.of(items, clusters)
    points = [_point(measure, items) for measure in measures]
    bootstrap = bootstrap_weights(lambda weights: [measure.evaluate(weights)[0] for measure in measures], design, plan)
    count = design.clusters if design.clusters < items else None
    result = []
    for position, point in enumerate(points):
        found = replace(point, clusters=count)
        if point.estimate is not None:
            interval = bootstrap.interval(position)
            if interval is None:
                found = _without_width(found, plan.level)
            else:
                note = f"{plan.resamples} resamples, seed {plan.seed}"
                found = replace(found, interval=interval, note="; ".join(filter(None, [found.note, note])))
        result.append(found)
    return result


def _point(measure: Measure, items: int) -> Agreement:
    counted = int(measure.counted.sum())
    values = measure.evaluate(np.ones(items)) if counted else (math.nan,) * 3
    estimate, observed, expected = (value if math.isfinite(value) else None for value in values)
    note = measure.note
    if estimate is None:
        reason = "every rating is the same: undefined" if counted else "no item has two ratings"
        note = "; ".join(filter(None, [note, reason]))
    return Agreement(measure.name, estimate, None, observed, expected, counted, note=note)


def _without_width(found: Agreement, level: float) -> Agreement:
    """Give a coefficient whose resamples do not differ the Wilson interval of its observed agreement."""
    note = "resamples do not differ or are too often undefined"
    if found.observed is None or found.expected is None:
        return replace(found, note="; ".join(filter(None, [found.note, f"no interval: {note}"])))
    trials = found.items if found.clusters is None else min(found.items, found.clusters)
    bounds = wilson(min(max(found.observed, 0.0), 1.0) * trials, trials, level)
    assert bounds is not None
    low, high = ((bound - found.expected) / (1 - found.expected) for bound in (bounds.low, bounds.high))
    interval = Interval(max(-1.0, low), min(1.0, high), level, "wilson on observed agreement")
    note = f"{note}: interval of the observed agreement, chance agreement taken as known"
    return replace(found, interval=interval, note="; ".join(filter(None, [found.note, note])))
