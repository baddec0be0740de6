"""One moment of a video: from when to when, in seconds, compared by its overlap with the right one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_phrases, answer_section, mask, merged_options
from mmeval.verifiers.mask_answers import json_values
from mmeval.verifiers.thresholds import overlap_threshold

_DEPTH = 32
"""Lists and objects in one another that are looked into."""
_NUMBER = r"[0-9]{1,7}(?:\.[0-9]{1,9})?"
_SECONDS, _MINUTES, _HOURS = r"(?:seconds?|secs?\.?|s|秒)", r"(?:minutes?|mins?\.?|m|分钟?)", r"(?:hours?|hrs?\.?|h)"
_CLOCK = rf"(?:[0-9]{{1,3}}:[0-9]{{1,2}}:[0-9]{{1,2}},[0-9]{{3}}|(?:[0-9]{{1,3}}:)?[0-9]{{1,3}}:{_NUMBER})"
"""With a comma before thousandths as subtitles have it: 00:00:03,500."""
_TIME = (
    rf"(?:{_CLOCK}(?![0-9:])|{_NUMBER}\s?{_MINUTES}\s{{0,9}}(?:,|and)?\s{{0,9}}{_NUMBER}\s?{_SECONDS}|{_NUMBER}\s?(?:{_SECONDS}|{_MINUTES}|{_HOURS})|{_NUMBER})"
    r"(?![0-9A-Za-z.:]*[0-9:])(?![A-Za-z%])"
)
_WORDS = r"[\"'*`]{0,3}"
_ABOUT = r"(?:(?:at|around|about|approximately|roughly|the|second|time|timestamp|mark|t\s?=|frame\s+at|第)\s{0,9}){0,4}"
_FROM = rf"(?<![0-9A-Za-z.:\-]){_WORDS}(?P<start>{_TIME}){_WORDS}(?:\s{{0,9}}(?:mark|point))?"
_TO = rf"{_ABOUT}{_WORDS}(?P<end>{_TIME})(?!-[0-9])"
_RANGE = re.compile(
    rf"{_FROM}\s{{0,9}}[\])>]?\s{{0,9}}(?P<between>-{{1,3}}>|-|–|—|~|～|→|,|;|(?:开始)?\s{{0,9}},?\s{{0,9}}[到至]|(?<=>)(?=<)|\bto\b|\band\b|\b(?:un)?till?\b|\bthrough\b)\s{{0,9}}[\[(<]?\s{{0,9}}{_TO}",
    re.IGNORECASE,
)
_ENDS = re.compile(
    rf"\b(?:start(?:s|ing|ed)?|begin(?:s|ning)?|from)(?:[_\s-]?(?:time|timestamp|second|s))?{_WORDS}\s{{0,9}}(?:is|:|=)?\s{{0,9}}{_ABOUT}{_FROM}"
    rf"[^0-9]{{0,60}}?\b(?:end(?:s|ing|ed)?|finish(?:es|ing)?|stop(?:s|ping)?|until)(?:[_\s-]?(?:time|timestamp|second|s))?{_WORDS}\s{{0,9}}(?:is|:|=)?\s{{0,9}}{_TO}",
    re.IGNORECASE,
)
_TAGS = re.compile(r"<(?P<name>start|end)>|</?(?:start|end|time|timestamps?|moment|span)>", re.IGNORECASE)
_MORE, _LESS = re.compile(r"\s*[,;]\s*[0-9]"), re.compile(r"[0-9]\s{0,9}[,;]\s{0,9}\Z")
_COUNTED = re.compile(
    r"\s{1,9}(?!(?:and|or|in|of|on|at|during|when|where|while|as|is|are|was|for|with|which|that|this|because|since|the|an?|mark|both|inclusive)\b)[A-Za-z]",
    re.IGNORECASE,
)
"""A word that says what the numbers count ("3 to 4 times")."""
_FRAME = re.compile(r"\bframes?\s{0,3}(?:#|no\.?|numbers?)?\s{0,3}\Z", re.IGNORECASE)
_PARTS = re.compile(rf"({_NUMBER})\s?(?:({_HOURS})|({_MINUTES})|{_SECONDS})?", re.IGNORECASE)
_STARTS = ("start", "start_time", "starttime", "begin", "begin_time", "from", "start_second", "start_sec")
_STOPS = ("end", "end_time", "endtime", "stop", "finish", "to", "end_second", "end_sec")
_MOMENTS = ("timestamp", "timestamps", "moment", "segment", "interval", "time", "times", "window", "span", "answer")


@dataclass(frozen=True, slots=True)
class _Stated:
    seconds: tuple[float, float]
    start: int
    end: int


class MomentVerifier:
    """The answer is a moment; value and target are [start, end] in seconds. Several accepted targets may be a list of them.

    Read are "from 3.2s to 7.9 seconds", "3.2 - 7.9", 00:03 to 00:08 (minutes and seconds, hours before them), JSON with start and
    end or with a pair, and "starts at … and ends at …". Several different moments without an answer phrase are ambiguous, and one
    that ends before it starts is no answer.

    Score: intersection over union in time, also as `scores["iou"]`. Option `threshold` makes IoU >= threshold the primary
    score and `correct`; without it `correct` is None.
    """

    name = "moment"
    version = "2"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the moment."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        found = _of_json(section.text) or _of_text(_TAGS.sub(_untagged, mask(section.text)))
        phrases = [end for _, end in answer_phrases(section.text)]
        if len({one.seconds for one in found}) > 1 and phrases:
            found = [one for one in found if one.start >= phrases[-1] - 1] or found
        if not found:
            return Extraction(reason="not found")
        if len({one.seconds for one in found}) > 1:
            return Extraction(reason="ambiguous")
        start, end = found[0].seconds
        if end < start:
            return Extraction(reason="it ends before it starts")
        return Extraction([start, end], section.span(found[0].start, found[0].end))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compute the overlap, with the nearest of several targets.

        Raises:
            DataError: when the target is no moment, or `threshold` is not in (0, 1].
        """
        several = isinstance(target, (list, tuple)) and bool(target) and isinstance(target[0], (list, tuple))
        overlap = max(_overlap(value, _gold(one)) for one in (target if several else [target]))
        threshold = overlap_threshold(merged_options(self._options, context.options))
        if threshold is None:
            return Match(overlap, None, {"iou": overlap})
        return Match(float(overlap >= threshold), overlap >= threshold, {"iou": overlap})


