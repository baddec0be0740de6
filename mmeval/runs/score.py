"""Carrying out `mmeval score`: from a run folder to another one with the same responses, scored anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmeval.core.errors import UsageError
from mmeval.core.hashing import digest
from mmeval.core.types import OUTCOMES
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.runs.aggregates import aggregate_records
from mmeval.runs.config import RunConfig
from mmeval.runs.folder import Run
from mmeval.runs.judge import Judge, check_judge, judge_desk, judge_facts, prepare_judge, uses_verifier
from mmeval.runs.manifest import AggregateRecord, Manifest, TaskRecord, write_manifest
from mmeval.runs.outcome import Outcome
from mmeval.runs.record import hardware, now, versions
from mmeval.runs.repository import git_state
from mmeval.runs.scoring import Rescored, Rescoring, ScoreTally, copy_rest, tasks_to_score
from mmeval.tasks.aggregates import plan_aggregates
from mmeval.tasks.registry import Registry


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """What `mmeval score` was told."""

    folder: Path
    """The new run folder."""
    tasks: Sequence[str] = ()
    """Names of the tasks to score again; all when empty."""
    protocol: str | None = None
    """Protocol to score under; None keeps each task's own."""
    task_paths: Sequence[str] = ()
    judge: dict[str, Any] = field(default_factory=dict)
    """`judge…` keys of a run's configuration."""
    rules_only: bool = False
    """Leave judges out although the run had one."""
    cache: Path = Path("cache/responses.sqlite")
    """Where verdicts of judges are kept."""
    overwrite: bool = False


async def score_run(
    run: Run,
    options: ScoreOptions,
    command: Sequence[str],
    api_key: str | None = None,
    observe: Callable[[Sequence[Progress]], None] | None = None,
) -> Outcome:
    """Score the stored responses of a run again.

    Args:
        run: the run, perhaps narrowed to one model (rows of the others stay as they are).
        options: how.
        command: argument vector for the manifest, without secrets.
        api_key: of the judge.
        observe: is handed the judge's live progress once.

    Raises:
        UsageError: see `tasks_to_score`; a protocol that needs a judge; a folder that holds another run.
        DataError: a damaged run folder.
        StorageError: the new folder cannot be written.
    """
    began = time.monotonic()
    folder = options.folder
    if folder.resolve() == run.path.resolve():
        raise UsageError(f"-o {folder} is the run itself", remedy="give another folder; the run stays as it is")
    if (folder / "run.json").exists() and not options.overwrite:
        raise UsageError(f"{folder} holds a run already", remedy="give another folder with -o, or add --overwrite")
    entries = tasks_to_score(run, options.tasks, options.protocol, options.task_paths)
    config = _config(run, options, entries)
    notes = check_judge([entry.task for entry in entries], config.judge, stored=True)
    judged = [entry.task for entry in entries if entry.task.card.judges]
    judge = await prepare_judge(config, judged, api_key)
    cache: ResponseCache | None = None
    try:
        desk = None
        if judge is not None:
            cache = ResponseCache(options.cache)
            desk = judge_desk(judge, config, cache, run.manifest.run_id)
            if observe is not None:
                observe([desk.progress])
        tally = await Rescoring(run, entries, folder, desk).write()
        protocols = {(entry.record.name, entry.record.protocol): entry.task.protocol for entry in entries}
        copy_rest(run, folder, protocols)
        summary = desk.tally.summary() if desk is not None else {}
    finally:
        if cache is not None:
            cache.close()
        if judge is not None:
            await judge.engine.close()
    manifest = _manifest(run, options, entries, config, judge, tally, command)
    if judge is not None:
        manifest = manifest.model_copy(update={"judge": judge.record(summary)})
    manifest = manifest.model_copy(
        update={"timings": {"total": round(time.monotonic() - began, 3)}, "notes": [*manifest.notes, *notes]}
    )
    write_manifest(folder, manifest)
    broken = tally.outcomes["error"] + tally.outcomes["unscored"]
    return Outcome(folder, manifest, 6 if broken else 0, tally.reasons.counts())


