"""Video cells of rows: files, bytes, folders of frames, lists of frames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mmeval.core.errors import DataError, MediaError
from mmeval.core.frames import sample_indices
from mmeval.core.types import FrameSampling, Media
from mmeval.tasks.data import Row
from mmeval.tasks.images import FILE_NAME, inside, media_from_cell


def videos_from_cell(cell: Any, row: Row, column: str, sampling: FrameSampling) -> list[Media]:
    """Turn a video cell into media: a path of a file or of a folder of frame images, {bytes, path}, bytes, or a list of frames.

    Empty cells give none. A list of image paths (or encoded images) is one video, whose frames it names in playing order.

    Raises:
        DataError: for a cell of another form, or a relative path that leaves the data folder.
    """
    name = f"{row.place}, column {column}"
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return []
    if isinstance(cell, (bytes, bytearray)):
        return [Media("video", data=bytes(cell), name=name, sampling=sampling)]
    if isinstance(cell, Mapping):
        inner = cell.get("bytes") or cell.get("path")
        return videos_from_cell(inner, row, column, sampling)
    if isinstance(cell, (list, tuple)):
        frames = [media for entry in cell for media in media_from_cell(entry, row, column)]
        return [of_frames(frames, sampling, name)] if frames else []
    if not isinstance(cell, str):
        raise DataError(
            f"{name}: a cell of type {type(cell).__name__} is no video",
            remedy="name the right column in the card's fields.videos",
        )
    if "://" in cell:
        raise DataError(
            f"{name}: {cell[:80]!r} is a web address, and mmeval fetches no videos",
            remedy="download the videos first, below --data-dir DIR, and put their paths into the column",
        )
    if row.image_root is None and not Path(cell).is_absolute():
        raise MediaError(
            f"{name}: the path {cell!r} is relative, and this data set has no folder of videos",
            remedy="add --data-dir DIR with a copy of the data set and its videos",
        )
    path = inside(cell, row)
    if os.path.isdir(path):
        files = sorted((file for file in path.iterdir() if FILE_NAME.search(file.name)), key=_natural)
        return [of_frames([Media("image", path=file, name=str(file)) for file in files], sampling, str(path))]
    return [Media("video", path=path, name=str(path), sampling=sampling)]


def of_frames(frames: Sequence[Media], sampling: FrameSampling, name: str) -> Media:
    """A video whose frames are images already, thinned as the protocol has it (`fps` means nothing for them: all count).

    Raises:
        MediaError: when there is no frame.
    """
    if not frames:
        raise MediaError(f"{name}: no frames", remedy="a folder of frames holds image files, named in playing order")
    method: Literal["uniform", "all"] = "uniform" if sampling.method == "uniform" else "all"
    chosen = sample_indices(len(frames), None, FrameSampling(method, sampling.frames))
    shown = tuple(frames[index] for index in chosen)
    return Media("video", name=name, frames=shown, frame_indices=chosen, sampling=sampling)


def _natural(path: Path) -> tuple[int, str]:
    """Sort 2.jpg before 10.jpg."""
    digits = "".join(character for character in path.stem if character.isdigit())
    return (int(digits) if digits else -1, path.name)
