"""What the default protocols of the spatial benchmarks read of responses as models write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext
from mmeval.verifiers.counting import ReasonMapPlusRulesVerifier
from mmeval.verifiers.mixed import MixedVerifier
from mmeval.verifiers.sparbench import SPARBenchVerifier


def plus(kind: str, text: str) -> Any:
    return ReasonMapPlusRulesVerifier().parse(text, AnswerContext(options={"question_type": kind})).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Yes and no: the answer may be a sentence; two answers are none, and so is one that does not commit itself.
        ("Yes", "yes"), ("no", "no"), ("NO.", "no"), ("**Yes**", "yes"), ("Yes, both stations are on Line 2.", "yes"), ("No, there isn't a direct line.", "no"),
        ("\\boxed{Yes}", "yes"), ("\\boxed{\\text{No}}", "no"), ("boxed{No}", "no"), ("<answer>yes</answer>", "yes"), ("<think>Maybe no.</think>Yes", "yes"),
        ("<think>Line 1 passes there.</think>\n<answer>No</answer>", "no"), ("The answer is no.", "no"), ("Answer: Yes", "yes"), ("Final answer: no", "no"),
        ("True", "yes"), ("The statement is false.", "no"), ("Looking at the map, the two lines do not meet. So the answer is no.", "no"),
        ('{"answer": "yes"}', "yes"), ("1", "yes"), ("0.", "no"), ("T", "yes"), ("yes\n", "yes"), ("Correct", "yes"),
        ("Yes and no.", None), ("Yes. Wait, no.", None), ("It could be either.", None), ("I cannot read the map.", None), ("", None), ("<think>yes", None),
        ("11", None), ("10 lines", None),
    ],
)  # fmt: skip
def test_reasonmap_plus_true_or_false(text: str, value: str | None) -> None:
    for kind in ("TorF1", "TorF2"):
        assert plus(kind, text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("B", "B"), ("b", "B"), ("(C)", "C"), ("D)", "D"), ("B) 4", "B"), ("A. 3\nB. 4\nThe answer is B.", "B"), ("Option C", "C"), ("The answer is c", "C"),
        ("\\boxed{\\text{D}}", "D"), ("\\boxed{A}", "A"), ("**Answer: C**", "C"), ("<answer>B</answer>", "B"), ("<think>A? No.</think>\nD", "D"),
        ("There are 4 lines, so B", "B"), ("The answer is B, not C", "B"), ('{"answer": "A"}', "A"), ("B\n\nExplanation: Line 4 and Line 5 meet there.", "B"),
        # The published rule takes the article for A, and the first of several letters.
        ("a line", None), ("I count a lot of lines.", None), ("A or B", None), ("E", None), ("14", None), ("", None), ("None of A and B", None), ("<think>B", None),
    ],
)  # fmt: skip
def test_reasonmap_plus_choices(text: str, value: str | None) -> None:
    assert plus("Counting1", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("14", 14), ("There are 14 lines.", 14), ("seven", 7), ("\\boxed{12}", 12), ("boxed{12}", 12), ("**5**", 5), ("<answer>5</answer>", 5),
        ("<think>3 + 4 = 7, or 8?</think>7", 7), ("Line 1 has 5 stops and line 2 has 6. So 11 in total.", 11), ("5 + 6 = 11", 11), ("Answer: 7. Not 8", 7),
        ("Line 2 has 7 stops", 7), ("Line No. 3: 5 stops", 5), ("10号线有7站", 7), ("Line 2: 5 stops; Line 3: 6 stops", None), ("Lines: 7", 7),
        ("There are 12 stations on Line 3.", 12), ("zero", 0), ("0", 0), ("7 stops", 7), ("The answer is 9.", 9), ('{"answer": 4}', 4), ("1,200", 1200),
        ("Total: 3", 3), ("3.5", 3.5), ("3 or 4", None), ("Between 3 and 5", None), ("A: 1, B: 2", None), ("", None), ("many", None), ("<think>4", None),
    ],
)  # fmt: skip
def test_reasonmap_plus_counts(text: str, value: float | None) -> None:
    for kind in ("Counting2", "Counting3"):
        assert plus(kind, text) == value


def test_a_count_with_a_fraction_is_wrong() -> None:
    context = AnswerContext(options={"question_type": "Counting2"})
    assert ReasonMapPlusRulesVerifier().match(3.5, 3, context).score == 0.0


FOUR = ("chair", "table", "lamp", "door")
NUMBER = AnswerContext(options={"answer_type": "number"})
CHOICE = AnswerContext(choices=FOUR, options={"answer_type": "choice"})
VSI_NUMBERS: list[tuple[str, float | None]] = [
    ("4", 4), ("4.", 4), ("4 chairs", 4), ("There are 4 chairs.", 4), ("four", 4), ("1.5 meters", 1.5), ("about 2.3 m", 2.3), ("approximately 1.2", 1.2),
    ("The room is 21.4 square meters.", 21.4), ("<think>2 + 2</think><answer>4</answer>", 4), ("\\boxed{1.5}", 1.5), ("**1.5**", 1.5), ("Answer: 80 cm", 80),
    ("The distance is 1.5 m.", 1.5), ("0.8", 0.8), (".8", 0.8), ("1,200", 1200), ("3/4", 0.75), ('{"answer": 2.5}', 2.5), ("~3", 3), ("-1", -1), ("1e2", 100),
    ("2 or 3", None), ("between 2 and 3", None), ("", None), ("I cannot tell.", None), ("<think>3", None), ("several", None),
]  # fmt: skip
VSI_CHOICES: list[tuple[str, str | None]] = [
    ("A", "A"), ("b", "B"), ("C.", "C"), ("(D)", "D"), ("A. chair", "A"), ("chair", "A"), ("The answer is B.", "B"), ("\\boxed{C}", "C"), ("**D**", "D"),
    ("<think>A?</think><answer>B</answer>", "B"), ("The lamp is closest, so C.", "C"), ("Answer: table", "B"), ("Option D", "D"), ('{"answer": "A"}', "A"),
    ("A or B", None), ("E", None), ("", None), ("Neither.", None), ("<think>B", None), ("A\nB", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("context", "text", "value"),
    [*((NUMBER, *case) for case in VSI_NUMBERS), *((CHOICE, *case) for case in VSI_CHOICES)],
)
def test_vsi_bench_and_spbench(context: AnswerContext, text: str, value: Any) -> None:
    assert MixedVerifier({"mra": True}).parse(text, context).value == value


@pytest.mark.parametrize(
    ("context", "text", "value"),
    [*((NUMBER, *case) for case in VSI_NUMBERS), *((CHOICE, *case) for case in VSI_CHOICES)],
)
def test_spar_bench_reads_numbers_and_choices_as_vsi_bench(context: AnswerContext, text: str, value: Any) -> None:
    assert SPARBenchVerifier().parse(text, context).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("move_right:0.3,rotate_left:15", [0.3, 0, 0, -15, 0]), ("move_right: 0.3, move_up: 0.1", [0.3, 0.1, 0, 0, 0]), ("Move right by 0.3 and rotate left by 15", [0.3, 0, 0, -15, 0]),
        ("- move_forward: 1.2 m\n- rotate_up: 5 degrees", [0, 0, 1.2, 0, 5]), ("**move_down**: 0.4", [0, -0.4, 0, 0, 0]), ("<think>move_up:9</think>move_down:1", [0, -1, 0, 0, 0]),
        ("\\boxed{move_left:0.5}", [-0.5, 0, 0, 0, 0]), ("move_backward = 2", [0, 0, -2, 0, 0]), ("Answer: move_right:.5", [0.5, 0, 0, 0, 0]), ("move_right:0", [0, 0, 0, 0, 0]),
        ("\\boxed{move\\_right:0.3,rotate\\_left:15}", [0.3, 0, 0, -15, 0]), ("move_right: about 0.3 m, rotate_left: ~15", [0.3, 0, 0, -15, 0]),
        ("move_right:0.3-0.5", None), ("move_right: 0.3 to 0.5", None), ("move_right:1,200", None), ("move_right:0.3, 15 degrees", [0.3, 0, 0, 0, 0]),
        ('{"move_right": 0.3, "rotate_left": 15}', [0.3, 0, 0, -15, 0]), ("The camera does not move.", None), ("right 0.3", None), ("<think>move_up:1", None), ("move_right: a lot", None),
    ],
)  # fmt: skip
def test_spar_bench_changes_of_view(text: str, value: list[float] | None) -> None:
    assert SPARBenchVerifier().parse(text, AnswerContext(options={"answer_type": "view-change"})).value == value


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    for kind in ("TorF1", "Counting1", "Counting2"):
        found = ReasonMapPlusRulesVerifier().parse(text, AnswerContext(options={"question_type": kind}))
        assert found.found or found.reason
