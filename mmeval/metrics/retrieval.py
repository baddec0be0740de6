"""Scores of one ranked list of retrieved ids against the relevant ones; relevance is binary."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set


def dcg(gains: Sequence[float]) -> float:
    """Return the discounted cumulative gain: the sum of (2^gain - 1) / log2(rank + 1), ranks from 1."""
    return math.fsum((2.0**gain - 1) / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ndcg(ranked: Sequence[str], relevant: Set[str], k: int | None = None) -> float:
    """Return the normalised discounted cumulative gain at rank k (None: of the whole list).

    The ideal list has all relevant ids first, up to rank k. An id that is listed again counts once, at its first place.

    Raises:
        ValueError: without a relevant id, where it is undefined.
    """
    _check(relevant)
    found = list(dict.fromkeys(ranked))[:k]
    ideal = len(relevant) if k is None else min(k, len(relevant))
    return dcg([float(one in relevant) for one in found]) / dcg([1.0] * ideal)


def recall(ranked: Sequence[str], relevant: Set[str], k: int | None = None) -> float:
    """Return the share of the relevant ids among the first k different ones.

    Raises:
        ValueError: without a relevant id.
    """
    _check(relevant)
    return sum(one in relevant for one in list(dict.fromkeys(ranked))[:k]) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], relevant: Set[str]) -> float:
    """Return 1 / rank of the first relevant id, 0 when none is listed; the mean of it over queries is the MRR.

    Raises:
        ValueError: without a relevant id.
    """
    _check(relevant)
    return next((1 / rank for rank, one in enumerate(dict.fromkeys(ranked), 1) if one in relevant), 0.0)


def _check(relevant: Set[str]) -> None:
    if not relevant:
        raise ValueError("no relevant id: the score is undefined")
