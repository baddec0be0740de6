"""Short clips: in which direction something moves, and what happens first or last."""

from __future__ import annotations

from collections.abc import Sequence

from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import Fact, Pixels, SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scenes import (
    COLOR_NAMES,
    COLORS,
    OPPOSITE,
    SHAPE_NAMES,
    Kind,
    Thing,
    an,
    backdrop,
    listing,
    pick_facts,
    scene_objects,
    tint,
    zone,
)

SIDE = 192
FRAMES = {1: 4, 2: 5, 3: 6}
_DIRECTIONS = ("left", "right", "up", "down")
_OPPOSITE = {**OPPOSITE, "up": "down", "down": "up"}
_ORDINALS = ("first", "second", "third", "fourth")


def _kinds(rng: Rng, number: int) -> list[Kind]:
    """Kinds with different colours and different shapes."""
    return list(zip(rng.sample(COLOR_NAMES, number), rng.sample(SHAPE_NAMES, number), strict=True))


def _render(frames: Sequence[Sequence[Thing]], background: str) -> tuple[Pixels, ...]:
    images = []
    for things in frames:
        canvas = backdrop(SIDE, SIDE, background)
        for thing in things:
            canvas.shape(thing.shape, thing.x, thing.y, thing.size, COLORS[thing.color])
        images.append(canvas.pixels)
    return tuple(images)


def order(context: Context) -> SyntheticItem:
    """Direction of a movement, or which of four objects comes first or last."""
    mode, nth = context.mode(2)
    return (_movement, _appearance)[mode](context, nth)


