from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.chance import chance_corrected
from mmeval.stats.debiasing import JudgedSample, ppi_difference, ppi_mean, stratified_ppi_mean, tuned_weight
from mmeval.stats.judge_errors import judge_quality, rogan_gladen

BINARY = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), max_size=10)


def _draw(n: int, judged: int, seed: int, skill: float = 0.85) -> JudgedSample:
    """Judge right with probability `skill`, and lenient: it calls one in ten wrong answers right on top."""
    generator = np.random.default_rng(seed)
    human = (generator.random(n + judged) < 0.6).astype(float)
    judge = np.where(generator.random(n + judged) < skill, human, 1 - human)
    judge = np.maximum(judge, generator.random(n + judged) < 0.1)
    return JudgedSample(human[:n], judge[:n], judge[n:])


def test_a_good_judge_narrows_the_interval_and_a_useless_one_does_no_harm() -> None:
    good, useless = _draw(200, 20_000, 1, 0.95), _draw(200, 20_000, 1, 0.5)
    alone = ppi_mean(good, weight=0.0)
    helped, unharmed = ppi_mean(good), ppi_mean(useless)
    for found in (alone, helped, unharmed):
        assert found.standard_error is not None
    assert helped.standard_error < 0.6 * alone.standard_error  # type: ignore[operator]
    assert unharmed.standard_error == pytest.approx(alone.standard_error, rel=0.03)
    assert helped.weight is not None
    assert unharmed.weight is not None
    assert helped.weight > 0.7 > 0.2 > unharmed.weight
    assert (alone.method, helped.method) == ("human-only", "ppi++")


def test_tuned_weight_minimises_the_error() -> None:
    sample = _draw(300, 900, 2)
    best = ppi_mean(sample).standard_error
    assert best is not None
    for weight in np.linspace(0, 1, 21):
        other = ppi_mean(sample, weight=float(weight)).standard_error
        assert other is not None
        assert best <= other * 1.002


def test_a_perfect_judge_gives_the_mean_over_everything() -> None:
    generator = np.random.default_rng(3)
    human = generator.normal(size=1000)
    found = ppi_mean(JudgedSample(human[:50], human[:50], human[50:]), weight=1.0)
    assert found.estimate == pytest.approx(human[50:].mean())


def test_paired_differences_negate_when_models_are_swapped() -> None:
    generator = np.random.default_rng(4)
    human = generator.choice([-1.0, 0.0, 1.0], size=80, p=[0.1, 0.6, 0.3])
    judge = np.where(generator.random(80) < 0.8, human, 0.0)
    other = generator.choice([-1.0, 0.0, 1.0], size=900, p=[0.1, 0.65, 0.25])
    forth = ppi_difference(JudgedSample(human, judge, other))
    back = ppi_difference(JudgedSample(-human, -judge, -other))
    assert forth.estimate == pytest.approx(-back.estimate)
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.interval is not None
    assert back.interval is not None
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert forth.p_value is not None
    assert (forth.p_value < 0.05) == (forth.interval.low > 0)


def test_no_difference_at_all_makes_no_claim() -> None:
    found = ppi_difference(JudgedSample([0.0] * 9, [0.0] * 9, [0.0] * 50))
    assert (found.estimate, found.p_value, found.interval) == (0.0, None, None)
    assert "no test" in found.note
    with pytest.raises(ValueError, match="no human label"):
        ppi_difference(JudgedSample([], [], [1.0]))


def test_one_stratum_is_the_plain_estimate_and_dense_labels_are_weighed_back() -> None:
    sample = _draw(100, 1000, 5)
    plain, alone = ppi_mean(sample), stratified_ppi_mean([sample])
    assert alone.estimate == pytest.approx(plain.estimate)
    assert alone.standard_error == pytest.approx(plain.standard_error)
    easy = JudgedSample([1.0] * 10 + [0.0] * 2, [1.0] * 11 + [0.0], [1.0] * 88)
    hard = JudgedSample([1.0] * 10 + [0.0] * 40, [1.0] * 12 + [0.0] * 38, [1.0] * 10 + [0.0] * 40)
    both = stratified_ppi_mean([easy, hard], shares=[0.5, 0.5], weight=0.0)
    assert both.estimate == pytest.approx(0.5 * 10 / 12 + 0.5 * 10 / 50)
    skipped = stratified_ppi_mean([sample, JudgedSample([], [], [1.0])], shares=[1.0, 0.0])
    assert skipped.estimate == pytest.approx(plain.estimate)


