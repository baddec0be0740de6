"""The judge of a run: which tasks need one, its engine, and its record in the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import UsageError
from mmeval.core.hashing import digest
from mmeval.engines.base import Engine, EngineInfo
from mmeval.engines.registry import create_engine, label, parse_model
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.chain import Chain
from mmeval.pipeline.judging import JudgeDesk, JudgeSettings
from mmeval.pipeline.plan import Effort
from mmeval.pipeline.trace import NO_TRACE, Tracer
from mmeval.runs.config import RunConfig, ray_settings
from mmeval.runs.engine_options import check_used
from mmeval.runs.manifest import JudgeRecord
from mmeval.tasks.looking import INTERLEAVED
from mmeval.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge that has been described but not started."""

    name: str
    spec: str
    engine: Engine
    info: EngineInfo
    cards: Mapping[str, str]
    """Judge card -> digest."""

    @property
    def identity(self) -> dict[str, Any]:
        """What makes its verdicts comparable: weights or served name, not the version of the engine that runs them."""
        return {"engine": self.info.engine, "identity": dict(self.info.identity)}

    def record(self, summary: Mapping[str, Any]) -> JudgeRecord:
        """The manifest's entry."""
        return JudgeRecord(
            name=self.name,
            spec=self.spec,
            engine=self.info.engine,
            engine_version=self.info.version,
            identity=dict(self.info.identity),
            identity_digest=digest(self.identity),
            shared_identity=self.info.shared_identity,
            cards=dict(self.cards),
            summary=dict(summary),
        )


def needs_judge(task: Task, stored: bool = False) -> bool:
    """Whether the protocol cannot do without a judge; `stored`: its answers are there, with what a verifier said of them."""
    always = any(step.when == "always" for step in task.card.judges)
    return task.card.answer.reads == "extraction" or always or (uses_verifier(task) and not stored)


def uses_verifier(task: Task) -> bool:
    """Whether a strategy has its answers rated by the judge model."""
    return task.card.strategy is not None and task.card.strategy.reward is not None


def check_verifier(tasks: Sequence[Task], engines: Sequence[Engine], judge: Judge | None) -> None:
    """Refuse strategies that ask model and verifier by turns where these cannot be loaded together.

    Raises:
        UsageError: both fill the card by themselves.
    """
    if judge is None or not judge.engine.exclusive or not any(engine.exclusive for engine in engines):
        return
    for task in tasks:
        section = task.card.strategy
        if section is not None and section.name in INTERLEAVED:
            raise UsageError(
                f"{task.name}@{task.protocol} asks model and verifier by turns, and both would be loaded here",
                remedy="serve one of them and name it as openai: with --base-url or --judge-base-url",
            )


def check_judge_options(config: RunConfig) -> None:
    """Refuse settings of a judge where no judge is named, which is most often a forgotten --judge.

    Raises:
        UsageError: naming the first of them.
    """
    if config.judge is not None:
        return
    given = {
        "--judge-base-url": config.judge_base_urls, "--judge-model-id": config.judge_model_id,
        "--judge-engine-arg": config.judge_engine_args, "--judge-engine-python": config.judge_engine_python,
        "--judge-concurrency": config.judge_concurrency, "--judge-repeats": config.judge_repeats > 1,
        "--judge-swap": config.judge_swap,
    }  # fmt: skip
    option = next((name for name, value in given.items() if value), None)
    if option is not None:
        raise UsageError(f"{option}: no judge is named", remedy="add --judge MODEL, e.g. --judge openai:NAME")


def check_judge(tasks: Sequence[Task], judge: str | None, stored: bool = False) -> list[str]:
    """Refuse a run that lacks its judge; return what the user should know.

    Args:
        tasks: what is scored.
        judge: the judge, if there is one.
        stored: whether stored answers are scored again.

    Raises:
        UsageError: a protocol needs a judge and there is none, or it scores extractions and names no judge that extracts.
    """
    judged = [task for task in tasks if task.card.judges or (uses_verifier(task) and not stored)]
    for task in tasks:
        name = f"{task.name}@{task.protocol}"
        if task.card.answer.reads == "extraction" and not task.card.judges:
            raise UsageError(
                f"{name} scores answers that were extracted elsewhere, and its card names no judge that extracts",
                remedy="use `mmeval import` for files with extractions, or add `judges:` to the card",
            )
        if judge is None and uses_verifier(task) and not stored:
            raise UsageError(
                f"{name} has its answers rated by a verifier, which is the judge model",
                remedy="add --judge MODEL (e.g. --judge openai:NAME --judge-base-url URL), see docs/selection.md",
            )
        if judge is None and needs_judge(task, stored):
            raise UsageError(
                f"{name} needs a judge",
                remedy=f"add --judge MODEL (e.g. --judge openai:NAME --judge-base-url URL), or use a protocol that rules decide: {_rule_protocols(task)}",
            )
    if judge is None and judged:
        names = ", ".join(f"{task.name}@{task.protocol}" for task in judged)
        return [f"{names}: scored by rules alone; --judge MODEL would read what rules leave open"]
    if judge is not None and not judged:
        return ["--judge: no task of this run uses a judge; all are scored by rules"]
    return []


