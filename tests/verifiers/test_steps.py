"""Verdicts on steps as critics write them, what they count for, and the F1 that is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.metrics import estimate, step_scores
from mmeval.verifiers import steps
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier

VERIFIER = get_verifier("step-verdicts")


def read(text: str, count: int = 3) -> Any:
    found = VERIFIER.parse(text, AnswerContext(options={"steps": count})).value
    return None if found is None else "".join(verdict or "?" for verdict in found)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["+", "-", "+"]', "+-+"),
        ("```json\n[1, -1, 1]\n```", "+-+"),
        ("[1, 0, 1]", "+-+"),
        ("[1, 0, -1]", "+?-"),
        ("[true, false, true]", "+-+"),
        ('["correct", "Incorrect", "right"]', "+-+"),
        ('{"steps": ["+", "+", "-"]}', "++-"),
        ('{"1": "+", "2": "-", "3": "+"}', "+-+"),
        ('{"Step 1": "correct", "Step 2": "wrong", "Step 3": "correct"}', "+-+"),
        ('[{"step": 1, "correct": true}, {"step": 2, "correct": false}, {"step": 3, "correct": true}]', "+-+"),
        ('{"step": 1, "label": "+"}\n{"step": 2, "label": "-"}\n{"step": 3, "label": "+"}', "+-+"),
        (
            '[{"step": 1, "intent": "read", "visual_ok": true, "logic_ok": true}, {"step": 2, "visual_ok": false, "logic_ok": true},'
            ' {"step": 3, "visual_ok": true, "logic_ok": false}]',
            "+--",
        ),
        ("Step 1: correct\nStep 2: incorrect\nStep 3: correct", "+-+"),
        ("Step 1: +\nStep 2: -\nStep 3: +", "+-+"),
        ("**Step 1**: Correct.\n**Step 2**: Incorrect – the angle is 30.\n**Step 3:** Correct", "+-+"),
        ("1. +\n2. -\n3. +", "+-+"),
        ("1) correct\n2) wrong\n3) correct", "+-+"),
        ("1: ✓\n2: ✗\n3: ✓", "+-+"),
        ("Step 1 is correct.\nStep 2 is not correct.\nStep 3 is correct.", "+-+"),
        ("Step 1 - correct\nStep 2 - incorrect\nStep 3 - correct", "+-+"),
        (
            "### Step 1\nThe graph is read well.\nVerdict: +\n### Step 2\nWrong sum.\nVerdict: -\n### Step 3\nJudgment: correct",
            "+-+",
        ),
        ("Step 1: It reads the axis. (+)\nStep 2: It adds 2 and 3. (-)\nStep 3: It concludes. (+)", "+-+"),
        ("<think>Step 1: wrong</think>Step 1: correct\nStep 2: correct\nStep 3: correct", "+++"),
        ("Step 1 looks odd at first.\nStep 1: correct\nStep 2: correct\nStep 3: -", "++-"),
        ("+ + -", "++-"),
        ("+, -, +", "+-+"),
        ("[+, -, +]", "+-+"),
        ("Step 1: +\nStep 2: -", "+-?"),
        ("Step 1: +\nStep 1: -\nStep 2: +\nStep 3: +", "?++"),
        ("Step 1: +\nStep 2: +\nStep 3: +\nStep 4: -", "+++"),
        ("Following [1, 2]:\nStep 1: +\nStep 2: -\nStep 3: +", "+-+"),
        ("Step 1 -> +\nStep 2 -> -\nStep 3 -> +", "+-+"),
        ("Step 1 - The figure shows 5.\nStep 2 - It adds.\nStep 3 - Done.", None),
        ("Step 1 – Reading the graph: correct\nStep 2 – The sum: incorrect", None),
        ("Step 1: Right triangle is seen. -\nStep 2: No change follows.\nStep 3: +", "??+"),
        ("Step 1: No errors found.\nStep 2: Error: 2 + 2 = 5\nStep 3: error-free", "+-+"),
        ("Step 1: The result is 1, as shown.\nStep 2: No, this is wrong.\nStep 3: +", "?-+"),
        (
            "Step 1: Correct identification of the triangle.\nStep 2: This is wrong because 3 + 4 = 7.\nStep 3: Correct",
            "+-+",
        ),
        ("Step 1: +, Step 2: -, Step 3: +", "+-+"),
        ("Step 1: + Step 2: - Step 3: +", "+-+"),
        ("1: +, 2: -, 3: +", "+-+"),
        ("Step 1 is correct. Step 2 is incorrect. Step 3 is correct.", "+-+"),
        ("Step 1: +\nStep 2: - (contradicts Step 1: correct reading)\nStep 3: +", "+-+"),
        ("Step 1: +1\nStep 2: -1\nStep 3: 0", "+-?"),
        ("| Step | Verdict |\n|---|---|\n| 1 | + |\n| 2 | - |\n| 3 | + |", "+-+"),
        ("| Step 1 | reads 2 | + |\n| Step 2 | sum 6 | - |\n| Step 3 | so 6 | - |", "+--"),
        ('["Step 1: +", "Step 2: -", "Step 3: +"]', "+-+"),
        ('{"Step 1": "+", "Step 2": "-", "Step 3"', "+-?"),
        (r"\boxed{+,-,+}", "+-+"),
        ("Step 1: \\boxed{+}\nStep 2: \\boxed{-}\nStep 3: \\boxed{+}", "+-+"),
        ("<answer>+ - +</answer>", "+-+"),
        ("<answer>Step 1: +\nStep 2: -\nStep 3: +</answer>", "+-+"),
        ("步骤1：+\n步骤2：错误\n第3步：正确", "+-+"),
        ("Step 0: +\nStep 1: +\nStep 2: -", None),
        ("+ +", None),
        ('["+", "-"]', None),
        ("The solution is correct.", None),
        ("<think>Step 1: correct", None),
        ("", None),
    ],
)
def test_what_critics_write(text: str, value: str | None) -> None:
    assert read(text) == value


@given(
    labels=st.lists(st.booleans(), min_size=1, max_size=8), form=st.sampled_from(["json", "lines", "signs", "objects"])
)
@settings(max_examples=60, deadline=None)
def test_every_form_says_the_same(labels: list[bool], form: str) -> None:
    signs = ["+" if label else "-" for label in labels]
    said = {
        "json": json.dumps(signs),
        "lines": "\n".join(f"Step {i}: {'correct' if s == '+' else 'incorrect'}" for i, s in enumerate(signs, 1)),
        "signs": " ".join(signs),
        "objects": json.dumps([{"step": i, "is_correct": label} for i, label in enumerate(labels, 1)]),
    }[form]
    assert read(said, len(labels)) == "".join(signs)


@given(
    text=st.text(max_size=120) | st.from_regex(r"(Step [0-9]|[0-9]\.|[\[{\"]){1,3}[: ]{0,2}(\+|-|correct|[0-9]).{0,20}")
)
@settings(max_examples=200, deadline=None)
def test_nothing_that_a_model_writes_raises(text: str) -> None:
    found = VERIFIER.parse(text, AnswerContext(options={"steps": 2})).value
    assert found is None or (len(found) == 2 and set(found) <= {"+", "-", None})


def rows(cases: list[tuple[str, list[int], str]]) -> list[dict[str, Any]]:
    table = []
    for number, (said, labels, source) in enumerate(cases):
        found = verify(VERIFIER, Response("ok", said), labels, AnswerContext(options={"steps": len(labels)}))
        table.append(
            {"sample_id": str(number), "repeat": 0, "cluster": str(number), "outcome": found.outcome, "score": found.score,
             "correct": found.correct, "scores": dict(found.scores), "subsets": {"source": source}}
        )  # fmt: skip
    return table


def test_f1_against_scikit_style_counts() -> None:
    """Pooled labels + + - + - (one neutral left out) against + - - + +: F1 2/3 of right steps, 1/2 of wrong ones."""
    found = rows([("+ - -", [1, 1, -1], "a"), ("+ + +", [1, -1, 0], "b")])
    right, wrong = 2 * 2 / (3 + 3), 2 * 1 / (2 + 2)
    assert estimate("step-f1-correct", found).value == pytest.approx(right)
    assert estimate("step-f1-incorrect", found).value == pytest.approx(wrong)
    assert estimate("step-f1", found).value == pytest.approx((right + wrong) / 2)
    by_source = [(2 * 1 / 3 + 2 / 3) / 2, (2 * 1 / 3 + 0) / 2]
    assert estimate("macro:source:step-f1", found).value == pytest.approx(sum(by_source) / 2)


def test_steps_without_a_verdict_are_missed() -> None:
    found = rows([("I cannot say.", [1, -1], "a"), ("+ -", [1, -1], "a")])
    assert [row["outcome"] for row in found] == ["no_answer", "scored"]
    assert estimate("step-f1", found).value == pytest.approx(2 * 1 / (1 + 2))


@pytest.mark.parametrize(
    ("said", "labels", "right"),
    [
        ("+ - +", [1, -1, -1], True),
        ("+ + -", [1, -1, -1], False),
        ("- - -", [1, -1, -1], False),
        ("+ + +", [1, 1, 1], True),
        ("+ - +", [1, 0, 1], True),
        ("Step 2: -", [1, -1, 1], False),
        ("Step 1: +\nStep 2: -", [1, -1, 1], True),
    ],
)
def test_the_first_error(said: str, labels: list[int], right: bool) -> None:
    assert rows([(said, labels, "")])[0]["correct"] is right


@pytest.mark.parametrize("target", ["+-", [], [1, 2], None])
def test_labels_that_are_none(target: Any) -> None:
    with pytest.raises(DataError):
        VERIFIER.match(["+", "-"], target, AnswerContext(options={"steps": 2}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[0.5, 0.4, 1]", "+-+"),
        ("[0.5, 0.4]", None),
        ("[0.5, null, 1]", None),
        ("[NaN, 1, 1]", None),
        ("+ + +", None),
        ("", None),
    ],
)
def test_scores_from_a_threshold_on(text: str, value: str | None) -> None:
    found = VERIFIER.parse(text, AnswerContext(options={"steps": 3, "threshold": 0.5})).value
    assert (None if found is None else "".join(found)) == value


def test_a_row_must_say_how_many_steps_there_are() -> None:
    with pytest.raises(DataError, match="steps"):
        VERIFIER.parse("+", AnswerContext())


def test_metric_and_verifier_speak_of_the_same_counts() -> None:
    assert (step_scores.CLASSES, step_scores.COUNTS) == (steps.CLASSES, steps.COUNTS)


@pytest.mark.parametrize(
    "text", [" " * 50_000, "Step 1: " + '"' * 50_000, "\n" * 50_000 + "x", "verdict " + "*" * 50_000, "(" * 50_000]
)
def test_work_is_bounded(text: str) -> None:
    assert read(text) is None
