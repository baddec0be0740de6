from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import GUESS_SHARE, GUESSED, verify
from mmeval.verifiers.mmmu import MMMUProVerifier, MMMUVerifier, open_candidates

OPTIONS = ("red", "light blue", "12.5", "a hat")
CHOICE = AnswerContext(choices=OPTIONS)
OPEN = AnswerContext(options={"question_type": "open"})

# What both rules read alike.
SHARED: list[tuple[str, str | None]] = [
    ("(B)", "B"),
    ("(B).", "B"),
    ("The answer is (C)", "C"),
    ("(A) is wrong, (D) is right", "D"),
    ("(D) is right, (A) is wrong", "A"),
    ("B", "B"),
    ("B.", "B"),
    (",.B.,", "B"),
    ("'B'", "B"),
    ("I think B is it", "B"),
    ("A or B ", "B"),
    ("B, then (C)", "C"),
    ("b", None),
    ("(b)", None),
    ("E", None),
    ("(E)", None),
    ("", None),
    ("   ", None),
    ("red", None),  # option texts need more than five words
    ("the right one is red", None),
    ("so the right one is red", "A"),
    ("so the right one is Light Blue", "B"),
    ("not red but light blue is the one", "B"),
    ("not light blue but red is the one", "A"),
    ("it comes to 12.5 in the very end", "C"),
    ("so hats are what she wears", None),
    ("A hat is what she wears on it", "A"),
    ("I cannot answer that question, I am sorry", None),
    ("A B", "B"),
    ("(A)(B)(C)(D)", "D"),
    ("The option is ( B )", "B"),
    (r"$\boxed{B}$", None),
    ("**B**", None),
]
MMMU_ONLY: list[tuple[str, str | None]] = [
    ("NASA did it", None),
    ("B\n", None),
    ("Answer: B. red", None),
    ("Answer: B", "B"),
    ("It is DNA for sure, and also red", "A"),
    ("C:", "C"),
    ("Option B.\nOption C", "C"),
    ("choose B, because of it", None),
    ("It is B.", "B"),
]
PRO_ONLY: list[tuple[str, str | None]] = [
    ("NASA did it", "A"),
    ("Answer: B", "B"),
    ("Answer: B. light blue", "B"),
    ("Answer: B. Cat", "B"),  # B and C stand behind it: MMMU's rule goes on, and finds the letter with a full stop
    ("Answer: Cat", "C"),
    ("Answer: none", None),
    ("(A) first. Answer: (D)", "D"),
    ("Answer: A\nAnswer: C", "C"),
    ("Answer: C\nI mean (B)", "B"),  # two letters behind it
    ("Option B.\nOption C.\nNo", "B"),  # none stands between spaces: the first
    ("It is B.\nYes", "B"),
    ("answer: c", None),
    ("Answer:", None),
    ("B\n", None),
]


@pytest.mark.parametrize(("text", "letter"), SHARED + MMMU_ONLY)
def test_choices_of_mmmu(text: str, letter: str | None) -> None:
    found = MMMUVerifier().parse(text, CHOICE)
    assert found.value == letter
    assert (found.scores == {GUESSED: 1.0, GUESS_SHARE: 0.25}) == (letter is None)


@pytest.mark.parametrize(("text", "letter"), SHARED + PRO_ONLY)
def test_choices_of_mmmu_pro(text: str, letter: str | None) -> None:
    found = MMMUProVerifier().parse(text, CHOICE)
    assert found.value == letter
    assert (found.scores == {GUESSED: 1.0, GUESS_SHARE: 0.25}) == (letter is None)


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("3.14", [3.14]),
        ("3.14159", [3.14]),
        ("The answer is 3.", [3.0]),
        ("1,234.5", [1234.5, 1234.0, 234.5]),  # every reading of the digits counts
        ("about 1,234 m", ["about 1,234 m", 1234.0, 234.0]),
        ("2e3 m", ["2e3 m", 2000.0, 3.0]),
        ("-5 degrees", ["-5 degrees", -5.0]),
        ("x = 4", [4.0]),
        ("x = 4\ny", ["x = 4\ny", 4.0]),  # "=" counts in the last line only
        ("Paris", ["paris"]),
        ("The capital is Paris.", ["paris"]),
        ("A", [" a", "a "]),
        ("It is B", [" b", "b "]),
        ("So it is so", ["so"]),
        ("the result is the final answer 7", [7.0]),
        ("is ", ["is"]),
        ("is :", ["is :"]),
        ("Tampa\nor Florida", ["tampa\nor florida"]),
        ("it is Tampa\nso Florida", ["tampa", "florida"]),
        ("", [""]),
        ("...", [""]),
        ("nan", []),
        ("inf", []),
        ("9" * 400, []),
        ("x.5 and 12abc and 7", ["x.5 and 12abc and 7", 0.5, 7.0]),
        ("12,5 and 3", ["12,5 and 3", 5.0, 3.0]),
    ],
)
def test_open_candidates(text: str, candidates: list[str | float]) -> None:
    assert open_candidates(text) == candidates


