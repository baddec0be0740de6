"""The order in which rows are asked: those that show one picture come close together, so that prefix caches of engines hit."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

from mmeval.core.errors import MmevalError
from mmeval.tasks.pictures import Picture

ROWS = 1024
"""Rows that are read ahead at most."""
BYTES = 32 << 20
"""Bytes of pictures that rows read ahead may hold; further rows wait in their file."""
FILL_S = 0.05
"""How long reading ahead may keep the engine waiting for a row."""

Drafted = TypeVar("Drafted")


def nearby(
    rows: Iterator[Drafted], picture: Callable[[Drafted], Picture | None], most: int = ROWS, most_bytes: int = BYTES
) -> Iterator[Drafted]:
    """Yield every row once, rows of one picture together as far as a bounded view ahead shows them.

    The oldest row is always the next, followed by those ahead that share its picture, in their order; so no row is passed by
    more than `most` others, and rows that are in order already keep it. Rows without a picture are passed on in their place.

    Args:
        rows: what is to be asked, without media that were read.
        picture: what a row's first picture is told by.
        most: rows that are held.
        most_bytes: bytes that they may hold; the last one may exceed it.

    Raises:
        MmevalError: what `rows` raises, after the rows before it.
    """
    groups: OrderedDict[Hashable, list[tuple[Drafted, int]]] = OrderedDict()
    held = size = number = 0
    ended = False
    broken: MmevalError | None = None
    while True:
        until = time.monotonic() + FILL_S
        while not ended and held < most and size < most_bytes:
            try:
                row = next(rows)
            except StopIteration:
                ended = True
                break
            except MmevalError as error:
                ended, broken = True, error  # the rows before it are still to be asked
                break
            told = picture(row)
            number += 1
            key, weight = (("row", number), 0) if told is None else (told.key, told.size)
            groups.setdefault(key, []).append((row, weight))
            held, size = held + 1, size + weight
            if time.monotonic() > until:
                break
        if not groups:
            if broken is not None:
                raise broken
            return
        _, together = groups.popitem(last=False)
        while together:
            row, weight = together.pop(0)
            held, size = held - 1, size - weight
            yield row
