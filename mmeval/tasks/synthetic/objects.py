"""Tasks about scenes of coloured shapes: count, attribute, spatial, existence, box, detect."""

from __future__ import annotations

from collections.abc import Sequence

from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scene_item import scene_item, scene_size
from mmeval.tasks.synthetic.scenes import (
    ALL_KINDS,
    COLOR_NAMES,
    SHAPE_NAMES,
    SIDE,
    Kind,
    Thing,
    an,
    plural,
    relation,
    scatter,
)

COUNT_RANGE = {1: 3, 2: 4, 3: 6}
"""Counts run from 1 to this, by difficulty."""

_RELATIONS = ("left", "right", "above", "below")


def _others(rng: Rng, pool: Sequence[str], *taken: str) -> list[str]:
    return [name for name in rng.sample(pool, len(pool)) if name not in taken]


def _relatives(rng: Rng, kinds: Sequence[Kind], forbidden: set[Kind], number: int) -> list[Kind]:
    """Kinds that share a colour or a shape with one of ``kinds`` without being one of ``forbidden``."""
    near = [k for k in ALL_KINDS if k not in forbidden and any(k[0] == o[0] or k[1] == o[1] for o in kinds)]
    return [rng.choice(near) for _ in range(number)]


def count(context: Context) -> SyntheticItem:
    """Two questions per scene, about two kinds; both counts are balanced over the whole range."""
    rng = context.scene_rng("scene")
    top = COUNT_RANGE[context.difficulty]
    numbers = [1 + context.balanced("count", top, 2 * context.scene + turn) for turn in (0, 1)]
    by = rng.choice(("shape", "color", "both"))
    colors, shapes = rng.sample(COLOR_NAMES, 2), rng.sample(SHAPE_NAMES, 2)
    extra = min(rng.below((1, 3, 5)[context.difficulty - 1]), max(12 - sum(numbers), 0))
    kinds: list[Kind] = []
    for turn, number in enumerate(numbers):
        for _ in range(number):
            color = rng.choice(COLOR_NAMES) if by == "shape" else colors[turn]
            shape = rng.choice(SHAPE_NAMES) if by == "color" else shapes[turn]
            kinds.append((color, shape))
    if by == "shape":
        kinds += [(rng.choice(COLOR_NAMES), s) for s in _others(rng, SHAPE_NAMES, *shapes)[:extra]]
    elif by == "color":
        kinds += [(c, rng.choice(SHAPE_NAMES)) for c in _others(rng, COLOR_NAMES, *colors)[:extra]]
    else:
        asked = list(zip(colors, shapes, strict=True))
        kinds += _relatives(rng, asked, set(asked), extra)
    things = scatter(rng, kinds, context.difficulty)

    turn = context.turn
    noun = {
        "shape": plural(shapes[turn]),
        "color": f"{colors[turn]} objects",
        "both": f"{colors[turn]} {plural(shapes[turn])}",
    }[by]
    question = context.item_rng("words").choice(
        (
            f"How many {noun} are there?",
            f"How many {noun} can you see in the picture?",
            f"Count the {noun} in the image.",
            f"What is the number of {noun} in this picture?",
        )
    )
    subsets = {"count": str(numbers[turn]), "asked_by": by}
    return scene_item(context, things, question, numbers[turn], None, subsets)


