"""The interval of a mean of independent estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmeval.stats.intervals import Interval, wilson
from mmeval.stats.mover import mover_mean


def test_symmetric_intervals_add_as_variances() -> None:
    found = mover_mean([0.5, 0.7], [Interval(0.4, 0.6, 0.95, "t"), Interval(0.5, 0.9, 0.95, "t")])
    assert found is not None
    half = math.sqrt(0.1**2 + 0.2**2) / 2
    assert (found.low, found.high) == (pytest.approx(0.6 - half), pytest.approx(0.6 + half))
    assert found.method == "mover"


def test_one_value_keeps_its_interval() -> None:
    found = mover_mean([0.98], [Interval(0.9, 0.99, 0.95, "wilson")])
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.9), pytest.approx(0.99))


def test_intervals_of_different_levels_give_none() -> None:
    assert mover_mean([0.5, 0.5], [Interval(0.4, 0.6, 0.95, "t"), Interval(0.4, 0.6, 0.9, "t")]) is None


def test_it_covers_the_mean_of_true_accuracies() -> None:
    generator = np.random.default_rng(7)
    truth, sizes = np.array([0.95, 0.4, 0.2]), np.array([60, 200, 100])
    covered = 0
    for _ in range(2000):
        right = generator.binomial(sizes, truth)
        intervals = [wilson(int(k), int(n)) for k, n in zip(right, sizes, strict=True)]
        found = mover_mean(list(right / sizes), intervals)
        assert found is not None
        covered += found.low <= truth.mean() <= found.high
    assert 0.935 <= covered / 2000 <= 0.97
