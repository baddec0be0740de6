"""Lists of pictures with their classes, as FGVC-Aircraft and the Oxford pets come with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.data import unreadable

LAYOUT = "class-list"
_SUFFIX = re.compile(r"\.(?:jpe?g|png|webp|bmp)$", re.IGNORECASE)
_NUMBERED = re.compile(r"[_-]?[0-9]+$")
_NUMBERS = re.compile(r"[0-9\s]*")


def class_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each line: id, image (".jpg" where the list leaves the suffix out), label, classes (all of the list).

    "1514522 707-320": picture and class. "Abyssinian_201 1 1 1", with nothing but whole numbers behind it: the class is the picture's
    name without its number. Lines that begin with # are comments. Underscores of classes stand for spaces.

    Raises:
        DataError: when the list cannot be read, or a line names no class.
    """
    with unreadable(path):
        data = path.read_bytes()
    found: list[tuple[str, str]] = []
    for number, line in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        picture, _, rest = line.strip().partition(" ")
        stem = _SUFFIX.sub("", picture)
        label = rest.strip() if not _NUMBERS.fullmatch(rest) else _NUMBERED.sub("", stem.rsplit("/", 1)[-1])
        if not label or (not rest.strip() and label == stem):
            raise DataError(
                f"{path}, line {number}: no picture with its class",
                remedy="lines are 'PICTURE CLASS', or 'CLASS_201 1 1 1'",
            )
        found.append((picture, " ".join(label.replace("_", " ").split())))
    classes = sorted({label for _, label in found})
    for picture, label in found:
        image = picture if _SUFFIX.search(picture) else f"{picture}.jpg"
        yield {"id": _SUFFIX.sub("", picture), "image": image, "label": label, "classes": classes}
