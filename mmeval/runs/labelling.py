"""`mmeval judge label`: a judge says more of every answer of a run than right and wrong, into `labels.parquet`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import UsageError
from mmeval.core.hashing import digest
from mmeval.core.types import PreparedMedia, Response
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.chain import Step
from mmeval.pipeline.judging import JudgeDesk
from mmeval.pipeline.work import Order, Unit
from mmeval.runs.cells import broken_cell, in_folder, json_cell
from mmeval.runs.config import RunConfig
from mmeval.runs.folder import Run
from mmeval.runs.judge import describe_judge, judge_desk
from mmeval.runs.labels import ANNOTATIONS, Label, read_labels_table, write_labels_table
from mmeval.runs.scoring import SampleCursor, tasks_to_score
from mmeval.runs.stored import SAMPLES, stored_media, stored_response, stored_sample
from mmeval.tasks.task import Task
from mmeval.verifiers.judge import JudgeFault, JudgeFinding
from mmeval.verifiers.judge_card import JudgeCard
from mmeval.verifiers.judge_files import load_judge

KINDS = ("label", "steps", "grade")
_BATCH = 256
_READ = ("model", "task", "protocol", "condition", "sample_id", "repeat", "outcome", "status", "response", "finish_reason", "error",
         "item_hash", "request_hash", "media")  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How to label."""

    card: str
    judge: Mapping[str, Any]
    """The judge's keys of a run's configuration."""
    cache: Path
    tasks: tuple[str, ...] = ()
    """Names; all when empty."""
    condition: str = "standard"
    of: str | None = None
    """A field of the row that the judge reads instead of the response (`solution`); one label per sample then."""
    task_paths: tuple[str, ...] = ()


@dataclass(slots=True)
class LabelTally:
    """What labelling came to."""

    rows: int = 0
    labelled: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    cached: int = 0


async def label_run(
    run: Run, options: LabelOptions, api_key: str | None, observe: Callable[[Sequence[Progress]], None] | None = None
) -> LabelTally:
    """Ask a judge card about every answer of a run, and add the labels to it. Verdicts are cached, so a second call goes on.

    Args:
        run: the run, perhaps narrowed to a model.
        options: card, judge, rows.
        api_key: of the judge.
        observe: is handed the judge's live progress once.

    Raises:
        UsageError: an unknown card or one that gives no label, no judge, an unknown task.
        DataError: a damaged run folder, or one without the images that the card shows.
        StorageError: the labels cannot be written.
    """
    card = load_judge(options.card)
    if card.kind not in KINDS:
        raise UsageError(
            f"judge card {card.name} is of kind {card.kind}, which gives no label",
            remedy=f"use a card of kind {', '.join(KINDS)} (mmeval judge list), or `mmeval score --judge` for right and wrong",
        )
    config = RunConfig(seed=run.manifest.config.get("seed", 0), **options.judge)
    if config.judge is None:
        raise UsageError("there is no judge", remedy="add --judge MODEL, e.g. --judge openai:NAME --judge-base-url URL")
    judge = await describe_judge(config, {card.name: card.digest}, api_key)
    tally = LabelTally()
    labels: list[Label] = []
    try:
        with ResponseCache(options.cache) as cache:
            desk = judge_desk(judge, config, cache, run.manifest.run_id)
            if observe is not None:
                observe([desk.progress])
            step = Step(card, "always", None, None)
            with in_folder(run.path):
                async for batch in _batches(run, options, card):
                    labels += await asyncio.gather(
                        *(_one(desk, step, unit, response, options, tally) for unit, response in batch)
                    )
            tally.calls, tally.cached = desk.tally.calls, desk.tally.cached
    finally:
        await judge.engine.close()
        if labels:
            write_labels_table(run, labels)
    return tally


async def _one(
    desk: JudgeDesk, step: Step, unit: Unit, response: Response, options: LabelOptions, tally: LabelTally
) -> Label:
    finding, calls = await desk.find(step, unit, response)
    tally.rows += 1
    order, sample = unit.order, unit.sample
    model = calls[-1].model if calls else desk.name
    base: dict[str, Any] = {
        "model": unit.key, "task": unit.task.name, "protocol": unit.task.protocol, "condition": unit.condition,
        "sample_id": sample.id, "repeat": order.repeat, "source": step.card.name, "judge_model": model,
        "card_digest": step.card.digest, "response_hash": digest(response.text or ""),
    }  # fmt: skip
    if isinstance(finding, JudgeFault):
        tally.faults[finding.reason[:200]] += 1
        return Label(**base, status="fault", reason=finding.reason)
    tally.labelled += 1
    found = _label(step.card, finding)
    tally.labels[found.get("label") or "labelled"] += 1
    return Label(**base, **found, reason=finding.reason or None)


