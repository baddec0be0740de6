"""Verdicts on pairs: what judges write, what is ambiguous, what ties count for, and the two orders of a pair."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier

CONTEXT = AnswerContext()


def read(name: str, text: str, options: dict[str, Any] | None = None) -> Any:
    return get_verifier(name, options).parse(text, CONTEXT).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Overall Judgment: Answer 1 is better.", "A"),
        ("Overall Judgment: Answer 2 is better.", "B"),
        ("**Overall Judgment**: Answer 2 is slightly better.", "B"),
        ("Overall Judgment: **Answer 2** is the better one", "B"),
        ("### Overall Judgement\nAnswer 1 is slightly better", "A"),
        ("Therefore, Answer 2 is better.", "B"),
        ("Therefore, answer 2 is the slightly better.", "B"),
        ("Accuracy: Answer 1 is better.\nOverall Judgment: Answer 2 is better.", "B"),
        ("Answer 1 is better.", "A"),
        ("Response B is better overall.", "B"),
        ("Answer 2", "B"),
        ("1", "A"),
        ("(B)", "B"),
        ("<think>Answer 1 is better?</think>Overall Judgment: Answer 2 is better.", "B"),
        ("<answer>Answer 2 is better</answer>", "B"),
        ("Answer 1 is better in style. Answer 2 is better in content.", None),
        ("Overall Judgment: both are equal.", None),
        ("I cannot say whether Answer 1 is better.", None),
        ("Neither Answer 1 is better nor the other.", None),
        ("Answer 3 is better.", None),
        ("", None),
        # What judges write beyond the form that is asked for.
        ("Answer 1 is much better than Answer 2.", "A"),
        ("**Answer (2)** is clearly the better answer.", "B"),
        ("The second response is better because it names the dog.", "B"),
        ("I prefer Answer 2 over Answer 1.", "B"),
        ("The better answer is Answer 1.", "A"),
        ("Better answer: 2", "B"),
        ("Winner: Assistant A", "A"),
        ("Answer 1 is worse than Answer 2.", "B"),
        ("Answer 1 is inferior.\nOverall Judgment: Answer 2 is superior.", "B"),
        ("Overall Judgment: Answer 2", "B"),
        ("## Overall Judgment\n\n**2**", "B"),
        ("Final Verdict: Response 1 wins.", "A"),
        ("Response 2 > Response 1", "B"),
        ('```json\n{"reason": "Answer 1 is better in style", "better": 2}\n```', "B"),
        ('{"winner": "Answer A"}', "A"),
        ('{"verdict": "1 or 2"}', None),
        ("Which answer is better? Answer 2 is better.", "B"),
        ("While Answer 1 is not bad, Answer 2 is better.", "B"),
        ("If I had to choose, Answer 2 is better.", "B"),
        ("If the picture shows a cat, Answer 1 is better.", None),
        ("I don't think Answer 1 is better.", None),
        ("It does not follow that Answer 1 is better.", None),
        ("Overall Judgment: Answer 1 is not better.", None),
        ("Overall Judgment: Answer 1 is better, but Answer 2 is better overall.", None),
        (
            "Overall Judgment: Answer 2 is better.\n\nExplanation: Answer 1 is better in style but Answer 2 is more accurate.",
            "B",
        ),
        ("Overall Judgment: Answer 2 is better.\nWait, actually Answer 1 is better.", None),
        ("Overall Judgment: Answer 2 is better.\nHowever, Answer 1 is better in content.", None),
        ("Overall Judgment: Answer Two is better.", "B"),
        ("Overall Judgment: Answer 1 would be better than Answer 2 if it were right.", None),
        ("Overall Judgment: Answer 1 is better? I do not think so.", None),
        ("Is Answer 1 better? No. Answer 2 is better.", "B"),
        ("It is false that Answer 1 is better.", None),
        ("I doubt that Answer 1 is better.", None),
        ("Answer 1 < Answer 2", "B"),
        ("Answer 1 looks better", "A"),
        ("Overall Judgment: Answer #2 is better.", "B"),
        ("Overall Judgment: Answer X is better.", None),
        ("Overall Judgment: Answer 1 and Answer 2 are equally good.", None),
        ("Better answer: 1 or 2", None),
        ("[[B]]", "B"),
        ("<think>Answer 1 is better", None),
        ("Answer 1 is better.\nTherefore, Answer 2 is better.\n\nOverall Judgment: Answer 1 is slightly better.", "A"),
        ("Answer 12 is better.", None),
        ("1. **Accuracy**: Answer 1 is better.\n2. Completeness: Answer 1 is bet", None),
        ("Accuracy: Answer 1 is better.\nClarity: Answer 2 is better.\nAll in all, Answer 2 is better.", "B"),
        ("I'm sorry, I can't judge these answers.", None),
        ("Answer 1 describes the image. Answer 2 desc", None),
    ],
)
def test_overall_judgments(text: str, value: str | None) -> None:
    assert read("pair-verdict", text) == value


@pytest.mark.parametrize(
    ("text", "ours", "official"),
    [
        ("[[A]]", "A", "A"),
        ("Final Verdict: [[B]]", "B", "B"),
        ("[[B]] ... [[B]]", "B", "B"),
        ("[[B]], not [[A]]", "B", "A"),
        ("[[A]] or [[B]]", None, "A"),
        ("[[C]]", None, None),
        ("[A]", None, None),
        ("", None, None),
        ("[[A>>B]]", "A", None),
        ("My verdict is [[B > A]].", "B", None),
        ("[[A=B]]", None, None),
        ("<think>[[A]]</think>[[B]]", "B", "A"),
    ],
)
def test_brackets(text: str, ours: str | None, official: str | None) -> None:
    assert read("pair-verdict", text, {"style": "bracket"}) == ours
    assert read("pair-verdict", text, {"style": "bracket-official"}) == official


@pytest.mark.parametrize(
    "text", ["It's a tie.", "Overall Judgment: tie", "[[C]]", "Both answers are equally good.", '{"better": "tie"}', "Neither answer is better."]
)  # fmt: skip
def test_a_tie_is_no_answer_unless_it_counts_half(text: str) -> None:
    found = verify(get_verifier("pair-verdict"), Response("ok", text), "A", CONTEXT)
    assert (found.outcome, found.score) == ("no_answer", 0.0)
    half = verify(get_verifier("pair-verdict", {"ties": "half"}), Response("ok", text), "A", CONTEXT)
    assert (half.outcome, half.score, half.correct, half.scores) == ("scored", 0.5, False, {"first": 0.5, "tie": 1.0})


def test_silence_is_no_tie() -> None:
    half = get_verifier("pair-verdict", {"ties": "half"})
    assert [verify(half, Response("ok", text), "A", CONTEXT).outcome for text in ("", "No idea.")] == ["no_answer"] * 2


@given(best=st.booleans(), swapped=st.booleans(), template=st.sampled_from(["Answer {} is better.", "Better answer: {}", "Overall Judgment: {}", '{{"better": "{}"}}']))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_swapped_order_is_mapped_back(best: bool, swapped: bool, template: str) -> None:
    """A judge that always prefers one and the same answer is right, or wrong, in both orders."""
    shown = [True, False][:: -1 if swapped else 1]
    target = "A" if shown[0] else "B"
    said = template.format(1 + shown.index(best))
    found = verify(get_verifier("pair-verdict"), Response("ok", said), target, CONTEXT)
    assert (found.outcome, found.correct, found.scores["first"]) == ("scored", best, float(shown[0] == best))


@pytest.mark.parametrize("options", [{"style": "loud"}, {"ties": "coin"}])
def test_unknown_options_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(DataError, match="unknown"):
        get_verifier("pair-verdict", options).parse("[[A]]", CONTEXT)


@pytest.mark.parametrize(
    "text",
    ["tie", "<answer>Tie</answer>", "Overall Judgment: neither", "Overall Judgment: Image 1 and Image 2 tie", "Overall Judgment: no preference",
     "Overall Judgment: The two images are of equal quality."],
)  # fmt: skip
def test_ties_in_other_words(text: str) -> None:
    assert read("pair-verdict", text, {"ties": "half"}) == "tie"
    assert read("pair-verdict", text) is None
