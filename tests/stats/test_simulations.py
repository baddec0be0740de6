"""Operating characteristics by seeded simulation: size, coverage and power of the defaults."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from mmeval.stats.comparison import compare_paired
from mmeval.stats.equivalence import one_sided_test, score_test
from mmeval.stats.intervals import Interval
from mmeval.stats.paired import PairedTable, mcnemar_mid_p, tango_interval
from mmeval.stats.permutation import sign_flip
from mmeval.stats.resampled_means import bootstrap_means
from mmeval.stats.resampling import BootstrapPlan, Design

pytestmark = pytest.mark.slow

REPLICATIONS = 2000
LEVEL = 0.05
Bits = npt.NDArray[np.int64]


def error(share: float, replications: int = REPLICATIONS) -> float:
    """Return three Monte Carlo standard errors of an estimated share."""
    return 3 * math.sqrt(share * (1 - share) / replications)


def runs(clusters: int, size: int, seed: int, drift: float = 0.0) -> Iterator[tuple[Bits, Bits]]:
    """Yield pairs of runs, items in order of cluster.

    40 % of items are discordant; who wins them has a normal cluster effect of standard deviation 2 on the
    logit, around `drift`. With a drift of 0 the models are equally good.
    """
    generator = np.random.default_rng(seed)
    n = clusters * size
    for _ in range(REPLICATIONS):
        effect = np.repeat(drift + 2 * generator.normal(size=clusters), size)
        wins = generator.random(n) < 1 / (1 + np.exp(-effect))
        discordant = generator.random(n) < 0.4
        agreed = generator.random(n) < 0.5
        yield np.where(discordant, ~wins, agreed).astype(np.int64), np.where(discordant, wins, agreed).astype(np.int64)


@pytest.mark.parametrize("size", [1, 5, 9, 25])
def test_the_default_keeps_its_level_where_mcnemar_does_not(size: int) -> None:
    labels = np.repeat(np.arange(40), size)
    default = naive = 0
    for baseline, candidate in runs(40, size, seed=size):
        comparison = compare_paired(baseline, candidate, labels)
        assert comparison.table is not None
        default += (comparison.difference.p_value or 0.0) <= LEVEL
        naive += mcnemar_mid_p(comparison.table).p_value <= LEVEL
    assert 0.03 <= default / REPLICATIONS <= 0.07
    assert abs(default / REPLICATIONS - 0.05) <= error(0.05) + 0.01
    if size >= 9:
        assert naive / REPLICATIONS > 0.15 + error(0.15)


@pytest.mark.parametrize("size", [5, 9, 25])
def test_sign_flips_keep_their_level_below_thirty_clusters(size: int) -> None:
    few, more = (np.repeat(np.arange(clusters), size) for clusters in (12, 25))
    rejected = {12: 0, 25: 0}
    for baseline, candidate in runs(12, size, seed=100 + size):
        rejected[12] += sign_flip(candidate - baseline, few).p_value <= LEVEL
    for i, (baseline, candidate) in enumerate(runs(25, size, seed=200 + size)):
        rejected[25] += sign_flip(candidate - baseline, more, resamples=499, seed=i).p_value <= LEVEL
    for count in rejected.values():
        assert 0.03 <= count / REPLICATIONS <= 0.05 + error(0.05)


@pytest.mark.parametrize(("clusters", "size"), [(10, 5), (40, 5)])
def test_intervals_of_clustered_differences_cover(clusters: int, size: int) -> None:
    drift = 1.0
    # Mean of 2 sigmoid(1 + 2 z) - 1 over z, by Gauss-Hermite quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    truth = 0.4 * float(weights @ np.tanh((drift + 2 * nodes) / 2)) / math.sqrt(2 * math.pi)
    labels = np.repeat(np.arange(clusters), size)
    covered = 0
    for baseline, candidate in runs(clusters, size, seed=300 + clusters, drift=drift):
        interval = compare_paired(baseline, candidate, labels).difference.interval
        assert interval is not None
        covered += interval.low <= truth <= interval.high
    assert 0.95 - error(0.95) - 0.01 <= covered / REPLICATIONS <= 0.98


def test_cluster_bootstrap_covers() -> None:
    clusters, size = 60, 4
    labels = np.repeat(np.arange(clusters), size)
    design = Design.of(labels.size, labels)
    covered = 0
    for i, (baseline, candidate) in enumerate(runs(clusters, size, seed=400)):
        plan = BootstrapPlan(resamples=400, seed=i)
        interval = bootstrap_means(np.stack([baseline, candidate]), design, plan).difference(1, 0).interval
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    assert 0.95 - error(0.95) - 0.015 <= covered / REPLICATIONS <= 0.95 + error(0.95)


def tables(n: int, losses: float, gains: float, seed: int) -> list[PairedTable]:
    cells = np.random.default_rng(seed).multinomial(n, [losses, gains, 1 - losses - gains], size=REPLICATIONS)
    return [PairedTable(rest, b, c, 0) for b, c, rest in cells.tolist()]


@pytest.mark.parametrize(
    ("n", "losses", "gains"), [(30, 0.1, 0.1), (50, 0.05, 0.02), (300, 0.1, 0.07), (1000, 0.02, 0.05)]
)
def test_score_interval_covers(n: int, losses: float, gains: float) -> None:
    limits = cache(tango_interval)
    covered = 0
    for table in tables(n, losses, gains, seed=n):
        interval = limits(table)
        assert isinstance(interval, Interval)
        covered += interval.low <= gains - losses <= interval.high
    assert 0.95 - error(0.95) <= covered / REPLICATIONS <= 0.99


@pytest.mark.parametrize(("n", "discordance", "margin"), [(200, 0.2, 0.05), (1000, 0.1, 0.02)])
def test_non_inferiority_has_its_size_at_the_margin(n: int, discordance: float, margin: float) -> None:
    at_margin = tables(n, (discordance + margin) / 2, (discordance - margin) / 2, seed=500)
    rejected = sum(score_test(table, -margin).p_value <= LEVEL for table in at_margin)
    assert 0.05 - error(0.05) - 0.01 <= rejected / REPLICATIONS <= 0.05 + error(0.05)


def test_clustered_non_inferiority_has_its_size_at_the_margin() -> None:
    labels = np.repeat(np.arange(40), 5)
    rejected = 0
    for baseline, candidate in runs(40, 5, seed=600):
        rejected += one_sided_test(baseline, candidate, 0.0, "greater", labels).p_value <= LEVEL
    assert 0.05 - error(0.05) - 0.01 <= rejected / REPLICATIONS <= 0.05 + error(0.05) + 0.01


def test_a_planted_drop_of_two_points_is_caught() -> None:
    planted = tables(4000, 0.11, 0.09, seed=700)
    caught = sum(
        score_test(table, 0.0, "less").p_value <= LEVEL and (table.difference or 0.0) <= -0.01 for table in planted
    )
    assert caught / REPLICATIONS >= 0.80
    equal = tables(4000, 0.10, 0.10, seed=800)
    false = sum(score_test(table, 0.0, "less").p_value <= LEVEL for table in equal)
    assert false / REPLICATIONS <= 0.05 + error(0.05)
