"""PLCC after a logistic mapping of predictions to subjective scores, as quality-assessment papers report it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mmeval.stats.correlation import correlation
from mmeval.stats.intervals import FloatArray, Interval
from mmeval.stats.resampling import BootstrapPlan

Parameters: TypeAlias = Literal[4, 5]


@dataclass(frozen=True, slots=True)
class MappedCorrelation:
    """Pearson correlation and root mean square error after mapping predictions to the scale of the scores."""

    plcc: float | None
    """None where no correlation is defined: a constant side or fewer than two pairs."""
    interval: Interval | None
    """Fisher's interval, the mapping taken as given (ITU-T P.1401)."""
    rmse: float | None
    """Root mean square difference of mapped predictions and scores, in the unit of the scores; None without a fit."""
    coefficients: tuple[float, ...] | None
    """Of the fitted curve in the units of the data; None where the plain PLCC stands in."""
    converged: bool
    """False: `plcc` is the plain Pearson correlation, and the note says why."""
    n: int
    note: str = ""


def mapped_plcc(
    predictions: npt.ArrayLike, scores: npt.ArrayLike, parameters: Parameters = 5, level: float = 0.95
) -> MappedCorrelation:
    """Return the PLCC after a least-squares logistic mapping.

    4 parameters: b1, b2, b3, b4 of (b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2 with b4 > 0 (VQEG 2000). 5 parameters:
    b1..b5 of b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5 (Sheikh, Sabir and Bovik 2006), which is not always
    monotone; the note says when it is not. Fitted on standardised data: a grid of places
    and widths of the sigmoid, then refinement.

    Args:
        predictions: of the model, shape (n,).
        scores: subjective scores, shape (n,).

    Raises:
        ValueError: when shapes differ, a value is not finite, or an argument is out of range.
    """
    if parameters not in (4, 5):
        raise ValueError(f"the mapping has 4 or 5 parameters, not {parameters}")
    plan = BootstrapPlan(level=level)
    plain = correlation(predictions, scores, plan=plan)
    x, y = np.asarray(predictions, dtype=np.float64).ravel(), np.asarray(scores, dtype=np.float64).ravel()
    if plain.estimate is None:
        return MappedCorrelation(None, None, None, None, False, x.size, plain.note)
    if x.size <= parameters or np.unique(x).size <= parameters:
        note = f"no more than {parameters} different predictions: no mapping, plain Pearson"
        return MappedCorrelation(plain.estimate, plain.interval, None, None, False, x.size, note)
    with np.errstate(over="ignore"):
        centers, scales = (float(x.mean()), float(y.mean())), (float(x.std()), float(y.std()))
    usable = all(math.isfinite(value) for value in (*centers, *scales)) and min(scales) > 0
    fit = _fit((x - centers[0]) / scales[0], (y - centers[1]) / scales[1], parameters) if usable else None
    if fit is None:
        return MappedCorrelation(
            plain.estimate, plain.interval, None, None, False, x.size, "the mapping did not converge: plain Pearson"
        )
    standard = (x - centers[0]) / scales[0]
    place, linear = fit
    mapped = _basis(place, standard, parameters) @ linear * scales[1] + centers[1]
    found = correlation(mapped, y, plan=plan)
    if found.estimate is None:
        return MappedCorrelation(
            plain.estimate, plain.interval, None, None, False, x.size, "the mapping is constant: plain Pearson"
        )
    notes = [found.note] if found.note else []
    steps = np.diff(mapped[np.argsort(x, kind="stable")])
    slack = 1e-9 * float(np.ptp(mapped))
    if bool(np.any(steps > slack)) and bool(np.any(steps < -slack)):
        notes.append("the fitted curve is not monotone over the predictions")
    if plain.estimate < 0:
        notes.append("predictions fall as scores rise; the mapping turns them round")
    coefficients = _in_data_units(place, linear, centers, scales)
    rmse = math.sqrt(float(np.mean((mapped - y) ** 2)))
    return MappedCorrelation(found.estimate, found.interval, rmse, coefficients, True, x.size, "; ".join(notes))


def logistic_curve(coefficients: Sequence[float], x: npt.ArrayLike) -> FloatArray:
    """Return the fitted curve of 4 or 5 coefficients (`MappedCorrelation.coefficients`) at `x`."""
    from scipy.special import expit

    data = np.asarray(x, dtype=np.float64)
    if len(coefficients) == 4:
        high, low, center, width = coefficients
        return np.asarray((high - low) * expit((data - center) / width) + low, dtype=np.float64)
    height, steepness, center, slope, offset = coefficients
    return np.asarray(height * (expit(steepness * (data - center)) - 0.5) + slope * data + offset, dtype=np.float64)


def _basis(place: FloatArray, x: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the columns that the curve is linear in, for a sigmoid at place[0] of log width place[1]."""
    from scipy.special import expit

    sigmoid = expit((x - place[0]) * math.exp(-place[1]))
    columns = (sigmoid, np.ones_like(x)) if parameters == 4 else (sigmoid - 0.5, x, np.ones_like(x))
    return np.stack(columns, axis=1)


def _fit(x: FloatArray, y: FloatArray, parameters: Parameters) -> tuple[FloatArray, FloatArray] | None:
    """Return the best place (centre and log width) of the sigmoid and the coefficients of its basis; None without one.

    Only the place is searched (variable projection, Golub and Pereyra 1973): a grid, then refinement of its two best
    points, inside bounds that keep the curve from turning into a step or a line without end.
    """
    from scipy.optimize import minimize

    def cost(place: FloatArray) -> float:
        basis = _basis(place, x, parameters)
        return float(np.mean((basis @ np.linalg.lstsq(basis, y, rcond=None)[0] - y) ** 2))

    low, high = float(x.min()), float(x.max())
    widths = (math.log(0.02), math.log(8.0))
    grid = [
        np.array([center, math.log(width)])
        for center in np.linspace(low, high, 9)[1:-1]
        for width in (0.1, 0.3, 1.0, 3.0)
    ]
    grid.sort(key=cost)
    bounds = [(2 * low - high, 2 * high - low), widths]
    options = {"xatol": 1e-7, "fatol": 1e-12, "maxiter": 600}
    fits = [minimize(cost, start, method="Nelder-Mead", bounds=bounds, options=options) for start in grid[:2]]
    fits = [fit for fit in fits if fit.success and bool(np.all(np.isfinite(fit.x)))]
    if not fits:
        return None
    place = np.asarray(min(fits, key=lambda fit: float(fit.fun)).x, dtype=np.float64)
    return place, np.asarray(np.linalg.lstsq(_basis(place, x, parameters), y, rcond=None)[0], dtype=np.float64)


def _in_data_units(
    place: FloatArray, linear: FloatArray, centers: tuple[float, float], scales: tuple[float, float]
) -> tuple[float, ...]:
    (mx, my), (sx, sy) = centers, scales
    center, width = mx + sx * float(place[0]), sx * math.exp(place[1])
    found: tuple[float, ...]
    if linear.size == 2:
        low = my + sy * linear[1]
        found = (low + sy * linear[0], low, center, width)
    else:
        slope = linear[1] * sy / sx
        found = (sy * linear[0], 1 / width, center, slope, my + sy * linear[2] - slope * mx)
    return tuple(float(value) for value in found)