@pytest.mark.parametrize(
    ("text", "gold", "right"),
    [
        ("It is 2.504", "2.50", True),
        ("It is 2.51", "2.50", False),
        ("1,000 m", "1000", True),
        ("Tampa", ["Tampa", "Florida"], True),
        ("in Florida, I think", "['Tampa', 'Florida']", True),
        ("Texas", "['Tampa', 'Florida']", False),
        ("so it is current a ", "A", True),
        ("so it is the a-current", "A", True),  # " a" stands in it
        ("banana", "A", False),
        ("A", "A", True),
        ("[low, high]", "[low, high]", True),
        ("the 1/64 part", "1/64", True),
        ("0", "0", True),
        ("", "x", False),
    ],
)
def test_open_answers(text: str, gold: Any, right: bool) -> None:
    assert bool(verify(MMMUVerifier(), Response("ok", text), gold, OPEN).correct) is right


def test_without_a_question_type_the_choices_decide() -> None:
    verifier = MMMUVerifier()
    assert verifier.parse("(B)", CHOICE).value == "B"
    assert verifier.parse("(B)", AnswerContext()).value == ["(b)"]
    assert verifier.parse("B", AnswerContext(choices=OPTIONS, options={"question_type": "open"})).value == [" b", "b "]
    assert verifier.match("B", ["A", "B"], CHOICE).correct is True


def test_a_draw_is_no_answer() -> None:
    verdict = verify(MMMUVerifier(), Response("ok", "perhaps"), "A", CHOICE)
    assert (verdict.outcome, verdict.score, verdict.correct) == ("no_answer", 0.0, False)
    assert verdict.scores == {GUESSED: 1.0, GUESS_SHARE: 0.25}
    assert verify(MMMUVerifier(), Response("ok", "..."), "A", OPEN).outcome == "no_answer"


def test_spans_show_what_was_read() -> None:
    for text, read in (
        ("so (C)!", "C"),
        ("'B'", "B"),
        ("Yes, B it is", "B"),
        ("well I take the light blue one", "light blue"),
    ):
        found = MMMUVerifier().parse(text, CHOICE)
        assert found.span is not None
        assert text[slice(*found.span)] == read
    found = MMMUProVerifier().parse("(A)\nAnswer: $D$", CHOICE)
    assert found.span == (13, 14)


def test_rows_at_fault() -> None:
    with pytest.raises(DataError, match="without choices"):
        MMMUVerifier().parse("A", AnswerContext(options={"question_type": "multiple-choice"}))
    with pytest.raises(DataError, match="without choices"):
        MMMUProVerifier().parse("A", AnswerContext())
    with pytest.raises(DataError, match="27 choices"):
        MMMUProVerifier().parse("A", AnswerContext(choices=("x",) * 27))
    for target in (5, [], [1]):
        with pytest.raises(DataError, match="no text"):
            MMMUVerifier().match([5.0], target, OPEN)
    with pytest.raises(DataError, match="no letter"):
        MMMUProVerifier().match("A", 1, CHOICE)


PIECES = st.sampled_from(
    ["A", "(B)", " C ", "Answer:", "is ", "so ", "=", "1,000", "-2.5", "1e9", "\n", ".", "red", "٣"]
)
TEXTS = st.lists(PIECES | st.text(max_size=6), max_size=12).map("".join)


@given(TEXTS, st.lists(st.text(max_size=6), min_size=1, max_size=10))
def test_any_text_is_read(text: str, choices: list[str]) -> None:
    context = AnswerContext(choices=tuple(choices))
    for verifier in (MMMUVerifier(), MMMUProVerifier()):
        found = verifier.parse(text, context)
        assert found.value is None or found.value in "ABCDEFGHIJ"[: len(choices)]
        assert (GUESSED in found.scores) == (found.value is None)
        if found.found:
            assert found.span is not None
            assert 0 <= found.span[0] <= found.span[1] <= len(text)
            assert verifier.parse(found.value, context).value == found.value
    candidates = open_candidates(text)
    assert json.loads(json.dumps(candidates, allow_nan=False)) == candidates
    MMMUVerifier().match(candidates, text or "x", AnswerContext())


def test_long_runs_of_digits_come_to_an_end() -> None:
    """Patterns that try a run of digits anew from each of its digits would take hours."""
    for text in ("1" * 200_000 + "x", "1" * 200_000 + ".", "1." * 50_000, "1,111" * 50_000 + "e", "-" * 200_000):
        assert len(open_candidates(text)) < 10
