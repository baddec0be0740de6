from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Extraction
from mmeval.verifiers.answer import Section, answer_section, final_answer, mask, sentence_end, stripped
from mmeval.verifiers.registry import get_verifier


@pytest.mark.parametrize(
    ("text", "answer", "marked"),
    [
        ("plain", "plain", False),
        ("<think>a</think>b", "b", False),
        ("a</think>b", "b", False),
        ("<think>a</think>b<think>c</think>d", "d", False),
        ("<THINK>a</THINK> b", " b", False),
        ("◁think▷a◁/think▷b", "b", False),
        ("<answer>b</answer>", "b", True),
        ("<answer>a</answer> no, <answer>b</answer>", "b", True),
        ("<answer>b", "b", True),
        ("<think><answer>a</answer></think>b", "b", False),
        (r"\boxed{5}", "5", True),
        (r"\boxed{\frac{1}{2}} m", r"\frac{1}{2}", True),
        (r"\boxed{\boxed{5}}", "5", True),
        (r"put it in \boxed{}: \boxed{7}", "7", True),
        ("\\boxed{3}\nthen\n\\boxed{4}", "4", True),
        (r"\boxed{3}, \boxed{4}", r"\boxed{3}, \boxed{4}", True),
        ("\\boxed{12\nmore", "12", True),
        (r"\boxed{a\}b}", r"a\}b", True),
        (r"<answer>so \boxed{9}</answer>", "9", True),
        (r"only \boxed{}", r"only \boxed{}", False),
    ],
)
def test_final_answer(text: str, answer: str, marked: bool) -> None:
    found = final_answer(text)
    assert found is not None
    assert (found.text, found.marked) == (answer, marked)
    assert text[found.start : found.start + len(found.text)] == answer


@pytest.mark.parametrize("text", ["<think>a", "<think>a</think>b<think>c", "x<reasoning>The answer is 5"])
def test_unfinished_reasoning(text: str) -> None:
    assert final_answer(text) is None


def test_white_space_behind_an_angle_bracket_takes_no_quadratic_time() -> None:
    text = ("<" + " " * 40_000) * 5 + "B"
    assert final_answer(text) == Section(text, 0, False)


def test_other_names() -> None:
    found = final_answer("<plan>a</plan><out>b</out>", ["plan"], {"answer_tags": ["out"]})
    assert found is not None
    assert found.text == "b"
    assert final_answer("<plan>a", ["plan"]) is None
    assert final_answer("<think>a", ["plan"]) is not None


@given(st.text() | st.text(alphabet="\\boxed{}<>/thinkanswer \n"))
def test_offsets_hold(text: str) -> None:
    assert len(mask(text)) == len(text)
    found = final_answer(text)
    if found is not None:
        assert text[found.start : found.start + len(found.text)] == found.text


def test_mask_keeps_places() -> None:
    text = r"**\text{B}** （Ｃ） \(x\)"
    assert mask(text) == "        B    (C)   x  "
    assert mask(r"\textbf{\text{a}}").strip() == "a"


@pytest.mark.parametrize(("text", "end"), [("a. b", 1), ("3.5 m. x", 5), ("\n\n7\nx", 3), ("你好。x", 2), ("abc", 3)])
def test_sentence_end(text: str, end: int) -> None:
    assert sentence_end(text, 0) == end


@pytest.mark.parametrize(
    ("text", "kept"),
    [("(b).", "b"), ("-5.", "-5"), ("- 5", "5"), (".5", ".5"), ("-.5", "-.5"), ("...5", "5"), ("..", "")],
)
def test_stripped(text: str, kept: str) -> None:
    start, end = stripped(text, 0, len(text), " .,-()")
    assert text[start:end] == kept


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<think>5 apples", "unfinished reasoning"),
        ("", "empty"),
        ("<think>5 apples</think> \n", "empty"),
        ("<answer> </answer>", "empty"),
    ],
)
@pytest.mark.parametrize("name", ["box", "boxes", "choice", "number", "point", "rating", "text", "yes-no"])
def test_every_verifier_says_alike_why_there_is_nothing_to_read(name: str, text: str, reason: str) -> None:
    found = get_verifier(name).parse(text, AnswerContext(choices=("x", "y"), image_size=(10, 10), sent_size=(10, 10)))
    assert (found.value, found.reason) == (None, reason)


def test_the_section_to_read() -> None:
    found = answer_section("<why>no</why> 5 apples", {"reasoning_tags": "why"})
    assert isinstance(found, Section)
    assert found.text.strip() == "5 apples"
    assert answer_section("<why>no 5", {"reasoning_tags": "why"}) == Extraction(reason="unfinished reasoning")
