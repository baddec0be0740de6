"""Cards of steps on screens, of places on screens and of questions about them, on fixtures in the data sets' own layouts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import Response, Sample
from mmeval.metrics import estimate
from mmeval.pipeline.media import prepare
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify
from mmeval.verifiers.gui.action import OPPOSITE
from mmeval.verifiers.gui.gold import read_gold

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])
SIZE = (64, 48)
STEPS = {
    ("androidcontrol-high", "androidcontrol-high"): 7,
    ("androidcontrol-low", "androidcontrol-low"): 7,
    ("androidcontrol-high", "androidcontrol-aitz"): 6,
    ("androidcontrol-low", "androidcontrol-aitz"): 6,
    ("androidcontrol-high", "androidcontrol-r1"): 4,
    ("gui-odyssey", "gui-odyssey"): 6,
    ("magic-rich", "magic-rich"): 10,
}
"""(task, folder of its fixture) -> steps."""


def samples(name: str, protocol: str, folder: str, style: AskStyle | None = None) -> tuple[Task, list[Sample]]:
    """Return the task and its samples with the sizes of their screens."""
    task = Task.load(REGISTRY.cards[name], protocol)
    built = [build() for _, build in task.open(DataOptions(data_dir=DATA / folder)).samples(style or AskStyle())]
    return task, [
        task.settle(sample, [prepare(media, lambda *_: None, lambda *_: None) for media in sample.media])
        for sample in built
    ]


def tool_call(gold: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a tool call that says a gold action."""
    kind, point = gold["kind"], gold.get("point")
    if kind in ("click", "long-press"):
        return {"action": kind.replace("-", "_"), "coordinate": point}
    if kind == "scroll":
        x, y = point or (32, 24)
        way = {"down": (0, -9), "up": (0, 9), "left": (9, 0), "right": (-9, 0)}[gold["direction"]]
        return {"action": "swipe", "coordinate": [x, y], "coordinate2": [x + way[0], y + way[1]]}
    if kind == "type":
        return {"action": "type", "text": gold["text"], **({"coordinate": point} if point else {})}
    if kind == "press":
        return {"action": "system_button", "button": gold["key"]}
    if kind == "open-app":
        return {"action": "open", "text": gold["app"]}
    if kind == "drag":
        return {"action": "drag", "coordinate": point, "coordinate2": gold["end"]}
    named = {"stop": "terminate", "screenshot": "screenshot", "wait": "wait"}
    return {"action": named.get(kind, "no such action")}


def in_words(gold: dict[str, Any], form: str, scroll: str) -> str:
    """A gold action in a dialect."""
    if form == "tool-call":
        return json.dumps({"name": "mobile_use", "arguments": tool_call(gold)})
    kind = gold["kind"]
    point = [round(number * 1000 / side) for number, side in zip(gold.get("point", SIZE), SIZE, strict=True)]
    place, direction = ",".join(map(str, point)), gold.get("direction", "")
    way = OPPOSITE[direction] if direction and scroll == "finger" else direction
    if form == "osatlas":
        return {
            "click": f"CLICK <point>[[{place}]]</point>", "long-press": f"LONG_PRESS <point>[[{place}]]</point>", "type": f"TYPE [{gold.get('text')}]",
            "scroll": f"SCROLL [{way.upper()}]", "open-app": f"OPEN_APP [{gold.get('app')}]", "press": f"PRESS_{gold.get('key', '').upper()}",
            "wait": "WAIT", "stop": "COMPLETE",
        }[kind]  # fmt: skip
    if form == "agentcpm":
        return json.dumps({
            "click": {"POINT": point}, "long-press": {"POINT": point, "duration": 1000}, "scroll": {"POINT": point, "to": way},
            "type": {"TYPE": gold.get("text")}, "press": {"PRESS": gold.get("key", "").upper()}, "wait": {"duration": 500}, "stop": {"STATUS": "finish"},
        }[kind])  # fmt: skip
    end = ",".join(str(round(number * 1000 / side)) for number, side in zip(gold.get("end", SIZE), SIZE, strict=True))
    return {
        "click": f"tap({place})", "long-press": f"long_press({place})", "type": f"text({place},{gold.get('text')})", "scroll": f"scroll({place},{way})",
        "press": f"navigate_{gold.get('key')}()", "wait": "wait()", "stop": "finish()", "drag": f"drag({place},{end})",
        "screenshot": "long_screen_shot()" if gold.get("detail") == "long" else "screen_shot()", "no-answer": "no_answer()",
        "take-over": f"take_over({gold.get('detail')})", "call-api": f"call_api({gold.get('app')}, {gold.get('detail')})", "open-app": "no call for it",
    }[kind]  # fmt: skip


UNSAID = {
    "magicgui": {"open-app"},
    "tool-call": {"no-answer", "take-over", "call-api"},
    "osatlas": set(),
    "agentcpm": set(),
}
"""Actions that a dialect does not have."""


def _cases() -> Iterator[tuple[str, str, str]]:
    for name, folder in STEPS:
        yield name, "default", folder
        yield from ((name, protocol, folder) for protocol in REGISTRY.cards[name].raw["protocols"])


