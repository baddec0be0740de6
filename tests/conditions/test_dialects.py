"""Calls inside replies: what a model writes, and what of it is no call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.conditions.dialects import Crop, Final, Gaze, Malformed, Search, read_tags, read_tool_call

TAGS = ("search", "bbox")
TOOL = "image_zoom_in_tool"


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("<think>look</think><bbox>[1, 2, 30, 40]</bbox>", (1, 2, 30, 40)),
        ("<think>no <answer> yet</think>\n<bbox>[1.5,2,30,40]</bbox>", (1.5, 2, 30, 40)),
        ("<bbox> 1, 2, 30, 40 </bbox><search>never</search>", (1, 2, 30, 40)),
        ("<bbox>[1, 2, 30, 40]", (1, 2, 30, 40)),
    ],
)
def test_boxes_in_tags(text: str, box: tuple[float, ...]) -> None:
    step = read_tags(text, TAGS, complete=True)
    assert isinstance(step, Crop)
    assert step.box == box


def test_the_first_action_counts_and_what_follows_is_no_reaction() -> None:
    text = "<think>a</think><search>cats</search> The page says 7. <answer>7</answer>"
    step = read_tags(text, TAGS, complete=True)
    assert isinstance(step, Search)
    assert (step.query, text[: step.end]) == ("cats", "<think>a</think><search>cats</search>")
    assert isinstance(read_tags("<answer>7</answer><search>cats</search>", TAGS, complete=True), Final)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("just words", "no action"),
        ("<think>I never stop <search>x</search>", "never ends"),
        ("<bbox>[30, 2, 1, 40]</bbox>", "reversed"),
        ("<bbox>[1, 2, 1, 40]</bbox>", "no area"),
        ("<bbox>[1, 2, 3]</bbox>", "four numbers"),
        ("<bbox>[1, 2, nan, 4]</bbox>", "four numbers"),
        ("<bbox>[[1, 2, 3, 4], [5, 6, 7, 8]]</bbox>", "four numbers"),
        ("<search>  </search>", "empty"),
    ],
)
def test_faulty_tags(text: str, word: str) -> None:
    step = read_tags(text, TAGS, complete=True)
    assert isinstance(step, Malformed)
    assert word in step.reason


def test_a_reply_that_was_cut_off_is_no_call() -> None:
    assert isinstance(read_tags("<bbox>[1, 2, 30, 4", TAGS, complete=False), Malformed)
    call = '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 3, 4]}}'
    assert isinstance(read_tool_call(call, TOOL, complete=False), Malformed)
    assert isinstance(read_tool_call(call, TOOL, complete=True), Crop)


@pytest.mark.parametrize(
    "text",
    [
        '<think>x</think><tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 3, 4], "label": "a"}}\n</tool_call>',
        '<tool_call>```json\n{"name": "image_zoom_in_tool", "arguments": "{\\"bbox_2d\\": [1, 2, 3, 4]}"}\n```</tool_call>',
        '```json\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 3, 4]}}\n```',
        "<tool_call>\n<function=image_zoom_in_tool>\n<parameter=bbox_2d>\n[1, 2, 3, 4]\n</parameter>\n</function>\n</tool_call>",
    ],
)
def test_tool_calls(text: str) -> None:
    step = read_tool_call(text, TOOL, complete=True)
    assert isinstance(step, Crop)
    assert (step.box, step.picture) == ((1, 2, 3, 4), None)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        ('{"name": "rotate", "arguments": {}}', "no tool"),
        ('{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 3]}}', "four numbers"),
        ('{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [true, 2, 3, 4]}}', "four numbers"),
        ('{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 3, 4], "img_idx": "a"}}', "img_idx"),
        ('{"name": "image_zoom_in_tool", "arg', "JSON"),
        ("<function=rotate>\n<parameter=angle>\n90\n</parameter>\n</function>", "no tool"),
        ("<function=image_zoom_in_tool>\n<parameter=bbox_2d>\n[1, 2", "truncated"),
    ],
)
def test_faulty_tool_calls(call: str, word: str) -> None:
    step = read_tool_call(f"<tool_call>{call}</tool_call>", TOOL, complete=True)
    assert isinstance(step, Malformed)
    assert word in step.reason


def test_a_reply_without_a_call_is_the_answer() -> None:
    for text in ("B", "<think>x</think><answer>B</answer>", '{"answer": "B"}', ""):
        assert isinstance(read_tool_call(text, TOOL, complete=True), Final)


def test_gazes() -> None:
    step = read_tags("<gaze>[10, 20]</gaze>", ("gaze",), complete=True)
    assert step == Gaze(10, 20, None, 21)
    assert isinstance(read_tags("<gaze>[10, 20, 0.5]</gaze>", ("gaze",), complete=True), Malformed)


@given(st.text(), st.booleans())
def test_nothing_raises(text: str, complete: bool) -> None:
    for wrapped in (text, f"<bbox>{text}</bbox>", f"<gaze>{text}", f"<tool_call>{text}</tool_call>"):
        read_tags(wrapped, ("search", "bbox", "gaze"), complete=complete)
        read_tool_call(wrapped, TOOL, complete=complete)
