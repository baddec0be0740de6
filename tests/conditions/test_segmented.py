"""Segmenters, and the condition that hands them a model's boxes and points."""

from __future__ import annotations

import asyncio
import io
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmeval.conditions import segmenters
from mmeval.conditions.base import get_condition
from mmeval.conditions.segmented import Segmented
from mmeval.conditions.segmenters import BoxSegmenter, get_segmenter, list_segmenters
from mmeval.core.errors import UsageError
from mmeval.core.types import AnswerContext, PreparedImage, PreparedMedia, Response, Sample
from mmeval.verifiers.base import verify
from mmeval.verifiers.mask import MaskVerifier
from mmeval.verifiers.masks import Mask, bounding_box, decode_runs, encode_runs, from_boxes
from mmeval.verifiers.object_prompts import ObjectPrompt, object_prompts

ORIGINAL, SENT = (64, 48), (84, 56)
AFFORDANCE = '<think>a [1, 1, 2, 2]</think><rethink>b</rethink><answer>[{"bbox_2d": [140, 210, 420, 630], "point_2d": [200, 400], "affordance": "hold"}]</answer>'


def media(size: tuple[int, int]) -> tuple[PreparedMedia, ...]:
    buffer = io.BytesIO()
    Image.new("RGB", size, "white").save(buffer, "PNG")
    return (PreparedMedia("image", (PreparedImage(buffer.getvalue(), "png", *size, "a", "b", *ORIGINAL),)),)


def answered(
    text: str, segmenter: Any, size: tuple[int, int] = ORIGINAL, **options: Any
) -> tuple[Response, AnswerContext]:
    context = AnswerContext(image_size=ORIGINAL, sent_size=size, options=options)
    sample = Sample("1", "t", (), None, context=context)

    async def ask(*_: Any) -> Response:
        return Response("ok", text, completion_tokens=3)

    return asyncio.run(Segmented(segmenter).answer(sample, media(size), ask)), context


def judged(response: Response, context: AnswerContext, box: list[float]) -> float | None:
    gold = encode_runs(from_boxes([box], ORIGINAL))
    return verify(MaskVerifier(), response, gold, context).score


