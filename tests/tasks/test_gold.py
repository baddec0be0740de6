"""Reading one row by a card's field mapping."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.tasks.choices import Choices, parse_literal, read_choices
from mmeval.tasks.data import Row
from mmeval.tasks.gold import (
    field_value,
    gold_answer,
    optional_text,
    required_text,
    subset_label,
    to_pixels,
)
from mmeval.tasks.prompts import LETTERS

ROW = Row(
    4,
    {"a": {"b": {"c": 5}}, "x.y": "dotted", "null": None, "nan": float("nan"), "empty": "", "zero": 0},
    "d.json, row 5",
)
CHOICES = Choices(("red", "green ", "blue"))


def test_columns_dotted_paths_and_expressions() -> None:
    assert field_value("a.b.c", ROW) == 5
    assert field_value("x.y", ROW) == "dotted"
    assert field_value("= a.b.c * 2", ROW) == 10
    assert field_value(None, ROW) is None


@pytest.mark.parametrize("column", ["absent", "a.absent", "a.b.c.d", "= absent"])
def test_a_missing_column_is_named_with_row_and_columns(column: str) -> None:
    with pytest.raises(DataError, match=r"d\.json, row 5: ") as caught:
        field_value(column, ROW)
    assert column.removeprefix("= ") in str(caught.value)
    assert "a, " in caught.value.remedy


def test_null_is_no_text() -> None:
    for column in ("null", "nan"):
        with pytest.raises(DataError, match=f"row 5: column '{column}' is null"):
            required_text(column, ROW)
        assert optional_text(column, ROW) == ""
    assert (required_text("zero", ROW), required_text("empty", ROW)) == ("0", "")
    assert optional_text(None, ROW) == ""


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        (["a", 1, 2.5], ["a", "1", "2.5"]),
        (("a",), ["a"]),
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's\"]", ["a", "it's"]),
        ({"A": "x", "B": "y", "C": None, "D": None}, ["x", "y"]),
        ({"A": "x", "B": "y", "C": "", "D": float("nan")}, ["x", "y"]),
        ({"B": "y", "A": "x"}, ["x", "y"]),
        ({1: "x", 2: "y"}, ["x", "y"]),
        ('{"A": "x", "B": "y"}', ["x", "y"]),
        ("{'A': 'x', 'B': 'y'}", ["x", "y"]),
        ({"text": ["x", "y"], "label": ["A", "B"]}, ["x", "y"]),
        ({"text": ["y", "x"], "label": ["B", "A"]}, ["x", "y"]),
        ('{"text": ["x", "y"], "label": ["1", "2"]}', ["x", "y"]),
        ("['a' 'b']", ["a", "b"]),
        ("['a'\n \"it's\"]", ["a", "it's"]),
        ("[1 2 -3]", ["1", "2", "-3"]),
        ("[0.5 1. ]", ["0.5", "1.0"]),
        ("('a', 'b')", ["a", "b"]),
        (None, []),
        (float("nan"), []),
        ("", []),
        (" ", []),
        ("[]", []),
        ({}, []),
        ([], []),
    ],
)
def test_choices_in_every_form(cell: Any, texts: list[str]) -> None:
    assert list(read_choices(cell, ROW).texts) == texts


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (5, "choices are int"),
        ("red, green", "no list"),
        ("{'a', 'b'}", "no list"),
        ("['a', 'b' 'c']", "side by side without a comma"),
        ("['a' 'b' ... 'z']", "no list"),
        ("['a''b']", "side by side without a comma"),
        ({"first": "x", "second": "y"}, "called first, second, which has no order"),
        ({"A": "x", "C": "y"}, "called A, C, which has no order"),
        ({"A": "x", "a": "y"}, "has no order"),
        ({"text": ["x", "y"], "label": ["A"]}, "two lists of one length"),
        ({"text": ["x", "y"], "label": ["A", "A"]}, "has no order"),
        ([["a", "b"], ["c"]], "choice 1 of 2 is list"),
        ([{"text": "x"}], "choice 1 of 1 is dict"),
        ([b"x"], "choice 1 of 1 is bytes"),
        ("__import__('os').getcwd()", "no list"),
        ("[" * 5000, "no list"),
        (["a"] * 27, "27 choices, at most 26"),
        (["a", None, "c"], "choice 2 of 3 is null"),
        ({"A": "x", "B": None, "C": "z"}, "choice 2 of 3 is null"),
    ],
)
def test_wrong_choices_are_named(cell: Any, says: str) -> None:
    with pytest.raises(DataError, match=rf"d\.json, row 5.*{says}"):
        read_choices(cell, ROW)


TEXTS = st.lists(st.text(max_size=12), min_size=2, max_size=26)


@settings(deadline=None)
@given(TEXTS)
def test_every_way_to_write_a_list_gives_the_same_options(texts: list[str]) -> None:
    import numpy as np

    letters = LETTERS[: len(texts)]
    forms: list[Any] = [
        texts,
        tuple(texts),
        json.dumps(texts),
        repr(texts),
        repr(tuple(texts)),
        {"text": texts, "label": list(letters)},
        json.dumps({"text": texts, "label": [str(number + 1) for number in range(len(texts))]}),
    ]
    with np.printoptions(threshold=1000):
        printed = str(np.array(texts, dtype=object))
    forms.append(printed)
    if texts[-1]:
        forms += [dict(zip(letters, texts, strict=True)), dict(reversed(list(zip(letters, texts, strict=True))))]
    for form in forms:
        assert list(read_choices(form, ROW).texts) == texts, form


@given(st.text(max_size=40) | st.text(alphabet="[]{}'\"\\, ab1.:\n", max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DataError):
        assert all(isinstance(choice, str) for choice in read_choices(text, ROW).texts)


@pytest.mark.parametrize(("raw", "letter"), [("2", "B"), (3, "C"), ("(1)", "A")])
def test_gold_may_use_the_labels_of_the_data_set(raw: Any, letter: str) -> None:
    found = read_choices({"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, ROW)
    assert gold_answer(raw, "choice", "letter", found, ROW) == letter
    with pytest.raises(DataError, match="is no letter"):
        gold_answer("4", "choice", "letter", found, ROW)
    with pytest.raises(DataError, match="is no letter"):
        gold_answer(raw, "choice", "letter", Choices(found.texts), ROW)


def test_a_list_literal_is_never_run() -> None:
    with pytest.raises(DataError):
        parse_literal("[open('/tmp/x', 'w')]", "p")


@pytest.mark.parametrize(
    ("raw", "form", "letter"),
    [
        ("B", "letter", "B"), ("(b)", "letter", "B"), (" c. ", "letter", "C"),
        ("green", "text", "B"), (" blue", "text", "C"),
        (0, "index", "A"), ("2", "index", "C"), (1.0, "index", "B"),
        ("anything", "value", "anything"), (None, "letter", None), (float("nan"), "index", None),
        ("", "letter", None), (" ", "value", None),
    ],
)  # fmt: skip
def test_gold_letters(raw: Any, form: str, letter: str | None) -> None:
    assert gold_answer(raw, "choice", form, CHOICES, ROW) == letter


@pytest.mark.parametrize(
    ("raw", "form", "says"),
    [
        ("D", "letter", "'D' is no letter of the 3 choices"),
        ("AB", "letter", "is no letter"),
        ("purple", "text", r"'purple' is none of the choices \['red'"),
        ("Red", "text", "none of the choices"),
        (3, "index", "index 3 is outside the 3 choices"),
        (-1, "index", "outside"),
        (True, "index", "outside"),
        (1.5, "index", "outside"),
        ("x", "index", "outside"),
    ],
)
def test_an_impossible_gold_is_an_error(raw: Any, form: str, says: str) -> None:
    with pytest.raises(DataError, match=rf"d\.json, row 5: .*{says}") as caught:
        gold_answer(raw, "choice", form, CHOICES, ROW)
    assert "answer.target" in caught.value.remedy


def test_other_kinds_keep_their_gold() -> None:
    assert gold_answer([1, 2], "box", "letter", Choices(), ROW) == [1, 2]
    assert gold_answer("7", "number", "index", Choices(), ROW) == "7"


def test_labels() -> None:
    assert subset_label(["a", "b | c"]) == "a | b / c"
    assert subset_label(None) == "none"
    assert subset_label("x | y") == "x / y"
    assert subset_label(3) == "3"


def test_gold_coordinates_become_pixels() -> None:
    assert to_pixels([0.5, 0.25, 1, 1], (200, 100), 1.0) == [100, 25, 200, 100]
    assert to_pixels([500, 250], (200, 100), 1000.0) == [100, 25]
    assert to_pixels([[0, 0, 1000, 1000]], (200, 100), 1000.0) == [[0, 0, 200, 100]]
    assert to_pixels({"box": [0, 0, 0.5, 0.5], "label": "cat"}, (200, 100), 1.0) == {
        "box": [0, 0, 100, 50],
        "label": "cat",
    }
    assert to_pixels(None, (2, 2), 1.0) is None


@pytest.mark.parametrize("form", ["letter", "text", "index", "position"])
def test_a_row_without_choices_is_named(form: str) -> None:
    with pytest.raises(DataError, match=r"the row has no choices \(fields\.choices\)") as caught:
        gold_answer("A", "choice", form, Choices(), Row(0, {}, "x.jsonl, row 3"))
    assert caught.value.message.startswith("x.jsonl, row 3")
    assert "dataset.where" in caught.value.remedy
    assert gold_answer(None, "choice", form, Choices(), Row(0, {}, "p")) is None


def test_an_infinite_gold_is_its_rows_fault() -> None:
    with pytest.raises(DataError, match="row 3: answer inf is infinite"):
        gold_answer(float("inf"), "number", "value", Choices(()), Row(0, {}, "x.parquet, row 3"))


@pytest.mark.parametrize("index", [float("inf"), float("nan"), -1, 2, 0.5, "x", "1.5", True, [1]])
def test_an_index_out_of_range_is_named(index: object) -> None:
    row = Row(0, {}, "x.jsonl, row 3")
    if index != index:
        assert gold_answer(index, "choice", "index", Choices(("a", "b")), row) is None
        return
    with pytest.raises(DataError, match=r"row 3: answer index .* is outside the 2 choices"):
        gold_answer(index, "choice", "index", Choices(("a", "b")), row)
