"""Abilities of models from pairwise preferences: Bradley-Terry with ties, clustered errors and the shown order."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Interval
from mmeval.stats.preference import Preferences
from mmeval.stats.scores import cluster_index

RATING_SCALE = 400 / math.log(10)
"""Points of an Elo-like display per unit of log odds."""


@dataclass(frozen=True, slots=True)
class Ability:
    """A model's strength on the scale of log odds."""

    model: str
    ability: float
    standard_error: float
    """0 for the reference model."""
    interval: Interval
    comparisons: int

    @property
    def rating(self) -> float:
        """On the scale of Elo ratings, 1000 for an ability of 0; for display only."""
        return 1000 + RATING_SCALE * self.ability


@dataclass(frozen=True, slots=True)
class BradleyTerry:
    """A fitted model, P(i beats j) = 1 / (1 + exp(b_j - b_i))."""

    abilities: tuple[Ability, ...]
    """Strongest first."""
    covariance: FloatArray
    """Of the abilities in their order, shape (models, models)."""
    position: float | None
    """Log odds that being shown first adds; None where it was not fitted."""
    position_error: float | None
    position_p_value: float | None
    errors: str
    """`sandwich`, `sandwich-clustered` or `information`."""
    n: int
    clusters: int | None
    """Prompts; None where comparisons are taken as independent."""
    level: float
    note: str = ""

    def win_probability(self, model: str, other: str) -> tuple[float, Interval]:
        """Return the fitted chance that a model beats another (order apart), with its interval.

        Raises:
            ValueError: when either model is unknown.
        """
        names = [found.model for found in self.abilities]
        if model not in names or other not in names:
            raise ValueError(f"unknown model {model if model not in names else other!r}; one of {', '.join(names)}")
        i, j = names.index(model), names.index(other)
        gap = self.abilities[i].ability - self.abilities[j].ability
        cov = self.covariance
        error = math.sqrt(max(0.0, float(cov[i, i] + cov[j, j] - 2 * cov[i, j])))
        reach = NormalDist().inv_cdf(0.5 + self.level / 2) * error
        bounds = [_logistic(gap + side * reach) for side in (-1, 1)]
        return _logistic(gap), Interval(bounds[0], bounds[1], self.level, f"bradley-terry-{self.errors}")


@dataclass(frozen=True, slots=True)
class _Design:
    """Comparisons by kind of pair (who is shown first, who second)."""

    x: FloatArray
    """Shape (kinds, parameters): +1 first, -1 second, without the last model; then 1 for the position."""
    kind: npt.NDArray[np.int64]
    """Kind of each comparison."""
    y: FloatArray
    """Outcome of each comparison."""
    cluster: npt.NDArray[np.int64]


