"""Counts: totals, parts, nothing, and things that are pointed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext
from mmeval.verifiers.counts import CountVerifier

NONE = AnswerContext()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7", 7),
        ("There are **seven** dogs.", 7),
        ('{"count": 7}', 7),
        ("There are 3 red and 4 blue balls, for a total of 7 balls.", 7),
        ("3 red, 4 blue, 2 of them large. In total there are seven.", 7),
        ("I can see 4 planes in the sky, 2 on the left and 2 on the right.", 4),
        ("4 chairs (2 left, 2 right)", 4),
        ("There are no dogs in the picture.", 0),
        ("None", 0),
        (" There are none.", 0),
        ("There is a single cat in the image.", 1),
        ("Only a single cat.", 1),
        ("A pair.", 2),
        ("There is nothing like a single cat, or a pair.", None),
        ("The image shows a pair of shoes.", 2),
        ('[{"point_2d": [10, 20], "label": "dog"}, {"point_2d": [30, 40], "label": "dog"}]', 2),
        ('```json\n[{"bbox_2d": [10, 20, 30, 40], "label": "dog"}]\n```', 1),
        ('<points x1="10.5" y1="20.1" x2="30" y2="40" alt="dogs">dogs</points>', 2),
        ('<point x="10.5" y="20.1" alt="dog">dog</point>', 1),
        ("There are 3 to 5 people.", None),
        ("There are 3 dogs and 5 cats.", None),
        ("a total of 3 dogs, and a total of 4 cats", None),
        ("There are 6 people, 2 men and 3 women.", None),
        ("", None),
        ("<think>there are 3", None),
    ],
)
def test_counts(text: str, count: int | None) -> None:
    assert CountVerifier().parse(text, NONE).value == count


@given(st.text() | st.text(alphabet="0123456789 atol.of,<points x1='\">[]{}", max_size=120))
def test_never_raises(text: str) -> None:
    found = CountVerifier().parse(text, NONE)
    assert found.value is None or CountVerifier().match(found.value, 3, NONE).score in (0.0, 1.0)
