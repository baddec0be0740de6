"""The JSON forms of boxes with classes: what a row's target and its extracted answer hold, for verifiers and metrics alike."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.core.errors import DataError

_SPACE = re.compile(r"[\s_]+")
_FORMS = (
    "give [[x1, y1, x2, y2], …], a list of {box, label, crowd, area}, {boxes, labels} or {objects, verified, partial}"
    " in pixels of the original image"
)


@dataclass(frozen=True, slots=True)
class GoldObject:
    """A gold box."""

    box: tuple[float, float, float, float]
    """Corners x1, y1, x2, y2 in pixels of the original image."""
    label: str
    """Class as `label_key` has it; empty where the data set has one kind of thing and no labels."""
    crowd: bool
    """Whether it is a region to ignore: several objects, or nothing that counts."""
    area: float
    """Square pixels by which sizes are told: of the object's mask where the data set says so, else of the box."""


@dataclass(frozen=True, slots=True)
class GoldObjects:
    """The gold boxes of an image."""

    objects: tuple[GoldObject, ...]
    verified: frozenset[str] | None = None
    """Classes that are known to be absent (LVIS: neg_category_ids); None: every class without a box is absent."""
    partial: frozenset[str] = frozenset()
    """Classes of which not every object has a box (LVIS: not_exhaustive_category_ids)."""

    @property
    def labelled(self) -> bool:
        """Whether the classes matter; without any label all boxes are of one class."""
        return any(one.label for one in self.objects) or self.verified is not None


@dataclass(frozen=True, slots=True)
class PredictedObject:
    """A box that a model gave, as `detections` extracts it."""

    box: tuple[float, float, float, float]
    """Corners in pixels of the original image, in order."""
    label: str | None
    """Class as `label_key` has it; None where the model named none."""
    score: float
    """By which predictions are ranked."""


def label_key(text: str) -> str:
    """Return a class name for comparison: without case, and with one space for spaces and underscores."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def read_gold_objects(target: Any) -> GoldObjects:
    """Return the gold boxes of a row's target.

    Raises:
        DataError: when it has none of the documented forms.
    """
    verified: frozenset[str] | None = None
    partial: frozenset[str] = frozenset()
    if isinstance(target, Mapping) and "objects" in target:
        if target.get("verified") is not None:
            verified = frozenset(_names(target["verified"], target))
        partial = frozenset(_names(target.get("partial") or [], target))
        target = target["objects"]
    elif isinstance(target, Mapping) and ("boxes" in target or "xywh" in target):
        target = _parallel(target)
    if not isinstance(target, (list, tuple)):
        raise DataError(f"target {str(target)[:80]!r} is no list of boxes", remedy=_FORMS)
    return GoldObjects(tuple(_gold(entry) for entry in target), verified, partial)


def read_predicted_objects(value: Any) -> tuple[PredictedObject, ...]:
    """Return the boxes of an extracted answer: a list of {box, label, score}, or of plain boxes of equal score.

    Raises:
        DataError: when it is something else.
    """
    if not isinstance(value, (list, tuple)):
        raise DataError(
            f"extracted {str(value)[:80]!r} is no list of boxes", remedy="score the run again: mmeval score"
        )
    found = []
    for entry in value:
        fields: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"box": entry}
        label, score = fields.get("label"), fields.get("score", 1.0)
        named = None if label is None else label_key(str(label))
        found.append(PredictedObject(_four(fields.get("box")), named, _number(score, "score")))
    return tuple(found)


def _parallel(target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lists of boxes, labels, and flags, side by side."""
    boxes = target["boxes"] if "boxes" in target else target["xywh"]
    labels, crowds = target.get("labels"), target.get("crowds")
    if not isinstance(boxes, (list, tuple)) or any(
        column is not None and (not isinstance(column, (list, tuple)) or len(column) != len(boxes))
        for column in (labels, crowds)
    ):
        raise DataError(f"target {str(target)[:80]!r}: boxes and labels are not lists of equal length", remedy=_FORMS)
    key = "box" if "boxes" in target else "xywh"
    return [
        {key: box, "label": labels[place] if labels else None, "crowd": crowds[place] if crowds else False}
        for place, box in enumerate(boxes)
    ]


def _gold(entry: Any) -> GoldObject:
    fields: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"box": entry}
    if "box" in fields:
        corners = _four(fields["box"])
    elif "xywh" in fields:
        x, y, width, height = _four(fields["xywh"])
        corners = (x, y, x + width, y + height)
    else:
        raise DataError(f"target {str(entry)[:80]!r} has no box", remedy=_FORMS)
    if corners[0] > corners[2] or corners[1] > corners[3]:
        raise DataError(f"target {str(entry)[:80]!r} is not a box: its corners are not in order", remedy=_FORMS)
    label, area = fields.get("label"), fields.get("area")
    own = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return GoldObject(
        corners,
        "" if label is None else label_key(str(label)),
        bool(fields.get("crowd")),
        own if area is None else _number(area, "area"),
    )


def _names(value: Any, target: Any) -> list[str]:
    if not isinstance(value, (list, tuple)):
        raise DataError(f"target {str(target)[:80]!r}: verified and partial are lists of classes", remedy=_FORMS)
    return [label_key(str(name)) for name in value]


def _four(value: Any) -> tuple[float, float, float, float]:
    numbers: Sequence[Any] = value if isinstance(value, (list, tuple)) else ()
    if len(numbers) != 4:
        raise DataError(f"{str(value)[:80]!r} is not a box", remedy=_FORMS)
    first, second, third, fourth = (_number(number, "coordinate") for number in numbers)
    return first, second, third, fourth


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(f"{what} {value!r} is no finite number", remedy=_FORMS)
    return float(value)
