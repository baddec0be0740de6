"""Which frames of a video a protocol shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mmeval.core.errors import MediaError
from mmeval.core.types import FrameSampling


def sample_indices(count: int, rate: float | None, sampling: FrameSampling) -> tuple[int, ...]:
    """Return the indices of the frames to show, ascending, each once.

    `uniform`: `frames` indices from the first to the last frame, evenly spaced and cut to whole numbers. `fps`: one frame
    every 1/fps seconds from the start; where that gives more than `frames`, they are thinned evenly. `all`: all, thinned alike.

    Args:
        count: frames of the video.
        rate: frames per second; needed for `fps`.
        sampling: the protocol's choice.

    Raises:
        MediaError: `fps` without a known rate.
    """
    if count <= 0:
        return ()
    if sampling.method == "uniform":
        wanted: Sequence[int] = _spread(count, sampling.frames)
    elif sampling.method == "fps":
        if not rate or rate <= 0:
            raise MediaError("the video does not say its frame rate, which sampling by fps needs")
        if sampling.fps >= rate:
            return sample_indices(count, rate, replace(sampling, method="all"))
        steps = int((count - 1) / rate * sampling.fps + 1e-9) + 1
        wanted = [min(count - 1, round(step * rate / sampling.fps)) for step in range(steps)]
    else:
        wanted = range(count)
    if len(wanted) > sampling.frames:
        wanted = [wanted[place] for place in _spread(len(wanted), sampling.frames)]
    return tuple(dict.fromkeys(wanted))


def _spread(count: int, wanted: int) -> list[int]:
    """`wanted` whole numbers from 0 to count - 1, as numpy's linspace cut to integers gives them."""
    if wanted == 1:
        return [0]
    step = (count - 1) / (wanted - 1)
    return [min(count - 1, int(place * step)) for place in range(wanted - 1)] + [count - 1]
