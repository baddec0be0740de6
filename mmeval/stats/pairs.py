"""Two models on the same units under any metric: one face for comparisons and gates.

A metric that is a mean of unit values goes to the tests of means (`mmeval.stats.comparison`, `equivalence`, `power`); any
other functional is compared by the paired cluster bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from mmeval.stats.comparison import MINIMUM_CLUSTERS, PairedComparison, compare_paired
from mmeval.stats.corrections import Alternative, Stretch
from mmeval.stats.equivalence import one_sided_test, two_one_sided
from mmeval.stats.functionals import FUNCTIONAL_PLAN, Drawn, Functional, RatioMean
from mmeval.stats.intervals import FloatArray, Labels
from mmeval.stats.permutation import even_sign_flip
from mmeval.stats.power import (
    Aim,
    Noise,
    cluster_design_effect,
    mean_difference_sample_size,
    mean_minimum_detectable_effect,
    minimum_detectable_effect,
    non_inferiority_sample_size,
)
from mmeval.stats.resampling import Bootstrap, BootstrapPlan
from mmeval.stats.results import Difference, TestResult
from mmeval.stats.scores import IntArray, cluster_index

SWAPS = 9999
"""Random swaps of clusters where there are too many to enumerate."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """Resamples and seed of whatever a comparison draws."""

    resamples: int = 9999
    seed: int = 0


DEFAULT_RESAMPLING = Resampling()


class Pair(Protocol):
    """Two models on the same units; differences are candidate minus baseline."""

    @property
    def values(self) -> tuple[float, float]:
        """The metric of baseline and candidate."""
        ...

    @property
    def n(self) -> int:
        """Units."""
        ...

    @property
    def cluster_count(self) -> int:
        """Independent clusters; as many as units where these are independent."""
        ...

    def swapped(self) -> Pair:
        """Return the pair with the roles exchanged."""
        ...

    def compare(self, level: float = 0.95, how: Resampling = DEFAULT_RESAMPLING) -> PairedComparison:
        """Return the difference with interval and two-sided test."""
        ...

    def one_sided(
        self, bound: float, alternative: Alternative = "greater", how: Resampling = DEFAULT_RESAMPLING
    ) -> TestResult:
        """Test whether the difference lies above ("greater") or below ("less") a bound."""
        ...

    def detectable(self, aim: Aim) -> float | None:
        """Return the smallest difference that such data detect; None where they cannot tell."""
        ...

    def needed(self, margin: float, aim: Aim) -> int | None:
        """Return the units with which models that do not differ show a difference within the margin, None as above."""
        ...


def pair_of(
    baseline: FloatArray,
    candidate: FloatArray,
    clusters: Labels | None = None,
    functionals: tuple[Functional, Functional] | None = None,
) -> Pair:
    """Return the pair of a metric.

    Args:
        baseline: value of each unit, shape (n,).
        candidate: the same units in the same order.
        clusters: cluster label of each unit; None for independent units.
        functionals: of both models, for metrics that are no means of the values.
    """
    if functionals is None:
        return MeanPair(baseline, candidate, clusters)
    return FunctionalPair(functionals[0], functionals[1], cluster_index(clusters, baseline.size))


def non_inferiority(pair: Pair, margin: float, how: Resampling = DEFAULT_RESAMPLING) -> TestResult:
    """Test that the candidate is not worse than the baseline by `margin` or more."""
    return pair.one_sided(-margin, "greater", how)


def equivalence(pair: Pair, margin: float, how: Resampling = DEFAULT_RESAMPLING) -> TestResult:
    """Test that the difference lies within +-margin, by two one-sided tests."""
    return two_one_sided(pair.one_sided(-margin, "greater", how), pair.one_sided(margin, "less", how))


@dataclass(frozen=True, slots=True)
class MeanPair:
    """A metric that is the mean of unit values."""

    baseline: FloatArray
    candidate: FloatArray
    clusters: Labels | None = None

    @property
    def values(self) -> tuple[float, float]:
        """Both means."""
        return float(self.baseline.mean()), float(self.candidate.mean())

    @property
    def n(self) -> int:
        """Units."""
        return int(self.baseline.size)

    @property
    def cluster_count(self) -> int:
        """Independent clusters."""
        return self.n if self.clusters is None else len(set(self.clusters))

    def swapped(self) -> MeanPair:
        """Return the pair with the roles exchanged."""
        return MeanPair(self.candidate, self.baseline, self.clusters)

    def compare(self, level: float = 0.95, how: Resampling = DEFAULT_RESAMPLING) -> PairedComparison:
        """Return what `compare_paired` says."""
        return compare_paired(
            self.baseline, self.candidate, self.clusters, level=level, resamples=how.resamples, seed=how.seed
        )

    def one_sided(
        self, bound: float, alternative: Alternative = "greater", how: Resampling = DEFAULT_RESAMPLING
    ) -> TestResult:
        """Return what `one_sided_test` says."""
        return one_sided_test(
            self.baseline, self.candidate, bound, alternative, self.clusters, resamples=how.resamples, seed=how.seed
        )

    def detectable(self, aim: Aim) -> float | None:
        """By the discordance of yes-or-no values, else by the variance of the differences."""
        differences, effect = self._differences, self._design_effect
        if effect is None or differences.size < 2 or not float(np.abs(differences).max()):
            return None
        if self._discordance is not None:
            return minimum_detectable_effect(differences.size, self._discordance, aim, effect)
        noise = Noise(between=float(differences.var(ddof=1)))
        return mean_minimum_detectable_effect(differences.size, noise, aim, effect) if noise.between else None

    def needed(self, margin: float, aim: Aim) -> int | None:
        """By the discordance of yes-or-no values, else by the variance of the differences."""
        differences, effect = self._differences, self._design_effect
        if effect is None:
            return None
        if self._discordance is not None:
            return non_inferiority_sample_size(self._discordance, margin, 0.0, aim, effect)
        noise = Noise(between=float(differences.var(ddof=1)) if differences.size > 1 else 0.0)
        return mean_difference_sample_size(margin, noise, aim, effect)

    @property
    def _differences(self) -> FloatArray:
        return self.candidate - self.baseline

    @property
    def _discordance(self) -> float | None:
        """Share of differing units where all differ by 1, 0 or -1."""
        differences = self._differences
        if not bool(np.all(np.isin(differences, (-1.0, 0.0, 1.0)))):
            return None
        return float(np.count_nonzero(differences)) / differences.size

    @property
    def _design_effect(self) -> float | None:
        if self.cluster_count == 1 < self.n:
            return None  # how alike the items of a cluster are is unknown
        effect = None if self.clusters is None else cluster_design_effect(self._differences, self.clusters)
        # Clusters that happen to cancel out promise no more power than independent items.
        return max(1.0, effect or 1.0)


@dataclass(frozen=True)
class FunctionalPair:
    """A metric that is any functional of the units: paired cluster bootstrap.

    Below `MINIMUM_CLUSTERS` clusters the p-value comes from swapping the models' answers in whole clusters, which keeps
    its level there. Where a stratum has a single cluster, the bootstrap knows too little: a functional whose difference is
    linear is then compared as the mean of its units' contributions, another one by swaps without an interval.
    """

    baseline: Functional
    candidate: Functional
    index: IntArray
    """Cluster of each unit, 0..C-1."""

    @property
    def values(self) -> tuple[float, float]:
        """The functional of both models.

        Raises:
            ValueError: where it is undefined (0/0).
        """
        first, second = self.baseline.value(), self.candidate.value()
        if first is None or second is None:
            raise ValueError("the metric is undefined on these units: 0/0")
        return first, second

    @property
    def n(self) -> int:
        """Units."""
        return int(self.index.size)

    @property
    def cluster_count(self) -> int:
        """Independent clusters."""
        return int(self.index.max()) + 1

    def swapped(self) -> FunctionalPair:
        """Return the pair with the roles exchanged."""
        return FunctionalPair(self.candidate, self.baseline, self.index)

    def compare(self, level: float = 0.95, how: Resampling = DEFAULT_RESAMPLING) -> PairedComparison:
        """Return the paired bootstrap of the difference, and the swap test beside it or in its place."""
        linear = self._linear
        if linear is not None:
            return replace(linear.compare(level, how), table=None, others=())
        found = self._at(how, level).difference((1,), (0,))
        if self._drawn.alone:
            found = replace(found, interval=None, standard_error=None, p_value=None)
        if self.cluster_count >= MINIMUM_CLUSTERS and not self._drawn.alone:
            return PairedComparison(found, None, ())
        swaps = self._swap_test(how)
        return PairedComparison(self._by_swaps(found, swaps), None, ())

    def one_sided(
        self, bound: float, alternative: Alternative = "greater", how: Resampling = DEFAULT_RESAMPLING
    ) -> TestResult:
        """Return the one-sided test of the paired bootstrap."""
        linear = self._linear
        if linear is not None:
            return linear.one_sided(bound, alternative, how)
        found = None if self._drawn.alone else self._at(how).one_sided((1,), (0,), bound, alternative)
        if found is not None:
            return found
        first, second = self.values
        sign = 1.0 if alternative == "greater" else -1.0
        p_value = 1.0
        if not self._drawn.alone and self._at(how).difference((1,), (0,)).p_value is not None:
            p_value = even_sign_flip(sign * (second - first - bound), self.cluster_count, sides=1)
        note = "no spread between resamples"
        return TestResult(
            f"sign-flip-exact-{alternative}", p_value, None, None, self.index.size, self.cluster_count, note
        )

    def detectable(self, aim: Aim) -> float | None:
        """By the standard error of the difference."""
        error = self._standard_error
        return None if error is None else (aim.level_quantile + aim.power_quantile) * error

    def needed(self, margin: float, aim: Aim) -> int | None:
        """By the standard error of the difference, which falls with the root of the number of units."""
        if self.cluster_count == 1 < self.n:
            return None
        noise = Noise(between=(self._standard_error or 0.0) ** 2 * self.n)
        return mean_difference_sample_size(margin, noise, aim)

    @cached_property
    def _drawn(self) -> Drawn:
        return Drawn.of(self.baseline, self.index, FUNCTIONAL_PLAN.seed)

    @cached_property
    def _bootstraps(self) -> dict[Resampling, Bootstrap]:
        return {}

    def _at(self, how: Resampling, level: float = 0.95) -> Bootstrap:
        plan = BootstrapPlan(how.resamples, how.seed, level, FUNCTIONAL_PLAN.method)
        if how not in self._bootstraps:
            self._bootstraps[how] = self._drawn.bootstrap([self.baseline, self.candidate], plan)
        drawn = self._bootstraps[how]
        return replace(drawn, plan=replace(plan, resamples=drawn.plan.resamples))

    @property
    def _linear(self) -> MeanPair | None:
        """Contributions of the units where the bootstrap knows too little and they are fixed weights times values."""
        first, second = self.baseline, self.candidate
        if not self._drawn.alone or not isinstance(first, RatioMean) or not isinstance(second, RatioMean):
            return None
        if not first.same_denominators(second):
            return None
        labels = None if self.cluster_count == self.index.size else self.index
        return MeanPair(first.linear_values(), second.linear_values(), labels)

    @property
    def _standard_error(self) -> float | None:
        linear = self._linear
        if linear is not None:
            return linear.compare().difference.standard_error
        if self._drawn.alone:
            return None
        error = self._at(DEFAULT_RESAMPLING).difference((1,), (0,)).standard_error
        stretch = Stretch.of(np.array([stratum.size for stratum in self._drawn.design.strata]))
        return None if error is None or stretch is None else error * stretch.factor

    def _by_swaps(self, found: Difference, swaps: TestResult) -> Difference:
        few = "a label has one cluster only" if self._drawn.alone else f"fewer than {MINIMUM_CLUSTERS} clusters"
        note = "; ".join(part for part in (f"swaps of clusters: {few}", swaps.note, found.note) if part)
        return replace(found, method=swaps.method, p_value=swaps.p_value, note=note)

    def _swap_test(self, how: Resampling) -> TestResult:
        """Exchange the models' answers in random clusters (approximate randomisation); exact for few clusters."""
        clusters = self.cluster_count
        both = self.baseline.joined(self.candidate)
        evaluate = both.over(np.concatenate([self.index, self.index + clusters]), 2 * clusters)
        exact = 2 ** (clusters - 1) <= SWAPS + 1
        if exact:  # the first cluster stays: the other half of the assignments are mirror images
            numbers = np.arange(2 ** (clusters - 1))[:, None]
            kept = 1.0 - (numbers >> np.maximum(np.arange(clusters) - 1, 0) & 1) * (np.arange(clusters) > 0)
        else:
            kept = np.random.default_rng(how.seed).integers(0, 2, size=(SWAPS, clusters)).astype(np.float64)
        first = evaluate(np.concatenate([kept, 1 - kept], axis=1))
        second = evaluate(np.concatenate([1 - kept, kept], axis=1))
        low, high = self.values
        observed = abs(high - low)
        differences = np.abs(second - first)
        # Undefined assignments count against the difference.
        hits = int(np.count_nonzero(~(differences < observed - 1e-12 * max(1.0, abs(low), abs(high)))))
        p_value = hits / differences.size if exact else (1 + hits) / (1 + differences.size)
        name = "cluster-swap-exact" if exact else "cluster-swap"
        note = "" if exact else f"{SWAPS} swaps, seed {how.seed}"
        return TestResult(name, min(1.0, p_value), None, None, self.index.size, clusters, note)
