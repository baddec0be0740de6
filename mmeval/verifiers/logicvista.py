"""LogicVista: answers that are one letter or several, in any order; the official comparison, and rules for raw responses.

Source: Yijia-Xiao/LogicVista @e5795f1, eval/extract_accuracy.py. There a language model extracts the letters from a response;
what it extracted is compared here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_phrases, answer_section, mask, merged_options, stripped
from mmeval.verifiers.choice import ChoiceVerifier

_NOTHING = "zzzzz"
"""What the official extraction writes where a response names no option."""
_SEPARATOR = re.compile(r"\s*(?:[,;&](?:\s*and\b)?|\band\b)\s*", re.IGNORECASE)
_RUN = re.compile(r"[A-Z]{2,}")
_LETTERS_ALONE = re.compile(r"\s*(?P<letters>[A-I]{2,9})[\s.]*")
"""Letters of options side by side, as extractions have them; in their order, so that no word is taken for some."""
_ITEM = r"[(\[]?\s*+[A-Z](?:\s*+[)\]])?"
_SEVERAL = re.compile(rf"{_ITEM}(?:\s*+(?:,\s*+and\b|,|;|&|/|\+|\band\b)\s*+{_ITEM})+(?![A-Za-z0-9'])")
_FILL = re.compile(r"(?:[\s:*\"']|\b(?:both|all|options?|choices?|letters?|the)\b)*", re.IGNORECASE)
_EDGE = " \t\r\n.,:;!?\"'*`$"


class LogicVistaVerifier:
    """The official comparison of an extraction: the same letters, each as often, in any order and case.

    The text is what a judge extracted: "B", "B, D", "BD" or a list ("['b', 'd']"). The value is the sorted list of its parts in
    lower case, the target the benchmark's string ("B, D") or the list of its parts. The answer to a question without a gold
    answer is empty, and officially an empty extraction is right there: it is a value too.
    """

    name = "logicvista"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the sorted parts; "ZZZZZ" and a lone sign are no answer."""
        parts = sorted(part.lower() for part in _parts(text.strip()))
        if parts == [_NOTHING] or (len(parts) == 1 and len(parts[0]) == 1 and not parts[0].isalnum()):
            return Extraction(reason="not found")
        return Extraction(parts, (0, len(text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the sorted parts.

        Raises:
            DataError: when the target is neither a string nor a list of strings.
        """
        right = value == sorted(part.lower() for part in _golds(target))
        return Match(float(right), right)


class LogicVistaRulesVerifier:
    """Rules only, from the raw response: several letters where the answer lists them, else the rules of a single choice.

    The value is the list of letters in order ("B", "D"), the target the benchmark's string or the list of its parts.
    """

    name = "logicvista-rules"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._choice = ChoiceVerifier(self._options)
        self.version = f"1+choice{self._choice.version}"

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the letters that the answer names, each once."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        masked = mask(section.text)
        run = _LETTERS_ALONE.fullmatch(masked)
        if run is not None and sorted(set(run["letters"])) == list(run["letters"]):
            return Extraction(list(run["letters"]), section.span(*run.span("letters")))
        found = _listed(masked)
        if found is not None:
            letters = sorted(set(re.findall(r"[A-Z]", re.sub(r"\band\b", " ", found.group(), flags=re.IGNORECASE))))
            return Extraction(letters, section.span(*found.span()))
        single = self._choice.parse(text, context)
        return Extraction([single.value], single.span) if single.found else single

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the letters.

        Raises:
            DataError: when the target is neither a string nor a list of strings.
        """
        right = list(value) == sorted(part.upper() for part in _golds(target))
        return Match(float(right), right)


def _parts(text: str) -> Sequence[str]:
    if text.startswith("[") and text.endswith("]"):
        try:
            found = read_literal(text)
        except DataError:
            found = None
        if isinstance(found, list) and all(isinstance(part, (str, int)) for part in found):
            return [str(part) for part in found]
    if _RUN.fullmatch(text) and text.lower() != _NOTHING:
        return list(text)
    return _SEPARATOR.split(text)


def _listed(masked: str) -> re.Match[str] | None:
    """Return the list of letters that is the whole answer, or that the last "the answer is" names."""
    start, end = stripped(masked, 0, len(masked), _EDGE)
    whole = _SEVERAL.fullmatch(masked, start, end)
    if whole is not None:
        return whole
    named = None
    for _, position in answer_phrases(masked):
        filled = _FILL.match(masked, position)
        named = _SEVERAL.match(masked, filled.end() if filled else position)
    return named


def _golds(target: Any) -> Sequence[str]:
    parts = target.split(", ") if isinstance(target, str) else target
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise DataError(f"target {target!r} is no list of letters", remedy='give it as in the benchmark: "B, D"')
    return parts
