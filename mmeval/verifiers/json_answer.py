"""Answers given as a JSON object ({"reasoning": "…", "answer": "B"}): where the value stands."""

from __future__ import annotations

import json
import re
from typing import Any

ANSWER_KEYS = (
    "final_answer", "answer", "correct_answer", "answer_letter", "option", "correct_option", "selected_option", "choice",
    "correct_choice", "prediction", "result",
)  # fmt: skip
"""Names of the field that holds the answer, the surest first; case, spaces and hyphens do not count."""
_ESCAPED = re.compile(r"(?:\\\\)+|\\[\"/]")
_SINGLE = re.compile(r"\\(?!n(?![a-z])|u[0-9a-fA-F]{4})")
_OPENING = re.compile(r"\{\s*\"")
_AFTER = re.compile(r"[\s`.]*")
_ATTEMPTS = 3
_SCALAR = r"(\"(?:[^\"\\]|\\.)*+\"|-?[0-9][0-9.eE+-]*|true|false)"


def json_answer(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where the answer field's value stands in a JSON object that ends [start, end) of a text.

    A fence ("```") and prose before the object do not matter. Only text, numbers, true and false are answers; the
    quotation marks do not belong to the place.
    """
    if "}" not in text[max(start, end - 16) : end]:
        return None
    for opening in list(_OPENING.finditer(text, start, end))[:_ATTEMPTS]:
        found = _object(text, opening.start(), end)
        if found is None:
            continue
        fields, close = found
        if _AFTER.fullmatch(text, close, end):
            return _place(text, opening.start(), close, fields)
    return None


def unescaped(text: str) -> str:
    r"""Return the text of a JSON field, equally long, with spaces for the backslashes that JSON puts before backslashes and quotes.

    `\\frac{3}{4}` becomes ` \frac{3}{4}`. Where a model forgot to double them (`\frac`), every backslash is its own.
    """
    if "\\" not in text or _SINGLE.search(_ESCAPED.sub("", text)):
        return text
    return _ESCAPED.sub(lambda found: " " * (len(found[0]) // 2) + found[0][-1] * (len(found[0]) // 2), text)


def objects(text: str, most: int = 400) -> list[dict[str, Any]]:
    """Return the JSON objects in a text, and those in lists of theirs, each by itself.

    Args:
        text: anything.
        most: opening brackets that are tried.
    """
    found: list[dict[str, Any]] = []
    decoder = json.JSONDecoder(strict=False)
    place = 0
    for opening in [one.start() for one in re.finditer(r"[\[{]", text)][:most]:
        if opening < place:
            continue
        try:
            value, place = decoder.raw_decode(text, opening)
        except (ValueError, RecursionError):
            continue
        entries = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            entries = [*entries, *(entry for inner in value.values() if isinstance(inner, list) for entry in inner)]
        found += [entry for entry in entries if isinstance(entry, dict)]
    return found


def _object(text: str, start: int, end: int) -> tuple[dict[str, Any], int] | None:
    try:
        # strict=False: models write line breaks inside strings.
        value, close = json.JSONDecoder(strict=False).raw_decode(text[start:end])
    except (ValueError, RecursionError):
        return None
    return (value, start + close) if isinstance(value, dict) else None


def _place(text: str, start: int, end: int, fields: dict[str, Any]) -> tuple[int, int] | None:
    names = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in fields}
    for key in ANSWER_KEYS:
        name = names.get(key)
        if name is None or not isinstance(fields[name], (str, int, float)):
            continue
        for found in re.finditer(
            rf"{re.escape(json.dumps(name, ensure_ascii=False))}\s*:\s*{_SCALAR}", text[start:end]
        ):
            try:
                same = json.loads(found.group(1), strict=False) == fields[name]
            except ValueError:
                same = False
            if same:
                quoted = found.group(1).startswith('"')
                return start + found.start(1) + quoted, start + found.end(1) - quoted
    return None
