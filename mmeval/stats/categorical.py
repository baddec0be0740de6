"""More than two models, or more than two outcomes, on the same items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import FloatArray, Labels
from mmeval.stats.results import TestResult
from mmeval.stats.scores import cluster_index


def cochran_q(outcomes: npt.ArrayLike) -> TestResult:
    """Test that several models are right equally often on the same items (Cochran 1950).

    Chi-square with one degree of freedom less than models. Items that all models have right, or all wrong,
    carry no information; without any other item the p-value is 1.

    Args:
        outcomes: 1 right, 0 wrong, shape (items, models).

    Raises:
        ValueError: for another shape, fewer than two models or a value that is neither 0 nor 1.
    """
    from statsmodels.stats.contingency_tables import cochrans_q

    data = np.asarray(outcomes, dtype=np.float64)
    if data.ndim != 2 or data.shape[1] < 2:
        raise ValueError(f"outcomes must have shape (items, at least two models), got {data.shape}")
    if not bool(np.all((data == 0) | (data == 1))):
        raise ValueError("outcomes must be 0 or 1")
    items, models = data.shape
    informative = data[data.min(axis=1) != data.max(axis=1)] if items else data
    if informative.shape[0] == 0:
        return TestResult("cochran-q", 1.0, 0.0, models - 1, items, note="no item on which the models differ")
    result = cochrans_q(informative)
    return TestResult("cochran-q", float(result.pvalue), float(result.statistic), models - 1, items)


def bowker(table: npt.ArrayLike) -> TestResult:
    """Test the symmetry of a paired c x c table (Bowker 1948): moves i to j are as frequent as moves j to i.

    Degrees of freedom c(c-1)/2 over the outcomes that occur.

    Args:
        table: counts, shape (c, c); rows are the baseline's outcomes, columns the candidate's.

    Raises:
        ValueError: for a table that is not square or holds anything but counts.
    """
    from statsmodels.stats.contingency_tables import SquareTable

    counts, n = _square(table)
    if counts.shape[0] < 2 or not bool(np.any(counts - np.diag(np.diag(counts)))):
        return TestResult("bowker", 1.0, 0.0, _pairs(counts), n, note="no item on which the outcomes differ")
    # The default would add 0.5 to every cell of a table with an empty one.
    result = SquareTable(counts, shift_zeros=False).symmetry()
    return TestResult("bowker", float(result.pvalue), float(result.statistic), _pairs(counts), n)


def stuart_maxwell(table: npt.ArrayLike) -> TestResult:
    """Test that both models give each outcome equally often (Stuart 1955, Maxwell 1970).

    d' V^- d with d the differences of the margins and V their covariance under the null hypothesis. V has one
    dimension less than outcomes, and one less again for each group of outcomes that no item moves into or out
    of; its rank gives the degrees of freedom. (statsmodels inverts V and fails where it is singular.)

    Args:
        table: counts, shape (c, c); rows are the baseline's outcomes, columns the candidate's.

    Raises:
        ValueError: for a table that is not square or holds anything but counts.
    """
    counts, n = _square(table)
    statistic, freedom = _margins(counts)
    return _homogeneity("stuart-maxwell", statistic, freedom, n)


def bhapkar(table: npt.ArrayLike) -> TestResult:
    """Test equal margins by Bhapkar's (1966) Wald statistic, S / (1 - S/n) with Stuart-Maxwell's S; more powerful.

    Where all items move and none stays or returns, S equals n and the statistic is unbounded; the result is
    then Stuart-Maxwell's, and the note says so.

    Args:
        table: counts, shape (c, c); rows are the baseline's outcomes, columns the candidate's.

    Raises:
        ValueError: for a table that is not square or holds anything but counts.
    """
    counts, n = _square(table)
    statistic, freedom = _margins(counts)
    if n and statistic >= n * (1 - 1e-9):
        note = "Bhapkar's statistic is unbounded here: p-value of Stuart-Maxwell"
        return TestResult("bhapkar", _homogeneity("", statistic, freedom, n).p_value, None, freedom, n, note=note)
    return _homogeneity("bhapkar", statistic / (1 - statistic / n) if n else 0.0, freedom, n)


def clustered_symmetry(
    before: npt.ArrayLike, after: npt.ArrayLike, clusters: Labels, *, resamples: int = 9999, seed: int = 0
) -> TestResult:
    """Test the symmetry of paired outcomes whose items come in clusters: Bowker's statistic under swaps of the models in whole clusters.

    Swapping turns a cluster's moves from i to j into moves from j to i, so that items of one cluster may depend on each other
    in any way. Seeded Monte Carlo, p = (1 + k) / (1 + resamples).

    Args:
        before, after: outcome number of each item, shape (n,), from 0.
        clusters: label of each item.
        resamples, seed: of the swaps.

    Raises:
        ValueError: without items, when lengths differ or resamples < 1.
    """
    first, second = np.asarray(before, dtype=np.int64), np.asarray(after, dtype=np.int64)
    index = cluster_index(clusters, first.size)
    if first.shape != second.shape or first.size == 0 or resamples < 1:
        raise ValueError(f"{first.size} outcomes before, {second.size} after, {resamples} resamples")
    kinds, count = int(max(first.max(), second.max())) + 1, int(index.max()) + 1
    moves = np.zeros((count, kinds, kinds))
    np.add.at(moves, (index, first, second), 1.0)
    rows, columns = np.triu_indices(kinds, 1)
    net = moves[:, rows, columns] - moves[:, columns, rows]
    total = (moves[:, rows, columns] + moves[:, columns, rows]).sum(axis=0)
    net, total = net[:, total > 0], total[total > 0]
    if not total.size:
        return TestResult(
            "bowker-swaps", 1.0, 0.0, None, int(first.size), count, "no item on which the outcomes differ"
        )
    statistic = float((net.sum(axis=0) ** 2 / total).sum())
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(resamples, count))
    drawn = ((signs @ net) ** 2 / total).sum(axis=1)
    extreme = int(np.count_nonzero(drawn >= statistic * (1 - 1e-12)))
    note = f"{resamples} swaps of whole clusters, seed {seed}"
    return TestResult("bowker-swaps", (1 + extreme) / (1 + resamples), statistic, None, int(first.size), count, note)


def _homogeneity(method: str, statistic: float, freedom: int, n: int) -> TestResult:
    from scipy.special import chdtrc

    if freedom == 0:
        return TestResult(method, 1.0, 0.0, 0, n, note="no item on which the outcomes differ")
    return TestResult(method, float(chdtrc(freedom, statistic)), statistic, freedom, n)


def _margins(counts: FloatArray) -> tuple[float, int]:
    """Return Stuart-Maxwell's statistic and the rank of its covariance."""
    if counts.shape[0] == 0:
        return 0.0, 0
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    covariance = np.diag(rows + columns) - counts - counts.T
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    difference = columns - rows
    return max(0.0, float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)), rank


def _square(table: npt.ArrayLike) -> tuple[FloatArray, int]:
    """Return the counts of the outcomes that occur on either side, and their total."""
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] == 0:
        raise ValueError(f"a paired table of outcomes is square, got shape {counts.shape}")
    if not bool(np.all(np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts)))):
        raise ValueError("a paired table of outcomes holds counts")
    kept = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    return counts[np.ix_(kept, kept)], int(counts.sum())


def _pairs(counts: FloatArray) -> int:
    return int(counts.shape[0] * (counts.shape[0] - 1) // 2)