@pytest.mark.parametrize(("name", "protocol", "folder"), list(_cases()))
def test_the_gold_said_back_is_right(name: str, protocol: str, folder: str) -> None:
    task, found = samples(name, protocol, folder)
    dropped = protocol in ("qwen", "agentcpm") and folder in (
        "androidcontrol-high",
        "androidcontrol-low",
        "androidcontrol-r1",
    )
    assert len(found) == STEPS[name, folder] - dropped
    options = task.card.answer.options
    rows = []
    for number, sample in enumerate(found):
        gold = read_gold(sample.target, sample.context).action.as_json()
        said = in_words(
            gold,
            options["form"],
            options.get("scroll", "finger" if options["form"] in ("magicgui", "agentcpm") else "content"),
        )
        verdict = verify(task.verifier, Response("ok", said), sample.target, sample.context)
        if gold["kind"] in UNSAID[options["form"]]:
            assert verdict.outcome == "no_answer", said
            continue
        if options["rule"] == "qwen" and gold["kind"] == "long-press":
            assert verdict.scores["type"] == 0.0  # its evaluator stores a long press as a touch
            continue
        assert (verdict.outcome, verdict.score, verdict.scores["type"]) == ("scored", 1.0, 1.0), (said, sample.target)
        wrong = verify(task.verifier, Response("ok", "Nothing to do."), sample.target, sample.context)
        assert (wrong.outcome, wrong.score) == ("no_answer", 0.0)
        rows.append({
            "sample_id": str(number), "outcome": verdict.outcome, "score": verdict.score, "correct": verdict.correct,
            "scores": dict(verdict.scores), "cluster": sample.cluster, "repeat": 0, "subsets": dict(sample.subsets),
        })  # fmt: skip
    for metric in task.card.metrics:
        value = estimate(metric, rows).value
        if options["rule"] == "osatlas-odyssey" and metric == "weighted:grounding:grounded":
            assert value == 0.5  # a long press counts there, and never hits
            continue
        assert value == 1.0 or (value is None and folder == "androidcontrol-r1" and metric == "all:episode"), metric


def test_the_low_level_shows_the_step_and_the_high_level_does_not() -> None:
    for name, shown in (("androidcontrol-low", True), ("androidcontrol-high", False)):
        for folder in (name, "androidcontrol-aitz"):
            _, found = samples(name, "default", folder)
            prompts = [str(sample.messages) for sample in found]
            assert all(("Do step" in prompt) is shown for prompt in prompts)
            assert all("Set an alarm" in prompt for prompt in prompts)
    _, found = samples("gui-odyssey", "low", "gui-odyssey")
    assert all("You need to: Do step" in str(sample.messages) for sample in found)


def test_steps_of_an_episode_are_dependent() -> None:
    task, found = samples("androidcontrol-high", "default", "androidcontrol-high")
    assert [sample.cluster for sample in found] == ["1"] * 4 + ["2"] * 3
    assert [sample.id for sample in found][:5] == ["1-0", "1-1", "1-2", "1-3", "2-0"]
    assert task.card.metrics[-1] == "all:episode"
    _, odyssey = samples("gui-odyssey", "default", "gui-odyssey")
    assert {sample.cluster for sample in odyssey} == {"0001.json"}  # the other episode is not in the split


def test_the_parts_of_magic_rich() -> None:
    _, found = samples("magic-rich", "default", "magic-rich")
    parts = [sample.subsets["part"] for sample in found]
    assert {part: parts.count(part) for part in parts} == {
        "Routine": 3,
        "Instruction": 2,
        "Complex": 2,
        "Handing_Exception": 3,
    }


def test_both_forms_of_androidcontrol_give_the_same_actions() -> None:
    _, own = samples("androidcontrol-high", "default", "androidcontrol-high")
    _, aitz = samples("androidcontrol-high", "default", "androidcontrol-aitz")
    first = [read_gold(sample.target, sample.context).action for sample in own if "open_app" not in str(sample.target)]
    second = [read_gold(sample.target, sample.context).action for sample in aitz]
    assert [action.kind for action in first][:-1] == [action.kind for action in second][:-1]
    assert second[-1].kind == "click"  # AITZ's form has no long press here
    assert [action.direction for action in first] == [action.direction for action in second]


@pytest.mark.parametrize("protocol", ["default", "refined", "grounding"])
def test_osworld_g(protocol: str) -> None:
    task, found = samples("osworld-g", protocol, "osworld-g", AskStyle(coordinates="thousand"))
    said = {"own-0": "[156, 250]", "own-1": "(312, 416)", "own-2": "[-1, -1]"}
    assert len(found) == (2 if protocol == "grounding" else 3)
    for sample in found:
        verdict = verify(task.verifier, Response("ok", said[sample.id]), sample.target, sample.context)
        assert verdict.correct is True, verdict
        other = verify(
            task.verifier, Response("ok", "none" if sample.id != "own-2" else "[5, 5]"), sample.target, sample.context
        )
        assert (other.outcome, other.score) == ("scored", 0.0)
    assert found[0].subsets["group"] == "text_matching | layout_understanding"
    assert found[0].target == {"box": [4, 8, 24, 18]}


@pytest.mark.parametrize("protocol", ["default", "official", "validation"])
def test_screenqa(protocol: str) -> None:
    task, found = samples("screenqa-short", protocol, "screenqa-short")
    answers = (("12:45 PM.", 1.0), ("<no answer>", 1.0), ("Rome city", 0.0))
    for sample, (text, score) in zip(found, answers, strict=True):
        verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
        assert (verdict.outcome, verdict.score) == ("scored", score)
    assert verdict.scores["f1"] == pytest.approx(0.8)  # {rome, city} and {city, of, rome}
    assert [sample.subsets["answerable"] for sample in found] == ["yes", "no", "no"]
