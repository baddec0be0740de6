"""ViCrit-Bench: the phrase in a caption that the image does not bear out.

Source of the released rule: si0wang/ViCrit @727f1ee, score.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options

MATCHES = ("strict", "contains", "token-f1", "compat")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_ARTICLES = frozenset({"a", "an", "the"})
_QUOTED = re.compile(r"\"([^\"\n]{1,400})\"|“([^”\n]{1,400})”|'([^'\n]{1,400})'(?!\w)|`([^`\n]{1,400})`")
_NOTHING = re.compile(
    r"\[\s*\]|(?:none|nothing|no)\W*|(?:there (?:is|are) )?no (?:hallucinations?|errors?|mistakes?)\b.{0,80}",
    re.IGNORECASE | re.DOTALL,
)
_UNSEEN = re.compile(
    r"\W*(?:(?:i['’]?m|i am)\s+)?(?:sorry\b|(?:i\s+)?(?:can(?:no|['’])t|could\s*(?:not|n['’]t)|am\s+unable|unable)\s+(?:to\s+)?(?:find|see|view|access|identify|determine|process|analy[sz]e|tell|help)\b)",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^[^:\n]{0,80}(?:hallucinat|phrase|answer|error)[^:\n]{0,80}:\s*", re.IGNORECASE)
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|[0-9]{1,2}[.)]\s+)")
_KEY = re.compile(r"\s*:(?!\w)")
_INSTEAD = re.compile(
    r"[\s,]*(?:(?:is|are)\s+(?:wrong|incorrect|a\s+hallucination)\W+(?:it\s+)?)?(?:should\s+(?:actually\s+)?(?:be|read|say)|->|→|=>|instead\s+of|rather\s+than|not)[\s:]*",
    re.IGNORECASE,
)
"""Between a phrase and what would be right in its place."""
_IS_ONE = re.compile(r"\s+is\s+(?:an?|the)\s+(?:hallucinat\w+|error|mistake)\b", re.IGNORECASE)
_ONE_IS = re.compile(
    r"\b(?:hallucination|hallucinated\s+(?:phrase|part|phase))\s+(?:phrase\s+|phase\s+)?(?:is|:)\s*$", re.IGNORECASE
)
"""What calls one of several quoted phrases the hallucination: the others are only mentioned."""
_ASIDE = re.compile(r"\s*\((?:should|it|the|actual|correct|instead)\b[^()]{0,120}\)?\s*$", re.IGNORECASE)
_EDGE = " \t\r\n.,:;!?*`\"'“”[](){}"


class ViCritVerifier:
    """The phrase that an answer names against the changed one; the value is the list of phrases named, [] for "none".

    The target is {"changed": phrase, "original": phrase}; the changed span is what is left of the changed phrase without the words
    that both begin or end with. Option `match` says which is the score; all four are in `scores`, underscores for hyphens:

    - `strict` (default): one phrase, equal to the changed phrase or its span, apart from case, articles and punctuation;
    - `contains`: one phrase, in which the words of the span stand side by side;
    - `token-f1`: one phrase, F1 of its words and those of the changed phrase or span, whichever fits better;
    - `compat`: the released script, for which the first word of the span need only occur somewhere in the answer.

    Option `control`: the caption is clean, and right is an answer that names nothing.
    """

    name = "vicrit"
    version = "3"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the phrases: of a list, in quotation marks, or the last line."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        answer = section.text.strip()
        if not answer:
            return Extraction(reason="empty")
        if _UNSEEN.match(answer):
            return Extraction(reason="refusal")
        if merged_options(self._options, context.options).get("match") == "compat":
            # The released script looks into the box, or the last line, as a whole.
            return Extraction([answer.splitlines()[-1]])
        phrases = named_phrases(answer)
        return Extraction(reason="not found") if phrases is None else Extraction(phrases)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the changed phrase.

        Raises:
            DataError: when the target does not name both phrases, or an option is unknown.
        """
        options = merged_options(self._options, context.options)
        chosen = str(options.get("match", "strict"))
        if chosen not in MATCHES:
            raise DataError(f"answer option match: {chosen!r} is unknown", remedy=f"use one of {', '.join(MATCHES)}")
        changed, original = _phrases(target)
        if options.get("control"):
            right = not value
            return Match(float(right), right)
        scores = _scores(list(value), words(changed), span(words(changed), words(original)))
        score = scores[chosen.replace("-", "_")]
        return Match(score, score == 1.0, scores)


