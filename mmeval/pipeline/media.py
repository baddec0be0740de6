"""Validating images once and preparing what is sent: the original bytes wherever an engine can take them unchanged."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mmeval.core.errors import MediaError
from mmeval.core.geometry import Turn
from mmeval.core.hashing import sha256_bytes
from mmeval.core.pictures import load_picture, open_picture
from mmeval.core.types import FrameSampling, Media, PreparedImage, PreparedMedia
from mmeval.pipeline.video import decode_video, shown_part

if TYPE_CHECKING:
    from PIL.Image import Image

FACTS_VERSION = 2
"""Raised whenever `validate` can come to another verdict, so that cached ones are not taken for it."""

_PLAIN_FORMATS = {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp"}
BICUBIC = 3
"""Pillow's number of the filter, which is named without importing Pillow."""
_ORIENTATION_TAG = 0x0112
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What validation found out about encoded bytes; cached by their hash."""

    format: str
    """Pillow's name, e.g. `JPEG`."""
    width: int
    """Pixels after the EXIF orientation is applied."""
    height: int
    """Pixels after the EXIF orientation is applied."""
    plain: bool
    """RGB or grey JPEG, PNG or WebP without rotation, alpha or animation: can be sent as it is."""


FactsStore = Callable[[str], "ImageFacts | None"]


