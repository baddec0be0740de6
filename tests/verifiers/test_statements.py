from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext
from mmeval.verifiers.answer import mask
from mmeval.verifiers.number import NumberVerifier
from mmeval.verifiers.sentences import main_clause, prose, sentences
from mmeval.verifiers.statements import all_values, stated_number

STATED = [
    # the subject's numbers are given, the predicate's is the answer
    ("The gap between the two people is 20 years.", 20),
    ("The sum of the two bars in the range of 18 to 21 is 1.34.", 1.34),
    ("The value of f(0) is 1.", 1),
    ("The value of y at x = -2.5 is 3.", 3),
    ("The limit as x approaches -1 is 2", 2),
    ("The average wage in the year 2019 was €13,101.", 13101),
    ("The ratio of 2004 to that in 2007 was 1.5.", 1.5),
    ("The highest number of responses for Question 10 is 17.", 17),
    ("The rate of change between 2013 and 2014 is -3 entries per year.", -3),
    ("There are 3 bars below 40.", 3),
    ("There are 3 methods that score higher than 20.0 on the A-847 benchmark.", 3),
    ("The highest share was recorded in 2016, with 94% of schools connected.", 2016),
    ("The gap is 13 years, with the younger man being 13 and the older one being 26.", 13),
    ("In the 1990s, Canada had 3 more winners than Italy.", 3),
    ("In 2014, the total is 7.", 7),
    ("If AB = 8 and OB = 10, the diameter is 12.", 12),
    ("Given that AB is 4, and that BC is 3, the perimeter is 14", 14),
    ("The visible numbers add up to 21, which is odd.", 21),
    # the concluding sentence
    ("9 dots make 2 groups. So, if you share them, there will be 3 left: 2 red and 1 blue.", 3),
    ("The best is 100%. The worst is 20%. Therefore, the gap is 100% - 20% = 80% here.\n\nI looked at 2 bars", 80),
    ("Therefore, the force is 0.69 N. It points upwards.", 0.69),
    ("Each is 4 less. So the missing number must be 4 less than 23, which is 19.", 19),
    ("The mean of 3 and 4 is 3.5. Rounded to no decimals, the mean would be rounded up to 4.", 4),
    # the result of an equation, repeated
    ("$13 + $11 = $24\n\nDamon needs $24.", 24),
    ("9 / 3 = 3 dots\n\nThere are 3 dots in each of 3 groups.", 3),
    ("4 lb * $8 = $32 and 5 lb * $2 = $10\n\n$32 + $10 = $42\n\nIn total, Karen spent $42 on 9 lb.", 42),
    ("100 - 20 = 80\n\nThe best algorithm is 80 more accurate than the worst.", 80),
    # shares
    ("The model has 9 dots divided into 3 equal groups, with 3 dots in each group.", 3),
    ("12 pens fill 4 boxes, each box holding 3.", 3),
    ("It has 8 dots in 4 groups, with each group containing 2 dots.", 2),
    # the first sentence, explained by the others
    ("The maximum is 70. It is reached in 2009. Others range from 20 to 60.", 70),
    ("There are 12 snowmen in the image. The first 11 are classic, and the last one is inflatable.", 12),
    ("The largest bar is the one called ninety. It has a value of 10.", 10),
]
UNSTATED = [
    "There are 16 rolls on the first plate and 15 on the second plate.",
    "The range is 1 to 8.",
    "It gets about 40 to 50 miles per gallon.",
    "The ratio is 67:5.",
    "The sum is 60 + 63 + 67.",
    "The first is 30 years old and the second is 40 years old.",
    "The highest is 11%, while the lowest is 3%.",
    "The value is 5. The other value is 6.",
    "There were 11 guests. Of those, 3 went sledding.",
    "The dog is 5 and the cat is 6.",
    "78% of the people are content, while 20% are not.",
    "It was 1.29% in 1989 and 1.25% in 1990. Both were lower than the average, which was 1.73%.",
    "5 apples and 3 pears",
    "no number",
    "",
]


@pytest.mark.parametrize(("text", "value"), STATED)
def test_stated(text: str, value: float) -> None:
    found = stated_number(text)
    assert found is not None
    assert found.value == value
    assert NumberVerifier().parse(text, AnswerContext()).value == value


@pytest.mark.parametrize("text", UNSTATED)
def test_unstated(text: str) -> None:
    assert stated_number(text) is None


