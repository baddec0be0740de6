"""How models call tools inside their replies: one action per reply, read without knowing the picture or the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson

from mmeval.verifiers.answer import after_reasoning
from mmeval.verifiers.gui.action import ParseError
from mmeval.verifiers.gui.tagged_call import tagged_calls

MAX_QUERY = 2000
"""Longest query that is sent to a retriever, in characters."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture is wanted."""

    box: tuple[float, float, float, float]
    """As written, in the declared space."""
    picture: int | None
    """Number of the picture from 0, where the call names one."""
    end: int
    """Where the call ends in the reply; nothing behind it was a reaction to what it shows."""


@dataclass(frozen=True, slots=True)
class Gaze:
    """A view around a point is wanted."""

    x: float
    y: float
    zoom: float | None
    end: int


@dataclass(frozen=True, slots=True)
class Search:
    """Pages are wanted."""

    query: str
    end: int


@dataclass(frozen=True, slots=True)
class Final:
    """The reply holds the answer."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The reply is neither a call nor an answer."""

    reason: str
    """In words for the model."""
    end: int | None = None


Step: TypeAlias = Crop | Gaze | Search | Final | Malformed

_NUMBERS = re.compile(r"[\[(]?\s*([^\[\]()]*?)\s*[\])]?")


def read_tags(
    text: str, actions: tuple[str, ...], *, complete: bool, options: Mapping[str, Any] = MappingProxyType({})
) -> Step:
    """Read a reply that ends in one of `<search>…</search>`, `<bbox>…</bbox>`, `<gaze>…</gaze>`, `<answer>…</answer>`.

    The first tag behind the reasoning counts. Without its end it reaches to the end of the reply, where that is complete:
    end tags are common stop strings.

    Args:
        text: the reply.
        actions: names of the tags that are known, beside `answer`.
        complete: whether the model ended the reply by itself.
        options: of the answer context (`reasoning_tags`).
    """
    begin = _after_reasoning(text, options)
    if begin is None:
        return Malformed("the reasoning never ends; close it and then act")
    names = "|".join([*actions, "answer"])
    opening = re.compile(rf"<\s*({names})\s*>", re.IGNORECASE).search(text, begin)
    listed = ", ".join(f"<{name}>" for name in (*actions, "answer"))
    if opening is None:
        return Malformed(f"there is no action; use exactly one of {listed}")
    name = opening.group(1).lower()
    if name == "answer":
        return Final()
    closing = re.compile(rf"<\s*/\s*{name}\s*>", re.IGNORECASE).search(text, opening.end())
    if closing is None and not complete:
        return Malformed(f"the reply breaks off inside <{name}>")
    inner = text[opening.end() : closing.start() if closing else len(text)].strip()
    end = closing.end() if closing else len(text)
    if name == "search":
        return Search(inner[:MAX_QUERY], end) if inner else Malformed("<search> is empty", end)
    numbers = _numbers(inner)
    if name == "bbox":
        if numbers is None or len(numbers) != 4:
            return Malformed("<bbox> must hold [x1, y1, x2, y2], four numbers", end)
        return _crop(numbers, None, end)
    if numbers is None or len(numbers) not in (2, 3):
        return Malformed("<gaze> must hold [x, y] or [x, y, zoom], numbers", end)
    zoom = numbers[2] if len(numbers) == 3 else None
    if zoom is not None and not 1 <= zoom <= 64:
        return Malformed("the zoom of <gaze> must be from 1 to 64", end)
    return Gaze(numbers[0], numbers[1], zoom, end)


def read_tool_call(text: str, tool: str, *, complete: bool, options: Mapping[str, Any] = MappingProxyType({})) -> Step:
    """Read a reply that may hold `<tool_call>{"name": …, "arguments": {"bbox_2d": […]}}</tool_call>`, or only that JSON object.

    Inside the tags the arguments may have tags of their own (`<function=NAME><parameter=bbox_2d>`).

    The first call behind the reasoning counts; a reply without one is the answer, and so is one whose `<answer>` comes first.

    Args:
        text: the reply.
        tool: name of the tool.
        complete: whether the model ended the reply by itself.
        options: of the answer context (`reasoning_tags`).
    """
    begin = _after_reasoning(text, options)
    if begin is None:
        # The answer's own rule says that the reasoning never ends.
        return Final() if not complete else Malformed("the reasoning never ends; close it and then act")
    opening = re.compile(r"<\s*tool_call\s*>", re.IGNORECASE).search(text, begin)
    answer = re.compile(r"<\s*answer\s*>", re.IGNORECASE).search(text, begin)
    if answer is not None and (opening is None or answer.start() < opening.start()):
        return Final()
    if opening is None:
        bare = _unfenced(text[begin:])
        call = _json(bare) if bare.startswith("{") else None
        if not isinstance(call, dict) or not {"name", "arguments"} <= call.keys():
            return Final()
        return _called(call, tool, len(text))
    closing = re.compile(r"<\s*/\s*tool_call\s*>", re.IGNORECASE).search(text, opening.end())
    if closing is None and not complete:
        return Malformed("the reply breaks off inside <tool_call>")
    end = closing.end() if closing else len(text)
    inside = text[opening.end() : closing.start() if closing else len(text)]
    try:
        call = next((one for one, _ in tagged_calls(inside)), None) or _json(_unfenced(inside))
    except ParseError as error:
        return Malformed(f"<tool_call> cannot be read: {error}", end)
    if not isinstance(call, dict):
        return Malformed("<tool_call> must hold one JSON object with name and arguments", end)
    return _called(call, tool, end)


def _called(call: Mapping[str, Any], tool: str, end: int) -> Step:
    if call.get("name") != tool:
        return Malformed(f"there is no tool {str(call.get('name'))[:60]!r}; there is {tool}", end)
    arguments = call.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _json(arguments)
    if not isinstance(arguments, dict):
        return Malformed("arguments must be a JSON object", end)
    box = arguments.get("bbox_2d")
    if (
        not isinstance(box, list)
        or len(box) != 4
        or any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in box)
    ):
        return Malformed("bbox_2d must be [x1, y1, x2, y2], four numbers", end)
    picture = arguments.get("img_idx")
    if picture is not None and (isinstance(picture, bool) or not isinstance(picture, int)):
        return Malformed("img_idx must be the number of a picture, from 0", end)
    return _crop([float(number) for number in box], picture, end)


def _crop(numbers: list[float], picture: int | None, end: int) -> Step:
    if not all(math.isfinite(number) for number in numbers):
        return Malformed("the box has numbers that are not finite", end)
    if numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        return Malformed("the corners of the box are reversed: x1 must be below x2, and y1 below y2", end)
    if numbers[0] == numbers[2] or numbers[1] == numbers[3]:
        return Malformed("the box has no area", end)
    return Crop((numbers[0], numbers[1], numbers[2], numbers[3]), picture, end)


def _after_reasoning(text: str, options: Mapping[str, Any]) -> int | None:
    """Where the reply begins behind its reasoning; None where that was opened and never closed."""
    rest = after_reasoning(text, options)
    return None if rest is None else len(text) - len(rest)


def _numbers(inner: str) -> list[float] | None:
    """The numbers of a list, in brackets or bare; None where something else stands there."""
    found = _NUMBERS.fullmatch(inner)
    if found is None:
        return None
    try:
        numbers = [float(part) for part in re.split(r"\s*,\s*|\s+", found.group(1).replace("−", "-")) if part]
    except ValueError:
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None


def _unfenced(text: str) -> str:
    found = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text.strip(), re.DOTALL | re.IGNORECASE)
    return found.group(1) if found else text.strip()


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
