"""Cheap scores during training: every reply token predicted from the right ones before it.

For exact answers this equals greedy decoding (a greedy reply is right exactly when each of its tokens is the likeliest
one after the right ones before). For boxes and points it is optimistic; evaluate.py decodes for real.
"""

from __future__ import annotations

import json
import random

import torch

from mmeval.tasks.synthetic import TASKS

from .batches import BatchShape, assemble
from .losses import Objective, to_tensors
from .packing import Encoder, Packer
from .pictures import make_picture

VALIDATION_SEED = 500_000  # neither a training seed nor the evaluation's seed 0
DIFFICULTY = 2
ROWS = 16
PERMITTED_ERROR = 50  # of 1000: how far a point may be off on each axis


def intersection_over_union(first: list[float], second: list[float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return width * height / (sum(areas) - width * height)


def close_enough(task: str, predicted: str, right: str) -> bool:
    if task not in ("box", "point"):
        return predicted == right
    try:
        found, truth = json.loads(predicted), json.loads(right)
    except ValueError:
        return False
    if not isinstance(found, list) or len(found) != len(truth):
        return False
    if task == "box":
        return intersection_over_union(found, truth) >= 0.5
    return all(abs(a - b) <= PERMITTED_ERROR for a, b in zip(found, truth, strict=True))


@torch.no_grad()
def validate(objective: Objective, encoder: Encoder, items: int) -> dict[str, float]:
    """Share of right replies per task on `items` unseen items in the default prompt."""
    packer = Packer(encoder, 512)
    scores: dict[str, float] = {}
    for task in TASKS:
        rng = random.Random(0)
        pictures = [make_picture(task, VALIDATION_SEED, i, DIFFICULTY, rng) for i in range(items)]
        right = 0
        for start in range(0, items, ROWS):
            part = pictures[start : start + ROWS]
            rows = [packer.probe(p) for p in part]
            frames = max(len(p.pixels) for p in part)
            targets = sum(len(r.target_ids) for r in rows)
            shape = BatchShape(len(rows), 0, frames, max(len(r.ids) for r in rows), targets)
            batch = to_tensors(assemble(rows, part, shape))
            hidden, _ = objective.hidden(batch)
            best = objective.model.logits(hidden.flatten(0, 1)[batch.target_places]).argmax(-1).tolist()
            for picture, row in zip(part, rows, strict=True):
                reply, best = best[: len(row.target_ids)], best[len(row.target_ids) :]
                ended = reply[-1] == encoder.turn_end
                right += ended and close_enough(task, encoder.decode(reply[:-1]), picture.own.answer)
        scores[task] = round(right / items, 3)
    return scores
