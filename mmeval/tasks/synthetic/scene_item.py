"""From a list of placed shapes to an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scenes import Thing, describe, draw, scene_facts, scene_objects, tint


def scene_size(rng: Rng, difficulty: int) -> int:
    """How many objects a scene holds."""
    return rng.between(*((2, 3), (3, 6), (6, 12))[difficulty - 1])


def scene_item(
    context: Context,
    things: Sequence[Thing],
    question: str,
    answer: Any,
    choices: tuple[str, ...] | None,
    subsets: dict[str, str],
) -> SyntheticItem:
    """An item about one still scene; questions about the same scene get the same picture."""
    rng = context.scene_rng("look")
    background = tint(rng)
    return SyntheticItem(
        id=context.item_id,
        question=question,
        images=(draw(rng, things, background),),
        is_video=False,
        answer=answer,
        choices=choices,
        facts=scene_facts(context.item_rng("facts"), things),
        objects=scene_objects(things),
        caption=describe(things, background),
        subsets={"difficulty": str(context.difficulty), **subsets},
        cluster=context.cluster,
    )
