"""Names of classes: one of a picture, or the set of all that it shows."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options
from mmeval.verifiers.json_answer import objects
from mmeval.verifiers.text import TextVerifier

RULES = ("exact", "visual-rft")
"""Equal after normalisation; or as Visual-RFT's script: one contains the other."""
_SEPARATORS = re.compile(r"[,;\n]")
_BULLET = re.compile(r"^\s*(?:[-*•]|[0-9]{1,3}[.)])\s+")
_KEYS = r"(?:class|species|label|name|category|breed|variety|flower|model|aircraft|car|pet|prediction|identification|answer)"
_KEYED = re.compile(
    rf"\W*+(?:(?:the|predicted|common|final|class)\s+){{0,2}}{_KEYS}[^\w:=]*+[:=]\W*+(?P<name>\w.*)", re.IGNORECASE
)
_STRONG = re.compile(r"\*\*([^*\n]{2,80}?)(?:\*\*|$)")
_SENTENCE = re.compile(
    r"(?:[^.:\n]{1,80}?\b(?:is|are|shows?|depicts?|looks\s+like|appears\s+to\s+be)|(?:i\s+(?:think|believe)\s+)?it['’]s)\s+"
    r"(?:(?:most\s+)?(?:likely|probably|clearly|called|named)\s+)?(?:an?\s+|the\s+)?[*_\"'“]*(?P<name>\w[^,;:.(\n]{1,79}?)[*_\"'”]*"
    r"(?:\s*\([^()\n]*\))?(?:,[^\n]*)?[.!]?",
    re.IGNORECASE,
)
"""One sentence that says what is in the picture."""
_BESIDE = re.compile(r"\s*\([^()]*\)$")
_QUOTES = "\"'“”‘’`*[](){} \t."


def plain_name(text: str) -> str:
    """Return letters and digits alone, without case or typographic form: "Boeing_737-800" and "boeing 737 800" are one name."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())


def stated_name(text: str) -> str:
    """Return the name that an answer states; the answer itself where it is no sentence, field or item that holds one.

    "The flower is a fire lily.", "This is a **fire lily**", "Species: fire lily", "1. fire lily", {"class": "fire lily"}; a name in
    brackets behind it ("(Lilium bulbiferum)") is left out.
    """
    fields = objects(text)
    if len(fields) == 1:
        values = {
            key: value for key, value in fields[0].items() if re.fullmatch(_KEYS, str(key).strip(), re.IGNORECASE)
        }
        found = [value for value in values.values() if isinstance(value, str)]
        return found[0].strip() if len(found) == 1 else text
    text = _BULLET.sub("", text.strip())
    strong = [one.strip() for one in _STRONG.findall(text)]
    if len(strong) == 1 and not strong[0].endswith(":"):
        text = strong[0]
    if "\n" in text:
        return text
    keyed = _KEYED.fullmatch(text)
    found_in = keyed or _SENTENCE.fullmatch(text)
    named = found_in.group("name") if found_in else text
    return _BESIDE.sub("", named).strip(_QUOTES) or text


class ClassNameVerifier:
    """The answer is the name of one class; the target is a name, or a list of accepted ones.

    Without Visual-RFT's rule a sentence, field or item that holds the name is read (`stated_name`).

    Scores: `exact` (equal as `plain_name`), `contained` (Visual-RFT's rule: without spaces, underscores and case, one of answer and
    name contains the other). Option `rule` says which one decides.
    """

    name = "class-name"
    version = "3"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._text = TextVerifier({key: value for key, value in self._options.items() if key != "rule"})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the name: as answers of kind text, or under Visual-RFT's rule the whole answer section."""
        options = merged_options(self._options, context.options)
        if options.get("rule", RULES[0]) == RULES[0]:
            found = self._text.parse(text, context)
            return replace(found, value=stated_name(found.value)) if isinstance(found.value, str) else found
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        return Extraction(section.text.strip(), section.span(0, len(section.text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the names.

        Raises:
            DataError: when the target is no name.
        """
        options = merged_options(self._options, context.options)
        golds = target if isinstance(target, (list, tuple)) else [target]
        if not golds or not all(isinstance(gold, str) and plain_name(gold) for gold in golds):
            raise DataError(
                f"target {str(target)[:80]!r} is no name of a class", remedy="give a name, or a list of names"
            )
        exact = any(plain_name(value) == plain_name(gold) for gold in golds)
        said = _without_blanks(value)
        contained = bool(said) and any(_without_blanks(gold) in said or said in _without_blanks(gold) for gold in golds)
        right = exact if options.get("rule", RULES[0]) == RULES[0] else contained
        return Match(float(right), right, {"exact": float(exact), "contained": float(contained)})


class LabelSetVerifier:
    """The answer is a set of labels; the target is a list of them. Score: what both share over what either has (Curr-ReFT).

    Labels are compared as `plain_name`; how often one is named does not count. `correct` where both sets are equal.
    """

    name = "label-set"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the labels: a JSON list of texts, else what commas, semicolons and lines set apart."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        labels = _listed(section.text)
        found = list({plain_name(label): label for label in reversed(labels) if plain_name(label)}.values())[::-1]
        if not found:
            return Extraction(reason="not found")
        return Extraction(found, section.span(0, len(section.text)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the sets.

        Raises:
            DataError: when the target is no list of labels.
        """
        golds = _listed(target) if isinstance(target, str) else target
        if (
            not isinstance(golds, (list, tuple))
            or not golds
            or not all(isinstance(gold, str) and plain_name(gold) for gold in golds)
        ):
            raise DataError(f"target {str(target)[:80]!r} is no list of labels", remedy="give a list of texts")
        said, gold = ({plain_name(label) for label in labels} for labels in (value, golds))
        share = len(said & gold) / len(said | gold)
        return Match(share, said == gold, {"iou": share})


def _without_blanks(text: str) -> str:
    return text.strip().replace(" ", "").replace("_", "").lower()


def _listed(text: str) -> list[str]:
    stripped = text.strip().removeprefix("```json").strip("`").strip()
    if stripped.startswith("["):
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return [entry for entry in value if entry.strip()]
    parts = [_BULLET.sub("", part).strip(_QUOTES) for part in _SEPARATORS.split(stripped)]
    return [part for part in parts if part]
