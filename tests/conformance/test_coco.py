"""cocoapi's sample results: the twelve numbers, and agreement with pycocotools' published output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmeval.core.errors import DataError
from mmeval.metrics.average_precision import NAMES, average_precision
from tests.conformance.support import expectations


@pytest.mark.realdata
def test_the_twelve_numbers(published: Callable[[str], Path]) -> None:
    folder = published("coco")
    truth, boxes = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("instances_val2014_100.json", "instances_val2014_fakebbox100_results.json")
    )
    expected = expectations(folder)["bbox"]
    found = average_precision(truth, boxes)
    assert list(found) == list(NAMES)
    assert list(found.values()) == pytest.approx(expected["recomputed"], abs=1e-6)
    assert [round(value or 0, 3) for value in found.values()] == expected["official"]


def test_perfect_boxes_no_boxes_and_strangers() -> None:
    truth = {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}
        ],
    }
    box = {"image_id": 1, "category_id": 3, "bbox": [10, 10, 50, 50], "score": 1.0}
    found = average_precision(truth, [box])
    assert (found["ap"], found["ar"], found["ap_medium"], found["ap_small"]) == (
        pytest.approx(1),
        1,
        pytest.approx(1),
        None,
    )
    missed = average_precision(truth, [])
    assert {name for name, value in missed.items() if value is None} == {"ap_small", "ap_large", "ar_small", "ar_large"}
    assert {value for value in missed.values() if value is not None} == {0.0}
    with pytest.raises(DataError, match="image 7"):
        average_precision(truth, [box | {"image_id": 7}])
    with pytest.raises(DataError, match="no gold box"):
        average_precision(truth | {"annotations": []}, [box])


@pytest.mark.realdata
def test_the_twelve_numbers_of_an_imported_run(published: Callable[[str], Path], tmp_path: Path) -> None:
    folder = published("coco")
    files = [
        str(folder / name) for name in ("instances_val2014_fakebbox100_results.json", "instances_val2014_100.json")
    ]
    command = ["import", "coco", *files, "-t", "sample", "--model", "fake", "-o", str(tmp_path / "run"), "--json"]
    done = subprocess.run([sys.executable, "-m", "mmeval", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = {cell["metric"]: cell for cell in json.loads(done.stdout)["leaderboard"]}
    expected = expectations(folder)["bbox"]["recomputed"]
    names = [
        "ap",
        "ap50",
        "ap75",
        "ap_small",
        "ap_medium",
        "ap_large",
        "ar@1",
        "ar@10",
        "ar",
        "ar_small",
        "ar_medium",
        "ar_large",
    ]
    assert [cells[name]["value"] for name in names] == pytest.approx(expected, abs=1e-6)
    assert all(cells[name]["ci"][0] < cells[name]["value"] < cells[name]["ci"][1] for name in names)


@pytest.mark.realdata
def test_boxes_of_a_results_file_in_another_space(published: Callable[[str], Path], tmp_path: Path) -> None:
    folder = published("coco")
    results = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text(encoding="utf-8"))
    moved = tmp_path / "results.json"
    moved.write_text(
        json.dumps([{**one, "bbox": [value / 1000 for value in one["bbox"]]} for one in results]), encoding="utf-8"
    )
    truth = folder / "instances_val2014_100.json"

    def imported(file: Path, name: str) -> list[str]:
        command = [
            sys.executable,
            "-m",
            "mmeval",
            "import",
            "coco",
            str(file),
            str(truth),
            "-t",
            "sample",
            "--model",
            name,
        ]
        done = subprocess.run(
            [*command, "-o", str(tmp_path / name), "--json"], capture_output=True, text=True, check=True
        )
        assert ("hint: " in done.stderr) == bool(json.loads(done.stdout)["hints"])
        return list(json.loads(done.stdout)["hints"])

    assert "another space of coordinates" in imported(moved, "moved")[0]
    assert imported(folder / "instances_val2014_fakebbox100_results.json", "right") == []


@pytest.mark.realdata
def test_gold_of_lvis_said_back_and_classes_that_nobody_looked_for(
    published: Callable[[str], Path],
) -> None:
    from mmeval.metrics import estimate
    from mmeval.tasks.detection_files import detection_rows

    (path,) = published("lvis_gt_only").rglob("lvis_val_100.json")
    images = list(detection_rows("coco", path))
    assert len(images) == 100

    def rows(stray: bool) -> list[dict[str, object]]:
        found = []
        for image in images:
            boxes = [{"box": one["box"], "label": one["label"], "score": 0.5} for one in image["objects"]]
            seen = {*image["labels"], *image["verified"]}
            unseen = next(name for name in image["classes"] if name not in seen)
            wrong = image["verified"] if stray else [unseen]
            boxes += [{"box": [0, 0, 9, 9], "label": name, "score": 1.0} for name in wrong]
            target = {"objects": image["objects"], "verified": image["verified"], "partial": image["partial"]}
            found.append(
                {
                    "sample_id": str(image["id"]), "cluster": str(image["id"]), "repeat": 0, "outcome": "scored", "score": 1.0,
                    "target": json.dumps(target), "extracted": json.dumps(boxes),
                }
            )  # fmt: skip
        return found

    # At most 300 boxes per class: a class may have more than 100 boxes on one picture of LVIS.
    kept = estimate("ap@300", rows(stray=False)).value
    assert kept == pytest.approx(1.0)
    lowered = estimate("ap@300", rows(stray=True)).value
    assert lowered is not None
    assert lowered < 0.999
