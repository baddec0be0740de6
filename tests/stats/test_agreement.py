from __future__ import annotations

import math
from collections.abc import Callable, Hashable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.stats.agreement import (
    Agreement,
    agreement_report,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    raw_agreement,
)
from mmeval.stats.resampling import BootstrapPlan

QUICK = BootstrapPlan(resamples=100)
FOUR_BY_TWELVE = [
    (1, 1, None, 1),
    (2, 2, 3, 2),
    (3, 3, 3, 3),
    (3, 3, 3, 3),
    (2, 2, 2, 2),
    (1, 2, 3, 4),
    (4, 4, 4, 4),
    (1, 1, 2, 1),
    (2, 2, 2, 2),
    (None, 5, 5, 5),
    (None, None, 1, 1),
    (None, 3, None, None),
]
ROWS = st.integers(2, 4).flatmap(
    lambda raters: st.lists(st.tuples(*[st.sampled_from([1, 2, 3, None])] * raters), max_size=8)
)


def _pairs(table: list[list[int]]) -> list[tuple[int, int]]:
    return [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]


def test_alpha_on_an_ordinal_scale() -> None:
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C.
    found = krippendorff_alpha(FOUR_BY_TWELVE, "ordinal", plan=QUICK)
    assert found.estimate == pytest.approx(0.815, abs=6e-4)
    assert found.items == 11


def test_weighted_kappa_by_its_definition() -> None:
    generator = np.random.default_rng(4)
    first = generator.integers(1, 6, size=200)
    second = np.clip(first + generator.integers(-1, 2, size=200), 1, 5)
    for weights, power in (("linear", 1), ("quadratic", 2)):
        apart = np.abs(np.subtract.outer(first, second)) ** power
        expected = 1 - np.mean(np.abs(first - second) ** power) / np.mean(apart)
        found = cohen_kappa(list(zip(first.tolist(), second.tolist(), strict=True)), weights)  # type: ignore[arg-type]
        assert found.estimate == pytest.approx(expected)
        boot = cohen_kappa(list(zip(first.tolist(), second.tolist(), strict=True)), weights, plan=BootstrapPlan(2000))  # type: ignore[arg-type]
        assert boot.interval is not None
        assert found.interval is not None
        assert found.interval.method == "asymptotic"
        assert (boot.interval.low, boot.interval.high) == pytest.approx(
            (found.interval.low, found.interval.high), abs=0.02
        )


def test_order_of_an_unsorted_scale_does_not_change_weighted_kappa_of_numbers() -> None:
    rows = _pairs([[10, 3, 1], [2, 12, 4], [0, 5, 9]])
    first = cohen_kappa(rows, "linear", categories=[0, 1, 2])
    second = cohen_kappa(rows, "linear", categories=[1, 0, 2])
    assert first.standard_error == pytest.approx(second.standard_error)
    named = [("abc"[left], "abc"[right]) for left, right in rows]
    assert cohen_kappa(named, "linear", categories=list("abc")).estimate == pytest.approx(first.estimate)
    assert cohen_kappa(named, "linear", categories=list("bac")).estimate != pytest.approx(first.estimate)


def test_alpha_equals_one_minus_disagreement_over_all_pairs() -> None:
    ratings = [[1, 2], [4, 4], [3, 1], [2, 2], [4, 3]]
    values = np.array(ratings, dtype=float)
    pooled = values.ravel()
    observed = np.mean((values[:, 0] - values[:, 1]) ** 2)
    pairs = [(a - b) ** 2 for i, a in enumerate(pooled) for j, b in enumerate(pooled) if i != j]
    found = krippendorff_alpha(ratings, "interval", plan=QUICK)
    assert found.estimate == pytest.approx(1 - observed / np.mean(pairs))


