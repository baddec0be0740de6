"""Writes the parquet fixtures of the reasoning benchmarks: own rows in the data sets' schemas (see make_fixtures.py).

python tests/data/make_reasoning_fixtures.py [NAME …]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, List, Value
from make_fixtures import HERE, picture, write

VERSIONS = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only")


def configs(folder: str, files: Mapping[str, tuple[str, str]]) -> None:
    """Write the README that names a hub data set's configurations (name -> split and file), as the hub's own does."""
    lines = ["---", "configs:"]
    for name, (split, path) in files.items():
        lines += [f"- config_name: {name}", "  data_files:", f"  - split: {split}", f'    path: "{path}"']
    Path(HERE / folder / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")


def mathverse() -> None:
    """Three problems in the five versions, and the text-only file: a letter, an option's text, a free form with a unit."""
    problems: Sequence[tuple[str, str, str, str, str, str]] = (
        ("1", "As shown in the figure, in triangle ABC angle A = 50, angle B = 60, then angle C is ()\nChoices:\nA:50°\nB:60°\nC:70°\nD:80°", "C", "multi-choice", "Plane Geometry", "Angle"),
        ("2", "True or false: the two shaded parts have the same area.\nChoice:\nA. True\nB. False", "False", "multi-choice", "Plane Geometry", "Area"),
        ("3", "A cylinder has radius 3 cm and height 2 cm. Find its volume.", " $18 \\pi$ ", "free-form", "Solid Geometry", "Volume"),
    )  # fmt: skip
    types = {"metadata": {name: Value("string") for name in ("split", "source", "subject", "subfield")}}
    rows: list[dict[str, Any]] = []
    text_only: list[dict[str, Any]] = []
    for index, question, answer, kind, subject, subfield in problems:
        for number, version in enumerate((*VERSIONS, "Text Only")):
            wants = (
                "correct option letter, e.g., A, B, C, D"
                if kind == "multi-choice"
                else "final value, e.g., 1, 2.5, 300"
            )
            asked = f"\nQuestion: {question}" if version != "Vision Only" else ""
            row = {
                "sample_index": str(int(index) + 3 * number), "problem_index": index, "problem_version": version,
                "question": question if version != "Vision Only" else "",
                "image": picture(index) if version != "Text Only" else "", "answer": answer, "question_type": kind,
                "metadata": {"split": "testmini", "source": "own", "subject": subject, "subfield": subfield},
                "query_wo": f"Please directly answer the question and provide the {wants}.{asked}",
                "query_cot": f"Please first conduct reasoning, and then answer the question and provide the {wants}, at the end.{asked}",
                "question_for_eval": question,
            }  # fmt: skip
            (text_only if version == "Text Only" else rows).append(row)
    write("mathverse/testmini.parquet", rows, ["image"], **types)
    write("mathverse/testmini_text_only.parquet", text_only, **types)
    configs(
        "mathverse",
        {name: (name, f"{name}.parquet") for name in ("testmini", "testmini_text_only")},
    )


def geometry3k() -> None:
    """An integer, a root and a fraction with a degree sign in the gold's notation, with four options each."""
    rows = [
        {"images": [picture(str(number))], "problem": f"<image>{problem}", "answer": answer, "id": number,
         "choices": choices, "ground_truth": letter}
        for number, (problem, answer, choices, letter) in enumerate(
            (
                ("Find x.", "12", ["10", "12", "14", "16"], "B"),
                ("Find the length of AC.", "3\\sqrt{5}", ["3\\sqrt{5}", "5\\sqrt{3}", "15", "45"], "A"),
                ("Find the measure of angle 1.", "\\frac{45}{2}", ["22", "\\frac{45}{2}", "45", "90"], "B"),
            ),
            2401,
        )
    ]  # fmt: skip
    text, many = Value("string"), List(Value("string"))
    features = {
        "images": List(Image()),
        "problem": text,
        "answer": text,
        "id": Value("int64"),
        "choices": many,
        "ground_truth": text,
    }
    target = HERE / "geometry3k/data/test-00000-of-00001.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in features}
    Dataset.from_dict(columns, features=Features(features)).to_parquet(target)


def mmk12() -> None:
    """A question of each subject; one with the picture's mark, one with the options in one line."""
    rows = [
        {"id": f"own-{subject}", "question": question, "answer": answer, "subject": subject, "image": picture(subject)}
        for subject, question, answer in (
            ("math", "<image>As shown, AB is 3 and BC is 4. How long is AC?\nA. 5\nB. 6\nC. 7\nD. 12", "A"),
            ("physics", "Which lamp glows brighter? A. L1 B. L2 C. both alike D. neither", "B"),
            ("chemistry", "Which bottle holds the acid?\nA. the first\nB. the second\nC. both\nD. neither", "D"),
            ("biology", "Which part is the nucleus?\nA. 1\nB. 2\nC. 3\nD. 4", "C"),
        )
    ]  # fmt: skip
    write("mmk12/data/test-00000-of-00001.parquet", rows, ["image"])


