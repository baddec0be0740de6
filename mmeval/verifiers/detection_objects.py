"""One detected object as models write it: the names of its keys, its corners, class, confidence and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

BOX_KEYS = (
    "bbox_2d",
    "bbox",
    "box_2d",
    "box",
    "bbox2d",
    "box2d",
    "position",
    "bounding_box",
    "boundingbox",
    "bbox_xyxy",
    "coordinates",
    "coords",
    "bounding_box_coordinates",
    "bbox_coordinates",
)
BOX_LIST_KEYS = ("bboxes", "boxes", "positions", "bboxes_2d", "bounding_boxes", "boxes_2d")
LABEL_KEYS = ("label", "class", "category", "name", "class_name", "category_name", "object", "object_name")
LABEL_LIST_KEYS = ("labels", "classes", "categories", "names", "class_names")
CONFIDENCE_KEYS = ("confidence", "score", "conf", "probability", "prob")
CONFIDENCE_LIST_KEYS = ("confidences", "scores", "probabilities")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_EDGES = (("x", "left", "xmin", "x1"), ("y", "top", "ymin", "y1"), ("width", "w"), ("height", "h"))
"""Names of an upper left corner with width and height."""
_OPPOSITE = (("top_left", "bottom_right"), ("upper_left", "lower_right"))
_NUMBER = r"[+\-−]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+\-]?[0-9]{1,3})?"
_APART = r"(?:\s*+[,;]\s*+|\s++)"
_FOUR = re.compile(rf"[\[(\s]*({_NUMBER}){_APART}({_NUMBER}){_APART}({_NUMBER}){_APART}({_NUMBER})[\])\s]*")
_KEYED = r"(?<![A-Za-z0-9_])(?:{names})[\"']?\s*[:=]\s*"
_BOX_FIELD = re.compile(
    _KEYED.format(names="|".join(BOX_KEYS))
    + rf"[\"']?[\[(]+\s*({_NUMBER}(?:{_APART}{_NUMBER}){{3}})(?:\s*[\])]|(?=\s*+,?\s*+[\"'{{}}]))",
    re.IGNORECASE,
)
"""A box whose closing bracket may be missing before the next key, but not at the end of the text."""
_LABEL_FIELD = re.compile(
    _KEYED.format(names="|".join(LABEL_KEYS)) + r"(?:\"([^\"]*)\"|'(.*?)'(?=\s*[,}\n])|([^\"',{}\[\]\n][^,{}\[\]\n]*))",
    re.IGNORECASE,
)
_CONFIDENCE_FIELD = re.compile(
    _KEYED.format(names="|".join(CONFIDENCE_KEYS)) + rf"[\"']?({_NUMBER}\s*%?)", re.IGNORECASE
)


def named_corners(keys: Mapping[str, Any]) -> list[Any] | None:
    """Return x1, y1, x2, y2 of an object that names its corners, or one corner with width and height."""
    plain = {key.replace("_", ""): entry for key, entry in keys.items()}
    for corners in _CORNERS:
        if all(corner in plain for corner in corners):
            return [plain[corner] for corner in corners]
    for pair in _OPPOSITE:
        if all(name in keys for name in pair):
            found = []
            for name in pair:
                corner = keys[name]
                found += [corner.get("x"), corner.get("y")] if isinstance(corner, Mapping) else [corner]
            return [number for one in found for number in (one if isinstance(one, (list, tuple)) else [one])]
    edges = [first_of(plain, names) for names in _EDGES]
    if any(edge is None for edge in edges):
        return None
    x, y, width, height = map(finite_number, edges)
    if x is None or y is None or width is None or height is None:
        return edges
    return [x, y, x + width, y + height]


def labelled(value: Sequence[Any]) -> dict[str, Any] | None:
    """Return class, box and confidence of ["cat", [1, 2, 3, 4]], ["cat", [1, 2, 3, 4], 0.9] or ["cat", 1, 2, 3, 4]."""
    texts = [entry for entry in value if isinstance(entry, str) and finite_number(entry) is None and entry.strip()]
    boxes = [entry for entry in value if isinstance(entry, (list, tuple)) and len(entry) == 4 and is_flat(entry)]
    numbers = [entry for entry in value if not isinstance(entry, str) and finite_number(entry) is not None]
    if len(texts) != 1 or len(boxes) + len(numbers) + 1 != len(value):
        return None
    if len(boxes) == 1 and len(numbers) <= 1:
        return {"label": texts[0], "box": boxes[0], "confidence": stated_confidence(numbers[0]) if numbers else None}
    if not boxes and len(numbers) == 4:
        return {"label": texts[0], "box": numbers, "confidence": None}
    return None


def loose_fields(text: str) -> dict[str, Any] | None:
    """Return box, class and confidence of an object that is neither JSON nor a Python literal."""
    box = _BOX_FIELD.search(text)
    if box is None:
        return None
    label, confidence = _LABEL_FIELD.search(text), _CONFIDENCE_FIELD.search(text)
    found: dict[str, Any] = {"bbox_2d": re.findall(_NUMBER, box.group(1))}
    if label is not None:
        found["label"] = next(group for group in label.groups() if group is not None).strip()
    if confidence is not None:
        found["confidence"] = confidence.group(1)
    return found


def first_of(keys: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the entry of the first of the names that is there, or None."""
    return next((keys[name] for name in names if name in keys), None)


def plain_key(key: Any) -> str:
    """Return a key in small letters, words joined by underlines: "BBox-2D" is bbox_2d."""
    return re.sub(r"[\s-]+", "_", str(key).strip().lower())


def four_numbers(text: str) -> list[str] | None:
    """Return the numbers of a box that stands as text, "[1, 2, 3, 4]" or "1 2 3 4"; None where it is no such text."""
    found = _FOUR.fullmatch(text)
    return list(found.groups()) if found else None


def is_flat(value: Sequence[Any]) -> bool:
    """Whether a list holds numbers, or texts of numbers, and no lists: what should be one box."""
    return not any(isinstance(entry, (list, tuple, Mapping)) for entry in value) and any(
        isinstance(entry, (int, float)) or finite_number(entry) is not None for entry in value
    )


def is_pair(value: Sequence[Any]) -> bool:
    """Whether a list holds two corners, [[x1, y1], [x2, y2]]."""
    return len(value) == 2 and all(
        isinstance(corner, (list, tuple)) and len(corner) == 2 and is_flat(corner) for corner in value
    )


def finite_number(value: Any) -> float | None:
    """Return a finite number, also one that is written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip().replace("−", "-")
        if re.fullmatch(_NUMBER, value) is None:
            return None
    elif not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def stated_confidence(value: Any) -> float | None:
    """Return a confidence as stated; "95%" is 0.95."""
    if isinstance(value, str) and value.strip().endswith("%"):
        share = finite_number(value.strip()[:-1])
        return None if share is None else share / 100
    return finite_number(value)
