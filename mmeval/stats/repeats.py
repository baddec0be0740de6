"""Several answers per item: what repeats say about a model's reliability and about a score's noise.

`pass_at_k` and `avg_at_k` of one item are in `mmeval.stats.sampling`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Interval, Labels, cluster_mean, wilson


@dataclass(frozen=True, slots=True)
class Share:
    """A mean of per-item values in [0, 1] with its interval."""

    estimate: float | None
    """None when there is no item."""
    interval: Interval | None
    """None when there is no item."""
    n: int
    """Items."""
    clusters: int
    """Independent clusters; equals `n` where items are independent."""
    note: str = ""


def share(values: npt.ArrayLike, clusters: Labels | None = None, level: float = 0.95) -> Share:
    """Return the mean of values in [0, 1] with an interval that never collapses to a point.

    Independent 0/1 values get the Wilson interval, everything else Student's t on the CR1 standard error. Where
    clusters do not differ that interval would have no width: a Wilson interval with as many trials as there are
    clusters replaces it. A single cluster says nothing about others: the interval is [0, 1].

    Args:
        values: one value per item, shape (n,).
        clusters: cluster label of each item; None takes items as independent.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when a value is outside [0, 1] or lengths differ.
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if not bool(np.all((data >= 0) & (data <= 1))):
        raise ValueError("values must lie in [0, 1]")
    found = cluster_mean(data, range(data.size) if clusters is None else clusters, level)
    if found.mean is None:
        return Share(None, None, 0, 0, "no item")
    if found.clusters == found.n and bool(np.all((data == 0) | (data == 1))):
        return Share(found.mean, wilson(int(data.sum()), found.n, level), found.n, found.n)
    if found.interval is None and found.clusters == 1 and found.n > 1:
        return Share(found.mean, Interval(0.0, 1.0, level, "range (one cluster)"), found.n, 1, "one cluster only")
    if found.interval is None or found.interval.high - found.interval.low <= 1e-9:
        mean = min(max(found.mean, 0.0), 1.0)
        return Share(
            mean,
            wilson(mean * found.clusters, found.clusters, level),
            found.n,
            found.clusters,
            "clusters do not differ",
        )
    return Share(found.mean, found.interval.clip(0.0, 1.0), found.n, found.clusters)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """Return pass^k: the unbiased estimate of the chance that k answers are all right.

    C(c, k) / C(n, k) (tau-bench, Yao et al. 2024), as a product that stays in range for large n.

    Args:
        n: sampled answers of the item, n >= k.
        c: right answers among them.
        k: answers that all have to be right, k >= 1.

    Raises:
        ValueError: when the counts are out of range.
    """
    if k < 1 or n < k or not 0 <= c <= n:
        raise ValueError(f"pass^{k} needs at least {k} answers and 0 <= c <= n, got n={n}, c={c}")
    all_right = 1.0
    for i in range(k):
        all_right *= max(0, c - i) / (n - i)
    return all_right


def majority_at_k(answers: Sequence[Hashable | None], correct: Sequence[bool], k: int) -> float:
    """Return maj@k: the chance that the most frequent of k answers is right.

    Exact mean over all subsets of k of the n answers, no resampling. A tie for the most votes is broken at random,
    so it counts the share of right answers among the tied. None (no answer could be read) has no vote; a subset of
    nothing but None is wrong.

    Args:
        answers: the extracted answers, equal ones comparing equal, length n.
        correct: whether each answer is right, length n.
        k: votes, 1 <= k <= n.

    Raises:
        ValueError: when k is out of range, lengths differ, or one answer is called both right and wrong.
    """
    if len(answers) != len(correct):
        raise ValueError(f"{len(answers)} answers but {len(correct)} verdicts")
    if not 1 <= k <= len(answers):
        raise ValueError(f"maj@{k} needs at least {k} answers, got {len(answers)}")
    verdicts: dict[Hashable, bool] = {}
    for answer, right in zip(answers, correct, strict=True):
        if answer is not None and verdicts.setdefault(answer, bool(right)) != bool(right):
            raise ValueError(f"answer {answer!r} is called both right and wrong")
    votes = Counter(answer for answer in answers if answer is not None)
    if not any(verdicts.values()):
        return 0.0
    silent = len(answers) - sum(votes.values())
    groups = [(count, verdicts[answer]) for answer, count in votes.items()]
    largest = min(k, max(votes.values()))
    won = sum((_won_with(groups, silent, k, most) for most in range(1, largest + 1)), Fraction())
    return float(won / math.comb(len(answers), k))


