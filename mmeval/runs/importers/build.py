"""From predictions to a run folder: stored answers are verified by the card, ready scores are taken as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.hashing import digest
from mmeval.core.types import Response, Sample, Verdict
from mmeval.pipeline.runner import Finished
from mmeval.pipeline.work import Order, Unit
from mmeval.runs.importers.own import card_ids
from mmeval.runs.importers.predictions import Prediction, Reading, listed
from mmeval.runs.importers.samples import NOT_THERE, Samples, Wanted
from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord, write_manifest
from mmeval.runs.reasons import Reasons
from mmeval.runs.record import hardware, now, versions
from mmeval.runs.repository import git_state
from mmeval.runs.rows import result_row, sample_row
from mmeval.runs.tally import Tally
from mmeval.runs.writer import RunWriter
from mmeval.verifiers.base import verify

MISSING = "no prediction for this sample"


@dataclass(frozen=True, slots=True)
class Import:
    """What is to be imported, and where to."""

    wanted: Wanted
    model: str
    """Name in the table."""
    folder: Path
    """Run folder to write."""
    source: Sequence[Path]
    """The paths as given, for the manifest."""
    command: Sequence[str]
    """Argument vector for the manifest."""
    format: str = "jsonl"
    stored_scores: bool = False
    """Take the scores that the files hold, instead of verifying the answers."""


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
    read: int
    """Answers that stood in the files."""
    lost: Mapping[str, int]
    """Answers that are not in the run, by reason."""
    failures: Mapping[str, int]
    """Rows that ended in an error, by reason."""


def import_predictions(predictions: Iterator[Prediction], reading: Reading, what: Import) -> Imported:
    """Verify predictions and write them as a run folder.

    Args:
        predictions: of a reader, at most one per (id, condition, repeat).
        reading: the reader's own report, complete when the predictions are read.
        what: task, model, and where to write.

    Raises:
        DataError: for duplicates, unknown ids, or answers that cannot be scored without a card.
    """
    place = ", ".join(str(path) for path in what.source)
    found = list(predictions)
    _balanced(found, reading)
    if what.stored_scores:
        found = _with_stored_scores(found, place, reading)
    _check_extractions(found, what, place)
    if not found:
        lost = f" ({_reasons(reading.lost)})" if reading.lost else ""
        raise DataError(f"{place}: no predictions{lost}", remedy="give a file with at least one answer")
    if what.wanted.task is None and not what.stored_scores and _holds_scores(found):
        found = _with_stored_scores(found, place, reading)
    if what.wanted.task is not None and "id" not in reading.columns:
        found = card_ids(what.wanted.task, found)
    samples = Samples(what.wanted, found)
    writing = _Writing(what, samples, reading, place)
    with RunWriter(what.folder) as writer:
        writing.rows(writer)
        writer.finish()
        manifest = writing.manifest()
        write_manifest(what.folder, manifest)
    left = Counter(reading.lost)
    left[NOT_THERE] += samples.left_out
    return Imported(
        what.folder,
        manifest,
        writing.written,
        writing.missing,
        writing.agreement,
        writing.fallbacks,
        reading.found,
        +left,
        writing.failures,
    )


def _balanced(found: Sequence[Prediction], reading: Reading) -> None:
    if len(found) + reading.lost.total() != reading.found:
        raise RuntimeError(
            f"{reading.found} answers stand in the files, {len(found)} were read and {reading.lost.total()} reported as lost"
        )


def _holds_scores(found: Sequence[Prediction]) -> bool:
    """Whether all answers that count have a score of the file's own, and none is a ready score already."""
    answers = [entry for entry in found if entry.status == "ok" and not entry.problem]
    return bool(answers) and all(entry.score is None and entry.stored_score is not None for entry in answers)


