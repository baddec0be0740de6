"""Procedural vision tasks with exact truth: unlimited items, the same bytes for the same seed everywhere.

A blind predictor that knows only a question's text cannot beat `chance`: option letters and answer
values are exactly uniform over consecutive blocks of items, in an order that the seed permutes.
"""

from __future__ import annotations

from collections.abc import Callable

from mmeval.core.errors import UsageError, nearest
from mmeval.tasks.synthetic import clips, compare, objects, photos, reading, screens
from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import Fact, SceneObject, SyntheticItem
from mmeval.tasks.synthetic.png import encode_png

__all__ = ["TASKS", "Fact", "SceneObject", "SyntheticItem", "chance", "cluster", "encode_png", "generate"]

_GENERATORS: dict[str, Callable[[Context], SyntheticItem]] = {
    "count": objects.count,
    "attribute": objects.attribute,
    "spatial": objects.spatial,
    "existence": objects.existence,
    "read-number": reading.read_number,
    "read-word": reading.read_word,
    "compare": compare.compare,
    "chart": reading.chart,
    "point": screens.point,
    "box": objects.box,
    "detect": objects.detect,
    "degradation": photos.degradation,
    "quality": photos.quality,
    "order": clips.order,
}
TASKS: tuple[str, ...] = tuple(_GENERATORS)
"""The names of all tasks."""

_TWO_PER_SCENE = frozenset({"count", "attribute", "existence", "box"})
_FOUR_OPTIONS = frozenset({"attribute", "spatial", "compare", "degradation", "order"})


def _check(name: str, difficulty: int) -> None:
    if name not in _GENERATORS:
        near = ", ".join(nearest(name, TASKS)) or ", ".join(TASKS)
        raise UsageError(f"unknown synthetic task {name!r}", remedy=f"use one of: {near}")
    if difficulty not in (1, 2, 3):
        raise UsageError(f"difficulty of synthetic/{name} is {difficulty!r}", remedy="use 1, 2 or 3")


def generate(name: str, *, seed: int, index: int, difficulty: int = 2) -> SyntheticItem:
    """Item ``index`` of a task: a pure function of its arguments.

    Args:
        name: one of `TASKS`.
        seed: any integer; different seeds give unrelated items.
        index: 0 or above, without an upper limit.
        difficulty: 1 (few, large objects) to 3 (many, small ones, with distractors).

    Raises:
        UsageError: for an unknown task, a negative index or another difficulty.
    """
    _check(name, difficulty)
    if index < 0:
        raise UsageError(f"index of synthetic/{name} is {index}", remedy="use 0 or a positive number")
    return _GENERATORS[name](_context(name, seed, index, difficulty))


def cluster(name: str, seed: int, index: int, difficulty: int = 2) -> str:
    """The cluster of an item, without drawing it; arguments as of `generate`."""
    return _context(name, seed, index, difficulty).cluster


def _context(name: str, seed: int, index: int, difficulty: int) -> Context:
    return Context(name, seed, index, difficulty, 2 if name in _TWO_PER_SCENE else 1)


def chance(name: str, difficulty: int = 2) -> float | None:
    """The accuracy of the best guess without the picture; None where answers are points or boxes."""
    _check(name, difficulty)
    if name in _FOUR_OPTIONS:
        return 0.25
    sizes = {
        "count": objects.COUNT_RANGE[difficulty],
        "existence": 2,
        "read-number": reading.number_count(difficulty),
        "read-word": len(reading.WORDS[difficulty]),
        "chart": len(reading.CHART_VALUES[difficulty]),
        "quality": 5,
    }
    return 1 / sizes[name] if name in sizes else None
