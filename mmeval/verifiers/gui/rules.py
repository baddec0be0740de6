"""When a step on a screen is right: mmeval's own rule, and those of published evaluators.

Sources: OS-Atlas (android_control/evaluation_unify.py), AgentCPM-GUI (evaluator.py, after Qwen2.5-VL's), GUI-R1
(eval_omni.py), AITW (action_matching.py, as SeeClick uses it), GUI-Odyssey (GUIOdyssey_action_matching.py), MagicGUI (evaluator_honor.py, and the README's table of rewards).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mmeval.core.errors import DataError
from mmeval.verifiers.gui.action import Action, Point
from mmeval.verifiers.gui.gold import Gold, nearest_boxes

CLICKS = frozenset({"click", "double-click", "triple-click", "right-click", "middle-click", "long-press"})
POINTED = CLICKS | {"move", "drag"}
_ROUNDING = 1 + 1e-9
"""Distances are computed from pixels: one that is exactly at the limit must not fall beyond it."""


@dataclass(frozen=True, slots=True)
class Step:
    """How an action compares with the right one."""

    type: bool
    right: bool
    grounding: bool = False
    """Whether the point is right."""
    grounded: bool = False
    """Whether the step counts for the grounding accuracy."""
    counted: bool = True
    """Whether the step counts for a step success that leaves some out (GUI-R1)."""


Size = tuple[int, int]
Rule = Callable[[Action, Gold, Size], Step]


def distance(first: Point, second: Point, size: Size) -> float:
    """Return the distance of two points as shares of the screen's sides."""
    return math.hypot((first[0] - second[0]) / size[0], (first[1] - second[1]) / size[1])


def within(first: Point | None, second: Point | None, size: Size, limit: float) -> bool:
    """Whether two points are there and no further apart than a share of the screen."""
    return first is not None and second is not None and distance(first, second, size) <= limit * _ROUNDING


def inside(point: Point | None, box: tuple[float, ...]) -> bool:
    """Whether a point is there and lies in a box, edges included."""
    return point is not None and box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def token_f1(first: str, second: str) -> float:
    """Return the F1 of two texts' sets of words, lower case, square brackets left out.

    Two single words of which one holds the other count as equal (MagicGUI, GUI-R1).
    """
    words, others = (set(text.replace("[", "").replace("]", "").lower().split()) for text in (first, second))
    if len(words) == len(others) == 1:
        one, other = next(iter(words)), next(iter(others))
        if one in other or other in one:
            return 1.0
    shared = len(words & others)
    return 2 * shared / (len(words) + len(others)) if shared else 0.0


def contained(first: str, second: str) -> bool:
    """Whether one of two texts stands in the other, lower case, without outer white space."""
    one, other = first.lower().strip(), second.lower().strip()
    return one in other or other in one


def _on_target(action: Action, gold: Gold, size: Size) -> bool:
    """In one of the target's boxes; within 14 % of the screen where only a point is given.

    The screen's elements do not matter: which of them is meant is not known, and some are as large as the screen.
    """
    if gold.boxes:
        return any(inside(action.point, box) for box in gold.boxes)
    return within(action.point, gold.action.point, size, 0.14)


def _mmeval(action: Action, gold: Gold, size: Size) -> Step:
    wanted = gold.action
    same = action.kind == wanted.kind
    pointed = wanted.kind in POINTED and (wanted.point is not None or bool(gold.boxes))
    hit = pointed and same and _on_target(action, gold, size)
    right = same and (hit or not pointed) and _details(action, wanted, size)
    return Step(same, right, hit, pointed)


def _details(action: Action, wanted: Action, size: Size) -> bool:
    if wanted.kind == "drag":
        return within(action.end, wanted.end, size, 0.14)
    if wanted.kind in ("type", "answer"):
        return _same(action.text, wanted.text)
    if wanted.kind == "open-app":
        return _same(action.app, wanted.app)
    if wanted.kind == "call-api":
        return (action.app, action.detail) == (wanted.app, wanted.detail)
    return (action.direction, action.key) == (wanted.direction, wanted.key)


