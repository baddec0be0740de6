from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.choice import LETTERS, ChoiceVerifier

COLOURS = AnswerContext(choices=("red", "blue", "green", "dog"))
NUMBERS = AnswerContext(choices=("3", "12", "36", "5"))

ANSWERED = [
    ("B", "B"),
    ("(B)", "B"),
    ("B.", "B"),
    ("B)", "B"),
    ("[B]", "B"),
    (" B\n", "B"),
    ("**B**", "B"),
    ("$B$", "B"),
    ("b", "B"),
    ("b)", "B"),
    ("(b)", "B"),
    ("Answer: (B) blue", "B"),
    ("Answer: b", "B"),
    ("Answer:\nB", "B"),
    ("**Answer:** B", "B"),
    ("The answer is B", "B"),
    ("The answer is (B).", "B"),
    ("The answer is option (b).", "B"),
    ("The correct option letter is B.", "B"),
    ("Therefore, the correct option is (C) green.", "C"),
    ("Option C is correct", "C"),
    ("B is not correct, C is the correct answer", "C"),
    (r"\boxed{\text{B}}", "B"),
    (r"So we get $\boxed{\textbf{(C) }green}$", "C"),
    (r"\boxed{A} is what I thought, but\n\nit is\n\boxed{C}".replace(r"\n", "\n"), "C"),
    ("Final answer: **(D) dog**", "D"),
    ("blue", "B"),
    ("Blue.", "B"),
    ("(b) blue", "B"),
    ("B. blue", "B"),
    ("The answer is blue", "B"),
    ("The answer is definitely green", "C"),
    ("it is a blue car", "B"),
    ("A dog", "D"),
    ("a dog", "D"),
    ("The answer is A dog", "D"),
    ("The answer is A because it glows", "A"),
    ("I would go with C because A is wrong", "C"),
    ("not blue but red", "A"),
    ("The answer is not A but C", "C"),
    ("The answer is C, not B", "C"),
    ("The answer is B. Wait, the answer is C.", "C"),
    ("The answer is C.\n\nI hope this helps! Let me know if you need more.", "C"),
    ("It's B", "B"),
    ("I think it's b", "B"),
    ("so B", "B"),
    ("B\n\nBecause A is wrong", "B"),
    ("B. It shows a red thing", "B"),
    ("Let me see. A: wrong. B: right.\n\nB", "B"),
    ("答案是B", "B"),
    ("故选（B）", "B"),
    ("Ｂ", "B"),
    ("<think>Maybe A or D.</think>B", "B"),
    ("A or B, hmm</think>\nThe answer is C.", "C"),
    ("<answer>C</answer>", "C"),
    ("<think>x</think><answer>C", "C"),
]
UNANSWERED = [
    ("", "empty"),
    ("  \n", "empty"),
    ("<answer></answer> B", "empty"),
    ("<think>The answer is A", "unfinished reasoning"),
    ("<think>one</think>So <think>The answer is A", "unfinished reasoning"),
    ("A, B", "ambiguous"),
    ("B or C", "ambiguous"),
    ("The answer is either A or B", "ambiguous"),
    ("Both A and B are correct", "ambiguous"),
    (r"\boxed{A} or \boxed{B}", "ambiguous"),
    ("A. red\nB. blue\nC. green\nD. dog", "ambiguous"),
    ("A dog is in the blue house", "ambiguous"),
    ("The answer is (A) blue", "ambiguous"),
    ("not B", "not found"),
    ("The answer is not B", "not found"),
    ("Neither A nor B is correct", "not found"),
    ("None of the above", "not found"),
    ("The answer is E", "not an option"),
    ("The answer is bluetooth", "not found"),
    ("The object is a car", "not found"),
    ("The red wave bends " + "and bends " * 30, "not found"),
    ("If it glows, the answer is A. If it does not, the answer is B.", "not found"),
    ("Choose the correct option letter:\n\n(A) red\n(B) blue\n(C) green", "ambiguous"),
    ("Which one?\nA) red\nB) blue\nC) green\nD) dog", "ambiguous"),
    ("7 A", "not found"),
    ("ABC", "not found"),
    ("I cannot tell", "not found"),
    ("I'm sorry, I cannot see the red car", "not found"),
]


@pytest.mark.parametrize(("text", "letter"), ANSWERED)
def test_answered(text: str, letter: str) -> None:
    found = ChoiceVerifier().parse(text, COLOURS)
    assert found.value == letter, found
    assert found.span is not None
    start, end = found.span
    read = text[start:end].translate({0xFF22: "B"})
    assert letter.lower() in read.lower() or COLOURS.choices[LETTERS.index(letter)] in read.lower()


@pytest.mark.parametrize(("text", "reason"), UNANSWERED)
def test_unanswered(text: str, reason: str) -> None:
    found = ChoiceVerifier().parse(text, COLOURS)
    assert (found.value, found.reason) == (None, reason)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Answer: (B) 12", "B"),
        ("12", "B"),
        ("The value is 12.", "B"),
        ("BD = 3 and S = 12, so\nthe area is 36", "C"),
        ("There are 3 + 2 = 5 of them", "D"),
        ("0.5", None),
        ("-5", None),
        ("360", None),
        ("12.5", None),
        ("the answer is 36", "C"),
        ("Therefore, x is 36.", "C"),
    ],
)
def test_numeric_options(text: str, letter: str | None) -> None:
    assert ChoiceVerifier().parse(text, NUMBERS).value == letter


