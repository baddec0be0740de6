"""Multiple choice: which option an answer names, or that it names none or several."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import (
    answer_phrases,
    answer_section,
    body_end,
    conditional,
    declines,
    lines,
    lower,
    mask,
    merged_options,
    negated,
    sentence_end,
    stripped,
)
from mmeval.verifiers.options import Found, OptionTexts

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_EDGE = " \t\r\n.,:;!?()[]{}\"'$*#>~|-–—"
_DECORATION = re.compile(r"[$*\"#]")
_BRACKETED = r"[(\[{]\s*(?P<bracketed>[A-Za-z])\s*[)\]}]"
_BARE = r"(?P<bare>[A-Z])(?![A-Za-z0-9_^\\]|'[A-Za-z]|-[A-Za-z0-9]|\.[A-Za-z0-9]|\s*[=+<>×÷/]\s*[A-Za-z0-9])"
_LETTER = re.compile(rf"(?<![A-Za-z0-9_^\\'])(?<![A-Z]/)(?:{_BRACKETED}|{_BARE})")
_LOWER = re.compile(r"(?P<bracketed>[a-z])(?=\s*[).\]:,;]?\s*(?:\n|$)|\))")
"""A lower-case letter counts only where an answer must stand."""

_FILL = re.compile(
    r"(?:[\s:=>→-]|\b(?:is|be|also|then|the|correct|right|best|option|choice|letter|answer|probably|likely|most"
    r"|clearly|definitely|therefore|thus|indeed|simply|obviously)\b|选项?)*",
    re.IGNORECASE,
)
_BE = r"(?:is|was|are|(?:would|will|should|must|could)\s+be|seems\s+to\s+be|appears\s+to\s+be)"
_BEFORE_STRONG = re.compile(
    rf"\b(?:(?:correct|right|best)\s+(?:option|choice|letter|one)(?:\s+letter)?|(?:option|choice|letter)"
    rf"(?:\s+(?:that\s+is\s+|which\s+is\s+)?correct)?)\s*(?:{_BE}\b|[:=])\s*"
    r"|\banswer\s+(?=[(\[]?[A-Z][)\].]?\s*(?:$|[\n.,;]))"
    r"|(?:故选|应选|所以选|因此选|正确的?选项[是为]|选择?)\s*[:]?\s*",
    re.IGNORECASE,
)
_AFTER_STRONG = re.compile(
    rf"[^.\n]{{0,80}}?(?<!\w){_BE}\s+(?:therefore\s+|thus\s+|clearly\s+)?(?:the\s+)?(?:only\s+|most\s+)?"
    r"(?:correct|right|best|true|answer)\b(?!\s+(?:to\s+say|that|angle|triangle|side|hand))",
    re.IGNORECASE,
)
_WEAK = re.compile(
    r"\b(?:(?:go|going|went)\s+(?:with|for)|choos(?:e|ing)|chose|select(?:ed|ing)?|pick(?:ed|ing)?|opt\s+for|guess"
    r"|vote\s+for|(?:corresponds?|refers?)\s+to|match(?:es)?|(?:it|that|this)(?:\s+is|'s|\s+must\s+be)"
    r"|therefore|hence|thus|so|conclude)\b[\s,:]*",
    re.IGNORECASE,
)
_CONNECTORS = r"because|since|as|and|or|which|with|due|for|given|but|not|in|from|based"
_ALSO = re.compile(
    rf"\s*(?:\b(?:and|or)\b|[/&或和、]|,\s*(?:and|or)\b|,(?=\s*[(\[]?[A-Z][)\]]?\s*(?:[,.;\n]|$|and\b|or\b)))"
    rf"\s*(?:\b(?:maybe|perhaps|possibly|probably|even|else|also|option)\b\s*)?(?:{_BRACKETED}|{_BARE})"
)
_LISTED = re.compile(r"(?<![A-Za-z])[(\[]?[A-Z][)\]]?\s*(?:,|/|&|\band\b|\bor\b)\s*$")
"""Another letter right before a letter: "A and B are correct"."""
_DIGIT_BEFORE = re.compile(r"[0-9]\s?$")
_WORD_AFTER = re.compile(r"\s+([A-Za-z]+)")
_CONTRACTED = re.compile(r"n't\s+(?:be\s+)?$")
_AMBIGUOUS = "ambiguous"
_REACH = 400
"""Characters behind an answer phrase in which the option's text must stand."""
_CONCLUSION = re.compile(
    r"(?:(?:therefore|thus|hence|so|in\s+conclusion|overall|finally)\b|因此|所以|故)", re.IGNORECASE
)


