"""Tool calls in tags: `<function=NAME><parameter=KEY>…` (Qwen3-Coder and later), `<arg_key>…<arg_value>…` (GLM-4.5),
`<invoke name="NAME"><parameter name="KEY">…` (Claude)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from mmeval.verifiers.gui.action import ParseError

_CALL = re.compile(
    r"<function\s*=\s*[\"']?(?P<function>[\w.\-]{1,80})[\"']?\s*>"
    r"|<(?:antml:)?invoke\s+name\s*=\s*[\"'](?P<invoke>[\w.\-]{1,80})[\"']\s*>"
    r"|(?P<plain>\A\s*[\w.\-]{1,80})\s*(?=<arg_key>)",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"</function>|</(?:antml:)?invoke>", re.IGNORECASE)
_ARGUMENT = re.compile(
    r"<parameter\s*=\s*[\"']?(?P<key>[\w.\-]{1,80})[\"']?\s*>(?P<value>.*?)</parameter>"
    r"|<(?:antml:)?parameter\s+name\s*=\s*[\"'](?P<named>[\w.\-]{1,80})[\"'][^<>]{0,80}>(?P<content>.*?)</(?:antml:)?parameter>"
    r"|<arg_key>\s*(?P<arg>[\w.\-]{1,80})\s*</arg_key>\s*<arg_value>(?P<given>.*?)</arg_value>",
    re.IGNORECASE | re.DOTALL,
)
_VALUE_ENDS = re.compile(r"</(?:antml:)?parameter>|</arg_value>", re.IGNORECASE)
"""An argument that opens behind the last of them has no end, and is not looked through for one."""
_OPENING = re.compile(r"<(?:(?:antml:)?parameter\b|arg_key>|arg_value>)", re.IGNORECASE)
_WORDS = frozenset(
    {
        "action",
        "text",
        "content",
        "value",
        "input_text",
        "message",
        "answer",
        "app",
        "app_name",
        "name",
        "status",
        "thought",
    }
)
"""Arguments that are text, whatever they look like; others may be JSON."""


def tagged_calls(text: str) -> Iterator[tuple[dict[str, Any], tuple[int, int]]]:
    """Yield the calls of a text as {"name": …, "arguments": {…}}, with their places.

    Raises:
        ParseError: when an argument is cut off, or has two values.
    """
    calls = list(_CALL.finditer(text))
    for place, call in enumerate(calls):
        end = calls[place + 1].start() if place + 1 < len(calls) else len(text)
        closing = _CLOSING.search(text, call.end(), end)
        inside = text[call.end() : closing.start() if closing else end]
        name = call["function"] or call["invoke"] or call["plain"]
        yield {"name": name.strip(), "arguments": _arguments(inside)}, (call.start(), closing.end() if closing else end)


def _arguments(inside: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    last = max((closing.end() for closing in _VALUE_ENDS.finditer(inside)), default=0)
    for argument in _ARGUMENT.finditer(inside, 0, last):
        key = argument["key"] or argument["named"] or argument["arg"]
        value = _value(key, next(one for one in argument.group("value", "content", "given") if one is not None))
        if key in found and found[key] != value:
            raise ParseError(f"key {key[:40]!r} twice")
        found[key] = value
    if _OPENING.search(_ARGUMENT.sub("", inside[:last]) + inside[last:]) is not None:
        raise ParseError("truncated")
    return found


def _value(key: str, written: str) -> Any:
    """An argument without the line breaks that set it apart; lists, objects and numbers as such."""
    plain = written.removeprefix("\n").removesuffix("\n")
    if key.lower() in _WORDS:
        return plain.strip() if key.lower() in ("action", "status") else plain
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return plain.strip()
    return plain.strip() if isinstance(value, str) or value is None else value
