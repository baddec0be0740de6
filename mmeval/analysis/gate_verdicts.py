"""The statistics of one gate rule: what the data show, and the three-valued verdict that follows.

Everything inside is oriented so that larger is better; what is reported is candidate minus baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmeval.analysis.gate_policy import Kind
from mmeval.stats.comparison import compare_paired
from mmeval.stats.equivalence import equivalence_test, non_inferiority_test
from mmeval.stats.intervals import FloatArray, Interval, MeanEstimate, cluster_mean, wilson
from mmeval.stats.multiplicity import holm
from mmeval.stats.paired import PairedTable
from mmeval.stats.power import (
    Aim,
    Noise,
    cluster_design_effect,
    mean_difference_sample_size,
    mean_minimum_detectable_effect,
    minimum_detectable_effect,
    non_inferiority_sample_size,
)
from mmeval.stats.scores import is_binary

Statistical = Literal["PASS", "FAIL", "INCONCLUSIVE"]
MAXIMUM_NEEDED = 10**9
"""Items beyond this are reported as None: no number of items would do."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The part of a rule that statistics need."""

    kind: Kind
    tolerance: float = 0.0
    """Drop that PASS has to rule out."""
    harm: float = 0.0
    """Estimated drop from which on FAIL is possible."""
    value: float = 0.0
    """Of floor and ceiling."""
    higher_is_better: bool = True
    alpha: float = 0.05
    seed: int = 0
    share: bool = False
    """Whether values are shares of 1 by definition."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data of one rule say."""

    n: int
    clusters: int
    base: float | None
    """None for floor and ceiling."""
    candidate: float
    delta: float | None
    """Candidate minus baseline; None for floor and ceiling."""
    interval: Interval | None
    """Of delta (of the candidate's value for floor and ceiling): both one-sided limits at 1 - alpha."""
    shown: bool
    """Whether the data show what the rule asks for, at alpha: the PASS side."""
    p: float
    """p-value of the FAIL side, before correction."""
    harmful: bool
    """Whether the estimate is bad enough for FAIL."""
    test: str
    mde: float | None
    """Smallest difference detected with 80 % power at one-sided alpha; None where the data cannot give one."""
    needed: int | None
    """Items with which a candidate as good as the baseline would pass with 80 % power."""
    table: PairedTable | None = None
    standard_error: float | None = None
    note: str = ""


def paired_evidence(
    demand: Demand, baseline: FloatArray, candidate: FloatArray, clusters: Sequence[str] | None, single: bool
) -> Evidence:
    """Judge a candidate against a baseline.

    FAIL side: the two-sided default test of `compare_paired` halved (McNemar mid-p, t on CR1 errors, sign flips).
    PASS side: `non_inferiority_test`, for equivalence `equivalence_test`.

    Args:
        demand: the rule.
        baseline: value of each item, shape (n,).
        candidate: the same items in the same order.
        clusters: label of each item; None takes items as independent.
        single: whether both sides have one answer per item; without, no 2x2 table is reported.

    Raises:
        ValueError: without items or for values that are not finite.
    """
    first, second = (baseline, candidate) if demand.higher_is_better else (candidate, baseline)
    found = compare_paired(first, second, clusters, level=1 - 2 * demand.alpha, seed=demand.seed)
    gain = found.difference.estimate
    two_sided = 1.0 if found.difference.p_value is None else found.difference.p_value
    if demand.kind == "equivalence":
        p, harmful = two_sided, abs(gain) >= demand.harm - 1e-12
        shown = equivalence_test(first, second, demand.tolerance, clusters, seed=demand.seed)
    else:
        p, harmful = (two_sided / 2 if gain < 0 else 1 - two_sided / 2), gain < 0 and gain <= -demand.harm + 1e-12
        shown = non_inferiority_test(first, second, demand.tolerance, clusters, seed=demand.seed)
    differences = candidate - baseline
    effect = _design_effect(differences, clusters)
    table = found.table if single and found.table is not None else None
    if table is not None and not demand.higher_is_better:
        table = table.swapped()
    interval = found.difference.interval
    if interval is not None and not demand.higher_is_better:
        interval = Interval(-interval.high, -interval.low, interval.level, interval.method)
    return Evidence(
        n=int(baseline.size),
        clusters=int(baseline.size) if clusters is None else len(set(clusters)),
        base=float(baseline.mean()),
        candidate=float(candidate.mean()),
        delta=gain if demand.higher_is_better else 0.0 - gain,
        interval=interval,
        shown=shown.p_value < demand.alpha,
        p=min(1.0, p),
        harmful=harmful,
        test=found.difference.method,
        mde=_detectable(differences, effect, demand),
        needed=_needed(differences, effect, demand),
        table=table,
        standard_error=found.difference.standard_error,
        note=found.difference.note,
    )


