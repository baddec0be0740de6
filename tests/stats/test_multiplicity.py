from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.multiplicity import Adjustment, adjust, benjamini_hochberg, holm, ranking_groups

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)
METHODS: tuple[Adjustment, ...] = ("holm", "bonferroni", "benjamini-hochberg", "benjamini-yekutieli")


@settings(deadline=None)
@given(p_values)
def test_adjusted_values_are_ordered_and_never_smaller(values: list[float]) -> None:
    order = np.argsort(values, kind="stable")
    for method in METHODS:
        adjusted = adjust(values, method)
        assert bool(np.all(adjusted >= np.asarray(values) - 1e-12))
        assert bool(np.all(adjusted <= 1))
        assert bool(np.all(np.diff(adjusted[order]) >= -1e-12))
    assert bool(np.all(benjamini_hochberg(values) <= holm(values) + 1e-12))
    assert bool(np.all(holm(values) <= adjust(values, "bonferroni") + 1e-12))
    assert bool(np.all(benjamini_hochberg(values) <= adjust(values, "benjamini-yekutieli") + 1e-12))


@settings(deadline=None)
@given(p_values, st.randoms(use_true_random=False))
def test_the_order_of_hypotheses_changes_nothing(values: list[float], random: object) -> None:
    order = list(range(len(values)))
    getattr(random, "shuffle")(order)  # noqa: B009
    for method in METHODS:
        assert adjust(values, method)[order] == pytest.approx(adjust([values[i] for i in order], method))


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert holm([0.2]) == pytest.approx([0.2])
    assert holm([]).size == 0


def matrix(size: int, **pairs: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return p-values of 1 but for those given as `p01=...`."""
    values = np.ones((size, size))
    for name, value in pairs.items():
        first, second = int(name[1]), int(name[2])
        values[first, second] = values[second, first] = value
    return values


def test_groups_step_down_from_their_leader() -> None:
    # 2 is best; 0 is not told apart from it; 1 and 3 are; 3 is not told apart from 1.
    assert ranking_groups([0.8, 0.6, 0.9, 0.5], matrix(4, p12=0.01, p23=0.001, p13=0.3)) == ((2, 0), (1, 3))
    assert ranking_groups([0.5, 0.5, 0.5], matrix(3)) == ((0, 1, 2),)
    assert ranking_groups([0.1, 0.2], matrix(2, p01=0.001)) == ((1,), (0,))
    assert ranking_groups([0.1, 0.2], matrix(2, p01=0.03), alpha=0.01) == ((1, 0),)
    assert ranking_groups([], np.ones((0, 0))) == ()


def test_the_diagonal_is_not_read() -> None:
    values = matrix(2, p01=0.5)
    np.fill_diagonal(values, math.nan)
    assert ranking_groups([0.1, 0.2], values) == ((1, 0),)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.1, 1.2])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.1, math.nan])
    with pytest.raises(ValueError, match="unknown adjustment"):
        adjust([0.1], "sidak")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="square matrix"):
        ranking_groups([0.1, 0.2], np.ones((3, 3)))
    with pytest.raises(ValueError, match="symmetric"):
        ranking_groups([0.1, 0.2], [[1, 0.1], [0.2, 1]])
    with pytest.raises(ValueError, match="finite"):
        ranking_groups([0.1, math.nan], np.ones((2, 2)))
