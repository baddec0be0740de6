"""Pointing at a named element of a rendered window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmeval.tasks.synthetic import words
from mmeval.tasks.synthetic.canvas import Canvas, Color, mix
from mmeval.tasks.synthetic.context import Context
from mmeval.tasks.synthetic.model import Fact, SceneObject, SyntheticItem
from mmeval.tasks.synthetic.rng import Rng
from mmeval.tasks.synthetic.scenes import COLORS, an, listing, pick_facts, zone
from mmeval.tasks.synthetic.text import draw_centered, draw_text, text_size

WIDTH, HEIGHT = 384, 288
_BUTTON_COLORS = ("red", "green", "blue", "purple", "orange", "black", "gray")
_ICONS = ("star", "heart", "circle", "diamond", "triangle", "cross", "hexagon")
_DESKTOPS: tuple[tuple[Color, Color], ...] = (
    ((96, 140, 190), (60, 90, 150)),
    ((110, 160, 140), (60, 110, 100)),
    ((170, 140, 180), (100, 80, 130)),
    ((190, 160, 130), (130, 100, 80)),
)
_INK: Color = (40, 44, 54)
_GRIDS = {1: (2, 2), 2: (2, 3), 3: (3, 4)}
"""Columns and rows of slots for elements."""
_ELEMENTS = {1: (3, 4), 2: (5, 6), 3: (9, 12)}
_KINDS = ("button", "button", "icon", "text field", "check box")


@dataclass(frozen=True, slots=True)
class Element:
    kind: str
    color: str
    text: str
    state: str = ""

    @property
    def name(self) -> str:
        if self.kind == "button":
            return f"{self.color} {self.text} button"
        if self.kind == "icon":
            return f"{self.color} {self.text} icon"
        return f"{self.text} {self.kind}"


Slot = tuple[int, int, int, int]


def _elements(rng: Rng, difficulty: int) -> list[Element]:
    """Elements with different names; at difficulty 3 two buttons share their text but not their colour."""
    number = rng.between(*_ELEMENTS[difficulty])
    pools = {
        "button": rng.sample(words.BUTTONS, len(words.BUTTONS)),
        "text field": rng.sample(words.FIELDS, len(words.FIELDS)),
        "check box": rng.sample(words.OPTIONS, len(words.OPTIONS)),
    }
    icons = rng.sample([(c, s) for c in COLORS for s in _ICONS], number)
    found: list[Element] = []
    for at in range(number):
        kind = rng.choice(_KINDS)
        if not pools.get(kind, [""]):
            kind = "icon"  # all texts of that kind are used
        if kind == "button":
            found.append(Element(kind, rng.choice(_BUTTON_COLORS), pools[kind].pop()))
        elif kind == "icon":
            found.append(Element(kind, *icons[at]))
        elif kind == "check box":
            found.append(Element(kind, "white", pools[kind].pop(), rng.choice(("checked", "unchecked"))))
        else:
            found.append(Element(kind, "white", pools[kind].pop()))
    if difficulty == 3:
        color, other = rng.sample(_BUTTON_COLORS, 2)
        text = pools["button"].pop()
        found[:2] = [Element("button", color, text), Element("button", other, text)]
    rng.shuffle(found)
    return found


def _button(canvas: Canvas, slot: Slot, element: Element, face: str, rng: Rng) -> Slot:
    x0, y0, x1, y1 = slot
    width = min(text_size(element.text, face)[0] + rng.between(24, 40), x1 - x0)
    height = min(30 if face.endswith("14") else 44, y1 - y0)
    x = x0 + rng.below(x1 - x0 - width + 1)
    y = y0 + rng.below(y1 - y0 - height + 1)
    color = COLORS[element.color]
    canvas.rounded(x + 1, y + 2, x + width + 1, y + height + 2, (205, 208, 214), 7)
    box = (x, y, x + width, y + height)
    canvas.framed(box, color, mix(color, (0, 0, 0), 25), 7, 1)
    draw_centered(canvas, x + width // 2, y + height // 2, element.text, face, (255, 255, 255))
    return box


def _icon(canvas: Canvas, slot: Slot, element: Element, face: str, rng: Rng) -> Slot:
    x0, y0, x1, y1 = slot
    side = min(34 if face.endswith("14") else 54, y1 - y0)
    x = x0 + rng.below(x1 - x0 - side + 1)
    y = y0 + rng.below(y1 - y0 - side + 1)
    box = (x, y, x + side, y + side)
    canvas.framed(box, (244, 246, 250), (176, 182, 194), 8, 1)
    pad = side // 6
    canvas.shape(element.text, x + pad, y + pad, side - 2 * pad, COLORS[element.color], shadow=False)
    return box


def _field(canvas: Canvas, slot: Slot, element: Element, face: str, rng: Rng) -> Slot:
    x0, y0, x1, y1 = slot
    height = min(28 if face.endswith("14") else 40, y1 - y0)
    needed = text_size(element.text, face)[0] + 22
    width = max(min(needed + rng.between(10, 60), x1 - x0), min(needed, x1 - x0))
    x = x0 + rng.below(x1 - x0 - width + 1)
    y = y0 + rng.below(y1 - y0 - height + 1)
    box = (x, y, x + width, y + height)
    canvas.framed(box, (255, 255, 255), (150, 156, 170), 4, 2)
    draw_text(canvas, x + 10, y + height // 2, element.text, face.replace("bold", "regular"), (118, 124, 136))
    return box


def _check_box(canvas: Canvas, slot: Slot, element: Element, face: str, rng: Rng) -> Slot:
    x0, y0, x1, y1 = slot
    side = 18 if face.endswith("14") else 28
    width = side + 8 + text_size(element.text, face)[0]
    x = x0 + rng.below(max(x1 - x0 - width, 0) + 1)
    y = y0 + rng.below(y1 - y0 - side + 1)
    checked = element.state == "checked"
    fill: Color = COLORS["blue"] if checked else (255, 255, 255)
    canvas.framed((x, y, x + side, y + side), fill, (110, 118, 134), 4, 2)
    if checked:
        for step in range(side // 5):  # the tick: a short stroke down, a long one up
            canvas.rect(x + side // 4 + step, y + side // 2 + step - 1, x + side // 4 + step + 2,
                        y + side // 2 + step + 2, (255, 255, 255))  # fmt: skip
        corner_x, corner_y = x + side // 4 + side // 5 - 1, y + side // 2 + side // 5 - 1
        for step in range(side * 2 // 5 + 1):
            canvas.rect(corner_x + step, corner_y - step - 1, corner_x + step + 2, corner_y - step + 2,
                        (255, 255, 255))  # fmt: skip
    draw_text(canvas, x + side + 8, y + side // 2, element.text, face.replace("bold", "regular"), _INK)
    return x, y, x + width, y + side


_DRAW: dict[str, Callable[[Canvas, Slot, Element, str, Rng], Slot]] = {
    "button": _button,
    "icon": _icon,
    "text field": _field,
    "check box": _check_box,
}


def _window(rng: Rng, title: str) -> tuple[Canvas, Slot]:
    """A window on a desktop, and the part of it where elements go."""
    top, bottom = rng.choice(_DESKTOPS)
    canvas = Canvas(WIDTH, HEIGHT, top, bottom)
    x0, y0 = rng.between(4, 12), rng.between(4, 12)
    x1, y1 = WIDTH - rng.between(4, 12), HEIGHT - rng.between(4, 12)
    canvas.rounded(x0 + 3, y0 + 4, x1 + 3, y1 + 4, mix(bottom, (0, 0, 0), 35), 10)
    canvas.framed((x0, y0, x1, y1), (250, 250, 252), (120, 124, 134), 10, 1)
    canvas.rounded(x0 + 1, y0 + 1, x1 - 1, y0 + 30, (222, 226, 234), 9)
    canvas.rect(x0 + 1, y0 + 18, x1 - 1, y0 + 31, (222, 226, 234))
    canvas.rect(x0 + 1, y0 + 31, x1 - 1, y0 + 32, (190, 194, 204))
    draw_text(canvas, x0 + 12, y0 + 16, title, "bold-14", _INK)
    for at, color in enumerate(((160, 166, 178), (160, 166, 178), (232, 90, 80))):
        canvas.shape("circle", x1 - 60 + 18 * at, y0 + 10, 12, color, shadow=False)
    return canvas, (x0 + 8, y0 + 38, x1 - 8, y1 - 6)


def point(context: Context) -> SyntheticItem:
    """Where to click: the answer is the element's box, any point of which counts."""
    rng = context.scene_rng("scene")
    elements = _elements(rng, context.difficulty)
    title = rng.choice(words.WINDOWS)
    canvas, (x0, y0, x1, y1) = _window(rng, title)
    columns, rows = _GRIDS[context.difficulty]
    face = "bold-20" if context.difficulty == 1 else "bold-14"
    cells = rng.sample(range(columns * rows), len(elements))
    width, height = (x1 - x0) // columns, (y1 - y0) // rows
    boxes = []
    for element, cell in zip(elements, cells, strict=True):
        left, top = x0 + cell % columns * width, y0 + cell // columns * height
        slot = (left + 4, top + 4, left + width - 4, top + height - 4)
        boxes.append(_DRAW[element.kind](canvas, slot, element, face, rng))
    asked = context.balanced("slot", 12) % len(elements)
    name = elements[asked].name
    question = context.item_rng("words").choice(
        (
            f"Click on the {name}.",
            f"Where is the {name}?",
            f"Point to the {name}.",
            f"Which point should I tap to use the {name}?",
        )
    )
    objects = tuple(_object(element, box) for element, box in zip(elements, boxes, strict=True))
    return SyntheticItem(
        id=context.item_id,
        question=question,
        images=(canvas.pixels,),
        is_video=False,
        answer={"box": list(objects[asked].box)},
        choices=None,
        facts=_facts(context.item_rng("facts"), elements, title),
        objects=objects,
        caption=_caption(elements, boxes, title),
        subsets={"difficulty": str(context.difficulty), "element": elements[asked].kind},
        cluster=context.cluster,
    )


