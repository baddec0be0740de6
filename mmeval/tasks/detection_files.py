"""Annotations of detection data sets in the files of their authors, as rows of one image, or of one class on an image.

Every row has `id`, `file_name` and `objects`: the gold boxes as `read_gold_objects` takes them, corners in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from mmeval.core.errors import DataError

DetectionLayout: TypeAlias = Literal["coco", "coco-classes", "odgt", "uavdt"]
DETECTION_LAYOUTS: tuple[DetectionLayout, ...] = ("coco", "coco-classes", "odgt", "uavdt")
UAVDT_CLASSES: Mapping[str, str] = {"1": "car", "2": "truck", "3": "bus"}
_IGNORE = "_gt_ignore.txt"
_WHOLE = "_gt_whole.txt"


def detection_rows(layout: DetectionLayout, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of one file.

    `coco`: a file with images, annotations and categories (LVIS and OVDEval too); rows by rising image id, the order in which
    cocoapi goes through images. `coco-classes`: a row for each class that has a box on the image. `odgt`: CrowdHuman's JSON
    lines. `uavdt`: NAME_gt_whole.txt, a row per frame, with the regions to ignore of NAME_gt_ignore.txt beside it.

    Raises:
        DataError: naming the file and what is wrong.
    """
    yield from _ROWS[layout](path)


def read_annotations(path: Path) -> dict[str, Any]:
    """Return a file of annotations in COCO's form.

    Raises:
        DataError: when it is none.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{path}: cannot be read as JSON: {error}", remedy="download the file again") from error
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise DataError(f"{path}: no annotations of COCO's form", remedy="it must hold images, annotations, categories")
    return content


def image_rows(content: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """Return a row per image of annotations in COCO's form, by rising id.

    Columns: what the file says of the image, `id`, `file_name`, `objects`, `labels` (classes with a box that counts),
    `classes` (all), and for LVIS `verified` and `partial`.

    Args:
        content: images, annotations (bbox as [x, y, width, height]; iscrowd or ignore: a region to ignore) and categories.
        place: the file, for messages.

    Raises:
        DataError: for an annotation without image, class or box.
    """
    names = {}
    for number, entry in enumerate(content["categories"], 1):
        if not isinstance(entry, Mapping) or "id" not in entry:
            raise DataError(f"{place}, category {number}: no id", remedy="give a complete file of annotations")
        names[entry["id"]] = str(entry.get("name", entry["id"]))
    objects: dict[Any, list[dict[str, Any]]] = {}
    for number, entry in enumerate(content["images"], 1):
        if not isinstance(entry, Mapping) or "id" not in entry:
            raise DataError(f"{place}, image {number}: no id", remedy="give a complete file of annotations")
        objects[entry["id"]] = []
    for number, entry in enumerate(content["annotations"], 1):
        if not isinstance(entry, Mapping) or entry.get("image_id") not in objects:
            raise DataError(
                f"{place}, annotation {number}: no image of that id", remedy="give a complete file of annotations"
            )
        if entry.get("category_id") not in names:
            raise DataError(
                f"{place}, annotation {number}: category {entry.get('category_id')!r} is not among the categories",
                remedy="give a complete file of annotations",
            )
        objects[entry["image_id"]].append(_object(entry, names, f"{place}, annotation {number}"))
    rows = []
    for entry in sorted(content["images"], key=lambda image: _sortable(image["id"])):
        found = objects[entry["id"]]
        row = {
            **entry,
            "file_name": _file_name(entry),
            "objects": found,
            "labels": list(dict.fromkeys(one["label"] for one in found if not one.get("crowd"))),
            "classes": list(names.values()),
        }
        if "neg_category_ids" in entry:
            row["verified"] = [names[one] for one in entry["neg_category_ids"] if one in names]
            row["partial"] = [names[one] for one in entry.get("not_exhaustive_category_ids") or [] if one in names]
        rows.append(row)
    return rows


def _coco(path: Path) -> Iterator[dict[str, Any]]:
    yield from image_rows(read_annotations(path), str(path))


def _coco_classes(path: Path) -> Iterator[dict[str, Any]]:
    content = read_annotations(path)
    # LVIS says how often a class occurs: r (rare), c (common), f (frequent).
    frequency = {str(entry.get("name")): entry.get("frequency") for entry in content["categories"]}
    for row in image_rows(content, str(path)):
        for label in row["labels"]:
            own = [one for one in row["objects"] if one["label"] == label]
            named = {"id": f"{row['id']}/{label}", "image_id": row["id"], "category": label}
            yield {**row, **named, "frequency": frequency.get(label), "objects": own}


def _odgt(path: Path) -> Iterator[dict[str, Any]]:
    """CrowdHuman: full boxes of people; heads and visible parts are left out, masks and ignored people are regions to ignore."""
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{place}: not JSON: {error}", remedy="download the file again") from error
            if not isinstance(entry, dict) or "ID" not in entry or not isinstance(entry.get("gtboxes"), list):
                raise DataError(f"{place}: no image of CrowdHuman", remedy="a line has ID and gtboxes")
            objects = []
            for one in entry["gtboxes"]:
                if not isinstance(one, Mapping) or "fbox" not in one:
                    raise DataError(f"{place}: a box without fbox", remedy="download the file again")
                extra = one.get("extra")
                ignored = one.get("tag") != "person" or (isinstance(extra, Mapping) and extra.get("ignore") == 1)
                objects.append({"box": _corners(one["fbox"], place), "label": "person", "crowd": ignored})
            people = sum(not one["crowd"] for one in objects)
            yield {"id": entry["ID"], "file_name": f"{entry['ID']}.jpg", "objects": objects, "people": people}


def _uavdt(path: Path) -> Iterator[dict[str, Any]]:
    if not path.name.endswith(_WHOLE):
        raise DataError(f"{path}: no annotations of UAVDT", remedy=f"they are called NAME{_WHOLE}")
    sequence = path.name.removesuffix(_WHOLE)
    frames: dict[int, list[dict[str, Any]]] = {}
    for frame, box, fields, place in _lines(path):
        if len(fields) < 9 or fields[8] not in UAVDT_CLASSES:
            raise DataError(f"{place}: no class 1, 2 or 3 in column 9", remedy="download the file again")
        frames.setdefault(frame, []).append({"box": box, "label": UAVDT_CLASSES[fields[8]]})
    beside = path.with_name(f"{sequence}{_IGNORE}")
    for frame, box, _, _ in _lines(beside) if beside.is_file() else ():
        if frame in frames:
            frames[frame] += [{"box": box, "label": label, "crowd": True} for label in UAVDT_CLASSES.values()]
    for frame, objects in sorted(frames.items()):
        name = f"{sequence}/img{frame:06d}"
        vehicles = sum(not one.get("crowd") for one in objects)
        yield {
            "id": name,
            "file_name": f"{name}.jpg",
            "sequence": sequence,
            "objects": objects,
            "vehicles": vehicles,
        }


def _lines(path: Path) -> Iterator[tuple[int, list[float], list[str], str]]:
    """Yield frame, corners, columns and place of the lines of a UAVDT file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        fields = [part.strip() for part in line.split(",")]
        try:
            frame, box = int(fields[0]), _corners([float(part) for part in fields[2:6]], place)
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{place}: no frame, target, left, top, width, height", remedy="download the file again"
            ) from error
        yield frame, box, fields, place


