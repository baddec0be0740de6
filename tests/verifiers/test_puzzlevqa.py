from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.puzzlevqa import PuzzleVQAVerifier

FOUR = AnswerContext(choices=("1", "2", "3", "4"))
THREE = AnswerContext(choices=("small", "medium", "large"))


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("(A)", "1"), ("(B)", "2"), ("B", "2"), ("b", None), ("(b)", None), ("The answer is (C).", "3"), ("The answer is C", "3"), ("C) 3", "3"),
        ("(A) or (B)", "2"), ("(B), not (A)", "1"), ("(B) since A is small", "2"), ("A, but then B", "2"), ("NASA", "1"), ("the DNA (B)", "2"),
        ("(D)", "4"), ("(E)", None), ("(E) and B", "2"), ("E", None), ("", None), ("  ", None), ("4", None), ("(4)", None), ("the fourth", None),
        ("Don't know", "4"), ("And so on", "1"), ("Therefore, among (A) (B) (C) (D), the answer is: (C)", "3"), ("ABCD", "4"), ("[B]", "2"),
        ("( B )", "2"), ("(AB)", "2"), ("**(B)**", "2"), (r"\boxed{B}", "2"), ("Blue", "2"), ("Cannot say", "3"), ("option (A)\noption (D)", "4"),
        ("I think it is 3", None), ("(A", "1"), ("A)", "1"), ("（B）", "2"), ("The answer is (C) 3. Hope this helps, Dave", "3"),
    ],
)  # fmt: skip
def test_options(text: str, option: str | None) -> None:
    found = PuzzleVQAVerifier().parse(text, FOUR)
    assert found.value == option
    if option is not None:
        assert found.span is not None
        assert text[slice(*found.span)] == "ABCD"[FOUR.choices.index(option)]


def test_a_letter_without_an_option_means_the_first() -> None:
    found = PuzzleVQAVerifier().parse("(D)", THREE)
    assert (found.value, found.scores) == ("small", {"fallback": 1.0})
    assert PuzzleVQAVerifier().parse("(C)", THREE).scores == {}


@pytest.mark.parametrize(
    ("text", "gold", "right"), [("(B)", "2", True), ("(B)", 2, True), ("(B)", "3", False), ("(C)", 3, True)]
)
def test_verdicts(text: str, gold: Any, right: bool) -> None:
    assert verify(PuzzleVQAVerifier(), Response("ok", text), gold, FOUR).correct is right


def test_rows_at_fault() -> None:
    with pytest.raises(DataError, match="without choices"):
        PuzzleVQAVerifier().parse("(A)", AnswerContext())
    for target in (["2"], None, True):
        with pytest.raises(DataError, match="no text"):
            PuzzleVQAVerifier().match("2", target, FOUR)


@given(
    st.lists(st.sampled_from(["(A)", "(D)", "B", "x", "(", ")", " "]) | st.text(max_size=4), max_size=10).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    found = PuzzleVQAVerifier().parse(text, THREE)
    assert found.value is None or found.value in THREE.choices
    if found.found:
        letter = "ABC"[THREE.choices.index(found.value)]
        assert PuzzleVQAVerifier().parse(f"({letter})", THREE).value == found.value
