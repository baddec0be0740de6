"""The texts of options, and where an answer says one of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmeval.verifiers.answer import lower, negated, stripped

_WORD = r"0-9A-Za-z_\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
_SURROUNDING = " \t\r\n.,:;!?\"'$*()[]"


@dataclass(frozen=True, slots=True)
class Found:
    """One reading of an answer."""

    index: int | None
    """Option, 0-based; None when the reading is that there is no single option."""
    start: int
    """Offset in the section."""
    end: int
    reason: str = ""

    @classmethod
    def none(cls, reason: str, position: int = 0) -> Found:
        """Return the reading "no single option", which ends the search."""
        return cls(None, position, position, reason)


class OptionTexts:
    """The texts of a question's options, ready to be looked up in an answer."""

    def __init__(self, choices: Sequence[str], mask: Callable[[str], str]) -> None:
        self._normal = [_normalise(mask(str(choice))) for choice in choices]
        self._patterns = [_pattern(lower(mask(str(choice)))) for choice in choices]
        self.words = sum(len(str(choice).split()) for choice in choices)
        """Words of all options together."""
        self.wordy = all(len(text) > 3 and text.replace(" ", "").isalpha() for text in self._normal)
        """Whether every option is a real word or phrase, which no text holds by accident."""

    def same(self, first: int | None, second: int | None) -> bool:
        """Whether two options are one, or have identical texts."""
        if first == second:
            return True
        if first is None or second is None or max(first, second) >= len(self._normal):
            return False
        return self._normal[first] == self._normal[second]

    def equal(self, text: str) -> int | None:
        """Return the first option whose text `text` is, case and surrounding punctuation aside."""
        normal = _normalise(text)
        return self._normal.index(normal) if normal and normal in self._normal else None

    def leading(self, lowered: str) -> Found | None:
        """Return the longest option with which the text opens, when a pause follows it."""
        best: Found | None = None
        opening = len(lowered) - len(lowered.lstrip(_SURROUNDING))
        for index, pattern in enumerate(self._patterns):
            found = pattern.match(lowered, opening) if pattern else None
            if (
                found
                and re.match(r"\s*(?:[.,;:!?\n]|$)", lowered[found.end() :])
                and (best is None or found.end() > best.end)
            ):
                best = Found(index, *found.span())
        return best

    def contained(self, lowered: str, start: int, end: int) -> Found | None:
        """Return the one option whose text stands in [start, end).

        A text inside a longer option's text at the same place does not count, nor does a negated one. Several
        different options give an ambiguous reading.
        """
        places: list[Found] = []
        for index, pattern in enumerate(self._patterns):
            if pattern is not None:
                places += [Found(index, *found.span()) for found in pattern.finditer(lowered, start, end)]
        outer = [place for place in places if not any(_inside(place, other) for other in places)]
        stated = [place for place in outer if not negated(lowered, place.start)]
        if not stated:
            return None
        if any(not self.same(place.index, stated[0].index) for place in stated):
            return Found.none("ambiguous", stated[0].start)
        return min(stated, key=lambda place: (place.index, place.start))


def _inside(place: Found, other: Found) -> bool:
    return other.start <= place.start and place.end <= other.end and other.end - other.start > place.end - place.start


def _normalise(text: str) -> str:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().replace("{", "").replace("}", "").split())
    start, end = stripped(plain, 0, len(plain), _SURROUNDING)
    return plain[start:end]


def _pattern(lowered: str) -> re.Pattern[str] | None:
    start, end = stripped(lowered, 0, len(lowered), _SURROUNDING)
    words = lowered[start:end].split()
    if not words:
        return None
    first, last = words[0][0], words[-1][-1]
    before = rf"(?<![{_WORD}.\-−√/^])" if re.match(rf"[{_WORD}]", first) else ""
    after = rf"(?![{_WORD}√/^]|[.,][0-9])" if re.match(rf"[{_WORD}]", last) else ""
    body = r"\s+".join(re.escape(word) for word in words)
    # "√{3}" is often written without its braces.
    return re.compile(before + body.replace(r"\{", r"\{?").replace(r"\}", r"\}?") + after)
