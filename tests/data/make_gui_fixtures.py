"""Writes the fixtures of screen and grounding benchmarks: own rows and pictures in the data sets' schemas (see make_fixtures.py).

python tests/data/make_gui_fixtures.py [NAME …]
"""

from __future__ import annotations

import json
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


def osworld_g() -> None:
    """A box, a polygon, an element that is not there, and the groups."""
    rows = [
        {"id": f"own-{number}", "image_path": f"{number}.png", "image_size": list(SIZE), "instruction": instruction, "box_type": kind,
         "box_coordinates": place, "GUI_types": ["Button"]}
        for number, (instruction, kind, place) in enumerate((
            ("Open the menu", "bbox", [4, 8, 20, 10]),
            ("Select the slice", "polygon", [10, 10, 40, 10, 10, 40]),
            ("Click the printer", "refusal", [-1, -1, -1, -1]),
        ))
    ]  # fmt: skip
    write_json("osworld-g/benchmark/OSWorld-G.json", rows, [f"images/{row['image_path']}" for row in rows])
    write_json("osworld-g/benchmark/OSWorld-G_refined.json", rows, [])
    groups = {
        "text_matching": [0],
        "element_recognition": [1],
        "layout_understanding": [0, 1],
        "fine_grained_manipulation": [],
        "refusal": [2],
    }
    classified = {name: [{"id": f"own-{number}"} for number in members] for name, members in groups.items()}
    write_json("osworld-g/benchmark/classification_result.json", {"classified": classified}, [])
    _source("osworld-g", "OSWorld-G")


def screenqa_short() -> None:
    """Questions with several accepted answers, and one without an answer."""
    rows = [
        {"screen_id": "1", "question": "What is the time?", "ground_truth": ["12:45", "12:45 pm"], "file_name": "1.jpg", "image": picture("12:45")},
        {"screen_id": "1", "question": "What is the name?", "ground_truth": ["<no answer>"], "file_name": "1.jpg", "image": picture("12:45")},
        {"screen_id": "2", "question": "Which city is shown?", "ground_truth": ["the city of Rome", "<no answer>"], "file_name": "2.jpg", "image": picture("Rome")},
    ]  # fmt: skip
    path = "screenqa-short/rootsautomation/RICO-ScreenQA-Short/data/{}-00000-of-00001.parquet"
    for split in ("test", "validation"):
        write(path.format(split), rows, ["image"], ground_truth=List(Value("string")))
    _source("screenqa-short", "RICO-ScreenQA-Short")


_ACTIONS = (
    {"action_type": "open_app", "app_name": "Clock"},
    {"action_type": "click", "x": 10, "y": 12},
    {"action_type": "input_text", "text": "seven o'clock"},
    {"action_type": "scroll", "direction": "down"},
    {"action_type": "navigate_back"},
    {"action_type": "wait"},
    {"action_type": "long_press", "x": 50, "y": 40},
)


def androidcontrol() -> None:
    """Two episodes in the data set's own actions; the same steps in AITZ's form; two rows of GUI-R1."""
    for level in ("high", "low"):
        folder = f"androidcontrol-{level}"
        rows = [
            {"episode_id": 1 + number // 4, "step": number % 4, "goal": "Set an alarm", "step_instruction": f"Do step {number}",
             "action": json.dumps(action), "screenshot": f"screens/{number}.png"}
            for number, action in enumerate(_ACTIONS)
        ]  # fmt: skip
        write_json(f"{folder}/androidcontrol.jsonl", rows, [row["screenshot"] for row in rows], lines=True)
        _source(folder, "AndroidControl")
    points = {"click": [10, 12], "long_press": [50, 40]}
    codes = {"click": 4, "long_press": 4, "scroll": 4, "input_text": 3, "navigate_back": 5, "wait": 1}
    steps = []
    for number, action in enumerate(_ACTIONS[1:]):
        kind = str(action["action_type"])
        x, y = points.get(kind, [32, 24])
        touch = [y / SIZE[1], x / SIZE[0]] if codes[kind] == 4 else [-1.0, -1.0]
        lift = [touch[0] - 0.3, touch[1]] if kind == "scroll" else touch
        steps.append({
            "episode_id": 7, "step_id": number, "episode_length": 7, "image_width": SIZE[0], "image_height": SIZE[1], "image_path": f"{number}.png",
            "instruction": "Set an alarm", "low_instruction": f"Do step {number}", "result_action_type": codes[kind], "result_touch_yx": str(touch),
            "result_lift_yx": str(lift), "duration": None, "result_action_text": str(action.get("text", "")),
            "ui_positions": str([[0.125, 0.0625, 0.25, 0.25]]), "subset": "android_control",
        })  # fmt: skip
    write_json("androidcontrol-aitz/test/android_control/7/7.json", steps, [str(step["image_path"]) for step in steps])
    _source("androidcontrol-aitz", "AITZ, with steps of AndroidControl")
    r1 = [
        {"image": picture("one"), "instruction": "Set an alarm", "history": "None", "task_type": "high", "id": f"r1-{number}", "gt_action": action,
         "gt_bbox": place, "gt_input_text": text}
        for number, (action, place, text) in enumerate((
            ("click", [10.0, 12.0], "no input text"), ("scroll", [-100.0, -100.0], "DOWN"), ("open_app", [-100.0, -100.0], "Clock"), ("wait", [-100.0, -100.0], "no input text"),
        ))
    ]  # fmt: skip
    write("androidcontrol-r1/androidcontrol_high_test.parquet", r1, ["image"], gt_bbox=List(Value("float64")))
    _source("androidcontrol-r1", "GUI-R1")