def named_phrases(answer: str) -> list[str] | None:
    """Return the phrases that an answer names; [] where it says that there is none, None where it names nothing."""
    answer = _TEXT.sub(lambda found: found.group(1), answer)
    if _NOTHING.fullmatch(answer.strip()):
        return []
    start, end = answer.find("["), answer.rfind("]")
    if 0 <= start < end and "{" not in answer[: end + 1]:
        try:
            found = read_literal(answer[start : end + 1])
        except DataError:
            found = [answer[start + 1 : end].strip(_EDGE)]
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
            found = found[0]
        if isinstance(found, list) and all(isinstance(phrase, str) for phrase in found):
            return [phrase.strip(_EDGE) for phrase in found if words(phrase) and not _NOTHING.fullmatch(phrase.strip())]
    quoted = list(_QUOTED.finditer(answer))
    if quoted:
        named = _distinct(answer, quoted)
        called = {phrase for phrase in (_called(answer, one) for one in quoted) if phrase is not None}
        return [phrase for phrase in named if phrase in called] if len(called) == 1 and len(named) > 1 else named
    line = _LEAD.sub("", _BULLET.sub("", answer.splitlines()[-1])).strip(_EDGE)
    line = _ASIDE.sub("", line).strip(_EDGE)
    return [line] if words(line) else None


def _called(answer: str, quoted: re.Match[str]) -> str | None:
    """Return a quoted phrase that the words around it call the hallucination; None where they do not."""
    if _IS_ONE.match(answer, quoted.end()) or _ONE_IS.search(answer, max(0, quoted.start() - 80), quoted.start()):
        return str(next(filter(None, quoted.groups()))).strip(_EDGE)
    return None


def _distinct(answer: str, quoted: Sequence[re.Match[str]]) -> list[str]:
    """Return the quoted phrases, each once: no key of an object, and no correction ("X" should be "Y")."""
    found: list[str] = []
    for place, one in enumerate(quoted):
        before = answer[quoted[place - 1].end() : one.start()] if place else ""
        phrase = next(filter(None, one.groups())).strip(_EDGE)
        if _KEY.match(answer, one.end()) or (found and _INSTEAD.fullmatch(before)) or not words(phrase):
            continue
        if not _NOTHING.fullmatch(phrase) and phrase not in found:
            found.append(phrase)
    return found


def words(text: str) -> list[str]:
    """Return the words of a phrase in lower case, without articles."""
    found = [word.lower() for word in _WORD.findall(text)]
    return [word for word in found if word not in _ARTICLES]


def span(changed: Sequence[str], original: Sequence[str]) -> list[str]:
    """Return the words of `changed` without those with which both begin or end; all of them where nothing would be left."""
    shortest = min(len(changed), len(original))
    start = 0
    while start < shortest and changed[start] == original[start]:
        start += 1
    end = 0
    while end < shortest - start and changed[-1 - end] == original[-1 - end]:
        end += 1
    return list(changed[start : len(changed) - end]) or list(changed)


def _scores(phrases: Sequence[str], changed: Sequence[str], part: Sequence[str]) -> dict[str, float]:
    said = words(phrases[0]) if len(phrases) == 1 else []
    runs = (said[index : index + len(part)] for index in range(len(said) - len(part) + 1))
    return {
        "strict": float(bool(said) and said in (list(changed), list(part))),
        "contains": float(any(run == list(part) for run in runs)),
        "token_f1": max(_f1(said, changed), _f1(said, part)),
        "compat": float(part[0] in " ".join(phrases).lower()),
    }


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    shared = (Counter(said) & Counter(gold)).total()
    return 2 * shared / (len(said) + len(gold)) if shared else 0.0


def _phrases(target: Any) -> tuple[str, str]:
    found = [target.get(key) for key in ("changed", "original")] if isinstance(target, Mapping) else []
    found = [one[0] if isinstance(one, (list, tuple)) and len(one) == 1 else one for one in found]
    if len(found) != 2 or not all(isinstance(one, str) for one in found) or not words(str(found[0])):
        raise DataError(
            f"target {target!r} does not name the changed and the original phrase",
            remedy='give it as {"changed": "a red car", "original": "a blue car"}',
        )
    return str(found[0]), str(found[1])
