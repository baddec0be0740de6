"""Keys that stand twice in a JSON object: parsers keep the later value and say nothing."""

from __future__ import annotations

import json
from typing import Any

from mmeval.core.errors import DataError


def repeated_key(data: bytes) -> str | None:
    """Return the first key that stands twice in the outermost object of a JSON text; None where there is none.

    Args:
        data: UTF-8 that is known to be JSON.

    Raises:
        DataError: for JSON that is nested too deeply to be looked at.
    """
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        # Objects are closed from the inside out: the last one is the outermost.
        outermost[:] = pairs

    try:
        json.loads(data, object_pairs_hook=keep, parse_int=float)  # integers of any length
    except RecursionError as error:
        raise DataError("JSON that is nested too deeply", remedy="check where the file comes from") from error
    seen: set[str] = set()
    for key, _ in outermost:
        if key in seen:
            return key
        seen.add(key)
    return None
