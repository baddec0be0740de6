"""The option parser on published responses: how often what it finds is what the benchmark's own rule or judge found.

`python -m tests.conformance.test_choice_agreement` prints the table of docs/conformance.md.
"""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext
from mmeval.verifiers.choice import ChoiceVerifier
from mmeval.verifiers.mmmu import MMMUProVerifier, MMMUVerifier
from tests.conformance.support import json_lines

ROOT = Path(__file__).resolve().parents[2]
ARCHIVES = ("mmmu", "mmmu_pro", "blink", "logicvista", "mathvision")
IMAGES = ("the second image", "the third image")
POINTS = ("Point A", "Point B", "Point C", "Point D")
BLINK_OPTIONS = {
    "Relative_Depth": ("A is closer", "B is closer"),
    "Relative_Reflectance": ("A is darker", "B is darker", "About the same"),
    "Spatial_Relation": ("yes", "no"), "Object_Localization": ("Box A", "Box B"), "Multi-view_Reasoning": ("left", "right"),
    "Jigsaw": IMAGES, "Art_Style": IMAGES, "Visual_Similarity": IMAGES,
    "Forensic_Detection": ("the first image", *IMAGES, "the fourth image"),
    "Functional_Correspondence": POINTS, "Semantic_Correspondence": POINTS, "Visual_Correspondence": POINTS,
    "IQ_Test": ("picture A", "picture B", "picture C", "picture D"),
}  # fmt: skip
"""The options of BLINK's tasks that have the same ones in every row; those of Counting differ and are not published."""


@dataclass(frozen=True)
class Answer:
    """A published response and the letter that the benchmark's own rule or judge read from it."""

    file: str
    text: str
    choices: tuple[str, ...]
    letter: str | None


def mmmu(folder: Path) -> Iterator[Answer]:
    verifier = MMMUVerifier()
    for path in sorted(folder.glob("example_outputs/llava1.5_13b/*/output.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            if row["question_type"] == "multiple-choice":
                choices = tuple(map(str, row["index2ans"].values()))
                context = AnswerContext(choices=choices, options={"question_type": "multiple-choice"})
                found = verifier.parse(row["response"], context)
                yield Answer("MMMU llava1.5_13b", row["response"], choices, found.value)


def mmmu_pro(folder: Path) -> Iterator[Answer]:
    """The files whose options are known as shown; those of four options are not."""
    verifier = MMMUProVerifier()
    for path in sorted(folder.glob("*/*.jsonl")):
        if "4opts" in path.name:
            continue
        for row in json_lines(path):
            options = row["shuffled_options"] if "shuffled_options" in row else row["options"]
            choices = tuple(map(str, read_literal(options) if isinstance(options, str) else options))
            text = row["response"] if isinstance(row["response"], str) else ""
            found = verifier.parse(text, AnswerContext(choices=choices))
            yield Answer(f"MMMU-Pro {path.stem}", text, choices, found.value)


def blink(folder: Path) -> Iterator[Answer]:
    for path in sorted(folder.glob("saved_outputs/*/*.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["val"]:
            letter = re.fullmatch(r"\(([A-D])\)", row["prediction"] or "")
            options = next((texts for task, texts in BLINK_OPTIONS.items() if task in row["idx"]), ())
            yield Answer(
                f"BLINK {path.parent.name}", row["full_prediction"] or "", options, letter[1] if letter else None
            )


def logicvista(folder: Path) -> Iterator[Answer]:
    import pandas as pd

    for path in sorted(folder.glob("vlmevalkit/*/*/*_gpt4o-mini.xlsx")):
        for row in pd.read_excel(path).to_dict("records"):
            letter = re.fullmatch(r"[A-Y]", str(row["res"]).strip())
            yield Answer(f"LogicVista {path.parts[-3]}", str(row["prediction"]), (), letter[0] if letter else None)


def mathvision(folder: Path) -> Iterator[Answer]:
    questions = {str(row["id"]): row for row in json_lines(folder / "data/test.jsonl")}
    for path in sorted(folder.glob("outputs/*-source/*/*.jsonl")):
        for row in json_lines(path):
            options = questions[str(row["id"])]["options"]
            if options:
                letter = re.fullmatch(r"[A-Ea-e]", str(row["model_answer"]).strip())
                text = row["response"] if isinstance(row["response"], str) else ""
                yield Answer(
                    f"MATH-Vision {path.stem}", text, tuple(map(str, options)), letter[0].upper() if letter else None
                )


READERS: dict[str, Callable[[Path], Iterator[Answer]]] = {
    "mmmu": mmmu, "mmmu_pro": mmmu_pro, "blink": blink, "logicvista": logicvista, "mathvision": mathvision,
}  # fmt: skip


def table(folder: Path, archive: str) -> dict[str, list[Any]]:
    """Return per file: rows, letters of the benchmark, letters found here, both and the same, both."""
    verifier = ChoiceVerifier()
    counts: dict[str, list[Any]] = {}
    for answer in READERS[archive](folder):
        found = verifier.parse(answer.text, AnswerContext(choices=answer.choices)).value
        line = counts.setdefault(answer.file, [0, 0, 0, 0, 0])
        both = found is not None and answer.letter is not None
        for place, true in enumerate(
            (True, answer.letter is not None, found is not None, both and found == answer.letter, both)
        ):
            line[place] += true
    return counts


def table_line(file: str, counts: list[int]) -> str:
    """Return the line of one file in docs/conformance.md."""
    rows, letters, found, same, both = counts
    return f"| {file} | {rows} | {letters} | {found} | {100 * same / both:.1f} | {100 * same / letters:.1f} |"


@pytest.mark.realdata
@pytest.mark.parametrize("archive", ARCHIVES)
def test_the_table_is_the_documented_one(published: Callable[[str], Path], archive: str) -> None:
    document = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    for file, counts in table(published(archive), archive).items():
        line = table_line(file, counts)
        assert line in document, f"docs/conformance.md lacks\n{line}\n(python -m {__spec__.name})"


def print_table() -> None:
    for archive in ARCHIVES:
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(ROOT.parent / f"shared/realdata/{archive}.tar.xz") as opened:
                opened.extractall(folder, filter="data")
            for file, counts in table(next(Path(folder).glob("**/expected.json")).parent, archive).items():
                print(table_line(file, counts))


if __name__ == "__main__":
    print_table()
