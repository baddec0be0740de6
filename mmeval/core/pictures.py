"""Decoding pictures that strangers made: few formats, none of which starts a program, and no more pixels than memory can hold."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmeval.core.errors import MediaError
from mmeval.core.files import MAX_BYTES
from mmeval.core.shortage import shortage

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 128_000_000
"""Larger pictures are refused before they are decoded; a 40-megapixel screenshot is fine, a decompression bomb is not."""

READ_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Pillow has many more, among them some that match almost any bytes or start a program (EPS runs Ghostscript)."""


def open_picture(data: bytes, name: str) -> Image:
    """Read the header of a picture; its pixels are decoded later, by `load_picture`.

    Raises:
        MediaError: for bytes that are no picture, or would decode to more than `MAX_PIXELS`.
    """
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    if not data:
        raise MediaError(f"{name}: the image is empty (0 bytes)")
    if len(data) > MAX_BYTES:
        raise MediaError(f"{name}: {len(data) / 2**20:.0f} MiB, images above {MAX_BYTES // 2**20} MiB are refused")
    # Our own limit below replaces Pillow's, whose warning is process-wide state.
    images.MAX_IMAGE_PIXELS = None
    try:
        image = images.open(io.BytesIO(data), formats=READ_FORMATS)
    except UnidentifiedImageError as error:
        raise MediaError(
            f"{name}: not an image that can be read ({len(data)} bytes; mmeval reads {', '.join(READ_FORMATS)})"
        ) from error
    except Exception as error:  # Pillow's plugins fail in many ways on damaged bytes
        raise MediaError(f"{name}: {shortage(error) or f'damaged image: {error}'}") from error
    if image.width * image.height > MAX_PIXELS:
        raise MediaError(
            f"{name}: {image.width}×{image.height} pixels, more than {MAX_PIXELS // 10**6} megapixels are refused as a decompression bomb"
        )
    if image.width < 1 or image.height < 1:
        raise MediaError(f"{name}: the image has no pixels")
    return image


def load_picture(image: Image, name: str) -> None:
    """Decode the pixels.

    Raises:
        MediaError: for a damaged or truncated picture.
    """
    try:
        image.load()
    except Exception as error:  # Pillow's plugins fail in many ways on damaged bytes
        raise MediaError(f"{name}: {shortage(error) or f'damaged or truncated image: {error}'}") from error
