"""The statistics of one gate rule: what the data show, and the three-valued verdict that follows.

Everything inside is oriented so that larger is better; what is reported is candidate minus baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmeval.analysis.gate_policy import Kind
from mmeval.stats.functionals import FUNCTIONAL_PLAN, Functional, estimate_functional
from mmeval.stats.intervals import FloatArray, Interval, MeanEstimate, cluster_mean, wilson
from mmeval.stats.multiplicity import holm
from mmeval.stats.paired import PairedTable
from mmeval.stats.pairs import Pair, Resampling, equivalence, non_inferiority
from mmeval.stats.power import Aim, Noise, cluster_design_effect, mean_difference_sample_size
from mmeval.stats.scores import IntArray, cluster_index, is_binary

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
    """Smallest difference detected with 80 % power by the test of the FAIL side, uncorrected: one-sided at alpha, two-sided
    for equivalence. None where the data cannot give one."""
    needed: int | None
    """Items with which a candidate as good as the baseline would pass with 80 % power."""
    table: PairedTable | None = None
    standard_error: float | None = None
    note: str = ""


def paired_evidence(demand: Demand, given: Pair, single: bool) -> Evidence:
    """Judge a candidate against a baseline.

    FAIL side: the two-sided default test of the pair halved (McNemar mid-p, t on CR1 errors, sign flips; the paired
    bootstrap for metrics that are no means). PASS side: non-inferiority, for equivalence both sides.

    Args:
        demand: the rule.
        given: baseline and candidate.
        single: whether both sides have one answer per item; without, no 2x2 table is reported.

    Raises:
        ValueError: without items, for values that are not finite, or where the metric is undefined.
    """
    pair = given if demand.higher_is_better else given.swapped()
    how = Resampling(seed=demand.seed)
    found = pair.compare(1 - 2 * demand.alpha, how)
    gain = found.difference.estimate
    two_sided = 1.0 if found.difference.p_value is None else found.difference.p_value
    if demand.kind == "equivalence":
        p, harmful = two_sided, abs(gain) >= demand.harm - 1e-12
        shown = equivalence(pair, demand.tolerance, how)
    else:
        p, harmful = (two_sided / 2 if gain < 0 else 1 - two_sided / 2), gain < 0 and gain <= -demand.harm + 1e-12
        shown = non_inferiority(pair, demand.tolerance, how)
    table = found.table if single and found.table is not None else None
    if table is not None and not demand.higher_is_better:
        table = table.swapped()
    interval = found.difference.interval
    if interval is not None and not demand.higher_is_better:
        interval = Interval(-interval.high, -interval.low, interval.level, interval.method)
    base, candidate = given.values
    return Evidence(
        n=given.n,
        clusters=given.cluster_count,
        base=base,
        candidate=candidate,
        delta=gain if demand.higher_is_better else 0.0 - gain,
        interval=interval,
        shown=shown.p_value < demand.alpha,
        p=min(1.0, p),
        harmful=harmful,
        test=found.difference.method,
        mde=given.detectable(replace(aim(demand.alpha), sides=2 if demand.kind == "equivalence" else 1)),
        needed=_needed(given, demand, found.table),
        table=table,
        standard_error=found.difference.standard_error,
        note=found.difference.note,
    )


def level_evidence(
    demand: Demand, values: npt.ArrayLike, clusters: Sequence[str] | None, functional: Functional | None = None
) -> Evidence:
    """Judge a value against a floor or a ceiling.

    A mean of independent values of 0 and 1: Wilson's limit and the score test that it inverts. Another mean: t on the CR1
    standard error. Where no spread can be estimated, shares get Wilson's limit with one trial per cluster; other values
    none. A metric that is no mean: its cluster bootstrap.

    Args:
        demand: the rule.
        values: value of each item, shape (n,).
        clusters: label of each item; None takes items as independent.
        functional: the metric, where it is no mean of the values.

    Raises:
        ValueError: without items, for values that are not finite, or where the metric is undefined.
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if data.size == 0:
        raise ValueError("no items to judge")
    if functional is not None:
        return _functional_evidence(demand, functional, cluster_index(clusters, data.size))
    found = cluster_mean(data, range(data.size) if clusters is None else clusters, 1 - 2 * demand.alpha)
    mean = float(found.mean or 0.0)
    share = is_binary(data) or (demand.share and bool(np.all((data >= 0) & (data <= 1))))
    independent = found.clusters == found.n and is_binary(data)
    if share and (independent or not found.standard_error):
        trials = found.n if independent else found.clusters
        interval = wilson(min(max(mean, 0.0), 1.0) * trials, trials, 1 - 2 * demand.alpha)
        p = _score_p(mean, demand, trials)
        test = "wilson" if independent else "wilson-clusters"
    else:
        p, interval, test = *_t_p(found, demand), "cr1-t" if found.clusters < found.n else "t"
        if interval is not None and share:
            interval = interval.clip(0.0, 1.0)
    level = _Level(mean, interval, p, test, found.standard_error)
    return level.evidence(demand, found.n, found.clusters, _needed_level(data, mean, clusters, demand))


