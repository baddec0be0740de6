"""Prediction-powered inference: the mean of human scores from few labels and an imperfect judge of everything.

The labelled items must be a random sample of the judged ones (within strata, for the stratified estimate). Where the
share of right answers may differ between the two, see `mmeval.stats.judge_errors`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Interval, Labels, wilson
from mmeval.stats.results import Difference
from mmeval.stats.scores import cluster_index, is_binary

FEW_LABELS = 30
"""Below this many independent labelled items the normal interval is doubtful, and the note says so."""
FEW_ERRORS = 15
"""Likewise below this many labelled items on which a binary judge and the human differ: simulated coverage of 95%
intervals is 0.92 to 0.93 there."""


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """Human labels on few items and judge scores on them and on many others.

    Raises:
        ValueError: when lengths differ or a value is not finite.
    """

    human: npt.ArrayLike
    """Human scores of the labelled items, shape (n,)."""
    judge: npt.ArrayLike
    """The judge's scores of the same items, shape (n,)."""
    judge_unlabelled: npt.ArrayLike
    """The judge's scores of the other items, shape (N,)."""
    clusters: Labels | None = None
    """Cluster label of each labelled item; None takes all items as independent."""
    clusters_unlabelled: Labels | None = None
    """Cluster label of each other item; labels shared with `clusters` mean the same cluster."""

    def __post_init__(self) -> None:
        sizes = [np.asarray(values).size for values in (self.human, self.judge, self.judge_unlabelled)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"{sizes[0]} human labels but {sizes[1]} judge scores of the labelled items")
        for values in (self.human, self.judge, self.judge_unlabelled):
            if not bool(np.all(np.isfinite(np.asarray(values, dtype=np.float64)))):
                raise ValueError("labels and scores must be finite: leave out items without one")
        if (self.clusters is None) != (self.clusters_unlabelled is None):
            raise ValueError("give cluster labels of both the labelled and the unlabelled items, or of neither")
        if self.clusters is not None and self.clusters_unlabelled is not None:
            for labels, size in ((self.clusters, sizes[0]), (self.clusters_unlabelled, sizes[2])):
                if len(labels) != size:
                    raise ValueError(f"{size} items but {len(labels)} cluster labels")

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Human labels, judge scores of the same items, judge scores of the others."""
        human, judge, other = (
            np.asarray(values, dtype=np.float64).ravel() for values in (self.human, self.judge, self.judge_unlabelled)
        )
        return human, judge, other

    def cluster_numbers(self) -> npt.NDArray[np.int64] | None:
        """Return the cluster of each labelled, then of each other item; None where no cluster repeats."""
        if self.clusters is None or self.clusters_unlabelled is None:
            return None
        labels = [*self.clusters, *self.clusters_unlabelled]
        numbers = cluster_index(labels, len(labels))
        return numbers if int(numbers.max(initial=-1)) + 1 < len(labels) else None


@dataclass(frozen=True, slots=True)
class DebiasedMean:
    """A mean of human scores, estimated with a judge's help."""

    estimate: float | None
    """None where it is undefined; the note says why."""
    standard_error: float | None
    """None where the interval does not rest on one."""
    interval: Interval | None
    """None where the data cannot give one; the note says why."""
    method: str
    """`ppi`, `ppi++`, `stratified-ppi++`, `human-only`, `rogan-gladen`."""
    weight: float | None
    """Weight of the judge (lambda): 0 ignores it, 1 is plain prediction-powered inference; None where there is none."""
    labelled: int
    unlabelled: int
    clusters: int | None = None
    """Independent clusters; None where items are taken as independent."""
    note: str = ""


def tuned_weight(sample: JudgedSample) -> float:
    """Return the judge weight of PPI++ that minimises the variance, cut to [0, 1].

    Cov(human, judge) / ((1 + n/N) Var(judge)), variance over all judged items (Angelopoulos, Duchi and Zrnic 2023). 0
    where the judge does not vary or there are fewer than two labels.
    """
    human, judge, other = sample.arrays
    if human.size < 2 or other.size == 0:
        return 0.0
    variance = float(np.var(np.concatenate([judge, other]), ddof=1))
    covariance = float(np.mean((human - human.mean()) * (judge - judge.mean())))
    if variance <= 1e-24 * float(np.max(np.abs(np.concatenate([judge, other]))) ** 2):
        return 0.0
    return min(1.0, max(0.0, covariance / ((1 + human.size / other.size) * variance)))


