"""Samples from the questions that a predictions file itself holds, for imports without the card's data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmeval.core.errors import DataError, MmevalError
from mmeval.core.types import Sample
from mmeval.runs.importers.predictions import OwnItem, Prediction
from mmeval.tasks.card import Answer, Card, Dataset, Fields, LocalSource, Prompt
from mmeval.tasks.data import Row
from mmeval.tasks.gold import field_value
from mmeval.tasks.options import AskStyle
from mmeval.tasks.task import Task

_ID, _QUESTION, _CHOICES, _ANSWER, _KIND = "_id", "_question", "_choices", "_answer", "_kind"
_NOTHING = "_nothing"
"""Stands for columns that the card's rule reads and the file lacks: always empty."""
_SUBSETS = ("category", "l2-category", "split", "subject", "task")
"""Columns of files without a card by which results are broken down."""
_CLUSTERS = ("image_path", "image_id")
"""Columns that say which picture a question is about: questions about one picture are dependent."""
_YES_NO = frozenset({"yes", "no"})
_BOXES = ["mean:f1", "mean:precision", "mean:recall"]
_LABELLED = [
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar@1", "ar@10", "ar", "ar_small", "ar_medium", "ar_large",
    "f1@0.5", "precision@0.5", "recall@0.5",
]  # fmt: skip
"""What boxes with classes and scores are measured by: cocoapi's twelve numbers, and three that need no scores."""


def card_row(task: Task, prediction: Prediction, number: int) -> Row:
    """Return the file's row for the card's own columns; images and a prompt that it lacks are left empty."""
    assert prediction.own is not None
    card = task.card
    absent = [column for column in card.fields.images if not column.startswith("=")]
    values = {**dict.fromkeys(absent), **prediction.own.values}
    if card.fields.id and not card.fields.id.startswith("="):
        values.setdefault(card.fields.id, prediction.id)
    return Row(number, values, prediction.place)


def card_ids(task: Task, predictions: Sequence[Prediction]) -> list[Prediction]:
    """Return the predictions under the ids that the card's expression gives their rows, where it gives each one its own."""
    column = task.card.fields.id
    if column is None or not column.startswith("="):
        return list(predictions)
    ids: dict[str, str] = {}
    for prediction in predictions:
        if prediction.own is None:
            return list(predictions)
        try:
            ids[prediction.id] = str(field_value(column, Row(0, prediction.own.values, prediction.place)))
        except DataError:
            return list(predictions)
    if len(set(ids.values())) < len(ids):
        return list(predictions)
    return [replace(prediction, id=ids[prediction.id]) for prediction in predictions]


def card_task(task: Task, first: Prediction) -> tuple[Task, list[str]] | None:
    """Return a task that reads the file's rows by the card's own columns, and which subsets it lacks; None if they do not fit.

    Args:
        task: the card under its protocol.
        first: a prediction with its item.
    """
    row = card_row(task, first, 0)
    subsets = {name: column for name, column in task.card.subsets.items() if _known(column, row)}
    # Only what judges see beside question, choices and gold may be lacking too.
    shown = {name: column for name, column in task.card.judge_fields.items() if _known(column, row)}
    reduced = Task(task.card.model_copy(update={"subsets": subsets, "judge_fields": shown}), task.protocol)
    try:
        sample = reduced.sample(row, AskStyle())
    except MmevalError:
        return None
    if first.own is not None and first.own.choices and not sample.context.choices:
        return None  # the file has the options in columns that the card does not read
    return (reduced, sorted(set(task.card.subsets) - set(subsets))) if sample.target is not None else None


def own_row(prediction: Prediction, number: int) -> Row:
    """Return the file's row with question, choices and answer under names that no file has."""
    own = prediction.own
    assert own is not None
    kind = answer_kind(own)
    values = {
        **own.values, _ID: prediction.id, _QUESTION: own.question, _CHOICES: list(own.choices) or None,
        _ANSWER: own.answer, _KIND: kind, _NOTHING: None,
    }  # fmt: skip
    return Row(number, values, prediction.place)


def answer_kind(own: OwnItem) -> str:
    """Return which kind of answer an item without a card asks for."""
    if own.choices:
        return "choice"
    answer = own.answer
    if isinstance(answer, list):
        boxes = all(
            (isinstance(box, dict) and "box" in box) or (isinstance(box, list) and len(box) == 4) for box in answer
        )
        return "boxes" if boxes else "text"
    if isinstance(answer, str) and answer.strip().lower() in _YES_NO:
        return "yes-no"
    try:
        float(answer)
    except (TypeError, ValueError):
        return "text"
    return "number"


