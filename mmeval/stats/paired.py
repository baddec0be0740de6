"""Two models on the same independent items, right or wrong: the 2x2 table, its tests and its intervals.

One convention throughout: losses are items that only the baseline has right, gains those that only the
candidate has right, and the difference is (gains - losses) / n, positive when the candidate is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import Interval, wilson
from mmeval.stats.results import TestResult


@dataclass(frozen=True, slots=True)
class PairedTable:
    """Counts of items by what the two models made of them."""

    both_right: int
    losses: int
    """Only the baseline is right."""
    gains: int
    """Only the candidate is right."""
    both_wrong: int

    def __post_init__(self) -> None:
        for name in ("both_right", "losses", "gains", "both_wrong"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
                raise ValueError(f"{name} must be a count, got {value!r}")

    @classmethod
    def from_outcomes(cls, baseline: npt.ArrayLike, candidate: npt.ArrayLike) -> PairedTable:
        """Count two aligned vectors of right (1, True) and wrong (0, False).

        Raises:
            ValueError: when the lengths differ or a value is neither 0 nor 1.
        """
        first, second = (np.asarray(side, dtype=np.float64).ravel() for side in (baseline, candidate))
        if first.size != second.size:
            raise ValueError(f"{first.size} baseline outcomes but {second.size} candidate outcomes")
        if not bool(np.all(np.isin(first, (0.0, 1.0)) & np.isin(second, (0.0, 1.0)))):
            raise ValueError("outcomes must be 0 or 1")
        cells = np.bincount((2 * first + second).astype(np.int64), minlength=4).tolist()
        return cls(both_right=cells[3], losses=cells[2], gains=cells[1], both_wrong=cells[0])

    @property
    def n(self) -> int:
        """Items."""
        return self.both_right + self.losses + self.gains + self.both_wrong

    @property
    def discordant(self) -> int:
        """Items on which the models differ."""
        return self.losses + self.gains

    @property
    def difference(self) -> float | None:
        """(gains - losses) / n, or None without items."""
        return (self.gains - self.losses) / self.n if self.n else None

    def swapped(self) -> PairedTable:
        """Return the table with the roles of baseline and candidate exchanged."""
        return PairedTable(self.both_right, self.gains, self.losses, self.both_wrong)


def mcnemar_asymptotic(table: PairedTable) -> TestResult:
    """McNemar's chi-square test without correction (McNemar 1947): (c-b)^2/(b+c), one degree of freedom.

    It exceeds its level slightly now and then; `mcnemar_mid_p` is the default.
    """
    return _chi_square(table, abs(table.gains - table.losses), "mcnemar-asymptotic")


def mcnemar_corrected(table: PairedTable) -> TestResult:
    """McNemar's test with Edwards' continuity correction (1948): (|c-b|-1)^2/(b+c), conservative.

    Equal counts give a statistic of 0: the correction never pushes the counts past each other.
    """
    return _chi_square(table, max(0, abs(table.gains - table.losses) - 1), "mcnemar-continuity-corrected")


def mcnemar_exact(table: PairedTable) -> TestResult:
    """McNemar's exact conditional test: the two-sided sign test of gains against losses; conservative."""
    from scipy.special import bdtr

    smaller, discordant = min(table.losses, table.gains), table.discordant
    p_value = min(1.0, 2 * float(bdtr(smaller, discordant, 0.5))) if discordant else 1.0
    return TestResult("mcnemar-exact", p_value, None, None, table.n, note=_concordant(table))


def mcnemar_mid_p(table: PairedTable) -> TestResult:
    """McNemar's mid-p test: the exact p-value less half the probability of the observed split, on both sides.

    Fagerland, Lydersen and Laake 2013: keeps its level and has nearly the power of the asymptotic test.
    With equal counts the value is 1 - f/2, f the probability of an even split (their supplement).
    """
    from scipy.special import bdtr

    smaller, discordant = min(table.losses, table.gains), table.discordant
    note = _concordant(table)
    if not discordant:
        return TestResult("mcnemar-mid-p", 1.0, None, None, table.n, note=note)
    up_to = float(bdtr(smaller, discordant, 0.5))
    below = float(bdtr(smaller - 1, discordant, 0.5)) if smaller else 0.0
    # 2 P(X < smaller) + P(X = smaller), but 1 - P(X = smaller) / 2 for a tie.
    p_value = 1 - (up_to - below) / 2 if table.losses == table.gains else below + up_to
    return TestResult("mcnemar-mid-p", min(1.0, p_value), None, None, table.n, note=note)