@dataclass(frozen=True, slots=True)
class _Level:
    """A value and its one-sided test against the bound of a rule."""

    value: float
    interval: Interval | None
    p: float
    """One-sided p-value against a true value on the right side of the bound."""
    test: str
    standard_error: float | None

    def evidence(self, demand: Demand, n: int, clusters: int, needed: int | None) -> Evidence:
        """The evidence of a floor or a ceiling."""
        floor = demand.kind == "floor"
        interval, bound = self.interval, demand.value
        reached = interval is not None and (interval.low >= bound if floor else interval.high <= bound)
        return Evidence(
            n=n,
            clusters=clusters,
            base=None,
            candidate=self.value,
            delta=None,
            interval=interval,
            shown=reached,
            p=self.p,
            harmful=self.value < bound if floor else self.value > bound,
            test=self.test,
            mde=None,
            needed=needed,
            standard_error=self.standard_error,
            note="" if interval is not None else "the spread is unknown: no limit",
        )


def _functional_evidence(demand: Demand, functional: Functional, index: IntArray) -> Evidence:
    plan = replace(FUNCTIONAL_PLAN, level=1 - 2 * demand.alpha, seed=demand.seed)
    found = estimate_functional(functional, index, (0.0, 1.0) if demand.share else None, plan)
    if found.value is None:
        raise ValueError("the metric is undefined on these items: 0/0")
    clusters = int(index.max()) + 1
    if found.limits is not None:
        p = found.limits.one_sided(demand.value, "less" if demand.kind == "floor" else "greater")
    elif found.interval is not None and clusters > 1:
        p = _score_p(found.value, demand, max(1, round(functional.effective_clusters(index, clusters))))
    else:
        p = 0.5
    test = "none" if found.interval is None else found.interval.method
    distance = found.value - demand.value if demand.kind == "floor" else demand.value - found.value
    needed = None
    if found.standard_error and distance > 0:
        noise = Noise(found.standard_error**2 * index.size)
        needed = _bounded(mean_difference_sample_size(distance, noise, aim(demand.alpha)))
    level = _Level(found.value, found.interval, p, test, found.standard_error)
    return level.evidence(demand, index.size, clusters, needed)


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


def _needed(pair: Pair, demand: Demand, table: PairedTable | None) -> int | None:
    wanted = aim(demand.alpha)
    if demand.kind == "equivalence":  # both limits have to hold, of which each fails half as often
        wanted = replace(wanted, power=(1 + wanted.power) / 2)
    size = pair.needed(demand.tolerance, wanted)
    if size is None:
        return None
    if table is not None and (pair.cluster_count == pair.n or not table.discordant):
        # Even without a discordant pair a score limit needs z^2 (1 - m) / m of them.
        least = wanted.level_quantile**2 * max(0.0, 1 - demand.tolerance) / demand.tolerance
        size = max(size, math.ceil(least * pair.n / pair.cluster_count))
    return _bounded(size)


def _needed_level(data: FloatArray, mean: float, clusters: Sequence[str] | None, demand: Demand) -> int | None:
    distance = mean - demand.value if demand.kind == "floor" else demand.value - mean
    if distance <= 0 or data.size < 2 or (clusters is not None and len(set(clusters)) == 1):
        return None  # how alike the items of a cluster are is unknown
    effect = None if clusters is None else cluster_design_effect(data, clusters)
    variance = float(data.var(ddof=1))
    if is_binary(data):
        variance = max(variance, demand.value * (1 - demand.value))
    # Clusters that happen to cancel out promise no more power than independent items.
    inflation = max(1.0, effect or 1.0)
    return _bounded(mean_difference_sample_size(distance, Noise(variance), aim(demand.alpha), inflation))


def _bounded(size: int) -> int | None:
    return size if size <= MAXIMUM_NEEDED else None


def _score_p(mean: float, demand: Demand, trials: int) -> float:
    """One-sided p-value against a true share on the right side of the bound."""
    if demand.kind == "floor":
        share, least = mean, demand.value
    else:  # a ceiling of successes is a floor of failures
        share, least = 1 - mean, 1 - demand.value
    if not 0 < least < 1:
        return 0.0 if share < least else 1.0
    return NormalDist().cdf((share - least) / math.sqrt(least * (1 - least) / trials))


def _t_p(found: MeanEstimate, demand: Demand) -> tuple[float, Interval | None]:
    """One-sided p-value against a true mean on the right side of the bound, and the interval; (0.5, None) without a spread."""
    from scipy.special import stdtr

    if not found.standard_error:
        return 0.5, None
    statistic = (float(found.mean or 0.0) - demand.value) / found.standard_error
    p = stdtr(found.clusters - 1, statistic if demand.kind == "floor" else -statistic)
    return float(p), found.interval
