"""Suites that ask and score their tasks in one paper's way."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mmeval.core.errors import UsageError
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task

CARD = {
    "name": "mine", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}}, "answer": {"kind": "text"},
    "protocols": {"short": {"decoding": {"max_tokens": 16}}},
}  # fmt: skip


def registry(folder: Path, suite: object) -> Registry:
    (folder / "suites").mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text(yaml.safe_dump(CARD))
    (folder / "suites" / "paper.yaml").write_text(yaml.safe_dump(suite))
    return Registry([folder])


def test_overrides_become_a_protocol_with_the_name_of_the_suite(tmp_path: Path) -> None:
    found = registry(
        tmp_path,
        {
            "tasks": ["synthetic/count", {"mine@short": {"prompt": {"instruction": "One word."}}}],
            "overrides": {"decoding": {"temperature": 1.0, "repeats": 8}},
        },
    )
    resolved = found.resolve(["paper"])
    assert [(card.name, protocol) for card, protocol in resolved] == [("synthetic/count", "paper"), ("mine", "paper")]
    task = Task.load(*resolved[1])
    assert (task.sampling.temperature, task.card.decoding.repeats, task.sampling.max_tokens) == (1.0, 8, 16)
    assert task.card.prompt.instruction == "One word."
    assert Task.load(*found.resolve(["mine@paper"])[0]) == task
    assert Task.load(*found.resolve(["mine"])[0]).sampling.temperature == 0.0


def test_a_plain_suite_keeps_its_protocols(tmp_path: Path) -> None:
    found = registry(tmp_path, {"tasks": ["mine@short", "synthetic/c*"]})
    assert ("mine", "short") in [(card.name, protocol) for card, protocol in found.resolve(["paper"])]


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ({"tasks": []}, "key tasks"),
        ({"tasks": ["mine"], "overides": {}}, "key overides"),
        ({"tasks": ["synthetic/*"], "overrides": {"decoding": {"repeats": 2}}}, "pattern"),
        ({"tasks": [{"mine": {}, "other": {}}]}, "names one task"),
        ({"tasks": ["mine@long"], "overrides": {"decoding": {"repeats": 2}}}, "no protocol 'long'"),
        (["mine"], "a suite is a mapping"),
    ],
)
def test_a_broken_suite_is_refused_by_name(tmp_path: Path, suite: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        registry(tmp_path, suite).resolve(["paper"])
    assert "paper.yaml" in str(caught.value)


def test_a_card_protocol_of_the_same_name_is_a_conflict(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(CARD))
    suite = {"tasks": ["mine"], "overrides": {"decoding": {"repeats": 2}}}
    (tmp_path / "suites" / "short.yaml").write_text(yaml.safe_dump(suite))
    with pytest.raises(UsageError, match="has a protocol 'short' of its own"):
        Registry([tmp_path]).resolve(["short"])
