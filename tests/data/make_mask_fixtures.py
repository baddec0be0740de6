"""Writes the fixtures of benchmarks with masks, heat maps and 3D boxes: own rows and pictures in the data sets' layouts.

python tests/data/make_mask_fixtures.py [NAME …]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

from datasets import List, Value
from make_fixtures import HERE, picture, write, write_json


def _source(name: str, title: str) -> None:
    text = (
        f"# Rows in the schema of {title}\n\nWritten for this project (Apache-2.0, as the rest of it): questions, masks and pictures are our\n"
        "own, the columns and their types those of the data set. No published row stands here.\n"
    )
    (HERE / name).mkdir(parents=True, exist_ok=True)
    (HERE / name / "SOURCE.md").write_text(text, encoding="utf-8")


def _shape(label: str, x1: int, y1: int, x2: int, y2: int) -> dict[str, Any]:
    points = [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
    return {"label": label, "labels": [label], "shape_type": "polygon", "points": points, "group_id": None, "flags": {}}


def reasonseg() -> None:
    """An annotation per picture; one is in Windows-1252, and one has pixels that do not count."""
    for split, stem, text, sentence, shapes in (
        ("val", "lamp", ["the thing that gives light"], False, [_shape("target", 10, 10, 29, 29)]),
        ("val", "cup", ["Where would the café’s guest drink from?", "What holds coffee?"], True, [_shape("target", 30, 8, 49, 27), _shape("ignore", 30, 8, 39, 17), _shape("flag", 0, 0, 1, 1)]),
        ("val", "desk", ["what carries all the others"], False, [_shape("target", 0, 30, 63, 47), _shape("target", 20, 20, 24, 32)]),
        ("test", "door", ["where one leaves"], True, [_shape("target", 5, 5, 20, 40)]),
    ):  # fmt: skip
        target = HERE / "reasonseg" / split / f"{stem}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"text": text, "is_sentence": sentence, "shapes": shapes}, ensure_ascii=False)
        target.write_bytes(content.encode("cp1252" if stem == "cup" else "utf-8"))
        target.with_suffix(".jpg").write_bytes(_jpeg(stem))
    _source("reasonseg", "ReasonSeg")


def _jpeg(text: str) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture(text)["bytes"])).save(buffer, "JPEG")
    return buffer.getvalue()


def reasonaff() -> None:
    """Masks as rows of booleans, boxes as text of two corners each."""
    rows = []
    for number, (problem, box) in enumerate(
        (("Where do you hold the mug?", (8, 8, 20, 24)), ("What part cuts?", (30, 10, 60, 14)))
    ):
        table = [[box[0] <= x < box[2] and box[1] <= y < box[3] for x in range(64)] for y in range(48)]
        corners = str([[[box[0], box[1]], [box[2], box[3]]]])
        rows.append(
            {"id": f"aff_{number}", "problem": problem, "image": picture(f"aff{number}"), "mask": table, "bboxes": corners, "img_height": 48, "img_width": 64, "mask_h": 48, "mask_w": 64}
        )  # fmt: skip
    whole = dict.fromkeys(("img_height", "img_width", "mask_h", "mask_w"), Value("int64"))
    write(
        "reasonaff/hqking/ReasonAff/data/test-00000-of-00001.parquet",
        rows,
        ["image"],
        mask=List(List(Value("bool"))),
        **whole,
    )
    _source("reasonaff", "ReasonAff")


def agd20k() -> None:
    """A picture and a grey map for each."""
    import numpy as np
    from PIL import Image

    things = (("drink_with", "cup", (40, 20)), ("hold", "knife", (12, 30)))
    for split, (affordance, thing, centre) in product(("Unseen", "Seen"), things):
        root = HERE / "agd20k" / split / "testset"
        picture_path = root / "egocentric" / affordance / thing / f"{thing}_000001.jpg"
        map_path = root / "GT" / affordance / thing / f"{thing}_000001.png"
        for path in (picture_path, map_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        picture_path.write_bytes(_jpeg(thing))
        x, y = np.meshgrid(np.arange(64), np.arange(48))
        heat = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 50)
        Image.fromarray((heat * 255).astype(np.uint8)).save(map_path)
    _source("agd20k", "AGD20K")


def umd() -> None:
    """A line for each picture and affordance, masks as run-length codes."""
    from mmeval.verifiers.masks import encode_runs, from_boxes

    rows = [
        {"id": f"{tool}-{affordance}", "image": f"{tool}.png", "affordance": affordance, "mask": encode_runs(from_boxes([box], (64, 48)))}
        for tool, affordance, box in (("mug", "wrap-grasp", [4, 4, 20, 30]), ("mug", "contain", [24, 4, 40, 20]), ("knife", "cut", [8, 20, 60, 24]))
    ]  # fmt: skip
    write_json("umd/umd_test.jsonl", rows, ["mug.png", "knife.png"], lines=True)
    _source("umd", "UMD part affordances, as lines of mmeval's own")


def scanrefer() -> None:
    """Descriptions of ScanRefer and Nr3D, with the boxes of ScanNet beside each."""
    things = (
        (3, "chair", "the chair by the door", [0.5, 1.0, 0.4, 0.6, 0.6, 0.8]),
        (7, "lamp", "a tall lamp", [2.0, 1.5, 1.0, 0.4, 0.4, 1.8]),
    )
    rows = [
        {"scene_id": "scene0011_00", "object_id": str(number), "object_name": name, "ann_id": "0", "description": text, "bbox": box, "unique_multiple": "unique"}
        for number, name, text, box in things
    ]  # fmt: skip
    write_json("scanrefer/scanrefer_val.jsonl", rows, [], lines=True)
    rows = [
        {"assignmentid": number, "stimulus_id": f"scene0011_00-{name}-2-{number}-5", "scan_id": "scene0011_00", "target_id": number, "instance_type": name, "utterance": text, "bbox": box}
        for number, name, text, box in things
    ]  # fmt: skip
    write_json("nr3d/nr3d_val.jsonl", rows, [], lines=True)
    rows = [
        {"scene_id": "scene0011_00", "object_id": str(number), "object_name": name, "descriptions": [text, f"it is a {name}"], "bbox": box}
        for number, name, text, box in things
    ]  # fmt: skip
    for name in ("scanrefer", "nr3d"):
        write_json(f"{name}-caption/{name}_val_objects.jsonl", rows, [], lines=True)
        _source(name, f"{name}, with boxes")
        _source(f"{name}-caption", f"{name}, object by object")


def classes() -> None:
    """Pictures in folders of their classes, and lists of pictures."""
    for name, folders in (
        ("flower102", ("bird_of_paradise", "rose")),
        ("cars196", ("BMW M3 Coupe 2012", "Audi TT RS Coupe 2012")),
    ):
        for folder in folders:
            path = HERE / name / "test" / folder / f"{name}_{folders.index(folder)}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_jpeg(folder[:6]))
        _source(name, f"{name}, a folder per class")
    for name, listed, text in (
        ("fgvc-aircraft", "images_variant_test.txt", "1514522 707-320\n0747566 Boeing 717\n"),
        (
            "pets37",
            "annotations/test.txt",
            "#Image CLASS-ID SPECIES BREED ID\nAbyssinian_201 1 1 1\namerican_bulldog_203 2 2 1\n",
        ),
    ):
        path = HERE / name / listed
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        (HERE / name / "images").mkdir(exist_ok=True)
        for line in text.splitlines():
            if not line.startswith("#"):
                picture_name = line.split()[0]
                (HERE / name / "images" / f"{picture_name}.jpg").write_bytes(_jpeg(picture_name[:6]))
        _source(name, name)


MAKERS: dict[str, Callable[[], None]] = {
    "reasonseg": reasonseg,
    "reasonaff": reasonaff,
    "agd20k": agd20k,
    "umd": umd,
    "scanrefer": scanrefer,
    "classes": classes,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        MAKERS[name]()
    _ = write_json
