"""Finding the formula in an answer section."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmeval.verifiers.answer import Section, answer_phrases, body_end, declines, lines, mask
from mmeval.verifiers.formula import parse_formula
from mmeval.verifiers.formula_tokens import MAX_LENGTH, NotAFormula, is_beyond
from mmeval.verifiers.number import find_number

_REACH = 600
"""Characters behind an answer phrase in which its formula must stand."""
_TAIL = 2000
"""Last characters of a text in which the concluding formula must stand."""
_MAX_UNBROKEN = 200
"""Characters without white space that are one formula, even where its tokens are too many to be read."""
_MAX_WORDS = 6
_MAX_TEXT = 60
_MATH = re.compile(
    r"\$\$(?P<a>[^$]{1,800})\$\$|\$(?P<b>[^$\n]{1,400})\$|\\\((?P<c>.{1,400}?)\\\)|\\\[(?P<d>.{1,800}?)\\\]", re.DOTALL
)
_DISPLAY = re.compile(r"\s*(?:\$\$|\\\[)")
_STOP = re.compile(r"[!?。！？](?=\s|$)|\.(?=\s|$|\*|\")|\n")
_BREAK = re.compile(r"[,;]\s|\s(?:because|since|as|which|where|when|so|if|with|after|from|by|\()|\s*\n|\s*。")
_CONDITIONS = re.compile(r"\\\{\s*[A-Za-z]\s*(?:\\in\s*[^{}|]{0,30}?)?(?:\\(?:mid|vert|colon)(?![A-Za-z])|[|:])")
_JOINED = re.compile(r"\s*(?:,|;|(?:,\s*)?\b(?:and|or)\b|和|或)\s*", re.IGNORECASE)
_GIVES = re.compile(r"\W*(?:since|because|if|when|given|as|with|for|where|let)\b", re.IGNORECASE)
_SIGN = re.compile(r"[=≈:：]")
_LEAD = re.compile(r"(?:\W*+[A-Za-z\u4e00-\u9fff]++\W++){0,8}\W*")
_COPULA = re.compile(r"(?:\b(?:is|are|equals|be|get|gives?|to|of|have|as)|=|:|是|为|等于)\s*$", re.IGNORECASE)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_PROSE = re.compile(r"[A-Za-z]{4,}")
_MINUTES = re.compile(
    r"(?:°|\\circ)[\s}]{0,4}[0-9]{1,2}(?:\.[0-9]+)?\s?['′’](?:\s?[0-9]{1,2}(?:\.[0-9]+)?\s?(?:''|′′|’’|\"|″))?\Z"
)
"""Minutes and seconds of an angle at the end: no quotation marks."""
_EDGE = " \t\r\n*\"'“”`"
_WRAPPED = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|mbox|boxed|fbox|bf|rm)\s*\{(?P<inner>.*)\}|\$\$(?P<dollars>[^$]*)\$\$|\$(?P<dollar>[^$]*)\$"
    r"|\\\((?P<round>.*)\\\)|\\\[(?P<square>.*)\\\])",
    re.DOTALL,
)
_DAMAGE = str.maketrans({"\x0c": "\\f", "\x08": "\\b", "\x07": "\\a", "\x0b": "\\v"})
_TAB_DAMAGE = re.compile(r"\t(?=imes|ext|frac|heta|an\b|riangle)")


def find_formula(section: Section) -> tuple[int, int] | str:
    """Return where the formula stands in a section, or the reason why there is none."""
    return _Finder(section).find()


def tidy(text: str) -> str:
    r"""Return a formula without what frames it: white space, `$`, `\text{}`, `\boxed{}`, quotes, a final full stop.

    Control characters that stand for a lost backslash ("\f" of `\frac` read as a form feed) become commands again.
    """
    text = _TAB_DAMAGE.sub(r"\\t", text.translate(_DAMAGE))
    previous = None
    while text != previous:
        previous = text
        text = text.lstrip(_EDGE) if _MINUTES.search(text) else text.strip(_EDGE)
        if text[-1:] in (".", "。", ",", ";") and text[-2:] not in ("..", "\\,", "\\;"):
            text = text[:-1]
        found = _WRAPPED.fullmatch(text)
        inner = next((group for group in found.groups() if group is not None), None) if found else None
        if inner is not None and _balanced(inner):
            text = inner
    return text


def _balanced(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        if character in "{}" and text[position - 1 : position] != "\\":
            depth += 1 if character == "{" else -1
            if depth < 0:
                return False
    return depth == 0


class _Finder:
    """Finds the formula of a section."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._text = section.text
        self._two_ways: set[int] = set()
        """Starts of formulas that can be read in two ways."""

    def find(self) -> tuple[int, int] | str:
        """Return where the formula stands in the section, or the reason why there is none.

        In this order: the whole section; behind the last "the answer is …"; the last or first line alone; the last
        sentence of mathematics; a number as the number rules find it; a few words.
        """
        whole = self._formula(0, len(self._text))
        if whole is not None:
            return whole
        if self._too_long():
            return "not found"
        ambiguous = bool(self._two_ways)
        masked = mask(self._text)
        end = body_end(masked)
        for reader in (self._behind_phrase, self._alone, self._concluding, self._labelled):
            place = reader(masked[:end])
            if place is not None:
                return place
        if ambiguous:
            return "ambiguous"
        if declines(self._text):
            return "refusal"
        number = find_number(self._section)
        if _CONDITIONS.search(self._text):
            return self._words(0, len(self._text)) or "not found"  # the numbers of a set's condition are no answer
        if not isinstance(number, str):
            return number.start, number.end
        return self._words(0, len(self._text)) or number

    def _too_long(self) -> bool:
        """Whether the section is one formula that is longer than any that is read: its last piece is not the answer."""
        start, end = self._trimmed(0, len(self._text))
        text = self._text[start:end]
        unbroken = len(text) > _MAX_UNBROKEN and not any(character.isspace() for character in text)
        if not unbroken and (len(text) <= MAX_LENGTH or "\n" in text):
            return False
        return _PROSE.search(_COMMAND.sub(" ", text)) is None

    def _formula(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the formula that fills [start, end), apart from what frames it."""
        start, end = self._trimmed(start, end)
        if not 0 < end - start <= MAX_LENGTH:
            return None
        inner = tidy(self._text[start:end])
        if "\n" in inner and "\\begin" not in inner:
            return None
        try:
            parse_formula(inner, labels=False)
        except NotAFormula as error:
            if error.reason == "ambiguous":
                self._two_ways.add(start)
            # Mathematics beyond the grammar is an answer all the same; whether it is right stays undecided.
            if not is_beyond(inner) or _PROSE.search(_COMMAND.sub(" ", inner)):
                return None
        return self._unframed(start, end)

    def _unframed(self, start: int, end: int) -> tuple[int, int]:
        """Return what stands between the signs of mathematics, where [start, end) is one formula."""
        found = _MATH.fullmatch(self._text, start, end)
        if found is None:
            return start, end
        # "Area $= 5$": the sign belongs to what stands before it.
        return self._trimmed(*next(found.span(name) for name in "abcd" if found.group(name) is not None))

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        text = self._text
        while start < end and text[start] in _EDGE + "=≈:：":
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        if _MINUTES.search(text, max(start, end - 40), end):
            return start, end
        while start < end and (
            text[end - 1] in _EDGE or (text[end - 1] in ".。,;" and text[end - 2 : end - 1] not in (".", "\\"))
        ):
            end -= 1
        return start, end

    def _words(self, start: int, end: int) -> tuple[int, int] | None:
        """Return a short answer in words ("no solution")."""
        start, end = self._trimmed(start, end)
        text = self._text[start:end]
        short = 0 < len(text) <= _MAX_TEXT and len(text.split()) <= _MAX_WORDS and _STOP.search(text) is None
        said = any(character.isalnum() for character in _COMMAND.sub(" ", text)) and not list(answer_phrases(text))
        return (start, end) if short and said else None

    def _behind_phrase(self, masked: str) -> tuple[int, int] | str | None:
        best: tuple[int, int] | str | None = None
        for _, position in answer_phrases(masked):
            # The mask blanks "\(" and "\[", so the phrase may reach over them.
            while position > 0 and masked[position - 1].isspace():
                position -= 1
            end = self._segment_end(position, len(masked))
            best = self._stated(position, end) or self._words(position, end) or best
        return best

    def _segment_end(self, position: int, end: int) -> int:
        """Return where the sentence at `position` ends; a formula in display stands on lines of its own."""
        while position < end and self._text[position].isspace():
            position += 1
        if _DISPLAY.match(self._text, position):
            found = _MATH.match(self._text, position, min(end, position + _REACH))
            if found is not None:
                return found.end()
        for stop in _STOP.finditer(self._text, position, min(end, position + _REACH)):
            if self._text[position : stop.start()].count("$") % 2 == 0:
                return stop.start()
        return min(end, position + _REACH)

    def _stated(self, start: int, end: int) -> tuple[int, int] | str | None:
        """Return the formula of a segment that must hold the answer."""
        whole = self._formula(start, end)
        if whole is not None:
            return whole
        if self._trimmed(start, end)[0] in self._two_ways:
            return "ambiguous"
        inline = [found.span() for found in _MATH.finditer(self._text, start, end)]
        if inline and _LEAD.fullmatch(self._text, start, inline[0][0]):
            return self._with_unit(*inline[0], end)
        for stop in _BREAK.finditer(self._text, start, end):
            found = self._formula(start, stop.start())
            if found is not None:
                return found
        number = find_number(Section(self._text[start:end], start, True))
        return None if isinstance(number, str) else (start + number.start, start + number.end)

    def _with_unit(self, start: int, end: int, limit: int) -> tuple[int, int]:
        """Return the inline formula at [start, end), with the unit behind it."""
        return self._formula(start, limit) or self._formula(start, end) or self._unframed(start, end)

    def _alone(self, masked: str) -> tuple[int, int] | None:
        found = lines(masked)
        if len(found) < 2:
            return None
        for start, end in (found[-1], found[0]):
            # The mask blanks "\(": the line of the text itself counts.
            start = self._text.rfind("\n", 0, start) + 1
            line_end = self._text.find("\n", end)
            place = self._formula(start, line_end if line_end >= 0 else len(self._text))
            if place is not None:
                return place
        return None

    def _concluding(self, masked: str) -> tuple[int, int] | str | None:
        """Return the formula with which the last sentence ends, or its only one."""
        text = self._text[: len(masked)].rstrip()
        spans = [found.span() for found in _MATH.finditer(text, max(0, len(text) - _TAIL))]
        if not spans:
            return None
        start = max((stop.end() for stop in _sentence_stops(text, spans)), default=0)
        spans = [span for span in spans if span[0] >= start]
        if not spans or len(text[spans[-1][1] :].split()) > 3:
            return None
        last = spans[-1]
        joined = self._joined(spans, start)
        if joined is not None:
            return self._formula(*joined) or "ambiguous"
        stated = _COPULA.search(text, max(0, last[0] - 24), last[0]) is not None or "=" in text[slice(*last)]
        return self._with_unit(*last, len(text)) if stated or len(spans) == 1 else None

    def _joined(self, spans: list[tuple[int, int]], start: int) -> tuple[int, int] | None:
        """Return where the equations stand that the last one is stated together with ("$a = 3$ and $b = 4$"); None where it is alone."""
        if _GIVES.match(self._text, start):
            return None
        first = len(spans) - 1
        while first > 0 and _JOINED.fullmatch(self._text, spans[first - 1][1], spans[first][0]):
            first -= 1
        together = spans[first:]
        if len(together) < 2 or not all("=" in self._text[slice(*span)] for span in together):
            return None
        return together[0][0], together[-1][1]

    def _labelled(self, masked: str) -> tuple[int, int] | None:
        """Return the formula behind a label on the last line ("Area = 9π")."""
        start, end = lines(masked)[-1] if masked.strip() else (0, 0)
        if end - start > MAX_LENGTH or not _can_be_read(tidy(self._text[start:end])):
            return None
        for sign in _SIGN.finditer(self._text, start, end):
            rest = self._trimmed(sign.end(), end)
            if self._text[slice(*rest)].count("$") % 2 and self._text[rest[1] - 1] == "$":
                rest = self._trimmed(rest[0], rest[1] - 1)
            found = self._formula(*rest)
            if found is not None:
                return found
        return None


def _can_be_read(text: str) -> bool:
    try:
        parse_formula(text)
    except NotAFormula:
        return False
    return True


def _sentence_stops(text: str, spans: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """Yield the sentence ends outside formulas and before the end of the text."""
    for stop in _STOP.finditer(text, max(0, len(text) - _TAIL), max(0, len(text) - 1)):
        if not any(start <= stop.start() < end for start, end in spans) and text[stop.end() :].strip():
            yield stop
