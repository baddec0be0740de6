"""MMLU-Pro's official rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import GUESS_SHARE, GUESSED, verify
from mmeval.verifiers.mmlu_pro import MMLUProVerifier

CONTEXT = AnswerContext(choices=tuple(f"option {n}" for n in range(10)))


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("the answer is (B).", "B"),
        ("The answer is B", "B"),
        ("Thus the answer is (J).", "J"),
        ("the answer is A. No: the answer is B.", "A"),  # the first one counts
        ("the answer is Because", "B"),  # no end is asked for
        ("the answer is (b)", None),
        ("the answer is **C**", "C"),  # the last letter alone
        ("the answer is: (D)", "D"),
        ("Answer: E", "E"),
        ("answer: F", "F"),
        ("**Answer:** G", "G"),
        ("Answer:\n H", "H"),
        ("Answer: A, Answer: B", "B"),  # the last of the first line that has one
        ("Answer: A\nAnswer: B", "A"),
        ("Answer: Donkey", "D"),
        ("It must be C, as D fails", "D"),
        ("(A) is out, so (I)", "I"),
        ("I think so", "I"),  # the pronoun is a letter alone
        ("so I choose B", "B"),
        ("B", "B"),
        ("x_B", None),
        ("K", None),
        ("option 3", None),
        ("", None),
        ("$\\boxed{C}$", "C"),
        ("<think>the answer is A</think> the answer is B", "A"),
    ],
)
def test_letters(text: str, letter: str | None) -> None:
    verdict = verify(MMLUProVerifier(), Response("ok", text=text), "A" if letter is None else letter, CONTEXT)
    if letter is None:
        assert verdict.outcome == "no_answer"
        assert verdict.scores == {GUESSED: 1.0, GUESS_SHARE: 0.1}
    else:
        assert (verdict.outcome, verdict.score, verdict.extracted) == ("scored", 1.0, letter)
        assert verdict.span is not None
        assert text[slice(*verdict.span)] == letter


def test_another_letter_is_wrong_even_beyond_the_options() -> None:
    context = AnswerContext(choices=("x", "y"))
    assert verify(MMLUProVerifier(), Response("ok", text="the answer is J"), "A", context).score == 0.0


def test_rows_at_fault() -> None:
    with pytest.raises(DataError, match="without choices"):
        MMLUProVerifier().parse("B", AnswerContext())
    assert verify(MMLUProVerifier(), Response("ok", text="B"), "BC", CONTEXT).outcome == "unscored"


@given(st.text(alphabet="answer is:()ABCJK \n*", max_size=80))
def test_it_never_raises_and_reads_its_own_letter_again(text: str) -> None:
    found = MMLUProVerifier().parse(text, CONTEXT)
    if found.found:
        assert MMLUProVerifier().parse(found.value, CONTEXT).value == found.value