def _path(rng: Rng, direction: str, size: int, frames: int, lane: tuple[int, int]) -> list[tuple[int, int]]:
    """Top left corners of a thing that crosses most of the picture within a lane."""
    reach = SIDE - 12 - size
    start = rng.between(6, 6 + reach // 6)
    end = 6 + reach - rng.below(reach // 6 + 1)
    across = rng.between(*lane)
    along = [start + (end - start) * at // (frames - 1) for at in range(frames)]
    if direction in ("left", "up"):
        along.reverse()
    return [(at, across) if direction in ("left", "right") else (across, at) for at in along]


def _movement(context: Context, nth: int) -> SyntheticItem:
    rng = context.scene_rng("scene")
    frames = FRAMES[context.difficulty]
    direction = _DIRECTIONS[context.balanced("direction", 4, nth)]
    horizontal = direction in ("left", "right")
    # Difficulty 1 shows one thing; others move along the same axis in lanes of their own.
    number = context.difficulty
    kinds = _kinds(rng, number)
    lane_width = (SIDE - 12) // number
    lanes = rng.sample(range(number), number)
    names, paths, directions = [], [], []
    for at, (kind, lane) in enumerate(zip(kinds, lanes, strict=True)):
        size = rng.between(44, 56) // 2 * 2 if number < 3 else rng.between(36, 46) // 2 * 2
        low = 6 + lane * lane_width
        limits = (low, low + lane_width - size - 4)
        way = direction if at == 0 else rng.choice(("left", "right") if horizontal else ("up", "down"))
        directions.append(way)
        names.append((kind, size))
        paths.append(_path(rng, way, size, frames, limits))
    shown = [
        [Thing(*kind, *path[at], size) for (kind, size), path in zip(names, paths, strict=True)] for at in range(frames)
    ]
    name = shown[0][0].name
    question = context.item_rng("words").choice(
        (
            f"In which direction does the {name} move?",
            f"Which way does the {name} go?",
            f"Where is the {name} heading?",
            f"What is the direction of the {name}'s movement?",
        )
    )
    letter, choices = context.options(direction, [way for way in _DIRECTIONS if way != direction])
    facts_rng = context.item_rng("facts")
    absent = facts_rng.choice([s for s in SHAPE_NAMES if s not in {k[1] for k in kinds}])
    wrong_color = facts_rng.choice([c for c in COLOR_NAMES if c not in {k[0] for k in kinds}])
    facts = pick_facts(
        facts_rng,
        [
            f"Does the {name} move {direction}?",
            f"Is there {an(name)} in the clip?",
            f"Is the number of moving objects {number}?",
        ],
        [
            f"Does the {name} move {_OPPOSITE[direction]}?",
            f"Is there {an(absent)} in the clip?",
            f"Is one of the objects {wrong_color}?",
        ],
    )
    moves = [f"{an(thing.name)} moves {way}" for thing, way in zip(shown[0], directions, strict=True)]
    caption = f"A clip of {frames} frames in which {listing(moves)}."
    subsets = {"question": "direction", "direction": direction}
    return _item(context, shown, shown[0], question, letter, choices, (caption, facts, subsets))


def _appearance(context: Context, nth: int) -> SyntheticItem:
    rng = context.scene_rng("scene")
    frames = FRAMES[context.difficulty]
    appears = bool(rng.below(2))
    asked = context.balanced("position", 2, nth) * 3  # the first or the last of four events
    kinds = _kinds(rng, 4)
    # Which colour is right is balanced too, so that no colour is a better guess.
    value = COLOR_NAMES[context.balanced("color", len(COLOR_NAMES), nth)]
    colors = [color for color, _ in kinds]
    if value in colors:
        swap = colors.index(value)
        colors[asked], colors[swap] = colors[swap], colors[asked]
    else:
        colors[asked] = value
    cells = rng.sample(range(4), 4)
    things = []
    for color, (_, shape), cell in zip(colors, kinds, cells, strict=True):
        size = rng.between(52, 68) // 2 * 2
        slack = 90 - size
        x, y = 6 + cell % 2 * 92 + rng.below(slack + 1), 6 + cell // 2 * 92 + rng.below(slack + 1)
        things.append(Thing(color, shape, x, y, size))
    # The four events fall between frames: event e is visible from frame `first + e` on.
    first = 0 if frames == 4 else 1
    shown = []
    for frame in range(frames):
        happened = min(max(frame - first + 1, 0), 4)
        shown.append(things[:happened] if appears else things[happened:])
    if not appears and first == 0:
        # Four frames: all four things, then one fewer in each; the last one stays and is never asked about.
        shown = [things[frame:] for frame in range(4)]
        return _disappear_four(context, shown, things, asked)
    verb = "appear" if appears else "disappear"
    return _event_item(context, shown, things, asked, verb)


def _disappear_four(context: Context, shown: list[list[Thing]], things: list[Thing], asked: int) -> SyntheticItem:
    """With four frames only three things can vanish: ask for the first one, or the one that stays."""
    return _event_item(context, shown, things, asked, "disappear" if asked == 0 else "stay")


def _event_item(
    context: Context, shown: list[list[Thing]], things: list[Thing], asked: int, verb: str
) -> SyntheticItem:
    when = "first" if asked == 0 else "last"
    names = [thing.name for thing in things]
    words = context.item_rng("words")
    if verb == "stay":
        question = words.choice(
            (
                "Which object stays visible until the end?",
                "Which object is still there in the last frame?",
                "Which of these objects is left at the end of the clip?",
            )
        )
    else:
        question = words.choice(
            (
                f"Which object {verb}s {when}?",
                f"Which of these objects {verb}s {when} in the clip?",
                f"What is the {when} object to {verb}?",
                f"Which happens {when}: which object {verb}s?",
            )
        )
    letter, choices = context.options(names[asked], [name for name in names if name != names[asked]])
    rng = context.item_rng("facts")
    early, late = sorted(rng.sample(range(3), 2))
    event = "appear" if verb == "appear" else "disappear"
    absent = rng.choice([s for s in SHAPE_NAMES if s not in {thing.shape for thing in things}])
    true = [
        f"Does the {names[early]} {event} before the {names[late]}?",
        f"Is there {an(names[3])} in the clip?",
        f"Is the {things[1].shape} {things[1].color}?",
    ]
    false = [
        f"Does the {names[late]} {event} before the {names[early]}?",
        f"Is there {an(absent)} in the clip?",
        f"Is the {things[1].shape} {things[2].color}?",
    ]
    ends = names if verb != "stay" and not (event == "disappear" and len(shown) == 4) else names[:3]
    sequence = [f"the {name} {_ORDINALS[at]}" for at, name in enumerate(ends)]
    rest = "" if len(ends) == 4 else f"; the {names[3]} stays"
    places = []
    for thing in things:
        x, y = thing.center2[0] // 2, thing.center2[1] // 2
        places.append(f"{an(thing.name)} {zone(x, y, SIDE, SIDE)}")
    caption = (
        f"A clip of {len(shown)} frames with {listing(places)}. "
        f"The objects {event} one after another: {listing(sequence)}{rest}."
    )
    subsets = {"question": f"{verb}-{when}"}
    facts = pick_facts(rng, true, false)
    return _item(context, shown, things, question, letter, choices, (caption, facts, subsets))


def _item(
    context: Context,
    shown: Sequence[Sequence[Thing]],
    things: Sequence[Thing],
    question: str,
    answer: str,
    choices: tuple[str, ...],
    rest: tuple[str, tuple[Fact, ...], dict[str, str]],
) -> SyntheticItem:
    caption, facts, subsets = rest
    return SyntheticItem(
        id=context.item_id,
        question=question,
        images=_render(shown, tint(context.scene_rng("look"))),
        is_video=True,
        answer=answer,
        choices=choices,
        facts=facts,
        objects=scene_objects(things),
        caption=caption,
        subsets={"difficulty": str(context.difficulty), **subsets},
        cluster=context.cluster,
    )
