"""Transcripts, verdicts on two answers, degradations and ratings as models write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier
from mmeval.verifiers.transcript import normalise
from mmeval.verifiers.visemes import visemes_of

CONTEXT = AnswerContext()


def read(name: str, text: str, options: Mapping[str, Any] | None = None) -> Any:
    return get_verifier(name, options).parse(text, CONTEXT).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("bin blue at f two now", "bin blue at f two now"),
        ("  BIN BLUE AT F TWO NOW.", "BIN BLUE AT F TWO NOW"),
        ('"bin blue at f two now"', "bin blue at f two now"),
        ("“bin blue at f two now”", "bin blue at f two now"),
        ("Transcript: bin blue at f two now", "bin blue at f two now"),
        ("Transcription: bin blue", "bin blue"),
        ("The transcript is: bin blue", "bin blue"),
        ("The speaker says: bin blue", "bin blue"),
        ('The person is saying: "bin blue"', "bin blue"),
        ("Sentence: bin blue", "bin blue"),
        ('{"transcript": "bin blue"}', "bin blue"),
        ('{"text": "bin blue"}', "bin blue"),
        ("<think>lips close</think><answer>bin blue</answer>", "bin blue"),
        ("<answer>bin blue", "bin blue"),
        (r"\boxed{bin blue}", "bin blue"),
        ("The answer is: bin blue", "bin blue"),
        ('The lips close.\nThe answer is "bin blue".', "bin blue"),
        # What is said may hold the phrases by which other kinds of answers are found.
        ("the answer is in the book", "the answer is in the book"),
        ("and the answer is no", "and the answer is no"),
        ("the correct answer is: we don't know", "the correct answer is: we don't know"),
        ("i could not determine the cause of death", "i could not determine the cause of death"),
        ("it is impossible to say no to her", "it is impossible to say no to her"),
        ('The person in the video says "place blue"', "place blue"),
        ('The word spoken in the middle of the clip is "ABOUT".', "ABOUT"),
        ("No sound is available in the video.", None),
        ("The video shows a person speaking, but there is no audio provided.", None),
        ("I couldn't determine what is being said.", None),
        ("这个人说了“今天天气很好”。", "今天天气很好"),
        ("抱歉，我无法读唇。", None),
        ("无法确定视频中的人说了什么。", None),
        ("i'm sorry about that", "i'm sorry about that"),
        ("we jumped on some of our female friends'", "we jumped on some of our female friends'"),
        ("'our friends'", "our friends"),
        ("你好 世界", "你好 世界"),
        ("I'm sorry, I cannot determine what is said from the video.", None),
        ("I am unable to determine speech: there is no audio.", None),
        ("<think>lips close", None),
        ("", None),
        ("...", None),
        ('""', None),
    ],
)
def test_transcripts(text: str, value: str | None) -> None:
    assert read("transcript", text) == value


@pytest.mark.parametrize(
    ("text", "options", "normalised"),
    [
        ("Don't  STOP, now!", {}, "don't stop now"),
        ("Don’t stop", {}, "don't stop"),
        ("'tis", {}, "tis"),
        ("Don't stop", {"punctuation": "drop"}, "dont stop"),
        ("Don't stop!", {"punctuation": "keep", "case": "keep"}, "Don't stop!"),
        ("bin at F 2 now", {"numbers": "digits"}, "bin at f two now"),
        ("19", {"numbers": "digits"}, "one nine"),
        ("你好，世界。", {"units": "characters"}, "你 好 世 界"),
        ("well-known", {}, "well known"),
    ],
)
def test_normalisation_is_what_is_declared(text: str, options: dict[str, Any], normalised: str) -> None:
    assert normalise(text, options) == normalised
    assert normalise(normalised, options) == normalised


def test_rows_without_an_answer_are_empty_hypotheses() -> None:
    verifier = get_verifier("transcript", {"visemes": "letters-en"})
    for response in (Response("ok", ""), Response("refused")):
        found = verify(verifier, response, "Bin blue", CONTEXT)
        assert found.outcome == "no_answer"
        assert found.scores == {
            "words": 2, "word_errors": 2, "characters": 8, "character_errors": 8, "visemes": 7, "viseme_errors": 7,
        }  # fmt: skip
    assert verify(verifier, Response("ok", "pin blue"), "Bin blue", CONTEXT).scores["viseme_errors"] == 0
    assert visemes_of("bin", "letters-en") == visemes_of("PIN", "letters-en") == ("P", "I", "T")
    assert verify(verifier, Response("ok", "x"), "...", CONTEXT).outcome == "unscored"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"distortion_class": "noise", "severity": "slight"}', ["noise", "slight"]),
        ('<answer>{"distortion_class": "JPEG", "severity": "Serious"}</answer>', ["compression", "serious"]),
        ("{'distortion_class': 'blur', 'severity': 'obvious'}", ["blur", "obvious"]),
        ('{"distortion_class": null, "severity": null}', ["null", "null"]),
        ('{"distortion_class": "null", "severity": "none"}', ["null", "null"]),
        ('```json\n{"distortion_class": "darken",\n "severity": "moderate"}\n```', ["darken", "moderate"]),
        ('{"distortion_class": "blur"', ["blur", ""]),
        ('{"distortion_class": "blur", "severity": "terrible"}', ["blur", ""]),
        ('{"distortion_class": "rain", "severity": "slight"}', None),
        ('{"distortion_class": "blur"} {"distortion_class": "noise"}', None),
        ("The image is blurred.", None),
        ("", None),
    ],
)
def test_degradations(text: str, value: list[str] | None) -> None:
    assert read("degradation", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"rating": 3.42}', 3.42),
        ('{"rating": 3.42', 3.42),
        ('{"rating": 3.', None),
        ('<think>Sharp.</think><answer>{"rating": 3.42}</answer>', 3.42),
        ("<answer>{'rating': '3.42'}</answer>", 3.42),
        ('```json\n{"rating": 4}\n```', 4.0),
        ('{"rating": 3.4', 3.4),
        ('{"Score": 2.5}', 2.5),
        ("<answer>3.42</answer>", 3.42),
        ("3.42", 3.42),
        ("4/5", 4.0),
        ('{"rating": 34}', None),
        ('{"rating": -1}', None),
        ('{"rating": "good"}', None),
        ('{"rating": 2} or {"rating": 3}', None),
        ('{"rating": NaN}', None),
    ],
)
def test_ratings_in_json(text: str, value: float | None) -> None:
    assert read("rating", text) == value


def test_opinions_are_brought_to_the_scale_of_the_ratings() -> None:
    mos = get_verifier("rating", {"target_range": [1, 100]})
    assert verify(mos, Response("ok", "3"), 50.5, CONTEXT).scores == {"exact": 1.0, "rating": 3.0, "opinion": 3.0}
    dmos = get_verifier("rating", {"target_range": [0, 1], "target_better": "lower"})
    assert verify(dmos, Response("ok", "5"), 0.0, CONTEXT).score == 1.0
    assert verify(dmos, Response("ok", "1"), 0.25, CONTEXT).scores["opinion"] == 4.0
    assert verify(dmos, Response("ok", "no idea"), 1.0, CONTEXT).scores == {"opinion": 1.0}


@pytest.mark.parametrize("name", ["transcript", "pair-verdict", "degradation", "rating"])
@given(
    text=st.text(max_size=200) | st.from_regex(r"[\[{<\"'](rating|Answer [12AB]|severity|think)[\]}>\"':]{0,4}.{0,30}")
)
@settings(max_examples=150, deadline=None)
def test_nothing_that_a_model_writes_raises(name: str, text: str) -> None:
    found = get_verifier(name).parse(text, CONTEXT)
    if found.found and found.span is not None:
        assert 0 <= found.span[0] <= found.span[1] <= len(text)


@given(truth=st.text("abc d", min_size=1, max_size=20).filter(str.strip), said=st.text("abc d", max_size=20))
@settings(max_examples=100, deadline=None)
def test_counts_are_symmetric_and_zero_for_the_gold(truth: str, said: str) -> None:
    verifier = get_verifier("transcript", {"visemes": "letters-en"})
    assert verifier.match(truth, truth, CONTEXT).score == 1.0
    scores = verifier.match(said, truth, CONTEXT).scores
    assert scores["word_errors"] <= max(scores["words"], len(said.split()))
    assert scores["viseme_errors"] >= 0


@pytest.mark.parametrize(
    ("name", "options", "target"),
    [
        ("transcript", {}, 3),
        ("transcript", {"case": "upper"}, "a"),
        ("pair-verdict", {}, "C"),
        ("degradation", {}, "noise"),
        ("degradation", {}, ["rain", "slight"]),
    ],
)
def test_targets_and_options_that_make_no_sense(name: str, options: dict[str, Any], target: Any) -> None:
    with pytest.raises(DataError):
        get_verifier(name, options).match(["noise", "slight"] if name == "degradation" else "A", target, CONTEXT)
