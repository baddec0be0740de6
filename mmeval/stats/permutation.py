"""Permutation tests that flip the signs of whole clusters, and the confidence limits that they imply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Interval, Labels
from mmeval.stats.results import TestResult
from mmeval.stats.scores import IntArray, cluster_index, finite_scores

EXACT_CLUSTERS = 20
"""Up to this many clusters every sign assignment is enumerated (2^19 after symmetry)."""
_CHUNK_CELLS = 4_000_000


def sign_flip(
    differences: npt.ArrayLike, clusters: Labels | None = None, *, resamples: int = 9999, seed: int = 0
) -> TestResult:
    """Test a mean difference of zero by flipping the signs of whole clusters (two-sided permutation test).

    Exact enumeration up to `EXACT_CLUSTERS` clusters, else seeded Monte Carlo with p = (1 + k) / (1 + resamples). The statistic is the sum of the differences.

    Raises:
        ValueError: without items, when lengths differ, a value is not finite or resamples < 1.
    """
    values = finite_scores(differences)
    index = cluster_index(clusters, values.size)
    flips = SignFlips.of(values, index, resamples, seed)
    return TestResult(
        flips.method, flips.two_sided(0.0), float(values.sum()), None, values.size, int(index.max()) + 1, flips.note
    )


def sign_flip_interval(
    differences: npt.ArrayLike,
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> Interval | None:
    """Return the mean differences that `sign_flip` does not reject at 1 - level, or None where it rejects none.

    With C clusters the smallest two-sided p-value is 2^(1-C), so fewer than six clusters give no 95 % interval.

    Raises:
        ValueError: as `sign_flip`, and when the level is not in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    values = finite_scores(differences)
    return SignFlips.of(values, cluster_index(clusters, values.size), resamples, seed).interval(level)


def even_sign_flip(difference: float, clusters: int, sides: int = 2) -> float:
    """Return the exact sign-flip p-value where every cluster has the same mean difference.

    Only the assignments that leave all signs alike are as extreme as the data, whatever the sizes of the
    clusters: 2^(1-C), or 2^-C for the one-sided alternative that the difference is positive.
    """
    if sides == 2:
        return 2.0 ** (1 - clusters) if abs(difference) > 1e-12 else 1.0
    return 2.0**-clusters if difference > 1e-12 else 1.0


@dataclass(frozen=True, slots=True)
class SignFlips:
    """Sums and sizes of the clusters under each assignment of signs, for tests of any mean difference.

    Under assignment s the total of (sum_k - size_k * d) is flipped_sums - d * flipped_sizes, so one set of
    assignments serves every hypothesis d, and the confidence limits with it.
    """

    sums: FloatArray
    """Sum of the differences by cluster, shape (clusters,)."""
    sizes: FloatArray
    flipped_sums: FloatArray
    """Shape (assignments,)."""
    flipped_sizes: FloatArray
    exact: bool
    note: str

    @classmethod
    def of(cls, values: FloatArray, index: IntArray, resamples: int, seed: int) -> SignFlips:
        """Draw or enumerate the assignments for values of shape (n,) with cluster numbers 0..C-1."""
        if resamples < 1:
            raise ValueError(f"resamples must be at least 1, got {resamples}")
        sums = np.bincount(index, weights=values).astype(np.float64)
        sizes = np.bincount(index).astype(np.float64)
        if sums.size <= EXACT_CLUSTERS:
            flipped = _enumerate_signs(np.stack([sums, sizes]))
            return cls(sums, sizes, flipped[0], flipped[1], True, "")
        flipped = _draw_signs(np.stack([sums, sizes]), resamples, seed)
        return cls(sums, sizes, flipped[0], flipped[1], False, f"{resamples} resamples, seed {seed}")

    @property
    def method(self) -> str:
        """The test by name."""
        return "sign-flip-exact" if self.exact else "sign-flip"

    def two_sided(self, difference: float) -> float:
        """Return the two-sided p-value of a true mean difference of `difference`."""
        observed = abs(float(self.sums.sum() - difference * self.sizes.sum()))
        return self._share(np.abs(self.flipped_sums - difference * self.flipped_sizes), observed, difference)

    def greater(self, difference: float) -> float:
        """Return the one-sided p-value against a true mean difference of at most `difference`."""
        observed = float(self.sums.sum() - difference * self.sizes.sum())
        totals = self.flipped_sums - difference * self.flipped_sizes
        if not self.exact:  # the data are one assignment more, as in `two_sided`
            totals = np.append(totals, observed)
        # Every assignment has a mirror image, which is as likely: half of the two-sided value where that side is meant.
        least = observed - self._tolerance(difference)
        hits = int(np.count_nonzero(totals >= least)) + int(np.count_nonzero(-totals >= least))
        return hits / (2 * totals.size)

    def interval(self, level: float) -> Interval | None:
        """Return the differences whose two-sided p-value exceeds 1 - level, or None where none is ruled out."""
        alpha = 1 - level
        center = float(self.sums.sum() / self.sizes.sum())
        means = self.sums / self.sizes
        reach = 2 * float(np.abs(means - center).max()) + 1e-9 * max(1.0, abs(center))
        limits = []
        for side in (-1.0, 1.0):
            far = reach
            while self.two_sided(center + side * far) > alpha:
                far *= 2
                if far > 1e6 * reach:
                    return None
            near = 0.0
            while far - near > 1e-10 * max(1.0, reach):
                middle = (near + far) / 2
                near, far = (middle, far) if self.two_sided(center + side * middle) > alpha else (near, middle)
            limits.append(center + side * far)
        low, high = limits
        # Ties can make exactly zero more plausible than its neighbours; test and interval must agree there.
        if self.two_sided(0.0) > alpha:
            low, high = min(low, 0.0), max(high, 0.0)
        return Interval(low, high, level, self.method)

    def _share(self, totals: FloatArray, observed: float, difference: float) -> float:
        hits = int(np.count_nonzero(totals >= observed - self._tolerance(difference)))
        return hits / totals.size if self.exact else (1 + hits) / (1 + totals.size)

    def _tolerance(self, difference: float) -> float:
        """Equal totals summed in another order differ by rounding; they count as equal."""
        return 1e-12 * float(np.abs(self.sums).sum() + abs(difference) * self.sizes.sum())


def _enumerate_signs(rows: FloatArray) -> FloatArray:
    """Return rows @ s for every s in {-1, 1}^C whose first sign is 1: shape (rows, 2^(C-1))."""
    totals = rows[:, :1]
    for column in rows.T[1:]:
        totals = np.concatenate([totals + column[:, None], totals - column[:, None]], axis=1)
    return totals


def _draw_signs(rows: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Return rows @ s for seeded random sign vectors: shape (rows, resamples)."""
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // rows.shape[1])
    parts = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        signs = generator.integers(0, 2, size=(rows.shape[1], size), dtype=np.int8).astype(np.float64) * 2 - 1
        parts.append(rows @ signs)
    return np.concatenate(parts, axis=1)
