"""Summaries of token scores."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, TokenContrast, TokenLogprobs
from mmeval.verifiers.dependency import DependencyVerifier, k3, written

VERIFIER = DependencyVerifier()
CONTEXT = AnswerContext()
LOGPROB = st.floats(-60, 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(-1.0, -1.0, 0.0), (-1.0, -2.0, math.exp(-1) + 1 - 1), (-2.0, -1.0, math.e - 1 - 1), (-50.0, 0.0, 10.0), (0.0, -50.0, 10.0), (-4.0, 0.0, 10.0)],
)  # fmt: skip
def test_k3_is_clamped_as_published(first: float, second: float, expected: float) -> None:
    assert k3(first, second) == pytest.approx(expected)


@given(LOGPROB, LOGPROB)
def test_k3_is_never_negative_and_zero_for_equal_scores(first: float, second: float) -> None:
    assert 0.0 <= k3(first, second) <= 10.0
    assert k3(first, first) == 0.0


@given(st.lists(st.tuples(LOGPROB, LOGPROB), min_size=1, max_size=40))
def test_what_is_written_is_read(pairs: list[tuple[float, float]]) -> None:
    first, second = (tuple(pair[side] for pair in pairs) for side in (0, 1))
    ids = tuple(range(len(pairs)))
    texts = tuple("<x>" for _ in pairs)
    text = written(
        TokenContrast(
            "ok",
            TokenLogprobs("ok", ids, first, texts=texts),
            TokenLogprobs("ok", ids, second),
            tuple(0.5 for _ in pairs),
        )
    )
    assert "<" not in text
    assert json.loads(text)["tokens"] == list(texts)
    scores = VERIFIER.match(VERIFIER.parse(text, CONTEXT).value, True, CONTEXT).scores
    assert scores["log_ratio_sum"] == pytest.approx(sum(first) - sum(second), abs=1e-3)
    assert scores["k3"] <= scores["k3_max"]
    assert scores["k3_median"] <= scores["k3_p90"] + 1e-12
    assert 0 <= scores["gini"] < 1
    assert 0 < scores["top_share"] <= 1 + 1e-12
    assert scores["kl"] == 0.5


def test_one_token_of_five_holds_everything() -> None:
    text = json.dumps({"tokens": list("abcde"), "with": [-1, -1, -1, -1, -1], "without": [-1, -1, -1, -1, -3]})
    scores = VERIFIER.match(VERIFIER.parse(text, CONTEXT).value, True, CONTEXT).scores
    assert scores["top_share"] == pytest.approx(1.0)
    assert scores["gini"] == pytest.approx(0.8)
    assert scores["log_ratio"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "text", ["", "red", "[]", "{}", '{"with": [], "without": []}', '{"with": [1], "without": [1, 2]}', '{"with": ["a"], "without": [1]}', '{"with": [NaN], "without": [1]}']
)  # fmt: skip
def test_other_texts_are_no_scores(text: str) -> None:
    assert not VERIFIER.parse(text, CONTEXT).found


@given(st.text())
def test_nothing_raises(text: str) -> None:
    VERIFIER.parse(text, CONTEXT)
