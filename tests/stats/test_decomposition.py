from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.decomposition import (
    GroupedScores,
    Mixture,
    decompose,
    kitagawa,
    perception_rates,
    perception_split,
    shapley_split,
)
from mmeval.stats.resampling import BootstrapPlan

QUICK = BootstrapPlan(resamples=200)
VERDICTS = st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=1, max_size=25)
UNIT = st.floats(0, 1)


def _accuracy(factors: object) -> float:
    perceived, right, lucky = factors  # type: ignore[misc]
    return perceived * right + (1 - perceived) * lucky


def _sides(rows: list[tuple[int, int, int, int]]) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
    columns = list(zip(*rows, strict=True))
    return (list(columns[0]), list(columns[1])), (list(columns[2]), list(columns[3]))


def _rows(p: int, r: int, q: int, luck: int) -> tuple[list[int], list[int]]:
    """Perceived and right, perceived and wrong, the others right, the others wrong."""
    return [1] * (p + r) + [0] * (q + luck), [1] * p + [0] * r + [1] * q + [0] * luck


@settings(deadline=None)
@given(rows=VERDICTS)
def test_terms_add_up_whatever_is_missing(rows: list[tuple[int, int, int, int]]) -> None:
    base, candidate = _sides(rows)
    found = perception_split(base, candidate, plan=BootstrapPlan(resamples=100))
    delta = float(np.mean(candidate[1]) - np.mean(base[1]))
    assert [term.name for term in found.terms] == ["perception", "reasoning", "luck"]
    assert math.fsum(term.estimate for term in found.terms) == pytest.approx(delta, abs=1e-9)
    assert found.delta.estimate == pytest.approx(delta, abs=1e-12)
    back = perception_split(candidate, base, plan=BootstrapPlan(resamples=100))
    for term, other in zip((found.delta, *found.terms), (back.delta, *back.terms), strict=True):
        assert term.estimate == pytest.approx(-other.estimate, abs=1e-12)
        assert (term.interval is None) == (other.interval is None)
        for interval in (term.interval, other.interval):
            assert interval is None or (math.isfinite(interval.low) and interval.low <= interval.high)


@given(before=st.tuples(UNIT, UNIT, UNIT), after=st.tuples(UNIT, UNIT, UNIT))
def test_two_factor_split_is_the_shapley_value(
    before: tuple[float, float, float], after: tuple[float, float, float]
) -> None:
    split = kitagawa(*(Mixture((p, 1 - p), (r, luck)) for p, r, luck in (before, after)))
    shares = shapley_split(_accuracy, before, after)
    assert (sum(split.composition), *split.rate) == pytest.approx(shares, abs=1e-12)
    assert math.fsum(shares) == pytest.approx(split.delta, abs=1e-12)


def test_shapley_of_many_factors() -> None:
    # Adding up: each factor contributes its own change. Products share what they add together.
    assert shapley_split(sum, [1, 2, 3], [2, 2, 7]) == pytest.approx((1, 0, 4))
    assert shapley_split(math.prod, [0, 0, 0], [1, 1, 1]) == pytest.approx((1 / 3,) * 3)
    assert shapley_split(lambda _: 5.0, [], []) == ()
    with pytest.raises(ValueError, match="factors in the baseline"):
        shapley_split(sum, [1], [1, 2])
    with pytest.raises(ValueError, match="at most"):
        shapley_split(sum, [0] * 20, [1] * 20)
    with pytest.raises(ValueError, match="not finite"):
        shapley_split(lambda factors: math.inf * factors[0], [0.0], [1.0])


def test_a_planted_cause_is_found() -> None:
    # 60 of 100 perceived against 80, three in four of those right, one in five of the others: perception alone.
    base, candidate = _rows(45, 15, 8, 32), _rows(60, 20, 4, 16)
    found = perception_split(base, candidate, plan=QUICK)
    perception, reasoning, luck = found.terms
    assert perception.estimate == pytest.approx(0.11)
    assert (reasoning.estimate, luck.estimate) == pytest.approx((0, 0), abs=1e-12)
    assert (found.baseline.rates, found.baseline.shares) == ((0.75, 0.2), (0.6, 0.4))
    assert perception.interval is not None
    assert perception.interval.low > 0.05
    assert reasoning.interval is not None
    assert reasoning.interval.low < 0 < reasoning.interval.high


def test_an_empty_group_takes_the_rate_of_the_other_side() -> None:
    base, candidate = _rows(0, 0, 20, 80), _rows(40, 10, 10, 40)
    found = perception_split(base, candidate, plan=QUICK)
    perception, reasoning, luck = (term.estimate for term in found.terms)
    assert (perception, reasoning, luck) == pytest.approx((0.3, 0, 0), abs=1e-12)
    assert found.baseline.rates == (None, 0.2)
    assert "no item of the baseline is perceived" in found.note
    split = kitagawa(Mixture((0, 1), (None, 0.2)), Mixture((0.5, 0.5), (0.8, 0.2)))
    assert (split.delta, sum(split.composition), *split.rate) == pytest.approx((0.3, 0.3, 0, 0))
    alone = kitagawa(Mixture((0, 1), (None, 0.2)), Mixture((0, 1), (None, 0.5)))
    assert (sum(alone.composition), *alone.rate) == pytest.approx((0, 0, 0.3))


