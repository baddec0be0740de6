"""Writes the fixtures of the spatial, hallucination and perception benchmarks in the data sets' schemas (see make_fixtures.py).

python tests/data/make_spatial_fixtures.py [NAME …]
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from datasets import List, Value
from make_fixtures import HERE, film, picture, write

TEXTS = List(Value("string"))
TEST = "data/test-00000-of-00001.parquet"
BSD = "BSD-3-Clause, rows of HallusionBench.json of tianyi-lab/HallusionBench @744007c"
OWN = "written for this project (Apache-2.0, as the rest of it)"
OF_VLMEVALKIT = "of open-compass/VLMEvalKit @2a1b2b5 (predictions on CV-Bench-3D, Apache-2.0)"


def source(folder: str, title: str, rows: str) -> None:
    """Write SOURCE.md."""
    text = f"# Rows in {title}'s schema\n\n{rows[0].upper()}{rows[1:]}, with pictures drawn here.\n"
    (HERE / folder / "SOURCE.md").write_text(text, encoding="utf-8")


def hallusionbench() -> None:
    """Two sets with two figures each, three and four questions; as parquet of the hub, and as the repository's JSON."""
    chart = "According to the chart, does {} have the {} largest population in the world{}?"
    after = ", followed by {}"
    charts = (
        chart.format("China", "", after.format("India and then the USA")).replace("the  largest", "the largest"),
        chart.format("India", "second", ""),
        chart.format("UK", "", after.format("China and USA")).replace("the  largest", "the largest"),
        chart.format("China", "second", ""),
    )
    circles = tuple(
        f"Is the right orange circle {how} the left orange circle?"
        for how in ("the same size as", "larger than", "smaller than")
    )
    rows: list[dict[str, Any]] = []
    for category, kind, note, number, figure, seen, questions, golds in (
        ("VS", "chart", "population", "3", "1", "2", charts, "0001"),
        ("VS", "chart", "population", "3", "2", "2", charts, "0011"),
        ("VD", "illusion", "circle", "0", "0", "1", circles, "100"),
        ("VD", "illusion", "circle", "0", "1", "2", circles, "010"),
    ):
        rows += [
            {"category": category, "subcategory": kind, "visual_input": seen, "set_id": number, "figure_id": figure,
             "sample_note": note, "question_id": str(index), "question": question, "gt_answer_details": "",
             "gt_answer": gold, "filename": f"./{category}/{kind}/{number}_{figure}.png"}
            for index, (question, gold) in enumerate(zip(questions, golds, strict=True))
        ]  # fmt: skip
    write(
        "hallusionbench/data/image-00000-of-00001.parquet",
        [row | {"image": picture(row["filename"][-7:])} for row in rows],
        ["image"],
    )
    asked = "Does India have the second largest population in the world in 2021?"
    without = rows[1] | {"visual_input": "0", "figure_id": "0", "question": asked, "gt_answer": "1", "filename": None}
    _json("hallusionbench/HallusionBench.json", [without, *rows])
    for name in {row["filename"] for row in rows}:
        _picture(f"hallusionbench/hallusion_bench/{name}")
    source("hallusionbench", "HallusionBench", BSD)


def pope() -> None:
    """Two photographs' questions of each of the three files."""
    for split, absent in (
        ("random", ("car", "sandwich")),
        ("popular", ("car", "chair")),
        ("adversarial", ("backpack", "car")),
    ):
        first = [("snowboard", "yes"), (absent[0], "no"), ("person", "yes"), (absent[1], "no")]
        rows = [
            {"question_id": number, "image": "COCO_val2014_000000310196.jpg", "text": f"Is there a {thing} in the image?", "label": gold}
            for number, (thing, gold) in enumerate(first, 1)
        ]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (HERE / "pope").mkdir(exist_ok=True)
        (HERE / f"pope/coco_pope_{split}.json").write_text(lines, encoding="utf-8")
    _picture("pope/val2014/COCO_val2014_000000310196.jpg")
    cell = b64encode(picture("snow")["bytes"]).decode()
    table = [
        ("index", "image", "question", "answer", "category"),
        ("0", cell, "Is there a snowboard in the image? Please answer yes or no.", "Yes", "adversarial,random,popular"),
        ("1", "0", "Is there a car in the image? Please answer yes or no.", "No", "random,popular"),
    ]
    (HERE / "pope/POPE.tsv").write_text("".join("\t".join(row) + "\n" for row in table), encoding="utf-8")
    source("pope", "POPE", "questions in the form of AoiDragon/POPE (MIT), some of them its own")


