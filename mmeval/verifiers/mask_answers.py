"""Finding masks in an answer: run-length codes and polygons in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmeval.core.types import Extraction
from mmeval.verifiers.answer import answer_section
from mmeval.verifiers.enclosed import enclosed

MASK_TAG = "mask"
"""Tag around the mask that a segmenter added to a response."""
_TAGGED = re.compile(rf"<{MASK_TAG}>(.*?)</{MASK_TAG}>", re.DOTALL)
_POLYGONS = frozenset({"polygon", "polygons", "segmentation", "segmentations", "contour", "contours", "vertices", "outline", "boundary"})  # fmt: skip
_MASKS = frozenset({"mask", "masks"})
"""Keys that hold a polygon where they hold points."""
_NUMBER = r"[+\-−]?[0-9]+(?:\.[0-9]+)?"
_POINT = rf"[\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\])]"
_WRITTEN = re.compile(
    rf"(?:<poly(?:gon)?>|\b(?:polygon|contour|outline|mask|segmentation)\b[^\[(\n]{{0,60}}|\A)[\s\[(`]*(?={_POINT})"
    rf"(?P<points>{_POINT.replace('(' + _NUMBER + ')', _NUMBER)}(?:[\s,;]*{_POINT.replace('(' + _NUMBER + ')', _NUMBER)}){{2,5000}})(?!\s*,?\s*[\[(])",
    re.IGNORECASE,
)
"""Three points or more outside of JSON, behind a word that says what they are, or the whole answer."""
_FLAT = re.compile(
    rf"<poly(?:gon)?>\s*(?P<points>{_NUMBER}(?:[\s,]+{_NUMBER}){{5,10000}})\s*</poly(?:gon)?>", re.IGNORECASE
)
_ATTEMPTS = 64
_DEPTH = 8
_DIGITS = 300


def tagged(text: str, mask: Mapping[str, Any]) -> str:
    """Return a response with the mask that a segmenter made of it behind."""
    return f"{text}\n<{MASK_TAG}>{json.dumps(dict(mask))}</{MASK_TAG}>"


def tagged_part(text: str) -> tuple[str, int] | None:
    """Return the last tagged mask of a text and where it begins; None where there is none."""
    found = list(enclosed(_TAGGED, text, f"</{MASK_TAG}>"))[-1:]
    return (found[0].group(1), found[0].start(1)) if found else None


def stated_part(text: str, options: Mapping[str, Any]) -> tuple[str, int] | Extraction:
    """Return where a mask or map is looked for, and where that begins: a segmenter's tag, else the final answer; or why nowhere.

    A field of an object is taken for a short answer elsewhere; a mask is in the object itself.
    """
    made = tagged_part(text)
    if made is not None:
        return made
    section = answer_section(text, options)
    if isinstance(section, Extraction):
        return section
    start, stop = section.whole
    return text[start:stop], start


def json_values(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yield every complete JSON object or list of a text with its place; one that is cut off yields what is complete in it.

    A whole number beyond what a floating-point number holds is infinite.
    """
    decoder = json.JSONDecoder(strict=False, parse_int=_whole)
    position = attempts = 0
    while attempts < _ATTEMPTS:
        start = min((at for at in (text.find("{", position), text.find("[", position)) if at >= 0), default=-1)
        if start < 0:
            return
        attempts += 1
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = start + 1
            continue
        yield value, start, end
        position = end


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS else float(digits)


def find_codes(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield the run-length codes inside a JSON value."""
    if depth > _DEPTH:
        return
    if isinstance(value, Mapping):
        if "counts" in value and "size" in value:
            yield value
            return
        for entry in value.values():
            yield from find_codes(entry, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            yield from find_codes(entry, depth + 1)


def find_polygons(value: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Yield lists of polygons inside a JSON value, under keys that say so."""
    if depth > _DEPTH:
        return
    if isinstance(value, Mapping):
        for key, entry in value.items():
            entry = _pairs_of(entry)
            points = isinstance(entry, list) and len(entry) > 2 and all(_is_pair(one) for one in entry)
            if points and str(key).lower() in _MASKS:
                yield [entry]
            elif str(key).lower() in _POLYGONS and isinstance(entry, list) and entry:
                # One polygon alone may be written without a list around it: numbers, or pairs of numbers.
                alone = not isinstance(entry[0], list) or _is_pair(entry[0])
                yield [entry] if alone else [_pairs_of(one) for one in entry]
            else:
                yield from find_polygons(entry, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            yield from find_polygons(entry, depth + 1)


def written_polygon(text: str) -> tuple[list[float], int, int] | None:
    """Return the only polygon that a text states outside of JSON objects, [x1, y1, x2, y2 …], and its place; None without one."""
    found = [*_WRITTEN.finditer(text), *_FLAT.finditer(text)]
    if len(found) != 1:
        return None
    numbers = [float(number.replace("−", "-")) for number in re.findall(_NUMBER, found[0]["points"])]
    return numbers, *found[0].span("points")


def _pairs_of(value: Any) -> Any:
    """Return points that are written as objects ({"x": 1, "y": 2}) as pairs; anything else as it is."""
    if not isinstance(value, list) or not value or not all(isinstance(one, Mapping) for one in value):
        return value
    named = [{str(key).lower(): entry for key, entry in one.items()} for one in value]
    return [[one["x"], one["y"]] for one in named] if all(set(one) == {"x", "y"} for one in named) else value


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in value)
    )
