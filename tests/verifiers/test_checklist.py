"""Checklists: every fact counts, and no fact is guessed."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.checklist import ChecklistVerifier

CHECK = ChecklistVerifier()
CONTEXT = AnswerContext()


@pytest.mark.parametrize(
    ("answers", "target", "score", "correct"),
    [
        (["Yes.", "no"], [True, False], 1.0, True),
        (["yes", "yes"], [True, False], 0.5, False),
        (["It is hard to say", "No, there is not."], [True, False], 0.5, False),
        ([None, "no"], [True, False], 0.5, False),
        (["no", "yes"], [True, False], 0.0, False),
    ],
)
def test_shares_and_gate(answers: list[str | None], target: list[bool], score: float, correct: bool) -> None:
    found = CHECK.parse(orjson.dumps(answers).decode(), CONTEXT)
    match = CHECK.match(found.value, target, CONTEXT)
    assert (match.score, match.correct) == (score, correct)
    assert match.scores["facts"] == len(target)


def test_a_model_that_always_says_yes_is_seen() -> None:
    found = CHECK.parse('["yes", "yes", "yes"]', CONTEXT)
    assert CHECK.match(found.value, [True, False, False], CONTEXT).scores == {"facts": 3.0, "yes": 1.0, "no": 0.0}


@pytest.mark.parametrize("text", ["", "yes", "{}", "[]", "[1, 2]", '["perhaps"]'])
def test_what_answers_nothing_is_no_answer(text: str) -> None:
    assert not CHECK.parse(text, CONTEXT).found


@pytest.mark.parametrize("target", [None, "yes", [True], ["yes", "no"], [1, 0]])
def test_a_target_of_another_form_is_the_data_s_fault(target: object) -> None:
    with pytest.raises(DataError, match="list of right answers"):
        CHECK.match(["yes", "no"], target, CONTEXT)


@given(st.text())
def test_never_raises(text: str) -> None:
    CHECK.parse(text, CONTEXT)