def own_task(task: Task, first: Sequence[Prediction]) -> tuple[Task, list[str]]:
    """Return a task that reads the file's own columns and scores by the card's rules, and which subsets and columns it lacks.

    Args:
        task: the card under its protocol.
        first: predictions with their items, at least one.
    """
    card = task.card
    row = own_row(first[0], 0)
    subsets = {name: found for name, column in card.subsets.items() if (found := _subset(name, column, row))}
    fields = Fields(
        id=_ID,
        question=_QUESTION,
        choices=_CHOICES,
        answer=_ANSWER,
        cluster=next((column for column in (card.fields.cluster, *_CLUSTERS) if column and _known(column, row)), None),
        answer_type=card.fields.answer_type if _known(card.fields.answer_type, row) else _KIND,
    )
    # A rule that compares the gold as it stands in the data set does so here too.
    lettered = (
        card.answer.kind in ("choice", "mixed")
        and card.answer.target != "value"
        and any(entry.own and entry.own.choices for entry in first)
    )
    options = {
        name: next((found for found in (column, name) if _known(found, row)), _NOTHING)
        for name, column in card.answer.of_row().items()
    }
    answer = card.answer.model_copy(update={"target": "letter" if lettered else "value", "row_options": options})
    changed = card.model_copy(
        update={
            "dataset": Dataset(local=LocalSource(files=["*"])),
            "fields": fields,
            "answer": answer,
            "subsets": subsets,
            "prompt": Prompt(instruction=""),
            "judge_fields": {},
        }
    )
    absent = [name for name, column in options.items() if column == _NOTHING]
    return Task(changed, task.protocol), [*sorted(set(card.subsets) - set(subsets)), *absent]


def cardless_task(name: str, predictions: Sequence[Prediction]) -> Task:
    """Return a task for files with questions and answers under a name that is no card."""
    items = [prediction.own for prediction in predictions if prediction.own is not None]
    kinds = {answer_kind(item) for item in items}
    first = own_row(next(prediction for prediction in predictions if prediction.own is not None), 0)
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    labelled = kind == "boxes" and any(isinstance(one, dict) for item in items for one in item.answer)
    # An ad-hoc name is the user's own and need not follow the rules for card names.
    card = Card.model_construct(
        name=name,
        family="imported",
        title=name,
        status="unverified",
        dataset=Dataset(local=LocalSource(files=["*"])),
        fields=Fields(
            id=_ID,
            question=_QUESTION,
            choices=_CHOICES,
            answer=_ANSWER,
            answer_type=_KIND,
            cluster=next((column for column in _CLUSTERS if column in first.values), None),
        ),
        prompt=Prompt(instruction=""),
        answer=Answer(
            kind=kind,  # type: ignore[arg-type]
            target="letter" if kind in ("choice", "mixed") else "value",
            verifier="detections" if labelled else None,
            options={"score_policy": "confidence"} if labelled else {},
        ),
        metrics=list(_LABELLED if labelled else _BOXES) if kind == "boxes" else ["accuracy"],
        subsets={name: found for name in _SUBSETS if (found := _subset(name, name, first))},
    )
    return Task(card, "default")


def own_sample(task: Task, prediction: Prediction, number: int, style: AskStyle) -> Sample:
    """Build the sample of an item by a task of `own_task` or `cardless_task`.

    Raises:
        DataError: naming file and row.
    """
    own = prediction.own
    assert own is not None
    if own.problem:
        raise DataError(f"{prediction.place}: {own.problem}", remedy="add --data-dir with the card's data set")
    return task.sample(own_row(prediction, number), style)


def same_item(sample: Sample, own: OwnItem) -> bool:
    """Whether a sample of the data set is the item that a file holds, by its question or else by its gold answer."""
    asked, stored = _plain(str(sample.item.get("question", ""))), _plain(own.question)
    if asked and stored and (asked in stored or stored in asked):
        return True
    return own.answer is not None and sample.target is not None and _plain(own.answer) == _plain(sample.target)


def _plain(value: Any) -> str:
    return " ".join(str(value).lower().split())


def _subset(name: str, column: str, row: Row) -> str | None:
    """Return where a row has a subset's label: the card's column, or the one of the subset's own name; lists may be text."""
    found = next((candidate for candidate in (column, name) if _known(candidate, row)), None)
    value = row.values.get(found) if found else None
    listed = isinstance(value, str) and value.startswith("[") and value.endswith("]")
    return f"= {found} | literal" if listed and found and found.isidentifier() else found


def _known(column: str | None, row: Row) -> bool:
    """Whether the row has a column, or what an expression needs."""
    if column is None:
        return False
    try:
        field_value(column, row)
    except DataError:
        return False
    return True
