"""Clicks by the published rules of the three ScreenSpot benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.screenspot import FALLBACK, FORMS, ScreenSpotVerifier

SCREEN = AnswerContext(image_size=(2000, 1000), sent_size=(1000, 500))
CALL = '<tool_call>\n{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [500, 250]}}\n</tool_call>'


@pytest.mark.parametrize(
    ("form", "text", "point"),
    [
        ("seeclick", "(0.5, 0.25)", [1000, 250]),
        ("seeclick", "(0.49,0.40)", [980, 400]),
        ("seeclick", "Click at 0.5 0.25.", [1000, 250]),
        ("seeclick", "[0.4, 0.2, 0.6, 0.3]", [1000, 250]),
        ("seeclick", "-0.5, 0.25", [-1000, 250]),
        ("seeclick", "5, 2", [10000, 2000]),
        ("seeclick", "<box>(400,200),(600,300)</box>", [1000, 250]),
        ("seeclick", "The box is (400,200),(600,300)", [1000, 250]),
        ("seeclick", "<box>(400,200),(600,300)</box><box>(1,1),(2,2)</box>", [1000, 250]),
        ("seeclick", "<box>(400, 200),(600, 300)</box>", None),
        ("seeclick", "the search box: 0.5, 0.25", None),
        ("seeclick", "item 3 at (0.5, 0.25)", None),
        ("seeclick", "0.1 0.2 0.3 0.4 0.5", None),
        ("seeclick", "nowhere", None),
        ("qwen2-vl", "<|box_start|>(400,200),(600,300)<|box_end|>", [1000, 250]),
        ("qwen2-vl", "<|object_ref_start|>ok 7<|object_ref_end|><|box_start|>(400,200),(600,300)<|box_end|><|im_end|>", [1000, 250]),
        ("qwen2-vl", "<|box_start|>(1,1),(2,2)<|box_end|><|box_start|>(400,200),(600,300)<|box_end|>", [1000, 250]),
        ("qwen2-vl", "<|box_start|>(400,200,600,300)<|box_end|>", None),
        ("qwen2-vl", "<|box_start|>(500,250)<|box_end|>", None),
        ("qwen2-vl", "It is at (400, 200, 600, 300).", [1000, 250]),
        ("qwen2-vl", "It is at (500, 250).", [1000, 250]),
        ("qwen2-vl", "- Top-left: (400, 200)\n- Bottom-right: (600, 300)", [1000, 250]),
        ("qwen2-vl", "(1632, 652, 1937, 683)", [3569, 667.5]),
        ("qwen2-vl", "<|box_start|>(400,200),(600", None),
        ("tool-call", CALL, [1000, 500]),
        ("tool-call", f"Thought: there.\n{CALL}<|im_end|>", [1000, 500]),
        ("tool-call", CALL.replace("left_click", "key"), [1000, 500]),
        ("tool-call", CALL.replace("[500, 250]", "[500.5, 250.0, 3]"), [1001, 500]),
        ("tool-call", CALL.replace("[500, 250]", '["500", "250"]'), None),
        ("tool-call", CALL.replace("[500, 250]", "[500]"), None),
        ("tool-call", CALL.replace("[500, 250]", "500"), None),
        ("tool-call", '<tool_call>\n{"name": "left_click", "arguments": [500, 250]}\n</tool_call>', None),
        ("tool-call", '<tool_call>\n{"name": "left_click", "arguments": [500, 250]}}\n</tool_call>', None),
        ("tool-call", '<tool_call>\n{"name": "wait"}\n</tool_call>', None),
        ("tool-call", "<tool_call>\n[1, 2]\n</tool_call>", None),
        ("tool-call", CALL.removesuffix("</tool_call>"), None),
        ("tool-call", "[500, 250]", None),
        ("tool-call", f"{CALL}\n{CALL.replace('500', '1')}", [1000, 500]),
        ("pyautogui", "pyautogui.click(x=0.5, y=0.25)", [1000, 250]),
        ("pyautogui", "pyautogui.click(x=0.5, y=0.25)\npyautogui.click(x=0.1, y=0.1)", [1000, 250]),
        ("pyautogui", "pyautogui.click(x=0.5,y=0.25)", None),
        ("pyautogui", "pyautogui.click(x=1.2.3, y=0.25)", None),
        ("pyautogui", "pyautogui.click(x=., y=0.25)", None),
        ("vlmevalkit", "pyautogui.click(x=0.5, y=0.25)", [1000, 250]),
        ("vlmevalkit", "pyautogui.click(x=500, y=250)", [500, 250]),
        ("vlmevalkit", "pyautogui.click(x=0.5, y=250)", [0.5, 250]),
        ("vlmevalkit", "x=1, y=1", [2000, 1000]),
        ("vlmevalkit", "x=0.5,y=0.3", [0, 0]),
        ("vlmevalkit", "click(500, 300)", [0, 0]),
        ("vlmevalkit", "", [0, 0]),
    ],
)  # fmt: skip
def test_rules(form: str, text: str, point: list[float] | None) -> None:
    found = ScreenSpotVerifier({"form": form}).parse(text, SCREEN)
    assert found.value == (None if point is None else pytest.approx(point))
    assert (FALLBACK in found.scores) == (form == "vlmevalkit" and point == [0, 0])


def test_edges_belong_to_the_box() -> None:
    verifier = ScreenSpotVerifier({"form": "seeclick"})
    target = {"box": [1000, 250, 1100, 300]}
    assert verifier.match([1000.0, 250.0], target, SCREEN).correct
    assert verifier.match([1100.0, 300.0], target, SCREEN).correct
    assert not verifier.match([1100.1, 300.0], target, SCREEN).correct
    with pytest.raises(DataError, match="not a region"):
        verifier.match([0.0, 0.0], [1, 2, 3, 4], SCREEN)


def test_a_form_is_needed_and_known() -> None:
    with pytest.raises(UsageError, match="seeclik"):
        ScreenSpotVerifier({"form": "seeclik"})
    with pytest.raises(UsageError, match="needs the option form"):
        ScreenSpotVerifier().parse("(0.5, 0.5)", SCREEN)


def test_fractions_need_the_image_size() -> None:
    with pytest.raises(DataError, match="image size"):
        ScreenSpotVerifier({"form": "pyautogui"}).parse("x=0.5, y=0.5", AnswerContext())


@given(
    form=st.sampled_from(list(FORMS)),
    text=st.text(alphabet='0123456789.,-+eE()[]{}"<>|/_ \nboxend=xycrtulancimg:', max_size=80),
)
def test_never_raises(form: str, text: str) -> None:
    for answer in (text, f"<tool_call>\n{text}\n</tool_call>", f"x={text}, y=1", f"<|box_start|>{text}<|box_end|>"):
        found = ScreenSpotVerifier({"form": form}).parse(answer, SCREEN)
        assert found.value is None or len(found.value) == 2


@given(
    x=st.integers(0, 1999), y=st.integers(0, 999),
    form=st.sampled_from(["seeclick", "tool-call", "pyautogui"]),
)  # fmt: skip
def test_pixels_survive_the_way_there_and_back(x: int, y: int, form: str) -> None:
    text = {
        "seeclick": f"({x / 2000}, {y / 1000})" if min(x, y) > 0 else f"({x / 2000:.6f}, {y / 1000:.6f})",
        "tool-call": CALL.replace("[500, 250]", f"[{x / 2}, {y / 2}]"),
        "pyautogui": f"pyautogui.click(x={x / 2000:.6f}, y={y / 1000:.6f})",
    }[form]
    found = ScreenSpotVerifier({"form": form}).parse(text, SCREEN)
    assert found.value == pytest.approx([x, y], abs=0.5)
