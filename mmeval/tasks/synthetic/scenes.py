"""Scenes of coloured shapes: palette, placement, drawing, captions and facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmeval.tasks.synthetic.canvas import Canvas, Color, mix, shape_box
from mmeval.tasks.synthetic.model import Box, Fact, Pixels, SceneObject
from mmeval.tasks.synthetic.rng import Rng

SIDE = 288

COLORS: dict[str, Color] = {
    "red": (218, 44, 48),
    "green": (42, 158, 68),
    "blue": (38, 96, 222),
    "yellow": (250, 208, 32),
    "purple": (140, 58, 190),
    "orange": (244, 128, 24),
    "black": (34, 34, 40),
    "gray": (134, 140, 146),
}
COLOR_NAMES = tuple(COLORS)
SHAPE_NAMES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "hexagon")

TINTS: dict[str, Color] = {
    "cream": (250, 244, 228),
    "light blue": (226, 238, 250),
    "light green": (230, 245, 232),
    "light pink": (250, 232, 238),
    "lavender": (238, 233, 250),
    "off-white": (246, 246, 244),
}

Kind = tuple[str, str]
"""(color, shape)"""

ALL_KINDS: tuple[Kind, ...] = tuple((c, s) for c in COLOR_NAMES for s in SHAPE_NAMES)


@dataclass(frozen=True, slots=True)
class Thing:
    """A placed shape: the square of side `size` whose top left corner is (x, y)."""

    color: str
    shape: str
    x: int
    y: int
    size: int

    @property
    def kind(self) -> Kind:
        return self.color, self.shape

    @property
    def name(self) -> str:
        return f"{self.color} {self.shape}"

    @property
    def center2(self) -> tuple[int, int]:
        """Twice the centre, which keeps it an integer."""
        return 2 * self.x + self.size, 2 * self.y + self.size

    @property
    def box(self) -> Box:
        return shape_box(self.shape, self.x, self.y, self.size)


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def an(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def tint(rng: Rng) -> str:
    return rng.choice(tuple(TINTS))


def shade(rng: Rng, color: str) -> Color:
    """The named colour, a little lighter or darker."""
    base = COLORS[color]
    amount = rng.below(13)
    return mix(base, (255, 255, 255) if rng.below(2) else (0, 0, 0), amount)


def backdrop(width: int, height: int, name: str) -> Canvas:
    color = TINTS[name]
    return Canvas(width, height, mix(color, (255, 255, 255), 45), mix(color, (150, 155, 175), 16))


def draw(rng: Rng, things: Sequence[Thing], background: str, side: int = SIDE) -> Pixels:
    canvas = backdrop(side, side, background)
    for thing in things:
        canvas.shape(thing.shape, thing.x, thing.y, thing.size, shade(rng, thing.color))
    return canvas.pixels


def scatter(rng: Rng, kinds: Sequence[Kind], difficulty: int, side: int = SIDE) -> list[Thing]:
    """Place all kinds without overlap, each in a cell of its own of a square grid.

    Objects are at least 40 pixels wide at difficulty 1 and 36 at 2 (on a picture 288 wide).
    """
    grid = next(g for g in range(2, 9) if g * g >= len(kinds))
    cell = (side - 8) // grid
    largest = min(cell * 4 // 5, 96)
    smallest = max(24 if difficulty == 3 else 36, largest * (7, 6, 5)[difficulty - 1] // 10)
    if difficulty == 1:
        smallest = max(smallest, 40)
    cells = rng.sample(range(grid * grid), len(kinds))
    things = []
    for (color, shape), at in zip(kinds, cells, strict=True):
        size = rng.between(smallest, max(largest, smallest)) // 2 * 2
        slack = max(cell - size - 4, 0)
        x = 4 + (at % grid) * cell + 2 + rng.below(slack + 1)
        y = 4 + (at // grid) * cell + 2 + rng.below(slack + 1)
        things.append(Thing(color, shape, x, y, size))
    return things


def size_word(size: int, side: int = SIDE) -> str:
    return "large" if size * 100 >= side * 24 else "medium" if size * 100 >= side * 15 else "small"


def scene_objects(things: Sequence[Thing]) -> tuple[SceneObject, ...]:
    return tuple(
        SceneObject(
            thing.name,
            thing.shape,
            {"color": thing.color, "shape": thing.shape, "size": size_word(thing.size)},
            thing.box,
        )
        for thing in things
    )


def zone(x: int, y: int, width: int, height: int) -> str:
    """A ninth of the picture in words."""
    row = ("top", "middle", "bottom")[min(3 * y // height, 2)]
    column = ("left", "center", "right")[min(3 * x // width, 2)]
    if row == "middle":
        return "in the center" if column == "center" else f"on the {column}"
    return f"at the {row}" if column == "center" else f"at the {row} {column}"


def listing(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def describe(things: Sequence[Thing], background: str, side: int = SIDE) -> str:
    """The caption: all objects with size, colour, shape and centre (pixels from the top left)."""
    parts = []
    for thing in things:
        x, y = thing.center2[0] // 2, thing.center2[1] // 2
        words = f"{size_word(thing.size, side)} {thing.name}"
        parts.append(f"{an(words)} {zone(x, y, side, side)} (x {x}, y {y})")
    noun = "object" if len(things) == 1 else "objects"
    return f"{len(things)} {noun} on {an(background)} background of {side} by {side} pixels: {listing(parts)}."


def relation(first: Thing, second: Thing) -> str | None:
    """Where ``first`` is seen from ``second``: left, right, above, below; None where it is not clear-cut.

    Clear-cut means: the centres' offset on one axis is at least 1.5 times that on the other, and the
    two do not overlap on that axis.
    """
    dx = first.center2[0] - second.center2[0]
    dy = first.center2[1] - second.center2[1]
    reach = first.size + second.size
    if 2 * abs(dx) >= 3 * abs(dy) and abs(dx) >= reach:
        return "right" if dx > 0 else "left"
    if 2 * abs(dy) >= 3 * abs(dx) and abs(dy) >= reach:
        return "below" if dy > 0 else "above"
    return None


_RELATION_PHRASE = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


def relation_question(first: str, relation_name: str, second: str) -> str:
    return f"Is the {first} {_RELATION_PHRASE[relation_name]} the {second}?"


def pick_facts(rng: Rng, true: list[str], false: list[str], each: int = 3) -> tuple[Fact, ...]:
    """``each`` true and ``each`` false facts in random order (fewer where there are fewer)."""
    facts = [Fact(q, True) for q in rng.sample(true, min(each, len(true)))]
    facts += [Fact(q, False) for q in rng.sample(false, min(each, len(false)))]
    rng.shuffle(facts)
    return tuple(facts)


def scene_facts(rng: Rng, things: Sequence[Thing]) -> tuple[Fact, ...]:
    """Six facts about existence, number and relations, three of them true."""
    present = list(dict.fromkeys(thing.kind for thing in things))
    taken = set(present)
    absent = [(c, s) for c in COLOR_NAMES for s in SHAPE_NAMES if (c, s) not in taken]
    true, false = [], []
    for color, shape in rng.sample(present, min(2, len(present))):
        true.append(f"Is there {an(f'{color} {shape}')} in the picture?")
    for color, shape in rng.sample(absent, 2):
        false.append(f"Is there {an(f'{color} {shape}')} in the picture?")
    for shape in rng.sample(SHAPE_NAMES, 2):
        number = sum(thing.shape == shape for thing in things)
        wrong = number + 1 if number == 0 or rng.below(2) else number - 1
        true.append(f"Is the number of {plural(shape)} in the picture {number}?")
        false.append(f"Is the number of {plural(shape)} in the picture {wrong}?")
    unique = [t for t in things if sum(other.kind == t.kind for other in things) == 1]
    if len(unique) >= 2:
        for _ in range(4):
            first, second = rng.sample(unique, 2)
            found = relation(first, second)
            if found:
                true.append(relation_question(first.name, found, second.name))
                false.append(relation_question(first.name, OPPOSITE[found], second.name))
                break
    return pick_facts(rng, true, false)
