from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.wemath import WeMathVerifier

NONE = AnswerContext()


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("<Thought process>: <<add>> <Answer>: <<B>>", "B"), ("<Answer>: <<B>>", "B"), ("<Answer>: B", "B"), ("<Answer>: <<B. 40>>", "B"),
        ("<Answer>: << C>>", "C"), ("Answer: D", "D"), ("Answer D", "D"), ("AnswerD", "D"), ("Answer:\nA", "A"), ("Answer: <A>", "A"),
        ("Answer: .:<>E", "E"), ("Answer: H", "H"), ("Answer: I", None), ("Answer: b", None), ("Answer: (B)", None), ("Answer: **B**", None),
        ("Answer: the B", None), ("Answer: Both", "B"), ("Answer: C or D", "C"), ("Answer: 4", None), ("Answer", None), ("Answer:", None),
        ("Answer: <<>>", None), ("Answer: A. Answer: C", "C"), ("Answer: A. My Answer is C", None), ("Answers: A", None), ("answer: A", None),
        ("A", "A"), ("B. 40", "B"), (" <C>", "C"), ("Definitely A", "D"), ("Zero", None), ("", None), ("   ", None),
        ("<<A>>", "A"), ("So the Answer is: <<A>>", None), ("The final Answer: A, since", "A"), ("<Thought process>: A\n<Answer>: <<D>>\n", "D"),
        ("Answer: ＂A", None), ("Answer: …A", None), ("Answer:\u00a0A", "A"), ("Answer: >A<", "A"), ("NoAnswerA", "A"),
    ],
)  # fmt: skip
def test_letters(text: str, letter: str | None) -> None:
    found = WeMathVerifier().parse(text, NONE)
    assert found.value == letter
    if letter is not None:
        assert found.span is not None
        assert text[slice(*found.span)] == letter


def test_verdicts() -> None:
    verifier = WeMathVerifier()
    assert verify(verifier, Response("ok", "<Answer>: <<C>>"), "C", NONE).correct is True
    assert verify(verifier, Response("ok", "<Answer>: <<C>>"), "B", NONE).correct is False
    assert verify(verifier, Response("ok", "I cannot tell"), "B", NONE).outcome == "no_answer"
    for target in ("c", "AB", "Z", "", 1):
        with pytest.raises(DataError, match="A to H"):
            verifier.match("C", target, NONE)


@given(
    st.lists(
        st.sampled_from(["Answer", ":", "<", ">", ".", "A", "B", " ", "z"]) | st.text(max_size=3), max_size=10
    ).map("".join)
)
def test_any_text_is_read_and_a_letter_reads_as_itself(text: str) -> None:
    found = WeMathVerifier().parse(text, NONE)
    assert found.value is None or WeMathVerifier().parse(found.value, NONE).value == found.value