def test_sentences() -> None:
    text = "It is B. blue, e.g. the sky.  2. no!\nIs 2.5 fine? 好。Yes"
    parts = ["It is B. blue, e.g. the sky", "2. no", "Is 2.5 fine", "好", "Yes"]
    assert [text[start:end] for start, end in sentences(text)] == parts
    assert sentences(" .\n!") == []


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("So, if x is 5, y is 6", "y is 6"),
        ("If x is 1,000, and y is 3, z is 4", "z is 4"),
        ("y is 6, if x is 5", "y is 6, if x is 5"),
        ("Therefore y is 6", "y is 6"),
        ("If you halve the bar, which is 296, you get 148", "you get 148"),
    ],
)
def test_main_clause(text: str, clause: str) -> None:
    assert text[main_clause(text, 0, len(text)) :].strip() == clause


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("the two of 3 dogs", [3]),
        ("these two people", [2]),
        ("Question 10 has 3 parts", [3]),
        ("Question 10", [10]),
        ("less than 5", []),
        ("There are more than 50.", [50]),
        ("3 out of 10", [3]),
        ("1 zero", [1]),
        ("it adds up to 21", [21]),
        ("up to 21 of 3", [3]),
        ("1. red\n2. two dogs", [2]),
        ("the 1990s and 1990", [1990]),
        ("R/2", []),
        ("F-16", []),
        ("the only one, and only one dog", [1]),
    ],
)
def test_all_values(text: str, values: list[float]) -> None:
    assert [item.value for item in all_values(text)] == values


def test_prose_leaves_out_questions_tables_and_code() -> None:
    raw = "How many of 5?\nIt is 7.\n```\nx = 3\n```\n| a | 4 |\n| b | 5 |"
    text = prose(raw, mask(raw))
    assert len(text) == len(raw)
    assert text.split() == ["?", "It", "is", "7."]
    only_code = "```\n5\n```"
    assert prose(only_code, mask(only_code)).split() == ["5"]
    assert prose("How many of 5?", "How many of 5?").strip() == "?"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It has a value of **10**.\n\nThe others:\n\n* ego: 2\n* nerve: 0", 10),
        ("CD is **19**.\n\nHere's how I got the answer:\n\n1. We know that 24 = 5 + 19.", 19),
        ("The item is 19.\n\nThe sequence:\n\n```\n15\n32\n```", 19),
        ("There are 3 zeros.\n\nx | y\n-- | --\n1 | 0\n4 | 2", 3),
        ("First, the weight: 3 + 0.9 = 3.9 pounds.\n\n3.9 pounds * $5 = $19.50\n\nHaley spent $19.50.", 19.5),
        ("So the gap is 100 - 52.4 = 47.6%.\n\nRounding gives 47.7%.\n\nTherefore, the gap is 47.7%.", 47.7),
        ("The answer is 1.\n\nQuestion: And 1 + 1?\n\nAnswer: The answer is 2.", 1),
        ("Question: 3 + 4?\nAnswer: 7", 7),
        ("For example, if there were 3 blocks, the answer would be 3. There are 4 blocks.", 4),
        ("$|A| = 13$ and $|B| = -10$, so\n$$|AB| = 13 * -10 = -130$$\n\nSo, $|AB| = -130$.", -130),
    ],
)
def test_where_the_number_stands(text: str, value: float) -> None:
    assert NumberVerifier().parse(text, AnswerContext()).value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("To find the shipments with exactly 56 boxes, we need more information.", "refusal"),
        ("There is no information on people who work more than 35 hours.", "refusal"),
        ("In how many years is it greater than 1.6 %?", "not found"),
        ("Most have worked for more than 35 hours.", "not found"),
        ("The resistance is R/2.", "not found"),
    ],
)
def test_no_number(text: str, reason: str) -> None:
    found = NumberVerifier().parse(text, AnswerContext())
    assert (found.value, found.reason) == (None, reason)


SENTENCES = st.lists(
    st.sampled_from(
        [
            "So, if x is 5, ",
            "there are 3 ",
            "dots in each group. ",
            "The gap is ",
            "20 ",
            "(of 7) ",
            "= ",
            ", which is ",
            ", while ",
            "\n",
            "? ",
            "```\n",
            "",
            " ",
            "a ",
            "-- ",
            "and ",
            "or ",
            "for a total of ",
            "two ",
            "Therefore ",
            "1. ",
        ]
    ),
    max_size=24,
).map("".join)


@given(st.text(max_size=200) | SENTENCES)
def test_never_raises(text: str) -> None:
    masked = mask(text)
    assert len(prose(text, masked)) == len(text)
    found = stated_number(masked)
    if found is not None:
        assert 0 <= found.start < found.end <= len(text)
    for (_, end), (start, _) in zip(sentences(text), sentences(text)[1:], strict=False):
        assert end <= start


def test_long_input_is_linear() -> None:
    for text in (
        "1 " * 50_000,
        "If " * 30_000,
        "is 5, " * 20_000,
        "a? " * 30_000,
        "```\n" * 20_000,
        "| 1 |\n" * 15_000,
    ):
        assert NumberVerifier().parse(text, AnswerContext()).value in (None, 1, 5)
