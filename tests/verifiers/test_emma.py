"""EMMA's official rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.emma import EMMAVerifier, fast_answer

CHOICES = AnswerContext(choices=("red", "12", "C", "x^2"))


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("B", "B"),
        ("b", "B"),
        (" B\n", "B"),
        ("B: 12", "B"),
        ("B. 12", "B"),
        ("B) 12", ""),
        ("A.I. says C", "A"),
        ("12", "12"),
        ("-1.5e3", "-1.5e3"),
        ("So \\boxed{C}.", "C"),
        ("\\boxed{A} or \\boxed{B}", "B"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\text{D}}", "D"),
        ("\\boxed{D. \\text{red} and \\text{ blue }}", "blue"),
        ("\\boxed{A} then \\boxed{B", "A"),
        ("The final answer is C. Done.", "c"),
        ("The answer is 1.5", "1"),
        ("answer: red\nas seen", "red"),
        ("The answer is B. The answer is C", "c"),
        ("the correct answer is\n D.", "d"),
        ("**D**", ""),
        ("I cannot say", ""),
        ("", ""),
    ],
)
def test_what_the_answer_is(response: str, answer: str) -> None:
    assert fast_answer(response) == answer


@pytest.mark.parametrize(
    ("response", "gold", "right"),
    [
        ("\\boxed{C}", "C", True),
        ("\\boxed{c}", "C", True),
        ("\\boxed{12}", "B", True),  # the option's text
        ("\\boxed{RED}", "A", True),
        ("\\boxed{12.0}", "B", True),
        ("\\boxed{X^2}", "D", True),
        ("\\boxed{x*x}", "D", False),  # symbols are equal only as they are written
        ("\\boxed{D}", "A", False),
    ],
)
def test_choices(response: str, gold: str, right: bool) -> None:
    verdict = verify(EMMAVerifier(), Response("ok", text=response), gold, CHOICES)
    assert (verdict.outcome, verdict.correct) == ("scored", right)


@pytest.mark.parametrize(
    ("response", "gold", "right"),
    [
        ("\\boxed{8}", "8", True),
        ("\\boxed{8.004}", "8", True),
        ("\\boxed{8.006}", "8", False),
        ("\\boxed{\\frac{16}{2}}", "8", True),
        ("\\boxed{Ten}", "10", True),
        ("\\boxed{ten newtons}", "10", True),
        ("\\boxed{Ten or five}", "10", False),
        ("\\boxed{Increase}", "increase", True),
    ],
)
def test_open_answers(response: str, gold: str, right: bool) -> None:
    verdict = verify(EMMAVerifier(), Response("ok", text=response), gold, AnswerContext())
    assert (verdict.outcome, verdict.correct) == ("scored", right)


def test_the_published_results_knew_no_number_words() -> None:
    old = EMMAVerifier({"number_words": False})
    assert verify(old, Response("ok", text="\\boxed{Ten}"), "10", AnswerContext()).correct is False


@pytest.mark.parametrize("gold", ["E", "AB", 3])
def test_golds_at_fault_leave_the_row_unscored(gold: object) -> None:
    assert verify(EMMAVerifier(), Response("ok", text="\\boxed{A}"), gold, CHOICES).outcome == "unscored"


def test_nothing_found_is_no_answer() -> None:
    verdict = verify(EMMAVerifier(), Response("ok", text="I cannot tell"), "A", CHOICES)
    assert (verdict.outcome, verdict.score) == ("no_answer", 0.0)


@given(st.text(alphabet="ABab12.:{}\\boxedtanswer is\n ", max_size=80))
def test_it_never_raises(text: str) -> None:
    verify(EMMAVerifier(), Response("ok", text=text), "A", CHOICES)
    verify(EMMAVerifier(), Response("ok", text=text), "12", AnswerContext())