@pytest.mark.parametrize(
    ("choices", "text", "letter"),
    [
        (("A", "B", "C"), "C", "C"),
        (("C", "A", "B"), "C", "C"),  # a bare letter is the label that the prompt shows
        (("a", "b", "c"), "c", "C"),
        (("X", "Y", "Z"), "Y", "B"),
        (("X", "Y", "Z"), "The answer is Y", "B"),
        (("car", "red car", "dark red car"), "red car", "B"),
        (("car", "red car", "dark red car"), "It is a dark red car.", "C"),
        (("car", "red car"), "It is a red car next to a car.", None),
        (("Yes", "No"), "Yes, there is no dog", "A"),
        (("Yes", "No"), "No", "B"),
        (("none of the above", "x"), "None of the above.", "A"),
        (("B minor", "C major"), "The answer is C major", "B"),
        ((r"\frac{1}{2}", r"\frac{3}{4}"), r"The answer is $\frac{3}{4}$.", "B"),
        (("2", "√{3}", "2√{3}"), "Therefore, the value is 2√3.", "C"),
        (("decrease", "increase", "double"), "It would decrease. " + "Its food would be gone. " * 12, "A"),
        (("Yes", "No"), "It is taller. " * 12 + "There is no doubt", None),
        (("红色", "蓝色"), "它是蓝色的。", "B"),
        # Directions and orders as VSI-Bench asks for them.
        (("left", "right", "back"), "back-left", None),
        (("left", "right", "back"), "It is to my back-left.", None),
        (("left", "right", "back"), "It is on my left-hand side.", "A"),
        (("blue", "green"), "a blue-green one", None),
        (("front-left", "back-left"), "It is to my front left.", "A"),
        (("front-left", "back-left"), "left", None),
        (("door, chair, sofa, lamp", "chair, door, sofa, lamp"), "chair -> door -> sofa -> lamp", "B"),
        (("door, chair, sofa, lamp", "chair, door, sofa, lamp"), "1. door\n2. chair\n3. sofa\n4. lamp", "A"),
        (
            ("door, chair, sofa, lamp", "chair, door, sofa, lamp"),
            "They appear in the order door, chair, sofa, and lamp.",
            "A",
        ),
        (("door, chair, sofa, lamp", "chair, door, sofa, lamp"), "door -> sofa", None),
        (("6", "6", "7"), "6", "A"),
        ((), "The answer is (D).", "D"),
        ((), "I think so", None),
    ],
)
def test_option_texts(choices: tuple[str, ...], text: str, letter: str | None) -> None:
    assert ChoiceVerifier().parse(text, AnswerContext(choices=choices)).value == letter


def test_other_tags_by_option() -> None:
    context = AnswerContext(choices=COLOURS.choices, options={"reasoning_tags": ["reflect"]})
    assert ChoiceVerifier().parse("<reflect>A</reflect>B", context).value == "B"
    assert ChoiceVerifier({"reasoning_tags": "reflect"}).parse("<reflect>The answer is B", COLOURS).value is None


def test_match() -> None:
    verifier = ChoiceVerifier()
    assert verifier.match("B", "B", COLOURS).score == 1.0
    assert verifier.match("A", "B", COLOURS).correct is False
    twins = AnswerContext(choices=("6", "7", "6"))
    assert verifier.match("C", "A", twins).correct is True


@pytest.mark.parametrize("target", ["E", "blue", "", 1, None, ["B"]])
def test_bad_target(target: object) -> None:
    with pytest.raises(DataError, match="letter"):
        ChoiceVerifier().match("A", target, COLOURS)


@given(st.text(max_size=200) | st.text(alphabet="ABCDabc .,()\n*\\{}<>/thinkboxed answer is or not", max_size=120))
def test_never_raises_and_is_idempotent(text: str) -> None:
    verifier = ChoiceVerifier()
    found = verifier.parse(text, COLOURS)
    json.dumps(found.value)
    if found.found:
        assert found.span is not None
        assert 0 <= found.span[0] < found.span[1] <= len(text)
        assert verifier.parse(str(found.value), COLOURS).value == found.value
    assert verifier.parse(text, COLOURS) == found


@given(st.sampled_from("ABCD"), st.lists(st.text(alphabet="xyz ,.", max_size=20), max_size=4))
def test_reasoning_never_answers(letter: str, noise: list[str]) -> None:
    text = "<think>" + " ".join(noise) + f" The answer is {letter}."
    assert ChoiceVerifier().parse(text, COLOURS).value is None
    assert ChoiceVerifier().parse(text + "</think>The answer is D.", COLOURS).value == "D"


@pytest.mark.parametrize("text", ["Answer: A/B", "A/B", "The answer is A/(B)", "answer is (A) or maybe (B)"])
def test_two_letters_are_no_answer(text: str) -> None:
    assert ChoiceVerifier().parse(text, COLOURS).value is None
