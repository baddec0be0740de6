"""Actions as function text: OS-Atlas' lines, MagicGUI's function list, UI-TARS' calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from mmeval.verifiers.gui.action import Action, Kind, ParseError, Point, key_name, named_direction
from mmeval.verifiers.gui.calls import Call, bound, find_calls, number, pair, text_of

Found = list[tuple[Action, tuple[int, int]]]
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_POINT = rf"(?:<point>\s*+)?[\[(]*+\s*+({_NUMBER})(?:\s*+,\s*+|\s++)({_NUMBER})(?:\s*+[\])]++)?(?:\s*+</point>)?"

_ATLAS_KINDS: Mapping[str, Kind] = {
    "CLICK": "click", "LONG_PRESS": "long-press", "TYPE": "type", "SCROLL": "scroll", "OPEN_APP": "open-app", "WAIT": "wait",
    "COMPLETE": "stop", "IMPOSSIBLE": "stop", "ENTER": "press", "PRESS_BACK": "press", "PRESS_HOME": "press", "PRESS_RECENT": "press",
    "PRESS_ENTER": "press", "DOUBLE_CLICK": "double-click", "RIGHT_CLICK": "right-click",
}  # fmt: skip
_ATLAS = re.compile(r"^[ \t>*`-]*([A-Z]{2,}(?:_[A-Z]+)*)\b:?[ \t]*+((?:.*[^ \t`\n])?)[ \t`]*$", re.MULTILINE)
_OPEN_POINT = re.compile(r"<point>[^\])<]*")
"""Without a closing bracket or tag the last number may lack digits."""
_ATLAS_POINT = re.compile(_POINT + r"(?:[.,;]|\s[^0-9\[\]()<>]*)?")
"""Words may follow a point, another number may not."""


def read_os_atlas(text: str) -> Found:
    """Return the actions of lines like `CLICK <point>[[100,200]]</point>`, `TYPE [text]`, `PRESS_BACK`; points are 0–1000.

    Raises:
        ParseError: for an action that is outside the dialect, cut off or malformed.
    """
    found: Found = []
    for line in _ATLAS.finditer(text):
        name, rest = line.groups()
        if name not in _ATLAS_KINDS:
            if re.match(r"[\[<(]", rest) or "_" in name:
                raise ParseError(f"outside the dialect: {name}")
            continue
        found.append((_atlas(name, rest), line.span()))
    return found


def _atlas(name: str, rest: str) -> Action:
    kind = _ATLAS_KINDS[name]
    if kind in ("click", "long-press", "double-click", "right-click"):
        place = _ATLAS_POINT.fullmatch(rest)
        if any(rest.count(left) > rest.count(right) for left, right in ("[]", "()")) or _OPEN_POINT.fullmatch(rest):
            raise ParseError("truncated")
        if place is None:
            four = re.fullmatch(r"[^0-9]*(?:[0-9.]+[^0-9]+){3}[0-9.]+[^0-9]*", rest)
            raise ParseError("a box, not a point" if four else "no point")
        return Action(kind, (float(place[1]), float(place[2])))
    if kind == "type":
        return Action("type", text=_bracketed(rest))
    if kind == "open-app":
        return Action("open-app", app=_bracketed(rest))
    if kind == "scroll":
        return Action("scroll", direction=named_direction(_bracketed(rest)))
    if kind == "press":
        return Action("press", key=key_name(name.removeprefix("PRESS_")))
    return Action(kind, detail="failure" if name == "IMPOSSIBLE" else None)


def _bracketed(rest: str) -> str:
    if rest.startswith("["):
        if not rest.endswith("]"):
            raise ParseError("truncated")
        rest = rest[1:-1]
    if not rest.strip():
        raise ParseError("no text")
    return rest


def read_magicgui(text: str) -> Found:
    """Return the actions of MagicGUI's functions, `tap(700,964)` and the like; points are 0–1000, texts may lack quotes.

    Raises:
        ParseError: for an action that is outside the dialect, cut off or malformed.
    """
    return _functions(text, _MAGIC)


def read_ui_tars(text: str) -> Found:
    """Return the actions of UI-TARS' calls, `click(start_box='(100,200)')` and the like.

    Raises:
        ParseError: for an action that is outside the dialect, cut off or malformed.
    """
    return _functions(text, _TARS)


_Reader = Callable[[Call], Action]


def _functions(text: str, known: Mapping[str, _Reader]) -> Found:
    found: Found = []
    for call in find_calls(text, lambda name: name.lower() in known):
        read = known.get(call.name.lower())
        if read is not None:
            if not call.complete:
                raise ParseError("truncated")
            found.append((read(call), (call.start, call.end)))
        elif call.name.rpartition(".")[2].lower() in _ANY:
            raise ParseError(f"outside the dialect: {call.name}")
    return found


def _magic(kind: Kind, *names: str) -> _Reader:
    """A function whose first arguments are numbers, and the last one text that may lack quotation marks."""

    def read(call: Call) -> Action:
        numbers = [name for name in names if name in _COORDINATES]
        cells = call.inside.split(",", len(names) - 1) if names else []
        if not names and call.inside.strip():
            raise ParseError(f"{call.name} takes no arguments")
        if len(cells) != len(names):
            raise ParseError(f"{call.name} takes {len(names)} arguments")
        values = {name: _bare(cell, name) for name, cell in zip(names, cells, strict=True)}
        places = {name: _numeric(values[name], name) for name in numbers}
        if kind == "drag":
            return Action("drag", (places["x1"], places["y1"]), (places["x2"], places["y2"]))
        place: Point | None = (places["x"], places["y"]) if numbers else None
        if "direction" in values:
            return Action("scroll", place, direction=named_direction(values["direction"]), detail="finger")
        text, app = values.get("text_input"), values.get("name")
        return Action(kind, place, text=text, app=app, detail=values.get("message", values.get("operation")))

    return read


_COORDINATES = frozenset({"x", "y", "x1", "y1", "x2", "y2"})


def _bare(cell: str, name: str) -> str:
    """An argument without its name and its quotation marks."""
    value = re.sub(rf"^\s*{name}\s*=(?!=)", "", cell).strip()
    if len(value) > 1 and value[0] in "\"'“‘" and value[-1] == {"“": "”", "‘": "’"}.get(value[0], value[0]):
        return value[1:-1]
    return value


def _numeric(text: str, name: str) -> float:
    if not re.fullmatch(_NUMBER, text):
        raise ParseError(f"{name} is no number")
    return float(text)


def _plain(action: Action) -> _Reader:
    def read(call: Call) -> Action:
        if call.inside.strip():
            raise ParseError(f"{call.name} takes no arguments")
        return action

    return read


def _take_over(call: Call) -> Action:
    return Action("take-over", detail=_bare(call.inside, "message") or None)


_MAGIC: Mapping[str, _Reader] = {
    "tap": _magic("click", "x", "y"),
    "scroll": _magic("scroll", "x", "y", "direction"),
    "text": _magic("type", "x", "y", "text_input"),
    "long_press": _magic("long-press", "x", "y"),
    "drag": _magic("drag", "x1", "y1", "x2", "y2"),
    "call_api": _magic("call-api", "name", "operation"),
    "navigate_back": _plain(Action("press", key="back")),
    "navigate_home": _plain(Action("press", key="home")),
    "enter": _plain(Action("press", key="enter")),
    "wait": _plain(Action("wait")),
    "finish": _plain(Action("stop")),
    "action_completed": _plain(Action("stop")),
    "no_answer": _plain(Action("no-answer")),
    "screen_shot": _plain(Action("screenshot", detail="screen")),
    "long_screen_shot": _plain(Action("screenshot", detail="long")),
    "take_over": _take_over,
}

_SEPARATOR = r"(?:\s*+\)?\s*+,\s*+\(?\s*+|\s++)"
_BOX = re.compile(
    rf"\s*+(?:<\|box_start\|>|<point>|<bbox>)?\s*+[\[(]*+\s*+({_NUMBER}){_SEPARATOR}({_NUMBER})"
    rf"(?:{_SEPARATOR}({_NUMBER}){_SEPARATOR}({_NUMBER}))?\s*+[\])]*+\s*+(?:<\|box_end\|>|</point>|</bbox>)?\s*"
)
"""A point, or a box, which stands for its centre as in UI-TARS' own parser."""
_TAGGED = re.compile(
    r"(?<==)\s*+[\"']?\s*+(<point>[^<]*</point>|<bbox>[^<]*</bbox>|<\|box_start\|>[^<]*<\|box_end\|>)\s*[\"']*"
)
_CONTENT = re.compile(r"\s*content\s*=\s*(?P<quote>[\"'])(?P<text>.*)(?P=quote)\s*", re.DOTALL)
_ESCAPED = re.compile(r"\\([nt\\\"'])")
_TARS_POINTS = ("start_box", "point", "start_point")
_TARS_ENDS = ("end_box", "end_point")


