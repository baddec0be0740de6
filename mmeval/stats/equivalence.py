"""One-sided tests against a bound: not worse than a margin, equivalent within a margin, worse than a bound.

Differences are candidate minus baseline, larger is better; margins are positive and in the unit of the score.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy.typing as npt

from mmeval.stats.clustered import cluster_difference
from mmeval.stats.comparison import MINIMUM_CLUSTERS, PairedData
from mmeval.stats.corrections import Alternative
from mmeval.stats.intervals import Labels
from mmeval.stats.paired import PairedTable, tango_statistic
from mmeval.stats.permutation import SignFlips, even_sign_flip
from mmeval.stats.results import TestResult


def score_test(table: PairedTable, bound: float, alternative: Alternative = "greater") -> TestResult:
    """Test a difference against a bound by Tango's score (Tango 1998; Liu, Hsueh and Hsieh 2002), one-sided.

    Rejects at alpha exactly where the one-sided Tango limit at 1 - alpha lies beyond the bound.

    Args:
        table: independent pairs.
        bound: value of the difference under the null hypothesis, in [-1, 1]; -margin for non-inferiority.
        alternative: "greater" to show a difference above the bound, "less" to show one below it.

    Raises:
        ValueError: without items, or when the bound is outside [-1, 1].
    """
    from scipy.special import ndtr

    if table.n == 0:
        raise ValueError("no items to compare")
    statistic = tango_statistic(table, bound)
    p_value = float(ndtr(-statistic if alternative == "greater" else statistic))
    note = "" if math.isfinite(statistic) else "the data are impossible under the bound"
    return TestResult(f"tango-{alternative}", p_value, statistic if not note else None, None, table.n, note=note)


def one_sided_test(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    bound: float,
    alternative: Alternative = "greater",
    clusters: Labels | None = None,
    *,
    resamples: int = 9999,
    seed: int = 0,
) -> TestResult:
    """Test whether the mean difference lies above ("greater") or below ("less") a bound.

    Chooses as `compare_paired` does: Tango's score for independent binary scores, t on the CR1 standard
    error otherwise, sign flips of the shifted differences below `MINIMUM_CLUSTERS` repeated clusters or where
    all differences are equal. A non-inferiority test has bound = -margin and "greater"; a regression test
    has bound = 0 (or minus the smallest drop of interest) and "less".

    Args:
        baseline: scores, shape (n,).
        candidate: scores of the same items in the same order.
        bound: value of candidate - baseline under the null hypothesis.
        alternative: "greater" or "less".
        clusters: cluster label of each item; None for independent items.
        resamples: random sign assignments where there are too many to enumerate.
        seed: of those assignments.

    Raises:
        ValueError: without items, when lengths differ, or for a value that is not finite or out of range.
    """
    from scipy.special import stdtr

    if alternative not in ("greater", "less"):
        raise ValueError(f"alternative must be greater or less, got {alternative!r}")
    if not math.isfinite(bound):
        raise ValueError(f"the bound must be finite, got {bound}")
    data = PairedData.of(baseline, candidate, clusters)
    table = data.table
    if table is not None and data.independent:
        return score_test(table, bound, alternative)
    units = data.cluster_table()
    if units is not None and -1 <= bound <= 1:
        return replace(
            score_test(units, bound, alternative),
            method=f"tango-{alternative}-clusters",
            n=data.baseline.size,
            clusters=data.clusters,
            note="all items differ by the same amount: one unit per cluster",
        )
    sign = 1.0 if alternative == "greater" else -1.0
    size, count = data.baseline.size, None if data.independent else data.clusters
    few = not data.independent and data.clusters < MINIMUM_CLUSTERS
    difference = cluster_difference(data.baseline, data.candidate, None if data.independent else data.index)
    if data.degenerate or not difference.standard_error:
        p_value = even_sign_flip(sign * (difference.estimate - bound), data.clusters, sides=1)
        note = "no spread between items or clusters"
        return TestResult(f"sign-flip-exact-{alternative}", p_value, None, None, size, count, note)
    if few:
        flips = SignFlips.of(sign * data.differences, data.index, resamples, seed)
        method = f"{flips.method}-{alternative}"
        return TestResult(method, flips.greater(sign * bound), None, None, size, count, flips.note)
    statistic = (difference.estimate - bound) / difference.standard_error
    freedom = data.clusters - 1
    p_value = float(stdtr(freedom, -sign * statistic))
    return TestResult(f"{difference.method}-{alternative}", p_value, statistic, freedom, size, count)


def non_inferiority_test(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    margin: float,
    clusters: Labels | None = None,
    *,
    resamples: int = 9999,
    seed: int = 0,
) -> TestResult:
    """Test that the candidate is not worse than the baseline by `margin` or more: H0 difference <= -margin.

    Raises:
        ValueError: when the margin is negative or not finite, else as `one_sided_test`.
    """
    _check_margin(margin)
    return one_sided_test(baseline, candidate, -margin, "greater", clusters, resamples=resamples, seed=seed)


def equivalence_test(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    margin: float,
    clusters: Labels | None = None,
    *,
    resamples: int = 9999,
    seed: int = 0,
) -> TestResult:
    """Test that the difference lies within +-margin, by two one-sided tests (Schuirmann 1987).

    The p-value is the larger of the two, the statistic that of the test it comes from.

    Raises:
        ValueError: when the margin is negative or not finite, else as `one_sided_test`.
    """
    _check_margin(margin)
    above = one_sided_test(baseline, candidate, -margin, "greater", clusters, resamples=resamples, seed=seed)
    below = one_sided_test(baseline, candidate, margin, "less", clusters, resamples=resamples, seed=seed)
    return two_one_sided(above, below)


def two_one_sided(above: TestResult, below: TestResult) -> TestResult:
    """Return the weaker of the two tests that make an equivalence test."""
    weaker = max(above, below, key=lambda result: result.p_value)
    return replace(weaker, method=f"tost-{weaker.method}")


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"the margin must be a finite number of at least 0, got {margin}")
