"""Published worked examples of the paired, clustered, categorical, multiplicity and power statistics."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmeval.stats.categorical import bhapkar, bowker, cochran_q, stuart_maxwell
from mmeval.stats.clustered import ClusteredPairs, cluster_difference, durkalski, obuchowski, yang
from mmeval.stats.equivalence import score_test
from mmeval.stats.intervals import Interval, clopper_pearson, cluster_mean, mean_interval, wilson
from mmeval.stats.multiplicity import adjust, benjamini_hochberg, holm
from mmeval.stats.paired import (
    PairedTable,
    bonett_price_interval,
    mcnemar_asymptotic,
    mcnemar_corrected,
    mcnemar_exact,
    mcnemar_mid_p,
    newcombe_interval,
    probability_better,
    tango_interval,
    tango_statistic,
)
from mmeval.stats.power import Aim, Noise, mcnemar_sample_size, mean_difference_sample_size

FIXTURES: dict[str, dict[str, Any]] = {
    entry["id"]: entry
    for entry in json.loads((Path(__file__).parents[1] / "data" / "stats_fixtures.json").read_text(encoding="utf-8"))
}

ELSEWHERE = {  # in test_fixtures_b: correlations, repeats, agreement, preferences, debiasing and decomposition
    *("meng1992", "corr-depcor", "zou2007", "pass@k", "pass^k", "variance-components", "BT-baseball", "BT-se"),
    *("kappa-SAS", "fleiss-kappa", "kripp-alpha", "kripp-4x12", "gwet-ac1-4x12", "kappa-paradox"),
    *("rogan-gladen-lee", "ppi-lam1", "ppi-lam0", "ppi++", "kitagawa"),
}

PETERSON = [[596, 18, 6, 5], [0, 2, 0, 0], [0, 0, 42, 0], [11, 0, 0, 0]]
FLEISS = [[35, 5, 0], [15, 20, 5], [10, 5, 5]]
Q_FOUR = ("1011", "0111", "1110", "0100", "0100", "1010", "0100", "1111", "0100")
Q_FIVE = ("00110", "01010", "01101", "10001", "11000", "10100", "01000", "00110", "00000")
PSYCHIATRY = ClusteredPairs.from_counts(
    [0, 1, 1, 1, 0, 3, 3, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0],
    [4, 2, 3, 2, 1, 3, 0, 2, 2, 4, 2, 4, 3, 2, 1, 3, 1, 2, 0, 0, 0, 2, 1, 2, 2, 0, 0, 1, 1],
    [7, 6, 7, 6, 4, 6, 5, 8, 4, 7, 3, 6, 7, 6, 5, 4, 6, 5, 4, 3, 5, 4, 4, 2, 3, 2, 2, 3, 1],
)
THYROIDS = ClusteredPairs.from_counts(
    [0] * 8 + [1] + [0] * 12,
    [2, 1, 0, 0, 1] + [0] * 9 + [2, 0, 0, 1, 0, 0, 0],
    [3, 3, 3, 1, 3, 4, 3, 2, 2, 1, 3, 2, 3, 2, 2, 3, 3, 3, 2, 1, 2],
)
TOY_SCORES, TOY_CLUSTERS = [1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3]
BH_1995 = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]


def discordant(losses: int, gains: int) -> PairedTable:
    return PairedTable(0, losses, gains, 0)


def limits(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


def published(both_right: int, b: int, c: int, both_wrong: int) -> PairedTable:
    """Return a table of the literature, whose difference is (b - c)/n: its first arm is the candidate."""
    return PairedTable(both_right, c, b, both_wrong)


def tango(cells: Sequence[int], level: float = 0.95) -> Callable[[], list[float]]:
    return lambda: limits(tango_interval(published(*cells), level))


def clustered(pairs: ClusteredPairs) -> list[float]:
    return [float(test(pairs).statistic or 0) for test in (obuchowski, durkalski, yang)]


def cluster_errors() -> list[float]:
    """Return CR1 of a mean, CR1 of the same numbers as differences, and Miller's equation 4 from its parts."""
    by_cluster, independent = cluster_mean(TOY_SCORES, TOY_CLUSTERS), mean_interval(TOY_SCORES)
    paired = cluster_difference([0] * 12, TOY_SCORES, TOY_CLUSTERS)
    assert by_cluster.standard_error
    assert independent.standard_error
    assert paired.standard_error
    clusters, n = by_cluster.clusters, by_cluster.n
    without_factor = by_cluster.standard_error**2 * (clusters - 1) / clusters
    miller = without_factor + independent.standard_error**2 / n
    return [by_cluster.standard_error, paired.standard_error, math.sqrt(miller)]