def test_strata_that_differ_narrow_the_interval() -> None:
    generator = np.random.default_rng(6)
    strata = []
    for rate in (0.05, 0.95):
        human = (generator.random(1100) < rate).astype(float)
        strata.append(JudgedSample(human[:100], 1 - human[:100], 1 - human[100:]))
    pooled = JudgedSample(
        np.concatenate([np.asarray(s.human) for s in strata]),
        np.concatenate([np.asarray(s.judge) for s in strata]),
        np.concatenate([np.asarray(s.judge_unlabelled) for s in strata]),
    )
    stratified, plain = stratified_ppi_mean(strata).standard_error, ppi_mean(pooled).standard_error
    assert stratified is not None
    assert plain is not None
    assert stratified < 0.6 * plain


def test_repeated_clusters_widen_the_interval() -> None:
    sample = _draw(60, 600, 7)
    human, judge, other = sample.arrays
    times = 4
    repeated = JudgedSample(
        np.repeat(human, times),
        np.repeat(judge, times),
        np.repeat(other, times),
        np.repeat(np.arange(60), times),
        np.repeat(np.arange(1000, 1600), times),
    )
    once, clustered = ppi_mean(sample, 0.5), ppi_mean(repeated, 0.5)
    assert clustered.clusters == 660
    assert clustered.estimate == pytest.approx(once.estimate)
    assert clustered.standard_error == pytest.approx(once.standard_error, rel=0.01)
    single = JudgedSample(human, judge, other, list(range(60)), list(range(60, 660)))
    assert ppi_mean(single, 0.5) == once


@settings(max_examples=80, deadline=None)
@given(
    BINARY, st.lists(st.sampled_from([0.0, 1.0]), max_size=10), st.sampled_from([None, 0.0, 0.5, 1.0]), st.booleans()
)
def test_no_sample_gives_nan(
    rows: list[tuple[float, float]], other: list[float], weight: float | None, clustered: bool
) -> None:
    labels = [i % 3 for i in range(len(rows))], [i % 4 for i in range(len(other))]
    sample = JudgedSample([a for a, _ in rows], [b for _, b in rows], other, *(labels if clustered else ()))
    assert 0 <= tuned_weight(sample) <= 1
    found = ppi_mean(sample, weight)
    if found.estimate is None:
        assert not rows
    else:
        assert math.isfinite(found.estimate)
    if found.interval is None:
        assert found.note
    else:
        assert found.interval.low < found.interval.high
        assert found.interval.low <= found.estimate + 1e-12 <= found.interval.high + 2e-12  # type: ignore[operator]


def test_labels_without_spread_get_wilsons_interval() -> None:
    found = ppi_mean(JudgedSample([1.0] * 20, [1.0] * 20, [1.0] * 50))
    assert found.estimate == 1.0
    assert found.interval is not None
    assert found.interval.low == pytest.approx(20 / (20 + 1.959964**2), abs=1e-6)
    assert "Wilson" in found.note
    ratings = ppi_mean(JudgedSample([7.0] * 20, [7.0] * 20, [7.0] * 50))
    assert ratings.interval is None
    assert "no interval" in ratings.note


def test_few_labels_are_noted() -> None:
    assert "fewer than 30" in ppi_mean(_draw(20, 100, 1)).note
    assert (
        "differ on 4 labelled"
        in ppi_mean(JudgedSample([1.0] * 30 + [0.0] * 30, [1.0] * 34 + [0.0] * 26, [1.0, 0.0])).note
    )
    assert ppi_mean(_draw(200, 100, 1)).note == ""
    assert "no human label" in ppi_mean(JudgedSample([], [], [1.0])).note