@dataclass(frozen=True, slots=True)
class Grid:
    """The sizes that a model family's processor yields, so that a model which answers in pixels means the pixels as sent."""

    factor: int
    """Both sides become multiples of this."""
    min_pixels: int
    max_pixels: int
    exact: tuple[int, int] | None = None
    """(width, height) that every image is brought to, whatever its shape, where the model was trained so."""

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) after the resize rule of the Qwen-VL processors.

        Sides are rounded to multiples of `factor`; beyond the limits on pixels both are scaled by the square root of the
        ratio, downwards when too large and upwards when too small. An exact size is itself.
        """
        if self.exact is not None:
            return self.exact
        new_width = max(self.factor, round(width / self.factor) * self.factor)
        new_height = max(self.factor, round(height / self.factor) * self.factor)
        if new_width * new_height > self.max_pixels:
            scale = math.sqrt(width * height / self.max_pixels)
            new_width = max(self.factor, math.floor(width / scale / self.factor) * self.factor)
            new_height = max(self.factor, math.floor(height / scale / self.factor) * self.factor)
        elif new_width * new_height < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (width * height))
            new_width = math.ceil(width * scale / self.factor) * self.factor
            new_height = math.ceil(height * scale / self.factor) * self.factor
        return new_width, new_height


def validate(data: bytes, name: str) -> ImageFacts:
    """Decode an image far enough to know that all of it is there.

    JPEG is decoded at an eighth of its size (about 1 ms for 800×600), other formats in full.

    Raises:
        MediaError: for bytes that are no image, are truncated, or would decode to more than `pictures.MAX_PIXELS`.
    """
    image = open_picture(data, name)
    width, height = image.size
    single = image.format in _PLAIN_FORMATS and not _animated(image, name)
    if image.format == "JPEG":
        image.draft(image.mode, (max(1, width // 8), max(1, height // 8)))
    load_picture(image, name)
    if image.format != "JPEG":
        width, height = image.size  # Pillow turns a TIFF while it loads it
    if image.format == "PNG" and _PNG_END not in data:
        raise MediaError(f"{name}: truncated image: the PNG has no end")
    orientation = _orientation(image)
    if orientation >= 5:
        width, height = height, width
    plain = single and image.mode in {"RGB", "L"} and "transparency" not in image.info and orientation == 1
    return ImageFacts(str(image.format), width, height, plain)


def prepare_image(
    data: bytes,
    name: str,
    *,
    facts: ImageFacts | None = None,
    source_sha256: str | None = None,
    ablation: Callable[[Image], Image] | None = None,
    grid: Grid | None = None,
) -> tuple[PreparedImage, ImageFacts]:
    """Return the image as it is sent, and what validation found.

    Args:
        data: encoded bytes as stored.
        name: for messages.
        facts: an earlier verdict on the same bytes; None validates now.
        source_sha256: hash of `data` when it is known already.
        ablation: changes the decoded RGB pixels; leads to a lossless re-encode.
        grid: the size that the image must have; another one is resized (bicubic) and re-encoded losslessly.

    Raises:
        MediaError: as `validate`.
    """
    source = source_sha256 or sha256_bytes(data)
    if facts is None:
        facts = validate(data, name)
    size = grid.fit(facts.width, facts.height) if grid is not None else (facts.width, facts.height)
    if facts.plain and ablation is None and size == (facts.width, facts.height):
        kind = _plain_format(facts.format)
        return PreparedImage(data, kind, facts.width, facts.height, source, source, facts.width, facts.height), facts
    pixels = decode_rgb(data, name)
    if ablation is not None:
        pixels = ablation(pixels)
    if pixels.size != size:
        pixels = pixels.resize(size, BICUBIC)
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG", compress_level=1)
    sent = buffer.getvalue()
    prepared = PreparedImage(
        sent, "png", pixels.width, pixels.height, sha256_bytes(sent), source, facts.width, facts.height
    )
    return prepared, facts


def decode_rgb(data: bytes, name: str) -> Image:
    """Decode to 8-bit RGB: orientation applied once, alpha flattened on white, 16 bits reduced to 8, first frame only.

    Raises:
        MediaError: as `validate`.
    """
    from PIL import Image as images

    image = open_picture(data, name)
    load_picture(image, name)
    upright = _turn(image)
    if upright.mode[0] in "IF":
        return _reduce_depth(upright, str(image.format), name)
    if upright.mode == "P":
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    elif "transparency" in upright.info and upright.mode in {"RGB", "L", "1"}:
        upright = upright.convert("RGBA")
    if upright.mode in {"RGBA", "LA", "PA", "La", "RGBa"}:
        rgba = upright.convert("RGBA")
        flat = images.new("RGBA", rgba.size, (255, 255, 255, 255))
        flat.alpha_composite(rgba)
        return flat.convert("RGB")
    return upright.convert("RGB")


def prepare(
    media: Media,
    known: FactsStore,
    remember: Callable[[str, ImageFacts], None],
    ablation: Callable[[Image], Image] | None = None,
    grid: Grid | None = None,
    frame_store: Path | None = None,
) -> PreparedMedia:
    """Read, validate and prepare one media (an image, or all frames of a video).

    Args:
        media: what to prepare.
        known: looks up earlier verdicts on the same bytes.
        remember: keeps a new one.
        ablation, grid: see `prepare_image`.
        frame_store: folder in which decoded frames of videos are kept.

    Raises:
        MediaError: naming what cannot be read.
    """

    def one(data: bytes, name: str, source: str | None) -> PreparedImage:
        sha = sha256_bytes(data)
        facts = known(sha)
        image, found = prepare_image(data, name, facts=facts, source_sha256=sha, ablation=ablation, grid=grid)
        if facts is None:
            remember(sha, found)
        return image if source is None else replace(image, source_sha256=source)

    if media.kind != "video":
        return PreparedMedia("image", (one(media.read(), media.label, None),))
    if media.frames:
        images = tuple(one(*_shown(frame, media.sampling)) for frame in media.frames)
        return PreparedMedia("video", images, media.frame_indices or tuple(range(len(images))))
    if media.path is None and media.data is None:
        raise MediaError(f"{media.label}: the video has no frames")
    decoded = decode_video(media, frame_store)
    images = tuple(one(frame.data, f"{media.label}, frame {frame.index}", frame.source_sha256) for frame in decoded)
    return PreparedMedia("video", images, tuple(frame.index for frame in decoded))


def _shown(frame: Media, sampling: FrameSampling | None) -> tuple[bytes, str, str | None]:
    """Return the bytes of a frame that is an image, its name, and the hash of its source where the sampling shows less of it."""
    data = frame.read()
    if sampling is None or (sampling.crop is None and sampling.max_side is None):
        return data, frame.label, None
    whole = decode_rgb(data, frame.label)
    try:
        part = shown_part(whole, sampling)
    except MediaError as error:
        raise MediaError(f"{frame.label}: {error.message}") from error
    if part is whole:
        return data, frame.label, None
    buffer = io.BytesIO()
    part.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue(), frame.label, sha256_bytes(data)


def _animated(image: Image, name: str) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception as error:  # as in `load_picture`
        raise MediaError(f"{name}: damaged or truncated image: {error}") from error


def _orientation(image: Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block says nothing about orientation; the pixels are validated apart
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turn(image: Image) -> Image:
    """Apply the orientation that `_orientation` reads, so that a broken EXIF block means the same everywhere."""
    return Turn(_orientation(image)).draw(image)


def _reduce_depth(image: Image, kind: str, name: str) -> Image:
    """Map 0–65535 to 0–255. The range belongs to the format; the brightest pixel says nothing about it."""
    import numpy as np
    from PIL import Image as images

    sixteen_bits = image.mode in {"I;16", "I;16L", "I;16B", "I;16N"} or (image.mode == "I" and kind in {"PNG", "PPM"})
    if not sixteen_bits:
        raise MediaError(
            f"{name}: {kind} with pixels of mode {image.mode} has no defined white; convert it to 8 or 16 bits"
        )
    values = np.asarray(image).astype(np.float64)
    grey = np.clip(np.rint(values / 257), 0, 255).astype(np.uint8)
    return images.fromarray(grey).convert("RGB")


def _plain_format(name: str) -> Literal["jpeg", "png", "webp"]:
    if name == "JPEG":
        return "jpeg"
    return "png" if name == "PNG" else "webp"
