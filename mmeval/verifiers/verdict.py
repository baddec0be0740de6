"""Verdicts of a judge on two answers, where the model under test is the judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, after_reasoning, answer_section, mask, merged_options

STYLES = ("overall-judgment", "bracket", "bracket-official")
TIES = ("no-answer", "half")
TIE = "tie"
_NOUN = r"(?:answer|response|assistant|output|option|candidate|model|image|picture)"
_LABEL = rf"(?:{_NOUN}\s*+[\(\[#]?\s*+(?P<label>[12AB]|one|two)\b(?:\s*+[\)\]]|\s*+(?='s))?(?:'s\s+{_NOUN})?|the\s+(?P<ordinal>first|second)\s+(?:{_NOUN}|one)\b)"
_LABEL_AGAIN = _LABEL.replace("<label>", "<label2>").replace("<ordinal>", "<ordinal2>")
_ADVERB = r"(?:(?:much|far|slightly|clearly|significantly|marginally|overall|generally|definitely|also|still|somewhat|the|a)\s+){0,3}"
_BE = r"(?:is|was|seems|appears|looks|would\s+be|(?:seems|appears)\s+to\s+be)"
_BETTER = re.compile(
    rf"\b{_LABEL}\s+(?:{_BE}\s+{_ADVERB}(?:better|superior|best|stronger|preferred|preferable|winner|winning)\b"
    rf"|(?:clearly\s+|slightly\s+)?(?:wins|outperforms|surpasses)\b"
    rf"|(?:should|would|must|can)\s+be\s+(?:preferred|chosen|favou?red)\b|(?:does|did)\s+(?:a|the)\s+(?:much\s+)?better\s+job\b"
    rf"|(?:provides|gives|offers|has|contains)\s+(?:a|the)\s+(?:much\s+|slightly\s+|overall\s+)?better\s+(?:overall\s+)?(?:answer|response|description|explanation|caption)\b"
    rf"|{_BE}\s+(?:more\s+[a-z]+(?:\s*,|\s+and)\s+){{1,3}}(?:is\s+)?(?:therefore\s+|thus\s+|so\s+)?(?:the\s+)?better\b)",
    re.IGNORECASE,
)
_WORSE = re.compile(
    rf"\b{_LABEL}\s+{_BE}\s+(?:{_ADVERB}(?:worse|inferior|weaker)|not\s+(?:quite\s+)?as\s+good\s+as)\b", re.IGNORECASE
)
_CHOSEN = re.compile(
    rf"\b(?:prefer|choose|pick|favou?r|go\s+with)\s+{_LABEL}"
    rf"|\b(?:(?:better|preferred|superior|winning|best|stronger)\s+(?:{_NOUN}|one)|winner|(?:final\s+)?verdict|(?:my|final)\s+(?:choice|preference)|(?<![a-z]\s)preference(?=\s*[:=]))\s*(?:is|:|=)\s*"
    rf"(?:{_LABEL_AGAIN}|[\(\[]?(?P<bare>[12AB])\b(?!\s*(?:and|or|/|,|&))[\)\]]?)",
    re.IGNORECASE,
)  # fmt: skip
_ORDERED = re.compile(
    rf"\b{_NOUN}\s*(?P<label>[12AB])\s*(?:>{{1,2}}|≻)\s*(?:{_NOUN}\s*)?[12AB]\b"
    rf"|\b{_NOUN}\s*[12AB]\s*<{{1,2}}\s*(?:{_NOUN}\s*)?(?P<label2>[12AB])\b",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"[\"'](?:better|winner|verdict|preference|preferred|choice|chosen|overall[ _]judge?ment|judge?ment|better[ _](?:answer|response))[\"']\s*:\s*+"
    rf"[\"']?\s*+(?:{_NOUN}[ _]*)?(?P<label>[12AB]|tie|equal|both)\b(?!\s*(?:and|or|/|,\s*[12AB]))",
    re.IGNORECASE,
)  # fmt: skip
_JUDGMENT = re.compile(
    r"\boverall\s+judge?ment\b|\btherefore\b|\bfinal\s+(?:verdict|judge?ment|answer|decision)\b|\bin\s+conclusion\b|(?<=[.\n])\s*+(?:overall|all\s+in\s+all|in\s+summary)\s*,",
    re.IGNORECASE,
)  # fmt: skip
_LINE = re.compile(
    rf"\W*{_LABEL}\s+{_BE}\s+{_ADVERB}better(?:\s+(?:overall|one|answer|response|image|than\s+{_LABEL_AGAIN})){{0,2}}[ \t.!\"')]*(?=\n|\Z)",
    re.IGNORECASE,
)
"""A line that says which is better and nothing else."""
_TAKEN_BACK = re.compile(
    r"\b(?:wait|actually|on\s+second\s+thought|correction)\b|[.!?\n]\W*(?:however|but|no)\b", re.IGNORECASE
)
_NEGATED = re.compile(
    r"(?:\b(?:neither|not|whether|which|nor|never|(?:false|untrue|doubt\w*)\s+that)\b|n't\b)[^.,;:!?\n]{0,40}$"
    r"|\bif\b(?!\s+(?:forced|pressed|(?:we|i)\s+(?:must|ha(?:d|ve)\s+to)))[^.;:!?\n]{0,60}$",
    re.IGNORECASE,
)
_OPEN = re.compile(r"[^.!?\n]{0,60}\?")
"""Behind a statement that is only asked."""
_IF = re.compile(r"[^.;!?\n]{0,80}\bif\b", re.IGNORECASE)
_TIED = re.compile(
    r"\b(?:it(?:'s|\s+is)\s+a\s+(?:tie|draw)|equally\s+(?:good|bad|well|strong|accurate|helpful|correct)|no\s+clear\s+winner"
    r"|(?:both|the\s+two|neither)\b[^.\n]{0,40}\b(?:are|is)\s+(?:of\s+(?:equal|the\s+same)|equal|equivalent|better|comparable|tied)\b"
    rf"|{_NOUN}\s+[12AB]\s+and\s+(?:{_NOUN}\s+)?[12AB]\s+(?:tie|are\s+(?:tied|equal))\b|\bno\s+preference\b"
    r"|(?:neither)\s++(?:answer|response|one)?\s*+is\s+better)\b",
    re.IGNORECASE,
)
_TIE_FIRST = re.compile(
    r"\W*(?:it(?:'s|\s+is)\s+)?(?:a\s+)?(?:tie|draw|tied|equal|both(?:\s+are)?\s+equal(?:ly\s+\w+)?|neither(?=\W*(?:\n|\Z)))\b",
    re.I,
)
_CRITERION = re.compile(
    r"[^\n\w]*+(?:[0-9]++[.)]\s*+)?[^\n\w]*+(?:accuracy|completeness|clarity|relevance|correctness|helpfulness|details?|depth|style|fluency"
    r"|conciseness|faithfulness|grounding|safety|coherence)\b",
    re.IGNORECASE,
)
"""A line about one criterion, which is no verdict on the whole: the answer may have been cut off before that."""
_BRACKET = re.compile(
    rf"\[\[\s*(?:{_NOUN}\s+)?([ABC]|A\s*>{{1,2}}\s*B|B\s*>{{1,2}}\s*A|A\s*=\s*B|tie)\s*\]\]", re.IGNORECASE
)
_LETTER: Mapping[str, str] = {
    "1": "A", "2": "B", "A": "A", "B": "B", "FIRST": "A", "SECOND": "B", "ONE": "A", "TWO": "B",
}  # fmt: skip
_SHORT = re.compile(rf"\W*+(?:{_NOUN}\s*+)?([12AB])\W*+", re.IGNORECASE)


class PairVerdictVerifier:
    """The answer says which of two answers is better; the target is A (the one shown first) or B.

    Option `style`:

    - `overall-judgment` (default): "Answer 1 is better" and its like ("the second response wins", "I prefer Answer 2", a JSON
      field `better`), behind the last "Overall Judgment", "Therefore" or "Final verdict", else anywhere; statements that name
      both answers are no verdict;
    - `bracket`: [[A]] or [[B]] ([[A>B]] is A); both, or [[C]] (a tie), are no verdict;
    - `bracket-official`: [[A]] anywhere is A, else [[B]] anywhere is B, as Multimodal RewardBench's script reads it.

    Option `ties`: `no-answer` (default) takes a tie for no verdict, which counts as wrong; with `half` it is an answer that
    scores 0.5, for win rates. `scores["first"]`: 1 where the answer shown first is preferred (0.5 for a tie): its mean over
    answered rows is 0.5 without position bias when both orders are asked. `scores["tie"]`: 1 for a tie.
    """

    name = "pair-verdict"
    version = "5"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return A or B, or `tie` where ties are answers.

        Raises:
            DataError: when the option `style` or `ties` is unknown.
        """
        options = merged_options(self._options, context.options)
        style, ties = (str(options.get(name, known[0])) for name, known in (("style", STYLES), ("ties", TIES)))
        for name, value, known in (("style", style, STYLES), ("ties", ties, TIES)):
            if value not in known:
                raise DataError(f"answer option {name}: {value!r} is unknown", remedy=f"use one of {', '.join(known)}")
        found = self._read(text, style, options)
        return Extraction(TIE) if ties == "half" and found.reason == TIE else found

    def _read(self, text: str, style: str, options: Mapping[str, Any]) -> Extraction:
        if style == "bracket-official":
            return _first_bracket(text)
        if style == "bracket":
            answer = after_reasoning(text, options)
            if answer is None:
                return Extraction(reason="unfinished reasoning")
            return _settled(_brackets(answer), Section(answer, len(text) - len(answer), False))
        answer = after_reasoning(text, options)
        if answer is not None:
            # A field of a JSON object is read before sections are cut, which take one of its values apart.
            found = _settled(_stated(answer, _FIELD), Section(answer, len(text) - len(answer), False))
            if found.found or found.reason != _NOTHING:
                return found
        section = answer_section(text, options)
        return section if isinstance(section, Extraction) else _judgment(section)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the letters.

        Raises:
            DataError: when the target is neither A nor B.
        """
        gold = str(target).strip().upper()
        if gold not in ("A", "B"):
            raise DataError(f"target {target!r} is neither A nor B", remedy="correct the card's fields.answer")
        if value == TIE:
            return Match(0.5, False, {"first": 0.5, "tie": 1.0})
        return Match(float(value == gold), value == gold, {"first": float(value == "A"), "tie": 0.0})


_NOTHING = "no verdict"


def _first_bracket(text: str) -> Extraction:
    for letter in "AB":
        place = text.find(f"[[{letter}]]")
        if place >= 0:
            return Extraction(letter, (place + 2, place + 3))
    return Extraction(reason=_NOTHING)


def _settled(found: Iterator[tuple[str, int, int]], section: Section) -> Extraction:
    """Return the one verdict of several statements (letter or `tie`, start, end), however often it is stated."""
    statements = list(found)
    said = {letter for letter, _, _ in statements}
    if not statements:
        return Extraction(reason=_NOTHING)
    if len(said) > 1:
        return Extraction(reason="several verdicts")
    value = said.pop()
    if value == TIE:
        return Extraction(reason=TIE)
    return Extraction(value, section.span(*statements[-1][1:]))


def _brackets(text: str) -> Iterator[tuple[str, int, int]]:
    for one in _BRACKET.finditer(text):
        verdict = re.sub(r"\s", "", one.group(1)).upper()
        if not _is_negated(text, one.start()):
            yield (verdict[0] if verdict[0] in "AB" and "=" not in verdict else TIE), *one.span(1)


def _stated(text: str, *patterns: re.Pattern[str], start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield what statements of some forms say."""
    for pattern in patterns:
        for one in pattern.finditer(text, start):
            named = [(name, value) for name, value in one.groupdict().items() if value is not None]
            if not named or _is_negated(text, one.start()) or (not start and _on_criterion(text, one.start())):
                continue
            if _OPEN.match(text, one.end()) or ("would" in one.group().lower() and _IF.match(text, one.end())):
                continue
            name, value = named[-1]
            letter = _LETTER.get(value.upper(), TIE)
            if pattern is _WORSE:
                letter = "B" if letter == "A" else "A"
            yield letter, *one.span(name)


