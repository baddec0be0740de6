from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmeval.stats.bradley_terry import BradleyTerry, bradley_terry
from mmeval.stats.preference import Preferences, order_swap, win_rates

GAMES = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5)
    ).filter(lambda game: game[0] != game[1]),
    min_size=1,
    max_size=15,
)


def _simulate(n: int, abilities: dict[str, float], seed: int, position: float = 0.0) -> Preferences:
    generator = np.random.default_rng(seed)
    names = list(abilities)
    pairs = [generator.choice(len(names), size=2, replace=False) for _ in range(n)]
    first, second = [names[i] for i, _ in pairs], [names[j] for _, j in pairs]
    gap = np.array([abilities[a] - abilities[b] + position for a, b in zip(first, second, strict=True)])
    wins = (generator.random(n) < 1 / (1 + np.exp(-gap))).astype(float)
    return Preferences(first, second, wins)


def _of(fit: BradleyTerry) -> dict[str, float]:
    return {found.model: found.ability for found in fit.abilities}


def test_two_models_have_the_log_odds_of_their_wins() -> None:
    games = Preferences(["a"] * 10, ["b"] * 10, [1.0] * 7 + [0.0] * 2 + [0.5])
    fit = bradley_terry(games, reference="b")
    assert _of(fit)["a"] == pytest.approx(math.log(7.5 / 2.5))
    assert fit.abilities[0].rating == pytest.approx(1000 + 400 * math.log10(3))
    assert fit.abilities[1].standard_error == 0.0
    information = bradley_terry(games, reference="b", errors="information").abilities[0].standard_error
    assert information == pytest.approx(1 / math.sqrt(10 * 0.75 * 0.25))


def test_sandwich_error_is_the_deltas_with_ties() -> None:
    outcomes = [1.0] * 7 + [0.0] * 2 + [0.5] * 11
    fit = bradley_terry(Preferences(["a"] * 20, ["b"] * 20, outcomes), reference="b")
    mean = float(np.mean(outcomes))
    error = float(np.std(outcomes, ddof=1)) / math.sqrt(20)
    assert fit.errors == "sandwich"
    assert fit.abilities[0].standard_error == pytest.approx(error / (mean * (1 - mean)))
    chance, interval = fit.win_probability("a", "b")
    assert chance == pytest.approx(mean)
    assert interval.low < mean < interval.high


def test_abilities_are_recovered_and_centred() -> None:
    truth = {"a": 1.0, "b": 0.3, "c": -0.2, "d": -1.1}
    fit = bradley_terry(_simulate(8000, truth, 1))
    assert [found.model for found in fit.abilities] == list("abcd")
    assert sum(_of(fit).values()) == pytest.approx(0.0, abs=1e-9)
    for found in fit.abilities:
        assert found.ability == pytest.approx(truth[found.model], abs=0.12)
        assert found.interval.low < found.ability < found.interval.high


def test_the_origin_does_not_change_contrasts() -> None:
    games = _simulate(300, {"a": 0.5, "b": 0.0, "c": -0.4}, 2)
    centred, fixed = bradley_terry(games), bradley_terry(games, reference="a")
    assert centred.win_probability("a", "c")[0] == pytest.approx(fixed.win_probability("a", "c")[0])
    assert centred.win_probability("a", "c")[1].low == pytest.approx(fixed.win_probability("a", "c")[1].low)


def test_repeated_prompts_do_not_shrink_the_errors() -> None:
    games = _simulate(200, {"a": 0.5, "b": 0.0, "c": -0.4}, 3)
    times = 6
    copied = Preferences(
        list(games.first) * times,
        list(games.second) * times,
        np.tile(np.asarray(games.outcome), times),
        list(range(200)) * times,
    )
    once, clustered = bradley_terry(games), bradley_terry(copied)
    assert clustered.errors == "sandwich-clustered"
    assert clustered.clusters == 200
    for left, right in zip(once.abilities, clustered.abilities, strict=True):
        assert right.ability == pytest.approx(left.ability)
        assert right.standard_error == pytest.approx(left.standard_error)
    naive = bradley_terry(copied, errors="information")
    assert naive.abilities[0].standard_error < 0.5 * clustered.abilities[0].standard_error


