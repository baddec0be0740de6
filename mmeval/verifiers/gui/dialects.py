"""The dialects in which models write actions, by name, and the one action that a response states."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mmeval.core.errors import unknown
from mmeval.core.types import AnswerContext
from mmeval.verifiers.answer import after_reasoning
from mmeval.verifiers.gui.action import OPPOSITE, Action, ParseError
from mmeval.verifiers.gui.agentcpm import read_agentcpm
from mmeval.verifiers.gui.calls import only
from mmeval.verifiers.gui.code import read_code
from mmeval.verifiers.gui.function_text import read_magicgui, read_os_atlas, read_ui_tars
from mmeval.verifiers.gui.tool_call import read_tool_call

_NEEDS_POINT = frozenset(
    {"click", "double-click", "triple-click", "right-click", "middle-click", "long-press", "move", "drag"}
)
_MARK = re.compile(r"^[ \t*#]*(?:actions?|操作)[ \t*]*[:：][ \t*]*", re.IGNORECASE | re.MULTILINE)
_END = re.compile(r"(?:<\|[a-z_]{1,40}\|>|</s>|<(?:eos|end_of_turn|end_of_utterance)>)\Z")
"""Tokens that end a turn, where an engine leaves them in the text."""
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a family of models writes actions."""

    read: Callable[[str], list[tuple[Action, tuple[int, int]]]]
    """All actions of a text with their places; raises ParseError."""
    space: str | None = None
    """Where the dialect itself says in which space its points are; None: as the model's profile declares."""
    scroll: Literal["content", "finger"] = "content"
    """What a named direction of a scroll says: what comes into view, or where the finger goes."""


DIALECTS: Mapping[str, Dialect] = {
    "pyautogui": Dialect(read_code),
    "tool-call": Dialect(read_tool_call),
    "osatlas": Dialect(read_os_atlas, "thousand"),
    "magicgui": Dialect(read_magicgui, "thousand", "finger"),
    "ui-tars": Dialect(read_ui_tars),
    "agentcpm": Dialect(read_agentcpm, "thousand", "finger"),
}


def get_dialect(name: str) -> Dialect:
    """Return a dialect.

    Raises:
        UsageError: when there is none of this name.
    """
    if name not in DIALECTS:
        raise unknown("dialect of actions", name, DIALECTS)
    return DIALECTS[name]


@dataclass(frozen=True, slots=True)
class Stated:
    """The one action of a response, or why there is none."""

    action: Action | None
    """With points in pixels of the original image."""
    span: tuple[int, int] | None = None
    reason: str = ""


def state(text: str, context: AnswerContext, dialect: Dialect, options: Mapping[str, Any]) -> Stated:
    """Return the action that a response states; several different ones are no action.

    Args:
        text: the response.
        context: the sample's sizes and the space that the model's profile declares.
        dialect: how to read it.
        options: `space` (another one than the dialect's), `scroll` (what named directions say), `reasoning_tags`.

    Raises:
        DataError: when the space needs an image size that the sample lacks.
    """
    answer = after_reasoning(text, options)
    if answer is None:
        return Stated(None, reason="unfinished reasoning")
    offset = len(text) - len(answer)
    start, part = _said(_without_ends(answer))
    if not part.strip():
        return Stated(None, reason="empty")
    space = options.get("space") or dialect.space
    shown = context if space is None else replace(context, coordinates=str(space), coordinate_order="xy")
    try:
        found = dialect.read(part)
        if not found:
            return Stated(None, reason="no action")
        # Read before they are compared: equal points may be written in different ways.
        actions = [_checked(action, options.get("scroll") or dialect.scroll) for action, _ in found]
        if any(action != actions[0] for action in actions):
            return Stated(None, reason="several actions")
        action = _ordered(actions[0], shown).placed(shown)
    except ParseError as error:
        return Stated(None, reason=str(error))
    begin = offset + start
    return Stated(action, (begin + found[0][1][0], begin + found[0][1][1]))


def _without_ends(text: str) -> str:
    """Return the text without the tokens that end a turn, and the white space around them."""
    end, found = len(text), None
    while True:
        bare = end
        while bare and text[bare - 1].isspace():
            bare -= 1
        token = _END.search(text, max(0, bare - 48), bare)
        if token is None:
            return text if found is None else text[:bare]
        end, found = token.start(), token


def _said(answer: str) -> tuple[int, str]:
    """Return where the action is to be found: inside answer tags, and behind the first "Action:"."""
    tags = list(_ANSWER.finditer(answer))
    part = only(answer, [tag.span(1) for tag in tags]) if tags else answer
    mark = _MARK.search(part)
    # All that follows counts: a second action, of a turn that the model made up, is another action.
    return (mark.end(), part[mark.end() :]) if mark else (0, part)


def _checked(action: Action, scroll: str) -> Action:
    if action.kind in _NEEDS_POINT and (action.point is None or (action.kind == "drag" and action.end is None)):
        raise ParseError("no point")
    if action.kind == "scroll" and action.direction is not None:
        finger = action.detail == "finger" or scroll == "finger"
        return replace(action, direction=OPPOSITE[action.direction] if finger else action.direction, detail=None)
    if action.kind == "scroll" and (action.point is None or action.end is None):
        raise ParseError("a scroll without direction")
    return action


def _ordered(action: Action, context: AnswerContext) -> Action:
    if context.coordinate_order != "yx":
        return action
    point, end = action.point, action.end
    return replace(
        action,
        point=None if point is None else (point[1], point[0]),
        end=None if end is None else (end[1], end[0]),
    )
