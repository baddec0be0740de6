"""Thumbnails of the media as sent: small WebP files, one per content hash."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mmeval.runs.folder import Run

EDGE = 384
"""Longest side of a thumbnail in pixels."""
QUALITY = 60
THREADS = min(4, os.cpu_count() or 1)


@dataclass(slots=True)
class Thumbnails:
    """Makes and remembers thumbnails by the hash of the media as sent."""

    runs: Sequence[Run]
    _made: dict[str, bytes | None] = field(default_factory=dict)

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
        paths = (run.media_path(sha256) for run in self.runs)
        path = next((path for path in paths if path is not None), None)
        return None if path is None else _thumbnail(path.read_bytes())


def _thumbnail(data: bytes) -> bytes | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as source:
            source.draft("RGB", (EDGE * 2, EDGE * 2))
            image = source.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
        # A folder may have been damaged after the run; the browser then shows the media's hash instead.
        return None
    image.thumbnail((EDGE, EDGE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()
