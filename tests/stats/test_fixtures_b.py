"""Published worked examples of repeats, correlations, agreement, debiasing, decomposition and preferences."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mmeval.stats.agreement import Agreement, cohen_kappa, fleiss_kappa, gwet_ac, krippendorff_alpha, raw_agreement
from mmeval.stats.bradley_terry import Ability, bradley_terry
from mmeval.stats.debiasing import DebiasedMean, JudgedSample, ppi_mean
from mmeval.stats.decomposition import Mixture, kitagawa
from mmeval.stats.dependent_correlations import DependentCorrelations, meng_z, steiger_z, williams_t, zou_interval
from mmeval.stats.judge_errors import JudgeQuality, judge_quality, rogan_gladen
from mmeval.stats.preference import Preferences
from mmeval.stats.repeats import pass_hat_k, variance_components
from mmeval.stats.resampling import BootstrapPlan
from mmeval.stats.sampling import pass_at_k

FIXTURES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parents[1] / "data" / "stats_fixtures.json").read_text(encoding="utf-8"))
}
QUICK = BootstrapPlan(resamples=100)

WINS = [
    [0, 7, 9, 7, 7, 9, 11],
    [6, 0, 7, 5, 11, 9, 9],
    [4, 6, 0, 7, 7, 8, 12],
    [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12],
    [4, 4, 5, 6, 6, 0, 6],
    [2, 4, 1, 3, 1, 7, 0],
]
TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
_ = None
THREE_BY_FIFTEEN = [
    [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
    [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
    [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
]
FOUR_BY_TWELVE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
FLEISS_COUNTS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
LABELLED = JudgedSample(
    [1, 1, 1, 0, 0, 1, 0, 1, 1, 0] * 5, [1, 1, 1, 0, 1, 1, 0, 1, 0, 1] * 5, ([1] * 13 + [0] * 7) * 25
)


def _columns(raters: Sequence[Sequence[int | None]]) -> list[tuple[int | None, ...]]:
    return list(zip(*raters, strict=True))


def _pairs(table: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]


def _estimate(found: Agreement) -> float:
    assert found.estimate is not None
    return found.estimate


def _teams() -> list[Ability]:
    first, second = zip(
        *[(i, j) for i, row in enumerate(WINS) for j, won in enumerate(row) for _ in range(won)], strict=True
    )
    games = Preferences([TEAMS[i] for i in first], [TEAMS[j] for j in second], np.ones(len(first)))
    fit = bradley_terry(games, reference="Baltimore", errors="information")
    found = {ability.model: ability for ability in fit.abilities}
    return [found[team] for team in TEAMS[:-1]]


def _limits(found: DebiasedMean) -> list[float]:
    assert found.estimate is not None
    assert found.interval is not None
    return [found.estimate, found.interval.low, found.interval.high]


def _kappa() -> list[float]:
    found = cohen_kappa(_pairs([[0, 4, 1], [0, 8, 0], [0, 1, 5]]))
    assert found.standard_error is not None
    assert found.interval is not None
    return [_estimate(found), found.standard_error, found.interval.low, found.interval.high]


def _paradox() -> list[float]:
    rows = _pairs([[118, 5], [2, 0]])
    return [
        _estimate(found) for found in (raw_agreement(rows, plan=QUICK), cohen_kappa(rows), gwet_ac(rows, plan=QUICK))
    ]


def _depcor() -> list[float]:
    found = DependentCorrelations(0.3, 0.4, 0.5, 100)
    statistics = [test(found).statistic for test in (williams_t, steiger_z, meng_z)]
    return [value for value in statistics if value is not None]


def _meng() -> list[float]:
    statistic = meng_z(DependentCorrelations(0.63, -0.03, -0.19, 15)).statistic
    assert statistic is not None
    return [statistic]


def _zou() -> list[float]:
    found = zou_interval(DependentCorrelations(0.396, 0.179, 0.088, 66))
    assert found is not None
    return [found.low, found.high]


def _components() -> list[float | None]:
    found = variance_components([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 1]])
    return [found.mean_square_between, found.mean_square_within, found.between, found.icc1]


def _lee() -> JudgeQuality:
    # Specificity 140/200, sensitivity 180/200.
    return judge_quality([0] * 200 + [1] * 200, [0] * 140 + [1] * 60 + [1] * 180 + [0] * 20)


def _perception_reasoning_luck() -> list[float]:
    split = kitagawa(*(Mixture((p, 1 - p), (r, luck)) for p, r, luck in ((0.6, 0.75, 0.2), (0.7, 0.8, 0.2))))
    return [sum(split.composition), *split.rate, split.delta]


def _fleiss_rows() -> list[list[int]]:
    return [[category for category, count in enumerate(row) for _ in range(count)] for row in FLEISS_COUNTS]


CASES: dict[str, Callable[[], Sequence[float | None]]] = {
    "pass@k": lambda: [pass_at_k(*case) for case in ((10, 3, 1), (10, 3, 5), (200, 10, 100), (4, 2, 2))],
    "pass^k": lambda: [pass_hat_k(10, 8, 4)],
    "variance-components": _components,
    "meng1992": _meng,
    "corr-depcor": _depcor,
    "zou2007": _zou,
    "BT-baseball": lambda: [team.ability for team in _teams()],
    "BT-se": lambda: [team.standard_error for team in _teams()],
    "kappa-SAS": _kappa,
    "fleiss-kappa": lambda: [_estimate(fleiss_kappa(_fleiss_rows(), plan=QUICK))],
    "kripp-alpha": lambda: [
        _estimate(krippendorff_alpha(_columns(THREE_BY_FIFTEEN), scale, plan=QUICK))
        for scale in ("nominal", "interval")
    ],
    "kripp-4x12": lambda: [
        _estimate(krippendorff_alpha(_columns(FOUR_BY_TWELVE), scale, plan=QUICK)) for scale in ("nominal", "interval")
    ],
    "gwet-ac1-4x12": lambda: [_estimate(gwet_ac(_columns(FOUR_BY_TWELVE), plan=QUICK))],
    "kappa-paradox": _paradox,
    "rogan-gladen-lee": lambda: _limits(rogan_gladen(400, 1000, _lee())),
    "ppi-lam1": lambda: _limits(ppi_mean(LABELLED, weight=1.0)),
    "ppi-lam0": lambda: _limits(ppi_mean(LABELLED, weight=0.0)),
    "ppi++": lambda: _limits(ppi_mean(LABELLED)),
    "kitagawa": _perception_reasoning_luck,
}


@pytest.mark.parametrize("name", CASES)
def test_published_example(name: str) -> None:
    case = FIXTURES[name]
    found = CASES[name]()
    assert len(found) == len(case["expected"])
    for value, expected in zip(found, case["expected"], strict=True):
        assert value is not None
        assert abs(value - expected) <= case["atol"]


def test_every_published_value_is_reproduced() -> None:
    first = runpy.run_path(str(Path(__file__).with_name("test_fixtures_a.py")))["COMPUTE"]
    assert len(FIXTURES) == 56
    assert set(first) | set(CASES) == set(FIXTURES)