def ppi_mean(sample: JudgedSample, weight: float | None = None, level: float = 0.95) -> DebiasedMean:
    """Return the prediction-powered estimate of the mean human score over all items.

    weight * mean_N(judge) + mean_n(human - weight * judge), with variance weight^2 Var(judge)/N +
    Var(human - weight * judge)/n and a normal interval (Angelopoulos et al. 2023). Where clusters repeat, the same
    terms are summed by cluster first (CR1).

    Args:
        sample: labels and scores; the labelled items are a random sample of all.
        weight: of the judge; None tunes it (PPI++), 1 is plain PPI, 0 takes the human labels alone.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when the level is not in (0, 1) or the weight is not finite.
    """
    _check_level(level)
    if weight is not None and not math.isfinite(weight):
        raise ValueError(f"the judge's weight must be finite, got {weight}")
    human, _, other = sample.arrays
    method = "ppi++" if weight is None else {0.0: "human-only", 1.0: "ppi"}.get(weight, "ppi-weighted")
    chosen = tuned_weight(sample) if weight is None else weight
    if human.size == 0:
        return DebiasedMean(
            None, None, None, method, None, 0, other.size, note="no human label: nothing to correct with"
        )
    if other.size == 0:
        chosen = 0.0
    estimate, error, clusters = _ppi(sample, chosen)
    found = DebiasedMean(estimate, error, None, method, chosen, human.size, other.size, clusters)
    if error is None:
        return replace(found, note="a single independent label: no interval")
    if error <= 1e-12 * float(np.max(np.abs(human))):
        return _collapsed(found, human, level)
    half = normal_quantile(level) * error
    interval = Interval(estimate - half, estimate + half, level, method)
    return replace(found, interval=interval, note=_doubts(sample, chosen))


def _doubts(sample: JudgedSample, weight: float) -> str:
    human, judge, _ = sample.arrays
    independent = human.size if sample.clusters is None else len(set(sample.clusters))
    if independent < FEW_LABELS:
        return f"fewer than {FEW_LABELS} independent labels: the interval may be too narrow"
    errors = int(np.sum(human != judge))
    if weight > 0 and errors < FEW_ERRORS and is_binary(human) and is_binary(judge):
        return f"judge and human differ on {errors} labelled items only: the interval may be somewhat too narrow"
    return ""


def _ppi(sample: JudgedSample, weight: float) -> tuple[float, float | None, int | None]:
    """Return estimate, standard error and the number of clusters where some repeat."""
    human, judge, other = sample.arrays
    residual = human - weight * judge
    judged = float(other.mean()) if other.size else 0.0
    estimate = weight * judged + float(residual.mean())
    numbers = sample.cluster_numbers()
    if numbers is None:
        if human.size < 2:
            return estimate, None, None
        variance = float(residual.var()) / human.size
        variance += weight * weight * float(other.var()) / other.size if other.size else 0.0
        return estimate, math.sqrt(variance), None
    terms = (residual - residual.mean()) / human.size
    if other.size:
        terms = np.concatenate([terms, weight * (other - judged) / other.size])
    count = int(numbers.max()) + 1
    if len(set(numbers[: human.size].tolist())) < 2:
        return estimate, None, count
    sums = np.bincount(numbers, weights=terms, minlength=count)
    return estimate, math.sqrt(count / (count - 1) * float(np.dot(sums, sums))), count


def _collapsed(found: DebiasedMean, human: FloatArray, level: float) -> DebiasedMean:
    """Give an estimate without spread the Wilson interval of its labels, if these are 0 or 1."""
    # Clustered labels are worth no more than the clusters that they come from.
    trials = human.size if found.clusters is None else min(human.size, found.clusters)
    reason = "labels and judge leave no spread"
    if not is_binary(human):
        return replace(found, note=f"{reason}: no interval")
    bounds = wilson(float(human.mean()) * trials, trials, level)
    assert bounds is not None
    assert found.estimate is not None
    interval = replace(bounds, low=min(bounds.low, found.estimate), high=max(bounds.high, found.estimate))
    return replace(found, standard_error=None, interval=interval, note=f"{reason}: Wilson interval of the human labels")