def _won_with(groups: Sequence[tuple[int, bool]], silent: int, k: int, most: int) -> Fraction:
    """Return the number of k-subsets whose leading answers have `most` votes, ties weighted by their right share."""
    # State: (votes drawn, leading answers, right ones among the leading) -> number of ways.
    ways: dict[tuple[int, int, int], int] = {(0, 0, 0): 1}
    for size, right in groups:
        following: dict[tuple[int, int, int], int] = defaultdict(int)
        for (drawn, leading, good), number in ways.items():
            for taken in range(min(size, most, k - drawn) + 1):
                leads = taken == most
                state = (drawn + taken, leading + leads, good + (leads and right))
                following[state] += number * math.comb(size, taken)
        ways = following
    # Exact: numbers of subsets soon exceed what a double holds.
    return sum(
        (
            Fraction(number * math.comb(silent, k - drawn) * good, leading)
            for (drawn, leading, good), number in ways.items()
            if leading and k - drawn <= silent
        ),
        Fraction(),
    )


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """How much of the spread of scores is between items and how much is sampling noise.

    One-way random effects analysis of variance, x_ij = mean + item_i + noise_ij.
    """

    items: int
    observations: int
    repeats: float | None
    """Repeats per item; the harmonic mean where they differ. None without items."""
    mean: float | None
    """Mean of the item means (avg@k). None without items."""
    mean_square_between: float | None
    """None with fewer than two items."""
    mean_square_within: float | None
    """None where no item has two repeats."""
    between: float | None
    """Variance of the items' expected scores, cut at 0. None where a mean square is missing."""
    within: float | None
    """Variance of one answer's score around its item's expectation; equals `mean_square_within`."""
    icc1: float | None
    """Intraclass correlation ICC(1), not cut: negative when items differ less than noise alone would make them.
    None where it is undefined."""
    standard_error: float | None
    """Of `mean`, over items. None with fewer than two items."""
    sampling_share: float | None
    """Share of the squared standard error that is sampling noise, in [0, 1]; None where undefined."""
    note: str = ""

    def standard_error_at(self, repeats: int) -> float | None:
        """Return the expected standard error of avg@`repeats` on as many items; None where undefined.

        Raises:
            ValueError: when repeats is less than 1.
        """
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats}")
        if self.between is None or self.within is None:
            return None
        return math.sqrt((self.between + self.within / repeats) / self.items)

    def rerun_standard_deviation(self, repeats: int = 1) -> float | None:
        """Return the standard deviation of the score difference of two runs of the same model on the same items.

        It is the noise floor of a comparison: sqrt(2 within / (repeats * items)).

        Raises:
            ValueError: when repeats is less than 1.
        """
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats}")
        return None if self.within is None else math.sqrt(2 * self.within / (repeats * self.items))

    def required_repeats(self, standard_error: float) -> int | None:
        """Return the fewest repeats whose expected standard error is at most the given one.

        None where no number of repeats is enough (the items alone vary more) or the components are undefined.

        Raises:
            ValueError: when the standard error is not positive and finite.
        """
        if not (standard_error > 0 and math.isfinite(standard_error)):
            raise ValueError(f"standard_error must be positive and finite, got {standard_error}")
        if self.between is None or self.within is None:
            return None
        room = standard_error * standard_error * self.items - self.between
        if self.within == 0:
            return 1 if room >= 0 else None
        if room <= 0:
            return None
        # The slack keeps rounding from asking for one repeat more than an exact target needs.
        return max(1, math.ceil(self.within / room * (1 - 1e-12)))


