"""Boxes in space: volumes against counted cells, what is read, and captions that count where the object was found."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Response, Verdict
from mmeval.metrics import estimate
from mmeval.verifiers.base import verify
from mmeval.verifiers.box3d import Box3DVerifier, Caption3DVerifier, overlap3d

GOLD = [1.0, 2.0, 0.5, 2.0, 2.0, 1.0]


def judged(text: str, target: Any = None, **options: Any) -> Verdict:
    return verify(Box3DVerifier(options), Response("ok", text), GOLD if target is None else target, AnswerContext())


boxes = st.tuples(*[st.integers(-4, 4)] * 3, *[st.sampled_from([2, 4, 6])] * 3).map(
    lambda values: [float(v) for v in values]
)


@given(boxes, boxes)
def test_volumes_are_those_of_counted_cells(first: list[float], second: list[float]) -> None:
    axes = np.arange(-8, 8) + 0.5
    grid = np.stack(np.meshgrid(axes, axes, axes, indexing="ij"))
    inside = [
        np.all([abs(grid[axis] - box[axis]) < box[axis + 3] / 2 for axis in range(3)], axis=0)
        for box in (first, second)
    ]
    expected = (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum()
    assert overlap3d(first, second) == pytest.approx(expected)
    assert overlap3d(first, second) == overlap3d(second, first)
    assert overlap3d(first, first) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "text",
    [
        "<obj>1, 2, 0.5, 2, 2, 1</obj>",
        "<think>maybe <obj>0,0,0,1,1,1</obj></think><answer>the object is localized at <obj>1.0,2.0,0.5,2.0,2.0,1.0</obj></answer>",
        "[1, 2, 0.5, 2, 2, 1]",
        "(1 2 .5 2 2 1)",
        '{"bbox_3d": [1, 2, 0.5, 2, 2, 1]}',
        '{"center": {"x": 1, "y": 2, "z": 0.5}, "size": ["2", "2", "1"]}',
        '{"cx": 1, "cy": 2, "cz": 0.5, "w": 2, "h": 2, "l": 1}',
        "**Center:** [1, 2, 0.5]\n**Size:** [2, 2, 1]",
        '```json\n[{"center": [1, 2, 0.5], "size": [2, 2, 1], "label": "chair"}]\n```',
        "First I saw <obj>0, 0, 0, 1, 1, 1</obj>. The answer is <obj>1, 2, 0.5, 2, 2, 1</obj>",
    ],
)
def test_answers(text: str) -> None:
    verdict = judged(text)
    assert (verdict.outcome, verdict.score, verdict.correct, verdict.extracted) == ("scored", 1.0, None, GOLD)
    assert verdict.scores == {"iou": 1.0, "iou@0.25": 1.0, "iou@0.5": 1.0}
    assert judged(str(verdict.extracted)).extracted == GOLD


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<obj>1, 2, 0.5, -2, 2, 1</obj>", "no box: a size is negative or not finite"),
        ("<obj>1, 2, 0.5, 1e999, 2, 1</obj>", "no box: a size is negative or not finite"),
        ("<obj>1, 2, 0.5, 2, 2</obj>", "not found"),
        ("<obj>1, 2, 0.5, 2, 2, 1", "not found"),
        ("<obj>NaN, 2, 0.5, 2, 2, 1</obj>", "not found"),
        ("[1, 2, 0.5, 2, 2, 1, 0.3]", "not found"),
        ("<obj>1, 2, 0.5, 2, 2, 1</obj> or <obj>0, 0, 0, 1, 1, 1</obj>", "ambiguous"),
        ('{"center": [1, 2], "size": [1, 1, 1]}', "no box: a size is negative or not finite"),
        ("", "empty"),
    ],
)
def test_what_is_no_box(text: str, reason: str) -> None:
    verdict = judged(text)
    assert (verdict.outcome, verdict.reason) == ("no_answer", reason)


@pytest.mark.parametrize(
    "target", [[1, 2, 3], [0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, -1], [0, 0, 0, 1, 1, float("nan")], "x", ["a"] * 6]
)
def test_gold_that_is_none(target: Any) -> None:
    verdict = judged("<obj>1, 2, 0.5, 2, 2, 1</obj>", target)
    assert verdict.outcome == "unscored"
    assert verdict.reason.startswith("gold box")


def test_corners_and_threshold() -> None:
    found = judged("[0, 1, 0, 2, 3, 1]", [0, 1, 0, 2, 3, 2], form="corners", threshold=0.5)
    assert (found.score, found.correct, found.extracted) == (0.5, True, [1.0, 2.0, 0.5, 2.0, 2.0, 1.0])
    assert judged("[2, 1, 0, 0, 3, 1]", [0, 1, 0, 2, 3, 2], form="corners").outcome == "no_answer"


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    assert judged(text).outcome in ("scored", "no_answer")
    found = verify(Caption3DVerifier(), Response("ok", text), {"box": GOLD, "references": ["a"]}, AnswerContext())
    assert found.outcome in ("scored", "no_answer")


@pytest.mark.parametrize(
    ("text", "caption", "overlap"),
    [
        ("the object is localized at <obj>1, 2, 0.5, 2, 2, 1</obj>, a brown chair", "a brown chair", 1.0),
        ("a brown chair. It is localized at <obj>1, 2, 0.5, 2, 2, 1</obj>", "a brown chair.", 1.0),
        (
            "<think>h</think><answer><desc>a brown chair</desc><obj>9, 9, 9, 1, 1, 1</obj></answer>",
            "a brown chair",
            0.0,
        ),
        ("a brown chair", "a brown chair", 0.0),
        ("<obj>1, 2, 0.5, 2, 2, 1</obj>", "", 1.0),
    ],
)
def test_captions(text: str, caption: str, overlap: float) -> None:
    target = {"box": GOLD, "references": ["a brown chair"]}
    verdict = verify(Caption3DVerifier(), Response("ok", text), target, AnswerContext())
    assert verdict.extracted["caption"] == caption
    assert verdict.score == overlap
    wrong = verify(Caption3DVerifier(), Response("ok", text), {"box": GOLD}, AnswerContext())
    assert wrong.outcome == "unscored"


def row(number: int, caption: str, overlap: float, references: list[str], answered: bool = True) -> dict[str, Any]:
    return {
        "sample_id": str(number), "outcome": "scored" if answered else "no_answer", "score": overlap, "correct": None, "scores": {"iou": overlap},
        "extracted": json.dumps({"box": None, "caption": caption}) if answered else None,
        "target": json.dumps({"box": GOLD, "references": references}),
    }  # fmt: skip


def test_captions_of_objects_that_were_not_found_are_empty() -> None:
    references = [["a brown chair by the door"], ["a tall white lamp"], ["the desk with a screen"]]
    rows = [
        row(0, references[0][0], 0.6, references[0]),
        row(1, references[1][0], 0.3, references[1]),
        row(2, "", 0, references[2], False),
    ]
    plain = [
        {**entry, "extracted": caption, "target": json.dumps(gold)}
        for entry, caption, gold in zip(rows, [references[0][0], "", ""], references, strict=True)
    ]
    both = [{**plain[0]}, {**plain[1], "extracted": references[1][0]}, plain[2]]
    for name in ("cider", "bleu-4", "rouge-l", "meteor-stem"):
        assert estimate(f"found@0.5:{name}", rows).value == pytest.approx(estimate(name, plain).value)
        assert estimate(f"found@0.25:{name}", rows).value == pytest.approx(estimate(name, both).value)
    assert estimate("found@0.5:rouge-l", rows).value == pytest.approx(1 / 3)
