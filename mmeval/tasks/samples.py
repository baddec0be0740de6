"""From a row of a data set, or a generated item, to a sample: what it says, and the prompt that asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError, UsageError
from mmeval.core.geometry import DIVISORS
from mmeval.core.template_limits import TemplateLimitError
from mmeval.core.types import AnswerContext, FrameSampling, Media, Sample
from mmeval.tasks import synthetic
from mmeval.tasks.card import Card
from mmeval.tasks.choices import read_choices
from mmeval.tasks.data import Row
from mmeval.tasks.gold import choice_cells, field_value, gold_answer, optional_text, required_text, subset_label
from mmeval.tasks.images import media_from_cell
from mmeval.tasks.opened import identifier_of
from mmeval.tasks.options import AskStyle
from mmeval.tasks.prompts import (
    DEFAULT_TEMPLATE,
    build_messages,
    evaluate,
    instruction_for,
    media_numbers,
    place_media,
    render,
)
from mmeval.tasks.videos import videos_from_cell
from mmeval.tasks.visual import gold_regions, known_of_item, known_of_row
from mmeval.verifiers.base import NO_TARGET

if TYPE_CHECKING:
    from mmeval.tasks.task import Task

GOLD_SPACE = "gold_coordinates"
"""Key of an item: the space of its gold, where the card takes it from the row."""
SOUGHT = "sought"
"""Key of the extras: the gold box and pages of the strategy's way."""
SENT = "sent_to_retriever"
"""Option of the context: what of the row the retriever is told."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What a row or an item says, before it is put into words."""

    identifier: str
    question: str
    kind: str
    choices: tuple[str, ...]
    target: Any
    media: tuple[Media, ...]
    options: dict[str, Any]
    """Of the context; what the prompt decides is added."""
    subsets: Mapping[str, str]
    cluster: str
    extras: Mapping[str, Any]
    row: Mapping[str, Any] = field(default_factory=dict)
    """The columns, for templates."""
    numbers: Sequence[int] | None = None
    """Number under which a prompt names each medium; 1, 2, … when None."""


def row_sample(task: Task, row: Row, style: AskStyle) -> Sample:
    """Build the sample of a row of a data set.

    Raises:
        DataError: naming the column.
    """
    card = task.card
    fields = card.fields
    found = [media_from_cell(field_value(column, row, "fields.images"), row, column) for column in fields.images]
    for column in fields.videos:
        sampling = FrameSampling(**card.video.model_dump())
        found.append(videos_from_cell(field_value(column, row, "fields.videos"), row, column, sampling))
    media = tuple(m for cell in found for m in cell)
    choices = read_choices(choice_cells(fields.choices, row, "fields.choices"), row)
    kind: str = card.answer.kind
    if kind == "mixed":
        kind = str(field_value(fields.answer_type, row, "fields.answer_type"))
    target = gold_answer(field_value(fields.answer, row, "fields.answer"), kind, card.answer.target, choices, row)
    options: dict[str, Any] = dict(card.answer.options)
    options.update(
        {name: field_value(column, row, "answer.row_options") for name, column in card.answer.of_row().items()}
    )
    if target is None and card.answer.withheld:
        options[NO_TARGET] = "the gold answers are not published (answer.withheld): the row was asked for export"
    elif target is None and fields.answer:
        options[NO_TARGET] = _no_gold(fields.answer, row)
    strategy = card.strategy
    if strategy is not None and strategy.retrieval is not None and strategy.retrieval.send:
        named = strategy.retrieval.send.items()
        options[SENT] = {name: field_value(column, row, "strategy.retrieval.send") for name, column in named}
    return _build(
        task,
        _Content(
            identifier=identifier_of(fields.id, row),
            question=required_text(fields.question, row, "fields.question"),
            kind=kind,
            choices=choices.texts,
            target=target,
            media=media,
            options=options,
            subsets={
                name: subset_label(field_value(column, row, f"{section}.{name}"))
                for section, named in (("subsets", card.subsets), ("groups", card.groups))
                for name, column in named.items()
            },
            cluster=optional_text(fields.cluster, row, "fields.cluster"),
            extras={**known_of_row(card, row), **_judge_extras(card, row), **_sought(card, row)},
            row=row.values,
            numbers=media_numbers([len(cell) for cell in found]),
        ),
        style,
    )


