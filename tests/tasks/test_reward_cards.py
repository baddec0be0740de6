"""Cards of critics, of video judges and of stored images on fixtures in their layouts, in every protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import Response, Sample, TextPart
from mmeval.metrics import estimate
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])
CARDS = ("visual-process-bench", "videorewardbench", "image-pair-judging", "state-verification")


def opened(name: str, protocol: str) -> tuple[Task, list[Sample]]:
    task = Task.load(REGISTRY.cards[name], protocol)
    return task, [build() for _, build in task.open(DataOptions(data_dir=DATA)).samples(AskStyle())]


def shown(sample: Sample) -> str:
    return "".join(part.text for message in sample.messages for part in message.parts if isinstance(part, TextPart))


def table(task: Task, samples: list[Sample], answer: Callable[[Sample], str]) -> list[dict[str, Any]]:
    rows = []
    repeats = task.card.decoding.repeats
    for sample in samples:
        for repeat in range(repeats):
            found = verify(task.verifier, Response("ok", answer(sample)), sample.target, sample.context)
            rows.append(
                {"sample_id": sample.id, "repeat": repeat, "cluster": sample.cluster or sample.id, "outcome": found.outcome,
                 "score": found.score, "correct": found.correct, "scores": dict(found.scores), "subsets": dict(sample.subsets),
                 "extracted": found.extracted, "target": sample.target}
            )  # fmt: skip
    return rows


def gold(sample: Sample) -> str:
    if "answers" in sample.context.options:
        return "[0.5, -1.0]" if sample.target == "A" else "[0.5, 2.0]"
    if "threshold" in sample.context.options:
        return json.dumps([0.2 if label < 0 else 0.5 for label in sample.target])
    if isinstance(sample.target, list):
        return "\n".join(f"Step {number}: {'-' if label < 0 else '+'}" for number, label in enumerate(sample.target, 1))
    if sample.target in ("A", "B"):
        return f"Overall Judgment: Answer {' AB'.index(sample.target)} is better."
    return str(sample.target)


def protocols() -> Iterator[tuple[str, str]]:
    for name in CARDS:
        for protocol in ("default", *REGISTRY.cards[name].raw["protocols"]):
            yield name, protocol


@pytest.mark.parametrize(("name", "protocol"), list(protocols()))
def test_the_gold_said_back_is_right(name: str, protocol: str) -> None:
    task, samples = opened(name, protocol)
    assert samples
    rows = table(task, samples, gold)
    primary = estimate(task.card.metrics[0], rows)
    assert (primary.value, primary.coverage) == (1.0, 1.0)
    assert all(estimate(metric, rows).value is not None for metric in task.card.metrics)


@pytest.mark.parametrize("name", ["videorewardbench", "image-pair-judging"])
def test_a_judge_of_places_wins_half_and_is_never_consistent(name: str) -> None:
    task, samples = opened(name, "default")
    rows = table(task, samples, lambda _: "Overall Judgment: Answer 1 is better.")
    values = {
        metric: estimate(metric, rows).value
        for metric in ("mean", "all:pair", "consistent:pair", "mean:first:answered")
    }
    assert values == {"mean": 0.5, "all:pair": 0.0, "consistent:pair": 0.0, "mean:first:answered": 1.0}


def test_ties_of_images_are_half_a_win() -> None:
    task, samples = opened("image-pair-judging", "default")
    rows = table(task, samples, lambda _: "Overall Judgment: tie")
    values = [estimate(metric, rows).value for metric in ("mean", "all:pair", "consistent:pair", "mean:tie:answered")]
    assert values == [0.5, 0.0, 1.0, 1.0]


def test_images_change_places_with_the_order() -> None:
    _, samples = opened("image-pair-judging", "default")
    orders = {
        sample.id.rsplit("/", 1)[1]: [str(media.path).rsplit("/", 2)[-2] for media in sample.media]
        for sample in samples
    }
    assert orders == {"forward": ["new", "old"], "swapped": ["old", "new"]}
    assert {sample.target for sample in samples} == {"A", "B"}


def test_the_judge_disagrees_with_the_metric_where_it_was_hacked() -> None:
    """The metric is higher for two candidates of three; a judge that prefers every candidate disagrees on the third."""
    task, samples = opened("image-pair-judging", "metric")
    rows = table(task, samples, lambda sample: f"Image {1 if sample.id.endswith('forward') else 2} is better.")
    assert estimate("accuracy", rows).value == pytest.approx(2 / 3)
    human, chosen = opened("image-pair-judging", "human")
    agreed = table(human, chosen, lambda sample: f"Image {1 if sample.id.endswith('forward') else 2} is better.")
    assert estimate("accuracy", agreed).value == pytest.approx(2 / 3)


def test_steps_are_numbered_and_labels_are_not_shown() -> None:
    _, samples = opened("visual-process-bench", "default")
    assert "Step 1: The picture shows 2 and 3.\nStep 2: 2 + 3 = 6.\nStep 3: So it is 6." in shown(samples[0])
    assert len(samples[2].media) == 2
    assert [sample.subsets["solution"] for sample in samples] == ["with an error", "right", "with an error"]
    _, bare = opened("visual-process-bench", "without-reference")
    assert "[Reference answer]" in shown(samples[0])
    assert "[Reference answer]" not in shown(bare[0])


def test_the_frames_of_a_protocol_are_its_own() -> None:
    for protocol, count in (("default", 8), ("frames-1", 1), ("frames-16", 16), ("frames-32", 32), ("frames-64", 64)):
        task, samples = opened("videorewardbench", protocol)
        assert task.card.video.frames == count
        assert {media.sampling.frames for sample in samples for media in sample.media if media.sampling} == {count}


def test_one_order_per_pair_where_it_alternates() -> None:
    _, samples = opened("videorewardbench", "alternate")
    rows = [json.loads(line) for line in (DATA / "videorewardbench/videorewardbench.jsonl").read_text().splitlines()]
    for sample, row in zip(samples, rows, strict=True):
        text = shown(sample)
        first = "A" if text.index(row["chosen"]) < text.index(row["rejected"]) else "B"
        assert sample.target == first
