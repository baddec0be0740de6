"""MMMU's, MATH-Vision's and COCO's files, and the registry of formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.cli.import_ import FORMATS as OFFERED
from mmeval.core.errors import DataError, UsageError
from mmeval.runs.importers import coco, masks, mathvision, mmmu
from mmeval.runs.importers.formats import FORMATS, get_format
from mmeval.runs.importers.predictions import Prediction, Reader, Reading


def read(reader: Reader, *paths: Path) -> tuple[list[Prediction], Reading]:
    reading = Reading()
    found = list(reader(paths, reading))
    assert len(found) + reading.lost.total() == reading.found
    return found, reading


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def test_the_command_line_offers_every_format() -> None:
    assert tuple(FORMATS) == OFFERED
    for name in OFFERED:
        assert get_format(name).name == name
        assert callable(get_format(name).load())
        assert get_format(name).summary
    with pytest.raises(UsageError, match="vlmevalkit"):
        get_format("vlmeval")


ROW = {
    "id": "validation_Art_1", "question_type": "multiple-choice", "answer": "B", "all_choices": ["A", "B"],
    "index2ans": {"A": "oil", "B": "water"}, "response": "It is B.",
}  # fmt: skip
OPEN = {"id": "validation_Math_2", "question_type": "short-answer", "answer": ["6", "six"], "response": "six"}


def test_mmmu_subjects(tmp_path: Path) -> None:
    write(tmp_path / "llava/Art/output.json", [ROW])
    write(tmp_path / "llava/Math/output.json", [OPEN])
    found, _ = read(mmmu.read, tmp_path)
    assert [(entry.id, entry.response) for entry in found] == [
        ("validation_Art_1", "It is B."),
        ("validation_Math_2", "six"),
    ]
    assert found[0].own is not None
    assert found[1].own is not None
    assert (found[0].own.choices, found[0].own.answer) == (("oil", "water"), "B")
    assert (found[1].own.choices, found[1].own.answer) == ((), ["6", "six"])
    write(tmp_path / "other/Art/output.json", [ROW])
    with pytest.raises(DataError, match="several folders"):
        read(mmmu.read, tmp_path)
    assert len(read(mmmu.read, tmp_path / "llava" / "Art" / "output.json")[0]) == 1


def test_mmmu_parsed_answers_are_told_apart(tmp_path: Path) -> None:
    found, reading = read(
        mmmu.read, write(tmp_path / "total_val_output.json", {"validation_Art_1": "B", "b": ["6", "six"]})
    )
    assert [(entry.response, entry.extraction) for entry in found] == [("B", "B"), ("6, six", "6, six")]
    assert any("parsed (or drawn)" in note for note in reading.notes)


PRO = {
    "id": "test_1",
    "question": "q",
    "options": "['x', 'y']",
    "answer": "B",
    "response": "Answer: B",
    "if_right": True,
}


def test_mmmu_pro(tmp_path: Path) -> None:
    found, _ = read(mmmu.read, write(tmp_path / "out/gpt-4o_standard(10 options)_cot.jsonl", lines(PRO)))
    assert found[0].own is not None
    assert (found[0].official, found[0].own.choices, found[0].own.answer) == (True, ("x", "y"), "B")
    early = PRO | {"options": ["x", "y"], "shuffled_options": ["y", "z", "x"], "shuffled_options_answer": "A"}
    for name, choices in (
        ("m_direct_Standard(10opts).jsonl", ("y", "z", "x")),
        ("m_direct_Standard(4opts).jsonl", ("x", "y")),
    ):
        found, _ = read(mmmu.read, write(tmp_path / "early" / name, lines(early)))
        assert found[0].own is not None
        assert found[0].own.choices == choices
        assert found[0].own.values["answer"] == ("A" if len(choices) == 3 else "B")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("output.json", "{", "not JSON"),
        ("output.json", "[1]", "no MMMU output"),
        ("output.json", '{"a": 1}', "no MMMU output"),
        ("output.json", '[{"id": "a"}]', "id and response"),
        ("a.jsonl", '{"id": "a", "response": "x"}', "options"),
        ("a.jsonl", '{"id": "a", "response": "x", "options": "nope"}', "no list"),
    ],
)
def test_bad_files_of_mmmu_say_what_is_wrong(tmp_path: Path, name: str, content: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read(mmmu.read, write(tmp_path / name, content))
    assert name in str(caught.value)


def test_mathvision(tmp_path: Path) -> None:
    rows = lines(
        {"id": "1", "response": "so 60", "model_answer": "60", "correct": True},
        {"id": "2", "response": "?", "correct": None},
    )
    found, _ = read(mathvision.read, write(tmp_path / "m.jsonl", rows))
    assert [(entry.id, entry.response, entry.extraction, entry.official) for entry in found] == [
        ("1", "so 60", "60", True), ("2", "?", None, None),
    ]  # fmt: skip
    with pytest.raises(DataError, match="no MATH-Vision output"):
        read(mathvision.read, write(tmp_path / "n.jsonl", '{"id": "1"}'))


RESULTS = [
    {"image_id": 7, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.5},
    {"image_id": 7, "category_id": 2, "bbox": [0, 0, 5, 5], "score": 0.9},
]
TRUTH = {
    "images": [{"id": 7}, {"id": 8}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"image_id": 7, "category_id": 1, "bbox": [10, 20, 30, 40], "iscrowd": 0},
        {"image_id": 8, "category_id": 2, "bbox": [1, 1, 2, 2], "iscrowd": 1},
    ],
}


def test_coco_boxes_by_image(tmp_path: Path) -> None:
    found, reading = read(coco.read, write(tmp_path / "r.json", RESULTS))
    assert [(entry.id, entry.own) for entry in found] == [("7", None)]
    assert json.loads(found[0].response or "") == [
        {"bbox_2d": [0, 0, 5, 5], "label": "2", "score": 0.9},
        {"bbox_2d": [10, 20, 40, 60], "label": "1", "score": 0.5},
    ]
    assert reading.notes == ["2 boxes on 1 images"]
    with pytest.raises(DataError, match="no file of annotations says what they mean"):
        list(coco.read([tmp_path / "r.json"], Reading(kind="boxes")))


def test_coco_with_annotations_has_names_gold_and_images_without_a_box(tmp_path: Path) -> None:
    found, reading = read(coco.read, write(tmp_path / "r.json", RESULTS), write(tmp_path / "truth.json", TRUTH))
    assert [(entry.id, entry.own.answer if entry.own else None) for entry in found] == [
        ("7", [{"box": [10, 20, 40, 60], "label": "cat"}]), ("8", [{"box": [1, 1, 3, 3], "label": "dog", "crowd": True}]),
    ]  # fmt: skip
    assert json.loads(found[0].response or "")[1]["label"] == "cat"
    assert found[1].response == "[]"
    assert any("1 images of truth.json have no box" in note for note in reading.notes)


def test_coco_boxes_are_read_by_the_verifier_as_they_stand(tmp_path: Path) -> None:
    from mmeval.core.types import AnswerContext
    from mmeval.verifiers.registry import get_verifier

    found, _ = read(coco.read, write(tmp_path / "r.json", RESULTS))
    verifier = get_verifier("boxes", {})
    assert verifier.parse(found[0].response or "", AnswerContext()).value == [[0, 0, 5, 5], [10, 20, 40, 60]]


def broken(**change: Any) -> list[dict[str, Any]]:
    return [RESULTS[0] | change]


@pytest.mark.parametrize(
    ("results", "truth", "says"),
    [
        (broken(bbox=[1, 2, 3]), None, "not \\[x, y, width, height\\]"),
        (broken(bbox=[1, 2, -3, 4]), None, "negative"),
        (broken(score="high"), None, "score"),
        ([{"bbox": [1, 2, 3, 4]}], None, "image_id and bbox"),
        ({"a": 1}, None, "neither COCO results"),
        (RESULTS, TRUTH | {"images": [{"id": 9}]}, "no image of that id"),
        (RESULTS, TRUTH | {"images": [{"id": 9}], "annotations": []}, "image 7 is not in"),
        (RESULTS, TRUTH | {"categories": [{"id": 1}]}, "category 2"),
        (RESULTS, TRUTH | {"annotations": [{"image_id": 7, "category_id": 1, "bbox": "x"}]}, "annotation 1"),
        (RESULTS, TRUTH | {"annotations": [{"image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4]}]}, "category 5"),
    ],
)
def test_bad_coco_files_say_what_is_wrong(tmp_path: Path, results: Any, truth: Any, says: str) -> None:
    paths = [write(tmp_path / "r.json", results), *([write(tmp_path / "t.json", truth)] if truth else [])]
    with pytest.raises(DataError, match=says):
        read(coco.read, *paths)


def test_coco_files_in_the_wrong_number(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", TRUTH)
    with pytest.raises(DataError, match="no COCO results"):
        read(coco.read, truth)
    with pytest.raises(DataError, match="a second file"):
        read(coco.read, truth, write(tmp_path / "u.json", TRUTH))


@pytest.mark.parametrize("reader", [mmmu.read, mathvision.read, coco.read])
def test_an_empty_folder_is_named(tmp_path: Path, reader: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="in this folder"):
        list(reader([tmp_path], Reading()))


def test_masks_of_one_id_are_one_answer(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    code = {"size": [2, 3], "counts": [1, 5]}
    rows = lines(
        {"id": "a", "mask": code}, {"image_id": 7, "segmentation": [[0, 0, 1, 0, 1, 1]]}, {"id": "a", "rle": json.dumps(code)},
        {"sample_id": "b", "mask": None}, {"id": "c", **code},
    )  # fmt: skip
    table = write(tmp_path / "m.jsonl", rows)
    (tmp_path / "val").mkdir()
    Image.fromarray(np.array([[0, 255, 255], [0, 0, 255]], dtype=np.uint8)).save(tmp_path / "val" / "d.png")
    found, _ = read(masks.read, tmp_path)
    answers = {entry.id: json.loads(entry.response) if entry.response else "" for entry in found}
    assert answers["a"] == [code, code]
    assert answers["7"] == [{"segmentation": [[0, 0, 1, 0, 1, 1]]}]
    assert (answers["b"], answers["c"]) == ("", [code])
    assert answers["val/d"][0]["size"] == [2, 3]
    for bad in ('{"mask": 1}', '{"id": "a"}', '{"id": "a", "mask": 3}', '{"id": "a", "mask": "{"}'):
        with pytest.raises(DataError, match="row 1"):
            read(masks.read, write(table, bad))
