"""Answers that are taken back, denied, or contradict themselves."""

from __future__ import annotations

import pytest

from mmeval.core.types import AnswerContext
from mmeval.verifiers.registry import get_verifier

FOUR = AnswerContext(choices=("red", "blue", "green", "grey"))
NONE = AnswerContext()


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Answer: B\nWait, actually C", "C"),
        ("Answer: B ... Wait, actually it's C.", "C"),
        ("Answer: B. Hmm, actually, the answer is C.", "C"),
        ("Answer: B\nActually, C is correct.", "C"),
        ("Answer: B. Correction: C", "C"),
        ("Answer: B — on second thought, the answer is D.", "D"),
        ("\\boxed{B} Wait, actually \\boxed{C}", "C"),
        ("Answer: B\n\nWait, let me check again. The colour is green, so C.", "C"),
        # Nothing is stated behind "wait", but another option is spoken of: it is no longer clear which one is meant.
        ("Answer: B\n\nWait, let me check again. The colour is green, so C?", None),
        ("The answer is B.\nWait, actually C or D.", None),
        # What was said stands where nothing else is put forward.
        ("Answer: B. Wait, actually", "B"),
        ("Answer: B\nWait, is it C? No, B.", "B"),
        ("Answer: B. Actually, looking closer, C is wrong too.", "B"),
        ("Answer: B. Actually, the sky is blue as well.", "B"),
        ("First I thought C. Wait, no. The answer is B.", "B"),
    ],
)
def test_choices(text: str, letter: str | None) -> None:
    assert get_verifier("choice").parse(text, FOUR).value == letter


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no yes", None), ("yes no", None), ("Yes no maybe", None), ("Answer: no yes", None), ("The answer is yes no", None), ("true false", None),
        ("Answer: yes. Wait, actually no.", None), ("Answer: no. Hmm, wait, yes.", None), ("Answer: yes. Wait, the answer is no.", "no"),
        ("Answer: yes. Actually, I am sure: yes.", "yes"), ("yes yes", "yes"), ("No. There is no dog.", "no"), ("This is a yes no question. Yes.", "yes"),
    ],
)  # fmt: skip
def test_yes_and_no(text: str, value: str | None) -> None:
    assert get_verifier("yes-no").parse(text, NONE).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The answer is not 5", None), ("not 5", None), ("It isn't 5", None), ("The answer cannot be 5.", None), ("Answer: not 5", None),
        ("The result is not \\frac{1}{2}", None), ("The answer is not \\boxed{5}", None), ("5 is not the answer", None), ("$5$ isn't correct", None),
        ("The answer is not 5 but 6", "6"), ("The answer is 5, not 6", "5"), ("It is not 5; it is 7", "7"), ("x \\ne 5", "x \\ne 5"),
        ("5", "5"), ("\\boxed{5} is the answer", "5"), ("The answer is \\sqrt{2}", "\\sqrt{2}"),
    ],
)  # fmt: skip
def test_expressions(text: str, value: str | None) -> None:
    assert get_verifier("expression").parse(text, NONE).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The answer is 12. Wait, it is 13.", 13),
        ("It is 12. Wait, let me recount: 13.", 13),
        ("There are 12 dogs. Hmm, wait. There are 13 dogs.", 13),
        ("The answer is 12. Wait, let me check: 3 × 4 = 12.", 12),
        ("The answer is 12. Wait, is that right? Yes.", 12),
        ("There are 12 people. Actually, only 3 wear a hat.", None),
        ("There are 5 people. Wait for the bus takes 3 minutes.", 5),
    ],
)
def test_numbers_of_later_sentences(text: str, value: float | None) -> None:
    assert get_verifier("number").parse(text, AnswerContext()).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The side c is 5, because 3² + 4² = 5².", 5),
        ("There are 12, since 3 × 4 = 12.", 12),
        ("a = 3, b = 4, c = 5", None),
        ("x = 1; y = 2; z = 3; w = 4", None),
        ("a = 3, so a + 2 = 5", 5),
        ("The slope is -2⁄3.", -2 / 3),
        ("الجواب هو ١٢", 12),
        ("۱۲", 12),
        ("१२", 12),
    ],
)
def test_reasons_several_names_and_other_digits(text: str, value: float | None) -> None:
    assert get_verifier("number").parse(text, AnswerContext()).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("はい。", "yes"), ("いいえ", "no"), ("네", "yes"), ("아니요.", "no"), ("Oui.", "yes"), ("Non", "no"), ("Ja", "yes"), ("Nein!", "no"),
        ("Sí", "yes"), ("Não", "no"), ("Да", "yes"), ("Нет.", "no"), ("نعم", "yes"), ("لا", "no"),
        ("Ja und nein", None), ("Si la voiture est rouge", None), ("non-stop", None),
    ],
)  # fmt: skip
def test_one_word_in_other_languages(text: str, value: str | None) -> None:
    assert get_verifier("yes-no").parse(text, AnswerContext()).value == value
