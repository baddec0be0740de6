"""Names of classes and sets of labels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Response, Verdict
from mmeval.verifiers.base import verify
from mmeval.verifiers.class_names import ClassNameVerifier, LabelSetVerifier


def named(text: str, target: Any, **options: Any) -> Verdict:
    return verify(ClassNameVerifier(options), Response("ok", text), target, AnswerContext())


def labelled(text: str, target: Any) -> Verdict:
    return verify(LabelSetVerifier(), Response("ok", text), target, AnswerContext())


@pytest.mark.parametrize(
    ("text", "target", "exact", "contained"),
    [
        ("rose", "rose", True, True),
        ("<think>a tulip?</think><answer>Bird_of_Paradise</answer>", "bird of paradise", True, True),
        ("The answer is 737-800.", "737-800", True, True),
        ("boeing 737 800", "Boeing 737-800", True, False),
        ("a red rose", "rose", False, True),
        ("pink", "pink primrose", False, True),
        ("tulip", "rose", False, False),
        ("Persian", ["persian", "Persian cat"], True, True),
    ],
)
def test_names(text: str, target: Any, exact: bool, contained: bool) -> None:
    assert named(text, target).correct is exact
    assert named(text, target, rule="visual-rft").correct is contained


@pytest.mark.parametrize(
    "text",
    [
        "The flower in the picture is a fire lily.", "It's a fire lily.", "This is a **fire lily**.", "**Species:** Fire Lily", "1. fire lily",
        "Answer: Fire lily (Lilium bulbiferum)", "The image shows a fire_lily, with orange petals.", '{"class": "fire lily"}',
        '```json\n{"label": "Fire Lily", "reason": "orange"}\n```',
    ],
)  # fmt: skip
def test_names_in_sentences_and_fields(text: str) -> None:
    assert named(text, "fire lily").correct is True
    assert named(text, "tiger lily").correct is False


@pytest.mark.parametrize(
    "text", ["fire lily or tiger lily", "It is not a fire lily.", "No fire lily is in the picture."]
)
def test_sentences_that_state_no_name(text: str) -> None:
    assert named(text, "fire lily").correct is False


def test_nothing_is_no_name() -> None:
    for rule in ("exact", "visual-rft"):
        for text in ("", "<answer></answer>", "<think>rose"):
            assert named(text, "rose", rule=rule).outcome == "no_answer"
        assert named("___", "rose", rule=rule).correct in (False, None)
        assert named("rose", "", rule=rule).outcome == "unscored"
        assert named("rose", 3, rule=rule).outcome == "unscored"


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("cat, dog", 1.0),
        ('<think>x</think><answer>["Dog", "cat"]</answer>', 1.0),
        ("- cat\n- dog\n- dog", 1.0),
        ("1. cat\n2. horse", 1 / 3),
        ("cat", 0.5),
        ("horse; cow", 0.0),
        ('["cat", "do', 1 / 3),
    ],
)
def test_sets(text: str, score: float) -> None:
    found = labelled(text, ["cat", "dog"])
    assert (found.outcome, found.score) == ("scored", pytest.approx(score))
    assert found.scores == {"iou": pytest.approx(score)}
    assert found.correct is (score == 1.0)
    assert labelled(text, "cat, dog").score == found.score


def test_sets_that_are_none() -> None:
    assert labelled("", ["cat"]).outcome == "no_answer"
    assert labelled(" , ; ", ["cat"]).outcome == "no_answer"
    assert labelled("cat", []).outcome == "unscored"
    assert labelled("cat", [3]).outcome == "unscored"


@given(st.text(max_size=50))
def test_never_raises(text: str) -> None:
    assert named(text, "rose").outcome in ("scored", "no_answer")
    assert named(text, "rose", rule="visual-rft").outcome in ("scored", "no_answer")
    assert labelled(text, ["rose"]).outcome in ("scored", "no_answer")
