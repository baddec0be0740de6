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
from make_fixtures import HERE, picture, write

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


def _json(path: str, rows: Sequence[dict[str, Any]]) -> None:
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _picture(path: str) -> None:
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture(target.stem[-6:])["bytes"])


FIXTURES: dict[str, Callable[[], None]] = {
    "hallusionbench": hallusionbench, "pope": pope, "cv-bench": cv_bench, "blink": blink,
}  # fmt: skip

if __name__ == "__main__":
    for name in sys.argv[1:] or FIXTURES:
        FIXTURES[name]()
