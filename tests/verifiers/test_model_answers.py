"""Answers as current models write them: taken back, in other languages, with remarks behind, in notations of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.registry import get_verifier

COLOURS = ("red", "blue", "green", "yellow")
PIXELS = AnswerContext((), {}, (1000, 500), (1000, 500))
THOUSAND = replace(PIXELS, coordinates="thousand")
LOC = "<loc0256><loc0512><loc0512><loc0768>"


def read(name: str, text: str, choices: tuple[str, ...] = (), options: dict[str, Any] | None = None) -> Any:
    return get_verifier(name, options).parse(text, AnswerContext(choices)).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.2 meters. The table is 0.8 m wide.", None),
        ("The distance to the lamp is approximately 1.8 meters. The bed is about 2 meters long.", None),
        ("The value is 4.67. Rounded, it is 5.", 5),
        ("The rate is 21.33. To one decimal place, this is equal to 21.3.", 21.3),
        ("There are 6 rows of 7, i.e. 42 in total.", 42),
        ("There are 4 chairs and 1 table, so the total number of pieces is 5.", 5),
        ("There are 3 rows with 4 apples each.", None),
        ("42 (6 rows × 7 columns)", 42),
        ("5 (or 6)", None),
        ("10:10", None),
        ("Total: 10 = 7 + 3", None),
        ("Total = 7 + 3 = 10", 10),
        (r"\boxed{2 \cdot 3}", None),
        ("180 cm (5 ft 11 in)", 180),
        ("22.5m2", 22.5),
        ("$\\frac{14}{3}\\pi$", None),
        ("I think it's 5, but it might be 6.", None),
        ("It's 5, no wait, 6.", 6),
        ("答案是 5。等等，应该是 6。", 6),
        ("一共有三个苹果。", 3),
        ("图中有一个人和三只狗。", None),
        ("这是一张图片。", None),
        ("1,1,1; 2", None),
        ("7,000 of them", 7000),
        ('<point x="10" y="20" alt="a">7</point>', 7),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert read("number", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("B. Wait, actually, looking again, the car is green. So C.", "C"),
        ("答案是B。等等，应该是C。", "C"),
        ('{"answer": ["A", "B"]}', None),
        ("The sky is blue and the car is red.", None),
        ("Answer: A dog", None),
        ("Answer: A\n\nThe car is red.", "A"),
        ("So I choose A\nThis is the one.", "A"),
        ("A is correct, B is correct", None),
        ("A is correct. Here B is correct, and B is correct", "B"),
    ],
)
def test_options(text: str, value: str | None) -> None:
    assert read("choice", text, COLOURS) == value


def test_no_idea_is_no_no() -> None:
    assert read("choice", "I have no idea", ("Yes", "No")) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('The sign says "Yes".', None),
        ('No; the sign says "yes".', "no"),
        ("No (there is no dog).", "no"),
        ("There is no (visible) dog.", None),
        ('I\'d say "yes".', "yes"),
    ],
)
def test_yes_and_no(text: str, value: str | None) -> None:
    assert read("yes-no", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('<points coords="1 1 073 160 2 173 600 3 258 725">the boats</points>', 3),
        ('Counting the <points x1="1.0" y1="2.0" x2="3.0" y2="4.0" alt="cats">cats</points> shows a total of 2.', 2),
        ("The image does not contain any apples.", 0),
        ("I can't see any apples in the image.", 0),
        ("I can't see any image.", None),
        ("I cannot see any visual content.", None),
        ("I can't see any uploaded content here.", None),
        ("I can't identify any people in this image.", None),
        ("The solution cannot be provided as the chart is not visible in the text.", None),
    ],
)
def test_counts(text: str, value: int | None) -> None:
    assert read("count", text) == value


@pytest.mark.parametrize("context", [PIXELS, THOUSAND])
def test_tokens_of_paligemma_have_a_space_of_their_own(context: AnswerContext) -> None:
    box = [500.0, 125.0, 750.0, 250.0]
    assert get_verifier("box").parse(f"{LOC} cat", context).value == box
    assert get_verifier("boxes").parse(f"{LOC} cat ; {LOC} dog", context).value == [box, box]
    found = get_verifier("detections").parse(f"{LOC} cat ; {LOC} big dog", context).value
    assert [(one["box"], one["label"]) for one in found] == [(box, "cat"), (box, "big dog")]
    assert get_verifier("point", {"accept_box": True}).parse(LOC, context).value == [625.0, 187.5]
    with pytest.raises(DataError, match="image size"):
        get_verifier("box").parse(LOC, AnswerContext())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('<points coords="1 1 073 160">boat</points>', [73.0, 80.0]),
        ('<points coords="1 073 160"/>', [73.0, 80.0]),
        ('<points coords="0.5 1 073 160" alt="boat">', [73.0, 80.0]),
        ('<points coords="1 1 073 160 2 173 600">boats</points>', None),
        ('<points coords="1 1 073 160\t2 1 173 600">boats</points>', None),
        ('<points coords="1 1 073 160 2 173', None),
        ('<points coords="">', None),
    ],
)
def test_points_of_molmo_2(text: str, value: list[float] | None) -> None:
    assert get_verifier("point").parse(text, THOUSAND).value == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rating", "满分5分，我给4分。", 4),
        ("rating", "On a scale from 1 to 5: 4", 4),
        ("rating", "On a scale from 1 to 10: 4", None),
        ("text", "$5.00", "$5.00"),
        ("text", "$5$", "5"),
        ("text", "Answer: 'tis", "'tis"),
        ("list", '{"answer": ["cat", "dog"]}', ["cat", "dog"]),
        ("list", '["cat", "dog", "bi', None),
        ("list", "I can't tell.", None),
    ],
)
def test_ratings_texts_and_lists(name: str, text: str, value: Any) -> None:
    assert read(name, text) == value
