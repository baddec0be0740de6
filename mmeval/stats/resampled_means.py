"""The bootstrap of mean scores, for many models and subsets at once in a few matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray
from mmeval.stats.resampling import DEFAULT_PLAN, Bootstrap, BootstrapPlan, Design, Replicates, bootstrap_clusters
from mmeval.stats.scores import IntArray

_TABLE_CELLS = 8_000_000
"""Sums by cluster in one matrix product: 64 MB."""
_NARROW = 16
"""A subset that touches one cluster in so many, or fewer, has a product of its own with those clusters alone."""


def bootstrap_means(
    scores: npt.ArrayLike,
    design: Design,
    plan: BootstrapPlan = DEFAULT_PLAN,
    subsets: npt.ArrayLike | None = None,
) -> Bootstrap:
    """Bootstrap the mean scores of many models, on all items or on subsets, in matrix products.

    One product of the drawn cluster weights with the cluster sums serves all models and subsets. Resampled
    means are kept in float32 (a relative error near 1e-6, far below that of the resampling).

    Args:
        scores: shape (models, n) or (n,); finite.
        design: clusters and strata.
        plan: resamples, seed, level and method.
        subsets: membership, boolean, shape (subsets, n); None for all items.

    Returns:
        A bootstrap whose values have shape (models,), or (models, subsets) where subsets are given, without
        the first axis where `scores` is a vector.

    Raises:
        ValueError: when shapes do not match, a score is not finite or a subset is empty.
    """
    data = np.asarray(scores, dtype=np.float64)
    matrix = np.atleast_2d(data)
    if data.ndim > 2 or matrix.shape[1] != design.n:
        raise ValueError(f"scores must have shape (models, {design.n}), got {data.shape}")
    if not bool(np.all(np.isfinite(matrix))):
        raise ValueError("scores must be finite: leave out items without a score, for all models")
    members = np.ones((1, design.n), dtype=bool) if subsets is None else np.asarray(subsets, dtype=bool)
    if members.ndim != 2 or members.shape[1] != design.n:
        raise ValueError(f"subsets must have shape (subsets, {design.n}), got {members.shape}")
    if not bool(members.any(axis=1).all()):
        raise ValueError(f"subset {int(np.argmin(members.any(axis=1)))} has no item")
    blocks = _blocks(matrix, members, design)
    found = bootstrap_clusters(lambda weights: _means(weights, blocks), design, plan)
    shape = (*data.shape[:-1], *(() if subsets is None else (members.shape[0],)))
    jackknife = None if found.jackknife is None else found.jackknife.reshape(*shape, -1)
    return Bootstrap(
        found.point.reshape(shape), found.replicates.reshape(*shape, plan.resamples), jackknife, design, plan
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """Sums by cluster of some subsets, for one matrix product with the drawn weights."""

    subsets: list[int]
    """Numbers of the subsets."""
    clusters: IntArray | None
    """The clusters that a single narrow subset touches; None for all."""
    table: FloatArray
    """Sums of the scores by model, then number of items, shape (clusters, subsets, models + 1)."""

    def means(self, weights: Replicates) -> Replicates:
        """Return the mean scores under each row of cluster weights, shape (models, subsets, rows)."""
        chosen = weights if self.clusters is None else weights[:, self.clusters]
        flat = self.table.reshape(self.table.shape[0], -1).astype(weights.dtype)
        totals = np.matmul(chosen, flat).reshape(-1, *self.table.shape[1:])
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may miss a subset: NaN, set aside later
            found: Replicates = totals[..., :-1] / totals[..., -1:]
        return found.transpose(2, 1, 0)


def _blocks(matrix: FloatArray, members: npt.NDArray[np.bool_], design: Design) -> list[_Block]:
    """Sum scores by cluster: narrow subsets each with the clusters that they touch, the others together."""
    columns = np.concatenate([matrix, np.ones((1, design.n))])
    blocks: list[_Block] = []
    wide: list[int] = []
    for number, member in enumerate(members):
        items = np.flatnonzero(member)
        clusters, index = np.unique(design.index[items], return_inverse=True)
        if clusters.size * _NARROW > design.clusters:
            wide.append(number)
            continue
        sums = [np.bincount(index, weights=column[items], minlength=clusters.size) for column in columns]
        blocks.append(_Block([number], clusters, np.asarray(np.stack(sums, axis=1)[:, None], dtype=np.float64)))
    together = max(1, _TABLE_CELLS // (design.clusters * columns.shape[0]))
    for start in range(0, len(wide), together):
        subsets = wide[start : start + together]
        table = np.empty((design.clusters, len(subsets), columns.shape[0]))
        for place, number in enumerate(subsets):
            items = np.flatnonzero(members[number])
            for column, values in enumerate(columns):
                weights = values[items]
                table[:, place, column] = np.bincount(design.index[items], weights, design.clusters)
        blocks.append(_Block(subsets, None, table))
    return blocks


def _means(weights: Replicates, blocks: list[_Block]) -> Replicates:
    """Return the mean scores under each row of cluster weights, shape (models, subsets, rows)."""
    order = np.argsort([number for block in blocks for number in block.subsets])
    return np.concatenate([block.means(weights) for block in blocks], axis=1)[:, order]
