"""Writes the parquet fixtures of this folder: a few rows in the data sets' own schemas, with pictures drawn here.

    python tests/data/make_fixtures.py [NAME …]

Rows marked "own" are written for this project; the others are excerpts whose source and licence stand in SOURCE.md.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
from PIL import Image, ImageDraw

HERE = Path(__file__).parent


def picture(text: str, colour: str = "white", size: tuple[int, int] = (64, 48)) -> dict[str, Any]:
    """Return an image cell with a word on a plain ground."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).text((6, 16), text, fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return {"bytes": buffer.getvalue(), "path": f"{text}.png"}


def write(path: str, rows: Sequence[dict[str, Any]], images: Sequence[str] = (), **kinds: Any) -> None:
    """Write rows as the hub stores them: image columns as bytes with path, and the features in the file's metadata.

    Args:
        path: below this folder.
        rows: all with the same columns.
        images: columns that hold images.
        kinds: features of columns that are neither text nor images.
    """
    text = datasets.Value("string")
    features = {name: datasets.Image() if name in images else kinds.get(name, text) for name in rows[0]}
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).to_parquet(target)
    print(f"{target.relative_to(HERE)}: {len(rows)} rows, {target.stat().st_size} bytes")


def film(path: str) -> None:
    """Write a clip of twelve grey frames, four to a second."""
    import av
    import numpy as np

    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * number, dtype=np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_json(path: str, rows: Any, images: Sequence[str], lines: bool = False) -> None:
    """Write a JSON file (or JSON lines), and drawn pictures at the paths that its rows name (relative to the file)."""
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows, indent=1, ensure_ascii=False) if not lines else "\n".join(map(json.dumps, rows))
    target.write_text(text + "\n", encoding="utf-8")
    for image in images:
        (target.parent / image).parent.mkdir(parents=True, exist_ok=True)
        (target.parent / image).write_bytes(picture(Path(image).stem)["bytes"])
    print(f"{path}: {len(rows)} rows, {len(images)} pictures")


def _with_images(row: dict[str, Any], count: int) -> dict[str, Any]:
    cells = {f"image_{number}": picture(f"{number}") if number <= count else None for number in range(1, 8)}
    return row | cells


def mmmu() -> None:
    """Own rows: choices with and without images in the options, and open questions with one and several golds."""
    rows = []
    for number, (subject, question, options, answer, kind, count) in enumerate(
        (
            ("Accounting", "What is the profit in <image 1>?", "['$6', '$7', '$8', '$9']", "B", "multiple-choice", 1),
            ("Art", "Which one is upside down?", "['<image 1>', '<image 2>']", "B", "multiple-choice", 2),
            ("Music", "<image 1> goes up in <image 2>: by how much?", "['a \"third\"', \"a fifth\"]", "A", "multiple-choice", 2),
            ("Math", "How long is the side in <image 1>?", "[]", "2.50", "open", 1),
            ("Sociology", "Where is the town of <image 1>?", "[]", "['Tampa', 'Florida']", "open", 1),
            ("Physics", "Which circuit of <image 1> has the lower current?", "[]", "A", "open", 1),
        ),
        1,
    ):  # fmt: skip
        row = {
            "id": f"validation_{subject}_{number}", "question": question, "options": options, "explanation": "",
            "img_type": "['Diagrams']", "answer": answer, "topic_difficulty": "Easy", "question_type": kind,
            "subfield": "Own",
        }  # fmt: skip
        rows.append(_with_images(row, count))
    write("mmmu/data/validation-00000-of-00001.parquet", rows, [f"image_{number}" for number in range(1, 8)])


def mmmu_pro() -> None:
    """Rows of MMMU-Pro (question, options, answer as published), with drawn pictures in place of the published ones."""
    common = {"explanation": "?", "topic_difficulty": "Medium"}
    ten = [
        ("test_Sociology_191", "In general, children in ______ households benefit from <image 1>.",
         "['Nuclear family', 'Stepfamily', 'Low-conflict', 'Co-parenting', 'Multigenerational', 'Adoptive', 'Foster', 'High-conflict', 'Extended family', 'Single-parent']", "H", "Sociology", 1),
        ("test_Pharmacy_246", "Which structure is a saturated hydrocarbon? ", "['<image 3>', '<image 4>', '<image 2>', '<image 1>']", "B", "Pharmacy", 4),
        ("test_Agriculture_195", "<image 1> Which nutrient seems to be absent given the signs of deficiency in this brassica seedling?",
         "['Zinc', 'Potassium', 'Magnesium', 'Molybdenum', 'Calcium', 'Sulfur', \"Don't know and don't want to guess\", 'Iron', 'Nitrogen', 'Phosphate']", "J", "Agriculture", 1),
        ("validation_Music_1", "Express the note value of <image 1> with three dotted notes", "['<image 2>', '<image 3>', '<image 5>', '<image 4>']", "D", "Music", 5),
    ]  # fmt: skip
    columns = [f"image_{number}" for number in range(1, 8)]
    for config, chosen in (("standard (10 options)", ten), ("standard (4 options)", [ten[1], ten[3]])):
        rows = [
            _with_images(
                {"id": name, "question": question, "options": options, "img_type": "['Diagrams']", "answer": answer,
                 "subject": subject, **common},
                count,
            )
            for name, question, options, answer, subject, count in chosen
        ]  # fmt: skip
        write(f"mmmu-pro/{config}/test-00000-of-00001.parquet", rows, columns)
    seen = [
        {"id": name, "image": picture(question[:24], size=(160, 48)), "options": options, "answer": answer, "subject": subject}
        for name, question, options, answer, subject, _ in ten
    ]  # fmt: skip
    write("mmmu-pro/vision/test-00000-of-00001.parquet", seen, ["image"])


