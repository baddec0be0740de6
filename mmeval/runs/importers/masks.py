"""Masks that a model or a segmenter made, by sample id: run-length codes, polygons, pictures; an id's masks are one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.runs.importers.jsonl import json_rows
from mmeval.runs.importers.predictions import Prediction, Reading, files_of
from mmeval.tasks.masks import read_picture
from mmeval.verifiers.masks import encode_runs

IDS = ("id", "sample_id", "image_id")
MASKS = ("mask", "rle", "segmentation", "polygons", "counts")
_PICTURES = ("*.png", "*.bmp", "*.tif", "*.tiff", "*.gif")
_TABLES = ("*.jsonl", "*.ndjson", "*.json", "*.parquet")


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read rows of `id` and `mask` (JSON lines, JSON, parquet; COCO results with `image_id` and `segmentation` too), and pictures.

    The id of a picture is its path below the folder that was given, without the suffix; what is not 0 belongs to the mask.
    Rows of one id are parts of one mask. A row whose mask is null is an answer without one.

    Raises:
        DataError: naming file, row and key.
    """
    found: dict[str, list[Any]] = {}
    places: dict[str, str] = {}
    for root in paths:
        patterns = (*_TABLES, *_PICTURES) if root.is_dir() else ()
        for path in files_of([root], patterns, "masks"):
            for identifier, mask, place in _masks(path, root):
                masks = found.setdefault(identifier, [])
                places.setdefault(identifier, place)
                if mask is not None:
                    masks.append(mask)
    for identifier, masks in found.items():
        reading.found += 1
        yield Prediction(
            id=identifier, place=places[identifier], response=orjson.dumps(masks).decode() if masks else ""
        )


def _masks(path: Path, root: Path) -> Iterator[tuple[str, Any, str]]:
    if any(path.match(pattern) for pattern in _PICTURES):
        name = path.relative_to(root) if root.is_dir() else Path(path.name)
        yield name.with_suffix("").as_posix(), encode_runs(read_picture(path.read_bytes(), str(path))), str(path)
        return
    for number, row in enumerate(json_rows(path), 1):
        place = f"{path}, row {number}"
        identifier = next((row[key] for key in (*IDS, "_key") if row.get(key) not in (None, "")), None)
        if identifier is None:
            raise DataError(f"{place}: no id", remedy=f"give it as one of {', '.join(IDS)}")
        key = next((key for key in MASKS if key in row), None)
        if key is None:
            raise DataError(
                f"{place}: no mask", remedy=f"give it as one of {', '.join(MASKS[:-1])}, or as size and counts"
            )
        yield str(identifier), _stated(row, key, place), place


def _stated(row: Mapping[str, Any], key: str, place: str) -> Any:
    """Return the mask of a row as a JSON value in which the verifier finds it; whether it is sound is for the verifier."""
    if key == "counts":
        return {"size": row.get("size"), "counts": row["counts"]}
    value = row[key]
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{place}: key {key!r}: not JSON: {error}", remedy="correct the row") from error
    if value is None or value == []:
        return None
    if isinstance(value, list):
        return {"segmentation": value}
    if isinstance(value, Mapping):
        return dict(value)
    raise DataError(f"{place}: key {key!r}: {value!r} is no mask", remedy="give a run-length code or polygons")
