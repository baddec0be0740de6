"""Long cells that stay in their file until they are read: base64 images, mostly."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmeval.core.errors import MediaError

OPENING = 16
STORED_FROM = 4096
"""Bytes from which a cell that looks like an encoded image is left in its file."""
_ENCODED = re.compile(rb"\s*(?:\[\s*[\"']{1,2}\s*)?(?:data:image/|[A-Za-z0-9+/_-]{60})")
"""How such a cell begins: base64 or a data URL, alone or as the first of a list."""
_ENTRIES = re.compile(rb"(\"\"|\"|')([A-Za-z0-9+/=_:;,.\s-]*)(\"\"|\"|')")
_BETWEEN = re.compile(rb"\s*,?\s*")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A data file as it was when its rows were read."""

    path: Path
    size: int
    modified_ns: int

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`.

        Raises:
            MediaError: when the file has changed since, because offsets would then name something else.
            OSError: when it cannot be read.
        """
        with self.path.open("rb") as handle:
            state = os.fstat(handle.fileno())
            if (state.st_size, state.st_mtime_ns) != (self.size, self.modified_ns):
                raise MediaError(f"{self.path} was changed while the run read it; run the same command again")
            handle.seek(start)
            return handle.read(end - start)


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of a cell, as a place in its file."""

    file: StoredFile
    start: int
    """Offset of the first byte, behind the opening quote."""
    end: int
    doubled: bool = False
    """The cell's own quotes are doubled in the file, as CSV writes them."""
    opening: bytes = b""
    """Its first bytes, which say what kind of cell it is."""

    def __len__(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        return self.read().decode("utf-8", errors="replace")

    def read(self) -> bytes:
        """Return the content of the cell.

        Raises:
            MediaError: when the file has changed since.
            OSError: when it cannot be read.
        """
        data = self.file.read(self.start, self.end)
        return data.replace(b'""', b'"') if self.doubled else data

    def entries(self) -> list[StoredText] | None:
        """Return the entries of a list of base64 texts, each as its own place; None when it is no such list."""
        data = self.file.read(self.start, self.end)
        text = data.strip()
        if not (text.startswith(b"[") and text.endswith(b"]")):
            return None
        places = list(_places(data, data.index(b"[") + 1, data.rindex(b"]")))
        found = [
            StoredText(self.file, self.start + place[0], self.start + place[1], opening=data[place[0] :][:OPENING])
            for place in places
            if place is not None
        ]
        return found if len(found) == len(places) else None


def _places(data: bytes, position: int, end: int) -> Iterator[tuple[int, int] | None]:
    """Yield where each quoted entry lies; None ends what is no plain list of them."""
    first = True
    while True:
        gap = _BETWEEN.match(data, position, end)
        position = gap.end() if gap else position
        if position >= end:
            return
        entry = _ENTRIES.match(data, position, end)
        if (
            entry is None
            or entry.group(1) != entry.group(3)
            or (not first and b"," not in (gap.group() if gap else b""))
        ):
            yield None
            return
        yield entry.span(2)
        position, first = entry.end(), False


def looks_encoded(data: bytes, start: int) -> bool:
    """Whether the cell that begins at `start` looks like an encoded image or a list of them."""
    return _ENCODED.match(data, start) is not None