def variance_components(scores: Sequence[Sequence[float]]) -> VarianceComponents:
    """Split the variance of repeated scores into items and sampling noise (one-way random effects; Searle 1971).

    With k repeats of each item: between = (MSB - MSW) / k and ICC(1) = (MSB - MSW) / (MSB + (k-1) MSW). Unequal
    repeats use k0 = (N - sum k_i^2 / N) / (I - 1). The sampling share is (within * mean(1/k_i)) / variance of the item
    means, which is MSW / MSB for equal repeats.

    Args:
        scores: one sequence of repeats per item; items without a score are left out and noted.

    Raises:
        ValueError: when a score is not finite.
    """
    kept = [np.asarray(item, dtype=np.float64).ravel() for item in scores if len(item)]
    if not all(bool(np.all(np.isfinite(item))) for item in kept):
        raise ValueError("scores must be finite")
    notes = [f"{len(scores) - len(kept)} items without a score left out"] if len(kept) < len(scores) else []
    if not kept:
        return VarianceComponents(
            0, 0, None, None, None, None, None, None, None, None, None, "; ".join(notes or ["no item"])
        )
    sizes = np.array([item.size for item in kept])
    items, total = len(kept), int(sizes.sum())
    means = np.array([_exact_mean(item) for item in kept])
    mean = _exact_mean(means)
    within_sum = math.fsum(float(np.sum((item - center) ** 2)) for item, center in zip(kept, means, strict=True))
    msw = within_sum / (total - items) if total > items else None
    inverse = float(np.mean(1 / sizes))
    msb = between = icc = error = sampling = None
    if items > 1:
        grand = _exact_mean(np.repeat(means, sizes))
        msb = float(np.sum(sizes * (means - grand) ** 2)) / (items - 1)
        spread = float(np.sum((means - mean) ** 2)) / (items - 1)
        error = math.sqrt(spread / items)
        if msw is not None:
            effective = (total - float(np.sum(sizes.astype(float) ** 2)) / total) / (items - 1)
            between = max(0.0, (msb - msw) / effective)
            scale = msb + (effective - 1) * msw
            icc = (msb - msw) / scale if scale > 0 else None
            sampling = min(1.0, msw * inverse / spread) if spread > 0 else (1.0 if msw > 0 else None)
            if msb < msw:
                notes.append(
                    "items differ less than sampling noise alone would make them: between-item variance cut at 0"
                )
            if icc is None:
                notes.append("all scores are equal: no intraclass correlation")
    else:
        notes.append("one item only: no variance between items")
    if msw is None:
        notes.append("no item has two repeats: sampling noise unknown")
    return VarianceComponents(
        items, total, 1 / inverse, mean, msb, msw, between, msw, icc, error, sampling, "; ".join(notes)
    )


def _exact_mean(data: FloatArray) -> float:
    # Equal values have exactly themselves as their mean, so that their variance is exactly 0.
    first = float(data[0])
    return first if bool(np.all(data == first)) else math.fsum(data.tolist()) / data.size


@dataclass(frozen=True, slots=True)
class Stability:
    """How often repeats of one model on one item agree (an A/A comparison)."""

    consistency: Share
    """Share of items whose repeats are all equal. It falls with the number of repeats."""
    flip_rate: Share
    """Chance that two different repeats of an item differ, mean over items."""
    items: int
    """Items with at least two repeats; the others say nothing."""
    repeats: float | None
    """Mean repeats of those items; None without any."""
    note: str = ""


def stability(outcomes: Sequence[Sequence[Hashable]], clusters: Labels | None = None, level: float = 0.95) -> Stability:
    """Return the consistency and the A/A flip rate of repeated outcomes.

    Args:
        outcomes: one sequence of repeats per item: verdicts, scores or extracted answers, equal ones comparing equal.
        clusters: cluster label of each item; None takes items as independent.
        level: confidence level of the intervals.

    Raises:
        ValueError: when there are not as many labels as items.
    """
    labels = list(range(len(outcomes))) if clusters is None else list(clusters)
    if len(labels) != len(outcomes):
        raise ValueError(f"{len(outcomes)} items but {len(labels)} cluster labels")
    used = [(item, label) for item, label in zip(outcomes, labels, strict=True) if len(item) > 1]
    same = [float(all(left == right for left, right in pairwise(item))) for item, _ in used]
    flips = [_flip_chance(item) for item, _ in used]
    kept = [label for _, label in used]
    skipped = len(outcomes) - len(used)
    return Stability(
        share(same, kept, level),
        share(flips, kept, level),
        len(used),
        float(np.mean([len(item) for item, _ in used])) if used else None,
        f"{skipped} items with fewer than two repeats left out" if skipped else "",
    )


def _flip_chance(item: Sequence[Hashable]) -> float:
    n = len(item)
    agreeing = sum(count * (count - 1) for count in Counter(item).values())
    return 1 - agreeing / (n * (n - 1))
