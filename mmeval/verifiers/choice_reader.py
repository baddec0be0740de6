"""Reading one answer section against one list of options, rank by rank."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from mmeval.verifiers.answer import (
    answer_phrases,
    conditional,
    declines,
    denials,
    negated,
    sentence_end,
    stripped,
)
from mmeval.verifiers.choice_lines import ChoiceLines
from mmeval.verifiers.choice_patterns import (
    AFTER_STRONG,
    ALSO,
    AMBIGUOUS,
    BEFORE_LETTER,
    BEFORE_STRONG,
    BOUNDARY,
    CONTRACTED,
    CORRECTED,
    EDGE,
    FILL,
    FORCED,
    LABEL_BEFORE,
    LISTED,
    OTHER,
    PREDICATE,
    PREFERS,
    REACH,
    REFUTED,
    REJECTED,
    RIVAL,
    SETS_OUT,
    UNFINISHED,
    VERDICT,
    WEAK,
)
from mmeval.verifiers.choice_section import index_of
from mmeval.verifiers.letters import LETTER, letter_at, letters_in, line_label
from mmeval.verifiers.options import Found, unit_at
from mmeval.verifiers.sentences import CONCLUSION, main_clause, prose, sentences
from mmeval.verifiers.statements import stated_number


class ChoiceReader(ChoiceLines):
    """Reads one answer section against one list of options."""

    def read(self) -> Found | None:
        """Try the ranks in order; the first that finds anything, even an ambiguity, decides."""
        ranks = [
            self._whole, self._corrected, self.phrases, self._own_line, self._weak, self._conclusion, self._leading_text,
            self._opening, self._amount, self._mentions,
        ]  # fmt: skip
        # What a refusal mentions in passing is no answer.
        return self._first(ranks[:6] if declines(self.text) else ranks)

    def stated(self) -> Found | None:
        """Return the letter or text that the section explicitly gives as its answer; mentions do not count."""
        return self._first([self._corrected, self.phrases, self._own_line])

    def committed(self) -> Found | None:
        """Return what `stated` does, or the letter that the section settles on ("so it's C", and not "so C?")."""
        found = self._first([self._corrected, self.phrases, self._own_line, self._weak])
        asked = found is not None and self.text[sentence_end(self.text, found.start) :][:1] == "?"
        return None if asked else found

    def _first(self, ranks: Sequence[Callable[[], Found | None]]) -> Found | None:
        """Return what the first rank finds behind the last place that says that no option is right."""
        denied = self._denied()
        for rank in ranks:
            found = rank()
            if found is None:
                continue
            # A letter that is given as the answer stays one when of some value it is said that it is no option.
            if found.start >= denied or (
                rank == self.phrases and found.index is not None and found.start >= self._denied(values=False)
            ):
                return found
        return None

    def _denied(self, *, values: bool = True) -> int:
        """Return where the text says for the last time that no option is right, -1 where it does not, or an option does.

        With `values` also where it says that something is no option ("15, which is not an option").
        """
        if self.options.denies:
            return -1
        places = [
            end
            for start, end in denials(self.text, values)
            if not LABEL_BEFORE.search(self.text[max(0, start - 8) : start])
        ]
        return places[-1] if places else -1

    def _whole(self) -> Found | None:
        start, end = stripped(self.text, 0, len(self.text), EDGE)
        return None if start == end else self._exact(start, end)

    def _corrected(self) -> Found | None:
        """Read the letter of a correction ("B. Wait, no: C")."""
        found = None
        for found in deque(CORRECTED.finditer(self.text), maxlen=1):
            filled = FILL.match(self.text, found.end())
            position = filled.end() if filled else found.end()
            letter = letter_at(self.text, position)
            if letter is None or letter.index >= self.count or not BOUNDARY.match(self.text, letter.end):
                return None
            rest = self.text[letter.end :]
            if letters_in(rest, 0, len(rest)) or any(True for _ in answer_phrases(rest)):
                return None
            return Found(letter.index, letter.start, letter.end)
        return None

    def phrases(self) -> Found | None:
        """Return what the last sentence with an answer phrase names."""
        strong = self._after(end for _, end in answer_phrases(self.text))
        strong += self._after(found.end() for found in self._last(BEFORE_STRONG))
        strong += self._bounded(found.end() for found in self._last(BEFORE_LETTER))
        strong += self._before()
        decided = self._last_sentence(strong)
        if decided is not None and decided.index is None and decided.reason == AMBIGUOUS:
            later = self._weak()
            if later is not None and later.index is not None and later.start > sentence_end(self.text, decided.start):
                return later
        return decided

    def _weak(self) -> Found | None:
        named = self._after((found.end() for found in self._last(WEAK)), texts=False)
        return self._last_sentence([found for found in named if not REJECTED.match(self.text, found.end)])

    def _last(self, phrase: re.Pattern[str]) -> list[re.Match[str]]:
        """Return the last places of a phrase that are not negated ("would not choose", "isn't")."""
        return [
            found
            for found in deque(phrase.finditer(self.text), maxlen=32)
            if not negated(self.text, found.start())
            and not conditional(self.text, found.start())
            and CONTRACTED.search(self.text, max(0, found.start() - 12), found.start()) is None
        ]

    def _after(self, positions: Iterable[int], *, texts: bool = True) -> list[Found]:
        """Return what stands behind each phrase: a letter, or (where `texts`) the text of an option."""
        found = []
        for position in positions:
            filled = FILL.match(self.text, position)
            named = self._named(filled.end() if filled else position, texts)
            if named is None and texts and filled and filled.end() != position:
                named = self._place(position, self._clause_end(position)) or self._text_in(position)
            if named is not None:
                found.append(named)
        return found

    def _bounded(self, positions: Iterable[int]) -> list[Found]:
        """Return the letters at positions, where a boundary or the letter's own text follows them."""
        found = []
        for position in positions:
            named = self._named(position, False)
            letter = letter_at(self.text, position)
            if named is None or letter is None:
                continue
            own = named.index is not None and self.options.same(
                self.options.equal(self.text[letter.end : self._clause_end(letter.end)]), named.index
            )
            if own or BOUNDARY.match(self.text, letter.end):
                found.append(named)
        return found

    def _before(self) -> list[Found]:
        """Return letters in "B is correct", "(C) 4 is the right answer"."""
        found = []
        for match in LETTER.finditer(self.text):
            letter = letter_at(self.text, match.start())
            following = AFTER_STRONG.match(self.text, match.end())
            if letter is None or following is None or negated(self.text, letter.start):
                continue
            between = self.text[letter.end : following.end()]
            if not letter.bracketed and not self._own_text(following):
                continue
            if LETTER.search(between) is not None or re.search(r"\b(?:not|which|that)\b", between):
                continue
            if letter.index >= self.count:
                found.append(Found.none("not an option", letter.start))
            elif LISTED.search(self.text, max(0, letter.start - 24), letter.start):
                found.append(Found.none(AMBIGUOUS, letter.start))
            else:
                found.append(Found(letter.index, letter.start, letter.end))
        return found

    def _own_text(self, following: re.Match[str]) -> bool:
        """Whether at most the text of an option stands between a bare letter and "is correct"."""
        between = (following.group("text") or "").strip(EDGE)
        return not between or self.options.equal(between) is not None

    def _last_sentence(self, found: list[Found]) -> Found | None:
        """Return what the last sentence with an answer says; several different answers in it are ambiguous."""
        if not found:
            return None
        last = max(found, key=lambda item: item.start)
        same = self._same_sentence(found, last)
        if any(item.index is None for item in same):
            return next(item for item in same if item.index is None)
        if any(not self.options.same(item.index, last.index) for item in same):
            return Found.none(AMBIGUOUS, last.start)
        return last

    def _same_sentence(self, found: Sequence[Found], last: Found) -> list[Found]:
        """Return those of the last one's sentence; each stretch of text between two of them is looked at once."""
        limit = last.start
        for item in sorted(found, key=lambda item: item.start, reverse=True):
            if sentence_end(self.text, item.start, limit + 1) < limit:
                break
            limit = item.start
        return [item for item in found if item.start >= limit]

    def _conclusion(self) -> Found | None:
        """Read the option that the last concluding sentence names alone."""
        found = sentences(self.text)
        for start, end in reversed(found[-6:]):
            marked = bool(CONCLUSION.match(self.text, start, end) or FORCED.search(self.text, start, end))
            if not marked and (
                (start, end) != found[-1]
                or not VERDICT.search(self.text, start, end)
                or OTHER.search(self.text, start, end)
            ):
                continue
            if line_label(self.text, start, end) is not None or declines(self.text[start:end]):
                continue
            rival = RIVAL.search(self.text, start, end)
            stop = rival.start() if rival else end
            named = [
                item for item in self._named_in(start, stop) if item.index < self.count and not self._refuted(item)
            ]
            indices = {item.index for item in named if item.bracketed or item.end - item.start > 1}
            if indices:
                letter = next(item for item in named if item.index in indices)
                alone = len({item.index for item in named}) == 1
                return Found(letter.index, letter.start, letter.end) if alone else None
            text = self.options.contained(self.lowered, start, stop) if marked else None
            if text is not None and text.index is not None and not REFUTED.match(self.text, text.end):
                return text
        return None

    def _opening(self) -> Found | None:
        """Read the first sentence: it says what something is ("The smallest one is a cat"), or prefers one option."""
        for start, end in sentences(self.text[: 2 * REACH])[:1]:
            if SETS_OUT.match(self.text, start, end) or line_label(self.text, start, end):
                return None
            predicate = self._predicate(start, end)
            if (
                predicate is not None
                or not PREFERS.search(self.text, start, end)
                or OTHER.search(self.text, start, end)
            ):
                return predicate
            rival = RIVAL.search(self.text, start, end)
            found = self.options.contained(self.lowered, start, rival.start() if rival else end)
            return found if found is not None and found.index is not None and self.options.wordy(found.index) else None
        return None

    def _predicate(self, start: int, end: int) -> Found | None:
        """Return the one option whose text directly follows an "is" of a sentence."""
        named: list[Found] = []
        for verb in PREDICATE.finditer(self.text, start, end):
            found = self.options.at(self.lowered, verb.end())
            if found is None or found.index is None or conditional(self.text, verb.start()):
                continue
            named.append(found)
        wordy = [item for item in named if item.index is not None and self.options.wordy(item.index)]
        return wordy[0] if wordy and all(self.options.same(item.index, wordy[0].index) for item in named) else None

    def _leading_text(self) -> Found | None:
        """Read an answer that opens with the whole text of an option ("Yes, there is …")."""
        return self.options.leading(self.lowered)

    def _amount(self) -> Found | None:
        """Read the amount that the sentences state, where the options are amounts."""
        if not self.options.numeric:
            return None
        stated = stated_number(prose(self._raw, self.text))
        if stated is None:
            return None
        found = self.options.at(self.lowered, stated.start)
        if found is not None or UNFINISHED.match(self.text, stated.end):
            return found
        index = self.options.of_amount(float(stated.value), unit_at(self.text, stated.end))
        return None if index is None else Found(index, stated.start, stated.end)

    def _mentions(self) -> Found | None:
        """Read the only option that is mentioned: in brackets, by its text, or as a single letter."""
        letters: dict[int, Found] = {}
        bracketed: dict[int, Found] = {}
        words = len(self.text.split())
        stop = self._finished()
        last = stripped(self.text, 0, len(self.text), EDGE)[1]
        found = [
            item
            for item in self._named_in(0, stop)
            if item.index < self.count
            and not negated(self.text, item.start)
            and not conditional(self.text, item.start)
            and REJECTED.match(self.text, item.end) is None
        ]
        both = self._in_both_cases()
        for letter in found:
            if letter.bracketed and letter.index in both:
                continue
            item = Found(letter.index, letter.start, letter.end)
            listed = ALSO.match(self.text, letter.end)
            if letter.bracketed:
                bracketed[letter.index] = item
            if (
                letter.bracketed
                and listed is not None
                and (other := index_of(listed)) is not None
                and other < self.count
            ):
                bracketed[other] = Found(other, *listed.span())
            if letter.bracketed or words <= 8 or letter.end >= last:
                letters[letter.index] = item
        if len(bracketed) == 1:
            letters = bracketed
        elif len(letters) == 1 and len({item.index for item in found}) > 1:
            letters = {}  # "Point A is closer than point B"
        text = self._short_text(words, stop)
        if len(letters) > 1:
            return Found.none(AMBIGUOUS)
        if letters:
            letter_found = next(iter(letters.values()))
            index = None if text is None or self.options.is_letter(text.index) else text.index
            if index is not None and not self.options.same(index, letter_found.index):
                return Found.none(AMBIGUOUS)
            return letter_found
        return text

    def _short_text(self, words: int, stop: int) -> Found | None:
        """Read the only option whose text the answer says, where the answer is short or the text no common word."""
        found = self.options.contained(self.lowered, 0, stop) if words <= 120 + 2 * self.options.words else None
        short = words <= max(30, 2 * self.options.words)
        if found is not None and found.index is not None and (short or self.options.wordy(found.index)):
            return found
        # "If there is less grass, mice will decrease": what follows from the condition.
        for start, end in sentences(self.text[:REACH])[:1]:
            clause = main_clause(self.text, start, end)
            consequence = self.options.contained(self.lowered, clause, end) if clause > start else None
            if (
                consequence is not None
                and consequence.index is not None
                and (short or self.options.wordy(consequence.index))
            ):
                return consequence
        return found if short else None