def cv_bench() -> None:
    """One question of each task, from each of the three sources."""
    own = [
        ("2D", "Count", "ADE20K", "How many chairs are in the image?", ["3", "2", "0", "1"], "(B)", "ade_1.jpg"),
        ("2D", "Count", "COCO", "How many dogs are in the image?", ["1", "2", "4", "0", "3"], "(E)", "coco_1.jpg"),
        ("2D", "Relation", "COCO", "Where is the cup with respect to the plate?", ["above", "below"], "(A)", "coco_2.jpg"),
        ("3D", "Depth", "Omni3D",
         "Which object is closer to the camera taking this photo, the table (highlighted by a red box) or the bookcase (highlighted by a blue box)?",
         ["table", "bookcase"], "(A)", "frame.0003.tonemap.jpg"),
        ("3D", "Distance", "Omni3D",
         "Estimate the real-world distances between objects in this image. Which object is closer to the lamp (highlighted by a red box), the television (highlighted by a blue box) or the table (highlighted by a green box)?",
         ["television", "table"], "(B)", "frame.0002.tonemap.jpg"),
    ]  # fmt: skip
    rows = [
        {"idx": number, "type": kind, "task": task, "image": picture(task), "question": question, "choices": choices, "answer": answer,
         "prompt": f"{question} Select from the following choices.\n" + "\n".join(f"({letter}) {choice}" for letter, choice in zip("ABCDE", choices, strict=False)),
         "filename": f"img/{number}.jpg", "source": where, "source_dataset": where, "source_filename": name}
        for number, (kind, task, where, question, choices, answer, name) in enumerate(own)
    ]  # fmt: skip
    write(f"cv-bench/{TEST}", rows, ["image"], idx=Value("int64"), choices=TEXTS)
    source("cv-bench", "CV-Bench", f"the two questions in three dimensions are {OF_VLMEVALKIT}, the others {OWN}")


def blink() -> None:
    """Two of the fourteen tasks, with one and with two images."""
    for task, question, choices, answer, count in (
        ("Counting", "How many eggs are in the basket?", ["3", "4", "6", "0"], "(C)", 1),
        ("Visual_Similarity", "Which image is most similar to the reference image?", ["the second image", "the third image"], "(A)", 3),
    ):  # fmt: skip
        listed = "\n".join(f"({letter}) {choice}" for letter, choice in zip("ABCD", choices, strict=False))
        cells = {
            f"image_{number}": picture(f"{task[:5]}{number}") if number <= count else None for number in range(1, 5)
        }
        row = {
            "idx": f"val_{task}_1", "question": question, "sub_task": task, **cells, "choices": choices, "answer": answer,
            "prompt": f"{question}\nSelect from the following choices.\n{listed}", "explanation": "",
        }  # fmt: skip
        write(f"blink/{task}/val-00000-of-00001.parquet", [row], list(cells), choices=TEXTS)
    source("blink", "BLINK", OWN)


def vsi_bench() -> None:
    """A question of each type, about two tiny videos."""
    options = ["A. chair", "B. table", "C. lamp", "D. door"]
    kinds = [
        ("object_counting", None, "4"), ("object_abs_distance", None, "1.5"), ("object_size_estimation", None, "80"),
        ("room_size_estimation", None, "21.4"), ("object_rel_distance", options, "C"), ("object_rel_direction_easy", options[:2], "A"),
        ("object_rel_direction_medium", options[:3], "B"), ("object_rel_direction_hard", options, "D"), ("route_planning", options[:3], "C"),
        ("obj_appearance_order", options, "A"),
    ]  # fmt: skip
    rows = [
        {"id": number, "dataset": where, "scene_name": scene, "question_type": kind, "question": f"Own question about {kind}?",
         "ground_truth": gold, "options": choices, "pruned": False}
        for number, (kind, choices, gold) in enumerate(kinds)
        for where, scene in [(("arkitscenes", "41069025"), ("scannet", "scene0011_00"))[number % 2]]
    ]  # fmt: skip
    for name, chosen in (("test", rows), ("test_debiased", rows[:3])):
        _lines(f"vsi-bench/{name}.jsonl", chosen)
    for folder, scene in (("arkitscenes", "41069025"), ("scannet", "scene0011_00")):
        film(f"vsi-bench/{folder}/{scene}.mp4")
    source("vsi-bench", "VSI-Bench", OWN)