def test_debiasing_refusals() -> None:
    with pytest.raises(ValueError, match="judge scores"):
        JudgedSample([1.0], [], [])
    with pytest.raises(ValueError, match="finite"):
        JudgedSample([math.nan], [1.0], [])
    with pytest.raises(ValueError, match="neither"):
        JudgedSample([1.0], [1.0], [], ["x"])
    with pytest.raises(ValueError, match="sum to 1"):
        stratified_ppi_mean([_draw(5, 5, 1)], shares=[0.5])
    with pytest.raises(ValueError, match="merge"):
        stratified_ppi_mean([_draw(5, 5, 1), JudgedSample([], [], [1.0])])
    with pytest.raises(ValueError, match="level"):
        ppi_mean(_draw(5, 5, 1), level=1.0)
    with pytest.raises(ValueError, match="weight"):
        ppi_mean(_draw(5, 5, 1), weight=math.inf)


def test_judge_quality_counts() -> None:
    found = judge_quality([1, 1, 1, 0, 0], [1, 1, 0, 0, 1])
    assert (found.true_positive, found.positives, found.true_negative, found.negatives) == (2, 3, 1, 2)
    assert found.sensitivity == pytest.approx(2 / 3)
    assert found.specificity == pytest.approx(1 / 2)
    assert judge_quality([1, 1], [1, 0]).specificity is None
    assert judge_quality([1, 1], [1, 0]).specificity_interval is None
    with pytest.raises(ValueError, match="0 or 1"):
        judge_quality([0.5], [1])


@given(
    st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), max_size=30),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_rogan_gladen_stays_in_range(rows: list[tuple[int, int]], right: int, wrong: int) -> None:
    found = rogan_gladen(right, right + wrong, judge_quality([a for a, _ in rows], [b for _, b in rows]))
    if found.interval is None:
        assert found.estimate is None
        assert "undefined" in found.note
    else:
        assert 0 <= found.interval.low <= found.interval.high <= 1
        if found.estimate is not None:
            assert found.interval.low <= found.estimate <= found.interval.high
        else:
            assert "no better than chance" in found.note


def test_rogan_gladen_of_a_perfect_judge_is_the_plain_share() -> None:
    quality = judge_quality([1] * 500 + [0] * 500, [1] * 500 + [0] * 500)
    found = rogan_gladen(300, 1000, quality)
    assert found.estimate == pytest.approx(0.3)
    with pytest.raises(ValueError, match="judged"):
        rogan_gladen(3, 2, quality)


@pytest.mark.slow
def test_rogan_gladen_covers_when_the_share_of_right_answers_shifts() -> None:
    generator = np.random.default_rng(12)
    replications, covered, plain = 2000, 0, 0
    for _ in range(replications):
        human = np.repeat([1, 0], 150)
        judge = np.where(generator.random(300) < np.where(human == 1, 0.9, 0.8), human, 1 - human)
        judged = int(generator.binomial(1000, 0.2 * 0.9 + 0.8 * 0.2))
        found = rogan_gladen(judged, 1000, judge_quality(human, judge))
        assert found.interval is not None
        covered += found.interval.low <= 0.2 <= found.interval.high
        plain += abs(judged / 1000 - 0.2) < 0.03
    assert covered / replications >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / replications)
    assert plain / replications < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "ratings", "clustered", "stratified", "difference"])
def test_ppi_intervals_cover(kind: str) -> None:
    replications, n, judged = 2000, 200, 2000
    generator = np.random.default_rng(13)
    covered = 0
    for _ in range(replications):
        interval, truth = _simulate(kind, n, judged, generator)
        covered += interval[0] <= truth <= interval[1]
    # The limits are wider than three Monte Carlo standard errors (0.015) around 0.95.
    assert 0.93 <= covered / replications <= 0.97


