"""Columns are found by name, one for each role, or the error says which there are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError, MmevalError, UsageError
from mmeval.tasks.columns import NAMES, Columns, find_columns, parse_columns


def found(*rows: dict[str, Any], given: dict[str, list[str]] | None = None) -> Columns:
    return find_columns(rows, given or {}, "x.tsv")


def test_an_lmudata_file() -> None:
    row = {
        "index": "0", "question": "q", "hint": "", "A": "a", "B": "b", "C": "", "D": "", "answer": "A", "category": "k",
        "l2-category": "x", "split": "val", "image": "0", "image_path": "0.jpg", "comment": "z",
    }  # fmt: skip
    other = {**row, "index": "1", "hint": "look", "category": "l", "l2-category": "y"}
    columns = found(row, other)
    assert columns == Columns(
        question="question", answer="answer", id="index", hint="hint", image=("image",), choices=("A", "B", "C", "D"),
        category=("category", "l2-category"),
    )  # fmt: skip
    assert columns.unused == ("split", "image_path", "comment")
    assert not columns.listed


@pytest.mark.parametrize(
    ("row", "role", "column"),
    [
        ({"Question": "q", "Answer": "a"}, "question", "Question"),
        ({"QUESTION TEXT": "q", "answer": "a"}, "question", "QUESTION TEXT"),
        ({"question": "q", "prompt": "p", "query": "r", "answer": "a"}, "question", "question"),
        ({"question": "", "prompt": "p", "answer": "a"}, "question", "prompt"),
        ({"text": "q", "label": "yes"}, "answer", "label"),
        ({"prompt": "q", "text": "t", "Ground-Truth": "a"}, "answer", "Ground-Truth"),
        ({"question": "q", "answers": ["a"], "gold": "g"}, "answer", "gold"),
        ({"question": "q", "answer": "a", "id": 1, "index": 2}, "id", "index"),
        ({"question": "q", "answer": "a", "question_id": 1}, "id", "question_id"),
        ({"question": "q", "answer": "a"}, "id", None),
        ({"question": "q", "answer": "a", "_key": "7", "pid": 1}, "id", "pid"),
        ({"question": "q", "answer": "a", "image": "x.png", "decoded_image": {"bytes": b"x"}}, "image", ("decoded_image",)),
        ({"question": "q", "answer": "a", "image": "", "image_path": "x.png"}, "image", ("image_path",)),
        ({"question": "q", "answer": "a", "image_2": "b", "image_1": "a", "image_10": None}, "image", ("image_1", "image_2", "image_10")),
        ({"question": "q", "answer": "a"}, "image", ()),
        ({"question": "q", "answer": "a", "options": ["x"]}, "choices", ("options",)),
        ({"question": "q", "answer": "a", "a": "1", "b": "2"}, "choices", ("a", "b")),
        ({"question": "q", "answer": "a", "A": "1"}, "choices", ()),
        ({"question": "q", "answer": "a", "option_b": "2", "Option A": "1"}, "choices", ("Option A", "option_b")),
        ({"question": "q", "answer": "a", "choice1": "2", "choice0": "1", "choice2": ""}, "choices", ("choice0", "choice1", "choice2")),
        ({"question": "q", "answer": "A", "A": "1", "B": "2", "choices": "['1', '2']"}, "choices", ("A", "B")),
    ],
)  # fmt: skip
def test_columns_are_found_by_name(row: dict[str, Any], role: str, column: Any) -> None:
    assert getattr(found(row), role) == column


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "p", "query": "q", "answer": "a"}, "several columns may be the question: prompt, query"),
        ({"question": "p", "Question": "q", "answer": "a"}, "several columns may be the question: question, Question"),
        ({"question": "q", "label": "a", "target": "b"}, "several columns may be the answer: label, target"),
        ({"question": "q", "answer": "a", "image": "x", "images": ["x"]}, "several columns may be the image: image, images"),
        ({"question": "q", "answer": "a", "image": "x", "image_1": "y"}, "several columns may be the image: image, image_1"),
        ({"question": "q", "answer": "a", "choices": "[1, 2]", "options": "[1, 2]"}, "several columns may be the choices: choices, options"),
        ({"question": "q", "answer": "A", "A": "1", "B": "2", "choices": "['2', '1']"}, "several columns may be the choices: A, B, choices"),
        ({"question": "q", "answer": "A", "A": "1", "B": "2", "D": "4"}, "options in columns A, B, D, and there is no C"),
        ({"question": "q", "answer": "A", "option_a": "1", "choice_a": "2"}, "several columns may be the choices: option_a, choice_a"),
        ({"question": "q", "answer": "a", "figure": "a/1.PNG"}, "column 'figure' looks like images, and no column is the image by its name"),
        ({"question": "q", "answer": "a", "figures": [{"bytes": b"x", "path": None}]}, "column 'figures' looks like images"),
        ({"question": "q", "image": "x"}, "no column for the answer"),
        ({"question": "q", "answer": ""}, "no column for the answer (answer is empty in the first rows)"),
        ({"words": "q", "answer": "a"}, "no column for the question"),
        ({"question;answer": "q;a"}, "one column, 'question;answer': the cells are not apart"),
        ({}, "no column for the question"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        found(row)
    assert f"x.tsv: {says}" in caught.value.message
    assert "--column" in caught.value.remedy or "save the file" in caught.value.remedy


def test_what_the_user_says_wins() -> None:
    row = {
        "index": 1,
        "question": "q",
        "prompt": "p",
        "answer": "a",
        "gold": "g",
        "image": "x",
        "A": "1",
        "B": "2",
        "kind": "k",
    }
    given = parse_columns(
        ["question=prompt", "answer= Gold ", "image=", "id=", "options=A", "choices=B", "category=kind", "subset=index"]
    )
    assert found(row, given=given) == Columns(
        question="prompt", answer="gold", choices=("A", "B"), category=("kind", "index")
    )
    nested = found({"meta": {"q": "x"}, "answer": "a"}, given={"question": ["meta.q"], "choices": ["= [1, 2]"]})
    assert (nested.question, nested.choices, nested.listed) == ("meta.q", ("= [1, 2]",), True)


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("question", "ROLE=COLUMN is expected"),
        ("questoin=x", "unknown role of --column 'questoin'\n  -> did you mean question"),
        ("question=promt", "--column question=promt: x.tsv has no such column\n  -> did you mean prompt"),
    ],
)
def test_a_wrong_column_option_is_named(pair: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        found({"prompt": "p", "answer": "a"}, given=parse_columns([pair]))
    assert says in str(caught.value)


def test_a_role_with_one_column_takes_one() -> None:
    with pytest.raises(UsageError, match="--column answer: given a and b"):
        parse_columns(["answer=a", "answer=b"])


def test_an_id_that_is_not_each_rows_own_is_none() -> None:
    rows = [{"question": "q", "answer": "a", "question_id": n // 2} for n in range(4)]
    assert found(*rows).id is None
    assert found(*rows, given={"id": ["question_id"]}).id == "question_id"
    assert found(*({**row, "id": 7} for row in rows)).id == "id"


def test_categories_are_labels() -> None:
    rows = [
        {
            "question": "q", "answer": "a", "category": f"c{n % 3}", "source": f"https://host/{n}", "split": "val",
            "skills": ["x", f"y{n % 2}"], "topic": {"a": n}, "task": "long " * 30 + str(n % 2), "level": n % 5,
        }
        for n in range(200)
    ]  # fmt: skip
    assert found(*rows).category == ("category", "skills", "level")


CELLS = (
    st.none()
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.lists(st.text(max_size=3), max_size=3)
    | st.binary(max_size=3)
)
COLUMN_NAMES = st.sampled_from(
    [name for groups in NAMES.values() for group in groups for name in group]
    + ["A", "B", "C", "a", "b", "option_a", "option_2", "image_1", "Question", "x y", ""]
) | st.text(max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(COLUMN_NAMES, CELLS, max_size=8), min_size=1, max_size=4))
def test_any_columns_are_found_or_refused(rows: list[dict[str, Any]]) -> None:
    try:
        columns = found(*rows)
    except MmevalError as error:
        remedy = error.remedy
        assert remedy
        return
    names = {name for row in rows for name in row}
    single = [columns.question, columns.answer, columns.id, columns.hint, columns.cluster]
    used = [name for name in (*single, *columns.image, *columns.choices, *columns.category) if name is not None]
    assert len(used) == len(set(used))
    assert set(used) <= names
    assert not set(used) & set(columns.unused)
