"""May this candidate replace the baseline: every rule of a policy judged, and one overall verdict."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np

from mmeval.analysis.gate_calibrate import Calibration
from mmeval.analysis.gate_data import (
    Source,
    Target,
    Values,
    candidate_values,
    flips,
    labels,
    paired_values,
    raw_values,
)
from mmeval.analysis.gate_policy import OPERATIONAL, Policy, Rule, Waiver
from mmeval.analysis.gate_verdicts import Demand, Evidence, adjusted, level_evidence, paired_evidence, verdict
from mmeval.analysis.pairing import Side
from mmeval.core.errors import ComparisonError, DataError, IncompleteError, UsageError, nearest
from mmeval.metrics import get_metric
from mmeval.stats.intervals import FloatArray

Verdict = Literal["PASS", "WAIVED", "INCONCLUSIVE", "FAIL", "ERROR", "INVALID"]
SEVERITY: tuple[Verdict, ...] = ("INVALID", "FAIL", "ERROR", "INCONCLUSIVE", "WAIVED", "PASS")
"""Worst first: the order in which verdicts decide the exit code and appear in reports."""
EXIT_CODES: dict[Verdict, int] = {"INVALID": 5, "FAIL": 3, "ERROR": 6, "INCONCLUSIVE": 4, "WAIVED": 0, "PASS": 0}


@dataclass(frozen=True, slots=True)
class Check:
    """A rule on one task."""

    rule: Rule
    target: Target

    @property
    def id(self) -> str:
        """The rule, and the task where its pattern may match several."""
        return self.rule.id


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check."""

    check: Check
    verdict: Verdict
    evidence: Evidence | None = None
    """None for INVALID and ERROR."""
    p_adjusted: float | None = None
    message: str = ""
    """Why, in one line; for INVALID and ERROR with the remedy."""
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """Items whose value fell, for rules that compare."""
    gained: tuple[str, ...] = ()
    waiver: Waiver | None = None
    expired: bool = False
    """The waiver is out of date and does not count."""

    @property
    def counts(self) -> bool:
        """Whether the finding can decide the exit code."""
        return not self.check.rule.informational


@dataclass(frozen=True, slots=True)
class GateReport:
    """Everything that `mmeval gate` says."""

    baseline: Side
    candidate: Side
    policy: Policy
    findings: tuple[Finding, ...]
    """In the order of the policy and, within a rule, of the tasks."""
    today: datetime.date
    verdict: Verdict
    exit_code: int
    reason: str


def run_gate(
    baseline: Side, candidate: Side, policy: Policy, today: datetime.date, calibration: Calibration | None = None
) -> GateReport:
    """Judge a candidate.

    Args:
        baseline: the reference.
        candidate: what is to be judged.
        policy: the rules.
        today: date for waivers.
        calibration: A/A noise; margins below it are refused.

    Raises:
        UsageError: a rule that matches nothing, a metric that the rows lack, a margin that cannot be meant.
        DataError: a table of either run is missing or damaged, whatever the rules need of it.
    """
    sources = (Source(baseline), Source(candidate))
    if not sources[0].unfinished:
        _ = sources[0].frame  # floors and ceilings do not need it, and a damaged baseline must not pass unseen
    checks = expand(policy, sources)
    judged = [_judge(check, sources, policy, calibration) for check in checks]
    findings = tuple(_waived(one, policy.waivers, today) for one in _decided(judged, policy))
    worst, code, reason = _overall(findings, policy)
    return GateReport(baseline, candidate, policy, findings, today, worst, code, reason)