def stratified_ppi_mean(
    strata: Sequence[JudgedSample],
    shares: Sequence[float] | None = None,
    weight: float | None = None,
    level: float = 0.95,
) -> DebiasedMean:
    """Return the prediction-powered mean over strata, the judge's weight tuned in each (StratPPI, Fisch et al. 2024).

    Estimate sum_h W_h theta_h, variance sum_h W_h^2 Var_h. Labels may be denser in some strata than in others. Clusters
    must not reach across strata.

    Args:
        strata: one sample each.
        shares: share of each stratum in the population, summing to 1; None takes its share of the items.
        weight, level: as in `ppi_mean`.

    Raises:
        ValueError: without strata, when shares do not fit, or a stratum that counts has no label.
    """
    _check_level(level)
    sizes = [np.asarray(stratum.human).size + np.asarray(stratum.judge_unlabelled).size for stratum in strata]
    if sum(sizes) == 0:
        raise ValueError("no items in any stratum")
    parts = [size / sum(sizes) for size in sizes] if shares is None else [float(share) for share in shares]
    if len(parts) != len(strata) or not all(part >= 0 for part in parts) or abs(math.fsum(parts) - 1) > 1e-6:
        raise ValueError(f"shares must be {len(strata)} numbers of at least 0 that sum to 1, got {parts}")
    used = [(part, ppi_mean(stratum, weight, level)) for part, stratum in zip(parts, strata, strict=True) if part > 0]
    estimate, variance, judge_weight = 0.0, 0.0, 0.0
    thin = 0
    for part, found in used:
        if found.estimate is None:
            raise ValueError("a stratum has no human label: merge it with another or label some of its items")
        thin += found.interval is None or bool(found.note)
        estimate += part * found.estimate
        judge_weight += part * (found.weight or 0.0)
        error = found.standard_error
        if error is None and found.interval is not None:
            # The half width of the stand-in interval as a standard error: wide rather than zero.
            error = (found.interval.high - found.interval.low) / (2 * normal_quantile(level))
        if error is None:
            variance = math.nan
        else:
            variance += part * part * error * error
    labelled = sum(found.labelled for _, found in used)
    unlabelled = sum(found.unlabelled for _, found in used)
    clusters = None
    if any(found.clusters is not None for _, found in used):
        clusters = sum(found.clusters or found.labelled + found.unlabelled for _, found in used)
    method = f"stratified-{used[0][1].method}"
    result = DebiasedMean(estimate, None, None, method, judge_weight, labelled, unlabelled, clusters)
    if math.isnan(variance):
        return replace(result, note="a stratum has a single label or labels without spread: no interval")
    error = math.sqrt(variance)
    half = normal_quantile(level) * error
    note = f"{thin} of {len(used)} strata have few labels or no spread: the interval is approximate" if thin else ""
    interval = Interval(estimate - half, estimate + half, level, method) if error > 0 else None
    return replace(result, standard_error=error, interval=interval, note=note)


def ppi_difference(sample: JudgedSample, weight: float | None = None, level: float = 0.95) -> Difference:
    """Return the prediction-powered mean of paired differences, candidate minus baseline.

    Args:
        sample: differences in place of scores: human score of the candidate minus that of the baseline on the labelled
            items, the judge's differences on the same and on the other items.
        weight, level: as in `ppi_mean`.

    Raises:
        ValueError: without a human label, or as `ppi_mean`.
    """
    found = ppi_mean(sample, weight, level)
    if found.estimate is None:
        raise ValueError("no human label: a difference cannot be corrected")
    n = found.labelled + found.unlabelled
    error = found.standard_error
    notes = [f"judge weight {found.weight:.3f}, {found.labelled} labelled items"]
    if error is None or found.interval is None or not error > 0:
        notes.append("no spread or a single label: no interval and no test")
        return Difference(
            found.estimate, None, None, n, found.clusters, f"paired-{found.method}", None, "; ".join(notes)
        )
    p_value = math.erfc(abs(found.estimate) / error / math.sqrt(2))
    notes += [found.note] if found.note else []
    return Difference(
        found.estimate, error, found.interval, n, found.clusters, f"paired-{found.method}", p_value, "; ".join(notes)
    )


def normal_quantile(level: float) -> float:
    """Return how many standard errors a two-sided normal interval of this level reaches.

    Raises:
        ValueError: when the level is not in (0, 1).
    """
    _check_level(level)
    return NormalDist().inv_cdf(0.5 + level / 2)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