@pytest.mark.parametrize(
    ("text", "options", "prompts"),
    [
        (AFFORDANCE, {"frame": [840, 840], "reasoning_tags": ["think", "rethink"]}, [((10.667, 12, 32, 36), ((15.238, 22.857),))]),
        ('[{"bbox_2d": [1, 2, 3, 4]}, {"bbox_2d": [1, 2, 3, 4]}, {"bbox": [9, 8, 5, 6], "points": [[6, 7], [8, 7]]}]', {}, [((1, 2, 3, 4), ()), ((5, 6, 9, 8), ((6, 7), (8, 7)))]),
        ("The box is [1, 2, 3, 4].", {}, [((1, 2, 3, 4), ())]),
        ("(5, 6) then (7, 8)", {}, [(None, ((5, 6), (7, 8)))]),
        ('{"objects": [{"point_2d": [5, 6]}]}', {}, [(None, ((5, 6),))]),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [5, 6, 7', {}, [((1, 2, 3, 4), ())]),
        ('{"bbox_2d": [1, 2, null, 4]}', {}, []),
        ("no idea", {}, []),
        ("<think>[1, 2, 3, 4]", {}, []),
    ],
)  # fmt: skip
def test_prompts_of_answers(text: str, options: dict[str, Any], prompts: list[Any]) -> None:
    found = object_prompts(text, AnswerContext(image_size=ORIGINAL, options=options))
    rounded = [
        (
            entry.box and tuple(round(value, 3) for value in entry.box),
            tuple((round(x, 3), round(y, 3)) for x, y in entry.points),
        )
        for entry in found
    ]
    assert rounded == prompts


def test_the_mask_stands_behind_the_answer() -> None:
    response, context = answered("It is [8, 8, 20, 24].", BoxSegmenter())
    assert response.text is not None
    assert response.text.startswith("It is [8, 8, 20, 24].\n<mask>{")
    assert response.completion_tokens == 3
    assert judged(response, context, [8, 8, 20, 24]) == 1.0


def test_pixels_as_sent_come_back_to_the_original() -> None:
    response, context = answered("[21, 14, 42, 28]", BoxSegmenter(), SENT)
    assert judged(response, context, [16, 12, 32, 24]) == 1.0
    framed, context = answered(AFFORDANCE, BoxSegmenter(), frame=[840, 840])
    assert judged(framed, context, [11, 12, 32, 36]) == 1.0


def test_without_boxes_the_answer_stays() -> None:
    response, context = answered("I see nothing.", BoxSegmenter())
    assert response.text == "I see nothing."
    assert verify(MaskVerifier(), response, encode_runs(from_boxes([], ORIGINAL)), context).outcome == "no_answer"


class Broken:
    identity = "broken/1"

    def __init__(self, mask: Any) -> None:
        self._mask = mask

    def segment(self, image: Any, objects: Any) -> Mask:
        if self._mask is None:
            raise RuntimeError("out of memory")
        return np.asarray(self._mask)


@pytest.mark.parametrize(("mask", "says"), [(None, "out of memory"), ([[True]], "shape"), (np.zeros((48, 64)), "type")])
def test_a_segmenter_that_fails_is_the_rows_error(mask: Any, says: str) -> None:
    response, _ = answered("[1, 2, 3, 4]", Broken(mask))
    assert (response.status, response.text) == ("error", None)
    assert says in str(response.error)
    assert "broken/1" in str(response.error)


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"box", "sam2"} <= set(list_segmenters())
    condition = get_condition("segment:box")
    assert (condition.name, condition.identity) == ("segment:box", ["segment:box", "1", "segment", "1 box/1"])
    assert get_condition("segment").name == "segment:box"
    with pytest.raises(UsageError, match="segmenter 'bx'"):
        get_condition("segment:bx")
    with pytest.raises(UsageError, match="no argument"):
        get_segmenter("box:5")

    class Entry:
        def load(self) -> Any:
            return lambda argument: Broken([[bool(argument)]])

    monkeypatch.setattr(segmenters, "_installed", lambda: {"mine": Entry()})
    assert get_condition("segment:mine:x").name == "segment:mine:x"
    monkeypatch.setattr(segmenters, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs torch"):
        get_segmenter("sam2")


@pytest.mark.model
@pytest.mark.skipif(find_spec("torchvision") is None, reason="needs transformers and torchvision")
def test_sam2_of_random_weights_gives_masks(tmp_path: Path) -> None:
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model, Sam2Processor

    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1, "image_size": [1024, 1024], "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 2, 4], "global_attention_blocks": [3],
    }  # fmt: skip
    vision = {"backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 32}
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 32},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 32, "iou_head_hidden_dim": 16, "num_attention_heads": 2},
    )
    Sam2Model(config).save_pretrained(tmp_path)
    Sam2Processor(Sam2ImageProcessor()).save_pretrained(tmp_path)
    found = get_segmenter(f"sam2:{tmp_path}").segment(
        Image.new("RGB", ORIGINAL, "red"),
        [
            ObjectPrompt((8, 8, 40, 40), ((20.0, 20.0),)),
            ObjectPrompt(None, ((50.0, 10.0), (51.0, 11.0))),
            ObjectPrompt((1, 1, 5, 5)),
        ],
    )
    assert (found.shape, found.dtype) == ((48, 64), np.bool_)
    with pytest.raises(UsageError, match="cannot be loaded"):
        get_segmenter(f"sam2:{tmp_path / 'none'}").segment(Image.new("RGB", ORIGINAL), [])


def test_codes_survive_the_tag() -> None:
    mask = np.random.default_rng(0).random((48, 64)) > 0.5
    text = json.dumps(encode_runs(mask))
    assert np.array_equal(decode_runs(json.loads(text)), mask)
    assert bounding_box(mask) == [0.0, 0.0, 64.0, 48.0]
