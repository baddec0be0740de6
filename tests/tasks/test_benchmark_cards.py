"""The cards of published benchmarks on fixtures in the data sets' own schemas (tests/data), as files and as hub copies."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from mmeval.core.types import MediaPart, Sample, TextPart
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])


def opened_samples(selector: str, folder: Path) -> tuple[str, list[Sample]]:
    """Return the kind of source and all samples."""
    ((card, protocol),) = REGISTRY.resolve([selector])
    opened = Task.load(card, protocol).open(DataOptions(data_dir=folder))
    return str(opened.description()["kind"]), [build() for _, build in opened.samples(AskStyle())]


def asked(sample: Sample) -> list[str]:
    """Return what is asked, a media as its index in brackets."""
    return [
        part.text if isinstance(part, TextPart) else f"[{part.index}]"
        for message in sample.messages
        for part in message.parts
    ]


@pytest.mark.parametrize(
    ("selector", "targets"),
    [
        ("mmmu", ["B", "B", "A", "2.50", ["Tampa", "Florida"], "A"]),
        ("mmmu@official", ["B", "B", "A", "2.50", ["Tampa", "Florida"], "A"]),
        ("mmmu-pro", ["H", "B", "J", "D"]),
        ("mmmu-pro@official", ["H", "B", "J", "D"]),
        ("mmmu-pro-4@cot", ["B", "D"]),
        ("mmmu-pro-vision@official-cot", ["H", "B", "J", "D"]),
        ("dynamath", ["2.0944", "Sep", "B", "6.2832", "Jan", "A"]),
        ("dynamath@official", ["2.0944", "Sep", "B", "6.2832", "Jan", "A"]),
        ("logicvista", [["C"], ["B", "D"], [""]]),
        ("logicvista@official", [["C"], ["B", "D"], [""]]),
        ("puzzlevqa", ["A", "C"]),
        ("puzzlevqa@official", ["large", "1"]),
        ("algopuzzlevqa@official", ["No", "2"]),
        ("we-math@official", ["B", "C", "A", "B", "C", "A", "B"]),
        ("mmvet@official", ["3 <OR> x = 3", "cat<AND>dog", "A quiet street in the evening."]),
        ("mmstar@official", ["A", "B", "C"]),
        ("ai2d", ["B", "D"]),
        ("scienceqa@official", ["B", "A", "A"]),
        ("scienceqa@image", ["B", "A"]),
        ("mathvision", ["6", "A", "B", "(3,-4)"]),
        ("mathvision@official", ["6", "A", "B", "(3,-4)"]),
    ],
)
def test_fixtures_are_read(selector: str, targets: Sequence[object]) -> None:
    kind, samples = opened_samples(selector, DATA)
    assert kind == ("hub" if selector.startswith(("we-math", "mmstar", "ai2d")) else "local")
    assert [sample.target for sample in samples] == list(targets)
    for sample in samples:
        shown = {part.index for message in sample.messages for part in message.parts if isinstance(part, MediaPart)}
        assert shown == set(range(len(sample.media)))
        assert all(media.read() for media in sample.media)


@pytest.mark.parametrize(
    ("selector", "hub", "fixture", "rows"),
    [
        ("mmmu@official", "lmms-lab/MMMU", "mmmu", 6),
        ("mathvision@official", "MathLLMs/MathVision", "mathvision", 4),
        ("we-math@official", "We-Math/We-Math", "we-math", 7),
        ("mmstar@official", "Lin-Chen/MMStar", "mmstar", 3),
        ("ai2d", "lmms-lab/ai2d", "ai2d", 2),
        ("mathvision-mini@official", "MathLLMs/MathVision", "mathvision", 3),
    ],
)
def test_a_copy_of_the_hub_data_set_is_read(selector: str, hub: str, fixture: str, rows: int, tmp_path: Path) -> None:
    shutil.copytree(DATA / fixture, tmp_path / hub)
    kind, samples = opened_samples(selector, tmp_path)
    # Files that the card names are read as such.
    assert (kind, len(samples)) == ("hub" if selector.startswith(("we-math", "mmstar", "ai2d")) else "local", rows)


def test_mmmu_asks_as_its_authors_do() -> None:
    _, samples = opened_samples("mmmu@official", DATA)
    assert asked(samples[0]) == [
        "What is the profit in",
        "[0]",
        "?\n(A) $6\n(B) $7\n(C) $8\n(D) $9\n\nAnswer with the option's letter from the given choices directly.",
    ]
    assert asked(samples[1])[1] == "[0]"
    assert asked(samples[1])[3] == "[1]"
    assert asked(samples[3])[-1].endswith("?\nAnswer the question using a single word or phrase.")
    assert samples[0].subsets == {
        "subject": "Accounting", "discipline": "Business", "question_type": "multiple-choice", "difficulty": "Easy",
    }  # fmt: skip


def test_mmmu_pro_shows_images_where_the_shuffled_options_name_them() -> None:
    _, samples = opened_samples("mmmu-pro@official", DATA)
    assert asked(samples[1])[1::2][:4] == ["[2]", "[3]", "[1]", "[0]"]
    assert asked(samples[3])[1::2] == ["[0]", "[1]", "[2]", "[4]", "[3]"]
    _, seen = opened_samples("mmmu-pro-vision@cot", DATA)
    assert asked(seen[0])[0] == "[0]"
    assert asked(seen[0])[1].startswith("Write out the multiple-choice question in the image")


def test_mathvision_lists_options_unless_they_stand_in_the_picture(tmp_path: Path) -> None:
    _, samples = opened_samples("mathvision@official", DATA)
    start = (
        'Please solve the problem and put your answer in one "\\boxed{}". If it is a multiple choice question, only one letter '
        'is allowed in the "\\boxed{}".\n'
    )
    assert asked(samples[0]) == [f"{start}How many bricks are missing in the wall?", "[0]"]
    assert asked(samples[1]) == [f"{start}Which piece is missing?", "[0]", "<image2>\n"]
    assert asked(samples[2])[-1].startswith(r"(A) $10^{\circ}$")
    assert samples[2].subsets["subject_level"] == "metric geometry - angle_level5"
    # testmini is a part of test: it is what is asked where nothing else is at hand.
    shutil.copy(DATA / "mathvision/data/testmini-00000-of-00001.parquet", tmp_path)
    assert len(opened_samples("mathvision", tmp_path)[1]) == 3
    assert len(opened_samples("mathvision-mini", tmp_path)[1]) == 3


def test_dynamath_names_question_and_variant() -> None:
    _, samples = opened_samples("dynamath@official", DATA)
    assert [sample.id for sample in samples] == ["Q1_v1", "Q2_v1", "Q15_v1", "Q1_v2", "Q2_v2", "Q15_v2"]
    assert [sample.cluster for sample in samples] == ["Q1", "Q2", "Q15"] * 2
    assert samples[2].subsets == {
        "subject": "analytic geometry", "level": "high school", "kind": "multiple choice", "variant": "variant 1", "question": "Q15",
    }  # fmt: skip
    assert asked(samples[0])[1].startswith("## Question\nWhat is the period of this function")
    assert (
        "floating-point number.Please answer in a floating-point number.\n## Answer Instruction" in asked(samples[0])[1]
    )
    assert asked(samples[0])[1].endswith('"short answer": "[Concise Answer]"\n}')


def test_we_math_lists_its_options() -> None:
    _, samples = opened_samples("we-math@official", DATA)
    assert samples[0].context.choices == ("30°", "45°", "60°", "No correct answer")
    assert asked(samples[0])[1].startswith("Question: How large is angle 1 in the figure?\nOptions: A. 30°;B. 45°;")
    assert [sample.subsets["steps"] for sample in samples] == [
        "1 step",
        "1 step",
        "2 steps",
        "1 step",
        "1 step",
        "1 step",
        "3 steps",
    ]
    assert [sample.cluster for sample in samples] == ["2steps_1"] * 3 + ["3steps_1"] * 4


def test_puzzles_are_asked_as_their_authors_do() -> None:
    _, samples = opened_samples("puzzlevqa@official", DATA)
    assert asked(samples[0])[1] == (
        "Question: What is the size of the missing circle denoted with a question mark?\nOptions:\n(A) large\n(B) small\n(C) medium\n\n"
        "Answer: Let's describe the image first and think step by step."
    )
    assert samples[1].subsets == {"puzzle": "venn", "concepts": "numbers-shapes", "kind": "dual concept"}
    _, samples = opened_samples("algopuzzlevqa@official", DATA)
    assert (
        "Answer Yes or No. Do not directly give the final answer.\nOptions:\n(A) Yes\n(B) No\n\n\n\nAnswer:"
        in asked(samples[0])[1]
    )


def test_mmvet_counts_a_question_for_each_of_its_capabilities() -> None:
    _, samples = opened_samples("mmvet", DATA)
    assert [sample.subsets["capability"] for sample in samples] == ["ocr | math", "rec", "rec | gen | know"]
    assert samples[2].subsets["integration"] == "gen+know+rec"


def test_scienceqa_says_what_a_question_brings_along() -> None:
    _, samples = opened_samples("scienceqa", DATA)
    assert [sample.subsets["has"] for sample in samples] == ["image", "no context", "text | image"]
    assert [sample.subsets["context"] for sample in samples] == ["image", "none", "text and image"]
    assert [sample.subsets["grades"] for sample in samples] == ["grades 1-6", "grades 7-12", "grades 1-6"]
    assert asked(samples[2])[1].startswith("Context: Look at the map.\nWhere is it colder?\nA. at A\nB. at B\n")


def test_mmstar_reads_the_options_of_its_questions() -> None:
    _, samples = opened_samples("mmstar", DATA)
    assert len(samples[0].context.choices) == 4
    assert samples[1].subsets == {"category": "math", "axis": "math (geometry)", "source": "own"}


def test_options_within_a_list_are_three_options_or_officially_one(tmp_path: Path) -> None:
    """Row validation_Accounting_29 of MMMU-Pro."""
    import pandas as pd

    row = {
        "id": "x",
        "question": "q",
        "options": "[['A', 'B', 'Not enough']]",
        "answer": "B",
        "subject": "s",
        "topic_difficulty": "Easy",
    }
    images = {f"image_{number}": None for number in range(1, 8)}
    folder = tmp_path / "standard (10 options)"
    folder.mkdir()
    pd.DataFrame([row | images]).to_parquet(folder / "test-0.parquet")
    _, (sample,) = opened_samples("mmmu-pro", tmp_path)
    assert (sample.context.choices, sample.target) == (("A", "B", "Not enough"), "B")
    _, (sample,) = opened_samples("mmmu-pro@official", tmp_path)
    assert (len(sample.context.choices), sample.target) == (1, "B")
