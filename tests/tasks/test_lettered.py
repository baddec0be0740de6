"""Options that stand in the text of a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.tasks.lettered import lettered
from mmeval.tasks.prompts import evaluate


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Find x.\nChoices:\nA:40°\nB:60°\nC:120°", ["40°", "60°", "120°"]),
        ("Find x.\nChoices:\nA:26°\nB:74°\n102", ["26°", "74°"]),
        ("Which way?\n\nA. The left\nB. The right\nPlease answer directly.", ["The left", "The right"]),
        ("(A) red (B) dark blue (C) a (very) light green", ["red", "dark blue", "a (very) light green"]),
        ("Look.\nOptions: A: one, B: two, C: three", ["one", "two", "three"]),
        ("Options: A: one, B: two", ["one", "two"]),
        ("Options: A: 1, 2, B: 3, 4", ["1, 2", "3, 4"]),
        ("A. red, B. blue; green C. none", ["red,", "blue; green", "none"]),
        ("A. 300, 400;B. 400, 300;C. No correct answer", ["300, 400", "400, 300", "No correct answer"]),
        ("The bearing of B from point A.\nChoice:\nA. 090° T\nB. 180° T", ["090° T", "180° T"]),
        ("A. first\nof two lines\nB. second", ["first\nof two lines", "second"]),
        ("A、 红色\nB、 蓝色", ["红色", "蓝色"]),
        ("In triangle ABC, angle A = 50 and B: none", []),
        ("A. the only one", []),
        ("B. no A\nC. either", []),
        ("", []),
    ],
)
def test_options_are_read(text: str, options: list[str]) -> None:
    assert lettered(text) == options


def test_cards_use_it_as_a_filter() -> None:
    assert evaluate("(question | lettered) or ['A']", {"question": "A. x\nB. y"}) == ["x", "y"]
    assert evaluate("(question | lettered) or ['A']", {"question": None}) == ["A"]


@given(st.text(alphabet="ABC.:() \nxy", max_size=200))
def test_it_never_raises_and_finds_two_or_none(text: str) -> None:
    found = lettered(text)
    assert len(found) != 1
    assert all(option in text for option in found)


@given(
    st.lists(st.text(alphabet="xyz0189 ", min_size=1, max_size=9).map(str.strip).filter(bool), min_size=2, max_size=26)
)
def test_what_is_written_is_read_again(options: list[str]) -> None:
    text = "Which?\n" + "\n".join(f"{chr(65 + index)}. {option}" for index, option in enumerate(options))
    assert lettered(text) == options
