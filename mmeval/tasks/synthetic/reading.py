"""Reading tasks: a number or a word on a sign, and the value of a bar in a chart."""

from __future__ import annotations

from dataclasses import dataclass

from mmeval.tasks.synthetic import words
from mmeval.tasks.synthetic.canvas import Canvas, Color, mix
from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import Fact, SceneObject, SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scenes import COLORS, SIDE, an, backdrop, listing, pick_facts, tint, zone
from mmeval.tasks.synthetic.text import cap_height, draw_centered, draw_text, text_size

NUMBER_DIGITS = {1: 2, 2: 4, 3: 6}
WORDS = {1: words.SHORT, 2: words.MEDIUM, 3: words.LONG}
_FACES = {1: ("bold-56",), 2: ("bold-40",), 3: ("bold-28", "bold-20")}
_SIGN_COLORS = ("red", "green", "blue", "purple", "orange", "black", "white")

CHART_VALUES = {
    1: tuple(range(1, 6)),
    2: tuple(range(5, 51, 5)),
    3: tuple(range(5, 101, 5)),
}
"""The values that a bar can have, by difficulty: all equally likely."""
_CHART_GRID = {1: (1, 1), 2: (10, 10), 3: (20, 20)}


def number_count(difficulty: int) -> int:
    """How many numbers there are, all with the same number of digits and a non-zero first digit."""
    return int(9 * 10 ** (NUMBER_DIGITS[difficulty] - 1))


