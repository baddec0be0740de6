"""Visemes: what sounds look alike on the lips, approximated from English spelling.

A phoneme map needs a pronouncing dictionary, which a harness cannot assume for every corpus. The map here works on letters and
is named as such; error rates under it are comparable with each other only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

_LETTERS_EN: Mapping[str, str] = {
    "tch": "CH", "sch": "SK", "th": "TH", "sh": "CH", "ch": "CH", "ph": "F", "wh": "W", "ck": "K", "qu": "KW", "gh": "K", "kn": "T",
    "wr": "R", "oo": "U", "ee": "I", "ea": "I", "ou": "OU", "ow": "OU", "oi": "OI", "oy": "OI",
    "p": "P", "b": "P", "m": "P", "f": "F", "v": "F", "t": "T", "d": "T", "n": "T", "s": "T", "z": "T", "l": "L",
    "k": "K", "g": "K", "c": "K", "q": "K", "x": "KT", "h": "K", "j": "CH", "r": "R", "w": "W", "y": "I",
    "a": "A", "e": "E", "i": "I", "o": "O", "u": "U",
}  # fmt: skip
VISEME_MAPS: Mapping[str, Mapping[str, str]] = {"letters-en": _LETTERS_EN}
"""Name -> letters (the longest match wins) -> viseme."""


@lru_cache(maxsize=8192)
def visemes_of(text: str, name: str) -> tuple[str, ...]:
    """Return the visemes of a text, words without a bound between them; equal neighbours within a word are one.

    Letters and signs that the map does not have are left out.

    Args:
        text: in lower or upper case.
        name: a key of VISEME_MAPS.
    """
    table = VISEME_MAPS[name]
    longest = max(map(len, table))
    found: list[str] = []
    for word in text.casefold().split():
        place, first = 0, len(found)
        while place < len(word):
            length = next((size for size in range(longest, 0, -1) if word[place : place + size] in table), 0)
            if not length:
                place += 1
                continue
            viseme = table[word[place : place + length]]
            if len(found) == first or found[-1] != viseme:
                found.append(viseme)
            place += length
    return tuple(found)