def expand(policy: Policy, sources: tuple[Source, ...]) -> list[Check]:
    """Apply every rule to the tasks that it matches on either side: what the candidate lacks is judged too, as INVALID.

    Args:
        policy: the rules.
        sources: baseline and candidate, or the baseline alone.

    Raises:
        UsageError: naming every rule that matches nothing, with the nearest names.
    """
    finished = not any(source.unfinished for source in sources)
    checks: list[Check] = []
    lost: list[str] = []
    for given in policy.rules:
        found: list[Check] = []
        for rule in _parts(given):
            targets = _targets(rule, sources)
            kept = [one for one in targets if not finished or _has_rows(one, sources)]
            if not kept:
                lost.append(f"rule {given.id!r} matches nothing: {_why_nothing(rule, sources, targets)}")
                break
            found += [Check(rule, target) for target in kept]
        checks += found
    if lost:
        raise UsageError("\n".join(lost), remedy="correct the rule; a rule that matches nothing would never fail")
    return checks


def _parts(rule: Rule) -> list[Rule]:
    """A rule, and its limit on flips as a ceiling of its own."""
    if rule.max_flip_rate is None:
        return [rule]
    plain = rule.model_copy(update={"max_flip_rate": None})
    limit = Rule(
        id=f"{rule.id}/flips"[:500], task=rule.task, subset=rule.subset, metric="flip_rate", condition=rule.condition,
        kind="ceiling", value=rule.max_flip_rate, informational=rule.informational,
    )  # fmt: skip
    return [plain, limit]


def _targets(rule: Rule, sources: tuple[Source, ...]) -> list[Target]:
    column, _, label = (rule.subset or "").partition("=")
    subset = (column, label) if rule.subset else None
    found: dict[tuple[str, str], Target] = {}
    for source in sources:
        known = {name for name, _ in found}
        for record in source.records:
            both = (record.name, f"{record.name}@{record.protocol}")
            if record.name in known or not any(fnmatchcase(name, rule.task) for name in both):
                continue
            metric = rule.metric or record.metrics[0]
            found[record.name, record.protocol] = Target(record.name, record.protocol, rule.condition, metric, subset)
    return list(found.values())


def _has_rows(target: Target, sources: tuple[Source, ...]) -> bool:
    return any(not source.rows(target).empty for source in sources)


def _why_nothing(rule: Rule, sources: tuple[Source, ...], targets: list[Target]) -> str:
    if not targets:
        return _near("task", rule.task, {record.name for source in sources for record in source.records})
    conditions = {name for source in sources for name in source.side.run.manifest.conditions}
    if rule.condition not in conditions:
        return _near("condition", rule.condition, conditions)
    known = {"=".join(pair) for target in targets for pair in labels(sources, target)}
    if rule.subset:
        return _near("subset", rule.subset, known)
    return f"no row of {', '.join(target.task for target in targets[:5])} under condition {rule.condition!r}"


def _near(kind: str, name: str, known: set[str]) -> str:
    close = nearest(name, known)
    listed = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(sorted(known)[:12]) or 'none'}"
    return f"no {kind} {name!r} in these runs; {listed}"


def _judge(check: Check, sources: tuple[Source, Source], policy: Policy, calibration: Calibration | None) -> Finding:
    try:
        return _measured(check, sources, policy, calibration)
    except IncompleteError as error:
        return Finding(check, "ERROR", message=_line(error))
    except ComparisonError as error:
        return Finding(check, "INVALID", message=_line(error))
    except DataError as error:
        raise UsageError(f"rule {check.id!r}, {check.target.place}: {error.message}", remedy=error.remedy) from error


def _line(error: ComparisonError | IncompleteError) -> str:
    return f"{error.message}; {error.remedy}" if error.remedy else error.message


