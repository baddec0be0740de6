"""How often a gate is wrong: false fails of identical models, and drops that it must catch."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pytest
from scipy.stats import binom

from mmeval.analysis.gate_policy import Kind
from mmeval.analysis.gate_verdicts import Demand, Evidence, adjusted, paired_evidence, verdict
from mmeval.stats.pairs import pair_of

pytestmark = pytest.mark.slow
IntArray: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
BoolArray: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
REPLICATIONS = 2000
SLACK = 3 * (0.05 * 0.95 / REPLICATIONS) ** 0.5
NO_REGRESSION = Demand("no_regression", tolerance=0.01, harm=0.01)
"""min_effect 0.01 at one-sided 0.05."""


def judged(demand: Demand, n: int, losses: int, gains: int) -> Evidence:
    """The evidence of a run pair with that 2x2 table, by the function that judges runs."""
    right = (n - losses - gains) // 2
    counts = [losses, gains, right, n - losses - gains - right]
    base, candidate = np.repeat([1.0, 0.0, 1.0, 0.0], counts), np.repeat([0.0, 1.0, 1.0, 0.0], counts)
    return paired_evidence(demand, pair_of(base, candidate), True)


def drawn(seed: int, n: int, discordance: float, drop: float, number: int) -> tuple[IntArray, IntArray]:
    """Losses and gains of simulated comparisons, each of shape (number,)."""
    chances = [(discordance + drop) / 2, (discordance - drop) / 2, 1 - discordance]
    tables = np.random.default_rng(seed).multinomial(n, chances, size=number)
    return tables[:, 0], tables[:, 1]


def p_values(demand: Demand, losses: IntArray, gains: IntArray) -> FloatArray:
    """McNemar's mid-p of the FAIL side for many tables at once."""
    totals = losses + gains
    smaller = np.minimum(losses, gains) if demand.kind == "equivalence" else gains
    tail = binom.cdf(smaller, totals, 0.5) - 0.5 * binom.pmf(smaller, totals, 0.5)
    return np.asarray(2 * tail if demand.kind == "equivalence" else tail)


def fails(demand: Demand, n: int, losses: IntArray, gains: IntArray) -> BoolArray:
    """Whether each comparison fails as the only rule; agrees with `verdict` where the decision is closest."""
    p, drop = p_values(demand, losses, gains), (losses - gains) / n
    large = (np.abs(drop) if demand.kind == "equivalence" else drop) >= demand.harm - 1e-12
    found = (p <= 0.05) & large
    distance = np.maximum(np.abs(p - 0.05), np.where(large, 0.0, 1.0))
    for i in [*np.argsort(distance, kind="stable")[:25], *range(10)]:
        assert failed([judged(demand, n, int(losses[i]), int(gains[i]))]) == found[i]
    return found


def failed(rules: list[Evidence]) -> bool:
    corrected = adjusted([one.p for one in rules], "holm")
    return any(verdict(one, p, 0.05) == "FAIL" for one, p in zip(rules, corrected, strict=True))


def test_a_drop_of_two_points_is_caught() -> None:
    caught = float(fails(NO_REGRESSION, 4000, *drawn(1, 4000, 0.2, 0.02, REPLICATIONS)).mean())
    assert caught >= 0.8, caught


@pytest.mark.parametrize(
    ("kind", "n", "discordance"),
    [
        ("no_regression", 40, 0.3), ("no_regression", 200, 0.1), ("no_regression", 1000, 0.1), ("no_regression", 4000, 0.2),
        ("non_inferiority", 200, 0.1), ("equivalence", 200, 0.1), ("equivalence", 1000, 0.1),
    ],
)  # fmt: skip
def test_identical_models_rarely_fail(kind: Kind, n: int, discordance: float) -> None:
    # The smallest harm is the hardest case: nothing but the test itself stands between noise and FAIL.
    demand = Demand(kind, tolerance=0.001, harm=0.001)
    wrong = float(fails(demand, n, *drawn(n, n, discordance, 0.0, REPLICATIONS)).mean())
    assert wrong <= 0.06, wrong


def test_many_rules_fail_no_more_often_than_one() -> None:
    demand = Demand("no_regression", tolerance=0.001, harm=0.001)
    losses, gains = drawn(7, 500, 0.1, 0.0, 10 * REPLICATIONS)
    smallest = p_values(demand, losses, gains).reshape(REPLICATIONS, 10).min(axis=1)
    found = smallest <= 0.05 / 10
    for i in [*np.argsort(np.abs(smallest - 0.05 / 10), kind="stable")[:10], *range(5)]:
        rules = [judged(demand, 500, int(losses[j]), int(gains[j])) for j in range(10 * i, 10 * i + 10)]
        assert failed(rules) == found[i]
    assert found.mean() <= 0.06, found.mean()
    assert (smallest <= 0.05).mean() > 0.25


def test_clusters_do_not_make_noise_significant() -> None:
    size = 5
    generator = np.random.default_rng(size)
    labels = [f"c{number // size}" for number in range(40 * size)]
    demand = Demand("no_regression", tolerance=0.001, harm=0.001)
    wrong, naive = [], []
    for replication in range(REPLICATIONS):
        # All items of a cluster tend to flip together.
        lean = np.repeat(generator.choice([-1.0, 0.0, 1.0], size=40, p=[0.3, 0.4, 0.3]), size)
        base = generator.integers(0, 2, size=40 * size).astype(float)
        candidate = np.where(lean < 0, 0.0, np.where(lean > 0, 1.0, base))
        wrong.append(failed([paired_evidence(demand, pair_of(base, candidate, labels), True)]))
        if replication < 300:
            naive.append(failed([paired_evidence(demand, pair_of(base, candidate), True)]))
    assert np.mean(wrong) <= 0.05 + SLACK
    assert np.mean(naive) > 0.08


def test_non_inferiority_passes_a_model_at_its_margin_as_rarely_as_promised() -> None:
    demand = Demand("non_inferiority", tolerance=0.04, harm=0.04)
    tables, counts = np.unique(np.stack(drawn(3, 300, 0.1, 0.04, REPLICATIONS)), axis=1, return_counts=True)
    passed = 0
    for (losses, gains), count in zip(tables.T.tolist(), counts.tolist(), strict=True):
        found = judged(demand, 300, losses, gains)
        passed += count * (verdict(found, found.p, 0.05) == "PASS")
    assert passed / REPLICATIONS <= 0.05 + SLACK