def _config(run: Run, options: ScoreOptions, entries: Sequence[Rescored]) -> RunConfig:
    """The configuration of the judge: what the command says, or else the run's own, where a card asks a judge.

    A verifier's ratings are stored with the answers: nobody is asked for them again.
    """
    known = {} if options.rules_only else dict(options.judge)
    judged = any(entry.task.card.judges for entry in entries)
    if not known.get("judge") and not options.rules_only and judged:
        known = {
            name: value
            for name, value in run.manifest.config.items()
            if name.startswith("judge") and value is not None and name in RunConfig.model_fields
        } | {name: value for name, value in known.items() if value}
    seed = run.manifest.config.get("seed", 0)
    return RunConfig(seed=seed, **known)


def _manifest(
    run: Run,
    options: ScoreOptions,
    entries: Sequence[Rescored],
    config: RunConfig,
    judge: Judge | None,
    tally: ScoreTally,
    command: Sequence[str],
) -> Manifest:
    old = run.manifest
    scored = {(entry.record.name, entry.record.protocol): entry for entry in entries}
    tasks = [_record(record, scored.get((record.name, record.protocol)), config, judge) for record in old.tasks]
    counts: dict[str, int] = {name: tally.outcomes[name] for name in OUTCOMES}
    counts |= {"asked": 0, "cached": 0, "missing": old.counts.get("missing", 0)}
    broken = counts["error"] + counts["unscored"] + counts["missing"]
    names = sorted({f"{entry.task.name}@{entry.task.protocol}" for entry in entries})
    note = (
        f"scored again from the stored responses of {old.name} (run {old.run_id}) as {', '.join(names)}: "
        f"{tally.changed} of {tally.rows - tally.kept} rows have another verdict"
    )
    kept = f"; {tally.kept} rows were not scored again" if tally.kept else ""
    return old.model_copy(
        update={
            "run_id": digest([old.run_id, [task.score_digest for task in tasks]])[:16],
            "name": options.folder.name,
            "status": "incomplete" if broken or old.shard is not None else "complete",
            "created": now(),
            "finished": now(),
            "command": list(command),
            "versions": versions(),
            "hardware": hardware(),
            "git": git_state(),
            "tasks": tasks,
            "aggregates": _aggregates(old, tasks, options),
            "counts": counts,
            "judge": old.judge if any(uses_verifier(entry.task) for entry in entries) else None,
            "notes": [*old.notes, note + kept],
        }
    )


def _aggregates(old: Manifest, tasks: Sequence[TaskRecord], options: ScoreOptions) -> list[AggregateRecord]:
    """Means over the tasks as they are scored now: those of today's suites, and those of the run that still apply."""
    primary = {(task.name, task.protocol): task.metrics[0] for task in tasks}
    suites = Registry([Path(path) for path in options.task_paths]).suites
    found = aggregate_records(plan_aggregates(suites, (), primary)[0], primary)
    names = {(one.suite, one.name) for one in found}
    kept = [
        one
        for one in old.aggregates
        if (one.suite, one.name) not in names and all((m.task, m.protocol) in primary for m in one.members)
    ]
    return [*kept, *found]


def _record(record: TaskRecord, entry: Rescored | None, config: RunConfig, judge: Judge | None) -> TaskRecord:
    if entry is None:
        return record
    facts = judge_facts(entry.task, judge, config.judge_repeats, config.judge_swap)
    if uses_verifier(entry.task) and not entry.task.card.judges:
        facts = record.judge  # the stored ratings are still this verifier's
    return record.model_copy(
        update={
            "protocol": entry.task.protocol,
            "score_digest": entry.task.score_digest(facts),
            "judge": facts,
            "metrics": list(entry.task.card.metrics),
        }
    )