def _measured(check: Check, sources: tuple[Source, Source], policy: Policy, calibration: Calibration | None) -> Finding:
    rule, target, defaults = check.rule, check.target, policy.defaults
    if not rule.paired:
        found = candidate_values(sources[1], target, defaults)
        check_scale(check, np.concatenate([found.values, _of_baseline(sources[0], target)]))
        return _level(check, found, policy)
    data = paired_values(*sources, target, defaults)
    if rule.metric == "flip_rate":
        differing = flips(data)
        check_scale(check, differing.values)
        return _level(check, differing, policy)
    if len(data.items) < defaults.min_n:
        raise _too_few(len(data.items), policy)
    check_scale(check, np.concatenate([data.base, data.candidate]))
    notes = list(data.notes)
    if calibration is not None:
        answers = (sources[0].answers(target), sources[1].answers(target))
        notes += calibration.check(rule, target, len(data.items), answers)
    if data.values() is None:
        raise ComparisonError(f"{target.place}: {target.metric} is undefined (0/0) on these items")
    pair = data.pair(independent=defaults.cluster == "none")
    single = all(source.answers(target) == 1 for source in sources)
    evidence = paired_evidence(demand_of(check, policy), pair, single)
    lost, gained = data.moved()
    return Finding(check, "INCONCLUSIVE", evidence, None, "", (*notes, *_noted(evidence)), lost, gained)


def _of_baseline(source: Source, target: Target) -> FloatArray:
    """Values of the baseline's rows, which say on what scale a metric without bounds is measured."""
    if is_share(target.metric) or source.unfinished:
        return np.empty(0)
    return np.array([value for _, _, value in raw_values(source.rows(target), target.metric)], dtype=np.float64)


def _level(check: Check, values: Values, policy: Policy) -> Finding:
    if values.values.size < policy.defaults.min_n:
        raise _too_few(values.values.size, policy)
    labels = None if policy.defaults.cluster == "none" else values.clusters
    found = level_evidence(demand_of(check, policy), values.values, labels, values.functional)
    return Finding(check, "INCONCLUSIVE", found, notes=(*values.notes, *_noted(found)))


def _noted(found: Evidence) -> list[str]:
    return [found.note] if found.note else []


def _too_few(n: int, policy: Policy) -> ComparisonError:
    return ComparisonError(
        f"{n} items are fewer than min_n {policy.defaults.min_n}", remedy="run more items, or lower min_n in the policy"
    )


def demand_of(check: Check, policy: Policy) -> Demand:
    """The statistical part of a rule on one task."""
    rule, metric = check.rule, check.target.metric
    return Demand(
        kind=rule.kind,
        tolerance=rule.tolerance,
        harm=rule.harm,
        value=float(rule.value or 0.0),
        higher_is_better=rule.better(metric) == "higher",
        alpha=policy.defaults.alpha,
        seed=policy.defaults.seed,
        share=is_share(metric),
    )


def is_share(metric: str) -> bool:
    """Whether a metric's values are shares of 1 by definition."""
    return metric in OPERATIONAL or get_metric(metric).bounds == (0.0, 1.0)


def check_scale(check: Check, values: FloatArray) -> None:
    """Refuse percent where a fraction is meant.

    Raises:
        UsageError: a bound that the metric cannot have.
    """
    rule = check.rule
    if not is_share(check.target.metric) and bool(np.any((values < 0) | (values > 1))):
        return
    for key in ("margin", "min_effect", "value"):
        given = getattr(rule, key)
        if given is not None and (given > 1 or (given == 1 and key != "value") or (given < 0 and key == "value")):
            raise UsageError(
                f"rule {rule.id!r}, {check.target.place}: {key} is {given:g}, but values of {check.target.metric}"
                " lie in [0, 1]",
                remedy=f"give a fraction: {f'{given / 100:g}' if 0 <= given <= 100 else '0.02 for two points'}",
            )


def _decided(findings: Sequence[Finding], policy: Policy) -> list[Finding]:
    """Correct the FAIL side over all rules that count, and give each its verdict.

    A rule without a p-value (INVALID, ERROR) stays in the family with p = 1: what fails beside it fails all the more
    once its own p-value is known, so that a retry never takes a FAIL back.
    """
    family = [one for one in findings if one.counts]
    p_values = [1.0 if one.evidence is None else one.evidence.p for one in family]
    corrected = iter(adjusted(p_values, policy.defaults.correction))
    decided = []
    for one in findings:
        own = 1.0 if one.evidence is None else one.evidence.p
        p_adjusted = next(corrected) if one.counts else own
        if one.evidence is None:
            decided.append(one)
            continue
        found = verdict(one.evidence, p_adjusted, policy.defaults.alpha)
        decided.append(replace(one, verdict=found, p_adjusted=p_adjusted, message=_why(one, found, p_adjusted, policy)))
    return decided


