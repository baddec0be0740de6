"""Captions, hints and other forms of the same question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmeval.conditions.base import get_condition
from mmeval.conditions.texts import as_judge, as_open, described_by, exact_caption, hint_boxes, hint_facts
from mmeval.core.errors import NotApplicableError
from mmeval.core.types import AnswerContext, Media, MediaPart, Message, Sample, TextPart
from mmeval.verifiers.registry import get_verifier

SAMPLE = Sample(
    id="1",
    task="t",
    messages=(
        Message("system", (TextPart("be brief"),)),
        Message("user", (MediaPart(0), TextPart("What colour?\nA. red\nB. blue"))),
    ),
    target="B",
    media=(Media("image", data=b"1"),),
    context=AnswerContext(
        choices=("red", "blue"), options={"answer_kind": "choice"}, image_size=(200, 100), sent_size=(100, 50)
    ),
    item={"id": "1", "question": "What colour?"},
    extras={
        "caption": "A blue ball.",
        "facts": [{"question": "Is there a ball?", "answer": True}, {"question": "Is it red?", "answer": False}],
        "regions": {"boxes": [[20, 10, 120, 90]], "space": "pixels"},
    },
    cluster="c",
)


def text(sample: Sample) -> str:
    return "".join(part.text for message in sample.messages for part in message.parts if isinstance(part, TextPart))


def test_a_caption_stands_for_the_picture_and_the_question_stays() -> None:
    found = exact_caption(SAMPLE)
    assert found.media == ()
    assert not any(isinstance(part, MediaPart) for message in found.messages for part in message.parts)
    assert "A blue ball." in text(found)
    assert text(found).endswith("What colour?\nA. red\nB. blue")
    with pytest.raises(NotApplicableError, match="caption"):
        exact_caption(replace(SAMPLE, extras={}))


def test_descriptions_of_another_run_are_found_by_task_and_sample() -> None:
    change = described_by({("t", "1"): "Something round.", ("t", "2"): " "})
    assert "Something round." in text(change(SAMPLE))
    for absent in (replace(SAMPLE, id="2"), replace(SAMPLE, task="u")):
        with pytest.raises(NotApplicableError, match="no description"):
            change(absent)


def test_hints_keep_the_picture_and_say_what_is_known() -> None:
    facts = hint_facts(SAMPLE)
    assert facts.media == SAMPLE.media
    assert "Is there a ball? Yes." in text(facts)
    assert "Is it red? No." in text(facts)
    with pytest.raises(NotApplicableError, match="facts"):
        hint_facts(replace(SAMPLE, extras={}))


@pytest.mark.parametrize(
    ("space", "order", "shown"),
    [("pixels", "xy", "[10, 5, 60, 45]"), ("unit", "xy", "[0.100, 0.100, 0.600, 0.900]"),
     ("thousand", "xy", "[100, 100, 600, 900]"), ("thousand", "yx", "[100, 100, 900, 600]")],
)  # fmt: skip
def test_boxes_are_said_in_the_models_own_coordinates(space: str, order: str, shown: str) -> None:
    context = replace(SAMPLE.context, coordinates=space, coordinate_order=order)
    assert shown in text(hint_boxes(replace(SAMPLE, context=context)))


def test_a_box_is_no_hint_where_it_is_the_answer() -> None:
    context = replace(SAMPLE.context, options={"answer_kind": "box"})
    with pytest.raises(NotApplicableError, match="is the answer"):
        hint_boxes(replace(SAMPLE, context=context))


def test_the_judge_form_proposes_the_right_option_to_about_half() -> None:
    found = [as_judge(replace(SAMPLE, id=str(number))) for number in range(400)]
    right = [sample for sample in found if sample.target == "yes"]
    assert 160 < len(right) < 240
    for sample in found:
        assert ("Proposed answer: blue" in text(sample)) == (sample.target == "yes")
        assert "A. red" not in text(sample)
        assert sample.context.choices == ()
    verifier = get_verifier(get_condition("as-judge").verifier or "")
    value = verifier.parse("Yes.", right[0].context).value
    assert verifier.match(value, right[0].target, right[0].context).correct


@pytest.mark.parametrize(("gold", "answer", "target"), [("blue", "Blue", "blue"), ("3", "3", 3.0)])
def test_the_open_form_asks_for_the_text_of_the_right_option(gold: str, answer: str, target: object) -> None:
    sample = replace(SAMPLE, context=replace(SAMPLE.context, choices=("7", gold)))
    found = as_open(sample)
    assert found.target == target
    assert gold not in text(found)
    verifier = get_verifier(get_condition("as-open").verifier or "")
    assert verifier.match(verifier.parse(answer, found.context).value, found.target, found.context).correct


@pytest.mark.parametrize("change", [as_judge, as_open])
def test_questions_without_options_have_no_other_form(change: object) -> None:
    for context in (AnswerContext(options={"answer_kind": "number"}), replace(SAMPLE.context, choices=("red", "red"))):
        with pytest.raises(NotApplicableError):
            change(replace(SAMPLE, context=context))  # type: ignore[operator]


def test_a_question_that_names_its_options_is_not_open() -> None:
    with pytest.raises(NotApplicableError, match="names its options"):
        as_open(replace(SAMPLE, item={"question": "Is it red or blue?"}))
