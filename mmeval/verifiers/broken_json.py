"""JSON and Python literals as models write them: with comments, trailing commas, or cut off."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')|(?P<comment>/\*.*?(?:\*/|\Z)|(?://|\#)[^\n]*)"""
    r"""|(?P<comma>,(?=(?:\s|/\*.*?\*/|(?://|\#)[^\n]*)*+[\]}]))|(?P<bracket>[\[\]{}()])|(?P<quote>["'])""",
    re.DOTALL,
)
_CLOSING = {"[": "]", "{": "}", "(": ")"}
_DEEPEST = 64
_LITERAL_LENGTH = 2_000_000


def parsed(text: str) -> Any:
    """Return the list or mapping that a text is as JSON or as a Python literal; None where it is neither."""
    if not text or text[0] not in "[{(" or text[-1] not in "]})":
        return None
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        if len(text) > _LITERAL_LENGTH:
            return None
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
    if isinstance(value, tuple) and all(isinstance(entry, Mapping) for entry in value):
        value = list(value)
    return value if isinstance(value, (list, dict)) else None


def tidied(text: str) -> str:
    """Return a text without comments and trailing commas; quoted text and a comment without an end stay as they are."""
    return _TOKEN.sub(_tidied, text)


def _tidied(found: re.Match[str]) -> str:
    written = found.group()
    unclosed = written.startswith("/*") and not written.endswith("*/")
    return "" if found.lastgroup in ("comment", "comma") and not unclosed else written


def value_end(text: str) -> tuple[int | None, str | None]:
    """Follow the brackets from the start of a text.

    Returns:
        where the value that begins there ends, None where it does not; and, where it is cut off, the same with its brackets
        closed behind the last complete object or entry of a list.
    """
    stack: list[str] = []
    complete = ""
    cut = 0
    for token in _TOKEN.finditer(text):
        kind, sign = token.lastgroup, token.group()
        if kind == "quote":  # quoted text without an end
            break
        if kind != "bracket":
            continue
        if sign in _CLOSING:
            stack.append(_CLOSING[sign])
            if len(stack) > _DEEPEST:
                return None, None
        elif not stack or stack.pop() != sign:
            return None, None
        elif not stack:
            return token.end(), None
        elif sign == "}" or stack[-1] == "]":
            cut, complete = token.end(), "".join(reversed(stack))
    return None, text[:cut] + complete if cut else None