def _on_criterion(text: str, place: int) -> bool:
    return _CRITERION.match(text, text.rfind("\n", 0, place) + 1, place) is not None


def _is_negated(text: str, place: int) -> bool:
    return _NEGATED.search(text, max(0, place - 80), place) is not None


def _judgment(section: Section) -> Extraction:
    # Stars of Markdown stand between the words; a space each keeps the offsets.
    plain = Section(re.sub(r"[*#_`]", " ", mask(section.text)), section.start, section.marked)
    marks = [found.end() for found in _JUDGMENT.finditer(plain.text)]
    # Only the last ones can decide; the limit bounds the work on text that repeats the phrase for ever.
    for start in reversed(marks[-32:]):
        found = _within(plain, start)
        if found.found or found.reason != _NOTHING:
            return found
    short = _SHORT.fullmatch(plain.text)
    if short:
        return Extraction(_LETTER[short.group(1).upper()], section.span(*short.span(1)))
    tied = _TIE_FIRST.match(plain.text)
    if tied and re.fullmatch(r"\W*", plain.text[tied.end() :]):
        return Extraction(reason=TIE)
    found = _within(plain, 0)
    return found if found.found or found.reason != _NOTHING else _settled(_brackets(section.text), section)


def _within(section: Section, start: int) -> Extraction:
    """Return the verdict that stands behind `start`."""
    text = section.text
    if start and _TIE_FIRST.match(text, start):
        return Extraction(reason=TIE)
    whole = _LINE.match(text, start) if start else None
    if whole and _TAKEN_BACK.search(text, whole.end()) is None:
        # What comes behind a line that is a verdict explains it.
        text = text[: whole.end()]
    found = _settled(_stated(text, _BETTER, _WORSE, _CHOSEN, _ORDERED, start=start), section)
    if found.found or found.reason != _NOTHING:
        return found
    if start:
        # "Overall Judgment: Answer 2" and nothing else on the line.
        line = re.compile(r"[^\n]*\S[^\n]*").search(text, start)
        short = _SHORT.fullmatch(line.group()) if line else None
        if line and short:
            first = line.start() + short.start(1)
            return Extraction(_LETTER[short.group(1).upper()], section.span(first, first + 1))
    return Extraction(reason=TIE) if _TIED.search(text, start) else found
