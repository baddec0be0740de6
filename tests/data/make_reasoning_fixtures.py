"""Writes the parquet fixtures of the reasoning benchmarks: own rows in the data sets' schemas (see make_fixtures.py).

python tests/data/make_reasoning_fixtures.py [NAME …]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Value
from make_fixtures import HERE, picture, write

VERSIONS = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only")


def configs(folder: str, files: Mapping[str, tuple[str, str]]) -> None:
    """Write the README that names a hub data set's configurations (name -> split and file), as the hub's own does."""
    lines = ["---", "configs:"]
    for name, (split, path) in files.items():
        lines += [f"- config_name: {name}", "  data_files:", f"  - split: {split}", f"    path: {path}"]
    Path(HERE / folder / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")


def mathverse() -> None:
    """Three problems in the five versions, and the text-only file: a letter, an option's text, a free form with a unit."""
    problems: Sequence[tuple[str, str, str, str, str, str]] = (
        ("1", "As shown in the figure, in triangle ABC angle A = 50, angle B = 60, then angle C is ()\nChoices:\nA:50°\nB:60°\nC:70°\nD:80°", "C", "multi-choice", "Plane Geometry", "Angle"),
        ("2", "True or false: the two shaded parts have the same area.\nChoice:\nA. True\nB. False", "False", "multi-choice", "Plane Geometry", "Area"),
        ("3", "A cylinder has radius 3 cm and height 2 cm. Find its volume.", " 18 \\pi ", "free-form", "Solid Geometry", "Volume"),
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


FIXTURES: dict[str, Callable[[], None]] = {"mathverse": mathverse}


if __name__ == "__main__":
    for fixture in sys.argv[1:] or FIXTURES:
        FIXTURES[fixture]()
