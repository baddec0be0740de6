"""The texts that the tokenizer is learned from."""

from __future__ import annotations

import random

from mmeval.tasks.synthetic import TASKS

from .batches import TRAINING_SEED
from .packing import choose_questions
from .pictures import make_picture
from .prompts import SYSTEM_PROMPTS, varied_turn

PICTURES_PER_TASK = 100
ROLES = ("system\n", "user\n", "assistant\n")
ROLE_REPEATS = 500
SYSTEM_REPEATS = 30


def tokenizer_texts(seed: int = 0) -> list[str]:
    """Questions, replies, system prompts and role names, as often as they matter."""
    rng = random.Random(f"corpus-{seed}")
    texts: list[str] = [*ROLES] * ROLE_REPEATS + [*SYSTEM_PROMPTS] * SYSTEM_REPEATS
    for index in range(PICTURES_PER_TASK):
        for task in TASKS:
            picture = make_picture(task, TRAINING_SEED + seed, index, 1 + index % 3, rng)
            for question in choose_questions(picture, rng):
                turn = varied_turn(question, rng)
                texts += [turn.user, turn.reply]
    return texts