def spbench() -> None:
    """A number and a choice; one image, and several."""
    for part, count in (("SI", 1), ("MV", 3)):
        folder = f"spbench-{part.lower()}"
        names = [f"frames/{number}.png" for number in range(count)]
        rows = [
            {"id": number, "scene_name": "scene0011_00", "images": names, "question_type": kind, "question": f"Own question about {kind}?",
             "options": options, "ground_truth": gold}
            for number, (kind, options, gold) in enumerate(
                (("object_abs_distance", None, "2.1"), ("object_rel_direction", ["A. left", "B. right"], "B"))
            )
        ]  # fmt: skip
        _table(f"{folder}/SPBench-{part}.parquet", rows)
        for name in names:
            _picture(f"{folder}/{name}")
        source(folder, f"SPBench-{part}", OWN)


def spar_bench() -> None:
    """A number, a choice and a change of view."""
    rows = [
        {"id": str(number), "image": [picture(str(number))], "question": question, "answer": answer, "task": task, "img_type": kind, "format_type": form}
        for number, (question, answer, task, kind, form) in enumerate(
            (
                ("How far is the chair, in metres?", "2.4", "depth_prediction_oc", "single-view", "fill"),
                ("Where is the lamp? A. left B. right C. behind D. above", "C", "obj_spatial_relation_oo", "single-view", "select"),
                ("How did the camera move?", "A", "camera_motion_infer", "multi-view", "select"),
                ("How does the view change?", "move_right:0.3,move_down:0.2,rotate_left:15", "view_change_infer", "multi-view", "fill"),
            )
        )
    ]  # fmt: skip
    _table(f"spar-bench/{TEST}", rows)
    _table("spar-bench/tiny/test-00000-of-00001.parquet", rows[:1])
    source("spar-bench", "SPAR-Bench", OWN)


