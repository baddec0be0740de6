"""The rules of SpatialLadder's and OmniSpatial's evaluations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.spatialladder import OmniSpatialVerifier, SpatialLadderVerifier

NONE = AnswerContext()
FOUR = AnswerContext(choices=("w", "x", "y", "z"))


@pytest.mark.parametrize(
    ("text", "plain", "bracketed"),
    [
        ("B", "B", "B"), ("B.", "B", "B"), ("B. chair", "B", "B"), ("b", "B", "B"), ("(B)", "(B)", "B"), ("[c].", "[C].", "C"), ("Answer: B", "B", "ANSWER: B"),
        ("Answer:B", "B", "ANSWER:B"), ("<think>A</think><answer>B</answer>", "B", "B"), ("<answer> D. door </answer>", "D", "D"), ("<answer>B", None, None),
        ("<answer></answer>", None, None), ("B because", "B", "B"), ("The answer is B", "THE ANSWER IS B", "THE ANSWER IS B"), ("E", "E", "E"), ("", None, None),
        ("<answer>A</answer><answer>B</answer>", "A", "A"), ("B\nC", "B\nC", "B\nC"),
    ],
)  # fmt: skip
def test_letters(text: str, plain: str | None, bracketed: str | None) -> None:
    for brackets, wanted in ((False, plain), (True, bracketed)):
        assert SpatialLadderVerifier({"brackets": brackets}).parse(text, FOUR).value == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4.0), ("1.5 m", 1.5), ("about 2.3 then 5", 2.3), ("four chairs", 4.0), ("twenty", 20.0), ("3 or two", 2.0), ("zero", 0.0), ("forty 3", 40.0),
        ("a distance of 3 m", 1.0), ("three or two", 2.0), ("-2", 2.0), ("1,200", 1.0), ("<think>9</think><answer>4.5</answer>", 4.5), ("<answer>4", None),
        ("none", None), ("", None), ("<answer>Four</answer>", 4.0), (".5", 5.0),
    ],
)  # fmt: skip
def test_numbers(text: str, value: float | None) -> None:
    assert SpatialLadderVerifier().parse(text, NONE).value == value


def test_numbers_are_scored_by_relative_accuracy() -> None:
    verdict = verify(SpatialLadderVerifier(), Response("ok", "3 m"), "4", NONE)
    assert (verdict.score, verdict.scores) == (pytest.approx(0.6), {"mra": pytest.approx(0.6)})


@pytest.mark.parametrize(
    ("form", "text", "value", "fallback"),
    [
        ("re", "Answer: B", "B", False), ("re", "answer : c. Or Answer: D", "D", False), ("re", "The answer is B", "A", True), ("re", "Answer: E", "A", True),
        ("re", "**Answer: B**", "B", False), ("re", "Answer: Both", "A", True), ("json", '{"answer": "B"}', "B", False), ("json", '```json\n{"answer": "c"}\n```', "C", False),
        ("json", '{"option": "B"}', "A", True), ("json", "B", "A", True), ("json", '{"answer": 2}', "A", True), ("json", "[" * 9999, "A", True), ("direct", "b. chair", "B", False),
        ("direct", "The chair", "T", False), ("direct", " (B)", "(", False), ("re", "", None, False), ("json", " ", None, False), ("direct", "", None, False),
    ],
)  # fmt: skip
def test_omnispatial(form: str, text: str, value: str | None, fallback: bool) -> None:
    found = OmniSpatialVerifier({"form": form}).parse(text, FOUR)
    assert (found.value, bool(found.scores.get("fallback"))) == (value, fallback)


def test_what_is_at_fault() -> None:
    with pytest.raises(DataError, match="re, json, direct"):
        OmniSpatialVerifier({"form": "llm"}).parse("B", FOUR)
    for target in (None, 1, "", "AB"):
        with pytest.raises(DataError, match="no letter"):
            OmniSpatialVerifier().match("B", target, FOUR)


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    verifiers: list[Any] = [SpatialLadderVerifier(), SpatialLadderVerifier({"brackets": True})]
    verifiers += [OmniSpatialVerifier({"form": form}) for form in ("re", "json", "direct")]
    for verifier in verifiers:
        assert verify(verifier, Response("ok", text), "B", FOUR).outcome in ("scored", "no_answer")
    assert verify(SpatialLadderVerifier(), Response("ok", text), 3, NONE).outcome in ("scored", "no_answer")
