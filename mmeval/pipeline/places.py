"""Why a file or folder cannot be made where the user wants it."""

from __future__ import annotations

import os
from pathlib import Path


def obstacle(folder: Path) -> str:
    """Say what keeps a folder from being made or written, as far as the file system tells; empty when nothing does.

    Args:
        folder: the folder that is wanted; it need not be there.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"{place} is a file, not a folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"the folder {place} is not writable for you"
    return ""
