"""Correlations, error rates and votes against scipy, numpy and their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmeval.metrics import estimate
from mmeval.stats.correlation_functionals import Association


def rating(name: int, value: float | None, opinion: float, cluster: str = "", repeat: int = 0) -> dict[str, Any]:
    scores = {"opinion": opinion} | ({} if value is None else {"rating": value})
    return {
        "sample_id": str(name), "repeat": repeat, "cluster": cluster, "outcome": "no_answer" if value is None else "scored",
        "score": 0.5, "correct": False, "scores": scores,
    }  # fmt: skip


def drawn(size: int, clusters: int = 0, seed: int = 0) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    opinions = generator.normal(size=size).round(1)
    values = (opinions + generator.normal(size=size)).round(1)
    pairs = zip(values.tolist(), opinions.tolist(), strict=True)
    return [rating(i, v, o, f"r{i % clusters}" if clusters else "") for i, (v, o) in enumerate(pairs)]


REFERENCES = {
    "plcc": lambda x, y: stats.pearsonr(x, y).statistic,
    "srcc": lambda x, y: stats.spearmanr(x, y).statistic,
    "krcc": lambda x, y: stats.kendalltau(x, y).statistic,
    "rmse": lambda x, y: float(np.sqrt(np.mean((np.array(x) - np.array(y)) ** 2))),
}


@pytest.mark.parametrize("metric", REFERENCES)
def test_values_and_resamples_are_those_of_scipy(metric: str) -> None:
    rows = drawn(60, 12)
    x, y = ([row["scores"][key] for row in rows] for key in ("rating", "opinion"))
    found = estimate(metric, rows)
    assert found.value == pytest.approx(REFERENCES[metric](x, y), abs=1e-12)
    assert found.interval is not None
    assert found.interval.method == "cluster-bootstrap-bca-t"
    assert found.interval.low < found.value < found.interval.high
    association = Association(metric, np.array(x), np.array(y))  # type: ignore[arg-type]
    index = np.arange(60) % 12
    weights = np.random.default_rng(1).integers(0, 3, size=(20, 12))
    values = association.over(index, 12)(weights.astype(np.float64))
    for weight, value in zip(weights, values.tolist(), strict=True):
        items = np.repeat(np.arange(60), weight[index])
        assert value == pytest.approx(REFERENCES[metric](np.array(x)[items], np.array(y)[items]), abs=1e-9)


def test_missing_ratings_take_the_mean_and_are_counted() -> None:
    rows = [rating(0, 1.0, 1.0), rating(1, 3.0, 3.0), rating(2, None, 5.0), rating(3, 2.0, 2.5)]
    found = estimate("plcc", rows)
    assert found.value == pytest.approx(stats.pearsonr([1, 3, 2, 2], [1, 3, 5, 2.5]).statistic, abs=1e-12)
    assert (found.coverage, found.counts["no_answer"]) == (1.0, 1)
    left = estimate("plcc:answered", rows)
    assert left.value == pytest.approx(stats.pearsonr([1, 3, 2], [1, 3, 2.5]).statistic, abs=1e-12)
    assert (left.n, left.coverage) == (3, 0.75)


@pytest.mark.parametrize("metric", ["plcc", "srcc", "krcc", "plcc-logistic4", "plcc-logistic5"])
def test_constant_ratings_have_no_correlation(metric: str) -> None:
    rows = [rating(i, 3.0, float(i)) for i in range(8)]
    assert (estimate(metric, rows).value, estimate(metric, rows).interval) == (None, None)
    assert estimate(metric, [rating(i, None, float(i)) for i in range(8)]).value is None


@pytest.mark.parametrize("metric", ["plcc-logistic4", "plcc-logistic5"])
def test_a_logistic_curve_straightens_what_bends(metric: str) -> None:
    x = np.linspace(-3, 3, 80)
    rows = [rating(i, float(a), float(5 / (1 + np.exp(-2 * a)))) for i, a in enumerate(x)]
    bent, straight = estimate("plcc", rows).value, estimate(metric, rows).value
    assert bent is not None
    assert straight is not None
    assert bent < 0.97 < 0.9999 < straight


@given(values=st.lists(st.tuples(st.sampled_from([1, 2, 3.5]), st.sampled_from([1, 2, 4])), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_correlations_of_tied_ratings_never_fail(values: list[tuple[float, float]]) -> None:
    rows = [rating(i, v, o) for i, (v, o) in enumerate(values)]
    for metric in REFERENCES:
        found = estimate(metric, rows)
        assert found.value is None or np.isfinite(found.value)


def test_error_rates_are_of_the_corpus_and_drawn_by_speaker() -> None:
    counts = [(1, 6), (0, 2), (9, 6), (3, 6)]
    rows = [
        {
            "sample_id": str(i), "repeat": 0, "cluster": f"s{i // 2}", "outcome": "scored", "score": 0.0, "correct": False,
            "scores": {"word_errors": errors, "words": words},
        }
        for i, (errors, words) in enumerate(counts)
    ]  # fmt: skip
    found = estimate("wer", rows)
    assert (found.value, found.clusters) == (13 / 20, 2)
    assert estimate("word-accuracy", rows).value == pytest.approx(7 / 20)


def test_votes_count_unreadable_repeats_unless_told_not_to() -> None:
    outcomes = {"a": [1, 1, None], "b": [1, None, None], "c": [0, 0, 1], "d": [None] * 3, "e": [1, 0, None]}
    rows = [
        {
            "sample_id": name, "repeat": i, "cluster": "", "outcome": "no_answer" if value is None else "scored",
            "score": float(value or 0), "correct": bool(value), "scores": {},
        }
        for name, values in outcomes.items()
        for i, value in enumerate(values)
    ]  # fmt: skip
    assert (estimate("vote", rows).value, estimate("vote", rows).n) == (0.2, 5)
    assert (estimate("vote:answered", rows).value, estimate("vote:answered", rows).n) == (pytest.approx(2 / 3), 3)


def _four(x: Any, b1: float, b2: float, b3: float, b4: float) -> Any:
    return (b1 - b2) / (1 + np.exp(-(x - b3) / b4)) + b2


def _five(x: Any, b1: float, b2: float, b3: float, b4: float, b5: float) -> Any:
    return b1 * (0.5 - 1 / (1 + np.exp(b2 * (x - b3)))) + b4 * x + b5


@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parameters", [4, 5])
def test_fitted_curves_are_at_least_as_good_as_scipys(parameters: int, seed: int) -> None:
    """DeQA's start for four parameters, VQEG's for five; where scipy finds the optimum, the correlation is the same."""
    from scipy.optimize import curve_fit

    generator = np.random.default_rng(seed)
    x = generator.uniform(1, 5, 200)
    y = 20 + 60 / (1 + np.exp(-2.0 * (x - 3))) + generator.normal(0, 4, 200)
    curve, start = {
        4: (_four, [y.max(), y.min(), x.mean(), x.std() / 4]),
        5: (_five, [10, 0, y.mean(), 0.1, 0.1]),
    }[parameters]
    with np.errstate(all="ignore"):
        best, _ = curve_fit(curve, x, y, p0=start, maxfev=20_000)
    theirs = float(stats.pearsonr(curve(x, *best), y).statistic)
    ours = estimate(f"plcc-logistic{parameters}", [rating(i, a, b) for i, (a, b) in enumerate(zip(x, y, strict=True))])
    assert ours.value is not None
    assert ours.value >= theirs - 1e-9
    if parameters == 4:
        assert ours.value == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_correlations_on_drawn_data_are_scipys(seed: int) -> None:
    rows = drawn(500, 0, seed)
    x, y = ([row["scores"][key] for row in rows] for key in ("rating", "opinion"))
    for metric, reference in REFERENCES.items():
        assert estimate(metric, rows).value == pytest.approx(reference(x, y), abs=1e-9)
