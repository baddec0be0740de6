"""Lists of moments of videos, as Charades-STA comes with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.data import unreadable

LAYOUT = "moment-list"
_LINE = re.compile(r"(\S+)\s+([0-9]+(?:\.[0-9]+)?)\s+([0-9]+(?:\.[0-9]+)?)\s*##(.*)")


def moment_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each line "VIDEO START END##SENTENCE": video (with .mp4), caption, timestamp ([start, end] in seconds).

    Raises:
        DataError: when the list cannot be read, or a line is of another form.
    """
    with unreadable(path):
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None or not found[4].strip():
            raise DataError(
                f"{path}, line {number}: no moment of a video", remedy="lines are 'VIDEO START END##SENTENCE'"
            )
        yield {
            "video": f"{found[1]}.mp4",
            "caption": found[4].strip(),
            "timestamp": [float(found[2]), float(found[3])],
        }
