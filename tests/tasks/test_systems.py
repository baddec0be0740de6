"""docs/systems.md: thirty systems, each with a suite that exists, and answers of every listed form are read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmeval.conditions.base import expand_conditions
from mmeval.core.types import Response
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
TEXT = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
REGISTRY = Registry([])
_SYSTEMS, _FORMATS = TEXT.split("## Formats of answers")


def table(text: str) -> list[list[str]]:
    """Cells of the rows of a Markdown table, without its head."""
    rows = [line.strip().strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


SYSTEMS = {row[1]: row for row in table(_SYSTEMS)}
FORMATS = table(_FORMATS)


def test_thirty_systems_are_listed_in_order() -> None:
    rows = table(_SYSTEMS)
    assert [row[0] for row in rows] == [str(number) for number in range(1, 31)]
    assert len(SYSTEMS) == 30
    assert all(row[4] for row in rows)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_suite_of_a_system_exists_and_expands(system: str) -> None:
    """That no shipped suite has a mistake is shown by `test_shipped_suites.py`."""
    (suite,) = re.findall(r"`([^`]+)`", SYSTEMS[system][2])
    assert suite in REGISTRY.suites
    found = REGISTRY.resolve([suite])
    assert found
    for card, protocol in found:
        Task.load(card, protocol)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_stands_beside_it_exists(system: str) -> None:
    beside = " ".join(SYSTEMS[system][3:5])
    for selector in re.findall(r"-t ([\w@.-]+)", beside):
        assert REGISTRY.resolve([selector])
    for condition in re.findall(r"--condition ([\w:.-]+)", beside):
        if not condition.endswith((":NAME", ":RUN")):
            assert expand_conditions([condition])
    for profile in re.findall(r"--profile ([\w.-]+)", beside):
        assert (ROOT / "mmeval" / "profiles" / f"{profile}.yaml").is_file()


@pytest.mark.parametrize("selector", sorted({name for row in FORMATS for name in re.findall(r"`([^`]+)`", row[2])}))
def test_an_answer_of_the_form_is_read(selector: str) -> None:
    name, _, protocol = selector.partition("@")
    task = Task.load(REGISTRY.cards[name], protocol or "default")
    sample = next(iter(task.open(DataOptions(data_dir=DATA)).samples(AskStyle(**STYLES.get(selector, {})))))[1]()
    size = (64, 48)
    sample = replace(sample, context=replace(sample.context, image_size=size, sent_size=size))
    text, expected = SAID[selector]
    verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
    assert verdict.outcome in ("scored", "unscored"), verdict
    assert verdict.extracted == expected


STYLES: dict[str, dict[str, str]] = {"androidcontrol-low@magicgui": {"coordinates": "thousand"}}
ROUTE = {"via": None, "via_count": None}
SAID: dict[str, tuple[str, Any]] = {
    "mathvista@perception-r1": ("<think>So it is A or B.</think><answer>The final answer is \\boxed{B}</answer>", "green"),
    "geometry3k@papo": ("<think>2 + 10 = 12, not 14.</think> The length is \\boxed{12}", "12"),
    "mmmu-pro@vision-sr1": ("<description>A bar chart; A is 3.</description><think>B is larger.</think>\\boxed{B}", "B"),
    "vsi-bench@spatialladder": ("<think>Perhaps 2.</think><answer>3</answer>", 3.0),
    "clevr-count@curr-reft": ("<think>Two red, one blue.</think><answer>3</answer>", 3.0),
    "koniq-10k": ('<think>Sharp, but noisy.</think><answer>{"rating": 3.42}</answer>', 3.42),
    "puzzlevqa@vl-prm": ("[Visual Elements]\n<step_1>A is 3</step_1>\n[Reasoning]\n<step_2>so 4</step_2>\n<correct_answer>$\\boxed{B}$</correct_answer>", "B"),
    "reasonaff@frame-840": ('<think>The handle.</think><rethink>Yes.</rethink><answer>[{"bbox_2d": [84, 105, 420, 525], "point_2d": [200, 300], "affordance": "hold"}]</answer>', [[6.4, 6.0, 32.0, 30.0]]),
    "coco-few-shot": ("<think>One.</think><answer>[{'Position': [100, 200, 500, 600], 'Confidence': 0.87}]</answer>", [{"box": [6.4, 9.6, 32.0, 28.8], "label": "cat", "confidence": 0.87, "score": 0.87}]),
    "coco@v-triune": ("Let me see.<answer>[{'bbox_2d': [4, 8, 20, 30], 'label': 'cat'}]</answer>", [{"box": [4.0, 8.0, 20.0, 30.0], "label": "cat", "score": pytest.approx(16 * 22 / (64 * 48))}]),
    "refcoco@vlm-r1": ('<think>Left.</think><answer>{"bbox_2d": [4, 8, 24, 18]}</answer>', [4.0, 8.0, 24.0, 18.0]),
    "refcoco@curr-reft": ('<think>Left.</think><answer>{"bbox_2d": [4, 8, 24, 18]}</answer>', [4.0, 8.0, 24.0, 18.0]),
    "reasonmap": ("Route Name: Line 1\nDeparture Stop: A\nArrival Stop: B\n--\nRoute Name: Line 2\nDeparture Stop: B\nArrival Stop: C", [ROUTE | {"route": "Line 1", "departure": "A", "arrival": "B"}, ROUTE | {"route": "Line 2", "departure": "B", "arrival": "C"}]),
    "androidcontrol-low@magicgui": ("tap(700,964)", {"kind": "click", "point": [44.8, 46.272]}),
    "visual-process-bench": ("Step 1: +\nStep 2: -\nStep 3: -", ["+", "-", "-"]),
    "vl-rewardbench": ("Answer 2 is vague. Overall Judgment: Answer 1 is better.", "A"),
    "vicrit-bench": ("<think>The hat is blue.</think>['a red hat']", ["a red hat"]),
}  # fmt: skip
