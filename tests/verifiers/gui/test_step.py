"""Steps by every rule, with the cases that tell them apart, and gold actions in the data sets' own forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.gui.action import KINDS
from mmeval.verifiers.gui.gold import read_gold
from mmeval.verifiers.gui.rules import RULES, token_f1
from mmeval.verifiers.gui.step import StepVerifier

SIZE = (1000, 2000)
SCREEN = AnswerContext(image_size=SIZE, sent_size=SIZE)


def step(rule: str, said: dict[str, Any], gold: dict[str, Any]) -> tuple[float, float, float, float]:
    """(right, type, grounding, grounded) of an action."""
    found = StepVerifier({"form": "tool-call", "rule": rule}).match(said, gold, SCREEN)
    assert found.correct is (found.score == 1.0)
    return found.score, found.scores["type"], found.scores["grounding"], found.scores["grounded"]


def click(x: float, y: float, kind: str = "click") -> dict[str, Any]:
    return {"kind": kind, "point": [x, y]}


def typed(text: str) -> dict[str, Any]:
    return {"kind": "type", "text": text}


def press(key: str) -> dict[str, Any]:
    return {"kind": "press", "key": key}


def scroll(direction: str) -> dict[str, Any]:
    return {"kind": "scroll", "direction": direction}


RIGHT, HIT, MISS, OTHER = (1, 1, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1), (0, 0, 0, 1)
WRONG, NOT_TYPE = (0, 1, 0, 0), (0, 0, 0, 0)
GOLD = click(500, 1000)
BOXED = {**GOLD, "box": [480, 980, 520, 1020]}
NODES = {**GOLD, "elements": [[480, 980, 520, 1020], [0, 0, 1000, 2000], [600, 980, 640, 1020]]}


@pytest.mark.parametrize(
    ("rule", "said", "gold", "expected"),
    [
        # 14 % of the screen, as shares of its sides: 140 of 1000 across, 280 of 2000 down.
        ("mmeval", click(640, 1000), GOLD, HIT),
        ("mmeval", click(641, 1000), GOLD, MISS),
        ("mmeval", click(500, 1280), GOLD, HIT),
        ("mmeval", click(500, 1281), GOLD, MISS),
        ("mmeval", click(600, 1200), GOLD, MISS),
        ("mmeval", click(520, 1020), BOXED, HIT),
        ("mmeval", click(521, 1000), BOXED, MISS),  # near, and not in the box
        ("mmeval", click(500, 1000, "long-press"), GOLD, OTHER),
        ("mmeval", typed("New  York"), typed("new york"), RIGHT),
        ("mmeval", typed("york hotel"), typed("new york"), RIGHT),
        ("mmeval", typed("hotel"), typed("new york"), WRONG),
        ("mmeval", scroll("up"), scroll("up"), RIGHT),
        ("mmeval", scroll("down"), scroll("up"), WRONG),
        ("mmeval", press("back"), press("home"), WRONG),
        ("mmeval", {"kind": "open-app", "app": "clock"}, {"kind": "open-app", "app": "Clock"}, RIGHT),
        ("mmeval", {"kind": "wait"}, {"kind": "stop"}, NOT_TYPE),
        ("mmeval", {"kind": "drag", "point": [0, 0], "end": [10, 10]}, {"kind": "drag", "point": [0, 0], "end": [10, 10]}, HIT),
        ("mmeval", {"kind": "drag", "point": [0, 0], "end": [900, 10]}, {"kind": "drag", "point": [0, 0], "end": [10, 10]}, (0, 1, 1, 1)),
        ("mmeval", click(640, 1000), NODES, HIT),
        ("mmeval", click(641, 1000), NODES, MISS),  # some element is everywhere
        ("osatlas", click(640, 1000), GOLD, HIT),
        ("osatlas", click(641, 1000), GOLD, MISS),
        ("osatlas", click(530, 1000), BOXED, HIT),  # boxes do not matter
        ("osatlas", typed("a"), GOLD, NOT_TYPE),  # and the step does not count for the grounding
        ("osatlas", click(640, 1000, "long-press"), click(500, 1000, "long-press"), RIGHT),
        ("osatlas", press("back"), press("home"), NOT_TYPE),  # keys are types
        ("osatlas", typed("new york"), typed("new jersey"), RIGHT),  # the first word alone
        ("osatlas", typed("new"), typed("new jersey"), WRONG),  # "[new]" is not "[new"
        ("osatlas", typed("New York"), typed("new jersey"), RIGHT),  # whatever the case
        ("osatlas", {"kind": "open-app", "app": "gmail"}, {"kind": "open-app", "app": "Gmail"}, RIGHT),
        ("osatlas", typed("the new york"), typed("new york"), WRONG),
        ("osatlas", scroll("up"), scroll("down"), WRONG),
        ("osatlas", {"kind": "stop"}, {"kind": "stop"}, RIGHT),
        ("osatlas", {"kind": "stop", "detail": "failure"}, {"kind": "stop"}, NOT_TYPE),
        ("osatlas-odyssey", typed("new york"), typed("new jersey"), RIGHT),  # TYPE and "[new" of three words: 0.67
        ("osatlas-odyssey", typed("New York"), typed("new jersey"), RIGHT),
        ("osatlas-odyssey", click(500.5, 1000, "long-press"), click(500, 1000, "long-press"), (0, 1, 0, 1)),
        ("osatlas-odyssey", typed("york"), typed("new jersey"), WRONG),
        ("osatlas-odyssey", click(640, 1000, "long-press"), click(500, 1000, "long-press"), (1, 1, 0, 1)),
        ("osatlas-odyssey", click(640, 1000), GOLD, HIT),
        ("osatlas-odyssey", click(500.5, 1000), GOLD, MISS),  # a click is two whole thousandths
        ("qwen", click(540, 1000), GOLD, HIT),
        ("qwen", click(541, 1000), GOLD, MISS),
        ("qwen", click(524, 1024), BOXED, HIT),  # the box 1.2 times as large
        ("qwen", click(620, 1000), NODES, HIT),  # one of the five nearest boxes
        ("qwen", click(540, 1000), click(500, 1000, "long-press"), HIT),  # a long press is stored as a touch
        ("qwen", click(500, 1000, "long-press"), click(500, 1000, "long-press"), OTHER),
        ("qwen", typed(" New"), typed("new york"), RIGHT),
        ("qwen", typed("york city"), typed("new york"), WRONG),
        ("qwen", {"kind": "wait"}, {"kind": "stop"}, RIGHT),
        ("qwen", press("back"), press("back"), RIGHT),
        ("qwen", press("home"), press("back"), WRONG),
        ("qwen", {"kind": "open-app", "app": "a"}, GOLD, OTHER),
        ("agentcpm", click(640, 1000), GOLD, HIT),
        ("agentcpm", click(645, 1000), {**GOLD, "elements": [[600, 980, 640, 1020]]}, MISS),  # the box does not hold the gold
        ("agentcpm", click(700, 1500), {**GOLD, "elements": [[0, 0, 1000, 2000]]}, HIT),
        ("agentcpm", click(500, 1000, "long-press"), click(500, 1000, "long-press"), HIT),
        ("odyssey", click(515, 1005), BOXED, HIT),
        ("odyssey", click(640, 1000), BOXED, HIT),  # outside the box and within 14 %
        ("odyssey", click(641, 1000), BOXED, MISS),
        ("odyssey", typed("abcd"), typed("abxy"), RIGHT),
        ("odyssey", typed("abcd"), typed("axyz"), WRONG),
        ("odyssey", typed("York"), typed("New York"), RIGHT),
        ("odyssey", press("home"), press("back"), NOT_TYPE),
        ("odyssey", {"kind": "stop", "detail": "failure"}, {"kind": "stop"}, NOT_TYPE),
        ("aitw", click(640, 1000), GOLD, HIT),
        ("aitw", click(641, 1000), GOLD, MISS),
        ("aitw", click(641, 1000), {**GOLD, "elements": [[400, 900, 600, 1100]]}, HIT),  # the element 2.4 times as large
        ("aitw", click(741, 1000), {**GOLD, "elements": [[400, 900, 600, 1100]]}, MISS),
        ("aitw", scroll("up"), GOLD, MISS),  # both are touches
        ("aitw", click(500, 1000), scroll("up"), WRONG),
        ("aitw", scroll("down"), scroll("up"), RIGHT),
        ("aitw", scroll("left"), scroll("up"), WRONG),
        ("aitw", typed("a"), typed("b"), RIGHT),
        ("aitw", typed("a"), GOLD, OTHER),
        ("aitw", press("home"), press("back"), NOT_TYPE),
        ("aitw", {"kind": "stop", "detail": "failure"}, {"kind": "stop"}, NOT_TYPE),
        ("gui-r1", click(639, 1000), GOLD, HIT),
        ("gui-r1", click(640, 1000), GOLD, MISS),  # strictly below
        ("gui-r1", click(500, 1000, "long-press"), GOLD, (1, 0, 1, 1)),  # the point counts whatever the type is
        ("gui-r1", typed("new york"), typed("new jersey"), RIGHT),
        ("gui-r1", typed("ew"), typed("new"), RIGHT),
        ("gui-r1", scroll("up"), scroll("up"), RIGHT),
        ("gui-r1", scroll("down"), scroll("up"), WRONG),
        ("magicgui", click(640, 1000), GOLD, HIT),
        ("magicgui", typed("a"), GOLD, OTHER),
        ("magicgui", {**scroll("up"), "point": [900, 1000]}, {**scroll("up"), "point": [500, 1000]}, WRONG),
        ("magicgui", {**scroll("up"), "point": [600, 1000]}, {**scroll("up"), "point": [500, 1000]}, RIGHT),
        ("magicgui", {**typed("new york"), "point": [900, 10]}, {**typed("new york"), "point": [500, 1000]}, WRONG),
        ("magicgui", typed("new york"), typed("new jersey"), RIGHT),
        ("magicgui", {"kind": "wait"}, {"kind": "stop"}, NOT_TYPE),
        ("magicgui", {"kind": "drag", "point": [0, 0], "end": [75, 0]}, {"kind": "drag", "point": [0, 0], "end": [0, 0]}, HIT),
        ("magicgui", {"kind": "drag", "point": [0, 0], "end": [76, 0]}, {"kind": "drag", "point": [0, 0], "end": [0, 0]}, (0, 1, 1, 1)),
        ("magicgui", {"kind": "call-api", "app": "a", "detail": "kill"}, {"kind": "call-api", "app": "a", "detail": "open"}, WRONG),
        ("magicgui", click(10, 10), press("back"), NOT_TYPE),
        ("magicgui-released", typed("anything"), GOLD, HIT),
        ("magicgui-released", click(900, 10), typed("new"), RIGHT),
        ("magicgui-released", click(150, 300), press("back"), RIGHT),
        ("magicgui-released", click(151, 300), press("back"), NOT_TYPE),
        ("magicgui-released", {"kind": "wait"}, {"kind": "stop"}, NOT_TYPE),
        ("magicgui-released", {**scroll("up"), "point": [900, 1000]}, {**scroll("up"), "point": [500, 1000]}, RIGHT),
        ("magicgui-released", typed("new york"), typed("york"), RIGHT),
        ("magicgui-released-ac", click(700, 1000), NODES, HIT),
    ],
)  # fmt: skip
def test_rule(rule: str, said: dict[str, Any], gold: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert step(rule, said, gold) == expected


def tool(**arguments: Any) -> str:
    return json.dumps({"name": "mobile_use", "arguments": arguments})


@pytest.mark.parametrize(
    ("rule", "gold", "scores"),
    [
        ("mmeval", GOLD, (0, 0, 1, 1)),
        ("mmeval", typed("a"), (0, 0, 0, 1)),
        ("osatlas", GOLD, (0, 0, 0, 1)),
        ("qwen", GOLD, (0, 0, 1, 1)),
        ("gui-r1", GOLD, (0, 0, 1, 1)),
        ("gui-r1", {"kind": "wait"}, (0, 0, 0, 0)),
        ("magicgui", GOLD, (0, 0, 1, 1)),
    ],
)
def test_a_row_without_an_action(rule: str, gold: dict[str, Any], scores: tuple[int, ...]) -> None:
    verdict = verify(StepVerifier({"form": "tool-call", "rule": rule}), Response("ok", "I would tap it."), gold, SCREEN)
    assert (verdict.outcome, verdict.score, verdict.reason) == ("no_answer", 0.0, "no action")
    assert tuple(verdict.scores[name] for name in ("type", "grounding", "grounded", "counted")) == scores


def test_steps_that_are_not_counted() -> None:
    found = StepVerifier({"form": "tool-call", "rule": "gui-r1"}).match({"kind": "wait"}, {"kind": "wait"}, SCREEN)
    assert (found.correct, found.scores["counted"]) == (True, 0.0)


AC = {"schema": "android-control"}
AITZ = {
    "schema": "aitz", "result_touch_yx": "[-1.0, -1.0]", "result_lift_yx": "[-1.0, -1.0]", "result_action_text": "", "ui_positions": "[]",
}  # fmt: skip
OD = {"schema": "odyssey", "info": "", "box": None}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({**AC, "action": '{"action_type": "click", "x": 540, "y": 1200}'}, click(540, 1200)),
        ({**AC, "action": {"action_type": "long_press", "x": 540, "y": 1200}}, click(540, 1200, "long-press")),
        ({**AC, "action": {"action_type": "scroll", "direction": "down"}}, scroll("down")),
        ({**AC, "action": {"action_type": "input_text", "text": "a"}}, typed("a")),
        ({**AC, "action": {"action_type": "open_app", "app_name": "Clock"}}, {"kind": "open-app", "app": "Clock"}),
        ({**AC, "action": {"action_type": "navigate_back"}}, press("back")),
        ({**AC, "action": {"action_type": "wait"}}, {"kind": "wait"}),
        ({**AITZ, "result_action_type": 4, "result_touch_yx": "[0.5, 0.25]", "result_lift_yx": "[0.5, 0.25]"}, click(250, 1000)),
        ({**AITZ, "result_action_type": 4, "result_touch_yx": "[0.5, 0.5]", "result_lift_yx": "[0.2, 0.5]"}, scroll("down")),
        ({**AITZ, "result_action_type": 0, "result_touch_yx": [0.5, 0.5], "result_lift_yx": [0.5, 0.5]}, click(500, 1000, "long-press")),
        ({**AITZ, "result_action_type": 4, "result_touch_yx": [0.5, 0.5], "result_lift_yx": [0.5, 0.5], "ui_positions": "[[0.25, 0.1, 0.5, 0.2]]"},
         {**click(500, 1000), "elements": [[100, 500, pytest.approx(300), 1500]]}),
        ({**AITZ, "result_action_type": 3, "result_action_text": "a"}, typed("a")),
        ({**AITZ, "result_action_type": 5}, press("back")),
        ({**AITZ, "result_action_type": 1}, {"kind": "wait"}),
        ({**AITZ, "result_action_type": 10}, {"kind": "stop"}),
        ({**OD, "action": "CLICK", "info": [[500, 250]], "box": [480, 240, 520, 260]}, {**click(500, 500), "boxes": [[480, 480, 520, 520]]}),
        ({**OD, "action": "CLICK", "info": "KEY_APPSELECT"}, press("recent")),
        ({**OD, "action": "CLICK", "info": "KEY_HOME"}, press("home")),
        ({**OD, "action": "SCROLL", "info": [[500, 800], [500, 200]]}, scroll("down")),
        ({**OD, "action": "SCROLL", "info": "UP"}, scroll("down")),
        ({**OD, "action": "LONG_PRESS", "info": "[[1, 2]]"}, click(1, 4, "long-press")),
        ({**OD, "action": "TYPE", "info": "hi"}, typed("hi")),
        ({**OD, "action": "INCOMPLETE"}, {"kind": "stop", "detail": "failure"}),
        ({"schema": "gui-r1", "action": "click", "box": [10, 20], "text": "no input text"}, click(10, 20)),
        ({"schema": "gui-r1", "action": "scroll", "box": [-100, -100], "text": "DOWN"}, scroll("down")),
        ({"schema": "magicgui", "action": "tap(500,500)"}, click(500, 1000)),
        ({"schema": "magicgui", "action": "scroll(500,500,up)"}, {**scroll("down"), "point": [500, 1000]}),
        ({**GOLD, "box": [1, 2, 3, 4]}, {**GOLD, "boxes": [[1, 2, 3, 4]]}),
    ],
)  # fmt: skip
def test_gold(target: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_gold(target, SCREEN).as_json() == expected


@pytest.mark.parametrize(
    "target",
    [
        None, "click", {}, {"kind": "fly"}, {"kind": "click", "point": [1]}, {"kind": "click", "point": [float("nan"), 1]}, {"kind": "click", "where": 1},
        {**GOLD, "box": [5, 5, 1, 1]}, {**GOLD, "box": [1, 2, 3]}, {**GOLD, "box": [float("nan"), 2, 3, 4]}, {"kind": "scroll", "direction": "in"},
        {"schema": "other"}, {**AC, "action": "{"}, {**AC, "action": {"action_type": "fly"}}, {**AC, "action": {"action_type": "click"}},
        {**AITZ, "result_action_type": 99}, {**AITZ, "result_action_type": 4, "result_touch_yx": "[1"}, {**OD, "action": "CLICK", "info": []},
        {**OD, "action": "SCROLL", "info": [[5, 5], [5, 5]]}, {"schema": "magicgui", "action": "hello"}, {"schema": "gui-r1", "action": "click", "box": None},
    ],
)  # fmt: skip
def test_bad_gold_is_the_rows_fault(target: Any) -> None:
    with pytest.raises(DataError):
        read_gold(target, SCREEN)
    verdict = verify(StepVerifier({"form": "tool-call"}), Response("ok", tool(action="wait")), target, SCREEN)
    assert verdict.outcome == "unscored"


def test_what_a_step_needs() -> None:
    with pytest.raises(DataError, match="image size"):
        StepVerifier({"form": "tool-call"}).match({"kind": "wait"}, {"kind": "wait"}, AnswerContext())
    with pytest.raises(DataError, match="image size"):
        read_gold({**AC, "action": {"action_type": "wait"}}, AnswerContext())
    with pytest.raises(UsageError, match="option form"):
        StepVerifier().parse("tap(1,2)", SCREEN)
    with pytest.raises(UsageError, match="rule"):
        StepVerifier({"rule": "nobody"})


POINTS = st.tuples(st.integers(0, 1000), st.integers(0, 2000)).map(list)
ACTIONS = st.fixed_dictionaries(
    {"kind": st.sampled_from(sorted(KINDS))},
    optional={
        "point": POINTS, "end": POINTS, "text": st.text(max_size=8), "direction": st.sampled_from(["up", "down", "left", "right"]),
        "key": st.sampled_from(["back", "home"]), "app": st.text(max_size=8), "detail": st.sampled_from(["success", "failure"]),
    },
)  # fmt: skip


@given(st.sampled_from(sorted(RULES)), ACTIONS, ACTIONS)
def test_every_rule_takes_every_action(rule: str, said: dict[str, Any], gold: dict[str, Any]) -> None:
    right, same, grounding, grounded = step(rule, said, gold)
    assert grounding <= grounded
    assert right <= same or rule == "gui-r1"


@given(st.sampled_from(sorted(RULES)), ACTIONS)
def test_the_gold_is_right(rule: str, gold: dict[str, Any]) -> None:
    if gold["kind"] in {
        "click",
        "long-press",
        "move",
        "drag",
        "double-click",
        "triple-click",
        "right-click",
        "middle-click",
    }:
        gold = {**gold, "point": [500, 1000], "end": [10, 20]}
    if rule == "gui-r1" and gold["kind"] in ("type", "open-app", "scroll"):
        return  # a text without words has no F1
    if rule == "qwen" and gold["kind"] == "long-press":
        return
    if (
        gold["kind"] == "type"
        and "magicgui" in rule
        and not gold.get("text", "").strip(" []\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029")
    ):
        return
    if gold["kind"] == "type" and rule != "mmeval" and token_f1(gold.get("text", ""), gold.get("text", "")) == 0:
        return
    assert step(rule, gold, gold)[:2] == (1.0, 1.0)
