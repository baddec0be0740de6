"""Filling in the manifest: models, tasks, versions, hardware, git."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mmeval import __version__
from mmeval.core.errors import MmevalError
from mmeval.core.hashing import digest
from mmeval.core.types import Sampling
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.plan import RunPlan
from mmeval.runs.aggregates import aggregate_records
from mmeval.runs.config import config_digest
from mmeval.runs.file_tasks import record_of_card
from mmeval.runs.judge import judge_facts
from mmeval.runs.manifest import Manifest, ModelRecord, PartRecord, ShardRecord, TaskRecord
from mmeval.runs.repository import git_state
from mmeval.runs.tally import Tally
from mmeval.tasks.opened import OpenTask
from mmeval.tasks.sharding import parse_shard

if TYPE_CHECKING:
    from mmeval.runs.preparing import Prepared

RECORDED_PACKAGES = ("mmeval-harness", "torch", "transformers", "datasets", "pillow", "numpy", "pyarrow", "aiohttp")


def new_manifest(prepared: Prepared, name: str, run_id: str, command: Sequence[str]) -> Manifest:
    config, plan = prepared.config, prepared.plan
    condition = digest([entry.identity for entry in plan.conditions])
    alone = {entry.name: digest([entry.identity]) for entry in plan.conditions}
    models = [
        ModelRecord(
            name=name,
            spec=spec,
            engine=info.engine,
            engine_version=info.version,
            identity=dict(info.identity),
            identity_digest=digest(dict(info.identity)),
            shared_identity=info.shared_identity,
            details=dict(info.details),
            profile=dict(info.profile),
        )
        for name, spec, info in zip(prepared.names, config.models, prepared.infos, strict=True)
    ]
    return Manifest(
        run_id=run_id,
        name=name,
        status="running",
        created=now(),
        command=list(command),
        config=config.model_dump(mode="json"),
        config_digest=config_digest(config),
        versions=versions(),
        hardware=hardware(),
        git=git_state(),
        seeds={"run": config.seed, "limit": config.seed},
        models=models,
        judge=prepared.judge.record({}) if prepared.judge is not None else None,
        tasks=[
            task_record(
                task,
                plan.sampling_for(task.task),
                condition,
                config.limit,
                judge_facts(task.task, prepared.judge, config.judge_repeats, config.judge_swap),
                alone,
            )
            for task in plan.tasks
        ],
        aggregates=aggregate_records(
            prepared.aggregates,
            {(entry.task.name, entry.task.protocol): entry.task.card.metrics[0] for entry in plan.tasks},
        ),
        conditions=[condition.name for condition in prepared.plan.conditions],
        repeats=max(prepared.plan.repeats_for(task.task) for task in prepared.plan.tasks),
        shard=_shard_record(prepared),
        notes=[*prepared.notes, *_limit_notes(prepared)],
    )


def _shard_record(prepared: Prepared) -> ShardRecord | None:
    config = prepared.config
    if config.shard is None:
        return None
    shard = parse_shard(config.shard)
    return ShardRecord(
        index=shard.index,
        count=shard.count,
        whole_digest=config_digest(config.model_copy(update={"shard": None})),
        parts=[
            PartRecord(
                task=opened.task.name,
                protocol=opened.task.protocol,
                samples=opened.part.samples,
                digest=opened.part.digest,
            )
            for opened in prepared.plan.tasks
            if opened.part is not None
        ],
    )


def task_record(
    opened: OpenTask,
    sampling: Sampling,
    condition: str,
    limit: float | int | None,
    judge: Mapping[str, Any] | None = None,
    alone: Mapping[str, str] | None = None,
    asked: bool = True,
) -> TaskRecord:
    """The manifest's entry of one task; the digest of its items is known only at the end.

    Args:
        opened: the task with its data set.
        sampling: decoding in effect.
        condition: digest or name of the conditions.
        limit: the user's `--limit`.
        judge: what a judge adds to the scoring, see `judge_facts`.
        alone: condition -> its own digest.
        asked: whether a model is asked; predictions that are imported were decoded elsewhere.
    """
    task = opened.task
    return TaskRecord(
        name=task.name,
        protocol=task.protocol,
        family=task.card.family,
        title=task.card.title,
        items_digest=None,
        ask_digest=task.ask_digest(sampling, condition),
        asked={name: task.ask_digest(sampling, own) for name, own in (alone or {}).items()},
        score_digest=task.score_digest(judge),
        judge=dict(judge) if judge is not None else None,
        metrics=list(task.card.metrics),
        chance=task.chance,
        subset_columns=list(task.card.subsets),
        group_columns=list(task.card.groups),
        samples=opened.size or 0,
        available=opened.available,
        expected=task.card.dataset.rows,
        changed=_changed(sampling, task.sampling) + (["prompt"] if task.prompt_override is not None else []),
        limit=limit,
        sampling=_decoding(sampling) if asked else {},
        dataset=dict(opened.description()),
        published=[entry.model_dump() for entry in task.card.published],
        citation=task.card.citation,
        licence=task.card.licence,
        status=task.card.status,
        card=record_of_card(task.card),
    )


def _decoding(sampling: Sampling) -> dict[str, Any]:
    """The values in effect; the seed differs by request."""
    return {name: value for name, value in asdict(sampling).items() if name != "seed"}


def _changed(sampling: Sampling, own: Sampling) -> list[str]:
    """Keys of decoding that differ from the protocol's own; the seed is of each request."""
    return [
        name
        for name in Sampling.__dataclass_fields__
        if name != "seed" and getattr(sampling, name) != getattr(own, name)
    ]


