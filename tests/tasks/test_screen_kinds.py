"""Screenshots of every kind (4K, grey, CMYK, 16 bits, palette, alpha, animated, turned by EXIF): a click comes back to its pixel."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmeval.core.types import Response, Sample
from mmeval.pipeline.media import Grid, prepare
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

GRIDS = (None, Grid(28, 4 * 28 * 28, 256 * 28 * 28), Grid(28, 3136, 12845056), Grid(32, 4 * 32 * 32, 64 * 32 * 32))
WIDTH, HEIGHT = 300, 200
BOX = (210, 50, 30, 20)
"""x, y, width, height of the element, upright."""


def _rgb(size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    return Image.new("RGB", size, (40, 90, 160))


def _save(path: Path, kind: str) -> tuple[int, int]:
    """Write a screenshot and return its upright size."""
    picture = _rgb()
    if kind == "4k":
        _rgb((3840, 2160)).save(path, "PNG", compress_level=1)
        return 3840, 2160
    if kind == "16 bits":
        Image.fromarray(np.full((HEIGHT, WIDTH), 40000, np.uint16)).save(path, "PNG")
    elif kind == "animated":
        picture.save(path, "GIF", save_all=True, append_images=[Image.new("RGB", picture.size, "red")])
    elif kind == "animated png":
        picture.save(path, "PNG", save_all=True, append_images=[Image.new("RGB", picture.size, "red")])
    elif kind.startswith("exif"):
        exif = Image.Exif()
        exif[0x0112] = int(kind[-1])
        stored = picture if int(kind[-1]) < 5 else _rgb((HEIGHT, WIDTH))
        stored.save(path, "JPEG", exif=exif)
    elif kind == "CMYK":
        picture.convert("CMYK").save(path, "JPEG")
    else:
        picture.convert(kind).save(path, "PNG")
    return WIDTH, HEIGHT


KINDS = (
    "RGB",
    "L",
    "1",
    "LA",
    "RGBA",
    "P",
    "CMYK",
    "16 bits",
    "animated",
    "animated png",
    "4k",
    *(f"exif {turn}" for turn in range(1, 9)),
)


def settled(folder: Path, style: AskStyle, grid: Grid | None) -> tuple[Task, list[Sample]]:
    """Return ScreenSpot's samples on the screenshots of a folder, as sent through a grid."""
    task = Task.load(Registry([]).cards["screenspot"], "default")
    found = []
    for _, build in task.open(DataOptions(data_dir=folder)).samples(style):
        sample = build()
        source, sent = (
            [prepare(media, lambda *_: None, lambda *_: None, grid=one) for media in sample.media]
            for one in (None, grid)
        )
        found.append(task.settle(sample, source, sent))
    return task, found


def data(folder: Path, kinds: tuple[str, ...], boxes: list[Any] | None = None) -> None:
    (folder / "screenspot_imgs").mkdir(parents=True)
    rows = []
    for number, kind in enumerate(kinds):
        name = f"mobile_{number}.png"
        width, height = _save(folder / "screenspot_imgs" / name, kind)
        box = [BOX[0] * width // WIDTH, BOX[1] * height // HEIGHT, BOX[2] * width // WIDTH, BOX[3] * height // HEIGHT]
        rows.append({
            "img_filename": name, "bbox": box if boxes is None else boxes[number], "instruction": kind, "data_type": "text", "data_source": "ios",
        })  # fmt: skip
    (folder / "screenspot_mobile.json").write_text(json.dumps(rows), encoding="utf-8")


@pytest.mark.parametrize(
    "grid", GRIDS, ids=lambda grid: "as it is" if grid is None else f"{grid.factor}, {grid.max_pixels}"
)
def test_a_click_comes_back(tmp_path: Path, grid: Grid | None) -> None:
    data(tmp_path, KINDS)
    for space in ("pixels", "unit", "thousand"):
        task, found = settled(tmp_path, AskStyle(coordinates=space), grid)
        for sample in found:
            size, sent = sample.context.image_size, sample.context.sent_size
            assert size is not None
            assert sent is not None
            assert size == ((3840, 2160) if sample.item["question"] == "4k" else (WIDTH, HEIGHT))
            assert grid is None or sent == grid.fit(*size)
            left, top, right, bottom = sample.target["box"]
            side = {"pixels": sent, "unit": (1, 1), "thousand": (1000, 1000)}[space]
            for (x, y), hit in (
                (((left + right) / 2, (top + bottom) / 2), True), ((left + 0.5, bottom - 0.5), True),
                ((left - 0.5, top + 1), False), ((right + 0.5, top + 1), False),
            ):  # fmt: skip
                said = f"[{x * side[0] / size[0]!r}, {y * side[1] / size[1]!r}]"
                verdict = verify(task.verifier, Response("ok", said), sample.target, sample.context)
                assert verdict.correct is hit, (sample.item["question"], space, said)
                assert math.dist(verdict.extracted, (x, y)) <= 0.5


def test_broken_boxes_are_their_rows_fault(tmp_path: Path) -> None:
    """ScreenSpot's boxes are x, y, width, height: a negative width is a box the wrong way round."""
    boxes = [[210, 50, 30, 20], [210, 50, -30, 20], [210, 50, 30, -20], ["a", 1, 2, 3], [None, 1, 2, 3]]
    data(tmp_path, ("RGB",) * len(boxes), boxes)
    outcomes = []
    task = Task.load(Registry([]).cards["screenspot"], "default")
    for _, build in task.open(DataOptions(data_dir=tmp_path)).samples(AskStyle()):
        try:
            sample = build()
        except Exception as error:  # what the run shows as an error row
            outcomes.append(type(error).__name__)
            continue
        verdict = verify(task.verifier, Response("ok", "[220, 60]"), sample.target, sample.context)
        outcomes.append(verdict.outcome)
    assert outcomes == ["scored", "unscored", "unscored", "RowError", "RowError"]


@pytest.mark.parametrize("said", ["[-5, -5]", "[1e6, 1e6]", "[240, 70.001]", "[0.7, 0.3]"])
def test_points_beside_the_box_are_wrong(tmp_path: Path, said: str) -> None:
    data(tmp_path, ("RGB",))
    task, (sample,) = settled(tmp_path, AskStyle(), None)
    verdict = verify(task.verifier, Response("ok", said), sample.target, sample.context)
    assert (verdict.outcome, verdict.score) == ("scored", 0.0)
