"""AgentCPM-GUI's objects: {"thought": …, "POINT": [x, y]} and the like (OpenBMB/AgentCPM-GUI, README and evaluator.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.verifiers.gui.action import Action, ParseError, is_number, key_name, named_direction
from mmeval.verifiers.gui.calls import pair, text_of
from mmeval.verifiers.gui.tool_call import json_objects

_TAP = 200
"""Milliseconds of a touch that is a click; a longer one is a long press."""
_ENDS: Mapping[str, str] = {
    "finish": "success", "satisfied": "success", "impossible": "failure", "interrupt": "interrupt", "need_feedback": "need_feedback",
}  # fmt: skip
_KEYS = frozenset({"POINT", "PRESS", "TYPE", "STATUS", "duration"})


def read_agentcpm(text: str) -> list[tuple[Action, tuple[int, int]]]:
    """Return the actions of the objects in a text with their places; points are 0–1000, directions say where the finger goes.

    As in the model's own evaluator a status that ends the task is the action, whatever else the object holds, and one that says
    to go on, alone, is a pause. Other than there a swipe may last long.

    Raises:
        ParseError: for an object that is cut off or malformed.
    """
    found = []
    for value, place in json_objects(text, in_tags=False):
        if isinstance(value, Mapping) and _KEYS & set(value):
            found.append((_action(value), place))
    return found


def _action(value: Mapping[str, Any]) -> Action:
    status = _ENDS.get(str(value.get("STATUS")))
    if status is not None:
        return Action("stop", detail=status)
    point = None if value.get("POINT") is None else pair(value["POINT"])
    if value.get("TYPE") is not None:
        return Action("type", point, text=text_of(value["TYPE"], "TYPE"))
    duration = value.get("duration", _TAP)
    if not is_number(duration):
        raise ParseError("duration is no number")
    if point is not None:
        to = value.get("to")
        if isinstance(to, str):
            return Action("scroll", point, direction=named_direction(to))
        if to is not None:
            return Action("scroll", point, pair(to))
        return Action("long-press" if duration > _TAP else "click", point)
    if value.get("PRESS") is not None:
        return Action("press", key=key_name(text_of(value["PRESS"], "PRESS")))
    return Action("wait")
