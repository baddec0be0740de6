"""From a data set's row to units of work: sample, condition, prepared media, requests with their hashes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmeval.conditions.base import Condition, get_condition
from mmeval.conditions.looking import VisualCoT, strategy_of
from mmeval.conditions.strategy import Strategy
from mmeval.core.errors import MediaError, NotApplicableError
from mmeval.core.hashing import digest
from mmeval.core.shortage import shortage
from mmeval.core.types import Message, PreparedMedia, Request, Response, Sample, Sampling
from mmeval.engines.base import EngineInfo
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.identity import cache_key, message_json, request_hash
from mmeval.pipeline.media import Grid
from mmeval.pipeline.nearby import nearby
from mmeval.pipeline.partners import Partners
from mmeval.pipeline.plan import RunPlan
from mmeval.pipeline.retriever import Retriever
from mmeval.pipeline.sent_media import store_media
from mmeval.pipeline.showing import asks_for_places, model_grid, prepared, shown, task_grid
from mmeval.pipeline.trace import NO_TRACE, Tracer
from mmeval.tasks.looking import RATING, SCALAR
from mmeval.tasks.opened import OpenTask, RowError
from mmeval.tasks.options import AskStyle
from mmeval.tasks.task import Task, item_hash

TOGETHER_S = 0.03
"""How long one call of `prepare_together` goes on."""


@dataclass(frozen=True, slots=True)
class Order:
    """The place of a row in the results table, so that it does not depend on who finished first."""

    model: int
    task: int
    condition: int
    position: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Call:
    """One model call behind a row, beside the answer itself."""

    role: str
    """`judge`, or what a strategy calls it (`describe`, `answer` …)."""
    card: str | None
    """The judge card, or None."""
    model: str
    request_hash: str
    messages: tuple[Message, ...]
    response: Response
    cached: bool
    media: tuple[PreparedMedia, ...] = ()
    """What the messages refer to, without its bytes."""
    step: Mapping[str, Any] | None = None
    """What became of the reply: the action that it asked for, boxes in original pixels, errors (JSON)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A conversation and its media."""

    messages: tuple[Message, ...]
    media: tuple[PreparedMedia, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One (sample, condition, repeat) of one model."""

    order: Order
    task: Task
    condition: str
    sample: Sample
    item_hash: str
    request: Request | None
    """None when the sample cannot be asked."""
    request_hash: str
    key: str
    stored: Response | None
    """The answer, when the cache has it."""
    failure: Response | None
    """Why it cannot be asked: an unreadable image, a modality that the model lacks."""
    media: tuple[PreparedMedia, ...]
    strategy: Strategy | None = None
    """Asks in several calls; `request` is then the plain one that it starts from, and `stored` is never set."""
    grid: Grid | None = None
    """The sizes in which a card's strategy shows pictures; None for their own."""
    other: Shown | None = None
    """The other prompt after which the answer's tokens are scored too; `stored` is then never set."""

    @property
    def bytes(self) -> int:
        """Prepared media bytes that this unit keeps in memory."""
        shown = (*self.media, *(self.other.media if self.other is not None else ()))
        return sum(len(image.data) for media in shown for image in media.images)


def lightened(unit: Unit) -> Unit:
    """The unit without the bytes of its media, which a row of the results table does not need."""
    if not unit.media:
        return unit
    return replace(unit, media=without_bytes(unit.media), request=None, other=None)


def without_bytes(media: tuple[PreparedMedia, ...]) -> tuple[PreparedMedia, ...]:
    """Media of which only hash, format and size are left."""
    return tuple(replace(entry, images=tuple(replace(image, data=b"") for image in entry.images)) for entry in media)


@dataclass(frozen=True, slots=True)
class Stage:
    """All that preparing needs to know about one model's pass over the plan."""

    plan: RunPlan
    model: int
    info: EngineInfo
    modalities: frozenset[str]
    supported: frozenset[str]
    style: AskStyle
    cache: ResponseCache
    scope: str | None
    """Run id when the model's answers must not leave this run."""
    media_dir: Path | None
    """Where media as sent are stored, or None."""
    frame_store: Path | None = None
    """Where decoded frames of videos are kept; views and pages beside it."""
    partners: dict[int, Partners] = field(default_factory=dict)
    """By task: whose picture each item gets when pictures are shuffled."""
    retriever: Retriever | None = None
    """Where strategies search."""
    run_id: str = ""
    """The run, for what is kept only inside it."""
    trace: Tracer = NO_TRACE


def style_of(info: EngineInfo) -> AskStyle:
    """The part of a model profile that shapes prompts."""
    profile = info.profile
    return AskStyle(
        coordinates=str(profile.get("coordinates") or "pixels"),
        coordinate_order=str(profile.get("coordinate_order") or "xy"),
        system=profile.get("system"),
        reasoning_tags=tuple(profile.get("reasoning_tags") or ()),
    )