def attribute(context: Context) -> SyntheticItem:
    """One question about a colour and one about a shape per scene, of two different objects."""
    rng = context.scene_rng("scene")
    color_x = COLOR_NAMES[context.balanced("color", len(COLOR_NAMES), context.scene)]
    shape_y = SHAPE_NAMES[context.balanced("shape", len(SHAPE_NAMES), context.scene)]
    shape_x = rng.choice(_others(rng, SHAPE_NAMES, shape_y))
    color_y = rng.choice(_others(rng, COLOR_NAMES, color_x))
    kinds = [(color_x, shape_x), (color_y, shape_y)]
    number = scene_size(rng, context.difficulty) - 2
    colors, shapes = _others(rng, COLOR_NAMES, color_x, color_y), _others(rng, SHAPE_NAMES, shape_x, shape_y)
    if context.difficulty < 3:
        kinds += list(zip(colors, shapes, strict=True))[:number]
    else:  # colours and shapes repeat among the others; the asked shape and the naming colour stay unique
        kinds += [(rng.choice([*colors, color_x]), rng.choice([*shapes, shape_y])) for _ in range(number)]
    things = scatter(rng, kinds, context.difficulty)

    words = context.item_rng("words")
    ask_color = context.turn == context.balanced("first", 2, context.scene)
    if ask_color:
        seen = [c for c in dict.fromkeys(k[0] for k in kinds[1:]) if c != color_x]
        letter, choices = context.options(color_x, _fill(words, seen, _others(words, COLOR_NAMES, color_x)))
        question = words.choice(
            (
                f"What color is the {shape_x}?",
                f"What is the color of the {shape_x}?",
                f"Which color does the {shape_x} have?",
                f"The {shape_x} in the picture is which color?",
            )
        )
        value = color_x
    else:
        seen = [s for s in dict.fromkeys(k[1] for k in [kinds[0], *kinds[2:]]) if s != shape_y]
        letter, choices = context.options(shape_y, _fill(words, seen, _others(words, SHAPE_NAMES, shape_y)))
        question = words.choice(
            (
                f"What shape is the {color_y} object?",
                f"What is the shape of the {color_y} object?",
                f"Which shape does the {color_y} object have?",
                f"The {color_y} object in the picture is which shape?",
            )
        )
        value = shape_y
    subsets = {"attribute": "color" if ask_color else "shape", "value": value}
    return scene_item(context, things, question, letter, choices, subsets)


def _fill(rng: Rng, seen: Sequence[str], rest: Sequence[str], number: int = 3) -> list[str]:
    """Wrong options: what the picture also shows first, then anything else."""
    picked = rng.sample(seen, min(len(seen), number))
    return picked + [name for name in rest if name not in picked][: number - len(picked)]


def _pair(rng: Rng, wanted: str, low: int, high: int) -> list[tuple[int, int, int]]:
    """Squares (x, y, size) of two objects, the first ``wanted`` (left, …) of the second."""
    while True:
        squares = []
        for _ in range(2):
            size = rng.between(low, high) // 2 * 2
            squares.append((rng.between(6, SIDE - 8 - size), rng.between(6, SIDE - 8 - size), size))
        first, second = (Thing("red", "square", *square) for square in squares)
        found = relation(first, second)
        if found is None:
            continue
        if found == wanted:
            return squares
        if {found, wanted} in ({"left", "right"}, {"above", "below"}):
            return squares[::-1]


def _apart(x: int, y: int, size: int, things: Sequence[Thing], gap: int) -> bool:
    return all(
        x + size + gap <= t.x or t.x + t.size + gap <= x or y + size + gap <= t.y or t.y + t.size + gap <= y
        for t in things
    )


def spatial(context: Context) -> SyntheticItem:
    """Where one named object lies as seen from another."""
    rng = context.scene_rng("scene")
    wanted = _RELATIONS[context.balanced("relation", 4)]
    low, high = ((56, 84), (44, 68), (30, 48))[context.difficulty - 1]
    squares = _pair(rng, wanted, low, high)
    number = 0 if context.difficulty == 1 else scene_size(rng, context.difficulty) - 2
    asked = [rng.choice(ALL_KINDS)]
    asked.append(rng.choice([k for k in ALL_KINDS if k != asked[0]]))
    if context.difficulty == 3:
        others = _relatives(rng, asked, set(asked), number)
    else:
        others = rng.sample([k for k in ALL_KINDS if k not in asked], number)
    things = [Thing(*kind, *square) for kind, square in zip(asked, squares, strict=True)]
    for kind in others:
        for _ in range(40):
            size = rng.between(low, high) // 2 * 2
            x, y = rng.between(4, SIDE - 8 - size), rng.between(4, SIDE - 8 - size)
            if _apart(x, y, size, things, 6):
                things.append(Thing(*kind, x, y, size))
                break
    first, second = things[0].name, things[1].name
    question = context.item_rng("words").choice(
        (
            f"Where is the {first} relative to the {second}?",
            f"Seen from the {second}, where is the {first}?",
            f"In which direction from the {second} does the {first} lie?",
            f"What is the position of the {first} with respect to the {second}?",
        )
    )
    letter, choices = context.options(wanted, [name for name in _RELATIONS if name != wanted])
    return scene_item(context, things, question, letter, choices, {"relation": wanted})