def _simulate(kind: str, n: int, judged: int, generator: np.random.Generator) -> tuple[tuple[float, float], float]:
    total = n + judged
    if kind == "ratings":
        human = generator.normal(6, 2, total)
        judge = np.round(0.7 * human + 2.5 + generator.normal(0, 1.2, total))
        found, truth = ppi_mean(JudgedSample(human[:n], judge[:n], judge[n:])).interval, 6.0
    elif kind == "difference":
        human = generator.choice([-1.0, 0.0, 1.0], size=total, p=[0.1, 0.7, 0.2])
        judge = np.where(generator.random(total) < 0.75, human, generator.choice([-1.0, 0.0, 1.0], size=total))
        found, truth = ppi_difference(JudgedSample(human[:n], judge[:n], judge[n:])).interval, 0.1
    elif kind == "clustered":
        size = 5
        ability = np.repeat(generator.beta(1.5, 1, total // size), size)
        human = (generator.random(total) < ability).astype(float)
        judge = np.where(generator.random(total) < 0.85, human, 1.0)
        clusters = np.repeat(np.arange(total // size), size)
        sample = JudgedSample(human[: 2 * n], judge[: 2 * n], judge[2 * n :], clusters[: 2 * n], clusters[2 * n :])
        found, truth = ppi_mean(sample).interval, 0.6
    elif kind == "stratified":
        strata = []
        for rate in (0.3, 0.7):
            human = (generator.random(total) < rate).astype(float)
            judge = np.where(generator.random(total) < 0.75 + 0.1 * human, human, 1 - human)
            strata.append(JudgedSample(human[:n], judge[:n], judge[n:]))
        found, truth = stratified_ppi_mean(strata, shares=[0.25, 0.75]).interval, 0.25 * 0.3 + 0.75 * 0.7
    else:
        human = (generator.random(total) < 0.6).astype(float)
        judge = np.where(generator.random(total) < 0.8 + 0.1 * human, human, 1 - human)
        found, truth = ppi_mean(JudgedSample(human[:n], judge[:n], judge[n:])).interval, 0.6
    assert found is not None
    return (found.low, found.high), truth


def test_chance_correction_recovers_what_is_known() -> None:
    generator = np.random.default_rng(14)
    chance = generator.choice([0.5, 0.25, 0.0], size=40_000)
    known = generator.random(40_000) < 0.4
    scores = np.where(known, 1.0, generator.random(40_000) < chance)
    sampled, pooled = chance_corrected(scores, chance), chance_corrected(scores, chance, pooled=True)
    for found in (sampled, pooled):
        assert found.mean == pytest.approx(0.4, abs=0.02)
        assert found.interval is not None
        assert found.interval.low < 0.4 < found.interval.high
    assert sampled.standard_error > pooled.standard_error  # type: ignore[operator]
    guesses = chance_corrected((generator.random(40_000) < chance).astype(float), chance)
    assert guesses.mean == pytest.approx(0.0, abs=0.03)


def test_chance_correction_of_one_number_of_options_is_linear() -> None:
    scores = [1, 0, 1, 1, 0, 1]
    for pooled in (False, True):
        found = chance_corrected(scores, 0.25, pooled=pooled)
        assert found.mean == pytest.approx((4 / 6 - 0.25) / 0.75)
        assert found.standard_error == pytest.approx(np.std(scores, ddof=1) / math.sqrt(6) / 0.75)


def test_pooled_error_is_the_deltas() -> None:
    generator = np.random.default_rng(15)
    chance = generator.choice([0.5, 0.1], size=(3000, 200))
    scores = (generator.random((3000, 200)) < chance + (1 - chance) * 0.3).astype(float)
    ratios = (scores.mean(axis=1) - chance.mean(axis=1)) / (1 - chance.mean(axis=1))
    found = chance_corrected(scores[0], chance[0], pooled=True)
    assert found.standard_error == pytest.approx(float(ratios.std()), rel=0.12)


def test_all_right_keeps_an_interval() -> None:
    found = chance_corrected([1.0] * 30, [0.25] * 15 + [0.5] * 15)
    assert found.mean == 1.0
    assert found.standard_error is None
    assert found.interval is not None
    assert found.interval.low < 0.85
    assert found.interval.high == 1.0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5]), st.integers(0, 3)), max_size=10),
    st.booleans(),
)
def test_chance_correction_is_never_nan(rows: list[tuple[float, float, int]], pooled: bool) -> None:
    found = chance_corrected(
        [row[0] for row in rows], [row[1] for row in rows], clusters=[row[2] for row in rows], pooled=pooled
    )
    if not rows:
        assert found.mean is None
        return
    assert found.mean is not None
    assert found.interval is not None
    assert found.interval.low - 1e-12 <= found.mean <= found.interval.high + 1e-12
    assert found.interval.high <= 1 + 1e-12


def test_chance_correction_refuses() -> None:
    with pytest.raises(ValueError, match="chance in"):
        chance_corrected([1.0], [1.0])
    with pytest.raises(ValueError, match="chances"):
        chance_corrected([1.0, 0.0, 1.0], [0.2, 0.2])
