"""Segmenters: an image, boxes and points to a mask. Installed packages add theirs under the entry point `mmeval.segmenters`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from mmeval.core.errors import UsageError, unknown
from mmeval.verifiers.masks import Mask, from_boxes
from mmeval.verifiers.object_prompts import ObjectPrompt

if TYPE_CHECKING:
    from PIL.Image import Image

ENTRY_POINT_GROUP = "mmeval.segmenters"
SAM2_DEFAULT = "facebook/sam2-hiera-large"


class Segmenter(Protocol):
    """Turns boxes and points into a mask. Called from several threads, one call at a time.

    Attributes:
        identity: name, weights and whatever else changes a mask; part of what runs are compared by.
    """

    identity: str

    def segment(self, image: Image, objects: Sequence[ObjectPrompt]) -> Mask:
        """Return the union of the objects' masks, shape (height, width) of the image.

        Args:
            image: decoded, RGB.
            objects: in pixels of this image.
        """
        ...


class BoxSegmenter:
    """Fills the boxes: for tests, and the floor that any segmenter must beat. A point alone marks its pixel."""

    identity = "box/1"

    def segment(self, image: Image, objects: Sequence[ObjectPrompt]) -> Mask:
        """See `Segmenter.segment`."""
        boxes = [list(entry.box) for entry in objects if entry.box is not None]
        mask = from_boxes(boxes, image.size)
        for x, y in (point for entry in objects if entry.box is None for point in entry.points):
            if 0 <= x < image.width and 0 <= y < image.height:
                mask[int(y), int(x)] = True
        return mask


class Sam2Segmenter:
    """SAM 2 by transformers: a mask per object from its box and points, the one that the model scores highest.

    Args:
        weights: a folder, or the name of a hub model that is in the local cache already; nothing is downloaded.

    Raises:
        UsageError: when torch, torchvision or transformers is not installed.
    """

    def __init__(self, weights: str = SAM2_DEFAULT) -> None:
        for package in ("torch", "torchvision", "transformers"):
            if find_spec(package) is None:
                raise UsageError(
                    f"segmenter sam2 needs {package}, which is not installed",
                    remedy="pip install 'mmeval-harness[hf]' torchvision",
                )
        self.identity = f"sam2:{weights}"
        self._weights = weights
        self._loaded: tuple[Any, Any] | None = None

    def segment(self, image: Image, objects: Sequence[ObjectPrompt]) -> Mask:
        """See `Segmenter.segment`.

        Raises:
            UsageError: when the weights cannot be loaded.
        """
        import numpy as np
        import torch

        processor, model = self._load()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = model.to(device)
        union = from_boxes([], image.size)
        for entry in objects:
            prompt: dict[str, object] = {}
            if entry.box is not None:
                prompt["input_boxes"] = [[list(entry.box)]]
            if entry.points:
                prompt["input_points"] = [[[list(point) for point in entry.points]]]
                prompt["input_labels"] = [[[1] * len(entry.points)]]
            inputs = processor(images=image, return_tensors="pt", **prompt).to(device)
            with torch.inference_mode():
                outputs = model(**inputs, multimask_output=True)
            masks = processor.post_process_masks(outputs.pred_masks.cpu(), inputs["original_sizes"].cpu())[0]
            best = int(outputs.iou_scores.flatten().argmax())
            union |= np.asarray(masks.reshape(-1, image.height, image.width)[best].numpy() > 0, dtype=bool)
        return union

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import Sam2Model, Sam2Processor

            try:
                processor = Sam2Processor.from_pretrained(self._weights, local_files_only=True)
                model = Sam2Model.from_pretrained(self._weights, local_files_only=True)
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"segmenter sam2: the weights {self._weights!r} cannot be loaded: {str(error).splitlines()[0]}",
                    remedy=f"download them first (hf download {self._weights}), or give a folder: --condition segment:sam2:FOLDER",
                ) from error
            model.train(False)
            self._loaded = processor, model
        return self._loaded


_BUILT_IN: Mapping[str, Callable[[str], Segmenter]] = {
    "box": lambda argument: _plain("box", argument, BoxSegmenter()),
    "sam2": lambda argument: Sam2Segmenter(argument or SAM2_DEFAULT),
}


def _plain(name: str, argument: str, segmenter: Segmenter) -> Segmenter:
    if argument:
        raise UsageError(f"segmenter {name!r} takes no argument, and {argument!r} is given", remedy=f"use {name}")
    return segmenter


def get_segmenter(address: str) -> Segmenter:
    """Return the segmenter NAME or NAME:ARGUMENT (weights, say); a package's is called with its argument.

    Raises:
        UsageError: when there is no such segmenter, or it cannot be loaded.
    """
    name, _, argument = address.partition(":")
    if name in _BUILT_IN:
        return _BUILT_IN[name](argument)
    installed = _installed()
    if name not in installed:
        raise unknown("segmenter", name, list_segmenters())
    try:
        built: Segmenter = installed[name].load()(argument)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"segmenter {name!r} cannot be loaded: {error}", remedy="reinstall the package that provides it"
        ) from error
    return built


def list_segmenters() -> list[str]:
    """Return all names, sorted."""
    return sorted({*_BUILT_IN, *_installed()})


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
