"""Every card of a published benchmark with a fixture of its own name in tests/data, under every protocol.

The fixtures are copies of hub data sets: they are read where `--data-dir` has a folder of the task's name, and where it
has one of the data set's own name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import MediaPart, Response, Sample
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile, Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])
CARDS = {
    "mathverse": 15, "geometry3k": 3, "mmk12": 4, "olympiadbench": 4, "emma": 4, "mathvista-test": 3,
    "mmlu-pro": 3, "scienceqa": 3, "ai2d": 2, "realworldqa": 4,
    "docvqa": 2, "infovqa": 2, "textvqa": 2, "chartqa": 3, "charxiv-reasoning": 4, "charxiv-descriptive": 16, "ocrbench": 3, "ocrbench-v2": 7,
}  # fmt: skip
"""Task -> rows of its fixture in the default protocol."""
IMPORTED = ("table parsing en",)
"""Kinds of rows whose official results are imported."""
FORMS = {("scienceqa", "official"): "The answer is {}."}
"""How an answer is said where the letter alone is none."""


def _protocols() -> Iterator[tuple[str, str]]:
    for name in CARDS:
        yield name, "default"
        yield from ((name, protocol) for protocol in REGISTRY.cards[name].raw.get("protocols", {}))


PROTOCOLS = list(_protocols())


def load(name: str, protocol: str) -> Task:
    card: CardFile = REGISTRY.cards[name]
    return Task.load(card, protocol)


def built(task: Task, folder: Path) -> tuple[str, list[Sample]]:
    """Return the kind of source and all samples."""
    opened = task.open(DataOptions(data_dir=folder))
    return str(opened.description()["kind"]), [build() for _, build in opened.samples(AskStyle())]


def said(sample: Sample) -> str:
    """The gold given back as an answer."""
    target: Any = sample.target
    if sample.context.options.get("type") == "text grounding en":
        return f"[{', '.join(target)}]"
    return str(target[0] if isinstance(target, (list, tuple)) else target)


@pytest.mark.parametrize("name", CARDS)
def test_a_copy_of_the_hub_data_set_is_read(name: str, tmp_path: Path) -> None:
    task = load(name, "default")
    hub = task.card.dataset.hub
    assert hub is not None
    shutil.copytree(DATA / name, tmp_path / hub.id)
    kind, samples = built(task, tmp_path)
    # Files that the card names are read as such, others through the hub's reader.
    assert kind in ("hub", "local")
    assert len(samples) == CARDS[name]


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_every_sample_is_built_and_its_gold_is_right(name: str, protocol: str) -> None:
    task = load(name, protocol)
    _, samples = built(task, DATA)
    assert samples
    assert len({sample.id for sample in samples}) == len(samples)
    for sample in samples:
        shown = {part.index for message in sample.messages for part in message.parts if isinstance(part, MediaPart)}
        assert shown == set(range(len(sample.media)))
        assert all(media.read() for media in sample.media)
        answer = "A" if sample.target is None else FORMS.get((name, protocol), "{}").format(said(sample))
        verdict = verify(task.verifier, Response("ok", text=answer), sample.target, sample.context)
        if task.card.answer.withheld or sample.context.options.get("type") in IMPORTED:
            assert verdict.outcome == "unscored"
            continue
        assert (verdict.outcome, verdict.score) == ("scored", 1.0), (sample.id, verdict)
        wrong = "B" if sample.target == "A" else "A" if sample.context.choices else "zebra 123456789"
        verdict = verify(task.verifier, Response("ok", text=wrong), sample.target, sample.context)
        assert (verdict.outcome in ("scored", "no_answer"), verdict.score) == (True, 0.0), (sample.id, verdict)


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_parsers_never_see_the_gold(name: str, protocol: str) -> None:
    _, samples = built(load(name, protocol), DATA)
    for sample in (one for one in samples if one.target is not None):
        seen = [str(value) for value in sample.context.options.values()]
        assert not (len(said(sample)) > 1 and said(sample) in seen)