def mathvista() -> None:
    """Own rows: one of every form of answer that the benchmark has."""
    hint = {
        "multi_choice": "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.",
        "integer": "Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.",
        "float": "Hint: Please answer the question requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, at the end.",
        "list": "Hint: Please answer the question requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end.",
    }  # fmt: skip
    rows = []
    for number, (question, choices, kind, precision, answer, task) in enumerate(
        (
            (
                "Which colour is the square?",
                ["red", "green", "blue"],
                "text",
                None,
                "red",
                "textbook question answering",
            ),
            ("How many bars are there?", None, "integer", None, "7", "figure question answering"),
            ("How long is the side?", None, "float", 1.0, "2.5", "geometry problem solving"),
            ("Which years are shown?", None, "list", None, "[2014, 2016]", "figure question answering"),
            (
                "Which angle is the largest?",
                ["30°", "45°", "60°", "90°"],
                "text",
                None,
                "90°",
                "geometry problem solving",
            ),
            ("What is the price of two apples?", None, "integer", None, "4", "math word problem"),
        ),
        1,
    ):
        lines = (
            "\nChoices:\n" + "\n".join(f"({letter}) {text}" for letter, text in zip("ABCD", choices, strict=False))
            if choices
            else ""
        )
        rows.append(
            {
                "pid": str(number), "question": question, "image": f"images/{number}.jpg", "decoded_image": picture(str(number)),
                "choices": choices, "unit": None, "precision": precision, "answer": answer,
                "question_type": "multi_choice" if choices else "free_form", "answer_type": kind,
                "metadata": {"category": "math-targeted-vqa", "context": "synthetic scene", "grade": "elementary school", "img_height": 48,
                             "img_width": 64, "language": "english", "skills": ["arithmetic reasoning"], "source": "own", "split": "testmini", "task": task},
                "query": f"{hint['multi_choice' if choices else kind]}\nQuestion: {question}{lines}",
            }
        )  # fmt: skip
    text, whole = datasets.Value("string"), datasets.Value("int64")
    names = ("category", "context", "grade", "language", "source", "split", "task")
    metadata = dict.fromkeys(names, text) | {"img_height": whole, "img_width": whole, "skills": datasets.List(text)}
    kinds = {"choices": datasets.List(text), "precision": datasets.Value("float64"), "metadata": metadata}
    write("mathvista/data/testmini-00000-of-00001.parquet", rows, ["decoded_image"], **kinds)


def mathvision() -> None:
    """Rows of MATH-Vision as published (MIT), with drawn pictures in place of the published ones."""
    rows = [
        ("7", "How many bricks are missing in the wall?\n<image1>", [], "6", 1, "counting"),
        ("50", "Which piece is missing?\n<image1>\n<image2>", ["A", "B", "C", "D", "E"], "A", 2, "transformation geometry"),
        ("1512", "In triangle $ABC, AB=AC, AE=AD$ and angle $BAD=30^{\\circ}$. What is the size of angle $CDE$ ? <image1>",
         ["$10^{\\circ}$", "$15^{\\circ}$", "$20^{\\circ}$", "$25^{\\circ}$", "$30^{\\circ}$"], "B", 5, "metric geometry - angle"),
        ("2955", "If the point $(3,4)$ is reflected in the $x$-axis, what are the coordinates of its image?\n\n<image1>", [], "(3,-4)", 2, "analytic geometry"),
    ]  # fmt: skip
    cells = [
        {"id": name, "question": question, "options": options, "image": f"images/{name}.jpg", "decoded_image": picture(name),
         "answer": answer, "solution": None, "level": level, "subject": subject}
        for name, question, options, answer, level, subject in rows
    ]  # fmt: skip
    kinds = {"options": datasets.List(datasets.Value("string")), "level": datasets.Value("int64")}
    for split, chosen in (("test", cells), ("testmini", cells[:3])):
        write(f"mathvision/data/{split}-00000-of-00001.parquet", chosen, ["decoded_image"], **kinds)


