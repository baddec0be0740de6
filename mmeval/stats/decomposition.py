"""Exact splits of a difference between two models into what drives it.

A mean over groups is sum_g share_g * rate_g. Kitagawa's (1955) split says how much of a difference comes from the
shares (composition) and how much from the rates; the terms add up to the difference exactly. With the groups "scene
perceived" and "not perceived" it is the split into perception, reasoning and luck. For two factors it equals the
Shapley value, which `shapley_split` gives for any function of several factors.

A split describes; it proves no cause. The items that a weaker model perceives are the easier ones, so a difference of
rates given perception mixes ability with which items are left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Interval, Labels
from mmeval.stats.repeats import Share, share
from mmeval.stats.resampling import BootstrapPlan, Design, bootstrap_weights
from mmeval.stats.scores import finite_scores, is_binary

MOST_FACTORS = 16
"""The Shapley value visits every subset of the factors."""
DEFAULT_PLAN = BootstrapPlan(resamples=2000)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mean as shares of groups and the mean score inside each.

    Raises:
        ValueError: when there is no group, lengths differ, shares are negative or do not sum to 1, or a group that has
            items has no finite rate.
    """

    shares: tuple[float, ...]
    """Share of each group, summing to 1."""
    rates: tuple[float | None, ...]
    """Mean score inside each group, in the unit of the score; None for a group without items."""

    def __post_init__(self) -> None:
        if not self.shares or len(self.shares) != len(self.rates):
            raise ValueError(f"{len(self.shares)} shares but {len(self.rates)} rates; at least one group is needed")
        if not all(part >= 0 for part in self.shares) or abs(math.fsum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares must be at least 0 and sum to 1, got {list(self.shares)}")
        for part, rate in zip(self.shares, self.rates, strict=True):
            if (rate is None and part > 0) or (rate is not None and not math.isfinite(rate)):
                raise ValueError("a group that has items needs a finite rate")

    @property
    def mean(self) -> float:
        """The overall mean."""
        parts = zip(self.shares, self.rates, strict=True)
        return math.fsum(part * rate for part, rate in parts if rate is not None)


@dataclass(frozen=True, slots=True)
class KitagawaSplit:
    """The terms by group; all of them together are the difference."""

    delta: float
    """Candidate minus baseline."""
    composition: tuple[float, ...]
    """By group: change of its share, at its mean rate of both sides."""
    rate: tuple[float, ...]
    """By group: change of its rate, at its mean share of both sides."""


def kitagawa(baseline: Mixture, candidate: Mixture) -> KitagawaSplit:
    """Split candidate.mean - baseline.mean into composition and rate (Kitagawa 1955).

    A group that only one side has keeps that side's rate on both: what it adds is then a matter of composition alone.

    Raises:
        ValueError: when the two sides do not have the same groups.
    """
    if len(baseline.shares) != len(candidate.shares):
        raise ValueError(f"{len(baseline.shares)} groups in the baseline, {len(candidate.shares)} in the candidate")
    shares = np.array([baseline.shares, candidate.shares])
    rates = np.array([[math.nan if rate is None else rate for rate in side.rates] for side in (baseline, candidate)])
    composition, rate = _terms(shares, rates)
    return KitagawaSplit(candidate.mean - baseline.mean, tuple(composition.tolist()), tuple(rate.tolist()))


def _terms(shares: FloatArray, rates: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Composition and rate terms by group from shares and rates of shape (2, groups); NaN for the rate of no item."""
    known = np.where(np.isnan(rates), rates[::-1], rates)
    known = np.where(np.isnan(known), 0.0, known)  # no item on either side: both terms are 0
    composition = (shares[1] - shares[0]) * known.mean(axis=0)
    return composition, (known[1] - known[0]) * shares.mean(axis=0)


def shapley_split(
    value: Callable[[Sequence[Any]], float], baseline: Sequence[Any], candidate: Sequence[Any]
) -> tuple[float, ...]:
    """Return what each factor contributes to value(candidate) - value(baseline), mean over all orders of change.

    The contributions add up to the difference and do not depend on an order in which factors are switched (Shapley 1953;
    as a decomposition Shorrocks 2013).

    Args:
        value: takes one level of every factor and returns a finite number.
        baseline: levels of the factors, at most `MOST_FACTORS`.
        candidate: levels of the same factors.

    Raises:
        ValueError: when lengths differ, there are too many factors or a value is not finite.
    """
    size = len(baseline)
    if size != len(candidate):
        raise ValueError(f"{size} factors in the baseline, {len(candidate)} in the candidate")
    if size > MOST_FACTORS:
        raise ValueError(f"{size} factors: at most {MOST_FACTORS}")
    found: dict[frozenset[int], float] = {}
    for count in range(size + 1):
        for changed in combinations(range(size), count):
            mixed = [candidate[i] if i in changed else baseline[i] for i in range(size)]
            found[frozenset(changed)] = float(value(mixed))
    if not all(math.isfinite(one) for one in found.values()):
        raise ValueError("the value is not finite for some mixture of both sides")
    return tuple(
        math.fsum(
            (found[changed | {factor}] - before) / (size * math.comb(size - 1, len(changed)))
            for changed, before in found.items()
            if factor not in changed
        )
        for factor in range(size)
    )


@dataclass(frozen=True, slots=True)
class Term:
    """One addend of a difference."""

    name: str
    estimate: float
    """In the unit of the score; the terms of a split sum to its delta."""
    interval: Interval | None
    """Paired (cluster) bootstrap; None where the term does not vary."""


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A difference, its terms, and what they are made of."""

    delta: Term
    terms: tuple[Term, ...]
    baseline: Mixture
    candidate: Mixture
    n: int
    """Items (rows) on each side."""
    clusters: int | None
    """Independent clusters; None where items are taken as independent."""
    method: str
    """`kitagawa`, with the bootstrap by name."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class GroupedScores:
    """One side: the score of each item and the group in which the model put it.

    Raises:
        ValueError: when there is no item, lengths differ or a score is not finite.
    """

    groups: Sequence[Hashable]
    """Group of each item, shape (n,): whether the scene was perceived, the kind of error, …"""
    scores: npt.ArrayLike
    """Score of each item, shape (n,)."""

    def __post_init__(self) -> None:
        size = finite_scores(self.scores).size
        if size != len(self.groups):
            raise ValueError(f"{size} scores but {len(self.groups)} groups")

    def indicators(self, order: Sequence[Hashable]) -> FloatArray:
        """Membership, then score by membership, shape (2 * groups, n)."""
        number = {group: position for position, group in enumerate(order)}
        codes = np.array([number[group] for group in self.groups])
        members = (codes[None, :] == np.arange(len(order))[:, None]).astype(np.float64)
        return np.concatenate([members, members * finite_scores(self.scores)])


def decompose(
    baseline: GroupedScores,
    candidate: GroupedScores,
    order: Sequence[Hashable],
    *,
    clusters: Labels | None = None,
    plan: BootstrapPlan = DEFAULT_PLAN,
) -> Decomposition:
    """Split the difference of two mean scores on the same items by the groups in which each side's items are.

    Terms: `composition` (all groups together), then `rate:GROUP` for every group. Both sides are resampled together,
    whole clusters at a time, and the whole split is computed anew.

    Args:
        baseline, candidate: the same items in the same order, shape (n,).
        order: all groups.
        clusters: cluster label of each item; None takes items as independent.
        plan: resamples, seed, level and method.

    Raises:
        ValueError: when lengths differ, groups repeat in `order` or an item's group is not in it.
    """
    _check_groups(baseline, candidate, order)
    n, size = len(baseline.groups), len(order)
    table = np.concatenate([side.indicators(order) for side in (baseline, candidate)])
    design = Design.of(n, clusters)
    # Sums in another order differ by rounding; that is no effect.
    rounding = 1e-12 * float(np.abs(table).max())

    def split(weights: FloatArray) -> FloatArray:
        held, scored, means = _sums(table @ weights, size)
        composition, rate = _terms(held / held.sum(axis=1, keepdims=True), means)
        delta = scored[1].sum() / held[1].sum() - scored[0].sum() / held[0].sum()
        found = np.concatenate([[delta, composition.sum()], rate])
        return np.where(np.abs(found) <= rounding, 0.0, found)

    found = bootstrap_weights(split, design, plan)
    names = ["delta", "composition", *(f"rate:{group}" for group in order)]
    terms = [Term(name, float(found.point[position]), found.interval(position)) for position, name in enumerate(names)]
    held, _, means = _sums(table @ np.ones(n), size)
    sides = [
        Mixture(tuple((items / n).tolist()), tuple(None if math.isnan(one) else float(one) for one in rates))
        for items, rates in zip(held, means, strict=True)
    ]
    notes = [f"{plan.resamples} resamples, seed {plan.seed}"]
    for position, group in enumerate(order):
        empty = [name for name, items in zip(("baseline", "candidate"), held, strict=True) if not items[position]]
        if empty:
            notes.append(
                f"no item of the {' or '.join(empty)} is {group}: its rate there is unknown and does not count"
            )
    return Decomposition(
        terms[0],
        tuple(terms[1:]),
        sides[0],
        sides[1],
        n,
        design.clusters if design.clusters < n else None,
        f"kitagawa, paired-{found.method}",
        "; ".join(notes),
    )


def _check_groups(baseline: GroupedScores, candidate: GroupedScores, order: Sequence[Hashable]) -> None:
    if len(set(order)) < len(order):
        raise ValueError("groups must differ")
    unknown = sorted({str(group) for side in (baseline, candidate) for group in set(side.groups) - set(order)})
    if unknown:
        raise ValueError(f"group {unknown[0]!r} is not among {[str(group) for group in order]}")
    if len(baseline.groups) != len(candidate.groups):
        raise ValueError(f"{len(baseline.groups)} baseline items but {len(candidate.groups)} candidate items")


def _sums(sums: FloatArray, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Items, summed scores and mean scores by side and group, shape (2, groups) each; NaN for the mean of no item."""
    held, scored = sums.reshape(2, 2, size).transpose(1, 0, 2)
    means = np.full_like(scored, math.nan)
    np.divide(scored, held, out=means, where=held > 0)
    return held, scored, means


@dataclass(frozen=True, slots=True)
class PerceptionRates:
    """How one model's right answers come about."""

    perceived: Share
    """p: items whose scene was perceived."""
    right_if_perceived: Share
    """r: right answers among them. Conditional on an outcome: not to be compared between models as it stands."""
    right_if_not: Share
    """l: right answers among the others (prior knowledge, luck)."""
    lucky: Share
    """Right answers whose scene was not perceived, among the right ones: (1-p) l / accuracy."""
    counts: tuple[int, int, int, int]
    """Perceived and right, perceived and wrong, not perceived and right, not perceived and wrong."""


def perception_rates(
    perceived: npt.ArrayLike, right: npt.ArrayLike, clusters: Labels | None = None, level: float = 0.95
) -> PerceptionRates:
    """Return p, r, l and the lucky share with Wilson intervals, or cluster-robust ones where clusters repeat.

    Args:
        perceived: whether the scene was perceived, 0 or 1, shape (n,).
        right: whether the answer is right, 0 or 1, shape (n,).
        clusters: cluster label of each item; None takes items as independent.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when there is no item, lengths differ or a value is not 0 or 1.
    """
    seen, correct = _verdicts(perceived, right)
    labels = list(range(seen.size)) if clusters is None else list(clusters)
    if len(labels) != seen.size:
        raise ValueError(f"{seen.size} items but {len(labels)} cluster labels")

    def within(values: FloatArray, where: npt.NDArray[np.bool_]) -> Share:
        rows = np.flatnonzero(where)
        return share(values[rows], [labels[row] for row in rows], level)

    yes, good = seen == 1, correct == 1
    return PerceptionRates(
        within(seen, np.ones_like(yes)),
        within(correct, yes),
        within(correct, ~yes),
        within(1 - seen, good),
        (int(np.sum(yes & good)), int(np.sum(yes & ~good)), int(np.sum(~yes & good)), int(np.sum(~yes & ~good))),
    )


def perception_split(
    baseline: tuple[npt.ArrayLike, npt.ArrayLike],
    candidate: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    clusters: Labels | None = None,
    plan: BootstrapPlan = DEFAULT_PLAN,
) -> Decomposition:
    """Split a difference of accuracies into `perception`, `reasoning` and `luck`, which add up to it.

    With p, r and l as in `PerceptionRates`, A the baseline and B the candidate: perception
    (pB-pA) ((rA+rB)/2 - (lA+lB)/2), reasoning (rB-rA) (pA+pB)/2, luck (lB-lA) (1 - (pA+pB)/2). An r or l that one side
    does not have (nothing perceived, everything perceived) is taken as the other's, and noted.

    Args:
        baseline, candidate: (perceived, right), each 0 or 1, shape (n,): the same items in the same order.
        clusters: cluster label of each item; rows of one item (repeats) belong to one cluster.
        plan: resamples, seed, level and method.

    Raises:
        ValueError: when there is no item, lengths differ or a value is not 0 or 1.
    """
    names = ("perceived", "not perceived")
    found = decompose(_by_perception(*baseline), _by_perception(*candidate), names, clusters=clusters, plan=plan)
    terms = [
        Term(name, term.estimate, term.interval)
        for name, term in zip(("perception", "reasoning", "luck"), found.terms, strict=True)
    ]
    return Decomposition(
        found.delta, tuple(terms), found.baseline, found.candidate, found.n, found.clusters, found.method, found.note
    )


def _by_perception(perceived: npt.ArrayLike, right: npt.ArrayLike) -> GroupedScores:
    seen, correct = _verdicts(perceived, right)
    return GroupedScores(["perceived" if one else "not perceived" for one in seen], correct)


def _verdicts(perceived: npt.ArrayLike, right: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    seen, correct = finite_scores(perceived), finite_scores(right)
    if seen.size != correct.size:
        raise ValueError(f"{seen.size} perception verdicts but {correct.size} answers")
    if not (is_binary(seen) and is_binary(correct)):
        raise ValueError("perception and correctness must be 0 or 1")
    return seen, correct