def _same(first: str | None, second: str | None) -> bool:
    first, second = " ".join((first or "").split()).lower(), " ".join((second or "").split()).lower()
    words, others = set(first.split()), set(second.split())
    return first == second or 2 * len(words & others) >= 0.5 * (len(words) + len(others)) > 0


def _os_atlas_type(action: Action) -> tuple[str, str | None, bool]:
    """Keys are types of their own, PRESS_BACK and PRESS_HOME, and so are COMPLETE and IMPOSSIBLE."""
    return action.kind, action.key, action.kind == "stop" and action.detail == "failure"


def _os_atlas(action: Action, gold: Gold, size: Size) -> Step:
    """AndroidControl by OS-Atlas. Of texts only the first word is compared, as the script has it."""
    wanted = gold.action
    same = _os_atlas_type(action) == _os_atlas_type(wanted)
    if not same:
        return Step(False, False)
    if wanted.kind in ("click", "long-press"):
        right = within(action.point, wanted.point, size, 0.14)
    elif wanted.kind in ("type", "open-app"):
        first, second = (_written(one) for one in (action, wanted))
        right = first == second or first.split()[:1] == second.split()[:1]
    else:
        right = action.direction == wanted.direction
    return Step(True, right, right and wanted.kind == "click", wanted.kind == "click")


def _written(action: Action) -> str:
    """What the scripts compare: the text in its brackets, lower case."""
    return f"[{(action.text if action.kind == 'type' else action.app) or ''}]".lower()


def _os_atlas_odyssey(action: Action, gold: Gold, size: Size) -> Step:
    """GUI-Odyssey by OS-Atlas: texts by the F1 of the whole line; a long press counts for the grounding, and is never a hit of it."""
    found, wanted = _os_atlas(action, gold, size), gold.action
    if found.type and wanted.kind == "type":
        words, others = ({"type", *_written(one).split()} for one in (action, wanted))
        right = words == others or 2 * len(words & others) > 0.5 * (len(words) + len(others))
        return replace(found, right=right)
    pointed = found.type and wanted.kind in ("click", "long-press")
    whole = not pointed or _whole(action.point, size)
    return replace(found, right=found.right and whole, grounding=found.grounding and whole, grounded=pointed)


def _whole(point: Point | None, size: Size) -> bool:
    """Whether the point was written as two whole thousandths."""
    if point is None:
        return False
    written = (point[0] * 1000 / size[0], point[1] * 1000 / size[1])
    return all(abs(number - round(number)) < 1e-6 for number in written)


def _enlarged(box: tuple[float, ...], size: Size) -> tuple[float, ...]:
    """A box 1.2 times as large, as AgentCPM-GUI does it: the upper left corner stays in the screen, each side is the screen's at most."""
    left, top = box[0] / size[0], box[1] / size[1]
    width, height = box[2] / size[0] - left, box[3] / size[1] - top
    left, top = max(0.0, left - 0.1 * width), max(0.0, top - 0.1 * height)
    right, bottom = left + min(1.0, 1.2 * width), top + min(1.0, 1.2 * height)
    return left * size[0], top * size[1], right * size[0], bottom * size[1]


def _candidate(action: Action, gold: Gold, size: Size, limit: float, nearest: bool) -> bool:
    place = gold.action.point
    if place is None:
        return any(inside(action.point, box) for box in gold.boxes)
    boxes: list[tuple[float, ...]] = [_enlarged(box, size) for box in (*gold.boxes, *gold.elements)]
    boxes = nearest_boxes(boxes, place, size, 5) if nearest else [box for box in boxes if inside(place, box)]
    return any(inside(action.point, box) for box in boxes) or within(action.point, place, size, limit)


def _agent_kind(action: Action, *, wait_stops: bool) -> str:
    return "stop" if wait_stops and action.kind == "wait" else action.kind


