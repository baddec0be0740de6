"""Lists of boxes with classes: what is read, in which frame, ranked how, and how it is matched."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.detections import DetectionsVerifier, VTriuneVerifier

SIZE = AnswerContext(image_size=(1000, 500), sent_size=(1000, 500))
CAT, DOG = ([1, 2, 30, 40], "cat"), ([5, 6, 70, 80], "dog")
BOTH = '[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}, {"bbox_2d": [5, 6, 70, 80], "label": "dog"}]'


def read(text: str, context: AnswerContext = SIZE, **options: Any) -> list[tuple[list[float], str | None]] | None:
    found = DetectionsVerifier(options).parse(text, context)
    return None if found.value is None else [(one["box"], one["label"]) for one in found.value]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOTH, [CAT, DOG]),
        (f"```json\n{BOTH}\n```", [CAT, DOG]),
        (f"Here they are:\n```\n{BOTH}\n```\nI hope this helps!", [CAT, DOG]),
        (f"<think>maybe [9, 9, 9, 9]</think><answer>{BOTH}</answer>", [CAT, DOG]),
        (f"<think>maybe</think>\n<answer>\n```json\n{BOTH}\n```\n</answer>", [CAT, DOG]),
        (f"The objects are {BOTH}, as asked.", [CAT, DOG]),
        (BOTH.replace('"', "'"), [CAT, DOG]),
        (f"I see {BOTH.replace(chr(34), chr(39))}.", [CAT, DOG]),
        (BOTH[:-20], [CAT]),
        (BOTH[:-2], [CAT]),
        (BOTH[:-1], [CAT, DOG]),
        (f"```json\n{BOTH[:-1]}", [CAT, DOG]),
        (BOTH.replace("}, {", "} {"), [CAT, DOG]),
        (BOTH.replace("}]", "},]"), [CAT, DOG]),
        (BOTH.replace('"label": "cat"', '"label": "cat",'), [CAT, DOG]),
        ("\n".join(BOTH[1:-1].split(", {")).replace('\n"', '\n{"'), [CAT, DOG]),
        ('{"bbox_2d": [1, 2, 30, 40], "label": "cat"}', [CAT]),
        ('{"objects": [{"bbox": [1, 2, 30, 40], "class": "cat"}]}', [CAT]),
        ('{"cat": [[1, 2, 30, 40]], "dog": [5, 6, 70, 80]}', [CAT, DOG]),
        ('{"cat": [{"bbox_2d": [1, 2, 30, 40]}]}', [CAT]),
        ('{"boxes": [[1, 2, 30, 40], [5, 6, 70, 80]], "labels": ["cat", "dog"]}', [CAT, DOG]),
        ('[{"box": [1, 2, 30, 40], "category": "cat"}, {"box_2d": [5, 6, 70, 80], "name": "dog"}]', [CAT, DOG]),
        ('[{"BBox-2D": [1, 2, 30, 40], "Label": "cat"}]', [CAT]),
        ('[{"bbox_2d": ["1", "2", "30", "40"], "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": "[1, 2, 30, 40]", "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": [[1, 2, 30, 40], [2, 3, 31, 41]], "label": "cat"}]', [CAT, ([2, 3, 31, 41], "cat")]),
        ('[{"bbox_2d": [[1, 2], [30, 40]], "label": "cat"}]', [CAT]),
        ('[{"x1": 1, "y1": 2, "x2": 30, "y2": 40, "label": "cat"}]', [CAT]),
        ('[{"bbox": {"xmin": 1, "ymin": 2, "xmax": 30, "ymax": 40}, "label": "cat"}]', [CAT]),
        ("[{bbox_2d: [1, 2, 30, 40], label: cat}]", [CAT]),
        ("[{'bbox_2d': [1, 2, 30, 40], 'label': 'cat's toy'}]", [([1, 2, 30, 40], "cat's toy")]),
        ("[{'Position': [1, 2, 30, 40], 'Confidence': 0.9}]", [([1, 2, 30, 40], None)]),
        ("<ref>cat</ref><box>(1,2),(30,40)</box><ref>dog</ref><box>(5,6),(70,80)</box>", [CAT, DOG]),
        ("<|object_ref_start|>cat<|object_ref_end|><|box_start|>(1,2),(30,40)<|box_end|>", [CAT]),
        ("<ref>cat</ref><box>[[1, 2, 30, 40]]</box>", [CAT]),
        ("[[1, 2, 30, 40], [5, 6, 70, 80]]", [(CAT[0], None), (DOG[0], None)]),
        ("[1, 2, 30, 40]", [(CAT[0], None)]),
        ("The cat is at [1, 2, 30, 40].", [(CAT[0], None)]),
        ('[{"bbox_2d": [30, 40, 1, 2], "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": [-5, 2, 30, 4000], "label": "cat"}]', [([-5, 2, 30, 4000], "cat")]),
        ('[{"bbox_2d": [NaN, 2, 30, 40], "label": "cat"}, {"bbox_2d": [5, 6, 70, 80], "label": "dog"}]', [DOG]),
        ('[{"bbox_2d": [1e999, 2, 30, 40], "label": "cat"}, {"bbox_2d": [5, 6, 70, 80], "label": "dog"}]', [DOG]),
        ('[{"bbox_2d": [2, 30, 40], "label": "cat"}, {"bbox_2d": [5, 6, 70, 80], "label": "dog"}]', [DOG]),
        ('[{"bbox_2d": [1, 2, null, 40], "label": "cat"}, {"bbox_2d": [5, 6, 70, 80], "label": "dog"}]', [DOG]),
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}, {"label": "dog"}]', [CAT]),
        ('[{"bbox_2d": [1, 2, 30, 40], "label": ""}]', [(CAT[0], None)]),
        # Written by people's habits, not as asked.
        (BOTH.replace("}, {", "}, // the dog\n {"), [CAT, DOG]),
        (BOTH.replace("30, 40", "30, /* y2 */ 40"), [CAT, DOG]),
        (BOTH.replace("40], ", "40, "), [CAT, DOG]),
        (BOTH.replace('"cat"}', '"cat"'), [CAT, DOG]),
        ("- **cat**: [1, 2, 30, 40]\n- **dog**: [5, 6, 70, 80]", [CAT, DOG]),
        ("1. cat 1: [1, 2, 30, 40]\n2. cat 2: (5, 6, 70, 80)", [CAT, (DOG[0], "cat")]),
        ("cat: [1, 2, 30, 40]; dog: [5, 6, 70, 80]", [CAT, DOG]),
        ("cat: [1, 2, 30, 40], [5, 6, 70, 80]", [CAT, (DOG[0], "cat")]),
        ("Bounding box: [1, 2, 30, 40]", [(CAT[0], None)]),
        ("| Object | Box |\n|---|---|\n| cat | [1, 2, 30, 40] |\n| dog | [5, 6, 70, 80] |", [CAT, DOG]),
        ("| # | label | x1 | y1 | x2 | y2 |\n|:-|:-|-|-|-|-:|\n| 1 | **cat** | 1 | 2 | 30 | 40 |", [CAT]),
        ("| Class | Bounding Box [x1, y1, x2, y2] |\n| --- | --- |\n| cat | [1, 2, 30, 40] |", [CAT]),
        ('[{"label": "cat", "x": 1, "y": 2, "width": 29, "height": 38}]', [CAT]),
        ('[{"label": "cat", "bbox": {"left": 1, "top": 2, "width": 29, "height": 38}}]', [CAT]),
        ('[{"label": "cat", "top_left": [1, 2], "bottom_right": {"x": 30, "y": 40}}]', [CAT]),
        ('[{"label": ["cat"], "bbox_2d": [1, 2, 30, 40]}]', [CAT]),
        ('[("cat", [1, 2, 30, 40]), ("dog", [5, 6, 70, 80], 0.5)]', [CAT, DOG]),
        ('[["cat", 1, 2, 30, 40], ["dog", 5, 6, 70, 80]]', [CAT, DOG]),
        ("<|ref|>cat<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>", [CAT]),
        # Cut off: the classes of what is complete stay.
        ('{"cat": [[1, 2, 30, 40], [5, 6, 7', [CAT]),
        (
            '{"objects": [{"label": "cat", "box": {"x1": 1, "y1": 2, "x2": 30, "y2": 40}}, {"label": "dog", "box": {"x1": 5',
            [CAT],
        ),
        ('{"one": {"label": "cat", "bbox": [1, 2, 30, 40]}, "two": {"label": "dog", "bbox": [5, 6', [CAT]),
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}, {"bbox_2d": [5, 6, 70, 80]', [CAT]),
        ("The image does not contain any cats.", []),
        ("None of the listed objects are present in the image.", []),
        ("There are no cats in the image, but there is a dog.", None),
        ("[]", []),
        ("```json\n[]\n```", []),
        ('{"objects": []}', []),
        ("No Objects", []),
        ("There's no cat in this picture.", []),
        ("I don't see any cats in the image.", []),
        ("{\"answer\": \"[{'bbox_2d': [1, 2, 30, 40], 'label': 'cat'}]\"}", [CAT]),
        (
            '[{"bbox_2d": [1, 2, 30, 40], "label": "a } b"}, {"bbox_2d": [5, 6, 70, 80], "label": "dog"}',
            [([1, 2, 30, 40], "a } b"), DOG],
        ),
        ("<answer>No Objects</answer>", []),
        ("There are no cats in the image.", []),
        (" There are none.", []),
        ("None", []),
        ("", None),
        ("I cannot help with that.", None),
        ("There are three cats.", None),
        ("[1, 2, 3]", None),
        ('[{"bbox_2d": [NaN, 2, 30, 40], "label": "cat"}]', None),
        ('[{"bbox_2d": [1, 2, 3', None),
        ("<think>still thinking [{", None),
    ],
)
def test_what_is_read(text: str, expected: list[tuple[list[float], str | None]] | None) -> None:
    assert read(text) == expected


def test_options() -> None:
    twice = BOTH.replace(
        "}]", '}, {"bbox_2d": [1, 2, 30, 40], "label": "cat"}, {"bbox_2d": [1, 2, 30, 40], "label": "fox"}]'
    )
    assert len(read(twice) or []) == 4
    assert [label for _, label in read(twice, duplicates="drop") or []] == ["cat", "dog", "fox"]
    assert [label for _, label in read(twice, duplicates="drop-places") or []] == ["cat", "dog"]
    assert read('[{"bbox_2d": [30, 40, 1, 2], "label": "cat"}]', reversed="drop") is None
    assert read("[[1, 2, 30, 40]]", category="person") == [([1, 2, 30, 40], "person")]
    assert read(BOTH, category="person") == [CAT, DOG]
    assert read(BOTH, category="person", labels="ignore") == [(CAT[0], "person"), (DOG[0], "person")]
    with pytest.raises(UsageError, match="score_policy"):
        DetectionsVerifier({"score_policy": "best"})
    with pytest.raises(UsageError, match="frame"):
        DetectionsVerifier({"frame": [840]})


@pytest.mark.parametrize(
    ("frame", "written", "pixels"),
    [
        ("profile", [100, 100, 200, 200], [200, 100, 400, 200]),
        ("pixels", [100, 100, 200, 200], [200, 100, 400, 200]),
        ("original", [100, 100, 200, 200], [100, 100, 200, 200]),
        ("unit", [0.1, 0.2, 0.5, 1.0], [100, 100, 500, 500]),
        ("thousand", [100, 200, 500, 1000], [100, 100, 500, 500]),
        ([840, 840], [84, 168, 420, 840], [100, 100, 500, 500]),
        ("padded-unit", [0.1, 0.35, 0.5, 0.75], [100, 100, 500, 500]),
        ("padded-thousand", [100, 350, 500, 750], [100, 100, 500, 500]),
    ],
)
def test_frames_are_declared(frame: Any, written: list[float], pixels: list[float]) -> None:
    context = AnswerContext(image_size=(1000, 500), sent_size=(500, 500))
    text = json.dumps([{"bbox_2d": written, "label": "cat"}])
    found = read(text, context, frame=frame)
    assert found is not None
    assert found[0][0] == pytest.approx(pixels)


def test_a_frame_needs_the_size_that_it_divides_by() -> None:
    for options in ({"frame": [840, 840]}, {"frame": "thousand"}, {"score_policy": "area"}):
        with pytest.raises(DataError, match="size"):
            DetectionsVerifier(options).parse(BOTH, AnswerContext())


def test_order_of_axes() -> None:
    swapped = AnswerContext(image_size=(1000, 500), sent_size=(1000, 500), coordinate_order="yx")
    assert read('[{"box_2d": [2, 1, 40, 30], "label": "cat"}]', swapped) == [CAT]
    assert read('[{"y1": 2, "x1": 1, "y2": 40, "x2": 30, "label": "cat"}]', swapped) == [CAT]
    assert read(BOTH, swapped, frame="pixels") == [CAT, DOG]


def test_score_policies() -> None:
    text = (
        "[{'Position': [0, 0, 100, 50], 'Confidence': 0.25}, {'Position': [0, 0, 500, 500], 'Confidence': '80%'},"
        " {'Position': [0, 0, 10, 10]}]"
    )

    def scores(policy: str) -> list[float]:
        return [one["score"] for one in DetectionsVerifier({"score_policy": policy}).parse(text, SIZE).value]

    assert scores("confidence") == [0.25, 0.8, 0.0]
    assert scores("area") == [0.01, 0.5, 0.0002]
    assert scores("constant") == [1.0, 1.0, 1.0]
    assert scores("rank") == [1.0, 0.5, 1 / 3]
    found = DetectionsVerifier().parse(text, SIZE)
    assert found.scores == {"without_confidence": 1.0}
    assert [one.get("confidence") for one in found.value] == [0.25, 0.8, None]


GOLD = [
    {"box": [0, 0, 10, 10], "label": "cat"},
    {"box": [20, 0, 30, 10], "label": "cat"},
    {"box": [50, 50, 90, 90], "label": "dog", "crowd": True},
    {"box": [40, 0, 50, 10], "label": "fire_hydrant"},
]


def scored(boxes: list[tuple[list[float], str]], gold: Any = GOLD, **options: Any) -> dict[str, float]:
    text = json.dumps([{"bbox_2d": box, "label": label} for box, label in boxes])
    verdict = verify(DetectionsVerifier(options), Response("ok", text), gold, SIZE)
    assert verdict.outcome == "scored"
    return dict(verdict.scores)


def test_matching_within_classes() -> None:
    right = [([0, 0, 10, 10], "Cat"), ([20, 0, 30, 10], "cat "), ([40, 0, 50, 10], "fire hydrant")]
    found = scored(right)
    assert (found["precision"], found["recall"], found["f1"], found["mean_iou"], found["completeness"]) == (
        1,
        1,
        1,
        1,
        1,
    )
    assert (found["boxes"], found["golds"]) == (3, 3)
    wrong_class = scored([([0, 0, 10, 10], "dog"), ([20, 0, 30, 10], "cat")])
    assert (wrong_class["precision"], wrong_class["recall"]) == (0.5, pytest.approx(1 / 3))
    assert wrong_class["weighted_pr"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    repeated = scored([([0, 0, 10, 10], "cat")] * 4)
    assert (repeated["precision"], repeated["recall"]) == (0.25, pytest.approx(1 / 3))
    in_crowd = scored([*right, ([60, 60, 70, 70], "dog")])
    assert (in_crowd["precision"], in_crowd["boxes"]) == (1, 3)
    assert scored([*right, ([60, 60, 70, 70], "cat")])["precision"] == 0.75


def test_nothing_to_find_and_nothing_found() -> None:
    assert scored([], [])["f1"] == 1.0
    assert scored([], GOLD)["f1"] == 0.0
    assert scored([], GOLD)["completeness"] == 0.5
    assert scored([([0, 0, 1, 1], "cat")], [])["f1"] == 0.0
    verdict = verify(DetectionsVerifier(), Response("ok", "I do not know."), GOLD, SIZE)
    assert (verdict.outcome, verdict.reason) == ("no_answer", "not found")


@pytest.mark.parametrize(
    "target",
    [
        [[0, 0, 10, 10]],
        {"boxes": [[0, 0, 10, 10]], "labels": ["cat"]},
        {"xywh": [[0, 0, 10, 10]], "labels": ["cat"], "crowds": [0]},
        {"objects": [{"xywh": [0, 0, 10, 10], "label": "cat"}], "verified": ["dog"], "partial": []},
    ],
)
def test_forms_of_the_target(target: Any) -> None:
    assert scored([([0, 0, 10, 10], "cat")], target)["f1"] == 1.0


@pytest.mark.parametrize(
    "target",
    [
        "cat",
        [[1, 2, 3]],
        [{"label": "cat"}],
        [[10, 0, 0, 10]],
        {"boxes": [[0, 0, 1, 1]], "labels": []},
        [{"box": [0, 0, "1", 1]}],
    ],
)
def test_targets_of_another_form(target: Any) -> None:
    verdict = verify(DetectionsVerifier(), Response("ok", BOTH), target, SIZE)
    assert verdict.outcome == "unscored"


def test_v_triune() -> None:
    text = (
        "<think>look</think><answer>[{'bbox_2d': [0, 0, 10, 8], 'label': 'cat'}, {'bbox_2d': [20, 0, 30, 10], 'label': 'dog'},"
        " {'bbox_2d': [0, 0, 10, 8], 'label': 'cat'}]</answer>"
    )
    gold = [{"box": [0, 0, 10, 10], "label": "cat"}, {"box": [20, 0, 30, 10], "label": "cat"}]
    options = {"duplicates": "drop-places", "reversed": "drop", "completeness_weight": 0.5}
    verdict = verify(VTriuneVerifier(options), Response("ok", text), gold, SIZE)
    found = verdict.scores
    assert found["format"] == 1.0
    assert found["iou_sum@0.5"] == pytest.approx(0.4)
    assert found["iou_sum@0.85"] == 0.0
    assert found["completeness@0.5"] == pytest.approx(1 - (1 / 2 + 1 / 2) / 2)
    assert found["completeness@0.99"] == 0.0
    assert verdict.score == pytest.approx(0.5 * 0.4 + 0.5 * 0.5)
    first = verify(VTriuneVerifier({**options, "matching": "iou-first"}), Response("ok", text), gold, SIZE).scores
    # The pair of two classes is found, with an IoU of 0.
    assert (first["completeness@0.5"], first["iou_sum@0.5"]) == (1.0, pytest.approx(0.4))
    assert verify(VTriuneVerifier(), Response("ok", text.replace("</think>", "")), gold, SIZE).outcome == "no_answer"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"label": name, "bbox": box} for box, name in (CAT, DOG)]),
        "```json\n" + json.dumps({"objects": [{"label": name, "bbox": box} for box, name in (CAT, DOG)]}, indent=1),
        str([{"label": name, "Position": box} for box, name in (CAT, DOG)]),
        json.dumps({name: [box] for box, name in (CAT, DOG)}),
        json.dumps(
            [{"label": name, "box": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))} for box, name in (CAT, DOG)]
        ),
    ],
)
def test_a_cut_loses_boxes_and_changes_none(text: str) -> None:
    whole = read(text)
    assert whole == [CAT, DOG]
    for end in range(len(text)):
        found = read(text[:end]) or []
        assert found == whole[: len(found)]


def test_ten_thousand_boxes_and_hostile_text() -> None:
    many = [{"bbox_2d": [i, i, i + 5, i + 5], "label": "cat"} for i in range(10_000)]
    assert len(read(json.dumps(many)) or []) == 10_000
    assert len(read(json.dumps(many)[:-30]) or []) == 9_999
    assert len(read(str(many)[:-30]) or []) == 9_999
    for text in (
        "[" * 50_000,
        "{" * 50_000,
        '[{"bbox_2d": ' * 20_000,
        "```" * 20_000,
        "[1, 2, 3, 4" * 10_000,
        "<ref>" * 20_000,
        '{"a": [' * 20_000,
        '{"a' * 20_000,
        "/*" * 20_000,
        "| a " * 20_000,
        "- cat: [" * 20_000,
    ):
        DetectionsVerifier().parse(text, SIZE)


_BOX = st.tuples(*[st.floats(-2000, 2000)] * 4).map(list)


@given(st.text() | st.text(alphabet="[]{}():,'\"0123456789.-eE \nbox_2dlabelct<>/`", max_size=200))
def test_never_raises(text: str) -> None:
    found = DetectionsVerifier().parse(text, SIZE)
    assert found.value is None or all(all(map(math.isfinite, one["box"])) for one in found.value)


@given(st.lists(st.tuples(_BOX, st.sampled_from(["cat", "dog", "traffic light"]), st.floats(0, 1)), max_size=6))
def test_reads_its_own_output(entries: list[tuple[list[float], str, float]]) -> None:
    text = json.dumps([{"bbox_2d": box, "label": label, "confidence": score} for box, label, score in entries])
    first = DetectionsVerifier().parse(text, SIZE).value
    again = json.dumps([{"box": one["box"], "label": one["label"], "score": one["score"]} for one in first])
    second = DetectionsVerifier().parse(again, SIZE).value
    assert [(one["box"], one["label"], one["score"]) for one in second] == [
        (one["box"], one["label"], one["score"]) for one in first
    ]
    # What the model said about one class is right when it is the truth.
    gold = [{"box": one["box"], "label": one["label"]} for one in first]
    solid = all(one["box"][2] - one["box"][0] > 1e-3 and one["box"][3] - one["box"][1] > 1e-3 for one in first)
    if solid:
        assert verify(DetectionsVerifier(), Response("ok", text), gold, SIZE).score == pytest.approx(1.0)
