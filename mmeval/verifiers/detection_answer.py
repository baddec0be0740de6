"""Reading a list of boxes with classes and confidences from an answer: JSON, Python literals, cut-off or broken lists, box tags.

Numbers are returned as written, in the declared space; nothing here knows the truth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mmeval.verifiers.broken_json import parsed, tidied, value_end
from mmeval.verifiers.coordinates import find_boxes
from mmeval.verifiers.detection_lines import named_boxes, says_nothing, table_rows
from mmeval.verifiers.detection_objects import (
    BOX_KEYS,
    BOX_LIST_KEYS,
    CONFIDENCE_KEYS,
    CONFIDENCE_LIST_KEYS,
    LABEL_KEYS,
    LABEL_LIST_KEYS,
    finite_number,
    first_of,
    four_numbers,
    is_flat,
    is_pair,
    labelled,
    loose_fields,
    named_corners,
    plain_key,
    stated_confidence,
)

_CONTAINERS = frozenset(
    {
        "objects", "detections", "detected_objects", "results", "result", "predictions", "annotations", "answer", "answers",
        "instances", "items", "output", "data", "found", "response",
    }
)  # fmt: skip
"""Keys whose name says nothing about the class of the boxes below them."""
_FENCE = re.compile(r"```[ \t]*[A-Za-z0-9_+-]*[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)
_FLAT = re.compile(r"""\{(?:[^{}"]++|"(?:[^"\\]++|\\.)*+")*+\}|\{[^{}]*\}""", re.DOTALL)
"""An object without objects in it; braces inside of quoted text are text."""
_VALUE_START = re.compile(r"\[\s*(?:[\[{\"'\-+.0-9]|\])|\{\s*[\"'}]")
_REFERENCE = re.compile(
    r"<(?:ref|p|phrase)>([^<]{0,300})</(?:ref|p|phrase)>|<\|object_ref_start\|>([^<]{0,300})<\|object_ref_end\|>|<\|ref\|>([^<]{0,300})<\|/ref\|>",
    re.IGNORECASE,
)
_DEPTH = 12
_ATTEMPTS = 40
"""Places at which a value is tried; more failures than this are left to the search for single objects."""
_LONGEST_OBJECT = 4_000
"""Characters of one object of a broken list; longer ones are read by what is inside them."""


@dataclass(frozen=True, slots=True)
class Stated:
    """One box as stated."""

    numbers: tuple[float, float, float, float]
    """x1, y1, x2, y2 as written, x before y."""
    label: str | None
    confidence: float | None
    whole: float | None = None
    """See `Shape.whole`."""


@dataclass(slots=True)
class Statement:
    """All boxes of an answer."""

    boxes: list[Stated] = field(default_factory=list)
    dropped: int = 0
    """Objects with a box that cannot be read: too few numbers, or none that are finite."""
    empty: bool = False
    """Whether the answer says that there is nothing: an empty list, "no objects"."""


def read_statement(text: str, order: Literal["xy", "yx"] = "xy") -> Statement:
    """Return the boxes of an answer section, in the order in which they stand.

    Fenced blocks count where there are any; in them, or in the whole text, the JSON or Python values; of a list that is cut off
    or broken, every complete object; without one, boxes in brackets or tags. Never raises; the time is linear in the text.

    Args:
        text: the answer without its reasoning.
        order: of lists of four numbers; named corners name their axes.
    """
    reader = _Reader(order)
    if "{" not in text and "|" in text:
        for row in table_rows(text):
            reader.walk(row, None, 0)
        if reader.found.boxes:
            return reader.found
    if "{" not in text and _REFERENCE.search(text) is None:
        for numbers, label in named_boxes(text, order):
            reader.found.boxes.append(Stated(numbers, label, None))
        if reader.found.boxes:
            return reader.found
    blocks = [block for block in _FENCE.findall(text) if "[" in block or "{" in block] if "```" in text else []
    found = reader.found
    if "{" in text or _REFERENCE.search(text) is None:
        for piece in blocks or [text]:
            reader.piece(piece)
    if not found.boxes and not found.dropped:
        _tagged(text, order, found)
    if not found.boxes and not found.dropped and not found.empty:
        found.empty = says_nothing(text)
    return found


class _Reader:
    def __init__(self, order: Literal["xy", "yx"]) -> None:
        self.order = order
        self.found = Statement()
        self._within = 0
        """Boxes in boxes that are being looked into."""

    def piece(self, text: str) -> None:
        """Read the values of one piece of text."""
        whole = parsed(text.strip())
        if whole is not None:
            self.walk(whole, None, 0)
            return
        before = len(self.found.boxes), self.found.dropped
        self._values(text)
        if (len(self.found.boxes), self.found.dropped) != before:
            self.found.empty = False

    def _values(self, text: str) -> None:
        """Read the JSON values of a text one after the other; what is broken is mended, or read object by object."""
        decoder = json.JSONDecoder(strict=False)
        position, failures, tidy = 0, 0, False
        while (start := _VALUE_START.search(text, position)) is not None:
            try:
                value, position = decoder.raw_decode(text, start.start())
            except (ValueError, RecursionError):
                failures += 1
                if not tidy:
                    text, position, tidy = tidied(text[start.start() :]), 0, True
                    continue
                if "{" not in text[start.start() :] and failures < _ATTEMPTS:
                    position = start.start() + 1
                    continue
                rest = text[start.start() :]
                end, closed = value_end(rest)
                value = parsed(rest[:end]) if end is not None else parsed(closed) if closed is not None else None
                if value is None:
                    self._objects(rest)
                    return
                position = len(text) if end is None else start.start() + end
            self.walk(value, None, 0)

    def _objects(self, text: str) -> None:
        """Read the single objects of a broken list."""
        decoder = json.JSONDecoder(strict=False)
        position, failures = 0, 0
        while (start := text.find("{", position)) >= 0:
            window = text[start : start + (_LONGEST_OBJECT if failures < _ATTEMPTS else 0)]
            try:
                value, length = decoder.raw_decode(window)
            except (ValueError, RecursionError) as error:
                failures += not isinstance(error, json.JSONDecodeError) or error.pos > len(window) // 2 > 0
                flat = _FLAT.match(text, start)
                following = text.find("{", start + 1)
                # An object without its end reaches to the next one.
                position = flat.end() if flat else following if following >= 0 else len(text)
                self._flat(text[start:position], ended=flat is not None)
            else:
                position = start + length
                self.walk(value, None, 0)

    def _flat(self, text: str, *, ended: bool) -> None:
        """Read one object of a broken list; of one without an end, only what has a class behind its box."""
        value = parsed(text)
        if value is None:
            value = loose_fields(text)
            if not ended and value is not None and "label" not in value:
                value = None
        if value:
            self.walk(value, None, 0)

    def walk(self, value: Any, label: str | None, depth: int) -> None:
        """Collect the boxes of a value; `label` is the class that a key around it names."""
        if depth > _DEPTH:
            return
        if isinstance(value, Mapping):
            self._mapping({plain_key(key): entry for key, entry in value.items()}, value, label, depth)
        elif isinstance(value, (list, tuple)):
            if not value:
                self.found.empty = True
            elif is_pair(value):
                self.add([*value[0], *value[1]], label, None, named=False)
            elif (entry := labelled(value)) is not None:
                self._boxes(entry["box"], entry["label"], entry["confidence"])
            elif is_flat(value):
                if len(value) == 4:
                    self.add(value, label, None, named=False)
                else:
                    self.found.dropped += 1
            else:
                for entry in value:
                    self.walk(entry, label, depth + 1)

    def _mapping(self, keys: dict[str, Any], value: Mapping[Any, Any], label: str | None, depth: int) -> None:
        own = first_of(keys, LABEL_KEYS)
        if isinstance(own, (list, tuple)) and len(own) == 1:
            own = own[0]
        named = str(own) if isinstance(own, (str, int)) and not isinstance(own, bool) and str(own).strip() else label
        confidence = stated_confidence(first_of(keys, CONFIDENCE_KEYS))
        box = first_of(keys, BOX_KEYS)
        if box is not None:
            self._boxes(box, named, confidence)
            return
        corners = named_corners(keys)
        if corners is not None:
            self.add(corners, named, confidence, named=True)
            return
        boxes = first_of(keys, BOX_LIST_KEYS)
        if isinstance(boxes, (list, tuple)):
            self._parallel(boxes, keys, named, depth)
            return
        if not value:
            self.found.empty = True
        for key, entry in value.items():
            if isinstance(entry, str):  # a list that stands as text in an object
                entry = parsed(entry.strip())
            if isinstance(entry, (list, tuple, Mapping)):
                plain = plain_key(key)
                inner = named if plain in _CONTAINERS or plain in LABEL_LIST_KEYS else str(key)
                self.walk(entry, inner, depth + 1)

    def _boxes(self, box: Any, label: str | None, confidence: float | None) -> None:
        """Add the box of a key, or the boxes where it holds several."""
        if self._within < _DEPTH:
            self._within += 1
            self._each_box(box, label, confidence)
            self._within -= 1

    def _each_box(self, box: Any, label: str | None, confidence: float | None) -> None:
        if isinstance(box, str):
            box = four_numbers(box) or [box]
        if isinstance(box, Mapping):
            self.walk({**box, **({"label": label} if label else {}), "confidence": confidence}, label, _DEPTH - 1)
        elif isinstance(box, (list, tuple)) and is_pair(box):
            self.add([*box[0], *box[1]], label, confidence, named=False)
        elif isinstance(box, (list, tuple)) and box and not is_flat(box):
            for one in box:
                self._boxes(one, label, confidence)
        elif isinstance(box, (list, tuple)) and not box:
            self.found.empty = True
        else:
            self.add(box if isinstance(box, (list, tuple)) else [box], label, confidence, named=False)

    def _parallel(self, boxes: Sequence[Any], keys: Mapping[str, Any], label: str | None, depth: int) -> None:
        """Lists of boxes, classes and confidences side by side; classes only where there are as many."""
        labels, scores = first_of(keys, LABEL_LIST_KEYS), first_of(keys, CONFIDENCE_LIST_KEYS)
        names = labels if isinstance(labels, (list, tuple)) and len(labels) == len(boxes) else [label] * len(boxes)
        stated = scores if isinstance(scores, (list, tuple)) and len(scores) == len(boxes) else [None] * len(boxes)
        if not boxes:
            self.found.empty = True
        if is_flat(boxes) and len(boxes) == 4:
            self.add(boxes, label, stated_confidence(first_of(keys, CONFIDENCE_KEYS)), named=False)
            return
        for box, name, score in zip(boxes, names, stated, strict=True):
            if isinstance(box, Mapping):
                self.walk(box, None if name is None else str(name), depth + 1)
            else:
                self._boxes(box, None if name is None else str(name), stated_confidence(score))

    def add(self, box: Sequence[Any], label: str | None, confidence: float | None, *, named: bool) -> None:
        """Add a box of four numbers, or count it as dropped."""
        numbers = [finite_number(entry) for entry in box]
        if len(numbers) != 4 or any(number is None for number in numbers):
            self.found.dropped += 1
            return
        first, second, third, fourth = (number or 0.0 for number in numbers)
        if self.order == "yx" and not named:
            first, second, third, fourth = second, first, fourth, third
        self.found.boxes.append(Stated((first, second, third, fourth), label.strip() if label else None, confidence))


_NAME_BEHIND = re.compile(r"[ \t]*([^\s<;][^<;\n]{0,80}?)[ \t]*(?=[;<\n]|\Z)")
"""The class behind PaliGemma's tokens ("<loc0001>… cat ; <loc0002>… dog")."""


_NAME_BEFORE = re.compile(r"([^\s<>;][^<>;\n]{0,80}?)[ \t]*\Z")
"""The class before Florence-2's tokens ("cat<loc_1>…dog<loc_2>…"); boxes that follow at once are of it too."""


def _tagged(text: str, order: Literal["xy", "yx"], found: Statement) -> None:
    """Boxes in brackets or tags; `<ref>class</ref>` before them names their class."""
    references = [(match.end(), match.group(match.lastindex or 0)) for match in _REFERENCE.finditer(text)]
    place, end, before = -1, 0, None
    for shape in find_boxes(text, order):
        while place + 1 < len(references) and references[place + 1][0] <= shape.start:
            place += 1
        label = references[place][1].strip() or None if place >= 0 else None
        if text.startswith("<loc_", shape.start):
            named = _NAME_BEFORE.search(text, max(end, shape.start - 100), shape.start)
            label = before = named[1] if named else before
            end = shape.end
        elif shape.whole is not None and (behind := _NAME_BEHIND.match(text, shape.end)) is not None:
            label = behind[1]
        first, second, third, fourth = shape.numbers
        found.boxes.append(Stated((first, second, third, fourth), label, None, shape.whole))
    found.empty = found.empty and not found.boxes


def distinct(boxes: Sequence[Stated], *, labels: bool) -> Iterator[Stated]:
    """Yield the boxes without repetitions: of the same numbers, and with `labels` of the same class."""
    seen: set[tuple[Any, ...]] = set()
    for box in boxes:
        key = (box.numbers, box.label if labels else None)
        if key not in seen:
            seen.add(key)
            yield box
