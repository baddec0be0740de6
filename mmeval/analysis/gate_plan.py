"""What a policy can find out before any GPU time is spent: the power of every rule, from the baseline run alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mmeval.analysis.gate import Check, check_scale, demand_of, expand
from mmeval.analysis.gate_calibrate import Calibration
from mmeval.analysis.gate_data import Source, Values, candidate_values
from mmeval.analysis.gate_policy import OPERATIONAL, Policy
from mmeval.analysis.gate_verdicts import Demand, level_evidence
from mmeval.analysis.pairing import Side
from mmeval.core.errors import ComparisonError, DataError, UsageError
from mmeval.metrics import get_metric
from mmeval.metrics.registry import row_metric
from mmeval.stats.functionals import estimate_functional
from mmeval.stats.intervals import FloatArray
from mmeval.stats.power import cluster_design_effect
from mmeval.stats.scores import cluster_index, is_binary

ASSUMED = (0.1, 0.2)
"""Shares of differing items that are assumed without a calibration or a policy that says otherwise."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The chances of one rule under one assumed share of differing items."""

    discordance: float | None
    """None for floor and ceiling."""
    passes: float
    """Chance of PASS for a candidate that is as good as the baseline."""
    detects: float | None
    """Chance of FAIL for a drop of `drop`; None for floor and ceiling."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One rule on one task."""

    check: Check
    n: int
    clusters: int
    design_effect: float
    """Factor by which clusters inflate the variance of the baseline's values."""
    drop: float | None
    """The drop that `detects` is about: twice the larger of min_effect and margin."""
    scenarios: tuple[Scenario, ...]
    problem: str
    """Why the rule is refused; empty for a rule that can do its work."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The power of a policy."""

    baseline: str
    policy: Policy
    rules: tuple[Planned, ...]
    alpha_adjusted: float
    """Level of the strictest FAIL decision after Holm's correction."""

    @property
    def refused(self) -> tuple[Planned, ...]:
        """Rules that count and cannot do their work."""
        return tuple(one for one in self.rules if one.problem and not one.check.rule.informational)


def plan_gate(baseline: Side, policy: Policy, calibration: Calibration | None = None) -> Plan:
    """Compute the power of every rule; no candidate is needed.

    Args:
        baseline: a finished run of the baseline.
        policy: the rules.
        calibration: gives the share of differing items, as the upper 95 % limit of the A/A flip rate.

    Raises:
        UsageError: a rule that matches nothing, or a margin below the A/A noise.
        ComparisonError: rows that cannot be used.
    """
    source = Source(baseline)
    checks = expand(policy, (source,))
    family = sum(not check.rule.informational for check in checks)
    level = policy.defaults.alpha / max(1, family) if policy.defaults.correction == "holm" else policy.defaults.alpha
    rules = tuple(_planned(check, source, policy, calibration, level) for check in checks)
    return Plan(baseline.label, policy, rules, level)


def _planned(check: Check, source: Source, policy: Policy, calibration: Calibration | None, level: float) -> Planned:
    rule, target = check.rule, check.target
    values = _values(check, source, policy)
    check_scale(check, values.values)
    labels = None if policy.defaults.cluster == "none" else values.clusters
    effect = _design_effect(values, labels)
    n, clusters = values.values.size, values.values.size if labels is None else len(set(labels))
    demand = demand_of(check, policy)
    if rule.metric == "flip_rate":
        shares = _discordances(check, policy, calibration)
        scenarios = tuple(Scenario(share, _level_power(demand, share, n, effect), None) for share in shares)
        drop = None
    elif not rule.paired:
        scenarios = (Scenario(None, _own_power(demand, values, labels, effect), None),)
        drop = None
    else:
        if calibration is not None:
            answers = source.answers(target)
            calibration.check(rule, target, n, (answers, answers))
        drop = 2 * max(rule.tolerance, rule.harm)
        # A yes-or-no score differs by 1 where it differs; others scale with their spread (a variance of 1/4 at most).
        scale = 1.0 if is_binary(values.values) else 4 * float(values.values.var())
        scenarios = tuple(
            Scenario(share, *_paired_power(demand, math.sqrt(share * scale * effect / n), drop, level))
            for share in _discordances(check, policy, calibration)
        )
    return Planned(check, n, clusters, effect, drop, scenarios, _problem(n, scenarios, policy))


