"""Tests that two correlations sharing a variable are equal, from the coefficients alone.

All assume a normal distribution; for rank correlations compare from data, see `mmeval.stats.correlation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from mmeval.stats.intervals import Interval
from mmeval.stats.results import TestResult

ROUNDING = 1e-12
"""Correlations closer than this differ by rounding only."""


@dataclass(frozen=True, slots=True)
class DependentCorrelations:
    """Two correlations that share a variable: of A and of B with a reference, and of A with B.

    Raises:
        ValueError: when a correlation is outside [-1, 1], or no data can have these three.
    """

    first: float
    second: float
    between: float
    n: int

    def __post_init__(self) -> None:
        if self.n < 2 or not all(-1 <= value <= 1 for value in (self.first, self.second, self.between)):
            raise ValueError("correlations must lie in [-1, 1] and n must be at least 2")
        if self.determinant < -1e-9:
            raise ValueError("no data can have these three correlations (their matrix is not positive semidefinite)")

    @property
    def determinant(self) -> float:
        """Determinant of the correlation matrix."""
        first, second, between = self.first, self.second, self.between
        return 1 + 2 * first * second * between - first**2 - second**2 - between**2

    @property
    def equal(self) -> bool:
        """Whether the two differ by rounding only, as they must where A and B correlate perfectly."""
        return abs(self.first - self.second) <= ROUNDING or self.between >= 1 - ROUNDING

    @property
    def extreme(self) -> bool:
        """Whether Fisher's transformation has no finite value."""
        return max(abs(self.first), abs(self.second)) >= 1 - ROUNDING


def meng_z(found: DependentCorrelations) -> TestResult:
    """Return the two-sided z test of Meng, Rosenthal and Rubin (1992) that two correlations are equal.

    z = (Z1 - Z2) sqrt((n-3) / (2 (1-r) h)), h = (1 - f m)/(1 - m), m = mean squared correlation,
    f = min(1, (1-r)/(2 (1-m))), r = correlation of A with B.
    """
    if found.equal or found.extreme or found.n <= 3:
        return _special("meng-z", found)
    mean = (found.first**2 + found.second**2) / 2
    factor = min(1.0, (1 - found.between) / (2 * (1 - mean)))
    h = (1 - factor * mean) / (1 - mean)
    scale = math.sqrt((found.n - 3) / (2 * (1 - found.between) * h))
    return _normal_test("meng-z", (math.atanh(found.first) - math.atanh(found.second)) * scale, found.n)


def steiger_z(found: DependentCorrelations) -> TestResult:
    """Return Steiger's (1980) two-sided z test, with the average correlation in the covariance."""
    if found.equal or found.extreme or found.n <= 3:
        return _special("steiger-z", found)
    m = (found.first + found.second) / 2
    between = found.between
    psi = between * (1 - 2 * m * m) - 0.5 * m * m * (1 - 2 * m * m - between * between)
    room = 2 - 2 * psi / (1 - m * m) ** 2
    if room <= 0:
        return _special("steiger-z", found)
    statistic = (math.atanh(found.first) - math.atanh(found.second)) * math.sqrt((found.n - 3) / room)
    return _normal_test("steiger-z", statistic, found.n)


def williams_t(found: DependentCorrelations) -> TestResult:
    """Return Williams's (1959) two-sided t test, n-3 degrees of freedom."""
    from scipy.stats import t as student

    if found.equal or found.n <= 3:
        return _special("williams-t", found)
    freedom = found.n - 3
    mean = (found.first + found.second) / 2
    room = 2 * (found.n - 1) / freedom * max(0.0, found.determinant) + mean**2 * (1 - found.between) ** 3
    if room <= ROUNDING:
        return _special("williams-t", found)
    statistic = (found.first - found.second) * math.sqrt((found.n - 1) * (1 + found.between) / room)
    return TestResult(
        "williams-t", min(1.0, 2 * float(student.sf(abs(statistic), freedom))), statistic, freedom, found.n
    )


def zou_interval(found: DependentCorrelations, level: float = 0.95) -> Interval | None:
    """Return Zou's (2007) interval of first - second; None with n <= 3 or a correlation of 1 or -1.

    Raises:
        ValueError: when the level is not in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    if found.extreme or found.n <= 3:
        return None
    first, second, between = found.first, found.second, found.between
    a, b = fisher_bounds(first, 1 / (found.n - 3), level)
    c, d = fisher_bounds(second, 1 / (found.n - 3), level)
    shared = (between - 0.5 * first * second) * (1 - first**2 - second**2 - between**2) + between**3
    rho = min(1.0, max(-1.0, shared / ((1 - first**2) * (1 - second**2))))
    estimate = first - second

    def half(own: float, other: float) -> float:
        return math.sqrt(max(0.0, own * own + other * other - 2 * rho * own * other))

    return Interval(estimate - half(first - a, d - second), estimate + half(b - first, second - c), level, "zou")


def _special(method: str, found: DependentCorrelations) -> TestResult:
    if found.equal:
        return TestResult(method, 1.0, 0.0, None, found.n, note="the correlations are equal")
    if found.n <= 3:
        return TestResult(method, 1.0, None, None, found.n, note="fewer than four items")
    if method == "williams-t":
        return TestResult(
            method, 1.0, None, None, found.n, note="one predictor mirrors the other: the test is undefined"
        )
    stand_in = williams_t(found)
    note = f"{method} is undefined for these correlations; Williams's t instead"
    return TestResult(
        stand_in.method,
        stand_in.p_value,
        stand_in.statistic,
        stand_in.degrees_of_freedom,
        found.n,
        note="; ".join(filter(None, [note, stand_in.note])),
    )


def _normal_test(method: str, statistic: float, n: int) -> TestResult:
    return TestResult(method, math.erfc(abs(statistic) / math.sqrt(2)), statistic, None, n)


def fisher_bounds(r: float, variance: float, level: float) -> tuple[float, float]:
    """Return Fisher's interval of a correlation strictly inside (-1, 1), given the variance of its transform."""
    reach = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(variance)
    return math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
