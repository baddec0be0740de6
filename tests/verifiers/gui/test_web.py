"""Steps on web pages: what is read, and how element and operation are compared."""

from __future__ import annotations

from typing import Any

import pytest

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.gui.web import WebStepVerifier

CONTEXT = AnswerContext(image_size=(100, 80), sent_size=(100, 80))
TYPE = {"operation": "TYPE", "value": "New York City", "rects": ["10,20,30,10"]}


def verdict(text: str, target: Any = TYPE, **options: Any) -> Any:
    context = AnswerContext((), options, (100, 80), (100, 80))
    return verify(WebStepVerifier(), Response("ok", text), target, context)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"action": "click", "point": [12, 22]}', {"operation": "CLICK", "point": [12, 22]}),
        ("{'action': 'CLICK', 'coordinate': (12, 22)}", {"operation": "CLICK", "point": [12, 22]}),
        ('{"action": "TYPE", "point": {"x": 12, "y": 22}, "text": "a b"}', {"operation": "TYPE", "point": [12, 22], "value": "a b"}),
        ('{"action": "select", "x": 12, "y": 22, "value": 2}', {"operation": "SELECT", "point": [12, 22], "value": "2"}),
        ('<think>{"action": "click", "point": [1, 1]}</think>```json\n{"action": "hover", "point": [12, 22]}\n```', {"operation": "CLICK", "point": [12, 22]}),
        ('{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [12, 22]}}', {"operation": "CLICK", "point": [12, 22]}),
        ('First {"action": "click", "point": [12, 22]}, that is {"action": "click", "point": [12.0, 22]}.', {"operation": "CLICK", "point": [12, 22]}),
    ],
)  # fmt: skip
def test_what_is_read(text: str, value: dict[str, Any]) -> None:
    found = WebStepVerifier().parse(text, CONTEXT)
    assert found.value == value
    assert found.span is not None
    assert text[found.span[0]] == "{"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"action": "click"}', "no point"),
        ('{"action": "type", "point": [1, 2]}', "no value"),
        ('{"action": "scroll", "point": [1, 2]}', "operation 'scroll'"),
        ('{"action": "click", "point": [1, 2]} {"action": "click", "point": [3, 4]}', "several actions"),
        ('{"action": "click", "point": [1, ', "truncated"),
        ("I would click the button.", "no action"),
        ("<think>hm", "unfinished reasoning"),
        ("", "no action"),
    ],
)
def test_what_is_no_answer(text: str, reason: str) -> None:
    found = verdict(text)
    assert found.outcome == "no_answer"
    assert reason in (found.reason, WebStepVerifier().parse(text, CONTEXT).reason)
    assert found.scores == {"element": 0.0, "operation_f1": 0.0, "type": 0.0}


@pytest.mark.parametrize(
    ("text", "element", "overlap", "same"),
    [
        ('{"action": "type", "point": [40, 30], "value": "new york city"}', 1, 1, 1),
        ('{"action": "type", "point": [41, 30], "value": "New York City"}', 0, 1, 1),
        ('{"action": "type", "point": [10, 20], "value": "New York"}', 1, 6 / 7, 1),
        ('{"action": "select", "point": [10, 20], "value": "New York City"}', 1, 6 / 8, 0),
        ('{"action": "click", "point": [10, 20]}', 1, 0, 0),
        ('{"action": "type", "point": [10, 20], "value": ""}', 1, 2 / 5, 1),
    ],
)
def test_scores(text: str, element: float, overlap: float, same: float) -> None:
    found = verdict(text)
    assert found.scores == {"element": element, "operation_f1": pytest.approx(overlap), "type": same}
    assert found.correct is (element == 1 and overlap == 1)
    assert found.score == float(found.correct)


def test_any_right_element_counts_and_those_without_a_box_do_not() -> None:
    target = {"operation": "CLICK", "value": "", "rects": ["-1,-1,-1,-1", "0,0,5,5", [50, 50, 9, 9]]}
    assert verdict('{"action": "click", "point": [51, 51]}', target).correct is True
    assert verdict('{"action": "click", "point": [-1, -1]}', target).correct is False
    assert verdict('{"action": "click", "point": [510, 638]}', target, frame="thousand").correct is True


@pytest.mark.parametrize(
    "target",
    ["CLICK", {"operation": "DRAG", "rects": []}, {"operation": "CLICK", "rects": ["1,2,3"]}, {"operation": "CLICK"}],
)
def test_no_gold(target: Any) -> None:
    assert verdict('{"action": "click", "point": [1, 2]}', target).outcome == "unscored"