def test_weighted_ac_with_identity_like_weights_and_bounds() -> None:
    ratings = [[1, 1], [1, 2], [3, 3], [3, 1]]
    near = gwet_ac([[1, 2]] * 9 + [[1, 3]], "linear", plan=QUICK).estimate
    far = gwet_ac([[1, 3]] * 9 + [[1, 2]], "linear", plan=QUICK).estimate
    assert near is not None
    assert far is not None
    assert near > far
    two = [[min(a, 2), min(b, 2)] for a, b in ratings]
    assert gwet_ac(two, "quadratic", plan=QUICK).estimate == pytest.approx(gwet_ac(two, plan=QUICK).estimate)


def test_unused_categories_count_for_ac1_only() -> None:
    ratings = [[1, 1], [1, 2], [2, 2], [1, 1]]
    wider = gwet_ac(ratings, categories=[1, 2, 3, 4], plan=QUICK).estimate
    narrow = gwet_ac(ratings, plan=QUICK).estimate
    assert wider is not None
    assert narrow is not None
    assert wider > narrow
    assert (
        krippendorff_alpha(ratings, categories=[1, 2, 3, 4], plan=QUICK).estimate
        == krippendorff_alpha(ratings, plan=QUICK).estimate
    )


COEFFICIENTS: list[Callable[[list[tuple[Hashable | None, ...]]], Agreement]] = [
    lambda rows: raw_agreement(rows, plan=QUICK),
    lambda rows: gwet_ac(rows, plan=QUICK),
    lambda rows: gwet_ac(rows, "linear", plan=QUICK),
    lambda rows: krippendorff_alpha(rows, plan=QUICK),
    lambda rows: krippendorff_alpha(rows, "ordinal", plan=QUICK),
    lambda rows: krippendorff_alpha(rows, "interval", plan=QUICK),
    lambda rows: cohen_kappa([row[:2] for row in rows]),
    lambda rows: cohen_kappa([row[:2] for row in rows], "quadratic"),
]


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from(COEFFICIENTS))
def test_no_table_gives_nan(
    rows: list[tuple[Hashable | None, ...]], coefficient: Callable[[list[tuple[Hashable | None, ...]]], Agreement]
) -> None:
    found = coefficient(rows)
    if found.estimate is None:
        assert found.note
        assert found.interval is None
        return
    assert found.estimate <= 1 + 1e-12
    assert found.interval is not None or found.note
    if found.interval is not None:
        assert math.isfinite(found.interval.low)
        assert found.interval.low <= found.interval.high <= 1 + 1e-12


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_items_and_raters_changes_nothing(rows: list[tuple[Hashable | None, ...]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    turned = [tuple(reversed(row)) for row in shuffled]
    for coefficient in COEFFICIENTS[:6]:
        assert coefficient(turned).estimate == pytest.approx(coefficient(rows).estimate, abs=1e-9)


def test_perfect_agreement_has_an_interval_with_width() -> None:
    rows = [(i % 2, i % 2) for i in range(20)]
    for found in (cohen_kappa(rows), fleiss_kappa(rows), krippendorff_alpha(rows), gwet_ac(rows), raw_agreement(rows)):
        assert found.estimate == pytest.approx(1.0)
        assert found.interval is not None
        assert found.interval.low < 0.9
        assert found.interval.high == pytest.approx(1.0)
        assert "wilson" in found.interval.method


def test_one_category_leaves_kappa_and_alpha_undefined_but_not_ac1() -> None:
    rows = [(1, 1)] * 10
    for found in (cohen_kappa(rows), fleiss_kappa(rows), krippendorff_alpha(rows)):
        assert found.estimate is None
        assert "undefined" in found.note
    assert gwet_ac(rows).estimate == 1.0
    assert gwet_ac(rows, categories=[1, 2]).estimate == 1.0


def test_chance_ratings_agree_by_chance() -> None:
    generator = np.random.default_rng(8)
    rows = generator.integers(0, 3, size=(5000, 3)).tolist()
    for found in (fleiss_kappa(rows, plan=QUICK), krippendorff_alpha(rows, plan=QUICK), gwet_ac(rows, plan=QUICK)):
        assert found.estimate == pytest.approx(0.0, abs=0.03)
        assert found.interval is not None
        assert found.interval.low < 0.03
        assert found.interval.high > -0.03


def test_repeated_clusters_widen_the_interval() -> None:
    generator = np.random.default_rng(2)
    base = generator.integers(0, 2, size=(40, 2)).tolist()
    rows = [row for row in base for _ in range(5)]
    labels = [i for i in range(40) for _ in range(5)]
    plan = BootstrapPlan(resamples=1000)
    once = cohen_kappa(base, plan=plan).interval
    clustered = cohen_kappa(rows, clusters=labels)
    naive = cohen_kappa(rows, plan=plan).interval
    assert clustered.clusters == 40
    assert clustered.interval is not None
    assert once is not None
    assert naive is not None
    assert "cluster" in clustered.interval.method
    assert clustered.interval.high - clustered.interval.low == pytest.approx(once.high - once.low, rel=0.1)
    assert naive.high - naive.low < 0.6 * (clustered.interval.high - clustered.interval.low)


def test_report_shows_the_prevalence_paradox() -> None:
    report = agreement_report(_pairs([[118, 5], [2, 0]]))
    names = [found.name for found in report.coefficients]
    assert names == ["raw", "gwet-ac1", "krippendorff-alpha-nominal", "cohen-kappa"]
    assert report.marginals == ((123, 2), (120, 5))
    assert "paradox" in report.note
    assert agreement_report(_pairs([[60, 2], [3, 60]])).note == ""
    assert agreement_report([(1, 2, 1)] * 3 + [(1, 1, 1)]).coefficients[-1].name == "fleiss-kappa"
    assert agreement_report(_pairs([[60, 2], [3, 60]])) == agreement_report(_pairs([[60, 2], [3, 60]]))


def test_report_of_an_ordinal_scale_uses_weights() -> None:
    names = [found.name for found in agreement_report([(1, 2), (2, 2), (3, 1)], "ordinal", plan=QUICK).coefficients]
    assert names == ["raw", "gwet-ac2-linear", "krippendorff-alpha-ordinal", "cohen-kappa-linear"]


def test_items_without_both_ratings_are_named() -> None:
    found = cohen_kappa([(1, 1), (1, None), (2, 2), (2, 1)])
    assert found.items == 3
    assert "1 items" in found.note


def test_refusals() -> None:
    with pytest.raises(ValueError, match="two raters"):
        cohen_kappa([(1, 2, 3)])
    with pytest.raises(ValueError, match="equally many"):
        fleiss_kappa([(1, 2), (1, None)])
    with pytest.raises(ValueError, match="needs numbers"):
        krippendorff_alpha([("a", "b")], "interval")
    with pytest.raises(ValueError, match="not among"):
        gwet_ac([(1, 9)], categories=[1, 2])
    with pytest.raises(ValueError, match="columns"):
        raw_agreement([(1, 2), (1, 2, 3)])
    with pytest.raises(ValueError, match="not finite"):
        raw_agreement([(1.0, math.nan)])
    with pytest.raises(ValueError, match="unknown weights"):
        cohen_kappa([(1, 2)], "cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown scale"):
        krippendorff_alpha([(1, 2)], "ratio")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="labels"):
        raw_agreement([(1, 2)], clusters=[1, 2])


def test_the_paradox_is_told_by_the_raw_agreement() -> None:
    report = agreement_report(_pairs([[75, 10], [10, 5]]), plan=QUICK)
    raw, corrected = report.coefficients[:2]
    assert raw.estimate == pytest.approx(0.8)
    assert corrected.estimate is not None
    assert corrected.estimate < 0.8
    assert "paradox" in report.note


def test_one_cluster_has_the_interval_of_one_trial() -> None:
    found = gwet_ac([(1, 1)] * 3 + [(1, 2)], clusters=["a"] * 4)
    assert found.interval is not None
    assert found.interval.method == "wilson on observed agreement"
    assert found.interval.low < found.estimate < found.interval.high < 1.0  # type: ignore[operator]


def test_items_with_one_rating_do_not_count_in_the_raw_agreement() -> None:
    found = raw_agreement([(1, None), (1, 1), (1, 2), (None, None)], plan=QUICK)
    assert (found.estimate, found.items) == (0.5, 2)
