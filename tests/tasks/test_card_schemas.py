"""Rows in forms that copies of the data sets have beside the fixtures': missing columns, boxes as text, formulas as golds."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from mmeval.core.types import PreparedImage, PreparedMedia, Response, Sample
from mmeval.tasks.data import Row
from mmeval.tasks.options import AskStyle
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

REGISTRY = Registry([])
PICTURE = {"bytes": b"\x89PNG picture", "path": "a.png"}


@cache
def task(selector: str) -> Task:
    name, _, protocol = selector.partition("@")
    return Task.load(REGISTRY.cards[name], protocol or "default")


def sample(selector: str, **values: Any) -> Sample:
    return task(selector).sample(Row(0, values, "rows, row 1"), AskStyle())


def correct(selector: str, built: Sample, answer: str) -> bool | None:
    return verify(task(selector).verifier, Response("ok", text=answer), built.target, built.context).correct


def mathvision(answer: str) -> Sample:
    return sample(
        "mathvision", id="1", question="Area? <image1>", options=[], image="a.jpg", decoded_image=PICTURE, answer=answer, level=1, subject="area"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gold", "right", "wrong"),
    [
        ("$\\frac{1}{3}$", "\\boxed{\\frac{1}{3}}", "\\boxed{3}"),
        ("$5 \\sqrt{3}$", "\\boxed{5\\sqrt{3}}", "\\boxed{5}"),
        ("3\\sqrt{2}", "\\boxed{\\sqrt{18}}", "\\boxed{\\sqrt{12}}"),
        ("\x0crac{36}{13}", "\\boxed{\\frac{36}{13}}", "\\boxed{36}"),
        ("69{degrees}", "\\boxed{69}", "\\boxed{6}"),
        ("11 ", "The answer is 11.", "The answer is 12."),
    ],
)
def test_golds_of_mathvision_that_are_formulas(gold: str, right: str, wrong: str) -> None:
    built = mathvision(gold)
    assert correct("mathvision", built, right) is True
    assert correct("mathvision", built, wrong) is False


@pytest.mark.parametrize(
    ("gold", "answer"), [("8.4", "8.40"), ("0.3", ".3"), ("1000", "1,000"), ("embryonic", "Embryonic.")]
)
def test_open_questions_of_mmmu_take_other_forms_of_a_number(gold: str, answer: str) -> None:
    images = dict.fromkeys([f"image_{number}" for number in range(2, 8)])
    built = sample(
        "mmmu", id="validation_Electronics_4", question="<image 1> How many?", options="[]", image_1=PICTURE, **images, answer=gold,
        question_type="open", topic_difficulty="Easy",
    )  # fmt: skip
    assert correct("mmmu", built, answer) is True
    assert correct("mmmu", built, "77") is False


def screen(box: Any, image: Any) -> Sample:
    row = {
        "img_filename": "a.png", "bbox": box, "img_size": [200, 100], "instruction": "Save", "id": "1", "application": "word", "platform": "linux",
        "ui_type": "icon", "group": "Office",
    }  # fmt: skip
    return sample("screenspot-pro", **row, **({"image": image} if image else {}))


@pytest.mark.parametrize("box", [[20, 10, 40, 30], "[20, 10, 40, 30]", [0.1, 0.1, 0.2, 0.3], "[0.1, 0.1, 0.2, 0.3]"])
@pytest.mark.parametrize("image", [None, PICTURE])
def test_boxes_of_screenspot_pro_as_lists_or_text_in_pixels_or_parts(box: Any, image: Any) -> None:
    if image is None and "0.1" in str(box):
        return  # the authors' own files are in pixels
    built = screen(box, image)
    shown = PreparedMedia("image", (PreparedImage(b"", "png", 200, 100, "0" * 64, "0" * 64, 200, 100),))
    settled = task("screenspot-pro").settle(built, [shown])
    assert [round(side, 6) for side in settled.target["box"]] == [20, 10, 40, 30]
    assert correct("screenspot-pro", settled, "[30, 20]") is True
    assert correct("screenspot-pro", settled, "[50, 20]") is False


def test_a_problem_of_geometry3k_has_no_id() -> None:
    built = sample("geometry3k", problem="<image>Find x.", images=[PICTURE], answer="3\\sqrt{2}")
    assert correct("geometry3k", built, "\\boxed{3\\sqrt{2}}") is True


def test_mathverse_without_the_question_in_full() -> None:
    row = {
        "sample_index": "5", "problem_index": "1", "problem_version": "Vision Only", "question": "", "image": PICTURE, "answer": "B",
        "question_type": "multi-choice", "metadata": {"subject": "Plane Geometry", "subfield": "Angle"}, "query_wo": "See the picture.",
    }  # fmt: skip
    built = sample("mathverse", **row)
    assert (built.target, correct("mathverse", built, "B"), correct("mathverse", built, "C")) == ("B", True, False)


@pytest.mark.parametrize("file", ["sample3-00000-of-00003.parquet", "sample_variant3-00000-of-00001.parquet"])
def test_the_hub_copy_of_dynamath(file: str) -> None:
    row = {
        "id": "7", "question": "Q?", "image": "a.png", "decoded_image": PICTURE, "ground_truth": "3.142", "answer_type": "float",
        "subject": "analytic     geometry", "knowledge_level": "high school", "_file": file, "_folder": "data",
    }  # fmt: skip
    built = sample("dynamath", **row)
    assert (built.id, built.cluster, built.subsets["variant"]) == ("Q7_v3", "Q7", "variant 3")
    assert correct("dynamath", built, "3.142") is True


def test_answers_of_olympiadbench_apart_or_in_one() -> None:
    row = {
        "id": 1, "question": "Q <image_1>", "image_1": PICTURE, "context": None, "is_multiple_answer": True, "unit": None, "answer_type": "Numerical",
        "error": None, "subfield": "Algebra", "language": "English",
    }  # fmt: skip
    for golds in (["$2$", "$3$"], ["2,3"]):
        built = sample("olympiadbench", final_answer=golds, **row)
        assert correct("olympiadbench", built, "\\boxed{3, 2}") is True
        assert correct("olympiadbench", built, "\\boxed{2}") is False


def test_options_of_mmstar_lose_the_comma_between_them() -> None:
    row = {
        "index": 0,
        "image": PICTURE,
        "answer": "B",
        "category": "math",
        "l2_category": "geometry",
        "meta_info": {"source": "x"},
    }
    built = sample("mmstar", question="Which?\nOptions: A: red, B: blue, C: green", **row)
    assert built.context.choices == ("red", "blue", "green")
    table = sample("mmstar", question="Which?", A="red", B="blue", C="", D=None, **row)
    assert table.context.choices == ("red", "blue")