@dataclass(frozen=True, slots=True)
class Ticket:
    """A sample that has not been built yet."""

    task_index: int
    task: OpenTask
    position: int
    build: Callable[[], Sample]
    condition_index: int
    condition: Condition
    sampling: Sampling
    """The task's decoding, to which each request adds its seed."""


def tickets(stage: Stage, judged: bool = False) -> Iterator[Ticket]:
    """Yield everything there is to ask of one model, task after task in the order of `RunPlan.queue`; prepares nothing.

    Rows that show one picture come together.
    """
    for task_index in stage.plan.queue(judged):
        task = stage.plan.tasks[task_index]
        sampling = stage.plan.sampling_for(task.task)
        for position, build in nearby(task.samples(stage.style), lambda drafted: drafted[1].picture):
            for condition_index, condition in enumerate(stage.plan.conditions):
                yield Ticket(task_index, task, position, build, condition_index, condition, sampling)


def prepare_together(stage: Stage, together: Sequence[Ticket], most_bytes: int) -> list[list[Unit]]:
    """Prepare samples one after another; runs in a worker thread.

    Returns:
        the units of the first ones, at least of one: it ends early after `TOGETHER_S` seconds or `most_bytes` of media,
        so that a slow or large sample does not keep those behind it from other threads.
    """
    end = time.monotonic() + TOGETHER_S
    prepared: list[list[Unit]] = []
    size = 0
    for ticket in together:
        with stage.trace.span("prepare"):
            units = prepare_units(stage, ticket)
        prepared.append(units)
        size += units[0].bytes if units else 0
        if size >= most_bytes or time.monotonic() >= end:
            break
    return prepared


def prepare_units(stage: Stage, ticket: Ticket) -> list[Unit]:
    """Build the sample, prepare its media, and look every repeat up in the cache. Runs in a worker thread."""
    task = ticket.task.task
    try:
        original = ticket.build()
    except RowError as error:
        reason = f"{error.message} -> {error.remedy}" if error.remedy else error.message
        return _failed(stage, ticket, _unreadable(ticket, error.identifier), Response("error", error=reason))
    strategy, shown_in = _strategy(stage, ticket)
    # Parts are cut from the full size; what is shown of it is the strategy's own affair.
    grid = None if shown_in is not None else task_grid(stage.info, task)
    try:
        source = tuple(prepared(stage, media) for media in original.media)
    except (MediaError, MemoryError) as error:
        return _failed(stage, ticket, original, _no_media(error))
    item = item_hash(original, source)
    try:
        sample, sent, other = _under_condition(stage, ticket, original, source, grid, strategy is None)
    except (MediaError, MemoryError) as error:
        return _failed(stage, ticket, original, _no_media(error))
    except NotApplicableError as error:
        return _failed(stage, ticket, task.settle(original, source), Response("unsupported", error=error.message), item)
    refusal = unsupported(sent, stage.modalities)
    if refusal is not None:
        return _failed(stage, ticket, sample, Response("unsupported", error=refusal), item)
    if stage.media_dir is not None:
        for media in sent:
            for image in media.images:
                store_media(stage.media_dir, f"{image.sha256}.{image.format}", image.data)
    asked = _Asked(sample, item, sent, strategy, shown_in, other)
    return [_unit(stage, ticket, asked, repeat) for repeat in range(stage.plan.repeats_for(task))]


