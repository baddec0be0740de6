"""Further questions about a synthetic picture, derived from its exact list of objects.

One picture carries one question of its own; training asks about five more, so that a rendered picture is used well and
the skills behind the tasks (find, compare, count, locate) are practised directly.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from mmeval.tasks.synthetic import SceneObject, SyntheticItem
from mmeval.tasks.synthetic.photos import OPTION_TEXT
from mmeval.tasks.synthetic.scenes import COLOR_NAMES, SHAPE_NAMES

from .prompts import LETTERS, Question

COORDINATE_STEP = 10  # coordinates are taught in tenths of the 0–1000 scale's hundreds
RELATIONS = ("left", "right", "above", "below")
RELATION_PHRASES = {
    "left": "to the left of", "right": "to the right of", "above": "above", "below": "below",
}  # fmt: skip
DOMINANCE = 1.5  # offset on the asked axis over that on the other
MINIMUM_OFFSET = 0.12  # of the picture's side, between centres
CLEAR_GAP = 0.05  # of the picture's side, between the outermost object and the next
LONGEST_CAPTION = 6  # objects
LONGEST_BOX_LIST = 4  # boxes
SCREEN_LABELS = {"button", "icon", "text field", "check box"}

ANSWER_KINDS = {
    "count": "number", "attribute": "choice", "spatial": "choice", "existence": "yes-no", "read-number": "text",
    "read-word": "text", "compare": "choice", "chart": "number", "point": "point", "box": "box",
    "detect": "boxes", "degradation": "choice", "quality": "rating", "order": "choice",
}  # fmt: skip

Size = tuple[int, int]  # width, height in pixels


def coordinate(value: float, extent: float) -> int:
    """A pixel position on the 0–1000 scale, rounded to `COORDINATE_STEP`."""
    return min(1000, max(0, round(value / extent * 1000 / COORDINATE_STEP) * COORDINATE_STEP))


def box_text(box: Sequence[float], size: Size) -> str:
    return "[" + ", ".join(str(coordinate(v, size[i % 2])) for i, v in enumerate(box)) + "]"


def point_text(box: Sequence[float], size: Size) -> str:
    """The centre of a region."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return f"[{coordinate(x, size[0])}, {coordinate(y, size[1])}]"


def boxes_text(boxes: Sequence[Sequence[float]], size: Size) -> str:
    """All boxes in reading order, so that there is one right text."""
    ordered = sorted(boxes, key=lambda b: (b[1] + b[3], b[0] + b[2]))
    return "[" + ", ".join(box_text(b, size) for b in ordered) + "]"


def own_question(task: str, item: SyntheticItem) -> Question:
    """The item's own question with its answer as text."""
    kind = ANSWER_KINDS[task]
    size = (item.images[0].shape[1], item.images[0].shape[0])
    if item.choices is not None:
        right = item.choices[LETTERS.index(str(item.answer))]
        return Question(task, kind, item.question, right, item.choices, str(item.answer))
    if kind == "point":
        return Question(task, kind, item.question, point_text(item.answer["box"], size))
    if kind == "box":
        return Question(task, kind, item.question, box_text(item.answer, size))
    if kind == "boxes":
        return Question(task, kind, item.question, boxes_text(item.answer, size))
    return Question(task, kind, item.question, str(item.answer))


def fact_questions(item: SyntheticItem) -> list[Question]:
    return [Question("fact", "yes-no", f.question, "yes" if f.answer else "no") for f in item.facts]