def _tars(kind: Kind, *names: str) -> _Reader:
    def read(call: Call) -> Action:
        given = _given(call, names)
        unknown = set(given) - {*names, *_TARS_POINTS, *_TARS_ENDS, "content"}
        if unknown:
            raise ParseError(f"{call.name} has no {sorted(unknown)[0]}")
        place, end = (
            next((_box(given[name]) for name in group if name in given), None) for group in (_TARS_POINTS, _TARS_ENDS)
        )
        if "direction" in given:
            return Action("scroll", place, direction=named_direction(given["direction"]))
        if kind == "press":
            keys = text_of(given.get("key"), "key").split()
            if not keys:
                raise ParseError("no key")
            return Action("press", key=key_name(*keys))
        if kind == "type":
            return Action("type", text=text_of(given.get("content"), "content").removesuffix("\n"))
        if kind == "open-app":
            return Action(kind, app=text_of(given.get("app_name"), "app_name"))
        if kind == "answer":
            return Action("stop", text=text_of(given["content"], "content") if "content" in given else None)
        return Action(kind, place, end)

    return read


def _given(call: Call, names: tuple[str, ...]) -> Mapping[str, object]:
    """Return the arguments by name; quotation marks and line breaks in a text need not be escaped."""
    try:
        return bound(replace(call, inside=_TAGGED.sub(r"'\1'", call.inside)), names)
    except ParseError:
        content = _CONTENT.fullmatch(call.inside) if call.complete and "content" in names else None
        if content is None:
            raise
        return {"content": _ESCAPED.sub(_unescaped, content["text"])}


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t"}.get(found[1], found[1])


