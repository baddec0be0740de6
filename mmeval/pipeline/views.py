"""Showing parts of pictures: cut from the original pixels, resized once, encoded losslessly, kept by content."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

from mmeval.core.files import write
from mmeval.core.geometry import View
from mmeval.core.hashing import digest, sha256_bytes
from mmeval.core.types import PreparedImage
from mmeval.core.views import Region
from mmeval.pipeline.media import Grid, decode_rgb

RENDER_VERSION = 1
"""Raised whenever the pixels of a view can change."""


def render_view(
    image: PreparedImage, region: Region | None, grid: Grid | None, name: str, store: Path | None = None
) -> tuple[PreparedImage, View]:
    """Return a part of an image as it is shown, and what it shows. The same arguments give the same bytes.

    A whole image at its own size is passed on as it is. Everything else is cut from the decoded pixels, resized (bicubic) to
    the grid's size for it, and encoded as PNG.

    Args:
        image: the original, upright, at full size.
        region: whole pixels of it; None for all.
        grid: the sizes in which pictures are shown; None for their own.
        name: for messages.
        store: folder in which views are kept by content.

    Raises:
        MediaError: when the image cannot be decoded.
    """
    whole = (0, 0, image.width, image.height)
    part = whole if region is None else region
    wide, high = part[2] - part[0], part[3] - part[1]
    size = (wide, high) if grid is None else grid.fit(wide, high)
    view = View((image.width, image.height))
    view = (view if part == whole else view.cropped(part)).resized(*size)
    if not view.steps:
        return image, view
    key = digest([RENDER_VERSION, image.sha256, view.key])
    place = None if store is None else store / f"{key}.png"
    data = _kept(place)
    if data is None:
        buffer = io.BytesIO()
        view.draw(decode_rgb(image.data, name)).save(buffer, "PNG", compress_level=1)
        data = buffer.getvalue()
        if place is not None:
            _keep(place, data)
    return PreparedImage(data, "png", *size, sha256_bytes(data), image.source_sha256, wide, high), view


def _kept(place: Path | None) -> bytes | None:
    """The view, where an earlier conversation made it; a file whose hash is not the one beside its name is made again."""
    if place is None:
        return None
    try:
        data = place.read_bytes()
        expected = place.with_suffix(".sha256").read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return data if sha256_bytes(data) == expected else None


def _keep(place: Path, data: bytes) -> None:
    if keep(place, data):
        keep(place.with_suffix(".sha256"), sha256_bytes(data).encode())


def keep(place: Path, data: bytes) -> bool:
    """Keep a file for the next run; a store that cannot be written is no fault of the run, and gives False."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write(temporary, data)
        temporary.replace(place)
    except OSError:
        temporary.unlink(missing_ok=True)
        return False
    return True
