"""VLMEvalKit's rules for MathVista, MathVerse and MATH-Vision (VLMEVALKIT.md, 2.1, 2.2 and 2.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import UNDECIDED, verify
from mmeval.verifiers.registry import get_verifier

COLOURS = ("red", "blue", "green", "yellow")
TYPES = {"choice": "text", "integer": "integer", "float": "float", "list": "list"}


def vista(kind: str, text: str, gold: Any) -> Any:
    options = {"answer_type": TYPES[kind], "question_type": "multi_choice" if kind == "choice" else "free_form"}
    context = AnswerContext(choices=COLOURS if kind == "choice" else (), options=options)
    return verify(get_verifier("vlmevalkit-mathvista", {}), Response("ok", text), gold, context)


VISTA: list[tuple[str, str, str, bool | None]] = [
    # choices: steps 1 and 2, kept right or wrong; never the nearest option
    ("choice", "B", "B", True),
    ("choice", "(B)", "B", True),
    ("choice", "(B) blue", "B", True),
    ("choice", "blue", "B", True),
    ("choice", "A", "B", False),
    ("choice", "green", "B", False),
    ("choice", "bleu", "B", None),
    ("choice", "b", "B", None),
    ("choice", "", "B", None),
    ("choice", "The answer is blue", "B", True),
    ("choice", "The correct answer is (B) 8/11.", "B", True),
    ("choice", "the question does not give enough information", "B", None),
    ("choice", "Z", "B", None),
    # integers: int(), 2.1 [ran] for the four that fail
    ("integer", "14", "14", True),
    ("integer", " 14\n", "14", True),
    ("integer", "+14", "14", True),
    ("integer", "-14", "14", False),
    ("integer", "014", "14", True),
    ("integer", "1_4", "14", True),
    ("integer", "１４", "14", True),
    ("integer", "0", "0", True),
    ("integer", "15", "14", False),
    ("integer", "14.0", "14", None),
    ("integer", "1,000", "1000", None),
    ("integer", "$1.45", "1", None),
    ("integer", "14 cm", "14", None),
    ("integer", "14.", "14", None),
    ("integer", "fourteen", "14", None),
    ("integer", "The answer is 14", "14", None),
    ("integer", "1e2", "100", None),
    ("integer", "", "14", None),
    ("integer", "9" * 5000, "14", None),
    # floats: float(), no rounding to the row's precision
    ("float", "1.2", "1.2", True),
    ("float", "1.20", "1.2", True),
    ("float", "1.23", "1.2", False),
    ("float", "1.19999", "1.2", False),
    ("float", "12e-1", "1.2", True),
    ("float", " 1.2 ", "1.2", True),
    ("float", "1", "1.0", True),
    ("float", "1.2 m", "1.2", None),
    ("float", "$1.2", "1.2", None),
    ("float", "1,2", "1.2", None),
    ("float", "nan", "1.2", None),
    ("float", "inf", "1.2", None),
    ("float", "1e999", "1.2", None),
    ("float", "", "1.2", None),
    # lists: compared with the word None, and so never right
    ("list", "[2014, 2016]", "[2014, 2016]", False),
    ("list", "None", "None", False),
    ("list", "anything", "[2014, 2016]", False),
    ("list", "", "[2014, 2016]", None),
]


@pytest.mark.parametrize(("kind", "text", "gold", "right"), VISTA)
def test_mathvista(kind: str, text: str, gold: str, right: bool | None) -> None:
    found = vista(kind, text, gold)
    assert (found.outcome, found.correct) == ("no_answer" if right is None else "scored", right or False)
    assert dict(found.scores) == {}, "MathVista's judge extracts: nothing is ever drawn"


@pytest.mark.parametrize(("kind", "gold"), [("integer", "1.5"), ("integer", None), ("float", "x"), ("choice", "red")])
def test_mathvista_names_a_target_of_another_type(kind: str, gold: Any) -> None:
    assert vista(kind, {"choice": "A"}.get(kind, "1"), gold).outcome == "unscored"


def test_mathvista_needs_the_row_to_say_its_type() -> None:
    with pytest.raises(DataError, match="answer_type"):
        get_verifier("vlmevalkit-mathvista", {}).parse("1", AnswerContext())


def verse(text: str, gold: Any) -> Any:
    return verify(get_verifier("vlmevalkit-mathverse", {}), Response("ok", text), gold, AnswerContext())


VERSE: list[tuple[str, Any, bool | None]] = [
    ("C", "C", True),
    (" C\n", "C", True),
    ("C", " C ", True),
    ("c", "C", False),
    ("(C)", "C", False),
    ("C.", "C", False),
    ("C:√{3}", "C", False),
    ("14", "14", True),
    ("14", 14, True),
    ("14.0", "14", False),
    ("14", 14.0, False),
    ("50 cm", "50cm", False),
    ("50cm", "50cm", True),
    ("0.5m", "50cm", False),
    ("1/2", "0.5", False),
    ("√3", "√3", True),
    ("\\sqrt{3}", "√3", False),
    ("[-4, 0)", "[-4, 0)", True),
    ("[-4,0)", "[-4, 0)", False),
    ("domain: [-4, 0) and range: (-3, 1]", "domain: [-4, 0) and range: (-3, 1]", True),
    ("null", "C", False),
    ("y = 2x", "y=2x", False),
    ("y=2x", "y=2x", True),
    ("A", "B", False),
    ("B", "B", True),
    ("Extracted Answer: B", "B", False),
    ("B\nB", "B", False),
    ("\tB", "B", True),
    ("Ｂ", "B", False),
    ("12°", "12°", True),
    ("12", "12°", False),
    ("-3", "-3", True),
    ("−3", "-3", False),
    ("3π", "3π", True),
    ("3 π", "3π", False),
    ("True", "true", False),
    ("0", "0", True),
    ("00", "0", False),
    ("", "C", None),
    ("  \n", "C", None),
    ("\u3000", "C", None),
]


@pytest.mark.parametrize(("text", "gold", "right"), VERSE)
def test_mathverse_exact_stage(text: str, gold: Any, right: bool | None) -> None:
    found = verse(text, gold)
    assert (found.outcome, found.correct) == ("no_answer" if right is None else "scored", right or False)
    assert dict(found.scores) == ({UNDECIDED: 1.0} if right is False else {})


def vision(text: str, gold: Any, choices: tuple[str, ...] = ()) -> Any:
    context = AnswerContext(choices=choices)
    return verify(get_verifier("vlmevalkit-mathvision", {}), Response("ok", text), gold, context)


VISION: list[tuple[str, Any, bool | None]] = [
    # 2.5 [ran]
    ("50%", "0.5", False),
    ("3 cm", "3", False),
    ("1,000", "1000", False),
    ("x=3", "3", False),
    # text
    ("12", "12", True),
    (" 12 ", "12", True),
    ("ABC", "abc", True),
    ("x=3", "X=3", True),
    ("12", 12, True),
    ("abd", "abc", False),
    # numbers in Python's notation, 1e-6
    ("12.0", "12", True),
    ("24/2", "12", True),
    ("0.5", "1/2", True),
    ("(1+2)*3", "9", True),
    ("12.0000001", "12", True),
    ("12.00001", "12", False),
    ("3.14", "3.141593", False),
    ("1e3", "1000", True),
    ("1_000", "1000", True),
    ("2**3", "8", True),
    ("2^3", "1", True),
    ("-12", "12", False),
    ("+12", "12", True),
    ("0012", "12", True),
    ("12 ", "12.0", True),
    ("(12)", "12", True),
    ("12.", "12", True),
    (".5", "0.5", True),
    ("[12]", "12", True),
    ("$12", "12", False),
    ("twelve", "12", False),
    ("The answer is 12", "12", False),
    ("9**9**9", "12", False),
    ("__import__('os').getcwd()", "12", False),
    ("1/0", "12", False),
    ("nan", "12", False),
    ("1j*1j", "-1", True),
    # LaTeX
    ("\\frac{1}{2}", "0.5", True),
    ("0.5", "\\frac{1}{2}", True),
    ("\\dfrac{3}{4}", "\\frac{6}{8}", True),
    ("2\\sqrt{3}", "\\sqrt{12}", True),
    ("\\frac{\\pi}{2}", "1.5707963", True),
    ("2\\times3", "6", True),
    ("2^{3}", "8", True),
    ("\\frac{1}{3}", "0.333", False),
    ("\\frac{1}{2}x", "0.5", False),
    ("50\\%", "0.5", False),
    ("1{,}000", "1000", False),
    ("\\frac{1}{2})", "0.5", False),
    ("", "12", None),
    ("\n", "12", None),
]


@pytest.mark.parametrize(("text", "gold", "right"), VISION)
def test_mathvision_open_questions(text: str, gold: Any, right: bool | None) -> None:
    found = vision(text, gold)
    assert (found.outcome, found.correct) == ("no_answer" if right is None else "scored", right or False)
    assert dict(found.scores) == ({UNDECIDED: 1.0} if right is False else {})


@pytest.mark.parametrize(
    ("text", "gold", "right"),
    [("B", "B", True), ("A", "B", False), ("blue", "B", True), ("The answer is B", "B", True), ("12", "B", None), ("b", "B", None)],
)  # fmt: skip
def test_mathvision_choices(text: str, gold: str, right: bool | None) -> None:
    found = vision(text, gold, COLOURS)
    assert (found.outcome, found.correct) == ("no_answer" if right is None else "scored", right or False)
    assert dict(found.scores) == {}


@pytest.mark.parametrize("target", [True, ["1"], None])
def test_a_target_that_is_no_text_is_named(target: Any) -> None:
    for name in ("vlmevalkit-mathverse", "vlmevalkit-mathvision"):
        with pytest.raises(DataError, match="neither text nor a number"):
            get_verifier(name, {}).match("1", target, AnswerContext())


@given(st.text(), st.sampled_from(sorted(TYPES)))
def test_any_text_is_read_and_its_value_read_anew(text: str, kind: str) -> None:
    verifier = get_verifier("vlmevalkit-mathvista", {})
    options = {"answer_type": TYPES[kind], "question_type": "multi_choice" if kind == "choice" else "free_form"}
    context = AnswerContext(choices=COLOURS if kind == "choice" else (), options=options)
    found = verifier.parse(text, context)
    if found.found:
        assert isinstance(found.value, str)
        assert verifier.parse(found.value, context).value == found.value
    else:
        assert found.reason


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_is_right_as_itself_alone(number: int) -> None:
    assert vista("integer", str(number), str(number)).correct is True
    assert vista("integer", str(number + 1), str(number)).correct is False
    assert vista("float", str(number), str(number)).correct is True
    assert vision(str(number), str(number)).correct is True
