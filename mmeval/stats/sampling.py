"""Estimators for several sampled answers per item."""

from __future__ import annotations

from collections.abc import Sequence


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the unbiased estimate of the chance that at least one of k answers is right.

    1 - C(n-c, k) / C(n, k) (Chen et al. 2021), as a product that stays in range for large n.

    Args:
        n: sampled answers of the item, n >= k.
        c: right answers among them.
        k: answers that the metric allows, k >= 1.

    Raises:
        ValueError: when the counts are out of range.
    """
    if k < 1 or n < k or not 0 <= c <= n:
        raise ValueError(f"pass@{k} needs at least {k} answers and 0 <= c <= n, got n={n}, c={c}")
    if n - c < k:
        return 1.0
    all_wrong = 1.0
    for i in range(n - c + 1, n + 1):
        all_wrong *= 1 - k / i
    return 1 - all_wrong


def avg_at_k(scores: Sequence[float], k: int) -> float:
    """Return the mean score of the first k answers of one item.

    Raises:
        ValueError: when there are fewer than k answers.
    """
    if k < 1 or len(scores) < k:
        raise ValueError(f"avg@{k} needs at least {k} answers, got {len(scores)}")
    return sum(scores[:k]) / k
