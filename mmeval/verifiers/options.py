"""The texts of options, and where an answer says one of them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from mmeval.verifiers.answer import lower, negated, stripped
from mmeval.verifiers.numerals import find_numerals
from mmeval.verifiers.unit_names import UNITS, comparable, scale_of

_WORD = r"0-9A-Za-z_\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
_SURROUNDING = " \t\r\n.,:;!?\"'$*()[]"
_NONE = re.compile(r"(?:none|neither|nothing)\b|not\s+(?:listed|given|possible)\b|以上都不|都不", re.IGNORECASE)
_SIGNED = re.compile(r"[-−]\s*$")
_LATEX_SPACE = re.compile(r"\\[,;:! ]|\\quad|\\left|\\right|[\s{}*$]")
_SAME_SIGNS = (
    ("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\sqrt", "√"), ("\\pi", "π"), ("\\times", "×"), ("\\cdot", "×"), ("·", "×"),
    ("^\\circ", "°"), ("\\circ", "°"), ("degrees", "°"), ("degree", "°"), ("\\degree", "°"), ("−", "-"), ("\\%", "%"),
    ("percent", "%"),
)  # fmt: skip
_BEHIND = re.compile(r"[ \t]*(\\?%|\^?\s*\{?\s*\\?circ\b\s*\}?|[°]|[A-Za-z]+)")
_UNIT = re.compile(r"[^\W\d_°%]+|[°%]")

_COMPOUND = r"(?![-‐‑](?!(?:hand|handed|side|sided|facing|wards?|most|colou?red|shaped|looking|like|ish)\b)[a-z])"
"""Behind a word: it is no first part of another ("back-left" is not "back")."""
_NEXT_ITEM = r"[\s,;>→–—-]+(?:(?:and|then|finally)\b[\s,]*)?(?:[0-9]{1,2}[.)]\s*)?"
"""Between the items of an option that is a list: "a, b, c" is also written "a -> b -> c", or a line each."""


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
        self._plain = [mask(str(choice)) for choice in choices]
        self._normal = [_normalise(text) for text in self._plain]
        self.words = sum(len(str(choice).split()) for choice in choices)
        """Words of all options together."""
        self.lettered = not choices or any(re.fullmatch(r"(?:[a-z]+ )?[a-z]", text) for text in self._normal)
        """Whether the options are, or may be, known by letters in the picture ("Point B", "B")."""
        self.denies = any(_NONE.match(text) for text in self._normal)
        """Whether an option says that none of the others is right."""

    # Most answers are a letter and need none of these.
    @cached_property
    def _squeezed(self) -> list[str]:
        return [_squeeze(text) for text in self._plain]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str] | None]:
        return [_pattern(lower(text)) for text in self._plain]

    @cached_property
    def _amounts(self) -> list[tuple[float, str] | None]:
        return [_amount(text) for text in self._plain]

    def same(self, first: int | None, second: int | None) -> bool:
        """Whether two options are one, or have identical texts."""
        if first == second:
            return True
        if first is None or second is None or max(first, second) >= len(self._normal):
            return False
        return self._normal[first] == self._normal[second]

    def wordy(self, index: int) -> bool:
        """Whether an option is a real word or phrase, which no text holds by accident."""
        text = self._normal[index].replace(" ", "").replace("-", "").replace("'", "")
        return len(text) > 3 and text.isalpha()

    def is_letter(self, index: int | None) -> bool:
        """Whether an option's text is itself a single letter or sign."""
        return index is not None and len(self._normal[index]) == 1

    def mentions_number(self, number: int) -> bool:
        """Whether a number stands in an option's text, so that "option 2" can mean that text."""
        return any(re.search(rf"(?<![0-9.]){number}(?![0-9.])", text) for text in self._normal)

    def equal(self, text: str) -> int | None:
        """Return the first option whose text `text` is; case, spacing, LaTeX spelling, punctuation around it aside."""
        normal = _normalise(text)
        if not normal:
            return None
        if normal in self._normal:
            return self._normal.index(normal)
        squeezed = _squeeze(text)
        if squeezed and squeezed in self._squeezed:
            return self._squeezed.index(squeezed)
        amount = _amount(text)
        return None if amount is None else self.of_amount(*amount)

    def of_amount(self, value: float, unit: str = "") -> int | None:
        """Return the one option that is this amount; a unit may be missing on one side, but not be another one."""
        found = [
            index
            for index, amount in enumerate(self._amounts)
            if amount is not None
            and math.isclose(amount[0], value, rel_tol=1e-9, abs_tol=1e-12)
            and _same_unit(unit, amount[1])
        ]
        return found[0] if found and all(self.same(index, found[0]) for index in found) else None

    def at(self, lowered: str, position: int) -> Found | None:
        """Return the option whose text, the longest that fits, stands at `position` of lower-case text."""
        best: Found | None = None
        for index, pattern in enumerate(self._patterns):
            found = pattern.match(lowered, position) if pattern else None
            if found and (best is None or found.end() > best.end):
                best = Found(index, *found.span())
        return best

    @property
    def numeric(self) -> bool:
        """Whether at least two options are amounts."""
        return sum(amount is not None for amount in self._amounts) > 1

    def leading(self, lowered: str) -> Found | None:
        """Return the longest option with which the text opens, when a pause follows it."""
        best: Found | None = None
        opening = len(lowered) - len(lowered.lstrip(_SURROUNDING))
        for index, pattern in enumerate(self._patterns):
            found = pattern.match(lowered, opening) if pattern else None
            if (
                found
                and re.match(r"\s*(?:[.,;:!?\n]|$)", lowered[found.end() : found.end() + 40])
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
        stated = [place for place in _outermost(places) if not negated(lowered, place.start)]
        if not stated:
            return None
        if any(not self.same(place.index, stated[0].index) for place in stated):
            return Found.none("ambiguous", stated[0].start)
        return min(stated, key=lambda place: (place.index, place.start))


def unit_at(text: str, position: int) -> str:
    """Return the unit that stands behind a number, in its short spelling; "" where none does."""
    found = _BEHIND.match(text, position)
    unit = _squeeze(found.group(1)) if found else ""
    # "30 in total" names no inches.
    return unit if unit in {"°", "%"} or (unit in UNITS and unit != "in") else ""


def _same_unit(first: str, second: str) -> bool:
    if not first or not second or first == second:
        return True
    return scale_of(first) is not None and scale_of(second) is not None and comparable(first, second) == 1


def _outermost(places: list[Found]) -> list[Found]:
    """Return the places that lie in no longer one, in order."""
    kept: list[Found] = []
    for place in sorted(places, key=lambda item: (item.start, -item.end)):
        inside = kept and kept[-1].end >= place.end and kept[-1].end - kept[-1].start > place.end - place.start
        if not inside:
            kept.append(place)
    return kept


def _normalise(text: str) -> str:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().replace("{", "").replace("}", "").split())
    start, end = stripped(plain, 0, len(plain), _SURROUNDING)
    return plain[start:end]


