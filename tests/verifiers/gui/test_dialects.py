"""What models write, in every dialect, as one action."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.gui.action import Action
from mmeval.verifiers.gui.dialects import DIALECTS, get_dialect, state

SCREEN = AnswerContext(image_size=(1000, 1000), sent_size=(1000, 1000))


def read(dialect: str, text: str, context: AnswerContext = SCREEN, **options: Any) -> dict[str, Any] | str:
    """The action as JSON, or the reason."""
    found = state(text, context, get_dialect(dialect), options)
    if found.action is None:
        return found.reason
    assert found.span is not None
    assert 0 <= found.span[0] <= found.span[1] <= len(text)
    return found.action.as_json()


def act(kind: str, x: float | None = None, y: float | None = None, **rest: Any) -> dict[str, Any]:
    point = {} if x is None or y is None else {"point": [float(x), float(y)]}
    return {"kind": kind, **point, **rest}


CLICK = act("click", 100, 200)
TWICE = "several actions"

PYAUTOGUI = [
    ("pyautogui.click(x=100, y=200)", CLICK),
    ("pyautogui.click(100, 200)", CLICK),
    ("pyautogui.click(x=100,y=200)", CLICK),
    ("pyautogui.click((100, 200))", CLICK),
    ("pyautogui.click([100, 200])", CLICK),
    ("pyautogui.click(\n    x=100,\n    y=200,\n)", CLICK),
    ("pyautogui.click(y=200, x=100)", CLICK),
    ("pyautogui.click(100.0, y=2e2)", CLICK),
    ("pyautogui.leftClick(100, 200)", CLICK),
    ("```python\npyautogui.click(x=100, y=200)\n```", CLICK),
    ("```\nimport pyautogui\npyautogui.click(x=100, y=200)  # the button\n```", CLICK),
    ("```python\npyautogui.click(x=100, y=200)", CLICK),
    ("Action: pyautogui.click(x=100, y=200)", CLICK),
    ("Thought: I click on it (top left).\nAction: pyautogui.click(x=100, y=200)", CLICK),
    ("<think>pyautogui.click(1, 2)</think>pyautogui.click(x=100, y=200)", CLICK),
    ("<answer>pyautogui.click(x=100, y=200)</answer>", CLICK),
    ("I use pyautogui.click(x=100, y=200), that is pyautogui.click(100, 200).", CLICK),
    ("import time\npyautogui.click(x=100, y=200)\ntime.sleep(1)", CLICK),
    ("pyautogui.moveTo(100, 200)\npyautogui.click()", CLICK),
    ("pyautogui.moveTo(100, 200)", act("move", 100, 200)),
    ("pyautogui.click(x=-5, y=200)", act("click", -5, 200)),
    ("pyautogui.doubleClick(x=100, y=200)", act("double-click", 100, 200)),
    ("pyautogui.click(100, 200, clicks=2)", act("double-click", 100, 200)),
    ("pyautogui.tripleClick(100, 200)", act("triple-click", 100, 200)),
    ("pyautogui.rightClick(100, 200)", act("right-click", 100, 200)),
    ("pyautogui.click(100, 200, button='right')", act("right-click", 100, 200)),
    ("pyautogui.middleClick(100, 200)", act("middle-click", 100, 200)),
    ("pyautogui.write(message='hello, (world)')", act("type", text="hello, (world)")),
    ('pyautogui.typewrite("it\'s")', act("type", text="it's")),
    ("pyautogui.write('a\\nb', interval=0.1)", act("type", text="a\nb")),
    ("pyautogui.write('你好')", act("type", text="你好")),
    ("pyautogui.press('enter')", act("press", key="enter")),
    ("pyautogui.press(keys=['enter'])", act("press", key="enter")),
    ("pyautogui.press('Return')", act("press", key="enter")),
    ("pyautogui.hotkey('ctrl', 'c')", act("press", key="ctrl+c")),
    ("pyautogui.hotkey(['ctrl', 'c'])", act("press", key="ctrl+c")),
    ("pyautogui.scroll(-5)", act("scroll", direction="down")),
    ("pyautogui.scroll(5)", act("scroll", direction="up")),
    ("pyautogui.scroll(page=-0.1)", act("scroll", direction="down")),
    ("pyautogui.hscroll(3)", act("scroll", direction="right")),
    ("pyautogui.scroll(-5, x=100, y=200)", act("scroll", 100, 200, direction="down")),
    ("pyautogui.moveTo(1, 2)\npyautogui.dragTo(100, 200)", act("drag", 1, 2, end=[100.0, 200.0])),
    ("mobile.swipe(from_coord=[500, 800], to_coord=[500, 200])", act("scroll", 500, 800, end=[500.0, 200.0], direction="down")),
    ("computer.triple_click(x=100, y=200)", act("triple-click", 100, 200)),
    ("mobile.long_press(x=100, y=200)", act("long-press", 100, 200)),
    ("mobile.home()", act("press", key="home")),
    ("mobile.back()", act("press", key="back")),
    ("mobile.open_app(app_name='Clock')", act("open-app", app="Clock")),
    ("mobile.terminate(status='success')", act("stop", detail="success")),
    ("terminate(status='success')", act("stop", detail="success")),
    ("answer('42')", act("answer", text="42")),
    ("mobile.wait(seconds=3)", act("wait")),
    ("time.sleep(3)", act("wait")),
    ("WAIT", act("wait")),
    ("```\nDONE\n```", act("stop", detail="success")),
    ("pyautogui.click(x=100, y=200)\npyautogui.click(x=300, y=200)", TWICE),
    ("pyautogui.click(x=100, y=200)\npyautogui.write('a')", TWICE),
    ("Action: pyautogui.click(100, 200)\nObservation: ok\nAction: pyautogui.click(5, 6)", TWICE),
    ("```python\npyautogui.click(100, 200)\n```\nThen:\n```python\npyautogui.write('a')\n```", TWICE),
    ("`pyautogui.write('a')` is not needed.\n```python\npyautogui.click(100, 200)\n```", CLICK),
    ("<answer>pyautogui.click(100, 200)</answer> or <answer>pyautogui.click(1, 2)</answer>", TWICE),
    ("<answer>pyautogui.click(100, 200)</answer>, so <answer>pyautogui.click(x=100, y=200)</answer>", CLICK),
    ("pyautogui.press(['up', 'down'])", TWICE),
    ("pyautogui.click(x=100, y=20", "truncated"),
    ("pyautogui.write('hello wor", "truncated"),
    ("pyautogui.click()", "no point"),
    ("pyautogui.click(x=100)", "y is no number"),
    ("pyautogui.click(x='100', y='200')", "x is no number"),
    ("pyautogui.click(x=True, y=1)", "x is no number"),
    ("pyautogui.click(x=1e999, y=1)", "x is no number"),
    ("pyautogui.click(x=float('nan'), y=1)", "pyautogui.click cannot be read"),
    ("pyautogui.click(x=0.5*1920, y=1)", "pyautogui.click cannot be read"),
    ("pyautogui.click(x=__import__('os').system('true'), y=1)", "pyautogui.click cannot be read"),
    ("pyautogui.click(*[1, 2])", "pyautogui.click cannot be read"),
    ("pyautogui.click(100, 200, x=5)", "pyautogui.click has x twice"),
    ("pyautogui.click(1, 2, 3, 4, 5, 6, 7)", "pyautogui.click takes at most 6 arguments"),
    ("pyautogui.moveRel(5, 5)", "outside the dialect: pyautogui.moveRel"),
    ("os.system('true')", "outside the dialect: os.system"),
    ("pyautogui.scroll(0)", "a scroll that goes nowhere"),
    ("mobile.swipe(from_coord=[5, 5], to_coord=[5, 5])", "a swipe that goes nowhere"),
    ("mobile.swipe(from_coord=[1, 2, 3, 4], to_coord=[5, 5])", "a box, not a point"),
    ("I would click the button at the top.", "no action"),
    ("(100, 200)", "no action"),
    ("", "empty"),
    ("<think>pyautogui.click(1, 2)", "unfinished reasoning"),
]  # fmt: skip


def call(name: str = "mobile_use", **arguments: Any) -> str:
    body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"


def plain(**arguments: Any) -> str:
    return json.dumps(arguments, ensure_ascii=False)


_CALL = call(action="click", coordinate=[100, 200])
TOOL_CALL = [
    (_CALL, CLICK),
    (_CALL.replace("</tool_call>", ""), CLICK),
    (f"Thought: the icon.\n{_CALL}\n<conclusion>I clicked {{it}}</conclusion>", CLICK),
    (f"<thinking>{call(action='wait', time=2)}</thinking>\n{_CALL}", CLICK),
    (_CALL + "\n" + _CALL, CLICK),
    (_CALL.replace("\n", ""), CLICK),
    (call("computer_use", action="left_click", coordinate=[100, 200]), CLICK),
    (call("click", x=100, y=200), CLICK),
    (json.dumps({"name": "mobile_use", "arguments": {"action": "click", "coordinate": [100, 200]}}), CLICK),
    ("```json\n" + plain(action="click", coordinate=[100, 200]) + "\n```", CLICK),
    (plain(action_type="click", x=100, y=200), CLICK),
    (plain(action="tap", point={"x": 100, "y": 200}), CLICK),
    (plain(action="CLICK", value=None, position=[100, 200]), CLICK),
    (plain(action={"type": "click", "coordinate": [100, 200]}), CLICK),
    (plain(name="mobile_use", arguments='{"action": "click", "coordinate": [100, 200]}'), CLICK),
    (plain(function={"name": "mobile_use", "arguments": '{"action": "click", "coordinate": [100, 200]}'}), CLICK),
    (plain(action="click", coordinate=[[100, 200]]), CLICK),
    (plain(action="click", coordinate=["100", "200"]), CLICK),
    (plain(action="click", coordinate="(100, 200)"), CLICK),
    (plain(action="click", start_box="[100, 200]"), CLICK),
    ("{'action': 'click', 'coordinate': [100, 200]}", CLICK),
    ("[" + plain(action="click", coordinate=[100, 200]) + "]", CLICK),
    ("I {really} think so: " + plain(action="click", coordinate=[100, 200]), CLICK),
    ("Action: " + plain(action="click", coordinate=[100, 200]), CLICK),
    (plain(action="click", coordinate=[-1, 2000]), act("click", -1, 2000)),
    (call(action="long_press", coordinate=[100, 200], time=2), act("long-press", 100, 200)),
    (call("computer_use", action="double_click", coordinate=[100, 200]), act("double-click", 100, 200)),
    (call("computer_use", action="right_click", coordinate=[100, 200]), act("right-click", 100, 200)),
    (plain(type="click", button="right", x=100, y=200), act("right-click", 100, 200)),
    (call("computer_use", action="mouse_move", coordinate=[100, 200]), act("move", 100, 200)),
    (call("computer_use", action="left_click_drag", start_coordinate=[1, 2], end_coordinate=[3, 4]), act("drag", 1, 2, end=[3.0, 4.0])),
    (call(action="swipe", coordinate=[500, 800], coordinate2=[500, 200]), act("scroll", 500, 800, end=[500.0, 200.0], direction="down")),
    (call(action="swipe", coordinate=[100, 500], coordinate2=[900, 500]), act("scroll", 100, 500, end=[900.0, 500.0], direction="left")),
    (plain(action="swipe", direction="up"), act("scroll", direction="down")),
    (plain(action_type="scroll", direction="down"), act("scroll", direction="down")),
    (call("computer_use", action="scroll", coordinate=[1, 2], pixels=-300), act("scroll", 1, 2, direction="down")),
    (call("computer_use", action="scroll", pixels=300), act("scroll", direction="up")),
    (plain(type="scroll", x=1, y=2, scroll_x=0, scroll_y=300), act("scroll", 1, 2, direction="down")),
    (call(action="type", text="a {b} \"c\""), act("type", text='a {b} "c"')),
    (call(action="type", text=2024), act("type", text="2024")),
    (plain(action_type="input_text", text="你好"), act("type", text="你好")),
    (plain(action="type", text="a\nb").replace("\\n", "\n"), act("type", text="a\nb")),
    (call(action="key", text="volume_up"), act("press", key="volume_up")),
    (call("computer_use", action="key", keys=["ctrl", "c"]), act("press", key="ctrl+c")),
    (call(action="key", text="ctrl+C"), act("press", key="ctrl+c")),
    (call(action="system_button", button="Back"), act("press", key="back")),
    (call(action="system_button", button="Enter"), act("press", key="enter")),
    (plain(action_type="navigate_back"), act("press", key="back")),
    (plain(action_type="navigate_home"), act("press", key="home")),
    (call(action="open", text="Clock"), act("open-app", app="Clock")),
    (plain(action_type="open_app", app_name="Clock"), act("open-app", app="Clock")),
    (call(action="wait", time=2), act("wait")),
    (call(action="terminate", status="success"), act("stop", detail="success")),
    (plain(action_type="status", goal_status="complete"), act("stop", detail="complete")),
    (call(action="answer", text="42"), act("answer", text="42")),
    (call(action="click", coordinate=[100, 200]) + call(action="click", coordinate=[5, 6]), TWICE),
    (call(action="click", coordinate=[100, 200]) + call(action="type", text="a"), TWICE),
    (plain(action="click", coordinate=[100, 200]) + "\n" + plain(action="wait"), TWICE),
    ('<tool_call>\n{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [100, 20', "truncated"),
    ('{"action": "click", "coordinate": [100, 200]', "truncated"),
    ("{", "truncated"),
    ("<tool_call>", "truncated"),
    ("<tool_call>\nclick\n</tool_call>", "no JSON object in the tool call"),
    ('{"action": "click", "coordinate": [1, 2], "coordinate": [3, 4]}', "key 'coordinate' twice"),
    (call(action="click", coordinate=[1, 2, 3, 4]), "a box, not a point"),
    (call(action="click", coordinate=[1]), "no point"),
    (call(action="click"), "no point"),
    (call(action="click", coordinate=["a", "b"]), "x is no number"),
    (plain(action="click", coordinate=[1, 2]).replace("1,", "NaN,"), "x is no number"),
    (call(action="click", coordinate=[True, 2]), "x is no number"),
    (call(action="swipe", coordinate=[5, 5]), "a scroll without direction"),
    (call(action="swipe", coordinate=[5, 5], coordinate2=[5, 5]), "a swipe that goes nowhere"),
    (plain(action="scroll", direction="sideways"), "no direction: 'sideways'"),
    (call(action="fly", coordinate=[1, 2]), "outside the dialect: fly"),
    (call(action="type"), "no text"),
    (call(action="system_button"), "no key"),
    (call(action=5), "the action has no name"),
    (plain(name="mobile_use", arguments="click"), "the arguments are no JSON"),
    ('{"action": click}', "no JSON"),
    (plain(bbox_2d=[1, 2, 3, 4]), "no action"),
    ("click on (100, 200)", "no action"),
    ("", "empty"),
]  # fmt: skip


def tagged(name: str = "mobile_use", **arguments: Any) -> str:
    """A call as Qwen3-Coder and later models write it."""
    inside = "".join(
        f"<parameter={key}>\n{value if isinstance(value, str) else json.dumps(value)}\n</parameter>\n"
        for key, value in arguments.items()
    )
    return f"<tool_call>\n<function={name}>\n{inside}</function>\n</tool_call>"


_TAGGED = tagged(action="click", coordinate=[100, 200])
TOOL_CALL += [
    (_TAGGED, CLICK),
    (_TAGGED.replace("\n", ""), CLICK),
    (_TAGGED + "<|im_end|>", CLICK),
    (_TAGGED.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>"), CLICK),
    (_TAGGED.replace("</function>\n</tool_call>", ""), CLICK),
    (f"I click.\n{_TAGGED}\n{_TAGGED}", CLICK),
    (f"{_TAGGED}\n{_CALL}", CLICK),
    (tagged(action="click", coordinate="(100, 200)"), CLICK),
    (tagged("click", x=100, y=200), CLICK),
    (tagged("computer_use", action="left_click", coordinate=[100, 200]), CLICK),
    (tagged(action="swipe", coordinate=[500, 800], coordinate2=[500, 200]), act("scroll", 500, 800, end=[500.0, 200.0], direction="down")),
    (tagged("computer_use", action="scroll", pixels=-300), act("scroll", direction="down")),
    (tagged(action="type", text="hello world"), act("type", text="hello world")),
    (tagged(action="type", text="[1, 2]"), act("type", text="[1, 2]")),
    (tagged(action="type", text="007"), act("type", text="007")),
    (tagged(action="type", text="a\n<b>c</b>"), act("type", text="a\n<b>c</b>")),
    (tagged("computer_use", action="key", keys=["ctrl", "c"]), act("press", key="ctrl+c")),
    (tagged(action="system_button", button="Back"), act("press", key="back")),
    (tagged(action="terminate", status="success"), act("stop", detail="success")),
    (_TAGGED + tagged(action="wait", time=2), TWICE),
    (_TAGGED.split("0]")[0], "truncated"),
    (_TAGGED.replace("</parameter>\n</function>", "</function>"), "truncated"),
    (_TAGGED.replace("<parameter=coordinate>", "<parameter=action>"), "key 'action' twice"),
    (tagged(action="click"), "no point"),
    (tagged(action="click", coordinate=[1, 2, 3, 4]), "a box, not a point"),
    ("<tool_call>mobile_use\n<arg_key>action</arg_key>\n<arg_value>click</arg_value>\n<arg_key>coordinate</arg_key>\n<arg_value>[100, 200]</arg_value>\n</tool_call>", CLICK),
    ("<tool_call>mobile_use\n<arg_key>action</arg_key>\n<arg_value>click</arg_value>\n<arg_key>coordinate</arg_key>\n<arg_value>[100, 2", "truncated"),
    ('<function_calls>\n<invoke name="computer">\n<parameter name="action">left_click</parameter>\n<parameter name="coordinate">[100, 200]</parameter>\n</invoke>\n</function_calls>', CLICK),
    (plain(action="CLICK", POINT=[100, 200]), CLICK),
    (plain(ACTION="CLICK", POINT=[100, 200]), CLICK),
    (plain(Action="Click", Coordinate=[100, 200]), CLICK),
]  # fmt: skip

_POINT = plain(thought="点击“会员”按钮", POINT=[100, 200])
AGENTCPM = [
    (_POINT, CLICK),
    (plain(POINT=[100, 200]), CLICK),
    (plain(POINT=[100, 200], thought="then"), CLICK),
    (plain(POINT=[100, 200], duration=200), CLICK),
    (plain(POINT=[100, 200], duration=100), CLICK),
    (plain(POINT=[100, 200], STATUS="continue"), CLICK),
    (plain(POINT=[100, 200], STATUS="start"), CLICK),
    (plain(action="CLICK", POINT=[100, 200]), CLICK),
    (plain(POINT=[100.0, 200]), CLICK),
    (f"```json\n{_POINT}\n```", CLICK),
    (f"{_POINT}<|im_end|>", CLICK),
    (f"操作：{_POINT}", CLICK),
    (f"Action: {_POINT}", CLICK),
    (f"<answer>{_POINT}</answer>", CLICK),
    (f"<think>{plain(POINT=[1, 2])}</think>{_POINT}", CLICK),
    (f"{_POINT}\n{plain(POINT=[100, 200])}", CLICK),
    (f"I {{really}} do {_POINT}", CLICK),
    (_POINT.replace('"', "'"), CLICK),
    (plain(POINT=[-1, 1001]), act("click", -1, 1001)),
    (plain(POINT=[100, 200], duration=1000), act("long-press", 100, 200)),
    (plain(POINT=[100, 200], duration=201), act("long-press", 100, 200)),
    (plain(POINT=[500, 800], to="up"), act("scroll", 500, 800, direction="down")),
    (plain(POINT=[500, 200], to="down"), act("scroll", 500, 200, direction="up")),
    (plain(POINT=[500, 200], to="left"), act("scroll", 500, 200, direction="right")),
    (plain(POINT=[500, 800], to="UP", duration=1000), act("scroll", 500, 800, direction="down")),
    (plain(POINT=[500, 800], to=[500, 200]), act("scroll", 500, 800, end=[500.0, 200.0], direction="down")),
    (plain(POINT=[900, 500], to=[100, 490]), act("scroll", 900, 500, end=[100.0, 490.0], direction="right")),
    (plain(TYPE="Hello, world!"), act("type", text="Hello, world!")),
    (plain(TYPE="你好"), act("type", text="你好")),
    (plain(TYPE="a {b} \"c\""), act("type", text='a {b} "c"')),
    (plain(TYPE="a\nb").replace("\\n", "\n"), act("type", text="a\nb")),
    (plain(TYPE=2024), act("type", text="2024")),
    (plain(TYPE="a", POINT=[100, 200]), act("type", 100, 200, text="a")),
    (plain(PRESS="HOME"), act("press", key="home")),
    (plain(PRESS="BACK"), act("press", key="back")),
    (plain(PRESS="ENTER", thought="x"), act("press", key="enter")),
    (plain(PRESS="APPSELECT"), act("press", key="recent")),
    (plain(duration=500), act("wait")),
    (plain(duration=3000, thought="loading", STATUS="continue"), act("wait")),
    (plain(STATUS="finish"), act("stop", detail="success")),
    (plain(STATUS="satisfied"), act("stop", detail="success")),
    (plain(STATUS="impossible"), act("stop", detail="failure")),
    (plain(STATUS="interrupt"), act("stop", detail="interrupt")),
    (plain(STATUS="need_feedback"), act("stop", detail="need_feedback")),
    (plain(POINT=[100, 200], STATUS="finish"), act("stop", detail="success")),
    (f"{_POINT}{plain(TYPE='a')}", TWICE),
    (f"{_POINT}\n{plain(POINT=[1, 2])}", TWICE),
    (_POINT[:-4], "truncated"),
    (plain(TYPE="hello")[:-4], "truncated"),
    (plain(POINT=[1, 2, 3, 4]), "a box, not a point"),
    (plain(POINT=[1]), "no point"),
    (plain(POINT=["a", "b"]), "x is no number"),
    (plain(POINT=[500, 200], to="away"), "no direction: 'away'"),
    (plain(POINT=[5, 5], to=[5, 5]), "a swipe that goes nowhere"),
    (plain(POINT=[5, 5], duration="long"), "duration is no number"),
    (plain(STATUS="continue"), act("wait")),
    (plain(thought="I click."), "no action"),
    ("I click the button.", "no action"),
    ("", "empty"),
]  # fmt: skip

ATLAS = [
    ("CLICK <point>12 34</point>", act("click", 12, 34)),
    ("CLICK <point>[[100,200]]</point>", CLICK),
    ("CLICK <point>[[100, 200]]</point>", CLICK),
    ("CLICK [[100,200]]", CLICK),
    ("CLICK: [[100,200]]", CLICK),
    ("CLICK [100, 200]", CLICK),
    ("CLICK (100,200)", CLICK),
    ("CLICK <point>100,200</point>", CLICK),
    ("CLICK <point>[[100.0,200.0]]</point>", CLICK),
    ("actions:\nCLICK <point>[[100,200]]</point>", CLICK),
    ("thoughts:\nI press HOME later\nactions:\nCLICK <point>[[100,200]]</point>", CLICK),
    ("Thought: A CLICK is needed.\nAction: CLICK <point>[[100,200]]</point>", CLICK),
    ("actions:\nCLICK <point>[[100,200]]</point>\n", CLICK),
    ("CLICK <point>[[100,200]]</point>.", CLICK),
    ("CLICK <point>[[100,200]]</point> to open it", CLICK),
    ("CLICK <point>[[100,200]]</point> or <point>[[1,2]]</point>", "a box, not a point"),
    ("`CLICK <point>[[100,200]]</point>`", CLICK),
    ("- CLICK <point>[[100,200]]</point>", CLICK),
    ("<think>CLICK [[1,2]]</think>\nCLICK <point>[[100,200]]</point>", CLICK),
    ("<answer>CLICK <point>[[100,200]]</point></answer>", CLICK),
    ("CLICK [[100,200]]\nCLICK [[100,200]]", CLICK),
    ("CLICK <point>[[-1,200]]</point>", act("click", -1, 200)),
    ("LONG_PRESS <point>[[100,200]]</point>", act("long-press", 100, 200)),
    ("DOUBLE_CLICK <point>[[100,200]]</point>", act("double-click", 100, 200)),
    ("RIGHT_CLICK [[100,200]]", act("right-click", 100, 200)),
    ("TYPE [hello]", act("type", text="hello")),
    ("TYPE [hello world]", act("type", text="hello world")),
    ("TYPE hello world", act("type", text="hello world")),
    ("TYPE [a [b] c]", act("type", text="a [b] c")),
    ("TYPE [CLICK]", act("type", text="CLICK")),
    ("SCROLL [UP]", act("scroll", direction="up")),
    ("SCROLL [down]", act("scroll", direction="down")),
    ("SCROLL LEFT", act("scroll", direction="left")),
    ("OPEN_APP [Clock]", act("open-app", app="Clock")),
    ("OPEN_APP [Google Maps]", act("open-app", app="Google Maps")),
    ("PRESS_BACK", act("press", key="back")),
    ("PRESS_HOME", act("press", key="home")),
    ("PRESS_RECENT", act("press", key="recent")),
    ("ENTER", act("press", key="enter")),
    ("WAIT", act("wait")),
    ("COMPLETE", act("stop")),
    ("IMPOSSIBLE", act("stop", detail="failure")),
    ("actions:\nCOMPLETE", act("stop")),
    ("CLICK [[100,200]]\nTYPE [a]", TWICE),
    ("CLICK [[100,200]]\nCLICK [[1,2]]", TWICE),
    ("CLICK <point>[[100,20", "truncated"),
    ("CLICK <point>[[100,", "truncated"),
    ("CLICK <point>100,20", "truncated"),
    ("CLICK <point>[[100,200]]", CLICK),
    ("TYPE [hello wor", "truncated"),
    ("CLICK", "no point"),
    ("CLICK the button", "no point"),
    ("CLICK [[1,2,3,4]]", "a box, not a point"),
    ("CLICK <point>[[NaN,2]]</point>", "no point"),
    ("TYPE []", "no text"),
    ("SCROLL [SIDEWAYS]", "no direction: 'SIDEWAYS'"),
    ("PINCH [IN]", "outside the dialect: PINCH"),
    ("PRESS_POWER", "outside the dialect: PRESS_POWER"),
    ("I would open the settings.", "no action"),
    ("OK", "no action"),
    ("(100,200)", "no action"),
    ("", "empty"),
]  # fmt: skip

MAGIC = [
    ("tap(100,200)", CLICK),
    ("tap(100, 200)", CLICK),
    ("tap(x=100, y=200)", CLICK),
    ("tap(100.0,200.0)", CLICK),
    ("Tap(100,200)", CLICK),
    ("tap( 100 , 200 )", CLICK),
    ("```\ntap(100,200)\n```", CLICK),
    ("<answer>tap(100,200)</answer>", CLICK),
    ("<think>tap(1,2)</think>tap(100,200)", CLICK),
    ("我会点击按钮：tap(100,200)", CLICK),
    ("操作：tap(100,200)", CLICK),
    ("tap(100,200)\ntap(100,200)", CLICK),
    ("The function call (one) is tap(100,200).", CLICK),
    ("call(tap(100,200))", CLICK),
    ("tap(-3,200)", act("click", -3, 200)),
    ("long_press(100,200)", act("long-press", 100, 200)),
    ("text(100,200,hello)", act("type", 100, 200, text="hello")),
    ("text(100,200,hello, world)", act("type", 100, 200, text="hello, world")),
    ('text(100,200,"hello, world")', act("type", 100, 200, text="hello, world")),
    ("text(100,200,'你好')", act("type", 100, 200, text="你好")),
    ("text(100,200,你好)", act("type", 100, 200, text="你好")),
    ("text(100,200,don't stop)", act("type", 100, 200, text="don't stop")),
    ("text(100,200,a (b) c)", act("type", 100, 200, text="a (b) c")),
    ("text(x=100,y=200,text_input=a=b)", act("type", 100, 200, text="a=b")),
    ("scroll(500,500,up)", act("scroll", 500, 500, direction="down")),  # the finger goes up
    ("scroll(500,500,'down')", act("scroll", 500, 500, direction="up")),
    ("scroll(500,500,direction=left)", act("scroll", 500, 500, direction="right")),
    ("drag(1,2,3,4)", act("drag", 1, 2, end=[3.0, 4.0])),
    ("navigate_back()", act("press", key="back")),
    ("navigate_home()", act("press", key="home")),
    ("enter()", act("press", key="enter")),
    ("wait()", act("wait")),
    ("finish()", act("stop")),
    ("Finish()", act("stop")),
    ("action_completed()", act("stop")),
    ("no_answer()", act("no-answer")),
    ("screen_shot()", act("screenshot", detail="screen")),
    ("long_screen_shot()", act("screenshot", detail="long")),
    ("take_over(请您接管当前界面)", act("take-over", detail="请您接管当前界面")),
    ("take_over()", act("take-over")),
    ("call_api(Amazon, open)", act("call-api", app="Amazon", detail="open")),
    ("call_api('Amazon','kill')", act("call-api", app="Amazon", detail="kill")),
    ("tap(100,200)\ntap(1,2)", TWICE),
    ("tap(100,200) then wait()", TWICE),
    ("tap(100,20", "truncated"),
    ("text(100,200,hel", "truncated"),
    ("tap(100)", "tap takes 2 arguments"),
    ("tap(100,200,300)", "y is no number"),
    ("tap(a,b)", "x is no number"),
    ("tap(nan,5)", "x is no number"),
    ("tap(True,5)", "x is no number"),
    ("tap([100,200])", "x is no number"),
    ("wait(5)", "wait takes no arguments"),
    ("scroll(1,2,forward)", "no direction: 'forward'"),
    ("swipe(1,2,3,4)", "outside the dialect: swipe"),
    ("pyautogui.click(1,2)", "outside the dialect: pyautogui.click"),
    ("(100,200)", "no action"),
    ("点击按钮", "no action"),
    ("", "empty"),
]  # fmt: skip

TARS = [
    ("click(start_box='(100,200)')", CLICK),
    ("click(start_box='<|box_start|>(100,200)<|box_end|>')", CLICK),
    ("click(start_box=<|box_start|>(100,200)<|box_end|>)", CLICK),
    ("click(point='<point>100 200</point>')", CLICK),
    ("click(point=<point>100 200</point>)", CLICK),
    ('click(start_box="[100, 200]")', CLICK),
    ("click(start_box=[100, 200])", CLICK),
    ("click('(100,200)')", CLICK),
    ("Thought: it.\nAction: click(start_box='(100,200)')", CLICK),
    ("Thought: I click (it).\nAction: click(start_box='(100,200)')\n", CLICK),
    ("Action: click(start_box='(100.0,200.0)')", CLICK),
    ("<think>click(start_box='(1,2)')</think>click(start_box='(100,200)')", CLICK),
    ("left_single(point='<point>100 200</point>')", CLICK),
    ("left_double(start_box='(100,200)')", act("double-click", 100, 200)),
    ("right_single(start_box='(100,200)')", act("right-click", 100, 200)),
    ("long_press(start_box='(100,200)')", act("long-press", 100, 200)),
    ("long_press(start_box='(100,200)', time='3')", act("long-press", 100, 200)),
    ("drag(start_box='(1,2)', end_box='(3,4)')", act("drag", 1, 2, end=[3.0, 4.0])),
    ("drag(start_point='<point>1 2</point>', end_point='<point>3 4</point>')", act("drag", 1, 2, end=[3.0, 4.0])),
    ("scroll(start_box='(100,200)', direction='down')", act("scroll", 100, 200, direction="down")),
    ("scroll(point='<point>100 200</point>', direction='up')", act("scroll", 100, 200, direction="up")),
    ("scroll(direction='left')", act("scroll", direction="left")),
    ("type(content='hello')", act("type", text="hello")),
    ("type(content='hello, (world)\\n')", act("type", text="hello, (world)")),
    ('type(content="it\'s")', act("type", text="it's")),
    ("type(content='')", act("type", text="")),
    ("type('你好')", act("type", text="你好")),
    ("hotkey(key='ctrl c')", act("press", key="ctrl+c")),
    ("hotkey(key='enter')", act("press", key="enter")),
    ("open_app(app_name='Clock')", act("open-app", app="Clock")),
    ("press_home()", act("press", key="home")),
    ("press_back()", act("press", key="back")),
    ("wait()", act("wait")),
    ("finished()", act("stop")),
    ("finished(content='done')", act("stop", text="done")),
    ("call_user()", act("take-over")),
    ("click(start_box='(100,200)')\n\nclick(start_box='(1,2)')", TWICE),
    ("click(start_box='(100,200)')\ntype(content='a')", TWICE),
    ("click(start_box='(100,20", "truncated"),
    ("type(content='hel", "truncated"),
    ("click()", "no point"),
    ("click(start_box='(1,2,3,4)')", act("click", 2, 3)),  # a box stands for its centre, as in the released parser
    ("click(start_box='<|box_start|>(1,2),(3,4)<|box_end|>')", act("click", 2, 3)),
    ("click(start_box='(1,2,3)')", "no point"),
    ("click(point='<point>1 2</point>'')", act("click", 1, 2)),  # as the released prompt writes it
    ("type(content='it's (not) ok')", act("type", text="it's (not) ok")),
    ("type(content='one\\'s\ntwo's')", act("type", text="one's\ntwo's")),
    ("finished(content='It's done')", act("stop", text="It's done")),
    ("type(content='it's, submit=True)", "type cannot be read"),
    ("click(start_box='here')", "no point"),
    ("click(start_box='(nan,1)')", "no point"),
    ("click(start_box=x)", "click cannot be read"),
    ("click(where='(1,2)')", "click has no where"),
    ("scroll(direction='away')", "no direction: 'away'"),
    ("scroll(start_box='(1,2)')", "a scroll without direction"),
    ("swipe(1,2,3,4)", "outside the dialect: swipe"),
    ("tap(1,2)", "outside the dialect: tap"),
    ("I click the button.", "no action"),
    ("", "empty"),
]  # fmt: skip

ALL = [
    (dialect, text, expected)
    for dialect, cases in (
        ("pyautogui", PYAUTOGUI), ("tool-call", TOOL_CALL), ("osatlas", ATLAS), ("magicgui", MAGIC), ("ui-tars", TARS), ("agentcpm", AGENTCPM),
    )
    for text, expected in cases
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "expected"), ALL)
def test_dialect(dialect: str, text: str, expected: dict[str, Any] | str) -> None:
    found = read(dialect, text)
    assert found == expected
    if not isinstance(found, str):
        assert Action.of(found).as_json() == found


def test_every_dialect_has_many_cases() -> None:
    for name in DIALECTS:
        assert sum(dialect == name for dialect, _, _ in ALL) >= 50


@pytest.mark.parametrize(
    ("context", "dialect", "text", "point"),
    [
        (AnswerContext(image_size=(3840, 2160), sent_size=(1344, 756)), "tool-call", call(action="click", coordinate=[672, 378]), [1920.0, 1080.0]),
        (AnswerContext(image_size=(3840, 2160), coordinates="unit"), "pyautogui", "pyautogui.click(x=0.5, y=0.25)", [1920.0, 540.0]),
        (AnswerContext(image_size=(3840, 2160), coordinates="unit"), "pyautogui", "pyautogui.click(x=500, y=250)", [1920000.0, 540000.0]),
        (AnswerContext(image_size=(3840, 2160), coordinates="thousand"), "tool-call", call(action="click", coordinate=[0.5, 0.5]), [1.92, 1.08]),
        (AnswerContext(image_size=(3840, 2160), coordinates="unit"), "osatlas", "CLICK [[500,250]]", [1920.0, 540.0]),
        (AnswerContext(image_size=(3840, 2160), sent_size=(28, 28)), "magicgui", "tap(500,250)", [1920.0, 540.0]),
        (AnswerContext(image_size=(1000, 2000), coordinates="thousand", coordinate_order="yx"), "tool-call", call(action="click", coordinate=[100, 200]), [200.0, 200.0]),
    ],
)  # fmt: skip
def test_the_space_is_declared(context: AnswerContext, dialect: str, text: str, point: list[float]) -> None:
    found = read(dialect, text, context)
    assert isinstance(found, dict)
    assert found["point"] == pytest.approx(point)


def test_a_space_can_be_set() -> None:
    found = read("pyautogui", "pyautogui.click(x=0.5, y=0.5)", SCREEN, space="unit")
    assert found == act("click", 500, 500)
    with pytest.raises(DataError, match="image size"):
        read("magicgui", "tap(1,2)", AnswerContext())
    with pytest.raises(UsageError, match="dialect"):
        get_dialect("emacs")


def test_a_swipe_goes_the_longer_way_of_the_screen() -> None:
    text = call(action="swipe", coordinate=[100, 100], coordinate2=[300, 400])
    tall = AnswerContext(image_size=(500, 2000), sent_size=(500, 2000))
    found = read("tool-call", text, tall)
    assert isinstance(found, dict)
    assert found["direction"] == "left"  # 200 of 500 to the right is more than 300 of 2000 down
    assert read("tool-call", text)["direction"] == "up"  # type: ignore[index]


@pytest.mark.parametrize("end", ["<|im_end|>", "</s>", " <|im_end|>\n<|endoftext|>", "<end_of_turn>"])
def test_tokens_that_end_a_turn_do_not_count(end: str) -> None:
    assert read("osatlas", f"actions:\nCLICK <point>[[1,2]]</point>{end}") == read("osatlas", "CLICK [[1,2]]")
    assert read("osatlas", f"actions:\nTYPE [new york]{end}") == act("type", text="new york")
    assert read("osatlas", f"PRESS_BACK{end}") == act("press", key="back")
    assert read("pyautogui", f"WAIT{end}") == act("wait")
    assert read("magicgui", f"tap(1,2){end}") == read("magicgui", "tap(1,2)")
    assert read("ui-tars", "click(start_box='<|box_start|>(1,2)<|box_end|>") == "truncated"


def test_what_a_direction_says_can_be_set() -> None:
    assert read("osatlas", "SCROLL [UP]", scroll="finger") == act("scroll", direction="down")
    assert read("magicgui", "scroll(1,2,up)", scroll="content") == act("scroll", 1, 2, direction="down")


PIECES = st.lists(
    st.sampled_from([
        "tap(", "click(", "pyautogui.click(", "mobile.swipe(", "type(content='", "CLICK ", "TYPE [", "<point>[[", "]]</point>", "<tool_call>",
        "</tool_call>", '{"name": "mobile_use", "arguments": ', '{"action": "click", "coordinate": [1, 2]}', "[1, 2]", "100", ",", " ", "200",
        ")", "(", "'", '"', "}", "{", "\n", "Action: ", "x=", "y=", "start_box='(1,2)'", "```", "<think>", "</think>", "<answer>", "nan", "1e999",
        "-", "\\", "WAIT", "}}", "up", "null", "[[[[", "((((", "NaN",
    ]),
    max_size=14,
).map("".join)  # fmt: skip


@given(st.sampled_from(sorted(DIALECTS)), st.text(max_size=80) | PIECES)
def test_parsers_never_raise(dialect: str, text: str) -> None:
    found = read(dialect, text)
    if isinstance(found, dict):
        json.dumps(found, allow_nan=False)
        assert Action.of(found).as_json() == found
    else:
        assert found


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "f(",
        "tap(",
        "click(1,",
        "{",
        '{"action":',
        "[",
        "CLICK [[",
        "<tool_call>",
        "<answer>",
        "'",
        "```",
        "pyautogui.click((",
        "-",
    ],
)
def test_long_broken_text_ends(dialect: str, piece: str) -> None:
    assert isinstance(read(dialect, piece * 4000), str)


NUMBERS = st.floats(-2000, 2000).map(lambda value: round(value, 3))
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=30,
)


@given(NUMBERS, NUMBERS)
def test_points_read_back(x: float, y: float) -> None:
    said = {
        "pyautogui": f"pyautogui.click(x={x}, y={y})", "tool-call": call(action="click", coordinate=[x, y]), "osatlas": f"CLICK <point>[[{x:f},{y:f}]]</point>",
        "magicgui": f"tap({x:f},{y:f})", "ui-tars": f"click(start_box='({x:f},{y:f})')",
    }  # fmt: skip
    for dialect, text in said.items():
        found = read(dialect, text)
        assert isinstance(found, dict), text
        assert found["point"] == pytest.approx([x, y])


@given(TEXTS)
def test_texts_read_back(text: str) -> None:
    said = {
        "pyautogui": f"pyautogui.write(message={text!r})",
        "tool-call": call(action="type", text=text),
        "ui-tars": f"type(content={text!r})",
    }
    for dialect, written in said.items():
        if "<answer>" not in text and "think" not in text:
            assert read(dialect, written) == act("type", text=text), written


@given(st.sampled_from(ALL), st.sampled_from(ALL))
def test_two_different_actions_are_none(first: tuple[str, str, Any], second: tuple[str, str, Any]) -> None:
    if (
        first[0] != second[0]
        or not isinstance(first[2], dict)
        or not isinstance(second[2], dict)
        or first[2] == second[2]
    ):
        return
    marks = ("<think", "<answer", "```", "Action", "actions", "move", "drag", "sleep", "WAIT", "DONE", "操作", "wait")
    if any(mark in text for text in (first[1], second[1]) for mark in marks):
        return
    if first[0] == "tool-call" and ("<tool_call>" in first[1]) != ("<tool_call>" in second[1]):
        return
    assert read(first[0], f"{first[1]}\n{second[1]}") in (TWICE, "truncated"), (first, second)


@given(st.sampled_from([case for case in ALL if isinstance(case[2], dict) and "point" in case[2]]), st.data())
def test_a_cut_answer_is_the_same_action_or_none(case: tuple[str, str, dict[str, Any]], data: st.DataObject) -> None:
    """A number that was cut off must not become another point."""
    dialect, text, expected = case
    found = read(dialect, text[: data.draw(st.integers(0, len(text) - 1))])
    assert isinstance(found, str) or found == expected or found["kind"] != expected["kind"] or "point" not in found
