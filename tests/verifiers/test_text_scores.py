"""Scores of text-reading benchmarks: ANLS, VQA accuracy, relaxed accuracy, containment."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction
from mmeval.verifiers.text import SCORES, TextVerifier
from mmeval.verifiers.text_scores import anls, includes, relaxed, vqa_accuracy, vqa_normalise

PLAIN = AnswerContext()


@pytest.mark.parametrize(
    ("answer", "golds", "score"),
    [
        ("paris", ["Paris"], 1.0),
        ("Paris ", ["  paris"], 1.0),
        ("new   york", ["new york"], 1.0),
        ("pari", ["paris"], 0.8),
        ("parts", ["paris"], 0.8),
        ("abcd", ["abxy"], 0.5),
        ("abc", ["axy"], 0.0),
        ("rome", ["paris", "romes"], 0.8),
        ("", ["paris"], 0.0),
        ("", [""], 1.0),
        ("12.5%", ["12.5 %"], 1 - 1 / 6),
        ("new   yorx", ["new york"], 1 - 1 / 10),  # lengths are those of the texts as they stand
        ("straße x", ["straße"], 1 - 2 / 9),  # in capitals
    ],
)
def test_anls(answer: str, golds: list[str], score: float) -> None:
    assert anls(answer, golds) == pytest.approx(score)
    found = TextVerifier({"match": "anls"}).match(answer, golds, PLAIN)
    assert (found.score, found.correct) == (pytest.approx(score), None)
    assert set(found.scores) == {"anls", "exact", "contains"}


@pytest.mark.parametrize(("same", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0), (10, 1.0)])
def test_vqa_accuracy_of_ten_annotators(same: int, score: float) -> None:
    golds = ["red"] * same + [f"other {index}" for index in range(10 - same)]
    assert vqa_accuracy("Red", golds) == pytest.approx(score)
    # By the definition: the mean over leaving each of the annotators out.
    left_out = [min(1.0, (same - (index < same)) / 3) for index in range(10)]
    assert vqa_accuracy("red", golds) == pytest.approx(sum(left_out) / 10)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Red Car", "red car"),
        ("a an the", ""),
        ("two", "2"),
        ("None", "0"),
        ("ten dollars", "10 dollars"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("3.5.", "3.5"),
        ("U.S.A.", "usa"),
        ("what?", "what"),
        ("well-known", "well known"),
        ("a - b", "b"),
        ("red/blue", "red blue"),
        ("(red)", "red"),
        ("dont", "don't"),
        ("couldntve", "couldntve"),
        ("couldn'tve", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("oclock", "o'clock"),
        ("joe's", "joe 's"),
        ("line\nbreak\ttab", "line break tab"),
        ("“quoted”", "“quoted”"),
        ("yall'd've", "y'all'd've"),
    ],
)
def test_vqa_normalisation(text: str, normal: str) -> None:
    assert vqa_normalise(text) == normal


def test_vqa_through_the_verifier() -> None:
    verifier = TextVerifier({"match": "vqa"})
    found = verifier.match("the Coca-Cola", ["coca cola"] * 2 + ["pepsi"] * 8, PLAIN)
    assert (found.score, found.correct) == (pytest.approx(0.6), None)
    assert found.scores == {"exact": 1.0, "contains": 1.0, "vqa": pytest.approx(0.6)}
    for target in ("red", ["red"]):
        with pytest.raises(DataError, match="annotators"):
            verifier.match("red", target, PLAIN)


@pytest.mark.parametrize(
    ("answer", "gold", "strict", "lenient"),
    [
        ("100", "100", True, True),
        ("105", "100", True, True),
        ("95", "100", True, True),
        ("105.1", "100", False, False),
        ("-95", "-100", True, True),
        ("12%", "12%", True, True),
        ("12%", "0.12", True, True),
        ("12%", "12", False, True),
        ("12", "12%", False, True),
        ("1,000", "1000", False, True),
        ("1000", "1,000", False, True),
        ("$5.00", "5", False, True),
        ("5 cm", "5", False, True),
        ("0", "0", True, True),
        ("0.0", "0", False, True),
        ("0.01", "0", False, False),
        ("nan", "nan", False, True),
        ("Yes", "yes", True, True),
        ("yes.", "yes", False, True),
        ("the yes", "yes", False, True),
        ("no", "yes", False, False),
        ("2014", "2015", True, True),
        ("between 3 and 5", "4", False, False),
        ("blue", "5", False, False),
    ],
)
def test_relaxed(answer: str, gold: str, strict: bool, lenient: bool) -> None:
    assert relaxed(answer, gold) is strict
    found = TextVerifier({"match": "relaxed"}).match(answer, gold, PLAIN)
    assert (found.correct, found.score) == (strict, float(strict))
    assert found.scores["relaxed"] == float(strict)
    assert found.scores["relaxed_lenient"] == float(lenient)


@pytest.mark.parametrize(
    ("answer", "gold", "spaced", "without"),
    [
        ("It says CENTRE.", "centre", True, False),
        ("centred", "centre", True, True),
        ("new\nyork", "new york", True, True),
        (r"x ^ 2 + 1", "x^2+1", False, True),
        (r"X^2", "x^2", True, False),
        ("5", "15", False, False),
    ],
)
def test_includes(answer: str, gold: str, spaced: bool, without: bool) -> None:
    assert includes(answer, gold, spaces=True) is spaced
    assert includes(answer, gold, spaces=False) is without
    verifier = TextVerifier({"match": "includes-any"})
    found = verifier.match(answer, ["never there", gold], PLAIN)
    assert (found.correct, found.scores["includes_any"]) == (spaced, float(spaced))
    row = AnswerContext(options={"spaces": False})
    assert verifier.match(answer, ["never there", gold], row).correct is without


def test_blank_accepted_strings_are_in_no_answer() -> None:
    assert TextVerifier({"match": "includes-any"}).match("anything", ["", " "], PLAIN).correct is False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The answer is Paris. It is big.", "The answer is Paris. It is big."),
        (" \n Paris\n", "Paris"),
        ("<think>Rome</think> <answer>Paris</answer>", "<answer>Paris</answer>"),
        (r"\boxed{x}", r"\boxed{x}"),
        ("<think>Rome", None),
        (" ", None),
        ("", None),
    ],
)
def test_the_whole_response(text: str, value: str | None) -> None:
    verifier = TextVerifier({"whole": True})
    found = verifier.parse(text, PLAIN)
    assert found.value == value
    if value is not None:
        assert found.span is not None
        assert text[slice(*found.span)] == value
        assert verifier.parse(value, PLAIN).value == value
    else:
        assert found == Extraction(reason="unfinished reasoning" if "think" in text else "empty")


def test_unknown_match() -> None:
    with pytest.raises(DataError, match=r"'fuzzy'(.|\n)*anls"):
        TextVerifier({"match": "fuzzy"}).match("a", "a", PLAIN)


@given(st.text(max_size=60), st.lists(st.text(max_size=20), min_size=2, max_size=10))
def test_scores_are_bounded_and_never_raise(answer: str, golds: list[Any]) -> None:
    for how, names in SCORES.items():
        found = TextVerifier({"match": how}).match(answer, golds, PLAIN)
        assert set(found.scores) == {"exact", "contains", *names}
        assert all(0 <= value <= 1 for value in found.scores.values())
        assert found.score == found.scores[how.replace("-", "_")]


@given(st.text(max_size=40))
def test_an_answer_that_is_the_gold_is_right(text: str) -> None:
    assert anls(text, [text]) == 1
    assert vqa_accuracy(text, [text] * 10) == 1
    # The common scripts read "nan" and "Infinity" as numbers, which are not within 5 % of themselves.
    assert relaxed(text, text) or re.fullmatch(r"[+-]?(?:nan|inf(?:inity)?)\s*%*", text.strip().lower())
