"""OCRBench v2's official rules of the simple types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Response, Verdict
from mmeval.verifiers.base import verify
from mmeval.verifiers.ocrbench import TYPES, OCRBenchV2Verifier


def score(kind: str, text: str, golds: Any, **options: Any) -> Verdict:
    context = AnswerContext(options={"type": kind, **options})
    return verify(OCRBenchV2Verifier(), Response("ok", text=text), golds, context)


@pytest.mark.parametrize(
    ("kind", "how", "text", "golds", "expected"),
    [
        ("text recognition en", None, "It says Hello World.", ["hello world"], 1.0),
        ("text recognition en", None, "It says\nHello\nWorld.", ["hello world"], 1.0),
        ("text recognition en", None, "Hello", ["goodbye", "hello"], 1.0),
        ("text recognition en", None, "Hallo", ["hello"], 0.0),
        ("cognition VQA en", None, "one two three four five", ["one two three four five"], 1.0),
        ("cognition VQA en", None, "one two three four fife", ["one two three four five"], 1 - 1 / 23),
        ("cognition VQA en", None, "quite another sentence, and longer", ["one two three four five"], 0.0),
        ("text recognition en", "case sensitive", "hello", ["Hello"], 0.0),
        ("text recognition en", "case sensitive", "Hello!", ["Hello"], 1.0),
        ("math QA en", "multiple choice", "(B)", ["B"], 1.0),
        ("math QA en", "multiple choice", "B. 12", ["B"], 1.0),
        ("math QA en", "multiple choice", "The answer is B", ["B"], 0.0),
        ("math QA en", "multiple choice", "b", ["B"], 0.0),
        ("cognition VQA cn", None, "答案 是 红色", ["红色"], 1.0),
        ("cognition VQA cn", None, "甲,乙,丙,丁", ["甲,乙,丙,戊"], 1 - 1 / 7),
        ("reasoning VQA cn", "multiple choice", "A", ["A"], 1.0),
        ("handwritten answer extraction cn", None, "选 A、C", ["AC"], 1.0),
        ("handwritten answer extraction cn", None, "A和C", ["AC"], 1.0),
        ("handwritten answer extraction cn", None, "A-C", ["AC"], 0.0),
        ("formula recognition en", None, "x ^ 2 + 1", ["x^2+1"], 1.0),
        ("formula recognition en", None, "x^2", ["x^2+1"], 0.0),
        ("formula recognition cn", None, "y=\\text{a}", ["y=a"], 1.0),
        ("text counting en", "exact match", "There are 12 words", ["12"], 1.0),
        ("text counting en", "regression", "about 9 words", ["12"], 0.75),
        ("text counting en", "regression", "6", ["12"], 0.0),
        ("text counting en", "regression", "24", ["12"], 0.0),
        ("text counting en", "regression", "none", ["12"], 0.0),
        ("text grounding en", None, "(0, 0, 100, 100)", ["0", "0", "100", "50"], 0.5),
        ("text grounding en", None, "[9,9,9,9] then [0, 0, 100, 50]", ["0", "0", "100", "50"], 1.0),
        ("text grounding en", None, "[0, 0, 100, 50], not [0, 0, 1001, 50]", ["0", "0", "100", "50"], 1.0),
        ("text grounding en", None, "top left", ["0", "0", "100", "50"], 0.0),
    ],
)
def test_scores(kind: str, how: str | None, text: str, golds: list[str], expected: float) -> None:
    found = score(kind, text, golds, eval=how)
    assert (found.outcome, found.correct) == ("scored", None)
    assert found.score == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["table parsing en", "text spotting en", "document parsing cn", "?"])
def test_other_types_are_left_to_the_official_results(kind: str) -> None:
    found = score(kind, "x", ["x"])
    assert (found.outcome, found.extracted) == ("unscored", "x")
    assert "import the official results" in found.reason


def test_a_short_answer_in_handwriting_is_one_of_them() -> None:
    found = score("handwritten answer extraction cn", "x", ["x"], question="简答题：为什么？")
    assert found.outcome == "unscored"


@pytest.mark.parametrize(
    ("kind", "golds"),
    [("text counting en", ["many"]), ("text grounding en", ["1"]), ("math QA en", "B"), ("math QA en", [])],
)
def test_golds_at_fault_leave_the_row_unscored(kind: str, golds: Any) -> None:
    assert score(kind, "12", golds, eval="regression" if "counting" in kind else None).outcome == "unscored"


def test_reasoning_is_no_answer() -> None:
    assert score("text recognition en", "<think>hello</think>bye", ["hello"]).score == 0.0
    assert score("text recognition en", "<think>hello", ["hello"]).outcome == "no_answer"
    assert score("text recognition en", "  ", ["hello"]).reason == "empty"


@given(st.sampled_from(TYPES), st.text(alphabet="AB12 ,.[]()\n和a", min_size=1, max_size=60))
def test_the_gold_itself_scores_best(kind: str, text: str) -> None:
    golds = ["1", "2", "30", "40"] if kind == "text grounding en" else ["12"]
    best = score(kind, "[1,2,30,40]" if kind == "text grounding en" else "12", golds)
    found = score(kind, text, golds)
    assert best.score == 1.0
    assert found.outcome == "no_answer" or 0.0 <= (found.score or 0.0) <= 1.0
