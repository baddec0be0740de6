"""Yes or no: what an answer says, where "there is no dog" says neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
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

_YES = ("yes", "yeah", "yep", "true", "correct", "是", "是的", "对", "正确")
_NO = ("no", "nope", "false", "incorrect", "不是", "否", "不", "不对", "错误")
_WORDS = {**dict.fromkeys(_YES, "yes"), **dict.fromkeys(_NO, "no")}
_ALTERNATIVES = "|".join(sorted((re.escape(word) for word in _WORDS), key=len, reverse=True))
_TOKEN = re.compile(rf"(?<![a-z0-9'_-])(?:{_ALTERNATIVES})(?![a-z0-9_]|'[a-z]|-[a-z])")
_PAUSE = re.compile(r"[\s\"')\]}$]*(?:[.,;:!?。，；：！\n—–]|-\s|$)")
_SUBJECT = re.compile(r"\s+(?:there|it|they|he|she|this|that|the|you|we)\b")
_WORD = re.compile(r"[a-z0-9\u4e00-\u9fff]")
_BOTH = re.compile(r"\b(?:yes\s*(?:/|or|and|nor)\s*no|true\s*(?:/|or|and|nor)\s*false|no\s*(?:/|or|and)\s*yes)\b")
_FILL = re.compile(r"(?:[\s:=\"'(]|\b(?:is|be|a|an|definitely|clearly|probably|likely|simply|therefore|thus)\b)*")


class YesNoVerifier:
    """The answer is yes or no; value is "yes" or "no", the target these, true/false, or a boolean.

    Words count as an answer where they open the text, follow "the answer is", or stand apart between pauses;
    the "no" of "there is no dog" does not.
    """

    name = "yes-no"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return "yes" or "no"; an answer that says both is ambiguous."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found = _read(lower(mask(section.text)))
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


def _read(text: str) -> tuple[int, int, str] | str:
    behind = _behind_phrase(text)
    if behind is not None:
        return behind
    if _BOTH.search(text):
        return "ambiguous"
    alone = _apart(text)
    opening = _TOKEN.match(text, _opening(text))
    if opening is not None and (
        _PAUSE.match(text, opening.end()) or opening.group() == "yes" or _SUBJECT.match(text, opening.end())
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
        only = len(on_last) == 1 and not text[last[0] : last[1]].replace(text[on_last[0][0] : on_last[0][1]], "").strip(
            " .,!*\"'"
        )
        return on_last[0] if only else "ambiguous"
    return "not found"


def _opening(text: str) -> int:
    """Return where the first word starts."""
    found = _WORD.search(text)
    return found.start() if found else len(text)


def _behind_phrase(text: str) -> tuple[int, int, str] | str | None:
    result: tuple[int, int, str] | str | None = None
    sentence = -1
    for _, position in answer_phrases(text):
        filled = _FILL.match(text, position)
        token = _TOKEN.match(text, filled.end() if filled else position)
        if token is None:
            continue
        end = sentence_end(text, position)
        value = _WORDS[token.group()]
        both = _BOTH.match(text, token.start()) is not None
        if both or (end == sentence and isinstance(result, tuple) and result[2] != value):
            result = "ambiguous"
        else:
            result = (*token.span(), value)
        sentence = end
    return result


def _apart(text: str) -> list[tuple[int, int, str]]:
    """Return the words that a pause follows and no negation precedes, except mere adverbs ("is correct.")."""
    found = []
    opening = _opening(text)
    for token in _TOKEN.finditer(text):
        if not _PAUSE.match(text, token.end()) or negated(text, token.start()):
            continue
        if token.group() in ("correct", "不", "对") and token.start() > opening:
            continue
        found.append((*token.span(), _WORDS[token.group()]))
    return found
