"""The kind of answers, and how they name options, is decided on the first rows or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError, MmevalError, UsageError
from mmeval.tasks.answers import FORMS, KINDS, AnswerReading, Item, Wanted, gold_expression, in_question, read_answers
from mmeval.tasks.choices import Choices
from mmeval.tasks.data import Row
from mmeval.tasks.gold import field_value

FOUR = ("red", "green", "blue", "pink")


def items(golds: list[Any], choices: Any = (), question: str = "q") -> list[Item]:
    options = choices if isinstance(choices, list) else [choices] * len(golds)
    return [
        Item(f"x.tsv, row {number}", question, Choices(tuple(texts)), gold)
        for number, (gold, texts) in enumerate(zip(golds, options, strict=True), 1)
    ]


def read(golds: list[Any], choices: Any = (), wanted: Wanted | None = None, **more: Any) -> AnswerReading:
    column = more.pop("column", "answer")
    return read_answers(items(golds, choices, **more), column, wanted or Wanted(), "x.tsv")


@pytest.mark.parametrize(
    ("golds", "choices", "target"),
    [
        (["A", "D", "b", "(C)"], FOUR, "letter"),
        (["red", "pink", " blue "], FOUR, "text"),
        ([0, 3, 1], FOUR, "index"),
        (["0", "3.0", "1"], FOUR, "index"),
        ([1, 4, 2], FOUR, "position"),
        ([1.0, 0.0, None], FOUR, "index"),
        (["A", None, "E", *"ABCDABCDABCD"], FOUR, "letter"),
        (["7", "5"], [("5", "7"), ("5", "9")], "text"),
        # Whatever the form, it is the same option.
        (["A", "C"], ("A", "B", "C", "D"), "letter"),
        (["0", "1"], ("0", "1"), "text"),
    ],
)
def test_the_form_of_a_gold_that_names_an_option(golds: list[Any], choices: Any, target: str) -> None:
    assert read(golds, choices) == AnswerReading("choice", target)


@pytest.mark.parametrize(
    ("golds", "choices", "says"),
    [
        (
            ["3", "1"],
            ("1", "2", "3", "4"),
            "row 1: answer '3' may be the text or the index (from 0) of one of the options",
        ),
        ([1, 2, 3], FOUR, "row 1: answer 1 may be the index (from 0) or the position (from 1)"),
        (["A", "B"], ("B", "A", "C"), "row 1: answer 'A' may be the letter or the text"),
        (["E", "F"], FOUR, "x.tsv: the answers in 'answer' do not name the options: of 2 rows, letter in 0, text in 0"),
        (["AC", "B", "D"], FOUR, "row 1 has 'AC' and the options ['red', 'green', 'blue', 'pink']"),
        (["A", "red"], FOUR, "letter in 1, text in 1, index in 0, position in 0"),
    ],
)
def test_a_form_that_is_not_clear_is_refused(golds: list[Any], choices: Any, says: str) -> None:
    with pytest.raises(DataError) as caught:
        read(golds, choices)
    assert says in caught.value.message
    assert "--answer-form" in caught.value.remedy


def test_the_user_says_the_form() -> None:
    for form in ("index", "position"):
        assert read([1, 2], FOUR, Wanted(form=form)) == AnswerReading("choice", form)
    with pytest.raises(DataError, match="answer 1 is no text of an option, nor is any other"):
        read([1, 2], FOUR, Wanted(form="text"))
    with pytest.raises(UsageError, match=r"--answer-form index: x\.tsv has no options"):
        read([1, 2], (), Wanted(form="index"))


@pytest.mark.parametrize(
    ("golds", "kind"),
    [
        (["Yes", "no", "No."], "yes-no"),
        ([True, False], "yes-no"),
        (["true", "FALSE"], "yes-no"),
        ([1, 2.5, -3], "number"),
        (["1", "-2.5", "1,234", "1e3", "45%", ".5"], "number"),
        (["Paris", "12", "yes"], "text"),
        (["12 cm", "3"], "text"),
        ([float("inf"), 2.0], "text"),
        (["1,23"], "text"),
    ],
)
def test_the_kind_of_an_open_answer(golds: list[Any], kind: str) -> None:
    assert read(golds) == AnswerReading(kind)


@pytest.mark.parametrize(
    ("golds", "says", "remedy"),
    [
        ([0, 1, 1], "all answers are 0 or 1", "--answer-kind yes-no"),
        (["0", "1.0"], "all answers are 0 or 1", "--answer-kind number"),
        (
            ["yes", "no"] * 10 + ["maybe"],
            "20 of 21 answers are of kind yes-no, and 'maybe' is not",
            "--answer-kind text",
        ),
        (["7"] * 10 + ["none"], "10 of 11 answers are of kind number, and 'none' is not", "--answer-kind number"),
        (
            ["A", "B"] * 10 + ["A, C"],
            "nearly all answers are single letters, there are no options, and 'A, C' is none",
            "--answer-kind text",
        ),
        (["A", "B"], "the answers are single letters ('A') and there are no options", "--answer-kind choice"),
        ([["a", "b"], ["c"]], "is a list: several accepted answers", "--answer-kind text"),
        (["['a', 'b']"], "is a list: several accepted answers", "--answer-kind text"),
        ([{"x": 1}], "answer {'x': 1} is a mapping", "--column answer"),
        ([None, None], "column 'answer' (answer) is empty in the first 2 rows", "--column answer"),
    ],
)
def test_an_open_answer_that_is_not_clear_is_refused(golds: list[Any], says: str, remedy: str) -> None:
    with pytest.raises(DataError) as caught:
        read(golds)
    assert says in caught.value.message
    assert remedy in caught.value.remedy


def test_letters_of_options_that_the_question_lists() -> None:
    assert read(["A", "B"], question="Which?\nA. one\nB. two") == AnswerReading("choice")
    assert read(["A", "B"], question="Which? (A) one (B) two") == AnswerReading("choice")
    assert read(["A", "B"], wanted=Wanted("choice")) == AnswerReading("choice")
    assert read(["A", "B"], wanted=Wanted("text")) == AnswerReading("text")
    with pytest.raises(DataError, match="answer 'two' is no letter"):
        read(["A", "two"], wanted=Wanted("choice"))


def test_accepted_variants() -> None:
    assert read([["a", "b"], ["c"]], column="answers") == AnswerReading("text")
    assert read([["a", "b"], ["c"]], wanted=Wanted("text")) == AnswerReading("text")
    assert read(["['a', 'b']", "c"], column="answers") == AnswerReading("text", reader="list")
    assert read(["['a', 'b']", "c"], wanted=Wanted("text")) == AnswerReading("text", reader="list")
    expression = gold_expression("list", "row.get('gold')")
    for cell, value in {"['a', 'b']": ["a", "b"], "c": "c", "": None, " [1] ": [1]}.items():
        assert field_value(expression, Row(0, {"gold": cell}, "p")) == value


def test_zero_and_one_as_no_and_yes() -> None:
    assert read([1, 0, None], wanted=Wanted("yes-no")) == AnswerReading("yes-no", reader="zero-one")
    expression = gold_expression("zero-one", "row.get('answer')")
    for cell, value in {1: "yes", "0": "no", 0.0: "no", "1.0": "yes", None: None, "": None}.items():
        assert field_value(expression, Row(0, {"answer": cell}, "p")) == value
    with pytest.raises(DataError, match="no value"):
        field_value(expression, Row(0, {"answer": 7}, "p"))


def test_rows_with_and_without_options() -> None:
    mixed = [FOUR, (), FOUR, ()]
    assert read(["A", "3", "D", "4.5"], mixed) == AnswerReading("mixed", "letter", "number")
    assert read(["A", "yes", "D", "no"], mixed) == AnswerReading("mixed", "letter", "yes-no")
    assert read(["A", "3", "D", "4.5"], mixed, Wanted("choice")) == AnswerReading("choice", "letter")
    assert read(["A", "3", "D", "4.5"], mixed, Wanted("text")) == AnswerReading("text")
    assert read(["A", "3", "D", "4.5"], mixed, Wanted.read("choice, text", None)) == AnswerReading(
        "mixed", "letter", "text"
    )
    assert read([1, "3", 0, "4"], mixed, Wanted.read("choice,number", "index")) == AnswerReading(
        "mixed", "index", "number"
    )
    # Their options are missing, which is those rows' fault.
    assert read(["A", "B", "D", "C"], mixed) == AnswerReading("choice", "letter")
    for golds, says in (
        (["A", "1", "D", "0"], "say --answer-kind choice,number or --answer-kind choice,yes-no"),
        (
            ["A", *["7"] * 20, "x"],
            "say --answer-kind choice,number (such rows then stay unscored) or --answer-kind choice,text",
        ),
        (["A", *["7"] * 20, [1, 2]], "say --answer-kind choice,number (such rows then stay unscored)"),
        (["A", "x", ["y"]], "say --answer-kind choice,text where any of them is right"),
    ):
        with pytest.raises(DataError) as caught:
            read(golds, [FOUR, *[()] * (len(golds) - 1)] if len(golds) != 4 else mixed)
        assert says in caught.value.remedy


@pytest.mark.parametrize(
    ("golds", "kind"), [(["red", "pink"], "yes-no"), (["red", "pink"], "number"), ([["a"]], "number")]
)
def test_a_kind_that_no_row_is_of_is_refused(golds: list[Any], kind: str) -> None:
    with pytest.raises(DataError, match=f"is not of kind {kind}, nor is any other"):
        read(golds, FOUR, Wanted(kind))


def test_unknown_words_are_named() -> None:
    with pytest.raises(UsageError, match=r"unknown --answer-kind 'chioce'(.|\n)*choice"):
        Wanted("chioce")
    with pytest.raises(UsageError, match=r"--answer-kind choice,box: of two kinds the first is choice"):
        Wanted.read("choice,box", None)
    with pytest.raises(UsageError, match=r"--answer-kind text,number: of two kinds"):
        Wanted.read("text,number", None)
    with pytest.raises(UsageError, match="unknown --answer-kind 'mixed'"):
        Wanted("mixed")
    with pytest.raises(UsageError, match=r"unknown --answer-form 'leter'(.|\n)*letter"):
        Wanted(form="leter")


@pytest.mark.parametrize(
    ("question", "inside"),
    [
        ("Which?\nChoices:\n(A) red\n(B) green\n(C) blue\n(D) pink", True),
        ("Which? A. red B. green C. blue D. pink", True),
        ("Which? A: red, B: green, C: blue, D: pink", True),
        ("Which one is red, green, blue or pink?", False),
        ("Which?\n(A) red\n(B) green", False),
        ("Which?", False),
    ],
)
def test_options_that_the_question_lists_itself(question: str, inside: bool) -> None:
    assert in_question(items(["A"] * 3, FOUR, question=question)) is inside
    assert in_question(items(["A"] * 3)) is False


GOLDS = st.none() | st.sampled_from(["A", "B", "yes", "0", "1", "2", "red", "['a']", ""]) | st.integers(-1, 5) | st.floats() | st.booleans() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(GOLDS, st.sampled_from([(), FOUR, ("0", "1", "2"), ("A", "B")])), min_size=1, max_size=12),
    st.none() | st.sampled_from(KINDS),
    st.none() | st.sampled_from(FORMS),
)
def test_any_answers_are_read_or_refused(rows: list[tuple[Any, Any]], kind: str | None, form: str | None) -> None:
    cells = items([gold for gold, _ in rows], [choices for _, choices in rows])
    remedy = "x"
    try:
        reading = read_answers(cells, "answer", Wanted(kind, form), "x.tsv")
        assert reading.kind in (*KINDS, "mixed")
        assert kind is None or reading.kind == kind
    except MmevalError as error:
        remedy = error.remedy
    assert remedy
