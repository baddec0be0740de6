"""Thumbnails of the media as sent: small WebP files, one per content hash."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mmeval.core.errors import MediaError
from mmeval.core.pictures import load_picture, open_picture
from mmeval.runs.folder import Run

SIZES = ((1024, 70), (640, 65), (384, 60), (320, 55), (256, 50))
"""Longest side of a thumbnail in pixels and its WebP quality, from the largest to the smallest."""
PLAIN = 384
"""Longest side that is always worth its bytes; larger ones, for looking closely, take `GENEROUS` of the room at most."""
GENEROUS = 0.4
PROBES = 128
"""Thumbnails by which the size of all is estimated."""
FIRST = 12
"""Of them, those that rule out a size which is much too large."""
THREADS = min(4, os.cpu_count() or 1)


@dataclass(slots=True)
class Thumbnails:
    """Makes and remembers thumbnails by the hash of the media as sent."""

    runs: Sequence[Run]
    _made: dict[str, bytes | None] = field(default_factory=dict)
    _size: tuple[int, int] = SIZES[0]
    _chosen: bool = False

    @property
    def edge(self) -> int:
        """Longest side in pixels."""
        return self._size[0]

    def choose_edge(self, hashes: Iterable[str], room: float, markup: int) -> None:
        """Choose, once, the largest size at which the thumbnails of all these media fit into `room` bytes of a page.

        Args:
            hashes: of the media; estimated from the first ones in the order of their hashes, which is that of chance.
            room: bytes for their base64 and the markup around it.
            markup: bytes around one.
        """
        if self._chosen:
            return
        self._chosen = True
        distinct = sorted(set(hashes))
        probes = distinct[:PROBES]
        for size in SIZES:
            self._size = size
            self._made.clear()
            share = room if size[0] <= PLAIN else GENEROUS * room
            if self._expected(probes[:FIRST], len(distinct), markup) > 2 * share and size != SIZES[-1]:
                continue
            if self._expected(probes, len(distinct), markup) <= share:
                return

    def _expected(self, probes: Sequence[str], count: int, markup: int) -> float:
        """Bytes of `count` thumbnails in the page, by those of the probes."""
        self.prepare(probes)
        each = [4 * len(data) / 3 + markup for sha256 in probes if (data := self._made[sha256]) is not None]
        return sum(each) * count / max(1, len(probes))

    def prepare(self, hashes: Iterable[str]) -> None:
        """Make the thumbnails of several media at once; decoding and encoding run outside the interpreter's lock."""
        fresh = [sha256 for sha256 in dict.fromkeys(hashes) if sha256 not in self._made]
        if fresh:
            with ThreadPoolExecutor(THREADS) as pool:
                self._made.update(zip(fresh, pool.map(self._make, fresh), strict=True))

    def get(self, sha256: str) -> bytes | None:
        """Return the WebP bytes, or None where no run folder has the media (`--no-media`) or it cannot be decoded."""
        if sha256 not in self._made:
            self._made[sha256] = self._make(sha256)
        return self._made[sha256]

    def _make(self, sha256: str) -> bytes | None:
        found = next((media for run in self.runs if (media := run.media(sha256)) is not None), None)
        return None if found is None else _thumbnail(found[0], *self._size)


def _thumbnail(data: bytes, edge: int, quality: int) -> bytes | None:
    from PIL.Image import Resampling

    try:
        source = open_picture(data, "media")
        source.draft("RGB", (2 * edge, 2 * edge))
        load_picture(source, "media")
        image = source.convert("RGB")
    except (MediaError, ValueError):
        # A folder may have been damaged after the run; the browser then shows the media's hash instead.
        return None
    image.thumbnail((edge, edge), Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
