"""Degradations of a drawn landscape: which kind, and how good the picture looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmeval.tasks.synthetic.canvas import Canvas, Color, mix
from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.degrade import degrade
from mmeval.tasks.synthetic.model import Box, Fact, Pixels, SceneObject, SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scenes import COLORS, SIDE, listing, pick_facts, zone

OPTION_TEXT = {
    "none": "none, the picture is clean",
    "blur": "blur",
    "noise": "noise",
    "blocks": "compression blocks",
    "contrast": "low contrast",
    "dark": "too dark",
}
DEGRADATIONS = tuple(OPTION_TEXT)
_SEVERITIES = {1: (3, 4), 2: (2, 4), 3: (1, 4)}
_QUALITY_KINDS = {
    1: ("blur", "noise"),
    2: ("blur", "noise", "blocks"),
    3: ("blur", "noise", "blocks", "contrast", "dark"),
}

_SKIES: tuple[tuple[Color, Color], ...] = (
    ((86, 158, 232), (206, 232, 250)),
    ((120, 180, 240), (240, 236, 220)),
    ((110, 140, 210), (250, 214, 190)),
)
_FIELDS: tuple[Color, ...] = ((96, 168, 76), (128, 176, 84), (80, 150, 90), (176, 172, 84))
_WALLS = ("white", "yellow", "red", "blue", "orange")


@dataclass(frozen=True, slots=True)
class Landscape:
    pixels: Pixels
    objects: tuple[SceneObject, ...]
    wall: str
    trees: int
    sun_side: str


def _hill(rng: Rng, base: int, height: int) -> NDArray[np.int64]:
    """The top row of a hill for every column: a few parabolas, in whole pixels."""
    x = np.arange(SIDE, dtype=np.int64)
    top = np.full(SIDE, base, np.int64)
    for _ in range(3):
        center, width = rng.between(0, SIDE), rng.between(90, 170)
        rise = height * (width * width - (x - center) * (x - center)) // (width * width)
        top = np.minimum(top, base - np.maximum(rise, 0))
    return top


def _fill_below(canvas: Canvas, top: NDArray[np.int64], color: Color) -> None:
    start, level = int(top.min()), int(top.max())
    below = np.arange(start, level, dtype=np.int64)[:, None] >= top[None, :]
    band = canvas.pixels[start:level]
    band[:] = np.where(below[:, :, None], np.array(color, np.uint8), band)
    canvas.rect(0, level, SIDE, SIDE, color)


def _house(canvas: Canvas, x: int, y: int, width: int, wall: str) -> Box:
    color: Color = (246, 244, 238) if wall == "white" else COLORS[wall]
    height = width * 3 // 5
    roof = (150, 60, 44)
    rise = width // 2
    for row in range(rise):
        reach = (row + 1) * (width // 2 + 6) // rise
        canvas.rect(x + width // 2 - reach, y + row, x + width // 2 + reach, y + row + 1, roof)
        if row % 4 == 3:
            tile = mix(roof, (0, 0, 0), 25)
            canvas.rect(x + width // 2 - reach, y + row, x + width // 2 + reach, y + row + 1, tile)
    top = y + rise
    canvas.rect(x, top, x + width, top + height, mix(color, (0, 0, 0), 30))
    canvas.rect(x + 1, top, x + width - 1, top + height - 1, color)
    pane, frame = (170, 214, 240), (70, 60, 56)
    size = width // 4
    for left in (x + width // 8, x + width - width // 8 - size):
        canvas.rect(left, top + height // 5, left + size, top + height // 5 + size, frame)
        canvas.rect(left + 2, top + height // 5 + 2, left + size - 2, top + height // 5 + size - 2, pane)
        middle = left + size // 2
        canvas.rect(middle - 1, top + height // 5, middle + 1, top + height // 5 + size, frame)
    door = x + width // 2
    canvas.rect(door - width // 12, top + height // 2, door + width // 12, top + height, (104, 66, 40))
    return float(x - 6), float(y), float(x + width + 6), float(top + height)


def _tree(canvas: Canvas, x: int, y: int, size: int, rng: Rng) -> Box:
    trunk = (110, 74, 46)
    canvas.rect(x + size // 2 - size // 12, y + size - 4, x + size // 2 + size // 12, y + size * 3 // 2, trunk)
    leaves = mix((40, 124, 56), (120, 150, 40), rng.below(60))
    canvas.shape("circle", x, y, size, leaves, shadow=False)
    for _ in range(10):  # small light leaves, so that blur has detail to destroy
        spot = size // 8
        dx, dy = rng.between(size // 5, size * 3 // 4), rng.between(size // 5, size * 3 // 4)
        canvas.shape("circle", x + dx, y + dy, max(spot, 3), mix(leaves, (255, 255, 200), 28), shadow=False)
    return float(x), float(y), float(x + size), float(y + size * 3 // 2)


def landscape(rng: Rng) -> Landscape:
    """A house, one to three trees, a sun, hills and a fence on a picture of 288 × 288 pixels."""
    canvas = Canvas(SIDE, SIDE, *rng.choice(_SKIES))
    sun_side = rng.choice(("left", "right"))
    sun = rng.between(38, 52)
    sun_x = rng.between(14, 70) if sun_side == "left" else rng.between(SIDE - 70 - sun, SIDE - 14 - sun)
    sun_y = rng.between(10, 34)
    sun_box = canvas.shape("circle", sun_x, sun_y, sun, (255, 214, 70), shadow=False)
    field = rng.choice(_FIELDS)
    _fill_below(canvas, _hill(rng, 190, rng.between(40, 80)), mix(field, (110, 140, 190), 45))
    _fill_below(canvas, _hill(rng, 200, rng.between(10, 36)), field)
    grass = mix(field, (0, 0, 0), 25)
    for _ in range(60):
        gx, gy = rng.below(SIDE), rng.between(204, SIDE - 8)
        canvas.rect(gx, gy, gx + 1, gy + rng.between(4, 8), grass)
    trees = rng.between(1, 3)
    lanes = rng.sample(range(4), 1 + trees)
    wall = rng.choice(_WALLS)
    width = rng.between(52, 58)
    house_box = _house(canvas, lanes[0] * 72 + 7, rng.between(140, 160), width, wall)
    objects = [
        SceneObject("sun", "sun", {"color": "yellow"}, sun_box),
        SceneObject(f"{wall} house", "house", {"color": wall}, house_box),
    ]
    for lane in lanes[1:]:
        size = rng.between(44, 58)
        box = _tree(canvas, lane * 72 + rng.between(2, 70 - size), rng.between(144, 168), size, rng)
        objects.append(SceneObject("green tree", "tree", {"color": "green"}, box))
    wood = (238, 230, 214)
    for x in range(4, SIDE, 16):
        canvas.rect(x, 254, x + 6, 284, mix(wood, (0, 0, 0), 35))
        canvas.rect(x, 254, x + 5, 283, wood)
    canvas.rect(0, 262, SIDE, 265, mix(wood, (0, 0, 0), 12))
    return Landscape(canvas.pixels, tuple(objects), wall, trees, sun_side)


def _facts(rng: Rng, scene: Landscape, kind: str) -> tuple[Fact, ...]:
    other_wall = rng.choice([wall for wall in _WALLS if wall != scene.wall])
    other_side = "right" if scene.sun_side == "left" else "left"
    clean = kind == "none"
    number = "one tree" if scene.trees == 1 else f"{scene.trees} trees"
    wrong = "one tree" if scene.trees == 2 else "two trees"
    true = [
        f"Are the walls of the house {scene.wall}?",
        f"Is the sun on the {scene.sun_side} side of the sky?",
        f"Does the picture show exactly {number}?",
    ]
    false = [
        f"Are the walls of the house {other_wall}?",
        f"Is the sun on the {other_side} side of the sky?",
        f"Does the picture show exactly {wrong}?",
    ]
    facts = list(pick_facts(rng, true, false))
    if rng.below(2):
        facts[-1] = Fact("Is the picture free of visible degradation?", clean)
    return tuple(facts)


def _caption(scene: Landscape, sentence: str) -> str:
    parts = []
    for thing in scene.objects:
        x, y = int(thing.box[0] + thing.box[2]) // 2, int(thing.box[1] + thing.box[3]) // 2
        parts.append(f"a {thing.name} {zone(x, y, SIDE, SIDE)}")
    return f"A drawn landscape with hills and a fence shows {listing(parts)}. {sentence}"


def degradation(context: Context) -> SyntheticItem:
    """Which degradation was applied; kind and letter are balanced, severity is drawn."""
    kind = DEGRADATIONS[context.balanced("kind", len(DEGRADATIONS))]
    rng = context.scene_rng("scene")
    scene = landscape(rng)
    severity = 0 if kind == "none" else rng.between(*_SEVERITIES[context.difficulty])
    pixels = degrade(scene.pixels, kind, severity, rng)
    words = context.item_rng("words")
    wrong = words.sample([name for name in DEGRADATIONS if name != kind], 3)
    letter, choices = context.options(OPTION_TEXT[kind], [OPTION_TEXT[name] for name in wrong])
    question = words.choice(
        (
            "Which degradation, if any, does this picture suffer from?",
            "What, if anything, is wrong with the quality of this picture?",
            "Which quality problem does the image have, if any?",
            "How was this image degraded, if at all?",
        )
    )
    sentence = "The picture is clean." if kind == "none" else f"Its quality problem is: {OPTION_TEXT[kind]}."
    return SyntheticItem(
        id=context.item_id,
        question=question,
        images=(pixels,),
        is_video=False,
        answer=letter,
        choices=choices,
        facts=_facts(context.item_rng("facts"), scene, kind),
        objects=scene.objects,
        caption=_caption(scene, sentence),
        subsets={"difficulty": str(context.difficulty), "degradation": kind, "severity": str(severity)},
        cluster=context.cluster,
    )


def quality(context: Context) -> SyntheticItem:
    """A rating from 5 (clean) down to 1 (severity 4 of a degradation); every rating equally often."""
    rating = 1 + context.balanced("rating", 5)
    rng = context.scene_rng("scene")
    scene = landscape(rng)
    kind = "none" if rating == 5 else rng.choice(_QUALITY_KINDS[context.difficulty])
    pixels = degrade(scene.pixels, kind, 5 - rating, rng)
    question = context.item_rng("words").choice(
        (
            "How good is the technical quality of this picture, from 1 (bad) to 5 (excellent)?",
            "Rate the quality of this image on a scale from 1 (bad) to 5 (excellent).",
            "On a scale of 1 (worst) to 5 (best), how would you rate the quality of this picture?",
            "What is the quality of this image, where 1 means very degraded and 5 means clean?",
        )
    )
    problem = "" if kind == "none" else f" because of {OPTION_TEXT[kind].removeprefix('too ')}"
    sentence = f"Its technical quality is {rating} of 5{problem.replace('dark', 'darkness')}."
    return SyntheticItem(
        id=context.item_id,
        question=question,
        images=(pixels,),
        is_video=False,
        answer=rating,
        choices=None,
        facts=_facts(context.item_rng("facts"), scene, kind),
        objects=scene.objects,
        caption=_caption(scene, sentence),
        subsets={"difficulty": str(context.difficulty), "degradation": kind, "severity": str(5 - rating)},
        cluster=context.cluster,
    )
