"""Numbering whole numbers anew, with arrays in place of dictionaries."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

WholeNumbers: TypeAlias = npt.NDArray[np.integer[Any]]
_DENSE = 8
"""Values up to so many times their number are counted in an array; sparser ones are sorted."""


def by_appearance(values: WholeNumbers) -> tuple[npt.NDArray[np.int64], WholeNumbers]:
    """Number values in the order of their first appearance.

    Args:
        values: whole numbers, shape (n,).

    Returns:
        The number of each entry, shape (n,), and the first entry of each number, shape (numbers,).
    """
    if not _dense(values):
        _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        order = np.argsort(first)
        number = np.empty(order.size, dtype=np.int64)
        number[order] = np.arange(order.size)
        return number[inverse], first[order]
    kind = _kind(values)
    place: WholeNumbers = np.full(int(values.max(initial=-1)) + 1, -1, dtype=kind)
    place[values[::-1]] = np.arange(values.size - 1, -1, -1, dtype=kind)
    starts = place[place >= 0]
    starts.sort()
    place[values[starts]] = np.arange(starts.size, dtype=kind)
    return place[values].astype(np.int64), starts


def by_size(values: WholeNumbers) -> npt.NDArray[np.int64]:
    """Number values in their own order: 0 for all that equal the smallest, 1 for the next, shape (n,)."""
    if not _dense(values):
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    number: WholeNumbers = np.zeros(int(values.max(initial=-1)) + 1, dtype=_kind(values))
    number[values] = 1
    np.cumsum(number, out=number)
    number -= 1
    return number[values].astype(np.int64)


def repeated(values: WholeNumbers) -> int | None:
    """Return the first entry whose value an earlier entry has; None where all differ."""
    if _dense(values):
        there = np.zeros(int(values.max(initial=-1)) + 1, dtype=bool)
        there[values] = True
        if np.count_nonzero(there) == values.size:
            return None
    elif np.unique(values).size == values.size:
        return None
    _, first = np.unique(values, return_index=True)
    again = np.ones(values.size, dtype=bool)
    again[first] = False
    return int(np.argmax(again))


def _kind(values: WholeNumbers) -> np.dtype[np.signedinteger[Any]]:
    """The smaller type that can number them."""
    return np.dtype(np.int32 if values.size < 2**31 else np.int64)


def _dense(values: WholeNumbers) -> bool:
    return not values.size or (int(values.min()) >= 0 and int(values.max()) < _DENSE * (values.size + 128))