def _squeeze(text: str) -> str:
    """Return a formula without spaces, braces and the differences between ways of typing the same sign."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for written, sign in _SAME_SIGNS:
        plain = plain.replace(written, sign)
    plain = _LATEX_SPACE.sub("", plain)
    start, end = stripped(plain, 0, len(plain), ".,:;!?\"'")
    return plain[start:end]


def _amount(text: str) -> tuple[float, str] | None:
    """Return (value, unit) of a text that is a single number with at most a unit behind it."""
    if len(text) > 40:
        return None
    found = find_numerals(text)
    if len(found) != 1:
        return None
    before, after = text[: found[0].start], text[found[0].end :]
    if before.strip(_SURROUNDING + "≈=~") or _SIGNED.search(before):
        return None
    unit = _squeeze(after)
    return (float(found[0].value), unit) if not unit or _UNIT.fullmatch(unit) else None


def _pattern(lowered: str) -> re.Pattern[str] | None:
    start, end = stripped(lowered, 0, len(lowered), _SURROUNDING)
    words = lowered[start:end].split()
    if not words:
        return None
    if len(words) == 1 and len(words[0]) == 1 and words[0].isalpha() and words[0].isascii():
        # A bare letter is a label or an article; in brackets it can be the option that is this letter.
        return re.compile(rf"(?<=[(\[]){words[0]}(?=[)\]])")
    first, last = words[0][0], words[-1][-1]
    before = rf"(?<![{_WORD}.\-−√/^])" if re.match(rf"[{_WORD}]", first) else ""
    after = rf"(?![{_WORD}√/^]|[.,][0-9])" if re.match(rf"[{_WORD}]", last) else ""
    if last.isalpha():
        after += _COMPOUND
    text = lowered[start:end]
    items = text.split(",") if not any(map(str.isdigit, text)) else [text]
    body = _NEXT_ITEM.join(r"\s+".join(map(re.escape, item.split())) for item in items if item.strip())
    # "front-left" is also written "front left".
    body = re.sub(r"(?<=[a-z])\\-(?=[a-z])", r"[-\\s]", body)
    # "√{3}" is often written without its braces.
    return re.compile(before + body.replace(r"\{", r"\{?").replace(r"\}", r"\}?") + after)