def _limit_notes(prepared: Prepared) -> list[str]:
    notes = []
    if prepared.config.shard is not None:
        notes.append(
            f"shard {prepared.config.shard}: a part of the samples; `mmeval merge` joins the shards into the run"
        )
    for opened in prepared.plan.tasks:
        if opened.selected is not None and opened.available is not None and len(opened.selected) < opened.available:
            notes.append(
                f"{opened.task.name}: {len(opened.selected)} of {opened.available} samples (--limit, whole clusters, seed {prepared.config.seed})"
            )
    return [*notes, *row_notes(prepared)]


def row_notes(prepared: Prepared) -> list[str]:
    """Say which data sets hold another number of rows than their cards expect, as far as it is known before the run."""
    notes = []
    for opened in prepared.plan.tasks:
        rows = opened.task.card.dataset.rows
        if rows is not None and opened.available is not None and opened.available != rows:
            notes.append(f"{opened.task.name}: the data set has {opened.available} rows, the card expects {rows}")
    return notes


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "mmeval": __version__}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    return {"system": platform.system(), "machine": platform.machine(), "cpus": os.cpu_count()}


def finished_manifest(
    manifest: Manifest,
    tally: Tally,
    progress: Sequence[Progress],
    problem: MmevalError | None,
    interrupted: bool,
    seconds: float,
    plan: RunPlan,
) -> Manifest:
    """The manifest at the end of a run: counts, status, and what a reader must know."""
    tasks = [
        record.model_copy(
            update={
                "items_digest": None if interrupted or problem else tally.items_digest(index),
                "samples": tally.samples.get(index, 0),
            }
        )
        for index, record in enumerate(manifest.tasks)
    ]
    done = sum(entry.done for entry in progress)
    counts = {
        **tally.counts(),
        "asked": sum(entry.asked for entry in progress),
        "cached": sum(entry.cached for entry in progress),
        "missing": max(0, (plan.total or 0) * len(progress) - done) if plan.total is not None else 0,
    }
    expected = [entry.task.card.dataset.rows for entry in plan.tasks]
    seen = [
        record.samples if entry.part is None else entry.part.samples
        for record, entry in zip(tasks, plan.tasks, strict=True)
    ]
    short = [
        f"{record.name}: the data set has {samples} rows, the card expects {rows}"
        for record, entry, samples, rows in zip(tasks, plan.tasks, seen, expected, strict=True)
        if rows is not None and entry.available is None and not interrupted and problem is None and samples != rows
    ]
    broken = counts["error"] + counts["unscored"] + counts["missing"]
    partial = broken or problem is not None or manifest.shard is not None
    status = "interrupted" if interrupted else "incomplete" if partial else "complete"
    notes = [*manifest.notes, *short, *([f"stopped early: {problem.message}"] if problem is not None else [])]
    models = [
        record.model_copy(update={"admission": entry.admission()})
        for record, entry in zip(manifest.models, progress, strict=True)
    ]
    update = {
        "models": models,
        "tasks": tasks,
        "counts": counts,
        "status": status,
        "finished": now(),
        "timings": {"total": round(seconds, 3)},
        "notes": notes,
    }
    return manifest.model_copy(update=update)
