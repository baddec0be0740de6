"""How often a gate is wrong: false fails of identical models, and drops that it must catch."""

from __future__ import annotations

import numpy as np
import pytest

from mmeval.analysis.gate_policy import Kind
from mmeval.analysis.gate_verdicts import Demand, Evidence, adjusted, paired_evidence, verdict

pytestmark = pytest.mark.slow
REPLICATIONS = 2000
SLACK = 3 * (0.05 * 0.95 / REPLICATIONS) ** 0.5
NO_REGRESSION = Demand("no_regression", tolerance=0.01, harm=0.01)
"""min_effect 0.01 at one-sided 0.05."""


class Drawn:
    """Evidence on drawn 2x2 tables; each different table is judged once, by the function that judges runs."""

    def __init__(self, demand: Demand, n: int, seed: int) -> None:
        self.demand, self.n = demand, n
        self.generator = np.random.default_rng(seed)
        self.known: dict[tuple[int, ...], Evidence] = {}

    def tables(self, discordance: float, drop: float, number: int) -> list[Evidence]:
        losses, gains = (discordance + drop) / 2, (discordance - drop) / 2
        drawn = self.generator.multinomial(self.n, [losses, gains, 1 - discordance], size=number)
        return [self.judged(*row) for row in drawn.tolist()]

    def judged(self, losses: int, gains: int, alike: int) -> Evidence:
        if (losses, gains) not in self.known:
            base = np.repeat([1.0, 0.0, 1.0, 0.0], [losses, gains, alike // 2, alike - alike // 2])
            candidate = np.repeat([0.0, 1.0, 1.0, 0.0], [losses, gains, alike // 2, alike - alike // 2])
            self.known[losses, gains] = paired_evidence(self.demand, base, candidate, None, True)
        return self.known[losses, gains]


def failed(rules: list[Evidence]) -> bool:
    corrected = adjusted([one.p for one in rules], "holm")
    return any(verdict(one, p, 0.05) == "FAIL" for one, p in zip(rules, corrected, strict=True))


def test_a_drop_of_two_points_is_caught() -> None:
    found = Drawn(NO_REGRESSION, 4000, 1).tables(0.2, 0.02, REPLICATIONS)
    caught = sum(failed([one]) for one in found) / REPLICATIONS
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
    found = Drawn(Demand(kind, tolerance=0.001, harm=0.001), n, n).tables(discordance, 0.0, REPLICATIONS)
    wrong = sum(failed([one]) for one in found) / REPLICATIONS
    assert wrong <= 0.06, wrong


def test_many_rules_fail_no_more_often_than_one() -> None:
    found = Drawn(Demand("no_regression", tolerance=0.001, harm=0.001), 500, 7).tables(0.1, 0.0, 10 * REPLICATIONS)
    groups = [found[start : start + 10] for start in range(0, len(found), 10)]
    wrong = sum(failed(group) for group in groups) / REPLICATIONS
    uncorrected = sum(any(failed([one]) for one in group) for group in groups) / REPLICATIONS
    assert wrong <= 0.06, wrong
    assert uncorrected > 0.25, uncorrected


@pytest.mark.parametrize("size", [5, 9])
def test_clusters_do_not_make_noise_significant(size: int) -> None:
    generator = np.random.default_rng(size)
    labels = [f"c{number // size}" for number in range(60 * size)]
    demand = Demand("no_regression", tolerance=0.001, harm=0.001)
    wrong, naive = [], []
    for replication in range(REPLICATIONS):
        # All items of a cluster tend to flip together.
        lean = np.repeat(generator.choice([-1.0, 0.0, 1.0], size=60, p=[0.3, 0.4, 0.3]), size)
        base = generator.integers(0, 2, size=60 * size).astype(float)
        candidate = np.where(lean < 0, 0.0, np.where(lean > 0, 1.0, base))
        wrong.append(failed([paired_evidence(demand, base, candidate, labels, True)]))
        if replication < 300:
            naive.append(failed([paired_evidence(demand, base, candidate, None, True)]))
    assert np.mean(wrong) <= 0.05 + SLACK
    assert np.mean(naive) > 0.08


def test_non_inferiority_passes_a_model_at_its_margin_as_rarely_as_promised() -> None:
    found = Drawn(Demand("non_inferiority", tolerance=0.02, harm=0.02), 2000, 3).tables(0.1, 0.02, REPLICATIONS)
    passed = sum(verdict(one, one.p, 0.05) == "PASS" for one in found) / REPLICATIONS
    assert passed <= 0.05 + SLACK, passed
