"""Actions as JSON objects or in tags: tool calls of Qwen's mobile_use and computer_use, of other computer tools, and plain objects."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmeval.verifiers.gui.action import Action, Direction, Kind, ParseError, Point, is_number, key_name, named_direction
from mmeval.verifiers.gui.calls import pair, text_of
from mmeval.verifiers.gui.tagged_call import tagged_calls

_TAGS = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_NUMBERS = re.compile(r"\s*+[\[(<]*+\s*+([-+0-9.eE]++)(?:\s*+,\s*+|\s++)([-+0-9.eE]++)\s*+[\])>]*+\s*")
_NAMES = re.compile(
    r"[\"'](?:action|action_type|name|arguments|coordinate|type|point|press|status)[\"']\s*:", re.IGNORECASE
)
"""A key of an action."""
_LONGEST = 20_000
_ATTEMPTS = 40
"""Braces that may open no JSON object before reading is given up."""

_POINTED: Mapping[str, Kind] = {
    "click": "click", "left_click": "click", "tap": "click", "touch": "click",
    "double_click": "double-click", "double_tap": "double-click", "left_double": "double-click", "triple_click": "triple-click",
    "right_click": "right-click", "right_single": "right-click", "middle_click": "middle-click",
    "long_press": "long-press", "long_click": "long-press", "longpress": "long-press",
    "mouse_move": "move", "move": "move", "hover": "move",
}  # fmt: skip
_PLAIN: Mapping[str, Action] = {
    "wait": Action("wait"), "sleep": Action("wait"), "screenshot": Action("screenshot", detail="screen"), "take_screenshot": Action("screenshot", detail="screen"),
    "navigate_back": Action("press", key="back"), "press_back": Action("press", key="back"), "back": Action("press", key="back"),
    "navigate_home": Action("press", key="home"), "press_home": Action("press", key="home"), "home": Action("press", key="home"),
    "keyboard_enter": Action("press", key="enter"), "press_enter": Action("press", key="enter"), "enter": Action("press", key="enter"),
    "navigate_recent": Action("press", key="recent"), "press_recent": Action("press", key="recent"),
}  # fmt: skip
_STOP = frozenset({"terminate", "finish", "finished", "stop", "complete", "completed", "done", "status", "impossible"})
_TYPE = frozenset({"type", "input_text", "type_text", "input", "write", "enter_text", "set_text"})
_PRESS = frozenset({"key", "press", "keypress", "hotkey", "system_button", "press_button", "press_key"})
_OPEN = frozenset({"open", "open_app", "launch", "launch_app"})
_TAKE_OVER = frozenset({"take_over", "call_user", "interact", "ask_user"})
_SWIPE = frozenset({"swipe", "scroll", "hscroll"})
_DRAG = frozenset({"drag", "left_click_drag", "drag_and_drop"})

_POINTS = (
    "coordinate",
    "coordinates",
    "point",
    "position",
    "start_coordinate",
    "start_point",
    "start",
    "point_2d",
    "start_box",
)
_STARTS = ("start_coordinate", "start_point", "start", "start_box")
_ENDS = ("coordinate2", "end_coordinate", "end_point", "end", "to", "end_box")


class _Pairs(dict[str, Any]):
    """An object that has no key twice with different values."""


def read_tool_call(text: str) -> list[tuple[Action, tuple[int, int]]]:
    """Return the actions of a text with their places: of its `<tool_call>` tags, or of all objects that name an action.

    Inside the tags, or without them, a call may be JSON, or have its arguments in tags of their own.

    Raises:
        ParseError: for an action that is outside the dialect, cut off or malformed.
    """
    found = []
    tags = list(_TAGS.finditer(text))
    parts = [(tag.start(1), _closed(tag.group(1)) if tag.end(1) < tag.end() else tag.group(1)) for tag in tags]
    for start, part in parts or [(0, text)]:
        for value, place in list(tagged_calls(part)) or json_objects(part, in_tags=bool(tags)):
            for call in named_calls(value):
                found.append((_action(call), (start + place[0], min(start + place[1], len(text)))))
    return found


def _closed(part: str) -> str:
    """Return what stands in closed tags, its last brace added where that alone is missing."""
    end = len(part.rstrip())
    if "{" not in part or part[end - 1] != "}" or len(part) > _LONGEST:
        return part
    try:
        json.loads(mended := f"{part[:end]}}}", strict=False, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return part
    return mended


def json_objects(text: str, *, in_tags: bool) -> Iterator[tuple[Any, tuple[int, int]]]:
    """Yield the outermost JSON objects; what is written as Python's literal is read as one.

    Raises:
        ParseError: when an object is cut off or is neither.
    """
    at, empty, failures = 0, True, 0
    while (start := text.find("{", at)) >= 0:
        empty = False
        try:
            value, end = json.JSONDecoder(strict=False, object_pairs_hook=_once).raw_decode(text, start)
        except (ValueError, RecursionError):
            failures += 1
            if failures > _ATTEMPTS:
                raise ParseError("too many braces that hold no object") from None
            value, end = _literal(text, start, in_tags=in_tags)
        if value is not None:
            yield value, (start, end)
        at = end
    if in_tags and empty:
        raise ParseError("truncated" if text.strip() in ("", "{") else "no JSON object in the tool call")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _Pairs()
    for name, value in pairs:
        if name in found and found[name] != value:
            raise ParseError(f"key {name[:40]!r} twice")
        found[name] = value
    return found


def _literal(text: str, start: int, *, in_tags: bool) -> tuple[Any, int]:
    """Read `{'action': …}`; prose in braces has no value, unless it stands where a call must stand."""
    depth, quote, position = 0, "", start
    while position < min(len(text), start + _LONGEST):
        character = text[position]
        if quote:
            position += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character == "{") - (character == "}")
            if depth == 0:
                break
        position += 1
    names = _NAMES.search(text, start, position + 1)
    if depth or position >= len(text):
        if names or in_tags or text[start:].strip() == "{":
            raise ParseError("truncated")
        return None, start + 1
    try:
        value = ast.literal_eval(text[start : position + 1])
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        if names or in_tags:
            raise ParseError("no JSON") from error
        return None, start + 1
    return (value if isinstance(value, dict) else None), position + 1


def named_calls(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the flat objects that name an action: arguments with the action's name under `action`."""
    if isinstance(value, list):
        for entry in value:
            yield from named_calls(entry)
        return
    if not isinstance(value, Mapping):
        return
    value = {**{str(key).lower(): entry for key, entry in value.items()}, **value}  # "POINT" is "point"
    for name in ("function", "function_call"):
        if isinstance(value.get(name), Mapping):
            value = value[name]
    for name in ("tool_calls", "actions"):
        if isinstance(value.get(name), list):
            yield from named_calls(value[name])
            return
    arguments = value.get("arguments", value.get("parameters", value.get("args", value.get("input"))))
    if isinstance(arguments, str) and "name" in value:
        try:
            arguments = json.loads(arguments, strict=False, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise ParseError("the arguments are no JSON") from error
    if isinstance(arguments, Mapping):
        named = arguments.get("action", value.get("action", value.get("name")))
        yield from _named(named, arguments)
    elif "name" in value and arguments is not None:
        raise ParseError("the arguments are no JSON object")
    else:
        named = next((value[key] for key in ("action", "action_type", "name", "type") if key in value), None)
        if named is not None:
            yield from _named(named, value)


def _named(named: Any, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if isinstance(named, Mapping):
        yield from named_calls(named)
    else:
        yield {**{str(key).lower(): entry for key, entry in arguments.items()}, **arguments, "action": named}


def _action(call: Mapping[str, Any]) -> Action:
    written = call["action"]
    if not isinstance(written, str):
        raise ParseError("the action has no name")
    name = re.sub(r"[\s-]+", "_", written.strip()).lower()
    if name in ("click", "tap") and str(call.get("button", "left")).lower() == "right":
        name = "right_click"
    if name in _POINTED:
        return Action(_POINTED[name], point_of(call))
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _STOP:
        status = call.get("status", call.get("goal_status", "failure" if name == "impossible" else None))
        return Action("stop", detail=None if status is None else text_of(status, "status").lower())
    if name in _TYPE:
        return Action("type", point_of(call), text=_text(call, "text", "content", "value", "input_text", "message"))
    if name == "answer":
        return Action("answer", text=_text(call, "text", "answer", "content", "value"))
    if name in _PRESS:
        return Action("press", key=_keys(call))
    if name in _OPEN:
        return Action("open-app", app=_text(call, "text", "app_name", "app", "name", "value", "input_text"))
    if name in _TAKE_OVER:
        return Action("take-over", detail=str(call.get("message", call.get("text", ""))) or None)
    if name in _DRAG:
        start, end = point_of(call, _STARTS), point_of(call, _ENDS)
        if start is not None and end is None:
            end = point_of(call, ("coordinate",))  # where a start is named, the other place is the end
        return Action("drag", start or point_of(call), end)
    if name in _SWIPE:
        return _scroll(call, name)
    raise ParseError(f"outside the dialect: {written[:40]}")


def _scroll(call: Mapping[str, Any], name: str) -> Action:
    both = next((call[key] for key in _POINTS if _are_two(call.get(key))), None)
    if both is not None:
        return Action("scroll", _pair(both[0]), _pair(both[1]))
    place = point_of(call)
    named = call.get("direction", call.get("scroll_direction", call.get("input_text")))
    if named is None and isinstance(call.get("to"), str) and not _NUMBERS.fullmatch(call["to"]):
        named = call["to"]
    if named is None and isinstance(call.get("value"), str) and call["value"].strip():
        named = call["value"]
    if named is not None:
        direction = named_direction(named)
        return Action("scroll", place, direction=direction, detail="finger" if name == "swipe" else None)
    end = point_of(call, _ENDS)
    if place is not None and end is not None:
        return Action("scroll", place, end)
    amount = call.get("pixels", call.get("amount", call.get("scroll_amount")))
    ways: tuple[Direction, Direction] = ("right", "left") if name == "hscroll" else ("up", "down")
    if amount is None:
        sideways, amount = call.get("scroll_x") or 0, call.get("scroll_y") or 0
        if not is_number(sideways) or not is_number(amount) or (sideways != 0) == (amount != 0):
            raise ParseError("a scroll without direction")
        # Positive is right and down, as on a web page.
        return Action(
            "scroll", place, direction=(("right", "left") if sideways else ("down", "up"))[(sideways or amount) < 0]
        )
    if not is_number(amount) or amount == 0:
        raise ParseError("a scroll without direction")
    return Action("scroll", place, direction=ways[amount < 0])


def point_of(call: Mapping[str, Any], names: tuple[str, ...] = _POINTS) -> Point | None:
    """Return the point of a call, under the first of some keys that it has, else of x and y; None without one.

    Raises:
        ParseError: when what stands there is no point.
    """
    for name in names:
        if call.get(name) is not None:
            return _pair(call[name])
    if names is _POINTS and (call.get("x") is not None or call.get("y") is not None):
        return _pair([call.get("x"), call.get("y")])
    second = call.get("x2"), call.get("y2")
    if names is not _POINTS and second != (None, None):
        return _pair(list(second))
    if names is _POINTS and call.get("x1") is not None and second != (None, None):
        return _pair([call.get("x1"), call.get("y1")])
    return None


def _are_two(value: Any) -> bool:
    """Whether a value is two points: [[x1, y1], [x2, y2]]."""
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(one, (list, tuple)) and len(one) == 2 for one in value)
    )


def _pair(value: Any) -> Point:
    if isinstance(value, Mapping):
        value = [value.get("x"), value.get("y")]
    if isinstance(value, str):
        found = _NUMBERS.fullmatch(value)
        value = list(found.groups()) if found else None
    if isinstance(value, (list, tuple)):
        value = [_float(entry) if isinstance(entry, str) else entry for entry in value]
    return pair(value)


def _float(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _text(call: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if call.get(name) is not None:
            return text_of(call[name], name)
    raise ParseError(f"no {names[0]}")


def _keys(call: Mapping[str, Any]) -> str:
    value = next(
        (call[name] for name in ("button", "keys", "key", "text", "value") if call.get(name) is not None), None
    )
    names = list(value) if isinstance(value, (list, tuple)) else [value]
    texts = [name for name in names if isinstance(name, str) and name.strip()]
    if not texts or len(texts) < len(names):
        raise ParseError("no key")
    return key_name(*texts)
