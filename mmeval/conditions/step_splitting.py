"""Cutting a solution into steps, and making one number of the scores of its steps."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

_TAGGED = re.compile(r"</step_[0-9]{1,3}>\s*", re.IGNORECASE)
_HEADED = re.compile(r"^(?=[ \t>#*]*step\s*[0-9]{1,3}\b)", re.IGNORECASE | re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")


def split_steps(text: str) -> list[str]:
    """Return the steps of a solution; put together again they are the text, and none is blank.

    The first of these that cuts it: closing tags `</step_n>`, lines that begin with "Step n", blank lines. What stands
    before the first heading belongs to the first step. A text that nothing cuts is one step; a blank one has none.
    """
    if not text.strip():
        return []
    for cuts in (
        [found.end() for found in _TAGGED.finditer(text)],
        [found.start() for found in _HEADED.finditer(text)][1:],
        [found.end() for found in _PARAGRAPH.finditer(text)],
    ):
        parts = _parts(text, cuts)
        if len(parts) > 1:
            return parts
    return [text]


def _parts(text: str, cuts: Sequence[int]) -> list[str]:
    """The pieces between the cuts; a blank one is joined to its neighbour."""
    bounds = [0, *cuts, len(text)]
    found: list[str] = []
    for start, end in pairwise(bounds):
        piece = text[start:end]
        if found and (not piece.strip() or not found[-1].strip()):
            found[-1] += piece
        elif piece:
            found.append(piece)
    return found


def aggregated(scores: Sequence[float]) -> dict[str, float]:
    """Return the aggregates of step scores by name.

    Args:
        scores: one per step, at least one.
    """
    return {
        "min": min(scores),
        "last": scores[-1],
        "mean": math.fsum(scores) / len(scores),
        "product": math.prod(scores),
        "max": max(scores),
    }
