"""Random choices that give the same values on every platform and library version."""

from __future__ import annotations

import hashlib
import random
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_NAMESPACE = "mmeval-synthetic/1"
_SMALL_BLOCK = 64
_FEISTEL_ROUNDS = 6


def derive(*parts: str | int) -> int:
    """A 256-bit integer that depends on all parts and on their order (SHA-256)."""
    text = "\x1f".join([_NAMESPACE, *(str(part) for part in parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


class Rng:
    """Unbiased draws from the Mersenne Twister's raw bits.

    ``random.Random.getrandbits`` is the only method used, because CPython promises nothing about how
    ``choice``, ``shuffle`` or ``randrange`` consume bits from one version to the next.
    """

    __slots__ = ("_bits",)

    def __init__(self, *parts: str | int) -> None:
        self._bits = random.Random(derive(*parts)).getrandbits

    def below(self, n: int) -> int:
        """A uniform integer in ``range(n)``; ValueError unless n ≥ 1."""
        if n < 1:
            raise ValueError(f"below() needs a positive bound, got {n}")
        width = (n - 1).bit_length()
        if width == 0:
            return 0
        value = self._bits(width)
        while value >= n:
            value = self._bits(width)
        return value

    def between(self, low: int, high: int) -> int:
        """A uniform integer with both ends included; ``low`` where the range is empty."""
        return low + self.below(max(high - low, 0) + 1)

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Fisher–Yates, in place."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """k different positions of ``items`` in random order; ValueError where there are fewer."""
        pool = list(items)
        if k > len(pool):
            raise ValueError(f"cannot draw {k} of {len(pool)} items")
        for first in range(k):
            other = first + self.below(len(pool) - first)
            pool[first], pool[other] = pool[other], pool[first]
        return pool[:k]

    def raw_seed(self) -> int:
        """A 128-bit seed for `noise_bytes`."""
        return self._bits(128)


def noise_bytes(seed: int, count: int) -> NDArray[np.uint8]:
    """``count`` uniform bytes from PCG64's raw stream, which NumPy keeps stable."""
    raw = np.asarray(np.random.PCG64(seed).random_raw((count + 7) // 8), dtype="<u8")
    return raw.view(np.uint8)[:count]


def permuted(position: int, size: int, *key: str | int) -> int:
    """Where ``position`` goes under a permutation of ``range(size)`` drawn from ``key``."""
    if size <= _SMALL_BLOCK:
        order = list(range(size))
        Rng("permutation", *key).shuffle(order)
        return order[position]
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    secret = derive("feistel", *key).to_bytes(32, "big")
    value = position
    while True:  # cycle walking: the network permutes a power of four, values beyond `size` go round again
        left, right = value >> half, value & mask
        for turn in range(_FEISTEL_ROUNDS):
            digest = hashlib.sha256(secret + bytes([turn]) + right.to_bytes(8, "big")).digest()
            left, right = right, left ^ (int.from_bytes(digest[:8], "big") & mask)
        value = (left << half) | right
        if value < size:
            return value


def balanced(index: int, size: int, *key: str | int) -> int:
    """A value in ``range(size)``, each exactly once among every ``size`` consecutive indices."""
    block, position = divmod(index, size)
    return permuted(position, size, block, *key)
