"""Parts of long texts, and what a row of a table says in words."""

from __future__ import annotations

import math
import re
from typing import Any, TypeAlias

from mmeval.reports.format import json_text

TEXT_LIMIT = 20_000
"""Characters of one text that the browser shows; longer ones keep head, tail and the extracted span."""
VALUE_LIMIT = 2_000

Pieces: TypeAlias = list[list[Any]]
"""A text as [kind, text] pairs: `text`, `mark` (the extracted span) or `cut` (a number of characters left out)."""


def excerpt(text: str, span: tuple[int, int] | None = None, limit: int = TEXT_LIMIT) -> Pieces:
    """Cut a text into pieces around the extracted span, leaving out the middle of what is too long.

    Args:
        text: the whole text.
        span: start and end of what was read, in characters; a span outside the text is ignored.
        limit: characters to keep at most, apart from a short span.
    """
    if span is not None and not 0 <= span[0] < span[1] <= len(text):
        span = None
    windows = [(0, len(text))] if len(text) <= limit else [(0, limit * 2 // 3), (len(text) - limit // 3, len(text))]
    if span is not None and len(windows) > 1:
        span = (span[0], min(span[1], span[0] + limit))
        windows = _merge([*windows, (max(0, span[0] - 400), min(len(text), span[1] + 400))])
    pieces: Pieces = []
    position = 0
    for start, end in windows:
        if start > position:
            pieces.append(["cut", start - position])
        if span is not None and start <= span[0] < end:
            pieces += [
                ["text", text[start : span[0]]],
                ["mark", text[span[0] : span[1]]],
                ["text", text[span[1] : end]],
            ]
        else:
            pieces.append(["text", text[start:end]])
        position = end
    return [piece for piece in pieces if piece[1]]


def typed_text(value: Any, coordinates: bool) -> str:
    """Show a typed value; whole pixels without their `.0`."""
    return re.sub(r"\.0(?=[,\]])", "", json_text(value)) if coordinates else json_text(value)


def text_or_none(value: Any) -> str | None:
    """Return a text that says something."""
    return value if isinstance(value, str) and value else None


def number_or_none(value: Any, digits: int) -> float | int | None:
    """Return a finite number, rounded; whole without digits."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) if digits else int(value)


def _merge(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
