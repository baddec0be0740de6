"""Yes or no: what an answer says, where "there is no dog" says neither."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import (
    answer_phrases,
    answer_section,
    lines,
    lower,
    mask,
    merged_options,
    negated,
    sentence_end,
)

_YES = ("yes", "yeah", "yep", "yup", "是", "是的")
_NO = ("no", "nope", "nah", "不是", "不是的", "否", "不")
_TRUE = ("true", "correct", "对", "对的", "正确")
_FALSE = ("false", "incorrect", "不对", "错误")
_WORDS = {**dict.fromkeys(_YES + _TRUE, "yes"), **dict.fromkeys(_NO + _FALSE, "no")}
_ASKED = {"any": _WORDS.keys(), "yes-no": {*_YES, *_NO}, "true-false": {*_TRUE, *_FALSE}}
_NOT = ("absolutely not", "certainly not", "definitely not", "of course not", "not at all", "没有")
_ALONE = {**dict.fromkeys(("y", "absolutely", "definitely", "certainly", "of course", "有"), "yes"), "n": "no"}
_ALONE |= {
    **dict.fromkeys(("oui", "sí", "si", "sim", "sì", "ja", "да", "はい", "네", "예", "نعم"), "yes"),
    **dict.fromkeys(("non", "não", "nein", "нет", "いいえ", "아니요", "아니오", "لا"), "no"),
}
"""What is an answer only where it is all that is said: such words also fill and open other sentences."""
_ALTERNATIVES = "|".join(sorted((re.escape(word) for word in _WORDS), key=len, reverse=True))
_TOKEN = re.compile(rf"(?<![a-z0-9'_-])(?:{_ALTERNATIVES})(?![a-z0-9_]|'[a-z]|-[a-z])")
_DENIAL = re.compile("|".join(_NOT))
_PAUSE = re.compile(r"[\s\"')\]}$]*(?:[.,;:!。，；：！\n—–…]|-\s|$)")
_UNSAID = re.compile(
    r"(?:n't|\bnot|\bcannot|\bnever)\s+(?:(?:really|simply|just|definitely|confidently)\s+)?(?:say|answer|tell|confirm|state|conclude)"
    r"\s+(?:(?:it|that)\s+is\s+)?[\"']?$"
)
"""Before a word: it is what is not said ("I can't say yes")."""
_WRITTEN = re.compile(
    r"\b(?:sign|text|label|button|shirt|board|poster|banner|screen|caption|paper|card|note|inscription)\b[^.!?\n]{0,30}?"
    r"\b(?:says|reads|states|saying|reading)\s*[:,]?\s*[\"'“‘`]\s*$"
)
"""Before a word: it stands in the picture."""
_REMARK = re.compile(r"\s{0,4}\([^()\n]{1,400}\)\s{0,4}(?:[.,;!\n]|\Z)")
_QUESTION = re.compile(r"[\s\"')\]}$]*[?？]")
_SUBJECT = re.compile(r"\s+(?:there|it|they|he|she|this|that|the|you|we|because|since|as)\b")
_WORD = re.compile(r"[^\W_]")
_BOTH = re.compile(r"\b(?:yes\s*(?:/|or|and|nor)\s*no|true\s*(?:/|or|and|nor)\s*false|no\s*(?:/|or|and)\s*yes)\b")
_BESIDE = re.compile(r"(?:yes\s+no|no\s+yes|true\s+false|false\s+true)\b")
_TAKEN_BACK = re.compile(
    r"(?:[.!?…\n][*\s]*|\s[—–-]+\s*)(?:(?:hmm+|oh|but|sorry)\W{1,4})?"
    r"(?:wait|hold\s+on|actually|on\s+second\s+thought|scratch\s+that|correction)\b"
)
_ECHO = re.compile(r"\W*(?:yes\s*(?:/|or)\s*no|true\s*(?:/|or)\s*false)\s*[?:]+(?=\W*[a-z])")
"""The question, repeated in front of the answer."""
_JUDGED = re.compile(r"\b(?:statement|claim|assertion|proposition|description)(?:\s+(?:is|was)|'s)(?:\s+[a-z]+ly)?\s+$")
"""Before "correct": it is what is asked about that is so called."""
_FILL = re.compile(r"(?:[\s:=\"'(]|\b(?:is|be|a|an|definitely|clearly|probably|likely|simply|therefore|thus)\b)*")


class YesNoVerifier:
    """The answer is yes or no; value is "yes" or "no", the target these, true/false, or a boolean.

    Words count as an answer where they open the text, follow "the answer is", or stand apart between pauses;
    the "no" of "there is no dog" does not, nor does a word before a question mark. An answer that is taken back ("Answer: yes.
    Wait, no") is none, unless a later phrase states one: that "no" may be an exclamation. Option `words` says which words are
    asked for: `yes-no`, `true-false`, or `any` (default).
    """

    name = "yes-no"
    version = "7"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return "yes" or "no"; an answer that says both is ambiguous.

        Raises:
            DataError: when the option `words` is unknown.
        """
        options = merged_options(self._options, context.options)
        words = str(options.get("words", "any"))
        if words not in _ASKED:
            raise DataError(f"answer option words: {words!r} is unknown", remedy=f"use one of {', '.join(_ASKED)}")
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        found = _Reader(lower(mask(section.text)), _ASKED[words]).read()
        if isinstance(found, str):
            return Extraction(reason=found)
        start, end, value = found
        return Extraction(value, section.span(start, end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare two answers.

        Raises:
            DataError: when the target is neither yes nor no.
        """
        gold = {True: "yes", False: "no"}[target] if isinstance(target, bool) else None
        if isinstance(target, str):
            gold = _WORDS.get(target.strip().strip(".").lower())
        if gold is None:
            raise DataError(f"target {target!r} is neither yes nor no", remedy="give the gold answer as yes or no")
        right = value == gold
        return Match(float(right), right)


class _Reader:
    """Reads lower-case masked text; only the words that are asked for count."""

    def __init__(self, text: str, asked: Collection[str]) -> None:
        echo = _ECHO.match(text)
        self._text = text if echo is None else " " * echo.end() + text[echo.end() :]
        self._asked = asked

    def read(self) -> tuple[int, int, str] | str:
        """Return where the answer stands and what it is, or the reason why there is none."""
        text = self._text
        behind = self._behind_phrase()
        if behind is not None:
            return self._kept(behind)
        start = self._opening()
        if _BOTH.search(text) or _BESIDE.match(text, start):
            return "ambiguous"
        bare = text[start:].rstrip(" \t\r\n.!。！*\"'")
        if bare in _ALONE and "yes" in self._asked:
            return start, start + len(bare), _ALONE[bare]
        denial = _DENIAL.match(text, start)
        if denial is not None and _PAUSE.match(text, denial.end()) and "no" in self._asked:
            return *denial.span(), "no"
        return self._by_words()

    def _by_words(self) -> tuple[int, int, str] | str:
        text, alone = self._text, self._apart()
        opening = self._token(self._opening())
        if opening is not None and (
            _PAUSE.match(text, opening.end())
            or opening.group() == "yes"
            or _SUBJECT.match(text, opening.end())
            or _REMARK.match(text, opening.end())
        ):
            value = _WORDS[opening.group()]
            others = {found[2] for found in alone if found[0] != opening.start()} - {value}
            return "ambiguous" if others else (*opening.span(), value)
        values = {found[2] for found in alone}
        if len(values) == 1:
            return alone[-1]
        if len(values) > 1:
            last = lines(text)[-1]
            on_last = [found for found in alone if found[0] >= last[0]]
            rest = text[last[0] : last[1]].replace(text[on_last[0][0] : on_last[0][1]], "") if on_last else "?"
            return on_last[0] if len(on_last) == 1 and not rest.strip(" .,!*\"'") else "ambiguous"
        return "not found"

    def _token(self, position: int) -> re.Match[str] | None:
        token = _TOKEN.match(self._text, position)
        return token if token is not None and self._counts(token) else None

    def _counts(self, token: re.Match[str]) -> bool:
        return token.group() in self._asked and _QUESTION.match(self._text, token.end()) is None

    def _opening(self) -> int:
        """Return where the first word starts."""
        found = _WORD.search(self._text)
        return found.start() if found else len(self._text)

    def _behind_phrase(self) -> tuple[int, int, str] | str | None:
        result: tuple[int, int, str] | str | None = None
        sentence = -1
        for _, position in answer_phrases(self._text):
            filled = _FILL.match(self._text, position)
            token = self._token(filled.end() if filled else position)
            if token is None:
                continue
            end = sentence_end(self._text, position)
            value = _WORDS[token.group()]
            both = any(pattern.match(self._text, token.start()) for pattern in (_BOTH, _BESIDE))
            if both or (end == sentence and isinstance(result, tuple) and result[2] != value):
                result = "ambiguous"
            else:
                result = (*token.span(), value)
            sentence = end
        return result

    def _kept(self, found: tuple[int, int, str] | str) -> tuple[int, int, str] | str:
        """Return a stated answer, unless words behind it take it back and say the contrary."""
        if isinstance(found, str):
            return found
        mark = _TAKEN_BACK.search(self._text, found[1])
        taken = mark is not None and any(one[0] >= mark.end() and one[2] != found[2] for one in self._apart())
        return "ambiguous" if taken else found

    def _apart(self) -> list[tuple[int, int, str]]:
        """Return the words that a pause follows and no negation precedes, except mere adverbs ("option 2 is correct.")."""
        found = []
        opening = self._opening()
        for token in _TOKEN.finditer(self._text):
            if (
                not self._counts(token)
                or not _PAUSE.match(self._text, token.end())
                or negated(self._text, token.start())
                or _UNSAID.search(self._text, max(0, token.start() - 48), token.start())
                or _WRITTEN.search(self._text, max(0, token.start() - 64), token.start())
            ):
                continue
            if token.group() in ("correct", "不", "对") and token.start() > opening:
                judged = _JUDGED.search(self._text, max(0, token.start() - 48), token.start())
                if token.group() != "correct" or judged is None:
                    continue
            found.append((*token.span(), _WORDS[token.group()]))
        return found
