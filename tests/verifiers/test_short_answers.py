"""Yes or no, text, rating, mixed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.tasks.task import MIXED_KINDS as TASK_KINDS
from mmeval.verifiers.base import verify
from mmeval.verifiers.mixed import MIXED_KINDS, MixedVerifier
from mmeval.verifiers.rating import RatingVerifier
from mmeval.verifiers.text import TextVerifier, normalise
from mmeval.verifiers.yes_no import YesNoVerifier

PLAIN = AnswerContext()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("Yes.", "yes"),
        ("No", "no"),
        ("no, there isn't", "no"),
        ("No there is not", "no"),
        ("Yes, there is no dog", "yes"),
        ("Yes it is", "yes"),
        ("**Yes**", "yes"),
        ("answer: **Yes**", "yes"),
        ("The answer is no.", "no"),
        ("The answer is yes. On second thought, the answer is no.", "no"),
        ("True", "yes"),
        ("False.", "no"),
        ("The statement is false.", "no"),
        ("incorrect", "no"),
        ("I think so.\nYes", "yes"),
        ("Is it a cat? No.\nIt is a dog, I checked. Yes.\nNo", "no"),
        ("<think>yes</think>no", "no"),
        (r"\boxed{\text{Yes}}", "yes"),
        ("是", "yes"),
        ("不是。", "no"),
        ("There is no dog.", None),
        ("No dogs here", None),
        ("yes and no", None),
        ("Yes or no?", None),
        ("The answer is yes or no", None),
        ("No. Yes.", None),
        ("Is it? yes\nIs it? no, maybe", None),
        ("it depends", None),
        ("yesterday", None),
        ("That is correct.", None),
        ("The statement is correct.", "yes"),
        ("The statement is clearly correct, as Line 2 stops there.", "yes"),
        ("Option 2 is correct.", None),
        ("True or False: False", "no"),
        ("Yes/No? Yes", "yes"),
        ("True or false?", None),
        ("not true", None),
        ("<think>yes", None),
        ("", None),
        ("Yes, there is a dog.", "yes"),
        ("no, it is not", "no"),
        ("Nope", "no"),
        ("Nah.", "no"),
        ("Yup", "yes"),
        ("Yeah, sure", "yes"),
        ("No because it's blue", "no"),
        ("Yes - because it is", "yes"),
        ("Yes…", "yes"),
        ("Based on the image, no.", "no"),
        ("Based on the image, there is no cat, so the answer is no.", "no"),
        ("Absolutely not.", "no"),
        ("Definitely not, because it rains", "no"),
        ("Of course not", "no"),
        ("Not at all!", "no"),
        ("Absolutely!", "yes"),
        ("Of course", "yes"),
        ("Y", "yes"),
        ("N", "no"),
        ("是的，图中有一只狗", "yes"),
        ("不是的", "no"),
        ("没有，图中没有狗", "no"),
        ("有", "yes"),
        ("对的", "yes"),
        ("不对。", "no"),
        ("错误", "no"),
        ("不确定", None),
        ("not sure", None),
        ("I'm not sure.", None),
        ("maybe", None),
        ("Yes and no.", None),
        ("neither yes nor no", None),
        ("yes?", None),
        ("Is the answer yes? I cannot tell.", None),
        ("Certainly! Let me describe the image.", None),
        ("Of course! There are two dogs.", None),
        ("no one is there", None),
        ("None", None),
        ("No. Wait... Yes, it is.", None),
    ],
)
def test_yes_no(text: str, value: str | None) -> None:
    found = YesNoVerifier().parse(text, PLAIN)
    assert found.value == value
    if value is not None:
        assert found.span is not None
        assert text[slice(*found.span)].strip()
        assert YesNoVerifier().parse(text[slice(*found.span)], PLAIN).value == value


@pytest.mark.parametrize(
    ("words", "text", "value"),
    [
        ("any", "True", "yes"),
        ("any", "no", "no"),
        ("yes-no", "yes", "yes"),
        ("yes-no", "True", None),
        ("yes-no", "The statement is false.", None),
        ("yes-no", "True. No.", "no"),
        ("yes-no", "Absolutely not", "no"),
        ("true-false", "False.", "no"),
        ("true-false", "The answer is true.", "yes"),
        ("true-false", "yes", None),
        ("true-false", "Absolutely not", None),
        ("true-false", "Y", None),
    ],
)
def test_which_words_are_asked_for(words: str, text: str, value: str | None) -> None:
    assert YesNoVerifier({"words": words}).parse(text, PLAIN).value == value
    assert YesNoVerifier().parse(text, AnswerContext(options={"words": words})).value == value


def test_unknown_words() -> None:
    with pytest.raises(DataError, match=r"'maybe'(.|\n)*true-false"):
        YesNoVerifier({"words": "maybe"}).parse("yes", PLAIN)


@pytest.mark.parametrize(
    ("target", "right"), [("yes", True), ("No", False), (True, True), (False, False), ("true", True)]
)
def test_yes_no_match(target: object, right: bool) -> None:
    assert YesNoVerifier().match("yes", target, PLAIN).correct is right


@pytest.mark.parametrize("target", ["maybe", None, 1, ""])
def test_yes_no_bad_target(target: object) -> None:
    with pytest.raises(DataError, match="neither yes nor no"):
        YesNoVerifier().match("yes", target, PLAIN)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Paris", "Paris"),
        (" Paris.\n", "Paris"),
        ("**Paris**", "Paris"),
        ('"Paris"', "Paris"),
        ("“Paris”", "Paris"),
        ("The answer is Paris.", "Paris"),
        ("Answer: the Eiffel Tower.\nBecause it is tall", "the Eiffel Tower"),
        ("Answer:\nParis", "Paris"),
        ("Let me see: Rome? No. The answer is: the answer is Paris", "Paris"),
        (r"\boxed{\text{Paris}}", "Paris"),
        ("<answer>New York</answer>", "New York"),
        ("<think>Rome</think>Paris", "Paris"),
        ("答案是巴黎。", "巴黎"),
        ("two\nlines", "two\nlines"),
        ("3.5", "3.5"),
        ("and so on...", "and so on..."),
        ("", None),
        (' "" ', None),
        ("<think>Paris", None),
    ],
)
def test_text(text: str, value: str | None) -> None:
    found = TextVerifier().parse(text, PLAIN)
    assert found.value == value
    if value is not None:
        assert found.span is not None
        assert text[slice(*found.span)] == value


@pytest.mark.parametrize(
    ("answer", "target", "exact", "contains"),
    [
        ("The Paris", "paris", 1, 1),
        ("U.S.A.", "USA", 1, 1),
        ("it's", "its", 1, 1),
        ("well-known", "well known", 1, 1),
        ("1,000", "1000", 1, 1),
        ("Ｐａｒｉｓ", "Paris", 1, 1),
        ("ﬁne", "fine", 1, 1),
        ("Rome", ["Paris", "rome"], 1, 1),
        ("7", 7, 1, 1),
        ("the", "the", 1, 1),
        ("the", "a", 0, 0),
        ("Eiffel Tower in Paris", "paris", 0, 1),
        ("Parisian", "paris", 0, 0),
        ("3.5", "35", 0, 0),
        ("-5", "5", 0, 0),
        ("5.2", "5", 0, 0),
        ("C++", "C", 0, 0),
        ("?", "!", 0, 0),
        ("它是红色的", "红色", 0, 1),
        ("Rome", "Paris", 0, 0),
    ],
)
def test_text_match(answer: str, target: object, exact: int, contains: int) -> None:
    found = TextVerifier().match(answer, target, PLAIN)
    assert found.scores == {"exact": exact, "contains": contains}
    assert found.score == exact
    assert TextVerifier({"match": "contains"}).match(answer, target, PLAIN).correct is bool(contains)


@pytest.mark.parametrize("target", [None, [], {}, [None], True])
def test_text_bad_target(target: object) -> None:
    with pytest.raises(DataError, match="not text"):
        TextVerifier().match("x", target, PLAIN)


@given(st.text(max_size=60))
def test_normalise_is_stable(text: str) -> None:
    assert normalise(normalise(text)) == normalise(normalise(normalise(text)))
    assert TextVerifier().match(text, text, PLAIN).correct


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("4", 4, ""),
        ("4.", 4, ""),
        ("3.5", 3.5, ""),
        ("four", 4, ""),
        ("4/5", 4, ""),
        ("4 / 5", 4, ""),
        ("4 out of 5", 4, ""),
        ("I rate it 4 out of 5 because of 2 things", 4, ""),
        ("Rating: 4", 4, ""),
        ("quality: 2\n", 2, ""),
        ("The score is 3.5 of 5", 3.5, ""),
        ("Score: 4/5\nDetail: 10", 4, ""),
        ("**Score:** 4", 4, ""),
        ("<think>2</think>3", 3, ""),
        (r"\boxed{5}", 5, ""),
        ("6", None, "out of range"),
        ("0", None, "out of range"),
        ("-2", None, "out of range"),
        ("8/10", None, "another scale"),
        ("3 or 4", None, "ambiguous"),
        ("3/5 or 4/5", None, "ambiguous"),
        ("good", None, "not found"),
        ("", None, "empty"),
        ("<think>4", None, "unfinished reasoning"),
    ],
)
def test_rating(text: str, value: float | None, reason: str) -> None:
    found = RatingVerifier({"low": 1, "high": 5}).parse(text, PLAIN)
    assert (found.value, found.reason) == (value, reason)
    if value is not None:
        assert found.span is not None
        assert text[slice(*found.span)] in (str(value), "four")


def test_rating_match() -> None:
    verifier = RatingVerifier({"low": 1, "high": 5})
    near = verifier.match(4, 5, PLAIN)
    assert (near.score, near.correct, near.scores["exact"]) == (0.75, False, 0.0)
    assert verifier.match(3.0, 3, PLAIN).correct is True
    assert verifier.match(1, 5, PLAIN).score == 0.0
    percent = AnswerContext(options={"low": 0, "high": 100})
    assert verifier.match(50, 75, percent).score == 0.75


@pytest.mark.parametrize("options", [{"low": 5, "high": 1}, {"low": "x"}, {"high": True}, {"high": float("inf")}])
def test_rating_bad_scale(options: dict[str, object]) -> None:
    with pytest.raises(DataError, match="no scale"):
        RatingVerifier(options).parse("4", PLAIN)


@given(st.text(max_size=120) | st.text(alphabet='yesno tru, fals.\nanwer:is"*', max_size=80))
def test_never_raise_and_are_idempotent(text: str) -> None:
    for verifier in (YesNoVerifier(), TextVerifier(), RatingVerifier()):
        found = verifier.parse(text, PLAIN)
        json.dumps(found.value)
        if found.found:
            assert found.span is not None
            assert 0 <= found.span[0] < found.span[1] <= len(text)
            assert verifier.parse(str(found.value), PLAIN).value == found.value


def test_mixed_reads_by_the_row() -> None:
    verifier = MixedVerifier()
    cases = [("choice", "B", "B", "B"), ("number", "The answer is 4.0", "4", 4.0), ("text", "Rome.", "rome", "Rome"),
             ("yes-no", "Yes!", "yes", "yes"), ("yes_no", "no", False, "no"),
             ("expression", r"\boxed{\frac12}", "0.5", r"\frac12"), ("list", "a, b", ["a", "b"], ["a", "b"])]  # fmt: skip
    for kind, text, target, value in cases:
        context = AnswerContext(choices=("x", "y"), options={"answer_type": kind})
        found = verify(verifier, Response("ok", text), target, context)
        assert (found.outcome, found.correct, found.extracted) == ("scored", True, value)
    assert verifier.blocking
    assert set(MIXED_KINDS) == set(TASK_KINDS)
    for options in ({}, {"answer_type": "song"}, {"answer_type": 3}):
        with pytest.raises(DataError, match="answer_type"):
            verifier.parse("x", AnswerContext(options=options))


@pytest.mark.parametrize("text", ["I can't say yes", "I cannot answer yes.", 'One would not say "no".'])
def test_what_is_not_said_is_no_answer(text: str) -> None:
    assert YesNoVerifier().parse(text, AnswerContext()).value is None
