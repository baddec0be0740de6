from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import GUESS_SHARE, GUESSED, verify
from mmeval.verifiers.scienceqa import ScienceQAVerifier

THREE = AnswerContext(choices=("x", "y", "z"))


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is A.", "A"), ("The answer is B. BECAUSE: it is", "B"), ("The answer is C!", "C"), ("  The answer is B.", "B"),
        ("So. The answer is B.\n", "B"), ("The answer is B", None), ("The answer is B ", None), ("The answer is BC", "B"), ("The answer is D.", None),
        ("The answer is E.", None), ("The answer is Z.", None), ("The answer is b.", None), ("the answer is B.", None), ("The answer is (B).", None),
        ("The answer is: B.", None), ("The answer is  B.", None), ("The answer is A. The answer is A.", None), ("The answer is A. No: The answer is B.", None),
        ("The answer is A. The answer is D.", None), ("The answer is A. The answer is", "A"), ("A", None), ("B.", None), ("Answer: B.", None),
        ("", None), ("   ", None), ("The answer is Berlin.", "B"), ("The answer is Dog.", None), ("The answers are A and B.", None),
        ("I think The answer is C because", "C"), ("The answer is\nB.", None), ("The answer is B\n.", None), ("The answer is A)", "A"),
        ("The answer is A, of course", "A"), ("THE ANSWER IS A.", None), ("The answer is ABC.", "A"), (r"\boxed{A}", None), ("**The answer is A.**", "A"),
        ("The answer is not A.", None), ("My final: The answer is B. FACT", "B"), ("The answer is C.The answer", "C"), ("The answer is a.", None),
    ],
)  # fmt: skip
def test_letters(text: str, letter: str | None) -> None:
    found = ScienceQAVerifier().parse(text, THREE)
    assert found.value == letter
    assert (found.scores == {GUESSED: 1.0, GUESS_SHARE: pytest.approx(1 / 3)}) == (letter is None)
    if letter is not None:
        assert found.span is not None
        assert text[slice(*found.span)] == letter


def test_verdicts() -> None:
    verifier = ScienceQAVerifier()
    assert verify(verifier, Response("ok", "The answer is C."), "C", THREE).correct is True
    assert verify(verifier, Response("ok", "The answer is C."), "A", THREE).correct is False
    drawn = verify(verifier, Response("ok", "perhaps"), "A", THREE)
    assert (drawn.outcome, drawn.scores[GUESSED]) == ("no_answer", 1.0)


@pytest.mark.parametrize("choices", [(), ("x",) * 6])
def test_rows_without_their_choices(choices: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="one to five"):
        ScienceQAVerifier().parse("The answer is A.", AnswerContext(choices=choices))


@pytest.mark.parametrize("target", ["D", "", "AB", 0])
def test_golds_that_are_no_option(target: Any) -> None:
    with pytest.raises(DataError, match="3 options"):
        ScienceQAVerifier().match("A", target, THREE)


@given(
    st.lists(st.sampled_from(["The answer is ", "A", "B.", "F.", " ", "\n"]) | st.text(max_size=4), max_size=8).map(
        "".join
    )
)
def test_any_text_is_read_and_a_letter_reads_as_itself(text: str) -> None:
    found = ScienceQAVerifier().parse(text, THREE)
    assert (GUESSED in found.scores) == (found.value is None)
    if found.found:
        assert ScienceQAVerifier().parse(f"The answer is {found.value}.", THREE).value == found.value
