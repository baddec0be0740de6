"""Actions as code: pyautogui, and the `mobile.` functions beside it (Aguvis)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mmeval.verifiers.gui.action import Action, Direction, ParseError, key_name
from mmeval.verifiers.gui.calls import bound, find_calls, number, only, pair, point, text_of

_WORDS: Mapping[str, Action] = {
    "WAIT": Action("wait"), "DONE": Action("stop", detail="success"), "FAIL": Action("stop", detail="failure"),
}  # fmt: skip
"""Answers of a single word, as agents of OSWorld give them."""
_FENCE = re.compile(r"```[A-Za-z]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_NAMESPACES = ("pyautogui", "mobile", "computer", "browser")
_XY = ("x", "y")


def read_code(text: str) -> list[tuple[Action, tuple[int, int]]]:
    """Return the actions of a text with their places; pauses beside other actions do not count.

    Raises:
        ParseError: for an action that is outside the dialect, cut off or malformed.
    """
    code = _code(text)
    word = _WORDS.get(code.strip().strip(".`'\"").upper())
    if word is not None:
        return [(word, (0, len(code)))]
    found: list[tuple[Action, tuple[int, int]]] = []
    pauses: list[tuple[Action, tuple[int, int]]] = []
    for call in find_calls(code, _is_action):
        namespace, _, name = call.name.rpartition(".")
        span = (call.start, call.end)
        if name == "sleep":
            pauses.append((Action("wait"), span))
        elif _is_action(call.name):
            if name not in _FUNCTIONS:
                raise ParseError(f"outside the dialect: {call.name}")
            names, build = _FUNCTIONS[name]
            _add(found, build(bound(call, names)), span)
        elif namespace in ("os", "subprocess", "pyperclip"):
            raise ParseError(f"outside the dialect: {call.name}")
    return found or pauses


def _is_action(name: str) -> bool:
    namespace, _, last = name.rpartition(".")
    return last == "sleep" or namespace in _NAMESPACES or (not namespace and last in _BARE)


def _code(text: str) -> str:
    """The text with nothing but its fenced blocks, where it has some; places stay."""
    blocks = list(_FENCE.finditer(text))
    return only(text, [block.span(1) for block in blocks]) if blocks else text


def _add(found: list[tuple[Action, tuple[int, int]]], action: Action, span: tuple[int, int]) -> None:
    """Add an action; a pointer that moves somewhere and then clicks there, or drags from there, is one action."""
    last = found[-1][0] if found else None
    continues = action.point is None and (action.kind == "drag" or action.kind.endswith("click"))
    if last is not None and last.kind == "move" and continues:
        found[-1] = (replace(action, point=last.point), (found[-1][1][0], span[1]))
    else:
        found.append((action, span))


def _click(arguments: Mapping[str, Any]) -> Action:
    button = str(arguments.get("button", "left")).lower()
    clicks = number(arguments.get("clicks", 1), "clicks")
    place = point(arguments)
    if button in ("right", "secondary"):
        return Action("right-click", place)
    if button == "middle":
        return Action("middle-click", place)
    if button not in ("left", "primary") or clicks not in (1, 2, 3):
        raise ParseError("outside the dialect: this way of clicking")
    return Action(("click", "double-click", "triple-click")[int(clicks) - 1], place)


def _write(arguments: Mapping[str, Any]) -> Action:
    value = arguments.get("message", arguments.get("text"))
    if isinstance(value, (list, tuple)):
        value = "".join(text_of(part, "message") for part in value)
    return Action("type", point(arguments), text=text_of(value, "message"))


def _press(arguments: Mapping[str, Any]) -> Action:
    keys = arguments.get("keys", arguments.get("key"))
    listed = list(keys) if isinstance(keys, (list, tuple)) else [keys]
    names = [text_of(key, "keys") for key in listed]
    if not names:
        raise ParseError("no key")
    if len(set(names)) > 1:
        raise ParseError("several actions")  # one after the other, not together
    return Action("press", key=key_name(names[0]))


def _hotkey(arguments: Mapping[str, Any]) -> Action:
    keys = arguments.get("keys") or arguments.get("args") or []
    listed = keys[0] if len(keys) == 1 and isinstance(keys[0], (list, tuple)) else keys
    if not isinstance(listed, (list, tuple)) or not listed:
        raise ParseError("no key")
    return Action("press", key=key_name(*(text_of(key, "keys") for key in listed)))


def _scroll(arguments: Mapping[str, Any], directions: tuple[Direction, Direction] = ("up", "down")) -> Action:
    amount = arguments.get("clicks", arguments.get("page", arguments.get("amount")))
    amount = number(amount, "clicks")
    if amount == 0:
        raise ParseError("a scroll that goes nowhere")
    return Action("scroll", point(arguments), direction=directions[0] if amount > 0 else directions[1])


def _hscroll(arguments: Mapping[str, Any]) -> Action:
    return _scroll(arguments, ("right", "left"))


def _swipe(arguments: Mapping[str, Any]) -> Action:
    return Action("scroll", pair(arguments.get("from_coord")), pair(arguments.get("to_coord")))


def _placed(kind: str) -> Callable[[Mapping[str, Any]], Action]:
    def build(arguments: Mapping[str, Any]) -> Action:
        return Action.of({"kind": kind, "point": point(arguments)})

    return build


def _drag(arguments: Mapping[str, Any]) -> Action:
    return Action("drag", end=point(arguments))


def _key(name: str) -> Callable[[Mapping[str, Any]], Action]:
    return lambda arguments: Action("press", key=name)


def _stop(arguments: Mapping[str, Any]) -> Action:
    status = arguments.get("status")
    return Action("stop", detail=None if status is None else text_of(status, "status").lower())


_FUNCTIONS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any]], Action]]] = {
    "click": ((*_XY, "clicks", "interval", "button", "duration"), _click),
    "leftClick": (_XY, _click),
    "doubleClick": ((*_XY, "interval", "button"), lambda arguments: _click({**arguments, "clicks": 2})),
    "tripleClick": ((*_XY, "interval", "button"), lambda arguments: _click({**arguments, "clicks": 3})),
    "triple_click": (_XY, _placed("triple-click")),
    "rightClick": (_XY, _placed("right-click")),
    "middleClick": (_XY, _placed("middle-click")),
    "moveTo": ((*_XY, "duration"), _placed("move")),
    "dragTo": ((*_XY, "duration", "tween", "button"), _drag),
    "write": (("message", "interval"), _write),
    "typewrite": (("message", "interval"), _write),
    "press": (("keys", "presses", "interval"), _press),
    "hotkey": (("*keys",), _hotkey),
    "scroll": (("clicks", *_XY), _scroll),
    "vscroll": (("clicks", *_XY), _scroll),
    "hscroll": (("clicks", *_XY), _hscroll),
    "swipe": (("from_coord", "to_coord"), _swipe),
    "long_press": ((*_XY, "duration"), _placed("long-press")),
    "home": ((), _key("home")),
    "back": ((), _key("back")),
    "enter": ((), _key("enter")),
    "open_app": (("app_name",), lambda arguments: Action("open-app", app=text_of(arguments.get("app_name"), "app_name"))),
    "wait": (("seconds",), lambda arguments: Action("wait")),
    "terminate": (("status",), _stop),
    "answer": (("answer",), lambda arguments: Action("answer", text=text_of(arguments.get("answer"), "answer"))),
}  # fmt: skip
_BARE = frozenset({"terminate", "answer", "wait"})
"""Functions that need no namespace."""