def _gold(target: Any) -> tuple[float, float]:
    numbers = list(target) if isinstance(target, (list, tuple)) else []
    valid = len(numbers) == 2 and all(
        isinstance(one, (int, float)) and not isinstance(one, bool) and math.isfinite(one) for one in numbers
    )
    if not valid or numbers[0] > numbers[1]:
        raise DataError(f"target {target!r} is no moment", remedy="give [start, end] in seconds, the start first")
    return float(numbers[0]), float(numbers[1])


def _overlap(first: Sequence[float], second: Sequence[float]) -> float:
    shared = min(first[1], second[1]) - max(first[0], second[0])
    if shared <= 0:
        return 0.0
    return min(1.0, shared / (max(first[1], second[1]) - min(first[0], second[0])))


def _of_json(text: str) -> list[_Stated]:
    """The moments of the JSON values in a text."""
    found = []
    for value, start, end in json_values(text):
        found += [_Stated(seconds, start, end) for seconds in _pairs(value)]
    return found


def _pairs(value: Any, depth: int = 0) -> list[tuple[float, float]]:
    if depth > _DEPTH:
        return []
    if isinstance(value, Mapping):
        keys = {str(key).lower().replace(" ", "_").replace("-", "_"): entry for key, entry in value.items()}
        ends = [next((keys[name] for name in names if name in keys), None) for names in (_STARTS, _STOPS)]
        read = [_time(one) for one in ends]
        if read[0] is not None and read[1] is not None:
            return [(read[0], read[1])]
        named = next((keys[name] for name in _MOMENTS if name in keys), None)
        if isinstance(named, str):
            return [one.seconds for one in _of_text(named)]
        return [] if named is None else _pairs(named, depth + 1)
    if not isinstance(value, (list, tuple)):
        return []
    times = [_time(one) for one in value]
    if len(times) == 2 and times[0] is not None and times[1] is not None:
        return [(times[0], times[1])]
    return [pair for one in value for pair in _pairs(one, depth + 1)]


def _of_text(text: str) -> list[_Stated]:
    """The moments that running text states; what names its start and its end goes before plain ranges."""
    for pattern in (_ENDS, _RANGE):
        found = []
        for match in pattern.finditer(text):
            start, end = _time(match["start"]), _time(match["end"])
            if start is not None and end is not None and not _of_something_else(match):
                found.append(_Stated(_alike(match, start, end), match.start("start"), match.end("end")))
        if found:
            return found
    return []


def _untagged(tag: re.Match[str]) -> str:
    """A tag as so many spaces, with the word that names its time: `<start>3.2</start>`."""
    return f" {tag['name']}:" if tag["name"] else " " * len(tag.group())


def _of_something_else(match: re.Match[str]) -> bool:
    """Whether two numbers are no moment: two of a longer list, an answer that is cut off, a count, numbers of frames."""
    text, start, end = match.string, match.start("start"), match.end("end")
    if end == len(text) and any(text.count(opening) > text.count(closing) for opening, closing in ("[]", "()", "{}")):
        return True
    between = match.groupdict().get("between") or ""
    if between.strip() in (",", ";") and (_MORE.match(text, end) or _LESS.search(text, max(0, start - 20), start)):
        return True
    bare = all(re.fullmatch(_NUMBER, match[name]) for name in ("start", "end"))
    return bare and bool(_COUNTED.match(text, end) or _FRAME.search(text, max(0, start - 20), start))


def _alike(match: re.Match[str], start: float, end: float) -> tuple[float, float]:
    """The unit that only the end names is the start's too: "1 to 2 minutes"."""
    unit = re.fullmatch(rf"{_NUMBER}\s?(?:({_HOURS})|{_MINUTES})", match["end"], re.IGNORECASE)
    if unit is None or re.fullmatch(_NUMBER, match["start"]) is None:
        return start, end
    return start * (3600 if unit[1] else 60), end


def _time(written: Any) -> float | None:
    """Return a time in seconds."""
    if isinstance(written, bool) or written is None:
        return None
    if isinstance(written, (int, float)):
        return float(written) if math.isfinite(written) and abs(written) < 1e9 else None
    if not isinstance(written, str) or re.fullmatch(_TIME, written.strip(), re.IGNORECASE) is None:
        return None
    text = written.strip()
    if ":" in text:
        text = text.replace(",", ".")
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        return total
    total = 0.0
    for found in _PARTS.finditer(text):
        total += float(found[1]) * (3600 if found[2] else 60 if found[3] else 1)
    return total