def synthetic_sample(task: Task, row: Row, style: AskStyle) -> Sample:
    """Build the sample of a generated item."""
    item: synthetic.SyntheticItem = row.values["item"]
    pictures = tuple(
        Media("image", loader=partial(synthetic.encode_png, pixels), name=f"{item.id}, image {number}")
        for number, pixels in enumerate(item.images, 1)
    )
    media = (
        (Media("video", name=item.id, frames=pictures, frame_indices=tuple(range(len(pictures)))),)
        if item.is_video
        else pictures
    )
    return _build(
        task,
        _Content(
            identifier=item.id,
            question=item.question,
            kind=task.card.answer.kind,
            choices=tuple(item.choices or ()),
            target=item.answer,
            media=media,
            options=dict(task.card.answer.options),
            subsets={
                name: str(item.subsets.get(column, ""))
                for name, column in {**task.card.subsets, **task.card.groups}.items()
            },
            cluster=item.cluster,
            extras=known_of_item(item),
        ),
        style,
    )


def _build(task: Task, content: _Content, style: AskStyle) -> Sample:
    kind, options = content.kind, content.options
    options["answer_kind"] = kind
    if task.card.answer.kind == "mixed":
        options.setdefault("answer_type", kind)
    text = _prompt_text(task, content, style)
    if style.reasoning_tags:
        options["reasoning_tags"] = list(style.reasoning_tags)
    prompt = task.card.prompt
    numbers = content.numbers or range(1, len(content.media) + 1)
    messages = build_messages(
        place_media(text, numbers, prompt.placeholder, strict=prompt.unmatched == "error"),
        prompt.system or style.system,
    )
    context = AnswerContext(
        choices=content.choices,
        options=options,
        coordinates=style.coordinates,
        coordinate_order="yx" if style.coordinate_order == "yx" else "xy",
    )
    space = _space(task.card, content.row)
    gold = gold_regions(kind, content.target, space.get(GOLD_SPACE, task.card.answer.coordinates))
    return Sample(
        id=content.identifier,
        task=task.name,
        messages=messages,
        target=content.target,
        media=content.media,
        context=context,
        subsets=content.subsets,
        cluster=content.cluster,
        item={
            "id": content.identifier,
            "question": content.question,
            "choices": list(content.choices),
            "target": content.target,
            **space,
        },
        extras={**gold, **content.extras},
    )


def _prompt_text(task: Task, content: _Content, style: AskStyle) -> str:
    """The user's turn: the row's own prompt where the card names its column, else the template."""
    prompt = task.card.prompt
    if task.prompt_override is None and prompt.column is not None:
        text = str(content.row.get(prompt.column) or "")
        if not text:
            raise DataError(
                f"task {task.name}, sample {content.identifier}: prompt column {prompt.column!r} is missing or empty",
                remedy="check the data set's revision and the card's prompt.column",
            )
        return text
    instruction = prompt.instruction
    if instruction is None:
        instruction = instruction_for(content.kind, content.options, style.coordinates, style.coordinate_order)
    values = {
        "question": content.question,
        "choices": content.choices if content.kind == "choice" else (),
        "instruction": instruction,
        "row": content.row,
        "kind": content.kind,
    }
    template = task.prompt_override if task.prompt_override is not None else prompt.template or DEFAULT_TEMPLATE
    try:
        return render(template, values)
    except TemplateLimitError as error:
        key = "prompt.template" if task.prompt_override is None else "--prompt-file"
        raise UsageError(
            f"task {task.name}, {key}: {error.message} (sample {content.identifier})", remedy=error.remedy
        ) from error


def _space(card: Card, row: Mapping[str, Any]) -> dict[str, str]:
    """The space of the row's gold, where the card reads it from the row."""
    declared = card.answer.coordinates
    if not declared.startswith("="):
        return {}
    found = evaluate(declared[1:].strip(), row)
    if found not in ("pixels", *DIVISORS):
        raise DataError(
            f"answer.coordinates gives {found!r}", remedy="it must give pixels, unit, percent or thousand for every row"
        )
    return {GOLD_SPACE: found}


def _judge_extras(card: Card, row: Row) -> dict[str, Any]:
    """What judges see of the row beside question, choices and gold; out of the parsers' reach."""
    fields = card.judge_fields
    if not fields:
        return {}
    return {"judge": {name: field_value(column, row, f"judge_fields.{name}") for name, column in fields.items()}}


def _sought(card: Card, row: Row) -> dict[str, Any]:
    """The gold box and pages of the way to the answer; out of reach of parsers and strategies."""
    strategy = card.strategy
    named = {} if strategy is None else {"box": strategy.gold_box, "pages": strategy.gold_pages}
    found = {
        name: field_value(column, row, f"strategy.gold_{name}") for name, column in named.items() if column is not None
    }
    return {SOUGHT: found} if found else {}


def _no_gold(column: str, row: Row) -> str:
    file = row.place.rsplit(", row ", 1)[0]
    file = file if row.image_root is None else Path(file).name
    return (
        f"no gold answer in {column!r} (fields.answer) of {file}: such rows cannot be scored, and asking again does not help; "
        "fill the column, or name another"
    )
