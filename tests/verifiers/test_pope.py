from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.blink import BlinkVerifier, LeadingLetterVerifier
from mmeval.verifiers.pope import PopeVerifier

NONE = AnswerContext()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "yes"), ("No", "no"), ("yes", "yes"), ("no", "no"), ("NO", "yes"), ("No.", "no"), ("No, there is no dog.", "no"),
        ("Yes, there is. No doubt.", "yes"), ("There is no dog in the image.", "no"), ("There is not a dog.", "no"),
        ("There isn't a dog.", "yes"), ("", "yes"), ("I cannot tell.", "yes"), ("None", "yes"), ("\nNo", "yes"), ("No\n", "yes"),
        ("No dog", "no"), ("Yes and no", "no"), ("1. No", "yes"), ("no,thing", "yes"), ("no, thing", "no"), ("Not at all", "yes"),
        ("** No **", "no"), ("**No**", "yes"), ("The answer is no", "no"), ("It is not clear. Yes", "no"), ("  no", "no"),
    ],
)  # fmt: skip
def test_the_official_rule(text: str, answer: str) -> None:
    assert PopeVerifier().parse(text, NONE).value == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "yes"), ("NO", "no"), (" no\n", "no"), ("No.", None), ("yes, it is", None), ("", None), ("y", None), ("YES", "yes"),
        ("no no", None), ("yes\nno", None), ("nope", None), ("True", None), ("**Yes**", None), ("\tyes\t", "yes"),
    ],
)  # fmt: skip
def test_the_rule_of_lmms_eval(text: str, answer: str | None) -> None:
    found = PopeVerifier({"rule": "lmms-eval"}).parse(text, NONE)
    assert found.value == answer
    assert found.found == (answer is not None)


def test_targets_and_rules_that_do_not_exist() -> None:
    assert PopeVerifier().match("no", "no", NONE).score == 1.0
    assert PopeVerifier().match("yes", False, NONE).score == 0.0
    with pytest.raises(DataError, match="neither yes nor no"):
        PopeVerifier().match("no", "perhaps", NONE)
    with pytest.raises(DataError, match="official, lmms-eval"):
        PopeVerifier({"rule": "other"}).parse("no", NONE)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(A)", "A"), ("A", "A"), ("a) red", "A"), ("  ((B", "B"), ("B. two", "B"), ("The answer is (C).", "T"), ("\n D", "D"),
        ("4", None), ("", None), ("[A]", None), ("**A**", None), (")A", None), ("( c )", "C"), ("Ä", None),
    ],
)  # fmt: skip
def test_the_leading_letter(text: str, letter: str | None) -> None:
    assert LeadingLetterVerifier().parse(text, NONE).value == letter


@pytest.mark.parametrize(
    ("text", "outcome", "score"),
    [
        ("(A)", "scored", 1.0), ("(B)", "scored", 0.0), ("A", "scored", 0.0), ("(A) Point A", "scored", 0.0), ("(Z)", "no_answer", 0.0),
        ("", "no_answer", 0.0), (" (A)", "scored", 0.0), ("(a)", "scored", 0.0), ("(E)", "scored", 0.0),
    ],
)  # fmt: skip
def test_blinks_comparison_is_of_strings(text: str, outcome: str, score: float) -> None:
    verdict = verify(BlinkVerifier(), Response("ok", text), "(A)", NONE)
    assert (verdict.outcome, verdict.score) == (outcome, score)
    assert verify(BlinkVerifier(), Response("ok", text), "A", NONE) == verdict


@pytest.mark.parametrize("target", ["", "AB", "1", None, 3, "()", "(A"])
def test_a_gold_answer_that_is_no_letter(target: object) -> None:
    if target == "(A":
        assert BlinkVerifier().match("(A)", target, NONE).score == 1.0
        return
    for verifier in (BlinkVerifier(), LeadingLetterVerifier()):
        with pytest.raises(DataError, match="no letter"):
            verifier.match("A", target, NONE)


@given(st.text())
def test_nothing_that_a_model_says_raises(text: str) -> None:
    for verifier in (PopeVerifier(), PopeVerifier({"rule": "lmms-eval"}), BlinkVerifier(), LeadingLetterVerifier()):
        found = verifier.parse(text, NONE)
        if found.found and found.span is not None:
            assert 0 <= found.span[0] < found.span[1] <= len(text)
