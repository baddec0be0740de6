"""Transcripts: edits against a reference, in words, characters and visemes, after a normalisation that the card declares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, mask, merged_options
from mmeval.verifiers.base import looks_like_refusal
from mmeval.verifiers.visemes import VISEME_MAPS, visemes_of

CASES = ("fold", "keep")
PUNCTUATION = ("apostrophe", "drop", "keep")
NUMBERS = ("keep", "digits")
UNITS = ("words", "characters")
MARKS = ("keep", "drop")
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPOKEN = r"transcript(?:ion)?|sentence|words?|utterance|phrase|speech|text|lip[- ]?reading(?:\s+result)?|result|prediction|best\s+guess|output"
_LABEL = re.compile(
    r"[\s*#_]*(?:(?:sure|certainly|okay|of course)[!,.]\s*)?(?:(?:based on|from|judging (?:by|from)|looking at)\s[^,:\n\"]{1,80},\s*)?"
    r"(?:(?:i (?:think|believe)|it (?:seems|appears|looks\s+(?:like|as\s+if)))\s+(?:that\s+)?)?(?:here(?:'s|\s+is|\s+are)\s+)?(?:(?:the|my)\s+)?"
    r"(?:(?:most\s+)?(?:likely|possible|final|full|complete|predicted|spoken)\s+)?"
    rf"(?:(?:{_SPOKEN})(?:\s+(?:spoken|said|of\s+the\s+(?:video|clip|speech|speaker)))?(?:\s+in\s+the\s+(?:middle\s+of\s+the\s+)?(?:video|clip))?"
    r"(?:\s+(?:is|are|reads?|(?:appears?|seems?)\s+to\s+be))?"
    r"|(?:speaker|person|man|woman|individual|he|she|they)\s+(?:in\s+the\s+(?:video|clip)\s+)?(?:says?|said|(?:is|are|was)\s+(?:(?:most\s+)?(?:likely|probably)\s+)?saying|(?:likely|probably)\s+(?:says|said)|(?:appears?|seems?)\s+to\s+(?:say|be\s+saying)))"
    r"[\s*_]*+(?:[:：][\s*_]*|-\s+|,?\s*(?=[\"“‘「『'`]\S))",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(
    r"(?:(?:i\s+(?:think|believe)|it\s+(?:seems|appears))\s+(?:that\s+)?)?(?:the\s+)?(?:\w+\s+){0,2}word\s+(?:(?:being\s+)?(?:spoken|said)\s+)?(?:in\s+the\s+(?:middle\s+of\s+the\s+)?(?:clip|video)\s+)?"
    r"(?:is|was|(?:appears|seems)\s+to\s+be)\s+(?=[\w'’-]+\W*$)",
    re.IGNORECASE,
)
"""Before the only word of an answer about a word: "The spoken word is about."."""
_ANSWER = re.compile(
    r"^[ \t#>]*(?:(?:so|therefore|thus|hence),?\s+)?(?:(?:the|my)\s+)?(?:final\s+)?answer(?:\s+is)?\s*(?:[:：]|(?=[\"“‘「『]))|^[ \t]*答案(?:是)?\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL_ZH = re.compile(
    r"\s*(?:[^：:\n，。]{0,12}(?:说|讲)(?:的是|道|的内容是?)?|(?:唇语|口型|嘴型|转录|转写|内容|句子|文字)[^：:\n，。]{0,8})\s*(?:[：:]|了?(?=[“「『]))\s*"
)
_KEYS = ("transcript", "transcription", "text", "sentence", "words", "speech", "answer")
_FENCE = re.compile(r"\s*```[a-z]{0,10}[ \t]*\n?(.*?)\n?```[\s.]*", re.DOTALL | re.IGNORECASE)
_FENCE_TAG = re.compile(r"\s*(?:json|text|txt|plaintext)[ \t]*\n", re.IGNORECASE)
_REMARK = re.compile(
    r"\s*\([^()\n]{0,60}\b(?:confiden|uncertain|unclear|guess|inaudible|approximat)\w*[^()\n]{0,40}\)\s*$",
    re.IGNORECASE,
)
_SPEECHLESS = re.compile(r"\b(?:lip|lips|lip-?read\w*|video|frames?|audio|transcri\w+|mouth)\b", re.IGNORECASE)
_SILENT = re.compile(
    r"\W*(?:inaudible|unintelligible|unclear|indistinct|silence|silent|no (?:speech|audio|sound|words?)(?:\s+(?:is|was|were|are))?(?:\s+(?:detected|spoken|heard|present|visible))?|n/a)\W*"
    r"|the\s+(?:speaker|person|man|woman)(?:\s+in\s+the\s+(?:video|clip))?\s+(?:is|remains|stays)\s+silent|.{0,40}\b(?:lips?|video|clip|audio|speaker|mouth)\b.{0,60}\b(?:can['’]?t|cannot|couldn['’]?t|unable\s+to)\s+make\s+out\s+(?:the|any)\s+words"
    r"|(?:it is |it's |i am |i'm )?(?:unable|not able|impossible|not possible) to (?:determine|tell|transcribe|read|identify|say)"
    r"(?:\W*|\b.{0,80}\b(?:lips?|lip-?read\w*|video|clip|frames?|audio|speech|said|saying|says|speaker|mouth|words?|what)\b.{0,80})"
    r"|(?:the\s+(?:video|clip)\b.{0,60})?\b(?:there\s+is\s+)?no\s+(?:sound|audio|speech)\b.{0,20}\b(?:available|provided|present|included|in\s+the\s+(?:video|clip))\b.{0,40}"
    r"|(?:(?:视频|片段)中?)?没有(?:声音|音频|语音|说话)[，,。]?(?:[^\n]{0,8}(?:无法|不能)[^\n]{0,20})?|(?:抱歉|对不起|很抱歉)?[，,]?\s*(?:我)?(?:无法|不能|没法|看不出)(?:进行)?(?:从[^，。]{0,12})?(?:读唇|唇读|转录|转写|听清|确定|判断|识别|辨认|看出|得知|知道)[^\n]{0,60}",
    re.IGNORECASE | re.DOTALL,
)
"""The whole answer: a note that nothing is said or seen."""
_UNREAD = re.compile(
    r"(?:(?:as an? ai|i'?m|i am|i|the video|there is|it is|it's|sorry)\b.{0,80}?)?"
    r"\b(?:can'?t|cannot|can not|couldn'?t|could not|unable to|not able to|impossible to)\s+(?:\w+\s+){0,2}?"
    r"(?:(?:transcribe|lip-?\s?read|read (?:the |their |his |her )?lips)\b.{0,200}|(?:determine|decipher|discern)\b(?:\W*|.{0,100}\b(?:lips?|video|clip|frames?|audio|speech|said|saying|says|speaker|mouth|words?|spoken)\b.{0,100}))",
    re.IGNORECASE | re.DOTALL,
)
"""The whole answer: a refusal to read lips."""
_EITHER = re.compile(
    r"[\s*]*[\"“]([^\"“”\n]{1,200})[\"”][\s*]*,?\s*(?:or|and|/)\s*(?:(?:maybe|possibly|perhaps)\s+)?[\"“]([^\"“”\n]{1,200})[\"”]",
    re.IGNORECASE,
)
"""Two transcripts to choose from."""
_REFUSED = re.compile(
    r"(?:i['’]?m\s+|i\s+am\s+)?sorry,\s+(?:but\s+)?i\s+(?:can['’]?t|cannot|can not|am\s+(?:unable|not\s+able)\s+to|['’]?m\s+(?:unable|not\s+able)\s+to)\s+(?:help|assist)(?:\s+you)?\s+with\s+(?:that|this)(?:\s+\w+)?",
    re.IGNORECASE,
)
_QUOTES = "\"'“”‘’「」『』`*"
_CLOSING = {'"': '"', "“": "”", "「": "」", "『": "』"}


class TranscriptVerifier:
    """The answer is what a speaker says; the target is the reference transcript.

    Options, the same for both sides: `case` fold (default) or keep; `punctuation` apostrophe (default: signs are dropped
    but for apostrophes inside words), drop or keep; `numbers` keep (default) or digits ("2" is "two", "19" is "one nine");
    `spaces` (default true): whether spaces are characters of the character error rate; `units: characters` for scripts
    without spaces, where every character is a word; `marks` keep (default) or drop: accents and the tone marks of pinyin;
    `visemes`: name of a map from letters to visemes.

    Scores, also of rows without an answer (an empty hypothesis): `words` and `word_errors`, `characters` and
    `character_errors`, `visemes` and `viseme_errors` with the option. Edits are substitutions, deletions and insertions as
    jiwer aligns them. `other_script` is 1 for an answer in letters none of which belongs to the reference's script (its edits
    count in full all the same). Primary score: max(0, 1 - word_errors / words). `correct`: equal after normalisation.
    """

    name = "transcript"
    version = "5"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer without a label ("The speaker says:") and quotes; words about the video's being silent are none."""
        options = merged_options(self._options, context.options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        start, end = section.span(*_said(mask(section.text)))
        said = text[start:end]
        if (
            (looks_like_refusal(said) and _SPEECHLESS.search(said))
            or _UNREAD.fullmatch(said)
            or _REFUSED.fullmatch(said)
        ):
            return Extraction(reason="refusal")
        if _SILENT.fullmatch(said):
            return Extraction(reason="no speech")
        first, last = _inner(said)
        either = _EITHER.match(text, start + max(0, first - 1)) or _EITHER.match(text, start + first)
        if either is not None and normalise(either[1], options) != normalise(either[2], options):
            return Extraction(reason="ambiguous")
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
        foreign = _other_script(reference, hypothesis)
        return Match(score, reference == hypothesis, {**scores, "other_script": float(foreign)})

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
    case, punctuation, numbers, units, marks = (
        _one_of(options, key, known)
        for key, known in (
            ("case", CASES), ("punctuation", PUNCTUATION), ("numbers", NUMBERS), ("units", UNITS), ("marks", MARKS),
        )
    )  # fmt: skip
    return _normalised(text, case, punctuation, numbers, units, marks)


@lru_cache(maxsize=16384)
def _normalised(text: str, case: str, punctuation: str, numbers: str, units: str, marks: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    if case == "fold":
        plain = unicodedata.normalize("NFKC", plain.casefold())
    if marks == "drop":
        apart = unicodedata.normalize("NFD", plain)
        plain = unicodedata.normalize("NFC", "".join(one for one in apart if unicodedata.category(one) != "Mn"))
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


def _other_script(reference: str, hypothesis: str) -> bool:
    """Whether both have letters and no script in common; the script is the first word of a letter's Unicode name."""
    scripts = [
        {unicodedata.name(one, "?").partition(" ")[0] for one in text if one.isalpha()}
        for text in (reference, hypothesis)
    ]
    return all(scripts) and scripts[0].isdisjoint(scripts[1])


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


def _said(masked: str) -> tuple[int, int]:
    """Return where the words of a section stand: behind the last "Answer:" that opens a line, else the whole, trimmed.

    Without a colon or quotation marks "the answer is" belongs to what is said.
    """
    start, end = 0, len(masked)
    for found in _ANSWER.finditer(masked):
        line_end = masked.find("\n", found.end())
        line_end = end if line_end < 0 else line_end
        if masked[found.end() : line_end].strip():
            start, end = found.end(), line_end
    while start < end and masked[start].isspace():
        start += 1
    while end > start and masked[end - 1].isspace():
        end -= 1
    if end - start > 1 and masked[end - 1] in ".。" and masked[end - 2] != ".":
        end -= 1
    return start, end


def _inner(said: str) -> tuple[int, int]:
    """Return where the words stand: without a fence or JSON around them, a label before them, a remark behind, and quotes around."""
    start, end = 0, len(said)
    if found := _FENCE.fullmatch(said):
        start, end = found.span(1)
    elif found := _FENCE_TAG.match(said):
        start = found.end()
    start, end = _field(said, start, end)
    if (
        found := _LABEL.match(said, start, end)
        or _ONE_WORD.match(said, start, end)
        or _LABEL_ZH.match(said, start, end)
    ):
        start = found.end()
    if found := _REMARK.search(said, start, end):
        end = found.start()
    closing = said.find(_CLOSING.get(said[start : start + 1], "\n"), start + 1, end)
    if said[start : start + 1] in _CLOSING and closing > start + 1:
        end = closing
    first = start
    while start < end and said[start] in _QUOTES:
        start += 1
    # An apostrophe at the end belongs to the word, unless something was opened: "our friends'".
    while end > start and said[end - 1] in _QUOTES and (start > first or said[end - 1] not in "'’"):
        end -= 1
    return start, end


def _field(said: str, start: int, end: int) -> tuple[int, int]:
    """Return where the words stand in a JSON object (or what looks like one), the whole where it is none."""
    opening = said.find("{", start, end)
    if opening < 0 or said[start:opening].strip():
        return start, end
    for key in _KEYS:
        found = re.compile(
            rf"""["']{key}["']\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:(?!'\s*[,}}]).)*)'\s*[,}}])""", re.IGNORECASE
        ).search(said, opening, end)
        if found:
            return found.span(1 if found.group(1) is not None else 2)
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
