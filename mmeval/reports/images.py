"""Thumbnails of the media as sent: small WebP files, one per content hash."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmeval.runs.folder import Run

EDGE = 384
"""Longest side of a thumbnail in pixels."""
QUALITY = 60


@dataclass(slots=True)
class Thumbnails:
    """Makes and remembers thumbnails by the hash of the media as sent."""

    runs: Sequence[Run]
    _made: dict[str, bytes | None] = field(default_factory=dict)

    def get(self, sha256: str) -> bytes | None:
        """Return the WebP bytes, or None where no run folder has the media (`--no-media`) or it cannot be decoded."""
        if sha256 not in self._made:
            paths = (run.media_path(sha256) for run in self.runs)
            path = next((path for path in paths if path is not None), None)
            self._made[sha256] = None if path is None else _thumbnail(path.read_bytes())
        return self._made[sha256]


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
