from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.mmstar import MMStarVerifier

FOUR = AnswerContext(choices=("w", "x", "y", "z"))


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"), ("a", "A"), ("B.", "B"), ("B: red", "B"), ("C) 4", "C"), (" D ", "D"), ("\nD", "D"), ("(B)", "B"), ("(b) red", "B"),
        ("( B )", None), ("Option B", "B"), ("option c.", "C"), ("Option: B", None), ("Options B", None), ("The answer is B.", "B"),
        ("the answer is b", "B"), ("The answer is (B)", None), ("The answer is: B", None), ("The answer\nis C", "C"), ("The correct answer is B", None),
        ("Answer: B", "A"), ("Both", "B"), ("A cat", "A"), ("blue", "B"), ("Cannot say", "C"), ("Definitely A", "D"), ("E", None), ("4", None),
        ("", None), ("  ", None), ("(", None), ("()", None), ("((A))", None), ("**B**", None), (r"\boxed{B}", None), ("<think>A</think>B", None),
        ("I think B", None), ("Yes", None), ("No, D", None), ("ＢB", None), ("option  b", None), ("The answer is B or C", "B"), ("Dog", "D"),
    ],
)  # fmt: skip
def test_letters(text: str, letter: str | None) -> None:
    found = MMStarVerifier().parse(text, FOUR)
    assert found.value == letter
    assert MMStarVerifier().parse(text, AnswerContext()).value == letter
    if letter is not None:
        assert found.span is not None
        assert text[slice(*found.span)].upper() == letter


@pytest.mark.parametrize(
    ("text", "gold", "right"), [("(B)", "B", True), ("b", " b\n", True), ("C", "B", False), ("none", "B", False)]
)
def test_verdicts(text: str, gold: str, right: bool) -> None:
    assert verify(MMStarVerifier(), Response("ok", text), gold, FOUR).correct is right


@pytest.mark.parametrize("target", ["", "AB", 1, "?"])
def test_rows_at_fault(target: Any) -> None:
    with pytest.raises(DataError, match="no letter"):
        MMStarVerifier().match("A", target, FOUR)


@given(
    st.lists(
        st.sampled_from(["(", "option ", "The answer is ", "A", "b", " ", "\n"]) | st.text(max_size=4), max_size=6
    ).map("".join)
)
def test_any_text_is_read_and_a_letter_reads_as_itself(text: str) -> None:
    found = MMStarVerifier().parse(text, FOUR)
    assert found.value is None or MMStarVerifier().parse(found.value, FOUR).value == found.value
