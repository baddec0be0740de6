"""The condition `segment:NAME`: the model answers as usual, and a segmenter makes a mask of its boxes and points."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field, replace

from mmeval.conditions.segmenters import Segmenter, get_segmenter
from mmeval.conditions.strategy import Ask
from mmeval.core.errors import MmevalError
from mmeval.core.pictures import open_picture
from mmeval.core.types import PreparedMedia, Response, Sample
from mmeval.verifiers.mask_answers import tagged
from mmeval.verifiers.masks import Mask, encode_runs
from mmeval.verifiers.object_prompts import ObjectPrompt, object_prompts


@dataclass(frozen=True, slots=True)
class Segmented:
    """The first image and what the answer points at go to the segmenter; its mask is written behind the answer.

    The segmenter sees the image as it is sent to the model; its mask is brought to the original size by nearest pixels. An answer
    without a box or point stays as it is.
    """

    segmenter: Segmenter
    name: str = "segment"
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @classmethod
    def of(cls, address: str) -> Segmented:
        """Return it for NAME or NAME:ARGUMENT.

        Raises:
            UsageError: as `get_segmenter`.
        """
        return cls(get_segmenter(address))

    @property
    def version(self) -> str:
        """The segmenter is part of it."""
        return f"1 {self.segmenter.identity}"

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Ask) -> Response:
        """See `Strategy.answer`."""
        images = [image for entry in media for image in entry.images]
        if not images:
            return Response("unsupported", error="there is no image to segment")
        response = await ask(sample.messages, media, "answer")
        if response.status != "ok" or response.text is None:
            return response
        first = images[0]
        original = sample.context.image_size or (first.width, first.height)
        try:
            objects = object_prompts(response.text, sample.context)
            if not objects:
                return response
            mask = await asyncio.to_thread(self._mask, first.data, objects, original)
        except MmevalError as error:
            return Response("error", error=error.message)
        except Exception as error:  # a segmenter of another package may fail in any way; the row says so
            return Response("error", error=f"segmenter {self.segmenter.identity}: {type(error).__name__}: {error}")
        return replace(response, text=tagged(response.text, encode_runs(mask)))

    def _mask(self, data: bytes, objects: list[ObjectPrompt], original: tuple[int, int]) -> Mask:
        import numpy as np
        from PIL import Image

        image = open_picture(data, "the image").convert("RGB")
        across, down = image.width / original[0], image.height / original[1]
        with self.lock:
            mask = np.asarray(self.segmenter.segment(image, [_scaled(entry, across, down) for entry in objects]))
        if mask.shape != (image.height, image.width) or mask.dtype != np.bool_:
            raise ValueError(f"a mask of shape {mask.shape} and type {mask.dtype} for an image of {image.size}")
        if image.size == original:
            return mask
        resized = Image.fromarray(mask.astype(np.uint8)).resize(original, Image.Resampling.NEAREST)
        return np.asarray(np.asarray(resized) > 0, dtype=bool)


def _scaled(entry: ObjectPrompt, across: float, down: float) -> ObjectPrompt:
    box = entry.box
    moved = None if box is None else (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    return ObjectPrompt(moved, tuple((x * across, y * down) for x, y in entry.points))
