"""The right action of a step, read from the forms in which data sets of screens give it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.coordinates import Box
from mmeval.verifiers.gui.action import (
    OPPOSITE,
    Action,
    Kind,
    ParseError,
    Point,
    finger_direction,
    gold_point,
    key_name,
)

_SWIPE = 0.04
"""Shares of the screen that a touch moves at least when it is a swipe (AITZ, AgentCPM-GUI)."""


@dataclass(frozen=True, slots=True)
class Gold:
    """The right action, and where its target is."""

    action: Action
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """The target's own, (x1, y1, x2, y2) in pixels of the original image."""
    elements: tuple[tuple[float, float, float, float], ...] = ()
    """Boxes of the screen's elements, in the same form; which of them is the target is not known."""

    def as_json(self) -> dict[str, Any]:
        """Return action and boxes as a JSON object that `read_gold` reads."""
        groups = {"boxes": self.boxes, "elements": self.elements}
        return {
            **self.action.as_json(),
            **{name: [list(box) for box in boxes] for name, boxes in groups.items() if boxes},
        }


def read_gold(target: Any, context: AnswerContext) -> Gold:
    """Return the gold of a row.

    Args:
        target: an action as `Action.as_json` gives it, with `box`, `boxes` or `elements` beside, in pixels of the original
            image; or an object whose `schema` names a data set's own form: `android-control`, `aitz`, `odyssey`, `gui-r1`, `magicgui`.
        context: the sample's, for its image size.

    Raises:
        DataError: when it is none of these, naming the key.
    """
    if not isinstance(target, Mapping):
        raise DataError(f"target {str(target)[:80]!r} is no action", remedy="give an object with kind, or with schema")
    schema = target.get("schema")
    if schema is None:
        plain = {name: value for name, value in target.items() if name not in ("box", "boxes", "elements")}
        boxes = [target["box"]] if target.get("box") is not None else target.get("boxes") or []
        elements = target.get("elements") or []
        return Gold(Action.of(plain), tuple(map(_box, boxes)), tuple(map(_box, elements)))
    if schema not in _SCHEMAS:
        raise DataError(f"target: unknown schema {schema!r}", remedy=f"use one of {', '.join(sorted(_SCHEMAS))}")
    if context.image_size is None:
        raise DataError(f"target of schema {schema!r} needs the image size", remedy="give the sample its image")
    try:
        return _SCHEMAS[str(schema)](target, context.image_size)
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise DataError(
            f"target of schema {schema!r} cannot be read: {error!r}: {str(dict(target))[:120]}",
            remedy="check the card's fields.answer against the row",
        ) from error
    except ParseError as error:
        raise DataError(f"target of schema {schema!r}: {error}", remedy="correct the row") from error


def _box(value: Any) -> tuple[float, float, float, float]:
    numbers = list(value) if isinstance(value, (list, tuple)) else []
    if len(numbers) != 4:
        raise DataError(f"target: box {value!r} is no box", remedy="give [x1, y1, x2, y2]")
    (left, top), (right, bottom) = gold_point(numbers[:2], "box"), gold_point(numbers[2:], "box")
    if left > right or top > bottom:
        raise DataError(f"target: box {value!r} has its corners the wrong way round", remedy="give [x1, y1, x2, y2]")
    return left, top, right, bottom


