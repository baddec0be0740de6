"""Image ablations: what a picture looks like when something is taken from it. Same size, seeded, in image space before any processor.

Sources of the defaults: 14-pixel patches blackened independently with probability 0.5 (VPPO, arXiv:2510.09285) or 0.6 (PAPO,
arXiv:2507.06448), Gaussian noise of standard deviation 189, Gaussian blur of radius 6, grey 128 (VPPO, appendix).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

Ablate: TypeAlias = "Callable[[Image, int], Image]"
PATCH = 14
"""Side of a masked patch, pixels."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A family of ablations with one number."""

    title: str
    """What is done, with `{}` for the number."""
    make: Callable[[float], Ablate]
    default: float | None = None
    """The number where the name gives none; None for families without a number."""
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    """Whether the number is a whole one."""


def plain(colour: tuple[int, int, int]) -> Ablate:
    """Return the ablation that replaces everything by one colour."""

    def ablate(image: Image, seed: int) -> Image:
        from PIL import Image as images

        return images.new("RGB", image.size, colour)

    return ablate


def mean_colour(image: Image, seed: int) -> Image:
    """Replace everything by the picture's mean colour."""
    import numpy as np
    from PIL import Image as images

    mean = np.asarray(image.convert("RGB"), dtype=np.float64).reshape(-1, 3).mean(axis=0)
    red, green, blue = (int(value) for value in np.rint(mean))
    return images.new("RGB", image.size, (red, green, blue))


def noise(sigma: float) -> Ablate:
    """Return the ablation that adds Gaussian noise of this standard deviation (in grey levels) to every channel."""

    def ablate(image: Image, seed: int) -> Image:
        import numpy as np
        from PIL import Image as images

        pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
        drawn = np.random.default_rng(seed).normal(0.0, sigma, pixels.shape)
        return images.fromarray(np.clip(np.rint(pixels + drawn), 0, 255).astype(np.uint8))

    return ablate


def blur(radius: float) -> Ablate:
    """Return the ablation that blurs with a Gaussian of this radius in pixels."""

    def ablate(image: Image, seed: int) -> Image:
        from PIL import ImageFilter

        return image.convert("RGB").filter(ImageFilter.GaussianBlur(radius))

    return ablate


def jpeg(quality: float) -> Ablate:
    """Return the ablation that shows what JPEG of this quality leaves."""

    def ablate(image: Image, seed: int) -> Image:
        from PIL import Image as images

        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=int(quality))
        return images.open(io.BytesIO(buffer.getvalue())).convert("RGB")

    return ablate


def downscale(share: float) -> Ablate:
    """Return the ablation that keeps this share of each side's resolution, at the same size (box down, bicubic up)."""

    def ablate(image: Image, seed: int) -> Image:
        small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        return image.convert("RGB").resize(small, 4).resize(image.size, 3)

    return ablate


def patches(probability: float) -> Ablate:
    """Return the ablation that blackens 14 x 14 patches, each independently with this probability.

    Patches come from one draw per seed, so what is masked at a lower probability is masked at every higher one.
    """

    def ablate(image: Image, seed: int) -> Image:
        import numpy as np
        from PIL import Image as images

        pixels = np.array(image.convert("RGB"))
        rows, columns = -(-pixels.shape[0] // PATCH), -(-pixels.shape[1] // PATCH)
        hidden = np.random.default_rng(seed).random((rows, columns)) < probability
        pixels[np.repeat(np.repeat(hidden, PATCH, 0), PATCH, 1)[: pixels.shape[0], : pixels.shape[1]]] = 0
        return images.fromarray(pixels)

    return ablate


def _fixed(ablate: Ablate, _: float) -> Ablate:
    return ablate


ABLATIONS: dict[str, Ablation] = {
    "blank": Ablation("grey 128", partial(_fixed, plain((128, 128, 128)))),
    "black": Ablation("black", partial(_fixed, plain((0, 0, 0)))),
    "mean": Ablation("the mean colour", partial(_fixed, mean_colour)),
    "noise": Ablation("Gaussian noise, sigma {}", noise, 189.0, 0.1, 1000.0),
    "blur": Ablation("Gaussian blur, radius {} px", blur, 6.0, 0.1, 1000.0),
    "jpeg": Ablation("JPEG quality {}", jpeg, 10.0, 1.0, 95.0, whole=True),
    "downscale": Ablation("{} of the resolution", downscale, 0.25, 0.001, 1.0),
    "mask": Ablation("14 px patches blackened, p = {}", patches, 0.5, 0.0, 1.0),
}