def gui_odyssey() -> None:
    """Two episodes of which one is in the test part."""
    steps = (
        ("CLICK", [[250, 500]], [200, 400, 300, 600]), ("CLICK", "KEY_HOME", None), ("SCROLL", [[500, 800], [500, 200]], None), ("TYPE", "New York", None),
        ("LONG_PRESS", [[750, 250]], None), ("COMPLETE", "", None),
    )  # fmt: skip
    for name in ("0001", "0002"):
        episode = {
            "episode_id": name,
            "device_info": {"device_name": "Pixel 7 Pro", "w": SIZE[0], "h": SIZE[1]},
            "task_info": {"category": "General_Tool", "app": ["Clock"], "meta_task": "Set {}", "task": "Set it", "instruction": "Set an alarm for New York"},
            "step_length": len(steps),
            "steps": [
                {"step": number, "screenshot": f"{name}_{number}.png", "action": action, "info": info, "sam2_bbox": box, "low_level_instruction": f"Do step {number}"}
                for number, (action, info, box) in enumerate(steps)
            ],
        }  # fmt: skip
        pictures = [f"../screenshots/{name}_{number}.png" for number in range(len(steps))] if name == "0001" else []
        write_json(f"gui-odyssey/annotations/{name}.json", episode, pictures)
    for split in ("random", "task", "device", "app"):
        write_json(f"gui-odyssey/splits/{split}_split.json", {"train": ["0002.json"], "test": ["0001.json"]}, [])
    _source("gui-odyssey", "GUI-Odyssey")


def magic_rich() -> None:
    """One or two steps of each part."""
    for part, said in (
        ("Routine", ["tap(500,500)", "scroll(500,500,up)", "text(500,100,你好)"]), ("Instruction", ["call_api(Amazon, open)", "long_press(100,200)"]),
        ("Complex", ["drag(100,500,900,500)", "screen_shot()"]), ("Handing_Exception", ["no_answer()", "action_completed()", "take_over(请您接管当前界面)"]),
    ):  # fmt: skip
        rows = [
            {"id": number, "query": f"任务 {number}", "images": [f"{number}.png"], "response": action} for number, action in enumerate(said)
        ]  # fmt: skip
        write_json(f"magic-rich/{part}/{part}.jsonl", rows, [f"images/{row['images'][0]}" for row in rows], lines=True)
    _source("magic-rich", "Magic-RICH")


FIXTURES: dict[str, Callable[[], None]] = {
    "androidcontrol": androidcontrol,
    "gui-odyssey": gui_odyssey,
    "magic-rich": magic_rich,
    "osworld-g": osworld_g,
    "screenqa-short": screenqa_short,
    "refcoco": refcoco,
    "screenspot": screenspot,
    "screenspot-v2": screenspot_v2,
    "screenspot-pro": screenspot_pro,
}


if __name__ == "__main__":
    for fixture in sys.argv[1:] or FIXTURES:
        FIXTURES[fixture]()
