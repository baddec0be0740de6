"""Answers that were made to hang or break a parser end at once; times are not asserted, but before each was mended this took minutes."""

from __future__ import annotations

import pytest

from mmeval.core.errors import MmevalError
from mmeval.core.json_keys import repeated_key
from mmeval.core.types import AnswerContext, Response
from mmeval.metrics.caption_tokens import caption_words
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier, list_verifiers
from tests.verifiers.contexts import contexts

LONG = 100_000
DIGITS = "1" * 5000
"""More than Python turns into an integer."""
SLOW = [
    ("choice", "A" + "\n" * 30_000), ("choice", "A" + "\n " * 30_000), ("class-name", "class" + "=" * LONG), ("count", "1" * LONG), ("mmlu-pro", "a" * LONG),
    ("gui-step", '{"a":' * 5000), ("gui-step", "{" * LONG), ("gui-step", "</s>" * 25_000), ("gui-step", "\n" * LONG), ("gui-step", "<parameter=a>" * 10_000),
    ("number", "1," * 30_000), ("number", "1" + "\n" * 30_000), ("number", "x=" + " " * 20_000), ("mmlongbench", "(" * 30_000), ("pair-verdict", "_" * LONG), ("pair-verdict", "answer" + " " * LONG), ("pair-verdict", "therefore " * 5000),
    ("choice", "A is correct, " * 5000), ("choice", "The answer is " + " " * 20_000), ("choice", "The answer of " + " " * 20_000), ("choice", "option" + "\n" * 20_000), ("degradation", "severity:" + " " * 20_000), ("caption3d", "<desc>" * 15_000), ("spatialladder", "<answer>" * 12_000), ("detections", '[{"bbox_2d": [1, 2, 3, 4]}, ' + "/* " * 30_000), ("mask", "<mask>" * 15_000),
]  # fmt: skip
DEEP = (
    "[" * 5000, "[" * 900 + "1" + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "[" * 400 + '{"a": 1}' + "]" * 400, '{"a":' * 3000 + "1" + "}" * 3000, f"[{DIGITS}, {DIGITS}, {DIGITS}, {DIGITS}]", f"click(x={DIGITS}, y=1)",
    f'{{"bbox_2d": [{DIGITS}, 1, 1, 1], "label": "a"}}', '{"bbox_2d": ' + "[" * 900 + "1" + "]" * 900 + "}",
    '{"box": ' * 900 + "[1, 2, 3, 4]" + "}" * 900, f'{{"name": "click", "arguments": {{"x": {DIGITS}, "y": 1}}}}',
    f'<tool_call>{{"name": "click", "arguments": "{{\\"x\\": {DIGITS}}}"}}</tool_call>', "9^{9^{9^{9}}}", "1e999999999", f"{DIGITS}/{DIGITS}", "99999!!!!",
)  # fmt: skip


@pytest.mark.parametrize(("name", "text"), SLOW, ids=[f"{name}-{text[:6]!r}" for name, text in SLOW])
def test_long_runs_of_one_sign_take_linear_time(name: str, text: str) -> None:
    context = AnswerContext(
        ("red", "blue"),
        {"form": "agentcpm" if text[0] in "<\n" and "par" not in text[:9] else "tool-call"}
        if name == "gui-step"
        else {},
        (100, 80),
        (100, 80),
    )
    get_verifier(name).parse(text, context)


@pytest.mark.parametrize("name", list_verifiers())
def test_depth_and_length_of_numbers_are_no_crash(name: str) -> None:
    verifier = get_verifier(name)
    for context in contexts(name)[:: max(1, len(contexts(name)) // 2)]:
        for text in DEEP:
            try:
                found = verifier.parse(text, context)
            except MmevalError:
                continue  # the context lacks what this verifier needs
            assert found.span is None or 0 <= found.span[0] <= found.span[1] <= len(text)


def test_a_tool_call_with_an_endless_number_is_no_answer() -> None:
    context = AnswerContext((), {"form": "tool-call"}, (100, 80), (100, 80))
    text = f'<tool_call>{{"name": "click", "arguments": {{"x": {DIGITS}, "y": 1}}}}</tool_call>'
    verdict = verify(get_verifier("gui-step"), Response("ok", text), {"action": "click", "box": [0, 0, 9, 9]}, context)
    assert verdict.outcome in {"no_answer", "unscored"}


def test_words_of_captions_and_keys_of_files() -> None:
    assert caption_words("+-" * LONG + "@") != ()
    assert repeated_key(b'{"a": ' + DIGITS.encode() + b', "a": 1}') == "a"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("There are 12 dots in total.", 12),
        ("1234567 dots in total", None),
        ("a total of 3, 4", 3),
        ("a total of 3,4", None),
    ],
)
def test_a_total_is_a_whole_number_of_its_own(text: str, count: int | None) -> None:
    found = get_verifier("count").parse(text, AnswerContext())
    if count is not None:
        assert found.value == count
    else:
        assert found.value not in (234567, 3, 4)
