"""A model that repeats a digit for ever writes numbers that no floating-point number holds."""

from __future__ import annotations

from typing import Any

import pytest

from mmeval.core.types import AnswerContext
from mmeval.verifiers.registry import get_verifier

LONG = "1" + "0" * 400
TEXTS = (
    '{"center": [%s, 1, 1], "size": [1, 1, 1]}', "[%s, 1, 2, 3]", '{"bbox_2d": [%s, 1, 2, 3], "point_2d": [%s, 1]}', '{"polygon": [[%s, 1], [2, 3], [4, 5]]}',
    '{"size": [%s, 3], "counts": [1, 2]}', '{"size": [2, 2], "counts": [%s, 2]}', '{"size": [80, %s], "counts": "00"}', '{"heatmap": [[%s, 1], [2, 3]]}',
    "<obj>%s, 1, 1, 1, 1, 1</obj>", '{"x": %s, "y": 1, "width": 1, "height": 1}', '[("cat", %s, 1, 2, 3)]', '[{"bbox_2d": [1, 2, 3, 4], "confidence": %s}]',
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("box", {}), ("boxes", {}), ("point", {}), ("detections", {}), ("box3d", {}), ("caption3d", {}), ("mask", {}), ("mask", {"prediction": "box"}),
        ("heatmap", {"sigma": 0.1}), ("count", {}),
    ],
)  # fmt: skip
def test_parsers_do_not_raise(name: str, options: dict[str, Any]) -> None:
    for text in TEXTS:
        for number in (LONG, f"-{LONG}", "1e308"):
            found = get_verifier(name, options).parse(text.replace("%s", number), AnswerContext(image_size=(100, 80)))
            assert found.found or found.reason
