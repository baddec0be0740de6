"""Many hypotheses at once: adjusted p-values, and the ranking that they support."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray

Adjustment = Literal["holm", "bonferroni", "benjamini-hochberg", "benjamini-yekutieli"]
METHODS: tuple[Adjustment, ...] = ("holm", "bonferroni", "benjamini-hochberg", "benjamini-yekutieli")


def adjust(p_values: npt.ArrayLike, method: Adjustment = "holm") -> FloatArray:
    """Return the adjusted p-values of one family of hypotheses, in the order given, shape (hypotheses,).

    "holm" and "bonferroni" bound the chance of any false claim under every dependence; "benjamini-hochberg"
    bounds the expected share of false claims under independence or positive dependence, "benjamini-yekutieli"
    under every dependence. The family is what was declared before looking.

    Raises:
        ValueError: for an unknown method or a p-value outside [0, 1].
    """
    if method not in METHODS:
        raise ValueError(f"unknown adjustment {method!r}; one of {', '.join(METHODS)}")
    values = np.asarray(p_values, dtype=np.float64).ravel()
    if not bool(np.all((values >= 0) & (values <= 1))):
        raise ValueError("p-values must lie in [0, 1]; leave out hypotheses that were not tested")
    if values.size == 0:
        return values
    if method == "bonferroni":
        return np.minimum(1.0, values * values.size)
    if method == "holm":
        return _holm(values)
    from scipy.stats import false_discovery_control

    found: FloatArray = np.asarray(
        false_discovery_control(values, method="bh" if method == "benjamini-hochberg" else "by"), dtype=np.float64
    )
    return found


def _holm(values: FloatArray) -> FloatArray:
    """Holm's step-down. statsmodels has it too, but runs the garbage collector at every call (tens of milliseconds)."""
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(values.size, 0, -1)
    found = np.empty_like(values)
    found[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return found


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Return Holm's (1979) step-down adjusted p-values; see `adjust`."""
    return adjust(p_values, "holm")


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Return Benjamini and Hochberg's (1995) step-up adjusted p-values; see `adjust`."""
    return adjust(p_values, "benjamini-hochberg")


def ranking_groups(
    estimates: npt.ArrayLike, adjusted_p_values: npt.ArrayLike, alpha: float = 0.05
) -> tuple[tuple[int, ...], ...]:
    """Group models, best first, by what pairwise tests can tell apart.

    Steps down the ranking: the best model leads the first group, which takes in each next model until one is
    significantly worse than the leader; that one leads the next group. Members of a group are not shown to be
    equal, only not told apart from their leader.

    Args:
        estimates: score by model, larger is better, shape (models,).
        adjusted_p_values: symmetric matrix of pairwise adjusted p-values, shape (models, models); the
            diagonal is not read.
        alpha: level of the tests.

    Returns:
        Model numbers by group; ties keep the order given.

    Raises:
        ValueError: when shapes do not match, a score is not finite or a p-value is outside [0, 1].
    """
    scores = np.asarray(estimates, dtype=np.float64).ravel()
    matrix = np.array(adjusted_p_values, dtype=np.float64)
    if matrix.shape != (scores.size, scores.size):
        raise ValueError(f"{scores.size} models need a square matrix of p-values, got shape {matrix.shape}")
    np.fill_diagonal(matrix, 1.0)
    if not bool(np.all(np.isfinite(scores))):
        raise ValueError("scores must be finite")
    if not bool(np.all((matrix >= 0) & (matrix <= 1))) or not bool(np.array_equal(matrix, matrix.T)):
        raise ValueError("pairwise p-values must lie in [0, 1] and form a symmetric matrix")
    groups: list[list[int]] = []
    for model in np.argsort(-scores, kind="stable").tolist():
        if groups and matrix[groups[-1][0], model] > alpha:
            groups[-1].append(model)
        else:
            groups.append([model])
    return tuple(tuple(group) for group in groups)