def _with_stored_scores(found: Sequence[Prediction], place: str, reading: Reading) -> list[Prediction]:
    """Turn the files' own scores into ready scores."""
    if not any(entry.stored_score is not None for entry in found):
        raise DataError(
            f"{place}: the files hold no scores",
            remedy="name their column with --column verdict=NAME, or verify the answers",
        )
    reading.notes.append("the scores are the ones that the files hold; nothing was verified")
    return [
        replace(entry, score=entry.stored_score, correct=entry.official, official=None)
        if entry.stored_score is not None
        else replace(entry, problem=entry.problem or "the file holds no score for this answer")
        for entry in found
    ]


def _check_extractions(found: Sequence[Prediction], what: Import, place: str) -> None:
    task = what.wanted.task
    if task is None or task.card.answer.reads != "extraction":
        return
    if not any(entry.extraction is not None or entry.score is not None for entry in found):
        raise DataError(
            f"{place}: no row has an extraction, and {task.name}@{task.protocol} scores extractions",
            remedy=f"use -t {task.name}, which reads the raw response by rules",
        )


def _reasons(lost: Mapping[str, int]) -> str:
    return "; ".join(f"{count} left out: {reason}" for reason, count in lost.items() if count)


@dataclass(slots=True)
class _Writing:
    """Rows and manifest of one import."""

    what: Import
    samples: Samples
    reading: Reading
    place: str
    tally: Tally = field(default_factory=Tally)
    agreed: int = 0
    known: int = 0
    fallbacks: int = 0
    conditions: list[str] = field(default_factory=list)
    repeats: int = 1
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Why answers are unscored -> ids."""

    def rows(self, writer: RunWriter) -> None:
        """Write one row per prediction, and one for each sample without any."""
        found = self.samples.found
        self.conditions = sorted({key[1] for key in found}, key=lambda name: (name != "standard", name))
        present = sorted({key[2] for key in found})
        self.repeats = len(present)
        if present != list(range(self.repeats)):
            raise DataError(
                f"{self.place}: key 'repeat': the numbers are {', '.join(map(str, present[:8]))}",
                remedy="number repeats from 0 without gaps",
            )
        for position, sample in self.samples.ordered():
            item, media = self.samples.identity(sample)
            settled = self._settled(sample, media)
            for index, condition in enumerate(self.conditions):
                for repeat in range(self.repeats):
                    prediction = found.get((sample.id, condition, repeat))
                    if prediction is None and (condition != "standard" or repeat > 0):
                        continue
                    order = Order(0, 0, index, position, repeat)
                    shown = (
                        replace(settled, cluster=prediction.cluster) if prediction and prediction.cluster else settled
                    )
                    unit = Unit(order, self.samples.task, condition, shown, item, None, "", "", None, None, media)
                    self._write(writer, unit, prediction)

    def _settled(self, sample: Sample, media: tuple[Any, ...]) -> Sample:
        if media:
            return self.samples.task.settle(sample, media)
        return replace(sample, cluster=sample.cluster or sample.id)

    def _write(self, writer: RunWriter, unit: Unit, prediction: Prediction | None) -> None:
        finished = self._judge(unit, prediction)
        row = result_row(finished, self.what.model)
        if (
            prediction is not None
            and prediction.official is not None
            and finished.verdict.outcome in ("scored", "no_answer")
        ):
            self.known += 1
            self.agreed += prediction.official == bool(finished.verdict.correct)
        self.fallbacks += bool(finished.verdict.scores.get("fallback"))
        self.tally.add(finished, row)
        order = unit.order
        writer.add((0, 0, order.condition, order.position, order.repeat), row)
        if order.repeat == 0:
            writer.add_sample((0, order.condition, order.position), sample_row(unit), (0, self.what.model))

    def _judge(self, unit: Unit, prediction: Prediction | None) -> Finished:
        task, sample = unit.task, unit.sample
        if prediction is None:
            response = Response("error", error=MISSING)
            return Finished(unit, response, verify(task.verifier, response, sample.target, sample.context))
        problem = prediction.problem
        if not problem and prediction.score is None:
            problem = self.samples.broken.get(sample.id, "")
        if prediction.status == "ok" and problem:
            self.problems.setdefault(problem, []).append(prediction.id)
            # Without a text, so that scoring the run again does not score what is not the model's answer.
            return Finished(
                unit, Response("error", error=problem), Verdict("unscored", reason=problem, verifier="imported/1")
            )
        if prediction.status != "ok":
            response = Response(prediction.status, error=prediction.error or prediction.status)
            return Finished(unit, response, verify(task.verifier, response, sample.target, sample.context))
        stored = Response(
            "ok",
            text=prediction.response or "",
            reasoning=prediction.reasoning,
            finish_reason=prediction.finish_reason,
            prompt_tokens=prediction.prompt_tokens,
            completion_tokens=prediction.completion_tokens,
        )
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
        reads_extraction = task.card.answer.reads == "extraction"
        text = prediction.extraction if reads_extraction else prediction.response
        asked = Response("ok", text=text or "", finish_reason=prediction.finish_reason)
        return Finished(unit, stored, verify(task.verifier, asked, sample.target, sample.context))

    @property
    def missing(self) -> int:
        """Samples of the data set without a prediction."""
        return self.tally.failures.get(MISSING, 0)

    @property
    def failures(self) -> dict[str, int]:
        """Rows that ended in an error, by reason; what the notes say is left out."""
        noted = {problem.splitlines()[0][:200] for problem in self.problems}
        found = Reasons()
        for reason, rows in self.tally.failures.items():
            if reason not in noted:
                found.add(reason, rows)
        return found.counts()

    @property
    def written(self) -> int:
        """Rows that have a prediction."""
        return sum(self.tally.outcomes.values()) - self.missing

    @property
    def agreement(self) -> tuple[int, int] | None:
        """(equal verdicts, verdicts) of the file's own."""
        return (self.agreed, self.known) if self.known else None

    def manifest(self) -> Manifest:
        """The manifest of the run."""
        counts = self.tally.counts()
        task, name = self.what.wanted.task, self.what.wanted.name
        samples = self.tally.samples.get(0, 0)
        expected = task.card.dataset.rows if task is not None else None
        expected = expected if expected is not None else self.reading.expected
        if expected is not None and samples < expected:
            counts["missing"] = expected - samples
        notes = [*self.reading.notes, *self.samples.notes]
        if self.reading.lost:
            notes.append(f"{self.reading.found} answers stand in the files: {_reasons(self.reading.lost)}")
        notes += [f"unscored, {len(ids)}× ({listed(ids)}): {problem}" for problem, ids in self.problems.items()]
        if counts.get("missing"):
            notes.append(f"the file has {samples} of the {expected} samples of {name}")
        if self.known:
            notes.append(f"{self.agreed} of {self.known} verdicts agree with those stored in the file")
        if self.fallbacks:
            notes.append(
                f"{self.fallbacks} rows without an extracted answer were decided by the official rule's nearest option"
            )
        record = self.samples.record().model_copy(
            update={"items_digest": self.tally.items_digest(0), "samples": samples}
        )
        return _manifest(self.what, record, self.conditions, self.repeats, counts, notes)


def _manifest(
    what: Import,
    record: TaskRecord,
    conditions: Sequence[str],
    repeats: int,
    counts: Mapping[str, int],
    notes: Sequence[str],
) -> Manifest:
    identity = {"imported": [{"file": path.name, "sha256": _content(path)} for path in what.source]}
    config = {"models": [what.model], "tasks": [f"{record.name}@{record.protocol}"], "conditions": list(conditions)}
    return Manifest(
        run_id=digest(identity)[:16],
        name=what.folder.name,
        status="incomplete" if counts["error"] or counts["unscored"] or counts.get("missing") else "complete",
        created=now(),
        finished=now(),
        command=list(what.command),
        config=config,
        config_digest=digest([config, identity]),
        versions=versions(),
        hardware=hardware(),
        git=git_state(),
        seeds={},
        models=[
            ModelRecord(
                name=what.model,
                spec=f"imported:{what.model}",
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


def _content(path: Path) -> str:
    """Hash of a file, or of all files of a folder with their names."""
    import hashlib

    if path.is_file():
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest([[file.relative_to(path).as_posix(), _content(file)] for file in files])
