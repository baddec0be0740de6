"""Ratings, degradations and transcripts as language models really write them, with the reading that each deserves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier

CONTEXT = AnswerContext()


def read(name: str, text: str, options: Mapping[str, Any] | None = None) -> Any:
    return get_verifier(name, options).parse(text, CONTEXT).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"rating": 3.42, "reason": "2 artefacts"}', 3.42),
        ('{"reason": "2 artefacts, 4 blurred faces", "rating": 1.5}', 1.5),
        ('{"rating": "3.42/5"}', 3.42),
        ('{"rating": "3.42 out of 5"}', 3.42),
        ('{"rating": "3.42/10"}', None),
        ('{"rating": 8/10}', None),
        ('{"Rating":3.42}', 3.42),
        ('{"RATING" : 3.42 }', 3.42),
        ("{'rating': 3.42}", 3.42),
        ('{rating: 3.42}', 3.42),
        ('{"rating": [3.42]}', 3.42),
        ('{"rating": [3.42, 4.1]}', None),
        ('{"rating": {"score": 3.1}}', None),
        ('{"rating": "three"}', None),
        ('{"rating": null}', None),
        ('{"rating": true}', None),
        ('{"rating": ""}', None),
        ('{"rating": 3,42}', None),
        ('{"rating": "3-4"}', None),
        ('{"rating": 3.42e0}', 3.42),
        ('{"rating": +3.5}', 3.5),
        ('{"rating": 3.}', 3.0),
        ('{"rating": .5}', None),
        ('{"rating": 0.99}', None),
        ('{"rating": 5.01}', None),
        ('{"rating": 1}', 1.0),
        ('{"rating": 5.00}', 5.0),
        ('{"rating": 3.42}{"rating": 3.42}', 3.42),
        ('{"rating": 3.4}\n{"rating": 3.6}', None),
        ('{\\"rating\\": 3.2}', 3.2),
        ('{"rating": 3.42,', 3.42),
        ('"rating": 3.42', 3.42),
        ('```json\n{\n  "rating": 2.85\n}\n```', 2.85),
        ('Here is my assessment:\n```json\n{"rating": 2.85}\n```\nThe noise costs 2 points.', 2.85),
        ('<think>Maybe {"rating": 2}? No, sharper.</think>\n<answer>{"rating": 3.1}</answer>', 3.1),
        ('<think>\nSharp, 12 megapixels.\n</think>\n\n<answer>\n{"rating": 4.25}\n</answer>', 4.25),
        ('<answer>{"rating": 3.42}', 3.42),
        ('<think>The picture has', None),
        ("\\boxed{3.42}", 3.42),
        ('\\boxed{{"rating": 3.42}}', 3.42),
        ('{"answer": 3.42}', 3.42),
        ('{"answer": {"rating": 3.42}}', 3.42),
        ("**Rating:** 3.42", 3.42),
        ("The rating is 3.42 because of 2 defects.", 3.42),
        ("评分：3.5", 3.5),
        ("Rating (1-5): 3.5", 3.5),
        ("Overall quality: 3.5 (scale of 1 to 5)", 3.5),
        ("Rating (1-10): 3.5", None),
        ("3,5/5", None),
        ("I give it 4,5 out of 5.", None),
        ('{"rating": "4.0 (good)"}', 4.0),
        ("between 3 and 4", None),
        ("The quality is good.", None),
        ("I cannot rate this image.", None),
    ],
)  # fmt: skip
def test_ratings_of_models(text: str, value: float | None) -> None:
    assert read("rating", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"distortion_class": "JPEG compression", "severity": "slight"}', ["compression", "slight"]),
        ('{"distortion_class": "jpeg_compression", "severity": "slight"}', ["compression", "slight"]),
        ('{"distortion_class": "compression artifacts", "severity": "obvious"}', ["compression", "obvious"]),
        ('{"distortion_class": "Blurring", "severity": "Moderate"}', ["blur", "moderate"]),
        ('{"distortion_class": "motion blur", "severity": "moderate"}', ["blur", "moderate"]),
        ('{"distortion_class": "blurry", "severity": "catastrophic"}', ["blur", "catastrophic"]),
        ('{"distortion_class": "Darkening", "severity": "serious"}', ["darken", "serious"]),
        ('{"distortion_class": "dark", "severity": "very serious"}', ["darken", ""]),
        ('{"distortion_class": "noisy", "severity": "obvious"}', ["noise", "obvious"]),
        ('{"distortion_class": "Gaussian noise", "severity": "obvious"}', ["noise", "obvious"]),
        ('{"distortion class": "noise", "severity": "slight"}', ["noise", "slight"]),
        ('{"Distortion_Class": "noise", "Severity": "slight"}', ["noise", "slight"]),
        ('{"severity": "slight", "distortion_class": "noise"}', ["noise", "slight"]),
        ('{distortion_class: "noise", severity: "slight"}', ["noise", "slight"]),
        ("distortion_class: noise\nseverity: slight", ["noise", "slight"]),
        ("- **distortion_class**: blur\n- **severity**: obvious", ["blur", "obvious"]),
        ('"distortion_class": "noise", "severity": "slight"', ["noise", "slight"]),
        ('{\\"distortion_class\\": \\"noise\\", \\"severity\\": \\"slight\\"}', ["noise", "slight"]),
        ('{"distortion_class": ["noise"], "severity": "slight"}', ["noise", "slight"]),
        ('{"distortion_class": ["noise", "blur"], "severity": "slight"}', None),
        ('{"distortion_class": "noise, blur", "severity": "slight"}', None),
        ('{"distortion_class": "noise and blur", "severity": "slight"}', None),
        ('{"distortion_class": "overexposure", "severity": "slight"}', None),
        ('{"distortion_class": "", "severity": ""}', None),
        ('{"severity": "slight"}', None),
        ('{"distortion": "noise", "severity": "slight"}', None),
        ('{"distortion_class": None, "severity": None}', ["null", "null"]),
        ('{"distortion_class": "no distortion", "severity": "null"}', ["null", "null"]),
        ('{"distortion_class": "None", "severity": "none"}', ["null", "null"]),
        ('{"distortion_class": "noise", "severity": null}', ["noise", "null"]),
        ('{"distortion_class": "noise"}', ["noise", ""]),
        ('{"distortion_class": "noise", "severity": 3}', ["noise", ""]),
        ('{"distortion_class":"noise","severity":"slight"', ["noise", "slight"]),
        ('{"distortion_class": "blur", "severity": "sli', ["blur", ""]),
        ('{"answer": {"distortion_class": "noise", "severity": "slight"}}', ["noise", "slight"]),
        ('The answer is {"distortion_class": "noise", "severity": "slight"}.', ["noise", "slight"]),
        ('```\n{"distortion_class": "darken", "severity": "obvious"}\n```', ["darken", "obvious"]),
        ('<think>{"distortion_class": "noise", "severity": "slight"}</think><answer>{"distortion_class": "blur", "severity": "slight"}</answer>', ["blur", "slight"]),
        ('{"distortion_class": "blur", "severity": "slight"}\n{"distortion_class": "blur", "severity": "obvious"}', ["blur", ""]),
        ('{"distortion_class": "blur", "severity": "slight"}\n{"distortion_class": "blurry", "severity": "slight"}', ["blur", "slight"]),
        ("There is no distortion in this image.", None),
        ("<think>The image looks", None),
        ("I'm sorry, I cannot analyse images.", None),
    ],
)  # fmt: skip
def test_degradations_of_models(text: str, value: list[str] | None) -> None:
    assert read("degradation", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("**Transcript:** bin blue at f two now", "bin blue at f two now"),
        ("**Transcription**: bin blue", "bin blue"),
        ("The speaker is saying 'bin blue'.", "bin blue"),
        ('The person says, "it\'s the first of many".', "it's the first of many"),
        ('Based on the lip movements, the speaker appears to say: "set white with z zero soon"', "set white with z zero soon"),
        ('Based on the lip movements, the sentence is "lay green".', "lay green"),
        ("Sure! Here is the transcription:\n\nbin blue at f two now", "bin blue at f two now"),
        ("Final answer: bin blue at f two now", "bin blue at f two now"),
        ("I think the speaker says: bin blue", "bin blue"),
        ("It seems that the man says: we will see", "we will see"),
        ("The words spoken are: bin, blue, at, f, two, now", "bin, blue, at, f, two, now"),
        ("Speech: hello there", "hello there"),
        ("Lip reading result: hello there", "hello there"),
        ("Transcript - bin blue", "bin blue"),
        ('"bin blue" (low confidence)', "bin blue"),
        ("bin blue at f two now (best guess)", "bin blue at f two now"),
        ('"set red by a two again" is what I can make out.', "set red by a two again"),
        ("```\nbin blue\n```", "bin blue"),
        ("```text\nbin blue at f\n```", "bin blue at f"),
        ('```json\n{"transcription": "bin blue", "confidence": 0.3}\n```', "bin blue"),
        ('{"confidence": 0.3, "text": "bin blue"}', "bin blue"),
        ('{"answer": "bin blue"}', "bin blue"),
        ("{'transcript': 'it's late'}", "it's late"),
        ("<answer>\nBIN BLUE\n</answer>", "BIN BLUE"),
        ("**bin blue at f two now**", "bin blue at f two now"),
        ("bin blue\nat f two now", "bin blue\nat f two now"),
        ("说话人说：你好世界", "你好世界"),
        ("视频中的人说的是：“今天天气很好”", "今天天气很好"),
        ("答案：你好世界", "你好世界"),
        ("she says: we don't know", "we don't know"),
        ("The word is about.", "about"),
        ("The spoken word appears to be ABOUT", "ABOUT"),
        ("The word in the middle of the clip is 'ABOUT'.", "ABOUT"),
        # What is said may itself speak of saying: nothing is cut off without a colon or quotation marks.
        ("he said that we will go", "he said that we will go"),
        ("the words we use matter", "the words we use matter"),
        ("the word is out there", "the word is out there"),
        ("i can't hear you", "i can't hear you"),
        ("there is no answer to that", "there is no answer to that"),
        ("I can't read lips.", None),
        ("As an AI, I cannot lip-read this video.", None),
        ("Unable to determine", None),
        ("It is not possible to determine what is said.", None),
        ("The video has no audio so I can't transcribe it.", None),
        ("No speech detected.", None),
        ("[inaudible]", None),
        ("(silence)", None),
        ("N/A", None),
        ("<think>The lips close, so the first sound", None),
    ],
)  # fmt: skip
def test_transcripts_of_models(text: str, value: str | None) -> None:
    assert read("transcript", text) == value


def test_another_alphabet_counts_in_full_and_is_noted() -> None:
    cmlr = get_verifier("transcript", {"units": "characters", "spaces": False, "punctuation": "drop"})
    right = verify(cmlr, Response("ok", "今天 天气，很好。"), "今天天气很好", CONTEXT)
    assert (right.correct, right.scores["character_errors"], right.scores["other_script"]) == (True, 0, 0)
    pinyin = verify(cmlr, Response("ok", "jintian"), "今天天气很好", CONTEXT)
    assert (pinyin.scores["characters"], pinyin.scores["character_errors"], pinyin.scores["other_script"]) == (6, 7, 1)
    mixed = verify(cmlr, Response("ok", "今天 very good"), "今天天气很好", CONTEXT)
    assert mixed.scores["other_script"] == 0
    classes = get_verifier("transcript", {"units": "characters", "marks": "drop", "punctuation": "drop"})
    assert verify(classes, Response("ok", "Běi jīng"), "beijing", CONTEXT).correct
    assert verify(classes, Response("ok", "北京"), "beijing", CONTEXT).scores["other_script"] == 1
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert verify(get_verifier("transcript"), Response("ok", decomposed), composed, CONTEXT).correct
