"""Writes the fixtures of benchmarks of places: points in masks and polygons, elements of screens, moments (see make_fixtures.py).

python tests/data/make_place_fixtures.py [NAME …]
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from datasets import List, Value
from make_fixtures import HERE, film, picture, write, write_json
from PIL import Image, ImageDraw

SIZE = (64, 48)
"""Pixels of every drawn picture."""


def _source(name: str, title: str) -> None:
    text = (
        f"# Rows in the schema of {title}\n\nWritten for this project (Apache-2.0, as the rest of it): questions, answers and pictures are our\n"
        "own, the columns and their types those of the data set. No published row stands here.\n"
    )
    (HERE / name / "SOURCE.md").write_text(text, encoding="utf-8")


def _mask(box: Sequence[int], form: str = "PNG", mode: str = "L") -> bytes:
    """A picture that is white in a box (left, top, right and bottom, the latter two outside), else black."""
    image = Image.new(mode, SIZE)
    left, top, right, bottom = box
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill="white" if mode == "RGB" else 255)
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def _jpeg(text: str) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture(text)["bytes"])).save(buffer, "JPEG")
    return buffer.getvalue()


def where2place() -> None:
    """The authors' lines beside folders of pictures and JPEG masks, and the hub copy with both in the row."""
    after = " Your answer should be formatted as a list of tuples, i.e. [(x1, y1), (x2, y2), ...]."
    rows = [
        ("00", "Find free space left of the cup.", (8, 8, 24, 24)),
        ("01", "Mark an empty spot on the upper shelf.", (32, 16, 56, 40)),
    ]
    folder = HERE / "where2place-authors"
    lines = []
    for number, (stem, question, box) in enumerate(rows):
        lines.append(
            {"question_id": number, "image": f"{stem}.jpg", "text": question + after, "category": "free space"}
        )
        for kind, data in (("images", _jpeg(stem)), ("masks", _mask(box, "JPEG"))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{stem}.jpg").write_bytes(data)
    (folder / "point_questions.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    hub = [
        {"question_id": str(number), "question": question, "question_type": "where2place", "image": picture(stem), "mask": {"bytes": _mask(box, "JPEG"), "path": f"{stem}.jpg"}}
        for number, (stem, question, box) in enumerate(rows)
    ]  # fmt: skip
    write("where2place/FlagEval/Where2Place/data/test-00000-of-00001.parquet", hub, ["image", "mask"])
    _source("where2place-authors", "Where2Place")
    _source("where2place", "the hub copy of Where2Place")


def refspatial() -> None:
    """The hub's three splits, and one folder of the authors' raw files."""
    suffix = "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)]."
    splits = {
        "location": [("the mug", "Please point out the mug nearest to the lamp.", 1, (8, 8, 24, 24)), ("the box", "Please point out the second box from the left.", 2, (32, 16, 56, 40))],
        "placement": [("the free spot", "Please point out the free spot between the plates.", 2, (0, 20, 20, 40))],
        "unseen": [("the spot", "Please point out the spot behind the tallest bottle.", 3, (40, 0, 64, 20))],
    }  # fmt: skip
    whole = {"id": Value("int64"), "step": Value("int64")}
    for split, rows in splits.items():
        table = [
            {"id": number, "image": picture(f"{split[:3]}{number}"), "mask": {"bytes": _mask(box, mode="RGB"), "path": f"{number}.png"}, "object": thing, "prompt": prompt,
             "suffix": suffix, "step": step}
            for number, (thing, prompt, step, box) in enumerate(rows)
        ]  # fmt: skip
        write(
            f"refspatial-hub/BAAI/RefSpatial-Bench/data/{split}-00000-of-00001.parquet",
            table,
            ["image", "mask"],
            **whole,
        )
        folder = HERE / "refspatial" / split.capitalize()
        for kind in ("image", "mask"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        questions = []
        for number, (thing, prompt, step, box) in enumerate(rows):
            (folder / "image" / f"{number}.png").write_bytes(picture(f"{split[:3]}{number}")["bytes"])
            (folder / "mask" / f"{number}.png").write_bytes(_mask(box))
            questions.append(
                {"id": number, "object": thing, "prompt": prompt, "suffix": suffix, "rgb_path": f"image/{number}.png", "mask_path": f"mask/{number}.png", "category": split, "step": step}
            )  # fmt: skip
        (folder / "question.json").write_text(json.dumps(questions, indent=1) + "\n", encoding="utf-8")
    _source("refspatial", "RefSpatial-Bench's raw folders")
    _source("refspatial-hub", "RefSpatial-Bench")


def robospatial_home() -> None:
    """The hub's three splits, and the list that the authors' download script writes of them."""
    ask = " Answer yes or no."
    after = " Your answer should be formatted as a list of tuples, i.e. [(x1, y1), ...]."
    polygon = "[(0.125, 0.25), (0.5, 0.25), (0.5, 0.75), (0.125, 0.75)]"
    splits = {
        "configuration": [("Is the lamp left of the sofa?" + ask, "Yes"), ("Is the mug behind the book?" + ask, "No")],
        "compatibility": [("Can the mug fit left of the lamp?" + ask, "No")],
        "context": [("Point out free space in front of the sofa." + after, polygon)],
    }
    listed: list[dict[str, Any]] = []
    for split, rows in splits.items():
        table: list[dict[str, Any]] = []
        for number, (question, answer) in enumerate(rows):
            name = f"img_{split}_{number}.png"
            row = {"category": split, "question": question, "answer": answer}
            table.append(
                row
                | {
                    "img": picture(name[4:9]),
                    "depth_image": picture("depth"),
                    "mask": {"bytes": _mask((8, 12, 32, 36)), "path": "mask.png"},
                }
            )
            listed.append(row | {"img": f"images/{name}", "depth_image": None, "mask": None})
            target = HERE / "robospatial-home" / "images" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(picture(name[4:9])["bytes"])
        path = f"robospatial-home-hub/chanhee-luke/RoboSpatial-Home/data/{split}-00000-of-00001.parquet"
        write(path, table, ["img", "depth_image", "mask"])
    text = json.dumps(listed, indent=2) + "\n"
    (HERE / "robospatial-home" / "annotations.json").write_text(text, encoding="utf-8")
    _source("robospatial-home", "RoboSpatial-Home, as its download script writes it")
    _source("robospatial-home-hub", "RoboSpatial-Home")


def ui_vision() -> None:
    """A list for each kind of instruction; the corners of one box are out of order."""
    elements = (
        ("basic", "Save button", "GIMP", "icon", [4, 8, 24, 18], "gimp"),
        ("functional", "Undo the last change", "GIMP", "icon", [40.5, 30, 52, 44], "gimp"),
        ("spatial", "The icon left of the magnifier", "VLC Media Player", "text", [20, 40, 10, 30], "vlc"),
    )
    for kind, prompt, platform, sort, box, stem in elements:
        row = {
            "image_path": f"element_grounding/{stem}.png",
            "image_size": list(SIZE),
            "bbox": box,
            "platform": platform,
            "prompt_to_evaluate": prompt,
            "element_type": sort,
        }
        write_json(
            f"ui-vision/annotations/element_grounding/element_grounding_{kind}.json",
            [row],
            [f"../../images/{row['image_path']}"],
        )
    _source("ui-vision", "UI-Vision")


def charades_sta() -> None:
    """The lines of the authors' list, and the hub copy with times as half floats; two sentences share a film."""
    moments = (
        ("AB1CD", 0.0, 1.5, "a person opens a door."),
        ("AB1CD", 1.2, 3.0, "person turns on the light."),
        ("EF2GH", 0.5, 2.5, "the person sits down."),
    )
    for folder in ("charades-sta", "charades-sta-hub/lmms-lab/charades_sta"):
        for video in ("AB1CD", "EF2GH"):
            film(f"{folder}/Charades_v1_480/{video}.mp4")
    lines = "".join(f"{video} {start} {end}##{sentence}\n" for video, start, end, sentence in moments)
    (HERE / "charades-sta" / "charades_sta_test.txt").write_text(lines, encoding="utf-8")
    rows = [
        {"video": f"{video}.mp4", "caption": sentence, "timestamp": [start, end]}
        for video, start, end, sentence in moments
    ]
    write(
        "charades-sta-hub/lmms-lab/charades_sta/data/test-00000-of-00001.parquet",
        rows,
        timestamp=List(Value("float16")),
    )
    _source("charades-sta", "Charades-STA")
    _source("charades-sta-hub", "the hub copy of Charades-STA")


def mind2web() -> None:
    """Two tasks with the three operations, and a step whose element has no box, as the hub stores them."""

    def candidate(node: int, rect: str, tag: str = "button") -> str:
        attributes = {"backend_node_id": str(node), "bounding_box_rect": rect, "class": "own", "is_clickable": "true"}
        inner = json.dumps(attributes)
        return json.dumps(
            {
                "tag": tag,
                "attributes": inner,
                "is_original_target": True,
                "is_top_level_target": True,
                "backend_node_id": str(node),
            }
        )

    done = ["[textbox]  City -> TYPE: Rome", "[combobox]  Guests -> SELECT: 2 guests", "[button]  Search -> CLICK"]
    hidden = "-1,-1,-1,-1"
    steps = (
        ("task-a", 0, {"op": "TYPE", "original_op": "TYPE", "value": "Rome"}, [candidate(5, "4,8.5,20,10", "input")]),
        (
            "task-a",
            1,
            {"op": "SELECT", "original_op": "SELECT", "value": "2 guests"},
            [candidate(7, hidden), candidate(8, "30,8,20,12", "select")],
        ),
        ("task-a", 2, {"op": "CLICK", "original_op": "ENTER", "value": ""}, [candidate(9, "40,30,16,9")]),
        (
            "task-b",
            0,
            {"op": "CLICK", "original_op": "HOVER", "value": ""},
            [candidate(3, "0,0,12,12"), candidate(4, "2,2,4,4", "span")],
        ),
        ("task-b", 1, {"op": "CLICK", "original_op": "CLICK", "value": ""}, [candidate(6, hidden)]),
    )
    for split in ("test_task", "test_website", "test_domain"):
        rows = [
            {
                "action_uid": f"{split}-{task}-{index}",
                "raw_html": "<html></html>",
                "cleaned_html": "<html></html>",
                "operation": json.dumps(operation),
                "pos_candidates": found,
                "neg_candidates": [candidate(1, "0,0,64,48", "html")],
                "website": "own",
                "domain": "Travel",
                "subdomain": "Hotel",
                "annotation_id": task,
                "confirmed_task": "Find a room in Rome for two" if task == "task-a" else "Open the menu",
                "screenshot": picture(f"{task[-1]}{index}"),
                "action_reprs": done if task == "task-a" else ["[span]  Menu -> HOVER", "[link]  Hidden -> CLICK"],
                "target_action_index": str(index),
                "target_action_reprs": "own",
            }
            for task, index, operation, found in (steps if split == "test_task" else steps[2:4])
        ]
        texts = List(Value("string"))
        write(
            f"mind2web/osunlp/Multimodal-Mind2Web/data/{split}-00000-of-00001.parquet",
            rows,
            ["screenshot"],
            pos_candidates=texts,
            neg_candidates=texts,
            action_reprs=texts,
        )
    _source("mind2web", "Multimodal-Mind2Web")


def aitw() -> None:
    """Two groups of tasks, as SeeClick's file has them: touches as x, y from 0 to 1, elements as y, x, height, width in a row."""

    def step(
        stem: str,
        goal: str,
        kind: int,
        text: str,
        touch: tuple[float, float] = (-1.0, -1.0),
        lift: tuple[float, float] = (-1.0, -1.0),
        typed: str = "",
    ) -> dict[str, Any]:
        (HERE / "aitw" / "aitw_imgs" / "own").mkdir(parents=True, exist_ok=True)
        (HERE / "aitw" / "aitw_imgs" / "own" / f"{stem}.png").write_bytes(picture(stem, size=(48, 96))["bytes"])
        return {
            "ep_id": stem[0], "step": int(stem[1:]), "goal": goal, "img_filename": f"own/{stem}", "action_type_id": kind, "action_type_text": text,
            "annot_position": [0.1, 0.1, 0.05, 0.1, 0.6, 0.2, 0.1, 0.2], "touch": list(touch), "lift": list(lift), "type_text": typed,
        }  # fmt: skip

    goal = "open the clock"
    tasks = {
        "general": [
            [
                step("a0", goal, 6, "press home"),
                step("a1", goal, 4, "scroll up", (0.5, 0.2), (0.5, 0.8)),
                step("a2", goal, 4, "click", (0.25, 0.65), (0.26, 0.65)),
                step("a3", goal, 10, "status task complete"),
            ]
        ],
        "webshopping": [
            [step("b0", "search for socks", 3, "type", typed="socks"), step("b1", "search for socks", 7, "press enter")]
        ],
    }
    (HERE / "aitw" / "aitw_data_test.json").write_text(json.dumps(tasks, indent=1) + "\n", encoding="utf-8")
    _source("aitw", "AITW as SeeClick distributes it")


FIXTURES: dict[str, Callable[[], None]] = {
    "aitw": aitw,
    "mind2web": mind2web,
    "charades-sta": charades_sta,
    "ui-vision": ui_vision,
    "where2place": where2place,
    "refspatial": refspatial,
    "robospatial-home": robospatial_home,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FIXTURES:
        FIXTURES[name]()
