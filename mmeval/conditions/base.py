"""What is done to a sample before it is asked. A condition changes media or messages and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmeval.conditions.strategy import Strategy, TwoHop
from mmeval.core.errors import unknown
from mmeval.core.types import Media, MediaPart, Sample

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Condition:
    """A named change of a sample.

    Attributes:
        name: what the results table calls it.
        version: raised whenever the change itself changes; part of the ask digest.
        sample: changes messages or drops media, or None.
        image: changes the pixels of one decoded RGB image (same size), or None; given the image and a seed.
        strategy: asks in more than one call, or None; its last answer is the row's.
    """

    name: str
    version: str = "1"
    sample: Callable[[Sample], Sample] | None = None
    image: Callable[[Image, int], Image] | None = None
    strategy: Strategy | None = None

    @property
    def identity(self) -> list[str]:
        """Name and versions, for the ask digest."""
        steps = [] if self.strategy is None else [self.strategy.name, self.strategy.version]
        return [self.name, self.version, *steps]


def without_media(sample: Sample) -> Sample:
    """Remove every image and video, and leave the text as it is."""
    messages = tuple(
        replace(message, parts=tuple(part for part in message.parts if not isinstance(part, MediaPart)))
        for message in sample.messages
    )
    empty: tuple[Media, ...] = ()
    return replace(sample, messages=messages, media=empty)


def _grey(image: Image, seed: int) -> Image:
    from PIL import Image as images

    return images.new("RGB", image.size, (128, 128, 128))


CONDITIONS = {
    "standard": Condition("standard"),
    "blind": Condition("blind", sample=without_media),
    "blank": Condition("blank", image=_grey),
    "two-hop": Condition("two-hop", strategy=TwoHop()),
}


def get_condition(name: str) -> Condition:
    """Return the condition of that name.

    Raises:
        UsageError: for an unknown one, with the nearest names.
    """
    if name not in CONDITIONS:
        raise unknown("condition", name, CONDITIONS)
    return CONDITIONS[name]
