"""BLINK and CV-Bench: official comparisons that are stricter, or looser, than reading an option.

Sources: zeyofu/BLINK_Benchmark @2d6a779 (eval); EvolvingLMMs-Lab/lmms-eval @75571cf, tasks/cv_bench.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.choice import LETTERS

_BRACKETED = re.compile(r"\(?([A-Z])\)?")
_NOTHING = "(Z)"
"""What BLINK's extraction writes where a response names no option."""
_OPENING = re.compile(r"[(\s]*([A-Z])[).\s]*", re.IGNORECASE)


class BlinkVerifier:
    """The official comparison of an extraction: the very string "(A)"; "(C) Point C" is wrong.

    The text is what a judge (officially GPT) extracted; the value is that text, the target a letter, with or without brackets.
    """

    name = "blink"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the extraction as it is; "(Z)" and silence are no answer."""
        if not text.strip() or text == _NOTHING:
            return Extraction(reason="empty" if not text.strip() else "not found")
        return Extraction(text, (0, len(text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the strings.

        Raises:
            DataError: when the target is no letter.
        """
        right = value == f"({read_letter(target)})"
        return Match(float(right), right)


class LeadingLetterVerifier:
    """The letter with which an answer opens, brackets before it skipped, of whatever word it is part ("The …" is T).

    lmms-eval's rule for CV-Bench. Value and target are a letter; it may be that of no option.
    """

    name = "leading-letter"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the first letter, in upper case."""
        found = _OPENING.match(text)
        if found is None:
            return Extraction(reason="not found" if text.strip() else "empty")
        return Extraction(found.group(1).upper(), found.span(1))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare letters.

        Raises:
            DataError: when the target is no letter.
        """
        right = value == read_letter(target)
        return Match(float(right), right)


def read_letter(target: Any) -> str:
    """Return the letter of a gold answer, "A" of "(A)".

    Raises:
        DataError: when it is none.
    """
    found = _BRACKETED.fullmatch(target.strip().upper()) if isinstance(target, str) else None
    if found is None or found.group(1) not in LETTERS:
        raise DataError(f"target {target!r} is no letter", remedy='give the gold answer as "A" or "(A)"')
    return found.group(1)