def _object(entry: Mapping[str, Any], names: Mapping[Any, str], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "box": _corners(entry.get("bbox"), f"{place}: key 'bbox'"),
        "label": names[entry["category_id"]],
    }
    area = entry.get("area")
    if isinstance(area, (int, float)) and not isinstance(area, bool) and math.isfinite(area):
        found["area"] = area
    if entry.get("iscrowd") or entry.get("ignore"):
        found["crowd"] = True
    return found


def _corners(value: Any, place: str) -> list[float]:
    """Return the corners of [x, y, width, height]."""
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 4 or not all(
        isinstance(one, (int, float)) and not isinstance(one, bool) and math.isfinite(one) for one in numbers
    ):
        raise DataError(f"{place}: {value!r} is not [x, y, width, height]", remedy="correct the file")
    x, y, width, height = numbers
    if width < 0 or height < 0:
        raise DataError(f"{place}: width and height of {value!r} are negative", remedy="correct the file")
    return [x, y, x + width, y + height]


def _file_name(entry: Mapping[str, Any]) -> str:
    """Return the image's file; LVIS gives the folder and the name in COCO's address alone."""
    if entry.get("file_name"):
        return str(entry["file_name"])
    address = str(entry.get("coco_url") or "")
    return "/".join(address.split("/")[-2:]) if address else str(entry["id"])


def _sortable(identifier: Any) -> tuple[int, Any]:
    return (0, identifier) if isinstance(identifier, (int, float)) else (1, str(identifier))


_ROWS: Mapping[DetectionLayout, Callable[[Path], Iterator[dict[str, Any]]]] = {
    "coco": _coco,
    "coco-classes": _coco_classes,
    "odgt": _odgt,
    "uavdt": _uavdt,
}