def existence(context: Context) -> SyntheticItem:
    """Per scene one question whose answer is yes and one whose answer is no, in random order.

    Both asked kinds come from the same distribution and share the wording's level (colour, shape or
    both), so the text of a question says nothing about its answer.
    """
    rng = context.scene_rng("scene")
    level = rng.choice(("both", "both", "shape", "color"))
    present = rng.choice(ALL_KINDS)
    if level == "both":
        absent = rng.choice([k for k in ALL_KINDS if k != present])
    else:
        absent = rng.choice([k for k in ALL_KINDS if k[0] != present[0] and k[1] != present[1]])
    allowed = [
        kind
        for kind in ALL_KINDS
        if not (
            kind == absent or (level == "shape" and kind[1] == absent[1]) or (level == "color" and kind[0] == absent[0])
        )
    ]
    near = [kind for kind in allowed if kind[0] == absent[0] or kind[1] == absent[1]]
    kinds = [present]
    for _ in range(scene_size(rng, context.difficulty) - 1):
        hard = near and rng.below(3) < context.difficulty - 1
        kinds.append(rng.choice(near if hard else allowed))
    things = scatter(rng, kinds, context.difficulty)

    yes = context.turn == context.balanced("first", 2, context.scene)
    color, shape = present if yes else absent
    thing = {"both": f"{color} {shape}", "shape": shape, "color": f"{color} object"}[level]
    question = context.item_rng("words").choice(
        (
            f"Is there {an(thing)} in the picture?",
            f"Can you see {an(thing)}?",
            f"Does the image show {an(thing)}?",
            f"Is {an(thing)} visible here?",
        )
    )
    answer = "yes" if yes else "no"
    return scene_item(context, things, question, answer, None, {"answer": answer, "asked_by": level})


def _unique_scene(context: Context, rng: Rng) -> list[Thing]:
    """Things of which the first two are the only ones of their kind."""
    asked = rng.sample(ALL_KINDS, 2)
    number = scene_size(rng, context.difficulty) - 2
    if context.difficulty == 1:
        kinds = [*asked, *rng.sample([k for k in ALL_KINDS if k not in asked], number)]
    else:
        kinds = [*asked, *_relatives(rng, asked, set(asked), number)]
    return scatter(rng, kinds, context.difficulty)


def box(context: Context) -> SyntheticItem:
    """The box of a uniquely named object, two per scene."""
    things = _unique_scene(context, context.scene_rng("scene"))
    thing = things[context.turn]
    question = context.item_rng("words").choice(
        (
            f"Where is the {thing.name}? Give its bounding box.",
            f"Locate the {thing.name} with a bounding box.",
            f"What is the bounding box of the {thing.name}?",
            f"Draw a box around the {thing.name}.",
        )
    )
    return scene_item(context, things, question, list(thing.box), None, {"shape": thing.shape, "color": thing.color})


def detect(context: Context) -> SyntheticItem:
    """The boxes of all objects of a shape or a colour."""
    rng = context.scene_rng("scene")
    by_shape = bool(rng.below(2))
    top = COUNT_RANGE[context.difficulty]
    number = 1 + context.balanced("number", top)
    total = max(scene_size(rng, context.difficulty), number + 1)
    pool, free = (SHAPE_NAMES, COLOR_NAMES) if by_shape else (COLOR_NAMES, SHAPE_NAMES)
    asked = rng.choice(pool)
    pairs = [(asked, rng.choice(free)) for _ in range(number)]
    rest = [name for name in pool if name != asked]
    pairs += [(rng.choice(rest), rng.choice(free)) for _ in range(total - number)]
    kinds = [(second, first) if by_shape else (first, second) for first, second in pairs]
    things = scatter(rng, kinds, context.difficulty)
    noun = plural(asked) if by_shape else f"{asked} objects"
    question = context.item_rng("words").choice(
        (
            f"Find all {noun} and give the bounding box of each.",
            f"Detect every one of the {noun} in the picture.",
            f"Where are the {noun}? List their bounding boxes.",
            f"Give the bounding boxes of all {noun}.",
        )
    )
    boxes = [list(thing.box) for thing in things[:number]]
    subsets = {"number": str(number), "class": asked, "asked_by": "shape" if by_shape else "color"}
    return scene_item(context, things, question, boxes, None, subsets)
