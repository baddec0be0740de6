"""What is shown of a sample under a condition: its media as they are sent, and the sample settled by them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mmeval.conditions.base import Condition
from mmeval.conditions.regions import ByRegion, Regions
from mmeval.core.errors import NotApplicableError
from mmeval.core.types import Media, PreparedMedia, Sample
from mmeval.engines.base import EngineInfo
from mmeval.pipeline.media import BICUBIC, Grid, decode_rgb, prepare
from mmeval.pipeline.partners import Partners
from mmeval.tasks.task import Task
from mmeval.verifiers.place_abilities import IN_PICTURE

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmeval.pipeline.work import Stage, Ticket

COORDINATE_KINDS = frozenset({"box", "boxes", "point", "mask", "heatmap"})
QWEN_PIXELS = (56 * 56, 12_845_056)
"""Limits of the Qwen-VL processors where neither the engine nor its arguments say otherwise."""


def task_grid(info: EngineInfo, task: Task) -> Grid | None:
    """The sizes to send where the answer is read in pixels of the processor's grid; other tasks send the original bytes."""
    return model_grid(info) if asks_for_places(task) else None


def asks_for_places(task: Task) -> bool:
    """Whether answers hold places in the picture: the whole answer, or a part of it (a click among the actions on a screen)."""
    answer = task.card.answer
    return answer.kind in COORDINATE_KINDS or (answer.verifier or answer.kind) in IN_PICTURE


def model_grid(info: EngineInfo) -> Grid | None:
    """The sizes of a model's processor, where it answers in pixels of them."""
    factor = info.profile.get("grid")
    if not factor or info.profile.get("coordinates") != "pixels":
        return None
    low = info.details.get("min_pixels") or QWEN_PIXELS[0]
    high = info.details.get("max_pixels") or QWEN_PIXELS[1]
    size = (info.profile.get("resize") or {}).get("size")
    return Grid(int(factor), int(low), int(high), None if size is None else (int(size[0]), int(size[1])))


def prepared(
    stage: Stage, media: Media, ablation: Callable[[Image], Image] | None = None, grid: Grid | None = None
) -> PreparedMedia:
    """Read and prepare one media, with the stage's stores.

    Raises:
        MediaError: naming what cannot be read.
    """
    return prepare(media, stage.cache.image_facts, stage.cache.remember_image, ablation, grid, stage.frame_store)


def shown(
    stage: Stage,
    ticket: Ticket,
    condition: Condition,
    original: Sample,
    source: tuple[PreparedMedia, ...],
    grid: Grid | None,
) -> tuple[Sample, tuple[PreparedMedia, ...]]:
    """Return the sample under a condition, settled, and its media as they are sent.

    Raises:
        MediaError: a picture that cannot be read.
        NotApplicableError: the item lacks what the condition needs.
    """
    task = ticket.task.task
    changed = condition.sample(original) if condition.sample else original
    ablation, noted = _ablation(stage, ticket, condition, original)
    if changed.media and (ablation is not None or grid is not None):
        sent = tuple(prepared(stage, media, ablation, grid) for media in changed.media)
    else:
        sent = source if changed.media else ()
    sample = task.settle(noted, source, sent)
    if condition.sample is not None:
        sample = replace(condition.sample(sample), media=original.media)
    return sample, sent


def _ablation(
    stage: Stage, ticket: Ticket, condition: Condition, sample: Sample
) -> tuple[Callable[[Image], Image] | None, Sample]:
    """Return what is done to each picture, and the sample with a note of it where another item's picture is shown.

    Raises:
        NotApplicableError: where the condition needs one picture with gold boxes, or a partner, that the item lacks.
    """
    # The family's name without its number: a stronger ablation of one sample then draws the same as a weaker one.
    seed = stage.plan.seed_for(sample.task, sample.id, 0) ^ zlib.crc32(condition.name.partition(":")[0].encode())
    if condition.donor:
        fresh = Partners(ticket.task, stage.style, stage.plan.seed)
        partner = stage.partners.setdefault(ticket.task_index, fresh).of(
            sample.id, condition.donor, partial(prepared, stage)
        )
        noted = replace(sample, extras={**sample.extras, "shown_from": partner.identifier})
        return partial(_instead, partner.media), noted
    if condition.region is not None:
        if len(sample.media) != 1 or sample.media[0].kind != "image":
            raise NotApplicableError("gold boxes can be hidden and shown on items with exactly one picture")
        return partial(_by_region, condition.region, Regions.of(sample.extras), seed), sample
    return (None if condition.image is None else partial(_by_pixels, condition.image, seed)), sample


def _by_pixels(change: Callable[[Image, int], Image], seed: int, image: Image) -> Image:
    return change(image, seed)


def _by_region(change: ByRegion, regions: Regions, seed: int, image: Image) -> Image:
    return change(image, seed, regions.pixels(*image.size))


def _instead(media: Media, image: Image) -> Image:
    other = decode_rgb(media.read(), media.label)
    return other if other.size == image.size else other.resize(image.size, BICUBIC)
