"""The samples behind predictions: from the card's data set, from the file's own rows, or made up for ready scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, MediaError
from mmeval.core.types import Message, PreparedMedia, Sample, TextPart
from mmeval.pipeline.media import ImageFacts, prepare
from mmeval.runs.importers.own import card_row, card_task, cardless_task, own_sample, own_task, same_item
from mmeval.runs.importers.predictions import Prediction, listed
from mmeval.runs.manifest import TaskRecord
from mmeval.runs.record import task_record
from mmeval.tasks.card import Answer, Card, Dataset, LocalSource
from mmeval.tasks.data import Source
from mmeval.tasks.local_files import find_local_files
from mmeval.tasks.opened import OpenTask, RowError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.task import Task, item_hash

Found = dict[tuple[str, str, int], Prediction]
"""(sample id, condition, repeat) -> prediction."""
MOST_STRANGE = 0.1
"""Share of rows matched by position alone that may differ from the data set's row before the import is refused."""
NOT_THERE = "no such sample in the data set"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is imported, and where its samples may come from."""

    task: Task | None
    """The card under its protocol; None for a name that is no card."""
    name: str
    data_dir: Path | None = None
    allow_unknown: bool = False
    """Leave out predictions whose sample the data set does not have."""
    style: AskStyle = field(default_factory=AskStyle)
    """How the model was asked: in which coordinates it answers."""


class Samples:
    """The samples in the order of the results table, and the predictions by their ids.

    Raises:
        DataError: when neither the data set nor the files say what was asked, or ids do not match.
    """

    def __init__(self, wanted: Wanted, predictions: Sequence[Prediction]) -> None:
        self.notes: list[str] = []
        self.left_out = 0
        """Predictions of samples that the data set does not have."""
        self.broken: dict[str, str] = {}
        """Sample -> why the file's own row cannot be scored."""
        self._opened: OpenTask | None = None
        self._subsets: list[str] | None = None
        self._without_media = 0
        self._wanted = wanted
        first: dict[str, Prediction] = {}
        for prediction in predictions:
            first.setdefault(prediction.id, prediction)
        self.found: Found = _index(predictions)
        self.task, self._order = self._choose(list(first.values()), predictions)

    def _choose(self, first: Sequence[Prediction], predictions: Sequence[Prediction]) -> tuple[Task, list[Sample]]:
        task, name = self._wanted.task, self._wanted.name
        own = all(prediction.own is not None for prediction in first)
        if task is None:
            if all(_needs_no_card(prediction) for prediction in predictions):
                return _ready(name, predictions), [_bare_sample(prediction, name) for prediction in first]
            if own:
                made = cardless_task(name, first)
                self.notes.append(
                    f"there is no card {name!r}: answers of kind {made.card.answer.kind} are scored with the questions,"
                    " options and answers in the file"
                )
                self._subsets = list(made.card.subsets)
                return made, self._own_samples(made, first)
            place = next(prediction.place for prediction in predictions if not _needs_no_card(prediction))
            raise DataError(
                f"{place}: there is no card {name!r}, so its response cannot be verified",
                remedy="give ready scores, or name a task that has a card (`mmeval tasks list`; `--task-path DIR` for your own)",
            )
        if not self._at_hand(task):
            style = self._wanted.style
            rows = [prediction.row for prediction in first]
            if all(row is not None for row in rows):
                return task, [task.sample(row, style) for row in rows if row is not None]
            if own:
                native = card_task(task, first[0])
                changed, lacking = native or own_task(task, first)
                self._say_own(task, lacking)
                self._subsets = list(changed.card.subsets)
                return task, self._card_samples(changed, first) if native else self._own_samples(changed, first)
        return task, self._from_data_set(task, first, predictions)

    def _at_hand(self, task: Task) -> bool:
        """Whether the task's own data are here: below --data-dir, as the file that -t names, in LMUData, or generated."""
        dataset = task.card.dataset
        if self._wanted.data_dir is not None or dataset.synthetic is not None:
            return True
        return dataset.local is not None and bool(find_local_files(dataset.local, task.name, None))

    def _say_own(self, task: Task, lacking: Sequence[str]) -> None:
        without = f"; without {', '.join(lacking)}, which it does not hold" if lacking else ""
        self.notes.append(
            f"scored with the questions, options and answers that the file itself holds{without}"
            f" (add --data-dir for the data set of {task.name})"
        )

    def _card_samples(self, task: Task, first: Sequence[Prediction]) -> list[Sample]:
        found = []
        for number, prediction in enumerate(first):
            try:
                sample = task.sample(card_row(task, prediction, number), self._wanted.style)
                found.append(replace(sample, id=prediction.id, item={**sample.item, "id": prediction.id}))
            except DataError as error:
                found.append(self._unreadable(prediction, task.name, error))
        return found

    def _own_samples(self, task: Task, first: Sequence[Prediction]) -> list[Sample]:
        found = []
        for number, prediction in enumerate(first):
            try:
                found.append(own_sample(task, prediction, number, self._wanted.style))
            except DataError as error:
                found.append(self._unreadable(prediction, task.name, error))
        return found

    def _unreadable(self, prediction: Prediction, name: str, error: DataError) -> Sample:
        self.broken[prediction.id] = error.message.removeprefix(f"{prediction.place}: ")
        return _bare_sample(prediction, name)

    def _from_data_set(
        self, task: Task, first: Sequence[Prediction], predictions: Sequence[Prediction]
    ) -> list[Sample]:
        self._opened = task.open(DataOptions(self._wanted.data_dir))
        order = self._readable(self._opened)
        known = {sample.id for _, sample in order}
        moved = self._by_position(task, order, [entry for entry in first if entry.id not in known])
        strangers = [entry for entry in first if entry.id not in known and entry.id not in moved]
        if strangers and (not self._wanted.allow_unknown or len(strangers) == len(first)):
            raise self._unknown(task, strangers, len(first), order)
        away = {entry.id for entry in strangers}
        kept = [replace(entry, id=moved.get(entry.id, entry.id)) for entry in predictions if entry.id not in away]
        self.left_out = len(predictions) - len(kept)
        if self.left_out:
            self.notes.append(
                f"{self.left_out} answers are left out, {NOT_THERE}: {listed([entry.id for entry in strangers])}"
            )
        self.found = _index(kept)
        self._compare_items(task, {sample.id: sample for _, sample in order}, bool(moved))
        return [sample for _, sample in order]

    @staticmethod
    def _unknown(
        task: Task, strangers: Sequence[Prediction], of: int, order: Sequence[tuple[int, Sample]]
    ) -> DataError:
        ids = listed([entry.id for entry in strangers])
        example = f"ids look like {order[0][1].id!r} there" if order else "the data set is empty"
        if len(strangers) == of:
            return DataError(
                f"{strangers[0].place}: none of the {of} ids is in {task.name}: {ids}",
                remedy=f"{example}; name the column that holds them with --column id=COLUMN",
            )
        return DataError(
            f"{strangers[0].place}: sample {strangers[0].id!r} is not in {task.name} ({len(strangers)} such ids: {ids})",
            remedy=f"{example}; --allow-unknown leaves such rows out",
        )

    def _by_position(
        self, task: Task, order: Sequence[tuple[int, Sample]], entries: Sequence[Prediction]
    ) -> dict[str, str]:
        """Ids in the file -> ids in the data set, for files that count the data set's rows."""
        placed = {entry.id: entry.position for entry in entries if entry.position is not None}
        if not placed:
            return {}
        if task.card.dataset.where:
            raise DataError(
                f"{entries[0].place}: the file counts the rows of the whole data set, and {task.name} keeps a part of them",
                remedy="name the column that holds the samples' ids with --column id=COLUMN",
            )
        ids = {number: sample.id for number, sample in order}
        return {name: ids[position] for name, position in placed.items() if position in ids}

    def _compare_items(self, task: Task, samples: Mapping[str, Sample], by_position: bool) -> None:
        """Say how many rows hold another question than the data set; refuse a file that counts other rows."""
        compared = [entry for entry in self.found.values() if entry.own is not None and entry.own.question]
        other = [entry for entry in compared if entry.own and not same_item(samples[entry.id], entry.own)]
        if by_position and len(other) > MOST_STRANGE * len(compared):
            raise DataError(
                f"{other[0].place}: row {other[0].position} of {task.name} is another question ({len(other)} of"
                f" {len(compared)} rows differ), so the file was made with another split or version of the data set",
                remedy="give --data-dir with the split that was evaluated, or leave it out to use what the file holds",
            )
        if other:
            self.notes.append(
                f"{len(other)} of {len(compared)} rows hold another question and answer than the data set:"
                f" {listed([entry.id for entry in other])}"
            )

    def _readable(self, opened: OpenTask) -> list[tuple[int, Sample]]:
        """The samples of a data set with their positions; a note says which rows cannot be read."""
        found: list[tuple[int, Sample]] = []
        broken: list[RowError] = []
        for position, build in opened.samples(self._wanted.style):
            try:
                found.append((position, build()))
            except RowError as error:
                broken.append(error)
        if broken:
            self.notes.append(
                f"{len(broken)} rows of the data set are left out: {broken[0].identifier}: {broken[0].message}"
            )
        return found

    def ordered(self) -> Iterator[tuple[int, Sample]]:
        """Samples with their position in the results table."""
        yield from enumerate(self._order)

    def identity(self, sample: Sample) -> tuple[str, tuple[PreparedMedia, ...]]:
        """Item hash and media; without image files the item is known by its text alone, and a note says so."""
        try:
            media = tuple(prepare(entry, _forget, _ignore) for entry in sample.media)
        except MediaError as error:
            if not self._without_media:
                self.notes.append(
                    f"{sample.id}: {error.message}; rows whose images or videos cannot be read join other runs only when"
                    " those lack them too (they are looked for below --data-dir)"
                )
            self._without_media += 1
            media = ()
        return item_hash(sample, media), media

    def record(self) -> TaskRecord:
        """The task's entry in the manifest."""
        if self._opened is not None:
            return task_record(self._opened, self.task.sampling, "imported", None, asked=False)
        opened = OpenTask(self.task, Source({"kind": "imported"}, lambda: iter(()), None), None, None)
        record = task_record(opened, self.task.sampling, "imported", None, asked=False)
        groups = self.task.card.groups
        columns = sorted({name for one in self.found.values() for name in one.subsets if name not in groups})
        if self._subsets is not None:
            columns = [*self._subsets, *(column for column in columns if column not in self._subsets)]
        elif not columns:
            return record
        return record.model_copy(update={"subset_columns": columns})