def _rule_protocols(task: Task) -> str:
    raw = {"default": task.card.model_dump(include={"answer", "judges"}), **task.card.protocols}
    free = []
    for name, override in raw.items():
        reads = override.get("answer", {}).get("reads", "response")
        steps = override.get("judges", task.card.judges if name == "default" else [])
        if reads != "extraction" and not any(_when(step) == "always" for step in steps):
            free.append(task.name if name == "default" else f"{task.name}@{name}")
    free = [name for name in free if name != f"{task.name}@{task.protocol}"]
    return ", ".join(free[:4]) or "none; `mmeval import` takes predictions that were judged elsewhere"


def _when(step: Any) -> str:
    return str(step.get("when", "no_answer") if isinstance(step, dict) else step.when)


async def prepare_judge(config: RunConfig, tasks: Sequence[Task], api_key: str | None) -> Judge | None:
    """Describe the judge of a configuration, or return None where there is none or no task uses it.

    Raises:
        MmevalError: when the judge cannot work.
    """
    judged = [task for task in tasks if task.card.judges or uses_verifier(task)]
    if config.judge is None or not judged:
        return None
    cards = {fact["card"]: fact["digest"] for task in judged for fact in Chain.of(task, True).judges}
    return await describe_judge(config, cards, api_key)


async def describe_judge(config: RunConfig, cards: Mapping[str, str], api_key: str | None) -> Judge:
    """Ask the judge of a configuration, which must name one, who it is.

    Args:
        config: the configuration.
        cards: judge card -> digest.
        api_key: the judge's key.

    Raises:
        MmevalError: when the judge cannot work.
    """
    assert config.judge is not None
    spec = parse_model(
        config.judge,
        engine_args=config.judge_engine_args,
        trust_remote_code=config.trust_remote_code,
        model_id=config.judge_model_id,
        base_urls=tuple(config.judge_base_urls),
        api_key=api_key,
        timeout_s=config.timeout_s,
        concurrency=config.judge_concurrency,
        engine_python=config.judge_engine_python,
        ray=ray_settings(config),
    )
    check_used(
        {
            "endpoint": {"--judge-base-url": config.judge_base_urls, "--judge-model-id": config.judge_model_id},
            "loaded": {"--judge-engine-python": config.judge_engine_python},
        },
        [spec],
        judge=True,
    )
    engine = create_engine(spec)
    try:
        info = await engine.describe()
    except BaseException:
        await engine.close()
        raise
    return Judge(label(spec), config.judge, engine, info, cards)


def judge_facts(task: Task, judge: Judge | None, repeats: int, swap: bool) -> dict[str, Any] | None:
    """What a judge adds to the score digest of a task; None for tasks that rules decide."""
    if judge is None or not (task.card.judges or uses_verifier(task)):
        return None
    return {"steps": list(Chain.of(task, True).judges), "judge": judge.identity, "repeats": repeats, "swap": swap}


def judge_desk(
    judge: Judge, config: RunConfig, cache: ResponseCache, run_id: str, trace: Tracer = NO_TRACE
) -> JudgeDesk:
    """The desk at which the judge is asked.

    Args:
        judge: the judge.
        config: repeats, swaps, concurrency and how hard to try.
        cache: where verdicts are kept.
        run_id: scope of the cache when the judge's weights are unknown.
        trace: is told of its requests.
    """
    progress = Progress(f"judge {judge.name}", None)
    effort = Effort(concurrency=config.judge_concurrency, attempts=config.attempts, outage_s=config.outage_s)
    asker = Asker(judge.engine, judge.info.slots, effort, progress, judge.engine.start, trace)
    scope = None if judge.info.shared_identity else run_id
    settings = JudgeSettings(config.judge_repeats, config.judge_swap, config.seed)
    return JudgeDesk(judge.name, judge.engine, judge.info, asker, cache, scope, settings)
