"""How often a gate is wrong: false fails of identical models, and drops that it must catch."""

from __future__ import annotations

import numpy as np
import pytest

from mmeval.analysis.gate_verdicts import Demand, Evidence, adjusted, paired_evidence, verdict

pytestmark = pytest.mark.slow
REPLICATIONS = 2000
SLACK = 3 * (0.05 * 0.95 / REPLICATIONS) ** 0.5
NO_REGRESSION = Demand("no_regression", tolerance=0.01, harm=0.01)
"""min_effect 0.01 at one-sided 0.05."""


def drawn(generator: np.random.Generator, n: int, discordance: float, drop: float, demand: Demand) -> Evidence:
    losses, gains = (discordance + drop) / 2, (discordance - drop) / 2
    outcome = generator.choice(4, size=n, p=[0.6 * (1 - discordance), losses, gains, 0.4 * (1 - discordance)])
    return paired_evidence(demand, (outcome < 2) * 1.0, (outcome % 2 == 0) * 1.0, None, True)


def failed(rules: list[Evidence]) -> bool:
    corrected = adjusted([one.p for one in rules], "holm")
    return any(verdict(one, p, 0.05) == "FAIL" for one, p in zip(rules, corrected, strict=True))


def test_a_drop_of_two_points_is_caught() -> None:
    generator = np.random.default_rng(1)
    caught = sum(failed([drawn(generator, 4000, 0.2, 0.02, NO_REGRESSION)]) for _ in range(REPLICATIONS))
    print(f"caught {caught / REPLICATIONS:.4f}")
    assert caught / REPLICATIONS >= 0.8


@pytest.mark.parametrize(("n", "discordance"), [(200, 0.1), (1000, 0.1), (4000, 0.2), (40, 0.3)])
@pytest.mark.parametrize("kind", ["no_regression", "non_inferiority", "equivalence"])
def test_identical_models_rarely_fail(n: int, discordance: float, kind: str) -> None:
    # The smallest harm is the hardest case: nothing but the test itself stands between noise and FAIL.
    demand = Demand(kind, tolerance=0.001, harm=0.001)  # type: ignore[arg-type]
    generator = np.random.default_rng(n)
    wrong = sum(failed([drawn(generator, n, discordance, 0.0, demand)]) for _ in range(REPLICATIONS))
    print(f"{kind} n={n}: {wrong / REPLICATIONS:.4f}")
    assert wrong / REPLICATIONS <= 0.06


def test_many_rules_fail_no_more_often_than_one() -> None:
    generator = np.random.default_rng(7)
    demand = Demand("no_regression", tolerance=0.001, harm=0.001)
    wrong = sum(failed([drawn(generator, 500, 0.1, 0.0, demand) for _ in range(10)]) for _ in range(REPLICATIONS))
    print(f"10 rules: {wrong / REPLICATIONS:.4f}")
    assert wrong / REPLICATIONS <= 0.06


@pytest.mark.parametrize("size", [5, 9])
def test_clusters_do_not_make_noise_significant(size: int) -> None:
    generator = np.random.default_rng(size)
    labels = [f"c{number // size}" for number in range(60 * size)]
    demand = Demand("no_regression", tolerance=0.001, harm=0.001)
    wrong = naive = 0
    for _ in range(REPLICATIONS):
        # All items of a cluster tend to flip together.
        lean = np.repeat(generator.choice([-1.0, 0.0, 1.0], size=60, p=[0.3, 0.4, 0.3]), size)
        base = generator.integers(0, 2, size=60 * size).astype(float)
        candidate = np.where(lean < 0, 0.0, np.where(lean > 0, 1.0, base))
        wrong += failed([paired_evidence(demand, base, candidate, labels, True)])
        naive += failed([paired_evidence(demand, base, candidate, None, True)])
    print(f"size {size}: {wrong / REPLICATIONS:.4f}, naive {naive / REPLICATIONS:.4f}")
    assert wrong / REPLICATIONS <= 0.05 + SLACK
    assert naive > wrong


def test_non_inferiority_passes_a_model_at_its_margin_as_rarely_as_promised() -> None:
    generator = np.random.default_rng(3)
    demand = Demand("non_inferiority", tolerance=0.02, harm=0.02)
    passed = 0
    for _ in range(REPLICATIONS):
        found = drawn(generator, 2000, 0.1, 0.02, demand)
        passed += verdict(found, found.p, 0.05) == "PASS"
    print(f"passed at the margin {passed / REPLICATIONS:.4f}")
    assert passed / REPLICATIONS <= 0.05 + SLACK