def test_position_effect_is_found_and_kept_from_the_abilities() -> None:
    games = _simulate(6000, {"a": 0.4, "b": 0.0, "c": -0.4}, 4, position=0.7)
    fit = bradley_terry(games, position_effect=True)
    assert fit.position == pytest.approx(0.7, abs=0.1)
    assert fit.position_p_value is not None
    assert fit.position_p_value < 1e-6
    assert _of(fit)["a"] == pytest.approx(0.4, abs=0.1)
    fair = bradley_terry(_simulate(6000, {"a": 0.4, "b": 0.0, "c": -0.4}, 5), position_effect=True)
    assert fair.position_p_value is not None
    assert fair.position_p_value > 0.01


def test_position_effect_needs_both_orders() -> None:
    fit = bradley_terry(Preferences(["a"] * 6, ["b"] * 6, [1, 0, 1, 1, 0, 1]), position_effect=True)
    assert fit.position is None
    assert "both orders" in fit.note


def test_groups_never_compared_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a, b \| c, d"):
        bradley_terry(Preferences(["a", "c"], ["b", "d"], [1, 0]))


def test_separation_is_finite_and_noted() -> None:
    fit = bradley_terry(Preferences(["a"] * 10 + ["b", "c"] * 3, ["b"] * 10 + ["c", "b"] * 3, [1] * 10 + [1, 1, 0] * 2))
    assert "Firth" in fit.note
    assert fit.abilities[0].model == "a"
    assert 1 < fit.abilities[0].ability < 6
    assert fit.abilities[0].interval.high < 10
    alone = bradley_terry(Preferences(["a"] * 10, ["b"] * 10, [1] * 10), reference="b")
    # Firth's estimate of one proportion adds half a win to either side.
    assert _of(alone)["a"] == pytest.approx(math.log(10.5 / 0.5), abs=1e-6)
    # One tie is enough for a finite maximum.
    assert bradley_terry(Preferences(["a"] * 10, ["b"] * 10, [1] * 9 + [0.5])).note == ""


def test_a_cycle_is_not_separated_but_a_chain_is() -> None:
    cycle = Preferences(["a", "b", "c"], ["b", "c", "a"], [1, 1, 1])
    assert "Firth" not in bradley_terry(cycle).note
    assert all(value == pytest.approx(0.0, abs=1e-8) for value in _of(bradley_terry(cycle)).values())
    assert "Firth" in bradley_terry(Preferences(["a", "b"], ["b", "c"], [1, 1])).note


def test_all_ties_keep_an_error() -> None:
    fit = bradley_terry(Preferences(["a"] * 10, ["b"] * 10, [0.5] * 10))
    assert fit.abilities[0].standard_error > 0.2
    assert "no spread" in fit.note


@settings(max_examples=120, deadline=None)
@given(GAMES, st.booleans(), st.booleans())
def test_no_tournament_gives_nan(games: list[tuple[str, str, float, int]], position: bool, prompts: bool) -> None:
    preferences = Preferences(
        [game[0] for game in games],
        [game[1] for game in games],
        [game[2] for game in games],
        [game[3] for game in games] if prompts else None,
    )
    try:
        fit = bradley_terry(preferences, position_effect=position)
    except ValueError as error:
        assume("never compared" not in str(error))
        raise
    for found in fit.abilities:
        assert abs(found.ability) < 50
        assert 0 < found.standard_error < 1e4
    assert fit.position_p_value is None or 0 <= fit.position_p_value <= 1
    for rate in win_rates(preferences).values():
        assert rate.interval is not None
        assert 0 <= rate.interval.low <= rate.interval.high <= 1


@settings(max_examples=40, deadline=None)
@given(GAMES)
def test_turning_every_pair_round_changes_nothing(games: list[tuple[str, str, float, int]]) -> None:
    forth = Preferences([g[0] for g in games], [g[1] for g in games], [g[2] for g in games])
    back = Preferences([g[1] for g in games], [g[0] for g in games], [1 - g[2] for g in games])
    try:
        first = bradley_terry(forth)
    except ValueError:
        assume(False)
    assert _of(first) == pytest.approx(_of(bradley_terry(back)), abs=1e-6)


