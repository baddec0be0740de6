"""Open answers are read in every form, and compared in the gold's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.open import OpenVerifier

PLAIN = AnswerContext()
LETTERED = AnswerContext(choices=("red", "blue"))


@pytest.mark.parametrize(
    ("text", "target", "context", "right"),
    [
        ("There are 3 of them.", "3", PLAIN, True), ("There are 3 of them.", 3, PLAIN, True), ("There are 4.", "3", PLAIN, False),
        ("-0.5", "-.5", PLAIN, True), ("<think>4?</think><answer>3.0</answer>", "3", PLAIN, True), ("Yes, it is.", "yes", PLAIN, True),
        ("No.", True, PLAIN, False), ("The answer is Red.", "red", PLAIN, True), ("The answer is (B).", "B", LETTERED, True),
        ("The answer is (B).", "(A)", LETTERED, False), ("B", "B", PLAIN, True), ("red", "3", PLAIN, False), (r"\boxed{4}", "4", PLAIN, True),
    ],
)  # fmt: skip
def test_the_form_of_the_gold_decides_what_is_compared(
    text: str, target: Any, context: AnswerContext, right: bool
) -> None:
    found = verify(OpenVerifier(), Response("ok", text), target, context)
    assert (found.outcome, found.correct, found.score) == ("scored", right, float(right))


def test_all_readings_are_kept() -> None:
    found = OpenVerifier().parse("The answer is 3.", PLAIN)
    assert found.value == {"number": 3.0, "text": "3"}
    assert OpenVerifier().parse("", PLAIN).reason == "empty"
    assert OpenVerifier({"readers": ["choice", "expression"]}).parse(r"\boxed{B}", LETTERED).value["choice"] == "B"


def test_readers_of_the_option() -> None:
    free = verify(
        OpenVerifier({"readers": ["choice", "expression"]}), Response("ok", r"$\frac{2}{4}$"), "0.5", LETTERED
    )
    assert free.correct is True
    with pytest.raises(DataError, match="song"):
        OpenVerifier({"readers": ["song"]}).parse("x", PLAIN)


@given(st.text(max_size=60), st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("A")))
def test_nothing_raises_and_the_target_changes_no_reading(text: str, target: Any) -> None:
    verifier = OpenVerifier()
    found = verify(verifier, Response("ok", text), target, LETTERED)
    if found.outcome != "no_answer":
        assert found.extracted == verifier.parse(text, LETTERED).value