def _values(check: Check, source: Source, policy: Policy) -> Values:
    target = check.target
    if check.rule.metric == "flip_rate":
        record = source.record(target)
        assert record is not None
        target = replace(target, metric=row_metric(record.metrics[0]))
    try:
        return candidate_values(source, target, policy.defaults)
    except DataError as error:
        raise UsageError(f"rule {check.id!r}, {target.place}: {error.message}", remedy=error.remedy) from error
    except ComparisonError as error:
        raise ComparisonError(f"rule {check.id!r}: {error.message}", remedy=error.remedy) from error


def _discordances(check: Check, policy: Policy, calibration: Calibration | None) -> Sequence[float]:
    if policy.defaults.discordance is not None:
        return policy.defaults.discordance
    if calibration is not None:
        target = check.target
        if target.metric == "flip_rate":
            known = [e for e in calibration.entries if (e.task, e.protocol, e.condition) == _place(check)]
            entry = next(
                (one for one in known if one.metric not in OPERATIONAL and get_metric(one.metric).binary), None
            )
        else:
            entry = calibration.find(target)
        if entry is not None:
            return [max(entry.flip_rate_high, 1e-6)]
    return ASSUMED


def _place(check: Check) -> tuple[str, str, str]:
    return check.target.task, check.target.protocol, check.target.condition


def _paired_power(demand: Demand, error: float, drop: float, level: float) -> tuple[float, float]:
    """Normal approximation to the chances of PASS without a difference and of FAIL under a drop."""
    normal = NormalDist()
    if error <= 0:
        return 1.0, 1.0
    passes = normal.cdf(demand.tolerance / error - normal.inv_cdf(1 - demand.alpha))
    if demand.kind == "equivalence":  # both sides have to hold
        passes = max(0.0, 2 * passes - 1)
    quantile = normal.inv_cdf(1 - (level / 2 if demand.kind == "equivalence" else level))
    return passes, normal.cdf((drop - max(demand.harm, quantile * error)) / error)


def _design_effect(values: Values, labels: Sequence[str] | None) -> float:
    """Return the factor by which clusters, and a metric that is no mean, inflate the variance of a mean of the values."""
    data = values.values
    if values.functional is None:
        return 1.0 if labels is None else max(1.0, cluster_design_effect(data, labels) or 1.0)
    found = estimate_functional(values.functional, cluster_index(labels, data.size), None)
    spread = float(data.var(ddof=1)) / data.size if data.size > 1 else 0.0
    return max(1.0, (found.standard_error or 0.0) ** 2 / spread) if spread else 1.0


def _own_power(demand: Demand, given: Values, labels: Sequence[str] | None, effect: float) -> float:
    values = given.values
    if is_binary(values) and given.functional is None:
        return _level_power(demand, float(values.mean()), values.size, effect)
    found = level_evidence(demand, values, labels, given.functional)
    if not found.standard_error:
        return float(found.shown)
    distance = found.candidate - demand.value if demand.kind == "floor" else demand.value - found.candidate
    normal = NormalDist()
    return normal.cdf(distance / found.standard_error - normal.inv_cdf(1 - demand.alpha))


def _level_power(demand: Demand, rate: float, n: int, effect: float) -> float:
    """Chance that Wilson's limit of a share stays on the right side of the bound, by enumeration of the counts."""
    from scipy.stats import binom

    trials = max(1, round(n / effect))
    counts = np.arange(trials + 1)
    low, high = _wilson_limits(counts, trials, demand.alpha)
    reached = low >= demand.value if demand.kind == "floor" else high <= demand.value
    return float(min(1.0, np.dot(binom.pmf(counts, trials, rate), reached)))


def _wilson_limits(counts: npt.NDArray[np.int64], trials: int, alpha: float) -> tuple[FloatArray, FloatArray]:
    z2 = NormalDist().inv_cdf(1 - alpha) ** 2
    share = counts / trials
    center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2) / (1 + z2 / trials) * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return np.where(counts == 0, 0.0, center - half), np.where(counts == trials, 1.0, center + half)


def _problem(n: int, scenarios: Sequence[Scenario], policy: Policy) -> str:
    """The most favourable scenario decides: a rule that fails even there can never do its work."""
    defaults = policy.defaults
    if n < defaults.min_n:
        return f"{n} items are fewer than min_n {defaults.min_n}"
    passes = max(one.passes for one in scenarios)
    if passes < defaults.min_power:
        return f"cannot pass: a candidate as good as the baseline passes in {passes:.0%} of cases"
    detects = [one.detects for one in scenarios if one.detects is not None]
    if detects and max(detects) < defaults.min_power:
        return f"cannot detect: the drop is found in {max(detects):.0%} of cases"
    return ""
