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
from mmeval.verifiers.mmlongbench import FORMS, RULES, MMLongBenchVerifier
from mmeval.verifiers.squad import SquadVerifier, token_f1


def read(answer: str, target: Any, form: str, rule: str = "mmeval") -> Verdict:
    context = AnswerContext(options={"answer_format": form})
    return verify(
        MMLongBenchVerifier({"rule": rule}), Response("ok", text=answer, finish_reason="stop"), target, context
    )


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


@pytest.mark.parametrize(
    ("question", "answer", "gold", "em", "f1"),
    [
        ("In the chart, how many employees are there?", "twelve employees", "12", True, 1),
        ("How many employees are there?", "12 employees", "12", False, 2 / 3),  # a capital letter is another word there
        ("And which country is it?", "country England", "england", True, 1),
        ("What is it?", "Yes, it grew.", "yes", True, 1),
        ("What is it?", "northern Europe", "northern Asia", True, 1),
        ("What is it?", "red & blue", "red and blue", True, 1),
        ("What is it?", "45 percent", "45", True, 1),
        ("What is it?", "the", "a", False, 0),
        ("What is it?", "red green", "red blue", False, 0.5),
    ],
)
def test_slidevqa_as_published(question: str, answer: str, gold: str, em: bool, f1: float) -> None:
    verifier = SquadVerifier({"rule": "slidevqa", "whole": True})
    verdict = verify(verifier, Response("ok", text=answer), gold, AnswerContext(options={"question": question}))
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


@pytest.mark.parametrize(
    ("answer", "gold", "form", "official", "default"),
    [
        ("Blue abc", "Blue bcd efgh ", "Str", 0, 0),
        ("abcd", "abcdefgh", "Str", 0, 0),  # a half
        ("abcde", "abcdefgh", "Str", 5 / 8, 5 / 8),
        ("15", "5", "Str", 0, 0),  # whole numbers are equal or not
        ("pages 3 and 5", "pages 3 and 4", "Str", 0, 0),
        ("see https://a.org/x", "see https://a.org/y", "Str", 0, 0),
        ("from 9 a.m. on", "from 8 a.m. on", "Str", 0, 0),
        ("data2.csv", "data1.csv", "Str", 8 / 9, 8 / 9),
        ("Scott Bradley", "Scott Bradley.", "Str", 13 / 14, 1),
        ("black  cat", "black cat", "Str", 9 / 10, 9 / 10),
        ("12 squares", "12", "Int", 0, 1),
        ("1,200", "1200", "Int", 0, 1),
        ("21%", "21%", "Int", 0, 1),
        ("yes", "yes", "Int", 0, 1),
        ("GPT-4", "GPT-4", "Int", 0, 1),
        ("$$25.5%%", "25.5%", "Float", 1, 1),
        ("1,200.5", "1200.5", "Float", 0, 1),
        ("['a', 'b'] ", "['a', 'b']", "List", 1, 1),
        ("['abc', 'abcd']", "['abc', 'abcdefgh']", "List", 0, 0),
    ],
)
def test_mmlongbench_as_published(answer: str, gold: str, form: str, official: float, default: float) -> None:
    assert read(answer, gold, form, "official").score == pytest.approx(official)
    assert read(answer, gold, form).score == pytest.approx(default)


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
    # Right among the answerable: 1 of 3. Right among the answers given ("12", "red", and that which failed): 1 of 3.
    assert estimate("answered-f1", rows).value == pytest.approx(1 / 3)
    assert estimate("mean", rows).value == pytest.approx(2 / 5)


def test_a_gold_that_is_not_of_its_form_is_a_fault_of_the_data() -> None:
    with pytest.raises(DataError, match="no number"):
        MMLongBenchVerifier().match("12", "many", AnswerContext(options={"answer_format": "Float"}))
    with pytest.raises(DataError, match="unknown"):
        MMLongBenchVerifier().match("12", "12", AnswerContext(options={"answer_format": "Text"}))


@given(st.text(), st.sampled_from(FORMS), st.sampled_from(RULES))
def test_nothing_raises(answer: str, form: str, rule: str) -> None:
    assert read(answer, "12", form, rule).outcome in ("scored", "no_answer")
