"""Function calls in text: where they stand, and their arguments as literals. Nothing is ever executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.verifiers.gui.action import ParseError, Point, is_number

_OPENING = re.compile(r"(?<![A-Za-z0-9_.])((?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*)\(")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ATTEMPTS = 40
_LONGEST = 20_000
"""Characters of a call; longer ones are no action, and Python's parser is not asked."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as written."""

    name: str
    """With its namespace: `pyautogui.click`."""
    inside: str
    """Between the brackets."""
    start: int
    end: int
    complete: bool
    """Whether its bracket closes."""


def find_calls(text: str, is_action: Callable[[str], bool]) -> Iterator[Call]:
    """Yield the calls of a text; what stands inside a call of an action is its argument, and no call of its own."""
    at, unclosed = 0, 0
    # The limit bounds the work on text that opens brackets without closing them.
    while unclosed < _ATTEMPTS and (opening := _OPENING.search(text, at)) is not None:
        name, begin = opening.group(1), opening.end()
        end = _closing(text, begin, quotes=True)
        if end is None:
            # An apostrophe in text without quotation marks opens no string.
            end = _closing(text, begin, quotes=False)
        unclosed += end is None
        stop = len(text) if end is None else end
        yield Call(name, text[begin:stop], opening.start(), min(stop + 1, len(text)), end is not None)
        at = stop + 1 if is_action(name) else begin


def _closing(text: str, start: int, *, quotes: bool) -> int | None:
    """Return where the bracket that was opened before `start` closes; brackets in quotation marks do not count."""
    open_brackets, quote, position = [")"], "", start
    while position < min(len(text), start + _LONGEST):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif quotes and character in "\"'" and _opens_string(text, position, start):
            quote = character
        elif character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        elif character == open_brackets[-1]:
            open_brackets.pop()
            if not open_brackets:
                return position
        position += 1
    return None


def _opens_string(text: str, position: int, start: int) -> bool:
    before = text[start:position].rstrip()
    return not before or before[-1] in "(,=[{:"


def only(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the text with spaces for all that lies outside some places, so that what is found in it keeps its place."""
    found, at = [], 0
    for start, end in spans:
        found.append(re.sub(r"[^\n]", " ", text[at:start]))
        found.append(text[start:end])
        at = end
    return "".join(found) + re.sub(r"[^\n]", " ", text[at:])


def bound(call: Call, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the arguments of a call by name, all of them literals.

    Args:
        call: complete or not.
        names: of the parameters in order; a last name that starts with '*' takes all that remain.

    Raises:
        ParseError: when the call is cut off, no call of Python, has arguments that are no literals, or too many of them.
    """
    if not call.complete:
        raise ParseError("truncated")
    positional, keywords = _literals(call)
    rest = names[-1][1:] if names and names[-1].startswith("*") else None
    plain = names[:-1] if rest else names
    found: dict[str, Any] = dict(zip(plain, positional, strict=False))
    if len(positional) > len(plain):
        if rest is None:
            raise ParseError(f"{call.name} takes at most {len(plain)} arguments")
        found[rest] = positional[len(plain) :]
    for name, value in keywords.items():
        if name in found:
            raise ParseError(f"{call.name} has {name} twice")
        found[name] = value
    return found


def _literals(call: Call) -> tuple[list[Any], dict[str, Any]]:
    try:
        tree = ast.parse(f"f({call.inside}\n)", mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise ParseError(f"{call.name} cannot be read")
        positional = [ast.literal_eval(argument) for argument in tree.args]
        keywords = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords if word.arg is not None}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ParseError(f"{call.name} cannot be read") from error
    if len(keywords) < len(tree.keywords):
        raise ParseError(f"{call.name} cannot be read")
    return positional, keywords


def number(value: Any, name: str) -> float:
    """Return a number.

    Raises:
        ParseError: when it is none.
    """
    if not is_number(value):
        raise ParseError(f"{name} is no number")
    return float(value)


def point(arguments: Mapping[str, Any], x: str = "x", y: str = "y") -> Point | None:
    """Return the point of two arguments, or of one that is a pair; None when there is neither.

    Raises:
        ParseError: when one is missing or no number.
    """
    first, second = arguments.get(x), arguments.get(y)
    if isinstance(first, (list, tuple)) and second is None:
        return pair(first)
    if first is None and second is None:
        return None
    return number(first, x), number(second, y)


def pair(value: Any) -> Point:
    """Return a pair of numbers as a point.

    Raises:
        ParseError: when it is none; four numbers are a box.
    """
    if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], (list, tuple)):
        value = value[0]
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        four = isinstance(value, (list, tuple)) and len(value) == 4
        raise ParseError("a box, not a point" if four else "no point")
    return number(value[0], "x"), number(value[1], "y")


def text_of(value: Any, name: str) -> str:
    """Return text; numbers are written out.

    Raises:
        ParseError: when it is neither.
    """
    if isinstance(value, str):
        return value
    if is_number(value):
        return str(value)
    raise ParseError(f"{name} is no text")
