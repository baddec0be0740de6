"""COCO results files: scored boxes by image, stored as one answer per image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from mmeval.core.errors import DataError
from mmeval.runs.importers.predictions import OwnItem, Prediction, Reading, files_of, listed
from mmeval.runs.importers.tables import lenient_json
from mmeval.tasks.detection_files import image_rows

_Truth: TypeAlias = tuple[Path, Mapping[str, Any]]
"""The file of annotations, and what it holds."""
_QUESTION = "Where are the objects in the picture?"


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read a list of `image_id`, `category_id`, `bbox` [x, y, width, height] and `score`; an image's boxes are one answer.

    A file of annotations (`images`, `annotations`, `categories`) among the paths gives the names of the categories, the
    gold boxes (crowds are regions to ignore), and the images on which nothing was found. Images come by rising id, which
    decides between boxes of equal score as in cocoapi.

    Raises:
        DataError: naming file and row.
    """
    results, truth = _files(paths)
    if truth is None and reading.kind is not None:
        raise DataError(
            f"{results[0][0]}: the results name categories by number, and no file of annotations says what they mean",
            remedy="give the annotations (instances_*.json) as another PATH",
        )
    boxes, places = _boxes_by_image(results, {} if truth is None else _names(truth[1]))
    rows = {} if truth is None else _rows_by_image(truth, boxes, places)
    reading.notes.append(f"{sum(map(len, boxes.values()))} boxes on {len(boxes)} images")
    quiet = sum(image not in boxes for image in rows)
    if quiet and truth is not None:
        reading.notes.append(f"{quiet} images of {truth[0].name} have no box in the results: an empty answer")
    for image in rows or boxes:
        reading.found += 1
        found = sorted(boxes.get(image, []), key=lambda box: -box["score"])
        own = None
        if image in rows:
            row = rows[image]
            own = OwnItem(_QUESTION, row["objects"], (), {**row, "image_id": image})
        place = places.get(image) or str(truth[0] if truth else "")
        yield Prediction(id=image, place=place, response=orjson.dumps(found).decode(), own=own)


def _files(paths: Sequence[Path]) -> tuple[list[tuple[Path, list[Any]]], _Truth | None]:
    """Return the files of results, at least one, and the file of annotations where there is one."""
    results: list[tuple[Path, list[Any]]] = []
    truth: _Truth | None = None
    for path in files_of(paths, ("*.json",), "JSON file"):
        content = lenient_json(path)
        if isinstance(content, list):
            results.append((path, content))
        elif isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("annotations", "images")):
            if truth is not None:
                raise DataError(f"{path}: a second file of annotations beside {truth[0]}", remedy="give one of them")
            truth = (path, content)
        else:
            raise DataError(
                f"{path}: neither COCO results nor annotations", remedy="a list of boxes with image_id is expected"
            )
    if not results:
        raise DataError(
            f"{listed([str(path) for path in paths])}: no COCO results", remedy="give the list of boxes with image_id"
        )
    return results, truth


def _boxes_by_image(
    results: Sequence[tuple[Path, list[Any]]], names: Mapping[int, str]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Return the boxes of each image, and where its first one stands."""
    boxes: dict[str, list[dict[str, Any]]] = {}
    places: dict[str, str] = {}
    for path, content in results:
        for number, row in enumerate(content, 1):
            place = f"{path}, row {number}"
            image, box = _box(row, names, place)
            boxes.setdefault(image, []).append(box)
            places.setdefault(image, place)
    return boxes, places


def _rows_by_image(truth: _Truth, boxes: Iterable[str], places: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the row of each image of the annotations; every image with a box must be among them."""
    path, content = truth
    rows = {str(row["id"]): row for row in image_rows({"categories": [], **content}, str(path))}
    strangers = sorted(set(boxes) - set(rows))
    if strangers:
        raise DataError(
            f"{places[strangers[0]]}: image {strangers[0]} is not in {path} ({len(strangers)} such images)",
            remedy="give the annotations of the same images",
        )
    return rows


def _box(row: Any, names: Mapping[int, str], place: str) -> tuple[str, dict[str, Any]]:
    """Return the image of a row, and its box with corners in pixels."""
    if not isinstance(row, Mapping) or "image_id" not in row or "bbox" not in row:
        raise DataError(f"{place}: no COCO result (image_id and bbox are expected)", remedy="correct the row")
    numbers = row["bbox"]
    if not (isinstance(numbers, list) and len(numbers) == 4 and all(_is_number(number) for number in numbers)):
        raise DataError(f"{place}: key 'bbox': {numbers!r} is not [x, y, width, height]", remedy="correct the row")
    x, y, width, height = numbers
    if width < 0 or height < 0:
        raise DataError(f"{place}: key 'bbox': width and height are negative", remedy="give [x, y, width, height]")
    score = row.get("score", 1.0)
    if not _is_number(score):
        raise DataError(f"{place}: key 'score': {score!r} is no number", remedy="correct the row")
    category = row.get("category_id")
    if names and category not in names:
        raise DataError(
            f"{place}: category {category!r} is not in the annotations", remedy="give the annotations that belong to it"
        )
    label = names.get(category, str(category)) if category is not None else None
    return str(row["image_id"]), {"bbox_2d": [x, y, x + width, y + height], "label": label, "score": score}


def _names(content: Mapping[str, Any]) -> dict[int, str]:
    categories = content.get("categories") or []
    return {
        entry["id"]: str(entry.get("name", entry["id"]))
        for entry in categories
        if isinstance(entry, Mapping) and "id" in entry
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