def _element(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """One of a screen's elements, as the accessibility tree has it: some lie outside, or have no extent."""
    return float(left), float(top), float(right), float(bottom)


def _read(value: Any) -> Any:
    """A cell that holds JSON as text."""
    return json.loads(value) if isinstance(value, str) else value


def _android_control(target: Mapping[str, Any], size: tuple[int, int]) -> Gold:
    """The data set's own action: {"action_type": "click", "x": 540, "y": 1200}, pixels; directions say what comes into view."""
    action = _read(target["action"])
    kind = str(action["action_type"])
    elements = tuple(_element(*box) for box in _read(target.get("elements") or []))
    if kind in ("click", "long_press"):
        place = gold_point([action["x"], action["y"]], "point")
        return Gold(Action("click" if kind == "click" else "long-press", place), elements=elements)
    if kind == "scroll":
        return Gold(Action("scroll", direction=OPPOSITE[OPPOSITE[str(action["direction"]).lower()]]))
    if kind in ("input_text", "type"):
        return Gold(Action("type", text=str(action["text"])))
    if kind == "open_app":
        return Gold(Action("open-app", app=str(action["app_name"])))
    plain: Mapping[str, Action] = {
        "navigate_back": Action("press", key="back"), "navigate_home": Action("press", key="home"), "wait": Action("wait"),
        "keyboard_enter": Action("press", key="enter"), "finish": Action("stop"), "status": Action("stop"),
    }  # fmt: skip
    return Gold(plain[kind])


def _aitz(target: Mapping[str, Any], size: tuple[int, int]) -> Gold:
    """Rows of AITZ's form, as AgentCPM-GUI and MagicGUI make them of AndroidControl and GUI-Odyssey: touch and lift as
    [y, x] from 0 to 1, `ui_positions` as [y, x, height, width]."""
    width, height = size
    kind = int(target["result_action_type"])
    elements = tuple(
        _element(x * width, y * height, (x + w) * width, (y + h) * height)
        for y, x, h, w in _read(target.get("ui_positions") or "[]")
    )
    if kind in (0, 4):
        touch, lift = (_read(target[name]) for name in ("result_touch_yx", "result_lift_yx"))
        start, end = (gold_point([place[1] * width, place[0] * height], "point") for place in (touch, lift))
        if kind == 0:
            return Gold(Action("long-press", start), elements=elements)
        if math.dist(touch, lift) <= _SWIPE:
            return Gold(Action("click", start), elements=elements)
        return Gold(Action("scroll", direction=OPPOSITE[finger_direction(start, end, size)]))
    if kind == 3:
        return Gold(Action("type", text=str(target["result_action_text"])))
    plain: Mapping[int, Action] = {
        1: Action("wait"), 5: Action("press", key="back"), 6: Action("press", key="home"), 7: Action("press", key="enter"),
        10: Action("stop"), 11: Action("stop", detail="failure"),
    }  # fmt: skip
    return Gold(plain[kind])


def _odyssey(target: Mapping[str, Any], size: tuple[int, int]) -> Gold:
    """GUI-Odyssey's annotation: `action`, `info` (points from 0 to 1000, keys as KEY_HOME), `box` (sam2_bbox)."""
    kind, info = str(target["action"]).upper(), target.get("info")
    if isinstance(info, str) and info.strip().startswith("["):
        info = _read(info)
    boxes = _thousandth_box(target.get("box"), size)
    if kind == "CLICK" and isinstance(info, str):
        return Gold(Action("press", key=key_name(info.removeprefix("KEY_"))))
    if kind in ("CLICK", "LONG_PRESS"):
        return Gold(Action("click" if kind == "CLICK" else "long-press", _thousandths(_first(info), size)), boxes)
    if kind == "SCROLL":
        if isinstance(info, str):
            return Gold(Action("scroll", direction=OPPOSITE[info.strip().lower()]))
        start, end = (_thousandths(place, size) for place in (info or ()))
        return Gold(Action("scroll", direction=OPPOSITE[finger_direction(start, end, size)]))
    if kind in ("TYPE", "TEXT"):
        return Gold(Action("type", text=str(info)))
    if kind in ("HOME", "BACK", "PRESS_HOME", "PRESS_BACK", "PRESS_RECENT", "RECENT"):
        return Gold(Action("press", key=key_name(kind.removeprefix("PRESS_"))))
    ends: Mapping[str, Action] = {
        "COMPLETE": Action("stop"), "INCOMPLETE": Action("stop", detail="failure"), "IMPOSSIBLE": Action("stop", detail="failure"),
    }  # fmt: skip
    return Gold(ends[kind])


def _first(info: Any) -> Any:
    return info[0] if info and isinstance(info[0], (list, tuple)) else info


def _thousandth_box(box: Any, size: tuple[int, int]) -> tuple[tuple[float, float, float, float], ...]:
    """No box, or one."""
    numbers = _read(box)
    return (_box([number * size[index % 2] / 1000 for index, number in enumerate(numbers)]),) if numbers else ()


def _thousandths(place: Sequence[float], size: tuple[int, int]) -> Point:
    return gold_point([place[0] * size[0] / 1000, place[1] * size[1] / 1000], "point")


_R1_PLAIN: Mapping[str, Action] = {
    "press_back": Action("press", key="back"), "navigate_back": Action("press", key="back"), "back": Action("press", key="back"),
    "press_home": Action("press", key="home"), "navigate_home": Action("press", key="home"), "home": Action("press", key="home"),
    "press_enter": Action("press", key="enter"), "enter": Action("press", key="enter"), "press_recent": Action("press", key="recent"),
    "appselect": Action("press", key="recent"), "wait": Action("wait"), "complete": Action("stop"), "finished": Action("stop"),
    "impossible": Action("stop", detail="failure"), "incomplete": Action("stop", detail="failure"),
}  # fmt: skip
_R1_KINDS: Mapping[str, Kind] = {
    "click": "click", "moveto": "move", "doubleclick": "double-click", "rightclick": "right-click", "long_press": "long-press",
}  # fmt: skip


def _gui_r1(target: Mapping[str, Any], size: tuple[int, int]) -> Gold:
    """Rows of GUI-R1: `gt_action`, `gt_bbox` (a point, or a box whose first two numbers count), `gt_input_text`."""
    kind, box, text = str(target["action"]).lower(), _read(target.get("box")), target.get("text")
    if kind in _R1_KINDS:
        return Gold(Action(_R1_KINDS[kind], gold_point(list(box)[:2], "point")))
    if kind == "scroll":
        return Gold(Action("scroll", direction=OPPOSITE[OPPOSITE[str(text).strip().lower()]]))
    if kind in ("type", "input_text"):
        return Gold(Action("type", text=str(text)))
    if kind == "open_app":
        return Gold(Action("open-app", app=str(text)))
    return Gold(_R1_PLAIN[kind])


def _magicgui(target: Mapping[str, Any], size: tuple[int, int]) -> Gold:
    """An action as MagicGUI's function text, points from 0 to 1000, and the target's `box` in the same space."""
    from mmeval.verifiers.gui.dialects import get_dialect, state

    found = state(str(target["action"]), AnswerContext(image_size=size), get_dialect("magicgui"), {})
    if found.action is None:
        raise ParseError(f"{str(target['action'])[:80]!r}: {found.reason}")
    return Gold(found.action, _thousandth_box(target.get("box"), size))


_SCHEMAS: Mapping[str, Callable[[Mapping[str, Any], tuple[int, int]], Gold]] = {
    "android-control": _android_control,
    "aitz": _aitz,
    "odyssey": _odyssey,
    "gui-r1": _gui_r1,
    "magicgui": _magicgui,
}


def nearest_boxes(
    boxes: Sequence[Box | tuple[float, ...]], point: Point, size: tuple[int, int], count: int
) -> list[tuple[float, ...]]:
    """Return the boxes whose centres are nearest to a point, as shares of the screen's sides."""

    def distance(box: Sequence[float]) -> float:
        return math.hypot(((box[0] + box[2]) / 2 - point[0]) / size[0], ((box[1] + box[3]) / 2 - point[1]) / size[1])

    return sorted((tuple(box) for box in boxes), key=distance)[:count]