def several() -> None:
    """Benchmarks of multiple choice and of counting, two rows each."""
    cell, text = picture("room"), b64encode(picture("room")["bytes"]).decode()
    view = [
        {"question_type": f"{who} perspective - Relative Direction", "image_path": ["images/a.png"], "question": "Where is the door?",
         "answer": answer, "choices": "A. left\nB. right\nC. front"}
        for who, answer in (("Camera", "B. right"), ("Person", "A. left"))
    ]  # fmt: skip
    _json("viewspatial/ViewSpatial-Bench.json", view)
    _picture("viewspatial/images/a.png")
    asked = "Which way? Options: A: north, B: south, C: east, D: west"
    _table(
        f"mmsi-bench/{TEST}",
        [
            {"id": n, "images": [cell["bytes"]] * 2, "question_type": kind, "question": asked, "answer": "CB"[n]}
            for n, kind in enumerate(("Motion (Cam.)", "MSR"))
        ],
    )
    cube = [
        {"id": f"{kind}_group001_q{n}", "category": ["own"], "type": "own", "meta_info": [], "images": ["other_all_image/a.png", "other_all_image/b.png"],
         "question": "What is behind you? A. Door B. Lamp C. Bed", "gt_answer": "BC"[n]}
        for n, kind in enumerate(("rotation", "among"))
    ]  # fmt: skip
    _lines("mindcube/raw/MindCube_tinybench.jsonl", cube)
    for name in "ab":
        _picture(f"mindcube/other_all_image/{name}.png")
    _table(
        f"omnispatial/{TEST}",
        [
            {
                "id": f"{n}_0",
                "image": cell,
                "question": "Which?",
                "options": ["x", "y", "z"],
                "answer": n + 1,
                "task_type": kind,
                "sub_task_type": "Own",
            }
            for n, kind in enumerate(("Perspective_Taking", "Complex_Logic"))
        ],
    )
    _table(
        f"embspatial/{TEST}",
        [
            {
                "question_id": f"q{n}",
                "image": cell,
                "question": "Which is it?",
                "relation": kind,
                "answer_options": ["above", "under", "left", "right"],
                "answer": 3 - n,
                "data_source": "own",
            }
            for n, kind in enumerate(("left", "under"))
        ],
    )
    head = "index\timage\tquestion\tanswer\ttype\tdifficulty_city\tcountry\tcity\n"
    plus = [
        (n, text if n == 0 else "0", "How many lines?", answer, kind, level, "x", "y")
        for n, (answer, kind, level) in enumerate(
            (
                (2, "Counting1", "easy"),
                (14, "Counting2", "middle"),
                (7, "Counting3", "hard"),
                (1, "TorF1", "easy"),
                (0, "TorF2", "hard"),
            )
        )
    ]
    (HERE / "reasonmap-plus").mkdir(exist_ok=True)
    (HERE / "reasonmap-plus/ReasonMap-Plus.tsv").write_text(
        head + "".join("\t".join(map(str, row)) + "\n" for row in plus), encoding="utf-8"
    )
    _table(
        f"v-star/{TEST}",
        [
            {
                "image": cell,
                "text": "What colour is the flag?\n(A) red\n(B) blue\n(C) green\nAnswer with the option's letter from the given choices directly.",
                "category": kind,
                "label": "CA"[n],
                "question_id": str(n),
            }
            for n, kind in enumerate(("direct_attributes", "relative_position"))
        ],
    )
    high = [
        {
            "index": n,
            "image": text,
            "question": "What is on the sign?",
            "answer": "AD"[n],
            "category": "single",
            "A": "one",
            "B": "two",
            "C": "three",
            "D": "four",
            "cycle_category": n,
        }
        for n in range(2)
    ]
    for size in "48":
        _table(f"hr-bench/hr_bench_{size}k.parquet", high)
    _table(
        f"visnumbench/{TEST}",
        [
            {
                "id": n,
                "question": "How wide is the angle?",
                "option": "A. 30°\nB. 60°\nC. 90°",
                "answer": "BC"[n],
                "image": cell,
                "class": "range estimation",
                "attribute": "angle",
            }
            for n in range(2)
        ],
    )
    _table(
        f"countbenchqa/{TEST}",
        [
            {"image": cell, "text": "", "question": "How many cups are there in the image?", "number": n + 4}
            for n in range(2)
        ],
    )
    _table(
        f"pixmo-count/{TEST}",
        [{"image": cell, "question": "How many cups are there?", "answer": str(n + 4)} for n in range(2)],
    )
    _lines(
        "clevr-count/superclevr_test200_counting_problems.jsonl",
        [
            {
                "image_path": "./images/a.png",
                "question": "How many different items are there in the image?",
                "ground_truth": n + 4,
            }
            for n in range(2)
        ],
    )
    _picture("clevr-count/images/a.png")
    _json(
        "tallyqa/test.json",
        [
            {
                "answer": n + 4,
                "data_source": ("imported_genome", "amt")[n],
                "image": "VG_100K/a.png",
                "image_id": 7,
                "issimple": n == 0,
                "question": ("How many cups are there?", "How many of the cups are on the table?")[n],
                "question_id": 100 + n,
            }
            for n in range(2)
        ],
    )
    _picture("tallyqa/VG_100K/a.png")
    _table(
        f"vicrit-bench/{TEST.replace('test', 'train')}",
        [
            {
                "image": cell["bytes"],
                "changed_caption": f"A room with {changed} and a door.",
                "original_noun_phrases": original,
                "changed_noun_phrases": changed,
            }
            for changed, original in (("two red chairs", "three red chairs"), ("a lamp", "a plant"))
        ],
    )
    for folder in (
        "viewspatial",
        "mmsi-bench",
        "mindcube",
        "omnispatial",
        "embspatial",
        "reasonmap-plus",
        "v-star",
        "hr-bench",
        "visnumbench",
        "countbenchqa",
        "pixmo-count",
        "clevr-count",
        "tallyqa",
        "vicrit-bench",
    ):
        source(folder, folder, OWN)


def _table(path: str, rows: Sequence[dict[str, Any]]) -> None:
    import pandas as pd

    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(target, index=False)


def _lines(path: str, rows: Sequence[dict[str, Any]]) -> None:
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _json(path: str, rows: Sequence[dict[str, Any]]) -> None:
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _picture(path: str) -> None:
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture(target.stem[-6:])["bytes"])


