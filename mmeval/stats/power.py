"""How many items a comparison needs, what it would detect, and how likely it is to detect it.

Rates and differences are fractions (0.02 is two points). `discordance` is the share of items on which the two
models differ, (losses + gains) / n. A `design_effect` above 1 says by what factor clusters inflate the variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Labels, cluster_mean, mean_interval
from mmeval.stats.scores import finite_scores


@dataclass(frozen=True, slots=True)
class Aim:
    """What a test has to achieve."""

    alpha: float = 0.05
    """Level of the test."""
    power: float = 0.8
    """Chance of detecting the difference in question."""
    sides: int = 2
    """1 or 2."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not 0 < self.power < 1:
            raise ValueError(f"alpha {self.alpha} and power {self.power} must lie in (0, 1)")
        if self.sides not in (1, 2):
            raise ValueError(f"a test has 1 or 2 sides, got {self.sides}")
        if self.power <= self.alpha / self.sides:
            raise ValueError(f"power {self.power} must exceed the level")

    @property
    def level_quantile(self) -> float:
        """Normal quantile of 1 - alpha / sides."""
        return NormalDist().inv_cdf(1 - self.alpha / self.sides)

    @property
    def power_quantile(self) -> float:
        """Normal quantile of the power."""
        return NormalDist().inv_cdf(self.power)


@dataclass(frozen=True, slots=True)
class Noise:
    """Variances behind a paired difference of means with several answers per item (Miller 2024)."""

    between: float
    """Variance over items of the difference of the two models' expected scores (omega^2)."""
    baseline: float = 0.0
    """Mean variance of one answer's score around its expectation, baseline."""
    candidate: float = 0.0
    """The same of the candidate."""
    baseline_samples: int = 1
    """Answers per item."""
    candidate_samples: int = 1

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and v >= 0 for v in (self.between, self.baseline, self.candidate)):
            raise ValueError("variances must be finite and at least 0")
        if self.baseline_samples < 1 or self.candidate_samples < 1:
            raise ValueError("each model needs at least one answer per item")

    @property
    def variance(self) -> float:
        """Variance of one item's difference of mean scores."""
        return self.between + self.baseline / self.baseline_samples + self.candidate / self.candidate_samples


DEFAULT_AIM = Aim()


def mcnemar_sample_size(
    discordance: float, difference: float, aim: Aim = DEFAULT_AIM, design_effect: float = 1.0
) -> int:
    """Return the items that McNemar's test needs to detect a difference (Connor 1987), rounded up.

    Raises:
        ValueError: when the difference is 0 or exceeds the discordance, or a rate is out of range.
    """
    _check_rates(discordance, difference, design_effect)
    if difference == 0:
        raise ValueError("no number of items detects a difference of 0")
    unexplained = math.sqrt(discordance - difference**2)
    root = aim.level_quantile * math.sqrt(discordance) + aim.power_quantile * unexplained
    return _ceil((root / difference) ** 2 * design_effect)


def minimum_detectable_effect(
    n: int, discordance: float, aim: Aim = DEFAULT_AIM, design_effect: float = 1.0
) -> float | None:
    """Return the smallest difference that McNemar's test on n items detects with the power asked for.

    Connor's (1987) formula solved for the difference. None where even a difference as large as the
    discordance would not be detected: too few items, or models that agree on all of them.

    Raises:
        ValueError: when n is below 1 or a rate is out of range.
    """
    _check_rates(discordance, 0.0, design_effect)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    effective = n / design_effect

    def shortfall(difference: float) -> float:
        unexplained = math.sqrt(max(discordance - difference**2, 0.0))
        reach = aim.level_quantile * math.sqrt(discordance) + aim.power_quantile * unexplained
        return math.sqrt(effective) * difference - reach

    if discordance == 0 or shortfall(discordance) < 0:
        return None
    from scipy.optimize import brentq

    return float(brentq(shortfall, 0.0, discordance, xtol=1e-12))


