"""From predictions to a run folder: stored answers are verified by the card, ready scores are taken as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, MediaError
from mmeval.core.hashing import digest
from mmeval.core.types import Message, PreparedMedia, Response, Sample, TextPart, Verdict
from mmeval.pipeline.media import ImageFacts, prepare
from mmeval.pipeline.runner import Finished
from mmeval.pipeline.work import Order, Unit
from mmeval.runs.importers.predictions import Prediction
from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord, write_manifest
from mmeval.runs.record import git_state, hardware, now, task_record, versions
from mmeval.runs.rows import result_row, sample_row
from mmeval.runs.tally import Tally
from mmeval.runs.writer import RunWriter
from mmeval.tasks.card import Answer, Card, Dataset, LocalSource
from mmeval.tasks.opened import RowError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.task import OpenTask, Task, item_hash
from mmeval.verifiers.base import verify


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

    folder: Path
    manifest: Manifest
    rows: int
    missing: int
    """Samples of the data set without a prediction."""
    agreement: tuple[int, int] | None
    """(rows on which our verdict equals the file's own, rows with a verdict of the file), where files hold verdicts."""
    fallbacks: int
    """Rows that an official rule decides although nothing could be read (it takes the nearest option)."""


def import_predictions(
    predictions: Iterable[Prediction],
    task: Task | None,
    task_name: str,
    model: str,
    folder: Path,
    *,
    source: Sequence[Path],
    data_dir: Path | None,
    command: Sequence[str],
) -> Imported:
    """Verify predictions and write them as a run folder.

    Args:
        predictions: at most one per (id, condition, repeat).
        task: the card under its protocol; None starts an ad-hoc task whose metric is the mean of the ready scores.
        task_name: name in the table.
        model: name in the table.
        folder: run folder to write.
        source: the files, for the manifest.
        data_dir: where the card's data set lies.
        command: argument vector for the manifest.

    Raises:
        DataError: for duplicates, unknown ids, or answers that cannot be scored without a card.
    """
    found = _index(predictions)
    if task is not None and task.card.answer.reads == "extraction" and not _has_extraction(found.values()):
        raise DataError(
            f"{', '.join(str(path) for path in source)}: no row has an extraction, and {task_name}@{task.protocol} scores extractions",
            remedy=f"use -t {task_name}, which reads the raw response by rules",
        )
    if not found:
        raise DataError(
            f"{', '.join(str(path) for path in source)}: no predictions", remedy="give a file with at least one row"
        )
    opened = _Samples(task, task_name, data_dir, found)
    conditions = sorted({key[1] for key in found}, key=lambda name: (name != "standard", name))
    present = sorted({key[2] for key in found})
    repeats = len(present)
    if present != list(range(repeats)):
        raise DataError(
            f"{', '.join(str(path) for path in source)}: key 'repeat': the numbers are {', '.join(map(str, present[:8]))}",
            remedy="number repeats from 0 without gaps",
        )
    tally = Tally()
    agree = known = fallbacks = 0
    record = opened.record(found)
    with RunWriter(folder) as writer:
        for position, sample in opened.ordered():
            item, media = opened.identity(sample)
            settled = (
                opened.task.settle(sample, media) if media else replace(sample, cluster=sample.cluster or sample.id)
            )
            for condition_index, condition in enumerate(conditions):
                for repeat in range(repeats):
                    prediction = found.get((sample.id, condition, repeat))
                    if prediction is None and (condition != "standard" or repeat > 0):
                        continue
                    order = Order(0, 0, condition_index, position, repeat)
                    shown = (
                        replace(settled, cluster=prediction.cluster) if prediction and prediction.cluster else settled
                    )
                    unit = Unit(order, opened.task, condition, shown, item, None, "", "", None, None, media)
                    finished = _judge(unit, prediction)
                    row = result_row(finished, model)
                    if prediction is not None and prediction.official is not None:
                        known += 1
                        agree += prediction.official == bool(finished.verdict.correct)
                    fallbacks += bool(finished.verdict.scores.get("fallback"))
                    tally.add(finished, row)
                    writer.add((0, 0, condition_index, position, repeat), row)
                    if repeat == 0:
                        writer.add_sample((0, condition_index, position), sample_row(unit), (0, model))
        writer.finish()
        counts = tally.counts()
        missing = tally.failures.get("no prediction for this sample", 0)
        expected = opened.task.card.dataset.rows
        if task is not None and expected is not None and tally.samples.get(0, 0) < expected:
            counts["missing"] = expected - tally.samples.get(0, 0)
        record = record.model_copy(update={"items_digest": tally.items_digest(0), "samples": tally.samples.get(0, 0)})
        notes = [*opened.notes]
        if counts.get("missing"):
            notes.append(f"the file has {tally.samples.get(0, 0)} of the {expected} samples of {task_name}")
        if known:
            notes.append(f"{agree} of {known} verdicts agree with those stored in the file")
        if fallbacks:
            notes.append(
                f"{fallbacks} rows without an extracted answer were decided by the official rule's nearest option"
            )
        manifest = _manifest(folder, model, source, command, record, conditions, repeats, counts, notes)
        write_manifest(folder, manifest)
    total = sum(tally.outcomes.values())
    return Imported(folder, manifest, total - missing, missing, (agree, known) if known else None, fallbacks)


def _index(predictions: Iterable[Prediction]) -> dict[tuple[str, str, int], Prediction]:
    found: dict[tuple[str, str, int], Prediction] = {}
    for prediction in predictions:
        key = (prediction.id, prediction.condition, prediction.repeat)
        if key in found:
            raise DataError(
                f"{prediction.place}: sample {prediction.id!r} (condition {prediction.condition}, repeat {prediction.repeat}) stands at {found[key].place} too",
                remedy="keep one row, or number the repeats with the key 'repeat'",
            )
        found[key] = prediction
    return found


def _has_extraction(predictions: Iterable[Prediction]) -> bool:
    return any(prediction.extraction is not None or prediction.score is not None for prediction in predictions)


def _judge(unit: Unit, prediction: Prediction | None) -> Finished:
    if prediction is None:
        response = Response("error", error="no prediction for this sample")
        return Finished(unit, response, verify(unit.task.verifier, response, unit.sample.target, unit.sample.context))
    stored = Response("ok", text=prediction.response or "", finish_reason=prediction.finish_reason)
    if prediction.score is not None:
        verdict = Verdict(
            "scored",
            score=prediction.score,
            correct=prediction.correct,
            extracted=prediction.extracted,
            verifier="imported/1",
            judge_verdict=prediction.judge_verdict,
        )
        return Finished(unit, stored, verdict)
    reads_extraction = unit.task.card.answer.reads == "extraction"
    text = prediction.extraction if reads_extraction else prediction.response
    asked = Response("ok", text=text or "", finish_reason=prediction.finish_reason)
    return Finished(unit, stored, verify(unit.task.verifier, asked, unit.sample.target, unit.sample.context))


class _Samples:
    """The samples behind the predictions: from the file itself, the card's data set, or made up for an ad-hoc task."""

    def __init__(
        self, task: Task | None, name: str, data_dir: Path | None, found: Mapping[tuple[str, str, int], Prediction]
    ) -> None:
        self.notes: list[str] = []
        self.task = task or _ad_hoc(name, found.values())
        self._opened: OpenTask | None = None
        self._without_media = 0
        self._order: list[Sample] = []
        first: dict[str, Prediction] = {}
        for prediction in found.values():
            first.setdefault(prediction.id, prediction)
        style = AskStyle()
        if task is None:
            if any(prediction.score is None for prediction in found.values()):
                place = next(prediction.place for prediction in found.values() if prediction.score is None)
                raise DataError(
                    f"{place}: there is no card {name!r}, so its response cannot be verified",
                    remedy="give ready scores, or name a task that has a card (`mmeval tasks list`)",
                )
            self._order = [_bare_sample(prediction, name) for prediction in first.values()]
        elif all(prediction.row is not None for prediction in found.values()):
            self._order = [
                task.sample(prediction.row, style) for prediction in first.values() if prediction.row is not None
            ]
        else:
            self._opened = task.open(DataOptions(data_dir))
            self._order = self._readable(self._opened, style)
            strangers = sorted(set(first) - {sample.id for sample in self._order})
            if strangers:
                raise DataError(
                    f"{first[strangers[0]].place}: sample {strangers[0]!r} is not in {task.name} ({len(strangers)} such ids)",
                    remedy=f"ids look like {self._order[0].id!r} there" if self._order else "the data set is empty",
                )

    def _readable(self, opened: OpenTask, style: AskStyle) -> list[Sample]:
        """The samples of a data set; a note says which rows cannot be read."""
        found: list[Sample] = []
        broken: list[RowError] = []
        for _, build in opened.samples(style):
            try:
                found.append(build())
            except RowError as error:
                broken.append(error)
        if broken:
            self.notes.append(
                f"{len(broken)} rows of the data set are left out: {broken[0].identifier}: {broken[0].message}"
            )
        return found

    def ordered(self) -> Iterable[tuple[int, Sample]]:
        """Samples with their position."""
        return enumerate(self._order)

    def identity(self, sample: Sample) -> tuple[str, tuple[PreparedMedia, ...]]:
        """Item hash and media; without image files the item is known by its text alone, and a note says so."""
        try:
            media = tuple(prepare(entry, _forget, _ignore) for entry in sample.media)
        except MediaError:
            if not self._without_media:
                self.notes.append(
                    "images were not found: these items join other runs only when those lack images too (add --data-dir)"
                )
            self._without_media += 1
            media = ()
        return item_hash(sample, media), media

    def record(self, found: Mapping[tuple[str, str, int], Prediction]) -> TaskRecord:
        """The task's entry in the manifest."""
        if self._opened is not None:
            return task_record(self._opened, self.task.sampling, "imported", None)
        opened = OpenTask(self.task, _no_source(), None, None)
        record = task_record(opened, self.task.sampling, "imported", None)
        columns = sorted({column for prediction in found.values() for column in prediction.subsets})
        return record.model_copy(update={"subset_columns": columns}) if columns else record


def _forget(sha256: str) -> ImageFacts | None:
    return None


def _ignore(sha256: str, facts: ImageFacts) -> None:
    return None


def _no_source() -> Any:
    from mmeval.tasks.data import Source

    return Source({"kind": "imported"}, lambda: iter(()), None)


def _ad_hoc(name: str, predictions: Iterable[Prediction]) -> Task:
    binary = all(prediction.correct is not None for prediction in predictions)
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
    return Sample(
        id=prediction.id,
        task=name,
        messages=(Message("user", (TextPart(""),)),),
        target=prediction.target,
        subsets=dict(prediction.subsets),
        cluster=prediction.cluster or "",
        item={"id": prediction.id, "task": name, "target": prediction.target},
    )


def _manifest(
    folder: Path,
    model: str,
    source: Sequence[Path],
    command: Sequence[str],
    record: TaskRecord,
    conditions: Sequence[str],
    repeats: int,
    counts: Mapping[str, int],
    notes: Sequence[str],
) -> Manifest:
    identity = {"imported": [{"file": path.name, "sha256": _file_hash(path)} for path in source]}
    config = {"models": [model], "tasks": [f"{record.name}@{record.protocol}"], "conditions": list(conditions)}
    return Manifest(
        run_id=digest(identity)[:16],
        name=folder.name,
        status="incomplete" if counts["error"] or counts["unscored"] or counts.get("missing") else "complete",
        created=now(),
        finished=now(),
        command=list(command),
        config=config,
        config_digest=digest([config, identity]),
        versions=versions(),
        hardware=hardware(),
        git=git_state(),
        seeds={},
        models=[
            ModelRecord(
                name=model,
                spec=f"imported:{model}",
                engine="imported",
                engine_version="1",
                identity=identity,
                identity_digest=digest(identity),
                shared_identity=True,
            )
        ],
        tasks=[record],
        conditions=list(conditions),
        repeats=repeats,
        counts=dict(counts),
        notes=list(notes),
    )


def _file_hash(path: Path) -> str:
    import hashlib

    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