def logicvista() -> None:
    """Rows of LogicVista as published (Apache-2.0): one right letter, two, and the question without text and answer."""
    rows = {
        "v1_0": ("What choice (A, B, C, or D) should be in place of the question mark that fits the pattern?", "C", "inductive", "sequence pattern"),
        "v1_5": (
            "Two grids containing colored symbols and following a common rule are presented. In the block on the right, four additional "
            "grids are presented. The candidate must find the two grids that follow the same rule out of these four options. What options "
            "(A, B, C, or D) follow this same rule?", "B, D", "inductive", "rule based pattern",
        ),
        "v1_382": ("", "", "spatial", "3d pattern"),
    }  # fmt: skip
    cells = {
        name: {
            "imagename": f"{name}.png", "question": question, "answer": answer, "reasoning": "", "skill": [skill],
            "broad_capability": ["diagram"], "specific_capability": [capability], "imagesource": "", "sourcelink": "", "liscenced": "false",
        }
        for name, (question, answer, skill, capability) in rows.items()
    }  # fmt: skip
    write_json("logicvista/dataset.json", cells, [f"images/{row['imagename']}" for row in cells.values()])


def dynamath() -> None:
    """Rows of DynaMath as published (MIT by its README): three questions in two variants, in the repository's folders."""
    texts = {
        "1": ("What is the period of this function y = a*sin(b*x), where both a and b are integers? Answer the question with a floating-point number.", "float", "analytic geometry", "high school"),
        "2": ("Use the graph to answer the question below. Which month is the hottest on average in Cape Town?", "text", "statistics", "elementary school"),
        "15": ("how many zeros this function has? choice: (A) 2 (B) 1 (C) 0", "multiple choice", "analytic geometry", "high school"),
    }  # fmt: skip
    for variant, answers in enumerate((("2.0944", "Sep", "B"), ("6.2832", "Jan", "A")), 1):
        rows = {
            number: {"question": question, "answer": answer, "image": f"image/image{number}.png", "answer_type": kind, "subject": subject, "level": level}
            for (number, (question, kind, subject, level)), answer in zip(texts.items(), answers, strict=True)
        }  # fmt: skip
        write_json(f"dynamath/trial{variant}/dataset.json", rows, [row["image"] for row in rows.values()])


def we_math() -> None:
    """Own rows: a composite problem of two steps and one of three."""
    rows = []
    for problem, keys in (("2steps_1", ("1", "2", "multi")), ("3steps_1", ("1", "2", "3", "multi"))):
        for key in keys:
            number = len(rows) + 1
            step = f"{problem.split('_')[0]}_{key}"
            rows.append(
                {
                    "ID": problem, "split": "testmini", "knowledge concept": "Own concept", "question": f"How large is angle {number} in the figure?",
                    "option": "A. 30°;B. 45°;C. 60°; D. No correct answer", "answer": "ABC"[number % 3],
                    "image_path": picture(str(number)), "key": step, "question number": number, "knowledge concept description": "",
                }
            )  # fmt: skip
    number_kind = {"question number": datasets.Value("int64")}
    write("we-math/data/testmini-00000-of-00001.parquet", rows, ["image_path"], **number_kind)


def puzzlevqa() -> None:
    """Rows of PuzzleVQA as published (MIT): three options, and numbers for text."""
    for name, question, answer, options in (
        ("size_cycle", "What is the size of the missing circle denoted with a question mark?", "large", ["large", "small", "medium"]),
        ("venn", "What is the missing number of the part denoted with a question mark?", 1, ["4", "8", "1", "9"]),
    ):  # fmt: skip
        row = {"image": f"images/{name}/{name}_0000.png", "question": question, "answer": answer, "options": options, "caption": "",
               "explanation": "", "deduction": ""}  # fmt: skip
        write_json(f"puzzlevqa/{name}.json", [row], [str(row["image"])], lines=True)


