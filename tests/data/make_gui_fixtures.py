"""Writes the fixtures of screen and grounding benchmarks: own rows and pictures in the data sets' schemas (see make_fixtures.py).

python tests/data/make_gui_fixtures.py [NAME …]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from datasets import List, Value
from make_fixtures import HERE, picture, write, write_json

SIZE = (64, 48)
"""Pixels of every drawn picture."""
_SCREENS = (
    ("mobile", "ios", "text", "open the settings", [4, 8, 20, 10]),
    ("mobile", "android", "icon", "go back", [0, 0, 6, 6]),
    ("desktop", "windows", "icon", "close this window", [56, 0, 8, 8]),
    ("web", "shop", "text", "add to the basket", [30, 20, 16, 9]),
)
"""Platform, source, type, instruction, and box as x, y, width, height."""

_PREFIX = {"mobile": "mobile", "desktop": "pc", "web": "web"}
"""How names of pictures begin."""


def _source(name: str, title: str) -> None:
    text = (
        f"# Rows in the schema of {title}\n\nWritten for this project (Apache-2.0, as the rest of it): questions, answers and pictures are our\n"
        "own, the columns and their types those of the data set. No published row stands here.\n"
    )
    (HERE / name / "SOURCE.md").write_text(text, encoding="utf-8")


def _screenspot(name: str, file: str, folder: str, hub: str) -> None:
    for platform in dict.fromkeys(screen[0] for screen in _SCREENS):
        rows = [
            {"img_filename": f"{_PREFIX[platform]}_{number}.png", "bbox": box, "instruction": instruction, "data_type": kind, "data_source": source}
            for number, (where, source, kind, instruction, box) in enumerate(_SCREENS)
            if where == platform
        ]  # fmt: skip
        write_json(f"{name}/{file.format(platform)}", rows, [f"{folder}/{row['img_filename']}" for row in rows])
    rows = [
        {"file_name": f"{_PREFIX[platform]}_{number}.png", "bbox": _share(box), "instruction": instruction, "data_type": kind, "data_source": source,
         "image": picture(instruction)}
        for number, (platform, source, kind, instruction, box) in enumerate(_SCREENS)
    ]  # fmt: skip
    write(f"{name}-hub/{hub}/data/test-00000-of-00001.parquet", rows, ["image"], bbox=List(Value("float64")))
    _source(name, name)


def _share(box: Sequence[int]) -> list[float]:
    """Corners from 0 to 1 of a box as x, y, width, height."""
    x, y, width, height = box
    return [x / SIZE[0], y / SIZE[1], (x + width) / SIZE[0], (y + height) / SIZE[1]]


def screenspot() -> None:
    """Authors' files with x, y, width, height in pixels; the hub copy with corners from 0 to 1."""
    _screenspot("screenspot", "screenspot_{}.json", "screenspot_imgs", "rootsautomation/ScreenSpot")


def screenspot_v2() -> None:
    """As ScreenSpot, under the names of its own files."""
    _screenspot("screenspot-v2", "screenspot_{}_v2.json", "screenspotv2_image", "HongxinLi/ScreenSpot_v2")


def screenspot_pro() -> None:
    """A file for each application, boxes as corners in pixels."""
    for application, group, kind, box in (
        ("word", "Office", "text", [4, 8, 24, 18]),
        ("blender", "Creative", "icon", [0, 0, 6, 6]),
    ):
        row: dict[str, Any] = {
            "img_filename": f"{application}_windows/one.png", "bbox": box, "instruction": f"Save in {application}", "instruction_cn": "保存",
            "id": f"{application}_windows_0", "application": application, "platform": "windows", "img_size": list(SIZE), "ui_type": kind, "group": group,
        }  # fmt: skip
        write_json(
            f"screenspot-pro/annotations/{application}_windows.json", [row], [f"../images/{row['img_filename']}"]
        )
    _source("screenspot-pro", "screenspot-pro")


def refcoco() -> None:
    """Two expressions for one picture, one for another."""
    for name, stem in (("refcoco", "refcoco"), ("refcoco-plus", "refcoco+"), ("refcocog", "refcocog")):
        rows = [
            {"image": f"train2014/COCO_{number}.png", "sent": sent, "bbox": box, "width": SIZE[0], "height": SIZE[1]}
            for number, sent, box in (
                (1, "left cup", [4.0, 8.0, 24.5, 18.0]), (1, "the cup by the lamp", [4.0, 8.0, 24.5, 18.0]), (2, "door", [30.0, 2.0, 60.0, 46.0]),
            )
        ]  # fmt: skip
        write_json(f"{name}/{stem}_val.jsonl", rows, [row["image"] for row in rows], lines=True)
        _source(name, stem)


FIXTURES: dict[str, Callable[[], None]] = {
    "refcoco": refcoco,
    "screenspot": screenspot,
    "screenspot-v2": screenspot_v2,
    "screenspot-pro": screenspot_pro,
}


if __name__ == "__main__":
    for fixture in sys.argv[1:] or FIXTURES:
        FIXTURES[fixture]()