CAVO = (59, 6, 16, 80)
COMPUTE: dict[str, Callable[[], Sequence[float]]] = {
    "mcn-bentur": lambda: [t(PairedTable(1, 1, 7, 12)).p_value for t in (mcnemar_exact, mcnemar_mid_p)],
    "mcn-cavo": lambda: [
        t(PairedTable(*CAVO)).p_value for t in (mcnemar_asymptotic, mcnemar_corrected, mcnemar_exact, mcnemar_mid_p)
    ],
    "mcn-perception-r1-1-5": lambda: [mcnemar_exact(discordant(1, 5)).p_value],
    "mcn-perception-r1-2-4": lambda: [mcnemar_exact(discordant(2, 4)).p_value],
    "mcn-perception-r1-2-10": lambda: [mcnemar_exact(discordant(2, 10)).p_value],
    "mcn-tie": lambda: [mcnemar_mid_p(discordant(5, 5)).p_value],
    "tango-cavo": tango(CAVO),
    "tango-1998-tabVII": tango((4, 9, 3, 16)),
    "tango-1998-tabV": tango((43, 0, 1, 0), 0.90),
    "tango-agresti-min": tango((53, 16, 8, 9)),
    "tango-bentur": tango((1, 1, 7, 12)),
    "tango-tang2010": tango((8, 3, 1, 2)),
    "tango-ezra": tango((7, 25, 2, 68)),
    "tango-NI-lens": lambda: [
        score_test(published(43, 0, 1, 0), -0.1).statistic or 0,
        score_test(published(43, 0, 1, 0), -0.1).p_value,
    ],
    "tango-mcnemar-identity": lambda: [tango_statistic(PairedTable(*CAVO), 0.0) ** 2],
    "bp-cavo": lambda: limits(bonett_price_interval(published(*CAVO))),
    "newcombe10": lambda: limits(newcombe_interval(published(20, 12, 2, 16))),
    "newcombe10-cavo": lambda: limits(newcombe_interval(published(*CAVO))),
    "wilson-81/263": lambda: limits(wilson(81, 263)),
    "wilson-15/148": lambda: limits(wilson(15, 148)),
    "wilson-0/20": lambda: limits(wilson(0, 20)),
    "wilson-1/29": lambda: limits(wilson(1, 29)),
    "cp-13/16": lambda: limits(clopper_pearson(13, 16)),
    "cp-0/10,10/10": lambda: [limits(clopper_pearson(0, 10))[1], limits(clopper_pearson(10, 10))[0]],
    "bowker-peterson": lambda: [bowker(PETERSON).statistic or 0, bowker(PETERSON).p_value],
    "stuart-peterson": lambda: [stuart_maxwell(PETERSON).statistic or 0],
    "bhapkar-peterson": lambda: [bhapkar(PETERSON).statistic or 0],
    "stuart-fleiss": lambda: [stuart_maxwell(FLEISS).statistic or 0, stuart_maxwell(FLEISS).p_value],
    "cochranQ": lambda: [
        cochran_q([[int(v) for v in row] for row in rows]).statistic or 0 for rows in (Q_FOUR, Q_FIVE)
    ],
    "clustered-psychiatry": lambda: clustered(PSYCHIATRY),
    "clustered-thyroids": lambda: [
        *clustered(THYROIDS),
        mcnemar_asymptotic(discordant(int(THYROIDS.losses.sum()), int(THYROIDS.gains.sum()))).statistic or 0,
    ],
    "cluster-se": cluster_errors,
    "BH-1995": lambda: [
        float((adjusted <= 0.05).sum())
        for adjusted in (adjust(BH_1995, "bonferroni"), holm(BH_1995), benjamini_hochberg(BH_1995))
    ],
    "BH-adj4": lambda: [holm(BH_1995)[3], benjamini_hochberg(BH_1995)[3]],
    "connor": lambda: [
        mcnemar_sample_size(0.5, 0.4),
        mcnemar_sample_size(0.5, 0.4, Aim(alpha=0.05, power=0.9, sides=1)),
    ],
    "miller-n": lambda: [mean_difference_sample_size(0.03, Noise(1 / 9))],
    "bayes-paired": lambda: [probability_better(PairedTable(0, 2, 12, 36))],
}


@pytest.mark.parametrize("name", COMPUTE)
def test_published_value(name: str) -> None:
    entry = FIXTURES[name]
    computed = np.asarray(COMPUTE[name](), dtype=np.float64)
    assert computed.shape == (len(entry["expected"]),)
    assert np.abs(computed - entry["expected"]).max() <= entry["atol"], (computed, entry["expected"], entry["source"])


def test_every_published_value_has_a_home() -> None:
    assert set(COMPUTE) | ELSEWHERE == set(FIXTURES)
    assert not set(COMPUTE) & ELSEWHERE
