"""Phrases of ViCrit-Bench as models name them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.vicrit import ViCritVerifier

NONE = AnswerContext()
GOLD = {"changed": "two red chairs", "original": "three red chairs"}
PHRASE = ["two red chairs"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['two red chairs']", PHRASE), ('["two red chairs"]', PHRASE), ("[two red chairs]", PHRASE), ("[“two red chairs”]", PHRASE),
        ('["two red chairs",]', PHRASE), ("['two red chairs'\n]", PHRASE), ("['two red chairs", PHRASE), ("[['two red chairs']]", PHRASE),
        ("two red chairs", PHRASE), ("Two red chairs.", ["Two red chairs"]), ("**two red chairs**", PHRASE), ("`two red chairs`", PHRASE),
        ("- two red chairs", PHRASE), ("1. two red chairs", PHRASE), ("Hallucination phase: two red chairs", PHRASE),
        ("**Hallucinated phrase:** two red chairs", PHRASE), ("The hallucination is 'two red chairs'.", PHRASE),
        ('The hallucinated phrase is "two red chairs" because there are three.', PHRASE), ("答案：['two red chairs']", PHRASE),
        ('```json\n["two red chairs"]\n```', PHRASE), ("```python\n['two red chairs']\n```", PHRASE), ("```\n['two red chairs']\n```", PHRASE),
        ("<think>maybe 'a lamp'</think>['two red chairs']", PHRASE), ("<think>x</think><answer>['two red chairs']</answer>", PHRASE),
        ("\\boxed{two red chairs}", PHRASE), ("\\boxed{\\text{two red chairs}}", PHRASE), ("\\boxed{['two red chairs']}", PHRASE),
        ('{"hallucination": "two red chairs"}', PHRASE), ('{"hallucination": ["two red chairs"]}', PHRASE), ('[{"phrase": "two red chairs"}]', PHRASE),
        ('The phrase "two red chairs" should be "three red chairs".', PHRASE), ('"two red chairs" -> "three red chairs"', PHRASE),
        ('"two red chairs" instead of "three red chairs"', PHRASE), ("two red chairs (should be three red chairs)", PHRASE),
        ('The hallucination phrase is:\n\n["two red chairs"]\n\nThe image shows three.', PHRASE), ("[\"the man's hat\"]", ["the man's hat"]),
        ('The phrase "two red chairs" is a hallucination; there are actually "three".', PHRASE),
        ('It mentions "a lamp", which is right. But the hallucination is "two red chairs".', PHRASE),
        ('"two red chairs" is a hallucination and "a lamp" is a hallucination', ["two red chairs", "a lamp"]),
        ("['two red chairs', 'a lamp']", ["two red chairs", "a lamp"]), ('"two red chairs" and "a lamp"', ["two red chairs", "a lamp"]),
        ("['two red chairs', 'two red chairs']", ["two red chairs", "two red chairs"]),
        ("[]", []), ("[ ]", []), ("None", []), ("No hallucinations.", []), ("There is no hallucination in this description.", []), ("['']", []),
        ('["none"]', []), ("['No hallucination']", []),
        ("", None), ("...", None), ("<think>The chairs", None), ("I cannot find it.", None), ("I'm sorry, I can't view images.", None),
    ],
)  # fmt: skip
def test_phrases_of_models(text: str, value: list[str] | None) -> None:
    assert ViCritVerifier().parse(text, NONE).value == value


@pytest.mark.parametrize(
    ("text", "strict", "compat"),
    [
        ("['two red chairs']", 1.0, 1.0), ("['two']", 1.0, 1.0), ("['red chairs']", 0.0, 0.0), ("['a lamp']", 0.0, 0.0),
        ("I see two windows.\nThe lamp", 0.0, 0.0), ("The lamp\nI see two windows.", 0.0, 1.0), ("\\boxed{two} is wrong", 1.0, 1.0),
        ("Nothing in the room agrees: network", 0.0, 1.0),
    ],
)  # fmt: skip
def test_the_released_rule_looks_at_the_box_or_the_last_line(text: str, strict: float, compat: float) -> None:
    assert verify(ViCritVerifier(), Response("ok", text), GOLD, NONE).score == strict
    assert verify(ViCritVerifier({"match": "compat"}), Response("ok", text), GOLD, NONE).score == compat


@given(text=st.text(max_size=120) | st.from_regex(r"[\[\"'{](two|phrase|None|a)[\"'\]}: ]{0,4}.{0,30}"))
@settings(max_examples=200, deadline=None)
def test_nothing_that_a_model_writes_raises(text: str) -> None:
    for match in ("strict", "compat"):
        found = verify(ViCritVerifier({"match": match}), Response("ok", text), GOLD, NONE)
        assert found.outcome in ("scored", "no_answer")
