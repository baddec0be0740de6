"""The mean of independent estimates and its interval, from the estimates' own intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mmeval.stats.intervals import Interval


def mover_mean(values: Sequence[float], intervals: Sequence[Interval]) -> Interval | None:
    """Return the interval of the mean of independent estimates from their own intervals, by MOVER.

    The distances from each value to its limits stand for its variance there, and add as variances do (Zou & Donner 2008),
    so that intervals that are not symmetric, as Wilson's, stay so. None where their levels differ.

    Args:
        values: the estimates.
        intervals: the interval of each, all of one level.
    """
    if len({interval.level for interval in intervals}) != 1:
        return None
    count = len(values)
    below = math.sqrt(sum((value - interval.low) ** 2 for value, interval in zip(values, intervals, strict=True)))
    above = math.sqrt(sum((interval.high - value) ** 2 for value, interval in zip(values, intervals, strict=True)))
    mean = sum(values) / count
    return Interval(mean - below / count, mean + above / count, intervals[0].level, "mover")
