"""Carrying out a prepared run: from the first request to a finished run folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmeval.core.errors import MmevalError, StorageError
from mmeval.core.shortage import shortage_error
from mmeval.core.types import OUTCOMES
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.trace import NO_TRACE, Trace, Tracer
from mmeval.runs.judge import judge_desk
from mmeval.runs.live import LiveCounts, ProgressFile
from mmeval.runs.manifest import Manifest, write_manifest
from mmeval.runs.outcome import Outcome
from mmeval.runs.preparing import Prepared, close_all
from mmeval.runs.record import finished_manifest, new_manifest
from mmeval.runs.resuming import run_identity
from mmeval.runs.running import Running, first_error
from mmeval.runs.tally import Tally
from mmeval.runs.unchanged import already_there
from mmeval.runs.writer import RunWriter

KEPT_NOTE = "the run ended early; the tables of an earlier, more complete run of the same command are kept"


async def execute(
    prepared: Prepared,
    folder: Path,
    cache_path: Path,
    command: Sequence[str],
    stop: asyncio.Event,
    observe: Callable[[Sequence[Progress]], None] | None = None,
    overwrite: bool = False,
    trace: Trace | None = None,
) -> Outcome:
    """Run, and write the run folder. Whatever happens, everything committed is kept and the tables show what is finished.

    Args:
        prepared: from `prepare_run`.
        folder: the run folder; running into it again resumes.
        cache_path: the response cache.
        command: argument vector for the manifest, without secrets.
        stop: set it to end the run cleanly.
        observe: is handed the live progress of each model once.
        overwrite: replace a run of another configuration in the same folder.
        trace: where spans go; it is closed before the manifest speaks of it.

    Raises:
        StorageError: when folder or cache cannot be written from the start.
        UsageError: when the folder holds another run, or another process writes it.
    """
    began = time.monotonic()
    tracer = trace or NO_TRACE
    try:
        opened = _open(prepared, folder, cache_path, command, overwrite, tracer)
    except BaseException:
        await close_all(prepared.everyone)
        raise
    if isinstance(opened, Manifest):
        await close_all(prepared.everyone)
        return _nothing_to_do(folder, opened, time.monotonic() - began)
    config, plan = prepared.config, prepared.plan
    manifest, cache, writer = opened.planned, opened.cache, opened.writer
    run_id = manifest.run_id
    progress = [Progress(name, plan.total) for name in prepared.names]
    progress[0].notices += opened.notices
    desk = None if prepared.judge is None else judge_desk(prepared.judge, config, cache, run_id, tracer)
    shown = progress if desk is None else [*progress, desk.progress]
    tally, live = Tally(), LiveCounts(prepared.names, plan)
    beats = ProgressFile(folder, run_id, shown, live, judged=desk is not None)
    problems: list[MmevalError] = []
    running = Running(prepared, folder, cache, writer, progress, tally, run_id, desk, problems, live, tracer)
    try:
        write_manifest(folder, manifest)
        if observe is not None:
            observe(shown)
        beats.start()
        if trace is not None:
            trace.watch_loop()
        await _ask_all(running, stop, problems)
        problem, interrupted = problems[0] if problems else None, stop.is_set()
        cache.close()  # commits what is queued, before the tables speak of it
        await beats.announce("writing")
        manifest, problem = await _write_tables(writer, manifest, problem, interrupted)
        manifest = finished_manifest(manifest, tally, progress, problem, interrupted, time.monotonic() - began, plan)
        if trace is not None:
            manifest = manifest.model_copy(update={"trace": await trace.close()})
        if desk is not None and prepared.judge is not None:
            judged = prepared.judge.record({**desk.tally.summary(), "admission": desk.progress.admission()})
            manifest = manifest.model_copy(update={"judge": judged})
        write_manifest(folder, manifest)
    except OSError as error:
        raise StorageError(
            f"run folder {folder} cannot be written: {error.strerror or error}",
            remedy="free some space or give another folder with -o, then run the same command again; every committed answer is kept",
        ) from error
    finally:
        cache.close()
        await beats.close()
        await close_all(prepared.everyone)
        writer.close()
    return Outcome(
        folder,
        manifest,
        _exit_code(manifest, tally, problem, interrupted, config.allow_errors),
        tally.reasons(),
        tally.at_fault,
        problem,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a run writes into."""

    planned: Manifest
    notices: list[str]
    """What the reader must know of the folder."""
    cache: ResponseCache
    writer: RunWriter


def _open(
    prepared: Prepared, folder: Path, cache_path: Path, command: Sequence[str], overwrite: bool, tracer: Tracer
) -> _Opened | Manifest:
    """Open cache and folder; return the manifest of the run that is already there, when nothing is left to do.

    Raises:
        StorageError: when folder or cache cannot be written.
        UsageError: when the folder holds another run, or another process writes it.
    """
    run_id, renewed = run_identity(folder, prepared, overwrite)
    cache = ResponseCache(cache_path, tracer)
    try:
        planned = new_manifest(prepared, folder.name, run_id, command)
        notices = [renewed] if renewed else []
        planned = planned.model_copy(update={"notes": [*planned.notes, *notices]})
        earlier = None if overwrite else already_there(folder, planned, cache)
        if earlier is not None:
            cache.close()
            return earlier
        # Last, so that no folder is left behind by a run that cannot start.
        return _Opened(planned, notices, cache, RunWriter(folder, prepared.config.shard is not None, tracer))
    except BaseException:
        cache.close()
        raise


async def _ask_all(running: Running, stop: asyncio.Event, problems: list[MmevalError]) -> None:
    """Ask everything; what ends it early becomes the first of `problems`."""
    try:
        await running.all(stop)
    except* MmevalError as group:
        problems.insert(0, first_error(group))
    except* (OSError, MemoryError, RuntimeError, ImportError) as group:
        short = shortage_error(group)
        if short is None:
            raise
        problems.insert(0, short)


async def _write_tables(
    writer: RunWriter, manifest: Manifest, problem: MmevalError | None, interrupted: bool
) -> tuple[Manifest, MmevalError | None]:
    """Write the tables, unless those of an earlier run hold more; return manifest and problem as they are then."""
    if (interrupted or problem is not None) and not writer.more_than_before():
        return manifest.model_copy(update={"notes": [*manifest.notes, KEPT_NOTE]}), problem
    try:
        await asyncio.to_thread(writer.finish)
    except StorageError as error:
        # The answers are committed; the manifest must not go on saying "running".
        return manifest, problem or error
    return manifest, problem


def _nothing_to_do(folder: Path, earlier: Manifest, seconds: float) -> Outcome:
    """The outcome of a run that is already there; its files stay as they are."""
    rows = sum(earlier.counts.get(name, 0) for name in OUTCOMES)
    counts = {**earlier.counts, "asked": 0, "cached": rows}
    return Outcome(
        folder, earlier.model_copy(update={"counts": counts, "timings": {"total": seconds}}), 0, unchanged=True
    )


def _exit_code(manifest: Manifest, tally: Tally, problem: MmevalError | None, interrupted: bool, allowed: float) -> int:
    if interrupted:
        return 130
    if problem is not None:
        return 6 if isinstance(problem, StorageError) else problem.exit_code
    broken = tally.outcomes.get("error", 0) + tally.outcomes.get("unscored", 0)
    total = sum(tally.outcomes.values()) + manifest.counts["missing"]
    return 6 if manifest.counts["missing"] or broken > allowed * total else 0