class ChoiceVerifier:
    """The answer is one option; value and target are its letter, "A" for the first.

    An answer is read, in this order, from: the whole answer; "the answer is …" and its like (the last sentence
    that says so); a line of its own; the option's text; a single letter. Two different readings of the same
    rank are ambiguous, and ambiguous is no answer. Letters beyond the options name nothing.
    """

    name = "choice"
    version = "2"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letter of the option that the answer names."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found = _Reader(section.text, context.choices).read()
        if found is None:
            return Extraction(reason="not found")
        if found.index is None:
            return Extraction(reason=found.reason)
        return Extraction(LETTERS[found.index], section.span(found.start, found.end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters; options with identical texts are the same answer.

        Raises:
            DataError: when the target is not the letter of an option.
        """
        count = len(context.choices) or len(LETTERS)
        if not isinstance(target, str) or len(target.strip()) != 1 or target.strip().upper() not in LETTERS[:count]:
            raise DataError(
                f"target {target!r} is not the letter of one of {count} options",
                remedy="give the gold answer as a letter, A for the first option",
            )
        gold = target.strip().upper()
        right = value == gold
        if not right and context.choices and isinstance(value, str) and value in LETTERS[:count]:
            texts = context.choices
            right = texts[LETTERS.index(value)].strip() == texts[LETTERS.index(gold)].strip()
        return Match(float(right), right)


class _Reader:
    """Reads one answer section against one list of options."""

    def __init__(self, section: str, choices: Sequence[str]) -> None:
        masked = mask(section)
        self.text = _DECORATION.sub(" ", masked[: body_end(masked)])
        self.count = min(len(choices), len(LETTERS)) or len(LETTERS)
        self.options = OptionTexts(choices, mask)
        self.lowered = lower(self.text)

    def read(self) -> Found | None:
        """Try the ranks in order; the first that finds anything, even an ambiguity, decides."""
        ranks = [self._whole, self._phrases, self._own_line, self._leading_text, self._mentions]
        # What a refusal mentions in passing is no answer.
        for rank in ranks[:3] if declines(self.text) else ranks:
            found = rank()
            if found is not None:
                return found
        return None

    def _whole(self) -> Found | None:
        start, end = stripped(self.text, 0, len(self.text), _EDGE)
        if start == end:
            return None
        return self._exact(start, end)

    def _exact(self, start: int, end: int) -> Found | None:
        """Read [start, end) as nothing but a letter or the text of an option."""
        if end - start == 1 and self.text[start] in LETTERS[: self.count]:
            return Found(LETTERS.index(self.text[start]), start, end)
        index = self.options.equal(self.text[start:end])
        if index is not None:
            return Found(index, start, end)
        if end - start == 1 and self.text[start].upper() in LETTERS[: self.count]:
            return Found(LETTERS.index(self.text[start].upper()), start, end)
        return self._letter_and_text(start, end)

    def _letter_and_text(self, start: int, end: int) -> Found | None:
        """Read "(B) 12": a letter followed by the text of an option, which must be its own."""
        opened = max(0, start - 1) if start and self.text[start - 1] in "([{" else start
        letter = _LETTER.match(self.text, opened, end) or _LETTER.match(self.text, start, end)
        if letter is None:
            return None
        index = self._index(letter)
        if index is None or index >= self.count:
            return None
        rest = stripped(self.text, letter.end(), end, _EDGE)
        if rest[0] == rest[1] or self._is_word(letter):
            return None
        named = self.options.equal(self.text[rest[0] : rest[1]])
        if named is None:
            return None
        return Found(index, *letter.span()) if self.options.same(index, named) else Found.none(_AMBIGUOUS)

    def _phrases(self) -> Found | None:
        strong = self._after(end for _, end in answer_phrases(self.text))
        strong += self._after(found.end() for found in self._last(_BEFORE_STRONG))
        strong += self._before()
        decided = self._last_sentence(strong)
        if decided is not None:
            return decided
        return self._last_sentence(self._after((found.end() for found in self._last(_WEAK)), texts=False))

    def _last(self, phrase: re.Pattern[str]) -> list[re.Match[str]]:
        """Return the last places of a phrase that are not negated ("would not choose", "isn't")."""
        return [
            found
            for found in deque(phrase.finditer(self.text), maxlen=32)
            if not negated(self.text, found.start())
            and _CONTRACTED.search(self.text, max(0, found.start() - 12), found.start()) is None
        ]

    def _after(self, positions: Any, *, texts: bool = True) -> list[Found]:
        """Return what stands behind each phrase: a letter, or (where `texts`) the text of an option."""
        found = []
        for position in positions:
            filled = _FILL.match(self.text, position)
            named = self._named(filled.end() if filled else position, texts)
            if named is None and texts and filled and filled.end() != position:
                named = self._text_in(position)
            if named is not None:
                found.append(named)
        return found

    def _named(self, position: int, texts: bool) -> Found | None:
        end = min(sentence_end(self.text, position), position + _REACH)
        start, inner_end = stripped(self.text, position, end, _EDGE)
        if texts and inner_end - start > 1:
            index = self.options.equal(self.text[start:inner_end])
            if index is not None:
                return Found(index, start, inner_end)
        letter = _LETTER.match(self.text, position) or _LOWER.match(self.text, position)
        if letter is None or self._is_word(letter):
            return self._text_in(position) if texts else None
        if "\n" in self.text[max(0, position - 4) : position] and self._opens_list(letter):
            return None
        index = self._index(letter)
        assert index is not None
        if index >= self.count:
            single = self.options.equal(letter.group("bracketed") or letter.group("bare"))
            if single is not None:
                return Found(single, *letter.span())
            return (self._text_in(position) if texts else None) or Found.none("not an option", position)
        following = _ALSO.match(self.text, letter.end())
        if following is not None and self._index(following) not in (index, None):
            return Found.none(_AMBIGUOUS, position)
        rest = stripped(self.text, letter.end(), end, _EDGE)
        named = self.options.equal(self.text[rest[0] : rest[1]]) if rest[0] < rest[1] else None
        if named is not None and not self.options.same(index, named):
            return Found.none(_AMBIGUOUS, position)
        return Found(index, *letter.span())

    def _before(self) -> list[Found]:
        """Return letters in "B is correct", "(C) 4 is the right answer"."""
        found = []
        for letter in self._letters():
            following = _AFTER_STRONG.match(self.text, letter.end())
            if following is None or negated(self.text, letter.start()):
                continue
            between = self.text[letter.end() : following.end()]
            if letter.group("bare") == "A" and re.match(r"\s+[a-z]", between) and not re.match(rf"\s+{_BE}\b", between):
                continue
            if _LETTER.search(between) is not None or re.search(r"\bnot\b", between):
                continue
            index = self._index(letter)
            if index is None or index >= self.count:
                found.append(Found.none("not an option", letter.start()))
            elif _LISTED.search(self.text, max(0, letter.start() - 24), letter.start()):
                found.append(Found.none(_AMBIGUOUS, letter.start()))
            else:
                found.append(Found(index, *letter.span()))
        return found

    def _last_sentence(self, found: list[Found]) -> Found | None:
        """Return what the last sentence with an answer says; several different answers in it are ambiguous."""
        if not found:
            return None
        last = max(found, key=lambda item: item.start)
        same = [item for item in found if sentence_end(self.text, item.start) == sentence_end(self.text, last.start)]
        if any(item.index is None for item in same):
            return next(item for item in same if item.index is None)
        if any(not self.options.same(item.index, last.index) for item in same):
            return Found.none(_AMBIGUOUS, last.start)
        return last

    def _own_line(self) -> Found | None:
        """Read a first or last line that is only a letter, or a letter with its option."""
        all_lines = lines(self.text)
        named: dict[int, Found] = {}
        for position in {0, len(all_lines) - 1}:
            if len(all_lines) > 1 and 0 <= position < len(all_lines):
                exact = self._exact(*stripped(self.text, *all_lines[position], _EDGE))
                if exact is not None:
                    named[position] = exact
        starts = {index for line in all_lines if (index := self._line_letter(*line)) is not None}
        found = list(named.values())
        if any(item.index is None for item in found) or len({item.index for item in found}) > 1:
            return Found.none(_AMBIGUOUS)
        if found and (len(starts) <= 1 or self._letter_only(all_lines, found[0])):
            return found[0]
        if len(starts) > 1:
            return Found.none(_AMBIGUOUS) if len(starts) < self.count else None
        if not starts or not all_lines:
            return None
        for line in (all_lines[0], all_lines[-1]):
            index = self._line_letter(*line)
            if index is not None:
                letter = re.search(r"[A-Za-z]", self.text[line[0] : line[1]])
                assert letter is not None
                rest = stripped(self.text, line[0] + letter.end(), line[1], _EDGE)
                other = self.options.equal(self.text[rest[0] : rest[1]])
                if other is not None and not self.options.same(index, other):
                    return Found.none(_AMBIGUOUS)
                return Found(index, line[0] + letter.start(), line[0] + letter.end())
        return None

    def _letter_only(self, all_lines: list[tuple[int, int]], found: Found) -> bool:
        """Whether the line of a reading holds nothing but that letter."""
        return found.end - found.start == 1 and any(
            line[0] <= found.start < line[1] and stripped(self.text, *line, _EDGE) == (found.start, found.end)
            for line in (all_lines[0], all_lines[-1])
        )

    def _opens_list(self, letter: re.Match[str]) -> bool:
        """Whether a label opens a list of options: another label opens the next line."""
        line_end = self.text.find("\n", letter.end())
        if line_end < 0:
            return False
        following = lines(self.text[line_end : line_end + _REACH])
        if not following:
            return False
        label = self._line_letter(following[0][0] + line_end, following[0][1] + line_end)
        return label is not None and label != self._index(letter)

    def _line_letter(self, start: int, end: int) -> int | None:
        """Return the option whose label ("B.", "(B)", "B:") opens the line."""
        found = re.match(
            r"[\s>-]*(?:option\s+)?(?:[(\[]\s*([A-Za-z])\s*[)\]]|([A-Z])\s*[.):](?=\s|$))", self.text[start:end]
        )
        if found is None:
            return None
        index = LETTERS.index((found.group(1) or found.group(2)).upper())
        return index if index < self.count else None

    def _leading_text(self) -> Found | None:
        """Read an answer that opens with the whole text of an option ("Yes, there is …")."""
        return self.options.leading(self.lowered)

    def _text_in(self, position: int) -> Found | None:
        """Read the option's text in the sentence that starts at `position`."""
        return self.options.contained(self.lowered, position, min(sentence_end(self.text, position), position + _REACH))

    def _mentions(self) -> Found | None:
        """Read the only option that is mentioned: in brackets, by its text, or as a single letter."""
        letters: dict[int, Found] = {}
        bracketed: dict[int, Found] = {}
        found_letters = list(self._letters())
        words = len(self.text.split())
        last = stripped(self.text, 0, len(self.text), _EDGE)[1]
        for letter in found_letters:
            index = self._index(letter)
            if index is None or index >= self.count or self._is_word(letter):
                continue
            if negated(self.text, letter.start()) or conditional(self.text, letter.start()):
                continue
            item = Found(index, *letter.span())
            if letter.group("bracketed"):
                bracketed[index] = item
            if letter.group("bracketed") or words <= 8 or letter.end() >= last:
                letters[index] = item
        text = self._short_text(words)
        if len(bracketed) == 1:
            letters = bracketed
        if len(letters) > 1:
            return Found.none(_AMBIGUOUS)
        if letters:
            letter_found = next(iter(letters.values()))
            if text is not None and text.index is not None and not self.options.same(text.index, letter_found.index):
                return Found.none(_AMBIGUOUS)
            return letter_found
        return text

    def _short_text(self, words: int) -> Found | None:
        if words <= max(30, 2 * self.options.words) or (words <= 120 and self.options.wordy):
            return self.options.contained(self.lowered, 0, len(self.lowered))
        all_lines = lines(self.text)
        start, end = all_lines[-1]
        sentences = [start, *(found.end() for found in re.finditer(r"[.!?]\s+(?=[A-Z(])", self.text[start:end]))]
        last = start if len(sentences) == 1 else start + sentences[-1]
        if end - last <= _REACH and _CONCLUSION.match(self.text, last):
            return self.options.contained(self.lowered, last, end)
        return None

    def _letters(self) -> list[re.Match[str]]:
        found = []
        for letter in _LETTER.finditer(self.text):
            bracketed = letter.group("bracketed")
            if bracketed is None or bracketed.isupper():
                found.append(letter)
        return found

    def _index(self, letter: re.Match[str]) -> int | None:
        groups = letter.groupdict()
        name = groups.get("bracketed") or groups.get("bare")
        return LETTERS.index(name.upper()) if name else None

    def _is_word(self, letter: re.Match[str]) -> bool:
        """Whether a bare A or I is the article or the pronoun, as its surroundings say."""
        if letter.groupdict().get("bare") not in ("A", "I"):
            return False
        before = _DIGIT_BEFORE.search(self.text, max(0, letter.start() - 2), letter.start())
        following = _WORD_AFTER.match(self.text, letter.end())
        return bool(before) or (following is not None and re.fullmatch(_CONNECTORS, following.group(1)) is None)