def tango_statistic(table: PairedTable, difference: float) -> float:
    """Return Tango's (1998) score statistic of the hypothesis that the true difference is `difference`.

    Positive when the observed difference lies above it; its square at 0 is the uncorrected McNemar
    statistic. Infinite where the data are impossible under the hypothesis (a difference of -1 or 1).

    Raises:
        ValueError: when the difference is outside [-1, 1].
    """
    if not -1 <= difference <= 1:
        raise ValueError(f"a difference of proportions lies in [-1, 1], got {difference}")
    n, gains, losses = table.n, table.gains, table.losses
    excess = gains - losses - n * difference
    if n == 0:
        return 0.0
    # Restricted maximum likelihood estimate of P(loss): the larger root of A p^2 + B p + C.
    a = 2.0 * n
    b = -gains - losses + (2 * n - gains + losses) * difference
    c = -losses * difference * (1 - difference)
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    # For a positive B the usual form of the root subtracts nearly equal numbers.
    loss_rate = (root - b) / (2 * a) if b <= 0 else (-2 * c / (root + b))
    variance = n * (2 * loss_rate + difference * (1 - difference))
    if variance <= 1e-15 * n:
        return 0.0 if abs(excess) <= 1e-12 * n else math.copysign(math.inf, excess)
    return excess / math.sqrt(variance)


def tango_interval(table: PairedTable, level: float = 0.95) -> Interval | None:
    """Return Tango's (1998) score interval of the difference, or None without items.

    All differences that the score test does not reject. Proper for every table: without discordant
    items it is +-z^2/(n + z^2).

    Raises:
        ValueError: when the level is not in (0, 1).
    """
    z = _quantile(level)
    estimate = table.difference
    if estimate is None:
        return None

    def at(difference: float) -> float:
        return tango_statistic(table, difference)

    low = -1.0 if estimate <= -1 else _crossing(lambda d: at(d) - z, -1.0, estimate)
    high = 1.0 if estimate >= 1 else _crossing(lambda d: at(d) + z, estimate, 1.0)
    return Interval(low, high, level, "tango")


def newcombe_interval(table: PairedTable, level: float = 0.95) -> Interval | None:
    """Return Newcombe's (1998) hybrid score interval of the difference (method 10), or None without items.

    Squares and adds the Wilson intervals of the two proportions, with a continuity-corrected phi between them.

    Raises:
        ValueError: when the level is not in (0, 1).
    """
    _quantile(level)
    n, estimate = table.n, table.difference
    baseline = wilson(table.both_right + table.losses, n, level)
    candidate = wilson(table.both_right + table.gains, n, level)
    if estimate is None or baseline is None or candidate is None:
        return None
    phi = _corrected_phi(table)
    first, second = (table.both_right + table.losses) / n, (table.both_right + table.gains) / n
    below = _square_and_add(second - candidate.low, baseline.high - first, phi)
    above = _square_and_add(candidate.high - second, first - baseline.low, phi)
    return Interval(estimate - below, estimate + above, level, "newcombe-10").clip(-1.0, 1.0)


def bonett_price_interval(table: PairedTable, level: float = 0.95) -> Interval | None:
    """Return the Laplace-adjusted Wald interval of the difference (Bonett and Price 2012), or None without items.

    Raises:
        ValueError: when the level is not in (0, 1).
    """
    z = _quantile(level)
    if table.n == 0:
        return None
    gains, losses = (table.gains + 1) / (table.n + 2), (table.losses + 1) / (table.n + 2)
    center = gains - losses
    half = z * math.sqrt((gains + losses - center * center) / (table.n + 2))
    return Interval(center - half, center + half, level, "bonett-price").clip(-1.0, 1.0)


def probability_better(table: PairedTable) -> float:
    """Return the posterior probability that the candidate is the better model.

    Dirichlet(1, 1, 1, 1) prior on the four cells, which makes the share of gains among discordant items
    Beta(gains + 1, losses + 1); the answer is the mass of that above one half.
    """
    from scipy.special import betainc

    return float(betainc(table.losses + 1, table.gains + 1, 0.5))


def _chi_square(table: PairedTable, excess: int, method: str) -> TestResult:
    from scipy.special import chdtrc

    statistic = excess * excess / table.discordant if table.discordant else 0.0
    return TestResult(method, float(chdtrc(1, statistic)), statistic, 1, table.n, note=_concordant(table))


def _concordant(table: PairedTable) -> str:
    return "" if table.discordant else "no discordant pair: the models agree on every item"


def _corrected_phi(table: PairedTable) -> float:
    a, b, c, d = table.both_right, table.losses, table.gains, table.both_wrong
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    product = float(a * d - b * c)
    if product > 0:
        product = max(product - table.n / 2, 0.0)
    return product / math.sqrt(margins)


def _square_and_add(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(first * first - 2 * phi * first * second + second * second, 0.0))


def _crossing(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function that may be infinite at an end of the bracket crosses zero."""
    from scipy.optimize import brentq

    def finite(x: float) -> float:
        return min(max(function(x), -1e9), 1e9)

    return float(brentq(finite, low, high, xtol=1e-13, rtol=1e-13))


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    return NormalDist().inv_cdf(0.5 + level / 2)