def _index(predictions: Iterable[Prediction]) -> Found:
    found: Found = {}
    for prediction in predictions:
        key = (prediction.id, prediction.condition, prediction.repeat)
        if key in found:
            raise DataError(
                f"{prediction.place}: sample {prediction.id!r} (condition {prediction.condition}, repeat {prediction.repeat}) stands at {found[key].place} too",
                remedy="keep one row, or number the repeats with the key 'repeat'",
            )
        found[key] = prediction
    return found


def _forget(sha256: str) -> ImageFacts | None:
    return None


def _ignore(sha256: str, facts: ImageFacts) -> None:
    return None


def _needs_no_card(prediction: Prediction) -> bool:
    return prediction.score is not None or prediction.status != "ok" or bool(prediction.problem)


def _ready(name: str, predictions: Iterable[Prediction]) -> Task:
    """The task of ready scores: their mean."""
    binary = all(prediction.correct is not None for prediction in predictions if prediction.score is not None)
    # An ad-hoc name is the user's own and need not follow the rules for card names.
    card = Card.model_construct(
        name=name,
        family="imported",
        title=name,
        status="unverified",
        dataset=Dataset(local=LocalSource(files=["*"])),
        answer=Answer(kind="text"),
        metrics=["accuracy"] if binary else ["mean"],
    )
    return Task(card, "default")


def _bare_sample(prediction: Prediction, name: str) -> Sample:
    item: dict[str, Any] = {"id": prediction.id, "task": name, "target": prediction.target}
    if prediction.own is not None:
        item |= {"question": prediction.own.question, "choices": list(prediction.own.choices)}
    return Sample(
        id=prediction.id,
        task=name,
        messages=(Message("user", (TextPart(item.get("question", "")),)),),
        target=prediction.target,
        subsets=dict(prediction.subsets),
        cluster=prediction.cluster or "",
        item=item,
    )
