"""Porter's stemmer (M. F. Porter, An algorithm for suffix stripping, 1980), as its paper has it, but that words of one or two letters stay."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able", "alli": "al", "entli": "ent",
    "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
    "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble",
}  # fmt: skip
_STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive",
    "ize",
)  # fmt: skip


@lru_cache(maxsize=65536)
def porter_stem(word: str) -> str:
    """Return the stem of a lower-case word; a word of up to two letters stays, as in Porter's own program."""
    if len(word) <= 2:
        return word
    word = _plurals(word)
    word = _past(word)
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _STEP_2, lambda stem, _: _measure(stem) > 0)
    word = _replaced(word, _STEP_3, lambda stem, _: _measure(stem) > 0)
    word = _replaced(word, dict.fromkeys(_STEP_4, ""), _droppable)
    return _tidied(word)


def _plurals(word: str) -> str:
    for suffix, kept in (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")):
        if word.endswith(suffix):
            return word[: -len(suffix)] + kept
    return word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        stem = word[: -len(suffix)]
        if word.endswith(suffix) and _has_vowel(stem):
            if stem.endswith(("at", "bl", "iz")):
                return stem + "e"
            if _double_consonant(stem) and stem[-1] not in "lsz":
                return stem[:-1]
            return stem + "e" if _measure(stem) == 1 and _short_end(stem) else stem
    return word


def _replaced(word: str, endings: dict[str, str], allowed: Callable[[str, str], bool]) -> str:
    """Replace the longest ending, where its condition holds; a shorter one is not tried."""
    found = max((ending for ending in endings if word.endswith(ending)), key=len, default=None)
    if found is None:
        return word
    stem = word[: -len(found)]
    return stem + endings[found] if allowed(stem, found) else word


def _droppable(stem: str, ending: str) -> bool:
    return _measure(stem) > 1 and (ending != "ion" or stem.endswith(("s", "t")))


def _tidied(word: str) -> str:
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _short_end(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _consonants(word: str) -> list[bool]:
    """Return which letters are consonants; y is one at the start and behind a vowel."""
    found: list[bool] = []
    for letter in word:
        found.append(letter not in "aeiou" and not (letter == "y" and bool(found) and found[-1]))
    return found


def _measure(stem: str) -> int:
    """Return how often a vowel is followed by a consonant."""
    found = _consonants(stem)
    return sum(not before and after for before, after in pairwise(found))


def _has_vowel(stem: str) -> bool:
    return not all(_consonants(stem))


def _double_consonant(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _consonants(word)[-1]


def _short_end(stem: str) -> bool:
    """Whether a stem ends in consonant, vowel, consonant other than w, x, y."""
    return _consonants(stem)[-3:] == [True, False, True] and stem[-1] not in "wxy"
