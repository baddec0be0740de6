from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.dynamath import DynaMathVerifier, short_answer


def reply(answer: Any) -> str:
    return json.dumps({"solution": "…", "short answer": answer}, ensure_ascii=False)


def context(kind: str) -> AnswerContext:
    return AnswerContext(options={"answer_type": kind})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (reply("B"), "B"),
        (reply(2.5), "2.5"),
        (reply([1, 2]), "[1, 2]"),
        (reply(True), "True"),
        (reply(None), ""),
        ("", ""),
        ("{}", ""),
        ('{"solution": "x"}', ""),
        (f"Here it is:\n```json\n{reply('C')}\n```", "C"),
        ('{"solution": "\\frac{1}{2} \\pi", "short answer": "1.5π"}', "1.5π"),
        ('{"solution": "two\nlines", "short answer": "A"}', "A"),
        ("{'short answer': 'A'}", "{'short answer': 'A'"),  # no JSON: the last line but for its last character
        ("First line\nThe answer is B.", "The answer is B"),
        ("B", ""),
        ("B.", "B"),
        ('{"short answer": "A"', '{"short answer": "A'),
        ('{"short answer": "A"}.', "A"),
        ('{"short answer": "A"} and {"short answer": "B"}', '{"short answer": "A"} and {"short answer": "B"'),
        ('"text"', ""),
        ("12", ""),
        ("[1]", ""),
        ("{" * 5000 + "}", "{" * 5000),
        ("\\{", "\\"),
    ],
)
def test_short_answers(text: str, answer: str) -> None:
    assert short_answer(text) == answer


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("2.094", 2.094), ("2.094 rad", 2.094), ("12", 12.0), ("-3", -3.0), ("1.5π", 4.71238898038469), ("1.5π rad", 4.71238898038469),
        ("2π/3", 6.283185307179586), ("π", None), ("about 5", None), ("5cm", None), ("1,000", None), ("1e3", 1000.0), ("nan", None),
        ("inf", None), ("²", None), ("A", None), (" 5", None), ("5 ", 5.0), ("1/2", None), ("50%", None),
    ],
)  # fmt: skip
def test_numbers(answer: str, number: float | None) -> None:
    found = DynaMathVerifier().parse(reply(answer), context("float"))
    assert found.value == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    ("kind", "answer", "gold", "right"),
    [
        ("float", "2.0944", "2.0944", True), ("float", "2.094", "2.0944", True), ("float", "2.09", "2.0944", False),
        ("float", 2, "2.0009", True), ("float", "2", "2.0011", False), ("multiple choice", "B", "B", True),
        ("multiple choice", "b", "B", False), ("multiple choice", "A", "B", False), ("multiple choice", "(B) 5", "B", True),
        ("multiple choice", "B. red", "B", True), ("multiple choice", "the B", "B", False), ("multiple choice", "BAD", "A", True),
        ("text", "May", "May", True), ("text", "in May 2020", "May", True), ("text", "may", "May", False), ("text", "Ma", "May", False),
        ("int", "149", "49", True), ("single answer", "[1, 6]", "[1, 6]", True),
    ],
)  # fmt: skip
def test_verdicts(kind: str, answer: Any, gold: str, right: bool) -> None:
    assert verify(DynaMathVerifier(), Response("ok", reply(answer)), gold, context(kind)).correct is right


def test_an_answer_without_its_json_may_still_be_right() -> None:
    verifier = DynaMathVerifier()
    assert verify(verifier, Response("ok", "I think so.\nB."), "B", context("multiple choice")).correct is True
    assert verify(verifier, Response("ok", "B"), "B", context("multiple choice")).outcome == "no_answer"


def test_rows_at_fault() -> None:
    verifier = DynaMathVerifier()
    with pytest.raises(DataError, match="answer_type"):
        verifier.parse(reply("A"), AnswerContext())
    with pytest.raises(DataError, match="no text"):
        verifier.match("A", 5, context("text"))
    with pytest.raises(DataError, match="no number"):
        verifier.match(5.0, "five", context("float"))


PIECES = st.sampled_from(["{", "}", '"short answer"', ":", '"A"', "2.5", "\\", "\n", "π", " ", "[", "null"])


@given(
    st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join),
    st.sampled_from(["float", "multiple choice", "text"]),
)
def test_any_response_is_read(text: str, kind: str) -> None:
    found = DynaMathVerifier().parse(text, context(kind))
    assert not found.found or isinstance(found.value, float if kind == "float" else str)
    if found.found and kind != "float" and found.value.isprintable() and not set('{}"\\') & set(found.value):
        # Backslashes are taken out, and quotes need them.
        assert DynaMathVerifier().parse(reply(found.value), context(kind)).value == found.value
