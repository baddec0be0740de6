"""Scores of answers: strictly higher is right, equal is wrong, and what is no list of numbers is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier

VERIFIER = get_verifier("scalar-pair")
CONTEXT = AnswerContext()


@pytest.mark.parametrize(
    ("text", "target", "correct", "margin"),
    [
        ("[0.5, 0.25]", "A", True, 0.25),
        ("[0.5, 0.25]", "B", False, -0.25),
        ("[-3, -4]", "A", True, 1.0),
        ("[1.0, 1.0]", "A", False, 0.0),
        ("[3, 1, 2]", "A", True, 1.0),
        ("[3, 1, 4]", "A", False, -1.0),
    ],
)
def test_the_best_must_be_strictly_higher(text: str, target: str, correct: bool, margin: float) -> None:
    found = verify(VERIFIER, Response("ok", text), target, CONTEXT)
    assert (found.correct, found.scores) == (correct, {"margin": margin, "tie": float(margin == 0)})


@pytest.mark.parametrize(
    "text", ["", "0.5", "[0.5]", "[0.5, null]", "[NaN, 1]", '["a", "b"]', "[true, false]", "A is better", "[1, 2"]
)
def test_what_is_no_list_of_scores(text: str) -> None:
    assert verify(VERIFIER, Response("ok", text), "A", CONTEXT).outcome == "no_answer"


@pytest.mark.parametrize("target", ["C", "", 1, "AB"])
def test_a_target_beyond_the_answers(target: object) -> None:
    with pytest.raises(DataError):
        VERIFIER.match([1.0, 2.0], target, CONTEXT)


@given(text=st.text(max_size=60) | st.from_regex(r"\[[0-9.,eE\- ]{0,20}\]?"))
def test_nothing_raises(text: str) -> None:
    VERIFIER.parse(text, CONTEXT)
