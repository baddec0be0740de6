"""Which quantiles of bootstrap draws are confidence limits: percentile, BCa, and BCa stretched for few clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Draws: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Alternative: TypeAlias = Literal["greater", "less"]

_DEFINED_SHARE = 0.9
"""A quantity undefined in more resamples than one in ten gets no interval."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Wider quantiles for few clusters, as Student's t widens the normal interval (Hesterberg 2015, section 5.2)."""

    factor: float
    """sqrt(C / (C - H)), by which resampling C clusters in H strata understates the standard error."""
    freedom: int
    """C - H, degrees of freedom of t."""

    @classmethod
    def of(cls, sizes: npt.NDArray[np.int64]) -> Stretch | None:
        """Return the stretch for strata of these numbers of clusters; None where no stratum has two.

        A stratum of one cluster is in every resample; it neither varies nor counts.
        """
        varying = sizes[sizes > 1]
        freedom = int(varying.sum() - varying.size)
        return cls(math.sqrt(float(varying.sum()) / freedom), freedom) if freedom else None

    def deviate(self, share: float) -> float:
        """Return the quantile that takes the place of the normal one."""
        from scipy.special import stdtrit

        return self.factor * float(stdtrit(self.freedom, share))

    def tail(self, deviate: float) -> float:
        """Return the chance of lying below a deviate."""
        from scipy.special import stdtr

        return float(stdtr(self.freedom, deviate / self.factor))


@dataclass(frozen=True, slots=True)
class Limits:
    """Draws of one quantity with the corrections that its limits need."""

    draws: Draws
    """Defined draws, not all equal."""
    bias: float = 0.0
    """BCa's z0; 0 for percentile limits."""
    acceleration: float = 0.0
    """BCa's a."""
    stretch: Stretch | None = None
    """None takes normal quantiles."""

    @classmethod
    def of(cls, draws: Draws, estimate: float, jackknife: Draws | None, stretch: Stretch | None) -> Limits | None:
        """Return the limits, or None where the quantity is undefined or does not vary.

        Args:
            draws: values on the resamples, NaN where undefined.
            estimate: value on the data.
            jackknife: values with one group of clusters left out; None for percentile limits.
            stretch: for few clusters.
        """
        kept = defined_draws(draws)
        if kept is None or not math.isfinite(estimate):
            return None
        if jackknife is None:
            return cls(kept, stretch=stretch)
        return cls(kept, _bias(kept, estimate), _acceleration(jackknife), stretch)

    def at(self, level: float) -> tuple[float, float]:
        """Return the lower and the upper limit of the two-sided interval at `level`."""
        low, high = np.quantile(self.draws, [self._share(0.5 - level / 2), self._share(0.5 + level / 2)]).tolist()
        return low, high

    def one_sided(self, bound: float, alternative: Alternative) -> float:
        """Return the p-value of the hypothesis that the quantity does not lie above ("greater") or below ("less") a bound.

        The level at which the one-sided limit just touches the bound. One is added to the counts, so that it is never 0;
        it is 1 where the resamples put no limit on the bound.
        """
        from scipy.special import ndtr, ndtri

        side = 1.0 if alternative == "greater" else -1.0
        beyond = np.count_nonzero(self.draws <= bound if side > 0 else self.draws >= bound)
        share = (1 + beyond) / (1 + self.draws.size)
        # The deviate whose corrected quantile is the bound.
        offset = side * float(ndtri(share)) - self.bias if share < 1 else math.inf
        if not math.isfinite(offset) or 1 + self.acceleration * offset <= 0:
            return 1.0
        deviate = side * (offset / (1 + self.acceleration * offset) - self.bias)
        return float(ndtr(deviate)) if self.stretch is None else self.stretch.tail(deviate)

    def two_sided(self, bound: float = 0.0) -> float:
        """Return the p-value of the hypothesis that the quantity equals a bound."""
        return min(1.0, 2 * self.one_sided(bound, "greater"), 2 * self.one_sided(bound, "less"))

    def _share(self, share: float) -> float:
        """Return the share of draws below the limit that is to lie above `share` of them."""
        from scipy.special import ndtr, ndtri

        z = float(ndtri(share)) if self.stretch is None else self.stretch.deviate(share)
        scale = 1 - self.acceleration * (self.bias + z)
        # Beyond the pole of the correction the limit is the end of the resamples.
        return float(ndtr(self.bias + (self.bias + z) / scale)) if scale > 0 else float(z > 0)


def defined_draws(draws: Draws) -> Draws | None:
    """Return the defined draws; None where they are too few or all equal."""
    finite = np.isfinite(draws)
    if bool(finite.all()):
        kept = draws
    else:
        kept = draws[finite]
        if kept.size < _DEFINED_SHARE * draws.size:
            return None
    spread = float(kept.max() - kept.min())
    return kept if spread > 1e-6 * float(np.abs(kept).max()) else None


def _bias(draws: Draws, estimate: float) -> float:
    """Return BCa's z0; resamples equal to the estimate count half, which matters for lumpy scores."""
    from scipy.special import ndtri

    tolerance = 1e-6 * max(abs(estimate), float(np.abs(draws).max()))
    below = np.count_nonzero(draws < estimate - tolerance)
    equal = np.count_nonzero(np.abs(draws - estimate) <= tolerance)
    share = (below + equal / 2) / draws.size
    return float(ndtri(min(max(share, 0.5 / draws.size), 1 - 0.5 / draws.size)))


def _acceleration(jackknife: Draws) -> float:
    values = jackknife[np.isfinite(jackknife)].astype(np.float64)
    if values.size < 2:
        return 0.0
    influence = values.mean() - values
    squares = float(np.dot(influence, influence))
    return float(np.sum(influence**3)) / (6 * squares**1.5) if squares > 0 else 0.0
