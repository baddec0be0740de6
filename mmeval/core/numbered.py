"""Numbers for texts in a fixed number of bytes per text, where a dictionary of the texts would grow with a run."""

from __future__ import annotations

import hashlib
from array import array

DIGEST = 16
"""Bytes that stand for a text: among a thousand million texts two share them with a probability below 10^-20."""
_FIRST = 64
_GROWTH = 1.5
_FULL = 0.8
"""Share of the slots in use from which on there are more of them."""


class NumberedTexts:
    """Numbers texts 0, 1, 2 … in the order of their first appearance, as `known.setdefault(text, len(known))` does.

    It keeps a digest of each text and a place in an open-addressed table: 22 to 26 bytes per text.
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self._slots = array("I", bytes(4 * _FIRST))
        """Number + 1 of a text, at the first free slot from its digest on; 0 is free."""

    def __len__(self) -> int:
        return len(self._digests) // DIGEST

    def number(self, text: str) -> int:
        """Return the number of a text; a new one is the next."""
        # Lone surrogates, which JSON can hold, are texts too.
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
        digests, slots = self._digests, self._slots
        slot = int.from_bytes(digest[:8], "little") % len(slots)
        while found := slots[slot]:
            end = found * DIGEST
            if digests[end - DIGEST : end] == digest:
                return found - 1
            slot += 1
            if slot == len(slots):
                slot = 0
        digests += digest
        number = len(digests) // DIGEST
        slots[slot] = number
        if number > _FULL * len(slots):
            self._spread()
        return number - 1

    def _spread(self) -> None:
        digests = self._digests
        size = int(len(self._slots) * _GROWTH)
        self._slots = slots = array("I", bytes(4)) * size
        for number in range(len(self)):
            start = number * DIGEST
            slot = int.from_bytes(digests[start : start + 8], "little") % size
            while slots[slot]:
                slot = slot + 1 if slot + 1 < size else 0
            slots[slot] = number + 1