def mcnemar_power(
    n: int, losses: float, gains: float, alpha: float = 0.05, method: Literal["mid-p", "exact"] = "mid-p"
) -> float:
    """Return the power of McNemar's two-sided test on n items, by enumeration over the discordant pairs.

    Args:
        n: independent items.
        losses: probability that only the baseline is right.
        gains: probability that only the candidate is right.
        alpha: level of the test.
        method: "mid-p" (the default test) or "exact".

    Raises:
        ValueError: when a probability or n is out of range, or the method is unknown.
    """
    from scipy.special import bdtr
    from scipy.stats import binom

    if n < 0 or losses < 0 or gains < 0 or losses + gains > 1 + 1e-12:
        raise ValueError(f"n={n}, losses={losses}, gains={gains}: probabilities of disjoint events and n >= 0")
    if not 0 < alpha < 1 or method not in ("mid-p", "exact"):
        raise ValueError(f"alpha {alpha} must lie in (0, 1) and method {method!r} be mid-p or exact")
    discordance = min(1.0, losses + gains)
    if n == 0 or discordance == 0:
        return 0.0
    # Totals of discordant pairs outside this range have a probability below 1e-12 together.
    low, high = (int(binom.ppf(tail, n, discordance)) for tail in (5e-13, 1 - 5e-13))
    totals = np.arange(max(1, low), high + 1)
    critical = _critical_counts(totals, alpha, method)
    share = gains / discordance
    rejecting = critical >= 0
    totals, critical = totals[rejecting], critical[rejecting]
    reject = bdtr(critical, totals, share) + bdtr(critical, totals, 1 - share)
    return float(min(1.0, np.dot(binom.pmf(totals, n, discordance), reject)))


def mean_difference_sample_size(
    difference: float, noise: Noise, aim: Aim = DEFAULT_AIM, design_effect: float = 1.0
) -> int:
    """Return the items needed to detect a difference of means (Miller 2024, equation 9), rounded up.

    n = (z_(alpha/2) + z_power)^2 (omega^2 + sigma_A^2/K_A + sigma_B^2/K_B) / difference^2.

    Raises:
        ValueError: when the difference is 0 or not finite, or the design effect not positive.
    """
    if difference == 0 or not math.isfinite(difference):
        raise ValueError(f"the difference must be finite and not 0, got {difference}")
    _check_design_effect(design_effect)
    factor = (aim.level_quantile + aim.power_quantile) ** 2
    return max(1, _ceil(factor * noise.variance * design_effect / difference**2))


