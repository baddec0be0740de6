from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.categorical import bhapkar, bowker, clustered_symmetry, cochran_q, stuart_maxwell
from mmeval.stats.paired import PairedTable, mcnemar_asymptotic

TESTS = (bowker, stuart_maxwell, bhapkar)
Table = npt.NDArray[np.int64]


@st.composite
def square_tables(draw: st.DrawFn) -> Table:
    size = draw(st.integers(1, 5))
    cell = st.one_of(st.just(0), st.integers(0, 50))
    return np.array(draw(st.lists(cell, min_size=size**2, max_size=size**2))).reshape(size, size)


@settings(deadline=None)
@given(square_tables())
def test_every_table_has_a_p_value(table: Table) -> None:
    for test in TESTS:
        result, transposed = test(table), test(table.T)
        assert 0 <= result.p_value <= 1
        assert result.n == table.sum()
        assert result.statistic is None or (math.isfinite(result.statistic) and result.statistic >= 0)
        assert result.p_value == pytest.approx(transposed.p_value, abs=1e-9)
    if np.array_equal(table, table.T):
        assert all(test(table).p_value == pytest.approx(1) for test in TESTS)


@settings(deadline=None)
@given(square_tables(), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_order_of_outcomes_and_agreement_change_nothing(table: Table, agreement: int, random: object) -> None:
    order = list(range(table.shape[0]))
    getattr(random, "shuffle")(order)  # noqa: B009
    shuffled = table[np.ix_(order, order)]
    for test in TESTS:
        assert test(table).p_value == pytest.approx(test(shuffled).p_value, abs=1e-9)
    present = (table.sum(axis=0) + table.sum(axis=1)) > 0
    more = table + np.diag(np.where(present, agreement, 0))
    assert stuart_maxwell(table).p_value == pytest.approx(stuart_maxwell(more).p_value, abs=1e-9)
    assert bowker(table).p_value == pytest.approx(bowker(more).p_value, abs=1e-12)


def test_margins_agree_with_statsmodels_where_it_can_answer() -> None:
    from statsmodels.stats.contingency_tables import SquareTable

    generator = np.random.default_rng(1)
    for _ in range(20):
        table = generator.integers(1, 30, size=(4, 4))
        reference = SquareTable(table, shift_zeros=False)
        for test, method in ((stuart_maxwell, "stuart_maxwell"), (bhapkar, "bhapkar")):
            expected = reference.homogeneity(method)
            assert test(table).statistic == pytest.approx(expected.statistic, rel=1e-9)
            assert test(table).p_value == pytest.approx(expected.pvalue, rel=1e-6)
            assert test(table).degrees_of_freedom == 3


def test_two_outcomes_are_mcnemars() -> None:
    table = PairedTable(59, 6, 16, 80)
    square = [[59, 6], [16, 80]]
    expected = mcnemar_asymptotic(table)
    for test in (bowker, stuart_maxwell):
        assert test(square).statistic == pytest.approx(expected.statistic)
        assert test(square).p_value == pytest.approx(expected.p_value)
    bits = [(1, 1)] * 59 + [(1, 0)] * 6 + [(0, 1)] * 16 + [(0, 0)] * 80
    assert cochran_q(bits).statistic == pytest.approx(expected.statistic)
    assert cochran_q(bits).n == 161


def test_outcomes_that_do_not_mix_cost_a_degree_of_freedom() -> None:
    apart = [[5, 9, 0, 0], [2, 5, 0, 0], [0, 0, 5, 3], [0, 0, 8, 5]]
    result = stuart_maxwell(apart)
    assert result.degrees_of_freedom == 2
    assert result.statistic == pytest.approx(49 / 11 + 25 / 11)
    unused = np.zeros((5, 5), dtype=int)
    unused[:4, :4] = apart
    for test in TESTS:
        assert test(unused) == test(apart)
    assert bowker(apart).degrees_of_freedom == 6


def test_outcomes_that_all_move_one_way() -> None:
    result = bhapkar([[0, 12], [0, 0]])
    assert result.statistic is None
    assert result.p_value == pytest.approx(stuart_maxwell([[0, 12], [0, 0]]).p_value)
    assert "unbounded" in result.note


def test_nothing_to_tell_apart() -> None:
    for table in ([[3, 0], [0, 4]], [[7]], [[0, 0], [0, 0]]):
        for test in TESTS:
            result = test(table)
            assert (result.p_value, result.statistic) == (1, 0)
            assert result.note
    for outcomes in (np.ones((5, 3)), np.zeros((5, 3)), [[1, 1], [0, 0]], np.zeros((0, 2))):
        result = cochran_q(outcomes)
        assert (result.p_value, result.statistic) == (1, 0)
        assert result.note


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=1, max_size=40))
def test_cochran_q_is_proper_and_ignores_unanimous_items(rows: list[tuple[int, ...]]) -> None:
    result = cochran_q(rows)
    assert 0 <= result.p_value <= 1
    assert result.degrees_of_freedom == 3
    padded = cochran_q([*rows, (1, 1, 1, 1), (0, 0, 0, 0)])
    assert padded.statistic == pytest.approx(result.statistic, abs=1e-9)
    exchanged = cochran_q([row[::-1] for row in rows])
    assert exchanged.statistic == pytest.approx(result.statistic, abs=1e-9)
    flipped = cochran_q([[1 - bit for bit in row] for row in rows])
    assert flipped.statistic == pytest.approx(result.statistic, abs=1e-9)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="square"):
        bowker([[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ValueError, match="counts"):
        stuart_maxwell([[1, -2], [3, 4]])
    with pytest.raises(ValueError, match="counts"):
        bhapkar([[1, 0.5], [3, 4]])
    with pytest.raises(ValueError, match="at least two models"):
        cochran_q([[1], [0]])
    with pytest.raises(ValueError, match="0 or 1"):
        cochran_q([[1, 2], [0, 2]])


def test_swaps_of_independent_items_have_bowkers_statistic() -> None:
    table = [[20, 9, 3], [2, 15, 8], [4, 1, 12]]
    moves = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    before, after = zip(*moves, strict=True)
    found = clustered_symmetry(before, after, list(range(len(moves))), resamples=4999)
    asymptotic = bowker(table)
    assert found.statistic == pytest.approx(asymptotic.statistic)
    assert found.p_value == pytest.approx(asymptotic.p_value, abs=0.01)
    assert (found.n, found.clusters) == (74, 74)


def test_swaps_turn_whole_clusters() -> None:
    found = clustered_symmetry([0] * 6, [1] * 6, list("aabbcc"))
    # All three clusters move one way in two of eight swaps.
    assert found.p_value == pytest.approx(0.25, abs=0.02)
    assert (found.n, found.clusters) == (6, 3)
    assert clustered_symmetry([0, 0, 1], [1, 1, 0], list("aaa")).p_value == 1.0


def test_swaps_of_equal_outcomes_show_nothing() -> None:
    found = clustered_symmetry([0, 1, 1], [0, 1, 1], list("abc"))
    assert (found.p_value, found.statistic) == (1.0, 0.0)
    for before, after, resamples in (([], [], 9), ([0], [0, 1], 9), ([0], [1], 0)):
        with pytest.raises(ValueError, match="outcomes"):
            clustered_symmetry(before, after, ["a"] * len(before), resamples=resamples)