def _label(card: JudgeCard, finding: JudgeFinding) -> dict[str, Any]:
    details = {name: value for name, value in finding.details.items() if value not in (None, "", [])}
    if card.kind == "label":
        return {"label": str(finding.value), "details": orjson.dumps(details).decode() if details else None}
    if card.kind == "steps":
        return {"value": finding.score, "details": orjson.dumps({"steps": finding.value, **details}).decode()}
    return {"value": finding.score, "details": orjson.dumps({"grade": finding.value, **details}).decode()}


async def _batches(run: Run, options: LabelOptions, card: JudgeCard) -> AsyncIterator[list[tuple[Unit, Response]]]:
    rows = _units(run, options, card)
    while True:
        batch = await asyncio.to_thread(_take, rows)
        if not batch:
            return
        yield batch


def _take(rows: Iterator[tuple[Unit, Response]]) -> list[tuple[Unit, Response]]:
    taken = []
    for entry in rows:
        taken.append(entry)
        if len(taken) == _BATCH:
            break
    return taken


def _units(run: Run, options: LabelOptions, card: JudgeCard) -> Iterator[tuple[Unit, Response]]:
    """The rows that have something to be judged, as units; `key` holds the model's name."""
    entries = tasks_to_score(run, options.tasks, None, options.task_paths)
    tasks = {(entry.record.name, entry.record.protocol): entry.task for entry in entries}
    facts = _annotations(run)
    samples = SampleCursor(run)
    seen: set[tuple[str, str, str]] = set()
    for row in run.rows("results", _READ):
        task = tasks.get((row["task"], row["protocol"]))
        if (
            task is None
            or row["condition"] != options.condition
            or row["outcome"] not in ("scored", "no_answer", "unscored")
        ):
            continue
        stored = samples.find((row["task"], row["protocol"], row["condition"], row["sample_id"]), row["model"])
        unit = _unit(run, row, stored, task, card, facts)
        response = stored_response(row)
        if options.of is not None:
            once = (row["model"], row["task"], row["sample_id"])
            text = (unit.sample.extras.get("judge") or {}).get(options.of)
            if once in seen or not isinstance(text, str) or not text.strip():
                continue
            seen.add(once)
            response = Response("ok", text=text, finish_reason="stop")
        if response.status == "ok" and (response.text or "").strip():
            yield unit, response


def _unit(
    run: Run,
    row: Mapping[str, Any],
    stored: Mapping[str, Any],
    task: Task,
    card: JudgeCard,
    facts: Mapping[tuple[str, str], list[str]],
) -> Unit:
    sample = stored_sample(stored, task)
    try:
        known = facts.get((row["task"], row["sample_id"])) or known_facts(sample.extras)
    except (TypeError, LookupError) as error:
        raise broken_cell(SAMPLES, stored, "extras", "facts are no objects with question and answer") from error
    if known:
        fields = {"facts": known, **dict(sample.extras.get("judge") or {})}
        sample = replace(sample, extras={**sample.extras, "judge": fields})
    media: tuple[PreparedMedia, ...] = stored_media(run, row) if card.shows_image else ()
    order = Order(0, 0, 0, 0, row["repeat"] or 0)
    return Unit(order, task, row["condition"], sample, row["item_hash"] or "", None, row["request_hash"] or "", row["model"], None, None, media)  # fmt: skip


def known_facts(extras: Mapping[str, Any]) -> list[str]:
    """What is known of a picture as sentences: its annotations, or else its yes-or-no facts with their answers."""
    annotations = [str(text) for text in extras.get("annotations") or ()]
    if annotations:
        return annotations
    return [f"{fact['question']} {'Yes' if fact['answer'] else 'No'}." for fact in extras.get("facts") or ()]


def _annotations(run: Run) -> dict[tuple[str, str], list[str]]:
    """Facts that a judge has read out of reference solutions, by task and sample."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in read_labels_table(run):
        if one.source == ANNOTATIONS and one.status == "ok" and one.details:
            row = {"task": one.task, "sample_id": one.sample_id, "details": one.details}
            steps = (json_cell("labels.parquet", row, "details", dict) or {}).get("steps") or []
            if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
                raise broken_cell("labels.parquet", row, "details", "steps is no list of objects")
            found[one.task, one.sample_id] = [str(step["fact"]) for step in steps if step.get("fact")]
    return found
