"""Short answers of document benchmarks: SQuAD's EM and F1, and MMLongBench-Doc's rules by form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response, Verdict
from mmeval.metrics import estimate
from mmeval.verifiers.base import verify
from mmeval.verifiers.mmlongbench import FORMS, MMLongBenchVerifier
from mmeval.verifiers.squad import SquadVerifier, token_f1


def read(answer: str, target: Any, form: str) -> Verdict:
    context = AnswerContext(options={"answer_format": form})
    return verify(MMLongBenchVerifier(), Response("ok", text=answer, finish_reason="stop"), target, context)


@pytest.mark.parametrize(
    ("answer", "gold", "em", "f1"),
    [
        ("The Cat.", "cat", True, 1),
        ("<answer>a black cat</answer>", "black cat", True, 1),
        ("black cat", "cat", False, 2 / 3),
        ("dog", "cat", False, 0),
        ("dog", ["cat", "dog"], True, 1),
        ("12", 12, True, 1),
    ],
)
def test_squad(answer: str, gold: Any, em: bool, f1: float) -> None:
    verdict = verify(SquadVerifier(), Response("ok", text=answer, finish_reason="stop"), gold, AnswerContext())
    assert (verdict.correct, verdict.scores["f1"]) == (em, pytest.approx(f1))


@given(st.text(), st.text())
def test_token_f1_is_symmetric_and_a_share(first: str, second: str) -> None:
    assert 0 <= token_f1(first, second) <= 1
    assert token_f1(first, second) == token_f1(second, first)
    assert token_f1(first, first) == 1


@pytest.mark.parametrize(
    ("answer", "gold", "form", "score"),
    [
        ("12", "12", "Int", 1),
        ("12.7", "12", "Int", 1),
        ("There are 12 squares", "12", "Int", 1),
        ("13", "12", "Int", 0),
        ("twelve or thirteen", "12", "Int", 0),
        ("25.5%", "25.5%", "Float", 1),
        ("0.255", "25.5", "Float", 1),
        ("2550", "25.5", "Float", 1),
        ("25.7", "25.5", "Float", 1),
        ("26", "25.5", "Float", 0),
        ("$1,200.00", "1200", "Float", 1),
        ("no idea", "25.5", "Float", 0),
        ("Dark Red", "dark red", "Str", 1),
        ("dark rod", "dark red", "Str", 0.875),
        ("blue", "dark red", "Str", 0),
        ("555-0199", "555-0198", "Str", 0),
        ("https://example.org/b", "https://example.org/a", "Str", 0),
        ("['blue', 'red']", "['red', 'blue']", "List", 1),
        ("[red, blue]", ["red", "blue"], "List", 1),
        ("['red']", "['red', 'blue']", "List", 0),
        ("['red', 'bluu']", "['red', 'blue']", "List", 0.75),
        ("[1, 2]", "[1, 3]", "List", 0),
        ("Not answerable.", "Not answerable", "None", 1),
        ("red", "Not answerable", "None", 0),
    ],
)
def test_mmlongbench(answer: str, gold: Any, form: str, score: float) -> None:
    verdict = read(answer, gold, form)
    assert (verdict.outcome, verdict.score) == ("scored", pytest.approx(score))


def test_f1_over_answered_questions() -> None:
    given_ = [("12", "12", "Int"), ("Not answerable", "7", "Int"), ("red", "Not answerable", "None"), ("", "4", "Int"),
              ("Not answerable", "Not answerable", "None")]  # fmt: skip
    verdicts = [read(*one) for one in given_]
    rows = [
        {
            "outcome": v.outcome,
            "sample_id": str(n),
            "repeat": 0,
            "score": v.score,
            "correct": v.correct,
            "scores": dict(v.scores),
        }
        for n, v in enumerate(verdicts)
    ]
    # Right among the answerable: 1 of 3. Right among the answers given ("12", "red"): 1 of 2.
    assert estimate("answered-f1", rows).value == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert estimate("mean", rows).value == pytest.approx(2 / 5)


def test_a_gold_that_is_not_of_its_form_is_a_fault_of_the_data() -> None:
    with pytest.raises(DataError, match="no integer"):
        MMLongBenchVerifier().match("12", "many", AnswerContext(options={"answer_format": "Int"}))
    with pytest.raises(DataError, match="unknown"):
        MMLongBenchVerifier().match("12", "12", AnswerContext(options={"answer_format": "Text"}))


@given(st.text(), st.sampled_from(FORMS))
def test_nothing_raises(answer: str, form: str) -> None:
    assert read(answer, "12", form).outcome in ("scored", "no_answer")
