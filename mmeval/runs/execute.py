"""Carrying out `mmeval run`: from a configuration to a finished run folder."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError, MmevalError, StorageError, UsageError
from mmeval.core.types import OUTCOMES
from mmeval.engines.base import SAMPLING_FIELDS, Engine, EngineInfo, NeedsTargets
from mmeval.engines.checkpoint_engine import CheckpointEngine
from mmeval.engines.registry import choice_note, create_engine, parse_model
from mmeval.metrics import get_metric
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.plan import RunPlan
from mmeval.pipeline.retriever import checked_url
from mmeval.pipeline.trace import NO_TRACE, Trace
from mmeval.runs.config import RunConfig, config_digest, ray_settings
from mmeval.runs.descriptions import resolve_conditions
from mmeval.runs.file_tasks import configured_cards
from mmeval.runs.judge import Judge, check_judge, check_verifier, judge_desk, prepare_judge
from mmeval.runs.live import LiveCounts, ProgressFile
from mmeval.runs.manifest import Manifest, read_manifest, write_manifest
from mmeval.runs.record import finished_manifest, new_manifest
from mmeval.runs.running import Running, first_error
from mmeval.runs.tally import Tally
from mmeval.runs.unchanged import already_there
from mmeval.runs.writer import RunWriter
from mmeval.tasks.aggregates import PlannedAggregate, plan_aggregates
from mmeval.tasks.file_task import split_selectors
from mmeval.tasks.opened import RowError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.sharding import parse_shard
from mmeval.tasks.task import OpenTask, Task

KEPT_NOTE = "the run ended early; the tables of an earlier, more complete run of the same command are kept"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that has been checked and described but not started."""

    config: RunConfig
    plan: RunPlan
    engines: Sequence[Engine]
    infos: Sequence[EngineInfo]
    names: Sequence[str]
    """Model names in the results table."""
    notes: Sequence[str] = ()
    judge: Judge | None = None
    aggregates: Sequence[PlannedAggregate] = ()
    """Numbers over several tasks that suites declare."""

    @property
    def everyone(self) -> list[Engine]:
        """All engines, the judge's too."""
        return [*self.engines, *([self.judge.engine] if self.judge is not None else [])]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    folder: Path
    manifest: Manifest
    exit_code: int
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failure reasons with their number of rows, most frequent first."""
    at_fault: int = 0
    """Rows that asking again does not help, because their own data are at fault."""
    problem: MmevalError | None = None
    """Why the run stopped early."""
    unchanged: bool = False
    """The run was already there, complete; nothing was written."""


def registry_of(config: RunConfig) -> Registry:
    """The cards and suites that a configuration can name.

    Raises:
        UsageError: for a folder that is not there.
    """
    return Registry([Path(path) for path in config.task_paths], configured_cards(config))


def load_tasks(config: RunConfig, registry: Registry) -> list[Task]:
    """Resolve and validate the tasks of a configuration.

    Raises:
        UsageError: for unknown tasks or protocols, or broken cards.
    """
    found = registry.resolve(config.tasks)
    if not found:
        raise UsageError("no task given", remedy="add -t TASK, e.g. -t demo (`mmeval tasks list` lists all)")
    return [Task.load(card, protocol, config.prompt) for card, protocol in found]


def open_tasks(config: RunConfig, tasks: Sequence[Task]) -> list[OpenTask]:
    """Open every data set, draw the limit, and take the shard.

    Raises:
        DataError: when a data set is missing.
    """
    shard = None if config.shard is None else parse_shard(config.shard)
    options = DataOptions(Path(config.data_dir) if config.data_dir else None, config.limit, config.seed, shard)
    return [task.open(options) for task in tasks]


async def prepare_run(config: RunConfig, api_key: str | None = None, judge_key: str | None = None) -> Prepared:
    """Check everything that can be checked before the first request, and ask the engines who they are.

    Raises:
        MmevalError: with its exit code, for anything that cannot work.
    """
    if not config.models:
        raise UsageError("no model given", remedy="add -m MODEL, e.g. -m tiny")
    registry = registry_of(config)
    tasks = load_tasks(config, registry)
    aggregates, missed = plan_aggregates(
        registry.suites, split_selectors(config.tasks), {(task.name, task.protocol) for task in tasks}
    )
    judge_notes = check_judge(tasks, config.judge)
    searching = _check_retriever(config, tasks)
    conditions = resolve_conditions(config.conditions)
    specs = [
        parse_model(
            text,
            revision=config.revision,
            profile=config.profile,
            engine_args=config.engine_args,
            trust_remote_code=config.trust_remote_code,
            model_id=config.model_id,
            base_urls=tuple(config.base_urls),
            api_key=api_key,
            timeout_s=config.timeout_s,
            concurrency=config.concurrency,
            engine_python=config.engine_python,
            tensor_parallel=config.tensor_parallel,
            data_parallel=config.data_parallel,
            ray=ray_settings(config),
        )
        for text in config.models
    ]
    engines = [create_engine(spec) for spec in specs]
    plan = RunPlan(open_tasks(config, tasks), conditions, config.repeats, config.seed, _sampling(config.sampling))
    _check_repeats(plan)
    notes = [note for text, spec in zip(config.models, specs, strict=True) if (note := choice_note(text, spec))]
    for text, engine in zip(config.models, engines, strict=True):
        _check_sampling(text, engine, plan, notes)
    infos = []
    try:
        for engine in engines:
            if isinstance(engine, NeedsTargets) and engine.needs_targets:
                engine.prime({opened.task.name: _targets(opened) for opened in plan.tasks})
        for engine in engines:
            infos.append(await engine.describe())
        judge = await prepare_judge(config, tasks, judge_key or api_key)
        check_verifier(tasks, engines, judge)
        _check_workers(config, engines, judge)
    except BaseException:
        await _close(engines)
        raise
    names = _model_names(config.models)
    for name, info in zip(names, infos, strict=True):
        if away := info.details.get("unreachable"):
            notes.append(f"model {name}: {', '.join(away)} cannot be reached; asked again while the others answer")
    notes += [note for name, info in zip(names, infos, strict=True) if (note := _profile_note(name, info.profile))]
    return Prepared(config, plan, engines, infos, names, notes + judge_notes + searching + missed, judge, aggregates)


def _check_workers(config: RunConfig, engines: Sequence[Engine], judge: Judge | None) -> None:
    """Refuse `--workers ray` for a run in which nothing has workers.

    Raises:
        UsageError: naming the backends that have.
    """
    everyone = [*engines, *([judge.engine] if judge is not None else [])]
    if config.workers == "ray" and not any(isinstance(engine, CheckpointEngine) for engine in everyone):
        raise UsageError(
            "--workers ray: no model of this run is loaded by mmeval, so there is nothing to place on a cluster",
            remedy="use hf:, vllm: or lmdeploy: without --base-url, or leave --workers ray out",
        )


def _check_retriever(config: RunConfig, tasks: Sequence[Task]) -> list[str]:
    """Return what a reader must know of the tasks that search.

    Raises:
        UsageError: when there is no retriever for them, or its address is none.
    """
    named = [
        f"{task.name}@{task.protocol}"
        for task in tasks
        if task.card.strategy is not None and task.card.strategy.retrieval is not None
    ]
    if config.retriever is not None:
        checked_url(config.retriever)
        return [f"{', '.join(named)}: pages come from the retriever at {config.retriever}"] if named else []
    if named:
        raise UsageError(
            f"task {named[0]} searches documents, and there is no retriever",
            remedy="add --retriever URL (docs/looking.md says what it must answer)",
        )
    return []


def _profile_note(name: str, profile: Mapping[str, Any]) -> str | None:
    """What the user should know of the profile that applies."""
    if profile.get("needs_system") and not profile.get("system"):
        source = f" (see {profile['source']})" if profile.get("source") else ""
        return (
            f"model {name}: profile {profile['name']} expects a system prompt{source}; without it scores may differ from the"
            " published ones: copy the profile, add `system:` and pass it with --profile FILE.yaml"
        )
    return None


def _targets(opened: OpenTask) -> list[Any]:
    found = []
    for _, build in opened.samples(AskStyle(), whole=True):
        try:
            found.append(build().target)
        except RowError:
            continue  # becomes an error row of the run
    return found


def _check_repeats(plan: RunPlan) -> None:
    for opened in plan.tasks:
        needed = max((get_metric(name).k or 1 for name in opened.task.card.metrics), default=1)
        if plan.repeats_for(opened.task) < needed:
            raise UsageError(
                f"task {opened.task.name}: its metrics need {needed} repeats, the run has {plan.repeats_for(opened.task)}",
                remedy=f"add --repeats {needed}",
            )


def _sampling(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _model_names(specs: Sequence[str]) -> list[str]:
    """Short names: the spec without its backend, of a folder its last two parts, where that stays unique."""
    short = [
        spec.split(":", 1)[1] if ":" in spec and not spec.startswith(("chance:", "replay:")) else spec for spec in specs
    ]
    short = [_short_path(name.rstrip("/").removeprefix("./")) for name in short]
    if len(set(short)) == len(short):
        return short
    if len(set(specs)) != len(specs):
        twice = next(spec for spec in specs if list(specs).count(spec) > 1)
        raise UsageError(f"model {twice!r} is given twice", remedy="use --repeats to ask a model several times")
    return list(specs)


def _short_path(name: str) -> str:
    path = Path(name).expanduser()
    return "/".join(path.resolve().parts[-2:]) if "/" in name and path.is_dir() else name


def _check_sampling(name: str, engine: Engine, plan: RunPlan, notes: list[str]) -> None:
    for task in plan.tasks:
        sampling = plan.sampling_for(task.task)
        wanted = {key for key in SAMPLING_FIELDS if key != "seed" and getattr(sampling, key) not in (None, ())}
        refused = sorted(wanted - engine.supported_sampling)
        if refused:
            raise EngineError(
                f"model {name} cannot honour the sampling field{'s' if len(refused) > 1 else ''} {', '.join(refused)} of task {task.task.name}",
                remedy=f"leave {refused[0]} out with --sampling {refused[0]}=none, or use another engine",
            )
    if "seed" not in engine.supported_sampling:
        notes.append(f"model {name}: its engine takes no seed; sampled answers cannot be repeated exactly")


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
    config, plan = prepared.config, prepared.plan
    began = time.monotonic()
    cache: ResponseCache | None = None
    tracer = trace or NO_TRACE
    try:
        run_id = _run_id(folder, config, overwrite)
        cache = ResponseCache(cache_path, tracer)
        planned = new_manifest(prepared, folder.name, run_id, command)
        earlier = None if overwrite else already_there(folder, planned, cache)
        if earlier is not None:
            cache.close()
            await _close(prepared.everyone)
            return _nothing_to_do(folder, earlier, time.monotonic() - began)
        # Last, so that no folder is left behind by a run that cannot start.
        writer = RunWriter(folder, config.shard is not None, tracer)
    except BaseException:
        if cache is not None:
            cache.close()
        await _close(prepared.everyone)
        raise
    progress = [Progress(name, plan.total) for name in prepared.names]
    desk = None if prepared.judge is None else judge_desk(prepared.judge, config, cache, run_id, tracer)
    shown = progress if desk is None else [*progress, desk.progress]
    tally, live = Tally(), LiveCounts(prepared.names, plan)
    beats = ProgressFile(folder, run_id, shown, live, judged=desk is not None)
    problems: list[MmevalError] = []
    manifest = planned
    running = Running(prepared, folder, cache, writer, progress, tally, run_id, desk, problems, live, tracer)
    try:
        write_manifest(folder, manifest)
        if observe is not None:
            observe(shown)
        beats.start()
        if trace is not None:
            trace.watch_loop()
        try:
            await running.all(stop)
        except* MmevalError as group:
            problems.insert(0, first_error(group))
        problem, interrupted = problems[0] if problems else None, stop.is_set()
        cache.close()  # commits what is queued, before the tables speak of it
        await beats.announce("writing")
        if (interrupted or problem is not None) and not writer.more_than_before():
            manifest = manifest.model_copy(update={"notes": [*manifest.notes, KEPT_NOTE]})
        else:
            try:
                await asyncio.to_thread(writer.finish)
            except StorageError as error:
                # The answers are committed; the manifest must not go on saying "running".
                problem = problem or error
        manifest = finished_manifest(manifest, tally, progress, problem, interrupted, time.monotonic() - began, plan)
        if trace is not None:
            manifest = manifest.model_copy(update={"trace": await trace.close()})
        if desk is not None and prepared.judge is not None:
            manifest = manifest.model_copy(
                update={
                    "judge": prepared.judge.record({**desk.tally.summary(), "admission": desk.progress.admission()})
                }
            )
        write_manifest(folder, manifest)
    except OSError as error:
        raise StorageError(
            f"run folder {folder} cannot be written: {error.strerror or error}",
            remedy="free some space or give another folder with -o, then run the same command again; every committed answer is kept",
        ) from error
    finally:
        cache.close()
        await beats.close()
        await _close(prepared.everyone)
        writer.close()
    return Outcome(
        folder,
        manifest,
        _exit_code(manifest, tally, problem, interrupted, config.allow_errors),
        tally.reasons(),
        tally.at_fault,
        problem,
    )


def _nothing_to_do(folder: Path, earlier: Manifest, seconds: float) -> Outcome:
    """The outcome of a run that is already there; its files stay as they are."""
    rows = sum(earlier.counts.get(name, 0) for name in OUTCOMES)
    counts = {**earlier.counts, "asked": 0, "cached": rows}
    return Outcome(
        folder, earlier.model_copy(update={"counts": counts, "timings": {"total": seconds}}), 0, unchanged=True
    )


def _run_id(folder: Path, config: RunConfig, overwrite: bool) -> str:
    if not (folder / "run.json").exists():
        return secrets.token_hex(8)
    earlier = read_manifest(folder)
    if earlier.config_digest != config_digest(config) and not overwrite:
        changed = [
            key
            for key, value in config.model_dump(mode="json").items()
            if key in earlier.config and earlier.config[key] != value
        ]
        raise UsageError(
            f"{folder} holds another run (it differs in {', '.join(changed) or 'its configuration'})",
            remedy="give another folder with -o, or add --overwrite (answers stay in the cache either way)",
        )
    return earlier.run_id


def _exit_code(manifest: Manifest, tally: Tally, problem: MmevalError | None, interrupted: bool, allowed: float) -> int:
    if interrupted:
        return 130
    if problem is not None:
        return 6 if isinstance(problem, StorageError) else problem.exit_code
    broken = tally.outcomes.get("error", 0) + tally.outcomes.get("unscored", 0)
    total = sum(tally.outcomes.values()) + manifest.counts["missing"]
    return 6 if manifest.counts["missing"] or broken > allowed * total else 0


async def _close(engines: Sequence[Engine]) -> None:
    await asyncio.gather(*(engine.close() for engine in engines), return_exceptions=True)


def command_line(arguments: Sequence[str] | None = None) -> list[str]:
    """The argument vector with the values of secret options replaced."""
    hidden, result = False, []
    for argument in sys.argv if arguments is None else arguments:
        if hidden:
            result.append("***")
            hidden = False
        elif argument == "--api-key":
            result.append(argument)
            hidden = True
        elif argument.startswith("--api-key="):
            result.append("--api-key=***")
        else:
            result.append(argument)
    return result
