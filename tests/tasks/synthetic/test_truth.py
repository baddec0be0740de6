"""Answers and facts, worked out again from the objects or from the pixels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from mmeval.tasks.synthetic import Fact, SceneObject, SyntheticItem, generate, words
from mmeval.tasks.synthetic.context import LETTERS
from mmeval.tasks.synthetic.model import Pixels
from mmeval.tasks.synthetic.reading import CHART_VALUES
from mmeval.tasks.synthetic.scenes import COLORS, SHAPE_NAMES
from mmeval.tasks.synthetic.text import text_size

SCENES = ("count", "attribute", "spatial", "existence", "compare", "box", "detect")
COLOR = "|".join(COLORS)
SHAPE = "|".join(SHAPE_NAMES)
each_difficulty = pytest.mark.parametrize("difficulty", [1, 2, 3])


def sample(name: str, difficulty: int, count: int = 60) -> list[SyntheticItem]:
    return [generate(name, seed=8, index=index, difficulty=difficulty) for index in range(count)]


def chosen(item: SyntheticItem) -> str:
    assert item.choices is not None
    return item.choices[LETTERS.index(item.answer)]


def matching(objects: tuple[SceneObject, ...], phrase: str) -> list[SceneObject]:
    """Objects that fit words such as ``red circles``, ``red objects``, ``circles``."""
    words = ["cross" if word in ("cross", "crosses") else word.removesuffix("s") for word in phrase.split()]
    wanted = [word for word in words if word != "object"]
    assert wanted
    assert all(word in COLORS or word in SHAPE_NAMES for word in wanted), phrase
    return [thing for thing in objects if all(word in thing.attributes.values() for word in wanted)]


def center(thing: SceneObject) -> tuple[float, float]:
    return (thing.box[0] + thing.box[2]) / 2, (thing.box[1] + thing.box[3]) / 2


def seen_relation(first: SceneObject, second: SceneObject) -> str:
    """The dominant direction; tight boxes shift centres by a few pixels, so 1.3 instead of 1.5."""
    dx, dy = (a - b for a, b in zip(center(first), center(second), strict=True))
    if abs(dx) >= 1.3 * abs(dy):
        return "right" if dx > 0 else "left"
    assert abs(dy) >= 1.3 * abs(dx), "the relation is ambiguous"
    return "below" if dy > 0 else "above"


def unique(item: SyntheticItem, name: str) -> SceneObject:
    found = [thing for thing in item.objects if thing.name == name]
    assert len(found) == 1, (item.id, name)
    return found[0]


@each_difficulty
def test_count(difficulty: int) -> None:
    pattern = r"(?:How many|Count the|What is the number of) (.+?) (?:are there|can you|in the|in this)"
    for item in sample("count", difficulty):
        found = re.search(pattern, item.question)
        assert found is not None
        assert len(matching(item.objects, found[1])) == item.answer == int(item.subsets["count"])


@each_difficulty
def test_attribute(difficulty: int) -> None:
    for item in sample("attribute", difficulty):
        named = re.search(rf"\b({COLOR}|{SHAPE})\b", item.question)
        assert named is not None
        (thing,) = matching(item.objects, named[1])
        wanted = "shape" if named[1] in COLORS else "color"
        assert chosen(item) == thing.attributes[wanted]


@each_difficulty
def test_spatial(difficulty: int) -> None:
    for item in sample("spatial", difficulty):
        names = re.findall(rf"(?:{COLOR}) (?:{SHAPE})", item.question)
        assert len(names) == 2
        first, second = (unique(item, name) for name in names)
        if item.question.startswith(("Seen from", "In which direction from")):
            first, second = second, first
        assert chosen(item) == seen_relation(first, second) == item.subsets["relation"]


@each_difficulty
def test_existence(difficulty: int) -> None:
    for item in sample("existence", difficulty):
        found = re.search(rf"\ban? ((?:{COLOR}|{SHAPE})(?: (?:{SHAPE}|object))?)", item.question)
        assert found is not None
        assert (len(matching(item.objects, found[1])) > 0) == (item.answer == "yes")


@each_difficulty
def test_compare(difficulty: int) -> None:
    kinds = set()
    for item in sample("compare", difficulty, 120):
        how = item.subsets["comparison"]
        kinds.add(how)
        answer = chosen(item)
        if how in ("largest", "smallest"):
            areas = {t.name: (t.box[2] - t.box[0]) * (t.box[3] - t.box[1]) for t in item.objects}
            assert sorted(areas) == sorted(item.choices or ())
            ranked = sorted(areas, key=areas.__getitem__, reverse=how == "largest")
            assert ranked[0] == answer
            ratio = areas[ranked[0]] / areas[ranked[1]]
            assert max(ratio, 1 / ratio) > 1.4
            continue
        attribute = how.split("-")[1]
        numbers = Counter(thing.attributes[attribute] for thing in item.objects)
        if how.startswith("odd"):
            assert len(numbers) == 2
            assert numbers[answer] == 1
            assert max(numbers.values()) >= 2
        else:
            ranked_numbers = numbers.most_common() if "most" in how else numbers.most_common()[::-1]
            assert ranked_numbers[0][0] == answer
            assert ranked_numbers[0][1] != ranked_numbers[1][1]
    assert kinds == {
        "odd-color", "odd-shape", "most-color", "most-shape", "fewest-color", "fewest-shape",
        "largest", "smallest",
    }  # fmt: skip


@each_difficulty
def test_box(difficulty: int) -> None:
    for item in sample("box", difficulty):
        (name,) = re.findall(rf"(?:{COLOR}) (?:{SHAPE})", item.question)
        assert item.answer == list(unique(item, name).box)


@each_difficulty
def test_detect(difficulty: int) -> None:
    for item in sample("detect", difficulty):
        phrase = item.subsets["class"] + (" objects" if item.subsets["asked_by"] == "color" else "")
        boxes = [list(thing.box) for thing in matching(item.objects, phrase)]
        assert sorted(boxes) == sorted(item.answer)
        assert len(boxes) == int(item.subsets["number"])
        assert len(boxes) < len(item.objects)


@pytest.mark.parametrize("name", SCENES)
@each_difficulty
def test_scenes_show_their_objects(name: str, difficulty: int) -> None:
    """Boxes are disjoint, and the palette colour nearest to the pixel in the middle is the named one."""
    palette = np.array(list(COLORS.values()))
    for item in sample(name, difficulty, 20):
        for at, thing in enumerate(item.objects):
            x, y = center(thing)
            pixel = item.images[0][int(y), int(x)].astype(int)
            nearest = list(COLORS)[int(((palette - pixel) ** 2).sum(axis=1).argmin())]
            assert nearest == thing.attributes["color"], (item.id, thing)
            for other in item.objects[:at]:
                assert (
                    thing.box[2] <= other.box[0]
                    or other.box[2] <= thing.box[0]
                    or thing.box[3] <= other.box[1]
                    or other.box[3] <= thing.box[1]
                ), (item.id, thing, other)


@pytest.mark.parametrize("name", ["circle", "square", "triangle", "star", "heart", "diamond", "cross", "hexagon"])
def test_boxes_are_tight(name: str) -> None:
    """Pixels that differ clearly from the background start and end at the box (shadow excluded)."""
    found = 0
    for index in range(40):
        item = generate("box", seed=1, index=2 * index, difficulty=1)
        for thing in item.objects:
            if thing.label != name or thing.attributes["color"] not in ("red", "blue", "green", "purple"):
                continue
            found += 1
            x1, y1, x2, y2 = (int(edge) for edge in thing.box)
            image = item.images[0].astype(int)
            inside = np.ptp(image, axis=2) > 60  # strong colours only: background, rim blends and shadow are pale
            around = inside[max(y1 - 4, 0) : y2 + 4, max(x1 - 4, 0) : x2 + 4]
            ys, xs = np.nonzero(around)
            left, top = x1 - max(x1 - 4, 0), y1 - max(y1 - 4, 0)
            assert abs(xs.min() - left) <= 3
            assert abs(ys.min() - top) <= 6  # a star's or diamond's tip is mostly rim
            assert abs(xs.max() + 1 - (left + x2 - x1)) <= 3
            assert abs(ys.max() + 1 - (top + y2 - y1)) <= 6
    assert found > 0


def judge(item: SyntheticItem, fact: Fact) -> bool:
    """The truth of a fact about a scene, from the objects."""
    text = fact.question
    if found := re.fullmatch(rf"Is there an? ((?:{COLOR}) (?:{SHAPE})) in the picture\?", text):
        return any(thing.name == found[1] for thing in item.objects)
    if found := re.fullmatch(r"Is the number of (\w+) in the picture (\d+)\?", text):
        return len(matching(item.objects, found[1])) == int(found[2])
    pattern = rf"Is the ((?:{COLOR}) (?:{SHAPE})) (to the left of|to the right of|above|below) the (.+)\?"
    found = re.fullmatch(pattern, text)
    assert found is not None, text
    relation = {"to the left of": "left", "to the right of": "right"}.get(found[2], found[2])
    return seen_relation(unique(item, found[1]), unique(item, found[3])) == relation


@pytest.mark.parametrize("name", SCENES)
@each_difficulty
def test_scene_facts(name: str, difficulty: int) -> None:
    for item in sample(name, difficulty, 40):
        for fact in item.facts:
            assert judge(item, fact) == fact.answer, (item.id, fact)


@pytest.mark.parametrize("name", SCENES)
def test_captions_name_every_object(name: str) -> None:
    for item in sample(name, 3, 20):
        for label, number in Counter(thing.name for thing in item.objects).items():
            assert len(re.findall(rf"\b{label}\b", item.caption)) == number


@pytest.mark.parametrize("name", ["read-number", "read-word"])
@each_difficulty
def test_reading(name: str, difficulty: int) -> None:
    for item in sample(name, difficulty, 20):
        (sign,) = item.objects
        assert sign.attributes["text"] == item.answer
        assert f'"{item.answer}"' in item.caption
        x1, y1, x2, y2 = (int(edge) for edge in sign.box)
        inner = item.images[0][y1 + 5 : y2 - 5, x1 + 5 : x2 - 5].astype(int)
        dark_ink = sign.attributes["color"] == "white"
        ink = inner.max(axis=2) < 90 if dark_ink else inner.min(axis=2) > 200
        ys, xs = np.nonzero(ink)
        sizes = {text_size(item.answer, face) for face in ("bold-56", "bold-40", "bold-28", "bold-20")}
        width, height = int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1
        assert any(abs(width - w) <= 3 and abs(height - h) <= 3 for w, h in sizes)
        for fact in item.facts:
            assert fact.answer == judge_sign(item.answer, sign, fact), (item.id, fact)


def judge_sign(text: str, sign: SceneObject, fact: Fact) -> bool:
    if found := re.fullmatch(r"Is the sign (\w+)\?", fact.question):
        return sign.attributes["color"] == found[1]
    if found := re.search(r'(?:start|end) with "(.)"', fact.question):
        return text.startswith(found[1]) if "start" in fact.question else text.endswith(found[1])
    if found := re.search(r"have (\d+) (?:letter|digit)s", fact.question):
        return len(text) == int(found[1])
    found = re.search(r'"(.)" part of', fact.question)
    assert found is not None, fact.question
    return found[1] in text


@pytest.mark.parametrize(("difficulty", "pixels"), [(1, 40), (2, 28)])
def test_text_is_as_tall_as_promised(difficulty: int, pixels: int) -> None:
    for item in sample("read-number", difficulty, 6):
        faces = {1: "bold-56", 2: "bold-40"}
        assert text_size(item.answer, faces[difficulty])[1] >= pixels


@each_difficulty
def test_chart(difficulty: int) -> None:
    top = max(CHART_VALUES[difficulty])
    for item in sample("chart", difficulty, 40):
        if found := re.search(r"bar for (\w+)", item.question):
            (bar,) = (thing for thing in item.objects if thing.attributes["text"] == found[1])
        else:
            found = re.search(rf"({COLOR}) bar", item.question)
            assert found is not None
            (bar,) = (thing for thing in item.objects if thing.attributes["color"] == found[1])
        assert int(bar.attributes["value"]) == item.answer
        # Heights are proportional to values: all bars agree on the axis's length to a pixel's rounding.
        heights = [(t.box[3] - t.box[1], int(t.attributes["value"])) for t in item.objects]
        full = max(heights)[0] * top / max(heights)[1]
        assert all(abs(height - number * full / top) <= 1.6 for height, number in heights)
        for thing in item.objects:
            x, y = int(center(thing)[0]), int(thing.box[3]) - 3
            want = np.array(COLORS[thing.attributes["color"]])
            np.testing.assert_array_equal(item.images[0][y, x], want)


@each_difficulty
def test_point(difficulty: int) -> None:
    for item in sample("point", difficulty):
        named = [thing for thing in item.objects if re.search(rf"\b{thing.name}\b", item.question)]
        assert len(named) == 1
        assert item.answer == {"box": list(named[0].box)}
        assert len({thing.name for thing in item.objects}) == len(item.objects)
        for at, thing in enumerate(item.objects):
            assert thing.box[1] >= 36, "elements lie below the title bar"
            for other in item.objects[:at]:
                assert (
                    thing.box[2] <= other.box[0]
                    or other.box[2] <= thing.box[0]
                    or thing.box[3] <= other.box[1]
                    or other.box[3] <= thing.box[1]
                ), (item.id, thing, other)


def test_hard_screens_repeat_a_label_in_another_color() -> None:
    for item in sample("point", 3, 20):
        labels = Counter(t.attributes["text"] for t in item.objects if t.label == "button")
        assert max(labels.values()) == 2


@pytest.mark.parametrize("name", ["degradation", "quality"])
def test_quality_answers(name: str) -> None:
    for item in sample(name, 3, 40):
        kind, severity = item.subsets["degradation"], int(item.subsets["severity"])
        assert (kind == "none") == (severity == 0)
        if name == "quality":
            assert item.answer == 5 - severity
        else:
            words = {"none": "none", "blocks": "compression", "contrast": "low contrast", "dark": "too dark"}
            assert chosen(item).startswith(words.get(kind, kind))
        for fact in item.facts:
            if "degradation" in fact.question:
                assert fact.answer == (kind == "none")
            elif "sun" in fact.question:
                (sun,) = (thing for thing in item.objects if thing.label == "sun")
                side = "left" if center(sun)[0] < 144 else "right"
                assert fact.answer == (f"the {side} side" in fact.question)
            elif "walls" in fact.question:
                (house,) = (thing for thing in item.objects if thing.label == "house")
                assert fact.answer == (house.attributes["color"] in fact.question)
            else:
                trees = sum(thing.label == "tree" for thing in item.objects)
                number = {"one": 1, "two": 2, "2": 2, "3": 3}[fact.question.split()[5]]
                assert fact.answer == (trees == number)


def visible(frame: Pixels, color: str) -> tuple[float, float] | None:
    """The centre of the pixels of exactly a named colour, if there are at least 100."""
    ys, xs = np.nonzero((frame == np.array(COLORS[color])).all(axis=2))
    return (float(xs.mean()), float(ys.mean())) if xs.size >= 100 else None


@each_difficulty
def test_order_by_pixels(difficulty: int) -> None:
    checks: dict[str, Callable[[SyntheticItem], str]] = {
        "direction": moved,
        "appear-first": lambda item: ranked(item, appears=True)[0],
        "appear-last": lambda item: ranked(item, appears=True)[-1],
        "disappear-first": lambda item: ranked(item, appears=False)[0],
        "disappear-last": lambda item: ranked(item, appears=False)[-1],
        "stay-last": lambda item: ranked(item, appears=False)[-1],
    }
    seen = set()
    for item in sample("order", difficulty, 60):
        seen.add(item.subsets["question"])
        assert chosen(item) == checks[item.subsets["question"]](item), item.id
    assert seen == set(checks) - {"disappear-last" if difficulty == 1 else "stay-last"}


def moved(item: SyntheticItem) -> str:
    found = re.search(rf"({COLOR}) (?:{SHAPE})", item.question)
    assert found is not None
    first, last = visible(item.images[0], found[1]), visible(item.images[-1], found[1])
    assert first is not None
    assert last is not None
    dx, dy = last[0] - first[0], last[1] - first[1]
    assert max(abs(dx), abs(dy)) > 60
    if abs(dx) > abs(dy):
        return "right" if dx > 0 else "left"
    return "down" if dy > 0 else "up"


def ranked(item: SyntheticItem, appears: bool) -> list[str]:
    """Object names by the number of the frame in which they come (or go)."""
    when = {}
    for thing in item.objects:
        shown = [visible(frame, thing.attributes["color"]) is not None for frame in item.images]
        when[thing.name] = shown.index(True) if appears else len(shown) - shown[::-1].index(True)
    assert len(set(when.values())) == 4
    return sorted(when, key=when.__getitem__)


def test_every_label_fits_the_narrowest_slot() -> None:
    """Screens: body at least 344 pixels wide, two or three columns, four pixels free on each side."""
    for face, slot, side in (("regular-20", 164, 28), ("regular-14", 106, 18)):
        bold = face.replace("regular", "bold")
        assert all(side + 8 + text_size(text, face)[0] <= slot for text in words.OPTIONS)
        assert all(text_size(text, face)[0] + 22 <= slot for text in words.FIELDS)
        assert all(text_size(text, bold)[0] + 12 <= slot for text in words.BUTTONS)