def _under_condition(
    stage: Stage, ticket: Ticket, original: Sample, source: tuple[PreparedMedia, ...], grid: Grid | None, plain: bool
) -> tuple[Sample, tuple[PreparedMedia, ...], Shown | None]:
    """Return the sample and media as sent, and the other prompt of a condition that contrasts two.

    Args:
        stage, ticket: what is asked.
        original: the sample of the data set.
        source: its media.
        grid: the sizes in which media are sent; None for their own.
        plain: whether one call asks the sample.

    Raises:
        NotApplicableError: when the item cannot be asked under the condition.
        MediaError: when media cannot be changed.
    """
    condition = ticket.condition
    if condition.needs_picture and not source:
        raise NotApplicableError("the item has no picture that this condition could change or take away")
    if condition.moves and asks_for_places(ticket.task.task):
        raise NotApplicableError("the answer is a place in the picture, which a crop would move")
    sample, sent = shown(stage, ticket, condition, original, source, grid)
    if not condition.contrast:
        return sample, sent, None
    if not plain:
        raise NotApplicableError("the task's answers take several calls, and no single prompt to score them after")
    inner, changed = shown(stage, ticket, get_condition(condition.contrast), original, source, grid)
    sample = replace(sample, extras={**sample.extras, "other_media": [one.sha256 for one in changed]})
    return sample, sent, Shown(inner.messages, changed)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A sample as it is asked, the same in all repeats; fields as in `Unit`."""

    sample: Sample
    item_hash: str
    media: tuple[PreparedMedia, ...]
    strategy: Strategy | None
    shown_in: _ShownIn | None
    other: Shown | None


def _unit(stage: Stage, ticket: Ticket, asked: _Asked, repeat: int) -> Unit:
    """Return one repeat, with its answer where the cache has it."""
    task, sample, strategy, shown_in = ticket.task.task, asked.sample, asked.strategy, asked.shown_in
    seed = stage.plan.seed_for(task.name, sample.id, repeat) if "seed" in stage.supported else None
    request = Request(
        id=f"{task.name}/{sample.id}/{ticket.condition.name}/{repeat}",
        messages=sample.messages,
        media=asked.media,
        sampling=replace(ticket.sampling, seed=seed),
        repeat=repeat,
        sample=sample,
    )
    hashed = request_hash(request, stage.info)
    key = cache_key(hashed, stage.scope)
    if strategy is not None:
        own = [] if shown_in is None else [shown_in.asked]
        hashed = digest([hashed, strategy.name, strategy.version, *own])
    return Unit(
        order=Order(stage.model, ticket.task_index, ticket.condition_index, ticket.position, repeat),
        task=task,
        condition=ticket.condition.name,
        sample=sample,
        item_hash=asked.item_hash,
        request=request,
        request_hash=hashed,
        key=key,
        stored=stage.cache.get(key) if strategy is None and asked.other is None else None,
        failure=None,
        media=asked.media,
        strategy=strategy,
        grid=None if shown_in is None else shown_in.grid,
        other=asked.other,
    )


@dataclass(frozen=True, slots=True)
class _ShownIn:
    """How a card's strategy shows pictures."""

    grid: Grid | None
    asked: Mapping[str, Any]
    """Its settings, for the hash of the row."""


def _strategy(stage: Stage, ticket: Ticket) -> tuple[Strategy | None, _ShownIn | None]:
    """The strategy of a condition, which goes before the card's; engines that answer from data are asked plainly."""
    section = ticket.task.task.card.strategy
    own = ticket.condition.strategy
    if isinstance(own, VisualCoT):
        return own, _ShownIn(model_grid(stage.info), own.section.asked())
    if own is not None or section is None:
        return own, None
    if section.name in SCALAR:
        # Predictions may hold the scores; every other engine has to give them.
        return (None if stage.info.engine == "replay" else strategy_of(section)), None
    if section.name in RATING:
        return strategy_of(section), None
    if stage.info.reads_sample:
        return None, None
    grid = None
    if section.resize is not None:
        grid = Grid(section.resize.factor, section.resize.min_pixels, section.resize.max_pixels)
    elif section.coordinates in ("model", "pixels"):
        grid = model_grid(stage.info)
    return strategy_of(section), _ShownIn(grid, section.asked())


def _unreadable(ticket: Ticket, identifier: str) -> Sample:
    return Sample(identifier, ticket.task.task.name, (), None, cluster=identifier, item={"id": identifier})


def _no_media(error: MediaError | MemoryError) -> Response:
    """Why there are no media to send. What the machine ran out of for the moment is no fault of the data."""
    passing = shortage(error)
    return Response("error", error=str(error) or f"out of {passing}", retryable=bool(passing))


def _failed(stage: Stage, ticket: Ticket, sample: Sample, failure: Response, item: str = "") -> list[Unit]:
    task = ticket.task.task
    sample = sample if sample.cluster else replace(sample, cluster=sample.id)
    return [
        Unit(
            order=Order(stage.model, ticket.task_index, ticket.condition_index, ticket.position, repeat),
            task=task,
            condition=ticket.condition.name,
            sample=sample,
            item_hash=item,
            request=None,
            request_hash="",
            key="",
            stored=None,
            failure=failure,
            media=(),
        )
        for repeat in range(stage.plan.repeats_for(task))
    ]


def unsupported(media: tuple[PreparedMedia, ...], modalities: frozenset[str]) -> str | None:
    """Say why a model of these modalities cannot be shown the media, or None. A permanent fact, not a failure."""
    if not media:
        return None
    if any(entry.kind == "video" for entry in media) and "video" not in modalities:
        return "this model takes no video"
    if "image" not in modalities and "video" not in modalities:
        return "this model takes no images"
    if len(media) > 1 and "images" not in modalities:
        return "this model takes one image per request"
    return None


def prompt_json(sample: Sample) -> list[dict[str, Any]]:
    """The conversation as sent, media as their index."""
    return message_json(sample.messages)
