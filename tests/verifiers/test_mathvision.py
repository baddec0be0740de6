from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.mathvision import MathVisionVerifier, answers_equal, official_answer

ANSWERS: list[tuple[str, str]] = [
    ("A", "a"), ("(A)", "a"), ("A.", "a"), ("The answer is B.", "b"), ("It must be (C).", "c"), ("D\nbecause", "d"), ("(E)\nso", "e"),
    ("(E) E\nso", "e"), ("I choose B", "ichooseb"), ("b", "b"), ("F.", "f"), ("So it is 12.", "12"), ("it is 12..", "12"), ("x = 12", "12"),
    ("the answer is 5 apples. Or not", "5apples"), ("The answer is 5\nOr 6", "5"), ("The final answer is: 7", "7"),
    ("the correct answer is 8. Really", "8"), ("The answer should be 9", "9"), ("The answer is 3. The answer is 4", "4"),
    (r"\boxed{12}", "12"), (r"so \boxed{A}", "a"), (r"\boxed{1} then \boxed{2}", "2"), (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{12} cm", "12"), (r"\boxed{12", r"\boxed{12"), (r"$\boxed{12}$ and {x}", "12"), (r"\boxed{x = 3}", "3"),
    (r"\boxed{y \approx 3.14}", "3.14"), (r"\boxed{45^\circ}", "45"), (r"\boxed{45^{\circ}}", "45"), (r"\boxed{5\text{ cm}}", "5{cm}"),
    (r"\boxed{5 \text{km}}", "5"), (r"\boxed{12 \text{ units}}", "12"), (r"\boxed{3 m^3}", "3"), (r"\boxed{50\%}", "50"), (r"\boxed{\$5}", "5"),
    (r"\boxed{.5}", r"\frac{1}{2}"), (r"\boxed{0.5}", r"\frac{1}{2}"), (r"\boxed{.25}", "0.25"), (r"\boxed{1/2}", r"\frac{1}{2}"),
    (r"\boxed{-1/2}", r"\frac{-1}{2}"), (r"\boxed{01/2}", "01/2"), (r"\boxed{-0/2}", "-0/2"), (r"\boxed{1/2/3}", "1/2/3"),
    (r"\boxed{\sqrt3}", r"\sqrt{3}"), (r"\boxed{2\sqrt{3}}", r"2\sqrt{3}"), (r"\boxed{\sqrt2+\frac12}", r"\sqrt{2}+\frac{1}{2}"),
    (r"\boxed{\sqrt2+\frac1{2}}", r"\sqrt{2}+\frac{1}{2}"), (r"\boxed{\sqrt2\frac1}", r"\sqrt{2}\frac1"), (r"\boxed{\frac12}", r"\frac12"),
    (r"\boxed{\dfrac{1}{2}}", r"\frac{1}{2}"), (r"\boxed{\left(1, 2\right)}", "(1,2)"), (r"\boxed{{}}", ""), (r"\boxed{(b)}", "b"),
    (r"\boxed{\text{B}}", "b"), (r"\boxed{∞}", r"\infty"), (r"\boxed{+∞}", r"\infty"), ("", ""), ("   ", ""), (".", "0"),
    (r"\boxed{} ", r"\boxed"), ("is nan", "nan"),
]  # fmt: skip


@pytest.mark.parametrize(("response", "answer"), ANSWERS)
def test_the_answer_in_a_response(response: str, answer: str) -> None:
    assert official_answer(response) == answer
    found = MathVisionVerifier().parse(response, AnswerContext())
    assert found.value == (answer or None)


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("60", "60", True), ("60", "60.00", True), ("60", "60.004", True), ("60", "60.01", False), ("60", " 60 ", True), ("60", "", False),
        ("", "60", False), ("A", "a", True), ("A", "b", False), (r"$4 \pi$", r"4\pi", True), (r"$4 \pi$", "12.57", True),
        (r"$\frac{1}{3}$", "0.33", True), (r"$\frac{1}{3}$", r"\frac{1}{3}", True), (r"$5 \sqrt{3}$", r"5\sqrt{3}", True),
        (r"$5 \sqrt{3}$", "8.66", True), ("1:2", r"\frac{1}{2}", True), ("45^2", "2025", True), (r"$\boxed{\frac{3}{4}}$", "0.75", False),
        (r"$\frac{90}{23}^{\circ}$", r"\frac{90}{23}", False), ("7/3", "2.33", True), ("(3,-4)", "(3,-4)", True), ("(3,-4)", "(3.0,-8/2)", False),
        ("(3,-4)", "(6/2,-4)", False), ("(3.5,1)", r"(\frac{7}{2},1)", True), ("(3,4)", "[3,4]", False), ("[0.5,1]", r"[\frac{1}{2},1]", True),
        ("(a,3.5)", r"(a,\frac{7}{2})", True), (r"(-\infty,3.5)", r"(-\infty,\frac{7}{2})", True), ("(x,2)", "(x,2.0)", False),
        ("(3)", "3", True), ("1,000", "1000", True), ("x=5", "5", True), ("5", "5)", True), ("5", "5°", False), ("red", "Red", True),
        ("12", "12triangles", True), ("12", "12cm", False), ("11 ", "11", True), (r"\frac{360}7", "51.43", False),
    ],
)  # fmt: skip
def test_equal_answers(gold: str, answer: str, equal: bool) -> None:
    assert answers_equal(gold, answer) is equal


def test_the_text_of_the_right_option_is_right_too() -> None:
    context = AnswerContext(choices=("10", r"$\frac{1}{2}$", "30", "40", "50"))
    verifier = MathVisionVerifier()
    for response, right in (("B", True), (r"\boxed{0.50}", True), (r"\boxed{30}", False), ("C", False)):
        assert verify(verifier, Response("ok", response), "B", context).correct is right
    # A letter is right only as the gold letter, not as text of another option.
    letters = AnswerContext(choices=("A", "B", "C", "D", "E"))
    assert verify(verifier, Response("ok", "b"), "B", letters).correct is True
    assert verify(verifier, Response("ok", ""), "B", letters).outcome == "no_answer"


def test_rows_at_fault() -> None:
    verifier = MathVisionVerifier()
    with pytest.raises(DataError, match="no string"):
        verifier.match("5", 5, AnswerContext())
    for target in ("F", "AB", "10"):
        with pytest.raises(DataError, match="one of 2 options"):
            verifier.match("a", target, AnswerContext(choices=("10", "20")))


PIECES = st.sampled_from(
    ["A", "(B)", " C.", "\n", ". ", "the answer is", r"\boxed{", "}", "{", "=", r"\frac", "1", "2", "/", r"\sqrt", "$", "OXED{", "is ", "(", ")", ",", "[", "]"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=4), max_size=14).map("".join), st.text(max_size=6))
def test_any_response_is_read(text: str, gold: str) -> None:
    answer = official_answer(text)
    assert answer == answer.strip() == answer.lower().strip()
    assert answers_equal(gold, answer) in (True, False)
    if answer.strip():
        assert answers_equal(answer, answer)


@given(st.sampled_from([response for response, _ in ANSWERS]))
def test_an_answer_reads_as_itself(response: str) -> None:
    answer = official_answer(response)
    assert official_answer(answer) == answer


def test_many_boxes_come_to_an_end() -> None:
    for text in (
        "OXED{" * 100_000,
        r"\boxed{" * 50_000,
        "the answer is" * 50_000,
        r"\boxed{" + r"\frac" * 50_000 + "}",
    ):
        assert isinstance(official_answer(text), str)
