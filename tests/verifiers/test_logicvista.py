from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.logicvista import LogicVistaRulesVerifier, LogicVistaVerifier

NONE = AnswerContext()

EXTRACTIONS: list[tuple[str, list[str] | None]] = [
    ("B", ["b"]), ("b", ["b"]), (" B ", ["b"]), ("B, D", ["b", "d"]), ("D, B", ["b", "d"]), ("D,B", ["b", "d"]), ("B; D", ["b", "d"]),
    ("B and D", ["b", "d"]), ("B & D", ["b", "d"]), ("BD", ["b", "d"]), ("DB", ["b", "d"]), ("bd", ["bd"]), ("BB", ["b", "b"]),
    ("['b', 'd']", ["b", "d"]), ('["D", "B"]', ["b", "d"]), ("['bd']", ["bd"]), ("[]", []), ("['']", [""]), ("", [""]), ("   ", [""]),
    ("3", ["3"]), ("[3]", ["3"]), ("G", ["g"]), ("T", ["t"]), ("ZZZZZ", None), ("zzzzz", None), ("['zzzzz']", None), ("['ZZZZZ']", None),
    ("?", None), ("['?']", None), ("-", None), ("ZZ", ["z", "z"]), ("A, B, C, D", ["a", "b", "c", "d"]), ("ABCDE", ["a", "b", "c", "d", "e"]),
    ("option B", ["option b"]), ("B.", ["b."]), ("(B)", ["(b)"]), ("[B]", ["[b]"]), ("[[1]]", ["[[1]]"]), ("none", ["none"]),
    ("The answer is B", ["the answer is b"]), ("B, and D", ["b", "d"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), EXTRACTIONS)
def test_extractions(text: str, parts: list[str] | None) -> None:
    assert LogicVistaVerifier().parse(text, NONE).value == parts


@pytest.mark.parametrize(
    ("extraction", "gold", "right"),
    [
        ("B", "B", True), ("B", "b", True), ("B, D", "B, D", True), ("D, B", "B, D", True), ("BD", ["B", "D"], True), ("B", "B, D", False),
        ("B, C, D", "B, D", False), ("B, B", "B", False), ("ZZZZZ", "B", False), ("", "", True), ("", [""], True), ("", "B", False),
        ("A", "", False), ("3", "3", True),
    ],
)  # fmt: skip
def test_the_official_comparison(extraction: str, gold: Any, right: bool) -> None:
    assert verify(LogicVistaVerifier(), Response("ok", extraction), gold, NONE).correct is right


RESPONSES: list[tuple[str, list[str] | None]] = [
    ("B", ["B"]), ("(B)", ["B"]), ("b", ["B"]), ("B.", ["B"]), ("The answer is B.", ["B"]), ("The answer is (B)", ["B"]), (r"\boxed{B}", ["B"]),
    ("**B**", ["B"]), ("So option C is correct.", ["C"]), ("B, D", ["B", "D"]), ("B and D", ["B", "D"]), ("D and B", ["B", "D"]),
    ("(B) and (D)", ["B", "D"]), ("B & D.", ["B", "D"]), ("A, C, and D", ["A", "C", "D"]), ("B/D", ["B", "D"]), ("B, B", ["B"]),
    ("The answers are B and D.", ["B", "D"]), ("The correct answer is: B, D", ["B", "D"]), ("The answer is options A and C", ["A", "C"]),
    ("The answer is both A and C.", ["A", "C"]), (r"\boxed{B, D}", ["B", "D"]), (r"The answer is \boxed{A} and \boxed{C}.", ["A", "C"]),
    ("<think>A and B</think>C", ["C"]), ("<answer>B, D</answer>", ["B", "D"]), ("The answer is A and B. No: the answer is C.", ["C"]),
    ("The answer is C. No: the answers are A and B", ["A", "B"]), ("B or D", None), ("", None), ("<think>B", None), ("The answer is blue", None),
    ("I cannot see the picture", None), ("A square and a circle", None), ("The answer is A and Bob", ["A"]), ("G", ["G"]),
    ("The pattern alternates.\n\nTherefore, the correct choice is A.", ["A"]), ("<CONCLUSION> C </CONCLUSION>", ["C"]),
    ("Answer: D\n", ["D"]), ("BD", ["B", "D"]), (" ABCD.", ["A", "B", "C", "D"]), ("BAD", None), ("DB", None), ("AA", None), ("It must be E", ["E"]), ("**Answer:** A, B", ["A", "B"]), ("A and C are correct", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "letters"), RESPONSES)
def test_raw_responses(text: str, letters: list[str] | None) -> None:
    found = LogicVistaRulesVerifier().parse(text, NONE)
    assert found.value == letters
    if letters:
        assert found.span is not None
        assert letters[0] in text[slice(*found.span)].upper()


def test_rules_compare_letters() -> None:
    verifier = LogicVistaRulesVerifier()
    assert verify(verifier, Response("ok", "D and B"), "B, D", NONE).correct is True
    assert verify(verifier, Response("ok", "B"), ["B", "D"], NONE).correct is False
    assert verify(verifier, Response("ok", "B or D"), "B", NONE).outcome == "no_answer"
    assert verify(verifier, Response("ok", "B"), "", NONE).correct is False


@pytest.mark.parametrize("target", [5, ["B", 1], {"B": 1}])
def test_rows_at_fault(target: Any) -> None:
    for verifier in (LogicVistaVerifier(), LogicVistaRulesVerifier()):
        with pytest.raises(DataError, match="no list of letters"):
            verifier.match(["b"], target, NONE)


PIECES = st.sampled_from(
    ["A", "B", "(C)", ", ", " and ", "The answer is ", "[", "]", "'", r"\boxed{", "}", "<think>", "\n", "zzzzz"]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=10).map("".join))
def test_any_text_is_read(text: str) -> None:
    official, rules = LogicVistaVerifier().parse(text, NONE), LogicVistaRulesVerifier().parse(text, NONE)
    if official.found:
        assert official.value == sorted(official.value)
    if rules.found:
        assert rules.value == sorted(set(rules.value))
        assert all(len(letter) == 1 and letter.isupper() for letter in rules.value)
        assert LogicVistaRulesVerifier().parse(", ".join(rules.value), NONE).value == rules.value


@given(st.lists(st.sampled_from("abcdefghi"), min_size=1, max_size=5))
def test_an_extraction_reads_as_itself(letters: list[str]) -> None:
    found = LogicVistaVerifier().parse(str(sorted(letters)), NONE)
    assert found.value == sorted(letters)
    assert LogicVistaVerifier().match(found.value, ", ".join(letters).upper(), NONE).correct is True
