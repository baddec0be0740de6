"""Ranked lists against a plain reference, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.metrics.retrieval import ndcg, recall, reciprocal_rank

IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)
GOLD = st.sets(st.sampled_from("abcdefghij"), min_size=1)


def reference_ndcg(ranked: list[str], relevant: set[str], k: int) -> float:
    """Binary relevance over all documents, as information retrieval libraries compute it."""
    gains = np.array([1.0 if one in relevant else 0.0 for one in ranked])[:k]
    best = np.ones(len(relevant))[:k]
    return float(
        (gains / np.log2(np.arange(2, gains.size + 2))).sum() / (best / np.log2(np.arange(2, best.size + 2))).sum()
    )


@given(IDS, GOLD, st.integers(1, 12))
def test_ndcg_agrees_with_the_formula(ranked: list[str], relevant: set[str], k: int) -> None:
    assert ndcg(ranked, relevant, k) == pytest.approx(reference_ndcg(ranked, relevant, k))
    assert 0 <= ndcg(ranked, relevant) <= 1


def test_by_hand() -> None:
    assert ndcg(["x", "a"], {"a"}) == pytest.approx(1 / math.log2(3))
    assert ndcg(["a", "x", "b"], {"a", "b"}) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert recall(["a", "x", "b"], {"a", "b"}, 2) == 0.5
    assert reciprocal_rank(["x", "x", "a"], {"a"}) == 0.5, "an id that is listed twice takes one rank"
    assert reciprocal_rank(["x"], {"a"}) == 0
    assert ndcg([], {"a"}) == recall([], {"a"}) == 0


def test_without_a_relevant_id_there_is_no_score() -> None:
    for score in (ndcg, recall, reciprocal_rank):
        with pytest.raises(ValueError, match="no relevant id"):
            score(["a"], set())