def scenes() -> None:
    """Questions about one scene in frames: ScanQA's file, and SQA3D's two."""
    scene = "scene0011_00"
    asked = (
        ("What is in the corner of the room?", ["brown cabinet", "a cabinet"]), ("Where is the trash can?", ["to right of door"]),
        ("How many chairs are around the table?", ["4", "four"]), ("What color is the rug?", ["dark blue"]),
        ("What type of table is in the middle?", ["round wooden table"]), ("Which side of the sofa is the lamp on?", ["left"]),
    )  # fmt: skip
    rows = [
        {"scene_id": scene, "object_id": [number], "object_names": ["cabinet"], "question_id": f"val-scene0011-{number}",
         "question": question, "answers": answers}
        for number, (question, answers) in enumerate(asked)
    ]  # fmt: skip
    _json("scanqa/ScanQA_v1.0_val.json", rows)
    for part in ("w", "wo"):
        hidden = [
            {key: value for key, value in row.items() if key not in ("answers", "object_id", "object_names")}
            for row in rows[:1]
        ]
        _json(f"scanqa/ScanQA_v1.0_test_{part}_obj.json", [row | {"question_id": f"test-{part}-0"} for row in hidden])
    situated = (
        ("What is to my left?", "chair"), ("Is the door open?", "no"), ("How many windows are behind me?", "2"),
        ("Can I see the TV?", "yes"), ("Which way do I turn for the sink?", "left"), ("Am I facing the window?", "no"),
    )  # fmt: skip
    for split, first in (("test", 220602000000), ("val", 220602000100)):
        questions = [
            {"scene_id": scene, "situation": "I am sitting on the sofa and facing the table.", "alternative_situation": [],
             "question": question, "question_id": first + number}
            for number, (question, _) in enumerate(situated)
        ]  # fmt: skip
        notes = [
            {"scene_id": scene, "question_type": "N/A", "answers": [{"answer": answer, "answer_confidence": "yes", "answer_id": 1}],
             "question_id": first + number, "answer_type": "other", "position": {"x": 0.1, "y": 0.2, "z": 0.0},
             "rotation": {"_x": 0.0, "_y": 0.0, "_z": 0.0, "_w": 1.0}}
            for number, (_, answer) in enumerate(situated)
        ]  # fmt: skip
        _json(f"sqa3d/v1_balanced_questions_{split}_scannetv2.json", {"license": "own", "questions": questions})
        _json(f"sqa3d/v1_balanced_sqa_annotations_{split}_scannetv2.json", {"license": "own", "annotations": notes})
    for name in ("scanqa", "sqa3d"):
        for number in range(3):
            _picture(f"{name}/frames/{scene}/{number}.png")
        film(f"{name}/videos/{scene}.mp4")
        source(name, {"scanqa": "ScanQA", "sqa3d": "SQA3D"}[name], OWN)


def reasonmap() -> None:
    """Two cities of our own, one of them in China, with and without a change."""
    lines = {
        "norway/lillevik": {"Line 1": ["Fjord Station", "Market Station (Transfer Station)", "Hill Station"],
                            "Line 2": ["Harbour Station", "Market Station (Transfer Station)", "Church Station", "Airport Station"]},
        "china/xiaogang": {"Line 3": ["东门站", "河岸站", "中央站（换乘站）", "西门站"], "昌平线": ["中央站（换乘站）", "北山站"]},
    }  # fmt: skip
    for place, network in lines.items():
        _json(f"reasonmap/stations/{place}.json", network)
    rule = "Answer with sections apart by --: Route Name, Departure Stop, Arrival Stop"
    trips = (
        ("norway", "lillevik", "Fjord Station", "Airport Station", "Number of Via Stops: ", "hard",
         [[("1", "Fjord", "Market", [], 0), ("2 Line", "Market", "Airport", ["Church"], 1)]]),
        ("norway", "lillevik", "Fjord Station", "Hill Station", "Number of Via Stops: ", "easy", [[("1 Line", "Fjord", "Hill", ["Market"], 1)]]),
        ("china", "xiaogang", "东门站", "西门站", "Via Stops: ", "middle", [[("地铁3号线(东门--西门)", "东门", "西门", ["河岸", "中央"], 2)], []]),
    )  # fmt: skip
    rows = [
        {"country": country, "city": city, "station_1": first, "station_2": last, "question_short": f"How do I get from {first} to {last}? {rule}.",
         "question_long": f"How do I get from {first} to {last}? {rule}, {more}", "difficulty_question": hard, "difficulty_city": hard,
         "city_line_count": 2, "figure": b64encode(picture(city)["bytes"]).decode(),
         "routes": {f"plan_{number}": [dict(zip(("route_name", "departure_stop", "arrival_stop", "via_stops", "num_via_stops"), leg, strict=True)) for leg in plan] or None
                    for number, plan in enumerate(plans)}}
        for country, city, first, last, more, hard, plans in trips
    ]  # fmt: skip
    _table("reasonmap/data/validation-00000-of-00001.parquet", rows)
    source("reasonmap", "ReasonMap", OWN)


FIXTURES: dict[str, Callable[[], None]] = {
    "hallusionbench": hallusionbench, "pope": pope, "cv-bench": cv_bench, "blink": blink, "vsi-bench": vsi_bench, "spbench": spbench,
    "spar-bench": spar_bench, "several": several, "scenes": scenes, "reasonmap": reasonmap,
}  # fmt: skip

if __name__ == "__main__":
    for name in sys.argv[1:] or FIXTURES:
        FIXTURES[name]()