def bradley_terry(
    preferences: Preferences,
    *,
    reference: str | None = None,
    position_effect: bool = False,
    errors: Literal["sandwich", "information"] = "sandwich",
    level: float = 0.95,
) -> BradleyTerry:
    """Fit abilities by maximum likelihood, ties as half a win for each side (Bradley and Terry 1952).

    Standard errors are sandwich, summed by prompt where prompts repeat (with the factor C/(C-1)), so that they stay
    right with ties and several comparisons of one prompt; `information` gives the inverse Fisher information. Where a
    model (or a group) won or lost everything, no finite maximum exists: the estimate is Firth's (1993), which is finite,
    its errors come from the information, and the note says so.

    Args:
        reference: model whose ability is 0; None gives abilities a mean of 0.
        position_effect: also fit the advantage of being shown first.
        level: confidence level in (0, 1).

    Raises:
        ValueError: without comparisons, when groups of models were never compared with each other, the reference is
            unknown, or the level is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    if errors not in ("sandwich", "information"):
        raise ValueError(f"unknown errors {errors!r}; one of sandwich, information")
    models = preferences.models
    if not models:
        raise ValueError("no comparisons")
    if reference is not None and reference not in models:
        raise ValueError(f"unknown reference {reference!r}; one of {', '.join(models)}")
    _refuse_disconnected(preferences, models)
    notes: list[str] = []
    design = _design(preferences, models, position_effect)
    if position_effect and int(np.linalg.matrix_rank(design.x)) < design.x.shape[1]:
        notes.append("no position effect: show pairs in both orders to tell it from ability")
        position_effect = False
        design = _design(preferences, models, False)
    separated = _separated(design)
    parameters, information = _fit(design, firth=separated)
    covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
    kind = "information"
    if separated:
        notes.append(
            "some models won or lost everything (no finite maximum): Firth's estimate, errors from the information"
        )
    elif errors == "sandwich":
        robust = _sandwich(design, parameters, covariance)
        if robust is None:
            notes.append("too few prompts or no spread for sandwich errors: from the information, as if independent")
        else:
            covariance = robust
            kind = "sandwich" if _prompt_count(preferences) is None else "sandwich-clustered"
    return _result(preferences, parameters, covariance, (reference, position_effect, level, kind, "; ".join(notes)))


def _sandwich(design: _Design, parameters: FloatArray, bread: FloatArray) -> FloatArray | None:
    """Return the cluster-robust covariance; None with no more clusters than parameters or outcomes that fit exactly."""
    from scipy.sparse import coo_array

    count = int(design.cluster.max()) + 1
    if count <= parameters.size:
        return None
    residual = design.y - _probabilities(design.x, parameters)[design.kind]
    by_cluster = coo_array((residual, (design.cluster, design.kind)), shape=(count, len(design.x)))
    scores = np.asarray(by_cluster @ design.x, dtype=np.float64)
    found = bread @ (scores.T @ scores * (count / (count - 1))) @ bread
    return None if bool(np.any(np.diag(found) <= 1e-9 * np.diag(bread))) else found


def _result(
    preferences: Preferences,
    parameters: FloatArray,
    covariance: FloatArray,
    chosen: tuple[str | None, bool, float, str, str],
) -> BradleyTerry:
    reference, position_effect, level, kind, note = chosen
    models = preferences.models
    size = len(models)
    # The last model was fixed at 0; move the origin to the reference or to the mean.
    expand = np.zeros((size, parameters.size))
    expand[: size - 1, : size - 1] = np.eye(size - 1)
    origin = np.full(size, 1 / size) if reference is None else np.eye(size)[models.index(reference)]
    shift = expand - (origin @ expand)[None, :]
    values, spread = shift @ parameters, shift @ covariance @ shift.T
    z = NormalDist().inv_cdf(0.5 + level / 2)
    met = Counter(preferences.first) + Counter(preferences.second)
    found = []
    order = sorted(range(size), key=lambda i: (-values[i], models[i]))
    for i in order:
        error = 0.0 if models[i] == reference else math.sqrt(max(0.0, float(spread[i, i])))
        value = 0.0 if models[i] == reference else float(values[i])
        interval = Interval(value - z * error, value + z * error, level, f"bradley-terry-{kind}")
        found.append(Ability(models[i], value, error, interval, met[models[i]]))
    position = position_error = p_value = None
    if position_effect:
        position, position_error = float(parameters[-1]), math.sqrt(max(0.0, float(covariance[-1, -1])))
        p_value = math.erfc(abs(position) / position_error / math.sqrt(2)) if position_error > 0 else 1.0
    n = len(preferences.first)
    count = _prompt_count(preferences)
    return BradleyTerry(
        tuple(found), spread[np.ix_(order, order)], position, position_error, p_value, kind, n, count, level, note
    )


def _prompt_count(preferences: Preferences) -> int | None:
    if preferences.prompts is None:
        return None
    count = len(set(preferences.prompts))
    return count if count < len(preferences.first) else None


def _design(preferences: Preferences, models: tuple[str, ...], position_effect: bool) -> _Design:
    number = {model: i for i, model in enumerate(models)}
    size = len(models)
    codes = [number[a] * size + number[b] for a, b in zip(preferences.first, preferences.second, strict=True)]
    kinds, kind = np.unique(np.array(codes), return_inverse=True)
    x = np.zeros((kinds.size, size + 1))
    rows = np.arange(kinds.size)
    x[rows, kinds // size], x[rows, kinds % size], x[:, size] = 1.0, -1.0, 1.0
    kept = [*range(size - 1), *([size] if position_effect else [])]
    outcome = np.asarray(preferences.outcome, dtype=np.float64).ravel()
    return _Design(x[:, kept], kind.ravel(), outcome, cluster_index(preferences.prompts, outcome.size))


def _refuse_disconnected(preferences: Preferences, models: tuple[str, ...]) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {model: i for i, model in enumerate(models)}
    rows, columns = [number[m] for m in preferences.first], [number[m] for m in preferences.second]
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(models), len(models)))
    groups, label = connected_components(graph, directed=False)
    if groups > 1:
        parts = [", ".join(m for m, of in zip(models, label, strict=True) if of == group) for group in range(groups)]
        raise ValueError(
            f"models of different groups were never compared, so their abilities have no common scale: {' | '.join(parts)}"
        )


def _separated(design: _Design) -> bool:
    """Return whether some direction of the parameters never makes an observed outcome less likely.

    Then the likelihood rises without end along it (Albert and Anderson 1984). A linear programme finds it.
    """
    from scipy.optimize import linprog

    rows = design.x
    win = np.bincount(design.kind, weights=design.y > 0, minlength=len(rows)) > 0
    loss = np.bincount(design.kind, weights=design.y < 1, minlength=len(rows)) > 0
    only = win != loss
    signed = rows[only] * np.where(win[only], 1.0, -1.0)[:, None]
    if not len(signed):
        return False
    both = rows[~only]
    found = linprog(
        -signed.sum(axis=0),
        A_ub=np.vstack([-signed, signed]),
        b_ub=np.concatenate([np.zeros(len(signed)), np.ones(len(signed))]),
        A_eq=both if len(both) else None,
        b_eq=np.zeros(len(both)) if len(both) else None,
        bounds=(None, None),
        method="highs",
    )
    # Scaling a direction reaches the bound of 1, so the optimum is 0 or at least 1.
    return bool(-float(found.fun) > 0.5) if found.status == 0 else True


def _probabilities(x: FloatArray, parameters: FloatArray) -> FloatArray:
    from scipy.special import expit

    return np.asarray(expit(x @ parameters), dtype=np.float64)


def _fit(design: _Design, *, firth: bool) -> tuple[FloatArray, FloatArray]:
    """Return the (Firth-penalised) maximum likelihood estimate by damped Newton steps, and its information."""
    x = design.x
    trials = np.bincount(design.kind, minlength=len(x)).astype(np.float64)
    wins = np.bincount(design.kind, weights=design.y, minlength=len(x))

    def information(parameters: FloatArray) -> FloatArray:
        p = _probabilities(x, parameters)
        return np.asarray((x * (trials * p * (1 - p))[:, None]).T @ x, dtype=np.float64)

    def objective(parameters: FloatArray) -> float:
        linear = x @ parameters
        value = float(np.dot(wins, linear) - np.dot(trials, np.logaddexp(0.0, linear)))
        if firth:
            sign, logarithm = np.linalg.slogdet(information(parameters))
            value += 0.5 * float(logarithm) if sign > 0 else -math.inf
        return value

    parameters = np.zeros(x.shape[1])
    value = objective(parameters)
    for _ in range(500):
        p = _probabilities(x, parameters)
        fisher = information(parameters)
        residual = wins - trials * p
        if firth:
            leverage = trials * p * (1 - p) * np.einsum("ij,ji->i", x, np.linalg.solve(fisher, x.T))
            residual = residual + leverage * (0.5 - p)
        step = np.linalg.solve(fisher, x.T @ residual)
        size = 1.0
        while size > 1e-10:
            moved = objective(parameters + size * step)
            if moved >= value - 1e-12 * abs(value):
                break
            size /= 2
        parameters, value = parameters + size * step, moved
        if float(np.max(np.abs(size * step), initial=0.0)) < 1e-10:
            break
    return parameters, information(parameters)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