def olympiadbench() -> None:
    """A number, an expression, several answers, an interval; physics with a tolerance and a unit; Chinese."""
    configurations = {
        "OE_MM_maths_en_COMP": (
            ("Determine the largest constant C for <image_1>.", ["$\\frac{1}{2}$"], "Numerical", False, None, None),
            ("Express the area of <image_1> by a and b.", ["$a^{2}+2ab$"], "Expression", False, None, None),
            ("Find all n that fit <image_1> and <image_2>.", ["$2,3,7$"], "Numerical", True, None, None),
            ("For which x does it hold?", ["$(1,2]$"], "Interval", False, None, None),
        ),
        "OE_MM_physics_en_COMP": (
            ("How fast is the cart of <image_1>?", ["$3.42$"], "Numerical", False, "m/s", "1e-1"),
        ),
        "OE_MM_maths_zh_COMP": (("求 <image_1> 中的 x。", ["$\\sqrt{3}$"], "Numerical", False, None, None),),
        "OE_MM_maths_zh_CEE": (("求 <image_1> 中的角。", ["$60$"], "Numerical", False, "°", None),),
        "OE_MM_physics_zh_CEE": (("求 <image_1> 中的力。", ["$4.9$"], "Numerical", False, "N", "5e-2"),),
    }  # fmt: skip
    for configuration, problems in configurations.items():
        language = "Chinese" if "_zh_" in configuration else "English"
        rows = [
            {"id": number, "question": question, "solution": ["…"], "final_answer": answer, "context": None}
            | {f"image_{image}": picture(str(image)) if f"<image_{image}>" in question else None for image in range(1, 10)}
            | {"modality": "Multimodal", "difficulty": "Competition", "is_multiple_answer": several, "unit": unit,
               "answer_type": kind, "error": error, "question_type": "Open-ended", "subfield": "Own",
               "subject": "Physics" if "physics" in configuration else "Math", "language": language}
            for number, (question, answer, kind, several, unit, error) in enumerate(problems, 1)
        ]  # fmt: skip
        texts = {name: List(Value("string")) for name in ("solution", "final_answer")}
        write(
            f"olympiadbench/{configuration}/{configuration}.parquet",
            rows,
            [f"image_{image}" for image in range(1, 10)],
            id=Value("int64"),
            is_multiple_answer=Value("bool"),
            **texts,
        )
    configs("olympiadbench", {name: ("train", f"{name}/{name}.parquet") for name in configurations})


def emma() -> None:
    """A question of each subject: options with pictures, an open answer, context."""
    questions = {
        "Math": ("Multiple Choice", "", "Which follows <image_1>?", ["<image_2>", "<image_3>"], "B", 3),
        "Physics": ("Open-ended", "", "How many forces act in <image_1>?", None, "3", 1),
        "Chemistry": ("Multiple Choice", "The arrow shows a pair of electrons.", "How many are moved in <image_1>?", ["1", "2", "3"], "C", 1),
        "Coding": ("Multiple Choice", "", "Which code draws <image_1>?", ["plt.bar(x, y)", "plt.plot(x, y)"], "A", 1),
    }  # fmt: skip
    for subject, (kind, context, question, options, answer, count) in questions.items():
        row = {"pid": f"{subject.lower()}_own", "question": question, "options": options, "answer": answer}
        row |= {f"image_{number}": picture(str(number)) if number <= count else None for number in range(1, 6)}
        row |= {"solution": None, "subject": subject, "task": "Own", "category": "Own", "source": "Newly annotated",
                "type": kind, "context": context}  # fmt: skip
        columns = [f"image_{number}" for number in range(1, 6)]
        write(f"emma/{subject}/test-00000-of-00001.parquet", [row], columns, options=List(Value("string")))
    configs("emma", {"All": ("test", "*/test-*")})


def mathvista_test() -> None:
    """Questions without answers, of three kinds."""
    rows = [
        {"pid": str(number), "question": question, "image": f"images/{number}.jpg", "decoded_image": picture(str(number)),
         "choices": choices, "unit": None, "precision": None, "answer": "", "question_type": kind, "answer_type": answer_type,
         "metadata": {"category": "general-vqa", "context": "synthetic scene", "skills": ["arithmetic reasoning"], "task": "visual question answering"},
         "query": f"Hint: own words.\nQuestion: {question}"}
        for number, (question, choices, kind, answer_type) in enumerate(
            (
                ("How many balls are there?", None, "free_form", "integer"),
                ("Which is larger?", ["the cube", "the ball"], "multi_choice", "text"),
                ("Which numbers are even?", None, "free_form", "list"),
            ),
            1,
        )
    ]  # fmt: skip
    text = Value("string")
    metadata = dict.fromkeys(("category", "context", "task"), text) | {"skills": List(text)}
    write(
        "mathvista-test/data/test-00000-of-00001.parquet",
        rows,
        ["decoded_image"],
        choices=List(text),
        precision=Value("float64"),
        metadata=metadata,
    )


FIXTURES: dict[str, Callable[[], None]] = {
    "mathverse": mathverse,
    "geometry3k": geometry3k,
    "mmk12": mmk12,
    "olympiadbench": olympiadbench,
    "emma": emma,
    "mathvista-test": mathvista_test,
}


if __name__ == "__main__":
    for fixture in sys.argv[1:] or FIXTURES:
        FIXTURES[fixture]()
