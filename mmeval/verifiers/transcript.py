"""Transcripts: edits against a reference, in words, characters and visemes, after a normalisation that the card declares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.base import looks_like_refusal
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.visemes import VISEME_MAPS, visemes_of

CASES = ("fold", "keep")
PUNCTUATION = ("apostrophe", "drop", "keep")
NUMBERS = ("keep", "digits")
UNITS = ("words", "characters")
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LABEL = re.compile(
    r"\s*(?:(?:the\s+)?(?:transcript(?:ion)?|sentence|words?|utterance)(?:\s+(?:is|are|reads?))?\s*:"
    r"|(?:the\s+)?(?:speaker|person|man|woman|he|she)\s+(?:says|said|is\s+saying)\s*:)\s*",
    re.IGNORECASE,
)
_JSON = re.compile(r"""^\s*\{\s*["'](?:transcript(?:ion)?|text)["']\s*:\s*(["'])(.*)\1\s*\}\s*$""", re.DOTALL)
_SPEECHLESS = re.compile(r"\b(?:lip|lips|lip-?read\w*|video|frames?|audio|transcri\w+|mouth)\b", re.IGNORECASE)
_QUOTES = "\"'“”‘’「」『』`"


class TranscriptVerifier:
    """The answer is what a speaker says; the target is the reference transcript.

    Options, the same for both sides: `case` fold (default) or keep; `punctuation` apostrophe (default: signs are dropped
    but for apostrophes inside words), drop or keep; `numbers` keep (default) or digits ("2" is "two", "19" is "one nine");
    `spaces` (default true): whether spaces are characters of the character error rate; `units: characters` for scripts
    without spaces, where every character is a word; `visemes`: name of a map from letters to visemes.

    Scores, also of rows without an answer (an empty hypothesis): `words` and `word_errors`, `characters` and
    `character_errors`, `visemes` and `viseme_errors` with the option. Edits are substitutions, deletions and insertions as
    jiwer aligns them. Primary score: max(0, 1 - word_errors / words). `correct`: equal after normalisation.
    """

    name = "transcript"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._text = TextVerifier({})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer without a label ("The speaker says:") and quotes; words about the video's being silent are none."""
        options = merged_options(self._options, context.options)
        found = self._text.parse(text, AnswerContext(options=options))
        if not found.found or found.span is None:
            return found
        start, end = found.span
        said = text[start:end]
        if looks_like_refusal(said) and _SPEECHLESS.search(said):
            return Extraction(reason="refusal")
        first, last = _inner(said)
        value = said[first:last]
        if not normalise(value, options):
            return Extraction(reason="empty")
        return Extraction(value, (start + first, start + last))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Count the edits.

        Raises:
            DataError: when the target has no words, or an option is unknown.
        """
        options = merged_options(self._options, context.options)
        reference, hypothesis = _reference(target, options), normalise(str(value), options)
        scores = _counts(reference, hypothesis, options)
        score = max(0.0, 1 - scores["word_errors"] / scores["words"])
        return Match(score, reference == hypothesis, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """Return the counts of an empty hypothesis.

        Raises:
            DataError: as `match`.
        """
        options = merged_options(self._options, context.options)
        return _counts(_reference(target, options), "", options)


def normalise(text: str, options: Mapping[str, Any]) -> str:
    """Return a transcript as it is compared: NFKC, single spaces, and what the options say.

    Raises:
        DataError: for a value of an option that is unknown.
    """
    case, punctuation, numbers, units = (
        _one_of(options, key, known)
        for key, known in (("case", CASES), ("punctuation", PUNCTUATION), ("numbers", NUMBERS), ("units", UNITS))
    )
    return _normalised(text, case, punctuation, numbers, units)


@lru_cache(maxsize=16384)
def _normalised(text: str, case: str, punctuation: str, numbers: str, units: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    if case == "fold":
        plain = unicodedata.normalize("NFKC", plain.casefold())
    if numbers == "digits":
        plain = re.sub(r"[0-9]", lambda found: f" {_DIGITS[int(found.group())]} ", plain)
    if punctuation != "keep":
        plain = "".join(
            character if _kept(plain, place, punctuation) else " " if character != "'" else ""
            for place, character in enumerate(plain)
        )
    if units == "characters":
        plain = " ".join("".join(plain.split()))
    return " ".join(plain.split())


def _kept(text: str, place: int, punctuation: str) -> bool:
    character = text[place]
    if character == "'" and punctuation == "apostrophe":
        return text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum()
    return unicodedata.category(character)[0] not in "PSC"


def _one_of(options: Mapping[str, Any], key: str, known: Sequence[str]) -> str:
    value = str(options.get(key, known[0]))
    if value not in known:
        raise DataError(f"answer option {key}: {value!r} is unknown", remedy=f"use one of {', '.join(known)}")
    return value


def _reference(target: Any, options: Mapping[str, Any]) -> str:
    if not isinstance(target, str) or not normalise(target, options):
        raise DataError(f"target {target!r} is no transcript", remedy="give the words that are said as text")
    return normalise(target, options)


def _inner(said: str) -> tuple[int, int]:
    """Return where the words stand: without JSON around them, a label before them, and quotes around."""
    start, end = 0, len(said)
    if found := _JSON.match(said):
        start, end = found.span(2)
    if found := _LABEL.match(said, start, end):
        start = found.end()
    while start < end and said[start] in _QUOTES:
        start += 1
    while end > start and said[end - 1] in _QUOTES:
        end -= 1
    return start, end


def _counts(reference: str, hypothesis: str, options: Mapping[str, Any]) -> dict[str, float]:
    import jiwer

    words = jiwer.process_words(reference, hypothesis)
    spaces = options.get("spaces", True) is not False and options.get("units") != "characters"
    first, second = (text if spaces else text.replace(" ", "") for text in (reference, hypothesis))
    characters = jiwer.process_characters(first, second)
    counts = {
        "words": float(len(reference.split())),
        "word_errors": float(words.substitutions + words.deletions + words.insertions),
        "characters": float(len(first)),
        "character_errors": float(characters.substitutions + characters.deletions + characters.insertions),
    }
    name = options.get("visemes")
    if name is None:
        return counts
    if name not in VISEME_MAPS:
        raise DataError(f"answer option visemes: {name!r} is unknown", remedy=f"use one of {', '.join(VISEME_MAPS)}")
    from rapidfuzz.distance import Levenshtein

    seen, said = visemes_of(reference, str(name)), visemes_of(hypothesis, str(name))
    if not seen:
        raise DataError(f"target {reference!r} has no letters of the viseme map {name!r}", remedy="use another map")
    return {**counts, "visemes": float(len(seen)), "viseme_errors": float(Levenshtein.distance(seen, said))}