def an(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def unique_objects(objects: Sequence[SceneObject]) -> list[SceneObject]:
    names = Counter(o.name for o in objects)
    return [o for o in objects if names[o.name] == 1]


def as_choice(task: str, text: str, right: str, pool: Sequence[str], rng: random.Random, number: int = 4) -> Question:
    """A multiple-choice question with wrong options drawn from `pool`."""
    wrong = rng.sample([p for p in pool if p != right], number - 1)
    options = [right, *wrong]
    rng.shuffle(options)
    return Question(task, "choice", text, right, tuple(options), LETTERS[options.index(right)])


def relation(first: SceneObject, second: SceneObject, size: Size) -> str | None:
    """Where `first` lies as seen from `second`; None where it is not clear-cut."""
    dx = (first.box[0] + first.box[2] - second.box[0] - second.box[2]) / 2
    dy = (first.box[1] + first.box[3] - second.box[1] - second.box[3]) / 2
    if abs(dx) >= DOMINANCE * abs(dy) and abs(dx) >= MINIMUM_OFFSET * size[0]:
        return "right" if dx > 0 else "left"
    if abs(dy) >= DOMINANCE * abs(dx) and abs(dy) >= MINIMUM_OFFSET * size[1]:
        return "below" if dy > 0 else "above"
    return None


def ask_spatial(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    unique = unique_objects(objects)
    if len(unique) < 2:
        return None
    for _ in range(4):
        first, second = rng.sample(unique, 2)
        found = relation(first, second, size)
        if found is not None:
            break
    else:
        return None
    form = rng.random()
    if form < 0.3:
        asked = found if rng.random() < 0.5 else rng.choice([r for r in RELATIONS if r != found])
        text = f"Is the {first.name} {RELATION_PHRASES[asked]} the {second.name}?"
        return Question("derived-spatial", "yes-no", text, "yes" if asked == found else "no")
    text = rng.choice(
        (
            f"Where is the {first.name} relative to the {second.name}?",
            f"Seen from the {second.name}, where is the {first.name}?",
            f"In which direction from the {second.name} does the {first.name} lie?",
            f"What is the position of the {first.name} with respect to the {second.name}?",
        )
    )
    if form < 0.65:
        return Question("derived-spatial", "text", text, found)
    return as_choice("derived-spatial", text, found, RELATIONS, rng)


def ask_zone(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """Half of the picture in which an object lies: the step before coordinates and relations."""
    unique = unique_objects(objects)
    if not unique:
        return None
    thing = rng.choice(unique)
    axis = rng.randrange(2)
    centre = (thing.box[axis] + thing.box[axis + 2]) / 2 / size[axis]
    if abs(centre - 0.5) < 0.05:
        return None
    names = ("left", "right") if axis == 0 else ("top", "bottom")
    text = f"Is the {thing.name} in the {names[0]} or the {names[1]} half of the picture?"
    return Question("derived-zone", "text", text, names[int(centre > 0.5)])


def ask_box(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    unique = unique_objects(objects)
    if not unique:
        return None
    thing = rng.choice(unique)
    text = rng.choice(
        (
            f"Where is the {thing.name}? Give its bounding box.",
            f"Locate the {thing.name} with a bounding box.",
            f"What is the bounding box of the {thing.name}?",
            f"Draw a box around the {thing.name}.",
        )
    )
    return Question("derived-box", "box", text, box_text(thing.box, size))


def ask_point(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    unique = unique_objects(objects)
    if not unique:
        return None
    thing = rng.choice(unique)
    text = rng.choice(
        (
            f"Click on the {thing.name}.",
            f"Where is the {thing.name}?",
            f"Point to the {thing.name}.",
            f"Which point should I tap to use the {thing.name}?",
        )
    )
    return Question("derived-point", "point", text, point_text(thing.box, size))


def ask_attribute(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    by, asked = rng.choice((("shape", "color"), ("color", "shape")))
    numbers = Counter(o.attributes.get(by) for o in objects)
    usable = [o for o in objects if numbers[o.attributes.get(by)] == 1 and o.attributes.get(asked)]
    if not usable:
        return None
    thing = rng.choice(usable)
    named = thing.attributes[by] if by == "shape" else f"{thing.attributes[by]} object"
    if asked == "color":
        forms = (f"What color is the {named}?", f"What is the color of the {named}?",
                 f"Which color does the {named} have?")  # fmt: skip
        pool: Sequence[str] = COLOR_NAMES
    else:
        forms = (f"What shape is the {named}?", f"What is the shape of the {named}?",
                 f"Which shape does the {named} have?")  # fmt: skip
        pool = SHAPE_NAMES
    if rng.random() < 0.5:
        return Question("derived-attribute", "text", rng.choice(forms), thing.attributes[asked])
    return as_choice("derived-attribute", rng.choice(forms), thing.attributes[asked], pool, rng)


def ask_count(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    thing = rng.choice(objects)
    by = rng.choice(("shape", "color", "both", "all"))
    if by == "all":
        return Question("derived-count", "number", "How many objects are there?", str(len(objects)))
    color, shape = thing.attributes["color"], thing.attributes["shape"]
    if by == "both" and rng.random() < 0.15:
        shape = rng.choice(SHAPE_NAMES)
    noun = {"shape": plural(shape), "color": f"{color} objects", "both": f"{color} {plural(shape)}"}[by]
    number = sum(
        (by == "shape" or o.attributes["color"] == color) and (by == "color" or o.attributes["shape"] == shape)
        for o in objects
    )
    text = rng.choice((f"How many {noun} are there?", f"Count the {noun} in the image.",
                       f"How many {noun} can you see in the picture?"))  # fmt: skip
    return Question("derived-count", "number", text, str(number))


def ask_existence(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    present = {(o.attributes["color"], o.attributes["shape"]) for o in objects}
    color, shape = rng.choice(sorted(present))
    yes = rng.random() < 0.5
    if not yes:
        if rng.random() < 0.5:
            color = rng.choice(COLOR_NAMES)
        else:
            shape = rng.choice(SHAPE_NAMES)
        if (color, shape) in present:
            return None
    thing = an(f"{color} {shape}")
    text = rng.choice((f"Is there {thing} in the picture?", f"Can you see {thing}?",
                       f"Does the image show {thing}?"))  # fmt: skip
    return Question("derived-existence", "yes-no", text, "yes" if yes else "no")


def ask_detect(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    by = rng.choice(("shape", "color"))
    value = rng.choice(objects).attributes[by]
    boxes = [o.box for o in objects if o.attributes[by] == value]
    if len(boxes) > LONGEST_BOX_LIST:
        return None
    noun = plural(value) if by == "shape" else f"{value} objects"
    text = rng.choice((f"Find all {noun} and give the bounding box of each.",
                       f"Give the bounding boxes of all {noun}."))  # fmt: skip
    return Question("derived-detect", "boxes", text, boxes_text(boxes, size))


def ask_caption(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """A short form of the caption: the objects from left to right."""
    if len(objects) > LONGEST_CAPTION:
        return None
    ordered = sorted(objects, key=lambda o: o.box[0] + o.box[2])
    text = rng.choice(("Describe the image.", "What does the picture show?", "Describe this picture briefly."))
    return Question("caption", "free", text, ", ".join(an(o.name) for o in ordered) + ".")


def ask_bar(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """The value of any bar, or which bar is the highest."""
    bars = [o for o in objects if "value" in o.attributes]
    if not bars:
        return None
    if rng.random() < 0.2:
        values = [int(o.attributes["value"]) for o in bars]
        if values.count(max(values)) > 1:
            return None
        color = bars[values.index(max(values))].attributes["color"]
        return Question("derived-chart", "text", "What color is the highest bar?", color)
    bar = rng.choice(bars)
    named = rng.random() < 0.5
    thing = f"the bar for {bar.attributes['text']}" if named else f"the {bar.attributes['color']} bar"
    text = rng.choice((f"What is the value of {thing}?", f"Which value does {thing} show?",
                       f"How high is {thing} on the axis?",
                       f"Read the value of {thing} from the chart."))  # fmt: skip
    return Question("derived-chart", "number", text, bar.attributes["value"])


def photo_questions(degradation: str, severity: int, rng: random.Random) -> list[Question]:
    """The kind and the grade of a photo's degradation, whichever of the two its task asks."""
    kind = rng.choice(
        (
            "Which degradation does this picture suffer from?",
            "What is wrong with the quality of this picture?",
            "Which quality problem does the image have?",
            "How was this image degraded?",
        )
    )
    grade = rng.choice(
        (
            "How good is the technical quality of this picture, from 1 (bad) to 5 (excellent)?",
            "Rate the quality of this image on a scale from 1 (bad) to 5 (excellent).",
            "On a scale of 1 (worst) to 5 (best), how would you rate the quality of this picture?",
            "What is the quality of this image, where 1 means very degraded and 5 means clean?",
        )
    )
    right = OPTION_TEXT[degradation]
    return [
        as_choice("derived-degradation", kind, right, tuple(OPTION_TEXT.values()), rng),
        Question("derived-quality", "rating", grade, str(5 - severity)),
    ]


def ask_open_attribute(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """`ask_attribute` without options."""
    question = ask_attribute(objects, size, rng)
    return None if question is None else Question(question.task, "text", question.text, question.answer)


def ask_outermost(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """Which object lies farthest towards one side."""
    side = rng.randrange(4)
    axis, last = side % 2, side >= 2
    ordered = sorted(objects, key=lambda o: o.box[axis] + o.box[axis + 2], reverse=last)
    if len(ordered) > 1:
        gap = sum(ordered[0].box[axis::2]) - sum(ordered[1].box[axis::2])
        if abs(gap) / 2 < CLEAR_GAP * size[axis]:
            return None
    word = ("leftmost", "topmost", "rightmost", "bottommost")[side]
    return Question("derived-outermost", "text", f"Which object is the {word} one?", ordered[0].name)


def ask_farther(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """Which of two objects lies farther towards one side: a relation whose answer is one of the names."""
    unique = unique_objects(objects)
    if len(unique) < 2:
        return None
    first, second = rng.sample(unique, 2)
    axis = rng.randrange(2)
    gap = (first.box[axis] + first.box[axis + 2] - second.box[axis] - second.box[axis + 2]) / 2
    if abs(gap) < MINIMUM_OFFSET * size[axis]:
        return None
    before = rng.random() < 0.5
    word = (("left", "right"), ("up", "down"))[axis][not before]
    right = first if (gap < 0) == before else second
    text = f"Which is farther {word}, the {first.name} or the {second.name}?"
    return Question("derived-farther", "text", text, right.name)


def ask_at(objects: Sequence[SceneObject], size: Size, rng: random.Random) -> Question | None:
    """The reverse of pointing: what lies at given coordinates."""
    thing = rng.choice(objects)
    return Question("derived-at", "text", f"What is at {point_text(thing.box, size)}?", thing.name)


Asker = Callable[[Sequence[SceneObject], Size, random.Random], Question | None]
SCENE_ASKERS: tuple[tuple[Asker, float], ...] = (
    (ask_spatial, 8.0), (ask_zone, 0.8), (ask_box, 2.5), (ask_point, 1.2), (ask_attribute, 1.5),
    (ask_count, 1.5), (ask_existence, 0.8), (ask_detect, 0.5), (ask_caption, 0.8), (ask_outermost, 0.7), (ask_at, 0.6),
    (ask_farther, 1.2),
)  # fmt: skip
"""Questions about scenes of coloured shapes, with their relative frequency."""
EASY_ASKERS: tuple[tuple[Asker, float], ...] = (
    (ask_caption, 3.0), (ask_open_attribute, 3.0), (ask_existence, 1.0), (ask_count, 1.0), (ask_outermost, 1.0),
    (ask_at, 0.7), (ask_zone, 0.7), (ask_point, 0.5), (ask_spatial, 8.0), (ask_farther, 1.5),
)  # fmt: skip
"""The same early in training: what teaches the language model soonest to look at the visual tokens."""
SCREEN_ASKERS: tuple[tuple[Asker, float], ...] = ((ask_point, 4.0), (ask_box, 1.0), (ask_zone, 0.5))
CHART_ASKERS: tuple[tuple[Asker, float], ...] = ((ask_bar, 1.0),)


def derived_questions(
    objects: Sequence[SceneObject], size: Size, number: int, rng: random.Random, easy: bool = False
) -> list[Question]:
    """Up to `number` questions about one picture of `size`, all different."""
    labels = {o.label for o in objects}
    if not labels:
        return []
    if labels <= set(SHAPE_NAMES):
        table = EASY_ASKERS if easy else SCENE_ASKERS
    elif labels == {"bar"}:
        table = CHART_ASKERS
    elif labels <= SCREEN_LABELS:
        table = SCREEN_ASKERS
    else:
        return []
    askers, weights = zip(*table, strict=True)
    found: dict[str, Question] = {}
    for asker in rng.choices(askers, weights, k=2 * number):
        question = asker(objects, size, rng)
        if question is not None and len(found) < number:
            found.setdefault(question.text, question)
    return list(found.values())