def mean_minimum_detectable_effect(n: int, noise: Noise, aim: Aim = DEFAULT_AIM, design_effect: float = 1.0) -> float:
    """Return the smallest difference of means that n items detect (Miller 2024), in the unit of the score.

    Raises:
        ValueError: when n is below 1 or the design effect not positive.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    _check_design_effect(design_effect)
    return (aim.level_quantile + aim.power_quantile) * math.sqrt(noise.variance * design_effect / n)


NON_INFERIORITY_AIM = Aim(sides=1)


def non_inferiority_sample_size(
    discordance: float,
    margin: float,
    difference: float = 0.0,
    aim: Aim = NON_INFERIORITY_AIM,
    design_effect: float = 1.0,
) -> int:
    """Return the items needed to show non-inferiority, (discordance - difference^2) ((z_alpha + z_power)/(margin + difference))^2.

    Args:
        discordance: share of items on which the models differ.
        margin: largest acceptable drop, above 0.
        difference: true difference, candidate minus baseline; 0 for equally good models.
        aim: level, power; one-sided by default.
        design_effect: factor by which clusters inflate the variance.

    Raises:
        ValueError: when the true difference is at or beyond the margin, or a rate is out of range.
    """
    _check_rates(discordance, difference, design_effect)
    if not margin > 0 or difference <= -margin:
        raise ValueError(f"a margin of {margin} cannot be shown at a true difference of {difference}")
    root = (aim.level_quantile + aim.power_quantile) / (margin + difference)
    return max(1, _ceil((discordance - difference**2) * root**2 * design_effect))


def non_inferiority_margin(
    n: int, discordance: float, aim: Aim = NON_INFERIORITY_AIM, design_effect: float = 1.0
) -> float:
    """Return the smallest margin that n items can show for equally good models: (z_alpha + z_power) sqrt(discordance/n).

    A rule of thumb for choosing margins; with the default aim about 2.5 standard errors.

    Raises:
        ValueError: when n is below 1 or a rate is out of range.
    """
    _check_rates(discordance, 0.0, design_effect)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return (aim.level_quantile + aim.power_quantile) * math.sqrt(discordance * design_effect / n)


def non_inferiority_power(
    n: int,
    discordance: float,
    margin: float,
    difference: float = 0.0,
    aim: Aim = NON_INFERIORITY_AIM,
    design_effect: float = 1.0,
) -> float:
    """Return the normal approximation to the chance that n items show non-inferiority; `aim.power` is not read.

    Raises:
        ValueError: when n is below 1, the margin negative or a rate out of range.
    """
    _check_rates(discordance, difference, design_effect)
    if n < 1 or margin < 0:
        raise ValueError(f"n={n} must be at least 1 and the margin {margin} at least 0")
    variance = (discordance - difference**2) * design_effect / n
    if variance == 0:
        return 1.0 if margin + difference > 0 else 0.0
    return NormalDist().cdf((margin + difference) / math.sqrt(variance) - aim.level_quantile)


def cluster_design_effect(differences: npt.ArrayLike, clusters: Labels) -> float | None:
    """Return the factor by which clusters inflate the variance of the mean difference (Kish), CR1 over independent.

    None with fewer than two clusters or without any spread.

    Raises:
        ValueError: without items, when lengths differ or a value is not finite.
    """
    values: FloatArray = finite_scores(differences)
    clustered = cluster_mean(values, clusters).standard_error
    independent = mean_interval(values).standard_error
    if clustered is None or not independent:
        return None
    return (clustered / independent) ** 2


def _critical_counts(totals: npt.NDArray[np.int64], alpha: float, method: str) -> npt.NDArray[np.int64]:
    """Return, by total of discordant pairs, the largest smaller count that is rejected; -1 where none is."""
    from scipy.special import bdtr
    from scipy.stats import binom

    counts = binom.ppf(alpha / 2, totals, 0.5).astype(np.int64) + 1
    critical = np.full(totals.shape, -1, dtype=np.int64)
    # The quantile is within two of the answer; a tie of losses and gains is never rejected.
    for step in range(4):
        candidate = counts - step
        valid = (candidate >= 0) & (2 * candidate < totals)
        at, below = bdtr(candidate.clip(0), totals, 0.5), bdtr((candidate - 1).clip(0), totals, 0.5)
        below = np.where(candidate > 0, below, 0.0)
        p_value = 2 * at if method == "exact" else at + below
        critical = np.where(valid & (p_value <= alpha) & (critical < 0), candidate, critical)
    return critical


def _check_rates(discordance: float, difference: float, design_effect: float) -> None:
    if not 0 <= discordance <= 1 or not abs(difference) <= discordance:
        raise ValueError(
            f"discordance {discordance} must lie in [0, 1] and the difference {difference} not exceed it: "
            "models differ by no more than the share of items on which they disagree"
        )
    _check_design_effect(design_effect)


def _check_design_effect(design_effect: float) -> None:
    if not (math.isfinite(design_effect) and design_effect > 0):
        raise ValueError(f"the design effect must be finite and above 0, got {design_effect}")


def _ceil(value: float) -> int:
    # A value that is whole but for rounding must not gain an item.
    return math.ceil(value - 1e-9 * max(1.0, value))