def _agent(limit: float, *, nearest: bool, long_press_clicks: bool) -> Rule:
    """AgentCPM-GUI's evaluator, after that of Qwen2.5-VL."""

    def rule(action: Action, gold: Gold, size: Size) -> Step:
        wanted = gold.action
        if long_press_clicks and wanted.kind == "long-press":
            wanted = replace(wanted, kind="click")  # stored as a touch like any other
        kind = _agent_kind(wanted, wait_stops=True)
        same = _agent_kind(action, wait_stops=True) == kind
        pointed = kind in ("click", "long-press")
        hit = same and pointed and _candidate(action, gold, size, limit, nearest)
        right = same and (hit if pointed else _agent_details(action, wanted))
        return Step(same, right, hit, pointed)

    return rule


def _agent_details(action: Action, wanted: Action) -> bool:
    if wanted.kind == "type":
        return contained(action.text or "", wanted.text or "")
    if wanted.kind == "scroll":
        return action.direction == wanted.direction
    return wanted.kind != "press" or action.key == wanted.key


def _aitw_kind(action: Action) -> tuple[str, str | None, bool]:
    """Touches of the screen are one type, clicks and scrolls; each key is another, and so is each way to stop."""
    kind = "touch" if action.kind in ("click", "scroll") else action.kind
    return kind, action.key, kind == "stop" and action.detail == "failure"


def _aitw(action: Action, gold: Gold, size: Size) -> Step:
    """AITW's action matching: of scrolls the axis alone counts, of texts nothing."""
    wanted = gold.action
    same = _aitw_kind(action) == _aitw_kind(wanted)
    pointed = wanted.kind == "click"
    if not same or wanted.kind not in ("click", "scroll"):
        return Step(same, same, False, pointed)
    if action.kind != wanted.kind:
        return Step(True, False, False, pointed)
    if wanted.kind == "scroll":
        upright = ("up", "down")
        right = (action.direction in upright) == (wanted.direction in upright)
        return Step(True, right)
    shared = [box for box in (_augmented(box, size) for box in gold.elements) if inside(wanted.point, box)]
    hit = any(inside(action.point, box) for box in shared) or within(action.point, wanted.point, size, 0.14)
    return Step(True, hit, hit, True)


def _augmented(box: tuple[float, ...], size: Size) -> tuple[float, ...]:
    """2.4 times as wide and high about its centre; at the screen's left and upper edge it is moved, not cut, as the script does."""
    (left, top, right, bottom), (width, height) = box, size
    wide, high = min(float(width), 2.4 * (right - left)), min(float(height), 2.4 * (bottom - top))
    x, y = max(0.0, left - 0.7 * (right - left)), max(0.0, top - 0.7 * (bottom - top))
    return x, y, x + wide, y + high


def _gui_r1(action: Action, gold: Gold, size: Size) -> Step:
    """GUI-R1: the point counts whatever the type is, and steps with neither point nor text are not counted."""
    wanted = gold.action
    same = (action.kind, action.key) == (wanted.kind, wanted.key)
    if wanted.kind in POINTED:
        hit = (
            action.point is not None and wanted.point is not None and distance(action.point, wanted.point, size) < 0.14
        )
        return Step(same, hit, hit, True)
    if wanted.kind in ("type", "open-app", "scroll"):
        said, gold_text = (one.text or one.app or one.direction or "" for one in (action, wanted))
        return Step(same, token_f1(said, gold_text) >= 0.5)
    return Step(same, same, counted=False)


def _odyssey(action: Action, gold: Gold, size: Size) -> Step:
    """GUI-Odyssey's action matching score: in the element's box, or within 14 %; texts by containment or half the edit distance."""
    wanted = gold.action
    same = (action.kind, action.key, action.detail == "failure") == (
        wanted.kind,
        wanted.key,
        wanted.detail == "failure",
    )
    pointed = wanted.kind in ("click", "long-press")
    right = same
    if same and pointed:
        right = any(inside(action.point, box) for box in gold.boxes) or within(action.point, wanted.point, size, 0.14)
    elif same and wanted.kind == "type":
        right = _alike((action.text or "").strip(), (wanted.text or "").strip())
    elif same and wanted.kind == "scroll":
        right = action.direction == wanted.direction
    return Step(same, right, right and pointed, pointed)


def _alike(first: str, second: str) -> bool:
    from rapidfuzz.distance import Levenshtein

    longest = max(len(first), len(second))
    return first in second or second in first or 1 - Levenshtein.distance(first, second) / longest >= 0.5