@pytest.mark.slow
def test_clustered_errors_are_the_spread_over_repetitions() -> None:
    generator = np.random.default_rng(21)
    estimates, errors, covered = [], [], 0
    replications = 1000
    for _ in range(replications):
        # Each prompt has its own shift in favour of a, shared by its five comparisons.
        shift = np.repeat(generator.normal(0, 1.5, 80), 5)
        wins = (generator.random(400) < 1 / (1 + np.exp(-(0.4 + shift)))).astype(float)
        fit = bradley_terry(Preferences(["a"] * 400, ["b"] * 400, wins, np.repeat(np.arange(80), 5)), reference="b")
        estimates.append(_of(fit)["a"])
        errors.append(next(found.standard_error for found in fit.abilities if found.model == "a"))
    center = float(np.mean(estimates))
    covered = int(np.sum(np.abs(np.array(estimates) - center) <= 1.96 * np.array(errors)))
    assert float(np.mean(errors)) == pytest.approx(float(np.std(estimates)), rel=0.08)
    assert 0.93 <= covered / replications <= 0.97


def test_win_rates_count_ties_as_halves() -> None:
    rates = win_rates(Preferences(["a", "b", "a"], ["b", "a", "c"], [1, 0.5, 0]))
    assert rates["a"].estimate == pytest.approx(0.5)
    assert rates["b"].estimate == pytest.approx(0.25)
    assert rates["c"].estimate == 1.0
    assert rates["a"].n == 3


def test_order_swap_counts_flips_as_ties() -> None:
    found = order_swap([1, 1, 0, 1, 0.5], [1, 0, 0, 0.5, 0.5])
    assert found.resolved == (1.0, 0.5, 0.0, 0.5, 0.5)
    assert (found.flips_to_first, found.flips_to_second) == (2, 0)
    assert found.consistency.estimate == pytest.approx(0.6)
    assert found.first_advantage == pytest.approx((1 + 0.5) / 2 / 5)
    assert found.p_value == pytest.approx(0.5)


def test_order_swap_with_repeated_prompts_tests_by_prompt() -> None:
    generator = np.random.default_rng(6)
    pull = np.repeat(generator.choice([0, 1], size=30), 4)
    ahead, behind = pull.astype(float), np.zeros(120)
    found = order_swap(ahead, behind, np.repeat(np.arange(30), 4))
    single = order_swap(ahead[::4], behind[::4])
    assert found.method == "cr1-t"
    assert single.method == "sign-test"
    assert found.interval is not None
    assert single.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((single.interval.low, single.interval.high))
    assert found.p_value > order_swap(ahead, behind).p_value


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), max_size=10), st.booleans()
)
def test_order_swap_is_never_nan_and_mirrors(rows: list[tuple[float, float]], clustered: bool) -> None:
    ahead, behind = [row[0] for row in rows], [row[1] for row in rows]
    prompts = [i // 2 for i in range(len(rows))] if clustered else None
    found, mirrored = order_swap(ahead, behind, prompts), order_swap(behind, ahead, prompts)
    assert 0 <= found.p_value <= 1
    assert found.p_value == pytest.approx(mirrored.p_value)
    assert (found.flips_to_first, found.flips_to_second) == (mirrored.flips_to_second, mirrored.flips_to_first)
    assert (found.first_advantage is None) == (not rows)


def test_preference_refusals() -> None:
    with pytest.raises(ValueError, match="itself"):
        Preferences(["a"], ["a"], [1])
    with pytest.raises(ValueError, match="outcomes"):
        Preferences(["a"], ["b"], [])
    with pytest.raises(ValueError, match="prompts"):
        Preferences(["a"], ["b"], [1], [])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Preferences(["a"], ["b"], [2])
    with pytest.raises(ValueError, match="no comparisons"):
        bradley_terry(Preferences([], [], []))
    with pytest.raises(ValueError, match="unknown reference"):
        bradley_terry(Preferences(["a"], ["b"], [1]), reference="z")
    with pytest.raises(ValueError, match="unknown model"):
        bradley_terry(Preferences(["a"], ["b"], [1])).win_probability("a", "z")
    with pytest.raises(ValueError, match="other"):
        order_swap([1.0], [])
