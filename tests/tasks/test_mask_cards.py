"""Cards of masks on rows of our own in the data sets' layouts, in every protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import Response, Sample, Verdict
from mmeval.tasks.choices import Choices
from mmeval.tasks.corpora import corpus_row
from mmeval.tasks.data import Row
from mmeval.tasks.gold import gold_answer
from mmeval.tasks.masks import mask_target
from mmeval.tasks.options import AskStyle
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify
from mmeval.verifiers.masks import bounding_box, encode_runs, read_gold
from tests.tasks.test_gui_cards import DATA, REGISTRY, settled

SIZE = (64, 48)


def said_back(task: Task, sample: Sample) -> Verdict:
    gold = read_gold(sample.target, SIZE)
    options = sample.context.options
    if options.get("prediction", "mask") == "mask":
        text = json.dumps(encode_runs(gold.mask))
    else:
        frame = options.get("frame") or SIZE
        scale = (frame[0] / SIZE[0], frame[1] / SIZE[1]) * 2
        box = [round(value * factor, 3) for value, factor in zip(bounding_box(gold.mask) or (), scale, strict=True)]
        text = f'<answer>[{{"bbox_2d": {box}, "point_2d": [1, 1], "affordance": "hold"}}]</answer>'
    return verify(task.verifier, Response("ok", text), sample.target, sample.context)


@pytest.mark.parametrize(("name", "rows"), [("reasonseg", {"default": 3, "test": 1}), ("reasonaff", {"default": 2})])
def test_the_gold_said_back_is_right(name: str, rows: dict[str, int]) -> None:
    for protocol in ("default", *REGISTRY.cards[name].raw["protocols"]):
        task, samples = settled(name, protocol, DATA, AskStyle())
        part = "test" if protocol.startswith("test") else "default"
        assert len(samples) == rows[part]
        for sample in samples:
            verdict = said_back(task, sample)
            assert verdict.outcome == "scored", (protocol, verdict)
            exact = sample.id != "desk" or sample.context.options.get("prediction") != "box-as-mask"
            assert (verdict.score == 1.0) is exact, (protocol, sample.id, verdict)


def test_umd_and_agd20k() -> None:
    for protocol in ("default", "box", "box-as-mask", "frame-840"):
        task, samples = settled("umd", protocol, DATA, AskStyle())
        assert [said_back(task, sample).score for sample in samples] == [1.0, 1.0, 1.0]
    for name, protocol, count in (("umd", "heatmap", 3), ("agd20k", "default", 2), ("agd20k", "frame-840", 2)):
        task, samples = settled(name, protocol, DATA, AskStyle())
        assert len(samples) == count
        for sample in samples:
            key = "png" if name == "agd20k" else None
            text = json.dumps({"heatmap": sample.target[key]} if key else sample.target)
            verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
            assert verdict.score == pytest.approx(1.0)
    assert [sample.id for sample in samples] == ["drink_with/cup/cup_000001", "hold/knife/knife_000001"]
    with pytest.raises(DataError, match="no picture of AGD20K"):
        corpus_row("agd20k", Path("a/b.jpg"))


@pytest.mark.parametrize("name", ["scanrefer", "nr3d", "scanrefer-caption", "nr3d-caption"])
def test_boxes_in_space(name: str) -> None:
    task, samples = settled(name, "default", DATA, AskStyle())
    assert len({sample.id for sample in samples}) == 2
    assert {sample.cluster for sample in samples} == {"scene0011_00"}
    for sample in samples:
        box = sample.target["box"] if isinstance(sample.target, dict) else sample.target
        text = f"<answer>the object is localized at <obj>{', '.join(map(str, box))}</obj>, a chair</answer>"
        verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
        assert verdict.outcome == "scored"
        assert verdict.score == pytest.approx(1.0)
        assert verify(task.verifier, Response("ok", ""), sample.target, sample.context).outcome == "no_answer"


def test_reasonseg_layout() -> None:
    row = corpus_row("reasonseg", DATA / "reasonseg/val/cup.json")
    assert row["question"] == "Where would the café’s guest drink from?"
    assert (row["id"], row["image"], row["sentence"]) == ("cup", "cup.jpg", True)
    _, samples = settled("reasonseg", "default", DATA, AskStyle())
    gold = read_gold(samples[0].target, SIZE)
    assert samples[0].subsets["query"] == "long"
    assert gold.ignored is not None
    assert gold.area == 400 - 100
    assert samples[0].cluster.startswith("image-")


@pytest.mark.parametrize("content", ["{", "[]", '{"text": []}', '{"text": ["a"], "is_sentence": true}'])
def test_no_annotation_of_reasonseg(content: str, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="no annotation of ReasonSeg"):
        corpus_row("reasonseg", path)


def png(array: Any, mode: str = "L", form: str = "PNG") -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).convert(mode).save(buffer, form)
    return buffer.getvalue()


TABLE = [[0, 1, 1], [0, 0, 1]]
CODE = encode_runs(np.array(TABLE, dtype=bool))


@pytest.mark.parametrize(
    ("cell", "target"),
    [
        (TABLE, CODE),
        ([[False, True, True], [False, False, True]], CODE),
        (CODE, CODE),
        (json.dumps(CODE), CODE),
        (png(np.array(TABLE, dtype=np.uint8) * 255), CODE),
        ({"bytes": png(np.array(TABLE, dtype=np.uint8)), "path": "m.png"}, CODE),
        (png(np.array(TABLE, dtype=np.uint8) * 255, "RGB"), CODE),
        (png(np.array(TABLE, dtype=np.uint8) * 255, "1"), CODE),
        ([[0, 0, 4, 0, 4, 4]], {"polygons": [[0, 0, 4, 0, 4, 4]]}),
        ({"shapes": []}, {"shapes": []}),
    ],
)
def test_cells_of_masks(cell: Any, target: Any) -> None:
    assert mask_target(cell, Row(0, {}, "x, row 1"), "mask") == target


@pytest.mark.parametrize("cell", [b"no picture", "{", png(np.zeros((8, 8), dtype=np.uint8), form="JPEG"), {"a": 1}, 3])
def test_cells_that_are_no_masks(cell: Any) -> None:
    with pytest.raises(DataError, match="x, row 1"):
        mask_target(cell, Row(0, {}, "x, row 1"), "mask")


def test_grey_values_of_masks_and_jpeg() -> None:
    grey = np.zeros((48, 64), dtype=np.uint8)
    grey[8:24, 8:24] = 255
    wanted = encode_runs(grey > 0)
    row = Row(0, {}, "x, row 1")
    for mode in ("L", "RGB", "RGBA", "1", "P"):
        assert mask_target(png(grey, mode), row, "mask", 127) == wanted
    assert mask_target(png(grey, form="JPEG"), row, "mask", 127) == wanted
    assert mask_target(png(grey // 2), row, "mask", 127) == encode_runs(grey > 255)
    assert mask_target(png(grey // 2), row, "mask", 0) == wanted
    for above in (-1, 255, True, 0.5, "1"):
        with pytest.raises(DataError, match="no grey value"):
            mask_target(png(grey), row, "mask", above)  # type: ignore[arg-type]


def test_a_point_may_have_a_mask_as_its_gold() -> None:
    row, table = Row(0, {}, "x, row 1"), [[0, 1], [1, 1]]
    assert gold_answer({"mask": table, "above": 3}, "point", "value", Choices((), ()), row) == {
        "mask": mask_target(table, row, "m")
    }
    assert gold_answer({"mask": None, "above": 3}, "point", "value", Choices((), ()), row) is None
    assert gold_answer({"box": [0, 0, 1, 1]}, "point", "value", Choices((), ()), row) == {"box": [0, 0, 1, 1]}