def _sign(context: Context, text: str) -> tuple[Canvas, SceneObject, str, str]:
    """A sign with the text; returns the picture, the sign, its colour and the background's name."""
    rng = context.scene_rng("look")
    background = tint(rng)
    canvas = backdrop(SIDE, SIDE, background)
    face = rng.choice(_FACES[context.difficulty])
    width, height = text_size(text, face)[0], cap_height(face)
    color = rng.choice(_SIGN_COLORS)
    fill: Color = (252, 252, 252) if color == "white" else COLORS[color]
    ink: Color = (30, 32, 40) if color == "white" else (255, 255, 255)
    pad = height // 2 + 2  # descenders of "g" and "y" need the room below
    box_width, box_height = min(width + 2 * pad, SIDE - 16), height + 2 * pad
    x = rng.between(8, SIDE - 8 - box_width)
    y = rng.between(8, SIDE - 24 - box_height)
    post = mix(COLORS["gray"], (0, 0, 0), 20)
    canvas.rect(x + box_width // 2 - 5, y + box_height - 4, x + box_width // 2 + 5, SIDE, post)
    canvas.rounded(x + 3, y + 4, x + box_width + 3, y + box_height + 4, mix(post, (255, 255, 255), 45), 12)
    canvas.framed((x, y, x + box_width, y + box_height), fill, mix(fill, (0, 0, 0), 40), 12, 3)
    draw_centered(canvas, x + box_width // 2, y + box_height // 2, text, face, ink)
    box = (float(x), float(y), float(x + box_width), float(y + box_height))
    return (
        canvas,
        SceneObject(f"{color} sign", "sign", {"color": color, "text": text}, box),
        color,
        background,
    )


def _reading_item(context: Context, text: str, what: str, questions: tuple[str, ...]) -> SyntheticItem:
    canvas, sign, color, background = _sign(context, text)
    rng = context.item_rng("facts")
    other_color = rng.choice([name for name in _SIGN_COLORS if name != color])
    alphabet = "0123456789" if text.isdigit() else "abcdefghijklmnopqrstuvwxyz"
    kind = "digit" if text.isdigit() else "letter"
    missing = rng.choice([c for c in alphabet if c not in text])
    wrong_end = rng.choice([c for c in alphabet if c != text[-1]])
    true = [
        f"Is the sign {color}?",
        f"Does the {what} on the sign have {len(text)} {kind}s?",
        f'Does the {what} on the sign start with "{text[0]}"?',
    ]
    false = [
        f"Is the sign {other_color}?",
        f'Is the {kind} "{missing}" part of the {what} on the sign?',
        f'Does the {what} on the sign end with "{wrong_end}"?',
    ]
    x, y = int(sign.box[0] + sign.box[2]) // 2, int(sign.box[1] + sign.box[3]) // 2
    return SyntheticItem(
        id=context.item_id,
        question=context.item_rng("words").choice(questions),
        images=(canvas.pixels,),
        is_video=False,
        answer=text,
        choices=None,
        facts=pick_facts(rng, true, false),
        objects=(sign,),
        caption=f"{an(color).capitalize()} sign on a gray post {zone(x, y, SIDE, SIDE)} of {an(background)} "
        f'background. The {what} on the sign is "{text}".',
        subsets={"difficulty": str(context.difficulty), "length": str(len(text))},
        cluster=context.cluster,
    )


def read_number(context: Context) -> SyntheticItem:
    """A number on a sign; every number of that many digits once per block."""
    total = number_count(context.difficulty)
    text = str(total // 9 + context.balanced("number", total))
    questions = (
        "What number is written on the sign?",
        "Which number does the sign show?",
        "Read the number on the sign.",
        "What does the sign say?",
    )
    return _reading_item(context, text, "number", questions)


def read_word(context: Context) -> SyntheticItem:
    """A word on a sign; every word of the list once per block."""
    pool = WORDS[context.difficulty]
    text = pool[context.balanced("word", len(pool))]
    questions = (
        "What word is written on the sign?",
        "Which word does the sign show?",
        "Read the word on the sign.",
        "What does the sign say?",
    )
    return _reading_item(context, text, "word", questions)


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    color: str
    value: int


def _bars(context: Context) -> list[Bar]:
    """The asked bar first; its value is balanced, the others are free."""
    rng = context.scene_rng("scene")
    values = CHART_VALUES[context.difficulty]
    number = rng.between(*((3, 3), (4, 5), (5, 6))[context.difficulty - 1])
    names = rng.sample(words.CHART_NAMES, number)
    colors = rng.sample([name for name in COLORS if name != "gray"], number)
    rest = [rng.choice(values) for _ in range(number - 1)]
    first = values[context.balanced("value", len(values))]
    return [Bar(*bar) for bar in zip(names, colors, [first, *rest], strict=True)]


def _draw_chart(context: Context, bars: list[Bar], rng: Rng) -> tuple[Canvas, tuple[SceneObject, ...]]:
    top = max(CHART_VALUES[context.difficulty])
    step, numbered = _CHART_GRID[context.difficulty]
    canvas = Canvas(SIDE, SIDE, mix((255, 255, 255), rng.choice(((228, 236, 250), (250, 240, 226))), 40))
    face = "bold-20" if context.difficulty == 1 else "regular-14"
    name_face = "bold-14" if context.difficulty == 1 else "regular-14"
    crowded = len(bars) > 5
    left, right, floor, ceiling = 46, SIDE - 10, SIDE - (48 if crowded else 34), 20
    height = floor - ceiling

    def row(value: int) -> int:
        return floor - (value * height + top // 2) // top

    for value in range(0, top + 1, step):
        canvas.rect(left, row(value), right, row(value) + 1, (196, 200, 208))
        if value % numbered == 0:
            label = str(value)
            draw_text(canvas, left - 8 - text_size(label, face)[0], row(value), label, face, (60, 64, 76))
    objects = []
    pitch = (right - left) // len(bars)
    width = pitch * 6 // 10
    for at, bar in enumerate(bars):
        x0 = left + at * pitch + (pitch - width) // 2
        x1, y0 = x0 + width, row(bar.value)
        color = COLORS[bar.color]
        canvas.rect(x0, y0, x1, floor, mix(color, (0, 0, 0), 30))
        canvas.rect(x0 + 2, y0 + 2, x1 - 2, floor, color)
        # Six names do not fit side by side, so every other one goes a line lower.
        label_row = floor + 17 + (16 if crowded and at % 2 else 0)
        draw_centered(canvas, (x0 + x1) // 2, label_row, bar.name, name_face, (40, 44, 56))
        attributes = {"color": bar.color, "text": bar.name, "value": str(bar.value)}
        box = (float(x0), float(y0), float(x1), float(floor))
        objects.append(SceneObject(f"{bar.color} bar ({bar.name})", "bar", attributes, box))
    canvas.rect(left - 1, ceiling - 6, left + 1, floor + 1, (70, 74, 86))
    canvas.rect(left - 1, floor, right, floor + 2, (70, 74, 86))
    return canvas, tuple(objects)


def chart(context: Context) -> SyntheticItem:
    """The value of a bar that the question names by its colour (easy), its label, or either."""
    bars = _bars(context)
    asked = bars[0]
    rng = context.scene_rng("look")
    rng.shuffle(bars)
    canvas, objects = _draw_chart(context, bars, rng)
    pick = context.item_rng("words")
    by_color = context.difficulty == 1 or (context.difficulty == 2 and pick.below(2) == 1)
    thing = f"the {asked.color} bar" if by_color else f"the bar for {asked.name}"
    question = pick.choice(
        (
            f"What is the value of {thing}?",
            f"Which value does {thing} show?",
            f"How high is {thing} on the axis?",
            f"Read the value of {thing} from the chart.",
        )
    )
    described = [f"{bar.name} ({bar.color}) {bar.value}" for bar in bars]
    return SyntheticItem(
        id=context.item_id,
        question=question,
        images=(canvas.pixels,),
        is_video=False,
        answer=asked.value,
        choices=None,
        facts=_chart_facts(context, bars),
        objects=objects,
        caption=f"A bar chart with {len(bars)} bars on an axis from 0 to "
        f"{max(CHART_VALUES[context.difficulty])}. From left to right: {listing(described)}.",
        subsets={
            "difficulty": str(context.difficulty),
            "value": str(asked.value),
            "asked_by": "color" if by_color else "name",
        },
        cluster=context.cluster,
    )


def _chart_facts(context: Context, bars: list[Bar]) -> tuple[Fact, ...]:
    rng = context.item_rng("facts")
    first, last = bars[0], bars[-1]
    shown = rng.choice(bars)
    absent_name = rng.choice([n for n in words.CHART_NAMES if n not in {bar.name for bar in bars}])
    absent_color = rng.choice([c for c in COLORS if c not in {bar.color for bar in bars}])
    values = CHART_VALUES[context.difficulty]
    wrong = rng.choice([value for value in values if value != shown.value])
    true = [
        f"Is the value of the {shown.color} bar {shown.value}?",
        f"Is the bar for {first.name} the leftmost one?",
        f"Does the chart have {len(bars)} bars?",
    ]
    false = [
        f"Is the value of the {shown.color} bar {wrong}?",
        f"Is there a bar for {absent_name} in the chart?",
        f"Is one of the bars {absent_color}?",
    ]
    if first.value != last.value:
        high, low = (first, last) if first.value > last.value else (last, first)
        true.append(f"Is the {high.color} bar higher than the {low.color} bar?")
        false.append(f"Is the {low.color} bar higher than the {high.color} bar?")
    return pick_facts(rng, true, false)
