"""BLEU of a corpus as a function of cluster weights: sums of counts, never a mean of sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmeval.stats.functionals import ByCluster, sums_by
from mmeval.stats.intervals import FloatArray
from mmeval.stats.resampling import Replicates
from mmeval.stats.scores import IntArray

_SMALL, _TINY = 1e-9, 1e-15
"""What pycocoevalcap adds to denominators and numerators: an order without a match leaves a little instead of nothing."""


@dataclass(frozen=True, slots=True)
class Bleu:
    """Geometric mean of the precisions of 1..order-grams, times the brevity penalty."""

    order: int
    counts: FloatArray
    """Shape (units, 2 * orders + 2): clipped matches by order, n-grams of the caption by order, words of the caption, words of
    the closest reference."""

    @property
    def units(self) -> int:
        """Captions."""
        return int(self.counts.shape[0])

    def value(self) -> float | None:
        """Return BLEU of the corpus, None where there is no caption."""
        return float(self._of(self.counts.sum(axis=0)[None])[0]) if self.units else None

    def each(self) -> FloatArray:
        """Return BLEU of every caption alone, shape (units,)."""
        return self._of(self.counts)

    def over(self, index: IntArray, clusters: int) -> ByCluster:
        """Return BLEU as a function of cluster weights."""
        sums = np.stack([sums_by(index, column, clusters) for column in self.counts.T], axis=1)

        def at(weights: Replicates) -> Replicates:
            return self._of(weights.astype(np.float64) @ sums)

        return at

    def strata(self, index: IntArray, clusters: int) -> IntArray:
        """Return one stratum: all clusters are drawn alike."""
        return np.zeros(clusters, dtype=np.int64)

    def effective_clusters(self, index: IntArray, clusters: int) -> float:
        """Return 1 / sum of the squared shares of reference words that clusters hold."""
        held = sums_by(index, self.counts[:, -1], clusters)
        square = float(np.dot(held, held))
        return float(held.sum() ** 2 / square) if square > 0 else float(clusters)

    def select(self, units: IntArray) -> Bleu:
        """Return BLEU over some of the captions."""
        return Bleu(self.order, self.counts[units])

    def joined(self, other: Any) -> Bleu:
        """Return BLEU over the captions of both."""
        return Bleu(self.order, np.concatenate([self.counts, other.counts]))

    def _of(self, sums: FloatArray) -> FloatArray:
        """Return BLEU from sums, shape (draws, 2 * orders + 2)."""
        orders = sums.shape[1] // 2 - 1
        matches, grams = sums[:, : self.order], sums[:, orders : orders + self.order]
        precision = np.prod((matches + _TINY) / (grams + _SMALL), axis=1) ** (1 / self.order)
        ratio = (sums[:, -2] + _TINY) / (sums[:, -1] + _SMALL)
        with np.errstate(over="ignore"):  # an empty corpus: exp(-inf) is 0
            return np.asarray(precision * np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0))
