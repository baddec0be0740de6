"""Finding a list in an answer, and its elements."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from mmeval.verifiers.answer import Section, answer_phrases, declines, lines, mask
from mmeval.verifiers.formula_finder import tidy
from mmeval.verifiers.json_answer import ANSWER_KEYS, objects
from mmeval.verifiers.numerals import read_number

_MOST: Mapping[str, int] = {"text": 300, "number": 300, "expression": 40}
"""Elements of the longest list that is an answer."""
_LONGEST = 20_000
_BRACKETS: Mapping[str, str] = {"[": "]", "{": "}", "(": ")"}
_OPENING = re.compile(r"[\[{(]")
_WORD_SEPARATOR = re.compile(r"(?:(?<!\s)\s++(?:,\s++)?|,\s++)(?:and|or|und|et)\s+|(?:(?<!\s)\s++)?[和与及]\s*")
_CONNECTIVE = re.compile(r"^\s*(?:(?:and|or)\s+)?(?:and|or|then|finally|followed\s+by)\s+", re.IGNORECASE)
_ARROW = re.compile(
    r"\s*(?:→|⟶|➔|➜|⇒|[-=]{1,2}>|\\(?:right|long)arrow(?![A-Za-z])|\\(?:longright|Right)arrow(?![A-Za-z])|\\to(?![A-Za-z]))\s*"
)
_RANKED = re.compile(r"\s*(?:>|≻|\\succ(?![A-Za-z])|\\gt(?![A-Za-z]))\s*")
_COMMAS = re.compile(r"[,;、，；\n]")
_SPACED_NUMBERS = re.compile(r"[+\-−]?[0-9]+(?:\.[0-9]+)?(?:[ \t]+[+\-−]?[0-9]+(?:\.[0-9]+)?)+")
_LEAD = re.compile(
    r"\s*(?:(?:the|these|those|they|it|this|my|i|there)\b[^,;:\n]{0,80}?\b(?:is|are|was|were|includes?|shows?|contains?|see)(?:\s*:|\b)"
    r"|[A-Za-z][^,;:\n]{0,60}:)\s*(?=\S)",
    re.IGNORECASE,
)
"""What introduces a list in its own line: "The objects are", "Order:"."""
_WORDS = 4
"""Words of the longest element of a list that no sign marks as one."""
_BULLET = re.compile(r"\s*(?:[-*•–]|[0-9]{1,3}[.)]|\([0-9]{1,3}\))\s+(?P<item>\S(?:.*\S)?)\s*$")
_NO_LIST = re.compile(
    r"\W*(?:(?:i|we)\s+(?:can|could|do|did|am|are)(?:n?['’]t|not)?\b|(?:there|it|they)\s+(?:is|are|was|were|do|does)(?:n['’]t|\s+no(?:t|ne|thing)?\b))",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}


def find_list(section: Section, element: str) -> tuple[int, int, list[Any]] | str:
    """Return where the list stands in the section and what it is, or the reason why there is none.

    In this order: behind the last "the answer is …"; all of a marked section; the only bracketed list, or the one on the
    last line; bullet points; a single line.
    """
    text = section.text
    held = _of_object(text, element)
    if held is not None:
        return *_place(text, 0, len(text)), held
    if len(text) <= _LONGEST:
        whole = list_elements(text.strip(), element)
        if whole is not None and (section.marked or _bracketed(text.strip())):
            return *_place(text, 0, len(text)), whole
    masked = mask(text)
    behind = _behind_phrase(text, masked, element)
    if behind is not None:
        return behind
    places = [
        (start, end, value)
        for start, end in _bracket_places(masked)
        if (value := list_elements(text[start:end], element))
    ]
    if places:
        last_line = lines(masked)[-1][0]
        if all(place[2] == places[0][2] for place in places):
            return places[-1]
        on_last = [place for place in places if place[0] >= last_line]
        return on_last[0] if len(on_last) == 1 else "ambiguous"
    bullets = _bullets(text, element)
    if bullets is not None:
        return bullets
    one_line = (
        "\n" not in text.strip() and len(text) <= _LONGEST and not declines(text) and _NO_LIST.match(text) is None
    )
    if text.strip()[:1] in ("[", "{"):
        one_line = False  # cut off before it closes
    if not one_line:
        return _line_by_line(text, element) or "not found"
    return _enumeration(text, element) or "not found"


def _enumeration(text: str, element: str) -> tuple[int, int, list[Any]] | None:
    """Return the list that is a line, without what introduces it."""
    lead = _LEAD.match(text)
    if lead is not None and ":" in lead.group() and ":" in text[lead.end() :]:
        lead = None  # pairs of names and values
    start, end = _place(text, lead.end() if lead else 0, len(text))
    if element == "text" and not _is_enumeration(text[start:end]):
        return None
    value = list_elements(text[start:end].rstrip(".。") if lead else text[start:end], element)
    return None if value is None else (start, end, value)


def _line_by_line(text: str, element: str) -> tuple[int, int, list[Any]] | None:
    """Return the list whose elements are short lines, where all lines are, but for one above them that ends with a colon."""
    if len(text) > _LONGEST or declines(text) or text.strip()[:1] in ("[", "{"):
        return None
    written = [text[start:end] for start, end in lines(text)]
    if written and written[0].endswith((":", "：")):
        del written[0]
    if not 2 <= len(written) <= _MOST[element]:
        return None
    if any(
        len(one.split()) > _WORDS or _COMMAS.search(one) or _BULLET.match(one) or one[-1] in ".!?:。" for one in written
    ):
        return None
    value = [_typed(mask(one).strip(), element) for one in written]
    return None if None in value else (*_place(text, 0, len(text)), value)


def _of_object(text: str, element: str) -> list[Any] | None:
    """Return the list that is the answer field of a JSON object, or its only list, where the text holds one object."""
    if "{" not in text or len(text) > _LONGEST:
        return None
    found = objects(text)
    if len(found) != 1:
        return None
    fields = {str(name).strip().lower().replace(" ", "_"): value for name, value in found[0].items()}
    lists = [fields[name] for name in ANSWER_KEYS if isinstance(fields.get(name), list)]
    lists = lists or [value for value in fields.values() if isinstance(value, list)]
    if len(lists) != 1 or not lists[0] or not all(isinstance(item, (str, int, float)) for item in lists[0]):
        return None
    values = [_typed(item, element) for item in lists[0]]
    return values if len(values) <= _MOST[element] and None not in values else None


def _place(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _bracketed(text: str) -> bool:
    return text[:1] in _BRACKETS and _closing(text, 0) == len(text) - 1


def _is_enumeration(text: str) -> bool:
    """Whether a line lists short things ("cat, dog and bird"), and is no sentence with commas."""
    parts = _in_order(text, "text") or _split(text.strip().rstrip("."))
    return all(len(part.split()) <= _WORDS for part in parts)


def _behind_phrase(text: str, masked: str, element: str) -> tuple[int, int, list[Any]] | None:
    best: tuple[int, int, list[Any]] | None = None
    for _, position in answer_phrases(masked):
        start = position
        while start < len(masked) and masked[start].isspace():
            start += 1
        close = _closing(masked, start) if masked[start : start + 1] in _BRACKETS else None
        end = masked.find("\n", start) if close is None else close + 1
        end = len(masked) if end < 0 else end
        if end - start > _LONGEST:
            continue
        value = list_elements(text[start:end].strip().rstrip(".。"), element)
        if value:
            best = (*_place(text, start, end), value)
    return best


def _bracket_places(masked: str) -> list[tuple[int, int]]:
    """Return the outermost square brackets and braces; round ones enclose remarks too often."""
    places, position = [], 0
    for _ in range(200):
        found = re.compile(r"[\[{]").search(masked, position)
        if found is None:
            break
        close = _closing(masked, found.start())
        if close is not None:
            places.append((found.start(), close + 1))
        position = found.end() if close is None else close + 1
    return places


def _closing(text: str, start: int) -> int | None:
    """Return where the bracket at `start` closes, quotes and nested brackets left aside."""
    opening, closing = text[start], _BRACKETS[text[start]]
    depth, quote = 0, ""
    for position in range(start, min(len(text), start + _LONGEST)):
        character = text[position]
        if quote:
            quote = "" if character == quote and text[position - 1] != "\\" else quote
        elif character == '"':
            quote = character
        elif character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0:
                return position
    return None


def _bullets(text: str, element: str) -> tuple[int, int, list[Any]] | None:
    """Return the items of the only run of bullet points."""
    runs: list[list[re.Match[str]]] = []
    previous = -2
    for number, line in enumerate(text.split("\n")[:1000]):
        found = _BULLET.match(line)
        if found is None:
            continue
        if number != previous + 1:
            runs.append([])
        runs[-1].append(found)
        previous = number
    if len(runs) != 1 or not 2 <= len(runs[0]) <= _MOST[element]:
        return None
    items = [found.group("item").rstrip(".,;") for found in runs[0]]
    value = [_typed(mask(item).strip(), element) for item in items]
    if any(item is None for item in value):
        return None
    start = text.find(runs[0][0].group().strip())
    end = text.find(items[-1], start) + len(items[-1])
    return start, end, value


def list_elements(text: str, element: str) -> list[Any] | None:
    """Return the elements of a written list, None where it is none."""
    text = tidy(text) if "\\" in text or "$" in text else text
    text = text.replace("\\{", "{").replace("\\}", "}").replace("\\left", "").replace("\\right", "")
    parsed = _from_json(text)
    if parsed is None:
        if _bracketed(text):
            text = text[1:-1]
        parsed = _in_order(text, element) or _split(text)
    values = [_typed(item, element) for item in parsed]
    if not values or len(values) > _MOST[element] or any(value is None for value in values):
        return None
    return values


def _from_json(text: str) -> list[Any] | None:
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    plain = isinstance(found, list) and all(isinstance(item, (str, int, float)) for item in found)
    return found if plain else None


def _in_order(text: str, element: str) -> list[str] | None:
    """Return what arrows, signs of rank or, of numbers, spaces alone set apart; None where commas do."""
    if element == "expression" or _COMMAS.search(text):
        return None
    if element == "number" and _SPACED_NUMBERS.fullmatch(text.strip()) and read_number(text) is None:
        return text.split()
    for pattern in (_ARROW, _RANKED):
        parts = [part.strip() for part in pattern.split(text.strip())]
        if len(parts) > 1 and all(parts) and all(len(part.split()) <= _WORDS for part in parts):
            return parts
    return None


def _split(text: str) -> list[str]:
    """Split at separators outside quotes and brackets; digits joined by a comma stay where other commas have a space."""
    spaced = re.search(r"[,;]\s", text) is not None
    parts, current, depth, quote = [], "", 0, ""
    for position, character in enumerate(text):
        following = text[position + 1 : position + 2]
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and not current.strip():
            quote = _QUOTES[character]
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth <= 0 and (character in ";、，；\n" or (character == "," and not (spaced and following.isdigit()))):
            parts.append(current)
            current = ""
            continue
        current += character
    parts.append(current)
    return [piece.strip() for part in parts for piece in _at_words(part) if piece.strip()]


def _at_words(part: str) -> list[str]:
    stripped = part.strip()
    if stripped[:1] in _QUOTES:
        return [stripped]
    return _WORD_SEPARATOR.split(_CONNECTIVE.sub("", part))


def _typed(item: Any, element: str) -> Any:
    """Return an element as its kind wants it, None where it is none."""
    if element == "number":
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            value: float | None = item
        else:
            value = read_number(mask(str(item)))
        return value if value is not None and math.isfinite(value) else None
    written = str(item).strip()
    if written[:1] in _QUOTES and len(written) > 1 and written[-1] == _QUOTES[written[0]]:
        written = written[1:-1].strip()
    written = tidy(written) if element == "expression" else mask(written).strip(" *")
    return written or None
