"""What a procedural generator returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Fact:
    """A yes/no question about the picture, with its exact answer."""

    question: str
    answer: bool


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One visible thing."""

    name: str
    """How a person would call it, e.g. ``red circle``."""
    label: str
    """Its class, e.g. ``circle``, ``button``, ``bar``."""
    attributes: Mapping[str, str]
    """color, shape, size, text, value … where they apply."""
    box: Box
    """x1, y1, x2, y2 in pixels of the original image, right and bottom edges exclusive.
    In a clip: the box in the first frame that shows the object."""


@dataclass(frozen=True, slots=True)
class SyntheticItem:
    """One question about one generated picture or clip."""

    id: str
    question: str
    """The natural question alone: no format instruction, no list of options."""
    images: tuple[Pixels, ...]
    """(height, width, 3) uint8 each; frames in playing order where `is_video`."""
    is_video: bool
    answer: Any
    """choice: letter; yes-no: ``yes``/``no``; number: int; text: str; point: ``{"box": [x1, y1, x2, y2]}``;
    box: ``[x1, y1, x2, y2]``; detect: list of boxes; quality: int from 1 (bad) to 5 (clean)."""
    choices: tuple[str, ...] | None
    facts: tuple[Fact, ...]
    objects: tuple[SceneObject, ...]
    caption: str
    subsets: Mapping[str, str]
    cluster: str
    """Items that share a picture share this."""
