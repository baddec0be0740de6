"""Training pictures: synthetic items reduced to the size the model sees, with dense truth per visual token."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmeval.tasks.synthetic import SceneObject, generate
from mmeval.tasks.synthetic.scenes import COLOR_NAMES, SHAPE_NAMES

from .architecture import MAX_PIXELS, MERGE_SIZE, MIN_PIXELS, PATCH_SIZE
from .prompts import Question
from .questions import Size, fact_questions, own_question

CELL = PATCH_SIZE * MERGE_SIZE  # pixels of one visual token's side
CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
LABELS = (*SHAPE_NAMES, "button", "icon", "text field", "check box", "bar", "sign")
MINIMUM_OVERLAP = 40.0  # square pixels of a cell (of CELL ** 2) that an object must cover to be its truth

# Mostly the processor's own filter; the others keep small differences between processors harmless.
FILTERS = (
    (Image.Resampling.BICUBIC, 0.7), (Image.Resampling.BILINEAR, 0.1),
    (Image.Resampling.BOX, 0.1), (Image.Resampling.LANCZOS, 0.1),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DenseTruth:
    """What each visual token of one image covers; the last class of each kind means nothing."""

    color: NDArray[np.int64]  # (tokens,) index into COLOR_NAMES
    label: NDArray[np.int64]  # (tokens,) index into LABELS
    character: NDArray[np.int64]  # (tokens,) index into CHARACTERS
    box: NDArray[np.float32]  # (tokens, 4) xyxy of the object, 0–1 of the image; where `label` is something


@dataclass(frozen=True, slots=True)
class Picture:
    """One image, or the frames of one clip, and what can be asked about it."""

    task: str
    pixels: tuple[NDArray[np.uint8], ...]  # (height, width, 3) each, as the processor makes them
    truth: DenseTruth
    own: Question
    facts: tuple[Question, ...]
    objects: tuple[SceneObject, ...]
    size: Size  # of the original
    degradation: tuple[str, int] | None = None  # kind and severity, of photos


def processed_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) after the Qwen-VL image processor: multiples of CELL within the pixel limits."""
    rows, columns = round(height / CELL) * CELL, round(width / CELL) * CELL
    if rows * columns > MAX_PIXELS:
        scale = math.sqrt(height * width / MAX_PIXELS)
        return tuple(max(CELL, math.floor(side / scale / CELL) * CELL) for side in (height, width))  # type: ignore[return-value]
    if rows * columns < MIN_PIXELS:
        scale = math.sqrt(MIN_PIXELS / (height * width))
        return tuple(math.ceil(side * scale / CELL) * CELL for side in (height, width))  # type: ignore[return-value]
    return rows, columns


def resize(pixels: NDArray[np.uint8], resample: Image.Resampling) -> NDArray[np.uint8]:
    height, width = processed_size(*pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), resample))


def characters_of(thing: SceneObject) -> list[tuple[str, tuple[float, float, float, float]]]:
    """The characters of a sign, each with an even share of the text's box."""
    text = thing.attributes.get("text", "")
    if thing.label != "sign":
        return []
    x1, y1, x2, y2 = thing.box
    margin = (y2 - y1) / 4  # the sign pads its text by half the text's height
    x1, y1, x2, y2 = x1 + margin, y1 + margin, x2 - margin, y2 - margin
    step = (x2 - x1) / len(text)
    return [(c.lower(), (x1 + i * step, y1, x1 + (i + 1) * step, y2)) for i, c in enumerate(text)]


def _overlap(box: Sequence[float], cell: Sequence[float]) -> float:
    width = min(box[2], cell[2]) - max(box[0], cell[0])
    height = min(box[3], cell[3]) - max(box[1], cell[1])
    return max(0.0, width) * max(0.0, height)


def dense_truth(objects: Sequence[SceneObject], size: Size, seen: tuple[int, int]) -> DenseTruth:
    """Truth for an image of original `size` (width, height) that the model sees as `seen` (height, width)."""
    rows, columns = seen[0] // CELL, seen[1] // CELL
    scale = (seen[1] / size[0], seen[0] / size[1])
    tokens = rows * columns
    color = np.full(tokens, len(COLOR_NAMES), np.int64)
    label = np.full(tokens, len(LABELS), np.int64)
    character = np.full(tokens, len(CHARACTERS), np.int64)
    box = np.zeros((tokens, 4), np.float32)
    best = np.full(tokens, MINIMUM_OVERLAP)
    best_character = np.full(tokens, MINIMUM_OVERLAP)
    for thing in objects:
        if thing.label not in LABELS:
            continue
        scaled = [v * scale[i % 2] for i, v in enumerate(thing.box)]
        letters = [(c, [v * scale[i % 2] for i, v in enumerate(b)]) for c, b in characters_of(thing)]
        for token in _touched(scaled, rows, columns):
            row, column = divmod(token, columns)
            cell = (column * CELL, row * CELL, (column + 1) * CELL, (row + 1) * CELL)
            area = _overlap(scaled, cell)
            if area > best[token]:
                best[token] = area
                box[token] = [v / seen[1 - i % 2] for i, v in enumerate(scaled)]
                label[token] = LABELS.index(thing.label)
                name = thing.attributes.get("color", "")
                color[token] = COLOR_NAMES.index(name) if name in COLOR_NAMES else len(COLOR_NAMES)
            for letter, place in letters:
                area = _overlap(place, cell)
                if letter in CHARACTERS and area > best_character[token]:
                    best_character[token] = area
                    character[token] = CHARACTERS.index(letter)
    return DenseTruth(color, label, character, box)


def _touched(box: Sequence[float], rows: int, columns: int) -> list[int]:
    """Tokens whose cell meets `box` (pixels as the model sees them)."""
    left, right = int(box[0] // CELL), min(columns - 1, int(box[2] // CELL))
    top, bottom = int(box[1] // CELL), min(rows - 1, int(box[3] // CELL))
    return [r * columns + c for r in range(top, bottom + 1) for c in range(left, right + 1)]


def make_picture(task: str, seed: int, index: int, difficulty: int, rng: random.Random) -> Picture:
    """Draw item `index` of `task` and prepare it for training."""
    item = generate(task, seed=seed, index=index, difficulty=difficulty)
    filters, weights = zip(*FILTERS, strict=True)
    resample = rng.choices(filters, weights)[0]
    pixels = tuple(resize(image, resample) for image in item.images)
    size = (item.images[0].shape[1], item.images[0].shape[0])
    truth = dense_truth(item.objects, size, pixels[0].shape[:2])
    own = own_question(task, item)
    kind = item.subsets.get("degradation")
    degradation = None if kind is None else (kind, int(item.subsets["severity"]))
    facts = tuple(fact_questions(item))
    return Picture(task, pixels, truth, own, facts, item.objects, size, degradation)
