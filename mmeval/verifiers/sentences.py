"""Sentences of an answer, and what of a text is running prose.

All functions work on masked text (`mask` of `mmeval.verifiers.answer`) and return offsets in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CONCLUSION = re.compile(
    r"\W*(?:(?:therefore|thus|hence|so|consequently|accordingly|altogether|overall|finally|ultimately|in\s+total"
    r"|in\s+(?:conclusion|summary|short)|to\s+(?:conclude|sum\s+up|summarize|summarise)|as\s+a\s+result"
    r"|(?:based\s+on|given)\s+(?:this|these|the\s+(?:above|analysis|options|choices)|my)|after\s+(?:evaluating|analy[sz]ing)"
    r")\b|∴|因此|所以|故|综上|Donc\b|Daher\b|Por\s+lo\s+tanto\b)",
    re.IGNORECASE,
)
"""How a sentence opens that draws the conclusion."""

_STOP = re.compile(r"[!?。！？]|\.(?![0-9A-Za-z])|\n")
_NO_STOP = re.compile(r"(?:(?<![A-Za-z0-9])(?<![0-9] )[A-Z]|\b(?:e\.g|i\.e|etc|vs|approx|[Nn]o|[Ff]ig|[Ee]q))$")
"""Before a full stop: labels ("B. blue") and abbreviations, which do not end a sentence; "2." at its start neither."""
_MARKER = re.compile(r"\s*(?:[0-9]{1,2}|[a-z])")

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n.*?(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_TABLE_ROW = re.compile(r"^[^|\n]*\|[^\n]*$", re.MULTILINE)
_BLANKED = re.compile(r"[^\n]")
_LEAD = re.compile(
    r"\W*(?:if|when|since|because|given|as|assuming|suppose|for|in|on|at|by|from|among|out\s+of|of|according\s+to"
    r"|based\s+on|to|after|with|using|between|during|over|considering|looking|round(?:ed|ing))\b(?:[^,\n]|,(?=[0-9]{3}))*,"
    r"|\s*(?:and|or|which|that|who|where)\b(?:[^,\n]|,(?=[0-9]{3}))*,",
    re.IGNORECASE,
)
"""A clause before the main clause; its numbers are given, not stated."""
_GOES_ON = re.compile(r"\s*(?:and|or|which|that|who|where)\b", re.IGNORECASE)


def prose(raw: str, masked: str) -> str:
    """Return masked text, equally long, with questions, code blocks and table rows blanked.

    Unchanged where nothing else remains, except for a text that only asks.

    Args:
        raw: the text before masking, in which the code fences still stand.
        masked: the same text, masked, perhaps cut at its end.
    """
    text = _without_questions(masked)
    text = _blanked(text, [fence.span() for fence in _FENCE.finditer(raw, 0, len(masked))])
    if text.count("|") >= 4:
        text = _blanked(text, [row.span() for row in _TABLE_ROW.finditer(text)])
    return text if any(character.isalnum() for character in text) else _without_questions(masked)


def _without_questions(text: str) -> str:
    if "?" not in text:
        return text
    return _blanked(text, [(start, end) for start, end in sentences(text) if text[end : end + 1] == "?"])


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return `text` with spans (in order, apart from one another) replaced by spaces; line ends stay."""
    parts: list[str] = []
    position = 0
    for start, end in spans:
        parts += [text[position:start], _BLANKED.sub(" ", text[start:end])]
        position = end
    return "".join([*parts, text[position:]])


def sentences(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of every sentence that holds a word or a number, white space at both ends left out."""
    found: list[tuple[int, int]] = []
    start = 0
    for stop in _STOP.finditer(text):
        if stop.group() == "." and (
            _NO_STOP.search(text, max(start, stop.start() - 8), stop.start())
            or _MARKER.fullmatch(text, start, stop.start())
        ):
            continue
        _add(found, text, start, stop.start())
        start = stop.end()
    _add(found, text, start, len(text))
    return found


def _add(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    inner = text[start:end].strip()
    if any(character.isalnum() for character in inner):
        begin = text.index(inner, start)
        found.append((begin, begin + len(inner)))


def main_clause(text: str, start: int, end: int) -> int:
    """Return where the main clause of a sentence starts: behind "Therefore, if x is 5, …"."""
    opening = CONCLUSION.match(text, start, end)
    position = opening.end() if opening else start
    position += len(text[position:end]) - len(text[position:end].lstrip(" ,"))
    first = True
    for _ in range(4):
        lead = _LEAD.match(text, position, end)
        if lead is None or (first and _GOES_ON.match(lead.group())):
            break
        position, first = lead.end(), False
    return position
