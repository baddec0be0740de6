"""Comparing objects: the odd one out, the most or least common, the largest or smallest."""

from __future__ import annotations

from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scene_item import scene_item
from mmeval.tasks.synthetic.scenes import COLOR_NAMES, SHAPE_NAMES, Kind, Thing, scatter


def compare(context: Context) -> SyntheticItem:
    """Odd one out, most or fewest of a kind, largest or smallest object."""
    mode, nth = context.mode(3)
    rng = context.scene_rng("scene")
    value = context.balanced(f"value-{mode}", 8, nth)
    return (_odd_one_out, _most_or_fewest, _largest_or_smallest)[mode](context, rng, value)


def _odd_one_out(context: Context, rng: Rng, value: int) -> SyntheticItem:
    by_color = bool(rng.below(2))
    pool = COLOR_NAMES if by_color else SHAPE_NAMES
    odd = pool[value]
    wrong = rng.sample([name for name in pool if name != odd], 3)
    usual = wrong[0]
    number = rng.between(*((3, 4), (5, 7), (8, 12))[context.difficulty - 1])
    free = list(SHAPE_NAMES if by_color else COLOR_NAMES)
    same = rng.choice(free)

    def kind(name: str) -> Kind:
        # At difficulty 3 the attribute that does not matter varies too.
        other = rng.choice(free) if context.difficulty == 3 else same
        return (name, other) if by_color else (other, name)

    things = scatter(rng, [kind(odd)] + [kind(usual) for _ in range(number - 1)], context.difficulty)
    what = "color" if by_color else "shape"
    question = context.item_rng("words").choice(
        (
            f"One object has a different {what} than all the others. Which {what} is it?",
            f"Which {what} does the odd one out have?",
            f"Which {what} appears only once?",
            f"All objects but one have the same {what}. What is the {what} of the exception?",
        )
    )
    letter, choices = context.options(odd, wrong)
    return scene_item(context, things, question, letter, choices, {"comparison": f"odd-{what}"})


def _most_or_fewest(context: Context, rng: Rng, value: int) -> SyntheticItem:
    by_color, most = bool(rng.below(2)), bool(rng.below(2))
    pool = COLOR_NAMES if by_color else SHAPE_NAMES
    winner = pool[value]
    shown = (2, 3, 4)[context.difficulty - 1]
    wrong = rng.sample([name for name in pool if name != winner], 3)
    numbers = {name: rng.between(1, 2) if most else rng.between(2, 3) for name in wrong[: shown - 1]}
    numbers[winner] = max(numbers.values()) + 1 + rng.below(2) if most else min(numbers.values()) - 1
    free = SHAPE_NAMES if by_color else COLOR_NAMES
    same = rng.choice(free)
    kinds = []
    for name, number in numbers.items():
        for _ in range(number):
            other = same if context.difficulty == 1 else rng.choice(free)
            kinds.append((name, other) if by_color else (other, name))
    things = scatter(rng, kinds, context.difficulty)
    what = "color" if by_color else "shape"
    how = "most" if most else "fewest"
    wordings = (
        (
            f"Which {what} appears most often?",
            f"Which {what} is the most common in the picture?",
            f"Of which {what} are there the most objects?",
        )
        if most
        else (
            f"Which {what} in the picture is the rarest?",
            f"Which of the {what}s in the picture is the least common?",
            f"Which {what} in the picture do the fewest objects have?",
        )
    )
    question = context.item_rng("words").choice(wordings)
    letter, choices = context.options(winner, wrong)
    return scene_item(context, things, question, letter, choices, {"comparison": f"{how}-{what}"})


def _largest_or_smallest(context: Context, rng: Rng, value: int) -> SyntheticItem:
    largest = bool(rng.below(2))
    # One shape for all: a star and a square of the same width differ in area, so "largest" would be unclear.
    shape = rng.choice(SHAPE_NAMES)
    color = COLOR_NAMES[value]
    colors = [color, *rng.sample([name for name in COLOR_NAMES if name != color], 3)]
    extreme, low, high = ((104, 44, 62), (96, 44, 66), (90, 52, 70))[context.difficulty - 1]
    if not largest:
        extreme, low, high = ((44, 84, 110), (40, 68, 96), (40, 54, 84))[context.difficulty - 1]
    cells = rng.sample(range(4), 4)
    things = []
    for name, cell in zip(colors, cells, strict=True):
        size = extreme if name == color else rng.between(low, high) // 2 * 2
        slack = 140 - size - 4
        x, y = 6 + cell % 2 * 140 + rng.below(slack + 1), 6 + cell // 2 * 140 + rng.below(slack + 1)
        things.append(Thing(name, shape, x, y, size))
    how = "largest" if largest else "smallest"
    question = context.item_rng("words").choice(
        (
            f"Which object is the {how}?",
            f"Which of these objects is the {how}?",
            f"What is the {how} object in the picture?",
        )
    )
    letter, choices = context.options(things[0].name, [thing.name for thing in things[1:]])
    return scene_item(context, things, question, letter, choices, {"comparison": how})
