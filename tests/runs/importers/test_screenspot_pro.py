"""Results of ScreenSpot-Pro's script: the wrapper's point, other settings, other forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.runs.importers.predictions import Reading
from mmeval.runs.importers.screenspot_pro import read
from mmeval.tasks.options import AskStyle
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify
from mmeval.verifiers.screenspot import ScreenSpotVerifier

ROW: dict[str, Any] = {
    "img_path": "./data/ScreenSpot-Pro/images/word_windows/one.png", "group": "Office", "platform": "windows", "application": "word", "lang": "en",
    "instruction_style": "instruction", "prompt_to_evaluate": "Save", "gt_type": "positive", "ui_type": "icon", "task_filename": "word_windows",
    "pred": [12.5, 20.0], "raw_response": "click(…)", "bbox": [10, 10, 20, 20], "correctness": "correct",
}  # fmt: skip


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "model.json"
    path.write_text(json.dumps({"details": rows, "metrics": {}}), encoding="utf-8")
    return path


def verdicts(path: Path, protocol: str = "official") -> list[tuple[str, float | None, bool | None]]:
    """(outcome, score, the file's own verdict) of each row."""
    task = Task.load(Registry([]).cards["screenspot-pro"], protocol)
    found = []
    for prediction in read([path], Reading()):
        assert prediction.row is not None
        sample = task.sample(prediction.row, AskStyle())
        assert sample.id == prediction.id
        verdict = verify(task.verifier, Response("ok", prediction.response), sample.target, sample.context)
        found.append((verdict.outcome, verdict.score, prediction.official))
    return found


@pytest.mark.parametrize("protocol", ["official", "official-qwen2-vl", "official-pyautogui"])
def test_the_wrappers_point_is_scored(tmp_path: Path, protocol: str) -> None:
    path = written(
        tmp_path,
        ROW,
        {**ROW, "img_path": "images/b.png", "pred": [9.9, 20], "correctness": "wrong"},
        {**ROW, "img_path": "c:\\data\\images\\c.png", "pred": None, "correctness": "wrong_format"},
        {**ROW, "img_path": "d.png", "raw_response": None, "pred": [20, 20]},
    )
    assert verdicts(path, protocol) == [
        ("scored", 1.0, True), ("scored", 0.0, False), ("no_answer", 0.0, False), ("scored", 1.0, True),
    ]  # fmt: skip


def test_other_settings_are_left_out(tmp_path: Path) -> None:
    reading = Reading()
    path = written(
        tmp_path, ROW, {**ROW, "lang": "cn"}, {**ROW, "gt_type": "negative"}, {**ROW, "instruction_style": "action"}
    )
    assert [prediction.id for prediction in read([path], reading)] == ["word_windows/one.png"]
    assert (reading.found, reading.lost.total()) == (4, 3)


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"details": 1}', '{"details": [1]}', '{"details": [{"bbox": [1, 2, 3, 4]}]}', '{"details": [{"img_path": 1, "bbox": [], "pred": null}]}']
)  # fmt: skip
def test_other_forms_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.json"):
        list(read([path], Reading()))


@pytest.mark.parametrize(
    ("point", "value"),
    [([1, 2], [1.0, 2.0]), (None, None), ([1], None), (["a", 1], None), ([True, 1], None), ([float("nan"), 1], None)],
)
def test_a_wrappers_point(point: Any, value: list[float] | None) -> None:
    context = AnswerContext(options={"wrapper": {"point": point}})
    assert ScreenSpotVerifier({"form": "qwen2-vl"}).parse("anything 5 6", context).value == value
