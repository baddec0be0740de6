"""RefCOCO, RefCOCO+ and RefCOCOg on rows of our own, in every protocol of the part val."""

from __future__ import annotations

import pytest

from mmeval.core.types import Response
from mmeval.tasks.options import AskStyle
from mmeval.verifiers.base import verify
from tests.tasks.test_gui_cards import DATA, HEIGHT, WIDTH, settled


@pytest.mark.parametrize("name", ["refcoco", "refcoco-plus", "refcocog"])
@pytest.mark.parametrize("protocol", ["default", "vlm-r1", "vlm-r1-plain", "official", "vlmevalkit"])
def test_the_gold_said_back_is_right(name: str, protocol: str) -> None:
    task, samples = settled(name, protocol, DATA, AskStyle())
    assert [sample.item["question"] for sample in samples] == ["left cup", "the cup by the lamp", "door"]
    assert samples[0].cluster == samples[1].cluster != samples[2].cluster
    for sample in samples:
        scale = (1000 / WIDTH, 1000 / HEIGHT) * 2 if protocol in ("official", "vlmevalkit") else (1, 1, 1, 1)
        box = [round(value * factor) for value, factor in zip(sample.target, scale, strict=True)]
        text = f'<answer>{{"bbox_2d": {box}}}</answer>' if protocol != "official" else str(box)
        verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
        assert (verdict.outcome, verdict.score) == ("scored", 1.0), verdict
        assert verdict.scores["iou"] > 0.85
        wrong = verify(
            task.verifier, Response("ok", text.replace(str(box), "[0, 0, 1, 1]")), sample.target, sample.context
        )
        assert wrong.score == 0.0