def _object(element: Element, box: Slot) -> SceneObject:
    attributes = {"color": element.color, "text": element.text}
    if element.kind == "icon":
        attributes = {"color": element.color, "shape": element.text}
    if element.state:
        attributes["state"] = element.state
    x0, y0, x1, y1 = box
    return SceneObject(element.name, element.kind, attributes, (float(x0), float(y0), float(x1), float(y1)))


def _caption(elements: list[Element], boxes: list[Slot], title: str) -> str:
    parts = []
    for element, (x0, y0, x1, y1) in zip(elements, boxes, strict=True):
        x, y = (x0 + x1) // 2, (y0 + y1) // 2
        words_ = f"{element.state} {element.name}" if element.state else element.name
        parts.append(f"{an(words_)} {zone(x, y, WIDTH, HEIGHT)} (x {x}, y {y})")
    return f'A screen of {WIDTH} by {HEIGHT} pixels shows a window titled "{title}" with {listing(parts)}.'


def _facts(rng: Rng, elements: list[Element], title: str) -> tuple[Fact, ...]:
    kinds = ("button", "icon", "text field", "check box")
    counted = rng.choice(kinds)
    number = sum(element.kind == counted for element in elements)
    counted_plural = "check boxes" if counted == "check box" else counted + "s"
    texts = {element.text for element in elements}
    absent = rng.choice([text for text in words.BUTTONS if text not in texts])
    other_title = rng.choice([name for name in words.WINDOWS if name != title])
    true = [
        f"Is there {an(rng.choice(elements).name)} in the window?",
        f'Is the title of the window "{title}"?',
        f"Is the number of {counted_plural} in the window {number}?",
    ]
    false = [
        f"Is there {an(absent)} button in the window?",
        f'Is the title of the window "{other_title}"?',
        f"Is the number of {counted_plural} in the window {number + 1}?",
    ]
    for element in elements:
        if element.state:
            true.append(f"Is the {element.text} check box {element.state}?")
            other = "unchecked" if element.state == "checked" else "checked"
            false.append(f"Is the {element.text} check box {other}?")
            break
    return pick_facts(rng, true, false)
