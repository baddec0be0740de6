"""Cards of detection on fixtures in the data sets' own files, in every protocol: the gold said back is right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmeval.core.errors import DataError
from mmeval.core.labelled_boxes import read_gold_objects
from mmeval.core.types import Response, Sample
from mmeval.metrics import estimate
from mmeval.tasks.detection_files import DetectionLayout, detection_rows
from mmeval.tasks.options import AskStyle
from mmeval.tasks.registry import Registry
from mmeval.verifiers.base import verify
from tests.tasks.test_gui_cards import DATA, HEIGHT, WIDTH, settled

REGISTRY = Registry([])
SAMPLES = {
    "coco": 2, "coco-few-shot": 3, "lvis-few-shot": 2, "odinw-13": 2, "ovdeval": 6, "crowdhuman": 2, "citypersons": 3,
    "widerpedestrian": 3, "uavdt": 2,
}  # fmt: skip
CHANGED = {
    ("coco", "all-classes"): 3,
    ("coco", "detector"): 3,
    ("coco", "single"): 1,
    ("coco", "multi"): 1,
    ("ovdeval", "negation"): 3,
}


def _protocols() -> Iterator[tuple[str, str]]:
    for name in SAMPLES:
        # Those that suites add have tests of their own.
        own = yaml.safe_load(REGISTRY.cards[name].path.read_text(encoding="utf-8"))["protocols"]
        for protocol in ("default", *own):
            yield name, protocol


def said(sample: Sample, options: dict[str, Any]) -> str:
    """The gold boxes as a model would say them under the card's format."""
    entries = []
    for one in read_gold_objects(sample.target).objects:
        if one.crowd:
            continue
        sides = (WIDTH, HEIGHT) * 2
        scale = 1000 if options.get("frame") == "thousand" else None
        box = [value if scale is None else value / side * scale for value, side in zip(one.box, sides, strict=True)]
        if options.get("labels") == "ignore":
            entries.append({"Position": box, "Confidence": 0.9})
        else:
            entries.append({"bbox_2d": box, "label": one.label.title()})
    return f"<think>Let me see.</think>\n<answer>{entries}</answer>"


def asked(sample: Sample) -> str:
    return "".join(getattr(part, "text", "") for message in sample.messages for part in message.parts)


@pytest.mark.parametrize(("name", "protocol"), list(_protocols()))
def test_the_gold_said_back_is_right(name: str, protocol: str) -> None:
    task, samples = settled(name, protocol, DATA, AskStyle())
    assert len(samples) == CHANGED.get((name, protocol), SAMPLES[name])
    assert len({sample.id for sample in samples}) == len(samples)
    rows = []
    for sample in samples:
        assert sample.media
        verdict = verify(
            task.verifier, Response("ok", said(sample, dict(task.card.answer.options))), sample.target, sample.context
        )
        assert (verdict.outcome, verdict.scores["f1"]) == ("scored", pytest.approx(1.0)), verdict
        assert verdict.score == pytest.approx(1.0)
        wrong = verify(
            task.verifier, Response("ok", '[{"bbox_2d": [0, 0, 1, 1], "label": "cat"}]'), sample.target, sample.context
        )
        assert wrong.scores["f1"] == 0.0
        rows.append(
            {
                "sample_id": sample.id, "cluster": sample.cluster, "outcome": verdict.outcome, "score": verdict.score,
                "correct": verdict.correct, "scores": dict(verdict.scores), "subsets": dict(sample.subsets), "repeat": 0,
                "target": json.dumps(sample.target), "extracted": json.dumps(verdict.extracted),
            }
        )  # fmt: skip
    for metric in task.card.metrics:
        found = estimate(metric, rows)
        if "_medium" not in metric and "_large" not in metric:  # the pictures are small
            assert found.value == pytest.approx(1.0), metric


def test_what_is_asked() -> None:
    _, (first, second) = settled("coco", "constant", DATA, AskStyle("thousand"))
    assert asked(first) == (
        "Find every instance of these classes in the picture: cat, dog.\n"
        'Answer with a JSON list of boxes, each {"bbox_2d": [x1, y1, x2, y2], "label": "name"}, in coordinates from 0 to 1000.'
    )
    assert (first.id, second.id, second.subsets["classes"]) == ("12", "30", "single")
    _, (one, *_) = settled("coco", "default", DATA, AskStyle())
    assert '"label": "name", "confidence": 0.00 to 1.00}, in pixels.' in asked(one)
    _, queries = settled("coco-few-shot", "default", DATA, AskStyle())
    assert [(query.id, query.item["question"], query.cluster) for query in queries] == [
        ("12/cat", "cat", "12"), ("12/dog", "dog", "12"), ("30/cat", "cat", "30"),
    ]  # fmt: skip
    _, gnomes = settled("lvis-few-shot", "default", DATA, AskStyle())
    assert [(query.id, query.target["partial"]) for query in gnomes] == [
        ("12/garden_gnome", []),
        ("30/garden_gnome", ["garden_gnome"]),
    ]
    _, pictures = settled("ovdeval", "negation", DATA, AskStyle())
    assert "a cup that is not red; a red cup" in asked(pictures[0])
    _, frames = settled("uavdt", "default", DATA, AskStyle())
    assert [(frame.id, frame.cluster) for frame in frames] == [
        ("M0203/img000001", "M0203"),
        ("M0203/img000002", "M0203"),
    ]


def test_no_objects_is_an_empty_answer() -> None:
    task, (query, *_) = settled("coco-few-shot", "default", DATA, AskStyle())
    verdict = verify(
        task.verifier, Response("ok", "<think>?</think> <answer>No Objects</answer>"), query.target, query.context
    )
    assert (verdict.outcome, verdict.extracted, verdict.score) == ("scored", [], 0.0)


@pytest.mark.parametrize(
    ("layout", "name", "content", "says"),
    [
        ("coco", "a.json", "[]", "no annotations of COCO's form"),
        ("coco", "a.json", "{", "cannot be read as JSON"),
        ("coco", "a.json", '{"images": [{}], "annotations": [], "categories": []}', "image 1: no id"),
        ("coco", "a.json", '{"images": [], "annotations": [{"image_id": 1}], "categories": []}', "annotation 1: no image"),
        ("coco", "a.json", '{"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 2}], "categories": []}', "category 2"),
        (
            "coco",
            "a.json",
            '{"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3]}], "categories": [{"id": 2}]}',
            "x, y, width, height",
        ),
        ("odgt", "a.odgt", '{"ID": "a"}', "line 1: no image of CrowdHuman"),
        ("odgt", "a.odgt", '{"ID": "a", "gtboxes": [{"tag": "person"}]}', "without fbox"),
        ("odgt", "a.odgt", "nope", "line 1: not JSON"),
        ("uavdt", "a.txt", "1,2,3", "no annotations of UAVDT"),
        ("uavdt", "M1_gt_whole.txt", "one,2,3", "line 1: no frame"),
        ("uavdt", "M1_gt_whole.txt", "1,2,3", "x, y, width, height"),
        ("uavdt", "M1_gt_whole.txt", "1,2,3,4,5,6,7,8,9", "column 9"),
        ("uavdt", "M1_gt_whole.txt", "1,2,3,4,-5,6,1,1,1", "negative"),
    ],
)  # fmt: skip
def test_files_of_another_form_say_what_is_wrong(
    tmp_path: Path, layout: DetectionLayout, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        list(detection_rows(layout, tmp_path / name))
