"""The suites that ship: they name what there is, and ask in the way that they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mmeval.core.types import Response, Sample, TextPart
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.suite_check import explain_suite
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SUITES = sorted(path.stem for path in (ROOT / "tasks" / "suites").glob("*.yaml"))
REGISTRY = Registry([])
LOCAL = {"mmmu-pro": "mmmu-pro", "mmmu-pro-4": "mmmu-pro", "mmmu-pro-vision": "mmmu-pro"}
"""Fixtures that are not called as their task."""


def tasks(suite: str) -> list[Task]:
    return [Task.load(card, protocol) for card, protocol in REGISTRY.resolve([suite])]


def first(task: Task) -> Sample:
    return next(iter(task.open(DataOptions(DATA)).samples(AskStyle())))[1]()


def asked(sample: Sample) -> str:
    parts = [part for message in sample.messages for part in message.parts]
    return "".join(part.text if isinstance(part, TextPart) else f"[{part.index}]" for part in parts)


@pytest.mark.parametrize("suite", SUITES)
def test_a_shipped_suite_has_no_mistakes(suite: str) -> None:
    assert explain_suite(ROOT / "tasks" / "suites" / f"{suite}.yaml") is None


@pytest.mark.parametrize("suite", [name for name in SUITES if name not in ("demo", "synthetic")])
def test_every_task_of_a_suite_builds_its_samples(suite: str) -> None:
    for task in tasks(suite):
        if not (DATA / LOCAL.get(task.name, task.name)).is_dir():
            continue
        sample = first(task)
        assert asked(sample).strip()
        assert sample.target is not None


@pytest.mark.parametrize("suite", ["papo", "vppo"])
def test_eight_samples_at_temperature_one_and_no_judge(suite: str) -> None:
    for task in tasks(suite):
        decoding = task.card.decoding
        assert (decoding.temperature, decoding.repeats, decoding.max_tokens) == (1.0, 8, 2048)
        assert not task.card.judges
        assert task.card.metrics == ["accuracy"]
        assert asked(first(task)).endswith("in \\boxed{}.")


def test_perception_r1_has_every_response_judged_and_asks_for_its_tags() -> None:
    for task in tasks("perception-r1"):
        decoding = task.card.decoding
        assert (decoding.temperature, decoding.top_k, decoding.max_tokens, decoding.repeats) == (0.0, 1, 4096, 1)
        assert [(step.card, step.when) for step in task.card.judges] == [("equivalence", "always")]
        if (DATA / LOCAL.get(task.name, task.name)).is_dir():
            assert "<think>" in asked(first(task))
            assert asked(first(task)).rstrip().endswith("\\boxed{} there.")


def test_vision_sr1_asks_a_judge_about_free_form_answers_only() -> None:
    found = {task.name: [step.when for step in task.card.judges] for task in tasks("vision-sr1")}
    assert {name for name, steps in found.items() if not steps} == {"mmmu-pro", "mmmu-pro-vision", "mmmu-pro-4", "realworldqa", "mmlu-pro", "visnumbench", "hallusionbench", "mmsi-bench", "omnispatial"}  # fmt: skip
    assert {name: steps for name, steps in found.items() if steps} == {
        "mmmu": ["not_right"], "mathverse": ["not_right"], "mathvista": ["not_right"], "mathvision": ["not_right"], "mmvet": ["always"],
    }  # fmt: skip


def test_the_reasoning_leaderboard_takes_worst_case_strict_and_vision_only() -> None:
    found = {task.name: task for task in tasks("open-lmm-reasoning")}
    assert found["dynamath"].card.metrics[0] == "all:question"
    assert found["we-math"].card.metrics[0] == "wemath:strict"
    assert found["mathverse"].card.dataset.where == {"problem_version": ["Vision Only"]}
    assert len(found) == 6


def test_papo_leaves_free_form_questions_out() -> None:
    found = {task.name: task for task in tasks("papo")}
    kinds = {
        name: {build().subsets["question_type"] for _, build in found[name].open(DataOptions(DATA)).samples(AskStyle())}
        for name in ("mathvista", "mathverse")
    }
    assert kinds == {"mathvista": {"multi_choice"}, "mathverse": {"multi-choice"}}


def test_answers_in_the_suites_own_form_are_read() -> None:
    task = next(task for task in tasks("vl-prm") if task.name == "puzzlevqa")
    sample = first(task)
    text = (
        f"[Visual Elements]\n<step_1>A is red</step_1>\n<correct_answer>$\\boxed{{{sample.target}}}$</correct_answer>"
    )
    assert verify(task.verifier, Response("ok", text=text), sample.target, sample.context).correct is True


def test_mistakes_of_a_suite_are_explained(tmp_path: Path) -> None:
    folder = tmp_path / "suites"
    folder.mkdir()
    suite = {
        "tasks": ["ai2d", {"scienceqa": {"metrics": ["iou@0.5"]}}],
        "aggregates": [{"name": "Mean", "mean": ["ai2d", "scienceqa"]}],
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(suite))
    found = explain_suite(folder / "mine.yaml")
    assert found is not None
    assert "scienceqa@mine" in found.message
    assert "'scienceqa' is none of the suite's tasks (did you mean scienceqa@mine" in found.message


def test_spatialladder_asks_for_its_tags_and_reads_by_its_rules() -> None:
    found = tasks("spatialladder")
    assert {task.name for task in found} == {
        "vsi-bench",
        "spbench-si",
        "spbench-mv",
        "cv-bench",
        "spar-bench",
        "viewspatial",
    }
    for task in found:
        assert (task.card.decoding.temperature, task.card.decoding.max_tokens) == (0.01, 1024)
        assert task.verifier.name == ("spar-bench" if task.name == "spar-bench" else "spatialladder")
        samples = list(task.open(DataOptions(DATA)).samples(AskStyle()))
        for _, build in samples:
            sample = build()
            assert asked(sample).rstrip().endswith("between <answer> and </answer>.")
            said = f"<think>Let me see.</think>\n<answer>{sample.target}</answer>"
            assert verify(task.verifier, Response("ok", said), sample.target, sample.context).score == 1.0


def test_rewardmap_has_the_maps_and_its_transfer_sets() -> None:
    assert [task.card.name for task in tasks("rewardmap")][:3] == ["reasonmap", "reasonmap", "reasonmap-plus"]
