"""Writes the fixtures of detection benchmarks: own boxes and pictures in the data sets' own files (see make_fixtures.py).

python tests/data/make_detection_fixtures.py [NAME …]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from datasets import List, Value
from make_fixtures import HERE, picture, write, write_json

BOXES = [[4, 6, 20, 10], [30, 20, 16, 9], [2, 30, 12, 12]]
"""x, y, width, height in pictures of 64 × 48 pixels."""


def _source(name: str, title: str) -> None:
    text = (
        f"# Annotations in the form of {title}\n\nWritten for this project (Apache-2.0, as the rest of it): boxes and pictures are our own, the\n"
        "files and their keys those of the data set. No published row stands here.\n"
    )
    (HERE / name / "SOURCE.md").write_text(text, encoding="utf-8")


def _content(names: Sequence[tuple[int, str]], files: Sequence[str], **image: Any) -> dict[str, Any]:
    """Three pictures in an order that is not that of their ids: two classes, one with a crowd, and none at all."""
    images = [
        {"id": number, "file_name": file, "width": 64, "height": 48, **image}
        for number, file in zip((30, 12, 21), files, strict=True)
    ]
    first, second = names[0][0], names[-1][0]
    rows = [(12, first, BOXES[0], 0), (12, second, BOXES[1], 0), (30, first, BOXES[2], 0), (30, first, BOXES[1], 1)]
    annotations = [
        {"id": number, "image_id": one, "category_id": category, "bbox": box, "area": box[2] * box[3] * 0.8, "iscrowd": crowd}
        for number, (one, category, box, crowd) in enumerate(rows, 1)
    ]  # fmt: skip
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in names],
    }


def _write(path: str, content: dict[str, Any], pictures: Sequence[str]) -> None:
    write_json(path, content, pictures)


def coco() -> None:
    files = ["000000000030.jpg", "000000000012.jpg", "000000000021.jpg"]
    for name in ("coco", "coco-few-shot"):
        content = _content([(17, "cat"), (18, "dog")], files)
        _write(f"{name}/annotations/instances_val2017.json", content, [f"../val2017/{file}" for file in files])
        _source(name, "COCO")


def lvis() -> None:
    files = ["val2017/000000000030.jpg", "val2017/000000000012.jpg", "val2017/000000000021.jpg"]
    content = _content([(3, "garden_gnome"), (9, "cup")], files)
    for entry, file in zip(content["images"], files, strict=True):
        del entry["file_name"]
        entry |= {"coco_url": f"images/{file}", "neg_category_ids": [9], "not_exhaustive_category_ids": []}
    content["images"][0]["not_exhaustive_category_ids"] = [3]
    content["categories"][0]["frequency"], content["categories"][1]["frequency"] = "r", "f"
    for entry in content["annotations"]:
        del entry["iscrowd"]
    _write("lvis-few-shot/lvis_v1_val.json", content, files)
    _source("lvis-few-shot", "LVIS")


def odinw() -> None:
    rows = [
        {"dataset_name": name, "image": picture(name), "categories": ["fish", "jellyfish"], "bboxes": boxes, "labels": labels}
        for name, boxes, labels in (
            ("Aquarium", [[4.0, 6.0, 24.0, 16.0], [30.0, 20.0, 46.0, 29.0]], ["fish", "jellyfish"]),
            ("Raccoon", [[2.0, 30.0, 14.0, 42.0]], ["fish"]),
        )
    ]  # fmt: skip
    write(
        "odinw-13/data/test-00000-of-00001.parquet", rows, ["image"],
        categories=List(Value("string")), bboxes=List(List(Value("float64"))), labels=List(Value("string")),
    )  # fmt: skip
    _source("odinw-13", "ODinW-13 on the hub (kcz358/ODinW-13)")


def ovdeval() -> None:
    files = ["a.jpg", "b.jpg", "c.jpg"]
    for task in ("negation", "color"):
        content = _content(
            [(1, "a cup that is not red"), (2, "a red cup")],
            files,
            text=["a cup that is not red"],
            neg_text=["a red cup"],
        )
        _write(f"ovdeval/annotations/{task}.json", content, [f"../images/{file}" for file in files])
    _source("ovdeval", "OVDEval")


def crowdhuman() -> None:
    lines = [
        {"ID": "273271,c9db000d5146c15", "gtboxes": [
            {"tag": "person", "hbox": [5, 6, 4, 4], "vbox": [4, 6, 18, 10], "fbox": BOXES[0], "head_attr": {"ignore": 0}, "extra": {"box_id": 0, "occ": 0}},
            {"tag": "person", "hbox": [1, 1, 2, 2], "vbox": [30, 20, 16, 9], "fbox": BOXES[1], "head_attr": {}, "extra": {"box_id": 1, "ignore": 1}},
            {"tag": "mask", "hbox": [1, 1, 2, 2], "vbox": [2, 30, 12, 12], "fbox": BOXES[2], "head_attr": {}, "extra": {"ignore": 1}},
        ]},
        {"ID": "273278,c9db000c1b3d3b9a", "gtboxes": [
            {"tag": "person", "hbox": [5, 6, 4, 4], "vbox": [2, 30, 12, 12], "fbox": BOXES[2], "head_attr": {}, "extra": {"box_id": 0}},
        ]},
    ]  # fmt: skip
    write_json("crowdhuman/annotation_val.odgt", lines, [f"Images/{line['ID']}.jpg" for line in lines], lines=True)
    _source("crowdhuman", "CrowdHuman")


def pedestrians() -> None:
    for name, file, label in (
        ("citypersons", "val_gt_for_mmdetction.json", "pedestrian"),
        ("widerpedestrian", "val.json", "pedestrain"),
    ):
        files = ["frankfurt_30.png", "frankfurt_12.png", "frankfurt_21.png"]
        content = _content([(1, label)], files)
        for entry in content["annotations"]:
            entry |= {"ignore": entry["iscrowd"], "iscrowd": 0}
            del entry["area"]
        _write(f"{name}/{file}", content, [f"images/{one}" for one in files])
        _source(name, "the COCO form of its annotations in Pedestron")


def uavdt() -> None:
    folder = HERE / "uavdt" / "UAV-benchmark-MOTD_v1.0" / "GT"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "M0203_gt_whole.txt").write_text(
        "1,1,4,6,20,10,1,1,1\n2,1,5,6,20,10,1,1,1\n1,2,30,20,16,9,1,1,3\n", encoding="utf-8"
    )
    (folder / "M0203_gt_ignore.txt").write_text("1,1,2,30,12,12,-1,-1,-1\n", encoding="utf-8")
    for frame in (1, 2):
        path = HERE / "uavdt" / "UAV-benchmark-M" / "M0203" / f"img{frame:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(str(frame))["bytes"])
    _source("uavdt", "UAVDT")


ALL: dict[str, Callable[[], None]] = {
    one.__name__: one for one in (coco, lvis, odinw, ovdeval, crowdhuman, pedestrians, uavdt)
}

if __name__ == "__main__":
    for chosen in sys.argv[1:] or ALL:
        ALL[chosen]()