def _magicgui(action: Action, gold: Gold, size: Size) -> Step:
    """MagicGUI by its table of rewards: 14 % for taps, scrolls, texts and long presses, 7.5 % for both ends of a drag."""
    wanted = gold.action
    same = action.kind == wanted.kind
    pointed = wanted.kind in POINTED and wanted.point is not None
    near = _near(action, gold, size)
    right = same and near and _magicgui_details(action, wanted, size)
    return Step(same, right, same and near and pointed, pointed)


def _near(action: Action, gold: Gold, size: Size) -> bool:
    wanted = gold.action
    if wanted.point is None or wanted.kind not in (*POINTED, "scroll", "type"):
        return True
    if wanted.kind == "drag":
        return within(action.point, wanted.point, size, 0.075)
    if wanted.kind in CLICKS:
        return _candidate(action, gold, size, 0.14, nearest=False)
    return within(action.point, wanted.point, size, 0.14)


def _magicgui_details(action: Action, wanted: Action, size: Size) -> bool:
    if wanted.kind == "drag":
        return within(action.end, wanted.end, size, 0.075)
    if wanted.kind == "type":
        return token_f1(action.text or "", wanted.text or "") >= 0.5
    if wanted.kind == "call-api":
        return (action.app, action.detail) == (wanted.app, wanted.detail)
    if wanted.kind == "screenshot":
        return action.detail == wanted.detail
    return (action.direction, action.key) == (wanted.direction, wanted.key)


def _magicgui_released(nearest: bool) -> Rule:
    """MagicGUI's released evaluator with its leniencies: a click for a text and a text for a click are right, and so is a
    click in the upper left 15 % for a key. Of scrolls the direction alone counts."""
    base = _agent(0.14, nearest=nearest, long_press_clicks=False)

    def rule(action: Action, gold: Gold, size: Size) -> Step:
        wanted = gold.action
        pointed = wanted.kind in ("click", "long-press")
        corner = (
            wanted.kind == "press"
            and action.kind == "click"
            and inside(action.point, (-math.inf, -math.inf, 0.15 * size[0] * _ROUNDING, 0.15 * size[1] * _ROUNDING))
        )
        if {wanted.kind, action.kind} == {"click", "type"} or corner:
            return Step(True, True, pointed, pointed)
        if {wanted.kind, action.kind} == {"wait", "stop"}:
            return Step(False, False, False, pointed)
        found = base(action, gold, size)
        if found.type and wanted.kind == "type":
            return replace(found, right=token_f1((action.text or "").strip(), (wanted.text or "").strip()) >= 0.5)
        return found

    return rule


RULES: Mapping[str, Rule] = {
    "mmeval": _mmeval,
    "osatlas": _os_atlas,
    "osatlas-odyssey": _os_atlas_odyssey,
    "qwen": _agent(0.04, nearest=True, long_press_clicks=True),
    "agentcpm": _agent(0.14, nearest=False, long_press_clicks=False),
    "aitw": _aitw,
    "gui-r1": _gui_r1,
    "odyssey": _odyssey,
    "magicgui": _magicgui,
    "magicgui-released": _magicgui_released(nearest=False),
    "magicgui-released-ac": _magicgui_released(nearest=True),
}


def unanswered(rule: str, gold: Gold) -> Step:
    """Return the step of a row without an action: wrong, and counted for the grounding as the gold alone says."""
    wanted = gold.action
    if rule.startswith("osatlas"):
        return Step(False, False)  # only steps of the right type count there
    clicks = POINTED if rule in ("mmeval", "gui-r1", "magicgui") else frozenset({"click", "long-press"})
    grounded = wanted.kind in clicks and (wanted.point is not None or bool(gold.boxes))
    counted = rule != "gui-r1" or wanted.kind in (*POINTED, "type", "open-app", "scroll")
    return Step(False, False, False, grounded, counted)


def need_size(size: Size | None) -> Size:
    """Return the size of the screen.

    Raises:
        DataError: when it is not known.
    """
    if size is None:
        raise DataError("a step on a screen needs the image size", remedy="give the sample its screenshot")
    return size
