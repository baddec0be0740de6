"""What is known for certain about an item's picture: facts, a caption, the places that its question is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.card import Card
from mmeval.tasks.data import Row
from mmeval.tasks.gold import absent, field_value
from mmeval.tasks.synthetic import SyntheticItem

_ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def known_of_row(card: Card, row: Row) -> dict[str, Any]:
    """Return the facts, caption and regions of a row as its card's section `visual` names them.

    Raises:
        DataError: naming row and key, when a cell is not of the declared form.
    """
    visual = card.visual
    found: dict[str, Any] = {}
    facts = field_value(visual.facts, row, "visual.facts")
    if not absent(facts):
        found["facts"] = _facts(facts, row)
    annotations = field_value(visual.annotations, row, "visual.annotations")
    if not absent(annotations):
        listed = [annotations] if isinstance(annotations, str) else annotations
        if not isinstance(listed, (list, tuple)) or not all(isinstance(text, str) for text in listed):
            raise DataError(
                f"{row.place}: visual.annotations is {str(annotations)[:80]!r}", remedy="give a list of sentences"
            )
        found["annotations"] = list(listed)
    caption = field_value(visual.caption, row, "visual.caption")
    if not absent(caption) and str(caption).strip():
        found["caption"] = str(caption)
    regions = field_value(visual.regions, row, "visual.regions")
    if not absent(regions):
        boxes = _boxes(regions)
        if boxes is None:
            raise DataError(
                f"{row.place}: visual.regions is {str(regions)[:80]!r}",
                remedy="give [x1, y1, x2, y2], or a list of such boxes",
            )
        if boxes:
            found["regions"] = {"boxes": boxes, "space": visual.coordinates}
    return found


def known_of_item(item: SyntheticItem) -> dict[str, Any]:
    """Return what the generator knows of an item; regions are the boxes of the objects that the question names, on one picture."""
    found: dict[str, Any] = {
        "facts": [{"question": fact.question, "answer": fact.answer} for fact in item.facts],
        "objects": [
            {"name": one.name, "label": one.label, "attributes": dict(one.attributes), "box": list(one.box)}
            for one in item.objects
        ],
        "caption": item.caption,
    }
    named = [
        list(one.box) for one in item.objects if _names(item.question, one.name) or _names(item.question, one.label)
    ]
    if named and not item.is_video and len(item.images) == 1:
        found["regions"] = {"boxes": named, "space": "pixels"}
    return found


def gold_regions(kind: str, target: Any, space: str) -> dict[str, Any]:
    """Return the gold box of a grounding item as its region; empty for other kinds and for points without a box."""
    if kind not in {"box", "boxes", "point"}:
        return {}
    inner = target.get("box") if isinstance(target, Mapping) else target
    boxes = _boxes(inner)
    return {"regions": {"boxes": boxes, "space": space}} if boxes else {}


def _facts(cell: Any, row: Row) -> list[dict[str, Any]]:
    found = []
    for fact in cell if isinstance(cell, (list, tuple)) else [cell]:
        question = fact.get("question") if isinstance(fact, Mapping) else None
        answer = fact.get("answer") if isinstance(fact, Mapping) else None
        said = _ANSWERS.get(str(answer).strip().lower())
        if not isinstance(question, str) or not question.strip() or said is None:
            raise DataError(
                f"{row.place}: visual.facts holds {str(fact)[:80]!r}",
                remedy="give a list of {question: TEXT, answer: yes or no}",
            )
        found.append({"question": question, "answer": said})
    return found


def _boxes(cell: Any) -> list[list[float]] | None:
    """Return a list of boxes from one box or several; None where the cell is neither."""
    if not isinstance(cell, Sequence) or isinstance(cell, (str, bytes)):
        return None
    if len(cell) == 4 and all(isinstance(value, (int, float)) for value in cell):
        return [[float(value) for value in cell]]
    found = []
    for entry in cell:
        inner = entry.get("box") if isinstance(entry, Mapping) else entry
        if (
            not isinstance(inner, Sequence)
            or len(inner) != 4
            or not all(isinstance(value, (int, float)) for value in inner)
        ):
            return None
        found.append([float(value) for value in inner])
    return found


def _names(question: str, name: str) -> bool:
    return bool(name) and re.search(rf"\b{re.escape(name.lower())}(?:s|es)?\b", question.lower()) is not None
