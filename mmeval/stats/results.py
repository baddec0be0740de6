"""The types that tests and comparisons return."""

from __future__ import annotations

from dataclasses import dataclass

from mmeval.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class TestResult:
    """The outcome of one significance test."""

    __test__ = False  # pytest would otherwise collect a class of this name

    method: str
    """The test by name, with its variant: `mcnemar-mid-p`, `obuchowski`, `cochran-q` …"""
    p_value: float
    """In [0, 1], never NaN: data that cannot speak against the null hypothesis give 1."""
    statistic: float | None
    """None for a test without one (exact tests) and where the data leave it undefined."""
    degrees_of_freedom: float | None
    """None for a test whose reference distribution has none."""
    n: int
    """Items (pairs, rows) that went in."""
    clusters: int | None = None
    """Independent clusters; None for a test that takes items as independent."""
    note: str = ""
    """What a reader must know: degenerate data, few clusters, resamples and seed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An estimated difference, candidate minus baseline, with its uncertainty."""

    estimate: float
    standard_error: float | None
    """None where the data leave it undefined or the interval does not rest on one."""
    interval: Interval | None
    """None where the data cannot give one; the note says why."""
    n: int
    """Items (pairs) that went in."""
    clusters: int | None
    """Independent clusters; None where items are taken as independent."""
    method: str
    """The test by name, or the interval's where there is no test; the interval names its own method too."""
    p_value: float | None
    """Two-sided unless the method says otherwise; None where no test was made."""
    note: str = ""
