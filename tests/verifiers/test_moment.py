"""Moments of videos, as models say them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.metrics import estimate
from mmeval.verifiers.moment import MomentVerifier

NONE = AnswerContext()
MOMENT = [3.2, 7.9]


@pytest.mark.parametrize(
    "text",
    [
        "from 3.2s to 7.9 seconds",
        "3.2 - 7.9",
        "3.2–7.9 s",
        "3.2s-7.9s",
        "[3.2, 7.9]",
        "[[3.2, 7.9]]",
        "(3.2, 7.9)",
        "<3.2> to <7.9>",
        "**3.2s - 7.9s**",
        "<timestamp>3.2 - 7.9</timestamp>",
        "The given query happens in 3.2 - 7.9 seconds.",
        "It occurs between timestamps 3.2 and 7.9",
        "around 3.2 seconds to around 7.9 seconds",
        "It starts at 3.2 seconds and ends at 7.9 seconds.",
        "Start time: 3.2s, End time: 7.9s",
        "The video is 30 seconds long. The event is from 3.2 to 7.9 seconds.",
        "3.2-7.9s (a door opens)",
        "<think>1.0 to 2.0</think><answer>3.2 to 7.9</answer>",
        "First 1 to 2. The answer is 3.2 to 7.9.",
        r"\boxed{[3.2, 7.9]}",
        '{"start": 3.2, "end": 7.9}',
        '```json\n{"start_time": "3.2s", "end_time": "7.9s"}\n```',
        '{"timestamp": [[3.2, 7.9]]}',
        '[{"event": "a door opens", "timestamp": "3.2 - 7.9"}]',
        "3.2 to 7.9, that is 3.2 - 7.9",
        "从3.2秒到7.9秒",
    ],
)
def test_seconds(text: str) -> None:
    found = MomentVerifier().parse(text, NONE)
    assert found.value == MOMENT
    assert found.span is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00:03 - 00:08", [3.0, 8.0]),
        ("from 1:05 to 1:10.5", [65.0, 70.5]),
        ("01:02:03 to 01:02:05", [3723.0, 3725.0]),
        ('{"start": "00:03", "end": "00:08"}', [3.0, 8.0]),
        ("1 to 2 minutes", [60.0, 120.0]),
        ("1 minute 5 seconds to 1 minute 10 seconds", [65.0, 70.0]),
        ("0.0 - 5", [0.0, 5.0]),
    ],
)
def test_clocks_and_units(text: str, value: list[float]) -> None:
    assert MomentVerifier().parse(text, NONE).value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("3.2 seconds", "not found"),
        ("There is no such event.", "not found"),
        ("2024-11-02", "not found"),
        ("7.9 to 3.2", "it ends before it starts"),
        ("from 3.2 to 7.9, or from 10 to 12", "ambiguous"),
        ("<think>3.2 to 7.9", "unfinished reasoning"),
    ],
)
def test_no_moment(text: str, reason: str) -> None:
    found = MomentVerifier().parse(text, NONE)
    assert (found.value, found.reason) == (None, reason)


def test_overlap() -> None:
    verifier = MomentVerifier()
    assert verifier.match([0, 10], [5, 15], NONE).score == pytest.approx(1 / 3)
    assert verifier.match([0, 10], [0, 10], NONE).scores == {"iou": 1.0}
    assert verifier.match([0, 10], [10, 20], NONE).score == 0.0
    assert verifier.match([5, 5], [5, 5], NONE).score == 0.0
    assert verifier.match([0, 10], [[20, 30], [0, 5]], NONE).score == 0.5
    assert MomentVerifier({"threshold": 0.5}).match([0, 10], [0, 5], NONE).correct is True
    assert MomentVerifier({"threshold": 0.7}).match([0, 10], [0, 5], NONE).correct is False


def test_the_metrics_of_grounding() -> None:
    rows: list[dict[str, Any]] = []
    for number, value in enumerate(([0, 10], [0, 5], [0, 4], None)):
        scores = {} if value is None else dict(MomentVerifier().match(value, [0, 10], NONE).scores)
        rows.append({
            "sample_id": str(number), "cluster": str(number), "repeat": 0, "outcome": "no_answer" if value is None else "scored",
            "score": scores.get("iou", 0.0), "correct": None, "scores": scores,
        })  # fmt: skip
    assert estimate("iou", rows).value == pytest.approx(1.9 / 4)
    assert [estimate(f"iou@{level}", rows).value for level in (0.3, 0.5, 0.7)] == [0.75, 0.5, 0.25]


@pytest.mark.parametrize("target", [None, [1], [2, 1], ["a", "b"], [1, float("nan")], []])
def test_a_target_that_is_no_moment(target: object) -> None:
    with pytest.raises(DataError, match="moment"):
        MomentVerifier().match([0, 1], target, NONE)


@given(st.text() | st.text(alphabet='0123456789.:-s to,[]{}"startend', max_size=80))
def test_never_raises(text: str) -> None:
    found = MomentVerifier().parse(text, NONE)
    if found.value is not None:
        assert 0.0 <= MomentVerifier().match(found.value, [0, 10], NONE).score <= 1.0
