"""The published readings of an option letter of MindCube, MMSI-Bench and ViewSpatial-Bench, which ask no language model.

Sources: mll-lab-nu/MindCube @6d8fd9a (src/evaluation/core/extractors.py); OpenRobotLab/MMSI-Bench @4e28bff (vlmeval/dataset/mmsi_bench.py);
ZJU-REAL/ViewSpatial-Bench @2e85a5e (evaluate.py).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.blink import read_letter

RULES = ("mindcube", "mmsi-bench", "viewspatial")

_Place = tuple[int, int]

_STOPPED = re.compile(r"([A-E])\.")
_SECTION = re.compile(r"<Answer>(.*?)(?:<|$)", re.DOTALL)
_IN_SECTION = tuple(map(re.compile, (r"[Mm]y answer is ([A-E])", r"[Tt]he answer is ([A-E])", r"\b([A-E])\b")))
_ANYWHERE = tuple(
    map(
        re.compile,
        (
            r"(?:^|\n)(?:Answer: )?([A-E])(?:$|\s)",
            r"[*\"]([A-E])[*\"]",
            r"\bAnswer:?\s*([A-E])\b",
            r"[Mm]y answer is ([A-E])",
            r"answer is ([A-E])",
        ),
    )
)
"""In this order; each is looked for in the whole text, and its last place counts. Forms with a full stop behind the letter
come first of all (`_STOPPED`), so that none of the script's later ones can find anything."""
_WORD = re.compile(r"\b([A-E])\b")

_FENCES = (re.compile(r"``([^`]*)``"), re.compile(r"`([^`]*)`"))
_ANY_CASE = re.compile(r"\b([A-D])\b", re.IGNORECASE)
_ALONE = re.compile(r"\b([A-D])\b(?!\s[a-zA-Z])")


class PublishedLetterVerifier:
    """One letter as the benchmark's own script reads it; value and target are a letter, with or without brackets.

    Option `rule` (cards must name it):

    - `mindcube`: the last letter from A to E before a full stop, of whatever word it is the end ("the U.S.A." is A); else the
      part behind `<Answer>`; else a letter on a line of its own, in quotes or stars, behind "Answer" or "answer is"; else the
      first letter alone in the last line that has one ("A chair" is A).
    - `mmsi-bench`: inside the first backticks, where there are some, the first letter from A to D alone, unless white space and a
      letter follow ("A bike").
    - `viewspatial`: the first letter from A to D alone in the last line, whatever its case ("a door" is A).
    """

    name = "published-letter"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter.

        Raises:
            DataError: when the rule does not exist.
        """
        rule = str(self._options.get("rule", "mmsi-bench"))
        if rule not in _READERS:
            raise DataError(f"answer option rule: {rule!r} is unknown", remedy=f"use one of {', '.join(RULES)}")
        place = _READERS[rule](text)
        if place is None:
            return Extraction(reason="not found" if text.strip() else "empty")
        return Extraction(text[slice(*place)].upper(), place)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter.
        """
        right = value == read_letter(target)
        return Match(float(right), right)


def _last(pattern: re.Pattern[str], text: str) -> _Place | None:
    found = deque(pattern.finditer(text), maxlen=1)
    return found[0].span(1) if found else None


def _mindcube(text: str) -> _Place | None:
    place = _last(_STOPPED, text)
    section = _SECTION.search(text) if place is None else None
    for pattern in _IN_SECTION if section is not None else ():
        # Outside the section nothing counts, word bounds neither.
        inner = _last(pattern, section.group(1)) if place is None and section is not None else None
        if inner is not None and section is not None:
            place = (section.start(1) + inner[0], section.start(1) + inner[1])
    for pattern in _ANYWHERE:
        place = place or _last(pattern, text)
    end = len(text)
    while place is None and end >= 0:
        start = text.rfind("\n", 0, end) + 1
        found = _WORD.search(text[start:end])
        place = (start + found.start(1), start + found.end(1)) if found is not None else None
        end = start - 1
    return place


def _mmsi(text: str) -> _Place | None:
    start, end = 0, len(text)
    for fence in _FENCES:
        found = fence.search(text[start:end])
        if found is not None:
            start, end = start + found.start(1), start + found.end(1)
    letter = _ALONE.search(text[start:end])
    return None if letter is None else (start + letter.start(1), start + letter.end(1))


def _viewspatial(text: str) -> _Place | None:
    letter = _ANY_CASE.search(text, text.rfind("\n") + 1)
    return None if letter is None else letter.span(1)


_READERS: Mapping[str, Callable[[str], _Place | None]] = dict(zip(RULES, (_mindcube, _mmsi, _viewspatial), strict=True))
