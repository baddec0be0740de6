"""Cards of screens and grounding on fixtures in the data sets' own layouts, in every protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmeval.core.types import Response, Sample
from mmeval.pipeline.media import prepare
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])
WIDTH, HEIGHT = 64, 48
POINTS = {"screenspot": 4, "screenspot-v2": 4, "screenspot-pro": 2}


def settled(name: str, protocol: str, folder: Path, style: AskStyle) -> tuple[Task, list[Sample]]:
    """Return the task and its samples with image sizes and gold in pixels."""
    task = Task.load(REGISTRY.cards[name], protocol)
    samples = [build() for _, build in task.open(DataOptions(data_dir=folder)).samples(style)]
    return task, [
        task.settle(sample, [prepare(media, lambda *_: None, lambda *_: None) for media in sample.media])
        for sample in samples
    ]


def clicks(box: list[float], form: str | None) -> str:
    """The centre of a gold box as a model would say it under a rule."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    share = f"{x / WIDTH:.5f}", f"{y / HEIGHT:.5f}"
    if form == "tool-call":
        return f'<tool_call>\n{{"name": "computer_use", "arguments": {{"action": "left_click", "coordinate": [{x}, {y}]}}}}\n</tool_call>'
    if form == "qwen2-vl":
        corners = [round(value / side * 1000) for value, side in zip(box, (WIDTH, HEIGHT) * 2, strict=True)]
        return "<|box_start|>({},{}),({},{})<|box_end|>".format(*corners)
    if form in ("pyautogui", "vlmevalkit"):
        return f"pyautogui.click(x={share[0]}, y={share[1]})"
    return f"({share[0]}, {share[1]})" if form == "seeclick" else f"[{x}, {y}]"


def _protocols() -> Iterator[tuple[str, str]]:
    for name in POINTS:
        for protocol in ("default", *REGISTRY.cards[name].raw["protocols"]):
            yield name, protocol


@pytest.mark.parametrize(("name", "protocol"), list(_protocols()))
def test_the_gold_said_back_is_right(name: str, protocol: str) -> None:
    task, samples = settled(name, protocol, DATA, AskStyle())
    assert len(samples) == (2 if protocol == "magicgui-mobile" else POINTS[name])
    form = task.card.answer.options.get("form")
    for sample in samples:
        box = sample.target["box"]
        verdict = verify(task.verifier, Response("ok", clicks(box, form)), sample.target, sample.context)
        assert (verdict.outcome, verdict.score) == ("scored", 1.0), verdict
        far = [box[2] + 6.0, box[1], box[2] + 8.0, box[3]]
        wrong = verify(task.verifier, Response("ok", clicks(far, form)), sample.target, sample.context)
        assert (wrong.outcome, wrong.score) == ("scored", 0.0)


@pytest.mark.parametrize("name", ["screenspot", "screenspot-v2"])
def test_both_copies_mean_the_same_boxes(name: str) -> None:
    _, local = settled(name, "default", DATA, AskStyle())
    _, hub = settled(name, "default", DATA / f"{name}-hub", AskStyle())
    boxes = {sample.item["question"]: sample.target["box"] for sample in local}
    assert {sample.item["question"]: pytest.approx(sample.target["box"]) for sample in hub} == boxes
    assert boxes["open the settings"] == [4, 8, 24, 18]
    assert {sample.subsets["platform_type"] for sample in hub} == {
        "mobile text", "mobile icon", "desktop icon", "web text",
    }  # fmt: skip


def test_a_declared_space_is_taken_at_its_word() -> None:
    task, samples = settled("screenspot", "default", DATA, AskStyle(coordinates="thousand"))
    by_name = {sample.item["question"]: sample for sample in samples}
    sample = by_name["add to the basket"]
    inside = verify(task.verifier, Response("ok", "(600, 500)"), sample.target, sample.context)
    assert (inside.extracted, inside.correct) == ([38.4, 24.0], True)
    pixels = verify(task.verifier, Response("ok", "(38, 24)"), sample.target, sample.context)
    assert pixels.correct is False


def test_vlmevalkit_ends_its_boxes_a_pixel_earlier() -> None:
    _, samples = settled("screenspot", "vlmevalkit", DATA, AskStyle())
    assert [4, 8, 23, 17] in [sample.target["box"] for sample in samples]
