"""Prompts: the sandbox holds, placeholders go where they belong, nothing undefined is asked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, MmevalError, UsageError
from mmeval.core.types import MediaPart, TextPart
from mmeval.tasks.prompts import (
    DEFAULT_TEMPLATE,
    INSTRUCTIONS,
    build_messages,
    compile_expression,
    compile_template,
    evaluate,
    instruction_for,
    media_numbers,
    place_media,
    render,
)

ESCAPES = [
    "''.__class__",
    "''.__class__.__mro__[1].__subclasses__()",
    "question.__class__.__base__",
    "'{0.__class__}'.format(question)",
    "'%s'.__mod__(question)",
    "(question|attr('__class__')).__name__",
    "cycler.__init__.__globals__",
    "self.__init__",
    "choices.append('x')",
    "row.update({'x': 1})",
]


@pytest.mark.parametrize("attack", ESCAPES)
def test_a_template_cannot_leave_the_sandbox(attack: str) -> None:
    values: dict[str, Any] = {"question": "q", "choices": ["a"], "row": {"k": "v"}}
    with pytest.raises(MmevalError):
        render("{{ " + attack + " }}", values)
    assert values == {"question": "q", "choices": ["a"], "row": {"k": "v"}}


@pytest.mark.parametrize("attack", ESCAPES)
def test_an_expression_cannot_leave_the_sandbox(attack: str) -> None:
    with pytest.raises(MmevalError):
        evaluate(attack, {"question": "q", "choices": ["a"], "row": {}})


def test_a_question_is_never_a_template() -> None:
    text = render(DEFAULT_TEMPLATE, {"question": "{{ 7 * 7 }} <b>&", "choices": ["{% x %}"], "instruction": ""})
    assert text == "{{ 7 * 7 }} <b>&\n(A) {% x %}"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ qestion }}", "qestion"),
        ("{{ question.nothing }}", "nothing"),
        ("{{ question + 1 }}", "str"),
        ("{{ 1 / 0 }}", "zero"),
        ("{% for i in range(10**9) %}{% endfor %}", "ange"),
    ],
)
def test_a_template_that_fails_on_a_row_says_why(template: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        render(template, {"question": "q"})
    assert "question" in str(caught.value)


def test_a_broken_template_names_its_line() -> None:
    with pytest.raises(UsageError, match="line 3"):
        compile_template("a\nb\n{{ x")


@pytest.mark.parametrize("text", ["answer +", "", "a b", "{{ a }}"])
def test_a_broken_expression_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="expression"):
        compile_expression(text)


def test_expressions_keep_types_and_see_every_column() -> None:
    row = {"a": [1, 2], "self": 3, "b c": 4, "text": "x"}
    assert evaluate("a", row) == [1, 2]
    assert evaluate("'choice' if a|length == 2 else 'number'", row) == "choice"
    assert evaluate("missing if missing is defined else None", row) is None
    assert evaluate("row['b c']", row) == evaluate("row.get('b c')", row) == 4
    assert evaluate("row", {"row": 7}) == 7
    with pytest.raises(DataError, match="'missing'"):
        evaluate("missing", row)
    with pytest.raises(DataError, match="'missing'"):
        evaluate("missing + 1", row)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False), ("", False), (" \n", False), ("[]", False), ([], False), ({}, False), (float("nan"), False),
        ("x", True), (0, True), (False, True), (["a"], True), ("nan", True),
    ],
)  # fmt: skip
def test_an_empty_cell_is_told_from_a_filled_one(value: Any, expected: bool) -> None:
    assert evaluate("row.get('a') is filled", {"a": value}) is expected


def test_default_prompts() -> None:
    values = {"question": "Which?", "choices": ["red", "blue"], "instruction": "Say it."}
    assert render(DEFAULT_TEMPLATE, values) == "Which?\n(A) red\n(B) blue\nSay it."
    assert render(DEFAULT_TEMPLATE, {"question": "Why?", "choices": [], "instruction": None}) == "Why?"


@pytest.mark.parametrize("kind", sorted(INSTRUCTIONS))
@pytest.mark.parametrize("space", ["pixels", "unit", "thousand"])
@pytest.mark.parametrize("order", ["xy", "yx"])
def test_instructions_speak_of_the_models_own_coordinates(kind: str, space: str, order: str) -> None:
    text = instruction_for(kind, {"low": 2, "high": 7}, space, order)
    assert "{" not in text.replace("\\boxed{}", "")
    if kind in {"box", "boxes"}:
        assert ("y1, x1, y2, x2" in text) == (order == "yx")
    if kind in {"box", "boxes", "point"}:
        assert {"pixels": "in pixels", "unit": "0 to 1", "thousand": "0 to 1000"}[space] in text
    if kind == "rating":
        assert "2 to 7" in text


def test_a_kind_without_an_instruction_is_named() -> None:
    with pytest.raises(DataError, match=r"'transcript'(.|\n)*prompt\.instruction"):
        instruction_for("transcript", {}, "pixels", "xy")


def test_lists_are_asked_for_by_their_form() -> None:
    said = {form: instruction_for("list", {"form": form}, "pixels", "xy") for form in ("list", "set", "interval")}
    assert "any order" in said["set"]
    assert "round brackets" in said["interval"]
    assert instruction_for("list", {}, "pixels", "xy") == said["list"] != said["set"]


M, T = MediaPart, TextPart


@pytest.mark.parametrize(
    ("text", "count", "placeholder", "expected"),
    [
        ("q", 2, None, (M(0), M(1), T("q"))),
        ("q", 0, None, (T("q"),)),
        ("<image1> or <image2>?", 2, "<image{i}>", (M(0), T(" or"), M(1), T("?"))),
        ("<image2>, <image1>", 2, "<image{i}>", (M(1), T(","), M(0))),
        ("see <image1>", 3, "<image{i}>", (M(1), M(2), T("see"), M(0))),
        ("<image1> and <image1>", 1, "<image{i}>", (M(0), T(" and"), M(0))),
        ("<image9> x", 1, "<image{i}>", (M(0), T("<image9> x"))),
        ("<image> a <image> b <image>", 2, "<image>", (M(0), T(" a"), M(1), T("b <image>"))),
        ("<image>", 1, "<image>", (M(0),)),
        ("no marks", 1, "<image{i}>", (M(0), T("no marks"))),
        ("a [1] b", 1, "[{i}]", (T("a"), M(0), T("b"))),
    ],
)
def test_images_go_where_they_are_marked(
    text: str, count: int, placeholder: str | None, expected: tuple[object, ...]
) -> None:
    assert place_media(text, range(1, count + 1), placeholder) == expected


def test_images_are_numbered_by_their_columns() -> None:
    assert media_numbers([1, 0, 1]) == [1, 3]
    assert media_numbers([0, 0]) == []
    assert media_numbers([3]) == [1, 2, 3]
    assert media_numbers([2, 1]) == [1, 2, 3]
    assert media_numbers([]) == []
    # The second column is empty: the third picture stays the third.
    assert place_media("<image 3> <image 2>", [1, 3], "<image {i}>") == (M(0), M(1), T("<image 2>"))
    assert place_media("<image " + 5000 * "9" + ">", [1], "<image {i}>")[0] == M(0)


@pytest.mark.parametrize(
    ("text", "count", "placeholder", "says"),
    [
        ("<image9> x", 1, "<image{i}>", "shows image 9 (<image9>), and the row has 1 image"),
        ("<image 0> x", 2, "<image {i}>", "shows image 0 (<image 0>), and the row has 2 images"),
        ("a <image> b <image>", 1, "<image>", "shows image 2 (<image>), and the row has 1 image"),
        ("<image1>", 0, "<image{i}>", "shows image 1 (<image1>), and the row has 0 images"),
    ],
)
def test_an_image_that_the_row_does_not_have_is_an_error(text: str, count: int, placeholder: str, says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)) as caught:
        place_media(text, range(1, count + 1), placeholder, strict=True)
    assert "prompt.unmatched" in caught.value.remedy


@given(
    st.text(alphabet="ab <image>123\n", max_size=40),
    st.integers(0, 4),
    st.sampled_from([None, "<image{i}>", "<image>"]),
)
def test_every_image_is_shown_and_no_text_is_lost(text: str, count: int, placeholder: str | None) -> None:
    parts = place_media(text, range(1, count + 1), placeholder)
    assert {part.index for part in parts if isinstance(part, MediaPart)} == set(range(count))
    kept = "".join(part.text for part in parts if isinstance(part, TextPart))
    marks = "" if placeholder is None else "<image>0123456789"
    assert [c for c in kept if c not in marks + " \n"] == [c for c in text if c not in marks + " \n"]


def test_a_system_turn_comes_first_and_only_when_there_is_one() -> None:
    assert [message.role for message in build_messages((T("q"),), "be brief")] == ["system", "user"]
    assert [message.role for message in build_messages((T("q"),), None)] == ["user"]
    assert [message.role for message in build_messages((T("q"),), "")] == ["user"]
