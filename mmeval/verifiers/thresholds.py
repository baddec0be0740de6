"""The option `threshold` of verifiers that compute an overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError


def overlap_threshold(options: Mapping[str, Any]) -> float | None:
    """Return the overlap from which on an answer is right; None where the card sets none.

    Raises:
        DataError: when it is not in (0, 1].
    """
    threshold = options.get("threshold")
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 < threshold <= 1:
        raise DataError(f"answer option threshold: {threshold!r} is not in (0, 1]", remedy="correct the card")
    return threshold