def _box(value: object) -> Point:
    if isinstance(value, (list, tuple)) and len(value) != 4:
        return pair(value)
    found = _BOX.fullmatch(str(value)) if isinstance(value, (str, list, tuple)) else None
    if found is None:
        raise ParseError("no point")
    x, y = number(float(found[1]), "x"), number(float(found[2]), "y")
    if found[3] is None:
        return x, y
    return x / 2 + number(float(found[3]), "x") / 2, y / 2 + number(float(found[4]), "y") / 2


_TARS: Mapping[str, _Reader] = {
    "click": _tars("click", "start_box"),
    "left_single": _tars("click", "start_box"),
    "left_double": _tars("double-click", "start_box"),
    "right_single": _tars("right-click", "start_box"),
    "long_press": _tars("long-press", "start_box", "time"),
    "drag": _tars("drag", "start_box", "end_box"),
    "scroll": _tars("scroll", "start_box", "direction"),
    "type": _tars("type", "content"),
    "hotkey": _tars("press", "key"),
    "open_app": _tars("open-app", "app_name"),
    "finished": _tars("answer", "content"),
    "press_home": _plain(Action("press", key="home")),
    "press_back": _plain(Action("press", key="back")),
    "wait": _plain(Action("wait")),
    "call_user": _plain(Action("take-over")),
}
_ANY = frozenset({
    *_MAGIC, *_TARS, "swipe", "doubleclick", "rightclick", "moveto", "dragto", "typewrite", "write", "press", "input_text", "type_text",
    "terminate", "left_click", "right_click", "double_click", "back", "home", "input", "double_tap", "key", "mouse_move",
})  # fmt: skip
"""Names that actions have anywhere: one that a dialect lacks is an action outside it, other calls are prose."""