def _why(one: Finding, found: Verdict, p_adjusted: float, policy: Policy) -> str:
    rule, evidence = one.check.rule, one.evidence
    assert evidence is not None
    alpha = policy.defaults.alpha
    if rule.kind in ("floor", "ceiling"):
        side = "below" if rule.kind == "floor" else "above"
        if found == "PASS":
            return f"shown not to be {side} {rule.value:g}"
        if found == "FAIL":
            return f"{evidence.candidate:.4g} is shown to be {side} {rule.value:g}"
        return f"{evidence.candidate:.4g} is too close to {rule.value:g} to tell on {evidence.n} items{_need(evidence)}"
    what = "a difference" if rule.kind == "equivalence" else "a drop"
    if found == "PASS":
        return f"{what} of {rule.tolerance:g} or more is ruled out"
    if found == "FAIL":
        return f"{what} is shown (adjusted p {p_adjusted:.3g}), and the estimate reaches {rule.harm:g}"
    parts = [f"neither {what} nor its absence within {rule.tolerance:g} is shown"]
    if evidence.harmful and evidence.p <= alpha < p_adjusted:
        parts.append("significant on its own, but not corrected for all rules")
    if evidence.mde is not None:
        parts.append(f"detectable with 80 % power: {evidence.mde:.3g}")
    return "; ".join(parts) + _need(evidence)


def _need(evidence: Evidence) -> str:
    if evidence.delta is None and evidence.needed is not None:
        return f"; this value would need about {evidence.needed} items"
    if evidence.needed is None:
        return ""
    return f"; a candidate as good as the baseline would need about {evidence.needed} items"


def _waived(one: Finding, waivers: Sequence[Waiver], today: datetime.date) -> Finding:
    rule = one.check.rule.id
    own = [waiver for waiver in waivers if rule in (waiver.rule, f"{waiver.rule}/flips")]
    if not own or one.verdict not in ("FAIL", "INCONCLUSIVE"):
        return one
    latest = max(own, key=lambda waiver: waiver.until)
    if latest.until < today:
        note = f"the waiver by {latest.by} expired on {latest.until}"
        return replace(one, waiver=latest, expired=True, notes=(*one.notes, note))
    if one.verdict == "INCONCLUSIVE":
        return replace(one, waiver=latest)
    note = f"waived until {latest.until} by {latest.by}: {latest.reason}"
    return replace(one, verdict="WAIVED", waiver=latest, notes=(*one.notes, note))


def _overall(findings: Sequence[Finding], policy: Policy) -> tuple[Verdict, int, str]:
    counted = [one for one in findings if one.counts]
    counts: dict[Verdict, list[Finding]] = {name: [one for one in counted if one.verdict == name] for name in SEVERITY}
    worst: Verdict = next((name for name in SEVERITY if counts[name] and name != "WAIVED"), "PASS")
    code = EXIT_CODES[worst]
    if worst == "INCONCLUSIVE":
        open_ones = [one for one in counts[worst] if one.waiver is None or one.expired]
        code = 4 if policy.defaults.on_inconclusive == "fail" and open_ones else 0
    told = ", ".join(f"{len(counts[name])} {name}" for name in SEVERITY if counts[name]) or "no rule counts"
    first = "" if worst == "PASS" else f"; {worst} first: {counts[worst][0].check.id}"
    ignored = len(findings) - len(counted)
    return worst, code, told + (f" ({ignored} informational beside)" if ignored else "") + first
