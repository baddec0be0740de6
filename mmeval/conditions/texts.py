"""Conditions that change what is said: captions instead of the picture, hints beside it, the same question in another form."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmeval.conditions.regions import Regions
from mmeval.conditions.strategy import READ, blind_messages
from mmeval.core.errors import NotApplicableError
from mmeval.core.geometry import DIVISORS
from mmeval.core.types import Media, MediaPart, Message, Part, Sample, TextPart

KNOWN = "These things are known for certain about the picture:"
PLACES = "What the question is about lies here:"
JUDGE_FORMAT = "Is the proposed answer right? Answer with yes or no."
OPEN_FORMAT = "Answer with a single word, number or phrase."


def exact_caption(sample: Sample) -> Sample:
    """Replace the picture by its exact caption (`visual.caption` of the card): the ceiling of what a describer can give.

    Raises:
        NotApplicableError: when the item has none.
    """
    caption = str(sample.extras.get("caption") or "").strip()
    if not caption:
        raise NotApplicableError("the item has no exact caption (visual.caption of its card)")
    return _told(sample, caption)


def described_by(descriptions: Mapping[tuple[str, str], str]) -> Callable[[Sample], Sample]:
    """Return the change that replaces the picture by what another run's model said of it.

    Args:
        descriptions: (task, sample id) -> description.
    """

    def change(sample: Sample) -> Sample:
        description = descriptions.get((sample.task, sample.id), "").strip()
        if not description:
            raise NotApplicableError("the other run has no description of this sample")
        return _told(sample, description)

    return change


def hint_facts(sample: Sample) -> Sample:
    """Show the picture and say its exact facts beside it: what is left of the errors is not perception.

    Raises:
        NotApplicableError: when the item has no facts.
    """
    facts = sample.extras.get("facts") or ()
    if not facts:
        raise NotApplicableError("the item has no visual facts (visual.facts of its card)")
    lines = [f"- {fact['question']} {'Yes' if fact['answer'] else 'No'}." for fact in facts]
    return _appended(sample, "\n".join((KNOWN, *lines)))


def hint_boxes(sample: Sample) -> Sample:
    """Show the picture and say where to look, in the model's own coordinates.

    Raises:
        NotApplicableError: when the item has no gold box, or a box is what it asks for.
    """
    regions = Regions.of(sample.extras)
    if sample.context.options.get("answer_kind") in {"box", "boxes", "point"}:
        raise NotApplicableError("the gold box is the answer here")
    size, sent = sample.context.image_size, sample.context.sent_size
    if size is None or sent is None:
        return sample
    lines = [_place(box, size, sent, sample.context.coordinates, sample.context.coordinate_order) for box in regions.pixels(*size)]  # fmt: skip
    return _appended(sample, "\n".join((PLACES, *lines)))


def as_judge(sample: Sample) -> Sample:
    """Ask whether a proposed option is right; half of the samples, by their ids, get the right one (Curr-ReFT's easiest form).

    Raises:
        NotApplicableError: for questions without options.
    """
    question, choices, right = _choice(sample)
    draw = zlib.crc32(f"{sample.task}/{sample.id}".encode())
    others = [text for place, text in enumerate(choices) if place != right]
    propose_right = draw % 2 == 0
    proposed = choices[right] if propose_right else others[(draw // 2) % len(others)]
    text = f"{question}\n\nProposed answer: {proposed}\n{JUDGE_FORMAT}"
    return _reworded(sample, text, "yes" if propose_right else "no", "yes-no")


def as_open(sample: Sample) -> Sample:
    """Ask without the options; the answer is the text of the right one (Curr-ReFT's hardest form).

    Raises:
        NotApplicableError: for questions without options, or whose own text names them all.
    """
    question, choices, right = _choice(sample)
    if all(text.lower() in question.lower() for text in choices):
        raise NotApplicableError("the question itself names its options")
    gold = choices[right].strip()
    return _reworded(sample, f"{question}\n{OPEN_FORMAT}", gold, "number" if _is_number(gold) else "text")


def _told(sample: Sample, description: str) -> Sample:
    empty: tuple[Media, ...] = ()
    return replace(sample, messages=blind_messages(sample, READ + description + "\n\n"), media=empty)


def _appended(sample: Sample, text: str) -> Sample:
    messages = list(sample.messages)
    for place in reversed(range(len(messages))):
        if messages[place].role == "user":
            messages[place] = replace(messages[place], parts=(*messages[place].parts, TextPart(f"\n\n{text}")))
            break
    return replace(sample, messages=tuple(messages))


def _choice(sample: Sample) -> tuple[str, tuple[str, ...], int]:
    choices = sample.context.choices
    kind = sample.context.options.get("answer_type") or sample.context.options.get("answer_kind")
    if kind != "choice" or len(choices) < 2:
        raise NotApplicableError("the question has no options")
    letter = str(sample.target or "").strip().upper()
    right = ord(letter) - ord("A") if len(letter) == 1 else -1
    if not 0 <= right < len(choices) or len(set(choices)) < len(choices):
        raise NotApplicableError("no single option is the right one")
    return str(sample.item.get("question", "")), choices, right


def _reworded(sample: Sample, text: str, target: str, kind: str) -> Sample:
    shown: list[Part] = [MediaPart(index) for index in range(len(sample.media))]
    system = tuple(message for message in sample.messages if message.role == "system")
    options: dict[str, Any] = {**sample.context.options, "answer_kind": kind, "answer_type": kind}
    return replace(
        sample,
        messages=(*system, Message("user", (*shown, TextPart(text)))),
        target=float(target) if kind == "number" else target,
        context=replace(sample.context, choices=(), options=options),
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in {"nan", "inf", "-inf", "infinity"}


def _place(box: Sequence[int], size: tuple[int, int], sent: tuple[int, int], space: str, order: str) -> str:
    """One box as the model writes coordinates: pixels of the picture as sent, or shares of its sides."""
    scale = (DIVISORS[space],) * 2 if space in DIVISORS else (float(sent[0]), float(sent[1]))
    numbers = [value * scale[axis % 2] / size[axis % 2] for axis, value in enumerate(box)]
    if order == "yx":
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    digits = {"unit": 3, "percent": 1}.get(space, 0)
    return "[" + ", ".join(f"{number:.{digits}f}" for number in numbers) + "]"