def level_evidence(demand: Demand, values: npt.ArrayLike, clusters: Sequence[str] | None) -> Evidence:
    """Judge a mean against a floor or a ceiling.

    Independent values of 0 and 1: Wilson's limit and the score test that it inverts. Otherwise t on the CR1 standard
    error. Where no spread can be estimated, shares get Wilson's limit with one trial per cluster; other values none.

    Args:
        demand: the rule.
        values: value of each item, shape (n,).
        clusters: label of each item; None takes items as independent.

    Raises:
        ValueError: without items or for values that are not finite.
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if data.size == 0:
        raise ValueError("no items to judge")
    found = cluster_mean(data, range(data.size) if clusters is None else clusters, 1 - 2 * demand.alpha)
    mean = float(found.mean or 0.0)
    share = is_binary(data) or (demand.share and bool(np.all((data >= 0) & (data <= 1))))
    floor = demand.kind == "floor"
    independent = found.clusters == found.n and is_binary(data)
    if share and (independent or not found.standard_error):
        trials = found.n if independent else found.clusters
        interval = wilson(min(max(mean, 0.0), 1.0) * trials, trials, 1 - 2 * demand.alpha)
        below = _score_p(mean, demand.value, trials)
        test = "wilson" if independent else "wilson-clusters"
    else:
        below, interval, test = *_t_p(found, demand.value), "cr1-t" if found.clusters < found.n else "t"
        if interval is not None and share:
            interval = interval.clip(0.0, 1.0)
    reached = interval is not None and (interval.low >= demand.value if floor else interval.high <= demand.value)
    return Evidence(
        n=found.n,
        clusters=found.clusters,
        base=None,
        candidate=mean,
        delta=None,
        interval=interval,
        shown=reached,
        p=below if floor else 1 - below,
        harmful=mean < demand.value if floor else mean > demand.value,
        test=test,
        mde=None,
        needed=_needed_level(data, mean, _design_effect(data, clusters), demand),
        standard_error=found.standard_error,
        note="" if interval is not None else "the spread is unknown: no limit",
    )


def adjusted(p_values: Sequence[float], correction: Literal["holm", "none"]) -> list[float]:
    """Return FAIL-side p-values after correction over the family given."""
    return [float(p) for p in holm(p_values)] if correction == "holm" and p_values else list(p_values)


def verdict(found: Evidence, p_adjusted: float, alpha: float) -> Statistical:
    """Return the verdict of one rule.

    FAIL: the corrected p-value is at most alpha and the estimate is bad enough. PASS: the limit lies on the right side
    of what the rule tolerates. INCONCLUSIVE: neither is shown.
    """
    if found.harmful and p_adjusted <= alpha:
        return "FAIL"
    return "PASS" if found.shown else "INCONCLUSIVE"


def aim(alpha: float) -> Aim:
    """The level of a gate and the usual 80 % power."""
    return Aim(alpha=alpha, power=0.8, sides=1)


def _design_effect(values: FloatArray, clusters: Sequence[str] | None) -> float | None:
    if clusters is not None and len(set(clusters)) == 1 < len(clusters):
        return None  # how alike the items of a cluster are is unknown
    effect = None if clusters is None else cluster_design_effect(values, clusters)
    # Clusters that happen to cancel out promise no more power than independent items.
    return max(1.0, effect or 1.0)


def _detectable(differences: FloatArray, effect: float | None, demand: Demand) -> float | None:
    if effect is None or differences.size < 2 or not float(np.abs(differences).max()):
        return None
    if bool(np.all(np.isin(differences, (-1.0, 0.0, 1.0)))):
        discordance = float(np.count_nonzero(differences)) / differences.size
        return minimum_detectable_effect(differences.size, discordance, aim(demand.alpha), effect)
    noise = Noise(between=float(differences.var(ddof=1)))
    return mean_minimum_detectable_effect(differences.size, noise, aim(demand.alpha), effect) if noise.between else None


def _needed(differences: FloatArray, effect: float | None, demand: Demand) -> int | None:
    if effect is None:
        return None
    # Even without a discordant pair a score limit needs z^2 (1 - m) / m items.
    least = math.ceil(aim(demand.alpha).level_quantile ** 2 * max(0.0, 1 - demand.tolerance) / demand.tolerance)
    if bool(np.all(np.isin(differences, (-1.0, 0.0, 1.0)))):
        discordance = float(np.count_nonzero(differences)) / differences.size
        size = non_inferiority_sample_size(discordance, demand.tolerance, 0.0, aim(demand.alpha), effect)
    else:
        noise = Noise(between=float(differences.var(ddof=1)) if differences.size > 1 else 0.0)
        size = mean_difference_sample_size(demand.tolerance, noise, aim(demand.alpha), effect)
    return _bounded(max(size, least))


def _needed_level(data: FloatArray, mean: float, effect: float | None, demand: Demand) -> int | None:
    distance = mean - demand.value if demand.kind == "floor" else demand.value - mean
    if effect is None or distance <= 0 or data.size < 2:
        return None
    variance = float(data.var(ddof=1))
    if is_binary(data):
        variance = max(variance, demand.value * (1 - demand.value))
    return _bounded(mean_difference_sample_size(distance, Noise(variance), aim(demand.alpha), effect))


def _bounded(size: int) -> int | None:
    return size if size <= MAXIMUM_NEEDED else None


def _score_p(mean: float, value: float, trials: int) -> float:
    """One-sided p-value against a true share of at least `value`."""
    if not 0 < value < 1:
        outside = mean < value if value >= 1 else mean <= value and value < 0
        return 0.0 if outside else 1.0
    statistic = (mean - value) / math.sqrt(value * (1 - value) / trials)
    return NormalDist().cdf(statistic)


def _t_p(found: MeanEstimate, value: float) -> tuple[float, Interval | None]:
    """One-sided p-value against a true mean of at least `value`, and the interval; (0.5, None) without a spread."""
    from scipy.special import stdtr

    if not found.standard_error:
        return 0.5, None
    statistic = (float(found.mean or 0.0) - value) / found.standard_error
    return float(stdtr(found.clusters - 1, statistic)), found.interval
