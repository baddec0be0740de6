from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmeval.stats.paired import (
    PairedTable,
    bonett_price_interval,
    mcnemar_asymptotic,
    mcnemar_corrected,
    mcnemar_exact,
    mcnemar_mid_p,
    newcombe_interval,
    probability_better,
    tango_interval,
    tango_statistic,
)

TESTS = (mcnemar_asymptotic, mcnemar_corrected, mcnemar_exact, mcnemar_mid_p)
INTERVALS = (tango_interval, newcombe_interval, bonett_price_interval)

small = st.integers(0, 40)
large = st.one_of(small, st.integers(0, 200_000))
tables = st.builds(PairedTable, large, large, large, large)
levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


@settings(deadline=None)
@given(tables)
def test_every_table_has_a_p_value(table: PairedTable) -> None:
    for test in TESTS:
        result = test(table)
        assert 0 <= result.p_value <= 1
        assert result.n == table.n
        assert result.method.startswith("mcnemar-")
        assert bool(result.note) == (table.discordant == 0)


@settings(deadline=None)
@given(tables)
def test_the_arms_can_be_exchanged(table: PairedTable) -> None:
    for test in TESTS:
        assert test(table).p_value == test(table.swapped()).p_value
    assert probability_better(table) == pytest.approx(1 - probability_better(table.swapped()), abs=1e-9)
    for interval in INTERVALS:
        one, other = interval(table), interval(table.swapped())
        if one is None or other is None:
            assert table.n == 0
            continue
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


@settings(deadline=None)
@given(tables, large, large)
def test_concordant_items_do_not_change_a_p_value(table: PairedTable, right: int, wrong: int) -> None:
    other = PairedTable(right, table.losses, table.gains, wrong)
    for test in TESTS:
        assert test(table).p_value == test(other).p_value
    assert probability_better(table) == probability_better(other)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_more_lopsided_splits_are_less_plausible(losses: int, more: int) -> None:
    total = 2 * losses + 3 + more  # at least one loss more still leaves the gains ahead
    lopsided, closer = (PairedTable(0, k, total - k, 0) for k in (losses, losses + 1))
    for test in (mcnemar_asymptotic, mcnemar_exact, mcnemar_mid_p):
        assert test(lopsided).p_value < test(closer).p_value
    assert mcnemar_corrected(lopsided).p_value <= mcnemar_corrected(closer).p_value


@settings(deadline=None)
@given(tables)
def test_less_conservative_variants_have_smaller_p_values(table: PairedTable) -> None:
    assume(table.discordant > 0)
    exact = mcnemar_exact(table).p_value
    assert mcnemar_mid_p(table).p_value < exact or exact < 1e-300
    assert mcnemar_asymptotic(table).p_value <= mcnemar_corrected(table).p_value


def test_ties_and_no_discordant_pair() -> None:
    tie = PairedTable(3, 5, 5, 3)
    assert mcnemar_corrected(tie).p_value == 1
    assert mcnemar_exact(tie).p_value == 1
    assert mcnemar_mid_p(tie).p_value == pytest.approx(1 - math.comb(10, 5) / 2**10 / 2, abs=1e-12)
    assert [test(PairedTable(9, 0, 0, 4)).p_value for test in TESTS] == [1, 1, 1, 1]


@settings(deadline=None)
@given(tables)
def test_the_score_at_zero_is_mcnemars(table: PairedTable) -> None:
    statistic = mcnemar_asymptotic(table).statistic
    assert tango_statistic(table, 0.0) ** 2 == pytest.approx(statistic, rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(tables, levels)
def test_score_interval_is_what_the_test_does_not_reject(table: PairedTable, level: float) -> None:
    assume(table.n > 0)
    interval = tango_interval(table, level)
    assert interval is not None
    assert -1 <= interval.low < interval.high <= 1
    assert table.difference is not None
    assert interval.low <= table.difference <= interval.high
    z = {0.5: 0.6744898, 0.8: 1.2815516, 0.9: 1.6448536, 0.95: 1.9599640, 0.99: 2.5758293}[level]
    if interval.low > -1:
        assert tango_statistic(table, interval.low) == pytest.approx(z, abs=1e-4)
    if interval.high < 1:
        assert tango_statistic(table, interval.high) == pytest.approx(-z, abs=1e-4)
    excludes_zero = not interval.low <= 0 <= interval.high
    if abs(abs(tango_statistic(table, 0.0)) - z) > 1e-4:
        assert excludes_zero == (mcnemar_asymptotic(table).p_value < 1 - level)


@settings(deadline=None)
@given(tables, st.floats(-0.999, 0.999), st.floats(1e-6, 0.1))
def test_score_falls_with_the_difference_tested(table: PairedTable, difference: float, step: float) -> None:
    assume(table.n > 0 and difference + step < 1)
    higher = tango_statistic(table, difference + step)
    assert higher <= tango_statistic(table, difference) + 1e-9


@settings(deadline=None)
@given(tables, levels)
def test_intervals_are_proper(table: PairedTable, level: float) -> None:
    for function in INTERVALS:
        interval = function(table, level)
        if interval is None:
            assert table.n == 0
            continue
        assert -1 <= interval.low < interval.high <= 1
        assert interval.level == level


@pytest.mark.parametrize("cells", [(9, 0, 0, 0), (0, 0, 0, 9), (5, 0, 0, 4), (1, 0, 0, 0)])
def test_agreement_on_every_item_still_leaves_doubt(cells: tuple[int, int, int, int]) -> None:
    table = PairedTable(*cells)
    interval = tango_interval(table)
    assert interval is not None
    half = 1.959964**2 / (table.n + 1.959964**2)
    assert (interval.low, interval.high) == pytest.approx((-half, half), abs=1e-6)


def test_one_sided_sweeps_reach_the_end_of_the_range() -> None:
    sweep = PairedTable(0, 0, 5, 0)
    interval = tango_interval(sweep)
    assert interval is not None
    assert interval.high == 1
    assert 0 < interval.low < 1
    assert tango_statistic(sweep, -1.0) == math.inf
    assert tango_statistic(sweep, 1.0) == 0


def test_counting() -> None:
    table = PairedTable.from_outcomes([1, 1, 0, 0, 1], np.array([True, False, True, False, True]))
    assert table == PairedTable(2, 1, 1, 1)
    assert (table.n, table.discordant, table.difference) == (5, 2, 0)
    assert PairedTable(0, 0, 0, 0).difference is None
    assert tango_interval(PairedTable(0, 0, 0, 0)) is None
    assert probability_better(PairedTable(0, 0, 0, 0)) == pytest.approx(0.5)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="2 baseline outcomes but 3"):
        PairedTable.from_outcomes([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="must be 0 or 1"):
        PairedTable.from_outcomes([0.5], [1])
    with pytest.raises(ValueError, match="must be 0 or 1"):
        PairedTable.from_outcomes([math.nan], [1])
    with pytest.raises(ValueError, match="losses must be a count"):
        PairedTable(1, -1, 0, 0)
    with pytest.raises(ValueError, match="level"):
        tango_interval(PairedTable(1, 1, 1, 1), 1.0)
    with pytest.raises(ValueError, match=r"lies in \[-1, 1\]"):
        tango_statistic(PairedTable(1, 1, 1, 1), 1.5)
