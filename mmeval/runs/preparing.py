"""Preparing a run: everything that can be checked before the first request, and who the engines are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError, UsageError, nearest
from mmeval.core.templates import compile_template, undeclared
from mmeval.core.user_paths import user_path
from mmeval.engines.base import SAMPLING_FIELDS, Engine, EngineInfo, ModelSpec, NeedsTargets
from mmeval.engines.checkpoint_engine import CheckpointEngine
from mmeval.engines.registry import choice_note, create_engine, parse_model
from mmeval.metrics import get_metric
from mmeval.pipeline.plan import RunPlan
from mmeval.pipeline.retriever import checked_url
from mmeval.runs.config import RunConfig, ray_settings
from mmeval.runs.descriptions import resolve_conditions
from mmeval.runs.engine_options import Reader, check_used
from mmeval.runs.file_tasks import configured_cards
from mmeval.runs.judge import Judge, check_judge, check_judge_options, check_verifier, prepare_judge
from mmeval.runs.manifest import SEARCHING
from mmeval.tasks.aggregates import PlannedAggregate, plan_aggregates
from mmeval.tasks.file_selector import split_selectors
from mmeval.tasks.opened import OpenTask, RowError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.prompts import TEMPLATE_NAMES
from mmeval.tasks.registry import Registry
from mmeval.tasks.sharding import parse_shard
from mmeval.tasks.task import Task


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
    if config.prompt is not None:
        _check_prompt(config.prompt, config.prompt_file)
    found = registry.resolve(config.tasks)
    if not found:
        raise UsageError("no task given", remedy="add -t TASK, e.g. -t demo (`mmeval tasks list` lists all)")
    return [Task.load(card, protocol, config.prompt) for card, protocol in found]


def _check_prompt(text: str, path: str | None) -> None:
    """Refuse a template of the user's own that no card can be at fault for.

    Raises:
        UsageError: with its file, and the line or the name that is wrong.
    """
    place = f"--prompt-file {path}" if path else "key prompt of the configuration"
    try:
        compile_template(text)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", remedy=error.remedy) from error
    for name in sorted(undeclared(text) - TEMPLATE_NAMES):
        raise UsageError(
            f"{place}: the template names {name!r}, which is not defined",
            remedy=f"did you mean {' or '.join(nearest(name, TEMPLATE_NAMES)) or 'row.' + name}? There are {', '.join(sorted(TEMPLATE_NAMES))}; columns are row.NAME",
        )


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
    check_judge_options(config)
    judge_notes = check_judge(tasks, config.judge)
    searching = _check_retriever(config, tasks)
    conditions = resolve_conditions(config.conditions)
    specs = _model_specs(config, api_key)
    check_used(_settings(config), specs)
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
        await close_all(engines)
        raise
    names = model_names(config.models)
    for name, info in zip(names, infos, strict=True):
        if away := info.details.get("unreachable"):
            notes.append(f"model {name}: {', '.join(away)} cannot be reached; asked again while the others answer")
    notes += [note for name, info in zip(names, infos, strict=True) if (note := profile_note(name, info.profile))]
    return Prepared(config, plan, engines, infos, names, notes + judge_notes + searching + missed, judge, aggregates)


def _model_specs(config: RunConfig, api_key: str | None) -> list[ModelSpec]:
    return [
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


def _settings(config: RunConfig) -> dict[Reader, dict[str, Any]]:
    """Options that only some engines read, by who reads them."""
    return {
        "endpoint": {"--base-url": config.base_urls, "--model-id": config.model_id},
        "loaded": {
            "--tensor-parallel": config.tensor_parallel, "--data-parallel": config.data_parallel,
            "--engine-python": config.engine_python, "--revision": config.revision,
        },
    }  # fmt: skip


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
        return [f"{', '.join(named)}{SEARCHING}{config.retriever}"] if named else []
    if named:
        raise UsageError(
            f"task {named[0]} searches documents, and there is no retriever",
            remedy="add --retriever URL (docs/looking.md says what it must answer)",
        )
    return []


def profile_note(name: str, profile: Mapping[str, Any]) -> str | None:
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


def model_names(specs: Sequence[str]) -> list[str]:
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
    path = user_path(name)
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


async def close_all(engines: Sequence[Engine]) -> None:
    """Close engines, all of them whatever happens to one."""
    await asyncio.gather(*(engine.close() for engine in engines), return_exceptions=True)
