"""Streams of training batches: which pictures, in which rows, as arrays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .packing import PackedRows, Packer, Row, stack_rows
from .pictures import CELL, DenseTruth, Picture, make_picture

TRAINING_SEED = 1_000_000  # evaluation uses seed 0; training never draws below this seed

SQUARE = (96, 96)  # pixels (height, width) as the model sees them
WIDE = (80, 112)

SCENE_WEIGHTS = {
    "spatial": 7.0, "attribute": 1.8, "count": 1.8, "box": 2.2, "existence": 1.0, "compare": 1.3, "detect": 0.5,
    "chart": 1.3, "read-number": 0.6, "read-word": 0.3, "degradation": 0.8, "quality": 0.8,
}  # fmt: skip
SCREEN_TASK, CLIP_TASK = "point", "order"


@dataclass(frozen=True, slots=True)
class BatchShape:
    """Fixed sizes, so that the compiled step sees few shapes."""

    rows: int
    wide_rows: int  # of `rows`, those about screens; the last ones
    frames: int  # images per row
    length: int  # tokens per row
    targets: int  # learned tokens per batch


STILL_BATCH = BatchShape(rows=16, wide_rows=2, frames=1, length=256, targets=1024)
CLIP_BATCH = BatchShape(rows=6, wide_rows=0, frames=6, length=384, targets=320)
CLIP_EVERY = 20  # batches
FRESH_SHARE = 0.5  # of the pictures are new, the others come from the pool with new questions
POOL_SIZE = 30_000
POOL_MINIMUM = 400  # before that every picture is new

# Share of the pictures at difficulty 1, 2 and 3, at the start and at the end of training.
DIFFICULTY_START = (0.7, 0.3, 0.0)
DIFFICULTY_END = (0.25, 0.7, 0.05)
EASY_SPATIAL_SHARE = 0.5  # of the relation pictures stay at difficulty 1: relations are the last to be learned
DIFFICULTY_RAMP = 0.6  # of the training


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's data. Images come as groups of one size, in the order of the table of visual tokens."""

    images: tuple[NDArray[np.uint8], ...]  # (images, height, width, 3) each
    truths: tuple[DenseTruth, ...]  # one per still image, concatenated in the same order; () for clips
    rows: PackedRows


def draw_difficulty(progress: float, rng: random.Random) -> int:
    part = min(1.0, progress / DIFFICULTY_RAMP)
    weights = [a + (b - a) * part for a, b in zip(DIFFICULTY_START, DIFFICULTY_END, strict=True)]
    return rng.choices((1, 2, 3), weights)[0]


def tokens_of(image: NDArray[np.uint8]) -> int:
    return (image.shape[0] // CELL) * (image.shape[1] // CELL)


def assemble(rows: Sequence[Row], pictures: Sequence[Picture], shape: BatchShape) -> Batch:
    """Arrays for `rows`, each about the picture of the same place."""
    groups: list[list[NDArray[np.uint8]]] = [[]]
    offsets: list[list[int]] = []
    table = 0
    for picture in pictures:
        frames = list(picture.pixels)
        frames += [np.full_like(frames[0], 127)] * (shape.frames - len(frames))
        starts = []
        for frame in frames:
            if groups[-1] and groups[-1][0].shape != frame.shape:
                groups.append([])
            groups[-1].append(frame)
            starts.append(table)
            table += tokens_of(frame)
        offsets.append(starts)
    packed = stack_rows(rows, offsets, shape.length, shape.targets)
    truths = tuple(p.truth for p in pictures) if shape.frames == 1 else ()
    return Batch(tuple(np.stack(group) for group in groups), truths, packed)


class BatchStream:
    """Endless training batches; a pure function of its seed and of the progress values passed in."""

    def __init__(self, packer_still: Packer, packer_clip: Packer, seed: int) -> None:
        self._still, self._clip = packer_still, packer_clip
        self._seed = TRAINING_SEED + seed
        self._rng = random.Random(f"batches-{seed}")
        self._next_index: dict[tuple[str, int], int] = {}
        self._pools: dict[str, list[Picture]] = {"scene": [], "screen": [], "clip": []}
        self._made = 0

    def _new_picture(self, task: str, progress: float) -> Picture:
        difficulty = draw_difficulty(progress, self._rng)
        if task == "spatial" and self._rng.random() < EASY_SPATIAL_SHARE:
            difficulty = 1
        index = self._next_index.get((task, difficulty), 0)
        self._next_index[(task, difficulty)] = index + 1
        # Consecutive items of some tasks share a scene; an odd stride visits every scene and every question slot.
        return make_picture(task, self._seed, 3 * index, difficulty, self._rng)

    def _picture(self, pool_name: str, progress: float) -> Picture:
        pool = self._pools[pool_name]
        if len(pool) >= POOL_MINIMUM and self._rng.random() >= FRESH_SHARE:
            return self._rng.choice(pool)
        if pool_name == "scene":
            task = self._rng.choices(tuple(SCENE_WEIGHTS), tuple(SCENE_WEIGHTS.values()))[0]
        else:
            task = SCREEN_TASK if pool_name == "screen" else CLIP_TASK
        picture = self._new_picture(task, progress)
        if len(pool) < POOL_SIZE:
            pool.append(picture)
        else:
            pool[self._rng.randrange(POOL_SIZE)] = picture
        return picture

    def next(self, progress: float) -> Batch:
        """The next batch at `progress` (0–1) of the training."""
        self._made += 1
        if self._made % CLIP_EVERY == 0:
            pictures = [self._picture("clip", progress) for _ in range(CLIP_BATCH.rows)]
            return assemble([self._clip.fill(p, self._rng, progress) for p in pictures], pictures, CLIP_BATCH)
        shape = STILL_BATCH
        names = ["scene"] * (shape.rows - shape.wide_rows) + ["screen"] * shape.wide_rows
        pictures = [self._picture(name, progress) for name in names]
        return assemble([self._still.fill(p, self._rng, progress) for p in pictures], pictures, shape)
