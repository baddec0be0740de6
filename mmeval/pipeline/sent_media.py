"""Media as they were sent: their files in a run folder, and the column of the tables that names them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from mmeval.core.errors import StorageError
from mmeval.core.files import write
from mmeval.core.types import PreparedMedia


def store_media(folder: Path, name: str, data: bytes) -> None:
    """Write a file named by its content, once.

    Raises:
        StorageError: when it cannot be written.
    """
    path = os.path.join(folder, name)
    if os.path.exists(path):
        return
    temporary = os.path.join(folder, f".{name}.{threading.get_ident()}")
    try:
        write(temporary, data)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise StorageError(
            f"cannot store media in {folder}: {error.strerror or error}",
            remedy="free some space or add --no-media, then run the same command again; every committed answer is kept",
        ) from error


def media_json(media: tuple[PreparedMedia, ...]) -> list[dict[str, Any]]:
    """The `media` column: every image or frame as sent."""
    return [
        {
            "sha256": image.sha256,
            "width": image.width,
            "height": image.height,
            "kind": "frame" if entry.kind == "video" else "image",
            "format": image.format,
            "frame": entry.frame_indices[place] if entry.frame_indices else None,
        }
        for entry in media
        for place, image in enumerate(entry.images)
    ]
