"""Checked vectors of scores and numbered clusters, which the paired statistics start from."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Labels

IntArray: TypeAlias = npt.NDArray[np.int64]


def paired_scores(baseline: npt.ArrayLike, candidate: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both sides as finite vectors of equal length.

    Raises:
        ValueError: without items, when lengths differ or a score is not finite.
    """
    first, second = finite_scores(baseline), finite_scores(candidate)
    if first.size != second.size:
        raise ValueError(f"{first.size} baseline scores but {second.size} candidate scores")
    return first, second


def score_differences(baseline: npt.ArrayLike, candidate: npt.ArrayLike) -> FloatArray:
    """Return candidate - baseline by item; raises as `paired_scores`."""
    first, second = paired_scores(baseline, candidate)
    return second - first


def finite_scores(values: npt.ArrayLike) -> FloatArray:
    """Return scores as a finite, non-empty vector.

    Raises:
        ValueError: when there is none or one is not finite.
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if data.size == 0:
        raise ValueError("no items to compare")
    if not bool(np.all(np.isfinite(data))):
        raise ValueError("scores must be finite: leave out items without a score, on both sides")
    return data


def is_binary(values: FloatArray) -> bool:
    """Return whether every value is 0 or 1."""
    return bool(np.all((values == 0) | (values == 1)))


def cluster_index(clusters: Labels | None, n: int) -> IntArray:
    """Number the clusters 0..C-1 in the order of their labels; each item is its own where `clusters` is None.

    The order of labels, not of first appearance, so that results do not depend on the order of items.

    Raises:
        ValueError: when there are not n labels.
    """
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{n} items but {len(clusters)} cluster labels")
    labels = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    ordered = sorted(set(labels), key=_label_order)
    number = {label: i for i, label in enumerate(ordered)}
    return np.fromiter((number[label] for label in labels), dtype=np.int64, count=n)


def _label_order(label: Any) -> tuple[str, int, str]:
    # Labels may be of several types, which do not compare with each other.
    return type(label).__name__, label if isinstance(label, int) else 0, str(label)
