"""One answer section and one list of options: what a place in the section names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from mmeval.verifiers.answer import body_end, conditional, lines, lower, mask, negated, own_turn, sentence_end, stripped
from mmeval.verifiers.choice_patterns import (
    ALSO,
    AMBIGUOUS,
    BUT,
    DECORATION,
    EDGE,
    LIST_ITEM,
    REACH,
    REFUTED,
    SECOND,
)
from mmeval.verifiers.letters import LETTERS, Letter, labelled_in, letter_at, letters_in, line_label, positions_in
from mmeval.verifiers.options import Found, OptionTexts
from mmeval.verifiers.sentences import CONCLUSION, sentences

_DEGREES = re.compile(r"\^\s{0,2}(?:\{\s{0,2}\\circ\s{0,2}\}|\\circ(?![A-Za-z]))")
_IN_BRACKETS = re.compile(r"\(([A-Za-z])\)")
_LONG = 40
"""Words of an answer that is no bare statement: without a full stop at its end it was cut off."""
_SHORT_LINE = 3
"""Words of a last line that needs no full stop."""


class ChoiceSection:
    """An answer section, masked and cut to the model's own turn, and the options. Offsets are those of the section."""

    def __init__(self, section: str, choices: Sequence[str]) -> None:
        masked = plain(section)
        self.text = masked[: body_end(masked[: own_turn(masked)])]
        self.count = min(len(choices), len(LETTERS)) or len(LETTERS)
        self.options = _option_texts(tuple(choices))
        self.lowered = lower(self.text)
        self._raw = section

    def _exact(self, start: int, end: int) -> Found | None:
        """Read [start, end) as nothing but a letter, the text of an option, both, or a place ("option 2")."""
        if end - start == 1 and self.text[start] in LETTERS[: self.count]:
            return Found(LETTERS.index(self.text[start]), start, end)
        index = self._equal(start, end)
        if index is not None:
            return Found(index, start, end)
        if end - start == 1 and self.text[start].upper() in LETTERS[: self.count]:
            return Found(LETTERS.index(self.text[start].upper()), start, end)
        return (
            self._letter_and_text(start, end)
            or self._text_and_letter(start, end)
            or self._place(start, end, whole=True)
        )

    def _equal(self, start: int, end: int) -> int | None:
        """Return the option whose text [start, end) is; a sign before it belongs to it."""
        if start >= end:
            return None
        sign = re.search(r"[-−+]\s*$", self.text[max(0, start - 3) : start])
        if sign is not None:
            signed = self.options.equal(self.text[max(0, start - 3) + sign.start() : end])
            if signed is not None:
                return signed
        return self.options.equal(self.text[start:end])

    def _letter_and_text(self, start: int, end: int) -> Found | None:
        """Read "(B) 12" or "option B": a letter alone or followed by the text of an option, which must be its own."""
        opened = max(0, start - 1) if start and self.text[start - 1] in "([{" else start
        letter = letter_at(self.text, opened, end) or letter_at(self.text, start, end)
        if letter is None:
            labelled = [item for item in labelled_in(self.text, opened, end) if item.start == start]
            letter = labelled[0] if labelled else None
        if letter is None or letter.index >= self.count:
            return None
        rest = stripped(self.text, letter.end, end, EDGE)
        if rest[0] >= rest[1]:
            return None if letter.end < end else Found(letter.index, letter.start, letter.end)
        named = self._equal(*rest)
        if named is None:
            return None
        same = self.options.same(letter.index, named)
        return Found(letter.index, letter.start, letter.end) if same else Found.none(AMBIGUOUS, letter.start)

    def _text_and_letter(self, start: int, end: int) -> Found | None:
        """Read "12 (B)": the text of an option with its letter in brackets behind it."""
        closing = re.search(r"[(\[]\s*([A-Za-z])\s*[)\]]?$", self.text[max(start, end - 8) : end])
        if closing is None:
            return None
        place = max(start, end - 8) + closing.start()
        index = LETTERS.index(closing.group(1).upper())
        named = self._equal(*stripped(self.text, start, place, EDGE))
        if named is None or index >= self.count:
            return None
        return Found(index, place, end) if self.options.same(index, named) else Found.none(AMBIGUOUS, start)

    def _place(self, start: int, end: int, *, whole: bool = False) -> Found | None:
        """Read "option 2", "the second option" at the start of [start, end)."""
        for index, begin, close in positions_in(self.text, start, end)[:1]:
            leads = not self.text[start:begin].strip(EDGE).lower().removeprefix("the").strip()
            trails = self.text[close:end].strip(EDGE)
            if (
                index >= self.count
                or not leads
                or (whole and trails and not self.options.same(self._equal(close, end), index))
            ):
                return None
            if self.options.mentions_number(index + 1):  # "option 2" may be the option whose text is 2
                same = self.options.same(self.options.equal(str(index + 1)), index)
                return Found(index, begin, close) if same else Found.none(AMBIGUOUS, begin)
            return Found(index, begin, close)
        return None

    def _named(self, position: int, texts: bool) -> Found | None:
        end = self._clause_end(position)
        start, inner_end = stripped(self.text, position, end, EDGE)
        if texts and inner_end - start > 1:
            index = self._equal(start, inner_end)
            if index is not None:
                return Found(index, start, inner_end)
        letter = letter_at(self.text, position)
        if letter is None:
            return (self._place(position, end) or self._text_in(position)) if texts else None
        if "\n" in self.text[max(0, position - 4) : position] and self._opens_list(letter):
            return None
        if letter.index >= self.count:
            single = self.options.equal(LETTERS[letter.index])
            if single is not None:
                return Found(single, letter.start, letter.end)
            return (self._text_in(position) if texts else None) or Found.none("not an option", position)
        rest = stripped(self.text, letter.end, end, EDGE)
        named = self._equal(*rest)
        following = ALSO.match(self.text, letter.end)
        if named is None and following is not None and index_of(following) not in (letter.index, None):
            return self._resolved(following.end()) or Found.none(AMBIGUOUS, position)
        if named is not None and not self.options.same(letter.index, named):
            return Found.none(AMBIGUOUS, position)
        if named is None and self._second(letter, end):
            return Found.none(AMBIGUOUS, position)
        return Found(letter.index, letter.start, letter.end)

    def _second(self, letter: Letter, end: int) -> bool:
        """Whether another letter follows the letter with its own text ("(A) red and (C) green")."""
        second = SECOND.search(self.text, letter.end, end)
        own = None if second is None else self._equal(*stripped(self.text, letter.end, second.start(), EDGE))
        return own is not None and self.options.same(own, letter.index)

    def _resolved(self, position: int) -> Found | None:
        """Read the letter of "…, but A" behind "either A or C"."""
        but = BUT.match(self.text, position)
        letter = letter_at(self.text, but.end()) if but else None
        if letter is None or letter.index >= self.count:
            return None
        return Found(letter.index, letter.start, letter.end)

    def _clause_end(self, position: int) -> int:
        return min(sentence_end(self.text, position), position + REACH)

    def _text_in(self, position: int) -> Found | None:
        """Read the option's text in the sentence that starts at `position`."""
        return self.options.contained(self.lowered, position, self._clause_end(position))

    def _opens_list(self, letter: Letter) -> bool:
        """Whether a label opens a list of options: another label opens the next line."""
        line_end = self.text.find("\n", letter.end)
        if line_end < 0:
            return False
        following = lines(self.text[line_end : line_end + REACH])
        if not following:
            return False
        label = line_label(self.text, following[0][0] + line_end, following[0][1] + line_end)
        return label is not None and label.index != letter.index

    def _cut_item(self, all_lines: Sequence[tuple[int, int]], found: Found) -> bool:
        """Whether the last line, which names an option, is an item of a list of options that was cut off there.

        "A. red: no" and then "B"; "Kansas:"; "red: no", "blue: no" and then "green"; "Option B (the".
        """
        start, end = all_lines[-1]
        line = self.text[start:end].rstrip()
        if len(line.strip(EDGE)) == 1:
            labels = [label for one in all_lines[:-1] if (label := line_label(self.text, *one)) is not None]
            return bool(labels) and labels[-1].index + 1 == found.index
        if line.endswith(":") or line.count("(") > line.count(")"):
            return True
        opened = set()
        for begin, stop in all_lines[:-1]:
            item = self.options.at(self.lowered, stripped(self.text, begin, stop, EDGE)[0])
            if item is not None and LIST_ITEM.match(self.text, item.end, stop):
                opened.add(item.index)
        return bool(opened) and found.index not in opened

    def _finished(self) -> int:
        """Return where the last sentence begins, if a long answer was cut off in it; otherwise where the text ends."""
        end = len(self.text.rstrip())
        if not self.text[end - 1 : end].isalnum() or len(self.text.split()) <= _LONG:
            return len(self.text)
        start, stop = sentences(self.text)[-1]
        if CONCLUSION.match(self.text, start) or len(self.text[start:stop].split()) <= _SHORT_LINE:
            return len(self.text)
        return start

    def _in_both_cases(self) -> set[int]:
        """Return the letters that stand in brackets as (B) and as (b): names of the question's own, and no labels."""
        seen = set(_IN_BRACKETS.findall(self.text))
        return {LETTERS.index(letter) for letter in seen if letter.isupper() and letter.lower() in seen}

    def _named_in(self, start: int, end: int) -> list[Letter]:
        """Return the letters of [start, end); "Point D" is the option whose text is D, where there is one."""
        things = labelled_in(self.text, start, end, shown=self.options.lettered)
        own = {item.end: self.options.equal(LETTERS[item.index]) for item in things if item.thing}
        found = [*things, *(item for item in letters_in(self.text, start, end) if own.get(item.end) is None)]
        return [replace(item, index=index) if (index := own.get(item.end)) is not None else item for item in found]

    def _refuted(self, letter: Letter) -> bool:
        return (
            negated(self.text, letter.start)
            or conditional(self.text, letter.start)
            or REFUTED.match(self.text, letter.end) is not None
        )


@lru_cache(maxsize=1024)
def _option_texts(choices: tuple[str, ...]) -> OptionTexts:
    """Return the options ready for look-up; several models, or repeats, answer the same question."""
    return OptionTexts(choices, plain)


def plain(text: str) -> str:
    """Return `text`, equally long, without markup, and with a degree sign for LaTeX's."""
    return DECORATION.sub(" ", _DEGREES.sub(lambda found: "°".ljust(len(found.group())), mask(text)))


def index_of(found: re.Match[str]) -> int | None:
    name = found.group("bracketed") or found.group("bare")
    return LETTERS.index(name.upper()) if name else None