def test_one_model_against_itself() -> None:
    side = _rows(45, 15, 8, 32)
    found = perception_split(side, side, plan=QUICK)
    assert [term.estimate for term in found.terms] == [0, 0, 0]
    assert [term.interval for term in (found.delta, *found.terms)] == [None] * 4


def test_clusters_widen_and_do_not_move() -> None:
    generator = np.random.default_rng(0)
    scene = np.repeat(generator.random(60) < 0.5, 10)
    seen = np.where(generator.random(600) < 0.9, scene, ~scene).astype(int)
    right = (generator.random(600) < np.where(seen, 0.8, 0.3)).astype(int)
    before = np.zeros(600, dtype=int), (generator.random(600) < 0.3).astype(int)
    labels = np.repeat(np.arange(60), 10)
    plain = perception_split(before, (seen, right), plan=QUICK)
    clustered = perception_split(before, (seen, right), clusters=labels, plan=QUICK)
    assert (plain.clusters, clustered.clusters) == (None, 60)
    assert "cluster-bootstrap" in clustered.method
    for term, wide in zip(plain.terms[:1], clustered.terms[:1], strict=True):
        assert term.estimate == wide.estimate
        assert term.interval is not None
        assert wide.interval is not None
        assert wide.interval.high - wide.interval.low > 1.5 * (term.interval.high - term.interval.low)
    assert perception_split(before, (seen, right), clusters=labels, plan=QUICK) == clustered


def test_any_groups_and_scores() -> None:
    groups = ["easy", "hard", "hard", "easy", "hard"]
    base = GroupedScores(groups, [0.9, 0.1, 0.2, 0.7, 0.3])
    moved = GroupedScores(["easy"] * 5, [0.9, 0.1, 0.2, 0.7, 0.3])
    found = decompose(base, moved, ("easy", "hard"), plan=QUICK)
    # Nothing but the grouping changed, so that composition and rates cancel out.
    assert found.delta.estimate == 0
    assert math.fsum(term.estimate for term in found.terms) == pytest.approx(0, abs=1e-12)
    assert [term.name for term in found.terms] == ["composition", "rate:easy", "rate:hard"]
    with pytest.raises(ValueError, match="'hard' is not among"):
        decompose(base, moved, ("easy",))
    with pytest.raises(ValueError, match="groups must differ"):
        decompose(base, moved, ("easy", "hard", "easy"))
    with pytest.raises(ValueError, match="candidate items"):
        decompose(base, GroupedScores(["easy"], [1]), ("easy", "hard"))


@pytest.mark.parametrize(
    ("shares", "rates", "message"),
    [
        ((0.5, 0.4), (1, 1), "sum to 1"),
        ((1.5, -0.5), (1, 1), "at least 0"),
        ((1.0,), (1, 1), "1 shares but 2 rates"),
        ((), (), "at least one group"),
        ((0.5, 0.5), (1, None), "finite rate"),
        ((0.5, 0.5), (1, math.nan), "finite rate"),
    ],
)
def test_a_mixture_that_is_none(shares: tuple[float, ...], rates: tuple[float | None, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(shares, rates)
    with pytest.raises(ValueError, match="groups in the baseline"):
        kitagawa(Mixture((1.0,), (0.5,)), Mixture((0.5, 0.5), (0.5, 0.5)))


def test_rates_of_one_model() -> None:
    found = perception_rates(*_rows(45, 15, 8, 32))
    assert found.counts == (45, 15, 8, 32)
    shares = (found.perceived, found.right_if_perceived, found.right_if_not, found.lucky)
    assert [one.estimate for one in shares] == pytest.approx([0.6, 0.75, 0.2, 8 / 53])
    limits = [(one.interval.low, one.interval.high) for one in shares if one.interval is not None]
    assert np.round(limits[:3], 2).tolist() == [[0.5, 0.69], [0.63, 0.84], [0.1, 0.35]]
    nothing = perception_rates([1, 1], [0, 0])
    assert (nothing.right_if_not.estimate, nothing.lucky.estimate) == (None, None)
    clustered = perception_rates(*_rows(45, 15, 8, 32), clusters=[number // 5 for number in range(100)])
    assert clustered.perceived.clusters == 20
    for perceived, right, message in (
        ([1], [1, 0], "1 perception"),
        ([0.5], [1], "must be 0 or 1"),
        ([], [], "no items"),
    ):
        with pytest.raises(ValueError, match=message):
            perception_rates(perceived, right)
    with pytest.raises(ValueError, match="cluster labels"):
        perception_rates([1, 0], [1, 0], clusters=["a"])
