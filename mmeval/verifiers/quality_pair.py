"""Which of two pictures is better, or that they are similar (Q-Insight's comparison)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options

SIMILAR = "similar"
_NOUN = r"(?:image|picture|photo|photograph)"
_LABEL = (
    rf"(?:\b{_NOUN}[ _]*[\(\[]?(?P<letter>[AB12])\b[\)\]]?|\bthe\s+(?P<ordinal>first|second)(?:\s+(?:{_NOUN}|one))?\b)"
)
_ADVERBS = (
    r"(?:(?:a|the|much|far|slightly|clearly|significantly|marginally|somewhat|overall|noticeably|generally)\s+){0,3}"
)
_VERB = r"(?:is|has|looks|appears|seems|shows|offers|exhibits|displays|demonstrates)(?:\s+to\s+(?:be|have))?(?:\s+of)?"
_BARE = r"(?P<letter>(?-i:[AB]))(?P<ordinal>)"
"""A letter without its noun ("B is better"); small ones are words."""
_QUALITY = r"(?:(?:overall|visual|perceptual|image|picture)\s+){0,2}quality"
_STATEMENTS: tuple[tuple[re.Pattern[str], bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), other)
    for pattern, other in (
        (rf"{_LABEL}\s+{_VERB}\s+{_ADVERBS}(?:better|superior|best|preferable|preferred|higher\s+{_QUALITY})\b", False),
        (rf"{_LABEL}\s+{_VERB}\s+{_ADVERBS}(?:worse|inferior|poorer|lower\s+{_QUALITY})\b", True),
        (rf"{_LABEL}\s+(?:clearly\s+|slightly\s+)?(?:outperforms|surpasses|wins)\b", False),
        (rf"(?<![A-Za-z]){_BARE}\s+{_VERB}\s+{_ADVERBS}(?:better|superior|best|higher\s+{_QUALITY})\b", False),
        (rf"(?<![A-Za-z]){_BARE}\s+{_VERB}\s+{_ADVERBS}(?:worse|inferior|poorer|lower\s+{_QUALITY})\b", True),
        (rf"\bquality\s+of\s+{_LABEL}\s+{_VERB}\s+{_ADVERBS}higher\b", False),
        (rf"\bquality\s+of\s+{_LABEL}\s+{_VERB}\s+{_ADVERBS}lower\b", True),
        (rf"\b(?:answer|winner|verdict|choice|better\s+(?:{_NOUN}|one))\s*(?:is|:|=)\s*[\"'(]?{_BARE}(?![\w'’])(?!\s*(?:and|or|/|,|&))", False),
        (rf"\b(?:prefer|choose|pick|favou?r|go\s+with)\s+{_LABEL}", False),
        (rf"\b(?:answer|winner|verdict|choice|better\s+(?:{_NOUN}|one|quality))[\"']?\s*(?:is|:|=)\s*[\"']?\s*{_LABEL}", False),
        (rf"[\"'](?:better(?:[ _]{_NOUN})?|answer|winner|choice|result|comparison(?:[ _]result)?|preferred(?:[ _]{_NOUN})?)[\"']\s*:\s*[\"']?(?:{_NOUN}\s*)?(?P<letter>[AB])\b(?P<ordinal>)", False),
        (rf"\b{_NOUN}\s*(?P<letter>[AB12])\s*(?:>{{1,2}}|≻)\s*{_NOUN}\s*[AB12]\b(?P<ordinal>)", False),
        (rf"\b{_NOUN}\s*(?P<letter>[AB12])\s*<{{1,2}}\s*{_NOUN}\s*[AB12]\b(?P<ordinal>)", True),
        (r"(?:图像?|图片|照片)\s*(?P<letter>[AB12])(?P<ordinal>)(?:的?质量)?(?:看起来|明显|稍微?|略)?(?:更好|更高|较好)", False),
        (r"第(?P<ordinal>[一二])(?:张|幅|个)?(?:图像?|图片|照片)(?P<letter>)(?:的?质量)?(?:看起来|明显|稍微?|略)?(?:更好|更高|较好)", False),
        (rf"\b(?:so|therefore|thus|hence)\W+{_LABEL}\W*$", False),
    )
)  # fmt: skip
"""How a picture is called better, or (True) worse."""
_EVEN = r"(?:similar|the\s+same|same|equal(?:ly\s+\w+)?|equivalent|comparable|identical|indistinguishable)"
_ALIKE = re.compile(
    rf"\b(?:both|the\s+two|they|{_NOUN}s?|quality|and\s+B)\b[^.\n;,]{{0,60}}\b{_EVEN}\b"
    rf"|\b(?:answer|verdict|choice|better)[\"']?\s*(?:is|:|=)\s*[\"']?{_EVEN}\b|\bno\s+(?:\w+\s+)?difference\b|\bneither\s+(?:{_NOUN}\s+|one\s+)?is\s+better\b",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    rf"\W*(?:(?:the\s+)?(?:final\s+)?answer\s*+(?:is|:)?\W*)?(?:(?:{_NOUN}\s*)?(?P<letter>[AB12])|(?:the\s+)?(?P<ordinal>first|second)(?:\s+(?:{_NOUN}|one))?|(?P<even>(?:(?:about|roughly|nearly|almost)\s+)?{_EVEN}|tie))\W*",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"(?:\b(?:not|neither|nor|never|whether|if|cannot)\b|n['’]t\b)[^.,;:\n]{0,40}$", re.IGNORECASE)
_BUT = re.compile(r"\b(?:but|however|though|although|yet|still)\b", re.IGNORECASE)
_OVERALL = re.compile(r"\b(?:overall|all\s+in\s+all|on\s+the\s+whole)\W{1,3}(?:the\s)?\Z", re.IGNORECASE)
_VALUES: Mapping[str, str] = {"A": "A", "1": "A", "FIRST": "A", "B": "B", "2": "B", "SECOND": "B", "一": "A", "二": "B"}


class QualityPairVerifier:
    """The answer calls image A or image B better, or both similar; value and target are A, B or similar.

    Read are the whole answer ("Image A", "similar"), else what sentences state ("the second picture has the better quality",
    "Image A is worse" is B). "Similar, but A is slightly better" is A. Statements that differ otherwise are ambiguous, and
    noise or blur that a picture has says nothing about which is better.
    """

    name = "quality-pair"
    version = "3"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return A, B or similar."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        # Stars of Markdown stand between the words; a space each keeps the offsets.
        plain = section.text.replace("*", " ").replace("#", " ").replace("`", " ")
        whole = _WHOLE.fullmatch(plain)
        if whole is not None:
            return Extraction(_value(whole) or SIMILAR, section.span(*whole.span()))
        stated = sorted(_statements(plain), key=lambda one: one[1])
        values = list(dict.fromkeys(value for value, _, _ in stated))
        if not values:
            return Extraction(reason="no verdict")
        last = stated[-1]
        if len(values) == 2 and values[0] == SIMILAR and _BUT.search(plain, stated[0][1], last[2]):
            values = values[1:]
        overall = [one for one in stated if _OVERALL.search(plain, max(0, one[1] - 24), one[1])]
        if (
            len(values) > 1
            and len(overall) == 1
            and all(one[0] == last[0] for one in stated if one[1] >= overall[0][1])
        ):
            values = [last[0]]
        if len(values) > 1:
            return Extraction(reason="several verdicts")
        return Extraction(values[0], section.span(last[1], last[2]))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the verdicts.

        Raises:
            DataError: when the target is not A, B or similar.
        """
        gold = {"A": "A", "B": "B", "SIMILAR": SIMILAR}.get(str(target).strip().upper())
        if gold is None:
            raise DataError(f"target {target!r} is not A, B or similar", remedy="correct the card's fields.answer")
        return Match(float(value == gold), value == gold)


def _value(found: re.Match[str]) -> str | None:
    named = found.group("letter") or found.group("ordinal")
    return _VALUES[named.upper()] if named else None


def _statements(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the verdicts that sentences state, with their places."""
    for pattern, other in _STATEMENTS:
        for found in pattern.finditer(text):
            value = _value(found)
            if value is not None and _NEGATED.search(text, max(0, found.start() - 60), found.start()) is None:
                yield ("B" if value == "A" else "A") if other else value, *found.span()
    for found in _ALIKE.finditer(text):
        if re.search(r"\bnot\b|n['’]t\b", found.group(), re.IGNORECASE) is None:
            yield SIMILAR, *found.span()
