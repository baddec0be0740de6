"""Curves with many lines."""

from __future__ import annotations

import pytest

from mmeval.reports.curves import SERIES_LIMIT, Axes, Point, Series, series_chart


@pytest.mark.parametrize("total", [2, SERIES_LIMIT, 80])
def test_a_chart_draws_no_more_lines_than_can_be_told_apart_and_says_so(total: int) -> None:
    series = [
        Series(f"model-{one}", one, (Point(1, 10.0, 5.0, 15.0), Point(2, 20.0, None, None))) for one in range(total)
    ]
    drawn = str(series_chart("c", series, Axes("answers k", "share"), "curves").svg())
    assert sum(f">model-{one}<" in drawn for one in range(total)) == min(total, SERIES_LIMIT)
    assert (f"the first {SERIES_LIMIT} of {total} lines" in drawn) == (total > SERIES_LIMIT)
