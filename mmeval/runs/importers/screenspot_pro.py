"""The output files of ScreenSpot-Pro's own script: what each model said, and the point that its wrapper read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.runs.importers.predictions import Prediction, Reading, as_text, files_of
from mmeval.tasks.data import Row

_FORM = "ScreenSpot-Pro's script writes an object with the list `details`; its rows have img_path, bbox and pred"
_SETTING = {"lang": "en", "instruction_style": "instruction", "gt_type": "positive"}
"""The setting of the card and of the leaderboard."""
_KEPT = ("bbox", "ui_type", "group", "application", "platform", "pred")


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read an object with `details`. Of a folder, all `.json` below it.

    The points are in pixels of the original screenshot. Rows in other languages or styles, or without a target, are left out.

    Raises:
        DataError: when a file is of another form.
    """
    for path in files_of(paths, ("*.json",), "ScreenSpot-Pro output"):
        for number, values in enumerate(_details(path)):
            reading.found += 1
            other = next((key for key, wanted in _SETTING.items() if values.get(key, wanted) != wanted), None)
            if other is not None:
                reading.lose(f"{other} is {values[other]!r}; the card asks for {_SETTING[other]!r}")
                continue
            yield _prediction(values, number, f"{path}, row {number + 1}")


def _details(path: Path) -> list[dict[str, Any]]:
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy=_FORM) from error
    details = content.get("details") if isinstance(content, dict) else None
    if not isinstance(details, list) or not all(isinstance(row, dict) for row in details):
        raise DataError(f"{path}: no ScreenSpot-Pro output", remedy=_FORM)
    return details


def _prediction(values: Mapping[str, Any], number: int, place: str) -> Prediction:
    missing = [key for key in ("img_path", "bbox", "pred") if key not in values]
    if missing or not isinstance(values.get("img_path"), str):
        raise DataError(f"{place}: no ScreenSpot-Pro output (no {missing[0] if missing else 'img_path'})", remedy=_FORM)
    picture = values["img_path"].replace("\\", "/").rpartition("images/")[2]
    question = values.get("prompt_to_evaluate", values.get("instruction"))
    row = {"img_filename": picture, "instruction": question, **{key: values.get(key) for key in _KEPT}}
    verdict = values.get("correctness")
    right = verdict == "correct" if isinstance(verdict, str) else None
    said = as_text(values, "raw_response", place)
    return Prediction(
        id=picture,
        place=place,
        # Some files hold the points alone.
        response=said
        if said is not None
        else orjson.dumps(values["pred"]).decode()
        if values["pred"] is not None
        else "",
        row=Row(number, row, place),
        official=right,
        stored_score=None if right is None else float(right),
    )