def algopuzzlevqa() -> None:
    """Rows of AlgoPuzzleVQA as published (MIT): two options, and four."""
    for name, question, answer, options in (
        ("board_tile",
         "The checkerboard shown in the image was originally of 7 * 8 in dimension having a total of 56 squares. It uses two colours of squares, one "
         "light yellow and one dark yellow, in a chequered pattern. Two of the squares have been removed from the board in the position of the white "
         "coloured cells, as shown in the image. You have 27 dominoes of size 2 * 1. You can use them as is or you can rotate them to use as a 1 * 2 "
         "domino. Is it possible to place all the 27 dominoes in the checkerboard to exactly cover all the remaining 54 squares? Answer Yes or No.",
         "No", ["Yes", "No"]),
        ("colour_hue",
         "A 1 * 4 board consists of 4 different coloured tiles. A random state of the board is shown in (A). The ideal state of the board is shown in "
         "(B). A swap consists of selecting any two tiles on the board and switching their positions. What is the minimum number of swaps required to "
         "restore the ideal state of the board from (A)?", "2", ["1", "2", "3", "5"]),
    ):  # fmt: skip
        row = {
            "image": f"images/{name}/{name}_0000.jpg",
            "question": question,
            "options": options,
            "answer": answer,
            "solution": "",
        }
        write_json(f"algopuzzlevqa/{name}.json", [row], [str(row["image"])], lines=True)


def mmvet() -> None:
    """Own rows: gold answers that are joined by <AND> and <OR>, and several capabilities."""
    texts = (
        ("What is x in the equation on the board?", "3 <OR> x = 3", ["ocr", "math"]),
        ("Which two animals are in the picture?", "cat<AND>dog", ["rec"]),
        ("Write a caption for the picture.", "A quiet street in the evening.", ["rec", "gen", "know"]),
    )
    rows = {
        f"v1_{number}": {"imagename": f"v1_{number}.png", "question": question, "answer": answer, "capability": capability, "imagesource": "own"}
        for number, (question, answer, capability) in enumerate(texts)
    }  # fmt: skip
    write_json("mmvet/mm-vet.json", rows, [f"images/{row['imagename']}" for row in rows.values()])


def mmstar() -> None:
    """Own rows: options inside the question, categories of two levels."""
    rows = [
        {"index": number, "question": f"Which shape is shown?\nOptions: A: circle, B: square, C: triangle, D: star {number}", "image": picture(str(number)),
         "answer": "ABCD"[number % 4], "category": category, "l2_category": axis, "meta_info": {"source": "own", "split": "val", "image_path": ""}}
        for number, (category, axis) in enumerate((("coarse perception", "image emotion"), ("math", "geometry"), ("math", "geometry")))
    ]  # fmt: skip
    text = datasets.Value("string")
    kinds = {"index": datasets.Value("int64"), "meta_info": {"source": text, "split": text, "image_path": text}}
    write("mmstar/data/val-00000-of-00001.parquet", rows, ["image"], **kinds)


def ai2d() -> None:
    """Own rows: options in a list, and the index of the right one as text."""
    rows = [
        {
            "question": "Which animal eats the grass?",
            "options": ["fox", "hare", "owl", "hawk"],
            "answer": "1",
            "image": picture("1"),
        },
        {
            "question": "What does the label A show?",
            "options": ["leaf", "root", "stem", "seed"],
            "answer": "3",
            "image": picture("2"),
        },
    ]
    write("ai2d/data/test-00000-of-00001.parquet", rows, ["image"], options=datasets.List(datasets.Value("string")))


def scienceqa() -> None:
    """Own rows: with picture, with text, with neither, and one of another split."""
    texts = (
        ("Which is a solid?", ["water", "stone"], 1, "", "image.png", "natural science", "grade3", "test"),
        ("Which word is a verb?", ["run", "tree", "red"], 0, "", None, "language science", "grade8", "test"),
        (
            "Where is it colder?",
            ["at A", "at B"],
            0,
            "Look at the map.",
            "image.png",
            "social science",
            "grade5",
            "test",
        ),
        ("Which is a gas?", ["air", "stone"], 0, "", None, "natural science", "grade3", "train"),
    )
    rows = {
        str(number): {"question": question, "choices": choices, "answer": answer, "hint": hint, "image": image, "task": "closed choice", "grade": grade,
                      "subject": subject, "topic": "own", "category": "own", "skill": "own", "lecture": "", "solution": "", "split": split}
        for number, (question, choices, answer, hint, image, subject, grade, split) in enumerate(texts, 1)
    }  # fmt: skip
    write_json(
        "scienceqa/problems.json", rows, [f"test/{name}/image.png" for name, row in rows.items() if row["image"]]
    )


FIXTURES: dict[str, Callable[[], None]] = {
    "ai2d": ai2d,
    "algopuzzlevqa": algopuzzlevqa,
    "dynamath": dynamath,
    "logicvista": logicvista,
    "mathvision": mathvision,
    "mathvista": mathvista,
    "mmmu": mmmu,
    "mmmu-pro": mmmu_pro,
    "mmstar": mmstar,
    "mmvet": mmvet,
    "puzzlevqa": puzzlevqa,
    "scienceqa": scienceqa,
    "we-math": we_math,
}


if __name__ == "__main__":
    for fixture in sys.argv[1:] or FIXTURES:
        FIXTURES[fixture]()
