"""Boxes in space, aligned with the axes: one box, or one box with a description."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import Section, answer_phrases, answer_section, merged_options
from mmeval.verifiers.enclosed import closed_part, enclosed
from mmeval.verifiers.mask_answers import json_values
from mmeval.verifiers.thresholds import overlap_threshold

Box3D: TypeAlias = list[float]
"""[cx, cy, cz, w, h, l]: centre, and sizes along x, y and z."""
FORMS = ("centre", "corners")
"""What six numbers without names are: centre and sizes, or the lowest and the highest corner."""
_NUMBER = r"[+\-−]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+\-]?[0-9]{1,3})?"
_SIX = r"(?:\s*+[,;]\s*+|\s++)".join([rf"({_NUMBER})"] * 6)
_DEPTH = 32
"""Lists and objects in one another that are looked into."""
_TAGGED = re.compile(rf"<obj>\s*+[\[(]?\s*+{_SIX}\s*+[\])]?\s*+</obj>", re.IGNORECASE)
_BARE = re.compile(rf"[\[(]\s*{_SIX}\s*[\])]")
_CENTRES, _SIZES = ("center", "centre", "position", "location"), ("size", "sizes", "dimensions", "extent")
_FLAT = ("cx", "cy", "cz", "w", "h", "l")
_THREE = r"[\[(]\s*" + r"(?:\s*+[,;]\s*+|\s++)".join([rf"({_NUMBER})"] * 3) + r"\s*[\])]"
_WRITTEN = re.compile(
    rf"\b(?:{'|'.join(_CENTRES)})\b[\"'*\s]*+[:=]?[\"'*\s]*+{_THREE}[\s,;.*-]*+[\"'*]*+\b(?:{'|'.join(_SIZES)})\b[\"'*\s]*+[:=]?[\"'*\s]*+{_THREE}",
    re.IGNORECASE,
)
"""Centre and sizes outside of JSON: "center: (1, 2, 3), size: (1, 1, 1)"."""
_PLACED = re.compile(r"(?:\b(?:the object|it) is )?(?:located|localized|localised) at\s*(?=<obj>)", re.IGNORECASE)
_OBJECTS = tuple(
    (re.compile(rf"<{tag}>.*?</{tag}>\s*[,.]?", re.IGNORECASE | re.DOTALL), f"</{tag}>") for tag in ("obj", "loc")
)
_BEHIND = re.compile(r"\A\s*[,.]?")
_DESCRIBED = re.compile(r"<desc>(.*?)</desc>", re.IGNORECASE | re.DOTALL)


def overlap3d(first: Box3D, second: Box3D) -> float:
    """Return the intersection over union of the volumes of two boxes, 0 where either has none."""
    shared = volume = other = 1.0
    # Relative to the largest side, so that products of huge numbers stay finite.
    scale = max(*first[3:], *second[3:])
    if not scale > 0 or not math.isfinite(scale):
        return 0.0
    for axis in range(3):
        low = max(first[axis] - first[axis + 3] / 2, second[axis] - second[axis + 3] / 2)
        high = min(first[axis] + first[axis + 3] / 2, second[axis] + second[axis + 3] / 2)
        shared *= max(high - low, 0.0) / scale
        volume *= first[axis + 3] / scale
        other *= second[axis + 3] / scale
    union = volume + other - shared
    return min(1.0, shared / union) if union > 0 else 0.0


class Box3DVerifier:
    """The answer is one box, and the target too: [cx, cy, cz, w, h, l], centre and sizes along x, y and z, in one unit.

    Read are `<obj>cx, cy, cz, w, h, l</obj>`, six numbers in brackets, and JSON with center and size. Option `form: corners` says that
    six numbers are [x1, y1, z1, x2, y2, z2], in answers and targets. Several different boxes are ambiguous, unless an answer phrase
    decides. A size that is negative is no box. Scores: `iou` (primary), with `iou@0.25` and `iou@0.5` as 0 or 1; option `threshold` makes
    IoU >= threshold `correct`.
    """

    name = "box3d"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the box."""
        options = merged_options(self._options, context.options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        found = stated_box(text, section, str(options.get("form", FORMS[0])))
        return Extraction(reason=found) if isinstance(found, str) else Extraction(found[0], found[1])

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compute the IoU.

        Raises:
            DataError: when the target is no box, or `threshold` is not in (0, 1].
        """
        options = merged_options(self._options, context.options)
        overlap = overlap3d(value, gold_box(target, str(options.get("form", FORMS[0]))))
        threshold = overlap_threshold(options)
        if threshold is None:
            return Match(overlap, None, overlap_scores(overlap))
        return Match(overlap, overlap >= threshold, overlap_scores(overlap))


class Caption3DVerifier:
    """The answer is a box as `Box3DVerifier` reads it and a description; the target {"box": …, "references": [texts]}.

    The description is what stands in `<desc>` tags, else the answer without its boxes. A description without a box overlaps
    nothing. Score: `iou`; the metrics `found@T:cider` and the like read the description, where the IoU reaches T.
    """

    name = "caption3d"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return {"box", "caption"}; the box is None where the answer has none, or several."""
        options = merged_options(self._options, context.options)
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        start, stop = section.whole
        content = text[start:stop]
        found = stated_box(text, section, str(options.get("form", FORMS[0])))
        described = [found[1] for found in enclosed(_DESCRIBED, content, "</desc>")]
        caption = described[-1] if described else _BARE.sub(" ", _without_objects(_PLACED.sub(" ", content)))
        caption = " ".join(re.sub(r"</?\w+>", " ", caption).split()).strip(" ,;")
        box = None if isinstance(found, str) else found[0]
        if box is None and not caption:
            return Extraction(reason="empty")
        return Extraction({"box": box, "caption": caption}, (start, stop))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compute the IoU.

        Raises:
            DataError: when the target is not {"box", "references"}.
        """
        options = merged_options(self._options, context.options)
        if not isinstance(target, Mapping) or not {"box", "references"} <= set(target):
            raise DataError(f"target {str(target)[:80]!r} has no box and references", remedy="give both")
        gold = gold_box(target["box"], str(options.get("form", FORMS[0])))
        overlap = 0.0 if value["box"] is None else overlap3d(value["box"], gold)
        return Match(overlap, None, overlap_scores(overlap))


def _without_objects(text: str) -> str:
    """Return the text without tagged objects, and the comma or full stop behind each."""
    for pattern, closing in _OBJECTS:
        end = closed_part(text, closing, fold=True)
        if end:
            text = pattern.sub(" ", text[:end]) + _BEHIND.sub("", text[end:], count=1)
    return text


def overlap_scores(overlap: float) -> dict[str, float]:
    """Return the scores of an IoU."""
    return {"iou": overlap, "iou@0.25": float(overlap >= 0.25), "iou@0.5": float(overlap >= 0.5)}


def gold_box(target: Any, form: str) -> Box3D:
    """Return a gold box as centre and sizes.

    Raises:
        DataError: when it is not six finite numbers with a volume.
    """
    numbers = list(target) if isinstance(target, (list, tuple)) else []
    valid = len(numbers) == 6 and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in numbers
    )
    box = _as_box([float(value) for value in numbers], form) if valid else None
    if box is None or not min(box[3:]) > 0:
        wanted = "[cx, cy, cz, w, h, l]" if form == FORMS[0] else "[x1, y1, z1, x2, y2, z2]"
        raise DataError(f"gold box {str(target)[:80]} is not {wanted} with a volume", remedy="correct the row's box")
    return box


def stated_box(text: str, section: Section, form: str) -> tuple[Box3D, tuple[int, int]] | str:
    """Return the one box that an answer states and its place in the response, or why there is none."""
    start, stop = section.whole
    content = text[start:stop]
    found = [(match, *match.span()) for match in _TAGGED.finditer(content)]
    if not found:
        found = [(match, *match.span()) for match in _BARE.finditer(content)]
    boxes = [(_as_box(_values(match), form), begin, end) for match, begin, end in found]
    if not boxes:
        boxes = [(box, begin, end) for value, begin, end in json_values(content) for box in _named(value)]
    if not boxes:
        boxes = [(_as_box(_values(match), FORMS[0]), *match.span()) for match in _WRITTEN.finditer(content)]
    if not boxes:
        return "not found"
    phrases = [end for _, end in answer_phrases(content)]
    if len({str(box) for box, _, _ in boxes}) > 1 and phrases:
        boxes = [entry for entry in boxes if entry[1] >= phrases[-1] - 1] or boxes
    if len({str(box) for box, _, _ in boxes}) > 1:
        return "ambiguous"
    box, begin, end = boxes[0]
    return "no box: a size is negative or not finite" if box is None else (box, (start + begin, start + end))


def _values(match: re.Match[str]) -> list[float]:
    return [float(number.replace("−", "-")) for number in match.groups()]


def _as_box(numbers: list[float], form: str) -> Box3D | None:
    if form == "corners":
        low, high = numbers[:3], numbers[3:]
        centre = [first / 2 + second / 2 for first, second in zip(low, high, strict=True)]
        numbers = [*centre, *(second - first for first, second in zip(low, high, strict=True))]
    sound = all(math.isfinite(value) for value in numbers) and min(numbers[3:]) >= 0
    return numbers if sound else None


def _named(value: Any, depth: int = 0) -> list[Box3D | None]:
    if isinstance(value, list) and depth < _DEPTH:
        return [box for entry in value for box in _named(entry, depth + 1)]
    if not isinstance(value, Mapping) or depth >= _DEPTH:
        return []
    fields = {str(key).strip().lower(): entry for key, entry in value.items()}
    centre = next((fields[key] for key in _CENTRES if key in fields), None)
    sizes = next((fields[key] for key in _SIZES if key in fields), None)
    if all(name in fields for name in _FLAT):
        centre, sizes = [fields[name] for name in _FLAT[:3]], [fields[name] for name in _FLAT[3:]]
    if centre is None or sizes is None:
        return [box for entry in value.values() for box in _named(entry, depth + 1)]
    numbers = [number for part in (centre, sizes) for number in _three(part)]
    return [_as_box(numbers, FORMS[0]) if len(numbers) == 6 else None]


def _three(part: Any) -> list[float]:
    """Return three numbers of a list, or of an object with x, y and z; none where it is neither."""
    if isinstance(part, Mapping):
        axes = {str(key).strip().lower(): number for key, number in part.items()}
        part = [axes.get(axis) for axis in "xyz"]
    if not isinstance(part, list) or len(part) != 3:
        return []
    written = [number.strip().replace("−", "-") if isinstance(number, str) else number for number in part]
    sound = all(
        re.fullmatch(_NUMBER, number) is not None
        if isinstance(number, str)
        else isinstance(number, (int, float)) and not isinstance(number, bool)
        for number in written
    )
    return [float(number) for number in written] if sound else []
